"""What every fact of the rulebook has: a period, a status, a source, the day somebody last checked it, and units.

Money is written in yuan, in quotes or as a whole number, and read as fen.
"""

import re
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from config.months import YearMonth


class Status(StrEnum):
    """How well a fact is known; a production start refuses what is TO_CONFIRM."""

    VERIFIED = "VERIFIED"
    SECONDARY = "SECONDARY"
    DERIVED = "DERIVED"
    TO_CONFIRM = "TO_CONFIRM"


def _yuan_to_fen(given: object) -> int:
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given * 100
    if isinstance(given, str) and re.fullmatch(r"\d+(\.\d{1,2})?", given, re.ASCII):
        return int(Decimal(given) * 100)
    raise ValueError(f'{given!r} is no amount of yuan; write it in quotes, such as "4952.40"')


def _iso_day(given: object) -> date:
    if isinstance(given, date):
        return given
    if isinstance(given, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", given, re.ASCII):
        return date.fromisoformat(given)
    raise ValueError(f"{given!r} is no day; dates must be YYYY-MM-DD, such as 2026-01-01")


def _year_month(given: object) -> YearMonth:
    if not isinstance(given, str):
        raise ValueError(f'{given!r} is no month; write it in quotes, such as "1965-01"')  # noqa: TRY004 - for pydantic
    return YearMonth.parse(given)


YuanAsFen = Annotated[int, BeforeValidator(_yuan_to_fen)]
Day = Annotated[date, BeforeValidator(_iso_day)]
Month = Annotated[YearMonth, BeforeValidator(_year_month)]
Text = Annotated[str, Field(min_length=1)]
DivisionCode = Annotated[str, Field(pattern=r"^\d{6}$")]
InsuranceCode = Annotated[str, Field(pattern=r"^\d{3}$")]
RowId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{2,39}$")]
Name = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,39}$")]
PerMille = Annotated[int, Field(ge=0, le=1000)]


class Part(BaseModel):
    """A piece of a row: no key that we do not know, no change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True)


class RegionHeader(Part):
    """region.yaml: who the region is, and whose figures stand behind its own."""

    code: DivisionCode
    name: Text
    parent: DivisionCode | None = None
    figures_only: bool = False
    """A province or the country may only lend its figures; nobody enrols there."""
    province_code: DivisionCode
    authority: Annotated[str, Field(pattern=r"^[a-z]+-\d{6}$")] | None = None
    authority_name: Text | None = None
    """As it stands on receipts; the code where nobody wrote it down."""
    timezone: Text = "Asia/Shanghai"
    refund_two_people_above_fen: Annotated[int, Field(ge=0)] = 0
    """Refunds above this are decided by somebody else than who applied; 0: always. The office's own rule."""
    tax_confirms_within_working_days: Annotated[int, Field(ge=1, le=60)] = 3
    """How many working days after it was paid a month may wait for the tax authority's list; then it is sent to them once more."""


class Row(Part):
    """One fact: in force from a day to a day (both inclusive), known how well, from where, last checked when."""

    file: ClassVar[str]
    named_by: ClassVar[str]
    monthly: ClassVar[bool] = False
    """Facts that decide a month's bill begin and end with a month."""

    status: Status
    source: Annotated[str, Field(min_length=4)]
    checked_on: Day
    effective_from: Day
    effective_to: Day | None = None
    note: Text | None = None

    @model_validator(mode="after")
    def _period_is_sound(self) -> Self:
        last = self.effective_to
        if last is not None and last < self.effective_from:
            raise ValueError(f"effective_to {last} lies before effective_from {self.effective_from}; "
                             "write a later day, such as 2026-12-31")  # fmt: skip
        if self.monthly and self.effective_from.day != 1:
            raise ValueError("effective_from must be the first day of a month, such as 2026-01-01")
        if self.monthly and last is not None and last != YearMonth.of(last).last_day:
            raise ValueError("effective_to must be the last day of a month, such as 2026-12-31")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """Under each of these names, one row at most is in force on a day."""
        return (self.name,)

    @property
    def name(self) -> str:
        """How faults and explanations call the row."""
        return str(getattr(self, self.named_by))

    @property
    def sets_rules(self) -> bool:
        """A row that was replaced stays to explain old bills, and decides nothing."""
        return True

    def in_force(self, on: date) -> bool:
        """Ask whether the row decides on that day."""
        return self.sets_rules and self.effective_from <= on and (self.effective_to is None or on <= self.effective_to)

    def meets(self, other: "Row") -> bool:
        """Ask whether there is a day on which both are in force."""
        return self.effective_from <= (other.effective_to or date.max) and other.effective_from <= (
            self.effective_to or date.max
        )
