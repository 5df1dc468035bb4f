"""Refunds: money that goes back to whoever paid it, ordered by us or seen at the provider, and the case that led to it."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, Date, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Moves, Stateful, one_of


class RefundState(StrEnum):
    """APPLIED → APPROVED → SENT → REFUNDED | ABNORMAL | FAILED at the provider; after the treasury has the money
    APPLIED → HRSS_REVIEW → TAX_REVIEW → TREASURY → REFUNDED (domain §8.4); what the provider sent back unasked goes straight from
    APPLIED to REFUNDED, since only the books follow; REJECTED wherever a person says no.
    """

    APPLIED = "APPLIED"
    APPROVED = "APPROVED"
    """Decided and booked; the provider has not been told, or nobody knows whether it has."""
    SENT = "SENT"
    """The provider took it on."""
    ABNORMAL = "ABNORMAL"
    """The payer's card takes no money back. Not over: a person acts at the provider."""
    HRSS_REVIEW = "HRSS_REVIEW"
    TAX_REVIEW = "TAX_REVIEW"
    TREASURY = "TREASURY"
    REFUNDED = "REFUNDED"
    FAILED = "FAILED"
    """The provider ended it without moving money: it is owed as before, and another refund may be ordered."""
    REJECTED = "REJECTED"


class RefundOrigin(StrEnum):
    ORDERED = "ORDERED"
    SEEN = "SEEN"
    """The provider did it and we had not asked."""


class RefundRoad(StrEnum):
    PROVIDER = "PROVIDER"
    TREASURY = "TREASURY"
    """退库: the treasury has the money and returns it itself (domain §5.5)."""
    REVERSAL = "REVERSAL"
    """冲正: the provider sent it back unasked; no money moves any more, and the months follow in the books."""


class RefundReason(StrEnum):
    DUPLICATE = "DUPLICATE"
    """重复缴费: the month was paid twice."""
    OVERPAID = "OVERPAID"
    """Not the amount that was asked for."""
    WRONG_PERSON = "WRONG_PERSON"
    """Paid for somebody else by mistake: their month is owed again."""
    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    EMPLOYER_OVERLAP = "EMPLOYER_OVERLAP"
    """An employer paid the same month."""
    DEATH = "DEATH"
    UNCLAIMED = "UNCLAIMED"
    """Money without an order of ours."""


_R = RefundState
AT_THE_PROVIDER = (_R.APPROVED, _R.SENT, _R.ABNORMAL)
"""Ordered there, or about to be, and not known to have moved."""


