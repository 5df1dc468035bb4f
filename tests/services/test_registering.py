"""Registration and sign-in by SMS: who may ask for a code and how often, what a right one opens, and what nobody learns."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import text

from providers.protocols import BAD_NUMBER, ProviderRefused, ProviderUnreachable
from services import registration
from services.errors import (
    AlreadyRegistered,
    BusinessError,
    PhoneMalformed,
    ProviderUnavailable,
    RegisterFirst,
    SignInAgain,
    SmsBusy,
    SmsCodeTooSoon,
    SmsCodeWrong,
    TooManySmsCodes,
    UnknownMiniprogram,
    WrongWay,
)
from services.registration import CODES_A_DAY, TRIES_A_CODE, TRIES_A_DAY, send_code
from services.sign_in import authenticate, prefer, sign_in
from tests.factories import ALIPAY, APP, WECHAT
from tests.together import at_once

PHONE = "13800138000"
OTHER = "13900139000"


def digits_for(ports, phone: str = PHONE) -> str:
    """Ask for a code, and read it on the phone."""
    send_code(ports, miniprogram=APP, phone=phone)
    return ports.sms.code_for(phone)


def register(ports, phone: str = PHONE, sms_code: str | None = None):
    return registration.register(ports, miniprogram=APP, phone=phone, sms_code=sms_code or digits_for(ports, phone))


def enter(ports, phone: str = PHONE, sms_code: str | None = None):
    return registration.sign_in_by_sms(ports, miniprogram=APP, phone=phone, sms_code=sms_code or digits_for(ports, phone))


def wrong(sms_code: str, by: int = 1) -> str:
    return f"{(int(sms_code) + by) % 10**6:06}"


def all_at_once(count: int, act) -> list[object]:
    """What came back to each of so many at the same moment: an answer, or the refusal's type."""
    said = at_once(*[partial(act, number) for number in range(count)])
    return [type(each) if isinstance(each, BusinessError) else each for each in said]


# --- the way in


def test_a_person_registers_once_and_signs_in_ever_after(world, ports, clock):
    first = register(ports)
    clock.move(minutes=1)
    second = enter(ports)

    assert first.account.id == second.account.id
    assert authenticate(ports, second.token).miniprogram == APP
    assert (second.account.person_id, second.capabilities) == (None, [])
    assert world.scalar("SELECT count(*) FROM accounts") == 1


def test_the_first_sign_in_is_sent_to_registration_and_goes_on_with_the_same_code(world, ports):
    sms_code = digits_for(ports)

    for _ in range(TRIES_A_CODE + 1):
        with pytest.raises(RegisterFirst):
            enter(ports, sms_code=sms_code)
    assert world.scalar("SELECT count(*) FROM accounts") == 0

    assert register(ports, sms_code=sms_code).account.phone_masked == "138****8000"


def test_whoever_registers_twice_goes_on_to_sign_in_with_the_same_code(world, ports, clock):
    account = register(ports).account
    clock.move(minutes=1)
    sms_code = digits_for(ports)

    with pytest.raises(AlreadyRegistered):
        register(ports, sms_code=sms_code)

    assert enter(ports, sms_code=sms_code).account.id == account.id
    assert world.scalar("SELECT count(*) FROM accounts") == 1


@pytest.mark.parametrize("written", ["13800138000", "+86 138-0013-8000", "0086 13800138000", " １３８ ００１３ ８０００ "])
def test_one_number_is_one_account_however_it_is_typed(ports, clock, written):
    account = register(ports).account
    clock.move(minutes=1)
    sms_code = digits_for(ports)

    assert enter(ports, phone=written, sms_code=sms_code).account.id == account.id


@pytest.mark.parametrize(
    "written", ["", "1380013800", "138001380000", "12800138000", "+85291234567", "051986680000", "1380013800x", "86" * 8]
)
def test_what_is_no_mainland_mobile_number_is_refused_before_anybody_is_called(world, ports, written):
    for act in (
        lambda: send_code(ports, miniprogram=APP, phone=written),
        lambda: register(ports, phone=written, sms_code="000000"),
        lambda: enter(ports, phone=written, sms_code="000000"),
    ):
        with pytest.raises(PhoneMalformed):
            act()

    assert ports.sms.calls == []
    assert world.scalar("SELECT count(*) FROM sms_codes") == 0


