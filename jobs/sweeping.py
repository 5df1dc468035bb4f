"""How a step becomes a sweep: registered with the clock, one waiting in the queue at most, and never started beside itself."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from croniter import croniter
from procrastinate import Blueprint, JobContext
from prometheus_client import Counter, Gauge, Histogram

from config.logs import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.ports import Ports

log = logger(__name__)

A_MONDAY: Final = 1_767_571_200.0
"""5 January 2026, midnight UTC; any week will do."""
A_MINUTE_SECONDS: Final = 60.0
AN_HOUR_SECONDS: Final = 3600.0
A_DAY_SECONDS: Final = 24 * 3600.0

SWEEPS: Final = Blueprint()
"""Every sweep of the worker, by name."""
CRONS: Final[dict[str, str]] = {}
"""Sweep → when."""
RUNS: Final = Counter("canbao_sweep_runs_total", "Runs of the sweeps: done, or failed", ["sweep", "result"])
SECONDS: Final = Histogram(
    "canbao_sweep_seconds", "How long a run of a sweep took", ["sweep"], buckets=(0.05, 0.25, 1, 5, 15, 60, 300, 1800)
)
DONE: Final = Gauge(
    "canbao_sweep_done_timestamp_seconds",
    "When a sweep was last done by this worker; before its first time, when the worker began",
    ["sweep"],
    multiprocess_mode="mostrecent",
)
INTERVAL: Final = Gauge(
    "canbao_sweep_interval_seconds", "The longest time between two ticks of a sweep", ["sweep"], multiprocess_mode="mostrecent"
)


def sweep(name: str, *, cron: str) -> Callable[[Callable[[Ports], object]], Callable[[Ports], object]]:
    """Register a step that the clock calls. One waiting in the queue is enough: it will find all there is to do."""

    def register(step: Callable[[Ports], object]) -> Callable[[Ports], object]:
        alone = one_at_a_time(measured(name, step))
        CRONS[name] = cron

        @SWEEPS.periodic(cron=cron)
        @SWEEPS.task(name=name, queueing_lock=name, pass_context=True)
        def run(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the tick it was meant for does not matter
            done = alone(context.additional_context["ports"])
            if done:
                log.info("sweep.done", sweep=name, count=done)

        return step

    return register


def begin_measures() -> None:
    """The worker begins: from now on a sweep that is not done is late. Other processes know the sweeps too, and never run any."""
    for name, cron in CRONS.items():
        DONE.labels(name).set_to_current_time()
        INTERVAL.labels(name).set(longest_interval_seconds(cron))


def measured(name: str, step: Callable[[Ports], object]) -> Callable[[Ports], object]:
    """The same step, with its runs told to Prometheus."""

    def run(ports: Ports) -> object:
        began = time.monotonic()
        try:
            done = step(ports)
        except BaseException:
            RUNS.labels(name, "failed").inc()
            raise
        RUNS.labels(name, "done").inc()
        SECONDS.labels(name).observe(time.monotonic() - began)
        DONE.labels(name).set_to_current_time()
        return done

    return run


def longest_interval_seconds(cron: str) -> float:
    """Between two ticks: `17 2-15 * * *` pauses for eleven hours each night. Looked for no longer than until the pattern repeats."""
    minute, hour, *days = cron.split()[:5]
    wide = next(seconds for is_so, seconds in (
        ({minute, hour, *days} == {"*"}, 2 * A_MINUTE_SECONDS), ({hour, *days} == {"*"}, 2 * AN_HOUR_SECONDS),
        (set(days) == {"*"}, 2 * A_DAY_SECONDS), (True, 400 * A_DAY_SECONDS),
    ) if is_so)  # fmt: skip
    ticks, longest = croniter(cron, A_MONDAY), 0.0
    was = ticks.get_next(float)
    while was < A_MONDAY + wide:
        following = ticks.get_next(float)
        longest, was = max(longest, following - was), following
    return longest


def one_at_a_time(step: Callable[[Ports], object]) -> Callable[[Ports], object]:
    """In this process a sweep is never started beside itself: the one under way will find all there is to do.

    The queueing lock counts only jobs that wait. Without this, a slow provider would fill every place with the same sweep.
    """
    busy = threading.Lock()

    def run(ports: Ports) -> object:
        if not busy.acquire(blocking=False):
            return None
        try:
            return step(ports)
        finally:
            busy.release()

    return run
