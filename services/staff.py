"""Staff: who is let in, with which roles and for which region, and who is let out. An administrator's work, each step on record.

INVITED ──enrols──▶ ACTIVE ⇄ LOCKED ──▶ LEFT        services/staff_enrolment, staff_sessions (locks by wrong tries), staff_resets
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from config.logs import logger
from models.base import new_id
from models.staff import Staff, StaffRole, StaffSession, StaffState, powers_of
from services.counter_codes import CODE_LETTERS
from services.counter_errors import SecondPersonRequired
from services.errors import NotFound
from services.staff_acts import OPERATOR, note
from services.staff_codes import new_secret
from services.staff_errors import (
    NotYourself,
    OutOfScope,
    StaffNotInThatState,
    StaffNumberTaken,
    StaffRegionUnknown,
    StaffRolesApart,
)
from services.staff_numbers import parse_staff_number

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from services.ports import Ports
    from services.staff_acts import Origin

log = logger(__name__)

INVITATION_LIVES: Final = timedelta(days=3)
INVITATION_GROUPS, GROUP_LETTERS = 5, 4
"""Twenty letters of 24: 91 bits, on paper in groups."""
A_LIST: Final = 500


@dataclass(frozen=True, kw_only=True)
class StaffView:
    """One of the staff, as pages show them and as use cases ask for them."""

    number: str
    roles: tuple[StaffRole, ...]
    region: str | None
    agency: str | None
    state: str
    locked_until: datetime | None
    invitation_expires_at: datetime | None
    created_by: str
    created_at: datetime
    admitted_by: str | None
    """Empty: no code is out yet."""
    password_set_at: datetime | None
    signed_in_at: datetime | None

    @property
    def who(self) -> str:
        """As records name them."""
        return f"staff:{self.number}"

    @property
    def scope(self) -> Scope:
        return Scope(region=self.region, agency=self.agency)


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Whose affairs: of a region with all below it, or of one agency there; without a region, of all."""

    region: str | None = None
    agency: str | None = None


EVERYWHERE: Final = Scope()


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """What an administrator hands over, on paper or by word of mouth. Shown once."""

    number: str
    code: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"Invitation(number={self.number!r})"


def covers(ports: Ports, mine: Scope, theirs: Scope) -> bool:
    """Whether what is `theirs` lies within `mine`. A province covers its cities, an agency itself alone."""
    if mine.region is None:
        return True
    if mine.agency is not None:
        return mine == theirs
    region = known_regions(ports).get(theirs.region or "")
    return region is not None and region.lies_in(mine.region)


def known_regions(ports: Ports) -> dict[str, Region]:
    """By code: the regions that people are insured in, and the provinces above them. The country is no region: it is everywhere."""
    found = {}
    for region in ports.rulebook.regions.values():
        above: Region | None = region
        while above is not None and (above.parent is not None or above is region):
            found[above.code] = above
            above = above.parent
    return found


def scope_name(ports: Ports, scope: Scope) -> str:
    """As people say it; by its codes where the rulebook has forgotten it."""
    if scope.region is None:
        return "全部地区"
    region = known_regions(ports).get(scope.region)
    if region is None:
        return " · ".join(filter(None, (scope.region, scope.agency)))
    agency = region.agencies.get(scope.agency or "")
    return region.name if scope.agency is None else f"{region.name} · {agency.title if agency else scope.agency}"


def require_scope(ports: Ports, *, staff: StaffView, scope: Scope) -> None:
    """Raises OutOfScope."""
    if not covers(ports, staff.scope, scope):
        raise OutOfScope


def invite(ports: Ports, *, number: str, roles: Collection[str], scope: Scope = EVERYWHERE, origin: Origin) -> Invitation:
    """A new one of the staff by the operator at the machine, with a code to set password and phone by.

    Raises StaffNumberMalformed, StaffRolesApart, StaffRegionUnknown, StaffNumberTaken.
    """
    number, now = parse_staff_number(number), ports.now()
    _check_roles(roles)
    _check_region(ports, scope, roles=roles)
    invitation = new_invitation(number, now=now)
    with ports.begin() as session:
        _add(ports, session, invitation, roles=roles, scope=scope, who=OPERATOR, is_admitted=True, now=now)
        note(session, who=OPERATOR, act="staff.invite", subject=f"staff:{number}", origin=origin, now=now)
    log.info("staff.invited", staff=number, roles=sorted(map(str, roles)))
    return invitation


