"""How a step becomes a sweep: registered with the clock, one waiting in the queue at most, and never started beside itself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from procrastinate import Blueprint, JobContext

from config.logs import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.ports import Ports

log = logger(__name__)

SWEEPS: Final = Blueprint()
"""Every sweep of the worker, by name."""


def sweep(name: str, *, cron: str) -> Callable[[Callable[[Ports], object]], Callable[[Ports], object]]:
    """Register a step that the clock calls. One waiting in the queue is enough: it will find all there is to do."""

    def register(step: Callable[[Ports], object]) -> Callable[[Ports], object]:
        alone = one_at_a_time(step)

        @SWEEPS.periodic(cron=cron)
        @SWEEPS.task(name=name, queueing_lock=name, pass_context=True)
        def run(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the tick it was meant for does not matter
            done = alone(context.additional_context["ports"])
            if done:
                log.info("sweep.done", sweep=name, count=done)

        return step

    return register


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
