"""The partner API's signatures: RSA-SHA256 over method, path, moment, nonce and body; and over status, path, moment, nonce and body back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from providers.keys import rsa_sign, rsa_verifies
from providers.protocols import BadSignature
from providers.reading import NOTICE_LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

KEY, TIMESTAMP, NONCE, SIGNATURE = "Canbao-Key", "Canbao-Timestamp", "Canbao-Nonce", "Canbao-Signature"
WINDOW_SECONDS: Final = 300
NONCE_LETTERS: Final = re.compile(r"[0-9A-Za-z]{16,64}")
SECONDS: Final = re.compile(r"[1-9][0-9]{9}")


def signed_text(*words: str, raw: bytes) -> bytes:
    """What a signature covers: each word on a line of its own, then the body as it is."""
    return "".join(f"{word}\n" for word in words).encode() + raw


class Signatures:
    """The pinned keys of one bank, and ours."""

    def __init__(self, *, theirs: Mapping[str, RSAPublicKey], key_id: str, private_key: RSAPrivateKey) -> None:
        self._theirs = dict(theirs)
        self._key_id = key_id
        self._private_key = private_key

    def open_request(self, headers: Mapping[str, str], raw: bytes, *, method: str, path: str, now: datetime) -> str:
        """The nonce of a request that this bank signed, not more than five minutes off our clock. Raises BadSignature."""
        if len(raw) > NOTICE_LIMIT_BYTES:
            raise BadSignature("oversize")
        key_id, timestamp, nonce, signature = (headers.get(name, "") for name in (KEY, TIMESTAMP, NONCE, SIGNATURE))
        if not (key_id and timestamp and nonce and signature):
            raise BadSignature("missing_header")
        key = self._theirs.get(key_id)
        if key is None:
            raise BadSignature("unknown_key")
        if not NONCE_LETTERS.fullmatch(nonce) or not SECONDS.fullmatch(timestamp):
            raise BadSignature("malformed")
        if not rsa_verifies(key, signature, signed_text(method, path, timestamp, nonce, raw=raw)):
            raise BadSignature("signature")
        if abs(now.timestamp() - int(timestamp)) > WINDOW_SECONDS:
            raise BadSignature("clock_skew")
        return nonce

    def sign_answer(self, raw: bytes, *, status: int, path: str, nonce: str, now: datetime) -> dict[str, str]:
        timestamp = str(int(now.timestamp()))
        text = signed_text(str(status), path, timestamp, nonce, raw=raw)
        return {KEY: self._key_id, TIMESTAMP: timestamp, NONCE: nonce, SIGNATURE: rsa_sign(self._private_key, text)}
