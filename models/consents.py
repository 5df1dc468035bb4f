"""Consents: who agreed to which text, when, and when they took it back (PIPL Art 14–16, 29)."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id


class Consent(Base):
    __tablename__ = "consents"
    __table_args__ = (
        Index(
            "uq_consents_account_id_purpose_live",
            "account_id",
            "purpose",
            unique=True,
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    purpose: Mapped[str]
    version: Mapped[str]
    text_hash: Mapped[str]
    """SHA-256 (hex) of the very text that was shown."""
    given_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]


class NoticeReading(Base):
    """A text was opened by this account: consent to a text that asks to be read comes no sooner than its reading time."""

    __tablename__ = "notice_readings"

    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    text_hash: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    version: Mapped[str]
    opened_at: Mapped[datetime]