@pytest.mark.parametrize(("miniprogram", "refusal"), [(WECHAT, WrongWay), (ALIPAY, WrongWay), ("nowhere", UnknownMiniprogram)])
def test_only_an_app_takes_sms_codes(ports, miniprogram, refusal):
    given = {"miniprogram": miniprogram, "phone": PHONE}

    for act in (
        lambda: send_code(ports, **given),
        lambda: registration.register(ports, **given, sms_code="000000"),
        lambda: registration.sign_in_by_sms(ports, **given, sms_code="000000"),
    ):
        with pytest.raises(refusal):
            act()
    assert ports.sms.calls == []


def test_the_app_takes_no_platform_code(ports):
    with pytest.raises(WrongWay):
        sign_in(ports, miniprogram=APP, code="c")
    assert ports.logins[APP].calls == []


# --- a code


def test_a_code_is_six_digits_under_the_key_of_its_template(ports):
    sent = {phone: digits_for(ports, phone) for phone in (f"137{number:08}" for number in range(30))}

    assert all(len(sms_code) == 6 and sms_code.isdigit() for sms_code in sent.values())
    assert len(set(sent.values())) > 25
    assert {template for _, template, _ in ports.sms.sent} == {"sign_in_code"}


def test_a_code_is_good_for_five_minutes(ports, clock):
    sms_code = digits_for(ports)

    clock.move(minutes=5, seconds=-1)
    with pytest.raises(RegisterFirst):
        enter(ports, sms_code=sms_code)
    clock.move(seconds=1)
    with pytest.raises(SmsCodeWrong):
        enter(ports, sms_code=sms_code)


def test_a_code_opens_once(ports):
    sms_code = digits_for(ports)
    register(ports, sms_code=sms_code)

    for again in (register, enter):
        with pytest.raises(SmsCodeWrong):
            again(ports, sms_code=sms_code)


def test_the_sixth_try_is_too_late_even_with_the_right_digits(ports):
    sms_code = digits_for(ports)
    for by in range(1, TRIES_A_CODE + 1):
        with pytest.raises(SmsCodeWrong):
            enter(ports, sms_code=wrong(sms_code, by))

    with pytest.raises(SmsCodeWrong):
        register(ports, sms_code=sms_code)


def test_four_wrong_tries_still_leave_one(ports):
    sms_code = digits_for(ports)
    for by in range(1, TRIES_A_CODE):
        with pytest.raises(SmsCodeWrong):
            register(ports, sms_code=wrong(sms_code, by))

    assert register(ports, sms_code=sms_code).token


def test_guesses_at_the_same_moment_are_counted_each(world, ports):
    sms_code = digits_for(ports)

    answers = all_at_once(12, lambda number: register(ports, sms_code=wrong(sms_code, number + 1)))

    assert set(answers) == {SmsCodeWrong}
    assert world.scalar("SELECT tries FROM sms_codes") == TRIES_A_CODE


def test_a_new_code_ends_the_one_before_and_its_burnt_tries_do_not_bring_that_back(ports, clock):
    old = digits_for(ports)
    clock.move(minutes=1)
    new = digits_for(ports)
    while old == new:
        clock.move(minutes=1)
        new = digits_for(ports)

    for by in range(TRIES_A_CODE):
        with pytest.raises(SmsCodeWrong):
            register(ports, sms_code=old if by == 0 else wrong(new, by))
    with pytest.raises(SmsCodeWrong):
        register(ports, sms_code=old)


def test_a_code_is_for_its_own_number(ports):
    sms_code = digits_for(ports)
    other = digits_for(ports, OTHER)

    if sms_code != other:
        with pytest.raises(SmsCodeWrong):
            register(ports, phone=OTHER, sms_code=sms_code)
    assert register(ports, phone=OTHER, sms_code=other).account.phone_masked == "139****9000"


def test_without_a_code_no_digits_are_right(ports):
    with pytest.raises(SmsCodeWrong):
        enter(ports, sms_code="000000")


def test_two_presses_with_one_code_make_one_account_and_one_session(world, ports):
    sms_code = digits_for(ports)

    answers = all_at_once(6, lambda _: register(ports, sms_code=sms_code))

    assert answers.count(SmsCodeWrong) == 5
    assert world.scalar("SELECT count(*) FROM accounts") == world.scalar("SELECT count(*) FROM account_sessions") == 1


# --- how often


def test_a_thousandth_caller_for_one_number_rings_it_once_a_minute(world, ports):
    answers = all_at_once(20, lambda _: send_code(ports, miniprogram=APP, phone=PHONE))

    assert answers.count(SmsCodeTooSoon) == 19
    assert len(ports.sms.sent) == world.scalar("SELECT count(*) FROM sms_codes") == 1


