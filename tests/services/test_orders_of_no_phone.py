"""Money that no phone sent is booked as all money is; and no phone meddles with it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.orders import OrderOrigin
from providers.protocols import NewsKind
from services import orders
from services.bills import list_bills
from services.debit_errors import DebitInFlight
from services.errors import BillsReserved, CannotCancel
from services.order_views import list_orders, read_order
from services.payments import ask_about_silence, close_stale
from services.refund_sending import return_surplus
from tests.factories import DEBIT

CLEARING = "clearing:bank_debit:ICBC320400"


@pytest.fixture
def insured(world):
    """A person with one unpaid month, and their own account."""
    person = world.person()
    (bill,) = world.bills(world.enrollment(person))
    return person, bill, world.account(person)


def debited(world, payment, **more):
    world.hear(world.paid_news(payment, **more), miniprogram=DEBIT)
    world.settle()


def test_what_a_bank_debited_pays_the_month_and_its_person_is_told(world, insured):
    person, bill, account = insured
    payment = world.outside_order(person, [bill], account=account)

    debited(world, payment)

    assert world.bill_states() == ["PAID"]
    assert world.balances() == {CLEARING: bill.amount_fen, f"contributions:{bill.authority}:110": bill.amount_fen}
    assert world.rows("SELECT template, account_id FROM messages") == [("payment.succeeded", account.id)]


def test_nobody_is_told_where_nobody_of_ours_paid(world, insured):
    person, bill, _ = insured
    payment = world.outside_order(person, [bill], origin=OrderOrigin.COUNTER)

    debited(world, payment)

    assert world.bill_states() == ["PAID"]
    assert world.rows("SELECT template FROM messages") == []


def test_a_debit_that_failed_gives_the_month_back(ports, world, insured):
    person, bill, account = insured
    payment = world.outside_order(person, [bill], account=account)

    debited(world, payment, kind=NewsKind.CLOSED, provider_payment_no=None, amount_fen=None)

    assert world.bill_states() == ["UNPAID"]
    assert world.order_for(account, world.me_in_list(account), [bill]).state == "PREPAY"


def test_what_a_bank_is_debiting_no_phone_pays(ports, world, insured):
    person, bill, account = insured
    world.outside_order(person, [bill], account=account)

    (seen,) = list_bills(ports, account=account, insured_person_id=world.me_in_list(account)).bills
    assert (seen.payability.payable, seen.payability.code) == (False, "DEBIT_IN_FLIGHT")
    assert "正在扣款中" in seen.payability.reason
    with pytest.raises(DebitInFlight):
        world.order_for(account, world.me_in_list(account), [bill])


def test_what_a_window_is_taking_is_reserved(world, insured):
    person, bill, account = insured
    world.outside_order(person, [bill], origin=OrderOrigin.POS)

    with pytest.raises(BillsReserved):
        world.order_for(account, world.me_in_list(account), [bill])


def test_a_debit_is_seen_among_ones_orders_and_cannot_be_called_off_or_asked_about_by_phone(ports, world, insured):
    person, bill, account = insured
    world.outside_order(person, [bill], account=account)
    (seen,) = list_orders(ports, account=account)

    assert (seen.origin, seen.state, seen.launch) == ("DEBIT", "PREPAY", None)
    with pytest.raises(CannotCancel):
        orders.cancel_order(ports, account=account, order_no=seen.order_no)
    assert orders.refresh_order(ports, account=account, order_no=seen.order_no) == seen
    assert ports.payments[DEBIT].calls == []


def test_no_sweep_ends_a_debit_however_long_the_bank_is_silent(ports, world, insured, clock):
    person, bill, account = insured
    world.outside_order(person, [bill], account=account)
    clock.move(hours=200)

    assert (ask_about_silence(ports), close_stale(ports)) == (0, 0)
    assert world.bill_states() == ["LOCKED"]
    assert ports.payments[DEBIT].calls == []


def test_a_debit_does_not_use_up_the_orders_that_one_may_have(ports, world):
    person = world.person()
    enrollment = world.enrollment(person)
    account = world.account(person)
    months = [f"2026-{month:02d}" for month in range(1, 12)]
    *debits, last = world.bills(enrollment, *months)
    for bill in debits:
        world.outside_order(person, [bill], account=account)

    assert world.order_for(account, world.me_in_list(account), [last]).state == "PREPAY"


def test_a_debit_after_the_month_was_paid_elsewhere_goes_back_by_itself(ports, world, insured):
    person, bill, account = insured
    payment = world.outside_order(person, [bill], account=account)
    debited(world, payment, kind=NewsKind.CLOSED, provider_payment_no=None, amount_fen=None, notice="D1")
    phones = world.order_for(account, world.me_in_list(account), [bill])
    world.hear(world.paid_news(phones, notice="N9"))
    world.settle()

    debited(world, payment, notice="D2")

    assert world.read_payment(payment.payment_no).state == "SURPLUS"
    assert return_surplus(ports) == 1
    assert read_order(ports, account=account, order_no=phones.order_no).state == "PAID"
    assert world.balances()[CLEARING] == bill.amount_fen


def test_whoever_paid_first_is_told_though_nobody_of_ours_paid_twice(ports, world, insured):
    person, bill, account = insured
    payment = world.outside_order(person, [bill], origin=OrderOrigin.COUNTER)
    debited(world, payment, kind=NewsKind.CLOSED, provider_payment_no=None, amount_fen=None, notice="D1")
    phones = world.order_for(account, world.me_in_list(account), [bill])
    world.hear(world.paid_news(phones, notice="N9"))
    debited(world, payment, notice="D2")

    return_surplus(ports)

    told = world.rows("SELECT template FROM messages WHERE account_id = :id ORDER BY id", id=account.id)
    assert ("payment.made_twice",) in told


def test_an_order_of_no_phone_waits_for_its_own_hour(world, insured, ports):
    person, bill, account = insured
    payment = world.outside_order(person, [bill], account=account)

    order = world.read_order_row(list_orders(ports, account=account)[0].order_no)
    assert order.expires_at == ports.now() + timedelta(hours=1)
    assert payment.amount_fen == order.total_fen == bill.amount_fen
