"""Printouts: issued once for each content, whatever they are about, with a serial and a code that anybody may ask about.

A code is 28 characters of 32, 140 bits. It is found by its hash; whoever takes the table away has neither codes nor names.
Who asks about one is answered in services/printout_checks.py.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from config.clock import BEIJING, beijing_date
from config.rulebook import NoRuleInForce
from models.base import new_id
from models.printouts import Printout

if TYPE_CHECKING:
    import uuid
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from models.printouts import PrintoutKind
    from services.ports import Ports

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no I, L, O and U, so that nobody mistakes what is printed."""
MISREAD: Final = str.maketrans("OIL", "011")
CODE_LENGTH: Final = 28
GROUP: Final = 4
SERIAL_CHARACTERS: Final = 10
VERIFY_PATH: Final = "/verify"


class Standing(StrEnum):
    """What a printout is worth today."""

    VALID = "VALID"
    REPLACED = "REPLACED"
    """A later version was printed."""
    CHANGED = "CHANGED"
    """Nothing newer was printed, and the enrolment is no longer as it says."""
    SUSPENDED = "SUSPENDED"
    TERMINATED = "TERMINATED"
    RETIRED = "RETIRED"
    PARTLY_REFUNDED = "PARTLY_REFUNDED"
    """Some of a receipt's money went back."""
    REFUNDED = "REFUNDED"
    """All of a receipt's money went back: it is void, in each of its versions."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a printout is about: one of the two, as its kind asks."""

    kind: PrintoutKind
    region: str
    application_id: uuid.UUID | None = None
    order_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Issued:
    """One version, as it is printed."""

    serial: str
    code: str
    version: int
    issued_at: datetime

    def __repr__(self) -> str:
        return f"Issued({self.serial}, version {self.version})"


@dataclass(frozen=True, kw_only=True)
class PrintedPdf:
    """The file, and what to call it: no name of a person stands in it."""

    content: bytes
    title: str
    serial: str

    def __repr__(self) -> str:
        return f"PrintedPdf({self.serial}, {len(self.content)} bytes)"


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One line of what is told: masked, or of nobody."""

    label: str
    value: str


@dataclass(frozen=True, kw_only=True)
class PrintoutView:
    """What anybody may know who holds the code."""

    title: str
    serial: str
    version: int
    issued_at: datetime
    facts: list[Fact]
    standing: Standing
    standing_text: str
    explanation: str


def new_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def grouped(code: str) -> str:
    """As it is printed, in groups that the eye can hold."""
    return "-".join(code[at : at + GROUP] for at in range(0, len(code), GROUP))


def read_code(typed: str) -> str | None:
    """A code as people type it: small letters, spaces and dashes, letters for figures. None for what cannot be one."""
    if len(typed) > 4 * CODE_LENGTH:
        return None
    text = "".join(each for each in typed if not each.isspace() and each not in "-–—－").upper().translate(MISREAD)
    return text if len(text) == CODE_LENGTH and all(each in ALPHABET for each in text) else None


def hash_of(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()


def where_to_verify(web_url: str) -> str:
    """The address where a code may be typed; with a slash and a code behind it, what a QR code holds."""
    return web_url.rstrip("/") + VERIFY_PATH


def in_beijing(moment: datetime) -> str:
    return f"{moment.astimezone(BEIJING):%Y-%m-%d %H:%M}"


def standing_hash(facts: Any) -> bytes:
    """How things stand that change by themselves, in a few bytes: `facts` as JSON can say them. Pure."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).digest()


def issue(ports: Ports, session: Session, *, subject: Subject, content: Any, standing: bytes, now: datetime) -> Issued:
    """The version that says this: the latest one, or a new one in its place. What it is about is locked, so two presses are one.

    `content` is all that is printed, as JSON can say it; `standing` the hash of how that stands which it tells of.
    """
    said = json.dumps([content, standing.hex()], ensure_ascii=False, sort_keys=True)
    digest = hashlib.sha256(said.encode()).hexdigest()
    latest = session.scalar(
        select(Printout).where(
            Printout.application_id == subject.application_id,
            Printout.order_id == subject.order_id,
            Printout.kind == subject.kind,
            Printout.replaced_at.is_(None),
        )
    )
    if latest is not None:
        if ports.seals.open(latest.digest_sealed, place=Printout.digest_place(latest.id)) == digest:
            code = ports.seals.open(latest.code_sealed, place=Printout.code_place(latest.id))
            return Issued(serial=latest.serial, code=code, version=latest.version, issued_at=latest.issued_at)
        latest.replace(at=now)
        session.flush()
    row_id, code = new_id(), new_code()
    row = Printout(
        id=row_id,
        kind=subject.kind,
        serial=_new_serial(subject.region, now),
        code_hash=hash_of(code),
        code_sealed=ports.seals.seal(code, place=Printout.code_place(row_id)),
        digest_sealed=ports.seals.seal(digest, place=Printout.digest_place(row_id)),
        standing_hash=standing,
        application_id=subject.application_id,
        order_id=subject.order_id,
        version=1 if latest is None else latest.version + 1,
        issued_at=now,
    )
    session.add(row)
    session.flush()
    return Issued(serial=row.serial, code=code, version=row.version, issued_at=now)


def _new_serial(region: str, now: datetime) -> str:
    tail = "".join(secrets.choice(ALPHABET) for _ in range(SERIAL_CHARACTERS))
    return f"{region}-{beijing_date(now):%Y%m%d}-{tail}"


def insurance_label(region: Region | None, insurance_type: str, *, on: date) -> str:
    """The insurance in the region's words, or its code where the region no longer offers it. Pure."""
    if region is None:
        return insurance_type
    try:
        return region.insurance(insurance_type, on).title
    except NoRuleInForce:
        return insurance_type
