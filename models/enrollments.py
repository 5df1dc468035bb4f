"""Enrolments: who is insured in what, where, in which tier, from when. Changed by an approved application or the registrar's feed alone."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, object_session, relationship

from models.base import NUMBER_BY_DATABASE, Base, Moves, Stateful, one_of
from models.people import Person


class EnrollmentState(StrEnum):
    """NONE → ACTIVE → SUSPENDED ↔ ACTIVE → TERMINATED | RETIRED (domain §8.4; AAC008, AAC031 in the feed)."""

    NONE = "NONE"
    """Written down and not opened yet: no row rests here."""
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    TERMINATED = "TERMINATED"
    RETIRED = "RETIRED"


_E = EnrollmentState


class Enrollment(Stateful, Base):
    """One person in one insurance in one pooling area."""

    __tablename__ = "enrollments"
    __table_args__ = (
        one_of(EnrollmentState),
        UniqueConstraint("person_id", "insurance_type", "pooling_area"),
        CheckConstraint("end_month IS NULL OR end_month >= start_month", name="months_in_order"),
        CheckConstraint("mod(start_month, 100) BETWEEN 1 AND 12", name="start_month_is_a_month"),
        CheckConstraint("mod(end_month, 100) BETWEEN 1 AND 12", name="end_month_is_a_month"),
        CheckConstraint("tier IS NOT NULL OR declared_wage_fen IS NOT NULL", name="has_a_base"),
        CheckConstraint("months_elsewhere >= 0", name="months_elsewhere_not_negative"),
        Index(None, "region", "insurance_type", "state"),
        Index("ix_enrollments_suspended", "id", postgresql_where=text("state = 'SUSPENDED' AND end_month IS NOT NULL")),
    )
    MOVES: ClassVar[Moves] = Moves(
        "enrollment",
        {
            (_E.NONE, _E.ACTIVE): "enrollment.opened",
            (_E.ACTIVE, _E.SUSPENDED): "enrollment.suspended",
            (_E.SUSPENDED, _E.ACTIVE): "enrollment.resumed",
            (_E.ACTIVE, _E.TERMINATED): "enrollment.terminated",
            (_E.SUSPENDED, _E.TERMINATED): "enrollment.terminated",
            (_E.ACTIVE, _E.RETIRED): "enrollment.retired",
            (_E.SUSPENDED, _E.RETIRED): "enrollment.retired",
            # Somebody who had left for good enrols anew, in the same area: there is one row for the two (see the unique key).
            (_E.TERMINATED, _E.ACTIVE): "enrollment.opened_again",
        },
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    enrollment_no: Mapped[str] = mapped_column(unique=True, server_default=text(NUMBER_BY_DATABASE))
    """How the phone names it."""
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("persons.id"))
    region: Mapped[str]
    pooling_area: Mapped[str]
    insurance_type: Mapped[str]
    """AAE140: 110 pension, 310 medical."""
    tier_plan: Mapped[str | None]
    """The plan the tier belongs to; empty: the region's default plan.

    This plan, tier and wage are the registrar's last word. Which of them a month is billed by is told by `enrollment_tiers`, where
    the enrolment has rows there.
    """
    tier: Mapped[str | None]
    declared_wage_fen: Mapped[int | None]
    """The wage declared at enrolment, in fen a month, where the plan takes one."""
    state: Mapped[str] = mapped_column(default=EnrollmentState.NONE)
    start_month: Mapped[int]
    """First coverage month, YYYYMM, of the run of months that this row speaks of; earlier runs stand in EnrollmentPeriod."""
    end_month: Mapped[int | None]
    """First month no longer covered, YYYYMM."""
    months_elsewhere: Mapped[int | None]
    """How many months of this insurance and area the registrar counts that were not paid here: by an employer, at a counter, before a
    move (R-XJ-03, R-XJ-06). Empty: the registrar has not said."""
    agency: Mapped[str | None]
    """The agency to which the person's affairs are entrusted (R-CZ-18)."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    person: Mapped[Person] = relationship(lazy="raise")

    # Verbs. Months are first months: from this one on it is so. Bills are the caller's affair, in the same transaction.

    def open(
        self, *, tier_plan: str | None, tier: str | None, declared_wage_fen: int | None, agency: str | None,
        from_month: int, who: str, at: datetime,
    ) -> None:  # fmt: skip
        """参保: covered from this month on. One that had ended for good begins a new run of months."""
        if self.state == _E.TERMINATED:
            self._keep_period(from_month)
        self._move(_E.ACTIVE, who=who, at=at)
        self._declare(tier_plan=tier_plan, tier=tier, declared_wage_fen=declared_wage_fen, agency=agency)
        self.start_month, self.end_month, self.updated_at = from_month, None, at

    def resume(
        self, *, tier_plan: str | None, tier: str | None, declared_wage_fen: int | None, agency: str | None,
        from_month: int, who: str, at: datetime,
    ) -> None:  # fmt: skip
        """续保: contributions go on from this month. Without a gap it is the same run of months."""
        if self.end_month != from_month:
            self._keep_period(from_month)
            self.start_month = from_month
        self._move(_E.ACTIVE, who=who, at=at)
        self._declare(tier_plan=tier_plan, tier=tier, declared_wage_fen=declared_wage_fen, agency=agency)
        self.end_month, self.updated_at = None, at

    def suspend(self, *, from_month: int, who: str, at: datetime) -> None:
        """停保: no longer covered from this month on; what was covered before stays so."""
        self._move(_E.SUSPENDED, who=who, at=at)
        self.end_month, self.updated_at = from_month, at

    def terminate(self, *, from_month: int, who: str, at: datetime) -> None:
        """For good: death, settling abroad, an employer's insurance (AAC031 3). A run that ended sooner stays as it ended."""
        self._move(_E.TERMINATED, who=who, at=at)
        self.end_month, self.updated_at = min(self.end_month or from_month, from_month), at

    def retire(self, *, from_month: int, who: str, at: datetime) -> None:
        """The pension begins with this month. A run that ended sooner stays as it ended."""
        self._move(_E.RETIRED, who=who, at=at)
        self.end_month, self.updated_at = min(self.end_month or from_month, from_month), at

    def covers(self, month: int) -> bool:
        """Whether the present run of months holds this one, YYYYMM."""
        return self.start_month <= month and (self.end_month is None or month < self.end_month)

    def _declare(self, *, tier_plan: str | None, tier: str | None, declared_wage_fen: int | None, agency: str | None) -> None:
        self.tier_plan, self.tier, self.declared_wage_fen = tier_plan, tier, declared_wage_fen
        self.agency = agency or self.agency

    def _keep_period(self, before: int) -> None:
        """The run of months so far, written down before another begins. A run of no months leaves no trace."""
        # Of a feed that says suspended and not since when, the run ends where the next begins: its bills were nobody's mistake.
        end = self.end_month or before
        session = object_session(self)
        if session is not None and self.start_month < end:
            session.add(EnrollmentPeriod(enrollment_id=self.id, start_month=self.start_month, end_month=end))


