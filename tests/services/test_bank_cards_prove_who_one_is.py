"""The bank card, for whoever shows no face: the bank's word about the name that was matched, five tries a day, nothing kept of the card."""

from __future__ import annotations

import threading
import uuid

import pytest
from sqlalchemy import text

from providers.protocols import CardAnswer, CardVerdict, FaceVerdict, ProviderRefused, ProviderUnreachable
from services.bank_card_checks import check_bank_card, end_silent_checks
from services.consent_withdrawals import withdraw_consent
from services.errors import (
    AlreadyVerified,
    CardNumberMalformed,
    ConsentRequired,
    IdempotencyKeyReused,
    RealNameRequired,
    RequestInFlight,
    TooManyBankCardChecks,
    TooManyLookups,
)
from services.face_checks import finish_face_check, start_face_check
from services.people import parse_card_number
from services.real_names import prove_name
from tests.factories import WECHAT
from tests.together import at_once

ZHANG = ("张三丰", "320402199001010017")
LI = ("李四", "650102197506150024")
CARD = "6228480402564890018"
OTHER_CARD = "6217001234567890122"
PHONE = "13800138000"


def named(world, given=ZHANG, *, agreed=("REAL_NAME", "FACE", "BANK_CARD")):
    account = world.account(verified=False)
    world.agree(account, *agreed)
    name(world.ports, account, given)
    return account


def name(ports, account, given=ZHANG):
    return prove_name(ports, account=account, name=given[0], id_number=given[1], phone=None)


def press(ports, account, *, card=CARD, phone=PHONE, key=None):
    return check_bank_card(ports, account=account, card_number=card, phone=phone, idempotency_key=key or uuid.uuid4().hex)


def face(ports, account):
    return start_face_check(ports, account=account, idempotency_key=uuid.uuid4().hex)


def says(ports, verdict, *, code="201", card=CARD):
    ports.cards.answers[card] = CardAnswer(verdict=verdict, provider_code=code)


def stands(world, account):
    return (
        world.scalar("SELECT state FROM identity_verifications WHERE account_id = :id", id=account.id),
        world.scalar("SELECT person_id IS NOT NULL FROM accounts WHERE id = :id", id=account.id),
    )


def test_the_bank_knows_the_person_and_the_account_is_verified(world, ports):
    person = world.person(name=ZHANG[0], id_number=ZHANG[1])
    account = named(world)

    told = press(ports, account, card=" 6228 4804 0256-4890 018")

    assert (told.state, told.verification_state, told.ways) == ("MATCHED", "VERIFIED", [])
    ((asked, card, phone),) = ports.cards.asked("check")
    assert ((asked.name, asked.id_number), card, phone) == (ZHANG, CARD, PHONE)
    assert world.scalar("SELECT person_id FROM accounts WHERE id = :id", id=account.id) == person.id
    assert world.rows("SELECT is_self, keep, relation FROM insured_persons") == [(True, True, "本人")]
    assert world.scalar("SELECT method FROM identity_verifications") == "bank_card"
    assert world.rows("SELECT why FROM moves WHERE noun = 'identity_verification' ORDER BY id") == [
        ("identity.name_matched",),
        ("identity.verified_without_face",),
    ]


def test_nothing_is_kept_of_card_and_phone_but_four_digits(world, ports):
    account = named(world)
    says(ports, CardVerdict.MISMATCH)
    press(ports, account)

    assert world.rows("SELECT card_masked, provider_code FROM bank_card_checks") == [("****0018", "201")]
    with ports.begin() as session:
        tables = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        everything = "".join(
            str(session.execute(text(f"SELECT string_agg(t::text, '') FROM {table} t")).scalar())  # noqa: S608 - its own names
            for table in tables
        )
    for secret in (CARD, PHONE):
        assert secret not in everything
        assert secret.encode().hex() not in everything


def test_the_bank_is_asked_and_a_row_says_so(world, ports):
    account = named(world)
    press(ports, account)

    assert world.rows(
        "SELECT subject_table, columns, purpose, who FROM personal_data_accesses WHERE purpose = 'bank_card_check'"
    ) == [("identity_verifications", "name,id_number", "bank_card_check", f"account:{account.id}")]


