"""The tax authority's list: paid months are confirmed and their payers told; what stands in the way is told, and nothing moves twice."""

from __future__ import annotations

import os
import threading
from datetime import date, datetime

import pytest
from sqlalchemy import select

from app import create_app
from config.clock import BEIJING
from config.months import YearMonth
from config.settings import Settings
from jobs.list_commands import tax_missing_command
from models.bills import ContributionBill
from models.orders import OrderOrigin
from models.refunds import RefundReason, RefundState
from providers.bills import BillDamaged, BillNotReady
from providers.protocols import NewsKind
from services import authority_lists, list_folder
from services.assessment import assess
from services.authority_lists import read_tax_list
from services.counter_errors import SecondPersonRequired
from services.differences import agree_to_difference, explain_difference
from services.journal import explain
from services.reconciliation import open_differences, sign_day
from services.reconciliation_errors import ReconciliationClosed
from services.refund_sending import send_refunds
from services.refunds import RefundWish, advance_refund, apply_for_refund, decide_refund
from services.tax_missing import missing_months, tell_tax_missing
from tests.authority_files import a_file, id_number_of, line_of
from tests.factories import DEBIT, an_id_number

DAY = date(2026, 11, 21)
ACCOUNT = "tax:tax-320400"
CLEARING, CONTRIBUTIONS, TREASURY = "clearing:wechat_pay:1900003204", "contributions:tax-320400:110", "treasury:tax-320400"
FIRST, SECOND = "staff:S1024", "staff:S2048"


def paid(world, *insurances):
    """An order of one person's bills of this month that was paid and settled, and its bills."""
    person = world.person()
    enrollments = [world.enrollment(person, insurance_type=each) for each in insurances or ("110",)]
    bills = [bill for enrollment in enrollments for bill in world.bills(enrollment)]
    account = world.account(person)
    order = world.order_for(account, world.me_in_list(account), bills)
    world.hear(world.paid_news(order, notice=f"N{order.payment_no}"))
    world.settle()
    return order, bills


def bills_of(world):
    with world.ports.begin() as session:
        found = session.scalars(select(ContributionBill).order_by(ContributionBill.id)).all()
        session.expunge_all()
    return list(found)


def opens(ports):
    with ports.begin() as session:
        return [(each.kind, each.why, each.bill_fen, each.our_fen) for each in open_differences(session)]


def messages(world):
    return world.rows("SELECT template, facts FROM messages ORDER BY id")


def test_a_paid_month_that_the_list_has_is_confirmed_and_whoever_paid_is_told(world, ports, tmp_path):
    order, [first, second] = paid(world, "110", "310")

    done = read_tax_list(ports, a_file(tmp_path, line_of(world, first, receipt="320400261121000001"), line_of(world, second)))

    assert (done.lines, done.moved, done.known, done.taken_in, done.differences) == (2, 2, 0, 0, 0)
    assert world.bill_states() == ["TAX_CONFIRMED", "TAX_CONFIRMED"]
    assert [(each.state, each.tax_confirmed_at, each.treasury_on) for each in world.records()] == [
        ("TAX_CONFIRMED", ports.now(), DAY)
    ] * 2
    assert world.records()[0].tax_receipt_no == "320400261121000001"
    assert world.balances() == {CLEARING: order.total_fen, TREASURY: order.total_fen}
    assert messages(world)[-1] == (
        "contribution.confirmed",
        {"order_no": order.order_no, "amount_fen": order.total_fen, "months": [202611]},
    )
    assert (
        world.rows("SELECT from_state, to_state, why, who FROM moves WHERE to_state = 'TAX_CONFIRMED'")
        == [("PAID", "TAX_CONFIRMED", "bill.tax_confirmed", "authority_lists")] * 2
    )


def test_reading_a_list_again_and_a_line_twice_changes_nothing(world, ports, tmp_path):
    _, [bill] = paid(world)
    file = a_file(tmp_path, line_of(world, bill), line_of(world, bill))
    first = read_tax_list(ports, file)
    before = world.balances(), messages(world), world.rows("SELECT count(*) FROM moves WHERE noun = 'contribution_bill'")

    again = read_tax_list(ports, file)

    assert (first.moved, first.known, first.differences) == (1, 1, 0)
    assert (again.moved, again.known, again.differences) == (0, 2, 0)
    assert before == (
        world.balances(),
        messages(world),
        world.rows("SELECT count(*) FROM moves WHERE noun = 'contribution_bill'"),
    )


