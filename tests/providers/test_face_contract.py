"""What every face provider owes the house, asked of each adapter over real HTTP, and of the fake."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.alipay.client import AlipayClient
from providers.alipay.face import AlipayFace
from providers.aliyun.face import AliyunFace
from providers.aliyun.identity import PACKAGE
from providers.aliyun.line import AliyunLine
from providers.http import Line
from providers.keys import KeyFileError
from providers.protocols import (
    BadSignature,
    FaceAnswer,
    FaceCallbacks,
    FaceProvider,
    FaceVerdict,
    ProviderError,
    ProviderRefused,
    ProviderUnreachable,
    RealName,
)
from providers.wechat.face import WeChatFace
from providers.wechat.open_api import WeChatOpenApi
from tests.providers import wire
from tests.providers.fakes import FakeFaces

PERSON = RealName(name="张三", id_number="310101199801011234")
NO, REFERENCE, DEVICE = "F00000000000000000000001", "R-1234", '{"canary":"device"}'
WORDS = ("张三", "310101199801011234", REFERENCE, "canary", "a-secret")


@dataclasses.dataclass
class Case:
    """One adapter and the other end of its line: how that end says what a test wants said."""

    provider: FaceProvider
    says: Callable[[str], None]
    """started, passed, failed, pending, nonsense, unreferenced, refuses, silent, garbage, empty: what it answers from now on."""
    numbers: Callable[[], list[str]]
    """Our numbers that the other end was given, by start."""


def transport(what: str) -> wire.Told | None:
    return {
        "silent": wire.Told(503, b"<html>"),
        "garbage": wire.Told(200, b"<html>", {"Content-Type": "application/json"}),
        "empty": wire.Told(200, b"{}", {"Content-Type": "application/json"}),
    }.get(what)


@contextmanager
def wechat() -> Iterator[Case]:
    def says(what: str) -> None:
        told = {
            "started": {"errcode": 0, "verify_id": REFERENCE, "expires_in": 3600},
            "passed": {"errcode": 0, "verify_ret": 10000},
            "failed": {"errcode": 0, "verify_ret": 10002},
            "pending": {"errcode": 0},
            "nonsense": {"errcode": 0, "verify_ret": True},
            "unreferenced": {"errcode": 0},
            "refuses": {"errcode": 84001, "errmsg": f"张三 {REFERENCE}"},
        }

        def answer(asked: wire.Asked) -> wire.Told:
            if asked.path.endswith("stable_token"):
                return wire.Told(200, b'{"access_token":"t1","expires_in":7200}')
            return transport(what) or wire.Told(200, json.dumps(told[what]).encode())

        there.answer = answer

    with wire.wire() as there:
        api = WeChatOpenApi(line=Line(provider="wechat", base_url=there.url), app_id="wx1", app_secret="a-secret")
        numbers = lambda: [each.json["out_seq_no"] for each in there.asked if each.path.endswith("getverifyid")]  # noqa: E731
        yield Case(WeChatFace(api=api), says, numbers)


@contextmanager
def alipay() -> Iterator[Case]:
    def says(what: str) -> None:
        told = {
            "started": {"code": "10000", "certify_id": REFERENCE, "page_url": "https://a/b"},
            "passed": {"code": "10000", "certify_state": "SUCCESS"},
            "failed": {"code": "10000", "certify_state": "FAIL"},
            "pending": {"code": "10000", "certify_state": "PROCESSING"},
            "nonsense": {"code": "10000", "certify_state": True},
            "unreferenced": {"code": "10000", "page_url": "https://a/b"},
            "refuses": {"code": "40004", "sub_code": "CERTIFY_ID_INVALID", "sub_msg": f"张三 {REFERENCE}"},
        }
        there.answer = lambda asked: transport(what) or wire.alipay_told(told[what], method=asked.query["method"])

    with wire.wire() as there:
        client = AlipayClient(
            line=Line(provider="alipay", base_url=there.url),
            app_id="2021000000000001",
            private_key=wire.key("app"),
            alipay_public_key=wire.key("alipay").public_key(),
        )
        starts = lambda: [each for each in there.asked if each.query["method"].endswith("initialize")]  # noqa: E731
        yield Case(
            AlipayFace(client=client),
            says,
            lambda: [json.loads(each.form["biz_content"])["outer_order_no"] for each in starts()],
        )


@contextmanager
def aliyun() -> Iterator[Case]:
    def says(what: str) -> None:
        told = {
            "started": {"Code": "200", "ResultObject": {"CertifyId": REFERENCE}},
            "passed": {"Code": "200", "ResultObject": {"Passed": "T", "SubCode": "200"}},
            "failed": {"Code": "200", "ResultObject": {"Passed": "F", "SubCode": "205"}},
            "pending": {"Code": "200", "ResultObject": {}},
            "nonsense": {"Code": "200"},
            "unreferenced": {"Code": "200", "ResultObject": {}},
            "refuses": {"Code": "404", "Message": f"张三 {REFERENCE}"},
        }
        there.answer = lambda _: (
            transport(what) or wire.Told(200, json.dumps(told[what]).encode(), {"Content-Type": "application/json"})
        )

    with wire.wire() as there:
        line = AliyunLine(package=PACKAGE, access_key_id="id", access_key_secret="a-secret", base_url=there.url)
        provider = AliyunFace(line=line, scene_id=1, callback_url="https://e/c", callback_token="a-secret-of-ours-16")
        starts = lambda: [each for each in there.asked if each.headers["x-acs-action"] == "InitFaceVerify"]  # noqa: E731
        yield Case(provider, says, lambda: [(each.query | each.form)["OuterOrderNo"][: len(NO)] for each in starts()])


@contextmanager
def fake() -> Iterator[Case]:
    provider = FakeFaces()

    def says(what: str) -> None:
        provider.answers.clear()
        provider.fails.clear()
        if what in {"passed", "failed"}:
            provider.went(NO, FaceVerdict(what.upper()))
        elif what == "refuses":
            provider.fails += [("start", ProviderRefused("NO")), ("ask", ProviderRefused("NO"))]
        elif what not in {"started", "pending"}:
            provider.fails += [("start", ProviderUnreachable("down")), ("ask", ProviderUnreachable("down"))]

    yield Case(provider, says, lambda: [str(each) for each in provider.asked("start")])


@pytest.fixture(params=[wechat, alipay, aliyun, fake], ids=lambda make: make.__name__)
def case(request) -> Iterator[Case]:
    with request.param() as case:
        yield case


def start(case: Case, *, elder: bool = False):
    return case.provider.start(PERSON, check_no=NO, subject="o-1", device=DEVICE, elder=elder)


def ask(case: Case) -> FaceAnswer:
    return case.provider.ask(REFERENCE, PERSON, check_no=NO, subject="o-1")


def test_a_check_starts_under_our_own_number_and_gives_the_phone_what_it_needs(case):
    case.says("started")

    started = start(case)

    assert case.numbers() == [NO]
    assert started.reference
    assert started.reference in started.launch.values()
    assert all(isinstance(value, str) for value in started.launch.values())
    assert 60 <= started.valid_for_seconds <= 7200


def test_elder_mode_is_taken_by_all_and_starts_a_check_all_the_same(case):
    case.says("started")

    assert start(case, elder=True).reference


@pytest.mark.parametrize(
    ("word", "verdict"), [("passed", FaceVerdict.PASSED), ("failed", FaceVerdict.FAILED), ("pending", FaceVerdict.PENDING)]
)
def test_their_word_is_our_verdict_and_the_same_each_time(case, word, verdict):
    case.says(word)

    answers = [ask(case) for _ in range(3)]

    assert {each.verdict for each in answers} == {verdict}
    assert len(answers[0].provider_code) <= 64


@pytest.mark.parametrize("what", ["nonsense", "silent", "garbage", "empty"])
def test_an_answer_that_nobody_can_rely_on_is_no_verdict(case, what):
    case.says(what)

    with pytest.raises(ProviderUnreachable):
        ask(case)


@pytest.mark.parametrize("what", ["unreferenced", "silent", "garbage", "empty"])
def test_a_start_without_a_reference_is_no_start(case, what):
    case.says(what)

    with pytest.raises(ProviderUnreachable):
        start(case)


@pytest.mark.parametrize("act", [start, ask])
def test_a_no_is_a_no_and_never_a_verdict(case, act):
    case.says("refuses")

    with pytest.raises(ProviderRefused) as refusal:
        act(case)

    assert 0 < len(refusal.value.code) <= 64


@pytest.mark.parametrize("what", ["refuses", "silent", "garbage", "started", "passed"])
def test_neither_errors_nor_logs_nor_reprs_hold_people_references_or_secrets(case, what, caplog):
    caplog.set_level(logging.DEBUG)
    case.says(what)
    said = [repr(case.provider)] if not isinstance(case.provider, FakeFaces) else []

    for act in (start, ask):
        try:
            act(case)
        except ProviderError as trouble:
            said += [str(trouble), repr(trouble), repr(trouble.__cause__)]

    assert not [word for word in WORDS for text in [*said, caplog.text] if word in text]


def test_only_one_of_them_calls_back_and_only_it_asks_for_the_device():
    with wechat() as one, alipay() as two, aliyun() as three:
        providers = [case.provider for case in (one, two, three)]

    assert [isinstance(each, FaceCallbacks) for each in providers] == [False, False, True]
    assert [each.asks_for_device for each in providers] == [False, False, True]
    assert len({each.name for each in providers}) == 3


def test_names_are_the_methods_that_a_verification_keeps():
    """models/identity.py says which words stand in `method`."""
    with wechat() as one, alipay() as two, aliyun() as three:
        assert {case.provider.name for case in (one, two, three)} == {"wechat_face", "alipay_face", "aliyun_face"}


# --- what Alibaba Cloud alone has


@pytest.fixture
def app_face():
    with wire.wire() as there:
        there.answer = lambda _: wire.Told(
            200, json.dumps({"Code": "200", "ResultObject": {"CertifyId": "C1"}}).encode(), {"Content-Type": "application/json"}
        )
        line = AliyunLine(package=PACKAGE, access_key_id="id", access_key_secret="a-secret", base_url=there.url)
        yield (
            AliyunFace(
                line=line,
                scene_id=1000003204,
                callback_url="https://pay.example.gov.cn/webhooks/identity/aliyun",
                callback_token="a-secret-of-ours-16",
            ),
            there,
        )


def test_the_app_is_asked_for_with_its_device_and_our_callback(app_face):
    face, there = app_face

    started = face.start(PERSON, check_no=NO, subject="not-asked", device=DEVICE)

    assert (started.reference, started.launch) == ("C1", {"certifyId": "C1"})
    given = there.last.query | there.last.form
    assert there.last.headers["x-acs-action"] == "InitFaceVerify"
    assert given == {
        "SceneId": "1000003204",
        "OuterOrderNo": NO + "0" * 8,
        "ProductCode": "ID_PRO",
        "CertType": "IDENTITY_CARD",
        "CertName": "张三",
        "CertNo": "310101199801011234",
        "MetaInfo": DEVICE,
        "Model": "MOVE_ACTION",
        "SuitableType": "0",
        "RarelyCharacters": "N",
        "CallbackUrl": "https://pay.example.gov.cn/webhooks/identity/aliyun",
        "CallbackToken": "a-secret-of-ours-16",
    }


def test_a_device_of_eight_kilobytes_arrives_whole(app_face):
    face, there = app_face
    device = json.dumps({"canary": "设备" + '"' * 2000 + "x" * 4000}, ensure_ascii=False)

    face.start(PERSON, check_no=NO, subject="", device=device)

    assert (there.last.query | there.last.form)["MetaInfo"] == device


@pytest.mark.parametrize(("elder", "switch"), [(False, "0"), (True, "1")])
def test_the_elders_way_reaches_the_wire(app_face, elder, switch):
    face, there = app_face

    face.start(PERSON, check_no=NO, subject="", device=DEVICE, elder=elder)

    assert (there.last.query | there.last.form)["SuitableType"] == switch


@pytest.mark.parametrize(
    ("name", "switch"),
    [("张三", "N"), ("古丽巴哈尔·买买提", "N"), ("张\u4dae", "Y"), ("\U00020bb7三", "Y"), ("张\u9fa6", "Y"), ("张\ue000", "Y")],
)
def test_a_name_with_a_rare_character_reaches_the_wire_whole_and_is_told_as_such(app_face, name, switch):
    face, there = app_face

    face.start(RealName(name=name, id_number="310101199801011234"), check_no=NO, subject="", device=DEVICE)

    given = there.last.query | there.last.form
    assert (given["CertName"], given["RarelyCharacters"]) == (name, switch)


@pytest.mark.parametrize("device", [None, ""])
def test_without_a_device_nobody_is_asked(app_face, device):
    face, there = app_face

    with pytest.raises(ProviderRefused, match="NO_DEVICE"):
        face.start(PERSON, check_no=NO, subject="", device=device)
    assert there.asked == []


@pytest.mark.parametrize("passed", ["t", "true", "T ", "200", 1, True, ["T"]])
def test_only_a_capital_t_is_a_pass(app_face, passed):
    face, there = app_face
    body = {"Code": "200", "ResultObject": {"Passed": passed, "SubCode": "200"}}
    there.answer = lambda _: wire.Told(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    assert face.ask("C1", PERSON, check_no=NO, subject="").verdict is not FaceVerdict.PASSED


@pytest.mark.parametrize("token", ["", "short", "x" * 15])
def test_a_token_that_could_be_guessed_stops_the_start(token):
    line = AliyunLine(package=PACKAGE, access_key_id="id", access_key_secret="s", base_url="https://x")

    with pytest.raises(ValueError, match="16 characters"):
        AliyunFace(line=line, scene_id=1, callback_url="https://e", callback_token=token)


def test_a_callback_names_its_check_and_nothing_more(app_face):
    face, there = app_face
    reference = uuid.uuid4().hex

    assert face.open_callback(f"callbackToken=a-secret-of-ours-16&certifyId={reference}&passed=200") == reference
    assert face.open_callback(f"passed=nonsense&certifyId={reference}&callbackToken=a-secret-of-ours-16") == reference
    assert there.asked == []


ODD_QUERIES = st.text(max_size=200) | st.lists(
    st.tuples(st.sampled_from(["callbackToken", "certifyId", "passed"]), st.text(max_size=40)), max_size=6
).map(urllib.parse.urlencode)


@given(query=ODD_QUERIES)
def test_whatever_knocks_without_the_token_is_a_bad_signature_and_nothing_else(query):
    line = AliyunLine(package=PACKAGE, access_key_id="id", access_key_secret="s", base_url="https://x")
    face = AliyunFace(line=line, scene_id=1, callback_url="https://e", callback_token="a-secret-of-ours-16")

    with pytest.raises(BadSignature) as fault:
        face.open_callback(query)
    assert fault.value.reason in {"no_token", "wrong_token"}


@given(query=ODD_QUERIES)
def test_whatever_comes_with_the_token_is_a_reference_or_malformed(query):
    line = AliyunLine(package=PACKAGE, access_key_id="id", access_key_secret="s", base_url="https://x")
    face = AliyunFace(line=line, scene_id=1, callback_url="https://e", callback_token="a-secret-of-ours-16")

    try:
        told = face.open_callback(f"callbackToken=a-secret-of-ours-16&{query}")
    except BadSignature as fault:
        told = fault.reason

    assert told in {"no_token", "wrong_token", "malformed"} or re.fullmatch("[!-~]{1,128}", told)


@pytest.mark.parametrize("token", ["", "fifteen-letters"])
def test_a_callback_token_that_could_be_guessed_stops_the_start(token):
    line = AliyunLine(package=PACKAGE, access_key_id="id", access_key_secret="a-secret", base_url="http://127.0.0.1:9")

    with pytest.raises(KeyFileError, match="face_callback_token_file"):
        AliyunFace(line=line, scene_id=1, callback_url="https://e", callback_token=token)
