"""Identity: a typed name matched by the authority, then a face matched by the platform, or a platform that vouches.

Faces are judged by the platform's server alone: whatever a phone or a callback says only makes us ask.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from config.logs import logger
from models.accounts import Account
from models.audit import PersonalDataAccess
from models.base import constraint_of, new_id, new_number
from models.identity import FaceCheck, FaceCheckState, IdentityVerification, VerificationState
from providers.protocols import FaceVerdict, NameVerdict, ProviderError, ProviderRefused, ProviderUnreachable, RealName
from services.consents import require_consent
from services.errors import (
    AlreadyVerified,
    BusinessError,
    NameIdMismatch,
    NotAvailableOnline,
    NotFound,
    ProviderUnavailable,
    RealNameRequired,
    RequestInFlight,
    TooManyFaceChecks,
    TooManyLookups,
    TooYoung,
)
from services.idempotency import Asked, fingerprint, forget_result, keep_result, known_result
from services.insured_persons import add_self
from services.people import ADULT_ACCOUNT_YEARS, parse_id_number, parse_name
from services.verification import (
    abandon_open_checks,
    clashes,
    day_start,
    keep_given,
    open_given,
    person_of,
    verification_of,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from providers.protocols import StartedFaceCheck
    from services.ports import Ports

log = logger(__name__)

FACE_CHECKS_A_DAY: Final = 5
NAME_CHECKS_A_DAY: Final = 5
FACE_CHECK_LIFE: Final = timedelta(minutes=15)
"""Single use and short (domain §6.2); the platform's own hour ends sooner for us."""


def vouch_by_platform(ports: Ports, session: Session, *, account: Account, person: RealName, now: datetime) -> None:
    """A platform that real-named its own users brings the identity (R-CZ-53). A child, or a clash with the record, is not verified.

    The phone is told nothing of the reason here: the ordinary way stays open and gives its own answer.
    """
    verification = verification_of(session, account=account, now=now)
    if verification.state == VerificationState.VERIFIED:
        return
    try:
        name = parse_name(person.name)
        number = parse_id_number(person.id_number, today=ports.today())
    except BusinessError as fault:
        log.info("identity.not_vouched", why=fault.code)
        return
    if number.age_on(ports.today()) < ADULT_ACCOUNT_YEARS:
        log.info("identity.not_vouched", why=TooYoung.code)
        return
    given = RealName(name=name, id_number=number.text)
    found = person_of(ports, session, given, now=now)
    if found is None:
        log.info("identity.not_vouched", why=NameIdMismatch.code)
        return
    keep_given(ports, verification, given)
    verification.verify(method="alipay_account", who=f"account:{account.id}", at=now)
    account.person_id = found.id
    add_self(session, account=account, person_id=found.id, now=now)


def prove_name(ports: Ports, *, account: Account, name: str, id_number: str, phone: str | None) -> IdentityVerification:
    """Have the authority match name, ID number and phone (R-CZ-44).

    Raises ConsentRequired, NameMalformed, IdNumberMalformed, TooYoung, AlreadyVerified, NameIdMismatch, TooManyLookups,
    ProviderUnavailable. What was typed is sealed; a mismatch tells nothing of what is on record.
    """
    now = ports.now()
    given = RealName(name=parse_name(name), id_number=(number := parse_id_number(id_number, today=ports.today())).text)
    if number.age_on(ports.today()) < ADULT_ACCOUNT_YEARS:
        raise TooYoung
    with ports.begin() as session:
        require_consent(session, account_id=account.id, purpose="REAL_NAME")
        verification = verification_of(session, account=account, now=now)
        if verification.state == VerificationState.VERIFIED:
            raise AlreadyVerified
        _count_name_check(session, account=account, now=now)
    try:
        verdict = ports.names.check(given, phone=phone)
    except (ProviderUnreachable, ProviderRefused):
        raise ProviderUnavailable from None
    if verdict is not NameVerdict.MATCH:
        raise NameIdMismatch
    with ports.begin() as session:
        verification = verification_of(session, account=account, now=now)
        if verification.state == VerificationState.VERIFIED:
            raise AlreadyVerified
        if clashes(ports, session, given):
            raise NameIdMismatch
        abandon_open_checks(session, account=account, now=now)
        keep_given(ports, verification, given)
        verification.match_name(who=f"account:{account.id}", at=now)
        session.flush()
        session.expunge_all()
    return verification


