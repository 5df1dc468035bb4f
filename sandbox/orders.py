"""Orders and the money behind them, alike for both channels: placed, paid, closed, sent back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sandbox import fees
from sandbox.core import day, digits

if TYPE_CHECKING:
    from sandbox.store import Db, Row, Store


class State(StrEnum):
    """Where an order stands; money that went back is told by `refunded_fen`, not by a state."""

    OPEN = "OPEN"
    PAID = "PAID"
    CLOSED = "CLOSED"


class Placed(StrEnum):
    """What became of a request for an order."""

    NEW = "NEW"
    SAME = "SAME"
    DIFFERENT = "DIFFERENT"


@dataclass(frozen=True, kw_only=True)
class Order:
    """One order as the provider keeps it; `request` is what was asked, in canonical JSON."""

    channel: str
    merchant: str
    out_trade_no: str
    app_id: str
    provider_no: str
    state: State
    amount_fen: int
    paid_fen: int
    refunded_fen: int
    currency: str
    payer: str | None
    description: str
    notify_url: str
    attach: str | None
    charset: str
    request: str
    created_at: float
    expires_at: float
    paid_at: float | None
    closed_at: float | None
    finished: bool
    key_kind: str

    @property
    def is_wholly_refunded(self) -> bool:
        return self.refunded_fen > 0 and self.refunded_fen >= self.paid_fen

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.channel, self.merchant, self.out_trade_no)


@dataclass(frozen=True, kw_only=True)
class Refund:
    """Money on its way back, or back; state is PROCESSING, SUCCESS, ABNORMAL or CLOSED."""

    channel: str
    merchant: str
    out_trade_no: str
    out_refund_no: str
    refund_id: str
    amount_fen: int
    state: str
    reason: str | None
    notify_url: str | None
    request: str
    created_at: float
    settled_at: float | None


def _order(row: Row) -> Order:
    values = dict(row)
    values["state"] = State(values["state"])
    values["finished"] = bool(values["finished"])
    return Order(**values)


def canonical(request: dict[str, Any]) -> str:
    return json.dumps(request, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def provider_number(channel: str, at: float) -> str:
    """Make a transaction number of the channel's look: 28 digits, at UnionPay 21."""
    if channel == "unionpay_pos":
        return f"{day(at)}{digits(13)}"
    return f"4200{digits(6)}{day(at)}{digits(10)}" if channel == "wechat_pay" else f"{day(at)}2200{digits(16)}"


def find(store: Store, channel: str, merchant: str, out_trade_no: str) -> Order | None:
    row = store.row(
        "SELECT * FROM orders WHERE channel = ? AND merchant = ? AND out_trade_no = ?", channel, merchant, out_trade_no
    )
    return None if row is None else _order(row)


def find_by_provider_no(store: Store, channel: str, merchant: str, provider_no: str) -> Order | None:
    row = store.row(
        "SELECT * FROM orders WHERE provider_no = ? AND channel = ? AND merchant = ?", provider_no, channel, merchant
    )
    return None if row is None else _order(row)


def find_anywhere(store: Store, channel: str, number: str) -> Order | None:
    """Find by our number or theirs, whoever the merchant is: for the cashier and the control API."""
    row = store.row(
        "SELECT * FROM orders WHERE channel = ? AND (out_trade_no = ? OR provider_no = ?) ORDER BY created_at DESC",
        channel,
        number,
        number,
    )
    return None if row is None else _order(row)


def newest(store: Store, limit: int) -> list[Order]:
    rows = store.rows("SELECT * FROM orders ORDER BY created_at DESC, rowid DESC LIMIT ?", limit)
    return [_order(row) for row in rows]


def place(
    store: Store,
    *,
    channel: str,
    merchant: str,
    out_trade_no: str,
    app_id: str,
    amount_fen: int,
    payer: str | None,
    description: str,
    notify_url: str,
    request: str,
    now: float,
    expires_at: float,
    attach: str | None = None,
    charset: str = "utf-8",
) -> tuple[Placed, Order]:
    """Keep a new order, or find the one that has this number; the caller says what a different request means."""
    with store.transaction() as db:
        known = find(store, channel, merchant, out_trade_no)
        if known is not None:
            return (Placed.SAME if known.request == request else Placed.DIFFERENT), known
        db.execute(
            "INSERT INTO orders (channel, merchant, out_trade_no, app_id, provider_no, state, amount_fen, payer,"
            " description, notify_url, attach, charset, request, created_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?, 'OPEN', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(channel, merchant, out_trade_no, app_id, provider_number(channel, now), amount_fen, payer),
                *(description, notify_url, attach, charset, request, now, expires_at),
            ),
        )
        return Placed.NEW, must_find(store, (channel, merchant, out_trade_no))


def must_find(store: Store, key: tuple[str, str, str]) -> Order:
    found = find(store, *key)
    if found is None:
        raise LookupError(f"no order {key}")
    return found


