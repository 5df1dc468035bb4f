"""冲正: months whose money the provider sent back unasked are taken out of the books, by two people, and no money moves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.refunds import RefundReason
from providers.protocols import NewsKind
from services.counter_errors import SecondPersonRequired
from services.refund_errors import NothingToRefund, RefundTooLarge, RefundUnderWay, ReversalTooLate
from services.refund_sending import send_refunds
from services.refunds import RefundWish, apply_for_refund, decide_refund
from tests.factories import WECHAT, XINJIANG
from tests.services.test_refunds import (
    FIRST,
    OWED_ON,
    SECOND,
    WHY,
    a_paid_order,
    an_approved_one,
    becomes,
    bill_nos,
    confirm,
    provider,
    state,
    told,
)  # fmt: skip

UNKNOWN = "unknown:wechat_pay:1900003204"


def seen_to_go_back(world, *months, back_fen=None, times=1):
    """An order that was paid, and of which somebody sent money back at the merchant platform."""
    _, order = world.order(*months)
    world.hear(world.paid_news(order))
    each = order.total_fen if back_fen is None else back_fen
    for number in range(times):
        news = world.paid_news(order, notice=f"R{number}", kind=NewsKind.REFUNDED)
        world.hear(replace(news, refund_no=f"PLATFORM{number}", provider_refund_no=f"PR{number}", refund_fen=each))
    world.settle()
    return order


def reversal(order, *numbers, reason=RefundReason.NOT_ELIGIBLE):
    return RefundWish(payment_no=order.payment_no, bill_nos=numbers, reason=reason, words=WHY, went_back_already=True)


def reversed_by_two(world, order, *numbers, reason=RefundReason.NOT_ELIGIBLE):
    number = apply_for_refund(world.ports, wish=reversal(order, *numbers, reason=reason), who=FIRST)
    decide_refund(world.ports, refund_no=number, approve=True, words=WHY, who=SECOND)
    return number


def test_the_month_bears_what_went_back_and_nothing_is_sent(world):
    order = seen_to_go_back(world)
    assert world.balances() == {OWED_ON: order.total_fen, UNKNOWN: -order.total_fen}

    number = reversed_by_two(world, order, *bill_nos(world, order))

    assert world.balances() == {}
    assert world.bill_states() == ["REFUNDED"]
    assert world.rows("SELECT state FROM contribution_records") == [("REVERSED",)]
    assert state(world, number) == "REFUNDED"
    assert send_refunds(world.ports) == 0
    assert provider(world).asked("refund") == []
    assert [key for key, _ in told(world)] == ["payment.succeeded", "refund.done"]
    assert world.read_payment(order.payment_no).refunded_fen == order.total_fen


def test_nothing_moves_until_another_agrees(world):
    order = seen_to_go_back(world)

    number = apply_for_refund(world.ports, wish=reversal(order, *bill_nos(world, order)), who=FIRST)

    assert world.bill_states() == ["PAID"]
    assert world.balances()[UNKNOWN] == -order.total_fen
    with pytest.raises(SecondPersonRequired):
        decide_refund(world.ports, refund_no=number, approve=True, words=WHY, who=FIRST)
    decide_refund(world.ports, refund_no=number, approve=False, words="月份不对，请重选", who=SECOND)
    assert world.bill_states() == ["PAID"]


def test_several_parts_that_went_back_make_one_month(world):
    order = seen_to_go_back(world, back_fen=1)
    bills = bill_nos(world, order)
    with pytest.raises(RefundTooLarge):
        apply_for_refund(world.ports, wish=reversal(order, *bills), who=FIRST)

    news = world.paid_news(order, notice="R9", kind=NewsKind.REFUNDED)
    world.hear(replace(news, refund_no="PLATFORM9", provider_refund_no="PR9", refund_fen=order.total_fen - 1))
    world.settle()
    reversed_by_two(world, order, *bills)

    assert world.balances() == {}


def test_what_went_back_is_named_once(world):
    order = seen_to_go_back(world)
    bills = bill_nos(world, order)
    first = apply_for_refund(world.ports, wish=reversal(order, *bills), who=FIRST)

    with pytest.raises(RefundUnderWay):
        apply_for_refund(world.ports, wish=reversal(order, *bills), who=SECOND)

    decide_refund(world.ports, refund_no=first, approve=True, words=WHY, who=SECOND)
    with pytest.raises(RefundUnderWay):
        apply_for_refund(world.ports, wish=reversal(order, *bills), who=SECOND)


def test_what_did_not_go_back_is_not_reversed(world):
    _, order = world.order()
    world.hear(world.paid_news(order))
    world.settle()

    with pytest.raises(NothingToRefund):
        apply_for_refund(world.ports, wish=reversal(order, *bill_nos(world, order)), who=FIRST)
    with pytest.raises(NothingToRefund):
        apply_for_refund(world.ports, wish=reversal(order), who=FIRST)


def test_a_month_that_the_treasury_has_is_not_reversed(world):
    order = seen_to_go_back(world)
    confirm(world, *bill_nos(world, order))

    with pytest.raises(ReversalTooLate):
        apply_for_refund(world.ports, wish=reversal(order, *bill_nos(world, order)), who=FIRST)


def test_a_month_paid_for_the_wrong_person_is_billed_anew(world):
    order = seen_to_go_back(world)

    reversed_by_two(world, order, *bill_nos(world, order), reason=RefundReason.WRONG_PERSON)

    assert world.bill_states() == ["VOID"]


def test_a_refund_that_failed_and_went_through_after_all_gives_its_month_back_too(world):
    _, order = world.order()
    world.hear(world.paid_news(order))
    world.settle()
    number = an_approved_one(world, order)
    send_refunds(world.ports)
    becomes(world, number, NewsKind.REFUND_FAILED)
    news = world.paid_news(order, notice="LATE", kind=NewsKind.REFUNDED)
    world.hear(replace(news, refund_no=number, provider_refund_no="PR1", refund_fen=order.total_fen), miniprogram=WECHAT)
    world.settle()
    assert world.balances() == {OWED_ON: order.total_fen, UNKNOWN: -order.total_fen}

    reversed_by_two(world, order, *bill_nos(world, order))

    assert world.balances() == {}
    assert world.bill_states() == ["REFUNDED"]


def test_what_a_reversal_named_is_not_counted_twice_when_the_rest_goes_back(world):
    order = a_paid_order(world, "2026-10", "2026-11", region="650000", miniprogram=XINJIANG)
    first, second = bill_nos(world, order)
    month_fen = world.scalar("SELECT amount_fen FROM contribution_bills WHERE bill_no = :no", no=first)
    news = world.paid_news(order, notice="R", kind=NewsKind.REFUNDED)
    world.hear(replace(news, refund_no="PLATFORM", provider_refund_no="PR", refund_fen=month_fen), miniprogram=XINJIANG)
    world.settle()
    reversed_by_two(world, order, first)

    number = an_approved_one(world, order, second)
    send_refunds(world.ports)
    becomes(world, number, NewsKind.REFUNDED)

    assert world.balances() == {}
    assert sorted(world.bill_states()) == ["REFUNDED", "REFUNDED"]
