"""Refunds: staff apply for one, somebody decides it, and then the provider or the treasury sends the money back.

Deciding books the money to `refunding:{refund_no}` and takes the months out of use in the same transaction; sending it is the worker's
(services/refund_sending.py), under the same number however often. Locks are taken in the order of settling: payment, bills, refund.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload

from models import journal
from models.base import constraint_of, new_number
from models.bills import BillState, ContributionBill, ContributionRecord, RecordState
from models.journal import Transfer, TransferKind
from models.messages import MessageKey
from models.orders import PaymentOrder
from models.payments import Payment
from models.refunds import Refund, RefundLine, RefundOrigin, RefundReason, RefundRoad, RefundState
from services.counter_errors import SecondPersonRequired
from services.errors import NotFound
from services.messages import tell
from services.refund_errors import (
    NothingToRefund,
    RefundMustBeSplit,
    RefundNotAtThisStep,
    RefundRoadChanged,
    RefundTooLarge,
    RefundUnderWay,
    ReversalTooLate,
)
from services.refundable import balance_of, came_in, gone_or_going, own_account, without_a_month
from services.staff_words import staff_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports

CONFIRMED: Final = (BillState.TAX_CONFIRMED, BillState.POSTED)
TREASURYS_ROAD: Final = (RefundState.TAX_REVIEW, RefundState.TREASURY, RefundState.REFUNDED)
"""What follows HRSS_REVIEW, in order."""


@dataclass(frozen=True, kw_only=True)
class RefundWish:
    """What somebody wants sent back, and why."""

    payment_no: str
    reason: RefundReason
    words: str
    """For the files; nothing of a person."""
    bill_nos: tuple[str, ...] = ()
    """Months that this payment paid. None: what of its money settled nothing."""
    amount_fen: int | None = None
    """Of money that settled nothing; all that is left of it where none is said."""
    went_back_already: bool = False
    """冲正: the provider was seen to send these months' money back unasked, and only the books follow."""


def apply_for_refund(ports: Ports, *, wish: RefundWish, who: str) -> str:
    """Write down that money should go back; answers the refund's number. Nothing moves until somebody decides.

    Raises ReasonNeeded, NotFound (no such payment, or a month it did not pay), NothingToRefund, RefundTooLarge, RefundUnderWay,
    RefundMustBeSplit, ReversalTooLate (the treasury has a month that is said to have gone back already).
    """
    words, now = staff_words(wish.words), ports.now()
    try:
        with ports.begin() as session:
            payment = _lock_payment(session, wish.payment_no)
            if wish.bill_nos:
                road, lines = _lines_of_bills(session, payment, wish.bill_nos)
                if wish.went_back_already:
                    road = _reversing(session, payment, lines, road)
            elif wish.went_back_already:
                raise NothingToRefund
            else:
                road, lines = RefundRoad.PROVIDER, [_line_of_what_is_left(session, payment, wish.amount_fen)]
            refund = draft_refund(
                session, payment=payment, lines=lines, reason=wish.reason, who=who, now=now, road=road, words=words
            )
            return refund.refund_no
    except IntegrityError as fault:
        if constraint_of(fault) == "uq_refund_lines_bill_id_live":
            raise RefundUnderWay from None
        raise


def draft_refund(
    session: Session, *, payment: Payment, lines: list[RefundLine], reason: RefundReason, who: str, now: datetime,
    road: RefundRoad = RefundRoad.PROVIDER, words: str | None = None,
) -> Refund:  # fmt: skip
    """The row, its payment being locked: applied for, and nothing moved yet. Raises IntegrityError where a month is in another that lives."""
    refund = Refund(
        payment_id=payment.id,
        refund_no=new_number(),
        origin=RefundOrigin.ORDERED,
        road=road,
        reason=reason,
        words=words,
        amount_fen=sum(line.amount_fen for line in lines),
        state=RefundState.APPLIED,
        applied_by=who,
        created_at=now,
        lines=lines,
    )
    session.add(refund)
    session.flush()
    return refund


