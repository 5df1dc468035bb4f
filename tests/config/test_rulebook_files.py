"""A region is made of YAML alone; a bad file is told with its name, its key and a right example, all faults at once."""

import shutil
from datetime import date
from pathlib import Path
from textwrap import dedent

import pytest
from pydantic import BaseModel

from config import (
    rulebook_documents,
    rulebook_facts,
    rulebook_forms,
    rulebook_menus,
    rulebook_money,
    rulebook_rows,
    rulebook_withholding,
)
from config.months import YearMonth
from config.rulebook import (
    SHIPPED_REGIONS,
    Capability,
    HotlineTopic,
    NoRuleInForce,
    RulebookFault,
    Status,
    load_rulebook,
)
from config.rulebook_files import EXAMPLES

TODAY = date(2026, 11, 21)
FACT = 'status: VERIFIED, source: "a notice made for this test", checked_on: 2026-11-21, effective_from: 2026-01-01'
BLOCK = FACT.replace(", ", "\n            ")
FILES = {
    "region.yaml": """
        code: "990100"
        name: 测试市
        province_code: "990000"
        authority: tax-990100
        """,
    "insurances.yaml": f"""
        insurances:
          - {{insurance_type: "110", title: 养老保险, label: 养老, registrar: hrss, default_plan: test-plan,
             plans: [test-plan], may_be_declined: true, {FACT}}}
        """,
    "base_limits.yaml": f"""
        base_limits:
          - id: test-2026
            insurance_type: "110"
            base_year: 2026
            wage_reference_year: 2025
            published_on: 2026-01-05
            provisional: false
            floor_yuan: 4000
            ceiling_yuan: 20000
            reference_wage_yuan: "6666.50"
            {BLOCK}
        """,
    "rates.yaml": f"""
        rates:
          - {{insurance_type: "110", rate_per_mille: 200, account_rate_per_mille: 80, rounding: HALF_UP_TO_FEN, {FACT}}}
        """,
    "tier_plans.yaml": f"""
        tier_plans:
          - id: test-plan
            insurance_type: "110"
            title: 测试档次
            allow_declared_wage: true
            tiers:
              - {{tier: "1", label: 一档, base_yuan: 5000}}
              - {{tier: "2", label: 二档, base_yuan: "6000.50"}}
            {BLOCK}
        """,
    "capabilities.yaml": "\n        ".join(
        ["", "each_row:", "  available: true", *(f"  {pair}" for pair in FACT.split(", ")),
         "capabilities:", *(f"  - capability: {capability}" for capability in Capability), "    available: false", "    explanation: 没有", ""]
    ),
    "arrears.yaml": f"""
        arrears:
          - {{insurance_type: "110", kind: N_MONTHS, months: 2, {FACT}}}
        """,
    "hotlines.yaml": f"""
        hotlines:
          - {{topic: ENROLLMENT, number: "12333", label: 咨询, {FACT}}}
          - {{topic: PAYMENT, number: "12366", label: 缴费, {FACT}}}
        """,
    "agencies.yaml": f"""
        agencies:
          - {{code: WINDOW, title: 窗口, division_code: "990100", default: true, address: 一号, hours: "9:00–17:00",
             phone: "12333", {FACT}}}
        """,
}  # fmt: skip


@pytest.fixture
def regions(tmp_path):
    """A folder with one whole region that no line of Python knows."""
    folder = tmp_path / "regions"
    for name, text in FILES.items():
        write(folder / "990100-test" / name, text)
    return folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text), encoding="utf-8")


def change(regions: Path, name: str, old: str, new: str) -> None:
    path = regions / "990100-test" / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def add(regions: Path, name: str, text: str) -> None:
    path = regions / "990100-test" / name
    path.write_text(path.read_text(encoding="utf-8").rstrip() + f"\n{text}\n", encoding="utf-8")


def faults(*folders: Path) -> list[str]:
    with pytest.raises(RulebookFault) as refused:
        load_rulebook(*folders)
    return list(refused.value.faults)


