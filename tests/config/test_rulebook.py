"""The shipped rulebook says what its sources say, on the days on which they say it, and refuses on all others."""

import re
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.months import YearMonth
from config.rulebook import (
    SHIPPED_REGIONS,
    ApplicationKind,
    ArrearsKind,
    BaseLimits,
    CalendarYear,
    Capability,
    FixedAges,
    HotlineTopic,
    NoRuleInForce,
    NoticePurpose,
    Status,
    StatutoryAges,
    UnknownRegion,
    amount_parts,
    load_rulebook,
    round_half_up,
)
from config.rulebook_rows import DaysOff

TODAY = date(2026, 11, 21)
CHANGZHOU, XINJIANG = "320400", "650000"


@pytest.fixture(scope="module")
def rulebook():
    return load_rulebook()


# The figures


@pytest.mark.parametrize(
    ("region", "year", "figures", "known"),
    [
        (CHANGZHOU, 2024, (4879, 24396, 8132), (Status.SECONDARY, False)),
        (CHANGZHOU, 2025, (4952, 24762, 8254), (Status.VERIFIED, False)),
        (CHANGZHOU, 2026, (4952, 24762, 8254), (Status.SECONDARY, True)),
        (XINJIANG, 2024, (4999, 24996, 8332), (Status.SECONDARY, False)),
        (XINJIANG, 2025, (5069, 25344, 8448), (Status.SECONDARY, False)),
        (XINJIANG, 2026, (5246, 26231, 8744), (Status.VERIFIED, False)),
    ],
)
def test_base_limits_are_the_published_integers(rulebook, region, year, figures, known):
    for day in (date(year, 1, 1), date(year, 12, 31)):
        limits = rulebook.region(region).find(BaseLimits, "110", day)

        assert (limits.floor_fen, limits.ceiling_fen, limits.reference_wage_fen) == tuple(yuan * 100 for yuan in figures)
        assert (limits.status, limits.provisional) == known


@pytest.mark.parametrize("region", [CHANGZHOU, XINJIANG])
@pytest.mark.parametrize("year", [2023, 2027])
def test_a_year_without_limits_is_refused_and_never_guessed(rulebook, region, year):
    with pytest.raises(NoRuleInForce, match=f"region {region} has no .* in force on {year}-12-01"):
        rulebook.region(region).assessment_table("110", YearMonth(year, 12))


def test_the_rate_is_twenty_per_cent_with_eight_to_the_account(rulebook):
    for code in (CHANGZHOU, XINJIANG):
        table = rulebook.region(code).assessment_table("110", YearMonth(2026, 11))

        assert (table.rate_per_mille, table.account_rate_per_mille) == (200, 80)


def test_changzhou_has_five_tiers_labelled_as_the_source_labels_them(rulebook):
    table = rulebook.region(CHANGZHOU).assessment_table("110", YearMonth(2026, 11))

    assert [(tier.tier, tier.label) for tier in table.tiers] == list(
        zip("12345", ["一档", "二档", "三档", "四档", "五档"], strict=True)
    )
    assert table.plan_id == "changzhou-2020-five-tiers"
    assert table.sample
    assert not table.allow_declared_wage
    assert table.tier("6") is None


def test_changzhou_medical_has_only_the_fifth_tier_and_no_rate(rulebook):
    table = rulebook.region(CHANGZHOU).assessment_table("310", YearMonth(2026, 11))

    assert [tier.tier for tier in table.tiers] == ["5"]
    assert table.tiers[0].account_part_fen == 0
    assert (table.rate_per_mille, table.floor_fen, table.ceiling_fen) == (0, None, None)
    assert table.sample


@pytest.mark.parametrize("month", [YearMonth(2025, 1), YearMonth(2025, 12), YearMonth(2026, 1), YearMonth(2026, 11)])
def test_the_provinces_plan_reaches_the_city_beside_its_own(rulebook, month):
    region = rulebook.region(CHANGZHOU)

    plans = region.plans("110", month.first_day)
    table = region.assessment_table("110", month, "jiangsu-2025-twelve-tiers")

    assert [plan.id for plan in plans] == ["changzhou-2020-five-tiers", "jiangsu-2025-twelve-tiers"]
    assert len(table.tiers) == 12
    assert (table.tiers[0].base_fen, table.tiers[-1].base_fen) == (table.floor_fen, table.ceiling_fen)
    assert table.region == CHANGZHOU
    assert table.sample is False
    assert table.provisional is (month.year == 2026)


