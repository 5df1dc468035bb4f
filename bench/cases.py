"""What is measured. A round runs every case once, one after another; rounds follow each other, so that noise meets all alike."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.assess import Assessing
from bench.machines import PROGRAM, SERVED
from bench.reconcile import Reconciling
from bench.seed import Debtors
from services.settlement import BATCH

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from bench.load import Driven, Generators
    from bench.machines import Machines

DOOR: Final = f"/webhooks/wechat-pay/{PROGRAM}"
CONNECTIONS: Final = 8
MANY_CONNECTIONS: Final = 32
PACE: Final = 0.65
"""Of the sustained throughput: the load under which a person's wait is measured."""
ENOUGH: Final = 1.5
EMPTY_INBOX_WITHIN_SECONDS: Final = 60
WARMING: Final = -1

SETTLED: Final = """
    SELECT notification_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8, outcome
    FROM notices WHERE right(notification_id, 8) = %s AND state <> 'WAITING'
"""
DISAGREEMENTS: Final = """
    SELECT 'a notice that is not PAID' FROM notices WHERE outcome IS DISTINCT FROM 'PAID'
    UNION ALL SELECT 'a payment without its notice, or the other way round' WHERE
        (SELECT count(*) FROM payments WHERE state = 'SUCCEEDED') <> (SELECT count(*) FROM notices)
    UNION ALL SELECT 'a paid bill without its record' WHERE
        (SELECT count(*) FROM contribution_bills WHERE state = 'PAID') <> (SELECT count(*) FROM contribution_records)
    UNION ALL SELECT 'money that is not in the journal' WHERE
        (SELECT sum(amount_fen) FROM payments WHERE state = 'SUCCEEDED') <> (SELECT sum(amount_fen) FROM transfers)
    UNION ALL SELECT 'a record without its transfer' WHERE
        (SELECT count(*) FROM contribution_records) <> (SELECT count(*) FROM transfers WHERE kind = 'SETTLED')
    UNION ALL SELECT 'an order that was paid in silence' WHERE
        (SELECT count(*) FROM payment_orders WHERE state = 'PAID') <> (SELECT count(*) FROM messages)
    UNION ALL SELECT 'a step without its row' WHERE
        (SELECT count(*) FROM moves WHERE who = 'settle') <>
        (SELECT count(*) FROM contribution_records) + 2 * (SELECT count(*) FROM messages)
"""
"""Speed that loses a row is no speed: after the last round the books are held against the notices."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of everything."""

    rounds: int
    seconds: float
    """Of each case."""
    most: int
    """Notices for one case at most: they are signed before it starts."""
    paced: int
    verified: int
    """Signed once a round, and sent over and over."""
    assessments: tuple[tuple[int, int], ...]
    """Enrolments, and how many times they are assessed."""
    reconciliations: tuple[tuple[int, int], ...]
    """Payments of a day, and how many times they are reconciled."""


FULL: Final = Size(
    rounds=5,
    seconds=3.0,
    most=6_000,
    paced=4_000,
    verified=1_500,
    assessments=((10_000, 5), (100_000, 3), (1_000_000, 1)),
    reconciliations=((10_000, 5), (100_000, 3), (1_000_000, 1)),
)
QUICK: Final = Size(
    rounds=1, seconds=1.0, most=1_200, paced=600, verified=300, assessments=((2_000, 1),), reconciliations=((2_000, 1),)
)


