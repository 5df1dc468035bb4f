"""The Must-show test: paid orders come as a storm of notices while every process of ours is killed again and again.

Real processes (`jobs.stack.Stack`), real HTTP, both providers as the sandbox plays them: notices twice, at the same moment, late, out of
order, lost, after forgeries; answers slow, failed, or cut off after the work was done. Web, letterbox, settle and worker are SIGKILLed
and PostgreSQL is restarted the hard way. Then everybody comes to rest, and each order took effect exactly once, to the fen.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import build_ports
from config.settings import load_settings
from jobs.stack import Stack
from sandbox.remote import Sandbox
from services import journal
from tests.crash.truths import clearing, untruths
from tests.torture.clients import PAY, Crowd, plan
from tests.torture.town import settle_people

if TYPE_CHECKING:
    from services.ports import Ports

VICTIMS = ("letterbox", "settle", "web", "worker")
ANSWERS_THAT_FAIL = ["server_error", "timeout_after_success", {"fault": "slow", "value": 1.0}, "rate_limited"]
LIVE_ORDERS = "SELECT count(*) FROM payment_orders WHERE state NOT IN ('PAID', 'CLOSED')"
WAITING_NOTICES = "SELECT count(*) FROM notices WHERE state = 'WAITING'"


@dataclass(frozen=True, kw_only=True)
class Size:
    orders: int
    kills: int
    """Of each process."""
    people: int
    rest_within_seconds: float
    seed: int = 20261122


SMALL = Size(orders=60, kills=1, people=60, rest_within_seconds=120)
FULL = Size(orders=2_000, kills=5, people=1_700, rest_within_seconds=300)


class Hangman(threading.Thread):
    """Kills each victim so many times while the crowd is at work, and restarts the database once in between."""

    def __init__(self, stack: Stack, crowd: Crowd, *, kills: int, dice: random.Random) -> None:
        super().__init__(name="hangman")
        rounds = [dice.sample(VICTIMS, len(VICTIMS)) for _ in range(kills)]
        self._turns = [part for one in rounds for part in one]
        self._turns.insert(len(self._turns) // 2, "postgres")
        self._stack, self._crowd = stack, crowd
        self.killed: Counter[str] = Counter()
        self.while_busy = 0
        self.fault: Exception | None = None

    def run(self) -> None:
        try:
            for at, part in enumerate(self._turns):
                # Spread over the work: the next one dies when so much of it is done.
                while self._crowd.is_busy and self._crowd.done < self._crowd.total * at / (len(self._turns) + 1):
                    time.sleep(0.02)
                self.while_busy += self._crowd.is_busy
                self._kill(part)
                self.killed[part] += 1
            for part in VICTIMS:
                self._stack.wait_for(part)
        except Exception as fault:  # noqa: BLE001 - told by the test
            self.fault = fault

    def _kill(self, part: str) -> None:
        if part == "postgres":
            self._stack.postgres.restart(mode="immediate")
            return
        # It must have come back from the last time; the others may be on their way, as after a real bad day.
        self._stack.wait_for(part)
        self._stack.kill(part)
        self._stack.start(part)


def come_to_rest(ports: Ports, sandbox: Sandbox, *, within_seconds: float) -> float:
    """No notice in the post, none waiting, no order live. What nobody paid lapses now instead of in half an hour."""
    started = time.monotonic()
    until = started + within_seconds
    assert sandbox.wait_until_delivered(timeout_seconds=within_seconds), "the post is not delivered"
    with ports.begin() as session:
        session.execute(
            text("UPDATE payment_orders SET expires_at = now() - interval '1 second' WHERE state NOT IN ('PAID', 'CLOSED')")
        )
    while True:
        with ports.begin() as session:
            left = {sql: session.execute(text(sql)).scalar_one() for sql in (LIVE_ORDERS, WAITING_NOTICES)}
        if not any(left.values()):
            return time.monotonic() - started
        assert time.monotonic() < until, f"not at rest after {within_seconds:.0f} s: {left}"
        time.sleep(0.25)


def ready(ports: Ports) -> None:
    """The test's own pool meets the restarted database once."""
    for _ in range(20):
        try:
            with ports.begin() as session:
                session.execute(text("SELECT 1"))
        except DBAPIError:
            time.sleep(0.2)
        else:
            return


