"""Enrolments as their own person sees them: in which tier since when, which months are paid, and which are missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from config.months import YearMonth
from config.rulebook import NoRuleInForce
from models.bills import BillKind, BillState, ContributionBill, ContributionRecord, RecordState
from models.enrollments import Enrollment, EnrollmentState, EnrollmentTier
from services.bills import counter_of
from services.consents import refuse_taken_back
from services.errors import FaceCheckRequired

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence
    from datetime import date

    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from models.accounts import Account
    from services.ports import Ports


@dataclass(frozen=True, kw_only=True)
class TierView:
    """A tier from one month on."""

    from_month: str
    tier_plan: str
    tier: str | None
    label: str | None
    """None where a wage is declared instead, or the rulebook no longer knows the tier."""
    declared_wage_fen: int | None
    source: str


@dataclass(frozen=True, kw_only=True)
class TierChangeTerms:
    """Whether another tier can be chosen on the phone now, and from when on it would hold."""

    available: bool
    from_month: str | None
    reason: str | None
    counter: dict[str, Any] | None
    to_confirm: bool


@dataclass(frozen=True, kw_only=True)
class EnrollmentView:
    enrollment_no: str
    region: str
    region_name: str
    pooling_area: str
    pooling_area_name: str
    insurance_type: str
    insurance_name: str
    state: str
    start_month: str
    end_month: str | None
    """The first month that is not covered any more."""
    tiers: list[TierView]
    """In the order of their months; the last one that has begun is the current one, a later one is to come."""
    paid_months: int
    """Months of whose payment we know: also those that are confirmed or posted."""
    tax_confirmed_months: int
    posted_months: int
    months_elsewhere: int | None
    """What the registrar counts besides: paid by an employer, at a counter, in another place. None: not said."""
    total_months: int
    """Both added up (R-XJ-03, R-XJ-06)."""
    gaps: list[str]
    """Months before this one that are covered, collected by this house, and not paid as far as we know."""
    supplement_outstanding: bool
    """A difference of some month is not paid yet."""
    tier_change: TierChangeTerms


@dataclass(frozen=True, kw_only=True)
class Spell:
    """A tier in force from a month on, as rows or the enrolment itself say it."""

    from_month: YearMonth
    tier_plan: str | None
    tier: str | None
    declared_wage_fen: int | None
    source: str

    def same_as(self, other: Spell) -> bool:
        return (self.tier_plan, self.tier, self.declared_wage_fen) == (other.tier_plan, other.tier, other.declared_wage_fen)


def list_enrollments(ports: Ports, *, account: Account) -> list[EnrollmentView]:
    """The enrolments of the account's own person, those in force first. Raises FaceCheckRequired, ConsentRequired."""
    with ports.begin() as session:
        refuse_taken_back(session, account_id=account.id, purpose="REAL_NAME")
        if account.person_id is None:
            raise FaceCheckRequired
        found = _enrollments_of(session, account.person_id)
        return [view_of(ports, session, each) for each in found if each.region in ports.rulebook.regions]


def _enrollments_of(session: Session, person_id: uuid.UUID) -> Sequence[Enrollment]:
    active_first = (Enrollment.state != EnrollmentState.ACTIVE, Enrollment.insurance_type, Enrollment.id)
    return session.scalars(select(Enrollment).where(Enrollment.person_id == person_id).order_by(*active_first)).all()


def view_of(ports: Ports, session: Session, enrollment: Enrollment) -> EnrollmentView:
    """One enrolment with all that is known of its months."""
    region, today = ports.rulebook.region(enrollment.region), ports.today()
    records = session.execute(
        select(ContributionRecord.coverage_month, ContributionRecord.state).where(
            ContributionRecord.enrollment_id == enrollment.id,
            ContributionRecord.kind == BillKind.NORMAL,
            ContributionRecord.state != RecordState.REVERSED,
        )
    ).all()
    open_bills = session.execute(
        select(ContributionBill.coverage_month, ContributionBill.kind).where(
            ContributionBill.enrollment_id == enrollment.id,
            ContributionBill.state.in_((BillState.UNPAID, BillState.LOCKED)),
        )
    ).all()
    area = region.pooling_areas.get(enrollment.pooling_area)
    return EnrollmentView(
        enrollment_no=enrollment.enrollment_no,
        region=region.code,
        region_name=region.name,
        pooling_area=enrollment.pooling_area,
        pooling_area_name=area.name if area else enrollment.pooling_area,
        insurance_type=enrollment.insurance_type,
        insurance_name=_insurance_name(region, enrollment.insurance_type, today),
        state=enrollment.state,
        start_month=str(YearMonth.from_number(enrollment.start_month)),
        end_month=str(YearMonth.from_number(enrollment.end_month)) if enrollment.end_month else None,
        tiers=[_tier_view(region, enrollment.insurance_type, spell, today) for spell in spells(session, enrollment)],
        paid_months=len(records),
        tax_confirmed_months=sum(row.state in (RecordState.TAX_CONFIRMED, RecordState.POSTED) for row in records),
        posted_months=sum(row.state == RecordState.POSTED for row in records),
        months_elsewhere=enrollment.months_elsewhere,
        total_months=len(records) + (enrollment.months_elsewhere or 0),
        gaps=_gaps(
            enrollment,
            region=region,
            paid={row.coverage_month for row in records},
            unpaid={row.coverage_month for row in open_bills if row.kind == BillKind.NORMAL},
            today=today,
        ),
        supplement_outstanding=any(row.kind == BillKind.SUPPLEMENT for row in open_bills),
        tier_change=change_terms(region, enrollment, today),
    )


