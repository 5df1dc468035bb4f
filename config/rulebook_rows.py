"""The rows that decide no amount: what the phone can do, who may enrol, with which papers, and whom to ask."""

import hashlib
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from config.months import YearMonth
from config.rulebook_facts import Day, DivisionCode, InsuranceCode, Month, Name, Part, Row, RowId, Status, Text


class Capability(StrEnum):
    """What a region lets a person do on the phone; the channel of each is the mini-program's affair."""

    ENROLL = "ENROLL"
    RESUME = "RESUME"
    SUSPEND = "SUSPEND"
    BACK_PAY = "BACK_PAY"
    PAY_OWN = "PAY_OWN"
    PAY_FOR_OTHERS = "PAY_FOR_OTHERS"
    WITHHOLDING_SIGN_ONLINE = "WITHHOLDING_SIGN_ONLINE"
    JOINT_CASE = "JOINT_CASE"
    PRINT_REGISTRATION_FORM = "PRINT_REGISTRATION_FORM"


class ArrearsKind(StrEnum):
    """Which past months may still be paid on the phone."""

    NONE = "NONE"
    SAME_YEAR = "SAME_YEAR"
    N_MONTHS = "N_MONTHS"


class HotlineTopic(StrEnum):
    """Whom to call about what."""

    ENROLLMENT = "ENROLLMENT"
    PAYMENT = "PAYMENT"
    MEDICAL = "MEDICAL"


class NoticePurpose(StrEnum):
    """What a text asks consent for, or tells; one purpose each, never bundled."""

    REAL_NAME = "REAL_NAME"
    FACE = "FACE"
    BANK_CARD = "BANK_CARD"
    PROXY_PAYMENT = "PROXY_PAYMENT"
    PHONE = "PHONE"
    DOCUMENTS = "DOCUMENTS"
    BANK_ACCOUNT = "BANK_ACCOUNT"
    WITHHOLDING = "WITHHOLDING"
    """委托扣款: the agreement's own text, read before it is signed."""
    ENROLLMENT = "ENROLLMENT"
    AGENCY_CLIENT = "AGENCY_CLIENT"


class ApplicationKind(StrEnum):
    """The businesses that ask for documents."""

    NEW_ENROLLMENT = "NEW_ENROLLMENT"
    RESUMPTION = "RESUMPTION"
    SUSPENSION = "SUSPENSION"


class CapabilityRule(Row):
    """Whether the phone can do it, and if not: why, in the words for the person, and at which counter instead."""

    file, named_by = "capabilities", "capability"
    capability: Capability
    available: bool
    explanation: Text | None = None
    counter: Name | None = None
    """ENTRUSTED_AGENCY (the person's own agency), BANK_BRANCH, or the code of an agency."""

    @model_validator(mode="after")
    def _refusal_is_explained(self) -> Self:
        if not self.available and self.explanation is None:
            raise ValueError("what is not available needs an explanation for the person, "
                             "such as 停保请到您委托代理的劳动就业管理机构窗口办理。")  # fmt: skip
        return self


class ArrearsWindow(Row):
    """Which months may still be paid on the phone."""

    file, named_by = "arrears", "insurance_type"
    insurance_type: InsuranceCode
    kind: ArrearsKind
    months: Annotated[int, Field(gt=0, le=120)] | None = None

    @model_validator(mode="after")
    def _months_belong_to_n_months(self) -> Self:
        if (self.kind is ArrearsKind.N_MONTHS) != (self.months is not None):
            raise ValueError("months belongs to kind N_MONTHS and to no other, such as kind: N_MONTHS, months: 3")
        return self

    def allows(self, coverage_month: YearMonth, today: date) -> bool:
        """Ask whether the coverage month may be paid today: the current month always, the past by kind, never the future."""
        age = YearMonth.of(today).minus(coverage_month)
        match self.kind:
            case ArrearsKind.NONE:
                return age == 0
            case ArrearsKind.SAME_YEAR:
                return age >= 0 and coverage_month.year == today.year
            case ArrearsKind.N_MONTHS:
                return 0 <= age <= (self.months or 0)


