"""Schemathesis over the whole document: what it allows, and what it forbids, is answered as it says; never a 500, never a hang.

`make fuzz` gives it its time (FUZZ_SECONDS) and installs the generator; the ordinary suite does without.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from tests.doors import contract
from tests.doors.house import API, judge
from tests.doors.stories import GOOD

if TYPE_CHECKING:
    from tests.doors.house import House

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
EXAMPLES = 25
LONGEST_SECONDS = 20
BEARER = {"none": None, "a stranger's": "stranger", "the right one": "own"}

pytestmark = pytest.mark.skipif(not SECONDS, reason="make fuzz gives it its time")


@pytest.mark.timeout(SECONDS + 600)
def test_whatever_is_asked_the_answer_is_in_the_document(house):
    schemathesis = pytest.importorskip("schemathesis")
    from schemathesis.generation import GenerationMode

    document = contract.the_document()
    operations = {
        operation.ok().definition.raw["operationId"]: operation.ok()
        for operation in schemathesis.openapi.from_dict(document).get_all_operations()
    }
    assert operations.keys() == contract.operations().keys()
    deadline, rounds, asked = time.monotonic() + SECONDS, 0, 0
    stranger = house.world.account()
    while time.monotonic() < deadline or rounds == 0:
        for name, operation in operations.items():
            for mode in GenerationMode:
                asked += _drive(house, name, operation.as_strategy(generation_mode=mode), stranger=stranger, round_no=rounds)
        rounds += 1
    sys.stdout.write(f"{asked} questions in {rounds} rounds over {len(operations)} operations\n")
    assert asked > len(operations)


def _drive(house: House, name: str, cases: Any, *, stranger: Any, round_no: int) -> int:
    good = GOOD[name](house)
    tokens = {None: None, "stranger": house.token(stranger), "own": good.account and house.token(good.account)}
    asked = 0

    @seed(round_no * 1_000_003 + int(time.time()))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, real_path=st.booleans(), who=st.sampled_from(sorted(BEARER, reverse=True)))
    def ask(case: Any, real_path: bool, who: str) -> None:  # noqa: FBT001 - drawn by hypothesis
        nonlocal asked
        asked += 1
        headers = {str(k): str(v) for k, v in (case.headers or {}).items() if _sendable(str(k), str(v))}
        token = tokens[BEARER[who]]
        headers.pop("Authorization", None)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        body = _bytes_of(case.body)
        started = time.perf_counter()
        response = house.app.test_client().open(
            API + good.path.partition("?")[0] if real_path else case.formatted_path.replace("?", "%3F"),
            method=case.method,
            headers=headers,
            query_string={str(k): v if isinstance(v, list) else str(v) for k, v in (case.query or {}).items()},
            data=body,
            content_type="application/json" if body is not None else None,
        )
        assert time.perf_counter() - started < LONGEST_SECONDS, f"{name}: hangs"
        assert response.status_code != 500, f"{name}: {case!r}"
        judge(house.app, case.method.upper(), response)

    with contextlib.suppress(Unsatisfiable):  # where there is nothing to give there is nothing to give wrongly
        ask()
    return asked


def _sendable(name: str, value: str) -> bool:
    """What a client library would put on the wire at all."""
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return name.isascii() and not any(each in value for each in "\r\n\0")


def _bytes_of(body: Any) -> bytes | None:
    if isinstance(body, bytes):
        return body
    if type(body).__name__ == "NotSet":
        return None
    return json.dumps(body).encode("utf-8", "surrogatepass")
