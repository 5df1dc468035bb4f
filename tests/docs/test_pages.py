"""The pages say what the code does: what is made from it is fresh, both READMEs agree, examples load, words are used."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

from config.months import YearMonth
from config.rulebook import SHIPPED_REGIONS, load_rulebook
from sandbox.faults import KNOWN

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
ADRS = sorted((DOCS / "adr").glob("0*.md"))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("canbao_docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_what_is_made_from_the_code_is_fresh(generate):
    assert [path.relative_to(ROOT).as_posix() for path in generate.stale()] == [], "run: make docs"


def test_making_the_pages_twice_changes_nothing(generate):
    assert generate.pages() == generate.pages()


def test_every_account_and_every_kind_of_transfer_is_explained(generate):
    page = text_of(DOCS / "reference" / "accounts.md")

    assert set(generate.FLOWS) == {str(kind) for kind in generate.journal.TransferKind}
    assert all(
        f"`{name}:" in page for name in ("clearing", "contributions", "treasury", "surplus", "unknown", "refunding", "fees")
    )


# --- the two READMEs


def skeleton(name: str) -> dict[str, list[str]]:
    text = text_of(ROOT / name)
    prose = BLOCK.sub("", text)
    rows = [re.findall(r"`[^`]+`", line.split("|")[1]) for line in prose.splitlines() if line.startswith("| `")]
    return {
        "headings": [line.split(" ")[0] for line in prose.splitlines() if line.startswith("#")],
        "blocks": [block for _kind, block in BLOCK.findall(text)],
        "images": re.findall(r"!\[[^\]]+\]\(([^)]+)\)", prose),
        "links": [link for link in re.findall(r"\]\(([^)]+)\)", prose) if not link.startswith("README")],
        "rows": [" ".join(row) for row in rows],
        "bullets": [line[:2] for line in prose.splitlines() if line.startswith("- ")],
        "code": sorted(set(re.findall(r"`(?:make|CANBAO_|\.canbao)[^`]*`", prose))),
    }


@pytest.mark.parametrize("part", ["headings", "blocks", "images", "links", "rows", "bullets", "code"])
def test_both_readmes_have_the_same(part):
    assert skeleton("README.md")[part] == skeleton("README.zh.md")[part]


def test_every_picture_of_the_readme_is_there_and_small():
    """`python docs/screenshots.py` makes them anew."""
    pictures = [ROOT / name for name in skeleton("README.md")["images"]]

    assert len(pictures) >= 3
    assert {picture.name: picture.stat().st_size for picture in pictures if not 0 < picture.stat().st_size <= 150_000} == {}
    assert {file.name for file in (DOCS / "images").iterdir()} == {picture.name for picture in pictures}


def test_a_readme_is_one_page_beside_the_settings():
    for name in ("README.md", "README.zh.md"):
        text = text_of(ROOT / name)
        table = text[text.index("<details>") : text.index("</details>")]

        assert len(text.splitlines()) - len(table.splitlines()) <= 80, name


def test_each_readme_leads_to_the_other():
    assert "(README.zh.md)" in text_of(ROOT / "README.md")
    assert "(README.md)" in text_of(ROOT / "README.zh.md")


def test_the_readme_prints_what_the_command_prints():
    labels = re.findall(r"\\n  (\w[\w ]+?)  +\{stack", text_of(ROOT / "jobs" / "commands.py"))
    for page in (ROOT / "README.md", ROOT / "README.zh.md", DOCS / "tutorial" / "first-payment.md"):
        shown = next(block for _kind, block in BLOCK.findall(text_of(page)) if "sandbox page" in block)

        assert re.findall(r"^  (\w[\w ]+?)  +http\S+$", shown, re.MULTILINE) == [label for label in labels if label != "logs"]


# --- examples and words


def test_the_region_of_the_how_to_loads_and_can_be_assessed(tmp_path):
    page = text_of(DOCS / "how-to" / "add-a-region.md")
    folder = tmp_path / "regions" / "330100-hangzhou"
    folder.mkdir(parents=True)
    for name, body in re.findall(r"^`(\w+\.yaml)`[^\n]*\n\n```yaml\n(.*?)```", page, re.MULTILINE | re.DOTALL):
        (folder / name).write_text(body, encoding="utf-8")

    region = load_rulebook(SHIPPED_REGIONS, folder.parent).region("330100")
    table = region.assessment_table("110", YearMonth(2026, 11))

    assert [(tier.base_fen, tier.amount_fen) for tier in table.tiers] == [(500000, 100000), (833400, 166680)]
    assert table.sample
    assert set(region.pooling_areas) == {"330102", "330106"}


def test_every_fault_of_the_sandbox_is_told_and_no_other():
    page = text_of(DOCS / "how-to" / "run-with-the-sandboxs-faults.md")

    assert set(re.findall(r"^\| `([a-z_0-9]+)` \|", page, re.MULTILINE)) == KNOWN


def test_every_word_of_the_glossary_stands_in_the_code():
    folders = ("config", "models", "services", "providers", "webhooks", "jobs", "miniprogram_api")
    code = "\n".join(text_of(path) for folder in folders for path in (ROOT / folder).rglob("*.py"))
    used = set(re.findall(r"\w+", code))
    rows = [line for line in text_of(DOCS / "reference" / "glossary.md").splitlines() if line.startswith("| ") and "`" in line]
    words = {word for row in rows for word in re.findall(r"`(\w+)`", row.split("|")[3])}

    assert words - used == set()
    assert len(words) > 60


def test_the_calls_that_the_how_to_names_are_in_the_api():
    page = text_of(DOCS / "how-to" / "call-the-api.md")
    paths = json.loads(text_of(DOCS / "reference" / "openapi.json"))["paths"]
    offered = {f"{method.upper()} {path.removeprefix('/api/v1')}" for path, calls in paths.items() for method in calls}
    named = set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]+)`", page))

    assert named - offered == set()
    assert len(named) > 12


def test_the_states_that_the_how_to_shows_are_said_as_the_door_says_them():
    from miniprogram_api.payment_orders import WORDS

    page = text_of(DOCS / "how-to" / "call-the-api.md")
    said = {
        state: words
        for states, words in re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", page, re.MULTILINE)
        for state in re.findall(r"`([A-Z]+)`", states)
    }

    assert said == WORDS


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem)
def test_a_decision_is_one_page_with_context_decision_price_and_the_road_not_taken(path):
    text = text_of(path)
    context = re.search(r"\*\*Context\.\*\* (.+)", text)

    assert text.startswith(f"# {int(path.stem[:4])}. ")
    assert re.search(r"^\d{4}-\d\d-\d\d, (accepted|superseded by \[.+)", text, re.MULTILINE)
    assert re.findall(r"^\*\*([\w ]+)\.\*\*", text, re.MULTILINE) == ["Context", "Decision", "Price", "The road not taken"]
    assert context
    assert len(re.findall(r"[.;:](?= |$)", context[1])) >= 4
    assert len(text.splitlines()) <= 40


def test_decisions_are_numbered_without_gaps_and_all_stand_in_the_index():
    assert [int(path.stem[:4]) for path in ADRS] == list(range(1, len(ADRS) + 1))
    assert re.findall(r"\((0\d+-[\w-]+\.md)\)", text_of(DOCS / "adr" / "index.md")) == [path.name for path in ADRS]


def test_every_number_of_the_guards_is_the_codes_own():
    from services import face_checks, insured_persons, orders, probing, real_names, ways

    page = text_of(DOCS / "explanation" / "under-load-and-abuse.md")
    table = [int(cell) for cell in re.findall(r"\| (\d+) \|$", page, re.MULTILINE)]

    assert table == [
        insured_persons.PERSONS_A_DAY,
        probing.MISSES_TO_LOCK,
        probing.MISSES_PER_PERSON_A_DAY,
        real_names.NAME_CHECKS_A_DAY,
        face_checks.FACE_CHECKS_A_DAY,
        face_checks.FACE_PRESSES_A_DAY,
        face_checks.FACE_QUESTIONS_A_CHECK,
        ways.BANK_CARD_CHECKS_A_DAY,
        ways.BANK_CARD_PRESSES_A_DAY,
    ]
    assert f"lapses after {orders.STRANGERS_ORDER_LIFE.seconds // 60} minutes" in page
    assert f"one's own after {orders.OWN_ORDER_LIFE.seconds // 60}" in page
    assert f"a stranger has {orders.STRANGERS_LIVE_ORDERS} live orders at most, oneself {orders.OWN_LIVE_ORDERS}" in page
