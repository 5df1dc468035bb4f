"""Paper slips, on their pages: recorded by one, read again by another, and what banks pay out on paper."""

from __future__ import annotations

import pytest

from models.staff import StaffRole
from services import counter_refunds
from services.refund_sending import return_surplus, send_refunds
from tests.console.browser import Browser, member
from tests.factories import SLIP, an_id_number

NUMBER = an_id_number(901)
GIVEN = {
    "region": "320400", "bank": "ICBC", "serial": "0200-77881234", "name": "张三丰", "id_number": NUMBER, "months": "2026-10，2026-11",
    "insurance": "", "yuan": "3,200.00", "paid_on": "2026-11-20",
}  # fmt: skip


@pytest.fixture
def two(office):
    return office[StaffRole.ACCOUNTANT], office[StaffRole.SUPERVISOR]


@pytest.fixture
def insured(house):
    bills = house.world.bills(house.world.enrollment(house.world.person(id_number=NUMBER)), "2026-10", "2026-11")
    assert sum(bill.amount_fen for bill in bills) == 320_000
    return bills


def record(browser, **changes):
    return browser.send("/slips", "/slips", **{**GIVEN, **changes})


def number_of(house) -> str:
    return house.world.scalar("SELECT slip_no FROM counter_slips ORDER BY id DESC LIMIT 1")


def test_one_records_and_another_reads_again_and_the_months_are_paid(house, two, insured):
    first, second = two
    assert record(first).headers["Location"] == "/console/slips?done=recorded"
    first.get("/")
    assert "0 项待办" in first.shown.text
    second.get("/slips")
    assert "张三丰" not in second.shown.text
    number = number_of(house)
    own = first.send(f"/slips/{number}", f"/slips/{number}/decision", decision="APPROVE", serial=GIVEN["serial"], yuan="3200")
    assert (own.status_code, "另一位工作人员" in first.shown.text) == (403, True)
    second.get(f"/slips/{number}")
    # The second one reads them from the paper, not from the page.
    assert "0200-77881234" not in second.shown.text
    assert "3,200" not in second.shown.text
    for changes in ({"yuan": "3200.01"}, {"serial": "0200-1"}, {"yuan": "x"}, {"yuan": "0"}):
        given = {"serial": GIVEN["serial"], "yuan": "3200.00", **changes}
        assert second.post(f"/slips/{number}/decision", decision="APPROVE", **given).status_code == 409

    done = second.post(f"/slips/{number}/decision", decision="APPROVE", serial=GIVEN["serial"], yuan="3200.00")

    assert done.headers["Location"] == "/console/slips?done=approved"
    assert house.world.bill_states() == ["PAID", "PAID"]
    second.get(f"/slips/{number}")
    assert "已复核，已入账" in second.shown.text
    assert second.post(f"/slips/{number}/decision", decision="REJECT").status_code == 409


def test_a_refusal_keeps_the_paper_and_forgets_name_and_number(house, two, insured):
    for changes, status in (
        ({"name": "x"}, 422), ({"id_number": "1"}, 422), ({"name": "李四光"}, 409), ({"region": "650000"}, 409), ({"region": ""}, 409),
        ({"bank": "CMB"}, 422), ({"serial": "?"}, 422), ({"paid_on": "2026-11-22"}, 422), ({"paid_on": "x"}, 422), ({"months": ""}, 409),
        ({"months": "2026-13"}, 409), ({"yuan": ""}, 409), ({"yuan": "-1"}, 409), ({"insurance": "310"}, 409),
    ):  # fmt: skip
        answer = record(two[0], **changes)
        assert answer.status_code == status, changes
        assert NUMBER not in answer.text
        assert "张三丰" not in answer.text
    assert house.world.scalar("SELECT count(*) FROM counter_slips") == 0


def test_either_sends_it_back(house, two, insured):
    record(two[0])
    number = number_of(house)

    assert (
        two[0]
        .send(f"/slips/{number}", f"/slips/{number}/decision", decision="REJECT")
        .headers["Location"]
        .endswith("done=rejected")
    )
    assert record(two[1]).status_code == 303


def test_what_a_bank_paid_out_on_paper_is_told_by_two(house, two, insured):
    first, second = two
    record(first, yuan="3200.01")
    number = number_of(house)
    second.send(f"/slips/{number}", f"/slips/{number}/decision", decision="APPROVE", serial=GIVEN["serial"], yuan="3200.01")
    return_surplus(house.ports)
    send_refunds(house.ports)
    (due,) = counter_refunds.list_pay_outs(house.ports, way=SLIP)
    given = {"refund_no": due.refund_no, "bank": "ICBC", "serial": "0299-1", "yuan": "3200.01", "paid_on": "2026-11-21"}
    assert first.send("/slips", "/slips/pay-outs", **{**given, "refund_no": "A" * 24}).status_code == 409
    assert first.send("/slips", "/slips/pay-outs", **{**given, "yuan": "1"}).status_code == 409
    assert first.send("/slips", "/slips/pay-outs", **given).headers["Location"].endswith("done=recorded")

    out = number_of(house)
    done = second.send(f"/slips/{out}", f"/slips/{out}/decision", decision="APPROVE", serial="0299-1", yuan="3200.01")

    assert done.headers["Location"].endswith("done=approved")
    assert [name for name in house.world.balances() if name.startswith(("clearing", "surplus", "refunding"))] == []


def test_another_regions_slips_are_out_of_reach(house, two, insured):
    record(two[0])
    member(house.ports, "S1003", StaffRole.ACCOUNTANT, region="650000")
    far = Browser.of(house, "S1003")
    far.get("/slips")

    assert number_of(house) not in far.shown.text
    assert far.get(f"/slips/{number_of(house)}").status_code == 403
    assert record(far, serial="0200-2").status_code == 403
