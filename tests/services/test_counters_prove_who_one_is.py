"""The counter: a code from the phone, a document in hand, two of the staff. Guessing is counted, and nothing typed outlives the check."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from models.identity import CounterDocument, CounterRefusal
from providers.protocols import FaceVerdict
from services import counter_checks
from services.bank_card_checks import check_bank_card
from services.consent_withdrawals import withdraw_consent
from services.counter_codes import (
    CODE_LETTERS,
    expire_counter_checks,
    expires_at,
    open_counter_check,
    read_counter_check,
    withdraw_counter_check,
)
from services.counter_errors import (
    CounterCheckNotWaiting,
    CounterCodeUnknown,
    SecondPersonRequired,
    SiteUnknown,
    StaffNumberMalformed,
    TooManyCodeMisses,
)
from services.errors import (
    AlreadyVerified,
    ConsentRequired,
    DocumentNumberMalformed,
    IdNumberMalformed,
    NameIdMismatch,
    NameMalformed,
    NotFound,
    TooManyCounterCodes,
    TooYoung,
)
from services.face_checks import finish_face_check, start_face_check
from services.real_names import prove_name
from tests.factories import WECHAT, XINJIANG
from tests.together import at_once

ZHANG = ("张三丰", "320402199001010017")
LI = ("李四", "650102197506150024")
SIXTEEN_TOMORROW = "650101201011220011"
FIRST, SECOND = "S1024", "S2048"


def newcomer(world, *purposes, **how):
    account = world.account(verified=False, **how)
    world.agree(account, *(purposes or ("REAL_NAME", "FACE", "BANK_CARD")))
    return account


def name(ports, account, given=ZHANG):
    return prove_name(ports, account=account, name=given[0], id_number=given[1], phone=None)


def opened(ports, account, *, key=None):
    return open_counter_check(ports, account=account, idempotency_key=key or uuid.uuid4().hex)


def attest(ports, code, given=ZHANG, *, document=CounterDocument.ID_CARD, site="CHANGZHOU", who=FIRST):
    return counter_checks.attest(ports, code=code, name=given[0], id_number=given[1], document=document, site=site, who=who)


def confirm(ports, code, *, who=SECOND):
    return counter_checks.confirm(ports, code=code, who=who)


def attested(world, **how):
    account = newcomer(world)
    code = opened(world.ports, account).code
    attest(world.ports, code, **how)
    return account, code


def stands(world, account):
    return (
        world.scalar("SELECT state FROM identity_verifications WHERE account_id = :id", id=account.id),
        world.scalar("SELECT person_id IS NOT NULL FROM accounts WHERE id = :id", id=account.id),
    )


# Two of the staff.


def test_two_of_the_staff_make_a_stranger_somebody_without_any_name_before(world, ports):
    person = world.person(name=ZHANG[0], id_number=ZHANG[1])
    account = newcomer(world)
    code = opened(ports, account).code

    first = attest(ports, code)
    assert (first.state, first.attested_by, first.name_masked, first.id_number_masked) == (
        "ATTESTED",
        "staff:S1024",
        "张**",
        "320***********0017",
    )
    assert stands(world, account) == ("NONE", False)
    assert confirm(ports, code).state == "CONFIRMED"

    assert stands(world, account) == ("VERIFIED", True)
    assert world.scalar("SELECT person_id FROM accounts WHERE id = :id", id=account.id) == person.id
    assert world.rows("SELECT method, name_masked, id_number_masked FROM identity_verifications") == [
        ("counter", "张**", "320***********0017")
    ]
    assert world.rows("SELECT is_self, keep, relation FROM insured_persons") == [(True, True, "本人")]
    told = read_counter_check(ports, account=account)
    assert (told.state, told.code, told.verification_state, told.ways) == ("CONFIRMED", None, "VERIFIED", [])


def test_every_step_is_a_move_that_names_who_and_why(world, ports):
    _, code = attested(world)
    confirm(ports, code)

    assert world.rows("SELECT noun, from_state, to_state, why, who FROM moves ORDER BY id") == [
        ("counter_check", "OPEN", "ATTESTED", "counter_check.attested", "staff:S1024"),
        ("identity_verification", "NONE", "VERIFIED", "identity.attested_at_counter", "staff:S2048"),
        ("counter_check", "ATTESTED", "CONFIRMED", "counter_check.confirmed", "staff:S2048"),
    ]


@pytest.mark.parametrize("who", ["S1024", "s1024", " S1024 ", "Ｓ１０２４"])
def test_nobody_confirms_what_they_attested_however_they_write_their_number(world, ports, who):
    account, code = attested(world)

    with pytest.raises(SecondPersonRequired):
        confirm(ports, code, who=who)
    with pytest.raises(SecondPersonRequired):
        counter_checks.look_at(ports, code=code, who=who)

    assert stands(world, account) == ("NONE", False)


def test_the_database_itself_knows_that_two_are_two(world, ports):
    attested(world)

    with pytest.raises(IntegrityError, match="ck_counter_checks_two_people"), ports.begin() as session:
        session.execute(
            text(
                "UPDATE counter_checks SET state = 'CONFIRMED', confirmed_by = attested_by, name_sealed = NULL, id_number_sealed = NULL"
            )
        )


def test_the_second_sees_masks_of_what_the_first_typed_and_a_row_says_so(world, ports):
    _, code = attested(world)

    told = counter_checks.look_at(ports, code=code, who=SECOND)
    confirm(ports, code)

    assert (told.name_masked, told.id_number_masked, told.document, told.site) == (
        "张**",
        "320***********0017",
        "ID_CARD",
        "CHANGZHOU",
    )
    assert world.rows("SELECT subject_table, columns, purpose, who FROM personal_data_accesses ORDER BY id") == [
        ("counter_checks", "name,id_number", "counter_look", "staff:S2048"),
        ("counter_checks", "name,id_number", "counter_confirm", "staff:S2048"),
    ]


def test_the_list_of_the_staff_tells_no_names_and_opens_nothing(world, ports):
    attested(world)
    opened(ports, newcomer(world))

    (waiting,) = counter_checks.list_attested(ports)

    assert (waiting.site, waiting.name_masked, waiting.id_number_masked) == ("CHANGZHOU", None, None)
    assert world.scalar("SELECT count(*) FROM personal_data_accesses") == 0


def test_steps_come_in_their_order_and_once(world, ports):
    account = newcomer(world)
    code = opened(ports, account).code
    with pytest.raises(CounterCheckNotWaiting):
        confirm(ports, code)
    attest(ports, code)
    with pytest.raises(CounterCheckNotWaiting):
        attest(ports, code, who=SECOND)
    confirm(ports, code)
    for again in (attest, confirm):
        with pytest.raises(CounterCodeUnknown):
            again(ports, code, who="S4096")


def test_confirming_twice_at_once_verifies_once(world, ports):
    _, code = attested(world)
    said = at_once(*[partial(confirm, ports, code, who=f"S30{at}") for at in range(4)])
    done = ["UNKNOWN" if isinstance(each, CounterCodeUnknown) else each.state for each in said]

    assert sorted(done) == ["CONFIRMED", "UNKNOWN", "UNKNOWN", "UNKNOWN"]
    assert world.rows("SELECT count(*) FROM moves WHERE to_state = 'VERIFIED'") == [(1,)]


@pytest.mark.parametrize("verdict", [FaceVerdict.FAILED, FaceVerdict.DECLINED, None])
def test_whoever_began_with_a_face_may_go_on_at_the_counter(world, ports, verdict):
    account = newcomer(world)
    name(ports, account)
    check = start_face_check(ports, account=account, idempotency_key="face")
    if verdict is not None:
        ports.faces[WECHAT].went(world.scalar("SELECT check_no FROM face_checks"), verdict)
        finish_face_check(ports, account=account, check_id=check.id)
    code = opened(ports, account).code
    attest(ports, code)
    confirm(ports, code)

    assert stands(world, account) == ("VERIFIED", True)
    assert world.scalar("SELECT count(*) FROM face_checks WHERE state IN ('CREATED', 'PENDING')") == 0


# What was typed.


def typed(world):
    return world.rows("SELECT name_sealed IS NULL, id_number_sealed IS NULL FROM counter_checks")


def test_what_was_typed_is_sealed(world, ports):
    attested(world)

    ((name_sealed, number_sealed),) = world.rows("SELECT name_sealed, id_number_sealed FROM counter_checks")
    assert "张三丰".encode() not in bytes(name_sealed)
    assert ZHANG[1].encode() not in bytes(number_sealed)


def ends_confirmed(world, account, code):
    confirm(world.ports, code)


def ends_refused(world, account, code):
    counter_checks.refuse(world.ports, code=code, why=CounterRefusal.NOT_THE_HOLDER, who=SECOND)


def ends_withdrawn(world, account, code):
    withdraw_counter_check(world.ports, account=account)


def ends_with_the_consent(world, account, code):
    (consent,) = world.agree(account, "REAL_NAME")
    withdraw_consent(world.ports, account=account, consent_id=consent.id)


def ends_expired(world, account, code):
    world.ports.clock.move(hours=9)
    assert expire_counter_checks(world.ports) == 1


def ends_by_another_way(world, account, code):
    name(world.ports, account)
    check_bank_card(
        world.ports, account=account, card_number="6228480402564890018", phone="13800138000", idempotency_key="card-1"
    )


@pytest.mark.parametrize(
    "end", [ends_confirmed, ends_refused, ends_withdrawn, ends_with_the_consent, ends_expired, ends_by_another_way]
)
def test_what_was_typed_is_gone_however_the_check_ends(world, ports, end):
    account, code = attested(world)
    assert typed(world) == [(False, False)]

    end(world, account, code)

    assert typed(world) == [(True, True)]
    with pytest.raises(CounterCodeUnknown):
        confirm(ports, code, who="S4096")


def test_the_database_itself_lets_nothing_typed_outlive_the_check(world, ports):
    attested(world)

    with pytest.raises(IntegrityError, match="ck_counter_checks_typed_while_attested"), ports.begin() as session:
        session.execute(text("UPDATE counter_checks SET state = 'REFUSED'"))


# The document.


@pytest.mark.parametrize(
    ("document", "number"),
    [
        ("HMT_RESIDENCE_PERMIT", "810000199001010019"),
        ("HMT_RESIDENCE_PERMIT", "820000199001010010"),
        ("HMT_RESIDENCE_PERMIT", "830000199001010012"),
        ("FOREIGN_PERMANENT_RESIDENT_CARD", "911840199001010018"),
        ("FOREIGN_PERMANENT_RESIDENT_CARD", "KAZ110090123105"),
    ],
)
def test_residents_from_elsewhere_are_people_too(world, ports, document, number):
    account = newcomer(world)
    code = opened(ports, account).code
    attest(ports, code, ("AYNUR SADYKOVA", number), document=CounterDocument(document))
    confirm(ports, code)

    assert stands(world, account) == ("VERIFIED", True)
    assert world.scalar("SELECT id_number_masked FROM persons") == f"{number[:3]}{'*' * (len(number) - 7)}{number[-4:]}"


@pytest.mark.parametrize(
    ("given", "document", "refusal"),
    [
        (("张", ZHANG[1]), "ID_CARD", NameMalformed),
        (("张三丰", "320402199001010018"), "ID_CARD", IdNumberMalformed),
        (("张三丰", "810000199001010019"), "ID_CARD", DocumentNumberMalformed),
        (("张三丰", ZHANG[1]), "HMT_RESIDENCE_PERMIT", DocumentNumberMalformed),
        (("张三丰", "KAZ110090123106"), "FOREIGN_PERMANENT_RESIDENT_CARD", DocumentNumberMalformed),
        (("张三丰", "KAZ110090123105"), "ID_CARD", IdNumberMalformed),
        (("张三丰", SIXTEEN_TOMORROW), "ID_CARD", TooYoung),
    ],
)
def test_what_cannot_be_or_is_too_young_is_not_attested(world, ports, given, document, refusal):
    account = newcomer(world)
    code = opened(ports, account).code

    with pytest.raises(refusal):
        attest(ports, code, given, document=CounterDocument(document))

    assert read_counter_check(ports, account=account).state == "OPEN"
    assert world.scalar("SELECT count(*) FROM counter_code_misses") == 0


def test_a_document_that_contradicts_the_record_is_refused_and_counted(world, ports):
    world.person(name="王五", id_number=ZHANG[1])
    account = newcomer(world)
    code = opened(ports, account).code

    with pytest.raises(NameIdMismatch) as refusal:
        attest(ports, code)

    assert "王" not in refusal.value.said
    assert world.rows("SELECT who FROM counter_code_misses") == [("staff:S1024",)]
    assert read_counter_check(ports, account=account).state == "OPEN"


def test_a_document_that_is_not_the_account_holders_own_is_refused(world, ports):
    """The clerk typed another phone's code: the name that was matched on this one says so."""
    account = newcomer(world)
    name(ports, account, LI)
    code = opened(ports, account).code

    with pytest.raises(NameIdMismatch):
        attest(ports, code, ZHANG)

    assert world.rows("SELECT purpose, who FROM personal_data_accesses WHERE purpose LIKE 'counter%'") == [
        ("counter_compare", "staff:S1024")
    ]
    assert stands(world, account) == ("NAME_ID_MATCHED", False)


