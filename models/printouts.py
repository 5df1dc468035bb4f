"""Printouts: what people carry away from us on paper or as PDF, and the code by which anybody can ask whether it is ours and still holds.

Nothing personal stands here. Each kind has a column of its own for what it is about.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id, one_of


class PrintoutKind(StrEnum):
    REGISTRATION_FORM = "REGISTRATION_FORM"
    """登记表, of an approved application (R-CZ-38)."""
    RECEIPT = "RECEIPT"
    """缴费回单, of a paid order: what a provider took in, and no 完税证明 (domain §5.3)."""


class Printout(Base):
    """One version of one printout. The same content is the same version, however often it is fetched."""

    __tablename__ = "printouts"
    __table_args__ = (
        one_of(PrintoutKind, "kind"),
        CheckConstraint(
            "(kind = 'REGISTRATION_FORM') = (application_id IS NOT NULL) AND (kind = 'RECEIPT') = (order_id IS NOT NULL)",
            name="about_something",
        ),
        CheckConstraint("version > 0", name="version_counts"),
        UniqueConstraint("application_id", "kind", "version"),
        Index(
            "uq_printouts_application_id_kind_latest",
            "application_id",
            "kind",
            unique=True,
            postgresql_where=text("replaced_at IS NULL"),
        ),
        UniqueConstraint("order_id", "kind", "version"),
        Index(
            "uq_printouts_order_id_kind_latest",
            "order_id",
            "kind",
            unique=True,
            postgresql_where=text("replaced_at IS NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    serial: Mapped[str] = mapped_column(unique=True)
    """What people read to each other: region, day, and ten characters that nobody counts up."""
    code_hash: Mapped[bytes] = mapped_column(unique=True)
    """SHA-256 of the verification code, by which it is found."""
    code_sealed: Mapped[bytes]
    """The code itself, to be printed again on the same printout."""
    digest_sealed: Mapped[bytes]
    """SHA-256 of all that is printed. Sealed, since names and numbers are few enough to be tried one by one."""
    standing_hash: Mapped[bytes]
    """SHA-256 of how the enrolments or the months stood, which says nothing private: whether they changed is told without opening a seal."""
    application_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("enrollment_applications.id", ondelete="CASCADE"))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("payment_orders.id"))
    version: Mapped[int]
    issued_at: Mapped[datetime]
    replaced_at: Mapped[datetime | None]
    """When a later version took its place."""

    @classmethod
    def code_place(cls, row_id: uuid.UUID) -> str:
        return cls.place_of("code_sealed", row_id)

    @classmethod
    def digest_place(cls, row_id: uuid.UUID) -> str:
        return cls.place_of("digest_sealed", row_id)

    def replace(self, *, at: datetime) -> None:
        """Something in it is no longer so: from now on its code says that it was replaced."""
        self.replaced_at = at


class ReceiptFetch(Base):
    """A receipt was drawn: counted, since each costs us a moment's work. Nothing sealed of a person is opened for it."""

    __tablename__ = "receipt_fetches"
    __table_args__ = (Index(None, "account_id", "at"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    order_id: Mapped[int] = mapped_column(ForeignKey("payment_orders.id"))
    at: Mapped[datetime]


class PrintoutMiss(Base):
    """Somebody asked about a code that is none of ours: counted by network, so that nobody tries codes in peace."""

    __tablename__ = "printout_misses"
    __table_args__ = (Index(None, "network_index", "at"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    network_index: Mapped[bytes]
    """Of the network, another one each day."""
    at: Mapped[datetime]
