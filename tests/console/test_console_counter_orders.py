"""Orders at a window, on their pages: months ticked for whoever stands there, and what becomes of the order."""

from __future__ import annotations

import re

import pytest

from models.staff import StaffRole
from providers.protocols import ProviderUnreachable
from tests.console.browser import Browser, member
from tests.factories import POS, an_id_number

NUMBER = an_id_number(901)
GIVEN = {"name": "张三丰", "id_number": NUMBER, "document": "ID_CARD", "site": "WUJIN"}


@pytest.fixture
def clerk(office):
    return office[StaffRole.REVIEWER]


@pytest.fixture
def insured(house):
    person = house.world.person(id_number=NUMBER)
    return person, house.world.bills(house.world.enrollment(person), "2026-10", "2026-11")


def look(clerk, **changes):
    return clerk.send("/counter-orders", "/counter-orders/bills", **{**GIVEN, **changes})


def tick(clerk, *bills, **changes):
    hidden = {each["name"]: each.get("value", "") for each in clerk.shown.inputs if each.get("type") == "hidden"}
    fields = {name: value for name, value in hidden.items() if name != "form_token"}
    return clerk.post("/counter-orders", **{**fields, "bill": [bill.bill_no for bill in bills], **changes})


def test_months_are_ticked_the_number_is_shown_and_the_card_pays(house, clerk, insured):
    _, bills = insured
    assert look(clerk).status_code == 200
    assert "张三丰" not in clerk.shown.text
    assert NUMBER not in clerk.shown.text
    assert clerk.shown.text.index("2026-10") < clerk.shown.text.index("2026-11")

    made = tick(clerk, *bills)
    assert made.status_code == 303
    number = made.headers["Location"].rsplit("/", 1)[1]
    clerk.get(f"/counter-orders/{number}")
    assert "待刷卡" in clerk.shown.text
    assert re.search(r"[0-9,]+\.[0-9]{2}元", clerk.shown.text)
    terminal = house.ports.payments[POS]
    frozen = terminal.freeze(
        payment_no=number, amount_fen=sum(bill.amount_fen for bill in bills), description="", expires_at=house.ports.now(),
        payer_subject="",
    )  # fmt: skip
    terminal.open_payment(frozen)
    terminal.pay(number)
    assert clerk.post(f"/counter-orders/{number}/question").headers["Location"].endswith(number)

    clerk.get(f"/counter-orders/{number}")
    assert "支付成功，等待税务入库" in clerk.shown.text
    assert house.world.bill_states() == ["PAID", "PAID"]
    clerk.get("/")
    assert "窗口缴费" in clerk.shown.text


def test_a_refusal_forgets_name_and_number(clerk, insured):
    for changes, status in (
        ({"name": "x"}, 422), ({"id_number": "1"}, 422), ({"name": "李四光"}, 409), ({"site": "NOWHERE"}, 422), ({"document": ""}, 422),
        ({"document": "LIBRARY_CARD"}, 422), ({"site": "XINJIANG"}, 409),
    ):  # fmt: skip
        answer = look(clerk, **changes)
        assert answer.status_code == status, changes
        assert NUMBER not in answer.text
        assert "张三丰" not in answer.text


def test_nothing_ticked_and_forms_that_no_page_of_ours_made_are_refused(house, clerk, insured):
    _, bills = insured
    for changes, status in (
        ({"bill": []}, 422), ({"person": "x"}, 403), ({f"fen-{bills[0].bill_no}": "x"}, 403), ({f"fen-{bills[0].bill_no}": "1"}, 409),
        ({"bill": ["NOBODYS"], "fen-NOBODYS": "1"}, 404), ({"person": "00000000-0000-7000-8000-000000000000"}, 404),
        ({"site": "NOWHERE"}, 422),
    ):  # fmt: skip
        look(clerk)
        assert tick(clerk, *bills, **changes).status_code == status, changes
    assert house.world.bill_states() == ["UNPAID", "UNPAID"]


def test_a_second_order_for_the_same_months_leads_to_the_first(clerk, insured):
    _, bills = insured
    look(clerk)
    assert tick(clerk, bills[0]).status_code == 303
    look(clerk)

    assert tick(clerk, bills[0]).status_code == 409
    assert "已有一张待刷卡的缴费单" in clerk.shown.text


def test_it_is_taken_back_when_unionpay_has_said_that_nobody_paid(house, clerk, insured):
    look(clerk)
    number = tick(clerk, *insured[1]).headers["Location"].rsplit("/", 1)[1]
    house.clock.move(minutes=2)
    house.ports.payments[POS].fails += [(call, ProviderUnreachable("down")) for call in ("ask", "close")]
    doubt = clerk.send(f"/counter-orders/{number}", f"/counter-orders/{number}/withdrawal")
    assert (doubt.status_code, "银联尚未答复" in clerk.shown.text) == (503, True)

    house.clock.move(seconds=4)
    done = clerk.send(f"/counter-orders/{number}", f"/counter-orders/{number}/withdrawal")

    assert done.headers["Location"] == "/console/counter-orders?done=withdrawn"
    assert house.world.bill_states() == ["UNPAID", "UNPAID"]


def test_another_agencys_orders_are_out_of_reach(house, clerk, insured):
    look(clerk)
    number = tick(clerk, *insured[1]).headers["Location"].rsplit("/", 1)[1]
    member(house.ports, "S1003", StaffRole.REVIEWER, region="320400", agency="XINBEI")
    far = Browser.of(house, "S1003")

    far.get("/counter-orders")
    assert number not in far.shown.text
    assert far.get(f"/counter-orders/{number}").status_code == 403
    assert look(far).status_code == 422
