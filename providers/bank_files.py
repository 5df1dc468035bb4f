"""Debits by file: what the house asks of a bank that takes its orders and tells its results in files.

Nothing is answered at once. A file goes out, and some hours later one or several come back; what they say is told line by line, by (batch,
line). A batch keeps its number for ever: whatever is unclear is asked about under it, and never sent again under another.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from providers.protocols import ProviderError

if TYPE_CHECKING:
    from datetime import date

    from providers.protocols import Channel


class BankFileDamaged(ProviderError):
    """The file is not what was agreed; nothing in it may be used. `line` counts from 1, 0 is the file as a whole.

    `what` names a column or a fault, never a value.
    """

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line
        self.what = what


class BankResult(StrEnum):
    """What a bank says of one line, in the house's words (domain §5.4)."""

    SUCCESS = "SUCCESS"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    ACCOUNT_FROZEN = "ACCOUNT_FROZEN"
    NAME_MISMATCH = "NAME_MISMATCH"
    AGREEMENT_INVALID = "AGREEMENT_INVALID"
    FINANCIAL_FUNCTION_INACTIVE = "FINANCIAL_FUNCTION_INACTIVE"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    BANK_TIMEOUT = "BANK_TIMEOUT"
    """They do not know themselves yet: the only one of these that ends nothing."""
    SYSTEM_ERROR = "SYSTEM_ERROR"


@dataclass(frozen=True, kw_only=True)
class BatchKey:
    """A batch as both sides name it, together with the unit."""

    run_day: date
    number: int
    """From 1, on that day at that bank."""


@dataclass(frozen=True, kw_only=True)
class DebitLine:
    """One debit that is ordered. Its repr tells nothing of the person."""

    seq: int
    account_number: str
    name: str
    id_number: str
    amount_fen: int
    agreement_no: str
    """The bank's own number of the agreement, or ours where it has said none."""
    payment_no: str
    """Comes back in the result, and tells a line of another batch."""

    def __repr__(self) -> str:
        return f"DebitLine({self.seq})"


@dataclass(frozen=True, kw_only=True)
class AskedLine:
    """One line that is asked about."""

    seq: int
    amount_fen: int
    payment_no: str


@dataclass(frozen=True, kw_only=True)
class ResultLine:
    """What a result file says of one line. Nothing of the person is in it."""

    line: int
    """Where it stood, from 1."""
    seq: int
    amount_fen: int
    code: str
    """The bank's own."""
    result: BankResult | None
    """None: a code that the bank's list does not have."""
    bank_serial: str | None
    """The bank's number of the debit; there with every success."""
    booked_on: date | None
    payment_no: str
    raw: bytes
    """The line as it came, for evidence."""


@dataclass(frozen=True, kw_only=True)
class ResultFile:
    """A result file that is whole: its own counts and sums agree."""

    name: str
    digest: bytes
    """SHA-256 of its bytes."""
    batch: BatchKey
    part: int
    lines: tuple[ResultLine, ...]


@dataclass(frozen=True, kw_only=True)
class PayoutAnswer:
    """That a bank has answered a refund: who asks about the refund reads what it says."""

    refund_no: str
    file_name: str
    digest: bytes
    """SHA-256 of its bytes."""
    damage: BankFileDamaged | None
    """Why nobody can read it; None: it is whole."""


class DebitProvider(Protocol):
    """One unit of ours at one bank, for one collection authority."""

    channel: Channel
    merchant: str
    """Our unit number there."""
    authority: str
    bank: str
    """The code in the region's banks.yaml: whose agreements it debits."""
    line_limit_fen: int | None
    """The most that one line may take; None: no limit of the bank's."""
    most_lines: int
    """The most that one batch may have."""

    def faults_of(self, line: DebitLine) -> str | None:
        """Which column of this line cannot be written in the bank's file; None where all can. No call is made."""

    def send(self, batch: BatchKey, lines: list[DebitLine]) -> None:
        """Put a batch where the bank takes it; again, with the same lines, changes nothing. Raises ProviderUnreachable."""

    def ask(self, batch: BatchKey, lines: list[AskedLine], *, inquiry: int) -> None:
        """Ask what became of these lines. `inquiry`: which one about this batch, from 1. Raises ProviderUnreachable."""

    def arrived(self) -> list[str]:
        """The names of result files that are there whole, oldest name first. Raises ProviderUnreachable."""

    def digest(self, name: str) -> bytes:
        """SHA-256 of a file that has arrived. Raises ProviderUnreachable."""

    def read(self, name: str) -> ResultFile:
        """Raises BankFileDamaged (then nothing in it may be used), ProviderUnreachable."""

    def put_away(self, name: str) -> None:
        """What was read is needed no longer. Raises ProviderUnreachable."""

    def is_waiting(self, batch: BatchKey) -> bool:
        """Whether our batch still lies where the bank takes it. Raises ProviderUnreachable."""

    def take_back(self, batch: BatchKey) -> None:
        """Remove our own copies of a batch and of what was asked about it, which name people. Raises ProviderUnreachable."""

    def sweep(self, *, before: date) -> int:
        """Remove copies of ours of batches of earlier days; answers how many. Raises ProviderUnreachable."""

    def payout_answers(self) -> list[PayoutAnswer]:
        """What has arrived about refunds, whole or damaged. Raises ProviderUnreachable."""
