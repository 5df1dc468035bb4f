"""`python -m tests.fuzz.parsers TARGET [SECONDS]`: drive one target by coverage; what breaks it is left in tests/fuzz/seeds.

Needs atheris (`make fuzz` installs it from requirements/fuzz.txt), which the ordinary suite does without.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

SEEDS = Path(__file__).parent / "seeds"

with atheris.instrument_imports(include=["config", "providers", "services", "miniprogram_api", "webhooks", "yaml", "PIL"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    name, seconds = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "60"
    what = TARGETS[name]
    seeds = SEEDS / name
    seeds.mkdir(parents=True, exist_ok=True)
    found = Path(".fuzz") / name
    found.mkdir(parents=True, exist_ok=True)

    def once(data: bytes) -> None:
        what(data)

    options = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-max_len=8192",
        "-print_final_stats=1",
        f"-artifact_prefix={seeds}/broke-",
        str(found),
        str(seeds),
    ]
    atheris.Setup(options, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
