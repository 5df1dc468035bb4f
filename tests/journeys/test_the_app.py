"""The app's way in, over real processes: a code by SMS, an account, a name matched with the number that is already proven."""

from __future__ import annotations

import pytest

from sandbox.phone import Phone, PhoneRefusedError
from tests.factories import an_id_number
from tests.town import PROGRAMS

pytestmark = pytest.mark.slow

APP = "changzhou-hrss-app"
PHONE = "13700003204"


def app_phone(town) -> Phone:
    return Phone(town.stack.url("web"), town.sandbox, miniprogram=APP, app_id=APP, platform="app", user_id="")


def test_a_person_registers_with_the_code_that_came_to_the_phone_and_is_named_by_the_same_number(town):
    number = an_id_number(401, born="19880808")
    town.sandbox.register_person("张三", number, phone=PHONE)
    phone = app_phone(town)

    phone.ask_for_code(PHONE)
    with pytest.raises(PhoneRefusedError) as refusal:
        phone.enter(PHONE)
    assert refusal.value.code == "REGISTER_FIRST"
    account = phone.enter(PHONE, register=True)["account"]
    assert (account["phone"], account["verified"]) == ("137****3204", False)

    with pytest.raises(PhoneRefusedError) as refusal:
        phone.enter(PHONE)
    assert refusal.value.code == "SMS_CODE_WRONG"
    with pytest.raises(PhoneRefusedError) as refusal:
        phone.ask_for_code(PHONE)
    assert (refusal.value.status, refusal.value.code) == (429, "SMS_CODE_TOO_SOON")

    phone.consent_to("REAL_NAME")
    with pytest.raises(PhoneRefusedError) as refusal:
        # The authority knows this person under another number than the one typed here.
        phone.prove_name("张三", number, "13700009999")
    assert refusal.value.code == "NAME_ID_MISMATCH"
    assert phone.prove_name("张三", number)["state"] == "NAME_ID_MATCHED"


def test_a_line_that_is_down_keeps_nobody_waiting(town):
    phone = app_phone(town)
    town.sandbox.misbehave("*", "server_error", 503, times=1, operation="aliyun.SendSms")

    with pytest.raises(PhoneRefusedError) as refusal:
        phone.ask_for_code("13700003205")
    assert (refusal.value.status, refusal.value.code) == (503, "PROVIDER_UNAVAILABLE")

    assert phone.ask_for_code("13700003205") == {"valid_for_seconds": 300, "next_after_seconds": 60}
    assert phone.enter("13700003205", register=True)["token"]


@pytest.mark.parametrize("kind", ["wechat", "alipay"])
def test_the_platforms_button_proves_a_number(town, kind):
    program, app_id, _ = PROGRAMS[kind]
    user = town.sandbox.make_user(app_id, phone="13600003204")
    phone = Phone(
        town.stack.url("web"), town.sandbox, miniprogram=program, app_id=app_id, platform=kind, user_id=user["user_id"]
    )
    phone.sign_in()

    phone.consent_to("PHONE")

    assert phone.give_phone()["account"]["phone"] == "136****3204"

    phone.ask("DELETE", "/me/phone")
    assert phone.me()["account"]["phone"] is None