def test_the_next_code_comes_after_a_minute_and_the_refusal_says_when(ports, clock):
    digits_for(ports)

    clock.move(seconds=59)
    with pytest.raises(SmsCodeTooSoon) as refusal:
        digits_for(ports)
    assert 1 <= refusal.value.retry_after_seconds <= 2
    clock.move(seconds=1)
    assert digits_for(ports)


def test_a_number_gets_ten_codes_in_a_beijing_day(ports, clock):
    for _ in range(CODES_A_DAY):
        digits_for(ports)
        clock.move(minutes=1)

    with pytest.raises(TooManySmsCodes):
        digits_for(ports)
    assert digits_for(ports, OTHER)
    clock.move(hours=14)
    assert digits_for(ports)


def test_a_list_of_numbers_is_stopped_by_their_sum_and_the_next_hour_opens_again(ports, clock):
    small = ports.partners.miniprograms[APP].model_copy(update={"sms_codes_an_hour": 8})
    programs = {**ports.partners.miniprograms, APP: small}
    bounded = replace(ports, partners=ports.partners.model_copy(update={"miniprograms": programs}))
    for number in range(8):
        digits_for(bounded, f"137{number:08}")

    with pytest.raises(SmsBusy) as refusal:
        digits_for(bounded)
    assert refusal.value.retry_after_seconds == 600
    assert len(ports.sms.sent) == 8
    clock.move(hours=1)
    assert digits_for(bounded)


def test_one_caller_with_a_list_of_numbers_leaves_codes_for_everybody_else(world, ports, clock):
    small = ports.partners.miniprograms[APP].model_copy(update={"sms_codes_an_hour_for_one_caller": 3})
    programs = {**ports.partners.miniprograms, APP: small}
    bounded = replace(ports, partners=ports.partners.model_copy(update={"miniprograms": programs}))
    numbers = (f"137{number:08}" for number in range(100))

    def ask(caller):
        return send_code(bounded, miniprogram=APP, phone=next(numbers), caller=caller)

    for caller in ("203.107.1.1", "::ffff:203.107.1.1", "203.107.1.1"):
        ask(caller)
    with pytest.raises(SmsBusy) as refusal:
        ask("203.107.1.1")
    assert refusal.value.retry_after_seconds == 600
    ask("203.107.1.2")
    for at in range(3):
        ask(f"2408:4000:1:2::{at}")
    with pytest.raises(SmsBusy):
        ask("2408:4000:1:2:ffff::9")
    ask("2408:4000:1:3::1")
    # A proxy that nobody named is everybody, and is not counted.
    for caller in [None, "10.0.0.7", "127.0.0.1", "nonsense"] * 4:
        ask(caller)

    clock.move(hours=1)
    ask("203.107.1.1")


def test_of_a_caller_stands_a_hash_that_is_another_one_each_day(world, ports, clock):
    for _ in range(2):
        send_code(ports, miniprogram=APP, phone=PHONE, caller="203.107.1.1")
        clock.move(days=1)

    first, second = world.rows("SELECT caller_index FROM sms_codes ORDER BY sent_at")
    assert first != second
    assert b"203.107" not in bytes(first[0])


def test_where_their_line_is_down_nobody_has_to_wait_and_the_days_ten_stay(ports, clock):
    for _ in range(CODES_A_DAY):
        ports.sms.fails.append(("send", ProviderUnreachable("down")))
        with pytest.raises(ProviderUnavailable) as refusal:
            digits_for(ports)
        assert refusal.value.retry_after_seconds == 3

    for _ in range(CODES_A_DAY):
        digits_for(ports)
        clock.move(minutes=1)
    with pytest.raises(TooManySmsCodes):
        digits_for(ports)


def test_a_line_that_lies_about_being_down_rings_a_number_only_so_often(ports):
    for _ in range(TRIES_A_DAY):
        ports.sms.fails.append(("send", ProviderUnreachable("down")))
        with pytest.raises(ProviderUnavailable):
            digits_for(ports)

    with pytest.raises(TooManySmsCodes):
        digits_for(ports)
    assert len(ports.sms.asked("send")) == TRIES_A_DAY


def test_a_message_that_came_although_nobody_said_so_opens(ports, monkeypatch):
    send = type(ports.sms).send

    def lost_answer(sms, *args, **how):
        send(sms, *args, **how)
        raise ProviderUnreachable("timed out after the work was done")

    monkeypatch.setattr(type(ports.sms), "send", lost_answer)
    with pytest.raises(ProviderUnavailable):
        send_code(ports, miniprogram=APP, phone=PHONE)

    assert register(ports, sms_code=ports.sms.code_for(PHONE)).token


