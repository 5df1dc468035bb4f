"""The tax authority and the registrar: which months they have, and the files that they put into a folder, with their faults.

Written from docs/tax-and-registrar-files.md. A month is told to the tax authority by one call; the day's list takes what waits. The
registrar answers what the lists had. Asked for the same day again, each writes that day's file anew, right this time.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify

from sandbox.control import BadOrderError, asked, complain, guard, needed
from sandbox.core import BEIJING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sandbox.core import Core
    from sandbox.store import Db, Row

COMMON = ("电子税票号码", "证件号码", "险种", "费款所属期", "缴费类型", "金额(分)")
COLUMNS = {
    "TAX": (*COMMON, "缴费渠道", "支付单号", "入库日期"),
    "REGISTRAR": (*COMMON, "记账结果", "原因", "记账日期"),
}
LINE_FAULTS = ("missing", "wrong_amount", "duplicate", "stranger", "refused")
"""Each with how many lines it befalls. `refused` is the registrar's; a missing line comes in the next file."""
FILE_FAULTS = ("wrong_total", "wrong_count", "no_flag", "wrong_flag", "cut")
STRANGER = "110101190001010019"
WAITING = {
    "TAX": "SELECT * FROM authority_months WHERE authority = ? AND listed_on = '' ORDER BY id",
    "REGISTRAR": "SELECT * FROM authority_months WHERE authority = ? AND listed_on <> '' AND answered_on = '' ORDER BY id",
}
TAKE = {
    "TAX": "UPDATE authority_months SET listed_on = ? WHERE id = ?",
    "REGISTRAR": "UPDATE authority_months SET answered_on = ? WHERE id = ?",
}
OF_DAY = {
    "TAX": "SELECT * FROM authority_months WHERE authority = ? AND listed_on = ? ORDER BY id",
    "REGISTRAR": "SELECT * FROM authority_months WHERE authority = ? AND answered_on = ? ORDER BY id",
}
FIELDS = ("id_number", "insurance_type", "coverage_month", "amount_fen")


@dataclass(frozen=True)
class Line:
    """One month as it will stand in a file."""

    receipt_no: str
    id_number: str
    insurance_type: str
    coverage_month: int
    kind: str
    amount_fen: int
    channel: str
    payment_no: str
    on: str
    reason: str = ""

    def cells(self, kind: str) -> tuple[str, ...]:
        common = (
            self.receipt_no,
            self.id_number,
            self.insurance_type,
            str(self.coverage_month),
            self.kind,
            str(self.amount_fen),
        )
        if kind == "TAX":
            return (*common, self.channel, self.payment_no, self.on)
        return (*common, "2" if self.reason else "1", self.reason, self.on)


def file_of(kind: str, authority: str, day: str, lines: list[Line], *, fault: str | None = None) -> bytes:
    """Write a whole file: a line about itself, the names of the columns, and the lines."""
    count, total = len(lines), sum(line.amount_fen for line in lines)
    if fault == "wrong_count":
        count += 1
    if fault == "wrong_total":
        total += 1
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow((kind, authority, day, count, total))
    writer.writerow(COLUMNS[kind])
    writer.writerows(line.cells(kind) for line in lines)
    return out.getvalue().encode("gb18030")


