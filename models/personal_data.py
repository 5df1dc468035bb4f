"""Requests about one's own data: a copy, a correction, a deletion (PIPL Art 44–50)."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Moves, Stateful, new_id, one_of


class RequestKind(StrEnum):
    COPY = "COPY"
    CORRECT = "CORRECT"
    DELETE = "DELETE"


class RequestState(StrEnum):
    """How far a request has come. What the law keeps is answered with DONE and a reason, never left out in silence."""

    RECEIVED = "RECEIVED"
    DONE = "DONE"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"


_R = RequestState


class PersonalDataRequest(Stateful, Base):
    """One wish of one account about its own data, and what became of it."""

    __tablename__ = "personal_data_requests"
    __table_args__ = (
        one_of(RequestKind, "kind"),
        one_of(RequestState),
        Index(
            "uq_personal_data_requests_account_id_kind_open",
            "account_id",
            "kind",
            unique=True,
            postgresql_where=text("state = 'RECEIVED'"),
        ),
        Index(None, "account_id", "created_at"),
    )
    MOVES: ClassVar[Moves] = Moves(
        "personal_data_request",
        {
            (_R.RECEIVED, _R.DONE): "personal_data_request.done",
            (_R.RECEIVED, _R.REFUSED): "personal_data_request.refused",
            (_R.RECEIVED, _R.WITHDRAWN): "personal_data_request.withdrawn",
        },
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    person_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("persons.id"))
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(default=RequestState.RECEIVED)
    wish_sealed: Mapped[bytes | None]
    """What should be corrected, in the person's own words."""
    answer: Mapped[str | None]
    """What was done, what stays and why, in the words for the person."""
    answered_by: Mapped[str | None]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    @classmethod
    def wish_place(cls, row_id: uuid.UUID) -> str:
        return cls.place_of("wish_sealed", row_id)

    def finish(self, outcome: RequestState, *, answer: str, who: str, at: datetime) -> None:
        """Done, refused with its reason, or taken back."""
        self._move(outcome, who=who, at=at)
        self.answer, self.answered_by, self.finished_at = answer, who, at
