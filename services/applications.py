"""Applications: new enrolment, resumption and suspension, from the first draft to the registrar's desk, or back (R-CZ-24…35, R-XJ-10…49).

One transaction a step. The order of locks: account, consents, application. Nobody is asked outside.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy import func, select, update

from config.clock import day_start
from config.months import YearMonth
from config.rulebook import ApplicationKind, NoRuleInForce, Submission
from models.applications import (
    ENDED_UNDONE,
    ApplicationDocument,
    ApplicationState,
    EnrollmentApplication,
    JointCase,
)
from models.base import new_id
from services.application_fields import Filled, missing_of, read_answers, read_month
from services.application_steps import (
    Clash,
    choices_of,
    count_open,
    document_kinds,
    end_items,
    form_of,
    items_of,
    keep_filled,
    may_apply,
    missing_documents,
    number_of,
    open_one,
    own_application,
    put_items,
    read_filled,
    reasons_against,
    refuse_covered_month,
    refuse_strangers,
    to_the_counter,
)
from services.application_views import ApplicationView, read_application
from services.case_errors import (
    ApplicationChanged,
    ApplicationIncomplete,
    ApplicationNotEditable,
    ApplicationOpen,
    CannotWithdraw,
    DocumentsMissing,
    FieldsNotAccepted,
    HandInDocumentsFirst,
    TooManyApplications,
)
from services.consents import require_consent
from services.errors import NotFound
from services.idempotency import Asked, fingerprint, keep_result, known_result, made_once
from services.menu import region_served
from services.working_days import review_clock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from config.rulebook import ApplicationForm, Region
    from models.accounts import Account
    from services.choices import Choice
    from services.errors import BusinessError
    from services.ports import Ports

ROUTE: Final = "POST /applications"
A_DAY: Final = 10
"""Applications an account may begin in a Beijing day: more than anybody's tries, too few to fill a table with."""
OPEN_AT_ONCE: Final = 5


@dataclass(frozen=True, kw_only=True)
class NewApplication:
    """What a new application begins with."""

    kind: ApplicationKind
    region: str
    answers: Mapping[str, str | None] = field(default_factory=dict)
    choices: tuple[Choice, ...] | None = None
    """None: not chosen yet, or as in the one that is copied."""
    copied_from: UUID | None = None
    """A rejected, withdrawn or lapsed one of one's own, whose data are taken over."""
    joint_case: UUID | None = None

    def fingerprint(self, seals_index: bytes) -> bytes:
        """The same wish in the same words. What was typed counts by its keyed hash: no digest of a phone number is kept."""
        chosen = None if self.choices is None else sorted(repr(choice) for choice in self.choices)
        others = (str(self.copied_from), str(self.joint_case))
        return fingerprint(self.kind, self.region, seals_index.hex(), chosen, *others)


def create_application(ports: Ports, *, account: Account, new: NewApplication, idempotency_key: str) -> ApplicationView:
    """Begin an application as a draft. The same key again tells the same one.

    Raises NotFound, RealNameRequired, ConsentRequired, FieldsNotAccepted, ApplicationOpen, TooManyApplications,
    IdempotencyKeyReused, and what the rules say against it already: NotAvailableOnline, RegionMismatch, PoolingAreaUnknown, BelowMinimumAge,
    AtPensionableAge, HukouNotEligible, AlreadyEnrolled, AlreadyRetired, ActiveElsewhere, NotSuspended, NotActive, InsuranceNotOffered,
    TierNotOffered, DeclaredWageOutOfLimits, NoInsuranceSelected.
    """
    region = region_served(ports, account, new.region)
    words = ports.seals.index("application", repr(sorted(new.answers.items())))
    asked = Asked(account_id=account.id, route=ROUTE, key=idempotency_key, request_hash=new.fingerprint(words))
    try:
        application_id, replayed = made_once(lambda: _create(ports, account=account, new=new, region=region, asked=asked))
    except Clash as clash:
        raise _named(ports, account, clash) from None
    view = read_application(ports, account=account, application_id=application_id)
    return replace(view, replayed=True) if replayed else view


