"""Reconciling, the set-based steps: a bill goes into staging by COPY, and one statement for payments and one for refunds compare it.

A payment is found by their number, of which there is one (uq_payments_channel_merchant_provider_payment_no); what we hold of it is what
the journal says came into the clearing account, not what we asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import text

from config.clock import BEIJING
from models.journal import clearing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg
    from sqlalchemy.orm import Session

    from models.reconciliation import Reconciliation
    from providers.bills import BillRow

COLUMNS = (
    "kind", "payment_no", "provider_payment_no", "amount_fen", "currency", "at", "fee_fen", "is_done", "refund_no", "provider_refund_no",
)  # fmt: skip
STAGING = f"""
    CREATE TEMP TABLE bill_rows (
        kind text NOT NULL, payment_no text NOT NULL, provider_payment_no text NOT NULL, amount_fen bigint NOT NULL,
        currency text NOT NULL, at timestamptz NOT NULL, fee_fen bigint NOT NULL, is_done boolean NOT NULL,
        refund_no text, provider_refund_no text
    ) ON COMMIT DROP;
    COPY bill_rows ({", ".join(COLUMNS)}) FROM STDIN
"""
SHOWN_EVERY = 10_000
"""Rows between two words of how far it is."""
PATIENCE = text("SET LOCAL statement_timeout = '30min'")
"""A big merchant's day takes longer than anything that a person waits for."""
SUMS = text("""
    SELECT count(*) FILTER (WHERE kind = 'TRADE') AS trades, count(*) FILTER (WHERE kind = 'REFUND') AS refunds,
        coalesce(sum(amount_fen) FILTER (WHERE kind = 'TRADE'), 0)::bigint AS trade_fen,
        coalesce(-sum(amount_fen) FILTER (WHERE kind = 'REFUND'), 0)::bigint AS refund_fen,
        coalesce(sum(fee_fen), 0)::bigint AS fee_fen
    FROM bill_rows
""")

