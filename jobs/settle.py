"""The settle loop: from waiting notices to books, batch after batch, until told to stop. Several may run; rows are the queue."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter
from sqlalchemy.exc import DBAPIError

from config.logs import logger
from services.settlement import BATCH, settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from services.ports import Ports

log = logger(__name__)

IDLE_SECONDS: Final = 0.05
"""How long an empty inbox is left alone: a person who just paid waits no longer than this for the loop to look."""
TROUBLE_SECONDS: Final = 1.0
SETTLED: Final = Counter("canbao_settled_total", "Notices settled by the loop")


def settle_for_ever(ports: Ports, *, should_stop: Callable[[], bool]) -> None:
    """Settle until told to stop; a batch under way is finished first. A lost database is waited for."""
    while not should_stop():
        try:
            taken = settle(ports)
        except DBAPIError as fault:
            log.error("settle.database_lost", fault=type(fault.orig).__name__)  # noqa: TRY400 - no traceback: it holds values
            time.sleep(TROUBLE_SECONDS)
            continue
        SETTLED.inc(taken)
        if taken < BATCH:
            time.sleep(IDLE_SECONDS)


def run(ports: Ports) -> None:
    """The process: stops at SIGTERM and SIGINT, after the batch in hand."""
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    log.info("settle.started")
    settle_for_ever(ports, should_stop=lambda: stopping)
    log.info("settle.stopped")
