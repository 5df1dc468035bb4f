"""A comparison that somebody asks for at the console: the row of the day waits, the worker answers it."""

from __future__ import annotations

import threading
from datetime import date, timedelta

import pytest

from providers.bills import BillDamaged, BillNotReady
from providers.protocols import ProviderUnreachable
from services.reconciliation_asking import ask_for_comparison, compare_what_was_asked, may_be_asked
from services.reconciliation_errors import DayNotOver, NoSuchMerchantAccount, ReconciliationClosed
from services.reconciliation_views import read_day
from tests.money_desk import ACCOUNTS, DAY, FIRST, SECOND, a_day

ACCOUNT = ACCOUNTS["320400"]


def ask(ports, *, who=FIRST, day=DAY, account=ACCOUNT):
    ask_for_comparison(ports, merchant_account=account, day=day, who=who)


def seen(ports, day=DAY):
    return read_day(ports, merchant_account=ACCOUNT, day=day)


def fails_with(ports, fault):
    def fetch(*_given, **_more):
        raise fault

    ports.daily_bills[ACCOUNT].fetch = fetch


def test_what_was_asked_for_waits_in_its_row_and_the_worker_compares_it_once(ports, clock):
    asked_at = ports.now()
    ask(ports)
    assert (seen(ports).is_asked, seen(ports).asked_at, seen(ports).asked_by, seen(ports).state) == (
        True,
        asked_at,
        FIRST,
        "OPEN",
    )

    clock.move(seconds=8)
    assert compare_what_was_asked(ports) == 1
    assert compare_what_was_asked(ports) == 0

    told = seen(ports)
    assert (told.state, told.runs, told.is_asked, told.ask_fault) == ("COMPARED", 1, False, None)
    assert told.answered_at == asked_at + timedelta(seconds=8)


def test_whoever_asks_again_while_it_waits_changes_nothing_and_afterwards_it_is_another_asking(ports, clock):
    ask(ports)
    first = seen(ports).asked_at
    clock.move(seconds=3)
    ask(ports, who=SECOND)
    assert (seen(ports).asked_at, seen(ports).asked_by) == (first, FIRST)

    compare_what_was_asked(ports)
    clock.move(seconds=3)
    ask(ports, who=SECOND)

    assert (seen(ports).asked_by, seen(ports).is_asked) == (SECOND, True)
    assert compare_what_was_asked(ports) == 1
    assert seen(ports).runs == 2


def test_two_presses_at_the_same_moment_are_one_asking(ports, world):
    presses = [threading.Thread(target=ask, args=(ports,), kwargs={"who": who}) for who in (FIRST, SECOND) * 3]
    for each in presses:
        each.start()
    for each in presses:
        each.join()

    assert world.rows("SELECT count(*), count(asked_by) FROM reconciliations") == [(1, 1)]
    assert compare_what_was_asked(ports) == 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (BillNotReady("later"), "NOT_READY"),
        (BillDamaged(7, "a sum"), "DAMAGED"),
        (ProviderUnreachable("silence"), "NO_ANSWER"),
    ],
)
def test_why_it_did_not_come_about_is_told_and_it_may_be_asked_for_again(ports, fault, told):
    ask(ports)
    fails_with(ports, fault)

    assert compare_what_was_asked(ports) == 0
    assert (seen(ports).ask_fault, seen(ports).is_asked, seen(ports).state) == (told, False, "OPEN")

    del ports.daily_bills[ACCOUNT].fetch
    ask(ports)
    assert seen(ports).ask_fault is None
    assert compare_what_was_asked(ports) == 1


def test_a_closed_day_is_not_asked_for_and_one_closed_meanwhile_is_answered_so(ports, world):
    a_day(world, state="CLOSED", signed_by=FIRST, closed_by=SECOND)
    with pytest.raises(ReconciliationClosed):
        ask(ports)

    other = DAY - timedelta(days=1)
    ask(ports, day=other)
    with ports.begin() as session:
        from sqlalchemy import text

        closed = "UPDATE reconciliations SET state = 'CLOSED', signed_by = 'staff:S1', closed_by = 'staff:S2' WHERE day = :day"
        session.execute(text(closed), {"day": other})

    assert compare_what_was_asked(ports) == 0
    assert seen(ports, other).ask_fault == "CLOSED"


def test_a_day_that_goes_on_and_an_account_without_bills_are_refused_and_leave_no_row(ports, world):
    with pytest.raises(DayNotOver):
        ask(ports, day=ports.today())
    with pytest.raises(NoSuchMerchantAccount):
        ask(ports, account="tax:tax-320400")

    assert world.scalar("SELECT count(*) FROM reconciliations") == 0
    assert not may_be_asked(ports, merchant_account=ACCOUNT, day=ports.today())
    assert not may_be_asked(ports, merchant_account="tax:tax-320400", day=date(2026, 11, 1))
    assert may_be_asked(ports, merchant_account=ACCOUNT, day=DAY)


def test_a_worker_that_died_after_comparing_and_before_its_answer_compares_once_more(ports, monkeypatch):
    import services.reconciliation_asking as service

    ask(ports)
    with monkeypatch.context() as patched:
        patched.setattr(service, "_answer", lambda *_given, **_more: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            compare_what_was_asked(ports)
    assert seen(ports).is_asked

    assert compare_what_was_asked(ports) == 1
    assert (seen(ports).runs, seen(ports).is_asked) == (2, False)
