"""Settle, step one: read waiting notices with what we hold about their payments, as flat rows, locked in the one order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from models.journal import clearing
from models.payments import PaymentState
from services.arrays import array

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session


RMB: Final = "CNY"


@dataclass(frozen=True, slots=True)
class WaitingNotice:
    id: uuid.UUID
    merchant_account: str
    miniprogram: str
    kind: str
    payment_no: str
    provider_payment_no: str | None
    amount_fen: int | None
    currency: str
    happened_at: datetime | None
    refund_no: str | None
    provider_refund_no: str | None
    refund_fen: int | None
    refunded_total_fen: int | None
    received_at: datetime

    @property
    def is_foreign(self) -> bool:
        """Another currency is named; not merely none, or no amount."""
        return self.currency not in ("", RMB)

    @property
    def channel(self) -> str:
        return self.merchant_account.partition(":")[0]

    @property
    def merchant(self) -> str:
        return self.merchant_account.partition(":")[2]


@dataclass(slots=True)
class HeldRefund:
    """A refund of this payment, ordered by us or seen before."""

    id: int
    payment_id: uuid.UUID
    refund_no: str
    provider_refund_no: str | None
    origin: str
    reason: str | None
    amount_fen: int
    state: str
    refunded_at: datetime | None
    lines: list[HeldRefundLine] = field(default_factory=list)
    read_state: str = field(default="", kw_only=True)


@dataclass(frozen=True, slots=True)
class HeldRefundLine:
    id: int
    bill_id: int | None
    from_account: str
    amount_fen: int


@dataclass(slots=True)
class HeldPayment:
    """A payment as it stands; moved in memory by one notice, so that the next one sees it moved."""

    id: uuid.UUID
    payment_no: str
    order_id: int | None
    channel: str
    merchant: str
    amount_fen: int
    state: str
    provider_payment_no: str | None
    paid_at: datetime | None
    refunded_fen: int
    told_refunded_fen: int = 0
    refunds: dict[str, HeldRefund] = field(default_factory=dict)
    """By number. What only was seen stands here too, so that it is seen once."""
    read_state: str = field(default="", kw_only=True)
    """The state it was read in: what the write compares with."""
    read_refunded_fen: int = field(default=0, kw_only=True)
    read_told_fen: int = field(default=0, kw_only=True)

    @property
    def clearing(self) -> str:
        return clearing(self.channel, self.merchant)

    @property
    def is_live(self) -> bool:
        return self.state in (PaymentState.CREATED, PaymentState.OPEN)


@dataclass(slots=True)
class HeldOrder:
    id: int
    order_no: str
    payer_account_id: uuid.UUID | None
    state: str
    closed_why: str | None = None
    read_state: str = field(default="", kw_only=True)


@dataclass(slots=True)
class HeldBill:
    """One bill, shared by all orders of the batch that name it: what one order's notice does to it, the other's sees."""

    id: int
    enrollment_id: int
    insurance_type: str
    coverage_month: int
    kind: str
    authority: str
    amount_fen: int
    state: str
    read_state: str = field(default="", kw_only=True)
    held_by: int | None = field(default=None, kw_only=True)
    """The order of this batch whose line reserves it. A bill held by an order outside the batch says so by its state alone."""
    read_held_by: int | None = field(default=None, kw_only=True)


@dataclass(slots=True)
class Held:
    """Everything one batch needs, read once."""

    notices: list[WaitingNotice]
    payments: dict[str, HeldPayment]
    """By our payment number."""
    by_provider_no: dict[tuple[str, str, str], HeldPayment]
    """By (channel, merchant, their number)."""
    orders: dict[int, HeldOrder]
    bills: dict[int, list[HeldBill]]
    """By order."""


NOTICES = """
    SELECT id, merchant_account, miniprogram, kind, payment_no, provider_payment_no, amount_fen, currency, happened_at,
           refund_no, provider_refund_no, refund_fen, refunded_total_fen, received_at
    FROM notices WHERE state = 'WAITING' {which} ORDER BY id LIMIT :limit FOR UPDATE {skip}
"""
PAYMENTS = text("""
    SELECT id, payment_no, order_id, channel, merchant, amount_fen, state, provider_payment_no, paid_at, refunded_fen,
           told_refunded_fen
    FROM payments WHERE id IN (
        SELECT id FROM payments WHERE payment_no = ANY(CAST(:payment_nos AS text[]))
        UNION
        SELECT p.id FROM unnest(CAST(:channels AS text[]), CAST(:merchants AS text[]), CAST(:provider_nos AS text[])) AS n(c, m, no)
        JOIN payments p ON p.channel = n.c AND p.merchant = n.m AND p.provider_payment_no = n.no)
    ORDER BY id FOR UPDATE
