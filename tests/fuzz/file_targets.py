"""More targets (`targets.py`): files that others put into a folder of ours."""

from __future__ import annotations

import contextlib
import io
import re
from datetime import date

from providers.authorities.lists import AuthorityList, ListKind
from providers.bills import BillDamaged, BillRowKind
from providers.statements import statement_rows


def authority_or_statement_file(data: bytes) -> None:
    """A list of an authority's, or a statement: anybody's bytes, or any lines below a first line that agrees with them."""
    mode, rest = data[:1], data[1:]
    kind = ListKind.TAX if mode < b"\x80" else ListKind.REGISTRAR
    if mode[-1:] >= b"\x40" and not b"\x80" <= mode < b"\xc0":
        lines = [line for line in rest.split(b"\n") if line.strip()]
        sums = sum(int(line.split(b",")[5]) for line in lines[1:] if re.fullmatch(rb"([^,]*,){5}[0-9]{1,12}(,.*)?\r?", line))
        rest = f"{kind},tax-320400,20261121,{max(len(lines) - 1, 0)},{sums}\n".encode() + b"\n".join(lines)
    with contextlib.suppress(BillDamaged):
        for row in AuthorityList(io.BytesIO(rest), kind=kind).rows():
            assert row.amount_fen > 0
            assert 1 <= row.coverage_month % 100 <= 12
            assert row.id_number not in repr(row)
    with contextlib.suppress(BillDamaged):
        for line in statement_rows(io.BytesIO(data), channel="bank_debit", merchant="ICBC320400", day=date(2026, 11, 21)):
            assert (line.amount_fen > 0) == (line.kind is BillRowKind.TRADE)
