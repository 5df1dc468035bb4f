"""Names and ID numbers: the vectors of domain §4.1, §4.5, §4.6, and what may be shown of them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.identity import CounterDocument
from services.errors import CardNumberMalformed, DocumentNumberMalformed, IdNumberMalformed, NameMalformed
from services.people import (
    mask_card_number,
    mask_id_number,
    mask_name,
    parse_card_number,
    parse_document_number,
    parse_id_number,
    parse_name,
)
from tests.factories import an_id_number

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("number", "female", "born"),
    [
        ("320402199001010017", False, date(1990, 1, 1)),
        ("650102197506150024", True, date(1975, 6, 15)),
        ("53010219200508011X", False, date(1920, 5, 8)),
        ("659001200002290016", False, date(2000, 2, 29)),
        ("653228200001010014", False, date(2000, 1, 1)),
        ("810000199001010019", False, date(1990, 1, 1)),
        ("820000199001010010", False, date(1990, 1, 1)),
        ("830000199001010012", False, date(1990, 1, 1)),
        ("911840199001010018", False, date(1990, 1, 1)),
        ("650101201011210016", False, date(2010, 11, 21)),
        ("650101201011220011", False, date(2010, 11, 22)),
    ],
)
def test_a_good_number_is_read_whatever_its_place_code(number, female, born):
    read = parse_id_number(number, today=TODAY)

    assert (read.text, read.is_female, read.birth_date) == (number, female, born)


@pytest.mark.parametrize(
    "typed",
    ["53010219200508011x", " 530102 19200508 011X ", "５３０１０２１９２００５０８０１１Ｘ", "530102\u3000192005080 11X\n"],
)
def test_a_number_is_read_as_people_type_it(typed):
    assert parse_id_number(typed, today=TODAY).text == "53010219200508011X"


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("320402199001010018", "校验位"),
        ("32040219900101001", "18位"),
        ("3204021990010100170", "18位"),
        ("320402900101001", "第一代"),
        ("", "18位"),
        ("X20402199001010017", "18位"),
        ("32040219900101001Y", "18位"),
        ("320402-19900101-0017", "18位"),
        ("٣٢٠٤٠٢١٩٩٠٠١٠١٠٠١٧", "18位"),
        (an_id_number(born="19900230"), "出生日期"),
        (an_id_number(born="19901301"), "出生日期"),
        (an_id_number(born="20010229"), "出生日期"),
        (an_id_number(born="20261122"), "出生日期"),
        (an_id_number(born="18951120"), "出生日期"),
        (an_id_number(born="00000101"), "出生日期"),
    ],
)
def test_a_bad_number_is_refused_with_what_to_look_at(typed, hint):
    with pytest.raises(IdNumberMalformed) as refusal:
        parse_id_number(typed, today=TODAY)

    assert hint in refusal.value.said
    assert not typed or typed not in refusal.value.said


def test_whoever_was_born_today_or_130_years_ago_is_somebody():
    assert parse_id_number(an_id_number(born="20261121"), today=TODAY)
    assert parse_id_number(an_id_number(born="18960101"), today=TODAY)


@given(position=st.integers(0, 17), other=st.sampled_from("0123456789X"))
def test_one_wrong_character_is_always_noticed(position, other):
    good = "320402199001010017"
    wrong = good[:position] + other + good[position + 1 :]

    if wrong == good:
        assert parse_id_number(wrong, today=TODAY)
    else:
        with pytest.raises(IdNumberMalformed):
            parse_id_number(wrong, today=TODAY)


@given(position=st.integers(0, 16))
def test_two_neighbours_swapped_are_always_noticed(position):
    good = "320402199001010017"
    swapped = good[:position] + good[position + 1] + good[position] + good[position + 2 :]

    if swapped != good:
        with pytest.raises(IdNumberMalformed):
            parse_id_number(swapped, today=TODAY)


@given(st.text(max_size=30))
def test_whatever_is_typed_is_a_number_or_a_refusal(typed):
    try:
        read = parse_id_number(typed, today=TODAY)
    except IdNumberMalformed:
        return
    assert len(read.text) == 18


@pytest.mark.parametrize(
    ("born", "day", "years"),
    [
        ("20101121", date(2026, 11, 20), 15),
        ("20101121", date(2026, 11, 21), 16),
        ("20101122", date(2026, 11, 21), 15),
        ("20080229", date(2024, 2, 28), 15),
        ("20080229", date(2024, 2, 29), 16),
        ("20080229", date(2025, 2, 28), 16),
        ("20080229", date(2025, 3, 1), 17),
        ("20261121", date(2026, 11, 21), 0),
    ],
)
def test_a_year_of_age_is_completed_on_the_birthday_and_for_leap_days_on_the_first_of_march(born, day, years):
    number = parse_id_number(an_id_number(born=born), today=date(2026, 11, 21))

    assert number.age_on(day) == years


def test_a_number_shows_its_ends_only_even_to_programmers():
    number = parse_id_number("320402199001010017", today=TODAY)

    assert number.masked == "320***********0017"
    assert repr(number) == "IdNumber(320***********0017)"


@pytest.mark.parametrize("dot", "·•・‧．.●∙⋅")
def test_every_dot_of_a_name_is_the_same_dot(dot):
    assert parse_name(f"古丽巴哈尔{dot}买买提") == "古丽巴哈尔·买买提"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("张三", "张三"),
        (" 张三丰\u3000", "张三丰"),
        ("古丽巴哈尔 · 买买提", "古丽巴哈尔·买买提"),
        ("阿不都热依木・阿不都拉．买买提", "阿不都热依木·阿不都拉·买买提"),
        ("\U00020bb7野家", "\U00020bb7野家"),  # 𠮷, Extension B: NFKC and UTF-16 counting would both hurt it
        ("张\ufa0c", "张\u5140"),  # NFC folds CJK compatibility ideographs
        ("赵\u3400", "赵\u3400"),
        ("李" * 50, "李" * 50),
        ("John Smith", "John Smith"),
    ],
)
def test_a_name_has_one_normal_form(typed, name):
    assert parse_name(typed) == name


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "张",
        "·张三",
        "张三·",
        "古丽··买买提",
        "古丽·",
        "张三1",
        "张三!",
        "张三_四",
        "张 三",
        "李" * 51,
        "张三\x00",
        "张三😀",
    ],
)
def test_what_cannot_be_a_name_is_refused(typed):
    with pytest.raises(NameMalformed):
        parse_name(typed)


@given(st.text(max_size=60))
def test_the_normal_form_of_a_name_is_its_own_normal_form(typed):
    try:
        name = parse_name(typed)
    except NameMalformed:
        return
    assert parse_name(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("张三", "张*"),
        ("张三丰", "张**"),
        ("欧阳娜娜", "欧**"),
        ("古丽巴哈尔·买买提", "古丽**"),
        ("\U00020bb7野家", "\U00020bb7**"),
    ],
)
def test_a_mask_lets_you_recognise_whom_you_know(name, shown):
    assert mask_name(name) == shown


@pytest.mark.parametrize(
    ("number", "document", "born"),
    [
        ("320402199001010017", "ID_CARD", date(1990, 1, 1)),
        ("810000199001010019", "HMT_RESIDENCE_PERMIT", date(1990, 1, 1)),
        ("911840199001010018", "FOREIGN_PERMANENT_RESIDENT_CARD", date(1990, 1, 1)),
        ("KAZ110090123105", "FOREIGN_PERMANENT_RESIDENT_CARD", date(1990, 12, 31)),
        (" kaz 1100 901231 05", "FOREIGN_PERMANENT_RESIDENT_CARD", date(1990, 12, 31)),
        ("KAZ110026112203", "FOREIGN_PERMANENT_RESIDENT_CARD", date(1926, 11, 22)),
        ("KAZ110026112106", "FOREIGN_PERMANENT_RESIDENT_CARD", date(2026, 11, 21)),
    ],
)
def test_a_documents_number_is_read_for_what_it_is(number, document, born):
    read = parse_document_number(number, document=CounterDocument(document), today=TODAY)

    assert read.birth_date == born
    assert read.masked == mask_id_number(read.text)
    assert read.text not in repr(read)


@pytest.mark.parametrize("document", list(CounterDocument))
@pytest.mark.parametrize(
    ("number", "right"),
    [
        ("320402199001010017", CounterDocument.ID_CARD),
        ("820000199001010010", CounterDocument.HMT_RESIDENCE_PERMIT),
        ("911840199001010018", CounterDocument.FOREIGN_PERMANENT_RESIDENT_CARD),
    ],
)
def test_a_number_belongs_to_one_kind_of_document(number, right, document):
    if document is right:
        assert parse_document_number(number, document=document, today=TODAY).text == number
    else:
        with pytest.raises(DocumentNumberMalformed):
            parse_document_number(number, document=document, today=TODAY)


@pytest.mark.parametrize("number", ["KAZ110090123106", "KAZ110090133108", "KAZ11009012310", "K1Z110090123105"])
def test_an_old_card_of_a_foreign_resident_has_a_check_digit_and_a_day(number):
    with pytest.raises((DocumentNumberMalformed, IdNumberMalformed)) as refusal:
        parse_document_number(number, document=CounterDocument.FOREIGN_PERMANENT_RESIDENT_CARD, today=TODAY)

    assert number not in refusal.value.said


@given(position=st.integers(0, 18), other=st.sampled_from("0123456789"))
def test_one_wrong_digit_of_a_card_is_always_noticed(position, other):
    good = "6228480402564890018"
    wrong = good[:position] + other + good[position + 1 :]

    if wrong == good:
        assert parse_card_number(wrong) == good
    else:
        with pytest.raises(CardNumberMalformed):
            parse_card_number(wrong)


@given(st.text(max_size=30))
def test_whatever_is_typed_is_a_card_or_a_refusal(typed):
    try:
        card = parse_card_number(typed)
    except CardNumberMalformed:
        return
    assert 13 <= len(card) <= 19
    assert card.isascii()
    assert card.isdigit()


def test_of_a_card_four_digits_are_shown():
    assert mask_card_number("6228480402564890018") == "****0018"
