"""The annual adjustment (补差, domain §2.6): when the final figures of a year replace provisional ones, each month billed on those is
reckoned again.

    paid, more is owed      a SUPPLEMENT bill for the same month
    paid, less is owed      a row for a member of staff (`canbao adjustments`)
    unpaid                  void, and issued anew: an amount is never changed
    being paid just now     waits: the worker comes back when its order has ended
    the same amount         nothing

What is owed is compared with all that was assessed, so a second run finds nothing to do.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select, text

from config.months import YearMonth
from config.rulebook import NoRuleInForce
from models.adjustments import AdjustmentReview, ReviewState
from models.bills import BillReason, BillState, ContributionBill
from models.enrollments import Enrollment
from services.assessment import TIERS, parts, terms
from services.enrollment_tiers import IN_FORCE, plan_for_many, take_turns
from services.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports

REISSUE, VOID_SUPPLEMENT, SUPPLEMENT, WAIT = "REISSUE", "VOID_SUPPLEMENT", "SUPPLEMENT", "WAIT"

GROUPS = text("""
    SELECT region, insurance_type, tier_plan, coverage_month, min(enrollment_id) AS first, max(enrollment_id) AS last
    FROM contribution_bills
    WHERE kind = 'NORMAL' AND NOT voided AND provisional AND coverage_month BETWEEN :first_month AND :last_month
        AND (CAST(:region AS text) IS NULL OR region = :region)
    GROUP BY region, insurance_type, tier_plan, coverage_month ORDER BY region, insurance_type, tier_plan, coverage_month
""")

# Each month that was billed on provisional figures, what it was assessed at in all, and what the final figures ask for. A tier keeps
# its name and takes its new base; a declared wage is held between the new limits. Months outside the enrolment are not ours to bill.
JUDGED: Final = f"""
    tiers_then AS ({IN_FORCE}), {TIERS},
    billed AS (
        SELECT n.id, n.enrollment_id, n.state, n.tier, n.amount_fen, n.account_part_fen, n.insurance_type, n.authority,
            s.id AS supplement_id, s.state AS supplement_state,
            coalesce(s.amount_fen, 0) AS supplement_fen, coalesce(s.account_part_fen, 0) AS supplement_account_fen,
            n.tier IS NULL OR t.tier IS NOT NULL AS has_figure,
            CASE WHEN n.tier IS NOT NULL THEN t.base_fen
                ELSE least(greatest(coalesce(CASE WHEN h.enrollment_id IS NULL THEN e.declared_wage_fen ELSE h.declared_wage_fen END,
                    n.base_fen), :floor), :ceiling) END AS base_fen,
            t.amount_fen AS fixed_fen, t.account_part_fen AS fixed_account_fen
        FROM contribution_bills n
            JOIN enrollments e ON e.id = n.enrollment_id
            LEFT JOIN tiers_then h ON h.enrollment_id = n.enrollment_id
            LEFT JOIN tiers t ON t.tier = n.tier
            LEFT JOIN contribution_bills s ON s.enrollment_id = n.enrollment_id AND s.coverage_month = n.coverage_month
                AND s.kind = 'SUPPLEMENT' AND NOT s.voided
        WHERE n.kind = 'NORMAL' AND NOT n.voided AND n.provisional AND n.coverage_month = :month AND n.region = :region
            AND n.insurance_type = :insurance_type AND n.tier_plan = :plan_id AND n.enrollment_id >= :first AND n.enrollment_id < :after
            AND e.start_month <= :month AND (e.end_month IS NULL OR :month < e.end_month)),
    owed AS (
        SELECT billed.*, coalesce(fixed_fen, (base_fen * :rate + 500) / 1000) AS owed_fen,
            coalesce(fixed_account_fen, (base_fen * :account_rate + 500) / 1000) AS owed_account_fen
        FROM billed),
    judged AS (
        SELECT owed.*, owed_fen - amount_fen AS more_fen, owed_account_fen - account_part_fen AS more_account_fen,
            CASE
                WHEN state IN ('REFUNDING', 'REFUNDED') OR supplement_state IN ('REFUNDING', 'REFUNDED') THEN NULL
                WHEN NOT has_figure THEN 'NO_FIGURE'
                WHEN owed_fen = amount_fen + supplement_fen THEN NULL
                WHEN state = 'LOCKED' OR supplement_state = 'LOCKED' THEN '{WAIT}'
                WHEN state = 'UNPAID' THEN '{REISSUE}'
                WHEN supplement_state = 'UNPAID' THEN '{VOID_SUPPLEMENT}'
                WHEN owed_fen < amount_fen + supplement_fen THEN 'OVERPAID'
                WHEN supplement_state IS NOT NULL THEN 'SECOND_SUPPLEMENT'
                WHEN owed_account_fen < account_part_fen OR owed_fen - owed_account_fen < amount_fen - account_part_fen THEN 'PARTS_SHIFT'
                ELSE '{SUPPLEMENT}'
            END AS decision
        FROM owed)
