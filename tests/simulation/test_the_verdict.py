"""The verdict can fail: one fen, one payment, one day or one letter is enough, and it names which."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import text

from jobs.simulation.verdict import reckon, yuan

DAY = date(2026, 11, 21)
ACCOUNT = "wechat_pay:1900003204"


@pytest.fixture
def paid(world, ports):
    """Two months that were paid, a stray payment, and what a provider would tell of all three."""
    orders = [world.order()[1] for _ in range(2)]
    for number, order in enumerate(orders):
        world.hear(world.paid_news(order, notice=f"N{number}"))
    stray = world.paid_news(orders[0], notice="N9", payment_no="STRAY1", provider_payment_no="PSTRAY1", amount_fen=777)
    world.hear(stray)
    world.settle()
    with ports.begin() as session:
        session.execute(text("UPDATE notices SET resolved_at = :now WHERE state = 'PARKED'"), {"now": ports.now()})
    lines = [(f"P{order.payment_no}", order.payment_no, order.total_fen) for order in orders] + [("PSTRAY1", "STRAY1", 777)]
    return {
        "money": {ACCOUNT: sum(fen for _, _, fen in lines), "alipay:2088003204000001": 0},
        "orders": [
            {
                "channel": "wechat_pay", "merchant": "1900003204", "provider_no": theirs, "out_trade_no": ours,
                "paid_fen": fen, "refunded_fen": 0, "currency": "CNY",
            }
            for theirs, ours, fen in lines
        ],
        "treasury": {"tax-320400": 0},
        "probes": {"forged": {"sent": 3, "accepted": 0}},
    }  # fmt: skip


def judge(ports, ledger, *, accounts=(), days=()):
    with ports.begin() as session:
        return reckon(session, ledger, accounts=accounts, days=days)


def tamper(ports, *statements):
    with ports.begin() as session:
        # As somebody with the database's own rights would: past the triggers that keep the journal as it was written.
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            session.execute(text(statement))


def test_books_that_agree_hold_and_are_summed_up(ports, paid):
    verdict = judge(ports, paid)

    assert verdict.faults == []
    assert verdict.holds
    assert verdict.money_in == verdict.owed_on + 777
    assert (verdict.unknown, verdict.confirmed, verdict.surplus, verdict.refunded, verdict.on_its_way) == (777, 0, 0, 0, 0)
    assert verdict.accounts == 2


def test_one_fen_in_one_transfer_is_found_with_its_account_and_its_payment(ports, paid):
    tamper(ports, "UPDATE transfers SET amount_fen = amount_fen + 1 WHERE id = (SELECT min(id) FROM transfers)")

    verdict = judge(ports, paid)

    assert not verdict.holds
    assert any(f"clearing:{ACCOUNT} holds" in fault.what for fault in verdict.faults)
    assert paid["orders"][0]["out_trade_no"] in {fault.number for fault in verdict.faults}


def test_two_errors_that_cancel_out_in_the_sum_are_found_by_payment(ports, paid):
    tamper(
        ports,
        "UPDATE transfers SET amount_fen = amount_fen + 5 WHERE id = (SELECT min(id) FROM transfers)",
        "UPDATE transfers SET amount_fen = amount_fen - 5 WHERE id = (SELECT max(id) FROM transfers)",
    )

    verdict = judge(ports, paid)

    assert not any("holds" in fault.what for fault in verdict.faults)
    assert {fault.number for fault in verdict.faults if "brought" in fault.what} >= {paid["orders"][0]["out_trade_no"]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told: told["money"].update({"alipay:2088003204000001": 1}), "clearing:alipay:2088003204000001 holds 0.00"),
        (lambda told: told["money"].pop(ACCOUNT), "and 0.00 at the provider"),
        (lambda told: told["orders"].pop(), "payment PSTRAY1 brought 7.77"),
        (lambda told: told["orders"][0].update(refunded_fen=3), "and 0.03 at the provider"),
        (lambda told: told["orders"].append({**told["orders"][0], "provider_no": "P2", "paid_fen": 1}), "payment P2 brought 0.00"),
        (lambda told: told["orders"].append({**told["orders"][0], "currency": "USD"}), "took USD and still holds some"),
        (lambda told: told["treasury"].update({"tax-320400": 9}), "treasury:tax-320400 and what it returned are 0.00 in our books"),
        (lambda told: told["probes"]["forged"].update(accepted=1), "1 letters that were forged were taken for authentic"),
    ],
)  # fmt: skip
def test_a_provider_that_tells_otherwise_is_heard(ports, paid, change, said):
    change(paid)

    verdict = judge(ports, paid)

    assert any(said in fault.what for fault in verdict.faults), verdict.faults


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE payments SET state = 'OPEN' WHERE provider_payment_no <> 'PSTRAY1'", "neither paid nor closed"),
        ("UPDATE notices SET state = 'WAITING'", "a notice still waits"),
        ("UPDATE notices SET resolved_at = NULL", "nobody dealt with"),
        ("UPDATE contribution_records SET amount_fen = amount_fen - 1", "without exactly one record"),
        ("DELETE FROM contribution_records", "months on record are worth 0.00"),
        ("UPDATE transfers SET kind = 'SURPLUS' WHERE kind = 'SETTLED'", "did not move exactly once"),
        ("UPDATE transfers SET credit_account = 'fees:1900003204' WHERE kind = 'SETTLED'", "and its parts are"),
        ("UPDATE contribution_bills SET state = 'LOCKED'", "held by nobody's order"),
    ],
)
def test_what_is_unfinished_or_written_twice_is_found(ports, paid, statement, said):
    tamper(ports, statement)

    verdict = judge(ports, paid)

    assert any(said in fault.what for fault in verdict.faults), verdict.faults


def test_a_day_is_compared_signed_by_two_and_without_an_open_difference(ports, paid):
    named = {"accounts": [ACCOUNT], "days": [DAY]}
    assert [fault.what for fault in judge(ports, paid, **named).faults] == [f"{DAY} of {ACCOUNT} was never compared"]
    tamper(
        ports,
        "INSERT INTO reconciliations (merchant_account, day, state) VALUES ('wechat_pay:1900003204', '2026-11-21', 'COMPARED')",
    )
    assert "not closed by two people" in judge(ports, paid, **named).faults[0].what
    tamper(ports, "UPDATE reconciliations SET state = 'CLOSED', signed_by = 'staff:S1024', closed_by = 'staff:S2048'")
    assert judge(ports, paid, **named).holds
    tamper(
        ports,
        "INSERT INTO reconciliation_differences (reconciliation_id, kind, subject, payment_no, provider_payment_no, currency, happened_at,"
        " is_done, first_seen_at, seen_run) SELECT id, 'PSP_ONLY', 'TRADE', 'M1', 'P1', 'CNY', now(), true, now(), 1 FROM reconciliations",
    )

    (fault,) = judge(ports, paid, **named).faults

    assert (fault.what, fault.number) == (f"{DAY} of {ACCOUNT} has 1 differences that nobody explained", "M1")


def test_money_is_written_in_yuan():
    assert (yuan(0), yuan(7), yuan(-123456789)) == ("0.00", "0.07", "-1,234,567.89")
