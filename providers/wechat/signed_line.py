"""One merchant's line to WeChat Pay: every request bears our signature, and an answer counts only if it bears theirs.

A 2xx without a good signature (they probe us with bad ones on purpose), a timeout, a 5xx or "too many requests" says nothing about what
happened. Error bodies are not signed: they may explain a refusal, and never prove that money moved.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from providers.protocols import BadSignature, ProviderRefused, ProviderUnreachable
from providers.reading import Unreadable, json_object, text

if TYPE_CHECKING:
    import requests

    from providers.http import Line
    from providers.wechat.signing import Signer, Verifier

SUCCESSES = range(200, 300)
REFUSALS = range(400, 500)
# A refusal for good would drop the payment over something that staff, or a minute, can put right.
PASSING_REFUSALS = frozenset({"SIGN_ERROR", "NO_AUTH", "RULE_LIMIT", "NOT_ENOUGH", "FREQUENCY_LIMIT"})
# Said with a 4xx now and then, and still meaning: we do not know either.
UNKNOWN_OUTCOMES = frozenset({"SYSTEM_ERROR", "SYSTEMERROR", "FREQUENCY_LIMITED", "BANK_ERROR"})


class SignedLine:
    """`response_key`: which of the verifier's keys they shall sign answers with, PUB_KEY_ID_… once they gave one."""

    def __init__(self, *, line: Line, signer: Signer, verifier: Verifier, response_key: str | None) -> None:
        self.line = line
        self._signer = signer
        self._verifier = verifier
        self._response_key = response_key

    def headers(self, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        """What a request bears. `path` as it will stand on the wire."""
        headers = {"Accept": "application/json"}
        if body:
            headers["Content-Type"] = "application/json"
        if self._response_key:
            headers["Wechatpay-Serial"] = self._response_key
        headers["Authorization"] = self._signer.authorization(method=method, path=path, body=body)
        return headers

    def call(self, method: str, path: str, body: bytes = b"") -> requests.Response:
        """Their answer, signed. Raises ProviderRefused, ProviderUnreachable."""
        headers = self.headers(method, self.line.base_path + path, body)
        answer = self.line.request(method, path, data=body or None, headers=headers)
        if answer.status_code not in SUCCESSES:
            raise failure(answer)
        try:
            self._verifier.verify(answer.headers, answer.content, now=self._signer.clock.now().timestamp())
        except BadSignature as trouble:
            raise ProviderUnreachable(f"wechat_pay: answer not to be trusted ({trouble.reason})") from None
        return answer


def failure(answer: requests.Response) -> ProviderRefused | ProviderUnreachable:
    """What an answer that is none of success means."""
    status = answer.status_code
    if status in REFUSALS and status != HTTPStatus.TOO_MANY_REQUESTS:
        try:
            code = text(json_object(answer.content), "code", limit=64)
        except Unreadable:
            code = ""  # not WeChat's own words: some gateway in between
        if code and code not in UNKNOWN_OUTCOMES:
            return ProviderRefused(code, permanent=code not in PASSING_REFUSALS)
    return ProviderUnreachable(f"wechat_pay: answered {status}")