def test_a_plan_of_another_insurance_or_of_nobody_is_refused(rulebook):
    region = rulebook.region(CHANGZHOU)

    for plan_id in ("changzhou-2020-five-tiers", "no-such-plan"):
        with pytest.raises(NoRuleInForce, match=plan_id):
            region.assessment_table("310", YearMonth(2026, 11), plan_id)


def test_the_rule_id_names_plan_and_limits_and_changes_with_either(rulebook):
    region = rulebook.region(CHANGZHOU)
    ids = {
        str(month): region.assessment_table("110", month).rule_id
        for month in (YearMonth(2025, 1), YearMonth(2025, 12), YearMonth(2026, 1))
    }

    assert ids["2025-01"] == ids["2025-12"] == "changzhou-2020-five-tiers@2024-01-01+jiangsu-2025"
    assert ids["2026-01"] == "changzhou-2020-five-tiers@2024-01-01+jiangsu-2026-provisional"


def test_a_declared_wage_lies_within_the_limits_of_its_month(rulebook):
    table = rulebook.region(XINJIANG).assessment_table("110", YearMonth(2026, 11))

    assert [table.admits_wage(yuan * 100) for yuan in (5245, 5246, 26231, 26232)] == [False, True, True, False]
    assert not table.admits_wage(524600 - 1)
    assert not rulebook.region(CHANGZHOU).assessment_table("110", YearMonth(2026, 11)).admits_wage(600000)


def test_every_tier_of_every_plan_sums_and_lies_inside_the_limits(rulebook):
    for region in rulebook.regions.values():
        for month in (YearMonth(2024, 1).plus(step) for step in range(36)):
            for insurance in region.insurances(month.first_day):
                for plan in region.plans(insurance.insurance_type, month.first_day):
                    table = region.assessment_table(insurance.insurance_type, month, plan.id)
                    for tier in table.tiers:
                        assert tier.account_part_fen + tier.pooling_part_fen == tier.amount_fen > 0
                        assert tier.base_fen is None or table.floor_fen <= tier.base_fen <= table.ceiling_fen
                    assert len(table.rule_id) <= 100


# The arithmetic


@given(st.integers(1, 3_000_000), st.integers(0, 1000).flatmap(lambda rate: st.tuples(st.just(rate), st.integers(0, rate))))
def test_parts_always_sum_and_are_never_negative(base_fen, rates):
    parts = amount_parts(base_fen, *rates)

    assert parts.account_part_fen + parts.pooling_part_fen == parts.total_fen
    assert min(parts.account_part_fen, parts.pooling_part_fen) >= 0


def test_parts_sum_for_every_base_there_is():
    for base_fen in range(1, 3_000_001, 7):
        parts = amount_parts(base_fen, 200, 80)
        assert abs(parts.total_fen * 5 - base_fen) <= 2
        assert parts.account_part_fen + parts.pooling_part_fen == parts.total_fen


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [(5, 10, 1), (4, 10, 0), (15, 10, 2), (25, 10, 3), (0, 10, 0), (1, 3, 0), (2, 3, 1)],
)
def test_a_half_is_rounded_up(numerator, denominator, rounded):
    assert round_half_up(numerator, denominator) == rounded


# What the phone can do


@pytest.mark.parametrize(
    ("region", "capability", "available"),
    [
        (CHANGZHOU, Capability.ENROLL, True),
        (CHANGZHOU, Capability.RESUME, False),
        (CHANGZHOU, Capability.SUSPEND, False),
        (CHANGZHOU, Capability.BACK_PAY, False),
        (CHANGZHOU, Capability.PAY_OWN, True),
        (CHANGZHOU, Capability.PAY_FOR_OTHERS, True),
        (CHANGZHOU, Capability.WITHHOLDING_SIGN_ONLINE, False),
        (CHANGZHOU, Capability.JOINT_CASE, False),
        (CHANGZHOU, Capability.PRINT_REGISTRATION_FORM, True),
        (XINJIANG, Capability.ENROLL, True),
        (XINJIANG, Capability.RESUME, True),
        (XINJIANG, Capability.SUSPEND, True),
        (XINJIANG, Capability.BACK_PAY, False),
        (XINJIANG, Capability.PAY_OWN, True),
        (XINJIANG, Capability.PAY_FOR_OTHERS, True),
        (XINJIANG, Capability.WITHHOLDING_SIGN_ONLINE, True),
        (XINJIANG, Capability.JOINT_CASE, True),
        (XINJIANG, Capability.PRINT_REGISTRATION_FORM, False),
    ],
)
def test_a_region_says_what_the_phone_can_do(rulebook, region, capability, available):
    rule = rulebook.region(region).capability(capability, TODAY)

    assert rule.available is available
    assert available or rule.explanation


