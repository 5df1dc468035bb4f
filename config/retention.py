"""How long what is kept: dated policies in retention.yaml, strictly read, because a misread row would erase for ever."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from config.clock import BEIJING
from config.months import YearMonth
from config.yaml_files import read_yaml

SHIPPED: Final = Path(__file__).parent / "retention.yaml"
WAYS: Final = ("keep_days", "keep_months", "with_account", "for_ever")
EXAMPLES: Final = {
    "policy": "sms-codes", "table": "sms_codes", "column": "sent_at", "keep_days": 30, "keep_months": 6, "with_account": "true",
    "for_ever": "true", "erases": "[content_sealed]", "table_to_come": "true", "legal_ground": "网络安全法第23条",
    "source": "网络安全法（2025年修正）", "effective_from": "2026-11-22", "status": "TO_CONFIRM",
}  # fmt: skip
WRITTEN: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not a key of a policy",
}
_LATER = 'a change of a policy is a second row with a later "effective_from"'

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,62}$")]


class RetentionFault(Exception):
    """The policies cannot be used; the sentences say which file, row and key, and what a right one looks like."""


class Policy(BaseModel):
    """One rule from one day on: which rows of which table, how long after which moment, and by what right."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{2,39}$")]
    table: Word
    column: Word | None = None
    """The moment that counts. A row where it is empty is not over yet, and stays."""
    keep_days: Annotated[int, Field(ge=1, strict=True)] | None = None
    keep_months: Annotated[int, Field(ge=1, strict=True)] | None = None
    with_account: Literal[True] | None = None
    """Until its holder deletes the account."""
    for_ever: Literal[True] | None = None
    erases: tuple[Word, ...] = ()
    """Columns that are emptied while the row stays; none: the row goes."""
    table_to_come: bool = False
    """The table is of a later release: told in the reference, applied from the day it exists."""
    legal_ground: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    effective_from: date
    status: Literal["CONFIRMED", "TO_CONFIRM"]

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        said = [way for way in WAYS if getattr(self, way) is not None]
        if len(said) != 1:
            raise ValueError(f"says {' and '.join(said) or 'no term'}; say one of {', '.join(WAYS)}, such as keep_days: 30")
        if self.has_a_term and self.column is None:
            raise ValueError("has a term and no moment that it counts from; add one, such as column: created_at")
        if not self.has_a_term and (self.column or self.erases):
            raise ValueError(f"says {said[0]}, so nothing is ever erased; leave out column and erases, or write keep_days: 30")
        return self

    @property
    def has_a_term(self) -> bool:
        return self.keep_days is not None or self.keep_months is not None

    def older_than(self, today: date) -> datetime | None:
        """Midnight in Beijing before which a moment is over its term today; None where nothing ever is.

        A whole day more than the term, never less: what happened late on its first day is kept until the last day ends.
        """
        if self.keep_days is not None:
            first_kept = today - timedelta(days=self.keep_days)
        elif self.keep_months is not None:
            month = YearMonth.of(today).plus(-self.keep_months)
            first_kept = min(month.first_day + timedelta(days=today.day - 1), month.last_day)
        else:
            return None
        return datetime.combine(first_kept, time.min, tzinfo=BEIJING)

    @property
    def told(self) -> str:
        """The term in Chinese, for the person whose data it is."""
        if self.keep_days is not None:
            return f"{self.keep_days}天"
        if self.keep_months is not None:
            years, months = divmod(self.keep_months, 12)
            return f"{self.keep_months}个月" if months else f"{years}年"
        return "至账户注销" if self.with_account else "依法长期保存"


@dataclass(frozen=True)
class Retention:
    """All policies, past and to come."""

    policies: tuple[Policy, ...]

    def in_force(self, today: date) -> list[Policy]:
        """The newest row of each policy that has begun, in the file's order."""
        newest: dict[str, Policy] = {}
        for each in self.policies:
            known = newest.get(each.policy)
            if each.effective_from <= today and (known is None or known.effective_from < each.effective_from):
                newest[each.policy] = each
        return list(newest.values())

    def of_table(self, table: str, today: date) -> list[Policy]:
        return [each for each in self.in_force(today) if each.table == table]


def load_retention(path: Path = SHIPPED) -> Retention:
    """Read the policies. Raises RetentionFault with every fault of the file: row, key, and a right example."""
    try:
        given: Any = read_yaml(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as fault:
        raise RetentionFault(f"{path.name}: cannot be read: {fault}") from None
    if not isinstance(given, list) or not given:
        raise RetentionFault(f"{path.name}: must be a list of policies, such as - {{policy: sms-codes, …}}")
    faults: list[str] = []
    policies: list[Policy] = []
    for at, row in enumerate(given, start=1):
        name = f"{path.name}: row {at}"
        if isinstance(row, dict) and isinstance(row.get("policy"), str):
            name += f" ({row['policy']})"
        try:
            policies.append(Policy.model_validate(row))
        except ValidationError as fault:
            faults += [f"{name}: {_sentence(each)}" for each in fault.errors()]
    faults += _clashes(path.name, policies)
    if faults:
        raise RetentionFault("\n".join(faults))
    return Retention(tuple(policies))


@cache
def shipped_retention() -> Retention:
    """The policies that come with this release, read once a process. Raises RetentionFault."""
    return load_retention()


def _sentence(fault: Any) -> str:
    key = str(fault["loc"][0]) if fault["loc"] else ""
    if not key:
        return re.sub(r"^Value error, ", "", fault["msg"])
    said = WRITTEN.get(fault["type"], f"{fault['input']!r} will not do")
    example = f", such as {key}: {EXAMPLES[key]}" if key in EXAMPLES else ""
    return f"{key}: {said}{example}"


def _clashes(file: str, policies: list[Policy]) -> list[str]:
    """Two rows that would both be in force, and a policy that changes its table: then its name says nothing."""
    faults = []
    seen: dict[str, Policy] = {}
    for each in policies:
        first = seen.setdefault(each.policy, each)
        if first is each:
            continue
        if first.table != each.table:
            faults.append(
                f"{file}: {each.policy}: stands for {first.table} and for {each.table}; give one of them another name"
            )
        days = [other for other in policies if (other.policy, other.effective_from) == (each.policy, each.effective_from)]
        if days[0] is not each:
            faults.append(f"{file}: {each.policy}: two rows from {each.effective_from}; {_LATER}")
    return faults
