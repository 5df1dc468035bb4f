"""Enrolment of staff: with the code on paper they set a password, take the secret into their phone, and prove it by its first code."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from config.logs import logger
from models.staff import Staff, StaffState
from services.counter_errors import StaffNumberMalformed
from services.staff import invitation_hash
from services.staff_acts import DONE, ENROL, NOBODY, note, refuse_flood
from services.staff_codes import step_of, uri_of
from services.staff_errors import InvitationRefused, TotpCodeRefused
from services.staff_numbers import parse_staff_number
from services.staff_passwords import check_password, hash_password

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports
    from services.staff_acts import Origin

log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What the phone is to take in, for the eyes of whoever holds the code."""

    number: str
    secret: str
    uri: str

    def __repr__(self) -> str:
        return f"Offer(number={self.number!r})"


def look_at_invitation(ports: Ports, *, number: str, code: str, origin: Origin) -> Offer:
    """The secret for the phone, to whoever holds the code. Raises InvitationRefused, TooManyStaffSignIns."""
    now, offer = ports.now(), None
    with ports.begin() as session:
        refuse_flood(session, origin=origin, now=now)
        row = _invited(session, number=number, code=code, now=now)
        if row is not None:
            secret = _secret(ports, row)
            offer = Offer(number=row.number, secret=secret, uri=uri_of(secret, number=row.number))
        else:
            _note_miss(session, result=InvitationRefused.code, origin=origin, now=now)
    # Raised outside, so that the miss stays counted.
    if offer is None:
        raise InvitationRefused
    return offer


def enrol(ports: Ports, *, number: str, code: str, password: str, totp_code: str, origin: Origin) -> None:
    """Password and phone are theirs from now on. Raises InvitationRefused, StaffPasswordWeak, TotpCodeRefused, TooManyStaffSignIns.

    A wrong code of the phone leaves the invitation as it was: scan again, try again.
    """
    now, step = ports.now(), None
    check_password(password, number=number)
    # Before the transaction: it takes a while, on purpose.
    password_hash = hash_password(password)
    with ports.begin() as session:
        refuse_flood(session, origin=origin, now=now)
        row = _invited(session, number=number, code=code, now=now)
        if row is not None:
            step = step_of(_secret(ports, row), totp_code, now=now, after=None)
        if row is None or step is None:
            refusal = InvitationRefused if row is None else TotpCodeRefused
            _note_miss(session, result=refusal.code, origin=origin, now=now)
        else:
            row.enrol(password_hash=password_hash, totp_step=step, who=row.who, at=now)
            note(session, who=row.who, act=ENROL, subject=row.who, result=DONE, origin=origin, now=now)
    if row is None or step is None:
        raise refusal
    log.info("staff.enrolled", staff=row.number)


def _invited(session: Session, *, number: str, code: str, now: datetime) -> Staff | None:
    """The row that this code is for, locked; None where it is for nobody, or over."""
    try:
        number = parse_staff_number(number)
    except StaffNumberMalformed:
        return None
    row = session.scalar(select(Staff).where(Staff.number == number).with_for_update())
    if row is None or row.state != StaffState.INVITED or row.invitation_hash is None or row.invitation_expires_at is None:
        return None
    fits = hmac.compare_digest(row.invitation_hash, invitation_hash(row.number, code))
    return row if fits and row.invitation_expires_at > now else None


def _secret(ports: Ports, row: Staff) -> str:
    return ports.seals.open(row.totp_sealed or b"", place=Staff.totp_place(row.id))


def _note_miss(session: Session, *, result: str, origin: Origin, now: datetime) -> None:
    note(session, who=NOBODY, act=ENROL, result=result, origin=origin, now=now)
