"""Debit batches as the console shows them: those of one's own banks, a batch's lines a page at a time, and what waits for a person.

Steps, all of them: they read, and whoever asks has the transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, true

from models.debits import UNDER_WAY, BankFileFault, BatchState, DebitBatch, DebitInstruction, FaultKind
from models.payments import Payment
from models.withholding_agreements import WithholdingAgreement
from services.debit_faults import NEXT_STEPS
from services.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date, datetime

    from sqlalchemy import ColumnElement, Row, Select
    from sqlalchemy.orm import Session

A_PAGE: Final = 50


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


@dataclass(frozen=True, kw_only=True)
class FaultView:
    """Something in an exchange with a bank that waited, or waits, for a person. Amounts in fen."""

    id: int
    way: str
    file_name: str
    kind: str
    line: int
    what: str
    batch_id: int | None
    seq: int | None
    amount_fen: int | None
    first_seen_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    words: str | None
    next_step: str


def list_batches(
    session: Session, *, ways: Collection[str] | None, is_open: bool = False, before: int | None = None, limit: int = A_PAGE
) -> tuple[list[BatchView], int | None]:
    """The newest first, and the id where the next page goes on. `ways`: the banks that may be seen; None: all."""
    wanted = _batches().where(_seen(ways, DebitBatch.way)).order_by(DebitBatch.id.desc()).limit(limit + 1)
    if is_open:
        wanted = wanted.where(DebitBatch.state != BatchState.ANSWERED)
    if before is not None:
        wanted = wanted.where(DebitBatch.id < before)
    rows = [_view(row) for row in session.execute(wanted)]
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def read_batch(session: Session, *, batch_id: int) -> BatchView:
    """Raises NotFound."""
    found = session.execute(_batches().where(DebitBatch.id == batch_id)).one_or_none()
    if found is None:
        raise NotFound
    return _view(found)


def way_of_batch(session: Session, *, batch_id: int) -> str:
    """Raises NotFound."""
    found = session.scalar(select(DebitBatch.way).where(DebitBatch.id == batch_id))
    if found is None:
        raise NotFound
    return found


def list_lines(
    session: Session, *, batch_id: int, state: str | None = None, after: int = 0, limit: int = A_PAGE
) -> tuple[list[LineView], int | None]:
    """A page of a batch's lines by their numbers, and the number where the next goes on. Of a card only its last digits."""
    each = DebitInstruction
    wanted = (
        select(each, Payment.payment_no, WithholdingAgreement.agreement_no, WithholdingAgreement.card_masked)
        .join(Payment, Payment.id == each.payment_id)
        .join(WithholdingAgreement, WithholdingAgreement.id == each.agreement_id)
        .where(each.batch_id == batch_id, each.seq > after, true() if state is None else each.state == state)
        .order_by(each.seq)
        .limit(limit + 1)
    )
    rows = [
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
        for row, payment_no, agreement_no, card_masked in session.execute(wanted)
    ]
    return rows[:limit], rows[limit - 1].seq if len(rows) > limit else None


def list_faults(
    session: Session, *, ways: Collection[str] | None, after: int | None = None, limit: int = A_PAGE
) -> tuple[list[FaultView], int | None]:
    """What nobody has resolved, the oldest first."""
    wanted = select(BankFileFault).where(BankFileFault.resolved_at.is_(None), _seen(ways, BankFileFault.way))
    if after is not None:
        wanted = wanted.where(BankFileFault.id > after)
    rows = [_fault(row) for row in session.scalars(wanted.order_by(BankFileFault.id).limit(limit + 1))]
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def count_faults(session: Session, *, ways: Collection[str] | None) -> int:
    wanted = select(func.count()).select_from(BankFileFault).where(BankFileFault.resolved_at.is_(None))
    return session.scalar(wanted.where(_seen(ways, BankFileFault.way))) or 0


def read_fault(session: Session, *, fault_id: int) -> FaultView:
    """Raises NotFound."""
    row = session.get(BankFileFault, fault_id)
    if row is None:
        raise NotFound
    return _fault(row)


def _batches() -> Select[DebitBatch, int, int, int, int]:
    line = DebitInstruction
    succeeded = line.state == "SUCCEEDED"
    # Counted batch by batch, for the few on a page: an index finds a batch's lines.
    counted = select(
        func.count().filter(succeeded).label("good"),
        func.coalesce(func.sum(line.amount_fen).filter(succeeded), 0).label("good_fen"),
        func.count().filter(line.state == "FAILED").label("bad"),
        func.count().filter(line.state.in_(UNDER_WAY)).label("left"),
    ).where(line.batch_id == DebitBatch.id)
    told = counted.lateral()
    return select(DebitBatch, told.c.good, told.c.good_fen, told.c.bad, told.c.left).join(told, true())


def _view(row: Row[DebitBatch, int, int, int, int]) -> BatchView:
    batch, good, good_fen, bad, left = row
    return BatchView(
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


def _fault(row: BankFileFault) -> FaultView:
    return FaultView(
        id=row.id,
        way=row.way,
        file_name=row.file_name,
        kind=row.kind,
        line=row.line,
        what=row.what,
        batch_id=row.batch_id,
        seq=row.seq,
        amount_fen=row.amount_fen,
        first_seen_at=row.first_seen_at,
        resolved_at=row.resolved_at,
        resolved_by=row.resolved_by,
        words=row.words,
        next_step=NEXT_STEPS[FaultKind(row.kind)],
    )


def _seen(ways: Collection[str] | None, column: object) -> ColumnElement[bool]:
    return true() if ways is None else column.in_(sorted(ways))  # type: ignore[attr-defined]
