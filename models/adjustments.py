"""What an annual adjustment could not settle by a bill: months for a person to judge (domain §2.6, delta below zero)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Moves, Stateful, one_of


class ReviewState(StrEnum):
    OPEN = "OPEN"
    RESOLVED = "RESOLVED"


class ReviewReason(StrEnum):
    """Why no bill of ours can settle it."""

    OVERPAID = "OVERPAID"
    """The final figures ask less than was paid: a credit or a refund, which only people may grant."""
    SECOND_SUPPLEMENT = "SECOND_SUPPLEMENT"
    """The month has a paid difference already, and the figures changed once more."""
    PARTS_SHIFT = "PARTS_SHIFT"
    """More is owed in all, and one of the two parts is less than what was paid: no bill has a part below zero."""
    NO_FIGURE = "NO_FIGURE"
    """The final plan no longer has the tier that the month was billed by."""


_R = ReviewState


class AdjustmentReview(Stateful, Base):
    """One paid month, under one set of final figures, that waits for a member of staff (`canbao adjustments`)."""

    __tablename__ = "adjustment_reviews"
    __table_args__ = (
        one_of(ReviewState),
        one_of(ReviewReason, "reason"),
        UniqueConstraint("bill_id", "rule_id"),
        CheckConstraint("(state = 'RESOLVED') = (resolved_at IS NOT NULL)", name="resolved_has_a_moment"),
        Index("ix_adjustment_reviews_open", "id", postgresql_where=text("state = 'OPEN'")),
    )
    MOVES: ClassVar[Moves] = Moves("adjustment_review", {(_R.OPEN, _R.RESOLVED): "adjustment_review.resolved"})

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    bill_id: Mapped[int] = mapped_column(ForeignKey("contribution_bills.id"))
    """The month's NORMAL bill, which is paid."""
    rule_id: Mapped[str]
    """The final figures that ask for another amount."""
    reason: Mapped[str]
    assessed_fen: Mapped[int]
    """What the month's bills came to."""
    owed_fen: Mapped[int | None]
    """What the final figures ask for; none where they have no figure for the tier."""
    state: Mapped[str] = mapped_column(server_default=ReviewState.OPEN)
    created_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]

    def resolve(self, *, reason: str, who: str, at: datetime) -> None:
        """A member of staff dealt with it; `reason` says how."""
        self._move(_R.RESOLVED, who=who, at=at, why=f"adjustment_review.resolved:{reason}")
        self.resolved_at = at
