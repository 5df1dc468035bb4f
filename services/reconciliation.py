"""Reconciliation (对账): a merchant account's day against the provider's own bill, as often as one likes.

    fetch     the bill, outside of any transaction; a day without trades has none, and is compared with nothing
    compare   one transaction: the whole bill into staging, or nothing of it; then by sets (services/reconciliation_steps.py)
    hear      what they moved and we never heard of goes into the inbox, as its notice would have, and is settled; then compared again

But for the provider's fees of the day nothing is booked here: the books follow news through the inbox, whoever brings it, and `bill:{day}:{number}` gets in once.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from config.logs import logger
from models.reconciliation import DifferenceSubject, Reconciliation, ReconciliationDifference, ReconciliationState
from providers.bills import BillDamaged, Funds, NoBill, is_made_up
from providers.protocols import NewsKind, PaymentNews, ProviderError
from services.counter_errors import SecondPersonRequired
from services.errors import NotFound
from services.inbox import receive
from services.reconciliation_errors import (
    ComparedMeanwhile,
    DayNotOver,
    DifferencesOpen,
    NoSuchMerchantAccount,
    ReconciliationClosed,
)
from services.reconciliation_money import book_fees, compare_funds
from services.reconciliation_steps import clear_those_gone, compare, missing, stage
from services.reconciliation_views import DifferenceView, view_of
from services.settlement import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.orm import Session

    from providers.bills import Bill, BillProvider
    from services.ports import Ports
    from services.reconciliation_steps import Missing

log = logger(__name__)

WHO = "reconcile"
DAYS_BACK = 7
"""How far back the sweep looks for days that were never compared."""
ROUNDS = 4
"""Money heard of in the first is settled before the second, and its refunds are heard of then; the last one only looks."""


@dataclass(frozen=True, kw_only=True)
class ReconciledDay:
    """How a day came out. Amounts in fen."""

    merchant_account: str
    day: date
    has_bill: bool
    trades: int
    refunds: int
    matched: int
    trade_fen: int
    refund_fen: int
    fee_fen: int
    heard: int
    """Notices that were missing, and are in the inbox now."""
    differences: int
    """What is still open."""


def reconcile(
    ports: Ports, *, merchant_account: str, day: date, on_progress: Callable[[int], None] | None = None
) -> ReconciledDay:
    """Compare a day with the provider's bill, hear what was missing, and tell what is left. `on_progress` hears how many rows are read.

    Again finds the same, or what changed. Raises NoSuchMerchantAccount, DayNotOver, ReconciliationClosed, BillDamaged (then nothing of
    the bill was used), BillNotReady, ProviderUnreachable, ProviderRefused.
    """
    provider = ports.daily_bills.get(merchant_account)
    if provider is None:
        raise NoSuchMerchantAccount
    if day >= ports.today():
        raise DayNotOver
    reconciliation_id, heard = _open(ports, merchant_account=merchant_account, day=day), 0
    with ExitStack() as leaving:
        bill: Bill | None = None
        try:
            bill = leaving.enter_context(provider.fetch(day, now=ports.now()))
        except NoBill:
            log.info("reconciliation.no_bill", merchant_account=merchant_account, day=str(day))
        funds = _funds(ports, provider, day=day) if bill is not None else None
        for _ in range(ROUNDS):
            told = _Told(bill=bill, funds=funds, counts_refunds_together=provider.counts_refunds_together)
            news = _compare(ports, reconciliation_id, told, on_progress=on_progress)
            new = sum(receive(ports, miniprogram=miniprogram, news=each, raw=None) for miniprogram, each in news)
            if not new:
                break
            heard += new
            while settle(ports):
                pass
    return _tell(ports, reconciliation_id, heard=heard)


def _funds(ports: Ports, provider: BillProvider, *, day: date) -> Funds | None:
    try:
        return provider.funds(day, now=ports.now())
    except NoBill:
        # Nothing moved on the account itself, on a day with a bill: that is told.
        return Funds(came_fen=0, went_fen=0, fee_fen=0)


def reconcile_what_is_due(ports: Ports) -> int:
    """Compare the days of the last week that never were; answers how many now are. What cannot be had now is due at the next run."""
    done = 0
    for merchant_account, day in days_due(ports):
        try:
            reconcile(ports, merchant_account=merchant_account, day=day)
        except BillDamaged as fault:
            # Nothing of it was used, and asking again brings the same file: a person has to ask the provider.
            told = {"merchant_account": merchant_account, "day": str(day), "line": fault.line, "what": fault.what}
            log.error("reconciliation.bill_damaged", **told)  # noqa: TRY400 - what is wrong is told, and no traceback knows more
        except ProviderError as fault:
            log.warning("reconciliation.no_answer", merchant_account=merchant_account, day=str(day), fault=type(fault).__name__)
        else:
            done += 1
    return done


def days_due(ports: Ports) -> list[tuple[str, date]]:
    """(account, day) whose bill ought to be there and that was never compared: the latest day first, of every account, a week back."""
    now, today = ports.now(), ports.today()
    days = [day for back in range(1, DAYS_BACK + 1) if is_made_up(day := today - timedelta(days=back), now=now)]
    with ports.begin() as session:
        compared = {
            (account, day)
            for account, day in session.execute(
                select(Reconciliation.merchant_account, Reconciliation.day).where(
                    Reconciliation.day.in_(days), Reconciliation.state != ReconciliationState.OPEN
                )
            )
        }
    return [(account, day) for day in days for account in sorted(ports.daily_bills) if (account, day) not in compared]


def _open(ports: Ports, *, merchant_account: str, day: date) -> int:
    with ports.begin() as session:
        session.execute(insert(Reconciliation).values(merchant_account=merchant_account, day=day).on_conflict_do_nothing())
        row = _of(session, merchant_account=merchant_account, day=day)
        if row.state == ReconciliationState.CLOSED:
            raise ReconciliationClosed
        return row.id


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What the provider says of a day."""

    bill: Bill | None
    funds: Funds | None
    counts_refunds_together: bool


