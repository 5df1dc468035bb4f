"""The levers on the banks: let them work through their folders, say what lies on a card, look into their ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify, request

from sandbox.control import BadOrderError, asked, complain, guard, needed

if TYPE_CHECKING:
    from sandbox.core import Core


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("banks", __name__, url_prefix="/_sandbox/banks")
    door.before_request(guard)
    for kind in (LookupError, ValueError, TypeError):
        door.register_error_handler(kind, complain)

    @door.post("/work")
    def work() -> Response:
        given = asked()
        return jsonify(core.banks.work(given.get("unit"), file_fault=given.get("file_fault")))

    @door.post("/accounts")
    def set_account() -> Response:
        given = asked()
        balance = given.get("balance_fen")
        if balance is not None and not isinstance(balance, int):
            raise BadOrderError("balance_fen is a number")
        core.banks.set_account(needed(given, "card"), state=str(given.get("state") or ""), balance_fen=balance)
        return jsonify(set=True)

    @door.post("/random")
    def misbehave_at_random() -> Response:
        given = asked()
        core.banks.misbehave_at_random(seed=str(given.get("seed", "")), rate=float(given.get("rate", 0)))
        return jsonify(set=True)

    @door.get("/lines")
    def list_lines() -> Response:
        return jsonify(lines=core.banks.lines(request.args.get("unit")))

    return door
