"""What time it is: aware UTC inside, Beijing at the edges."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Final, Protocol
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")
"""Both regions keep Beijing time; Xinjiang's offices only shift their hours."""


class Clock(Protocol):
    def now(self) -> datetime:
        """This moment, aware, in UTC."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


SYSTEM_CLOCK: Final = SystemClock()


def beijing_date(moment: datetime) -> date:
    """The calendar day in Beijing at this moment: what "today" means to a rule."""
    return moment.astimezone(BEIJING).date()


def day_start(now: datetime) -> datetime:
    """When this moment's day began in Beijing."""
    return datetime.combine(beijing_date(now), time.min, tzinfo=BEIJING)