def decide_refund(ports: Ports, *, refund_no: str, approve: bool, words: str, who: str) -> None:
    """Say yes or no. A yes books the money as on its way back, and the worker or the treasury's road goes on.

    Raises ReasonNeeded, NotFound, RefundNotAtThisStep, SecondPersonRequired (above the region's limit, who applied may not decide),
    RefundRoadChanged, RefundTooLarge.
    """
    said, now = staff_words(words), ports.now()
    with ports.begin() as session:
        payment, refund = _lock_refund(session, refund_no)
        if refund.state != RefundState.APPLIED:
            raise RefundNotAtThisStep
        if who == refund.applied_by and refund.amount_fen > one_person_may(ports, session, payment):
            raise SecondPersonRequired(detail="申请和审批不能是同一人，请由另一位工作人员审批。")
        if not approve:
            refund.reject(who=who, at=now, words=said)
            _end_lines(refund)
            return
        begin_refund(session, payment=payment, refund=refund, who=who, now=now, words=said)


def begin_refund(
    session: Session, *, payment: Payment, refund: Refund, who: str, now: datetime, words: str | None = None
) -> None:
    """The step that a yes takes, its payment and refund being locked. Raises RefundRoadChanged, RefundTooLarge."""
    bills = _lock_bills(session, refund)
    expected = CONFIRMED if refund.road == RefundRoad.TREASURY else (BillState.PAID,)
    if any(bill.state not in expected for bill in bills):
        raise RefundRoadChanged
    if refund.road == RefundRoad.REVERSAL:
        _reverse(session, payment, refund, bills, who=who, now=now, words=words)
        return
    left = came_in(session, payment) - gone_or_going(session, payment)
    if refund.amount_fen > left:
        raise RefundTooLarge(left_fen=left)
    booking, refunding = _Booking(refund=refund, who=who, now=now), journal.refunding(refund.refund_no)
    for line in refund.lines:
        if line.bill_id is None and line.amount_fen > balance_of(session, line.from_account, payment):
            raise RefundTooLarge
        session.add(booking.transfer(TransferKind.REFUNDING, line, debit=line.from_account, credit=refunding))
    for bill in bills:
        bill.refund(who=who, at=now)
    if refund.road == RefundRoad.PROVIDER:
        refund.approve(who=who, at=now, words=words)
    else:
        refund.pass_on(who=who, at=now, words=words)


def advance_refund(ports: Ports, *, refund_no: str, to: RefundState, words: str, who: str) -> None:
    """Write down the next answer on the treasury's road: the registrar agreed, the tax authority, the treasury paid; or one said no.

    Raises ReasonNeeded, NotFound, RefundNotAtThisStep.
    """
    said, now = staff_words(words), ports.now()
    with ports.begin() as session:
        payment, refund = _lock_refund(session, refund_no)
        allowed = refund.road == RefundRoad.TREASURY and refund.state != RefundState.APPLIED
        if not allowed or to not in (*TREASURYS_ROAD, RefundState.REJECTED) or not refund.MOVES.allows(refund.state, to):
            raise RefundNotAtThisStep
        bills = _lock_bills(session, refund)
        if to == RefundState.REJECTED:
            refund.reject(who=who, at=now, words=said)
            _undo(session, refund, bills, who=who, now=now)
            return
        refund.agree(to, who=who, at=now, words=said)
        if to == RefundState.REFUNDED:
            _treasury_paid(session, payment, refund, bills, who=who, now=now)


def refuse_at_provider(session: Session, *, refund: Refund, fault: str, who: str, now: datetime) -> None:
    """The provider understood and refused for good: nothing moved under this number, and what was booked goes back to where it was."""
    bills = _lock_bills(session, refund)
    refund.fail(fault=fault, who=who, at=now)
    _undo(session, refund, bills, who=who, now=now)


def _lock_payment(session: Session, payment_no: str) -> Payment:
    found = session.scalar(select(Payment).where(Payment.payment_no == payment_no).with_for_update())
    if found is None:
        raise NotFound
    return found


