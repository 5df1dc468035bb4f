"""WeChat Pay API v3: what we sign, what they sign, and the seal on their notices. No network here, ever.

They sign with whichever key they name in Wechatpay-Serial: while a merchant moves from platform certificates to the
public key, both kinds arrive for days, so every live key stands in one table. Seals and signature kinds stand in tables
too, for the day when SM2 and SM4 are opened to us.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from config.clock import SYSTEM_CLOCK
from providers.keys import rsa_sign, rsa_verifies
from providers.protocols import BadSignature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    from config.clock import Clock

SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"
PROBE_PREFIX = "WECHATPAY/SIGNTEST/"
PUBLIC_KEY_PREFIX = "PUB_KEY_ID_"
WINDOW_SECONDS = 300
TIMESTAMP = re.compile(r"[0-9]{1,12}")


class Signer:
    """Signs as the merchant."""

    def __init__(self, mchid: str, certificate_serial: str, private_key: RSAPrivateKey, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """`certificate_serial` is that of the merchant's own API certificate, whose private key this is. `clock` dates what is signed."""
        self.mchid = mchid
        self.clock = clock
        self._certificate_serial = certificate_serial.upper()
        self._private_key = private_key

    def __repr__(self) -> str:
        return f"Signer({self.mchid})"

    def sign(self, text: bytes) -> str:
        return rsa_sign(self._private_key, text)

    def authorization(
        self, *, method: str, path: str, body: bytes = b"", timestamp: int | None = None, nonce: str | None = None
    ) -> str:
        """The Authorization header. `path` is path and query as they will stand on the wire, byte for byte."""
        timestamp = int(self.clock.now().timestamp()) if timestamp is None else timestamp
        nonce = nonce or secrets.token_hex(16)
        signature = self.sign(f"{method}\n{path}\n{timestamp}\n{nonce}\n".encode() + body + b"\n")
        return (
            f'{SIGNATURE_TYPE} mchid="{self.mchid}",nonce_str="{nonce}",signature="{signature}",'
            f'timestamp="{timestamp}",serial_no="{self._certificate_serial}"'
        )

    def pay_sign(self, *, app_id: str, timestamp: int, nonce: str, package: str) -> str:
        """What wx.requestPayment takes as paySign. The app id is signed, yet not handed to the phone."""
        return self.sign(f"{app_id}\n{timestamp}\n{nonce}\n{package}\n".encode())


class Verifier:
    """Knows every key that WeChat Pay may sign with now, by its serial."""

    def __init__(self, keys: Mapping[str, RSAPublicKey], *, expires_at: Mapping[str, datetime | None] | None = None) -> None:
        """`keys` by what Wechatpay-Serial will say: PUB_KEY_ID_… or the hex serial of a platform certificate."""
        self._keys = {_serial(serial): key for serial, key in keys.items()}
        self.expires_at: dict[str, datetime] = {serial: end for serial, end in (expires_at or {}).items() if end is not None}
        """When each certificate among the keys ends, for the metric of days left."""

    def __repr__(self) -> str:
        return f"Verifier({len(self._keys)} keys)"

    def verify(self, headers: Mapping[str, str], raw: bytes, *, now: float) -> None:
        """Raises BadSignature unless WeChat Pay signed exactly these bytes within five minutes of `now`."""
        timestamp = _header(headers, "Wechatpay-Timestamp")
        nonce = _header(headers, "Wechatpay-Nonce")
        serial = _header(headers, "Wechatpay-Serial")
        signature = _header(headers, "Wechatpay-Signature")
        signature_type = _header(headers, "Wechatpay-Signature-Type", default=SIGNATURE_TYPE)
        # WeChat tests its merchants with these. No genuine signature starts so; the word lets the log stay calm.
        if signature.startswith(PROBE_PREFIX):
            raise BadSignature("signtest")
        if not TIMESTAMP.fullmatch(timestamp):
            raise BadSignature("malformed")
        if abs(now - int(timestamp)) >= WINDOW_SECONDS:
            raise BadSignature("stale")
        check = VERIFIERS.get(signature_type)
        if check is None:
            raise BadSignature("unknown_signature_type")
        key = self._keys.get(_serial(serial))
        if key is None:
            raise BadSignature("unknown_serial")
        if not check(key, signature, f"{timestamp}\n{nonce}\n".encode("utf-8", "surrogatepass") + raw + b"\n"):
            raise BadSignature("signature")


def open_aes_256_gcm(api_v3_key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    return AESGCM(api_v3_key).decrypt(nonce, sealed, associated)


VERIFIERS: dict[str, Callable[[RSAPublicKey, str, bytes], bool]] = {SIGNATURE_TYPE: rsa_verifies}
OPENERS: dict[str, Callable[[bytes, bytes, bytes, bytes], bytes]] = {"AEAD_AES_256_GCM": open_aes_256_gcm}


def open_resource(resource: Mapping[str, Any], api_v3_key: bytes) -> bytes:
    """The plain bytes inside a sealed `resource`. Raises BadSignature."""
    opener = OPENERS.get(str(resource.get("algorithm")))
    if opener is None:
        raise BadSignature("unknown_algorithm")
    nonce, sealed, associated = resource.get("nonce"), resource.get("ciphertext"), resource.get("associated_data") or ""
    if not (isinstance(nonce, str) and isinstance(sealed, str) and isinstance(associated, str)):
        raise BadSignature("malformed")
    try:
        return opener(api_v3_key, nonce.encode(), base64.b64decode(sealed, validate=True), associated.encode())
    except (InvalidTag, ValueError, binascii.Error):
        raise BadSignature("wrong_seal") from None


def _header(headers: Mapping[str, str], name: str, *, default: str | None = None) -> str:
    # Flask's headers forget about case, a plain dict made from them does not.
    value = headers.get(name)
    if value is None:
        value = next((found for key, found in headers.items() if key.lower() == name.lower()), default)
    if value is None:
        raise BadSignature("missing_header")
    return value


def _serial(serial: str) -> str:
    # A certificate's serial is a number: case and leading zeros are a matter of who printed it.
    return serial if serial.startswith(PUBLIC_KEY_PREFIX) else serial.upper().lstrip("0")
