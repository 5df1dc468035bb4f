import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from sandbox_story import ByHandWeChat

from sandbox.wechat_pay_words import SIGNTEST

APP, MCHID = "wx3204000000000001", "1900003204"
SERIAL, PUBLIC_KEY_ID = "3204000000000000000000000000000000003204", "PUB_KEY_ID_0119000032042026112200000001"
PLATFORM_SERIAL = "5157F09EFDC096DE15EBE81A47057A7200003204"


@pytest.fixture
def by_hand(sandbox, secrets):
    return ByHandWeChat(sandbox.url, secrets)


@pytest.fixture
def an_order(payer, letterbox):
    def make(number="SB2026112200000001", **changes):
        return {
            "appid": APP,
            "mchid": MCHID,
            "description": "社保费",
            "out_trade_no": number,
            "notify_url": f"{letterbox.url}/n",
            "amount": {"total": 38000, "currency": "CNY"},
            "payer": {"openid": payer["subject"]},
        } | changes

    return make


def verifies(answer, key):
    signature = base64.b64decode(answer.headers["Wechatpay-Signature"])
    message = (
        f"{answer.headers['Wechatpay-Timestamp']}\n{answer.headers['Wechatpay-Nonce']}\n".encode() + answer.content + b"\n"
    )
    key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    return True


def public_key(secrets):
    return serialization.load_pem_public_key((secrets / f"wechat-pay-{MCHID}-public-key.pem").read_bytes())


def test_a_paid_order_is_told_to_the_merchant(wx, wx_pay, remote, letterbox):
    said = wx_pay("SB2026112200000001", 38000)

    assert said["errMsg"] == "requestPayment:ok"
    assert remote.wait_until_delivered()
    opened = wx.callback(letterbox.letters[0]["headers"], letterbox.letters[0]["body"])
    assert opened["event_type"] == "TRANSACTION.SUCCESS"
    assert opened["resource"]["amount"] == {"total": 38000, "payer_total": 38000, "currency": "CNY", "payer_currency": "CNY"}
    assert remote.money()["wechat_pay:1900003204"] == 38000
    status, text = wx.query(out_trade_no="SB2026112200000001")
    assert (status, json.loads(text)["trade_state"]) == (200, "SUCCESS")


def test_an_unpaid_order_is_queried_without_amount_and_closed_once_and_for_all(wx, wx_pay, remote):
    assert wx_pay("SB2026112200000002", outcome="cancel")["errMsg"] == "requestPayment:fail cancel"
    unpaid = json.loads(wx.query(out_trade_no="SB2026112200000002")[1])
    assert unpaid["trade_state"] == "NOTPAY"
    assert not {"amount", "transaction_id", "success_time"} & set(unpaid)

    assert wx.close("SB2026112200000002")[0] == 204
    assert wx.close("SB2026112200000002")[0] == 204

    assert json.loads(wx.query(out_trade_no="SB2026112200000002")[1])["trade_state"] == "CLOSED"
    status, text = wx.query(out_trade_no="NOSUCHORDER")
    assert (status, json.loads(text)["code"]) == (404, "ORDER_NOT_EXIST")


def test_a_paid_order_cannot_be_closed(wx, wx_pay):
    wx_pay("SB2026112200000003")

    status, text = wx.close("SB2026112200000003")

    assert (status, json.loads(text)["code"]) == (400, "ORDER_PAID")


def test_money_goes_back_and_the_refund_is_told(wx, wx_pay, remote, letterbox):
    wx_pay("SB2026112200000004", 38000)
    wishes = {"out_trade_no": "SB2026112200000004", "notify_url": f"{letterbox.url}/refunds"}

    status, text = wx.refund("RF1", {"refund": 8000, "total": 38000, "currency": "CNY"}, **wishes)
    again, same = wx.refund("RF1", {"refund": 8000, "total": 38000, "currency": "CNY"}, **wishes)

    assert (status, again, json.loads(text)["status"]) == (200, 200, "PROCESSING")
    assert json.loads(same)["refund_id"] == json.loads(text)["refund_id"]
    assert json.loads(wx.query_refund("RF1")[1])["status"] == "SUCCESS"
    assert remote.money()["wechat_pay:1900003204"] == 30000
    assert json.loads(wx.query(out_trade_no="SB2026112200000004")[1])["trade_state"] == "REFUND"
    assert remote.wait_until_delivered()
    letter = next(each for each in letterbox.letters if each["path"] == "/refunds")
    resource = wx.callback(letter["headers"], letter["body"])["resource"]
    assert (resource["refund_status"], resource["amount"]["refund"]) == ("SUCCESS", 8000)
    assert "status" not in resource
    assert wx.refund("RF2", {"refund": 30001, "total": 38000, "currency": "CNY"}, **wishes)[0] == 400


