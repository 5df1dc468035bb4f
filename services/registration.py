"""Registration and sign-in by phone and SMS code: the way into the app (R-CZ-08, 21, 22).

A right code proves that somebody can read a number's messages now. It finds the account of that number in that app, or makes one;
it says nothing of who they are. Nothing here tells whether a number has an account before a right code was shown: asking for a
code never looks, and a wrong code is refused before anybody looks.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, update

from config.clock import day_start
from config.logs import logger
from config.settings import SIGN_IN_CODE
from models.accounts import Account, AccountSession, SmsCode
from models.base import new_id
from providers.protocols import BAD_NUMBER, ProviderRefused, ProviderUnreachable
from services.consents import is_taken_back
from services.errors import (
    AlreadyRegistered,
    BusinessError,
    PhoneMalformed,
    ProviderUnavailable,
    RegisterFirst,
    SmsBusy,
    SmsCodeTooSoon,
    SmsCodeWrong,
    TooManySmsCodes,
    WrongWay,
)
from services.networks import network_index
from services.phone_numbers import keep_phone, parse_phone, phone_index
from services.sign_in import SignedIn, capabilities_of, find_account, new_account, open_session

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports

log = logger(__name__)

DIGITS: Final = 6
CODE_LIFE: Final = timedelta(minutes=5)
TRIES_A_CODE: Final = 5
"""Five guesses at a million, ten codes a day: a stranger has one chance in 20,000 a day, and the holder's phone rings each time."""
ONE_IN: Final = timedelta(minutes=1)
CODES_A_DAY: Final = 10
TRIES_A_DAY: Final = 20
"""Where the way out fails, the day's ten are not used up, but a number is not rung for ever either: some of those may go out."""
BOUND_WINDOW: Final = timedelta(hours=1)
BOUND_RETRY_SECONDS: Final = 600
REISSUED_AFTER: Final = timedelta(days=90)
"""Operators keep a number that was given up out of use for about 90 days before they sell it again. Whoever signed in within that time
is still its holder; an account that slept longer may have been another person's, and its verified name with it."""


@dataclass(frozen=True, kw_only=True)
class SentCode:
    """What the phone is told, the same for every number."""

    valid_for_seconds: int = int(CODE_LIFE.total_seconds())
    next_after_seconds: int = int(ONE_IN.total_seconds())


def send_code(ports: Ports, *, miniprogram: str, phone: str, caller: str | None = None) -> SentCode:
    """Send six digits to this number, whoever has it. `caller` is the address that the request came from.

    Raises UnknownMiniprogram, WrongWay, PhoneMalformed, SmsCodeTooSoon, TooManySmsCodes, SmsBusy, ProviderUnavailable.
    """
    number = _number_in_app(ports, miniprogram=miniprogram, phone=phone)
    now, row_id = ports.now(), new_id()
    digits = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    index = phone_index(ports, number)
    caller_index = network_index(ports.seals, purpose="sms_caller", caller=caller, today=ports.today())
    with ports.begin() as session:
        _require_room(session, index, now=now)
        if caller_index is not None:
            _require_room_for_caller(ports, session, caller_index, miniprogram=miniprogram, now=now)
        _require_room_in_app(ports, session, miniprogram=miniprogram, now=now)
        session.add(
            SmsCode(
                id=row_id,
                miniprogram=miniprogram,
                phone_index=index,
                caller_index=caller_index,
                code_hash=_hash(ports, row_id, number=number, digits=digits),
                sent_at=now,
                expires_at=now + CODE_LIFE,
            )
        )
    try:
        ports.sms.send(number, template=SIGN_IN_CODE, values={"code": digits}, our_id=row_id.hex)
    except ProviderRefused as fault:
        _note_failure(ports, row_id, went_out=False)
        if fault.code == BAD_NUMBER:
            raise PhoneMalformed from None
        # Their quota, our signature or our balance: staff must look, and this person cannot help it.
        log.error("sms_code.refused", refusal=fault.code)  # noqa: TRY400 - no traceback: it holds values
        raise ProviderUnavailable from None
    except ProviderUnreachable:
        _note_failure(ports, row_id, went_out=True)
        raise ProviderUnavailable(retry_after_seconds=3) from None
    return SentCode()


