"""Refunds: who may say yes, what goes where in the books, and what provider and treasury make of it."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from models.refunds import RefundReason, RefundState
from providers.protocols import NewsKind, ProviderRefused, ProviderUnreachable
from services.counter_errors import SecondPersonRequired
from services.errors import NotFound
from services.refund_errors import (
    NothingToRefund,
    RefundMustBeSplit,
    RefundNotAtThisStep,
    RefundRoadChanged,
    RefundTooLarge,
    RefundUnderWay,
)
from services.refund_sending import send_refunds
from services.refunds import RefundWish, advance_refund, apply_for_refund, decide_refund
from services.review_errors import ReasonNeeded
from tests.factories import WECHAT, XINJIANG
from tests.providers.fakes import FakePayments

CLEARING, OWED_ON = "clearing:wechat_pay:1900003204", "contributions:tax-320400:110"
FIRST, SECOND = "staff:S1024", "staff:S2048"
WHY = "参保人申请，材料已核对"


def a_paid_order(world, *months, region="320400", miniprogram=WECHAT):
    _, order = world.order(*months, region=region, miniprogram=miniprogram)
    world.hear(world.paid_news(order), miniprogram=miniprogram)
    world.settle()
    return order


def bill_nos(world, order):
    return tuple(
        number
        for (number,) in world.rows(
            "SELECT b.bill_no FROM payment_order_lines l JOIN contribution_bills b ON b.id = l.bill_id"
            " JOIN payment_orders o ON o.id = l.order_id WHERE o.order_no = :no ORDER BY b.coverage_month",
            no=order.order_no,
        )
    )


def wish(order, *numbers, reason=RefundReason.NOT_ELIGIBLE, **more):
    return RefundWish(payment_no=order.payment_no, bill_nos=numbers, reason=reason, words=WHY, **more)


def an_approved_one(world, order, *numbers, reason=RefundReason.NOT_ELIGIBLE):
    number = apply_for_refund(world.ports, wish=wish(order, *(numbers or bill_nos(world, order)), reason=reason), who=FIRST)
    decide_refund(world.ports, refund_no=number, approve=True, words=WHY, who=SECOND)
    return number


def state(world, number):
    return world.scalar("SELECT state FROM refunds WHERE refund_no = :no", no=number)


def provider(world):
    return world.ports.payments[WECHAT]


def becomes(world, number, kind):
    """The provider comes to an end with it, and we ask later."""
    for each in world.ports.payments.values():
        # A bank's counter is never asked: what goes back there, goes back over the counter.
        if isinstance(each, FakePayments):
            each.refunds[number] = kind
    world.ports.clock.move(minutes=10)
    send_refunds(world.ports)
    world.settle()


# Who says yes.


def test_an_application_alone_moves_nothing(world):
    order = a_paid_order(world)

    number = apply_for_refund(world.ports, wish=wish(order, *bill_nos(world, order)), who=FIRST)

    assert state(world, number) == "APPLIED"
    assert world.bill_states() == ["PAID"]
    assert world.balances() == {CLEARING: order.total_fen, OWED_ON: order.total_fen}
    assert send_refunds(world.ports) == 0


def test_whoever_applied_does_not_decide_it_above_the_limit(world, ports, monkeypatch):
    order = a_paid_order(world)
    number = apply_for_refund(ports, wish=wish(order, *bill_nos(world, order)), who=FIRST)

    with pytest.raises(SecondPersonRequired):
        decide_refund(ports, refund_no=number, approve=True, words=WHY, who=FIRST)
    monkeypatch.setattr(type(ports.rulebook.region("320400")), "refund_two_people_above_fen", order.total_fen)
    decide_refund(ports, refund_no=number, approve=True, words=WHY, who=FIRST)

    assert state(world, number) == "APPROVED"


def test_a_refusal_leaves_the_month_paid_and_free_for_another_application(world, ports):
    order = a_paid_order(world)
    number = apply_for_refund(ports, wish=wish(order, *bill_nos(world, order)), who=FIRST)

    decide_refund(ports, refund_no=number, approve=False, words="材料不足，请补充", who=SECOND)

    assert state(world, number) == "REJECTED"
    assert world.bill_states() == ["PAID"]
    assert apply_for_refund(ports, wish=wish(order, *bill_nos(world, order)), who=FIRST) != number


def test_a_decision_is_made_once(world, ports):
    order = a_paid_order(world)
    number = an_approved_one(world, order)

    for approve in (True, False):
        with pytest.raises(RefundNotAtThisStep):
            decide_refund(ports, refund_no=number, approve=approve, words=WHY, who=SECOND)


def test_two_who_approve_at_once_book_it_once(world, ports):
    order = a_paid_order(world)
    number = apply_for_refund(ports, wish=wish(order, *bill_nos(world, order)), who=FIRST)
    heard = []

    def approve(who):
        try:
            decide_refund(ports, refund_no=number, approve=True, words=WHY, who=who)
            heard.append("yes")
        except RefundNotAtThisStep as refusal:
            heard.append(refusal.code)

    threads = [threading.Thread(target=approve, args=(f"staff:S{at}000",)) for at in range(2, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(heard) == ["REFUND_NOT_AT_THIS_STEP"] * 3 + ["yes"]
    assert world.balances() == {CLEARING: order.total_fen, f"refunding:{number}": order.total_fen}


@pytest.mark.parametrize("words", ["", "  好 ", "身份证320402199001010018的人", "字" * 201])
def test_a_reason_says_something_and_names_nobody(world, ports, words):
    order = a_paid_order(world)

    with pytest.raises(ReasonNeeded):
        apply_for_refund(ports, wish=replace(wish(order, *bill_nos(world, order)), words=words), who=FIRST)


# What may be applied for.


def test_nobody_pays_back_what_was_not_paid_by_that_payment(world, ports):
    order, other = a_paid_order(world), world.order()[1]

    for asked in (
        wish(order, *bill_nos(world, other)),
        wish(order, "NOSUCHBILL"),
        replace(wish(order), payment_no="NOSUCHPAYMENT", bill_nos=bill_nos(world, order)),
    ):
        with pytest.raises(NotFound):
            apply_for_refund(ports, wish=asked, who=FIRST)
    with pytest.raises(NothingToRefund):
        apply_for_refund(ports, wish=wish(order), who=FIRST)
    with pytest.raises(NothingToRefund):
        apply_for_refund(ports, wish=wish(other), who=FIRST)


def test_a_month_goes_back_once_whoever_applies_first(world, ports):
    order = a_paid_order(world, "2026-10", "2026-11", region="650000", miniprogram=XINJIANG)
    october, november = bill_nos(world, order)
    apply_for_refund(ports, wish=wish(order, october), who=FIRST)

    with pytest.raises(RefundUnderWay):
        apply_for_refund(ports, wish=wish(order, october, november), who=SECOND)
    number = an_approved_one(world, order, november)
    with pytest.raises(RefundUnderWay):
        apply_for_refund(ports, wish=wish(order, november), who=FIRST)
    becomes(world, number, NewsKind.REFUNDED)

    with pytest.raises(RefundUnderWay):
        apply_for_refund(ports, wish=wish(order, november), who=FIRST)


def test_a_refund_cannot_be_refunded(world, ports):
    order = a_paid_order(world)
    number = an_approved_one(world, order)

    with pytest.raises(NotFound):
        apply_for_refund(ports, wish=replace(wish(order), payment_no=number), who=FIRST)


def test_months_with_the_treasury_and_months_without_are_two_refunds(world, ports):
    order = a_paid_order(world, "2026-10", "2026-11", region="650000", miniprogram=XINJIANG)
    october, _ = bill_nos(world, order)
    confirm(world, october)

    with pytest.raises(RefundMustBeSplit):
        apply_for_refund(ports, wish=wish(order, *bill_nos(world, order)), who=FIRST)


def test_a_month_that_reached_the_treasury_between_the_two_is_not_sent_back_by_the_provider(world, ports):
    order = a_paid_order(world)
    number = apply_for_refund(ports, wish=wish(order, *bill_nos(world, order)), who=FIRST)
    confirm(world, *bill_nos(world, order))

    with pytest.raises(RefundRoadChanged):
        decide_refund(ports, refund_no=number, approve=True, words=WHY, who=SECOND)
    decide_refund(ports, refund_no=number, approve=False, words=WHY, who=SECOND)

    assert apply_for_refund(ports, wish=wish(order, *bill_nos(world, order)), who=FIRST)


# Through the provider.


def test_one_month_of_two_goes_back_and_its_record_is_reversed(world):
    order = a_paid_order(world, "2026-10", "2026-11", region="650000", miniprogram=XINJIANG)
    october, _ = bill_nos(world, order)
    fen = world.scalar("SELECT amount_fen FROM contribution_bills WHERE bill_no = :no", no=october)
    number = an_approved_one(world, order, october)
    assert world.bill_states() == ["REFUNDING", "PAID"]

    assert send_refunds(world.ports) == 1
    assert state(world, number) == "SENT"
    becomes(world, number, NewsKind.REFUNDED)

    assert state(world, number) == "REFUNDED"
    assert world.bill_states() == ["REFUNDED", "PAID"]
    assert [record.state for record in world.records()] == ["REVERSED", "PAID"]
    assert set(world.balances().values()) == {order.total_fen - fen}
    assert world.read_payment(order.payment_no).refunded_fen == fen
    assert told(world)[-1] == ("refund.done", [202610])


def test_a_month_paid_for_the_wrong_person_is_owed_again(world):
    order = a_paid_order(world)
    number = an_approved_one(world, order, reason=RefundReason.WRONG_PERSON)

    becomes(world, number, NewsKind.REFUNDED)

    assert world.bill_states() == ["VOID"]
    assert [record.state for record in world.records()] == ["REVERSED"]


def test_the_notice_and_the_answer_are_one_refund(world):
    order = a_paid_order(world)
    number = an_approved_one(world, order)
    send_refunds(world.ports)
    (asked,) = provider(world).asked("refund")
    provider(world).refunds[number] = NewsKind.REFUNDED
    for at in range(3):
        world.hear(provider(world).refund_news(asked, notification_id=f"R{at}"))

    becomes(world, number, NewsKind.REFUNDED)

    assert world.balances() == {}
    assert [row for row in told(world) if row[0] == "refund.done"] == [("refund.done", [202611])]


def test_a_refund_that_failed_gives_the_month_back_and_may_be_ordered_again(world):
    order = a_paid_order(world)
    number = an_approved_one(world, order)

    becomes(world, number, NewsKind.REFUND_FAILED)
    becomes(world, number, NewsKind.REFUND_FAILED)

    assert state(world, number) == "FAILED"
    assert world.bill_states() == ["PAID"]
    assert world.balances() == {CLEARING: order.total_fen, OWED_ON: order.total_fen}
    again = an_approved_one(world, order)
    becomes(world, again, NewsKind.REFUNDED)
    assert world.balances() == {}
    assert world.scalar("SELECT outcome FROM notices WHERE kind = 'REFUND_FAILED'") == "REFUND_FAILED"


def test_money_that_moved_after_they_said_it_had_failed_is_booked_and_somebody_looks(world):
    order = a_paid_order(world)
    number = an_approved_one(world, order)
    becomes(world, number, NewsKind.REFUND_FAILED)
    (asked, *_) = provider(world).asked("refund")
    provider(world).refunds[number] = NewsKind.REFUNDED

    world.hear(provider(world).refund_news(asked, notification_id="LATE"))
    world.settle()

    assert state(world, number) == "REFUNDED"
    assert world.balances() == {OWED_ON: order.total_fen, "unknown:wechat_pay:1900003204": -order.total_fen}
    assert world.scalar("SELECT outcome FROM notices WHERE notification_id = 'LATE'") == "REFUND_SEEN"


def test_an_account_that_takes_no_money_back_waits_for_a_person_and_ends_when_it_did(world):
    order = a_paid_order(world)
    number = an_approved_one(world, order)
    becomes(world, number, NewsKind.REFUND_ABNORMAL)
    assert state(world, number) == "ABNORMAL"
    assert world.scalar("SELECT state FROM notices WHERE kind = 'REFUND_ABNORMAL'") == "PARKED"
    assert told(world)[-1][0] == "refund.delayed"

    world.ports.clock.move(hours=7)
    becomes(world, number, NewsKind.REFUNDED)

    assert state(world, number) == "REFUNDED"
    assert world.balances() == {}


def test_an_abnormal_that_is_heard_after_the_end_changes_nothing(world):
    order = a_paid_order(world)
    number = an_approved_one(world, order)
    becomes(world, number, NewsKind.REFUNDED)
    (asked, *_) = provider(world).asked("refund")
    provider(world).refunds[number] = NewsKind.REFUND_ABNORMAL

    world.hear(provider(world).refund_news(asked, notification_id="LATE"))
    world.settle()

    assert state(world, number) == "REFUNDED"
    assert world.scalar("SELECT outcome FROM notices WHERE notification_id = 'LATE'") == "ALREADY"


# Calls that go wrong.


def test_each_call_says_exactly_the_same_until_there_is_an_answer(world, clock):
    order = a_paid_order(world)
    number = an_approved_one(world, order)
    for _ in range(3):
        provider(world).fails.append(("refund", ProviderUnreachable("timed out")))
        send_refunds(world.ports)
        clock.move(hours=2)

    becomes(world, number, NewsKind.REFUNDED)

    asked = provider(world).asked("refund")
    assert len(asked) == 3
    assert len(set(asked)) == 1
    assert (asked[0].refund_no, asked[0].refund_fen, asked[0].total_fen) == (number, order.total_fen, order.total_fen)
    assert state(world, number) == "REFUNDED"
    assert world.balances() == {}


def test_a_call_that_timed_out_after_it_worked_is_found_by_asking_and_not_ordered_again(world, clock):
    order = a_paid_order(world)
    number = an_approved_one(world, order)
    provider(world).fails.append(("refund", ProviderUnreachable("timed out")))
    provider(world).refunds[number] = NewsKind.REFUNDED
    send_refunds(world.ports)
    clock.move(minutes=1)

    send_refunds(world.ports)

    assert (len(provider(world).asked("refund")), len(provider(world).asked("ask_refund"))) == (1, 1)
    assert state(world, number) == "REFUNDED"


def test_an_empty_merchant_account_is_tried_again_and_a_refusal_for_good_is_a_persons_turn(world, clock):
    order = a_paid_order(world)
    number = an_approved_one(world, order)
    provider(world).fails.append(("refund", ProviderRefused("NOT_ENOUGH", permanent=False)))
    send_refunds(world.ports)
    assert (state(world, number), fault(world, number)) == ("APPROVED", "NOT_ENOUGH")
    clock.move(minutes=1)
    provider(world).fails.append(("refund", ProviderRefused("INVALID_REQUEST")))

    send_refunds(world.ports)

    assert (state(world, number), fault(world, number)) == ("FAILED", "INVALID_REQUEST")
    assert world.bill_states() == ["PAID"]
    clock.move(days=1)
    assert send_refunds(world.ports) == 0


def test_a_refusal_to_answer_says_nothing_about_the_money(world, clock):
    order = a_paid_order(world)
    number = an_approved_one(world, order)
    provider(world).fails.append(("refund", ProviderUnreachable("timed out")))
    send_refunds(world.ports)
    provider(world).fails.append(("ask_refund", ProviderRefused("NO_AUTH")))
    clock.move(minutes=1)
    send_refunds(world.ports)

    assert state(world, number) == "APPROVED"


def test_two_refunds_of_one_payment_are_a_minute_apart(world, clock):
    order = a_paid_order(world, "2026-10", "2026-11", region="650000", miniprogram=XINJIANG)
    for number in bill_nos(world, order):
        an_approved_one(world, order, number)

    assert send_refunds(world.ports) == 1
    clock.move(seconds=62)
    send_refunds(world.ports)

    assert len({asked.refund_no for asked in world.ports.payments[XINJIANG].asked("refund")}) == 2


def test_a_notice_with_another_amount_than_ours_is_nobodys_proof(world):
    order = a_paid_order(world)
    number = an_approved_one(world, order)
    send_refunds(world.ports)
    (asked,) = provider(world).asked("refund")
    provider(world).refunds[number] = NewsKind.REFUNDED

    world.hear(provider(world).refund_news(replace(asked, refund_fen=1), notification_id="LIE"))
    world.settle()

    assert state(world, number) == "SENT"
    assert world.scalar("SELECT outcome FROM notices WHERE notification_id = 'LIE'") == "CONTRADICTION"


# Through the treasury.


def test_what_the_treasury_has_it_returns_itself_step_by_step(world, ports):
    order = a_paid_order(world)
    confirm(world, *bill_nos(world, order))
    number = an_approved_one(world, order)
    assert state(world, number) == "HRSS_REVIEW"
    assert send_refunds(ports) == 0
    with pytest.raises(RefundNotAtThisStep):
        advance_refund(ports, refund_no=number, to=RefundState.REFUNDED, words=WHY, who=SECOND)

    for to in (RefundState.TAX_REVIEW, RefundState.TREASURY, RefundState.REFUNDED):
        advance_refund(ports, refund_no=number, to=to, words=WHY, who=SECOND)

    assert world.bill_states() == ["REFUNDED"]
    assert [record.state for record in world.records()] == ["REVERSED"]
    assert world.balances() == {CLEARING: order.total_fen, "returned:tax-320400": order.total_fen}
    assert told(world)[-1][0] == "refund.done"


@pytest.mark.parametrize("steps", [0, 1, 2])
@pytest.mark.parametrize("was", ["TAX_CONFIRMED", "POSTED"])
def test_a_no_on_the_treasurys_road_leaves_everything_as_it_was(world, ports, steps, was):
    order = a_paid_order(world)
    confirm(world, *bill_nos(world, order), to=was)
    number = an_approved_one(world, order)
    for to in (RefundState.TAX_REVIEW, RefundState.TREASURY)[:steps]:
        advance_refund(ports, refund_no=number, to=to, words=WHY, who=SECOND)

    advance_refund(ports, refund_no=number, to=RefundState.REJECTED, words="税务机关审核不同意", who=SECOND)

    assert world.bill_states() == [was]
    assert world.balances() == {CLEARING: order.total_fen, "treasury:tax-320400": order.total_fen}
    assert apply_for_refund(ports, wish=wish(order, *bill_nos(world, order)), who=FIRST)


def test_a_month_whose_money_the_provider_was_seen_to_send_back_is_not_sent_back_again(world, ports):
    _, order = world.order()
    world.hear(world.paid_news(order))
    seen = world.paid_news(order, notice="N2", kind=NewsKind.REFUNDED)
    world.hear(replace(seen, refund_no="AT-THE-PLATFORM", provider_refund_no="PR1", refund_fen=order.total_fen))
    world.settle()
    number = apply_for_refund(ports, wish=wish(order, *bill_nos(world, order)), who=FIRST)

    with pytest.raises(RefundTooLarge):
        decide_refund(ports, refund_no=number, approve=True, words=WHY, who=SECOND)

    assert world.bill_states() == ["PAID"]
    assert ports.payments[WECHAT].asked("refund") == []


# Money that settled nothing.


def test_stray_money_goes_back_in_parts_and_never_more_than_came(world, ports):
    _, order = world.order()
    stray = replace(world.paid_news(order), payment_no="NOBODYASKEDFORTHIS000001", provider_payment_no="P1", amount_fen=500)
    world.hear(stray)
    world.settle()
    payment_no = world.scalar("SELECT payment_no FROM payments WHERE origin = 'UNKNOWN'")
    back = RefundWish(payment_no=payment_no, reason=RefundReason.UNCLAIMED, words=WHY)

    with pytest.raises(RefundTooLarge):
        apply_for_refund(ports, wish=replace(back, amount_fen=501), who=FIRST)
    part = apply_for_refund(ports, wish=replace(back, amount_fen=200), who=FIRST)
    with pytest.raises(RefundTooLarge):
        apply_for_refund(ports, wish=replace(back, amount_fen=301), who=FIRST)
    with pytest.raises(SecondPersonRequired):
        decide_refund(ports, refund_no=part, approve=True, words=WHY, who=FIRST)
    decide_refund(ports, refund_no=part, approve=True, words=WHY, who=SECOND)
    send_refunds(ports)
    becomes(world, part, NewsKind.REFUNDED)

    (asked,) = provider(world).asked("refund")
    assert (asked.provider_payment_no, asked.refund_fen, asked.total_fen) == ("P1", 200, 500)
    assert world.balances() == {CLEARING: 300, "unknown:wechat_pay:1900003204": 300}


def confirm(world, *numbers, to="TAX_CONFIRMED"):
    """As the tax authority's list does it."""
    world.scalar(
        "WITH b AS (UPDATE contribution_bills SET state = :to WHERE bill_no = ANY(:numbers) RETURNING id),"
        " r AS (UPDATE contribution_records SET state = :to WHERE bill_id IN (SELECT id FROM b) RETURNING *)"
        " INSERT INTO transfers (debit_account, credit_account, amount_fen, kind, payment_id, bill_id, who, at)"
        " SELECT 'contributions:tax-320400:' || insurance_type, 'treasury:tax-320400', amount_fen, 'CONFIRMED', payment_id, bill_id,"
        " 'test', paid_at FROM r RETURNING id",
        to=to,
        numbers=list(numbers),
    )


def told(world):
    return [(row[0], row[1]["months"]) for row in world.rows("SELECT template, facts FROM messages ORDER BY id")]


def fault(world, number):
    return world.scalar("SELECT fault FROM refunds WHERE refund_no = :no", no=number)
