"""The tax authority's confirmed list (税务入库对账流水) and the registrar's return file (社保记账回盘): which months they have, line by line.

Both are one form: a line that says what the file is, how many lines it has and what they sum up to; a line of column names; then the
lines. A flag beside it says that it is whole. docs/tax-and-registrar-files.md tells the format; the names of columns decide, not their
places. What is damaged is refused whole, with the line.
"""

from __future__ import annotations

import csv
import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

from providers.bills import BillDamaged, BillNotReady, Columns, lines, word_of
from providers.reading import BEIJING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

ENCODING: Final = "gb18030"
FLAG: Final = ".ok"
PIECE_BYTES: Final = 1024 * 1024
MOST_FEN: Final = 10**12
_DAY: Final = re.compile(r"[0-9]{8}")
_MONTH: Final = re.compile(r"[12][0-9]{3}(0[1-9]|1[0-2])")
_DIGITS: Final = re.compile(r"[0-9]{1,15}")
_ID_NUMBER: Final = re.compile(r"[0-9A-Z]{6,20}")
_RECEIPT_NO: Final = re.compile(r"[0-9A-Za-z]{6,32}")
_CODE: Final = re.compile(r"[0-9A-Za-z_-]{1,32}")
_AUTHORITY: Final = re.compile(r"[a-z]+-[0-9]{6}")
_HEAD_SIZE: Final = 5


class ListKind(StrEnum):
    """Which authority's word it is."""

    TAX = "TAX"
    """These months are in the treasury."""
    REGISTRAR = "REGISTRAR"
    """These months are on the persons' accounts, or were refused there."""


BILL_KINDS: Final = {"1": "NORMAL", "2": "SUPPLEMENT"}
POSTED, NOT_POSTED = "1", "2"


@dataclass(frozen=True, kw_only=True)
class ListHead:
    """What a file says of itself."""

    kind: ListKind
    authority: str
    """The tax authority that collects; the registrar answers its list."""
    day: date
    lines: int
    total_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLine:
    """One month of one person, in the house's words."""

    line: int
    """Where it stood, from 1."""
    receipt_no: str
    """电子税票号. One may cover several months of one person."""
    id_number: str
    insurance_type: str
    coverage_month: int
    kind: str
    """NORMAL or SUPPLEMENT, as our bills are."""
    amount_fen: int
    on: date
    """入库日期 or 记账日期, a day of Beijing."""
    payment_no: str | None = None
    """The payment that it came by, where the authority has its number: ours, or the provider's."""
    is_posted: bool = True
    """False: the registrar did not put it on the account."""
    fault: str | None = None
    """Their code for why not."""

    def __repr__(self) -> str:
        return f"ListLine(line={self.line})"

    @property
    def at(self) -> datetime:
        """The beginning of that day."""
        return datetime.combine(self.on, time.min, BEIJING)


class AuthorityList:
    """An opened file whose flag agrees with it. A context manager."""

    def __init__(self, file: BinaryIO, *, kind: ListKind) -> None:
        self._file = file
        self.head = _read_head(file)
        if self.head.kind is not kind:
            raise BillDamaged(1, f"a {self.head.kind} file; another was asked for")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def rows(self) -> Iterator[ListLine]:
        """Each line, once more from the first each time. Raises BillDamaged at any line and after the last, where count or total disagree."""
        self._file.seek(0)
        return _rows(self._file, self.head)

    def check(self) -> None:
        """Read it to its end and use nothing. Raises BillDamaged."""
        for _ in self.rows():
            pass


def open_list(path: Path, *, kind: ListKind) -> AuthorityList:
    """Open a file that its flag calls whole. Raises BillNotReady (no flag yet), BillDamaged, OSError."""
    flag = path.with_name(path.name + FLAG)
    if not flag.exists():
        raise BillNotReady(f"{flag.name} is not there yet")
    file = path.open("rb")
    try:
        _must_be_whole(file, flag.read_bytes())
        return AuthorityList(file, kind=kind)
    except BaseException:
        file.close()
        raise


def _must_be_whole(file: BinaryIO, flag: bytes) -> None:
    said = flag.decode("ascii", "replace").strip().split("|")
    hashed, size = hashlib.sha256(), 0
    while piece := file.read(PIECE_BYTES):
        size += len(piece)
        hashed.update(piece)
    if said != [str(size), hashed.hexdigest()]:
        raise BillDamaged(0, "not the file that its flag names (size|SHA-256)")
    file.seek(0)


