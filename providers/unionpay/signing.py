"""UnionPay's signature: RSA-SHA256 over the hexadecimal SHA-256 of the sorted fields, by a key that travels in the message itself.

So the signature proves nothing unless that certificate leads to the pinned root and is UnionPay's own: anybody can buy one of a bank's.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

from providers.keys import SMALLEST_KEY_BITS, KeyFileError, rsa_sign, rsa_verifies
from providers.protocols import BadSignature

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

VERSION: Final = "5.1.0"
SIGN_METHOD: Final = "01"
CERTIFICATE_FIELD: Final = "signPubKeyCert"
FIELDS_AT_MOST: Final = 100
FIELD_NAME: Final = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
# The signed text forgets where one pair ends and the next begins. A pair hidden in another's value would verify too.
HIDDEN_PAIR: Final = re.compile(
    r"&(currencyCode|merId|orderId|orig\w+|queryId|respCode|settle\w+|signPubKeyCert|trace\w+|txn\w+)="
)
NAME_PART: Final = 2
"""Of the common name, cut at `@`: who the certificate was made for."""
LONGEST_CERTIFICATE: Final = 8_192
REMEMBERED: Final = 8


def signed_text(fields: Mapping[str, str]) -> bytes:
    """What the signature covers: neither itself nor what is empty, sorted by name, hashed and written in lower-case hexadecimal."""
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if name != "signature" and fields[name])
    return hashlib.sha256(text.encode()).hexdigest().encode()


def sign(fields: Mapping[str, str], key: RSAPrivateKey) -> dict[str, str]:
    """The fields with our signature; empty ones stay away."""
    given = {name: value for name, value in fields.items() if value}
    return {**given, "signature": rsa_sign(key, signed_text(given))}


def read_form(raw: bytes) -> dict[str, str]:
    """The fields of a notice, decoded once: `+` and `%0D%0A` belong to the certificate in it. Raises BadSignature."""
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=FIELDS_AT_MOST
        )
    except ValueError:
        raise BadSignature("malformed") from None
    return _once(pairs)


def read_answer(raw: bytes) -> dict[str, str]:
    """The fields of an answer, which come as they were signed: nothing in it is encoded for the way. Raises BadSignature."""
    try:
        pairs = [each.partition("=") for each in raw.decode("utf-8").split("&")]
    except UnicodeDecodeError:
        raise BadSignature("malformed") from None
    if len(pairs) > FIELDS_AT_MOST or not all(mark for _, mark, _ in pairs):
        raise BadSignature("malformed")
    return _once([(name, value) for name, _, value in pairs])


def _once(pairs: list[tuple[str, str]]) -> dict[str, str]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadSignature("duplicate")
    return fields


def verify(fields: Mapping[str, str], chain: Chain, *, now: datetime) -> None:
    """That UnionPay signed these fields. Raises BadSignature."""
    signature = fields.get("signature", "")
    if not signature:
        raise BadSignature("missing_signature")
    if fields.get("signMethod") != SIGN_METHOD or fields.get("version") != VERSION:
        raise BadSignature("unknown_signature_type")
    if not all(map(FIELD_NAME.fullmatch, fields)) or any("&" in v and HIDDEN_PAIR.search(v) for v in fields.values()):
        raise BadSignature("malformed")
    key = chain.key_of(fields.get(CERTIFICATE_FIELD, ""), now=now)
    if not rsa_verifies(key, signature, signed_text(fields)):
        raise BadSignature("signature")


class Chain:
    """The pinned way from UnionPay's root to whoever signs for it today."""

    def __init__(self, *, root: x509.Certificate, middle: x509.Certificate, name: str) -> None:
        """`name`: whom the signing certificate is made for. Raises KeyFileError where middle and root do not belong together."""
        if not (_issued(root, by=root) and _issued(middle, by=root)):
            raise KeyFileError(
                "UnionPay's certificates: expected the middle one (acp_prod_middle.cer) issued by the root (acp_prod_root.cer);"
                " found two that do not belong together"
            )
        self._root, self._middle, self._name = root, middle, name
        self._known: dict[str, x509.Certificate] = {}

    @property
    def ends_at(self) -> tuple[datetime, ...]:
        """When the pinned certificates end."""
        return self._middle.not_valid_after_utc, self._root.not_valid_after_utc

    def key_of(self, pem: str, *, now: datetime) -> RSAPublicKey:
        """The key of a certificate that leads to the root, is UnionPay's own, and is valid today like all above it. Raises BadSignature."""
        certificate = self._known.get(pem) or self._read(pem)
        if not all(
            each.not_valid_before_utc <= now <= each.not_valid_after_utc for each in (certificate, self._middle, self._root)
        ):
            raise BadSignature("certificate_expired")
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey) or key.key_size < SMALLEST_KEY_BITS:
            raise BadSignature("certificate")
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[pem] = certificate
        return key

    def _read(self, pem: str) -> x509.Certificate:
        if not pem:
            raise BadSignature("missing_certificate")
        try:
            if len(pem) > LONGEST_CERTIFICATE:
                raise BadSignature("certificate")
            certificate = x509.load_pem_x509_certificate(pem.encode())
            issued = _issued(certificate, by=self._middle)
            names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        except ValueError:
            raise BadSignature("certificate") from None
        if not issued:
            raise BadSignature("certificate_chain")
        parts = str(names[0].value).split("@") if len(names) == 1 else []
        if len(parts) <= NAME_PART or parts[NAME_PART] != self._name:
            raise BadSignature("certificate_name")
        return certificate


def _issued(certificate: x509.Certificate, *, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def load_certificate(path: Path) -> x509.Certificate:
    """One of UnionPay's own certificates, as PEM. Raises KeyFileError."""
    expected = "a certificate of UnionPay's (-----BEGIN CERTIFICATE-----)"
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as trouble:
        raise KeyFileError(f"{path}: expected {expected}; {trouble.strerror or 'cannot be read'}") from None
    except ValueError:
        raise KeyFileError(f"{path}: expected {expected}; found something else") from None
