"""Another tier (变更档次), chosen on the phone by its own person: from the month that the region's policy names, never backwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from config.months import YearMonth
from config.rulebook import NoRuleInForce
from models.bills import BillState, ContributionBill
from models.enrollments import Enrollment, EnrollmentState, EnrollmentTier, TierSource
from services.application_errors import DeclaredWageOutOfLimits, NoInsuranceSelected, NotActive, TierNotOffered
from services.bills import counter_of
from services.choices import Choice, check_choices
from services.consents import refuse_taken_back
from services.enrollment_tiers import hold_bills, keep_history
from services.enrollments import EnrollmentView, change_terms, spells, view_of
from services.errors import (
    FaceCheckRequired,
    NotAvailableOnline,
    NotFound,
    RegionMismatch,
    TierUnchanged,
    TooManyTierChanges,
)
from services.idempotency import Asked, fingerprint, keep_result, known_result, made_once

if TYPE_CHECKING:
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from models.accounts import Account
    from services.ports import Ports

ROUTE: Final = "POST /enrollments/tier-changes"
A_DAY: Final = timedelta(hours=24)
CHANGES_A_DAY: Final = 5
"""Of one enrolment: nobody needs more, and no row is ever taken back."""


@dataclass(frozen=True, kw_only=True)
class NewTier:
    """Either a tier of the enrolment's own plan, or a declared wage in fen a month where the plan takes one."""

    tier: str | None
    declared_wage_fen: int | None


@dataclass(frozen=True, kw_only=True)
class Changed:
    enrollment: EnrollmentView
    replayed: bool


def change_tier(ports: Ports, *, account: Account, enrollment_no: str, new: NewTier, idempotency_key: str) -> Changed:
    """Begin another tier; months that are billed and paid, or being paid, keep theirs. The same key again changes nothing.

    Raises FaceCheckRequired, ConsentRequired, NotFound, RegionMismatch, NotActive, NotAvailableOnline, TierNotOffered,
    DeclaredWageOutOfLimits, TierUnchanged, TooManyTierChanges, IdempotencyKeyReused.
    """
    words = fingerprint(enrollment_no, new.tier, new.declared_wage_fen)
    asked = Asked(account_id=account.id, route=ROUTE, key=idempotency_key, request_hash=words)
    return made_once(lambda: _change(ports, account=account, enrollment_no=enrollment_no, new=new, asked=asked))


def _change(ports: Ports, *, account: Account, enrollment_no: str, new: NewTier, asked: Asked) -> Changed:
    now, today = ports.now(), ports.today()
    with ports.begin() as session:
        known = known_result(session, asked)
        if known is None:
            keep_result(session, asked, result_id=enrollment_no, now=now)
        refuse_taken_back(session, account_id=account.id, purpose="REAL_NAME", hold=True)
        if account.person_id is None:
            raise FaceCheckRequired
        # Whoever issues bills waits until this is done, and then goes by the new tier.
        hold_bills(session)
        enrollment = session.scalars(
            select(Enrollment)
            .where(Enrollment.enrollment_no == (known or enrollment_no), Enrollment.person_id == account.person_id)
            .with_for_update()
        ).one_or_none()
        if enrollment is None:
            raise NotFound
        if known is not None:
            return Changed(enrollment=view_of(ports, session, enrollment), replayed=True)
        if enrollment.region not in ports.miniprogram(account.miniprogram).regions:
            raise RegionMismatch(right_region=enrollment.region)
        region = ports.rulebook.region(enrollment.region)
        _begin(session, enrollment, new, region=region, today=today, who=f"account:{account.id}", at=now)
        return Changed(enrollment=view_of(ports, session, enrollment), replayed=False)


