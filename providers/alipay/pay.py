"""Alipay from a mini-program (alipay.trade.*, JSAPI_PAY): their trades are our payments, their yuan our fen.

Their words for a trade say little by themselves: TRADE_SUCCESS comes again with each partial refund, TRADE_CLOSED is
the end of an unpaid trade and of a wholly refunded one alike. What tells them apart is refunded money.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from providers.alipay.signing import open_form
from providers.protocols import (
    BadSignature,
    Channel,
    NewsKind,
    OpenedPayment,
    PaymentNews,
    ProviderRefused,
    ProviderUnreachable,
)
from providers.reading import (
    BEIJING,
    NOTICE_LIMIT_BYTES,
    Unreadable,
    fen_as_yuan,
    inner,
    json_object,
    maybe_beijing_time,
    maybe_text,
    must_say,
    text,
    yuan_as_fen,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from providers.alipay.client import AlipayClient
    from providers.protocols import RefundOrder

PAYMENT_NO = re.compile(r"[0-9A-Za-z_]{1,64}")
USER_ID = re.compile(r"2088[0-9]{12}")
SUBJECT_LIMIT = 256
NOT_IN_SUBJECTS = str.maketrans(dict.fromkeys("/=&", " "))
NOT_FOUND = "ACQ.TRADE_NOT_EXIST"
ALREADY_PAID = "ACQ.TRADE_HAS_SUCCESS"
TRADE_NOTICE = "trade_status_sync"


class AlipayPay:
    """One seller at Alipay, reached through one mini-program. A PaymentProvider."""

    channel = Channel.ALIPAY

    def __init__(self, *, client: AlipayClient, seller_id: str, notify_url: str) -> None:
        """`seller_id` is the merchant's own 2088… number (PID)."""
        self.merchant = seller_id
        self._client = client
        self._app_id: str = client.appid
        self._notify_url = notify_url

    def __repr__(self) -> str:
        return f"AlipayPay({self._app_id}, {self.merchant})"

    def freeze(self, *, payment_no: str, amount_fen: int, description: str, expires_at: datetime, payer_subject: str) -> bytes:
        if not PAYMENT_NO.fullmatch(payment_no) or amount_fen <= 0 or expires_at.tzinfo is None:
            raise ValueError("a payment needs 1 to 64 letters and digits, an amount above zero and an aware deadline")
        buyer = "buyer_id" if USER_ID.fullmatch(payer_subject) else "buyer_open_id"
        content = {
            "out_trade_no": payment_no,
            "total_amount": fen_as_yuan(amount_fen),
            "subject": description.translate(NOT_IN_SUBJECTS)[:SUBJECT_LIMIT],
            "product_code": "JSAPI_PAY",
            "op_app_id": self._app_id,
            "seller_id": self.merchant,
            "time_expire": expires_at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S"),
            buyer: payer_subject,
        }
        frozen = {"content": content, "notify_url": self._notify_url}
        return json.dumps(frozen, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    def open_payment(self, frozen: bytes) -> OpenedPayment:
        request = json_object(frozen)
        content = inner(request, "content")
        try:
            told = self._client.call("alipay.trade.create", content, notify_url=text(request, "notify_url", limit=256))
            must_say(told, "out_trade_no", content["out_trade_no"])
            return OpenedPayment(handle=text(told, "trade_no"))
        except ProviderRefused as refusal:
            if refusal.code == ALREADY_PAID:
                # A refusal would end the payment, and its money with it.
                raise ProviderUnreachable(f"alipay: {refusal.code}, so ask") from None
            raise
        except Unreadable as trouble:
            raise ProviderUnreachable(f"alipay: trade without {trouble}") from None

    def launch(self, handle: str, *, now: datetime) -> dict[str, str]:  # noqa: ARG002 (nothing to sign here)
        return {"tradeNO": handle}

    def ask(self, payment_no: str) -> PaymentNews:
        try:
            told = self._client.call("alipay.trade.query", {"out_trade_no": payment_no})
            must_say(told, "out_trade_no", payment_no)
            return _answer_as_news(told, payment_no)
        except ProviderRefused as refusal:
            if refusal.code != NOT_FOUND:
                raise
            return PaymentNews(notification_id=f"query:{payment_no}:NOT_FOUND:", kind=NewsKind.NOT_FOUND, payment_no=payment_no)
        except Unreadable as trouble:
            raise ProviderUnreachable(f"alipay: answer without {trouble}") from None

    def close(self, payment_no: str) -> None:
        told = self._client.call("alipay.trade.close", {"out_trade_no": payment_no})
        if told.get("out_trade_no", payment_no) != payment_no:
            raise ProviderUnreachable("alipay: answer about another trade")

    def refund(self, order: RefundOrder) -> PaymentNews:
        content = {
            "trade_no": order.provider_payment_no,
            "out_request_no": order.refund_no,
            "refund_amount": fen_as_yuan(order.refund_fen),
            "refund_reason": order.reason[:SUBJECT_LIMIT],
        }
        try:
            told = self._client.call("alipay.trade.refund", content)
            must_say(told, "trade_no", order.provider_payment_no)
            # Without fund_change=Y this very call moved nothing: not yet, or it had moved before. Asking tells which.
            kind = NewsKind.REFUNDED if told.get("fund_change") == "Y" else NewsKind.REFUND_PENDING
            return _refund(
                order,
                kind=kind,
                refunded_at=maybe_beijing_time(told, "gmt_refund_pay"),
                total_fen=yuan_as_fen(told, "refund_fee"),
            )
        except Unreadable as trouble:
            raise ProviderUnreachable(f"alipay: refund without {trouble}") from None

    def ask_refund(self, order: RefundOrder) -> PaymentNews:
        content = {"trade_no": order.provider_payment_no, "out_request_no": order.refund_no}
        try:
            told = self._client.call("alipay.trade.fastpay.refund.query", content)
            if "out_request_no" not in told:
                # Not received, or failed: the page does not tell these apart. Ordering it again harms neither.
                return _refund(order, kind=NewsKind.NOT_FOUND)
            must_say(told, "out_request_no", order.refund_no)
            must_say(told, "refund_amount", fen_as_yuan(order.refund_fen))
            done = told.get("refund_status") == "REFUND_SUCCESS"
            kind = NewsKind.REFUNDED if done else NewsKind.REFUND_PENDING
            return _refund(order, kind=kind, refunded_at=maybe_beijing_time(told, "gmt_refund_pay"))
        except ProviderRefused as refusal:
            if refusal.code != NOT_FOUND:
                raise
            return _refund(order, kind=NewsKind.NOT_FOUND)
        except Unreadable as trouble:
            raise ProviderUnreachable(f"alipay: refund without {trouble}") from None

    def open_notice(
        self,
        headers: Mapping[str, str],  # noqa: ARG002 (Alipay signs the form alone)
        raw: bytes,
        *,
        now: datetime,  # noqa: ARG002 (and sets no window)
    ) -> PaymentNews:
        if len(raw) > NOTICE_LIMIT_BYTES:
            raise BadSignature("oversize")
        told = open_form(raw, self._client.alipay_public_key)
        if told.get("app_id") != self._app_id:
            raise BadSignature("wrong_app")
        try:
            if told.get("notify_type") != TRADE_NOTICE:
                # Agreements and the like: ours, since the app is, and of no payment.
                return PaymentNews(
                    notification_id=text(told, "notify_id"),
                    kind=NewsKind.OTHER,
                    payment_no=maybe_text(told, "out_trade_no") or "",
                )
            if told.get("seller_id") != self.merchant:
                raise BadSignature("wrong_merchant")
            return _notice_as_news(told)
        except Unreadable:
            raise BadSignature("malformed") from None


def _refund(
    order: RefundOrder, *, kind: NewsKind, refunded_at: datetime | None = None, total_fen: int | None = None
) -> PaymentNews:
    """Their answer about a refund of ours. `total_fen`: all refunds of this trade so far, where they said it."""
    return PaymentNews(
        notification_id=f"query:{order.payment_no}:{kind}:{order.refund_no}",
        kind=kind,
        payment_no=order.payment_no,
        provider_payment_no=order.provider_payment_no,
        amount_fen=order.total_fen,
        happened_at=refunded_at,
        refund_no=order.refund_no,
        refund_fen=order.refund_fen,
        refunded_total_fen=total_fen,
    )


def _notice_as_news(told: Mapping[str, Any]) -> PaymentNews:
    total_fen = yuan_as_fen(told, "total_amount")
    # Old notices of a plain payment carry refund_fee=0.00.
    refunded_fen = yuan_as_fen(told, "refund_fee") if told.get("refund_fee") else 0
    refunded_at, paid_at = maybe_beijing_time(told, "gmt_refund"), maybe_beijing_time(told, "gmt_payment")
    match text(told, "trade_status"):
        case "TRADE_SUCCESS" if not refunded_fen:
            kind, happened_at = NewsKind.PAID, paid_at
        case "TRADE_SUCCESS":
            kind, happened_at = NewsKind.REFUNDED, refunded_at
        case "TRADE_FINISHED":
            # Paid and no longer refundable; where nothing ever was refundable it comes instead of TRADE_SUCCESS.
            kind, happened_at = NewsKind.PAID, paid_at
        case "TRADE_CLOSED" if refunded_fen or refunded_at or paid_at:
            kind, happened_at = NewsKind.REFUNDED, refunded_at or maybe_beijing_time(told, "gmt_close")
        case "TRADE_CLOSED":
            kind, happened_at = NewsKind.CLOSED, maybe_beijing_time(told, "gmt_close")
        case _:
            kind, happened_at = NewsKind.OTHER, None
    is_refund = kind is NewsKind.REFUNDED
    return PaymentNews(
        notification_id=text(told, "notify_id"),
        kind=kind,
        payment_no=text(told, "out_trade_no"),
        provider_payment_no=text(told, "trade_no"),
        amount_fen=total_fen,
        happened_at=happened_at,
        refund_no=maybe_text(told, "out_biz_no") if is_refund else None,
        refunded_total_fen=(refunded_fen or total_fen) if is_refund else None,
        payer_subject=_payer(told),
    )


def _answer_as_news(told: Mapping[str, Any], payment_no: str) -> PaymentNews:
    paid_at = maybe_beijing_time(told, "send_pay_date")
    refunded_fen = yuan_as_fen(told, "refund_fee") if told.get("refund_fee") else 0
    happened_at, refunded_total_fen = None, None
    match text(told, "trade_status"):
        case "TRADE_SUCCESS" | "TRADE_FINISHED":
            kind, happened_at = NewsKind.PAID, paid_at
        case "TRADE_CLOSED" if paid_at or refunded_fen:
            # Once paid, only giving all of it back closes a trade. When that was, the answer does not say.
            kind, refunded_total_fen = NewsKind.REFUNDED, refunded_fen or yuan_as_fen(told, "total_amount")
        case "TRADE_CLOSED":
            kind = NewsKind.CLOSED
        case "WAIT_BUYER_PAY":
            kind = NewsKind.NOT_PAID
        case _:
            kind = NewsKind.OTHER
    was_paid = kind in {NewsKind.PAID, NewsKind.REFUNDED}
    provider_payment_no = text(told, "trade_no") if was_paid else maybe_text(told, "trade_no")
    return PaymentNews(
        notification_id=f"query:{payment_no}:{kind}:{provider_payment_no or ''}",
        kind=kind,
        payment_no=payment_no,
        provider_payment_no=provider_payment_no,
        amount_fen=yuan_as_fen(told, "total_amount") if was_paid or told.get("total_amount") else None,
        happened_at=happened_at,
        refunded_total_fen=refunded_total_fen,
        payer_subject=_payer(told),
    )


def _payer(told: Mapping[str, Any]) -> str | None:
    names = ("buyer_open_id", "open_id", "buyer_id", "buyer_user_id")
    return next(filter(None, (maybe_text(told, name) for name in names)), None)
