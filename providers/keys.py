"""RSA keys: read from files, used to sign and to verify.

What is wrong with a file is said in a sentence that names it and what should be there instead.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

if TYPE_CHECKING:
    from datetime import datetime

API_V3_KEY_BYTES = 32
MESSAGE_AES_KEY_LENGTH = 43
AES_KEY_BYTES = 16
SMALLEST_KEY_BITS = 2048
PRIVATE_KEY_EXPECTED = (
    "an RSA private key: PKCS#8 (-----BEGIN PRIVATE KEY-----), PKCS#1 (-----BEGIN RSA PRIVATE KEY-----)"
    " or the bare base64 of either"
)
PUBLIC_KEY_EXPECTED = (
    "the provider's RSA public key (-----BEGIN PUBLIC KEY-----, or its bare base64) or certificate"
    " (-----BEGIN CERTIFICATE-----)"
)


class KeyFileError(ValueError):
    """A key file cannot be used. The message is for whoever runs the installation."""


@dataclass(frozen=True, kw_only=True)
class ProviderKey:
    """A key that a provider signs with."""

    public_key: RSAPublicKey
    serial: str | None = None
    """Upper-case hex serial number, where the file was a certificate."""
    expires_at: datetime | None = None
    """Certificates end, bare public keys do not."""


def rsa_sign(key: RSAPrivateKey, text: bytes) -> str:
    """PKCS#1 v1.5 with SHA-256 in base64: what WeChat Pay calls SHA256-RSA2048, and Alipay RSA2."""
    return base64.b64encode(key.sign(text, PKCS1v15(), SHA256())).decode()


def rsa_verifies(key: RSAPublicKey, signature: str, text: bytes) -> bool:
    """The same the other way round; base64 is taken strictly."""
    try:
        key.verify(base64.b64decode(signature, validate=True), text, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def load_private_key(path: str | Path) -> RSAPrivateKey:
    """Our own signing key. Raises KeyFileError."""
    return parse_private_key(_read(path, PRIVATE_KEY_EXPECTED), source=str(path))


def load_public_key_or_certificate(path: str | Path) -> ProviderKey:
    """A key that they sign with. Raises KeyFileError."""
    return parse_public_key_or_certificate(_read(path, PUBLIC_KEY_EXPECTED), source=str(path))


def load_api_v3_key(path: str | Path) -> bytes:
    """The 32 characters that WeChat Pay seals its notices with. Raises KeyFileError."""
    expected = "the APIv3 key: exactly 32 letters and digits, as set on the merchant platform"
    key = _read(path, expected).strip()
    if len(key) != API_V3_KEY_BYTES or not key.isalnum():
        raise KeyFileError(f"{path}: expected {expected}; found {len(key)} bytes")
    return key


def load_message_aes_key(path: str | Path) -> bytes:
    """The EncodingAESKey of a mini-program's message push: 43 characters that stand for 32 bytes. Raises KeyFileError."""
    expected = "the EncodingAESKey: exactly 43 letters and digits, as set under 消息推送 on the mini-program's platform"
    key = _read(path, expected).strip()
    if len(key) != MESSAGE_AES_KEY_LENGTH or not key.isalnum():
        raise KeyFileError(f"{path}: expected {expected}; found {len(key)} bytes")
    return base64.b64decode(key + b"=")


def load_aes_key(path: str | Path) -> bytes:
    """The app's own AES key, with which Alipay seals phone numbers. Raises KeyFileError."""
    expected = "the app's AES key as Alipay's console shows it (接口内容加密方式): 16 bytes in base64"
    try:
        key = base64.b64decode(_read(path, expected).strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != AES_KEY_BYTES:
        raise KeyFileError(f"{path}: expected {expected}; found {len(key)} bytes")
    return key


def parse_private_key(text: bytes, *, source: str) -> RSAPrivateKey:
    text = _clean(text)
    if b"PUBLIC KEY" in text or b"CERTIFICATE-----" in text:
        raise KeyFileError(f"{source}: expected {PRIVATE_KEY_EXPECTED}; found a public key or a certificate")
    if b"ENCRYPTED" in text:
        raise KeyFileError(f"{source}: expected {PRIVATE_KEY_EXPECTED}; found one locked with a password")
    try:
        if text.startswith(b"-----"):
            key = serialization.load_pem_private_key(text, password=None)
        else:
            key = serialization.load_der_private_key(_bare(text), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise KeyFileError(f"{source}: expected {PRIVATE_KEY_EXPECTED}")
    _check_size(key.key_size, source)
    return key


def parse_public_key_or_certificate(text: bytes, *, source: str) -> ProviderKey:
    text = _clean(text)
    if b"PRIVATE KEY" in text:
        raise KeyFileError(f"{source}: expected {PUBLIC_KEY_EXPECTED}; found a private key, which is ours alone to hold")
    key: object
    serial, expires_at = None, None
    try:
        if b"BEGIN CERTIFICATE" in text:
            certificate = x509.load_pem_x509_certificate(text)
            key = certificate.public_key()
            serial, expires_at = format(certificate.serial_number, "X"), certificate.not_valid_after_utc
        elif text.startswith(b"-----"):
            key = serialization.load_pem_public_key(text)
        else:
            key = serialization.load_der_public_key(_bare(text))
    except (ValueError, TypeError):
        raise KeyFileError(f"{source}: expected {PUBLIC_KEY_EXPECTED}") from None
    if not isinstance(key, RSAPublicKey):
        raise KeyFileError(f"{source}: expected {PUBLIC_KEY_EXPECTED}; found a key of another kind")
    _check_size(key.key_size, source)
    return ProviderKey(public_key=key, serial=serial, expires_at=expires_at)


def refuse_our_own(theirs: ProviderKey, ours: RSAPrivateKey, *, source: str) -> None:
    """Alipay's console shows two public keys side by side, and the wrong one verifies nothing. Raises KeyFileError."""
    if theirs.public_key.public_numbers() == ours.public_key().public_numbers():
        raise KeyFileError(
            f"{source}: expected Alipay's public key (支付宝公钥); found the public half of our own key (应用公钥)"
        )


def _read(path: str | Path, expected: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as trouble:
        raise KeyFileError(f"{path}: expected {expected}; {trouble.strerror or 'cannot be read'}") from None


def _clean(text: bytes) -> bytes:
    return text.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").strip()


def _bare(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error:
        return b""


def _check_size(bits: int, source: str) -> None:
    if bits < SMALLEST_KEY_BITS:
        raise KeyFileError(f"{source}: expected a key of at least {SMALLEST_KEY_BITS} bits; found {bits}")
