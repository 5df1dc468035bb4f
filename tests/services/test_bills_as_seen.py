"""Bills as a payer sees them: what each month costs, where it stands, and what to do where the phone cannot help."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from config.rulebook import Rulebook
from config.rulebook_money import Insurance
from config.rulebook_rows import CapabilityRule
from services.bills import list_bills
from services.sign_in import capabilities_of
from tests.factories import ALIPAY, WECHAT, XINJIANG


def test_each_month_says_what_it_costs_and_why(world, ports):
    person = world.person()
    world.bills(world.enrollment(person, region="650000", tier="3"), "2026-10", "2026-11")
    account = world.account(person, miniprogram=XINJIANG)

    shown = list_bills(ports, account=account, insured_person_id=world.me_in_list(account))

    assert [bill.coverage_month for bill in shown.bills] == ["2026-11", "2026-10"]
    bill = shown.bills[0]
    assert (bill.amount_fen, bill.base_fen) == (174_880, 874_400)
    assert bill.account_part_fen + bill.pooling_part_fen == bill.amount_fen
    assert bill.rule_id == "xinjiang-demo-tiers@2024-01-01+xinjiang-2026"
    assert bill.insurance_name == "企业职工基本养老保险"
    assert bill.payability.payable


def test_three_facts_of_a_paid_month_are_three_times(world, ports):
    account, order = world.order()
    world.hear(world.paid_news(order))
    world.settle()

    (bill,) = list_bills(ports, account=account, insured_person_id=world.me_in_list(account)).bills

    assert bill.state == "PAID"
    assert (bill.paid_at, bill.tax_confirmed_at, bill.posted_at) == (ports.now(), None, None)
    assert bill.payability.code == "BILL_NOT_PAYABLE"


def test_only_the_payer_is_told_which_order_holds_a_month(world, ports):
    person = world.person()
    bills = world.bills(world.enrollment(person))
    account = world.account(person)
    payer, theirs = world.payer_for(person, miniprogram=ALIPAY)
    order = world.order_for(payer, theirs, bills)

    (mine,) = list_bills(ports, account=account, insured_person_id=world.me_in_list(account)).bills
    (payers,) = list_bills(ports, account=payer, insured_person_id=theirs).bills

    assert (mine.order_no, mine.payability.code) == (None, "BILL_RESERVED")
    assert payers.order_no == order.order_no


def test_nobody_newly_enrolled_is_told_that_they_owe_nothing(world, ports):
    person = world.person()
    world.enrollment(person)
    account = world.account(person)

    shown = list_bills(ports, account=account, insured_person_id=world.me_in_list(account))

    assert shown.bills == []
    assert "次日再查" in shown.notes[0]


def test_a_bill_of_another_region_is_shown_and_leads_there(world, ports):
    person = world.person()
    world.bills(world.enrollment(person, region="650000"))
    account = world.account(person, miniprogram=WECHAT)

    (bill,) = list_bills(ports, account=account, insured_person_id=world.me_in_list(account)).bills

    assert (bill.payability.code, bill.payability.right_region) == ("REGION_MISMATCH", "650000")


def without(ports, shape, *, region="320400"):
    """The same house, in which this region has no rule of that kind in force."""
    changed = replace(ports.rulebook.region(region), rows={**ports.rulebook.region(region).rows, shape: ()})
    return replace(ports, rulebook=Rulebook({**ports.rulebook.regions, region: changed}))


def test_a_capability_without_a_rule_in_force_is_refused_with_an_explanation(world, ports):
    person = world.person()
    world.bills(world.enrollment(person))
    account = world.account(person)
    silent = without(ports, CapabilityRule)

    shown = list_bills(silent, account=account, insured_person_id=world.me_in_list(account))

    assert [bill.payability.code for bill in shown.bills] == ["NOT_AVAILABLE_ONLINE"]
    assert "no capability PAY_OWN in force" in shown.bills[0].payability.reason
    assert capabilities_of(silent, account) == []


def test_an_insurance_that_is_no_longer_offered_still_shows_its_old_bills(world, ports, clock):
    account, _ = world.order("2026-11")
    region = ports.rulebook.region("320400")
    ended = tuple(
        row.model_copy(update={"effective_to": datetime(2026, 12, 31, tzinfo=UTC).date()}) for row in region.own(Insurance)
    )
    changed = replace(region, rows={**region.rows, Insurance: ended})
    later = replace(ports, rulebook=Rulebook({**ports.rulebook.regions, "320400": changed}))
    clock.set(datetime(2027, 1, 2, tzinfo=UTC))

    (bill,) = list_bills(later, account=account, insured_person_id=world.me_in_list(account)).bills

    assert bill.insurance_name == "企业职工基本养老保险"
