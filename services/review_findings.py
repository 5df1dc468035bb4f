"""What the rules say to an application, point by point, each with the rule that says so: for the reviewer who has to answer for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from config.rulebook import ApplicationKind, NoRuleInForce
from services.eligibility import NEEDS
from services.reviews import Obstacle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from config.rulebook import Region
    from config.rulebook_facts import Row


class Verdict(StrEnum):
    MET = "MET"
    NOT_MET = "NOT_MET"
    NOT_ASKED = "NOT_ASKED"
    """Something before it already says no, and the rules go no further."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The rule behind a finding, as the rulebook has it."""

    rule: str
    source: str
    status: str
    effective_from: date


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One point of the rules."""

    what: str
    verdict: Verdict
    obstacles: tuple[Obstacle, ...]
    ground: Ground | None
    """None: no single rule of the region."""
    by: str
    """What it was held against, where that is no single rule."""


ALONE: Final = frozenset({"NOT_AVAILABLE_ONLINE", "REGION_MISMATCH"})
"""Where one of these stands, the rules have not asked the others."""
RECORDS: Final = frozenset(
    {"ACTIVE_ELSEWHERE", "ALREADY_ENROLLED", "ALREADY_RETIRED", "NOT_SUSPENDED", "NOT_ACTIVE", "REGION_MISMATCH"}
)
CHOICES: Final = frozenset(
    {
        "NO_INSURANCE_SELECTED",
        "INSURANCE_NOT_OFFERED",
        "TIER_NOT_OFFERED",
        "DECLARED_WAGE_OUT_OF_LIMITS",
        "POOLING_AREA_UNKNOWN",
    }
)
OF_THE_DAY: Final = "提交当日没有这项规定"
AGES: Final = frozenset({"BELOW_MINIMUM_AGE", "AT_PENSIONABLE_AGE"})


def findings(
    region: Region, *, kind: ApplicationKind, obstacles: Sequence[Obstacle], missing: Sequence[str], on: date
) -> list[Finding]:
    """Every point that this kind of application is held against. `on`: the day of submission, whose rules count.

    `missing`: papers that are not there. An obstacle that belongs to no point gets one of its own: none is left out.
    """
    codes = {each.code for each in obstacles}
    points: list[tuple[str, frozenset[str], Callable[[], Row] | str]] = [
        ("网上办理", frozenset({"NOT_AVAILABLE_ONLINE"}), lambda: region.capability(NEEDS[kind], on)),
    ]
    if kind != ApplicationKind.SUSPENSION:
        points.append(("年龄", AGES, lambda: region.age_rule(on)))
    if kind == ApplicationKind.NEW_ENROLLMENT:
        points.append(("户籍和居住地", frozenset({"HUKOU_NOT_ELIGIBLE"}), lambda: region.hukou_rule(on)))
    points += [("已有的参保", RECORDS, "本系统的参保记录"), ("险种、档次和统筹区", CHOICES, "本地区开办的险种和当月的缴费标准")]
    told = []
    for what, mine, rule in points:
        found = tuple(each for each in obstacles if each.code in mine)
        verdict = Verdict.NOT_MET if found else Verdict.NOT_ASKED if codes & ALONE else Verdict.MET
        told.append(Finding(what=what, verdict=verdict, obstacles=found, ground=_ground(rule), by=_by(rule)))
    known = frozenset().union(*[mine for _, mine, _ in points])
    told += [
        Finding(what=each.title, verdict=Verdict.NOT_MET, obstacles=(each,), ground=None, by=OF_THE_DAY)
        for each in obstacles
        if each.code not in known
    ]
    told.append(_papers(region, kind=kind, missing=missing, on=on))
    return told


def _papers(region: Region, *, kind: ApplicationKind, missing: Sequence[str], on: date) -> Finding:
    lacking: tuple[Obstacle, ...] = ()
    if missing:
        detail = f"还缺：{'、'.join(missing)}。可以退回补正。"
        lacking = (Obstacle(code="DOCUMENTS_MISSING", title="材料不齐", detail=detail, may_be_overridden=False),)
    verdict = Verdict.NOT_MET if lacking else Verdict.MET
    ground = _ground(lambda: region.required_documents(kind, on))
    return Finding(what="材料", verdict=verdict, obstacles=lacking, ground=ground, by=OF_THE_DAY)


def _ground(rule: Callable[[], Row] | str) -> Ground | None:
    if isinstance(rule, str):
        return None
    try:
        row = rule()
    except NoRuleInForce:
        return None
    return Ground(rule=f"{row.file}：{row.name}", source=row.source, status=str(row.status), effective_from=row.effective_from)


def _by(rule: Callable[[], Row] | str) -> str:
    return rule if isinstance(rule, str) else OF_THE_DAY