# A third region


def test_a_new_region_is_a_folder_and_nothing_else(regions):
    rulebook = load_rulebook(SHIPPED_REGIONS, regions)
    region = rulebook.region("990100")

    table = region.assessment_table("110", YearMonth(2026, 3))

    assert set(rulebook.regions) == {"320400", "650000", "990100"}
    assert [(tier.base_fen, tier.amount_fen) for tier in table.tiers] == [(500000, 100000), (600050, 120010)]
    assert (table.sample, table.provisional, table.allow_declared_wage) == (False, False, True)
    assert region.capability(Capability.BACK_PAY, TODAY).available
    assert region.counter_for().hours == "9:00–17:00"
    assert region.hotline(HotlineTopic.PAYMENT).number == "12366"
    assert region.arrears_window("110", TODAY).allows(YearMonth(2026, 9), TODAY)
    assert region.unconfirmed(TODAY) == []


def test_a_folder_named_alone_is_the_whole_rulebook(regions):
    assert set(load_rulebook(regions).regions) == {"990100"}


def test_a_later_folder_takes_the_place_of_a_region_whole(regions, tmp_path):
    confirmed = tmp_path / "confirmed"
    shutil.copytree(regions / "990100-test", confirmed / "990100-by-the-office")
    path = confirmed / "990100-by-the-office" / "tier_plans.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("5000", "4500"), encoding="utf-8")

    first, last = (load_rulebook(*folders).region("990100") for folders in [(regions,), (regions, confirmed)])

    assert first.assessment_table("110", YearMonth(2026, 3)).tiers[0].base_fen == 500000
    assert last.assessment_table("110", YearMonth(2026, 3)).tiers[0].base_fen == 450000


def test_an_office_confirms_changzhou_by_a_folder_of_its_own(tmp_path):
    confirmed = tmp_path / "confirmed"
    shutil.copytree(SHIPPED_REGIONS / "320400-changzhou", confirmed / "320400-changzhou")
    for path in (confirmed / "320400-changzhou").glob("*.yaml"):
        path.write_text(path.read_text(encoding="utf-8").replace("TO_CONFIRM", "VERIFIED"), encoding="utf-8")

    rulebook = load_rulebook(SHIPPED_REGIONS, confirmed)

    assert rulebook.unconfirmed(TODAY, ["320400"]) == []
    assert not rulebook.region("320400").assessment_table("110", YearMonth(2026, 11)).sample


# A dated row changes the answer inside its own days only


def test_changing_a_dated_row_changes_its_own_months_and_no_others(tmp_path):
    changed = tmp_path / "regions"
    shutil.copytree(SHIPPED_REGIONS, changed)
    path = changed / "650000-xinjiang" / "base_limits.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("floor_yuan: 5069", "floor_yuan: 5100"), encoding="utf-8")
    months = [YearMonth(2024, 1).plus(step) for step in range(36)]
    before, after = (load_rulebook(*folders).region("650000") for folders in [(), (changed,)])

    differing = {month for month in months if before.assessment_table("110", month) != after.assessment_table("110", month)}

    assert differing == {month for month in months if month.year == 2025}
    assert after.assessment_table("110", YearMonth(2025, 6)).tier("1").base_fen == 510000


def test_the_final_figures_replace_the_provisional_ones_which_stay_to_explain_old_bills(tmp_path):
    changed = tmp_path / "regions"
    shutil.copytree(SHIPPED_REGIONS, changed)
    path = changed / "320000-jiangsu" / "base_limits.yaml"
    text = path.read_text(encoding="utf-8")
    final = text[text.index("  - id: jiangsu-2026-provisional") :]
    final = final.replace("jiangsu-2026-provisional", "jiangsu-2026").replace("provisional: true", "provisional: false")
    text = text.replace("id: jiangsu-2026-provisional", "id: jiangsu-2026-provisional\n    replaced_by: jiangsu-2026")
    path.write_text(text + "\n" + final, encoding="utf-8")

    table = load_rulebook(changed).region("320400").assessment_table("110", YearMonth(2026, 3))

    assert table.rule_id == "changzhou-2020-five-tiers@2024-01-01+jiangsu-2026"
    assert not table.provisional


