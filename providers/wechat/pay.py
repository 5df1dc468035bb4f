"""WeChat Pay API v3 from a mini-program (JSAPI): their orders are our payments.

How they are asked, and which answers count, stands in signed_line.
"""

from __future__ import annotations

import json
import re
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

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
    fen,
    inner,
    json_object,
    maybe_instant,
    maybe_text,
    must_say,
    text,
)
from providers.wechat.signed_line import SignedLine
from providers.wechat.signing import open_resource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import requests

    from providers.http import Line
    from providers.protocols import RefundOrder
    from providers.wechat.signing import Signer, Verifier

PAYMENT_NO = re.compile(r"[0-9A-Za-z_\-*|]{6,32}")
REFUND_REASON_LIMIT = 80
DESCRIPTION_LIMIT_BYTES = 127

# REFUND says that some money went back, be it one fen: the payment was paid. The last three are not known from
# mini-programs, yet they are final and without money.
TRADE_STATES = {
    "SUCCESS": NewsKind.PAID,
    "REFUND": NewsKind.PAID,
    "NOTPAY": NewsKind.NOT_PAID,
    "USERPAYING": NewsKind.NOT_PAID,
    "CLOSED": NewsKind.CLOSED,
    "REVOKED": NewsKind.CLOSED,
    "PAYERROR": NewsKind.CLOSED,
}
REFUND_STATUSES = {
    "SUCCESS": NewsKind.REFUNDED,
    "PROCESSING": NewsKind.REFUND_PENDING,
    "ABNORMAL": NewsKind.REFUND_ABNORMAL,
    "CLOSED": NewsKind.REFUND_FAILED,
}

ALREADY_PAID = frozenset({"ORDERPAID", "ORDER_PAID"})
NOT_KNOWN = frozenset({"RESOURCE_NOT_EXISTS"})


