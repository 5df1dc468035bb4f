"""The lists that end a month's way: the tax authority's makes it TAX_CONFIRMED (缴费成功), the registrar's POSTED (已记账).

A file is read to its end before anything of it is used. Then it goes by parts, a transaction each, so that nobody waits long behind a
big one and a kill costs one part; reading it again finds the rest. What stands in the way of a line is a difference of its day, which
two of the staff explain and sign like a day of a merchant account. ADR 22 says who yields where a list and a refund meet.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from config.logs import logger
from models.reconciliation import Reconciliation, ReconciliationDifference, ReconciliationState
from providers.authorities.lists import ListKind, open_list
from services.authority_list_steps import (
    Judged,
    hold_day,
    judge,
    note_differences,
    post,
    stage_lines,
    tax_confirm,
    to_do_first,
)
from services.reconciliation_errors import ReconciliationClosed
from services.reconciliation_steps import clear_those_gone
from services.tax_extra import take_in, withdraw

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime
    from pathlib import Path

    from providers.authorities.lists import AuthorityList, ListHead, ListLine
    from services.ports import Ports

log = logger(__name__)

PART: Final = 10_000
"""Lines a transaction: about a second's work."""
ACCOUNTS: Final = {ListKind.TAX: "tax", ListKind.REGISTRAR: "registrar"}


@dataclass(frozen=True, kw_only=True)
class ListRead:
    """What a list did. Amounts in fen."""

    account: str
    """`tax:{authority}` or `registrar:{authority}`: under this name its days are signed."""
    day: date
    lines: int
    total_fen: int
    moved: int
    """Months that went a step on."""
    taken_in: int
    """Of these, paid elsewhere and heard of only now."""
    known: int
    """Lines that an earlier reading had carried out already."""
    differences: int
    """What of this day is open."""


def account_of(kind: ListKind, authority: str) -> str:
    """The name of an authority's days among the reconciliations."""
    return f"{ACCOUNTS[kind]}:{authority}"


def last_read_at(ports: Ports, head: ListHead) -> datetime | None:
    """When a list of this authority and day was read to its end; None where it never was."""
    wanted = select(Reconciliation.compared_at).where(
        Reconciliation.merchant_account == account_of(head.kind, head.authority),
        Reconciliation.day == head.day,
        # A day may have been looked at without its list, for what the list lacks.
        Reconciliation.has_bill,
    )
    with ports.begin() as session:
        return session.scalar(wanted)


def read_tax_list(ports: Ports, path: Path, *, on_progress: Callable[[int, int], None] | None = None) -> ListRead:
    """Confirm the months of a tax authority's list. Again changes nothing.

    `on_progress` hears how many lines of how many are done. Raises BillNotReady, BillDamaged (then nothing of it was used), OSError,
    ReconciliationClosed.
    """
    return _read(ports, path, kind=ListKind.TAX, on_progress=on_progress)


def read_registrar_list(ports: Ports, path: Path, *, on_progress: Callable[[int, int], None] | None = None) -> ListRead:
    """Post the months of a registrar's return file. Again changes nothing. Raises as `read_tax_list` does."""
    return _read(ports, path, kind=ListKind.REGISTRAR, on_progress=on_progress)


def _read(ports: Ports, path: Path, *, kind: ListKind, on_progress: Callable[[int, int], None] | None) -> ListRead:
    with open_list(path, kind=kind) as given:
        given.check()
        reconciliation_id, run = _open_day(ports, given.head)
        moved = known = taken_in = done = 0
        rows = given.rows()
        while part := list(islice(rows, PART)):
            told = _work_off(ports, given.head, part, reconciliation_id=reconciliation_id, run=run)
            moved, known, taken_in, done = moved + told.moved, known + told.known, taken_in + told.taken_in, done + len(part)
            if on_progress is not None:
                on_progress(done, given.head.lines)
        return _close_reading(
            ports, given, reconciliation_id=reconciliation_id, run=run, moved=moved, known=known, taken_in=taken_in
        )