def test_the_same_line_in_the_list_of_another_day_is_known(world, ports, tmp_path):
    _, [bill] = paid(world)
    read_tax_list(ports, a_file(tmp_path, line_of(world, bill)))

    done = read_tax_list(ports, a_file(tmp_path, line_of(world, bill), day="20261122"))

    assert (done.moved, done.known, done.differences) == (0, 1, 0)


def test_another_amount_is_told_and_nothing_moves(world, ports, tmp_path):
    order, [bill] = paid(world)

    done = read_tax_list(ports, a_file(tmp_path, line_of(world, bill, amount_fen=bill.amount_fen + 1)))

    assert (done.moved, done.differences) == (0, 1)
    assert opens(ports) == [("AMOUNT_DIFF", "AMOUNT_DIFF", bill.amount_fen + 1, bill.amount_fen)]
    assert world.bill_states() == ["PAID"]
    assert world.balances() == {CLEARING: order.total_fen, CONTRIBUTIONS: order.total_fen}


def test_a_list_that_was_put_right_ends_its_own_differences(world, ports, tmp_path):
    _, [bill] = paid(world)
    read_tax_list(ports, a_file(tmp_path, line_of(world, bill, amount_fen=1)))

    done = read_tax_list(ports, a_file(tmp_path, line_of(world, bill)))

    assert (done.moved, done.differences) == (1, 0)
    assert world.rows("SELECT resolution, resolved_by FROM reconciliation_differences") == [("agrees by now", None)]


def test_a_month_that_was_paid_elsewhere_goes_through_the_inbox_and_is_confirmed(world, ports, tmp_path):
    person = world.person()
    [bill] = world.bills(world.enrollment(person))

    done = read_tax_list(ports, a_file(tmp_path, line_of(world, bill)))

    assert (done.moved, done.taken_in, done.differences) == (1, 1, 0)
    assert world.bill_states() == ["TAX_CONFIRMED"]
    assert world.balances() == {"clearing:tax:tax-320400": bill.amount_fen, TREASURY: bill.amount_fen}
    assert world.rows("SELECT origin, state, payer_account_id FROM payment_orders") == [("TAX", "PAID", None)]
    assert [(each.merchant_account, each.outcome) for each in world.notices()] == [(ACCOUNT, "PAID")]
    assert messages(world) == []
    again = read_tax_list(ports, tmp_path / "TAX_tax-320400_20261121.csv")
    assert (again.moved, again.taken_in, again.known) == (0, 0, 1)


def test_a_reading_that_died_between_order_and_news_goes_on(world, ports, tmp_path, monkeypatch):
    [bill] = world.bills(world.enrollment(world.person()))
    file = a_file(tmp_path, line_of(world, bill))
    with monkeypatch.context() as patched:
        patched.setattr("services.tax_extra.receive", lambda *_args, **_more: (_ for _ in ()).throw(RuntimeError("killed")))
        with pytest.raises(RuntimeError):
            read_tax_list(ports, file)
    assert world.bill_states() == ["LOCKED"]

    done = read_tax_list(ports, file)

    assert (done.moved, done.differences) == (1, 0)
    assert world.rows("SELECT count(*) FROM payment_orders") == [(1,)]
    assert world.balances() == {"clearing:tax:tax-320400": bill.amount_fen, TREASURY: bill.amount_fen}


def test_a_month_that_somebody_is_paying_waits_and_is_confirmed_when_it_is_paid(world, ports, tmp_path):
    _, order = world.order()
    [bill] = bills_of(world)
    file = a_file(tmp_path, line_of(world, bill, payment_no=order.payment_no))

    first = read_tax_list(ports, file)
    assert (first.moved, opens(ports)) == (0, [("TAX_EXTRA", "BEING_PAID", bill.amount_fen, bill.amount_fen)])
    world.hear(world.paid_news(order))
    world.settle()
    then = read_tax_list(ports, file)

    assert (then.moved, then.differences, opens(ports)) == (1, 0, [])


def test_a_month_in_a_debit_under_way_waits_too(world, ports, tmp_path):
    person = world.person()
    bills = world.bills(world.enrollment(person))
    world.outside_order(person, bills, origin=OrderOrigin.DEBIT, way=DEBIT)

    read_tax_list(ports, a_file(tmp_path, line_of(world, bills[0])))

    assert world.bill_states() == ["LOCKED"]
    assert opens(ports) == [("TAX_EXTRA", "BEING_PAID", bills[0].amount_fen, bills[0].amount_fen)]


