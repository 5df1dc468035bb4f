"""Alipay's trade bill as rows: a zip with GBK names, in it a GBK table between lines of `#`, and its sums behind it."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from typing import TYPE_CHECKING, cast

from providers.bills import BillDamaged, BillRow, BillRowKind, Columns, fen_of, lines, moment_of, nearest_fen, units_of, word_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from typing import BinaryIO

DETAILS, SUMMARY = "业务明细", "汇总"
DIRECTORY_LIMIT_BYTES = 64 * 1024
"""Of a zip's list of entries, which is read into memory: theirs has two."""
END_OF_DIRECTORY, END_OF_DIRECTORY_64 = b"PK\x05\x06", b"PK\x06\x07"
END_SIZE, END_64_SIZE, LONGEST_COMMENT = 22, 20, 65535
IS_ENCRYPTED = 0x1
PACKINGS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
BUFFER_BYTES = 1024 * 1024

KINDS = {"交易": BillRowKind.TRADE, "退款": BillRowKind.REFUND}
ACCOUNT = re.compile(r"#账号：\[([0-9]+)\]")
PERIOD = re.compile(
    r"#起始日期：\[(\d{4})年(\d{2})月(\d{2})日 00:00:00\]\s+终止日期：\[(\d{4})年(\d{2})月(\d{2})日 2[34]:\d{2}:\d{2}\]"
)
END_OF_LIST = re.compile(r"#-+业务明细列表结束-+")
TRADE_SUM = re.compile(r"#交易合计：([0-9]{1,9})笔，商家实收共(-?[0-9.]+)元.*")
REFUND_SUM = re.compile(r"#退款合计：([0-9]{1,9})笔，商家实收退款共(-?[0-9.]+)元.*")
SUMS = {BillRowKind.TRADE: TRADE_SUM, BillRowKind.REFUND: REFUND_SUM}


def zipped_rows(file: BinaryIO, *, merchant: str, day: date) -> Iterator[BillRow]:
    """The rows of a bill as it was downloaded. Raises BillDamaged, also after the last row."""
    with _opened(file) as archive, _details(archive) as table:
        yield from detail_rows(table, merchant=merchant, day=day)


def detail_rows(file: BinaryIO, *, merchant: str, day: date) -> Iterator[BillRow]:
    """The rows of its table of details. Raises BillDamaged, also after the last row."""
    numbered = lines(file, encoding="gb18030")
    line, head = _preamble(numbered, merchant=merchant, day=day)
    columns = Columns(line, _cut(line, head))
    theirs, ours, kinds = columns.must_find("支付宝交易号"), columns.must_find("商户订单号"), columns.must_find("业务类型")
    made_at, done_at = columns.must_find("创建时间"), columns.must_find("完成时间")
    amount, income, fee = columns.must_find("订单金额(元)"), columns.must_find("商家实收(元)"), columns.must_find("服务费(元)")
    request_no = columns.must_find("退款批次号/请求号")
    counts, sums = dict.fromkeys(BillRowKind, 0), dict.fromkeys(BillRowKind, 0)
    for line, text in numbered:
        if text.startswith("#"):
            break
        cells = _cut(line, text)
        if len(cells) != len(columns.names):
            raise BillDamaged(line, "not as many values as columns")
        kind = KINDS.get(cells[kinds])
        if kind is None:
            raise BillDamaged(line, "业务类型")
        is_refund = kind is BillRowKind.REFUND
        amount_fen = fen_of(line, "订单金额(元)", cells[amount])
        if (amount_fen > 0) if is_refund else (amount_fen < 0):
            raise BillDamaged(line, "订单金额(元)")
        counts[kind] += 1
        sums[kind] += units_of(line, "商家实收(元)", cells[income])
        when = done_at if cells[done_at] else made_at
        yield BillRow(
            line=line,
            kind=kind,
            payment_no=word_of(line, "商户订单号", cells[ours]),
            provider_payment_no=word_of(line, "支付宝交易号", cells[theirs]),
            amount_fen=amount_fen,
            currency="CNY",
            state=cells[kinds],
            at=moment_of(line, columns.names[when], cells[when]),
            # Below zero where they took it: it is the merchant's view.
            fee_fen=nearest_fen(-units_of(line, "服务费(元)", cells[fee])),
            refund_no=word_of(line, "退款批次号/请求号", cells[request_no]) if is_refund and cells[request_no] else None,
        )
    else:
        raise BillDamaged(line + 1, "ends without its sums")
    if not END_OF_LIST.fullmatch(text):
        raise BillDamaged(line, "no end of the list")
    _must_agree(line, numbered, counts, sums)


