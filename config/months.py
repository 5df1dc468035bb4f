"""A coverage month (费款所属期) is a month of the calendar, not an instant: it has no hour and no time zone."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

_WRITTEN = re.compile(r"(\d{4})-?(\d{2})", re.ASCII)


@dataclass(frozen=True, order=True, slots=True)
class YearMonth:
    """One month of one year; months compare and sort as time does."""

    year: int
    month: int

    def __post_init__(self) -> None:
        if not (1 <= self.year <= 9999 and 1 <= self.month <= 12):  # noqa: PLR2004 - a year has twelve months
            raise ValueError(f"{self.year}-{self.month} is not a month; write one such as 2026-11")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "2026-11" (ours) or "202611" (as tax and HRSS files write it)."""
        written = _WRITTEN.fullmatch(text)
        if written is None:
            raise ValueError(f"{text!r} is not a month; write one such as 2026-11 or 202611")
        return cls(int(written[1]), int(written[2]))

    @classmethod
    def from_number(cls, number: int) -> Self:
        """Read 202611, the form in which databases and provider files hold a month."""
        return cls(number // 100, number % 100)

    @classmethod
    def of(cls, day: date) -> Self:
        """Name the month in which the day lies; a datetime must already stand in the region's own time zone."""
        return cls(day.year, day.month)

    @property
    def number(self) -> int:
        """202611."""
        return self.year * 100 + self.month

    @property
    def first_day(self) -> date:
        """The first day, by which the rule for a coverage month is chosen."""
        return date(self.year, self.month, 1)

    @property
    def last_day(self) -> date:
        """The last day, leap years included."""
        if (self.year, self.month) == (9999, 12):
            return date.max
        return self.plus(1).first_day - timedelta(days=1)

    def plus(self, months: int) -> "YearMonth":
        """Step forward by so many months; a negative number steps back."""
        year, month_index = divmod(self.year * 12 + self.month - 1 + months, 12)
        return YearMonth(year, month_index + 1)

    def minus(self, other: "YearMonth") -> int:
        """Count the months from the other month to this one; negative if this one is earlier."""
        return (self.year - other.year) * 12 + self.month - other.month

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"