def test_a_gap_between_two_rows_is_refused_with_region_rule_and_day(regions):
    change(regions, "rates.yaml", "effective_from: 2026-01-01", "effective_from: 2026-04-01")
    region = load_rulebook(regions).region("990100")

    assert region.assessment_table("110", YearMonth(2026, 4)).rate_per_mille == 200
    with pytest.raises(NoRuleInForce) as refused:
        region.assessment_table("110", YearMonth(2026, 3))
    assert str(refused.value) == (
        "region 990100 has no contribution rate for insurance 110 in force on 2026-03-01; add a dated row to its rulebook"
    )


# Bad files

BASE = "regions/990100-test/base_limits.yaml: base_limits[test-2026]"
PLAN = "regions/990100-test/tier_plans.yaml: tier_plans[test-plan]"


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("base_limits.yaml", "floor_yuan: 4000", "floor_yuan: 4952.40",
         f'{BASE}.floor_yuan: 4952.40 is a float, which cannot hold money exactly; put it in quotes, such as "4952.40"'),
        ("base_limits.yaml", "floor_yuan: 4000", 'floor_yuan: "49.523"',
         f'{BASE}.floor_yuan: \'49.523\' is no amount of yuan; write it in quotes, such as "4952.40"'),
        ("base_limits.yaml", "floor_yuan: 4000", "floor_yuan: -1",
         f'{BASE}.floor_yuan: -1 is no amount of yuan; write it in quotes, such as "4952.40"'),
        ("base_limits.yaml", "floor_yuan: 4000", "floor_yuan: 04000",
         f'{BASE}.floor_yuan: 04000 reads as another number than it looks; put it in quotes, such as "04000"'),
        ("base_limits.yaml", "floor_yuan: 4000", "floor_yuan: 20001",
         f"{BASE}: floor_yuan must be above 0 and below ceiling_yuan, such as 4952 and 24762"),
        ("base_limits.yaml", "floor_yuan: 4000", "floor_yuam: 4000",
         f"{BASE}.floor_yuan: is missing, such as floor_yuan: 4952"),
        ("base_limits.yaml", "floor_yuan: 4000", "floor_yuan: 4000\n    floor_yuan: 4100",
         f"{BASE}.floor_yuan: stands twice; keep one of the two, such as floor_yuan: 4952"),
        ("base_limits.yaml", "effective_from: 2026-01-01", "effective_from: 2026-02-30",
         f"{BASE}.effective_from: 2026-02-30 is no day; dates must be YYYY-MM-DD, such as 2026-01-01"),
        ("base_limits.yaml", "effective_from: 2026-01-01", "effective_from: 1.1.2026",
         f"{BASE}.effective_from: '1.1.2026' is no day; dates must be YYYY-MM-DD, such as 2026-01-01"),
        ("base_limits.yaml", "effective_from: 2026-01-01", "effective_from: 2026-01-15",
         f"{BASE}: effective_from must be the first day of a month, such as 2026-01-01"),
        ("base_limits.yaml", "effective_from: 2026-01-01", "effective_from: 2026-01-01\n    effective_to: 2025-12-31",
         f"{BASE}: effective_to 2025-12-31 lies before effective_from 2026-01-01; write a later day, such as 2026-12-31"),
        ("base_limits.yaml", "effective_from: 2026-01-01", "effective_from: 2026-01-01\n    effective_to: 2026-12-30",
         f"{BASE}: effective_to must be the last day of a month, such as 2026-12-31"),
        ("base_limits.yaml", '    source: "a notice made for this test"\n', "",
         f"{BASE}.source: is missing, such as source: 苏人社发〔2025〕33号"),
        ("base_limits.yaml", "    checked_on: 2026-11-21\n", "",
         f"{BASE}.checked_on: is missing, such as checked_on: 2026-11-21"),
        ("base_limits.yaml", "status: VERIFIED", "status: CERTAIN",
         f"{BASE}.status: 'CERTAIN' will not do: input should be 'VERIFIED', 'SECONDARY', 'DERIVED' or 'TO_CONFIRM', such as status: VERIFIED"),
        ("base_limits.yaml", "status: VERIFIED", "status: VERIFIED\n    replaced_by: nothing-known",
         f"{BASE}.replaced_by: no other row has the id nothing-known; name one that exists, such as test-2026"),
        ("base_limits.yaml", 'insurance_type: "110"', "insurance_type: 110",
         f'{BASE}.insurance_type: 110 is not text; put it in quotes, such as insurance_type: "110"'),
        ("base_limits.yaml", "provisional: false", "provisional: no idea",
         f"{BASE}.provisional: 'no idea' will not do: input should be a valid boolean, unable to interpret input, such as provisional: false"),
        ("tier_plans.yaml", "base_yuan: 5000", "base_yuan: 3999",
         f"{PLAN}.tiers[1].base_yuan: 3999 lies outside test-2026 (4000 to 20000); write a base inside, such as 4000"),
        ("tier_plans.yaml", 'tier: "2"', 'tier: "1"',
         f'{PLAN}: tier "1" stands twice; give each its own code, such as "1", "2", "3"'),
        ("tier_plans.yaml", "base_yuan: 5000", "base_yuan: 5000, percent_of_reference_wage: 80",
         f"{PLAN}.tiers[1]: a tier has exactly one of base_yuan, percent_of_reference_wage and amount_yuan, such as base_yuan: 6000"),
        ("tier_plans.yaml", "base_yuan: 5000", "percent_of_reference_wage: 80",
         f"{PLAN}: percent_of_reference_wage needs the plan's base_rounding, such as WHOLE_YUAN"),
        ("tier_plans.yaml", "base_yuan: 5000", 'amount_yuan: "300.00", account_part_yuan: "100.00", pooling_part_yuan: "199.99"',
         f'{PLAN}.tiers[1]: account_part_yuan and pooling_part_yuan do not sum to amount_yuan; write parts that do, such as "100.00" and "200.00" of "300.00"'),
        ("tier_plans.yaml", "base_yuan: 5000", 'amount_yuan: "300.00"',
         f'{PLAN}.tiers[1]: a fixed amount names both its parts, such as account_part_yuan: "0", pooling_part_yuan: "300.00"'),
        ("tier_plans.yaml", "base_yuan: 5000", 'amount_yuan: "300", account_part_yuan: "0", pooling_part_yuan: "300"',
         f"{PLAN}: tiers with a fixed amount and tiers with a base do not mix; make two plans, such as one per insurance"),
        ("tier_plans.yaml", 'insurance_type: "110"', 'insurance_type: "310"',
         "regions/990100-test/tier_plans.yaml: tier_plans[test-plan].insurance_type: no base_limits for insurance 310 meet the plan's period; add them, such as id: jiangsu-2025"),
        ("rates.yaml", "account_rate_per_mille: 80", "account_rate_per_mille: 201",
         "regions/990100-test/rates.yaml: rates[110]: account_rate_per_mille is more than rate_per_mille, so that the parts cannot sum; write a share of it, such as 80 of 200"),
        ("rates.yaml", "rate_per_mille: 200", "rate_per_mille: 20%",
         "regions/990100-test/rates.yaml: rates[110].rate_per_mille: '20%' will not do: input should be a valid integer, unable to parse string as an integer, such as rate_per_mille: 200"),
        ("insurances.yaml", "plans: [test-plan]", "plans: [other-plan]",
         "regions/990100-test/insurances.yaml: insurances[110]: default_plan test-plan is not among plans; name one of them, such as other-plan"),
        ("insurances.yaml", "plans: [test-plan]", "plans: [test-plan, other-plan]",
         "regions/990100-test/insurances.yaml: insurances[110].plans: no tier plan has the id other-plan; name one that exists, such as test-plan"),
        ("capabilities.yaml", "  - capability: SUSPEND", "  - {capability: SUSPEND, available: false}",
         "regions/990100-test/capabilities.yaml: capabilities[SUSPEND]: what is not available needs an explanation for the person, such as 停保请到您委托代理的劳动就业管理机构窗口办理。"),
        ("capabilities.yaml", "  - capability: SUSPEND\n", "",
         "regions/990100-test/capabilities.yaml: capabilities[SUSPEND]: is missing; say whether the phone can do it, such as capability: SUSPEND, available: true"),
        ("capabilities.yaml", "  - capability: SUSPEND", "  - {capability: SUSPEND, counter: NOWHERE}",
         "regions/990100-test/capabilities.yaml: capabilities[SUSPEND].counter: NOWHERE is neither an agency nor a role; name one, such as ENTRUSTED_AGENCY"),
        ("capabilities.yaml", "checked_on: 2026-11-21", "checked_on: 2026-11-31",
         "regions/990100-test/capabilities.yaml: each_row.checked_on: 2026-11-31 is no day; dates must be YYYY-MM-DD, such as 2026-01-01"),
        ("arrears.yaml", "months: 2, ", "",
         "regions/990100-test/arrears.yaml: arrears[110]: months belongs to kind N_MONTHS and to no other, such as kind: N_MONTHS, months: 3"),
        ("arrears.yaml", "arrears:", "arears:",
         "regions/990100-test/arrears.yaml: arears: is not a key of this file; write its rows under arrears, such as arrears: [...]"),
        ("hotlines.yaml", "topic: PAYMENT", "topic: MEDICAL",
         'regions/990100-test/hotlines.yaml: hotlines[PAYMENT]: is missing; say whom to call, such as number: "12333"'),
        ("agencies.yaml", "default: true, ", "",
         "regions/990100-test/agencies.yaml: agencies: 0 are the default; mark exactly one, such as default: true"),
        ("agencies.yaml", 'division_code: "990100"', 'division_code: "990199"',
         'regions/990100-test/agencies.yaml: agencies[WINDOW].division_code: no area has the code 990199; name one that exists, such as "990100"'),
        ("region.yaml", 'code: "990100"', 'code: "990200"',
         'regions/990100-test/region.yaml: code: is "990200" in a folder named 990100; write the folder\'s own, such as code: "990100"'),
        ("region.yaml", "authority: tax-990100\n", "",
         "regions/990100-test/region.yaml: authority: is missing; name who collects, such as authority: tax-320400"),
        ("region.yaml", "authority: tax-990100", 'parent: "990000"',
         'regions/990100-test/region.yaml: parent: no region folder has the code 990000; name one that exists, such as parent: "990100"'),
        ("region.yaml", "authority: tax-990100", 'parent: "990100"',
         'regions/990100-test/region.yaml: parent: 990100 stands above itself; name the region above, such as parent: "320000"'),
        ("region.yaml", "name: 测试市", "name: [测试市",
         "regions/990100-test/region.yaml: line 4: did not find expected ',' or ']'; write one key to a line, such as name: 常州市"),
    ],
)  # fmt: skip
def test_a_bad_file_is_told_with_its_name_its_key_and_a_right_example(regions, name, old, new, told):
    change(regions, name, old, new)

    found = faults(regions)

    assert told in found
    assert all("such as" in fault for fault in found)


