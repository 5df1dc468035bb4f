"""Identity: a typed name matched by the authority, then a face matched by the platform, or a platform that vouches.

Faces are judged by the platform's server alone: whatever a phone or a callback says only makes us ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from config.clock import BEIJING, beijing_date
from config.logs import logger
from models.accounts import Account
from models.audit import PersonalDataAccess
from models.base import new_id, new_number
from models.identity import FaceCheck, FaceCheckState, IdentityVerification, VerificationState
from models.people import Person
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
    TooManyFaceChecks,
    TooManyLookups,
    TooYoung,
)
from services.insured_persons import add_self
from services.people import ADULT_ACCOUNT_YEARS, mask_name, parse_id_number, parse_name

if TYPE_CHECKING:
    import uuid

    from sqlalchemy.orm import Session

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
    verification = _verification_of(session, account=account, now=now)
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
    found = _person_of(ports, session, given, now=now)
    if found is None:
        log.info("identity.not_vouched", why=NameIdMismatch.code)
        return
    _keep_given(ports, verification, given)
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
        verification = _verification_of(session, account=account, now=now)
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
        verification = _verification_of(session, account=account, now=now)
        if verification.state == VerificationState.VERIFIED:
            raise AlreadyVerified
        if _clashes(ports, session, given):
            raise NameIdMismatch
        _keep_given(ports, verification, given)
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
            PersonalDataAccess.at >= _day_start(now),
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


def _verification_of(session: Session, *, account: Account, now: datetime) -> IdentityVerification:
    """The account's one verification, locked."""
    session.execute(
        insert(IdentityVerification)
        .values(id=new_id(), account_id=account.id, state=VerificationState.NONE, created_at=now)
        .on_conflict_do_nothing()
    )
    return session.scalars(
        select(IdentityVerification).where(IdentityVerification.account_id == account.id).with_for_update()
    ).one()


def _keep_given(ports: Ports, verification: IdentityVerification, given: RealName) -> None:
    place_of, row_id = IdentityVerification.place_of, verification.id
    verification.name_sealed = ports.seals.seal(given.name, place=place_of("name_sealed", row_id))
    verification.id_number_sealed = ports.seals.seal(given.id_number, place=place_of("id_number_sealed", row_id))
    verification.name_masked = mask_name(given.name)
    verification.id_number_masked = parse_id_number(given.id_number, today=ports.today()).masked


def _clashes(ports: Ports, session: Session, given: RealName) -> bool:
    known = session.scalar(select(Person).where(Person.id_number_index == ports.seals.index("id_number", given.id_number)))
    return known is not None and not ports.seals.same(known.name_index, ports.seals.index("name", given.name))


def _person_of(ports: Ports, session: Session, given: RealName, *, now: datetime) -> Person | None:
    """The person on record, or a new one; None when the record has another name."""
    seals, row_id = ports.seals, new_id()
    id_index, name_index = seals.index("id_number", given.id_number), seals.index("name", given.name)
    session.execute(
        insert(Person)
        .values(
            id=row_id,
            name_sealed=seals.seal(given.name, place=Person.name_place(row_id)),
            name_index=name_index,
            name_masked=mask_name(given.name),
            id_number_sealed=seals.seal(given.id_number, place=Person.id_number_place(row_id)),
            id_number_index=id_index,
            id_number_masked=parse_id_number(given.id_number, today=ports.today()).masked,
            created_at=now,
        )
        .on_conflict_do_nothing()
    )
    person = session.scalars(select(Person).where(Person.id_number_index == id_index)).one()
    return person if seals.same(person.name_index, name_index) else None


@dataclass(frozen=True, kw_only=True)
class FaceCheckView:
    id: uuid.UUID
    state: str
    launch: dict[str, str] | None
    expires_at: datetime
    verification_state: str
    ways_without_face: str | None = None
    """Offered at once when a face did not do (人脸识别办法 Art 10)."""


WITHOUT_FACE: Final = "不便刷脸的，可由家人代为缴费，或携带身份证到窗口核验，咨询电话12333。"


