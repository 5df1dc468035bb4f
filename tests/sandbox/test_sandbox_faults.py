import json
import time

import pytest
import requests
from sandbox_story import opened
from wechatpayv3.utils import aes_decrypt

from sandbox.wechat_pay_words import SIGNTEST

APP, MCHID, ALI_APP = "wx3204000000000001", "1900003204", "2021003204000001"
PUBLIC_KEY_ID = "PUB_KEY_ID_0119000032042026112200000001"


def accepts(wx, letter):
    """What a careful merchant does: the key that is named, the five-minute window, then the SDK."""
    if abs(time.time() - int(letter["headers"]["Wechatpay-Timestamp"])) >= 300:
        return None
    return wx.callback(letter["headers"], letter["body"])


def unsealed(letter, secrets):
    body = json.loads(letter["body"])
    sealed = {name: body["resource"][name] for name in ("nonce", "ciphertext", "associated_data")}
    return body, json.loads(aes_decrypt(**sealed, apiv3_key=(secrets / f"wechat-pay-{MCHID}-apiv3-key.txt").read_text()))


@pytest.fixture
def paid_with(remote, wx_pay, letterbox):
    """Pay one order under these faults and give the letters that came of it."""

    def play(*faults, number="SB2026112200000077"):
        for fault in faults:
            name, value = fault if isinstance(fault, tuple) else (fault, None)
            remote.misbehave(number, name, value)
        wx_pay(number)
        assert remote.wait_until_delivered()
        return letterbox.letters

    return play


@pytest.mark.parametrize("probe", ["forged", "signtest", "stale"])
def test_a_probe_comes_first_and_the_truth_follows(paid_with, wx, remote, letterbox, probe):
    letterbox.answers = [(401, b"")]

    letters = paid_with(probe)

    assert [accepts(wx, each) is not None for each in letters] == [False, True]
    assert remote.state()["probes"] == {probe: {"sent": 1, "accepted": 0}}
    if probe == "signtest":
        assert letters[0]["headers"]["Wechatpay-Signature"].startswith(SIGNTEST)


def test_duplicates_and_parallels_share_their_number(paid_with, secrets):
    letters = paid_with(("duplicate", 2), ("parallel", 3))

    assert len(letters) == 5
    assert len({unsealed(each, secrets)[0]["id"] for each in letters}) == 1
    assert len({each["headers"]["Wechatpay-Nonce"] for each in letters}) == 5


def test_a_lost_notice_never_comes_but_the_money_is_there(paid_with, wx, remote):
    assert paid_with("lost") == []
    assert remote.money()[f"wechat_pay:{MCHID}"] == 38000


def test_a_late_notice_comes_later(remote, wx_pay, letterbox):
    remote.misbehave("SB2026112200000078", "late", 0.6)

    wx_pay("SB2026112200000078")

    time.sleep(0.2)
    assert letterbox.letters == []
    assert remote.wait_until_delivered()
    assert len(letterbox.letters) == 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (("wrong_amount", 37999), lambda resource: resource["amount"]["total"] == 37999),
        ("wrong_currency", lambda resource: resource["amount"]["currency"] == "USD"),
        ("wrong_app", lambda resource: resource["appid"] != APP),
        ("wrong_merchant", lambda resource: resource["mchid"] != MCHID),
    ],
)
def test_an_authentic_notice_may_say_something_wrong(paid_with, wx, fault, told):
    letter = paid_with(fault)[0]

    assert told(accepts(wx, letter)["resource"])


def test_a_wrong_amount_is_what_the_account_and_the_query_say_too(paid_with, wx, remote):
    paid_with(("wrong_amount", 1))

    assert json.loads(wx.query(out_trade_no="SB2026112200000077")[1])["amount"]["total"] == 1
    assert remote.money()[f"wechat_pay:{MCHID}"] == 1


