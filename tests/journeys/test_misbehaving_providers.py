"""Providers are late, doubled, silent, wrong or broken: whatever they do, the payer pays once and the books follow the money."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.phone import PhoneRefusedError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

BOTH = ("wechat", "alipay")
NOTICE_FAULTS = [
    *[(kind, fault, value) for kind in BOTH for fault, value in [
        ("late", 1), ("duplicate", 2), ("parallel", 3), ("lost", None), ("forged", None), ("wrong_app", None), ("wrong_merchant", None),
    ]],
    ("wechat", "signtest", None), ("wechat", "stale", None), ("wechat", "certificate_key", None),
    ("alipay", "gbk", None), ("alipay", "finished_first", None),
]  # fmt: skip
OPENING_FAULTS = [
    *[(kind, fault, value) for kind in BOTH for fault, value in [
        ("slow", 1), ("server_error", 502), ("timeout_after_success", None), ("bad_signature_response", None),
        ("brace_in_string", None), ("rate_limited", None),
    ]],
    ("wechat", "signtest_response", None), ("alipay", "gbk_error", None), ("alipay", "code_20000", None), ("alipay", "system_busy", None),
]  # fmt: skip


def settled(town, *, seconds=60):
    """Wait until clearing equals the sandbox's money."""
    deadline = time.monotonic() + seconds
    while town.clearing() != town.money():
        assert time.monotonic() < deadline, (town.clearing(), town.money())
        time.sleep(0.3)


def test_whatever_happens_to_a_notice_the_order_is_paid_once(town):
    def pay(case):
        kind, fault, value = case
        phone = town.phone(kind)
        person, bill = town.own_bill(phone)
        order = phone.order(person, [bill["id"]])
        town.sandbox.misbehave(order["payment_no"], fault, value)
        phone.pay(order)
        return case, phone.wait_until(order["order_no"], "PAID", timeout_seconds=60)["lines"][0]["state"]

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(pay, NOTICE_FAULTS))

    assert {state for _, state in outcomes} == {"PAID"}, outcomes
    settled(town)


def test_whatever_happens_to_the_opening_the_payer_ends_up_paying_once(town):
    def pay(case):
        kind, fault, value = case
        phone = town.phone(kind)
        person, bill = town.own_bill(phone)
        town.sandbox.misbehave(f"app:{phone.app_id}", fault, value, times=1, operation="create")
        try:
            order = phone.order(person, [bill["id"]])
        except PhoneRefusedError as refusal:
            # A clear no is told as a no: nothing was charged, the month is free again.
            if refusal.code != "PAYMENT_REFUSED":
                raise
            order = phone.order(person, [bill["id"]])
        if order["launch"] is None:
            assert order["state_text"] == "处理中，请勿重复支付"
            order = phone.wait_until(order["order_no"], "PREPAY", timeout_seconds=60)
        phone.pay(order)
        return case, phone.wait_until(order["order_no"], "PAID", timeout_seconds=60)["state"]

    outcomes = []
    with ThreadPoolExecutor(2) as pool:
        # One at a time for each app: the fault is the app's next opening, whoever makes it.
        for kind_outcomes in pool.map(lambda kind: [pay(case) for case in OPENING_FAULTS if case[0] == kind], BOTH):
            outcomes += kind_outcomes

    assert {state for _, state in outcomes} == {"PAID"}, outcomes
    settled(town)


def test_wrong_amounts_and_unknown_money_stand_in_named_accounts(town):
    phone = town.phone("wechat")
    person, bill = town.own_bill(phone)
    order = phone.order(person, [bill["id"]])
    town.sandbox.misbehave(order["payment_no"], "wrong_amount", bill["amount_fen"] + 7)
    phone.pay(order)
    phone.wait_until(order["order_no"], "CLOSED", timeout_seconds=30)
    town.sandbox.stray_payment("alipay", "2088003204000001", 8800, app_id="2021003204000001")

    settled(town)
    # The surplus may be on its way back by now.
    assert town.moved(f"surplus:{order['payment_no']}") == {bill["amount_fen"] + 7}
    assert town.accounts()["unknown:alipay:2088003204000001"] == 8800
    inbox = town.canbao("inbox").stdout
    assert "WRONG_AMOUNT" in inbox
    assert "UNCLAIMED" in inbox
    assert phone.bills(person)[0]["payable"]


def test_a_refund_seen_before_its_payment_ends_in_the_same_books(town):
    phone = town.phone("wechat")
    person, bill = town.own_bill(phone)
    order = phone.order(person, [bill["id"]])
    town.sandbox.misbehave(order["payment_no"], "refund_before_success", 100)
    phone.pay(order)

    phone.wait_until(order["order_no"], "PAID", timeout_seconds=30)
    settled(town)
    assert "REFUND_SEEN" in town.canbao("inbox").stdout


def test_a_face_that_is_declined_failed_or_abandoned_opens_nothing(town):
    phone = town.phone("wechat")
    stranger = town.phone("alipay")
    assert "PAY_OWN" in stranger.me()["capabilities"]
    assert phone.me()["account"]["verified"]
    with pytest.raises(PhoneRefusedError) as refusal:
        phone.prove_name("张三", "320402199001010017")
    assert refusal.value.code == "ALREADY_VERIFIED"
