"""Ways in, over real processes: by face on either platform, and what stays shut until then."""

from __future__ import annotations

import pytest

from sandbox.phone import Phone, PhoneRefusedError
from tests.factories import an_id_number
from tests.town import PROGRAMS

pytestmark = pytest.mark.slow

CARD = "6228481380000000104"


def newcomer(town, kind, *, card=None):
    """Somebody whom the platform does not vouch for."""
    program, app_id, _ = PROGRAMS[kind]
    number = an_id_number(next(town._next[kind]), born=f"19{70 + list(PROGRAMS).index(kind)}0101")
    town.sandbox.register_person("张三", number, phone="13800000000", bank_card=card)
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

    assert pays_own_month(town, phone) == "PAID"


def pays_own_month(town, phone):
    person, bill = town.own_bill(phone)
    order = phone.order(person, [bill["id"]])
    phone.pay(order)
    return phone.wait_until(order["order_no"], "PAID")["lines"][0]["state"]


def open_ways(told):
    return {way["way"] for way in told["ways"] if way["available"]}


def test_whoever_declines_the_camera_proves_themselves_by_a_bank_card_and_pays(town):
    phone, number = newcomer(town, "wechat", card=CARD)
    phone.consent_to("REAL_NAME", "FACE")
    phone.prove_name("张三", number, "13800000000")
    declined = phone.prove_face("declined")
    assert (declined["state"], declined["verification_state"]) == ("DECLINED", "DECLINED")
    assert "BANK_CARD" in open_ways(declined)

    with pytest.raises(PhoneRefusedError) as refusal:
        phone.prove_bank_card(CARD, "13800000000")
    assert refusal.value.code == "CONSENT_REQUIRED"
    phone.consent_to("BANK_CARD")
    assert phone.prove_bank_card(CARD, "13900000000")["state"] == "MISMATCHED"
    known = phone.prove_bank_card(CARD, "13800000000")
    assert (known["state"], known["card"], known["verification_state"]) == ("MATCHED", "****0104", "VERIFIED")

    assert pays_own_month(town, phone) == "PAID"


def test_whoever_no_camera_knows_goes_to_the_counter_where_two_of_the_staff_look_and_pays(town):
    phone, number = newcomer(town, "wechat")
    phone.consent_to()
    phone.prove_name("张三", number, "13800000000")
    for _ in range(5):
        assert phone.prove_face("failed")["state"] == "FAILED"
    with pytest.raises(PhoneRefusedError) as refusal:
        phone.begin_face()
    assert refusal.value.code == "TOO_MANY_FACE_CHECKS"
    assert "COUNTER" in open_ways(refusal.value.problem)
    assert all(way["hotline"] for way in refusal.value.problem["ways"])

    code = phone.counter_code()["code"]
    # What the clerk types, line by line: the code, and the document in hand.
    attested = town.canbao("counter", "attest", "--who", "S1024", "--site", "CHANGZHOU", typed=f"{code}\n张三\n{number}\n")
    assert attested.returncode == 0, attested.stdout + attested.stderr
    assert phone.me()["capabilities"] == []
    alone = town.canbao("counter", "confirm", "--who", "S1024", typed=f"{code}\ny\n")
    assert alone.returncode != 0
    assert phone.me()["capabilities"] == []
    both = town.canbao("counter", "confirm", "--who", "S2048", typed=f"{code}\ny\n")
    assert both.returncode == 0, both.stdout + both.stderr

    assert phone.me()["account"]["verified"] is True
    assert pays_own_month(town, phone) == "PAID"


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
