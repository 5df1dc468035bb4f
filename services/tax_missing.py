"""Paid, and in no list of the tax authority's for longer than the region's days: told as a difference, and written out to be sent again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from config.clock import BEIJING
from config.logs import logger
from models.reconciliation import Reconciliation, ReconciliationState
from providers.authorities.lists import ListKind
from services.authority_lists import account_of
from services.working_days import after

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from config.rulebook import Region
    from services.ports import Ports

log = logger(__name__)

WHO: Final = "tell_tax_missing"
FAR_ENOUGH: Final = 120
"""No holiday puts more calendar days between a few working days."""

# Once a month, until the list has it or two of the staff said why it never will.
TELL: Final = text("""
    INSERT INTO reconciliation_differences (
        reconciliation_id, kind, subject, payment_no, provider_payment_no, refund_key, bill_fen, our_fen, currency, happened_at, is_done,
        bill_id, insurance_type, coverage_month, first_seen_at, seen_run)
    SELECT :reconciliation_id, 'TAX_MISSING', 'MONTH', p.payment_no, coalesce(p.provider_payment_no, ''), b.bill_no, NULL, r.amount_fen,
        'CNY', r.paid_at, true, b.id, b.insurance_type, b.coverage_month, :now, :run
    FROM contribution_records r JOIN contribution_bills b ON b.id = r.bill_id AND b.state = 'PAID'
        JOIN payments p ON p.id = r.payment_id
    WHERE r.state = 'PAID' AND r.paid_at < :before AND b.authority = :authority AND b.region = :region
        AND NOT EXISTS (SELECT FROM reconciliation_differences d WHERE d.bill_id = b.id AND d.kind = 'TAX_MISSING'
            AND (d.resolved_at IS NULL OR d.resolved_by IS NOT NULL))
    ORDER BY r.paid_at, r.id
    ON CONFLICT ON CONSTRAINT uq_reconciliation_differences_one_a_row DO UPDATE SET resolved_at = NULL, resolution = NULL
""")
OVER: Final = text("""
    UPDATE reconciliation_differences d SET resolved_at = :now, resolution = 'agrees by now', explained_at = NULL, explained_by = NULL
    FROM contribution_bills b
    WHERE d.kind = 'TAX_MISSING' AND d.resolved_at IS NULL AND b.id = d.bill_id AND b.state <> 'PAID'
""")
OPEN: Final = text("""
    SELECT b.authority, d.payment_no, d.provider_payment_no, b.bill_no, d.insurance_type, d.coverage_month, d.our_fen, d.happened_at
    FROM reconciliation_differences d JOIN contribution_bills b ON b.id = d.bill_id
    WHERE d.kind = 'TAX_MISSING' AND d.resolved_at IS NULL ORDER BY b.authority, d.happened_at, d.id
""")


@dataclass(frozen=True, kw_only=True)
class MissingMonth:
    """What is to be sent to the tax authority once more. It knows the person by the payment; no name and no ID number stand here."""

    authority: str
    payment_no: str
    provider_payment_no: str
    bill_no: str
    insurance_type: str
    coverage_month: int
    amount_fen: int
    paid_at: datetime


def tell_tax_missing(ports: Ports) -> int:
    """The sweep: tell what waits too long, and end what does not any more; answers how many are new. Safe late, twice or never."""
    told = 0
    for region in ports.rulebook.regions.values():
        if not region.authority or region.header.figures_only:
            continue
        before = waits_since(ports, region)
        with ports.begin() as session:
            row = _today(ports, session, account=account_of(ListKind.TAX, region.authority))
            given = {"authority": region.authority, "region": region.code, "before": before, "now": ports.now()}
            more = {"reconciliation_id": row.id, "run": row.runs}
            told += session.connection().execute(TELL, {**given, **more}).rowcount
    with ports.begin() as session:
        session.execute(OVER, {"now": ports.now()})
    if told:
        log.warning("tax.missing", count=told)
    return told


def waits_since(ports: Ports, region: Region) -> datetime:
    """Whatever was paid before this moment is late by now: its working days are over."""
    today, days = ports.today(), region.tax_confirms_within_working_days
    for back in range(1, FAR_ENOUGH):
        day = today - timedelta(days=back)
        if after(region, datetime.combine(day, time(12), BEIJING), days).day < today:
            return datetime.combine(day + timedelta(days=1), time.min, BEIJING)
    raise ValueError(f"{region.code}: {days} working days reach further back than {FAR_ENOUGH} days")


def missing_months(ports: Ports) -> list[MissingMonth]:
    """What waits too long and nobody explained, by authority, the oldest first."""
    with ports.begin() as session:
        return [MissingMonth(**dict(zip(MissingMonth.__dataclass_fields__, row, strict=True))) for row in session.execute(OPEN)]


def _today(ports: Ports, session: Session, *, account: str) -> Reconciliation:
    """The row of today, which nobody signs before tomorrow. A day without a list is compared with nothing."""
    session.execute(insert(Reconciliation).values(merchant_account=account, day=ports.today()).on_conflict_do_nothing())
    wanted = select(Reconciliation).where(Reconciliation.merchant_account == account, Reconciliation.day == ports.today())
    row: Reconciliation = session.scalars(wanted.with_for_update()).one()
    if row.state == ReconciliationState.OPEN:
        row.compare(who=WHO, at=ports.now())
        row.has_bill = False
        session.flush()
    return row
