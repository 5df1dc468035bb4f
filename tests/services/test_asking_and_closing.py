"""Payments at the provider: opened once, asked about when silent, closed there before they are closed here; and every crash in between."""

from __future__ import annotations

import pytest

from models.payments import Payment
from providers.protocols import NewsKind, PaymentNews, ProviderRefused, ProviderUnreachable
from services import orders, payments
from services.errors import BillsReserved, CannotCancel, PaymentRefused
from services.inbox import receive
from services.payments import ask_about_silence, ask_now, ask_provider, close_payment, close_stale, open_payment
from tests.factories import ALIPAY, WECHAT


@pytest.fixture
def wechat(ports):
    return ports.payments[WECHAT]


def reserved(world) -> tuple[object, orders.OrderView]:
    """An order whose process died before it called anybody."""
    person = world.person()
    bills = world.bills(world.enrollment(person))
    account = world.account(person)
    new = orders.NewOrder(
        insured_person_id=world.me_in_list(account),
        bill_nos=tuple(bill.bill_no for bill in bills),
        expected_amount_fen=sum(bill.amount_fen for bill in bills),
    )
    order_no, _ = orders._reserve(world.ports, account=account, new=new, idempotency_key="k")
    return account, orders.read_order(world.ports, account=account, order_no=order_no)


def stands(world, order) -> tuple[str, str, list[str]]:
    return (
        world.read_order_row(order.order_no).state,
        world.read_payment(order.payment_no).state,
        world.bill_states(),
    )


FREE = ("CLOSED", "CLOSED", ["UNPAID"])
PAID = ("PAID", "SUCCEEDED", ["PAID"])
OPEN = ("PREPAY", "OPEN", ["LOCKED"])
IN_DOUBT = ("UNKNOWN", "CREATED", ["LOCKED"])


# Opening.


def test_an_opening_refused_for_good_gives_the_months_back_at_once(world, wechat):
    wechat.fails.append(("open_payment", ProviderRefused("PARAM_ERROR")))

    with pytest.raises(PaymentRefused):
        world.order()

    assert world.bill_states() == ["UNPAID"]
    assert world.rows("SELECT o.state, p.state FROM payment_orders o JOIN payments p ON p.order_id = o.id") == [
        ("CLOSED", "CLOSED")
    ]


def frozen_request(ports, payment_no):
    live = payments._live(ports, payment_no)
    return ports.seals.open_bytes(live.request_sealed, place=Payment.request_place(live.id))


def test_an_opening_refused_for_good_after_an_earlier_one_that_was_paid_is_paid(world, wechat):
    account, order = reserved(world)
    frozen = frozen_request(world.ports, order.payment_no)
    wechat.open_payment(frozen)
    wechat.pay(order.payment_no)
    wechat.fails.append(("open_payment", ProviderRefused("PARAM_ERROR")))

    open_payment(world.ports, order.payment_no)

    assert stands(world, order) == PAID
    assert account


def test_an_opening_refused_for_good_by_one_who_then_does_not_answer_stays_in_doubt(world, wechat):
    _, order = reserved(world)
    wechat.fails += [("open_payment", ProviderRefused("PARAM_ERROR")), ("close", ProviderUnreachable("down"))]

    open_payment(world.ports, order.payment_no)

    assert stands(world, order) == IN_DOUBT


@pytest.mark.parametrize("fault", [ProviderUnreachable("time-out"), ProviderRefused("BUSY", permanent=False)])
def test_an_opening_without_a_clear_answer_is_in_doubt_and_shows_no_pay_button(world, wechat, fault):
    wechat.fails.append(("open_payment", fault))

    _, order = world.order()

    assert stands(world, order) == IN_DOUBT
    assert order.launch is None


def test_an_order_in_doubt_that_was_paid_is_found_by_the_sweep(world, wechat, clock, ports):
    wechat.fails.append(("open_payment", ProviderUnreachable("time-out after success")))
    _, order = world.order()
    wechat.open_payment(frozen_request(ports, order.payment_no))
    wechat.pay(order.payment_no)

    clock.move(seconds=5)

    assert ask_about_silence(ports) == 1
    assert stands(world, order) == PAID


