"""What every payment provider owes the house, asked of each adapter over real HTTP, and of the fake."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from providers.alipay.client import AlipayClient
from providers.alipay.pay import AlipayPay
from providers.http import Line
from providers.protocols import (
    BadSignature,
    Channel,
    NewsKind,
    PaymentNews,
    PaymentProvider,
    ProviderRefused,
    ProviderUnreachable,
    RefundOrder,
)
from providers.wechat.pay import WeChatPay
from providers.wechat.signing import Signer, Verifier
from tests.providers import wire
from tests.providers.fakes import FakePayments

NO, AMOUNT_FEN, PAYER, PROVIDER_NO = "SB2026112100000001", 123456, "o-payer", "4200000001"
NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
REFUND = RefundOrder(
    refund_no="RF2026112100000001",
    payment_no=NO,
    provider_payment_no=PROVIDER_NO,
    refund_fen=100,
    total_fen=AMOUNT_FEN,
    ordered_at=NOW,
    reason="社保费重复缴费退款",
)


def refund_told_by_wechat(what: str, asked: wire.Asked, *, by: str) -> wire.Told:
    if what == "refund_unknown" and asked.method == "GET":
        return wire.Told(404, b'{"code":"RESOURCE_NOT_EXISTS"}')
    done = {"status": "SUCCESS", "success_time": "2026-11-21T10:00:00+08:00"} if what == "refunded" else {}
    told = {
        "refund_id": "50000001", "out_refund_no": "OTHER" if what == "refund_other" else REFUND.refund_no,
        "transaction_id": PROVIDER_NO, "out_trade_no": NO, "status": "PROCESSING",
        "amount": {"total": AMOUNT_FEN, "refund": REFUND.refund_fen, "currency": "CNY"},
    }  # fmt: skip
    return wire.wechat_told(told | done, by=by)


def trade_told_by_alipay(what: str) -> dict[str, str]:
    states = {"paid": "TRADE_SUCCESS", "forged": "TRADE_SUCCESS", "unpaid": "WAIT_BUYER_PAY"}
    told = {"trade_status": states.get(what, "TRADE_CLOSED"), "total_amount": "1234.56"}
    return told | ({"send_pay_date": "2026-11-21 10:00:00", "buyer_open_id": PAYER} if what == "paid" else {})


def refund_told_by_alipay(what: str, method: str) -> dict[str, str]:
    ok = {"code": "10000", "msg": "Success", "out_trade_no": NO, "trade_no": "OTHER" if what == "refund_other" else PROVIDER_NO}
    when = {"gmt_refund_pay": "2026-11-21 10:00:00"} if what == "refunded" else {}
    if method == "alipay.trade.refund":
        return ok | when | {"fund_change": "Y" if when else "N", "refund_fee": "1.00"}
    if what == "refund_unknown":
        return {"code": "10000", "msg": "Success"}
    number = "OTHER" if what == "refund_other" else REFUND.refund_no
    status = {"refund_status": "REFUND_SUCCESS"} if when else {}
    return ok | when | status | {"out_request_no": number, "refund_amount": "1.00", "total_amount": "1234.56"}


@dataclasses.dataclass
class Case:
    """One adapter and the other end of its line: how that end says what a test wants said."""

    provider: PaymentProvider
    says: Callable[..., None]
    """paid, unpaid, closed, unknown, refuses, silent, garbage, forged: what the other end answers from now on."""
    notice: Callable[..., tuple[dict[str, str], bytes]]
    """A genuine notice of the payment, or with `forged` one signed by a stranger."""


@contextmanager
def wechat_pay() -> Iterator[Case]:
    app_id, mchid = "wxd678efh567hg6787", "1900000109"
    told = {
        "appid": app_id, "mchid": mchid, "out_trade_no": NO, "transaction_id": PROVIDER_NO, "trade_state": "SUCCESS",
        "success_time": "2026-11-21T10:00:00+08:00", "payer": {"openid": PAYER},
        "amount": {"total": AMOUNT_FEN, "payer_total": AMOUNT_FEN, "currency": "CNY", "payer_currency": "CNY"},
    }  # fmt: skip
    bare = {"appid": app_id, "mchid": mchid, "out_trade_no": NO}

    def says(what: str) -> None:
        def answer(asked: wire.Asked) -> wire.Told:
            by = "a stranger" if what == "forged" else "wechat"
            if what in {"silent", "garbage"}:
                return wire.Told(503 if what == "silent" else 200, b"<html>")
            if what == "refuses":
                return wire.Told(403, b'{"code":"OUT_TRADE_NO_USED","message":"x"}')
            if asked.path.startswith("/v3/refund/"):
                return refund_told_by_wechat(what, asked, by=by)
            if asked.path.endswith("/jsapi"):
                return wire.wechat_told({"prepay_id": "wx26"}, by=by)
            if asked.path.endswith("/close"):
                return wire.Told(400, b'{"code":"ORDER_PAID"}') if what == "paid" else wire.wechat_told(b"", 204, by=by)
            if what == "unknown":
                return wire.Told(404, b'{"code":"ORDER_NOT_EXIST"}')
            states = {"unpaid": "NOTPAY", "closed": "CLOSED"}
            return wire.wechat_told(told if what in {"paid", "forged"} else bare | {"trade_state": states[what]}, by=by)

        there.answer = answer

    def notice(*, forged: bool = False) -> tuple[dict[str, str], bytes]:
        body = wire.wechat_notice(told)
        return wire.wechat_headers(body, at=NOW.timestamp(), by="a stranger" if forged else "wechat"), body

    with wire.wire() as there:
        line = Line(provider="wechat_pay", base_url=there.url)
        pay = WeChatPay(
            line=line,
            app_id=app_id,
            signer=Signer(mchid, "444F4864EA9B34415", wire.key("merchant")),
            verifier=Verifier({wire.PUBLIC_KEY_ID: wire.key("wechat").public_key()}),
            api_v3_key=wire.API_V3_KEY,
            notify_url="https://example.com/n",
            response_key=wire.PUBLIC_KEY_ID,
        )
        yield Case(pay, says, notice)
        line.close()


@contextmanager
def alipay() -> Iterator[Case]:
    app_id, seller_id = "2021000000000001", "2088000000000002"
    ok = {"code": "10000", "msg": "Success", "out_trade_no": NO, "trade_no": PROVIDER_NO}

    def says(what: str) -> None:
        def answer(asked: wire.Asked) -> wire.Told:
            method = asked.query["method"]
            by = "a stranger" if what == "forged" else "alipay"
            if what in {"silent", "garbage"}:
                return wire.Told(503 if what == "silent" else 200, b"<html>")
            failed = {"code": "40004", "msg": "Business Failed"}
            if what == "refuses":
                inner = failed | {"sub_code": "ACQ.CONTEXT_INCONSISTENT"}
            elif "refund" in method:
                inner = refund_told_by_alipay(what, method)
            elif method == "alipay.trade.create":
                inner = ok
            elif method == "alipay.trade.close":
                inner = failed | {"sub_code": "ACQ.TRADE_STATUS_ERROR"} if what == "paid" else ok
            elif what == "unknown":
                inner = failed | {"sub_code": "ACQ.TRADE_NOT_EXIST"}
            else:
                inner = ok | trade_told_by_alipay(what)
            return wire.alipay_told(inner, method=method, by=by)

        there.answer = answer

    def notice(*, forged: bool = False) -> tuple[dict[str, str], bytes]:
        fields = {
            "notify_type": "trade_status_sync", "notify_id": "N1", "app_id": app_id, "seller_id": seller_id,
            "charset": "utf-8", "out_trade_no": NO, "trade_no": PROVIDER_NO, "trade_status": "TRADE_SUCCESS",
            "total_amount": "1234.56", "gmt_payment": "2026-11-21 10:00:00", "buyer_open_id": PAYER,
        }  # fmt: skip
        return {}, wire.alipay_form(fields, by="a stranger" if forged else "alipay")

    with wire.wire() as there:
        line = Line(provider="alipay", base_url=there.url + "/gateway.do")
        client = AlipayClient(
            line=line,
            app_id=app_id,
            private_key=wire.key("app"),
            alipay_public_key=wire.key("alipay").public_key(),
        )
        yield Case(AlipayPay(client=client, seller_id=seller_id, notify_url="https://example.com/n"), says, notice)
        line.close()


@contextmanager
def fake() -> Iterator[Case]:
    payments = FakePayments()

    def says(what: str) -> None:
        payments.fails.clear()
        payments.news.clear()
        payments.refunds.clear()
        if what in {"refunded", "refund_pending"}:
            payments.refunds[REFUND.refund_no] = NewsKind[what.upper()]
        payments.open_payment(payments.freeze(**ORDER))
        if what == "paid":
            payments.pay(NO)
        elif what == "closed":
            payments.close(NO)
        elif what == "unknown":
            payments.news.clear()
        trouble = ProviderRefused("NO") if what == "refuses" else ProviderUnreachable("down")
        if what in {"refuses", "silent", "garbage", "forged", "refund_other"}:
            payments.fails += [(call, trouble) for call in ("open_payment", "ask", "close", "refund", "ask_refund")]

    def notice(*, forged: bool = False) -> tuple[dict[str, str], bytes]:
        news = PaymentNews(
            notification_id="",
            kind=NewsKind.PAID,
            payment_no=NO,
            provider_payment_no=PROVIDER_NO,
            amount_fen=AMOUNT_FEN,
            payer_subject=PAYER,
        )
        headers, body = payments.notice(news)
        return ({"Signature": "bad"} if forged else headers), body

    yield Case(payments, says, notice)


ORDER = {
    "payment_no": NO,
    "amount_fen": AMOUNT_FEN,
    "description": "灵活就业社会保险费",
    "expires_at": NOW + timedelta(minutes=10),
    "payer_subject": PAYER,
}


@pytest.fixture(params=[wechat_pay, alipay, fake], ids=lambda it: it.__name__, scope="module")
def case(request) -> Iterator[Case]:
    with request.param() as it:
        yield it


def test_it_names_its_channel_and_its_merchant(case):
    assert case.provider.channel in Channel
    assert case.provider.merchant.isdigit()


def test_a_frozen_request_is_the_same_each_time(case):
    assert case.provider.freeze(**ORDER) == case.provider.freeze(**ORDER)


def test_a_payment_opens_and_opens_again_and_launches(case):
    frozen = case.provider.freeze(**ORDER)
    case.says("unpaid")

    handle = case.provider.open_payment(frozen).handle

    assert handle == case.provider.open_payment(frozen).handle
    launch = case.provider.launch(handle, now=NOW)
    assert any(handle in value for value in launch.values())
    assert all(isinstance(value, str) for value in launch.values())


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("paid", NewsKind.PAID),
        ("unpaid", NewsKind.NOT_PAID),
        ("closed", NewsKind.CLOSED),
        ("unknown", NewsKind.NOT_FOUND),
    ],
)
def test_an_answer_is_news_under_a_name_that_comes_again(case, what, kind):
    case.says(what)

    news, again = case.provider.ask(NO), case.provider.ask(NO)

    assert (news.kind, news.payment_no) == (kind, NO)
    assert news.notification_id == again.notification_id
    assert news.notification_id == f"query:{NO}:{kind}:{news.provider_payment_no or ''}"
    if kind is NewsKind.PAID:
        assert (news.amount_fen, news.currency, news.happened_at) == (AMOUNT_FEN, "CNY", NOW)
        assert news.payer_subject == PAYER


def test_closing_is_silent_when_it_worked(case):
    case.says("unpaid")

    assert case.provider.close(NO) is None


def test_what_was_paid_does_not_close(case):
    case.says("paid")

    with pytest.raises(ProviderRefused):
        case.provider.close(NO)


def test_a_refusal_is_a_refusal(case):
    frozen = case.provider.freeze(**ORDER)
    case.says("refuses")

    with pytest.raises(ProviderRefused) as refusal:
        case.provider.open_payment(frozen)
    assert refusal.value.code


@pytest.mark.parametrize("what", ["silent", "garbage", "forged"])
@pytest.mark.parametrize("call", ["open_payment", "ask", "close"])
def test_what_cannot_be_trusted_leaves_the_outcome_unknown(case, what, call):
    about = case.provider.freeze(**ORDER) if call == "open_payment" else NO
    case.says(what)

    with pytest.raises(ProviderUnreachable):
        getattr(case.provider, call)(about)


@pytest.mark.parametrize(("what", "kind"), [("refund_pending", NewsKind.REFUND_PENDING), ("refunded", NewsKind.REFUNDED)])
@pytest.mark.parametrize("call", ["refund", "ask_refund"])
def test_a_refund_is_news_of_itself_and_of_its_payment(case, call, what, kind):
    case.says(what)

    news, again = getattr(case.provider, call)(REFUND), getattr(case.provider, call)(REFUND)

    assert (news.kind, news.refund_no, news.refund_fen) == (kind, REFUND.refund_no, REFUND.refund_fen)
    assert (news.payment_no, news.provider_payment_no, news.amount_fen) == (NO, PROVIDER_NO, AMOUNT_FEN)
    assert news.notification_id == again.notification_id
    assert (news.happened_at is not None) == (kind is NewsKind.REFUNDED) or news.happened_at == NOW


def test_a_refund_that_they_never_heard_of_is_an_answer(case):
    case.says("refund_unknown")

    news = case.provider.ask_refund(REFUND)

    assert (news.kind, news.refund_no) == (NewsKind.NOT_FOUND, REFUND.refund_no)


@pytest.mark.parametrize("what", ["silent", "garbage", "forged", "refund_other"])
@pytest.mark.parametrize("call", ["refund", "ask_refund"])
def test_a_refunds_answer_that_cannot_be_trusted_leaves_it_unknown(case, call, what):
    case.says(what)

    with pytest.raises(ProviderUnreachable):
        getattr(case.provider, call)(REFUND)


def test_a_refused_refund_is_a_refusal(case):
    case.says("refuses")

    with pytest.raises(ProviderRefused):
        case.provider.refund(REFUND)


def test_a_notice_is_news(case):
    news = case.provider.open_notice(*case.notice(), now=NOW)

    assert (news.kind, news.payment_no, news.provider_payment_no) == (NewsKind.PAID, NO, PROVIDER_NO)
    assert (news.amount_fen, news.currency, news.payer_subject) == (AMOUNT_FEN, "CNY", PAYER)
    assert news.notification_id


def test_a_strangers_notice_is_refused(case):
    with pytest.raises(BadSignature):
        case.provider.open_notice(*case.notice(forged=True), now=NOW)


def test_an_oversize_notice_is_refused(case):
    headers, body = case.notice()
    with pytest.raises(BadSignature):
        case.provider.open_notice(headers, body + b" " * 65_536 if headers.get("Signature") is None else b"x", now=NOW)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
    headers=st.dictionaries(st.sampled_from([*wire.wechat_headers(b""), "Signature"]), st.text(max_size=40), max_size=6),
)
@example(body=b"", headers={})
@example(body=b"&&&", headers={})
@example(body=b"sign=a&sign_type=RSA2&%", headers={})
@example(body=b"sign=%ff&sign_type=RSA2", headers={})
@example(body=b"a=" * 300, headers={})
@example(body="a=中".encode(), headers={})
@example(body=b"{}", headers={"Wechatpay-Timestamp": "\ud800"})
def test_whatever_a_stranger_sends_is_refused_and_breaks_nothing(case, body, headers):
    with pytest.raises(BadSignature) as trouble:
        case.provider.open_notice({**case.notice()[0], **headers} if headers else {}, body, now=NOW)
    assert trouble.value.reason.replace("_", "").isalpha()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.integers(min_value=0), what=st.integers(1, 255))
def test_a_genuine_notice_with_one_byte_changed_is_refused(case, where, what):
    headers, body = case.notice()
    if "Signature" in headers:
        return  # the fake's signature does not cover its body
    where %= len(body)
    touched = body[:where] + bytes([body[where] ^ what]) + body[where + 1 :]

    try:
        news = case.provider.open_notice(headers, touched, now=NOW)
    except BadSignature:
        return
    # Only what decodes to the same form may pass: %2f for %2F.
    assert news == case.provider.open_notice(headers, body, now=NOW)


def test_no_repr_gives_away_more_than_numbers(case):
    shown = repr(case.provider)
    assert "PRIVATE" not in shown
    assert "0" * 32 not in shown
    json.dumps(shown)
