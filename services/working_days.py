"""Working days: a region's own calendar first, then the published one, then Monday to Friday, told as provisional. Pure.

Asia/Shanghai in every region: Xinjiang's offices keep Beijing time at other hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

import chinese_calendar

from config.clock import BEIJING, beijing_date

if TYPE_CHECKING:
    from datetime import date

    from config.rulebook import ApplicationKind, Region

FRIDAY: Final = 5
MIDNIGHT: Final = "24:00"


@dataclass(frozen=True, kw_only=True)
class WorkingDay:
    """A day on which offices work, as far as anybody has said."""

    day: date
    provisional: bool
    """Some day on the way to it lies in a year whose calendar nobody has published: reckoned Monday to Friday, and may move."""

    def ends_at(self, clock_time: str = MIDNIGHT) -> datetime:
        """The end of the day in Beijing: "24:00", or the hour at which offices close, such as "17:30"."""
        if clock_time == MIDNIGHT:
            return datetime.combine(self.day + timedelta(days=1), time.min, tzinfo=BEIJING)
        return datetime.combine(self.day, time.fromisoformat(clock_time), tzinfo=BEIJING)


@dataclass(frozen=True, kw_only=True)
class ReviewClock:
    """When an application should be, and when it must be decided; late is escalated and never decided by itself."""

    target_at: datetime
    due_at: datetime
    provisional: bool
    """A calendar on the way is not published yet: the moments may move."""


def is_working_day(region: Region, day: date) -> bool:
    """Ask whether offices of the region work on that day, by the best calendar there is. Never raises."""
    return _judge(region, day)[0]


def after(region: Region, moment: datetime, working_days: int) -> WorkingDay:
    """The n-th working day after the day of this moment in Beijing; counting starts on the next day, whatever day this is.

    0 is the day itself, whether offices work on it or not. Raises ValueError for a negative number.
    """
    if working_days < 0:
        raise ValueError("working days are counted forward")
    day, left, provisional = beijing_date(moment), working_days, False
    while left:
        day += timedelta(days=1)
        works, guessed = _judge(region, day)
        left, provisional = left - works, provisional or guessed
    return WorkingDay(day=day, provisional=provisional)


def count_between(region: Region, first: date, last: date) -> int:
    """How many working days there are after `first`, up to and with `last`; 0 where `last` is not later."""
    days = (first + timedelta(days=ahead) for ahead in range(1, (last - first).days + 1))
    return sum(is_working_day(region, day) for day in days)


def review_clock(region: Region, application: ApplicationKind, submitted_at: datetime) -> ReviewClock:
    """Within which moments an application that was submitted then is decided, by the region's own term. Raises NoRuleInForce."""
    term = region.review_term(application, beijing_date(submitted_at))
    target = after(region, submitted_at, term.target_working_days)
    due = after(region, submitted_at, term.due_working_days)
    return ReviewClock(target_at=target.ends_at(term.day_ends), due_at=due.ends_at(term.day_ends), provisional=due.provisional)


def _judge(region: Region, day: date) -> tuple[bool, bool]:
    """Whether offices work, and whether that is only a guess."""
    said = region.works_on(day)
    if said is not None:
        return said, False
    try:
        return chinese_calendar.is_workday(day), False
    except NotImplementedError:
        # The package knows the years that are published, and raises at the turn to the next one.
        return day.isoweekday() <= FRIDAY, True
