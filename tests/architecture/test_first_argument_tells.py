"""The first argument tells: `ports` owns a transaction, `session` joins one, neither is pure; and no provider is called inside one.

The story behind it: notifications-api once ran out of database connections because a slow supplier was called while each request
held one. Here that cannot be written without this file objecting, down through every function that a transaction calls.
"""

from __future__ import annotations

import ast

import pytest

from tests.architecture.reading import (
    DATABASE_VERBS,
    Read,
    crash_points,
    functions,
    inside,
    is_begin,
    modules,
    provider_ports,
    reaches,
    read_module,
)

MODULES = sorted(modules().keys() - {"ports"})
"""One test for each of them, not for each of its functions: thousands of tests would cost more than what they look at."""
ENDING = frozenset({"commit", "rollback", "begin", "begin_one", "begin_nested", "close"})


def calls_of(read: Read) -> list[ast.Call]:
    return [node for node in ast.walk(read.node) if isinstance(node, ast.Call)]


def read_in(module: str) -> list[Read]:
    return [read for read in functions().values() if read.module == module]


def verb(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


@pytest.mark.parametrize("module", MODULES)
def test_ports_and_session_stand_first_and_under_their_own_names(module: str):
    for read in read_in(module):
        stand_first(read)


def stand_first(read: Read) -> None:
    names = [argument.arg for argument in read.arguments]
    kinds = {argument.arg: ast.unparse(argument.annotation) for argument in read.arguments if argument.annotation is not None}

    for kind, name in {"Ports": "ports", "Session": "session", "Connection": "connection"}.items():
        assert all(argument == name for argument, said in kinds.items() if said == kind), f"{read}: call a {kind} {name}"
    # A step may need the seals or the rulebook too: then ports comes first, and session says that it only joins.
    leading = [name for name in ("ports", "session", "connection") if name in names]
    assert names[: len(leading)] == leading, f"{read}: {', '.join(leading)} come first"


@pytest.mark.parametrize("module", MODULES)
def test_a_step_joins_a_transaction_and_never_ends_or_begins_one(module: str):
    for read in read_in(module):
        if read.kind == "step":
            joins(read)


def joins(read: Read) -> None:
    ending = [verb(call) for call in calls_of(read) if verb(call) in ENDING]

    assert not ending, f"{read} takes a session, so it may not {', '.join(ending)}"
    assert reaches(read.key, "begins") is None, f"{read} joins a transaction and begins another: {reaches(read.key, 'begins')}"
    assert reaches(read.key, "provider_calls") is None, (
        f"{read} runs inside a transaction and asks a provider: {reaches(read.key, 'provider_calls')}"
    )


@pytest.mark.parametrize("module", MODULES)
def test_a_pure_function_knows_neither_ports_nor_session(module: str):
    for read in read_in(module):
        if read.kind == "pure":
            is_pure(read)


def is_pure(read: Read) -> None:
    used = {node.id for node in ast.walk(read.node) if isinstance(node, ast.Name)} & {"ports", "session", "connection"}
    verbs = {verb(call) for call in calls_of(read)} & DATABASE_VERBS

    assert not used, f"{read} takes neither ports nor session, and uses {', '.join(used)}"
    assert not verbs, f"{read} takes neither ports nor session, and calls .{', .'.join(verbs)}()"


@pytest.mark.parametrize("module", MODULES)
def test_transactions_never_nest_and_no_provider_is_called_inside_one(module: str):
    for read in read_in(module):
        never_nests(read)


def never_nests(read: Read) -> None:
    for block in read.begins:
        nested = [other.lineno for other in read.begins if other is not block and inside(block, other)]
        asked = [call.lineno for call in read.provider_calls if inside(block, call)]

        assert not nested, f"{read}: a transaction inside a transaction, line {nested}"
        assert not asked, f"{read}: a provider is asked while a transaction is open, line {asked}"
        for call, called in read.calls:
            if inside(block, call):
                assert reaches(called, "begins") is None, (
                    f"{read}, line {call.lineno}: {reaches(called, 'begins')} begins another"
                )
                way = reaches(called, "provider_calls")
                assert way is None, f"{read}, line {call.lineno}: {way} asks a provider while a transaction is open"


@pytest.mark.parametrize("module", MODULES)
def test_a_transaction_is_begun_by_the_port_alone(module: str):
    """`sessions.begin()` or an engine's own would escape the guard against nesting, and the crash tests."""
    for read in read_in(module):
        begins_by_the_port(read)


def begins_by_the_port(read: Read) -> None:
    begun = [call for call in calls_of(read) if verb(call) in ("begin", "begin_one", "begin_nested")]

    assert all(is_begin(call) for call in begun), f"{read}: begin through ports.begin()"
    # As the head of a `with`, so that where it commits can be seen.
    assert len(begun) == len(read.begins), f"{read}: ports.begin() belongs at the head of a with of its own"


def test_functions_of_each_kind_were_read():
    read = functions().values()

    assert min(sum(each.kind == kind for each in read) for kind in ("use case", "step", "pure")) > 100
    assert sum(bool(each.begins) for each in read) > 100


def test_the_list_of_crash_points_is_not_empty_by_mistake():
    points = crash_points()

    assert provider_ports() >= {"logins", "payments", "faces", "names"}
    assert {(point.module, point.verb) for point in points if point.kind == "call"} >= {
        ("payments", "open_payment"), ("payments", "ask"), ("payments", "close"),
        ("face_checks", "start"), ("identity_asking", "ask"), ("real_names", "check"), ("sign_in", "sign_in"),
    }  # fmt: skip
    assert len([point for point in points if point.kind == "commit"]) >= 30


READ = """
def direct(ports): ports.payments["x"].ask("no")
def by_name(ports):
    provider = ports.payments[code]
    provider.close("no")
def by_get(ports):
    if (login := ports.logins.get("x")) is not None:
        login.sign_in("code")
def by_loop(ports):
    for code, provider in ports.payments.items():
        provider.ask(code)
def by_argument(provider: PaymentProvider): provider.open_payment(b"")
def of_one(ports): ports.names.check(given)
def harmless(ports):
    provider = ports.payments["x"]
    provider.freeze(payment_no="no")
    ports.payments["x"].launch("handle")
    return provider.channel.upper(), ports.payments.get("y")
def owner(ports):
    with ports.begin() as session:
        direct(ports)
    by_name(ports)
"""


def test_the_reader_sees_a_provider_behind_any_of_our_ways_to_name_one():
    read = {each.name: each for each in read_module("story", ast.parse(READ))}

    asked = {name: [verb(call) for call in each.provider_calls] for name, each in read.items() if each.provider_calls}
    assert asked == {
        "direct": ["ask"], "by_name": ["close"], "by_get": ["sign_in"], "by_loop": ["ask"], "by_argument": ["open_payment"], "of_one": ["check"],
    }  # fmt: skip
    (block,) = read["owner"].begins
    assert [called for call, called in read["owner"].calls if inside(block, call)] == ["story.direct"]
