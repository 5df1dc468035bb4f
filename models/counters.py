"""What windows and bank counters add to an order: who stood there, at which window, with which paper; and what a bank reported."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, one_of
from models.identity import CounterDocument


class CounterOrder(Base):
    """An order that one of the staff made for somebody at a window, to be paid at its terminal (R-CZ-56)."""

    __tablename__ = "counter_orders"
    __table_args__ = (one_of(CounterDocument, "document"), Index(None, "created_at"))

    order_id: Mapped[int] = mapped_column(ForeignKey("payment_orders.id"), primary_key=True)
    region: Mapped[str]
    site: Mapped[str]
    """The agency's code: which window."""
    document: Mapped[str]
    """Which paper the person showed. Its number is nowhere kept: the person was found by it."""
    made_by: Mapped[str]
    created_at: Mapped[datetime]


class CounterMeans(StrEnum):
    """With what somebody paid at a bank's counter (R-CZ-58)."""

    CASH = "CASH"
    CARD = "CARD"


class CounterPayment(Base):
    """What a bank reported under one serial number of its own: taken, or refused before it was. Told once, the answer stays."""

    __tablename__ = "counter_payments"
    __table_args__ = (
        one_of(CounterMeans, "means"),
        UniqueConstraint("way", "serial"),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("(refusal IS NULL) = (notified_as IS NOT NULL)", name="refused_or_notified"),
        CheckConstraint("refusal IS NOT NULL OR request_hash IS NOT NULL", name="taken_as_reported"),
        Index(None, "order_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    way: Mapped[str]
    """Code of the bank's counters in the partners file."""
    serial: Mapped[str]
    """The bank's own number of it."""
    request_hash: Mapped[bytes | None]
    """Of what was reported, ids in place of people. None: the bank asked about it before it reported anything."""
    refusal: Mapped[str | None]
    """Code of the refusal that it met; then no money of it is ours."""
    notified_as: Mapped[str | None]
    """The payment number under which its money got into the inbox."""
    order_id: Mapped[int | None] = mapped_column(ForeignKey("payment_orders.id"))
    """None also where nobody of ours was to be found: then it stands with the unknown."""
    amount_fen: Mapped[int | None]
    means: Mapped[str | None]
    site: Mapped[str | None]
    """The bank's number of the branch."""
    taken_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class PartnerNonce(Base):
    """A request that a partner signed, so that nobody sends it again."""

    __tablename__ = "partner_nonces"

    way: Mapped[str] = mapped_column(primary_key=True)
    nonce: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]

    __table_args__ = (Index(None, "at"),)
