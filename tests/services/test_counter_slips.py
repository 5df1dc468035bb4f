"""Paper slips: two of the staff read the same from a bank's paper, and its money is booked as all money is; and goes back likewise."""

from __future__ import annotations

from datetime import date
from functools import partial

import pytest
from sqlalchemy.exc import IntegrityError

from models.counters import CounterMeans
from models.orders import OrderOrigin
from services import counter_orders, counter_payments, counter_refunds, counter_slips
from services.agreement_errors import BankNotListed
from services.counter_errors import SecondPersonRequired, StaffNumberMalformed
from services.counter_payments import CounterReport
from services.counter_slip_errors import (
    NoPayOutDue,
    SlipDayWrong,
    SlipDiffers,
    SlipKnown,
    SlipMonthsUnknown,
    SlipNotWaiting,
    SlipSerialMalformed,
    SlipsNotTaken,
)
from services.counter_slip_papers import PayOutPaper, SlipPaper
from services.errors import BusinessError, IdNumberMalformed, NotFound, PersonNotMatched
from services.refund_sending import return_surplus, send_refunds
from services.review_errors import OwnAffairs
from services.review_staff import note_person
from tests.factories import COUNTER, POS, SLIP, an_id_number
from tests.together import at_once

NUMBER = an_id_number(901)
FIRST, SECOND = "S1024", "S2048"
CLEARING = "clearing:slip:SLIP-320400"


@pytest.fixture
def insured(world):
    """Somebody with two unpaid months, one of them old."""
    person = world.person(id_number=NUMBER)
    return person, world.bills(world.enrollment(person), "2026-10", "2026-11")


def paper(bills, **changes) -> SlipPaper:
    given = {
        "region": "320400", "bank": "ICBC", "serial": "0200-77881234", "name": "张三丰", "id_number": NUMBER,
        "months": tuple(f"{bill.coverage_month // 100}-{bill.coverage_month % 100:02d}" for bill in bills), "insurance_type": None,
        "amount_fen": sum(bill.amount_fen for bill in bills), "paid_on": date(2026, 11, 20),
    }  # fmt: skip
    return SlipPaper(**{**given, **changes})


def record(ports, bills, **changes):
    return counter_slips.record_slip(ports, paper=paper(bills, **changes), by=FIRST)


def approve(ports, slip, *, by=SECOND, **changes):
    given = {"amount_fen": slip.amount_fen, "serial": slip.serial, **changes}
    return counter_slips.approve_slip(ports, slip_no=slip.slip_no, by=by, **given)


def told(world, account) -> list[str]:
    return [t for (t,) in world.rows("SELECT template FROM messages WHERE account_id = :who ORDER BY id", who=account.id)]


def test_two_of_the_staff_read_the_same_and_the_months_are_paid(ports, world, insured):
    person, bills = insured
    account = world.account(person)
    slip = record(ports, bills)
    assert (slip.state, slip.name_masked, slip.months) == ("RECORDED", "张**", [202610, 202611])
    assert NUMBER not in repr(slip)
    assert world.balances() == {}

    done = approve(ports, slip, serial="0200-77881234 ")

    assert (done.state, done.payment_state, done.recorded_by, done.decided_by) == (
        "APPROVED", "SUCCEEDED", f"staff:{FIRST}", f"staff:{SECOND}",
    )  # fmt: skip
    assert world.bill_states() == ["PAID", "PAID"]
    assert world.balances()[CLEARING] == slip.amount_fen
    assert told(world, account) == ["payment.succeeded"]
    assert world.rows("SELECT origin, miniprogram FROM payment_orders") == [("COUNTER", SLIP)]
    assert [str(record.paid_at) for record in world.records()] == ["2026-11-19 16:00:00+00:00"] * 2
    assert world.rows("SELECT to_state, who FROM moves WHERE noun = 'counter_slip'") == [("APPROVED", f"staff:{SECOND}")]


