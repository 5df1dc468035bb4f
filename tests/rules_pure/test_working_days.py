"""Working days: the vectors that were worked by hand, the turn of the year, and what holds whatever day it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.clock import BEIJING, beijing_date
from config.rulebook import ApplicationKind, CalendarYear, ReviewTerm, load_rulebook
from config.rulebook_rows import DaysOff
from services import working_days
from services.own_data_requests import due_at
from services.working_days import after, is_working_day, review_clock

CHANGZHOU, XINJIANG = "320400", "650000"
BOOK = load_rulebook()
REGION = BOOK.region(CHANGZHOU)
NEW = ApplicationKind.NEW_ENROLLMENT


def at(day: str, clock_time: str = "10:00") -> datetime:
    return datetime.fromisoformat(f"{day}T{clock_time}").replace(tzinfo=BEIJING)


def without_calendars(region):
    """The region as it would be if nobody had typed a calendar into the rulebook."""
    above = None if region.parent is None else without_calendars(region.parent)
    return replace(region, parent=above, rows={**region.rows, CalendarYear: ()})


VECTORS = [
    ("2026-02-12", "2026-02-13", "2026-02-14"),
    ("2026-02-13", "2026-02-14", "2026-02-24"),
    ("2026-02-14", "2026-02-24", "2026-02-25"),
    ("2026-04-30", "2026-05-06", "2026-05-07"),
    ("2026-09-18", "2026-09-20", "2026-09-21"),
    ("2026-09-19", "2026-09-20", "2026-09-21"),
    ("2026-09-30", "2026-10-08", "2026-10-09"),
    ("2026-11-20", "2026-11-23", "2026-11-24"),
    ("2026-11-21", "2026-11-23", "2026-11-24"),
]


@pytest.mark.parametrize("region", [REGION, BOOK.region(XINJIANG), without_calendars(REGION)], ids=["city", "far", "package"])
@pytest.mark.parametrize(("submitted", "first", "second"), VECTORS)
def test_the_first_and_the_second_working_day_after_a_submission(region, submitted, first, second):
    """By the rulebook and, where it is silent, by the package: the same days."""
    told = [after(region, at(submitted), count) for count in (1, 2)]

    assert [(str(each.day), each.provisional) for each in told] == [(first, False), (second, False)]


@pytest.mark.parametrize(
    ("submitted", "first", "second", "provisional"),
    [
        ("2026-12-29", "2026-12-30", "2026-12-31", (False, False)),
        ("2026-12-30", "2026-12-31", "2027-01-01", (False, True)),
        ("2026-12-31", "2027-01-01", "2027-01-04", (True, True)),
        ("2027-01-01", "2027-01-04", "2027-01-05", (True, True)),
    ],
)
def test_the_turn_of_the_year_is_provisional_and_never_raises(submitted, first, second, provisional):
    """Nobody has published 2027: its 1 January is a Friday, and so counts until somebody says that it does not."""
    told = [after(REGION, at(submitted), count) for count in (1, 2)]

    assert [str(each.day) for each in told] == [first, second]
    assert tuple(each.provisional for each in told) == provisional


def test_a_calendar_that_somebody_typed_for_2027_ends_the_guessing():
    (year,) = REGION.all(CalendarYear)
    next_year = year.model_copy(
        update={
            "year": 2027,
            "days_off": (DaysOff(first=date(2027, 1, 1), last=date(2027, 1, 3)),),
            "make_up_workdays": (),
        }
    )
    region = replace(REGION, rows={**REGION.rows, CalendarYear: (next_year,)})

    told = after(region, at("2026-12-30"), 2)

    assert (str(told.day), told.provisional) == ("2027-01-04", False)


def test_a_regions_own_day_wins_over_the_country_and_the_package_and_alone_ends_no_guessing():
    (year,) = REGION.all(CalendarYear)
    own = [
        year.model_copy(update={"year": each, "days_off": (), "make_up_workdays": days, "partial": True})
        for each, days in ((2026, (date(2026, 11, 22),)), (2027, (date(2027, 1, 2),)))
    ]
    region = replace(REGION, rows={**REGION.rows, CalendarYear: tuple(own)})

    assert str(after(region, at("2026-11-21"), 1).day) == "2026-11-22"
    told = after(region, at("2026-12-31"), 2)
    assert (str(told.day), told.provisional) == ("2027-01-02", True)


def test_what_the_rulebook_says_of_2026_is_what_the_package_says():
    days = [date(2026, 1, 1) + timedelta(days=step) for step in range(365)]

    assert [day for day in days if is_working_day(REGION, day) != chinese_calendar.is_workday(day)] == []
    assert sum(is_working_day(REGION, day) for day in days) == 248


def test_the_day_is_the_one_in_beijing():
    """17:00 UTC on Thursday is Friday there already: the next working day is Monday."""
    assert str(after(REGION, datetime(2026, 11, 19, 15, 59, tzinfo=UTC), 1).day) == "2026-11-20"
    assert str(after(REGION, datetime(2026, 11, 19, 17, 0, tzinfo=UTC), 1).day) == "2026-11-23"


# The clock of a review


@pytest.mark.parametrize("hour", ["00:00", "10:00", "23:59"])
@pytest.mark.parametrize(("submitted", "first", "second"), VECTORS)
def test_a_review_aims_at_the_first_and_ends_with_the_second_working_day(submitted, first, second, hour):
    told = review_clock(REGION, NEW, at(submitted, hour))

    assert told.target_at == at(first, "00:00") + timedelta(days=1)
    assert told.due_at == at(second, "00:00") + timedelta(days=1)
    assert not told.provisional


def test_a_review_over_the_turn_of_the_year_says_that_it_may_move():
    told = review_clock(REGION, NEW, at("2026-12-30"))

    assert (told.target_at, told.due_at) == (at("2027-01-01", "00:00"), at("2027-01-02", "00:00"))
    assert told.provisional


def test_where_offices_close_at_half_past_five_the_day_ends_then():
    (row,) = (row for row in REGION.own(ReviewTerm) if row.application is NEW)
    early = row.model_copy(update={"day_ends": "17:30", "due_working_days": 3})
    region = replace(REGION, rows={**REGION.rows, ReviewTerm: (early,)})

    told = review_clock(region, NEW, at("2026-11-20"))

    assert (told.target_at, told.due_at) == (at("2026-11-23", "17:30"), at("2026-11-25", "17:30"))


@pytest.mark.parametrize("application", list(ApplicationKind))
@pytest.mark.parametrize("region", [CHANGZHOU, XINJIANG])
def test_every_application_has_a_term_everywhere(region, application):
    assert review_clock(BOOK.region(region), application, at("2026-11-20")).due_at == at("2026-11-25", "00:00")


def test_requests_about_personal_data_count_by_the_same_calendar():
    moment = at("2026-12-28", "09:00")

    assert due_at(REGION, moment) == after(REGION, moment, 15).ends_at()


# What holds whatever day it is

MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(2150, 1, 1), timezones=st.just(BEIJING))  # noqa: DTZ001 - the zone is the last argument


@given(moment=MOMENTS, count=st.integers(0, 40))
def test_no_year_raises_and_the_day_found_is_one_on_which_offices_work(moment, count):
    told = after(REGION, moment, count)

    assert told.day >= beijing_date(moment)
    assert count == 0 or is_working_day(REGION, told.day)
    between = (beijing_date(moment) + timedelta(days=step) for step in range(1, (told.day - beijing_date(moment)).days + 1))
    assert sum(is_working_day(REGION, day) for day in between) == count


@given(moments=st.tuples(MOMENTS, MOMENTS), count=st.integers(1, 20))
def test_who_submits_later_is_due_no_earlier(moments, count):
    first, second = sorted(moments)

    assert after(REGION, first, count).day <= after(REGION, second, count).day


def test_nobody_counts_backward():
    with pytest.raises(ValueError, match="forward"):
        after(REGION, at("2026-11-20"), -1)


@pytest.mark.parametrize(
    ("clock_time", "end"), [("24:00", (date(2026, 11, 24), time(0))), ("17:30", (date(2026, 11, 23), time(17, 30)))]
)
def test_a_days_end_is_told_in_beijing(clock_time, end):
    told = working_days.WorkingDay(day=date(2026, 11, 23), provisional=False)

    assert told.ends_at(clock_time) == datetime.combine(*end, tzinfo=BEIJING)
