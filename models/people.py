"""People as the registrar knows them. The key is ours; name and ID number are sealed attributes."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id


class Person(Base):
    """One human being. Shown by masks, found by blind indexes; the seals are opened only to speak to a provider."""

    __tablename__ = "persons"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name_sealed: Mapped[bytes]
    name_index: Mapped[bytes]
    name_masked: Mapped[str]
    """张** or 古丽**: what anyone but staff may see."""
    id_number_sealed: Mapped[bytes]
    id_number_index: Mapped[bytes] = mapped_column(unique=True)
    id_number_masked: Mapped[str]
    created_at: Mapped[datetime]

    @classmethod
    def name_place(cls, row_id: uuid.UUID) -> str:
        return cls.place_of("name_sealed", row_id)

    @classmethod
    def id_number_place(cls, row_id: uuid.UUID) -> str:
        return cls.place_of("id_number_sealed", row_id)
