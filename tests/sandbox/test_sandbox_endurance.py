import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests
from sandbox_story import MCHID, SELLER, WX_APP, launch, wechat_client

from sandbox import serve_in_thread
from sandbox.core import BEIJING
from sandbox.notices import ALIPAY_GAPS, WECHAT_GAPS
from sandbox.remote import Sandbox


def order_and_pay(wx, remote, user, number, fen):
    status, text = wx.pay("费", number, {"total": fen, "currency": "CNY"}, payer={"openid": user["subject"]})
    assert status == 200, text
    return remote.pay_on_wechat(WX_APP, user["user_id"], launch(wx, json.loads(text)["prepay_id"]))


def test_a_restart_keeps_orders_money_and_what_was_still_to_be_told(home, secrets, letterbox):
    letterbox.answer = (500, b"")
    with serve_in_thread(home, notice_time_scale=0.02, letterbox_url=letterbox.url) as first:
        remote = Sandbox(first.url)
        user = remote.make_user(WX_APP)
        order_and_pay(wechat_client(first.url, secrets, letterbox.url), remote, user, "SB2026112200000001", 38000)
        before = remote.state()
        remote.close()
    assert before["pending_notices"] == 1

    letterbox.answer = (204, b"")
    with serve_in_thread(home, notice_time_scale=0.02, letterbox_url=letterbox.url) as second:
        remote = Sandbox(second.url)
        assert remote.wait_until_delivered()
        after = remote.state()
        remote.close()

    assert after["money"] == before["money"]
    assert after["money"][f"wechat_pay:{MCHID}"] == 38000
    assert after["orders"][0]["notices"]["acked"] == 1


def test_sixteen_at_once_lose_nothing(home, secrets, letterbox):
    with serve_in_thread(home, notice_time_scale=0.002, letterbox_url=letterbox.url) as running:
        remote = Sandbox(running.url)
        wx = wechat_client(running.url, secrets, letterbox.url)
        user = remote.make_user(WX_APP)

        def one(n):
            with_own = Sandbox(running.url)
            said = order_and_pay(wx, with_own, user, f"SB20261122{n // 2:08d}", 100)
            with_own.close()
            return said["errMsg"]

        def safely(n):
            try:
                return one(n)
            except AssertionError as error:
                return str(error)

        with ThreadPoolExecutor(16) as crowd:
            said = list(crowd.map(safely, range(320)))
        assert remote.wait_until_delivered(timeout_seconds=30)
        state = remote.state()
        remote.close()

    # Each number is tried by two: one of them pays.
    assert said.count("requestPayment:ok") == 160
    assert state["money"][f"wechat_pay:{MCHID}"] == 16000
    assert {each["notices"]["acked"] for each in state["orders"]} == {1}
    assert len(letterbox.letters) == 160


@pytest.mark.slow
def test_the_command_says_when_it_is_ready_and_stops_when_told(home, tmp_path):
    ready = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "serve", "--home", str(home), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path.cwd(),
    )
    line = ready.stdout.readline()
    url = line.rsplit(" ", 1)[1].strip()
    remote = Sandbox(url)
    assert remote.state()["orders"] == []
    remote.close()

    ready.send_signal(signal.SIGTERM)

    assert ready.wait(timeout=10) == 0
    ready.stdout.close()


def test_issuing_twice_changes_nothing(home, tmp_path):
    command = [sys.executable, "-m", "sandbox", "issue", "--home", str(home), "--secrets", str(tmp_path / "secrets")]
    subprocess.run(command, check=True, capture_output=True)
    first = {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()}

    subprocess.run(command, check=True, capture_output=True)

    assert {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()} == first
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir()} == {0o600}
    assert len(first[f"wechat-pay-{MCHID}-apiv3-key.txt"]) == 32


def test_patience_is_the_documented_one():
    assert sum(WECHAT_GAPS) == 24 * 3600 + 4 * 60
    assert (len(WECHAT_GAPS), len(ALIPAY_GAPS)) == (15, 7)


@pytest.mark.parametrize(("channel", "tries"), [("wechat_pay", 16), ("alipay", 8)])
def test_whoever_never_acknowledges_is_given_up_in_the_end(home, letterbox, channel, tries):
    letterbox.answer = (200, b"fail") if channel == "alipay" else (500, b"")
    merchant = {"wechat_pay": MCHID, "alipay": SELLER}[channel]
    with serve_in_thread(home, notice_time_scale=1e-6, letterbox_url=letterbox.url) as running:
        remote = Sandbox(running.url)
        stray = remote.stray_payment(channel, merchant, 100)
        assert remote.wait_until_delivered()
        order = remote.order(channel, stray["out_trade_no"])
        remote.close()

    assert len(letterbox.letters) == tries
    assert order["notice_list"][0]["state"] == "gave_up"


def test_what_lasts_a_while_does_not_last_longer(home, secrets, letterbox):
    ahead = [0.0]
    with serve_in_thread(home, clock=lambda: time.time() + ahead[0], letterbox_url=letterbox.url) as running:
        remote = Sandbox(running.url)
        wx = wechat_client(running.url, secrets, letterbox.url)
        user = remote.make_user(WX_APP)
        code = remote.make_code(WX_APP, user["user_id"])
        asked = {
            "out_trade_no": "SB2026112200000001",
            "amount": {"total": 1, "currency": "CNY"},
            "payer": {"openid": user["subject"]},
        }
        prepay_id = json.loads(wx.pay("费", **asked)[1])["prepay_id"]
        brief = (datetime.now(BEIJING) + timedelta(seconds=100)).isoformat(timespec="seconds")
        short = json.loads(wx.pay("费", **asked | {"out_trade_no": "SB2026112200000002"}, time_expire=brief)[1])["prepay_id"]

        ahead[0] = 301
        late = remote.pay_on_wechat(WX_APP, user["user_id"], launch(wx, short))
        answer = requests.get(
            f"{running.url}/wechat-api/sns/jscode2session",
            params={
                "appid": WX_APP,
                "secret": (secrets / f"wechat-{WX_APP}-app-secret.txt").read_text(),
                "js_code": code,
                "grant_type": "authorization_code",
            },
            timeout=5,
        ).json()
        ahead[0] = 7201
        stale = remote.pay_on_wechat(WX_APP, user["user_id"], launch(wx, prepay_id))
        remote.close()

    assert "time to pay is over" in late["errMsg"]
    assert answer["errcode"] == 40029
    assert "expired" in stale["errMsg"]
