"""Whether a bill may be paid on this phone today, by the shipped rulebooks: the whole table, and the words that go with it."""

from __future__ import annotations

from datetime import date

import pytest

from config.rulebook import CollectionCalendar, Region
from models.bills import BillKind, BillState, ContributionBill
from models.enrollments import Enrollment
from services.bills import payability

TODAY = date(2026, 11, 21)


def judge(rulebook, *, region="320400", regions=None, month=202611, state=BillState.UNPAID, today=TODAY, own=True, agency=None):
    bill = ContributionBill(region=region, insurance_type="110", coverage_month=month, state=str(state))
    return payability(
        bill, Enrollment(agency=agency), region=rulebook.region(region), regions=regions or (region,), today=today, own=own
    )


@pytest.mark.parametrize(
    ("region", "month", "today", "payable"),
    [
        # Changzhou: this month and no other (R-CZ-16).
        ("320400", 202611, date(2026, 11, 1), True),
        ("320400", 202611, date(2026, 11, 30), True),
        ("320400", 202611, date(2026, 12, 1), False),
        ("320400", 202610, TODAY, False),
        ("320400", 202612, TODAY, False),
        # Xinjiang: this year's earlier months too.
        ("650000", 202601, TODAY, True),
        ("650000", 202610, TODAY, True),
        ("650000", 202611, date(2026, 12, 31), True),
        ("650000", 202611, date(2027, 1, 1), False),
        ("650000", 202512, TODAY, False),
        ("650000", 202612, TODAY, False),
    ],
)
def test_the_arrears_window_of_each_region(rulebook, region, month, today, payable):
    judged = judge(rulebook, region=region, month=month, today=today)

    assert judged.payable is payable
    assert judged.code == (None if payable else "NOT_AVAILABLE_ONLINE")


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("state", list(BillState))
def test_only_an_unpaid_bill_is_payable(rulebook, state, own):
    judged = judge(rulebook, state=state, own=own)

    expected = {BillState.UNPAID: None, BillState.LOCKED: "BILL_RESERVED"}.get(state, "BILL_NOT_PAYABLE")
    assert (judged.payable, judged.code) == (expected is None, expected)


def test_a_missed_month_names_the_persons_own_window_with_address_hours_and_hotline(rulebook):
    judged = judge(rulebook, month=202610, agency="WUJIN")

    assert judged.counter == {
        "name": "武进区劳动就业管理机构窗口",
        "address": "以当地公布为准",
        "hours": "以当地公布为准",
        "phone": "12333",
        "hotline": "96888732",
    }
    assert judged.reason.startswith("2026-10：往月欠费不能在手机上补缴")


def test_an_unknown_agency_falls_back_on_the_citys_window(rulebook):
    judged = judge(rulebook, month=202610, agency="NOWHERE")

    assert judged.counter["name"] == "您委托代理的劳动就业管理机构（常州市）窗口"


def test_a_month_to_come_is_called_that(rulebook):
    assert "未到缴费时间" in judge(rulebook, month=202612).reason


def test_another_regions_bill_names_the_right_region_before_anything_else(rulebook):
    judged = judge(rulebook, region="650000", regions=("320400",), state=BillState.PAID)

    assert (judged.payable, judged.code, judged.right_region) == (False, "REGION_MISMATCH", "650000")
    assert rulebook.region("650000").name in judged.reason


def test_before_a_regions_first_rule_nothing_is_payable_and_it_is_said_why(rulebook):
    from config.rulebook import NoRuleInForce

    try:
        judged = judge(rulebook, month=202001, today=date(2020, 1, 15))
    except NoRuleInForce:
        pytest.fail("a missing rule is a refusal with an explanation, never an error")
    assert not judged.payable
    assert judged.code == "NOT_AVAILABLE_ONLINE"


@pytest.mark.parametrize("month", [202601, 202610, 202611])
def test_a_difference_is_no_arrears_and_is_payable_where_the_calendar_says_so(rulebook, month):
    def judged(region):
        bill = ContributionBill(
            region="320400", insurance_type="110", coverage_month=month, state="UNPAID", kind=BillKind.SUPPLEMENT
        )
        return payability(bill, Enrollment(pooling_area="320402"), region=region, regions=["320400"], today=TODAY, own=True)

    changzhou = rulebook.region("320400")
    assert judged(changzhou).payable
    rows = {**changzhou.rows, CollectionCalendar: ()}
    at_the_window = judged(Region(changzhou.header, changzhou.parent, rows))
    assert (at_the_window.payable, at_the_window.code) == (False, "NOT_AVAILABLE_ONLINE")
    assert at_the_window.counter["hotline"]
