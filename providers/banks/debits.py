"""One unit of ours at one bank: debits ordered and told by files, in the bank's own columns (a DebitProvider)."""

from __future__ import annotations

import hashlib
import re
from datetime import date
from typing import TYPE_CHECKING, Final

from providers.bank_files import BankFileDamaged, BatchKey, PayoutAnswer, ResultFile, ResultLine
from providers.banks.columns import FileKind
from providers.banks.money import read_payout_answer
from providers.banks.records import DETAIL, Unwritable, check_flag, flag_of, read_file, write_file, write_line
from providers.banks.transport import whole_name
from providers.protocols import Channel, ProviderUnreachable

if TYPE_CHECKING:
    from providers.bank_files import AskedLine, DebitLine
    from providers.banks.columns import Layout
    from providers.banks.records import Record
    from providers.banks.transport import Transport

RESIDENT_ID: Final = "01"
"""证件类型: the resident ID card."""
BATCH_FILE: Final = re.compile(r"([0-9A-Za-z]{1,10})_([0-9]{8})_([0-9]{4})_(req|ask[0-9]{2}|ret[0-9]{2})\.txt")

SANE_NAME: Final = re.compile(r"[0-9A-Za-z_.-]{1,120}")
"""What else lies in the folder is nobody's result, and its name might not even be text."""
PAYOUT_ANSWER_FILE: Final = re.compile(r"([0-9A-Za-z]{1,10})_([0-9A-Za-z]{1,32})_paid\.txt")


