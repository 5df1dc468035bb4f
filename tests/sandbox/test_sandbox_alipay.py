import base64
import json
import urllib.parse
from datetime import datetime, timedelta

import pytest
import requests
from alipay.exceptions import AliPayException
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from sandbox_story import opened

from sandbox.core import BEIJING

APP, SELLER = "2021003204000001", "2088003204000001"


class ByHand:
    """Builds Alipay requests parameter by parameter."""

    def __init__(self, url, secrets):
        self.url = f"{url}/gateway.do"
        self.key = serialization.load_pem_private_key((secrets / f"alipay-{APP}-app-private-key.pem").read_bytes(), None)

    def call(self, method, biz, *, charset_in_query=True, minutes=0, spoil=False, **more):
        stamp = datetime.now(BEIJING) + timedelta(minutes=minutes)
        common = {
            "app_id": APP,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "version": "1.0",
            **more,
        }
        common["timestamp"] = f"{stamp:%Y-%m-%d %H:%M:%S}"
        content = json.dumps(biz, ensure_ascii=False)
        signed = "&".join(f"{k}={v}" for k, v in sorted({**common, "biz_content": content}.items()) if v != "")
        signature = self.key.sign(signed.encode() + (b" " if spoil else b""), padding.PKCS1v15(), hashes.SHA256())
        common["sign"] = base64.b64encode(signature).decode()
        body = {"biz_content": content}
        if not charset_in_query:
            body["charset"] = common.pop("charset")
        query = urllib.parse.urlencode(common)
        headers = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
        return requests.post(f"{self.url}?{query}", data=urllib.parse.urlencode(body).encode(), headers=headers, timeout=10)


@pytest.fixture
def by_hand(sandbox, secrets, letterbox):
    letterbox.answer = (200, b"success")
    return ByHand(sandbox.url, secrets)


@pytest.fixture
def trade(buyer):
    def make(number="SB1", **changes):
        return {
            "out_trade_no": number,
            "total_amount": "380.00",
            "subject": "社保费",
            "product_code": "JSAPI_PAY",
            "op_app_id": APP,
            "buyer_open_id": buyer["subject"],
        } | changes

    return make


def inner(answer):
    told = answer.json()
    return next(value for name, value in told.items() if name != "sign")


def test_a_paid_trade_is_told_and_the_rest_of_its_life_too(ali, ali_pay, remote, letterbox, secrets):
    letterbox.answer = (200, b"success")
    assert ali_pay("SB1")["resultCode"] == "9000"
    assert remote.wait_until_delivered()
    paid = opened(letterbox.letters[0]["body"], secrets)
    assert (paid["trade_status"], paid["total_amount"], paid["seller_id"], paid["subject"]) == (
        "TRADE_SUCCESS",
        "380.00",
        SELLER,
        "社保费",
    )
    assert paid["body"] == ""
    assert paid["sandbox_note"] == "新字段，可忽略 + & = %"
    assert "refund_fee" not in paid
    assert ali.api_alipay_trade_query("SB1")["trade_status"] == "TRADE_SUCCESS"

    part = ali.api_alipay_trade_refund("80.00", out_trade_no="SB1", out_request_no="RF1")
    repeated = ali.api_alipay_trade_refund("80.00", out_trade_no="SB1", out_request_no="RF1")
    rest = ali.api_alipay_trade_refund("300.00", out_trade_no="SB1", out_request_no="RF2")

    assert (part["fund_change"], part["refund_fee"]) == ("Y", "80.00")
    assert (repeated["fund_change"], repeated["refund_fee"]) == ("N", "80.00")
    assert (rest["fund_change"], rest["refund_fee"]) == ("Y", "380.00")
    assert ali.api_alipay_trade_fastpay_refund_query("RF1", out_trade_no="SB1")["refund_status"] == "REFUND_SUCCESS"
    assert "refund_status" not in ali.api_alipay_trade_fastpay_refund_query("RF9", out_trade_no="SB1")
    assert remote.wait_until_delivered()
    back = [opened(each["body"], secrets) for each in letterbox.letters[1:]]
    assert sorted((each["trade_status"], each["refund_fee"], each["out_biz_no"]) for each in back) == [
        ("TRADE_CLOSED", "380.00", "RF2"),
        ("TRADE_SUCCESS", "80.00", "RF1"),
    ]
    assert remote.money()[f"alipay:{SELLER}"] == 0
    assert ali.api_alipay_trade_query("SB1")["trade_status"] == "TRADE_CLOSED"


def test_closing_an_unpaid_trade_is_told_without_refund_fee(ali, ali_pay, remote, letterbox, secrets):
    letterbox.answer = (200, b"success")
    assert ali_pay("SB2", outcome="cancel")["resultCode"] == "6001"

    assert ali.api_alipay_trade_close("SB2")["code"] == "10000"

    assert remote.wait_until_delivered()
    closed = opened(letterbox.letters[0]["body"], secrets)
    assert closed["trade_status"] == "TRADE_CLOSED"
    assert not {"refund_fee", "gmt_payment"} & set(closed)
    assert ali.api_alipay_trade_close("SB2")["sub_code"] == "ACQ.REASON_TRADE_STATUS_INVALID"
    assert ali.api_alipay_trade_query("NOSUCH")["sub_code"] == "ACQ.TRADE_NOT_EXIST"


