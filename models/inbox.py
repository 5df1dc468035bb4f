"""The inbox: every authentic piece of news about money, kept before anything is done about it."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Moves, Stateful, new_id, one_of


class NoticeState(StrEnum):
    WAITING = "WAITING"
    SETTLED = "SETTLED"
    PARKED = "PARKED"
    """Its money stands in a named account and a person has to look (`canbao inbox`)."""


_N = NoticeState


class Notice(Stateful, Base):
    """A notice (pushed) or an answer with news (pulled). The same key never gets in twice."""

    __tablename__ = "notices"
    __table_args__ = (
        one_of(NoticeState),
        UniqueConstraint("merchant_account", "notification_id"),
        Index("ix_notices_waiting", "id", postgresql_where=text("state = 'WAITING'")),
        Index("ix_notices_parked", "id", postgresql_where=text("state = 'PARKED'")),
        Index(None, "payment_no"),
    )

    MOVES: ClassVar[Moves] = Moves(
        "notice",
        {
            # The settle loop's own two steps are told by `outcome` and `settled_at` on the row; a person's leaves a move.
            (_N.WAITING, _N.SETTLED): "notice.settled",
            (_N.WAITING, _N.PARKED): "notice.parked",
            (_N.PARKED, _N.WAITING): "notice.queued_again",
        },
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    merchant_account: Mapped[str]
    """`{channel}:{merchant}`."""
    notification_id: Mapped[str]
    """The provider's own id of the delivery, `query:{payment_no}:{state}:{their number}` for an answer, `bill:{day}:{their number}` from a bill."""
    miniprogram: Mapped[str]
    kind: Mapped[str]
    payment_no: Mapped[str]
    provider_payment_no: Mapped[str | None]
    amount_fen: Mapped[int | None]
    currency: Mapped[str]
    happened_at: Mapped[datetime | None]
    refund_no: Mapped[str | None]
    provider_refund_no: Mapped[str | None]
    refund_fen: Mapped[int | None]
    refunded_total_fen: Mapped[int | None]
    content_sealed: Mapped[bytes | None]
    """The raw bytes as they came, for evidence; answers keep none."""
    received_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(server_default=NoticeState.WAITING)
    outcome: Mapped[str | None]
    """What became of it: PAID, ALREADY, SURPLUS, UNCLAIMED, CLOSED, …"""
    settled_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    resolution: Mapped[str | None]
    """What a person did about a parked one, and who."""

    def queue_again(self, *, reason: str, who: str, at: datetime) -> None:
        """A person mended what it clashed with: the settle loop takes it once more."""
        self._move(_N.WAITING, who=who, at=at, why=f"notice.queued_again: {reason}")
        self.outcome, self.settled_at = None, None

    @classmethod
    def content_place(cls, row_id: uuid.UUID) -> str:
        return cls.place_of("content_sealed", row_id)
