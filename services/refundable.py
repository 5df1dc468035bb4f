"""What of a payment's money may still go back: read by whoever applies, decides, sends or looks. Steps; amounts in fen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from models import journal
from models.journal import Transfer
from models.payments import Payment, PaymentState
from models.refunds import Refund, RefundRoad, RefundState
from services.refund_errors import NothingToRefund

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def balance_of(session: Session, account: str, payment: Payment) -> int:
    """What one payment still has in an account that we owe from, in fen. What is seen as gone back was taken off already."""
    credit = func.coalesce(func.sum(Transfer.amount_fen).filter(Transfer.credit_account == account), 0)
    debit = func.coalesce(func.sum(Transfer.amount_fen).filter(Transfer.debit_account == account), 0)
    return int(session.scalar(select(credit - debit).where(Transfer.payment_id == payment.id)) or 0)


def came_in(session: Session, payment: Payment) -> int:
    """What came of a payment, in fen. Of money that had the wrong amount it is not what we asked for."""
    arrived = select(func.sum(Transfer.amount_fen)).where(
        Transfer.payment_id == payment.id, Transfer.kind.in_(journal.ARRIVALS)
    )
    return int(session.scalar(arrived) or 0)


def gone_or_going(session: Session, payment: Payment) -> int:
    """What went back by whatever road, ordered or only seen, and what was decided to go, in fen."""
    is_out = Refund.state.not_in((RefundState.APPLIED, RefundState.REJECTED, RefundState.FAILED))
    # What a reversal names was counted when it was seen.
    moved = select(func.sum(Refund.amount_fen)).where(
        Refund.payment_id == payment.id, is_out, Refund.road != RefundRoad.REVERSAL
    )
    return int(session.scalar(moved) or 0)


def without_a_month(session: Session, payment: Payment) -> int:
    """What of a settled payment went back unasked, or after it had been said to fail, and no month was named for yet, in fen."""
    if payment.state != PaymentState.SUCCEEDED:
        return 0
    return -balance_of(session, journal.unknown(payment.channel, payment.merchant), payment)


def own_account(payment: Payment) -> str:
    """Where the money of a payment stands that settled nothing. Raises NothingToRefund where it settled months, or never came."""
    match payment.state:
        case PaymentState.SURPLUS:
            return journal.surplus(payment.payment_no)
        case PaymentState.UNCLAIMED:
            return journal.unknown(payment.channel, payment.merchant)
        case _:
            raise NothingToRefund
