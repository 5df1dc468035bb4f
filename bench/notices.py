"""WeChat Pay's notices as they would send them (`providers.md` 3.6), written from the wire and not from our adapter."""

from __future__ import annotations

import base64
import json
import random
import time
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

HEX: Final = "0123456789abcdef"


@dataclass(frozen=True, kw_only=True)
class Payee:
    """The merchant as WeChat Pay knows it, and the keys they use with it."""

    app_id: str
    merchant: str
    serial: str
    api_v3_key: bytes
    private_key_pem: bytes


@dataclass(frozen=True, slots=True)
class Owed:
    """One payment that waits for its notice."""

    payment_no: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """One notice, ready for the wire."""

    notification_id: str
    request: bytes


def make_notices(payee: Payee, owed: list[Owed], *, path: str, run: int, seed: int) -> list[Sealed]:
    """A fresh notice for each payment, signed now. Its id ends in the run's number, so that rows can be found again."""
    key = load_pem_private_key(payee.private_key_pem, password=None)
    assert isinstance(key, RSAPrivateKey)
    cipher, dice = AESGCM(payee.api_v3_key), random.Random(seed)
    return [_make(payee, each, path=path, run=run, key=key, cipher=cipher, dice=dice) for each in owed]


def _make(payee: Payee, owed: Owed, *, path: str, run: int, key: RSAPrivateKey, cipher: AESGCM, dice: random.Random) -> Sealed:
    now = time.time()
    moment = time.strftime("%Y-%m-%dT%H:%M:%S+08:00", time.gmtime(now + 8 * 3600))
    transaction = {
        "mchid": payee.merchant, "appid": payee.app_id, "out_trade_no": owed.payment_no,
        "transaction_id": f"42000{dice.randrange(10**23):023d}", "trade_type": "JSAPI", "trade_state": "SUCCESS",
        "trade_state_desc": "支付成功", "bank_type": "OTHERS", "attach": "", "success_time": moment,
        "payer": {"openid": _hex(dice, 28)},
        "amount": {"total": owed.amount_fen, "payer_total": owed.amount_fen, "currency": "CNY", "payer_currency": "CNY"},
    }  # fmt: skip
    nonce = _hex(dice, 12)
    plain = json.dumps(transaction, ensure_ascii=False, separators=(",", ":")).encode()
    notification_id = f"{_hex(dice, 8)}-{_hex(dice, 4)}-{_hex(dice, 4)}-{_hex(dice, 4)}-{_hex(dice, 4)}{run:08d}"
    body = json.dumps(
        {
            "id": notification_id, "create_time": moment, "resource_type": "encrypt-resource",
            "event_type": "TRANSACTION.SUCCESS", "summary": "支付成功",
            "resource": {
                "original_type": "transaction", "algorithm": "AEAD_AES_256_GCM", "associated_data": "transaction", "nonce": nonce,
                "ciphertext": base64.b64encode(cipher.encrypt(nonce.encode(), plain, b"transaction")).decode(),
            },
        },
        ensure_ascii=False,
    ).encode()  # fmt: skip
    timestamp, header_nonce = str(int(now)), _hex(dice, 32)
    signature = base64.b64encode(key.sign(f"{timestamp}\n{header_nonce}\n".encode() + body + b"\n", PKCS1v15(), SHA256()))
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Mozilla/4.0\r\nAccept: */*\r\nConnection: Keep-Alive\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nRequest-ID: {_hex(dice, 24)}\r\n"
        f"Wechatpay-Nonce: {header_nonce}\r\nWechatpay-Serial: {payee.serial}\r\n"
        f"Wechatpay-Signature: {signature.decode()}\r\nWechatpay-Signature-Type: WECHATPAY2-SHA256-RSA2048\r\n"
        f"Wechatpay-Timestamp: {timestamp}\r\n\r\n"
    )
    return Sealed(notification_id, head.encode() + body)


def _hex(dice: random.Random, length: int) -> str:
    return "".join(dice.choices(HEX, k=length))
