"""Debit runs: what a bank is told to debit on a day, line by line, what it said of each, and what in its files made no sense."""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Moves, Stateful, one_of


class BatchState(StrEnum):
    """MAKING → MADE → SENT → ANSWERED. Its number never changes, and nothing in it is ever sent under another one."""

    MAKING = "MAKING"
    """Lines are still being added; nothing of it has left the house."""
    MADE = "MADE"
    SENT = "SENT"
    """The file lies where the bank takes it, or the bank has it."""
    ANSWERED = "ANSWERED"
    """Every line has ended. What a bank says later of one of them is still heard."""


class InstructionState(StrEnum):
    """IN_FLIGHT → SUCCEEDED | FAILED, perhaps by way of UNKNOWN; a failure may turn out to have been a success."""

    IN_FLIGHT = "IN_FLIGHT"
    UNKNOWN = "UNKNOWN"
    """The bank does not know itself yet: it is asked, and its bills stay locked."""
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


_I, _B = InstructionState, BatchState
UNDER_WAY: Final = (InstructionState.IN_FLIGHT, InstructionState.UNKNOWN)
"""Not ended: the bank may still take the money."""


class DebitResult(StrEnum):
    """What a bank said of a line (domain §5.4)."""

    SUCCESS = "SUCCESS"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    ACCOUNT_FROZEN = "ACCOUNT_FROZEN"
    NAME_MISMATCH = "NAME_MISMATCH"
    AGREEMENT_INVALID = "AGREEMENT_INVALID"
    FINANCIAL_FUNCTION_INACTIVE = "FINANCIAL_FUNCTION_INACTIVE"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    BANK_TIMEOUT = "BANK_TIMEOUT"
    SYSTEM_ERROR = "SYSTEM_ERROR"
    """Theirs; or ours, where a line could not be written and was never sent."""


class FaultKind(StrEnum):
    """Why something in an exchange with a bank waits for a person. Nothing of it moved money."""

    FILE_DAMAGED = "FILE_DAMAGED"
    """Refused whole; `what` says the column or the sum."""
    BATCH_UNKNOWN = "BATCH_UNKNOWN"
    """A result for a batch that we never sent; refused whole."""
    LINE_UNKNOWN = "LINE_UNKNOWN"
    """A line that we never sent."""
    LINE_TWICE = "LINE_TWICE"
    """A second line for one of ours: in the same file, or with another serial of the bank."""
    OTHER_PAYMENT = "OTHER_PAYMENT"
    """The line names another payment than ours of that number: a result for another batch."""
    OTHER_AMOUNT = "OTHER_AMOUNT"
    """It failed, and for another amount than we asked for. A success for another amount is money, and is booked as such."""
    CODE_UNKNOWN = "CODE_UNKNOWN"
    CONTRADICTION = "CONTRADICTION"
    """They said that it succeeded, and now that it failed. The books keep the money."""
    NOT_TAKEN = "NOT_TAKEN"
    """It was time for the result, and our file still lies there."""
    NO_ANSWER = "NO_ANSWER"
    """Asked several times, and nothing came."""


class DebitRun(Base):
    """That the run of a day at a bank is made: nothing is added to it any more, however often somebody asks."""

    __tablename__ = "debit_runs"

    way: Mapped[str] = mapped_column(primary_key=True)
    run_day: Mapped[date] = mapped_column(primary_key=True)
    made_at: Mapped[datetime]


