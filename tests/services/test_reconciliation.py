"""A day against the provider's own bill: what agrees is counted, what was never heard of is heard, the rest is told."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta

import click
import pytest

from app import create_app
from config.clock import BEIJING
from config.settings import Settings
from jobs.reconciliation_commands import differences
from jobs.reconciliation_commands import reconcile as reconcile_command
from models.refunds import RefundReason
from providers.bills import BillDamaged, BillNotReady, BillRow, BillRowKind
from providers.protocols import NewsKind, ProviderRefused, ProviderUnreachable
from services import orders
from services.counter_errors import SecondPersonRequired
from services.differences import agree_to_difference, explain_difference
from services.errors import NotFound
from services.reconciliation import open_differences, reconcile, reconcile_what_is_due, sign_day
from services.reconciliation_errors import (
    ComparedMeanwhile,
    DayNotOver,
    DifferenceSettled,
    DifferencesOpen,
    ExplanationChanged,
    NoSuchMerchantAccount,
    ReconciliationClosed,
)
from services.refund_sending import send_refunds
from services.refunds import RefundWish, apply_for_refund, decide_refund
from services.review_errors import ReasonNeeded
from tests.factories import ALIPAY, WECHAT

DAY = date(2026, 11, 21)
NEXT = DAY + timedelta(days=1)
ACCOUNT, ALIPAYS = "wechat_pay:1900003204", "alipay:2088003204000001"
CLEARING, CONTRIBUTIONS = f"clearing:{ACCOUNT}", "contributions:tax-320400:110"
FIRST, SECOND = "staff:S1024", "staff:S2048"


def bill(ports, *rows, day=DAY, account=ACCOUNT):
    ports.daily_bills[account].days[day] = list(rows)


def row_of(order, *, fen=None, at=None, theirs=None, fee_fen=0, currency="CNY") -> BillRow:
    return BillRow(
        line=2,
        kind=BillRowKind.TRADE,
        payment_no=getattr(order, "payment_no", order),
        provider_payment_no=theirs or f"P{getattr(order, 'payment_no', order)}",
        amount_fen=fen or order.total_fen,
        currency=currency,
        state="SUCCESS",
        at=at or datetime(2026, 11, 21, 10, tzinfo=BEIJING),
        fee_fen=fee_fen,
    )


def refund_row(order, fen, *, number="RF1", theirs="50RF1", is_done=True, at=None) -> BillRow:
    return BillRow(
        line=3,
        kind=BillRowKind.REFUND,
        payment_no=order.payment_no,
        provider_payment_no=f"P{order.payment_no}",
        amount_fen=-fen,
        currency="CNY",
        state="SUCCESS" if is_done else "PROCESSING",
        at=at or datetime(2026, 11, 21, 11, tzinfo=BEIJING),
        fee_fen=0,
        is_done=is_done,
        refund_no=number,
        provider_refund_no=theirs,
    )


def paid(world, *months, miniprogram=WECHAT):
    """An order that was paid today, and whose notice came."""
    _, order = world.order(*months, miniprogram=miniprogram)
    world.hear(world.paid_news(order, notice=f"N{order.payment_no}"), miniprogram=miniprogram)
    world.settle()
    return order


def go(ports, *, account=ACCOUNT, day=DAY):
    if ports.today() <= day:
        ports.clock.set(datetime(day.year, day.month, day.day, 11, tzinfo=BEIJING) + timedelta(days=1))
    return reconcile(ports, merchant_account=account, day=day)


def opens(ports):
    with ports.begin() as session:
        return [(each.kind, each.subject, each.bill_fen, each.our_fen) for each in open_differences(session)]


def state(world, day=DAY):
    return world.scalar("SELECT state FROM reconciliations WHERE day = :day", day=day)


def test_a_day_whose_bill_says_what_our_books_say_has_no_difference(world, ports):
    first, second = paid(world), paid(world)
    bill(ports, row_of(first, fee_fen=228), row_of(second, fee_fen=-28))

    done = go(ports)

    assert (done.trades, done.matched, done.heard, done.differences) == (2, 2, 0, 0)
    assert (done.trade_fen, done.refund_fen, done.fee_fen) == (first.total_fen + second.total_fen, 0, 200)
    assert opens(ports) == []
    assert state(world) == "COMPARED"
    assert world.rows("SELECT from_state, to_state, who FROM moves WHERE noun = 'reconciliation'") == [
        ("OPEN", "COMPARED", "reconcile")
    ]


def test_a_payment_whose_notice_never_came_is_heard_of_from_the_bill_and_settled(world, ports):
    _, order = world.order()
    bill(ports, row_of(order))

    done = go(ports)

    assert (done.heard, done.matched, done.differences) == (1, 1, 0)
    assert world.read_order_row(order.order_no).state == "PAID"
    assert world.bill_states() == ["PAID"]
    assert world.balances() == {CLEARING: order.total_fen, CONTRIBUTIONS: order.total_fen}
    assert [(each.notification_id, each.kind, each.outcome) for each in world.notices()] == [
        (f"bill:2026-11-21:P{order.payment_no}", "PAID", "PAID")
    ]
    assert world.rows("SELECT kind, resolution, resolved_by FROM reconciliation_differences") == [
        ("PSP_ONLY", "agrees by now", None)
    ]


def test_comparing_again_changes_nothing_and_hears_nothing_twice(world, ports):
    _, order = world.order()
    bill(ports, row_of(order), row_of("SOMEBODY", fen=4200))
    first = go(ports)
    before = world.rows("SELECT count(*) FROM notices"), world.balances()

    again = go(ports)

    assert first.heard == 2
    assert (again.heard, again.matched, again.differences) == (0, 2, 0)
    assert (world.rows("SELECT count(*) FROM notices"), world.balances()) == before


def test_the_notice_that_comes_after_the_bill_moves_no_money_again(world, ports):
    _, order = world.order()
    bill(ports, row_of(order))
    go(ports)

    world.hear(world.paid_news(order, notice="late"))
    world.settle()

    assert world.notices()[-1].outcome == "ALREADY"
    assert world.balances()[CLEARING] == order.total_fen


def test_money_that_nobody_here_asked_for_stands_in_unknown_and_agrees_from_then_on(world, ports):
    bill(ports, row_of("COUNTER-77", fen=4200))

    done = go(ports)

    assert (done.heard, done.matched, done.differences) == (1, 1, 0)
    assert world.balances() == {CLEARING: 4200, f"unknown:{ACCOUNT}": 4200}
    assert [each.outcome for each in world.notices()] == ["UNCLAIMED"]


def test_money_for_an_order_that_was_closed_meanwhile_is_heard_of_too(world, ports):
    account, order = world.order()
    orders.cancel_order(ports, account=account, order_no=order.order_no)
    bill(ports, row_of(order))

    done = go(ports)

    assert (done.heard, done.differences) == (1, 0)
    assert world.read_payment(order.payment_no).state == "SUCCEEDED"


def test_a_day_without_trades_agrees_with_empty_books(world, ports):
    done = go(ports)

    assert (done.has_bill, done.trades, done.matched, done.differences) == (False, 0, 0, 0)
    assert state(world) == "COMPARED"


def test_money_in_our_books_that_their_bill_does_not_have_is_told_and_nothing_is_moved(world, ports):
    order = paid(world)
    bill(ports)
    before = world.balances()

    done = go(ports)

    assert (done.heard, done.differences) == (0, 1)
    assert opens(ports) == [("LOCAL_ONLY", "TRADE", None, order.total_fen)]
    assert world.balances() == before
    assert world.bill_states() == ["PAID"]


def test_a_day_without_any_bill_while_our_books_have_money_is_told(world, ports):
    order = paid(world)

    done = go(ports)

    assert (done.has_bill, done.differences) == (False, 1)
    assert opens(ports) == [("LOCAL_ONLY", "TRADE", None, order.total_fen)]


def test_another_amount_is_told_and_nothing_is_moved(world, ports):
    order = paid(world)
    bill(ports, row_of(order, fen=order.total_fen + 1))
    before = world.balances()

    done = go(ports)

    assert (done.heard, done.matched, done.differences) == (0, 0, 1)
    assert opens(ports) == [("AMOUNT_DIFF", "TRADE", order.total_fen + 1, order.total_fen)]
    assert world.balances() == before


def test_what_is_compared_is_what_came_and_not_what_was_asked_for(world, ports):
    _, order = world.order()
    world.hear(world.paid_news(order, amount_fen=order.total_fen - 5))
    world.settle()
    bill(ports, row_of(order, fen=order.total_fen - 5))

    assert go(ports).differences == 0


def test_a_payment_that_stands_in_a_bill_twice_disagrees(world, ports):
    order = paid(world)
    bill(ports, row_of(order), row_of(order))

    go(ports)

    assert opens(ports) == [("AMOUNT_DIFF", "TRADE", 2 * order.total_fen, order.total_fen)]


def test_a_difference_that_is_none_any_more_goes_by_itself(world, ports):
    order = paid(world)
    bill(ports)
    go(ports)
    bill(ports, row_of(order))

    done = go(ports)

    assert (done.matched, done.differences) == (1, 0)
    assert opens(ports) == []


def test_other_days_and_other_merchants_are_not_looked_at(world, ports):
    paid(world, miniprogram=ALIPAY)
    ports.clock.set(datetime(2026, 11, 22, 0, 0, tzinfo=BEIJING))
    paid(world)
    bill(ports)

    assert go(ports).differences == 0


@pytest.mark.parametrize(("hour", "minute", "found"), [(0, 0, 1), (23, 59, 1)])
def test_a_day_is_one_of_beijing(world, ports, hour, minute, found):
    ports.clock.set(datetime(2026, 11, 21, hour, minute, tzinfo=BEIJING))
    paid(world)
    bill(ports)

    assert go(ports).differences == found


@pytest.mark.parametrize("fault", [BillDamaged(9, "订单金额"), ProviderUnreachable("the line broke")])
def test_a_bill_that_turns_out_damaged_at_its_end_is_used_in_no_part(world, ports, fault):
    order = paid(world)
    bill(ports, row_of(order, fen=1), row_of("SOMEBODY", fen=4200), fault)

    with pytest.raises(type(fault)):
        go(ports)

    assert state(world) == "OPEN"
    assert world.rows("SELECT count(*) FROM reconciliation_differences") == [(0,)]
    assert len(world.notices()) == 1


@pytest.mark.parametrize("fault", [BillNotReady("early"), ProviderUnreachable("down")])
def test_a_provider_without_an_answer_leaves_the_day_open(world, ports, fault):
    paid(world)
    ports.daily_bills[ACCOUNT].fails.append(("fetch", fault))

    with pytest.raises(type(fault)):
        go(ports)

    assert state(world) == "OPEN"
    assert opens(ports) == []


def test_a_day_that_goes_on_and_an_account_that_is_not_ours_are_refused(ports):
    with pytest.raises(DayNotOver):
        reconcile(ports, merchant_account=ACCOUNT, day=DAY)
    with pytest.raises(NoSuchMerchantAccount):
        reconcile(ports, merchant_account="wechat_pay:1", day=DAY - timedelta(days=1))
    assert ports.daily_bills[ACCOUNT].calls == []


def test_a_refund_made_at_the_merchant_platform_is_heard_of_once(world, ports):
    order = paid(world)
    bill(ports, row_of(order), refund_row(order, 500))

    first, again = go(ports), go(ports)

    assert (first.heard, first.differences, again.heard, again.matched) == (1, 0, 0, 2)
    assert first.refund_fen == 500
    assert world.balances()[CLEARING] == order.total_fen - 500
    assert world.rows("SELECT refund_no, origin, state, amount_fen FROM refunds") == [("RF1", "SEEN", "REFUNDED", 500)]


def test_a_payment_and_its_refund_that_were_both_missed_are_heard_of_in_this_order(world, ports):
    _, order = world.order()
    bill(ports, refund_row(order, 500), row_of(order))

    done = go(ports)

    assert (done.heard, done.matched, done.differences) == (2, 2, 0)
    assert world.balances()[CLEARING] == order.total_fen - 500


def test_a_refund_that_was_under_way_when_the_bill_was_made_up_is_not_booked(world, ports):
    order = paid(world)
    bill(ports, row_of(order), refund_row(order, 500, is_done=False))

    done = go(ports)

    assert (done.heard, done.differences) == (0, 1)
    assert opens(ports) == [("PSP_ONLY", "REFUND", 500, None)]
    assert world.balances()[CLEARING] == order.total_fen


def test_a_refund_of_money_that_is_in_no_bill_of_ours_waits_for_its_payments_own_day(world, ports):
    _, order = world.order()
    bill(ports, refund_row(order, 500))

    done = go(ports)

    assert (done.heard, done.differences) == (0, 1)
    assert world.balances() == {}


def ordered(world, ports, order):
    """A refund of ours that the provider took on, of which nothing more was heard."""
    [(number,)] = world.rows("SELECT bill_no FROM contribution_bills")
    wish = RefundWish(payment_no=order.payment_no, reason=RefundReason.NOT_ELIGIBLE, words="参保条件不符", bill_nos=(number,))
    refund_no = apply_for_refund(ports, wish=wish, who=FIRST)
    decide_refund(ports, refund_no=refund_no, approve=True, words="核对无误，同意", who=SECOND)
    send_refunds(ports)
    world.settle()
    return refund_no


def test_a_refund_of_ours_under_way_is_no_difference_and_done_once_the_bill_says_so(world, ports):
    order = paid(world)
    number = ordered(world, ports, order)
    bill(ports, row_of(order), refund_row(order, order.total_fen, number=number, is_done=False))
    assert (go(ports).differences, go(ports).heard) == (0, 0)

    bill(ports, row_of(order), refund_row(order, order.total_fen, number=number))
    done = go(ports)

    assert (done.heard, done.matched, done.differences) == (1, 2, 0)
    assert world.rows("SELECT refund_no, origin, state FROM refunds") == [(number, "ORDERED", "REFUNDED")]
    assert world.balances() == {}


def test_another_amount_of_a_refund_is_told_and_not_booked(world, ports):
    order = paid(world)
    number = ordered(world, ports, order)
    bill(ports, row_of(order), refund_row(order, order.total_fen - 1, number=number))

    done = go(ports)

    assert (done.heard, done.differences) == (0, 1)
    assert opens(ports) == [("AMOUNT_DIFF", "REFUND", order.total_fen - 1, order.total_fen)]


def alipays_refund(order, total, *, notice, number):
    return {
        "notification_id": notice,
        "kind": NewsKind.REFUNDED,
        "payment_no": order.payment_no,
        "provider_payment_no": f"P{order.payment_no}",
        "amount_fen": order.total_fen,
        "refund_no": number,
        "refunded_total_fen": total,
    }


def test_alipays_refunds_that_were_seen_by_their_sum_are_known_again(world, ports):
    order = paid(world, miniprogram=ALIPAY)
    for total, number in ((500, "RF1"), (800, "RF2")):
        world.hear(world.paid_news(order, **alipays_refund(order, total, notice=number, number=number)), miniprogram=ALIPAY)
    world.settle()
    held = world.balances()[f"clearing:{ALIPAYS}"]
    bill(
        ports,
        row_of(order),
        refund_row(order, 500, theirs=None),
        refund_row(order, 300, number="RF2", theirs=None),
        account=ALIPAYS,
    )

    done = go(ports, account=ALIPAYS)

    assert (done.heard, done.matched, done.differences) == (0, 3, 0)
    assert world.balances()[f"clearing:{ALIPAYS}"] == held == order.total_fen - 800


def test_alipays_refunds_that_nobody_heard_of_are_booked_each_once_whatever_comes_later(world, ports):
    order = paid(world, miniprogram=ALIPAY)
    bill(
        ports,
        row_of(order),
        refund_row(order, 500, theirs=None),
        refund_row(order, 300, number="RF2", theirs=None),
        account=ALIPAYS,
    )

    first, again = go(ports, account=ALIPAYS), go(ports, account=ALIPAYS)
    for total, number in ((800, "RF2"), (500, "RF1")):
        world.hear(world.paid_news(order, **alipays_refund(order, total, notice=number, number=number)), miniprogram=ALIPAY)
    world.settle()

    assert (first.heard, first.differences, again.heard, again.differences) == (2, 0, 0, 0)
    assert world.balances()[f"clearing:{ALIPAYS}"] == order.total_fen - 800


@pytest.mark.parametrize(("total", "number"), [(800, None), (800, "RF2")])
def test_a_sum_that_may_hold_a_refund_already_is_left_to_a_person_and_never_booked_again(world, ports, total, number):
    """The first one's notice was lost, and the second one's told the sum of both."""
    order = paid(world, miniprogram=ALIPAY)
    world.hear(world.paid_news(order, **alipays_refund(order, total, notice="n", number=number)), miniprogram=ALIPAY)
    world.settle()
    bill(
        ports,
        row_of(order),
        refund_row(order, 500, theirs=None),
        refund_row(order, 300, number="RF2", theirs=None),
        account=ALIPAYS,
    )

    done = go(ports, account=ALIPAYS)

    assert (done.heard, done.matched, done.differences) == (0, 1, 2)
    assert world.balances()[f"clearing:{ALIPAYS}"] == order.total_fen - 800


def test_two_who_reconcile_a_day_at_once_hear_of_everything_once(world, ports):
    made = [world.order()[1] for _ in range(3)]
    bill(ports, *(row_of(order) for order in made))
    ports.clock.move(days=1)
    told = []
    threads = [
        threading.Thread(target=lambda: told.append(reconcile(ports, merchant_account=ACCOUNT, day=DAY))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(told) == 3
    assert sum(each.heard for each in told) == 3
    assert reconcile(ports, merchant_account=ACCOUNT, day=DAY).differences == 0
    assert world.balances()[CLEARING] == sum(order.total_fen for order in made)


def one_difference(ports):
    with ports.begin() as session:
        [found] = open_differences(session)
    return found


def test_what_a_person_explained_stays_so_while_nothing_about_it_changes(world, ports):
    order = paid(world)
    bill(ports, row_of(order, fen=1))
    go(ports)
    found = one_difference(ports)
    with pytest.raises(ReasonNeeded):
        explain_difference(ports, difference_id=found.id, words="好", who=FIRST)

    explain_difference(ports, difference_id=found.id, words="平台更正前的金额", who=FIRST)
    assert go(ports).differences == 1, "one alone explains nothing away"
    assert (one_difference(ports).explained_by, one_difference(ports).resolution) == (FIRST, "平台更正前的金额")
    agree_to_difference(ports, difference_id=found.id, who=SECOND)
    assert go(ports).differences == 0
    with pytest.raises(DifferenceSettled):
        explain_difference(ports, difference_id=found.id, words="平台更正前的金额", who=SECOND)

    bill(ports, row_of(order, fen=2))
    assert go(ports).differences == 1
    assert (one_difference(ports).bill_fen, one_difference(ports).explained_by) == (2, None)


def explained(world):
    return world.rows("SELECT explained_by, resolved_by, resolution FROM reconciliation_differences")


def test_two_people_explain_a_difference_and_whoever_does_not_agree_says_it_better(world, ports):
    bill(ports, row_of(paid(world), fen=1))
    go(ports)
    number = one_difference(ports).id
    with pytest.raises(ExplanationChanged):
        agree_to_difference(ports, difference_id=number, who=SECOND)
    explain_difference(ports, difference_id=number, words="平台更正前的金额", who=FIRST)
    seen = ports.now()

    with pytest.raises(SecondPersonRequired):
        agree_to_difference(ports, difference_id=number, who=FIRST)
    ports.clock.move(seconds=1)
    explain_difference(ports, difference_id=number, words="平台少收了优惠券", who=SECOND)
    with pytest.raises(ExplanationChanged):
        agree_to_difference(ports, difference_id=number, who="staff:S4096", seen=seen)
    with pytest.raises(SecondPersonRequired):
        agree_to_difference(ports, difference_id=number, who=SECOND)
    agree_to_difference(ports, difference_id=number, who=FIRST, seen=ports.now())

    assert explained(world) == [(SECOND, FIRST, "平台少收了优惠券")]
    assert world.rows(
        "SELECT from_state, to_state, why, who FROM moves WHERE noun = 'reconciliation_difference' ORDER BY id"
    ) == [
        ("OPEN", "EXPLAINED", "difference.explained:平台更正前的金额", FIRST),
        ("EXPLAINED", "EXPLAINED", "difference.explained:平台少收了优惠券", SECOND),
        ("EXPLAINED", "RESOLVED", "difference.agreed", FIRST),
    ]
    with pytest.raises(DifferenceSettled):
        agree_to_difference(ports, difference_id=number, who="staff:S4096")
    with pytest.raises(NotFound):
        agree_to_difference(ports, difference_id=number + 1, who=SECOND)


def test_an_explanation_is_forgotten_when_both_sides_agree_and_asked_for_anew_when_they_do_not_any_more(world, ports):
    order = paid(world)
    bill(ports, row_of(order, fen=1))
    go(ports)
    explain_difference(ports, difference_id=one_difference(ports).id, words="平台更正前的金额", who=FIRST)
    bill(ports, row_of(order))
    assert go(ports).differences == 0
    assert explained(world) == [(None, None, "agrees by now")]

    bill(ports, row_of(order, fen=1))

    assert go(ports).differences == 1
    assert explained(world) == [(None, None, None)]


def test_of_two_who_agree_at_once_one_does_and_the_other_is_told(world, ports):
    bill(ports, row_of(paid(world), fen=1))
    go(ports)
    number = one_difference(ports).id
    explain_difference(ports, difference_id=number, words="平台更正前的金额", who=FIRST)
    told = []

    def press(who):
        try:
            agree_to_difference(ports, difference_id=number, who=who)
            told.append("agreed")
        except DifferenceSettled:
            told.append("told")

    threads = [threading.Thread(target=press, args=(f"staff:S300{each}",)) for each in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(told) == ["agreed", "told", "told"]


def test_whoever_signs_signs_the_figures_that_they_saw(world, ports):
    go(ports)

    with pytest.raises(ComparedMeanwhile):
        sign_day(ports, merchant_account=ACCOUNT, day=DAY, who=FIRST, seen_run=0)
    assert sign_day(ports, merchant_account=ACCOUNT, day=DAY, who=FIRST, seen_run=1) is False


def test_a_day_is_closed_by_two_and_not_touched_after(world, ports):
    order = paid(world)
    bill(ports, row_of(order))
    with pytest.raises(DayNotOver):
        sign_day(ports, merchant_account=ACCOUNT, day=DAY, who=FIRST)
    with pytest.raises(NotFound):
        sign_day(ports, merchant_account=ACCOUNT, day=DAY - timedelta(days=1), who=FIRST)
    go(ports)

    assert sign_day(ports, merchant_account=ACCOUNT, day=DAY, who=FIRST) is False
    with pytest.raises(SecondPersonRequired):
        sign_day(ports, merchant_account=ACCOUNT, day=DAY, who=FIRST)
    assert state(world) == "COMPARED"
    assert sign_day(ports, merchant_account=ACCOUNT, day=DAY, who=SECOND) is True

    assert world.rows("SELECT state, signed_by, closed_by FROM reconciliations") == [("CLOSED", FIRST, SECOND)]
    for again in (go, lambda ports: sign_day(ports, merchant_account=ACCOUNT, day=DAY, who="staff:S4096")):
        with pytest.raises(ReconciliationClosed):
            again(ports)


def test_a_day_with_something_open_or_never_compared_is_not_signed(world, ports):
    paid(world)
    ports.daily_bills[ACCOUNT].fails.append(("fetch", ProviderUnreachable("down")))
    with pytest.raises(ProviderUnreachable):
        go(ports)
    with pytest.raises(DifferencesOpen):
        sign_day(ports, merchant_account=ACCOUNT, day=DAY, who=FIRST)
    go(ports)

    with pytest.raises(DifferencesOpen):
        sign_day(ports, merchant_account=ACCOUNT, day=DAY, who=FIRST)


def test_a_signature_under_an_older_comparison_counts_no_longer(world, ports):
    go(ports)
    sign_day(ports, merchant_account=ACCOUNT, day=DAY, who=FIRST)
    go(ports)

    assert sign_day(ports, merchant_account=ACCOUNT, day=DAY, who=SECOND) is False


def compared(world):
    return world.rows("SELECT merchant_account, day FROM reconciliations WHERE state = 'COMPARED' ORDER BY day DESC, 1")


def test_the_sweep_compares_every_day_of_the_last_week_once_the_latest_first(world, ports):
    accounts = sorted(ports.daily_bills)
    while reconcile_what_is_due(ports):
        pass

    assert compared(world) == [(account, DAY - timedelta(days=back)) for back in range(1, 8) for account in accounts]
    assert all(len(provider.asked("fetch")) == 7 for provider in ports.daily_bills.values())


def test_the_sweep_waits_for_ten_in_the_morning(world, ports):
    ports.clock.set(datetime(2026, 11, 21, 9, 59, tzinfo=BEIJING))
    while reconcile_what_is_due(ports):
        pass

    assert max(day for _, day in compared(world)) == DAY - timedelta(days=2)


@pytest.mark.parametrize("fault", [BillDamaged(7, "业务类型"), ProviderUnreachable("down"), ProviderRefused("NO_AUTH")])
def test_the_sweep_goes_on_past_a_bill_that_cannot_be_had_and_comes_back_to_it(world, ports, fault):
    yesterday = DAY - timedelta(days=1)
    ports.daily_bills[ACCOUNT].fails.append(("fetch", fault))

    reconcile_what_is_due(ports)
    assert (ACCOUNT, yesterday) not in compared(world)
    assert (ALIPAYS, yesterday) in compared(world)

    reconcile_what_is_due(ports)
    assert (ACCOUNT, yesterday) in compared(world)


@pytest.fixture
def canbao(ports, tmp_path):
    app = create_app(Settings(secrets_dir=tmp_path), doors=[], ports=ports)
    for command in (reconcile_command, differences):
        app.cli.add_command(command)

    def run(*words):
        with app.app_context():
            return app.test_cli_runner().invoke(args=list(words))

    return run


def test_the_operator_compares_every_account_explains_and_closes(world, ports, canbao):
    order = paid(world)
    bill(ports, row_of(order, fen=order.total_fen + 1))
    bill(ports, BillDamaged(7, "业务类型"), account=ALIPAYS)
    ports.clock.move(days=1)

    told = canbao("reconcile", "--day", "2026-11-21")
    assert told.exit_code == 1
    assert f"{ALIPAYS} 2026-11-21: their bill is damaged and nothing of it was used: line 7: 业务类型" in told.output
    assert f"{ACCOUNT} 2026-11-21: 1 payments, 0 refunds; 0 agree, 0 heard of only now, 1 open" in told.output
    assert "no bill, as of a day without trades" in told.output

    listed = canbao("differences")
    assert f"AMOUNT_DIFF TRADE  payment {order.payment_no}" in listed.output
    number = listed.output.split()[0]
    assert canbao("differences", "--explain", number).exit_code == 1
    assert canbao("differences", "--explain", number, "--words", "平台更正前的金额", "--who", "S1024").exit_code == 0
    assert "explained by staff:S1024: 平台更正前的金额" in canbao("differences").output
    assert canbao("differences", "--agree", number).exit_code == 1
    assert "SECOND_PERSON_REQUIRED" in canbao("differences", "--agree", number, "--who", "S1024").output
    assert canbao("differences", "--agree", number, "--who", "S2048").exit_code == 0
    assert canbao("differences").output == "none\n"

    sign = ("reconcile", "--day", "2026-11-21", "--account", ACCOUNT, "--sign", "--who")
    assert canbao(*sign, "S1024").output.startswith("signed")
    refused = canbao(*sign, "S1024")
    assert (refused.exit_code, "SECOND_PERSON_REQUIRED" in refused.output) == (1, True)
    assert canbao(*sign, "S2048").output == "closed\n"
    assert "RECONCILIATION_CLOSED" in canbao("reconcile", "--day", "2026-11-21", "--account", ACCOUNT).output
    assert canbao("reconcile", "--day", "2026-11-21", "--sign").exit_code == 1
    assert isinstance(reconcile_command, click.Command)