def test_what_cannot_stand_on_a_paper_is_not_recorded(ports, world, insured):
    for changes, refusal in (
        ({"region": "650000"}, SlipsNotTaken), ({"region": "nowhere"}, SlipsNotTaken), ({"bank": "CMB"}, BankNotListed),
        ({"serial": "x"}, SlipSerialMalformed), ({"serial": "张三丰的凭证"}, SlipSerialMalformed), ({"paid_on": date(2026, 11, 22)}, SlipDayWrong),
        ({"name": "李四光"}, PersonNotMatched), ({"id_number": "1"}, IdNumberMalformed), ({"months": ()}, SlipMonthsUnknown),
        ({"months": ("2026-09", "2026-10")}, SlipMonthsUnknown), ({"months": ("yesterday",)}, SlipMonthsUnknown),
        ({"insurance_type": "310"}, SlipMonthsUnknown),
    ):  # fmt: skip
        with pytest.raises(refusal):
            record(ports, insured[1], **changes)
    assert world.scalar("SELECT count(*) FROM counter_slips") == 0


def test_neither_of_the_two_is_both_nor_the_person(ports, world, insured):
    note_person(ports, who="S3000", id_number=NUMBER, by="S9000")
    with pytest.raises(OwnAffairs):
        counter_slips.record_slip(ports, paper=paper(insured[1]), by="S3000")
    slip = record(ports, insured[1])

    for by, refusal in ((FIRST, SecondPersonRequired), ("S3000", OwnAffairs), ("x", StaffNumberMalformed)):
        with pytest.raises(refusal):
            approve(ports, slip, by=by)
    with pytest.raises(OwnAffairs):
        counter_slips.reject_slip(ports, slip_no=slip.slip_no, by="S3000")
    with pytest.raises(IntegrityError):
        world.rows("UPDATE counter_slips SET state = 'APPROVED', decided_by = recorded_by RETURNING id")
    assert world.bill_states() == ["UNPAID", "UNPAID"]


def test_what_the_second_one_reads_differently_is_not_booked(ports, world, insured):
    slip = record(ports, insured[1])

    for changes in ({"amount_fen": 1}, {"serial": "0200-77881235"}):
        with pytest.raises(SlipDiffers):
            approve(ports, slip, **changes)
    assert world.bill_states() == ["UNPAID", "UNPAID"]


def test_of_many_who_press_at_once_one_decides(ports, world, insured):
    slip = record(ports, insured[1])

    answers = at_once(*[partial(approve, ports, slip, by=f"S{2000 + n}") for n in range(4)])

    assert [type(each) for each in answers if isinstance(each, BusinessError)] == [SlipNotWaiting] * 3
    assert world.balances()[CLEARING] == slip.amount_fen


def test_one_paper_is_one_payment_however_often_it_is_brought(ports, insured):
    answers = at_once(*[partial(record, ports, insured[1]) for _ in range(4)])
    assert sorted(type(each).__name__ for each in answers) == ["SlipKnown"] * 3 + ["SlipView"]
    slip = next(each for each in answers if not isinstance(each, BusinessError))
    with pytest.raises(SlipKnown):
        record(ports, insured[1], serial="0200-77881234 ".lower())

    counter_slips.reject_slip(ports, slip_no=slip.slip_no, by=FIRST)
    with pytest.raises(SlipNotWaiting):
        approve(ports, slip)
    again = record(ports, insured[1])
    assert approve(ports, again).state == "APPROVED"
    with pytest.raises(SlipKnown):
        record(ports, insured[1])


def report(bills, **changes) -> CounterReport:
    given = {
        "serial": "BOC00000001", "name": "张三丰", "id_number": NUMBER, "bill_nos": tuple(bill.bill_no for bill in bills),
        "amount_fen": sum(bill.amount_fen for bill in bills), "means": CounterMeans.CASH, "site": "0001", "money_taken": True,
    }  # fmt: skip
    return CounterReport(**{**given, **changes})


