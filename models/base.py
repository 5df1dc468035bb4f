"""What every row shares: one metadata, aware UTC times, numbers made by us, and maps of states that nobody walks around."""

from __future__ import annotations

import os
import secrets
import string
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Text,
    TypeDecorator,
    Uuid,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, object_session

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
ALPHABET: Final = string.digits + string.ascii_uppercase
NUMBER_LENGTH: Final = 24
"""WeChat takes 6–32 characters, Alipay 64, UnionPay 8–32 without `-` and `_`: 24 alphanumerics please all of them."""
NUMBER_BY_DATABASE: Final = "upper(substr(replace(gen_random_uuid()::text, '-', ''), 1, 24))"
"""The same, made by the database, for rows that are made there a million at a time."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment; a naive one is refused at the gate."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[Mapping[Any, Any]] = {
        datetime: UtcDateTime(),
        str: Text(),
        int: BigInteger(),
        bytes: LargeBinary(),
        uuid.UUID: Uuid(),
    }

    @classmethod
    def place_of(cls, column: str, row_id: object) -> str:
        """Where a seal of this table belongs. Raises ValueError where the table has no such sealed column."""
        if not column.endswith("_sealed") or column not in cls.__table__.columns:
            raise ValueError(f"{cls.__tablename__} has no sealed column {column}")
        return place(cls.__tablename__, column, row_id)


class IllegalMove(Exception):
    """A state was asked to move where its map has no road."""


class Moves:
    """The map of one state machine: (from, to) → the event that road means."""

    def __init__(self, noun: str, roads: Mapping[tuple[StrEnum, StrEnum], str]) -> None:
        self.noun = noun
        self.roads = {(str(start), str(end)): event for (start, end), event in roads.items()}

    def allows(self, start: str, end: str) -> bool:
        return (str(start), str(end)) in self.roads

    def event(self, start: str, end: str) -> str:
        """The name of this move. Raises IllegalMove where there is no road."""
        try:
            return self.roads[str(start), str(end)]
        except KeyError:
            raise IllegalMove(f"{self.noun}: no road from {start} to {end}") from None


class Move(Base):
    """One step of one state machine: from, to, why, who, when. Written in bulk by machines, one by one by people."""

    __tablename__ = "moves"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    noun: Mapped[str]
    row_id: Mapped[str]
    """The row's id as text: some rows have numbers, some have UUIDs."""
    from_state: Mapped[str]
    to_state: Mapped[str]
    why: Mapped[str]
    who: Mapped[str]
    """`account:…`, `staff:…`, or the step of ours that did it."""
    at: Mapped[datetime]

    __table_args__ = (Index(None, "noun", "row_id"),)


class Stateful:
    """A row with a state. Verbs call `_move`; nobody assigns `.state` but a maker."""

    MOVES: ClassVar[Moves]
    id: Any
    state: Any

    def _move(self, to: StrEnum, *, who: str, at: datetime, why: str | None = None) -> None:
        event = self.MOVES.event(self.state, to)
        session = object_session(self)
        if session is None:
            raise IllegalMove(f"{self.MOVES.noun}: moved outside a session, so the step would leave no row")
        session.add(
            Move(
                noun=self.MOVES.noun,
                row_id=str(self.id),
                from_state=str(self.state),
                to_state=str(to),
                why=why or event,
                who=who,
                at=at,
            )
        )
        self.state = to


def one_of(states: type[StrEnum], column: str = "state") -> CheckConstraint:
    """The database's own copy of a closed choice."""
    listed = ", ".join(f"'{state}'" for state in states)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def new_id() -> uuid.UUID:
    """A UUIDv7 (RFC 9562 §5.7, the millisecond's fraction in rand_a): sorts by the quarter microsecond it was made in."""
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    value = bytearray(milliseconds.to_bytes(6, "big") + (0x7000 | rest * 4096 // 1_000_000).to_bytes(2, "big") + os.urandom(8))
    value[8] = 0x80 | value[8] & 0x3F
    return uuid.UUID(bytes=bytes(value))


def first_id_at(moment: datetime) -> uuid.UUID:
    """Smaller than every id that `new_id` makes from this moment on: finds by the primary key what was made since."""
    return uuid.UUID(bytes=int(moment.timestamp() * 1000).to_bytes(6, "big") + b"\x70\x00" + b"\x80" + bytes(7))


def new_number() -> str:
    """An opaque number for the outside: 24 of 0-9A-Z, some 124 bits, nothing to guess and nothing to count."""
    return "".join(secrets.choice(ALPHABET) for _ in range(NUMBER_LENGTH))


def place(table: str, column: str, row_id: object) -> str:
    """Where a seal belongs."""
    return f"{table}.{column}:{row_id}"


def constraint_of(fault: IntegrityError) -> str | None:
    """The name of the constraint that refused: names are ours, so they may decide what to do."""
    return getattr(getattr(fault.orig, "diag", None), "constraint_name", None)