def _preamble(numbered: Iterator[tuple[int, str]], *, merchant: str, day: date) -> tuple[int, str]:
    """Read up to the header: it must say that this is the account, and the day, that was asked for."""
    account = period = False
    line = 0
    for line, text in numbered:
        if not text.startswith("#"):
            if not (account and period):
                raise BillDamaged(line, "says neither account nor day before its table")
            return line, text
        if found := ACCOUNT.fullmatch(text):
            # Behind the seller's number stand four digits more.
            if not found[1].startswith(merchant):
                raise BillDamaged(line, "账号")
            account = True
        elif found := PERIOD.fullmatch(text):
            wanted = (f"{day.year:04}", f"{day.month:02}", f"{day.day:02}")
            if found.groups() != wanted * 2:
                raise BillDamaged(line, "起始日期")
            period = True
    raise BillDamaged(line + 1, "ends without a table")


def _must_agree(
    last: int, behind: Iterator[tuple[int, str]], counts: dict[BillRowKind, int], sums: dict[BillRowKind, int]
) -> None:
    """Read what stands behind the table. Raises BillDamaged unless their counts and sums are there, and are ours."""
    missing, line = dict(SUMS), last
    for line, text in behind:
        if text and not text.startswith("#"):
            raise BillDamaged(line, "goes on after its end")
        for kind, pattern in SUMS.items():
            if found := pattern.fullmatch(text):
                # Whether the sum of refunds has a minus depends on who tells of it.
                if int(found[1]) != counts[kind] or abs(units_of(line, f"sum of {kind}", found[2])) != abs(sums[kind]):
                    raise BillDamaged(line, f"sum of {kind}")
                missing.pop(kind, None)
    if missing:
        raise BillDamaged(line + 1, f"no sum of {', '.join(missing)}")


def _cut(line: int, text: str) -> list[str]:
    if '"' not in text:
        return [cell.strip() for cell in text.split(",")]
    try:
        return [cell.strip() for cell in next(csv.reader([text], strict=True))]
    except csv.Error:
        raise BillDamaged(line, "quotes") from None


def _opened(file: BinaryIO) -> zipfile.ZipFile:
    _directory_must_be_small(file)
    try:
        # Names are GBK, without the flag that would say so.
        return zipfile.ZipFile(file, metadata_encoding="gbk")
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as fault:
        raise BillDamaged(0, f"zip: {type(fault).__name__}") from None


def _directory_must_be_small(file: BinaryIO) -> None:
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - END_SIZE - LONGEST_COMMENT - END_64_SIZE))
    tail = file.read()
    file.seek(0)
    at = tail.rfind(END_OF_DIRECTORY)
    if at < 0 or len(tail) - at < END_SIZE:
        raise BillDamaged(0, "not a zip")
    directory_bytes = int.from_bytes(tail[at + 12 : at + 16], "little")
    if directory_bytes > DIRECTORY_LIMIT_BYTES or tail[max(0, at - END_64_SIZE) : at].startswith(END_OF_DIRECTORY_64):
        raise BillDamaged(0, "zip: too many entries")


def _details(archive: zipfile.ZipFile) -> BinaryIO:
    found = [entry for entry in archive.infolist() if DETAILS in entry.filename and SUMMARY not in entry.filename]
    if len(found) != 1:
        raise BillDamaged(0, "zip: not one table of details")
    [entry] = found
    if entry.compress_type not in PACKINGS or entry.flag_bits & IS_ENCRYPTED:
        raise BillDamaged(0, "zip: packed in another way")
    try:
        return io.BufferedReader(cast("io.RawIOBase", archive.open(entry)), BUFFER_BYTES)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError) as fault:
        raise BillDamaged(0, f"zip: {type(fault).__name__}") from None