def _create(ports: Ports, *, account: Account, new: NewApplication, region: Region, asked: Asked) -> tuple[UUID, bool]:
    now, today, who = ports.now(), ports.today(), f"account:{account.id}"
    with ports.begin() as session:
        if (known := known_result(session, asked)) is not None:
            return UUID(known), True
        person_id = may_apply(session, account=account)
        application = EnrollmentApplication(
            id=new_id(),
            kind=new.kind,
            state=ApplicationState.DRAFT,
            account_id=account.id,
            person_id=person_id,
            miniprogram=account.miniprogram,
            region=region.code,
            joint_case_id=_joint_case(session, account, new),
            version=1,
            created_at=now,
            updated_at=now,
        )
        number = number_of(ports, session, account=account, person_id=person_id, purpose="application_rules", now=now)
        # What no form would change comes first: not on the phone here, insured elsewhere, too young.
        _refuse(reasons_against(ports, session, application, new.choices or (), number=number, is_draft=True))
        form = form_of(region, new.kind, today)
        earlier, choices = Filled(), new.choices
        if new.copied_from is not None:
            source = _source(session, account, new)
            application.copied_from_id = source.id
            earlier = _still_asked(form, read_filled(ports, session, source, who=who, now=now))
            choices = choices if choices is not None else choices_of(items_of(session, source))
        _refuse_too_many(session, account, person_id, now=now)
        session.add(application)
        session.flush()
        keep_result(session, asked, result_id=str(application.id), now=now)
        filled = read_answers(region, form, new.answers, on=today).over(earlier)
        keep_filled(ports, session, application, filled, region=region, on=today)
        _refuse(reasons_against(ports, session, application, choices or (), number=number, is_draft=True))
        put_items(session, application, choices or (), region=region, on=today)
        return application.id, False


def _refuse(reasons: list[BusinessError]) -> None:
    """The most decisive reason is the one that is told."""
    if reasons:
        raise reasons[0]


def _joint_case(session: Session, account: Account, new: NewApplication) -> UUID | None:
    if new.joint_case is None:
        return None
    mine = (JointCase.id == new.joint_case, JointCase.account_id == account.id, JointCase.region == new.region)
    found = session.scalar(select(JointCase.id).where(*mine))
    if found is None:
        raise NotFound
    return found


def _source(session: Session, account: Account, new: NewApplication) -> EnrollmentApplication:
    each = EnrollmentApplication
    mine = (each.id == new.copied_from, each.account_id == account.id, each.kind == new.kind, each.region == new.region)
    found = session.scalar(select(each).where(*mine, each.state.in_(ENDED_UNDONE)))
    if found is None:
        raise NotFound
    return found


def _still_asked(form: ApplicationForm, filled: Filled) -> Filled:
    """What the form of today asks for; a month of then is chosen anew."""
    keys = {each.key for each in form.fields} - {"effective_month"}
    return Filled(
        columns={key: value for key, value in filled.columns.items() if key in keys},
        details={key: value for key, value in filled.details.items() if key in keys},
    )


def _refuse_too_many(session: Session, account: Account, person_id: UUID, *, now: datetime) -> None:
    each = EnrollmentApplication
    begun = session.scalar(
        select(func.count()).select_from(each).where(each.account_id == account.id, each.created_at >= day_start(now))
    )
    if (begun or 0) >= A_DAY:
        raise TooManyApplications
    if count_open(session, person_id) >= OPEN_AT_ONCE:
        raise ApplicationOpen(detail=f"您已有{OPEN_AT_ONCE}件申请尚未办结，请先办完或撤回其中的申请。")


def _named(ports: Ports, account: Account, clash: Clash) -> ApplicationOpen:
    with ports.begin() as session:
        return open_one(session, account=account, insurances=clash.insurances)


