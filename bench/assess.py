"""A month's bills by `services.assessment`, against a COPY of the very same rows into an empty twin of their table."""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

from bench.seed import seed_enrollments
from config.clock import SystemClock
from config.months import YearMonth
from config.rulebook import load_rulebook
from config.seals import load_seals
from config.settings import load_partners
from models.migrate import migrate
from services.assessment import assess
from services.ports import Ports

if TYPE_CHECKING:
    from pathlib import Path

    from bench.machines import Machines

MONTH: Final = YearMonth(2026, 11)
BLOCK_BYTES: Final = 1 << 17
SPAWN: Final = multiprocessing.get_context("spawn")


@dataclass(frozen=True, kw_only=True)
class Measured:
    assess_s: float
    copy_s: float
    memory_mb: float
    """Of the Python process that assesses, at its most."""


class Assessing:
    """One database of enrolments; each measurement works on a fresh copy of it."""

    def __init__(self, machines: Machines, *, enrollments: int) -> None:
        self.machines, self.enrollments = machines, enrollments
        self.template = f"enrolled_{enrollments}"
        with machines.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.template)))
        engine = create_engine(machines.url_of(self.template))
        migrate(engine)
        engine.dispose()
        with machines.connect(self.template) as connection:
            seed_enrollments(connection, enrollments)
            connection.execute("VACUUM ANALYZE")

    def measure(self, number: int) -> Measured:
        """Once, on a database that nobody assessed yet."""
        database = f"assessed_{self.enrollments}_{number}"
        with self.machines.connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(database), sql.Identifier(self.template))
            )
        try:
            with self.machines.connect(database) as connection:
                connection.execute("CHECKPOINT")
            # In a process of its own: how much memory it takes is measured too.
            with SPAWN.Pool(1) as one:
                issued, seconds, megabytes = one.apply(_assess, (self.machines.url_of(database), self.machines.folder))
            assert issued == self.enrollments, f"{issued} bills for {self.enrollments} enrolments"
            return Measured(assess_s=seconds, copy_s=self._copy(database), memory_mb=megabytes)
        finally:
            with self.machines.connect() as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))

    def drop(self) -> None:
        with self.machines.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.template)))

    def _copy(self, database: str) -> float:
        with self.machines.connect(database) as connection, tempfile.TemporaryFile() as rows:
            with connection.cursor() as cursor, cursor.copy("COPY contribution_bills TO STDOUT") as copy:
                for block in copy:
                    rows.write(block)
            rows.seek(0)
            connection.execute("CREATE TABLE twin (LIKE contribution_bills INCLUDING ALL)")
            connection.execute("ALTER TABLE twin ADD FOREIGN KEY (enrollment_id) REFERENCES enrollments (id)")
            connection.execute("CHECKPOINT")
            started = time.perf_counter()
            with connection.cursor() as cursor, cursor.copy("COPY twin FROM STDIN") as copy:
                while block := rows.read(BLOCK_BYTES):
                    copy.write(block)
            return time.perf_counter() - started


def _assess(url: str, folder: Path) -> tuple[int, float, float]:
    """How many bills, in how many seconds, with how many megabytes of memory at most."""
    engine = create_engine(url)
    ports = Ports(
        clock=SystemClock(),
        sessions=sessionmaker(engine, expire_on_commit=False),
        seals=load_seals(folder / "secrets" / "seal-keys.json"),
        rulebook=load_rulebook(),
        partners=load_partners(folder / "miniprograms.yaml"),
        logins={},
        payments={},
        faces={},
        messengers={},
        message_events={},
        # Assessment asks nobody for a name, a card or a message.
        names=None,  # type: ignore[arg-type]
        cards=None,  # type: ignore[arg-type]
        sms=None,  # type: ignore[arg-type]
        documents=None,  # type: ignore[arg-type]
    )
    started = time.perf_counter()
    done = assess(ports, month=MONTH)
    seconds = time.perf_counter() - started
    engine.dispose()
    return sum(each.issued for each in done), seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