def _compare(
    ports: Ports, reconciliation_id: int, told: _Told, *, on_progress: Callable[[int], None] | None
) -> list[tuple[str, PaymentNews]]:
    """One comparison, whole or not at all; answers what its notices would have told."""
    with ports.begin() as session:
        row = session.get_one(Reconciliation, reconciliation_id, with_for_update=True)
        if row.state == ReconciliationState.CLOSED:
            raise ReconciliationClosed
        stage(session, iter(()) if told.bill is None else told.bill.rows(), on_progress=on_progress)
        now = ports.now()
        row.compare(who=WHO, at=now)
        row.has_bill = told.bill is not None
        compare(session, row, now=now)
        if told.funds is not None:
            compare_funds(session, row, told.funds, now=now)
        clear_those_gone(session, reconciliation_id=row.id, run=row.runs, now=now)
        book_fees(session, row, now=now)
        session.flush()
        found, account, day = missing(session, row), row.merchant_account, row.day
    usual = next(code for code, each in ports.payments.items() if f"{each.channel}:{each.merchant}" == account)
    return _as_news(found, day=day, usual=usual, counts_refunds_together=told.counts_refunds_together)


def _as_news(
    found: Iterable[Missing], *, day: date, usual: str, counts_refunds_together: bool
) -> list[tuple[str, PaymentNews]]:
    """What notices would have told of it, each with its mini-program. A refund waits until its payment is in the books."""
    news: list[tuple[str, PaymentNews]] = []
    refunded_fen: dict[str, int] = {}
    for each in found:
        miniprogram, number = each.miniprogram or usual, each.provider_payment_no
        told = PaymentNews(
            notification_id=f"bill:{day}:{number}",
            kind=NewsKind.PAID,
            payment_no=each.payment_no,
            provider_payment_no=number,
            amount_fen=each.bill_fen,
            currency=each.currency,
            happened_at=each.happened_at,
        )
        if each.subject == DifferenceSubject.TRADE:
            news.append((miniprogram, told))
            continue
        alone = not counts_refunds_together or each.our_fen is not None
        if not each.is_booked or (each.is_unclear and not alone):
            # A sum may hold this refund already, under another's number: a person has to look.
            continue
        refunded_fen[number] = refunded_fen.get(number, each.refunded_fen or 0) + each.bill_fen
        refund = PaymentNews(
            notification_id=f"bill:{day}:{number}:{each.refund_key}",
            kind=NewsKind.REFUNDED,
            payment_no=each.payment_no,
            provider_payment_no=number,
            amount_fen=each.payment_fen,
            currency=each.currency,
            happened_at=each.happened_at,
            refund_no=each.refund_key,
            provider_refund_no=each.provider_refund_no,
            refund_fen=each.bill_fen if alone else None,
            refunded_total_fen=None if alone else refunded_fen[number],
        )
        news.append((miniprogram, refund))
    return news


