"""A month's bills by `services.assessment`, against a COPY of the very same rows into an empty twin of their table."""

from __future__ import annotations

import time
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
    from bench.machines import Machines

MONTH: Final = YearMonth(2026, 11)


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
        self.rulebook = load_rulebook()

    def measure(self, number: int) -> tuple[float, float]:
        """Seconds of assessment, seconds of COPY."""
        database = f"assessed_{self.enrollments}_{number}"
        with self.machines.connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(database), sql.Identifier(self.template))
            )
        try:
            assessed = self._assess(database)
            copied = self._copy(database)
        finally:
            with self.machines.connect() as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
        return assessed, copied

    def _assess(self, database: str) -> float:
        engine = create_engine(self.machines.url_of(database))
        ports = Ports(
            clock=SystemClock(),
            sessions=sessionmaker(engine, expire_on_commit=False),
            seals=load_seals(self.machines.secrets / "seal-keys.json"),
            rulebook=self.rulebook,
            partners=load_partners(self.machines.folder / "miniprograms.yaml"),
            logins={},
            payments={},
            faces={},
            messengers={},
            # Assessment asks nobody for a name, a card or a message.
            names=None,  # type: ignore[arg-type]
            cards=None,  # type: ignore[arg-type]
            sms=None,  # type: ignore[arg-type]
        )
        with self.machines.connect(database) as connection:
            connection.execute("CHECKPOINT")
        started = time.perf_counter()
        done = assess(ports, month=MONTH)
        seconds = time.perf_counter() - started
        engine.dispose()
        issued = sum(each.issued for each in done)
        assert issued == self.enrollments, f"{issued} bills for {self.enrollments} enrolments: {done}"
        return seconds

    def _copy(self, database: str) -> float:
        with self.machines.connect(database) as connection:
            with connection.cursor() as cursor, cursor.copy("COPY contribution_bills TO STDOUT") as copy:
                rows = [bytes(block) for block in copy]
            connection.execute("CREATE TABLE twin (LIKE contribution_bills INCLUDING ALL)")
            connection.execute("ALTER TABLE twin ADD FOREIGN KEY (enrollment_id) REFERENCES enrollments (id)")
            connection.execute("CHECKPOINT")
            started = time.perf_counter()
            with connection.cursor() as cursor, cursor.copy("COPY twin FROM STDIN") as copy:
                for start in range(0, len(rows), 1000):
                    copy.write(b"".join(rows[start : start + 1000]))
            return time.perf_counter() - started
