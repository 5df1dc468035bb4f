"""Sign in: the platform says who is on the phone, we give a token; and what that account may do now."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from config.logs import logger
from config.rulebook import Capability
from models.accounts import Account, AccountSession
from models.base import new_id
from providers.protocols import ProviderRefused, ProviderUnreachable
from services.capabilities import is_alive
from services.consents import is_taken_back
from services.errors import CodeRefused, ProviderUnavailable, SignInAgain, WrongWay
from services.real_names import vouch_by_platform

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports

log = logger(__name__)

SESSION_LIFE: Final = timedelta(hours=2)
ELDER_SESSION_LIFE: Final = timedelta(hours=4)
ELDER_RESERVE: Final = timedelta(minutes=30)
"""No time limit without reserve for elders (domain §6.6): with less than this left, the next touch gives them another four hours."""
ELDER_RENEWED_FOR: Final = timedelta(days=1)
"""A token does not live for ever by being used: after a day it runs out, with its last four hours to spare."""
LANGUAGES: Final = ("zh-CN", "ug-CN")
"""Chinese, and Uyghur in Xinjiang (BCP 47). What is not written in it yet is told in Chinese."""
TOKEN_BYTES: Final = 32


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    token: str
    expires_at: datetime
    account: Account
    capabilities: list[str]

    def __repr__(self) -> str:
        return f"SignedIn(account={self.account.id})"


def sign_in(ports: Ports, *, miniprogram: str, code: str) -> SignedIn:
    """Trade the platform's one-time code for a session. Raises UnknownMiniprogram, WrongWay, CodeRefused, ProviderUnavailable."""
    login = ports.logins.get(miniprogram)
    if ports.miniprogram(miniprogram).platform == "app" or login is None:
        raise WrongWay
    try:
        identity = login.sign_in(code)
    except ProviderRefused as refusal:
        if not refusal.permanent:
            # Their quota, or our own credentials: another code would fare no better.
            log.warning("sign_in.refused_for_now", miniprogram=miniprogram, code=refusal.code)
            raise ProviderUnavailable(retry_after_seconds=3) from None
        raise CodeRefused from None
    except ProviderUnreachable:
        raise ProviderUnavailable(retry_after_seconds=3) from None
    now = ports.now()
    with ports.begin() as session:
        account = _account_of(ports, session, miniprogram=miniprogram, subject=identity.subject, now=now)
        if identity.real_name is not None:
            vouch_by_platform(ports, session, account=account, person=identity.real_name, now=now)
        token, expires_at = open_session(session, account, now=now)
        session.flush()
        session.refresh(account)
        session.expunge_all()
    return SignedIn(token=token, expires_at=expires_at, account=account, capabilities=capabilities_of(ports, account))


def _account_of(ports: Ports, session: Session, *, miniprogram: str, subject: str, now: datetime) -> Account:
    # Two first sign-ins at once make one account.
    account = new_account(ports, session, miniprogram=miniprogram, subject=subject, now=now)
    account = account or find_account(ports, session, miniprogram=miniprogram, subject=subject)
    if account is None:
        # Closed between the two lines, by its holder on another phone.
        raise CodeRefused
    return account


def find_account(ports: Ports, session: Session, *, miniprogram: str, subject: str, lock: bool = False) -> Account | None:
    """The living account of this openid, or in the app of this phone number."""
    wanted = select(Account).where(
        Account.miniprogram == miniprogram,
        Account.subject_index == ports.seals.index("subject", miniprogram, subject),
        Account.closed_at.is_(None),
    )
    return session.scalar(wanted.with_for_update(of=Account) if lock else wanted)


def new_account(ports: Ports, session: Session, *, miniprogram: str, subject: str, now: datetime) -> Account | None:
    """A new, unverified account; None where a living one stands already."""
    row_id = new_id()
    made = session.scalar(
        insert(Account)
        .values(
            id=row_id,
            miniprogram=miniprogram,
            subject_sealed=ports.seals.seal(subject, place=Account.subject_place(row_id)),
            subject_index=ports.seals.index("subject", miniprogram, subject),
            elder_mode=False,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(Account.id)
    )
    return None if made is None else session.get_one(Account, made)


def open_session(session: Session, account: Account, *, now: datetime) -> tuple[str, datetime]:
    """A fresh bearer token of this account, and when it ends. Only its hash is kept."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    expires_at = now + (ELDER_SESSION_LIFE if account.elder_mode else SESSION_LIFE)
    session.add(AccountSession(account_id=account.id, token_hash=_hash(token), created_at=now, expires_at=expires_at))
    account.signed_in_at = now
    return token, expires_at


def capabilities_of(ports: Ports, account: Account) -> list[str]:
    """The buttons that are alive: none but browsing until the identity is verified (R-CZ-46), then what the menu shows alive.

    None again from the moment when the consent to use the name is taken back.
    """
    if account.person_id is None:
        return []
    with ports.begin() as session:
        if is_taken_back(session, account_id=account.id, purpose="REAL_NAME"):
            return []
    return sorted(
        {
            str(capability)
            for region in ports.regions_of(account.miniprogram)
            for capability in Capability
            if is_alive(ports, capability, miniprogram=account.miniprogram, region=region)
        }
    )


def authenticate(ports: Ports, token: str) -> Account:
    """Whose token this is; an elder's session is renewed on the way. Raises SignInAgain for unknown, expired and revoked ones alike."""
    now = ports.now()
    with ports.begin() as session:
        found = session.scalar(
            select(AccountSession).where(
                AccountSession.token_hash == _hash(token),
                AccountSession.revoked_at.is_(None),
                AccountSession.expires_at > now,
            )
        )
        if found is None or found.account.closed_at is not None:
            raise SignInAgain
        is_short = found.expires_at - now < ELDER_RESERVE and now - found.created_at < ELDER_RENEWED_FOR
        if found.account.elder_mode and is_short:
            found.expires_at = now + ELDER_SESSION_LIFE
            session.flush()
        session.expunge_all()
        return found.account


def session_began(session: Session, *, token: str) -> datetime:
    """When this session began, however often it was renewed. Raises SignInAgain for a token that nobody has."""
    found = session.scalar(select(AccountSession.created_at).where(AccountSession.token_hash == _hash(token)))
    if found is None:
        raise SignInAgain
    return found


def sign_out(ports: Ports, token: str) -> None:
    """End this session; harmless when it is over already."""
    with ports.begin() as session:
        session.execute(
            update(AccountSession)
            .where(AccountSession.token_hash == _hash(token), AccountSession.revoked_at.is_(None))
            .values(revoked_at=ports.now())
        )


def prefer(ports: Ports, *, account: Account, elder_mode: bool | None = None, language: str | None = None) -> Account:
    """Larger type, plainer words, longer sessions; and the language: asked for by the person, kept for the account.

    What is None stays as it is. `language` is one of LANGUAGES.
    """
    with ports.begin() as session:
        row = session.get_one(Account, account.id)
        row.elder_mode = row.elder_mode if elder_mode is None else elder_mode
        row.language = language or row.language
        session.flush()
        session.expunge_all()
        return row


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
