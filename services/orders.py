"""Orders: reserve some bills of one person for one payer, open the payment, and tell where it stands."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from models.accounts import Account
from models.base import constraint_of, new_id, new_number
from models.bills import BillState, ContributionBill
from models.enrollments import Enrollment
from models.inbox import Notice, NoticeState
from models.orders import OrderLine, OrderOrigin, OrderState, PaymentOrder
from models.payments import Payment
from services.bills import Payability, payability
from services.consents import refuse_taken_back, require_consent
from services.debit_errors import DebitInFlight
from services.errors import (
    AmountChanged,
    BillNotPayable,
    BillsReserved,
    CannotCancel,
    FaceCheckRequired,
    NotAvailableOnline,
    NotFound,
    OrderMustBeSplit,
    PaymentRefused,
    RegionMismatch,
    RequestInFlight,
    TooManyOpenOrders,
)
from services.idempotency import Asked, fingerprint, keep_result, known_result, made_once
from services.insured_persons import refuse_blocked, relation_of
from services.order_views import OrderView, read_order
from services.payments import ASK_AFTER, OPENING_TAKES_AT_MOST, ask_now, close_payment, open_payment
from services.settlement import settle

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from models.insured_persons import InsuredPerson
    from services.ports import Ports

OWN_ORDER_LIFE: Final = timedelta(minutes=30)
STRANGERS_ORDER_LIFE: Final = timedelta(minutes=10)
"""A stranger's hold on somebody's months is short (design, "under load and abuse")."""
STRANGERS_LIVE_ORDERS: Final = 3
OWN_LIVE_ORDERS: Final = 10
LIVE: Final = (OrderState.CREATED, OrderState.PREPAY, OrderState.UNKNOWN)
NOT_BY_PHONE: Final = "这笔不是在手机上发起的缴费，不能在手机上取消，请等待处理结果。"


@dataclass(frozen=True, kw_only=True)
class NewOrder:
    insured_person_id: uuid.UUID
    bill_nos: tuple[str, ...]
    expected_amount_fen: int
    """What the phone showed. If the sum is another by now, nobody pays before seeing it."""

    def fingerprint(self) -> bytes:
        """The same wish in the same words, whatever the order of the ticks."""
        return fingerprint(str(self.insured_person_id), sorted(self.bill_nos), self.expected_amount_fen)


class _HeldByStranger(Exception):
    """The insured person's months are reserved by somebody else's order."""

    def __init__(self, payment_nos: list[str]) -> None:
        super().__init__()
        self.payment_nos = payment_nos


def place_order(ports: Ports, *, account: Account, new: NewOrder, idempotency_key: str) -> OrderView:
    """Reserve the bills, open the payment, answer with what the phone needs to pay.

    The same key again tells the same order. Raises FaceCheckRequired, NotFound, ConsentRequired, BlockedByInsured,
    RegionMismatch, NotAvailableOnline, BillNotPayable, BillsReserved, DebitInFlight, AmountChanged, OrderMustBeSplit, TooManyOpenOrders,
    IdempotencyKeyReused, RequestInFlight, and PaymentRefused: the provider will not take it, nothing was charged, order anew.
    """
    try:
        order_no, replayed = made_once(lambda: _reserve(ports, account=account, new=new, idempotency_key=idempotency_key))
    except _HeldByStranger as held:
        # The insured person's own wish goes first, but at the provider first: an open cashier somewhere must not pay into nothing.
        for payment_no in held.payment_nos:
            if not close_payment(ports, payment_no):
                raise BillsReserved from None
        try:
            order_no, replayed = made_once(lambda: _reserve(ports, account=account, new=new, idempotency_key=idempotency_key))
        except _HeldByStranger:
            raise BillsReserved from None
    view = read_order(ports, account=account, order_no=order_no)
    if view.state in (OrderState.CREATED, OrderState.UNKNOWN):
        if not replayed:
            open_payment(ports, view.payment_no)
            view = read_order(ports, account=account, order_no=order_no)
        elif ports.now() - view.created_at < OPENING_TAKES_AT_MOST:
            raise RequestInFlight(order_no=order_no, retry_after_seconds=3)
        else:
            # Its opening died or got no answer, and meanwhile it may have lapsed: news that waits is heard before anything is sent.
            view = refresh_order(ports, account=account, order_no=order_no)
        if view.state == OrderState.CLOSED:
            raise PaymentRefused(order_no=order_no)
    return _replayed(view) if replayed else view


def _replayed(view: OrderView) -> OrderView:
    return OrderView(**{**view.__dict__, "replayed": True})


def _reserve(ports: Ports, *, account: Account, new: NewOrder, idempotency_key: str) -> tuple[str, bool]:
    """The order's number, and whether it was there already."""
    now = ports.now()
    asked = Asked(account_id=account.id, route=ROUTE, key=idempotency_key, request_hash=new.fingerprint())
    try:
        with ports.begin() as session:
            known = known_result(session, asked)
            if known is not None:
                return known, True
            # Before anything else: of two presses at the very same moment the later one waits here, and then knows the order.
            order_no = new_number()
            keep_result(session, asked, result_id=order_no, now=now)
            if account.person_id is None:
                raise FaceCheckRequired
            refuse_taken_back(session, account_id=account.id, purpose="REAL_NAME", hold=True)
            relation = relation_of(session, account_id=account.id, insured_person_id=new.insured_person_id, now=now)
            if not relation.is_self:
                require_consent(session, account_id=account.id, purpose="PROXY_PAYMENT", hold=True)
            refuse_blocked(session, person_id=relation.person_id, payer_person_id=account.person_id)
            bills = _lock_bills(session, relation.person_id, new.bill_nos)
            _refuse_reserved(session, bills, account=account, relation=relation)
            _refuse_unpayable(ports, bills, account=account, own=relation.is_self)
            _refuse_other_amount(bills, new.expected_amount_fen)
            _refuse_too_many(session, account=account, own=relation.is_self)
            _make_order(
                ports,
                session,
                order_no=order_no,
                account=account,
                relation=relation,
                bills=[bill for bill, _ in bills],
                now=now,
            )
            return order_no, False
    except IntegrityError as fault:
        if constraint_of(fault) == "uq_payment_order_lines_bill_id_live":
            raise BillsReserved from None
        raise