def test_unknown_people_and_months_that_nobody_owes_are_told_and_nobody_is_named(world, ports, tmp_path):
    _, [bill] = paid(world)
    stranger = an_id_number(77, place="110101")
    file = a_file(
        tmp_path,
        line_of(world, bill, receipt="R00001", id_number=stranger),
        line_of(world, bill, receipt="R00002", coverage_month=202512),
        line_of(world, bill, receipt="R00003", insurance_type="310"),
        line_of(world, bill, receipt="R00004", kind="2"),
    )

    read_tax_list(ports, file)

    assert [why for _, why, _, _ in opens(ports)] == ["UNKNOWN_PERSON", "NO_SUCH_MONTH", "NO_SUCH_MONTH", "NO_SUCH_MONTH"]
    assert world.bill_states() == ["PAID"]
    kept = str(world.rows("SELECT * FROM reconciliation_differences"))
    assert stranger not in kept
    assert id_number_of(world, bill.enrollment_id) not in kept


def test_another_authoritys_month_is_not_confirmed(world, ports, tmp_path):
    _, [bill] = paid(world)

    read_tax_list(ports, a_file(tmp_path, line_of(world, bill), authority="tax-650000"))

    assert [why for _, why, _, _ in opens(ports)] == ["NO_SUCH_MONTH"]
    assert world.bill_states() == ["PAID"]


def test_a_second_receipt_for_a_confirmed_month_is_told_in_one_list_and_in_two(world, ports, tmp_path):
    order, [bill] = paid(world)
    one, other, third = (line_of(world, bill, receipt=number) for number in ("R00001", "R00002", "R00003"))

    read_tax_list(ports, a_file(tmp_path, one, other))
    assert [why for _, why, _, _ in opens(ports)] == ["CONFIRMED_TWICE"]
    read_tax_list(ports, a_file(tmp_path, third, day="20261122"))

    assert [why for _, why, _, _ in opens(ports)] == ["CONFIRMED_TWICE", "CONFIRMED_TWICE"]
    assert world.balances()[TREASURY] == order.total_fen


def test_a_month_that_two_receipts_have_and_nobody_paid_here_is_taken_in_once(world, ports, tmp_path):
    [bill] = world.bills(world.enrollment(world.person()))

    done = read_tax_list(
        ports, a_file(tmp_path, line_of(world, bill, receipt="R00001"), line_of(world, bill, receipt="R00002"))
    )

    assert (done.moved, done.taken_in, done.differences) == (1, 1, 1)
    assert world.balances() == {"clearing:tax:tax-320400": bill.amount_fen, TREASURY: bill.amount_fen}


@pytest.mark.parametrize("number_of", [lambda o: o.payment_no, lambda o: o.order_no, lambda o: f"P{o.payment_no}"])
def test_a_line_may_name_the_payment_by_any_of_its_numbers(world, ports, tmp_path, number_of):
    order, [bill] = paid(world)

    assert read_tax_list(ports, a_file(tmp_path, line_of(world, bill, payment_no=number_of(order)))).moved == 1


def test_a_line_that_names_another_payment_confirms_nothing(world, ports, tmp_path):
    _, [bill] = paid(world)

    read_tax_list(ports, a_file(tmp_path, line_of(world, bill, payment_no="SOMEBODYELSES")))

    assert [why for _, why, _, _ in opens(ports)] == ["OTHER_PAYMENT"]
    assert world.bill_states() == ["PAID"]


def approved(world, ports, order, bills):
    wish = RefundWish(
        payment_no=order.payment_no,
        reason=RefundReason.NOT_ELIGIBLE,
        words="参保条件不符",
        bill_nos=tuple(each.bill_no for each in bills),
    )
    number = apply_for_refund(ports, wish=wish, who=FIRST)
    decide_refund(ports, refund_no=number, approve=True, words="核对无误，同意", who=SECOND)
    return number


