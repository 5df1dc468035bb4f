"""The audit chain: blocks over append-only tables, each under the hash of the one before, so that no row changes unseen.

A row is written down as `length:value` for each of its columns, in the order of SOURCES, lengths in bytes of UTF-8, NULL as `~`,
moments as UTC with microseconds. SM3 of that, cut to 16 bytes, stands beside the row's id in its block. The block's own hash is
SM3 over the hash before it, a line that says what it covers, and all those ids and hashes. docs/reference/audit-chain.md says it
in full, for whoever wants to check us with a program of their own.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, text

from config.logs import logger
from config.seals import sm3
from models.audit import AuditBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Row, TextClause
    from sqlalchemy.orm import Session

    from services.ports import Ports

    _Line = Row[tuple[int, str]]

log = logger(__name__)

FORM: Final = 1
"""Of writing a row down. A column more is another form; old blocks keep theirs."""
SOURCES: Final[dict[str, tuple[str, ...]]] = {
    "moves": ("id", "noun", "row_id", "from_state", "to_state", "why", "who", "at"),
    "personal_data_accesses": ("id", "subject_table", "subject_id", "columns", "purpose", "who", "at"),
    "staff_acts": ("id", "who", "act", "subject", "result", "address", "network", "request_id", "at"),
    "transfers": (
        "id", "debit_account", "credit_account", "amount_fen", "kind", "payment_id", "bill_id", "notice_id", "reconciliation_id",
        "reverses_id", "reason", "who", "at",
    ),
}  # fmt: skip
"""Table → its columns, as form 1 writes them down."""
MOMENTS: Final = frozenset({"at"})

GENESIS: Final = bytes(32)
A_BLOCK: Final = 10_000
A_RUN: Final = 500_000
ID_BYTES: Final = 8
ROW_HASH_BYTES: Final = 16
ENTRY_BYTES: Final = ID_BYTES + ROW_HASH_BYTES
QUIET_WITHIN_SECONDS: Final = 2.0
POLL_SECONDS: Final = 0.02


# --- building


def chain_audit(ports: Ports, *, limit: int = A_RUN) -> int:
    """The sweep: put what was written since the last block under new ones; answers how many rows. Safe late, twice, beside itself or killed."""
    return sum(_chain_source(ports, source, limit=limit) for source in SOURCES)


def _chain_source(ports: Ports, source: str, *, limit: int) -> int:
    last_id = safe_last_id(ports, source)
    done = 0
    while last_id is not None and done < limit:
        count = _add_block(ports, source, up_to=last_id)
        done += count
        if not count:
            break
    return done


def safe_last_id(ports: Ports, source: str, *, within_seconds: float = QUIET_WITHIN_SECONDS) -> int | None:
    """An id below which no row can appear any more, or None where there is no row, or somebody writes for too long.

    Ids are drawn before their rows are committed, so a lower one may come later. Whoever may still commit an id up to the highest
    one that is seen now holds a writer's lock on the table now, since that lock is taken before the id is drawn. So: look at the
    highest id, then at who holds such a lock, and wait until those have ended. Nobody else waits for anything.
    """
    with ports.begin() as session:
        last_id = session.scalar(text(f"SELECT max(id) FROM {source}"))  # noqa: S608 - one of ours
        writers = _writers(session, source)
    if last_id is None:
        return None
    give_up_at = time.monotonic() + within_seconds
    while writers:
        if time.monotonic() > give_up_at:
            log.info("audit_chain.not_quiet", source=source, writers=len(writers))
            return None
        time.sleep(POLL_SECONDS)
        with ports.begin() as session:
            writers &= _writers(session, source)
    return int(last_id)


def _writers(session: Session, source: str) -> set[str]:
    """The transactions that may write to the table, by PostgreSQL's own names for them; ours holds none."""
    found = session.scalars(
        text(
            "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND granted AND relation = CAST(:source AS regclass) "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND mode NOT IN ('AccessShareLock', 'RowShareLock')"
        ),
        {"source": source},
    )
    return set(found)


