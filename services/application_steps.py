"""Steps that the use cases of applications share: hold the account, lock the case, keep what was filled in and chosen, ask the rules."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from config.months import YearMonth
from config.rulebook import ApplicationKind, Capability, HotlineTopic, NoRuleInForce
from models.accounts import Account
from models.applications import OPEN_STATES, ApplicationDocument, ApplicationItem, EnrollmentApplication
from models.base import Move, constraint_of
from models.bills import ContributionRecord
from models.enrollments import Enrollment, EnrollmentState
from models.people import Person
from services.application_errors import HukouNotEligible, NoInsuranceSelected
from services.application_fields import COLUMNS, Filled, consents_for, masks_of, said
from services.bills import counter_of
from services.case_errors import ApplicationOpen, FieldsNotAccepted
from services.choices import Choice
from services.consents import refuse_taken_back, require_consent
from services.eligibility import Facts, Held, check
from services.errors import NotAvailableOnline, NotFound, RealNameRequired, SignInAgain
from services.people import kept_number
from services.personal_data import open_personal

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection, Sequence
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from config.rulebook import ApplicationForm, PrintedForm, Region, Rulebook
    from services.errors import BusinessError
    from services.people import IdNumber, OldForeignCardNumber
    from services.ports import Ports

ITEMS_LIVE: Final = "uq_application_items_person_id_insurance_type_live"
OF_KIND: Final = {
    ApplicationKind.RESUMPTION: EnrollmentState.SUSPENDED,
    ApplicationKind.SUSPENSION: EnrollmentState.ACTIVE,
}
"""Which enrolment a kind is about; a new enrolment is about none."""


def may_apply(session: Session, *, account: Account) -> uuid.UUID:
    """The person who asks, held as `hold_person` does, who agreed to apply here. Raises as it does."""
    person_id = hold_person(session, account=account)
    require_consent(session, account_id=account.id, purpose="ENROLLMENT", hold=True)
    return person_id


def hold_person(session: Session, *, account: Account) -> uuid.UUID:
    """The person of this account, with the account held: closing it waits, and then sees what was done.

    Raises SignInAgain, RealNameRequired, ConsentRequired.
    """
    held = session.execute(
        select(Account.person_id, Account.closed_at).where(Account.id == account.id).with_for_update(read=True)
    ).one()
    if held.closed_at is not None:
        raise SignInAgain
    if held.person_id is None:
        raise RealNameRequired
    refuse_taken_back(session, account_id=account.id, purpose="REAL_NAME", hold=True)
    person_id: uuid.UUID = held.person_id
    return person_id


def refuse_strangers(session: Session, *, account: Account, application_id: uuid.UUID) -> None:
    """Before anything else is told: whose it is. Raises NotFound. Locks nothing, since the account is held first."""
    mine = (EnrollmentApplication.id == application_id, EnrollmentApplication.account_id == account.id)
    if session.scalar(select(EnrollmentApplication.id).where(*mine)) is None:
        raise NotFound


def own_application(
    session: Session, *, account: Account, application_id: uuid.UUID, lock: bool = False
) -> EnrollmentApplication:
    """One application of this account. Raises NotFound, also for other people's."""
    wanted = select(EnrollmentApplication).where(
        EnrollmentApplication.id == application_id, EnrollmentApplication.account_id == account.id
    )
    found = session.scalar(wanted.with_for_update() if lock else wanted)
    if found is None:
        raise NotFound
    return found


def form_of(region: Region, kind: ApplicationKind, on: date, *, agency: str | None = None) -> ApplicationForm:
    """The region's form of today. Raises NotAvailableOnline with the window where it has none."""
    try:
        return region.application_form(kind, on)
    except NoRuleInForce:
        raise to_the_counter(region, agency) from None


def to_the_counter(region: Region, agency: str | None, why: str = "本地区目前不能在手机上申报") -> NotAvailableOnline:
    """The refusal that names the window, its address and hours, and the hotline (R-CZ-16, R-CZ-18)."""
    counter = counter_of(region, agency, HotlineTopic.ENROLLMENT)
    return NotAvailableOnline(
        detail=f"{why.rstrip('。')}。请到{counter['name']}办理（地址：{counter['address']}；办公时间：{counter['hours']}；"
        f"电话：{counter['phone']}），咨询热线{counter['hotline']}。",
        counter=counter,
    )


def form_to_print(ports: Ports, region: Region, application: EnrollmentApplication) -> PrintedForm | None:
    """The region's form for this kind of application; None where there is none to print on the phone."""
    if not ports.offers(region, Capability.PRINT_REGISTRATION_FORM):
        return None
    try:
        return region.printed_form(ApplicationKind(application.kind), ports.today())
    except NoRuleInForce:
        return None


def read_filled(ports: Ports, session: Session, application: EnrollmentApplication, *, who: str, now: datetime) -> Filled:
    """What is filled in by now; opening the seal leaves its row."""
    columns = {key: getattr(application, key) for key in COLUMNS}
    if application.details_sealed is None:
        return Filled(columns=columns)
    opened = open_personal(ports, session, application, "details", purpose="application_change", who=who, now=now)
    return Filled(columns=columns, details=json.loads(opened["details"]))


