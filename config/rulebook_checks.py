"""What no single row can know: that rows do not overlap, that names point at something, that tiers lie inside the limits."""

from collections.abc import Iterator
from itertools import combinations
from typing import Protocol, TypeVar

from config.rulebook_documents import Document, RequiredDocuments
from config.rulebook_facts import RegionHeader, Row
from config.rulebook_files import SHAPES
from config.rulebook_forms import ApplicationField, ApplicationForm, ResidentScheme
from config.rulebook_menus import MenuEntry
from config.rulebook_money import BaseLimits, BaseRounding, Insurance, TierPlan
from config.rulebook_printed import PrintedForm
from config.rulebook_rows import (
    Agency,
    ArrearsWindow,
    Capability,
    CapabilityRule,
    Hotline,
    HotlineTopic,
    Notice,
    PoolingAreaGroup,
)

R = TypeVar("R", bound=Row)

_COUNTERS_BY_ROLE = {"ENTRUSTED_AGENCY", "BANK_BRANCH"}


class Checked(Protocol):
    """A region as the checks see it: rows by kind, its own and its parents'."""

    @property
    def header(self) -> RegionHeader: ...
    @property
    def label(self) -> str: ...
    def own(self, shape: type[R]) -> tuple[R, ...]: ...
    def all(self, shape: type[R]) -> tuple[R, ...]: ...


def check_region(region: Checked) -> list[str]:
    """List every fault of a region whose files could all be read."""
    checks = (_overlaps, _replacements, _tiers, _references, _pooling_areas, _menus, _forms, _printed)
    found = [fault for check in checks for fault in check(region)]
    if not region.header.figures_only:
        found += _completeness(region)
    return found


def _at(region: Checked, row: Row, key: str, wrong: str) -> str:
    return f"{region.label}/{row.file}.yaml: {row.file}[{row.name}].{key}: {wrong}"


def _overlaps(region: Checked) -> Iterator[str]:
    for shape in SHAPES:
        rows = [row for row in region.own(shape) if row.sets_rules]
        for first, second in combinations(rows, 2):
            shared = [key for key in first.keys if key in second.keys]
            if shared and first.meets(second):
                yield _at(region, second, "effective_from",
                          f"{second.effective_from} lies where another row for {shared[0]} is in force "
                          f"(from {first.effective_from} to {first.effective_to or 'no end'}); "
                          "let one end before the other begins, such as effective_to: 2025-12-31")  # fmt: skip


def _replacements(region: Checked) -> Iterator[str]:
    ids = [row.id for row in region.own(BaseLimits)]
    for row in region.own(BaseLimits):
        if ids.count(row.id) > 1:
            yield _at(region, row, "id", f"stands twice; bills keep this id, so make it unique, such as {row.id}-2")
        if row.replaced_by is not None and (row.replaced_by not in ids or row.replaced_by == row.id):
            yield _at(region, row, "replaced_by", f"no other row has the id {row.replaced_by}; name one that exists, "
                                                  f"such as {min(ids)}")  # fmt: skip


def _tiers(region: Checked) -> Iterator[str]:
    for plan in region.own(TierPlan):
        meeting = [
            limits
            for limits in region.all(BaseLimits)
            if limits.sets_rules and limits.insurance_type == plan.insurance_type and limits.meets(plan)
        ]
        if not plan.fixes_amounts and not meeting:
            yield _at(region, plan, "insurance_type",
                      f"no base_limits for insurance {plan.insurance_type} meet the plan's period; "
                      "add them, such as id: jiangsu-2025")  # fmt: skip
        for limits in meeting:
            for tier in plan.tiers:
                base_fen = tier.base_within(limits, plan.base_rounding or BaseRounding.FEN)
                if base_fen is None or limits.floor_fen <= base_fen <= limits.ceiling_fen:
                    continue
                yield _at(region, plan, f"tiers[{tier.tier}].base_yuan",
                          f"{_yuan(base_fen)} lies outside {limits.id} "
                          f"({_yuan(limits.floor_fen)} to {_yuan(limits.ceiling_fen)}); "
                          f"write a base inside, such as {_yuan(limits.floor_fen)}")  # fmt: skip


