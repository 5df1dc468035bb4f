"""WeChat's open API: tokens that die, text that is JSON, codes that say who and faces that say yes."""

from __future__ import annotations

import json
import logging
import threading
import time

import pytest

from providers.http import Line
from providers.protocols import FaceVerdict, ProviderRefused, ProviderUnreachable, RealName
from providers.wechat.face import WeChatFace, cert_hash
from providers.wechat.login import WeChatLogin
from providers.wechat.open_api import WeChatOpenApi
from tests.providers import wire

APP_ID, SECRET = "wxd678efh567hg6787", "app-secret"
PERSON = RealName(name="张三", id_number="310101199801011234")


class WeChat:
    """Answers by path; hands out tokens t1, t2, … and may call some of them dead."""

    def __init__(self) -> None:
        self.tokens = 0
        self.dead: set[str] = set()
        self.error = 40001
        self.told: dict[str, object] = {}

    def __call__(self, asked: wire.Asked) -> wire.Told:
        if asked.path == "/cgi-bin/stable_token":
            self.tokens += 1
            return self.text({"access_token": f"t{self.tokens}", "expires_in": 7200})
        if asked.query.get("access_token") in self.dead:
            return self.text({"errcode": self.error, "errmsg": "invalid credential"})
        return self.text(self.told.get(asked.path.rsplit("/", 1)[-1], {"errcode": 0}))

    @staticmethod
    def text(told: object) -> wire.Told:
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        return wire.Told(200, body, {"Content-Type": "text/plain"})


@pytest.fixture
def there():
    with wire.wire() as it:
        it.answer = WeChat()
        yield it


@pytest.fixture
def api(there):
    line = Line(provider="wechat", base_url=there.url)
    yield WeChatOpenApi(line=line, app_id=APP_ID, app_secret=SECRET)
    line.close()


def paths(there) -> list[str]:
    return [asked.path.rsplit("/", 1)[-1] for asked in there.asked]


def test_a_code_becomes_an_openid_in_one_call_without_a_token(there, api):
    there.answer.told["jscode2session"] = {"openid": "o1", "session_key": "a2V5", "unionid": "u1"}

    identity = WeChatLogin(api=api).sign_in("code-1")

    assert (identity.subject, identity.union_subject, identity.real_name) == ("o1", "u1", None)
    assert paths(there) == ["jscode2session"]
    assert there.last.query == {
        "appid": APP_ID,
        "secret": SECRET,
        "js_code": "code-1",
        "grant_type": "authorization_code",
    }


@pytest.mark.parametrize(
    ("errcode", "permanent"),
    [(40029, True), (40163, True), (40226, True), (45011, False), (40125, False), (40164, False)],
)
def test_a_refused_code_says_whether_to_come_back(there, api, errcode, permanent):
    there.answer.told["jscode2session"] = {"errcode": errcode, "errmsg": "no, rid: 1"}

    with pytest.raises(ProviderRefused) as refusal:
        WeChatLogin(api=api).sign_in("code-1")
    assert (refusal.value.code, refusal.value.permanent) == (str(errcode), permanent)


@pytest.mark.parametrize(
    "told",
    [{"errcode": -1}, {}, {"openid": ""}, {"openid": 5}, b"<html>", b"", b"[]", b"\xff", {"errcode": "x"}, {"errcode": None}],
)
def test_an_answer_without_an_openid_is_no_answer(there, api, told):
    there.answer.told["jscode2session"] = told

    with pytest.raises(ProviderUnreachable):
        WeChatLogin(api=api).sign_in("code-1")


@pytest.mark.parametrize("status", [302, 404, 500, 503])
def test_another_status_is_no_answer(there, api, status):
    there.answer = lambda _: wire.Told(status, b"{}")

    with pytest.raises(ProviderUnreachable) as trouble:
        WeChatLogin(api=api).sign_in("code-1")
    assert SECRET not in repr(trouble.value)
    assert trouble.value.__context__ is None or trouble.value.__suppress_context__


def test_a_token_is_fetched_once_and_kept(there, api):
    for _ in range(3):
        api.call("/x", {"a": "中"})

    assert paths(there) == ["stable_token", "x", "x", "x"]
    assert there.asked[0].json == {
        "grant_type": "client_credential",
        "appid": APP_ID,
        "secret": SECRET,
        "force_refresh": False,
    }
    assert there.last.query == {"access_token": "t1"}
    assert there.last.json == {"a": "中"}


@pytest.mark.parametrize("error", [40001, 40014, 42001])
def test_a_dead_token_is_replaced_once(there, api, error):
    there.answer.dead, there.answer.error = {"t1"}, error

    assert api.call("/x", {}) == {"errcode": 0}
    assert paths(there) == ["stable_token", "x", "stable_token", "x"]


def test_tokens_that_all_die_are_not_fetched_for_ever(there, api):
    there.answer.dead = {f"t{n}" for n in range(100)}

    with pytest.raises(ProviderUnreachable):
        api.call("/x", {})
    assert len(there.asked) == 4


def test_a_token_near_its_end_is_replaced(there, api, monkeypatch):
    api.call("/x", {})
    monkeypatch.setattr(api, "expires_at", int(time.time()) + 30)
    api.call("/x", {})

    assert there.last.query == {"access_token": "t2"}


