"""States are maps: every state stands in its MOVES, nobody assigns one past its map, and raw SQL knows no others."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from enum import StrEnum

import pytest

import models
from models.base import Stateful
from tests.architecture.reading import modules

for found in pkgutil.iter_modules(models.__path__):
    if found.name != "migrations":
        importlib.import_module(f"models.{found.name}")

MACHINES = sorted(Stateful.__subclasses__(), key=lambda each: each.__name__)
BORN_SO = {("Payment", "UNCLAIMED"): "money that nobody asked for is made in this state and never moves"}
"""States that no road leads to or from, each with its reason."""


def states_of(machine: type[Stateful]) -> type[StrEnum]:
    """The enum that a machine's map speaks of: the one in its module that holds all of the map's words."""
    words = {state for road in machine.MOVES.roads for state in road}
    module = inspect.getmodule(machine)
    enums = [
        each for _, each in inspect.getmembers(module, inspect.isclass) if issubclass(each, StrEnum) and each is not StrEnum
    ]
    return next(each for each in enums if words <= {str(state) for state in each} and each.__name__.endswith("State"))


@pytest.mark.parametrize("machine", MACHINES, ids=lambda each: each.__name__)
def test_every_state_stands_in_its_map(machine: type[Stateful]):
    on_the_map = {state for road in machine.MOVES.roads for state in road}
    missing = {str(state) for state in states_of(machine)} - on_the_map

    assert missing == {state for name, state in BORN_SO if name == machine.__name__}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda each: each.__name__)
def test_every_state_can_be_reached_from_where_rows_are_born(machine: type[Stateful]):
    column = machine.__table__.c.state  # type: ignore[attr-defined]
    default = column.default.arg if column.default is not None else column.server_default.arg
    reached, size = {str(getattr(default, "text", default)).strip("'")}, 0
    while len(reached) != size:
        size = len(reached)
        reached |= {end for start, end in machine.MOVES.roads if start in reached}

    unreachable = {state for road in machine.MOVES.roads for state in road} - reached
    # FINAL and the like may be born elsewhere (a feed); what a map names must still be reachable in it.
    assert not unreachable, f"{machine.__name__}: no road leads to {unreachable}"


def test_every_event_has_one_noun():
    for machine in MACHINES:
        assert len({event.partition(".")[0] for event in machine.MOVES.roads.values()}) == 1, machine.__name__


MAKERS = {("settlement_decide", "move"): "the plural verb: it asks the same map before it moves a flat row"}


@pytest.mark.parametrize("module", sorted(modules()))
def test_no_service_assigns_a_state(module: str):
    """`row.state = …` goes past the map and leaves no move. A maker names the first state in its constructor instead."""
    tree = modules()[module]
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        for node in ast.walk(function):
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign | ast.AugAssign)
                else []
            )
            assigned = [
                each
                for target in targets
                for each in ast.walk(target)
                if isinstance(each, ast.Attribute) and each.attr == "state"
            ]
            assert not assigned or (module, function.name) in MAKERS, (
                f"services/{module}.py:{node.lineno}: use the model's verb"
            )


def test_the_plural_verb_asks_the_map():
    tree = modules()["settlement_decide"]
    move = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "move")

    lines = [ast.unparse(statement) for statement in move.body]
    asked = next(at for at, line in enumerate(lines) if "moves.event(" in line)
    assigned = next(at for at, line in enumerate(lines) if "row.state = " in line)
    assert asked < assigned


KNOWN_STATES = {str(state) for machine in MACHINES for state in states_of(machine)} | {
    str(state)
    for module in ("inbox", "bills", "enrollments")
    for _, each in inspect.getmembers(importlib.import_module(f"models.{module}"), inspect.isclass)
    if issubclass(each, StrEnum)
    for state in each
}
IN_SQL = re.compile(r"\bstate\s*(?:=|<>|!=|IN\s*\()\s*((?:'[A-Z_]+'(?:\s*,\s*)?)+)", re.IGNORECASE)


@pytest.mark.parametrize("module", sorted(modules()))
def test_states_in_raw_sql_exist(module: str):
    texts = [
        node.value for node in ast.walk(modules()[module]) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    said = {word for text in texts for found in IN_SQL.findall(text) for word in re.findall(r"'([A-Z_]+)'", found)}

    assert said <= KNOWN_STATES, f"services/{module}.py speaks of {said - KNOWN_STATES}, which no model knows"


def test_the_search_for_states_in_sql_finds_what_it_should():
    assert IN_SQL.findall("WHERE state = 'WAITING' AND x") == ["'WAITING'"]
    assert IN_SQL.findall("o.state IN ('CREATED', 'OPEN')") == ["'CREATED', 'OPEN'"]
