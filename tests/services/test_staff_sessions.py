"""Signing in at the console: both factors, one answer, locks that grow, codes that are good once, sessions that end by themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.staff import StaffRole
from services import staff as service
from services import staff_passwords
from services.staff_acts import FAILURES, Origin, network_of
from services.staff_errors import StaffPasswordWeak, StaffSignInAgain, StaffSignInRefused, TooManyStaffSignIns
from services.staff_sessions import ENDS_AFTER, FIRST_LOCK, IDLE_AFTER, TRIES, authenticate, change_password, sign_in, sign_out
from tests.console.browser import OFFICE, PASSWORD, code_at, member
from tests.together import at_once

NUMBER, NEW = "S1024", "秋天的桂花开满了整条巷子"


@pytest.fixture
def staff(ports, clock):
    """Enrolled; the next half minute's code is fresh."""
    view = member(ports, NUMBER, StaffRole.REVIEWER)
    clock.move(seconds=30)
    return view


def enter(ports, *, number=NUMBER, password=PASSWORD, steps=0, code=None, origin=OFFICE):
    return sign_in(
        ports,
        number=number,
        password=password,
        totp_code=code_at(ports, NUMBER, steps=steps) if code is None else code,
        origin=origin,
    )


def fail(ports, times=1, **how):
    for _ in range(times):
        with pytest.raises(StaffSignInRefused):
            enter(ports, **{"password": "wrong wrong wrong", **how})


def state_of(ports) -> str:
    return service.read_staff(ports, number=NUMBER).state


def test_both_factors_open_a_session(ports, staff, world):
    done = enter(ports, number="ｓ1024")

    assert authenticate(ports, done.token).number == NUMBER
    assert world.rows("SELECT who, result, address FROM staff_acts WHERE act = 'staff.sign_in'") == [
        ("staff:S1024", "DONE", "10.1.2.3")
    ]
    (row,) = world.rows("SELECT CAST(s AS text) FROM staff_sessions s")
    assert done.token not in row[0]
    assert done.token not in repr(done)


def refusal(ports, **how) -> tuple[str, str]:
    with pytest.raises(StaffSignInRefused) as told:
        enter(ports, **how)
    return told.value.code, told.value.said


def test_every_failure_has_the_same_answer(ports, staff, clock):
    administrator = member(ports, "S4001", StaffRole.ADMINISTRATOR)
    service.invite(ports, number="S7777", roles=["REVIEWER"], origin=OFFICE)
    told = {
        refusal(ports, password="wrong wrong wrong"),
        refusal(ports, code="000000"),
        refusal(ports, code=""),
        refusal(ports, number="S9999"),
        refusal(ports, number="S7777"),
        refusal(ports, number="no number at all"),
        refusal(ports, password="", code=""),
        refusal(ports, password="x" * 100_000),
    }
    service.lock(ports, number=NUMBER, by=administrator, origin=OFFICE)
    told.add(refusal(ports))
    service.unlock(ports, number=NUMBER, by=administrator, origin=OFFICE)
    service.leave(ports, number=NUMBER, by=administrator, origin=OFFICE)
    told.add(refusal(ports, code="123456"))

    assert len(told) == 1


def test_unknown_numbers_cost_as_much_as_known_ones(ports, staff, monkeypatch):
    """Time tells nothing: a hash is verified either way."""
    verified = []

    class Counting:
        def verify(self, password_hash, password):
            verified.append(password_hash)
            return staff_passwords_hasher.verify(password_hash, password)

    staff_passwords_hasher = staff_passwords.HASHER
    monkeypatch.setattr(staff_passwords, "HASHER", Counting())
    for number in (NUMBER, "S9999", "no number at all"):
        refusal(ports, number=number, password="wrong wrong wrong")

    assert [each == staff_passwords.DUMMY for each in verified] == [False, True, True]
    assert {each.split("$")[3] for each in verified} == {"m=19456,t=2,p=1"}


def test_nobody_has_the_dummys_password(ports, staff):
    assert not staff_passwords.fits(None, "nobody has this password")


# --- codes


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_clock_may_be_half_a_minute_off(ports, staff, clock, steps):
    clock.move(seconds=30)

    assert enter(ports, steps=steps)


@pytest.mark.parametrize("steps", [-2, 2, 100])
def test_and_no_more(ports, staff, clock, steps):
    clock.move(seconds=90)
    fail(ports, password=PASSWORD, steps=steps)


