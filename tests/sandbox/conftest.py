"""A sandbox for each story, from keys made once, and a letterbox that stands where Canbao's would."""

import json
import shutil

import pytest
from alipay.utils import AliPayConfig
from sandbox_story import ALI_APP, WX_APP, BeijingAliPay, Letterbox, launch, wechat_client

from sandbox import serve_in_thread
from sandbox.keys import issue
from sandbox.remote import Sandbox
from sandbox.world import WORLD


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
