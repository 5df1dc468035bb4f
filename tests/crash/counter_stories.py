"""Money at windows and bank counters, told for processes that may be killed anywhere on the way."""

from __future__ import annotations

import contextlib
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from models.counters import CounterMeans
from models.identity import CounterDocument
from providers.protocols import NewsKind
from services import counter_orders, counter_payments, counter_refunds, counter_slips
from services.counter_orders import NewCounterOrder
from services.counter_payments import CounterReport
from services.counter_refunds import RefundResult
from services.counter_slip_errors import SlipKnown
from services.counter_slip_papers import PayOutPaper, SlipPaper
from services.errors import BusinessError
from services.refund_sending import return_surplus, send_refunds
from tests.crash.stories import Stage, story
from tests.factories import COUNTER, POS, SLIP, World, an_id_number

if TYPE_CHECKING:
    from services.counter_orders import CounterOrderView

CLERK = "S1024"
NUMBER = an_id_number(901)


def somebody_at_the_window(stage: Stage) -> World:
    """Half past eleven at night, so that the sweeps after a death see the day end."""
    stage.move(hours=13, minutes=30)
    world = World(stage.ports)
    person = world.person(id_number=NUMBER)
    bills = world.bills(world.enrollment(person))
    account = world.account(person)
    stage.cast |= {
        "payer": str(account.id),
        "person": str(person.id),
        "bills": [bill.bill_no for bill in bills],
        "total_fen": sum(bill.amount_fen for bill in bills),
    }
    return world


def make_order(stage: Stage) -> CounterOrderView:
    found = counter_orders.look_for(
        stage.ports, site="CHANGZHOU", name="张三丰", id_number=NUMBER, document=CounterDocument.ID_CARD, by=CLERK
    )
    new = NewCounterOrder(
        site="CHANGZHOU",
        document=CounterDocument.ID_CARD,
        person_id=uuid.UUID(stage.cast["person"]),
        bill_nos=tuple(stage.cast["bills"]),
        expected_amount_fen=sum(each.amount_fen for each in found.bills),
    )
    return counter_orders.make_counter_order(stage.ports, new=new, by=CLERK)


def put_card_in(stage: Stage, payment_no: str, *, way: str = POS) -> None:
    """UnionPay hears of the order now, and takes the money."""
    provider = stage.ports.payments[way]
    trade = {
        "code": way, "channel": provider.channel, "merchant": provider.merchant, "amount_fen": stage.cast["total_fen"], "paid_fen": 0,
        "refunded_fen": 0, "state": NewsKind.NOT_PAID,
    }  # fmt: skip

    def hear_of(known: dict[str, Any]) -> None:
        known["trades"].setdefault(payment_no, trade)

    stage.bank.change(hear_of)
    stage.pay(payment_no)


def the_clerk_comes_back(stage: Stage) -> None:
    """Finds the order in the list, or makes another where none was left."""
    with contextlib.suppress(BusinessError):
        make_order(stage)
    for order in counter_orders.list_counter_orders(stage.ports):
        put_card_in(stage, order.payment_no)
        counter_orders.ask_about_counter_order(stage.ports, payment_no=order.payment_no)


@story("somebody pays at a window", prepare=somebody_at_the_window, again=the_clerk_comes_back)
def paid_at_the_window(stage: Stage) -> None:
    order = make_order(stage)
    put_card_in(stage, order.payment_no)
    stage.hear()
    counter_orders.ask_about_counter_order(stage.ports, payment_no=order.payment_no)
    counter_orders.list_counter_orders(stage.ports)


@story("an order at a window is taken back", prepare=somebody_at_the_window, again=lambda _stage: None)
def taken_back_at_the_window(stage: Stage) -> None:
    order = make_order(stage)
    stage.move(minutes=2)
    counter_orders.withdraw_counter_order(stage.ports, payment_no=order.payment_no)