def test_each_region_has_its_own_words_for_the_withholding_agreement(rulebook):
    changzhou, xinjiang = (rulebook.region(code).withholding_terms(TODAY) for code in (CHANGZHOU, XINJIANG))

    assert (changzhou.title, xinjiang.title) == ("银行卡扣缴协议", "个人委托扣款缴费协议")
    assert (changzhou.is_main_way, xinjiang.is_main_way) == (True, False)
    assert "网点" in changzhou.where
    assert "身份证原件" in changzhou.where
    assert "江苏省社会保障卡" in changzhou.recommended_card
    assert changzhou.signed_before == "原已签订协议的不用重复签订。"
    assert "新增协议" in xinjiang.where
    assert "乘以百分之二十" in xinjiang.deposit


@pytest.mark.parametrize("capability", [Capability.SUSPEND, Capability.BACK_PAY])
def test_changzhou_sends_suspension_and_back_payment_to_the_entrusted_agencys_window(rulebook, capability):
    region = rulebook.region(CHANGZHOU)

    rule = region.capability(capability, TODAY)
    counter = region.counter_for("WUJIN")

    assert rule.counter == "ENTRUSTED_AGENCY"
    assert (rule.status, "窗口" in rule.explanation) == (Status.VERIFIED, True)
    assert (counter.code, counter.name) == ("WUJIN", "武进区劳动就业管理机构窗口")
    assert (counter.address, counter.phone, counter.to_confirm) == ("以当地公布为准", "12333", True)


def test_whoever_has_no_agency_on_record_is_sent_to_the_default_window(rulebook):
    for code in (CHANGZHOU, XINJIANG):
        region = rulebook.region(code)
        assert region.counter_for(None) == region.counter_for("NOBODY_KNOWS") == region.counter_for()


def test_before_the_source_there_was_no_capability(rulebook):
    with pytest.raises(NoRuleInForce, match="ENROLL"):
        rulebook.region(CHANGZHOU).capability(Capability.ENROLL, date(2020, 12, 15))
    assert rulebook.region(CHANGZHOU).capability(Capability.ENROLL, date(2020, 12, 16)).available


# Missed months


@pytest.mark.parametrize(
    ("region", "kind", "allowed"),
    [
        (CHANGZHOU, ArrearsKind.NONE, ["2026-11"]),
        (XINJIANG, ArrearsKind.SAME_YEAR, [f"2026-{month:02d}" for month in range(1, 12)]),
    ],
)
def test_the_arrears_window_says_which_months_may_still_be_paid(rulebook, region, kind, allowed):
    window = rulebook.region(region).arrears_window("110", TODAY)
    months = [YearMonth(2025, 11).plus(step) for step in range(18)]

    assert window.kind is kind
    assert [str(month) for month in months if window.allows(month, TODAY)] == allowed


def test_in_january_nothing_of_the_old_year_may_be_paid(rulebook):
    window = rulebook.region(XINJIANG).arrears_window("110", date(2026, 1, 1))

    assert window.allows(YearMonth(2026, 1), date(2026, 1, 1))
    assert not window.allows(YearMonth(2025, 12), date(2026, 1, 1))


def test_a_window_of_n_months_reaches_back_over_the_turn_of_the_year(rulebook):
    window = (
        rulebook.region(XINJIANG).arrears_window("110", TODAY).model_copy(update={"kind": ArrearsKind.N_MONTHS, "months": 3})
    )
    today = date(2026, 2, 15)

    assert [
        str(YearMonth(2025, 10).plus(step)) for step in range(6) if window.allows(YearMonth(2025, 10).plus(step), today)
    ] == ["2025-11", "2025-12", "2026-01", "2026-02"]


# Who may enrol


