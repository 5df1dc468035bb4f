"""Messages to people, written in the same transaction as what they tell; sent later, or not at all."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id, one_of


class MessageState(StrEnum):
    WAITING = "WAITING"
    SENT = "SENT"
    GIVEN_UP = "GIVEN_UP"


class Message(Base):
    __tablename__ = "messages"
    __table_args__ = (
        one_of(MessageState),
        Index("ix_messages_waiting", "id", postgresql_where=text("state = 'WAITING'")),
        Index(None, "account_id", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    template: Mapped[str]
    """A key of the region's texts, never the text itself: Chinese first, other languages by the same key."""
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """Numbers and masked words only."""
    state: Mapped[str] = mapped_column(server_default=MessageState.WAITING)
    created_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(server_default="0")
    next_try_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    way: Mapped[str | None]
    """How it went out: wechat_subscription, sms; nothing where it can only be read in the mini-program."""
    given_up_why: Mapped[str | None]


class MessageAllowance(Base):
    """How many messages of one template this account still lets us send: at WeChat one consent is one message."""

    __tablename__ = "message_allowances"
    __table_args__ = (CheckConstraint("remaining >= 0", name="never_negative"),)

    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    platform_template: Mapped[str] = mapped_column(primary_key=True)
    remaining: Mapped[int]
    changed_at: Mapped[datetime]


class PlatformEvent(Base):
    """An event that a mini-program's platform pushed, kept once: the same one comes up to three times."""

    __tablename__ = "platform_events"
    __table_args__ = (UniqueConstraint("miniprogram", "event_hash"), Index(None, "received_at"))

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    miniprogram: Mapped[str]
    event_hash: Mapped[bytes]
    """SHA-256 of who, when and what: these events have no id of their own."""
    event: Mapped[str]
    received_at: Mapped[datetime]
