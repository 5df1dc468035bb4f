"""The inbox: keep authentic news before anything is done about it, and resolve by hand what was parked.

An acknowledgement means "I have it", so `receive` is one statement and its commit is the whole promise.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import select

from models.base import new_id
from models.inbox import Notice, NoticeState
from services.errors import NotFound
from services.inbox_errors import NoticeDealtWith, NoticeMovedMoney
from services.staff_words import staff_words

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from providers.protocols import PaymentNews
    from services.ports import Ports

RECEIVE = """
    INSERT INTO notices (
        id, merchant_account, notification_id, miniprogram, kind, payment_no, provider_payment_no, amount_fen, currency,
        happened_at, refund_no, provider_refund_no, refund_fen, refunded_total_fen, content_sealed, received_at)
    VALUES (
        %(id)s, %(merchant_account)s, %(notification_id)s, %(miniprogram)s, %(kind)s, %(payment_no)s, %(provider_payment_no)s,
        %(amount_fen)s, %(currency)s, %(happened_at)s, %(refund_no)s, %(provider_refund_no)s, %(refund_fen)s,
        %(refunded_total_fen)s, %(content_sealed)s, %(received_at)s)
    ON CONFLICT (merchant_account, notification_id) DO NOTHING
"""


def receive(ports: Ports, *, miniprogram: str, news: PaymentNews, raw: bytes | None) -> bool:
    """Keep a piece of authentic news; after this returns it cannot be lost. True when it is new, False when it was known.

    `raw` is sealed as evidence. An answer to our own question has none: what it said stands in the row.
    """
    row = _row(ports, miniprogram=miniprogram, news=news, raw=raw)
    try:
        with ports.begin_one() as driver:
            return driver.execute(RECEIVE, row, prepare=True).rowcount == 1
    except psycopg.Error:
        # The usual way says what is wrong in the house's words, and knows how to replace lost connections; and the insert is its
        # own guard, so twice is safe.
        with ports.begin() as session:
            return session.connection().exec_driver_sql(RECEIVE, row).rowcount == 1


def enter(ports: Ports, session: Session, *, miniprogram: str, news: PaymentNews, raw: bytes | None) -> bool:
    """The same as a step, for news that comes about together with what it is of: both are kept, or neither."""
    session.flush()
    return session.connection().exec_driver_sql(RECEIVE, _row(ports, miniprogram=miniprogram, news=news, raw=raw)).rowcount == 1


def _row(ports: Ports, *, miniprogram: str, news: PaymentNews, raw: bytes | None) -> dict[str, Any]:
    provider = ports.payments[miniprogram]
    notice_id = new_id()
    return {
        "id": notice_id,
        "merchant_account": f"{provider.channel}:{provider.merchant}",
        "notification_id": news.notification_id,
        "miniprogram": miniprogram,
        "kind": str(news.kind),
        "payment_no": news.payment_no,
        "provider_payment_no": news.provider_payment_no,
        "amount_fen": news.amount_fen,
        "currency": news.currency,
        "happened_at": news.happened_at,
        "refund_no": news.refund_no,
        "provider_refund_no": news.provider_refund_no,
        "refund_fen": news.refund_fen,
        "refunded_total_fen": news.refunded_total_fen,
        "content_sealed": None if raw is None else ports.seals.seal_bytes(raw, place=Notice.content_place(notice_id)),
        "received_at": ports.now(),
    }


@dataclass(frozen=True, kw_only=True)
class ParkedNotice:
    """A notice whose money stands in a named account until a person has looked."""

    id: uuid.UUID
    merchant_account: str
    payment_no: str
    provider_payment_no: str | None
    amount_fen: int | None
    outcome: str
    received_at: datetime
    next_step: str


NEXT_STEPS = {
    "UNCLAIMED": "钱在无主款项账户（unknown）：在商户平台按对方单号查明来源；查明或无人认领的，申请原路退回",
    "WRONG_AMOUNT": "金额与订单不符，款项会自动原路退回付款人：与支付平台核实金额为何不同",
    "REFUND_SEEN": "对方已退款而本系统未发起：在商户平台查明操作人；月份已记为已缴的，再申请冲正该月份（款项已退回，只更正账目）",
    "REFUND_ABNORMAL": "付款人的账户收不了退款：在商户平台按对方退款单号处理异常退款，完成后本系统会收到通知",
    "REFUND_FAILED": "对方已关闭退款，款项未退：看这笔钱的来龙去脉（canbao explain），查明原因后重新申请退款",
    "WRONG_CURRENCY": "币种不是人民币，未记账，订单已关闭、月份可以重新缴纳：与支付平台核实，由其退回原币种",
    "CONTRADICTION": "通知与已入账的结果矛盾：与支付平台核实，账目以已付款为准",
    "CONFLICT": "入账时与已有记录冲突，未记账：看这笔钱的来龙去脉（canbao explain），清理冲突后放回入账队列",
}
"""Outcome of a parked notice → what a person does about it."""


def next_step(outcome: str | None) -> str:
    return NEXT_STEPS.get(outcome or "", "查明后处理")


def parked(session: Session, *, limit: int = 200) -> list[ParkedNotice]:
    """Parked notices that nobody has resolved yet, oldest first."""
    rows = session.scalars(
        select(Notice).where(Notice.state == NoticeState.PARKED, Notice.resolved_at.is_(None)).order_by(Notice.id).limit(limit)
    )
    return [
        ParkedNotice(
            id=row.id,
            merchant_account=row.merchant_account,
            payment_no=row.payment_no,
            provider_payment_no=row.provider_payment_no,
            amount_fen=row.amount_fen,
            outcome=row.outcome or "",
            received_at=row.received_at,
            next_step=next_step(row.outcome),
        )
        for row in rows
    ]


def resolve(ports: Ports, *, notice_id: str, reason: str, who: str) -> None:
    """A person has dealt with a parked notice, and says how. The notice and its transfers stay.

    Raises ReasonNeeded, NotFound, NoticeDealtWith.
    """
    said = staff_words(reason)
    with ports.begin() as session:
        notice = _parked(session, notice_id)
        notice.resolved_at = ports.now()
        notice.resolution = f"{said} ({who})"


def settle_again(ports: Ports, *, notice_id: str, reason: str, who: str) -> None:
    """Put a notice that could not be booked (CONFLICT) back into the queue, once what it clashed with is mended.

    Only CONFLICT: every other parked notice has moved its money already, and must not move it twice. Raises ReasonNeeded, NotFound,
    NoticeDealtWith, NoticeMovedMoney.
    """
    said = staff_words(reason)
    with ports.begin() as session:
        notice = _parked(session, notice_id)
        if notice.outcome != CONFLICT:
            raise NoticeMovedMoney
        notice.queue_again(reason=said, who=f"staff:{who}", at=ports.now())


CONFLICT = "CONFLICT"


def _parked(session: Session, notice_id: str) -> Notice:
    """Locked: of two who deal with it at once, one does, and the other is told. Raises NotFound, NoticeDealtWith."""
    try:
        wanted = uuid.UUID(notice_id)
    except ValueError:
        raise NotFound from None
    notice = session.scalar(select(Notice).where(Notice.id == wanted).with_for_update())
    if notice is None:
        raise NotFound
    if notice.state != NoticeState.PARKED or notice.resolved_at is not None:
        raise NoticeDealtWith
    return notice
