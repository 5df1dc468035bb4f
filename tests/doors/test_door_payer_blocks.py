"""An insured person sees who places orders for them, masked, and ends it."""

from __future__ import annotations

import pytest

from providers.protocols import ProviderUnreachable
from tests.doors.stories import a_strangers_order
from tests.factories import ALIPAY, WECHAT


def payers(house, account) -> list[dict]:
    return house.phone(account).get("/payer-blocks").json["payers"]


def test_who_holds_an_order_is_seen_masked(house):
    insured, payer = a_strangers_order(house)

    (told,) = payers(house, insured)

    assert told["name"] == payer.person.name_masked == "张**"
    assert (told["holds_order"], told["has_paid"], told["block_id"]) == (True, False, None)
    assert str(payer.person_id) not in str(told)
    assert payer.person.id_number_masked not in str(told)


def test_who_paid_is_seen(house):
    person = house.world.person()
    bills = house.world.bills(house.world.enrollment(person))
    payer, entry = house.world.payer_for(person)
    view = house.world.order_for(payer, entry, bills)
    house.world.hear(house.world.paid_news(view, notice=view.payment_no))
    house.world.settle()

    (told,) = payers(house, house.world.account(person))

    assert (told["holds_order"], told["has_paid"]) == (False, True)


def test_ones_own_orders_are_not_a_strangers(house):
    account, _ = house.world.order()

    assert payers(house, account) == []


def test_the_payer_learns_nothing_of_it(house):
    _, payer = a_strangers_order(house)

    assert payers(house, payer) == []


def test_blocking_gives_the_months_back_and_keeps_the_payer_out(house):
    insured, payer = a_strangers_order(house)
    phone = house.phone(insured)
    (told,) = payers(house, insured)

    blocked = phone.post("/payer-blocks", {"payer_id": told["payer_id"]})

    assert blocked.status_code == 201
    assert blocked.json["holds_order"] is False
    entry = house.world.me_in_list(insured)
    (bill,) = phone.get(f"/insured-persons/{entry}/bills").json["bills"]
    assert (bill["state"], bill["payable"]) == ("UNPAID", True)
    (order,) = house.phone(payer).get("/payment-orders").json["payment_orders"]
    assert order["state"] == "CLOSED"


def test_a_block_counts_when_the_provider_does_not_answer(house):
    insured, _ = a_strangers_order(house)
    (told,) = payers(house, insured)
    house.ports.payments[WECHAT].fails.append(("close", ProviderUnreachable("down")))

    blocked = house.phone(insured).post("/payer-blocks", {"payer_id": told["payer_id"]})

    assert blocked.status_code == 201
    assert (blocked.json["block_id"] is not None, blocked.json["holds_order"]) == (True, True)


def test_blocking_again_is_the_same_block(house):
    insured, _ = a_strangers_order(house)
    (told,) = payers(house, insured)

    blocks = {house.phone(insured).post("/payer-blocks", {"payer_id": told["payer_id"]}).json["block_id"] for _ in range(3)}

    assert len(blocks) == 1


def test_whoever_was_let_in_again_may_order_again(house):
    insured, payer = a_strangers_order(house)
    (entry,) = [each for each in house.phone(payer).get("/insured-persons").json["insured_persons"] if not each["is_self"]]
    (bill,) = house.phone(payer).get(f"/insured-persons/{entry['id']}/bills").json["bills"]
    (told,) = payers(house, insured)
    block = house.phone(insured).post("/payer-blocks", {"payer_id": told["payer_id"]}).json["block_id"]
    order = {"insured_person_id": entry["id"], "bill_ids": [bill["id"]], "expected_amount_fen": bill["amount_fen"]}
    assert house.phone(payer).post("/payment-orders", order).json["code"] == "BLOCKED_BY_INSURED_PERSON"

    house.phone(insured).delete(f"/payer-blocks/{block}")

    assert house.phone(payer).post("/payment-orders", order).status_code == 201
    assert house.phone(insured).delete(f"/payer-blocks/{block}").status_code == 404


def test_a_block_is_on_the_person_whichever_phone_they_use(house):
    insured, payer = a_strangers_order(house)
    (told,) = payers(house, insured)
    house.phone(insured).post("/payer-blocks", {"payer_id": told["payer_id"]})
    other_phone = house.world.account(payer.person, miniprogram=ALIPAY)
    house.world.agree(other_phone, "PROXY_PAYMENT")

    with house.ports.begin() as session:
        from models.people import Person
        from services.insured_persons import _add

        person = session.get_one(Person, insured.person_id)
        entry = _add(session, account=other_phone, person=person, relation=None, keep=True, now=house.ports.now()).id
    assert house.phone(other_phone).get(f"/insured-persons/{entry}/bills").json["code"] == "BLOCKED_BY_INSURED_PERSON"
    (bill,) = house.phone(insured).get(f"/insured-persons/{house.world.me_in_list(insured)}/bills").json["bills"]
    order = {"insured_person_id": str(entry), "bill_ids": [bill["id"]], "expected_amount_fen": bill["amount_fen"]}

    assert house.phone(other_phone).post("/payment-orders", order).json["code"] == "BLOCKED_BY_INSURED_PERSON"


def test_ids_are_good_for_one_insured_person_only(house):
    """The same payer for two people: two ids, and neither works at the other's phone."""
    first, second = house.world.person(), house.world.person()
    payer, entry = house.world.payer_for(first)
    house.world.order_for(payer, entry, house.world.bills(house.world.enrollment(first)))
    with house.ports.begin() as session:
        from models.people import Person
        from services.insured_persons import _add

        person = session.get_one(Person, second.id)
        entry = _add(session, account=payer, person=person, relation=None, keep=True, now=house.ports.now()).id
    house.world.order_for(payer, entry, house.world.bills(house.world.enrollment(second)))
    accounts = [house.world.account(first), house.world.account(second)]
    (one,), (other,) = (payers(house, account) for account in accounts)

    assert one["payer_id"] != other["payer_id"]
    assert house.phone(accounts[1]).post("/payer-blocks", {"payer_id": one["payer_id"]}).json["code"] == "NOT_FOUND"


@pytest.mark.parametrize(("days", "seen"), [(365, True), (367, False)])
def test_after_a_year_only_the_blocked_are_listed(house, days, seen):
    insured, _ = a_strangers_order(house)
    blocked, _ = a_strangers_order(house)
    house.phone(blocked).post("/payer-blocks", {"payer_id": payers(house, blocked)[0]["payer_id"]})

    house.clock.move(days=days)

    assert len(payers(house, insured)) == int(seen)
    (still,) = payers(house, blocked)
    assert (still["last_order_at"] is not None) is seen
    assert still["block_id"] is not None
