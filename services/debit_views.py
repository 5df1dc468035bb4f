"""Debits as people see them: what a bank is debiting under one's own agreement, and what the next run takes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from models.debits import UNDER_WAY, DebitInstruction, DebitRun
from models.enrollments import Enrollment, EnrollmentState
from models.withholding_agreements import AgreementState, WithholdingAgreement
from services.arrays import array
from services.debit_calendar import next_run
from services.debit_making import WANTED

if TYPE_CHECKING:
    import uuid
    from datetime import date

    from sqlalchemy.orm import Session

    from services.debit_calendar import Run
    from services.ports import Ports

TAKES = text(f"""
    SELECT coalesce(sum(b.amount_fen), 0)::bigint, coalesce(array_agg(DISTINCT b.coverage_month ORDER BY b.coverage_month), '{{}}')
    {WANTED} AND a.id = :id
""")


@dataclass(frozen=True, kw_only=True)
class NextDebit:
    """The next run that takes from this card, as far as is known today."""

    day: date
    amount_fen: int
    """What is owed today and would be taken: so much has to lie on the card. 0: nothing, as of now."""
    months: list[str]
    to_confirm: bool
    """以当地公布为准."""


@dataclass(frozen=True, kw_only=True)
class Debiting:
    """Where one agreement stands with its debits."""

    in_flight_fen: int
    """What a bank was told to debit and has not answered yet; 0: nothing is under way."""
    next: NextDebit | None
    """None: no run is known, or the agreement is not in force, or its bank debits nothing for us."""


def debiting_of(ports: Ports, session: Session, row: WithholdingAgreement) -> Debiting:
    """What is under way under an agreement, and what comes next."""
    return Debiting(in_flight_fen=in_flight_fen(session, row.id), next=_next(ports, session, row))


def in_flight_fen(session: Session, agreement_id: uuid.UUID) -> int:
    """What a bank has been told to debit under this agreement and has not ended."""
    wanted = select(func.coalesce(func.sum(DebitInstruction.amount_fen), 0)).where(
        DebitInstruction.agreement_id == agreement_id, DebitInstruction.state.in_(UNDER_WAY)
    )
    return int(session.scalar(wanted) or 0)


def _next(ports: Ports, session: Session, row: WithholdingAgreement) -> NextDebit | None:
    region = ports.rulebook.regions.get(row.region)
    way = way_of(ports, authority=row.authority, bank=row.bank)
    area = session.scalar(
        select(Enrollment.pooling_area).where(
            Enrollment.person_id == row.person_id,
            Enrollment.region == row.region,
            Enrollment.insurance_type == row.insurance_type,
            Enrollment.state == EnrollmentState.ACTIVE,
        )
    )
    if row.state != AgreementState.ACTIVE or row.financial_function_activated is False:
        return None
    if region is None or way is None or area is None:
        return None
    today = ports.today()
    is_made = session.get(DebitRun, (way, today)) is not None
    run = next_run(region, area, after_day=today if is_made else today - timedelta(days=1))
    if run is None:
        return None
    amount_fen, months = _takes(session, row, run)
    told = [f"{month // 100}-{month % 100:02d}" for month in months]
    return NextDebit(day=run.day, amount_fen=amount_fen, months=told, to_confirm=run.to_confirm)


def _takes(session: Session, row: WithholdingAgreement, run: Run) -> tuple[int, list[int]]:
    payable = [asdict(span) for span in run.payable]
    amount_fen, months = session.execute(
        TAKES,
        {
            "id": row.id,
            "region": row.region,
            "areas": array(run.areas),
            "insurances": array(span["insurance_type"] for span in payable),
            "kinds": array(str(span["kind"]) for span in payable),
            "firsts": array(span["first"] for span in payable),
            "lasts": array(span["last"] for span in payable),
        },
    ).one()
    return int(amount_fen), list(months)


def way_of(ports: Ports, *, authority: str, bank: str) -> str | None:
    """Which link debits agreements of this bank for this authority. No call is made."""
    return next((code for code, link in ports.partners.banks.items() if (link.authority, link.bank) == (authority, bank)), None)
