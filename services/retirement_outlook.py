"""The retirement outlook: when somebody may draw their pension, what must be paid until then, and what we know was paid.

A reckoning by the published rules, never a decision: HRSS decides (以人社部门核定为准), and knows months that we do not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from config.months import YearMonth
from config.rulebook import FixedAges, HotlineTopic, NoRuleInForce, Status
from models.bills import BillKind, ContributionRecord, RecordState
from models.enrollments import Enrollment
from models.people import Person
from services import retirement
from services.consents import refuse_taken_back
from services.errors import FaceCheckRequired
from services.people import kept_number
from services.personal_data import open_personal

if TYPE_CHECKING:
    import uuid
    from datetime import date

    from sqlalchemy.orm import Session

    from config.rulebook import Hotline, Region, RetirementTrack, StatutoryAges
    from models.accounts import Account
    from services.people import IdNumber, OldForeignCardNumber
    from services.ports import Ports

MARK: Final = re.compile(r"\s*\[[^\]]*\]")
"""[S-07]: for those who keep the rulebook."""
CONFIRMED: Final = frozenset({RecordState.TAX_CONFIRMED, RecordState.POSTED})
SEX: Final = {"MALE": "男职工", "FEMALE": "女职工"}


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a figure comes from, and how well it is known."""

    what: str
    source: str
    status: str
    """VERIFIED, SECONDARY, DERIVED or TO_CONFIRM; the last is shown with 以当地公布为准."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Between which months one may choose to retire (弹性退休)."""

    earliest_month: str
    earliest_minimum_months: int | None
    """What must be paid by whoever draws the pension then."""
    earliest_to_confirm: bool
    latest_month: str
    latest_to_confirm: bool


@dataclass(frozen=True, kw_only=True)
class TrackOutlook:
    """One track on which the person may be."""

    track: str
    title: str
    is_default: bool
    """Serves for the question whether one may still enrol, until HRSS has decided."""
    statutory_month: str
    age_years: int
    age_months: int
    """Beyond the years."""
    delay_months: int
    is_reached: bool
    months_left: int
    """Until the statutory month; 0 where it is reached."""
    minimum_months: int | None
    shortfall_months: int | None
    """By our own records and what the registrar counts besides; None where the minimum is not known."""
    choice: Choice | None
    """None where no choice was possible: of age before the rule was in force."""


@dataclass(frozen=True, kw_only=True)
class Paid:
    """Months of the pension by our records: each counts once, whatever was paid for it."""

    paid_months: int
    tax_confirmed_months: int
    posted_months: int
    first_month: str | None
    last_month: str | None
    months_elsewhere: int | None = None
    """What the registrar counts besides: paid by an employer, at a counter, in another place. None: the registrar has not said."""

    @property
    def total_months(self) -> int:
        """Both added up (R-XJ-03, R-XJ-06)."""
        return self.paid_months + (self.months_elsewhere or 0)


@dataclass(frozen=True, kw_only=True)
class Outlook:
    on: date
    region: str
    region_name: str
    name_masked: str
    rule_id: str | None
    tracks: list[TrackOutlook]
    contributions: Paid
    notes: list[str]
    sources: list[Source]
    hotline: Hotline


def read_outlook(ports: Ports, *, account: Account) -> Outlook:
    """The outlook of the account's own person, by the rules of the region where they are insured, or of this mini-program's first.

    Opening the ID number for it leaves its row. Raises FaceCheckRequired (nobody is verified here yet), ConsentRequired.
    """
    today = ports.today()
    with ports.begin() as session:
        refuse_taken_back(session, account_id=account.id, purpose="REAL_NAME")
        if account.person_id is None:
            raise FaceCheckRequired
        person = session.get_one(Person, account.person_id)
        opened = open_personal(
            ports, session, person, "id_number",
            purpose="retirement_outlook", who=f"account:{account.id}", now=ports.now(),
        )  # fmt: skip
        name_masked = person.name_masked
        paid = _paid(session, account.person_id)
        regions = ports.regions_of(account.miniprogram)
        region = _insured_in(session, account.person_id, regions) or regions[0]
    return outlook(region, kept_number(opened["id_number"], today=today), name_masked=name_masked, paid=paid, today=today)


