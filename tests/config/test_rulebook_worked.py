"""The law's worked cases (tests/rules/*.yaml): a clerk can check each sum by hand, and so do we."""

import ast
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from config.months import YearMonth
from config.rulebook import NoRuleInForce, load_rulebook

CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted((Path(__file__).parents[1] / "rules").glob("*.yaml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))
]
KEYS = {
    "name",
    "region",
    "insurance_type",
    "plan",
    "month",
    "given",
    "owed",
    "working",
    "source",
    "sample",
    "provisional",
    "refused",
}


@pytest.fixture(scope="module")
def rulebook():
    return load_rulebook()


@pytest.mark.parametrize("case", CASES)
def test_the_rulebook_agrees_with_the_worked_case(case, rulebook):
    assert case.keys() <= KEYS
    assert case["source"]
    region, month = rulebook.region(case["region"]), YearMonth.parse(case["month"])

    if "refused" in case:
        with pytest.raises(NoRuleInForce, match=case["refused"]) as refused:
            region.assessment_table(case["insurance_type"], month, case.get("plan"))
        assert (refused.value.region, refused.value.on) == (case["region"], month.first_day)
        return

    table = region.assessment_table(case["insurance_type"], month, case.get("plan"))
    owed = {key: yuan_as_fen(text) for key, text in case["owed"].items()}

    assert found(table, case["given"]).items() >= owed.items()
    assert table.sample is case.get("sample", False)
    assert table.provisional is case.get("provisional", False)


@pytest.mark.parametrize("case", [param for param in CASES if "working" in param.values[0]])
def test_the_working_is_right_and_ends_in_what_is_owed(case):
    results = set()
    for line in case["working"]:
        sum_text, _, result = line.rpartition("=")
        assert reckon(ast.parse(sum_text.strip(), mode="eval").body, sum_text.strip()) == Decimal(result.strip())
        results.add(Decimal(result.strip()).quantize(Decimal("0.01"), "ROUND_HALF_UP"))

    assert Decimal(case["owed"]["total"]) in results
    assert Decimal(case["owed"]["total"]) == Decimal(case["owed"]["account"]) + Decimal(case["owed"]["pooling"])


def found(table, given):
    if "declared_wage" in given:
        wage_fen = yuan_as_fen(given["declared_wage"])
        assert table.admits_wage(wage_fen)
        parts = table.parts_of(wage_fen)
        return {"total": parts.total_fen, "account": parts.account_part_fen, "pooling": parts.pooling_part_fen}
    tier = table.tier(given["tier"])
    return {
        "base": tier.base_fen,
        "total": tier.amount_fen,
        "account": tier.account_part_fen,
        "pooling": tier.pooling_part_fen,
    }


def yuan_as_fen(text):
    return int(Decimal(text) * 100)


def reckon(node, text):
    if isinstance(node, ast.BinOp):
        left, right = reckon(node.left, text), reckon(node.right, text)
        match node.op:
            case ast.Mult():
                return left * right
            case ast.Div():
                return left / right
            case ast.Sub():
                return left - right
            case ast.Add():
                return left + right
    return Decimal(ast.get_source_segment(text, node))
