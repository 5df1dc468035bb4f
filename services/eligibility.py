"""Who may enrol, resume or suspend: dated rules of the region, every reason at once, each with what to do and whom to call. Pure.

    reasons = check(Facts(kind=…, on=today, rulebook=…, region="320400", birth_date=…, is_female=…, choices=(Choice(…),), …))

An empty list: nothing is in the way. The first reason is the one to raise; where the region does not do it on the phone at all, or
the person is insured in another region, it stands alone, since no other would help.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from config.months import YearMonth
from config.rulebook import ApplicationKind, Capability, FixedAges, HotlineTopic, NoRuleInForce, UnknownRegion
from models.enrollments import EnrollmentState
from services import retirement
from services.application_errors import (
    ActiveElsewhere,
    AlreadyEnrolled,
    AlreadyRetired,
    AtPensionableAge,
    BelowMinimumAge,
    HukouNotEligible,
    NotActive,
    NotSuspended,
    PoolingAreaUnknown,
)
from services.bills import counter_of
from services.choices import Choice, check_choices
from services.errors import NotAvailableOnline, RegionMismatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from typing import Any

    from config.rulebook import HukouRule, Region, Rulebook
    from services.errors import BusinessError

__all__ = ["Choice", "Facts", "Held", "check"]

NEEDS: Final = {
    ApplicationKind.NEW_ENROLLMENT: Capability.ENROLL,
    ApplicationKind.RESUMPTION: Capability.RESUME,
    ApplicationKind.SUSPENSION: Capability.SUSPEND,
}
CALLED: Final = {
    ApplicationKind.NEW_ENROLLMENT: "参保登记",
    ApplicationKind.RESUMPTION: "续保",
    ApplicationKind.SUSPENSION: "停保",
}
IN_FORCE: Final = (EnrollmentState.ACTIVE, EnrollmentState.SUSPENDED)


@dataclass(frozen=True, kw_only=True)
class Held:
    """An enrolment that the person has, in any region."""

    region: str
    pooling_area: str
    insurance_type: str
    state: str
    """ACTIVE, SUSPENDED, TERMINATED or RETIRED, as the registrar says."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that the rules look at."""

    kind: ApplicationKind
    on: date
    """The day of submission in Beijing: it chooses the rules."""
    rulebook: Rulebook
    region: str
    """The region that was selected on the phone."""
    birth_date: date
    is_female: bool | None
    """None: the document does not tell; then the later age bounds."""
    choices: tuple[Choice, ...]
    """The insurances asked for; one that was declined (无) is left out."""
    hukou_division: str | None = None
    residence_division: str | None = None
    pooling_area: str | None = None
    """参保统筹区; None where it is not chosen yet."""
    enrollments: tuple[Held, ...] = ()
    agency: str | None = None
    """The agency that the person entrusted: its window is named where the phone cannot help (R-CZ-18)."""
    month: YearMonth | None = None
    """The first coverage month, whose tiers and limits count; None: the month of submission."""
    retirement_track: str | None = None
    """As HRSS decided it; None: the default track of the sex."""


def check(facts: Facts) -> list[BusinessError]:
    """List what stands in the way, the most decisive first; empty where nothing does. Never raises."""
    try:
        region = facts.rulebook.region(facts.region)
    except UnknownRegion:
        return [PoolingAreaUnknown(detail="请重新选择参保地区。")]
    try:
        alone = _not_online(facts, region) or _wrong_region(facts, region)
        if alone is not None:
            return [alone]
        found = [*_area(facts, region)]
        if facts.kind != ApplicationKind.SUSPENSION:
            found += [*_age(facts, region)]
        if facts.kind == ApplicationKind.NEW_ENROLLMENT:
            found += [*_hukou(facts, region)]
        found += [*_held(facts, region)]
        return found + check_choices(
            region,
            facts.choices,
            on=facts.on,
            month=facts.month or YearMonth.of(facts.on),
            with_tiers=facts.kind != ApplicationKind.SUSPENSION,
        )
    except NoRuleInForce:
        # No rule is a refusal with an explanation, never a default.
        return [_to_the_counter(region, facts.agency, f"本地区目前没有{CALLED[facts.kind]}的办理规定")]


