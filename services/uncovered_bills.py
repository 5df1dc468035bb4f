"""Uncovered bills: unpaid months that an enrolment no longer covers are owed no longer, whoever ended it.

A month that somebody is paying at this moment waits: its money decides. The sweep comes by once its order has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from models.bills import BillState, ContributionBill

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import TextClause
    from sqlalchemy.orm import Session

    from services.ports import Ports

AT_A_TIME: Final = 1_000

COVERED: Final = """
    (b.coverage_month >= e.start_month AND (e.end_month IS NULL OR b.coverage_month < e.end_month))
    OR EXISTS (SELECT 1 FROM enrollment_periods p
               WHERE p.enrollment_id = e.id AND b.coverage_month >= p.start_month AND b.coverage_month < p.end_month)
"""
"""In SQL, of bill `b` and its enrolment `e`: in the present run of months or in an earlier one."""

# Locked by id, as orders do.
VOID = text(f"""
    WITH uncovered AS (
        SELECT b.id FROM contribution_bills b JOIN enrollments e ON e.id = b.enrollment_id
        WHERE e.id = ANY(:ids) AND b.state = 'UNPAID' AND NOT ({COVERED})
        ORDER BY b.id FOR UPDATE OF b),
    voided AS (
        UPDATE contribution_bills b SET state = 'VOID' FROM uncovered u WHERE b.id = u.id AND b.state = 'UNPAID' RETURNING b.id)
    INSERT INTO moves (noun, row_id, from_state, to_state, why, who, at)
    SELECT :noun, id::text, 'UNPAID', 'VOID', :why, :who, :now FROM voided
""")  # noqa: S608 - our own words only

OWES = f"""
    SELECT e.id FROM enrollments e
    WHERE {{of_these}} AND EXISTS (
        SELECT 1 FROM contribution_bills b WHERE b.enrollment_id = e.id AND NOT b.voided AND b.state = 'UNPAID' AND NOT ({COVERED}))
    ORDER BY e.id LIMIT :most FOR UPDATE OF e SKIP LOCKED
"""  # noqa: S608 - our own words only
SUSPENDED_AND_OWING = text(OWES.format(of_these="e.state = 'SUSPENDED' AND e.end_month IS NOT NULL"))
"""Few, so that each minute can ask."""
OWING = text(OWES.format(of_these="true"))


def void_uncovered(session: Session, *, enrollment_ids: Collection[int], who: str, now: datetime) -> int:
    """Void the unpaid bills of months that these enrolments do not cover; answers how many. The enrolments are locked."""
    moves = ContributionBill.MOVES
    given = {
        "ids": list(enrollment_ids),
        "noun": moves.noun,
        "why": moves.event(BillState.UNPAID, BillState.VOID),
        "who": who,
        "now": now,
    }
    voided: int = session.connection().execute(VOID, given).rowcount
    return voided


def void_uncovered_bills(ports: Ports) -> int:
    """The sweep after suspensions: months whose order has ended unpaid, or that an assessment under way still issued. How many."""
    return _sweep(ports, SUSPENDED_AND_OWING, who="void_uncovered_bills")


def void_all_uncovered(ports: Ports) -> int:
    """The same of every enrolment, whoever changed its months: a feed finds a month that an order holds just then, and leaves it."""
    return _sweep(ports, OWING, who="void_uncovered")


def _sweep(ports: Ports, owing: TextClause, *, who: str) -> int:
    voided = 0
    while True:
        with ports.begin() as session:
            found = list(session.scalars(owing, {"most": AT_A_TIME}))
            voided += void_uncovered(session, enrollment_ids=found, who=who, now=ports.now()) if found else 0
        if len(found) < AT_A_TIME:
            return voided
