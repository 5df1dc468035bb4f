"""What a decision is held against: whose affairs it is, and whether the rules still allow what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from config.clock import beijing_date
from config.months import YearMonth
from config.rulebook import ApplicationKind
from models.enrollments import Enrollment
from models.reviews import StaffPerson
from services.choices import Choice
from services.eligibility import Facts, Held, check
from services.people import IdNumber, parse_persons_number
from services.personal_data import open_personal
from services.review_errors import OwnAffairs

if TYPE_CHECKING:
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from models.applications import EnrollmentApplication
    from models.people import Person
    from services.errors import BusinessError
    from services.ports import Ports
    from services.review_queue import Reviewer

MAY_BE_OVERRIDDEN: Final = frozenset({"HUKOU_NOT_ELIGIBLE", "ACTIVE_ELSEWHERE", "REGION_MISMATCH"})
"""Where papers on the table may know better than our record. Age, and what the law offers to nobody, is not among them."""


def refuse_own(ports: Ports, session: Session, *, person: Person, reviewer: Reviewer) -> None:
    """Nobody reviews their own. Compared by blind index: no number is opened for it. Raises OwnAffairs."""
    own = session.scalar(select(StaffPerson.id_number_index).where(StaffPerson.who == reviewer.who))
    if own is not None and ports.seals.same(bytes(own), bytes(person.id_number_index)):
        raise OwnAffairs


def open_identity(
    ports: Ports, session: Session, person: Person, *, purpose: str, reviewer: Reviewer, now: datetime
) -> tuple[str, str]:
    """Name and ID number, and the row that says who looked."""
    opened = open_personal(ports, session, person, "name", "id_number", purpose=purpose, who=reviewer.who, now=now)
    return opened["name"], opened["id_number"]


def obstacles(
    ports: Ports, session: Session, application: EnrollmentApplication, *, id_number: str, hold: bool = False
) -> list[BusinessError]:
    """What the rules of the day of submission say against it, by the enrolments of now. The items are loaded.

    `hold`: the person's enrolments are locked, so that what was found is so until the transaction ends.
    """
    birth_date, is_female = _born(ports, id_number)
    mine = select(Enrollment).where(Enrollment.person_id == application.person_id).order_by(Enrollment.id)
    enrolled = session.scalars(mine.with_for_update() if hold else mine).all()
    return check(
        Facts(
            kind=ApplicationKind(application.kind),
            on=beijing_date(application.submitted_at or application.created_at),
            rulebook=ports.rulebook,
            region=application.region,
            birth_date=birth_date,
            is_female=is_female,
            choices=tuple(
                Choice(
                    insurance_type=item.insurance_type,
                    tier=item.tier,
                    declared_wage_fen=item.declared_wage_fen,
                    plan=item.tier_plan,
                )
                for item in application.items
            ),
            hukou_division=application.hukou_division,
            residence_division=application.residence_division,
            pooling_area=application.pooling_area,
            enrollments=tuple(
                Held(
                    region=each.region,
                    pooling_area=each.pooling_area,
                    insurance_type=each.insurance_type,
                    state=each.state,
                )
                for each in enrolled
            ),
            agency=application.agency,
            month=YearMonth.from_number(application.effective_month) if application.effective_month else None,
        )
    )


def _born(ports: Ports, id_number: str) -> tuple[date, bool | None]:
    """Birth date and sex, as the number tells them; an old foreign permanent resident's tells no sex."""
    number = parse_persons_number(id_number, today=ports.today())
    return number.birth_date, number.is_female if isinstance(number, IdNumber) else None
