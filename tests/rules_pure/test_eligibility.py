"""Who may enrol, resume or suspend: each reason met and each boundary, by the region's dated rules; and nothing ever raises."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.months import YearMonth
from config.rulebook import (
    ApplicationKind,
    Capability,
    CapabilityRule,
    Insurance,
    Rulebook,
    StatutoryAges,
    load_rulebook,
)
from config.rulebook_rows import EligibilityRule
from services.application_errors import AtPensionableAge
from services.choices import check_choices
from services.eligibility import Choice, Facts, Held, check
from services.errors import BusinessError
from services.people import parse_id_number

CHANGZHOU, XINJIANG = "320400", "650000"
TODAY = date(2026, 11, 21)
BOOK = load_rulebook()
NEW, RESUME, SUSPEND = ApplicationKind.NEW_ENROLLMENT, ApplicationKind.RESUMPTION, ApplicationKind.SUSPENSION
PENSION, MEDICAL = Choice(insurance_type="110", tier="3"), Choice(insurance_type="310", tier="5")
CHINESE = re.compile("[\u4e00-\u9fff]")


def facts(**changes) -> Facts:
    """Somebody of 36 who lives and is registered in the city, and joins the pension."""
    plain = {
        "kind": NEW,
        "on": TODAY,
        "rulebook": BOOK,
        "region": CHANGZHOU,
        "birth_date": date(1990, 1, 1),
        "is_female": False,
        "hukou_division": "320402",
        "residence_division": "320402",
        "choices": (PENSION,),
    }
    return Facts(**{**plain, **changes})


def in_xinjiang(**changes) -> Facts:
    return facts(**{"region": XINJIANG, "hukou_division": "410102", "residence_division": "650102", **changes})


def held(state: str = "ACTIVE", *, region: str = XINJIANG, insurance_type: str = "110") -> Held:
    return Held(region=region, pooling_area="650102", insurance_type=insurance_type, state=state)


def codes(given_facts: Facts) -> list[str]:
    return [reason.code for reason in check(given_facts)]


def only(given_facts: Facts) -> BusinessError:
    (reason,) = check(given_facts)
    return reason


# Whom nothing stops


@pytest.mark.parametrize(
    "good",
    [
        facts(),
        facts(choices=(MEDICAL,)),
        facts(choices=(PENSION, MEDICAL), pooling_area="320411"),
        facts(choices=(Choice(insurance_type="110", tier="12", plan="jiangsu-2025-twelve-tiers"),)),
        in_xinjiang(pooling_area="650102"),
        in_xinjiang(choices=(Choice(insurance_type="110", declared_wage_fen=600_000),), pooling_area="653228"),
        in_xinjiang(kind=RESUME, enrollments=(held("SUSPENDED"),), pooling_area="652801"),
        in_xinjiang(kind=SUSPEND, enrollments=(held(),), choices=(Choice(insurance_type="110"),)),
        in_xinjiang(kind=SUSPEND, enrollments=(held(),), choices=(Choice(insurance_type="110"),), birth_date=date(1950, 1, 1)),
        facts(enrollments=(held("SUSPENDED"),)),
        facts(enrollments=(held("TERMINATED"), held("TERMINATED", region=CHANGZHOU))),
        facts(enrollments=(held("ACTIVE", insurance_type="310"),)),
    ],
)
def test_nothing_stands_in_the_way(good):
    assert check(good) == []


# Ages


def age_facts(number: str, on: date = TODAY) -> Facts:
    read = parse_id_number(number, today=on)
    return facts(birth_date=read.birth_date, is_female=read.is_female, on=on)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("650101201011210016", []),
        ("650101201011220011", ["BELOW_MINIMUM_AGE"]),
        ("320402196606210018", ["AT_PENSIONABLE_AGE"]),
        ("320402196606220013", []),
        ("320402196611210012", []),
        ("320402197106210024", ["AT_PENSIONABLE_AGE"]),
        ("32040219710622002X", []),
    ],
)
def test_the_ages_of_2026_to_the_day(number, told):
    assert codes(age_facts(number)) == told


@pytest.mark.parametrize(
    ("on", "born", "told"),
    [
        # By the fixed ages until the last day of 2024.
        (date(2024, 12, 31), date(1965, 1, 1), []),
        (date(2024, 12, 31), date(1964, 12, 31), ["AT_PENSIONABLE_AGE"]),
        # By the statutory date from the first day of 2025: born on 1 January 1965 is one month later.
        (date(2025, 1, 1), date(1965, 1, 1), []),
        (date(2025, 1, 31), date(1965, 1, 1), []),
        (date(2025, 2, 1), date(1965, 1, 1), ["AT_PENSIONABLE_AGE"]),
        (date(2025, 1, 1), date(1964, 12, 31), ["AT_PENSIONABLE_AGE"]),
    ],
)
@pytest.mark.parametrize("region", [CHANGZHOU, XINJIANG])
def test_the_day_of_submission_chooses_between_the_two_rules_of_age(region, on, born, told):
    there = facts if region == CHANGZHOU else in_xinjiang

    assert codes(there(on=on, birth_date=born)) == told


def test_whoever_is_too_young_is_told_from_which_day():
    reason = only(facts(birth_date=date(2012, 2, 29)))

    assert (reason.code, reason.facts["from_day"]) == ("BELOW_MINIMUM_AGE", "2028-02-29")
    assert "2028年2月29日" in reason.said
    assert only(facts(birth_date=date(2010, 11, 22))).facts["from_day"] == "2026-11-22"


def test_whoever_is_of_age_is_told_the_month_and_where_to_go():
    reason = only(facts(birth_date=date(1966, 6, 21), agency="WUJIN"))

    assert reason.facts["statutory_month"] == "2026-11"
    assert reason.facts["counter"]["name"] == "武进区劳动就业管理机构窗口"
    for said in ("2026年11月", "以人社部门核定为准", "延长缴费", "武进区", "12333"):
        assert said in reason.said


def test_a_woman_on_the_track_of_fifty_is_of_age_sooner_and_only_if_hrss_said_so():
    woman = {"birth_date": date(1976, 1, 1), "is_female": True}

    assert codes(facts(**woman)) == []
    assert codes(facts(**woman, retirement_track="F50")) == ["AT_PENSIONABLE_AGE"]


def test_resuming_ends_at_the_pensionable_age_too_and_suspending_does_not():
    old = {"birth_date": date(1960, 1, 1)}

    assert codes(in_xinjiang(kind=RESUME, enrollments=(held("SUSPENDED"),), **old)) == ["AT_PENSIONABLE_AGE"]
    assert codes(in_xinjiang(kind=SUSPEND, enrollments=(held(),), **old)) == []


# Hukou


@pytest.mark.parametrize(
    ("hukou", "residence", "told"),
    [
        ("320402", "320402", []),
        ("320481", "110101", []),
        ("320402", None, []),
        ("320102", "320404", []),
        ("321302", "320481", []),
        ("320102", "320102", ["HUKOU_NOT_ELIGIBLE"]),
        ("320102", None, ["HUKOU_NOT_ELIGIBLE"]),
        ("330102", "320402", ["HUKOU_NOT_ELIGIBLE"]),
        ("410102", "410102", ["HUKOU_NOT_ELIGIBLE"]),
        (None, "320402", ["HUKOU_NOT_ELIGIBLE"]),
        (None, None, ["HUKOU_NOT_ELIGIBLE"]),
        ("", "", ["HUKOU_NOT_ELIGIBLE"]),
    ],
)
def test_hukou_of_the_city_or_of_the_province_with_residence_in_the_city(hukou, residence, told):
    """R-CZ-05, R-CZ-06."""
    assert codes(facts(hukou_division=hukou, residence_division=residence)) == told


def test_the_refusal_says_whose_hukou_would_do():
    reason = only(facts(hukou_division="330102"))

    assert "户籍在常州市，或者户籍在江苏省并居住在常州市" in reason.said
    assert "12333" in reason.said


@pytest.mark.parametrize("hukou", ["410102", "650102", "320402", None])
def test_xinjiang_asks_for_no_hukou(hukou):
    """R-XJ-02."""
    assert codes(in_xinjiang(hukou_division=hukou, residence_division=None)) == []


def test_a_dated_rule_that_lifts_the_limit_lets_everybody_in_from_its_day():
    """Law is data: a row of the reform changes the answer of its days, and of no other."""
    region = BOOK.region(CHANGZHOU)
    rows = []
    for row in region.own(EligibilityRule):
        if row.id == "changzhou-2025-hukou":
            lifted = {"id": "lifted", "effective_from": date(2026, 11, 1), "accepts": (type(row.accepts[0])(),)}
            rows += [row.model_copy(update={"effective_to": date(2026, 10, 31)}), row.model_copy(update=lifted)]
        else:
            rows.append(row)
    book = Rulebook({CHANGZHOU: replace(region, rows={**region.rows, EligibilityRule: tuple(rows)})})
    stranger = {"hukou_division": "410102", "residence_division": "410102", "rulebook": book}

    assert codes(facts(**stranger, on=date(2026, 10, 31))) == ["HUKOU_NOT_ELIGIBLE"]
    assert codes(facts(**stranger, on=date(2026, 11, 1))) == []


def test_whoever_is_in_already_and_goes_on_is_not_asked_for_hukou_again():
    """Where a region with such a rule lets people resume on the phone, the rule is about joining."""
    region = BOOK.region(CHANGZHOU)
    open_to_all = tuple(row.model_copy(update={"available": True}) for row in region.own(CapabilityRule))
    book = Rulebook({CHANGZHOU: replace(region, rows={**region.rows, CapabilityRule: open_to_all})})
    stranger = {"rulebook": book, "hukou_division": "410102", "residence_division": "410102"}

    assert codes(facts(**stranger)) == ["HUKOU_NOT_ELIGIBLE"]
    assert codes(facts(**stranger, kind=RESUME, enrollments=(held("SUSPENDED", region=CHANGZHOU),))) == []
    assert codes(facts(**stranger, kind=SUSPEND, enrollments=(held(region=CHANGZHOU),))) == []


# What one has already


@pytest.mark.parametrize(
    ("enrollments", "told"),
    [
        ((held("ACTIVE", region=CHANGZHOU),), ["ALREADY_ENROLLED"]),
        ((held("SUSPENDED", region=CHANGZHOU),), ["ALREADY_ENROLLED"]),
        ((held("ACTIVE"),), ["ACTIVE_ELSEWHERE"]),
        ((held("ACTIVE"), held("SUSPENDED", region=CHANGZHOU)), ["ACTIVE_ELSEWHERE"]),
        ((held("ACTIVE"), held("ACTIVE", region=CHANGZHOU)), ["ALREADY_ENROLLED"]),
        ((held("RETIRED"),), ["ALREADY_RETIRED"]),
        ((held("RETIRED", region=CHANGZHOU), held("ACTIVE")), ["ALREADY_RETIRED"]),
    ],
)
def test_nobody_enrols_twice(enrollments, told):
    assert codes(facts(enrollments=enrollments)) == told


def test_each_insurance_is_judged_for_itself():
    both = (held("ACTIVE", region=CHANGZHOU, insurance_type="310"), held("ACTIVE"))

    assert codes(facts(choices=(PENSION, MEDICAL), enrollments=both)) == ["ACTIVE_ELSEWHERE", "ALREADY_ENROLLED"]


def test_active_elsewhere_names_the_region_to_suspend_in():
    reason = only(facts(enrollments=(held(),)))

    assert (reason.facts["right_region"], reason.facts["right_region_name"]) == (XINJIANG, "新疆维吾尔自治区")
    assert "新疆维吾尔自治区办理停保" in reason.said


def test_an_enrolment_in_a_region_that_is_no_longer_in_the_rulebook_still_counts():
    assert "440300" in only(facts(enrollments=(held(region="440300"),))).said


@pytest.mark.parametrize(
    ("enrollments", "told"),
    [
        ((held("SUSPENDED"),), []),
        ((held("ACTIVE"),), ["NOT_SUSPENDED"]),
        ((held("TERMINATED"),), ["NOT_SUSPENDED"]),
        ((), ["NOT_SUSPENDED"]),
        ((held("SUSPENDED", region=CHANGZHOU),), ["REGION_MISMATCH"]),
        ((held("ACTIVE", region=CHANGZHOU),), ["REGION_MISMATCH"]),
        ((held("SUSPENDED"), held("ACTIVE", region=CHANGZHOU)), ["ACTIVE_ELSEWHERE"]),
        ((held("SUSPENDED", insurance_type="310"),), ["NOT_SUSPENDED"]),
    ],
)
def test_only_whoever_paused_here_can_go_on_here(enrollments, told):
    """R-XJ-28, R-XJ-30."""
    assert codes(in_xinjiang(kind=RESUME, enrollments=enrollments)) == told


@pytest.mark.parametrize(
    ("enrollments", "told"),
    [
        ((held(),), []),
        ((held("SUSPENDED"),), ["NOT_ACTIVE"]),
        ((), ["NOT_ACTIVE"]),
        ((held(region=CHANGZHOU),), ["REGION_MISMATCH"]),
        ((held("SUSPENDED"), held(region=CHANGZHOU)), ["REGION_MISMATCH"]),
        ((held(), held(region=CHANGZHOU)), []),
    ],
)
def test_only_what_is_being_paid_here_can_be_paused_here(enrollments, told):
    """R-XJ-42, R-XJ-46."""
    assert codes(in_xinjiang(kind=SUSPEND, enrollments=enrollments)) == told


def test_the_wrong_region_is_told_with_the_right_one_and_alone():
    reason = only(
        in_xinjiang(
            kind=RESUME, enrollments=(held("SUSPENDED", region=CHANGZHOU),), choices=(Choice(insurance_type="110", tier="99"),)
        )
    )

    assert (reason.code, reason.facts) == ("REGION_MISMATCH", {"right_region": CHANGZHOU, "right_region_name": "常州市"})
    assert "把地区切换为常州市" in reason.said


def test_of_two_regions_the_one_that_is_being_paid_is_the_current_one():
    two = (held("SUSPENDED", region="110000"), held("ACTIVE", region=CHANGZHOU))

    assert only(in_xinjiang(kind=RESUME, enrollments=two)).facts["right_region"] == CHANGZHOU


# Choices


def wage(yuan: float, **more) -> Choice:
    return Choice(insurance_type="110", declared_wage_fen=round(yuan * 100), **more)


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ((), ["NO_INSURANCE_SELECTED"]),
        ((Choice(insurance_type="110", tier="6"),), ["TIER_NOT_OFFERED"]),
        ((Choice(insurance_type="110", tier="0"),), ["TIER_NOT_OFFERED"]),
        ((Choice(insurance_type="110", tier=""),), ["TIER_NOT_OFFERED"]),
        ((Choice(insurance_type="110"),), ["TIER_NOT_OFFERED"]),
        ((Choice(insurance_type="310", tier="3"),), ["TIER_NOT_OFFERED"]),
        ((Choice(insurance_type="110", tier="1", plan="xinjiang-demo-tiers"),), ["TIER_NOT_OFFERED"]),
        ((Choice(insurance_type="110", tier="5", plan="changzhou-2020-medical"),), ["TIER_NOT_OFFERED"]),
        ((Choice(insurance_type="170", tier="1"),), ["INSURANCE_NOT_OFFERED"]),
        ((PENSION, PENSION), ["TIER_NOT_OFFERED", "TIER_NOT_OFFERED"]),
        ((wage(6000),), ["TIER_NOT_OFFERED"]),
        ((wage(8000, tier="3"),), []),
        ((wage(8000.01, tier="3"),), ["DECLARED_WAGE_OUT_OF_LIMITS"]),
        ((Choice(insurance_type="310", tier="5", declared_wage_fen=1),), ["DECLARED_WAGE_OUT_OF_LIMITS"]),
        ((Choice(insurance_type="110", tier="9"), Choice(insurance_type="310", tier="1")), ["TIER_NOT_OFFERED"] * 2),
    ],
)
def test_what_can_be_chosen_in_changzhou(choices, told):
    """R-CZ-27 to R-CZ-30."""
    assert codes(facts(choices=choices)) == told


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ((wage(5246),), []),
        ((wage(26231),), []),
        ((wage(5245.99),), ["DECLARED_WAGE_OUT_OF_LIMITS"]),
        ((wage(26231.01),), ["DECLARED_WAGE_OUT_OF_LIMITS"]),
        ((wage(-1),), ["DECLARED_WAGE_OUT_OF_LIMITS"]),
        ((wage(8744, tier="3"),), []),
        ((wage(8000, tier="3"),), ["DECLARED_WAGE_OUT_OF_LIMITS"]),
        ((Choice(insurance_type="310", tier="5"),), ["INSURANCE_NOT_OFFERED", "NO_INSURANCE_SELECTED"]),
    ],
)
def test_what_can_be_chosen_in_xinjiang(choices, told):
    """R-XJ-33, R-XJ-34."""
    assert codes(in_xinjiang(choices=choices)) == told


def offering(**changes):
    """Changzhou, whose pension is offered otherwise."""
    region = BOOK.region(CHANGZHOU)
    rows = tuple(row.model_copy(update=changes) if row.insurance_type == "110" else row for row in region.own(Insurance))
    return replace(region, rows={**region.rows, Insurance: rows})


def test_a_plan_that_is_no_longer_offered_cannot_be_chosen_even_while_it_still_makes_bills():
    choice = Choice(insurance_type="110", tier="1", plan="jiangsu-2025-twelve-tiers")
    region = offering(plans=("changzhou-2020-five-tiers",))

    assert region.assessment_table("110", YearMonth(2026, 11), choice.plan).tier("1") is not None
    assert codes(facts(choices=(choice,), rulebook=Rulebook({CHANGZHOU: region}))) == ["TIER_NOT_OFFERED"]


def test_what_must_be_joined_need_not_be_suspended():
    region, medical = offering(may_be_declined=False), (Choice(insurance_type="310", tier="5"),)
    day, month = TODAY, YearMonth.of(TODAY)

    (refusal,) = check_choices(region, medical, on=day, month=month, with_tiers=True)
    assert (refusal.code, "养老保险" in refusal.said) == ("NO_INSURANCE_SELECTED", True)
    assert check_choices(region, medical, on=day, month=month, with_tiers=False) == []


def test_a_tier_that_is_not_in_the_plan_is_answered_with_those_that_are():
    reason = only(facts(choices=(Choice(insurance_type="110", tier="6"),)))

    assert reason.facts["tiers"] == ["1", "2", "3", "4", "5"]
    assert "一档、二档、三档、四档、五档" in reason.said


def test_the_limits_are_told_in_yuan_and_are_those_of_the_month_that_is_covered():
    this_year, last_year = (only(in_xinjiang(choices=(wage(5000),), month=YearMonth(year, 12))) for year in (2026, 2025))

    assert (this_year.facts, last_year.facts) == (
        {"floor_fen": 524600, "ceiling_fen": 2623100},
        {"floor_fen": 506900, "ceiling_fen": 2534400},
    )
    assert "5246元至26231元" in this_year.said


def test_a_month_whose_figures_nobody_has_published_is_refused_and_said_so():
    reason = only(facts(month=YearMonth(2027, 1)))

    assert reason.code == "TIER_NOT_OFFERED"
    assert "2027年1月的缴费档次尚未公布" in reason.said
    assert "96888732" in reason.said


# What the phone does not do


@pytest.mark.parametrize("kind", [RESUME, SUSPEND])
def test_what_changzhou_does_not_do_on_the_phone_names_the_persons_own_window(kind):
    """R-CZ-16, R-CZ-18: alone, since at the window the other rules are the window's."""
    reason = only(facts(kind=kind, agency="JINTAN", choices=(), birth_date=date(1940, 1, 1), enrollments=(held(),)))

    assert reason.code == "NOT_AVAILABLE_ONLINE"
    assert reason.facts["counter"] == {
        "name": "金坛区劳动就业管理机构窗口",
        "address": "以当地公布为准",
        "hours": "以当地公布为准",
        "phone": "12333",
        "hotline": "12333",
    }
    for said in ("暂不能在手机上办理", "金坛区劳动就业管理机构窗口", "地址", "办公时间", "咨询热线12333"):
        assert said in reason.said
    assert "。。" not in reason.said


