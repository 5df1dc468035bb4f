"""WeChat and Alipay: people with a phone, each signed in through the real house, paying for themselves and for a parent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from jobs.simulation import house, office
from jobs.simulation.clock import at
from jobs.simulation.mishaps import CLOSING, ORDERING, REFUNDING, Mishap, drawn
from jobs.simulation.pocket import Phone, agree, take_out
from jobs.simulation.town import CHANGZHOU, XINJIANG
from services.bills import list_bills
from services.errors import BusinessError
from services.insured_persons import Named, add_insured_person
from services.orders import NewOrder, cancel_order, place_order, refresh_order

if TYPE_CHECKING:
    import random
    import uuid
    from collections.abc import Callable, Mapping
    from datetime import date, datetime

    from jobs.simulation.month import Month
    from jobs.simulation.town import Resident
    from services.order_views import OrderView

TRIES: Final = 3
EXPECTED: Final = frozenset({
    "BILL_RESERVED", "BILL_NOT_PAYABLE", "PAYMENT_REFUSED", "ORDER_CANNOT_BE_CANCELLED", "REQUEST_IN_FLIGHT", "DEBIT_IN_FLIGHT", "TOO_MANY_OPEN_ORDERS",
})  # fmt: skip
"""Refusals that such a month brings about; any other ends the simulation."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """Somebody takes the phone out to pay for somebody."""

    payer: Resident
    payee: Resident
    at: datetime
    number: int = 0
    """Of tries for the same months."""

    @property
    def words(self) -> tuple[object, ...]:
        """What its dice are named after."""
        return ("visit", self.payer.number, self.payee.number, self.number)


class Phones:
    """One platform's people."""

    name: ClassVar[str]
    platform: ClassVar[str]
    shares: ClassVar[Mapping[str, int]]

    def __init__(self) -> None:
        self._phones: dict[int, Phone] = {}

    def plan_day(self, month: Month, day: date) -> None:
        mine = month.of_way(self.name)
        for place, resident in enumerate(mine):
            dice = month.chances.of(self.name, "plan", resident.number)
            if month.drawn_day(dice, joins_on=resident.joins_on) != day:
                continue
            when, fate = at(day, dice.randrange(8, 22)), dice.random()
            neighbour = mine[(place + 1) % len(mine)]
            if fate < NEVER:
                month.tally["never pay"] += 1
                continue
            self._plan(month, Visit(payer=resident, payee=resident, at=when))
            if fate > 1 - FOR_PARENT and neighbour.joins_on <= day and neighbour.region == resident.region:
                self._plan(month, Visit(payer=resident, payee=neighbour, at=when))
                if fate > 1 - FOR_PARENT / 2:
                    # And the parent takes out the phone at the very same moment.
                    self._plan(month, Visit(payer=neighbour, payee=neighbour, at=when))

    def plan_quiet_day(self, month: Month, day: date) -> None:
        """Nobody pays any more."""

    def _plan(self, month: Month, visit: Visit) -> None:
        month.diary.at(visit.at, lambda: self._visit(month, visit))

    def _visit(self, month: Month, visit: Visit) -> None:
        dice = month.chances.of(self.name, *visit.words)
        phone = self._phones.get(visit.payer.number) or self._first_visit(month, visit.payer)
        order = self._order(month, phone, visit, dice)
        if order is None:
            return
        house.plan_sweeps(month, visit.at)
        mishap = drawn(month.chances, dice, tuple(each for each in ORDERING[self.platform] if not each.operation))
        deed, minutes = dice.random(), 28 if visit.payer is visit.payee else 8
        soon, late = visit.at + timedelta(minutes=3), visit.at + timedelta(minutes=minutes)
        if deed < ABANDONS:
            self._come_again(month, visit, dice)
        elif deed < ABANDONS + CANCELS:
            month.diary.at(soon, lambda: self._cancel(month, phone, order, dice))
            if dice.random() < HALF:
                month.diary.at(late, lambda: self._pay(month, phone, order, mishap))
            self._come_again(month, visit, dice)
        else:
            when = late if deed > 1 - PAYS_LATE else soon
            month.diary.at(when, lambda: self._pay(month, phone, order, mishap))
            if dice.random() < LOOKS:
                month.diary.at(when + timedelta(minutes=5), lambda: self._look(month, phone, order))
            self._come_again(month, visit, dice)
            self._maybe_a_case(month, order, when, dice)

    def _order(self, month: Month, phone: Phone, visit: Visit, dice: random.Random) -> OrderView | None:
        ports = month.place.ports
        payee = self._payee(month, phone, visit.payee)
        bills = [
            bill for bill in list_bills(ports, account=phone.account, insured_person_id=payee).bills if bill.payability.payable
        ]
        if not bills:
            month.tally["nothing to pay"] += 1
            return None
        mishap = drawn(month.chances, dice, tuple(each for each in ORDERING[self.platform] if each.operation))
        if mishap is not None:
            month.plant(mishap, app_id=phone.app_id)
        new = NewOrder(
            insured_person_id=payee,
            bill_nos=tuple(bill.bill_no for bill in bills),
            expected_amount_fen=sum(bill.amount_fen for bill in bills),
        )
        phone.orders += 1
        key = f"{phone.resident.number}-{phone.orders}"
        order = self._expecting(month, lambda: place_order(ports, account=phone.account, new=new, idempotency_key=key))
        if order is None:
            self._come_again(month, visit, dice)
            return None
        month.tally["orders"] += 1
        return order

    def _pay(self, month: Month, phone: Phone, order: OrderView, mishap: Mishap | None) -> None:
        ports = month.place.ports
        launch = order.launch or refresh_order(ports, account=phone.account, order_no=order.order_no).launch
        if launch is None:
            month.tally["not opened"] += 1
            return
        wishes = [] if mishap is None else [mishap.wish]
        if not month.place.street.open_cashier(self.platform, phone.app_id, phone.user_id, launch, faults=wishes):
            month.tally["cashier refused"] += 1
            return
        month.tally[f"paid by {self.name}"] += 1
        if mishap is None:
            return
        month.note(mishap, order.payment_no)
        if mishap.fault == "wrong_amount":
            # It will be sent back by itself, and that may go wrong too.
            dice = month.chances.of("its refund", phone.resident.number, phone.orders)
            month.plant(dice.choice(REFUNDING[self.platform]), app_id=phone.app_id, number=order.payment_no)

    def _cancel(self, month: Month, phone: Phone, order: OrderView, dice: random.Random) -> None:
        mishap = drawn(month.chances, dice, CLOSING[self.platform])
        if mishap is not None:
            month.plant(mishap, app_id=phone.app_id)
        ports = month.place.ports
        self._expecting(month, lambda: cancel_order(ports, account=phone.account, order_no=order.order_no))

    def _look(self, month: Month, phone: Phone, order: OrderView) -> None:
        refresh_order(month.place.ports, account=phone.account, order_no=order.order_no)

    def _come_again(self, month: Month, visit: Visit, dice: random.Random) -> None:
        """Whoever did not get through tries again two days later; whose months are paid by then finds nothing to pay."""
        when = visit.at + timedelta(days=2)
        again = Visit(payer=visit.payer, payee=visit.payee, at=when, number=visit.number + 1)
        if again.number < TRIES and when.date() <= month.last_day and dice.random() < PERSISTS:
            self._plan(month, again)

    def _maybe_a_case(self, month: Month, order: OrderView, paid_at: datetime, dice: random.Random) -> None:
        if dice.random() < CASES:
            office.plan_case(month, payment_no=order.payment_no, paid_at=paid_at, dice=dice)

    def _expecting(self, month: Month, act: Callable[[], OrderView]) -> OrderView | None:
        """Its refusals that belong to life are counted. Raises BusinessError for any other."""
        try:
            return act()
        except BusinessError as refusal:
            if refusal.code not in EXPECTED:
                raise
            month.tally[f"refused {refusal.code}"] += 1
            return None

    def _first_visit(self, month: Month, resident: Resident) -> Phone:
        phone = self._phones[resident.number] = take_out(month, resident, platform=self.platform)
        return phone

    def _payee(self, month: Month, phone: Phone, payee: Resident) -> uuid.UUID:
        if payee.number not in phone.payees:
            ports = month.place.ports
            agree(month, phone.account, "PROXY_PAYMENT")
            named = Named(name=payee.name, id_number=payee.id_number)
            added = add_insured_person(ports, account=phone.account, named=named, relation="父母", keep=True)
            phone.payees[payee.number] = added.id
        return phone.payees[payee.number]


NEVER: Final = 0.05
"""Of a hundred times these: shares of people and of orders."""
FOR_PARENT: Final = 0.12
ABANDONS: Final = 0.05
CANCELS: Final = 0.05
PAYS_LATE: Final = 0.06
HALF: Final = 0.5
LOOKS: Final = 0.5
PERSISTS: Final = 0.8
CASES: Final = 0.03


class WeChat(Phones):
    name = "wechat"
    platform = "wechat"
    shares: ClassVar[Mapping[str, int]] = {CHANGZHOU: 15, XINJIANG: 15}


class Alipay(Phones):
    name = "alipay"
    platform = "alipay"
    shares: ClassVar[Mapping[str, int]] = {CHANGZHOU: 25}