@pytest.mark.parametrize("meanwhile", ["another name", "the record"])
def test_what_came_to_differ_before_the_second_confirms_ends_the_check(world, ports, meanwhile):
    account, code = attested(world)
    if meanwhile == "another name":
        name(ports, account, LI)
    else:
        world.person(name="王五", id_number=ZHANG[1])

    with pytest.raises(NameIdMismatch):
        confirm(ports, code)

    told = read_counter_check(ports, account=account)
    assert (told.state, told.code) == ("REFUSED", None)
    assert "更正" in told.refusal
    assert stands(world, account)[1] is False


@pytest.mark.parametrize("site", ["", "XINJIANG", "changzhou", "NOWHERE"])
def test_a_counter_is_one_of_the_regions_own(world, ports, site):
    code = opened(ports, newcomer(world)).code

    with pytest.raises(SiteUnknown):
        attest(ports, code, site=site)

    assert attest(ports, code, site="TIANNING").site == "TIANNING"


def test_xinjiang_has_its_own_counters(world, ports):
    code = opened(ports, newcomer(world, "REAL_NAME", miniprogram=XINJIANG)).code

    assert attest(ports, code, site="XPCC").site == "XPCC"


@pytest.mark.parametrize("who", ["", "S", "S 1024", "张三", "S1024'; --", "S" * 17])
def test_staff_have_numbers(world, ports, who):
    code = opened(ports, newcomer(world)).code

    with pytest.raises(StaffNumberMalformed):
        attest(ports, code, who=who)


