"""A comparison that one of the staff asks for at the console. The row of the day is the queue: no page waits for a provider.

asked ──worker──▶ answered        compared, or why not; whoever asks again while it waits changes nothing
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from config.logs import logger
from models.reconciliation import AskFault, Reconciliation, ReconciliationState
from providers.bills import BillDamaged, BillNotReady
from providers.protocols import ProviderError
from services.errors import BusinessError
from services.reconciliation import reconcile
from services.reconciliation_errors import DayNotOver, NoSuchMerchantAccount, ReconciliationClosed

if TYPE_CHECKING:
    from datetime import date, datetime

    from services.ports import Ports

log = logger(__name__)


def may_be_asked(ports: Ports, *, merchant_account: str, day: date) -> bool:
    """Whether there is a bill to fetch, of a day that is over."""
    return merchant_account in ports.daily_bills and day < ports.today()


def ask_for_comparison(ports: Ports, *, merchant_account: str, day: date, who: str) -> None:
    """Ask for it; the worker makes it within seconds. Raises NoSuchMerchantAccount, DayNotOver, ReconciliationClosed."""
    if merchant_account not in ports.daily_bills:
        raise NoSuchMerchantAccount
    if day >= ports.today():
        raise DayNotOver
    which = (Reconciliation.merchant_account == merchant_account, Reconciliation.day == day)
    with ports.begin() as session:
        session.execute(insert(Reconciliation).values(merchant_account=merchant_account, day=day).on_conflict_do_nothing())
        row = session.scalars(select(Reconciliation).where(*which).with_for_update()).one()
        if row.state == ReconciliationState.CLOSED:
            raise ReconciliationClosed
        row.ask(who=who, at=ports.now())


def compare_what_was_asked(ports: Ports) -> int:
    """Make the comparisons that were asked for, the longest asked first; answers how many came about."""
    wanted = select(Reconciliation.id, Reconciliation.merchant_account, Reconciliation.day, Reconciliation.asked_at)
    is_asked = (Reconciliation.asked_at.is_not(None), Reconciliation.answered_at.is_(None))
    with ports.begin() as session:
        asked = session.execute(wanted.where(*is_asked).order_by(Reconciliation.asked_at)).all()
    done = 0
    for row_id, merchant_account, day, asked_at in asked:
        fault = _compare(ports, merchant_account=merchant_account, day=day)
        _answer(ports, row_id, asked_at=asked_at, fault=fault)
        done += fault is None
    return done


def _compare(ports: Ports, *, merchant_account: str, day: date) -> AskFault | None:
    told = {"merchant_account": merchant_account, "day": str(day)}
    try:
        reconcile(ports, merchant_account=merchant_account, day=day)
    except BillNotReady:
        return AskFault.NOT_READY
    except BillDamaged as fault:
        log.error("reconciliation.bill_damaged", line=fault.line, what=fault.what, **told)  # noqa: TRY400 - no traceback knows more
        return AskFault.DAMAGED
    except ReconciliationClosed:
        return AskFault.CLOSED
    except (ProviderError, BusinessError) as fault:
        log.warning("reconciliation.no_answer", fault=type(fault).__name__, **told)
        return AskFault.NO_ANSWER
    return None


def _answer(ports: Ports, row_id: int, *, asked_at: datetime | None, fault: AskFault | None) -> None:
    with ports.begin() as session:
        row = session.get_one(Reconciliation, row_id, with_for_update=True)
        if row.is_asked and row.asked_at == asked_at:
            row.answer(at=ports.now(), fault=fault)
