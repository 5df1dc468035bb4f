"""UnionPay at the POS of a window: a card pays an order under our number, and UnionPay's notice or its answer says so.

Nothing is opened there beforehand: the terminal is given our number, which begins with the moment that UnionPay wants beside it. And
there is no request that closes: what is over is over because UnionPay says that no card has paid it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from config.clock import SYSTEM_CLOCK
from providers.protocols import (
    BadSignature,
    Channel,
    NewsKind,
    OpenedPayment,
    PaymentNews,
    ProviderRefused,
    ProviderUnreachable,
)
from providers.reading import BEIJING, NOTICE_LIMIT_BYTES, Unreadable, maybe_text, must_say, text
from providers.unionpay.signing import SIGN_METHOD, VERSION, read_answer, read_form, sign, verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from config.clock import Clock
    from providers.http import Line
    from providers.protocols import RefundOrder
    from providers.unionpay.signing import Chain

QUERY: Final = "/gateway/api/queryTrans.do"
BACK: Final = "/gateway/api/backTransReq.do"
PAY, REFUND, REVOKE, ASK = "01", "04", "31", "00"
DONE: Final = frozenset({"00", "A6"})
"""A6 says: taken, with a caveat for the merchant's books. The money moved all the same."""
IN_DOUBT: Final = frozenset({"03", "04", "05"})
KNOWN_ALREADY: Final = "12"
"""An earlier try of ours got through."""
NOT_KNOWN: Final = "34"
PASSING: Final = frozenset({"02", "06", "10", "11", "13"})
"""Refusals that staff, or a minute, can put right: closed or busy, a format, a signature, a missing field."""
CURRENCIES: Final = {"156": "CNY"}
NUMBER: Final = re.compile(r"[0-9A-Za-z]{8,40}")
COMPACT_TIME: Final = re.compile(r"[0-9]{14}")
TRACE_TIME: Final = re.compile(r"[0-9]{10}")
FEN: Final = re.compile(r"[0-9]{1,12}")
TIME_DIGITS: Final = 14


