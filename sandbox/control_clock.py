"""The lever on the sandbox's clock: who plays a month in a minute sets the time by hand, and notices, bills and signatures follow."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify

from sandbox import notices
from sandbox.control import BadOrderError, asked, complain, guard
from sandbox.core import BEIJING, HandClock, read_rfc3339

if TYPE_CHECKING:
    from sandbox.core import Core

DELIVERED_WITHIN_SECONDS = 60.0


def told(core: Core) -> dict[str, Any]:
    due_at = notices.next_due_at(core.store)
    return {
        "now": _written(core.now()),
        "undelivered": notices.due(core.store, core.now()),
        "next_due_at": None if due_at is None else _written(due_at),
    }


def _written(at: float) -> str:
    return dt.datetime.fromtimestamp(at, BEIJING).isoformat()


def _set(core: Core, given: dict[str, Any]) -> None:
    if not isinstance(core.clock, HandClock):
        raise BadOrderError("this sandbox was made with a clock of its own")
    if "now" in given:
        wanted = given["now"]
        at = read_rfc3339(wanted) if isinstance(wanted, str) else None
        if wanted is not None and at is None:
            raise BadOrderError("now must be an instant with its offset, such as 2026-10-01T08:00:00+08:00, or null")
        core.clock.set(at)
        core.courier.wake()


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("clock", __name__, url_prefix="/_sandbox")
    door.before_request(guard)
    for kind in (LookupError, ValueError, TypeError):
        door.register_error_handler(kind, complain)

    @door.get("/clock")
    def show() -> Response:
        return jsonify(told(core))

    @door.post("/clock")
    def put() -> Response:
        """Set the time; with `deliver`, answer only when every notice that is due by then was tried."""
        given = asked()
        _set(core, given)
        if given.get("deliver"):
            notices.wait_until_tried(core.store, core.clock, timeout_seconds=DELIVERED_WITHIN_SECONDS)
        return jsonify(told(core))

    return door
