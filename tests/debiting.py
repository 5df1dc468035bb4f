"""A house whose banks are the sandbox's, over folders: agreements are signed, runs are made, and the banks work when a test says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from config.clock import BEIJING
from config.months import YearMonth
from config.settings import load_settings
from models.bills import ContributionBill
from models.enrollments import Enrollment
from models.people import Person
from models.withholding_agreements import WithholdingAgreement
from providers.banks.build import build_banks
from sandbox.banks import Banks
from sandbox.store import Store
from sandbox.world import WORLD
from services.assessment import assess
from services.debit_files import exchange
from services.debit_making import make_debits
from services.refund_sending import return_surplus, send_refunds
from tests.factories import WECHAT, World
from tests.signing import a_signer, branch_signed, press

if TYPE_CHECKING:
    import uuid
    from pathlib import Path

    from models.accounts import Account
    from services.ports import Ports

WAY = "debit-boc-320400"
"""Delimited."""
UNIT = "320400001"
WAYS = (WAY, "debit-icbc-320400", "debit-icbc-650000")
RUN = datetime(2026, 11, 25, 10, 0, tzinfo=BEIJING)
"""The second run of the month, ten in the morning."""


def with_banks(ports: Ports, folder: Path) -> Ports:
    """The same house, with real bank adapters over folders below this one."""
    settings = load_settings({"CANBAO_STATE_DIR": str(folder)})
    # Three of fourteen: each costs every sweep a look.
    few = ports.partners.model_copy(update={"banks": {code: ports.partners.banks[code] for code in WAYS}})
    banks, money = build_banks(settings, few)
    return replace(ports, payments={**ports.payments, **money}, debit_banks=banks)


class DebitWorld(World):
    """People with agreements, and the banks across the street."""

    def __init__(self, ports: Ports, folder: Path) -> None:
        super().__init__(with_banks(ports, folder))
        self.store = Store(folder / "sandbox")
        self.banks = Banks(
            store=self.store, folder=folder / "banks", units=WORLD.bank_units, clock=lambda: self.ports.now().timestamp()
        )
        self.folder = folder / "banks"

    def at(self, moment: datetime) -> None:
        self.ports.clock.set(moment)  # type: ignore[attr-defined]

    def payer(self, *months: str, **paper: Any) -> tuple[Account, uuid.UUID, list[ContributionBill]]:
        """Somebody in Changzhou with an agreement of a branch, and bills of these months (this one, if none is named)."""
        account = a_signer(self, region="320400", miniprogram=WECHAT, agreed=(), tier="3")
        account, agreement_id = branch_signed(self, account, **paper)
        return account, agreement_id, self.bills_of(account, *months)

    def online_payer(self, **more: Any) -> tuple[Account, list[ContributionBill]]:
        """Somebody in Xinjiang who signed on the phone."""
        account = a_signer(self, declared_wage_fen=600_000, **more)
        press(self, account)
        return account, self.bills_of(account)

    def bills_of(self, account: Account, *months: str) -> list[ContributionBill]:
        for month in months or ("2026-11",):
            assess(self.ports, month=YearMonth.parse(month))
        with self.ports.begin() as session:
            found = session.scalars(
                select(ContributionBill)
                .join(Enrollment, Enrollment.id == ContributionBill.enrollment_id)
                .where(Enrollment.person_id == account.person_id)
                .order_by(ContributionBill.coverage_month, ContributionBill.id)
            ).all()
            session.expunge_all()
        return list(found)

    def rows_person(self, account: Account) -> Person:
        with self.ports.begin() as session:
            person = session.get_one(Person, account.person_id)
            session.expunge_all()
        return person

    def card(self, agreement_id: uuid.UUID) -> str:
        with self.ports.begin() as session:
            row = session.get_one(WithholdingAgreement, agreement_id)
            place = WithholdingAgreement.place_of("card_number_sealed", agreement_id)
            return self.ports.seals.open(row.card_number_sealed, place=place)

    def make(self) -> int:
        return make_debits(self.ports)

    def exchange(self) -> None:
        exchange(self.ports)
        self.settle()

    def run(self, *, file_fault: str | None = None) -> None:
        """A whole run: made, sent, worked through by the banks, read and booked."""
        self.make()
        self.exchange()
        self.banks.work(file_fault=file_fault)
        self.exchange()

    def later(self, **by: float) -> None:
        """Time goes by, and the sweeps with it."""
        self.ports.clock.move(**by)  # type: ignore[attr-defined]
        self.exchange()

    def refunds(self) -> None:
        """What is owed back is ordered, sent, answered and booked."""
        return_surplus(self.ports)
        send_refunds(self.ports)
        self.banks.work()
        self.ports.clock.move(minutes=2)  # type: ignore[attr-defined]
        send_refunds(self.ports)
        self.settle()

    def lines(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT state, result FROM debit_instructions ORDER BY batch_id, seq")

    def batches(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT way, number, state, lines FROM debit_batches ORDER BY id")

    def faults(self) -> list[str]:
        return [kind for (kind,) in self.rows("SELECT kind FROM bank_file_faults ORDER BY id")]

    def clearing(self) -> dict[str, int]:
        head = "clearing:bank_debit:"
        return {account.removeprefix("clearing:"): fen for account, fen in self.balances().items() if account.startswith(head)}

    def banks_money(self) -> dict[str, int]:
        return {account: fen for account, fen in self.banks.money().items() if fen}

    def templates(self, account: Account) -> list[str]:
        rows = self.rows("SELECT template FROM messages WHERE account_id = :id ORDER BY id", id=account.id)
        return [template for (template,) in rows]
