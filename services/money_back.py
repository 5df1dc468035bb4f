"""Refunds as the staff see them: what waits for whom, one with its months and its steps, and what of a payment may go back at all."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, func, or_, select, true
from sqlalchemy.orm import aliased, selectinload

from models.base import Move
from models.bills import BillState, ContributionBill, ContributionRecord
from models.payments import Payment, PaymentState
from models.refunds import Refund, RefundOrigin, RefundState
from services.errors import NotFound
from services.journal import find_payment
from services.refund_errors import NothingToRefund
from services.refundable import balance_of, came_in, own_account, without_a_month
from services.refunds import CONFIRMED, one_person_may

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from services.ports import Ports

A_PAGE: Final = 50
UNDER_WAY: Final = (
    RefundState.APPROVED, RefundState.SENT, RefundState.HRSS_REVIEW, RefundState.TAX_REVIEW, RefundState.TREASURY,
)  # fmt: skip


class Part(StrEnum):
    """A part of the refunds, by what is to be done."""

    TO_DECIDE = "TO_DECIDE"
    TROUBLE = "TROUBLE"
    """It did not come about, or cannot be taken by the payer's account, and nothing has followed it."""
    UNDER_WAY = "UNDER_WAY"
    REFUNDED = "REFUNDED"
    REJECTED = "REJECTED"


OPEN: Final = (Part.TO_DECIDE, Part.TROUBLE, Part.UNDER_WAY)
"""Told oldest first: what waits longest comes first. The others newest first."""


@dataclass(frozen=True, kw_only=True)
class RefundRow:
    id: int
    refund_no: str
    payment_no: str
    merchant_account: str
    amount_fen: int
    state: str
    origin: str
    road: str
    reason: str | None
    applied_by: str | None
    decided_by: str | None
    created_at: datetime
    refunded_at: datetime | None
    fault: str | None


@dataclass(frozen=True, kw_only=True)
class RefundLineView:
    """A month that goes back, or money that settled none."""

    from_account: str
    amount_fen: int
    bill_no: str | None
    region: str | None
    insurance_type: str | None
    coverage_month: int | None


@dataclass(frozen=True, kw_only=True)
class Step:
    at: datetime
    from_state: str
    to_state: str
    why: str
    who: str


@dataclass(frozen=True, kw_only=True)
class PaymentFacts:
    """A payment by its numbers. Amounts in fen."""

    payment_no: str
    merchant_account: str
    provider_payment_no: str | None
    state: str
    amount_fen: int
    came_fen: int
    refunded_fen: int
    paid_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class RefundDetail:
    row: RefundRow
    words: str | None
    provider_refund_no: str | None
    asks: int
    last_asked_at: datetime | None
    lines: list[RefundLineView]
    payment: PaymentFacts
    steps: list[Step]
    one_person_may_fen: int
    """Up to this, who applied may decide too."""


@dataclass(frozen=True, kw_only=True)
class RefundableMonth:
    bill_no: str
    region: str
    insurance_type: str
    coverage_month: int
    amount_fen: int
    state: str
    is_treasurys: bool
    """The treasury has it: it takes the treasury's road."""
    may_go_back: bool


@dataclass(frozen=True, kw_only=True)
class Refundable:
    payment: PaymentFacts
    months: list[RefundableMonth]
    left_fen: int
    """Of money that settled nothing, what nobody has asked back yet."""
    without_a_month_fen: int
    """What went back unasked, and no month was named for yet (冲正)."""


