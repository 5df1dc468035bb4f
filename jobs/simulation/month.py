"""The month, day by day: who acts writes it into the diary; between acts the house works, and every day ends with a line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from jobs.simulation import house, office
from jobs.simulation.authorities import Authorities
from jobs.simulation.clock import at, begins_on
from jobs.simulation.diary import Diary
from jobs.simulation.town import people, write_feed
from services.billing_sweep import assess_what_is_missing
from services.enrollment_feed import import_enrollments

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from datetime import date

    from jobs.simulation.chances import Chances
    from jobs.simulation.mishaps import Mishap
    from jobs.simulation.place import Place
    from jobs.simulation.town import Resident
    from jobs.simulation.ways import Way

QUIET_DAYS_AT_MOST: Final = 12
"""After the last day nobody pays any more, and what is under way comes to its end."""


@dataclass(kw_only=True)
class Month:
    """A month being played: what every way and every act of it works with."""

    place: Place
    chances: Chances
    residents: list[Resident]
    ways: Sequence[Way]
    days: int
    tell: Callable[[str], None]
    authorities: Authorities = field(default_factory=Authorities)
    diary: Diary = field(default_factory=Diary)
    tally: Counter[str] = field(default_factory=Counter)
    """What happened how often, for the line of each day and for the last one."""
    refunded_at_portal: set[str] = field(default_factory=set)
    known_causes: dict[str, str] = field(default_factory=dict)
    """Payment number → what was planted there. Staff explain a difference by nothing else."""

    @property
    def first_day(self) -> date:
        return begins_on(self.days)

    @property
    def last_day(self) -> date:
        return self.first_day + timedelta(days=self.days - 1)

    def drawn_day(self, dice: random.Random, *, joins_on: date) -> date:
        """On which somebody pays: any of the days, yet not before the registrar has told us of them."""
        return max(joins_on, self.first_day + timedelta(days=dice.randrange(self.days)))

    def plant(self, mishap: Mishap, *, app_id: str, number: str = "") -> None:
        """Have it happen once: to the payment of this number, or where it bends a call, to the next such call of this app's."""
        target = number if number and not mishap.operation else f"app:{app_id}"
        self.place.street.misbehave(target, mishap.fault, mishap.value, operation=mishap.operation)
        self.note(mishap, number)

    def note(self, mishap: Mishap, number: str = "") -> None:
        self.tally[f"fault {mishap}"] += 1
        if number:
            self.known_causes[number] = str(mishap)

    def of_way(self, name: str) -> list[Resident]:
        return [resident for resident in self.residents if resident.way == name]


def town_of(chances: Chances, *, count: int, days: int, ways: Sequence[Way]) -> list[Resident]:
    """As many people as were asked for, spread over the ways that there are."""
    shares = {(way.name, region): share for way in ways for region, share in way.shares.items()}
    return people(chances, count=count, begins_on=begins_on(days), shares=shares)


def play(month: Month) -> date:
    """Play it to its end; answers the first day that is not over. Afterwards nothing is under way any more, or the verdict says what is."""
    day = month.first_day
    while day <= month.last_day:
        _begin(month, day)
        for way in month.ways:
            way.plan_day(month, day)
        _live(month, day)
        day += timedelta(days=1)
    quiet = 0
    while quiet < QUIET_DAYS_AT_MOST and not (quiet and house.is_quiet(month, before=day)):
        _begin(month, day)
        for way in month.ways:
            way.plan_quiet_day(month, day)
        _live(month, day)
        day, quiet = day + timedelta(days=1), quiet + 1
    month.place.put_clock(at(day, 0, 1))
    return day


def _begin(month: Month, day: date) -> None:
    """What a day has in any case: the registrar's file at night, the sweeps, the staff's hours."""
    month.diary.at(at(day, 0, 5), lambda: _registrar(month, day))
    house.plan_day(month, day)
    office.plan_day(month, day)
    month.authorities.plan_day(month, day)


def _registrar(month: Month, day: date) -> None:
    """The registrar's file of those who join today, and the bills that it makes."""
    joining = [resident for resident in month.residents if resident.joins_on == day]
    if joining:
        feed = month.place.folder / "enrollments.csv"
        write_feed(feed, joining)
        report = import_enrollments(month.place.ports, feed)
        month.tally["joined"] += report.added
        month.tally["bad feed rows"] += len(report.bad)
    month.tally["bills"] += assess_what_is_missing(month.place.ports).issued


def _live(month: Month, day: date) -> None:
    for moment, acts in month.diary.until(at(day + timedelta(days=1), 0)):
        month.place.put_clock(moment)
        house.settle_mail(month)
        for act in acts:
            act()
        # Notices of what was done just now arrive at once, unless a fault holds them back.
        month.place.street.put_clock(moment)
        house.settle_mail(month)
    month.tell(f"{day}  {house.day_line(month)}")
