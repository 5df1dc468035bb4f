"""An authority's list, the set-based steps of one part: staged by COPY, matched to months, judged under their locks, carried out.

A month is found by the person's blind index, insurance, coverage month and kind, at this authority. Locks are taken in the order of
settling: payments, then bills by id. A second line about a month that a first one settles is never carried out too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from sqlalchemy import text

from models.bills import BillState, ContributionBill
from models.messages import MessageKey
from models.reconciliation import DifferenceSubject, Reconciliation, ReconciliationState
from providers.authorities.lists import ListKind
from services.reconciliation_errors import ReconciliationClosed
from services.reconciliation_steps import PATIENCE, UNLESS_EXPLAINED

if TYPE_CHECKING:
    import uuid

    import psycopg
    from sqlalchemy.orm import Session

    from providers.authorities.lists import ListHead, ListLine

WHO: Final = "authority_lists"

CREATE: Final = """
    CREATE TEMP TABLE list_lines (
        line bigint NOT NULL, key text NOT NULL, receipt_no text NOT NULL, id_index bytea NOT NULL, insurance_type text NOT NULL,
        coverage_month bigint NOT NULL, kind text NOT NULL, amount_fen bigint NOT NULL, settled_on date NOT NULL,
        settled_at timestamptz NOT NULL, payment_no text, is_posted boolean NOT NULL, fault text) ON COMMIT DROP
"""
COPY_IN: Final = "COPY list_lines FROM STDIN"

# The same line twice is one; of several enrolments with such a month the one that waits for this word comes first.
MATCH: Final = text("""
    CREATE TEMP TABLE matched ON COMMIT DROP AS
    SELECT l.*, p.id AS person_id, b.bill_id, b.enrollment_id, r.id AS record_id, r.payment_id
    FROM (SELECT DISTINCT ON (key) * FROM list_lines ORDER BY key, line) l
        LEFT JOIN persons p ON p.id_number_index = l.id_index
        LEFT JOIN LATERAL (
            SELECT b.id AS bill_id, b.enrollment_id FROM enrollments e
            JOIN contribution_bills b ON b.enrollment_id = e.id AND b.coverage_month = l.coverage_month AND b.kind = l.kind AND NOT b.voided
            LEFT JOIN contribution_records c ON c.enrollment_id = e.id AND c.coverage_month = l.coverage_month AND c.kind = l.kind
                AND c.state <> 'REVERSED' AND c.tax_receipt_no = l.receipt_no
            WHERE e.person_id = p.id AND e.insurance_type = l.insurance_type AND b.authority = CAST(:authority AS text)
            ORDER BY c.id IS NULL, b.state <> CAST(:waits AS text), b.state <> 'UNPAID', b.id LIMIT 1) b ON true
        LEFT JOIN contribution_records r ON r.enrollment_id = b.enrollment_id AND r.coverage_month = l.coverage_month
            AND r.kind = l.kind AND r.state <> 'REVERSED'
""")
LOCKS: Final = (
    text("""
        SELECT count(*) FROM (SELECT FROM payments WHERE id IN (SELECT payment_id FROM matched WHERE payment_id IS NOT NULL)
            ORDER BY id FOR KEY SHARE) locked
    """),
    text("""
        SELECT count(*) FROM (SELECT FROM contribution_bills WHERE id IN (SELECT bill_id FROM matched WHERE bill_id IS NOT NULL)
            ORDER BY id FOR UPDATE) locked
    """),
)
GOING_BACK: Final = """
    LEFT JOIN LATERAL (
        SELECT f.id AS refund_id, f.road, f.state AS refund_state, f.asks FROM refund_lines g JOIN refunds f ON f.id = g.refund_id
        WHERE g.bill_id = m.bill_id AND g.live AND b.state IN ('REFUNDING', 'REFUNDED') LIMIT 1) f ON true
"""
# A month that was paid for the wrong person is billed anew when its money is back: the line about the first money is not about the new bill.
GONE_BACK: Final = """
    LEFT JOIN LATERAL (
        SELECT v.tax_receipt_no IS NOT DISTINCT FROM m.receipt_no AS is_same_receipt
        FROM contribution_records v JOIN payments w ON w.id = v.payment_id LEFT JOIN payment_orders x ON x.id = w.order_id
        WHERE v.state = 'REVERSED' AND v.enrollment_id = m.enrollment_id AND v.coverage_month = m.coverage_month AND v.kind = m.kind
            AND (v.tax_receipt_no = m.receipt_no OR m.payment_no IN (w.payment_no, w.provider_payment_no, x.order_no))
        ORDER BY 1 DESC LIMIT 1) v ON b.state = 'UNPAID'
