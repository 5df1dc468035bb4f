"""Face checks that never depend on the phone coming back: a callback or silence makes us ask, and the platform's server alone decides."""

from __future__ import annotations

import threading
import time
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import text

from models.accounts import Account
from providers.protocols import FaceVerdict, ProviderRefused, ProviderUnreachable
from services import identity_asking
from services.account_closing import close_account
from services.consent_withdrawals import withdraw_consent
from services.errors import DeviceRequired, ProviderUnavailable, TooManyFaceChecks
from services.face_checks import expire_face_checks, finish_face_check, read_face_check, start_face_check
from services.identity_asking import ask_face_checks, hear_of_face, next_question
from services.real_names import prove_name
from services.sign_in import prefer
from tests.conftest import NOW
from tests.factories import ALIPAY, APP, WECHAT, an_id_number

DEVICE = '{"deviceType":"ios"}'
PROGRAMS = (WECHAT, ALIPAY, APP)


def named(world, miniprogram=APP, *, number=1):
    account = world.account(verified=False, miniprogram=miniprogram)
    world.agree(account, "REAL_NAME", "FACE")
    prove_name(world.ports, account=account, name="张三丰", id_number=an_id_number(number), phone=None)
    return account


def start(ports, account, *, device=DEVICE, key=None):
    return start_face_check(ports, account=account, idempotency_key=key or uuid.uuid4().hex, device=device)


def facing(world, miniprogram=APP, *, number=1):
    account = named(world, miniprogram, number=number)
    return account, start(world.ports, account)


def number_of(world, check):
    return world.scalar("SELECT check_no FROM face_checks WHERE id = :id", id=check.id)


def went(world, account, check, verdict=FaceVerdict.PASSED):
    world.ports.faces[account.miniprogram].went(number_of(world, check), verdict)


def call_back(world, check):
    return hear_of_face(world.ports, f"face-{number_of(world, check)}")


def stands(world, account):
    return world.scalar("SELECT state FROM identity_verifications WHERE account_id = :id", id=account.id)


def verdicts_written(world):
    return world.scalar("SELECT count(*) FROM moves WHERE noun = 'face_check' AND from_state = 'PENDING'")


# --- the phone went silent


@pytest.mark.parametrize("miniprogram", PROGRAMS)
def test_a_face_that_passed_verifies_without_the_phone_coming_back(world, ports, clock, miniprogram):
    account, check = facing(world, miniprogram)
    went(world, account, check)

    clock.move(seconds=19)
    assert ask_face_checks(ports) == 0
    clock.move(seconds=1)
    assert ask_face_checks(ports) == 1

    assert (read_face_check(ports, account=account, check_id=check.id).state, stands(world, account)) == ("PASSED", "VERIFIED")
    assert world.scalar("SELECT person_id IS NOT NULL FROM accounts WHERE id = :id", id=account.id)
    assert world.scalar("SELECT method FROM identity_verifications") == ports.faces[miniprogram].name
    assert world.rows("SELECT DISTINCT who FROM moves WHERE to_state IN ('PASSED', 'VERIFIED')") == [("ask_face_checks",)]
    assert world.scalar("SELECT count(*) FROM personal_data_accesses WHERE who = 'ask_face_checks'") == 1


@pytest.mark.parametrize(
    ("verdict", "states"),
    [
        (FaceVerdict.FAILED, ("FAILED", "FAILED")),
        (FaceVerdict.DECLINED, ("DECLINED", "DECLINED")),
        (FaceVerdict.EXPIRED, ("EXPIRED", "FAILED")),
    ],
)
def test_any_other_verdict_is_found_as_well(world, ports, clock, verdict, states):
    account, check = facing(world)
    went(world, account, check, verdict)
    clock.move(seconds=20)

    ask_face_checks(ports)

    assert (read_face_check(ports, account=account, check_id=check.id).state, stands(world, account)) == states


def test_silence_is_asked_about_ever_more_rarely_and_once_more_before_it_lapses(world, ports, clock):
    account, check = facing(world)
    asked = []

    for second in range(1, 901):
        clock.move(seconds=1)
        if ask_face_checks(ports):
            asked.append(second)
    assert expire_face_checks(ports) == 1
    clock.move(hours=1)

    assert asked == [20, 80, 260, 860, 885]
    assert ask_face_checks(ports) == 0
    assert read_face_check(ports, account=account, check_id=check.id).state == "EXPIRED"
    assert verdicts_written(world) == 1


def test_the_next_question_always_lies_ahead():
    lapses = NOW + timedelta(minutes=15)
    for second in range(0, 1200, 7):
        for asks in range(9):
            now = NOW + timedelta(seconds=second)
            assert now < next_question(asks, expires_at=lapses, now=now) <= now + timedelta(minutes=10)


