"""Alibaba Cloud says whether a name, an ID number and a phone belong together."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest

from providers.aliyun.identity import PACKAGE, AliyunNames
from providers.aliyun.line import AliyunLine
from providers.protocols import NameVerdict, ProviderRefused, ProviderUnreachable, RealName
from tests.providers import wire

PERSON = RealName(name="张三", id_number="310101199801011234")


@pytest.fixture(scope="module")
def there():
    with wire.wire() as it:
        yield it


def names_at(url: str) -> AliyunNames:
    return AliyunNames(line=AliyunLine(package=PACKAGE, access_key_id="id", access_key_secret="secret", base_url=url))


@pytest.fixture(scope="module")
def names(there):
    return names_at(there.url)


def told(body: object, status: int = 200) -> wire.Told:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return wire.Told(status, raw, {"Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("biz_code", "verdict"), [("1", NameVerdict.MATCH), ("2", NameVerdict.MISMATCH), ("3", NameVerdict.NO_RECORD)]
)
@pytest.mark.parametrize("phone", [None, "13800000000"])
def test_their_code_is_our_verdict(there, names, biz_code, verdict, phone):
    there.answer = lambda _: told({"Code": "200", "RequestId": "r", "ResultObject": {"BizCode": biz_code}})

    assert names.check(PERSON, phone=phone) is verdict

    asked = there.last
    assert asked.headers["x-acs-action"] == ("Mobile3MetaSimpleVerify" if phone else "Id2MetaVerify")
    assert asked.headers["Authorization"].startswith("ACS3-HMAC-SHA256 ")
    given = asked.query | asked.form
    assert given.pop("Mobile", None) == phone
    assert given == {"UserName": "张三", "IdentifyNum": "310101199801011234", "ParamType": "normal"}


@pytest.mark.parametrize(
    ("answer", "code", "permanent"),
    [
        (told({"Code": "InvalidParameter.X", "Message": "m"}, 400), "InvalidParameter.X", True),
        (told({"Code": "Throttling.User", "Message": "m"}, 429), "Throttling.User", False),
        (told({"Code": "InvalidAccessKeyId.NotFound", "Message": "m"}, 404), "InvalidAccessKeyId.NotFound", False),
        (told({"Code": "401", "Message": "m"}), "401", True),
        (told({"Code": "403", "Message": "m"}), "403", False),
    ],
)
def test_a_refusal_says_whether_to_come_back(there, names, answer, code, permanent):
    there.answer = lambda _: answer

    with pytest.raises(ProviderRefused) as refusal:
        names.check(PERSON, phone=None)
    assert (refusal.value.code, refusal.value.permanent) == (code, permanent)
    assert refusal.value.__context__ is None


@pytest.mark.parametrize(
    "answer",
    [
        told({"Code": "InternalError"}, 500),
        told({"Code": "500"}),
        told({"Code": "200"}),
        told({"Code": "200", "ResultObject": {"BizCode": "9"}}),
        told({"Code": "200", "ResultObject": {}}),
        told({}),
        told([]),
        told(b"<html>", 503),
        told(b"<html>"),
        told(b"", 302),
    ],
)
def test_an_answer_without_a_verdict_is_no_answer(there, names, answer):
    there.answer = lambda _: answer

    with pytest.raises(ProviderUnreachable) as trouble:
        names.check(PERSON, phone=None)
    assert "310101" not in str(trouble.value)


def test_nobody_there_is_unreachable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        names = names_at(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ProviderUnreachable):
            names.check(PERSON, phone=None)


def test_it_is_built_in_no_time_and_gives_nothing_away():
    story = (
        "import sys; from providers.aliyun.line import AliyunLine as A;"
        "a = A(package='p', access_key_id='id', access_key_secret='secret', base_url='https://x'); assert 'secret' not in repr(a);"
        "assert not any(name.startswith('alibabacloud') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", story], check=True)


def test_a_base_url_is_checked():
    with pytest.raises(ValueError, match="looks like"):
        names_at("cloudauth.aliyuncs.com")