def test_a_refused_message_leaves_the_code_before_it_good(ports, clock):
    earlier = digits_for(ports)
    clock.move(minutes=1)
    ports.sms.fails.append(("send", ProviderRefused("isv.BUSINESS_LIMIT_CONTROL", permanent=False)))

    with pytest.raises(ProviderUnavailable):
        digits_for(ports)

    assert register(ports, sms_code=earlier).token


def test_a_number_that_does_not_exist_is_said_to_be_wrong(ports):
    ports.sms.fails.append(("send", ProviderRefused(BAD_NUMBER)))

    with pytest.raises(PhoneMalformed):
        digits_for(ports)


# --- what nobody learns


def test_asking_for_a_code_tells_nothing_of_whether_the_number_has_an_account(ports, clock):
    register(ports)
    clock.move(minutes=1)
    statements = []

    def seen(phone: str):
        statements.clear()
        answer = send_code(ports, miniprogram=APP, phone=phone)
        return answer, list(statements)

    from sqlalchemy import event

    engine = ports.sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    known, unknown = seen(PHONE), seen(OTHER)

    # The very same statements: not even their time can differ, and none reads an account.
    assert known == unknown
    assert not any("accounts" in statement for statement in known[1])


def test_a_wrong_code_is_refused_alike_and_before_any_account_is_looked_for(ports, clock):
    register(ports)
    clock.move(minutes=1)
    known, unknown = digits_for(ports), digits_for(ports, OTHER)
    statements = []

    from sqlalchemy import event

    engine = ports.sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    told = []
    for phone, sms_code in ((PHONE, wrong(known)), (OTHER, wrong(unknown))):
        statements.clear()
        with pytest.raises(SmsCodeWrong) as refusal:
            enter(ports, phone=phone, sms_code=sms_code)
        told.append((refusal.value.said, refusal.value.facts, list(statements)))

    assert told[0] == told[1]
    assert not any("accounts" in statement for statement in statements)


def test_neither_number_nor_digits_are_kept_or_logged(world, ports, caplog):
    with caplog.at_level("DEBUG"):
        signed = register(ports)

    kept = str(world.rows("SELECT * FROM sms_codes")) + str(world.rows("SELECT * FROM accounts"))
    sms_code = ports.sms.code_for(PHONE)
    assert PHONE not in kept
    assert sms_code not in str(world.rows("SELECT phone_index, code_hash FROM sms_codes"))
    assert PHONE not in caplog.text
    assert sms_code not in caplog.text
    assert PHONE not in repr(signed)


def test_the_same_digits_for_two_numbers_are_kept_as_different_hashes(world, ports, monkeypatch):
    monkeypatch.setattr(registration.secrets, "randbelow", lambda _: 123456)
    digits_for(ports)
    digits_for(ports, OTHER)

    assert world.scalar("SELECT count(DISTINCT code_hash) FROM sms_codes") == 2


# --- a number that changed hands


def verified(world, ports, clock, **how):
    """An app account of PHONE whose holder proved who they are."""
    account = register(ports).account
    person = world.person()
    with ports.begin() as session:
        session.execute(text("UPDATE accounts SET person_id = :person WHERE id = :id"), {"person": person.id, "id": account.id})
    clock.move(**how)
    return account


@pytest.mark.parametrize("way", [register, enter])
def test_after_90_silent_days_the_number_begins_anew_and_proves_nothing(world, ports, clock, way):
    old = verified(world, ports, clock, days=90)

    new = way(ports).account

    assert new.id != old.id
    assert (new.person_id, new.phone_masked) == (None, "138****8000")
    assert world.scalar("SELECT closed_at FROM accounts WHERE id = :id", id=old.id) == clock.now()
    assert world.scalar("SELECT count(*) FROM accounts WHERE closed_at IS NULL") == 1


def test_one_second_less_and_it_is_still_its_holders(world, ports, clock):
    old = verified(world, ports, clock, days=90, seconds=-1)

    assert enter(ports).account.person_id == enter_again(ports, clock).person_id == old_person(world, old)


def enter_again(ports, clock):
    clock.move(minutes=1)
    return enter(ports).account


def old_person(world, account):
    return world.scalar("SELECT person_id FROM accounts WHERE id = :id", id=account.id)


