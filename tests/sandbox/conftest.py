"""A sandbox for each story, from keys made once, and a letterbox that stands where Canbao's would."""

import json
import shutil
import threading
import time
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from alipay import AliPay
from alipay.utils import AliPayConfig
from wechatpayv3 import WeChatPay, WeChatPayType

from sandbox import serve_in_thread
from sandbox.core import BEIJING
from sandbox.keys import issue
from sandbox.remote import Sandbox
from sandbox.world import WORLD

WX_APP = "wx3204000000000001"
MCHID = "1900003204"
ALI_APP = "2021003204000001"
SELLER = "2088003204000001"


class Letterbox:
    """Keeps what was posted, and answers as told: `answers` is used up first, then `answer`."""

    def __init__(self):
        self.letters = []
        self.answers = []
        self.answer = (204, b"")
        self._lock = threading.Lock()
        box = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, content = box.take({"path": self.path, "headers": self.headers, "body": body})
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if content:
                    self.wfile.write(content)

            do_GET = do_POST  # noqa: N815 - the same

            def log_message(self, *_):
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, letter):
        with self._lock:
            self.letters.append(letter)
            return self.answers.pop(0) if self.answers else self.answer

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(scope="session")
def issued(tmp_path_factory):
    """Keys take a second to make; every story starts from a copy of the same ones."""
    home, secrets = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("secrets")
    issue(home, secrets, WORLD)
    return home, secrets


@pytest.fixture
def secrets(issued):
    return issued[1]


@pytest.fixture
def home(issued, tmp_path):
    shutil.copytree(issued[0], tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def letterbox():
    box = Letterbox()
    yield box
    box.close()


@pytest.fixture
def sandbox(home, letterbox):
    with serve_in_thread(home, notice_time_scale=0.002, letterbox_url=letterbox.url) as running:
        yield running


@pytest.fixture
def remote(sandbox):
    client = Sandbox(sandbox.url)
    yield client
    client.close()


@pytest.fixture
def wx(sandbox, secrets, letterbox):
    """An independent client: wechatpayv3, pointed here."""
    return wechat_client(sandbox.url, secrets, letterbox.url)


def wechat_client(url, secrets, letterbox_url, **wishes):
    read = {
        name: (secrets / f"wechat-pay-{MCHID}-{name}").read_text()
        for name in ("merchant-private-key.pem", "apiv3-key.txt", "public-key.pem")
    }
    client = WeChatPay(
        WeChatPayType.MINIPROG,
        MCHID,
        read["merchant-private-key.pem"],
        wishes.get("serial", "3204000000000000000000000000000000003204"),
        WX_APP,
        read["apiv3-key.txt"],
        notify_url=f"{letterbox_url}/webhooks/wechat-pay/jiangsu-tax-wechat",
        public_key=read["public-key.pem"],
        public_key_id="PUB_KEY_ID_0119000032042026112200000001",
        timeout=(3, 10),
    )
    client._core._gate_way = url
    return client


@pytest.fixture
def ali(sandbox, secrets, letterbox):
    """An independent client: python-alipay-sdk, pointed here, on Beijing time as its users are told to be."""
    client = BeijingAliPay(
        appid=ALI_APP,
        app_notify_url=f"{letterbox.url}/webhooks/alipay/jiangsu-tax-alipay",
        app_private_key_string=(secrets / f"alipay-{ALI_APP}-app-private-key.pem").read_text(),
        alipay_public_key_string=(secrets / f"alipay-{ALI_APP}-alipay-public-key.pem").read_text(),
        config=AliPayConfig(timeout=10),
    )
    client._gateway = f"{sandbox.url}/gateway.do"
    return client


class BeijingAliPay(AliPay):
    def build_body(self, *args, **kwargs):
        return super().build_body(*args, **kwargs) | {"timestamp": f"{datetime.now(BEIJING):%Y-%m-%d %H:%M:%S}"}


@pytest.fixture
def payer(remote):
    return remote.make_user(WX_APP, label="某甲")


@pytest.fixture
def buyer(remote):
    return remote.make_user(ALI_APP, label="某乙")


@pytest.fixture
def wx_pay(wx, remote, payer):
    """Order and pay on WeChat; gives what the cashier said."""

    def pay(number, fen=38000, outcome="pay"):
        status, text = wx.pay(
            "城乡居民基本医疗保险费", number, {"total": fen, "currency": "CNY"}, payer={"openid": payer["subject"]}
        )
        assert status == 200, text
        return remote.pay_on_wechat(WX_APP, payer["user_id"], launch(wx, json.loads(text)["prepay_id"]), outcome=outcome)

    return pay


def launch(wx, prepay_id):
    stamp, nonce, package = str(int(time.time())), "n0nce", f"prepay_id={prepay_id}"
    return {
        "timeStamp": stamp,
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": wx.sign([WX_APP, stamp, nonce, package]),
    }


@pytest.fixture
def ali_pay(ali, remote, buyer):
    """Order and pay on Alipay; gives what the cashier said."""

    def pay(number, yuan="380.00", outcome="pay"):
        told = ali.api_alipay_trade_create(
            "社保费", number, yuan, product_code="JSAPI_PAY", op_app_id=ALI_APP, buyer_open_id=buyer["subject"]
        )
        assert told["code"] == "10000", told
        return remote.pay_on_alipay(ALI_APP, buyer["user_id"], {"tradeNO": told["trade_no"]}, outcome=outcome)

    return pay
