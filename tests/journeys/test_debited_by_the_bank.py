"""From the signature to the books, without anybody pressing a button to pay: the phone signs or a branch does, the bank debits, the months are paid."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from config.clock import BEIJING
from services.debit_reminders import remind_of_debits
from services.withholding_agreements import ROUTE
from tests.debiting import RUN, DebitWorld
from tests.doors.house import House, Phone
from tests.signing import PHONE, a_card, a_signer, numbers_of

FIRST_RUN = datetime(2026, 11, 20, 10, 0, tzinfo=BEIJING)


@pytest.fixture
def world(ports, tmp_path):
    world = DebitWorld(ports, tmp_path)
    yield world
    world.store.close()


@pytest.fixture
def house(world, clock):
    return House(ports=world.ports, world=world, clock=clock)


def the_agreement(phone):
    return phone.get("/withholding-agreements").json["agreements"][0]


def my_bill(phone):
    me = next(each for each in phone.get("/insured-persons").json["insured_persons"] if each["is_self"])
    return phone.get(f"/insured-persons/{me['id']}/bills").json["bills"][0]


def test_xinjiang_signs_on_the_phone_deposits_and_waits(house, world):
    """R-XJ-21 to 25: sign by name and number, bind the card, deposit the declared wage times 20 %, wait."""
    world.at(FIRST_RUN - timedelta(days=6))
    account = a_signer(world, declared_wage_fen=600_000)
    world.bills_of(account)
    phone = Phone(house, house.token(account, lives=timedelta(days=30)))
    name, number = numbers_of(world, account)
    card = a_card()

    signed = phone.post(
        ROUTE.removeprefix("POST "),
        {
            "region": "650000", "insurance_type": "110", "name": name, "id_number": number, "bank": "ICBC", "card_number": card,
            "phone": PHONE,
        },
    )  # fmt: skip
    assert signed.json["state"] == "ACTIVE"
    assert signed.json["debiting"] == {
        "in_flight_fen": 0,
        "next": {"day": "2026-11-20", "amount_fen": 120_000, "months": ["2026-11"], "to_confirm": True},
    }

    # The card is empty when the first run comes, and the second one finds the money.
    world.banks.set_account(card, balance_fen=50_000)
    world.at(FIRST_RUN - timedelta(days=1))
    remind_of_debits(world.ports)
    assert "1200.00元" in phone.get("/messages").json["messages"][0]["text"]
    world.at(FIRST_RUN)
    world.run()
    failed = phone.get("/messages").json["messages"][0]
    assert failed["key"] == "debit.failed"
    assert "余额不足" in failed["text"]
    assert "2026年11月25日" in failed["text"]
    assert my_bill(phone)["state"] == "UNPAID"

    world.banks.set_account(card, balance_fen=150_000)
    world.at(RUN)
    world.make()
    world.exchange()
    assert my_bill(phone)["payable"] is False
    assert "正在扣款中" in my_bill(phone)["not_payable_reason"]
    assert the_agreement(phone)["debiting"]["in_flight_fen"] == 120_000
    refused = phone.delete(f"/withholding-agreements/{signed.json['id']}")
    assert refused.json["code"] == "DEBIT_IN_FLIGHT"

    world.banks.work()
    world.exchange()
    assert my_bill(phone)["state"] == "PAID"
    assert phone.get("/messages").json["messages"][0]["key"] == "payment.succeeded"
    assert world.clearing() == world.banks_money() == {"bank_debit:650000001": 120_000}
    assert phone.delete(f"/withholding-agreements/{signed.json['id']}").json["state"] == "TERMINATED"


def test_changzhou_signed_at_a_branch_and_needs_both_the_card_and_the_signature(house, world):
    """R-CZ-39 to 41: the contract is the main way; the card's financial function, and the agreement."""
    account, _, (bill,) = world.payer()
    _, _, (other,) = world.payer(financial_function_activated=False)
    phone = Phone(house, house.token(account, lives=timedelta(days=30)))
    assert [item["done"] for item in the_agreement(phone)["checklist"]] == [True, True]
    world.at(RUN)

    world.run()

    assert my_bill(phone)["state"] == "PAID"
    assert world.scalar("SELECT state FROM contribution_bills WHERE id = :id", id=other.id) == "UNPAID"
    assert world.clearing() == world.banks_money() == {"bank_debit:320400001": bill.amount_fen}