def test_two_rows_for_the_same_day_are_refused(regions):
    row = f'  - {{insurance_type: "110", rate_per_mille: 210, account_rate_per_mille: 80, rounding: HALF_UP_TO_FEN, {FACT}}}'
    add(regions, "rates.yaml", row.replace("2026-01-01", "2026-07-01"))

    assert faults(regions) == [
        (
            "regions/990100-test/rates.yaml: rates[110].effective_from: 2026-07-01 lies where another row for 110 is in force "
            "(from 2026-01-01 to no end); let one end before the other begins, such as effective_to: 2025-12-31"
        )
    ]


def test_two_rows_that_only_touch_are_welcome(regions):
    change(regions, "rates.yaml", "effective_from: 2026-01-01", "effective_from: 2026-01-01, effective_to: 2026-06-30")
    row = f'  - {{insurance_type: "110", rate_per_mille: 210, account_rate_per_mille: 80, rounding: HALF_UP_TO_FEN, {FACT}}}'
    add(regions, "rates.yaml", row.replace("2026-01-01", "2026-07-01"))

    region = load_rulebook(regions).region("990100")

    assert [region.assessment_table("110", YearMonth(2026, month)).rate_per_mille for month in (6, 7)] == [200, 210]


def test_an_unconfirmed_text_must_say_so(regions):
    write(
        regions / "990100-test" / "notices.yaml",
        f"""
        notices:
          - {{id: some-text, purpose: ENROLLMENT, version: "1", title: 须知, issuer: 测试, text: 请阅读。,
             {FACT.replace("VERIFIED", "TO_CONFIRM")}}}
        """,
    )

    assert faults(regions) == [
        (
            "regions/990100-test/notices.yaml: notices[some-text]: an unconfirmed text must say so to its reader, "
            "such as （示例文本，以当地公布为准）"
        )
    ]


