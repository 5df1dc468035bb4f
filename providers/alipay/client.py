"""python-alipay-sdk, with its way of talking replaced.

As it comes it sends names and ID numbers in the address of a GET, reads answers as UTF-8 only, finds the signed part by
counting braces, tells the time of the machine instead of Beijing's, and takes twenty times as long over RSA. Kept are
its requests: which parameters there are, and how they become the text to sign.
"""

from __future__ import annotations

import logging
import sys
import types
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from config.clock import SYSTEM_CLOCK
from providers.alipay.signing import SIGN_TYPE, open_answer
from providers.keys import rsa_sign, rsa_verifies
from providers.protocols import ProviderRefused, ProviderUnreachable
from providers.reading import BEIJING, Unreadable

# Importing the SDK would run logging.config.dictConfig, which closes every handler that stands. Its logger will do.
if "alipay.loggers" not in sys.modules:
    _loggers = types.ModuleType("alipay.loggers")
    _loggers.logger = logging.getLogger("python-alipay-sdk")  # type: ignore[attr-defined]
    sys.modules["alipay.loggers"] = _loggers
from alipay import AliPay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    from config.clock import Clock
    from providers.http import Line

HTTP_OK = 200
COMMON = frozenset({
    "app_id", "method", "format", "charset", "sign_type", "timestamp", "version", "notify_url", "app_auth_token", "sign",
})  # fmt: skip
"""These stand in the address, charset among them (else they read us as GBK); all that may tell of people in the body."""

SIGN_IN = "alipay.system.oauth.token"
CODED, CODELESS = frozenset({"10000"}), frozenset({"10000", ""})
"""An answer that holds a token says success by holding it; every other one by its code."""
SERVICE_UNAVAILABLE = "20000"
UNKNOWN_OUTCOMES = frozenset({"ACQ.SYSTEM_ERROR", "SYSTEM_ERROR"})
UNKNOWN_OUTCOME_PREFIXES = ("isp.", "aop.")
ANSWERS_ALL_THE_SAME = frozenset({"isp.bill_not_exist"})
"""Looks like trouble of theirs, and is what a day without trades is called."""
# Staff can put these right, or a minute can: not the payment's fault.
PASSING_REFUSALS = frozenset(
    {
        "ACQ.ACCESS_FORBIDDEN",
        "ACQ.DISCORDANT_REPEAT_REQUEST",
        "ACQ.SELLER_BALANCE_NOT_ENOUGH",
        "isv.app-call-limited",
        "isv.call-limited",
        "isv.insufficient-isv-permissions",
        "isv.insufficient-user-permissions",
        "isv.invalid-app-id",
        "isv.invalid-signature",
        "isv.invalid-timestamp",
    }
)


class AlipayClient(AliPay):  # type: ignore[misc]  # the SDK has no types
    """One app at Alipay's gateway. Built once per process; calls may come from many threads."""

    def __init__(
        self,
        *,
        line: Line,
        app_id: str,
        private_key: RSAPrivateKey,
        alipay_public_key: RSAPublicKey,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """`line` ends at the gateway itself, https://openapi.alipay.com/gateway.do. The keys: ours, and Alipay's. `clock` dates calls."""
        super().__init__(appid=app_id, sign_type=SIGN_TYPE)
        self._line = line
        self._clock = clock
        self._app_private_key = private_key
        self._alipay_public_key = alipay_public_key

    def __repr__(self) -> str:
        return f"AlipayClient({self._appid})"

    @property
    def alipay_public_key(self) -> RSAPublicKey:
        """What Alipay signs with for this app."""
        return self._alipay_public_key

    def call(self, method: str, content: Mapping[str, Any] | None = None, **top_level: str) -> dict[str, Any]:
        """What they answered, once it is signed and says success. Raises ProviderRefused, ProviderUnreachable."""
        answer: dict[str, Any] = self.server_api(method, dict(content or {}), **top_level)
        return answer

    def build_body(self, method: str, biz_content: dict[str, Any] | None = None, **top_level: Any) -> dict[str, Any]:
        body: dict[str, Any] = super().build_body(method, biz_content, **top_level)
        body["format"] = "JSON"
        body["timestamp"] = self._clock.now().astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
        if not body["biz_content"]:
            del body["biz_content"]
        return body

    def verified_sync_response(self, data: dict[str, Any], response_type: str) -> dict[str, Any]:
        pairs = dict(self._ordered_data(data))
        pairs["sign"] = self._sign("&".join(f"{name}={value}" for name, value in pairs.items()))
        address = urlencode({name: value for name, value in pairs.items() if name in COMMON})
        body = urlencode({name: value for name, value in pairs.items() if name not in COMMON})
        answer = self._line.request(
            "POST",
            f"?{address}",
            data=body.encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"},
        )
        if answer.status_code != HTTP_OK:
            raise ProviderUnreachable(f"alipay: answered {answer.status_code}")
        try:
            opened = open_answer(answer.content, response_type, self._alipay_public_key)
        except Unreadable as trouble:
            raise ProviderUnreachable(f"alipay: answer not to be trusted ({trouble})") from None
        return _judge(opened.inner, is_signed=opened.is_signed, codes=CODELESS if data["method"] == SIGN_IN else CODED)

    def _load_key(self) -> None:
        """The keys come as objects; the SDK would parse them for 77 ms."""

    def _sign(self, unsigned_string: str) -> str:
        return rsa_sign(self._app_private_key, unsigned_string.encode())

    def _verify(self, raw_content: str, signature: str) -> bool:
        return rsa_verifies(self._alipay_public_key, signature, raw_content.encode())


def _judge(inner: dict[str, Any], *, is_signed: bool, codes: frozenset[str]) -> dict[str, Any]:
    """Success goes on, the rest is raised.

    What is not signed may explain a refusal of the request as such (isv.…: a used code, a wrong parameter). It never
    tells how a trade stands, and never that anything succeeded.
    """
    code = str(inner.get("code") or "")
    if is_signed and code in codes:
        return inner
    word = str(inner.get("sub_code") or code)[:64]
    is_trouble = word.startswith(UNKNOWN_OUTCOME_PREFIXES) and word not in ANSWERS_ALL_THE_SAME
    is_unknown = code == SERVICE_UNAVAILABLE or word in UNKNOWN_OUTCOMES or is_trouble
    if is_unknown or not (is_signed or word.startswith("isv.")):
        raise ProviderUnreachable(f"alipay: {word or 'no word'}, {'signed' if is_signed else 'unsigned'}")
    raise ProviderRefused(word, permanent=word not in PASSING_REFUSALS)
