"""联合办: one case under which an enrolment, the debit agreement and the first payment are followed together (R-XJ-50).

The steps are read from what they are about, and kept nowhere: a case can never say something else than its application.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy import func, select

from config.clock import day_start
from config.rulebook import ApplicationKind, Capability, NoRuleInForce
from models.applications import WAITING_STATES, ApplicationItem, ApplicationState, EnrollmentApplication, JointCase
from models.base import new_id, new_number
from models.bills import BillState, ContributionBill, ContributionRecord
from models.withholding_agreements import AgreementState, WithholdingAgreement
from services.application_errors import InsuranceNotOffered
from services.application_steps import may_apply, to_the_counter
from services.case_errors import TooManyApplications
from services.errors import NotFound
from services.idempotency import Asked, fingerprint, keep_result, known_result, made_once
from services.menu import region_served

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from models.accounts import Account
    from services.ports import Ports

ROUTE: Final = "POST /joint-cases"
A_DAY: Final = 10
MOST_LISTED: Final = 50
_S = ApplicationState


class JointStep(StrEnum):
    ENROLLMENT = "ENROLLMENT"
    AGREEMENT = "AGREEMENT"
    PAYMENT = "PAYMENT"


class StepState(StrEnum):
    WAITING = "WAITING"
    """For the step before it, or for somebody else."""
    TO_DO = "TO_DO"
    """It is the applicant's turn."""
    UNDER_WAY = "UNDER_WAY"
    DONE = "DONE"


TITLES: Final = {
    JointStep.ENROLLMENT: "参保登记",
    JointStep.AGREEMENT: "签订委托扣款缴费协议",
    JointStep.PAYMENT: "缴费",
}
AFTER_APPROVAL: Final = "参保登记审核通过后办理。"


@dataclass(frozen=True, kw_only=True)
class StepView:
    step: str
    title: str
    state: str
    explanation: str | None
    application_ids: list[UUID]
    """Of the first step: its applications, the newest first."""


@dataclass(frozen=True, kw_only=True)
class JointCaseView:
    id: UUID
    case_no: str
    region: str
    region_name: str
    resident_scheme: str | None
    is_done: bool
    steps: list[StepView]
    created_at: datetime
    replayed: bool = False


def open_joint_case(
    ports: Ports, *, account: Account, region_code: str, resident_scheme: str | None, idempotency_key: str
) -> JointCaseView:
    """Open a case; by the residents' entry (170, 390) or by that of flexible workers. The same key again tells the same case.

    Raises NotFound, RegionMismatch, RealNameRequired, ConsentRequired, NotAvailableOnline (with the window), InsuranceNotOffered,
    TooManyApplications, IdempotencyKeyReused.
    """
    region = region_served(ports, account, region_code)
    _refuse_closed(region, resident_scheme, ports.today())
    wish = fingerprint(region.code, resident_scheme)
    asked = Asked(account_id=account.id, route=ROUTE, key=idempotency_key, request_hash=wish)
    case_id, replayed = made_once(
        lambda: _open(ports, account=account, region=region, resident_scheme=resident_scheme, asked=asked)
    )
    return replace(read_joint_case(ports, account=account, case_id=case_id), replayed=replayed)


def _refuse_closed(region: Region, resident_scheme: str | None, today: date) -> None:
    try:
        rule = region.capability(Capability.JOINT_CASE, today)
    except NoRuleInForce:
        raise to_the_counter(region, None) from None
    if not rule.available:
        raise to_the_counter(region, rule.counter, rule.explanation or "本地区没有“联合办”")
    if resident_scheme is None or resident_scheme in {each.insurance_type for each in region.insurances(today)}:
        return
    scheme = next((each for each in region.resident_schemes(today) if each.insurance_type == resident_scheme), None)
    if scheme is None:
        raise InsuranceNotOffered
    raise to_the_counter(region, scheme.counter, f"{scheme.title}：{scheme.explanation}")


def _open(ports: Ports, *, account: Account, region: Region, resident_scheme: str | None, asked: Asked) -> tuple[UUID, bool]:
    now = ports.now()
    with ports.begin() as session:
        if (known := known_result(session, asked)) is not None:
            return UUID(known), True
        person_id = may_apply(session, account=account)
        begun = session.scalar(
            select(func.count())
            .select_from(JointCase)
            .where(JointCase.account_id == account.id, JointCase.created_at >= day_start(now))
        )
        if (begun or 0) >= A_DAY:
            raise TooManyApplications
        case = JointCase(
            id=new_id(),
            case_no=new_number(),
            account_id=account.id,
            person_id=person_id,
            region=region.code,
            resident_scheme=resident_scheme,
            created_at=now,
        )
        session.add(case)
        keep_result(session, asked, result_id=str(case.id), now=now)
        return case.id, False


