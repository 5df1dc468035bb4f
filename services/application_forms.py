"""Forms: what a region asks for in one business, with what is known of the person filled in and masked (R-CZ-25, R-XJ-12…16, R-XJ-29…34, R-XJ-43…46)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from config.months import YearMonth
from config.rulebook import ApplicationKind, FieldType, NoRuleInForce, NoticePurpose
from models.applications import EnrollmentApplication
from models.consents import Consent
from models.enrollments import Enrollment
from models.people import Person
from services.application_errors import InsuranceNotOffered
from services.application_fields import Filled, Option, is_asked, months_of, options_of
from services.application_steps import OF_KIND, form_of, number_of, reasons_against
from services.consents import refuse_taken_back
from services.errors import RealNameRequired
from services.menu import region_served

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence
    from datetime import date

    from sqlalchemy.orm import Session

    from config.rulebook import ApplicationField, ApplicationForm, AssessmentTable, FormField, Insurance, Region
    from models.accounts import Account
    from services.people import IdNumber, OldForeignCardNumber
    from services.ports import Ports


SEX: Final = {True: "女", False: "男", None: ""}
"""An old foreign permanent residence card does not tell it."""


@dataclass(frozen=True, kw_only=True)
class FieldView:
    """One field to draw."""

    key: str
    label: str
    type: str
    required: bool
    read_only: bool
    value: str | None
    """Filled in already: masked where it says anything private."""
    help: str | None
    longest: int | None
    options: list[Option]
    depends_on: dict[str, Any] | None
    consent: str | None
    """What has to be agreed to before this may be given."""


@dataclass(frozen=True, kw_only=True)
class StepView:
    step: str
    title: str
    asks_insurances: bool
    fields: list[FieldView]


@dataclass(frozen=True, kw_only=True)
class TierView:
    tier: str
    label: str
    base_fen: int | None
    amount_fen: int


@dataclass(frozen=True, kw_only=True)
class InsuranceView:
    """One insurance to choose, with the tiers in force for the first month."""

    insurance_type: str
    title: str
    label: str
    may_be_declined: bool
    plan: str | None
    tiers: list[TierView]
    allow_declared_wage: bool
    floor_fen: int | None
    ceiling_fen: int | None
    sample: bool
    provisional: bool


@dataclass(frozen=True, kw_only=True)
class CurrentView:
    """What the person is insured in now (R-XJ-29, R-XJ-43)."""

    insurance_type: str
    region: str
    region_name: str
    pooling_area: str
    pooling_area_name: str
    state: str
    start_month: str
    end_month: str | None
    tier: str | None
    declared_wage_fen: int | None
    fits: bool
    """Whether this application can be about it."""


@dataclass(frozen=True, kw_only=True)
class FormView:
    """A form as the phone draws it, page by page."""

    kind: str
    region: str
    region_name: str
    on: date
    submission: str
    submit_label: str
    consents: list[dict[str, Any]]
    steps: list[StepView]
    insurances: list[InsuranceView]
    current: list[CurrentView]
    documents: list[dict[str, Any]]
    document_sets: list[list[str]]
    documents_besides: list[dict[str, str]]
    """What whoever is registered elsewhere brings besides a set: `kind`, `unless_hukou_prefix`, `because`."""
    first_month: str
    last_month: str
    default_month: str
    after: str | None


def read_form(
    ports: Ports,
    *,
    account: Account,
    kind: ApplicationKind,
    region_code: str | None,
    pooling_area: str | None = None,
    insurance_type: str | None = None,
) -> FormView:
    """The form of one business, only what the region and these choices need. Reading who the person is leaves its row.

    Raises NotFound, RegionMismatch, NotAvailableOnline (with the window), RealNameRequired, ConsentRequired, PoolingAreaUnknown,
    BelowMinimumAge, AtPensionableAge, InsuranceNotOffered.
    """
    region, today, now = region_served(ports, account, region_code), ports.today(), ports.now()
    if account.person_id is None:
        raise RealNameRequired
    with ports.begin() as session:
        refuse_taken_back(session, account_id=account.id, purpose="REAL_NAME", hold=True)
        rows = list(
            session.scalars(select(Enrollment).where(Enrollment.person_id == account.person_id).order_by(Enrollment.id))
        )
        session.expunge_all()
        agency = next((row.agency for row in rows if row.region == region.code and row.agency), None)
        number = number_of(ports, session, account=account, person_id=account.person_id, purpose="application_form", now=now)
        wish = EnrollmentApplication(
            kind=kind, region=region.code, account_id=account.id, person_id=account.person_id, pooling_area=pooling_area
        )
        # Said before anybody fills in a form: not on the phone here, insured in another region, too young, of age.
        reasons = reasons_against(ports, session, wish, (), number=number, is_draft=True)
        if reasons:
            raise reasons[0]
        form = form_of(region, kind, today, agency=agency)
        insurances = _insurances(region, kind, insurance_type, today)
        given = set(
            session.scalars(select(Consent.purpose).where(Consent.account_id == account.id, Consent.withdrawn_at.is_(None)))
        )
        known = {**_identity(session, account, account.person_id, number), "pooling_area": pooling_area or ""}
    first, last = months_of(form, today)
    asked = [each for each in form.fields if _may_be_asked(each, insurance_type)]
    documents, sets, besides = _documents(region, kind, today)
    return FormView(
        kind=kind,
        region=region.code,
        region_name=region.name,
        on=today,
        submission=form.submission,
        submit_label=form.submit_label,
        consents=_consents(region, asked, documents, given, today),
        steps=_steps(region, form, asked, known, today),
        insurances=insurances,
        current=[_current(ports, row, region, kind) for row in rows],
        documents=documents,
        document_sets=sets,
        documents_besides=besides,
        first_month=str(first),
        last_month=str(last),
        default_month=str(YearMonth.of(today)),
        after=form.after,
    )


def _insurances(region: Region, kind: ApplicationKind, only: str | None, today: date) -> list[InsuranceView]:
    offers = [each for each in region.insurances(today) if only in (None, each.insurance_type)]
    if not offers:
        raise InsuranceNotOffered
    told = []
    for offer in offers:
        table = _table(region, kind, offer, today)
        told.append(
            InsuranceView(
                insurance_type=offer.insurance_type,
                title=offer.title,
                label=offer.label,
                may_be_declined=offer.may_be_declined,
                plan=table.plan_id if table is not None else None,
                tiers=[
                    TierView(tier=each.tier, label=each.label, base_fen=each.base_fen, amount_fen=each.amount_fen)
                    for each in (table.tiers if table is not None else ())
                ],
                allow_declared_wage=table is not None and table.allow_declared_wage,
                floor_fen=table.floor_fen if table is not None else None,
                ceiling_fen=table.ceiling_fen if table is not None else None,
                sample=table is not None and table.sample,
                provisional=table is not None and table.provisional,
            )
        )
    return told


def _table(region: Region, kind: ApplicationKind, offer: Insurance, today: date) -> AssessmentTable | None:
    """The tiers of today's month; None for a suspension, which chooses none, and where no rule is in force."""
    if kind == ApplicationKind.SUSPENSION:
        return None
    try:
        return region.assessment_table(offer.insurance_type, YearMonth.of(today), offer.default_plan)
    except NoRuleInForce:
        return None