def test_a_refund_may_be_told_before_the_payment(paid_with, wx, remote):
    letters = paid_with(("refund_before_success", 8000))

    assert [accepts(wx, each)["event_type"] for each in letters] == ["REFUND.SUCCESS", "TRANSACTION.SUCCESS"]
    assert remote.money()[f"wechat_pay:{MCHID}"] == 30000


def test_both_kinds_of_key_sign_notices(paid_with, wx):
    letter = paid_with("certificate_key")[0]

    assert letter["headers"]["Wechatpay-Serial"] == "5157F09EFDC096DE15EBE81A47057A7200003204"
    assert wx.callback(letter["headers"], letter["body"])["event_type"] == "TRANSACTION.SUCCESS"


def test_retries_keep_the_number_and_sign_afresh_until_the_status_is_right(paid_with, letterbox, secrets, remote):
    letterbox.answers = [(500, b""), (302, b""), (201, b""), (200, b'{"code":"FAIL"}')]

    letters = paid_with()

    assert len(letters) == 4
    assert len({unsealed(each, secrets)[0]["id"] for each in letters}) == 1
    assert len({each["headers"]["Wechatpay-Signature"] for each in letters}) == 4
    order = remote.order("wechat_pay", "SB2026112200000077")
    assert order["notices"] == {"sent": 4, "acked": 1, "pending": 0, "last_status": "200"}


def test_alipay_wants_the_seven_bytes(remote, ali_pay, letterbox):
    letterbox.answers = [(200, b"SUCCESS"), (200, b"success\n"), (200, b"success")]

    ali_pay("SB1")

    assert remote.wait_until_delivered()
    assert len(letterbox.letters) == 3


def test_alipay_may_write_gbk_and_may_say_finished(remote, ali_pay, letterbox, secrets):
    letterbox.answer = (200, b"success")
    for fault in ("gbk", "finished_first"):
        remote.misbehave("SB1", fault)

    ali_pay("SB1")

    assert remote.wait_until_delivered()
    told = opened(letterbox.letters[0]["body"], secrets)
    assert (told["charset"], told["subject"], told["trade_status"]) == ("gbk", "社保费", "TRADE_FINISHED")


def test_the_trade_may_close_under_the_payers_fingers(remote, ali_pay, letterbox, secrets):
    letterbox.answer = (200, b"success")
    remote.misbehave("SB1", "closed_notice")

    assert ali_pay("SB1")["resultCode"] == "4000"

    assert remote.wait_until_delivered()
    assert opened(letterbox.letters[0]["body"], secrets)["trade_status"] == "TRADE_CLOSED"
    assert remote.money()["alipay:2088003204000001"] == 0


def test_an_answer_may_be_cut_after_the_work_was_done(wx, payer, remote):
    remote.misbehave("SB2026112200000079", "timeout_after_success", times=1)
    wanted = {"payer": {"openid": payer["subject"]}}

    with pytest.raises(requests.ConnectionError):
        wx.pay("费", "SB2026112200000079", {"total": 1, "currency": "CNY"}, **wanted)

    assert wx.query(out_trade_no="SB2026112200000079")[0] == 200
    assert wx.pay("费", "SB2026112200000079", {"total": 1, "currency": "CNY"}, **wanted)[0] == 200


@pytest.mark.parametrize("fault", ["signtest_response", "bad_signature_response"])
def test_an_answer_may_be_badly_signed(wx, payer, remote, fault):
    remote.misbehave("*", fault, operation="query")
    wx.pay("费", "SB2026112200000080", {"total": 1, "currency": "CNY"}, payer={"openid": payer["subject"]})

    with pytest.raises(Exception, match="failed to verify"):
        wx.query(out_trade_no="SB2026112200000080")


@pytest.mark.parametrize(("fault", "value", "status"), [("server_error", 503, 503), ("rate_limited", None, 429)])
def test_wechat_pay_may_be_unwell(wx, remote, fault, value, status):
    remote.misbehave("SB2026112200000081", fault, value, times=1)

    assert wx.query(out_trade_no="SB2026112200000081")[0] == status
    assert wx.query(out_trade_no="SB2026112200000081")[0] == 404