def test_a_refund_that_was_never_sent_yields_to_the_treasury_and_takes_its_road(world, ports, tmp_path):
    order, [first, second] = paid(world, "110", "310")
    number = approved(world, ports, order, [first, second])

    done = read_tax_list(ports, a_file(tmp_path, line_of(world, first)))

    assert (done.moved, done.differences) == (1, 0)
    assert world.bill_states() == ["TAX_CONFIRMED", "PAID"]
    assert world.rows("SELECT refund_no = :no, road, state, fault, amount_fen FROM refunds ORDER BY id", no=number) == [
        (True, "PROVIDER", "FAILED", "TREASURY_HAS_IT", first.amount_fen + second.amount_fen),
        (False, "TREASURY", "APPLIED", None, first.amount_fen),
        (False, "PROVIDER", "APPLIED", None, second.amount_fen),
    ]
    assert send_refunds(ports) == 0
    assert world.balances() == {
        CLEARING: order.total_fen,
        TREASURY: first.amount_fen,
        "contributions:tax-320400:310": second.amount_fen,
    }


@pytest.mark.parametrize("is_done", [False, True])
def test_a_refund_that_was_sent_holds_and_people_are_told(world, ports, tmp_path, is_done):
    order, [bill] = paid(world)
    number = approved(world, ports, order, [bill])
    send_refunds(ports)
    if is_done:
        provider = ports.payments["jiangsu-tax-wechat"]
        ports.clock.move(minutes=5)
        provider.refunds[number] = NewsKind.REFUNDED
        send_refunds(ports)
    before = world.balances()

    read_tax_list(ports, a_file(tmp_path, line_of(world, bill)))

    assert opens(ports) == [("REFUND_CROSSED", "REFUND_CROSSED", bill.amount_fen, bill.amount_fen)]
    assert world.bill_states() == ["REFUNDED" if is_done else "REFUNDING"]
    assert world.balances() == before


def test_a_month_that_the_treasury_gave_back_stays_known(world, ports, tmp_path):
    order, [bill] = paid(world)
    file = a_file(tmp_path, line_of(world, bill))
    read_tax_list(ports, file)
    number = approved(world, ports, order, [bill])
    assert read_tax_list(ports, file).known == 1
    for to in (RefundState.TAX_REVIEW, RefundState.TREASURY, RefundState.REFUNDED):
        advance_refund(ports, refund_no=number, to=to, words="已收到回复", who=SECOND)

    done = read_tax_list(ports, file)

    assert (done.known, done.differences) == (1, 0)
    assert world.bill_states() == ["REFUNDED"]


def wrong_person(ports, order, bills):
    numbers = tuple(each.bill_no for each in bills)
    wish = RefundWish(payment_no=order.payment_no, reason=RefundReason.WRONG_PERSON, words="替他人缴错", bill_nos=numbers)
    number = apply_for_refund(ports, wish=wish, who=FIRST)
    decide_refund(ports, refund_no=number, approve=True, words="核对无误，同意", who=SECOND)
    return number


def test_an_old_line_about_money_that_the_treasury_gave_back_pays_no_new_bill(world, ports, tmp_path):
    order, [bill] = paid(world)
    file = a_file(tmp_path, line_of(world, bill))
    read_tax_list(ports, file)
    number = wrong_person(ports, order, [bill])
    for to in (RefundState.TAX_REVIEW, RefundState.TREASURY, RefundState.REFUNDED):
        advance_refund(ports, refund_no=number, to=to, words="已收到回复", who=SECOND)
    assess(ports, month=YearMonth.parse("2026-11"))
    assert world.bill_states() == ["VOID", "UNPAID"]

    again = read_tax_list(ports, file)
    assert (again.known, again.taken_in, again.differences) == (1, 0, 0)
    anew = read_tax_list(ports, a_file(tmp_path, line_of(world, bill, receipt="R00009"), day="20261122"))

    assert (anew.taken_in, anew.moved) == (1, 1)
    assert world.bill_states() == ["VOID", "TAX_CONFIRMED"]


def test_a_line_that_names_money_which_the_provider_sent_back_pays_no_new_bill(world, ports, tmp_path):
    order, [bill] = paid(world)
    number = wrong_person(ports, order, [bill])
    send_refunds(ports)
    ports.payments["jiangsu-tax-wechat"].refunds[number] = NewsKind.REFUNDED
    ports.clock.move(minutes=5)
    send_refunds(ports)
    assess(ports, month=YearMonth.parse("2026-11"))

    read_tax_list(ports, a_file(tmp_path, line_of(world, bill, payment_no=order.payment_no)))

    assert opens(ports) == [("REFUND_CROSSED", "REFUND_CROSSED", bill.amount_fen, bill.amount_fen)]
    assert world.bill_states() == ["VOID", "UNPAID"]


