"""Money moves: a payer pays, a merchant sends back, a trade closes; each is followed by the notices that faults allow."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sandbox import alipay_words, faults, notices, orders, unionpay_words
from sandbox import wechat_pay_words as wechat_words
from sandbox.core import Core, letters, wall_clock, yuan
from sandbox.faults import Target, count, seconds
from sandbox.orders import Order, Refund, State

if TYPE_CHECKING:
    from sandbox.store import Db

FORTNIGHT_SECONDS = 14 * 86400
PLAYED_AT = {"signtest": ("wechat_pay",), "stale": ("wechat_pay",), "wrong_chain": ("unionpay_pos",)}
"""Probes that make sense at one provider alone."""
DUPLICATE_GAP_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a payer could not pay, in words for the cashier."""

    why: str


def notification_id(channel: str) -> str:
    return str(uuid.uuid4()) if channel == "wechat_pay" else letters(34).lower()


def pay(core: Core, order: Order) -> Order | Refusal:
    """Take the payer's money once and tell the merchant, as the faults for this order would have it."""
    now = core.now()
    with core.store.transaction() as db:
        order = orders.must_find(core.store, order.key)
        if order.state is not State.OPEN:
            return Refusal(why=f"the order is {order.state}")
        if now > order.expires_at:
            return Refusal(why="the time to pay is over")
        target = Target(app_id=order.app_id, order_no=order.out_trade_no, operation="pay")
        found = faults.take(core.store, faults.PAYMENT_FAULTS, target)
        if "closed_notice" in found:
            close(core, order)
            return Refusal(why="the order was closed at this very moment")
        orders.mark_paid(
            db,
            order,
            paid_fen=count(found.get("wrong_amount"), order.amount_fen + 1) if "wrong_amount" in found else order.amount_fen,
            currency=str(found.get("wrong_currency") or "USD") if "wrong_currency" in found else "CNY",
            charset="gbk" if "gbk" in found else order.charset,
            key_kind="certificate" if "certificate_key" in found else order.key_kind,
            finished="finished_first" in found,
            now=now,
        )
        paid = orders.must_find(core.store, order.key)
        if paid.notify_url:
            _announce(core, db, paid, found)
    core.courier.wake()
    return orders.must_find(core.store, order.key)


def _announce(core: Core, db: Db, order: Order, found: faults.Found) -> None:
    """Queue what the merchant will hear of a payment: probes first, then the truth, once or several times."""
    now = core.now()
    after_id = _refund_first(core, db, order, found)
    for mode in ("forged", "signtest", "stale", "wrong_chain"):
        if mode in found and order.channel in PLAYED_AT.get(mode, (order.channel,)):
            content = paid_content(order, now=now)
            if mode == "stale":
                content["stale_seconds"] = seconds(found["stale"], 600)
            after_id = _send(core, db, order, content=content, mode=mode, after_id=after_id)
    if "lost" in found:
        return
    due_at = now + (seconds(found.get("late"), 30) if "late" in found else 0)
    shared = notification_id(order.channel)
    told = _with_wrong_words(order, found)
    content = paid_content(told, now=now, notify_id=shared)
    for extra in range(max(1, count(found.get("parallel"), 2)) if "parallel" in found else 1):
        _send(core, db, order, content=content, number=shared, due_at=due_at, after_id=after_id, copy=extra)
    for extra in range(count(found.get("duplicate"), 1) if "duplicate" in found else 0):
        later = due_at + DUPLICATE_GAP_SECONDS * (extra + 1)
        _send(core, db, order, content=content, number=shared, due_at=later, after_id=after_id, copy=extra)


def _with_wrong_words(order: Order, found: faults.Found) -> Order:
    """An authentic notice that names another app or another merchant."""
    if "wrong_app" in found:
        order = replace(order, app_id=str(found["wrong_app"] or "wx0000000000000000"))
    if "wrong_merchant" in found:
        order = replace(order, merchant=str(found["wrong_merchant"] or "1900000000"))
    return order


def _refund_first(core: Core, db: Db, order: Order, found: faults.Found) -> int | None:
    """Send money back before the payment was announced; its notice goes out first."""
    if "refund_before_success" not in found:
        return None
    amount_fen = min(count(found["refund_before_success"], order.paid_fen), order.paid_fen)
    refund = orders.keep_refund(
        core.store,
        order,
        out_refund_no=f"SANDBOX{letters(17)}",
        amount_fen=amount_fen,
        reason="the merchant's portal",
        notify_url=order.notify_url,
        request="{}",
        now=core.now(),
    )
    return _settle(core, db, order, refund, state="SUCCESS")


def paid_content(order: Order, *, now: float, notify_id: str | None = None) -> dict[str, Any]:
    """The success notice of a paid order, in its channel's words."""
    if order.channel == "wechat_pay":
        resource = wechat_words.transaction(order, state="SUCCESS")
        return wechat_words.notice_content(
            "TRANSACTION.SUCCESS", summary="支付成功", kind="transaction", resource=resource, now=now
        )
    if order.channel == "unionpay_pos":
        return dict(unionpay_words.paid_fields(order))
    status = "TRADE_FINISHED" if order.finished else "TRADE_SUCCESS"
    return dict(alipay_words.notice_fields(order, notify_id=notify_id or notification_id("alipay"), status=status))