@pytest.mark.parametrize(
    ("verdict", "state", "word"),
    [
        (CardVerdict.MISMATCH, "MISMATCHED", "未核对一致"),
        (CardVerdict.UNSUPPORTED, "UNSUPPORTED", "不支持"),
        (CardVerdict.UNAVAILABLE, "UNAVAILABLE", "暂时没有答复"),
    ],
)
def test_whatever_else_the_bank_says_is_said_and_leads_on(world, ports, verdict, state, word):
    account = named(world)
    says(ports, verdict)

    told = press(ports, account)

    assert (told.state, told.verification_state) == (state, "NAME_ID_MATCHED")
    assert word in told.title
    assert [way.way for way in told.ways if way.available] == ["BANK_CARD", "COUNTER", "FAMILY"]
    assert stands(world, account) == ("NAME_ID_MATCHED", False)


@pytest.mark.parametrize("code", ["201", "203", "204", "206", "210", "214"])
def test_which_of_the_four_did_not_fit_is_told_to_nobody(world, ports, code):
    account = named(world)
    says(ports, CardVerdict.MISMATCH, code=code)

    told = press(ports, account)

    assert (told.title, told.detail) == (
        "银行卡信息未核对一致",
        "请核对卡号和银行预留手机号码，并使用本人名下的银行卡；也可以用下面的其他方式。",
    )


@pytest.mark.parametrize("fault", [ProviderUnreachable("down"), ProviderRefused("QUOTA")])
def test_a_bank_without_an_answer_is_no_mismatch_and_no_try(world, ports, fault):
    account = named(world)
    for _ in range(7):
        ports.cards.fails.append(("check", fault))
        assert press(ports, account).state == "UNAVAILABLE"

    assert press(ports, account).verification_state == "VERIFIED"


def test_five_tries_a_day_of_beijing_and_a_silent_bank_is_not_counted(world, ports, clock):
    account = named(world)
    says(ports, CardVerdict.MISMATCH)
    says(ports, CardVerdict.UNAVAILABLE, card=OTHER_CARD)
    for _ in range(2):
        press(ports, account, card=OTHER_CARD)
    for left in (4, 3, 2, 1, 0):
        told = press(ports, account)
        assert [way.available for way in told.ways if way.way == "BANK_CARD"] == [left > 0]

    with pytest.raises(TooManyBankCardChecks) as refusal:
        press(ports, account)
    assert [(way["way"], way["available"]) for way in refusal.value.facts["ways"]] == [
        ("BANK_CARD", False),
        ("COUNTER", True),
        ("FAMILY", True),
    ]
    assert len(ports.cards.asked("check")) == 7
    clock.move(hours=13, minutes=59, seconds=59)
    with pytest.raises(TooManyBankCardChecks):
        press(ports, account)
    clock.move(seconds=1)
    assert press(ports, account).state == "MISMATCHED"


def test_cards_that_no_bank_knows_end_for_the_day_too(world, ports, clock):
    account = named(world)
    says(ports, CardVerdict.UNAVAILABLE)
    for left in range(19, -1, -1):
        told = press(ports, account)
        assert [way.available for way in told.ways if way.way == "BANK_CARD"] == [left > 0]

    with pytest.raises(TooManyBankCardChecks):
        press(ports, account)
    assert len(ports.cards.asked("check")) == 20
    clock.move(days=1)
    assert press(ports, account).state == "UNAVAILABLE"


def test_tries_are_counted_before_the_bank_is_asked(world, ports):
    account = named(world)
    says(ports, CardVerdict.MISMATCH)
    said = at_once(*[lambda: press(ports, account)] * 8)
    done = ["REFUSED" if isinstance(each, TooManyBankCardChecks) else each.state for each in said]

    assert sorted(done) == ["MISMATCHED"] * 5 + ["REFUSED"] * 3
    assert len(ports.cards.asked("check")) == 5


def test_pressed_many_times_at_once_it_verifies_once(world, ports):
    account = named(world)
    done = []

    def race() -> None:
        try:
            done.append(press(ports, account).verification_state)
        except AlreadyVerified:
            done.append("VERIFIED")

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert done == ["VERIFIED"] * 4
    assert world.rows("SELECT count(*) FROM moves WHERE to_state = 'VERIFIED'") == [(1,)]
    assert world.rows("SELECT count(*) FROM persons") == [(1,)]


