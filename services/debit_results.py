"""Result files: read whole or refused whole, each line judged, its news put into the inbox, and only then written down here.

So a killed reading is the same reading again: the file still lies there, the inbox knows each piece of news by its name, and a line that has
moved does not move twice.
"""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING, Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from config.clock import BEIJING
from config.logs import logger
from models.debits import (
    UNDER_WAY,
    BankFile,
    BankFileState,
    BatchState,
    DebitBatch,
    DebitInstruction,
    DebitResult,
    FaultKind,
    InstructionState,
)
from models.payments import Payment
from providers.bank_files import BankFileDamaged, BankResult
from providers.protocols import NewsKind, PaymentNews
from services.debit_faults import note_fault
from services.debit_outcomes import end_failed
from services.inbox import receive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from providers.bank_files import ResultFile, ResultLine
    from services.ports import Ports

log = logger(__name__)

WHO: Final = "read_debit_results"
ASK_SOON_AFTER_SECONDS: Final = 600
"""The bank said that it does not know: it is asked so much later."""


def read_results(ports: Ports, *, way: str) -> int:
    """Read what has arrived from a bank; answers how many files were read. Raises ProviderUnreachable: the next sweep goes on."""
    provider, done = ports.debit_banks[way], 0
    for name in provider.arrived():
        digest = provider.digest(name)
        known = _known(ports, way, name, digest)
        if known == BankFileState.REFUSED:
            continue  # it stays where it is until the bank writes it anew
        if known is None and not _read_one(ports, way, name, digest):
            continue
        provider.put_away(name)
        done += 1
    return done


def _known(ports: Ports, way: str, name: str, digest: bytes) -> str | None:
    with ports.begin() as session:
        return session.scalar(
            select(BankFile.state).where(BankFile.way == way, BankFile.name == name, BankFile.digest == digest)
        )


def _read_one(ports: Ports, way: str, name: str, digest: bytes) -> bool:
    """Whether it was read; one that was refused has its row, and a row for the staff."""
    provider = ports.debit_banks[way]
    try:
        file = provider.read(name)
    except BankFileDamaged as fault:
        _refuse(ports, way, name, digest, kind=FaultKind.FILE_DAMAGED, line=fault.line, what=fault.what)
        return False
    rows = _lines_of(ports, way, file)
    if rows is None:
        _refuse(ports, way, name, digest, kind=FaultKind.BATCH_UNKNOWN, line=1, what="batch")
        return False
    batch_id, held = rows
    judged = judge_file(file, held)
    for line, wrong in judged:
        if wrong is None and (news := _news(file, line, now=ports.now())) is not None:
            receive(ports, miniprogram=way, news=news, raw=line.raw)
    _write_down(ports, way, file, batch_id, judged)
    # They have told us of it, so they have it: our own copy names people and their cards.
    provider.take_back(file.batch)
    log.info("bank_file.read", way=way, file=name, lines=len(file.lines))
    return True


def _lines_of(ports: Ports, way: str, file: ResultFile) -> tuple[int, dict[int, tuple[DebitInstruction, str]]] | None:
    """The batch and its lines with their payment numbers; None where no such batch ever left the house."""
    with ports.begin() as session:
        batch = session.scalar(
            select(DebitBatch).where(
                DebitBatch.way == way,
                DebitBatch.run_day == file.batch.run_day,
                DebitBatch.number == file.batch.number,
                DebitBatch.state != BatchState.MAKING,
            )
        )
        if batch is None:
            return None
        held = _held(session, batch.id, [line.seq for line in file.lines])
        session.expunge_all()
        return batch.id, held


def _held(
    session: Session, batch_id: int, seqs: Sequence[int], *, lock: bool = False
) -> dict[int, tuple[DebitInstruction, str]]:
    wanted = (
        select(DebitInstruction, Payment.payment_no)
        .join(Payment, Payment.id == DebitInstruction.payment_id)
        .where(DebitInstruction.batch_id == batch_id, DebitInstruction.seq.in_(seqs))
        .order_by(DebitInstruction.seq)
    )
    rows = session.execute(wanted.with_for_update(of=DebitInstruction) if lock else wanted)
    return {row.seq: (row, payment_no) for row, payment_no in rows}


def judge_file(file: ResultFile, held: dict[int, tuple[DebitInstruction, str]]) -> list[tuple[ResultLine, FaultKind | None]]:
    """Each line, and what is wrong with it: None where it is to be used. Pure."""
    seen: set[int] = set()
    judged = []
    for line in file.lines:
        fault = FaultKind.LINE_TWICE if line.seq in seen else judge_line(line, held.get(line.seq))
        seen.add(line.seq)
        judged.append((line, fault))
    return judged