def propose(
    ports: Ports, *, number: str, roles: Collection[str], scope: Scope = EVERYWHERE, by: StaffView, origin: Origin
) -> None:
    """A new one of the staff by an administrator. Nobody comes in by it: another administrator issues the code, by `issue_code`.

    Raises StaffNumberMalformed, StaffRolesApart, StaffRegionUnknown, OutOfScope, StaffNumberTaken.
    """
    number, now = parse_staff_number(number), ports.now()
    _check_roles(roles)
    _check_region(ports, scope, roles=roles)
    require_scope(ports, staff=by, scope=scope)
    # Nobody is ever shown this code, and it is over as it begins.
    unseen = replace(new_invitation(number, now=now), expires_at=now)
    with ports.begin() as session:
        _add(ports, session, unseen, roles=roles, scope=scope, who=by.who, is_admitted=False, now=now)
        note(session, who=by.who, act="staff.propose", subject=f"staff:{number}", origin=origin, now=now)
    log.info("staff.proposed", staff=number, roles=sorted(map(str, roles)))


def issue_code(ports: Ports, *, number: str, by: StaffView | None, origin: Origin) -> Invitation:
    """A code for whoever has not enrolled yet; an earlier one is void. Never by the administrator who invited them: one alone could
    make up reviewers, and decide by them whatever they like. `by` None: the operator.

    Raises NotFound, NotYourself, OutOfScope, StaffNotInThatState, SecondPersonRequired.
    """
    now, who = ports.now(), by.who if by else OPERATOR
    with ports.begin() as session:
        row = locked(ports, session, number=number, by=by)
        if row.state != StaffState.INVITED:
            raise StaffNotInThatState
        if by is not None and row.created_by == by.who:
            raise SecondPersonRequired(detail="邀请和签发开通码不能是同一人，请由另一位系统管理员签发。")
        row.admit(who=who)
        invitation = new_invitation(row.number, now=now)
        row.invite_again(
            invitation_hash=invitation_hash(row.number, invitation.code),
            expires_at=invitation.expires_at,
            totp_sealed=new_totp(ports, row.id),
        )
        note(session, who=who, act="staff.issue_code", subject=row.who, origin=origin, now=now)
    return invitation


def list_proposed(ports: Ports, *, by: StaffView) -> list[StaffView]:
    """Invitations that wait for this administrator to issue the code: not their own, within their scope."""
    wanted = select(Staff).where(Staff.state == StaffState.INVITED, Staff.admitted_by.is_(None), Staff.created_by != by.who)
    with ports.begin() as session:
        found = [view_of(row) for row in session.scalars(wanted.order_by(Staff.created_at, Staff.number).limit(A_LIST))]
    return [each for each in found if covers(ports, by.scope, each.scope)]


def lock(ports: Ports, *, number: str, by: StaffView, origin: Origin) -> None:
    """Nobody signs in by this number until it is unlocked; who is signed in, is out. Raises as `unlock` does."""
    now = ports.now()
    with ports.begin() as session:
        row = locked(ports, session, number=number, by=by)
        if row.state != StaffState.ACTIVE and row.locked_until is None:
            raise StaffNotInThatState
        row.lock(until=None, who=by.who, at=now)
        end_sessions(session, row, why="LOCKED", now=now)
        note(session, who=by.who, act="staff.lock", subject=row.who, origin=origin, now=now)


def unlock(ports: Ports, *, number: str, by: StaffView | None, origin: Origin) -> None:
    """Let them in again. Raises NotFound, NotYourself, OutOfScope, StaffNotInThatState."""
    now, who = ports.now(), by.who if by else OPERATOR
    with ports.begin() as session:
        row = locked(ports, session, number=number, by=by)
        if row.state != StaffState.LOCKED:
            raise StaffNotInThatState
        row.unlock(who=who, at=now)
        note(session, who=who, act="staff.unlock", subject=row.who, origin=origin, now=now)


def leave(ports: Ports, *, number: str, by: StaffView, origin: Origin) -> None:
    """They work here no longer: password and phone are forgotten, the number stays theirs. Raises as `unlock` does."""
    now = ports.now()
    with ports.begin() as session:
        row = locked(ports, session, number=number, by=by)
        if row.state == StaffState.LEFT:
            raise StaffNotInThatState
        row.leave(who=by.who, at=now)
        end_sessions(session, row, why="LEFT", now=now)
        note(session, who=by.who, act="staff.leave", subject=row.who, origin=origin, now=now)


