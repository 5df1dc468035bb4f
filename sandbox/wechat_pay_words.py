"""How WeChat Pay writes an order, a refund and a notice, and how it signs and seals them."""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sandbox.core import Core, letters, rfc3339
from sandbox.keys import sign
from sandbox.notices import Letter, Notice
from sandbox.orders import Order, Refund, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"
SIGNTEST = "WECHATPAY/SIGNTEST/"
STATE_WORDS = {"SUCCESS": "支付成功", "REFUND": "转入退款", "NOTPAY": "订单未支付", "CLOSED": "已关闭"}
REFUND_EVENTS = {"SUCCESS": "退款成功", "ABNORMAL": "退款异常", "CLOSED": "退款关闭"}


def trade_state(order: Order) -> str:
    """REFUND is said from the first fen sent back; the order was paid all the same."""
    if order.state is State.PAID:
        return "REFUND" if order.refunded_fen else "SUCCESS"
    return "NOTPAY" if order.state is State.OPEN else "CLOSED"


def transaction(order: Order, *, state: str | None = None) -> dict[str, Any]:
    """The Transaction object of queries and notices; an unpaid one has no amount, number or time."""
    said = state or trade_state(order)
    told: dict[str, Any] = {
        "appid": order.app_id,
        "mchid": order.merchant,
        "out_trade_no": order.out_trade_no,
        "trade_state": said,
        "trade_state_desc": STATE_WORDS[said],
    }
    if order.paid_at is None:
        return told
    told |= {
        "transaction_id": order.provider_no,
        "trade_type": "JSAPI",
        "bank_type": "OTHERS",
        "success_time": rfc3339(order.paid_at),
        "payer": {"openid": order.payer},
        "amount": {
            "total": order.paid_fen,
            "payer_total": order.paid_fen,
            "currency": order.currency,
            "payer_currency": order.currency,
        },
        "promotion_detail": [],
    }
    if order.attach:
        told["attach"] = order.attach
    return told


def refund_object(order: Order, refund: Refund, *, state: str | None = None) -> dict[str, Any]:
    said = state or refund.state
    told: dict[str, Any] = {
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "transaction_id": order.provider_no,
        "out_trade_no": order.out_trade_no,
        "channel": "ORIGINAL",
        "user_received_account": "支付用户零钱",
        "create_time": rfc3339(refund.created_at),
        "status": said,
        "funds_account": "AVAILABLE",
        "amount": {
            "total": order.paid_fen,
            "refund": refund.amount_fen,
            "payer_total": order.paid_fen,
            "payer_refund": refund.amount_fen,
            "settlement_refund": refund.amount_fen,
            "settlement_total": order.paid_fen,
            "discount_refund": 0,
            "currency": order.currency,
            "from": [],
        },
        "promotion_detail": [],
    }
    if said == "SUCCESS" and refund.settled_at is not None:
        told["success_time"] = rfc3339(refund.settled_at)
    return told


def refund_resource(order: Order, refund: Refund) -> dict[str, Any]:
    """What a refund notice seals: `refund_status` here, `status` in the API."""
    told: dict[str, Any] = {
        "mchid": order.merchant,
        "out_trade_no": order.out_trade_no,
        "transaction_id": order.provider_no,
        "out_refund_no": refund.out_refund_no,
        "refund_id": refund.refund_id,
        "refund_status": refund.state,
        "user_received_account": "支付用户零钱",
        "amount": {
            "total": order.paid_fen,
            "refund": refund.amount_fen,
            "payer_total": order.paid_fen,
            "payer_refund": refund.amount_fen,
        },
    }
    if refund.state == "SUCCESS" and refund.settled_at is not None:
        told["success_time"] = rfc3339(refund.settled_at)
    return told


def notice_content(event: str, *, summary: str, kind: str, resource: dict[str, Any], now: float) -> dict[str, Any]:
    return {"event_type": event, "summary": summary, "kind": kind, "resource": resource, "create_time": rfc3339(now)}


def signing_key(core: Core, merchant: str, key_kind: str) -> tuple[str, RSAPrivateKey]:
    """Return the serial that names the key, and the key."""
    known, held = core.world.wechat_merchants[merchant], core.keys.wechat_pay[merchant]
    if key_kind == "certificate":
        return known.platform_serial, held.certificate_mode_key
    return known.public_key_id, held.public_mode_key


def signed_headers(
    core: Core, *, merchant: str, key_kind: str, body: bytes, mode: str = "real", age_seconds: float = 0
) -> dict[str, str]:
    """Sign a response or a notice over its timestamp, nonce and body; modes other than `real` spoil it."""
    serial, key = signing_key(core, merchant, key_kind)
    timestamp, nonce = str(int(core.now() - age_seconds)), letters(32)
    spoilt = b" " if mode == "forged" else b""
    signature = sign(key, f"{timestamp}\n{nonce}\n".encode() + body + spoilt + b"\n")
    if mode == "signtest":
        signature = SIGNTEST + signature[len(SIGNTEST) :]
    return {
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Signature": signature,
        "Wechatpay-Serial": serial,
        "Wechatpay-Signature-Type": SIGNATURE_TYPE,
    }


def seal_with(core: Core, *, merchant: str, plain: bytes, associated_data: str) -> dict[str, str]:
    """Encrypt with the merchant's APIv3 key; the nonce is text, and the tag ends the ciphertext."""
    nonce = secrets.token_hex(6)
    cipher = AESGCM(core.keys.wechat_pay[merchant].apiv3_key.encode("ascii"))
    sealed = cipher.encrypt(nonce.encode("ascii"), plain, associated_data.encode("ascii"))
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(sealed).decode("ascii"),
        "associated_data": associated_data,
        "nonce": nonce,
    }


def notice_sealer(core: Core) -> Callable[[Notice], Letter]:
    """Make the function that writes one try of a WeChat Pay notice."""

    def write(notice: Notice) -> Letter:
        told = notice.message
        plain = json.dumps(told["resource"], ensure_ascii=False, separators=(",", ":")).encode()
        message = {
            "id": notice.notification_id,
            "create_time": told["create_time"],
            "resource_type": "encrypt-resource",
            "event_type": told["event_type"],
            "summary": told["summary"],
            "resource": {
                "original_type": told["kind"],
                **seal_with(core, merchant=notice.merchant, plain=plain, associated_data=told["kind"]),
            },
        }
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        headers = signed_headers(
            core,
            merchant=notice.merchant,
            key_kind=notice.key_kind,
            body=body,
            mode=notice.mode,
            age_seconds=float(told.get("stale_seconds", 0)) if notice.mode == "stale" else 0,
        )
        headers |= {
            "Content-Type": "application/json",
            "Accept": "*/*",
            "User-Agent": "Mozilla/4.0",
            "Request-ID": request_id(),
        }
        return Letter(method="POST", body=body, headers=headers)

    return write


def request_id() -> str:
    return uuid.uuid4().hex.upper()
