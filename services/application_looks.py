"""What a reviewer sees before an application is theirs, masked; and the photographs once it is, each look on record and marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from models.applications import ApplicationDocument, ApplicationState
from models.people import Person
from models.reviews import OverrideState, ReviewOverride
from services.application_steps import moves_of
from services.documents import open_key, show_picture
from services.errors import NotFound
from services.review_errors import RolePowerless
from services.review_queue import MAY_REVIEW, in_hand
from services.review_rules import may_open, refuse_idle_look, refuse_own
from services.reviews import Step

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from services.documents import OpenedPicture
    from services.ports import Ports
    from services.review_queue import Reviewer


@dataclass(frozen=True, kw_only=True)
class Glance:
    """One application from outside: whose, what, where it stands. Nothing sealed is opened for it."""

    application_id: uuid.UUID
    case_no: str
    kind: str
    region: str
    agency: str | None
    state: str
    name_masked: str
    id_number_masked: str
    submitted_at: datetime
    target_at: datetime | None
    due_at: datetime | None
    due_is_provisional: bool
    is_waiting: bool
    taken_up_by: str | None
    taken_up_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    waits_for_second: bool
    steps: list[Step]
    is_mine: bool
    may_take_up: bool
    may_put_back: bool
    may_open: bool


def glance(ports: Ports, *, application_id: uuid.UUID, reviewer: Reviewer) -> Glance:
    """Raises RolePowerless, NotFound, OwnAffairs."""
    if MAY_REVIEW.isdisjoint(reviewer.roles):
        raise RolePowerless
    with ports.begin() as session:
        row = in_hand(ports, session, application_id=application_id, reviewer=reviewer)
        person = session.get_one(Person, row.person_id)
        refuse_own(ports, session, person=person, reviewer=reviewer)
        asked = (ReviewOverride.application_id == row.id, ReviewOverride.state == OverrideState.ASKED)
        is_taken = row.state == ApplicationState.UNDER_REVIEW
        is_mine = is_taken and row.taken_up_by == reviewer.who
        return Glance(
            application_id=row.id,
            case_no=row.case_no,
            kind=row.kind,
            region=row.region,
            agency=row.agency,
            state=row.state,
            name_masked=person.name_masked,
            id_number_masked=person.id_number_masked,
            submitted_at=row.submitted_at or row.created_at,
            target_at=row.target_at,
            due_at=row.due_at,
            due_is_provisional=row.due_is_provisional,
            is_waiting=row.is_waiting,
            taken_up_by=row.taken_up_by,
            taken_up_at=row.taken_up_at,
            decided_by=row.decided_by,
            decided_at=row.decided_at,
            decision_reason=row.decision_reason,
            waits_for_second=session.scalar(select(ReviewOverride.id).where(*asked)) is not None,
            steps=[Step(what=move.why, at=move.at, who=move.who) for move in moves_of(session, row)],
            is_mine=is_mine,
            may_take_up=row.state == ApplicationState.SUBMITTED,
            may_put_back=is_mine or (is_taken and reviewer.is_supervisor),
            may_open=may_open(row, reviewer=reviewer),
        )


def open_picture(ports: Ports, *, application_id: uuid.UUID, kind: str, reviewer: Reviewer) -> OpenedPicture:
    """The photograph of one kind of paper, with the reviewer's number and the moment across it.

    Raises RolePowerless, NotFound, OwnAffairs, ApplicationNotYours, TooManyLooks, PictureLost, ProviderUnavailable, SealBroken.
    """
    if MAY_REVIEW.isdisjoint(reviewer.roles):
        raise RolePowerless
    now = ports.now()
    with ports.begin() as session:
        row = in_hand(ports, session, application_id=application_id, reviewer=reviewer)
        refuse_own(ports, session, person=session.get_one(Person, row.person_id), reviewer=reviewer)
        refuse_idle_look(row, reviewer=reviewer)
        each = ApplicationDocument
        document = session.scalar(select(each).where(each.application_id == row.id, each.kind == kind, each.live))
        if document is None or document.picture_key_sealed is None:
            raise NotFound
        document_id, key = document.id, open_key(ports, session, document, who=reviewer.who, now=now)
    viewer = reviewer.who.removeprefix("staff:")
    return show_picture(ports, document_id=document_id, key=key, viewer=viewer, now=now)
