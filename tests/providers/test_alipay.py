"""Alipay's own ways: forms in any charset, answers signed as written, trades whose words need refunded money to be read."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import urllib.parse
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from alipay import AliPay as Oracle
from alipay.utils import AliPayConfig
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.alipay.client import AlipayClient
from providers.alipay.face import AlipayFace
from providers.alipay.login import AlipayLogin
from providers.alipay.pay import AlipayPay
from providers.alipay.signing import open_answer, open_form
from providers.http import Line
from providers.protocols import (
    BadSignature,
    FaceVerdict,
    NewsKind,
    ProviderRefused,
    ProviderUnreachable,
    RealName,
)
from providers.reading import Unreadable
from tests.providers import wire

APP_ID, SELLER, NO = "2021000000000001", "2088000000000002", "SB2026112100000001"
NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
NOTICE = {
    "notify_type": "trade_status_sync",
    "notify_id": "n1",
    "app_id": APP_ID,
    "charset": "utf-8",
    "version": "1.0",
    "out_trade_no": NO,
    "trade_no": "t1",
    "seller_id": SELLER,
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "1234.56",
    "gmt_payment": "2026-11-21 10:00:00",
    "subject": "社保费 100% & a=b+c",
    "fund_bill_list": '[{"amount":"1234.56","fundChannel":"PCREDIT"}]',
    "body": "",
    "something_new": "",
}
PERSON = RealName(name="张三", id_number="310101199801011234")


@pytest.fixture(scope="module")
def there():
    with wire.wire() as it:
        yield it


@pytest.fixture(scope="module")
def client(there):
    line = Line(provider="alipay", base_url=there.url + "/gateway.do")
    yield AlipayClient(line=line, app_id=APP_ID, private_key=wire.key("app"), alipay_public_key=wire.key("alipay").public_key())
    line.close()


@pytest.fixture(scope="module")
def pay(client):
    return AlipayPay(client=client, seller_id=SELLER, notify_url="https://example.com/webhooks/alipay/a")


@pytest.fixture(scope="module")
def oracle():
    return Oracle(
        appid=APP_ID,
        app_private_key_string=wire.private_pem("app"),
        alipay_public_key_string=wire.public_pem("alipay"),
        sign_type="RSA2",
        config=AliPayConfig(timeout=10),
    )


@contextmanager
def refusal(word: str):
    with pytest.raises(BadSignature) as trouble:
        yield
    assert trouble.value.reason == word


def opened(raw: bytes) -> dict[str, str]:
    return open_form(raw, wire.key("alipay").public_key())


def news(pay, without: tuple[str, ...] = (), **changes):
    fields = {name: value for name, value in (NOTICE | changes).items() if name not in without}
    return pay.open_notice({}, wire.alipay_form(fields), now=NOW)


# --- notices: the form


def test_a_notice_opens_with_every_field_as_it_was_meant():
    assert opened(wire.alipay_form(NOTICE)) == NOTICE


@pytest.mark.parametrize("charset", ["gbk", "GB2312", "gb18030"])
def test_a_gbk_notice_opens_alike(charset):
    fields = NOTICE | {"charset": charset}

    assert opened(wire.alipay_form(fields, encoding="gb18030")) == fields


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,12}", fullmatch=True).filter(lambda name: name not in {"sign", "sign_type", "charset"}),
        st.text(st.characters(codec="utf-8", exclude_characters="&"), max_size=30),
        max_size=6,
    )
)
def test_the_sdk_agrees_on_what_is_genuine(oracle, fields):
    raw = wire.alipay_form(fields)
    form = dict(urllib.parse.parse_qsl(raw.decode(), keep_blank_values=True))
    signature = form.pop("sign")

    assert oracle.verify(dict(form), signature)
    assert opened(raw) == fields


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(["total_amount", "trade_status", "subject", "body"]), value=st.text("01 +%&=中", max_size=9))
def test_the_sdk_agrees_on_what_is_forged(oracle, name, value):
    raw = wire.alipay_form(NOTICE)
    form = dict(urllib.parse.parse_qsl(raw.decode(), keep_blank_values=True)) | {name: value}
    if value == NOTICE[name]:
        return
    signature = form["sign"]

    with pytest.raises(BadSignature):
        opened(urllib.parse.urlencode(form).encode())
    assert not oracle.verify({key: value for key, value in form.items() if key != "sign"}, signature)


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"", "missing_signature"),
        (b"sign=&sign_type=RSA2&a=b", "missing_signature"),
        (b"sign=eA==&a=b", "unknown_signature_type"),
        (b"sign=eA==&sign_type=RSA&a=b", "unknown_signature_type"),
        (b"sign=eA==&sign_type=RSA2&a=b", "signature"),
        (b"sign=%2&sign_type=RSA2&a=b", "signature"),
        (b"sign=%FF&sign_type=RSA2&a=b", "signature"),
        (b"a=1&a=1&sign=eA==&sign_type=RSA2", "duplicate"),
        (b"sign=eA==&sign=eA==&sign_type=RSA2", "duplicate"),
        ("a=中".encode(), "malformed"),
        (b"&".join(b"a%d=1" % i for i in range(300)), "malformed"),
        (b'{"a":1}', "missing_signature"),
        (wire.alipay_form(NOTICE) + b"&extra=1", "signature"),
        (wire.alipay_form(NOTICE) + b"&extra", "signature"),
        (wire.alipay_form(NOTICE, by="app"), "signature"),
        (wire.alipay_form({"charset": "koi8-r", "a": "b"}), "malformed"),
        (wire.alipay_form({"charset": "utf-8", "a": "中"}, encoding="gbk"), "malformed"),
        (wire.alipay_form({"": "b"}), "malformed"),
    ],
)
def test_what_is_not_a_signed_form_is_refused(raw, word):
    with refusal(word):
        opened(raw)


def test_a_pair_hidden_in_the_value_before_it_is_refused():
    genuine = NOTICE | {"refund_fee": "5.00"}
    signature = dict(urllib.parse.parse_qsl(wire.alipay_form(genuine).decode()))["sign"]
    cut_anew = {k: v for k, v in genuine.items() if k not in {"out_trade_no", "refund_fee"}}
    cut_anew["out_trade_no"] = f"{NO}&refund_fee=5.00"

    with refusal("malformed"):
        opened(urllib.parse.urlencode(cut_anew | {"sign_type": "RSA2", "sign": signature}).encode())


def test_a_plus_in_a_signature_must_arrive_as_one():
    raw = next(raw for raw in (wire.alipay_form({"n": str(n)}) for n in range(50)) if b"%2B" in raw)

    assert opened(raw)
    with refusal("signature"):
        opened(raw.replace(b"%2B", b"+"))


# --- notices: the news


@pytest.mark.parametrize(
    ("changes", "kind", "refunded_total_fen", "happened_at"),
    [
        ({}, NewsKind.PAID, None, NOW),
        ({"refund_fee": "0.00"}, NewsKind.PAID, None, NOW),
        ({"refund_fee": ""}, NewsKind.PAID, None, NOW),
        (
            {"refund_fee": "5.5", "gmt_refund": "2026-11-22 10:00:00.320", "out_biz_no": "RF1"},
            NewsKind.REFUNDED,
            550,
            NOW + timedelta(days=1, milliseconds=320),
        ),
        ({"trade_status": "TRADE_FINISHED"}, NewsKind.PAID, None, NOW),
        (
            {"trade_status": "TRADE_CLOSED", "refund_fee": "1234.56", "gmt_refund": "2026-11-22 10:00:00"},
            NewsKind.REFUNDED,
            123456,
            NOW + timedelta(days=1),
        ),
        (
            {"trade_status": "TRADE_CLOSED", "gmt_payment": "", "gmt_close": "2026-11-22 10:00:00"},
            NewsKind.CLOSED,
            None,
            NOW + timedelta(days=1),
        ),
        ({"trade_status": "TRADE_CLOSED", "gmt_close": "2026-11-22 10:00:00"}, NewsKind.REFUNDED, 123456, NOW + timedelta(days=1)),
        ({"trade_status": "WAIT_BUYER_PAY"}, NewsKind.OTHER, None, None),
        ({"trade_status": "TRADE_PENDING"}, NewsKind.OTHER, None, None),
        ({"notify_type": "dut_user_sign"}, NewsKind.OTHER, None, None),
    ],
)  # fmt: skip
def test_their_words_in_ours(pay, changes, kind, refunded_total_fen, happened_at):
    told = news(pay, **changes)

    assert (told.kind, told.refunded_total_fen, told.happened_at) == (kind, refunded_total_fen, happened_at)
    assert (told.notification_id, told.payment_no) == ("n1", NO)
    assert told.refund_no == (changes.get("out_biz_no"))
    if kind is not NewsKind.OTHER:
        assert (told.amount_fen, told.provider_payment_no) == (123456, "t1")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"app_id": "2021000000000009"}, "wrong_app"),
        ({"seller_id": "2088000000000009"}, "wrong_merchant"),
        ({"total_amount": "1.234"}, "malformed"),
        ({"total_amount": "1e3"}, "malformed"),
        ({"total_amount": "-1.00"}, "malformed"),
        ({"total_amount": "１.00"}, "malformed"),
        ({"total_amount": ""}, "malformed"),
        ({"refund_fee": "x"}, "malformed"),
        ({"gmt_payment": "2026-13-01 00:00:00"}, "malformed"),
        ({"gmt_payment": "0001-01-01 00:00:00"}, "malformed"),
        ({"notify_id": ""}, "malformed"),
        ({"trade_no": ""}, "malformed"),
        ({"out_trade_no": "a\u0000b"}, "malformed"),
        ({"trade_status": ""}, "malformed"),
    ],
)
def test_genuine_yet_not_for_us_or_not_readable(pay, changes, word):
    with refusal(word):
        news(pay, **changes)


@pytest.mark.parametrize("name", ["app_id", "seller_id", "notify_id", "out_trade_no", "total_amount", "trade_status"])
def test_what_a_notice_cannot_do_without(pay, name):
    with pytest.raises(BadSignature):
        news(pay, without=(name,))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(NOTICE)), st.text(st.characters(codec="utf-8"), max_size=12), max_size=4))
def test_whatever_alipay_signs_it_is_news_or_refused(pay, changes):
    try:
        told = news(pay, **changes)
    except BadSignature:
        return
    assert told.kind in NewsKind


# --- requests and answers


def test_a_request_is_signed_and_keeps_people_out_of_its_address(there, pay):
    there.answer = lambda _: wire.alipay_told(
        {"code": "10000", "out_trade_no": NO, "trade_no": "t1"}, method="alipay.trade.create"
    )
    frozen = pay.freeze(
        payment_no=NO, amount_fen=5, description="社保费/十一月", expires_at=NOW, payer_subject="2088123412341234"
    )

    assert pay.open_payment(frozen).handle == "t1"

    asked = there.last
    assert asked.method == "POST"
    assert asked.path == "/gateway.do"
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded;charset=utf-8"
    assert set(asked.form) == {"biz_content"}
    assert asked.query["notify_url"] == "https://example.com/webhooks/alipay/a"
    assert asked.query["charset"] == "utf-8"
    pairs = asked.query | asked.form
    signature = pairs.pop("sign")
    wire.verifies("app", signature, "&".join(f"{k}={v}" for k, v in sorted(pairs.items())).encode())
    assert json.loads(pairs["biz_content"]) == {
        "out_trade_no": NO,
        "total_amount": "0.05",
        "subject": "社保费 十一月",
        "product_code": "JSAPI_PAY",
        "op_app_id": APP_ID,
        "seller_id": SELLER,
        "time_expire": "2026-11-21 10:00:00",
        "buyer_id": "2088123412341234",
    }
    told_time = datetime.strptime(pairs["timestamp"] + "+0800", "%Y-%m-%d %H:%M:%S%z")
    assert abs(told_time - datetime.now(UTC)) < timedelta(seconds=30)


def test_a_buyer_under_an_open_id_is_named_so(pay):
    frozen = pay.freeze(payment_no=NO, amount_fen=1, description="费", expires_at=NOW, payer_subject="074a1CcTG1LelxKe4")

    assert json.loads(frozen)["content"]["buyer_open_id"] == "074a1CcTG1LelxKe4"


QUERY = "alipay.trade.query"
TRADE = {"code": "10000", "out_trade_no": NO, "trade_no": "t1", "total_amount": "10.00"}


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        ({"trade_status": "WAIT_BUYER_PAY"}, NewsKind.NOT_PAID),
        ({"trade_status": "TRADE_SUCCESS", "send_pay_date": "2026-11-21 10:00:00"}, NewsKind.PAID),
        ({"trade_status": "TRADE_FINISHED", "send_pay_date": "2026-11-21 10:00:00"}, NewsKind.PAID),
        ({"trade_status": "TRADE_CLOSED"}, NewsKind.CLOSED),
        ({"trade_status": "TRADE_CLOSED", "send_pay_date": "2026-11-21 10:00:00"}, NewsKind.REFUNDED),
        ({"trade_status": "TRADE_CLOSED", "refund_fee": "10.00"}, NewsKind.REFUNDED),
        ({"trade_status": "TRADE_NEW"}, NewsKind.OTHER),
    ],
)
def test_the_answers_words_in_ours(there, pay, inner, kind):
    there.answer = lambda _: wire.alipay_told(TRADE | inner, method=QUERY)

    told = pay.ask(NO)

    assert (told.kind, told.amount_fen, told.provider_payment_no) == (kind, 1000, "t1")
    assert told.refunded_total_fen == (1000 if kind is NewsKind.REFUNDED else None)
    assert told.notification_id == f"query:{NO}:{kind}:t1"


@pytest.mark.parametrize(
    "inner",
    [
        b'{"code":"10000","out_trade_no":"%s","trade_status":"WAIT_BUYER_PAY","subject":"a } b {{ \\" ,\\"sign\\":\\"x"}',
        b'{"code":"10000","out_trade_no":"%s","trade_status":"WAIT_BUYER_PAY","url":"https:\\/\\/a\\/b"}',
        b'{ "code" : "10000",\n "out_trade_no":"%s", "trade_status":"WAIT_BUYER_PAY","deep":{"sign":"x","a":[{}]}}',
        '{"code":"10000","out_trade_no":"%s","trade_status":"WAIT_BUYER_PAY","subject":"社保费"}'.encode("gb18030"),
    ],
)
def test_an_answer_is_verified_as_it_was_written(there, pay, inner):
    there.answer = lambda _: wire.alipay_told(inner.replace(b"%s", NO.encode()), method=QUERY)

    assert pay.ask(NO).kind is NewsKind.NOT_PAID


def test_the_order_of_an_answers_parts_does_not_matter():
    inner = b'{"code":"10000"}'
    signature = wire.signed("alipay", inner).replace("/", "\\/").encode()
    raw = b'{"sign":"' + signature + b'", "alipay_cert_sn":"c" ,"a_response" : ' + inner + b" }"

    answer = open_answer(raw, "a_response", wire.key("alipay").public_key())

    assert answer.is_signed
    assert answer.inner == {"code": "10000"}


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80) | st.text(max_size=60).map(lambda text: ('{"a_response":' + text).encode("utf-8", "replace")))
def test_whatever_answers_it_is_read_or_unreadable(raw):
    try:
        answer = open_answer(raw, "a_response", wire.key("alipay").public_key())
    except Unreadable:
        return
    assert not answer.is_signed


@pytest.mark.parametrize(
    "body",
    [
        b'{"alipay_trade_query_response":{"code":"10000","trade_status":"TRADE_SUCCESS"}}',
        b'{"alipay_trade_query_response":{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}}',
        b'{"error_response":{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}}',
        b'{"error_response":{"code":"20000","sub_code":"isp.unknow-error"}}',
        b'{"error_response":{"code":"20000","sub_code":"isv.odd"}}',
        b'{"error_response":{}}',
        b'{"alipay_trade_query_response":{"code":"10000"},"alipay_trade_query_response":{},"sign":"a"}',
        b'{"alipay_trade_query_response":[],"sign":"a"}',
        b'{"alipay_trade_query_response":{},"sign":[]}',
        b'{"alipay_trade_query_response":' + b"[" * 50_000,
        b"",
        b"\xff\xfe",
    ],
)
def test_what_is_not_signed_does_not_tell_how_a_trade_stands(there, pay, body):
    there.answer = lambda _: wire.Told(200, body)

    with pytest.raises(ProviderUnreachable):
        pay.ask(NO)


@pytest.mark.parametrize("sub_code", ["ACQ.SYSTEM_ERROR", "isp.unknow-error", "aop.ACQ.SYSTEM_ERROR"])
def test_a_signed_do_not_know_is_one(there, pay, sub_code):
    there.answer = lambda _: wire.alipay_told({"code": "40004", "sub_code": sub_code}, method=QUERY)

    with pytest.raises(ProviderUnreachable):
        pay.ask(NO)


def test_a_gbk_error_of_the_gateway_is_read(there, pay):
    body = '{"error_response":{"code":"40002","msg":"参数无效","sub_code":"isv.invalid-signature"}}'.encode("gbk")
    there.answer = lambda _: wire.Told(200, body)

    with pytest.raises(ProviderRefused) as refusal:
        pay.ask(NO)
    assert (refusal.value.code, refusal.value.permanent) == ("isv.invalid-signature", False)


def test_an_answer_about_another_trade_is_no_answer(there, pay):
    there.answer = lambda _: wire.alipay_told(TRADE | {"out_trade_no": "X", "trade_status": "TRADE_CLOSED"}, method=QUERY)

    with pytest.raises(ProviderUnreachable):
        pay.ask(NO)


def test_opening_what_was_already_paid_makes_the_house_ask(there, pay):
    there.answer = lambda _: wire.alipay_told(
        {"code": "40004", "sub_code": "ACQ.TRADE_HAS_SUCCESS"}, method="alipay.trade.create"
    )
    frozen = pay.freeze(payment_no=NO, amount_fen=1, description="费", expires_at=NOW, payer_subject="o")

    with pytest.raises(ProviderUnreachable):
        pay.open_payment(frozen)


# --- sign-in and face


def a_gateway(there, **inner_by_method):
    def answer(asked):
        method = asked.query["method"]
        return wire.alipay_told(inner_by_method[method.rsplit(".", 2)[-2]], method=method)

    there.answer = answer


@pytest.mark.parametrize(
    ("ids", "subject"),
    [
        ({"open_id": "074a1C"}, "074a1C"),
        ({"user_id": "2088123412341234"}, "2088123412341234"),
        ({"open_id": "074a1C", "user_id": "2088123412341234"}, "074a1C"),
    ],
)
def test_a_code_becomes_an_identity(there, client, ids, subject):
    a_gateway(there, oauth={"access_token": "at", "union_id": "u", **ids})

    identity = AlipayLogin(client=client).sign_in("code-1")

    assert (identity.subject, identity.union_subject, identity.real_name) == (subject, "u", None)
    assert there.last.form == {"grant_type": "authorization_code", "code": "code-1"}


def test_a_used_code_is_refused_for_good(there, client):
    there.answer = lambda _: wire.Told(200, b'{"error_response":{"code":"40002","sub_code":"isv.code-invalid"}}')

    with pytest.raises(ProviderRefused) as refusal:
        AlipayLogin(client=client).sign_in("used")
    assert (refusal.value.code, refusal.value.permanent) == ("isv.code-invalid", True)


@pytest.mark.parametrize(
    ("share", "name"),
    [
        ({"code": "10000", "user_name": "张三", "cert_type": "0", "cert_no": "310101199801011234"}, PERSON),
        ({"code": "10000", "user_name": "张三", "cert_no": "310101199801011234", "is_certified": "T"}, PERSON),
        ({"code": "10000", "user_name": "张三", "cert_no": "310101199801011234", "is_certified": "F"}, None),
        ({"code": "10000", "user_name": "张三", "cert_type": "1", "cert_no": "E1"}, None),
        ({"code": "10000", "user_name": "*三", "cert_no": "3***4"}, None),
        ({"code": "10000", "nick_name": "小三"}, None),
        ({"code": "40006", "sub_code": "isv.insufficient-user-permissions"}, None),
    ],
)
def test_a_real_name_comes_only_where_alipay_vouches_for_it(there, client, share, name):
    a_gateway(there, oauth={"open_id": "o", "access_token": "at"}, info=share)

    identity = AlipayLogin(client=client, with_real_name=True).sign_in("c")

    assert identity.real_name == name
    assert there.last.form == {"auth_token": "at"}
    assert "张三" not in repr(identity)


def test_a_face_check_starts_under_our_number(there, client):
    a_gateway(there, verification={"code": "10000", "certify_id": "C1", "page_url": "https://a/b"})

    started = AlipayFace(client=client).start(PERSON, check_no="F1", subject="o")

    assert (started.reference, started.launch) == ("C1", {"certifyId": "C1", "url": "https://a/b"})
    content = json.loads(there.last.form["biz_content"])
    assert content == {
        "outer_order_no": "F1",
        "biz_code": "DATA_DIGITAL_BIZ_CODE_FACE_VERIFICATION",
        "identity_type": "CERT_INFO",
        "cert_type": "IDENTITY_CARD",
        "cert_name": "张三",
        "cert_no": "310101199801011234",
    }
    assert "310101" not in there.last.target


@pytest.mark.parametrize(
    ("inner", "verdict"),
    [
        ({"certify_state": "PROCESSING"}, FaceVerdict.PENDING),
        ({"certify_state": "SUCCESS"}, FaceVerdict.PASSED),
        ({"certify_state": "FAIL"}, FaceVerdict.FAILED),
        ({"certify_state": "success"}, FaceVerdict.FAILED),
        ({"code": "40004", "sub_code": "CERTIFY_ID_EXPIRED"}, FaceVerdict.EXPIRED),
    ],
)
def test_a_face_passes_only_on_success(there, client, inner, verdict):
    a_gateway(there, verification={"code": "10000"} | inner)

    assert AlipayFace(client=client).ask("C1", PERSON, check_no="F1", subject="o").verdict is verdict


# --- manners


def test_importing_the_sdk_leaves_our_log_handlers_alone():
    story = (
        "import logging, logging.handlers as h; m = h.MemoryHandler(9, target=logging.NullHandler());"
        "logging.getLogger().addHandler(m); import providers.alipay.client;"
        "assert m.target is not None; assert not logging.getLogger('python-alipay-sdk').handlers"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", story], check=True)


def test_nothing_is_logged_of_what_is_said(there, client, caplog):
    a_gateway(there, verification={"code": "10000", "certify_state": "SUCCESS"})
    caplog.set_level(logging.DEBUG)

    AlipayFace(client=client).ask("C1", PERSON, check_no="F1", subject="o")

    assert caplog.text == ""
