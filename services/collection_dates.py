"""Until when a month is paid: the region's calendar, moved off days on which nobody works where the region says so. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from models.bills import BillKind
from services.working_days import is_working_day

if TYPE_CHECKING:
    from datetime import date

    from config.months import YearMonth
    from config.rulebook import CollectionDates, Region

AS_PUBLISHED: Final = "以当地公布为准"


@dataclass(frozen=True, kw_only=True)
class DueDate:
    """Until when a bill is to be paid, as people are shown it."""

    on: date | None
    note: str | None
    """以当地公布为准 where the day is not known, or nobody has confirmed it."""


def collection_dates(region: Region, pooling_area: str, month: YearMonth) -> CollectionDates | None:
    """When a coverage month is collected in an area; None where the rulebook has no calendar for it."""
    calendar = region.collection_calendar(pooling_area, month.first_day)
    return None if calendar is None else calendar.dates(month, partial(is_working_day, region))


def due_date(region: Region, *, pooling_area: str, month: YearMonth, kind: str) -> DueDate:
    """Until when a bill of this kind is to be paid: a difference until the day of its notice, all others until the month's cut-off."""
    calendar = region.collection_calendar(pooling_area, month.first_day)
    dates = collection_dates(region, pooling_area, month)
    if calendar is None or dates is None:
        return DueDate(on=None, note=AS_PUBLISHED)
    day = calendar.supplement_due_on if kind == BillKind.SUPPLEMENT else dates.due_on
    return DueDate(on=day, note=AS_PUBLISHED if day is None or dates.to_confirm else None)
