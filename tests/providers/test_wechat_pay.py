"""WeChat Pay's own ways, beyond what every payment provider owes us (test_payment_contract.py)."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.http import Line
from providers.protocols import BadSignature, NewsKind, ProviderRefused, ProviderUnreachable
from providers.wechat.pay import WeChatPay
from providers.wechat.signing import Signer, Verifier
from tests.providers import wire

APP_ID, MCHID, SERIAL, NO = "wxd678efh567hg6787", "1900000109", "444F4864EA9B34415", "SB2026112100000001"
NOW = datetime(2026, 11, 21, 2, 0, 0, tzinfo=UTC)
TRANSACTION = {
    "appid": APP_ID,
    "mchid": MCHID,
    "out_trade_no": NO,
    "transaction_id": "42000001",
    "trade_type": "JSAPI",
    "trade_state": "SUCCESS",
    "success_time": "2026-11-21T10:00:00+08:00",
    "payer": {"openid": "o1"},
    "amount": {"total": 123456, "payer_total": 120000, "currency": "CNY", "payer_currency": "CNY"},
}
REFUND = {
    "mchid": MCHID,
    "out_trade_no": NO,
    "transaction_id": "42000001",
    "out_refund_no": "RF1",
    "refund_id": "50000001",
    "refund_status": "SUCCESS",
    "success_time": "2026-11-22T10:00:00+08:00",
    "user_received_account": "零钱",
    "amount": {"total": 123456, "refund": 456, "payer_total": 120000, "payer_refund": 456},
}


def a_wechat_pay(url: str = "http://127.0.0.1:9", **given) -> WeChatPay:
    return WeChatPay(
        **{
            "line": Line(provider="wechat_pay", base_url=url),
            "app_id": APP_ID,
            "signer": Signer(MCHID, SERIAL, wire.key("merchant")),
            "verifier": Verifier(
                {
                    wire.PUBLIC_KEY_ID: wire.key("wechat").public_key(),
                    wire.CERTIFICATE_SERIAL: wire.key("wechat certificate").public_key(),
                }
            ),
            "api_v3_key": wire.API_V3_KEY,
            "notify_url": "https://example.com/webhooks/wechat-pay/a",
            "response_key": wire.PUBLIC_KEY_ID,
            **given,
        }
    )


@pytest.fixture
def there():
    with wire.wire() as it:
        yield it


@pytest.fixture
def pay(there):
    adapter = a_wechat_pay(there.url)
    yield adapter
    adapter._signed.line.close()


def told_by_notice(pay, inside, **how):
    body = wire.wechat_notice(inside, **how)
    return pay.open_notice(wire.wechat_headers(body, at=NOW.timestamp()), body, now=NOW)


def reason(pay, inside, **how) -> str:
    with pytest.raises(BadSignature) as trouble:
        told_by_notice(pay, inside, **how)
    return trouble.value.reason


def test_a_frozen_order_is_what_the_page_of_the_api_asks_for():
    frozen = a_wechat_pay().freeze(
        payment_no=NO,
        amount_fen=38000,
        description="灵活就业社会保险费" * 9,
        expires_at=NOW + timedelta(minutes=10),
        payer_subject="o1",
    )

    order = json.loads(frozen)
    assert len(order.pop("description").encode()) <= 127
    assert order == {
        "appid": APP_ID,
        "mchid": MCHID,
        "out_trade_no": NO,
        "time_expire": "2026-11-21T10:10:00+08:00",
        "notify_url": "https://example.com/webhooks/wechat-pay/a",
        "amount": {"total": 38000, "currency": "CNY"},
        "payer": {"openid": "o1"},
    }


@pytest.mark.parametrize(
    "wrong", [{"payment_no": "short"}, {"payment_no": "中" * 8}, {"amount_fen": 0}, {"expires_at": NOW.replace(tzinfo=None)}]
)
def test_what_they_would_refuse_is_not_frozen(wrong):
    right = {"payment_no": NO, "amount_fen": 1, "description": "费", "expires_at": NOW, "payer_subject": "o1"}
    with pytest.raises(ValueError):
        a_wechat_pay().freeze(**right | wrong)


@pytest.mark.parametrize("path", ["", "/wechat-pay"])
@pytest.mark.parametrize("payment_no", [NO, "a|b*c-d_e"])
def test_each_request_is_signed_as_it_stands_on_the_wire(there, path, payment_no):
    there.answer = lambda asked: wire.wechat_told(
        TRANSACTION | {"out_trade_no": payment_no} if asked.method == "GET" else b"",
        200 if asked.method == "GET" else 204,
    )
    pay = a_wechat_pay(there.url + path)

    pay.ask(payment_no)
    pay.close(payment_no)

    for asked in there.asked:
        signed = dict(part.split("=", 1) for part in asked.headers["Authorization"].split(" ", 1)[1].split(","))
        signed = {name: value.strip('"') for name, value in signed.items()}
        text = f"{asked.method}\n{asked.target}\n{signed['timestamp']}\n{signed['nonce_str']}\n".encode()
        wire.verifies("merchant", signed["signature"], text + asked.body + b"\n")
        assert signed["mchid"] == MCHID
        assert signed["serial_no"] == SERIAL
        assert asked.headers["Accept"] == "application/json"
        assert asked.headers["Wechatpay-Serial"] == wire.PUBLIC_KEY_ID
        assert asked.headers["User-Agent"]
    pay._signed.line.close()


def test_a_launch_is_signed_with_the_app_id_that_it_does_not_name():
    launch = a_wechat_pay().launch("wx26", now=NOW)

    text = f"{APP_ID}\n{launch['timeStamp']}\n{launch['nonceStr']}\nprepay_id=wx26\n".encode()
    wire.verifies("merchant", launch.pop("paySign"), text)
    assert launch.pop("nonceStr")
    assert launch == {"timeStamp": str(int(NOW.timestamp())), "package": "prepay_id=wx26", "signType": "RSA"}


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("SUCCESS", NewsKind.PAID),
        ("REFUND", NewsKind.PAID),
        ("NOTPAY", NewsKind.NOT_PAID),
        ("USERPAYING", NewsKind.NOT_PAID),
        ("CLOSED", NewsKind.CLOSED),
        ("REVOKED", NewsKind.CLOSED),
        ("PAYERROR", NewsKind.CLOSED),
        ("ACCEPT", NewsKind.OTHER),
    ],
)
def test_their_states_in_our_words(there, pay, state, kind):
    there.answer = lambda _: wire.wechat_told(TRANSACTION | {"trade_state": state})

    news = pay.ask(NO)

    assert (news.kind, news.notification_id) == (kind, f"query:{NO}:{kind}:42000001")


def test_an_unpaid_order_has_no_amount_and_no_number(there, pay):
    there.answer = lambda _: wire.wechat_told({
        "appid": APP_ID, "mchid": MCHID, "out_trade_no": NO, "trade_state": "NOTPAY", "trade_state_desc": "订单未支付",
    })  # fmt: skip

    news = pay.ask(NO)

    assert news.notification_id == f"query:{NO}:NOT_PAID:"
    assert (news.amount_fen, news.provider_payment_no, news.happened_at) == (None, None, None)


def test_an_order_that_does_not_exist_is_an_answer(there, pay):
    there.answer = lambda _: wire.Told(404, b'{"code":"ORDER_NOT_EXIST","message":"x"}')

    assert pay.ask(NO).kind is NewsKind.NOT_FOUND


@pytest.mark.parametrize(
    "told",
    [
        lambda: wire.wechat_told(TRANSACTION | {"mchid": "other"}),
        lambda: wire.wechat_told(TRANSACTION | {"appid": "other"}),
        lambda: wire.wechat_told(TRANSACTION | {"out_trade_no": "other"}),
        lambda: wire.wechat_told({**TRANSACTION, "amount": {}}),
        lambda: wire.wechat_told({**TRANSACTION, "transaction_id": ""}),
        lambda: wire.wechat_told(TRANSACTION, at=time.time() - 400),
        lambda: wire.wechat_told(TRANSACTION, by="a stranger"),
        lambda: wire.Told(200, json.dumps(TRANSACTION).encode()),
        lambda: wire.Told(404, b"<html>"),
        lambda: wire.Told(429, b'{"code":"FREQUENCY_LIMITED"}'),
        lambda: wire.Told(400, b'{"code":"SYSTEM_ERROR"}'),
        lambda: wire.Told(500, b'{"code":"SYSTEM_ERROR"}'),
        lambda: wire.Told(302, b"", {"Location": "/elsewhere"}),
    ],
)
def test_an_answer_that_proves_nothing_is_no_answer(there, pay, told):
    there.answer = lambda _: told()

    with pytest.raises(ProviderUnreachable):
        pay.ask(NO)


def test_a_probe_instead_of_an_answer_leaves_the_outcome_unknown(there, pay):
    def probe(_):
        told = wire.wechat_told({"prepay_id": "wx26"})
        told.headers["Wechatpay-Signature"] = "WECHATPAY/SIGNTEST/" + told.headers["Wechatpay-Signature"]
        return told

    there.answer = probe

    with pytest.raises(ProviderUnreachable, match="signtest"):
        pay.open_payment(b"{}")


@pytest.mark.parametrize(
    ("code", "permanent"), [("OUT_TRADE_NO_USED", True), ("PARAM_ERROR", True), ("RULE_LIMIT", False), ("SIGN_ERROR", False)]
)
def test_a_refusal_says_whether_to_come_back(there, pay, code, permanent):
    there.answer = lambda _: wire.Told(403, json.dumps({"code": code, "message": "…"}).encode())

    with pytest.raises(ProviderRefused) as refusal:
        pay.open_payment(b"{}")

    assert (refusal.value.code, refusal.value.permanent) == (code, permanent)


def test_only_a_signed_204_closes(there, pay):
    there.answer = lambda _: wire.wechat_told(b"", 204)
    pay.close(NO)

    for told in (wire.wechat_told({}, 200), wire.Told(204), wire.wechat_told(b"", 204, by="a stranger")):
        there.answer = lambda _, told=told: told
        with pytest.raises(ProviderUnreachable):
            pay.close(NO)


def test_a_paid_order_does_not_close(there, pay):
    there.answer = lambda _: wire.Told(400, b'{"code":"ORDER_PAID"}')

    with pytest.raises(ProviderRefused, match="ORDER_PAID"):
        pay.close(NO)


def test_a_payment_notice_is_news():
    news = told_by_notice(a_wechat_pay(), TRANSACTION)

    assert (news.notification_id, news.kind, news.payment_no, news.provider_payment_no) == (
        "EV-1",
        NewsKind.PAID,
        NO,
        "42000001",
    )
    assert (news.amount_fen, news.currency, news.payer_subject) == (123456, "CNY", "o1")
    assert news.happened_at == datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("SUCCESS", NewsKind.REFUNDED),
        ("ABNORMAL", NewsKind.REFUND_ABNORMAL),
        ("CLOSED", NewsKind.REFUND_FAILED),
        ("PROCESSING", NewsKind.REFUND_PENDING),
        ("WHATEVER", NewsKind.OTHER),
    ],
)
def test_a_refund_notice_is_news_of_refund_and_payment(status, kind):
    news = told_by_notice(a_wechat_pay(), REFUND | {"refund_status": status}, event=f"REFUND.{status}", associated="refund")

    assert (news.kind, news.payment_no, news.provider_payment_no, news.amount_fen) == (kind, NO, "42000001", 123456)
    assert (news.refund_no, news.provider_refund_no, news.refund_fen) == ("RF1", "50000001", 456)


@pytest.mark.parametrize("state", ["NOTPAY", "USERPAYING", "SOMETHING_NEW"])
def test_a_notice_that_moves_nothing_is_kept_as_other(state):
    assert told_by_notice(a_wechat_pay(), TRANSACTION | {"trade_state": state}).kind is NewsKind.OTHER


def test_an_event_we_do_not_know_is_kept_as_other():
    news = told_by_notice(a_wechat_pay(), {"mchid": MCHID}, event="COUPON.USE")

    assert (news.kind, news.payment_no) == (NewsKind.OTHER, "")


def test_another_currency_is_a_fact_for_the_house():
    told = TRANSACTION | {"amount": {"total": 1, "currency": "USD"}}

    assert told_by_notice(a_wechat_pay(), told).currency == "USD"


@pytest.mark.parametrize(
    ("inside", "event", "word"),
    [
        (TRANSACTION | {"appid": "wxother"}, "TRANSACTION.SUCCESS", "wrong_app"),
        (TRANSACTION | {"mchid": "1"}, "TRANSACTION.SUCCESS", "wrong_merchant"),
        (REFUND | {"mchid": "1"}, "REFUND.SUCCESS", "wrong_merchant"),
        ({}, "COUPON.USE", "wrong_merchant"),
        (TRANSACTION | {"amount": {"total": "1", "currency": "CNY"}}, "TRANSACTION.SUCCESS", "malformed"),
        (TRANSACTION | {"amount": {"total": 1.0, "currency": "CNY"}}, "TRANSACTION.SUCCESS", "malformed"),
        (TRANSACTION | {"amount": {"total": True, "currency": "CNY"}}, "TRANSACTION.SUCCESS", "malformed"),
        (TRANSACTION | {"amount": {"total": 2**63, "currency": "CNY"}}, "TRANSACTION.SUCCESS", "malformed"),
        (TRANSACTION | {"amount": [1]}, "TRANSACTION.SUCCESS", "malformed"),
        (TRANSACTION | {"out_trade_no": "SB\u0000"}, "TRANSACTION.SUCCESS", "malformed"),
        (TRANSACTION | {"success_time": "2026-11-21T10:00:00"}, "TRANSACTION.SUCCESS", "malformed"),
        (TRANSACTION | {"success_time": "0001-01-01T00:00:00+14:00"}, "TRANSACTION.SUCCESS", "malformed"),
        (TRANSACTION | {"transaction_id": None}, "TRANSACTION.SUCCESS", "malformed"),
        (b"\xff\xfe", "TRANSACTION.SUCCESS", "malformed"),
        (b"[]", "TRANSACTION.SUCCESS", "malformed"),
        (b"[" * 30_000, "TRANSACTION.SUCCESS", "malformed"),
        (b'{"amount":' + b"9" * 5000 + b"}", "TRANSACTION.SUCCESS", "malformed"),
        ({"lone": "\ud800", **TRANSACTION, "transaction_id": "\ud800"}, "TRANSACTION.SUCCESS", "malformed"),
    ],
)
def test_authentic_yet_not_for_us_or_not_readable(inside, event, word):
    if isinstance(inside, dict):
        inside = json.dumps(inside).encode()
    assert reason(a_wechat_pay(), inside, event=event) == word


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b"\xff", b"{", b'{"id":"a","event_type":"b","resource":1}', b"[" * 60_000, b'{"id":"a"}'],
)
def test_well_signed_nonsense_is_refused(body):
    with pytest.raises(BadSignature, match="malformed"):
        a_wechat_pay().open_notice(wire.wechat_headers(body, at=NOW.timestamp()), body, now=NOW)


def test_a_wrong_api_v3_key_opens_nothing():
    assert reason(a_wechat_pay(api_v3_key=b"1" * 32), TRANSACTION) == "wrong_seal"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(
    changes=st.dictionaries(st.sampled_from(sorted({*TRANSACTION, *REFUND})), json_values, max_size=4),
    event=st.sampled_from(["TRANSACTION.SUCCESS", "REFUND.SUCCESS", "X"]),
)
def test_whatever_stands_under_the_seal_it_is_news_or_refused(changes, event):
    pay = FUZZED
    inside = json.dumps((REFUND if event.startswith("REFUND") else TRANSACTION) | changes).encode()
    try:
        news = told_by_notice(pay, inside, event=event)
    except BadSignature:
        return
    assert news.kind in NewsKind


FUZZED = a_wechat_pay()
