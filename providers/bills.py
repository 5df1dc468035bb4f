"""A provider's daily bill: what they say moved on one Beijing day at one merchant account, row by row.

Bills are the one place where everything stands that their notices should have told us. So a bill is read strictly, by the names
of its columns, and against its own sums: what is damaged is refused whole, with the line. Nothing is held in memory but a line.
"""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Protocol, Self
from zipfile import BadZipFile

from providers.protocols import Channel, ProviderError, ProviderUnreachable
from providers.reading import BEIJING, BEIJING_TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

MADE_UP_HOUR = 10
"""Both providers have a day's bill by this hour of the next morning."""
PACKED_LIMIT_BYTES = 512 * 1024 * 1024
"""Of what comes over the wire: some ten million rows."""
BILL_LIMIT_BYTES = 4 * 1024 * 1024 * 1024
"""Of what comes out of it, counted as it comes out; what the packing says of itself is not believed."""
LINE_LIMIT_BYTES = 64 * 1024
IN_MEMORY_BYTES = 4 * 1024 * 1024
"""A longer file lies on the disk, without a name."""

UNITS_A_FEN = 1000
UNITS_A_PIECE = 100 * UNITS_A_FEN
"""Fees come with five decimals of a yuan, and counts as `20.0`: sums are taken in units of 0.00001."""
_NUMBER = re.compile(r"(-?)([0-9]{1,13})(?:\.([0-9]{1,5}))?")
_LONGEST_TEXT = 128
_FOUND_DAMAGED = (gzip.BadGzipFile, BadZipFile, zlib.error, EOFError)


class NoBill(ProviderError):
    """They keep no bill of that day, and it is late enough to have one: nothing moved, as far as they know."""


class BillNotReady(ProviderUnreachable):
    """They have not made up that day's bill yet. Ask later."""


class BillDamaged(ProviderError):
    """The file is not what was agreed; nothing in it may be used. `line` counts from 1, 0 is the file as a whole.

    `what` names a column or a fault, never a value.
    """

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line
        self.what = what


class BillRowKind(StrEnum):
    TRADE = "TRADE"
    REFUND = "REFUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRow:
    """One row of a bill, in the house's words. Nothing of the payer is in it."""

    line: int
    """Where it stood, from 1."""
    kind: BillRowKind
    payment_no: str
    """Our number, as they repeat it; whatever stood there for money that we did not ask for."""
    provider_payment_no: str
    amount_fen: int
    """What the payment was for, coupons included; for a refund what went back of it, below zero."""
    currency: str
    state: str
    """Their own word, as it was when the bill was made up. A refund's never changes afterwards."""
    at: datetime
    """When it was paid, or when the refund was begun (WeChat) or done (Alipay). Aware UTC."""
    fee_fen: int
    """What they took for it, to the nearest fen; below zero where they gave it back."""
    is_done: bool = True
    """False: a refund that had not reached the payer when the bill was made up."""
    refund_no: str | None = None
    provider_refund_no: str | None = None


@dataclass(frozen=True, kw_only=True)
class Funds:
    """What moved on the merchant's own account in a day, by the provider's fund flow. All above zero, but fees that were given back."""

    came_fen: int
    went_fen: int
    """Back to payers."""
    fee_fen: int


class Bill:
    """A downloaded bill. A context manager: leaving it forgets the file."""

    def __init__(self, file: BinaryIO, read: Callable[[BinaryIO], Iterator[BillRow]]) -> None:
        self._file, self._read = file, read

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def rows(self) -> Iterator[BillRow]:
        """Each row, once more from the first each time. Raises BillDamaged at any row and after the last, where the sums disagree:
        rows count only when the iterator has come to its end.
        """
        self._file.seek(0)
        return self._read(self._file)


