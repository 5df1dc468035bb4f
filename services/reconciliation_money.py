"""Reconciling, what a day's bill says beside its rows: the fees of the day are booked, and the provider's own fund flow must bear it out.

A provider keeps its fee before it pays out: what it holds for us is what came, less what went back, less its fees. `clearing` must equal
that, so a fee leaves `clearing` for `fees:{merchant}` in the comparison that read it, once for each day of a merchant account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from models.journal import Transfer, TransferKind, clearing, fees
from services.reconciliation_steps import UNLESS_EXPLAINED

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from models.reconciliation import Reconciliation
    from providers.bills import Funds

WHO: Final = "reconcile"
BOOKED: Final = text("""
    SELECT coalesce(sum(CASE WHEN credit_account = :clearing THEN amount_fen ELSE -amount_fen END), 0)::bigint
    FROM transfers WHERE kind = 'FEE' AND reconciliation_id = :reconciliation_id
""")
DONE_REFUNDS: Final = text(
    "SELECT coalesce(-sum(amount_fen) FILTER (WHERE is_done), 0)::bigint FROM bill_rows WHERE kind = 'REFUND'"
)
DIFFERENCE: Final = text(f"""
    INSERT INTO reconciliation_differences AS d (
        reconciliation_id, kind, subject, payment_no, provider_payment_no, refund_key, bill_fen, our_fen, currency, happened_at, is_done,
        why, first_seen_at, seen_run)
    VALUES (:reconciliation_id, 'AMOUNT_DIFF', 'FUNDS', '', '', :part, :flow_fen, :bill_fen, 'CNY', :now, true, :part, :now, :run)
    {UNLESS_EXPLAINED}
""")  # noqa: S608 - our own words only


def book_fees(session: Session, row: Reconciliation, *, now: datetime) -> None:
    """What the day's bill says of fees, less what was booked of them before: the same bill again books nothing. The day is locked."""
    channel, _, merchant = row.merchant_account.partition(":")
    account = clearing(channel, merchant)
    booked: int = session.execute(BOOKED, {"clearing": account, "reconciliation_id": row.id}).scalar_one()
    more = row.fee_fen - booked
    if not more:
        return
    # Below zero: they gave fees back, or a bill that was put right has less of them.
    debit, credit = (fees(merchant), account) if more > 0 else (account, fees(merchant))
    session.add(
        Transfer(
            debit_account=debit,
            credit_account=credit,
            amount_fen=abs(more),
            kind=TransferKind.FEE,
            reconciliation_id=row.id,
            who=WHO,
            at=now,
        )
    )


def compare_funds(session: Session, row: Reconciliation, funds: Funds, *, now: datetime) -> None:
    """Hold the fund flow's sums against the trade bill's, which is staged. What differs is a difference of the day.

    A refund that is under way left the account already at some providers, and not yet at others: both agree.
    """
    done_fen: int = session.execute(DONE_REFUNDS).scalar_one()
    parts = (
        ("TRADES", funds.came_fen, row.trade_fen, row.trade_fen),
        ("REFUNDS", funds.went_fen, done_fen, row.refund_fen),
        ("FEES", funds.fee_fen, row.fee_fen, row.fee_fen),
    )
    for part, flow_fen, least_fen, most_fen in parts:
        if not min(least_fen, most_fen) <= flow_fen <= max(least_fen, most_fen):
            given = {"part": part, "flow_fen": flow_fen, "bill_fen": most_fen}
            session.execute(DIFFERENCE, {**given, "reconciliation_id": row.id, "run": row.runs, "now": now})
