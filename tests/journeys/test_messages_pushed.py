"""Messages over real processes: allowed in the mini-program, told by WeChat to the letterbox, pushed by the worker after a payment."""

from __future__ import annotations

import time

import pytest

from tests.town import PROGRAMS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

APP = PROGRAMS["wechat"][1]
TEMPLATE = f"{APP}-payment-succeeded"
ALIPAY_TEMPLATE = f"alipay-{PROGRAMS['alipay'][1]}-payment-succeeded"


def pushed_to(town, subject, *, seconds=40):
    """The subscribe messages of a user, once there is one."""
    deadline = time.monotonic() + seconds
    while not (found := [each for each in town.sandbox.messages() if each["receiver"] == subject]):
        assert time.monotonic() < deadline, "nothing was pushed"
        time.sleep(0.3)
    return found


def subject_of(town, phone):
    return next(user["subject"] for user in town.sandbox.users() if user["user_id"] == phone.user_id)


def pays(town, phone):
    person, bill = town.own_bill(phone)
    order = phone.order(person, [bill["id"]])
    phone.pay(order)
    return phone.wait_until(order["order_no"], "PAID", timeout_seconds=60)


def test_one_yes_brings_one_message_though_wechat_tells_it_twice_and_forgers_are_about(town):
    phone = town.phone("wechat")
    subject = subject_of(town, phone)
    for fault in ("duplicate", "forged", "plain", "stale"):
        town.sandbox.misbehave(f"app:{APP}", fault, times=1, operation="message_push")
    town.sandbox.subscribe(subject, {TEMPLATE: "accept"}, written="xml")
    town.wait_until_delivered()

    order = pays(town, phone)
    (message,) = pushed_to(town, subject)

    values = {field: each["value"] for field, each in message["content"]["data"].items()}
    assert message["template"] == TEMPLATE
    assert values["amount2"] == f"{order['total_fen'] // 100}.{order['total_fen'] % 100:02d}"
    assert values["thing1"] == "社保费支付成功"
    assert values["character_string4"] == order["order_no"]
    # The probes of the sandbox were all turned away.
    probes = town.sandbox.state(limit=0)["probes"]
    assert {mode: probes[mode]["accepted"] for mode in ("forged", "plain", "stale")} == {"forged": 0, "plain": 0, "stale": 0}


def test_without_a_yes_nothing_is_pushed_and_all_can_be_read(town):
    phone = town.phone("wechat")
    order = pays(town, phone)
    time.sleep(8)  # longer than the worker's pause between two sweeps

    assert [each for each in town.sandbox.messages() if each["receiver"] == subject_of(town, phone)] == []
    (told,) = phone.ask("GET", "/messages")["messages"]
    assert order["order_no"] in told["text"]


def test_at_alipay_a_long_term_yes_brings_each_message_once_and_nobody_else_gets_any(town):
    phone, nobody = town.phone("alipay"), town.phone("alipay")
    subject = subject_of(town, phone)
    town.sandbox.subscribe(subject, {ALIPAY_TEMPLATE: "always"})

    order = pays(town, phone)
    pays(town, nobody)
    (message,) = pushed_to(town, subject)
    time.sleep(8)  # longer than the worker's pause between two sweeps

    values = {field: each["value"] for field, each in message["content"]["data"].items()}
    assert (message["kind"], message["template"]) == ("alipay", ALIPAY_TEMPLATE)
    assert values["keyword2"] == f"{order['total_fen'] // 100}.{order['total_fen'] % 100:02d}"
    assert order["order_no"] in values["keyword4"]
    assert len(pushed_to(town, subject)) == 1
    assert [each for each in town.sandbox.messages() if each["receiver"] == subject_of(town, nobody)] == []
