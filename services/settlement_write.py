"""Settle, step three: write each table once, comparing with what was read. A count that differs undoes the whole batch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from models.refunds import RefundState
from services.arrays import array

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection, TextClause
    from sqlalchemy.orm import Session

    from services.settlement_decide import Batch


class BatchDisagrees(Exception):
    """A row was no longer as it had been read. Nothing of the batch may stand."""


def _insert(table: str, columns: dict[str, str]) -> TextClause:
    """INSERT … SELECT FROM unnest: one statement for all rows, one parameter a column."""
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in columns.items())
    names = ", ".join(columns)
    return text(f"INSERT INTO {table} ({names}) SELECT {names} FROM unnest({arrays}) AS t({names})")  # noqa: S608 - our own words only


INSERTS: dict[str, tuple[TextClause, list[str]]] = {
    table: (_insert(table, columns), list(columns))
    for table, columns in {
        "payments": {
            "id": "uuid", "payment_no": "text", "origin": "text", "channel": "text", "merchant": "text", "miniprogram": "text",
            "amount_fen": "bigint", "state": "text", "provider_payment_no": "text", "paid_at": "timestamptz",
            "refunded_fen": "bigint", "told_refunded_fen": "bigint", "created_at": "timestamptz",
        },
        "contribution_records": {
            "enrollment_id": "bigint", "insurance_type": "text", "coverage_month": "bigint", "kind": "text", "bill_id": "bigint",
            "payment_id": "uuid", "amount_fen": "bigint", "state": "text", "paid_at": "timestamptz",
        },
        "transfers": {
            "debit_account": "text", "credit_account": "text", "amount_fen": "bigint", "kind": "text", "payment_id": "uuid",
            "bill_id": "bigint", "notice_id": "uuid", "who": "text", "at": "timestamptz",
        },
        "refunds": {
            "payment_id": "uuid", "refund_no": "text", "provider_refund_no": "text", "origin": "text", "amount_fen": "bigint",
            "state": "text", "created_at": "timestamptz", "refunded_at": "timestamptz",
        },
        "moves": {
            "noun": "text", "row_id": "text", "from_state": "text", "to_state": "text", "why": "text", "who": "text", "at": "timestamptz",
        },
        "messages": {"account_id": "uuid", "template": "text", "facts": "jsonb", "created_at": "timestamptz"},
    }.items()
}  # fmt: skip

UPDATE_PAYMENTS = text("""
    UPDATE payments p SET state = t.new_state, provider_payment_no = t.provider_no, paid_at = t.paid_at, refunded_fen = t.refunded,
        told_refunded_fen = t.told,
        next_ask_at = CASE WHEN t.new_state IN ('CREATED', 'OPEN') THEN p.next_ask_at END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:old AS text[]), CAST(:new AS text[]), CAST(:provider_nos AS text[]),
                CAST(:paid_ats AS timestamptz[]), CAST(:refunded AS bigint[]), CAST(:told AS bigint[]))
         AS t(id, old_state, new_state, provider_no, paid_at, refunded, told)
    WHERE p.id = t.id AND p.state = t.old_state
""")
UPDATE_ORDERS = text("""
    UPDATE payment_orders o SET state = t.new_state, closed_why = t.closed_why
    FROM unnest(CAST(:ids AS bigint[]), CAST(:old AS text[]), CAST(:new AS text[]), CAST(:whys AS text[])) AS t(id, old_state, new_state, closed_why)
    WHERE o.id = t.id AND o.state = t.old_state
""")
UPDATE_BILLS = text("""
    UPDATE contribution_bills b SET state = t.new_state
    FROM unnest(CAST(:ids AS bigint[]), CAST(:old AS text[]), CAST(:new AS text[])) AS t(id, old_state, new_state)
    WHERE b.id = t.id AND b.state = t.old_state
""")
UPDATE_LINES = text("""
    UPDATE payment_order_lines l SET live = t.live
    FROM unnest(CAST(:orders AS bigint[]), CAST(:bills AS bigint[]), CAST(:live AS boolean[])) AS t(order_id, bill_id, live)
    WHERE l.order_id = t.order_id AND l.bill_id = t.bill_id
""")
UPDATE_REFUNDS = text("""
    UPDATE refunds r SET state = t.new_state, provider_refund_no = t.provider_no, refunded_at = t.refunded_at,
        next_ask_at = CASE WHEN t.new_state IN ('SENT', 'ABNORMAL') THEN r.next_ask_at END
    FROM unnest(CAST(:ids AS bigint[]), CAST(:old AS text[]), CAST(:new AS text[]), CAST(:provider_nos AS text[]),
                CAST(:ats AS timestamptz[])) AS t(id, old_state, new_state, provider_no, refunded_at)
    WHERE r.id = t.id AND r.state = t.old_state
""")
END_LINES = text("UPDATE refund_lines SET live = false WHERE refund_id = ANY(CAST(:ids AS bigint[])) AND live")
REVERSE_RECORDS = text("""
    UPDATE contribution_records r SET state = 'REVERSED'
    FROM unnest(CAST(:payments AS uuid[]), CAST(:bills AS bigint[])) AS t(payment_id, bill_id)
    WHERE r.payment_id = t.payment_id AND r.bill_id = t.bill_id AND r.state <> 'REVERSED'