def register(ports: Ports, *, miniprogram: str, phone: str, sms_code: str) -> SignedIn:
    """Make the account of this number, and sign in. Raises UnknownMiniprogram, WrongWay, PhoneMalformed, SmsCodeWrong, AlreadyRegistered."""
    return _enter(ports, miniprogram=miniprogram, phone=phone, sms_code=sms_code, registering=True)


def sign_in_by_sms(ports: Ports, *, miniprogram: str, phone: str, sms_code: str) -> SignedIn:
    """Sign in to the account of this number. Raises UnknownMiniprogram, WrongWay, PhoneMalformed, SmsCodeWrong, RegisterFirst."""
    return _enter(ports, miniprogram=miniprogram, phone=phone, sms_code=sms_code, registering=False)


def _number_in_app(ports: Ports, *, miniprogram: str, phone: str) -> str:
    if ports.miniprogram(miniprogram).platform != "app":
        raise WrongWay
    return parse_phone(phone)


def _require_room(session: Session, index: bytes, *, now: datetime) -> None:
    """One a minute, ten a day, for the number wherever it is asked from. Raises SmsCodeTooSoon, TooManySmsCodes."""
    # A thousand callers with one number: one is served, the others go at once and hold no connection to wait on.
    lock = int.from_bytes(index[:8], "big", signed=True)
    if not session.scalar(select(func.pg_try_advisory_xact_lock(lock))):
        raise SmsCodeTooSoon(retry_after_seconds=int(ONE_IN.total_seconds()))
    today = select(func.count()).where(SmsCode.phone_index == index, SmsCode.sent_at >= day_start(now))
    if (session.scalar(today) or 0) >= TRIES_A_DAY or (
        session.scalar(today.where(SmsCode.failed_at.is_(None))) or 0
    ) >= CODES_A_DAY:
        raise TooManySmsCodes
    latest = session.scalar(select(func.max(SmsCode.sent_at)).where(SmsCode.phone_index == index, SmsCode.failed_at.is_(None)))
    if latest is not None and now < latest + ONE_IN:
        raise SmsCodeTooSoon(retry_after_seconds=int((latest + ONE_IN - now).total_seconds()) + 1)


def _require_room_for_caller(ports: Ports, session: Session, caller_index: bytes, *, miniprogram: str, now: datetime) -> None:
    """One caller does not use up what everybody has together. Counted without a lock, as that is. Raises SmsBusy."""
    bound = ports.miniprogram(miniprogram).sms_codes_an_hour_for_one_caller
    asked = session.scalar(
        select(func.count()).where(SmsCode.caller_index == caller_index, SmsCode.sent_at > now - BOUND_WINDOW)
    )
    if (asked or 0) >= bound:
        log.warning("sms_code.caller_bound_reached", miniprogram=miniprogram, bound=bound)
        raise SmsBusy(retry_after_seconds=BOUND_RETRY_SECONDS)


def _require_room_in_app(ports: Ports, session: Session, *, miniprogram: str, now: datetime) -> None:
    """One caller with a thousand numbers: none of them has had a code, so only their sum shows it, and each message costs money.

    Counted without a lock: calls at the same moment may go a few beyond. Raises SmsBusy.
    """
    bound = ports.miniprogram(miniprogram).sms_codes_an_hour
    sent = session.scalar(select(func.count()).where(SmsCode.sent_at > now - BOUND_WINDOW, SmsCode.miniprogram == miniprogram))
    if (sent or 0) >= bound:
        # Nobody gets into the app by SMS now: either we are under attack, or the bound is too small for today.
        log.error("sms_code.bound_reached", miniprogram=miniprogram, bound=bound)
        raise SmsBusy(retry_after_seconds=BOUND_RETRY_SECONDS)