@pytest.mark.parametrize(
    "card", ["6228480402564890019", "622848040256", "62284804025648900180", "622848040256489001X", "", "存折"]
)
def test_what_is_no_card_is_asked_of_nobody_and_not_counted(world, ports, card):
    account = named(world)

    with pytest.raises(CardNumberMalformed) as refusal:
        press(ports, account, card=card)

    assert not card or card not in refusal.value.said
    assert ports.cards.calls == []
    assert world.scalar("SELECT count(*) FROM bank_card_checks") == 0


def test_the_synthetic_cards_of_the_domain_are_cards():
    for card in (CARD, OTHER_CARD, "6212261102001234569"):
        assert parse_card_number(card) == card


def test_no_card_goes_anywhere_without_its_own_consent(world, ports):
    account = named(world, agreed=("REAL_NAME", "FACE"))

    with pytest.raises(ConsentRequired) as refusal:
        press(ports, account)

    assert refusal.value.facts["purpose"] == "BANK_CARD"
    (consent,) = world.agree(account, "BANK_CARD")
    withdraw_consent(ports, account=account, consent_id=consent.id)
    with pytest.raises(ConsentRequired):
        press(ports, account)
    assert ports.cards.calls == []


def test_a_card_needs_a_matched_name_first(world, ports):
    account = world.account(verified=False)
    world.agree(account, "BANK_CARD")

    with pytest.raises(RealNameRequired):
        press(ports, account)

    assert ports.cards.calls == []


def test_whoever_is_verified_proves_nothing_twice(world, ports):
    account = named(world)
    press(ports, account)

    with pytest.raises(AlreadyVerified):
        press(ports, account)


@pytest.mark.parametrize("verdict", [FaceVerdict.FAILED, FaceVerdict.DECLINED, FaceVerdict.EXPIRED])
def test_a_face_that_did_not_do_is_no_hindrance(world, ports, verdict):
    account = named(world)
    check = face(ports, account)
    ports.faces[WECHAT].went(world.scalar("SELECT check_no FROM face_checks"), verdict)
    finish_face_check(ports, account=account, check_id=check.id)

    assert press(ports, account).verification_state == "VERIFIED"


def test_an_open_face_check_ends_first_and_its_late_pass_changes_nothing(world, ports):
    account = named(world)
    check = face(ports, account)
    says(ports, CardVerdict.MISMATCH)
    press(ports, account)
    ports.faces[WECHAT].went(world.scalar("SELECT check_no FROM face_checks"), FaceVerdict.PASSED)

    done = finish_face_check(ports, account=account, check_id=check.id)

    assert (done.state, done.verification_state) == ("EXPIRED", "NAME_ID_MATCHED")
    assert world.rows("SELECT provider_code FROM face_checks") == [("ABANDONED",)]


def while_the_bank_is_asked(ports, act):
    """Do something else in the middle of the call."""
    inner = ports.cards.check

    def slow(*given, **how):
        ports.cards.check = inner
        act()
        return inner(*given, **how)

    ports.cards.check = slow


def test_a_face_begun_while_the_bank_is_asked_does_not_undo_its_word(world, ports):
    account = named(world)
    while_the_bank_is_asked(ports, lambda: face(ports, account))

    told = press(ports, account)

    assert (told.state, told.verification_state) == ("MATCHED", "VERIFIED")
    assert world.rows("SELECT state FROM face_checks") == [("EXPIRED",)]


@pytest.mark.parametrize("verdict", [CardVerdict.MATCH, CardVerdict.MISMATCH])
def test_a_card_that_was_asked_about_for_one_name_proves_no_other_and_tells_nothing(world, ports, verdict):
    """One's own card, and somebody else's name typed while the bank looks: the match must not fall to that name."""
    account = named(world)
    says(ports, verdict)
    while_the_bank_is_asked(ports, lambda: name(ports, account, LI))

    told = press(ports, account)

    assert (told.state, told.verification_state) == ("UNAVAILABLE", "NAME_ID_MATCHED")
    assert stands(world, account) == ("NAME_ID_MATCHED", False)


def test_a_consent_taken_back_while_the_bank_is_asked_stops_its_word(world, ports):
    account = named(world)
    (consent,) = world.agree(account, "BANK_CARD")
    while_the_bank_is_asked(ports, lambda: withdraw_consent(ports, account=account, consent_id=consent.id))

    told = press(ports, account)

    assert (told.state, told.verification_state) == ("UNAVAILABLE", "NAME_ID_MATCHED")
    assert world.rows("SELECT provider_code FROM bank_card_checks") == [("CONSENT_TAKEN_BACK",)]