def test_many_threads_fetch_one_token(there, api):
    slow = there.answer

    def answer(asked):
        if asked.path.endswith("stable_token"):
            time.sleep(0.1)
        return slow(asked)

    there.answer = answer
    threads = [threading.Thread(target=api.call, args=("/x", {})) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert paths(there).count("stable_token") == 1


def test_a_phone_number_comes_for_our_app_only(there, api):
    phone = {
        "phoneNumber": "13800000000",
        "purePhoneNumber": "13800000000",
        "countryCode": "86",
        "watermark": {"timestamp": 1, "appid": APP_ID},
    }
    there.answer.told["getuserphonenumber"] = {"errcode": 0, "phone_info": phone}
    assert WeChatLogin(api=api).phone_number({"code": "c"}) == "13800000000"

    there.answer.told["getuserphonenumber"] = {"errcode": 0, "phone_info": phone | {"countryCode": "1"}}
    with pytest.raises(ProviderRefused, match="FOREIGN_NUMBER"):
        WeChatLogin(api=api).phone_number({"code": "c"})

    there.answer.told["getuserphonenumber"] = {"errcode": 0, "phone_info": phone | {"watermark": {"appid": "wxother"}}}
    with pytest.raises(ProviderUnreachable):
        WeChatLogin(api=api).phone_number({"code": "c"})

    there.answer.told["getuserphonenumber"] = {"errcode": 40029}
    with pytest.raises(ProviderRefused, match="40029"):
        WeChatLogin(api=api).phone_number({"code": "c"})


def test_the_hash_of_a_person_is_the_one_on_their_page():
    assert (
        cert_hash("IDENTITY_CARD", "张三", "310101199801011234")
        == "3c241f7ff324977aeb91f173bb2a7b06569e6fd784d5573db34a636d8671108b"
    )


def test_a_face_check_starts_under_our_number(there, api):
    there.answer.told["getverifyid"] = {"errcode": 0, "verify_id": "V1", "expires_in": 3600}

    started = WeChatFace(api=api).start(PERSON, check_no="F0001", subject="o1")

    assert (started.reference, started.launch, started.valid_for_seconds) == ("V1", {"verifyId": "V1"}, 3600)
    assert there.last.json == {
        "out_seq_no": "F0001",
        "cert_info": {"cert_type": "IDENTITY_CARD", "cert_name": "张三", "cert_no": "310101199801011234"},
        "openid": "o1",
    }


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ({"errcode": 0, "verify_ret": 10000}, FaceVerdict.PASSED),
        ({"errcode": 0, "verify_ret": "10000"}, FaceVerdict.PASSED),
        ({"errcode": 0, "verify_ret": 10001}, FaceVerdict.FAILED),
        ({"errcode": 0, "verify_ret": 90001}, FaceVerdict.FAILED),
        ({"errcode": 0, "verify_ret": 90002}, FaceVerdict.DECLINED),
        ({"errcode": 0, "verify_ret": 90006}, FaceVerdict.DECLINED),
        ({"errcode": 0, "verify_ret": 90010}, FaceVerdict.DECLINED),
        ({"errcode": 0, "verify_ret": 90110}, FaceVerdict.DECLINED),
        ({"errcode": 0, "verify_ret": 90199}, FaceVerdict.FAILED),
        ({"errcode": 0}, FaceVerdict.PENDING),
    ],
)
def test_a_face_passes_only_on_10000(there, api, told, verdict):
    there.answer.told["queryverifyinfo"] = told

    answer = WeChatFace(api=api).ask("V1", PERSON, check_no="F0001", subject="o1")

    assert answer.verdict is verdict
    assert answer.provider_code == str(told.get("verify_ret", ""))
    assert there.last.json == {
        "verify_id": "V1",
        "out_seq_no": "F0001",
        "cert_hash": cert_hash("IDENTITY_CARD", "张三", "310101199801011234"),
        "openid": "o1",
    }


@pytest.mark.parametrize(
    "told", [{"verify_ret": 10000}, {"errcode": 0, "verify_ret": True}, {"errcode": 0, "verify_ret": [10000]}]
)
def test_a_verdict_that_is_not_one_is_no_answer(there, api, told):
    there.answer.told["queryverifyinfo"] = told

    with pytest.raises(ProviderUnreachable):
        WeChatFace(api=api).ask("V1", PERSON, check_no="F0001", subject="o1")


def test_a_refused_question_never_passes(there, api):
    there.answer.told["queryverifyinfo"] = {"errcode": 84001, "verify_ret": 10000}

    with pytest.raises(ProviderRefused):
        WeChatFace(api=api).ask("V1", PERSON, check_no="F0001", subject="o1")


def test_neither_logs_nor_reprs_hold_secrets_or_people(there, api, caplog):
    caplog.set_level(logging.DEBUG)
    there.answer.told["jscode2session"] = {"openid": "o1"}
    there.answer.told["getverifyid"] = {"errcode": 0, "verify_id": "V1"}

    WeChatLogin(api=api).sign_in("code-1")
    WeChatFace(api=api).start(PERSON, check_no="F0001", subject="o1")

    for said in (caplog.text, repr(api), repr(WeChatLogin(api=api)), repr(PERSON)):
        assert not any(word in said for word in (SECRET, "张三", "310101", "t1", "code-1"))