def _count_name_check(session: Session, *, account: Account, now: datetime) -> None:
    """Each try costs money at the authority and could be a guess: five a day, counted before the call."""
    tries = session.scalar(
        select(func.count()).where(
            PersonalDataAccess.subject_table == "accounts",
            PersonalDataAccess.subject_id == account.id,
            PersonalDataAccess.purpose == "name_check",
            PersonalDataAccess.at >= day_start(now),
        )
    )
    if (tries or 0) >= NAME_CHECKS_A_DAY:
        raise TooManyLookups
    session.add(
        PersonalDataAccess(
            subject_table="accounts",
            subject_id=account.id,
            columns="name,id_number",
            purpose="name_check",
            who=f"account:{account.id}",
            at=now,
        )
    )


@dataclass(frozen=True, kw_only=True)
class FaceCheckView:
    id: uuid.UUID
    state: str
    launch: dict[str, str] | None
    expires_at: datetime
    verification_state: str
    ways_without_face: str | None = None
    """Offered at once when a face did not do (人脸识别办法 Art 10)."""
    replayed: bool = False


WITHOUT_FACE: Final = "不便刷脸的，可由家人代为缴费，或携带身份证到窗口核验，咨询电话12333。"


START_ROUTE: Final = "POST /identity/face-checks"
STARTING_TAKES_AT_MOST: Final = timedelta(seconds=15)
"""Connect and read time-outs of a call, and some: a start older than this died with its process."""


def start_face_check(ports: Ports, *, account: Account, idempotency_key: str) -> FaceCheckView:
    """Open a face check at the account's own platform; an older open one ends. The same key again tells the same check.

    Raises ConsentRequired, RealNameRequired, AlreadyVerified, TooManyFaceChecks, NotAvailableOnline, ProviderUnavailable,
    RequestInFlight.
    """
    if ports.faces.get(account.miniprogram) is None:
        raise NotAvailableOnline(detail=WITHOUT_FACE)
    asked = Asked(account_id=account.id, route=START_ROUTE, key=idempotency_key, request_hash=fingerprint())
    try:
        check_id, replayed = _begin_check(ports, account=account, asked=asked)
    except IntegrityError as fault:
        if constraint_of(fault) != "pk_idempotency_keys":
            raise
        # Two presses at the very same moment: the other one made the check.
        check_id, replayed = _begin_check(ports, account=account, asked=asked)
    if replayed:
        view = _replay(ports, account=account, check_id=check_id)
        if view is not None:
            return view
    return _start_at_provider(ports, account=account, check_id=check_id, asked=asked)


def _begin_check(ports: Ports, *, account: Account, asked: Asked) -> tuple[uuid.UUID, bool]:
    """The check's id, and whether it was there already. Written before anybody is called."""
    now = ports.now()
    with ports.begin() as session:
        known = known_result(session, asked)
        if known is not None:
            return uuid.UUID(known), True
        check_id = new_id()
        keep_result(session, asked, result_id=str(check_id), now=now)
        require_consent(session, account_id=account.id, purpose="FACE")
        verification = verification_of(session, account=account, now=now)
        if verification.state == VerificationState.VERIFIED:
            raise AlreadyVerified
        if not verification.may_start_face:
            raise RealNameRequired
        today = session.scalar(
            select(func.count()).where(FaceCheck.account_id == account.id, FaceCheck.created_at >= day_start(now))
        )
        if (today or 0) >= FACE_CHECKS_A_DAY:
            raise TooManyFaceChecks
        abandon_open_checks(session, account=account, now=now)
        session.add(
            FaceCheck(
                id=check_id,
                account_id=account.id,
                check_no=new_number(),
                provider=ports.faces[account.miniprogram].name,
                created_at=now,
                expires_at=now + FACE_CHECK_LIFE,
            )
        )
    return check_id, False