def test_verified_by_a_face_while_the_bank_is_asked_it_stays_so(world, ports):
    account = named(world)

    def shows_face() -> None:
        check = face(ports, account)
        ports.faces[WECHAT].went(world.scalar("SELECT check_no FROM face_checks"), FaceVerdict.PASSED)
        assert finish_face_check(ports, account=account, check_id=check.id).verification_state == "VERIFIED"

    while_the_bank_is_asked(ports, shows_face)

    assert press(ports, account).verification_state == "VERIFIED"
    assert world.scalar("SELECT method FROM identity_verifications") == "wechat_face"


def test_a_record_with_another_name_that_came_meanwhile_is_one_more_mismatch(world, ports):
    account = named(world)
    world.person(name="王五", id_number=ZHANG[1])

    told = press(ports, account)

    assert (told.state, told.verification_state) == ("MISMATCHED", "NAME_ID_MATCHED")
    assert stands(world, account) == ("NAME_ID_MATCHED", False)


def test_the_same_key_tells_the_same_check_and_asks_nobody(world, ports):
    account = named(world)
    says(ports, CardVerdict.MISMATCH)
    first = press(ports, account, key="k")
    says(ports, CardVerdict.MATCH)

    again = press(ports, account, key="k", card="6228-4804 0256 4890 018")

    assert (again.id, again.state, again.replayed) == (first.id, "MISMATCHED", True)
    assert len(ports.cards.asked("check")) == 1
    with pytest.raises(IdempotencyKeyReused):
        press(ports, account, key="k", card=OTHER_CARD)
    with pytest.raises(IdempotencyKeyReused):
        press(ports, account, key="k", phone="13800138001")


def died(ports, account, *, key="k") -> None:
    """A press whose process is gone when the bank answers."""

    def gone(*_given, **_how):
        raise KeyboardInterrupt

    inner, ports.cards.check = ports.cards.check, gone
    with pytest.raises(KeyboardInterrupt):
        press(ports, account, key=key)
    ports.cards.check = inner


def test_a_check_whose_process_died_is_in_flight_then_over_and_was_no_try(world, ports, clock):
    account = named(world)
    for at in range(6):
        died(ports, account, key=f"k{at}")
        with pytest.raises(RequestInFlight):
            press(ports, account, key=f"k{at}")
        clock.move(seconds=15)
        told = press(ports, account, key=f"k{at}")
        assert (told.state, told.replayed) == ("UNAVAILABLE", True)

    assert press(ports, account).verification_state == "VERIFIED"


def test_the_sweep_ends_what_a_dead_process_left_and_nothing_younger(world, ports, clock):
    account = named(world)
    died(ports, account)

    clock.move(seconds=14)
    assert end_silent_checks(ports) == 0
    clock.move(seconds=1)
    assert end_silent_checks(ports) == 1

    assert world.rows("SELECT state, provider_code FROM bank_card_checks") == [("UNAVAILABLE", "SILENT")]
    assert end_silent_checks(ports) == 0


def test_what_is_logged_names_no_card_and_no_phone(world, ports, caplog):
    account = named(world)
    ports.cards.fails.append(("check", ProviderUnreachable(f"{CARD} {PHONE}")))

    press(ports, account)

    assert CARD not in caplog.text
    assert PHONE not in caplog.text


def test_a_crowd_guesses_somebodys_card_no_faster_than_one_account_could(world, ports, clock):
    says(ports, CardVerdict.MISMATCH)
    said = []
    for day in range(2):
        crowd = [named(world) for _ in range(4)]
        for account in crowd:
            for _ in range(5):
                try:
                    said.append((day, press(ports, account).state))
                except TooManyLookups as refusal:
                    said.append((day, refusal.code))
        clock.move(days=1)

    assert [said.count((day, "MISMATCHED")) for day in range(2)] == [10, 10]
    assert len(ports.cards.asked("check")) == 20
    # Another number is not touched by it.
    assert press(ports, named(world, LI), card=OTHER_CARD).state == "MATCHED"


@pytest.mark.parametrize("verdict", [CardVerdict.MATCH, CardVerdict.UNSUPPORTED, CardVerdict.UNAVAILABLE])
def test_only_a_mismatch_is_a_miss(world, ports, verdict):
    says(ports, verdict)

    press(ports, named(world))

    assert world.scalar("SELECT count(*) FROM person_lookups") == 0
