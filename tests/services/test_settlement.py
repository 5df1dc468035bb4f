"""Settlement on the real database: what each piece of news does to the books."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.protocols import NewsKind
from services import orders
from services.settlement import settle


def test_a_paid_notice_pays_the_bills_and_moves_the_money(world):
    _, order = world.order()

    world.hear(world.paid_news(order))
    world.settle()

    assert world.read_order_row(order.order_no).state == "PAID"
    assert world.read_payment(order.payment_no).state == "SUCCEEDED"
    assert world.bill_states() == ["PAID"]
    assert [record.amount_fen for record in world.records()] == [order.total_fen]
    assert world.balances() == {
        "clearing:wechat_pay:1900003204": order.total_fen,
        "contributions:tax-320400:110": order.total_fen,
    }


def test_the_same_notice_twice_has_one_effect(world):
    _, order = world.order()

    assert world.hear(world.paid_news(order)) is True
    assert world.hear(world.paid_news(order)) is False
    world.hear(world.paid_news(order, notice="another delivery"))
    world.settle()

    assert len(world.records()) == 1
    assert sorted(notice.outcome for notice in world.notices()) == ["ALREADY", "PAID"]


def test_money_for_an_unknown_order_stands_in_the_unknown_account_once(world):
    _, order = world.order()
    stray = replace(world.paid_news(order), payment_no="NOBODYASKEDFORTHIS000001", provider_payment_no="P1")

    world.hear(stray)
    world.hear(replace(stray, notification_id="N2"))
    world.settle()

    assert world.balances() == {
        "clearing:wechat_pay:1900003204": order.total_fen,
        "unknown:wechat_pay:1900003204": order.total_fen,
    }
    assert {notice.state for notice in world.notices()} == {"PARKED", "SETTLED"}


def test_a_wrong_amount_is_surplus_and_gives_the_months_back(world):
    _, order = world.order()

    world.hear(world.paid_news(order, amount_fen=order.total_fen + 1))
    world.settle()

    assert world.balances() == {
        "clearing:wechat_pay:1900003204": order.total_fen + 1,
        f"surplus:{order.payment_no}": order.total_fen + 1,
    }
    assert world.bill_states() == ["UNPAID"]
    assert world.read_order_row(order.order_no).state == "CLOSED"


def test_late_money_for_a_closed_order_still_pays_months_that_nobody_took(world, ports):
    account, order = world.order()
    orders.cancel_order(ports, account=account, order_no=order.order_no)
    assert world.bill_states() == ["UNPAID"]

    world.hear(world.paid_news(order))
    world.settle()

    assert world.bill_states() == ["PAID"]
    assert world.read_order_row(order.order_no).state == "PAID"


def test_late_money_for_months_that_somebody_else_paid_is_surplus(world, ports):
    account, first = world.order()
    orders.cancel_order(ports, account=account, order_no=first.order_no)
    second = world.order_for(account, world.me_in_list(account), _bills_of(world, first))
    world.hear(world.paid_news(second, notice="N2"))
    world.hear(world.paid_news(first, notice="N1"))
    world.settle()

    assert world.balances()[f"surplus:{first.payment_no}"] == first.total_fen
    assert len(world.records()) == 1


def _bills_of(world, order):
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


def test_a_closing_notice_gives_the_months_back(world):
    _, order = world.order()

    world.hear(replace(world.paid_news(order), kind=NewsKind.CLOSED, provider_payment_no=None, amount_fen=None))
    world.settle()

    assert world.bill_states() == ["UNPAID"]
    assert world.read_payment(order.payment_no).state == "CLOSED"
    assert world.balances() == {}


@pytest.mark.parametrize("refund_first", [True, False])
def test_a_refund_we_did_not_order_leaves_the_same_books_whenever_it_is_heard(world, refund_first):
    _, order = world.order()
    paid = world.paid_news(order)
    refunded = replace(
        paid, notification_id="R1", kind=NewsKind.REFUNDED, refund_no="R1", provider_refund_no="PR1", refund_fen=100
    )

    for news in (refunded, paid) if refund_first else (paid, refunded):
        world.hear(news)
        world.settle()

    assert world.balances() == {
        "clearing:wechat_pay:1900003204": order.total_fen - 100,
        "contributions:tax-320400:110": order.total_fen,
        "unknown:wechat_pay:1900003204": -100,
    }
    assert world.read_payment(order.payment_no).refunded_fen == 100


def test_a_batch_with_one_stubborn_notice_settles_the_others(world, ports):
    _, good = world.order()
    _, stubborn = world.order()
    # Somebody's record of the month got in by another road: the constraint, not the state, is what refuses.
    world.scalar(
        "INSERT INTO contribution_records (enrollment_id, insurance_type, coverage_month, kind, bill_id, payment_id, amount_fen, state, paid_at) "
        "SELECT b.enrollment_id, b.insurance_type, b.coverage_month, b.kind, b.id, p.id, b.amount_fen, 'PAID', now() "
        "FROM contribution_bills b JOIN payment_order_lines l ON l.bill_id = b.id JOIN payments p ON p.order_id = l.order_id "
        "WHERE p.payment_no = :no RETURNING id",
        no=stubborn.payment_no,
    )

    world.hear(world.paid_news(good, notice="N1"))
    world.hear(world.paid_news(stubborn, notice="N2"))
    world.settle()

    assert world.read_payment(good.payment_no).state == "SUCCEEDED"
    assert world.read_payment(stubborn.payment_no).state == "SURPLUS"
    assert world.balances()[f"surplus:{stubborn.payment_no}"] == stubborn.total_fen
    assert {notice.outcome for notice in world.notices()} == {"PAID", "SURPLUS"}


def test_transfers_are_never_changed_or_deleted(world):
    from sqlalchemy.exc import IntegrityError

    _, order = world.order()
    world.hear(world.paid_news(order))
    world.settle()

    for sql in ("UPDATE transfers SET amount_fen = 1", "DELETE FROM transfers", "TRUNCATE transfers", "DELETE FROM moves"):
        with pytest.raises(IntegrityError):
            world.scalar(sql)


def test_an_empty_inbox_is_no_work(ports):
    assert settle(ports) == 0