# A trade that stands there twice is summed up, and then disagrees.
TRADES = """
    told AS MATERIALIZED (
        SELECT provider_payment_no, min(payment_no) AS payment_no, sum(amount_fen)::bigint AS fen, min(currency) AS currency, min(at) AS at
        FROM bill_rows WHERE kind = 'TRADE' GROUP BY provider_payment_no),
    ours AS MATERIALIZED (
        SELECT p.payment_no, p.provider_payment_no, p.paid_at, coalesce((
            SELECT sum(t.amount_fen) FROM transfers t
            WHERE t.payment_id = p.id AND t.debit_account = :clearing AND t.kind IN ('SETTLED', 'SURPLUS', 'UNCLAIMED')), 0)::bigint AS fen
        FROM payments p WHERE p.state IN ('SUCCEEDED', 'SURPLUS', 'UNCLAIMED') AND p.id IN (
            SELECT p.id FROM told JOIN payments p ON p.channel = :channel AND p.merchant = :merchant
                AND p.provider_payment_no = told.provider_payment_no
            UNION
            SELECT p.id FROM payments p
            WHERE p.channel = :channel AND p.merchant = :merchant AND p.paid_at >= :begins_at AND p.paid_at < :ends_at)),
    compared AS (
        SELECT 'TRADE' AS subject, coalesce(o.payment_no, b.payment_no) AS payment_no,
            coalesce(b.provider_payment_no, o.provider_payment_no, '') AS provider_payment_no, '' AS refund_key,
            CAST(NULL AS text) AS provider_refund_no, b.fen AS bill_fen, o.fen AS our_fen, coalesce(b.currency, 'CNY') AS currency,
            coalesce(b.at, o.paid_at) AS happened_at, true AS is_done,
            CASE WHEN o.provider_payment_no IS NULL THEN 'PSP_ONLY' WHEN b.provider_payment_no IS NULL THEN 'LOCAL_ONLY'
                WHEN b.fen <> o.fen THEN 'AMOUNT_DIFF' ELSE 'MATCHED' END AS kind
        FROM told b FULL JOIN ours o ON o.provider_payment_no = b.provider_payment_no)
"""
# Ours under way are no difference until the bill says that they are done. What we only saw may bear a sum behind its number.
REFUNDS = """
    told AS MATERIALIZED (
        SELECT provider_payment_no, coalesce(refund_no, provider_refund_no, '') AS refund_key, min(payment_no) AS payment_no,
            min(provider_refund_no) AS provider_refund_no, -sum(amount_fen)::bigint AS fen, min(currency) AS currency, min(at) AS at,
            bool_and(is_done) AS is_done
        FROM bill_rows WHERE kind = 'REFUND' GROUP BY 1, 2),
    compared AS (
        SELECT 'REFUND' AS subject, coalesce(p.payment_no, b.payment_no) AS payment_no, b.provider_payment_no, b.refund_key,
            b.provider_refund_no, b.fen AS bill_fen, f.amount_fen AS our_fen, b.currency, b.at AS happened_at, b.is_done,
            CASE WHEN f.amount_fen IS NULL THEN 'PSP_ONLY' WHEN f.amount_fen <> b.fen THEN 'AMOUNT_DIFF'
                WHEN b.is_done AND NOT f.is_back THEN 'PSP_ONLY' ELSE 'MATCHED' END AS kind
        FROM told b
            LEFT JOIN payments p ON p.channel = :channel AND p.merchant = :merchant AND p.provider_payment_no = b.provider_payment_no
            LEFT JOIN LATERAL (
                SELECT r.amount_fen, r.state = 'REFUNDED' AS is_back FROM refunds r
                WHERE r.payment_id = p.id AND r.road = 'PROVIDER' AND r.state NOT IN ('APPLIED', 'REJECTED') AND (
                    r.refund_no = b.refund_key OR r.provider_refund_no = b.provider_refund_no
                    OR (r.origin = 'SEEN' AND starts_with(r.refund_no, b.refund_key || ':')))
                ORDER BY r.refund_no <> b.refund_key, r.id LIMIT 1) f ON true
        UNION ALL
        SELECT 'REFUND', p.payment_no, p.provider_payment_no, r.refund_no, r.provider_refund_no, NULL, r.amount_fen, 'CNY', r.refunded_at,
            true, 'LOCAL_ONLY'
        FROM refunds r JOIN payments p ON p.id = r.payment_id AND p.channel = :channel AND p.merchant = :merchant
        WHERE r.road = 'PROVIDER' AND r.origin = 'ORDERED' AND r.state = 'REFUNDED' AND r.billed_on IS NULL
            AND r.refunded_at >= :begins_at AND r.refunded_at < :ends_at)
"""
# A refund stands in the bill of the day on which it was begun (WeChat) or done (Alipay): from then on no day misses it, and one that did
# before is told otherwise.
BILLED = text("""
    WITH billed AS (
        UPDATE refunds r SET billed_on = :day FROM bill_rows b JOIN payments p ON p.channel = :channel AND p.merchant = :merchant
            AND p.provider_payment_no = b.provider_payment_no
        WHERE b.kind = 'REFUND' AND r.payment_id = p.id AND r.origin = 'ORDERED' AND r.billed_on IS NULL
            AND (r.refund_no = b.refund_no OR r.provider_refund_no = b.provider_refund_no)
        RETURNING r.refund_no, p.payment_no)
    UPDATE reconciliation_differences d SET resolved_at = :now, resolution = 'agrees by now', explained_at = NULL, explained_by = NULL
    FROM billed WHERE d.subject = 'REFUND' AND d.kind = 'LOCAL_ONLY' AND d.resolved_at IS NULL AND d.refund_key = billed.refund_no
        AND d.payment_no = billed.payment_no
""")
# What a person explained stays explained, and what two resolved resolved, while nothing about it changes.
UNLESS_EXPLAINED = """
    ON CONFLICT ON CONSTRAINT uq_reconciliation_differences_one_a_row DO UPDATE SET
        kind = EXCLUDED.kind, bill_fen = EXCLUDED.bill_fen, our_fen = EXCLUDED.our_fen, is_done = EXCLUDED.is_done,
        happened_at = EXCLUDED.happened_at, seen_run = EXCLUDED.seen_run, why = EXCLUDED.why, bill_id = EXCLUDED.bill_id,
        line = EXCLUDED.line,
        (explained_at, explained_by, resolved_at, resolved_by, resolution) = (
            SELECT d.explained_at, d.explained_by, d.resolved_at, d.resolved_by, d.resolution
            WHERE d.explained_by IS NOT NULL AND d.kind = EXCLUDED.kind
                AND (d.bill_fen, d.our_fen, d.why) IS NOT DISTINCT FROM (EXCLUDED.bill_fen, EXCLUDED.our_fen, EXCLUDED.why))
"""
WRITE = """
    WITH {compared},
    written AS (
        INSERT INTO reconciliation_differences AS d (
            reconciliation_id, kind, subject, payment_no, provider_payment_no, refund_key, provider_refund_no, bill_fen, our_fen,
            currency, happened_at, is_done, first_seen_at, seen_run)
        SELECT :reconciliation_id, kind, subject, payment_no, provider_payment_no, refund_key, provider_refund_no, bill_fen, our_fen,
            currency, happened_at, is_done, :now, :run
        FROM compared WHERE kind <> 'MATCHED'
        {unless_explained})
    SELECT count(*) FROM compared WHERE kind = 'MATCHED'
"""
STATEMENTS = tuple(text(WRITE.format(compared=compared, unless_explained=UNLESS_EXPLAINED)) for compared in (TRADES, REFUNDS))
GONE = text("""
    UPDATE reconciliation_differences SET resolved_at = :now, resolution = 'agrees by now', explained_at = NULL, explained_by = NULL
    WHERE reconciliation_id = :reconciliation_id AND seen_run < :run AND resolved_at IS NULL AND kind <> 'TAX_MISSING'
""")
MISSING = text("""
    SELECT d.subject, d.payment_no, d.provider_payment_no, d.refund_key, d.provider_refund_no, d.bill_fen, d.our_fen, d.currency,
        d.happened_at, p.miniprogram, p.amount_fen AS payment_fen, p.refunded_fen,
        p.state IN ('SUCCEEDED', 'SURPLUS', 'UNCLAIMED') AND p.provider_payment_no = d.provider_payment_no AS is_booked,
        EXISTS (SELECT FROM refunds r WHERE r.payment_id = p.id AND (
            r.state IN ('APPROVED', 'SENT', 'ABNORMAL') OR r.origin = 'SEEN')) AS is_unclear
    FROM reconciliation_differences d
        LEFT JOIN LATERAL (
            SELECT p.* FROM payments p
            WHERE p.channel = :channel AND p.merchant = :merchant
                AND (p.provider_payment_no = d.provider_payment_no OR p.payment_no = d.payment_no)
            ORDER BY p.provider_payment_no IS NOT DISTINCT FROM d.provider_payment_no DESC LIMIT 1) p ON true
    WHERE d.reconciliation_id = :reconciliation_id AND d.kind = 'PSP_ONLY' AND d.resolved_at IS NULL AND d.is_done
    ORDER BY d.id
""")