def _begin(
    session: Session, enrollment: Enrollment, new: NewTier, *, region: Region, today: date, who: str, at: datetime
) -> None:
    month = _first_month(session, enrollment, region=region, today=today)
    held = [spell for spell in spells(session, enrollment) if spell.from_month <= month]
    current = held[-1] if held else spells(session, enrollment)[0]
    wanted = replace(
        current, from_month=month, tier=new.tier, declared_wage_fen=new.declared_wage_fen, source=TierSource.PERSON
    )
    _check(region, enrollment, wanted.tier_plan, new, month=month, today=today)
    if wanted.same_as(current):
        raise TierUnchanged
    lately = select(func.count()).where(
        EnrollmentTier.enrollment_id == enrollment.id,
        EnrollmentTier.source == TierSource.PERSON,
        EnrollmentTier.created_at > at - A_DAY,
    )
    if (session.scalar(lately) or 0) >= CHANGES_A_DAY:
        raise TooManyTierChanges
    keep_history(session, [enrollment.id], now=at)
    session.add(
        EnrollmentTier(
            enrollment_id=enrollment.id,
            from_month=month.number,
            tier_plan=wanted.tier_plan,
            tier=wanted.tier,
            declared_wage_fen=wanted.declared_wage_fen,
            source=TierSource.PERSON,
            created_at=at,
        )
    )
    for bill in _bills_from(session, enrollment, month):
        # Billed ahead of its time; the worker bills it anew when its month has come.
        bill.void(why="TIER_CHANGE", who=who, at=at)
    session.flush()


def _first_month(session: Session, enrollment: Enrollment, *, region: Region, today: date) -> YearMonth:
    """From when on: as the policy says, and after every month ahead that is paid or being paid already."""
    terms = change_terms(region, enrollment, today)
    if not terms.available or terms.from_month is None:
        if enrollment.state != EnrollmentState.ACTIVE or terms.counter is None:
            raise NotActive(detail="只有正常参保的险种才能变更缴费档次，请刷新后核对，咨询电话12333。")
        raise NotAvailableOnline(detail=terms.reason, counter=terms.counter)
    month = YearMonth.parse(terms.from_month)
    settled = [bill for bill in _bills_from(session, enrollment, month) if bill.state != BillState.UNPAID]
    if settled:
        month = YearMonth.from_number(settled[-1].coverage_month).plus(1)
    if enrollment.end_month is not None and month.number >= enrollment.end_month:
        raise NotActive(detail="该险种的参保即将结束，不能再变更缴费档次，咨询电话12333。")
    return month


def _bills_from(session: Session, enrollment: Enrollment, month: YearMonth) -> list[ContributionBill]:
    """Its live bills from this month on, locked by id as orders do, then in the order of their months."""
    locked = session.scalars(
        select(ContributionBill)
        .where(
            ContributionBill.enrollment_id == enrollment.id,
            ContributionBill.coverage_month >= month.number,
            ContributionBill.state != BillState.VOID,
        )
        .order_by(ContributionBill.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    return sorted(locked, key=lambda bill: bill.coverage_month)


def _check(region: Region, enrollment: Enrollment, plan: str | None, new: NewTier, *, month: YearMonth, today: date) -> None:
    """Raises TierNotOffered, DeclaredWageOutOfLimits, NotAvailableOnline. Figures of a month to come may not be published: then this month's count."""
    try:
        region.assessment_table(enrollment.insurance_type, month, plan)
    except NoRuleInForce:
        month = YearMonth.of(today)
    choice = Choice(insurance_type=enrollment.insurance_type, tier=new.tier, declared_wage_fen=new.declared_wage_fen, plan=plan)
    for fault in check_choices(region, (choice,), on=today, month=month, with_tiers=True):
        if isinstance(fault, TierNotOffered | DeclaredWageOutOfLimits):
            raise fault
        if not isinstance(fault, NoInsuranceSelected):
            # The insurance itself is no longer offered; NoInsuranceSelected speaks of others, which are not asked for here.
            raise NotAvailableOnline(detail=fault.said, counter=counter_of(region, enrollment.agency))