def test_the_ages_change_with_the_year_of_2025(rulebook):
    for code in (CHANGZHOU, XINJIANG):
        old, new = (rulebook.region(code).age_rule(day) for day in (date(2024, 12, 31), date(2025, 1, 1)))

        assert isinstance(old, FixedAges)
        assert (old.minimum_age, old.male_below, old.female_below) == (16, 60, 55)
        assert isinstance(new, StatutoryAges)
        assert (new.default_track_male, new.default_track_female, new.minimum_age) == ("M60", "F55", 16)


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("M60", (60, YearMonth(1965, 1), 4, 36)),
        ("F55", (55, YearMonth(1970, 1), 4, 36)),
        ("F50", (50, YearMonth(1975, 1), 2, 60)),
    ],
)
def test_the_three_tracks_of_delayed_retirement(rulebook, name, figures):
    track = rulebook.region(CHANGZHOU).age_rule(TODAY).track(name)

    assert (track.old_age, track.first_birth_month, track.step_months, track.maximum_delay_months) == figures


def test_changzhous_own_ages_stand_before_the_countrys_while_they_last(rulebook):
    assert rulebook.region(CHANGZHOU).age_rule(date(2024, 12, 31)).id == "changzhou-2020-ages"
    assert rulebook.region(XINJIANG).age_rule(date(2024, 12, 31)).id == "national-old-ages"


def test_hukou_is_a_condition_in_changzhou_and_none_in_xinjiang(rulebook):
    changzhou, xinjiang = (rulebook.region(code).hukou_rule(TODAY) for code in (CHANGZHOU, XINJIANG))

    assert [(match.hukou_prefix, match.residence_prefix) for match in changzhou.accepts] == [("3204", None), ("32", "3204")]
    assert [(match.hukou_prefix, match.residence_prefix) for match in xinjiang.accepts] == [(None, None)]


@pytest.mark.parametrize(
    ("year", "months"),
    [
        (2011, 180),
        (2024, 180),
        (2026, 180),
        (2029, 180),
        (2030, 186),
        (2031, 192),
        (2032, 198),
        (2033, 204),
        (2034, 210),
        (2035, 216),
        (2036, 222),
        (2037, 228),
        (2038, 234),
        (2039, 240),
        (2060, 240),
    ],
)
def test_the_minimum_contribution_period_grows_to_twenty_years(rulebook, year, months):
    assert rulebook.region(CHANGZHOU).minimum_contribution_months("110", date(year, 7, 1)) == months


# Papers, people, places


def test_the_household_register_or_a_residence_permit_completes_the_documents(rulebook):
    needed = rulebook.region(CHANGZHOU).required_documents(ApplicationKind.NEW_ENROLLMENT, TODAY)

    assert needed.missing({"ID_FRONT", "ID_BACK", "HUKOU_FIRST_PAGE", "HUKOU_SELF_PAGE"}) == ()
    assert needed.missing({"ID_FRONT", "ID_BACK", "RESIDENCE_PERMIT"}) == ()
    assert needed.missing({"ID_FRONT", "RESIDENCE_PERMIT"}) == ("ID_BACK",)
    assert needed.missing({"ID_FRONT", "ID_BACK", "HUKOU_FIRST_PAGE"}) in {("HUKOU_SELF_PAGE",), ("RESIDENCE_PERMIT",)}


def test_resuming_in_xinjiang_needs_no_papers(rulebook):
    assert rulebook.region(XINJIANG).required_documents(ApplicationKind.RESUMPTION, TODAY).missing(set()) == ()


def test_the_hotlines_are_those_of_the_source(rulebook):
    region = rulebook.region(CHANGZHOU)

    assert region.hotline(HotlineTopic.ENROLLMENT).number == "12333"
    assert (region.hotline(HotlineTopic.PAYMENT).number, region.hotline(HotlineTopic.PAYMENT).to_confirm) == ("96888732", True)
    assert rulebook.region(XINJIANG).hotline(HotlineTopic.PAYMENT).number == "12366"
    assert rulebook.region(XINJIANG).hotline(HotlineTopic.MEDICAL).number == "12333"


def test_exactly_the_eight_banks_take_cash_in_changzhou(rulebook):
    banks = rulebook.region(CHANGZHOU).banks

    assert {code: bank.bank_category.code for code, bank in banks.items()} == {
        "BOC": "104", "ABC": "103", "ICBC": "102", "CCB": "105", "BOCOM": "301", "JSB": "313", "JNB": "314", "PSBC": "403",
    }  # fmt: skip
    assert all(bank.cash for bank in banks.values())


