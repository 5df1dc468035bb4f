"""Debit batches on their way: the file goes out, what is unclear is asked about, and nothing is ever sent under a second number.

Written first, then done: a killed sending is the same sending again, with the same bytes under the same name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from config.logs import logger
from config.seals import SealBroken
from models.debits import UNDER_WAY, BatchState, DebitBatch, DebitInstruction, DebitResult, FaultKind, InstructionState
from models.payments import Payment
from models.people import Person
from models.refunds import AT_THE_PROVIDER, Refund
from models.withholding_agreements import WithholdingAgreement
from providers.bank_files import AskedLine, BatchKey, DebitLine
from providers.protocols import NewsKind, PaymentNews, ProviderUnreachable
from services.debit_faults import note_fault
from services.debit_outcomes import end_failed
from services.debit_results import read_results
from services.inbox import receive
from services.personal_data import open_personal

if TYPE_CHECKING:
    import uuid

    from services.ports import Ports

log = logger(__name__)

WHO: Final = "send_debits"
ASK_AGAIN_AFTER: Final = tuple(timedelta(hours=hours) for hours in (1, 3, 12))
"""After an inquiry, the next; then twelve hours again and again."""
ASKED_IN_VAIN: Final = 3
"""So many inquiries without an end, and a person is told."""
COPIES_STAY: Final = timedelta(days=7)
"""Our own copies name people and their cards. They go as soon as the bank has told anything of the batch, and by now at the latest."""


def send_batches(ports: Ports, *, way: str) -> int:
    """Put every batch that is made where its bank takes it; answers how many. Raises ProviderUnreachable: the next sweep goes on."""
    with ports.begin() as session:
        made = session.scalars(
            select(DebitBatch.id).where(DebitBatch.way == way, DebitBatch.state == BatchState.MADE).order_by(DebitBatch.id)
        ).all()
    for batch_id in made:
        key, lines = _written(ports, way, batch_id)
        if lines:
            ports.debit_banks[way].send(key, lines)
        _mark_sent(ports, batch_id, any_lines=bool(lines))
    return len(made)


def _written(ports: Ports, way: str, batch_id: int) -> tuple[BatchKey, list[DebitLine]]:
    """The lines as the bank wants them. Cards and names are opened here and nowhere else; one that cannot be, or cannot be written,
    has failed before it was sent.
    """
    provider, now = ports.debit_banks[way], ports.now()
    good: list[DebitLine] = []
    bad: list[uuid.UUID] = []
    wanted = (
        select(DebitInstruction, WithholdingAgreement, Person, Payment.payment_no)
        .join(WithholdingAgreement, WithholdingAgreement.id == DebitInstruction.agreement_id)
        .join(Person, Person.id == WithholdingAgreement.person_id)
        .join(Payment, Payment.id == DebitInstruction.payment_id)
        .where(DebitInstruction.batch_id == batch_id, DebitInstruction.state == InstructionState.IN_FLIGHT)
        .order_by(DebitInstruction.seq)
    )
    with ports.begin() as session:
        batch = session.get_one(DebitBatch, batch_id)
        key = BatchKey(run_day=batch.run_day, number=batch.number)
        for row, agreement, person, payment_no in session.execute(wanted):
            try:
                card = open_personal(ports, session, agreement, "card_number", purpose="debit_file", who=WHO, now=now)
                told = open_personal(ports, session, person, "name", "id_number", purpose="debit_file", who=WHO, now=now)
            except SealBroken:
                bad.append(row.payment_id)
                continue
            line = DebitLine(
                seq=row.seq,
                account_number=card["card_number"],
                name=told["name"],
                id_number=told["id_number"],
                amount_fen=row.amount_fen,
                agreement_no=agreement.bank_agreement_no or agreement.agreement_no,
                payment_no=payment_no,
            )
            if provider.faults_of(line) is None:
                good.append(line)
            else:
                bad.append(row.payment_id)
    for payment_id in bad:
        _fail_unsent(ports, way, payment_id)
    return key, good


def _fail_unsent(ports: Ports, way: str, payment_id: uuid.UUID) -> None:
    """A line that never left the house: its bills are free again, and the news of it goes the way of all news."""
    now = ports.now()
    with ports.begin() as session:
        payment_no = session.get_one(Payment, payment_id).payment_no
    log.warning("debit.not_written", payment_no=payment_no)
    news = PaymentNews(
        notification_id=f"debit:{payment_no}:NOT_SENT", kind=NewsKind.CLOSED, payment_no=payment_no, happened_at=now
    )
    receive(ports, miniprogram=way, news=news, raw=None)
    with ports.begin() as session:
        row = session.scalars(select(DebitInstruction).where(DebitInstruction.payment_id == payment_id).with_for_update()).one()
        if row.state == InstructionState.IN_FLIGHT:
            row.fail(DebitResult.SYSTEM_ERROR, bank_code=None, who=WHO, at=now)
            end_failed(ports, session, row, now=now)


def _mark_sent(ports: Ports, batch_id: int, *, any_lines: bool) -> None:
    now = ports.now()
    with ports.begin() as session:
        batch = session.get_one(DebitBatch, batch_id, with_for_update=True)
        if batch.state != BatchState.MADE:
            return
        if any_lines:
            batch.send(who=WHO, at=now)
        else:
            batch.finish(who=WHO, at=now)
    log.info("debit_batch.sent", batch=batch_id)


@dataclass(frozen=True, kw_only=True)
class _Inquiry:
    """What a bank is asked about one batch."""

    batch_id: int
    key: BatchKey
    number: int
    lines: list[AskedLine]


def ask_banks(ports: Ports, *, way: str) -> int:
    """Ask about batches that ought to have ended; answers how many. Raises ProviderUnreachable: the next time is as good."""
    asked = 0
    while (inquiry := _claim(ports, way)) is not None:
        if ports.debit_banks[way].is_waiting(inquiry.key):
            # They have not even taken it: there is nobody to ask.
            _note(ports, way, inquiry, FaultKind.NOT_TAKEN)
            continue
        ports.debit_banks[way].ask(inquiry.key, inquiry.lines, inquiry=inquiry.number)
        asked += 1
        if inquiry.number > ASKED_IN_VAIN:
            _note(ports, way, inquiry, FaultKind.NO_ANSWER)
    return asked


def _claim(ports: Ports, way: str) -> _Inquiry | None:
    """Take one, and set its next inquiry first: if we die while asking, the next one comes anyway."""
    now = ports.now()
    with ports.begin() as session:
        batch = session.scalar(
            select(DebitBatch)
            .where(DebitBatch.way == way, DebitBatch.state == BatchState.SENT, DebitBatch.next_ask_at <= now)
            .order_by(DebitBatch.next_ask_at, DebitBatch.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if batch is None:
            return None
        rows = session.execute(
            select(DebitInstruction.seq, DebitInstruction.amount_fen, Payment.payment_no)
            .join(Payment, Payment.id == DebitInstruction.payment_id)
            .where(DebitInstruction.batch_id == batch.id, DebitInstruction.state.in_(UNDER_WAY))
            .order_by(DebitInstruction.seq)
        )
        lines = [AskedLine(seq=seq, amount_fen=fen, payment_no=number) for seq, fen, number in rows]
        batch.ask(again_at=now + ASK_AGAIN_AFTER[min(batch.asks, len(ASK_AGAIN_AFTER) - 1)])
        return _Inquiry(
            batch_id=batch.id, key=BatchKey(run_day=batch.run_day, number=batch.number), number=batch.asks, lines=lines
        )


def _note(ports: Ports, way: str, inquiry: _Inquiry, kind: FaultKind) -> None:
    key = inquiry.key
    with ports.begin() as session:
        note_fault(
            session,
            way=way,
            file_name=f"{key.run_day:%Y%m%d}_{key.number:04d}",
            kind=kind,
            batch_id=inquiry.batch_id,
            at=ports.now(),
        )


def put_away_answers(ports: Ports, *, way: str) -> int:
    """A bank's answers about refunds stay until the refund has ended, since whoever asks about it reads them; one that nobody can read is
    told to the staff. Answers how many went. Raises ProviderUnreachable.
    """
    answers, ended = ports.debit_banks[way].payout_answers(), set[str]()
    if not answers:
        return 0
    with ports.begin() as session:
        over = select(Refund.refund_no).where(
            Refund.refund_no.in_([each.refund_no for each in answers]), Refund.state.not_in(AT_THE_PROVIDER)
        )
        ended |= set(session.scalars(over))
        for each in answers:
            if each.damage is not None and each.refund_no not in ended:
                note_fault(
                    session,
                    way=way,
                    file_name=each.file_name,
                    digest=each.digest,
                    kind=FaultKind.FILE_DAMAGED,
                    line=each.damage.line,
                    what=each.damage.what,
                    at=ports.now(),
                )
    for each in answers:
        if each.refund_no in ended:
            ports.debit_banks[way].put_away(each.file_name)
    return len(ended)


def remove_copies(ports: Ports, *, way: str) -> int:
    """Our own copies of old batches leave the folder, whatever became of them. Raises ProviderUnreachable."""
    return ports.debit_banks[way].sweep(before=(ports.now() - COPIES_STAY).date())


def exchange(ports: Ports, *, way: str | None = None) -> int:
    """The sweep: send what is made, read what has come, ask about what has not; answers how many files. A bank that does not answer
    holds up nobody else's.
    """
    done = 0
    for each in [way] if way is not None else sorted(ports.debit_banks):
        try:
            done += send_batches(ports, way=each)
            done += read_results(ports, way=each)
            done += ask_banks(ports, way=each)
            done += put_away_answers(ports, way=each)
            done += remove_copies(ports, way=each)
        except ProviderUnreachable as fault:
            log.warning("bank.not_reached", way=each, fault=type(fault).__name__)
    return done