class WeChatPay:
    """One merchant at WeChat Pay, reached through one mini-program. A PaymentProvider."""

    channel = Channel.WECHAT_PAY

    def __init__(
        self,
        *,
        line: Line,
        app_id: str,
        signer: Signer,
        verifier: Verifier,
        api_v3_key: bytes,
        notify_url: str,
        response_key: str | None = None,
    ) -> None:
        """`response_key`: which of the verifier's keys they shall sign answers with, PUB_KEY_ID_… once they gave one."""
        self.merchant = signer.mchid
        self._signed = SignedLine(line=line, signer=signer, verifier=verifier, response_key=response_key)
        self._app_id = app_id
        self._signer = signer
        self._verifier = verifier
        self._api_v3_key = api_v3_key
        self._notify_url = notify_url

    def __repr__(self) -> str:
        return f"WeChatPay({self._app_id}, {self.merchant})"

    @property
    def keys_end_at(self) -> tuple[datetime, ...]:
        """When the certificates end that they sign with; their bare public keys have no end."""
        return tuple(self._verifier.expires_at.values())

    def freeze(self, *, payment_no: str, amount_fen: int, description: str, expires_at: datetime, payer_subject: str) -> bytes:
        if not PAYMENT_NO.fullmatch(payment_no) or amount_fen <= 0 or expires_at.tzinfo is None:
            raise ValueError("a payment needs 6 to 32 letters and digits, an amount above zero and an aware deadline")
        return _canonical(
            {
                "appid": self._app_id,
                "mchid": self.merchant,
                "description": _cut(description),
                "out_trade_no": payment_no,
                "time_expire": expires_at.astimezone(BEIJING).isoformat(timespec="seconds"),
                "notify_url": self._notify_url,
                "amount": {"total": amount_fen, "currency": "CNY"},
                "payer": {"openid": payer_subject},
            }
        )

    def open_payment(self, frozen: bytes) -> OpenedPayment:
        try:
            answer = self._signed.call("POST", "/v3/pay/transactions/jsapi", frozen)
        except ProviderRefused as refusal:
            if refusal.code in ALREADY_PAID:
                # A refusal would end the payment, and its money with it.
                raise ProviderUnreachable(f"wechat_pay: {refusal.code}, so ask") from None
            raise
        try:
            return OpenedPayment(handle=text(json_object(answer.content), "prepay_id"))
        except Unreadable as trouble:
            raise ProviderUnreachable(f"wechat_pay: order without {trouble}") from None

    def launch(self, handle: str, *, now: datetime) -> dict[str, str]:
        timestamp, nonce, package = int(now.timestamp()), secrets.token_hex(16), f"prepay_id={handle}"
        return {
            "timeStamp": str(timestamp),
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": self._signer.pay_sign(app_id=self._app_id, timestamp=timestamp, nonce=nonce, package=package),
        }

    def ask(self, payment_no: str) -> PaymentNews:
        path = f"/v3/pay/transactions/out-trade-no/{quote(payment_no, safe='')}?mchid={self.merchant}"
        try:
            answer = self._signed.call("GET", path)
        except ProviderRefused as refusal:
            if refusal.code != "ORDER_NOT_EXIST":
                raise
            return PaymentNews(notification_id=f"query:{payment_no}:NOT_FOUND:", kind=NewsKind.NOT_FOUND, payment_no=payment_no)
        try:
            return self._answer_as_news(json_object(answer.content), payment_no)
        except (Unreadable, BadSignature) as trouble:
            raise ProviderUnreachable(f"wechat_pay: answer with {trouble}") from None

    def close(self, payment_no: str) -> None:
        path = f"/v3/pay/transactions/out-trade-no/{quote(payment_no, safe='')}/close"
        answer = self._signed.call("POST", path, _canonical({"mchid": self.merchant}))
        if answer.status_code != HTTPStatus.NO_CONTENT:
            raise ProviderUnreachable(f"wechat_pay: close answered {answer.status_code}")

    def refund(self, order: RefundOrder) -> PaymentNews:
        content = {
            "transaction_id": order.provider_payment_no,
            "out_refund_no": order.refund_no,
            "reason": order.reason[:REFUND_REASON_LIMIT],
            "notify_url": self._notify_url,
            "amount": {"refund": order.refund_fen, "total": order.total_fen, "currency": "CNY"},
        }
        return self._refund_answer(self._signed.call("POST", "/v3/refund/domestic/refunds", _canonical(content)), order)

    def ask_refund(self, order: RefundOrder) -> PaymentNews:
        try:
            answer = self._signed.call("GET", f"/v3/refund/domestic/refunds/{quote(order.refund_no, safe='')}")
        except ProviderRefused as refusal:
            if refusal.code not in NOT_KNOWN:
                raise
            return PaymentNews(
                notification_id=f"query:{order.payment_no}:NOT_FOUND:{order.refund_no}",
                kind=NewsKind.NOT_FOUND,
                payment_no=order.payment_no,
                refund_no=order.refund_no,
            )
        return self._refund_answer(answer, order)

    def _refund_answer(self, answer: requests.Response, order: RefundOrder) -> PaymentNews:
        """Their refund object. It names neither merchant nor app; our number, and their signature to us, make it ours."""
        try:
            told = json_object(answer.content)
            must_say(told, "out_refund_no", order.refund_no)
            must_say(inner(told, "amount"), "refund", order.refund_fen)
            status = text(told, "status")
            return _refund(told, status=status, notification_id=f"query:{order.payment_no}:{status}:{order.refund_no}")
        except Unreadable as trouble:
            raise ProviderUnreachable(f"wechat_pay: refund without {trouble}") from None

    def open_notice(self, headers: Mapping[str, str], raw: bytes, *, now: datetime) -> PaymentNews:
        if len(raw) > NOTICE_LIMIT_BYTES:
            raise BadSignature("oversize")
        self._verifier.verify(headers, raw, now=now.timestamp())
        try:
            notice = json_object(raw)
            notification_id, event_type = text(notice, "id"), text(notice, "event_type")
            told = json_object(open_resource(inner(notice, "resource"), self._api_v3_key))
            if event_type.startswith("REFUND."):
                return self._refund_as_news(told, notification_id)
            if event_type.startswith("TRANSACTION."):
                return self._transaction_as_news(told, notification_id)
            self._must_be_ours(told, with_app=False)
            return PaymentNews(
                notification_id=notification_id,
                kind=NewsKind.OTHER,
                payment_no=maybe_text(told, "out_trade_no") or "",
            )
        except Unreadable:
            raise BadSignature("malformed") from None

    def _transaction_as_news(self, told: dict[str, Any], notification_id: str) -> PaymentNews:
        self._must_be_ours(told, with_app=True)
        kind = TRADE_STATES.get(text(told, "trade_state"), NewsKind.OTHER)
        if kind not in {NewsKind.PAID, NewsKind.CLOSED}:
            # "Not yet" is an answer to a question. As a notice it moves nothing.
            kind = NewsKind.OTHER
        return _transaction(told, kind=kind, notification_id=notification_id)

    def _answer_as_news(self, told: dict[str, Any], payment_no: str) -> PaymentNews:
        self._must_be_ours(told, with_app=True)
        if text(told, "out_trade_no") != payment_no:
            raise Unreadable("out_trade_no")
        kind = TRADE_STATES.get(text(told, "trade_state"), NewsKind.OTHER)
        provider_payment_no = maybe_text(told, "transaction_id") or ""
        return _transaction(told, kind=kind, notification_id=f"query:{payment_no}:{kind}:{provider_payment_no}")

    def _refund_as_news(self, told: dict[str, Any], notification_id: str) -> PaymentNews:
        # A refund names the merchant and no app.
        self._must_be_ours(told, with_app=False)
        return _refund(told, status=text(told, "refund_status"), notification_id=notification_id)

    def _must_be_ours(self, told: dict[str, Any], *, with_app: bool) -> None:
        if told.get("mchid") != self.merchant:
            raise BadSignature("wrong_merchant")
        if with_app and told.get("appid") != self._app_id:
            raise BadSignature("wrong_app")