def test_a_document_rule_may_only_ask_for_papers_that_exist(regions):
    write(
        regions / "990100-test" / "required_documents.yaml",
        f"""
        required_documents:
          - {{application: NEW_ENROLLMENT, sets: [[ID_FRONT]], {FACT}}}
        """,
    )

    assert faults(regions) == [
        (
            "regions/990100-test/required_documents.yaml: required_documents[NEW_ENROLLMENT].sets: "
            "no document has the kind ID_FRONT; name one that exists, such as ID_FRONT"
        )
    ]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{id: ages, kind: MAGIC, FACT}", "eligibility[ages]: kind is 'MAGIC'; write a kind that we know, such as kind: FIXED_AGES"),
        ("{id: ages, FACT}", "eligibility[ages]: kind is None; write a kind that we know, such as kind: FIXED_AGES"),
        ("{id: ages, kind: FIXED_AGES, minimum_age: 16, male_below: 60, FACT}", "eligibility[ages].female_below: is missing, such as female_below: 55"),
        (("{id: ages, kind: STATUTORY_AGES, minimum_age: 16, precision: DAY, default_track_male: M60, default_track_female: F55, "
         "earlier: {months_at_most: 36, status: VERIFIED, source: read}, later: {months_at_most: 36, status: VERIFIED, source: read}, "
         "tracks: [{track: M60, sex: MALE, old_age: 60, first_birth_month: 196501, step_months: 4, maximum_delay_months: 36}], FACT}"),
         'eligibility[ages].tracks[1].first_birth_month: 196501 is no month; write it in quotes, such as "1965-01"'),
    ],
)  # fmt: skip
def test_a_bad_age_rule_is_told_by_its_kind(regions, row, told):
    write(regions / "990100-test" / "eligibility.yaml", "eligibility:\n  - " + row.replace("FACT", FACT) + "\n")

    assert faults(regions) == [f"regions/990100-test/eligibility.yaml: {told}"]


