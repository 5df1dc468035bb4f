"""Reminders: five days and one day before the cut-off, to whoever has not paid and has an account that can; never twice."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from models.messages import MessageKey
from services.billing_sweep import assess_what_is_missing
from services.consent_withdrawals import withdraw_consent
from services.messages import list_messages
from services.payment_reminders import remind, which_reminder
from tests.factories import ALIPAY, APP, WECHAT, XINJIANG
from tests.together import at_once

DUE = date(2026, 11, 25)  # a Wednesday


def beijing(day, hour=10):
    return datetime(2026, 11, day, hour - 8, tzinfo=UTC)


@pytest.fixture
def debtor(world, ports, clock):
    """Somebody in Xinjiang who owes October and November, 1748.80 yuan each."""
    clock.set(beijing(19))
    person = world.person()
    world.enrollment(person, region="650000", tier="3", start_month=202610)
    assess_what_is_missing(ports)
    return world.account(person, miniprogram=XINJIANG)


def told(world):
    return world.rows("SELECT template, facts FROM messages ORDER BY id")


def test_five_days_and_one_day_before_and_no_more(world, ports, clock, debtor):
    sent = {}
    for day in range(15, 31):
        clock.set(beijing(day))
        sent[day] = remind(ports) + remind(ports)

    assert {day: count for day, count in sent.items() if count} == {20: 1, 24: 1}
    assert told(world) == [
        (key, {"amount_fen": 349_760, "months": [202610, 202611], "due_on": "2026-11-25"})
        for key in ("payment.due_soon", "payment.due_tomorrow")
    ]


def test_the_words_say_how_much_until_when_in_both_manners(ports, clock, debtor):
    clock.set(beijing(20))
    remind(ports)

    (shown,) = list_messages(ports, account=debtor).messages
    assert shown.text.startswith("您有3497.60元社会保险费待缴，所属月份：2026年10月至2026年11月。请在2026年11月25日前缴费")
    assert "以当地公布为准" in shown.text
    debtor.elder_mode = True
    (shown,) = list_messages(ports, account=debtor).messages
    assert shown.text == "请在2026年11月25日前交费3497.60元。"


@pytest.mark.parametrize(
    ("day", "which"),
    [(19, None), (20, "due_soon"), (23, "due_soon"), (24, "due_tomorrow"), (25, "due_tomorrow"), (26, None)],
)
def test_a_late_sweep_reminds_late_and_never_after_the_cut_off(day, which):
    assert which_reminder(DUE, date(2026, 11, day)) == (which and MessageKey(f"payment.{which}"))


def test_sweeps_at_the_same_moment_remind_once(world, ports, clock, debtor):
    clock.set(beijing(20))

    assert sum(at_once(*[lambda: remind(ports) for _ in range(4)])) == 1


@pytest.mark.parametrize("state", ["LOCKED", "PAID", "TAX_CONFIRMED", "POSTED", "VOID"])
def test_who_paid_or_is_paying_this_month_is_left_in_peace(world, ports, clock, debtor, state):
    world.scalar("UPDATE contribution_bills SET state = :state WHERE coverage_month = 202611 RETURNING 1", state=state)
    clock.set(beijing(20))

    assert remind(ports) == 0


def test_an_unpaid_difference_is_added_and_a_month_that_the_phone_does_not_take_is_not(world, ports, clock):
    clock.set(beijing(20))
    person = world.person()
    world.enrollment(person, start_month=202610)  # Changzhou: this month alone can be paid on the phone
    assess_what_is_missing(ports)
    world.account(person, miniprogram=ALIPAY)
    world.scalar(
        "INSERT INTO contribution_bills (enrollment_id, insurance_type, region, authority, coverage_month, kind, reason, rule_id, tier_plan,"
        " amount_fen, account_part_fen, pooling_part_fen, issued_at) SELECT enrollment_id, insurance_type, region, authority, 202610,"
        " 'SUPPLEMENT', 'BASE_ADJUSTMENT', rule_id, tier_plan, 500, 200, 300, issued_at FROM contribution_bills WHERE coverage_month = 202610"
        " RETURNING 1"
    )

    assert remind(ports) == 1
    ((_, facts),) = told(world)
    assert (facts["amount_fen"], facts["months"]) == (160_500, [202610, 202611])


def test_pension_and_medical_come_in_one_message(world, ports, clock):
    clock.set(beijing(20))
    person = world.person()
    for insurance in ("110", "310"):
        world.enrollment(person, insurance_type=insurance, start_month=202611)
    assess_what_is_missing(ports)
    world.account(person)

    assert remind(ports) == 1
    assert told(world)[0][1]["amount_fen"] == 160_000 + 50_000


def test_of_several_accounts_the_one_that_signed_in_last_and_can_pay_is_told(world, ports, clock):
    clock.set(beijing(20))
    person = world.person()
    world.enrollment(person, start_month=202611)
    assess_what_is_missing(ports)
    wechat, alipay, app = (world.account(person, miniprogram=code) for code in (WECHAT, ALIPAY, APP))
    for account, hour in ((wechat, 9), (alipay, 8), (app, 10)):
        world.scalar("UPDATE accounts SET signed_in_at = :at WHERE id = :id RETURNING 1", id=account.id, at=beijing(19, hour))

    assert remind(ports) == 1
    assert world.rows("SELECT account_id FROM messages") == [(wechat.id,)]  # the app takes no payments


def test_strangers_closed_accounts_and_withdrawn_consents_are_not_told(world, ports, clock, debtor):
    clock.set(beijing(20))
    (consent,) = world.agree(debtor, "REAL_NAME")
    withdraw_consent(ports, account=debtor, consent_id=consent.id)
    world.account(world.person(), miniprogram=XINJIANG)
    assert remind(ports) == 0
    world.agree(debtor, "REAL_NAME")
    world.scalar("UPDATE accounts SET closed_at = now() WHERE id = :id RETURNING 1", id=debtor.id)

    assert remind(ports) == 0
    assert told(world) == []


def test_a_part_at_a_time_reaches_everybody_once(world, ports, clock, monkeypatch):
    monkeypatch.setattr("services.payment_reminders.PART", 2)
    clock.set(beijing(20))
    for _ in range(5):
        person = world.person()
        world.enrollment(person, start_month=202611)
        world.account(person)
    assess_what_is_missing(ports)

    assert (remind(ports), remind(ports)) == (5, 0)
    assert world.scalar("SELECT count(DISTINCT account_id) FROM messages") == 5
