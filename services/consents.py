"""Consents: each purpose for itself, each text by its hash, and never before it was read (PIPL Art 14–17, 29)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from config.rulebook import NoRuleInForce, NoticePurpose
from models.base import new_id
from models.consents import Consent
from services.errors import ConsentRequired, ConsentTextChanged, NotFound

if TYPE_CHECKING:
    import uuid

    from sqlalchemy.orm import Session

    from models.accounts import Account
    from services.ports import Ports


@dataclass(frozen=True, kw_only=True)
class NoticeText:
    """A text to read before agreeing (not to be taken for an inbox notice)."""

    purpose: str
    title: str
    version: str
    text: str
    text_hash: str
    """SHA-256 of the text, hex: what the phone sends back."""
    given: bool
    issuer: str
    sample: bool
    """示例文本: the official text is not ours to write."""


def notice_texts(ports: Ports, *, account: Account) -> list[NoticeText]:
    """The texts of this mini-program's first region that are in force today, and which of them this account agreed to."""
    region = ports.regions_of(account.miniprogram)[0]
    with ports.begin() as session:
        given = {
            (consent.purpose, consent.text_hash)
            for consent in session.scalars(
                select(Consent).where(Consent.account_id == account.id, Consent.withdrawn_at.is_(None))
            )
        }
    texts = []
    for notice in region.notices(ports.today()):
        text_hash = _hash(notice.text)
        texts.append(
            NoticeText(
                purpose=str(notice.purpose),
                title=notice.title,
                version=notice.version,
                text=notice.text,
                text_hash=text_hash,
                given=(str(notice.purpose), text_hash) in given,
                issuer=notice.issuer,
                sample=notice.status == "TO_CONFIRM",
            )
        )
    return texts


def give_consent(ports: Ports, *, account: Account, purpose: str, version: str, text_hash: str) -> Consent:
    """Record that this very text was agreed to. Raises NotFound (no such purpose), ConsentTextChanged (an older text)."""
    region = ports.regions_of(account.miniprogram)[0]
    try:
        notice = region.notice(NoticePurpose(purpose), ports.today())
    except (NoRuleInForce, ValueError):
        raise NotFound from None
    if (notice.version, _hash(notice.text)) != (version, text_hash):
        raise ConsentTextChanged(version=notice.version)
    now = ports.now()
    with ports.begin() as session:
        # An older consent to an older text is closed, not overwritten.
        old = session.scalar(
            select(Consent)
            .where(Consent.account_id == account.id, Consent.purpose == purpose, Consent.withdrawn_at.is_(None))
            .with_for_update()
        )
        if old is not None and old.text_hash == text_hash:
            session.expunge(old)
            return old
        if old is not None:
            old.withdrawn_at = now
            session.flush()
        session.execute(
            insert(Consent)
            .values(id=new_id(), account_id=account.id, purpose=purpose, version=version, text_hash=text_hash, given_at=now)
            .on_conflict_do_nothing()  # pressed twice at once: the first press is the consent
        )
        consent = session.scalars(
            select(Consent).where(Consent.account_id == account.id, Consent.purpose == purpose, Consent.withdrawn_at.is_(None))
        ).one()
        session.expunge(consent)
    return consent


def withdraw_consent(ports: Ports, *, account: Account, consent_id: uuid.UUID) -> None:
    """Take a consent back; what it covered stops from now on. Raises NotFound."""
    with ports.begin() as session:
        gone = session.execute(
            update(Consent)
            .where(Consent.id == consent_id, Consent.account_id == account.id, Consent.withdrawn_at.is_(None))
            .values(withdrawn_at=ports.now())
            .returning(Consent.id)
        ).all()
    if not gone:
        raise NotFound


def require_consent(session: Session, *, account_id: uuid.UUID, purpose: str) -> None:
    """No processing before its consent. Raises ConsentRequired naming the purpose."""
    found = session.scalar(
        select(Consent.id).where(Consent.account_id == account_id, Consent.purpose == purpose, Consent.withdrawn_at.is_(None))
    )
    if found is None:
        raise ConsentRequired(purpose=purpose)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
