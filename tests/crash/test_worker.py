"""The worker and the settle loop as processes: told to stop, killed, and left without their database."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from procrastinate import App, PsycopgConnector
from sqlalchemy.exc import DBAPIError

from config.seals import new_seal_keys
from jobs import settle, sweeping, worker
from services.payments import ask_about_silence
from tests.crash.bank import Bank
from tests.crash.conftest import MIGRATED, a_server_of_our_own
from tests.crash.doomed import Scene, build
from tests.crash.stories import Stage, a_payer_with_an_order
from tests.crash.theatre import FORGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.process import BaseProcess

    from tests.conftest import Server

pytestmark = pytest.mark.slow
WITHIN_SECONDS = 45


def conninfo(scene: Scene) -> str:
    return scene.database_url.replace("postgresql+psycopg://", "postgresql://")


def work(scene: Scene) -> None:
    worker.run(build(scene), conninfo=conninfo(scene))


def settle_on(scene: Scene) -> None:
    settle.run(build(scene))


def hears_sigterm(process: BaseProcess) -> bool:
    """Whether it has a handler for it by now; until then it would just die of it."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():  # no Linux
        time.sleep(3)
        return True
    caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


@dataclass
class House:
    """One database with one order in it, and processes that come and go."""

    server: Server
    scene: Scene
    stage: Stage
    payment_no: str
    processes: list[Any]

    def start(self, target: Callable[[Scene], None]) -> Any:
        process = FORGE.Process(target=target, args=(self.scene,))
        process.start()
        self.processes.append(process)
        return process

    def ask(self, sql: str, *given: Any) -> Any:
        with psycopg.connect(conninfo(self.scene), autocommit=True) as connection:
            found = connection.execute(sql, given or None)
            return found.fetchone()[0] if found.description else None

    def state(self) -> str:
        return str(self.ask("SELECT state FROM payments"))

    def waits_for(self, what: Callable[[], object], why: str) -> None:
        until = time.monotonic() + WITHIN_SECONDS
        while time.monotonic() < until:
            try:
                if what():
                    return
            except (psycopg.OperationalError, DBAPIError):
                pass  # the database is being restarted
            time.sleep(0.05)
        raise AssertionError(f"within {WITHIN_SECONDS} s it never happened that {why}")

    def is_paid_and_silent(self, *, seconds: float = 6) -> None:
        """The payer has paid, nobody said so, and it is time to ask."""
        self.stage.pay(self.payment_no)
        self.stage.move(seconds=seconds)

    def is_at_it(self) -> None:
        """A sweep is in the middle of a question to the provider."""
        self.waits_for((self.scene.folder / "asking").exists, "the sweep asks the provider")

    def restart_the_database(self, *, mode: str = "immediate") -> None:
        assert self.server.embedded is not None
        self.server.embedded.restart(mode=mode)
        # The test's own connections are not what is tested here.
        self.stage.ports.sessions.kw["bind"].dispose()

    def end(self) -> None:
        for process in self.processes:
            if process.is_alive():
                process.kill()
            process.join()
            process.close()
        self.stage.ports.sessions.kw["bind"].dispose()


def a_house(server: Server, folder: Path) -> House:
    name = f"worker_{os.urandom(6).hex()}"
    with server.connect() as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{MIGRATED}"')
    keys = folder / "seal-keys.json"
    keys.write_text(new_seal_keys())
    scene = Scene(database_url=server.url_of(name), folder=folder, seal_keys=keys)
    stage = Stage(ports=build(scene), bank=Bank(folder), cast={})
    a_payer_with_an_order(stage)
    return House(server, scene, stage, stage.payment_nos()[0], [])


@pytest.fixture
def house(quick_server: Server, tmp_path: Path) -> Iterator[House]:
    house = a_house(quick_server, tmp_path)
    yield house
    house.end()


@pytest.fixture(scope="module")
def lonely_server() -> Iterator[Server]:
    """One that may be restarted: nobody else works on it."""
    with a_server_of_our_own() as server:
        yield server


@pytest.fixture
def lonely_house(lonely_server: Server, tmp_path: Path) -> Iterator[House]:
    house = a_house(lonely_server, tmp_path)
    yield house
    house.end()


def test_a_worker_told_to_stop_lets_the_job_in_hand_end(house: House):
    house.is_paid_and_silent()
    house.stage.bank.will_fail("ask", "slow")
    process = house.start(work)
    house.is_at_it()

    process.terminate()
    process.join(WITHIN_SECONDS)

    assert process.exitcode == 0
    assert house.state() == "SUCCEEDED"
    assert house.ask("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'") == 0


def test_a_worker_with_nothing_in_hand_stops_at_once(house: House):
    process = house.start(work)
    house.waits_for(lambda: house.ask("SELECT count(*) FROM procrastinate_workers"), "the worker is there")

    asked = time.monotonic()
    process.terminate()
    process.join(WITHIN_SECONDS)

    assert process.exitcode == 0
    assert time.monotonic() - asked < 10


def test_what_a_killed_worker_had_in_hand_is_put_back_and_done(house: House):
    house.is_paid_and_silent()
    house.stage.bank.will_fail("ask", "slow")
    killed = house.start(work)
    house.is_at_it()

    killed.kill()
    killed.join()
    left = house.ask("SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND task_name = 'canbao:ask_providers'")
    # As if its heart had stopped a minute ago; a real one is given up after 30 s.
    house.ask("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")
    # The question that died with it is asked again at the next step of the ladder.
    house.stage.move(seconds=31)
    house.start(work)

    house.waits_for(lambda: house.state() == "SUCCEEDED", "the sweep asks again")
    house.waits_for(
        lambda: not house.ask("SELECT count(*) FROM procrastinate_jobs WHERE id = %s AND status = 'doing'", left),
        "the killed worker's job is put back",
    )


