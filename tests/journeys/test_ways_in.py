"""Ways in, over real processes: by face on either platform, and what stays shut until then."""

from __future__ import annotations

import pytest

from sandbox.phone import Phone, PhoneRefusedError
from tests.factories import an_id_number
from tests.journeys.conftest import PROGRAMS

pytestmark = pytest.mark.slow


def newcomer(town, kind):
    """Somebody whom the platform does not vouch for."""
    program, app_id, _ = PROGRAMS[kind]
    number = an_id_number(next(town._next[kind]), born=f"19{70 + list(PROGRAMS).index(kind)}0101")
    town.sandbox.register_person("张三", number, phone="13800000000")
    user = town.sandbox.make_user(app_id)
    platform = "alipay" if kind == "alipay" else "wechat"
    phone = Phone(
        town.stack.url("web"), town.sandbox, miniprogram=program, app_id=app_id, platform=platform, user_id=user["user_id"]
    )
    phone.sign_in()
    return phone, number


@pytest.mark.parametrize("kind", ["wechat", "alipay"])
def test_a_name_and_a_face_open_the_buttons_and_nothing_less_does(town, kind):
    phone, number = newcomer(town, kind)
    assert phone.me()["capabilities"] == []
    with pytest.raises(PhoneRefusedError) as refusal:
        phone.prove_name("张三", number)
    assert refusal.value.code == "CONSENT_REQUIRED"

    phone.consent_to()
    with pytest.raises(PhoneRefusedError) as refusal:
        phone.prove_face()
    assert refusal.value.code == "REAL_NAME_REQUIRED"
    assert phone.prove_name("张三", number, "13800000000")["state"] == "NAME_ID_MATCHED"
    failed = phone.prove_face("failed")
    assert (failed["state"], phone.me()["capabilities"]) == ("FAILED", [])
    assert {way["way"]: way["hotline"] for way in failed["ways"]}["COUNTER"] == "12333"
    assert phone.prove_face()["verification_state"] == "VERIFIED"

    person, bill = town.own_bill(phone)
    order = phone.order(person, [bill["id"]])
    phone.pay(order)
    assert phone.wait_until(order["order_no"], "PAID")["lines"][0]["state"] == "PAID"


def test_a_name_that_the_authority_does_not_know_opens_nothing(town):
    phone, number = newcomer(town, "wechat")
    phone.consent_to()
    with pytest.raises(PhoneRefusedError) as refusal:
        phone.prove_name("李四", number, "13800000000")
    assert refusal.value.code == "NAME_ID_MISMATCH"
    assert phone.me()["capabilities"] == []


def test_paying_for_somebody_else_shows_masks_and_puts_the_month_on_their_name(town):
    father, number = newcomer(town, "xinjiang")
    daughter = town.phone("xinjiang")
    added = daughter.add_person("张三", number, relation="父亲", keep=False)
    assert added["id_number"].count("*") == 11
    theirs = [each for each in daughter.bills(added["id"]) if each["payable"]]
    order = daughter.order(added["id"], [each["id"] for each in theirs])
    daughter.pay(order)
    daughter.wait_until(order["order_no"], "PAID")

    father.consent_to()
    father.prove_name("张三", number, "13800000000")
    father.prove_face()
    me = next(person for person in father.people() if person["is_self"])
    assert {bill["state"] for bill in father.bills(me["id"])} == {"PAID"}
    with pytest.raises(PhoneRefusedError) as refusal:
        father.see_order(order["order_no"])
    assert refusal.value.status == 404
