"""What a decision is held against: whose affairs it is, and whether the rules still allow what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from config.clock import beijing_date
from models.applications import ApplicationState
from models.enrollments import Enrollment
from models.reviews import StaffPerson
from services.application_steps import choices_of, facts_of
from services.eligibility import check
from services.people import kept_number
from services.personal_data import open_personal
from services.review_errors import ApplicationNotYours, OwnAffairs

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from models.applications import EnrollmentApplication
    from models.people import Person
    from services.errors import BusinessError
    from services.ports import Ports
    from services.review_queue import Reviewer

MAY_BE_OVERRIDDEN: Final = frozenset({"HUKOU_NOT_ELIGIBLE", "ACTIVE_ELSEWHERE", "REGION_MISMATCH"})
"""Where papers on the table may know better than our record. Age, and what the law offers to nobody, is not among them."""


def may_open(application: EnrollmentApplication, *, reviewer: Reviewer) -> bool:
    """Whether this reviewer has a reason to see all of it: it is in their hands, they decided it, or they are a supervisor. Pure.

    What went back to the applicant, or was withdrawn, is nobody's at the desk any more.
    """
    if application.state in (ApplicationState.APPROVED, ApplicationState.REJECTED):
        return reviewer.is_supervisor or application.decided_by == reviewer.who
    return application.is_waiting and (reviewer.is_supervisor or application.taken_up_by == reviewer.who)


def refuse_idle_look(application: EnrollmentApplication, *, reviewer: Reviewer) -> None:
    """Raises ApplicationNotYours. Pure."""
    if not may_open(application, reviewer=reviewer):
        raise ApplicationNotYours(detail="全部内容和材料只对受理人、作出决定的人和复核主管开放；需要办理的，请先受理。")


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
    mine = select(Enrollment).where(Enrollment.person_id == application.person_id).order_by(Enrollment.id)
    enrolled = session.scalars(mine.with_for_update() if hold else mine).all()
    number = kept_number(id_number, today=ports.today())
    on = beijing_date(application.submitted_at or application.created_at)
    return check(facts_of(ports.rulebook, application, choices_of(application.items), enrolled, number=number, on=on))
