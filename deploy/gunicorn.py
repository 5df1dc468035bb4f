"""gunicorn for web and letterbox. Every number has its reason beside it."""

import os
import shutil
import sys
import tempfile
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
# Workers show by a file that they are alive; on a disk that is busy writing it could make the master think otherwise.
worker_tmp_dir = next((each for each in ["/dev/shm"] if Path(each).is_dir()), None)  # noqa: S108 - made by gunicorn, with a name nobody guesses
FIGURES = "PROMETHEUS_MULTIPROC_DIR"
_of_our_own: list[str] = []


def on_starting(_server: object) -> None:
    """Each worker counts for itself, and /metrics is answered by any of them: without a folder in common it would tell a part as the whole.

    Workers of an earlier life are not told: their counts ended with them, as Prometheus expects of a restart.
    """
    folder = os.environ.get(FIGURES)
    if not folder:
        folder = os.environ[FIGURES] = tempfile.mkdtemp(prefix="canbao-figures-")
        _of_our_own.append(folder)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for left in Path(folder).glob("*.db"):
        left.unlink()


def child_exit(_server: object, worker: Any) -> None:
    """A dead worker's gauges must not speak for it."""
    folder = os.environ.get(FIGURES)
    if folder and Path(folder).is_dir():
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)


def on_exit(_server: object) -> None:
    for folder in _of_our_own:
        shutil.rmtree(folder, ignore_errors=True)
