"""Keys turn while the house is open: under load, with real processes, nobody hears an error and nothing stands unsealed."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from config.seals import load_seals
from models.base import place
from sandbox.phone import Phone
from services.resealing import sealed_columns
from tests.town import PROGRAMS, Town

pytestmark = pytest.mark.slow


def key_of(seal: bytes) -> str:
    """By hand: version 1, the id's length, the id. Then 12 bytes of nonce and 16 of tag at least."""
    assert seal[0] == 1
    assert 0 < seal[1] <= 32
    assert len(seal) >= 2 + seal[1] + 12 + 16
    return seal[2 : 2 + seal[1]].decode("ascii")


class Watch:
    """Looks at every sealed column again and again: whatever stands there must be a seal of a key that we have."""

    def __init__(self, town: Town) -> None:
        self._url = town.stack.database_url.replace("postgresql+psycopg://", "postgresql://")
        self.samples = 0
        self.keys: set[str] = set()

    def rows(self) -> list[tuple[str, str, object, bytes]]:
        with psycopg.connect(self._url) as connection:
            return [
                (table, column, row_id, bytes(seal))
                for table, column in sealed_columns()
                for row_id, seal in connection.execute(
                    f"SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608 - our own names
                )
            ]

    def look(self) -> list[tuple[str, str, object, bytes]]:
        rows = self.rows()
        found = {key_of(seal) for *_, seal in rows}
        assert found <= {"k1", "k2", "k3"}
        self.keys |= found
        self.samples += 1
        return rows


def people_come_and_go(town: Town, stop: threading.Event, pace_seconds: float) -> int:
    """Sign in for the first time, look around, sign in again; now and then money turns up from nowhere. Answers how many requests."""
    program, app_id, _ = PROGRAMS["wechat"]
    done, due = 0, time.monotonic()
    while not stop.is_set():
        user = town.sandbox.make_user(app_id)
        phone = Phone(
            town.stack.url("web"), town.sandbox, miniprogram=program, app_id=app_id, platform="wechat", user_id=user["user_id"]
        )
        phone.sign_in()
        for _ in range(6):
            assert phone.me()["capabilities"] == []
            phone.people()
        phone.sign_in()
        if done % 5 == 0:
            town.sandbox.stray_payment("WECHAT_PAY", "1900003204", 100 + done, app_id=app_id)
        phone.close()
        done += 14
        due += 14 * pace_seconds
        time.sleep(max(0.0, due - time.monotonic()))
    return done


def turn_keys_under_load(town: Town, *, seconds: float, people: int, a_second: float) -> tuple[float, Watch]:
    """Two new keys, each put on everything, while the crowd goes on. Answers how many requests a second went well meanwhile."""
    payer = town.phone("wechat")
    person, bill = town.own_bill(payer)
    watch, stop = Watch(town), threading.Event()
    began = time.monotonic()
    with ThreadPoolExecutor(people + 1) as pool:
        crowd = [pool.submit(people_come_and_go, town, stop, people / a_second) for _ in range(people)]

        def keep_looking() -> None:
            while not stop.is_set():
                watch.look()
                time.sleep(0.2)

        looking = pool.submit(keep_looking)
        try:
            for _ in range(2):
                time.sleep(seconds / 4)
                for words in (("seals", "new-key", "--algorithm", "AES-256-GCM"), ("seals", "reseal")):
                    done = town.canbao(*words)
                    assert done.returncode == 0, done.stdout + done.stderr
                time.sleep(seconds / 4)
        finally:
            stop.set()
        requests = sum(each.result(60) for each in crowd)
        rate = requests / (time.monotonic() - began)
        looking.result(60)
    # What was sealed before the first turn still does its work: this order opens the payer's subject.
    order = payer.order(person, [bill["id"]])
    payer.pay(order)
    payer.wait_until(order["order_no"], "PAID")
    return rate, watch


def settle_down(town: Town, watch: Watch) -> None:
    """A process may seal with the key before the last for five seconds more; then one more run leaves none of it."""
    time.sleep(6)
    assert town.canbao("seals", "reseal").returncode == 0
    seals = load_seals(town.stack.state_dir / "secrets" / "seal-keys.json")
    newest = seals.current
    rows = watch.look()
    assert {key_of(seal) for *_, seal in rows} == {newest}
    for table, column, row_id, seal in rows:
        assert seals.open_bytes(seal, place=place(table, column, row_id))
    assert "LOST" not in town.canbao("seals", "status").stderr
    for part in ("web", "letterbox", "worker", "settle"):
        log = (town.stack.logs / f"{part}.log").read_text()
        told = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        assert [line for line in told if line["level"] in ("error", "critical")] == []
    assert town.stack.ended() == []


@pytest.mark.full
def test_keys_turn_twice_while_people_come_and_go(town):
    rate, watch = turn_keys_under_load(town, seconds=4, people=3, a_second=60)

    settle_down(town, watch)
    assert watch.keys >= {"k1", "k3"}
    assert rate > 0


@pytest.mark.full
def test_keys_turn_twice_under_two_hundred_requests_a_second(tmp_path):
    from jobs.stack import Stack

    with Stack.on_free_ports(tmp_path / "state", notice_time_scale=0.05) as stack:
        town = Town(stack)
        town.settle_in(tmp_path)
        rate, watch = turn_keys_under_load(town, seconds=20, people=16, a_second=205)
        settle_down(town, watch)
        print(f"{rate:.0f} requests a second, {watch.samples} looks")  # noqa: T201 - a figure for whoever runs it
        assert watch.samples > 10
        assert rate >= 200
        town.sandbox.close()