def test_each_sign_in_begins_the_ninety_days_again_though_sessions_are_forgotten(world, ports, clock):
    old = verified(world, ports, clock, days=60)
    enter(ports)
    with ports.begin() as session:
        session.execute(text("DELETE FROM account_sessions"))
    clock.move(days=60)

    assert enter(ports).account.id == old.id


def test_a_wrong_code_closes_no_account(world, ports, clock):
    old = verified(world, ports, clock, days=400)
    sms_code = digits_for(ports)

    with pytest.raises(SmsCodeWrong):
        enter(ports, sms_code=wrong(sms_code))

    assert world.scalar("SELECT closed_at FROM accounts WHERE id = :id", id=old.id) is None


def test_the_old_accounts_sessions_end_with_it(world, ports, clock):
    old = verified(world, ports, clock, days=1)
    token = enter(ports).token
    with ports.begin() as session:
        # As an operator's longer sessions would: still alive after 90 days.
        session.execute(text("UPDATE account_sessions SET expires_at = :then"), {"then": clock.now() + timedelta(days=200)})
    clock.move(days=90)
    assert authenticate(ports, token).id == old.id

    enter(ports)

    with pytest.raises(SignInAgain):
        authenticate(ports, token)


def test_a_closed_account_is_nobodys_even_where_a_session_slipped_through(world, ports):
    signed = register(ports)
    with ports.begin() as session:
        session.execute(text("UPDATE accounts SET closed_at = :now"), {"now": ports.now()})

    with pytest.raises(SignInAgain):
        authenticate(ports, signed.token)


def test_two_at_once_after_90_days_make_one_new_account(world, ports, clock):
    verified(world, ports, clock, days=90)
    sms_code = digits_for(ports)

    answers = all_at_once(6, lambda _: enter(ports, sms_code=sms_code))

    assert answers.count(SmsCodeWrong) == 5
    assert world.scalar("SELECT count(*) FROM accounts WHERE closed_at IS NULL") == 1
    assert world.scalar("SELECT count(*) FROM accounts") == 2


def test_accounts_are_joined_by_the_verified_person_and_never_by_the_phone(world, ports):
    from services.insured_persons import list_insured_persons
    from services.phone_numbers import add_phone

    person = world.person()
    on_wechat = world.account(person)
    world.agree(on_wechat, "PHONE")
    on_wechat = add_phone(ports, account=on_wechat, pressed={"code": "c"})
    in_the_app = register(ports).account

    assert on_wechat.phone_index == in_the_app.phone_index
    assert on_wechat.id != in_the_app.id
    assert in_the_app.person_id is None
    assert list_insured_persons(ports, account=in_the_app) == []
    with ports.begin() as session:
        session.execute(
            text("UPDATE accounts SET person_id = :person WHERE id = :id"), {"person": person.id, "id": in_the_app.id}
        )
    assert world.scalar("SELECT count(*) FROM accounts WHERE person_id = :person", person=person.id) == 2


# --- elders


def test_an_elders_session_gains_four_hours_whenever_less_than_half_an_hour_is_left(ports, clock):
    signed = register(ports)
    prefer(ports, account=signed.account, elder_mode=True)
    begun = clock.now()

    clock.move(hours=1, minutes=45)
    for _ in range(5):
        authenticate(ports, signed.token)
        clock.move(hours=3, minutes=45)
    assert clock.now() - begun > timedelta(hours=20)

    assert authenticate(ports, signed.token)


def test_an_elders_session_ends_when_nobody_touches_it_and_on_its_second_day(ports, clock):
    signed = register(ports)
    prefer(ports, account=signed.account, elder_mode=True)
    clock.move(hours=1, minutes=45)
    authenticate(ports, signed.token)

    left = 0
    while True:
        clock.move(minutes=20)
        try:
            authenticate(ports, signed.token)
        except SignInAgain:
            break
        left += 20
        assert left < 30 * 60
    assert left > 22 * 60


def test_another_persons_session_is_not_renewed_by_use(world, ports, clock):
    signed = register(ports)
    before = world.scalar("SELECT expires_at FROM account_sessions")

    clock.move(hours=1, minutes=45)
    authenticate(ports, signed.token)

    assert world.scalar("SELECT expires_at FROM account_sessions") == before


def test_a_preference_that_is_not_named_stays(ports):
    account = register(ports).account

    prefer(ports, account=account, elder_mode=True)
    prefer(ports, account=account, language="ug-CN")
    told = prefer(ports, account=account)

    assert (told.elder_mode, told.language) == (True, "ug-CN")
