"""What happened to a merchant's money on one Beijing day, and the short-lived files that tell of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox import orders
from sandbox.core import BEIJING, letters
from sandbox.orders import Order, Refund

if TYPE_CHECKING:
    from sandbox.core import Core
    from sandbox.store import Row

READY_HOUR = 9
DAY_SECONDS = 86400


@dataclass(frozen=True, kw_only=True)
class Day:
    """A merchant's day: what was paid in it, and which refunds were begun in it."""

    date: str
    paid: list[Order]
    refunds: list[tuple[Order, Refund]]

    @property
    def is_empty(self) -> bool:
        return not self.paid and not self.refunds


def start_of(date: str) -> float | None:
    """Return when this Beijing day (yyyy-MM-dd) began, or nothing for another format."""
    try:
        begun = dt.datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=BEIJING)
    except ValueError:
        return None
    return begun.timestamp() if begun.strftime("%Y-%m-%d") == date else None


def is_ready(core: Core, begun: float) -> bool:
    """A day's bill is made on the next morning; the control API may lift that for those who cannot wait."""
    return bool(core.store.setting("bills_at_once")) or core.now() >= begun + DAY_SECONDS + READY_HOUR * 3600


def of_day(core: Core, *, channel: str, merchant: str, begun: float) -> Day:
    ended = begun + DAY_SECONDS
    paid = core.store.rows(
        "SELECT out_trade_no FROM orders WHERE channel = ? AND merchant = ? AND paid_at >= ? AND paid_at < ?"
        " ORDER BY paid_at, out_trade_no",
        *(channel, merchant, begun, ended),
    )
    back = core.store.rows(
        "SELECT out_trade_no, out_refund_no FROM refunds WHERE channel = ? AND merchant = ? AND state <> 'CLOSED'"
        " AND created_at >= ? AND created_at < ? ORDER BY created_at, out_refund_no",
        *(channel, merchant, begun, ended),
    )
    pairs = []
    for row in back:
        order = orders.must_find(core.store, (channel, merchant, row["out_trade_no"]))
        pairs.append((order, orders.must_find_refund(core.store, order, row["out_refund_no"])))
    found = [orders.must_find(core.store, (channel, merchant, row["out_trade_no"])) for row in paid]
    return Day(date=dt.datetime.fromtimestamp(begun, BEIJING).strftime("%Y-%m-%d"), paid=found, refunds=pairs)


def keep_file(core: Core, *, merchant: str, content: bytes, lasts_seconds: float) -> str:
    """Put a file aside for a while; its token is its address."""
    token = letters(48)
    with core.store.transaction() as db:
        db.execute("DELETE FROM bill_files WHERE expires_at < ?", (core.now(),))
        db.execute("INSERT INTO bill_files VALUES (?, ?, ?, ?)", (token, merchant, content, core.now() + lasts_seconds))
    return token


def find_file(core: Core, token: str) -> Row | None:
    return core.store.row("SELECT * FROM bill_files WHERE token = ? AND expires_at >= ?", token, core.now())