class Hotline(Row):
    """Whom to call; an unconfirmed number is shown with 以当地公布为准."""

    file, named_by = "hotlines", "topic"
    topic: HotlineTopic
    number: Annotated[str, Field(pattern=r"^[0-9-]{5,14}$")]
    label: Text

    @property
    def to_confirm(self) -> bool:
        return self.status is Status.TO_CONFIRM


class Agency(Row):
    """A labour-affairs or social-security agency with a window; exactly one of a region is its default."""

    file, named_by = "agencies", "code"
    code: Name
    title: Text
    division_code: DivisionCode
    default: bool = False
    address: Text
    hours: Text
    phone: Text


class BankCategory(Part):
    """行别: the first three digits of the interbank number."""

    code: Annotated[str, Field(pattern=r"^\d{3}$")]
    status: Status
    source: Annotated[str, Field(min_length=4)]


class Bank(Row):
    """A bank that takes contributions or debits agreements."""

    file, named_by = "banks", "code"
    code: Name
    title: Text
    cash: bool
    bank_category: BankCategory


class PoolingAreaGroup(Row):
    """Handling areas (参保统筹区) under one parent, with one system and one source."""

    file, named_by = "pooling_areas", "parent"
    parent: DivisionCode
    system: Annotated[str, Field(pattern=r"^[A-Z]{2,8}$")]
    handled_by: Name | None = None
    """The agency that handles these areas itself, so that this phone does not; none: the phone does."""
    areas: Annotated[dict[DivisionCode, Text], Field(min_length=1)]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.areas)


class ReviewTerm(Row):
    """Within how many working days after the day of submission an application is decided (R-CZ-36)."""

    file, named_by = "review_terms", "application"
    application: ApplicationKind
    target_working_days: Annotated[int, Field(ge=1, le=60)]
    due_working_days: Annotated[int, Field(ge=1, le=60)]
    day_ends: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]
    """When a working day is over, by the region's clock."""

    @model_validator(mode="after")
    def _target_comes_first(self) -> Self:
        if self.target_working_days > self.due_working_days:
            raise ValueError("target_working_days is more than due_working_days; aim earlier than you must, such as 1 of 2")
        return self


class MendingTerm(Row):
    """How long an application that came back (补正) waits to be mended and handed in again; then it lapses."""

    file, named_by = "mending_terms", "application"
    application: ApplicationKind
    days_to_mend: Annotated[int, Field(ge=1, le=366)]
    """Whole Beijing days after the day on which it was returned; the last of them still counts."""
    remind_days_before: Annotated[int, Field(ge=0, le=60)]
    """How many days before the last one its applicant is reminded; 0: on the last day."""

    @model_validator(mode="after")
    def _reminds_after_the_return(self) -> Self:
        if self.remind_days_before >= self.days_to_mend:
            raise ValueError("remind_days_before is not less than days_to_mend; remind later than you return, such as 7 of 30")
        return self


class EligibilityRule(Row):
    """A dated rule on who may enrol; its functions live in services, its figures here."""

    file, named_by = "eligibility", "id"
    id: RowId


class FixedAges(EligibilityRule):
    """Enrolment from one age until a fixed age by sex."""

    kind: Literal["FIXED_AGES"]
    minimum_age: Annotated[int, Field(ge=14, le=30)]
    male_below: Annotated[int, Field(ge=40, le=80)]
    female_below: Annotated[int, Field(ge=40, le=80)]

    @property
    def keys(self) -> tuple[str, ...]:
        return ("AGE",)


class RetirementTrack(Part):
    """One track of the delayed retirement: from old_age, a month later per step_months of birth, up to a maximum."""

    track: Name
    sex: Literal["MALE", "FEMALE"]
    old_age: Annotated[int, Field(ge=40, le=80)]
    first_birth_month: Month
    step_months: Annotated[int, Field(ge=1, le=12)]
    maximum_delay_months: Annotated[int, Field(ge=0, le=120)]


class RetirementChoice(Part):
    """How far from the statutory date a person may choose to retire (弹性退休), and how well that is known."""

    months_at_most: Annotated[int, Field(ge=0, le=120)]
    status: Status
    source: Annotated[str, Field(min_length=4)]