@dataclass(frozen=True)
class Missing:
    """Money that moved at the provider, is done, and is not in our books: what its notice would have told."""

    subject: str
    payment_no: str
    provider_payment_no: str
    refund_key: str
    provider_refund_no: str | None
    bill_fen: int
    our_fen: int | None
    """Of a refund of ours that we do not know to be done."""
    currency: str
    happened_at: datetime
    miniprogram: str | None
    payment_fen: int | None
    refunded_fen: int | None
    is_booked: bool | None
    """Whether the payment itself is in our books."""
    is_unclear: bool
    """Whether other refunds of the payment are under way, or were seen: a sum of theirs may hold this one."""


def stage(session: Session, rows: Iterator[BillRow], *, on_progress: Callable[[int], None] | None = None) -> None:
    """The bill's rows into a table of this transaction. `on_progress` hears how many, now and then. Raises BillDamaged, which undoes it."""
    session.execute(PATIENCE)
    create, copy_in = STAGING.split(";")
    driver = cast("psycopg.Connection", session.connection().connection.driver_connection)
    with driver.cursor() as cursor:
        cursor.execute(create)
        with cursor.copy(copy_in) as copy:
            for number, row in enumerate(rows, start=1):
                if on_progress is not None and number % SHOWN_EVERY == 0:
                    on_progress(number)
                copy.write_row(
                    (
                        str(row.kind), row.payment_no, row.provider_payment_no, row.amount_fen, row.currency, row.at, row.fee_fen,
                        row.is_done, row.refund_no, row.provider_refund_no,
                    )
                )  # fmt: skip
        cursor.execute("ANALYZE bill_rows")


def compare(session: Session, reconciliation: Reconciliation, *, now: datetime) -> None:
    """What was staged against payments and refunds: differences written, refunds marked that a bill has, the day's figures set."""
    channel, _, merchant = reconciliation.merchant_account.partition(":")
    begins_at = datetime.combine(reconciliation.day, time.min, BEIJING)
    given: dict[str, Any] = {
        "channel": channel,
        "merchant": merchant,
        "clearing": clearing(channel, merchant),
        "begins_at": begins_at,
        "ends_at": begins_at + timedelta(days=1),
        "reconciliation_id": reconciliation.id,
        "run": reconciliation.runs,
        "now": now,
    }
    sums = session.execute(SUMS).one()
    (
        reconciliation.trades,
        reconciliation.refunds,
        reconciliation.trade_fen,
        reconciliation.refund_fen,
        reconciliation.fee_fen,
    ) = sums
    session.execute(BILLED, {**given, "day": reconciliation.day})
    reconciliation.matched = sum(session.execute(statement, given).scalar_one() for statement in STATEMENTS)


def clear_those_gone(session: Session, *, reconciliation_id: int, run: int, now: datetime) -> None:
    """Differences of the day that this run did not see are none any more."""
    session.execute(GONE, {"reconciliation_id": reconciliation_id, "run": run, "now": now})


def missing(session: Session, reconciliation: Reconciliation) -> list[Missing]:
    """What their bill has, finished, and our books have not; refunds in the order in which they stood there."""
    channel, _, merchant = reconciliation.merchant_account.partition(":")
    rows = session.execute(MISSING, {"channel": channel, "merchant": merchant, "reconciliation_id": reconciliation.id})
    return [Missing(*row) for row in rows]
