"""Those an account may pay for: itself, and people it named rightly; and the guards against guessing names."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.accounts import Account
from models.base import Base, new_id
from models.people import Person


class InsuredPerson(Base):
    """One person this account may pay for: kept (R-CZ-48), one-off (R-CZ-55), or the account holder."""

    __tablename__ = "insured_persons"
    __table_args__ = (
        Index(
            "uq_insured_persons_account_id_person_id_live",
            "account_id",
            "person_id",
            unique=True,
            postgresql_where=text("removed_at IS NULL"),
        ),
        Index(None, "person_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("persons.id"))
    is_self: Mapped[bool] = mapped_column(default=False)
    relation: Mapped[str | None]
    keep: Mapped[bool] = mapped_column(default=True)
    expires_at: Mapped[datetime | None]
    """One-off relations lapse; kept ones have no end."""
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship(lazy="joined")
    account: Mapped[Account] = relationship(lazy="raise")


class PersonLookup(Base):
    """One try at naming a person. Counting these rows is the whole guard against probing (domain §5.7)."""

    __tablename__ = "person_lookups"
    __table_args__ = (Index(None, "account_id", "at"), Index(None, "id_number_index", "at"))

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    account_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("accounts.id"))
    """None: a partner bank asked for one of its tellers."""
    id_number_index: Mapped[bytes]
    hit: Mapped[bool]
    at: Mapped[datetime]


class PayerBlock(Base):
    """An insured person does not want this person to pay for them."""

    __tablename__ = "payer_blocks"
    __table_args__ = (UniqueConstraint("person_id", "payer_person_id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("persons.id"))
    payer_person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("persons.id"))
    created_at: Mapped[datetime]
