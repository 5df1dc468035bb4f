"""Real names: a typed name matched by the authority (实名认证), or a platform that vouches for its own users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from config.clock import day_start
from config.logs import logger
from models.audit import PersonalDataAccess
from models.identity import IdentityVerification, VerificationState
from providers.protocols import NameVerdict, ProviderRefused, ProviderUnreachable, RealName
from services.consents import is_taken_back, require_consent
from services.errors import (
    AlreadyVerified,
    BusinessError,
    ConsentRequired,
    NameIdMismatch,
    ProviderUnavailable,
    TooManyLookups,
    TooYoung,
)
from services.insured_persons import add_self
from services.people import ADULT_ACCOUNT_YEARS, parse_id_number, parse_name
from services.phone_numbers import open_proven_phone
from services.probing import NUMBER_TRIED_TOO_OFTEN, forget_miss, note_miss
from services.verification import (
    abandon_open_checks,
    clashes,
    keep_given,
    person_of,
    verification_of,
)
from services.ways import ways_with_refusals

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from models.accounts import Account
    from services.ports import Ports

log = logger(__name__)

NAME_CHECKS_A_DAY: Final = 5
NAMES_TRIED_TOO_OFTEN: Final = "今日核对次数已用完，请明天再试，或携带身份证到窗口核验，咨询电话12333。"


def vouch_by_platform(ports: Ports, session: Session, *, account: Account, person: RealName, now: datetime) -> None:
    """A platform that real-named its own users brings the identity (R-CZ-53). A child, or a clash with the record, is not verified.

    The phone is told nothing of the reason here: the ordinary way stays open and gives its own answer.
    """
    verification = verification_of(session, account=account, now=now)
    if verification.state == VerificationState.VERIFIED:
        return
    if is_taken_back(session, account_id=account.id, purpose="REAL_NAME"):
        log.info("identity.not_vouched", why=ConsentRequired.code)
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
    """Have the authority match name, ID number and phone (R-CZ-44): the one given, or else the account's proven one.

    Raises ConsentRequired, NameMalformed, IdNumberMalformed, TooYoung, AlreadyVerified, NameIdMismatch, TooManyLookups,
    ProviderUnavailable. What was typed is sealed; a mismatch tells nothing of what is on record. With each refusal go the ways on.
    """
    with ways_with_refusals(ports, account=account):
        return _have_matched(ports, account=account, name=name, id_number=id_number, phone=phone)


def _have_matched(ports: Ports, *, account: Account, name: str, id_number: str, phone: str | None) -> IdentityVerification:
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
        index = ports.seals.index("id_number", given.id_number)
        miss = note_miss(session, account_id=account.id, id_index=index, now=now, detail=NUMBER_TRIED_TOO_OFTEN)
        phone = phone or open_proven_phone(ports, session, account=account, purpose="name_check_phone", now=now)
    try:
        verdict = ports.names.check(given, phone=phone)
    except (ProviderUnreachable, ProviderRefused):
        with ports.begin() as session:
            forget_miss(session, miss)
        raise ProviderUnavailable from None
    if verdict is not NameVerdict.MATCH:
        raise NameIdMismatch
    with ports.begin() as session:
        forget_miss(session, miss)
        verification = verification_of(session, account=account, now=now)
        if verification.state == VerificationState.VERIFIED:
            raise AlreadyVerified
        # Taken back while the authority was asked: then nothing of the name is kept.
        require_consent(session, account_id=account.id, purpose="REAL_NAME")
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
        raise TooManyLookups(detail=NAMES_TRIED_TOO_OFTEN)
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
