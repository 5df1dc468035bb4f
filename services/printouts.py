"""Printouts: issued once for each content, and verified by whoever holds the code on them, who learns masked facts alone.

A code is 28 characters of 32, 140 bits: nobody guesses one, whatever proxies do to the counting of misses. It is found by its hash;
whoever takes the table away has neither codes nor names.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from config.clock import beijing_date
from config.logs import logger
from config.months import YearMonth
from config.rulebook import ApplicationKind, NoRuleInForce
from models.applications import ApplicationItem, EnrollmentApplication
from models.base import new_id
from models.enrollments import Enrollment, EnrollmentState
from models.people import Person
from models.printouts import Printout, PrintoutKind, PrintoutMiss
from services.enrollments import spells
from services.networks import network_index
from services.printout_errors import PrintoutUnknown, TooManyPrintoutMisses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from services.enrollments import Spell
    from services.ports import Ports

log = logger(__name__)

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no I, L, O and U, so that nobody mistakes what is printed."""
MISREAD: Final = str.maketrans("OIL", "011")
CODE_LENGTH: Final = 28
GROUP: Final = 4
SERIAL_CHARACTERS: Final = 10
MISSES_AN_HOUR: Final = 30
MISS_WINDOW: Final = timedelta(hours=1)
UNNAMED: Final = "登记表"
"""Where the rulebook no longer has the form of that day."""

STATES: Final = {
    EnrollmentState.ACTIVE: "正常参保",
    EnrollmentState.SUSPENDED: "暂停参保",
    EnrollmentState.TERMINATED: "终止参保",
    EnrollmentState.RETIRED: "已退休",
}


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


SAID: Final = {
    Standing.VALID: ("有效", "表单所载的参保登记与现在的记录一致。"),
    Standing.REPLACED: ("已变更", "本表已由新的版本代替，请以最新打印的表单为准。"),
    Standing.CHANGED: ("已变更", "打印以后参保登记有变更，请让持表人重新打印。"),
    Standing.SUSPENDED: ("已停保", "表单所载的险种已经暂停参保。"),
    Standing.TERMINATED: ("已终止", "表单所载的险种已经终止参保。"),
    Standing.RETIRED: ("已退休", "持表人已经办理退休，不再缴费。"),
}
"""Standing → what it is called, and what it means for whoever was shown the paper."""
ENDED: Final = (EnrollmentState.SUSPENDED, EnrollmentState.TERMINATED, EnrollmentState.RETIRED)


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
class Held:
    """One enrolment as it stands this month, without a word about whose it is."""

    insurance_type: str
    state: str
    pooling_area: str
    agency: str | None
    start_month: int
    end_month: int | None
    tier_from_month: int
    """Since when the tier of this month holds."""
    tier_plan: str | None
    tier: str | None
    declared_wage_fen: int | None


@dataclass(frozen=True, kw_only=True)
class InsuranceStanding:
    label: str
    state: str


@dataclass(frozen=True, kw_only=True)
class PrintoutView:
    """What anybody may know who holds the code."""

    title: str
    serial: str
    version: int
    issued_at: datetime
    name_masked: str
    region_name: str
    insurances: list[InsuranceStanding]
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


def issue(
    ports: Ports, session: Session, *, kind: PrintoutKind, application: EnrollmentApplication, content: Any,
    held: Sequence[Held], now: datetime,
) -> Issued:  # fmt: skip
    """The version that says this: the latest one, or a new one in its place. The application is locked, so two presses are one.

    `content` is all that is printed, as JSON can say it; `held` the enrolments that it tells of.
    """
    said = json.dumps([content, standing_hash(held).hex()], ensure_ascii=False, sort_keys=True)
    digest = hashlib.sha256(said.encode()).hexdigest()
    latest = session.scalar(
        select(Printout).where(Printout.application_id == application.id, Printout.kind == kind, Printout.replaced_at.is_(None))
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
        kind=kind,
        serial=_new_serial(application.region, now),
        code_hash=hash_of(code),
        code_sealed=ports.seals.seal(code, place=Printout.code_place(row_id)),
        digest_sealed=ports.seals.seal(digest, place=Printout.digest_place(row_id)),
        standing_hash=standing_hash(held),
        application_id=application.id,
        version=1 if latest is None else latest.version + 1,
        issued_at=now,
    )
    session.add(row)
    session.flush()
    return Issued(serial=row.serial, code=code, version=row.version, issued_at=now)


def _new_serial(region: str, now: datetime) -> str:
    tail = "".join(secrets.choice(ALPHABET) for _ in range(SERIAL_CHARACTERS))
    return f"{region}-{beijing_date(now):%Y%m%d}-{tail}"


