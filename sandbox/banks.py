"""Banks that debit by file: each works through its folder when it is told to, takes money, and answers with results and with mistakes.

A line is debited once, whatever is sent again: the ledger knows it by unit, day, batch and number.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox import bank_files
from sandbox.bank_files import CODES, REASONS, BadFileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.store import Row, Store
    from sandbox.world import BankUnit

LINE_FAULTS = ("insufficient", "frozen", "name_mismatch", "agreement_invalid", "inactive", "limit", "timeout", "system_error")
FILE_FAULTS = (
    "wrong_total",
    "missing_flag",
    "unknown_line",
    "duplicate_line",
    "other_batch",
    "partial",
    "late",
    "damaged",
)
UNUSED_BATCH = 9999
LINES = """
    SELECT unit, date, batch, seq, memo, amount_fen, code, taken, serial, told,
        (SELECT coalesce(sum(p.amount_fen), 0) FROM bank_payouts p
            WHERE p.unit = l.unit AND p.paid_serial = l.serial AND p.code = 'success') AS refunded_fen
    FROM bank_lines l WHERE ? IS NULL OR unit = ? ORDER BY unit, date, batch, seq
"""
Told = dict[str, Any]


@dataclass(kw_only=True)
class Banks:
    """Every bank of the sandbox, over one store and one folder with a pair of folders for each unit."""

    store: Store
    folder: Path
    units: dict[str, BankUnit]
    clock: Callable[[], float]

    def set_account(self, card: str, *, state: str = "", balance_fen: int | None = None) -> None:
        """From now on this card answers so: one of LINE_FAULTS, or what lies on it. Without either it is well and rich again."""
        if state and state not in LINE_FAULTS:
            raise BadFileError(f"no card is {state!r}; known are {', '.join(LINE_FAULTS)}")
        with self.store.transaction() as db:
            db.execute("INSERT OR REPLACE INTO bank_accounts VALUES (?, ?, ?)", (card, state, balance_fen))

    def misbehave_at_random(self, *, seed: str, rate: float) -> None:
        """From now on about `rate` of all lines fail, always the same for the same seed and payment number."""
        self.store.keep_setting("bank_chance", {"seed": seed, "rate": rate})

    def work(self, unit: str | None = None, *, file_fault: str | None = None) -> Told:
        """Take what lies in the folders, debit it, and write what is to be told; answers what was done.

        `file_fault` bends the result files of this once; the next time they come right.
        """
        if file_fault is not None and file_fault not in FILE_FAULTS:
            raise BadFileError(f"no file fault is called {file_fault!r}; known are {', '.join(FILE_FAULTS)}")
        done: Told = {"taken": [], "refused": [], "written": []}
        for each in [self.units[unit]] if unit else self.units.values():
            self._take(each, done)
            self._tell(each, done, file_fault)
        return done

    def money(self) -> dict[str, int]:
        """What each unit's account holds, in fen."""
        held = {f"bank_debit:{unit}": 0 for unit in self.units}
        for row in self.store.rows("SELECT unit, sum(amount_fen) AS fen FROM bank_lines WHERE taken = 1 GROUP BY unit"):
            held[f"bank_debit:{row['unit']}"] = row["fen"]
        for row in self.store.rows(
            "SELECT unit, sum(amount_fen) AS fen FROM bank_payouts WHERE code = 'success' GROUP BY unit"
        ):
            held[f"bank_debit:{row['unit']}"] -= row["fen"]
        return held

    def lines(self, unit: str | None = None) -> list[Told]:
        """What the ledger says of every line, without whose card it was."""
        rows = self.store.rows(LINES, unit, unit)
        return [dict(row) for row in rows]

    def _take(self, unit: BankUnit, done: Told) -> None:
        out = self.folder / unit.way / "out"
        for path in sorted(out.glob("*.txt")) if out.is_dir() else []:
            if not path.with_name(f"{path.name}.ok").exists():
                continue
            kind = path.stem.rsplit("_", 1)[1].rstrip("0123456789")
            try:
                head, details = bank_files.read(unit.layout, kind, path, ours=(unit.unit, unit.contract))
                {"req": self._debit, "ask": self._look, "pay": self._pay_out}[kind](unit, head, details)
            except (BadFileError, KeyError, ValueError) as fault:
                done["refused"].append(f"{path.name}: {fault}")
                continue
            # Taken: nothing of ours stays in their folder.
            path.with_name(f"{path.name}.ok").unlink()
            path.unlink()
            done["taken"].append(path.name)

    def _debit(self, unit: BankUnit, head: bank_files.Fields, details: list[bank_files.Fields]) -> None:
        with self.store.transaction() as db:
            for line in details:
                key = (unit.unit, head["date"], int(head["batch"]), int(line["seq"]))
                if db.execute("SELECT 1 FROM bank_lines WHERE unit = ? AND date = ? AND batch = ? AND seq = ?", key).fetchone():
                    continue
                code = self._decide(line["account"], int(line["amount_fen"]), line["memo"])
                # What timed out may have been taken all the same: the bank itself finds out when it is asked.
                taken = code == "success" or (
                    code == "timeout" and _dice("timeout", f"{key[1]}:{key[3]}:{line['account']}").choice([True, False])
                )
                db.execute(
                    "INSERT INTO bank_lines (unit, date, batch, seq, memo, card, amount_fen, code, taken, serial, booked_on, told) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
                    (*key, line["memo"], line["account"], int(line["amount_fen"]), code, int(taken),
                     _serial(*key) if taken else "", _day(self.clock())),
                )  # fmt: skip
                if taken:
                    db.execute(
                        "UPDATE bank_accounts SET balance_fen = balance_fen - ? WHERE card = ? AND balance_fen IS NOT NULL",
                        (int(line["amount_fen"]), line["account"]),
                    )

    def _decide(self, card: str, amount_fen: int, memo: str) -> str:
        account = self.store.row("SELECT * FROM bank_accounts WHERE card = ?", card)
        if account is not None and account["state"]:
            return str(account["state"])
        if account is not None and account["balance_fen"] is not None and account["balance_fen"] < amount_fen:
            return "insufficient"
        chance = self.store.setting("bank_chance")
        if chance is not None:
            dice = _dice(chance["seed"], memo)
            if dice.random() < chance["rate"]:
                return dice.choice(LINE_FAULTS)
        return "success"

    def _look(self, unit: BankUnit, head: bank_files.Fields, details: list[bank_files.Fields]) -> None:
        """Asked what became of lines: what was unclear is cleared up, and told again."""
        with self.store.transaction() as db:
            for line in details:
                key = (unit.unit, head["date"], int(head["batch"]), int(line["seq"]))
                db.execute(
                    "UPDATE bank_lines SET told = 0, code = CASE WHEN code <> 'timeout' THEN code WHEN taken = 1 THEN 'success' "
                    "ELSE 'system_error' END WHERE unit = ? AND date = ? AND batch = ? AND seq = ?",
                    key,
                )

    def _pay_out(self, unit: BankUnit, head: bank_files.Fields, details: list[bank_files.Fields]) -> None:
        with self.store.transaction() as db:
            if db.execute("SELECT 1 FROM bank_payouts WHERE refund_no = ?", (head["refund_no"],)).fetchone():
                db.execute("UPDATE bank_payouts SET told = 0 WHERE refund_no = ?", (head["refund_no"],))
                return
            line = details[0]
            paid = db.execute(
                "SELECT * FROM bank_lines WHERE unit = ? AND serial = ? AND taken = 1", (unit.unit, line["paid_serial"])
            ).fetchone()
            back = db.execute(
                "SELECT coalesce(sum(amount_fen), 0) FROM bank_payouts WHERE paid_serial = ? AND code = 'success'",
                (line["paid_serial"],),
            ).fetchone()[0]
            amount = int(line["amount_fen"])
            enough = paid is not None and amount <= paid["amount_fen"] - back
            account = self.store.row("SELECT state FROM bank_accounts WHERE card = ?", paid["card"]) if paid else None
            frozen = account is not None and account["state"] == "frozen"
            code = "frozen" if frozen else "success" if enough else "system_error"
            db.execute(
                "INSERT INTO bank_payouts VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
                (head["refund_no"], unit.unit, line["paid_serial"], line["memo"], amount, code, _day(self.clock())),
            )

    def _tell(self, unit: BankUnit, done: Told, fault: str | None) -> None:
        rows = self.store.rows("SELECT * FROM bank_lines WHERE unit = ? AND told = 0 ORDER BY date, batch, seq", unit.unit)
        batches: dict[tuple[str, int], list[Row]] = {}
        for row in rows:
            batches.setdefault((row["date"], row["batch"]), []).append(row)
        for (date, batch), lines in batches.items():
            if fault != "late":
                done["written"].append(self._write_results(unit, date, batch, lines, fault))
        for row in self.store.rows("SELECT * FROM bank_payouts WHERE unit = ? AND told = 0", unit.unit):
            if fault != "late":
                done["written"].append(self._write_payout(unit, row))

    def _write_results(self, unit: BankUnit, date: str, batch: int, rows: list[Row], fault: str | None) -> str:
        whole = len(rows)
        rows = rows[: (whole + 1) // 2] if fault == "partial" else rows
        details = [self._result(unit, row) for row in rows]
        if fault == "unknown_line":
            details.append(
                {**details[-1], "seq": UNUSED_BATCH, "memo": "NEVERSENT", "serial": "STRAY" if details[-1]["serial"] else ""}
            )
        if fault == "duplicate_line":
            details.append(dict(details[0]))
        number = UNUSED_BATCH if fault == "other_batch" else batch
        part = self._next_part(unit, date, number)
        good = [each for each in details if each["code"] == CODES[unit.layout]["success"]]
        head = {
            "unit": unit.unit,
            "contract": unit.contract,
            "batch": number,
            "date": date,
            "part": part,
            "count": len(details),
            "total_fen": sum(each["amount_fen"] for each in details) + (fault == "wrong_total"),
            "ok_count": len(good),
            "ok_total_fen": sum(each["amount_fen"] for each in good),
        }
        content = bank_files.compose(unit.layout, "ret", head, details)
        if fault == "damaged":
            content = content[: len(content) // 2] + b"\xff\r\n"
        name = f"{unit.unit}_{date}_{number:04d}_ret{part:02d}.txt"
        bank_files.leave(self.folder / unit.way / "in" / name, content, algorithm=unit.flag, flag=fault != "missing_flag")
        if fault in ("wrong_total", "damaged", "missing_flag", "other_batch"):
            return name  # not told yet: the next time it comes right, under the same name
        with self.store.transaction() as db:
            for row in rows:
                db.execute(
                    "UPDATE bank_lines SET told = 1 WHERE unit = ? AND date = ? AND batch = ? AND seq = ?",
                    (unit.unit, date, batch, row["seq"]),
                )
            db.execute("INSERT OR REPLACE INTO bank_parts VALUES (?, ?, ?, ?)", (unit.unit, date, number, part))
        return name

    def _next_part(self, unit: BankUnit, date: str, batch: int) -> int:
        row = self.store.row(
            "SELECT part FROM bank_parts WHERE unit = ? AND date = ? AND batch = ?", unit.unit, date, batch
        )  # fmt: skip
        return 1 if row is None else int(row["part"]) + 1

    def _result(self, unit: BankUnit, row: Row) -> dict[str, Any]:
        success = row["code"] == "success"
        return {
            "seq": row["seq"],
            "amount_fen": row["amount_fen"],
            "code": CODES[unit.layout][row["code"]],
            "reason": REASONS[row["code"]],
            "serial": row["serial"] if success else "",
            "booked_on": row["booked_on"] if success else "",
            "memo": row["memo"],
        }

    def _write_payout(self, unit: BankUnit, row: Row) -> str:
        success = row["code"] == "success"
        head = {
            "unit": unit.unit, "contract": unit.contract, "refund_no": row["refund_no"], "count": 1, "total_fen": row["amount_fen"],
        }  # fmt: skip
        detail = {
            "seq": 1,
            "amount_fen": row["amount_fen"],
            "code": CODES[unit.layout][row["code"]],
            "reason": REASONS[row["code"]],
            "serial": f"R{_digest(row['refund_no'])}" if success else "",
            "booked_on": row["booked_on"] if success else "",
            "memo": row["memo"],
        }
        name = f"{unit.unit}_{row['refund_no']}_paid.txt"
        content = bank_files.compose(unit.layout, "paid", head, [detail])
        bank_files.leave(self.folder / unit.way / "in" / name, content, algorithm=unit.flag)
        with self.store.transaction() as db:
            db.execute("UPDATE bank_payouts SET told = 1 WHERE refund_no = ?", (row["refund_no"],))
        return name


def _day(at: float) -> str:
    return (datetime.fromtimestamp(at, UTC) + timedelta(hours=8)).strftime("%Y%m%d")


def _dice(seed: str, memo: str) -> random.Random:
    return random.Random(f"{seed}:{memo}")


def _serial(*key: object) -> str:
    return f"B{_digest(':'.join(map(str, key)))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20].upper()
