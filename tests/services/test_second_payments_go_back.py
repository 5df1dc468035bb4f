"""Second and wrong money: it goes back to whoever paid, by itself, once; and both payers hear of it."""

from __future__ import annotations

import threading
from dataclasses import replace

from providers.protocols import NewsKind, ProviderRefused
from services import orders
from services.refund_sending import return_surplus, send_refunds
from tests.factories import ALIPAY, WECHAT


def paid_twice(world):
    """One month, paid twice: by somebody else on Alipay, whose money counts, and late on WeChat by the person themselves."""
    person = world.person()
    bills = world.bills(world.enrollment(person))
    own = world.account(person)
    late = world.order_for(own, world.me_in_list(own), bills)
    orders.cancel_order(world.ports, account=own, order_no=late.order_no)
    other, listed = world.payer_for(person, miniprogram=ALIPAY)
    counts = world.order_for(other, listed, bills)
    world.hear(world.paid_news(counts, notice=counts.payment_no), miniprogram=ALIPAY)
    # The phone had paid the cancelled one all the same.
    world.hear(world.paid_news(late, notice=late.payment_no))
    world.settle()
    return (other, counts), (own, late)


def told(world, account):
    return [row[0] for row in world.rows("SELECT template FROM messages WHERE account_id = :id ORDER BY id", id=account.id)]


def refunds(world):
    return world.rows("SELECT reason, state, amount_fen, applied_by FROM refunds ORDER BY id")


def finish(world, program, kind=NewsKind.REFUNDED):
    provider = world.ports.payments[program]
    for asked in provider.asked("refund"):
        provider.refunds[asked.refund_no] = kind
    world.ports.clock.move(minutes=10)
    send_refunds(world.ports)
    world.settle()


def test_the_second_payer_gets_the_money_back_and_the_first_one_keeps_the_month(world, ports):
    (first, counts), (second, late) = paid_twice(world)
    assert world.balances()[f"surplus:{late.payment_no}"] == late.total_fen

    assert return_surplus(ports) == 1
    assert send_refunds(ports) == 1
    finish(world, WECHAT)

    assert refunds(world) == [("DUPLICATE", "REFUNDED", late.total_fen, "return_surplus")]
    held = world.balances()
    assert held.pop("contributions:tax-320400:110") == counts.total_fen
    assert list(held.values()) == [counts.total_fen]
    assert world.bill_states() == ["PAID"]
    assert told(world, first) == ["payment.succeeded", "payment.made_twice"]
    assert told(world, second) == ["payment.surplus", "refund.done"]


def test_it_is_ordered_once_however_often_and_by_however_many(world, ports):
    paid_twice(world)
    done = []
    threads = [threading.Thread(target=lambda: done.append(return_surplus(ports))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(done) == 1
    assert return_surplus(ports) == 0
    assert len(refunds(world)) == 1


def test_a_wrong_amount_goes_back_whole_whatever_was_asked_for(world, ports):
    account, order = world.order()
    world.hear(world.paid_news(order, amount_fen=order.total_fen + 1))
    world.settle()

    return_surplus(ports)
    send_refunds(ports)
    (asked,) = ports.payments[WECHAT].asked("refund")
    finish(world, WECHAT)

    assert (asked.refund_fen, asked.total_fen) == (order.total_fen + 1, order.total_fen + 1)
    assert refunds(world) == [("OVERPAID", "REFUNDED", order.total_fen + 1, "return_surplus")]
    assert world.balances() == {}
    assert told(world, account) == ["payment.surplus", "refund.done"]
    assert world.bill_states() == ["UNPAID"]


def test_what_the_staff_sent_back_at_the_providers_own_desk_is_not_sent_again(world, ports):
    _, order = world.order()
    wrong = world.paid_news(order, amount_fen=order.total_fen + 1)
    world.hear(wrong)
    by_hand = replace(wrong, notification_id="R", kind=NewsKind.REFUNDED, refund_no="BYHAND", refund_fen=order.total_fen + 1)
    world.hear(by_hand)
    world.settle()

    assert return_surplus(ports) == 0
    assert world.balances() == {}


def test_a_part_that_went_back_already_is_left_out(world, ports):
    _, order = world.order()
    wrong = world.paid_news(order, amount_fen=order.total_fen + 1)
    world.hear(wrong)
    world.hear(replace(wrong, notification_id="R", kind=NewsKind.REFUNDED, refund_no="BYHAND", refund_fen=1))
    world.settle()

    return_surplus(ports)
    send_refunds(ports)
    finish(world, WECHAT)

    (asked,) = ports.payments[WECHAT].asked("refund")
    assert asked.refund_fen == order.total_fen
    assert world.balances() == {}


def test_one_that_failed_waits_for_a_person_and_does_not_keep_others_waiting(world, ports):
    _, order = world.order()
    world.hear(world.paid_news(order, amount_fen=order.total_fen + 1))
    world.settle()
    return_surplus(ports)
    ports.payments[WECHAT].fails.append(("refund", ProviderRefused("INVALID_REQUEST")))
    send_refunds(ports)

    assert [row[1] for row in refunds(world)] == ["FAILED"]
    assert world.balances()[f"surplus:{order.payment_no}"] == order.total_fen + 1
    assert return_surplus(ports, limit=1) == 0
    paid_twice(world)
    assert return_surplus(ports, limit=1) == 1


def test_sums_that_alipay_tells_and_refunds_of_ours_meet_in_any_order(world, ports):
    """Ours of 2 and theirs of 1 on one trade: they tell 1, or 3, or 2 and 3, whichever notice comes first."""
    from itertools import permutations

    for order_of in permutations(range(3)):
        _, order = world.order(miniprogram=ALIPAY)
        wrong = world.paid_news(order, amount_fen=order.total_fen + 1)
        world.hear(replace(wrong, notification_id=f"P{order.payment_no}"), miniprogram=ALIPAY)
        world.settle()
        return_surplus(ports)
        send_refunds(ports)
        asked = ports.payments[ALIPAY].asked("refund")[-1]
        ports.clock.move(minutes=2)
        ours = ports.payments[ALIPAY]
        ours.refunds[asked.refund_no] = NewsKind.REFUNDED
        done = replace(ours.refund_news(asked), notification_id=f"O{order.payment_no}")
        story = [
            replace(done, refunded_total_fen=asked.refund_fen),
            replace(done, notification_id=f"S{order.payment_no}", refunded_total_fen=asked.refund_fen, refund_fen=None),
            # They sent one more fen back than ever came: a lie, and still it is booked as what it is.
            replace(
                done,
                notification_id=f"T{order.payment_no}",
                refund_no="THEIRS",
                refund_fen=None,
                refunded_total_fen=asked.refund_fen + 1,
            ),
        ]
        before = world.balances().get("clearing:alipay:2088102122458832", 0)
        for at in order_of:
            world.hear(story[at], miniprogram=ALIPAY)
            world.settle()

        payment = world.read_payment(order.payment_no)
        assert payment.refunded_fen == asked.refund_fen + 1
        after = {account: fen for account, fen in world.balances().items() if account.startswith("clearing:alipay")}
        assert sum(after.values()) - before <= 0
