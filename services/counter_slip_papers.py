"""What stands on a bank's paper slip, and whether it may be one: read once, by whoever copies it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from config.months import YearMonth
from models.bills import BillState, ContributionBill
from models.counters import CounterPayment
from models.enrollments import Enrollment
from services.agreement_errors import BankNotListed
from services.agreement_views import banks_of
from services.counter_slip_errors import SlipDayWrong, SlipKnown, SlipMonthsUnknown, SlipSerialMalformed, SlipsNotTaken

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from models.people import Person
    from services.ports import Ports

SERIAL: Final = re.compile(r"[0-9A-Z-]{4,40}")


@dataclass(frozen=True, kw_only=True)
class SlipPaper:
    """What the bank's paper says that somebody paid."""

    region: str
    bank: str
    serial: str
    name: str
    id_number: str
    months: tuple[str, ...]
    """As YYYY-MM."""
    insurance_type: str | None
    """None: every insurance that was due in those months."""
    amount_fen: int
    paid_on: date

    def __repr__(self) -> str:
        return f"SlipPaper({self.region}, {self.bank})"


@dataclass(frozen=True, kw_only=True)
class PayOutPaper:
    """What the bank's paper says that it gave back."""

    refund_no: str
    bank: str
    serial: str
    amount_fen: int
    paid_on: date


def way_of(ports: Ports, region: str) -> tuple[str, Region]:
    """The code of the region's slips, and the region. Raises SlipsNotTaken."""
    for code, slips in sorted(ports.partners.slips.items()):
        if slips.region == region and region in ports.rulebook.regions:
            return code, ports.rulebook.region(region)
    raise SlipsNotTaken


def refuse_paper(ports: Ports, region: Region, *, bank: str, paid_on: date) -> None:
    """Raises BankNotListed, SlipDayWrong."""
    if bank not in {each.code for each in banks_of(region, ports.today())}:
        raise BankNotListed
    if paid_on > ports.today():
        raise SlipDayWrong


def refuse_reported(ports: Ports, session: Session, *, bank: str, serial: str) -> None:
    """The bank told of this very money by itself: a paper of it is no second payment. Raises SlipKnown."""
    ways = [code for code, counter in ports.partners.counters.items() if counter.bank == bank]
    known = select(CounterPayment.id).where(
        CounterPayment.way.in_(ways), CounterPayment.serial == serial, CounterPayment.refusal.is_(None)
    )
    if session.scalar(known) is not None:
        raise SlipKnown


def read_serial(given: str) -> str:
    """In its one writing. Raises SlipSerialMalformed."""
    text = unicodedata.normalize("NFKC", given).strip().upper()
    if not SERIAL.fullmatch(text):
        raise SlipSerialMalformed
    return text


def bill_nos_of(session: Session, *, person: Person, authority: str, paper: SlipPaper) -> list[str]:
    """The bills of the paper's months, whatever became of them meanwhile: what is paid already sends its money back. Raises SlipMonthsUnknown."""
    try:
        months = {YearMonth.parse(month).number for month in paper.months}
    except ValueError:
        raise SlipMonthsUnknown from None
    wanted = (
        select(ContributionBill.bill_no, ContributionBill.coverage_month)
        .join(Enrollment, Enrollment.id == ContributionBill.enrollment_id)
        .where(
            Enrollment.person_id == person.id,
            ContributionBill.authority == authority,
            ContributionBill.coverage_month.in_(months),
            ContributionBill.state != BillState.VOID,
        )
        .order_by(ContributionBill.coverage_month, ContributionBill.id)
    )
    if paper.insurance_type is not None:
        wanted = wanted.where(ContributionBill.insurance_type == paper.insurance_type)
    rows = session.execute(wanted).all()
    if not months or {row.coverage_month for row in rows} != months:
        raise SlipMonthsUnknown
    return [row.bill_no for row in rows]