def test_nobody_is_asked_about_checks_that_are_over_or_were_never_started(world, ports, clock):
    account, check = facing(world)
    went(world, account, check, FaceVerdict.FAILED)
    finish_face_check(ports, account=account, check_id=check.id)
    ports.faces[APP].fails.append(("start", ProviderUnreachable("down")))
    with pytest.raises(ProviderUnavailable):
        start(ports, account)
    clock.move(minutes=14)

    assert ask_face_checks(ports) == 0
    assert ports.faces[APP].asked("ask") == [number_of(world, check)]
    assert world.scalar("SELECT count(*) FROM face_checks WHERE next_ask_at IS NOT NULL") == 0


def test_a_consent_taken_back_ends_the_check_and_nobody_asks_any_more(world, ports, clock):
    account, check = facing(world)
    went(world, account, check)
    (consent,) = world.agree(account, "FACE")
    withdraw_consent(ports, account=account, consent_id=consent.id)
    assert not call_back(world, check)

    for _ in range(16):
        ask_face_checks(ports)
        expire_face_checks(ports)
        clock.move(minutes=1)

    assert ports.faces[APP].asked("ask") == []
    assert world.scalar("SELECT count(*) FROM personal_data_accesses WHERE purpose = 'face_check_ask'") == 0
    assert (read_face_check(ports, account=account, check_id=check.id).state, stands(world, account)) == (
        "EXPIRED",
        "NAME_ID_MATCHED",
    )


# --- the platform called back


def test_a_callback_makes_us_ask_at_once(world, ports):
    account, check = facing(world)
    went(world, account, check)

    assert call_back(world, check)
    assert ports.faces[APP].asked("ask") == []
    assert ask_face_checks(ports) == 1

    assert stands(world, account) == "VERIFIED"


def test_an_early_or_a_lying_callback_proves_nothing_and_the_ladder_goes_on(world, ports, clock):
    account, check = facing(world)

    assert call_back(world, check)
    assert ask_face_checks(ports) == 1

    assert (read_face_check(ports, account=account, check_id=check.id).state, stands(world, account)) == (
        "PENDING",
        "FACE_PENDING",
    )
    went(world, account, check)
    clock.move(minutes=1)
    assert ask_face_checks(ports) == 1
    assert stands(world, account) == "VERIFIED"


def test_doubled_late_and_unknown_callbacks_change_nothing(world, ports, clock):
    account, check = facing(world)
    went(world, account, check, FaceVerdict.FAILED)
    assert call_back(world, check)
    assert call_back(world, check)
    assert ask_face_checks(ports) == 1
    went(world, account, check)

    assert not call_back(world, check)
    assert not hear_of_face(ports, "nobody-asked-for-this")
    clock.move(days=1)
    assert not call_back(world, check)

    assert ask_face_checks(ports) == 0
    assert (verdicts_written(world), stands(world, account)) == (1, "FAILED")


def test_a_callback_about_one_check_says_nothing_about_another(world, ports):
    account, check = facing(world)
    other_account, other = facing(world, number=2)
    for each in ((account, check), (other_account, other)):
        went(world, *each)

    call_back(world, check)
    ask_face_checks(ports)

    assert (stands(world, account), stands(world, other_account)) == ("VERIFIED", "FACE_PENDING")


def test_a_callback_that_comes_while_we_ask_is_not_forgotten(world, ports):
    account, check = facing(world)
    call_back(world, check)
    faces = ports.faces[APP]
    ask = faces.ask

    def ask_while_the_person_finishes(reference, person, **how):
        answer = ask(reference, person, **how)
        went(world, account, check)
        call_back(world, check)
        faces.ask = ask
        return answer

    faces.ask = ask_while_the_person_finishes
    ask_face_checks(ports)

    assert stands(world, account) == "VERIFIED"


def test_the_reference_stands_nowhere_in_clear(world):
    _, check = facing(world)

    (row,) = world.rows("SELECT * FROM face_checks")
    assert all(f"face-{number_of(world, check)}".encode() not in bytes(column) for column in row if isinstance(column, bytes))


# --- two who ask, and platforms in trouble


def test_phone_sweep_and_second_sweep_at_once_write_one_verdict(world, ports):
    account, check = facing(world)
    went(world, account, check)
    gate = threading.Barrier(4)
    faces = ports.faces[APP]
    ask = faces.ask

    def ask_together(reference, person, **how):
        gate.wait(10)
        return ask(reference, person, **how)

    faces.ask = ask_together

    def sweep():
        # Each sweep finds it due: a callback comes between their claims.
        call_back(world, check)
        ask_face_checks(ports)

    phones = [
        threading.Thread(target=finish_face_check, args=(ports,), kwargs={"account": account, "check_id": check.id})
        for _ in range(2)
    ]
    sweeps = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in phones:
        thread.start()
    for thread in sweeps:
        thread.start()
        # The second callback must come after the first claim, or one claim would serve both.
        while world.scalar("SELECT asks FROM face_checks") == 0:
            time.sleep(0.01)
        with ports.begin() as session:
            session.execute(text("UPDATE face_checks SET asks = 0"))
    for thread in [*phones, *sweeps]:
        thread.join()

    assert len(faces.asked("ask")) == 4
    assert stands(world, account) == "VERIFIED"
    assert verdicts_written(world) == 1
    assert world.rows("SELECT count(*) FROM moves WHERE to_state = 'VERIFIED'") == [(1,)]
    assert world.rows("SELECT count(*) FROM insured_persons") == [(1,)]