def mark_paid(
    db: Db, order: Order, *, paid_fen: int, currency: str, charset: str, key_kind: str, finished: bool, now: float
) -> bool:
    """Take the money once: false when the order is not open any more."""
    moved = db.execute(
        "UPDATE orders SET state = 'PAID', paid_fen = ?, currency = ?, charset = ?, key_kind = ?, finished = ?,"
        " paid_at = ? WHERE channel = ? AND merchant = ? AND out_trade_no = ? AND state = 'OPEN'",
        (paid_fen, currency, charset, key_kind, int(finished), now, *order.key),
    )
    return moved.rowcount == 1


def mark_closed(db: Db, order: Order, *, now: float) -> bool:
    moved = db.execute(
        "UPDATE orders SET state = 'CLOSED', closed_at = ?"
        " WHERE channel = ? AND merchant = ? AND out_trade_no = ? AND state = 'OPEN'",
        (now, *order.key),
    )
    return moved.rowcount == 1


def find_refund(store: Store, channel: str, merchant: str, out_trade_no: str, out_refund_no: str) -> Refund | None:
    row = store.row(
        "SELECT * FROM refunds WHERE channel = ? AND merchant = ? AND out_trade_no = ? AND out_refund_no = ?",
        *(channel, merchant, out_trade_no, out_refund_no),
    )
    return None if row is None else Refund(**dict(row))


def find_refund_by_number(store: Store, channel: str, merchant: str, out_refund_no: str) -> Refund | None:
    """WeChat Pay's refund numbers are unique to the merchant, not to the order."""
    row = store.row(
        "SELECT * FROM refunds WHERE channel = ? AND merchant = ? AND out_refund_no = ?",
        *(channel, merchant, out_refund_no),
    )
    return None if row is None else Refund(**dict(row))


def refunds_of(store: Store, order: Order) -> list[Refund]:
    rows = store.rows(
        "SELECT * FROM refunds WHERE channel = ? AND merchant = ? AND out_trade_no = ? ORDER BY created_at", *order.key
    )
    return [Refund(**dict(row)) for row in rows]


def refundable_fen(store: Store, order: Order) -> int:
    """What may still be sent back: what was paid less every refund that has not failed."""
    promised = sum(each.amount_fen for each in refunds_of(store, order) if each.state != "CLOSED")
    return order.paid_fen - promised


def keep_refund(
    store: Store,
    order: Order,
    *,
    out_refund_no: str,
    amount_fen: int,
    reason: str | None,
    notify_url: str | None,
    request: str,
    now: float,
) -> Refund:
    with store.transaction() as db:
        db.execute(
            "INSERT INTO refunds VALUES (?, ?, ?, ?, ?, ?, 'PROCESSING', ?, ?, ?, ?, NULL)",
            (*order.key, out_refund_no, f"5030{digits(24)}", amount_fen, reason, notify_url, request, now),
        )
        return must_find_refund(store, order, out_refund_no)


def must_find_refund(store: Store, order: Order, out_refund_no: str) -> Refund:
    found = find_refund(store, *order.key, out_refund_no)
    if found is None:
        raise LookupError(f"no refund {out_refund_no} of {order.key}")
    return found


def settle_refund(db: Db, refund: Refund, *, state: str, now: float) -> bool:
    """Decide a refund once; SUCCESS is when the money leaves the merchant's account."""
    moved = db.execute(
        "UPDATE refunds SET state = ?, settled_at = ? WHERE channel = ? AND merchant = ? AND out_trade_no = ?"
        " AND out_refund_no = ? AND state IN ('PROCESSING', 'ABNORMAL') AND state <> ?",
        (state, now, refund.channel, refund.merchant, refund.out_trade_no, refund.out_refund_no, state),
    )
    if moved.rowcount and state == "SUCCESS":
        db.execute(
            "UPDATE orders SET refunded_fen = refunded_fen + ? WHERE channel = ? AND merchant = ? AND out_trade_no = ?",
            (refund.amount_fen, refund.channel, refund.merchant, refund.out_trade_no),
        )
    return moved.rowcount == 1


def money(store: Store) -> dict[str, int]:
    """What each merchant's account at the provider holds: taken less sent back, less the provider's fee, in fen."""
    rows = store.rows(
        "SELECT channel || ':' || merchant AS account, SUM(paid_fen - refunded_fen) AS fen"
        " FROM orders GROUP BY channel, merchant"
    )
    held = {row["account"]: int(row["fen"]) for row in rows}
    for account, rate in fees.rates(store).items():
        paid = store.rows(
            "SELECT paid_fen FROM orders WHERE channel || ':' || merchant = ? AND currency = ?", account, fees.RMB
        )
        held[account] = held.get(account, 0) - sum(fees.taken_fen(row["paid_fen"] or 0, rate) for row in paid)
    return held