def _add_block(ports: Ports, source: str, *, up_to: int) -> int:
    """One block over the next rows; answers how many they are. Two at once: the lock lets one wait, and it finds the other's block."""
    with ports.begin() as session:
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"audit_chain:{source}", 0))))
        head = _head(session, source)
        first_id = 1 if head is None else head.last_id + 1
        # The first block has no lower bound: nothing hides below it.
        lowest = None if head is None else first_id
        rows = session.execute(_rows(source), {"lowest": lowest, "highest": up_to, "limit": A_BLOCK}).all()
        if not rows:
            return 0
        block = AuditBlock(
            source=source,
            form=FORM,
            first_id=first_id,
            last_id=rows[-1].id,
            row_count=len(rows),
            row_hashes=b"".join(_entry(row) for row in rows),
            previous_hash=GENESIS if head is None else head.hash,
            made_at=ports.now(),
        )
        block.hash = block_hash(block)
        session.add(block)
    return len(rows)


def _head(session: Session, source: str) -> AuditBlock | None:
    return session.scalar(select(AuditBlock).where(AuditBlock.source == source).order_by(AuditBlock.id.desc()).limit(1))


def _rows(source: str) -> TextClause:
    """`id` and `line` of rows, in the order of their ids."""
    values = [f"to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')" if name in MOMENTS else f"{name}::text" for name in SOURCES[source]]  # fmt: skip
    line = " || ".join(f"coalesce(octet_length({value}) || ':' || {value}, '~')" for value in values)
    return text(
        f"SELECT id, {line} AS line FROM {source} WHERE (CAST(:lowest AS bigint) IS NULL OR id >= :lowest) "  # noqa: S608 - our own names
        "AND (CAST(:highest AS bigint) IS NULL OR id <= :highest) ORDER BY id LIMIT :limit"
    )


def _entry(row: _Line) -> bytes:
    row_id: int = row.id
    return row_id.to_bytes(ID_BYTES, "big", signed=True) + sm3(row.line.encode())[:ROW_HASH_BYTES]


def block_hash(block: AuditBlock) -> bytes:
    """SM3 over everything that a block says, and the hash before it."""
    made_at = block.made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    covers = f"canbao audit {block.form} {block.source} {block.first_id} {block.last_id} {block.row_count} {made_at}\n"
    return sm3(bytes(block.previous_hash), covers.encode(), bytes(block.row_hashes))


# --- verifying


@dataclass(frozen=True, kw_only=True)
class Fault:
    """The first thing in one table that is not as the chain says."""

    source: str
    what: str
    row_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Head:
    """The last block of one source: written down elsewhere, it shows a chain that was made anew."""

    last_id: int
    hash: str
    blocks: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class Verified:
    heads: dict[str, Head]
    faults: list[Fault]
    not_yet: dict[str, int]
    """Source → rows younger than its last block, which nothing vouches for yet."""


