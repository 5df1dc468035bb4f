"""What the fuzzers found or were given is replayed on every run, without them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

SEEDS = Path(__file__).parent / "seeds"
KEPT = sorted(path for path in SEEDS.glob("*/*") if path.is_file())
LONGEST_SECONDS = 5


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_seed_is_read_or_refused_and_never_breaks_or_hangs(path: Path):
    started = time.perf_counter()

    TARGETS[path.parent.name](path.read_bytes())

    assert time.perf_counter() - started < LONGEST_SECONDS


@pytest.mark.parametrize("name", sorted(TARGETS))
@given(data=st.binary(max_size=2_000))
def test_any_bytes_are_read_or_refused(name: str, data: bytes):
    TARGETS[name](data)


def test_every_target_has_seeds_to_begin_with():
    assert {path.parent.name for path in KEPT} == TARGETS.keys()
