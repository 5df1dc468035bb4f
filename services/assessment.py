"""Assessment: a month's bills for every active enrolment, by the rulebook, in set-based SQL.

The law is looked up once per (region, insurance, plan) in Python; the million rows never leave the database. Running it again
issues only what is missing, so a run that was killed half way is finished by the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from config.rulebook import NoRuleInForce

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from config.months import YearMonth
    from config.rulebook import AssessmentTable
    from services.ports import Ports

ACTIVE = """
    e.state = 'ACTIVE' AND e.region = :region AND e.insurance_type = :insurance_type
    AND e.tier_plan IS NOT DISTINCT FROM CAST(:tier_plan AS text)
    AND e.start_month <= :month AND (e.end_month IS NULL OR :month < e.end_month)
"""

GROUPS = text("""
    SELECT DISTINCT region, insurance_type, tier_plan FROM enrollments
    WHERE state = 'ACTIVE' AND start_month <= :month AND (end_month IS NULL OR :month < end_month)
    ORDER BY region, insurance_type, tier_plan
""")

# A tier of the plan names its amount; else the declared wage does, held between floor and ceiling (domain §2.6).
# Half a fen rounds up, and the pooling part is what the account part leaves: parts always sum.
ISSUE = text(f"""
    WITH tiers AS (
        SELECT * FROM unnest(CAST(:tiers AS text[]), CAST(:bases AS bigint[]), CAST(:amounts AS bigint[]), CAST(:account_parts AS bigint[]))
            AS t(tier, base_fen, amount_fen, account_part_fen)),
    owed AS (
        SELECT e.id AS enrollment_id, t.tier,
            CASE WHEN t.tier IS NOT NULL THEN t.base_fen ELSE least(greatest(e.declared_wage_fen, :floor), :ceiling) END AS base_fen,
            t.amount_fen, t.account_part_fen
        FROM enrollments e LEFT JOIN tiers t ON t.tier = e.tier
        WHERE {ACTIVE} AND (t.tier IS NOT NULL OR (:takes_wage AND e.declared_wage_fen IS NOT NULL))),
    priced AS (
        SELECT enrollment_id, tier, base_fen,
            coalesce(amount_fen, (base_fen * :rate + 500) / 1000) AS amount_fen,
            coalesce(account_part_fen, (base_fen * :account_rate + 500) / 1000) AS account_part_fen
        FROM owed)
    INSERT INTO contribution_bills (enrollment_id, insurance_type, region, authority, coverage_month, kind, rule_id, tier_plan, tier,
        base_fen, amount_fen, account_part_fen, pooling_part_fen, provisional, sample, issued_at)
    SELECT enrollment_id, :insurance_type, :region, :authority, :month, 'NORMAL', :rule_id, :plan_id, tier,
        base_fen, amount_fen, account_part_fen, amount_fen - account_part_fen, :provisional, :sample, :now
    FROM priced
    ON CONFLICT (enrollment_id, coverage_month, kind) WHERE NOT voided DO NOTHING
""")  # noqa: S608 - our own words only

UNPRICED = text(f"""
    SELECT count(*) FROM enrollments e WHERE {ACTIVE} AND NOT EXISTS (
        SELECT 1 FROM contribution_bills b WHERE b.enrollment_id = e.id AND b.coverage_month = :month AND b.kind = 'NORMAL' AND NOT b.voided)
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


def assess(ports: Ports, *, month: YearMonth, on_progress: Callable[[Assessed], None] | None = None) -> list[Assessed]:
    """Issue the month's bills. Refuses nothing silently: what got no bill is counted and explained."""
    done = []
    with ports.begin() as session:
        groups = session.execute(GROUPS, {"month": month.number}).all()
    for region, insurance_type, tier_plan in groups:
        try:
            table = ports.rulebook.region(region).assessment_table(insurance_type, month, tier_plan)
        except (NoRuleInForce, KeyError) as fault:
            with ports.begin() as session:
                left = _without_bill(session, region=region, insurance_type=insurance_type, tier_plan=tier_plan, month=month)
            result = Assessed(
                region=region,
                insurance_type=insurance_type,
                plan_id=tier_plan or "-",
                issued=0,
                without_bill=left,
                why=str(fault),
            )
        else:
            result = _issue(ports, table, tier_plan=tier_plan, month=month)
        done.append(result)
        if on_progress is not None:
            on_progress(result)
    return done


def _issue(ports: Ports, table: AssessmentTable, *, tier_plan: str | None, month: YearMonth) -> Assessed:
    given: dict[str, Any] = {
        "region": table.region,
        "insurance_type": table.insurance_type,
        "tier_plan": tier_plan,
        "month": month.number,
        "authority": ports.rulebook.region(table.region).authority,
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
        "now": ports.now(),
    }
    with ports.begin() as session:
        issued: int = session.connection().execute(ISSUE, given).rowcount
        left = _without_bill(
            session, region=table.region, insurance_type=table.insurance_type, tier_plan=tier_plan, month=month
        )
    why = "the tier is not in the plan, or no wage was declared" if left else None
    return Assessed(
        region=table.region,
        insurance_type=table.insurance_type,
        plan_id=table.plan_id,
        issued=issued,
        without_bill=left,
        why=why,
    )


def _without_bill(session: Session, *, region: str, insurance_type: str, tier_plan: str | None, month: YearMonth) -> int:
    given = {"region": region, "insurance_type": insurance_type, "tier_plan": tier_plan, "month": month.number}
    count: int = session.execute(UNPRICED, given).scalar_one()
    return count