def test_sign_in_gives_an_open_id_once_and_the_name_only_where_it_was_granted(ali, remote):
    known = remote.make_user(APP, label="某丙", real_name={"name": "某丙", "id_number": "32040019900307002X"})
    shy = remote.make_user(APP, label="某丁")
    code = remote.make_code(APP, known["user_id"])

    signed_in = ali.server_api("alipay.system.oauth.token", grant_type="authorization_code", code=code)

    assert signed_in["open_id"] == known["subject"]
    assert "user_id" not in signed_in
    shared = ali.server_api("alipay.user.info.share", auth_token=signed_in["access_token"])
    assert (shared["user_name"], shared["cert_no"]) == ("某丙", "32040019900307002X")
    with pytest.raises(AliPayException, match=r"code-invalid|授权码"):
        ali.server_api("alipay.system.oauth.token", grant_type="authorization_code", code=code)
    other = ali.server_api(
        "alipay.system.oauth.token", grant_type="authorization_code", code=remote.make_code(APP, shy["user_id"])
    )
    assert "user_name" not in ali.server_api("alipay.user.info.share", auth_token=other["access_token"])


def test_post_with_charset_in_the_query_is_understood_and_slashes_come_escaped(by_hand, trade, letterbox):
    answer = by_hand.call("alipay.trade.create", trade(), notify_url=f"{letterbox.url}/n")
    by_hand.call("alipay.trade.create", trade("SB3", passback_params="a%2Fb"), notify_url=f"{letterbox.url}/n")

    assert inner(answer)["code"] == "10000"
    assert answer.headers["Content-Type"] == "text/html;charset=utf-8"


def test_without_charset_in_the_query_everything_turns_gbk(by_hand, trade, remote, letterbox, secrets):
    answer = by_hand.call("alipay.trade.create", trade(subject="abc"), charset_in_query=False, notify_url=f"{letterbox.url}/n")

    assert answer.headers["Content-Type"] == "text/html;charset=gbk"
    remote.pay("alipay", "SB1")
    assert remote.wait_until_delivered()
    assert opened(letterbox.letters[0]["body"], secrets)["charset"] == "gbk"


@pytest.mark.parametrize(
    ("wrong", "sub_code"),
    [
        ({"spoil": True}, "isv.invalid-signature"),
        ({"minutes": 11}, "isv.invalid-timestamp"),
        ({"minutes": -480}, "isv.invalid-timestamp"),
        ({"version": "2.0"}, "isv.invalid-parameter"),
        ({"app_id": "2021000000000000"}, "isv.invalid-app-id"),
    ],
)
def test_what_the_gateway_refuses_is_answered_unsigned(by_hand, trade, wrong, sub_code):
    told = by_hand.call("alipay.trade.create", trade(), **wrong).json()

    assert told["error_response"]["sub_code"] == sub_code
    assert "sign" not in told


@pytest.mark.parametrize(
    ("changes", "sub_code"),
    [
        ({"out_trade_no": "SB-1"}, "ACQ.INVALID_PARAMETER"),
        ({"total_amount": "380"}, "ACQ.INVALID_PARAMETER"),
        ({"total_amount": "380.0"}, "ACQ.INVALID_PARAMETER"),
        ({"total_amount": 380.00}, "ACQ.INVALID_PARAMETER"),
        ({"subject": "a=b"}, "ACQ.INVALID_PARAMETER"),
        ({"product_code": "QUICK_MSECURITY_PAY"}, "ACQ.PRODUCT_NOT_SUPPORT_IN_TINY_APP"),
        ({"op_app_id": None}, "ACQ.OPEN_ID_NOT_TINY_APP"),
        ({"buyer_open_id": "stranger"}, "ACQ.BUYER_NOT_EXIST"),
        ({"buyer_id": "2088000000000001"}, "ACQ.INVALID_PARAMETER"),
    ],
)
def test_a_trade_out_of_order_is_refused(by_hand, trade, changes, sub_code):
    assert inner(by_hand.call("alipay.trade.create", trade(**changes)))["sub_code"] == sub_code


def test_the_same_trade_twice_is_the_same_and_a_changed_one_is_inconsistent(by_hand, trade):
    first, second = (inner(by_hand.call("alipay.trade.create", trade())) for _ in range(2))
    changed = inner(by_hand.call("alipay.trade.create", trade(total_amount="381.00")))

    assert first["trade_no"] == second["trade_no"]
    assert changed["sub_code"] == "ACQ.CONTEXT_INCONSISTENT"


def test_both_face_checks_end_as_the_person_decides(ali, remote):
    who = {"identity_type": "CERT_INFO", "cert_type": "IDENTITY_CARD", "cert_name": "某甲", "cert_no": "320400199003070011"}
    face = "datadigital.fincloud.generalsaas.face.verification"
    begun = ali.server_api(
        f"{face}.initialize", biz_content={"outer_order_no": "F1", "biz_code": "DATA_DIGITAL_BIZ_CODE_FACE_VERIFICATION", **who}
    )
    other = ali.server_api(
        "alipay.user.certify.open.initialize",
        biz_content={
            "outer_order_no": "F2",
            "biz_code": "FACE",
            "identity_param": who,
            "merchant_config": {"return_url": "alipays://x"},
        },
    )

    assert ali.server_api(f"{face}.query", biz_content={"certify_id": begun["certify_id"]})["certify_state"] == "PROCESSING"
    remote.decide_face(begun["certify_id"])
    remote.decide_face(other["certify_id"], "failed")

    assert ali.server_api(f"{face}.query", biz_content={"certify_id": begun["certify_id"]})["certify_state"] == "SUCCESS"
    assert ali.server_api("alipay.user.certify.open.query", biz_content={"certify_id": other["certify_id"]})["passed"] == "F"
