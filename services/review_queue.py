"""The reviewers' queue: what waits in a reviewer's own region and agency, what is due first, and what is late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, func, or_, select, true, tuple_

from config.clock import day_start
from models.applications import WAITING_STATES, ApplicationState, EnrollmentApplication
from models.people import Person
from models.reviews import OverrideState, ReviewOverride
from services.errors import NotFound

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from config.rulebook import Rulebook
    from services.ports import Ports

PAGE: Final = 50
REVIEWER, SUPERVISOR = "REVIEWER", "SUPERVISOR"
MAY_REVIEW: Final = frozenset({REVIEWER, SUPERVISOR})


@dataclass(frozen=True, kw_only=True)
class Reviewer:
    """One of the staff, as reviews see them."""

    who: str
    """`staff:S1024`."""
    roles: frozenset[str]
    region: str | None = None
    """With all regions below it; None: every region."""
    agency: str | None = None

    @property
    def is_supervisor(self) -> bool:
        return SUPERVISOR in self.roles


class Part(StrEnum):
    """A part of the queue."""

    FREE = "FREE"
    """Nobody has taken it up."""
    TAKEN = "TAKEN"
    MINE = "MINE"
    FOR_SECOND = "FOR_SECOND"
    """An approval against the rules was asked for, and a supervisor has to look."""


@dataclass(frozen=True, kw_only=True)
class Narrowed:
    """What of the queue is asked for; None asks for all of it."""

    region: str | None = None
    """With all regions below it, and never beyond the reviewer's own."""
    kind: str | None = None
    part: Part | None = None


WHOLE: Final = Narrowed()


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a page of the queue goes on: after this one."""

    due_at: datetime
    application_id: uuid.UUID


@dataclass(frozen=True, kw_only=True)
class QueueRow:
    """One application as the queue tells it: masked, and nothing sealed is opened."""

    application_id: uuid.UUID
    case_no: str
    kind: str
    region: str
    agency: str | None
    state: str
    name_masked: str
    submitted_at: datetime
    target_at: datetime | None
    due_at: datetime
    due_is_provisional: bool
    is_past_target: bool
    is_overdue: bool
    taken_up_by: str | None
    is_mine: bool
    waits_for_second: bool
    """An approval against the rules was asked for, and a supervisor has to look."""


@dataclass(frozen=True, kw_only=True)
class QueuePage:
    rows: list[QueueRow]
    waiting: int
    overdue: int
    next_place: Place | None


def list_queue(
    ports: Ports, *, reviewer: Reviewer, only: Narrowed = WHOLE, after: Place | None = None, limit: int = PAGE
) -> QueuePage:
    """What waits for a decision, due first; those under review too, with whom they are. Counts are of what was asked for."""
    now = ports.now()
    each = EnrollmentApplication
    mine, is_asked = _wanted(ports.rulebook, reviewer, only), _is_asked()
    columns = (
        each.id, each.case_no, each.kind, each.region, each.agency, each.state, each.submitted_at, each.target_at, each.due_at,
        each.due_is_provisional, each.taken_up_by, Person.name_masked, is_asked.label("waits_for_second"),
    )  # fmt: skip
    wanted = select(*columns).join(Person, Person.id == each.person_id).where(mine)
    if after is not None:
        wanted = wanted.where(tuple_(each.due_at, each.id) > tuple_(after.due_at, after.application_id))
    with ports.begin() as session:
        rows = session.execute(wanted.order_by(each.due_at, each.id).limit(limit + 1)).all()
        waiting, overdue = session.execute(select(func.count(), func.count().filter(each.due_at < now)).where(mine)).one()
    shown = [
        QueueRow(
            application_id=row.id,
            case_no=row.case_no,
            kind=row.kind,
            region=row.region,
            agency=row.agency,
            state=row.state,
            name_masked=row.name_masked,
            submitted_at=row.submitted_at,
            target_at=row.target_at,
            due_at=row.due_at,
            due_is_provisional=row.due_is_provisional,
            is_past_target=row.target_at is not None and row.target_at < now,
            is_overdue=row.due_at < now,
            taken_up_by=row.taken_up_by,
            is_mine=row.taken_up_by == reviewer.who,
            waits_for_second=row.waits_for_second,
        )
        for row in rows[:limit]
    ]
    last = shown[-1] if len(rows) > limit else None
    return QueuePage(
        rows=shown,
        waiting=waiting,
        overdue=overdue,
        next_place=Place(due_at=last.due_at, application_id=last.application_id) if last else None,
    )


def _is_asked() -> ColumnElement[bool]:
    """An approval against the rules was asked for, and nobody has answered."""
    asked = (ReviewOverride.application_id == EnrollmentApplication.id, ReviewOverride.state == OverrideState.ASKED)
    return select(ReviewOverride.id).where(*asked).exists()


def _wanted(rulebook: Rulebook, reviewer: Reviewer, only: Narrowed) -> ColumnElement[bool]:
    each = EnrollmentApplication
    parts: dict[Part | None, ColumnElement[bool]] = {
        None: true(),
        Part.FREE: each.state == ApplicationState.SUBMITTED,
        Part.TAKEN: each.state == ApplicationState.UNDER_REVIEW,
        Part.MINE: each.taken_up_by == reviewer.who,
        Part.FOR_SECOND: _is_asked(),
    }
    return and_(
        each.state.in_(WAITING_STATES),
        in_scope(rulebook, reviewer),
        true() if only.region is None else each.region.in_(regions_below(rulebook, only.region)),
        true() if only.kind is None else each.kind == only.kind,
        parts[only.part],
    )


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """The queue in four figures and two moments: what waits in a reviewer's scope, against the clock that was promised."""

    count: int
    overdue: int
    due_today: int
    """Not overdue, and due before the day ends in Beijing."""
    oldest_at: datetime | None
    """When the one that waits longest was handed in."""
    next_due_at: datetime | None
    """By when the next one is promised that is not overdue."""

    @property
    def later(self) -> int:
        return self.count - self.overdue - self.due_today