def test_every_handling_area_of_both_regions_is_there(rulebook):
    changzhou, xinjiang = rulebook.region(CHANGZHOU).pooling_areas, rulebook.region(XINJIANG).pooling_areas
    by_prefecture = {code: sum(area.parent == code for area in xinjiang.values()) for code in xinjiang if code.endswith("00")}

    assert list(changzhou) == ["320402", "320404", "320411", "320412", "320413", "320481"]
    assert by_prefecture == {
        "650100": 8, "650200": 4, "650400": 3, "650500": 3, "652300": 7, "652700": 4, "652800": 9, "652900": 9,
        "653000": 4, "653100": 12, "653200": 10, "654000": 11, "654200": 7, "654300": 7, "659000": 12,
    }  # fmt: skip
    assert {code for code, area in xinjiang.items() if area.system == "XPCC"} == {f"6590{n:02d}" for n in range(1, 13)}
    assert all(area.parent in xinjiang or area.parent == XINJIANG for area in xinjiang.values())
    assert all(area.code[:4] == area.parent[:4] for area in xinjiang.values() if area.parent != XINJIANG)


def test_the_two_new_counties_are_known_and_their_codes_are_not_trusted(rulebook):
    areas = rulebook.region(XINJIANG).pooling_areas

    assert [(areas[code].name, areas[code].status) for code in ("653228", "653229")] == [
        ("和安县", Status.TO_CONFIRM),
        ("和康县", Status.TO_CONFIRM),
    ]


def test_texts_have_version_and_fingerprint_and_say_that_they_are_samples(rulebook):
    for code in (CHANGZHOU, XINJIANG):
        notices = {notice.purpose: notice for notice in rulebook.region(code).notices(TODAY)}

        assert notices.keys() >= {
            NoticePurpose.REAL_NAME,
            NoticePurpose.FACE,
            NoticePurpose.PROXY_PAYMENT,
            NoticePurpose.ENROLLMENT,
        }
        for notice in notices.values():
            assert notice.version
            assert "示例文本" in notice.text
            assert re.fullmatch(r"[0-9a-f]{64}", notice.sha256)
    assert rulebook.region(CHANGZHOU).notice(NoticePurpose.AGENCY_CLIENT, TODAY).title == "劳动事务代理人员须知"
    with pytest.raises(NoRuleInForce):
        rulebook.region(XINJIANG).notice(NoticePurpose.AGENCY_CLIENT, TODAY)


def test_the_face_text_offers_the_way_without_the_face(rulebook):
    assert "您可以不同意" in rulebook.region(CHANGZHOU).notice(NoticePurpose.FACE, TODAY).text


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2026, 2, 13), True), (date(2026, 2, 14), True), (date(2026, 2, 15), False), (date(2026, 2, 23), False),
        (date(2026, 2, 24), True), (date(2026, 9, 20), True), (date(2026, 9, 19), False), (date(2026, 10, 8), True),
        (date(2026, 10, 10), True), (date(2026, 10, 11), False),
    ],
)  # fmt: skip
def test_the_calendar_of_2026_knows_holidays_and_make_up_days(rulebook, day, works):
    assert rulebook.region(CHANGZHOU).works_on(day) is works


def test_2026_has_248_working_days_and_2027_is_not_published(rulebook):
    region = rulebook.region(XINJIANG)
    days = [date(2026, 1, 1) + timedelta(days=step) for step in range(365)]

    assert sum(region.works_on(day) is True for day in days) == 248
    assert region.works_on(date(2027, 1, 4)) is None


def test_a_regions_own_holiday_stands_before_the_countrys_calendar_and_leaves_its_other_days(rulebook):
    region = rulebook.region(XINJIANG)
    (year,) = region.all(CalendarYear)
    own = year.model_copy(
        update={
            "days_off": (DaysOff(first=date(2026, 3, 20), last=date(2026, 3, 20)),),
            "make_up_workdays": (date(2026, 10, 1),),
            "partial": True,
        }
    )
    there = replace(region, rows={**region.rows, CalendarYear: (own,)})

    assert (region.works_on(date(2026, 3, 20)), there.works_on(date(2026, 3, 20))) == (True, False)
    assert (region.works_on(date(2026, 10, 1)), there.works_on(date(2026, 10, 1))) == (False, True)
    assert [there.works_on(day) for day in (date(2026, 10, 2), date(2026, 10, 10), date(2026, 10, 11))] == [False, True, False]
    assert there.works_on(date(2027, 3, 22)) is None


