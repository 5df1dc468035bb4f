"""The audit trail: who opened whose sealed data, what was erased by which policy, and the chain that shows nothing was altered."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Identity, Index, UniqueConstraint
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


class AuditBlock(Base):
    """A run of rows of one append-only table under one SM3 hash, chained to the block before it."""

    __tablename__ = "audit_blocks"
    __table_args__ = (UniqueConstraint("source", "first_id"), UniqueConstraint("source", "previous_hash"))

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    source: Mapped[str]
    """The table whose rows it covers: moves, personal_data_accesses, staff_acts, transfers."""
    form: Mapped[int]
    """Which way of writing a row down it was made with."""
    first_id: Mapped[int]
    """One more than the block before ends with, whether there is such a row or not: no gap is nobody's."""
    last_id: Mapped[int]
    row_count: Mapped[int]
    row_hashes: Mapped[bytes]
    """For each row its id in 8 bytes and 16 bytes of the SM3 of what it says: so that a fault is told by its row."""
    previous_hash: Mapped[bytes]
    """Of the block before; 32 zero bytes in the first. Unique, so that a chain has no fork."""
    hash: Mapped[bytes]
    """SM3 over all of the above; services/audit_chain.py says how."""
    made_at: Mapped[datetime]


class Erasure(Base):
    """What a dated retention policy erased: how much, of what, and under which rule."""

    __tablename__ = "erasures"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    policy: Mapped[str]
    subject_table: Mapped[str]
    older_than: Mapped[datetime]
    row_count: Mapped[int]
    at: Mapped[datetime]