def verify(
    ports: Ports,
    *,
    since: datetime | None = None,
    anchors: Mapping[str, Sequence[tuple[int, str]]] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Verified:
    """Walk the chain and every row under it, as they were at one moment; at most one fault for each table, its first.

    `since`: begin with the blocks made from then on, and trust what is before. `anchors`: source → (last id, hash) of blocks that
    were written down elsewhere. `on_progress` hears how many rows have been seen. Memory holds one block, whatever the tables hold.
    """
    heads, faults, not_yet = {}, [], {}
    with ports.begin() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        for source in SOURCES:
            walk = _Walk(source, is_whole=since is None, anchors=dict((anchors or {}).get(source, ())), on_progress=on_progress)
            with ExitStack() as cursors:
                fault = walk.through(
                    cursors.enter_context(closing(_blocks(session, source, since=since))),
                    lambda lowest: cursors.enter_context(closing(_stream(session, source, lowest=lowest))),  # noqa: B023 - called at once
                )
            if fault is not None:
                faults.append(fault)
            if walk.head is not None:
                heads[source] = walk.head
            not_yet[source] = walk.not_yet
    return Verified(heads=heads, faults=faults, not_yet=not_yet)


def _blocks(session: Session, source: str, *, since: datetime | None) -> Generator[AuditBlock]:
    wanted = select(AuditBlock).where(AuditBlock.source == source).order_by(AuditBlock.id)
    if since is not None:
        wanted = wanted.where(AuditBlock.made_at >= since)
    with closing(session.scalars(wanted.execution_options(yield_per=20))) as blocks:
        for block in blocks:
            session.expunge(block)
            yield block


def _stream(session: Session, source: str, *, lowest: int | None) -> Generator[_Line]:
    given = {"lowest": lowest, "highest": None, "limit": None}
    with closing(session.execute(_rows(source), given, execution_options={"yield_per": 5_000})) as rows:
        yield from rows


class _Walk:
    """Beside each other through one source: its blocks, and the rows that they vouch for."""

    def __init__(
        self, source: str, *, is_whole: bool, anchors: dict[int, str], on_progress: Callable[[int], None] | None
    ) -> None:
        self.source, self._is_whole, self._anchors, self._on_progress = source, is_whole, anchors, on_progress
        self.head: Head | None = None
        self.not_yet = 0

    def through(self, blocks: Iterator[AuditBlock], rows_from: Callable[[int | None], Iterator[_Line]]) -> Fault | None:
        before: AuditBlock | None = None
        rows: _Peeking | None = None
        seen = count = 0
        for block in blocks:
            if rows is None:
                # The first block of all has no lower bound; one after `since` begins where it says.
                rows = _Peeking(rows_from(None if self._is_whole else block.first_id))
            fault = self._of_chain(before, block) or self._of_rows(block, rows)
            if fault is not None:
                return fault
            before, count, seen = block, count + 1, seen + block.row_count
            self.head = Head(last_id=block.last_id, hash=bytes(block.hash).hex(), blocks=count, rows=seen)
            if self._on_progress is not None:
                self._on_progress(seen)
        if self._anchors:
            last_id = min(self._anchors)
            return self._fault(f"no block ends at id {last_id}, as was written down elsewhere: the chain was cut or made anew")
        self.not_yet = sum(1 for _ in (rows if rows is not None else rows_from(None)))
        return None

    def _of_chain(self, before: AuditBlock | None, block: AuditBlock) -> Fault | None:
        covers = f"the block of ids {block.first_id} to {block.last_id}"
        if block.form != FORM:
            return self._fault(f"{covers} is written in form {block.form}, which nobody here can read")
        if block_hash(block) != bytes(block.hash):
            return self._fault(f"{covers} was rewritten: its hash is of something else")
        if before is not None and (bytes(block.previous_hash), block.first_id) != (bytes(before.hash), before.last_id + 1):
            return self._fault(
                f"{covers} does not follow the one that ends at {before.last_id}: blocks are missing or made anew"
            )
        if before is None and self._is_whole and (bytes(block.previous_hash), block.first_id) != (GENESIS, 1):
            return self._fault(f"{covers} is the first that is there: blocks before it are missing")
        written_down = self._anchors.pop(block.last_id, None)
        if written_down is not None and written_down != bytes(block.hash).hex():
            return self._fault(f"{covers} is not the one that was written down elsewhere: the chain was made anew")
        return None

    def _of_rows(self, block: AuditBlock, rows: _Peeking) -> Fault | None:
        """Id by id: whichever side is ahead names what is missing or was added."""
        for row_id, row_hash in _entries(bytes(block.row_hashes)):
            row = rows.peek()
            if row is not None and row.id < row_id:
                return self._fault(f"a row was added: {row.id}", row_id=row.id)
            if row is None or row.id > row_id:
                return self._fault(f"a row is missing: {row_id}", row_id=row_id)
            if sm3(row.line.encode())[:ROW_HASH_BYTES] != row_hash:
                return self._fault(f"a row was altered: {row_id}", row_id=row_id)
            rows.take()
        row = rows.peek()
        if row is not None and row.id <= block.last_id:
            return self._fault(f"a row was added: {row.id}", row_id=row.id)
        return None

    def _fault(self, what: str, *, row_id: int | None = None) -> Fault:
        return Fault(source=self.source, what=what, row_id=row_id)


class _Peeking:
    """Rows with a look at the next one."""

    def __init__(self, rows: Iterator[_Line]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def peek(self) -> _Line | None:
        return self._next

    def take(self) -> None:
        self._next = next(self._rows, None)

    def __iter__(self) -> Iterator[_Line]:
        while (row := self._next) is not None:
            yield row
            self.take()


def _entries(row_hashes: bytes) -> Iterable[tuple[int, bytes]]:
    cuts = range(0, len(row_hashes) + 1, ENTRY_BYTES)
    for start, end in pairwise(cuts):
        entry = row_hashes[start:end]
        yield int.from_bytes(entry[:ID_BYTES], "big", signed=True), entry[ID_BYTES:]
