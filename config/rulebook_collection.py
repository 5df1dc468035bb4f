"""The rows that say when a month is collected, and when a person may change the tier."""

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from config.months import YearMonth
from config.rulebook_facts import Day, DivisionCode, InsuranceCode, Row, RowId

DayOfMonth = Annotated[int, Field(ge=1, le=31)]
EVERYWHERE = "*"


class OnDaysOff(StrEnum):
    """Where a day of the calendar goes that nobody works on."""

    NEXT_WORKDAY = "NEXT_WORKDAY"
    PREVIOUS_WORKDAY = "PREVIOUS_WORKDAY"
    STAYS = "STAYS"


class TierChangePolicyKind(StrEnum):
    """From when on another tier holds that a person chose on the phone."""

    ANNUAL = "ANNUAL"
    """From the next January on."""
    NEXT_MONTH = "NEXT_MONTH"
    NONE = "NONE"
    """Not on the phone."""


@dataclass(frozen=True, kw_only=True)
class CollectionDates:
    """When one coverage month is collected in one area. All days inclusive, in Beijing; None where nobody has published it."""

    opens_on: date | None
    due_on: date | None
    debit_runs: tuple[date, ...]
    to_confirm: bool
    """Show 以当地公布为准 beside it."""


class CollectionCalendar(Row):
    """When a coverage month is collected: in the month itself, by days of the month.

    `effective_from` of a region's first row is also the first coverage month that this house bills by itself; what lies before it
    was collected by somebody else.
    """

    file, named_by, monthly = "collection_calendar", "id", True
    id: RowId
    only_in: tuple[DivisionCode, ...] = ()
    """Pooling areas with days of their own; none: the whole region."""
    open_day: DayOfMonth | None
    cutoff_day: DayOfMonth | None
    """The last day to pay; the month's last day where the month is shorter."""
    debit_run_days: tuple[DayOfMonth, ...]
    on_days_off: OnDaysOff
    supplements_online: bool
    """A difference (补差) can be paid on the phone, whatever the arrears window says of its month."""
    supplement_due_on: Day | None = None
    """Until when, as the notice of the final figures says."""

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> "CollectionCalendar":
        if self.open_day is not None and self.cutoff_day is not None and self.open_day > self.cutoff_day:
            raise ValueError(
                "open_day lies behind cutoff_day; write the days of one month, such as open_day: 1, cutoff_day: 25"
            )
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        return self.only_in or (EVERYWHERE,)

    def dates(self, month: YearMonth, is_workday: Callable[[date], bool]) -> CollectionDates:
        """Say on which days a month is collected. Pure."""
        return CollectionDates(
            opens_on=None if self.open_day is None else _day(month, self.open_day),
            due_on=None if self.cutoff_day is None else self._moved(_day(month, self.cutoff_day), is_workday),
            debit_runs=tuple(self._moved(_day(month, day), is_workday) for day in sorted(set(self.debit_run_days))),
            to_confirm=self.status == "TO_CONFIRM",
        )

    def _moved(self, day: date, is_workday: Callable[[date], bool]) -> date:
        step = {OnDaysOff.NEXT_WORKDAY: 1, OnDaysOff.PREVIOUS_WORKDAY: -1, OnDaysOff.STAYS: 0}[self.on_days_off]
        while step and not is_workday(day):
            day += timedelta(days=step)
        return day


def _day(month: YearMonth, day: int) -> date:
    return date(month.year, month.month, min(day, calendar.monthrange(month.year, month.month)[1]))


class TierChangePolicy(Row):
    """From when on another tier holds that a person chose on the phone."""

    file, named_by = "tier_changes", "insurance_type"
    insurance_type: InsuranceCode
    policy: TierChangePolicyKind

    def from_month(self, today: date) -> YearMonth | None:
        """Name the first month of a tier chosen today; None where it cannot be chosen on the phone."""
        match self.policy:
            case TierChangePolicyKind.NEXT_MONTH:
                return YearMonth.of(today).plus(1)
            case TierChangePolicyKind.ANNUAL:
                return YearMonth(today.year + 1, 1)
            case TierChangePolicyKind.NONE:
                return None
