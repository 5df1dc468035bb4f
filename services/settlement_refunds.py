"""Settle, step two, for refunds: what news of a refund means for what we hold. Pure, as the rest of that step.

A refund of ours is told under our number; its amount is ours to know. What the provider sent back unasked is seen: WeChat tells each
refund alone, Alipay the sum of all so far, and either way of counting ends in the same books, in any order of arrival.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import journal
from models.bills import BillState, ContributionBill
from models.journal import TransferKind
from models.messages import MessageKey
from models.payments import PaymentState
from models.refunds import AT_THE_PROVIDER, Refund, RefundOrigin, RefundReason, RefundState
from providers.protocols import NewsKind
from services.settlement_outcomes import Outcome
from services.settlement_read import HeldRefund

if TYPE_CHECKING:
    from services.settlement_decide import Batch
    from services.settlement_read import HeldBill, HeldOrder, HeldPayment, WaitingNotice


def decide_refund(
    batch: Batch, notice: WaitingNotice, payment: HeldPayment, order: HeldOrder | None, bills: list[HeldBill]
) -> Outcome | None:
    """What a refund's news means, its payment being decided; None where it is nothing new."""
    refund = payment.refunds.get(notice.refund_no or "")
    if refund is None or refund.origin != RefundOrigin.ORDERED:
        outcome = _not_ours(batch, notice, payment)
    elif notice.refund_fen is not None and notice.refund_fen != refund.amount_fen:
        return Outcome.CONTRADICTION
    else:
        refund.provider_refund_no = notice.provider_refund_no or refund.provider_refund_no
        outcome = _ours(batch, notice, payment, refund, order=order, bills=bills)
    return _see_what_the_sum_says(batch, notice, payment) or outcome


def _ours(
    batch: Batch,
    notice: WaitingNotice,
    payment: HeldPayment,
    refund: HeldRefund,
    *,
    order: HeldOrder | None,
    bills: list[HeldBill],
) -> Outcome | None:
    to = {
        NewsKind.REFUNDED: RefundState.REFUNDED,
        NewsKind.REFUND_PENDING: RefundState.SENT,
        NewsKind.REFUND_ABNORMAL: RefundState.ABNORMAL,
        NewsKind.REFUND_FAILED: RefundState.FAILED,
    }[NewsKind(notice.kind)]
    was = refund.state
    if was == to or (to == RefundState.SENT and was != RefundState.APPROVED):
        return None
    if not Refund.MOVES.allows(was, to):
        # Abnormal, and then done: the notices came in another order than things happened.
        late = was == RefundState.REFUNDED and to == RefundState.ABNORMAL
        return None if late else Outcome.CONTRADICTION
    batch.move(Refund.MOVES, refund, to)
    its_bills = {bill.id: bill for bill in bills}
    months = [its_bills[line.bill_id] for line in refund.lines if line.bill_id is not None]
    told = [bill.coverage_month for bill in months or bills]
    match to:
        case RefundState.REFUNDED if was == RefundState.FAILED:
            return _book_seen(batch, notice, payment, refund)
        case RefundState.REFUNDED:
            _complete(batch, notice, payment, refund, months)
            if order is not None:
                batch.tell(order, MessageKey.REFUND_DONE, refund.amount_fen, told)
            return Outcome.REFUNDED
        case RefundState.FAILED:
            _undo(batch, notice, payment, refund, months)
            return Outcome.REFUND_FAILED
        case RefundState.ABNORMAL:
            if order is not None:
                batch.tell(order, MessageKey.REFUND_DELAYED, refund.amount_fen, told)
            return Outcome.REFUND_ABNORMAL
        case _:
            return Outcome.REFUND_PENDING