def test_alipay_may_say_20000_before_or_after_the_work(ali, ali_pay, remote):
    ali_pay("SB1", outcome="cancel")
    ali_pay("SB2", outcome="cancel")
    remote.misbehave("SB1", "code_20000", times=1, operation="close")
    remote.misbehave("SB2", "code_20000", True, times=1, operation="close")

    assert [ali.api_alipay_trade_close(number)["code"] for number in ("SB1", "SB2")] == ["20000", "20000"]

    assert ali.api_alipay_trade_query("SB1")["trade_status"] == "WAIT_BUYER_PAY"
    assert ali.api_alipay_trade_query("SB2")["trade_status"] == "TRADE_CLOSED"


def test_alipay_errors_may_come_in_gbk_and_strings_may_hold_braces(ali, ali_pay, remote):
    ali_pay("SB1", outcome="cancel")
    remote.misbehave("SB1", "gbk_error", times=1)
    with pytest.raises(UnicodeDecodeError):
        ali.api_alipay_trade_query("SB1")

    remote.misbehave("SB1", "brace_in_string", times=1)
    with pytest.raises(Exception, match=r".*"):
        ali.api_alipay_trade_query("SB1")

    assert ali.api_alipay_trade_query("SB1")["code"] == "10000"


def test_chance_is_the_same_for_the_same_seed(remote, wx_pay):
    remote.misbehave_at_random(seed="7", rate=0.5, faults=["lost"])
    numbers = [f"SB20261122{n:08d}" for n in range(12)]

    for number in numbers:
        wx_pay(number)

    assert remote.wait_until_delivered()
    told = {each["out_trade_no"]: each["notices"]["acked"] for each in remote.state()["orders"]}
    lost = [number for number in numbers if not told[number]]
    assert 1 <= len(lost) <= 11
    remote.behave()
    assert remote._ask("GET", "/faults") == {"faults": [], "random": None}


def test_a_refund_may_hang_and_be_decided_later(ali, ali_pay, wx, wx_pay, remote):
    for number in ("SB1", "SB2026112200000082"):
        remote.misbehave(number, "refund_pending")
    ali_pay("SB1")
    wx_pay("SB2026112200000082")

    assert ali.api_alipay_trade_refund("380.00", out_trade_no="SB1")["fund_change"] == "N"
    wx.refund("RF1", {"refund": 38000, "total": 38000, "currency": "CNY"}, out_trade_no="SB2026112200000082")
    assert json.loads(wx.query_refund("RF1")[1])["status"] == "PROCESSING"
    assert remote.money()["alipay:2088003204000001"] == 38000

    assert remote.settle_refund("alipay", "SB1")
    assert remote.settle_refund("wechat_pay", "RF1", state="ABNORMAL")
    assert remote.settle_refund("wechat_pay", "RF1")
    assert not remote.settle_refund("wechat_pay", "RF1")
    assert set(remote.money().values()) == {0}


def test_stray_money_and_resent_notices_are_authentic(remote, wx, wx_pay, letterbox, secrets):
    stray = remote.stray_payment("wechat_pay", MCHID, 12345)
    wx_pay("SB2026112200000083")
    assert remote.wait_until_delivered()

    remote.resend("wechat_pay", "SB2026112200000083", n=2)
    remote.resend("wechat_pay", "SB2026112200000083", fresh=True)

    assert remote.wait_until_delivered()
    assert letterbox.letters[0]["path"] == "/webhooks/wechat-pay/jiangsu-tax-wechat"
    assert accepts(wx, letterbox.letters[0])["resource"]["out_trade_no"] == stray["out_trade_no"]
    assert len({unsealed(each, secrets)[0]["id"] for each in letterbox.letters[1:]}) == 2