# Consent.


def test_the_counter_needs_the_consent_that_its_data_needs(world, ports):
    account = world.account(verified=False)

    with pytest.raises(ConsentRequired) as refusal:
        opened(ports, account)

    assert refusal.value.facts["purpose"] == "REAL_NAME"


@pytest.mark.parametrize("step", ["attest", "confirm"])
def test_a_consent_taken_back_stops_the_counter_too(world, ports, step):
    account = newcomer(world)
    code = opened(ports, account).code
    if step == "confirm":
        attest(ports, code)
    with ports.begin() as session:
        # As it stands for those who come between the consent's end and that of what it covered.
        session.execute(text("UPDATE consents SET withdrawn_at = now() WHERE purpose = 'REAL_NAME'"))

    with pytest.raises(ConsentRequired):
        confirm(ports, code) if step == "confirm" else attest(ports, code)

    assert stands(world, account) == ("NONE", False)
    assert world.scalar("SELECT count(*) FROM personal_data_accesses") == 0


# The code.


def test_a_code_is_eight_letters_that_nobody_mistakes(world, ports):
    codes = [opened(ports, newcomer(world)).code for _ in range(20)]

    assert all(len(code) == 8 and set(code) <= set(CODE_LETTERS) for code in codes)
    assert len(set(codes)) == 20
    assert not set(CODE_LETTERS) & set("0O1IL2Z5S8BU")
    kept = world.rows("SELECT code_index, code_sealed FROM counter_checks")
    assert all(code.encode() not in bytes(column) for code in codes for row in kept for column in row)


