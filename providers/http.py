"""One line to one provider: pooled connections, short patience, a door that closes when the line is full.

Whatever goes wrong on the way is ProviderUnreachable, told without the address: WeChat puts our secret into it, others
a person's name. Build one Line per provider and lend it to every adapter that calls there.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from providers.meters import FULL, UNREACHABLE, note_call, note_their_clock, status_class
from providers.protocols import NotSent, ProviderUnreachable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

USER_AGENT = "canbao"
ANSWER_LIMIT_BYTES = 4 * 1024 * 1024
DOWNLOAD_SECONDS = 600.0

# At DEBUG it writes whole addresses, and an address may hold our secret or somebody's ID number.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class Line:
    """Calls to one base URL. Never follows redirects, keeps no cookies, heeds no proxy from the environment."""

    def __init__(
        self,
        *,
        provider: str,
        base_url: str,
        connect_timeout_seconds: float = 3.0,
        read_timeout_seconds: float = 10.0,
        total_timeout_seconds: float = 15.0,
        calls_at_once: int = 16,
    ) -> None:
        """`base_url` may carry a path; it is then part of every request, and of what is signed."""
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"{provider}: a base URL looks like https://api.example.com, not {base_url!r}")
        self.provider = provider
        self.base_url = base_url.rstrip("/")
        self.base_path = parts.path.rstrip("/")
        self._timeout = (connect_timeout_seconds, read_timeout_seconds)
        self._total_timeout_seconds = total_timeout_seconds
        self._room = threading.BoundedSemaphore(calls_at_once)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers["User-Agent"] = USER_AGENT
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=calls_at_once, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def __repr__(self) -> str:
        return f"Line({self.provider})"

    def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        """Ask and read the whole answer, whatever its status. Raises ProviderUnreachable.

        The signature is that of requests.Session.request, so that a Line can stand in for a session inside an SDK. A
        full line refuses at once: waiting for a slow provider would only spread its slowness to us.
        """
        return self._call(method, url, kwargs, _Reading(self._total_timeout_seconds, ANSWER_LIMIT_BYTES))

    def download(
        self, url: str, *, into: BinaryIO, limit_bytes: int, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """GET a file into `into`, piece by piece, for up to ten minutes. Any status but 200 leaves it empty, and its answer is read as
        by `request`. Raises ProviderUnreachable, also for a file that is longer; what came until then is in `into`.
        """
        # Or requests would unpack on the way what was packed for the way, and a limit on it would say little.
        kwargs = {"headers": {"Accept-Encoding": "identity", **(headers or {})}}
        return self._call("GET", url, kwargs, _Reading(DOWNLOAD_SECONDS, limit_bytes, into))

    def _call(self, method: str, url: str, kwargs: dict[str, Any], reading: _Reading) -> requests.Response:
        if not url.startswith(("http://", "https://")):
            url = self.base_url + url
        kwargs.update(timeout=self._timeout, allow_redirects=False, stream=True)
        if not self._room.acquire(blocking=False):
            note_call(self.provider, FULL)
            raise NotSent(f"{self.provider}: too many calls at once")
        began = time.monotonic()
        try:
            answer, trouble = self._exchange(method, url, kwargs, reading)
        finally:
            self._room.release()
        note_call(self.provider, UNREACHABLE if answer is None else status_class(answer.status_code), time.monotonic() - began)
        if answer is not None:
            note_their_clock(self.provider, answer.headers.get("Date"))
        if answer is None:
            raise ProviderUnreachable(f"{self.provider}: {trouble}")
        return answer

    def close(self) -> None:
        """Hang up: closes the pooled connections."""
        self._session.close()

    def _exchange(
        self, method: str, url: str, kwargs: dict[str, Any], reading: _Reading
    ) -> tuple[requests.Response | None, str]:
        # Trouble is returned, not raised from within: an exception chained to theirs would carry the address along.
        deadline = time.monotonic() + reading.total_seconds
        try:
            with self._session.request(method, url, **kwargs) as answer:
                read: list[bytes] = []
                size = 0
                is_file = reading.into is not None and answer.status_code == HTTPStatus.OK
                limit_bytes = reading.limit_bytes if is_file else ANSWER_LIMIT_BYTES
                for piece in answer.iter_content(64 * 1024):
                    size += len(piece)
                    if size > limit_bytes:
                        return None, "answer too long"
                    if time.monotonic() > deadline:
                        return None, "answer too slow"
                    if reading.into is not None and is_file:
                        reading.into.write(piece)
                    else:
                        read.append(piece)
                answer._content = b"".join(read)  # noqa: SLF001 (what .content would have kept, had it been bounded)
                return answer, ""
        # urllib3 lets a few of its own slip through requests; UnicodeError and the like come from broken headers.
        except (requests.RequestException, HTTPError, OSError, ValueError) as trouble:
            return None, type(trouble).__name__


@dataclass(frozen=True)
class _Reading:
    """How an answer is read."""

    total_seconds: float
    limit_bytes: int
    into: BinaryIO | None = None
