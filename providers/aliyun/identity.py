"""Do a name, an ID number and a phone belong together? Asked of Alibaba Cloud, through its own SDK.

The SDK takes a second to import, so it is fetched at the first question. It alone of all our lines heeds HTTPS_PROXY
from the environment: what passes there is TLS, with names and ID numbers inside.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from providers.protocols import NameVerdict, ProviderRefused, ProviderUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.protocols import RealName

ENDPOINT = "https://cloudauth.aliyuncs.com"
SUCCESS = "200"
VERDICTS = {"1": NameVerdict.MATCH, "2": NameVerdict.MISMATCH, "3": NameVerdict.NO_RECORD}
BAD_PARAMETERS = frozenset({"400", "401"})
"""What was asked cannot be answered as it stands: a malformed ID number, say."""
REFUSALS = range(400, 500)


class AliyunNames:
    """A NameProvider. Resident ID cards, and residence permits for people from Hong Kong, Macao and Taiwan."""

    def __init__(
        self,
        *,
        access_key_id: str,
        access_key_secret: str,
        base_url: str = ENDPOINT,
        connect_timeout_seconds: float = 3.0,
        read_timeout_seconds: float = 10.0,
        calls_at_once: int = 16,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError(f"aliyun: a base URL looks like {ENDPOINT}, not {base_url!r}")
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
        return "AliyunNames(***)"

    def check(self, person: RealName, *, phone: str | None) -> NameVerdict:
        """With a phone all three must belong together. Raises ProviderUnreachable, ProviderRefused."""
        from alibabacloud_cloudauth20190307 import models

        client = self._connected()
        asked = {"user_name": person.name, "identify_num": person.id_number, "param_type": "normal"}
        if phone is None:
            return self._verdict(client.id_2meta_verify, models.Id2MetaVerifyRequest(**asked))
        request = models.Mobile3MetaSimpleVerifyRequest(**asked, mobile=phone)
        return self._verdict(client.mobile_3meta_simple_verify, request)

    def _connected(self) -> Any:
        with self._one_builds:
            if self._client is None:
                from alibabacloud_cloudauth20190307.client import Client
                from alibabacloud_tea_openapi.utils_models import Config

                self._client = Client(Config(**self._settings))
            return self._client

    def _verdict(self, ask: Callable[[Any], Any], request: Any) -> NameVerdict:
        if not self._room.acquire(blocking=False):
            raise ProviderUnreachable("aliyun: too many calls at once")
        try:
            answer, trouble = _asked(ask, request)
        finally:
            self._room.release()
        if trouble is not None:
            _refuse(str(getattr(trouble, "code", "") or ""), getattr(trouble, "status_code", None), type(trouble))
        code = str(answer.body.code or "")
        if code != SUCCESS:
            _refuse(code, int(code) if code.isascii() and code.isdigit() else None, type(answer))
        verdict = VERDICTS.get(str(answer.body.result_object and answer.body.result_object.biz_code))
        if verdict is None:
            raise ProviderUnreachable("aliyun: answered without a verdict")
        return verdict


def _asked(ask: Callable[[Any], Any], request: Any) -> tuple[Any, Exception | None]:
    # Their errors hold the request and are handed back, not chained: a name must not end in a traceback.
    try:
        answer = ask(request)
        return answer, None if answer.body is not None else ValueError()
    except Exception as trouble:  # noqa: BLE001 (the SDK raises all kinds)
        return None, trouble


def _refuse(code: str, status: int | None, kind: type) -> NoReturn:
    if code and status in REFUSALS:
        # Keys, rights, quotas: staff or a minute can mend them. Only bad parameters stay bad.
        raise ProviderRefused(code[:64], permanent=code in BAD_PARAMETERS or code.startswith("InvalidParameter"))
    raise ProviderUnreachable(f"aliyun: {code[:64] or kind.__name__}")
