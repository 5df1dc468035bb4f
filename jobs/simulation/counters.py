"""Bank counters: a teller asks what somebody owes, takes the money and reports it, over the partner API; what goes back the bank pays out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from sqlalchemy import select

from jobs.simulation import office
from jobs.simulation.clock import at
from jobs.simulation.town import CHANGZHOU
from models.payments import Payment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from jobs.simulation.month import Month
    from jobs.simulation.town import Resident

FAULTS: Final = ("forged", "replayed", "skewed", "duplicate", "unanswered", "lost")
REFUSED: Final = frozenset({"BILL_RESERVED", "BILL_NOT_PAYABLE", "AMOUNT_CHANGED"})
"""Why a report may not fit: then nothing was taken."""
PAYS_TWICE: Final = 0.03
"""Comes again on the next day, and the bank cannot undo it: second money."""
NOT_REACHED: Final = 0.2
"""Of payouts: whose payee does not come at once."""
CASES: Final = 0.03
OK: Final = 200
PAYS_OUT_AT: Final = (10, 16)


@dataclass(frozen=True, kw_only=True)
class Visit:
    """Somebody stands at a counter."""

    resident: Resident
    at: datetime
    number: int = 0

    @property
    def serial(self) -> str:
        """The bank's number of what is paid at this visit."""
        return f"SIM-{self.resident.number:06d}-{self.number:02d}"


class Counters:
    """The counters of the banks that are partners."""

    name = "counter"
    shares: ClassVar[Mapping[str, int]] = {CHANGZHOU: 8}

    def plan_day(self, month: Month, day: date) -> None:
        for resident in month.of_way(self.name):
            dice = month.chances.of(self.name, "plan", resident.number)
            if month.drawn_day(dice, joins_on=resident.joins_on) == day:
                visit = Visit(resident=resident, at=at(day, dice.randrange(9, 16)))
                month.diary.at(visit.at, partial(self._visit, month, visit))
        self.plan_quiet_day(month, day)

    def plan_quiet_day(self, month: Month, day: date) -> None:
        """Banks pay out what is asked of them, every day."""
        for hour in PAYS_OUT_AT:
            month.diary.at(at(day, hour), partial(self._pay_out, month, day, hour))

    def _bank(self, month: Month, resident: Resident) -> str:
        banks = sorted(code for code, each in month.place.ports.partners.counters.items() if each.region == resident.region)
        return month.chances.of("bank", resident.number).choice(banks)

    def _ask(self, month: Month, bank: str, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return month.place.street.ask("POST", f"/counters/{bank}/{what}", body)

    def _visit(self, month: Month, visit: Visit) -> None:
        resident, bank = visit.resident, self._bank(month, visit.resident)
        person = {"name": resident.name, "id_number": resident.id_number}
        told = self._ask(month, bank, "queries", person)
        bills = [bill for bill in told["body"].get("bills", []) if bill["state"] == "PAYABLE"]
        if told["status"] != OK or not bills:
            month.tally["nothing to pay"] += 1
            return
        month.tally["orders"] += 1
        dice = month.chances.of(self.name, resident.number, visit.number)
        fault = dice.choice(FAULTS) if month.chances.goes_wrong(dice) else ""
        report = {
            **person,
            "serial": visit.serial,
            "bill_nos": [bill["bill_no"] for bill in bills],
            "amount_fen": sum(bill["amount_fen"] for bill in bills),
            "means": dice.choice(("CASH", "CARD")),
            "taken_at": month.place.clock.now().isoformat(timespec="seconds"),
        }
        self._report(month, bank, report, fault=fault)
        tomorrow = visit.at + timedelta(days=1)
        if fault == "lost":
            # In the drawer, and nobody told us: the bank finds it when it counts, and cannot undo it any more.
            month.diary.at(tomorrow, partial(self._report, month, bank, {**report, "money_taken": True}))
        elif dice.random() < PAYS_TWICE:
            again = {**report, "serial": f"{visit.serial}-2", "money_taken": True, "taken_at": tomorrow.isoformat()}
            month.diary.at(tomorrow, partial(self._report, month, bank, again))
            month.tally["second payments"] += 1
        if dice.random() < CASES:
            month.diary.at(tomorrow, partial(self._case, month, visit))

    def _report(self, month: Month, bank: str, report: Mapping[str, Any], *, fault: str = "") -> None:
        told = self._ask(month, bank, "payments", {**report, "fault": fault})
        if fault:
            month.tally[f"fault counter {fault}"] += 1
        if told["status"] == OK or fault == "lost":
            month.tally[f"paid by {self.name}"] += 1
            return
        code = str(told["body"].get("code"))
        if code not in REFUSED:
            raise RuntimeError(f"a counter's report was refused with {code}")
        month.tally[f"refused {code}"] += 1

    def _pay_out(self, month: Month, day: date, hour: int) -> None:
        for bank in sorted(month.place.ports.partners.counters):
            dice = month.chances.of("pay-out", bank, day, hour)
            result = "PAYEE_NOT_REACHED" if hour == PAYS_OUT_AT[0] and dice.random() < NOT_REACHED else "PAID_OUT"
            month.tally["paid out"] += len(self._ask(month, bank, "pay-outs", {"result": result})["refunds"])

    def _case(self, month: Month, visit: Visit) -> None:
        with month.place.ports.begin() as session:
            payment_no = session.scalar(select(Payment.payment_no).where(Payment.provider_payment_no == visit.serial))
        if payment_no is not None:
            dice = month.chances.of(self.name, "case", visit.resident.number)
            office.plan_case(month, payment_no=payment_no, paid_at=visit.at + timedelta(days=1), dice=dice)