def test_a_paper_of_money_that_the_bank_reported_by_itself_is_no_second_payment(ports, world, insured):
    _, bills = insured
    early = record(ports, bills, bank="BOC", serial="BOC00000001")
    counter_payments.take_payment(ports, way=COUNTER, report=report(bills, taken_at=ports.now()), raw=b"{}")

    with pytest.raises(SlipKnown):
        approve(ports, early)
    counter_slips.reject_slip(ports, slip_no=early.slip_no, by=SECOND)
    with pytest.raises(SlipKnown):
        record(ports, bills, bank="BOC", serial="BOC00000001")
    assert list(world.balances()) == ["clearing:bank_counter:BOC-320400", "contributions:tax-320400:110"]


def test_nobody_finds_a_slip_that_is_none(ports):
    for ask in (partial(counter_slips.read_slip, ports), partial(counter_slips.reject_slip, ports, by=FIRST)):
        with pytest.raises(NotFound):
            ask(slip_no="A" * 24)


# --- paid twice: phone, POS, counter and slip, in every order


def by_phone(ports, world, person, bill):
    child, relation = world.payer_for(person)
    order = world.order_for(child, relation, [bill])
    world.hear(world.paid_news(order, notice=f"W{order.order_no}"))
    world.settle()
    return child


def by_pos(ports, world, person, bill):
    number = counter_orders.terminals_number(ports.now())
    payment = world.outside_order(
        person, [bill], origin=OrderOrigin.POS, way=POS, payment_no=number, account=world.account(person)
    )
    world.hear(world.paid_news(payment, notice=number), miniprogram=POS)
    world.settle()


def by_counter(ports, world, person, bill):
    told = report([bill], serial=f"BOC{bill.id:08d}", taken_at=ports.now())
    return counter_payments.take_payment(ports, way=COUNTER, report=told, raw=b"{}")


def by_slip(ports, world, person, bill):
    return approve(ports, record(ports, [bill], serial=f"0200-{bill.id:08d}"))


FIRSTS = {"phone": by_phone, "pos": by_pos, "counter": by_counter, "slip": by_slip}


@pytest.mark.parametrize(("first", "second"), [(first, second) for first in FIRSTS for second in ("counter", "slip")])
def test_a_month_that_was_paid_already_goes_back_whoever_paid_first(ports, world, insured, first, second):
    person, (_, bill) = insured
    world.account(person)
    payer = FIRSTS[first](ports, world, person, bill)
    first_cleared = {name: fen for name, fen in world.balances().items() if name.startswith("clearing:")}

    if first == second == "slip":
        approve(ports, record(ports, [bill], serial="0200-99999999"))
    elif first == second:
        again = report([bill], serial="BOCSECOND1", taken_at=ports.now())
        assert counter_payments.take_payment(ports, way=COUNTER, report=again, raw=b"{}").state == "SURPLUS"
    else:
        FIRSTS[second](ports, world, person, bill)
    assert world.bill_states() == ["UNPAID", "PAID"]
    (surplus,) = [name for name in world.balances() if name.startswith("surplus:")]
    assert world.balances()[surplus] == bill.amount_fen
    return_surplus(ports)
    send_refunds(ports)
    pay_out(ports, way=COUNTER if second == "counter" else SLIP)

    left = {name: fen for name, fen in world.balances().items() if name.startswith(("clearing:", "surplus:", "refunding:"))}
    assert left == first_cleared
    # At the person's newest account: the one that whoever brought the money is told at.
    newest = world.scalar("SELECT id FROM accounts WHERE person_id = :p ORDER BY created_at DESC, id DESC LIMIT 1", p=person.id)
    heard = [t for (t,) in world.rows("SELECT template FROM messages WHERE account_id = :who ORDER BY id", who=newest)]
    assert heard[-2:] == ["payment.surplus", "refund.done"]
    if first == "phone":
        assert told(world, payer) == ["payment.succeeded", "payment.made_twice"]