def _complete(batch: Batch, notice: WaitingNotice, payment: HeldPayment, refund: HeldRefund, months: list[HeldBill]) -> None:
    refund.refunded_at = notice.happened_at or notice.received_at
    payment.refunded_fen += refund.amount_fen
    batch.transfer(
        TransferKind.REFUNDED,
        notice,
        payment,
        debit=journal.refunding(refund.refund_no),
        credit=payment.clearing,
        amount_fen=refund.amount_fen,
    )
    for bill in months:
        batch.move(ContributionBill.MOVES, bill, BillState.REFUNDED)
        batch.reversed_records.append((payment.id, bill.id))
        if refund.reason == RefundReason.WRONG_PERSON:
            # Their own month was never paid: the monthly sweep bills it anew.
            batch.move(ContributionBill.MOVES, bill, BillState.VOID)


def _undo(batch: Batch, notice: WaitingNotice, payment: HeldPayment, refund: HeldRefund, months: list[HeldBill]) -> None:
    for line in refund.lines:
        batch.transfer(
            TransferKind.NOT_REFUNDED,
            notice,
            payment,
            debit=journal.refunding(refund.refund_no),
            credit=line.from_account,
            amount_fen=line.amount_fen,
        )
    for bill in months:
        # Through the provider only what nobody confirmed yet goes back.
        batch.move(ContributionBill.MOVES, bill, BillState.PAID)


def _not_ours(batch: Batch, notice: WaitingNotice, payment: HeldPayment) -> Outcome | None:
    if notice.kind == NewsKind.REFUND_ABNORMAL:
        return Outcome.REFUND_ABNORMAL
    if notice.kind == NewsKind.REFUND_FAILED:
        return Outcome.REFUND_FAILED
    number = notice.refund_no or notice.provider_refund_no or "unnamed"
    if notice.kind != NewsKind.REFUNDED or notice.refunded_total_fen is not None or not notice.refund_fen:
        return None
    if number in payment.refunds:
        return None
    return _see(batch, notice, payment, number=number, amount_fen=notice.refund_fen)


def _see_what_the_sum_says(batch: Batch, notice: WaitingNotice, payment: HeldPayment) -> Outcome | None:
    """Where they told a sum: what of it is neither booked nor possibly one of ours under way went back unasked."""
    payment.told_refunded_fen = max(payment.told_refunded_fen, notice.refunded_total_fen or 0)
    under_way = sum(
        each.amount_fen
        for each in payment.refunds.values()
        if each.origin == RefundOrigin.ORDERED and each.state in AT_THE_PROVIDER
    )
    amount_fen = payment.told_refunded_fen - payment.refunded_fen - under_way
    if amount_fen <= 0:
        return None
    number = f"{notice.refund_no or 'unnamed'}:{payment.told_refunded_fen}"
    return _see(batch, notice, payment, number=number, amount_fen=amount_fen)


def _see(batch: Batch, notice: WaitingNotice, payment: HeldPayment, *, number: str, amount_fen: int) -> Outcome:
    at = notice.happened_at or notice.received_at
    refund = HeldRefund(
        id=0,
        payment_id=payment.id,
        refund_no=number,
        provider_refund_no=notice.provider_refund_no,
        origin=RefundOrigin.SEEN,
        reason=None,
        amount_fen=amount_fen,
        state=RefundState.REFUNDED,
        refunded_at=at,
        read_state=RefundState.REFUNDED,
    )
    payment.refunds[number] = refund
    batch.refunds.append(
        (payment.id, number, refund.provider_refund_no, refund.origin, amount_fen, refund.state, batch.now, at)
    )
    return _book_seen(batch, notice, payment, refund)


def _book_seen(batch: Batch, notice: WaitingNotice, payment: HeldPayment, refund: HeldRefund) -> Outcome:
    """Money that went back and that we did not order, or that they had said would not go."""
    refund.refunded_at = notice.happened_at or notice.received_at
    payment.refunded_fen += refund.amount_fen
    is_surplus = payment.state == PaymentState.SURPLUS and refund.origin == RefundOrigin.SEEN
    owed_from = journal.surplus(payment.payment_no) if is_surplus else journal.unknown(payment.channel, payment.merchant)
    batch.transfer(
        TransferKind.REFUND_SEEN, notice, payment, debit=owed_from, credit=payment.clearing, amount_fen=refund.amount_fen
    )
    return Outcome.REFUND_SEEN
