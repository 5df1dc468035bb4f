"""Regions, as anybody may read them: what stands in the rulebook today, to the fen, and what it does not know said so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from config.months import YearMonth
from config.rulebook import Capability, CapabilityRule, HotlineTopic, Rulebook, TierPlan

CHANGZHOU, XINJIANG = "320400", "650000"


def test_the_list_names_the_regions_that_take_enrolments(house):
    told = house.phone().get("/regions").json["regions"]

    assert [each["code"] for each in told] == [CHANGZHOU, XINJIANG]
    assert told[0] == {"code": CHANGZHOU, "name": "常州市", "province_code": "320000"}


@pytest.mark.parametrize("code", [CHANGZHOU, XINJIANG])
def test_tiers_and_amounts_are_the_rulebooks(house, code):
    region, today = house.ports.rulebook.region(code), house.ports.today()

    told = house.phone().get(f"/regions/{code}").json

    assert told["on"] == "2026-11-21"
    for insurance in told["insurances"]:
        for plan in insurance["plans"]:
            table = region.assessment_table(insurance["insurance_type"], YearMonth.of(today), plan["id"])
            assert plan["rule_id"] == table.rule_id
            assert (plan["sample"], plan["provisional"]) == (table.sample, table.provisional)
            assert [(tier["tier"], tier["amount_fen"]) for tier in plan["tiers"]] == [
                (tier.tier, tier.amount_fen) for tier in table.tiers
            ]
            assert all(tier["account_part_fen"] + tier["pooling_part_fen"] == tier["amount_fen"] for tier in plan["tiers"])


def test_some_of_the_figures_are_samples_and_say_so(house):
    told = house.phone().get(f"/regions/{CHANGZHOU}").json

    plans = {plan["id"]: plan["sample"] for insurance in told["insurances"] for plan in insurance["plans"]}
    assert set(plans.values()) == {True, False} or all(plans.values())


def test_what_the_phone_cannot_do_is_explained_with_a_window(house):
    told = {each["capability"]: each for each in house.phone().get(f"/regions/{CHANGZHOU}").json["capabilities"]}

    assert set(told) == set(map(str, Capability))
    assert told["PAY_OWN"] == {
        "capability": "PAY_OWN",
        "available": True,
        "explanation": None,
        "counter_kind": None,
        "counter": None,
    }
    assert told["SUSPEND"]["counter_kind"] == "ENTRUSTED_AGENCY"
    assert "窗口" in told["SUSPEND"]["counter"]["name"]
    assert told["WITHHOLDING_SIGN_ONLINE"]["counter_kind"] == "BANK_BRANCH"
    assert all(each["available"] or each["explanation"] for each in told.values())


def test_a_window_named_by_the_region_is_that_window(house):
    told = {each["capability"]: each for each in house.phone().get(f"/regions/{XINJIANG}").json["capabilities"]}

    assert told["BACK_PAY"]["counter_kind"] == "AGENCY"
    assert told["BACK_PAY"]["counter"]["code"] == "XINJIANG"


def test_hotlines_areas_banks_agencies_and_documents_are_told(house):
    told = house.phone().get(f"/regions/{CHANGZHOU}").json

    assert [line["topic"] for line in told["hotlines"]] == [str(topic) for topic in HotlineTopic]
    assert {line["number"]: line["to_confirm"] for line in told["hotlines"]} == {
        "12333": False,
        "96888732": True,
        "0519-12393": False,
    }
    assert {"code": "320402", "name": "天宁区", "to_confirm": False} in told["areas"]
    assert len(told["banks"]) == 8
    assert [each["is_default"] for each in told["agencies"]].count(True) == 1
    kinds = {each["kind"] for each in told["documents"]}
    assert all(set(one) <= kinds for needed in told["required_documents"] for one in needed["sets"])
    assert {insurance["insurance_type"]: insurance["arrears"] for insurance in told["insurances"]} == {
        "110": "NONE",
        "310": "NONE",
    }


@pytest.mark.parametrize("code", ["320000", "100000", "999999", "changz"])
def test_only_regions_that_take_enrolments_are_found(house, code):
    assert house.phone().get(f"/regions/{code}").json["code"] == "NOT_FOUND"


def test_where_no_rule_is_in_force_an_explanation_stands(house):
    region = house.ports.rulebook.region(CHANGZHOU)
    rows = {shape: tuple(r for r in all_of if shape is not CapabilityRule) for shape, all_of in region.rows.items()}
    rows[TierPlan] = tuple(row.model_copy(update={"effective_to": None}) for row in region.own(TierPlan))
    house.swap_ports(rulebook=Rulebook({CHANGZHOU: replace(region, rows=rows)}))

    told = house.phone().get(f"/regions/{CHANGZHOU}").json

    assert {each["available"] for each in told["capabilities"]} == {False}
    assert all("以当地公布为准" in each["explanation"] for each in told["capabilities"])


def test_it_answers_on_every_day_of_the_rulebooks_life(house):
    """Years without figures, the day before the first rule, a leap day: an answer, never a crash."""
    for day in (
        datetime(year, month, 28, 18, tzinfo=UTC) for year in (2019, 2021, 2024, 2025, 2026, 2027, 2035) for month in (2, 6, 12)
    ):
        house.clock.set(day)
        for code in (CHANGZHOU, XINJIANG):
            told = house.phone().get(f"/regions/{code}").json
            empty = [plan for each in told["insurances"] for plan in each["plans"] if not plan["tiers"]]
            assert all("以当地公布为准" in plan["explanation"] for plan in empty)