ROUTE: Final = "POST /payment-orders"


def _lock_bills(session: Session, person_id: uuid.UUID, bill_nos: Iterable[str]) -> list[tuple[ContributionBill, Enrollment]]:
    """The bills of this very person, locked by id. A number that is not theirs is not found, whoever else's it may be."""
    wanted = set(bill_nos)
    rows = session.execute(
        select(ContributionBill, Enrollment)
        .join(Enrollment, Enrollment.id == ContributionBill.enrollment_id)
        .where(Enrollment.person_id == person_id, ContributionBill.bill_no.in_(wanted))
        .order_by(ContributionBill.id)
        .with_for_update(of=ContributionBill)
    )
    bills = [(bill, enrollment) for bill, enrollment in rows]
    if len(bills) != len(wanted) or not wanted:
        raise NotFound
    return bills


def _refuse_reserved(
    session: Session, bills: list[tuple[ContributionBill, Enrollment]], *, account: Account, relation: InsuredPerson
) -> None:
    locked = [bill.id for bill, _ in bills if bill.state == BillState.LOCKED]
    if not locked:
        return
    holders = session.execute(
        select(PaymentOrder, Payment.payment_no)
        .join(OrderLine, OrderLine.order_id == PaymentOrder.id)
        .join(Payment, Payment.order_id == PaymentOrder.id)
        .where(OrderLine.bill_id.in_(locked), OrderLine.live)
    ).all()
    if any(order.origin == OrderOrigin.DEBIT for order, _ in holders):
        raise DebitInFlight
    mine = [order.order_no for order, _ in holders if order.payer_account_id == account.id]
    if mine:
        raise BillsReserved(order_no=mine[0])
    if relation.is_self and holders and all(order.is_strangers for order, _ in holders):
        raise _HeldByStranger([payment_no for _, payment_no in holders])
    raise BillsReserved


REFUSALS: Final = {
    "BILL_NOT_PAYABLE": BillNotPayable,
    "BILL_RESERVED": BillsReserved,
    "DEBIT_IN_FLIGHT": DebitInFlight,
    "NOT_AVAILABLE_ONLINE": NotAvailableOnline,
    "REGION_MISMATCH": RegionMismatch,
}


def _refuse_unpayable(ports: Ports, bills: list[tuple[ContributionBill, Enrollment]], *, account: Account, own: bool) -> None:
    program = ports.miniprogram(account.miniprogram)
    merchant = ports.merchant_of(account.miniprogram)
    for bill, enrollment in bills:
        judged = payability(
            bill, enrollment, region=ports.rulebook.region(bill.region), regions=program.regions, today=ports.today(), own=own
        )
        if not judged.payable:
            _refuse(judged, bill)
    if merchant is None:
        raise NotAvailableOnline(detail="此小程序不办理缴费，请使用当地税务部门的缴费小程序。")
    groups: dict[str, list[str]] = defaultdict(list)
    for bill, _ in bills:
        groups[bill.authority].append(bill.bill_no)
    if len(groups) > 1:
        raise OrderMustBeSplit(groups=sorted(groups.values()))
    if merchant[1].authority not in groups:
        raise NotAvailableOnline(detail="此小程序的收款单位与所选项目的征收单位不同，请使用当地税务部门的缴费小程序。")


def _refuse(judged: Payability, bill: ContributionBill) -> None:
    facts: dict[str, Any] = {"bill_id": bill.bill_no}
    if judged.counter is not None:
        facts["counter"] = judged.counter
    if judged.right_region is not None:
        facts["right_region"] = judged.right_region
    raise REFUSALS[judged.code or "BILL_NOT_PAYABLE"](detail=judged.reason, **facts)