"""
# A paid month that changed hands since it was matched is left to the next reading (BEING_PAID).
TAX_WORDS: Final = """
    CASE WHEN m.person_id IS NULL THEN 'UNKNOWN_PERSON'
        WHEN b.id IS NULL THEN 'NO_SUCH_MONTH'
        WHEN m.amount_fen <> b.amount_fen THEN 'AMOUNT_DIFF'
        WHEN b.state = 'REFUNDED' AND f.road = 'TREASURY' THEN 'KNOWN'
        WHEN r.tax_receipt_no = m.receipt_no THEN 'KNOWN'
        WHEN b.state = 'REFUNDING' AND f.road = 'PROVIDER' AND f.refund_state = 'APPROVED' AND f.asks = 0 THEN 'WITHDRAW'
        WHEN b.state = 'REFUNDED' OR (b.state = 'REFUNDING' AND f.road = 'PROVIDER') THEN 'REFUND_CROSSED'
        WHEN r.state IN ('TAX_CONFIRMED', 'POSTED') AND r.tax_receipt_no IS NULL THEN 'KNOWN'
        WHEN r.state IN ('TAX_CONFIRMED', 'POSTED') THEN 'CONFIRMED_TWICE'
        WHEN b.state = 'PAID' AND r.payment_id = m.payment_id AND m.payment_no IS NOT NULL
            AND m.payment_no NOT IN (p.payment_no, coalesce(p.provider_payment_no, ''), coalesce(o.order_no, '')) THEN 'OTHER_PAYMENT'
        WHEN b.state = 'PAID' AND r.payment_id = m.payment_id THEN 'GO'
        WHEN b.state = 'UNPAID' AND v.is_same_receipt THEN 'KNOWN'
        WHEN b.state = 'UNPAID' AND NOT v.is_same_receipt THEN 'REFUND_CROSSED'
        WHEN b.state = 'UNPAID' THEN 'TAKE_IN'
        WHEN b.state = 'LOCKED' AND EXISTS (
            SELECT FROM payments w JOIN payment_orders x ON x.id = w.order_id AND x.origin = 'TAX'
            WHERE w.payment_no = m.key AND x.state = 'PREPAY') THEN 'TAKE_IN'
        ELSE 'BEING_PAID' END
"""
REGISTRARS_WORDS: Final = """
    CASE WHEN m.person_id IS NULL THEN 'UNKNOWN_PERSON'
        WHEN b.id IS NULL THEN 'NO_SUCH_MONTH'
        WHEN m.amount_fen <> b.amount_fen THEN 'AMOUNT_DIFF'
        WHEN NOT m.is_posted AND r.state IS DISTINCT FROM 'POSTED' THEN 'NOT_POSTED'
        WHEN r.state = 'POSTED' AND m.is_posted THEN 'KNOWN'
        WHEN b.state = 'REFUNDED' OR b.state = 'REFUNDING' THEN 'REFUND_CROSSED'
        WHEN r.state = 'POSTED' THEN 'POSTED_BEFORE'
        WHEN b.state = 'TAX_CONFIRMED' THEN 'GO'
        ELSE 'NOT_CONFIRMED' END
"""
JUDGE: Final = """
    CREATE TEMP TABLE judged ON COMMIT DROP AS
    SELECT *, row_number() OVER (PARTITION BY bill_id, word ORDER BY line) AS turn FROM (
        SELECT m.*, b.amount_fen AS bill_fen, b.authority, f.refund_id, p.payment_no AS our_payment_no, {words} AS word
        FROM matched m LEFT JOIN contribution_bills b ON b.id = m.bill_id
            LEFT JOIN contribution_records r ON r.id = m.record_id
            LEFT JOIN payments p ON p.id = m.payment_id LEFT JOIN payment_orders o ON o.id = p.order_id
            {going_back} {gone_back}) AS said
"""
JUDGES: Final = {
    ListKind.TAX: text(JUDGE.format(words=TAX_WORDS, going_back=GOING_BACK, gone_back=GONE_BACK)),
    ListKind.REGISTRAR: text(JUDGE.format(words=REGISTRARS_WORDS, going_back=GOING_BACK, gone_back="")),
}
SECOND_OF_A_MONTH: Final = text("UPDATE judged SET word = 'CONFIRMED_TWICE' WHERE word IN ('GO', 'TAKE_IN') AND turn > 1")
SECOND_OF_A_POSTING: Final = text("UPDATE judged SET word = 'KNOWN' WHERE word = 'GO' AND turn > 1")
FIRST: Final = text("""
    SELECT word, key, person_id, bill_id, refund_id, amount_fen, settled_at, receipt_no FROM judged
    WHERE word IN ('TAKE_IN', 'WITHDRAW') ORDER BY line