def _send(
    core: Core,
    db: Db,
    order: Order,
    *,
    content: dict[str, Any],
    number: str | None = None,
    mode: str = "real",
    due_at: float | None = None,
    after_id: int | None = None,
    event: str = "paid",
    url: str | None = None,
    copy: int = 0,
) -> int:
    return notices.enqueue(
        db,
        channel=order.channel,
        merchant=order.merchant,
        out_trade_no=order.out_trade_no,
        app_id=order.app_id,
        event=f"{event}#{copy + 1}" if copy else event,
        notification_id=number or str(content.get("notify_id") or notification_id(order.channel)),
        url=url or order.notify_url,
        content=content,
        now=core.now(),
        due_at=due_at,
        mode=mode,
        key_kind=order.key_kind,
        charset=order.charset,
        after_id=after_id,
    )


def resend(core: Core, order: Order, *, copies: int, fresh: bool) -> int:
    """Send the paid notice again: under its old number, or as new ones."""
    known = core.store.row(
        "SELECT notification_id, content FROM notices WHERE channel = ? AND merchant = ? AND out_trade_no = ?"
        " AND mode = 'real' AND event = 'paid' ORDER BY id LIMIT 1",
        *order.key,
    )
    with core.store.transaction() as db:
        for _ in range(copies):
            number = known["notification_id"] if known and not fresh else notification_id(order.channel)
            _send(core, db, order, content=paid_content(order, now=core.now(), notify_id=number), number=number)
    core.courier.wake()
    return copies


def refund(
    core: Core,
    order: Order,
    *,
    out_refund_no: str,
    amount_fen: int,
    reason: str | None,
    notify_url: str | None,
    request: str,
) -> Refund:
    """Accept a refund and, unless a fault holds it up, send the money back at once."""
    target = Target(app_id=order.app_id, order_no=order.out_trade_no, operation="refund")
    with core.store.transaction() as db:
        found = faults.take(core.store, faults.REFUND_FAULTS, target)
        kept = orders.keep_refund(
            core.store,
            order,
            out_refund_no=out_refund_no,
            amount_fen=amount_fen,
            reason=reason,
            notify_url=notify_url,
            request=request,
            now=core.now(),
        )
        if "refund_abnormal" in found:
            _settle(core, db, order, kept, state="ABNORMAL")
        elif "refund_pending" not in found:
            _settle(core, db, order, kept, state="SUCCESS")
    core.courier.wake()
    return orders.must_find_refund(core.store, order, out_refund_no)


def settle_refund(core: Core, order: Order, kept: Refund, *, state: str) -> bool:
    """Decide a refund that was held up; false when it is decided already."""
    with core.store.transaction() as db:
        before = orders.must_find_refund(core.store, order, kept.out_refund_no).state
        if before == state or before in {"SUCCESS", "CLOSED"}:
            return False
        _settle(core, db, order, kept, state=state)
    core.courier.wake()
    return True


def _settle(core: Core, db: Db, order: Order, kept: Refund, *, state: str) -> int | None:
    """Book the refund's end and queue its notice; returns the notice's number if one is due."""
    now = core.now()
    if not orders.settle_refund(db, kept, state=state, now=now):
        return None
    order = orders.must_find(core.store, order.key)
    kept = orders.must_find_refund(core.store, order, kept.out_refund_no)
    if order.channel == "wechat_pay":
        if not kept.notify_url:
            return None
        content = wechat_words.notice_content(
            f"REFUND.{state}",
            summary=wechat_words.REFUND_EVENTS[state],
            kind="refund",
            resource=wechat_words.refund_resource(order, kept),
            now=now,
        )
        return _send(core, db, order, content=content, event="refunded", url=kept.notify_url)
    if state != "SUCCESS" or not order.notify_url:
        return None
    if order.channel == "unionpay_pos":
        return _send(core, db, order, content=dict(unionpay_words.refund_fields(order, kept)), event="refunded")
    back = {
        "refund_fee": yuan(order.refunded_fen),
        "gmt_refund": f"{wall_clock(now)}.000",
        "out_biz_no": kept.out_refund_no,
    }
    if order.is_wholly_refunded:
        back["gmt_close"] = wall_clock(now)
    told = alipay_words.notice_fields(
        order, notify_id=notification_id("alipay"), status=alipay_words.trade_status(order), refund=back
    )
    return _send(core, db, order, content=dict(told), event="refunded")


def close(core: Core, order: Order) -> bool:
    """Close an unpaid order; Alipay tells the merchant, WeChat Pay does not."""
    with core.store.transaction() as db:
        if not orders.mark_closed(db, order, now=core.now()):
            return False
        if order.channel == "alipay" and order.notify_url:
            closed = orders.must_find(core.store, order.key)
            told = alipay_words.notice_fields(closed, notify_id=notification_id("alipay"), status="TRADE_CLOSED")
            _send(core, db, closed, content=dict(told), event="closed")
    core.courier.wake()
    return True


def stray(core: Core, *, channel: str, merchant: str, app_id: str, amount_fen: int) -> Order:
    """Make authentic money under a number that the merchant never asked for, and tell them about it."""
    now = core.now()
    app = core.world.apps[app_id]
    door = "wechat-pay" if channel == "wechat_pay" else "alipay"
    _, order = orders.place(
        core.store,
        channel=channel,
        merchant=merchant,
        out_trade_no=f"STRAY{letters(19)}",
        app_id=app_id,
        amount_fen=amount_fen,
        payer=f"stray{letters(23)}",
        description="来路不明的款项",
        notify_url=f"{core.letterbox_url}/webhooks/{door}/{app.miniprogram}",
        request="{}",
        now=now,
        expires_at=now + FORTNIGHT_SECONDS,
    )
    paid = pay(core, order)
    return paid if isinstance(paid, Order) else orders.must_find(core.store, order.key)