def _identity(
    session: Session, account: Account, person_id: uuid.UUID, number: IdNumber | OldForeignCardNumber
) -> dict[str, str]:
    """What the proven real name fills in; the number itself goes no further than this function."""
    person = session.get_one(Person, person_id)
    return {
        "name": person.name_masked,
        "account_holder": person.name_masked,
        "id_number": person.id_number_masked,
        "sex": SEX[number.is_female],
        # The day of birth is half of the number: the year alone is told.
        "birth_date": f"{number.birth_date.year}年**月**日",
        "mobile": account.phone_masked or "",
    }


def _may_be_asked(field: FormField, insurance_type: str | None) -> bool:
    """Without a choice, everything that may come is told with what it depends on; with one, only what it needs."""
    return insurance_type is None or field.depends_on is None or is_asked(field, Filled(), [insurance_type])


def _steps(
    region: Region, form: ApplicationForm, asked: Sequence[FormField], known: dict[str, str], today: date
) -> list[StepView]:
    return [
        StepView(
            step=step.step,
            title=step.title,
            asks_insurances=step.asks_insurances,
            fields=[
                _field(region, each, region.application_field(each.key, today), known, today)
                for each in step.fields
                if each in asked
            ],
        )
        for step in form.steps
    ]


def _field(region: Region, asked: FormField, field: ApplicationField, known: dict[str, str], today: date) -> FieldView:
    is_known = field.type is FieldType.IDENTITY
    value = known.get(asked.key) or None
    if field.type is FieldType.MONTH:
        value = str(YearMonth.of(today))
    return FieldView(
        key=asked.key,
        label=field.label,
        type=field.type,
        required=asked.required and not is_known,
        read_only=is_known,
        value=value,
        help=field.help,
        longest=field.longest,
        options=options_of(region, field, today),
        depends_on=None if asked.depends_on is None else {"key": asked.depends_on.key, "values": list(asked.depends_on.values)},
        consent=field.consent,
    )


def _consents(
    region: Region, asked: Sequence[FormField], documents: list[dict[str, Any]], given: set[str], today: date
) -> list[dict[str, Any]]:
    """What has to be read and agreed to, in the order in which it is needed."""
    wanted = [NoticePurpose.ENROLLMENT]
    wanted += [purpose for each in asked if (purpose := region.application_field(each.key, today).consent) is not None]
    wanted += [NoticePurpose.DOCUMENTS] if documents else []
    told = []
    for purpose in dict.fromkeys(wanted):
        try:
            notice = region.notice(purpose, today)
        except NoRuleInForce:
            continue
        told.append({"purpose": str(purpose), "title": notice.title, "version": notice.version, "given": purpose in given})
    return told


def _documents(
    region: Region, kind: ApplicationKind, today: date
) -> tuple[list[dict[str, Any]], list[list[str]], list[dict[str, str]]]:
    try:
        needed = region.required_documents(kind, today)
    except NoRuleInForce:
        return [], [], []
    told = [{"kind": each, "label": region.documents[each].label, "help": region.documents[each].help} for each in needed.kinds]
    return told, [list(one) for one in needed.sets if one], [each.model_dump() for each in needed.besides]


def _current(ports: Ports, row: Enrollment, region: Region, kind: ApplicationKind) -> CurrentView:
    where = ports.rulebook.regions.get(row.region)
    area = where.pooling_areas.get(row.pooling_area) if where is not None else None
    return CurrentView(
        insurance_type=row.insurance_type,
        region=row.region,
        region_name=where.name if where is not None else row.region,
        pooling_area=row.pooling_area,
        pooling_area_name=area.name if area is not None else row.pooling_area,
        state=row.state,
        start_month=str(YearMonth.from_number(row.start_month)),
        end_month=None if row.end_month is None else str(YearMonth.from_number(row.end_month)),
        tier=row.tier,
        declared_wage_fen=row.declared_wage_fen,
        fits=row.region == region.code and row.state == OF_KIND.get(kind),
    )