def _lock_refund(session: Session, refund_no: str) -> tuple[Payment, Refund]:
    payment_id = session.scalar(
        select(Refund.payment_id).where(Refund.refund_no == refund_no, Refund.origin == RefundOrigin.ORDERED)
    )
    if payment_id is None:
        raise NotFound
    payment = session.scalars(select(Payment).where(Payment.id == payment_id).with_for_update()).one()
    refund = session.scalars(
        select(Refund).where(Refund.payment_id == payment_id, Refund.refund_no == refund_no).options(selectinload(Refund.lines))
    ).one()
    return payment, refund


def _lock_bills(session: Session, refund: Refund) -> Sequence[ContributionBill]:
    ids = [line.bill_id for line in refund.lines if line.bill_id is not None]
    wanted = select(ContributionBill).where(ContributionBill.id.in_(ids)).order_by(ContributionBill.id)
    return session.scalars(wanted.with_for_update()).all()


def _lines_of_bills(session: Session, payment: Payment, bill_nos: Iterable[str]) -> tuple[RefundRoad, list[RefundLine]]:
    wanted = set(bill_nos)
    bills = session.scalars(
        select(ContributionBill)
        .join(ContributionRecord, ContributionRecord.bill_id == ContributionBill.id)
        .where(ContributionRecord.payment_id == payment.id, ContributionBill.bill_no.in_(wanted))
        .order_by(ContributionBill.id)
        .with_for_update(of=ContributionBill)
    ).all()
    if len(bills) != len(wanted):
        raise NotFound
    if any(bill.state not in (BillState.PAID, *CONFIRMED) for bill in bills):
        raise RefundUnderWay
    roads = {RefundRoad.TREASURY if bill.state in CONFIRMED else RefundRoad.PROVIDER for bill in bills}
    if len(roads) > 1:
        raise RefundMustBeSplit
    road = roads.pop()
    return road, [
        RefundLine(
            bill_id=bill.id,
            from_account=journal.treasury(bill.authority)
            if road == RefundRoad.TREASURY
            else journal.contributions(bill.authority, bill.insurance_type),
            amount_fen=bill.amount_fen,
        )
        for bill in bills
    ]


def _line_of_what_is_left(session: Session, payment: Payment, amount_fen: int | None) -> RefundLine:
    account = own_account(payment)
    applied = select(func.coalesce(func.sum(Refund.amount_fen), 0)).where(
        Refund.payment_id == payment.id, Refund.state == RefundState.APPLIED
    )
    left = balance_of(session, account, payment) - int(session.scalar(applied) or 0)
    if left <= 0:
        raise NothingToRefund
    if amount_fen is not None and not 0 < amount_fen <= left:
        raise RefundTooLarge(left_fen=left)
    return RefundLine(from_account=account, amount_fen=amount_fen or left)


def one_person_may(ports: Ports, session: Session, payment: Payment) -> int:
    """The largest refund, in fen, that one person may apply for and decide: the region's rule; without a region, none."""
    region = session.scalar(
        text("""
            SELECT b.region FROM payment_order_lines l JOIN contribution_bills b ON b.id = l.bill_id
            WHERE l.order_id = :order_id LIMIT 1"""),
        {"order_id": payment.order_id},
    )
    return 0 if region is None else ports.rulebook.region(region).refund_two_people_above_fen


def _undo(session: Session, refund: Refund, bills: Sequence[ContributionBill], *, who: str, now: datetime) -> None:
    booking, refunding = _Booking(refund=refund, who=who, now=now), journal.refunding(refund.refund_no)
    for line in refund.lines:
        session.add(booking.transfer(TransferKind.NOT_REFUNDED, line, debit=refunding, credit=line.from_account))
    kept = select(ContributionRecord.bill_id, ContributionRecord.state).where(
        ContributionRecord.payment_id == refund.payment_id, ContributionRecord.state != RecordState.REVERSED
    )
    states = {row.bill_id: row.state for row in session.execute(kept)}
    for bill in bills:
        # Its record kept what had been confirmed.
        bill.keep(BillState(states[bill.id]), who=who, at=now)
    _end_lines(refund)