def test_the_next_question_is_set_before_the_call_so_that_a_death_while_asking_delays_and_loses_nothing(world, ports, clock):
    account, check = facing(world)
    went(world, account, check)
    faces, ask = ports.faces[APP], ports.faces[APP].ask
    seen = []

    def die(*_given, **_how):
        seen.append(world.scalar("SELECT next_ask_at FROM face_checks"))
        raise KeyboardInterrupt

    faces.ask = die
    clock.move(seconds=20)
    with pytest.raises(KeyboardInterrupt):
        ask_face_checks(ports)
    faces.ask = ask

    assert seen == [clock.now() + timedelta(minutes=1)]
    assert ask_face_checks(ports) == 0
    clock.move(minutes=1)
    assert ask_face_checks(ports) == 1
    assert stands(world, account) == "VERIFIED"


def test_a_silent_platform_is_asked_once_a_pass_and_others_are_not_kept_waiting(world, ports, clock):
    silent = [facing(world, APP, number=number) for number in (1, 2, 3)]
    account, check = facing(world, WECHAT, number=4)
    for each in (*silent, (account, check)):
        went(world, *each)
    ports.faces[APP].fails += [("ask", ProviderUnreachable("down"))] * 2
    clock.move(seconds=20)

    assert ask_face_checks(ports) == 2
    assert stands(world, account) == "VERIFIED"
    assert len(ports.faces[APP].asked("ask")) == 1

    assert ask_face_checks(ports) == 1
    assert ask_face_checks(ports) == 1
    clock.move(minutes=1)
    assert ask_face_checks(ports) == 2
    assert [stands(world, account) for account, _ in silent] == ["VERIFIED"] * 3


def test_a_slow_platform_ends_its_pass_and_a_quick_one_is_asked_beside_it(world, ports, clock, monkeypatch):
    monkeypatch.setattr("services.identity_asking.PASS_SECONDS", 0.2)
    slow = [facing(world, APP, number=number) for number in range(1, 6)]
    quick = [facing(world, WECHAT, number=number) for number in range(6, 9)]
    ask = ports.faces[APP].ask
    ports.faces[APP].ask = lambda *given, **how: (time.sleep(0.15), ask(*given, **how))[1]
    clock.move(seconds=20)

    began = time.monotonic()
    ask_face_checks(ports)

    assert time.monotonic() - began < 2
    assert len(ports.faces[WECHAT].asked("ask")) == len(quick)
    assert len(ports.faces[APP].asked("ask")) < len(slow)


def test_a_refusal_about_one_check_does_not_hold_up_the_next(world, ports, clock):
    both = [facing(world, number=number) for number in (1, 2)]
    for each in both:
        went(world, *each)
    ports.faces[APP].fails.append(("ask", ProviderRefused("404")))
    clock.move(seconds=20)

    assert ask_face_checks(ports) == 2
    assert sorted(stands(world, account) for account, _ in both) == ["FACE_PENDING", "VERIFIED"]


def test_an_account_that_closes_between_claim_and_question_holds_nobody_else_up(world, ports, clock, monkeypatch):
    first, second = facing(world), facing(world, number=2)
    for account, check in (first, second):
        went(world, account, check)
    clock.move(seconds=20)
    really_ask = identity_asking.ask_about_face

    def ask_after_it_closed(ports, check_id, **how):
        if check_id == first[1].id:
            with ports.begin() as session:
                close_account(ports, session, account=session.get_one(Account, first[0].id), now=ports.now())
        return really_ask(ports, check_id, **how)

    monkeypatch.setattr(identity_asking, "ask_about_face", ask_after_it_closed)

    assert ask_face_checks(ports) == 2
    assert stands(world, second[0]) == "VERIFIED"


def test_checks_of_a_miniprogram_that_was_taken_out_of_service_only_lapse(world, ports, clock):
    from dataclasses import replace

    account, check = facing(world)
    clock.move(seconds=20)
    fewer = replace(ports, faces={WECHAT: ports.faces[WECHAT]})

    assert ask_face_checks(fewer) == 0
    clock.move(minutes=15)
    assert expire_face_checks(fewer) == 1
    assert read_face_check(ports, account=account, check_id=check.id).state == "EXPIRED"