def list_refunds(
    ports: Ports, *, part: Part | None, accounts: Collection[str] | None = None, place: int | None = None, limit: int = A_PAGE
) -> tuple[list[RefundRow], int | None]:
    """A page of refunds and the id where the next goes on. `accounts`: the merchant accounts that may be seen; None: all."""
    wanted = select(Refund, Payment).join(Payment, Payment.id == Refund.payment_id).where(_part(part), _seen(accounts))
    if part in OPEN:
        wanted = wanted.where(_is_open())
        wanted = wanted.where(Refund.id > place) if place is not None else wanted
        wanted = wanted.order_by(Refund.id)
    else:
        wanted = wanted.where(Refund.id < place) if place is not None else wanted
        wanted = wanted.order_by(Refund.id.desc())
    with ports.begin() as session:
        rows = [_row(refund, payment) for refund, payment in session.execute(wanted.limit(limit + 1))]
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def open_refunds(session: Session, *, limit: int = 200) -> list[RefundRow]:
    """Ordered refunds that are not over, or that failed and are owed as before; the oldest first."""
    wanted = select(Refund, Payment).join(Payment, Payment.id == Refund.payment_id)
    rows = session.execute(wanted.where(Refund.origin == RefundOrigin.ORDERED, _is_open()).order_by(Refund.id).limit(limit))
    return [_row(refund, payment) for refund, payment in rows]


def count_parts(ports: Ports, *, accounts: Collection[str] | None = None) -> dict[Part, int]:
    """How many stand in each open part."""
    wanted = select(*(func.count().filter(_part(part)).label(part) for part in OPEN)).select_from(Refund)
    wanted = wanted.join(Payment, Payment.id == Refund.payment_id).where(_is_open(), _seen(accounts))
    with ports.begin() as session:
        found = session.execute(wanted).one()
    return dict(zip(OPEN, found, strict=True))


def count_for(ports: Ports, *, who: str, accounts: Collection[str] | None = None) -> int:
    """What waits for this one of the staff: decisions that are not about their own application, and trouble."""
    theirs = and_(_part(Part.TO_DECIDE), Refund.applied_by.is_distinct_from(who))
    wanted = select(func.count().filter(or_(theirs, _part(Part.TROUBLE)))).select_from(Refund)
    wanted = wanted.join(Payment, Payment.id == Refund.payment_id).where(_is_open(), _seen(accounts))
    with ports.begin() as session:
        return session.scalar(wanted) or 0


def account_of(ports: Ports, *, refund_id: int) -> str:
    """The merchant account that a refund is of. Raises NotFound."""
    wanted = select(Payment.channel, Payment.merchant).join(Refund, Refund.payment_id == Payment.id)
    with ports.begin() as session:
        found = session.execute(wanted.where(Refund.id == refund_id)).one_or_none()
    if found is None:
        raise NotFound
    return f"{found.channel}:{found.merchant}"


def read_refund(ports: Ports, *, refund_id: int) -> RefundDetail:
    """Raises NotFound."""
    with ports.begin() as session:
        refund = session.scalar(select(Refund).where(Refund.id == refund_id).options(selectinload(Refund.lines)))
        if refund is None:
            raise NotFound
        payment = session.get_one(Payment, refund.payment_id)
        ids = [line.bill_id for line in refund.lines if line.bill_id is not None]
        bills = {bill.id: bill for bill in session.scalars(select(ContributionBill).where(ContributionBill.id.in_(ids)))}
        moves = select(Move).where(Move.noun == "refund", Move.row_id == str(refund.id)).order_by(Move.id)
        return RefundDetail(
            row=_row(refund, payment),
            words=refund.words,
            provider_refund_no=refund.provider_refund_no,
            asks=refund.asks,
            last_asked_at=refund.last_asked_at,
            lines=[
                RefundLineView(
                    from_account=line.from_account,
                    amount_fen=line.amount_fen,
                    bill_no=bill.bill_no if bill else None,
                    region=bill.region if bill else None,
                    insurance_type=bill.insurance_type if bill else None,
                    coverage_month=bill.coverage_month if bill else None,
                )
                for line, bill in ((line, bills.get(line.bill_id or 0)) for line in refund.lines)
            ],
            payment=_facts(session, payment),
            steps=[
                Step(at=move.at, from_state=move.from_state, to_state=move.to_state, why=move.why, who=move.who)
                for move in session.scalars(moves)
            ],
            one_person_may_fen=one_person_may(ports, session, payment),
        )


