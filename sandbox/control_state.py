"""The other half of the control API: the state of orders, money and notices, and levers on single orders."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox import books, fees, notices, orders, payments, users
from sandbox.control import BadOrderError, asked, complain, guard, needed
from sandbox.core import Core, rfc3339
from sandbox.orders import Order, State

ALL = 1_000_000
NO_NOTICES = {"sent": 0, "acked": 0, "pending": 0, "last_status": None}
REFUND_ENDS = {"SUCCESS", "ABNORMAL", "CLOSED"}


def view(order: Order, told: dict[str, Any]) -> dict[str, Any]:
    """One order as the control API shows it; REFUNDED means that every fen went back."""
    return {
        "channel": order.channel,
        "merchant": order.merchant,
        "app_id": order.app_id,
        "out_trade_no": order.out_trade_no,
        "provider_no": order.provider_no,
        "state": "REFUNDED" if order.state is State.PAID and order.is_wholly_refunded else str(order.state),
        "amount_fen": order.amount_fen,
        "paid_fen": order.paid_fen,
        "refunded_fen": order.refunded_fen,
        "currency": order.currency,
        "payer": order.payer,
        "description": order.description,
        "created_at": rfc3339(order.created_at),
        "paid_at": None if order.paid_at is None else rfc3339(order.paid_at),
        "closed_at": None if order.closed_at is None else rfc3339(order.closed_at),
        "notices": told,
    }


def views(core: Core, found: list[Order]) -> list[dict[str, Any]]:
    told: dict[tuple[str, str], dict[str, Any]] = {}
    for channel in {order.channel for order in found}:
        numbers = [order.out_trade_no for order in found if order.channel == channel]
        for start in range(0, len(numbers), 500):
            summaries = notices.summary_of(core.store, channel, numbers[start : start + 500])
            told |= {(channel, number): summary for number, summary in summaries.items()}
    return [view(order, told.get((order.channel, order.out_trade_no), NO_NOTICES)) for order in found]


def state(core: Core, limit: int) -> dict[str, Any]:
    total = core.store.row("SELECT COUNT(*) AS n FROM orders")
    return {
        "orders": views(core, orders.newest(core.store, limit)),
        "orders_total": total["n"] if total else 0,
        "money": books.money(core),
        "pending_notices": notices.pending(core.store),
        "probes": notices.probes(core.store),
        "canbao_url": core.canbao_url,
        "miniprograms": {app.app_id: app.miniprogram for app in core.world.apps.values()},
    }


def _found(core: Core, channel: str, number: str) -> Order:
    order = orders.find_anywhere(core.store, channel, number)
    if order is None:
        raise users.UnknownError(f"no {channel} order {number}")
    return order


def detail(core: Core, order: Order) -> dict[str, Any]:
    """One order with each of its notices and refunds."""
    sent = core.store.rows("SELECT * FROM notices WHERE channel = ? AND out_trade_no = ? ORDER BY id", *order.key[::2])
    letters = [
        {
            name: row[name]
            for name in ("event", "mode", "notification_id", "url", "tries", "state", "last_status", "due_at", "last_at")
        }
        for row in sent
    ]
    refunds = [
        {
            "out_refund_no": each.out_refund_no,
            "refund_id": each.refund_id,
            "amount_fen": each.amount_fen,
            "state": each.state,
        }
        for each in orders.refunds_of(core.store, order)
    ]
    return {**views(core, [order])[0], "notice_list": letters, "refunds": refunds}


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("control_state", __name__, url_prefix="/_sandbox")
    door.before_request(guard)
    for kind in (LookupError, ValueError, TypeError):
        door.register_error_handler(kind, complain)

    _looking(core, door)
    _levers(core, door)
    _of_the_house(core, door)
    return door


def _looking(core: Core, door: Blueprint) -> None:
    @door.get("/state")
    def show_state() -> Response:
        return jsonify(state(core, request.args.get("limit", ALL, type=int)))

    @door.get("/orders/<channel>/<number>")
    def show_order(channel: str, number: str) -> Response:
        return jsonify(detail(core, _found(core, channel, number)))

    @door.get("/messages")
    def messages() -> Response:
        rows = core.store.rows("SELECT * FROM messages ORDER BY id DESC LIMIT 200")
        return jsonify(messages=[{**dict(row), "content": json.loads(row["content"])} for row in rows])


def _levers(core: Core, door: Blueprint) -> None:
    @door.post("/orders/<channel>/<number>/pay")
    def pay(channel: str, number: str) -> Response:
        paid = payments.pay(core, _found(core, channel, number))
        return jsonify(paid=isinstance(paid, Order), why="" if isinstance(paid, Order) else paid.why)

    @door.post("/orders/<channel>/<number>/refunds")
    def send_back(channel: str, number: str) -> tuple[Response, int]:
        return jsonify(_portal_refund(core, _found(core, channel, number), asked())), 201

    @door.post("/refunds/<channel>/<out_refund_no>/settle")
    def settle(channel: str, out_refund_no: str) -> Response:
        return jsonify(settled=_settle(core, channel, out_refund_no, str(asked().get("state", "SUCCESS"))))

    @door.post("/notices/<channel>/<number>/resend")
    def resend(channel: str, number: str) -> Response:
        given, order = asked(), _found(core, channel, number)
        if order.state is not State.PAID:
            raise BadOrderError(f"order {number} is {order.state}: there is no paid notice to send")
        copies = payments.resend(core, order, copies=int(given.get("n", 1)), fresh=bool(given.get("fresh")))
        return jsonify(sending=copies)

    @door.post("/stray-payments")
    def stray() -> tuple[Response, int]:
        return jsonify(_stray(core, asked())), 201


def _of_the_house(core: Core, door: Blueprint) -> None:
    @door.post("/bills-at-once")
    def bills_at_once() -> Response:
        core.store.keep_setting("bills_at_once", bool(asked().get("wanted", True)))
        return jsonify(wanted=core.store.setting("bills_at_once"))

    @door.post("/fees")
    def fee_rate() -> Response:
        given = asked()
        if needed(given, "account") not in {f"wechat_pay:{mchid}" for mchid in core.world.wechat_merchants}:
            raise BadOrderError("account is one of WeChat Pay's merchants: only its bills tell of fees here")
        fees.keep_rate(core.store, given["account"], int(given.get("rate", 0)))
        return jsonify(rates=fees.rates(core.store))

    @door.post("/reset")
    def reset() -> Response:
        core.store.reset()
        return jsonify(reset=True)


def _portal_refund(core: Core, order: Order, given: dict[str, Any]) -> dict[str, Any]:
    """Send money back as somebody at the merchant's portal would: nobody asked our API for it."""
    amount_fen = int(given.get("amount_fen", order.paid_fen - order.refunded_fen))
    with core.store.transaction():
        if order.state is not State.PAID or not 1 <= amount_fen <= orders.refundable_fen(core.store, order):
            raise BadOrderError("there is not so much to send back")
        number = str(given.get("out_refund_no") or f"PORTAL{order.out_trade_no}{len(orders.refunds_of(core.store, order))}")
        kept = payments.refund(
            core,
            order,
            out_refund_no=number,
            amount_fen=amount_fen,
            reason="the merchant's portal",
            notify_url=order.notify_url,
            request="{}",
        )
    return {"out_refund_no": kept.out_refund_no, "state": kept.state}


