"""Reading a region's folder: strict YAML, every key known, and every fault of every file told at once.

A fault reads "file: key.path: what is wrong, such as <right example>", because the reader is a clerk with an editor.
"""

import difflib
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from config.rulebook_collection import CollectionCalendar, TierChangePolicy
from config.rulebook_documents import Document, RequiredDocuments
from config.rulebook_facts import RegionHeader, Row
from config.rulebook_forms import ApplicationField, ApplicationForm, ChangeReason, ResidentScheme
from config.rulebook_menus import MenuEntry
from config.rulebook_money import BaseLimits, Insurance, Rate, TierPlan
from config.rulebook_printed import PrintedForm
from config.rulebook_rows import (
    Agency,
    AnyEligibilityRule,
    ArrearsWindow,
    Bank,
    CalendarYear,
    CapabilityRule,
    EligibilityRule,
    Hotline,
    MendingTerm,
    MinimumContribution,
    Notice,
    PoolingAreaGroup,
    ReviewTerm,
)
from config.rulebook_withholding import DebitTerms, WithholdingTerms

SHAPES: tuple[type[Row], ...] = (
    Insurance,
    BaseLimits,
    Rate,
    TierPlan,
    CapabilityRule,
    ArrearsWindow,
    CollectionCalendar,
    TierChangePolicy,
    Document,
    RequiredDocuments,
    Hotline,
    Agency,
    Bank,
    PoolingAreaGroup,
    EligibilityRule,
    MinimumContribution,
    ReviewTerm,
    MendingTerm,
    Notice,
    CalendarYear,
    MenuEntry,
    ApplicationField,
    ApplicationForm,
    ChangeReason,
    ResidentScheme,
    PrintedForm,
    WithholdingTerms,
    DebitTerms,
)

