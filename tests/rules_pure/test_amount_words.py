"""Amounts in words: every example of the rules themselves, and a reader that knows nothing of how they were written."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.amount_words import LIMIT_FEN, in_figures, in_words

FIGURES = {figure: value for value, figure in enumerate("零壹贰叁肆伍陆柒捌玖")}
UNITS = {"拾": 10, "佰": 100, "仟": 1000, "万": 10**4, "亿": 10**8}
AMOUNTS = st.integers(0, LIMIT_FEN - 1) | st.integers(0, 10**7) | st.lists(
    st.sampled_from("0009"), min_size=1, max_size=14
).map(lambda figures: int("".join(figures)))  # fmt: skip
"""Noughts are where it goes wrong: amounts that are mostly noughts are drawn as often as any."""


def read(words: str) -> int:
    """Fen, read as a teller would: the last figure is worth its unit, 万 and 亿 multiply what stands before them."""
    parts = re.fullmatch(
        r"(?:(?P<yuan>[^元角分]*)元)?(?:零?(?P<jiao>[^元角分零])角)?(?:零?(?P<cents>[^元角分零])分)?整?", words
    )
    assert parts is not None, words
    total = section = figure = 0
    for each in parts["yuan"] or "":
        if each in FIGURES:
            figure = FIGURES[each]
        elif UNITS[each] < 10**4:
            section, figure = section + figure * UNITS[each], 0
        else:
            total, section, figure = total + (section + figure) * UNITS[each], 0, 0
    yuan = total + section + figure
    return yuan * 100 + FIGURES[parts["jiao"] or "零"] * 10 + FIGURES[parts["cents"] or "零"]


@pytest.mark.parametrize(
    ("fen", "words"),
    [
        # 《正确填写票据和结算凭证的基本规定》, its own examples; 整 after 角 as 《会计基础工作规范》 asks.
        (140950, "壹仟肆佰零玖元伍角整"),
        (600714, "陆仟零柒元壹角肆分"),
        (168032, "壹仟陆佰捌拾元零叁角贰分"),
        (10700053, "壹拾万柒仟元零伍角叁分"),
        (1640902, "壹万陆仟肆佰零玖元零贰分"),
        (32504, "叁佰贰拾伍元零肆分"),
        # Beside them.
        (0, "零元整"),
        (1, "壹分"),
        (10, "壹角整"),
        (12, "壹角贰分"),
        (100, "壹元整"),
        (105, "壹元零伍分"),
        (1000, "壹拾元整"),
        (1100, "壹拾壹元整"),
        (1005, "壹拾元零伍分"),
        (100005, "壹仟元零伍分"),
        (104920, "壹仟零肆拾玖元贰角整"),
        (123456, "壹仟贰佰叁拾肆元伍角陆分"),
        (1000000, "壹万元整"),
        (1000100, "壹万零壹元整"),
        (1010000, "壹万零壹佰元整"),
        (1100000, "壹万壹仟元整"),
        (10050000, "壹拾万零伍佰元整"),
        (100100100, "壹佰万壹仟零壹元整"),
        (10_000_000_000, "壹亿元整"),
        (10_000_100_000, "壹亿零壹仟元整"),
        (10_001_000_000, "壹亿零壹万元整"),
        (101_000_000_000, "壹拾亿壹仟万元整"),
        (LIMIT_FEN - 1, "玖仟玖佰玖拾玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分"),
    ],
)  # fmt: skip
def test_amounts_are_written_as_the_rules_write_them(fen, words):
    assert in_words(fen) == words


@given(AMOUNTS)
@example(LIMIT_FEN - 1)
def test_a_reader_finds_the_amount_again(fen):
    assert read(in_words(fen)) == fen


@given(AMOUNTS, AMOUNTS)
def test_no_two_amounts_are_written_alike(one, other):
    assert (in_words(one) == in_words(other)) == (one == other)


@given(AMOUNTS)
def test_the_words_keep_the_rules(fen):
    words = in_words(fen)

    assert set(words) <= set("零壹贰叁肆伍陆柒捌玖拾佰仟万亿元角分整")
    assert words.endswith("分") == (fen % 10 != 0)
    assert words.endswith("整") == (fen % 10 == 0)
    assert "零零" not in words
    assert not re.search("零[拾佰仟万亿角分整]", words)
    assert not re.search("[^壹贰叁肆伍陆柒捌玖][拾佰仟]", f"元{words}"), "壹拾, never 拾 alone"
    assert fen == 0 or "零元" not in words
    assert fen == 0 or not words.startswith("零")


@given(AMOUNTS)
def test_words_that_were_read_are_written_the_same_again(fen):
    words = in_words(fen)

    assert in_words(read(words)) == words


@pytest.mark.parametrize("fen", [-1, LIMIT_FEN, 10**18])
def test_what_no_receipt_is_about_is_refused(fen):
    with pytest.raises(ValueError, match="cannot be written out"):
        in_words(fen)


@given(AMOUNTS)
def test_figures_have_the_sign_two_places_and_no_gap(fen):
    figures = in_figures(fen)

    assert re.fullmatch(r"￥\d{1,3}(,\d{3})*\.\d{2}", figures)
    assert int(re.sub(r"\D", "", figures)) == fen
