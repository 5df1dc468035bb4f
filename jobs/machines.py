"""For machines that watch a process without a door of its own: /metrics for Prometheus, /healthz for whoever starts it anew."""

from __future__ import annotations

import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from config.logs import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prometheus_client.registry import Collector

log = logger(__name__)

HIGHEST_PORT: Final = 65_535
PATIENCE_SECONDS: Final = 10.0
"""With whoever asks: a connection that says nothing holds its thread no longer."""


class Address(NamedTuple):
    host: str
    port: int


def read_address(text: str) -> Address:
    """`127.0.0.1:9101` or `[::1]:9101`. Raises ValueError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) <= HIGHEST_PORT:
        raise ValueError(f"an address looks like 127.0.0.1:9101, not {text!r}")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


class Heart:
    """Beats while a process gets on with its work."""

    def __init__(self, stuck_after_seconds: float) -> None:
        self._stuck_after_seconds = stuck_after_seconds
        self._beaten_at = time.monotonic()

    def beat(self) -> None:
        self._beaten_at = time.monotonic()

    def is_beating(self) -> bool:
        return time.monotonic() - self._beaten_at < self._stuck_after_seconds


def answer_machines(address: Address, *, is_well: Callable[[], bool], more: Sequence[Collector] = ()) -> ThreadingHTTPServer:
    """Answer on a thread of its own until the process ends. Raises OSError when the address is taken."""
    beside = CollectorRegistry()
    for collector in more:
        beside.register(collector)

    class Door(BaseHTTPRequestHandler):
        timeout = PATIENCE_SECONDS

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._say(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(REGISTRY) + generate_latest(beside))
            elif self.path == "/healthz":
                well = is_well()
                self._say(
                    HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"ok\n" if well else b"stuck\n"
                )
            else:
                self._say(HTTPStatus.NOT_FOUND, "text/plain", b"/metrics or /healthz\n")

        def _say(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: a scrape each few seconds is no event."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Whoever asked hung up. A scrape that went wrong is told by its absence."""
            log.info("machines.hung_up")

    server = Server(address, Door)
    threading.Thread(target=server.serve_forever, daemon=True, name="machines").start()
    return server
