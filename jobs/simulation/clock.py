"""The one clock of a simulation: it stands still until the simulation moves it. And the month that is played."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from config.clock import BEIJING

MONTH: Final = (date(2026, 10, 1), date(2026, 10, 31))
"""Always the same month, whatever the machine's calendar says: with a long holiday in it, and 31 days."""


def begins_on(days: int) -> date:
    """So many days end with the month, for at its end there is more to see; what is longer goes on behind it."""
    first, last = MONTH
    return max(first, last - timedelta(days=days - 1))


class SimulatedClock:
    """A Clock that is put by hand. It is never put back."""

    def __init__(self, now: datetime) -> None:
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def put(self, now: datetime) -> None:
        """Raises ValueError for a moment that is over."""
        if now < self._now:
            raise ValueError(f"{now.isoformat()} is over")
        self._now = now.astimezone(UTC)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """A moment of a day in Beijing."""
    return datetime.combine(day, time(hour, minute), BEIJING)
