"""Making a debit run: from unpaid bills and agreements in force to batches, some persons a transaction.

A making that was killed goes on where it was: what stands in a batch is locked, so it is not found again; and a bill that was in a run of a day is
in no other of that day, however it ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from models.bills import BillKind, ContributionBill
from models.debits import BatchState, DebitBatch, DebitInstruction, DebitRun
from models.orders import OrderOrigin
from services.arrays import array
from services.consents import NAME_NOT_TAKEN_BACK
from services.debit_calendar import files_are_due, result_due_at, runs, terms_of
from services.outside_orders import OutsideOrder, place_outside
from services.payment_reminders import as_arrays

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from config.rulebook import DebitTerms, Region
    from providers.bank_files import DebitProvider
    from services.debit_calendar import Run
    from services.ports import Ports

WHO: Final = "make_debits"
CHUNK: Final = 50
"""Persons a transaction: their bills are held no longer than that takes."""

# A bill is taken once a run day: NOT EXISTS says so, and the lock of a bill in flight says it again. Without a word about the card's
# financial function the bank is tried: only a no is a no (R-CZ-41).
WANTED = """
    FROM withholding_agreements a
        JOIN enrollments e ON e.person_id = a.person_id AND e.region = a.region AND e.insurance_type = a.insurance_type
        JOIN contribution_bills b ON b.enrollment_id = e.id
        JOIN unnest(CAST(:insurances AS text[]), CAST(:kinds AS text[]), CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[]))
            AS p(insurance_type, kind, first, last)
            ON p.insurance_type = b.insurance_type AND p.kind = b.kind AND b.coverage_month BETWEEN p.first AND p.last
    WHERE a.state = 'ACTIVE' AND a.financial_function_activated IS NOT FALSE AND a.region = :region
        AND e.state = 'ACTIVE' AND e.pooling_area = ANY(CAST(:areas AS text[]))
        AND b.state = 'UNPAID' AND b.authority = a.authority AND (e.end_month IS NULL OR b.coverage_month < e.end_month)
"""
NOT_YET = """
        AND NOT EXISTS (SELECT 1 FROM payment_order_lines l JOIN payments q ON q.order_id = l.order_id
            JOIN debit_instructions i ON i.payment_id = q.id JOIN debit_batches d ON d.id = i.batch_id
            WHERE l.bill_id = b.id AND d.run_day = :run_day)
"""
AGREEMENTS = text(f"""
    SELECT x.id FROM withholding_agreements x
    WHERE x.authority = :authority AND x.bank = :bank AND x.id > :after AND EXISTS (SELECT 1 {WANTED} {NOT_YET} AND a.id = x.id)
    ORDER BY x.id LIMIT :limit FOR SHARE OF x
""")  # noqa: S608 - both halves stand above
BILLS = text(f"SELECT a.id, b.id {WANTED} {NOT_YET} AND a.id = ANY(CAST(:ids AS uuid[])) ORDER BY b.id FOR UPDATE OF b")
# Whose agreement it is hears of it: by the account that signed it, or the one that signed in last; not after taking the name back.
REACHED = text(f"""
    SELECT DISTINCT ON (w.id) w.id, a.id FROM withholding_agreements w JOIN accounts a ON a.person_id = w.person_id
    WHERE w.id = ANY(CAST(:ids AS uuid[])) AND a.closed_at IS NULL
        AND {NAME_NOT_TAKEN_BACK}
    ORDER BY w.id, (a.id = w.account_id) DESC NULLS LAST, a.signed_in_at DESC NULLS LAST, a.id DESC