# Shown behind every fault, by the key where it stands: a clerk copies the shape instead of asking what it is.
EXAMPLES: dict[str, object] = {
    "account_part_yuan": '"0"', "account_rate_per_mille": 80, "accepts": '[{hukou_prefix: "3204"}]',
    "address": "以当地公布为准", "allow_declared_wage": "false", "amount_yuan": '"300.00"', "application": "NEW_ENROLLMENT",
    "areas": '{"320402": 天宁区}', "authority": "tax-320400", "authority_name": "国家税务总局常州市税务局", "available": "true",
    "bank_category": '{code: "104", status: SECONDARY, source: a public code table}', "base_rounding": "WHOLE_YUAN",
    "base_year": 2026, "because": "户籍不在本市的请上传居住证", "besides": '[{kind: RESIDENCE_PERMIT, unless_hukou_prefix: "3204", because: 户籍不在本市的请上传居住证}]', "base_yuan": "6000", "capability": "ENROLL", "cash": "true", "ceiling_yuan": "24762",
    "checked_on": "2026-11-21", "code": '"320400" for a region, BOC for a bank', "counter": "ENTRUSTED_AGENCY",
    "cutoff_day": 25, "days_to_mend": 30, "debit_run_days": "[20, 25]",
    "day_ends": '"17:30"', "days_off": "[{first: 2026-10-01, last: 2026-10-07}]", "default": "true", "default_plan": "changzhou-2020-medical",
    "default_track_female": "F55", "default_track_male": "M60", "division_code": '"320402"', "due_working_days": 2,
    "earlier": "{months_at_most: 36, status: VERIFIED, source: 人社部发〔2024〕94号}",
    "effective_from": "2026-01-01", "effective_to": "2026-12-31", "elder": "true", "elder_title": "交社保", "explanation": "停保请到窗口办理。",
    "female_below": 55, "figures_only": "true", "files_from": '"09:00"', "first": "2026-10-01", "first_birth_month": '"1965-01"',
    "function": "PROVE_IDENTITY",
    "floor_yuan": "4952", "help": "拍摄时四角完整、字迹清楚。", "handled_by": "XPCC", "hours": "以当地公布为准", "hukou_prefix": '"3204"',
    "id": "jiangsu-2025", "insurance_type": '"110"', "issued_on": "2020-12-16", "issuer": "常州人社", "kind": "NONE",
    "label": "一档", "last": "2026-10-07", "later": "{months_at_most: 36, status: TO_CONFIRM, source: 人社部发〔2024〕94号}",
    "make_up_workdays": "[2026-10-10]", "male_below": 60,
    "maximum_delay_months": 36, "may_be_declined": "true", "minimum_age": 16, "months": 3, "months_at_most": 36, "name": "常州市",
    "note": "only seen in print", "number": '"12333"', "old_age": 60, "on_days_off": "NEXT_WORKDAY", "only_in": '["320402"]', "open_day": 1,
    "parent": '"320000"', "partial": "true",
    "percent_of_reference_wage": 60, "phone": '"12333"', "plans": "[changzhou-2020-medical]", "platforms": "[wechat, alipay]",
    "policy": "NEXT_MONTH", "pooling_part_yuan": '"300.00"', "precision": "DAY", "province_code": '"320000"', "provisional": "false",
    "published_on": "2025-09-18", "purpose": "REAL_NAME", "rate_per_mille": 200, "reading_seconds": 10, "reference_wage_yuan": "8254",
    "refund_two_people_above_fen": 200_000, "tax_confirms_within_working_days": 3,
    "registrar": "hrss", "remind_days_before": 7, "reminder_days_before": "[5, 1]", "replaced_by": "jiangsu-2026", "residence_prefix": '"3204"', "result_by": '"18:00"', "result_within_working_days": 1, "rounding": "HALF_UP_TO_FEN",
    "look_for": "有效期限未过", "shows": "[name, id_number]", "sets": "[[ID_FRONT, ID_BACK]]", "side": "COLLECTOR", "source": "苏人社发〔2025〕33号", "status": "VERIFIED", "step_months": 4,
    "supplement_due_on": "2026-12-31", "supplements_online": "true", "system": "XJ", "target_working_days": 1, "text": "（示例文本）", "tier": '"1"', "tiers": '[{tier: "1", label: 一档, base_yuan: 6000}]',
    "timezone": "Asia/Shanghai", "title": "职工基本医疗保险", "topic": "ENROLLMENT", "sex": "MALE", "track": "M60",
    "tracks": '[{track: M60, sex: MALE, old_age: 60, first_birth_month: "1965-01", step_months: 4, maximum_delay_months: 36}]',
    "under": "TO_DO", "unless_hukou_prefix": '"3204"', "version": '"2026-11-21"', "wage_reference_year": 2024, "year": 2026,
    "after": "请到税务小程序签订协议。", "asks_insurances": "true", "consent": "BANK_ACCOUNT", "depends_on": '{key: insurance_type, values: ["110"]}',
    "earliest": 0, "fields": "[{key: mobile}]", "key": "mobile", "latest": 1, "longest": 100,
    "options": "[{value: MALE, label: 男}]", "options_from": "BANKS", "required": "true", "shown_as_chosen": "true",
    "notice": "AGENCY_CLIENT", "sections": "[{title: 基本信息, fields: [{key: name}]}]", "content": "INSURANCES",
    "signatures": "[{label: 申请人（签名）}]", "tells_decision": "true", "is_wide": "true",
    "activation": "请在网点先激活金融功能。", "deposit": "请在协议卡里存足当月应缴的金额。", "ending": "解约请到签约的银行网点办理。",
    "is_main_way": "true", "recommended_card": "建议使用社会保障卡。", "signed_before": "原已签订协议的不用重复签订。", "where": "请到银行网点签订。",
    "step": "BASIC", "steps": "[{step: BASIC, title: 基本信息, fields: [{key: mobile}]}]", "submission": "SAVE_SUBMITS",
    "submit_label": "提交申报", "type": "TEXT", "value": "MALE", "values": '["110"]',
}  # fmt: skip

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FOLDER_NAME = re.compile(r"(\d{6})-[a-z0-9-]+")
_EACH_ROW = "each_row"
_UNION_TAGS = {"FIXED_AGES", "STATUTORY_AGES", "HUKOU"}
_BY_FILE = {shape.file: shape for shape in SHAPES}
_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    shape.file: TypeAdapter(AnyEligibilityRule if shape is EligibilityRule else shape) for shape in SHAPES
}


