"""The journal, read: balances of named accounts, and everything that one payment ever did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from services.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable
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
    FROM transfers t LEFT JOIN payments p ON p.id = t.payment_id ORDER BY t.id DESC LIMIT :limit
""")


def latest_transfers(session: Session, *, limit: int = 50) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in session.execute(LATEST, {"limit": limit})]  # noqa: SLF001 - SQLAlchemy's public name for it


@dataclass(frozen=True, kw_only=True)
class Event:
    """One row that touched a payment's money."""

    at: datetime
    table: str
    facts: dict[str, Any]
    """What the row says, by column."""

    @property
    def what(self) -> str:
        """The same in one line."""
        return SENTENCES[self.table](self.facts)


EXPLAIN = text("""
    WITH p AS (SELECT * FROM payments WHERE payment_no = :no),
         lines AS (SELECT l.*, b.bill_no, b.coverage_month, b.insurance_type, b.region FROM payment_order_lines l
                   JOIN contribution_bills b ON b.id = l.bill_id WHERE l.order_id IN (SELECT order_id FROM p))
    SELECT created_at AS at, 'payments' AS "table", jsonb_build_object('origin', origin, 'channel', channel, 'merchant', merchant,
           'amount_fen', amount_fen, 'provider_payment_no', provider_payment_no, 'state', state, 'payment_no', payment_no) AS facts FROM p
    UNION ALL SELECT o.created_at, 'payment_orders', jsonb_build_object('order_no', o.order_no, 'total_fen', o.total_fen,
           'state', o.state, 'closed_why', o.closed_why) FROM payment_orders o JOIN p ON p.order_id = o.id
    UNION ALL SELECT o.created_at, 'payment_order_lines', jsonb_build_object('bill_no', l.bill_no, 'insurance_type', l.insurance_type,
           'coverage_month', l.coverage_month, 'amount_fen', l.amount_fen, 'live', l.live, 'region', l.region)
           FROM lines l JOIN payment_orders o ON o.id = l.order_id
    UNION ALL SELECT i.created_at, 'debit_instructions', jsonb_build_object('way', b.way, 'run_day', b.run_day, 'number', b.number,
           'seq', i.seq, 'amount_fen', i.amount_fen, 'state', i.state, 'result', i.result, 'batch_id', b.id)
           FROM debit_instructions i JOIN debit_batches b ON b.id = i.batch_id JOIN p ON p.id = i.payment_id
    UNION ALL SELECT n.received_at, 'notices', jsonb_build_object('kind', n.kind, 'is_answer', n.content_sealed IS NULL,
           'notification_id', n.notification_id, 'amount_fen', n.amount_fen, 'provider_payment_no', n.provider_payment_no,
           'state', n.state, 'outcome', n.outcome, 'id', n.id)
           FROM notices n JOIN p ON n.payment_no = p.payment_no OR (n.merchant_account = p.channel || ':' || p.merchant
                AND n.provider_payment_no = p.provider_payment_no)
    UNION ALL SELECT m.at, 'moves', jsonb_build_object('noun', m.noun, 'row_id', m.row_id, 'from_state', m.from_state,
           'to_state', m.to_state, 'why', m.why, 'who', m.who)
           FROM (SELECT 'payment' AS noun, id::text AS row_id FROM p
                 UNION SELECT 'payment_order', order_id::text FROM p WHERE order_id IS NOT NULL
                 UNION SELECT 'debit_instruction', i.id::text FROM debit_instructions i JOIN p ON p.id = i.payment_id
                 UNION SELECT 'refund', f.id::text FROM refunds f JOIN p ON p.id = f.payment_id
                 UNION SELECT 'contribution_bill', bill_id::text FROM lines) k JOIN moves m ON m.noun = k.noun AND m.row_id = k.row_id
           WHERE m.noun <> 'contribution_bill' OR m.at >= (SELECT created_at FROM p)
    UNION ALL SELECT t.at, 'transfers', jsonb_build_object('kind', t.kind, 'amount_fen', t.amount_fen, 'debit_account', t.debit_account,
           'credit_account', t.credit_account, 'reason', t.reason) FROM transfers t JOIN p ON p.id = t.payment_id
    UNION ALL SELECT t.at, 'contribution_records', jsonb_build_object('insurance_type', r.insurance_type,
           'coverage_month', r.coverage_month, 'amount_fen', r.amount_fen,
           'paid_at', to_char(r.paid_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SSZ'), 'state', r.state, 'region', b.region)
           FROM contribution_records r JOIN p ON p.id = r.payment_id JOIN transfers t ON t.payment_id = r.payment_id AND t.bill_id = r.bill_id
                AND t.kind = 'SETTLED'
           JOIN contribution_bills b ON b.id = r.bill_id
    UNION ALL SELECT d.first_seen_at, 'reconciliation_differences', jsonb_build_object('kind', d.kind, 'subject', d.subject,
           'day', c.day, 'account', c.merchant_account, 'bill_fen', d.bill_fen, 'our_fen', d.our_fen, 'why', d.why,
           'is_over', d.resolved_at IS NOT NULL, 'id', d.id)
           FROM reconciliation_differences d JOIN reconciliations c ON c.id = d.reconciliation_id
           JOIN p ON d.payment_no = p.payment_no OR d.bill_id IN (SELECT bill_id FROM lines)
    UNION ALL SELECT f.created_at, 'refunds', jsonb_build_object('origin', f.origin, 'amount_fen', f.amount_fen, 'refund_no', f.refund_no,
           'provider_refund_no', f.provider_refund_no, 'state', f.state, 'reason', f.reason, 'fault', f.fault, 'id', f.id)
           FROM refunds f JOIN p ON p.id = f.payment_id
""")


