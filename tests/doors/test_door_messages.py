"""Messages at both doors: read by their owner in pages; allowed and refused by what WeChat pushes into the letterbox."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest
from prometheus_client import REGISTRY
from wechatpy.crypto import WeChatCrypto

from providers.http import Line
from providers.wechat.messages import WeChatMessages
from providers.wechat.open_api import WeChatOpenApi
from tests.factories import ALIPAY, WECHAT, XINJIANG
from tests.together import at_once

TOKEN, AES_KEY = "canbaotoken", secrets.token_hex(32)[:43]


class Push:
    """WeChat's side: letters as its push writes them, sealed by wechatpy, carried to the letterbox."""

    def __init__(self, box) -> None:
        self.box = box
        api = WeChatOpenApi(line=Line(provider="wechat", base_url="http://127.0.0.1:9"), app_id=self.app_id(), app_secret="s")
        ours = WeChatMessages(api=api, token=TOKEN, aes_key=base64.b64decode(AES_KEY + "="))
        ports = replace(box.ports, messengers={WECHAT: ours}, message_events={WECHAT: ours})
        box.app.extensions["canbao.ports"] = box.ports = box.world.ports = ports

    def app_id(self, miniprogram: str = WECHAT) -> str:
        return self.box.ports.partners.miniprograms[miniprogram].app_id

    def stamp(self) -> str:
        return str(int(self.box.clock.now().timestamp()))

    def signature(self, *parts: str) -> str:
        return hashlib.sha1("".join(sorted([TOKEN, *parts])).encode()).hexdigest()  # noqa: S324 - theirs

    def letter(self, event: dict, *, app_id: str | None = None) -> tuple[dict[str, str], bytes]:
        from xml.etree import ElementTree as ET

        sealed = WeChatCrypto(TOKEN, AES_KEY, app_id or self.app_id()).encrypt_message(json.dumps(event), "n", self.stamp())
        read = ET.fromstring(sealed)  # noqa: S314 - written one line above
        query = {
            "signature": self.signature(self.stamp(), "n"),
            "timestamp": self.stamp(),
            "nonce": "n",
            "openid": event["FromUserName"],
            "encrypt_type": "aes",
            "msg_signature": read.findtext("MsgSignature"),
        }
        return query, json.dumps({"ToUserName": "gh_1", "Encrypt": read.findtext("Encrypt")}).encode()

    def popup(self, account, **choices: str) -> dict:
        subject = self.box.ports.seals.open(account.subject_sealed, place=type(account).subject_place(account.id))
        return {
            "ToUserName": "gh_1", "FromUserName": subject, "CreateTime": int(self.stamp()), "MsgType": "event",
            "Event": "subscribe_msg_popup_event",
            "List": [{"TemplateId": template, "SubscribeStatusString": choice, "PopupScene": "0"} for template, choice in choices.items()],
        }  # fmt: skip

    def post(self, query: dict[str, str], body: bytes, *, miniprogram: str = WECHAT, **how):
        client = self.box.app.test_client()
        return client.post(f"/webhooks/wechat-messages/{miniprogram}?{urlencode(query)}", data=body, **how)

    def get(self, *, miniprogram: str = WECHAT, **query: str):
        given = {
            "signature": self.signature(self.stamp(), "n"),
            "timestamp": self.stamp(),
            "nonce": "n",
            "echostr": "4711",
            **query,
        }
        return self.box.app.test_client().get(f"/webhooks/wechat-messages/{miniprogram}?{urlencode(given)}")

    def allowances(self, account) -> dict[str, int]:
        return dict(
            self.box.world.rows(
                "SELECT platform_template, remaining FROM message_allowances WHERE account_id = :id", id=account.id
            )
        )

    def kept(self) -> int:
        return self.box.world.scalar("SELECT count(*) FROM platform_events")


@pytest.fixture
def push(letterbox) -> Push:
    return Push(letterbox)


def counted(result: str, miniprogram: str = WECHAT) -> float:
    labels = {"channel": "wechat_messages", "miniprogram": miniprogram, "result": result}
    return REGISTRY.get_sample_value("canbao_notices_total", labels) or 0.0


