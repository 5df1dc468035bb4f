"""The receipt over HTTP, and what the page behind its code says of it to anybody."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import unquote

import pytest

from providers.protocols import NewsKind
from services.amount_words import in_figures
from tests.doors.house import API, House
from tests.doors.stories import GOOD, NO_NUMBER
from tests.doors.test_door_registration_forms import WEB, Text, page, squares_of, squares_of_code
from tests.services.test_receipts import WAITS, paid, words
from tests.services.test_refunds import an_approved_one, becomes
from tests.services.test_registration_forms import code_on, own_number


@pytest.fixture
def web(ports, world, clock) -> House:
    """All that the web process serves, over a database of its own."""
    return House(ports=ports, world=world, clock=clock, doors=WEB)


@pytest.fixture
def fetched(web):
    """(account, order, the file, its code)."""
    account, order = paid(web.world)
    response = web.phone(account).get(f"/payment-orders/{order.order_no}/receipt")
    assert response.status_code == 200
    return account, order, response.data, code_on(response.data)


def test_the_file_comes_as_pdf_that_nobody_keeps_under_a_name_that_names_nobody(house):
    response = GOOD["print_receipt"](house).send(house)

    assert response.mimetype == "application/pdf"
    assert response.headers["Cache-Control"] == "no-store"
    kind, plain, encoded = (part.strip() for part in response.headers["Content-Disposition"].split(";"))
    serial = re.fullmatch(r'filename="receipt-([0-9A-Z-]+)\.pdf"', plain)[1]
    assert kind == "attachment"
    assert unquote(encoded.removeprefix("filename*=UTF-8''")) == f"社会保险费缴费回单-{serial}.pdf"
    assert serial in words(response.data)


def test_the_code_on_it_is_what_a_scanner_reads(web, fetched):
    _, _, pdf, code = fetched

    assert squares_of(pdf) == squares_of_code(f"http://127.0.0.1:8000/verify/{code.replace('-', '')}")


@pytest.mark.parametrize("how", [{"revoked": True}, {"lives": timedelta(seconds=-1)}])
def test_a_token_that_ended_fetches_nothing(house, how):
    ask = GOOD["print_receipt"](house)
    token = house.token(ask.account, **how)

    response = house.app.test_client().get(f"{API}{ask.path}", headers={"Authorization": f"Bearer {token}"})

    assert response.json["code"] == "SIGN_IN_AGAIN"


def test_strangers_hear_the_same_as_about_nothing(house):
    ask, other = GOOD["print_receipt"](house), GOOD["print_receipt"](house)
    nothing = replace(ask, path=f"/payment-orders/{NO_NUMBER}/receipt")

    told = [replace(ask, account=other.account).send(house).json, nothing.send(house).json]

    assert {each["code"] for each in told} == {"NOT_FOUND"}
    assert told[0]["detail"] == told[1]["detail"]


def test_what_was_just_paid_has_its_receipt_as_soon_as_the_phone_sees_it_paid(house):
    account, order = house.world.order()
    house.world.hear(house.world.paid_news(order, notice=order.payment_no))
    phone = house.phone(account)

    assert phone.get(f"/payment-orders/{order.order_no}/receipt").json["code"] == "NOT_PAID_YET"
    assert phone.get(f"/payment-orders/{order.order_no}").json["state"] == "PAID"
    assert phone.get(f"/payment-orders/{order.order_no}/receipt").status_code == 200


def test_whoever_scans_the_code_sees_masked_facts_each_month_and_whether_it_holds(web, fetched):
    account, order, pdf, code = fetched
    response = page(web, f"/verify/{code.replace('-', '')}")
    said = str(Text(response.get_data(as_text=True)))

    for each in (
        "有效", "社会保险费缴费回单", "张**", "国家税务总局常州市税务局", "2026-11-21 10:00", "微信支付", in_figures(order.total_fen),
        "2026年11月企业职工基本养老保险", WAITS, "支付成功不等于缴费成功", "第1版",
    ):  # fmt: skip
        assert each in said, each
    assert re.search(r"320400-20261121-[0-9A-Z]{10}", said)[0] in words(pdf)
    number = own_number(web.world, account)
    for secret in ("张三丰", number, number[-4:], order.order_no, order.payment_no, code):
        assert secret not in response.get_data(as_text=True)


def test_a_receipt_whose_money_went_back_is_void_in_red(web, fetched):
    _, order, _, code = fetched
    becomes(web.world, an_approved_one(web.world, order), NewsKind.REFUNDED)

    html = page(web, f"/verify/{code}").get_data(as_text=True)

    assert 'class="answer bad"' in html
    assert "已作废" in html
    assert f"已退金额 {in_figures(order.total_fen)}" in str(Text(html))


def test_names_and_numbers_stand_in_no_log_line(web, fetched):
    account, order, _, code = fetched
    page(web, f"/verify/{code}")

    for secret in ("张三丰", own_number(web.world, account), order.order_no, code, code.replace("-", "")):
        assert secret not in web.log.getvalue()
