"""Signing in at the console: password and phone together, one answer for every failure, and sessions that end by themselves."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, update

from config.logs import logger
from models.staff import Staff, StaffSession, StaffState
from services.counter_errors import StaffNumberMalformed
from services.staff import end_sessions, view_of
from services.staff_acts import DONE, NOBODY, SIGN_IN, note, refuse_flood
from services.staff_codes import step_of
from services.staff_errors import StaffSignInAgain, StaffSignInRefused
from services.staff_numbers import parse_staff_number
from services.staff_passwords import check_password, fits, hash_password

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from services.ports import Ports
    from services.staff import StaffView
    from services.staff_acts import Origin

log = logger(__name__)

IDLE_AFTER: Final = timedelta(minutes=15)
ENDS_AFTER: Final = timedelta(hours=8)
TRIES: Final = 5
FIRST_LOCK: Final = timedelta(minutes=15)
LONGEST_LOCK: Final = timedelta(days=1)
TOKEN_BYTES: Final = 32
CHANGE: Final = "staff.change_password"
CURRENT_REFUSED: Final = "当前密码或动态验证码不正确。连续输错5次将锁定账号；刚用过的验证码请等待下一个。"


@dataclass(frozen=True, kw_only=True)
class SignedInStaff:
    """A session's token, told once."""

    token: str
    staff: StaffView

    def __repr__(self) -> str:
        return f"SignedInStaff(number={self.staff.number!r})"


def sign_in(ports: Ports, *, number: str, password: str, totp_code: str, origin: Origin) -> SignedInStaff:
    """Both factors at once. An older session of the same number ends. Raises StaffSignInRefused, TooManyStaffSignIns."""
    now = ports.now()
    with ports.begin() as session:
        refuse_flood(session, origin=origin, now=now)
        known = _known(session, number)
    # Outside: it takes a while, on purpose; and as long for numbers that nobody has.
    is_theirs = fits(known.password_hash if known else None, password)
    with ports.begin() as session:
        row, is_good = _try(
            ports, session, known, is_theirs=is_theirs, totp_code=totp_code, act=SIGN_IN, origin=origin, now=now
        )
        if is_good and row is not None:
            end_sessions(session, row, why="REPLACED", now=now)
            token = _open(session, row, origin=origin, now=now)
            told = SignedInStaff(token=token, staff=view_of(row))
    # Raised outside, so that the try stays counted.
    if not is_good:
        raise StaffSignInRefused
    log.info("staff.signed_in", staff=told.staff.number)
    return told


def authenticate(ports: Ports, token: str) -> StaffView:
    """Whose session this is, as their row is now; every request keeps it awake. Raises StaffSignInAgain."""
    now = ports.now()
    with ports.begin() as session:
        found = session.scalar(
            select(StaffSession)
            .where(StaffSession.token_hash == _hash(token), StaffSession.ended_at.is_(None))
            .with_for_update(of=StaffSession)
        )
        why = None if found is None else _over(found, now=now)
        if found is not None:
            if why is None:
                found.last_seen_at = now
            else:
                found.ended_at, found.ended_why = now, why
            told = view_of(found.staff)
    # Raised outside, so that what is over stays over.
    if found is None or why is not None:
        raise StaffSignInAgain
    return told


def sign_out(ports: Ports, token: str) -> None:
    """End this session; harmless when it is over already."""
    with ports.begin() as session:
        session.execute(
            update(StaffSession)
            .where(StaffSession.token_hash == _hash(token), StaffSession.ended_at.is_(None))
            .values(ended_at=ports.now(), ended_why="SIGNED_OUT")
        )


