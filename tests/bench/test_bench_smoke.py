"""The bench runs, keeps every row, and says what it promised to say. What it measured on a busy machine is nobody's business here."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from config.settings import HOME

PROMISED = {
    "empty_per_s", "verify_only_per_s", "door_per_s", "sustained_per_s", "settle_per_s", "settle_per_s_3_bills", "door_vs_verify_only",
    "sustained_vs_verify_only", "door_p99_ms_at_32", "posted_p99_ms", "assess_vs_copy", "reconcile_vs_copy", "seed",
}  # fmt: skip


@pytest.mark.full
def test_a_quick_bench_ends_with_one_line_of_json_and_books_that_agree():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--seed", "1"], cwd=HOME, capture_output=True, text=True, check=False
    )

    # The bench itself fails when a notice, a record or a fen is missing at its end.
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    said = json.loads(line)
    assert set(said) >= PROMISED
    # On a slow machine a second's notices are one batch, and between one commit and itself there is no rate.
    assert all(said[name] > 0 for name in PROMISED if not name.startswith("settle_per_s"))
    assert said["seed"] == 1