""")
COUNTS: Final = text(
    "SELECT count(*) FILTER (WHERE word = 'GO'), (SELECT count(*) FROM list_lines) - count(*) + count(*) FILTER (WHERE word = 'KNOWN') "
    "FROM judged"
)

CONFIRM_BILLS: Final = text("""
    UPDATE contribution_bills b SET state = :to FROM judged j WHERE j.word = 'GO' AND b.id = j.bill_id AND b.state = :was
""")
CONFIRM_RECORDS: Final = text("""
    UPDATE contribution_records r SET state = 'TAX_CONFIRMED', tax_confirmed_at = :now, tax_receipt_no = j.receipt_no,
        treasury_on = j.settled_on
    FROM judged j WHERE j.word = 'GO' AND r.id = j.record_id AND r.state = 'PAID'
""")
POST_RECORDS: Final = text("""
    UPDATE contribution_records r SET state = 'POSTED', posted_at = :now, posted_on = j.settled_on
    FROM judged j WHERE j.word = 'GO' AND r.id = j.record_id AND r.state = 'TAX_CONFIRMED'
""")
MOVED: Final = text("""
    INSERT INTO moves (noun, row_id, from_state, to_state, why, who, at)
    SELECT :noun, bill_id::text, :was, :to, :why, :who, :now FROM judged WHERE word = 'GO' ORDER BY bill_id
""")
MONEY: Final = text("""
    INSERT INTO transfers (debit_account, credit_account, amount_fen, kind, payment_id, bill_id, reason, who, at)
    SELECT 'contributions:' || authority || ':' || insurance_type, 'treasury:' || authority, amount_fen, 'CONFIRMED', payment_id, bill_id,
        receipt_no, :who, :now
    FROM judged WHERE word = 'GO' ORDER BY bill_id
""")
TOLD: Final = text("""
    INSERT INTO messages (account_id, template, facts, created_at)
    SELECT o.payer_account_id, :template, jsonb_build_object('order_no', o.order_no, 'amount_fen', sum(j.amount_fen)::bigint,
        'months', jsonb_agg(DISTINCT j.coverage_month)), :now
    FROM judged j JOIN payments p ON p.id = j.payment_id JOIN payment_orders o ON o.id = p.order_id
    WHERE j.word = 'GO' AND o.payer_account_id IS NOT NULL
    GROUP BY o.id ORDER BY o.id
""")
# Words of this part that are no difference: carried out, or known before.
DIFFERENCES: Final = text(f"""
    INSERT INTO reconciliation_differences AS d (
        reconciliation_id, kind, subject, payment_no, provider_payment_no, refund_key, bill_fen, our_fen, currency, happened_at, is_done,
        why, bill_id, insurance_type, coverage_month, line, first_seen_at, seen_run)
    SELECT :reconciliation_id, CASE WHEN word IN ('AMOUNT_DIFF', 'REFUND_CROSSED', 'NOT_CONFIRMED', 'NOT_POSTED') THEN word
            ELSE CAST(:otherwise AS text) END,
        :subject, coalesce(our_payment_no, payment_no, ''), receipt_no, key, amount_fen, bill_fen, 'CNY', settled_at, true,
        CASE WHEN word = 'NOT_POSTED' THEN coalesce(fault, word) ELSE word END, bill_id, insurance_type, coverage_month, line, :now, :run
    FROM judged WHERE word NOT IN ('GO', 'KNOWN') ORDER BY line
    {UNLESS_EXPLAINED}
""")  # noqa: S608 - our own words only


class ListDisagrees(Exception):
    """A month was no longer as it had been judged, under its own lock. Nothing of the part may stand."""


@dataclass(frozen=True, kw_only=True)
class Extra:
    """A month that was paid elsewhere, as the tax authority says."""

    key: str
    person_id: uuid.UUID
    bill_id: int
    amount_fen: int
    paid_at: datetime
    receipt_no: str


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a part did, or what has to come first."""

    moved: int = 0
    known: int = 0
    extras: tuple[Extra, ...] = ()
    refunds_to_withdraw: dict[int, list[int]] = field(default_factory=dict)
    """Refund → its months that the list has."""


