"""Seals in life: which key sealed how much, what a lost key takes with it, and the sweep that seals old rows anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from config.logs import logger
from config.seals import SealBroken, head_of
from models.base import place
from models.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.orm import Session

    from services.ports import Ports

log = logger(__name__)

BATCH: Final = 200
"""Rows locked at once: a payment that somebody wants waits no longer than sealing so many takes, some 10 ms."""
A_RUN: Final = 20_000
COUNTING_TAKES_AT_MOST: Final = "15min"

WHAT_IS_LOST: Final = {
    "name": "names can no longer be sent to an authority or told to their owner; masks, look-ups and payments go on",
    "id_number": "ID numbers can no longer be sent to an authority or told to their owner; masks, look-ups and payments go on",
    "subject": "these accounts sign in, but no payment and no face check can be opened for them",
    "phone": "no SMS reaches these numbers; signing in by them goes on, and a new proof seals them anew",
    "wish": "what these people want corrected has to be asked for again",
    "details": "what was declared in these applications has to be declared again; states, insurances and decisions stand in columns",
    "remark": "what reviewers wrote beside their reasons can no longer be read; the reasons stand in columns",
    "request": "a payment whose first try had no answer cannot be sent again: it lapses, and the person orders anew; asking, closing and settling go on",
    "reference": "face checks under way lapse, and another may be begun",
    "content": "the providers' own words are lost as evidence; what was settled by them stands in columns",
    "totp": "none of the staff signs in until two administrators reset their phone, the first of them invited at the command line",
    "picture_key": "these photographs of papers can no longer be seen, and have to be uploaded again; what was decided by them stands",
    "card_number": "these agreements cannot be debited and have to be signed again; those that wait for their bank are given up",
    "code": "counter codes under way cannot be shown again, and another may be asked for; these forms cannot be printed again, and what was printed still verifies",
    "digest": "whether a form changed since it was printed is not known, so it cannot be printed again; what was printed still verifies",
}
"""Sealed column, without `_sealed` → what goes with its key, and what goes on."""


@dataclass(frozen=True, kw_only=True)
class SealedRows:
    """So many rows of one column bear the seal of one key."""

    table: str
    column: str
    key_id: str | None
    """None: these bytes are no seal at all."""
    rows: int


def sealed_columns() -> list[tuple[str, str]]:
    """(table, column) of everything that is sealed."""
    return [
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("_sealed")
    ]


def _head(column: str) -> str:
    """The part of a seal that names its key, in SQL. A CASE, since only that is sure to look at the length first."""
    # 1 is the version. Whatever else somebody wrote there is not shown, not even its beginning.
    return (
        f"CASE WHEN octet_length({column}) < 30 THEN NULL WHEN get_byte({column}, 0) <> 1 OR get_byte({column}, 1) > 32 THEN NULL "
        f"ELSE substring({column} FROM 1 FOR 2 + get_byte({column}, 1)) END"
    )


def count_seals(session: Session) -> list[SealedRows]:
    """How many rows of which column each key sealed. Reads every sealed table once, so it takes its time."""
    session.execute(text(f"SET LOCAL statement_timeout = '{COUNTING_TAKES_AT_MOST}'"))
    found = []
    for table, column in sealed_columns():
        rows = session.execute(
            text(f"SELECT {_head(column)}, count(*) FROM {table} WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 1")  # noqa: S608 - our own names
        )
        found += [SealedRows(table=table, column=column, key_id=_key_id(head), rows=count) for head, count in rows]
    return found


def _key_id(head: bytes | memoryview | None) -> str | None:
    if head is None:
        return None
    key_id = bytes(head)[2:].decode("ascii", "replace")
    return key_id if key_id and head_of(key_id) == bytes(head) else None


def lost_seals(ports: Ports, counted: Sequence[SealedRows]) -> list[SealedRows]:
    """What nobody can open: sealed with a key that is not in the file, or no seal."""
    known = set(ports.seals.key_ids)
    return [each for each in counted if each.key_id not in known]


def tell_lost_seals(ports: Ports) -> int:
    """The sweep: rows that nobody can open, told at ERROR each time until somebody brings the key back. Answers how many."""
    with ports.begin() as session:
        lost = lost_seals(ports, count_seals(session))
    for each in lost:
        log.error(
            "seals.lost",
            table=each.table,
            column=each.column,
            key_id=each.key_id or "not a seal",
            rows=each.rows,
            means=WHAT_IS_LOST[each.column.removesuffix("_sealed")],
        )
    return sum(each.rows for each in lost)


def reseal(ports: Ports, *, limit: int = A_RUN) -> int:
    """The sweep: seal anew, with the current key, what other keys of ours sealed; at most `limit` rows, and answers how many.

    Row by row it compares what it read with what it replaces, passes over rows that somebody holds, and never writes a text:
    to stop anywhere, to run twice or beside others is safe. What does not open stays as it is.
    """
    current = ports.seals.current
    heads = [head_of(key_id) for key_id in ports.seals.key_ids if key_id != current]
    done = 0
    if not heads:
        return done
    for table, column in sealed_columns():
        after: UUID | None = None
        while done < limit:
            batch = _reseal_batch(ports, table, column, heads=heads, after=after, size=min(BATCH, limit - done))
            if batch is None:
                break
            after, changed = batch
            done += changed
    return done


def _reseal_batch(
    ports: Ports, table: str, column: str, *, heads: list[bytes], after: UUID | None, size: int
) -> tuple[UUID, int] | None:
    """The last id that was looked at and how many changed; None where nothing is left. Locked rows are passed over: nobody waits in a circle."""
    found = text(
        f"SELECT id, {column} AS sealed FROM {table} WHERE {_head(column)} = ANY(:heads) "  # noqa: S608 - our own names
        "AND (CAST(:after AS uuid) IS NULL OR id > :after) ORDER BY id LIMIT :size FOR NO KEY UPDATE SKIP LOCKED"
    )
    change = text(
        f"UPDATE {table} SET {column} = new.sealed FROM unnest(CAST(:ids AS uuid[]), CAST(:olds AS bytea[]), CAST(:news AS bytea[]))"  # noqa: S608
        f" AS new (id, old, sealed) WHERE {table}.id = new.id AND {column} = new.old"
    )
    with ports.begin() as session:
        rows = session.execute(found, {"heads": heads, "after": after, "size": size}).all()
        if not rows:
            return None
        news = {row.id: new for row in rows if (new := _anew(ports, table, column, row)) is not None}
        changed = 0
        if news:
            given = {"ids": list(news), "olds": [row.sealed for row in rows if row.id in news], "news": list(news.values())}
            changed = session.connection().execute(change, given).rowcount
    return rows[-1].id, changed


def _anew(ports: Ports, table: str, column: str, row: Any) -> bytes | None:
    try:
        return ports.seals.reseal(row.sealed, place=place(table, column, row.id))
    except SealBroken as fault:
        log.error("seal.broken", table=table, row=str(row.id), column=column, fault=type(fault).__name__)  # noqa: TRY400
        return None