def test_capability_is_data():
    region = BOOK.region(XINJIANG)
    closed = tuple(
        row.model_copy(update={"available": False, "explanation": "系统升级，暂停办理。", "counter": "XINJIANG"})
        if row.capability is Capability.ENROLL
        else row
        for row in region.own(CapabilityRule)
    )
    book = Rulebook({XINJIANG: replace(region, rows={**region.rows, CapabilityRule: closed})})

    reason = only(in_xinjiang(rulebook=book, agency="XPCC"))

    assert (reason.code, reason.facts["counter"]["name"]) == ("NOT_AVAILABLE_ONLINE", "参保地社会保险经办机构窗口")
    assert reason.said.startswith("系统升级，暂停办理。")


@pytest.mark.parametrize("kind", list(ApplicationKind))
@pytest.mark.parametrize("region", [CHANGZHOU, XINJIANG])
def test_before_there_were_rules_there_is_a_window_and_no_guess(region, kind):
    assert codes(facts(region=region, kind=kind, on=date(2020, 12, 15))) == ["NOT_AVAILABLE_ONLINE"]


@pytest.mark.parametrize("area", ["659001", "659012", "659000"])
def test_the_corps_areas_are_handled_by_the_corps_own_agencies(area):
    reason = only(in_xinjiang(pooling_area=area))

    assert reason.code == "NOT_AVAILABLE_ONLINE"
    assert reason.facts["counter"]["name"] == "兵团参保地社会保险经办机构窗口"
    assert BOOK.region(XINJIANG).pooling_areas[area].name in reason.said