class EnrollmentPeriod(Base):
    """An earlier run of months of an enrolment, ended by a suspension; the present one stands on the enrolment itself."""

    __tablename__ = "enrollment_periods"
    __table_args__ = (
        UniqueConstraint("enrollment_id", "start_month"),
        CheckConstraint("end_month > start_month", name="months_in_order"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    enrollment_id: Mapped[int] = mapped_column(ForeignKey("enrollments.id"))
    start_month: Mapped[int]
    end_month: Mapped[int]
    """First month no longer covered, YYYYMM."""


class TierSource(StrEnum):
    """By whose word a tier began."""

    RECORD = "RECORD"
    """What the enrolment said until its first change: from its first month on."""
    REGISTRAR = "REGISTRAR"
    PERSON = "PERSON"


class EnrollmentTier(Base):
    """From which month on an enrolment is in which tier. Only ever added to.

    A month has the tier of the newest row that begins with it or earlier; an enrolment without rows never changed its tier.
    """

    __tablename__ = "enrollment_tiers"
    __table_args__ = (
        one_of(TierSource, "source"),
        CheckConstraint("mod(from_month, 100) BETWEEN 1 AND 12", name="from_month_is_a_month"),
        CheckConstraint("tier IS NOT NULL OR declared_wage_fen IS NOT NULL", name="has_a_base"),
        Index(None, "enrollment_id", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    enrollment_id: Mapped[int] = mapped_column(ForeignKey("enrollments.id"))
    from_month: Mapped[int]
    """First coverage month of this tier, YYYYMM."""
    tier_plan: Mapped[str | None]
    tier: Mapped[str | None]
    declared_wage_fen: Mapped[int | None]
    source: Mapped[str]
    created_at: Mapped[datetime]
