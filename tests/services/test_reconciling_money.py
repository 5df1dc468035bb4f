"""A day's bill beside its rows: fees leave clearing once, the fund flow must bear the bill out, and refunds of ours must stand in one."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from config.clock import BEIJING
from models.journal import Transfer
from models.orders import OrderOrigin
from providers.bills import Funds
from providers.protocols import Channel, NewsKind
from providers.statements import StatementFolder
from services.journal_views import list_accounts
from services.reconciliation import open_differences, reconcile
from services.refund_sending import send_refunds
from tests.factories import DEBIT, WECHAT
from tests.services.test_reconciliation import (
    ACCOUNT,
    CLEARING,
    DAY,
    NEXT,
    bill,
    go,
    opens,
    ordered,
    paid,
    refund_row,
    row_of,
)

FEES = "fees:1900003204"


def fees(world):
    return world.rows("SELECT debit_account, credit_account, amount_fen FROM transfers WHERE kind = 'FEE' ORDER BY id")


def test_a_days_fees_leave_what_the_provider_holds_for_us_once(world, ports):
    order = paid(world)
    bill(ports, row_of(order, fee_fen=38))

    go(ports)
    go(ports)

    assert fees(world) == [(FEES, CLEARING, 38)]
    assert (world.balances()[CLEARING], world.balances()[FEES]) == (order.total_fen - 38, -38)
    with ports.begin() as session:
        [row] = session.query(Transfer).filter_by(kind="FEE")
        assert (row.payment_id, row.bill_id, row.reconciliation_id is not None) == (None, None, True)


def test_a_bill_that_was_put_right_books_the_difference_and_fees_may_come_back(world, ports):
    order = paid(world)
    for fen in (38, 30, 41):
        bill(ports, row_of(order, fee_fen=fen))
        go(ports)
    bill(ports, row_of(order, fee_fen=-3), day=NEXT)
    go(ports, day=NEXT)

    assert fees(world) == [(FEES, CLEARING, 38), (CLEARING, FEES, 8), (FEES, CLEARING, 11), (CLEARING, FEES, 3)]
    assert world.balances()[CLEARING] == order.total_fen - 38


def test_a_fee_is_seen_by_whoever_may_see_its_account(world, ports):
    order = paid(world)
    bill(ports, row_of(order, fee_fen=38))
    go(ports)

    seen = {each.account: each.balance_fen for each in list_accounts(ports, accounts={ACCOUNT})}
    hidden = {each.account for each in list_accounts(ports, accounts={"alipay:2088003204000001"})}

    assert (seen[CLEARING], CLEARING in hidden) == (order.total_fen - 38, False)


def refunded(world, ports, order, *, at):
    number = ordered(world, ports, order)
    provider = ports.payments[WECHAT]
    provider.refunds[number] = NewsKind.REFUNDED
    ports.clock.set(at)
    due = next(call[1] for call in provider.calls if call[0] == "refund")
    world.hear(provider.refund_news(due, notification_id=f"R{number}", at=at))
    world.settle()
    return number


def test_a_refund_of_ours_that_no_bill_has_is_told_and_goes_with_the_bill_that_has_it(world, ports):
    order = paid(world)
    number = refunded(world, ports, order, at=datetime(2026, 11, 21, 23, tzinfo=BEIJING))
    bill(ports, row_of(order))
    before = world.balances()
    assert go(ports).differences == 1
    assert opens(ports) == [("LOCAL_ONLY", "REFUND", None, order.total_fen)]
    assert world.balances() == before

    bill(ports, row_of(order), refund_row(order, order.total_fen, number=number))

    assert (go(ports).differences, opens(ports)) == (0, [])


def test_a_refund_that_was_begun_on_one_day_and_done_on_another_is_missed_on_neither(world, ports):
    """Also where the later day is compared first, as after a night without the worker."""
    order = paid(world)
    number = refunded(world, ports, order, at=datetime(2026, 11, 22, 9, tzinfo=BEIJING))
    bill(ports, row_of(order), refund_row(order, order.total_fen, number=number, is_done=False))
    assert go(ports, day=NEXT).differences == 1

    assert go(ports).differences == 0
    assert opens(ports) == []
    assert go(ports, day=NEXT).differences == 0


def test_a_fund_flow_that_says_what_the_bill_says_is_no_difference(world, ports):
    order = paid(world)
    number = refunded(world, ports, order, at=datetime(2026, 11, 21, 23, tzinfo=BEIJING))
    for went in (0, order.total_fen):
        bill(ports, row_of(order, fee_fen=9), refund_row(order, order.total_fen, number=number, is_done=False))
        ports.daily_bills[ACCOUNT].flows[DAY] = Funds(came_fen=order.total_fen, went_fen=went, fee_fen=9)
        assert go(ports).differences == 0


def test_a_fund_flow_that_says_otherwise_is_told_sum_by_sum_and_ends_when_it_agrees(world, ports):
    order = paid(world)
    bill(ports, row_of(order, fee_fen=9))
    ports.daily_bills[ACCOUNT].flows[DAY] = Funds(came_fen=order.total_fen - 1, went_fen=5, fee_fen=8)

    assert go(ports).differences == 3
    with ports.begin() as session:
        told = [(each.subject, each.why, each.bill_fen, each.our_fen) for each in open_differences(session)]
    assert told == [
        ("FUNDS", "TRADES", order.total_fen - 1, order.total_fen),
        ("FUNDS", "REFUNDS", 5, 0),
        ("FUNDS", "FEES", 8, 9),
    ]
    ports.daily_bills[ACCOUNT].flows[DAY] = Funds(came_fen=order.total_fen, went_fen=0, fee_fen=9)
    assert go(ports).differences == 0


def test_a_day_of_a_bank_is_reconciled_from_its_statement_and_what_it_never_told_is_heard(world, ports, tmp_path):
    account = "bank_debit:ICBC320400"
    person, other = world.person(), world.person()
    told = world.outside_order(person, world.bills(world.enrollment(person)), origin=OrderOrigin.DEBIT)
    silent = world.outside_order(other, world.bills(world.enrollment(other)), origin=OrderOrigin.DEBIT)
    world.hear(world.paid_news(told), miniprogram=DEBIT)
    world.settle()
    rows = [f"1,20261121100000,{each.payment_no},P{each.payment_no},{each.amount_fen},2" for each in (told, silent)]
    total = told.amount_fen + silent.amount_fen
    content = "\r\n".join(
        [f"STATEMENT,bank_debit,ICBC320400,20261121,2,{total}", "类型,时间,商户单号,流水号,金额(分),手续费(分)", *rows, ""]
    ).encode("gb18030")
    from sandbox.authorities import put

    put(tmp_path, "S_ICBC320400_20261121.csv", content)
    ports.daily_bills[account] = StatementFolder(channel=Channel.BANK_DEBIT, merchant="ICBC320400", folder=tmp_path)
    ports.clock.move(days=1)

    done = reconcile(ports, merchant_account=account, day=DAY)

    assert (done.trades, done.matched, done.heard, done.differences, done.fee_fen) == (2, 2, 1, 0, 4)
    assert world.balances()[f"clearing:{account}"] == total - 4
    assert world.bill_states() == ["PAID", "PAID"]
    assert reconcile(ports, merchant_account=account, day=DAY).heard == 0


@pytest.mark.parametrize("days", [1, 3])
def test_refunds_that_are_still_under_way_are_not_missed(world, ports, days):
    order = paid(world)
    ordered(world, ports, order)
    bill(ports, row_of(order))

    assert go(ports).differences == 0
    ports.clock.move(days=days)
    send_refunds(ports)
    assert go(ports, day=DAY + timedelta(days=days)).differences == 0
