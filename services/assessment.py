"""Assessment: a month's bills for every active enrolment, by the rulebook, in set-based SQL.

The law is looked up once per (region, insurance, plan) in Python; the million rows never leave the database. It goes by parts, a
transaction each: running it again issues only what is missing, so a run that was killed half way is finished by the next.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from config.rulebook import NoRuleInForce
from services.enrollment_tiers import IN_FORCE, plan_for_many, take_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sqlalchemy.orm import Session

    from config.months import YearMonth
    from config.rulebook import AssessmentTable
    from services.ports import Ports

PART: Final = 25_000
"""Enrolment numbers a transaction: about a second's work, so nobody waits long behind it and little is done twice after a kill."""

# Who is insured in the month, with the tier that was theirs then. Whoever asked for a suspension later on owes until that month.
COVERED: Final = f"""
    tiers_then AS ({IN_FORCE}),
    covered AS (
        SELECT e.id, e.region, e.insurance_type,
            CASE WHEN t.enrollment_id IS NULL THEN e.tier_plan ELSE t.tier_plan END AS tier_plan,
            CASE WHEN t.enrollment_id IS NULL THEN e.tier ELSE t.tier END AS tier,
            CASE WHEN t.enrollment_id IS NULL THEN e.declared_wage_fen ELSE t.declared_wage_fen END AS wage_fen
        FROM enrollments e LEFT JOIN tiers_then t ON t.enrollment_id = e.id
        WHERE (e.state = 'ACTIVE' OR (e.state = 'SUSPENDED' AND e.end_month IS NOT NULL)) AND e.start_month <= :month AND (e.end_month IS NULL OR :month < e.end_month)
            AND e.id >= :first AND e.id < :after)
"""  # noqa: S608 - our own words only
GROUP: Final = (
    "region = :region AND insurance_type = :insurance_type AND tier_plan IS NOT DISTINCT FROM CAST(:tier_plan AS text)"
)
LACKS: Final = """
    NOT EXISTS (SELECT 1 FROM contribution_bills b WHERE b.enrollment_id = covered.id AND b.coverage_month = :month
        AND b.kind = 'NORMAL' AND NOT b.voided AND b.enrollment_id >= :first AND b.enrollment_id < :after)
"""
TIERS: Final = """
    tiers AS (SELECT * FROM unnest(CAST(:tiers AS text[]), CAST(:bases AS bigint[]), CAST(:amounts AS bigint[]),
        CAST(:account_parts AS bigint[])) AS t(tier, base_fen, amount_fen, account_part_fen))
"""

GROUPS = text(f"""
    WITH {COVERED}
    SELECT region, insurance_type, tier_plan, min(id) AS first, max(id) AS last FROM covered
    WHERE CAST(:region AS text) IS NULL OR region = :region
    GROUP BY region, insurance_type, tier_plan ORDER BY region, insurance_type, tier_plan
""")  # noqa: S608 - our own words only

# A tier of the plan names its amount; else the declared wage does, held between floor and ceiling (domain §2.6).
# Half a fen rounds up, and the pooling part is what the account part leaves: parts always sum.
# In the order of the index, and numbered by a hash under a secret of this statement alone: as opaque as the column's own default,
# whose random bytes cost a fifth of the whole run. Turns are taken, so that no row can be in the way; if one were, the constraint
# would refuse the part, and the next run would find what is left.
ISSUE = text(f"""
    WITH {COVERED}, {TIERS},
    owed AS (
        SELECT covered.id AS enrollment_id, t.tier,
            CASE WHEN t.tier IS NOT NULL THEN t.base_fen ELSE least(greatest(covered.wage_fen, :floor), :ceiling) END AS base_fen,
            t.amount_fen, t.account_part_fen
        FROM covered LEFT JOIN tiers t ON t.tier = covered.tier
        WHERE {GROUP} AND {LACKS} AND (t.tier IS NOT NULL OR (:takes_wage AND covered.wage_fen IS NOT NULL))),
    priced AS (
        SELECT enrollment_id, tier, base_fen,
            coalesce(amount_fen, (base_fen * :rate + 500) / 1000) AS amount_fen,
            coalesce(account_part_fen, (base_fen * :account_rate + 500) / 1000) AS account_part_fen
        FROM owed)
    INSERT INTO contribution_bills (bill_no, enrollment_id, insurance_type, region, authority, coverage_month, kind, rule_id, tier_plan,
        tier, base_fen, amount_fen, account_part_fen, pooling_part_fen, provisional, sample, issued_at)
    SELECT upper(substr(encode(sha256(:secret || int8send(enrollment_id)), 'hex'), 1, 24)), enrollment_id, :insurance_type, :region,
        :authority, :month, 'NORMAL', :rule_id, :plan_id, tier,
        base_fen, amount_fen, account_part_fen, amount_fen - account_part_fen, :provisional, :sample, :now
    FROM priced ORDER BY enrollment_id
""")  # noqa: S608 - our own words only

WITHOUT_PRICE = text(f"""
    WITH {COVERED}
    SELECT count(*) FROM covered
    WHERE {GROUP} AND (covered.tier IS NULL OR covered.tier <> ALL(CAST(:tiers AS text[])))
        AND NOT (:takes_wage AND covered.wage_fen IS NOT NULL) AND {LACKS}
""")  # noqa: S608 - our own words only


