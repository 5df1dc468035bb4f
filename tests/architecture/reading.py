"""Reads services/ as it is written: who owns a transaction, where each one ends, and where a provider is called.

The crash tests walk the same list (`crash_points`), so a commit or a call that somebody adds tomorrow is killed at tomorrow.
What is understood is this house's own way of writing: `with ports.begin() as session`, `ports.<providers>[code].verb(…)`, local names
for a provider, functions at module level. A helper that hides a provider behind anything else would slip through; do not write one.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = Path(__file__).parents[2]
SERVICES = HOME / "services"

LOOKING_UP = frozenset({"get", "items", "values", "keys", "__getitem__"})
"""Calls on a mapping of providers that give a provider and ask it nothing."""
NO_CALL = frozenset({"freeze", "launch", "open_notice", "knows", "template_of", "echo", "open_event", "faults_of"})
"""Verbs of an adapter that never leave the machine (providers/protocols.py says so)."""
DATA = frozenset({"channel", "merchant", "name"})
"""What an adapter has and does not do."""
DATABASE_VERBS = frozenset(
    {
        "execute",
        "scalar",
        "scalars",
        "get_one",
        "flush",
        "commit",
        "rollback",
        "begin",
        "begin_one",
        "begin_nested",
        "expunge",
        "expunge_all",
    }
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, order=True)
class Point:
    """A place where a process may die with consequences: the end of a transaction, or a call to a provider."""

    module: str
    function: str
    line: int
    """Of the `with`, or of the call."""
    end_line: int = field(compare=False)
    kind: str
    """commit or call."""
    verb: str = ""

    @property
    def path(self) -> str:
        return str(SERVICES / f"{self.module}.py")

    def __str__(self) -> str:
        return f"{self.module}.{self.function}:{self.line}:{self.verb or self.kind}"


@dataclass
class Read:
    """One function, with what the tests want to know about it."""

    module: str
    node: Function
    owner: str = ""
    """The class it is a method of."""
    begins: list[ast.With] = field(default_factory=list)
    provider_calls: list[ast.Call] = field(default_factory=list)
    calls: list[tuple[ast.Call, str]] = field(default_factory=list)
    """Calls of functions of this house: (node, "module.function")."""

    @property
    def name(self) -> str:
        return f"{self.owner}.{self.node.name}" if self.owner else self.node.name

    @property
    def key(self) -> str:
        return f"{self.module}.{self.name}"

    @property
    def arguments(self) -> list[ast.arg]:
        given = self.node.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        return every[1:] if self.owner and every and every[0].arg in ("self", "cls") else every

    def takes(self, name: str) -> bool:
        return any(argument.arg == name for argument in self.arguments)

    @property
    def kind(self) -> str:
        """use case (owns transactions), step (joins one) or pure."""
        if self.takes("session") or self.takes("connection"):
            return "step"
        return "use case" if self.takes("ports") else "pure"

    def __str__(self) -> str:
        return f"services/{self.module}.py:{self.node.lineno} {self.name}"


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of services/ by name. The port itself is the tool, not a user of it."""
    return {path.stem: ast.parse(path.read_text(), str(path)) for path in sorted(SERVICES.glob("*.py"))}


@cache
def provider_ports() -> frozenset[str]:
    """Fields of Ports that hold providers: whatever their annotation names `…Provider`, today's and tomorrow's."""
    ports = next(node for node in modules()["ports"].body if isinstance(node, ast.ClassDef) and node.name == "Ports")
    fields = [each for each in ports.body if isinstance(each, ast.AnnAssign) and "Provider" in ast.unparse(each.annotation)]
    return frozenset(each.target.id for each in fields if isinstance(each.target, ast.Name))


@cache
def functions() -> dict[str, Read]:
    """Every function of services/ by "module.function", read."""
    return {read.key: read for module, tree in modules().items() if module != "ports" for read in read_module(module, tree)}


def read_module(module: str, tree: ast.Module) -> Iterator[Read]:
    names = _names_of(module, tree)
    for node in tree.body:
        if isinstance(node, Function):
            yield _read(Read(module, node), names)
        elif isinstance(node, ast.ClassDef):
            yield from (_read(Read(module, each, owner=node.name), names) for each in node.body if isinstance(each, Function))