class BankFiles:
    """A DebitProvider."""

    channel = Channel.BANK_DEBIT

    def __init__(
        self,
        *,
        transport: Transport,
        layout: Layout,
        unit: str,
        contract: str,
        authority: str,
        bank: str,
        flag_algorithm: str = "SHA256",
        line_limit_fen: int | None = None,
        most_lines: int = 5000,
    ) -> None:
        self.merchant, self.authority, self.bank = unit, authority, bank
        self.line_limit_fen, self.most_lines = line_limit_fen, most_lines
        self._transport, self._layout, self._contract, self._algorithm = transport, layout, contract, flag_algorithm

    def __repr__(self) -> str:
        return f"BankFiles({self.merchant})"

    def faults_of(self, line: DebitLine) -> str | None:
        try:
            write_line(self._layout, DETAIL, self._layout.details[FileKind.REQUEST], _debit_values(line))
        except Unwritable as fault:
            return str(fault)
        return None

    def send(self, batch: BatchKey, lines: list[DebitLine]) -> None:
        head = {**self._batch_head(batch), **_sums([line.amount_fen for line in lines])}
        content = write_file(self._layout, FileKind.REQUEST, head, [_debit_values(line) for line in lines])
        self._put(self._name(batch, FileKind.REQUEST.value), content)

    def ask(self, batch: BatchKey, lines: list[AskedLine], *, inquiry: int) -> None:
        head = {**self._batch_head(batch), **_sums([line.amount_fen for line in lines])}
        details: list[dict[str, str | int]] = [
            {"seq": line.seq, "amount_fen": line.amount_fen, "memo": line.payment_no} for line in lines
        ]
        content = write_file(self._layout, FileKind.INQUIRY, head, details)
        self._put(self._name(batch, f"{FileKind.INQUIRY.value}{inquiry:02d}"), content)

    def arrived(self) -> list[str]:
        # Answers about payouts lie there too, and are read by whoever asks about the refund.
        names = [name for name in self._transport.arrived() if SANE_NAME.fullmatch(name)]
        return [name for name in names if PAYOUT_ANSWER_FILE.fullmatch(name) is None]

    def digest(self, name: str) -> bytes:
        content, _flag = self._fetch(name)
        return hashlib.sha256(content).digest()

    def read(self, name: str) -> ResultFile:
        content, flag = self._fetch(name)
        named = BATCH_FILE.fullmatch(name)
        if named is None or not named[4].startswith(FileKind.RESULT.value):
            raise BankFileDamaged(0, "its name is not one of a result")
        check_flag(flag, content)
        head, details = read_file(self._layout, FileKind.RESULT, content)
        said = head.values
        if (said["unit"], said["contract"]) != (self.merchant, self._contract) or named[1] != self.merchant:
            raise BankFileDamaged(1, "another unit or contract")
        if (said["date"], head.number("batch"), f"ret{head.number('part'):02d}") != (named[2], int(named[3]), named[4]):
            raise BankFileDamaged(1, "another batch than its name says")
        lines = tuple(self._result(record) for record in details)
        _check_sums(head, lines)
        run_day = head.day("date")
        if run_day is None or not head.number("batch") > 0:
            raise BankFileDamaged(1, "batch")
        return ResultFile(
            name=name,
            digest=hashlib.sha256(content).digest(),
            batch=BatchKey(run_day=run_day, number=head.number("batch")),
            part=head.number("part"),
            lines=lines,
        )

    def put_away(self, name: str) -> None:
        self._transport.put_away(name)

    def payout_answers(self) -> list[PayoutAnswer]:
        named = [(name, PAYOUT_ANSWER_FILE.fullmatch(name)) for name in self._transport.arrived()]
        return [self._answer(name, said[2]) for name, said in named if said is not None and said[1] == self.merchant]

    def _answer(self, name: str, refund_no: str) -> PayoutAnswer:
        content, flag = self._fetch(name)
        damage = None
        try:
            read_payout_answer(self._layout, content, flag, ours=(self.merchant, self._contract, refund_no))
        except BankFileDamaged as fault:
            damage = fault
        return PayoutAnswer(refund_no=refund_no, file_name=name, digest=hashlib.sha256(content).digest(), damage=damage)

    def is_waiting(self, batch: BatchKey) -> bool:
        return self._name(batch, FileKind.REQUEST.value) in self._transport.waiting()

    def take_back(self, batch: BatchKey) -> None:
        head = self._name(batch, "")[: -len(".txt")]
        for name in self._ours():
            if name.startswith(head):
                self._transport.take_back(name)

    def sweep(self, *, before: date) -> int:
        old = [name for name in self._ours() if (named := BATCH_FILE.fullmatch(name)) and _day(named[2]) < before]
        for name in old:
            self._transport.take_back(name)
        return len(old)

    def _ours(self) -> list[str]:
        there = {whole_name(name) for name in self._transport.waiting()}
        return sorted(name for name in there if BATCH_FILE.fullmatch(name) and name.startswith(f"{self.merchant}_"))

    def _fetch(self, name: str) -> tuple[bytes, bytes]:
        found = self._transport.fetch(name)
        if found is None:
            raise ProviderUnreachable("the file is gone")
        return found

    def _put(self, name: str, content: bytes) -> None:
        self._transport.put(name, content, flag_of(content, algorithm=self._algorithm))

    def _name(self, batch: BatchKey, kind: str) -> str:
        return f"{self.merchant}_{batch.run_day:%Y%m%d}_{batch.number:04d}_{kind}.txt"

    def _batch_head(self, batch: BatchKey) -> dict[str, str | int]:
        return {
            "unit": self.merchant,
            "contract": self._contract,
            "batch": batch.number,
            "date": f"{batch.run_day:%Y%m%d}",
        }

    def _result(self, record: Record) -> ResultLine:
        values = record.values
        result = self._layout.codes.get(values["code"])
        booked_on = record.day("booked_on")
        if result == "SUCCESS" and (not values["serial"] or booked_on is None):
            raise BankFileDamaged(record.line, "a success without serial or booking date")
        return ResultLine(
            line=record.line,
            seq=record.number("seq"),
            amount_fen=record.number("amount_fen"),
            code=values["code"],
            result=result,
            bank_serial=values["serial"] or None,
            booked_on=booked_on,
            payment_no=values["memo"],
            raw=record.raw,
        )


def _debit_values(line: DebitLine) -> dict[str, str | int]:
    return {
        "seq": line.seq,
        "account": line.account_number,
        "name": line.name,
        "id_type": RESIDENT_ID,
        "id_number": line.id_number,
        "amount_fen": line.amount_fen,
        "agreement_no": line.agreement_no,
        "memo": line.payment_no,
    }


def _sums(amounts: list[int]) -> dict[str, str | int]:
    return {"count": len(amounts), "total_fen": sum(amounts)}


def _check_sums(head: Record, lines: tuple[ResultLine, ...]) -> None:
    """The head's four figures against the lines. Raises BankFileDamaged."""
    good = [line.amount_fen for line in lines if line.result == "SUCCESS"]
    wanted = {
        "count": len(lines),
        "total_fen": sum(line.amount_fen for line in lines),
        "ok_count": len(good),
        "ok_total_fen": sum(good),
    }
    for column, reckoned in wanted.items():
        if head.number(column) != reckoned:
            raise BankFileDamaged(1, f"{column} is not what the lines say")


def _day(text: str) -> date:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return date.max
