"""What makes a simulated month the same every time: dice with names, a diary in order, one clock, and a town made of numbers alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from jobs.simulation.chances import Chances
from jobs.simulation.clock import SimulatedClock, at, begins_on
from jobs.simulation.diary import Diary
from jobs.simulation.month import town_of
from jobs.simulation.town import CHANGZHOU, XINJIANG, card_number, people
from jobs.simulation.ways import all_ways
from services.people import parse_card_number, parse_persons_number

DAY = date(2026, 10, 1)
NOON = at(DAY, 12)


def test_the_same_seed_and_words_draw_the_same_whatever_was_drawn_in_between():
    one, other = Chances(seed=1, fault_percent=5), Chances(seed=1, fault_percent=5)
    first = [one.of("visit", number).random() for number in range(5)]
    other.of("something else").random()

    assert [other.of("visit", number).random() for number in range(5)] == first
    assert [Chances(seed=2, fault_percent=5).of("visit", number).random() for number in range(5)] != first


@pytest.mark.parametrize(("percent", "expected"), [(0, 0), (100, 1000)])
def test_nothing_goes_wrong_or_everything_does(percent, expected):
    chances = Chances(seed=1, fault_percent=percent)

    assert sum(chances.goes_wrong(chances.of(number)) for number in range(1000)) == expected


def test_about_five_of_a_hundred_go_wrong():
    chances = Chances(seed=1, fault_percent=5)

    assert 400 < sum(chances.goes_wrong(chances.of(number)) for number in range(10_000)) < 600


def test_acts_come_in_the_order_of_their_moments_and_then_of_writing():
    diary, told = Diary(), []
    diary.at(NOON + timedelta(minutes=1), lambda: told.append("later"))
    diary.at(NOON, lambda: told.append("first"))
    diary.at(NOON, lambda: (told.append("second"), diary.at(NOON, lambda: told.append("written meanwhile"))))
    diary.at(NOON + timedelta(days=1), lambda: told.append("tomorrow"))

    moments = []
    for moment, acts in diary.until(at(DAY + timedelta(days=1), 0)):
        moments.append(moment)
        for act in acts:
            act()

    assert told == ["first", "second", "written meanwhile", "later"]
    assert moments == [NOON, NOON + timedelta(minutes=1)]


def test_what_is_written_once_happens_once():
    diary, told = Diary(), []
    for name in ("sweep", "sweep", "look"):
        diary.once_at(NOON, name, lambda name=name: told.append(name))

    for _, acts in diary.until(NOON + timedelta(hours=1)):
        for act in acts:
            act()

    assert told == ["sweep", "look"]


def test_the_clock_is_never_put_back():
    clock = SimulatedClock(NOON)
    clock.put(NOON)

    assert clock.now() == NOON
    assert clock.now().tzinfo is UTC
    with pytest.raises(ValueError, match="is over"):
        clock.put(datetime(2026, 10, 1, 11, 59, tzinfo=NOON.tzinfo))


def test_a_short_month_ends_with_the_month_and_a_long_one_goes_on_behind_it():
    assert (begins_on(31), begins_on(6), begins_on(1), begins_on(60)) == (DAY, date(2026, 10, 26), date(2026, 10, 31), DAY)


def test_a_town_is_the_same_for_the_same_seed_and_everybody_has_a_number_that_can_be():
    chances = Chances(seed=20261121, fault_percent=5)
    town = town_of(chances, count=3000, days=31, ways=all_ways())

    assert town == town_of(chances, count=3000, days=31, ways=all_ways())
    assert len({resident.id_number for resident in town}) == 3000
    for resident in town:
        number = parse_persons_number(resident.id_number, today=DAY)
        assert (number.age_on(DAY) < 60, number.age_on(DAY) >= 20) == (True, True)
        assert parse_card_number(resident.bank_card)


def test_however_small_the_town_every_way_and_region_has_its_people():
    ways = all_ways()
    town = town_of(Chances(seed=1, fault_percent=5), count=40, days=31, ways=ways)

    assert {(each.way, each.region) for each in town} == {(way.name, region) for way in ways for region in way.shares}


def test_people_are_spread_as_the_shares_say():
    shares = {("a", CHANGZHOU): 3, ("b", XINJIANG): 1}
    town = people(Chances(seed=1, fault_percent=5), count=400, begins_on=DAY, shares=shares)

    assert sum(each.way == "a" for each in town) == 300


def test_card_numbers_end_in_their_check_digit():
    assert parse_card_number(card_number("622848000000000001"))
