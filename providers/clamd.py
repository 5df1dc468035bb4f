"""ClamAV's daemon, asked in its own protocol (INSTREAM) over TCP or a Unix socket. What it did not look at is not let in."""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import Final
from urllib.parse import urlsplit

from config.logs import logger
from providers.protocols import ProviderUnreachable

log = logger(__name__)

PIECE_BYTES: Final = 64 * 1024
CONNECT_SECONDS: Final = 3.0
ANSWER_SECONDS: Final = 20.0
"""For all of it: a person waits at the other end."""
LONGEST_ANSWER: Final = 4096
CALLS_AT_ONCE: Final = 8
"""The daemon has ten threads unless told otherwise."""
CLEAN: Final = "stream: OK"
FOUND: Final = " FOUND"
USUAL_PORT: Final = 3310


class ClamdFault(ValueError):
    """The address cannot be used; the sentence says what a right one looks like."""


class Clamd:
    """A ScanProvider."""

    def __init__(self, *, address: str, answer_seconds: float = ANSWER_SECONDS) -> None:
        """`address`: tcp://127.0.0.1:3310, or unix:///run/clamav/clamd.ctl. Raises ClamdFault."""
        parts = urlsplit(address)
        self._where: tuple[str, int] | str
        if parts.scheme == "tcp" and parts.hostname and not parts.path.strip("/"):
            try:
                self._where = (parts.hostname, parts.port or USUAL_PORT)
            except ValueError:
                raise ClamdFault(_right(address)) from None
        elif parts.scheme == "unix" and not parts.netloc and parts.path.startswith("/"):
            self._where = parts.path
        else:
            raise ClamdFault(_right(address))
        self._answer_seconds = answer_seconds
        self._room = threading.BoundedSemaphore(CALLS_AT_ONCE)

    def __repr__(self) -> str:
        return "Clamd()"

    def scan(self, content: bytes) -> str | None:
        if not self._room.acquire(blocking=False):
            raise ProviderUnreachable("clamd: too many calls at once")
        trouble = ""
        try:
            answer = self._asked(content)
        except (OSError, UnicodeDecodeError) as fault:
            trouble = type(fault).__name__
        finally:
            self._room.release()
        if trouble:
            raise ProviderUnreachable(f"clamd: {trouble}")
        if answer == CLEAN:
            return None
        if answer.startswith("stream: ") and answer.endswith(FOUND):
            return answer.removeprefix("stream: ").removesuffix(FOUND)
        # "INSTREAM size limit exceeded. ERROR" and all others: it has not looked at the whole.
        log.error("clamd.no_verdict", answer=answer[:80])
        raise ProviderUnreachable("clamd: no verdict")

    def _asked(self, content: bytes) -> str:
        deadline = time.monotonic() + self._answer_seconds
        with self._connected() as line:
            line.sendall(b"zINSTREAM\0")
            for start in range(0, len(content), PIECE_BYTES):
                line.settimeout(_left(deadline))
                piece = content[start : start + PIECE_BYTES]
                line.sendall(struct.pack(">I", len(piece)) + piece)
            line.sendall(struct.pack(">I", 0))
            answer = b""
            while not answer.endswith(b"\0"):
                line.settimeout(_left(deadline))
                heard = line.recv(LONGEST_ANSWER)
                if not heard or len(answer) > LONGEST_ANSWER:
                    raise ConnectionError("an answer without an end")
                answer += heard
        return answer[:-1].decode("ascii")

    def _connected(self) -> socket.socket:
        if isinstance(self._where, tuple):
            return socket.create_connection(self._where, timeout=CONNECT_SECONDS)
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.settimeout(CONNECT_SECONDS)
            line.connect(self._where)
        except OSError:
            line.close()
            raise
        return line


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _right(address: str) -> str:
    return f"{address!r} is no address of clamd; a right one is tcp://127.0.0.1:3310, or unix:///run/clamav/clamd.ctl"
