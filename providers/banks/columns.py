"""How each kind of bank file is laid out: which columns, in which order, parted by a sign or cut by bytes. docs/reference/bank-files.md tells it in words.

A width counts bytes of GB18030, where a Chinese character has two or four; a field never ends inside of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from providers.bank_files import BankResult

ENCODING: Final = "gb18030"
LINE_END: Final = b"\r\n"


class FileKind(StrEnum):
    """What a file is for; the word stands in its name."""

    REQUEST = "req"
    INQUIRY = "ask"
    RESULT = "ret"
    PAYOUT = "pay"
    PAYOUT_ANSWER = "paid"


class Shape(StrEnum):
    TEXT = "TEXT"
    """Printable, without the delimiter, not padded by its writer; may be empty."""
    CODE = "CODE"
    """Letters and digits, never empty."""
    DAY = "DAY"
    """yyyyMMdd."""
    NUMBER = "NUMBER"
    """Digits; at a fixed width with zeros before them. Amounts are fen."""
    MAYBE_CODE = "MAYBE_CODE"
    MAYBE_DAY = "MAYBE_DAY"


@dataclass(frozen=True)
class Column:
    name: str
    width: int
    """In bytes: exactly so many at a fixed width, at most so many where a sign parts the fields."""
    shape: Shape = Shape.CODE


_UNIT = Column("unit", 10)
_CONTRACT = Column("contract", 16)
_BATCH = Column("batch", 4, Shape.NUMBER)
_DATE = Column("date", 8, Shape.DAY)
_COUNT = Column("count", 6, Shape.NUMBER)
_TOTAL = Column("total_fen", 15, Shape.NUMBER)
_SEQ = Column("seq", 6, Shape.NUMBER)
_ACCOUNT = Column("account", 32)
_NAME = Column("name", 120, Shape.TEXT)
_ID_TYPE = Column("id_type", 2)
_ID_NUMBER = Column("id_number", 20)
_AMOUNT = Column("amount_fen", 12, Shape.NUMBER)
_AGREEMENT = Column("agreement_no", 40, Shape.TEXT)
_MEMO = Column("memo", 32)
_PART = Column("part", 2, Shape.NUMBER)
_OK_COUNT = Column("ok_count", 6, Shape.NUMBER)
_OK_TOTAL = Column("ok_total_fen", 15, Shape.NUMBER)
_CODE = Column("code", 8)
_REASON = Column("reason", 60, Shape.TEXT)
_SERIAL = Column("serial", 32, Shape.MAYBE_CODE)
_BOOKED = Column("booked_on", 8, Shape.MAYBE_DAY)
_REFUND = Column("refund_no", 32)
_PAID_SERIAL = Column("paid_serial", 32)

_SUMS = (_COUNT, _TOTAL)
_BATCH_HEAD = (_UNIT, _CONTRACT, _BATCH, _DATE)
_RESULT_SUMS = (*_SUMS, _OK_COUNT, _OK_TOTAL)
_ASKED = (_SEQ, _AMOUNT, _MEMO)


@dataclass(frozen=True)
class Layout:
    """One bank's columns, and its words for what became of a line."""

    name: str
    delimiter: str | None
    """None: fixed width."""
    heads: dict[FileKind, tuple[Column, ...]]
    details: dict[FileKind, tuple[Column, ...]]
    codes: dict[str, BankResult]


DELIMITED: Final = Layout(
    name="delimited",
    delimiter="|",
    heads={
        FileKind.REQUEST: (*_BATCH_HEAD, *_SUMS),
        FileKind.INQUIRY: (*_BATCH_HEAD, *_SUMS),
        FileKind.RESULT: (*_BATCH_HEAD, _PART, *_RESULT_SUMS),
        FileKind.PAYOUT: (_UNIT, _CONTRACT, _REFUND, *_SUMS),
        FileKind.PAYOUT_ANSWER: (_UNIT, _CONTRACT, _REFUND, *_SUMS),
    },
    details={
        FileKind.REQUEST: (_SEQ, _ACCOUNT, _NAME, _ID_TYPE, _ID_NUMBER, _AMOUNT, _AGREEMENT, _MEMO),
        FileKind.INQUIRY: _ASKED,
        FileKind.RESULT: (_SEQ, _AMOUNT, _CODE, _REASON, _SERIAL, _BOOKED, _MEMO),
        FileKind.PAYOUT: (_SEQ, _PAID_SERIAL, _AMOUNT, _MEMO, _REASON),
        FileKind.PAYOUT_ANSWER: (_SEQ, _AMOUNT, _CODE, _REASON, _SERIAL, _BOOKED, _MEMO),
    },
    codes={
        "00": BankResult.SUCCESS,
        "51": BankResult.INSUFFICIENT_FUNDS,
        "62": BankResult.ACCOUNT_FROZEN,
        "14": BankResult.NAME_MISMATCH,
        "40": BankResult.AGREEMENT_INVALID,
        "57": BankResult.FINANCIAL_FUNCTION_INACTIVE,
        "61": BankResult.LIMIT_EXCEEDED,
        "91": BankResult.BANK_TIMEOUT,
        "96": BankResult.SYSTEM_ERROR,
    },
)
FIXED: Final = Layout(
    name="fixed",
    delimiter=None,
    heads={
        FileKind.REQUEST: (_DATE, _BATCH, _UNIT, _CONTRACT, *_SUMS),
        FileKind.INQUIRY: (_DATE, _BATCH, _UNIT, _CONTRACT, *_SUMS),
        FileKind.RESULT: (_DATE, _BATCH, _PART, _UNIT, _CONTRACT, *_RESULT_SUMS),
        FileKind.PAYOUT: (_REFUND, _UNIT, _CONTRACT, *_SUMS),
        FileKind.PAYOUT_ANSWER: (_REFUND, _UNIT, _CONTRACT, *_SUMS),
    },
    details={
        FileKind.REQUEST: (_SEQ, _AMOUNT, _ACCOUNT, _NAME, _ID_TYPE, _ID_NUMBER, _MEMO, _AGREEMENT),
        FileKind.INQUIRY: (_SEQ, _MEMO, _AMOUNT),
        FileKind.RESULT: (_SEQ, _MEMO, _AMOUNT, _CODE, _SERIAL, _BOOKED, _REASON),
        FileKind.PAYOUT: (_SEQ, _AMOUNT, _PAID_SERIAL, _MEMO, _REASON),
        FileKind.PAYOUT_ANSWER: (_SEQ, _MEMO, _AMOUNT, _CODE, _SERIAL, _BOOKED, _REASON),
    },
    codes={
        "S0000000": BankResult.SUCCESS,
        "E1001": BankResult.INSUFFICIENT_FUNDS,
        "E1002": BankResult.ACCOUNT_FROZEN,
        "E1003": BankResult.NAME_MISMATCH,
        "E2001": BankResult.AGREEMENT_INVALID,
        "E2002": BankResult.FINANCIAL_FUNCTION_INACTIVE,
        "E2003": BankResult.LIMIT_EXCEEDED,
        "W9001": BankResult.BANK_TIMEOUT,
        "E9999": BankResult.SYSTEM_ERROR,
    },
)
LAYOUTS: Final = {layout.name: layout for layout in (DELIMITED, FIXED)}
"""By the word in the partners file."""
