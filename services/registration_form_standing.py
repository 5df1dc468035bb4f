"""How a registration form stands today: the enrolments that it tells of, held against those of the day when it was printed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from config.clock import beijing_date
from config.months import YearMonth
from config.rulebook import ApplicationKind, NoRuleInForce
from models.applications import ApplicationItem, EnrollmentApplication
from models.enrollments import Enrollment, EnrollmentState
from models.people import Person
from services.enrollments import spells
from services.printouts import Fact, PrintoutView, Standing, insurance_label, standing_hash

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from models.printouts import Printout
    from services.enrollments import Spell
    from services.ports import Ports

UNNAMED: Final = "登记表"
"""Where the rulebook no longer has the form of that day."""

STATES: Final = {
    EnrollmentState.ACTIVE: "正常参保",
    EnrollmentState.SUSPENDED: "暂停参保",
    EnrollmentState.TERMINATED: "终止参保",
    EnrollmentState.RETIRED: "已退休",
}
SAID: Final = {
    Standing.VALID: ("有效", "表单所载的参保登记与现在的记录一致。"),
    Standing.REPLACED: ("已变更", "本表已由新的版本代替，请以最新打印的表单为准。"),
    Standing.CHANGED: ("已变更", "打印以后参保登记有变更，请让持表人重新打印。"),
    Standing.SUSPENDED: ("已停保", "表单所载的险种已经暂停参保。"),
    Standing.TERMINATED: ("已终止", "表单所载的险种已经终止参保。"),
    Standing.RETIRED: ("已退休", "持表人已经办理退休，不再缴费。"),
}
"""Standing → what it is called, and what it means for whoever was shown the paper."""
ENDED: Final = (EnrollmentState.SUSPENDED, EnrollmentState.TERMINATED, EnrollmentState.RETIRED)


@dataclass(frozen=True, kw_only=True)
class Held:
    """One enrolment as it stands this month, without a word about whose it is."""

    insurance_type: str
    state: str
    pooling_area: str
    agency: str | None
    start_month: int
    end_month: int | None
    tier_from_month: int
    """Since when the tier of this month holds."""
    tier_plan: str | None
    tier: str | None
    declared_wage_fen: int | None


def held_by(session: Session, application: EnrollmentApplication, *, on: date) -> list[Held]:
    """The enrolments that came of an application, each with the tier of that day's month."""
    rows = session.scalars(
        select(Enrollment)
        .join(ApplicationItem, ApplicationItem.enrollment_id == Enrollment.id)
        .where(ApplicationItem.application_id == application.id)
        .order_by(Enrollment.insurance_type, Enrollment.id)
    ).all()
    return [_held(each, spells(session, each), month=YearMonth.of(on)) for each in rows]


def _held(enrollment: Enrollment, tiers: Sequence[Spell], *, month: YearMonth) -> Held:
    # Before its first month it is told with the tier that it will begin with.
    tier = next((each for each in reversed(tiers) if each.from_month <= month), tiers[0])
    return Held(
        insurance_type=enrollment.insurance_type,
        state=enrollment.state,
        pooling_area=enrollment.pooling_area,
        agency=enrollment.agency,
        start_month=enrollment.start_month,
        end_month=enrollment.end_month,
        tier_from_month=tier.from_month.number,
        tier_plan=tier.tier_plan,
        tier=tier.tier,
        declared_wage_fen=tier.declared_wage_fen,
    )


def hash_of_held(held: Sequence[Held]) -> bytes:
    """How the enrolments stand. Pure."""
    return standing_hash([asdict(each) for each in held])


def form_view(ports: Ports, session: Session, printout: Printout) -> PrintoutView:
    """What may be told of a form: a masked name, and how each insurance stands today."""
    application, name_masked = session.execute(
        select(EnrollmentApplication, Person.name_masked)
        .join(Person, Person.id == EnrollmentApplication.person_id)
        .where(EnrollmentApplication.id == printout.application_id)
    ).one()
    held = held_by(session, application, on=ports.today())
    region = ports.rulebook.regions.get(application.region)
    standing = standing_of(printout, held)
    text, explanation = SAID[standing]
    return PrintoutView(
        title=_title(region, application, printout),
        serial=printout.serial,
        version=printout.version,
        issued_at=printout.issued_at,
        facts=[
            Fact(label="姓名", value=name_masked),
            Fact(label="参保地区", value=application.region if region is None else region.name),
            *(
                Fact(
                    label=insurance_label(region, each.insurance_type, on=ports.today()),
                    value=STATES[EnrollmentState(each.state)],
                )
                for each in held
            ),
        ],
        standing=standing,
        standing_text=text,
        explanation=explanation,
    )


def standing_of(printout: Printout, held: Sequence[Held]) -> Standing:
    """Whether it still holds. Pure."""
    if printout.replaced_at is not None:
        return Standing.REPLACED
    states = {each.state for each in held}
    for ended in ENDED:
        if states == {ended}:
            return Standing(ended.value)
    return Standing.VALID if bytes(printout.standing_hash) == hash_of_held(held) else Standing.CHANGED


def _title(region: Region | None, application: EnrollmentApplication, printout: Printout) -> str:
    if region is None:
        return UNNAMED
    try:
        return region.printed_form(ApplicationKind(application.kind), beijing_date(printout.issued_at)).title
    except NoRuleInForce:
        return UNNAMED