# --- what stands alone


def _not_online(facts: Facts, region: Region) -> BusinessError | None:
    """R-CZ-16, R-CZ-18: the answer names the window, and is never a dead button."""
    rule = region.capability(NEEDS[facts.kind], facts.on)
    if rule.available:
        return None
    named = facts.agency if rule.counter in (None, "ENTRUSTED_AGENCY") else rule.counter
    return _to_the_counter(region, named, rule.explanation or f"{CALLED[facts.kind]}暂不能在手机上办理")


def _wrong_region(facts: Facts, region: Region) -> BusinessError | None:
    """Only where one is insured now can one resume or suspend there (R-XJ-28)."""
    if facts.kind == ApplicationKind.NEW_ENROLLMENT:
        return None
    states = IN_FORCE if facts.kind == ApplicationKind.RESUMPTION else (EnrollmentState.ACTIVE,)
    wanted = {choice.insurance_type for choice in facts.choices}
    held = [each for each in facts.enrollments if each.state in states and (not wanted or each.insurance_type in wanted)]
    if not held or any(each.region == region.code for each in held):
        return None
    # Of two, the one that is being paid is the current one.
    right = min(held, key=lambda each: (each.state != EnrollmentState.ACTIVE, each.region))
    name = _name_of(facts.rulebook, right.region)
    return RegionMismatch(
        detail=f"您当前的参保所在地区是{name}。请在首页把地区切换为{name}，再办理{CALLED[facts.kind]}。{_call(region)}",
        right_region=right.region,
        right_region_name=name,
    )


# --- the person


def _area(facts: Facts, region: Region) -> Iterator[BusinessError]:
    if facts.pooling_area is None:
        return
    area = region.pooling_areas.get(facts.pooling_area)
    if area is None:
        yield PoolingAreaUnknown(detail=f"{region.name}没有所选的参保统筹区，请从列表中重新选择。{_call(region)}")
    elif area.handled_by is not None:
        yield _to_the_counter(region, area.handled_by, f"{area.name}的参保业务由当地另设的经办机构办理，不能在这里申报")


def _age(facts: Facts, region: Region) -> Iterator[BusinessError]:
    rule = region.age_rule(facts.on)
    if retirement.completed_years(facts.birth_date, facts.on) < rule.minimum_age:
        day = retirement.birthday(facts.birth_date, rule.minimum_age)
        yield BelowMinimumAge(
            detail=f"年满{rule.minimum_age}周岁才能参保，您在{day.year}年{day.month}月{day.day}日以后可以办理。{_call(region)}",
            from_day=day.isoformat(),
        )
    born, is_female, track = facts.birth_date, facts.is_female, facts.retirement_track
    if not retirement.is_of_age(rule, birth_date=born, is_female=is_female, on=facts.on, track=track):
        return
    told: dict[str, Any] = {"counter": counter_of(region, facts.agency, HotlineTopic.ENROLLMENT)}
    reached = "您已达到退休年龄"
    if not isinstance(rule, FixedAges):
        month = retirement.bounding(rule, birth_date=born, is_female=is_female, track=track).month
        reached = f"按国家规定测算，您的法定退休时间是{month.year}年{month.month}月，已经到达"
        told["statutory_month"] = str(month)
    yield AtPensionableAge(
        detail=f"{reached}（以人社部门核定为准），不能再{CALLED[facts.kind]}。缴费年限已够的请申领养老金；"
        f"不够的可以咨询延长缴费，请到{_window(told['counter'])}。",
        **told,
    )


def _hukou(facts: Facts, region: Region) -> Iterator[BusinessError]:
    rule = region.hukou_rule(facts.on)
    for match in rule.accepts:
        pairs = ((match.hukou_prefix, facts.hukou_division), (match.residence_prefix, facts.residence_division))
        if all(prefix is None or (given or "").startswith(prefix) for prefix, given in pairs):
            return
    yield HukouNotEligible(
        detail=f"在{region.name}参保，须{_accepted(rule, region)}。请核对所填的户籍地和居住地；确实不符的，请在户籍地或居住地参保。"
        f"{_call(region)}",
        rule=rule.id,
    )


