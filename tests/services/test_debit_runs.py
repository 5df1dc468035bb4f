"""Debit runs: who is in a batch and who is not, what goes to the bank, and what its word means for a month."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import text

from config.clock import BEIJING
from models.debits import FaultKind
from providers.bank_files import BatchKey
from services import branch_agreements, journal, orders
from services.bills import list_bills
from services.debit_batches import list_batches, list_lines, read_batch
from services.debit_calendar import next_run, runs
from services.debit_errors import BankFaultDealtWith, DebitInFlight
from services.debit_faults import open_faults, resolve_fault
from services.debit_files import exchange
from services.debit_making import make_debits, oldest_first
from services.debit_reminders import remind_of_debits, which_reminder
from services.errors import NotFound
from services.messages import list_messages
from services.refund_sending import return_surplus, send_refunds
from services.review_errors import ReasonNeeded
from services.withholding_agreements import list_agreements, read_agreement, terminate
from tests.debiting import RUN, UNIT, WAY, DebitWorld
from tests.factories import AREAS
from tests.signing import SECOND, a_card
from tests.together import at_once

OUR_ACCOUNT = f"bank_debit:{UNIT}"


@pytest.fixture
def world(ports, tmp_path):
    world = DebitWorld(ports, tmp_path)
    yield world
    world.store.close()


@pytest.fixture
def insured(world):
    """Somebody in Changzhou with an agreement and this month unpaid, on the day of a run."""
    account, agreement_id, (bill,) = world.payer()
    world.at(RUN)
    return account, agreement_id, bill


# --- the calendar


def test_runs_stand_in_the_calendar_and_move_off_days_without_work(rulebook):
    changzhou = rulebook.region("320400")

    found = runs(changzhou, first=date(2026, 11, 1), last=date(2026, 12, 31))

    # 20 and 25 December are a Sunday and a Friday.
    assert [run.day for run in found] == [date(2026, 11, 20), date(2026, 11, 25), date(2026, 12, 21), date(2026, 12, 25)]
    assert all(run.to_confirm for run in found)
    assert next_run(changzhou, AREAS["320400"], after_day=date(2026, 11, 20)).day == date(2026, 11, 25)
    assert next_run(changzhou, AREAS["320400"], after_day=date(2026, 11, 25)).day == date(2026, 12, 21)


def test_a_reminder_is_due_five_days_and_one_day_before_and_never_on_the_day():
    run = date(2026, 11, 25)
    told = {left: which_reminder(run, run - timedelta(days=left), (5, 1)) for left in range(7)}

    assert [left for left, key in told.items() if key == "debit.coming"] == [2, 3, 4, 5]
    assert [left for left, key in told.items() if key == "debit.tomorrow"] == [1]


# --- reminders


def test_the_amount_is_told_five_days_and_one_day_before_and_once_each(world):
    account, bills = world.online_payer()
    told = []
    for day in range(16, 26):
        world.at(datetime(2026, 11, day, 10, 0, tzinfo=BEIJING))
        for _ in range(2):
            remind_of_debits(world.ports)
        told.append((day, world.templates(account)))

    first = next(day for day, keys in told if len(keys) == 1)
    assert list(told[-1][1]) == ["debit.coming", "debit.tomorrow", "debit.coming", "debit.tomorrow"]
    assert (first, len(told[3][1]), len(told[4][1]), len(told[5][1])) == (16, 2, 2, 3)
    facts = world.rows("SELECT facts FROM messages ORDER BY id")[-1][0]
    # The declared wage times twenty per cent, as billed (R-XJ-24).
    assert facts == {"amount_fen": 120_000, "months": [202611], "due_on": "2026-11-25"}
    assert bills[0].amount_fen == 120_000
    newest = list_messages(world.ports, account=account).messages[0]
    assert "1200.00元" in newest.text
    assert "2026年11月25日" in newest.text


def test_nobody_is_reminded_whose_card_is_not_activated_whose_agreement_is_stopped_or_who_has_paid(world):
    inactive, _, _ = world.payer(financial_function_activated=False)
    _stopped, stopped_id, _ = world.payer()
    paid, _, bills = world.payer()
    world.order_for(paid, world.me_in_list(paid), bills)
    number = world.scalar("SELECT agreement_no FROM withholding_agreements WHERE id = :id", id=stopped_id)
    branch_agreements.suspend(world.ports, agreement_no=number, why=branch_agreements.STOPS[0], by=SECOND)
    world.at(RUN - timedelta(days=1))

    assert remind_of_debits(world.ports) == 0
    for account in (inactive, paid):
        assert world.templates(account) == []


# --- making


def test_the_months_that_are_owed_go_to_the_bank_in_one_line_and_are_paid(world, insured):
    account, _agreement_id, bill = insured

    world.run()

    assert world.batches() == [(WAY, 1, "ANSWERED", 1)]
    assert world.lines() == [("SUCCEEDED", "SUCCESS")]
    assert world.bill_states() == ["PAID"]
    assert world.clearing() == world.banks_money() == {OUR_ACCOUNT: bill.amount_fen}
    assert world.templates(account) == ["payment.succeeded"]
    payment_no = world.scalar("SELECT payment_no FROM payments")
    with world.ports.begin() as session:
        told = [event.what for event in journal.explain(session, payment_no=payment_no)]
    assert f"line 1 of batch 1 of 2026-11-25 to {WAY}, {bill.amount_fen} fen, now SUCCEEDED (SUCCESS)" in told
    serial = world.scalar("SELECT provider_payment_no FROM payments")
    assert serial == world.banks.lines()[0]["serial"]
    opened = world.rows(
        "SELECT subject_table, columns FROM personal_data_accesses WHERE purpose = 'debit_file' ORDER BY subject_table"
    )
    assert opened == [("persons", "name,id_number"), ("withholding_agreements", "card_number")]


def test_nothing_is_made_before_the_hour_or_on_other_days(world):
    world.payer()
    for moment in (RUN - timedelta(days=1), RUN.replace(hour=8, minute=59), RUN + timedelta(days=1)):
        world.at(moment)
        assert world.make() == 0


def test_only_agreements_in_force_of_activated_cards_are_debited(world):
    world.payer(financial_function_activated=False)
    _, stopped, _ = world.payer()
    number = world.scalar("SELECT agreement_no FROM withholding_agreements WHERE id = :id", id=stopped)
    branch_agreements.suspend(world.ports, agreement_no=number, why=branch_agreements.STOPS[0], by=SECOND)
    world.at(RUN)

    assert world.make() == 0
    assert world.batches() == []


def test_a_month_that_somebody_is_paying_is_left_to_them(world):
    account, _, bills = world.payer()
    world.at(RUN)
    world.order_for(account, world.me_in_list(account), bills)

    assert world.make() == 0


def test_a_paused_enrolment_is_not_debited(world):
    world.payer()
    with world.ports.begin() as session:
        session.execute(text("UPDATE enrollments SET state = 'SUSPENDED', end_month = 202612"))
    world.at(RUN)

    assert world.make() == 0


def test_both_insurances_need_an_agreement_each_and_make_a_line_each(world):
    account, _, _ = world.payer()
    world.enrollment(world.rows_person(account), insurance_type="310")
    world.bills_of(account)
    world.at(RUN)

    assert world.make() == 1


def test_the_same_day_never_makes_a_second_batch_of_the_same_bills(world, insured):
    _, agreement_id, _ = insured
    world.banks.set_account(world.card(agreement_id), state="insufficient")

    world.run()
    assert world.bill_states() == ["UNPAID"]

    assert world.make() == 0
    assert len(world.batches()) == 1


def test_two_who_make_a_run_at_once_make_it_once(world):
    for _ in range(3):
        world.payer()
    world.at(RUN)

    at_once(*[lambda: make_debits(world.ports)] * 3)

    assert world.batches() == [(WAY, 1, "MADE", 3)]
    assert world.scalar("SELECT count(*) FROM payment_orders") == 3


def test_a_file_has_as_many_lines_as_the_bank_takes(world):
    for _ in range(5):
        world.payer()
    world.ports.debit_banks[WAY].most_lines = 2
    world.at(RUN)

    world.run()

    assert [(number, lines) for _, number, _, lines in world.batches()] == [(1, 2), (2, 2), (3, 1)]
    assert world.bill_states() == ["PAID"] * 5


def test_the_oldest_month_goes_first_as_far_as_the_banks_limit_of_a_line_reaches(world):
    _, _, bills = world.payer("2026-10", "2026-11")
    fen = bills[0].amount_fen

    assert [bill.coverage_month for bill in oldest_first(bills, limit_fen=fen)] == [202610]
    assert len(oldest_first(bills, limit_fen=None)) == len(oldest_first(bills, limit_fen=2 * fen)) == 2
    # One that alone is too much goes all the same: then the bank says why.
    assert len(oldest_first(bills, limit_fen=1)) == 1


def test_a_making_that_was_killed_yesterday_still_goes_out(world, insured):
    world.make()
    with world.ports.begin() as session:
        session.execute(text("UPDATE debit_batches SET state = 'MAKING'"))
        session.execute(text("DELETE FROM debit_runs"))
    world.at(RUN + timedelta(days=1))

    world.run()

    assert world.bill_states() == ["PAID"]


# --- while it is under way


def test_in_flight_the_phone_says_so_and_neither_pays_nor_ends_the_agreement(world, insured):
    account, agreement_id, bill = insured
    world.make()
    me = world.me_in_list(account)

    view = list_bills(world.ports, account=account, insured_person_id=me).bills[0]
    assert (view.payability.payable, view.payability.code) == (False, "DEBIT_IN_FLIGHT")
    assert "正在扣款中" in view.payability.reason
    new = orders.NewOrder(insured_person_id=me, bill_nos=(bill.bill_no,), expected_amount_fen=bill.amount_fen)
    with pytest.raises(DebitInFlight):
        orders.place_order(world.ports, account=account, new=new, idempotency_key="k")
    number = world.scalar("SELECT agreement_no FROM withholding_agreements")
    with pytest.raises(DebitInFlight):
        branch_agreements.end(world.ports, agreement_no=number, by=SECOND)
    told = read_agreement(world.ports, account=account, agreement_id=agreement_id).debiting
    assert told.in_flight_fen == bill.amount_fen

    world.run()
    branch_agreements.end(world.ports, agreement_no=number, by=SECOND)


def test_an_agreement_of_the_phone_does_not_end_while_a_debit_is_in_flight(world):
    account, _ = world.online_payer()
    world.at(RUN)
    world.make()
    (agreement,) = list_agreements(world.ports, account=account).agreements

    with pytest.raises(DebitInFlight):
        terminate(world.ports, account=account, agreement_id=agreement.id)

    world.run()
    assert terminate(world.ports, account=account, agreement_id=agreement.id).state == "TERMINATED"


def test_the_phone_tells_the_next_run_and_what_has_to_lie_on_the_card(world):
    account, agreement_id, (bill,) = world.payer()
    world.at(RUN - timedelta(days=2))

    told = read_agreement(world.ports, account=account, agreement_id=agreement_id).debiting
    assert (told.next.day, told.next.amount_fen, told.next.months, told.next.to_confirm) == (
        RUN.date(), bill.amount_fen, ["2026-11"], True,
    )  # fmt: skip
    assert told.in_flight_fen == 0

    world.at(RUN)
    world.run()
    told = read_agreement(world.ports, account=account, agreement_id=agreement_id).debiting
    assert (told.next.day, told.next.amount_fen) == (date(2026, 12, 21), 0)


def test_our_copy_with_the_card_leaves_as_soon_as_the_bank_has_told_anything(world, insured):
    _, agreement_id, _ = insured
    world.make()
    exchange(world.ports)
    out = world.folder / WAY / "out"
    assert world.card(agreement_id).encode() in next(out.glob("*_req.txt")).read_bytes()

    # A bank that copies instead of taking.
    kept = {path.name: path.read_bytes() for path in out.iterdir()}
    world.banks.work()
    for name, content in kept.items():
        (out / name).write_bytes(content)
    world.exchange()

    assert list(out.iterdir()) == []


def test_copies_that_no_bank_took_leave_after_a_week(world, insured):
    world.make()
    exchange(world.ports)

    world.later(days=8)

    assert list((world.folder / WAY / "out").glob("*_req.txt")) == []


# --- what the bank says


@pytest.mark.parametrize(
    ("state", "result", "words"),
    [
        ("insufficient", "INSUFFICIENT_FUNDS", "余额不足"),
        ("frozen", "ACCOUNT_FROZEN", "冻结"),
        ("name_mismatch", "NAME_MISMATCH", "户名"),
        ("agreement_invalid", "AGREEMENT_INVALID", "扣款协议"),
        ("inactive", "FINANCIAL_FUNCTION_INACTIVE", "没有激活"),
        ("limit", "LIMIT_EXCEEDED", "限额"),
        ("system_error", "SYSTEM_ERROR", "银行系统"),
    ],
)
def test_a_failure_frees_the_month_and_says_why_and_when_the_next_run_is(world, state, result, words):
    account, agreement_id, _ = world.payer()
    world.banks.set_account(world.card(agreement_id), state=state)
    world.at(datetime(2026, 11, 20, 10, 0, tzinfo=BEIJING))

    world.run()

    assert world.lines() == [("FAILED", result)]
    assert world.bill_states() == ["UNPAID"]
    assert world.clearing() == world.banks_money() == {}
    assert world.templates(account) == ["debit.failed"]
    told = list_messages(world.ports, account=account).messages[0].text
    assert words in told
    assert "2026年11月25日" in told

    world.banks.set_account(world.card(agreement_id))
    world.at(RUN)
    world.run()
    assert world.bill_states() == ["PAID"]
    assert world.clearing() == world.banks_money()


def test_where_no_further_run_takes_the_month_the_person_is_told_so(world, insured):
    account, agreement_id, _ = insured
    world.banks.set_account(world.card(agreement_id), state="insufficient")

    world.run()

    # In December the phone takes November no more, and so does the run.
    assert world.templates(account) == ["debit.failed_last"]


def test_what_the_bank_does_not_know_stays_in_flight_and_is_asked_under_its_own_number(world, insured):
    _account, agreement_id, _bill = insured
    world.banks.set_account(world.card(agreement_id), state="timeout")

    world.run()
    assert world.lines() == [("UNKNOWN", "BANK_TIMEOUT")]
    assert world.bill_states() == ["LOCKED"]
    world.later(minutes=9)
    assert world.scalar("SELECT asks FROM debit_batches") == 0
    world.later(minutes=2)
    assert [path.name for path in (world.folder / WAY / "out").glob("*.txt")] == [f"{UNIT}_20261125_0001_ask01.txt"]
    world.banks.work()
    world.later(minutes=1)

    assert world.batches() == [(WAY, 1, "ANSWERED", 1)]
    assert len(world.banks.lines()) == 1
    assert world.clearing() == world.banks_money()
    assert world.bill_states() == (["PAID"] if world.banks_money() else ["UNPAID"])


def test_silence_is_asked_about_after_the_cut_off_and_a_person_is_told_in_the_end(world, insured):
    world.make()
    exchange(world.ports)
    for path in (world.folder / WAY / "out").iterdir():
        path.unlink()  # taken, and nothing comes

    world.later(hours=8)
    assert world.scalar("SELECT asks FROM debit_batches") == 0
    world.later(days=1)
    for _ in range(4):
        world.later(hours=13)

    assert world.scalar("SELECT asks FROM debit_batches") >= 4
    assert world.faults() == ["NO_ANSWER"]
    assert world.bill_states() == ["LOCKED"]
    assert len(world.batches()) == 1


def test_a_file_that_the_bank_never_took_is_a_persons_affair_and_is_not_asked_about(world, insured):
    world.make()

    world.later(hours=1)
    world.later(days=1, hours=9)

    assert world.faults() == ["NOT_TAKEN"]
    assert not list((world.folder / WAY / "out").glob("*ask*"))
    world.banks.work()
    world.later(hours=1)
    assert world.bill_states() == ["PAID"]


def test_a_success_after_a_failure_is_money_and_pays_the_month_that_is_still_free(world, insured):
    _account, agreement_id, _ = insured
    world.banks.set_account(world.card(agreement_id), state="insufficient")
    world.run()

    they_took_it_after_all(world)
    world.exchange()

    assert world.lines() == [("SUCCEEDED", "SUCCESS")]
    assert world.bill_states() == ["PAID"]
    assert world.clearing() == world.banks_money()


def test_a_success_after_the_month_was_paid_elsewhere_goes_back_by_itself(world, insured):
    account, agreement_id, bill = insured
    world.banks.set_account(world.card(agreement_id), state="insufficient")
    world.run()
    order = world.order_for(account, world.me_in_list(account), [bill])
    world.hear(world.paid_news(order))
    world.settle()

    they_took_it_after_all(world)
    world.exchange()
    assert world.clearing() == world.banks_money() == {OUR_ACCOUNT: bill.amount_fen}
    world.refunds()

    assert world.clearing() == world.banks_money() == {}
    assert world.rows("SELECT state, reason FROM refunds") == [("REFUNDED", "DUPLICATE")]
    assert "refund.done" in world.templates(account)


def test_a_refund_to_a_frozen_card_waits_for_a_person(world, insured):
    account, agreement_id, bill = insured
    world.banks.set_account(world.card(agreement_id), state="insufficient")
    world.run()
    order = world.order_for(account, world.me_in_list(account), [bill])
    world.hear(world.paid_news(order))
    world.settle()
    they_took_it_after_all(world)
    world.exchange()
    world.banks.set_account(world.card(agreement_id), state="frozen")

    world.refunds()

    assert world.rows("SELECT state FROM refunds") == [("ABNORMAL",)]
    assert world.clearing() == world.banks_money() == {OUR_ACCOUNT: bill.amount_fen}


def test_a_success_for_another_amount_is_money_and_goes_back_by_itself(world, insured):
    world.make()
    world.exchange()
    world.banks.work(file_fault="late")
    with world.store.transaction() as db:
        db.execute("UPDATE bank_lines SET amount_fen = amount_fen + 100")
    world.banks.work()
    world.exchange()
    assert world.bill_states() == ["UNPAID"]

    world.refunds()
    world.exchange()

    assert world.clearing() == world.banks_money() == {}
    assert world.rows("SELECT state, reason FROM refunds") == [("REFUNDED", "OVERPAID")]
    assert list((world.folder / WAY / "in").iterdir()) == []


def test_an_answer_about_a_refund_that_nobody_can_read_is_told_and_the_right_one_ends_it(world, insured):
    world.make()
    world.exchange()
    world.banks.work(file_fault="late")
    with world.store.transaction() as db:
        db.execute("UPDATE bank_lines SET amount_fen = amount_fen + 100")
    world.banks.work()
    world.exchange()
    return_surplus(world.ports)
    send_refunds(world.ports)
    world.banks.work()
    (answer,) = (world.folder / WAY / "in").glob("*_paid.txt")
    answer.write_bytes(answer.read_bytes().replace(b"H|", b"X|"))

    world.later(minutes=2)
    send_refunds(world.ports)
    assert world.rows("SELECT state FROM refunds") == [("SENT",)]
    assert world.faults() == ["FILE_DAMAGED"]
    with world.store.transaction() as db:
        db.execute("UPDATE bank_payouts SET told = 0")
    world.banks.work()
    world.ports.clock.move(hours=1)
    send_refunds(world.ports)
    world.settle()

    assert world.rows("SELECT state FROM refunds") == [("REFUNDED",)]
    assert world.clearing() == world.banks_money() == {}


def they_took_it_after_all(world):
    """The bank finds that its no was a yes, and tells it in another file."""
    with world.store.transaction() as db:
        db.execute("UPDATE bank_lines SET taken = 1, code = 'success', serial = 'BLATE0001', told = 0")
    world.banks.work()


# --- files that are wrong


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ("wrong_total", ["FILE_DAMAGED"]),
        ("damaged", ["FILE_DAMAGED"]),
        ("other_batch", ["BATCH_UNKNOWN"]),
        ("missing_flag", []),
        ("unknown_line", ["LINE_UNKNOWN"]),
        ("duplicate_line", ["LINE_TWICE"]),
        ("partial", []),
        ("late", []),
    ],
)
def test_whatever_the_bank_does_to_its_file_each_line_is_booked_once(world, fault, kinds):
    for _ in range(3):
        world.payer()
    world.at(RUN)

    world.run(file_fault=fault)
    world.exchange()
    assert world.faults() == kinds
    if fault in ("wrong_total", "damaged", "other_batch", "missing_flag", "late"):
        assert world.bill_states() == ["LOCKED"] * 3
        assert world.scalar("SELECT count(*) FROM notices") == 0
    world.banks.work()
    world.exchange()

    assert world.bill_states() == ["PAID"] * 3
    assert world.scalar("SELECT count(*) FROM notices WHERE outcome = 'PAID'") == 3
    assert world.clearing() == world.banks_money()
    assert world.faults() == kinds
    assert world.batches() == [(WAY, 1, "ANSWERED", 3)]


def test_what_waits_for_a_person_says_the_next_step_and_is_resolved_with_words(world, insured):
    world.run(file_fault="wrong_total")
    with world.ports.begin() as session:
        (fault,) = open_faults(session)

    assert (fault.kind, fault.line, fault.what) == ("FILE_DAMAGED", 1, "total_fen is not what the lines say")
    assert "重新回盘" in fault.next_step
    with pytest.raises(ReasonNeeded):
        resolve_fault(world.ports, fault_id=fault.id, words="卡号6222021001110000016", who="staff:S1024")
    resolve_fault(world.ports, fault_id=fault.id, words="银行已重新回盘", who="staff:S1024")
    with pytest.raises(BankFaultDealtWith):
        resolve_fault(world.ports, fault_id=fault.id, words="银行已重新回盘", who="staff:S1024")
    with pytest.raises(NotFound):
        resolve_fault(world.ports, fault_id=fault.id + 1, words="银行已重新回盘", who="staff:S1024")
    with world.ports.begin() as session:
        assert open_faults(session) == []


def test_every_kind_of_fault_has_a_next_step():
    from services.debit_faults import NEXT_STEPS

    assert NEXT_STEPS.keys() == set(FaultKind)


def test_a_line_that_cannot_be_opened_fails_before_it_is_sent_and_the_others_go(world):
    lost, lost_id, _ = world.payer()
    world.payer()
    with world.ports.begin() as session:
        session.execute(text("UPDATE withholding_agreements SET card_number_sealed = '\\x00' WHERE id = :id"), {"id": lost_id})
    world.at(RUN)

    world.run()

    assert sorted(world.lines()) == [("FAILED", "SYSTEM_ERROR"), ("SUCCEEDED", "SUCCESS")]
    assert len(world.banks.lines()) == 1
    assert sorted(world.bill_states()) == ["PAID", "UNPAID"]
    assert world.templates(lost) == ["debit.failed_last"]
    assert world.batches() == [(WAY, 1, "ANSWERED", 2)]


def test_a_batch_of_which_nothing_can_be_sent_is_over(world):
    world.payer()
    with world.ports.begin() as session:
        session.execute(text("UPDATE withholding_agreements SET card_number_sealed = '\\x00'"))
    world.at(RUN)

    world.run()

    assert world.batches() == [(WAY, 1, "ANSWERED", 1)]
    assert list((world.folder / WAY / "out").iterdir()) == []


def test_a_bank_that_cannot_be_reached_holds_up_nobody_elses(world):
    world.payer()
    _other, _, _ = world.payer(bank="ICBC", card_number=a_card())
    world.at(RUN)
    (world.folder / WAY).mkdir(parents=True)
    (world.folder / WAY / "out").write_text("a file where a folder should be")

    world.run()

    assert [(way, state) for way, _, state, _ in world.batches()] == [(WAY, "MADE"), ("debit-icbc-320400", "ANSWERED")]
    (world.folder / WAY / "out").unlink()
    world.later(minutes=1)
    world.banks.work()
    world.later(minutes=1)
    assert world.bill_states() == ["PAID", "PAID"]


def test_the_staff_see_batches_and_lines_and_no_card(world, insured):
    _, agreement_id, bill = insured
    world.run()
    with world.ports.begin() as session:
        (shown,), _ = list_batches(session, ways=None)
        lines, _ = list_lines(session, batch_id=shown.id)

    assert (shown.succeeded, shown.succeeded_fen, shown.under_way) == (1, bill.amount_fen, 0)
    assert world.card(agreement_id) not in repr(lines)
    assert lines[0].card_masked.endswith(world.card(agreement_id)[-4:])
    with pytest.raises(NotFound), world.ports.begin() as session:
        read_batch(session, batch_id=shown.id + 1)


def test_somebody_without_an_account_is_debited_and_nobody_is_told(world, insured):
    account, _, _ = insured
    with world.ports.begin() as session:
        session.execute(text("UPDATE accounts SET closed_at = now() WHERE id = :id"), {"id": account.id})

    world.run()

    assert world.bill_states() == ["PAID"]
    assert world.scalar("SELECT count(*) FROM messages") == 0


def test_a_batch_keeps_its_number_when_a_killed_sending_is_done_again(world, insured):
    world.make()
    exchange(world.ports)
    before = (world.folder / WAY / "out" / f"{UNIT}_20261125_0001_req.txt").read_bytes()
    with world.ports.begin() as session:
        session.execute(text("UPDATE debit_batches SET state = 'MADE', sent_at = NULL, next_ask_at = NULL"))

    exchange(world.ports)

    assert (world.folder / WAY / "out" / f"{UNIT}_20261125_0001_req.txt").read_bytes() == before
    assert world.ports.debit_banks[WAY].is_waiting(BatchKey(run_day=RUN.date(), number=1))