def change_application(
    ports: Ports,
    *,
    account: Account,
    application_id: UUID,
    version: int,
    answers: Mapping[str, str | None],
    choices: tuple[Choice, ...] | None,
) -> ApplicationView:
    """Fill in more of it, or other things; what is not named stays. `choices` None: the insurances stay.

    Raises NotFound, ApplicationNotEditable, ApplicationChanged, RealNameRequired, ConsentRequired, FieldsNotAccepted,
    ApplicationOpen, and what the rules say against it already: NotAvailableOnline, RegionMismatch, PoolingAreaUnknown, BelowMinimumAge,
    AtPensionableAge, HukouNotEligible, AlreadyEnrolled, AlreadyRetired, ActiveElsewhere, NotSuspended, NotActive, InsuranceNotOffered,
    TierNotOffered, DeclaredWageOutOfLimits, NoInsuranceSelected.
    """
    now, today, who = ports.now(), ports.today(), f"account:{account.id}"
    try:
        with ports.begin() as session:
            refuse_strangers(session, account=account, application_id=application_id)
            person_id = may_apply(session, account=account)
            application = own_application(session, account=account, application_id=application_id, lock=True)
            _refuse_other_version(application, version)
            region = ports.rulebook.region(application.region)
            form = form_of(region, ApplicationKind(application.kind), today, agency=application.agency)
            earlier = read_filled(ports, session, application, who=who, now=now)
            filled = read_answers(region, form, answers, on=today).over(earlier)
            keep_filled(ports, session, application, filled, region=region, on=today)
            wanted = choices if choices is not None else choices_of(items_of(session, application))
            number = number_of(ports, session, account=account, person_id=person_id, purpose="application_rules", now=now)
            _refuse(reasons_against(ports, session, application, wanted, number=number, is_draft=True))
            if choices is not None:
                put_items(session, application, choices, region=region, on=today)
            application.change(who=who, at=now)
    except Clash as clash:
        raise _named(ports, account, clash) from None
    return read_application(ports, account=account, application_id=application_id)


def _refuse_other_version(application: EnrollmentApplication, version: int) -> None:
    if not application.is_editable:
        raise ApplicationNotEditable(state=application.state)
    if application.version != version:
        raise ApplicationChanged(current_version=application.version)


def hand_in_documents(ports: Ports, *, account: Account, application_id: UUID) -> ApplicationView:
    """上传: all papers are there (R-CZ-34). Again, it changes nothing. Raises NotFound, ApplicationNotEditable, DocumentsMissing."""
    now = ports.now()
    with ports.begin() as session:
        application = own_application(session, account=account, application_id=application_id, lock=True)
        if not application.is_editable:
            raise ApplicationNotEditable(state=application.state)
        _refuse_missing_documents(ports, session, application)
        if application.state == ApplicationState.DRAFT:
            application.hand_in_documents(who=f"account:{account.id}", at=now)
    return read_application(ports, account=account, application_id=application_id)


def _refuse_missing_documents(ports: Ports, session: Session, application: EnrollmentApplication) -> None:
    region, there = ports.rulebook.region(application.region), document_kinds(session, application)
    missing = missing_documents(application, there, region=region, on=ports.today())
    if missing:
        names = "、".join(each["label"] for each in missing)
        why = "".join(f"{each['because']}。" for each in missing if each["because"])
        raise DocumentsMissing(detail=f"还缺：{names}。{why}请补齐后再点“上传”。", missing=missing)


