"""What follows for a person from a line that failed: why, and when the next run takes the same months."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from models.bills import ContributionBill
from models.enrollments import Enrollment
from models.messages import MessageKey
from models.orders import OrderLine, PaymentOrder
from models.payments import Payment
from services.debit_calendar import next_run, takes
from services.messages import tell

if TYPE_CHECKING:
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from models.debits import DebitInstruction
    from services.ports import Ports


def end_failed(ports: Ports, session: Session, row: DebitInstruction, *, now: datetime) -> None:
    """Tell whoever the order has for it, once: the line has just failed. Months that nobody debits again are said to be so."""
    order = session.scalars(select(PaymentOrder).join(Payment).where(Payment.id == row.payment_id)).one()
    if order.payer_account_id is None:
        return
    bills = session.execute(
        select(ContributionBill, Enrollment.pooling_area)
        .join(OrderLine, OrderLine.bill_id == ContributionBill.id)
        .join(Enrollment, Enrollment.id == ContributionBill.enrollment_id)
        .where(OrderLine.order_id == order.id)
        .order_by(ContributionBill.coverage_month)
    ).all()
    facts = {
        "amount_fen": row.amount_fen,
        "months": sorted({bill.coverage_month for bill, _ in bills}),
        "failure": str(row.result),
    }
    day = next_run_of(ports, [(bill, area) for bill, area in bills])
    if day is None:
        tell(session, account_id=order.payer_account_id, key=MessageKey.DEBIT_FAILED_LAST, facts=facts, at=now)
    else:
        facts["due_on"] = day.isoformat()
        tell(session, account_id=order.payer_account_id, key=MessageKey.DEBIT_FAILED, facts=facts, at=now)


def next_run_of(ports: Ports, bills: list[tuple[ContributionBill, str]]) -> date | None:
    """The day of the next run that takes all of these bills; None where none is known, or the region debits such months no more. Pure."""
    first, area = bills[0]
    region = ports.rulebook.regions.get(first.region)
    run = None if region is None else next_run(region, area, after_day=ports.today())
    if run is None:
        return None
    fits = all(
        takes(run, insurance_type=bill.insurance_type, kind=bill.kind, months=[bill.coverage_month]) for bill, _ in bills
    )
    return run.day if fits else None
