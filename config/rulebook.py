"""Law is data: the rulebook answers what a region says on a day, and refuses where it says nothing.

RulebookFault   the files cannot be used; every fault with file, key and a right example
UnknownRegion   no region of that code
NoRuleInForce   the region has no rule on that day: a refusal with an explanation, never a default
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType

from config.rulebook_amounts import AssessmentTable, Parts, TierAmount, amount_parts, round_half_up
from config.rulebook_checks import check_region
from config.rulebook_collection import (
    CollectionCalendar,
    CollectionDates,
    OnDaysOff,
    TierChangePolicy,
    TierChangePolicyKind,
)
from config.rulebook_documents import Document, RequiredDocuments
from config.rulebook_facts import Status
from config.rulebook_files import RegionFolder, RulebookFault, read_region, region_folders
from config.rulebook_forms import (
    ApplicationField,
    ApplicationForm,
    ChangeReason,
    FieldType,
    FormField,
    OptionsFrom,
    ResidentScheme,
    Submission,
)
from config.rulebook_menus import MenuEntry, MenuFunction, Side
from config.rulebook_money import BaseLimits, Insurance, Rate, TierPlan
from config.rulebook_printed import PrintedContent, PrintedField, PrintedForm, PrintedSection
from config.rulebook_region import Counter, NoRuleInForce, PoolingArea, Region
from config.rulebook_rows import (
    Agency,
    AgeRule,
    ApplicationKind,
    ArrearsKind,
    ArrearsWindow,
    Bank,
    CalendarYear,
    Capability,
    CapabilityRule,
    FixedAges,
    Hotline,
    HotlineTopic,
    HukouRule,
    MendingTerm,
    MinimumContribution,
    Notice,
    NoticePurpose,
    RetirementChoice,
    RetirementTrack,
    ReviewTerm,
    StatutoryAges,
)
from config.rulebook_withholding import DebitTerms, WithholdingTerms

__all__ = [
    "SHIPPED_REGIONS",
    "AgeRule",
    "Agency",
    "ApplicationField",
    "ApplicationForm",
    "ApplicationKind",
    "ArrearsKind",
    "ArrearsWindow",
    "AssessmentTable",
    "Bank",
    "BaseLimits",
    "CalendarYear",
    "Capability",
    "CapabilityRule",
    "ChangeReason",
    "CollectionCalendar",
    "CollectionDates",
    "Counter",
    "DebitTerms",
    "Document",
    "FieldType",
    "FixedAges",
    "FormField",
    "Hotline",
    "HotlineTopic",
    "HukouRule",
    "Insurance",
    "MendingTerm",
    "MenuEntry",
    "MenuFunction",
    "MinimumContribution",
    "NoRuleInForce",
    "Notice",
    "NoticePurpose",
    "OnDaysOff",
    "OptionsFrom",
    "Parts",
    "PoolingArea",
    "PrintedContent",
    "PrintedField",
    "PrintedForm",
    "PrintedSection",
    "Rate",
    "Region",
    "RequiredDocuments",
    "ResidentScheme",
    "RetirementChoice",
    "RetirementTrack",
    "ReviewTerm",
    "Rulebook",
    "RulebookFault",
    "Side",
    "Status",
    "StatutoryAges",
    "Submission",
    "TierAmount",
    "TierChangePolicy",
    "TierChangePolicyKind",
    "TierPlan",
    "UnknownRegion",
    "WithholdingTerms",
    "amount_parts",
    "load_rulebook",
    "round_half_up",
]

SHIPPED_REGIONS = Path(__file__).resolve().parent / "regions"


class UnknownRegion(KeyError):
    """No region of that code takes enrolments."""

    def __init__(self, code: str, known: Iterable[str]) -> None:
        self.code = code
        super().__init__(f"no region {code}; the rulebook has {', '.join(sorted(known))}")

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Rulebook:
    """All regions that take enrolments; provinces that only lend figures stand behind them."""

    regions: Mapping[str, Region]

    def region(self, code: str) -> Region:
        """Find a region by its division code; raises UnknownRegion."""
        region = self.regions.get(code)
        if region is None:
            raise UnknownRegion(code, self.regions)
        return region

    def unconfirmed(self, on: date, region_codes: Iterable[str]) -> list[str]:
        """List what production must refuse for these regions on that day, a sentence each."""
        return [sentence for code in sorted(set(region_codes)) for sentence in self.region(code).unconfirmed(on)]

    def unchecked_since(self, day: date) -> list[str]:
        """List the facts that nobody has checked since that day: a freshness date that is never read would rot."""
        told = {
            f"{region.label}/{row.file}.yaml: {row.file}[{row.name}]: last checked on {row.checked_on}"
            for region in _with_parents(self.regions.values())
            for rows in region.rows.values()
            for row in rows
            if row.checked_on < day and row.sets_rules
        }
        return sorted(told)


def load_rulebook(*folders: Path) -> Rulebook:
    """Read the regions of these folders, or of SHIPPED_REGIONS when none is named; a later folder's region wins whole.

    Confirmed regions in place of ours: `load_rulebook(SHIPPED_REGIONS, extra)`. Raises RulebookFault with all faults.
    """
    faults: list[str] = []
    read = {code: read_region(code, path, faults) for code, path in region_folders(folders or (SHIPPED_REGIONS,), faults)}
    built: dict[str, Region | None] = {}
    for code in read:
        region = _build(code, read, built, faults, ())
        # What a broken file would have said is not held against the files that point at it.
        if region is not None and all(read[above.code].is_whole for above in _with_parents([region])):
            faults += check_region(region)
    if faults:
        raise RulebookFault(faults)
    serving = {code: region for code, region in built.items() if region is not None and not region.header.figures_only}
    return Rulebook(MappingProxyType(serving))


def _build(
    code: str,
    read: Mapping[str, RegionFolder],
    built: dict[str, Region | None],
    faults: list[str],
    below: tuple[str, ...],
) -> Region | None:
    """Put a region before its parent; None where one of them could not be read, so that no fault is told twice."""
    if code in built:
        return built[code]
    folder = read[code]
    built[code] = None
    if folder.header is None:
        return None
    parent_code, parent = folder.header.parent, None
    where = f"{folder.label}/region.yaml: parent"
    if parent_code is not None:
        if parent_code in (*below, code):
            faults.append(f'{where}: {parent_code} stands above itself; name the region above, such as parent: "320000"')
            return None
        if parent_code not in read:
            faults.append(f"{where}: no region folder has the code {parent_code}; name one that exists, "
                          f'such as parent: "{min(read)}"')  # fmt: skip
            return None
        parent = _build(parent_code, read, built, faults, (*below, code))
        if parent is None:
            return None
    built[code] = Region(folder.header, parent, MappingProxyType(folder.rows), folder.label)
    return built[code]


def _with_parents(regions: Iterable[Region]) -> Iterable[Region]:
    for region in regions:
        yield region
        if region.parent is not None:
            yield from _with_parents([region.parent])