def put(folder: Path, name: str, content: bytes, *, fault: str | None = None) -> None:
    """Put a file under its name at once and its flag last, as whoever is not to be read half does."""
    folder.mkdir(parents=True, exist_ok=True)
    flag = f"{len(content)}|{hashlib.sha256(content).hexdigest()}"
    if fault == "wrong_flag":
        flag = f"{len(content)}|{'0' * 64}"
    kept = content[: len(content) * 2 // 3] if fault == "cut" else content
    # An older file's flag would call this one whole.
    (folder / f"{name}.ok").unlink(missing_ok=True)
    for ending, what in (("", kept), *(() if fault == "no_flag" else ((".ok", flag.encode()),))):
        half = folder / f".{name}{ending}.half"
        half.write_bytes(what)
        half.replace(folder / f"{name}{ending}")


def tell(db: Db, *, authority: str, month: dict[str, Any]) -> None:
    """Somebody paid this month, here or at the tax authority's own window; the same payment told twice is one."""
    missing = [field for field in FIELDS if not month.get(field)]
    if missing:
        raise BadOrderError(f"a month needs {', '.join(missing)}")
    key = (
        authority, str(month["id_number"]).upper(), str(month["insurance_type"]), int(month["coverage_month"]),
        str(month.get("kind") or "1"), str(month.get("payment_no") or ""),
    )  # fmt: skip
    number = db.execute("SELECT COUNT(*) FROM authority_months").fetchone()[0] + 1
    receipt = str(month.get("receipt_no") or f"{authority.rpartition('-')[2]}{number:012d}")
    db.execute(
        "INSERT OR IGNORE INTO authority_months (authority, id_number, insurance_type, coverage_month, kind, payment_no, receipt_no,"
        " amount_fen, channel) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*key, receipt, int(month["amount_fen"]), str(month.get("channel") or "")),
    )


class Wishes:
    """Which faults befall a file, by how many lines; repeatable by its seed."""

    def __init__(self, given: dict[str, Any]) -> None:
        wished = given.get("faults") or {}
        if not isinstance(wished, dict) or (unknown := set(wished) - {*LINE_FAULTS, *FILE_FAULTS}):
            raise BadOrderError(f"faults are {', '.join((*LINE_FAULTS, *FILE_FAULTS))}; {unknown or wished} is none")
        self.lines = {name: int(wished.get(name, 0)) for name in LINE_FAULTS}
        self.file = next((name for name in FILE_FAULTS if wished.get(name)), None)
        self.dice = random.Random(str(given.get("seed", "")))

    def pick(self, rows: list[Any], fault: str) -> list[Any]:
        return self.dice.sample(rows, min(self.lines[fault], len(rows)))


def write_day(core: Core, kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """Take what waits into the day's file, and write it."""
    authority, day, wishes = needed(given, "authority"), needed(given, "day").replace("-", ""), Wishes(given)
    dt.datetime.strptime(day, "%Y%m%d").replace(tzinfo=BEIJING)
    with core.store.transaction() as db:
        for month in given.get("months") or []:
            tell(db, authority=authority, month=month)
        waiting = db.execute(WAITING[kind], (authority,)).fetchall()
        left_out = {row["id"] for row in wishes.pick(waiting, "missing")}
        db.executemany(TAKE[kind], [(day, row["id"]) for row in waiting if row["id"] not in left_out])
        rows = db.execute(OF_DAY[kind], (authority, day)).fetchall()
    lines = [_line(row, on=day) for row in rows]
    refused = set(wishes.pick([line.receipt_no for line in lines], "refused")) if kind == "REGISTRAR" else set()
    lines = [Line(**{**vars(line), "reason": "ACCOUNT_TYPE" if line.receipt_no in refused else ""}) for line in lines]
    lines = _spoiled(lines, wishes)
    name = f"{kind}_{authority}_{day}.csv"
    put(core.authority_files, name, file_of(kind, authority, day, lines, fault=wishes.file), fault=wishes.file)
    return {
        "file": str(core.authority_files / name),
        "lines": len(lines),
        "total_fen": sum(line.amount_fen for line in lines),
        "left_out": len(left_out),
    }


def _line(row: Row, *, on: str) -> Line:
    return Line(
        receipt_no=row["receipt_no"], id_number=row["id_number"], insurance_type=row["insurance_type"],
        coverage_month=row["coverage_month"], kind=row["kind"], amount_fen=row["amount_fen"], channel=row["channel"],
        payment_no=row["payment_no"], on=on,
    )  # fmt: skip


def _spoiled(lines: list[Line], wishes: Wishes) -> list[Line]:
    """Lines with another amount, lines twice, and lines about people whom nobody knows."""
    wrong = set(wishes.pick(lines, "wrong_amount"))
    spoiled = [Line(**{**vars(line), "amount_fen": line.amount_fen + 1}) if line in wrong else line for line in lines]
    spoiled += wishes.pick(spoiled, "duplicate")
    strangers = wishes.pick(lines, "stranger")
    spoiled += [
        Line(**{**vars(line), "receipt_no": f"9{line.receipt_no}", "id_number": STRANGER, "payment_no": ""})
        for line in strangers
    ]
    wishes.dice.shuffle(spoiled)
    return spoiled


def confirmed_fen(core: Core) -> dict[str, int]:
    """What each tax authority's lists had, in fen: what its treasury really holds."""
    rows: Iterable[Row] = core.store.rows(
        "SELECT authority, SUM(amount_fen) AS fen FROM authority_months WHERE listed_on <> '' GROUP BY authority"
    )
    return {row["authority"]: row["fen"] for row in rows}


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("authorities", __name__, url_prefix="/_sandbox")
    door.before_request(guard)
    for kind in (LookupError, ValueError, TypeError):
        door.register_error_handler(kind, complain)

    @door.post("/tax-months")
    def tell_months() -> tuple[Response, int]:
        given = asked()
        with core.store.transaction() as db:
            for month in given.get("months") or []:
                tell(db, authority=needed(given, "authority"), month=month)
        return jsonify(told=len(given.get("months") or [])), 201

    @door.post("/tax-list")
    def write_tax_list() -> tuple[Response, int]:
        return jsonify(write_day(core, "TAX", asked())), 201

    @door.post("/registrar-list")
    def write_registrar_list() -> tuple[Response, int]:
        return jsonify(write_day(core, "REGISTRAR", asked())), 201

    @door.get("/treasury")
    def show_treasury() -> Response:
        return jsonify(confirmed_fen(core))

    return door
