"""Debits as people and staff see them: what the next run takes of one's own card, and where each batch stands."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import case, func, select, text

from models.debits import UNDER_WAY, DebitBatch, DebitInstruction, DebitRun
from models.enrollments import Enrollment, EnrollmentState
from models.payments import Payment
from models.withholding_agreements import AgreementState, WithholdingAgreement
from services.arrays import array
from services.debit_calendar import next_run
from services.debit_making import WANTED
from services.errors import NotFound

if TYPE_CHECKING:
    import uuid
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from services.debit_calendar import Run
    from services.ports import Ports

MOST_LISTED: Final = 200
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


@dataclass(frozen=True, kw_only=True)
class BatchView:
    """One batch, as the staff see it. Amounts in fen."""

    id: int
    way: str
    run_day: date
    number: int
    state: str
    lines: int
    total_fen: int
    succeeded: int
    succeeded_fen: int
    failed: int
    under_way: int
    asks: int
    result_due_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class LineView:
    """One line, with nothing of its person but what a card's last digits tell."""

    seq: int
    payment_no: str
    agreement_no: str
    card_masked: str
    amount_fen: int
    state: str
    result: str | None
    bank_code: str | None
    bank_serial: str | None
    booked_on: date | None


def list_batches(session: Session, *, limit: int = MOST_LISTED) -> list[BatchView]:
    """The newest first."""
    return _batches(session, limit=limit)


def show_batch(session: Session, *, batch_id: int) -> tuple[BatchView, list[LineView]]:
    """One batch with all its lines. Raises NotFound."""
    found = _batches(session, batch_id=batch_id, limit=1)
    if not found:
        raise NotFound
    rows = session.execute(
        select(DebitInstruction, Payment.payment_no, WithholdingAgreement.agreement_no, WithholdingAgreement.card_masked)
        .join(Payment, Payment.id == DebitInstruction.payment_id)
        .join(WithholdingAgreement, WithholdingAgreement.id == DebitInstruction.agreement_id)
        .where(DebitInstruction.batch_id == batch_id)
        .order_by(DebitInstruction.seq)
    )
    lines = [
        LineView(
            seq=row.seq,
            payment_no=payment_no,
            agreement_no=agreement_no,
            card_masked=card_masked,
            amount_fen=row.amount_fen,
            state=row.state,
            result=row.result,
            bank_code=row.bank_code,
            bank_serial=row.bank_serial,
            booked_on=row.booked_on,
        )
        for row, payment_no, agreement_no, card_masked in rows
    ]
    return found[0], lines


def _batches(session: Session, *, limit: int, batch_id: int | None = None) -> list[BatchView]:
    each, line = DebitBatch, DebitInstruction
    succeeded, failed = line.state == "SUCCEEDED", line.state == "FAILED"
    wanted = (
        select(
            each,
            func.count(case((succeeded, 1))),
            func.coalesce(func.sum(case((succeeded, line.amount_fen))), 0),
            func.count(case((failed, 1))),
            func.count(case((line.state.in_(UNDER_WAY), 1))),
        )
        .outerjoin(line, line.batch_id == each.id)
        .group_by(each.id)
        .order_by(each.run_day.desc(), each.id.desc())
        .limit(limit)
    )
    if batch_id is not None:
        wanted = wanted.where(each.id == batch_id)
    return [
        BatchView(
            id=batch.id,
            way=batch.way,
            run_day=batch.run_day,
            number=batch.number,
            state=batch.state,
            lines=batch.lines,
            total_fen=batch.total_fen,
            succeeded=good,
            succeeded_fen=int(good_fen),
            failed=bad,
            under_way=left,
            asks=batch.asks,
            result_due_at=batch.result_due_at,
            sent_at=batch.sent_at,
        )
        for batch, good, good_fen, bad, left in session.execute(wanted)
    ]