def find_refundable(ports: Ports, *, number: str) -> Refundable:
    """What of a payment may go back, by its number, its order's, or the provider's. Raises NotFound."""
    with ports.begin() as session:
        payment_no, _ = find_payment(session, number=number)
        payment = session.scalars(select(Payment).where(Payment.payment_no == payment_no)).one()
        bills = session.scalars(
            select(ContributionBill)
            .join(ContributionRecord, ContributionRecord.bill_id == ContributionBill.id)
            .where(ContributionRecord.payment_id == payment.id)
            .order_by(ContributionBill.coverage_month, ContributionBill.id)
        )
        return Refundable(
            payment=_facts(session, payment),
            months=[
                RefundableMonth(
                    bill_no=bill.bill_no,
                    region=bill.region,
                    insurance_type=bill.insurance_type,
                    coverage_month=bill.coverage_month,
                    amount_fen=bill.amount_fen,
                    state=bill.state,
                    is_treasurys=bill.state in CONFIRMED,
                    may_go_back=bill.state in (BillState.PAID, *CONFIRMED),
                )
                for bill in bills
            ],
            left_fen=_left(session, payment),
            without_a_month_fen=without_a_month(session, payment),
        )


def _left(session: Session, payment: Payment) -> int:
    try:
        account = own_account(payment)
    except NothingToRefund:
        return 0
    applied = select(func.coalesce(func.sum(Refund.amount_fen), 0)).where(
        Refund.payment_id == payment.id, Refund.state == RefundState.APPLIED
    )
    return max(0, balance_of(session, account, payment) - int(session.scalar(applied) or 0))


def _facts(session: Session, payment: Payment) -> PaymentFacts:
    return PaymentFacts(
        payment_no=payment.payment_no,
        merchant_account=f"{payment.channel}:{payment.merchant}",
        provider_payment_no=payment.provider_payment_no,
        state=payment.state,
        amount_fen=payment.amount_fen,
        came_fen=came_in(session, payment) if payment.state in _CAME else 0,
        refunded_fen=payment.refunded_fen,
        paid_at=payment.paid_at,
    )


_CAME: Final = (PaymentState.SUCCEEDED, PaymentState.SURPLUS, PaymentState.UNCLAIMED)


def _row(refund: Refund, payment: Payment) -> RefundRow:
    return RefundRow(
        id=refund.id,
        refund_no=refund.refund_no,
        payment_no=payment.payment_no,
        merchant_account=f"{payment.channel}:{payment.merchant}",
        amount_fen=refund.amount_fen,
        state=refund.state,
        origin=refund.origin,
        road=refund.road,
        reason=refund.reason,
        applied_by=refund.applied_by,
        decided_by=refund.decided_by,
        created_at=refund.created_at,
        refunded_at=refund.refunded_at,
        fault=refund.fault,
    )


def _part(part: Part | None) -> ColumnElement[bool]:
    match part:
        case None:
            return true()
        case Part.TO_DECIDE:
            return and_(Refund.state == RefundState.APPLIED, Refund.origin == RefundOrigin.ORDERED)
        case Part.UNDER_WAY:
            return Refund.state.in_(UNDER_WAY)
        case Part.TROUBLE:
            later = aliased(Refund)
            over = (RefundState.FAILED, RefundState.REJECTED)
            which = (later.payment_id == Refund.payment_id, later.id > Refund.id, later.state.not_in(over))
            # Asked of each of the few that failed, by an index: as EXISTS it would be asked of all refunds at once.
            followed = select(later.id).where(*which).limit(1).scalar_subquery()
            ended = (RefundState.ABNORMAL, RefundState.FAILED)
            alone = or_(Refund.state == RefundState.ABNORMAL, followed.is_(None))
            return and_(Refund.state.in_(ended), alone)
        case _:
            return Refund.state == str(part)


def _is_open() -> ColumnElement[bool]:
    # In the words of the index that lists them.
    return Refund.state.not_in((RefundState.REFUNDED, RefundState.REJECTED))


def _seen(accounts: Collection[str] | None) -> ColumnElement[bool]:
    account = Payment.channel + ":" + Payment.merchant
    return true() if accounts is None else account.in_(sorted(accounts))