class Bench:
    """All cases over one world."""

    def __init__(
        self, machines: Machines, generators: Generators, *, size: Size, seed: int, say: Callable[[str], None]
    ) -> None:
        self.machines, self.generators, self.size, self.seed, self.say = machines, generators, size, seed, say
        self.found: dict[str, list[float]] = defaultdict(list)
        self._run = 0
        self._rates: dict[str, float] = {}
        rounds = size.rounds + 1  # and one to warm up
        with machines.connect() as connection:
            say("seeding people who owe")
            self.debtors = Debtors(
                connection,
                of_one_bill=rounds * (2 * size.most + size.paced) + size.verified,
                of_three_bills=rounds * size.most,
                seed=seed,
            )
            connection.execute("VACUUM ANALYZE")
        self.verified = self.debtors.take(size.verified, bills=1)

    def run(self) -> dict[str, list[float]]:
        for name in SERVED:
            self.machines.serve(name)
        self._round(WARMING)
        self.found.clear()
        # Plans that were made while tables were empty would be measured instead of the house (`stack.md`).
        with self.machines.connect() as connection:
            connection.execute("VACUUM ANALYZE")
        for number in range(self.size.rounds):
            self._round(number)
        self._check_books()
        for name in SERVED:
            self.machines.stop(name)
        for enrollments, times in self.size.assessments:
            self.say(f"assessing {enrollments:,} enrolments")
            assessing = Assessing(self.machines, enrollments=enrollments)
            for number in range(times):
                measured = assessing.measure(number)
                self._note(f"assess_s_{enrollments}", measured.assess_s)
                self._note(f"copy_s_{enrollments}", measured.copy_s)
                self._note(f"assess_memory_mb_{enrollments}", measured.memory_mb)
                self._note(f"assess_vs_copy_{enrollments}", measured.assess_s / measured.copy_s)
            assessing.drop()
        self._reconcile()
        return self.found

    def _reconcile(self) -> None:
        for payments, times in self.size.reconciliations:
            self.say(f"reconciling a day of {payments:,} payments")
            reconciling = Reconciling(self.machines, payments=payments)
            for _ in range(times):
                measured = reconciling.measure()
                self._note(f"reconcile_s_{payments}", measured.reconcile_s)
                self._note(f"reconcile_memory_mb_{payments}", measured.memory_mb)
                self._note(f"reconcile_vs_copy_{payments}", measured.reconcile_s / measured.copy_s)
            reconciling.drop()

    def _round(self, number: int) -> None:
        self.say("warming up" if number == WARMING else f"round {number + 1} of {self.size.rounds}")
        empty = self._drive("empty", "/empty", self.verified, cycle=True)
        verify = self._drive("verify-only", f"/verify-only/{PROGRAM}", self.verified, cycle=True)
        # These come first out of the inbox, so that `canbao settle`, fresh in each round, meets the others warm, as it lives.
        crowd, three_bills = self._knock("crowd", bills=3, connections=MANY_CONNECTIONS)
        door, one_bill = self._knock("door", bills=1)
        self._note("empty_per_s", empty.per_second)
        self._note("verify_only_per_s", verify.per_second)
        self._note("door_per_s", door.per_second)
        self._note("door_vs_verify_only", door.per_second / verify.per_second)
        self._note("door_per_s_at_32", crowd.per_second)
        self._note("door_p50_ms_at_32", 1000 * statistics.median(crowd.latencies))
        self._note("door_p99_ms_at_32", 1000 * percentile(crowd.latencies, 99))

        # What the door has kept is the backlog; `canbao settle` meets both kinds in the order of their coming.
        with self.machines.connect() as connection:
            self.machines.settle()
            self._wait_for_empty_inbox(connection)
            before = self._settled(connection, three_bills)
            self._note("settle_per_s_3_bills", _rate(before))
            self._note("settle_per_s", _rate(self._settled(connection, one_bill), since=max(before.values())))

            together, run = self._knock("together", bills=1)
            moments = sorted(self._settled(connection, run, wait=True).values())
            during = [moment for moment in moments if moment <= together.last]
            # The first batch waits for the door to have something; from then on they run together.
            sustained = len(during) / (together.last - together.first)
            self._note("together_door_per_s", together.per_second)
            self._note("sustained_per_s", sustained)
            self._note("sustained_vs_verify_only", sustained / verify.per_second)
            self._note("behind_at_end", len(moments) - len(during))

            rate = PACE * min(sustained, together.per_second)
            paced, run = self._knock("paced", bills=1, rate=rate)
            settled = self._settled(connection, run, wait=True)
            waits = [max(settled[notice] - acked, 0.0) for notice, acked in paced.acks]
            self._note("paced_per_s", rate)
            self._note("posted_p50_ms", 1000 * statistics.median(waits))
            self._note("posted_p99_ms", 1000 * percentile(waits, 99))
            self._note("paced_door_p99_ms", 1000 * percentile(paced.latencies, 99))
            self.machines.stop("settle")

    def _knock(self, case: str, *, bills: int, connections: int = CONNECTIONS, rate: float | None = None) -> tuple[Driven, str]:
        """Fresh notices at the letterbox; answers what came of them, and how their ids end."""
        if rate is None:
            # Signing takes longer than sending, so no more are signed than the last round's speed calls for.
            count = min(self.size.most, int(ENOUGH * self._rates.get(case, self.size.most) * self.size.seconds) + BATCH)
        else:
            count = min(self.size.paced, int(rate * self.size.seconds) + BATCH)
        owed = self.debtors.take(count, bills=bills)
        driven = self._drive("letterbox", DOOR, owed, connections=connections, rate=rate)
        self._rates[case] = driven.per_second
        return driven, f"{self._run:08d}"

    def _drive(
        self, name: str, path: str, owed: list[Any], *, connections: int = CONNECTIONS, rate: float | None = None, cycle: bool = False
    ) -> Driven:  # fmt: skip
        self._run += 1
        return self.generators.drive(
            self.machines.payee,
            owed,
            path=path,
            port=self.machines.ports[name],
            connections=connections,
            seconds=self.size.seconds if rate is None else len(owed) / rate,
            run=self._run,
            seed=self.seed,
            rate=rate,
            cycle=cycle,
        )

    def _settled(self, connection: psycopg.Connection[Any], run: str, *, wait: bool = False) -> dict[str, float]:
        """When each notice of a run was settled: the moment its batch was committed, by the database's clock."""
        if wait:
            self._wait_for_empty_inbox(connection)
        rows = connection.execute(SETTLED, (run,)).fetchall()
        return {notice: moment for notice, moment, _ in rows}

    def _wait_for_empty_inbox(self, connection: psycopg.Connection[Any]) -> None:
        deadline = time.monotonic() + EMPTY_INBOX_WITHIN_SECONDS
        while connection.execute("SELECT 1 FROM notices WHERE state = 'WAITING' ORDER BY id LIMIT 1").fetchone():
            assert time.monotonic() < deadline, f"settle falls behind without end: {self.machines.log('settle')}"
            time.sleep(0.1)

    def _check_books(self) -> None:
        with self.machines.connect() as connection:
            faults = connection.execute(DISAGREEMENTS).fetchall()
            count = connection.execute("SELECT count(*) FROM notices").fetchone()
        assert not faults, f"the books disagree: {faults}"
        self.found["notices_checked"] = [float(count[0] if count else 0)]

    def _note(self, name: str, value: float) -> None:
        self.found[name].append(value)


def percentile(values: list[float], percent: int) -> float:
    """The value that so many per cent do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]


def _rate(settled: dict[str, float], *, since: float | None = None) -> float:
    """Notices a second from `since`, or else from the first commit, which then only starts the clock. 0: too few to tell (--quick)."""
    moments = sorted(settled.values())
    first, last = moments[0] if since is None else since, moments[-1]
    return sum(1 for moment in moments if moment > first) / (last - first) if last > first else 0.0