def read_joint_case(ports: Ports, *, account: Account, case_id: UUID) -> JointCaseView:
    """One case with where its steps stand. Raises NotFound, also for other people's."""
    with ports.begin() as session:
        case = session.scalar(select(JointCase).where(JointCase.id == case_id, JointCase.account_id == account.id))
        if case is None:
            raise NotFound
        return _view(ports, session, case)


def list_joint_cases(ports: Ports, *, account: Account) -> list[JointCaseView]:
    """This account's cases, newest first."""
    mine = select(JointCase).where(JointCase.account_id == account.id)
    with ports.begin() as session:
        cases = session.scalars(mine.order_by(JointCase.created_at.desc(), JointCase.id.desc()).limit(MOST_LISTED)).all()
        return [_view(ports, session, case) for case in cases]


def _view(ports: Ports, session: Session, case: JointCase) -> JointCaseView:
    region = ports.rulebook.region(case.region)
    each = EnrollmentApplication
    children = session.scalars(select(each).where(each.joint_case_id == case.id).order_by(each.id.desc())).all()
    enrolled = _enrollment_state(children)
    approved = enrolled is StepState.DONE
    paid = _payment_state(session, children) if approved else StepState.WAITING
    agreement = _agreement_state(session, case, region, paid=paid) if approved else StepState.WAITING
    steps = [
        _step(JointStep.ENROLLMENT, enrolled, None, [child.id for child in children]),
        _step(JointStep.AGREEMENT, agreement, _hint(region, ports.today()) if approved else AFTER_APPROVAL),
        _step(JointStep.PAYMENT, paid, _paying(paid) if approved else AFTER_APPROVAL),
    ]
    return JointCaseView(
        id=case.id,
        case_no=case.case_no,
        region=case.region,
        region_name=region.name,
        resident_scheme=case.resident_scheme,
        is_done=paid is StepState.DONE,
        steps=steps,
        created_at=case.created_at,
    )


def _step(step: JointStep, state: StepState, explanation: str | None, application_ids: Sequence[UUID] = ()) -> StepView:
    return StepView(
        step=step,
        title=TITLES[step],
        state=state,
        explanation=explanation,
        application_ids=list(application_ids),
    )


def _enrollment_state(children: Sequence[EnrollmentApplication]) -> StepState:
    """By the best of them: one that was approved is not undone by another that was taken back."""
    states = {child.state for child in children}
    if _S.APPROVED in states:
        return StepState.DONE
    if states & set(WAITING_STATES):
        return StepState.UNDER_WAY
    return StepState.TO_DO


def _payment_state(session: Session, children: Sequence[EnrollmentApplication]) -> StepState:
    """Paid once a month of what was approved is; the applicant's turn while a bill of it waits."""
    approved = [child.id for child in children if child.state == _S.APPROVED]
    enrollments = select(ApplicationItem.enrollment_id).where(
        ApplicationItem.application_id.in_(approved), ApplicationItem.enrollment_id.is_not(None)
    )
    since = min(child.created_at for child in children)
    paid = select(ContributionRecord.id).where(
        ContributionRecord.enrollment_id.in_(enrollments), ContributionRecord.paid_at >= since
    )
    if session.scalar(paid.limit(1)) is not None:
        return StepState.DONE
    bills = select(ContributionBill.id, ContributionBill.state).where(
        ContributionBill.enrollment_id.in_(enrollments), ContributionBill.state.in_((BillState.UNPAID, BillState.LOCKED))
    )
    return StepState.WAITING if session.execute(bills.limit(1)).first() is None else StepState.TO_DO


def _agreement_state(session: Session, case: JointCase, region: Region, *, paid: StepState) -> StepState:
    """By the person's own agreement with this authority, wherever it was signed; whoever paid without one needs none."""
    each = WithholdingAgreement
    states = set(
        session.scalars(select(each.state).where(each.person_id == case.person_id, each.authority == region.authority))
    )
    if AgreementState.ACTIVE in states or paid is StepState.DONE:
        return StepState.DONE
    return StepState.UNDER_WAY if AgreementState.PENDING_VERIFY in states else StepState.TO_DO


def _paying(state: StepState) -> str | None:
    return {
        StepState.WAITING: "应缴记录生成后即可缴费，请稍后查看。",
        StepState.TO_DO: "请缴费，或在协议卡中存足金额等待税务部门扣款。",
    }.get(state)


def _hint(region: Region, today: date) -> str | None:
    try:
        return region.application_form(ApplicationKind.NEW_ENROLLMENT, today).after
    except NoRuleInForce:
        return None