def _transaction(told: dict[str, Any], *, kind: NewsKind, notification_id: str) -> PaymentNews:
    """Their transaction in our words. An unpaid one has no number and no amount; a paid one without is unreadable."""
    paid = kind is NewsKind.PAID
    amount = inner(told, "amount") if paid or "amount" in told else {}
    payer = inner(told, "payer") if "payer" in told else {}
    return PaymentNews(
        notification_id=notification_id,
        kind=kind,
        payment_no=text(told, "out_trade_no"),
        provider_payment_no=text(told, "transaction_id") if paid else maybe_text(told, "transaction_id"),
        amount_fen=fen(amount, "total") if paid or "total" in amount else None,
        currency=maybe_text(amount, "currency") or "CNY",
        happened_at=maybe_instant(told, "success_time"),
        payer_subject=maybe_text(payer, "openid"),
    )


def _refund(told: dict[str, Any], *, status: str, notification_id: str) -> PaymentNews:
    """Their refund in our words: also a proof that its payment was paid, whatever became of the refund."""
    amount = inner(told, "amount")
    return PaymentNews(
        notification_id=notification_id,
        kind=REFUND_STATUSES.get(status, NewsKind.OTHER),
        payment_no=text(told, "out_trade_no"),
        provider_payment_no=text(told, "transaction_id"),
        amount_fen=fen(amount, "total"),
        currency=maybe_text(amount, "currency") or "CNY",
        happened_at=maybe_instant(told, "success_time"),
        refund_no=text(told, "out_refund_no"),
        provider_refund_no=text(told, "refund_id"),
        refund_fen=fen(amount, "refund"),
    )


def _canonical(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _cut(description: str) -> str:
    # Their page says string(127) and not of what: in bytes it holds either way.
    return description.encode()[:DESCRIPTION_LIMIT_BYTES].decode(errors="ignore")