# At a bank's counter. The drawer is the bank's own truth; it asks and reports until it has been answered.


def somebody_at_the_bank(stage: Stage) -> World:
    world = somebody_at_the_window(stage)
    stage.cast |= {"serial": "BOCSERIAL0001", "month_is_paid": False}
    return world


def put_into_drawer(stage: Stage) -> None:
    provider = stage.ports.payments[COUNTER]
    trade = {
        "code": COUNTER, "channel": provider.channel, "merchant": provider.merchant, "amount_fen": stage.cast["total_fen"],
        "paid_fen": stage.cast["total_fen"], "refunded_fen": 0, "state": NewsKind.PAID, "at": stage.ports.now().isoformat(),
    }  # fmt: skip
    stage.bank.change(lambda known: known["trades"].setdefault(stage.cast["serial"], trade))


def report(stage: Stage) -> None:
    """With a nonce of its own each time, as the bank's machine would."""
    counter_payments.use_nonce(stage.ports, way=COUNTER, nonce=uuid.uuid4().hex)
    taken_at = datetime.fromisoformat(stage.bank.trades()[stage.cast["serial"]]["at"])
    told = CounterReport(
        serial=stage.cast["serial"], name="张三丰", id_number=NUMBER, bill_nos=tuple(stage.cast["bills"]),
        amount_fen=stage.cast["total_fen"], means=CounterMeans.CASH, site="0001", taken_at=taken_at, money_taken=True,
    )  # fmt: skip
    counter_payments.take_payment(stage.ports, way=COUNTER, report=told, raw=b"{}")


def fetch_and_pay_out(stage: Stage) -> None:
    """What the bank was asked to give back leaves the drawer once, and is told until it was heard."""
    for each in counter_refunds.list_pay_outs(stage.ports, way=COUNTER):

        def pay_out(
            known: dict[str, Any], number: str = each.refund_no, serial: str = each.serial, fen: int = each.amount_fen
        ) -> None:
            if known["refunds"].setdefault(number, fen) and not known.setdefault("paid_out", {}).get(number):
                known["paid_out"][number] = True
                known["trades"][serial]["refunded_fen"] += fen

        stage.bank.change(pay_out)
        counter_refunds.report_pay_out(
            stage.ports, way=COUNTER, refund_no=each.refund_no, result=RefundResult.PAID_OUT, serial=f"OUT{each.refund_no}",
            amount_fen=each.amount_fen, at=stage.ports.now(),
        )  # fmt: skip


def the_bank_goes_on(stage: Stage) -> None:
    put_into_drawer(stage)
    report(stage)
    return_surplus(stage.ports)
    send_refunds(stage.ports)
    fetch_and_pay_out(stage)


AT_THE_BANK = {"again": lambda _stage: None, "repair": the_bank_goes_on}


@story("somebody pays at a bank's counter", prepare=somebody_at_the_bank, **AT_THE_BANK)
def paid_at_the_bank(stage: Stage) -> None:
    counter_payments.query_bills(stage.ports, way=COUNTER, name="张三丰", id_number=NUMBER)
    put_into_drawer(stage)
    report(stage)
    counter_payments.read_payment(stage.ports, way=COUNTER, serial=stage.cast["serial"])


def a_month_that_was_paid_at_the_window(stage: Stage) -> None:
    somebody_at_the_bank(stage)
    order = make_order(stage)
    put_card_in(stage, order.payment_no)
    stage.hear()
    stage.settle()


@story("a bank's counter takes money for a month that is paid", prepare=a_month_that_was_paid_at_the_window, **AT_THE_BANK)
def paid_twice_at_the_bank(stage: Stage) -> None:
    the_bank_goes_on(stage)


# Paper slips: the staff come back to their list, and find what is left to do.

SLIP_SERIAL = "0200-77881234"


