"""What is filled in on an application: read against the region's form, told apart from what is missing, and masked. Pure.

The columns of an application are what the rules and the queue look at; everything else that a form asks for is kept sealed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from config.months import YearMonth
from config.rulebook import FieldType, OptionsFrom
from services.case_errors import FieldsNotAccepted
from services.errors import CardNumberMalformed
from services.people import mask_card_number, parse_card_number

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import date

    from config.rulebook import ApplicationField, ApplicationForm, FormField, Region

COLUMNS: Final = ("pooling_area", "agency", "hukou_division", "residence_division", "change_reason", "effective_month")
"""Fields that are columns of the application; a month is kept as YYYYMM."""
PATTERNS: Final = {
    FieldType.DIVISION: (re.compile(r"[1-8][0-9]{5}"), "请选择到县（市、区），应为6位行政区划代码"),
    FieldType.PHONE: (re.compile(r"1[3-9][0-9]{9}"), "请输入11位中国大陆手机号码"),
}
FILLED_IN: Final = "已填写"


@dataclass(frozen=True, kw_only=True)
class Option:
    value: str
    label: str
    elsewhere: bool = False
    """It exists, and is handled by somebody else than this phone."""


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What was filled in, by the key of its field."""

    columns: dict[str, Any] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)

    def over(self, earlier: Filled) -> Filled:
        """This on top of what was there; None takes a value away."""
        columns, details = {**earlier.columns, **self.columns}, {**earlier.details, **self.details}
        return Filled(columns=columns, details={key: value for key, value in details.items() if value is not None})

    def has(self, key: str) -> bool:
        return self.columns.get(key) is not None or self.details.get(key) is not None


def read_answers(region: Region, form: ApplicationForm, answers: Mapping[str, str | None], *, on: date) -> Filled:
    """Read what was typed. An empty text takes a value away. Raises FieldsNotAccepted naming each field that will not do."""
    asked = {each.key for each in form.fields}
    errors: dict[str, list[str]] = {}
    filled = Filled()
    for key, given in answers.items():
        known = region.application_field(key, on) if key in asked else None
        if known is None or known.type is FieldType.IDENTITY:
            errors[key if key in asked else "fields"] = ["这一项不用填写" if key in asked else "有本地区不需要的内容"]
            continue
        text = unicodedata.normalize("NFC", given or "").strip()
        try:
            value = _read(region, form, known, text, on=on) if text else None
        except ValueError as fault:
            errors[key] = [str(fault)]
            continue
        (filled.columns if key in COLUMNS else filled.details)[key] = value  # type: ignore[assignment]  # None: taken away
    if errors:
        raise FieldsNotAccepted(errors=errors)
    return filled


def _read(region: Region, form: ApplicationForm, known: ApplicationField, text: str, *, on: date) -> Any:
    """The value in its one form; a ValueError says in Chinese what is wrong with it."""
    if known.type is FieldType.MONTH:
        return read_month(form, text, on=on).number
    if known.type is FieldType.CARD_NUMBER:
        try:
            return parse_card_number(text)
        except CardNumberMalformed as fault:
            raise ValueError(fault.said) from None
    if known.type is FieldType.TEXT:
        fits, wrong = _is_plain(text, known.longest or 0), f"请填写不超过{known.longest}个字"
    elif known.type is FieldType.CHOICE:
        fits, wrong = text in {option.value for option in options_of(region, known, on)}, "请从列表中选择"
    else:
        pattern, wrong = PATTERNS[known.type]
        fits = pattern.fullmatch(text) is not None
    if not fits:
        raise ValueError(wrong)
    return text


def _is_plain(text: str, longest: int) -> bool:
    return len(text) <= longest and not any(unicodedata.category(each) == "Cc" for each in text)


def read_month(form: ApplicationForm, text: str, *, on: date) -> YearMonth:
    """A month inside the form's window. Raises ValueError with the window."""
    first, last = months_of(form, on)
    try:
        month = YearMonth.parse(text)
    except ValueError:
        raise ValueError("应为年月，如2026-11") from None
    if not first <= month <= last:
        only = f"只能选择{said(first)}" if first == last else f"可以选择{said(first)}至{said(last)}"
        raise ValueError(only)
    return month


def said(month: YearMonth) -> str:
    return f"{month.year}年{month.month}月"


def months_of(form: ApplicationForm, on: date) -> tuple[YearMonth, YearMonth]:
    """The first and the last month that may be chosen on that day."""
    now = YearMonth.of(on)
    return now.plus(form.months.earliest), now.plus(form.months.latest)


def options_of(region: Region, known: ApplicationField, on: date) -> list[Option]:
    """What a choice offers, in the rulebook's order."""
    match known.options_from:
        case OptionsFrom.POOLING_AREAS:
            areas = region.pooling_areas.values()
            return [Option(value=each.code, label=each.name, elsewhere=each.handled_by is not None) for each in areas]
        case OptionsFrom.AGENCIES:
            return [Option(value=each.code, label=each.title) for each in region.agencies.values() if each.in_force(on)]
        case OptionsFrom.BANKS:
            return [Option(value=each.code, label=each.title) for each in region.banks.values() if each.in_force(on)]
        case OptionsFrom.CHANGE_REASONS:
            return [Option(value=each.code, label=each.label) for each in region.change_reasons(on)]
        case None:
            return [Option(value=each.value, label=each.label) for each in known.options]


def missing_of(
    region: Region, form: ApplicationForm, filled: Filled, insurances: Collection[str], *, on: date
) -> list[ApplicationField]:
    """The required fields that nobody filled in, in the order of the form."""
    return [
        known
        for asked in form.fields
        if asked.required and is_asked(asked, filled, insurances) and not filled.has(asked.key)
        for known in [region.application_field(asked.key, on)]
        if known.type is not FieldType.IDENTITY
    ]


def is_asked(asked: FormField, filled: Filled, insurances: Collection[str]) -> bool:
    """Whether a field is asked for, given what it depends on."""
    rule = asked.depends_on
    if rule is None:
        return True
    if rule.key == "insurance_type":
        return any(each in rule.values for each in insurances)
    return str(filled.columns.get(rule.key) or filled.details.get(rule.key)) in rule.values


def consents_for(region: Region, keys: Collection[str], on: date) -> Iterator[str]:
    """The consents that these fields ask for, each once, in alphabetical order."""
    wanted = {region.application_field(key, on).consent for key in keys}
    yield from sorted(str(each) for each in wanted if each is not None)


def masks_of(region: Region, details: Mapping[str, str], on: date) -> dict[str, str]:
    """What is kept beside the seal, to be shown: masks, and plain words for choices that say nothing private."""
    return {key: mask(region, region.application_field(key, on), value, on) for key, value in details.items()}


def mask(region: Region, known: ApplicationField, value: str, on: date) -> str:
    """One value as it may be shown."""
    match known.type:
        case FieldType.CHOICE:
            label = next((each.label for each in options_of(region, known, on) if each.value == value), FILLED_IN)
            return label if known.shown_as_chosen else FILLED_IN
        case FieldType.PHONE:
            return f"{value[:3]}****{value[-4:]}"
        case FieldType.CARD_NUMBER:
            return mask_card_number(value)
        case _:
            return f"{value[:2]}**" if len(value) > 2 else "**"  # noqa: PLR2004 - of two characters nothing would be left to hide
