"""Each duty of law and standards stands with a test that exists, or says whose it is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "duties.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (?!from|---)(.+?) \| (.+?) \| (.*?) \|$", PAGE, re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
LAWS = ("PIPL", "Face", "CSL", "MLPS", "密评", "Masking", "适老化", "Languages", "Retention", "Document")


@pytest.mark.parametrize(("file", "name"), sorted({found for row in ROWS for found in TEST.findall(row[2])}))
def test_every_test_that_is_named_is_there(file: str, name: str):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))

    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_law_and_standard_has_its_rows():
    assert {law for law in LAWS if not any(row[0].startswith(law) for row in ROWS)} == set()
    assert len(ROWS) > 30


def test_a_duty_without_a_test_says_whose_it_is():
    assert [row[0] for row in ROWS if not TEST.search(row[2]) and not row[2].strip()] == []
