"""Reviews: taken up by one, looked at on record, decided once by whoever took it up, on the version that they saw.

An approval and all that follows from it (enrolments, bills, messages) is one transaction: it has happened or it has not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from config.logs import logger
from models.applications import WAITING_STATES, ApplicationState, DecisionReason, EnrollmentApplication
from models.people import Person
from models.reviews import OverrideState, ReviewOverride
from services.application_messages import not_told_of_delay, tell_approved, tell_delay, tell_refused
from services.application_steps import end_items, moves_of
from services.enrollment_changes import Effects, take_effect
from services.enrollment_tiers import wait_for_turn
from services.personal_data import open_personal
from services.review_errors import (
    ApplicationNotWaiting,
    ApplicationNotYours,
    ApplicationWithdrawn,
    ReviewedVersionChanged,
    RolePowerless,
    RulesSayNo,
)
from services.review_queue import MAY_REVIEW, SUPERVISOR, in_hand
from services.review_remarks import remark_of
from services.review_rules import MAY_BE_OVERRIDDEN, obstacles, open_identity, refuse_idle_look, refuse_own

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.errors import BusinessError
    from services.ports import Ports
    from services.review_queue import Reviewer

log = logger(__name__)

FORGOTTEN_AFTER: Final = timedelta(hours=2)
SWEEP: Final = "put_back_forgotten"
AT_A_TIME: Final = 200


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """What stands in the way of an approval, for the reviewer's eyes."""

    code: str
    title: str
    detail: str
    may_be_overridden: bool


