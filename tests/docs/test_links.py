"""What the pages point at is there: files, headings, functions, commands; and where a page says that one calls the other, it does."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from jobs.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "config").rglob("*.md")])
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"```.*?```", re.DOTALL)
FUNCTION = re.compile(r"`([A-Za-z_]\w*(?:\.\w+)*)`")
LINKED = r"\[`[\w.]+`\]\([^)\s]+\)"
CALLS = re.compile(rf"({LINKED}) calls ({LINKED}(?:(?:, | and |, then ){LINKED})*)")
NAMES = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def links_of(page: Path) -> list[tuple[str, str]]:
    return LINK.findall(CODE_BLOCK.sub("", text_of(page)))


@cache
def headings_of(page: Path) -> set[str]:
    """Anchors as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", CODE_BLOCK.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-") for heading in found}


@cache
def definitions_of(path: Path) -> dict[str, ast.AST]:
    """Every name that a file defines at its top or in a class: name → where."""
    found: dict[str, ast.AST] = {}

    def gather(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found[prefix + node.name] = node
                if isinstance(node, ast.ClassDef):
                    gather(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    if isinstance(target, ast.Name):
                        found[prefix + target.id] = node

    gather(ast.parse(text_of(path)).body, "")
    return found


def definition(path: Path, name: str) -> ast.AST | None:
    known = definitions_of(path)
    return known.get(name) or next((node for each, node in known.items() if each.endswith(f".{name}")), None)


def called_in(node: ast.AST) -> set[str]:
    functions = (call.func for call in ast.walk(node) if isinstance(call, ast.Call))
    return {getattr(function, "attr", None) or getattr(function, "id", "") for function in functions}


@NAMES
def test_every_relative_link_leads_to_a_file_and_to_a_heading_in_it(page):
    broken = []
    for _said, target in links_of(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or not there.is_relative_to(ROOT) or (heading and heading not in headings_of(there)):
            broken.append(target)

    assert broken == []


@NAMES
def test_every_function_that_is_linked_is_defined_in_the_file(page):
    missing = []
    for said, target in links_of(page):
        name = FUNCTION.fullmatch(said)
        if name and target.endswith(".py") and not said.strip("`").endswith(".py"):
            path = (page.parent / target).resolve()
            if not path.exists() or definition(path, name[1]) is None:
                missing.append(f"{name[1]} in {target}")

    assert missing == []


def test_where_the_notices_way_says_that_one_calls_the_other_it_does():
    page = ROOT / "docs" / "a-notices-way.md"
    said, untrue = 0, []
    for caller, called in CALLS.findall(text_of(page)):
        (name, target), *_ = LINK.findall(caller)
        body = definition((page.parent / target).resolve(), name.strip("`"))
        assert body is not None, caller
        for other, _target in LINK.findall(called):
            said += 1
            if other.strip("`").rpartition(".")[2] not in called_in(body):
                untrue.append(f"{name} calls {other}")

    assert untrue == []
    assert said >= 12, "the page has lost its steps"


def test_the_way_names_every_outcome_and_every_answer_of_the_door():
    page = text_of(ROOT / "docs" / "a-notices-way.md")
    outcomes = definitions_of(ROOT / "services" / "settlement_decide.py")
    answers = definitions_of(ROOT / "webhooks" / "intake.py")
    wanted = {
        name.partition(".")[2]
        for known, kind in ((outcomes, "Outcome."), (answers, "Intake."))
        for name in known
        if name.startswith(kind)
    }

    assert {name for name in wanted if f"`{name}`" not in page} == set()


@NAMES
def test_every_command_that_is_named_exists(page):
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of(ROOT / "Makefile"), re.MULTILINE)) | {"docs", "docs-check"}
    commands = {command.name for command in COMMANDS}
    spoken = "\n".join(re.findall(r"`([^`\n]+)`", text_of(page)) + CODE_BLOCK.findall(text_of(page)))
    made = {word for word in re.findall(r"(?<!\w)make (?:[A-Z]+=\S+ )?([a-z][a-z-]*)\b", spoken) if word not in targets}
    typed = {word for word in re.findall(r"\bcanbao ([a-z][a-z-]+)\b", spoken) if word not in commands}

    assert (made, typed) == (set(), set())


@NAMES
def test_pages_name_no_place_on_anybodys_machine_and_no_todo(page):
    # /var/lib/canbao and /etc/canbao are places of the product; homes and work folders are somebody's.
    found = re.findall(r"(?<![\w.:])/(?:home|work|root|Users|tmp)/\S*|\bTODO\b|\bFIXME\b", text_of(page))

    assert found == []


def test_every_page_can_be_reached_from_the_index():
    seen, waiting = set(), [ROOT / "docs" / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        waiting += [
            there
            for _said, target in links_of(page)
            if not re.match(r"[a-z]+:", target)
            and (there := (page.parent / target.partition("#")[0]).resolve()).suffix == ".md"
            and there.exists()
        ]

    assert {page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").rglob("*.md") if page not in seen} == set()
