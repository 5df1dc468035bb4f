"""Cards at a window's terminal: a clerk finds the person, makes an order, and the terminal is given its number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from jobs.simulation import house, office
from jobs.simulation.clock import at
from jobs.simulation.mishaps import CLOSING, ORDERING, REFUNDING, Mishap, drawn
from jobs.simulation.town import CHANGZHOU
from models.identity import CounterDocument
from services.counter_orders import (
    NewCounterOrder,
    ask_about_counter_order,
    look_for,
    make_counter_order,
    withdraw_counter_order,
)
from services.errors import BusinessError

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping
    from datetime import date, datetime

    from config.settings import Pos as Terminal
    from jobs.simulation.month import Month
    from jobs.simulation.town import Resident
    from services.counter_orders import CounterOrderView

SITES: Final = {"320402": "TIANNING", "320404": "ZHONGLOU", "320411": "XINBEI"}
CLERK: Final = "S1024"
TRIES: Final = 3
EXPECTED: Final = frozenset({"BILL_RESERVED", "BILL_NOT_PAYABLE", "COUNTER_ORDER_WAITING", "COUNTER_ORDER_IN_DOUBT"})
DECLINED: Final = 0.06
WITHDRAWN: Final = 0.06
WALKS_AWAY: Final = 0.08
"""Of those who walk away, the card of half is put in on the next day, when their order has lapsed."""
ASKED: Final = 0.4
CASES: Final = 0.03
STRAYS: Final = 0.3
"""Of as many as a whole town has faults a day: cards under a number that nobody made."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """Somebody stands at a window."""

    resident: Resident
    at: datetime
    number: int = 0


class Pos:
    """The windows' terminals of UnionPay."""

    name = "pos"
    shares: ClassVar[Mapping[str, int]] = {CHANGZHOU: 12}

    def plan_day(self, month: Month, day: date) -> None:
        for resident in month.of_way(self.name):
            dice = month.chances.of(self.name, "plan", resident.number)
            if month.drawn_day(dice, joins_on=resident.joins_on) == day:
                self._plan(month, Visit(resident=resident, at=at(day, dice.randrange(9, 17))))
        dice = month.chances.of(self.name, "stray", day)
        if dice.random() < STRAYS * len(month.residents) / 1000 * month.chances.fault_percent / 100:
            month.diary.at(at(day, 11, 20), lambda: self._stray(month, dice))

    def plan_quiet_day(self, month: Month, day: date) -> None:
        """The windows are closed."""

    def _plan(self, month: Month, visit: Visit) -> None:
        month.diary.at(visit.at, lambda: self._visit(month, visit))

    def _terminal(self, month: Month, region: str) -> tuple[str, Terminal]:
        return next((code, pos) for code, pos in sorted(month.place.ports.partners.pos.items()) if pos.region == region)

    def _visit(self, month: Month, visit: Visit) -> None:
        dice = month.chances.of(self.name, visit.resident.number, visit.number)
        order = self._order(month, visit)
        if order is None:
            return
        house.plan_sweeps(month, visit.at)
        code, _ = self._terminal(month, visit.resident.region)
        mishap, deed = drawn(month.chances, dice, ORDERING["pos"]), dice.random()
        soon = visit.at + timedelta(minutes=3)
        if deed < WALKS_AWAY:
            if dice.random() * 2 < 1:
                tomorrow = at(visit.at.date() + timedelta(days=1), 17)
                month.diary.at(tomorrow, lambda: self._pay(month, visit, order, None))
            self._come_again(month, visit)
            return
        if deed < WALKS_AWAY + WITHDRAWN:
            month.diary.at(soon, lambda: self._withdraw(month, code, order, dice))
            self._come_again(month, visit)
            return
        if deed < WALKS_AWAY + WITHDRAWN + DECLINED:
            month.diary.at(visit.at, lambda: self._decline(month, visit, order))
        month.diary.at(soon, lambda: self._pay(month, visit, order, mishap))
        if dice.random() < ASKED:
            month.diary.at(soon + timedelta(minutes=5), lambda: self._ask(month, order))
        if dice.random() < CASES:
            office.plan_case(month, payment_no=order.payment_no, paid_at=visit.at, dice=dice)

    def _order(self, month: Month, visit: Visit) -> CounterOrderView | None:
        ports, resident = month.place.ports, visit.resident
        site, document = SITES[resident.area], CounterDocument.ID_CARD
        found = look_for(ports, site=site, name=resident.name, id_number=resident.id_number, document=document, by=CLERK)
        bills = [bill for bill in found.bills if not bill.is_reserved]
        if not bills:
            month.tally["nothing to pay"] += 1
            return None
        new = NewCounterOrder(
            site=site,
            document=document,
            person_id=found.person_id,
            bill_nos=tuple(bill.bill_no for bill in bills),
            expected_amount_fen=sum(bill.amount_fen for bill in bills),
        )
        try:
            order = make_counter_order(ports, new=new, by=CLERK)
        except BusinessError as refusal:
            self._count(month, refusal)
            return None
        month.tally["orders"] += 1
        return order

    def _pay(self, month: Month, visit: Visit, order: CounterOrderView, mishap: Mishap | None) -> None:
        code, terminal = self._terminal(month, visit.resident.region)
        wishes = [] if mishap is None else [mishap.wish]
        if not month.place.street.put_card_in(terminal.merchant, order.payment_no, order.amount_fen, faults=wishes):
            month.tally["cashier refused"] += 1
            return
        month.tally[f"paid by {self.name}"] += 1
        if mishap is None:
            return
        month.note(mishap, order.payment_no)
        if mishap.fault == "wrong_amount":
            dice = month.chances.of("its refund", self.name, visit.resident.number)
            month.plant(dice.choice(REFUNDING["pos"]), app_id=code, number=order.payment_no)

    def _decline(self, month: Month, visit: Visit, order: CounterOrderView) -> None:
        _, terminal = self._terminal(month, visit.resident.region)
        month.place.street.put_card_in(terminal.merchant, order.payment_no, order.amount_fen, outcome="decline")
        month.tally["cards declined"] += 1

    def _withdraw(self, month: Month, code: str, order: CounterOrderView, dice: random.Random) -> None:
        mishap = drawn(month.chances, dice, CLOSING["pos"])
        if mishap is not None:
            month.plant(mishap, app_id=code)
        try:
            withdraw_counter_order(month.place.ports, payment_no=order.payment_no)
        except BusinessError as refusal:
            self._count(month, refusal)

    def _ask(self, month: Month, order: CounterOrderView) -> None:
        ask_about_counter_order(month.place.ports, payment_no=order.payment_no)

    def _come_again(self, month: Month, visit: Visit) -> None:
        again = Visit(resident=visit.resident, at=visit.at + timedelta(days=1), number=visit.number + 1)
        if again.number < TRIES and again.at.date() <= month.last_day:
            self._plan(month, again)

    def _stray(self, month: Month, dice: random.Random) -> None:
        """A clerk mistyped: a card pays under a number that nobody made."""
        _, terminal = self._terminal(month, CHANGZHOU)
        number = month.place.clock.now().strftime("%Y%m%d%H%M%S") + "0000000000"
        month.place.street.put_card_in(terminal.merchant, number, dice.randrange(100_00, 900_00))
        month.tally["fault stray"] += 1

    def _count(self, month: Month, refusal: BusinessError) -> None:
        """Raises it, where it does not belong to life at a window."""
        if refusal.code not in EXPECTED:
            raise refusal
        month.tally[f"refused {refusal.code}"] += 1
