"""Bills (what a month costs) and contribution records (what a month was paid)."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, Computed, Date, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import NUMBER_BY_DATABASE, Base, Moves, Stateful, one_of
from models.enrollments import Enrollment


class BillKind(StrEnum):
    NORMAL = "NORMAL"
    SUPPLEMENT = "SUPPLEMENT"
    """补差: the difference after a base became final."""


class BillState(StrEnum):
    """UNPAID → LOCKED → PAID → TAX_CONFIRMED → POSTED; UNPAID → VOID; any paid → REFUNDING → REFUNDED (domain §8.4).

    A refund that did not come about leads back; a month that was paid for the wrong person goes on to VOID, and is billed anew.
    """

    UNPAID = "UNPAID"
    LOCKED = "LOCKED"
    PAID = "PAID"
    TAX_CONFIRMED = "TAX_CONFIRMED"
    POSTED = "POSTED"
    VOID = "VOID"
    REFUNDING = "REFUNDING"
    REFUNDED = "REFUNDED"


_B = BillState


class BillReason(StrEnum):
    """Why a bill was issued beside or in place of a month's first one."""

    BASE_ADJUSTMENT = "BASE_ADJUSTMENT"
    """The year's base became final (domain §2.6)."""


class ContributionBill(Stateful, Base):
    """What one enrolment owes for one coverage month. Amounts are fen and frozen; a mistake is a void and a new bill."""

    __tablename__ = "contribution_bills"
    __table_args__ = (
        one_of(BillState),
        one_of(BillKind, "kind"),
        one_of(BillReason, "reason"),
        CheckConstraint("account_part_fen + pooling_part_fen = amount_fen", name="parts_sum"),
        CheckConstraint("amount_fen > 0 AND account_part_fen >= 0 AND pooling_part_fen >= 0", name="amounts_positive"),
        CheckConstraint("late_fee_fen = 0", name="no_late_fee"),
        CheckConstraint("mod(coverage_month, 100) BETWEEN 1 AND 12", name="coverage_month_is_a_month"),
        Index(
            "uq_contribution_bills_live",
            "enrollment_id",
            "coverage_month",
            "kind",
            unique=True,
            # Not the state itself: a month's many moves would then rewrite every index of the row (no HOT update).
            postgresql_where=text("NOT voided"),
        ),
        {"postgresql_with": {"fillfactor": 90}},
    )
    MOVES: ClassVar[Moves] = Moves(
        "contribution_bill",
        {
            (_B.UNPAID, _B.LOCKED): "bill.locked",
            (_B.LOCKED, _B.UNPAID): "bill.unlocked",
            (_B.LOCKED, _B.PAID): "bill.paid",
            (_B.UNPAID, _B.PAID): "bill.paid_late",
            (_B.UNPAID, _B.VOID): "bill.voided",
            (_B.PAID, _B.TAX_CONFIRMED): "bill.tax_confirmed",
            (_B.TAX_CONFIRMED, _B.POSTED): "bill.posted",
            (_B.PAID, _B.REFUNDING): "bill.refunding",
            (_B.TAX_CONFIRMED, _B.REFUNDING): "bill.refunding",
            (_B.POSTED, _B.REFUNDING): "bill.refunding",
            (_B.REFUNDING, _B.REFUNDED): "bill.refunded",
            (_B.REFUNDING, _B.PAID): "bill.not_refunded",
            (_B.REFUNDING, _B.TAX_CONFIRMED): "bill.not_refunded",
            (_B.REFUNDING, _B.POSTED): "bill.not_refunded",
            (_B.REFUNDED, _B.VOID): "bill.owed_again",
        },
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    bill_no: Mapped[str] = mapped_column(unique=True, server_default=text(NUMBER_BY_DATABASE))
    enrollment_id: Mapped[int] = mapped_column(ForeignKey("enrollments.id"))
    insurance_type: Mapped[str]
    region: Mapped[str]
    authority: Mapped[str]
    """Who collects it; one order's bills share one."""
    coverage_month: Mapped[int]
    """费款所属期, YYYYMM. Never inferred from when it was paid."""
    kind: Mapped[str] = mapped_column(server_default=BillKind.NORMAL)
    reason: Mapped[str | None]
    """Why it was issued later than the month's first bill; none on that one."""
    rule_id: Mapped[str]
    """Which figures, in which version, made this amount."""
    tier_plan: Mapped[str]
    tier: Mapped[str | None]
    base_fen: Mapped[int | None]
    """The contribution base, fen a month; none where the plan names an amount instead."""
    amount_fen: Mapped[int]
    account_part_fen: Mapped[int]
    pooling_part_fen: Mapped[int]
    late_fee_fen: Mapped[int] = mapped_column(server_default="0")
    """Always 0: 社会保险法 Art 86 speaks to employers; the column serves exchange (AAB204)."""
    provisional: Mapped[bool] = mapped_column(server_default=text("false"))
    """On last year's figures until this year's are final; a difference may follow (补差)."""
    sample: Mapped[bool] = mapped_column(server_default=text("false"))
    """示例金额: a figure nobody confirmed, for the sandbox only."""
    state: Mapped[str] = mapped_column(server_default=BillState.UNPAID)
    voided: Mapped[bool] = mapped_column(Computed("state = 'VOID'", persisted=True))
    """Derived by the database: one live bill a month means one that is not voided."""
    issued_at: Mapped[datetime]

    enrollment: Mapped[Enrollment] = relationship(lazy="raise")

    def lock(self, *, who: str, at: datetime) -> None:
        """Reserved by an order; nobody else may pay it meanwhile."""
        self._move(_B.LOCKED, who=who, at=at)

    def void(self, *, why: str, who: str, at: datetime) -> None:
        """Owed no longer; a new one may follow."""
        self._move(_B.VOID, who=who, at=at, why=f"{self.MOVES.event(_B.UNPAID, _B.VOID)}:{why}")

    def refund(self, *, who: str, at: datetime) -> None:
        """Its money is on its way back; nothing else is done with it meanwhile."""
        self._move(_B.REFUNDING, who=who, at=at)

    def keep(self, was: BillState, *, who: str, at: datetime) -> None:
        """The refund did not come about."""
        self._move(was, who=who, at=at)

    def end_refunded(self, *, owed_again: bool, who: str, at: datetime) -> None:
        """The money is back. `owed_again`: it was paid for the wrong person, so the month itself is billed anew."""
        self._move(_B.REFUNDED, who=who, at=at)
        if owed_again:
            self._move(_B.VOID, who=who, at=at)


class RecordState(StrEnum):
    PAID = "PAID"
    TAX_CONFIRMED = "TAX_CONFIRMED"
    POSTED = "POSTED"
    REVERSED = "REVERSED"


class ContributionRecord(Base):
    """A month that was paid. Three facts, three times: the provider's, the tax authority's, the registrar's (R-CZ-50)."""

    __tablename__ = "contribution_records"
    __table_args__ = (
        one_of(RecordState),
        # The last line of defence: whatever runs twice, a month is paid once.
        Index(
            "uq_contribution_records_live",
            "enrollment_id",
            "coverage_month",
            "kind",
            unique=True,
            postgresql_where=text("state <> 'REVERSED'"),
        ),
        # What went back is little, and a list may come once more to what it said of it.
        Index(
            "ix_contribution_records_reversed", "enrollment_id", "coverage_month", postgresql_where=text("state = 'REVERSED'")
        ),
        # Those that wait for the tax authority are few, and a sweep looks for the oldest.
        Index("ix_contribution_records_unconfirmed", "paid_at", postgresql_where=text("state = 'PAID'")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    enrollment_id: Mapped[int] = mapped_column(ForeignKey("enrollments.id"))
    insurance_type: Mapped[str]
    coverage_month: Mapped[int]
    kind: Mapped[str]
    bill_id: Mapped[int] = mapped_column(ForeignKey("contribution_bills.id"))
    payment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("payments.id"))
    amount_fen: Mapped[int]
    state: Mapped[str]
    paid_at: Mapped[datetime]
    tax_confirmed_at: Mapped[datetime | None]
    """When the tax authority's list was read that has it."""
    tax_receipt_no: Mapped[str | None]
    """电子税票号; one may cover several months of one person."""
    treasury_on: Mapped[date | None] = mapped_column(Date())
    """入库日期, as the list says."""
    posted_at: Mapped[datetime | None]
    posted_on: Mapped[date | None] = mapped_column(Date())
    """记账日期, as the registrar says."""

    def reverse(self) -> None:
        """The month's money went back. The row stays, for whoever asks what became of it."""
        self.state = RecordState.REVERSED