def is_success(response) -> bool:
    return (response.status_code, response.data, response.mimetype) == (200, b"success", "text/plain")


# --- the letterbox


def test_a_yes_in_the_mini_program_allows_one_message_of_each_template_however_often_it_is_told(push):
    account = push.box.world.account()
    event = push.popup(account, A="accept", B="accept", C="reject")
    before = counted("new"), counted("known")

    answers = [push.post(*push.letter(event)) for _ in range(3)]

    assert all(map(is_success, answers))
    assert push.allowances(account) == {"A": 1, "B": 1, "C": 0}
    assert (counted("new"), counted("known")) == (before[0] + 1, before[1] + 2)


def test_the_same_letter_at_the_same_moment_counts_once(push):
    account = push.box.world.account()
    letter = push.letter(push.popup(account, A="accept"))
    answers = at_once(*[lambda: push.post(*letter).data] * 6)

    assert answers == [b"success"] * 6
    assert push.allowances(account) == {"A": 1}


def test_a_no_takes_back_what_was_allowed(push):
    account = push.box.world.account()
    push.post(*push.letter(push.popup(account, A="accept")))
    event = push.popup(account, A="reject") | {"Event": "subscribe_msg_change_event"}

    assert is_success(push.post(*push.letter(event)))
    assert push.allowances(account) == {"A": 0}


def test_of_a_stranger_nothing_is_kept_and_wechat_need_not_come_again(push):
    kept = push.kept()
    event = push.popup(push.box.world.account(), A="accept") | {"FromUserName": "o_nobody_of_ours"}

    assert is_success(push.post(*push.letter(event)))
    assert push.kept() == kept


def test_what_is_none_of_our_business_is_answered_and_not_kept(push):
    kept = push.kept()
    event = push.popup(push.box.world.account()) | {"MsgType": "text", "Content": "您好"}

    assert is_success(push.post(*push.letter(event)))
    assert push.kept() == kept


BAD = {
    "plain": lambda push, query, body, event: ({name: query[name] for name in ("signature", "timestamp", "nonce", "openid")}, json.dumps(event).encode()),
    "signature": lambda push, query, body, event: ({**query, "msg_signature": "0" * 40}, body),
    "malformed": lambda push, query, body, event: (query, b"<xml/>"),
    "malformed with a doctype": lambda push, query, body, event: (query, b'<!DOCTYPE x [<!ENTITY a "b">]><xml><Encrypt>&a;</Encrypt></xml>'),
    "malformed, nothing": lambda push, query, body, event: (query, b""),
    "stale": lambda push, query, body, event: ({**query, "timestamp": str(int(query["timestamp"]) - 300)}, body),
    "oversize": lambda push, query, body, event: (query, b"x" * 65_537),
    "wrong_app": lambda push, query, body, event: push.letter(event, app_id=push.app_id(XINJIANG)),
}  # fmt: skip


@pytest.mark.parametrize("why", BAD)
def test_what_is_not_authentic_is_refused_counted_and_moves_nothing(push, why):
    account, reason = push.box.world.account(), why.partition(" ")[0].strip(",")
    event = push.popup(account, A="accept")
    query, body = BAD[why](push, *push.letter(event), event)
    before = counted(f"refused:{reason}")

    response = push.post(query, body)

    assert (response.status_code, response.data, response.mimetype) == (401, b"refused", "text/plain")
    assert counted(f"refused:{reason}") == before + 1
    assert push.allowances(account) == {}


def test_a_letter_for_one_mini_program_is_not_read_by_another(push):
    account = push.box.world.account()
    query, body = push.letter(push.popup(account, A="accept"))
    before = counted("refused:unknown_miniprogram", "-")

    for elsewhere in (ALIPAY, "nowhere", quote("<script>", safe="")):
        assert push.post(query, body, miniprogram=elsewhere).status_code == 401
        assert push.get(miniprogram=elsewhere).status_code == 401

    assert counted("refused:unknown_miniprogram", "-") == before + 6
    assert push.allowances(account) == {}


def test_no_openid_and_no_template_stands_in_the_log(push):
    account = push.box.world.account()
    event = push.popup(account, CANARY_TEMPLATE="accept")
    push.post(*push.letter(event))
    push.post({**push.letter(event)[0], "msg_signature": "0" * 40}, push.letter(event)[1])

    log = push.box.log.getvalue()
    assert "notice.refused" in log
    assert event["FromUserName"] not in log
    assert "CANARY" not in log


