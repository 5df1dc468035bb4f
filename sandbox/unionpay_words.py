"""How UnionPay writes its forms: sorted, hashed, signed over the hash's own letters, with its certificate inside."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from sandbox.core import Core, compact_clock
from sandbox.keys import sign
from sandbox.notices import Letter, Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.orders import Order, Refund

CHANNEL = "unionpay_pos"
MOMENT_DIGITS = 14


def text_to_sign(fields: Mapping[str, str]) -> bytes:
    pairs = sorted((name, value) for name, value in fields.items() if value and name != "signature")
    joined = "&".join(f"{name}={value}" for name, value in pairs)
    return hashlib.sha256(joined.encode("utf-8")).hexdigest().encode("ascii")


def with_signature(core: Core, fields: Mapping[str, str], *, stranger: bool = False, spoilt: bool = False) -> dict[str, str]:
    """Put UnionPay's certificate and signature on the fields; a stranger's, or a bad one, where a fault wants that."""
    keys = core.keys.unionpay
    told = {
        **fields,
        "version": "5.1.0",
        "encoding": "UTF-8",
        "signMethod": "01",
        "signPubKeyCert": (keys.stranger_pem if stranger else keys.sign_pem).replace("\n", "\r\n"),
    }
    message = text_to_sign(told) + (b"0" if spoilt else b"")
    return {**told, "signature": sign(keys.stranger_key if stranger else keys.sign_key, message)}


def txn_time(order: Order) -> str:
    """The moment that the terminal was given with the number."""
    return str(json.loads(order.request)["txnTime"])


def _settled(amount_fen: int, at: float) -> dict[str, str]:
    return {
        "settleAmt": str(amount_fen),
        "settleCurrencyCode": "156",
        "settleDate": compact_clock(at)[4:8],
        "traceNo": compact_clock(at)[8:14],
        "traceTime": compact_clock(at)[4:14],
        "exchangeRate": "",
    }


def paid_fields(order: Order) -> dict[str, str]:
    """The notice of a card that paid."""
    at = order.paid_at or order.created_at
    return {
        "txnType": "01",
        "txnSubType": "01",
        "bizType": "000000",
        "accessType": "0",
        "merId": order.merchant,
        "orderId": order.out_trade_no,
        "txnTime": txn_time(order),
        "txnAmt": str(order.paid_fen),
        "currencyCode": "156" if order.currency == "CNY" else "840",
        "queryId": order.provider_no,
        "respCode": "00",
        "respMsg": "成功[0000000]",
        "accNo": "6216***********0018",
        "payCardType": "01",
        "reqReserved": "",
        **_settled(order.paid_fen, at),
    }


def refund_fields(order: Order, refund: Refund) -> dict[str, str]:
    """The notice of money that went back: it names the old transaction by UnionPay's own number."""
    at = refund.settled_at or refund.created_at
    return {
        "txnType": "04",
        "txnSubType": "00",
        "bizType": "000201",
        "accessType": "0",
        "merId": order.merchant,
        "orderId": refund.out_refund_no,
        "txnTime": str(json.loads(refund.request).get("txnTime") or compact_clock(refund.created_at)),
        "txnAmt": str(refund.amount_fen),
        "currencyCode": "156",
        "queryId": refund.refund_id,
        "origQryId": order.provider_no,
        "respCode": "00",
        "respMsg": "成功[0000000]",
        **_settled(refund.amount_fen, at),
    }


def notice_sealer(core: Core) -> Callable[[Notice], Letter]:
    """Make the function that writes one try of a notice: signed, then url-encoded once."""

    def write(notice: Notice) -> Letter:
        fields = {name: str(value) for name, value in notice.message.items()}
        told = with_signature(core, fields, stranger=notice.mode == "wrong_chain", spoilt=notice.mode == "forged")
        body = "&".join(f"{name}={quote(value, safe='').replace('%20', '+')}" for name, value in told.items())
        headers = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8", "User-Agent": "Java/1.8"}
        return Letter(method="POST", body=body.encode("ascii"), headers=headers)

    return write
