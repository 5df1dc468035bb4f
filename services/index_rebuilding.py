"""Another key for the blind indexes: every index is made anew from its seal, in one transaction, with the house closed.

Closed, since equal values must never stand under two keys: they would be two people. ADR 16 has the reasons.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from config.seals import SealBroken
from models.base import place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

    from services.ports import Ports

BATCH: Final = 1_000
WAIT_FOR_LOCKS: Final = "5s"


class HouseIsOpen(Exception):
    """Somebody else is connected to the database: nothing was changed."""


class SealsAreBroken(Exception):
    """A seal does not open, so its index cannot be made: nothing was changed."""


@dataclass(frozen=True, kw_only=True)
class Indexed:
    """How one index is made: of some words, perhaps a column beside it, and the sealed text."""

    table: str
    index: str
    sealed: str
    words: tuple[str, ...]
    beside: str | None = None
    is_first_of_json: bool = False


INDEXED: Final = (
    Indexed(table="persons", index="name_index", sealed="name_sealed", words=("name",)),
    Indexed(table="persons", index="id_number_index", sealed="id_number_sealed", words=("id_number",)),
    Indexed(table="accounts", index="subject_index", sealed="subject_sealed", words=("subject",), beside="miniprogram"),
    Indexed(table="accounts", index="phone_index", sealed="phone_sealed", words=("phone",)),
    Indexed(
        table="face_checks",
        index="reference_index",
        sealed="reference_sealed",
        words=("face_reference",),
        is_first_of_json=True,
    ),
    Indexed(table="staff_persons", index="id_number_index", sealed="id_number_sealed", words=("id_number",)),
    Indexed(table="withholding_agreements", index="card_number_index", sealed="card_number_sealed", words=("card_number",)),
    Indexed(table="counter_checks", index="code_index", sealed="code_sealed", words=("counter_code",)),
)
FOLLOWS: Final = (("person_lookups", "id_number_index"),)
"""Copies of a person's index: they follow it. Of numbers that nobody has, they lapse with the day."""
LAPSES: Final = (("sms_codes", "phone_index"), ("sms_codes", "caller_index"), ("printout_misses", "network_index"))
"""Codes under way: they are not found any more, and people ask for another. And what was counted within the hour."""


def refuse_open_house(ports: Ports) -> None:
    """Raises HouseIsOpen while any other connection to the database lives."""
    with ports.begin() as session:
        _refuse_others(session)


def rebuild_indexes(ports: Ports) -> int:
    """Make every index anew with the key in force, all or nothing; answers how many. Again changes nothing.

    Raises HouseIsOpen, also where somebody connected meanwhile, and SealsAreBroken.
    """
    with ports.begin() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        session.execute(text(f"SET LOCAL lock_timeout = '{WAIT_FOR_LOCKS}'"))
        tables = sorted({each.table for each in INDEXED} | {table for table, _ in (*FOLLOWS, *LAPSES)})
        session.execute(text(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE"))
        changed = sum(_rebuild(ports, session, each) for each in INDEXED)
        # Last: whoever came in meanwhile waits for the locks, and may hold an index of the old key in its hands.
        _refuse_others(session)
    return changed


def is_rebuilt(ports: Ports) -> bool | None:
    """Whether an earlier run, of which nobody knows how it ended, was through. It was all or nothing, so one row tells it for all.

    None where there is no row whose seal opens. Only to be asked while the house is closed.
    """
    with ports.begin() as session:
        for how in INDEXED:
            for row in _rows(session, how, after=None):
                with contextlib.suppress(SealsAreBroken):
                    return _index_of(ports, how, row) == bytes(row.old)
    return None


def _refuse_others(session: Session) -> None:
    others = session.scalar(
        text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        )
    )
    if others:
        raise HouseIsOpen(f"{others} other connections to the database; stop web, letterbox, settle, worker and every command")


def _rebuild(ports: Ports, session: Session, how: Indexed) -> int:
    changed, after = 0, None
    while (batch := _rebuild_batch(ports, session, how, after=after)) is not None:
        after, count = batch
        changed += count
    return changed


def _rebuild_batch(ports: Ports, session: Session, how: Indexed, *, after: UUID | None) -> tuple[UUID, int] | None:
    rows = _rows(session, how, after=after)
    if not rows:
        return None
    new = {row.id: index for row in rows if (index := _index_of(ports, how, row)) != bytes(row.old)}
    if new:
        olds = [row.old for row in rows if row.id in new]
        given: dict[str, Any] = {"ids": list(new), "olds": olds, "news": list(new.values())}
        session.execute(
            text(
                f"UPDATE {how.table} SET {how.index} = t.new FROM unnest(CAST(:ids AS uuid[]), CAST(:news AS bytea[])) AS t (id, new) "  # noqa: S608
                f"WHERE {how.table}.id = t.id"
            ),
            given,
        )
        for table, column in FOLLOWS:
            if (how.table, how.index) == ("persons", column):
                session.execute(
                    text(
                        f"UPDATE {table} SET {column} = t.new FROM unnest(CAST(:olds AS bytea[]), CAST(:news AS bytea[])) AS t (old, new) "  # noqa: S608
                        f"WHERE {column} = t.old"
                    ),
                    given,
                )
    return rows[-1].id, len(new)


def _rows(session: Session, how: Indexed, *, after: UUID | None) -> Sequence[Row[Any]]:
    return session.execute(
        text(
            f"SELECT id, {how.index} AS old, {how.sealed} AS sealed, {how.beside or 'NULL'} AS beside FROM {how.table} "  # noqa: S608 - our own names
            f"WHERE {how.index} IS NOT NULL AND {how.sealed} IS NOT NULL AND (CAST(:after AS uuid) IS NULL OR id > :after) "
            f"ORDER BY id LIMIT {BATCH}"
        ),
        {"after": after},
    ).all()


def _index_of(ports: Ports, how: Indexed, row: Any) -> bytes:
    words = how.words if how.beside is None else (*how.words, row.beside)
    pick = _first_of_json if how.is_first_of_json else str
    try:
        return ports.seals.index_of_sealed(row.sealed, place=place(how.table, how.sealed, row.id), words=words, pick=pick)
    except SealBroken as fault:
        raise SealsAreBroken(
            f"{how.table}.{how.sealed} of row {row.id}: {type(fault).__name__}; see: canbao seals status"
        ) from None


def _first_of_json(content: str) -> str:
    return str(json.loads(content)[0])