class RulebookFault(Exception):
    """The rulebook cannot be used; `faults` has every reason, each with file, key and a right example."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(faults)
        told = "\n".join(f"  {fault}" for fault in self.faults)
        super().__init__(f"the rulebook has {len(self.faults)} fault(s):\n{told}")


@dataclass(frozen=True)
class RegionFolder:
    """What a folder said, as far as it could be read."""

    code: str
    label: str
    header: RegionHeader | None
    rows: dict[type[Row], tuple[Row, ...]]
    is_whole: bool


@dataclass
class _File:
    """One file while it is read: collects faults, and remembers where, so that no key is blamed twice."""

    label: str
    faults: list[str]
    stem: str = ""
    named_by: str = ""
    labels: list[str] = field(default_factory=list)
    blamed: set[str] = field(default_factory=set)

    def blame(self, path: str, wrong: str) -> None:
        """Note a fault, with an example if the sentence has none."""
        if any(path == known or path.startswith((known + ".", known + "[")) for known in self.blamed):
            return
        self.blamed.add(path)
        leaf = re.sub(r"\[[^\]]*\]", "", path).rpartition(".")[2]
        if "such as" not in wrong and leaf in EXAMPLES:
            wrong = f"{wrong}, such as {leaf}: {EXAMPLES[leaf]}"
        self.faults.append(f"{self.label}: {path}: {wrong}" if path else f"{self.label}: {wrong}")


def region_folders(folders: tuple[Path, ...], faults: list[str]) -> Iterator[tuple[str, Path]]:
    """List the region folders by code; a later folder's region takes the place of an earlier one's, whole."""
    chosen: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            faults.append(f"{folder.name}: is not a folder; name one that holds region folders, such as config/regions")
            continue
        here: dict[str, Path] = {}
        for path in sorted(folder.iterdir()):
            if not path.is_dir() or path.name.startswith((".", "_")):
                continue
            named = _FOLDER_NAME.fullmatch(path.name)
            if named is None:
                faults.append(f"{folder.name}/{path.name}: a region folder is named <code>-<name>, such as 320400-changzhou")
            elif named[1] in here:
                faults.append(
                    f"{folder.name}/{path.name}: {here[named[1]].name} is the same region; "
                    "keep one folder for each, such as 320400-changzhou"
                )
            else:
                here[named[1]] = path
        if not here:
            faults.append(f"{folder.name}: holds no region folder, such as 320400-changzhou")
        chosen |= here
    yield from sorted(chosen.items())


def read_region(code: str, folder: Path, faults: list[str]) -> RegionFolder:
    """Read every file of one region; what is wrong goes into `faults`, what is right comes back."""
    before = len(faults)
    label = f"{folder.parent.name}/{folder.name}"
    header: RegionHeader | None = None
    rows: dict[type[Row], tuple[Row, ...]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in {".yaml", ".yml"}:
            continue
        shape = _BY_FILE.get(path.stem)
        file = _File(f"{label}/{path.name}", faults, path.stem, shape.named_by if shape else "")
        if path.name == "region.yaml":
            header = _read_header(file, path, code)
        elif path.suffix == ".yaml" and path.stem in _BY_FILE:
            rows[_BY_FILE[path.stem]] = tuple(_read_rows(file, path))
        else:
            near = difflib.get_close_matches(path.stem, _BY_FILE, 1, 0)[0]
            file.blame("", f"is not a file that a region has, such as {near}.yaml")
    if not (folder / "region.yaml").exists():
        faults.append(f"{label}/region.yaml: is missing; every region has one with at least code, name and "
                      f'province_code, such as code: "{code}"')  # fmt: skip
    return RegionFolder(code, label, header, rows, is_whole=len(faults) == before)


def _read_header(file: _File, path: Path, code: str) -> RegionHeader | None:
    given = _read_yaml(file, path)
    if given is None:
        return None
    header = _validate(file, TypeAdapter(RegionHeader), given, "")
    if not isinstance(header, RegionHeader):
        return None
    if header.code == code:
        return header
    file.blame("code", f'is "{header.code}" in a folder named {code}; write the folder\'s own, such as code: "{code}"')
    return None


def _read_rows(file: _File, path: Path) -> Iterator[Row]:
    stem, adapter = path.stem, _ADAPTERS[path.stem]
    given = _read_yaml(file, path)
    if given is None:
        return
    for key in given.keys() - {stem, _EACH_ROW}:
        file.blame(key, f"is not a key of this file; write its rows under {stem}, such as {stem}: [...]")
    common, listed = given.get(_EACH_ROW, {}), given.get(stem)
    if not isinstance(common, dict):
        file.blame(_EACH_ROW, "must map keys to what every row says, such as each_row: {checked_on: 2026-11-21}")
        return
    if not isinstance(listed, list):
        file.blame(stem, f"must be a list of rows, such as {stem}: [...]")
        return
    for label, own in zip(file.labels, listed, strict=True):
        if not isinstance(own, dict):
            file.blame(f"{stem}[{label}]", "must map keys to values, such as {status: VERIFIED, ...}")
            continue
        row = _validate(file, adapter, {**common, **own}, f"{stem}[{label}]", common.keys() - own.keys())
        if isinstance(row, Row):
            yield row


def _validate(
    file: _File, adapter: TypeAdapter[Any], given: dict[str, Any], path: str, shared: AbstractSet[str] = frozenset()
) -> object:
    try:
        return adapter.validate_python(given)
    except ValidationError as refused:
        errors = refused.errors(include_url=False)
        for error in errors:
            if error["type"] == "too_short" and _tells_inside(errors, error["loc"]):
                continue  # the list is not short: its items were refused, and are told themselves
            steps = [step for step in error["loc"] if step not in _UNION_TAGS]
            at = _EACH_ROW if steps and steps[0] in shared else path
            file.blame(_join(at, steps), _sentence(error, steps, given))
        return None


def _tells_inside(errors: list[ErrorDetails], place: tuple[str | int, ...]) -> bool:
    return any(len(error["loc"]) > len(place) and error["loc"][: len(place)] == place for error in errors)


def _join(path: str, steps: list[str | int]) -> str:
    for step in steps:
        if step == "[key]":
            continue
        path = f"{path}[{step + 1}]" if isinstance(step, int) else f"{path}.{step}" if path else step
    return path


def _sentence(error: ErrorDetails, steps: list[str | int], given: dict[str, Any]) -> str:
    match error["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            near = difflib.get_close_matches(str(steps[-1]), EXAMPLES, 1, 0)[0]
            return f"is not a key that we know here; did you mean another, such as {near}: {EXAMPLES[near]}?"
        case "value_error":
            return str(error["ctx"]["error"])
        case "string_type":
            return f"{error['input']!r} is not text; put it in quotes"
        case "union_tag_not_found" | "union_tag_invalid":
            return f"kind is {given.get('kind')!r}; write a kind that we know, such as kind: FIXED_AGES"
        case _:
            return f"{error['input']!r} will not do: {error['msg'][:1].lower()}{error['msg'][1:]}"


def _read_yaml(file: _File, path: Path) -> dict[str, Any] | None:
    try:
        loader = _LOADER(path.read_text(encoding="utf-8"))
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except (yaml.YAMLError, UnicodeDecodeError) as refused:
        mark = getattr(refused, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark is not None else ""
        problem = getattr(refused, "problem", None) or "is not UTF-8 text"
        file.blame("", f"{line}{problem}; write one key to a line, such as name: 常州市")
        return None
    if not isinstance(node, yaml.MappingNode):
        file.blame("", "must map keys to values, such as name: 常州市")
        return None
    plain = _plain(file, node, "")
    return plain if isinstance(plain, dict) else None


def _plain(file: _File, node: yaml.Node, path: str) -> Any:
    """Turn a node into plain values, refusing what YAML would quietly accept: doubled keys, floats, odd numbers."""
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
            here = f"{path}.{key}" if path else key
            if key in found:
                file.blame(here, "stands twice; keep one of the two")
                continue
            found[key] = _plain(file, value_node, here)
        return found
    if isinstance(node, yaml.SequenceNode):
        labels = [str(number) for number in range(1, len(node.value) + 1)]
        if path == file.stem:
            labels = file.labels = _row_labels(file, node)
        return [_plain(file, item, f"{path}[{label}]") for label, item in zip(labels, node.value, strict=True)]
    return _scalar(file, node, path)


def _row_labels(file: _File, rows: yaml.SequenceNode) -> list[str]:
    """Call each row by its own name (its id, its capability), or by its number where it has none."""
    labels: list[str] = []
    for number, row in enumerate(rows.value, 1):
        pairs = row.value if isinstance(row, yaml.MappingNode) else []
        called = next((str(value.value) for key, value in pairs if key.value == file.named_by), str(number))
        earlier = sum(label.partition("#")[0] == called for label in labels)
        labels.append(f"{called}#{earlier + 1}" if earlier else called)
    return labels


def _scalar(file: _File, node: yaml.Node, path: str) -> Any:
    text, kind = str(node.value), node.tag.rpartition(":")[2]
    match kind:
        case "null":
            return None
        case "bool":
            return text.lower() in {"true", "yes", "on"}
        case "int" if re.fullmatch(r"0|-?[1-9]\d*", text):
            return int(text)
        case "int":
            file.blame(path, f'{text} reads as another number than it looks; put it in quotes, such as "{text}"')
        case "float":
            file.blame(path, f'{text} is a float, which cannot hold money exactly; put it in quotes, such as "{text}"')
        case "timestamp":
            try:
                return date.fromisoformat(text)
            except ValueError:
                file.blame(path, f"{text} is no day; dates must be YYYY-MM-DD, such as 2026-01-01")
    return text
