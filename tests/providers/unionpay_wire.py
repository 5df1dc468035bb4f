"""How UnionPay signs, written from the fact sheet (providers.md 5.1) and not from our adapter: certificates, notices, answers."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as ser
from cryptography.x509.oid import NameOID

from providers.unionpay.signing import Chain
from tests.providers import wire

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT, MIDDLE, SIGNS_AS = "unionpay root", "unionpay middle", "041@Z12@00040000:SIGN@00000001"
NAME = "00040000:SIGN"
MERCHANT = "898320453110001"
CERTIFICATE_ID = "69629715588"


@cache
def certificate(
    to: str, key: str, *, by: str, by_key: str, begins: datetime | None = None, ends: datetime | None = None
) -> x509.Certificate:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, to)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
        .public_key(wire.key(key).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins or now)
        .not_valid_after(ends or now + timedelta(days=3650))
        .sign(wire.key(by_key), hashes.SHA256())
    )


def root() -> x509.Certificate:
    return certificate(ROOT, ROOT, by=ROOT, by_key=ROOT)


def middle() -> x509.Certificate:
    return certificate(MIDDLE, MIDDLE, by=ROOT, by_key=ROOT)


def signing(**changes) -> x509.Certificate:
    return certificate(**{"to": SIGNS_AS, "key": "unionpay", "by": MIDDLE, "by_key": MIDDLE, **changes})


def chain() -> Chain:
    return Chain(root=root(), middle=middle(), name=NAME)


def pem(of: x509.Certificate) -> str:
    return of.public_bytes(ser.Encoding.PEM).decode().replace("\n", "\r\n")


def text_to_sign(fields: Mapping[str, str]) -> bytes:
    given = sorted(each for each in fields.items() if each[1] and each[0] != "signature")
    return hashlib.sha256("&".join(f"{name}={value}" for name, value in given).encode()).hexdigest().encode()


def signed_fields(
    fields: Mapping[str, str], *, by: str = "unionpay", with_certificate: x509.Certificate | None = None
) -> dict[str, str]:
    common = {"version": "5.1.0", "encoding": "UTF-8", "signMethod": "01", "signPubKeyCert": pem(with_certificate or signing())}
    told = {**common, **fields}
    return {**told, "signature": wire.signed(by, text_to_sign(told))}


def form(fields: Mapping[str, str]) -> bytes:
    return "&".join(f"{name}={quote_plus(value)}" for name, value in fields.items()).encode()


def answer(fields: Mapping[str, str], **how) -> wire.Told:
    """An answer goes out as it was signed, nothing encoded."""
    return wire.Told(200, "&".join(f"{name}={value}" for name, value in signed_fields(fields, **how).items()).encode())


def payment(number: str, amount_fen: int, **changes: str) -> dict[str, str]:
    """What a card that paid makes them say."""
    return {
        "txnType": "01", "txnSubType": "01", "bizType": "000000", "accessType": "0", "merId": MERCHANT, "orderId": number,
        "txnTime": number[:14] if number[:14].isdigit() else "20261121100000", "txnAmt": str(amount_fen), "currencyCode": "156",
        "queryId": f"2026112110{number[-11:]}", "respCode": "00", "respMsg": "成功[0000000] + 100% & more", "settleAmt": str(amount_fen),
        "settleCurrencyCode": "156", "settleDate": "1121", "traceNo": "100001", "traceTime": "1121100102", "accNo": "6216***0018",
        "reqReserved": "",
    } | changes  # fmt: skip
