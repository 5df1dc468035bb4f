"""Messages to people, written in the same transaction as what they tell; sent later, or not at all."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, one_of


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
