"""What a line of the tax authority's list may need first: a month that was paid elsewhere is taken in, a refund never sent is taken back.

Money that the tax authority took goes the way of all money: an order of the origin TAX, news through the inbox on the channel `tax`,
and settling books it. Its payment number is made of what the line says, so a reading that was killed half way goes on where it was.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from config.logs import logger
from models import journal
from models.bills import BillState, ContributionBill
from models.orders import OrderOrigin
from models.payments import Payment
from models.refunds import Refund, RefundLine, RefundReason, RefundRoad, RefundState
from providers.protocols import Channel, NewsKind, PaymentNews
from services.inbox import receive
from services.outside_orders import OutsideOrder, place_outside
from services.refunds import draft_refund, refuse_at_provider
from services.settlement import settle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.authority_list_steps import Extra
    from services.ports import Ports

log = logger(__name__)

WHO: Final = "authority_lists"
NOT_SENT: Final = "TREASURY_HAS_IT"
LASTS: Final = timedelta(days=366)
"""An order of this origin is never asked about and never closed by time: its money is there already."""


def take_in(ports: Ports, *, authority: str, extra: Extra) -> bool:
    """A month that was paid elsewhere is paid here too. False where somebody else took the month meanwhile, or nobody plays this way."""
    if authority not in ports.payments:
        log.warning("list.no_way", authority=authority)
        return False
    now = ports.now()
    with ports.begin() as session:
        bill = session.scalars(select(ContributionBill).where(ContributionBill.id == extra.bill_id).with_for_update()).one()
        placed = session.scalar(select(Payment.id).where(Payment.payment_no == extra.key))
        if placed is None:
            if bill.state != BillState.UNPAID:
                return False
            order = OutsideOrder(
                origin=OrderOrigin.TAX,
                way=authority,
                channel=Channel.TAX,
                merchant=authority,
                person_id=extra.person_id,
                payer_account_id=None,
                expires_at=now + LASTS,
                payment_no=extra.key,
            )
            place_outside(session, bills=[bill], new=order, who=WHO, now=now)
    news = PaymentNews(
        notification_id=f"tax:{extra.key}",
        kind=NewsKind.PAID,
        payment_no=extra.key,
        provider_payment_no=f"{extra.receipt_no}:{extra.key[:8]}",
        amount_fen=extra.amount_fen,
        happened_at=extra.paid_at,
    )
    receive(ports, miniprogram=authority, news=news, raw=None)
    settle(ports, payment_no=extra.key)
    return True


def withdraw(ports: Ports, *, refund_id: int, confirmed: list[int]) -> bool:
    """Take back a refund that was decided and never sent: the treasury has its months now, so the treasury returns them.

    What was wished is drafted anew, by road, and waits for a decision. False where the first call went out after all: then the
    provider's refund holds (ADR 22).
    """
    now = ports.now()
    with ports.begin() as session:
        payment_id = session.scalar(select(Refund.payment_id).where(Refund.id == refund_id))
        payment = session.scalars(select(Payment).where(Payment.id == payment_id).with_for_update()).one()
        lines = select(RefundLine.bill_id).where(RefundLine.refund_id == refund_id, RefundLine.bill_id.is_not(None))
        wanted = select(ContributionBill).where(ContributionBill.id.in_(lines)).order_by(ContributionBill.id)
        bills = session.scalars(wanted.with_for_update()).all()
        # Whoever sends refunds takes the refund's own lock and no other: what is not sent now, while we hold it, never will be.
        refund = session.scalars(
            select(Refund).where(Refund.id == refund_id).with_for_update().options(selectinload(Refund.lines))
        ).one()
        if refund.state != RefundState.APPROVED or refund.asks:
            return False
        refuse_at_provider(session, refund=refund, fault=NOT_SENT, who=WHO, now=now)
        session.flush()
        _draft_again(session, payment, refund, bills, confirmed=set(confirmed), now=now)
    log.warning("list.refund_withdrawn", refund_no=refund.refund_no)
    return True


def _draft_again(
    session: Session, payment: Payment, refund: Refund, bills: Sequence[ContributionBill], *, confirmed: set[int], now: datetime
) -> None:
    for road, its_bills in (
        (RefundRoad.TREASURY, [bill for bill in bills if bill.id in confirmed]),
        (RefundRoad.PROVIDER, [bill for bill in bills if bill.id not in confirmed]),
    ):
        lines = [
            RefundLine(
                bill_id=bill.id,
                from_account=journal.treasury(bill.authority)
                if road == RefundRoad.TREASURY
                else journal.contributions(bill.authority, bill.insurance_type),
                amount_fen=bill.amount_fen,
            )
            for bill in its_bills
        ]
        if lines:
            reason = RefundReason(refund.reason or RefundReason.OVERPAID)
            draft_refund(session, payment=payment, lines=lines, reason=reason, who=WHO, now=now, road=road, words=refund.words)