def _replay(ports: Ports, *, account: Account, check_id: uuid.UUID) -> FaceCheckView | None:
    """The check that this key made before; None where its start died half way and has to be made again."""
    now = ports.now()
    with ports.begin() as session:
        check = _own_check(session, account=account, check_id=check_id)
        if check.state == FaceCheckState.CREATED:
            if now - check.created_at < STARTING_TAKES_AT_MOST:
                raise RequestInFlight(retry_after_seconds=3)
            return None
        launch = None
        if check.state == FaceCheckState.PENDING and check.expires_at > now:
            _, launch = _open_started(ports, check)
        return replace(_view(check, verification_of(session, account=account, now=now)), launch=launch, replayed=True)


def _start_at_provider(ports: Ports, *, account: Account, check_id: uuid.UUID, asked: Asked) -> FaceCheckView:
    now, who = ports.now(), f"account:{account.id}"
    with ports.begin() as session:
        check_no = _own_check(session, account=account, check_id=check_id).check_no
        verification = verification_of(session, account=account, now=now)
        person, subject = open_given(ports, session, verification, account, purpose="face_check_start", now=now)
    try:
        started = ports.faces[account.miniprogram].start(person, check_no=check_no, subject=subject)
    except ProviderError as fault:
        _finish(ports, check_id, FaceCheckState.FAILED, code=type(fault).__name__, account=account)
        with ports.begin() as session:
            forget_result(session, asked)
        raise ProviderUnavailable from None
    with ports.begin() as session:
        verification = verification_of(session, account=account, now=now)
        check = session.scalars(select(FaceCheck).where(FaceCheck.id == check_id).with_for_update()).one()
        if check.state != FaceCheckState.CREATED or not verification.may_start_face:
            # Meanwhile another name was typed, or another check begun: this one counts no more.
            return _view(check, verification)
        check.reference_sealed = _seal_started(ports, check, started)
        check.expires_at = min(check.expires_at, now + timedelta(seconds=started.valid_for_seconds))
        check.start(who=who, at=ports.now())
        verification.start_face(who=who, at=ports.now())
        return replace(_view(check, verification), launch=started.launch)


def _seal_started(ports: Ports, check: FaceCheck, started: StartedFaceCheck) -> bytes:
    # With what the phone needs: a lost answer can be told again.
    text = json.dumps([started.reference, started.launch])
    return ports.seals.seal(text, place=FaceCheck.reference_place(check.id))


def _open_started(ports: Ports, check: FaceCheck) -> tuple[str, dict[str, str]]:
    reference, launch = json.loads(ports.seals.open(check.reference_sealed or b"", place=FaceCheck.reference_place(check.id)))
    return reference, launch


def finish_face_check(ports: Ports, *, account: Account, check_id: uuid.UUID) -> FaceCheckView:
    """The phone says that the person is done: ask the platform's server, and believe only it. Safe to repeat.

    Raises NotFound, ConsentRequired, ProviderUnavailable.
    """
    with ports.begin() as session:
        check = _own_check(session, account=account, check_id=check_id)
        verification = verification_of(session, account=account, now=ports.now())
        if check.state != FaceCheckState.PENDING or verification.state != VerificationState.FACE_PENDING:
            return _view(check, verification)
        # Taken back meanwhile: then not even the verdict is fetched, and the check lapses by itself.
        require_consent(session, account_id=account.id, purpose="FACE")
        person, subject = open_given(ports, session, verification, account, purpose="face_check_ask", now=ports.now())
        reference, _ = _open_started(ports, check)
        check_no = check.check_no
    try:
        answer = ports.faces[account.miniprogram].ask(reference, person, check_no=check_no, subject=subject)
    except ProviderError as fault:
        log.warning("face_check.not_answered", fault=type(fault).__name__)
        raise ProviderUnavailable(retry_after_seconds=3) from None
    outcome = VERDICTS.get(answer.verdict)
    if outcome is None:
        return read_face_check(ports, account=account, check_id=check_id)
    _finish(ports, check_id, outcome, code=answer.provider_code, account=account, person=person)
    return read_face_check(ports, account=account, check_id=check_id)