def _with(before: str, value: str | None, after: str = "") -> str:
    return "" if value is None else f"{before}{value}{after}"


def _or_dash(value: Any) -> Any:
    return "-" if value is None else value


SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "payments": lambda it: (
        f"{it['origin']} {it['channel']}:{it['merchant']} {it['amount_fen']} fen, "
        f"their number {_or_dash(it['provider_payment_no'])}, now {it['state']}"
    ),
    "payment_orders": lambda it: (
        f"order {it['order_no']}, {it['total_fen']} fen, now {it['state']}{_with(' (', it['closed_why'], ')')}"
    ),
    "payment_order_lines": lambda it: (
        f"bill {it['bill_no']}: {it['insurance_type']} of {it['coverage_month']}, {it['amount_fen']} fen"
        f"{'' if it['live'] else ' (given back)'}"
    ),
    "debit_instructions": lambda it: (
        f"line {it['seq']} of batch {it['number']} of {it['run_day']} to {it['way']}, {it['amount_fen']} fen, "
        f"now {it['state']}{_with(' (', it['result'], ')')}"
    ),
    "notices": lambda it: (
        f"{it['kind']} by {'answer' if it['is_answer'] else 'notice'}: {it['notification_id']}, {_or_dash(it['amount_fen'])} fen, "
        f"their number {_or_dash(it['provider_payment_no'])} → {it['state']} {it['outcome'] or ''}"
    ),
    "moves": lambda it: f"{it['noun']} {it['row_id']}: {it['from_state']} → {it['to_state']}, {it['why']}, by {it['who']}",
    "transfers": lambda it: (
        f"{it['kind']}: {it['amount_fen']} fen from {it['debit_account']} to {it['credit_account']}{_with(', ', it['reason'])}"
    ),
    "contribution_records": lambda it: (
        f"{it['insurance_type']} of {it['coverage_month']}: {it['amount_fen']} fen, paid {it['paid_at']}, now {it['state']}"
    ),
    "reconciliation_differences": lambda it: (
        f"{it['kind']} {it['subject']} of {it['account']} {it['day']}: theirs {_or_dash(it['bill_fen'])} fen, "
        f"ours {_or_dash(it['our_fen'])} fen{_with(', ', it['why'])}{' (over)' if it['is_over'] else ''}"
    ),
    "refunds": lambda it: (
        f"{it['origin']} {it['amount_fen']} fen back, number {it['refund_no']}, their number {_or_dash(it['provider_refund_no'])}, "
        f"now {it['state']}{_with(', ', it['reason'])}{_with(' (', it['fault'], ')')}"
    ),
}
"""How a row of each table is told in one line, in English, for the command line."""


NUMBERED = "SELECT p.payment_no, p.channel || ':' || p.merchant AS merchant_account FROM payments p "
BY_NUMBER = (
    text(NUMBERED + "WHERE p.payment_no = :no"),
    text(NUMBERED + "JOIN payment_orders o ON o.id = p.order_id WHERE o.order_no = :no ORDER BY p.created_at LIMIT 1"),
    text(NUMBERED + "WHERE p.provider_payment_no = :no ORDER BY p.created_at LIMIT 1"),
)
"""Each by its own index, and the next only where the one before finds nothing."""


def find_payment(session: Session, *, number: str) -> tuple[str, str]:
    """(payment number, merchant account) by our payment number, the order's, or the provider's. Raises NotFound."""
    for statement in BY_NUMBER:
        found = session.execute(statement, {"no": number}).one_or_none()
        if found is not None:
            return found.payment_no, found.merchant_account
    raise NotFound


def explain(session: Session, *, payment_no: str) -> list[Event]:
    """Every row that touched this money, in time order. Takes our payment number or the order's, or the provider's. Raises NotFound."""
    found, _ = find_payment(session, number=payment_no)
    events = [Event(at=row.at, table=row.table, facts=row.facts) for row in session.execute(EXPLAIN, {"no": found})]
    # Of one moment, causes before what they caused.
    rank = {table: place for place, table in enumerate(SENTENCES)}
    return sorted(events, key=lambda each: (each.at, rank[each.table], each.what))
