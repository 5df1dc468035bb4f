"""Serves a sandbox over HTTP/1.1 with kept-alive connections, a thread for each."""

from __future__ import annotations

import contextlib
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, ThreadedWSGIServer, WSGIRequestHandler

from sandbox.app import close_sandbox, create_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class QuietHandler(WSGIRequestHandler):
    """Keeps connections open and says nothing about each request: names and ID numbers travel in these addresses."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        if isinstance(self.server, SandboxServer):
            self.server.connections.add(self.connection)

    def finish(self) -> None:
        if isinstance(self.server, SandboxServer):
            self.server.connections.discard(self.connection)
        # The other end may be gone already, or a fault has cut the line.
        with contextlib.suppress(OSError):
            super().finish()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        del code, size


class SandboxServer(ThreadedWSGIServer):
    """Remembers its open connections, so that stopping really ends every conversation."""

    request_queue_size = 256

    def __init__(self, host: str, port: int, app: Flask) -> None:
        self.connections: set[socket.socket] = set()
        self.sandbox = app
        super().__init__(host, port, app, handler=QuietHandler)

    def close_everything(self) -> None:
        self.server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@dataclass
class Running:
    """A sandbox at work in this process."""

    server: SandboxServer
    thread: threading.Thread
    app: Flask

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        """End it; stopping twice does nothing more."""
        if not self.thread.is_alive():
            return
        self.server.shutdown()
        self.thread.join()
        self.server.close_everything()
        close_sandbox(self.app)


@contextmanager
def serve_in_thread(home: Path, *, port: int = 0, **wishes: Any) -> Iterator[Running]:
    """Run a sandbox for the length of a block; `wishes` go to `create_sandbox`."""
    app = create_sandbox(home, **wishes)
    server = SandboxServer("127.0.0.1", port, app)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True, name="sandbox")
    running = Running(server=server, thread=thread, app=app)
    thread.start()
    try:
        yield running
    finally:
        running.stop()


def make_server(app: Flask, host: str, port: int) -> BaseWSGIServer:
    return SandboxServer(host, port, app)
