"""People who press at the very same moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from services.errors import BusinessError

if TYPE_CHECKING:
    from collections.abc import Callable


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """Run these together, each on a thread of its own; answers results and business errors in their order. Any other error is raised."""
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        gate.wait(30)
        try:
            return job()
        except BusinessError as refusal:
            return refusal

    with ThreadPoolExecutor(len(jobs)) as crowd:
        return list(crowd.map(run, jobs))
