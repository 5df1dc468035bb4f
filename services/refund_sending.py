"""Refunds on their way: what is owed back by itself is ordered, what was decided is sent, and silence is asked about.

Every call says the same under the refund's own number, so a call that died, timed out or was answered by nonsense is simply made again. What
they answer goes through the inbox, as notices do; only settling moves money.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import exists, select, text
from sqlalchemy.orm import aliased, selectinload

from config.logs import logger
from models.messages import MessageKey
from models.payments import Payment
from models.refunds import AT_THE_PROVIDER, Refund, RefundLine, RefundOrigin, RefundReason, RefundState
from providers.protocols import NewsKind, ProviderError, ProviderRefused, ProviderUnreachable, RefundOrder
from services.inbox import receive
from services.messages import tell
from services.refundable import balance_of, came_in, own_account
from services.refunds import begin_refund, draft_refund, refuse_at_provider
from services.settlement import settle

if TYPE_CHECKING:
    import uuid

    from providers.protocols import PaymentNews
    from services.ports import Ports

log = logger(__name__)

WHO: Final = "send_refunds"
RETURNS: Final = "return_surplus"
ASK_AFTER: Final = tuple(timedelta(seconds=seconds) for seconds in (12, 60, 600, 3600, 21_600))
"""After the first call, then after each more; from then on every six hours. Longer than Alipay's ten seconds after an order."""
APART: Final = timedelta(seconds=61)
"""Between two refunds of one payment: WeChat wants a minute, Alipay three seconds."""
SAID_TO_PAYER: Final = {
    RefundReason.DUPLICATE: "社保费重复缴费退款",
    RefundReason.OVERPAID: "社保费多缴退款",
    RefundReason.WRONG_PERSON: "社保费错缴退款",
    RefundReason.NOT_ELIGIBLE: "社保费退款",
    RefundReason.EMPLOYER_OVERLAP: "社保费重复缴费退款",
    RefundReason.DEATH: "社保费退款",
    RefundReason.UNCLAIMED: "社保费退款",
}
"""A few words that the payer reads at the provider; nothing that a third person should not see."""

OWED_BACK = text("""
    SELECT p.id FROM transfers t JOIN payments p ON p.id = t.payment_id
    WHERE t.kind = 'SURPLUS' AND p.refunded_fen < t.amount_fen
      AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.payment_id = p.id AND r.origin = 'ORDERED')
    ORDER BY t.id LIMIT :limit
""")
PAID_FIRST = text("""
    SELECT o.payer_account_id AS account_id, array_agg(DISTINCT b.coverage_month ORDER BY b.coverage_month) AS months
    FROM payment_order_lines mine
    JOIN contribution_bills b ON b.id = mine.bill_id
    JOIN contribution_records r ON r.bill_id = b.id AND r.state <> 'REVERSED' AND r.payment_id <> :payment_id
    JOIN payments p ON p.id = r.payment_id JOIN payment_orders o ON o.id = p.order_id
    WHERE mine.order_id = :order_id AND o.payer_account_id IS DISTINCT FROM (SELECT payer_account_id FROM payment_orders WHERE id = :order_id)
      AND o.payer_account_id IS NOT NULL
    GROUP BY 1
""")


def return_surplus(ports: Ports, *, limit: int = 100) -> int:
    """The sweep: money that could not settle its order is ordered back to whoever paid, once, and whoever paid first is told.

    A refund of it that failed is a person's affair: it is not ordered again by itself. Answers how many.
    """
    with ports.begin() as session:
        owed = session.scalars(OWED_BACK, {"limit": limit}).all()
    return sum(_return_one(ports, payment_id) for payment_id in owed)


def _return_one(ports: Ports, payment_id: uuid.UUID) -> bool:
    now = ports.now()
    with ports.begin() as session:
        payment = session.scalars(select(Payment).where(Payment.id == payment_id).with_for_update()).one()
        ordered = select(exists().where(Refund.payment_id == payment_id, Refund.origin == RefundOrigin.ORDERED))
        account = own_account(payment)
        left = balance_of(session, account, payment)
        if left <= 0 or session.scalar(ordered):
            # Somebody was faster, or it was seen to have gone back already.
            return False
        reason = RefundReason.DUPLICATE if came_in(session, payment) == payment.amount_fen else RefundReason.OVERPAID
        lines = [RefundLine(from_account=account, amount_fen=left)]
        refund = draft_refund(session, payment=payment, lines=lines, reason=reason, who=RETURNS, now=now)
        begin_refund(session, payment=payment, refund=refund, who=RETURNS, now=now)
        for row in session.execute(PAID_FIRST, {"payment_id": payment.id, "order_id": payment.order_id}):
            tell(session, account_id=row.account_id, key=MessageKey.PAYMENT_MADE_TWICE, facts={"months": row.months}, at=now)
    return True


