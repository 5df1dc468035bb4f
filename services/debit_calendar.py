"""When debits run: the collection calendar's days, moved off days without work, and the terms of a run. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import TYPE_CHECKING, Final

from config.clock import BEIJING
from config.months import YearMonth
from config.rulebook import NoRuleInForce
from services.collection_dates import collection_dates
from services.payment_reminders import payable_bills
from services.working_days import after

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from config.rulebook import CollectionCalendar, CollectionDates, DebitTerms, Region
    from services.payment_reminders import Payable

MONTHS_AHEAD: Final = 3
"""How far somebody is told of a run before it comes."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run in one region, for the areas that have it on that day."""

    day: date
    areas: tuple[str, ...]
    payable: tuple[Payable, ...]
    """What it takes, judged by the rules of its own day."""
    to_confirm: bool
    """Show 以当地公布为准 beside the day."""


def terms_of(region: Region, day: date) -> DebitTerms | None:
    """The terms of a run on that day; None where no row says any: then nothing runs there."""
    try:
        return region.debit_terms(day)
    except NoRuleInForce:
        return None


def runs(region: Region, *, first: date, last: date) -> list[Run]:
    """The region's runs from one day to another, both inclusive, in order; areas that share a calendar share a run."""
    areas_of: dict[tuple[date, YearMonth, bool, bool], list[str]] = {}
    month = YearMonth.of(first).plus(-1)  # a run at a month's end may have moved into the next one
    while month <= YearMonth.of(last):
        # A hundred areas share a few calendars, and moving days off holidays costs: each calendar is reckoned once a month.
        known: dict[CollectionCalendar, CollectionDates | None] = {}
        for area in region.pooling_areas:
            calendar = region.collection_calendar(area, month.first_day)
            if calendar is None:
                continue
            if calendar not in known:
                known[calendar] = collection_dates(region, area, month)
            if (dates := known[calendar]) is None:
                continue
            for day in set(dates.debit_runs):
                if first <= day <= last:
                    key = (day, month, calendar.supplements_online, dates.to_confirm)
                    areas_of.setdefault(key, []).append(area)
        month = month.plus(1)
    return [
        Run(
            day=day,
            areas=tuple(areas),
            payable=tuple(payable_bills(region, collected, day, supplements=supplements)),
            to_confirm=to_confirm,
        )
        for (day, collected, supplements, to_confirm), areas in sorted(areas_of.items(), key=lambda each: each[0][:2])
    ]


def next_run(region: Region, area: str, *, after_day: date) -> Run | None:
    """The first run of an area after that day; None where none is known in the months ahead."""
    last = YearMonth.of(after_day).plus(MONTHS_AHEAD).last_day
    return next((run for run in runs(region, first=after_day, last=last) if run.day > after_day and area in run.areas), None)


def takes(run: Run, *, insurance_type: str, kind: str, months: Iterable[int]) -> bool:
    """Whether a run takes bills of these coverage months."""
    spans = [span for span in run.payable if (span.insurance_type, str(span.kind)) == (insurance_type, kind)]
    return all(any(span.first <= month <= span.last for span in spans) for month in months)


def result_due_at(region: Region, terms: DebitTerms, run_day: date) -> datetime:
    """Until when the banks' results of a run must be there."""
    noon = datetime.combine(run_day, time(12), BEIJING)
    return after(region, noon, terms.result_within_working_days).ends_at(terms.result_by)


def files_are_due(terms: DebitTerms, run_day: date, now: datetime) -> bool:
    """Whether it is time to make the files of that day."""
    return now >= datetime.combine(run_day, terms.starts_at, BEIJING)