@dataclass(frozen=True, kw_only=True)
class Assessed:
    """What a run did for one (region, insurance, plan)."""

    region: str
    insurance_type: str
    plan_id: str
    issued: int
    without_bill: int
    """Active enrolments that still have none: their tier is not in the plan, or no rule is in force."""
    why: str | None = None


@dataclass(frozen=True, kw_only=True)
class PartDone:
    """One transaction of a run."""

    region: str
    insurance_type: str
    plan_id: str
    number: int
    """From 1."""
    of: int
    issued: int


def assess(
    ports: Ports,
    *,
    month: YearMonth,
    region: str | None = None,
    on_progress: Callable[[Assessed], None] | None = None,
    on_part: Callable[[PartDone], None] | None = None,
) -> list[Assessed]:
    """Issue the month's bills. Refuses nothing silently: what got no bill is counted and explained."""
    done = []
    with ports.begin() as session:
        groups = session.execute(GROUPS, {"month": month.number, "region": region, "first": 0, "after": 2**62}).all()
    for group in groups:
        given = {"region": group.region, "insurance_type": group.insurance_type, "tier_plan": group.tier_plan}
        given |= {"month": month.number, "tiers": [], "takes_wage": False}
        issued, why = 0, None
        try:
            table = ports.rulebook.region(group.region).assessment_table(group.insurance_type, month, group.tier_plan)
        except (NoRuleInForce, KeyError) as fault:
            plan, why = group.tier_plan or "-", str(fault)
        else:
            plan = table.plan_id
            given |= terms(table, authority=ports.rulebook.region(group.region).authority)
            for part in _issue(ports, given, first=group.first, last=group.last):
                issued += part.issued
                if on_part is not None:
                    on_part(part)
        with ports.begin() as session:
            plan_for_many(session)
            left = _without_bill(session, given, first=group.first, last=group.last)
        result = Assessed(
            region=group.region,
            insurance_type=group.insurance_type,
            plan_id=plan,
            issued=issued,
            without_bill=left,
            why=why or ("the tier is not in the plan, or no wage was declared" if left else None),
        )
        done.append(result)
        if on_progress is not None:
            on_progress(result)
    return done


def issue_for(ports: Ports, session: Session, *, enrollment_id: int, month: YearMonth, now: datetime) -> int:
    """Issue one enrolment's bill of one month, in the transaction that opened or resumed it. 0 where it has one, or no rule is in force.

    The caller has waited for its turn (`wait_for_turn`) before it locked the enrolment. What gets no bill here is told by the
    month's next assessment, which tries again.
    """
    given: dict[str, Any] = {"month": month.number, "region": None, "first": enrollment_id, "after": enrollment_id + 1}
    covered = session.execute(GROUPS, given).one_or_none()
    if covered is None:
        return 0
    region = ports.rulebook.region(covered.region)
    try:
        table = region.assessment_table(covered.insurance_type, month, covered.tier_plan)
    except (NoRuleInForce, KeyError):
        return 0
    given |= {"region": covered.region, "insurance_type": covered.insurance_type, "tier_plan": covered.tier_plan}
    given |= {**terms(table, authority=region.authority), "secret": secrets.token_bytes(32), "now": now}
    issued: int = session.connection().execute(ISSUE, given).rowcount
    return issued


def terms(table: AssessmentTable, *, authority: str) -> dict[str, Any]:
    """A table as the parameters of a statement that prices by it."""
    return {
        "authority": authority,
        "rule_id": table.rule_id,
        "plan_id": table.plan_id,
        "tiers": [tier.tier for tier in table.tiers],
        "bases": [tier.base_fen for tier in table.tiers],
        "amounts": [tier.amount_fen for tier in table.tiers],
        "account_parts": [tier.account_part_fen for tier in table.tiers],
        "floor": table.floor_fen,
        "ceiling": table.ceiling_fen,
        "takes_wage": table.allow_declared_wage,
        "rate": table.rate_per_mille,
        "account_rate": table.account_rate_per_mille,
        "provisional": table.provisional,
        "sample": table.sample,
    }


def parts(first: int, last: int) -> list[tuple[int, int]]:
    """The numbers from first to last, in parts of [first, after)."""
    return [(start, min(start + PART, last + 1)) for start in range(first, last + 1, PART)]


def _issue(ports: Ports, given: dict[str, Any], *, first: int, last: int) -> Iterator[PartDone]:
    all_parts = parts(first, last)
    for number, (start, after) in enumerate(all_parts, start=1):
        with ports.begin() as session:
            take_turns(session)
            more = {"first": start, "after": after, "secret": secrets.token_bytes(32), "now": ports.now()}
            issued: int = session.connection().execute(ISSUE, {**given, **more}).rowcount
        yield PartDone(
            region=given["region"],
            insurance_type=given["insurance_type"],
            plan_id=given["plan_id"],
            number=number,
            of=len(all_parts),
            issued=issued,
        )


def _without_bill(session: Session, given: dict[str, Any], *, first: int, last: int) -> int:
    count: int = session.execute(WITHOUT_PRICE, {**given, "first": first, "after": last + 1}).scalar_one()
    return count
