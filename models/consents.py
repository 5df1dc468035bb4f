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
        # A mini-program of two regions may show two texts for one purpose: each is agreed to by itself.
        Index(
            "uq_consents_account_id_purpose_text_hash_live",
            "account_id",
            "purpose",
            "text_hash",
            unique=True,
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
        Index(None, "account_id", "purpose"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    purpose: Mapped[str]
    version: Mapped[str]
    text_hash: Mapped[str]
    """SHA-256 (hex) of the very text that was shown."""
    given_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    """Taken back, or closed by the consent to a newer text that began at this very moment."""


class NoticeReading(Base):
    """A text was opened by this account: consent to a text that asks to be read comes no sooner than its reading time."""

    __tablename__ = "notice_readings"

    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    text_hash: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    version: Mapped[str]
    opened_at: Mapped[datetime]
    """The first time. Opening it again changes nothing."""
