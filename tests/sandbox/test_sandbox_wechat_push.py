"""What the sandbox's WeChat pushes is read by wechatpy, which is not ours either; and its misbehaviour is what it says."""

import json
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from sandbox_story import WX_APP as APP
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import InvalidSignatureException
from wechatpy.utils import check_signature

from sandbox.notices import wait_until_delivered
from sandbox.remote import SandboxRefusedError


def secret(secrets, name):
    return (secrets / f"wechat-{APP}-{name}.txt").read_text()


@pytest.fixture
def crypto(secrets):
    return WeChatCrypto(secret(secrets, "message-token"), secret(secrets, "message-aes-key"), APP)


@pytest.fixture
def send(sandbox, secrets, payer):
    """Sends a subscribe message of template T1 to the payer, and answers the errcode."""
    url = f"{sandbox.url}/wechat-api/cgi-bin"
    asked = {"grant_type": "client_credential", "appid": APP, "secret": secret(secrets, "app-secret")}
    access = requests.post(f"{url}/stable_token", json=asked, timeout=5).json()["access_token"]

    def send(**data):
        values = {name: {"value": value} for name, value in ({"thing1": "缴费成功", "phrase2": "好"} | data).items()}
        body = {"touser": payer["subject"], "template_id": "T1", "data": values}
        path = f"{url}/message/subscribe/send"
        return requests.post(path, params={"access_token": access}, json=body, timeout=5).json()["errcode"]

    return send


@pytest.fixture
def pushed(sandbox, letterbox):
    """What has arrived by now: (query, raw body) of each letter."""
    from sandbox.app import core_of

    letterbox.answer = (200, b"success")

    def read():
        assert wait_until_delivered(core_of(sandbox.app).store, timeout_seconds=10)
        return [(dict(parse_qsl(urlsplit(letter["path"]).query)), letter["body"]) for letter in letterbox.letters]

    return read


def opened(crypto, query, body):
    envelope = json.loads(body) if body.startswith(b"{") else body.decode()
    return crypto.decrypt_message(envelope, query["msg_signature"], query["timestamp"], query["nonce"])


def test_a_choice_is_pushed_signed_and_sealed_to_the_address_of_its_mini_program(remote, payer, pushed, letterbox, crypto):
    remote.subscribe(payer["subject"], {"A": "accept", "B": "reject"})

    ((query, body),) = pushed()

    assert urlsplit(letterbox.letters[0]["path"]).path == "/webhooks/wechat-messages/jiangsu-tax-wechat"
    check_signature(crypto.token, query["signature"], query["timestamp"], query["nonce"])
    assert abs(time.time() - int(query["timestamp"])) < 60
    told = json.loads(opened(crypto, query, body))
    assert (told["Event"], told["FromUserName"], told["MsgType"]) == ("subscribe_msg_popup_event", payer["subject"], "event")
    assert [(each["TemplateId"], each["SubscribeStatusString"]) for each in told["List"]] == [("A", "accept"), ("B", "reject")]
    assert payer["subject"].encode() not in body


def test_one_template_comes_as_an_object_and_xml_as_xml(remote, payer, pushed, crypto):
    remote.subscribe(payer["subject"], {"A": "ban"}, where="settings")
    pushed()
    remote.subscribe(payer["subject"], {"A": "accept"}, written="xml")
    (first, second) = pushed()

    told = json.loads(opened(crypto, *first))
    assert (told["Event"], told["List"]["SubscribeStatusString"]) == ("subscribe_msg_change_event", "ban")
    assert second[1].startswith(b"<xml>")
    assert "<SubscribeMsgPopupEvent><List><TemplateId><![CDATA[A]]>" in opened(crypto, *second)


def test_what_was_allowed_can_be_sent_once_and_the_sending_is_pushed_too(remote, payer, send, pushed, crypto):
    remote.subscribe(payer["subject"], {"T1": "accept"})

    assert send(phrase2="好" * 6) == 47003
    assert send(amount3="1" * 16) == 47003
    assert [send(), send()] == [0, 43101]
    told = [json.loads(opened(crypto, *each)) for each in pushed()]
    assert [each["Event"] for each in told] == ["subscribe_msg_popup_event", "subscribe_msg_sent_event"]
    assert (told[1]["List"]["ErrorCode"], told[1]["List"]["TemplateId"]) == ("0", "T1")
    assert remote.messages()[0]["receiver"] == payer["subject"]


def test_it_comes_three_times_until_somebody_says_success(remote, payer, pushed, letterbox):
    letterbox.answers = [(500, b""), (200, b"failure")]
    remote.subscribe(payer["subject"], {"A": "accept"})

    assert len(pushed()) == 3


def test_misbehaviour_on_request(remote, payer, pushed, crypto):
    for fault in ("plain", "forged", "stale", "duplicate"):
        remote.misbehave(f"app:{APP}", fault, times=1, operation="message_push")
    remote.subscribe(payer["subject"], {"A": "accept"})

    letters = pushed()

    assert len(letters) == 5
    kinds = {"plain": 0, "forged": 0, "stale": 0, "real": 0}
    for query, body in letters:
        if "msg_signature" not in query:
            kinds["plain"] += 1
            assert json.loads(body)["FromUserName"] == payer["subject"]
            continue
        try:
            opened(crypto, query, body)
        except InvalidSignatureException:
            kinds["forged"] += 1
        else:
            kinds["stale" if time.time() - int(query["timestamp"]) > 300 else "real"] += 1
    assert kinds == {"plain": 1, "forged": 1, "stale": 1, "real": 2}


@pytest.mark.parametrize(
    "given",
    [
        {}, {"subject": "nobody", "choices": {"A": "accept"}}, {"choices": {}}, {"choices": {"A": "maybe"}}, {"choices": ["A"]},
        {"choices": {"A": "accept"}, "written": "csv"},
    ],
)  # fmt: skip
def test_a_choice_that_makes_no_sense_is_told_so(remote, payer, given):
    body = {"subject": payer["subject"], **given} if given else {}

    with pytest.raises(SandboxRefusedError, match=r"40[04]"):
        remote._ask("POST", "/subscriptions", body)