@pytest.mark.parametrize("area", ["320402", "000000", "", "六五"])
def test_an_area_of_another_region_is_refused(area):
    assert codes(in_xinjiang(pooling_area=area)) == ["POOLING_AREA_UNKNOWN"]


def test_a_region_that_nobody_serves_is_refused():
    assert codes(facts(region="320000")) == ["POOLING_AREA_UNKNOWN"]


def test_every_reason_is_told_at_once_in_a_steady_order():
    worst = facts(
        birth_date=date(1950, 1, 1),
        hukou_division="330102",
        enrollments=(held(),),
        choices=(Choice(insurance_type="110", tier="77"),),
        pooling_area="650102",
    )

    assert codes(worst) == [
        "POOLING_AREA_UNKNOWN",
        "AT_PENSIONABLE_AGE",
        "HUKOU_NOT_ELIGIBLE",
        "ACTIVE_ELSEWHERE",
        "TIER_NOT_OFFERED",
    ]


# What holds for everybody

DIVISIONS = st.one_of(st.none(), st.sampled_from(["320402", "320100", "650102", "659001", "", "3204"]), st.text(max_size=8))
CHOICES = st.builds(
    Choice,
    insurance_type=st.sampled_from(["110", "310", "170", ""]),
    tier=st.one_of(st.none(), st.sampled_from([str(each) for each in range(14)]), st.text(max_size=4)),
    declared_wage_fen=st.one_of(st.none(), st.integers(-(10**12), 10**12)),
    plan=st.one_of(
        st.none(), st.sampled_from(["changzhou-2020-five-tiers", "jiangsu-2025-twelve-tiers", "xinjiang-demo-tiers", "?"])
    ),
)
HELD = st.builds(
    Held,
    region=st.sampled_from([CHANGZHOU, XINJIANG, "110000"]),
    pooling_area=st.sampled_from(["320402", "650102"]),
    insurance_type=st.sampled_from(["110", "310"]),
    state=st.sampled_from(["ACTIVE", "SUSPENDED", "TERMINATED", "RETIRED"]),
)
ANYBODY = st.builds(
    Facts,
    kind=st.sampled_from(ApplicationKind),
    on=st.dates(date(2000, 1, 1), date(2100, 12, 31)),
    rulebook=st.just(BOOK),
    region=st.sampled_from([CHANGZHOU, XINJIANG, "100000", ""]),
    birth_date=st.dates(date(1880, 1, 1), date(2120, 12, 31)),
    is_female=st.sampled_from([True, False, None]),
    choices=st.lists(CHOICES, max_size=3).map(tuple),
    hukou_division=DIVISIONS,
    residence_division=DIVISIONS,
    pooling_area=DIVISIONS,
    enrollments=st.lists(HELD, max_size=4).map(tuple),
    agency=st.one_of(st.none(), st.sampled_from(["WUJIN", "XPCC", "NOBODY"])),
    month=st.one_of(st.none(), st.builds(YearMonth, st.integers(2020, 2030), st.integers(1, 12))),
    retirement_track=st.sampled_from([None, "M60", "F55", "F50", "X99"]),
)


