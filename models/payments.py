"""Payments: money at a provider, asked for by an order or turned up by itself."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Moves, Stateful, new_id, one_of
from models.orders import PaymentOrder


class PaymentState(StrEnum):
    """CREATED → OPEN → SUCCEEDED | SURPLUS | CLOSED; money nobody asked for is born UNCLAIMED."""

    CREATED = "CREATED"
    OPEN = "OPEN"
    SUCCEEDED = "SUCCEEDED"
    SURPLUS = "SURPLUS"
    """Authentic money that cannot settle its order: wrong amount, or the months were paid meanwhile. Owed back."""
    UNCLAIMED = "UNCLAIMED"
    """Authentic money without an order of ours."""
    CLOSED = "CLOSED"


_P = PaymentState


class PaymentOrigin(StrEnum):
    ORDER = "ORDER"
    UNKNOWN = "UNKNOWN"


class Payment(Stateful, Base):
    __tablename__ = "payments"
    __table_args__ = (
        one_of(PaymentState),
        one_of(PaymentOrigin, "origin"),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("refunded_fen >= 0", name="refunded_not_negative"),
        # What makes an effect unique, whatever the inbox let through: their number of the money.
        UniqueConstraint("channel", "merchant", "provider_payment_no"),
        Index(None, "next_ask_at", postgresql_where=text("next_ask_at IS NOT NULL")),
        Index(None, "order_id"),
        # Rows come in the order of time, more or less: a day's are found by a few pages, and writing costs nothing.
        Index(None, "paid_at", postgresql_using="brin"),
        Index("ix_payments_live", "order_id", postgresql_where=text("state IN ('CREATED', 'OPEN')")),
    )
    MOVES: ClassVar[Moves] = Moves(
        "payment",
        {
            (_P.CREATED, _P.OPEN): "payment.opened",
            (_P.CREATED, _P.SUCCEEDED): "payment.succeeded",
            (_P.OPEN, _P.SUCCEEDED): "payment.succeeded",
            (_P.CLOSED, _P.SUCCEEDED): "payment.succeeded_late",
            (_P.CREATED, _P.SURPLUS): "payment.surplus",
            (_P.OPEN, _P.SURPLUS): "payment.surplus",
            (_P.CLOSED, _P.SURPLUS): "payment.surplus",
            (_P.CREATED, _P.CLOSED): "payment.closed",
            (_P.OPEN, _P.CLOSED): "payment.closed",
        },
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    payment_no: Mapped[str] = mapped_column(unique=True)
    """Ours, as the provider knows it (out_trade_no); for unclaimed money, whatever stood there."""
    origin: Mapped[str] = mapped_column(default=PaymentOrigin.ORDER)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("payment_orders.id"))
    channel: Mapped[str]
    merchant: Mapped[str]
    miniprogram: Mapped[str]
    """Code of the mini-program, or of the other way that it came by."""
    amount_fen: Mapped[int]
    """What we asked for; for unclaimed money, what came. What really came stands in the transfers."""
    state: Mapped[str] = mapped_column(default=PaymentState.CREATED)
    request_sealed: Mapped[bytes | None]
    """The frozen request: the same bytes on every retry, so that a retry can never ask for something else."""
    handle: Mapped[str | None]
    """prepay_id or trade_no, for the phone."""
    provider_payment_no: Mapped[str | None]
    paid_at: Mapped[datetime | None]
    refunded_fen: Mapped[int] = mapped_column(default=0, server_default="0")
    """Known to have gone back to the payer."""
    told_refunded_fen: Mapped[int] = mapped_column(default=0, server_default="0")
    """The highest sum of all its refunds that the provider told (Alipay counts them together); 0 where it never did."""
    asks: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often silence made us ask."""
    next_ask_at: Mapped[datetime | None]
    last_asked_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    order: Mapped[PaymentOrder | None] = relationship(lazy="raise")

    @classmethod
    def request_place(cls, row_id: uuid.UUID) -> str:
        return cls.place_of("request_sealed", row_id)

    @property
    def is_live(self) -> bool:
        return self.state in (_P.CREATED, _P.OPEN)

    def open(self, *, handle: str | None, who: str, at: datetime) -> None:
        self._move(_P.OPEN, who=who, at=at)
        self.handle = handle

    def close(self, *, who: str, at: datetime, why: str | None = None) -> None:
        self._move(_P.CLOSED, who=who, at=at, why=why)
        self.next_ask_at = None