def keep_filled(
    ports: Ports, session: Session, application: EnrollmentApplication, filled: Filled, *, region: Region, on: date
) -> None:
    """Columns as they are, the rest under a seal with its masks beside it. Raises ConsentRequired for what needs one of its own."""
    given = [key for key, value in (filled.columns | filled.details).items() if value is not None]
    for purpose in consents_for(region, given, on):
        require_consent(session, account_id=application.account_id, purpose=purpose, hold=True)
    for key, value in filled.columns.items():
        setattr(application, key, value)
    place = EnrollmentApplication.details_place(application.id)
    sealed = json.dumps(filled.details, ensure_ascii=False, sort_keys=True)
    application.details_sealed = ports.seals.seal(sealed, place=place) if filled.details else None
    application.details_masked = masks_of(region, filled.details, on) or None


def items_of(session: Session, application: EnrollmentApplication) -> list[ApplicationItem]:
    """The insurances asked for."""
    found = select(ApplicationItem).where(ApplicationItem.application_id == application.id)
    return list(session.scalars(found.order_by(ApplicationItem.insurance_type)))


def choices_of(items: Sequence[ApplicationItem]) -> tuple[Choice, ...]:
    """The insurances asked for, as the rules read them."""
    return tuple(
        Choice(
            insurance_type=each.insurance_type, tier=each.tier, declared_wage_fen=each.declared_wage_fen, plan=each.tier_plan
        )
        for each in items
    )


def put_items(
    session: Session, application: EnrollmentApplication, choices: Sequence[Choice], *, region: Region, on: date
) -> None:
    """Ask for these insurances and no others; the rules have said yes. Raises ApplicationOpen naming the one that is open already."""
    session.execute(delete(ApplicationItem).where(ApplicationItem.application_id == application.id))
    held = _held_of(session, application)
    for choice in choices:
        suspends = application.kind == ApplicationKind.SUSPENSION
        plan = None if suspends else choice.plan or region.insurance(choice.insurance_type, on).default_plan
        session.add(
            ApplicationItem(
                application_id=application.id,
                insurance_type=choice.insurance_type,
                person_id=application.person_id,
                tier_plan=plan,
                tier=None if suspends else choice.tier,
                # A tier fixes its own base; the wage beside it said the same.
                declared_wage_fen=None if suspends or choice.tier is not None else choice.declared_wage_fen,
                enrollment_id=held.get(choice.insurance_type),
                live=True,
            )
        )
    try:
        session.flush()
    except IntegrityError as fault:
        if constraint_of(fault) == ITEMS_LIVE:
            raise Clash([choice.insurance_type for choice in choices]) from None
        raise


class Clash(Exception):
    """Another application of this person asks for one of these insurances; which one is read once this transaction is over."""

    def __init__(self, insurances: list[str]) -> None:
        super().__init__()
        self.insurances = insurances


