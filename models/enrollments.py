"""Enrolments: who is insured in what, where, in which tier, from when. Changed only by the registrar's word."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import NUMBER_BY_DATABASE, Base, one_of
from models.people import Person


class EnrollmentState(StrEnum):
    """The registrar's state of an enrolment (AAC008, AAC031)."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    TERMINATED = "TERMINATED"
    RETIRED = "RETIRED"


class Enrollment(Base):
    """One person in one insurance in one pooling area."""

    __tablename__ = "enrollments"
    __table_args__ = (
        one_of(EnrollmentState),
        UniqueConstraint("person_id", "insurance_type", "pooling_area"),
        CheckConstraint("end_month IS NULL OR end_month >= start_month", name="months_in_order"),
        CheckConstraint("mod(start_month, 100) BETWEEN 1 AND 12", name="start_month_is_a_month"),
        CheckConstraint("mod(end_month, 100) BETWEEN 1 AND 12", name="end_month_is_a_month"),
        CheckConstraint("tier IS NOT NULL OR declared_wage_fen IS NOT NULL", name="has_a_base"),
        Index(None, "region", "insurance_type", "state"),
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
    state: Mapped[str]
    start_month: Mapped[int]
    """First coverage month, YYYYMM."""
    end_month: Mapped[int | None]
    """First month no longer covered, YYYYMM."""
    agency: Mapped[str | None]
    """The agency to which the person's affairs are entrusted (R-CZ-18)."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    person: Mapped[Person] = relationship(lazy="raise")


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