@pytest.mark.parametrize(
    ("fault", "what"), [("wrong_total", "total"), ("wrong_count", "count"), ("wrong_flag", "flag"), ("cut", "flag")]
)
def test_a_damaged_file_is_refused_whole(world, ports, tmp_path, fault, what):
    _, [bill] = paid(world)

    with pytest.raises(BillDamaged, match=what):
        read_tax_list(ports, a_file(tmp_path, line_of(world, bill), fault=fault))

    assert world.bill_states() == ["PAID"]
    assert world.rows("SELECT count(*) FROM reconciliations") == [(0,)]


def test_a_file_without_its_flag_is_not_read(world, ports, tmp_path):
    with pytest.raises(BillNotReady):
        read_tax_list(ports, a_file(tmp_path, fault="no_flag"))


def test_parts_are_transactions_of_their_own_and_a_second_reading_finds_the_rest(world, ports, tmp_path, monkeypatch):
    monkeypatch.setattr(authority_lists, "PART", 2)
    paid_bills = [paid(world)[1][0] for _ in range(5)]
    file = a_file(tmp_path, *(line_of(world, bill) for bill in paid_bills))
    told, confirm, calls = [], authority_lists.tax_confirm, []

    def dies_at_the_second(session, *, now):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("killed")
        return confirm(session, now=now)

    with monkeypatch.context() as patched:
        patched.setattr(authority_lists, "tax_confirm", dies_at_the_second)
        with pytest.raises(RuntimeError):
            read_tax_list(ports, file)
    assert world.bill_states() == ["TAX_CONFIRMED"] * 2 + ["PAID"] * 3
    assert world.rows("SELECT state, runs FROM reconciliations") == [("OPEN", 0)]

    done = read_tax_list(ports, file, on_progress=lambda number, of: told.append((number, of)))

    assert (done.moved, done.known) == (3, 2)
    assert told == [(2, 5), (4, 5), (5, 5)]
    assert world.rows("SELECT state, runs, matched FROM reconciliations") == [("COMPARED", 1, 5)]


