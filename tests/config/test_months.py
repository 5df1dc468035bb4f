"""Months count, compare and print as a calendar does."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.months import YearMonth

A_MONTH = st.builds(YearMonth, st.integers(1900, 2200), st.integers(1, 12))


def test_a_month_reads_both_ways_of_writing_it():
    assert YearMonth.parse("2026-11") == YearMonth.parse("202611") == YearMonth(2026, 11)
    assert str(YearMonth(2026, 3)) == "2026-03"
    assert YearMonth(2026, 11).number == 202611
    assert YearMonth.from_number(202611) == YearMonth(2026, 11)


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "2026-1", "2026/11", "202611 ", "", "2026-11-01", "２０２６１１"])
def test_what_is_no_month_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="such as 2026-11"):
        YearMonth.parse(text)


@pytest.mark.parametrize("number", [0, 2026, 202600, 202613, -202611])
def test_a_number_that_is_no_month_is_refused(number):
    with pytest.raises(ValueError, match="is not a month"):
        YearMonth.from_number(number)


def test_months_step_over_the_turn_of_the_year():
    assert YearMonth(2026, 12).plus(1) == YearMonth(2027, 1)
    assert YearMonth(2026, 1).plus(-1) == YearMonth(2025, 12)
    assert YearMonth(2027, 2).minus(YearMonth(2026, 11)) == 3
    assert YearMonth(2026, 11).minus(YearMonth(2027, 2)) == -3


def test_the_last_day_knows_leap_years():
    assert YearMonth(2024, 2).last_day == date(2024, 2, 29)
    assert YearMonth(2026, 2).last_day == date(2026, 2, 28)
    assert YearMonth(2026, 12).last_day == date(2026, 12, 31)
    assert YearMonth(9999, 12).last_day == date(9999, 12, 31)


def test_months_sort_as_time_does_and_serve_as_keys():
    months = [YearMonth(2026, 2), YearMonth(2025, 12), YearMonth(2026, 1)]

    assert sorted(months) == [YearMonth(2025, 12), YearMonth(2026, 1), YearMonth(2026, 2)]
    assert len({YearMonth(2026, 1), YearMonth.parse("2026-01")}) == 1


@given(A_MONTH, st.integers(-600, 600))
def test_stepping_and_counting_agree(month, steps):
    assert month.plus(steps).minus(month) == steps
    assert YearMonth.parse(str(month)) == YearMonth.from_number(month.number) == month
    assert YearMonth.of(month.first_day) == YearMonth.of(month.last_day) == month
