"""The app's way in at the door: one schema and two ways, and answers that tell nobody whose number has an account."""

from __future__ import annotations

import pytest

from config.settings import Settings
from tests.doors.house import House
from tests.doors.stories import a_phone, newcomer, sms_code_for, wrong
from tests.factories import ALIPAY, APP, WECHAT


def test_whoever_registered_has_a_token_and_a_masked_number(house):
    phone = a_phone()
    given = {"miniprogram": APP, "phone": phone, "sms_code": sms_code_for(house, phone)}

    told = house.phone().post("/accounts", given).json

    assert told["account"] == {
        "id": told["account"]["id"],
        "miniprogram": APP,
        "verified": False,
        "name": None,
        "id_number": None,
        "phone": f"139****{phone[-4:]}",
        "elder_mode": False,
        "language": "zh-CN",
    }
    assert told["capabilities"] == []
    me = house.phone()
    me.token = told["token"]
    assert me.get("/me").json["account"] == told["account"]


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({}, {"code": ["必填"]}),
        ({"phone": "13900000000"}, {"sms_code": ["必填"]}),
        ({"sms_code": "123456"}, {"phone": ["必填"]}),
        ({"code": "c", "phone": "13900000000"}, {"phone": ["没有这一项"]}),
        ({"code": "c", "sms_code": "123456"}, {"sms_code": ["没有这一项"]}),
        ({"code": "c", "phone": "13900000000", "sms_code": "123456"}, {"phone": ["没有这一项"]}),
        ({"phone": "13900000000", "sms_code": "12345"}, {"sms_code": ["格式不对"]}),
        ({"phone": "13900000000", "sms_code": "123456\n"}, {"sms_code": ["格式不对"]}),
        ({"phone": "13900000000", "sms_code": "１２３４５６"}, {"sms_code": ["格式不对"]}),
        ({"phone": "13900000000", "sms_code": 123456}, {"sms_code": ["应为文字"]}),
    ],
)
@pytest.mark.parametrize("miniprogram", [APP, WECHAT])
def test_a_sign_in_is_one_way_and_that_one_whole(house, miniprogram, given, errors):
    response = house.phone().post("/sessions", {"miniprogram": miniprogram, **given})

    assert (response.json["code"], response.json["errors"]) == ("FIELDS_INVALID", errors)


@pytest.mark.parametrize(
    ("miniprogram", "given"),
    [
        (APP, {"code": "c"}),
        (WECHAT, {"phone": "13900000000", "sms_code": "123456"}),
        (ALIPAY, {"phone": "13900000000", "sms_code": "123456"}),
    ],
)
def test_the_other_platforms_way_is_said_to_be_wrong(house, miniprogram, given):
    response = house.phone().post("/sessions", {"miniprogram": miniprogram, **given})

    assert (response.status_code, response.json["code"]) == (422, "WRONG_WAY_FOR_PLATFORM")


def test_a_known_and_an_unknown_number_hear_the_same_to_the_byte(house):
    known, unknown = a_phone(), a_phone()
    house.phone().post("/accounts", {"miniprogram": APP, "phone": known, "sms_code": sms_code_for(house, known)})
    house.clock.move(minutes=1)

    answers = {}
    for phone in (known, unknown):
        asked = house.phone().post("/sms-codes", {"miniprogram": APP, "phone": phone})
        again = house.phone().post("/sms-codes", {"miniprogram": APP, "phone": phone})
        digits = wrong(house.ports.sms.code_for(phone))
        tried = [
            house.phone().post(path, {"miniprogram": APP, "phone": phone, "sms_code": digits})
            for path in ("/sessions", "/accounts")
        ]
        answers[phone] = [
            (
                each.status_code,
                {name: value for name, value in each.json.items() if name != "request_id"},
                each.headers.get("Retry-After"),
            )
            for each in (asked, again, *tried)
        ]

    assert answers[known] == answers[unknown]
    assert [status for status, _, _ in answers[known]] == [202, 429, 401, 401]


def test_a_refusal_of_the_minute_says_when_and_that_of_the_day_says_tomorrow(house):
    ask = {"miniprogram": APP, "phone": a_phone()}
    house.phone().post("/sms-codes", ask)
    assert 1 <= int(house.phone().post("/sms-codes", ask).headers["Retry-After"]) <= 61

    for _ in range(9):
        house.clock.move(minutes=1)
        assert house.phone().post("/sms-codes", ask).status_code == 202
    house.clock.move(minutes=1)
    refusal = house.phone().post("/sms-codes", ask)

    assert refusal.json["code"] == "TOO_MANY_SMS_CODES"
    assert int(refusal.headers["Retry-After"]) > 3600


def test_neither_number_nor_digits_come_into_the_log(house):
    phone = a_phone()
    digits = sms_code_for(house, phone)
    for path, sms_code in (("/sessions", wrong(digits)), ("/sessions", digits), ("/accounts", digits)):
        house.phone().post(path, {"miniprogram": APP, "phone": phone, "sms_code": sms_code})

    assert phone not in house.log.getvalue()
    assert f'"{digits}"' not in house.log.getvalue()


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({"code": "c", "response": "r", "sign": "s"}, {"response": ["没有这一项"]}),
        ({"response": "r"}, {"sign": ["必填"]}),
        ({"sign": "s"}, {"response": ["必填"]}),
        ({"code": ""}, {"code": ["填写有误"]}),
        ({"phone": "13900000000"}, {"phone": ["没有这一项"]}),
    ],
)
def test_a_phone_number_comes_from_one_button_and_is_never_typed(house, given, errors):
    response = house.phone(house.world.account()).post("/me/phone", given)

    assert (response.json["code"], response.json["errors"]) == ("FIELDS_INVALID", errors)


def test_alipays_button_brings_all_that_it_gave(house):
    account = house.world.account(miniprogram=ALIPAY)
    house.world.agree(account, "PHONE")
    given = {"response": "r", "sign": "s", "sign_type": "RSA2", "encrypt_type": "AES", "charset": "UTF-8"}

    assert house.phone(account).post("/me/phone", given).json["account"]["phone"] == "138****8000"
    assert house.ports.logins[ALIPAY].asked("phone_number") == [given]


@pytest.mark.parametrize("language", ["zh-CN", "ug-CN"])
def test_a_language_that_is_spoken_here_is_kept(house, language):
    phone = house.phone(newcomer(house))

    assert phone.patch("/me/preferences", {"language": language}).json["account"]["language"] == language
    assert phone.patch("/me/preferences", {"elder_mode": True}).json["account"] == phone.get("/me").json["account"]
    assert phone.get("/me").json["account"]["language"] == language


@pytest.mark.parametrize("language", ["en", "zh", "ug", "ZH-CN", "", None, "zh-CN\n", 1])
def test_another_language_is_refused_by_its_field(house, language):
    response = house.phone(newcomer(house)).patch("/me/preferences", {"language": language})

    assert response.json["code"] == "FIELDS_INVALID"
    assert list(response.json["errors"]) == ["language"]


def test_the_caller_behind_a_proxy_of_ours_is_the_one_it_names(world, ports, clock):
    house = House(ports=ports, world=world, clock=clock, settings=Settings(trusted_proxies=1))
    asked = {"miniprogram": "changzhou-hrss-app", "phone": "13800138000"}
    given = {"X-Forwarded-For": "1.2.3.4, 203.107.1.1"}

    assert house.app.test_client().post("/api/v1/sms-codes", json=asked, headers=given).status_code == 202

    index = ports.seals.index("sms_caller", ports.today().isoformat(), "203.107.1.1")
    assert world.rows("SELECT caller_index FROM sms_codes") == [(index,)]