class Refund(Stateful, Base):
    __tablename__ = "refunds"
    __table_args__ = (
        one_of(RefundState),
        one_of(RefundOrigin, "origin"),
        one_of(RefundRoad, "road"),
        one_of(RefundReason, "reason"),
        # The idempotency key at the provider: a retry under the same number is the same refund.
        UniqueConstraint("payment_id", "refund_no"),
        Index(None, "refund_no"),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("(state = 'REFUNDED') = (refunded_at IS NOT NULL)", name="refunded_at_a_time"),
        CheckConstraint("origin = 'SEEN' OR (reason IS NOT NULL AND applied_by IS NOT NULL)", name="ordered_for_a_reason"),
        Index(None, "next_ask_at", postgresql_where=text("next_ask_at IS NOT NULL")),
        # What is not over is little among all that ever went back, and is looked for all day.
        Index("ix_refunds_open", "id", postgresql_where=text("state NOT IN ('REFUNDED', 'REJECTED')")),
    )
    MOVES: ClassVar[Moves] = Moves(
        "refund",
        {
            (_R.APPLIED, _R.APPROVED): "refund.approved",
            (_R.APPLIED, _R.HRSS_REVIEW): "refund.passed_on",
            (_R.APPLIED, _R.REFUNDED): "refund.reversed",
            (_R.APPLIED, _R.REJECTED): "refund.rejected",
            (_R.HRSS_REVIEW, _R.TAX_REVIEW): "refund.registrar_agreed",
            (_R.HRSS_REVIEW, _R.REJECTED): "refund.rejected",
            (_R.TAX_REVIEW, _R.TREASURY): "refund.tax_agreed",
            (_R.TAX_REVIEW, _R.REJECTED): "refund.rejected",
            (_R.TREASURY, _R.REFUNDED): "refund.done",
            (_R.TREASURY, _R.REJECTED): "refund.rejected",
            (_R.APPROVED, _R.SENT): "refund.sent",
            (_R.APPROVED, _R.REFUNDED): "refund.done",
            (_R.APPROVED, _R.ABNORMAL): "refund.abnormal",
            (_R.APPROVED, _R.FAILED): "refund.failed",
            (_R.SENT, _R.REFUNDED): "refund.done",
            (_R.SENT, _R.ABNORMAL): "refund.abnormal",
            (_R.SENT, _R.FAILED): "refund.failed",
            (_R.ABNORMAL, _R.REFUNDED): "refund.done",
            (_R.ABNORMAL, _R.FAILED): "refund.failed",
            # They said it had failed, and then that it went back. Money that moved is booked.
            (_R.FAILED, _R.REFUNDED): "refund.done_after_all",
        },
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    payment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("payments.id"))
    refund_no: Mapped[str]
    """Ours; for what we only saw, theirs, or whatever told it from the others."""
    provider_refund_no: Mapped[str | None]
    origin: Mapped[str]
    road: Mapped[str] = mapped_column(server_default=RefundRoad.PROVIDER)
    reason: Mapped[str | None]
    words: Mapped[str | None]
    """What the staff wrote about it; nothing of a person."""
    amount_fen: Mapped[int]
    state: Mapped[str] = mapped_column(server_default=RefundState.APPLIED)
    applied_by: Mapped[str | None]
    """`staff:…`, or the step of ours that found it owed."""
    decided_by: Mapped[str | None]
    created_at: Mapped[datetime]
    refunded_at: Mapped[datetime | None]
    asks: Mapped[int] = mapped_column(server_default="0")
    """How often we called the provider about it."""
    next_ask_at: Mapped[datetime | None]
    last_asked_at: Mapped[datetime | None]
    fault: Mapped[str | None]
    """The provider's last word for why not."""
    billed_on: Mapped[date | None] = mapped_column(Date())
    """The day of the provider's bill that has it, as far as a bill had it."""

    lines: Mapped[list[RefundLine]] = relationship(lazy="raise", order_by="RefundLine.id")

    def approve(self, *, who: str, at: datetime, words: str | None = None) -> None:
        """It goes back through the provider, from now on."""
        self._move(_R.APPROVED, who=who, at=at, why=words and f"refund.approved:{words}")
        self.decided_by, self.next_ask_at = who, at

    def pass_on(self, *, who: str, at: datetime, words: str | None = None) -> None:
        """The treasury has the money: registrar, tax authority and treasury decide, each in turn."""
        self._move(_R.HRSS_REVIEW, who=who, at=at, why=words and f"refund.passed_on:{words}")
        self.decided_by = who

    def reverse(self, *, who: str, at: datetime, words: str | None = None) -> None:
        """It went back before anybody asked for it: the books follow."""
        self._move(_R.REFUNDED, who=who, at=at, why=words and f"refund.reversed:{words}")
        self.decided_by, self.refunded_at = who, at

    def agree(self, to: RefundState, *, who: str, at: datetime, words: str) -> None:
        """One step further on the treasury's road, as somebody read it in their answer."""
        self._move(to, who=who, at=at, why=f"{self.MOVES.event(self.state, to)}:{words}")
        if to == _R.REFUNDED:
            self.refunded_at = at

    def reject(self, *, who: str, at: datetime, words: str) -> None:
        self._move(_R.REJECTED, who=who, at=at, why=f"refund.rejected:{words}")
        self.decided_by = who

    def fail(self, *, fault: str, who: str, at: datetime) -> None:
        self._move(_R.FAILED, who=who, at=at, why=f"refund.failed:{fault}")
        self.fault, self.next_ask_at = fault, None


class RefundLine(Base):
    """One account that a refund takes from: a month's bill, or money that settled none."""

    __tablename__ = "refund_lines"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        # A month goes back once.
        Index("uq_refund_lines_bill_id_live", "bill_id", unique=True, postgresql_where=text("live")),
        Index(None, "refund_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    refund_id: Mapped[int] = mapped_column(ForeignKey("refunds.id"))
    bill_id: Mapped[int | None] = mapped_column(ForeignKey("contribution_bills.id"))
    from_account: Mapped[str]
    amount_fen: Mapped[int]
    live: Mapped[bool] = mapped_column(server_default=text("true"))
    """False once the refund failed or was rejected."""
