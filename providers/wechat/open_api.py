"""WeChat's open API (api.weixin.qq.com): wechatpy's client, with its way to a token and its way of talking replaced.

As it comes it fetches tokens without a time limit from an address of its own, each killing the last, and tries again
for ever when one is refused. Ours takes the stable token, which many processes may share, and tries once more.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from wechatpy.client import WeChatClient
from wechatpy.exceptions import WeChatClientException

from providers.protocols import ProviderRefused, ProviderUnreachable
from providers.reading import Unreadable, json_object, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from providers.http import Line

TOKEN_LIMIT = 2048
TOKEN_PATIENCE_SECONDS = 5.0
TOKEN_SECONDS = 7200
REFUSED_TOKEN = frozenset({40001, 40014, 42001})
BUSY = frozenset({-1})
# Quotas, our own app id, secret and address: nothing that the person at the phone did, and it passes or staff mends it.
PASSING_REFUSALS = frozenset({40013, 40125, 40164, 45009, 45011, 48001})


class WeChatOpenApi(WeChatClient):  # type: ignore[misc]  # the SDK has no types
    """One app at WeChat. Built once per process, shared by its adapters; calls may come from many threads."""

    _http: Any

    def __init__(self, *, line: Line, app_id: str, app_secret: str) -> None:
        super().__init__(app_id, app_secret, auto_retry=False)
        self._http.close()
        self._http = self._line = line
        self.API_BASE_URL = f"{line.base_url}/cgi-bin/"
        self._one_fetches = threading.Lock()

    def __repr__(self) -> str:
        return f"WeChatOpenApi({self.appid})"

    def ask(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """GET without a token. Raises ProviderRefused with their errcode, or ProviderUnreachable."""
        # A parameter of None keeps wechatpy from fetching a token, and requests from sending one.
        return self._told("get", path, params={**parameters, "access_token": None})

    def call(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST with our token. Raises ProviderRefused with their errcode, or ProviderUnreachable."""
        token = self.access_token
        try:
            return self._told("post", path, params={"access_token": token}, data=dict(body))
        except ProviderRefused as refusal:
            if refusal.code not in map(str, REFUSED_TOKEN):
                raise
        self._forget(token)
        try:
            return self._told("post", path, params={"access_token": self.access_token}, data=dict(body))
        except ProviderRefused as refusal:
            if refusal.code not in map(str, REFUSED_TOKEN):
                raise
            raise ProviderUnreachable(f"wechat: a fresh token was refused ({refusal.code})") from None

    @property
    def access_token(self) -> str:
        # One thread fetches, the others wait for its token, not each for one of its own; and not for long.
        if not self._one_fetches.acquire(timeout=TOKEN_PATIENCE_SECONDS):
            raise ProviderUnreachable("wechat: no token yet")
        try:
            return str(super().access_token)
        finally:
            self._one_fetches.release()

    def fetch_access_token(self) -> dict[str, Any]:
        told = self._told(
            "post",
            "/cgi-bin/stable_token",
            params={"access_token": None},
            data={
                "grant_type": "client_credential",
                "appid": self.appid,
                "secret": self.secret,
                "force_refresh": False,
            },
        )
        seconds = told.get("expires_in")
        try:
            token = text(told, "access_token", limit=TOKEN_LIMIT)
        except Unreadable:
            raise ProviderUnreachable("wechat: no token in the answer") from None
        self.expires_at = int(time.time()) + (seconds if type(seconds) is int else TOKEN_SECONDS)
        self.session.set(self.access_token_key, token)
        return told

    def _forget(self, token: str) -> None:
        with self._one_fetches:
            if self.session.get(self.access_token_key) == token:
                self.session.delete(self.access_token_key)

    def _told(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        # wechatpy's errors hold the request, whose address holds our secret or token: they end here.
        try:
            told = self._request(method, self._line.base_url + path, **how)
        except WeChatClientException as refusal:
            errcode = refusal.errcode
        except (TypeError, ValueError):
            errcode = None
        else:
            if isinstance(told, dict):
                return told
            errcode = None
        if errcode is None or errcode in BUSY:
            raise ProviderUnreachable(f"wechat: {path} answered {'busy' if errcode else 'nothing to rely on'}")
        raise ProviderRefused(str(errcode), permanent=errcode not in PASSING_REFUSALS)

    def _decode_result(self, res: Any) -> dict[str, Any]:
        # They call it text/plain; it is JSON all the same.
        return json_object(res.content)
