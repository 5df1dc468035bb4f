"""Until when a month is paid: days of the region's calendar, moved off days without work where it says so, and never told as certain
when nobody confirmed them."""

from __future__ import annotations

from datetime import date

import pytest

from config.months import YearMonth
from config.rulebook import CollectionCalendar, OnDaysOff, Region
from config.rulebook_collection import TierChangePolicy
from services.collection_dates import collection_dates, due_date


def calendar(**more):
    given = {
        "id": "a-calendar", "open_day": 1, "cutoff_day": 25, "debit_run_days": [25, 20], "on_days_off": "NEXT_WORKDAY",
        "supplements_online": True, "effective_from": "2026-01-01", "status": "VERIFIED", "source": "a notice", "checked_on": "2026-11-22",
    }  # fmt: skip
    return CollectionCalendar.model_validate({**given, **more})


def region_with(rulebook, *rows):
    changzhou = rulebook.region("320400")
    return Region(changzhou.header, changzhou.parent, {**changzhou.rows, CollectionCalendar: rows})


@pytest.mark.parametrize(
    ("moves", "month", "day", "due"),
    [
        # 25 July 2026 is a Saturday; 25 September a holiday; 10 October a Saturday on which people work.
        (OnDaysOff.NEXT_WORKDAY, 7, 25, date(2026, 7, 27)),
        (OnDaysOff.PREVIOUS_WORKDAY, 7, 25, date(2026, 7, 24)),
        (OnDaysOff.STAYS, 7, 25, date(2026, 7, 25)),
        (OnDaysOff.NEXT_WORKDAY, 9, 25, date(2026, 9, 28)),
        (OnDaysOff.NEXT_WORKDAY, 10, 10, date(2026, 10, 10)),
        (OnDaysOff.NEXT_WORKDAY, 2, 15, date(2026, 2, 24)),
        # A month that is shorter has its cut-off on its last day, or on the working day after it.
        (OnDaysOff.STAYS, 2, 31, date(2026, 2, 28)),
        (OnDaysOff.NEXT_WORKDAY, 1, 31, date(2026, 2, 2)),
    ],
)
def test_a_cut_off_moves_as_the_region_says(rulebook, moves, month, day, due):
    region = region_with(rulebook, calendar(cutoff_day=day, on_days_off=moves, debit_run_days=[]))

    assert collection_dates(region, "320402", YearMonth(2026, month)).due_on == due


def test_debit_runs_come_in_order_and_move_too(rulebook):
    dates = collection_dates(region_with(rulebook, calendar()), "320402", YearMonth(2026, 6))

    assert dates.debit_runs == (date(2026, 6, 22), date(2026, 6, 25))
    assert dates.opens_on == date(2026, 6, 1)


def test_an_area_with_days_of_its_own_has_those(rulebook):
    region = region_with(rulebook, calendar(), calendar(id="of-one-area", only_in=["320411"], cutoff_day=20, debit_run_days=[]))

    assert collection_dates(region, "320411", YearMonth(2026, 11)).due_on == date(2026, 11, 20)
    assert collection_dates(region, "320402", YearMonth(2026, 11)).due_on == date(2026, 11, 25)


@pytest.mark.parametrize(
    ("rows", "on", "note"),
    [
        ([calendar()], date(2026, 11, 25), None),
        ([calendar(status="TO_CONFIRM")], date(2026, 11, 25), "以当地公布为准"),
        ([calendar(cutoff_day=None)], None, "以当地公布为准"),
        ([], None, "以当地公布为准"),
    ],
)
def test_a_day_that_nobody_confirmed_is_shown_as_such(rulebook, rows, on, note):
    due = due_date(region_with(rulebook, *rows), pooling_area="320402", month=YearMonth(2026, 11), kind="NORMAL")

    assert (due.on, due.note) == (on, note)


def test_a_difference_is_due_by_its_notice_and_not_by_its_month(rulebook):
    def due(**more):
        return due_date(
            region_with(rulebook, calendar(**more)), pooling_area="320402", month=YearMonth(2026, 1), kind="SUPPLEMENT"
        )

    assert (due().on, due().note) == (None, "以当地公布为准")
    assert due(supplement_due_on="2026-12-31").on == date(2026, 12, 31)


def test_shipped_calendars_are_marked_as_unconfirmed(rulebook):
    for region in rulebook.regions.values():
        area = next(iter(region.pooling_areas))
        assert due_date(region, pooling_area=area, month=YearMonth(2026, 11), kind="NORMAL").note == "以当地公布为准"
        assert region.bills_from() == YearMonth(2026, 1)


def test_a_calendar_that_closes_before_it_opens_is_refused():
    with pytest.raises(ValueError, match="open_day lies behind cutoff_day"):
        calendar(open_day=26)


@pytest.mark.parametrize(
    ("policy", "today", "month"),
    [
        ("NEXT_MONTH", date(2026, 11, 22), YearMonth(2026, 12)),
        ("NEXT_MONTH", date(2026, 12, 31), YearMonth(2027, 1)),
        ("ANNUAL", date(2026, 1, 1), YearMonth(2027, 1)),
        ("ANNUAL", date(2026, 12, 31), YearMonth(2027, 1)),
        ("NONE", date(2026, 11, 22), None),
    ],
)
def test_the_policy_says_from_when_on_another_tier_holds(policy, today, month):
    given = {
        "insurance_type": "110",
        "policy": policy,
        "effective_from": "2026-01-01",
        "status": "VERIFIED",
        "source": "a notice",
    }

    assert TierChangePolicy.model_validate({**given, "checked_on": "2026-11-22"}).from_month(today) == month
