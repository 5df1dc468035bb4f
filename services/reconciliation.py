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
from services.settlement import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

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


@dataclass(frozen=True, kw_only=True)
class OpenDifference:
    """What a person has to look at."""

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
    first_seen_at: datetime
    next_step: str
    why: str | None
    """What is in the way of a line of an authority's list."""
    insurance_type: str | None
    coverage_month: int | None
    line: int | None
    """Where it stands in the authority's file."""
    explained_by: str | None
    """Who said why; somebody else has to agree."""
    resolution: str | None


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


def next_step(kind: str, why: str | None) -> str:
    """What a person does about a difference."""
    return REASONS.get(why or "", NEXT_STEPS[kind])


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
    for merchant_account, day in _due(ports):
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


def _due(ports: Ports) -> list[tuple[str, date]]:
    """Days whose bill ought to be there and that were never compared: the latest first, of every account."""
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


def open_differences(session: Session, *, limit: int = 200) -> list[OpenDifference]:
    """Differences that neither a later run nor two people have resolved, oldest first."""
    rows = session.execute(
        select(ReconciliationDifference, Reconciliation)
        .join(Reconciliation, Reconciliation.id == ReconciliationDifference.reconciliation_id)
        .where(ReconciliationDifference.resolved_at.is_(None))
        .order_by(ReconciliationDifference.id)
        .limit(limit)
    )
    return [
        OpenDifference(
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
            first_seen_at=row.first_seen_at,
            next_step=next_step(row.kind, row.why),
            why=row.why,
            insurance_type=row.insurance_type,
            coverage_month=row.coverage_month,
            line=row.line,
            explained_by=row.explained_by,
            resolution=row.resolution,
        )
        for row, day in rows
    ]


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
