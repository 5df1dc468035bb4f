"""Banks that print slips: money over a counter that no machine reports. What is in the drawer stands in the ledger all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify

from sandbox import orders, users
from sandbox.control import BadOrderError, asked, complain, guard, needed

if TYPE_CHECKING:
    from sandbox.core import Core

CHANNEL = "slip"
Told = dict[str, Any]


def take_money(core: Core, given: Told) -> Told:
    """Into the drawer, once for each slip; the number on it is the bank's and its serial."""
    number, amount_fen = f"{needed(given, 'bank')}-{needed(given, 'serial')}", int(given.get("amount_fen", 0))
    if amount_fen < 1:
        raise BadOrderError("amount_fen must be at least 1")
    now = core.now()
    with core.store.transaction() as db:
        placed, order = orders.place(
            core.store, channel=CHANNEL, merchant=needed(given, "merchant"), out_trade_no=number, app_id="slip", amount_fen=amount_fen,
            payer=None, description="柜面缴款凭证", notify_url="", request=orders.canonical({"amount_fen": amount_fen}), now=now,
            expires_at=now,
        )  # fmt: skip
        if placed is orders.Placed.DIFFERENT:
            raise BadOrderError(f"{number} was printed for another amount")
        orders.mark_paid(
            db, order, paid_fen=amount_fen, currency="CNY", charset="utf-8", key_kind="slip", finished=False, now=now
        )
    return {"number": number, "taken_fen": amount_fen}


def pay_out(core: Core, given: Told) -> Told:
    """Give money back over the counter, once for each refund of Canbao's."""
    number, refund_no, amount_fen = needed(given, "number"), needed(given, "refund_no"), int(given.get("amount_fen", 0))
    with core.store.transaction() as db:
        order = orders.find(core.store, CHANNEL, needed(given, "merchant"), number)
        if order is None:
            raise users.UnknownError(f"no slip {number}")
        if orders.find_refund(core.store, *order.key, refund_no) is None:
            if not 1 <= amount_fen <= orders.refundable_fen(core.store, order):
                raise BadOrderError("there is not so much to give back")
            kept = orders.keep_refund(
                core.store, order, out_refund_no=refund_no, amount_fen=amount_fen, reason=None, notify_url=None, request="{}",
                now=core.now(),
            )  # fmt: skip
            orders.settle_refund(db, kept, state="SUCCESS", now=core.now())
    return {"number": number, "refund_no": refund_no}


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("slips", __name__, url_prefix="/_sandbox/slips")
    door.before_request(guard)
    for kind in (LookupError, ValueError, TypeError):
        door.register_error_handler(kind, complain)

    @door.post("")
    def take() -> tuple[Response, int]:
        return jsonify(take_money(core, asked())), 201

    @door.post("/pay-outs")
    def give_back() -> tuple[Response, int]:
        return jsonify(pay_out(core, asked())), 201

    return door