def test_an_order_in_doubt_that_they_never_heard_of_lapses_at_its_expiry(world, wechat, clock, ports):
    wechat.fails.append(("open_payment", ProviderUnreachable("down")))
    _, order = world.order()

    clock.move(seconds=5)
    ask_about_silence(ports)
    assert stands(world, order) == IN_DOUBT
    clock.move(minutes=29)
    assert close_stale(ports) == 0
    clock.move(minutes=1)
    assert close_stale(ports) == 1

    assert stands(world, order) == FREE


def test_a_reader_opens_an_order_in_doubt_again_with_the_same_bytes(world, wechat, clock, ports):
    wechat.fails.append(("open_payment", ProviderUnreachable("down")))
    account, order = world.order()
    assert orders.refresh_order(ports, account=account, order_no=order.order_no).state == "UNKNOWN"

    clock.move(seconds=15)
    again = orders.refresh_order(ports, account=account, order_no=order.order_no)

    assert (again.state, again.launch["handle"]) == ("PREPAY", f"handle-{order.payment_no}")
    assert wechat.asked("open_payment") == [order.payment_no] * 2


def test_opening_twice_or_after_the_money_came_changes_nothing(world, wechat, ports):
    _, order = world.order()
    open_payment(ports, order.payment_no)
    world.hear(world.paid_news(order))
    world.settle()
    open_payment(ports, order.payment_no)

    assert stands(world, order) == PAID
    assert len(wechat.asked("open_payment")) == 1


# Silence.


def test_silence_is_asked_about_after_5_s_30_s_2_min_10_min_1_h_and_then_every_hour(world, wechat, clock, ports):
    world.order()

    for count, silence_seconds in enumerate((5, 30, 120, 600, 3600, 3600, 3600)):
        clock.move(seconds=silence_seconds - 1)
        assert ask_about_silence(ports) == 0
        clock.move(seconds=1)
        assert ask_about_silence(ports) == 1
        assert ask_about_silence(ports) == 0
        assert len(wechat.asked("ask")) == count + 1


def test_a_payment_that_was_paid_is_not_asked_about_any_more(world, wechat, clock, ports):
    _, order = world.order()
    world.hear(world.paid_news(order))
    world.settle()

    clock.move(hours=5)

    assert ask_about_silence(ports) == 0


def test_an_answer_without_news_is_not_kept(world, wechat, clock, ports):
    world.order()
    clock.move(seconds=5)

    ask_about_silence(ports)

    assert world.notices() == []


@pytest.mark.parametrize(
    "fault", [ProviderUnreachable("down"), ProviderRefused("BUSY", permanent=False), ProviderRefused("NO")]
)
def test_a_question_that_is_not_answered_is_asked_again(world, wechat, clock, ports, fault):
    _, order = world.order()
    wechat.pay(order.payment_no)
    wechat.fails.append(("ask", fault))
    clock.move(seconds=5)
    ask_about_silence(ports)
    assert stands(world, order) == OPEN

    clock.move(seconds=30)
    ask_about_silence(ports)

    assert stands(world, order) == PAID


def test_readers_together_ask_at_most_once_in_three_seconds(world, wechat, clock, ports):
    account, order = world.order()

    for _ in range(5):
        orders.refresh_order(ports, account=account, order_no=order.order_no)
    assert len(wechat.asked("ask")) == 1
    clock.move(seconds=2.9)
    ask_now(ports, order.payment_no)
    assert len(wechat.asked("ask")) == 1
    clock.move(seconds=0.1)
    ask_now(ports, order.payment_no)

    assert len(wechat.asked("ask")) == 2


def test_a_reader_settles_a_waiting_notice_without_asking_anybody(world, wechat, ports):
    account, order = world.order()
    world.hear(world.paid_news(order))

    assert orders.refresh_order(ports, account=account, order_no=order.order_no).state == "PAID"
    assert wechat.asked("ask") == []