def change_password(
    ports: Ports, *, staff: StaffView, password: str, new_password: str, totp_code: str, origin: Origin
) -> SignedInStaff:
    """Another password, for whoever has the old one and the phone; every session ends, and a new one begins.

    Raises StaffPasswordWeak, and StaffSignInRefused, which counts as a wrong try.
    """
    now = ports.now()
    check_password(new_password, number=staff.number)
    with ports.begin() as session:
        known = _known(session, staff.number)
    is_theirs = fits(known.password_hash if known else None, password)
    new_hash = hash_password(new_password)
    with ports.begin() as session:
        row, is_good = _try(ports, session, known, is_theirs=is_theirs, totp_code=totp_code, act=CHANGE, origin=origin, now=now)
        if is_good and row is not None:
            row.password_hash, row.password_set_at = new_hash, now
            end_sessions(session, row, why="PASSWORD_CHANGED", now=now)
            token = _open(session, row, origin=origin, now=now)
            told = SignedInStaff(token=token, staff=view_of(row))
    if not is_good:
        raise StaffSignInRefused(detail=CURRENT_REFUSED)
    return told


@dataclass(frozen=True)
class _Known:
    number: str
    password_hash: str | None


def _known(session: Session, number: str) -> _Known | None:
    """The hash to try a password against; None where no row has this number."""
    try:
        number = parse_staff_number(number)
    except StaffNumberMalformed:
        return None
    found = session.execute(select(Staff.number, Staff.password_hash).where(Staff.number == number)).one_or_none()
    return None if found is None else _Known(found.number, found.password_hash)


def _try(
    ports: Ports,
    session: Session,
    known: _Known | None,
    *,
    is_theirs: bool,
    totp_code: str,
    act: str,
    origin: Origin,
    now: datetime,
) -> tuple[Staff | None, bool]:
    """Judge one try under the row's lock, count it, and write it down. One at a time for each number: nobody guesses beside the count."""
    row = None
    if known is not None:
        row = session.scalar(select(Staff).where(Staff.number == known.number).with_for_update())
    step = None
    is_open = row is not None and _is_open(row, now=now)
    if row is not None and is_open:
        # Another password meanwhile: what was tried is the old one.
        is_theirs = is_theirs and known is not None and row.password_hash == known.password_hash
        secret = ports.seals.open(row.totp_sealed or b"", place=Staff.totp_place(row.id))
        step = step_of(secret, totp_code, now=now, after=row.totp_step)
        if is_theirs and step is not None:
            row.totp_step, row.failed_tries, row.lockouts, row.signed_in_at = step, 0, 0, now
        else:
            _count(session, row, now=now)
    is_good = is_open and is_theirs and step is not None
    who = row.who if row is not None else NOBODY
    note(session, who=who, act=act, subject="", result=DONE if is_good else StaffSignInRefused.code, origin=origin, now=now)
    return row, is_good


def _is_open(row: Staff, *, now: datetime) -> bool:
    """Whether a try counts at all. A lock whose time is over ends here; the next one is longer."""
    if row.state == StaffState.LOCKED and row.locked_until is not None and row.locked_until <= now:
        row.unlock(who="staff_sessions.lapse", at=now, why="staff.lock_lapsed", forgiven=False)
    return row.state == StaffState.ACTIVE


def _count(session: Session, row: Staff, *, now: datetime) -> None:
    row.failed_tries += 1
    if row.failed_tries >= TRIES:
        lasts = min(FIRST_LOCK * 2 ** min(row.lockouts, 10), LONGEST_LOCK)
        row.lock(until=now + lasts, who="staff_sessions.count", at=now, why="staff.too_many_tries")
        end_sessions(session, row, why="LOCKED", now=now)
        log.warning("staff.locked", staff=row.number, minutes=int(lasts.total_seconds()) // 60)


def _open(session: Session, row: Staff, *, origin: Origin, now: datetime) -> str:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    session.add(
        StaffSession(
            staff_id=row.id,
            token_hash=_hash(token),
            address=origin.address,
            created_at=now,
            last_seen_at=now,
            expires_at=now + ENDS_AFTER,
        )
    )
    return token


def _over(found: StaffSession, *, now: datetime) -> str | None:
    """Why a session is over; None while it lives."""
    if found.staff.state != StaffState.ACTIVE:
        return str(found.staff.state)
    if found.expires_at <= now:
        return "EXPIRED"
    if found.last_seen_at + IDLE_AFTER <= now:
        return "IDLE"
    return None


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
