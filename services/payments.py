"""Payments at the provider: open them, ask about silence, close them. Every answer goes through the inbox, as notices do.

No provider is called while a transaction is open: intent and frozen request are committed first, the outcome after.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import or_, select, update

from config.logs import logger
from models.orders import OrderOrigin, OrderState, PaymentOrder
from models.payments import Payment, PaymentState
from providers.protocols import NewsKind, PaymentNews, ProviderError, ProviderRefused, ProviderUnreachable
from services.inbox import receive
from services.settlement import settle

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from services.ports import Ports

log = logger(__name__)

ASK_AFTER: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600))
"""How long silence lasts before we ask: 5 s, 30 s, 2 min, 10 min, 1 h (domain §5.7); from then on every hour while it lives."""
ASK_AT_MOST_EVERY: Final = timedelta(seconds=3)
OPENING_TAKES_AT_MOST: Final = timedelta(seconds=15)
"""Connect and read time-outs of a call, and some: an opening older than this died with its process."""
NOT_FOUND_IS_FINAL_AFTER: Final = timedelta(seconds=60)
"""Younger than this, a payment they never heard of may still be on its way to them."""
LIVE: Final = (PaymentState.CREATED, PaymentState.OPEN)
LAPSING: Final = (OrderOrigin.PHONE, OrderOrigin.POS)
"""Whose orders are closed by time. What a bank was told to debit ends by the bank's word alone, however late."""


@dataclass(frozen=True, kw_only=True)
class LivePayment:
    """What a call to the provider needs, read before it."""

    id: uuid.UUID
    payment_no: str
    miniprogram: str
    state: str
    request_sealed: bytes
    """Opened by whoever sends it alone: asking and closing go on where its key is lost."""
    created_at: datetime


def open_payment(ports: Ports, payment_no: str) -> None:
    """Send the frozen request and keep the handle. Safe to repeat: the same bytes ask for the same payment.

    Leaves the order PREPAY when they answered, UNKNOWN when nobody knows (a sweep will ask), CLOSED when they refused for good.
    """
    payment = _live(ports, payment_no)
    if payment is None or payment.state != PaymentState.CREATED:
        return
    request = ports.seals.open_bytes(payment.request_sealed, place=Payment.request_place(payment.id))
    try:
        opened = ports.payments[payment.miniprogram].open_payment(request)
    except ProviderUnreachable:
        log.warning("payment.in_doubt", payment_no=payment_no)
        _doubt(ports, payment)
        return
    except ProviderRefused as refusal:
        log.warning("payment.refused", payment_no=payment_no, refusal=refusal.code)
        _doubt(ports, payment)
        if refusal.permanent:
            # Refused is not proof: perhaps an earlier try of ours went through. What closes it is their own word.
            close_payment(ports, payment_no, never_opened=True)
        return
    _record_opened(ports, payment, handle=opened.handle)


def _record_opened(ports: Ports, payment: LivePayment, *, handle: str) -> None:
    now = ports.now()
    with ports.begin() as session:
        row = session.scalars(select(Payment).where(Payment.id == payment.id).with_for_update()).one()
        order = session.scalars(select(PaymentOrder).where(PaymentOrder.id == row.order_id).with_for_update()).one()
        # A notice, or a second sender of the same bytes, may have been faster.
        if row.state == PaymentState.CREATED:
            row.open(handle=handle, who="open_payment", at=now)
        if order.state in (OrderState.CREATED, OrderState.UNKNOWN):
            order.open(who="open_payment", at=now)


def _doubt(ports: Ports, payment: LivePayment) -> None:
    now = ports.now()
    with ports.begin() as session:
        row = session.scalars(select(Payment).where(Payment.id == payment.id).with_for_update()).one()
        order = session.scalars(select(PaymentOrder).where(PaymentOrder.id == row.order_id).with_for_update()).one()
        if order.state == OrderState.CREATED:
            order.doubt(who="open_payment", at=now)
        if row.is_live:
            row.next_ask_at = min(row.next_ask_at or now + ASK_AFTER[0], now + ASK_AFTER[0])


def ask_provider(ports: Ports, payment_no: str) -> None:
    """Ask what became of a live payment and settle what they say. An answer without news only moves the next question."""
    payment = _live(ports, payment_no)
    if payment is None:
        return
    try:
        news = ports.payments[payment.miniprogram].ask(payment_no)
    except ProviderError as fault:
        log.warning("payment.not_answered", payment_no=payment_no, fault=type(fault).__name__)
        return
    if news.kind in (NewsKind.NOT_PAID, NewsKind.NOT_FOUND):
        return
    receive(ports, miniprogram=payment.miniprogram, news=news, raw=None)
    settle(ports, payment_no=payment_no)