def test_a_reader_finds_out_what_no_notice_told(world, wechat, ports):
    account, order = world.order()
    wechat.pay(order.payment_no)

    view = orders.refresh_order(ports, account=account, order_no=order.order_no)

    assert (view.state, view.launch) == ("PAID", None)


def test_what_a_phone_says_about_success_is_believed_by_nobody(world, wechat, ports):
    account, order = world.order()

    view = orders.refresh_order(ports, account=account, order_no=order.order_no)

    assert (view.state, world.bill_states()) == ("PREPAY", ["LOCKED"])


# Closing.


def test_cancelling_closes_at_the_provider_first(world, wechat, ports):
    account, order = world.order()

    view = orders.cancel_order(ports, account=account, order_no=order.order_no)

    assert (view.state, view.launch) == ("CLOSED", None)
    assert wechat.asked("close") == [order.payment_no]
    assert stands(world, order) == FREE
    assert orders.cancel_order(ports, account=account, order_no=order.order_no).state == "CLOSED"


def test_cancelling_what_was_paid_meanwhile_tells_that_it_is_paid(world, wechat, ports):
    account, order = world.order()
    wechat.pay(order.payment_no)

    with pytest.raises(CannotCancel):
        orders.cancel_order(ports, account=account, order_no=order.order_no)

    assert stands(world, order) == PAID
    with pytest.raises(CannotCancel):
        orders.cancel_order(ports, account=account, order_no=order.order_no)


@pytest.mark.parametrize(
    "fails",
    [[("close", ProviderUnreachable("down"))], [("close", ProviderRefused("BUSY")), ("ask", ProviderUnreachable("down"))]],
)
def test_cancelling_without_their_word_keeps_the_months_reserved(world, wechat, ports, fails):
    account, order = world.order()
    wechat.fails += fails

    with pytest.raises(BillsReserved) as refusal:
        orders.cancel_order(ports, account=account, order_no=order.order_no)

    assert refusal.value.facts == {"order_no": order.order_no}
    assert stands(world, order) == OPEN


def test_not_found_is_final_only_when_the_payment_is_old_enough(world, clock, ports):
    _, order = reserved(world)

    clock.move(seconds=60)
    assert close_payment(ports, order.payment_no) is False
    assert stands(world, order) == ("CREATED", "CREATED", ["LOCKED"])
    clock.move(seconds=1)
    assert close_payment(ports, order.payment_no) is True

    assert stands(world, order) == FREE


def test_closing_what_they_closed_already_is_closing(world, wechat, ports):
    _, order = world.order()
    wechat.news[order.payment_no] = PaymentNews(
        notification_id=f"query:{order.payment_no}:CLOSED:", kind=NewsKind.CLOSED, payment_no=order.payment_no
    )
    wechat.fails.append(("close", ProviderRefused("ORDER_CLOSED")))

    assert close_payment(ports, order.payment_no) is True
    assert stands(world, order) == FREE


def test_what_lapses_is_closed_and_what_was_paid_in_its_last_second_is_paid(world, wechat, clock, ports):
    _, lapsed = world.order()
    _, paid = world.order()
    wechat.pay(paid.payment_no)

    clock.move(minutes=30)

    assert close_stale(ports) == 2
    assert world.read_order_row(lapsed.order_no).state == "CLOSED"
    assert world.read_order_row(paid.order_no).state == "PAID"
    assert close_stale(ports) == 0


def test_what_cannot_be_closed_does_not_keep_the_others_waiting(world, wechat, clock, ports):
    stuck = [world.order()[1] for _ in range(3)]
    _, behind = world.order(miniprogram=ALIPAY)
    clock.move(minutes=30)
    wechat.fails += [("close", ProviderUnreachable("down"))] * 12

    for _ in range(3):
        close_stale(ports, limit=2)
        clock.move(seconds=15)

    assert world.read_order_row(behind.order_no).state == "CLOSED"
    assert {world.read_order_row(order.order_no).state for order in stuck} == {"PREPAY"}


