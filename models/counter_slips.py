"""Paper slips: what one of the staff copied from a bank's paper and another one confirmed. No bank tells us of that money otherwise."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Moves, Stateful, new_number, one_of


class SlipKind(StrEnum):
    PAYMENT = "PAYMENT"
    """Somebody paid at the counter."""
    PAY_OUT = "PAY_OUT"
    """The bank gave a refund of such money back."""


class SlipState(StrEnum):
    RECORDED = "RECORDED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


_S = SlipState


class CounterSlip(Stateful, Base):
    """One paper. Its money is in the inbox once a second one of the staff has read the same from it."""

    __tablename__ = "counter_slips"
    __table_args__ = (
        one_of(SlipState),
        one_of(SlipKind, "kind"),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("state <> 'APPROVED' OR decided_by <> recorded_by", name="two_people"),
        CheckConstraint("(state = 'RECORDED') = (decided_by IS NULL)", name="decided_by_somebody"),
        CheckConstraint("(kind = 'PAY_OUT') = (refund_no IS NOT NULL)", name="pay_out_of_a_refund"),
        CheckConstraint("kind <> 'PAYMENT' OR cardinality(bill_nos) > 0", name="paid_for_months"),
        # A paper is one payment, however often it is brought.
        Index(
            "uq_counter_slips_serial_live",
            "way",
            "bank",
            "kind",
            "serial",
            unique=True,
            postgresql_where=text("state <> 'REJECTED'"),
        ),
        Index(
            "uq_counter_slips_refund_no_live",
            "refund_no",
            unique=True,
            postgresql_where=text("state <> 'REJECTED' AND refund_no IS NOT NULL"),
        ),
        Index(None, "person_id"),
    )
    MOVES: ClassVar[Moves] = Moves(
        "counter_slip",
        {
            (_S.RECORDED, _S.APPROVED): "slip.approved",
            (_S.RECORDED, _S.REJECTED): "slip.rejected",
        },
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    slip_no: Mapped[str] = mapped_column(unique=True, default=new_number)
    """Ours: what the staff say to each other."""
    kind: Mapped[str]
    way: Mapped[str]
    """Code of the region's slips in the partners file."""
    region: Mapped[str]
    bank: Mapped[str]
    """The code in the region's banks.yaml."""
    serial: Mapped[str]
    """The bank's number of it, as printed."""
    person_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("persons.id"))
    """Whose months; None: a refund of money that was nobody's."""
    bill_nos: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    refund_no: Mapped[str | None]
    amount_fen: Mapped[int]
    paid_on: Mapped[date]
    state: Mapped[str] = mapped_column(default=SlipState.RECORDED)
    recorded_by: Mapped[str]
    decided_by: Mapped[str | None]
    order_id: Mapped[int | None] = mapped_column(ForeignKey("payment_orders.id"))
    """What its money is for, once it is approved."""
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]

    def approve(self, *, who: str, at: datetime, order_id: int | None) -> None:
        """The second one of the staff read the same from the paper."""
        self._move(_S.APPROVED, who=who, at=at)
        self.decided_by, self.decided_at, self.order_id = who, at, order_id

    def reject(self, *, who: str, at: datetime) -> None:
        """It was copied wrongly, or is no paper of a bank's. It can be recorded anew."""
        self._move(_S.REJECTED, who=who, at=at)
        self.decided_by, self.decided_at = who, at
