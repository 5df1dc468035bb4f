"""The settle loop: from waiting notices to books, batch after batch, until told to stop. Several may run; rows are the queue."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge
from sqlalchemy.exc import DBAPIError

from config.logs import logger
from jobs.machines import Heart, answer_machines
from services.settlement import BATCH, settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from jobs.machines import Address
    from services.ports import Ports

log = logger(__name__)

IDLE_SECONDS: Final = 0.05
"""How long an empty inbox is left alone: a person who just paid waits no longer than this for the loop to look."""
TROUBLE_SECONDS: Final = 1.0
STUCK_AFTER_SECONDS: Final = 120.0
"""Longer than a batch and the statement timeout together: whoever has not looked for so long hangs, and may be started anew."""
SETTLED: Final = Counter("canbao_settled_total", "Notices settled by the loop")
LOOKED: Final = Gauge(
    "canbao_settle_looked_timestamp_seconds",
    "When the settle loop looked last, whether it found anything or not",
    multiprocess_mode="mostrecent",
)


def settle_for_ever(ports: Ports, *, should_stop: Callable[[], bool], heart: Heart) -> None:
    """Settle until told to stop; a batch under way is finished first. A lost database is waited for."""
    while not should_stop():
        LOOKED.set_to_current_time()
        heart.beat()
        try:
            taken = settle(ports)
        except DBAPIError as fault:
            log.error("settle.database_lost", fault=type(fault.orig).__name__)  # noqa: TRY400 - no traceback: it holds values
            time.sleep(TROUBLE_SECONDS)
            continue
        SETTLED.inc(taken)
        if taken < BATCH:
            time.sleep(IDLE_SECONDS)


def run(ports: Ports, *, metrics: Address | None = None) -> None:
    """The process: stops at SIGTERM and SIGINT, after the batch in hand. `metrics` is where Prometheus may ask it."""
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    heart = Heart(STUCK_AFTER_SECONDS)
    if metrics is not None:
        answer_machines(metrics, is_well=heart.is_beating)
    log.info("settle.started")
    settle_for_ever(ports, should_stop=lambda: stopping, heart=heart)
    log.info("settle.stopped")