def held_by(session: Session, application: EnrollmentApplication, *, on: date) -> list[Held]:
    """The enrolments that came of an application, each with the tier of that day's month."""
    rows = session.scalars(
        select(Enrollment)
        .join(ApplicationItem, ApplicationItem.enrollment_id == Enrollment.id)
        .where(ApplicationItem.application_id == application.id)
        .order_by(Enrollment.insurance_type, Enrollment.id)
    ).all()
    return [_held(each, spells(session, each), month=YearMonth.of(on)) for each in rows]


def _held(enrollment: Enrollment, tiers: Sequence[Spell], *, month: YearMonth) -> Held:
    # Before its first month it is told with the tier that it will begin with.
    tier = next((each for each in reversed(tiers) if each.from_month <= month), tiers[0])
    return Held(
        insurance_type=enrollment.insurance_type,
        state=enrollment.state,
        pooling_area=enrollment.pooling_area,
        agency=enrollment.agency,
        start_month=enrollment.start_month,
        end_month=enrollment.end_month,
        tier_from_month=tier.from_month.number,
        tier_plan=tier.tier_plan,
        tier=tier.tier,
        declared_wage_fen=tier.declared_wage_fen,
    )


def standing_hash(held: Sequence[Held]) -> bytes:
    """How the enrolments stand, in a few bytes. Pure."""
    return hashlib.sha256(json.dumps([asdict(each) for each in held], sort_keys=True).encode()).digest()


def verify_printout(ports: Ports, *, code: str, caller: str | None) -> PrintoutView:
    """What may be told to whoever holds this code. `caller` is the address that the request came from.

    Raises PrintoutUnknown, the same for every code that is none, and TooManyPrintoutMisses.
    """
    known, now = read_code(code), ports.now()
    index = network_index(ports.seals, purpose="printout_caller", caller=caller, today=ports.today())
    with ports.begin() as session:
        if index is not None:
            _refuse_guessing(session, index, now=now)
        view = None if known is None else _view(ports, session, known)
        # What cannot be a code at all is a slip of the hand, and no guess.
        if view is None and known is not None and index is not None:
            session.add(PrintoutMiss(network_index=index, at=now))
    if view is None:
        raise PrintoutUnknown
    return view


def _refuse_guessing(session: Session, index: bytes, *, now: datetime) -> None:
    """Counted without a lock: calls at the same moment may go a few beyond. Raises TooManyPrintoutMisses."""
    misses = session.scalar(
        select(func.count()).where(PrintoutMiss.network_index == index, PrintoutMiss.at > now - MISS_WINDOW)
    )
    if (misses or 0) >= MISSES_AN_HOUR:
        log.warning("printouts.too_many_misses", bound=MISSES_AN_HOUR)
        raise TooManyPrintoutMisses(retry_after_seconds=int(MISS_WINDOW.total_seconds()))


def _view(ports: Ports, session: Session, code: str) -> PrintoutView | None:
    found = session.execute(
        select(Printout, EnrollmentApplication, Person.name_masked)
        .join(EnrollmentApplication, EnrollmentApplication.id == Printout.application_id)
        .join(Person, Person.id == EnrollmentApplication.person_id)
        .where(Printout.code_hash == hash_of(code))
    ).one_or_none()
    if found is None:
        return None
    printout, application, name_masked = found
    held = held_by(session, application, on=ports.today())
    region = ports.rulebook.regions.get(application.region)
    standing = standing_of(printout, held)
    text, explanation = SAID[standing]
    return PrintoutView(
        title=_title(region, application, printout),
        serial=printout.serial,
        version=printout.version,
        issued_at=printout.issued_at,
        name_masked=name_masked,
        region_name=application.region if region is None else region.name,
        insurances=[
            InsuranceStanding(
                label=insurance_label(region, each.insurance_type, on=ports.today()),
                state=STATES[EnrollmentState(each.state)],
            )
            for each in held
        ],
        standing=standing,
        standing_text=text,
        explanation=explanation,
    )


def standing_of(printout: Printout, held: Sequence[Held]) -> Standing:
    """Whether it still holds. Pure."""
    if printout.replaced_at is not None:
        return Standing.REPLACED
    states = {each.state for each in held}
    for ended in ENDED:
        if states == {ended}:
            return Standing(ended.value)
    return Standing.VALID if bytes(printout.standing_hash) == standing_hash(held) else Standing.CHANGED


def _title(region: Region | None, application: EnrollmentApplication, printout: Printout) -> str:
    if region is None:
        return UNNAMED
    try:
        return region.printed_form(ApplicationKind(application.kind), beijing_date(printout.issued_at)).title
    except NoRuleInForce:
        return UNNAMED


def insurance_label(region: Region | None, insurance_type: str, *, on: date) -> str:
    """The insurance in the region's words, or its code where the region no longer offers it. Pure."""
    if region is None:
        return insurance_type
    try:
        return region.insurance(insurance_type, on).title
    except NoRuleInForce:
        return insurance_type
