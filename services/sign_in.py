"""Sign in: the platform says who is on the phone, we give a token; and what that account may do now."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from config.rulebook import Capability
from models.accounts import Account, AccountSession
from models.base import new_id
from providers.protocols import ProviderRefused, ProviderUnreachable
from services.consents import is_taken_back
from services.errors import CodeRefused, ProviderUnavailable, SignInAgain, UnknownMiniprogram
from services.identity import vouch_by_platform

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports

SESSION_LIFE: Final = timedelta(hours=2)
ELDER_SESSION_LIFE: Final = timedelta(hours=4)
"""At least 30 minutes for elders (domain §6.6); nobody should have to hurry."""
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
    """Trade the phone's one-time code for a session. Raises UnknownMiniprogram, CodeRefused, ProviderUnavailable."""
    ports.miniprogram(miniprogram)
    login = ports.logins.get(miniprogram)
    if login is None:
        raise UnknownMiniprogram
    try:
        identity = login.sign_in(code)
    except ProviderRefused:
        raise CodeRefused from None
    except ProviderUnreachable:
        raise ProviderUnavailable(retry_after_seconds=3) from None
    now = ports.now()
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with ports.begin() as session:
        account = _account_of(ports, session, miniprogram=miniprogram, subject=identity.subject, now=now)
        if identity.real_name is not None:
            vouch_by_platform(ports, session, account=account, person=identity.real_name, now=now)
        expires_at = now + (ELDER_SESSION_LIFE if account.elder_mode else SESSION_LIFE)
        session.add(AccountSession(account_id=account.id, token_hash=_hash(token), created_at=now, expires_at=expires_at))
        session.flush()
        session.refresh(account)
        session.expunge_all()
    return SignedIn(token=token, expires_at=expires_at, account=account, capabilities=capabilities_of(ports, account))


def _account_of(ports: Ports, session: Session, *, miniprogram: str, subject: str, now: datetime) -> Account:
    index = ports.seals.index("subject", miniprogram, subject)
    row_id = new_id()
    # Two first sign-ins at once make one account.
    session.execute(
        insert(Account)
        .values(
            id=row_id,
            miniprogram=miniprogram,
            subject_sealed=ports.seals.seal(subject, place=Account.subject_place(row_id)),
            subject_index=index,
            elder_mode=False,
            created_at=now,
        )
        .on_conflict_do_nothing()
    )
    return session.scalars(
        select(Account).where(Account.miniprogram == miniprogram, Account.subject_index == index, Account.closed_at.is_(None))
    ).one()


def capabilities_of(ports: Ports, account: Account) -> list[str]:
    """The buttons that are alive: none but browsing until the identity is verified (R-CZ-46), then what the region offers.

    None again from the moment when the consent to use the name is taken back.
    """
    if account.person_id is None:
        return []
    with ports.begin() as session:
        if is_taken_back(session, account_id=account.id, purpose="REAL_NAME"):
            return []
    pays = ports.merchant_of(account.miniprogram) is not None
    needs_merchant = {Capability.PAY_OWN, Capability.PAY_FOR_OTHERS}
    return sorted(
        {
            str(capability)
            for region in ports.regions_of(account.miniprogram)
            for capability in Capability
            if ports.offers(region, capability) and (pays or capability not in needs_merchant)
        }
    )


def authenticate(ports: Ports, token: str) -> Account:
    """Whose token this is. Raises SignInAgain for unknown, expired and revoked ones alike."""
    with ports.begin() as session:
        found = session.scalar(
            select(AccountSession).where(
                AccountSession.token_hash == _hash(token),
                AccountSession.revoked_at.is_(None),
                AccountSession.expires_at > ports.now(),
            )
        )
        if found is None:
            raise SignInAgain
        session.expunge_all()
        return found.account


def sign_out(ports: Ports, token: str) -> None:
    """End this session; harmless when it is over already."""
    with ports.begin() as session:
        session.execute(
            update(AccountSession)
            .where(AccountSession.token_hash == _hash(token), AccountSession.revoked_at.is_(None))
            .values(revoked_at=ports.now())
        )


def prefer(ports: Ports, *, account: Account, elder_mode: bool) -> Account:
    """Larger type, plainer words, longer sessions: asked for by the person, kept for the account."""
    with ports.begin() as session:
        row = session.get_one(Account, account.id)
        row.elder_mode = elder_mode
        session.flush()
        session.expunge_all()
        return row


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
