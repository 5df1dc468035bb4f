"""Files a reader can hold in the head, functions that fit on a screen, and floors whose stairs only go down."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.reading import HOME, Function

FLOORS = (
    "miniprogram_api",
    "webhooks",
    "console",
    "public_pages",
    "jobs",
    "services",
    "providers",
    "models",
    "config",
    "sandbox",
)
FILES = [
    HOME / "app.py",
    *sorted(path for floor in FLOORS for path in (HOME / floor).rglob("*.py") if "migrations" not in path.parts),
]
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60

LONG_FILES: dict[str, str] = {}
"""By file, each with its reason."""
LONG_FUNCTIONS: dict[str, str] = {}
"""By "file:function", each with its reason."""


def name_of(path: Path) -> str:
    return path.relative_to(HOME).as_posix()


def length_of(function: Function) -> int:
    """Lines of its own: what is defined inside it (a blueprint's endpoints) is measured by itself."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    return lines - sum(length_of(node) for node in function.body if isinstance(node, Function))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_are_short(path: Path):
    lines = len(path.read_text().splitlines())

    assert lines <= MOST_LINES or name_of(path) in LONG_FILES, f"{name_of(path)} has {lines} lines"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_functions_fit_on_a_screen(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            allowed = f"{name_of(path)}:{node.name}" in LONG_FUNCTIONS
            lines = length_of(node)
            assert lines <= MOST_LINES_OF_A_FUNCTION or allowed, f"{name_of(path)}:{node.lineno} {node.name} has {lines} lines"


def test_every_exception_is_still_needed():
    for name in LONG_FILES:
        assert len((HOME / name).read_text().splitlines()) > MOST_LINES, f"{name} is short by now: take it off the list"
    for name in LONG_FUNCTIONS:
        file, function = name.split(":")
        nodes = [
            each
            for each in ast.walk(ast.parse((HOME / file).read_text()))
            if isinstance(each, Function) and each.name == function
        ]
        assert max(map(length_of, nodes)) > MOST_LINES_OF_A_FUNCTION, f"{name} is short by now: take it off the list"


def test_the_stairs_only_go_down():
    contracts = tomllib.loads((HOME / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert len(contracts) >= 5

    # Without its cache: this test must not believe yesterday's answer.
    linted = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"],
        cwd=HOME,
        capture_output=True,
        text=True,
        check=False,
    )

    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert f"{len(contracts)} kept, 0 broken" in linted.stdout
