"""Identity: a name matched by the authority, a face matched by the platform's server, or a platform that vouches; never a phone's word."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

import pytest

from providers.protocols import (
    FaceVerdict,
    NameVerdict,
    PlatformIdentity,
    ProviderRefused,
    ProviderUnreachable,
    RealName,
)
from services.consent_withdrawals import withdraw_consent
from services.errors import (
    AlreadyVerified,
    ConsentRequired,
    IdNumberMalformed,
    NameIdMismatch,
    NameMalformed,
    NotFound,
    ProviderUnavailable,
    RealNameRequired,
    TooManyFaceChecks,
    TooManyLookups,
    TooYoung,
)
from services.face_checks import expire_face_checks, finish_face_check, read_face_check, start_face_check
from services.real_names import prove_name
from services.sign_in import sign_in
from services.ways import tell_ways
from tests.factories import ALIPAY, WECHAT

if TYPE_CHECKING:
    from models.accounts import Account

ZHANG = ("张三丰", "320402199001010017")
LI = ("李四", "650102197506150024")
SIXTEEN_TODAY = "650101201011210016"
SIXTEEN_TOMORROW = "650101201011220011"


def newcomer(world, *purposes: str) -> Account:
    account = world.account(verified=False)
    world.agree(account, *(purposes or ("REAL_NAME", "FACE")))
    return account


def name_of(ports, account, given=ZHANG):
    return prove_name(ports, account=account, name=given[0], id_number=given[1], phone="13800138000")


def start(ports, account):
    return start_face_check(ports, account=account, idempotency_key=uuid.uuid4().hex)


def named(world, given=ZHANG) -> Account:
    account = newcomer(world)
    name_of(world.ports, account, given)
    return account


def facing(world, given=ZHANG):
    account = named(world, given)
    return account, start(world.ports, account)


def check_no(world, check) -> str:
    return world.scalar("SELECT check_no FROM face_checks WHERE id = :id", id=check.id)


def verdict(world, check, word: FaceVerdict) -> None:
    world.ports.faces[WECHAT].went(check_no(world, check), word)


def stands(world, account) -> tuple[str, bool]:
    return (
        world.scalar("SELECT state FROM identity_verifications WHERE account_id = :id", id=account.id),
        world.scalar("SELECT person_id IS NOT NULL FROM accounts WHERE id = :id", id=account.id),
    )


# The name.


def test_a_name_that_the_authority_knows_is_matched_and_kept_sealed(world, ports):
    account = newcomer(world)

    verification = name_of(ports, account, (" 张三丰 ", "32040219900101001 7"))

    assert (verification.state, verification.name_masked, verification.id_number_masked) == (
        "NAME_ID_MATCHED",
        "张**",
        "320***********0017",
    )
    ((person, phone),) = ports.names.asked("check")
    assert (person.name, person.id_number, phone) == (*ZHANG, "13800138000")
    kept = world.rows("SELECT name_sealed, id_number_sealed FROM identity_verifications")[0]
    assert all("张三丰".encode() not in bytes(column) and b"320402199001010017" not in bytes(column) for column in kept)
    assert stands(world, account) == ("NAME_ID_MATCHED", False)


@pytest.mark.parametrize("word", [NameVerdict.MISMATCH, NameVerdict.NO_RECORD])
def test_a_mismatch_and_an_unknown_person_look_the_same(world, ports, word):
    account = newcomer(world)
    ports.names.verdicts[ZHANG[1]] = word

    with pytest.raises(NameIdMismatch) as refusal:
        name_of(ports, account)

    # Where people help, which is the same for everybody, and nothing of the record.
    assert refusal.value.facts == {"ways": tell_ways(ports, account=account)}
    assert refusal.value.said == NameIdMismatch.detail
    assert stands(world, account) == ("NONE", False)


def test_a_name_other_than_the_record_is_the_same_mismatch(world, ports):
    world.person(name="王五", id_number=ZHANG[1])
    account = newcomer(world)

    with pytest.raises(NameIdMismatch) as refusal:
        name_of(ports, account)

    assert refusal.value.facts == {"ways": tell_ways(ports, account=account)}
    assert refusal.value.said == NameIdMismatch.detail


@pytest.mark.parametrize("fault", [ProviderUnreachable("down"), ProviderRefused("QUOTA")])
def test_an_authority_without_an_answer_is_not_a_mismatch(world, ports, fault):
    account = newcomer(world)
    ports.names.fails.append(("check", fault))

    with pytest.raises(ProviderUnavailable):
        name_of(ports, account)

    assert stands(world, account) == ("NONE", False)


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        (("张", ZHANG[1]), NameMalformed),
        (("张三丰", "320402199001010018"), IdNumberMalformed),
        (("张三丰", SIXTEEN_TOMORROW), TooYoung),
    ],
)
def test_what_is_malformed_or_too_young_is_refused_before_anybody_is_asked(world, ports, given, refusal):
    account = newcomer(world)

    with pytest.raises(refusal):
        name_of(ports, account, given)

    assert ports.names.calls == []


def test_whoever_turns_sixteen_today_is_welcome(world, ports):
    assert name_of(ports, newcomer(world), ("张三丰", SIXTEEN_TODAY)).state == "NAME_ID_MATCHED"


def test_five_names_a_day_and_midnight_in_beijing_brings_five_more(world, ports, clock):
    account = newcomer(world)
    ports.names.verdicts[ZHANG[1]] = NameVerdict.MISMATCH
    for _ in range(5):
        with pytest.raises(NameIdMismatch):
            name_of(ports, account)

    with pytest.raises(TooManyLookups):
        name_of(ports, account)
    clock.move(hours=13, minutes=59)
    with pytest.raises(TooManyLookups):
        name_of(ports, account)
    assert len(ports.names.asked("check")) == 5
    clock.move(minutes=1)

    with pytest.raises(NameIdMismatch):
        name_of(ports, account)


def test_whoever_the_authority_does_not_match_is_told_where_people_help(world, ports):
    account = newcomer(world)
    ports.names.verdicts[ZHANG[1]] = NameVerdict.MISMATCH
    told = []
    for _ in range(6):
        with pytest.raises((NameIdMismatch, TooManyLookups)) as refusal:
            name_of(ports, account)
        told.append((refusal.value.code, [way["way"] for way in refusal.value.facts["ways"] if way["available"]]))
        assert all(way["hotline"] for way in refusal.value.facts["ways"])
        assert "参保人" not in refusal.value.said

    assert told == [("NAME_ID_MISMATCH", ["COUNTER", "FAMILY"])] * 5 + [("TOO_MANY_LOOKUPS", ["COUNTER", "FAMILY"])]


# Consents come first.


def test_a_crowd_tries_names_on_one_number_no_oftener_than_one_account_could(world, ports, clock):
    ports.names.verdicts[ZHANG[1]] = NameVerdict.MISMATCH
    said = []
    for day in range(3):
        for at in range(14):
            try:
                name_of(ports, newcomer(world), (f"张{chr(0x4E00 + day * 14 + at)}", ZHANG[1]))
            except (NameIdMismatch, TooManyLookups) as refusal:
                said.append((day, refusal.code))
        clock.move(days=1)

    asked = [day for day, code in said if code == "NAME_ID_MISMATCH"]
    assert [asked.count(day) for day in range(3)] == [10, 10, 0]
    assert len(ports.names.asked("check")) == 20
    # Another number is not touched by it, and a right name costs its owner nothing.
    assert name_of(ports, newcomer(world), LI).state == "NAME_ID_MATCHED"
    assert world.scalar("SELECT count(*) FROM person_lookups") == 20


def test_an_authority_without_an_answer_counts_as_no_miss(world, ports):
    ports.names.fails.append(("check", ProviderUnreachable("down")))

    with pytest.raises(ProviderUnavailable):
        name_of(ports, newcomer(world))

    assert world.scalar("SELECT count(*) FROM person_lookups") == 0


@pytest.mark.parametrize("agreed", [(), ("FACE",), ("PROXY_PAYMENT", "FACE")])
def test_no_name_goes_anywhere_without_its_consent(world, ports, agreed):
    account = world.account(verified=False)
    world.agree(account, *agreed)

    with pytest.raises(ConsentRequired) as refusal:
        name_of(ports, account)

    assert refusal.value.facts["purpose"] == "REAL_NAME"
    assert ports.names.calls == []
    assert world.scalar("SELECT count(*) FROM identity_verifications") == 0


def test_no_face_is_checked_without_its_own_consent(world, ports):
    account = newcomer(world, "REAL_NAME")
    name_of(ports, account)

    with pytest.raises(ConsentRequired) as refusal:
        start(ports, account)

    assert refusal.value.facts["purpose"] == "FACE"
    assert ports.faces[WECHAT].calls == []


@pytest.mark.parametrize(("purpose", "act"), [("REAL_NAME", name_of), ("FACE", start)])
def test_a_consent_taken_back_stops_what_it_covered(world, ports, purpose, act):
    account = named(world)
    (consent,) = world.agree(account, purpose)
    withdraw_consent(ports, account=account, consent_id=consent.id)
    ports.names.calls.clear()

    with pytest.raises(ConsentRequired):
        act(ports, account)

    assert ports.names.calls == ports.faces[WECHAT].calls == []


def test_a_face_consent_taken_back_during_the_check_stops_its_verdict(world, ports):
    account, check = facing(world)
    verdict(world, check, FaceVerdict.PASSED)
    (consent,) = world.agree(account, "FACE")
    withdraw_consent(ports, account=account, consent_id=consent.id)

    assert finish_face_check(ports, account=account, check_id=check.id).state == "EXPIRED"
    assert ports.faces[WECHAT].asked("ask") == []
    assert stands(world, account) == ("NAME_ID_MATCHED", False)


# The face.


def test_a_face_needs_a_name_first(world, ports):
    with pytest.raises(RealNameRequired):
        start(ports, newcomer(world))


def test_a_face_that_the_platforms_server_passed_makes_the_account_that_person(world, ports):
    person = world.person(name=ZHANG[0], id_number=ZHANG[1])
    account, check = facing(world)
    assert (check.state, check.verification_state, check.launch["verifyId"]) == (
        "PENDING",
        "FACE_PENDING",
        f"face-{check_no(world, check)}",
    )
    verdict(world, check, FaceVerdict.PASSED)

    done = finish_face_check(ports, account=account, check_id=check.id)

    assert (done.state, done.verification_state, done.advice, done.ways) == ("PASSED", "VERIFIED", None, [])
    assert world.scalar("SELECT person_id FROM accounts WHERE id = :id", id=account.id) == person.id
    assert world.rows("SELECT is_self, keep, relation FROM insured_persons") == [(True, True, "本人")]
    assert world.scalar("SELECT method FROM identity_verifications") == "wechat_face"


def test_what_the_phone_says_only_makes_us_ask(world, ports):
    account, check = facing(world)

    done = finish_face_check(ports, account=account, check_id=check.id)

    assert (done.state, done.verification_state) == ("PENDING", "FACE_PENDING")
    assert stands(world, account) == ("FACE_PENDING", False)


@pytest.mark.parametrize(
    ("word", "check_state", "state"),
    [
        (FaceVerdict.FAILED, "FAILED", "FAILED"),
        (FaceVerdict.DECLINED, "DECLINED", "DECLINED"),
        (FaceVerdict.EXPIRED, "EXPIRED", "FAILED"),
    ],
)
def test_a_face_that_did_not_do_leads_on_at_once(world, ports, word, check_state, state):
    account, check = facing(world)
    verdict(world, check, word)

    done = finish_face_check(ports, account=account, check_id=check.id)

    assert (done.state, done.verification_state) == (check_state, state)
    assert [(way.way, way.available, way.hotline != "") for way in done.ways] == [
        ("BANK_CARD", True, True),
        ("COUNTER", True, True),
        ("FAMILY", True, True),
    ]
    assert ("没有核验成功" in done.advice) == (word is FaceVerdict.FAILED)
    assert ("不刷脸" in done.advice) == (word is FaceVerdict.DECLINED)
    assert start(ports, account).state == "PENDING"


def test_a_verdict_is_written_once_whatever_is_heard_later(world, ports):
    account, check = facing(world)
    verdict(world, check, FaceVerdict.FAILED)
    finish_face_check(ports, account=account, check_id=check.id)
    verdict(world, check, FaceVerdict.PASSED)

    done = finish_face_check(ports, account=account, check_id=check.id)

    assert (done.state, stands(world, account)) == ("FAILED", ("FAILED", False))


def test_finishing_twice_at_once_verifies_once(world, ports):
    account, check = facing(world)
    verdict(world, check, FaceVerdict.PASSED)
    done = []

    threads = [
        threading.Thread(target=lambda: done.append(finish_face_check(ports, account=account, check_id=check.id)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [view.verification_state for view in done] == ["VERIFIED"] * 4
    assert world.rows("SELECT count(*) FROM persons") == [(1,)]
    assert world.rows("SELECT count(*) FROM insured_persons") == [(1,)]
    assert world.rows("SELECT count(*) FROM moves WHERE to_state = 'VERIFIED'") == [(1,)]


def test_a_platform_that_does_not_answer_leaves_the_check_open(world, ports):
    account, check = facing(world)
    verdict(world, check, FaceVerdict.PASSED)
    ports.faces[WECHAT].fails.append(("ask", ProviderUnreachable("down")))

    with pytest.raises(ProviderUnavailable):
        finish_face_check(ports, account=account, check_id=check.id)

    assert finish_face_check(ports, account=account, check_id=check.id).verification_state == "VERIFIED"


@pytest.mark.parametrize("fault", [ProviderUnreachable("down"), ProviderRefused("NO")])
def test_a_check_that_could_not_be_opened_costs_the_person_nothing(world, ports, fault):
    account = named(world)
    ports.faces[WECHAT].fails.append(("start", fault))

    with pytest.raises(ProviderUnavailable):
        start(ports, account)

    assert stands(world, account) == ("NAME_ID_MATCHED", False)
    assert start(ports, account).state == "PENDING"


def test_a_check_that_nobody_finished_lapses_and_another_may_be_started(world, ports, clock):
    account, check = facing(world)

    clock.move(minutes=14, seconds=59)
    assert expire_face_checks(ports) == 0
    clock.move(seconds=1)
    assert expire_face_checks(ports) == 1

    assert read_face_check(ports, account=account, check_id=check.id).state == "EXPIRED"
    assert expire_face_checks(ports) == 0
    assert start(ports, account).state == "PENDING"


def test_five_faces_a_day(world, ports, clock):
    account = named(world)
    for _ in range(5):
        start(ports, account)

    with pytest.raises(TooManyFaceChecks):
        start(ports, account)
    clock.move(hours=14)

    assert start(ports, account).state == "PENDING"


def test_a_verified_account_proves_nothing_twice(world, ports):
    account, check = facing(world)
    verdict(world, check, FaceVerdict.PASSED)
    finish_face_check(ports, account=account, check_id=check.id)

    with pytest.raises(AlreadyVerified):
        name_of(ports, account, LI)
    with pytest.raises(AlreadyVerified):
        start(ports, account)


def test_a_face_checked_for_one_name_never_proves_another(world, ports):
    account, own = facing(world)
    verdict(world, own, FaceVerdict.PASSED)
    name_of(ports, account, LI)
    start(ports, account)

    done = finish_face_check(ports, account=account, check_id=own.id)

    assert done.verification_state != "VERIFIED"
    assert stands(world, account)[1] is False


def test_an_abandoned_try_that_lapses_does_not_spoil_the_next(world, ports, clock):
    account, _ = facing(world)
    clock.move(minutes=10)
    second = start(ports, account)
    clock.move(minutes=6)
    expire_face_checks(ports)
    verdict(world, second, FaceVerdict.PASSED)

    assert finish_face_check(ports, account=account, check_id=second.id).verification_state == "VERIFIED"


def test_the_same_key_tells_the_same_check_again(world, ports):
    account = named(world)
    first = start_face_check(ports, account=account, idempotency_key="k")

    again = start_face_check(ports, account=account, idempotency_key="k")

    assert (again.id, again.launch, again.replayed) == (first.id, first.launch, True)
    assert len(ports.faces[WECHAT].asked("start")) == 1


def test_a_record_with_another_name_that_came_meanwhile_is_not_taken_over(world, ports):
    account, check = facing(world)
    world.person(name="王五", id_number=ZHANG[1])
    verdict(world, check, FaceVerdict.PASSED)

    done = finish_face_check(ports, account=account, check_id=check.id)

    assert (done.state, done.verification_state) == ("PASSED", "FAILED")
    assert stands(world, account) == ("FAILED", False)


def test_another_accounts_check_is_not_found(world, ports):
    _, check = facing(world)
    nosy = newcomer(world)

    for look in (finish_face_check, read_face_check):
        with pytest.raises(NotFound):
            look(ports, account=nosy, check_id=check.id)


def test_every_opening_of_sealed_data_leaves_a_record(world, ports):
    account, check = facing(world)
    finish_face_check(ports, account=account, check_id=check.id)

    assert world.rows("SELECT purpose, who, columns FROM personal_data_accesses ORDER BY id") == [
        (purpose, f"account:{account.id}", "name,id_number") for purpose in ("name_check", "face_check_start", "face_check_ask")
    ]


def test_two_accounts_of_one_person_are_one_person(world, ports):
    accounts = []
    for _ in range(2):
        account, check = facing(world)
        verdict(world, check, FaceVerdict.PASSED)
        finish_face_check(ports, account=account, check_id=check.id)
        accounts.append(account)

    assert world.scalar("SELECT count(*) FROM persons") == 1
    assert world.scalar("SELECT count(DISTINCT person_id) FROM accounts") == 1


# A platform that vouches (Alipay).


def vouched(ports, name, id_number, *, code="c"):
    ports.logins[ALIPAY].people[code] = PlatformIdentity(
        subject="2088000000000001", real_name=RealName(name=name, id_number=id_number)
    )
    return sign_in(ports, miniprogram=ALIPAY, code=code)


def test_a_platform_that_knows_its_users_brings_the_identity(world, ports):
    person = world.person(name=ZHANG[0], id_number=ZHANG[1])

    signed_in = vouched(ports, *ZHANG)

    assert signed_in.account.person_id == person.id
    assert "PAY_OWN" in signed_in.capabilities
    assert stands(world, signed_in.account) == ("VERIFIED", True)
    assert world.scalar("SELECT method FROM identity_verifications") == "alipay_account"
    assert vouched(ports, *ZHANG).account.id == signed_in.account.id


@pytest.mark.parametrize(
    ("name", "id_number"),
    [("张三丰", SIXTEEN_TOMORROW), ("张三丰", "320402199001010018"), ("Z", ZHANG[1]), ("张三丰", "E12345678")],
)
def test_a_child_or_an_unreadable_identity_signs_in_unverified(world, ports, name, id_number):
    signed_in = vouched(ports, name, id_number)

    assert (signed_in.account.person_id, signed_in.capabilities) == (None, [])
    assert world.scalar("SELECT count(*) FROM persons") == 0


def test_sixteen_today_is_vouched_for(ports):
    assert vouched(ports, "张三丰", SIXTEEN_TODAY).account.person_id is not None


def test_a_platforms_name_that_clashes_with_the_record_verifies_nobody(world, ports):
    world.person(name="王五", id_number=ZHANG[1])

    signed_in = vouched(ports, *ZHANG)

    assert signed_in.account.person_id is None
    assert stands(world, signed_in.account) == ("NONE", False)


def test_a_platforms_later_word_does_not_change_who_was_verified(world, ports):
    first = vouched(ports, *ZHANG)

    again = vouched(ports, *LI)

    assert again.account.person_id == first.account.person_id
