"""Who opened whose sealed data, when and what for."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class PersonalDataAccess(Base):
    __tablename__ = "personal_data_accesses"
    __table_args__ = (Index(None, "subject_table", "subject_id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    subject_table: Mapped[str]
    subject_id: Mapped[uuid.UUID]
    columns: Mapped[str]
    purpose: Mapped[str]
    who: Mapped[str]
    at: Mapped[datetime]