@dataclass(frozen=True, kw_only=True)
class DueRefund:
    """A refund that wants a call now."""

    id: int
    miniprogram: str
    was_sent: bool
    """Whether a call was begun before: then ask first."""
    order: RefundOrder


def send_refunds(ports: Ports, *, limit: int = 50) -> int:
    """The sweep: order what was decided, and ask about what is silent; answers how many calls. Late, twice or never: all safe."""
    called = 0
    while called < limit and (due := _claim(ports)) is not None:
        _call(ports, due)
        called += 1
    return called


def _claim(ports: Ports) -> DueRefund | None:
    """Take one, and set its next call first: if we die while calling, the next call comes anyway."""
    now, other = ports.now(), aliased(Refund)
    too_soon = exists().where(other.payment_id == Refund.payment_id, other.id != Refund.id, other.last_asked_at > now - APART)
    with ports.begin() as session:
        refund = session.scalar(
            select(Refund)
            .where(Refund.next_ask_at <= now, Refund.state.in_(AT_THE_PROVIDER), ~too_soon)
            .order_by(Refund.next_ask_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if refund is None:
            return None
        payment = session.get_one(Payment, refund.payment_id)
        due = DueRefund(
            id=refund.id,
            miniprogram=payment.miniprogram,
            was_sent=refund.asks > 0,
            order=RefundOrder(
                refund_no=refund.refund_no,
                payment_no=payment.payment_no,
                provider_payment_no=payment.provider_payment_no or "",
                refund_fen=refund.amount_fen,
                total_fen=came_in(session, payment),
                ordered_at=refund.created_at,
                reason=SAID_TO_PAYER[RefundReason(refund.reason or RefundReason.UNCLAIMED)],
            ),
        )
        refund.next_ask_at = now + ASK_AFTER[min(refund.asks, len(ASK_AFTER) - 1)]
        refund.asks += 1
        refund.last_asked_at = now
    return due


def _call(ports: Ports, due: DueRefund) -> None:
    try:
        news = _heard(ports, due)
    except ProviderRefused as refusal:
        _refused(ports, due, refusal)
        return
    except ProviderError as fault:
        log.warning("refund.not_answered", refund_no=due.order.refund_no, fault=type(fault).__name__)
        return
    receive(ports, miniprogram=due.miniprogram, news=news, raw=None)
    settle(ports, payment_no=news.payment_no)


def _heard(ports: Ports, due: DueRefund) -> PaymentNews:
    provider = ports.payments[due.miniprogram]
    if due.was_sent:
        try:
            news = provider.ask_refund(due.order)
        except ProviderRefused as refusal:
            # They would not say. That is no word about the money.
            raise ProviderUnreachable(refusal.code) from None
        if news.kind != NewsKind.NOT_FOUND:
            return news
    return provider.refund(due.order)


def _refused(ports: Ports, due: DueRefund, refusal: ProviderRefused) -> None:
    """Not for good (no money in the merchant's account, too many calls): it stays and is sent again. For good: a person's turn."""
    now = ports.now()
    log.warning("refund.refused", refund_no=due.order.refund_no, refusal=refusal.code, permanent=refusal.permanent)
    with ports.begin() as session:
        session.scalars(select(Payment).where(Payment.payment_no == due.order.payment_no).with_for_update()).one()
        refund = session.scalars(select(Refund).where(Refund.id == due.id).options(selectinload(Refund.lines))).one()
        if refund.state not in AT_THE_PROVIDER:
            return
        if refusal.permanent and refund.state == RefundState.APPROVED:
            refuse_at_provider(session, refund=refund, fault=refusal.code, who=WHO, now=now)
        else:
            refund.fault = refusal.code