def _treasury_paid(
    session: Session, payment: Payment, refund: Refund, bills: Sequence[ContributionBill], *, who: str, now: datetime
) -> None:
    """Nothing leaves `clearing`: the provider had passed this money on long ago."""
    authority = {bill.id: bill.authority for bill in bills}
    booking, refunding = _Booking(refund=refund, who=who, now=now), journal.refunding(refund.refund_no)
    for line in refund.lines:
        paid_by = journal.returned(authority[line.bill_id or 0])
        session.add(booking.transfer(TransferKind.REFUNDED, line, debit=refunding, credit=paid_by))
    _end_months(session, payment, refund, bills, who=who, now=now)


def _reversing(session: Session, payment: Payment, lines: list[RefundLine], road: RefundRoad) -> RefundRoad:
    if road == RefundRoad.TREASURY:
        raise ReversalTooLate
    gone_fen = without_a_month(session, payment)
    if gone_fen <= 0:
        raise NothingToRefund
    if sum(line.amount_fen for line in lines) > gone_fen:
        raise RefundTooLarge(left_fen=gone_fen)
    return RefundRoad.REVERSAL


def _reverse(
    session: Session, payment: Payment, refund: Refund, bills: Sequence[ContributionBill], *, who: str, now: datetime,
    words: str | None,
) -> None:  # fmt: skip
    """No money moves: it was booked as gone from `unknown:…` when it was seen, and now the months bear it."""
    gone_fen = without_a_month(session, payment)
    if refund.amount_fen > gone_fen:
        raise RefundTooLarge(left_fen=max(0, gone_fen))
    booking, unknown = _Booking(refund=refund, who=who, now=now), journal.unknown(payment.channel, payment.merchant)
    for line in refund.lines:
        session.add(booking.transfer(TransferKind.ASSIGNED, line, debit=line.from_account, credit=unknown))
    for bill in bills:
        bill.refund(who=who, at=now)
    refund.reverse(who=who, at=now, words=words)
    _end_months(session, payment, refund, bills, who=who, now=now)


def _end_months(
    session: Session, payment: Payment, refund: Refund, bills: Sequence[ContributionBill], *, who: str, now: datetime
) -> None:
    """The payer has the money: the months are paid no longer, and whoever paid is told."""
    for bill in bills:
        bill.end_refunded(owed_again=refund.reason == RefundReason.WRONG_PERSON, who=who, at=now)
    records = session.scalars(
        select(ContributionRecord).where(
            ContributionRecord.payment_id == payment.id, ContributionRecord.bill_id.in_([bill.id for bill in bills])
        )
    )
    for record in records:
        record.reverse()
    order = session.scalar(select(PaymentOrder).where(PaymentOrder.id == payment.order_id))
    if order is not None and order.payer_account_id is not None:
        facts = {
            "order_no": order.order_no,
            "amount_fen": refund.amount_fen,
            "months": sorted(bill.coverage_month for bill in bills),
        }
        tell(session, account_id=order.payer_account_id, key=MessageKey.REFUND_DONE, facts=facts, at=now)


def _end_lines(refund: Refund) -> None:
    for line in refund.lines:
        line.live = False


@dataclass(frozen=True, kw_only=True)
class _Booking:
    """Who books what a refund does, and when."""

    refund: Refund
    who: str
    now: datetime

    def transfer(self, kind: TransferKind, line: RefundLine, *, debit: str, credit: str) -> Transfer:
        return Transfer(
            debit_account=debit,
            credit_account=credit,
            amount_fen=line.amount_fen,
            kind=kind,
            payment_id=self.refund.payment_id,
            bill_id=line.bill_id,
            reason=self.refund.reason,
            who=self.who,
            at=self.now,
        )
