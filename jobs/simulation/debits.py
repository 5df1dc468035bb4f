"""Bank debits: agreements signed on the phone in Xinjiang, and recorded by two of the staff where a branch in Changzhou signed them.

Nobody of these pays by themselves: on the calendar's days the house makes its batches, the banks across the street work through them, and
tell what came of it.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from sqlalchemy import text

from jobs.simulation import office
from jobs.simulation.clock import at
from jobs.simulation.pocket import agree, open_to_read, take_out
from jobs.simulation.town import CHANGZHOU, PENSION, XINJIANG
from services.branch_agreements import SignedPaper, confirm, record
from services.debit_calendar import runs
from services.debit_faults import open_faults, resolve_fault
from services.debit_files import exchange
from services.debit_making import make_debits
from services.debit_reminders import remind_of_debits
from services.withholding_agreements import NewAgreement, sign

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from jobs.simulation.month import Month
    from jobs.simulation.pocket import Phone
    from jobs.simulation.town import Resident

LINE_FAULTS: Final = (
    "insufficient",
    "frozen",
    "name_mismatch",
    "agreement_invalid",
    "inactive",
    "limit",
    "timeout",
    "system_error",
)
FILE_FAULTS: Final = (
    "wrong_total",
    "missing_flag",
    "unknown_line",
    "duplicate_line",
    "other_batch",
    "partial",
    "late",
    "damaged",
)
CLERK, CHIEF = "S1024", "S2048"
CASES: Final = 0.03
PHONES_MEANWHILE: Final = 0.1
"""Of those with a phone: who tries to pay what is being debited."""
READING: Final = timedelta(minutes=5)
BANKS_WORK_AT: Final = ((11, 0), (13, 30), (19, 0))
EXCHANGES_AT: Final = ((9, 20), (12, 0), (14, 0), (17, 45), (21, 0))
STAYS_AWAKE: Final = timedelta(days=2)
"""After a batch was made: a bank may tell a thing twice."""
UNDER_WAY: Final = text("SELECT count(*) FROM debit_batches WHERE state <> 'ANSWERED' OR created_at > :since")
DEBITED: Final = text("""
    SELECT p.payment_no FROM debit_instructions i JOIN payments p ON p.id = i.payment_id
        JOIN withholding_agreements a ON a.id = i.agreement_id
    WHERE a.agreement_no = :agreement_no AND i.state = 'SUCCEEDED' ORDER BY i.created_at LIMIT 1