def _read_head(file: BinaryIO) -> ListHead:
    line, text = next(lines(file, encoding=ENCODING), (1, ""))
    cells = _cut(line, text)
    if len(cells) != _HEAD_SIZE:
        raise BillDamaged(line, "the first line is not kind,authority,day,count,total")
    kind, authority, day, count, total = cells
    if kind not in set(ListKind) or not _AUTHORITY.fullmatch(authority):
        raise BillDamaged(line, "kind or authority")
    return ListHead(
        kind=ListKind(kind),
        authority=authority,
        day=_day(line, "day", day),
        lines=_number(line, "count", count),
        total_fen=_number(line, "total", total),
    )


def _rows(file: BinaryIO, head: ListHead) -> Iterator[ListLine]:
    given = lines(file, encoding=ENCODING)
    next(given)
    line, names = next(given, (2, ""))
    columns = Columns(line, _cut(line, names))
    where = {
        name: columns.must_find(name) for name in ("电子税票号码", "证件号码", "险种", "费款所属期", "缴费类型", "金额(分)")
    }
    read_more = _tax_columns(columns) if head.kind is ListKind.TAX else _registrar_columns(columns)
    receipt, person, insurance, month, kind, amount = where.values()
    size, count, total = len(columns.names), 0, 0
    for line, text in given:
        cells = _cut(line, text)
        if len(cells) != size:
            raise BillDamaged(line, "not as many values as columns")
        fen = _number(line, "金额(分)", cells[amount])
        if not 0 < fen < MOST_FEN:
            raise BillDamaged(line, "金额(分)")
        count, total = count + 1, total + fen
        if (bill_kind := BILL_KINDS.get(cells[kind])) is None:
            raise BillDamaged(line, "缴费类型")
        yield ListLine(
            line=line,
            receipt_no=_like(line, "电子税票号码", cells[receipt], _RECEIPT_NO),
            id_number=_like(line, "证件号码", cells[person].upper(), _ID_NUMBER),
            insurance_type=_like(line, "险种", cells[insurance], _CODE),
            coverage_month=_month(line, cells[month]),
            kind=bill_kind,
            amount_fen=fen,
            **read_more(line, cells),
        )
    if (count, total) != (head.lines, head.total_fen):
        raise BillDamaged(0, f"{'count' if count != head.lines else 'total'} is not what the first line says")


def _tax_columns(columns: Columns) -> Callable[[int, list[str]], dict[str, Any]]:
    on, payment = columns.must_find("入库日期"), columns.find("支付单号")

    def read(line: int, cells: list[str]) -> dict[str, Any]:
        number = cells[payment] if payment is not None else ""
        return {
            "on": _day(line, "入库日期", cells[on]),
            "payment_no": word_of(line, "支付单号", number) if number else None,
        }

    return read


def _registrar_columns(columns: Columns) -> Callable[[int, list[str]], dict[str, Any]]:
    on, result, fault = columns.must_find("记账日期"), columns.must_find("记账结果"), columns.find("原因")

    def read(line: int, cells: list[str]) -> dict[str, Any]:
        if cells[result] not in (POSTED, NOT_POSTED):
            raise BillDamaged(line, "记账结果")
        why = cells[fault] if fault is not None else ""
        return {
            "on": _day(line, "记账日期", cells[on]),
            "is_posted": cells[result] == POSTED,
            "fault": word_of(line, "原因", why) if why else None,
        }

    return read


def _cut(line: int, text: str) -> list[str]:
    try:
        [cells] = csv.reader([text], strict=True)
    except (csv.Error, ValueError):
        raise BillDamaged(line, "not a line of CSV") from None
    return [cell.strip() for cell in cells]


def _like(line: int, what: str, told: str, form: re.Pattern[str]) -> str:
    if not form.fullmatch(told):
        raise BillDamaged(line, what)
    return told


def _number(line: int, what: str, told: str) -> int:
    return int(_like(line, what, told, _DIGITS))


def _month(line: int, told: str) -> int:
    return int(_like(line, "费款所属期", told, _MONTH))


def _day(line: int, what: str, told: str) -> date:
    digits = _like(line, what, told, _DAY)
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise BillDamaged(line, what) from None
