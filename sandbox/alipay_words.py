"""How Alipay writes a trade and a notice, and how it signs them in the request's own charset."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

from sandbox.core import Core, wall_clock, yuan
from sandbox.keys import sign
from sandbox.notices import Letter, Notice
from sandbox.orders import Order, State

if TYPE_CHECKING:
    from collections.abc import Callable


def codec(charset: str) -> str:
    """Name Python's codec for Alipay's charset name."""
    return "utf-8" if charset.lower().replace("_", "-") in {"utf-8", "utf8"} else "gb18030"


def trade_status(order: Order) -> str:
    if order.state is State.PAID:
        if order.is_wholly_refunded:
            return "TRADE_CLOSED"
        return "TRADE_FINISHED" if order.finished else "TRADE_SUCCESS"
    return "WAIT_BUYER_PAY" if order.state is State.OPEN else "TRADE_CLOSED"


def trade(order: Order) -> dict[str, Any]:
    """What a query tells of a trade."""
    told: dict[str, Any] = {
        "trade_no": order.provider_no,
        "out_trade_no": order.out_trade_no,
        "trade_status": trade_status(order),
        "total_amount": yuan(order.paid_fen if order.paid_at is not None else order.amount_fen),
        "subject": order.description,
        "buyer_open_id": order.payer,
        "buyer_logon_id": "san***@example.com",
    }
    if order.paid_at is not None:
        paid = yuan(order.paid_fen)
        told |= {
            "receipt_amount": paid,
            "buyer_pay_amount": paid,
            "invoice_amount": paid,
            "point_amount": "0.00",
            "send_pay_date": wall_clock(order.paid_at),
            "fund_bill_list": [{"fund_channel": "ALIPAYACCOUNT", "amount": paid}],
        }
    return told


def notice_fields(order: Order, *, notify_id: str, status: str, refund: dict[str, str] | None = None) -> dict[str, str]:
    """The form of one notice without its time and signature; empty fields and one nobody has heard of belong to it."""
    told = {
        "notify_type": "trade_status_sync",
        "notify_id": notify_id,
        "app_id": order.app_id,
        "auth_app_id": order.app_id,
        "charset": order.charset,
        "version": "1.0",
        "trade_no": order.provider_no,
        "out_trade_no": order.out_trade_no,
        "buyer_open_id": order.payer or "",
        "buyer_logon_id": "san***@example.com",
        "seller_id": order.merchant,
        "seller_email": "",
        "trade_status": status,
        "total_amount": yuan(order.paid_fen if order.paid_at is not None else order.amount_fen),
        "subject": order.description,
        "body": "",
        "gmt_create": wall_clock(order.created_at),
        "sandbox_note": "新字段，可忽略 + & = %",
    }
    if order.paid_at is not None:
        paid = yuan(order.paid_fen)
        told |= {
            "receipt_amount": paid,
            "invoice_amount": paid,
            "buyer_pay_amount": paid,
            "point_amount": "0.00",
            "gmt_payment": wall_clock(order.paid_at),
            "fund_bill_list": json.dumps([{"amount": paid, "fundChannel": "ALIPAYACCOUNT"}], separators=(",", ":")),
        }
    if order.closed_at is not None:
        told["gmt_close"] = wall_clock(order.closed_at)
    if order.attach:
        told["passback_params"] = order.attach
    return told | (refund or {})


def notice_sealer(core: Core) -> Callable[[Notice], Letter]:
    """Make the function that writes one try of an Alipay notice: raw bytes are signed, then url-encoded."""

    def write(notice: Notice) -> Letter:
        told = {**notice.message, "notify_time": wall_clock(core.now()), "charset": notice.charset}
        fields = {key: str(value).encode(codec(notice.charset), errors="replace") for key, value in told.items()}
        signed = b"&".join(key.encode("ascii") + b"=" + fields[key] for key in sorted(fields))
        if notice.mode == "forged":
            signed += b"0"
        signature = sign(core.keys.alipay[notice.app_id].alipay_private, signed)
        fields |= {"sign_type": b"RSA2", "sign": signature.encode("ascii")}
        body = "&".join(f"{key}={quote_from_bytes(value, safe='')}" for key, value in fields.items())
        return Letter(
            method="POST",
            body=body.replace("%20", "+").encode("ascii"),
            headers={
                "Content-Type": f"application/x-www-form-urlencoded; charset={notice.charset}",
                "User-Agent": "Mozilla/4.0",
                "Accept": "*/*",
            },
        )

    return write
