"""Figures of the whole house for whoever watches it: what waits, and for how long. A few small questions, answered by partial indexes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from services.reconciliation import days_due

if TYPE_CHECKING:
    from datetime import datetime

    from services.ports import Ports

PATIENCE_MS: Final = 4000
"""For each question. Whoever watches asks again; a house in need is not asked for longer."""

# One row each: how many, and since when the oldest of them.
WAITING: Final = "SELECT count(*), min(received_at) FROM notices WHERE state = 'WAITING'"
PARKED: Final = (
    "SELECT outcome, count(*), min(received_at) FROM notices WHERE state = 'PARKED' AND resolved_at IS NULL GROUP BY outcome"
)
DIFFERENCES: Final = (
    "SELECT kind, count(*), min(first_seen_at) FROM reconciliation_differences WHERE resolved_at IS NULL GROUP BY kind"
)
REFUNDS: Final = (
    "SELECT state, count(*), min(created_at) FROM refunds WHERE state NOT IN ('REFUNDED', 'REJECTED') GROUP BY state"
)
SILENT: Final = "SELECT min(next_ask_at) FROM payments WHERE next_ask_at IS NOT NULL"
BANK_FAULTS: Final = "SELECT count(*) FROM bank_file_faults WHERE resolved_at IS NULL"
ARCHIVER: Final = (
    "SELECT current_setting('archive_mode') <> 'off', last_archived_time,"
    " coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) FROM pg_stat_archiver"
)
CLOCK: Final = "SELECT clock_timestamp()"


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """How many, and since when the oldest has waited; None where there is none."""

    count: int = 0
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class HouseFigures:
    """All of one moment. Groups that are empty are not there."""

    notices: Waiting = Waiting()
    parked: dict[str, Waiting] = field(default_factory=dict)
    """By outcome."""
    differences: dict[str, Waiting] = field(default_factory=dict)
    """By kind."""
    refunds: dict[str, Waiting] = field(default_factory=dict)
    """That are not over, or failed and are owed as before; by state."""
    days_due: dict[str, int] = field(default_factory=dict)
    """Merchant account → days of the last week whose bill ought to be there and that were never compared; each account is there."""
    asks_due_since: datetime | None = None
    """Since when a silent payment should have been asked about."""
    bank_file_faults: int = 0
    archives: bool = False
    """Whether the database archives its log, without which no moment can be restored."""
    archived_at: datetime | None = None
    archiving_fails: bool = False
    database_ahead_seconds: float = 0.0
    """The database's clock against ours."""


def read_house_figures(ports: Ports) -> HouseFigures:
    """Raises SQLAlchemyError when the database does not answer in time."""
    with ports.begin() as session:
        session.execute(text(f"SET LOCAL statement_timeout = {PATIENCE_MS}"))
        rows = {name: session.execute(text(question)).all() for name, question in QUESTIONS.items()}
        ahead = session.execute(text(CLOCK)).scalar_one() - ports.now()
    due = dict.fromkeys(ports.daily_bills, 0)
    for account, _ in days_due(ports):
        due[account] += 1
    archives, archived_at, archiving_fails = rows["archiver"][0]
    return HouseFigures(
        notices=Waiting(count=rows["waiting"][0][0], since=rows["waiting"][0][1]),
        **{
            group: {key or "-": Waiting(count=count, since=since) for key, count, since in rows[group]}
            for group in ("parked", "differences", "refunds")
        },
        days_due=due,
        asks_due_since=None if (since := rows["silent"][0][0]) is None or since > ports.now() else since,
        bank_file_faults=rows["bank_faults"][0][0],
        archives=archives,
        archived_at=archived_at,
        archiving_fails=archiving_fails,
        database_ahead_seconds=ahead.total_seconds(),
    )


QUESTIONS: Final = {
    "waiting": WAITING,
    "parked": PARKED,
    "differences": DIFFERENCES,
    "refunds": REFUNDS,
    "silent": SILENT,
    "bank_faults": BANK_FAULTS,
    "archiver": ARCHIVER,
}