def _references(region: Checked) -> Iterator[str]:
    plans = {plan.id: plan for plan in region.all(TierPlan)}
    for insurance in region.own(Insurance):
        for plan_id in insurance.plans:
            if plan_id not in plans:
                yield _at(region, insurance, "plans", f"no tier plan has the id {plan_id}; name one that exists, "
                                                      f"such as {min(plans, default='changzhou-2020-medical')}")  # fmt: skip
            elif plans[plan_id].insurance_type != insurance.insurance_type:
                yield _at(region, insurance, "plans", f"{plan_id} is a plan of insurance {plans[plan_id].insurance_type}; "
                                                      f"name one of its own, such as {insurance.default_plan}")  # fmt: skip
    agencies = {row.code for row in region.all(Agency)}
    for rule in region.own(CapabilityRule):
        if rule.counter is not None and rule.counter not in agencies | _COUNTERS_BY_ROLE:
            yield _at(region, rule, "counter", f"{rule.counter} is neither an agency nor a role; "
                                               "name one, such as ENTRUSTED_AGENCY")  # fmt: skip
    kinds = {row.kind for row in region.all(Document)}
    for needed in region.own(RequiredDocuments):
        for kind in sorted(set(needed.kinds) - kinds):
            yield _at(region, needed, "sets", f"no document has the kind {kind}; name one that exists, "
                                              f"such as {min(kinds, default='ID_FRONT')}")  # fmt: skip


def _pooling_areas(region: Checked) -> Iterator[str]:
    groups = region.own(PoolingAreaGroup)
    known = {region.header.code} | {code for group in groups for code in group.areas}
    for group in groups:
        if group.parent not in known:
            yield _at(region, group, "parent", f"no area has the code {group.parent}; name one that exists, "
                                               f'such as "{region.header.code}"')  # fmt: skip
        agencies = {row.code for row in region.own(Agency)}
        if group.handled_by is not None and group.handled_by not in agencies:
            yield _at(region, group, "handled_by", f"no agency has the code {group.handled_by}; name one that exists, "
                                                   f"such as {min(agencies, default='XPCC')}")  # fmt: skip
    for agency in region.own(Agency):
        if agency.division_code not in known:
            yield _at(region, agency, "division_code", f"no area has the code {agency.division_code}; "
                                                       f'name one that exists, such as "{region.header.code}"')  # fmt: skip


def _menus(region: Checked) -> Iterator[str]:
    """An entry stands under one that is there, in no circle, and is never a button that does nothing."""
    entries = region.own(MenuEntry)
    above = {entry.code: entry.under for entry in entries}
    tops = [code for code, under in above.items() if under is None]
    parents = set(above.values())
    for entry in entries:
        if entry.under is not None and entry.under not in above:
            yield _at(region, entry, "under", f"no entry has the code {entry.under}; name one that exists, "
                                              f"such as {min(above)}")  # fmt: skip
        elif _goes_in_a_circle(entry.code, above):
            yield _at(region, entry, "under", f"{entry.under} stands below {entry.code} itself; name another entry, "
                                              f"such as {min(tops, default='TO_DO')}")  # fmt: skip
        if entry.code not in parents and entry.capability is None and entry.function is None:
            yield _at(region, entry, "capability", "nothing stands under it and it opens nothing; say what it does, "
                                                   "such as capability: PAY_OWN")  # fmt: skip


def _goes_in_a_circle(code: str, above: dict[str, str | None]) -> bool:
    seen: set[str] = set()
    at: str | None = above[code]
    while at is not None and at in above and at not in seen:
        if at == code:
            return True
        seen.add(at)
        at = above[at]
    return False