def test_areas_hang_under_areas_that_exist_and_each_stands_once(regions):
    write(
        regions / "990100-test" / "pooling_areas.yaml",
        f"""
        pooling_areas:
          - {{parent: "990100", system: TT, areas: {{"990102": 甲区}}, {FACT}}}
          - {{parent: "990900", system: TT, areas: {{"990102": 乙区}}, {FACT}}}
        """,
    )

    first, second = sorted(faults(regions))

    assert "pooling_areas[990900].effective_from: 2026-01-01 lies where another row for 990102 is in force" in first
    assert 'pooling_areas[990900].parent: no area has the code 990900; name one that exists, such as "990100"' in second


def test_a_misspelt_file_is_not_passed_over(regions):
    write(regions / "990100-test" / "hotline.yaml", "hotlines: []\n")

    assert faults(regions) == ["regions/990100-test/hotline.yaml: is not a file that a region has, such as hotlines.yaml"]


def test_a_region_without_its_header_is_told(regions):
    (regions / "990100-test" / "region.yaml").unlink()

    assert faults(regions) == [
        (
            "regions/990100-test/region.yaml: is missing; every region has one with at least code, name and province_code, "
            'such as code: "990100"'
        )
    ]


def test_all_faults_of_all_files_are_told_at_once(regions):
    change(regions, "base_limits.yaml", "floor_yuan: 4000", "floor_yuan: 4952.40")
    change(regions, "base_limits.yaml", "base_year: 2026", "base_yaer: 2026")
    change(regions, "rates.yaml", "rounding: HALF_UP_TO_FEN", "rounding: DOWN")
    change(regions, "arrears.yaml", "effective_from: 2026-01-01", "effective_from: yesterday")
    write(regions / "990200-other" / "region.yaml", "name: 别处\n")

    found = faults(regions)

    assert [fault.split(": ")[:2] for fault in sorted(found)] == [
        ["regions/990100-test/arrears.yaml", "arrears[110].effective_from"],
        ["regions/990100-test/base_limits.yaml", "base_limits[test-2026].base_yaer"],
        ["regions/990100-test/base_limits.yaml", "base_limits[test-2026].base_year"],
        ["regions/990100-test/base_limits.yaml", "base_limits[test-2026].floor_yuan"],
        ["regions/990100-test/rates.yaml", "rates[110].rounding"],
        ["regions/990200-other/region.yaml", "code"],
        ["regions/990200-other/region.yaml", "province_code"],
    ]
    assert all("such as" in fault for fault in found)


