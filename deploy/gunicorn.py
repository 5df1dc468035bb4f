"""gunicorn for web and letterbox. Every number has its reason beside it."""

import os
import sys
from pathlib import Path
from typing import Any

worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))  # one a core
# The web waits for providers, the letterbox only for its own commit: while one of its threads waits the other verifies, and a
# third would only fight for the interpreter lock (`make bench`: 2 threads keep a quarter more notices a second than 4).
threads = 2 if any("letterbox" in word for word in sys.argv) else 4
timeout = 40  # longer than the longest chain of provider calls (three calls of 10 s), or a slow provider kills workers
graceful_timeout = 20
keepalive = 5
backlog = 64  # a small queue: whoever cannot be served soon is told so, and providers come again
max_requests = 50_000  # a leak in somebody's library ends with its process
max_requests_jitter = 5_000
limit_request_line = 4_094
limit_request_fields = 60
control_socket_disable = True
accesslog = None  # nginx keeps it; ours would hold people's numbers in paths
errorlog = "-"
loglevel = "warning"


def child_exit(_server: object, worker: Any) -> None:
    """A dead worker's gauges must not speak for it."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder and Path(folder).is_dir():
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)
