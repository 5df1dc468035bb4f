"""`python -m bench [--quick] [--seed N] [--postgres 16]`: a table for people, and one line of JSON for everybody else."""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.cases import CONNECTIONS, FULL, MANY_CONNECTIONS, PACE, QUICK, Bench
from bench.load import Generators
from bench.machines import Machines

console = Console(stderr=True)

ROWS: Final[list[tuple[str, str, str]]] = [
    ("empty_per_s", "empty Flask handler, requests/s", ""),
    ("verify_only_per_s", "verify only: signature and decryption, requests/s", ""),
    ("door_per_s", f"door: verify and keep, notices/s at {CONNECTIONS} connections", ""),
    ("door_vs_verify_only", "door ÷ verify only", "≥ 0.33, wanted 0.5"),
    ("door_per_s_at_32", f"door at {MANY_CONNECTIONS} connections, notices/s", ""),
    ("door_p50_ms_at_32", f"door p50 at {MANY_CONNECTIONS} connections, ms", ""),
    ("door_p99_ms_at_32", f"door p99 at {MANY_CONNECTIONS} connections, ms", "≤ 100, wanted 50"),
    ("settle_per_s", "settle alone, 1 bill an order, notices/s", "≥ 3,000, wanted 6,000"),
    ("settle_per_s_3_bills", "settle alone, 3 bills an order, notices/s", ""),
    ("together_door_per_s", "door beside settle, notices/s", ""),
    ("sustained_per_s", "settled while the door is under full load, notices/s", ""),
    ("sustained_vs_verify_only", "sustained ÷ verify only", "≥ 0.25, wanted 0.4"),
    ("behind_at_end", "not yet settled when the load ends, notices", ""),
    ("paced_per_s", f"paced at {PACE:.0%} of sustained, notices/s", ""),
    ("paced_door_p99_ms", "paced: door p99, ms", ""),
    ("posted_p50_ms", "paced: from acknowledgement to PAID, p50, ms", ""),
    ("posted_p99_ms", "paced: from acknowledgement to PAID, p99, ms", "< 2,000, wanted 500"),
]
ASSESSED: Final[list[tuple[str, str, str]]] = [
    ("assess_vs_copy_", "assess ÷ COPY", "≤ 2, wanted 1.2"),
    ("assess_s_", "a month's assessment, s", "linear"),
    ("assess_memory_mb_", "memory of its Python process, MB", "< 200"),
]
RECONCILED: Final[list[tuple[str, str, str]]] = [
    ("reconcile_vs_copy_", "reconcile ÷ reading the file into staging alone", "≤ 3, wanted 2"),
    ("reconcile_s_", "a day's reconciliation, s", "linear"),
    ("reconcile_memory_mb_", "memory of its Python process, MB", "< 200"),
]


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half a minute, to see that it runs; its numbers mean little")
    parser.add_argument("--seed", type=int, help="repeat a run's order of things (default: a new one)")
    parser.add_argument("--postgres", default=os.environ.get("CANBAO_EMBEDDED_POSTGRES", "18"), help="18 or 16")
    parser.add_argument("--rounds", type=int, help="other than five")
    given = parser.parse_args()
    size = QUICK if given.quick else FULL
    if given.rounds:
        size = type(size)(**{**vars(size), "rounds": given.rounds})
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    busy = os.getloadavg()[0]
    console.print(
        f"seed {seed}; load, app and PostgreSQL {given.postgres} share {os.cpu_count()} cores, on which {busy:.1f} others ran",
        highlight=False,
    )
    started = time.monotonic()

    def say(what: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.1f} s[/]  {what}", highlight=False)

    with Machines(major=given.postgres) as machines:
        generators = Generators()
        try:
            found = Bench(machines, generators, size=size, seed=seed, say=say).run()
        finally:
            generators.close()
    say("done")
    Console().print(_table(found, rounds=size.rounds))
    print(
        json.dumps(_line(found, seed=seed, size=size, seconds=time.monotonic() - started, postgres=given.postgres, busy=busy))
    )
    return 0


def _table(found: dict[str, list[float]], *, rounds: int) -> Table:
    table = Table(title=f"median of {rounds} interleaved rounds", title_justify="left")
    table.add_column("case")
    for name in ("median", "least", "most"):
        table.add_column(name, justify="right")
    table.add_column("goal")
    sized = [
        (name, f"{title}, {int(name.rsplit('_', 1)[1]):,} {of}", goal)
        for of, rows in (("enrolments", ASSESSED), ("payments", RECONCILED))
        for prefix, title, goal in rows
        for name in found
        if name.startswith(prefix)
    ]
    for name, title, goal in [*ROWS, *sized]:
        values = found[name]
        table.add_row(title, *(_shown(each) for each in (statistics.median(values), min(values), max(values))), goal)
    return table


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"  # noqa: PLR2004 - three digits are enough


def _line(found: dict[str, list[float]], **more: Any) -> dict[str, Any]:
    medians = {name: statistics.median(values) for name, values in found.items()}
    largest, _ = max(more["size"].assessments)
    most_paid, _ = max(more["size"].reconciliations)
    return {
        **{name: round(value, 3 if value < 10 else 1) for name, value in medians.items()},  # noqa: PLR2004 - ratios keep more
        "assess_vs_copy": round(medians[f"assess_vs_copy_{largest}"], 3),
        "reconcile_vs_copy": round(medians[f"reconcile_vs_copy_{most_paid}"], 3),
        "seed": more["seed"],
        "rounds": more["size"].rounds,
        "seconds": round(more["seconds"], 1),
        "cores": os.cpu_count(),
        "load_average_before": round(more["busy"], 2),
        "postgres": more["postgres"],
    }


if __name__ == "__main__":
    sys.exit(main())
