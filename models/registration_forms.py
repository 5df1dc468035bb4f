"""Registration forms: 《…劳动事务代理申请登记表》, one for each approved application, verifiable by whoever holds the paper."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Moves, Stateful, new_id, new_number, one_of


class FormState(StrEnum):
    NUMBERED = "NUMBERED"
    """It has its serial, and was not handed out yet."""
    PRINTED = "PRINTED"


_F = FormState


class RegistrationForm(Stateful, Base):
    """The serial and the verification code of one form. The paper itself is made anew each time and never kept."""

    __tablename__ = "registration_forms"
    __table_args__ = (one_of(FormState),)
    MOVES: ClassVar[Moves] = Moves(
        "registration_form",
        {
            (_F.NUMBERED, _F.PRINTED): "registration_form.printed",
            # Each print leaves its row in the audit trail, the tenth as well as the first.
            (_F.PRINTED, _F.PRINTED): "registration_form.printed_again",
        },
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("enrollment_applications.id"), unique=True)
    serial: Mapped[str] = mapped_column(unique=True)
    code: Mapped[str] = mapped_column(unique=True, default=new_number)
    """验证码: nothing to guess, so that it shows that whoever names it has seen the paper."""
    state: Mapped[str] = mapped_column(default=FormState.NUMBERED)
    prints: Mapped[int] = mapped_column(default=0)
    made_at: Mapped[datetime]
    printed_at: Mapped[datetime | None]

    def print(self, *, who: str, at: datetime) -> None:
        self._move(_F.PRINTED, who=who, at=at)
        self.prints, self.printed_at = self.prints + 1, at
