"""Counter checks: two of the staff, one after the other, with the person and their document before them.

The first types what the document says, the second confirms it. What was typed is sealed, and gone when the check ends. A code
that nobody holds is counted as a guess, and so is data that contradicts ours.
"""

from __future__ import annotations

import unicodedata
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from config.clock import day_start
from config.logs import logger
from models.accounts import Account
from models.identity import (
    CounterCheck,
    CounterCheckState,
    CounterCodeMiss,
    CounterDocument,
    CounterRefusal,
    IdentityVerification,
)
from providers.protocols import RealName
from services.consents import require_consent
from services.counter_codes import index_of
from services.counter_errors import (
    CounterCheckNotWaiting,
    CounterCodeUnknown,
    SecondPersonRequired,
    SiteUnknown,
    TooManyCodeMisses,
)
from services.errors import NameIdMismatch, TooYoung
from services.people import ADULT_ACCOUNT_YEARS, mask_id_number, mask_name, parse_document_number, parse_name
from services.personal_data import open_personal
from services.staff_errors import OutOfScope
from services.staff_numbers import parse_staff_number
from services.verification import become, clashes, given_of, keep_given, leave_face, verification_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from services.ports import Ports

log = logger(__name__)

MISSES_A_DAY: Final = 10
"""Codes that nobody holds, and data that contradicts ours: so many may one of the staff type in a Beijing day."""
ATTESTED: Final = "identity.attested_at_counter"
DIFFERS: Final = (
    "证件与系统中已有的信息不一致。请核对录入内容；确认无误的，请来人先在手机上更正实名信息，或按参保信息更正办理。"
)


@dataclass(frozen=True, kw_only=True)
class AttestedView:
    """As the staff see it: masked, and without its code."""

    id: uuid.UUID
    state: str
    document: str | None
    site: str | None
    name_masked: str | None
    id_number_masked: str | None
    attested_by: str | None
    attested_at: datetime | None
    expires_at: datetime


@dataclass(frozen=True)
class _Found:
    check: CounterCheck
    account: Account
    verification: IdentityVerification


def attest(
    ports: Ports, *, code: str, name: str, id_number: str, document: CounterDocument, site: str, who: str
) -> AttestedView:
    """The first of the two: this person stood here, with this document. `site` is the agency's code, `who` a staff number.

    Raises NameMalformed, IdNumberMalformed, DocumentNumberMalformed, TooYoung, StaffNumberMalformed, SiteUnknown,
    CounterCodeUnknown, CounterCheckNotWaiting, ConsentRequired, NameIdMismatch, TooManyCodeMisses.
    """
    now, staff = ports.now(), _staff(who)
    number = parse_document_number(id_number, document=document, today=ports.today())
    given = RealName(name=parse_name(name), id_number=number.text)
    if number.age_on(ports.today()) < ADULT_ACCOUNT_YEARS:
        raise TooYoung
    with ports.begin() as session:
        found = _find(ports, session, code=code, who=staff, now=now)
        if found is not None:
            check, row_id = found.check, found.check.id
            if check.state != CounterCheckState.OPEN:
                raise CounterCheckNotWaiting
            if not any(site in region.agencies for region in ports.regions_of(found.account.miniprogram)):
                raise SiteUnknown
            require_consent(session, account_id=found.account.id, purpose="REAL_NAME")
            differs = _differs(ports, session, found, given, who=staff, now=now)
            if differs:
                # Counted too: with a code at hand, names and numbers could be tried against ours.
                session.add(CounterCodeMiss(who=staff, at=now))
            else:
                check.attest(
                    name_sealed=ports.seals.seal(given.name, place=CounterCheck.place_of("name_sealed", row_id)),
                    id_number_sealed=ports.seals.seal(given.id_number, place=CounterCheck.place_of("id_number_sealed", row_id)),
                    document=document,
                    site=site,
                    who=staff,
                    at=now,
                )
            told = _attested(check, given)
    # Raised outside, so that the miss stays counted.
    if found is None:
        raise CounterCodeUnknown
    if differs:
        raise NameIdMismatch(detail=DIFFERS)
    return told


def look_at(ports: Ports, *, code: str, who: str, sites: Collection[str] | None = None) -> AttestedView:
    """What the first of the two typed, masked, for the second to hold against the document. `sites`: those within their scope.

    Raises StaffNumberMalformed, CounterCodeUnknown, CounterCheckNotWaiting, SecondPersonRequired, OutOfScope, TooManyCodeMisses.
    """
    now, staff = ports.now(), _staff(who)
    with ports.begin() as session:
        found = _find(ports, session, code=code, who=staff, now=now)
        if found is not None:
            _refuse_first(found.check, who=staff)
            _refuse_elsewhere(found.check, sites)
            given = _typed(ports, session, found.check, purpose="counter_look", who=staff, now=now)
            told = _attested(found.check, given)
    if found is None:
        raise CounterCodeUnknown
    return told