""")  # noqa: S608 - our own words only
FIRST_ID: Final = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, kw_only=True)
class _Making:
    """One bank, one region, one run, and what the bank is told."""

    way: str
    provider: DebitProvider
    region: Region
    terms: DebitTerms
    run: Run

    @property
    def given(self) -> dict[str, Any]:
        return {
            "region": self.region.code,
            "authority": self.provider.authority,
            "bank": self.provider.bank,
            "areas": array(self.run.areas),
            "run_day": self.run.day,
            **as_arrays(self.run.payable),
        }


def make_debits(ports: Ports) -> int:
    """The sweep: on a run's day, from its hour on, every bank's batches; answers how many lines. Again finds nothing more to do."""
    made = 0
    for way, provider in sorted(ports.debit_banks.items()):
        due = _due(ports, way, provider)
        for making in due:
            made += _make(ports, making)
        close_run(ports, way=way, is_made=bool(due))
    return made


def _due(ports: Ports, way: str, provider: DebitProvider) -> list[_Making]:
    now, today, found = ports.now(), ports.today(), []
    for region in ports.rulebook.regions.values():
        terms = terms_of(region, today) if region.authority == provider.authority else None
        if terms is None or not files_are_due(terms, today, now):
            continue
        found += [
            _Making(way=way, provider=provider, region=region, terms=terms, run=run)
            for run in runs(region, first=today, last=today)
        ]
    return found if found and not _is_made(ports, way) else []


def _is_made(ports: Ports, way: str) -> bool:
    with ports.begin() as session:
        return session.get(DebitRun, (way, ports.today())) is not None


def _make(ports: Ports, making: _Making) -> int:
    made, after = 0, FIRST_ID
    while True:
        added = _add_some(ports, making, after=after)
        if added is None:
            return made
        count, after = added
        made += count


def _add_some(ports: Ports, making: _Making, *, after: str) -> tuple[int, str] | None:
    """Some more persons; how many lines, and after whom to go on. None: nobody is left."""
    now = ports.now()
    with ports.begin() as session:
        # One maker a bank: two would number the same lines.
        session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"make_debits:{making.way}"))))
        given = making.given
        ids = session.scalars(AGREEMENTS, {**given, "after": after, "limit": CHUNK}).all()
        if not ids:
            return None
        batch = _open_batch(session, making, now=now)
        ids = ids[: making.provider.most_lines - batch.lines]
        lines = _place(session, making, batch, ids, given, now=now)
        if batch.lines >= making.provider.most_lines:
            batch.close(who=WHO, at=now)
        return lines, str(ids[-1])


def _open_batch(session: Session, making: _Making, *, now: datetime) -> DebitBatch:
    of_day = (DebitBatch.way == making.way, DebitBatch.run_day == making.run.day)
    batch = session.scalar(select(DebitBatch).where(*of_day, DebitBatch.state == BatchState.MAKING).with_for_update())
    if batch is None:
        last = session.scalar(select(func.max(DebitBatch.number)).where(*of_day)) or 0
        batch = DebitBatch(
            way=making.way,
            run_day=making.run.day,
            number=last + 1,
            state=BatchState.MAKING,
            lines=0,
            total_fen=0,
            asks=0,
            result_due_at=result_due_at(making.region, making.terms, making.run.day),
            created_at=now,
        )
        session.add(batch)
        session.flush()
    return batch


def _place(
    session: Session, making: _Making, batch: DebitBatch, ids: Sequence[uuid.UUID], given: dict[str, Any], *, now: datetime
) -> int:
    """One order and one line for each agreement; answers how many."""
    pairs = session.execute(BILLS, {**given, "ids": array(ids)}).all()
    bills = {
        bill.id: bill
        for bill in session.scalars(select(ContributionBill).where(ContributionBill.id.in_([b for _, b in pairs])))
    }
    accounts: dict[uuid.UUID, uuid.UUID] = dict(session.execute(REACHED, {"ids": array(ids)}).all())
    persons: dict[uuid.UUID, uuid.UUID] = dict(session.execute(PERSONS, {"ids": array(ids)}).all())
    of: dict[uuid.UUID, list[ContributionBill]] = {}
    for agreement_id, bill_id in pairs:
        of.setdefault(agreement_id, []).append(bills[bill_id])
    for agreement_id in sorted(of):
        chosen = oldest_first(of[agreement_id], limit_fen=making.provider.line_limit_fen)
        new = OutsideOrder(
            origin=OrderOrigin.DEBIT,
            way=making.way,
            channel=making.provider.channel,
            merchant=making.provider.merchant,
            person_id=persons[agreement_id],
            payer_account_id=accounts.get(agreement_id),
            expires_at=batch.result_due_at,
        )
        order, payment = place_outside(session, bills=chosen, new=new, who=WHO, now=now)
        session.add(
            DebitInstruction(
                batch_id=batch.id,
                seq=batch.lines + 1,
                payment_id=payment.id,
                agreement_id=agreement_id,
                amount_fen=order.total_fen,
                created_at=now,
            )
        )
        batch.count(lines=1, total_fen=order.total_fen)
    session.flush()
    return len(of)


PERSONS = text("SELECT id, person_id FROM withholding_agreements WHERE id = ANY(CAST(:ids AS uuid[]))")


def oldest_first(bills: list[ContributionBill], *, limit_fen: int | None) -> list[ContributionBill]:
    """The bills of one line: the oldest month first, as long as the bank's limit of a line holds them. One that alone is beyond it goes
    all the same: then the bank says so, and the person hears why. Pure.
    """
    chosen: list[ContributionBill] = []
    total = 0
    for bill in sorted(bills, key=lambda each: (each.coverage_month, each.kind != BillKind.NORMAL, each.id)):
        if chosen and limit_fen is not None and total + bill.amount_fen > limit_fen:
            break
        chosen.append(bill)
        total += bill.amount_fen
    return sorted(chosen, key=lambda each: each.id)


def close_run(ports: Ports, *, way: str, is_made: bool) -> None:
    """Nothing is added any more: today, where the making is through; and to batches of earlier days, whose making was killed."""
    now, today = ports.now(), ports.today()
    with ports.begin() as session:
        session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"make_debits:{way}"))))
        making = select(DebitBatch).where(DebitBatch.way == way, DebitBatch.state == BatchState.MAKING)
        if not is_made:
            making = making.where(DebitBatch.run_day < today)
        for batch in session.scalars(making.with_for_update()).all():
            if batch.lines:
                batch.close(who=WHO, at=now)
            else:
                session.delete(batch)  # somebody else had taken every bill of it by the time that it was opened
        if is_made:
            session.execute(insert(DebitRun).values(way=way, run_day=today, made_at=now).on_conflict_do_nothing())