def torture(size: Size) -> dict[str, Any]:
    dice = random.Random(size.seed)
    folder = Path(tempfile.mkdtemp(prefix="cb-torture-"))
    stack = Stack.on_free_ports(folder, notice_time_scale=0.002)
    started = time.monotonic()
    with stack:
        ports = build_ports(
            load_settings({name: value for name, value in stack.environment.items() if name.startswith("CANBAO_")})
        )
        sandbox = Sandbox(stack.url("sandbox"), timeout_seconds=60)
        try:
            citizens = settle_people(ports, stack.url("sandbox"), size.people)
            errands = plan(citizens, paid=size.orders, dice=dice)
            seeded = time.monotonic() - started
            sandbox.misbehave_at_random(seed=str(size.seed), rate=0.08, faults=ANSWERS_THAT_FAIL)
            crowd = Crowd(stack.url("web"), stack.url("sandbox"), errands)
            hangman = Hangman(stack, crowd, kills=size.kills, dice=dice)
            begun = time.monotonic()
            crowd.start()
            hangman.start()
            crowd.join()
            worked = time.monotonic() - begun
            hangman.join()
            assert hangman.fault is None, hangman.fault
            sandbox.behave()
            ready(ports)
            rested = come_to_rest(ports, sandbox, within_seconds=size.rest_within_seconds)
            assert stack.ended() == []
            figures = look(ports, sandbox, errands, crowd)
        except BaseException:
            keep_logs(stack)
            raise
        finally:
            sandbox.close()
            ports.sessions.kw["bind"].dispose()
    shutil.rmtree(folder, ignore_errors=True)
    return {
        "orders paid": size.orders,
        **figures,
        "killed": dict(hangman.killed),
        "of them while clients were at work": hangman.while_busy,
        "tries that found nobody": dict(crowd.refusals),
        "seconds to start and to seed": round(seeded, 1),
        "seconds of work": round(worked, 1),
        "seconds to rest": round(rested, 1),
    }


def keep_logs(stack: Stack) -> None:
    for log in sorted(stack.logs.glob("*.log")):
        tail = log.read_text(errors="replace").splitlines()[-15:]
        print(f"--- {log.name}\n" + "\n".join(tail))  # noqa: T201 - what a failed night wants to be read by


def look(ports: Ports, sandbox: Sandbox, errands: list[Any], crowd: Crowd) -> dict[str, Any]:
    """Every promise, checked; and the figures to print."""
    assert not crowd.faults, crowd.faults[:5]
    state = sandbox.state()
    with ports.begin() as session:
        found = untruths(session)
        books, balances = clearing(session), journal.balances(session)
        ours = dict(
            session.execute(
                text("SELECT p.payment_no, o.state FROM payments p JOIN payment_orders o ON o.id = p.order_id")
            ).all()
        )
        numbers = dict(
            session.execute(
                text("SELECT o.order_no, p.payment_no FROM payments p JOIN payment_orders o ON o.id = p.order_id")
            ).all()
        )
        outcomes = dict(session.execute(text("SELECT outcome, count(*) FROM notices GROUP BY 1 ORDER BY 1")).all())
        counts = {
            table: session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()  # noqa: S608 - our own words
            for table in ("payment_orders", "contribution_records", "notices", "transfers")
        }
    assert not found
    theirs = {order["out_trade_no"]: order for order in state["orders"]}
    # One order here is one order there, in the same state.
    paid_there = {number for number, order in theirs.items() if order["state"] == "PAID"}
    assert {number for number, state in ours.items() if state == "PAID"} == paid_there
    assert len(paid_there) == sum(errand.fate == PAY for errand in errands)
    assert all(order["state"] in ("PAID", "CLOSED") for order in theirs.values())
    assert counts["payment_orders"] == len(errands), "each errand made one order, however often its button was pressed"
    # To the fen, for each merchant: what we booked is what they hold; and all of it is owed on, nothing stands aside.
    assert books == {merchant: fen for merchant, fen in state["money"].items() if fen}
    assert sum(books.values()) == sum(fen for account, fen in balances.items() if account.startswith("contributions:"))
    assert counts["contribution_records"] == sum(len(errand.bills) for errand in errands if errand.fate == PAY)
    assert counts["transfers"] == counts["contribution_records"]
    assert state["pending_notices"] == 0
    assert not [kind for kind, probe in state["probes"].items() if probe["accepted"]], "a forgery was accepted"
    storm = {
        errand.key: theirs[numbers[crowd.orders[errand.key]]]["notices"]["sent"] for errand in errands if errand.fate == PAY
    }
    calm = [errand for errand in errands if errand.fate == PAY and storm[errand.key] < errand.notices]
    assert not calm, (
        f"the storm was weaker than it should be: {[(storm[each.key], each.notices, each.faults) for each in calm[:5]]}"
    )
    deliveries = sum(order["notices"]["sent"] for order in theirs.values())
    return {
        "orders": counts["payment_orders"],
        "notices meant": sum(errand.notices for errand in errands),
        "deliveries with retries": deliveries,
        "probes": {kind: probe["sent"] for kind, probe in state["probes"].items()},
        "rows in the inbox": counts["notices"],
        "outcomes": outcomes,
        "fen at providers and in the books": books,
    }


def tell(figures: dict[str, Any]) -> None:
    lines = [f"  {name:<36} {value}" for name, value in figures.items()]
    print("\n" + "\n".join(lines))  # noqa: T201 - the figures are the point


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_orders_take_effect_exactly_once_while_everything_is_killed_once(monkeypatch: pytest.MonkeyPatch):
    # One process behind each door: starting Python is what takes the time of this one.
    monkeypatch.setenv("WEB_CONCURRENCY", "1")
    tell(torture(SMALL))


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_two_thousand_orders_take_effect_exactly_once_while_everything_is_killed_five_times():
    tell(torture(FULL))
