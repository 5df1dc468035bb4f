"""The ways of paying. Each is one class in one file behind this protocol; `all_ways` is where they are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from jobs.simulation.counters import Counters
from jobs.simulation.debits import BranchDebits, OnlineDebits
from jobs.simulation.phones import Alipay, WeChat
from jobs.simulation.pos import Pos
from jobs.simulation.slips import Slips

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from jobs.simulation.month import Month


class Way(Protocol):
    """How some of the town pay."""

    @property
    def name(self) -> str:
        """One word, as the last line says it."""

    @property
    def shares(self) -> Mapping[str, int]:
        """How many of each hundred people pay so, by region."""

    def plan_day(self, month: Month, day: date) -> None:
        """Write into the diary what these people do on a day."""

    def plan_quiet_day(self, month: Month, day: date) -> None:
        """Write what must still be done after the last day: nobody pays anything new."""


def all_ways() -> list[Way]:
    return [WeChat(), Alipay(), BranchDebits(), OnlineDebits(), Pos(), Counters(), Slips()]
