import json

import requests
from wechatpayv3 import WeChatPay, WeChatPayType

from sandbox.app import core_of
from sandbox.notices import wait_until_delivered


def post(url, body):
    answer = requests.post(url, json=body, timeout=5)
    assert answer.status_code < 300, answer.text
    return answer.json()


def test_first(sandbox, secrets, letterbox):
    user = post(f"{sandbox.url}/_sandbox/users", {"app_id": "wx3204000000000001", "platform": "wechat"})
    wx = WeChatPay(
        WeChatPayType.MINIPROG,
        "1900003204",
        (secrets / "wechat-pay-1900003204-merchant-private-key.pem").read_text(),
        "3204000000000000000000000000000000003204",
        "wx3204000000000001",
        (secrets / "wechat-pay-1900003204-apiv3-key.txt").read_text(),
        notify_url=f"{letterbox.url}/n",
        public_key=(secrets / "wechat-pay-1900003204-public-key.pem").read_text(),
        public_key_id="PUB_KEY_ID_0119000032042026112200000001",
        timeout=(3, 10),
    )
    wx._core._gate_way = sandbox.url
    status, text = wx.pay(
        "社保费", "SB2026112200000001", {"total": 38000, "currency": "CNY"}, payer={"openid": user["subject"]}
    )
    assert status == 200, text
    package = f"prepay_id={json.loads(text)['prepay_id']}"
    sign = wx.sign(["wx3204000000000001", "1700000000", "nonce", package])
    told = post(
        f"{sandbox.url}/_sandbox/wechat/cashier",
        {
            "app_id": "wx3204000000000001",
            "timeStamp": "1700000000",
            "nonceStr": "nonce",
            "package": package,
            "signType": "RSA",
            "paySign": sign,
            "user_id": user["user_id"],
        },
    )
    assert told["errMsg"] == "requestPayment:ok"
    assert wait_until_delivered(core_of(sandbox.app).store, timeout_seconds=3)
    letter = letterbox.letters[0]
    assert wx.callback(letter["headers"], letter["body"])["resource"]["amount"]["total"] == 38000
    print(requests.get(f"{sandbox.url}/_sandbox/state", timeout=5).text)