def spells(session: Session, enrollment: Enrollment) -> list[Spell]:
    """Its tiers in the order of their months, each once: a word that a later one took back before it held is left out."""
    rows = session.scalars(
        select(EnrollmentTier).where(EnrollmentTier.enrollment_id == enrollment.id).order_by(EnrollmentTier.id)
    ).all()
    said = [
        Spell(
            from_month=YearMonth.from_number(each.from_month),
            tier_plan=each.tier_plan,
            tier=each.tier,
            declared_wage_fen=each.declared_wage_fen,
            source=each.source,
        )
        for each in rows
    ]
    return in_order(said) or [
        Spell(
            from_month=YearMonth.from_number(enrollment.start_month),
            tier_plan=enrollment.tier_plan,
            tier=enrollment.tier,
            declared_wage_fen=enrollment.declared_wage_fen,
            source="RECORD",
        )
    ]


def in_order(said: Sequence[Spell]) -> list[Spell]:
    """What holds from when on, of words in the order in which they were said: the last one that covers a month. Pure."""
    held: list[Spell] = []
    for each in said:
        held = [earlier for earlier in held if earlier.from_month < each.from_month]
        if not held or not held[-1].same_as(each):
            held.append(each)
    return held


def _gaps(enrollment: Enrollment, *, region: Region, paid: set[int], unpaid: set[int], today: date) -> list[str]:
    this_month = YearMonth.of(today)
    first = max(YearMonth.from_number(enrollment.start_month), region.bills_from() or this_month)
    end = YearMonth.from_number(enrollment.end_month) if enrollment.end_month else this_month
    months = [first.plus(number) for number in range(max(min(end, this_month).minus(first), 0))]
    # Whoever paused owes what was billed until then, and nothing for the pause.
    return [
        str(month)
        for month in months
        if month.number not in paid and (enrollment.state == EnrollmentState.ACTIVE or month.number in unpaid)
    ]


def change_terms(region: Region, enrollment: Enrollment, today: date) -> TierChangeTerms:
    """Whether another tier can be chosen today on the phone. Pure."""
    counter = counter_of(region, enrollment.agency)
    try:
        policy = region.tier_change_policy(enrollment.insurance_type, today)
    except NoRuleInForce:
        reason = "变更缴费档次的办法尚未公布，以当地公布为准。"
        return TierChangeTerms(available=False, from_month=None, reason=reason, counter=counter, to_confirm=True)
    month = policy.from_month(today)
    if month is None:
        reason, to_confirm = "变更缴费档次不能在手机上办理，请到窗口办理。", policy.status == "TO_CONFIRM"
        return TierChangeTerms(available=False, from_month=None, reason=reason, counter=counter, to_confirm=to_confirm)
    if enrollment.state != EnrollmentState.ACTIVE or (enrollment.end_month and month.number >= enrollment.end_month):
        return TierChangeTerms(
            available=False, from_month=None, reason="只有正常参保的险种才能变更缴费档次。", counter=None, to_confirm=False
        )
    return TierChangeTerms(
        available=True, from_month=str(month), reason=None, counter=None, to_confirm=policy.status == "TO_CONFIRM"
    )


def _tier_view(region: Region, insurance_type: str, spell: Spell, today: date) -> TierView:
    label, plan = None, spell.tier_plan or "-"
    for month in (max(spell.from_month, YearMonth.of(today)), YearMonth.of(today)):
        try:
            table = region.assessment_table(insurance_type, month, spell.tier_plan)
        except NoRuleInForce:
            continue
        plan, tier = table.plan_id, table.tier(spell.tier or "")
        label = tier.label if tier else None
        break
    return TierView(
        from_month=str(spell.from_month),
        tier_plan=plan,
        tier=spell.tier,
        label=label,
        declared_wage_fen=spell.declared_wage_fen,
        source=spell.source,
    )


def _insurance_name(region: Region, insurance_type: str, today: date) -> str:
    try:
        return region.insurance(insurance_type, today).title
    except NoRuleInForce:
        return insurance_type