def open_one(session: Session, *, account: Account, insurances: Collection[str]) -> ApplicationOpen:
    """The refusal that names the application which is open already."""
    row = session.execute(
        select(EnrollmentApplication.id, EnrollmentApplication.case_no, EnrollmentApplication.account_id)
        .join(ApplicationItem, ApplicationItem.application_id == EnrollmentApplication.id)
        .where(
            EnrollmentApplication.person_id == account.person_id,
            ApplicationItem.live,
            ApplicationItem.insurance_type.in_(insurances),
        )
        .order_by(EnrollmentApplication.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:  # it ended meanwhile: asking again will do
        return ApplicationOpen()
    mine = row.account_id == account.id
    where = "请在“办件状态”中继续办理或撤回它" if mine else "它是在另一个小程序里申报的，请在那里继续办理或撤回"
    facts: dict[str, Any] = {"application_id": str(row.id)} if mine else {}
    return ApplicationOpen(
        detail=f"同一险种同时只能有一件申请。您的办件编号{row.case_no}尚未办结，{where}。", case_no=row.case_no, **facts
    )


def _held_of(session: Session, application: EnrollmentApplication) -> dict[str, int]:
    """Insurance → the enrolment that this application is about."""
    state = OF_KIND.get(ApplicationKind(application.kind))
    if state is None:
        return {}
    rows = session.execute(
        select(Enrollment.insurance_type, Enrollment.id)
        .where(
            Enrollment.person_id == application.person_id, Enrollment.region == application.region, Enrollment.state == state
        )
        .order_by(Enrollment.updated_at, Enrollment.id)
    )
    return {row.insurance_type: row.id for row in rows}


def number_of(
    ports: Ports, session: Session, *, account: Account, person_id: uuid.UUID, purpose: str, now: datetime
) -> IdNumber | OldForeignCardNumber:
    """The number of the person who asks, for the rules to reckon with; opening it leaves its row."""
    person = session.get_one(Person, person_id)
    opened = open_personal(ports, session, person, "id_number", purpose=purpose, who=f"account:{account.id}", now=now)
    return kept_number(opened["id_number"], today=ports.today())


def facts_of(
    rulebook: Rulebook,
    application: EnrollmentApplication,
    choices: Sequence[Choice],
    enrolled: Sequence[Enrollment],
    *,
    number: IdNumber | OldForeignCardNumber,
    on: date,
) -> Facts:
    """What the rules of the day look at, for the applicant who writes and for the reviewer who decides. Pure."""
    return Facts(
        kind=ApplicationKind(application.kind),
        on=on,
        rulebook=rulebook,
        region=application.region,
        birth_date=number.birth_date,
        is_female=number.is_female,
        choices=tuple(choices),
        hukou_division=application.hukou_division,
        residence_division=application.residence_division,
        pooling_area=application.pooling_area,
        enrollments=tuple(
            Held(region=row.region, pooling_area=row.pooling_area, insurance_type=row.insurance_type, state=row.state)
            for row in enrolled
        ),
        agency=application.agency,
        month=YearMonth.from_number(application.effective_month) if application.effective_month else None,
    )


def reasons_against(
    ports: Ports,
    session: Session,
    application: EnrollmentApplication,
    choices: Sequence[Choice],
    *,
    number: IdNumber | OldForeignCardNumber,
    is_draft: bool,
) -> list[BusinessError]:
    """What the rules say against it today, the most decisive first. `is_draft`: what is not filled in yet is no reason."""
    enrolled = session.scalars(select(Enrollment).where(Enrollment.person_id == application.person_id)).all()
    agency = next((row.agency for row in enrolled if row.region == application.region and row.agency), None)
    facts = facts_of(ports.rulebook, application, choices, enrolled, number=number, on=ports.today())
    reasons = check(replace(facts, agency=application.agency or agency))
    if is_draft:
        no_place = application.hukou_division is None or application.residence_division is None
        reasons = [
            each
            for each in reasons
            if not (isinstance(each, HukouNotEligible) and no_place)
            and not (isinstance(each, NoInsuranceSelected) and not choices)
        ]
    return reasons


def refuse_covered_month(session: Session, application: EnrollmentApplication, choices: Sequence[Choice], *, on: date) -> None:
    """A suspension begins after what is paid and not before the enrolment did (R-XJ-45). Raises FieldsNotAccepted with the first month."""
    if application.kind != ApplicationKind.SUSPENSION:
        return
    month = YearMonth.from_number(application.effective_month) if application.effective_month else YearMonth.of(on)
    rows = session.execute(
        select(Enrollment.start_month, ContributionRecord.coverage_month)
        .outerjoin(ContributionRecord, ContributionRecord.enrollment_id == Enrollment.id)
        .where(
            Enrollment.person_id == application.person_id,
            Enrollment.region == application.region,
            Enrollment.state == EnrollmentState.ACTIVE,
            Enrollment.insurance_type.in_([choice.insurance_type for choice in choices]),
        )
    ).all()
    bounds = [YearMonth.from_number(row.start_month) for row in rows]
    bounds += [YearMonth.from_number(row.coverage_month).plus(1) for row in rows if row.coverage_month is not None]
    first = max(bounds, default=month)
    if month < first:
        raise FieldsNotAccepted(
            detail=f"所选月份已经缴费或尚未参保，停保最早从{said(first)}开始，请重新选择变更时间。",
            errors={"effective_month": [f"最早可以选择{said(first)}"]},
        )


def document_kinds(session: Session, application: EnrollmentApplication) -> set[str]:
    """The kinds of paper that are there."""
    live = (ApplicationDocument.application_id == application.id, ApplicationDocument.live)
    return set(session.scalars(select(ApplicationDocument.kind).where(*live)))


def missing_documents(application: EnrollmentApplication, there: set[str], *, region: Region, on: date) -> list[dict[str, Any]]:
    """What the nearest complete set still lacks beside the papers that are there, and why where the declared hukou asks for it.

    A region without a rule for this kind asks for none. Pure.
    """
    try:
        needed = region.required_documents(ApplicationKind(application.kind), on)
    except NoRuleInForce:
        return []
    besides = {each.kind: each.because for each in needed.asked_besides(application.hukou_division)}
    lacking = needed.missing(there, hukou_division=application.hukou_division)
    return [{"kind": kind, "label": region.documents[kind].label, "because": besides.get(kind)} for kind in lacking]


def moves_of(session: Session, application: EnrollmentApplication) -> Sequence[Move]:
    """Every step on its road, in order."""
    road = (Move.noun == EnrollmentApplication.MOVES.noun, Move.row_id == str(application.id))
    return session.scalars(select(Move).where(*road).order_by(Move.id)).all()


def end_items(session: Session, application: EnrollmentApplication) -> None:
    """The case is over: another may be opened for the same insurances."""
    session.execute(update(ApplicationItem).where(ApplicationItem.application_id == application.id).values(live=False))


def count_open(session: Session, person_id: uuid.UUID) -> int:
    """How many applications of this person are open."""
    found = session.scalars(
        select(EnrollmentApplication.id).where(
            EnrollmentApplication.person_id == person_id, EnrollmentApplication.state.in_(OPEN_STATES)
        )
    )
    return len(found.all())