def work_on_slips(stage: Stage) -> None:
    """Whatever step is due, by two of the staff; done already, it does no harm."""
    months = ("2026-11",)
    paper = SlipPaper(
        region="320400", bank="ICBC", serial=SLIP_SERIAL, name="张三丰", id_number=NUMBER, months=months, insurance_type=None,
        amount_fen=stage.cast["slip_fen"], paid_on=stage.ports.today(),
    )  # fmt: skip
    with contextlib.suppress(SlipKnown):
        counter_slips.record_slip(stage.ports, paper=paper, by=CLERK)
    approve_what_waits(stage)


def approve_what_waits(stage: Stage) -> None:
    for slip in counter_slips.list_slips(stage.ports):
        if slip.kind == "PAYMENT" and slip.serial != SLIP_SERIAL:
            counter_slips.reject_slip(stage.ports, slip_no=slip.slip_no, by="S2048")
            continue
        if slip.kind == "PAYMENT":
            put_slip_into_drawer(stage)
        counter_slips.approve_slip(
            stage.ports, slip_no=slip.slip_no, amount_fen=slip.amount_fen, serial=slip.serial, by="S2048"
        )


def put_slip_into_drawer(stage: Stage) -> None:
    provider = stage.ports.payments[SLIP]
    trade = {
        "code": SLIP, "channel": provider.channel, "merchant": provider.merchant, "amount_fen": stage.cast["slip_fen"],
        "paid_fen": stage.cast["slip_fen"], "refunded_fen": 0, "state": NewsKind.PAID, "at": stage.ports.now().isoformat(),
    }  # fmt: skip
    stage.bank.change(lambda known: known["trades"].setdefault("slip", trade))


def pay_slips_out(stage: Stage) -> None:
    stage.settle()  # whoever died may have left the paper's money in the inbox, and staff pay out what is booked
    return_surplus(stage.ports)
    send_refunds(stage.ports)
    for each in counter_refunds.list_pay_outs(stage.ports, way=SLIP):
        stage.bank.change(lambda known, fen=each.amount_fen: known["trades"]["slip"].update(refunded_fen=fen))
        out = PayOutPaper(
            refund_no=each.refund_no, bank="ICBC", serial="0299-1", amount_fen=each.amount_fen, paid_on=stage.ports.today()
        )
        with contextlib.suppress(SlipKnown):
            counter_slips.record_pay_out(stage.ports, paper=out, by=CLERK)
    approve_what_waits(stage)


def work_and_pay_out(stage: Stage) -> None:
    work_on_slips(stage)
    pay_slips_out(stage)


def a_paper_of_the_months(stage: Stage) -> None:
    somebody_at_the_window(stage)
    stage.cast["slip_fen"] = stage.cast["total_fen"]


def a_paper_of_one_fen_too_much(stage: Stage) -> None:
    a_paper_of_the_months(stage)
    stage.cast["slip_fen"] += 1


@story("two of the staff book a slip", prepare=a_paper_of_the_months, again=lambda _stage: None, repair=work_on_slips)
def slip_booked(stage: Stage) -> None:
    work_on_slips(stage)


@story(
    "a slip of the wrong amount is paid out",
    prepare=a_paper_of_one_fen_too_much,
    again=lambda _stage: None,
    repair=work_and_pay_out,
)
def slip_paid_out(stage: Stage) -> None:
    work_and_pay_out(stage)


@story("a slip is sent back and recorded anew", prepare=a_paper_of_the_months, again=lambda _stage: None, repair=work_on_slips)
def slip_sent_back(stage: Stage) -> None:
    paper = SlipPaper(
        region="320400", bank="ICBC", serial="0200-1", name="张三丰", id_number=NUMBER, months=("2026-11",), insurance_type=None,
        amount_fen=1, paid_on=stage.ports.today(),
    )  # fmt: skip
    slip = counter_slips.record_slip(stage.ports, paper=paper, by=CLERK)
    counter_slips.reject_slip(stage.ports, slip_no=slip.slip_no, by="S2048")
    work_on_slips(stage)