def stand_of_queue(ports: Ports, *, reviewer: Reviewer) -> Waiting:
    """How the queue stands now."""
    each, now = EnrollmentApplication, ports.now()
    ends_at = day_start(now) + timedelta(days=1)
    is_due = each.due_at >= now
    asked = select(
        func.count(),
        func.count().filter(each.due_at < now),
        func.count().filter(is_due, each.due_at < ends_at),
        func.min(each.submitted_at),
        func.min(each.due_at).filter(is_due),
    ).where(_wanted(ports.rulebook, reviewer, WHOLE))
    with ports.begin() as session:
        count, overdue, due_today, oldest_at, next_due_at = session.execute(asked).one()
    return Waiting(count=count, overdue=overdue, due_today=due_today, oldest_at=oldest_at, next_due_at=next_due_at)


def count_overdue(ports: Ports) -> int:
    """How many wait longer than was promised, everywhere."""
    each = EnrollmentApplication
    with ports.begin() as session:
        return session.scalar(select(func.count()).where(each.state.in_(WAITING_STATES), each.due_at < ports.now())) or 0


def place_of(ports: Ports, *, application_id: uuid.UUID) -> tuple[str, str | None]:
    """(region, agency): whose affair it is. Raises NotFound; a draft is nobody's but its writer's."""
    each = EnrollmentApplication
    with ports.begin() as session:
        wanted = select(each.region, each.agency).where(each.id == application_id, each.submitted_at.is_not(None))
        found = session.execute(wanted).one_or_none()
    if found is None:
        raise NotFound
    return found.region, found.agency


def in_scope(rulebook: Rulebook, reviewer: Reviewer) -> ColumnElement[bool]:
    """The reviewer's own region with all below it, and in it their agency; what names no agency is every agency's. Pure."""
    each = EnrollmentApplication
    scope: ColumnElement[bool] = true()
    if reviewer.region is not None:
        scope = each.region.in_(regions_below(rulebook, reviewer.region))
    if reviewer.agency is not None:
        scope = and_(scope, or_(each.agency == reviewer.agency, each.agency.is_(None)))
    return scope


def regions_below(rulebook: Rulebook, code: str) -> list[str]:
    """The codes of a region and of all below it. Pure."""
    return [region.code for region in rulebook.regions.values() if region.lies_in(code)]


def in_hand(
    ports: Ports, session: Session, *, application_id: uuid.UUID, reviewer: Reviewer, lock: bool = False
) -> EnrollmentApplication:
    """The application, where it is the reviewer's affair. Raises NotFound; a draft is nobody's but its writer's."""
    wanted = select(EnrollmentApplication).where(
        EnrollmentApplication.id == application_id,
        EnrollmentApplication.submitted_at.is_not(None),
        in_scope(ports.rulebook, reviewer),
    )
    found = session.scalar(wanted.with_for_update() if lock else wanted)
    if found is None:
        raise NotFound
    return found
