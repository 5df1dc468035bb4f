"""The journal, read: balances of named accounts, and everything that one payment ever did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from services.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

BALANCES = text("""
    SELECT account, sum(amount_fen)::bigint AS balance_fen FROM (
        SELECT debit_account AS account, amount_fen FROM transfers
        UNION ALL SELECT credit_account, -amount_fen FROM transfers) AS sides
    GROUP BY account ORDER BY account
""")


def balances(session: Session) -> dict[str, int]:
    """Every account's balance in fen. What we hold (clearing) is positive when debited; what we owe is shown positive when credited."""
    return {
        row.account: row.balance_fen if row.account.startswith("clearing:") else -row.balance_fen
        for row in session.execute(BALANCES)
    }


LATEST = text("""
    SELECT t.id, t.at, t.debit_account, t.credit_account, t.amount_fen, t.kind, p.payment_no
    FROM transfers t JOIN payments p ON p.id = t.payment_id ORDER BY t.id DESC LIMIT :limit
""")


def latest_transfers(session: Session, *, limit: int = 50) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in session.execute(LATEST, {"limit": limit})]  # noqa: SLF001 - SQLAlchemy's public name for it


@dataclass(frozen=True, kw_only=True)
class Event:
    """One row that touched a payment's money."""

    at: datetime
    table: str
    what: str


EXPLAIN = text("""
    WITH p AS (SELECT * FROM payments WHERE payment_no = :no),
         lines AS (SELECT l.*, b.bill_no, b.coverage_month, b.insurance_type FROM payment_order_lines l
                   JOIN contribution_bills b ON b.id = l.bill_id WHERE l.order_id IN (SELECT order_id FROM p))
    SELECT created_at AS at, 'payments' AS "table", format('%s %s:%s %s fen, their number %s, now %s', origin, channel, merchant,
           amount_fen, coalesce(provider_payment_no, '-'), state) AS what FROM p
    UNION ALL SELECT o.created_at, 'payment_orders', format('order %s, %s fen, now %s%s', o.order_no, o.total_fen, o.state,
           coalesce(' (' || o.closed_why || ')', '')) FROM payment_orders o JOIN p ON p.order_id = o.id
    UNION ALL SELECT o.created_at, 'payment_order_lines', format('bill %s: %s of %s, %s fen%s', l.bill_no, l.insurance_type,
           l.coverage_month, l.amount_fen, CASE WHEN l.live THEN '' ELSE ' (given back)' END)
           FROM lines l JOIN payment_orders o ON o.id = l.order_id
    UNION ALL SELECT n.received_at, 'notices', format('%s by %s: %s, %s fen, their number %s → %s %s', n.kind,
           CASE WHEN n.content_sealed IS NULL THEN 'answer' ELSE 'notice' END, n.notification_id, coalesce(n.amount_fen::text, '-'),
           coalesce(n.provider_payment_no, '-'), n.state, coalesce(n.outcome, ''))
           FROM notices n JOIN p ON n.payment_no = p.payment_no OR (n.merchant_account = p.channel || ':' || p.merchant
                AND n.provider_payment_no = p.provider_payment_no)
    UNION ALL SELECT m.at, 'moves', format('%s %s: %s → %s, %s, by %s', m.noun, m.row_id, m.from_state, m.to_state, m.why, m.who)
           FROM moves m WHERE (m.noun = 'payment' AND m.row_id = (SELECT id::text FROM p))
                OR (m.noun = 'payment_order' AND m.row_id = (SELECT order_id::text FROM p))
                OR (m.noun = 'refund' AND m.row_id IN (SELECT f.id::text FROM refunds f JOIN p ON p.id = f.payment_id))
                OR (m.noun = 'contribution_bill' AND m.row_id IN (SELECT bill_id::text FROM lines)
                    AND m.at >= (SELECT created_at FROM p))
    UNION ALL SELECT t.at, 'transfers', format('%s: %s fen from %s to %s%s', t.kind, t.amount_fen, t.debit_account, t.credit_account,
           coalesce(', ' || t.reason, '')) FROM transfers t JOIN p ON p.id = t.payment_id
    UNION ALL SELECT t.at, 'contribution_records', format('%s of %s: %s fen, paid %s, now %s', r.insurance_type, r.coverage_month,
           r.amount_fen, to_char(r.paid_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SSZ'), r.state)
           FROM contribution_records r JOIN p ON p.id = r.payment_id JOIN transfers t ON t.payment_id = r.payment_id AND t.bill_id = r.bill_id
    UNION ALL SELECT f.created_at, 'refunds', format('%s %s fen back, number %s, their number %s, now %s%s%s', f.origin, f.amount_fen,
           f.refund_no, coalesce(f.provider_refund_no, '-'), f.state, coalesce(', ' || f.reason, ''), coalesce(' (' || f.fault || ')', ''))
           FROM refunds f JOIN p ON p.id = f.payment_id
    ORDER BY 1, 2, 3
""")


def explain(session: Session, *, payment_no: str) -> list[Event]:
    """Every row that touched this money, in time order. Takes our payment number or the order's. Raises NotFound."""
    found = session.scalar(
        text(
            "SELECT p.payment_no FROM payments p LEFT JOIN payment_orders o ON o.id = p.order_id "
            "WHERE p.payment_no = :no OR o.order_no = :no OR p.provider_payment_no = :no ORDER BY p.created_at LIMIT 1"
        ),
        {"no": payment_no},
    )
    if found is None:
        raise NotFound
    return [Event(at=row.at, table=row.table, what=row.what) for row in session.execute(EXPLAIN, {"no": found})]
