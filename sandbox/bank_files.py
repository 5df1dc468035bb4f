"""The banks' own reading and writing of files, after docs/reference/bank-files.md: GB18030, CRLF, `|` or widths in bytes, and a flag beside each file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes

if TYPE_CHECKING:
    from pathlib import Path

END = b"\r\n"
Fields = dict[str, str]

WIDTHS = {
    "unit": 10,
    "contract": 16,
    "batch": 4,
    "date": 8,
    "part": 2,
    "count": 6,
    "total_fen": 15,
    "ok_count": 6,
    "ok_total_fen": 15,
    "refund_no": 32,
    "seq": 6,
    "account": 32,
    "name": 120,
    "id_type": 2,
    "id_number": 20,
    "amount_fen": 12,
    "agreement_no": 40,
    "memo": 32,
    "code": 8,
    "reason": 60,
    "serial": 32,
    "booked_on": 8,
    "paid_serial": 32,
}
NUMBERS = {"batch", "part", "count", "total_fen", "ok_count", "ok_total_fen", "seq", "amount_fen"}
COLUMNS = {
    "delimited": {
        "req": (
            "unit contract batch date count total_fen",
            "seq account name id_type id_number amount_fen agreement_no memo",
        ),
        "ask": ("unit contract batch date count total_fen", "seq amount_fen memo"),
        "ret": (
            "unit contract batch date part count total_fen ok_count ok_total_fen",
            "seq amount_fen code reason serial booked_on memo",
        ),
        "pay": ("unit contract refund_no count total_fen", "seq paid_serial amount_fen memo reason"),
        "paid": ("unit contract refund_no count total_fen", "seq amount_fen code reason serial booked_on memo"),
    },
    "fixed": {
        "req": (
            "date batch unit contract count total_fen",
            "seq amount_fen account name id_type id_number memo agreement_no",
        ),
        "ask": ("date batch unit contract count total_fen", "seq memo amount_fen"),
        "ret": (
            "date batch part unit contract count total_fen ok_count ok_total_fen",
            "seq memo amount_fen code serial booked_on reason",
        ),
        "pay": ("refund_no unit contract count total_fen", "seq amount_fen paid_serial memo reason"),
        "paid": ("refund_no unit contract count total_fen", "seq memo amount_fen code serial booked_on reason"),
    },
}
CODES = {
    "delimited": {
        "success": "00",
        "insufficient": "51",
        "frozen": "62",
        "name_mismatch": "14",
        "agreement_invalid": "40",
        "inactive": "57",
        "limit": "61",
        "timeout": "91",
        "system_error": "96",
    },
    "fixed": {
        "success": "S0000000",
        "insufficient": "E1001",
        "frozen": "E1002",
        "name_mismatch": "E1003",
        "agreement_invalid": "E2001",
        "inactive": "E2002",
        "limit": "E2003",
        "timeout": "W9001",
        "system_error": "E9999",
    },
}
REASONS = {
    "success": "",
    "insufficient": "余额不足",
    "frozen": "账户已冻结",
    "name_mismatch": "户名不符",
    "agreement_invalid": "协议无效",
    "inactive": "金融功能未激活",
    "limit": "超过单笔限额",
    "timeout": "处理中",
    "system_error": "系统错误",
}


class BadFileError(ValueError):
    """What lies in the folder is not a file that the bank takes; the text says which and why."""


def read(layout: str, kind: str, path: Path, *, ours: tuple[str, str] | None = None) -> tuple[Fields, list[Fields]]:
    """Head and details of a file whose flag agrees with it, and whose unit and contract are these. Raises BadFileError."""
    content = path.read_bytes()
    check_flag(path.with_name(f"{path.name}.ok").read_bytes(), content, path.name)
    if not content.endswith(END):
        raise BadFileError(f"{path.name}: does not end with CRLF")
    head_columns, detail_columns = (each.split() for each in COLUMNS[layout][kind])
    lines = content[:-2].split(END)
    head = _parse(layout, "H", head_columns, lines[0], f"{path.name}:1")
    details = [
        _parse(layout, "D", detail_columns, line, f"{path.name}:{number}") for number, line in enumerate(lines[1:], start=2)
    ]
    if ours is not None and (head["unit"], head["contract"]) != ours:
        raise BadFileError(f"{path.name}: another unit or contract")
    total = sum(int(each["amount_fen"]) for each in details)
    if (int(head["count"]), int(head["total_fen"])) != (len(details), total):
        raise BadFileError(f"{path.name}: count or total is wrong")
    return head, details


def check_flag(flag: bytes, content: bytes, name: str) -> None:
    said = flag.decode("ascii").strip().split("|")
    algorithm = said[2] if len(said) > len("ab") else ""
    if said != [str(len(content)), str(content.count(END)), algorithm, digest(content, algorithm)]:
        raise BadFileError(f"{name}: the flag does not agree")


def _parse(layout: str, mark: str, columns: list[str], line: bytes, where: str) -> Fields:
    if layout == "delimited":
        # Decoded first: a character's second byte may look like the sign between two fields.
        fields = line.decode("gb18030").split("|")
        if fields[0] != mark or len(fields) != len(columns) + 1:
            raise BadFileError(f"{where}: {len(fields)} fields")
        return dict(zip(columns, fields[1:], strict=True))
    if len(line) != 1 + sum(WIDTHS[column] for column in columns) or line[:1] != mark.encode():
        raise BadFileError(f"{where}: {len(line)} bytes")
    found, at = {}, 1
    for column in columns:
        found[column] = line[at : at + WIDTHS[column]].decode("gb18030").rstrip(" ")
        at += WIDTHS[column]
    return found


def compose(layout: str, kind: str, head: dict[str, object], details: list[dict[str, object]]) -> bytes:
    head_columns, detail_columns = (each.split() for each in COLUMNS[layout][kind])
    lines = [_line(layout, "H", head_columns, head), *(_line(layout, "D", detail_columns, each) for each in details)]
    return b"".join(line + END for line in lines)


def _line(layout: str, mark: str, columns: list[str], values: dict[str, object]) -> bytes:
    if layout == "delimited":
        return "|".join([mark, *(str(values[column]) for column in columns)]).encode("gb18030")
    line = mark.encode()
    for column in columns:
        raw = str(values[column]).encode("gb18030")
        line += raw.rjust(WIDTHS[column], b"0") if column in NUMBERS else raw.ljust(WIDTHS[column])
    return line


def digest(content: bytes, algorithm: str) -> str:
    if algorithm == "SM3":
        sm3 = hashes.Hash(hashes.SM3())
        sm3.update(content)
        return sm3.finalize().hex()
    return hashlib.sha256(content).hexdigest()


def leave(path: Path, content: bytes, *, algorithm: str = "SHA256", flag: bool = True) -> None:
    """Write a file as banks do: under another name, then its own, then its flag."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.tmp")
    part.write_bytes(content)
    part.replace(path)
    if flag:
        text = f"{len(content)}|{content.count(END)}|{algorithm}|{digest(content, algorithm)}\r\n"
        path.with_name(f"{path.name}.ok").write_text(text, encoding="ascii", newline="")
