"""One region on a day: every question is answered by one dated row, the region's own or its parents', or refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TypeVar

from config.months import YearMonth
from config.rulebook_amounts import AssessmentTable, table_of_bases, table_of_fixed_amounts
from config.rulebook_collection import EVERYWHERE, CollectionCalendar, TierChangePolicy
from config.rulebook_documents import Document, RequiredDocuments
from config.rulebook_facts import RegionHeader, Row, Status
from config.rulebook_forms import ApplicationField, ApplicationForm, ChangeReason, ResidentScheme
from config.rulebook_menus import MenuEntry
from config.rulebook_money import BaseLimits, Insurance, Rate, TierPlan
from config.rulebook_printed import PrintedForm
from config.rulebook_rows import (
    Agency,
    AgeRule,
    ApplicationKind,
    ArrearsWindow,
    Bank,
    CalendarYear,
    Capability,
    CapabilityRule,
    EligibilityRule,
    FixedAges,
    Hotline,
    HotlineTopic,
    HukouRule,
    MendingTerm,
    MinimumContribution,
    Notice,
    NoticePurpose,
    PoolingAreaGroup,
    ReviewTerm,
    StatutoryAges,
)
from config.rulebook_withholding import KEY, DebitTerms, WithholdingTerms

# What production refuses while TO_CONFIRM: figures, ages, capabilities. Texts, numbers and addresses say 以当地公布为准.
_MUST_BE_KNOWN: tuple[type[Row], ...] = (
    Insurance,
    BaseLimits,
    Rate,
    TierPlan,
    CapabilityRule,
    ArrearsWindow,
    TierChangePolicy,
    EligibilityRule,
    MinimumContribution,
)

R = TypeVar("R", bound=Row)


class NoRuleInForce(LookupError):
    """The region has no rule in force on that day."""

    def __init__(self, region: str, what: str, on: date) -> None:
        self.region, self.what, self.on = region, what, on
        super().__init__(f"region {region} has no {what} in force on {on}; add a dated row to its rulebook")


@dataclass(frozen=True, kw_only=True)
class Counter:
    """A window where people can do what the phone cannot."""

    code: str
    name: str
    address: str
    hours: str
    phone: str
    to_confirm: bool


@dataclass(frozen=True, kw_only=True)
class PoolingArea:
    """A handling area (参保统筹区)."""

    code: str
    name: str
    parent: str
    system: str
    status: Status
    handled_by: str | None = None
    """The agency that handles the area itself, where this phone does not."""


@dataclass(frozen=True)
class Region:
    """One region: its own rows, and behind them its parent's (a city behind its province, a province behind the country)."""

    header: RegionHeader
    parent: "Region | None"
    rows: Mapping[type[Row], tuple[Row, ...]]
    label: str = field(default="", repr=False)

    @property
    def code(self) -> str:
        return self.header.code

    @property
    def name(self) -> str:
        return self.header.name

    @property
    def province_code(self) -> str:
        return self.header.province_code

    @property
    def authority(self) -> str:
        """The collection authority that bills of this region are owed to."""
        return self.header.authority or ""

    def authority_name(self, authority: str) -> str:
        """What a collection authority is called; its code, where it is not this region's or has no name here."""
        return (self.header.authority_name or authority) if authority == self.authority else authority

    @property
    def timezone(self) -> str:
        return self.header.timezone

    @property
    def refund_two_people_above_fen(self) -> int:
        return self.header.refund_two_people_above_fen

    @property
    def tax_confirms_within_working_days(self) -> int:
        return self.header.tax_confirms_within_working_days

    def lies_in(self, code: str) -> bool:
        """Whether it is the region of this code, or stands below it."""
        return self.code == code or (self.parent is not None and self.parent.lies_in(code))

    # What a month costs

    def insurance(self, insurance_type: str, on: date) -> Insurance:
        """Find the insurance as offered on that day; raises NoRuleInForce."""
        return self._the(Insurance, insurance_type, on, f"insurance {insurance_type}")

    def insurances(self, on: date) -> tuple[Insurance, ...]:
        """List the insurances that people may choose from on that day."""
        return tuple(row for row in self.own(Insurance) if row.in_force(on))

    def plans(self, insurance_type: str, on: date) -> tuple[TierPlan, ...]:
        """List the plans offered on that day, the default first."""
        offer = self.insurance(insurance_type, on)
        ids = dict.fromkeys((offer.default_plan, *offer.plans))
        found = (self.find(TierPlan, plan_id, on) for plan_id in ids)
        return tuple(plan for plan in found if plan is not None)

    def assessment_table(self, insurance_type: str, month: YearMonth, plan_id: str | None = None) -> AssessmentTable:
        """Say what a coverage month costs under a plan, or under the region's default plan; raises NoRuleInForce."""
        on = month.first_day
        chosen = plan_id or self.insurance(insurance_type, on).default_plan
        plan = self._the(TierPlan, chosen, on, f"tier plan {chosen}")
        if plan.insurance_type != insurance_type:
            raise NoRuleInForce(self.code, f"tier plan {chosen} for insurance {insurance_type}", on)
        if plan.fixes_amounts:
            return table_of_fixed_amounts(self.code, plan)
        limits = self._the(BaseLimits, insurance_type, on, f"base limits for insurance {insurance_type}")
        rate = self._the(Rate, insurance_type, on, f"contribution rate for insurance {insurance_type}")
        return table_of_bases(self.code, plan, limits, rate)

    def arrears_window(self, insurance_type: str, on: date) -> ArrearsWindow:
        """Say which months may still be paid; raises NoRuleInForce."""
        return self._the(ArrearsWindow, insurance_type, on, f"arrears window for insurance {insurance_type}")

    def collection_calendar(self, pooling_area: str, on: date) -> CollectionCalendar | None:
        """Find when the months of an area are collected; None where no row says so: then nobody is told a day."""
        return self.find(CollectionCalendar, pooling_area, on) or self.find(CollectionCalendar, EVERYWHERE, on)

    def bills_from(self) -> YearMonth | None:
        """Name the first coverage month that this house bills by itself; None where no calendar says so."""
        return min((YearMonth.of(row.effective_from) for row in self.all(CollectionCalendar)), default=None)

    def tier_change_policy(self, insurance_type: str, on: date) -> TierChangePolicy:
        """Say from when on another tier holds; raises NoRuleInForce."""
        return self._the(TierChangePolicy, insurance_type, on, f"tier-change policy for insurance {insurance_type}")

    # What the phone can do, and who may

    def capability(self, capability: Capability, on: date) -> CapabilityRule:
        """Say whether the phone can do it, and if not, why; raises NoRuleInForce."""
        return self._the(CapabilityRule, capability.value, on, f"capability {capability.value}")

    def age_rule(self, on: date) -> AgeRule:
        """Find the ages between which people may enrol; choose it by the day of submission. Raises NoRuleInForce."""
        rule = self._the(EligibilityRule, "AGE", on, "age rule")
        if not isinstance(rule, FixedAges | StatutoryAges):
            raise NoRuleInForce(self.code, "age rule", on)
        return rule

    def hukou_rule(self, on: date) -> HukouRule:
        """Find whose registered residence lets them enrol; raises NoRuleInForce."""
        rule = self._the(EligibilityRule, "HUKOU", on, "hukou rule")
        if not isinstance(rule, HukouRule):
            raise NoRuleInForce(self.code, "hukou rule", on)
        return rule

    def minimum_contribution_months(self, insurance_type: str, on: date) -> int:
        """Say how many months must be paid by whoever draws the pension from that day; raises NoRuleInForce."""
        return self.minimum_contribution(insurance_type, on).months

    def minimum_contribution(self, insurance_type: str, on: date) -> MinimumContribution:
        """Find the rule on how many months must be paid, by the day of drawing; raises NoRuleInForce."""
        what = f"minimum contribution period for insurance {insurance_type}"
        return self._the(MinimumContribution, insurance_type, on, what)

    def required_documents(self, application: ApplicationKind, on: date) -> RequiredDocuments:
        """Say which sets of documents are complete; raises NoRuleInForce."""
        return self._the(RequiredDocuments, application.value, on, f"document rule for {application.value}")

    def application_form(self, application: ApplicationKind, on: date) -> ApplicationForm:
        """Say what is asked for in a business, and how it is submitted; raises NoRuleInForce."""
        return self._the(ApplicationForm, application.value, on, f"application form for {application.value}")

    def application_field(self, key: str, on: date) -> ApplicationField:
        """Find a field of a form; raises NoRuleInForce."""
        return self._the(ApplicationField, key, on, f"application field {key}")

    def printed_form(self, application: ApplicationKind, on: date) -> PrintedForm:
        """Say which form may be printed once an application is approved; raises NoRuleInForce."""
        return self._the(PrintedForm, application.value, on, f"form to print for {application.value}")

    def withholding_terms(self, on: date) -> WithholdingTerms:
        """Say what the agreement is called here, and where it is signed; raises NoRuleInForce."""
        return self._the(WithholdingTerms, KEY, on, "words for the withholding agreement")

    def debit_terms(self, on: date) -> DebitTerms:
        """Say how a debit run goes; raises NoRuleInForce."""
        return self._the(DebitTerms, KEY, on, "terms of debit runs")

    def change_reasons(self, on: date) -> tuple[ChangeReason, ...]:
        """List why people may suspend, in the order of the file."""
        return tuple(row for row in self.all(ChangeReason) if row.in_force(on))

    def resident_schemes(self, on: date) -> tuple[ResidentScheme, ...]:
        """List the residents' schemes that the joint case leads to."""
        return tuple(row for row in self.own(ResidentScheme) if row.in_force(on))

    def notice(self, purpose: NoticePurpose, on: date) -> Notice:
        """Find the text to read and agree to; raises NoRuleInForce."""
        return self._the(Notice, purpose.value, on, f"notice for {purpose.value}")

    def notices(self, on: date) -> tuple[Notice, ...]:
        """List the texts in force, one for each purpose that has one."""
        found = (self.find(Notice, purpose.value, on) for purpose in NoticePurpose)
        return tuple(notice for notice in found if notice is not None)

    def menu(self, on: date) -> tuple[MenuEntry, ...]:
        """List the entries of the menu in force, in the order of their file: the region's own, or its parents' where it has none."""
        entries = tuple(row for row in self.own(MenuEntry) if row.in_force(on))
        return entries or (self.parent.menu(on) if self.parent else ())

    def works_on(self, day: date) -> bool | None:
        """Say whether offices work on that day; None where the rulebook has no calendar of its year, or names other days of it.

        The region's own days come before the country's, such as a holiday of its own (`partial`).
        """
        said = (row.is_workday(day) for row in self.all(CalendarYear) if row.year == day.year)
        return next((works for works in said if works is not None), None)

    def review_term(self, application: ApplicationKind, on: date) -> ReviewTerm:
        """Say within how many working days an application is decided; raises NoRuleInForce."""
        return self._the(ReviewTerm, application.value, on, f"review term for {application.value}")

    def mending_term(self, application: ApplicationKind, on: date) -> MendingTerm:
        """Say how long an application that was returned on that day waits; raises NoRuleInForce, and then it waits for ever."""
        return self._the(MendingTerm, application.value, on, f"mending term for {application.value}")

    # Whom to ask, and where

    def hotline(self, topic: HotlineTopic) -> Hotline:
        """Find whom to call; every region answers for enrolment, and the other topics fall back on it."""
        lines = {row.topic: row for row in reversed(self.all(Hotline))}
        return lines.get(topic) or lines[HotlineTopic.ENROLLMENT]

    def counter_for(self, agency_code: str | None = None) -> Counter:
        """Find the window of the person's agency; without one, or with one that we do not know, the default window."""
        agencies = self.agencies
        agency = agencies.get(agency_code or "") or next(row for row in agencies.values() if row.default)
        return Counter(
            code=agency.code,
            name=agency.title,
            address=agency.address,
            hours=agency.hours,
            phone=agency.phone,
            to_confirm=agency.status is Status.TO_CONFIRM,
        )

    @cached_property
    def agencies(self) -> Mapping[str, Agency]:
        """The agencies by code."""
        return {row.code: row for row in self.own(Agency)}

    @cached_property
    def banks(self) -> Mapping[str, Bank]:
        """The banks by code."""
        return {row.code: row for row in self.own(Bank)}

    @cached_property
    def documents(self) -> Mapping[str, Document]:
        """The kinds of document by code."""
        return {row.kind: row for row in reversed(self.all(Document))}

    @cached_property
    def pooling_areas(self) -> Mapping[str, PoolingArea]:
        """The handling areas by division code."""
        return {
            code: PoolingArea(
                code=code,
                name=name,
                parent=group.parent,
                system=group.system,
                status=group.status,
                handled_by=group.handled_by,
            )
            for group in self.own(PoolingAreaGroup)
            for code, name in group.areas.items()
        }

    # How rows are found

    def own(self, shape: type[R]) -> tuple[R, ...]:
        """List the region's own rows of one kind."""
        return tuple(row for row in self.rows.get(shape, ()) if isinstance(row, shape))

    def all(self, shape: type[R]) -> tuple[R, ...]:
        """List the rows of one kind, the region's own first, then its parents'."""
        return self.own(shape) + (self.parent.all(shape) if self.parent else ())

    def find(self, shape: type[R], key: str, on: date) -> R | None:
        """Find the row in force: the region's own, and only where it is silent its parent's."""
        for row in self.all(shape):
            if key in row.keys and row.in_force(on):
                return row
        return None

    def unconfirmed(self, on: date) -> list[str]:
        """Name every figure, age and capability in force that is still TO_CONFIRM."""
        offered = {plan_id for insurance in self.insurances(on) for plan_id in insurance.plans}
        told = []
        for shape in _MUST_BE_KNOWN:
            for key in dict.fromkeys(key for row in self.all(shape) for key in row.keys):
                row = self.find(shape, key, on)
                if row is None or row.status is not Status.TO_CONFIRM or (shape is TierPlan and key not in offered):
                    continue
                told.append(
                    f"region {self.code} {self.name}: {row.file}[{row.name}] is TO_CONFIRM ({row.source}); "
                    "put a confirmed region folder into CANBAO_REGIONS_DIR"
                )
        return told

    def _the(self, shape: type[R], key: str, on: date, what: str) -> R:
        row = self.find(shape, key, on)
        if row is None:
            raise NoRuleInForce(self.code, what, on)
        return row