def test_a_phone_that_presses_without_end_has_so_many_questions_and_the_sweep_asks_on(world, ports, monkeypatch):
    monkeypatch.setattr("services.face_checks.FACE_QUESTIONS_A_CHECK", 3)
    account, check = facing(world)

    pressed = [finish_face_check(ports, account=account, check_id=check.id).state for _ in range(7)]
    went(world, account, check)

    assert pressed == ["PENDING"] * 7
    assert len(ports.faces[APP].asked("ask")) == 3
    assert finish_face_check(ports, account=account, check_id=check.id).state == "PENDING"
    call_back(world, check)
    ask_face_checks(ports)
    assert finish_face_check(ports, account=account, check_id=check.id).verification_state == "VERIFIED"


# --- starting: device, elder mode, and tries that were none


def test_the_device_goes_to_the_platform_and_is_kept_nowhere(world, ports):
    _, check = facing(world)

    assert ports.faces[APP].switches[number_of(world, check)] == (DEVICE, False)
    tables = [
        name
        for (name,) in world.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'proc%'")
    ]
    assert not [
        name
        for name in tables
        if world.scalar(f"SELECT count(*) FROM {name} AS row WHERE row::text LIKE '%deviceType%'")  # noqa: S608 - its own names
    ]


def test_an_elders_account_asks_for_the_elders_way(world, ports):
    account = prefer(ports, account=named(world), elder_mode=True)

    check = start(ports, account)

    assert ports.faces[APP].switches[number_of(world, check)] == (DEVICE, True)


@pytest.mark.parametrize("device", [None, ""])
def test_the_app_cannot_start_without_its_device_and_that_is_no_try(world, ports, device):
    account = named(world)

    for _ in range(7):
        with pytest.raises(DeviceRequired):
            start(ports, account, device=device)

    assert ports.faces[APP].calls == []
    assert start(ports, account).state == "PENDING"


@pytest.mark.parametrize("miniprogram", [WECHAT, ALIPAY])
def test_miniprograms_need_no_device(world, ports, miniprogram):
    assert start(ports, named(world, miniprogram), device=None).state == "PENDING"


def test_the_same_key_is_the_same_check_however_the_device_reads_now(world, ports):
    account = named(world)
    first = start(ports, account, key="k")

    again = start(ports, account, key="k", device='{"deviceType":"ios","at":2}')

    assert (again.id, again.launch, again.replayed) == (first.id, first.launch, True)


@pytest.mark.parametrize("fault", [ProviderUnreachable("down"), ProviderRefused("Throttling.User", permanent=False)])
def test_an_outage_uses_up_nobodys_tries(world, ports, fault):
    account = named(world)
    ports.faces[APP].fails += [("start", fault)] * 12
    for _ in range(12):
        with pytest.raises(ProviderUnavailable):
            start(ports, account)

    for _ in range(5):
        assert start(ports, account).state == "PENDING"
    with pytest.raises(TooManyFaceChecks):
        start(ports, account)


def test_presses_that_only_cost_calls_have_an_end_too(world, ports, clock):
    account = named(world)
    ports.faces[APP].fails += [("start", ProviderRefused("InvalidParameter.MetaInfo"))] * 40
    for _ in range(30):
        with pytest.raises(ProviderUnavailable):
            start(ports, account, device="nonsense")

    with pytest.raises(TooManyFaceChecks):
        start(ports, account)
    assert len(ports.faces[APP].asked("start")) == 30
    ports.faces[APP].fails.clear()
    clock.move(days=1)
    assert start(ports, account).state == "PENDING"


def test_presses_at_once_that_push_each_other_aside_are_tries_all_the_same(world, ports):
    account = named(world)
    faces, begin = ports.faces[APP], ports.faces[APP].start

    def push_aside(person, **how):
        faces.start = begin
        start(ports, account)
        faces.start = push_aside
        return begin(person, **how)

    for _ in range(2):
        faces.start = push_aside
        assert start(ports, account).state == "EXPIRED"
    faces.start = begin

    assert start(ports, account).state == "PENDING"
    with pytest.raises(TooManyFaceChecks):
        start(ports, account)


def test_a_platform_that_gives_one_reference_twice_is_not_believed(world, ports):
    account, check = facing(world)
    faces = ports.faces[APP]
    other, begin = named(world, number=2), faces.start
    faces.start = lambda person, **how: begin(person, **how | {"check_no": number_of(world, check)})

    with pytest.raises(ProviderUnavailable):
        start(ports, other, key="k")

    faces.start = begin
    assert start(ports, other, key="k").state == "PENDING"
    went(world, account, check)
    call_back(world, check)
    ask_face_checks(ports)
    assert (stands(world, account), stands(world, other)) == ("VERIFIED", "FACE_PENDING")