"""  # noqa: S608 - our own words only

DECISIONS = text(f"WITH {JUDGED} SELECT decision, count(*) FROM judged WHERE decision IS NOT NULL GROUP BY decision")  # noqa: S608

# Locked by id, as orders do; whoever was faster keeps the month, and the next run judges it anew.
VOIDED: Final = """
    locked AS (
        SELECT b.id FROM contribution_bills b JOIN judged j ON b.id = j.{column}
        WHERE j.decision = '{decision}' AND b.state = 'UNPAID' ORDER BY b.id FOR UPDATE OF b),
    voided AS (
        UPDATE contribution_bills b SET state = 'VOID' FROM locked l WHERE b.id = l.id AND b.state = 'UNPAID' RETURNING b.id),
    told AS (
        INSERT INTO moves (noun, row_id, from_state, to_state, why, who, at)
        SELECT :noun, id::text, 'UNPAID', 'VOID', :why, :who, :now FROM voided)
"""
NEW_BILL: Final = """
    INSERT INTO contribution_bills (bill_no, enrollment_id, insurance_type, region, authority, coverage_month, kind, reason, rule_id,
        tier_plan, tier, base_fen, amount_fen, account_part_fen, pooling_part_fen, provisional, sample, issued_at)
    SELECT upper(substr(encode(sha256(:secret || int8send(j.enrollment_id)), 'hex'), 1, 24)), j.enrollment_id, j.insurance_type, :region,
        j.authority, :month, '{kind}', :reason, :rule_id, :plan_id, j.tier, j.base_fen, {amount}, {account}, {amount} - {account},
        false, :sample, :now
"""
# A month's old bill is void before the new one is issued, because the new one is made of what voiding gives back.
REISSUE_BILLS = text(
    f"WITH {JUDGED}, {VOIDED.format(column='id', decision=REISSUE)} "
    f"{NEW_BILL.format(kind='NORMAL', amount='j.owed_fen', account='j.owed_account_fen')} "
    "FROM voided v JOIN judged j ON j.id = v.id ORDER BY j.enrollment_id"
)
VOID_SUPPLEMENTS = text(
    f"WITH {JUDGED}, {VOIDED.format(column='supplement_id', decision=VOID_SUPPLEMENT)} SELECT count(*) FROM voided"  # noqa: S608
)
ISSUE_SUPPLEMENTS = text(
    f"WITH {JUDGED} {NEW_BILL.format(kind='SUPPLEMENT', amount='j.more_fen', account='j.more_account_fen')} "
    f"FROM judged j WHERE j.decision = '{SUPPLEMENT}' ORDER BY j.enrollment_id"
)
ASK_PEOPLE = text(f"""
    WITH {JUDGED}
    INSERT INTO adjustment_reviews (bill_id, rule_id, reason, assessed_fen, owed_fen, created_at)
    SELECT id, :rule_id, decision, amount_fen + supplement_fen, CASE WHEN has_figure THEN owed_fen END, :now
    FROM judged WHERE decision IN ('NO_FIGURE', 'OVERPAID', 'SECOND_SUPPLEMENT', 'PARTS_SHIFT') ORDER BY id
    ON CONFLICT (bill_id, rule_id) DO NOTHING
