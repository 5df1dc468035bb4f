"""What stands on a registration form: the region's sections, filled in with what the applicant declared and what came of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from config.clock import BEIJING
from config.months import YearMonth
from config.rulebook import FieldType, NoRuleInForce, PrintedContent
from models.enrollments import EnrollmentState
from services.application_fields import options_of, said
from services.application_forms import SEX
from services.form_layout import GRID, LABEL, MM, Block, Cell, RowSpec
from services.printouts import insurance_label
from services.registration_form_standing import STATES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from config.rulebook import PrintedField, PrintedForm, PrintedSection, Region
    from services.people import IdNumber, OldForeignCardNumber
    from services.registration_form_standing import Held

SIGNATURE: Final = 32 * MM
DAY_TO_FILL_IN: Final = "年　　月　　日"
APPROVED: Final = "审核通过，准予参保登记。"
SAMPLE: Final = "（示例）"
COLUMNS: Final = (("险种", 0.33), ("缴费档次", 0.14), ("月缴费基数（元）", 0.21), ("起始年月", 0.16), ("参保状态", 0.16))
LABEL_SHARE: Final = LABEL / GRID


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that a form may ask for, opened."""

    on: date
    name: str = field(repr=False)
    number: IdNumber | OldForeignCardNumber = field(repr=False)
    columns: Mapping[str, Any] = field(repr=False)
    """Columns of the application, by the key of their field."""
    details: Mapping[str, str] = field(repr=False)
    held: Sequence[Held]
    documents: Sequence[str]
    """Kinds of paper."""
    decided_at: datetime | None


def blocks_of(region: Region, form: PrintedForm, facts: Facts) -> tuple[Block, ...]:
    """The form's sections with their rows, in the rulebook's order."""
    return tuple(
        Block(title=section.title, rows=tuple(rows)) for section in form.sections if (rows := _rows(region, section, facts))
    )


def _rows(region: Region, section: PrintedSection, facts: Facts) -> list[RowSpec]:
    match section.content:
        case PrintedContent.FIELDS:
            return _field_rows(region, section.fields, facts)
        case PrintedContent.INSURANCES:
            return _insurance_rows(region, facts)
        case PrintedContent.DOCUMENTS:
            return _document_rows(region, facts)
        case PrintedContent.TEXT:
            return [RowSpec(cells=(Cell(text=(section.text or "").strip(), share=1.0),))]
        case PrintedContent.SIGNATURES:
            return [_signatures(section, facts)]


def _field_rows(region: Region, fields: Sequence[PrintedField], facts: Facts) -> list[RowSpec]:
    """Two fields to a row, a wide one alone; one that is left over takes the row."""
    rows: list[RowSpec] = []
    waiting: PrintedField | None = None
    for each in fields:
        if each.is_wide or waiting is not None:
            if waiting is not None and each.is_wide:
                rows.append(_row(region, (waiting,), facts))
                waiting = None
            rows.append(_row(region, (each,) if waiting is None else (waiting, each), facts))
            waiting = None
        else:
            waiting = each
    if waiting is not None:
        rows.append(_row(region, (waiting,), facts))
    return rows


def _row(region: Region, fields: Sequence[PrintedField], facts: Facts) -> RowSpec:
    cells: list[Cell] = []
    for each in fields:
        label, value = _value(region, each, facts)
        cells.append(Cell(text=label, share=LABEL_SHARE, is_label=True, is_centred=True))
        cells.append(Cell(text=value, share=1 / len(fields) - LABEL_SHARE))
    return RowSpec(cells=tuple(cells))


def _value(region: Region, asked: PrintedField, facts: Facts) -> tuple[str, str]:
    """Label and value; what nobody filled in stays empty, to be written by hand."""
    try:
        known = region.application_field(asked.key, facts.on)
    except NoRuleInForce:  # it was asked for once
        return asked.label or asked.key, ""
    label = asked.label or known.label
    if known.type is FieldType.IDENTITY:
        return label, _identity(asked.key, facts)
    value = facts.columns.get(asked.key) or facts.details.get(asked.key)
    if value is None:
        return label, ""
    if known.type is FieldType.MONTH:
        return label, said(YearMonth.from_number(int(value)))
    if known.type is FieldType.DIVISION:
        area = region.pooling_areas.get(str(value))
        return label, f"{region.name}{area.name}" if area is not None else f"行政区划代码 {value}"
    if known.type is FieldType.CHOICE:
        labels = {option.value: option.label for option in options_of(region, known, facts.on)}
        return label, labels.get(str(value), str(value))
    return label, str(value)


def _identity(key: str, facts: Facts) -> str:
    born = facts.number.birth_date
    known = {
        "name": facts.name,
        "account_holder": facts.name,
        "id_number": facts.number.text,
        "sex": SEX[facts.number.is_female],
        "birth_date": f"{born.year}年{born.month}月{born.day}日",
    }
    return known.get(key, "")


def _insurance_rows(region: Region, facts: Facts) -> list[RowSpec]:
    if not facts.held:
        return []
    head = RowSpec(cells=tuple(Cell(text=title, share=share, is_label=True, is_centred=True) for title, share in COLUMNS))
    return [head, *(_insurance_row(region, each, facts) for each in facts.held)]


def _insurance_row(region: Region, held: Held, facts: Facts) -> RowSpec:
    tier, base = _tier_and_base(region, held)
    words = (
        insurance_label(region, held.insurance_type, on=facts.on),
        tier,
        base,
        said(YearMonth.from_number(held.start_month)),
        STATES[EnrollmentState(held.state)],
    )
    return RowSpec(
        cells=tuple(Cell(text=text, share=share, is_centred=True) for text, (_, share) in zip(words, COLUMNS, strict=True))
    )


def _tier_and_base(region: Region, held: Held) -> tuple[str, str]:
    """By the figures of the month in which the tier began: a later year's do not change what was printed."""
    base, mark, tier_label = held.declared_wage_fen, "", held.tier or "—"
    try:
        table = region.assessment_table(held.insurance_type, YearMonth.from_number(held.tier_from_month), held.tier_plan)
    except NoRuleInForce:
        table = None
    if table is not None and held.tier is not None and (tier := table.tier(held.tier)) is not None:
        tier_label, base = tier.label, tier.base_fen
        mark = SAMPLE if table.sample else ""
    return tier_label, "以当年公布为准" if base is None else f"{base // 100}.{base % 100:02d}{mark}"


def _document_rows(region: Region, facts: Facts) -> list[RowSpec]:
    known = list(region.documents)[::-1]
    kinds = sorted(facts.documents, key=lambda kind: known.index(kind) if kind in known else len(known))
    labels = [region.documents[kind].label if kind in region.documents else kind for kind in kinds]
    return [RowSpec(cells=(Cell(text="、".join(labels), share=1.0),))] if labels else []


def _signatures(section: PrintedSection, facts: Facts) -> RowSpec:
    share = 1 / len(section.signatures)
    cells = []
    for each in section.signatures:
        text, foot = f"{each.label}：", DAY_TO_FILL_IN
        if each.tells_decision and facts.decided_at is not None:
            day = facts.decided_at.astimezone(BEIJING)
            text, foot = f"{text}\n{APPROVED}", f"{day.year}年{day.month}月{day.day}日"
        cells.append(Cell(text=text, share=share, foot=foot))
    return RowSpec(cells=tuple(cells), least=SIGNATURE)
