"""Overrides: an approval that the rules alone would not give needs two of the staff, the second of them a supervisor, and a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from models.applications import ApplicationState
from models.base import constraint_of
from models.people import Person
from models.reviews import OverrideState, ReviewOverride
from services.counter_errors import SecondPersonRequired
from services.errors import NotFound
from services.review_errors import (
    ApplicationNotYours,
    OverrideNotOpen,
    ReviewedVersionChanged,
    RolePowerless,
    RulesSayNo,
)
from services.review_queue import MAY_REVIEW, SUPERVISOR, in_hand
from services.review_rules import MAY_BE_OVERRIDDEN, obstacles, open_identity, refuse_own
from services.staff_words import staff_words

if TYPE_CHECKING:
    import uuid

    from services.ports import Ports
    from services.review_queue import Reviewer


def ask_override(ports: Ports, *, application_id: uuid.UUID, version: int, reason: str, reviewer: Reviewer) -> uuid.UUID:
    """The first of the two, who has the application in hand.

    Raises RolePowerless, ReasonNeeded, NotFound, ApplicationNotYours, ReviewedVersionChanged, OwnAffairs, OverrideNotOpen (one is open
    already), and RulesSayNo where nothing stands in the way, or something that nobody may override.
    """
    if MAY_REVIEW.isdisjoint(reviewer.roles):
        raise RolePowerless
    said = staff_words(reason)
    now = ports.now()
    try:
        with ports.begin() as session:
            application = in_hand(ports, session, application_id=application_id, reviewer=reviewer, lock=True)
            if application.state != ApplicationState.UNDER_REVIEW or application.taken_up_by != reviewer.who:
                raise ApplicationNotYours
            if application.version != version:
                raise ReviewedVersionChanged
            session.refresh(application, ["items"])
            person = session.get_one(Person, application.person_id)
            refuse_own(ports, session, person=person, reviewer=reviewer)
            _, id_number = open_identity(ports, session, person, purpose="review_override", reviewer=reviewer, now=now)
            problems = [each.code for each in obstacles(ports, session, application, id_number=id_number)]
            if not problems or not MAY_BE_OVERRIDDEN.issuperset(problems):
                raise RulesSayNo(problems=problems)
            row = ReviewOverride(
                application_id=application.id,
                version=version,
                problems=problems,
                reason=said,
                asked_by=reviewer.who,
                asked_at=now,
            )
            session.add(row)
            session.flush()
            return row.id
    except IntegrityError as fault:
        if constraint_of(fault) == "uq_review_overrides_application_id_open":
            raise OverrideNotOpen from None
        raise


def application_of(ports: Ports, *, override_id: uuid.UUID) -> uuid.UUID:
    """The application that an override is about; whether the reviewer may see it is the caller's to ask. Raises NotFound."""
    with ports.begin() as session:
        found = session.scalar(select(ReviewOverride.application_id).where(ReviewOverride.id == override_id))
    if found is None:
        raise NotFound
    return found


def decide_override(ports: Ports, *, override_id: uuid.UUID, grant: bool, reviewer: Reviewer) -> None:
    """The second of the two: a supervisor, and not the one who asked. The application itself is then for the first to decide.

    Raises RolePowerless, NotFound, SecondPersonRequired, OverrideNotOpen, OwnAffairs, ReviewedVersionChanged.
    """
    if SUPERVISOR not in reviewer.roles:
        raise RolePowerless
    now = ports.now()
    with ports.begin() as session:
        application_id = session.scalar(select(ReviewOverride.application_id).where(ReviewOverride.id == override_id))
        if application_id is None:
            raise NotFound
        # The application first, then its override: the order in which reviews lock them.
        application = in_hand(ports, session, application_id=application_id, reviewer=reviewer, lock=True)
        refuse_own(ports, session, person=session.get_one(Person, application.person_id), reviewer=reviewer)
        row = session.get_one(ReviewOverride, override_id, with_for_update=True)
        if row.state != OverrideState.ASKED or application.state != ApplicationState.UNDER_REVIEW:
            raise OverrideNotOpen
        if row.asked_by == reviewer.who:
            raise SecondPersonRequired(detail="提请和复核不能是同一人，请由另一位主管复核。")
        if row.version != application.version:
            raise ReviewedVersionChanged
        if grant:
            row.grant(who=reviewer.who, at=now)
        else:
            row.refuse(who=reviewer.who, at=now)
