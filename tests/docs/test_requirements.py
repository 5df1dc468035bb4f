"""Each requirement stands in the list once, with tests that exist or the chapter that will bring them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.collected import NAMES

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "requirements.md"
ROWS = re.findall(r"^\| (R-(?:CZ|XJ)-\d\d) \| (.+?) \| (.+?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py::test_\w+)`")
CHAPTERS = re.search(r"^Chapters to come: (.+)\.$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)[1].split(" · ")


@pytest.fixture(scope="module")
def collected(request: pytest.FixtureRequest) -> set[str]:
    """Every test of the files that the page names, as pytest itself finds them; without parameters.

    Where this very run collected a file, it is believed: a second look at half the suite takes half a minute.
    """
    files = sorted({name.partition("::")[0] for _no, _what, proof in ROWS for name in TEST.findall(proof)})
    seen = request.config.stash[NAMES]
    known = {name.partition("::")[0] for name in seen}
    return seen | collected_anew([file for file in files if (ROOT / file).exists() and file not in known])


def collected_anew(files: list[str]) -> set[str]:
    if not files:
        return set()
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-o", "addopts=", *files],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert listed.returncode == 0, listed.stdout + listed.stderr
    return {line.partition("[")[0] for line in listed.stdout.splitlines() if "::" in line}


def test_every_number_of_both_sources_stands_once():
    wanted = [f"R-CZ-{number:02d}" for number in range(1, 60)] + [f"R-XJ-{number:02d}" for number in range(1, 53)]

    assert [number for number, _what, _proof in ROWS] == wanted


def test_every_test_that_is_named_is_collected(collected):
    named = {name for _no, _what, proof in ROWS for name in TEST.findall(proof)}

    assert named - collected == set()
    assert len(named) > 20


def test_what_has_no_test_names_the_chapter_that_brings_it():
    silent = [
        number
        for number, _what, proof in ROWS
        if not TEST.search(proof)
        and proof != "asks for nothing that can be built"
        and not any(f"later: {chapter}" == proof for chapter in CHAPTERS)
    ]

    assert silent == []


def test_what_is_said_to_come_later_is_a_chapter():
    later = [proof.rpartition("later: ")[2] for _no, _what, proof in ROWS if "later: " in proof]

    assert [text for text in later if not any(text.endswith(chapter) for chapter in CHAPTERS)] == []
