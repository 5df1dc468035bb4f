"""Whoever holds the code learns whether a printout is ours and still holds, and nobody learns anything by trying."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.printouts import PrintoutMiss
from services import receipt_standing, registration_form_standing
from services.printout_checks import MISSES_AN_HOUR, verify_printout
from services.printout_errors import PrintoutUnknown, TooManyPrintoutMisses
from services.printouts import ALPHABET, CODE_LENGTH, Fact, Standing, grouped, new_code, read_code
from services.registration_forms import print_registration_form
from tests.applying import printable
from tests.services.test_registration_forms import code_on

STREET, HOME = "114.114.114.9", "114.114.114.10"
CGNAT = "100.64.0.7"


@pytest.fixture
def code(world) -> str:
    account, view = printable(world)
    return code_on(print_registration_form(world.ports, account=account, application_id=view.id).content)


def asked(world, code: str, caller: str | None = STREET):
    return verify_printout(world.ports, code=code, caller=caller)


def missed(world, times: int, caller: str | None = STREET) -> None:
    for _ in range(times):
        with pytest.raises(PrintoutUnknown):
            asked(world, new_code(), caller)


def misses(world) -> int:
    return world.scalar("SELECT count(*) FROM printout_misses")


# What is told.


def test_the_holder_of_a_code_learns_masked_facts_and_nothing_else(world, code):
    told = asked(world, code)

    assert told.standing is Standing.VALID
    assert told.standing_text == "有效"
    assert told.title == "常州市劳动事务代理申请登记表"
    assert told.facts == [
        Fact(label="姓名", value="张**"), Fact(label="参保地区", value="常州市"),
        Fact(label="企业职工基本养老保险", value="正常参保"), Fact(label="职工基本医疗保险", value="正常参保"),
    ]  # fmt: skip
    assert set(told.__dict__) == {
        "title", "serial", "version", "issued_at", "facts", "standing", "standing_text", "explanation",
    }  # fmt: skip


def test_nothing_is_opened_to_tell_it(world, code):
    before = world.scalar("SELECT count(*) FROM personal_data_accesses")

    asked(world, code)

    assert world.scalar("SELECT count(*) FROM personal_data_accesses") == before


def test_every_standing_has_its_words():
    assert {*receipt_standing.SAID, *registration_form_standing.SAID} == set(Standing)


@pytest.mark.parametrize("how", [str.lower, lambda code: code.replace("-", ""), lambda code: code.replace("-", " "),
                                 lambda code: f" {code.replace('-', '－')}\n"])  # fmt: skip
def test_a_code_may_be_typed_as_people_type(world, code, how):
    assert asked(world, how(code)).standing is Standing.VALID


def test_letters_that_look_like_figures_are_taken_for_them():
    code = new_code()

    assert read_code(code.replace("0", "o").replace("1", "l")) == code
    assert read_code(code.replace("1", "I")) == code


def test_codes_are_long_beyond_guessing_and_no_two_alike():
    assert len(ALPHABET) ** CODE_LENGTH == 2**140
    made = {new_code() for _ in range(2000)}
    assert len(made) == 2000
    assert all(read_code(grouped(each)) == each for each in made)
    assert {each for code in made for each in code} == set(ALPHABET)


@given(st.text(max_size=130) | st.text(alphabet=ALPHABET + ALPHABET.lower() + "oil-\u2013 ", min_size=26, max_size=40))
def test_whatever_is_typed_is_one_code_or_none_and_reads_the_same_again(typed):
    code = read_code(typed)

    assert code is None or (len(code) == CODE_LENGTH and set(code) <= set(ALPHABET))
    assert code is None or read_code(grouped(code)) == read_code(code) == code


# Trying.


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "1",
        "0" * 27,
        "0" * 29,
        "U" * 28,
        "é" * 28,
        "'; DROP TABLE printouts; --",
        "0" * 100_000,
        "\x00" * 28,
        "۰" * 28,
        "-" * 28,
    ],
)
def test_what_cannot_be_a_code_is_refused_like_any_wrong_one_and_counts_for_nothing(world, typed):
    with pytest.raises(PrintoutUnknown) as refusal:
        asked(world, typed)

    with pytest.raises(PrintoutUnknown) as other:
        asked(world, new_code())
    assert (refusal.value.said, refusal.value.facts) == (other.value.said, other.value.facts)
    assert misses(world) == 1


def test_whoever_tries_too_often_hears_nothing_more_of_right_codes_either(world, code):
    missed(world, MISSES_AN_HOUR)

    for each in (new_code(), code, "nonsense"):
        with pytest.raises(TooManyPrintoutMisses) as refusal:
            asked(world, each)
        assert refusal.value.retry_after_seconds == 3600
    assert misses(world) == MISSES_AN_HOUR


def test_others_are_not_shut_out_with_them(world, code):
    missed(world, MISSES_AN_HOUR)

    assert asked(world, code, HOME).standing is Standing.VALID


def test_an_hour_later_the_network_may_ask_again(world, code, clock):
    missed(world, MISSES_AN_HOUR)
    clock.move(minutes=61)

    assert asked(world, code).standing is Standing.VALID


def test_right_codes_are_asked_about_as_often_as_anybody_likes(world, code):
    for _ in range(2 * MISSES_AN_HOUR):
        asked(world, code)

    assert misses(world) == 0


def test_all_addresses_of_one_customer_count_together(world, code):
    for number in range(MISSES_AN_HOUR):
        missed(world, 1, f"2409:8a20:1:1::{number:x}")

    with pytest.raises(TooManyPrintoutMisses):
        asked(world, code, "2409:8a20:1:1:ffff::1")
    assert asked(world, code, "2409:8a20:1:2::1")


@pytest.mark.parametrize("caller", [None, "127.0.0.1", "10.0.0.8", CGNAT, "not an address"])
def test_behind_an_unnamed_proxy_nobody_is_counted_since_behind_it_stands_everybody(world, code, caller):
    missed(world, MISSES_AN_HOUR + 1, caller)

    assert asked(world, code, caller).standing is Standing.VALID
    assert misses(world) == 0


def test_a_miss_keeps_neither_address_nor_code(world):
    missed(world, 1)

    (row,) = world.rows("SELECT row_to_json(printout_misses)::text FROM printout_misses")
    assert STREET not in row[0]
    assert set(PrintoutMiss.__table__.columns.keys()) == {"id", "network_index", "at"}


def test_a_form_whose_account_is_closed_still_verifies(world, code):
    with world.ports.begin() as session:
        from sqlalchemy import text

        session.execute(text("UPDATE accounts SET closed_at = now(), person_id = NULL"))

    assert asked(world, code).standing is Standing.VALID