def _forms(region: Checked) -> Iterator[str]:
    """Every field of a form is defined, and one that depends on another comes after it."""
    defined = {row.key for row in region.all(ApplicationField)}
    for form in region.own(ApplicationForm):
        before = {"insurance_type"}
        for asked in form.fields:
            if asked.key not in defined:
                yield _at(region, form, "steps", f"no application field has the key {asked.key}; name one that exists, "
                                                 f"such as {min(defined, default='mobile')}")  # fmt: skip
            if asked.depends_on is not None and asked.depends_on.key not in before:
                yield _at(region, form, "steps", f"{asked.key} depends on {asked.depends_on.key}, which is not asked for before it; "
                                                 "name one that is, such as insurance_type")  # fmt: skip
            before.add(asked.key)
    for document in region.own(Document):
        for key in document.shows:
            if key not in defined:
                yield _at(region, document, "shows", f"no application field has the key {key}; name one that exists, "
                                                     f"such as {min(defined, default='name')}")  # fmt: skip
    agencies = {row.code for row in region.all(Agency)}
    for scheme in region.own(ResidentScheme):
        if scheme.counter is not None and scheme.counter not in agencies:
            yield _at(region, scheme, "counter", f"{scheme.counter} is no agency; name one that exists, "
                                                 f"such as {min(agencies, default='XINJIANG')}")  # fmt: skip


def _printed(region: Checked) -> Iterator[str]:
    """Every printed field is defined, the text to read before is there, and whoever may print has something to print."""
    defined = {row.key for row in region.all(ApplicationField)}
    texts = {row.purpose for row in region.all(Notice)}
    for form in region.own(PrintedForm):
        for field in form.fields:
            if field.key not in defined:
                yield _at(region, form, "sections", f"no application field has the key {field.key}; name one that exists, "
                                                    f"such as {min(defined, default='mobile')}")  # fmt: skip
        if form.notice is not None and form.notice not in texts:
            yield _at(region, form, "notice", f"no notice has the purpose {form.notice}; add its text to notices.yaml, "
                                              f"or name another one, such as {min(texts, default='ENROLLMENT')}")  # fmt: skip
    if not region.all(PrintedForm):
        for rule in region.own(CapabilityRule):
            if rule.capability is Capability.PRINT_REGISTRATION_FORM and rule.available:
                yield _at(region, rule, "available", "there is no form to print; add printed_forms.yaml, "
                                                     "or say no, such as available: false")  # fmt: skip


def _completeness(region: Checked) -> Iterator[str]:
    """A region where people enrol leaves no question open that a person may ask."""
    label = region.label
    if region.header.authority is None:
        yield f"{label}/region.yaml: authority: is missing; name who collects, such as authority: tax-320400"
    insured = {row.insurance_type for row in region.own(Insurance)}
    if not insured:
        yield (f"{label}/insurances.yaml: insurances: a region where people enrol offers at least one, "
               'such as insurance_type: "110"')  # fmt: skip
    for code in sorted(insured - {row.insurance_type for row in region.all(ArrearsWindow)}):
        yield f"{label}/arrears.yaml: arrears[{code}]: is missing; say which months may be paid, such as kind: NONE"
    told = {row.capability for row in region.own(CapabilityRule)}
    for capability in Capability:
        if capability not in told:
            yield (f"{label}/capabilities.yaml: capabilities[{capability}]: is missing; say whether the phone can do it, "
                   f"such as capability: {capability}, available: true")  # fmt: skip
    lines = {row.topic for row in region.all(Hotline)}
    for topic in (HotlineTopic.ENROLLMENT, HotlineTopic.PAYMENT):
        if topic not in lines:
            yield f'{label}/hotlines.yaml: hotlines[{topic}]: is missing; say whom to call, such as number: "12333"'
    defaults = [row for row in region.own(Agency) if row.default]
    if len(defaults) != 1:
        yield (f"{label}/agencies.yaml: agencies: {len(defaults)} are the default; mark exactly one, "
               "such as default: true")  # fmt: skip


def _yuan(fen: int) -> str:
    whole, cents = divmod(fen, 100)
    return f"{whole}.{cents:02d}" if cents else str(whole)