async def _put_back(scene: Scene, *, waiting: bool) -> list[tuple[str, str]]:
    app = App(connector=PsycopgConnector(conninfo=conninfo(scene), min_size=1, max_size=2))
    app.add_tasks_from(worker.SWEEPS, namespace="canbao")
    # A blueprint put on two apps of one process grows its names.
    names = {name.rpartition(":")[2]: name for name in app.tasks}
    async with app.open_async():
        manager = app.job_manager
        dead = await manager.register_worker()
        sweep = app.configure_task(names["ask_providers"], queueing_lock="ask_providers")
        for _ in range(2):
            await sweep.defer_async(timestamp=0)
            await manager.fetch_job(queues=None, worker_id=dead)
        if waiting:
            await sweep.defer_async(timestamp=0)
        await app.connector.execute_query_async("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")
        context = type("Context", (), {"app": app})()
        await app.tasks[names["retry_stalled"]].func(context, 0)
        rows = await app.connector.execute_query_all_async("SELECT task_name, status::text FROM procrastinate_jobs")
        return [(row["task_name"].rpartition(":")[2], row["status"]) for row in rows]


@pytest.mark.parametrize("beside", ["one that waits", "nothing"])
def test_two_stalled_sweeps_of_a_kind_become_one(house: House, beside: str):
    """A queueing lock admits one that waits: putting back a second must not fail and leave all others stalled."""
    assert asyncio.run(_put_back(house.scene, waiting=beside == "one that waits")) == [("ask_providers", "todo")]


def test_the_worker_goes_on_after_the_database_was_restarted(lonely_house: House):
    house = lonely_house
    process = house.start(work)
    house.waits_for(lambda: house.ask("SELECT count(*) FROM procrastinate_workers"), "the worker is there")

    house.restart_the_database()
    house.is_paid_and_silent()

    house.waits_for(lambda: house.state() == "SUCCEEDED", "the worker asks after the restart")
    assert process.is_alive()


def test_a_worker_waits_for_a_database_that_is_not_there_yet(lonely_house: House):
    house, embedded = lonely_house, lonely_house.server.embedded
    assert embedded is not None
    house.is_paid_and_silent()
    embedded._pg_ctl("stop", "-m", "fast", "-w")
    process = house.start(work)
    time.sleep(3)
    assert process.is_alive()

    embedded._start()

    house.waits_for(lambda: house.state() == "SUCCEEDED", "the worker finds the database")


def test_a_worker_without_a_database_stops_when_told_to(lonely_house: House):
    embedded = lonely_house.server.embedded
    assert embedded is not None
    embedded._pg_ctl("stop", "-m", "fast", "-w")
    process = lonely_house.start(work)
    lonely_house.waits_for(lambda: hears_sigterm(process), "the worker begins")
    time.sleep(1)  # and has tried the database

    process.terminate()
    process.join(15)
    embedded._start()

    assert process.exitcode == 0


@pytest.mark.parametrize("mode", ["immediate", "fast"])
def test_the_settle_loop_survives_a_database_restart(lonely_house: House, mode: str):
    house = lonely_house
    process = house.start(settle_on)
    time.sleep(1)

    house.restart_the_database(mode=mode)
    house.stage.pay(house.payment_no)
    house.waits_for(lambda: house.stage.hear() is None, "the letterbox keeps the notice")

    house.waits_for(lambda: house.state() == "SUCCEEDED", "the loop settles after the restart")
    process.terminate()
    process.join(WITHIN_SECONDS)
    assert process.exitcode == 0


def test_two_settle_loops_share_the_work_and_one_may_be_killed(house: House):
    first, second = house.start(settle_on), house.start(settle_on)
    house.stage.pay(house.payment_no)
    os.kill(first.pid, signal.SIGKILL)
    house.stage.hear()

    house.waits_for(lambda: house.state() == "SUCCEEDED", "the other loop settles")
    assert second.is_alive()
    assert house.ask("SELECT count(*) FROM contribution_records") == 2


def test_a_sweep_in_two_workers_at_once_asks_each_payment_once(house: House):
    house.is_paid_and_silent()
    house.start(work)
    house.start(work)

    house.waits_for(lambda: house.state() == "SUCCEEDED", "one of them asks")
    assert ask_about_silence(house.stage.ports) == 0
    assert house.ask("SELECT asks FROM payments") == 1


def test_a_slow_sweep_is_not_started_beside_itself_so_that_others_keep_their_places():
    begun, may_end, asked = threading.Event(), threading.Event(), []

    def slow(ports: Any) -> int:
        asked.append(ports)
        begun.set()
        may_end.wait(10)
        return 1

    sweep = sweeping.one_at_a_time(slow)
    first = threading.Thread(target=sweep, args=("first",))
    first.start()
    begun.wait(10)

    assert sweep("second") is None
    may_end.set()
    first.join()
    assert sweep("third") == 1
    assert asked == ["first", "third"]


def test_a_sweep_that_failed_is_started_again():
    def broken(_ports: Any) -> int:
        raise ValueError

    sweep = sweeping.one_at_a_time(broken)
    for _ in range(2):
        with pytest.raises(ValueError):
            sweep("ports")
