"""What an approval does: enrolments opened, resumed and suspended from their month, and with them the bills. Steps of one transaction.

Locks are taken in one order: the application, its enrolments by id, their bills by id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from config.months import YearMonth
from models.applications import ApplicationKind
from models.bills import BillState, ContributionBill
from models.enrollments import Enrollment, EnrollmentState
from services.application_errors import AlreadyEnrolled
from services.assessment import issue_for
from services.enrollment_tiers import begin_said_tiers, keep_history
from services.review_errors import EnrollmentNotAsItWas, MonthsAlreadyPosted
from services.uncovered_bills import void_uncovered

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from models.applications import ApplicationItem, EnrollmentApplication
    from services.ports import Ports

LIVE: Final = (EnrollmentState.ACTIVE, EnrollmentState.SUSPENDED)
PAID: Final = (BillState.PAID, BillState.TAX_CONFIRMED, BillState.POSTED)
MOST_MONTHS_BACK: Final = 12
"""Bills are issued for no more months at once: an application that waited longer is a case for people."""


@dataclass(kw_only=True)
class Effects:
    """What became of the enrolments and their months (YYYYMM)."""

    from_month: int
    enrollment_ids: list[int] = field(default_factory=list)
    issued: int = 0
    voided: int = 0
    paid_months: set[int] = field(default_factory=set)
    """Paid already, and after the suspension: they stay, and are told."""
    months_being_paid: set[int] = field(default_factory=set)
    """Locked by an order: they wait for its end."""


def take_effect(ports: Ports, session: Session, application: EnrollmentApplication, *, who: str, now: datetime) -> Effects:
    """Carry out an application that was just approved. It is locked, its items are loaded, and the turn to issue bills was waited for.

    Raises AlreadyEnrolled, EnrollmentNotAsItWas, MonthsAlreadyPosted: then nothing of it has happened.
    """
    this_month = YearMonth.of(ports.today())
    effects = Effects(from_month=application.effective_month or this_month.number)
    if application.kind == ApplicationKind.NEW_ENROLLMENT:
        _open_all(session, application, effects, who=who, now=now)
    elif application.kind == ApplicationKind.RESUMPTION:
        _resume_all(session, application, effects, who=who, now=now)
    else:
        _suspend_all(session, application, effects, who=who, now=now)
    session.flush()
    if application.kind != ApplicationKind.SUSPENSION:
        effects.issued = _issue(ports, session, effects, this_month=this_month, now=now)
    return effects


def _open_all(session: Session, application: EnrollmentApplication, effects: Effects, *, who: str, now: datetime) -> None:
    for item in application.items:
        enrollment = _enrollment_for(session, application, item, from_month=effects.from_month, now=now)
        if enrollment.state not in (EnrollmentState.NONE, EnrollmentState.TERMINATED):
            raise AlreadyEnrolled(insurance_type=item.insurance_type)
        if enrollment.end_month is not None and effects.from_month < enrollment.end_month:
            raise EnrollmentNotAsItWas(insurance_type=item.insurance_type)
        began_before = enrollment.state != EnrollmentState.NONE
        if began_before:
            keep_history(session, [enrollment.id], now=now)
        enrollment.open(
            tier_plan=item.tier_plan,
            tier=item.tier,
            declared_wage_fen=item.declared_wage_fen,
            agency=application.agency,
            from_month=effects.from_month,
            who=who,
            at=now,
        )
        item.enrollment_id = enrollment.id
        effects.enrollment_ids.append(enrollment.id)
        if began_before:
            _begin_tier(session, enrollment, from_month=effects.from_month, now=now)


def _enrollment_for(
    session: Session, application: EnrollmentApplication, item: ApplicationItem, *, from_month: int, now: datetime
) -> Enrollment:
    """The row of this person in this insurance and area, locked: a new one, or the one that had ended. Raises AlreadyEnrolled."""
    key = {
        "person_id": application.person_id,
        "insurance_type": item.insurance_type,
        "pooling_area": application.pooling_area or application.region,
    }
    # The registrar's feed may bring the same one at this very moment: whoever is first makes the row, and the other one finds it.
    session.execute(
        insert(Enrollment)
        .values(
            **key,
            region=application.region,
            tier_plan=item.tier_plan,
            tier=item.tier,
            declared_wage_fen=item.declared_wage_fen,
            state=EnrollmentState.NONE,
            start_month=from_month,
            agency=application.agency,
            created_at=now,
            updated_at=now,
        )
        .on_conflict_do_nothing()
    )
    rows = session.scalars(
        select(Enrollment)
        .where(Enrollment.person_id == application.person_id, Enrollment.insurance_type == item.insurance_type)
        .order_by(Enrollment.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    # Another region's is the eligibility rules' affair, where a second person may know better than the record.
    if any(row.state in LIVE and row.region == application.region for row in rows):
        raise AlreadyEnrolled(insurance_type=item.insurance_type)
    return next(row for row in rows if row.pooling_area == key["pooling_area"])


def _resume_all(session: Session, application: EnrollmentApplication, effects: Effects, *, who: str, now: datetime) -> None:
    for item, enrollment in _locked(session, application):
        if enrollment.state != EnrollmentState.SUSPENDED or effects.from_month < (enrollment.end_month or 0):
            raise EnrollmentNotAsItWas(insurance_type=item.insurance_type)
        if application.pooling_area not in (None, enrollment.pooling_area):
            _move_area(session, enrollment, str(application.pooling_area))
        keep_history(session, [enrollment.id], now=now)
        enrollment.resume(
            tier_plan=item.tier_plan,
            tier=item.tier,
            declared_wage_fen=item.declared_wage_fen,
            agency=application.agency,
            from_month=max(effects.from_month, enrollment.start_month),
            who=who,
            at=now,
        )
        effects.enrollment_ids.append(enrollment.id)
        _begin_tier(session, enrollment, from_month=effects.from_month, now=now)


def _begin_tier(session: Session, enrollment: Enrollment, *, from_month: int, now: datetime) -> None:
    """From this month on it is in the tier that was applied for; earlier months stay in theirs."""
    session.flush()
    begin_said_tiers(session, [enrollment.id], from_month=YearMonth.from_number(from_month), now=now)


def _move_area(session: Session, enrollment: Enrollment, area: str) -> None:
    """续保 in another pooling area of the region (R-XJ-31): the enrolment goes along. Raises AlreadyEnrolled where one is there."""
    there = select(Enrollment.id).where(
        Enrollment.person_id == enrollment.person_id,
        Enrollment.insurance_type == enrollment.insurance_type,
        Enrollment.pooling_area == area,
    )
    if session.scalar(there) is not None:
        raise AlreadyEnrolled(insurance_type=enrollment.insurance_type)
    enrollment.pooling_area = area


def _suspend_all(session: Session, application: EnrollmentApplication, effects: Effects, *, who: str, now: datetime) -> None:
    for item, enrollment in _locked(session, application):
        if enrollment.state != EnrollmentState.ACTIVE:
            raise EnrollmentNotAsItWas(insurance_type=item.insurance_type)
        if effects.from_month < enrollment.start_month:
            raise MonthsAlreadyPosted(insurance_type=item.insurance_type)
        enrollment.suspend(from_month=effects.from_month, who=who, at=now)
        effects.enrollment_ids.append(enrollment.id)
    session.flush()
    # Voided first: it locks the bills, and what is read after it stands still.
    effects.voided = void_uncovered(session, enrollment_ids=effects.enrollment_ids, who=who, now=now)
    left = session.execute(
        select(ContributionBill.coverage_month, ContributionBill.state).where(
            ContributionBill.enrollment_id.in_(effects.enrollment_ids),
            ContributionBill.coverage_month >= effects.from_month,
            ContributionBill.state != BillState.VOID,
        )
    ).all()
    if any(state == BillState.POSTED for _, state in left):
        raise MonthsAlreadyPosted
    effects.paid_months = {month for month, state in left if state in PAID}
    effects.months_being_paid = {month for month, state in left if state == BillState.LOCKED}


def _locked(session: Session, application: EnrollmentApplication) -> list[tuple[ApplicationItem, Enrollment]]:
    """The items with the enrolments that they are about, locked by id. Raises EnrollmentNotAsItWas."""
    wanted = {item.enrollment_id: item for item in application.items if item.enrollment_id is not None}
    rows = session.scalars(
        select(Enrollment)
        .where(Enrollment.id.in_(wanted), Enrollment.person_id == application.person_id)
        .order_by(Enrollment.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    if not rows or len(rows) != len(application.items):
        raise EnrollmentNotAsItWas
    return [(wanted[row.id], row) for row in rows]


def _issue(ports: Ports, session: Session, effects: Effects, *, this_month: YearMonth, now: datetime) -> int:
    """The bills from the first month to this one. Later months come with their own assessment."""
    first = max(YearMonth.from_number(effects.from_month), this_month.plus(-MOST_MONTHS_BACK))
    issued, month = 0, first
    while month <= this_month:
        issued += sum(
            issue_for(ports, session, enrollment_id=enrollment_id, month=month, now=now)
            for enrollment_id in effects.enrollment_ids
        )
        month = month.plus(1)
    return issued