@pytest.mark.parametrize("write", [str.lower, lambda code: f" {code[:4]}-{code[4:]} ", " ".join])
def test_a_code_is_read_as_people_write_it(world, ports, write):
    code = opened(ports, newcomer(world)).code

    assert attest(ports, write(code)).state == "ATTESTED"


@pytest.mark.parametrize(
    ("made", "lapses"),
    [
        ("2026-11-23T08:00+08:00", "2026-11-23T18:00+08:00"),
        ("2026-11-23T13:59+08:00", "2026-11-23T18:00+08:00"),
        ("2026-11-23T14:01+08:00", "2026-11-23T18:01+08:00"),
        ("2026-11-23T23:30+08:00", "2026-11-24T03:30+08:00"),
        ("2026-11-23T00:00+08:00", "2026-11-23T18:00+08:00"),
    ],
)
def test_a_code_lasts_until_the_counters_close_and_four_hours_at_least(made, lapses):
    assert expires_at(datetime.fromisoformat(made).astimezone(UTC)) == datetime.fromisoformat(lapses)


def test_a_code_that_lapsed_is_nobodys_even_before_the_sweep(world, ports, clock):
    account = newcomer(world)
    check = opened(ports, account)
    clock.move(seconds=(check.expires_at - ports.now()).total_seconds())

    with pytest.raises(CounterCodeUnknown):
        attest(ports, check.code)
    told = read_counter_check(ports, account=account)
    assert (told.state, told.code) == ("EXPIRED", None)
    assert [way.way for way in told.ways] == ["BANK_CARD", "COUNTER", "FAMILY"]
    again = opened(ports, account)
    assert (again.state, again.code != check.code) == ("OPEN", True)