def _paid(session: Session, person_id: uuid.UUID) -> Paid:
    rows = session.execute(
        select(ContributionRecord.coverage_month, ContributionRecord.state)
        .join(Enrollment, Enrollment.id == ContributionRecord.enrollment_id)
        .where(
            Enrollment.person_id == person_id,
            ContributionRecord.insurance_type == retirement.EMPLOYEE_PENSION,
            ContributionRecord.kind == BillKind.NORMAL,
            ContributionRecord.state != RecordState.REVERSED,
        )
    ).all()
    elsewhere = session.scalars(
        select(Enrollment.months_elsewhere).where(
            Enrollment.person_id == person_id,
            Enrollment.insurance_type == retirement.EMPLOYEE_PENSION,
            Enrollment.months_elsewhere.is_not(None),
        )
    ).all()
    # Two areas may have a record of the same month; it is one month all the same.
    months = sorted({row.coverage_month for row in rows})
    return Paid(
        paid_months=len(months),
        tax_confirmed_months=len({row.coverage_month for row in rows if row.state in CONFIRMED}),
        posted_months=len({row.coverage_month for row in rows if row.state == RecordState.POSTED}),
        first_month=str(YearMonth.from_number(months[0])) if months else None,
        last_month=str(YearMonth.from_number(months[-1])) if months else None,
        months_elsewhere=sum(each for each in elsewhere if each is not None) if elsewhere else None,
    )


def _insured_in(session: Session, person_id: uuid.UUID, regions: list[Region]) -> Region | None:
    """Where the pension is paid, or else was last changed, among the regions of the mini-program."""
    codes = session.scalars(
        select(Enrollment.region)
        .where(Enrollment.person_id == person_id, Enrollment.insurance_type == retirement.EMPLOYEE_PENSION)
        .order_by(Enrollment.state != "ACTIVE", Enrollment.updated_at.desc(), Enrollment.id.desc())
    ).all()
    return next((region for code in codes for region in regions if region.code == code), None)


# --- pure


def outlook(region: Region, number: IdNumber | OldForeignCardNumber, *, name_masked: str, paid: Paid, today: date) -> Outlook:
    """Reckon an outlook by the rule that is in force today. Never raises: without a rule there are no tracks, and a note says so."""
    line = region.hotline(HotlineTopic.ENROLLMENT)
    rule = _rule(region, today)
    tracks = () if rule is None else retirement.tracks_of(rule, is_female=number.is_female)
    told = (
        [] if rule is None else [_track(region, rule, each, born=number.birth_date, paid=paid, today=today) for each in tracks]
    )
    return Outlook(
        on=today,
        region=region.code,
        region_name=region.name,
        name_masked=name_masked,
        rule_id=None if rule is None else rule.id,
        tracks=told,
        contributions=paid,
        notes=list(_notes(rule, tracks, number.is_female, told, line, paid=paid)),
        sources=[] if rule is None else _sources(region, rule, told),
        hotline=line,
    )


def _rule(region: Region, today: date) -> StatutoryAges | None:
    try:
        rule = region.age_rule(today)
    except NoRuleInForce:
        return None
    return None if isinstance(rule, FixedAges) else rule


