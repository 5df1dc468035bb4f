"""Reviews: when one of the staff may decide against the rules, and which of the staff is which person."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Moves, Stateful, new_id, one_of


class OverrideState(StrEnum):
    ASKED = "ASKED"
    GRANTED = "GRANTED"
    REFUSED = "REFUSED"
    LAPSED = "LAPSED"
    """The application was decided, returned or put back without it."""


_O = OverrideState


class ReviewOverride(Stateful, Base):
    """An approval that the rules alone would not give: one of the staff asks, a second one grants it, and it holds for one version."""

    __tablename__ = "review_overrides"
    __table_args__ = (
        one_of(OverrideState),
        CheckConstraint("decided_by IS NULL OR decided_by <> asked_by", name="two_people"),
        CheckConstraint("state NOT IN ('GRANTED', 'REFUSED') OR decided_by IS NOT NULL", name="decided_by_somebody"),
        CheckConstraint("cardinality(problems) > 0", name="about_something"),
        Index(
            "uq_review_overrides_application_id_open",
            "application_id",
            unique=True,
            postgresql_where=text("state IN ('ASKED', 'GRANTED')"),
        ),
    )
    MOVES: ClassVar[Moves] = Moves(
        "review_override",
        {
            (_O.ASKED, _O.GRANTED): "review_override.granted",
            (_O.ASKED, _O.REFUSED): "review_override.refused",
            (_O.ASKED, _O.LAPSED): "review_override.lapsed",
            (_O.GRANTED, _O.LAPSED): "review_override.lapsed",
        },
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("enrollment_applications.id", ondelete="CASCADE"))
    version: Mapped[int]
    """Of the application: what was changed since is another case."""
    problems: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """The codes that stand in the way, as they were when it was asked for. A new one is not covered."""
    reason: Mapped[str]
    """Why all the same, in the words of whoever asked; without names and numbers."""
    state: Mapped[str] = mapped_column(default=OverrideState.ASKED)
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    finished_at: Mapped[datetime | None]

    def grant(self, *, who: str, at: datetime) -> None:
        """By a second person; the database refuses the first one's own number."""
        self._decide(_O.GRANTED, who=who, at=at)

    def refuse(self, *, who: str, at: datetime) -> None:
        self._decide(_O.REFUSED, who=who, at=at)

    def lapse(self, *, who: str, at: datetime) -> None:
        self._move(_O.LAPSED, who=who, at=at)
        self.finished_at = at

    def _decide(self, to: OverrideState, *, who: str, at: datetime) -> None:
        self._move(to, who=who, at=at)
        self.decided_by, self.finished_at = who, at


class StaffPerson(Base):
    """Which person one of the staff is, by ID number alone: so that nobody reviews their own affairs."""

    __tablename__ = "staff_persons"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    who: Mapped[str] = mapped_column(unique=True)
    """`staff:…`."""
    id_number_sealed: Mapped[bytes]
    id_number_index: Mapped[bytes]
    noted_by: Mapped[str]
    noted_at: Mapped[datetime]