VERDICTS: Final = {
    FaceVerdict.PASSED: FaceCheckState.PASSED,
    FaceVerdict.FAILED: FaceCheckState.FAILED,
    FaceVerdict.DECLINED: FaceCheckState.DECLINED,
    FaceVerdict.EXPIRED: FaceCheckState.EXPIRED,
}
"""PENDING is not here: an unfinished check stays as it is."""


def read_face_check(ports: Ports, *, account: Account, check_id: uuid.UUID) -> FaceCheckView:
    """Where a check stands. Raises NotFound, also for other people's."""
    with ports.begin() as session:
        check = _own_check(session, account=account, check_id=check_id)
        return _view(check, verification_of(session, account=account, now=ports.now()))


def _own_check(session: Session, *, account: Account, check_id: uuid.UUID) -> FaceCheck:
    check = session.scalar(select(FaceCheck).where(FaceCheck.id == check_id, FaceCheck.account_id == account.id))
    if check is None:
        raise NotFound
    return check


def _view(check: FaceCheck, verification: IdentityVerification) -> FaceCheckView:
    offered = WITHOUT_FACE if check.state in (FaceCheckState.FAILED, FaceCheckState.DECLINED, FaceCheckState.EXPIRED) else None
    return FaceCheckView(
        id=check.id,
        state=check.state,
        launch=None,
        expires_at=check.expires_at,
        verification_state=verification.state,
        ways_without_face=offered,
    )


def _finish(
    ports: Ports, check_id: uuid.UUID, outcome: FaceCheckState, *, code: str, account: Account, person: RealName | None = None
) -> None:
    """Write a verdict once; whoever comes second finds it written."""
    now = ports.now()
    who = f"account:{account.id}"
    with ports.begin() as session:
        verification = verification_of(session, account=account, now=now)
        check = session.scalars(select(FaceCheck).where(FaceCheck.id == check_id).with_for_update()).one()
        if not check.is_open:
            return
        was_asked = check.state == FaceCheckState.PENDING and verification.state == VerificationState.FACE_PENDING
        check.finish(outcome, provider_code=code, who=who, at=now)
        if not was_asked:
            return
        if outcome is FaceCheckState.PASSED and person is not None:
            found = person_of(ports, session, person, now=now)
            if found is None:
                verification.fail(who=who, at=now)
                return
            verification.verify(method=check.provider, who=who, at=now)
            row = session.get_one(Account, account.id)
            row.person_id = found.id
            add_self(session, account=row, person_id=found.id, now=now)
        elif outcome is FaceCheckState.DECLINED:
            verification.decline(who=who, at=now)
        else:
            verification.fail(who=who, at=now)


def expire_face_checks(ports: Ports, *, limit: int = 200) -> int:
    """The sweep: checks that nobody finished lapse; answers how many. A person may always start another."""
    now = ports.now()
    with ports.begin() as session:
        rows = session.execute(
            select(FaceCheck.id, Account)
            .join(Account, Account.id == FaceCheck.account_id)
            .where(FaceCheck.expires_at <= now, FaceCheck.state.in_((FaceCheckState.CREATED, FaceCheckState.PENDING)))
            .limit(limit)
        ).all()
        session.expunge_all()
    for check_id, account in rows:
        _finish(ports, check_id, FaceCheckState.EXPIRED, code="EXPIRED", account=account)
    return len(rows)