class DebitBatch(Stateful, Base):
    """One file of debits to one bank: (bank link, run day, number)."""

    __tablename__ = "debit_batches"
    __table_args__ = (
        one_of(BatchState),
        UniqueConstraint("way", "run_day", "number"),
        CheckConstraint("number BETWEEN 1 AND 9999", name="number_fits"),
        CheckConstraint("next_ask_at IS NULL OR state = 'SENT'", name="asked_while_sent"),
        Index(None, "next_ask_at", postgresql_where=text("next_ask_at IS NOT NULL")),
        Index("ix_debit_batches_open", "id", postgresql_where=text("state <> 'ANSWERED'")),
    )
    MOVES: ClassVar[Moves] = Moves(
        "debit_batch",
        {
            (_B.MAKING, _B.MADE): "debit_batch.made",
            (_B.MADE, _B.SENT): "debit_batch.sent",
            (_B.MADE, _B.ANSWERED): "debit_batch.nothing_to_send",
            (_B.SENT, _B.ANSWERED): "debit_batch.answered",
        },
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    way: Mapped[str]
    """The bank link's code in the partners file."""
    run_day: Mapped[date]
    number: Mapped[int]
    """From 1, on that day at that bank."""
    state: Mapped[str] = mapped_column(server_default=BatchState.MAKING)
    lines: Mapped[int] = mapped_column(server_default="0")
    total_fen: Mapped[int] = mapped_column(server_default="0")
    result_due_at: Mapped[datetime]
    """Until when the bank should have told: what it has not is asked about."""
    asks: Mapped[int] = mapped_column(server_default="0")
    next_ask_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    def count(self, *, lines: int, total_fen: int) -> None:
        """More lines stand in it."""
        self.lines, self.total_fen = self.lines + lines, self.total_fen + total_fen

    def close(self, *, who: str, at: datetime) -> None:
        """No line is added any more."""
        self._move(_B.MADE, who=who, at=at)

    def send(self, *, who: str, at: datetime) -> None:
        """The bank has it, or can have it."""
        self._move(_B.SENT, who=who, at=at)
        self.sent_at, self.next_ask_at = at, self.result_due_at

    def ask(self, *, again_at: datetime) -> None:
        """The bank is being asked about what has not ended."""
        self.asks, self.next_ask_at = self.asks + 1, again_at

    def ask_soon(self, *, seconds: int, now: datetime) -> None:
        """Something is unclear: not later than so many seconds from now."""
        at = now + timedelta(seconds=seconds)
        self.next_ask_at = at if self.next_ask_at is None else min(at, self.next_ask_at)

    def finish(self, *, who: str, at: datetime) -> None:
        """Every line has ended."""
        self._move(_B.ANSWERED, who=who, at=at)
        self.next_ask_at = None


class DebitInstruction(Stateful, Base):
    """One line of a batch: one person's bills of one insurance, in one order."""

    __tablename__ = "debit_instructions"
    __table_args__ = (
        one_of(InstructionState),
        one_of(DebitResult, "result"),
        UniqueConstraint("batch_id", "seq"),
        UniqueConstraint("payment_id"),
        CheckConstraint("amount_fen > 0 AND seq > 0", name="positive"),
        CheckConstraint(
            "state <> 'SUCCEEDED' OR (bank_serial IS NOT NULL AND booked_on IS NOT NULL)", name="success_has_serial"
        ),
        CheckConstraint("(state = 'IN_FLIGHT') = (result IS NULL)", name="result_when_told"),
        Index("ix_debit_instructions_under_way", "agreement_id", postgresql_where=text("state IN ('IN_FLIGHT', 'UNKNOWN')")),
        Index(None, "agreement_id"),
    )
    MOVES: ClassVar[Moves] = Moves(
        "debit_instruction",
        {
            (_I.IN_FLIGHT, _I.UNKNOWN): "debit.in_doubt",
            (_I.IN_FLIGHT, _I.SUCCEEDED): "debit.succeeded",
            (_I.IN_FLIGHT, _I.FAILED): "debit.failed",
            (_I.UNKNOWN, _I.SUCCEEDED): "debit.succeeded",
            (_I.UNKNOWN, _I.FAILED): "debit.failed",
            # They said that it had failed, and took the money all the same.
            (_I.FAILED, _I.SUCCEEDED): "debit.succeeded_after_all",
        },
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("debit_batches.id"))
    seq: Mapped[int]
    """The line's number in the batch, from 1."""
    payment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("payments.id"))
    agreement_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("withholding_agreements.id"))
    amount_fen: Mapped[int]
    state: Mapped[str] = mapped_column(server_default=InstructionState.IN_FLIGHT)
    result: Mapped[str | None]
    bank_code: Mapped[str | None]
    """The bank's own word for the result."""
    bank_serial: Mapped[str | None]
    booked_on: Mapped[date | None]
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY

    def doubt(self, *, bank_code: str, who: str, at: datetime) -> None:
        """The bank does not know yet."""
        self._move(_I.UNKNOWN, who=who, at=at)
        self.result, self.bank_code = DebitResult.BANK_TIMEOUT, bank_code

    def succeed(self, *, bank_code: str, bank_serial: str, booked_on: date, who: str, at: datetime) -> None:
        self._move(_I.SUCCEEDED, who=who, at=at)
        self.result, self.bank_code, self.bank_serial = DebitResult.SUCCESS, bank_code, bank_serial
        self.booked_on, self.ended_at = booked_on, at

    def fail(self, result: DebitResult, *, bank_code: str | None, who: str, at: datetime) -> None:
        """No money was taken, as far as the bank says."""
        self._move(_I.FAILED, who=who, at=at, why=f"debit.failed:{result}")
        self.result, self.bank_code, self.ended_at = result, bank_code, at


class BankFileState(StrEnum):
    READ = "READ"
    REFUSED = "REFUSED"


class BankFile(Base):
    """A result file that was read or refused. The same bytes under the same name are not read a second time."""

    __tablename__ = "bank_files"
    __table_args__ = (one_of(BankFileState), UniqueConstraint("way", "name", "digest"), Index(None, "read_at"))

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    way: Mapped[str]
    name: Mapped[str]
    digest: Mapped[bytes]
    """SHA-256."""
    state: Mapped[str]
    lines: Mapped[int]
    read_at: Mapped[datetime]


class BankFileFault(Base):
    """Something in an exchange with a bank that waits for a person; it stays until somebody has said what became of it."""

    __tablename__ = "bank_file_faults"
    __table_args__ = (
        one_of(FaultKind, "kind"),
        UniqueConstraint("way", "file_name", "digest", "line", "kind"),
        CheckConstraint("(resolved_at IS NULL) = (resolved_by IS NULL)", name="resolved_by_somebody"),
        Index("ix_bank_file_faults_open", "id", postgresql_where=text("resolved_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    way: Mapped[str]
    file_name: Mapped[str]
    digest: Mapped[bytes]
    kind: Mapped[str]
    line: Mapped[int]
    """Where it stood in the file, from 1; 0 is the file as a whole."""
    what: Mapped[str]
    """Which column or sum; never a value."""
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("debit_batches.id"))
    seq: Mapped[int | None]
    amount_fen: Mapped[int | None]
    """What the line said."""
    first_seen_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    words: Mapped[str | None]
    """What the staff found; nothing of a person."""

    def resolve(self, *, words: str, who: str, at: datetime) -> None:
        """Somebody has dealt with it, and says how."""
        self.resolved_at, self.resolved_by, self.words = at, who, words


class DebitReminder(Base):
    """That somebody was reminded of a debit run. Its key is the promise that nobody is reminded twice."""

    __tablename__ = "debit_reminders"
    __table_args__ = (Index(None, "created_at"),)

    agreement_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("withholding_agreements.id"), primary_key=True)
    run_day: Mapped[date] = mapped_column(primary_key=True)
    template: Mapped[str] = mapped_column(primary_key=True)
    """The MessageKey of the reminder: the early one, or the last one."""
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[datetime]