""")
UPDATE_NOTICES = text("""
    UPDATE notices n SET state = t.state, outcome = t.outcome, settled_at = t.at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:outcomes AS text[]), CAST(:ats AS timestamptz[])) AS t(id, state, outcome, at)
    WHERE n.id = t.id AND n.state = 'WAITING'
""")


def write_batch(session: Session, batch: Batch) -> None:
    """Write what was decided. Raises BatchDisagrees, or IntegrityError where a constraint knows better."""
    connection = session.connection()
    _insert_rows(connection, "payments", batch.new_payment_rows)
    _update_payments(connection, batch)
    orders = [order for order in batch.held.orders.values() if order.state != order.read_state]
    _exactly(connection, UPDATE_ORDERS, len(orders), {
        "ids": [o.id for o in orders], "old": [o.read_state for o in orders], "new": [o.state for o in orders],
        "whys": [o.closed_why for o in orders],
    })  # fmt: skip
    bills = list({bill.id: bill for held in batch.held.bills.values() for bill in held}.values())
    moved = [bill for bill in bills if bill.state != bill.read_state]
    _exactly(connection, UPDATE_BILLS, len(moved), {
        "ids": [b.id for b in moved], "old": [b.read_state for b in moved], "new": [b.state for b in moved],
    })  # fmt: skip
    passed_on = [bill for bill in bills if bill.held_by != bill.read_held_by]
    # Given back before taken: at no moment do two live lines name one bill.
    for live, lines in (
        (False, [(b.read_held_by, b.id) for b in passed_on if b.read_held_by is not None]),
        (True, [(b.held_by, b.id) for b in passed_on if b.held_by is not None]),
    ):
        _exactly(connection, UPDATE_LINES, len(lines), {
            "orders": [order for order, _ in lines], "bills": [bill for _, bill in lines], "live": [live] * len(lines),
        })  # fmt: skip
    _insert_rows(connection, "contribution_records", batch.records)
    _insert_rows(connection, "refunds", batch.refunds)
    _update_refunds(connection, batch)
    _insert_rows(connection, "transfers", batch.transfers)
    _insert_rows(connection, "moves", batch.moves)
    _insert_rows(
        connection, "messages", [(who, template, json.dumps(facts), at) for who, template, facts, at in batch.messages]
    )
    notices = batch.notice_rows()
    ids, states, outcomes, ats = (list(column) for column in zip(*notices, strict=True))
    _exactly(connection, UPDATE_NOTICES, len(notices), {
        "ids": ids, "states": states, "outcomes": outcomes, "ats": ats,
    })  # fmt: skip


def _update_payments(connection: Connection, batch: Batch) -> None:
    new = {payment.id for payment in batch.new_payments}
    held = {p.id: p for p in (*batch.held.payments.values(), *batch.held.by_provider_no.values()) if p.id not in new}
    changed = [
        p
        for p in held.values()
        if (p.state, p.refunded_fen, p.told_refunded_fen) != (p.read_state, p.read_refunded_fen, p.read_told_fen)
    ]
    _exactly(connection, UPDATE_PAYMENTS, len(changed), {
        "ids": [p.id for p in changed], "old": [p.read_state for p in changed], "new": [p.state for p in changed],
        "provider_nos": [p.provider_payment_no for p in changed], "paid_ats": [p.paid_at for p in changed],
        "refunded": [p.refunded_fen for p in changed], "told": [p.told_refunded_fen for p in changed],
    })  # fmt: skip


def _update_refunds(connection: Connection, batch: Batch) -> None:
    moved = [each for p in batch.held.payments.values() for each in p.refunds.values() if each.state != each.read_state]
    _exactly(connection, UPDATE_REFUNDS, len(moved), {
        "ids": [r.id for r in moved], "old": [r.read_state for r in moved], "new": [r.state for r in moved],
        "provider_nos": [r.provider_refund_no for r in moved], "ats": [r.refunded_at for r in moved],
    })  # fmt: skip
    over = [line for r in moved if r.state == RefundState.FAILED for line in r.lines]
    _exactly(connection, END_LINES, len(over), {"ids": [r.id for r in moved if r.state == RefundState.FAILED]})
    pairs = batch.reversed_records
    _exactly(connection, REVERSE_RECORDS, len(pairs), {
        "payments": [payment for payment, _ in pairs], "bills": [bill for _, bill in pairs],
    })  # fmt: skip


def _insert_rows(connection: Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    columns = list(zip(*rows, strict=True))
    if not columns:
        return
    statement, names = INSERTS[table]
    connection.execute(statement, {name: array(column) for name, column in zip(names, columns, strict=True)})


def _exactly(connection: Connection, statement: TextClause, count: int, given: dict[str, list[Any]]) -> None:
    if count == 0:
        return
    touched = connection.execute(statement, {name: array(values) for name, values in given.items()}).rowcount
    if touched != count:
        raise BatchDisagrees(f"{statement.text.split()[1]}: {touched} rows of {count}")
