"""What partner banks pay out for us: refunds of money that their counters took. They fetch the list and tell what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from models.payments import Payment
from models.refunds import AT_THE_PROVIDER, Refund, RefundOrigin, RefundReason, RefundRoad, RefundState
from providers.protocols import NewsKind, PaymentNews
from services.counter_payment_errors import RefundResultDiffers
from services.errors import NotFound
from services.inbox import receive
from services.refund_sending import SAID_TO_PAYER
from services.refundable import came_in
from services.settlement import settle

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Select

    from services.ports import Ports

LIST: Final = 500


class RefundResult(StrEnum):
    """What a bank tells of a refund that it was to pay out."""

    PAID_OUT = "PAID_OUT"
    PAYEE_NOT_REACHED = "PAYEE_NOT_REACHED"
    """The account is closed, or nobody came for the cash: it stays on the list."""
    REFUSED = "REFUSED"
    """The bank will not pay it out under this number."""


NEWS: Final = {
    RefundResult.PAID_OUT: NewsKind.REFUNDED,
    RefundResult.PAYEE_NOT_REACHED: NewsKind.REFUND_ABNORMAL,
    RefundResult.REFUSED: NewsKind.REFUND_FAILED,
}
ENDS: Final = {RefundResult.PAID_OUT: RefundState.REFUNDED, RefundResult.REFUSED: RefundState.FAILED}


@dataclass(frozen=True, kw_only=True)
class PayOut:
    """A refund that waits to be paid out."""

    refund_no: str
    serial: str
    """The bank's own number of the money: whom to pay, it knows by that."""
    amount_fen: int
    reason: str
    ordered_at: datetime
    state: str


def list_pay_outs(ports: Ports, *, way: str) -> list[PayOut]:
    """The oldest first; what was told to be paid out stands there no more."""
    with ports.begin() as session:
        rows = session.execute(_refunds(way).where(Refund.state.in_(AT_THE_PROVIDER)).order_by(Refund.id).limit(LIST)).all()
        return [
            PayOut(
                refund_no=refund.refund_no,
                serial=payment.provider_payment_no or "",
                amount_fen=refund.amount_fen,
                reason=SAID_TO_PAYER[RefundReason(refund.reason or RefundReason.UNCLAIMED)],
                ordered_at=refund.created_at,
                state=refund.state,
            )
            for refund, payment in rows
        ]


def report_pay_out(
    ports: Ports, *, way: str, refund_no: str, result: RefundResult, serial: str, amount_fen: int, at: datetime
) -> str:
    """The bank's word of one; answers the state that the refund is in now. The same word again changes nothing.

    Raises NotFound, RefundResultDiffers (another amount, or another end than it had told).
    """
    with ports.begin() as session:
        row = session.execute(_refunds(way).where(Refund.refund_no == refund_no)).one_or_none()
        if row is None:
            raise NotFound
        refund, payment = row
        if refund.amount_fen != amount_fen:
            raise RefundResultDiffers(state=refund.state)
        news = PaymentNews(
            notification_id=f"pay-out:{refund_no}:{result}",
            kind=NEWS[result],
            payment_no=payment.payment_no,
            provider_payment_no=payment.provider_payment_no,
            amount_fen=came_in(session, payment),
            happened_at=at,
            refund_no=refund_no,
            provider_refund_no=serial,
            refund_fen=amount_fen,
        )
        _refuse_other_end(refund, result=result, serial=serial)
    receive(ports, miniprogram=way, news=news, raw=None)
    settle(ports, payment_no=news.payment_no)
    with ports.begin() as session:
        refund, _ = session.execute(_refunds(way).where(Refund.refund_no == refund_no)).one()
        # Two tellers at once: the later of them learns here that the first was heard.
        _refuse_other_end(refund, result=result, serial=serial)
        return refund.state


def _refuse_other_end(refund: Refund, *, result: RefundResult, serial: str) -> None:
    """Over is over: the same word by the same serial may come again, any other is a second payment out."""
    if refund.state not in (RefundState.REFUNDED, RefundState.FAILED):
        return
    if ENDS.get(result) != refund.state or refund.provider_refund_no != serial:
        raise RefundResultDiffers(state=refund.state)


def _refunds(way: str) -> Select[Refund, Payment]:
    return (
        select(Refund, Payment)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            Payment.miniprogram == way,
            Refund.origin == RefundOrigin.ORDERED,
            Refund.road == RefundRoad.PROVIDER,
            Refund.state != RefundState.APPLIED,
            Refund.state != RefundState.REJECTED,
        )
    )