def pay_out(ports, *, way):
    (due,) = counter_refunds.list_pay_outs(ports, way=way)
    if way == COUNTER:
        result = counter_refunds.RefundResult.PAID_OUT
        counter_refunds.report_pay_out(
            ports, way=way, refund_no=due.refund_no, result=result, serial="OUT00001", amount_fen=due.amount_fen, at=ports.now()
        )
        return
    paper = PayOutPaper(
        refund_no=due.refund_no, bank="ICBC", serial="0299-00000001", amount_fen=due.amount_fen, paid_on=date(2026, 11, 21)
    )
    approve(ports, counter_slips.record_pay_out(ports, paper=paper, by=FIRST))


def test_a_phone_that_pays_late_for_what_a_slip_paid_gets_its_money_back_and_is_told(ports, world, insured):
    person, (_, bill) = insured
    child, relation = world.payer_for(person)
    order = world.order_for(child, relation, [bill])
    slip = approve(ports, record(ports, [bill]))
    # The phone's order held the month, so the paper's money is the second.
    assert slip.payment_state == "SURPLUS"
    world.hear(world.paid_news(order, notice="W1"))
    world.settle()

    assert world.bill_states() == ["UNPAID", "PAID"]
    return_surplus(ports)
    assert [due.amount_fen for due in counter_refunds.list_pay_outs(ports, way=SLIP)] == [bill.amount_fen]


# --- what a bank pays out on paper


@pytest.fixture
def owed(ports, world, insured):
    """A slip of one fen too much: all of it goes back."""
    approve(ports, record(ports, insured[1], amount_fen=sum(bill.amount_fen for bill in insured[1]) + 1))
    return_surplus(ports)
    send_refunds(ports)
    (due,) = counter_refunds.list_pay_outs(ports, way=SLIP)
    return due


def out(due, **changes) -> PayOutPaper:
    given = {
        "refund_no": due.refund_no,
        "bank": "ICBC",
        "serial": "0299-1",
        "amount_fen": due.amount_fen,
        "paid_on": date(2026, 11, 21),
    }
    return PayOutPaper(**{**given, **changes})


def test_a_refund_of_slip_money_is_over_when_two_have_read_the_banks_paper(ports, world, owed):
    slip = counter_slips.record_pay_out(ports, paper=out(owed), by=FIRST)
    assert world.balances()[CLEARING] == owed.amount_fen
    with pytest.raises(SecondPersonRequired):
        approve(ports, slip, by=FIRST)

    approve(ports, slip)

    assert CLEARING not in world.balances()
    assert world.rows("SELECT state, provider_refund_no FROM refunds") == [("REFUNDED", "ICBC-0299-1")]
    assert counter_refunds.list_pay_outs(ports, way=SLIP) == []
    with pytest.raises(NoPayOutDue):
        counter_slips.record_pay_out(ports, paper=out(owed, serial="0299-2"), by=FIRST)


def test_a_pay_out_that_nobody_ordered_is_not_recorded(ports, owed):
    for changes, refusal in (
        ({"refund_no": "A" * 24}, NoPayOutDue), ({"amount_fen": 1}, NoPayOutDue), ({"bank": "CMB"}, BankNotListed),
        ({"serial": "x"}, SlipSerialMalformed), ({"paid_on": date(2026, 11, 22)}, SlipDayWrong),
    ):  # fmt: skip
        with pytest.raises(refusal):
            counter_slips.record_pay_out(ports, paper=out(owed, **changes), by=FIRST)


def test_one_refund_is_paid_out_by_one_paper(ports, owed):
    counter_slips.record_pay_out(ports, paper=out(owed), by=FIRST)
    with pytest.raises(SlipKnown):
        counter_slips.record_pay_out(ports, paper=out(owed, serial="0299-2"), by=SECOND)
