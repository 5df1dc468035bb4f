"""Settlement when much happens at once: several settlers, batches that are cut anywhere, and orders that share months."""

from __future__ import annotations

import random
import threading
import time

import pytest

from services import orders
from services.settlement import settle
from services.settlement_read import read_batch
from tests.factories import ALIPAY


def test_several_settlers_share_the_work_and_pay_each_month_once(world, ports):
    placed = [world.order()[1] for _ in range(12)]
    news = [world.paid_news(order, notice=f"{order.payment_no}-{at}") for order in placed for at in range(3)]
    random.Random(7).shuffle(news)
    for told in news:
        world.hear(told)

    threads = [threading.Thread(target=lambda: [None for _ in iter(lambda: settle(ports, limit=5), 0)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.settle()

    assert {world.read_payment(order.payment_no).state for order in placed} == {"SUCCEEDED"}
    assert len(world.records()) == 12
    assert sorted(notice.outcome for notice in world.notices()) == ["ALREADY"] * 24 + ["PAID"] * 12
    assert world.balances()["clearing:wechat_pay:1900003204"] == sum(order.total_fen for order in placed)


def test_settlers_and_payers_who_order_and_cancel_at_once_never_lose_a_month(world, ports):
    stories = [world.order() for _ in range(6)]
    for _, order in stories[:3]:
        world.hear(world.paid_news(order, notice=order.payment_no))
    faults = []

    def run(job):
        try:
            job()
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is told below
            faults.append(fault)

    def cancel(account, order):
        try:
            orders.cancel_order(ports, account=account, order_no=order.order_no)
        except orders.CannotCancel:
            return

    jobs = [lambda: settle(ports), lambda: settle(ports)]
    jobs += [lambda each=each: cancel(*each) for each in stories]
    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.settle()

    assert faults == []
    assert [world.read_order_row(order.order_no).state for _, order in stories] == ["PAID"] * 3 + ["CLOSED"] * 3
    assert sorted(world.bill_states()) == ["PAID"] * 3 + ["UNPAID"] * 3


def test_who_asks_for_one_payment_waits_for_whoever_is_at_it(world, ports):
    _, order = world.order()
    world.hear(world.paid_news(order))
    held, go_on, seen = threading.Event(), threading.Event(), []

    def slow_settler():
        with ports.begin() as session:
            read_batch(session, limit=10)
            held.set()
            go_on.wait(10)

    def reader():
        seen.append(settle(ports, payment_no=order.payment_no))

    threads = [threading.Thread(target=slow_settler), threading.Thread(target=reader)]
    threads[0].start()
    assert held.wait(10)
    assert settle(ports) == 0
    threads[1].start()
    time.sleep(0.2)
    assert seen == []
    go_on.set()
    for thread in threads:
        thread.join()

    assert seen == [1]
    assert world.read_payment(order.payment_no).state == "SUCCEEDED"


@pytest.mark.parametrize("together", [True, False])
def test_two_late_payments_for_the_same_months_pay_them_once_however_batches_are_cut(world, ports, together):
    account, first = world.order()
    orders.cancel_order(ports, account=account, order_no=first.order_no)
    person_id = world.read_order_row(first.order_no).person_id
    alipay = world.account(_person(world, person_id), miniprogram=ALIPAY)
    second = world.order_for(alipay, world.me_in_list(alipay), _bills(world, first))
    orders.cancel_order(ports, account=alipay, order_no=second.order_no)

    for order, program in ((first, "jiangsu-tax-wechat"), (second, ALIPAY)):
        world.hear(world.paid_news(order), miniprogram=program)
        if not together:
            world.settle()
    world.settle()

    assert [world.read_payment(order.payment_no).state for order in (first, second)] == ["SUCCEEDED", "SURPLUS"]
    assert world.bill_states() == ["PAID"]
    assert world.balances()[f"surplus:{second.payment_no}"] == second.total_fen


def _person(world, person_id):
    from models.people import Person

    with world.ports.begin() as session:
        found = session.get_one(Person, person_id)
        session.expunge_all()
        return found


def _bills(world, order):
    from sqlalchemy import select

    from models.bills import ContributionBill

    with world.ports.begin() as session:
        found = list(
            session.scalars(
                select(ContributionBill).where(ContributionBill.bill_no.in_([line.bill_no for line in order.lines]))
            )
        )
        session.expunge_all()
        return found


def test_late_money_beside_the_closing_of_the_next_order_ends_the_same_however_batches_are_cut(world, ports):
    """The second order's closing comes first: in one batch or in two, the month is free again when the late money is decided."""
    from services.payments import _closed

    ends = []
    for together in (False, True):
        account, first = world.order()
        orders.cancel_order(ports, account=account, order_no=first.order_no)
        second = world.order_for(account, world.me_in_list(account), _bills(world, first))

        world.hear(_closed(second.payment_no, at=ports.now()))
        if not together:
            world.settle()
        world.hear(world.paid_news(first, notice=first.payment_no))
        world.settle()
        ends.append(world.read_payment(first.payment_no).state)

    assert ends == ["SUCCEEDED", "SUCCEEDED"]