# Crashes: the process dies right after a commit or a call, and a sweep or a reader finishes the work.


def test_dead_after_reserving_a_sweep_asks_and_at_last_gives_the_months_back(world, clock, ports):
    _, order = reserved(world)

    clock.move(seconds=5)
    assert ask_about_silence(ports) == 1
    assert stands(world, order) == ("CREATED", "CREATED", ["LOCKED"])
    clock.move(minutes=30)
    close_stale(ports)

    assert stands(world, order) == FREE


def test_dead_after_reserving_the_payer_who_looks_again_can_pay(world, clock, ports):
    account, order = reserved(world)

    clock.move(seconds=15)

    assert orders.refresh_order(ports, account=account, order_no=order.order_no).launch is not None


def test_dead_after_they_opened_it_the_money_is_found(world, wechat, clock, ports):
    _, order = reserved(world)
    wechat.open_payment(frozen_request(ports, order.payment_no))
    wechat.pay(order.payment_no)

    clock.move(seconds=5)
    ask_about_silence(ports)

    assert stands(world, order) == PAID


def test_dead_after_storing_a_notice_the_settle_loop_settles_it(world):
    _, order = world.order()
    world.hear(world.paid_news(order))
    assert stands(world, order) == OPEN

    world.settle()

    assert stands(world, order) == PAID


def test_dead_after_taking_a_question_the_next_one_comes(world, wechat, clock, ports):
    _, order = world.order()
    wechat.pay(order.payment_no)
    clock.move(seconds=5)
    assert payments._claim_silent(ports) == order.payment_no
    assert ask_about_silence(ports) == 0

    clock.move(seconds=30)
    ask_about_silence(ports)

    assert stands(world, order) == PAID


def test_dead_after_storing_an_answer_the_settle_loop_settles_it(world, wechat, ports):
    _, order = world.order()
    receive(ports, miniprogram=WECHAT, news=wechat.pay(order.payment_no), raw=None)

    world.settle()

    assert stands(world, order) == PAID


def test_dead_after_they_closed_it_the_next_sweep_closes_it_here(world, wechat, clock, ports):
    _, order = world.order()
    clock.move(minutes=30)
    wechat.close(order.payment_no)
    assert stands(world, order) == OPEN

    close_stale(ports)

    assert stands(world, order) == FREE


def test_dead_after_storing_a_closing_the_settle_loop_gives_the_months_back(world, wechat, ports):
    _, order = world.order()
    receive(ports, miniprogram=WECHAT, news=payments._closed(order.payment_no, at=ports.now()), raw=None)

    world.settle()

    assert stands(world, order) == FREE


def test_dead_after_closing_a_strangers_order_the_insured_person_simply_orders_again(world, ports):
    person = world.person()
    bills = world.bills(world.enrollment(person))
    account = world.account(person)
    stranger, theirs = world.payer_for(person)
    held = world.order_for(stranger, theirs, bills)
    close_payment(ports, held.payment_no)

    assert world.order_for(account, world.me_in_list(account), bills).state == "PREPAY"


def test_asking_about_something_that_is_not_ours_or_over_is_harmless(world, wechat, ports):
    _, order = world.order()
    world.hear(world.paid_news(order))
    world.settle()

    for payment_no in (order.payment_no, "NOSUCHPAYMENT00000000000"):
        ask_provider(ports, payment_no)
        ask_now(ports, payment_no)
        open_payment(ports, payment_no)
        assert close_payment(ports, payment_no) is True
    assert wechat.asked("ask") == wechat.asked("close") == []


def test_sweeps_in_two_processes_ask_about_each_payment_once(world, wechat, clock, ports):
    import threading

    for _ in range(6):
        world.order()
    clock.move(seconds=5)

    threads = [threading.Thread(target=ask_about_silence, args=(ports,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(wechat.asked("ask")) == len(set(wechat.asked("ask"))) == 6