@pytest.mark.parametrize(("region", "status"), [(CHANGZHOU, Status.VERIFIED), (XINJIANG, Status.TO_CONFIRM)])
def test_an_application_is_decided_within_one_or_two_working_days(rulebook, region, status):
    term = rulebook.region(region).review_term(ApplicationKind.NEW_ENROLLMENT, TODAY)

    assert (term.target_working_days, term.due_working_days, term.day_ends) == (1, 2, "24:00")
    assert term.status is status


def test_the_corps_handles_its_own_cities(rulebook):
    areas = rulebook.region(XINJIANG).pooling_areas

    assert {code for code, area in areas.items() if area.handled_by is not None} == {f"6590{n:02d}" for n in range(13)}
    assert {area.handled_by for area in areas.values()} == {None, "XPCC"}
    assert "XPCC" in rulebook.region(XINJIANG).agencies


# The book as a whole


def test_people_enrol_in_cities_and_not_where_only_figures_live(rulebook):
    assert set(rulebook.regions) == {CHANGZHOU, XINJIANG}
    assert {code: (region.name, region.authority, region.timezone) for code, region in rulebook.regions.items()} == {
        CHANGZHOU: ("常州市", "tax-320400", "Asia/Shanghai"),
        XINJIANG: ("新疆维吾尔自治区", "tax-650000", "Asia/Shanghai"),
    }


def test_an_unknown_region_is_told_which_regions_there_are(rulebook):
    with pytest.raises(UnknownRegion) as refused:
        rulebook.region("310000")

    assert str(refused.value) == "no region 310000; the rulebook has 320400, 650000"


def test_production_would_refuse_exactly_what_is_not_known(rulebook):
    changzhou = rulebook.unconfirmed(TODAY, [CHANGZHOU])
    both = rulebook.unconfirmed(TODAY, [XINJIANG, CHANGZHOU, CHANGZHOU])
    named = [re.search(r"region (\d+) \S+: (\S+) is TO_CONFIRM", sentence).groups() for sentence in both]

    assert both[: len(changzhou)] == changzhou
    assert named == [
        (CHANGZHOU, "tier_plans[changzhou-2020-five-tiers]"),
        (CHANGZHOU, "tier_plans[changzhou-2020-medical]"),
        (CHANGZHOU, "tier_changes[110]"),
        (CHANGZHOU, "tier_changes[310]"),
        (CHANGZHOU, "eligibility[changzhou-2025-hukou]"),
        (XINJIANG, "tier_plans[xinjiang-demo-tiers]"),
        (XINJIANG, "capabilities[BACK_PAY]"),
        (XINJIANG, "capabilities[PAY_OWN]"),
        (XINJIANG, "capabilities[PAY_FOR_OTHERS]"),
        (XINJIANG, "arrears[110]"),
        (XINJIANG, "tier_changes[110]"),
    ]
    assert rulebook.unconfirmed(TODAY, []) == []


def test_a_figure_that_is_not_in_force_that_day_stops_nobody(rulebook):
    assert not any("hukou" in sentence for sentence in rulebook.unconfirmed(date(2025, 5, 31), [CHANGZHOU]))
    assert any("hukou" in sentence for sentence in rulebook.unconfirmed(date(2025, 6, 1), [CHANGZHOU]))


def test_freshness_is_read_and_not_decoration(rulebook):
    assert rulebook.unchecked_since(date(2026, 11, 21)) == []
    assert (
        "regions/320000-jiangsu/base_limits.yaml: base_limits[jiangsu-2025]: last checked on 2026-11-21"
        in rulebook.unchecked_since(date(2026, 11, 22))
    )


def test_every_source_mark_is_explained_beside_the_figures():
    explained = set(re.findall(r"`\[(.+?)\]`", (SHIPPED_REGIONS / "SOURCES.md").read_text(encoding="utf-8")))
    used = {
        mark
        for path in SHIPPED_REGIONS.glob("*/*.yaml")
        for mark in re.findall(r"\[(CZ|XJ|S-\d\d)\]", path.read_text(encoding="utf-8"))
    }

    assert used <= explained