def close_payment(ports: Ports, payment_no: str, *, never_opened: bool = False) -> bool:
    """Make sure a payment can never be paid any more, at the provider first, then here. True when it is over, paid or not.

    Their refusal to close means that we know too little: ask, and believe what they say. `never_opened`: they refused to open it.
    """
    payment = _live(ports, payment_no)
    if payment is None:
        return True
    provider = ports.payments[payment.miniprogram]
    closed = _closed(payment_no, at=ports.now())
    try:
        provider.close(payment_no)
    except ProviderUnreachable:
        log.warning("payment.not_closed", payment_no=payment_no, fault="ProviderUnreachable")
        return False
    except ProviderRefused as refusal:
        log.info("payment.close_refused", payment_no=payment_no, refusal=refusal.code)
        try:
            news = provider.ask(payment_no)
        except ProviderError as fault:
            log.warning("payment.not_answered", payment_no=payment_no, fault=type(fault).__name__)
            return False
        if news.kind == NewsKind.NOT_FOUND and (never_opened or _is_past_opening(payment, ports.now())):
            news = closed
        elif news.kind in (NewsKind.NOT_PAID, NewsKind.NOT_FOUND):
            return False
    else:
        news = closed
    receive(ports, miniprogram=payment.miniprogram, news=news, raw=None)
    settle(ports, payment_no=payment_no)
    return _live(ports, payment_no) is None


def _closed(payment_no: str, *, at: datetime) -> PaymentNews:
    """Their "it is closed" as a piece of news: it takes the same road as any other."""
    return PaymentNews(
        notification_id=f"query:{payment_no}:CLOSED:", kind=NewsKind.CLOSED, payment_no=payment_no, happened_at=at
    )


def _is_past_opening(payment: LivePayment, now: datetime) -> bool:
    return now - payment.created_at > NOT_FOUND_IS_FINAL_AFTER


def _live(ports: Ports, payment_no: str) -> LivePayment | None:
    with ports.begin() as session:
        payment = session.scalar(select(Payment).where(Payment.payment_no == payment_no, Payment.state.in_(LIVE)))
        if payment is None:
            return None
        return LivePayment(
            id=payment.id,
            payment_no=payment.payment_no,
            miniprogram=payment.miniprogram,
            state=payment.state,
            request_sealed=payment.request_sealed or b"",
            created_at=payment.created_at,
        )


def ask_about_silence(ports: Ports, *, limit: int = 100) -> int:
    """The sweep: ask about payments whose silence has lasted long enough; answers how many. Late, twice or never: all safe."""
    asked = 0
    while asked < limit and (payment_no := _claim_silent(ports)) is not None:
        ask_provider(ports, payment_no)
        asked += 1
    return asked


def _claim_silent(ports: Ports) -> str | None:
    """Take one silent payment and set its next question first: if we die while asking, the next question comes anyway."""
    now = ports.now()
    with ports.begin() as session:
        row = session.scalar(
            select(Payment)
            .where(Payment.next_ask_at <= now, Payment.state.in_(LIVE))
            .order_by(Payment.next_ask_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if row is None:
            return None
        row.asks += 1
        row.last_asked_at = now
        row.next_ask_at = now + ASK_AFTER[min(row.asks, len(ASK_AFTER) - 1)]
        return row.payment_no


def ask_now(ports: Ports, payment_no: str) -> None:
    """A reader wants to know now: ask, but at most once in three seconds for each payment, however many readers there are."""
    now = ports.now()
    with ports.begin() as session:
        claimed = session.execute(
            update(Payment)
            .where(
                Payment.payment_no == payment_no,
                Payment.state.in_(LIVE),
                or_(Payment.last_asked_at.is_(None), Payment.last_asked_at <= now - ASK_AT_MOST_EVERY),
            )
            .values(last_asked_at=now)
            .returning(Payment.id)
        ).all()
    if claimed:
        ask_provider(ports, payment_no)


def close_stale(ports: Ports, *, limit: int = 100) -> int:
    """The sweep: close what has lapsed, at the provider first; answers how many are over. One that cannot be closed is left for later."""
    return sum(close_payment(ports, payment_no) for payment_no in _claim_stale(ports, limit=limit))


def _claim_stale(ports: Ports, *, limit: int) -> list[str]:
    """What has lapsed, the least recently tried first: those that cannot be closed must not stand before those that can."""
    now = ports.now()
    with ports.begin() as session:
        stale = session.scalars(
            select(Payment)
            .join(PaymentOrder, PaymentOrder.id == Payment.order_id)
            .where(
                PaymentOrder.expires_at <= now,
                PaymentOrder.state.in_((OrderState.CREATED, OrderState.PREPAY, OrderState.UNKNOWN)),
                PaymentOrder.origin.in_(LAPSING),
                Payment.state.in_(LIVE),
            )
            .order_by(Payment.last_asked_at.asc().nulls_first(), PaymentOrder.expires_at)
            .limit(limit)
            .with_for_update(of=Payment, skip_locked=True)
        ).all()
        for payment in stale:
            payment.last_asked_at = now
        return [payment.payment_no for payment in stale]