def test_a_code_is_good_once(ports, staff, clock):
    code = code_at(ports, NUMBER)
    enter(ports, code=code)
    fail(ports, password=PASSWORD, code=code)
    clock.move(seconds=29)
    fail(ports, password=PASSWORD, code=code)
    clock.move(seconds=1)
    enter(ports)


def test_after_a_code_from_ahead_an_older_one_is_refused(ports, staff, clock):
    enter(ports, steps=1)
    fail(ports, password=PASSWORD, steps=0)
    fail(ports, password=PASSWORD, steps=1)


def test_the_code_that_enrolled_signs_nobody_in(ports, clock):
    member(ports, NUMBER, StaffRole.REVIEWER)

    fail(ports, password=PASSWORD)


def test_one_code_pressed_twice_at_once_opens_one_session(ports, staff, world):
    code = code_at(ports, NUMBER)

    done = at_once(*[lambda: enter(ports, code=code)] * 3)

    assert sorted(type(each).__name__ for each in done) == ["SignedInStaff", "StaffSignInRefused", "StaffSignInRefused"]
    assert world.scalar("SELECT count(*) FROM staff_sessions WHERE ended_at IS NULL") == 1


def test_a_code_with_a_space_or_in_full_width_is_the_same_code(ports, staff):
    code = code_at(ports, NUMBER)

    assert enter(ports, code=f" {code[:3]} {code[3:]} ".translate({ord(str(d)): chr(0xFF10 + d) for d in range(10)}))


# --- locks


def test_five_failures_lock_for_a_quarter_of_an_hour(ports, staff, clock, world):
    fail(ports, TRIES - 1)
    assert state_of(ports) == "ACTIVE"
    fail(ports)
    assert state_of(ports) == "LOCKED"
    fail(ports, password=PASSWORD)
    clock.move(seconds=FIRST_LOCK.total_seconds() - 1)
    fail(ports, password=PASSWORD)

    clock.move(seconds=1)
    assert enter(ports)
    assert world.rows("SELECT to_state, why, who FROM moves WHERE noun = 'staff' ORDER BY id") == [
        ("ACTIVE", "staff.enrolled", "staff:S1024"),
        ("LOCKED", "staff.too_many_tries", "staff_sessions.count"),
        ("ACTIVE", "staff.lock_lapsed", "staff_sessions.lapse"),
    ]


def test_each_lock_is_longer_than_the_one_before_and_a_day_at_most(ports, staff, clock):
    lasted = []
    for number in range(9):
        fail(ports, TRIES, origin=Origin(address=f"10.0.0.{number}", request_id="story-0002"))
        until = service.read_staff(ports, number=NUMBER).locked_until
        lasted.append(until - ports.now())
        clock.set(until)

    assert lasted[:4] == [timedelta(minutes=15 * 2**step) for step in range(4)]
    assert lasted[-1] == lasted[-2] == timedelta(days=1)


def test_a_good_sign_in_forgives(ports, staff, clock, world):
    fail(ports, TRIES - 1)
    enter(ports)
    clock.move(seconds=30)
    fail(ports, TRIES - 1)

    assert state_of(ports) == "ACTIVE"


def test_tries_while_locked_neither_count_nor_lengthen(ports, staff, clock):
    fail(ports, TRIES)
    until = service.read_staff(ports, number=NUMBER).locked_until
    fail(ports, 3)

    assert service.read_staff(ports, number=NUMBER).locked_until == until
    clock.set(until)
    fail(ports, TRIES - 1)
    assert state_of(ports) == "ACTIVE"


def test_guesses_at_once_are_counted_one_by_one(ports, staff, world):
    code = code_at(ports, NUMBER)
    jobs = [lambda word=word: enter(ports, code=code, password=f"wrong wrong {word}") for word in range(8)]

    done = at_once(*jobs)

    assert {type(each) for each in done} == {StaffSignInRefused}
    assert state_of(ports) == "LOCKED"
    assert world.scalar("SELECT lockouts FROM staff") == 1
    # The right one that comes with the crowd's last is no better off.
    fail(ports, password=PASSWORD)


def test_a_lock_ends_the_session_that_is_open(ports, staff):
    token = enter(ports).token
    fail(ports, TRIES)

    with pytest.raises(StaffSignInAgain):
        authenticate(ports, token)


def test_the_lock_is_told_to_whoever_watches_without_what_was_typed(ports, staff, capsys, world):
    fail(ports, TRIES, password="秘密的话不应出现在任何地方")

    assert world.scalar("SELECT count(*) FROM staff_acts WHERE CAST(staff_acts AS text) LIKE '%秘密%'") == 0


# --- addresses


