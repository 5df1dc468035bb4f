"""What was declared, laid beside the papers that show it, for a reviewer who holds one against the other. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from config.months import YearMonth
from config.rulebook import ApplicationKind, FieldType, NoRuleInForce
from services.application_fields import COLUMNS, options_of
from services.application_forms import SEX
from services.application_steps import missing_documents
from services.application_views import item_view
from services.people import kept_number, mask_card_number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from config.rulebook import ApplicationField, Region
    from models.applications import ApplicationDocument
    from services.application_views import ItemView
    from services.reviews import ReviewView

NOT_TO_MEND: Final = frozenset({"name", "id_number", "sex", "birth_date", "account_holder"})
"""Come from the real name that was proven: the applicant cannot type them."""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """One field as the applicant filled it in, opened."""

    key: str
    label: str
    value: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Paper:
    """One photograph, and what should stand on it."""

    kind: str
    label: str
    look_for: str | None
    uploaded_at: datetime
    width: int
    height: int
    is_there: bool
    """False once its term is over and the picture was erased."""
    fields: list[Declared]


@dataclass(frozen=True, kw_only=True)
class Sheet:
    papers: list[Paper]
    missing: list[str]
    """Papers that the nearest complete set still lacks, by name."""
    others: list[Declared]
    """What no paper shows."""
    insurances: list[ItemView]
    to_mend: list[tuple[str, str]]
    """Key and name of all that may go back to be mended: papers first."""


def lay_out(region: Region, view: ReviewView, *, on: date) -> Sheet:
    """`on`: today. What the region's forms have forgotten since is shown under its key."""
    application = view.application
    declared = _declared(region, view, on)
    order = _kinds_in_order(region, application.kind, on)
    documents = sorted(application.documents, key=lambda each: order.index(each.kind) if each.kind in order else len(order))
    there = {each.kind: each for each in documents}
    papers = [_paper(region, each, declared) for each in documents]
    shown = {each.key for paper in papers for each in paper.fields}
    lacking = missing_documents(application, set(there), region=region, on=on)
    kinds = [*there, *[each["kind"] for each in lacking]]
    asked = [key for key in _asked(region, application.kind, on) if key not in NOT_TO_MEND]
    return Sheet(
        papers=papers,
        missing=[each["label"] for each in lacking],
        others=[each for key, each in declared.items() if key not in shown],
        insurances=[item_view(region, application, each, on) for each in application.items],
        to_mend=[
            *[(kind, _title(region, kind)) for kind in kinds],
            *[(key, region.application_field(key, on).label) for key in asked],
        ],
    )


def _paper(region: Region, row: ApplicationDocument, declared: Mapping[str, Declared]) -> Paper:
    known = region.documents.get(row.kind)
    return Paper(
        kind=row.kind,
        label=_title(region, row.kind),
        look_for=known.look_for if known else None,
        uploaded_at=row.uploaded_at,
        width=row.width,
        height=row.height,
        is_there=row.picture_key_sealed is not None,
        fields=[declared[key] for key in (known.shows if known else ()) if key in declared],
    )


def _title(region: Region, kind: str) -> str:
    return region.documents[kind].label if kind in region.documents else kind


def _asked(region: Region, kind: str, on: date) -> list[str]:
    """The keys of today's form, in its order."""
    try:
        return [each.key for each in region.application_form(ApplicationKind(kind), on).fields]
    except NoRuleInForce:
        return []


def _kinds_in_order(region: Region, kind: str, on: date) -> list[str]:
    """The kinds of paper, as the region asks for them."""
    try:
        return list(region.required_documents(ApplicationKind(kind), on).kinds)
    except NoRuleInForce:
        return []


def _declared(region: Region, view: ReviewView, on: date) -> dict[str, Declared]:
    """Everything that was filled in, in the order of the form; what the form does not ask for any more comes last."""
    row = view.application
    number = kept_number(view.id_number, today=on)
    given: dict[str, object] = {
        "name": view.name,
        "id_number": view.id_number,
        "sex": SEX[number.is_female],
        "birth_date": f"{number.birth_date:%Y-%m-%d}",
        **{key: getattr(row, key) for key in COLUMNS},
        **view.details,
    }
    if "card_number" in view.details:
        given["account_holder"] = view.name
    order = dict.fromkeys([*("name", "id_number", "sex", "birth_date"), *_asked(region, row.kind, on), *given])
    told = {key: _filled_in(region, key, given[key], on) for key in order if given.get(key) not in (None, "")}
    if "effective_month" in told and row.kind != ApplicationKind.SUSPENSION:
        # Nobody typed it: it is the month in which the application was handed in.
        told["effective_month"] = replace(told["effective_month"], label="参保起始月")
    return told


def _filled_in(region: Region, key: str, value: object, on: date) -> Declared:
    try:
        known = region.application_field(key, on)
    except NoRuleInForce:
        return Declared(key=key, label=key, value=str(value))
    return Declared(key=key, label=known.label, value=_as_read(region, known, value, on))


def _as_read(region: Region, known: ApplicationField, value: object, on: date) -> str:
    text = str(value)
    match known.type:
        case FieldType.CHOICE:
            return next((each.label for each in options_of(region, known, on) if each.value == text), text)
        case FieldType.DIVISION:
            return f"{name_of_division(region, text)}（{text}）"
        case FieldType.MONTH:
            month = YearMonth.from_number(int(text))
            return f"{month.year}年{month.month}月"
        case FieldType.CARD_NUMBER:
            # No paper shows it, so nobody at the desk needs it.
            return mask_card_number(text)
        case _:
            return text


def name_of_division(region: Region, code: str) -> str:
    """As far as the rulebook names it: an area of the region's own; else of which region or province it is one."""
    area = region.pooling_areas.get(code)
    if area is not None:
        above = region.pooling_areas.get(area.parent)
        return f"{above.name if above else region.name}{area.name}"
    at: Region | None = region
    while at is not None and at.parent is not None:  # above the provinces there is only the country
        if code.startswith(at.code[:2] if at.code.endswith("0000") else at.code[:4]):
            return f"{at.name}其他县（市、区）"
        at = at.parent
    return "外省（自治区、直辖市）"
