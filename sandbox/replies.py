"""What a provider answers before it is signed, and the faults that every provider's answers share."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from flask import Request, Response, request

from sandbox.faults import Found, seconds


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A status and a JSON body, on its way to the signer."""

    status: int = 200
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 - what HTTP calls success


def read_json(text: str | bytes) -> Any:
    """Read JSON that can also be written again; anything else is nothing."""
    try:
        read = json.loads(text)
        json.dumps(read, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return read


def read_object(text: str | bytes) -> dict[str, Any] | None:
    read = read_json(text)
    return read if isinstance(read, dict) else None


def raw_target() -> str:
    """Return the request line's path and query exactly as they came over the wire: signatures cover these bytes."""
    return str(request.environ.get("RAW_URI") or request.environ["REQUEST_URI"])


def dawdle(found: Found) -> None:
    if "slow" in found:
        time.sleep(seconds(found["slow"], 3.0))


def hang_up(found: Found, answer: Response) -> Response:
    """Do as if the answer were lost on the way: the work is done, and the caller never hears of it."""
    if "timeout_after_success" not in found:
        return answer
    time.sleep(seconds(found["timeout_after_success"], 0.0))
    connection = request.environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        # The caller may have given up and gone before us.
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    return answer


def is_loopback(host: str | None) -> bool:
    return host in {"127.0.0.1", "::1", "localhost"}


def came_from_here(incoming: Request) -> bool:
    return is_loopback(incoming.remote_addr)