def _names_of(module: str, tree: ast.Module) -> dict[str, str]:
    """What a bare or dotted name means in this module: "settle" → "settlement.settle", "orders" → "orders"."""
    names = {node.name: f"{module}.{node.name}" for node in tree.body if isinstance(node, Function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "services":
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("services."):
            source = (node.module or "").removeprefix("services.")
            names |= {alias.asname or alias.name: f"{source}.{alias.name}" for alias in node.names}
    return names


def _read(read: Read, names: dict[str, str]) -> Read:
    providers = _providers_in(read)
    for node in ast.walk(read.node):
        if isinstance(node, ast.With) and any(is_begin(item.context_expr) for item in node.items):
            read.begins.append(node)
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and _asks_a_provider(node.func, providers):
                read.provider_calls.append(node)
            called = names.get(ast.unparse(node.func)) or _dotted(node.func, names)
            if called is not None:
                read.calls.append((node, called))
    return read


def _dotted(func: ast.expr, names: dict[str, str]) -> str | None:
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id in names:
        return f"{names[func.value.id]}.{func.attr}"
    return None


def is_begin(node: ast.expr) -> bool:
    """`ports.begin()` or `ports.begin_one()`, also as `self.ports.begin()`."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("begin", "begin_one")
        and ast.unparse(node.func.value).split(".")[-1] == "ports"
    )


def _providers_in(read: Read) -> set[str]:
    """Local names that mean a provider or a mapping of them, by assignment, loop, `:=` or annotation."""
    names = {each.arg for each in read.arguments if each.annotation is not None and "Provider" in ast.unparse(each.annotation)}
    size = -1
    while len(names) != size:
        size = len(names)
        for node in ast.walk(read.node):
            value, targets = _naming(node)
            if value is not None and _is_provider(value, names):
                names |= {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
    return names


def _naming(node: ast.AST) -> tuple[ast.expr | None, list[ast.expr]]:
    """What a node gives a name to, and the name."""
    if isinstance(node, ast.Assign):
        return node.value, node.targets
    if isinstance(node, ast.AnnAssign | ast.NamedExpr):
        return node.value, [node.target]
    if isinstance(node, ast.For | ast.comprehension):
        return node.iter, [node.target]
    return None, []


def _is_provider(node: ast.expr, names: set[str]) -> bool:
    """Whether an expression is `ports.<providers>`, something taken out of it, or a local name for either."""
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.Subscript | ast.Starred):
        return _is_provider(node.value, names)
    if isinstance(node, ast.IfExp):
        return _is_provider(node.body, names) or _is_provider(node.orelse, names)
    if isinstance(node, ast.BoolOp):
        return any(_is_provider(each, names) for each in node.values)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOOKING_UP:
        return _is_provider(node.func.value, names)
    if isinstance(node, ast.Attribute):
        return node.attr in provider_ports() and ast.unparse(node.value).split(".")[-1] == "ports"
    return False


def _asks_a_provider(func: ast.Attribute, names: set[str]) -> bool:
    return _is_provider(func.value, names) and func.attr not in LOOKING_UP | NO_CALL | DATA


def inside(outer: ast.AST, inner: ast.AST) -> bool:
    """Lexically within the body of a `with`."""
    assert isinstance(outer, ast.With)
    return any(inner is node for statement in outer.body for node in ast.walk(statement))


def reaches(key: str, what: str) -> list[str] | None:
    """The shortest way from a function to one that begins a transaction ("begins") or asks a provider ("provider_calls")."""
    waiting, seen = [[key]], {key}
    while waiting:
        way = waiting.pop(0)
        read = functions().get(way[-1])
        if read is None:
            continue
        if getattr(read, what):
            return way
        for _, called in read.calls:
            if called not in seen:
                seen.add(called)
                waiting.append([*way, called])
    return None


@cache
def crash_points() -> list[Point]:
    """Each commit and each provider call of services/, in reading order."""
    return sorted(_points())


def _points() -> Iterator[Point]:
    for read in functions().values():
        for node in read.begins:
            yield Point(read.module, read.name, node.lineno, node.end_lineno or node.lineno, "commit")
        for call in read.provider_calls:
            assert isinstance(call.func, ast.Attribute)
            yield Point(read.module, read.name, call.lineno, call.end_lineno or call.lineno, "call", call.func.attr)