def _tell(ports: Ports, reconciliation_id: int, *, heard: int) -> ReconciledDay:
    with ports.begin() as session:
        row = session.get_one(Reconciliation, reconciliation_id)
        told = ReconciledDay(
            merchant_account=row.merchant_account,
            day=row.day,
            has_bill=row.has_bill,
            trades=row.trades,
            refunds=row.refunds,
            matched=row.matched,
            trade_fen=row.trade_fen,
            refund_fen=row.refund_fen,
            fee_fen=row.fee_fen,
            heard=heard,
            differences=_open_count(session, row.id),
        )
    if told.differences:
        log.warning(
            "reconciliation.differences", merchant_account=told.merchant_account, day=str(told.day), count=told.differences
        )
    return told


def open_differences(session: Session, *, limit: int = 200) -> list[DifferenceView]:
    """Differences that neither a later run nor two people have resolved, oldest first."""
    rows = session.execute(
        select(ReconciliationDifference, Reconciliation)
        .join(Reconciliation, Reconciliation.id == ReconciliationDifference.reconciliation_id)
        .where(ReconciliationDifference.resolved_at.is_(None))
        .order_by(ReconciliationDifference.id)
        .limit(limit)
    )
    return [view_of(row, day) for row, day in rows]


def sign_day(ports: Ports, *, merchant_account: str, day: date, who: str, seen_run: int | None = None) -> bool:
    """Sign a compared day without open differences; True when it was the second signature, and the day is closed.

    `seen_run`: the comparison whose figures the signer was shown, where they were shown any. Raises NotFound, ReconciliationClosed,
    DifferencesOpen, ComparedMeanwhile, SecondPersonRequired, DayNotOver.
    """
    if day >= ports.today():
        raise DayNotOver
    with ports.begin() as session:
        row = _of(session, merchant_account=merchant_account, day=day)
        if row.state == ReconciliationState.CLOSED:
            raise ReconciliationClosed
        if row.state != ReconciliationState.COMPARED or _open_count(session, row.id):
            raise DifferencesOpen
        if seen_run is not None and seen_run != row.runs:
            raise ComparedMeanwhile
        if row.signed_by is None:
            row.sign(who=who)
            return False
        if row.signed_by == who:
            raise SecondPersonRequired(detail="您已经签过，请由另一位工作人员签结。")
        row.close(who=who, at=ports.now())
        return True


def _of(session: Session, *, merchant_account: str, day: date) -> Reconciliation:
    row = session.scalar(
        select(Reconciliation)
        .where(Reconciliation.merchant_account == merchant_account, Reconciliation.day == day)
        .with_for_update()
    )
    if row is None:
        raise NotFound
    return row


def _open_count(session: Session, reconciliation_id: int) -> int:
    found = session.scalar(
        select(func.count())
        .select_from(ReconciliationDifference)
        .where(ReconciliationDifference.reconciliation_id == reconciliation_id, ReconciliationDifference.resolved_at.is_(None))
    )
    return found or 0