def judge_line(line: ResultLine, held: tuple[DebitInstruction, str] | None) -> FaultKind | None:
    """What is wrong with one line, by what we sent and what was told before. Pure."""
    if held is None:
        return FaultKind.LINE_UNKNOWN
    row, payment_no = held
    if line.payment_no != payment_no:
        return FaultKind.OTHER_PAYMENT
    if line.result is None:
        return FaultKind.CODE_UNKNOWN
    if line.result is BankResult.SUCCESS:
        told_before = row.state == InstructionState.SUCCEEDED and row.bank_serial != line.bank_serial
        return FaultKind.LINE_TWICE if told_before else None
    if line.amount_fen != row.amount_fen:
        return FaultKind.OTHER_AMOUNT
    if row.state == InstructionState.SUCCEEDED and line.result is not BankResult.BANK_TIMEOUT:
        return FaultKind.CONTRADICTION
    return None


def _news(file: ResultFile, line: ResultLine, *, now: datetime) -> PaymentNews | None:
    """A line as news of its payment; none of one that the bank itself does not know."""
    if line.result is None or line.result is BankResult.BANK_TIMEOUT:
        return None
    batch = f"{file.batch.run_day:%Y%m%d}-{file.batch.number}"
    paid = line.result is BankResult.SUCCESS
    return PaymentNews(
        notification_id=f"debit:{batch}:{line.seq}:{line.result}",
        kind=NewsKind.PAID if paid else NewsKind.CLOSED,
        payment_no=line.payment_no,
        provider_payment_no=line.bank_serial if paid else None,
        amount_fen=line.amount_fen if paid else None,
        happened_at=_booked_at(line, now=now),
    )


def _booked_at(line: ResultLine, *, now: datetime) -> datetime:
    """The booking day has no hour: the end of it, and never what is still to come."""
    if line.booked_on is None:
        return now
    return min(now, datetime.combine(line.booked_on, time(23, 59, 59), BEIJING))


def _write_down(
    ports: Ports, way: str, file: ResultFile, batch_id: int, judged: list[tuple[ResultLine, FaultKind | None]]
) -> None:
    """One transaction for the whole file: its lines, what waits for a person, and that it was read."""
    now = ports.now()
    with ports.begin() as session:
        batch = session.get_one(DebitBatch, batch_id, with_for_update=True)
        if batch.state == BatchState.MADE:
            batch.send(who=WHO, at=now)  # whoever sent it died before saying so
        held = _held(session, batch_id, [line.seq for line, _ in judged], lock=True)
        for line, fault in judged:
            if fault is None:
                _move(ports, session, batch, held[line.seq][0], line, now=now)
            else:
                note_fault(
                    session,
                    way=way,
                    file_name=file.name,
                    digest=file.digest,
                    kind=fault,
                    line=line.line,
                    what="code" if fault == FaultKind.CODE_UNKNOWN else "",
                    batch_id=batch_id,
                    seq=line.seq,
                    amount_fen=line.amount_fen,
                    at=now,
                )
        session.flush()
        left = select(DebitInstruction.id).where(DebitInstruction.batch_id == batch_id, DebitInstruction.state.in_(UNDER_WAY))
        if batch.state == BatchState.SENT and session.scalar(left.limit(1)) is None:
            batch.finish(who=WHO, at=now)
        _keep(session, way=way, name=file.name, digest=file.digest, state=BankFileState.READ, lines=len(judged), now=now)


def _move(ports: Ports, session: Session, batch: DebitBatch, row: DebitInstruction, line: ResultLine, *, now: datetime) -> None:
    """One line's own step. Told before, or overtaken meanwhile: nothing."""
    assert line.result is not None  # noqa: S101 - judge_line said so
    if line.result is BankResult.SUCCESS:
        if row.state != InstructionState.SUCCEEDED and line.bank_serial is not None and line.booked_on is not None:
            row.succeed(bank_code=line.code, bank_serial=line.bank_serial, booked_on=line.booked_on, who=WHO, at=now)
    elif line.result is BankResult.BANK_TIMEOUT:
        if row.state == InstructionState.IN_FLIGHT:
            row.doubt(bank_code=line.code, who=WHO, at=now)
            if batch.state == BatchState.SENT:
                batch.ask_soon(seconds=ASK_SOON_AFTER_SECONDS, now=now)
    elif row.is_under_way:
        row.fail(DebitResult(line.result), bank_code=line.code, who=WHO, at=now)
        end_failed(ports, session, row, now=now)


def _refuse(ports: Ports, way: str, name: str, digest: bytes, *, kind: FaultKind, line: int, what: str) -> None:
    now = ports.now()
    with ports.begin() as session:
        note_fault(session, way=way, file_name=name, digest=digest, kind=kind, line=line, what=what, at=now)
        _keep(session, way=way, name=name, digest=digest, state=BankFileState.REFUSED, lines=0, now=now)
    log.warning("bank_file.refused", way=way, file=name, kind=kind, line=line, what=what)


def _keep(session: Session, *, way: str, name: str, digest: bytes, state: BankFileState, lines: int, now: datetime) -> None:
    session.execute(
        insert(BankFile)
        .values(way=way, name=name, digest=digest, state=state, lines=lines, read_at=now)
        .on_conflict_do_nothing()
    )
