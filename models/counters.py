"""What windows and bank counters add to an order: who stood there, at which window, with which paper."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
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
