"""What states, steps, reasons and the working-day clock are called at the reviewers' desk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from config.clock import BEIJING, beijing_date
from config.rulebook import ApplicationKind, Status
from console.words import person
from models.applications import ApplicationState, DecisionReason
from models.reviews import OverrideState
from services.application_views import KINDS, REASONS, STEPS
from services.errors import BusinessError
from services.review_findings import Verdict
from services.review_queue import Part
from services.working_days import count_between

if TYPE_CHECKING:
    from datetime import date, datetime

    from config.rulebook import Region

_S = ApplicationState
STATES: Final = {
    _S.SUBMITTED: "待受理",
    _S.UNDER_REVIEW: "审核中",
    _S.RETURNED: "已退回补正",
    _S.APPROVED: "审核通过",
    _S.REJECTED: "审核不通过",
    _S.WITHDRAWN: "申请人已撤回",
    _S.LAPSED: "逾期未补正，已失效",
}
PARTS: Final = {Part.FREE: "待受理", Part.MINE: "我受理的", Part.TAKEN: "审核中", Part.FOR_SECOND: "待复核（破例）"}
DECISIONS: Final = {"APPROVE": "通过", "GIVE_BACK": "退回补正", "REJECT": "不通过"}
VERDICTS: Final = {Verdict.MET: "符合", Verdict.NOT_MET: "不符合", Verdict.NOT_ASKED: "未核对"}
KNOWN: Final = {
    Status.VERIFIED: "已核实",
    Status.SECONDARY: "转引",
    Status.DERIVED: "推定",
    Status.TO_CONFIRM: "待确认",
}
OVERRIDES: Final = {
    OverrideState.ASKED: "等待复核主管决定",
    OverrideState.GRANTED: "复核主管已同意，可以提交“通过”",
    OverrideState.REFUSED: "复核主管未同意",
    OverrideState.LAPSED: "已失效",
}
WEEKDAYS: Final = "一二三四五六日"


@dataclass(frozen=True)
class Clock:
    """How an application stands with its promised day; the words say it, and the tone only repeats them in colour."""

    text: str
    tone: str
    """late, soon or empty."""


def clock_of(region: Region, *, target_at: datetime | None, due_at: datetime, now: datetime) -> Clock:
    """In working days of the region, counted from today in Beijing."""
    due_day, today = last_day(due_at), beijing_date(now)
    if due_at < now:
        late = count_between(region, due_day, today)
        return Clock(f"已超期{late}个工作日" if late else "已超期", "late")
    left = count_between(region, today, due_day)
    text = f"还有{left}个工作日" if left else "今天到期"
    if target_at is not None and target_at < now:
        text += "，已过目标日"
    return Clock(text, "soon" if left <= 1 else "")


def last_day(moment: datetime) -> date:
    """The day that a term ends with: midnight ends the day before it."""
    return beijing_date(moment - timedelta(microseconds=1))


def deadline(moment: datetime) -> str:
    """2026-11-24（星期二）24:00, as people say when a day is over."""
    local = moment.astimezone(BEIJING)
    ends_the_day = (local.hour, local.minute, local.second) == (0, 0, 0)
    day = last_day(moment) if ends_the_day else local.date()
    return f"{day:%Y-%m-%d}（星期{WEEKDAYS[day.weekday()]}）{'24:00' if ends_the_day else f'{local:%H:%M}'}"


def kind(of: str) -> str:
    return KINDS[ApplicationKind(of)]


def state(of: str) -> str:
    return STATES[ApplicationState(of)]


def step(what: str) -> str:
    """A step with its reason, where it has one."""
    event, _, reason = what.partition(": ")
    title = STEPS.get(event, event)
    return f"{title}（{reason_of(reason)}）" if reason else title


def actor(who: str) -> str:
    """Who took a step: the applicant whatever their account, the staff by number."""
    return "申请人" if who.startswith("account:") else person(who)


def reason_of(reason: str | None) -> str:
    return REASONS[DecisionReason(reason)] if reason in set(DecisionReason) else reason or ""


def agency(region: Region, code: str | None) -> str:
    """As its window is called; by its code where the rulebook has forgotten it."""
    if code is None:
        return "未指定机构"
    known = region.agencies.get(code)
    return known.title if known else code


def yuan(fen: int | None) -> str:
    return "—" if fen is None else f"{fen // 100:,}.{fen % 100:02d}元"


def problem(code: str) -> str:
    """What stands in the way, by the title that everybody reads."""
    known = BusinessError.family.get(code)
    return known.title if known else code
