"""Which months are not done: a month is done when no active enrolment that it covers lacks its bill. The worker asks again and again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import text

from config.months import YearMonth
from services.assessment import Assessed, assess
from services.enrollment_tiers import plan_for_many

if TYPE_CHECKING:
    from services.ports import Ports

REGIONS = text("SELECT DISTINCT region FROM enrollments WHERE state IN ('ACTIVE', 'SUSPENDED') ORDER BY region")

# Counting first: of a million enrolments that are done, nobody looks at each month. Months are counted on from January of year 0.
LACKING = text("""
    WITH covered AS (
        SELECT id, greatest(start_month, :first) AS first, least(coalesce(end_month, :after), :after) AS after
        FROM enrollments WHERE (state = 'ACTIVE' OR (state = 'SUSPENDED' AND end_month IS NOT NULL)) AND region = :region AND start_month < :after AND (end_month IS NULL OR end_month > :first)),
    billed AS (
        SELECT c.id, count(*) AS months FROM covered c
            JOIN contribution_bills b ON b.enrollment_id = c.id AND b.coverage_month >= c.first AND b.coverage_month < c.after
        WHERE b.kind = 'NORMAL' AND NOT b.voided GROUP BY c.id),
    lacking AS (
        SELECT c.* FROM covered c LEFT JOIN billed ON billed.id = c.id
        WHERE c.after / 100 * 12 + c.after % 100 - (c.first / 100 * 12 + c.first % 100) > coalesce(billed.months, 0))
    SELECT DISTINCT m.month FROM lacking l
        JOIN unnest(CAST(:months AS bigint[])) AS m(month) ON m.month >= l.first AND m.month < l.after
    WHERE NOT EXISTS (SELECT 1 FROM contribution_bills b WHERE b.enrollment_id = l.id AND b.coverage_month = m.month
        AND b.kind = 'NORMAL' AND NOT b.voided)
    ORDER BY m.month
""")


@dataclass(kw_only=True)
class Swept:
    """What a sweep did."""

    issued: int = 0
    without_bill: list[tuple[YearMonth, Assessed]] = field(default_factory=list)
    """Months in which some enrolments still have no bill, and why: for a person to mend the rulebook or the feed."""


def assess_what_is_missing(ports: Ports) -> Swept:
    """Issue what is missing of every month up to today's in Beijing, region by region. One without a rule stops no other."""
    swept = Swept()
    with ports.begin() as session:
        regions = list(session.scalars(REGIONS))
    for region in regions:
        for month in _months_not_done(ports, region):
            for done in assess(ports, month=month, region=region):
                swept.issued += done.issued
                if done.without_bill:
                    swept.without_bill.append((month, done))
    return swept


def _months_not_done(ports: Ports, region: str) -> list[YearMonth]:
    this_month = YearMonth.of(ports.today())
    known = ports.rulebook.regions.get(region)
    # A region that says nothing, or that we do not know, is asked about this month alone: assessment says what is wrong.
    first = min((known.bills_from() if known else None) or this_month, this_month)
    months = [first.plus(number).number for number in range(this_month.minus(first) + 1)]
    given = {"region": region, "first": first.number, "after": this_month.plus(1).number, "months": months}
    with ports.begin() as session:
        plan_for_many(session)
        return [YearMonth.from_number(number) for number in session.scalars(LACKING, given)]
