"""Days against the providers' bills as the staff see them: a month of days by merchant account, one day, and its differences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, true

from models.reconciliation import Reconciliation, ReconciliationDifference
from services.reconciliation import next_step

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from services.ports import Ports

A_PAGE: Final = 50


@dataclass(frozen=True, kw_only=True)
class DayView:
    """A merchant account's day. Amounts in fen; without a comparison there are none."""

    merchant_account: str
    day: date
    state: str
    runs: int
    compared_at: datetime | None
    has_bill: bool
    trades: int
    refunds: int
    matched: int
    trade_fen: int
    refund_fen: int
    fee_fen: int
    open_count: int
    """Differences that neither a later run nor two people have settled."""
    explained_count: int
    """Of these, those that one person has explained."""
    signed_by: str | None
    closed_by: str | None
    closed_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class DifferenceView:
    id: int
    merchant_account: str
    day: date
    kind: str
    subject: str
    payment_no: str
    provider_payment_no: str
    refund_key: str
    bill_fen: int | None
    our_fen: int | None
    currency: str
    happened_at: datetime
    insurance_type: str | None
    coverage_month: int | None
    line: int | None
    """Where it stands in an authority's file."""
    first_seen_at: datetime
    explained_at: datetime | None
    explained_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    resolution: str | None
    next_step: str

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """A month: its days, the latest first, and what is known of each for each merchant account."""

    accounts: list[str]
    days: list[date]
    cells: dict[tuple[str, date], DayView]


def read_calendar(ports: Ports, *, month: date, accounts: Collection[str] | None = None) -> Calendar:
    """The days of a month that are over. `month`: its first day. `accounts`: those that may be seen; None: all."""
    after = (month + timedelta(days=31)).replace(day=1)
    last = min(after, ports.today()) - timedelta(days=1)
    days = [last - timedelta(days=back) for back in range((last - month).days + 1)]
    with ports.begin() as session:
        rows = _days(session, Reconciliation.day >= month, Reconciliation.day < after, _seen(accounts))
    cells = {(row.merchant_account, row.day): row for row in rows}
    configured = set(ports.daily_bills) if accounts is None else set(ports.daily_bills) & set(accounts)
    return Calendar(accounts=sorted(configured | {account for account, _ in cells}), days=days, cells=cells)


def read_day(ports: Ports, *, merchant_account: str, day: date) -> DayView | None:
    """None where it was never compared."""
    with ports.begin() as session:
        rows = _days(session, Reconciliation.merchant_account == merchant_account, Reconciliation.day == day)
    return rows[0] if rows else None


def list_differences(
    ports: Ports,
    *,
    merchant_account: str | None = None,
    day: date | None = None,
    is_open: bool | None = None,
    accounts: Collection[str] | None = None,
    after: int | None = None,
    limit: int = A_PAGE,
) -> tuple[list[DifferenceView], int | None]:
    """A page of differences, the oldest first, and the id where the next goes on. Nothing said is all of them."""
    wanted = (
        select(ReconciliationDifference, Reconciliation)
        .join(Reconciliation, Reconciliation.id == ReconciliationDifference.reconciliation_id)
        .where(_seen(accounts))
        .order_by(ReconciliationDifference.id)
        .limit(limit + 1)
    )
    if merchant_account is not None:
        wanted = wanted.where(Reconciliation.merchant_account == merchant_account)
    if day is not None:
        wanted = wanted.where(Reconciliation.day == day)
    if is_open is not None:
        resolved = ReconciliationDifference.resolved_at
        wanted = wanted.where(resolved.is_(None) if is_open else resolved.is_not(None))
    if after is not None:
        wanted = wanted.where(ReconciliationDifference.id > after)
    with ports.begin() as session:
        rows = [_difference(row, its_day) for row, its_day in session.execute(wanted)]
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def count_for(ports: Ports, *, who: str, accounts: Collection[str] | None = None) -> int:
    """Differences that wait for this one of the staff: to be explained, or to be agreed to where another explained them."""
    each = ReconciliationDifference
    wanted = select(func.count()).select_from(each).join(Reconciliation, Reconciliation.id == each.reconciliation_id)
    with ports.begin() as session:
        asked = wanted.where(each.resolved_at.is_(None), each.explained_by.is_distinct_from(who), _seen(accounts))
        return session.scalar(asked) or 0


def _days(session: Session, *which: ColumnElement[bool]) -> list[DayView]:
    each = ReconciliationDifference
    still = (each.reconciliation_id == Reconciliation.id, each.resolved_at.is_(None))
    open_count = select(func.count()).where(*still).scalar_subquery()
    explained = select(func.count()).where(*still, each.explained_by.is_not(None)).scalar_subquery()
    rows = session.execute(select(Reconciliation, open_count, explained).where(*which))
    return [
        DayView(
            merchant_account=row.merchant_account,
            day=row.day,
            state=row.state,
            runs=row.runs,
            compared_at=row.compared_at,
            has_bill=row.has_bill,
            trades=row.trades,
            refunds=row.refunds,
            matched=row.matched,
            trade_fen=row.trade_fen,
            refund_fen=row.refund_fen,
            fee_fen=row.fee_fen,
            open_count=opened,
            explained_count=told,
            signed_by=row.signed_by,
            closed_by=row.closed_by,
            closed_at=row.closed_at,
        )
        for row, opened, told in rows
    ]


def _difference(row: ReconciliationDifference, day: Reconciliation) -> DifferenceView:
    return DifferenceView(
        id=row.id,
        merchant_account=day.merchant_account,
        day=day.day,
        kind=row.kind,
        subject=row.subject,
        payment_no=row.payment_no,
        provider_payment_no=row.provider_payment_no,
        refund_key=row.refund_key,
        bill_fen=row.bill_fen,
        our_fen=row.our_fen,
        currency=row.currency,
        happened_at=row.happened_at,
        insurance_type=row.insurance_type,
        coverage_month=row.coverage_month,
        line=row.line,
        first_seen_at=row.first_seen_at,
        explained_at=row.explained_at,
        explained_by=row.explained_by,
        resolved_at=row.resolved_at,
        resolved_by=row.resolved_by,
        resolution=row.resolution,
        next_step=next_step(row.kind, row.why),
    )


def _seen(accounts: Collection[str] | None) -> ColumnElement[bool]:
    return true() if accounts is None else Reconciliation.merchant_account.in_(sorted(accounts))
