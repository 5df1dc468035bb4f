import json

import pytest
import requests
from sandbox_story import ByHandWeChat

NONSENSE = [
    b"",
    b"[]",
    b"null",
    b"\xff\xfe",
    b'{"a":',
    b'{"description":"\\ud800"}',
    b"{}",
    b"[" * 3000,
    b'{"amount":{"total":1e400}}',
]
DOORS = [
    "/_sandbox/users",
    "/_sandbox/codes",
    "/_sandbox/people",
    "/_sandbox/faults",
    "/_sandbox/faults/random",
    "/_sandbox/wechat/cashier",
    "/_sandbox/alipay/cashier",
    "/_sandbox/faces/none",
    "/_sandbox/stray-payments",
    "/_sandbox/demo-people",
    "/_sandbox/demo-people/0/users",
    "/wechat-api/cgi-bin/stable_token",
    "/wechat-api/cityservice/face/identify/getverifyid",
    "/v3/pay/transactions/jsapi",
    "/gateway.do",
    "/gateway.do?app_id=%FF&charset=gbk",
    "/",
]


@pytest.mark.parametrize("door", DOORS)
def test_nonsense_is_refused_and_never_breaks_anything(sandbox, door):
    with requests.Session() as session:
        for body in NONSENSE:
            for kind in ("application/json", "application/x-www-form-urlencoded"):
                answer = session.post(sandbox.url + door, data=body, headers={"Content-Type": kind}, timeout=5)
                assert answer.status_code < 500, (door, body, answer.text[:300])


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": {"total": 10**30, "currency": "CNY"}},
        {"amount": []},
        {"payer": "x"},
        {"description": {}},
        {"attach": []},
        {"notify_url": 1},
        {"time_expire": 1},
    ],
)
def test_well_signed_nonsense_is_a_field_error(sandbox, secrets, payer, letterbox, changes):
    order = {
        "appid": payer["app_id"],
        "mchid": "1900003204",
        "description": "费",
        "out_trade_no": "SB2026112200000001",
        "notify_url": f"{letterbox.url}/n",
        "amount": {"total": 1, "currency": "CNY"},
        "payer": {"openid": payer["subject"]},
    }

    answer = ByHandWeChat(sandbox.url, secrets).call("POST", "/v3/pay/transactions/jsapi", json.dumps(order | changes))

    assert (answer.status_code, answer.json()["code"]) == (400, "PARAM_ERROR")


def test_odd_numbers_in_paths_and_odd_refunds_are_answered_properly(sandbox, secrets, wx_pay):
    by_hand = ByHandWeChat(sandbox.url, secrets)
    wx_pay("SB2026112200000001", 100)
    refund = {
        "out_trade_no": "SB2026112200000001",
        "out_refund_no": "R1",
        "amount": {"refund": 1, "total": 100, "currency": "CNY"},
    }

    assert by_hand.call("GET", "/v3/pay/transactions/out-trade-no/A%7CB%2A1?mchid=1900003204").status_code == 404
    assert by_hand.call("GET", "/v3/pay/transactions/out-trade-no/SB2026112200000001?mchid=1900006500").status_code == 400
    assert by_hand.call("POST", "/v3/refund/domestic/refunds", json.dumps(refund | {"reason": {}})).status_code == 400
    assert by_hand.call("POST", "/v3/refund/domestic/refunds", json.dumps(refund | {"transaction_id": "1"})).status_code == 400
    assert by_hand.call("POST", "/v3/refund/domestic/refunds", json.dumps(refund)).status_code == 200