""")  # noqa: S608 - our own words only


@dataclass(kw_only=True)
class Adjusted:
    """What a run did for one coverage month of one (region, insurance, plan)."""

    region: str
    insurance_type: str
    plan_id: str
    month: YearMonth
    supplements: int = 0
    reissued: int = 0
    reviews: int = 0
    waiting: int = 0
    """Being paid just now; the next run comes back to them."""
    why_not: str | None = None
    """No final figures, or none at all."""
    parts_left: int = field(default=0, repr=False)

    @property
    def did(self) -> int:
        return self.supplements + self.reissued + self.reviews


def adjust(
    ports: Ports, *, year: int | None = None, region: str | None = None, on_part: Callable[[Adjusted], None] | None = None
) -> list[Adjusted]:
    """Reckon anew every month of the year (of all years, without one) that was billed on figures which are final by now.

    Issues each bill once, however often it runs. Raises nothing where figures are not final: it says so.
    """
    first, last = ((year or 0) * 100 + 1, (year or 9999) * 100 + 12)
    with ports.begin() as session:
        given = {"first_month": first, "last_month": last, "region": region}
        groups = session.execute(GROUPS, given).all()
    done = []
    for group in groups:
        month = YearMonth.from_number(group.coverage_month)
        result = Adjusted(
            region=group.region, insurance_type=group.insurance_type, plan_id=group.tier_plan, month=month
        )  # fmt: skip
        done.append(result)
        try:
            rules = ports.rulebook.region(group.region)
            table = rules.assessment_table(group.insurance_type, month, group.tier_plan)
        except (NoRuleInForce, KeyError) as fault:
            result.why_not = str(fault)
            continue
        if table.provisional:
            result.why_not = "its figures are provisional still"
            continue
        given = {"region": group.region, "insurance_type": group.insurance_type, "month": month.number}
        given |= terms(table, authority=rules.authority)
        all_parts = parts(group.first, group.last)
        for number, (start, after) in enumerate(all_parts, start=1):
            result.parts_left = len(all_parts) - number
            _adjust_part(ports, {**given, "first": start, "after": after}, result)
            if on_part is not None:
                on_part(result)
    return done


def _adjust_part(ports: Ports, given: dict[str, Any], result: Adjusted) -> None:
    moves = ContributionBill.MOVES
    given = {
        **given,
        "noun": moves.noun,
        "why": f"{moves.event(BillState.UNPAID, BillState.VOID)}:{BillReason.BASE_ADJUSTMENT}",
        "who": "adjustment",
        "reason": BillReason.BASE_ADJUSTMENT,
        "now": ports.now(),
    }
    with ports.begin() as session:
        plan_for_many(session)
        found: dict[str, int] = dict(session.execute(DECISIONS, given).all())
    result.waiting += found.get(WAIT, 0)
    if not found.keys() - {WAIT}:
        return
    with ports.begin() as session:
        take_turns(session)
        connection = session.connection()
        result.reissued += connection.execute(REISSUE_BILLS, {**given, "secret": secrets.token_bytes(32)}).rowcount
        # First the differences that are wrong by now and unpaid, so that the month is free for the right one.
        connection.execute(VOID_SUPPLEMENTS, given)
        result.supplements += connection.execute(ISSUE_SUPPLEMENTS, {**given, "secret": secrets.token_bytes(32)}).rowcount
        result.reviews += connection.execute(ASK_PEOPLE, given).rowcount


@dataclass(frozen=True, kw_only=True)
class OpenReview:
    """One month that a member of staff must judge. No name: the bill's number leads to the person, for whoever may see them."""

    id: int
    bill_no: str
    region: str
    insurance_type: str
    month: YearMonth
    reason: str
    assessed_fen: int
    owed_fen: int | None
    rule_id: str
    created_at: datetime


def open_reviews(session: Session, *, region: str | None = None) -> list[OpenReview]:
    """Months that wait for a member of staff, oldest first."""
    each, bill = AdjustmentReview, ContributionBill
    wanted = (
        select(each, bill).join(bill, bill.id == each.bill_id).join(Enrollment, Enrollment.id == bill.enrollment_id)
        .where(each.state == ReviewState.OPEN).order_by(each.id)
    )  # fmt: skip
    if region is not None:
        wanted = wanted.where(bill.region == region)
    return [
        OpenReview(
            id=review.id,
            bill_no=of.bill_no,
            region=of.region,
            insurance_type=of.insurance_type,
            month=YearMonth.from_number(of.coverage_month),
            reason=review.reason,
            assessed_fen=review.assessed_fen,
            owed_fen=review.owed_fen,
            rule_id=review.rule_id,
            created_at=review.created_at,
        )
        for review, of in session.execute(wanted)
    ]


def resolve_review(ports: Ports, *, review_id: int, reason: str, who: str) -> None:
    """A member of staff dealt with it. Raises NotFound where no such review waits."""
    with ports.begin() as session:
        review = session.get(AdjustmentReview, review_id, with_for_update=True)
        if review is None or review.state != ReviewState.OPEN:
            raise NotFound
        review.resolve(reason=reason, who=f"staff:{who}", at=ports.now())
