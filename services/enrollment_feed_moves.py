"""The feed's own moves: what is on record before it changes, whether a road leads there, and the rows that tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from models.enrollments import Enrollment, EnrollmentState

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection, Mapping
    from datetime import datetime
    from typing import TypeAlias

    from sqlalchemy.orm import Session

    from services.enrollment_feed import FeedRow

    Key: TypeAlias = tuple[uuid.UUID, str, str]
    # Person, insurance, pooling area.

EXISTING = text("""
    SELECT e.id, e.person_id, e.insurance_type, e.pooling_area, e.state, e.start_month, e.end_month
    FROM enrollments e JOIN unnest(CAST(:people AS uuid[]), CAST(:insurances AS text[]), CAST(:areas AS text[]))
        AS t(person_id, insurance_type, pooling_area)
        ON (e.person_id, e.insurance_type, e.pooling_area) = (t.person_id, t.insurance_type, t.pooling_area)
    ORDER BY e.id FOR UPDATE OF e
""")
MOVED = text("""
    INSERT INTO moves (noun, row_id, from_state, to_state, why, who, at)
    SELECT :noun, id::text, was, is_now, why, 'enrollment_feed', :now
    FROM unnest(CAST(:ids AS bigint[]), CAST(:were AS text[]), CAST(:are AS text[]), CAST(:whys AS text[])) AS t(id, was, is_now, why)
""")
KEEP_PERIODS = text("""
    INSERT INTO enrollment_periods (enrollment_id, start_month, end_month)
    SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:starts AS bigint[]), CAST(:ends AS bigint[]))
    ON CONFLICT (enrollment_id, start_month) DO UPDATE SET end_month = greatest(enrollment_periods.end_month, excluded.end_month)
""")


def leads(was: str, to: EnrollmentState) -> bool:
    """Whether the registrar's word is a road of the map, or no move at all."""
    return was == to or Enrollment.MOVES.allows(was, to)


def lock_existing(session: Session, wanted: Collection[Key]) -> dict[Key, Any]:
    """Those that are on record already, locked by id, as they stand."""
    given = {
        "people": [person for person, _, _ in wanted],
        "insurances": [insurance for _, insurance, _ in wanted],
        "areas": [area for _, _, area in wanted],
    }
    return {(row.person_id, row.insurance_type, row.pooling_area): row for row in session.execute(EXISTING, given)}


def note_moves(session: Session, wanted: Mapping[Key, FeedRow], held: Mapping[Key, Any], *, now: datetime) -> None:
    """Each state that the feed changed leaves its move, and a run of months that ended before another begins stays on record."""
    pairs = [(held[key], row) for key, row in wanted.items() if key in held]
    moved = [(was, row) for was, row in pairs if was.state != row.state]
    if moved:
        given = {
            "noun": Enrollment.MOVES.noun,
            "ids": [was.id for was, _ in moved],
            "were": [was.state for was, _ in moved],
            "are": [str(row.state) for _, row in moved],
            "whys": [Enrollment.MOVES.event(was.state, row.state) for was, row in moved],
            "now": now,
        }
        session.execute(MOVED, given)
    ended = [was for was, row in pairs if was.end_month is not None and was.start_month < was.end_month < row.start_month]
    if ended:
        given = {
            "ids": [was.id for was in ended],
            "starts": [was.start_month for was in ended],
            "ends": [was.end_month for was in ended],
        }
        session.execute(KEEP_PERIODS, given)
