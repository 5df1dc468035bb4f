"""A lost phone: one administrator asks, another confirms and hands over a new code. Neither of the two is the one who lost it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from config.logs import logger
from models.staff import ResetState, Staff, StaffReset, StaffState
from services.counter_errors import SecondPersonRequired
from services.staff import Invitation, Scope, covers, end_sessions, invitation_hash, locked, new_invitation, new_totp
from services.staff_acts import note
from services.staff_errors import ResetNotWaiting, StaffNotInThatState

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from services.ports import Ports
    from services.staff import StaffView
    from services.staff_acts import Origin

log = logger(__name__)

WAITS: Final = timedelta(hours=24)
ANOTHER: Final = "申请和确认不能是同一人，请由另一位系统管理员确认。"


@dataclass(frozen=True, kw_only=True)
class ResetView:
    """What waits for the second administrator."""

    id: uuid.UUID
    number: str
    asked_by: str
    asked_at: datetime
    expires_at: datetime


def ask_reset(ports: Ports, *, number: str, by: StaffView, origin: Origin) -> None:
    """The first of the two: this one's phone is gone. They are signed out at once. Asking again while one waits changes nothing.

    Raises NotFound, NotYourself, OutOfScope, StaffNotInThatState.
    """
    now = ports.now()
    with ports.begin() as session:
        row = locked(ports, session, number=number, by=by)
        if row.state not in (StaffState.ACTIVE, StaffState.LOCKED):
            raise StaffNotInThatState
        if _waiting(session, row, now=now) is None:
            # A phone that is gone may be in somebody's hands.
            end_sessions(session, row, why="RESET", now=now)
            session.add(StaffReset(staff_id=row.id, asked_by=by.who, asked_at=now, expires_at=now + WAITS))
            note(session, who=by.who, act="staff.ask_reset", subject=row.who, origin=origin, now=now)


def confirm_reset(ports: Ports, *, number: str, by: StaffView, origin: Origin) -> Invitation:
    """The second of the two: the old password and phone are void, and the code to set new ones is here, once.

    Raises NotFound, NotYourself, OutOfScope, ResetNotWaiting, SecondPersonRequired.
    """
    now = ports.now()
    with ports.begin() as session:
        row = locked(ports, session, number=number, by=by)
        reset = _waiting(session, row, now=now)
        if reset is not None and reset.asked_by == by.who:
            raise SecondPersonRequired(detail=ANOTHER)
        if reset is not None:
            reset.confirm(who=by.who, at=now)
            invitation = new_invitation(row.number, now=now)
            row.reset(
                invitation_hash=invitation_hash(row.number, invitation.code),
                expires_at=invitation.expires_at,
                totp_sealed=new_totp(ports, row.id),
                who=by.who,
                at=now,
            )
            row.totp_step = None
            end_sessions(session, row, why="RESET", now=now)
            note(session, who=by.who, act="staff.confirm_reset", subject=row.who, origin=origin, now=now)
    # Raised outside, so that a lapsed one stays lapsed.
    if reset is None:
        raise ResetNotWaiting
    log.info("staff.reset", staff=row.number)
    return invitation


def refuse_reset(ports: Ports, *, number: str, by: StaffView, origin: Origin) -> None:
    """Either says no: nothing changes for them. Raises NotFound, NotYourself, OutOfScope, ResetNotWaiting."""
    now = ports.now()
    with ports.begin() as session:
        row = locked(ports, session, number=number, by=by)
        reset = _waiting(session, row, now=now)
        if reset is not None:
            reset.refuse(who=by.who, at=now)
            note(session, who=by.who, act="staff.refuse_reset", subject=row.who, origin=origin, now=now)
    if reset is None:
        raise ResetNotWaiting


def list_resets(ports: Ports, *, by: StaffView) -> list[ResetView]:
    """Those that wait within the administrator's scope, oldest first."""
    with ports.begin() as session:
        waiting = session.scalars(
            select(StaffReset)
            .where(StaffReset.state == ResetState.ASKED, StaffReset.expires_at > ports.now())
            .order_by(StaffReset.asked_at)
        )
        return [
            ResetView(
                id=each.id,
                number=each.staff.number,
                asked_by=each.asked_by,
                asked_at=each.asked_at,
                expires_at=each.expires_at,
            )
            for each in waiting
            if covers(ports, by.scope, Scope(region=each.staff.region, agency=each.staff.agency))
        ]


def _waiting(session: Session, row: Staff, *, now: datetime) -> StaffReset | None:
    """The one that was asked for and is not over; one whose time is over ends here. Also where they left meanwhile."""
    reset = session.scalar(
        select(StaffReset)
        .where(StaffReset.staff_id == row.id, StaffReset.state == ResetState.ASKED)
        .with_for_update(of=StaffReset)
    )
    if reset is not None and (reset.expires_at <= now or row.state not in (StaffState.ACTIVE, StaffState.LOCKED)):
        reset.lapse(at=now)
        session.flush()
        return None
    return reset