def start_face_check(ports: Ports, *, account: Account) -> FaceCheckView:
    """Open a face check at the account's own platform.

    Raises ConsentRequired, RealNameRequired, AlreadyVerified, TooManyFaceChecks, NotAvailableOnline, ProviderUnavailable.
    """
    now = ports.now()
    provider = ports.faces.get(account.miniprogram)
    if provider is None:
        raise NotAvailableOnline(detail=WITHOUT_FACE)
    with ports.begin() as session:
        require_consent(session, account_id=account.id, purpose="FACE")
        verification = _verification_of(session, account=account, now=now)
        if verification.state == VerificationState.VERIFIED:
            raise AlreadyVerified
        if not verification.may_start_face:
            raise RealNameRequired
        today = session.scalar(
            select(func.count()).where(FaceCheck.account_id == account.id, FaceCheck.created_at >= _day_start(now))
        )
        if (today or 0) >= FACE_CHECKS_A_DAY:
            raise TooManyFaceChecks
        check = FaceCheck(
            id=new_id(),
            account_id=account.id,
            check_no=new_number(),
            provider=provider.name,
            created_at=now,
            expires_at=now + FACE_CHECK_LIFE,
        )
        session.add(check)
        person, subject = _open_given(ports, session, verification, account, purpose="face_check_start", now=now)
        session.flush()
        check_id, check_no = check.id, check.check_no
    try:
        started = provider.start(person, check_no=check_no, subject=subject)
    except ProviderError as fault:
        _finish(ports, check_id, FaceCheckState.FAILED, code=type(fault).__name__, account=account)
        raise ProviderUnavailable from None
    with ports.begin() as session:
        check = session.scalars(select(FaceCheck).where(FaceCheck.id == check_id).with_for_update()).one()
        check.reference_sealed = ports.seals.seal(started.reference, place=FaceCheck.reference_place(check.id))
        check.expires_at = min(check.expires_at, now + timedelta(seconds=started.valid_for_seconds))
        check.start(who=f"account:{account.id}", at=ports.now())
        verification = _verification_of(session, account=account, now=now)
        verification.start_face(who=f"account:{account.id}", at=ports.now())
        return FaceCheckView(
            id=check.id,
            state=check.state,
            launch=started.launch,
            expires_at=check.expires_at,
            verification_state=verification.state,
        )


def finish_face_check(ports: Ports, *, account: Account, check_id: uuid.UUID) -> FaceCheckView:
    """The phone says that the person is done: ask the platform's server, and believe only it. Safe to repeat. Raises NotFound."""
    with ports.begin() as session:
        check = _own_check(session, account=account, check_id=check_id)
        verification = _verification_of(session, account=account, now=ports.now())
        if check.state != FaceCheckState.PENDING or verification.state != VerificationState.FACE_PENDING:
            return _view(check, verification)
        person, subject = _open_given(ports, session, verification, account, purpose="face_check_ask", now=ports.now())
        reference = ports.seals.open(check.reference_sealed or b"", place=FaceCheck.reference_place(check.id))
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
        return _view(check, _verification_of(session, account=account, now=ports.now()))


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
        check = session.scalars(select(FaceCheck).where(FaceCheck.id == check_id).with_for_update()).one()
        if not check.is_open:
            return
        verification = _verification_of(session, account=account, now=now)
        was_asked = check.state == FaceCheckState.PENDING and verification.state == VerificationState.FACE_PENDING
        check.finish(outcome, provider_code=code, who=who, at=now)
        if not was_asked:
            return
        if outcome is FaceCheckState.PASSED and person is not None:
            found = _person_of(ports, session, person, now=now)
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


def _open_given(
    ports: Ports, session: Session, verification: IdentityVerification, account: Account, *, purpose: str, now: datetime
) -> tuple[RealName, str]:
    """Open what was sealed, for the provider's eyes only, and leave a row that says so."""
    session.add(
        PersonalDataAccess(
            subject_table="identity_verifications",
            subject_id=verification.id,
            columns="name,id_number",
            purpose=purpose,
            who=f"account:{account.id}",
            at=now,
        )
    )
    place_of = IdentityVerification.place_of
    name = ports.seals.open(verification.name_sealed or b"", place=place_of("name_sealed", verification.id))
    number = ports.seals.open(verification.id_number_sealed or b"", place=place_of("id_number_sealed", verification.id))
    subject = ports.seals.open(account.subject_sealed, place=Account.subject_place(account.id))
    return RealName(name=name, id_number=number), subject


def _day_start(now: datetime) -> datetime:
    return datetime.combine(beijing_date(now), time.min, tzinfo=BEIJING)