class StatutoryAges(EligibilityRule):
    """Enrolment from one age until the statutory retirement date of the person's track."""

    kind: Literal["STATUTORY_AGES"]
    minimum_age: Annotated[int, Field(ge=14, le=30)]
    precision: Literal["DAY", "MONTH"]
    default_track_male: Name
    default_track_female: Name
    earlier: RetirementChoice
    """By the person's own choice, never below the old age of the track."""
    later: RetirementChoice
    """In agreement with an employer."""
    tracks: Annotated[tuple[RetirementTrack, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _defaults_exist(self) -> Self:
        known = [track.track for track in self.tracks]
        for wanted in (self.default_track_male, self.default_track_female):
            if wanted not in known:
                raise ValueError(f"default track {wanted} is not among tracks; name one of them, such as {known[0]}")
        for wanted, sex in ((self.default_track_male, "MALE"), (self.default_track_female, "FEMALE")):
            if self.track(wanted).sex != sex:
                raise ValueError(f"default track {wanted} is not one of that sex; name one that is, such as sex: {sex}")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        return ("AGE",)

    def track(self, name: str) -> RetirementTrack:
        """Find a track by its name."""
        return next(track for track in self.tracks if track.track == name)


class HukouMatch(Part):
    """One accepted pair of registered and actual residence, by division-code prefix; absent means any."""

    hukou_prefix: Annotated[str, Field(pattern=r"^\d{2,6}$")] | None = None
    residence_prefix: Annotated[str, Field(pattern=r"^\d{2,6}$")] | None = None


class HukouRule(EligibilityRule):
    """Whose registered residence lets them enrol: any one match is enough."""

    kind: Literal["HUKOU"]
    accepts: Annotated[tuple[HukouMatch, ...], Field(min_length=1)]

    @property
    def keys(self) -> tuple[str, ...]:
        return ("HUKOU",)


AgeRule = FixedAges | StatutoryAges
AnyEligibilityRule = Annotated[FixedAges | StatutoryAges | HukouRule, Field(discriminator="kind")]


class MinimumContribution(Row):
    """How many months must be paid by whoever draws the pension in the years of the period."""

    file, named_by = "minimum_contributions", "insurance_type"
    insurance_type: InsuranceCode
    months: Annotated[int, Field(gt=0, le=600)]


class Notice(Row):
    """A text that people read and agree to; the consent keeps its id, version and hash."""

    file, named_by = "notices", "id"
    id: RowId
    purpose: NoticePurpose
    version: Text
    title: Text
    issuer: Text
    issued_on: Day | None = None
    reading_seconds: Annotated[int, Field(ge=1, le=600)] | None = None
    """How long it must have been open before anybody can agree to it; none: at once."""
    text: Text

    @model_validator(mode="after")
    def _samples_say_so(self) -> Self:
        if self.status is Status.TO_CONFIRM and "示例文本" not in self.text:
            raise ValueError("an unconfirmed text must say so to its reader, such as （示例文本，以当地公布为准）")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.purpose.value,)

    @property
    def sha256(self) -> str:
        """The fingerprint of exactly what was read: title and text."""
        return hashlib.sha256(f"{self.title}\n{self.text}".encode()).hexdigest()


class DaysOff(Part):
    """One holiday, first and last day inclusive."""

    first: Day
    last: Day


class CalendarYear(Row):
    """The working-day calendar of one year: the official schedule, or only the days that differ from it in this region."""

    file, named_by = "calendar", "year"
    year: Annotated[int, Field(ge=2000, le=2100)]
    days_off: tuple[DaysOff, ...]
    make_up_workdays: tuple[Day, ...]
    partial: bool = False
    """Only the days named here: every other day is as the region above has it, or as published."""

    @model_validator(mode="after")
    def _days_lie_in_the_year(self) -> Self:
        for day in [*(day for off in self.days_off for day in (off.first, off.last)), *self.make_up_workdays]:
            if day.year != self.year:
                raise ValueError(f"{day} does not lie in {self.year}; write a day of that year, "
                                 f"such as {self.year}-10-01")  # fmt: skip
        return self

    def is_workday(self, day: date) -> bool | None:
        """Ask whether offices work on that day of this year; None where a partial calendar does not name it."""
        if day in self.make_up_workdays:
            return True
        if any(off.first <= day <= off.last for off in self.days_off):
            return False
        return None if self.partial else day.isoweekday() <= 5  # noqa: PLR2004 - Friday
