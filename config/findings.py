"""What a check of the configuration found: one line each, good or bad, with what to do. No secret and nobody's data is ever in one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

SOON_DAYS: Final = 30
"""A certificate that ends within so many days is spoken of: a new one takes a week to get."""


class Verdict(StrEnum):
    GOOD = "✓"
    BAD = "✗"
    NOTE = "·"
    """Nothing is wrong, and somebody should know."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    verdict: Verdict
    what: str
    """Setting, file key or provider, as the operator would look it up."""
    said: str
    mend: str = ""
    """What to do."""

    def __str__(self) -> str:
        line = f"{self.verdict} {self.what}: {self.said}" + (f" → {self.mend}" if self.mend else "")
        # A provider's own words may be in it, and one finding is one line.
        return " ".join(line.split())


class Report:
    """Takes findings as they come, and knows at the end whether one of them was bad."""

    def __init__(self, tell: Callable[[Finding], None]) -> None:
        self._tell = tell
        self.bad_ones = 0

    def good(self, what: str, said: str) -> None:
        self._tell(Finding(verdict=Verdict.GOOD, what=what, said=said))

    def note(self, what: str, said: str, mend: str = "") -> None:
        self._tell(Finding(verdict=Verdict.NOTE, what=what, said=said, mend=mend))

    def bad(self, what: str, said: str, mend: str = "") -> None:
        self.bad_ones += 1
        self._tell(Finding(verdict=Verdict.BAD, what=what, said=said, mend=mend))

    def days_left(self, what: str, *, begins_at: datetime | None = None, ends_at: datetime, now: datetime, mend: str) -> bool:
        """Tell how long a certificate holds; False where it holds no longer, or not yet."""
        if begins_at is not None and now < begins_at:
            self.bad(what, f"certificate valid only from {begins_at:%Y-%m-%d}", "check this machine's clock, or wait")
            return False
        days = (ends_at - now).days
        if now >= ends_at:
            self.bad(what, f"certificate expired on {ends_at:%Y-%m-%d}", mend)
            return False
        if days < SOON_DAYS:
            self.note(what, f"certificate ends on {ends_at:%Y-%m-%d}, {days} days left", mend)
        else:
            self.good(what, f"certificate holds until {ends_at:%Y-%m-%d}, {days} days left")
        return True
