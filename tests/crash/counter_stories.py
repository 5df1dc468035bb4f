"""Money at windows and bank counters, told for processes that may be killed anywhere on the way."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, Any

from models.identity import CounterDocument
from providers.protocols import NewsKind
from services import counter_orders
from services.counter_orders import NewCounterOrder
from services.errors import BusinessError
from tests.crash.stories import Stage, story
from tests.factories import POS, World, an_id_number

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