def submit_application(ports: Ports, *, account: Account, application_id: UUID, version: int) -> ApplicationView:
    """提交申报, or 保存 where that is the same (R-CZ-35, R-XJ-20). Pressed twice it is one; nobody submits what they did not see.

    Raises NotFound, ApplicationNotEditable, ApplicationChanged, RealNameRequired, ConsentRequired, ApplicationIncomplete,
    DocumentsMissing, HandInDocumentsFirst, FieldsNotAccepted, and what the rules of today say: NotAvailableOnline, RegionMismatch, PoolingAreaUnknown, BelowMinimumAge,
    AtPensionableAge, HukouNotEligible, AlreadyEnrolled, AlreadyRetired, ActiveElsewhere, NotSuspended, NotActive, InsuranceNotOffered,
    TierNotOffered, DeclaredWageOutOfLimits, NoInsuranceSelected.
    """
    now = ports.now()
    with ports.begin() as session:
        refuse_strangers(session, account=account, application_id=application_id)
        may_apply(session, account=account)
        application = own_application(session, account=account, application_id=application_id, lock=True)
        if not (application.is_waiting and application.version == version):
            _refuse_other_version(application, version)
            _submit(ports, session, application, account=account, now=now)
    return read_application(ports, account=account, application_id=application_id)


def _submit(ports: Ports, session: Session, application: EnrollmentApplication, *, account: Account, now: datetime) -> None:
    today, kind, who = ports.today(), ApplicationKind(application.kind), f"account:{application.account_id}"
    region = ports.rulebook.region(application.region)
    form = form_of(region, kind, today, agency=application.agency)
    filled = read_filled(ports, session, application, who=who, now=now)
    keep_filled(ports, session, application, filled, region=region, on=today)
    items = items_of(session, application)
    choices = choices_of(items)
    missing = missing_of(region, form, filled, [item.insurance_type for item in items], on=today)
    if missing:
        raise ApplicationIncomplete(
            detail=f"还没有填写：{'、'.join(each.label for each in missing)}。请补充填写后再提交。",
            missing=[{"key": each.key, "label": each.label} for each in missing],
        )
    if document_kinds(session, application):
        require_consent(session, account_id=application.account_id, purpose="DOCUMENTS", hold=True)
    _refuse_missing_documents(ports, session, application)
    if form.submission is Submission.UPLOAD_CHECK_SUBMIT and application.state == ApplicationState.DRAFT:
        raise HandInDocumentsFirst
    _set_month(form, application, today)
    number = number_of(ports, session, account=account, person_id=application.person_id, purpose="application_rules", now=now)
    _refuse(reasons_against(ports, session, application, choices, number=number, is_draft=False))
    refuse_covered_month(session, application, choices, on=today)
    # What is resumed or suspended may have become another since the draft.
    put_items(session, application, choices, region=region, on=today)
    try:
        clock = review_clock(region, kind, now)
    except NoRuleInForce:
        raise to_the_counter(region, application.agency) from None
    application.submit(target_at=clock.target_at, due_at=clock.due_at, is_provisional=clock.provisional, who=who, at=now)


def _set_month(form: ApplicationForm, application: EnrollmentApplication, today: date) -> None:
    """The month of submission, unless another was chosen; one that was chosen long ago may have left the window since."""
    if application.effective_month is None:
        application.effective_month = YearMonth.of(today).number
        return
    if not any(each.key == "effective_month" for each in form.fields):
        # Set by an earlier submission that came back: it counts from the month in which it is handed in.
        application.effective_month = YearMonth.of(today).number
        return
    try:
        read_month(form, str(YearMonth.from_number(application.effective_month)), on=today)
    except ValueError as fault:
        raise FieldsNotAccepted(errors={"effective_month": [str(fault)]}) from None


def withdraw_application(ports: Ports, *, account: Account, application_id: UUID) -> None:
    """Take it back, until somebody reviews it; again changes nothing. Raises NotFound, CannotWithdraw."""
    now = ports.now()
    with ports.begin() as session:
        application = own_application(session, account=account, application_id=application_id, lock=True)
        if application.state == ApplicationState.WITHDRAWN:
            return
        if not EnrollmentApplication.MOVES.allows(application.state, ApplicationState.WITHDRAWN):
            raise CannotWithdraw(state=application.state)
        application.withdraw(who=f"account:{account.id}", at=now)
        end_items(session, application)
        session.execute(
            update(ApplicationDocument).where(ApplicationDocument.application_id == application.id).values(live=False)
        )