def test_a_broken_parent_is_told_once_and_not_again_by_its_children(tmp_path):
    broken = tmp_path / "regions"
    shutil.copytree(SHIPPED_REGIONS, broken)
    path = broken / "320000-jiangsu" / "tier_plans.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("base_yuan: 6000", "base_yuan: 6000.0", 1), encoding="utf-8")

    assert faults(broken) == [
        (
            "regions/320000-jiangsu/tier_plans.yaml: tier_plans[jiangsu-2025-twelve-tiers].tiers[2].base_yuan: "
            '6000.0 is a float, which cannot hold money exactly; put it in quotes, such as "6000.0"'
        )
    ]


def test_folders_are_told_when_they_are_none(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd" / "changzhou").mkdir(parents=True)
    for name in ("990100-one", "990100-two"):
        write(tmp_path / "twice" / name / "region.yaml", FILES["region.yaml"])

    assert faults(tmp_path / "nowhere") == [
        "nowhere: is not a folder; name one that holds region folders, such as config/regions"
    ]
    assert faults(tmp_path / "empty") == ["empty: holds no region folder, such as 320400-changzhou"]
    assert "odd/changzhou: a region folder is named <code>-<name>, such as 320400-changzhou" in faults(tmp_path / "odd")
    assert "twice/990100-two: 990100-one is the same region; keep one folder for each, such as 320400-changzhou" in faults(
        tmp_path / "twice"
    )


def test_the_faults_name_no_place_on_this_machine(regions):
    change(regions, "base_limits.yaml", "floor_yuan: 4000", "floor_yuan: 4952.40")

    assert not any(str(regions.parent) in fault for fault in faults(regions))


def test_every_key_has_an_example():
    keys = {
        info.alias or name
        for module in (
            rulebook_documents,
            rulebook_facts,
            rulebook_forms,
            rulebook_menus,
            rulebook_money,
            rulebook_rows,
            rulebook_withholding,
        )
        for shape in vars(module).values()
        if isinstance(shape, type) and issubclass(shape, BaseModel)
        for name, info in shape.model_fields.items()
    }

    assert keys <= EXAMPLES.keys()


def test_unconfirmed_amounts_are_samples(regions):
    change(regions, "tier_plans.yaml", "status: VERIFIED", "status: TO_CONFIRM")
    region = load_rulebook(regions).region("990100")

    assert region.assessment_table("110", YearMonth(2026, 3)).sample
    assert region.plans("110", TODAY)[0].status is Status.TO_CONFIRM
    assert region.unconfirmed(TODAY) == [
        (
            "region 990100 测试市: tier_plans[test-plan] is TO_CONFIRM (a notice made for this test); "
            "put a confirmed region folder into CANBAO_REGIONS_DIR"
        )
    ]


# Menus

MENU = "regions/990100-test/menus.yaml: menus"
ENTRIES = f"""
    each_row:
      {FACT.replace(", ", chr(10) + "      ")}
    menus:
      - {{code: TO_DO, title: 我要办}}
      - {{code: PAY, title: 缴费, under: TO_DO, capability: PAY_OWN}}
      - {{code: PROVE, title: 实名认证, function: PROVE_IDENTITY, elder: true, elder_title: 认证}}
    """


def test_a_menu_is_rows_in_the_order_of_the_file(regions):
    write(regions / "990100-test" / "menus.yaml", ENTRIES)

    entries = load_rulebook(regions).region("990100").menu(TODAY)

    assert [(entry.code, entry.under) for entry in entries] == [("TO_DO", None), ("PAY", "TO_DO"), ("PROVE", None)]


def test_an_entry_lives_from_its_day_to_its_day(regions):
    write(regions / "990100-test" / "menus.yaml", ENTRIES)
    change(regions, "menus.yaml", "function: PROVE_IDENTITY", "function: PROVE_IDENTITY, effective_from: 2026-12-01")
    region = load_rulebook(regions).region("990100")

    assert [entry.code for entry in region.menu(TODAY)] == ["TO_DO", "PAY"]
    assert [entry.code for entry in region.menu(date(2026, 12, 1))] == ["TO_DO", "PAY", "PROVE"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("under: TO_DO", "under: TO_DOO", f"{MENU}[PAY].under: no entry has the code TO_DOO; name one that exists, such as PAY"),
        ("under: TO_DO", "under: PAY", f"{MENU}[PAY]: PAY stands under itself; name the entry above it, such as under: TO_DO"),
        ("title: 我要办", "title: 我要办, under: PAY",
         f"{MENU}[TO_DO].under: PAY stands below TO_DO itself; name another entry, such as PROVE"),
        (", capability: PAY_OWN", "",
         f"{MENU}[PAY].capability: nothing stands under it and it opens nothing; say what it does, such as capability: PAY_OWN"),
        ("capability: PAY_OWN", "capability: PAY_ALL",
         f"{MENU}[PAY].capability: 'PAY_ALL' will not do: "),
        ("elder: true, ", "",
         f"{MENU}[PROVE]: elder_title belongs to what elders see first; write it with elder: true, such as elder: true"),
        ("title: 缴费", "titel: 缴费", f"{MENU}[PAY].title: is missing, such as title: 职工基本医疗保险"),
        ("code: PROVE", "code: PAY",
         f"{MENU}[PAY].effective_from: 2026-01-01 lies where another row for PAY is in force (from 2026-01-01 to no end); let one"),
    ],
)  # fmt: skip
def test_a_bad_menu_is_told_with_the_right_example(regions, old, new, told):
    write(regions / "990100-test" / "menus.yaml", ENTRIES)
    change(regions, "menus.yaml", old, new)

    found = faults(regions)

    assert any(fault.startswith(told) for fault in found), found
    assert all("such as" in fault for fault in found)