def _accepted(rule: HukouRule, region: Region) -> str:
    said = []
    for match in rule.accepts:
        where = [f"户籍在{_place(region, match.hukou_prefix)}"] if match.hukou_prefix else []
        where += [f"居住在{_place(region, match.residence_prefix)}"] if match.residence_prefix else []
        said.append("并".join(where))
    return "，或者".join(said)


def _place(region: Region, prefix: str) -> str:
    """The name of the division that a prefix stands for, among the region and those above it."""
    at: Region | None = region
    while at is not None:
        if at.code == prefix.ljust(6, "0"):
            return at.name
        at = at.parent
    return f"行政区划代码{prefix}开头的地区"


# --- what the person has already


def _held(facts: Facts, region: Region) -> Iterator[BusinessError]:
    for insurance_type in dict.fromkeys(choice.insurance_type for choice in facts.choices):
        held = [each for each in facts.enrollments if each.insurance_type == insurance_type]
        fault = _holding(facts, region, held, _title_of(region, insurance_type, facts.on))
        if fault is not None:
            yield fault


def _holding(facts: Facts, region: Region, held: list[Held], title: str) -> BusinessError | None:
    here = {each.state: each for each in held if each.region == region.code}
    elsewhere = next((each for each in held if each.region != region.code and each.state == EnrollmentState.ACTIVE), None)
    call = _call(region)
    if facts.kind == ApplicationKind.SUSPENSION:
        if EnrollmentState.ACTIVE in here:
            return None
        return NotActive(detail=f"您在{region.name}的{title}不是正常参保状态，不需要停保。请刷新后核对。{call}")
    if any(each.state == EnrollmentState.RETIRED for each in held):
        return AlreadyRetired(detail=f"您的{title}已办理退休，不再参保缴费。{call}")
    if EnrollmentState.ACTIVE in here:
        if facts.kind == ApplicationKind.RESUMPTION:
            return NotSuspended(detail=f"您的{title}目前是正常参保，不需要续保，请直接缴费。{call}")
        return AlreadyEnrolled(detail=f"您已在{region.name}参加{title}，不需要再次参保，请直接缴费。{call}")
    if elsewhere is not None:
        name = _name_of(facts.rulebook, elsewhere.region)
        return ActiveElsewhere(
            detail=f"您正在{name}参加{title}，同一险种不能在两地同时参保。请先在{name}办理停保；由单位参保的，请单位办理。{call}",
            right_region=elsewhere.region,
            right_region_name=name,
        )
    if facts.kind == ApplicationKind.NEW_ENROLLMENT and EnrollmentState.SUSPENDED in here:
        return AlreadyEnrolled(detail=f"您在{region.name}的{title}目前是暂停参保，请办理“续保”，不要重新参保。{call}")
    if facts.kind == ApplicationKind.RESUMPTION and EnrollmentState.SUSPENDED not in here:
        return NotSuspended(
            detail=f"没有查到您在{region.name}暂停的{title}。从未参保的请办理“新参保”；"
            f"以前由单位参保的，信息可能还没有传到，请次日再查。{call}"
        )
    return None


# --- words


def _to_the_counter(region: Region, agency: str | None, why: str) -> BusinessError:
    counter = counter_of(region, agency, HotlineTopic.ENROLLMENT)
    return NotAvailableOnline(detail=f"{why.rstrip('。')}。请到{_window(counter)}。", counter=counter)


def _window(counter: dict[str, Any]) -> str:
    return (
        f"{counter['name']}办理（地址：{counter['address']}；办公时间：{counter['hours']}；电话：{counter['phone']}），"
        f"咨询热线{counter['hotline']}"
    )


def _call(region: Region) -> str:
    line = region.hotline(HotlineTopic.ENROLLMENT)
    return f"咨询电话{line.number}{'（以当地公布为准）' if line.to_confirm else ''}。"


def _name_of(rulebook: Rulebook, code: str) -> str:
    region = rulebook.regions.get(code)
    return f"其他地区（{code}）" if region is None else region.name


def _title_of(region: Region, insurance_type: str, on: date) -> str:
    try:
        return region.insurance(insurance_type, on).label
    except NoRuleInForce:
        return f"险种{insurance_type}"
