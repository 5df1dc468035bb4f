"""How calls to providers go, told to Prometheus: by provider and outcome, never by address, which may hold a secret."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

FULL: Final = "full"
"""Not sent: the line had no room left."""
UNREACHABLE: Final = "unreachable"
"""No answer, or none that could be read."""

CALLS: Final = Counter(
    "canbao_provider_calls_total", "Calls to a provider: 2xx, 3xx, 4xx, 5xx, unreachable, or full", ["provider", "result"]
)
SECONDS: Final = Histogram(
    "canbao_provider_seconds",
    "How long a call to a provider took, whatever came of it",
    ["provider"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
AHEAD: Final = Gauge(
    "canbao_provider_clock_ahead_seconds",
    "How far a provider's clock was ahead of this machine's at its last answer; its Date is exact to a second",
    ["provider"],
    multiprocess_mode="mostrecent",
)


def status_class(status: int) -> str:
    """200 → `2xx`."""
    return f"{status // 100}xx"


def note_call(provider: str, result: str, seconds: float | None = None) -> None:
    """`seconds` is None for what was never sent."""
    CALLS.labels(provider, result).inc()
    if seconds is not None:
        SECONDS.labels(provider).observe(seconds)


def note_their_clock(provider: str, date_header: str | None) -> None:
    """Signatures live for minutes: whoever's clock is wrong is turned away, and this tells whose it is."""
    try:
        said = parsedate_to_datetime(date_header or "")
    except ValueError:
        return
    AHEAD.labels(provider).set(said.timestamp() - time.time())