def list_staff(ports: Ports, *, by: StaffView, state: str | None = None) -> list[StaffView]:
    """Those within the administrator's scope, by number."""
    wanted = select(Staff).order_by(Staff.number).limit(A_LIST)
    if state is not None:
        wanted = wanted.where(Staff.state == state)
    with ports.begin() as session:
        found = [view_of(row) for row in session.scalars(wanted)]
    return [each for each in found if covers(ports, by.scope, each.scope)]


def read_staff(ports: Ports, *, number: str) -> StaffView:
    """Raises NotFound."""
    with ports.begin() as session:
        row = session.scalar(select(Staff).where(Staff.number == number))
        if row is None:
            raise NotFound
        return view_of(row)


# --- steps that its neighbours take too


def _add(
    ports: Ports,
    session: Session,
    invitation: Invitation,
    *,
    roles: Collection[str],
    scope: Scope,
    who: str,
    is_admitted: bool,
    now: datetime,
) -> None:
    """The row, in one statement: of two with one number at once, one is made. Raises StaffNumberTaken."""
    row_id = new_id()
    made = session.scalar(
        insert(Staff)
        .values(
            id=row_id,
            number=invitation.number,
            roles=sorted({str(role) for role in roles}),
            region=scope.region,
            agency=scope.agency,
            state=StaffState.INVITED,
            invitation_hash=invitation_hash(invitation.number, invitation.code),
            invitation_expires_at=invitation.expires_at,
            totp_sealed=new_totp(ports, row_id),
            created_by=who,
            created_at=now,
            admitted_by=who if is_admitted else None,
        )
        .on_conflict_do_nothing(index_elements=[Staff.number])
        .returning(Staff.id)
    )
    if made is None:
        raise StaffNumberTaken


def locked(ports: Ports, session: Session, *, number: str, by: StaffView | None) -> Staff:
    """The row, locked, for somebody who may change it. Raises NotFound, NotYourself, OutOfScope."""
    row = session.scalar(select(Staff).where(Staff.number == number).with_for_update())
    if row is None:
        raise NotFound
    if by is not None:
        if by.number == row.number:
            raise NotYourself
        require_scope(ports, staff=by, scope=Scope(region=row.region, agency=row.agency))
    return row


def end_sessions(session: Session, row: Staff, *, why: str, now: datetime) -> None:
    """Whoever is signed in by this number is out."""
    session.execute(
        update(StaffSession)
        .where(StaffSession.staff_id == row.id, StaffSession.ended_at.is_(None))
        .values(ended_at=now, ended_why=why)
    )


def new_totp(ports: Ports, row_id: object) -> bytes:
    """A fresh secret for a phone, sealed for its row."""
    return ports.seals.seal(new_secret(), place=Staff.place_of("totp_sealed", row_id))


def view_of(row: Staff) -> StaffView:
    return StaffView(
        number=row.number,
        roles=tuple(StaffRole(role) for role in row.roles),
        region=row.region,
        agency=row.agency,
        state=row.state,
        locked_until=row.locked_until,
        invitation_expires_at=row.invitation_expires_at,
        created_by=row.created_by,
        admitted_by=row.admitted_by,
        created_at=row.created_at,
        password_set_at=row.password_set_at,
        signed_in_at=row.signed_in_at,
    )


def new_invitation(number: str, *, now: datetime) -> Invitation:
    """A code that nobody guesses, good for three days."""
    groups = ["".join(secrets.choice(CODE_LETTERS) for _ in range(GROUP_LETTERS)) for _ in range(INVITATION_GROUPS)]
    return Invitation(number=number, code="-".join(groups), expires_at=now + INVITATION_LIVES)


def invitation_hash(number: str, code: str) -> bytes:
    """Of the letters alone, however they were grouped or written."""
    letters = "".join(each for each in code.upper() if each.isalnum())
    return hashlib.sha256(f"{number}:{letters}".encode()).digest()


def _check_roles(roles: Collection[str]) -> None:
    known = {str(role) for role in StaffRole}
    if not roles or not set(map(str, roles)) <= known or len(powers_of(roles)) != 1:
        raise StaffRolesApart


def _check_region(ports: Ports, scope: Scope, *, roles: Collection[str]) -> None:
    if scope.region is None:
        if scope.agency is not None:
            raise StaffRegionUnknown
        return
    region = known_regions(ports).get(scope.region)
    knows_agency = region is not None and (scope.agency is None or scope.agency in region.agencies)
    if not knows_agency or StaffRole.AUDITOR in roles:
        raise StaffRegionUnknown