class UnionPayPos:
    """One merchant of UnionPay's, whose terminals stand at the windows of one region. A PaymentProvider."""

    channel = Channel.UNIONPAY_POS

    def __init__(
        self, *, line: Line, merchant: str, private_key: RSAPrivateKey, certificate_id: str, chain: Chain, notify_url: str,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:  # fmt: skip
        """`certificate_id`: the serial number of our own certificate, in decimal, by which they know our key."""
        self.merchant = merchant
        self._line = line
        self._private_key = private_key
        self._certificate_id = certificate_id
        self._chain = chain
        self._notify_url = notify_url
        self._clock = clock

    def __repr__(self) -> str:
        return f"UnionPayPos({self.merchant})"

    @property
    def keys_end_at(self) -> tuple[datetime, ...]:
        """When the certificates end that the way to their signature leads through."""
        return self._chain.ends_at

    def freeze(self, *, payment_no: str, amount_fen: int, description: str, expires_at: datetime, payer_subject: str) -> bytes:  # noqa: ARG002 (the terminal opens it)
        raise ValueError("a payment at a POS is opened by its terminal, never from here")

    def open_payment(self, frozen: bytes) -> OpenedPayment:  # noqa: ARG002 (the terminal opens it)
        raise ProviderRefused("OPENED_AT_THE_POS")

    def launch(self, handle: str, *, now: datetime) -> dict[str, str]:  # noqa: ARG002 (no phone pays here)
        return {}

    def close(self, payment_no: str) -> None:
        # Whoever had a card ready all the same pays late, and the house knows what to do with that.
        if self.ask(payment_no).kind is NewsKind.PAID:
            raise ProviderRefused("PAID")

    def ask(self, payment_no: str) -> PaymentNews:
        if not COMPACT_TIME.fullmatch(payment_no[:TIME_DIGITS]):
            raise ProviderRefused("NUMBER_WITHOUT_A_MOMENT")
        try:
            told = self._ask(payment_no, moment=payment_no[:TIME_DIGITS])
            if told is None:
                return _answer(payment_no, NewsKind.NOT_FOUND)
            if told["origRespCode"] not in DONE:
                # The card was refused: another one may still pay it.
                return _answer(payment_no, NewsKind.NOT_PAID)
            return PaymentNews(
                notification_id=f"query:{payment_no}:{NewsKind.PAID}:{text(told, 'queryId')}",
                kind=NewsKind.PAID,
                payment_no=payment_no,
                provider_payment_no=text(told, "queryId"),
                amount_fen=_fen(told, "txnAmt"),
                currency=_currency(told),
                happened_at=_happened_at(told),
            )
        except Unreadable as trouble:
            raise ProviderUnreachable(f"unionpay: answer without {trouble}") from None

    def refund(self, order: RefundOrder) -> PaymentNews:
        fields = {
            "txnType": REFUND,
            "txnSubType": "00",
            "bizType": "000201",
            "channelType": "08",
            "accessType": "0",
            "merId": self.merchant,
            "backUrl": self._notify_url,
            "orderId": order.refund_no,
            "txnTime": _compact(order.ordered_at),
            "txnAmt": str(order.refund_fen),
            "currencyCode": "156",
            "origQryId": order.provider_payment_no,
        }
        told = self._call(BACK, fields)
        try:
            must_say(told, "orderId", order.refund_no)
            code = text(told, "respCode")
        except Unreadable as trouble:
            raise ProviderUnreachable(f"unionpay: refund without {trouble}") from None
        if code in DONE:
            # They took it on; whether the money moved, asking tells.
            return _refund(order, NewsKind.REFUND_PENDING)
        if code in IN_DOUBT or code == KNOWN_ALREADY:
            raise ProviderUnreachable(f"unionpay: {code}, so ask")
        raise ProviderRefused(code, permanent=code not in PASSING)

    def ask_refund(self, order: RefundOrder) -> PaymentNews:
        try:
            told = self._ask(order.refund_no, moment=_compact(order.ordered_at), doubt_is_an_answer=True)
            if told is None:
                return _refund(order, NewsKind.NOT_FOUND)
            if told["origRespCode"] in IN_DOUBT:
                return _refund(order, NewsKind.REFUND_PENDING)
            if told["origRespCode"] not in DONE:
                return _refund(order, NewsKind.REFUND_FAILED, theirs=maybe_text(told, "queryId"))
            must_say(told, "txnAmt", str(order.refund_fen))
            return _refund(order, NewsKind.REFUNDED, theirs=maybe_text(told, "queryId"), refunded_at=_happened_at(told))
        except Unreadable as trouble:
            raise ProviderUnreachable(f"unionpay: refund without {trouble}") from None

    def open_notice(self, headers: Mapping[str, str], raw: bytes, *, now: datetime) -> PaymentNews:  # noqa: ARG002 (they sign the form alone)
        if len(raw) > NOTICE_LIMIT_BYTES:
            raise BadSignature("oversize")
        told = read_form(raw)
        verify(told, self._chain, now=now)
        if told.get("merId") != self.merchant:
            raise BadSignature("wrong_merchant")
        try:
            return _notice_as_news(told)
        except Unreadable:
            raise BadSignature("malformed") from None

    def _ask(self, number: str, *, moment: str, doubt_is_an_answer: bool = False) -> dict[str, str] | None:
        """What became of a transaction of ours; None: they do not know it. Raises ProviderUnreachable also while they are in doubt."""
        fields = {
            "txnType": ASK,
            "txnSubType": "00",
            "bizType": "000000",
            "accessType": "0",
            "merId": self.merchant,
            "orderId": number,
            "txnTime": moment,
        }
        told = self._call(QUERY, fields)
        must_say(told, "orderId", number)
        code = text(told, "respCode")
        if code == NOT_KNOWN:
            return None
        if code not in DONE:
            raise ProviderUnreachable(f"unionpay: {code}")
        if text(told, "origRespCode") in IN_DOUBT and not doubt_is_an_answer:
            raise ProviderUnreachable(f"unionpay: {told['origRespCode']}, so ask again")
        return told

    def _call(self, path: str, fields: Mapping[str, str]) -> dict[str, str]:
        """Their signed answer. Raises ProviderUnreachable for whatever is not one."""
        common = {"version": VERSION, "encoding": "UTF-8", "signMethod": SIGN_METHOD, "certId": self._certificate_id}
        answer = self._line.request("POST", path, data=sign({**common, **fields}, self._private_key))
        if answer.status_code != HTTPStatus.OK:
            raise ProviderUnreachable(f"unionpay: {answer.status_code}")
        try:
            told = read_answer(answer.content)
            verify(told, self._chain, now=self._clock.now())
        except BadSignature as fault:
            raise ProviderUnreachable(f"unionpay: answer with {fault.reason}") from None
        if told.get("merId") != self.merchant:
            raise ProviderUnreachable("unionpay: answer to another merchant")
        return told


def _notice_as_news(told: Mapping[str, str]) -> PaymentNews:
    number, moment, code = text(told, "orderId", limit=40), text(told, "txnTime"), text(told, "respCode")
    if not NUMBER.fullmatch(number) or not COMPACT_TIME.fullmatch(moment):
        raise Unreadable("orderId")
    notification_id, kind = f"{number}:{moment}", text(told, "txnType")
    if code not in DONE or kind not in (PAY, REVOKE):
        # A refund's own notice does not say what it is a refund of in full: the sweep asks, and their answer does.
        return PaymentNews(
            notification_id=notification_id, kind=NewsKind.OTHER, payment_no=maybe_text(told, "origOrderId") or number
        )
    amount_fen, currency, happened_at = _fen(told, "txnAmt"), _currency(told), _happened_at(told)
    if kind == REVOKE:
        # 消费撤销: somebody took the whole payment back at the terminal.
        return PaymentNews(
            notification_id=notification_id,
            kind=NewsKind.REFUNDED,
            payment_no=maybe_text(told, "origOrderId") or "",
            provider_payment_no=text(told, "origQryId"),
            amount_fen=amount_fen,
            currency=currency,
            happened_at=happened_at,
            refund_no=number,
            provider_refund_no=text(told, "queryId"),
            refund_fen=amount_fen,
        )
    return PaymentNews(
        notification_id=notification_id,
        kind=NewsKind.PAID,
        payment_no=number,
        provider_payment_no=text(told, "queryId"),
        amount_fen=amount_fen,
        currency=currency,
        happened_at=happened_at,
    )


def _answer(payment_no: str, kind: NewsKind) -> PaymentNews:
    return PaymentNews(notification_id=f"query:{payment_no}:{kind}:", kind=kind, payment_no=payment_no)


def _refund(
    order: RefundOrder, kind: NewsKind, *, theirs: str | None = None, refunded_at: datetime | None = None
) -> PaymentNews:
    return PaymentNews(
        notification_id=f"query:{order.payment_no}:{kind}:{order.refund_no}",
        kind=kind,
        payment_no=order.payment_no,
        provider_payment_no=order.provider_payment_no,
        amount_fen=order.total_fen,
        happened_at=refunded_at,
        refund_no=order.refund_no,
        provider_refund_no=theirs,
        refund_fen=order.refund_fen,
    )


def _fen(told: Mapping[str, str], name: str) -> int:
    found = text(told, name)
    if not FEN.fullmatch(found):
        raise Unreadable(name)
    return int(found)


def _currency(told: Mapping[str, str]) -> str:
    code = text(told, "currencyCode", limit=3)
    return CURRENCIES.get(code, code)


def _happened_at(told: Mapping[str, str]) -> datetime:
    """When the card was taken: the trace's moment, which has no year, in the year of the order or the next; else the order's own."""
    moment = text(told, "txnTime")
    ordered_at = _moment(moment)
    trace = maybe_text(told, "traceTime")
    if trace is None:
        return ordered_at
    if not TRACE_TIME.fullmatch(trace):
        raise Unreadable("traceTime")
    year = int(moment[:4]) + (trace[:2] < moment[4:6])
    return _moment(f"{year:04d}{trace}")


def _moment(digits: str) -> datetime:
    try:
        if COMPACT_TIME.fullmatch(digits):
            return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Unreadable("txnTime")


def _compact(at: datetime) -> str:
    return at.astimezone(BEIJING).strftime("%Y%m%d%H%M%S")