def test_two_who_read_a_list_at_once_confirm_each_month_once(world, ports, tmp_path):
    bills = [paid(world)[1][0] for _ in range(3)]
    extra = world.bills(world.enrollment(world.person()))
    file = a_file(tmp_path, *(line_of(world, bill) for bill in [*bills, *extra]))
    done, faults = [], []

    def go():
        try:
            done.append(read_tax_list(ports, file))
        except Exception as fault:  # noqa: BLE001 - told below
            faults.append(fault)

    threads = [threading.Thread(target=go) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert sum(each.moved for each in done) == 4
    assert world.balances()[TREASURY] == sum(bill.amount_fen for bill in [*bills, *extra])
    assert read_tax_list(ports, file).differences == 0


def test_a_difference_is_explained_by_two_and_the_day_signed_by_two(world, ports, tmp_path):
    _, [bill] = paid(world)
    file = a_file(tmp_path, line_of(world, bill, payment_no="SOMEBODYELSES"))
    read_tax_list(ports, file)
    ports.clock.set(datetime(2026, 11, 22, 11, tzinfo=BEIJING))
    with ports.begin() as session:
        [found] = open_differences(session)

    explain_difference(ports, difference_id=found.id, words="税务更正单号", who=FIRST)
    with pytest.raises(SecondPersonRequired):
        agree_to_difference(ports, difference_id=found.id, who=FIRST)
    assert read_tax_list(ports, file).differences == 1
    agree_to_difference(ports, difference_id=found.id, who=SECOND)
    assert read_tax_list(ports, file).differences == 0
    assert [sign_day(ports, merchant_account=ACCOUNT, day=DAY, who=who) for who in (FIRST, SECOND)] == [False, True]
    with pytest.raises(ReconciliationClosed):
        read_tax_list(ports, file)


def test_the_folder_is_read_until_nothing_is_open_and_what_is_settled_is_put_away(world, ports, tmp_path):
    object.__setattr__(ports, "authority_files", tmp_path)
    _, [bill] = paid(world)
    _, other = world.order()
    waiting = next(each for each in bills_of(world) if each.state == "LOCKED")
    a_file(tmp_path, line_of(world, bill))
    a_file(tmp_path, line_of(world, waiting), day="20261122")
    a_file(tmp_path, line_of(world, waiting), day="20261123", fault="wrong_total")
    a_file(tmp_path, line_of(world, waiting), day="20261124", fault="no_flag")

    assert list_folder.read_what_came(ports) == 1
    assert sorted(each.name for each in (tmp_path / "done").iterdir()) == [
        "TAX_tax-320400_20261121.csv",
        "TAX_tax-320400_20261121.csv.ok",
    ]
    world.hear(world.paid_news(other, notice="N2"))
    world.settle()
    assert list_folder.read_what_came(ports) == 1
    assert sorted(each.name for each in tmp_path.glob("*.csv")) == [
        "TAX_tax-320400_20261123.csv",
        "TAX_tax-320400_20261124.csv",
    ]


def test_a_file_with_something_open_is_read_again_after_an_hour_or_once_it_is_put_right(world, ports, tmp_path):
    object.__setattr__(ports, "authority_files", tmp_path)
    _, [bill] = paid(world)
    file = a_file(tmp_path, line_of(world, bill, amount_fen=1))
    os.utime(file, (0, 0))

    def runs():
        list_folder.read_what_came(ports)
        return world.scalar("SELECT runs FROM reconciliations")

    assert [runs(), runs()] == [1, 1]
    ports.clock.move(hours=1)
    assert [runs(), runs()] == [2, 2]
    a_file(tmp_path, line_of(world, bill))
    assert (runs(), world.bill_states()) == (3, ["TAX_CONFIRMED"])


def test_what_no_list_had_for_the_regions_working_days_is_told_once_and_ends_with_the_list(world, ports, tmp_path):
    order, [bill] = paid(world)  # a Saturday: Monday, Tuesday, Wednesday
    ports.clock.set(datetime(2026, 11, 25, 23, tzinfo=BEIJING))
    assert tell_tax_missing(ports) == 0
    ports.clock.set(datetime(2026, 11, 26, 0, 30, tzinfo=BEIJING))

    assert (tell_tax_missing(ports), tell_tax_missing(ports)) == (1, 0)
    [missing] = missing_months(ports)
    assert (missing.payment_no, missing.coverage_month, missing.amount_fen) == (order.payment_no, 202611, bill.amount_fen)
    app = create_app(Settings(secrets_dir=tmp_path), doors=[], ports=ports)
    app.cli.add_command(tax_missing_command)
    with app.app_context():
        head, row = app.test_cli_runner().invoke(args=["tax-missing"]).stdout.splitlines()
    assert head.startswith("authority,payment_no,provider_payment_no,bill_no,")
    assert row == (
        f"tax-320400,{order.payment_no},P{order.payment_no},{bill.bill_no},110,202611,{bill.amount_fen},2026-11-21T10:00:00+08:00"
    )
    assert opens(ports) == [("TAX_MISSING", None, None, bill.amount_fen)]

    read_tax_list(ports, a_file(tmp_path, line_of(world, bill), day="20261126"))
    assert opens(ports) == [("TAX_MISSING", None, None, bill.amount_fen)]
    tell_tax_missing(ports)
    assert (opens(ports), missing_months(ports)) == ([], [])


def test_what_two_explained_as_missing_is_not_told_again(world, ports):
    paid(world)
    ports.clock.move(days=20)
    tell_tax_missing(ports)
    with ports.begin() as session:
        [found] = open_differences(session)
    explain_difference(ports, difference_id=found.id, words="税务确认手工补录", who=FIRST)
    agree_to_difference(ports, difference_id=found.id, who=SECOND)
    ports.clock.move(days=1)

    assert tell_tax_missing(ports) == 0


def test_explain_tells_what_the_list_did(world, ports, tmp_path):
    order, [bill] = paid(world)
    read_tax_list(ports, a_file(tmp_path, line_of(world, bill, amount_fen=1)))
    read_tax_list(ports, a_file(tmp_path, line_of(world, bill), day="20261122"))

    with ports.begin() as session:
        told = [f"{each.table} {each.what}" for each in explain(session, payment_no=order.payment_no)]

    assert any("AMOUNT_DIFF MONTH of tax:tax-320400 2026-11-21: theirs 1 fen" in each for each in told)
    assert any(each.startswith("transfers CONFIRMED") for each in told)
    assert sum(each.startswith("contribution_records") for each in told) == 1
