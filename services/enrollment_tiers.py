"""Which tier an enrolment has in which month: the steps that keep its history, and the statement that reads it.

Whoever changes an enrolment's tier calls `changing_tiers` and `begin_said_tiers` around it, in the same transaction. Months that are
billed stay as they were billed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from config.months import YearMonth

IN_FORCE: Final = """
    SELECT DISTINCT ON (enrollment_id) enrollment_id, tier_plan, tier, declared_wage_fen FROM enrollment_tiers
    WHERE from_month <= :month AND enrollment_id >= :first AND enrollment_id < :after ORDER BY enrollment_id, id DESC
"""
"""The tier of a month, of each enrolment from `first` to before `after` that ever changed it: the last word that covers the month."""

TURNS: Final = "hashtextextended('contribution_bills', 0)"

CHANGING = text("""
    SELECT e.id FROM enrollments e JOIN unnest(CAST(:people AS uuid[]), CAST(:insurances AS text[]), CAST(:areas AS text[]),
            CAST(:plans AS text[]), CAST(:tiers AS text[]), CAST(:wages AS bigint[]))
            AS said(person_id, insurance_type, pooling_area, tier_plan, tier, declared_wage_fen)
        ON (e.person_id, e.insurance_type, e.pooling_area) = (said.person_id, said.insurance_type, said.pooling_area)
    WHERE (e.tier_plan, e.tier, e.declared_wage_fen) IS DISTINCT FROM (said.tier_plan, said.tier, said.declared_wage_fen)
    ORDER BY e.id FOR UPDATE OF e
""")
KEEP_HISTORY = text("""
    INSERT INTO enrollment_tiers (enrollment_id, from_month, tier_plan, tier, declared_wage_fen, source, created_at)
    SELECT e.id, e.start_month, e.tier_plan, e.tier, e.declared_wage_fen, 'RECORD', :now FROM enrollments e
    WHERE e.id = ANY(:ids) AND NOT EXISTS (SELECT 1 FROM enrollment_tiers t WHERE t.enrollment_id = e.id) ORDER BY e.id
""")
BEGIN_SAID = text("""
    INSERT INTO enrollment_tiers (enrollment_id, from_month, tier_plan, tier, declared_wage_fen, source, created_at)
    SELECT id, :month, tier_plan, tier, declared_wage_fen, 'REGISTRAR', :now FROM enrollments WHERE id = ANY(:ids) ORDER BY id
""")


@dataclass(frozen=True, kw_only=True)
class Said:
    """The tier of one enrolment, as the registrar says it."""

    person_id: uuid.UUID
    insurance_type: str
    pooling_area: str
    tier_plan: str | None
    tier: str | None
    declared_wage_fen: int | None


def take_turns(session: Session) -> None:
    """Until this transaction ends, nobody else issues bills, and nobody changes the tier that they are issued by."""
    wait_for_turn(session)
    plan_for_many(session)


def wait_for_turn(session: Session) -> None:
    """As `take_turns`, for whoever issues a few. To be called before any enrolment is locked: those who issue wait for enrolments."""
    session.execute(text(f"SELECT pg_advisory_xact_lock({TURNS})"))


def plan_for_many(session: Session) -> None:
    """Until this transaction ends, no row is looked up by itself.

    The statistics of a table that is being filled are always behind: the planner expects ten rows, and meets 25,000 (5 s instead of 0.3).
    """
    session.execute(text("SET LOCAL enable_nestloop = off"))


def hold_bills(session: Session) -> None:
    """Until this transaction ends, nobody issues bills. Many may hold them at once."""
    session.execute(text(f"SELECT pg_advisory_xact_lock_shared({TURNS})"))


def changing_tiers(session: Session, said: Sequence[Said], *, now: datetime) -> list[int]:
    """Enrolments of which the registrar now says another tier, locked, with what they said until now written down.

    To be called before they change, and `begin_said_tiers` afterwards.
    """
    hold_bills(session)
    given = {
        "people": [each.person_id for each in said],
        "insurances": [each.insurance_type for each in said],
        "areas": [each.pooling_area for each in said],
        "plans": [each.tier_plan for each in said],
        "tiers": [each.tier for each in said],
        "wages": [each.declared_wage_fen for each in said],
    }
    changing = list(session.scalars(CHANGING, given))
    if changing:
        keep_history(session, changing, now=now)
    return changing


def begin_said_tiers(session: Session, enrollment_ids: Sequence[int], *, from_month: YearMonth, now: datetime) -> None:
    """From this month on these enrolments are in the tier that they now say, whatever their persons chose before."""
    if enrollment_ids:
        session.execute(BEGIN_SAID, {"ids": list(enrollment_ids), "month": from_month.number, "now": now})


def keep_history(session: Session, enrollment_ids: Sequence[int], *, now: datetime) -> None:
    """Write down what these enrolments have said until now, where nothing was written yet. To be called before they change."""
    session.execute(KEEP_HISTORY, {"ids": list(enrollment_ids), "now": now})
