"""The load: keep-alive raw sockets, in processes of their own. Notices are signed before the clock starts."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import select
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bench.notices import make_notices

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from bench.notices import Owed, Payee, Sealed

GENERATORS: Final = 2
ANSWER_WITHIN_SECONDS: Final = 30
REQUESTS_A_CONNECTION: Final = (20, 60)
"""Then another takes its place: a connection belongs to one worker for life, and eight that live long are seldom dealt out evenly."""


class LoadFault(Exception):
    """The load could not be driven, or was answered with something else than 204."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one generator shall do."""

    payee: Payee
    owed: list[Owed]
    path: str
    port: int
    connections: int
    seconds: float
    run: int
    seed: int
    rate: float | None = None
    """Requests a second at a fixed beat; without one, as fast as answers come."""
    cycle: bool = False
    """Send the same notices over and over, where nothing keeps them."""


@dataclass
class Driven:
    """What came of it. Moments are the machine's wall clock, which PostgreSQL's commit timestamps share."""

    first: float
    last: float
    latencies: list[float] = field(default_factory=list)
    acks: list[tuple[str, float]] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    reconnects: int = 0

    @property
    def per_second(self) -> float:
        return len(self.latencies) / (self.last - self.first)


class Generators:
    """Two processes that live for the whole bench."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._lines: list[Connection] = []
        self._processes: list[SpawnProcess] = []
        for _ in range(GENERATORS):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._lines.append(ours)
            self._processes.append(process)

    def close(self) -> None:
        for line in self._lines:
            with contextlib.suppress(OSError):
                line.send(None)
        for process in self._processes:
            process.join(5)
            if process.is_alive():
                process.terminate()

    def drive(
        self, payee: Payee, owed: list[Owed], *, path: str, port: int, connections: int, seconds: float, run: int, seed: int,
        rate: float | None = None, cycle: bool = False,
    ) -> Driven:  # fmt: skip
        """Sign, then send: all generators start together. Raises LoadFault unless every answer was a 204."""
        for number, line in enumerate(self._lines):
            line.send(
                Job(
                    payee=payee,
                    owed=owed[number::GENERATORS],
                    path=path,
                    port=port,
                    connections=connections // GENERATORS,
                    seconds=seconds,
                    run=run,
                    seed=seed * 1_000_003 + run * GENERATORS + number,
                    rate=rate and rate / GENERATORS,
                    cycle=cycle,
                )
            )
        for line in self._lines:
            _answer(line)
        for line in self._lines:
            line.send("go")
        parts: list[Driven] = [_answer(line) for line in self._lines]
        whole = Driven(min(part.first for part in parts), max(part.last for part in parts))
        for part in parts:
            whole.latencies += part.latencies
            whole.acks += part.acks
            whole.reconnects += part.reconnects
            for status, count in part.refused.items():
                whole.refused[status] = whole.refused.get(status, 0) + count
        if whole.refused or not whole.latencies:
            raise LoadFault(f"{path}: {len(whole.latencies)} answers of 204, and {whole.refused}")
        return whole


def _answer(line: Connection) -> Driven:
    try:
        found = line.recv()
    except EOFError:
        raise LoadFault("a load generator ended by itself") from None
    if isinstance(found, str) and found != "ready":
        raise LoadFault(found)
    return found  # type: ignore[no-any-return]


def _serve(line: Connection) -> None:
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        while (job := line.recv()) is not None:
            try:
                notices = make_notices(job.payee, job.owed, path=job.path, run=job.run, seed=job.seed)
                driver = _Driver(job, notices)
                line.send("ready")
                line.recv()
                line.send(driver.run())
            except (OSError, LoadFault) as fault:
                line.send(f"{job.path}: {fault!r}")


class _Driver:
    """One thread, one epoll, one request in flight on each connection."""

    def __init__(self, job: Job, notices: list[Sealed]) -> None:
        self.job = job
        self.todo = deque(notices)
        self.poll = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        self.left: dict[int, int] = {}
        """How many more requests each connection takes."""
        self.dice = random.Random(job.seed)
        self.busy: dict[int, tuple[Sealed, float]] = {}
        self.idle: list[int] = [self._connect() for _ in range(job.connections)]
        self.driven = Driven(0, 0)

    def run(self) -> Driven:
        job, driven = self.job, self.driven
        driven.first = time.time()
        start = time.perf_counter()
        deadline, give_up, beats = start + job.seconds, start + job.seconds + ANSWER_WITHIN_SECONDS, 0
        while True:
            now = time.perf_counter()
            sending = bool(self.todo) and now < deadline
            while sending and self.idle and (job.rate is None or beats <= (now - start) * job.rate):
                beats += 1
                self._send(self.idle.pop(), self._next())
                sending = bool(self.todo)
            if not self.busy and not sending:
                break
            if now > give_up:
                raise LoadFault(f"{len(self.busy)} requests were never answered")
            patience = 1.0
            if sending and self.idle and job.rate is not None:
                patience = max(start + beats / job.rate - now, 0)
            for number, _event in self.poll.poll(patience):
                self._read(number)
        driven.last = time.time()
        for each in self.sockets.values():
            each.close()
        self.poll.close()
        return driven

    def _next(self) -> Sealed:
        notice = self.todo.popleft()
        if self.job.cycle:
            self.todo.append(notice)
        return notice

    def _connect(self) -> int:
        made = socket.create_connection(("127.0.0.1", self.job.port), timeout=ANSWER_WITHIN_SECONDS)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sockets[made.fileno()] = made
        self.left[made.fileno()] = self.dice.randint(*REQUESTS_A_CONNECTION)
        self.poll.register(made.fileno(), select.EPOLLIN)
        return made.fileno()

    def _send(self, number: int, notice: Sealed, since: float | None = None) -> None:
        self.busy[number] = (notice, since or time.perf_counter())
        try:
            self.sockets[number].sendall(notice.request)
        except OSError:
            self._again(number)

    def _read(self, number: int) -> None:
        try:
            answer = self.sockets[number].recv(65_536)
        except OSError:
            answer = b""
        if not answer:
            self._again(number)
            return
        notice, since = self.busy.pop(number)
        if answer.startswith(b"HTTP/1.1 204 "):
            self.driven.latencies.append(time.perf_counter() - since)
            if not self.job.cycle:
                self.driven.acks.append((notice.notification_id, time.time()))
        else:
            status = answer[9:12].decode("ascii", "replace")
            self.driven.refused[status] = self.driven.refused.get(status, 0) + 1
        self.left[number] -= 1
        if self.left[number] == 0 or b"\r\nConnection: close" in answer:
            self._drop(number)
            number = self._connect()
        self.idle.append(number)

    def _again(self, number: int) -> None:
        """A worker that has served its time closes its connections; what was under way is sent once more, as they would."""
        self.driven.reconnects += 1
        waiting = self.busy.pop(number, None)
        if number in self.idle:
            self.idle.remove(number)
        self._drop(number)
        fresh = self._connect()
        if waiting is None:
            self.idle.append(fresh)
        else:
            self._send(fresh, *waiting)

    def _drop(self, number: int) -> None:
        self.poll.unregister(number)
        self.sockets.pop(number).close()