def test_an_open_code_is_told_again_and_an_attested_one_is_not_lost(world, ports):
    account = newcomer(world)
    first = opened(ports, account, key="k1")
    attest(ports, first.code)

    again, other_key = opened(ports, account, key="k1"), opened(ports, account, key="k2")

    assert [(each.id, each.code, each.state) for each in (again, other_key)] == [(first.id, first.code, "ATTESTED")] * 2
    assert (again.replayed, other_key.replayed) == (True, False)


def test_many_presses_at_once_open_one_check(world, ports):
    account = newcomer(world)
    done = [check.id for check in at_once(*[lambda: opened(ports, account)] * 6)]

    assert len(done) == 6
    assert len(set(done)) == 1


def test_five_codes_a_day(world, ports, clock):
    account = newcomer(world)
    for _ in range(5):
        opened(ports, account)
        withdraw_counter_check(ports, account=account)

    with pytest.raises(TooManyCounterCodes) as refusal:
        opened(ports, account)
    assert [way["way"] for way in refusal.value.facts["ways"]] == ["BANK_CARD", "COUNTER", "FAMILY"]
    clock.move(hours=14)
    assert opened(ports, account).state == "OPEN"


def test_another_accounts_code_is_not_found(world, ports):
    opened(ports, newcomer(world))
    nosy = newcomer(world)

    with pytest.raises(NotFound):
        read_counter_check(ports, account=nosy)
    with pytest.raises(NotFound):
        withdraw_counter_check(ports, account=nosy)


def test_how_the_last_one_ended_is_told_for_a_day(world, ports, clock):
    account, code = attested(world)
    counter_checks.refuse(ports, code=code, why=CounterRefusal.DOCUMENT_DOUBTFUL, who=FIRST)

    assert "换领证件" in read_counter_check(ports, account=account).refusal
    clock.move(hours=24)
    with pytest.raises(NotFound):
        read_counter_check(ports, account=account)


def test_whoever_is_verified_needs_no_counter(world, ports):
    account, code = attested(world)
    confirm(ports, code)

    with pytest.raises(AlreadyVerified):
        opened(ports, account)


# Guesses.


def test_ten_misses_a_day_end_it_for_that_one_of_the_staff(world, ports, clock):
    code = opened(ports, newcomer(world)).code
    for at in range(10):
        with pytest.raises(CounterCodeUnknown):
            attest(ports, f"AAAAAAA{CODE_LETTERS[at]}")

    for act in (attest, confirm):
        with pytest.raises(TooManyCodeMisses):
            act(ports, code, who=FIRST)
    with pytest.raises(TooManyCodeMisses):
        counter_checks.refuse(ports, code=code, why=CounterRefusal.NOT_THE_HOLDER, who=FIRST.lower())
    assert attest(ports, code, who=SECOND).state == "ATTESTED"
    clock.set(datetime(2026, 11, 21, 16, 0, tzinfo=UTC))
    with pytest.raises(CounterCodeUnknown):
        attest(ports, "AAAAAAAA")


def test_guesses_at_once_are_counted_one_by_one(world, ports):
    said = at_once(*[partial(attest, ports, f"AAAAAA{CODE_LETTERS[at]}A") for at in range(16)])
    done = [type(each).__name__ for each in said]

    assert sorted(done) == ["CounterCodeUnknown"] * 10 + ["TooManyCodeMisses"] * 6


# The sweep.


def test_the_sweep_ends_what_lapsed_and_nothing_younger(world, ports, clock):
    attested(world)
    clock.move(hours=7, minutes=59)
    assert expire_counter_checks(ports) == 0

    clock.move(minutes=1)

    assert expire_counter_checks(ports) == 1
    assert expire_counter_checks(ports) == 0
    assert world.rows("SELECT who, why FROM moves WHERE to_state = 'EXPIRED'") == [
        ("counter_codes.expire", "counter_check.expired")
    ]
    assert timedelta(hours=8) == expires_at(datetime(2026, 11, 21, 2, 0, tzinfo=UTC)) - datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