def _open_day(ports: Ports, head: ListHead) -> tuple[int, int]:
    """The day's row, and the number of this reading. Raises ReconciliationClosed."""
    account = account_of(head.kind, head.authority)
    with ports.begin() as session:
        session.execute(insert(Reconciliation).values(merchant_account=account, day=head.day).on_conflict_do_nothing())
        wanted = select(Reconciliation).where(Reconciliation.merchant_account == account, Reconciliation.day == head.day)
        row = session.scalars(wanted).one()
        if row.state == ReconciliationState.CLOSED:
            raise ReconciliationClosed
        return row.id, row.runs + 1


@dataclass(frozen=True, kw_only=True)
class _PartDone:
    moved: int
    known: int
    taken_in: int


def _work_off(ports: Ports, head: ListHead, lines: list[ListLine], *, reconciliation_id: int, run: int) -> _PartDone:
    """One part: what has to come first is done first, outside of the transaction; then the part is one."""
    judged = _in_one(ports, head, lines, reconciliation_id=reconciliation_id, run=run, is_last=False)
    taken_in = 0
    if judged.extras or judged.refunds_to_withdraw:
        for refund_id, bill_ids in judged.refunds_to_withdraw.items():
            withdraw(ports, refund_id=refund_id, confirmed=bill_ids)
        taken_in = sum(take_in(ports, authority=head.authority, extra=extra) for extra in judged.extras)
        judged = _in_one(ports, head, lines, reconciliation_id=reconciliation_id, run=run, is_last=True)
    return _PartDone(moved=judged.moved, known=judged.known, taken_in=taken_in)


def _in_one(ports: Ports, head: ListHead, lines: list[ListLine], *, reconciliation_id: int, run: int, is_last: bool) -> Judged:
    """Stage, judge, and carry out; where something must come first, nothing is carried out and that is what it answers."""
    rows = [(line, ports.seals.index("id_number", line.id_number)) for line in lines]
    with ports.begin() as session:
        hold_day(session, reconciliation_id)
        stage_lines(session, [(line, index, key_of(line, index)) for line, index in rows])
        judge(session, head)
        if not is_last and (first := to_do_first(session, head)):
            return first
        now = ports.now()
        done = tax_confirm(session, now=now) if head.kind is ListKind.TAX else post(session, now=now)
        note_differences(session, head, reconciliation_id=reconciliation_id, run=run, now=now)
        return done


def key_of(line: ListLine, id_index: bytes) -> str:
    """The number of what a line says, the same in every file that says it: 24 of 0-9A-F. Who reads it learns nothing of the person."""
    said = f"{line.receipt_no}|{line.insurance_type}|{line.coverage_month}|{line.kind}|".encode() + id_index
    return hashlib.sha256(said).hexdigest()[:24].upper()


def _close_reading(
    ports: Ports, given: AuthorityList, *, reconciliation_id: int, run: int, moved: int, known: int, taken_in: int
) -> ListRead:
    head, now = given.head, ports.now()
    with ports.begin() as session:
        row = session.get_one(Reconciliation, reconciliation_id, with_for_update=True)
        if row.state == ReconciliationState.CLOSED:
            raise ReconciliationClosed
        row.compare(who="authority_lists", at=now)
        row.has_bill, row.trades, row.trade_fen, row.matched = True, head.lines, head.total_fen, moved + known
        clear_those_gone(session, reconciliation_id=reconciliation_id, run=run, now=now)
        differences = session.scalar(
            select(func.count())
            .select_from(ReconciliationDifference)
            .where(
                ReconciliationDifference.reconciliation_id == reconciliation_id, ReconciliationDifference.resolved_at.is_(None)
            )
        )
        told = ListRead(
            account=row.merchant_account,
            day=head.day,
            lines=head.lines,
            total_fen=head.total_fen,
            moved=moved,
            taken_in=taken_in,
            known=known,
            differences=differences or 0,
        )
    log.info("list.read", account=told.account, day=str(told.day), lines=told.lines, moved=told.moved, open=told.differences)
    return told
