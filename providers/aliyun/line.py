"""Alibaba Cloud through its own SDKs: one client a product, built at the first question, and its troubles in the house's words.

The SDKs take a second to import, so they are fetched late. They alone of all our lines heed HTTPS_PROXY from the
environment: what passes there is TLS, with names and ID numbers inside.
"""

from __future__ import annotations

import threading
import time
from http import HTTPStatus
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from providers.meters import FULL, UNREACHABLE, note_call, status_class
from providers.protocols import NotSent, ProviderRefused, ProviderUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSALS = range(400, 500)
PROVIDER = "aliyun"


class AliyunLine:
    """One product of one account (`package` is the SDK's). Calls may come from many threads."""

    def __init__(
        self,
        *,
        package: str,
        access_key_id: str,
        access_key_secret: str,
        base_url: str,
        connect_timeout_seconds: float = 3.0,
        read_timeout_seconds: float = 10.0,
        calls_at_once: int = 16,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError(f"aliyun: a base URL looks like https://cloudauth.aliyuncs.com, not {base_url!r}")
        self._package = package
        self._settings = {
            "access_key_id": access_key_id,
            "access_key_secret": access_key_secret,
            "endpoint": parts.netloc,
            "protocol": parts.scheme.upper(),
            "connect_timeout": int(connect_timeout_seconds * 1000),
            "read_timeout": int(read_timeout_seconds * 1000),
        }
        self._room = threading.BoundedSemaphore(calls_at_once)
        self._one_builds = threading.Lock()
        self._client: Any = None

    def __repr__(self) -> str:
        return f"AliyunLine({self._package})"

    def ask(self, action: str, request: str, **given: Any) -> Any:
        """The body of the answer to one SDK call, `action` taking the model `request`. Raises ProviderUnreachable, ProviderRefused."""
        client = self._connected()
        asked = getattr(import_module(f"{self._package}.models"), request)(**given)
        if not self._room.acquire(blocking=False):
            note_call(PROVIDER, FULL)
            raise NotSent("aliyun: too many calls at once")
        began = time.monotonic()
        try:
            answer, trouble = _asked(getattr(client, action), asked)
        finally:
            self._room.release()
        status = HTTPStatus.OK if trouble is None else getattr(trouble, "status_code", None)
        note_call(PROVIDER, status_class(status) if isinstance(status, int) else UNREACHABLE, time.monotonic() - began)
        if trouble is not None:
            refuse(str(getattr(trouble, "code", "") or ""), getattr(trouble, "status_code", None), type(trouble).__name__)
        return answer.body

    def _connected(self) -> Any:
        with self._one_builds:
            if self._client is None:
                from alibabacloud_tea_openapi.utils_models import Config

                self._client = import_module(f"{self._package}.client").Client(Config(**self._settings))
            return self._client


def _asked(ask: Callable[[Any], Any], request: Any) -> tuple[Any, Exception | None]:
    # Their errors hold the request and are handed back, not chained: a name must not end in a traceback.
    try:
        answer = ask(request)
        return answer, None if answer.body is not None else ValueError()
    except Exception as trouble:  # noqa: BLE001 (the SDK raises all kinds)
        return None, trouble


def refuse(code: str, status: int | None, kind: str, *, for_good: frozenset[str] = frozenset()) -> NoReturn:
    """Raise what a code that is not success means. Keys, rights and quotas can be mended; `for_good` and bad parameters cannot."""
    if code and status in REFUSALS:
        raise ProviderRefused(code[:64], permanent=code in for_good or code.startswith("InvalidParameter"))
    raise ProviderUnreachable(f"aliyun: {code[:64] or kind}")