def _note_failure(ports: Ports, row_id: uuid.UUID, *, went_out: bool) -> None:
    """No good answer came. Where it may have gone out all the same, its digits still do; else the code before it does."""
    now = ports.now()
    with ports.begin() as session:
        ended = {} if went_out else {"expires_at": now}
        session.execute(update(SmsCode).where(SmsCode.id == row_id).values(failed_at=now, **ended))


def _enter(ports: Ports, *, miniprogram: str, phone: str, sms_code: str, registering: bool) -> SignedIn:
    number = _number_in_app(ports, miniprogram=miniprogram, phone=phone)
    with ports.begin() as session:
        # A refusal comes back as a value: raised inside, it would take the counted try with it.
        outcome = _entered(ports, session, miniprogram=miniprogram, number=number, digits=sms_code, registering=registering)
    if isinstance(outcome, BusinessError):
        raise outcome
    token, expires_at, account = outcome
    return SignedIn(token=token, expires_at=expires_at, account=account, capabilities=capabilities_of(ports, account))


def _entered(
    ports: Ports, session: Session, *, miniprogram: str, number: str, digits: str, registering: bool
) -> tuple[str, datetime, Account] | BusinessError:
    now = ports.now()
    code = _right_code(ports, session, miniprogram=miniprogram, number=number, digits=digits, now=now)
    if code is None:
        return SmsCodeWrong()
    account = find_account(ports, session, miniprogram=miniprogram, subject=number, lock=True)
    if account is not None and now - (account.signed_in_at or account.created_at) >= REISSUED_AFTER:
        _close(session, account, now=now)
        account = new_account(ports, session, miniprogram=miniprogram, subject=number, now=now)
    elif registering:
        account = None if account is not None else new_account(ports, session, miniprogram=miniprogram, subject=number, now=now)
        if account is None:
            return AlreadyRegistered()
    # The code stays good, so that the phone can go on with it to the other door.
    if account is None:
        return RegisterFirst()
    code.used_at = now
    if not is_taken_back(session, account_id=account.id, purpose="PHONE"):
        keep_phone(ports, account, number)
    token, expires_at = open_session(session, account, now=now)
    session.flush()
    session.refresh(account)
    session.expunge_all()
    return token, expires_at, account


def _right_code(ports: Ports, session: Session, *, miniprogram: str, number: str, digits: str, now: datetime) -> SmsCode | None:
    """The latest code of this number, locked, if these are its digits; a wrong try is counted. Only the latest one counts."""
    code = session.scalars(
        select(SmsCode)
        .where(
            SmsCode.phone_index == phone_index(ports, number),
            SmsCode.miniprogram == miniprogram,
            SmsCode.expires_at > now,
        )
        .order_by(SmsCode.sent_at.desc(), SmsCode.id.desc())
        .limit(1)
        .with_for_update()
    ).first()
    # Also where there is none something is hashed and compared: an answer's time tells nothing.
    row_id = new_id() if code is None else code.id
    given = _hash(ports, row_id, number=number, digits=digits)
    kept = _hash(ports, row_id, number=number, digits="") if code is None else code.code_hash
    is_same = ports.seals.same(given, kept)
    if code is None or code.used_at is not None or code.tries >= TRIES_A_CODE:
        return None
    if not is_same:
        code.tries += 1
        return None
    return code


def _close(session: Session, account: Account, *, now: datetime) -> None:
    """The number may be another person's by now: the old account ends with all its sessions, and keeps what it did."""
    account.closed_at = now
    session.execute(
        update(AccountSession)
        .where(AccountSession.account_id == account.id, AccountSession.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    session.flush()
    log.info("account.closed", account=str(account.id), why="number_may_be_reissued")


def _hash(ports: Ports, row_id: uuid.UUID, *, number: str, digits: str) -> bytes:
    """Keyed: a million digits are tried in a second by whoever has the table, but not without the key."""
    return ports.seals.index("sms_code", str(row_id), number, digits)
