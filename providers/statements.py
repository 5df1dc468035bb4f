"""A bank's or a window's daily statement: a file a day and merchant account in a folder, in our documented form. A BillProvider.

For whoever takes money for us and has no service to be asked: withholding banks, counters, terminals. docs/reference/statement-files.md
tells the form.
"""

from __future__ import annotations

import csv
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from providers.bills import (
    Bill,
    BillDamaged,
    BillNotReady,
    BillRow,
    BillRowKind,
    Columns,
    lines,
    word_of,
)
from providers.reading import BEIJING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path
    from typing import BinaryIO

    from providers.bills import Funds
    from providers.protocols import Channel

ENCODING: Final = "gb18030"
FLAG: Final = ".ok"
KINDS: Final = {"1": BillRowKind.TRADE, "2": BillRowKind.REFUND}
HEAD: Final = ("STATEMENT", "channel", "merchant", "day", "count", "total")
MOST_FEN: Final = 10**12


class StatementFolder:
    """One merchant account's statements. `S_{merchant}_{yyyymmdd}.csv`, and the flag beside it."""

    counts_refunds_together = False

    def __init__(self, *, channel: Channel, merchant: str, folder: Path) -> None:
        self.channel, self.merchant = channel, merchant
        self._folder = folder

    def __repr__(self) -> str:
        return f"StatementFolder({self.channel}:{self.merchant})"

    def fetch(self, day: date, *, now: datetime) -> Bill:  # noqa: ARG002 - a folder has no hours
        """Nobody says that there will be none: a day without a file is one whose file has not come."""
        path = self._folder / f"S_{self.merchant}_{day:%Y%m%d}.csv"
        flag = path.with_name(path.name + FLAG)
        if not flag.exists():
            raise BillNotReady(f"{flag.name} is not there yet")
        file = path.open("rb")
        try:
            said = flag.read_bytes().decode("ascii", "replace").strip()
            content = hashlib.file_digest(file, "sha256").hexdigest()
            if said != f"{file.tell()}|{content}":
                raise BillDamaged(0, "not the file that its flag names (size|SHA-256)")  # noqa: TRY301 - the file is closed below
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return Bill(file, lambda opened: statement_rows(opened, channel=self.channel, merchant=self.merchant, day=day))

    def funds(self, day: date, *, now: datetime) -> Funds | None:  # noqa: ARG002 - as the protocol has it
        """A statement is its own fund flow."""
        return None


def statement_rows(file: BinaryIO, *, channel: str, merchant: str, day: date) -> Iterator[BillRow]:
    """The rows of a statement. Raises BillDamaged at any row and after the last, where count or sum are not what the first line says."""
    given = lines(file, encoding=ENCODING)
    line, text = next(given, (1, ""))
    head = _cut(line, text)
    if len(head) != len(HEAD) or head[:4] != ["STATEMENT", channel, merchant, f"{day:%Y%m%d}"]:
        raise BillDamaged(line, f"the first line is not {','.join(HEAD)} of this account and day")
    count, total = _fen(line, "count", head[4]), _fen(line, "total", head[5])
    line, text = next(given, (2, ""))
    columns = Columns(line, _cut(line, text))
    kind, at, ours = columns.must_find("类型"), columns.must_find("时间"), columns.must_find("商户单号")
    theirs, amount = columns.must_find("流水号"), columns.must_find("金额(分)")
    refund, their_refund, fee = columns.find("退款单号"), columns.find("退款流水号"), columns.find("手续费(分)")
    counted = summed = 0
    for line, text in given:
        cells = _cut(line, text)
        if len(cells) != len(columns.names):
            raise BillDamaged(line, "not as many values as columns")
        if (row_kind := KINDS.get(cells[kind])) is None:
            raise BillDamaged(line, "类型")
        fen = _fen(line, "金额(分)", cells[amount])
        if not 0 < fen < MOST_FEN:
            raise BillDamaged(line, "金额(分)")
        is_refund = row_kind is BillRowKind.REFUND
        counted, summed = counted + 1, summed + (-fen if is_refund else fen)
        yield BillRow(
            line=line,
            kind=row_kind,
            payment_no=word_of(line, "商户单号", cells[ours]),
            provider_payment_no=word_of(line, "流水号", cells[theirs]),
            amount_fen=-fen if is_refund else fen,
            currency="CNY",
            state="SUCCESS",
            at=_moment(line, cells[at]),
            fee_fen=_fen(line, "手续费(分)", cells[fee]) if fee is not None and cells[fee] else 0,
            refund_no=word_of(line, "退款单号", cells[refund]) if is_refund and refund is not None and cells[refund] else None,
            provider_refund_no=word_of(line, "退款流水号", cells[their_refund])
            if is_refund and their_refund is not None and cells[their_refund]
            else None,
        )
    if (counted, summed) != (count, total):
        raise BillDamaged(0, f"{'count' if counted != count else 'total'} is not what the first line says")


def _cut(line: int, text: str) -> list[str]:
    try:
        [cells] = csv.reader([text], strict=True)
    except (csv.Error, ValueError):
        raise BillDamaged(line, "not a line of CSV") from None
    return [cell.strip() for cell in cells]


def _fen(line: int, what: str, told: str) -> int:
    digits = told.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > len(str(MOST_FEN)):
        raise BillDamaged(line, what)
    return int(told)


def _moment(line: int, told: str) -> datetime:
    try:
        return datetime.strptime(told, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING).astimezone(UTC)
    except ValueError:
        raise BillDamaged(line, "时间") from None
