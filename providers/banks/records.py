"""Bank files, from values to bytes and back. Reading is strict: one line that is not as agreed, and nothing of the file is used.

The second byte of a Chinese character may be the one that `|` has, so a line is decoded before it is parted. At a fixed width it is the other way
round: bytes are counted first.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import hashes

from providers.bank_files import BankFileDamaged
from providers.banks.columns import ENCODING, LINE_END, Shape
from providers.banks.transport import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from providers.banks.columns import Column, FileKind, Layout

HEAD: Final = "H"
DETAIL: Final = "D"
LONGEST_LINE: Final = 1024
CODE: Final = re.compile(r"[0-9A-Za-z]+")
DIGITS: Final = re.compile(r"[0-9]+")
CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Nothing else is odd in a name: characters that are so rare that Unicode gave them no place stand in its private area."""
FLAG: Final = re.compile(rb"([0-9]{1,12})\|([0-9]{1,9})\|(SHA256|SM3)\|([0-9a-f]{64})\r\n")


class Unwritable(ValueError):
    """A value does not fit its column. The text is the column's name, never the value."""


@dataclass(frozen=True)
class Record:
    """One line of a file: its number from 1, its values by column, its bytes without the line end."""

    line: int
    values: dict[str, str]
    raw: bytes

    def number(self, column: str) -> int:
        return int(self.values[column])

    def day(self, column: str) -> date | None:
        text = self.values[column]
        return datetime.strptime(text, "%Y%m%d").date() if text else None  # noqa: DTZ007 - a day has no zone


def write_file(
    layout: Layout, kind: FileKind, head: Mapping[str, str | int], details: Sequence[Mapping[str, str | int]]
) -> bytes:
    """The whole file. Raises Unwritable."""
    lines = [write_line(layout, HEAD, layout.heads[kind], head)]
    lines += [write_line(layout, DETAIL, layout.details[kind], each) for each in details]
    return b"".join(line + LINE_END for line in lines)


def write_line(layout: Layout, mark: str, columns: Sequence[Column], values: Mapping[str, str | int]) -> bytes:
    """One line without its end. Raises Unwritable."""
    if layout.delimiter is not None:
        fields = [_field(column, values[column.name], delimiter=layout.delimiter) for column in columns]
        return layout.delimiter.join([mark, *fields]).encode(ENCODING)
    return mark.encode() + b"".join(_padded(column, values[column.name]) for column in columns)


def _field(column: Column, value: str | int, *, delimiter: str | None) -> str:
    text = str(value)
    if not _is_shaped(column.shape, text) or (delimiter is not None and delimiter in text):
        raise Unwritable(column.name)
    try:
        length = len(text.encode(ENCODING))
    except UnicodeEncodeError:  # half a surrogate
        raise Unwritable(column.name) from None
    if length > column.width:
        raise Unwritable(column.name)
    return text


def _padded(column: Column, value: str | int) -> bytes:
    raw = _field(column, value, delimiter=None).encode(ENCODING)
    return raw.rjust(column.width, b"0") if column.shape is Shape.NUMBER else raw.ljust(column.width, b" ")


def _is_shaped(shape: Shape, text: str) -> bool:
    match shape:
        case Shape.TEXT:
            return CONTROLS.search(text) is None and text == text.strip()
        case Shape.CODE:
            return CODE.fullmatch(text) is not None
        case Shape.MAYBE_CODE:
            return text == "" or CODE.fullmatch(text) is not None
        case Shape.NUMBER:
            return DIGITS.fullmatch(text) is not None
        case Shape.DAY:
            return _is_day(text)
        case Shape.MAYBE_DAY:
            return text == "" or _is_day(text)


def _is_day(text: str) -> bool:
    if len(text) != len("20261122") or DIGITS.fullmatch(text) is None:
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def read_file(layout: Layout, kind: FileKind, content: bytes) -> tuple[Record, list[Record]]:
    """Head and details. Raises BankFileDamaged."""
    if len(content) > MOST_BYTES:
        raise BankFileDamaged(0, "too long")
    if not content.endswith(LINE_END):
        raise BankFileDamaged(content.count(LINE_END) + 1, "ends inside a line")
    lines = content[: -len(LINE_END)].split(LINE_END)
    head = _read_line(layout, HEAD, layout.heads[kind], lines[0], 1)
    columns = layout.details[kind]
    return head, [_read_line(layout, DETAIL, columns, raw, number) for number, raw in enumerate(lines[1:], 2)]


def _read_line(layout: Layout, mark: str, columns: Sequence[Column], raw: bytes, number: int) -> Record:
    if len(raw) > LONGEST_LINE:
        raise BankFileDamaged(number, "too long")
    if b"\r" in raw or b"\n" in raw:
        raise BankFileDamaged(number, "half a line end")
    fields = _parted(layout.delimiter, raw, number) if layout.delimiter is not None else _cut(columns, raw, number)
    if fields[0] != mark:
        raise BankFileDamaged(number, f"is no {mark} line")
    if len(fields) != len(columns) + 1:
        raise BankFileDamaged(number, "another number of columns")
    values = {}
    for column, text in zip(columns, fields[1:], strict=True):
        if not _is_shaped(column.shape, text) or len(text.encode(ENCODING)) > column.width:
            raise BankFileDamaged(number, column.name)
        values[column.name] = text
    return Record(number, values, raw)


def _parted(delimiter: str, raw: bytes, number: int) -> list[str]:
    try:
        return raw.decode(ENCODING).split(delimiter)
    except UnicodeDecodeError:
        raise BankFileDamaged(number, "is not GB18030") from None


def _cut(columns: Sequence[Column], raw: bytes, number: int) -> list[str]:
    if len(raw) != 1 + sum(column.width for column in columns):
        raise BankFileDamaged(number, "another length")
    fields, at = [raw[:1].decode("latin-1")], 1
    for column in columns:
        piece = raw[at : at + column.width]
        at += column.width
        try:
            text = piece.decode(ENCODING)
        except UnicodeDecodeError:
            raise BankFileDamaged(number, column.name) from None
        fields.append(text if column.shape is Shape.NUMBER else text.rstrip(" "))
    return fields


def flag_of(content: bytes, *, algorithm: str) -> bytes:
    """What stands in the flag file beside a file: its size, its lines and its digest."""
    return f"{len(content)}|{content.count(LINE_END)}|{algorithm}|{_digest(content, algorithm)}\r\n".encode()


def check_flag(flag: bytes, content: bytes) -> None:
    """Whether these are the bytes that their writer meant. Raises BankFileDamaged."""
    said = FLAG.fullmatch(flag)
    if said is None:
        raise BankFileDamaged(0, "flag: is not size, lines and digest")
    size, lines, algorithm, digest = int(said[1]), int(said[2]), said[3].decode(), said[4].decode()
    if size != len(content):
        raise BankFileDamaged(0, "flag: another size")
    if lines != content.count(LINE_END):
        raise BankFileDamaged(0, "flag: another number of lines")
    if digest != _digest(content, algorithm):
        raise BankFileDamaged(0, "flag: another digest")


def _digest(content: bytes, algorithm: str) -> str:
    if algorithm == "SHA256":
        return hashlib.sha256(content).hexdigest()
    sm3 = hashes.Hash(hashes.SM3())
    sm3.update(content)
    return sm3.finalize().hex()
