"""The callback about a face check: whoever holds the token is told 200 and makes us ask; nobody makes us believe."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from providers.aliyun.face import AliyunFace
from providers.aliyun.line import AliyunLine
from providers.protocols import FaceVerdict
from services.face_checks import start_face_check
from services.identity_asking import ask_face_checks
from services.real_names import prove_name
from tests.doors.stories import an_adults_number
from tests.factories import APP, WECHAT
from tests.together import at_once
from webhooks import identity

PATH = "/webhooks/identity/aliyun"
TOKEN = "t0ken-of-the-letterbox-tests"
CANARY = "canary-in-the-query"


@pytest.fixture(autouse=True)
def quiet_minute():
    identity._quota = identity.Quota()


def with_callbacks(box):
    """The real adapter behind the app; it calls nobody, since the address of its line is nowhere."""
    line = AliyunLine(package="nowhere", access_key_id="i", access_key_secret="s", base_url="http://127.0.0.1:9")
    faces = {
        **box.ports.faces,
        APP: AliyunFace(line=line, scene_id=1, callback_url="https://example.com/", callback_token=TOKEN),
    }
    box.app.extensions["canbao.ports"] = box.reading = replace(box.reading, faces=faces)
    return box


@pytest.fixture
def box(letterbox):
    return with_callbacks(letterbox)


@pytest.fixture
def lone_box(lone_letterbox):
    return with_callbacks(lone_letterbox)


def counted(result):
    return REGISTRY.get_sample_value("canbao_face_callbacks_total", {"result": result}) or 0.0


def call(box, method="GET", path=PATH, **query):
    return box.app.test_client().open(f"{path}?{urlencode(query)}" if query else path, method=method)


def called(box, check_no, token=TOKEN, passed="200", **more):
    return call(box, **more, callbackToken=token, certifyId=f"face-{check_no}", passed=passed)


def a_check(box):
    """Somebody in front of the app's camera; the check's own number."""
    account = box.world.account(verified=False, miniprogram=APP)
    box.world.agree(account, "REAL_NAME", "FACE")
    prove_name(box.ports, account=account, name="王小明", id_number=an_adults_number(), phone=None)
    view = start_face_check(box.ports, account=account, idempotency_key=uuid.uuid4().hex, device="{}")
    return box.world.scalar("SELECT check_no FROM face_checks WHERE id = :id", id=view.id)


def is_due(box, check_no):
    return box.world.scalar(
        "SELECT next_ask_at <= :now FROM face_checks WHERE check_no = :no", now=box.clock.now(), no=check_no
    )


def state(box, check_no):
    return box.world.scalar("SELECT state FROM face_checks WHERE check_no = :no", no=check_no)


def test_the_right_token_makes_us_ask_and_nothing_else(box):
    check_no, before = a_check(box), counted("heard")
    faces = box.ports.faces[APP]

    response = called(box, check_no)

    assert (response.status_code, response.mimetype) == (200, "text/plain")
    assert is_due(box, check_no)
    assert (state(box, check_no), faces.asked("ask")) == ("PENDING", [])
    assert counted("heard") == before + 1
    faces.went(check_no, FaceVerdict.PASSED)
    ask_face_checks(box.ports)
    assert state(box, check_no) == "PASSED"


@pytest.mark.parametrize("passed", ["200", "207", "", "T", "true", None])
def test_what_it_says_of_the_outcome_is_never_believed(box, passed):
    check_no = a_check(box)
    box.ports.faces[APP].went(check_no, FaceVerdict.FAILED)

    query = {"callbackToken": TOKEN, "certifyId": f"face-{check_no}"} | ({} if passed is None else {"passed": passed})
    assert call(box, **query).status_code == 200
    ask_face_checks(box.ports)

    assert state(box, check_no) == "FAILED"


@pytest.mark.parametrize(
    "token",
    ["", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "x" * len(TOKEN), "密钥", "%00", "\x00"],
    ids=["empty", "short", "long", "upper", "other", "chinese", "percent", "nul"],
)
def test_a_wrong_token_is_401_and_moves_nothing(box, token):
    check_no, before, rows = a_check(box), counted("refused:wrong_token"), box.row_counts()

    response = called(box, check_no, token)

    assert (response.status_code, response.data) == (401, b"")
    assert (is_due(box, check_no), box.row_counts()) == (False, rows)
    assert counted("refused:wrong_token") == before + 1


def test_a_look_whether_we_are_there_is_401_and_wakes_nobody(box):
    before = counted("refused:no_token")

    assert call(box).status_code == 401
    assert call(box, method="HEAD").status_code == 401

    assert counted("refused:no_token") == before + 2
    assert not [line for line in box.logged() if line["event"].startswith("face_callback")]


def test_a_token_given_twice_is_no_token(box):
    check_no = a_check(box)
    query = f"callbackToken=x&callbackToken={TOKEN}&certifyId=face-{check_no}"

    assert call(box, path=f"{PATH}?{query}").status_code == 401
    assert call(box, path=f"{PATH}?callbackToken={TOKEN}&callbackToken={TOKEN}&certifyId=face-{check_no}").status_code == 401
    assert not is_due(box, check_no)


def test_unknown_finished_and_foreign_checks_are_answered_like_the_right_one(box):
    finished, before = a_check(box), counted("nothing_to_ask")
    box.ports.faces[APP].went(finished, FaceVerdict.FAILED)
    right = called(box, finished)
    ask_face_checks(box.ports)

    answers = [called(box, finished), called(box, "NOBODY"), called(box, "NOBODY" * 20)]

    for answer in answers:
        assert (answer.status_code, answer.data, answer.mimetype) == (right.status_code, right.data, right.mimetype)
    assert counted("nothing_to_ask") == before + 3


def test_eight_at_the_same_moment_are_all_told_200_and_end_in_one_verdict(lone_box):
    box = lone_box  # a sweep asks about whatever is due, of other tests too
    check_no = a_check(box)
    box.ports.faces[APP].went(check_no, FaceVerdict.PASSED)
    answers = at_once(*[lambda: called(box, check_no).status_code] * 8)
    ask_face_checks(box.ports)
    called(box, check_no)
    ask_face_checks(box.ports)

    assert answers == [200] * 8
    assert state(box, check_no) == "PASSED"
    assert len(box.ports.faces[APP].asked("ask")) == 1


GARBLED = {
    "no check": f"callbackToken={TOKEN}&passed=200",
    "an empty check": f"callbackToken={TOKEN}&certifyId=",
    "two checks": f"callbackToken={TOKEN}&certifyId=a&certifyId=b",
    "a space": f"callbackToken={TOKEN}&certifyId=a+b",
    "a line end": f"callbackToken={TOKEN}&certifyId=a%0A",
    "a NUL": f"callbackToken={TOKEN}&certifyId=a%00",
    "a long check": f"callbackToken={TOKEN}&certifyId={'a' * 129}",
    "chinese": f"callbackToken={TOKEN}&certifyId=%E6%A0%B8",
}


@pytest.mark.parametrize("what", GARBLED)
def test_a_garbled_one_with_the_right_token_is_400(box, what):
    before = counted("refused:malformed")

    assert call(box, path=f"{PATH}?{GARBLED[what]}").status_code == 400
    assert counted("refused:malformed") == before + 1


@pytest.mark.parametrize(
    "query",
    [
        f"callbackToken={TOKEN}&certifyId=%FF%FE",
        "%" * 50,
        "&" * 500,
        "=" * 50,
        "&".join(f"a{n}=1" for n in range(40)) + f"&callbackToken={TOKEN}",
        f"callbacktoken={TOKEN}&certifyId=a",
        f"callbackToken[]={TOKEN}&certifyId=a",
    ],
)
def test_what_cannot_be_read_holds_no_token(box, query):
    assert call(box, path=f"{PATH}?{query}").status_code == 401


def test_too_long_a_query_is_414_and_never_read(box):
    check_no, before = a_check(box), counted("refused:oversize")

    assert called(box, check_no, more="x" * 2048).status_code == 414
    assert counted("refused:oversize") == before + 1
    assert not is_due(box, check_no)


def test_head_answers_as_get_would_and_does_nothing(box):
    check_no = a_check(box)

    response = call(box, method="HEAD", callbackToken=TOKEN, certifyId=f"face-{check_no}")

    assert (response.status_code, response.data) == (200, b"")
    assert not is_due(box, check_no)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_any_other_method_is_405_and_says_what_is_allowed(box, method):
    check_no = a_check(box)

    response = call(box, method=method, callbackToken=TOKEN, certifyId=f"face-{check_no}")

    assert response.status_code == 405
    assert {"GET", "HEAD"} <= set(response.headers["Allow"].split(", "))
    assert not is_due(box, check_no)


@pytest.mark.parametrize("path", [f"{PATH}/", "/webhooks/identity", "/webhooks/identity/", "/webhooks//identity/aliyun"])
def test_another_address_is_unknown_and_never_a_redirect(box, path):
    assert call(box, path=path, callbackToken=TOKEN, certifyId="a").status_code == 404


def test_where_no_app_is_served_nobody_holds_a_token(letterbox):
    only = {WECHAT: letterbox.ports.faces[WECHAT]}
    letterbox.app.extensions["canbao.ports"] = replace(letterbox.reading, faces=only)

    assert call(letterbox, callbackToken="", certifyId="a").status_code == 401


def test_without_a_database_it_may_come_again(box):
    check_no, before = a_check(box), counted("failed")
    box.ports, kept = box.reading, box.ports
    box.lose_database()

    response = called(box, check_no)
    box.find_database()
    box.ports = kept

    assert response.status_code == 503
    assert counted("failed") == before + 1
    assert called(box, check_no).status_code == 200


def test_a_check_that_is_locked_does_not_swallow_the_callback(lone_box):
    check_no = a_check(lone_box)
    ended = []
    with lone_box.ports.begin() as session:
        session.execute(text("SELECT 1 FROM face_checks FOR UPDATE"))
        knock = threading.Thread(target=lambda: ended.append(called(lone_box, check_no).status_code))
        knock.start()
        time.sleep(0.2)
        assert ended == []
    knock.join()

    assert ended == [200]
    assert is_due(lone_box, check_no)


def test_neither_token_nor_reference_nor_person_is_logged_and_a_flood_is_few_lines(box):
    check_no = a_check(box)
    called(box, check_no, more=CANARY)
    for _ in range(200):
        called(box, CANARY, CANARY + "x" * 9)
    call(box, path=f"{PATH}?{GARBLED['a space']}{CANARY}")
    box.ports, kept = box.reading, box.ports
    box.lose_database()
    called(box, CANARY)
    box.find_database()
    box.ports = kept

    told = box.log.getvalue()
    assert not any(word in told for word in (CANARY, TOKEN, check_no, "王小明"))
    assert len([line for line in box.logged() if line["event"] == "face_callback.refused"]) == 60
    assert [line["fault"] for line in box.logged() if line["event"] == "face_callback.failed"] == ["OperationalError"]
