"""The tax authority and the registrar: each night their files say which months the treasury has, and which are on the persons' accounts.

What the tax authority hears of a month is told by the simulation, as the collecting banks do it in life: what was paid on the day before.
A file that came with a fault is asked for again, and then it is right.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from jobs.simulation.clock import at
from services.list_folder import read_what_came
from services.tax_missing import tell_tax_missing

if TYPE_CHECKING:
    from datetime import date

    from jobs.simulation.month import Month

LINE_FAULTS: Final = ("wrong_amount", "duplicate", "stranger")
FILE_FAULTS: Final = ("wrong_total", "wrong_count", "no_flag", "wrong_flag", "cut")
KINDS: Final = ("tax-list", "registrar-list")
KIND_CODES: Final = {"NORMAL": "1", "SUPPLEMENT": "2"}
READS_AT: Final = ((9, 50), (14, 50))

PAID_BEFORE: Final = text("""
    SELECT r.id, q.id_number_index, b.authority, b.insurance_type, b.coverage_month, b.kind, b.amount_fen, p.channel, p.payment_no
    FROM contribution_records r JOIN contribution_bills b ON b.id = r.bill_id AND b.state = 'PAID'
        JOIN payments p ON p.id = r.payment_id JOIN enrollments e ON e.id = r.enrollment_id JOIN persons q ON q.id = e.person_id
    WHERE r.state = 'PAID' AND r.paid_at < :until ORDER BY r.id
""")


class Authorities:
    """No way of paying: what becomes of what was paid."""

    def __init__(self) -> None:
        self._id_numbers: dict[bytes, str] = {}
        self._told: set[int] = set()
        """Records that the tax authority has heard of; also of money that was reported to us days after it was taken."""

    def plan_day(self, month: Month, day: date) -> None:
        """Also on days when nobody pays: what was paid before is listed on."""
        month.diary.at(at(day, 3), partial(self._write, month, day))
        for hour, minute in READS_AT:
            month.diary.at(at(day, hour, minute), lambda: self._read(month))

    def _write(self, month: Month, day: date) -> None:
        """The lists of yesterday: the tax authority's of what was paid until then, the registrar's of what that list had."""
        for authority, months in sorted(self._paid_before(month, day).items()):
            month.place.street.ask("POST", "/tax-months", {"authority": authority, "months": months})
        for authority in self._authorities(month):
            for kind in KINDS:
                dice = month.chances.of(kind, authority, day)
                fault = dice.choice((*LINE_FAULTS, *FILE_FAULTS)) if month.chances.goes_wrong(dice) else None
                self._write_one(month, kind, authority, day, fault)
                if fault is not None:
                    month.tally[f"fault list {fault}"] += 1
                    month.diary.at(at(day, 14), partial(self._write_one, month, kind, authority, day, None))

    def _write_one(self, month: Month, kind: str, authority: str, day: date, fault: str | None) -> None:
        body: dict[str, Any] = {"authority": authority, "day": str(day - timedelta(days=1)), "seed": f"{month.chances.seed}"}
        month.place.street.ask("POST", f"/{kind}", {**body, "faults": {} if fault is None else {fault: 1}})

    def _paid_before(self, month: Month, day: date) -> dict[str, list[dict[str, Any]]]:
        ports = month.place.ports
        if not self._id_numbers:
            self._id_numbers = {ports.seals.index("id_number", each.id_number): each.id_number for each in month.residents}
        with ports.begin() as session:
            rows = [row for row in session.execute(PAID_BEFORE, {"until": at(day, 0)}) if row.id not in self._told]
        told: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            self._told.add(row.id)
            told.setdefault(row.authority, []).append(
                {
                    "id_number": self._id_numbers[bytes(row.id_number_index)],
                    "insurance_type": row.insurance_type,
                    "coverage_month": row.coverage_month,
                    "kind": KIND_CODES[row.kind],
                    "amount_fen": row.amount_fen,
                    "channel": row.channel,
                    "payment_no": row.payment_no,
                }
            )
        return told

    def _authorities(self, month: Month) -> list[str]:
        return sorted({each.authority for each in month.place.ports.partners.merchants.values()})

    def _read(self, month: Month) -> None:
        month.tally["months listed"] += read_what_came(month.place.ports)
        month.tally["months missing"] += tell_tax_missing(month.place.ports)
