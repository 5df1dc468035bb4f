"""Slips: money over the counter of a bank that reports nothing; the paper comes to the office, where one copies it and another reads it again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from sqlalchemy import select, text

from jobs.simulation.clock import at
from jobs.simulation.town import CHANGZHOU, PENSION
from models.payments import Payment
from models.refunds import AT_THE_PROVIDER, Refund
from services.counter_slip_errors import SlipDiffers
from services.counter_slip_papers import PayOutPaper, SlipPaper
from services.counter_slips import approve_slip, record_pay_out, record_slip, reject_slip

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from jobs.simulation.month import Month
    from jobs.simulation.town import Resident

CLERK, CHIEF = "S1024", "S2048"
BANK: Final = "ICBC"
"""One of those that take cash and are no partner."""
PAYS_TWICE: Final = 0.08
DUE: Final = text("""
    SELECT b.coverage_month, sum(b.amount_fen)::bigint AS amount_fen FROM contribution_bills b
        JOIN enrollments e ON e.id = b.enrollment_id JOIN persons p ON p.id = e.person_id
    WHERE p.id_number_index = :index AND b.state = 'UNPAID' GROUP BY 1 ORDER BY 1
""")


@dataclass(frozen=True, kw_only=True)
class Printed:
    """What the bank's printer wrote."""

    paper: SlipPaper
    copied_wrongly: bool


class Slips:
    """Whoever pays at a bank that is no partner, and brings the paper."""

    name = "slip"
    shares: ClassVar[Mapping[str, int]] = {CHANGZHOU: 4}

    def plan_day(self, month: Month, day: date) -> None:
        for resident in month.of_way(self.name):
            dice = month.chances.of(self.name, "plan", resident.number)
            if month.drawn_day(dice, joins_on=resident.joins_on) == day:
                month.diary.at(at(day, dice.randrange(9, 16)), partial(self._pay, month, resident))
        self.plan_quiet_day(month, day)

    def plan_quiet_day(self, month: Month, day: date) -> None:
        """What goes back is given out over the counter, and a paper tells of that too."""
        month.diary.at(at(day, 16, 20), lambda: self._pay_out(month))

    def _merchant(self, month: Month, region: str) -> str:
        return next(each.merchant for _, each in sorted(month.place.ports.partners.slips.items()) if each.region == region)

    def _pay(self, month: Month, resident: Resident) -> None:
        ports, today = month.place.ports, month.place.clock.now().date()
        with ports.begin() as session:
            due = session.execute(DUE, {"index": ports.seals.index("id_number", resident.id_number)}).all()
        if not due:
            month.tally["nothing to pay"] += 1
            return
        dice = month.chances.of(self.name, resident.number)
        paper = SlipPaper(
            region=resident.region,
            bank=BANK,
            serial=f"SLIP-{resident.number:06d}",
            name=resident.name,
            id_number=resident.id_number,
            months=tuple(f"{row.coverage_month // 100}-{row.coverage_month % 100:02d}" for row in due),
            insurance_type=PENSION,
            amount_fen=sum(row.amount_fen for row in due),
            paid_on=today,
        )
        printed = [Printed(paper=paper, copied_wrongly=month.chances.goes_wrong(dice))]
        if dice.random() < PAYS_TWICE:
            # And once more at the next window: second money, which goes back over the counter.
            printed.append(Printed(paper=replace(paper, serial=f"{paper.serial}-2"), copied_wrongly=False))
            month.tally["second payments"] += 1
        for each in printed:
            month.place.street.ask("POST", "/slips", {
                "bank": BANK, "serial": each.paper.serial, "merchant": self._merchant(month, resident.region),
                "amount_fen": each.paper.amount_fen,
            })  # fmt: skip
            month.tally["orders"] += 1
            month.tally[f"paid by {self.name}"] += 1
        tomorrow = at(today + timedelta(days=1), 10, 20)
        month.diary.at(tomorrow, partial(self._copy, month, printed, tomorrow))

    def _copy(self, month: Month, printed: list[Printed], now: datetime) -> None:
        """The clerk copies each paper; an hour later the chief reads amount and serial again."""
        for each in printed:
            wrong = replace(each.paper, amount_fen=each.paper.amount_fen + 1_00) if each.copied_wrongly else each.paper
            slip_no = record_slip(month.place.ports, paper=wrong, by=CLERK).slip_no
            month.tally["fault slip copied wrongly"] += each.copied_wrongly
            month.diary.at(now + timedelta(hours=1), partial(self._approve, month, slip_no, each.paper))

    def _approve(self, month: Month, slip_no: str, paper: SlipPaper) -> None:
        ports = month.place.ports
        try:
            approve_slip(ports, slip_no=slip_no, amount_fen=paper.amount_fen, serial=paper.serial, by=CHIEF)
        except SlipDiffers:
            reject_slip(ports, slip_no=slip_no, by=CHIEF)
            again = record_slip(ports, paper=paper, by=CLERK).slip_no
            approve_slip(ports, slip_no=again, amount_fen=paper.amount_fen, serial=paper.serial, by=CHIEF)

    def _pay_out(self, month: Month) -> None:
        ports, today = month.place.ports, month.place.clock.now().date()
        with ports.begin() as session:
            waiting = session.execute(
                select(Refund.refund_no, Refund.amount_fen, Payment.merchant, Payment.provider_payment_no)
                .join(Payment, Payment.id == Refund.payment_id)
                .where(Refund.state.in_(AT_THE_PROVIDER), Payment.miniprogram.in_(list(ports.partners.slips)))
                .order_by(Refund.created_at, Refund.amount_fen)
            ).all()
        for refund_no, amount_fen, merchant, number in waiting:
            given = {"merchant": merchant, "number": number, "refund_no": refund_no, "amount_fen": amount_fen}
            month.place.street.ask("POST", "/slips/pay-outs", given)
            paper = PayOutPaper(refund_no=refund_no, bank=BANK, serial=f"OUT-{refund_no}", amount_fen=amount_fen, paid_on=today)
            slip_no = record_pay_out(ports, paper=paper, by=CLERK).slip_no
            approve_slip(ports, slip_no=slip_no, amount_fen=amount_fen, serial=paper.serial, by=CHIEF)
            month.tally["paid out"] += 1
