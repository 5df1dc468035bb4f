"""Days against the providers' bills as the staff see them: a month of days by merchant account, one day, and its differences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, true

from models.reconciliation import Reconciliation, ReconciliationDifference

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
    asked_at: datetime | None
    """When one of the staff asked for a comparison; the worker makes it (services/reconciliation_asking.py)."""
    asked_by: str | None
    answered_at: datetime | None
    ask_fault: str | None

    @property
    def is_asked(self) -> bool:
        """Asked for, and not made yet."""
        return self.asked_at is not None and self.answered_at is None


@dataclass(frozen=True, kw_only=True)
class DifferenceView:
    """A difference as people see it. Amounts in fen."""

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
    why: str | None
    """What is in the way of a line of an authority's list."""
    insurance_type: str | None
    coverage_month: int | None
    line: int | None
    """Where it stands in an authority's file."""
    first_seen_at: datetime
    explained_at: datetime | None
    explained_by: str | None
    """Who said why; somebody else has to agree."""
    resolved_at: datetime | None
    resolved_by: str | None
    resolution: str | None
    next_step: str

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None


NEXT_STEPS = {
    "PSP_ONLY": "对方已有此笔而本系统没有：再次运行 canbao reconcile；仍在的，到商户平台核实该笔",
    "LOCAL_ONLY": "本系统已入账（或已退）而对方账单没有：到商户平台按对方单号核实，跨日的可能在相邻日期的账单中",
    "AMOUNT_DIFF": "双方金额不同：以对方账单为准查明原因，运行 canbao explain 核对该笔资金",
    "TAX_MISSING": "本系统已收款而税务迟迟未入库：运行 canbao tax-missing，把该笔重新报送税务",
    "TAX_EXTRA": "税务清单有此笔而本系统不能确认：到税务核实该笔",
    "REFUND_CROSSED": "该月已退或正退给付款人，税务却已入库：与税务核对，由税务退库或补收，两处不得都退",
    "NOT_CONFIRMED": "社保已回盘而税务尚未确认：等税务清单到达后再次读入，会自动记账",
    "NOT_POSTED": "社保未能记账：按对方原因与社保经办机构核实后请其重新回盘",
    "REGISTRAR_EXTRA": "社保回盘有此笔而本系统没有：与社保经办机构核实",
}
"""Kind of a difference → what a person does about it."""
REASONS = {
    "UNKNOWN_PERSON": "清单上的证件号码没有登记：核实参保登记，登记后再次读入",
    "NO_SUCH_MONTH": "此人没有该月的应缴：核实险种、所属期和参保登记",
    "BEING_PAID": "该月正在支付：支付有结果后再次读入，会自动处理",
    "CONFIRMED_TWICE": "该月已由另一张税票确认：可能重复缴费，与税务核实由哪一方退款",
    "OTHER_PAYMENT": "清单写明的支付单号不是缴纳该月的那一笔：运行 canbao explain 核对两笔资金",
    "TAKE_IN": "税务收了该月而本系统未能补记：再次读入；仍在的，运行 canbao explain 核对",
    "TRADES": "对方资金账单的收款合计与交易账单不同：以资金账单为准，到商户平台核实",
    "REFUNDS": "对方资金账单的退款合计与交易账单不同：以资金账单为准，到商户平台核实",
    "FEES": "对方资金账单的手续费与交易账单不同：以资金账单为准，到商户平台核实",
    "WITHDRAW": "该月有一笔退款尚未发出也未能撤回：再次读入",
    "POSTED_BEFORE": "社保先已记账、现又回盘未记账：与社保经办机构核实",
}
"""Why a line of an authority's list cannot be carried out, or which sum differs → what a person does about it."""


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


def read_accounts_day(ports: Ports, *, day: date, accounts: Collection[str] | None = None) -> dict[str, DayView | None]:
    """A day of every merchant account whose bills are fetched, and of any other that has one; None: never compared."""
    with ports.begin() as session:
        rows = {row.merchant_account: row for row in _days(session, Reconciliation.day == day, _seen(accounts))}
    configured = set(ports.daily_bills) if accounts is None else set(ports.daily_bills) & set(accounts)
    return {account: rows.get(account) for account in sorted(configured | set(rows))}


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
        rows = [view_of(row, its_day) for row, its_day in session.execute(wanted)]
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
            asked_at=row.asked_at,
            asked_by=row.asked_by,
            answered_at=row.answered_at,
            ask_fault=row.ask_fault,
        )
        for row, opened, told in rows
    ]


def view_of(row: ReconciliationDifference, day: Reconciliation) -> DifferenceView:
    """With its next step. Pure."""
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
        why=row.why,
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


def next_step(kind: str, why: str | None) -> str:
    """What a person does about a difference."""
    return REASONS.get(why or "", NEXT_STEPS[kind])


def _seen(accounts: Collection[str] | None) -> ColumnElement[bool]:
    return true() if accounts is None else Reconciliation.merchant_account.in_(sorted(accounts))