def _track(region: Region, rule: StatutoryAges, track: RetirementTrack, *, born: date, paid: Paid, today: date) -> TrackOutlook:
    at = retirement.statutory(track, born)
    window = retirement.window(rule, born, at)
    minimum = retirement.minimum(region, at.day)
    years, months = divmod(at.age_months, 12)
    is_reached = retirement.is_reached(rule, at, today)
    early = None if window is None else retirement.minimum(region, window.earliest)
    return TrackOutlook(
        track=track.track,
        title=f"{SEX[track.sex]}（原法定退休年龄{track.old_age}周岁）",
        is_default=track.track in (rule.default_track_male, rule.default_track_female),
        statutory_month=str(at.month),
        age_years=years,
        age_months=months,
        delay_months=at.delay_months,
        is_reached=is_reached,
        months_left=0 if is_reached else at.month.minus(YearMonth.of(today)),
        minimum_months=None if minimum is None else minimum.months,
        shortfall_months=None if minimum is None else max(minimum.months - paid.total_months, 0),
        choice=None
        if window is None
        else Choice(
            earliest_month=str(YearMonth.of(window.earliest)),
            earliest_minimum_months=None if early is None else early.months,
            earliest_to_confirm=rule.earlier.status is Status.TO_CONFIRM,
            latest_month=str(YearMonth.of(window.latest)),
            latest_to_confirm=rule.later.status is Status.TO_CONFIRM,
        ),
    )


def _notes(
    rule: StatutoryAges | None,
    tracks: tuple[RetirementTrack, ...],
    is_female: bool | None,  # noqa: FBT001 - None: the document does not tell
    told: list[TrackOutlook],
    line: Hotline,
    *,
    paid: Paid,
) -> list[str]:
    if rule is None:
        return [f"目前没有可供测算的退休年龄规定，以当地公布为准，咨询电话{line.number}。"]
    notes = [f"测算结果仅供参考，以人社部门核定为准，咨询电话{line.number}。"]
    if is_female is None:
        notes.append("您的证件号码看不出性别，下面列出所有可能的情况。")
    if is_female is not False and sum(each.sex == "FEMALE" for each in tracks) > 1:
        ages = "和".join(f"{each.old_age}周岁" for each in tracks if each.sex == "FEMALE")
        notes.append(
            f"女职工的原法定退休年龄有{ages}两种，由人社部门按您的参保和工作经历核定，从身份证号码看不出来，所以都列出。"
            "灵活就业人员一般按年龄较高的一种，以当地公布为准。"
        )
    notes.append(_added_up(paid))
    if any(each.shortfall_months for each in told):
        notes.append("到法定退休年龄时缴费年限不够的，可以继续缴费到最低年限，具体办法请到参保地经办窗口咨询。")
    if any(each.choice for each in told):
        notes.append("选择弹性提前退休，须达到当年的最低缴费年限，且不早于原法定退休年龄。")
        if rule.later.status is Status.TO_CONFIRM:
            notes.append("弹性延迟退休须与用人单位协商一致；灵活就业人员能否选择，以当地公布为准。")
    return notes


def _added_up(paid: Paid) -> str:
    """What the sum is made of, or what is not in it."""
    if paid.months_elsewhere is None:
        return (
            "缴费月数只统计经本系统缴纳的月份。在其他地区缴纳的、由单位缴纳的和以前在其他渠道缴纳的月份，这里查不到，也没有计入，"
            "累计缴费年限以社保经办机构的权益记录为准。"
        )
    return (
        f"缴费年限累计计算：合计{paid.total_months}个月，其中经本系统缴纳{paid.paid_months}个月，"
        f"经办机构登记的由单位缴纳、在其他渠道或其他地区缴纳的{paid.months_elsewhere}个月。以社保经办机构的权益记录为准。"
    )


def _sources(region: Region, rule: StatutoryAges, told: list[TrackOutlook]) -> list[Source]:
    """Each once; where one figure of several is less well known, that is what is told of it."""
    minimums = {
        (found.source, found.status)
        for each in told
        if (found := retirement.minimum(region, YearMonth.parse(each.statutory_month).first_day)) is not None
    }
    given = [
        ("法定退休年龄", rule.source, rule.status),
        ("弹性提前退休", rule.earlier.source, rule.earlier.status),
        ("弹性延迟退休", rule.later.source, rule.later.status),
        *(("最低缴费年限", source, status) for source, status in sorted(minimums)),
    ]
    return [Source(what=what, source=MARK.sub("", source), status=str(status)) for what, source, status in given]
