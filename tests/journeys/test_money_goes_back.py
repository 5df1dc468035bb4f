"""Money that goes back, over real processes and whatever the providers do: once, to whoever paid, and the books follow."""

from __future__ import annotations

import json
import time

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

BOTH = ("wechat", "alipay")
CHANNELS = {"wechat": "wechat_pay", "alipay": "alipay"}
ANSWERS = {
    "wechat": ["timeout_after_success", "server_error", "signtest_response", "bad_signature_response", "rate_limited"],
    "alipay": ["timeout_after_success", "server_error", "code_20000", "system_busy", "bad_signature_response"],
}
"""What the call that orders a refund may be answered."""


def a_wrong_payment(town, kind, *faults):
    """One fen too much: it settles nothing and is owed back, by itself."""
    phone = town.phone(kind)
    person, bill = town.own_bill(phone)
    order = phone.order(person, [bill["id"]])
    for fault in ("wrong_amount", *faults):
        town.sandbox.misbehave(order["payment_no"], fault)
    phone.pay(order)
    return phone, kind, order


def at_the_provider(town, kind, order):
    return town.sandbox.order(CHANNELS[kind], order["payment_no"])


def wait_until(true, *, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, true.__doc__
        time.sleep(0.3)
    return found


def all_is_back(town, paid):
    """Each of them went back whole, by one refund, and our books hold what the sandbox holds."""

    def is_so():
        """every payment went back"""
        told = [at_the_provider(town, kind, order) for _, kind, order in paid]
        return all(each["refunded_fen"] == each["paid_fen"] > 0 for each in told) and town.clearing() == town.money()

    wait_until(is_so, seconds=100)
    for _, kind, order in paid:
        assert len(at_the_provider(town, kind, order)["refunds"]) == 1
    assert {
        account for account, fen in town.accounts().items() if fen and account.startswith(("surplus:", "refunding:"))
    } == set()


def test_however_the_order_of_a_refund_is_answered_it_is_one_refund(town):
    for kind in BOTH:
        app_id = town.phone(kind).app_id
        for fault in ANSWERS[kind]:
            town.sandbox.misbehave(f"app:{app_id}", fault, times=1, operation="refund")

    all_is_back(town, [a_wrong_payment(town, kind) for kind in BOTH for _ in range(3)])


def test_a_refund_that_takes_its_time_is_waited_for_and_an_account_that_takes_nothing_is_a_persons_affair(town):
    waits = [a_wrong_payment(town, kind, "refund_pending") for kind in BOTH]
    abnormal = a_wrong_payment(town, "wechat", "refund_abnormal")
    for _, kind, order in (*waits, abnormal):

        def is_taken_on(kind=kind, order=order):
            """the provider took the refund on"""
            return at_the_provider(town, kind, order)["refunds"]

        wait_until(is_taken_on)
    parked = wait_until(lambda: "REFUND_ABNORMAL" in town.canbao("inbox").stdout)
    assert parked
    assert town.clearing() == town.money()

    for _, kind, order in (*waits, abnormal):
        (refund,) = at_the_provider(town, kind, order)["refunds"]
        assert town.sandbox.settle_refund(CHANNELS[kind], refund["out_refund_no"], state="SUCCESS")

    all_is_back(town, [*waits, abnormal])


def test_two_of_the_staff_send_a_paid_month_back_and_the_payer_hears_of_it(town):
    phone = town.phone("wechat")
    person, bill = town.own_bill(phone)
    order = phone.order(person, [bill["id"]])
    phone.pay(order)
    phone.wait_until(order["order_no"], "PAID")
    asked = ("refunds", "apply", order["payment_no"], "--bill", bill["id"], "--reason", "NOT_ELIGIBLE", "--words", "材料已核对")
    applied = town.canbao(*asked, "--who", "S1024")
    assert applied.returncode == 0, applied.stderr
    number = applied.stdout.strip().splitlines()[-1]
    alone = town.canbao("refunds", "approve", number, "--words", "同意退费", "--who", "S1024")
    assert (alone.returncode, "SECOND_PERSON_REQUIRED" in alone.stderr) == (1, True)

    both = town.canbao("refunds", "approve", number, "--words", "同意退费", "--who", "S2048")

    assert both.returncode == 0, both.stderr
    all_is_back(town, [(phone, "wechat", order)])
    (state,) = [each["state"] for each in phone.bills(person) if each["id"] == bill["id"]]
    assert state == "REFUNDED"
    assert "原路退回" in json.dumps(phone.ask("GET", "/messages"), ensure_ascii=False)


def a_paid_month(town, kind="wechat"):
    """Somebody pays their own month; who they are as the tax authority knows them."""
    phone = town.phone(kind)
    person, bill = town.own_bill(phone)
    order = phone.order(person, [bill["id"]])
    phone.pay(order)
    phone.wait_until(order["order_no"], "PAID")
    month = {
        "id_number": town.id_number_of(phone),
        "insurance_type": bill["insurance_type"],
        "coverage_month": int(bill["coverage_month"].replace("-", "")),
        "amount_fen": bill["amount_fen"],
        "payment_no": order["payment_no"],
    }
    return phone, person, order, month


def state_of(phone, person, order):
    [bill] = [each for each in phone.bills(person) if each["state"] != "UNPAID"]
    titles = [each["title"] for each in phone.ask("GET", "/messages")["messages"]]
    return bill["state"], titles[0]


def test_a_paid_month_is_confirmed_by_the_tax_authority_and_posted_by_the_registrar_and_the_phone_says_so(town):
    """Whatever is wrong with the first files; each is read by a command of its own."""
    authority, day = "tax-320400", "2026-11-21"
    paid = [a_paid_month(town) for _ in range(3)]
    before = town.accounts().get(f"treasury:{authority}", 0)
    for phone, person, order, _ in paid:
        assert state_of(phone, person, order) == ("PAID", "社保费支付成功")

    spoiled = town.sandbox.tax_list(
        authority,
        day,
        months=[month for *_, month in paid],
        faults={"wrong_amount": 1, "stranger": 1, "duplicate": 2},
        seed="7",
    )
    first = town.canbao("tax-list", spoiled["file"])
    assert (first.returncode, "2 confirmed" in first.stdout, "2 open" in first.stdout) == (1, True, True), (
        first.stdout + first.stderr
    )
    listed = town.canbao("differences").stdout
    assert "AMOUNT_DIFF MONTH" in listed
    assert "UNKNOWN_PERSON" in listed
    assert all(month["id_number"] not in listed for *_, month in paid)
    for fault in ("wrong_total", "cut", "no_flag"):
        refused = town.canbao("tax-list", town.sandbox.tax_list(authority, day, faults={fault: 1})["file"])
        assert (refused.returncode, "confirmed" in refused.stdout) == (1, False)
    whole = town.canbao("tax-list", town.sandbox.tax_list(authority, day)["file"])
    assert (whole.returncode, "1 confirmed" in whole.stdout, "2 known before, 0 open" in whole.stdout) == (0, True, True), (
        whole.stdout + whole.stderr
    )

    for phone, person, order, _ in paid:
        assert state_of(phone, person, order) == ("TAX_CONFIRMED", "社保费缴费成功")
    answered = town.canbao("registrar-list", town.sandbox.registrar_list(authority, day)["file"])
    assert (answered.returncode, "3 posted" in answered.stdout) == (0, True), answered.stdout
    for phone, person, order, _ in paid:
        assert state_of(phone, person, order)[0] == "POSTED"
    held = town.sandbox.treasury()[authority]
    assert town.accounts()[f"treasury:{authority}"] - before == held == sum(month["amount_fen"] for *_, month in paid)
    assert town.clearing() == town.money()