class BillProvider(Protocol):
    """One merchant account's daily bills at one payment provider."""

    channel: Channel
    merchant: str
    """The merchant number, as it stands in account names and inbox keys."""
    counts_refunds_together: bool
    """Whether their news of a refund tells the sum of all refunds of its payment (Alipay), or each alone (WeChat)."""

    def fetch(self, day: date, *, now: datetime) -> Bill:
        """The bill of one Beijing day. Raises NoBill (nothing moved), BillNotReady (too early), BillDamaged (not what they signed),
        ProviderUnreachable, ProviderRefused.
        """

    def funds(self, day: date, *, now: datetime) -> Funds | None:
        """What moved on the account itself, where the provider keeps a fund flow beside its bill; None where it keeps none. Raises as
        `fetch` does.
        """


def is_made_up(day: date, *, now: datetime) -> bool:
    """Whether a day's bill is due by now: before, that there is none says nothing."""
    return now >= datetime.combine(day + timedelta(days=1), time(MADE_UP_HOUR), BEIJING)


def lines(file: BinaryIO, *, encoding: str) -> Iterator[tuple[int, str]]:
    """Each line with its number, without its end. Raises BillDamaged for what cannot be unpacked or decoded, or grows too long."""
    size = 0
    for number in count(1):
        try:
            # Not str.splitlines: it also cuts at U+2028 and \x85, which may stand in a name.
            raw = file.readline(LINE_LIMIT_BYTES + 1)
        except _FOUND_DAMAGED as fault:
            raise BillDamaged(number, type(fault).__name__) from None
        if not raw:
            return
        size += len(raw)
        if len(raw) > LINE_LIMIT_BYTES or size > BILL_LIMIT_BYTES:
            raise BillDamaged(number, "too long")
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            raise BillDamaged(number, encoding) from None
        yield number, text.rstrip("\r\n")


class Columns:
    """Where each column stands, by its name: positions shift with the kind of bill, and old merchants have old names."""

    def __init__(self, line: int, names: list[str]) -> None:
        self.names = [name.strip().replace("（", "(").replace("）", ")") for name in names]
        if len(set(self.names)) != len(self.names):
            raise BillDamaged(line, "a column stands there twice")
        self._line = line
        self._where = {name: index for index, name in enumerate(self.names)}

    def __contains__(self, name: str) -> bool:
        return name in self._where

    def find(self, *names: str) -> int | None:
        """Where the first of these names that there is stands."""
        return next((self._where[name] for name in names if name in self._where), None)

    def must_find(self, *names: str) -> int:
        found = self.find(*names)
        if found is None:
            raise BillDamaged(self._line, f"no column {names[0]}")
        return found


def units_of(line: int, what: str, told: str) -> int:
    """A decimal number as an integer of 0.00001, exactly."""
    units = _units(told)
    if units is None:
        raise BillDamaged(line, what)
    return units


@lru_cache(maxsize=4096)
def _units(told: str) -> int | None:
    # Most columns of most rows say 0.00, and there are not many different contributions: half the time of a row went here.
    found = _NUMBER.fullmatch(told)
    if found is None:
        return None
    sign, whole, decimals = found.groups()
    units = int(whole) * UNITS_A_PIECE + int((decimals or "0").ljust(5, "0"))
    return -units if sign else units


def fen_of(line: int, what: str, told: str) -> int:
    """An amount of yuan as fen; anything smaller than a fen is damage."""
    fen, rest = divmod(units_of(line, what, told), UNITS_A_FEN)
    if rest:
        raise BillDamaged(line, what)
    return fen


def nearest_fen(units: int) -> int:
    """A fee, which alone may be smaller than a fen; halves go up."""
    return (units + UNITS_A_FEN // 2) // UNITS_A_FEN


def moment_of(line: int, what: str, told: str) -> datetime:
    """A moment as Beijing's clocks show it, as aware UTC."""
    moment = _moment(told)
    if moment is None:
        raise BillDamaged(line, what)
    return moment


@lru_cache(maxsize=1024)
def _moment(told: str) -> datetime | None:
    if not BEIJING_TIME.fullmatch(told):
        return None
    try:
        return datetime.fromisoformat(told).replace(tzinfo=BEIJING).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def word_of(line: int, what: str, told: str) -> str:
    """A number or a word of theirs: there, printable and not long."""
    if not told or len(told) > _LONGEST_TEXT or not told.isprintable():
        raise BillDamaged(line, what)
    return told