def test_an_address_that_fails_too_often_has_to_wait_whatever_the_number(ports, staff, clock):
    elsewhere = Origin(address="192.0.2.9", request_id="story-0003")
    fail(ports, FAILURES, number="S9999", origin=elsewhere)

    with pytest.raises(TooManyStaffSignIns):
        enter(ports, origin=elsewhere)
    assert enter(ports)
    clock.move(minutes=15)
    assert enter(ports, origin=elsewhere)


def test_a_flood_writes_no_more_rows(ports, staff, world):
    elsewhere = Origin(address="192.0.2.9", request_id="story-0003")
    fail(ports, FAILURES, number="S9999", origin=elsewhere)
    before = world.scalar("SELECT count(*) FROM staff_acts")
    with pytest.raises(TooManyStaffSignIns):
        enter(ports, number="S9999", origin=elsewhere)

    assert world.scalar("SELECT count(*) FROM staff_acts") == before


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.9", "192.0.2.9"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"), ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.9", "192.0.2.9"), ("-", "-"), ("nonsense", "-"),
    ],
)  # fmt: skip
def test_a_household_of_ipv6_addresses_is_one(address, network):
    assert network_of(address) == network


# --- sessions


def test_fifteen_quiet_minutes_end_a_session_and_every_request_keeps_it_awake(ports, staff, clock, world):
    token = enter(ports).token
    for _ in range(3):
        clock.move(seconds=IDLE_AFTER.total_seconds() - 1)
        authenticate(ports, token)
    clock.move(seconds=IDLE_AFTER.total_seconds())

    with pytest.raises(StaffSignInAgain):
        authenticate(ports, token)
    assert world.rows("SELECT ended_why FROM staff_sessions") == [("IDLE",)]


def test_eight_hours_are_a_day_however_busy(ports, staff, clock, world):
    token = enter(ports).token
    ends = ports.now() + ENDS_AFTER
    while ports.now() + IDLE_AFTER < ends:
        clock.move(minutes=14)
        authenticate(ports, token)
    clock.set(ends)

    with pytest.raises(StaffSignInAgain):
        authenticate(ports, token)
    assert world.rows("SELECT ended_why FROM staff_sessions") == [("EXPIRED",)]


def test_another_sign_in_ends_the_first(ports, staff, clock):
    first = enter(ports).token
    clock.move(seconds=30)
    second = enter(ports).token

    with pytest.raises(StaffSignInAgain):
        authenticate(ports, first)
    assert authenticate(ports, second)


def test_signing_out_ends_it_and_again_is_harmless(ports, staff):
    token = enter(ports).token
    sign_out(ports, token)
    sign_out(ports, token)

    with pytest.raises(StaffSignInAgain):
        authenticate(ports, token)


# --- passwords


def test_a_new_password_needs_the_old_one_and_the_phone(ports, staff, clock):
    token = enter(ports).token
    clock.move(seconds=30)
    given = {"staff": staff, "password": PASSWORD, "new_password": NEW, "totp_code": code_at(ports, NUMBER), "origin": OFFICE}
    for change in ({"password": NEW}, {"totp_code": "000000"}, {"totp_code": code_at(ports, NUMBER, steps=-1)}):
        with pytest.raises(StaffSignInRefused):
            change_password(ports, **{**given, **change})
    with pytest.raises(StaffPasswordWeak):
        change_password(ports, **{**given, "new_password": "short"})

    done = change_password(ports, **given)

    with pytest.raises(StaffSignInAgain):
        authenticate(ports, token)
    assert authenticate(ports, done.token)
    clock.move(seconds=30)
    fail(ports, password=PASSWORD)
    assert enter(ports, password=NEW)


def test_whoever_holds_an_open_session_cannot_guess_the_password_for_ever(ports, staff):
    token = enter(ports).token
    for _ in range(TRIES):
        with pytest.raises(StaffSignInRefused):
            change_password(
                ports, staff=staff, password="wrong wrong wrong", new_password=NEW, totp_code="000000", origin=OFFICE
            )

    with pytest.raises(StaffSignInAgain):
        authenticate(ports, token)


def test_the_old_password_tried_while_the_new_one_is_set_does_not_win(ports, staff, clock, world):
    clock.move(seconds=30)
    codes = [code_at(ports, NUMBER), code_at(ports, NUMBER, steps=1)]
    change = {"staff": staff, "password": PASSWORD, "new_password": NEW, "totp_code": codes[0], "origin": OFFICE}

    at_once(lambda: change_password(ports, **change), lambda: enter(ports, code=codes[1]))

    assert world.scalar("SELECT count(*) FROM staff_sessions WHERE ended_at IS NULL") == 1