""")
ORDERS = text(
    "SELECT id, order_no, payer_account_id, state, closed_why FROM payment_orders WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR UPDATE"
)
BILLS = text("""
    SELECT l.order_id, l.live, b.id, b.enrollment_id, b.insurance_type, b.coverage_month, b.kind, b.authority, l.amount_fen, b.state
    FROM payment_order_lines l JOIN contribution_bills b ON b.id = l.bill_id
    WHERE l.order_id = ANY(CAST(:ids AS bigint[])) ORDER BY b.id FOR UPDATE OF b
""")
REFUNDS = text("""
    SELECT id, payment_id, refund_no, provider_refund_no, origin, reason, amount_fen, state, refunded_at
    FROM refunds WHERE payment_id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE
""")
REFUND_LINES = text("""
    SELECT refund_id, id, bill_id, from_account, amount_fen FROM refund_lines WHERE refund_id = ANY(CAST(:ids AS bigint[])) ORDER BY id
""")


def read_batch(session: Session, *, limit: int, payment_no: str | None = None, notice_id: uuid.UUID | None = None) -> Held:
    """Read and lock a batch. Notices that another settler holds are skipped; payments, orders and bills are waited for.

    Who asks for one payment waits for its notices as well: they want to know what became of it, not that somebody is at it.
    """
    connection = session.connection()
    which, skip, given = "", "SKIP LOCKED", dict[str, Any](limit=limit)
    if payment_no is not None:
        which, skip, given = "AND payment_no = :payment_no", "", {"limit": limit, "payment_no": payment_no}
    elif notice_id is not None:
        which, given = "AND id = :notice_id", {"limit": limit, "notice_id": notice_id}
    notices = [WaitingNotice(*row) for row in connection.execute(text(NOTICES.format(which=which, skip=skip)), given).all()]
    held = Held(notices, {}, {}, {}, {})
    if notices:
        _read_payments(connection, held)
        _read_orders(connection, held)
        _read_refunds(connection, held)
    return held


def _read_payments(connection: Connection, held: Held) -> None:
    known = [notice for notice in held.notices if notice.provider_payment_no is not None]
    rows = connection.execute(
        PAYMENTS,
        {
            "payment_nos": array({notice.payment_no for notice in held.notices}),
            "channels": array(notice.channel for notice in known),
            "merchants": array(notice.merchant for notice in known),
            "provider_nos": array(notice.provider_payment_no for notice in known),
        },
    )
    for row in rows.all():
        payment = HeldPayment(
            *row, read_state=row.state, read_refunded_fen=row.refunded_fen, read_told_fen=row.told_refunded_fen
        )
        held.payments[payment.payment_no] = payment
        if payment.provider_payment_no is not None:
            held.by_provider_no[payment.channel, payment.merchant, payment.provider_payment_no] = payment


def _read_orders(connection: Connection, held: Held) -> None:
    ids = array(payment.order_id for payment in held.payments.values() if payment.order_id is not None)
    for row in connection.execute(ORDERS, {"ids": ids}).all():
        held.orders[row.id] = HeldOrder(*row, read_state=row.state)
    bills: dict[int, HeldBill] = {}
    for order_id, live, *columns in connection.execute(BILLS, {"ids": ids}).all():
        bill = bills.setdefault(columns[0], HeldBill(*columns, read_state=columns[-1]))
        held.bills.setdefault(order_id, []).append(bill)
        if live:
            bill.held_by = bill.read_held_by = order_id


def _read_refunds(connection: Connection, held: Held) -> None:
    if all(notice.refund_no is None and notice.provider_refund_no is None for notice in held.notices):
        return
    by_id = {payment.id: payment for payment in held.payments.values()}
    refunds: dict[int, HeldRefund] = {}
    for row in connection.execute(REFUNDS, {"ids": array(by_id)}).all():
        refund = refunds[row.id] = HeldRefund(*row, read_state=row.state)
        by_id[row.payment_id].refunds[row.refund_no] = refund
    for refund_id, *columns in connection.execute(REFUND_LINES, {"ids": array(refunds)}).all():
        refunds[refund_id].lines.append(HeldRefundLine(*columns))