def confirm(ports: Ports, *, code: str, who: str, sites: Collection[str] | None = None) -> AttestedView:
    """The second of the two: the account is this person from now on.

    Raises StaffNumberMalformed, CounterCodeUnknown, CounterCheckNotWaiting, SecondPersonRequired, OutOfScope, ConsentRequired,
    TooManyCodeMisses, and NameIdMismatch where our own record has come to say something else: the check is refused then.
    """
    now, staff = ports.now(), _staff(who)
    with ports.begin() as session:
        found = _find(ports, session, code=code, who=staff, now=now)
        if found is not None:
            check, account, verification = found.check, found.account, found.verification
            _refuse_first(check, who=staff)
            _refuse_elsewhere(check, sites)
            require_consent(session, account_id=account.id, purpose="REAL_NAME")
            given = _typed(ports, session, check, purpose="counter_confirm", who=staff, now=now)
            differs = _differs(ports, session, found, given, who=staff, now=now)
            if not differs:
                leave_face(session, account=account, verification=verification, now=now)
                differs = not become(
                    ports, session, account=account, verification=verification, given=given, method="counter", who=staff, now=now,
                    why=ATTESTED, proof=check,
                )  # fmt: skip
            if differs:
                check.refuse(why=CounterRefusal.RECORD_DIFFERS, who=staff, at=now)
            else:
                keep_given(ports, verification, given)
                check.confirm(who=staff, at=now)
            told = _attested(check, given)
    if found is None:
        raise CounterCodeUnknown
    if differs:
        raise NameIdMismatch(detail=DIFFERS)
    log.info("counter_check.confirmed", check=str(told.id), site=told.site)
    return told


def refuse(ports: Ports, *, code: str, why: CounterRefusal, who: str, sites: Collection[str] | None = None) -> AttestedView:
    """Either of the two says no. Raises StaffNumberMalformed, CounterCodeUnknown, OutOfScope, TooManyCodeMisses."""
    now, staff = ports.now(), _staff(who)
    with ports.begin() as session:
        found = _find(ports, session, code=code, who=staff, now=now)
        if found is not None:
            _refuse_elsewhere(found.check, sites)
            found.check.refuse(why=why, who=staff, at=now)
            told = _attested(found.check, None)
    if found is None:
        raise CounterCodeUnknown
    return told


def list_attested(ports: Ports, *, limit: int = 200) -> list[AttestedView]:
    """What waits for the second of the two, oldest first. Whose it is, is not told: nothing sealed is opened for a list."""
    with ports.begin() as session:
        checks = session.scalars(
            select(CounterCheck)
            .where(CounterCheck.state == CounterCheckState.ATTESTED, CounterCheck.expires_at > ports.now())
            .order_by(CounterCheck.attested_at)
            .limit(limit)
        )
        return [_attested(check, None) for check in checks]


def _staff(who: str) -> str:
    return f"staff:{parse_staff_number(who)}"


def _find(ports: Ports, session: Session, *, code: str, who: str, now: datetime) -> _Found | None:
    """The open check with this code, its account and verification locked; None, and a miss on record, where there is none.

    Raises TooManyCodeMisses.
    """
    # One try at a time for each of the staff: two at once would both see the count before either.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"counter:{who}", 0))))
    misses = session.scalar(select(func.count()).where(CounterCodeMiss.who == who, CounterCodeMiss.at >= day_start(now)))
    if (misses or 0) >= MISSES_A_DAY:
        raise TooManyCodeMisses
    typed = "".join(each for each in unicodedata.normalize("NFKC", code).upper() if each.isalnum())
    of_code = (CounterCheck.code_index == index_of(ports, typed), CounterCheck.expires_at > now)
    is_open = CounterCheck.state.in_((CounterCheckState.OPEN, CounterCheckState.ATTESTED))
    account = session.scalar(
        select(Account)
        .join(CounterCheck, CounterCheck.account_id == Account.id)
        .where(*of_code, is_open, Account.closed_at.is_(None))
    )
    if account is not None:
        # The verification first, the check then: the order in which the phone locks them.
        verification = verification_of(session, account=account, now=now)
        check = session.scalar(select(CounterCheck).where(*of_code, is_open).with_for_update())
        if check is not None:
            return _Found(check, account, verification)
    session.add(CounterCodeMiss(who=who, at=now))
    return None


def _refuse_first(check: CounterCheck, *, who: str) -> None:
    if check.state != CounterCheckState.ATTESTED:
        raise CounterCheckNotWaiting
    if check.attested_by == who:
        raise SecondPersonRequired


def _refuse_elsewhere(check: CounterCheck, sites: Collection[str] | None) -> None:
    """Before anybody attested it stands nowhere yet, and whoever holds the code may refuse it."""
    if sites is not None and check.site is not None and check.site not in sites:
        raise OutOfScope


def _differs(ports: Ports, session: Session, found: _Found, given: RealName, *, who: str, now: datetime) -> bool:
    """Whether the document contradicts the record, or the name that this account had matched already."""
    if clashes(ports, session, given):
        return True
    if not found.verification.has_matched_name:
        return False
    return given_of(ports, session, found.verification, purpose="counter_compare", who=who, now=now) != given


def _typed(ports: Ports, session: Session, check: CounterCheck, *, purpose: str, who: str, now: datetime) -> RealName:
    opened = open_personal(ports, session, check, "name", "id_number", purpose=purpose, who=who, now=now)
    return RealName(name=opened["name"], id_number=opened["id_number"])


def _attested(check: CounterCheck, given: RealName | None) -> AttestedView:
    return AttestedView(
        id=check.id,
        state=check.state,
        document=check.document,
        site=check.site,
        name_masked=mask_name(given.name) if given else None,
        id_number_masked=mask_id_number(given.id_number) if given else None,
        attested_by=check.attested_by,
        attested_at=check.attested_at,
        expires_at=check.expires_at,
    )
