"""Payment orders: some bills of one insured person, reserved for one way of paying them, at one merchant."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.accounts import Account
from models.base import Base, Moves, Stateful, new_number, one_of
from models.bills import ContributionBill
from models.people import Person


class OrderState(StrEnum):
    """CREATED → PREPAY → PAID | CLOSED; UNKNOWN while the provider's answer is missing (domain §8.4)."""

    CREATED = "CREATED"
    PREPAY = "PREPAY"
    UNKNOWN = "UNKNOWN"
    PAID = "PAID"
    CLOSED = "CLOSED"


class OrderOrigin(StrEnum):
    """How it came about. What none of our phones placed has an order all the same: then its money is booked as all money is."""

    PHONE = "PHONE"
    DEBIT = "DEBIT"
    """A line of a debit batch (扣款)."""
    POS = "POS"
    """At a window with a UnionPay terminal (R-CZ-56)."""
    COUNTER = "COUNTER"
    """At a bank's counter, or by a slip from one (R-CZ-57, R-CZ-58)."""
    TAX = "TAX"
    """Only the tax authority's list told us of it (domain §5.5, TAX_EXTRA)."""


_O = OrderState


class PaymentOrder(Stateful, Base):
    __tablename__ = "payment_orders"
    __table_args__ = (
        one_of(OrderState),
        one_of(OrderOrigin, "origin"),
        CheckConstraint("origin <> 'PHONE' OR payer_account_id IS NOT NULL", name="phone_of_somebody"),
        CheckConstraint("total_fen > 0", name="total_positive"),
        Index(None, "payer_account_id", "created_at"),
        Index(None, "person_id"),
        {"postgresql_with": {"fillfactor": 90}},
    )
    MOVES: ClassVar[Moves] = Moves(
        "payment_order",
        {
            (_O.CREATED, _O.PREPAY): "order.opened",
            (_O.UNKNOWN, _O.PREPAY): "order.opened",
            (_O.CREATED, _O.UNKNOWN): "order.in_doubt",
            (_O.CREATED, _O.PAID): "order.paid",
            (_O.PREPAY, _O.PAID): "order.paid",
            (_O.UNKNOWN, _O.PAID): "order.paid",
            (_O.CLOSED, _O.PAID): "order.paid_late",
            (_O.CREATED, _O.CLOSED): "order.closed",
            (_O.PREPAY, _O.CLOSED): "order.closed",
            (_O.UNKNOWN, _O.CLOSED): "order.closed",
        },
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    order_no: Mapped[str] = mapped_column(unique=True, default=new_number)
    origin: Mapped[str] = mapped_column(server_default=OrderOrigin.PHONE)
    payer_account_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("accounts.id"))
    """Who is told what becomes of it: whoever pays on the phone, or whose card is debited. None: nobody of ours."""
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("persons.id"))
    """The insured person, who need not be the payer."""
    is_strangers: Mapped[bool]
    """Placed by somebody else than the insured person: it lapses sooner and yields to them."""
    miniprogram: Mapped[str]
    """Code of the mini-program, or of the other way that it is paid by: `ports.payments` knows both."""
    merchant: Mapped[str]
    authority: Mapped[str]
    total_fen: Mapped[int]
    """Sum of the lines when the order was placed; frozen, in fen."""
    state: Mapped[str] = mapped_column(default=OrderState.CREATED)
    closed_why: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    payer: Mapped[Account | None] = relationship(lazy="raise")
    person: Mapped[Person] = relationship(lazy="raise")
    lines: Mapped[list[OrderLine]] = relationship(lazy="raise", back_populates="order", order_by="OrderLine.bill_id")

    @property
    def is_live(self) -> bool:
        """May still be paid, as far as we know."""
        return self.state in (_O.CREATED, _O.PREPAY, _O.UNKNOWN)

    def open(self, *, who: str, at: datetime) -> None:
        """It stands at the provider and the phone can pay it."""
        self._move(_O.PREPAY, who=who, at=at)

    def doubt(self, *, who: str, at: datetime) -> None:
        """We asked the provider to open it and do not know whether they did."""
        self._move(_O.UNKNOWN, who=who, at=at)

    def close(self, *, why: str, who: str, at: datetime) -> None:
        """Only after the provider said that it can no longer be paid."""
        self._move(_O.CLOSED, who=who, at=at, why=why)
        self.closed_why = why


class OrderLine(Base):
    """One bill in one order. `live` lines reserve: the database itself allows one live order a bill."""

    __tablename__ = "payment_order_lines"
    __table_args__ = (Index("uq_payment_order_lines_bill_id_live", "bill_id", unique=True, postgresql_where=text("live")),)

    order_id: Mapped[int] = mapped_column(ForeignKey("payment_orders.id"), primary_key=True)
    bill_id: Mapped[int] = mapped_column(ForeignKey("contribution_bills.id"), primary_key=True)
    amount_fen: Mapped[int]
    live: Mapped[bool] = mapped_column(default=True)
    """From the order's making until it closes; a paid order's lines stay live."""

    order: Mapped[PaymentOrder] = relationship(lazy="raise", back_populates="lines")
    bill: Mapped[ContributionBill] = relationship(lazy="raise")