@dataclass(frozen=True, kw_only=True)
class OverrideView:
    id: uuid.UUID
    state: str
    reason: str
    problems: list[str]
    asked_by: str
    decided_by: str | None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step on the way: what, when, by whom."""

    what: str
    at: datetime
    who: str


@dataclass(frozen=True, kw_only=True)
class ReviewView:
    """One application with everything declared in it, opened for one of the staff, on record."""

    application: EnrollmentApplication
    """The row itself, detached, with its items and documents."""
    name: str = field(repr=False)
    id_number: str = field(repr=False)
    details: dict[str, Any] = field(repr=False)
    remark: str | None = field(repr=False)
    obstacles: list[Obstacle]
    override: OverrideView | None
    steps: list[Step]
    is_mine: bool
    is_overdue: bool


def take_up(ports: Ports, *, application_id: uuid.UUID, reviewer: Reviewer) -> None:
    """From now on this reviewer alone decides it. Of two at once one gets it; whoever has it already keeps it.

    Raises RolePowerless, NotFound, OwnAffairs, ApplicationWithdrawn, ApplicationNotWaiting.
    """
    _require(reviewer, MAY_REVIEW)
    now = ports.now()
    with ports.begin() as session:
        application = in_hand(ports, session, application_id=application_id, reviewer=reviewer, lock=True)
        refuse_own(ports, session, person=session.get_one(Person, application.person_id), reviewer=reviewer)
        if application.state == ApplicationState.UNDER_REVIEW and application.taken_up_by == reviewer.who:
            return
        if application.state == ApplicationState.WITHDRAWN:
            raise ApplicationWithdrawn
        if application.state != ApplicationState.SUBMITTED:
            raise ApplicationNotWaiting(taken_up_by=application.taken_up_by)
        application.take_up(who=reviewer.who, at=now)


def put_back(ports: Ports, *, application_id: uuid.UUID, reviewer: Reviewer) -> None:
    """Undecided, for another. A supervisor may put back what somebody else has. Raises NotFound, ApplicationNotYours."""
    _require(reviewer, MAY_REVIEW)
    now = ports.now()
    with ports.begin() as session:
        application = in_hand(ports, session, application_id=application_id, reviewer=reviewer, lock=True)
        is_theirs = application.taken_up_by == reviewer.who or SUPERVISOR in reviewer.roles
        if application.state != ApplicationState.UNDER_REVIEW or not is_theirs:
            raise ApplicationNotYours
        application.put_back(who=reviewer.who, at=now)
        _lapse_override(session, application, who=reviewer.who, now=now)


def look_at(ports: Ports, *, application_id: uuid.UUID, reviewer: Reviewer) -> ReviewView:
    """Everything declared, opened: each look leaves its rows. For whoever has it in hand, decided it, or is a supervisor.

    Raises RolePowerless, NotFound, OwnAffairs, ApplicationNotYours, SealBroken.
    """
    _require(reviewer, MAY_REVIEW)
    now = ports.now()
    with ports.begin() as session:
        application = in_hand(ports, session, application_id=application_id, reviewer=reviewer)
        session.refresh(application, ["items", "documents"])
        person = session.get_one(Person, application.person_id)
        refuse_own(ports, session, person=person, reviewer=reviewer)
        refuse_idle_look(application, reviewer=reviewer)
        name, id_number = open_identity(ports, session, person, purpose="review_look", reviewer=reviewer, now=now)
        opened = _open_declared(ports, session, application, reviewer=reviewer, now=now)
        override = session.scalar(
            select(ReviewOverride)
            .where(ReviewOverride.application_id == application.id, ReviewOverride.version == application.version)
            .order_by(ReviewOverride.id.desc())
            .limit(1)
        )
        in_the_way = obstacles(ports, session, application, id_number=id_number) if application.is_waiting else []
        view = ReviewView(
            application=application,
            name=name,
            id_number=id_number,
            details=json.loads(opened["details"]) if "details" in opened else {},
            remark=opened.get("remark"),
            obstacles=[_obstacle(each) for each in in_the_way],
            override=_override_view(override) if override is not None else None,
            steps=[Step(what=move.why, at=move.at, who=move.who) for move in moves_of(session, application)],
            is_mine=application.state == ApplicationState.UNDER_REVIEW and application.taken_up_by == reviewer.who,
            is_overdue=application.is_waiting and application.due_at is not None and application.due_at < now,
        )
        session.flush()
        session.expunge_all()
    return view


def approve(ports: Ports, *, application_id: uuid.UUID, version: int, reviewer: Reviewer) -> Effects:
    """审核通过, with all that follows from it, in one transaction.

    Raises ApplicationWithdrawn, ApplicationNotYours, ReviewedVersionChanged, OwnAffairs, RulesSayNo (facts: `problems`),
    AlreadyEnrolled, EnrollmentNotAsItWas, MonthsAlreadyPosted, RolePowerless, NotFound.
    """
    now = ports.now()
    with ports.begin() as session:
        application, person = _to_decide(ports, session, application_id, version=version, reviewer=reviewer)
        # Before any enrolment is locked: whoever issues a month's bills waits for enrolments.
        wait_for_turn(session)
        _, id_number = open_identity(ports, session, person, purpose="review_approve", reviewer=reviewer, now=now)
        in_the_way = obstacles(ports, session, application, id_number=id_number, hold=True)
        _refuse_unless_overridden(session, application, in_the_way)
        application.approve(who=reviewer.who, at=now)
        effects = take_effect(ports, session, application, who=reviewer.who, now=now)
        end_items(session, application)
        tell_approved(ports, session, application, effects=effects, at=now)
    log.info("review.approved", kind=application.kind, region=application.region, issued=effects.issued, voided=effects.voided)
    return effects


def reject(
    ports: Ports, *, application_id: uuid.UUID, version: int, reason: DecisionReason, remark: str | None, reviewer: Reviewer
) -> None:
    """审核不通过: it is over, and another one may be made from it. Raises as `approve` does, but for the rules; and RemarkNeeded."""
    now = ports.now()
    with ports.begin() as session:
        application, _ = _to_decide(ports, session, application_id, version=version, reviewer=reviewer)
        application.reject(reason, who=reviewer.who, at=now)
        end_items(session, application)
        _tell_no(ports, session, application, remark, reviewer=reviewer, now=now)
    log.info("review.rejected", kind=application.kind, region=application.region, reason=str(reason))


def give_back(
    ports: Ports,
    *,
    application_id: uuid.UUID,
    version: int,
    reason: DecisionReason,
    remark: str | None,
    reviewer: Reviewer,
    to_mend: Collection[str] = (),
) -> None:
    """退回补正: to be mended and handed in again. `to_mend`: kinds of paper and keys of fields. Raises as `reject` does."""
    now = ports.now()
    with ports.begin() as session:
        application, _ = _to_decide(ports, session, application_id, version=version, reviewer=reviewer)
        application.give_back(reason, who=reviewer.who, at=now)
        _tell_no(ports, session, application, remark, to_mend=to_mend, reviewer=reviewer, now=now)
    log.info("review.returned", kind=application.kind, region=application.region, reason=str(reason))


def put_back_forgotten(ports: Ports) -> int:
    """The sweep: what somebody took up and did not decide for two hours goes back to the queue."""
    now = ports.now()
    with ports.begin() as session:
        forgotten = session.scalars(
            select(EnrollmentApplication)
            .where(
                EnrollmentApplication.state == ApplicationState.UNDER_REVIEW,
                EnrollmentApplication.taken_up_at <= now - FORGOTTEN_AFTER,
            )
            .order_by(EnrollmentApplication.taken_up_at)
            .limit(AT_A_TIME)
            .with_for_update(skip_locked=True)
        ).all()
        waiting = set(
            session.scalars(
                select(ReviewOverride.application_id).where(
                    ReviewOverride.application_id.in_([each.id for each in forgotten]),
                    ReviewOverride.state == OverrideState.ASKED,
                )
            )
        )
        # Whoever waits for the second person has not forgotten it.
        idle = [each for each in forgotten if each.id not in waiting]
        for application in idle:
            application.put_back(who=SWEEP, at=now)
            _lapse_override(session, application, who=SWEEP, now=now)
    return len(idle)


def tell_overdue(ports: Ports) -> int:
    """The sweep: whoever waits longer than was promised is told so once, with an apology. Nothing is decided by time."""
    now = ports.now()
    with ports.begin() as session:
        late = session.scalars(
            select(EnrollmentApplication)
            .where(
                EnrollmentApplication.state.in_(WAITING_STATES),
                EnrollmentApplication.due_at < now,
                # In the question, not after it: or the oldest ones, long told, would fill every batch.
                not_told_of_delay(),
            )
            .order_by(EnrollmentApplication.due_at)
            .limit(AT_A_TIME)
            .with_for_update(skip_locked=True)
        ).all()
        for application in late:
            tell_delay(ports, session, application, at=now)
    if late:
        log.warning("review.overdue", told=len(late))
    return len(late)


# --- steps


def _require(reviewer: Reviewer, roles: frozenset[str]) -> None:
    if roles.isdisjoint(reviewer.roles):
        raise RolePowerless


def _to_decide(
    ports: Ports, session: Session, application_id: uuid.UUID, *, version: int, reviewer: Reviewer
) -> tuple[EnrollmentApplication, Person]:
    """The application, locked, where this reviewer may decide this very version of it now."""
    _require(reviewer, MAY_REVIEW)
    application = in_hand(ports, session, application_id=application_id, reviewer=reviewer, lock=True)
    if application.state == ApplicationState.WITHDRAWN:
        raise ApplicationWithdrawn
    if application.state != ApplicationState.UNDER_REVIEW or application.taken_up_by != reviewer.who:
        raise ApplicationNotYours
    if application.version != version:
        raise ReviewedVersionChanged
    person = session.get_one(Person, application.person_id)
    refuse_own(ports, session, person=person, reviewer=reviewer)
    session.refresh(application, ["items"])
    return application, person


def _refuse_unless_overridden(session: Session, application: EnrollmentApplication, in_the_way: list[BusinessError]) -> None:
    """Raises RulesSayNo, but where two of the staff agreed on exactly these obstacles of exactly this version."""
    if not in_the_way:
        return
    granted = session.scalar(
        select(ReviewOverride).where(
            ReviewOverride.application_id == application.id,
            ReviewOverride.version == application.version,
            ReviewOverride.state == OverrideState.GRANTED,
        )
    )
    covered = frozenset(granted.problems if granted is not None else ()) & MAY_BE_OVERRIDDEN
    if any(each.code not in covered for each in in_the_way):
        raise RulesSayNo(
            detail="；".join(f"{each.title}：{each.said}" for each in in_the_way) + RulesSayNo.detail,
            problems=[each.code for each in in_the_way],
        )


def _tell_no(
    ports: Ports,
    session: Session,
    application: EnrollmentApplication,
    remark: str | None,
    *,
    reviewer: Reviewer,
    now: datetime,
    to_mend: Collection[str] = (),
) -> None:
    """What follows from either no: the remark is kept, what was asked of a second person lapses, and the applicant is told."""
    region = ports.rulebook.region(application.region)
    said = remark_of(region, application, remark or "", to_mend=to_mend, on=ports.today())
    place = EnrollmentApplication.remark_place(application.id)
    application.remark_sealed = ports.seals.seal(said, place=place) if said else None
    _lapse_override(session, application, who=reviewer.who, now=now)
    tell_refused(ports, session, application, at=now)


def _lapse_override(session: Session, application: EnrollmentApplication, *, who: str, now: datetime) -> None:
    open_one = session.scalar(
        select(ReviewOverride)
        .where(
            ReviewOverride.application_id == application.id,
            ReviewOverride.state.in_((OverrideState.ASKED, OverrideState.GRANTED)),
        )
        .with_for_update()
    )
    if open_one is not None:
        open_one.lapse(who=who, at=now)


def _open_declared(
    ports: Ports, session: Session, application: EnrollmentApplication, *, reviewer: Reviewer, now: datetime
) -> dict[str, str]:
    columns = [name for name in ("details", "remark") if getattr(application, f"{name}_sealed") is not None]
    if not columns:
        return {}
    return open_personal(ports, session, application, *columns, purpose="review_look", who=reviewer.who, now=now)


def _obstacle(fault: BusinessError) -> Obstacle:
    return Obstacle(code=fault.code, title=fault.title, detail=fault.said, may_be_overridden=fault.code in MAY_BE_OVERRIDDEN)


def _override_view(row: ReviewOverride) -> OverrideView:
    return OverrideView(
        id=row.id,
        state=row.state,
        reason=row.reason,
        problems=list(row.problems),
        asked_by=row.asked_by,
        decided_by=row.decided_by,
    )
