"""Faces in the app, over real processes: the callback comes, is lost, doubled, early or late, and the phone never comes back."""

from __future__ import annotations

import hashlib
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests
from sqlalchemy import text

from app import build_ports
from config.settings import load_settings
from models.accounts import AccountSession
from sandbox.phone import Phone
from tests.factories import APP, World, an_id_number

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]


@pytest.fixture(scope="module")
def world(town):
    """The house's own database, to open sessions in it and to look at its rows."""
    ports = build_ports(
        load_settings({name: value for name, value in town.stack.environment.items() if name.startswith("CANBAO_")})
    )
    yield World(ports)
    ports.sessions.kw["bind"].dispose()


def in_front_of_the_camera(town, world, number):
    """Somebody with the app open, whose name is proven; the check that was begun."""
    id_number = an_id_number(number, born="19660606")
    town.sandbox.register_person("张三", id_number, phone="13800000000")
    phone = signed_in(town, world)
    phone.consent_to()
    phone.prove_name("张三", id_number, "13800000000")
    return phone, phone.begin_face()


def signed_in(town, world):
    account, token, now = world.account(miniprogram=APP, verified=False), secrets.token_urlsafe(32), world.ports.now()
    with world.ports.begin() as session:
        session.add(
            AccountSession(
                account_id=account.id,
                token_hash=hashlib.sha256(token.encode()).digest(),
                created_at=now,
                expires_at=now + timedelta(hours=1),
            )
        )
    phone = Phone(town.stack.url("web"), town.sandbox, miniprogram=APP, app_id=APP, platform="app", user_id="")
    phone.token = token
    return phone


def ends(phone, check, *, seconds=60.0):
    """Only looking, never asking: what becomes of a check by itself."""
    until = time.monotonic() + seconds
    while (seen := phone.ask("GET", f"/identity/face-checks/{check['id']}"))["state"] == "PENDING":
        assert time.monotonic() < until, "it is still PENDING"
        time.sleep(0.2)
    return seen["state"], phone.me()["account"]["verified"]


def ended_once(world, check):
    return world.rows("SELECT count(*) FROM moves WHERE row_id = :id AND from_state = 'PENDING'", id=check["id"]) == [(1,)]


def callbacks(town):
    """Counted at the letterbox, by result."""
    told = requests.get(town.stack.url("letterbox") + "/metrics", timeout=10).text
    lines = [line for line in told.splitlines() if line.startswith("canbao_face_callbacks_total{")]
    return {line.split('result="')[1].split('"')[0]: float(line.rsplit(" ", 1)[1]) for line in lines}


def test_a_callback_verifies_within_seconds_and_the_phone_never_comes_back(town, world):
    phone, check = in_front_of_the_camera(town, world, 1)

    began = time.monotonic()
    phone.show_face(check)

    assert ends(phone, check, seconds=15) == ("PASSED", True)
    assert time.monotonic() - began < 15
    assert ended_once(world, check)
    assert callbacks(town)["heard"] >= 1
    assert callbacks(town)["refused:no_token"] >= 1, "they looked whether we are there before they opened the check"


def test_an_early_callback_that_lies_opens_nothing_and_the_true_end_is_found(town, world):
    town.sandbox.misbehave("app:aliyun", "early", times=1, operation="face_callback")
    phone, check = in_front_of_the_camera(town, world, 2)
    town.wait_until_delivered()
    time.sleep(5)  # two passes of the sweep
    assert not phone.me()["account"]["verified"]

    phone.show_face(check, "failed")

    assert ends(phone, check, seconds=15) == ("FAILED", False)
    assert ended_once(world, check)


CASES = {
    "lost": ("passed", ("lost", None), ("PASSED", True)),
    "lost, and failed": ("failed", ("lost", None), ("FAILED", False)),
    "doubled": ("passed", ("duplicate", 4), ("PASSED", True)),
    "late": ("passed", ("late", 5), ("PASSED", True)),
    "later than our own question": ("passed", ("late", 30), ("PASSED", True)),
}


def test_lost_doubled_and_late_callbacks_end_in_one_verdict_each(town, world):
    def live(numbered):
        number, name = numbered
        outcome, (fault, value), expected = CASES[name]
        phone, check = in_front_of_the_camera(town, world, 10 + number)
        town.sandbox.misbehave(check["launch"]["certifyId"], fault, value, operation="face_callback")
        phone.show_face(check, outcome)
        return name, ends(phone, check), expected, check

    with ThreadPoolExecutor(len(CASES)) as pool:
        lives = list(pool.map(live, enumerate(CASES)))
    town.wait_until_delivered(seconds=40)
    time.sleep(5)

    assert {name: end for name, end, _, _ in lives} == {name: expected for name, _, expected, _ in lives}
    assert all(ended_once(world, check) for *_, check in lives)
    assert world.scalar("SELECT count(*) FROM insured_persons WHERE is_self") == world.scalar(
        "SELECT count(*) FROM accounts WHERE person_id IS NOT NULL"
    )


def test_a_check_that_somebody_walked_away_from_lapses_once(town, world):
    phone, check = in_front_of_the_camera(town, world, 3)
    with world.ports.begin() as session:
        # A quarter of an hour later.
        session.execute(text("UPDATE face_checks SET expires_at = now() WHERE id = :id"), {"id": check["id"]})

    assert ends(phone, check, seconds=70) == ("EXPIRED", False)
    phone.show_face(check)
    town.wait_until_delivered()
    time.sleep(5)

    assert ends(phone, check) == ("EXPIRED", False)
    assert ended_once(world, check)
    again = phone.begin_face()
    phone.show_face(again)
    assert ends(phone, again, seconds=30) == ("PASSED", True)


def test_a_letterbox_that_was_down_costs_a_few_seconds_and_no_verdict(town, world):
    phone, check = in_front_of_the_camera(town, world, 4)
    town.stack.kill("letterbox")
    try:
        phone.show_face(check)
        assert ends(phone, check) == ("PASSED", True)
    finally:
        town.stack.start("letterbox")
        town.stack.wait_for("letterbox")

    assert ended_once(world, check)
