"""SMS by Alibaba Cloud: what goes over the wire, and what each of their words means. With it the line that all its products share."""

from __future__ import annotations

import json
import threading

import pytest

from providers.aliyun.line import AliyunLine
from providers.aliyun.sms import PACKAGE, AliyunSms
from providers.protocols import ProviderRefused, ProviderUnreachable
from tests.providers import wire

PHONE = "13800000000"
DIGITS = "042917"


@pytest.fixture(scope="module")
def there():
    with wire.wire() as it:
        yield it


def line_to(there, **how) -> AliyunLine:
    return AliyunLine(package=PACKAGE, access_key_id="id", access_key_secret="secret", base_url=there.url, **how)


@pytest.fixture(scope="module")
def sms(there):
    return AliyunSms(line=line_to(there), sign_name="参保示例", templates={"sign_in_code": "SMS_1"})


def send(sms, template: str = "sign_in_code") -> str:
    return sms.send(PHONE, template=template, values={"code": DIGITS, "地方": "常州"}, our_id="0198")


def told(body: object, status: int = 200) -> wire.Told:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return wire.Told(status, raw, {"Content-Type": "application/json"})


def test_a_message_goes_out_under_our_signature_and_its_own_template(there, sms):
    there.answer = lambda _: told({"Code": "OK", "Message": "OK", "BizId": "123^0", "RequestId": "r"})

    assert send(sms) == "123^0"

    asked = there.last
    assert asked.method == "POST"
    assert asked.headers["x-acs-action"] == "SendSms"
    assert asked.headers["x-acs-version"] == "2017-05-25"
    assert asked.headers["Authorization"].startswith("ACS3-HMAC-SHA256 ")
    given = asked.query | asked.form
    assert json.loads(given.pop("TemplateParam")) == {"code": DIGITS, "地方": "常州"}
    assert given == {"PhoneNumbers": PHONE, "SignName": "参保示例", "TemplateCode": "SMS_1", "OutId": "0198"}


@pytest.mark.parametrize(
    ("answer", "code", "permanent"),
    [
        (told({"Code": "isv.MOBILE_NUMBER_ILLEGAL"}), "BAD_NUMBER", True),
        (told({"Code": "isv.TEMPLATE_PARAMS_ILLEGAL"}), "isv.TEMPLATE_PARAMS_ILLEGAL", True),
        (told({"Code": "isv.BUSINESS_LIMIT_CONTROL"}), "isv.BUSINESS_LIMIT_CONTROL", False),
        (told({"Code": "isv.AMOUNT_NOT_ENOUGH"}), "isv.AMOUNT_NOT_ENOUGH", False),
        (told({"Code": "isv." + "X" * 200}), "isv." + "X" * 60, False),
        (told({"Code": "Throttling.User"}, 429), "Throttling.User", False),
        (told({"Code": "InvalidAccessKeyId.NotFound"}, 404), "InvalidAccessKeyId.NotFound", False),
    ],
)
def test_a_refusal_says_whether_the_same_again_could_help(there, sms, answer, code, permanent):
    there.answer = lambda _: answer

    with pytest.raises(ProviderRefused) as refusal:
        send(sms)

    assert (refusal.value.code, refusal.value.permanent) == (code, permanent)
    assert refusal.value.__context__ is None


@pytest.mark.parametrize(
    "answer",
    [
        told({"Code": "isp.SYSTEM_ERROR"}),
        told({"Code": "ServiceUnavailable"}, 503),
        told({"Code": ""}),
        told({}),
        told([]),
        told(b"<html>"),
        told(b"", 302),
        told(b"\xff" * 10, 500),
    ],
)
def test_without_their_ok_it_may_have_gone_out(there, sms, answer):
    there.answer = lambda _: answer

    with pytest.raises(ProviderUnreachable) as trouble:
        send(sms)

    assert PHONE not in str(trouble.value)
    assert DIGITS not in str(trouble.value)
    assert trouble.value.__context__ is None


def test_nothing_is_given_away(sms):
    assert "SMS_1" not in repr(sms)


def test_a_line_that_is_full_says_so_at_once_and_has_room_again(there):
    inside, go_on = threading.Event(), threading.Event()

    def slow(_asked):
        inside.set()
        go_on.wait(5)
        return told({"Code": "OK", "BizId": "1^0"})

    there.answer = slow
    narrow = AliyunSms(line=line_to(there, calls_at_once=1), sign_name="s", templates={"sign_in_code": "SMS_1"})
    answers = []
    first = threading.Thread(target=lambda: answers.append(send(narrow)))
    first.start()
    assert inside.wait(10)

    with pytest.raises(ProviderUnreachable, match="too many calls at once"):
        send(narrow)
    go_on.set()
    first.join()

    assert answers == ["1^0"]
    assert send(narrow) == "1^0"


def test_a_call_that_failed_gives_its_place_back(there):
    narrow = AliyunSms(line=line_to(there, calls_at_once=1), sign_name="s", templates={"sign_in_code": "SMS_1"})
    there.answer = lambda _: told(b"<html>", 500)
    for _ in range(3):
        with pytest.raises(ProviderUnreachable, match=r"aliyun: (?!too many)"):
            send(narrow)


def test_an_answer_that_does_not_come_is_waited_for_no_longer_than_told(there):
    go_on = threading.Event()

    def never(_asked):
        go_on.wait(5)
        return told({"Code": "OK"})

    there.answer = never
    hasty = AliyunSms(line=line_to(there, read_timeout_seconds=0.2), sign_name="s", templates={"sign_in_code": "SMS_1"})
    with pytest.raises(ProviderUnreachable):
        send(hasty)
    assert not go_on.is_set()
    go_on.set()


def test_many_threads_build_one_client(there):
    there.answer = lambda _: told({"Code": "OK", "BizId": "1^0"})
    line = line_to(there)
    shared = AliyunSms(line=line, sign_name="s", templates={"sign_in_code": "SMS_1"})
    clients = []

    def one():
        send(shared)
        clients.append(line._client)

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(clients) == 6
    assert len(set(map(id, clients))) == 1
