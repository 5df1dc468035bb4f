"""The statutory retirement: every cell of the official tables, the vectors that sources name, and what holds for all births."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.months import YearMonth
from config.rulebook import load_rulebook
from services.people import parse_id_number
from services.retirement import (
    add_months,
    bounding,
    completed_years,
    delay_months,
    is_of_age,
    minimum,
    statutory,
    tracks_of,
    window,
)

CHANGZHOU, XINJIANG = "320400", "650000"
TODAY = date(2026, 11, 21)
REGION = load_rulebook().region(CHANGZHOU)
RULE, OLD_RULE = REGION.age_rule(TODAY), REGION.age_rule(date(2024, 12, 31))
TRACKS = [track.track for track in RULE.tracks]

MEN = """
1965 | 2025-02,03,04,05 (+1) | 2025-07,08,09,10 (+2) | 2025-12, 2026-01,02,03 (+3)
1966 | 2026-05,06,07,08 (+4) | 2026-10,11,12, 2027-01 (+5) | 2027-03,04,05,06 (+6)
1967 | 2027-08,09,10,11 (+7) | 2028-01,02,03,04 (+8) | 2028-06,07,08,09 (+9)
1968 | 2028-11,12, 2029-01,02 (+10) | 2029-04,05,06,07 (+11) | 2029-09,10,11,12 (+12)
1969 | 2030-02,03,04,05 (+13) | 2030-07,08,09,10 (+14) | 2030-12, 2031-01,02,03 (+15)
1970 | 2031-05,06,07,08 (+16) | 2031-10,11,12, 2032-01 (+17) | 2032-03,04,05,06 (+18)
1971 | 2032-08,09,10,11 (+19) | 2033-01,02,03,04 (+20) | 2033-06,07,08,09 (+21)
1972 | 2033-11,12, 2034-01,02 (+22) | 2034-04,05,06,07 (+23) | 2034-09,10,11,12 (+24)
1973 | 2035-02,03,04,05 (+25) | 2035-07,08,09,10 (+26) | 2035-12, 2036-01,02,03 (+27)
1974 | 2036-05,06,07,08 (+28) | 2036-10,11,12, 2037-01 (+29) | 2037-03,04,05,06 (+30)
1975 | 2037-08,09,10,11 (+31) | 2038-01,02,03,04 (+32) | 2038-06,07,08,09 (+33)
1976 | 2038-11,12, 2039-01,02 (+34) | 2039-04,05,06,07 (+35) | 2039-09,10,11,12 (+36)
"""
"""Men by the year of birth, January to April, May to August, September to December: retirement months, and months of delay.
Women of 55 have the same table for births five years later."""

WOMEN_OF_50 = """
1975 | 2025-02,03 (+1) | 2025-05,06 (+2) | 2025-08,09 (+3) | 2025-11,12 (+4) | 2026-02,03 (+5) | 2026-05,06 (+6)
1976 | 2026-08,09 (+7) | 2026-11,12 (+8) | 2027-02,03 (+9) | 2027-05,06 (+10) | 2027-08,09 (+11) | 2027-11,12 (+12)
1977 | 2028-02,03 (+13) | 2028-05,06 (+14) | 2028-08,09 (+15) | 2028-11,12 (+16) | 2029-02,03 (+17) | 2029-05,06 (+18)
1978 | 2029-08,09 (+19) | 2029-11,12 (+20) | 2030-02,03 (+21) | 2030-05,06 (+22) | 2030-08,09 (+23) | 2030-11,12 (+24)
1979 | 2031-02,03 (+25) | 2031-05,06 (+26) | 2031-08,09 (+27) | 2031-11,12 (+28) | 2032-02,03 (+29) | 2032-05,06 (+30)
1980 | 2032-08,09 (+31) | 2032-11,12 (+32) | 2033-02,03 (+33) | 2033-05,06 (+34) | 2033-08,09 (+35) | 2033-11,12 (+36)
1981 | 2034-02,03 (+37) | 2034-05,06 (+38) | 2034-08,09 (+39) | 2034-11,12 (+40) | 2035-02,03 (+41) | 2035-05,06 (+42)
1982 | 2035-08,09 (+43) | 2035-11,12 (+44) | 2036-02,03 (+45) | 2036-05,06 (+46) | 2036-08,09 (+47) | 2036-11,12 (+48)
1983 | 2037-02,03 (+49) | 2037-05,06 (+50) | 2037-08,09 (+51) | 2037-11,12 (+52) | 2038-02,03 (+53) | 2038-05,06 (+54)
1984 | 2038-08,09 (+55) | 2038-11,12 (+56) | 2039-02,03 (+57) | 2039-05,06 (+58) | 2039-08,09 (+59) | 2039-11,12 (+60)
"""
"""Women whose old age was 50, two months of birth in each cell."""


def cells(table: str, *, later: int = 0) -> list[tuple[YearMonth, YearMonth, int]]:
    """Birth month, retirement month, delay. `later`: the same table for births so many years later."""
    told = []
    for line in table.strip().splitlines():
        year, *groups = (part.strip() for part in line.split("|"))
        born = YearMonth(int(year) + later, 1)
        for group in groups:
            months, delay = re.fullmatch(r"([\d, -]+) \(\+(\d+)\)", group).groups()
            at = 0
            for month in (each.strip() for each in months.split(",")):
                at = at if "-" not in month else int(month[:4])
                told.append((born, YearMonth(at, int(month[-2:])), int(delay)))
                born = born.plus(1)
    return told


CELLS = [
    *(("M60", *cell) for cell in cells(MEN)),
    *(("F55", *cell) for cell in cells(MEN, later=5)),
    *(("F50", *cell) for cell in cells(WOMEN_OF_50)),
]


def test_the_tables_are_whole():
    assert [sum(track == name for track, *_ in CELLS) for name in ("M60", "F55", "F50")] == [144, 144, 120]


@pytest.mark.parametrize(("name", "born", "retires", "delay"), CELLS, ids=str)
def test_every_cell_of_the_tables(name, born, retires, delay):
    for day in (born.first_day, born.last_day):
        told = statutory(RULE.track(name), day)

        assert (told.month, told.delay_months) == (retires, delay)


@pytest.mark.parametrize(
    ("name", "born", "retires", "age", "delay"),
    [
        ("M60", "1963-12", "2023-12", (60, 0), 0),
        ("M60", "1964-02", "2024-02", (60, 0), 0),
        ("M60", "1964-12", "2024-12", (60, 0), 0),
        ("M60", "1965-12", "2026-03", (60, 3), 3),
        ("M60", "1995-12", "2058-12", (63, 0), 36),
        ("M60", "1976-08", "2039-07", (62, 11), 35),
        ("M60", "1976-09", "2039-09", (63, 0), 36),
        ("F55", "1963-04", "2018-04", (55, 0), 0),
        ("F55", "1969-12", "2024-12", (55, 0), 0),
        ("F55", "1971-04", "2026-08", (55, 4), 4),
        ("F55", "2000-12", "2058-12", (58, 0), 36),
        ("F55", "1981-09", "2039-09", (58, 0), 36),
        ("F50", "1974-12", "2024-12", (50, 0), 0),
        ("F50", "1995-12", "2050-12", (55, 0), 60),
        ("F50", "1984-11", "2039-11", (55, 0), 60),
    ],
)
def test_births_that_sources_and_the_ends_of_the_tables_name(name, born, retires, age, delay):
    told = statutory(RULE.track(name), YearMonth.parse(born).first_day)

    assert (str(told.month), divmod(told.age_months, 12), told.delay_months) == (retires, age, delay)


def test_the_official_example_to_the_day():
    told = statutory(RULE.track("M60"), date(1967, 5, 12))

    assert (divmod(told.age_months, 12), told.day) == ((60, 8), date(2028, 1, 12))


@pytest.mark.parametrize(
    ("name", "born", "day"),
    [
        ("M60", date(1965, 8, 31), date(2025, 10, 31)),
        ("M60", date(1965, 12, 31), date(2026, 3, 31)),
        ("M60", date(1965, 7, 31), date(2025, 9, 30)),
        ("F55", date(1972, 2, 29), date(2027, 9, 29)),
        ("M60", date(1974, 11, 30), date(2037, 5, 30)),
        ("M60", date(1968, 4, 30), date(2029, 2, 28)),
    ],
)
def test_a_day_that_the_month_does_not_have_is_its_last(name, born, day):
    assert statutory(RULE.track(name), born).day == day


# What bounds enrolment


@pytest.mark.parametrize(
    ("number", "of_age", "by_the_old_rule"),
    [
        ("320402196606210018", True, True),
        ("320402196606220013", False, True),
        ("320402196611210012", False, True),
        ("320402197106210024", True, True),
        ("32040219710622002X", False, True),
    ],
)
def test_to_the_day_who_is_of_age_on_21_november_2026(number, of_age, by_the_old_rule):
    read = parse_id_number(number, today=TODAY)
    facts = {"birth_date": read.birth_date, "is_female": read.is_female, "on": TODAY}

    assert is_of_age(RULE, **facts) is of_age
    assert is_of_age(OLD_RULE, **facts) is by_the_old_rule


def test_by_the_month_it_is_the_month_that_counts():
    rule = RULE.model_copy(update={"precision": "MONTH"})
    facts = {"is_female": False, "on": TODAY}

    assert is_of_age(rule, birth_date=date(1966, 6, 30), **facts)
    assert not is_of_age(rule, birth_date=date(1966, 7, 1), **facts)


def test_the_fixed_ages_end_on_the_birthday():
    for is_female, born in ((False, date(1964, 12, 1)), (True, date(1969, 12, 1)), (None, date(1964, 12, 1))):
        assert not is_of_age(OLD_RULE, birth_date=born, is_female=is_female, on=date(2024, 11, 30))
        assert is_of_age(OLD_RULE, birth_date=born, is_female=is_female, on=date(2024, 12, 1))


def test_a_track_that_hrss_decided_comes_before_the_default_one_and_a_mans_is_no_womans():
    woman = {"birth_date": date(1976, 1, 1), "is_female": True}

    assert bounding(RULE, **woman).track == "F55"
    assert bounding(RULE, **woman, track="F50").day == date(2026, 8, 1)
    assert is_of_age(RULE, **woman, on=TODAY, track="F50")
    assert not is_of_age(RULE, **woman, on=TODAY)
    assert bounding(RULE, birth_date=date(1976, 1, 1), is_female=False, track="F50").track == "M60"


def test_where_nobody_knows_the_sex_the_later_of_the_two_bounds():
    assert bounding(RULE, birth_date=date(1970, 1, 1), is_female=None).track == "M60"
    assert [track.track for track in tracks_of(RULE, is_female=None)] == ["M60", "F55", "F50"]
    assert [track.track for track in tracks_of(RULE, is_female=True)] == ["F55", "F50"]
    assert [track.track for track in tracks_of(RULE, is_female=False)] == ["M60"]


# What may be chosen, and what must be paid


@pytest.mark.parametrize(
    ("name", "born", "earliest", "latest"),
    [
        ("M60", date(1967, 5, 12), date(2027, 5, 12), date(2031, 1, 12)),
        ("M60", date(1990, 1, 1), date(2050, 1, 1), date(2056, 1, 1)),
        ("F55", date(1971, 4, 30), date(2026, 4, 30), date(2029, 8, 30)),
        ("F50", date(1984, 12, 31), date(2036, 12, 31), date(2042, 12, 31)),
        ("F50", date(1979, 11, 30), date(2029, 11, 30), date(2035, 5, 30)),
        ("M60", date(1965, 7, 31), date(2025, 7, 31), date(2028, 9, 30)),
    ],
)
def test_one_may_choose_three_years_either_way_and_never_below_the_old_age(name, born, earliest, latest):
    found = window(RULE, born, statutory(RULE.track(name), born))

    assert (found.earliest, found.latest) == (earliest, latest)


def test_whoever_was_of_age_before_2025_had_nothing_to_choose():
    born = date(1964, 12, 31)

    assert window(RULE, born, statutory(RULE.track("M60"), born)) is None


@pytest.mark.parametrize(
    ("day", "months"),
    [
        (date(2011, 6, 30), None),
        (date(2011, 7, 1), 180),
        (date(2029, 12, 31), 180),
        (date(2030, 1, 1), 186),
        (date(2038, 12, 31), 234),
        (date(2039, 1, 1), 240),
        (date(2099, 1, 1), 240),
    ],
)
def test_how_much_must_be_paid_goes_by_the_year_of_drawing(day, months):
    rule = minimum(REGION, day)

    assert (rule and rule.months) == months


# What holds for everybody

BIRTHS = st.dates(date(1900, 1, 1), date(2200, 12, 31))


@given(name=st.sampled_from(TRACKS), births=st.tuples(BIRTHS, BIRTHS))
def test_whoever_is_born_later_retires_no_earlier(name, births):
    first, second = sorted(births)
    track = RULE.track(name)

    assert statutory(track, first).day <= statutory(track, second).day
    assert delay_months(track, first) <= delay_months(track, second)


@given(name=st.sampled_from(TRACKS), born=BIRTHS)
def test_the_birthday_of_the_next_day_is_no_earlier_either(name, born):
    track = RULE.track(name)

    assert statutory(track, born).day <= statutory(track, born + timedelta(days=1)).day


@given(name=st.sampled_from(TRACKS), born=BIRTHS)
def test_never_before_the_old_age_and_never_beyond_the_most(name, born):
    track = RULE.track(name)
    told = statutory(track, born)

    assert 0 <= told.delay_months <= track.maximum_delay_months
    assert add_months(born, track.old_age * 12) <= told.day <= add_months(born, track.old_age * 12 + track.maximum_delay_months)
    assert told.age_months == track.old_age * 12 + told.delay_months
    assert told.month.minus(YearMonth.of(born)) == told.age_months


@given(name=st.sampled_from(TRACKS), born=BIRTHS)
def test_the_window_encloses_the_statutory_day_and_is_never_wider_than_three_years_each_way(name, born):
    track = RULE.track(name)
    told = statutory(track, born)
    found = window(RULE, born, told)

    if found is None:
        assert told.day < date(2025, 1, 1)
        return
    assert add_months(born, track.old_age * 12) <= found.earliest <= told.day <= found.latest
    assert YearMonth.of(told.day).minus(YearMonth.of(found.earliest)) <= 36
    assert YearMonth.of(found.latest).minus(YearMonth.of(told.day)) == 36


@given(born=BIRTHS, on=BIRTHS, is_female=st.sampled_from([True, False, None]))
def test_whoever_is_of_age_stays_so(born, on, is_female):
    for rule in (RULE, OLD_RULE):
        if is_of_age(rule, birth_date=born, is_female=is_female, on=on):
            assert is_of_age(rule, birth_date=born, is_female=is_female, on=on + timedelta(days=1))


@given(day=st.dates(date(1000, 1, 1), date(3000, 1, 1)), months=st.integers(-1200, 1200))
def test_months_added_land_in_that_month_on_that_day_or_its_last(day, months):
    landed = add_months(day, months)

    assert YearMonth.of(landed) == YearMonth.of(day).plus(months)
    assert landed.day == min(day.day, YearMonth.of(landed).last_day.day)


@given(born=BIRTHS, on=BIRTHS)
def test_a_year_is_completed_on_the_birthday(born, on):
    years = completed_years(born, on)

    if (born.month, born.day) != (2, 29):
        assert date(born.year + years, born.month, born.day) <= on < date(born.year + years + 1, born.month, born.day)