def test_when_the_database_is_away_they_are_asked_to_come_again_and_then_it_counts(push):
    account = push.box.world.account()
    letter = push.letter(push.popup(account, A="accept"))
    push.box.lose_database()

    response = push.post(*letter)
    push.box.find_database()

    assert (response.status_code, response.data) == (503, b"later")
    assert is_success(push.post(*letter))
    assert push.allowances(account) == {"A": 1}


def test_the_address_is_proven_by_exactly_their_echo_as_plain_text(push):
    response = push.get(echostr="5277<b>123")

    assert (response.status_code, response.data, response.mimetype) == (200, b"5277<b>123", "text/plain")
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "query", [{"signature": "0" * 40}, {"signature": ""}, {"timestamp": "1"}, {"nonce": "other"}, {"echostr": "x" * 257}, {"echostr": ""}, {"echostr": "中"}]
)  # fmt: skip
def test_nobody_else_gets_an_echo(push, query):
    response = push.get(**query)

    assert (response.status_code, response.data) == (401, b"refused")


def test_other_ways_to_knock_are_no_server_error(push):
    path = f"/webhooks/wechat-messages/{WECHAT}"
    client = push.box.app.test_client()

    assert client.post(path).status_code == 401
    assert client.get(path).status_code == 401
    assert client.get(f"{path}?signature=%ff%fe&timestamp=%00&nonce=%ed%a0%80").status_code == 401
    assert client.put(path, data=b"x").status_code in (405, 503)


# --- the JSON door


def test_a_message_is_read_with_its_language_and_direction(house):
    account, view = house.world.order()
    house.world.hear(house.world.paid_news(view, notice=view.payment_no))
    house.world.settle()

    (told,) = house.phone(account).get("/messages").json["messages"]

    assert told["key"] == "payment.succeeded"
    assert (told["language"], told["direction"]) == ("zh-CN", "ltr")
    assert f"{view.total_fen // 100}.{view.total_fen % 100:02d}元" in told["text"]


def test_elder_mode_changes_the_words_at_once(house):
    account, view = house.world.order()
    house.world.hear(house.world.paid_news(view, notice=view.payment_no))
    house.world.settle()
    phone = house.phone(account)
    (plain,) = phone.get("/messages").json["messages"]

    phone.patch("/me/preferences", {"elder_mode": True})

    (elder,) = phone.get("/messages").json["messages"]
    assert len(elder["text"]) < len(plain["text"])


def test_the_next_page_is_asked_for_as_it_was_told(house):
    from services.messages import PAGE, tell

    account = house.world.account()
    for amount in range(PAGE + 3):
        with house.ports.begin() as session:
            facts = {"order_no": "A" * 24, "amount_fen": amount + 1, "months": [202611]}
            tell(session, account_id=account.id, key="payment.succeeded", facts=facts, at=house.ports.now())
        house.clock.move(seconds=1)
    phone = house.phone(account)

    first = phone.get("/messages").json
    second = phone.get(f"/messages?before={quote(first['next_before'])}").json

    assert [len(first["messages"]), len(second["messages"])] == [PAGE, 3]
    assert second["next_before"] is None
    assert not {each["created_at"] for each in first["messages"]} & {each["created_at"] for each in second["messages"]}


@pytest.mark.parametrize("asked", ["before=yesterday", "before=2026-11-21T10:00:00", "before=", "before=99999-01-01T00:00:00Z", "before=%00"])  # fmt: skip
def test_a_strange_page_is_refused_by_its_field(house, asked):
    response = house.phone(house.world.account()).get(f"/messages?{asked}")

    assert response.status_code == 422
    assert response.json["code"] == "FIELDS_INVALID"
    assert list(response.json["errors"]) == [asked.partition("=")[0]]


@pytest.mark.parametrize("asked", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_moments_at_the_ends_of_the_calendar_are_no_server_error(house, asked):
    assert house.phone(house.world.account()).get(f"/messages?before={quote(asked)}").status_code in (200, 422)
