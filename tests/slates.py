"""A database that is wiped, where a new one for each test would cost more than most tests themselves.

A copy of the template is 400 files, and whoever connects to it first learns every table anew. So each worker keeps one database and
the connections to it: a test leaves rows behind, and they are deleted. Whoever leaves more than rows (a changed table, a trigger that
is off, a connection of their own, one of ours cut) costs a new copy: the wiping looks for that and never trusts.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

KEPT = frozenset({"alembic_version"})
"""What the migrations themselves wrote; no test changes it, and if one did, FINGERPRINT would tell."""
USES = 200
"""Deleted rows stay in the files, since nobody vacuums here: after so many tests a new copy is the cheaper broom."""
SLOW_SECONDS = 0.25
"""Wiping takes five thousandths."""

FINGERPRINT = """
SELECT (SELECT (count(*), sum(xmin::text::bigint)) FROM pg_class WHERE oid >= 16384),
       (SELECT (count(*), sum(xmin::text::bigint)) FROM pg_attribute WHERE attrelid >= 16384),
       (SELECT (count(*), sum(xmin::text::bigint)) FROM pg_trigger),
       (SELECT (count(*), sum(xmin::text::bigint)) FROM pg_constraint WHERE oid >= 16384),
       (SELECT (count(*), sum(xmin::text::bigint)) FROM pg_proc WHERE oid >= 16384),
       (SELECT count(*) FROM pg_db_role_setting), (SELECT string_agg(version_num, ' ') FROM alembic_version)
"""
"""Every definition is a row of the catalogue, and a changed row has another xmin. Autovacuum, which would freeze them, is off."""
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"


@dataclass
class Pool:
    """Connections that outlive tests, and what SQLAlchemy learned about this database and about our statements."""

    url: str
    prototype: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.prototype = create_engine(self.url, pool_size=5, max_overflow=20)
        with self.prototype.connect():
            """Learns which PostgreSQL this is."""

    def engine(self) -> Engine:
        """An engine of one test's own: who listens to it listens to nobody else."""
        engine = Engine(self.prototype.pool, self.prototype.dialect, self.prototype.url)
        engine._compiled_cache = self.prototype._compiled_cache
        return engine

    def leave(self, engine: Engine) -> None:
        """Whoever disposed of their engine went on with connections of their own."""
        if engine.pool is not self.prototype.pool:
            engine.dispose()

    @staticmethod
    def to(url: str) -> Pool | None:
        return _POOLS.get(url)


_POOLS: dict[str, Pool] = {}


@contextmanager
def kept_open(url: str) -> Iterator[Pool]:
    """From here to the end whoever makes ports to this database shares its connections."""
    pool = _POOLS[url] = Pool(url)
    yield pool
    del _POOLS[url]
    pool.prototype.dispose()


@dataclass
class Slate:
    """One database with the whole schema, and how it is wiped; by one of the pool's connections, so that no test meets another."""

    pool: Pool
    fingerprint: str
    sweep: str
    uses: int = 0

    @classmethod
    def of(cls, pool: Pool) -> Slate:
        with pool.prototype.begin() as connection:
            names = connection.exec_driver_sql("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
            deletes = "; ".join(f"DELETE FROM {name}" for (name,) in names if name not in KEPT)  # noqa: S608 - names from the catalogue
            sequences = connection.exec_driver_sql(
                "SELECT quote_literal(quote_ident(sequencename)), start_value FROM pg_sequences WHERE schemaname = 'public'"
            )
            restarts = ", ".join(f"setval({name}, {start}, false)" for name, start in sequences)
            # As a replica: rows that may never be deleted are deleted, and nobody is told.
            sweep = f"SET LOCAL session_replication_role = replica; {deletes}; SELECT {restarts}"
            return cls(pool, look(connection), sweep)

    def wipe(self) -> bool:
        """Delete every row. False when this database is no longer what it was: it has to go."""
        self.uses += 1
        if self.uses >= USES or self.pool.prototype.pool.checkedout():
            return False
        try:
            with self.pool.prototype.begin() as connection:
                if not self._is_alone(connection) or look(connection) != self.fingerprint:
                    return False
                began = time.monotonic()
                connection.exec_driver_sql(self.sweep)
                if time.monotonic() - began > SLOW_SECONDS:
                    self.uses = USES  # somebody left so much that its traces would slow everybody after them
        except SQLAlchemyError:
            return False
        return True

    def _is_alone(self, connection: Connection) -> bool:
        """Only the pool's connections, of which this is one. Whoever hung up just now may take a moment to be gone."""
        ours = self.pool.prototype.pool.checkedin() + 1
        deadline = time.monotonic() + 0.2
        while (there := connection.exec_driver_sql(CONNECTIONS).scalar_one()) != ours:
            if there < ours or time.monotonic() > deadline:
                return False
            time.sleep(0.01)
            connection.exec_driver_sql("SELECT pg_stat_clear_snapshot()")  # or this transaction sees the same for ever
        return True


class Slates:
    """One slate after the other, each lent until it cannot be wiped."""

    def __init__(self, fresh_database: Callable[[], AbstractContextManager[str]]) -> None:
        self._fresh_database = fresh_database
        self._slate: Slate | None = None
        self._leaving = ExitStack()

    @contextmanager
    def lend(self) -> Iterator[str]:
        """The URL of an empty database."""
        if self._slate is None:
            url = self._leaving.enter_context(self._fresh_database())
            self._slate = Slate.of(self._leaving.enter_context(kept_open(url)))
        slate = self._slate
        yield slate.pool.url
        if not slate.wipe():
            self.close()

    def close(self) -> None:
        self._slate = None
        self._leaving.close()


def look(connection: Connection) -> str:
    return str(connection.exec_driver_sql(FINGERPRINT).one())