def _settle(core: Core, channel: str, out_refund_no: str, ending: str) -> bool:
    if ending not in REFUND_ENDS:
        raise BadOrderError(f"state must be one of {', '.join(sorted(REFUND_ENDS))}")
    row = core.store.row("SELECT * FROM refunds WHERE channel = ? AND out_refund_no = ?", channel, out_refund_no)
    if row is None:
        raise users.UnknownError(f"no {channel} refund {out_refund_no}")
    order = orders.must_find(core.store, (channel, row["merchant"], row["out_trade_no"]))
    kept = orders.must_find_refund(core.store, order, out_refund_no)
    return payments.settle_refund(core, order, kept, state=ending)


def _stray(core: Core, given: dict[str, Any]) -> dict[str, Any]:
    channel, merchant = needed(given, "channel"), needed(given, "merchant")
    app = core.world.app_of_merchant(merchant)
    app_id = str(given.get("app_id") or (app.app_id if app else ""))
    known = core.world.apps.get(app_id)
    if known is None or known.merchant != merchant or (known.platform == "alipay") != (channel == "alipay"):
        raise BadOrderError("channel, merchant and app_id do not belong together")
    amount_fen = int(given.get("amount_fen", 0))
    if amount_fen < 1:
        raise BadOrderError("amount_fen must be at least 1")
    return views(core, [payments.stray(core, channel=channel, merchant=merchant, app_id=app_id, amount_fen=amount_fen)])[0]
