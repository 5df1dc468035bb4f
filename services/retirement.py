"""When somebody may draw a pension: the statutory date by track, what must be paid until then, and how far one may choose. Pure.

The figures are the rulebook's (`eligibility.yaml`, `minimum_contributions.yaml`); the arithmetic is the decision's of 2024-09-13.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from config.months import YearMonth
from config.rulebook import FixedAges, NoRuleInForce

if TYPE_CHECKING:
    from config.rulebook import AgeRule, MinimumContribution, Region, RetirementTrack, StatutoryAges

EMPLOYEE_PENSION: Final = "110"
"""企业职工基本养老保险 (AAE140)."""


@dataclass(frozen=True, kw_only=True)
class Statutory:
    """The statutory retirement (法定退休年龄) of one birth date on one track."""

    track: str
    delay_months: int
    """Months beyond the old age of the track."""
    age_months: int
    """The statutory age in months of life: 728 is 60 years and 8 months."""
    day: date

    @property
    def month(self) -> YearMonth:
        """The retirement month, which is what the official tables tell."""
        return YearMonth.of(self.day)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Between which days a person may choose to retire (弹性退休)."""

    earliest: date
    """Never below the old age of the track."""
    latest: date
    """Only in agreement with an employer."""


def delay_months(track: RetirementTrack, birth_date: date) -> int:
    """Say how many months later than at the old age; 0 for whoever was born before the first month that is affected."""
    months = YearMonth.of(birth_date).minus(track.first_birth_month)
    return 0 if months < 0 else min(months // track.step_months + 1, track.maximum_delay_months)


def statutory(track: RetirementTrack, birth_date: date) -> Statutory:
    """Reckon the statutory retirement of a birth date on a track."""
    delay = delay_months(track, birth_date)
    age_months = track.old_age * 12 + delay
    return Statutory(track=track.track, delay_months=delay, age_months=age_months, day=add_months(birth_date, age_months))


def window(rule: StatutoryAges, birth_date: date, at: Statutory) -> Window | None:
    """Say between which days one may choose; None for whoever was of age before the rule was in force, and had no choice."""
    if at.day < rule.effective_from:
        return None
    earlier = min(rule.earlier.months_at_most, at.delay_months)
    # From the birth date, not from the statutory day: that one may have been moved to the end of a shorter month.
    return Window(
        earliest=add_months(birth_date, at.age_months - earlier),
        latest=add_months(birth_date, at.age_months + rule.later.months_at_most),
    )


def minimum(region: Region, on: date) -> MinimumContribution | None:
    """Find what whoever draws the pension on that day must have paid; None where no rule is in force."""
    try:
        return region.minimum_contribution(EMPLOYEE_PENSION, on)
    except NoRuleInForce:
        return None


def tracks_of(rule: StatutoryAges, *, is_female: bool | None) -> tuple[RetirementTrack, ...]:
    """List the tracks that a person may be on, those first that serve where HRSS has not decided. None: the sex is not known."""
    sexes = {None: ("MALE", "FEMALE"), False: ("MALE",), True: ("FEMALE",)}[is_female]
    defaults = (rule.default_track_male, rule.default_track_female)
    may_be = [each for each in rule.tracks if each.sex in sexes]
    return tuple(sorted(may_be, key=lambda each: each.track not in defaults))


def bounding(rule: StatutoryAges, *, birth_date: date, is_female: bool | None, track: str | None = None) -> Statutory:
    """The statutory retirement that bounds enrolment: on the track that HRSS decided, or else on the default one.

    Where the sex is unknown too, the later of the defaults: nobody is turned away by a guess.
    """
    may_be = tracks_of(rule, is_female=is_female)
    defaults = (rule.default_track_male, rule.default_track_female)
    chosen = [each for each in may_be if each.track == track] or [each for each in may_be if each.track in defaults]
    return max((statutory(each, birth_date) for each in chosen), key=lambda each: each.day)


def is_of_age(rule: AgeRule, *, birth_date: date, is_female: bool | None, on: date, track: str | None = None) -> bool:
    """Ask whether somebody is at or past the age at which nobody newly enrols, by the rule in force on that day."""
    if isinstance(rule, FixedAges):
        below = {False: rule.male_below, True: rule.female_below, None: max(rule.male_below, rule.female_below)}
        return completed_years(birth_date, on) >= below[is_female]
    return is_reached(rule, bounding(rule, birth_date=birth_date, is_female=is_female, track=track), on)


def is_reached(rule: StatutoryAges, at: Statutory, on: date) -> bool:
    """Ask whether the statutory retirement has come, by the day or by the month as the rule says."""
    return on >= at.day if rule.precision == "DAY" else YearMonth.of(on) >= at.month


def completed_years(birth_date: date, on: date) -> int:
    """Count the years of age completed on a day; born on 29 February, a year is completed on 1 March of common years."""
    return on.year - birth_date.year - ((on.month, on.day) < (birth_date.month, birth_date.day))


def birthday(birth_date: date, years: int) -> date:
    """The day on which so many years of age are completed."""
    try:
        return birth_date.replace(year=birth_date.year + years)
    except ValueError:
        return date(birth_date.year + years, 3, 1)


def add_months(day: date, months: int) -> date:
    """Step by so many months to the same day of the month, or to its last day where it has no such day."""
    month = YearMonth.of(day).plus(months)
    return date(month.year, month.month, min(day.day, month.last_day.day))