def _refuse_other_amount(bills: list[tuple[ContributionBill, Enrollment]], expected_fen: int) -> None:
    total_fen = sum(bill.amount_fen for bill, _ in bills)
    if total_fen != expected_fen:
        raise AmountChanged(amount_fen=total_fen)


def _refuse_too_many(session: Session, *, account: Account, own: bool) -> None:
    # The account row is the queue: two orders at once would both count before either stands.
    # The weaker lock: each order already holds its account by a foreign key, and two that both wanted more would deadlock.
    session.execute(select(Account.id).where(Account.id == account.id).with_for_update(key_share=True))
    live = session.scalar(
        select(func.count())
        .select_from(PaymentOrder)
        .where(
            PaymentOrder.payer_account_id == account.id,
            PaymentOrder.origin == OrderOrigin.PHONE,
            PaymentOrder.is_strangers == (not own),
            PaymentOrder.state.in_(LIVE),
        )
    )
    if (live or 0) >= (OWN_LIVE_ORDERS if own else STRANGERS_LIVE_ORDERS):
        raise TooManyOpenOrders


def _make_order(
    ports: Ports,
    session: Session,
    *,
    order_no: str,
    account: Account,
    relation: InsuredPerson,
    bills: list[ContributionBill],
    now: datetime,
) -> None:
    provider = ports.payments[account.miniprogram]
    who = f"account:{account.id}"
    order = PaymentOrder(
        order_no=order_no,
        payer_account_id=account.id,
        person_id=relation.person_id,
        is_strangers=not relation.is_self,
        miniprogram=account.miniprogram,
        merchant=provider.merchant,
        authority=bills[0].authority,
        total_fen=sum(bill.amount_fen for bill in bills),
        created_at=now,
        expires_at=now + (OWN_ORDER_LIFE if relation.is_self else STRANGERS_ORDER_LIFE),
        lines=[OrderLine(bill_id=bill.id, amount_fen=bill.amount_fen) for bill in bills],
    )
    session.add(order)
    for bill in bills:
        bill.lock(who=who, at=now)
    session.flush()
    payment_id, payment_no = new_id(), new_number()
    frozen = provider.freeze(
        payment_no=payment_no,
        amount_fen=order.total_fen,
        description=f"社会保险费 {len(bills)}项",
        expires_at=order.expires_at,
        payer_subject=ports.seals.open(account.subject_sealed, place=Account.subject_place(account.id)),
    )
    session.add(
        Payment(
            id=payment_id,
            payment_no=payment_no,
            order_id=order.id,
            channel=str(provider.channel),
            merchant=provider.merchant,
            miniprogram=account.miniprogram,
            amount_fen=order.total_fen,
            request_sealed=ports.seals.seal_bytes(frozen, place=Payment.request_place(payment_id)),
            next_ask_at=now + ASK_AFTER[0],
            created_at=now,
        )
    )
    session.flush()


def refresh_order(ports: Ports, *, account: Account, order_no: str) -> OrderView:
    """Where an order stands, for somebody who is looking: settles its waiting notice, and asks the provider if silence lasts. Raises NotFound."""
    view = read_order(ports, account=account, order_no=order_no)
    if view.state not in LIVE and not _is_waiting(ports, view.payment_no):
        return view
    settle(ports, payment_no=view.payment_no)
    view = read_order(ports, account=account, order_no=order_no)
    if view.state not in LIVE or view.origin != OrderOrigin.PHONE:
        return view
    ask_now(ports, view.payment_no)
    if (
        view.state != OrderState.PREPAY
        and ports.now() - view.created_at >= OPENING_TAKES_AT_MOST
        and view.expires_at > ports.now()
    ):
        # Its opening died half way or got no answer: the same frozen bytes again.
        open_payment(ports, view.payment_no)
    return read_order(ports, account=account, order_no=order_no)


def _is_waiting(ports: Ports, payment_no: str) -> bool:
    with ports.begin() as session:
        waiting = session.scalar(
            select(Notice.id).where(Notice.payment_no == payment_no, Notice.state == NoticeState.WAITING).limit(1)
        )
    return waiting is not None


def cancel_order(ports: Ports, *, account: Account, order_no: str) -> OrderView:
    """Give the bills back, once the provider has said that this payment can no longer be made.

    Raises NotFound, CannotCancel (it is over already), BillsReserved (they do not answer: try later).
    """
    view = read_order(ports, account=account, order_no=order_no)
    if view.state == OrderState.CLOSED:
        return view
    if view.state == OrderState.PAID:
        raise CannotCancel
    if view.origin != OrderOrigin.PHONE:
        raise CannotCancel(detail=NOT_BY_PHONE)
    if not close_payment(ports, view.payment_no):
        raise BillsReserved(detail="支付平台尚未确认，处理中，请稍后再试。", order_no=order_no)
    view = read_order(ports, account=account, order_no=order_no)
    if view.state == OrderState.PAID:
        raise CannotCancel
    return view
