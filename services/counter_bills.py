"""What somebody who stands at a counter may pay there: found by name and number, their unpaid months of one authority, oldest first.

No seal is opened for it: persons are found by the blind indexes of what their paper says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from config.months import YearMonth
from models.accounts import Account
from models.bills import BillKind, BillState, ContributionBill
from models.enrollments import Enrollment
from models.orders import OrderLine, PaymentOrder
from models.people import Person
from services.bills import insurance_name
from services.collection_dates import DueDate, due_date

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection, Sequence
    from datetime import date

    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from services.ports import Ports


@dataclass(frozen=True, kw_only=True)
class CounterBill:
    """One month, as it is told at a counter."""

    bill_no: str
    insurance_type: str
    insurance_name: str
    coverage_month: str
    kind: str
    amount_fen: int
    due: DueDate
    is_reserved: bool
    """Somebody is paying it elsewhere at this moment: it is shown, and cannot be paid here."""


@dataclass(frozen=True, kw_only=True)
class PersonsBills:
    """Masked: whoever asks holds the paper, and no screen needs to repeat it."""

    person_id: uuid.UUID
    name_masked: str
    id_number_masked: str
    bills: list[CounterBill]


Covered = tuple[ContributionBill, Enrollment]
"""A bill, and the enrolment that it is of."""


def find_person(ports: Ports, session: Session, *, name: str, id_number: str) -> Person | None:
    """Who has this name and this number, both in their one writing (services/people.py); None where either belongs to somebody else."""
    person = session.scalar(select(Person).where(Person.id_number_index == ports.seals.index("id_number", id_number)))
    if person is None or not ports.seals.same(bytes(person.name_index), ports.seals.index("name", name)):
        return None
    return person


def due_bills(session: Session, *, person_id: uuid.UUID, authority: str) -> list[Covered]:
    """Unpaid and reserved bills that this authority collects, the oldest month first."""
    query = (
        select(ContributionBill, Enrollment)
        .join(Enrollment, Enrollment.id == ContributionBill.enrollment_id)
        .where(
            Enrollment.person_id == person_id,
            ContributionBill.authority == authority,
            ContributionBill.state.in_((BillState.UNPAID, BillState.LOCKED)),
        )
        .order_by(ContributionBill.coverage_month, ContributionBill.insurance_type, ContributionBill.id)
    )
    return [(bill, enrollment) for bill, enrollment in session.execute(query)]


def lock_bills(session: Session, *, person_id: uuid.UUID, authority: str, bill_nos: Collection[str]) -> list[Covered]:
    """These bills, locked in the order of their ids, whatever their state. One that is not this person's and authority's is left out."""
    query = (
        select(ContributionBill, Enrollment)
        .join(Enrollment, Enrollment.id == ContributionBill.enrollment_id)
        .where(
            Enrollment.person_id == person_id,
            ContributionBill.authority == authority,
            ContributionBill.bill_no.in_(set(bill_nos)),
        )
        .order_by(ContributionBill.id)
        .with_for_update(of=ContributionBill)
    )
    return [(bill, enrollment) for bill, enrollment in session.execute(query)]


def is_covered(bill: ContributionBill, enrollment: Enrollment, *, today: date) -> bool:
    """Whether the month is still insured and has come. A counter takes what the phone no longer does: old months. Pure."""
    if enrollment.end_month is not None and bill.coverage_month >= enrollment.end_month:
        return False
    return bill.kind == BillKind.SUPPLEMENT or YearMonth.from_number(bill.coverage_month) <= YearMonth.of(today)


def told(rows: Sequence[Covered], *, region: Region, today: date) -> list[CounterBill]:
    """The months that a counter may name. Pure."""
    return [
        CounterBill(
            bill_no=bill.bill_no,
            insurance_type=bill.insurance_type,
            insurance_name=insurance_name(region, bill),
            coverage_month=str(YearMonth.from_number(bill.coverage_month)),
            kind=bill.kind,
            amount_fen=bill.amount_fen,
            due=due_date(
                region,
                pooling_area=enrollment.pooling_area,
                month=YearMonth.from_number(bill.coverage_month),
                kind=bill.kind,
            ),
            is_reserved=bill.state == BillState.LOCKED,
        )
        for bill, enrollment in rows
        if is_covered(bill, enrollment, today=today)
    ]


def holder_of(session: Session, bill_ids: Collection[int]) -> PaymentOrder | None:
    """An order that reserves one of these bills at this moment."""
    return session.scalar(
        select(PaymentOrder)
        .join(OrderLine, OrderLine.order_id == PaymentOrder.id)
        .where(OrderLine.bill_id.in_(bill_ids), OrderLine.live)
        .order_by(PaymentOrder.id)
        .limit(1)
    )


def own_account(session: Session, *, person_id: uuid.UUID) -> uuid.UUID | None:
    """The account where a person is told what became of money that they paid at a counter: their newest; None: they have none."""
    return session.scalar(
        select(Account.id)
        .where(Account.person_id == person_id, Account.closed_at.is_(None))
        .order_by(Account.created_at.desc(), Account.id.desc())
        .limit(1)
    )
