"""A receipt by itself: what it is worth, and that whatever was paid stands on it whole, on as many pages as it takes."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.months import YearMonth
from providers.protocols import Channel
from services.amount_words import in_figures, in_words
from services.form_drawing import can_write, draw, measure
from services.form_layout import BOTTOM, lay_out
from services.printouts import Issued, Standing
from services.receipt_content import blocks_of
from services.receipt_standing import CHANNELS, SAID, STATES, PaidMonth, PaidOrder, standing_of
from services.receipts import _sheet

AMOUNTS = st.integers(1, 10**7)


def test_every_channel_has_a_word_on_paper():
    assert CHANNELS.keys() == {str(each) for each in Channel}


def a_month(number: int = 0, *, amount_fen: int = 98050, state: str = "PAID", kind: str = "NORMAL") -> PaidMonth:
    return PaidMonth(
        insurance_type="110",
        month=YearMonth.parse("2024-01").plus(number),
        kind=kind,
        amount_fen=amount_fen,
        state=state,
        is_sample=False,
    )


def an_order(*months: PaidMonth, refunded_fen: int = 0) -> PaidOrder:
    return PaidOrder(
        order_no="8" * 24,
        payment_no="9" * 24,
        provider_payment_no="4" * 28,
        channel="wechat_pay",
        authority="tax-320400",
        region="320400",
        total_fen=sum(each.amount_fen for each in months),
        refunded_fen=refunded_fen,
        paid_at=datetime(2026, 11, 20, 16, 0, 1, tzinfo=UTC),
        payer_masked="张**",
        insured_masked="李*",
        insured_number_masked="3204**********0017",
        months=months,
    )


def cells(paid: PaidOrder) -> list[str]:
    return [cell.text for block in blocks_of(None, paid) for row in block.rows for cell in row.cells]


@given(st.lists(AMOUNTS, min_size=1, max_size=36), st.integers(0, 2 * 10**7), st.booleans())
def test_what_it_is_worth_is_told_by_the_money_first(amounts, refunded_fen, is_replaced):
    paid = an_order(*[a_month(at, amount_fen=each) for at, each in enumerate(amounts)], refunded_fen=refunded_fen)
    worth = standing_of(paid, is_replaced=is_replaced)

    assert (worth is Standing.REFUNDED) == (refunded_fen >= sum(amounts))
    assert (worth is Standing.REPLACED) == (is_replaced and refunded_fen < sum(amounts))
    assert (worth is Standing.VALID) == (refunded_fen == 0 and not is_replaced)
    assert worth in SAID


@given(st.lists(AMOUNTS, min_size=1, max_size=36))
def test_every_month_with_its_amount_and_their_sum_twice_stand_on_it(amounts):
    paid = an_order(*[a_month(at, amount_fen=each) for at, each in enumerate(amounts)])
    said = cells(paid)

    for each in paid.months:
        assert f"{each.month.year}年{each.month.month}月" in said
        assert in_figures(each.amount_fen)[1:] in said
    assert in_figures(sum(amounts)) in said
    assert f"人民币{in_words(sum(amounts))}" in said


@pytest.mark.parametrize("state", sorted(STATES))
def test_only_what_the_tax_authority_confirmed_is_called_a_contribution(state):
    (said,) = [text for text in cells(an_order(a_month(state=state))) if text in STATES.values()]

    assert ("缴费成功" in said) == (state in ("TAX_CONFIRMED", "POSTED"))


def test_midnight_is_told_in_beijing():
    assert any(text.startswith("2026-11-21 00:00:01") for text in cells(an_order(a_month())))


@pytest.mark.parametrize(("months", "pages"), [(1, 1), (8, 1), (36, 3)])
def test_pages_are_filled_and_no_row_is_cut(months, pages):
    paid = an_order(*[a_month(at) for at in range(months)])
    laid = lay_out(blocks_of(None, paid), measure)
    pdf = pypdf.PdfReader(io.BytesIO(drawn(paid)))

    assert len(laid) == pdf.get_num_pages() == pages
    assert all(page.bottom <= BOTTOM for page in laid)


def test_the_font_has_every_character_of_it():
    paid = an_order(*[a_month(at, state=state) for at, state in enumerate(STATES)], refunded_fen=1)
    said = "".join(cells(paid)) + in_words(1234567890)

    assert [each for each in set(said) if each != "\n" and not can_write(each)] == []


def test_the_same_order_is_the_same_bytes_and_another_amount_is_not():
    assert drawn(an_order(a_month())) == drawn(an_order(a_month()))
    assert drawn(an_order(a_month())) != drawn(an_order(a_month(amount_fen=98051)))


@pytest.mark.parametrize("number", ["W" * 24, "7K9QZ2M4XW8R5TB3HC6NDVGJ"])
def test_numbers_are_never_broken_however_wide_their_letters(number):
    paid = replace(an_order(a_month()), order_no=number, payment_no=number[::-1], provider_payment_no=f"{number}WWWW")

    lines = text_of(drawn(paid)).splitlines()

    assert {number, number[::-1], f"{number}WWWW"} <= {line.strip() for line in lines}


def test_a_number_that_the_provider_never_told_is_left_out():
    paid = replace(an_order(a_month()), provider_payment_no=None)

    assert "—" in cells(paid)
    assert drawn(paid).startswith(b"%PDF-")


def test_void_is_stamped_on_it():
    month = a_month(state="REFUNDED")

    assert "已退款 作废" in text_of(drawn(an_order(month, refunded_fen=month.amount_fen)))
    assert "作废" not in text_of(drawn(an_order(a_month())))


def drawn(paid: PaidOrder) -> bytes:
    issued = Issued(
        serial="320400-20261121-0123456789", code="0" * 28, version=1, issued_at=datetime(2026, 11, 22, 2, tzinfo=UTC)
    )
    return draw(_sheet(paid, issued, blocks_of(None, paid), web_url="https://example.gov.cn"))


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)