""")


class Debits:
    """One region's agreements. What banks and files do is planned once, by whichever comes first."""

    name: ClassVar[str]
    region: ClassVar[str]
    shares: ClassVar[Mapping[str, int]]

    def __init__(self) -> None:
        self._agreements: dict[int, str] = {}

    def plan_day(self, month: Month, day: date) -> None:
        for resident in month.of_way(self.name):
            if resident.joins_on == day:
                month.diary.at(at(day, 8), partial(self.sign, month, resident))
        if self._is_run_day(month, day):
            month.diary.at(at(day, 8, 30), partial(self._spoil_cards, month, day))
        self.plan_quiet_day(month, day)

    def plan_quiet_day(self, month: Month, day: date) -> None:
        """What goes on without anybody: the banks, and whatever they have not told yet."""
        month.diary.once_at(at(day, 9, 10), "make debits", lambda: self._make(month))
        month.diary.once_at(at(day, 9, 23), "remind of debits", lambda: remind_of_debits(month.place.ports))
        for hour, minute in BANKS_WORK_AT:
            month.diary.once_at(at(day, hour, minute), "banks", partial(self._let_banks_work, month, day, hour))
        for hour, minute in EXCHANGES_AT:
            month.diary.once_at(at(day, hour, minute), "exchange", lambda: self._exchange(month))
        month.diary.once_at(at(day, 16, 30), "bank faults", lambda: self._read_faults(month))
        if self._is_run_day(month, day - timedelta(days=2)):
            month.diary.at(at(day, 10), partial(self._cases, month, day))

    def sign(self, month: Month, resident: Resident) -> None:
        """Make the agreement."""
        raise NotImplementedError

    def signed(self, month: Month, resident: Resident, agreement_no: str) -> None:
        self._agreements[resident.number] = agreement_no
        month.tally[f"agreements {self.name}"] += 1

    def bank_of(self, month: Month, resident: Resident) -> str:
        """One of those that debit for the region."""
        authority = month.place.ports.rulebook.region(resident.region).authority
        banks = sorted(each.bank for each in month.place.ports.partners.banks.values() if each.authority == authority)
        return month.chances.of("bank", resident.number).choice(banks)

    def _is_run_day(self, month: Month, day: date) -> bool:
        return bool(runs(month.place.ports.rulebook.region(self.region), first=day, last=day))

    def _spoil_cards(self, month: Month, day: date) -> None:
        """On a run's day some cards are not as they should be; on the next one they are, or others are not."""
        for resident in month.of_way(self.name):
            dice = month.chances.of("card", resident.number, day)
            state = dice.choice(LINE_FAULTS) if month.chances.goes_wrong(dice) else ""
            if resident.number in self._agreements:
                month.place.street.bank_account(resident.bank_card, state)
                month.tally[f"fault card {state}"] += bool(state)

    def _make(self, month: Month) -> None:
        made = make_debits(month.place.ports)
        month.tally["debit lines"] += made
        month.tally["orders"] += made

    def _exchange(self, month: Month) -> None:
        with month.place.ports.begin() as session:
            is_under_way = session.scalar(UNDER_WAY, {"since": month.place.clock.now() - STAYS_AWAKE})
        if is_under_way:
            exchange(month.place.ports)

    def _let_banks_work(self, month: Month, day: date, hour: int) -> None:
        dice = month.chances.of("banks", day, hour)
        fault = dice.choice(FILE_FAULTS) if month.chances.goes_wrong(dice) else None
        month.place.street.let_banks_work(fault)
        if fault is not None:
            month.tally[f"fault file {fault}"] += 1

    def _read_faults(self, month: Month) -> None:
        """The clerk calls the bank about each, and writes down what they said."""
        with month.place.ports.begin() as session:
            faults = open_faults(session, limit=10_000)
        for fault in faults:
            resolve_fault(month.place.ports, fault_id=fault.id, words="已与银行核实", who=f"staff:{CLERK}")
            month.tally[f"bank fault {fault.kind}"] += 1

    def _cases(self, month: Month, day: date) -> None:
        """Some of those who were debited want it back."""
        for number, agreement_no in sorted(self._agreements.items()):
            dice = month.chances.of("debit case", number, day)
            if dice.random() >= CASES:
                continue
            with month.place.ports.begin() as session:
                payment_no = session.scalar(DEBITED, {"agreement_no": agreement_no})
            if payment_no is not None:
                office.plan_case(month, payment_no=payment_no, paid_at=month.place.clock.now(), dice=dice)


class BranchDebits(Debits):
    """Changzhou: signed at a branch of the bank, and recorded from its paper (R-CZ-40)."""

    name = "branch-debit"
    region = CHANGZHOU
    shares: ClassVar[Mapping[str, int]] = {CHANGZHOU: 13}

    def sign(self, month: Month, resident: Resident) -> None:
        paper = SignedPaper(
            region=resident.region,
            insurance_type=PENSION,
            name=resident.name,
            id_number=resident.id_number,
            bank=self.bank_of(month, resident),
            card_number=resident.bank_card,
            bank_agreement_no=f"B{resident.number:08d}",
            financial_function_activated=True,
            signed_on=month.place.clock.now().date() - timedelta(days=1),
        )
        ports = month.place.ports
        recorded = record(ports, paper=paper, by=CLERK)
        confirm(ports, agreement_no=recorded.agreement_no, card_number=resident.bank_card, by=CHIEF)
        self.signed(month, resident, recorded.agreement_no)


class OnlineDebits(Debits):
    """Xinjiang: signed on the phone with one's own card (R-XJ-22)."""

    name = "online-debit"
    region = XINJIANG
    shares: ClassVar[Mapping[str, int]] = {XINJIANG: 12}

    def sign(self, month: Month, resident: Resident) -> None:
        phone = take_out(month, resident, platform="wechat")
        agree(month, phone.account, "BANK_ACCOUNT")
        open_to_read(month, phone.account, "WITHHOLDING")
        month.diary.at(month.place.clock.now() + READING, partial(self._press, month, phone))

    def _press(self, month: Month, phone: Phone) -> None:
        resident = phone.resident
        agree(month, phone.account, "WITHHOLDING")
        new = NewAgreement(
            region=resident.region,
            insurance_type=PENSION,
            name=resident.name,
            id_number=resident.id_number,
            bank=self.bank_of(month, resident),
            card_number=resident.bank_card,
            phone=resident.phone,
        )
        told = sign(month.place.ports, account=phone.account, new=new, idempotency_key=f"sign-{resident.number}")
        self.signed(month, resident, told.agreement_no)
