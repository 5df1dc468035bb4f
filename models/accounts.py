"""Accounts: a platform identity that signs in through one mini-program, and its sessions."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, new_id
from models.people import Person


class Account(Base):
    """Who is on the phone. An openid is unique under its app alone, so the mini-program is part of the key."""

    __tablename__ = "accounts"
    __table_args__ = (
        Index(
            "uq_accounts_miniprogram_subject_index_live",
            "miniprogram",
            "subject_index",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index(None, "phone_index", postgresql_where=text("phone_index IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    miniprogram: Mapped[str]
    subject_sealed: Mapped[bytes]
    """openid, or Alipay's open_id or user_id; in the app the phone number that registered."""
    subject_index: Mapped[bytes]
    phone_sealed: Mapped[bytes | None]
    """A number that the platform or an SMS code has proven. It reaches a person, it never proves who they are."""
    phone_index: Mapped[bytes | None]
    phone_masked: Mapped[str | None]
    person_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("persons.id"), index=True)
    """Set when the identity is VERIFIED, never before."""
    elder_mode: Mapped[bool] = mapped_column(default=False)
    language: Mapped[str] = mapped_column(server_default="zh-CN")
    """BCP 47: which wording of a message's key is wanted. What is not written in it yet is told in Chinese."""
    created_at: Mapped[datetime]
    signed_in_at: Mapped[datetime | None]
    """The last sign-in; None where nobody kept count yet. Sessions are forgotten in time, this is not."""
    closed_at: Mapped[datetime | None]
    """Deleted by its holder, or its phone number has a new owner: the platform identity may begin a new account."""

    person: Mapped[Person | None] = relationship(lazy="joined")

    @classmethod
    def subject_place(cls, row_id: uuid.UUID) -> str:
        return cls.place_of("subject_sealed", row_id)

    @classmethod
    def phone_place(cls, row_id: uuid.UUID) -> str:
        return cls.place_of("phone_sealed", row_id)


class SmsCode(Base):
    """A six-digit code on its way to a phone. Only a keyed hash is kept, and of the number its blind index."""

    __tablename__ = "sms_codes"
    __table_args__ = (
        Index(None, "phone_index", "sent_at"),
        Index(None, "caller_index", "sent_at", postgresql_where=text("caller_index IS NOT NULL")),
        Index(None, "sent_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    miniprogram: Mapped[str]
    phone_index: Mapped[bytes]
    caller_index: Mapped[bytes | None]
    """Of the network that asked, another one each day: it counts a caller, and follows nobody. None for addresses of our own network."""
    code_hash: Mapped[bytes]
    sent_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(server_default="0")
    used_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    """When the way out gave no good answer: nobody has to wait a minute for the next one, nor lose one of the day's codes."""


class AccountSession(Base):
    """A bearer token's life. Only the token's SHA-256 is kept."""

    __tablename__ = "account_sessions"
    __table_args__ = (Index(None, "account_id", postgresql_where=text("revoked_at IS NULL")),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    account: Mapped[Account] = relationship(lazy="joined")


class IdempotencyKey(Base):
    """A creating request that was already carried out: same key and body → the same result, told again."""

    __tablename__ = "idempotency_keys"

    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    """SHA-256 of the canonical body; answers are rebuilt, never kept, since they hold tokens and stale signatures."""
    result_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(index=True)
