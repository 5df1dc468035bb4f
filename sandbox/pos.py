"""The terminal at a window, driven by the control API: somebody puts a card in and pays the order whose number the clerk typed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify

from sandbox import faults, orders, payments, users
from sandbox.control import BadOrderError, asked, complain, guard, needed
from sandbox.control_state import view, views
from sandbox.core import compact_clock
from sandbox.orders import Order
from sandbox.unionpay_words import CHANNEL, MOMENT_DIGITS

if TYPE_CHECKING:
    from sandbox.core import Core

NUMBER = re.compile(r"[0-9A-Za-z]{8,40}")
A_DAY_SECONDS = 86400


def insert_card(core: Core, given: dict[str, Any]) -> dict[str, Any]:
    """Pay, or have the card declined; says whether money was taken, and what was printed."""
    mer_id = str(given.get("merchant") or next(iter(core.world.unionpay_merchants)))
    merchant = core.world.unionpay_merchants.get(mer_id)
    if merchant is None:
        raise users.UnknownError(f"no terminal of merchant {mer_id}")
    number, amount_fen = needed(given, "order_no"), int(given.get("amount_fen", 0))
    if not NUMBER.fullmatch(number) or amount_fen < 1:
        raise BadOrderError("order_no takes 8 to 40 letters and digits, amount_fen at least 1")
    for each in given.get("faults") or []:
        faults.ask_for(core.store, target=number, fault=each["fault"], value=each.get("value"), times=each.get("times", 1))
    now = core.now()
    digits = number[:MOMENT_DIGITS]
    moment = str(given.get("txn_time") or (digits if digits.isdigit() and len(digits) == MOMENT_DIGITS else compact_clock(now)))
    placed, order = orders.place(
        core.store,
        channel=CHANNEL,
        merchant=mer_id,
        out_trade_no=number,
        app_id=merchant.code,
        amount_fen=amount_fen,
        payer="6216***********0018",
        description="POS消费",
        notify_url=f"{core.letterbox_url}/webhooks/unionpay/{merchant.code}",
        request=orders.canonical({"txnTime": moment, "amount_fen": amount_fen}),
        now=now,
        expires_at=now + A_DAY_SECONDS,
    )
    if placed is orders.Placed.DIFFERENT:
        return {"paid": False, "why": "the number was used for another amount or moment", "order": views(core, [order])[0]}
    if given.get("outcome") == "decline":
        return {"paid": False, "why": "the card was declined", "order": views(core, [order])[0]}
    paid = payments.pay(core, order)
    if isinstance(paid, Order):
        return {"paid": True, "why": "", "order": views(core, [paid])[0]}
    return {"paid": False, "why": paid.why, "order": view(order, {})}


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("pos", __name__, url_prefix="/_sandbox")
    door.before_request(guard)
    for kind in (LookupError, ValueError, TypeError):
        door.register_error_handler(kind, complain)

    @door.post("/pos/payments")
    def pay_at_pos() -> tuple[Response, int]:
        return jsonify(insert_card(core, asked())), 201

    return door