@given(ANYBODY)
def test_whatever_the_facts_are_there_is_an_answer_that_a_person_can_use(anybody):
    for reason in check(anybody):
        assert isinstance(reason, BusinessError)
        assert CHINESE.search(reason.said)
        assert reason.said.endswith("。")
        assert not re.search(r"None|。。|\{|\}", reason.said)


@given(anybody=ANYBODY, on=st.dates(date(2025, 1, 1), date(2100, 12, 31)))
def test_nobody_at_or_past_the_statutory_date_enrols_or_resumes(anybody, on):
    """Domain §8.5, invariant 13."""
    known = replace(anybody, on=on, region=XINJIANG)
    rule = BOOK.region(XINJIANG).age_rule(on)
    assert isinstance(rule, StatutoryAges)

    last = known.birth_date.year + 70
    if known.kind is not SUSPEND and on.year >= last:
        reasons = check(known)
        assert any(isinstance(reason, AtPensionableAge) for reason in reasons) or reasons[0].code in (
            "NOT_AVAILABLE_ONLINE",
            "REGION_MISMATCH",
        )


@given(anybody=ANYBODY)
def test_asking_twice_is_answered_twice_the_same(anybody):
    assert [(each.code, each.said, each.facts) for each in check(anybody)] == [
        (each.code, each.said, each.facts) for each in check(anybody)
    ]


@pytest.mark.parametrize("module", ["eligibility", "choices", "retirement", "working_days"])
def test_no_region_and_no_figure_of_the_law_stands_in_the_code(module):
    tree = ast.parse((Path(__file__).parents[2] / "services" / f"{module}.py").read_text())
    docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    said = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in docstrings}

    assert not {value for value in said if isinstance(value, str) and re.search(r"\d{4,}|常州|新疆|兵团", value)}
    assert {value for value in said if isinstance(value, int) and not isinstance(value, bool) and value > 12} <= {100}