def hold_day(session: Session, reconciliation_id: int) -> None:
    """Nobody signs the day while a part of its list is at work. Raises ReconciliationClosed."""
    row = session.get_one(Reconciliation, reconciliation_id, with_for_update={"read": True})
    if row.state == ReconciliationState.CLOSED:
        raise ReconciliationClosed


def stage_lines(session: Session, rows: list[tuple[ListLine, bytes, str]]) -> None:
    """Lines with the person's index and the line's key into a table of this transaction. No ID number reaches the database."""
    session.execute(PATIENCE)
    driver = cast("psycopg.Connection", session.connection().connection.driver_connection)
    with driver.cursor() as cursor:
        cursor.execute(CREATE)
        with cursor.copy(COPY_IN) as copy:
            for line, index, key in rows:
                copy.write_row(
                    (
                        line.line, key, line.receipt_no, index, line.insurance_type, line.coverage_month, line.kind, line.amount_fen,
                        line.on, line.at, line.payment_no, line.is_posted, line.fault,
                    )
                )  # fmt: skip
        cursor.execute("ANALYZE list_lines")


def judge(session: Session, head: ListHead) -> None:
    """Find each line's month, lock payments and bills, and say of each line what it means now."""
    waits = BillState.PAID if head.kind is ListKind.TAX else BillState.TAX_CONFIRMED
    session.execute(MATCH, {"authority": head.authority, "waits": waits})
    session.execute(text("ANALYZE matched"))
    for lock in LOCKS:
        session.execute(lock)
    session.execute(JUDGES[head.kind])
    session.execute(SECOND_OF_A_MONTH if head.kind is ListKind.TAX else SECOND_OF_A_POSTING)


def to_do_first(session: Session, head: ListHead) -> Judged | None:
    """Months to take in and refunds to take back, before this part can be carried out; None where there are none."""
    if head.kind is not ListKind.TAX:
        return None
    rows = session.execute(FIRST).all()
    if not rows:
        return None
    withdrawn: dict[int, list[int]] = {}
    for row in rows:
        if row.word == "WITHDRAW":
            withdrawn.setdefault(row.refund_id, []).append(row.bill_id)
    extras = tuple(
        Extra(
            key=row.key,
            person_id=row.person_id,
            bill_id=row.bill_id,
            amount_fen=row.amount_fen,
            paid_at=row.settled_at,
            receipt_no=row.receipt_no,
        )
        for row in rows
        if row.word == "TAKE_IN"
    )
    return Judged(extras=extras, refunds_to_withdraw=withdrawn)


def tax_confirm(session: Session, *, now: datetime) -> Judged:
    """PAID → TAX_CONFIRMED: bills, records, their moves, the money, and a word to whoever paid. Raises ListDisagrees."""
    done = _move(session, was=BillState.PAID, to=BillState.TAX_CONFIRMED, now=now)
    session.execute(MONEY, {"who": WHO, "now": now})
    session.execute(TOLD, {"template": MessageKey.CONTRIBUTION_CONFIRMED, "now": now})
    return done


def post(session: Session, *, now: datetime) -> Judged:
    """TAX_CONFIRMED → POSTED: bills, records and their moves. Raises ListDisagrees."""
    return _move(session, was=BillState.TAX_CONFIRMED, to=BillState.POSTED, now=now)


def _move(session: Session, *, was: BillState, to: BillState, now: datetime) -> Judged:
    event, noun = ContributionBill.MOVES.event(was, to), ContributionBill.MOVES.noun
    moved, known = session.execute(COUNTS).one()
    records = CONFIRM_RECORDS if to == BillState.TAX_CONFIRMED else POST_RECORDS
    connection = session.connection()
    for statement, given in ((CONFIRM_BILLS, {"was": was, "to": to}), (records, {"now": now})):
        if connection.execute(statement, given).rowcount != moved:
            raise ListDisagrees(f"{to}: not {moved} rows")
    session.execute(MOVED, {"noun": noun, "was": was, "to": to, "why": event, "who": WHO, "now": now})
    return Judged(moved=moved, known=known)


def note_differences(session: Session, head: ListHead, *, reconciliation_id: int, run: int, now: datetime) -> None:
    """What could not be carried out, each line once."""
    otherwise = "TAX_EXTRA" if head.kind is ListKind.TAX else "REGISTRAR_EXTRA"
    given = {"reconciliation_id": reconciliation_id, "run": run, "now": now, "otherwise": otherwise}
    session.execute(DIFFERENCES, {**given, "subject": DifferenceSubject.MONTH})