def test_the_same_order_asked_twice_is_the_same_and_a_changed_one_is_refused(by_hand, an_order):
    path = "/v3/pay/transactions/jsapi"

    first, second = by_hand.call("POST", path, an_order()), by_hand.call("POST", path, an_order())
    changed = by_hand.call("POST", path, an_order(amount={"total": 38001, "currency": "CNY"}))

    assert first.status_code == second.status_code == 200
    assert first.json()["prepay_id"] != second.json()["prepay_id"]
    assert (changed.status_code, changed.json()["code"]) == (403, "OUT_TRADE_NO_USED")


def test_responses_are_signed_with_the_key_that_the_request_named(by_hand, an_order, secrets, wx):
    path = "/v3/pay/transactions/jsapi"

    modern = by_hand.call("POST", path, an_order())
    old = by_hand.call("POST", path, an_order(), headers={"Wechatpay-Serial": None})
    closed = by_hand.call("POST", f"/v3/pay/transactions/out-trade-no/{an_order()['out_trade_no']}/close", {"mchid": MCHID})

    assert modern.headers["Wechatpay-Serial"] == PUBLIC_KEY_ID
    assert verifies(modern, public_key(secrets))
    assert old.headers["Wechatpay-Serial"] == PLATFORM_SERIAL
    assert closed.status_code == 204
    assert verifies(closed, public_key(secrets))
    assert modern.headers["Request-ID"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"sign_path": "/v3/pay/transactions/other"},
        {"age": 301},
        {"age": -301},
        {"serial": "1111111111111111111111111111111111111111"},
        {"headers": {"Accept": "text/html"}},
        {"headers": {"Content-Type": "text/plain"}},
        {"headers": {"Wechatpay-Serial": "PUB_KEY_ID_9"}},
        {"headers": {"Authorization": "Bearer x"}},
    ],
)
def test_a_request_that_is_not_signed_exactly_is_refused(by_hand, an_order, wrong):
    answer = by_hand.call("POST", "/v3/pay/transactions/jsapi", an_order(), **wrong)

    assert (answer.status_code, answer.json()["code"]) == (401, "SIGN_ERROR")
    assert "Wechatpay-Signature" not in answer.headers


@pytest.mark.parametrize(
    "changes",
    [
        {"out_trade_no": "short"},
        {"out_trade_no": "SB 2026 11 22"},
        {"description": "费" * 128},
        {"amount": {"total": "38000", "currency": "CNY"}},
        {"amount": {"total": 0, "currency": "CNY"}},
        {"amount": {"total": 1, "currency": "USD"}},
        {"payer": {"openid": "stranger"}},
        {"notify_url": "http://example.com/n"},
        {"notify_url": "https://example.com/n?a=1"},
        {"notify_url": "https://10.0.0.1/n"},
        {"time_expire": "2026-11-22 10:00:00"},
        {"appid": "wx6500000000000001"},
        {"mchid": "1900006500"},
    ],
)
def test_a_field_out_of_order_is_named(by_hand, an_order, changes):
    answer = by_hand.call("POST", "/v3/pay/transactions/jsapi", an_order(**changes))

    assert answer.status_code == 400
    assert answer.json()["code"] in {"PARAM_ERROR", "INVALID_REQUEST", "APPID_MCHID_NOT_MATCH"}


def test_the_cashier_takes_only_the_payers_own_well_signed_launch(wx, remote, payer, wx_pay):
    stranger = remote.make_user(APP)
    status, text = wx.pay("费", "SB2026112200000009", {"total": 1, "currency": "CNY"}, payer={"openid": payer["subject"]})
    assert status == 200
    package = f"prepay_id={json.loads(text)['prepay_id']}"
    good = {
        "timeStamp": "1",
        "nonceStr": "n",
        "package": package,
        "signType": "RSA",
        "paySign": wx.sign([APP, "1", "n", package]),
    }

    assert "somebody else" in remote.pay_on_wechat(APP, stranger["user_id"], good)["errMsg"]
    assert "paySign" in remote.pay_on_wechat(APP, payer["user_id"], good | {"nonceStr": "m"})["errMsg"]
    assert remote.pay_on_wechat(APP, payer["user_id"], good)["errMsg"] == "requestPayment:ok"
    assert "PAID" in remote.pay_on_wechat(APP, payer["user_id"], good)["errMsg"]
    assert remote.money()["wechat_pay:1900003204"] == 1


def test_platform_certificates_can_be_downloaded_and_have_the_serial_that_was_issued(wx):
    wx._core._update_certificates()

    assert f"{wx._core._certificates[0].serial_number:040X}" == PLATFORM_SERIAL


def test_probe_signatures_on_responses_begin_as_documented(by_hand, an_order, remote):
    remote.misbehave("SB2026112200000001", "signtest_response", times=1)

    answer = by_hand.call("POST", "/v3/pay/transactions/jsapi", an_order())

    assert answer.status_code == 200
    assert answer.headers["Wechatpay-Signature"].startswith(SIGNTEST)
