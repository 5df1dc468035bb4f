"""What lies on the desk of those who answer for the money: the plainest valid notices, refunds and days with a difference."""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from config.clock import BEIJING
from models.debits import BankFileFault, DebitBatch, FaultKind
from models.inbox import Notice
from models.payments import Payment
from models.reconciliation import Reconciliation, ReconciliationDifference
from models.refunds import Refund, RefundReason
from providers.protocols import NewsKind, PaymentNews
from services.refunds import RefundWish, apply_for_refund
from tests.factories import DEBIT, WECHAT, XINJIANG

if TYPE_CHECKING:
    import uuid

    from tests.factories import World

_numbers = itertools.count(1)
PROGRAMS = {"320400": WECHAT, "650000": XINJIANG}
ACCOUNTS = {"320400": "wechat_pay:1900003204", "650000": "wechat_pay:1900006500"}
DAY = date(2026, 11, 20)
FIRST, SECOND = "staff:S1024", "staff:S2048"


def unclaimed(world: World, *, region: str = "320400", fen: int = 4200, **more: Any) -> PaymentNews:
    """Money without an order of ours came, was settled, and its notice is parked."""
    number = next(_numbers)
    news = PaymentNews(
        **{
            "notification_id": f"desk-{number}",
            "kind": NewsKind.PAID,
            "payment_no": f"COUNTER{number:017d}",
            "provider_payment_no": f"42000{number:023d}",
            "amount_fen": fen,
            "happened_at": world.ports.now(),
            **more,
        }
    )
    world.hear(news, miniprogram=PROGRAMS[region])
    world.settle()
    return news


def notice_of(world: World, news: PaymentNews) -> Notice:
    with world.ports.begin() as session:
        row = session.scalars(select(Notice).where(Notice.notification_id == news.notification_id)).one()
        session.expunge(row)
    return row


def payment_of(world: World, news: PaymentNews) -> Payment:
    """What it became: money that nobody asked for has a number of ours, whatever stood in the notice."""
    with world.ports.begin() as session:
        row = session.scalars(select(Payment).where(Payment.provider_payment_no == news.provider_payment_no)).one()
        session.expunge(row)
    return row


def a_notice(world: World, region: str = "320400") -> uuid.UUID:
    """Parked: its money is in `unknown`."""
    return notice_of(world, unclaimed(world, region=region)).id


def a_refund(world: World, region: str = "320400", *, fen: int = 4200, who: str = FIRST) -> int:
    """Applied for, of money that nobody asked for: always to be decided by somebody else."""
    news = unclaimed(world, region=region, fen=fen)
    wish = RefundWish(payment_no=payment_of(world, news).payment_no, reason=RefundReason.UNCLAIMED, words="查无订单，原路退回")
    refund_no = apply_for_refund(world.ports, wish=wish, who=who)
    with world.ports.begin() as session:
        return session.scalars(select(Refund.id).where(Refund.refund_no == refund_no)).one()


def a_day(world: World, region: str = "320400", day: date = DAY, **more: Any) -> int:
    """Compared once; answers its id."""
    given = {"merchant_account": ACCOUNTS[region], "day": day, "state": "COMPARED", "runs": 1, **more}
    which = (Reconciliation.merchant_account == given["merchant_account"], Reconciliation.day == day)
    with world.ports.begin() as session:
        session.execute(insert(Reconciliation).values(compared_at=world.ports.now(), **given).on_conflict_do_nothing())
        return session.scalars(select(Reconciliation.id).where(*which)).one()


def a_difference(world: World, region: str = "320400", day: date = DAY, **more: Any) -> int:
    """Their bill has a payment that our books do not have."""
    number = next(_numbers)
    given = {
        "reconciliation_id": a_day(world, region, day),
        "kind": "PSP_ONLY",
        "subject": "TRADE",
        "payment_no": f"DIFFERS{number:017d}",
        "provider_payment_no": f"42001{number:023d}",
        "bill_fen": 4200,
        "currency": "CNY",
        "happened_at": datetime.combine(day, datetime.min.time(), BEIJING) + timedelta(hours=10),
        "is_done": True,
        "first_seen_at": world.ports.now(),
        "seen_run": 1,
        **more,
    }
    with world.ports.begin() as session:
        row = ReconciliationDifference(**given)
        session.add(row)
        session.flush()
        return row.id


def a_batch(world: World, region: str = "320400", **more: Any) -> int:
    """Of a bank that has it and has not answered; nobody stands in it."""
    given = {"way": DEBIT if region == "320400" else f"debit-icbc-{region}", "run_day": DAY, "number": next(_numbers), **more}
    with world.ports.begin() as session:
        row = DebitBatch(**{"state": "SENT", "result_due_at": world.ports.now(), "created_at": world.ports.now(), **given})
        session.add(row)
        session.flush()
        return row.id


def a_bank_fault(world: World, region: str = "320400", **more: Any) -> int:
    """A line that nobody sent."""
    given = {"way": DEBIT if region == "320400" else f"debit-icbc-{region}", "file_name": f"R{next(_numbers)}.txt", **more}
    with world.ports.begin() as session:
        row = BankFileFault(
            **{
                "digest": b"",
                "kind": FaultKind.LINE_UNKNOWN,
                "line": 3,
                "what": "",
                "first_seen_at": world.ports.now(),
                **given,
            }
        )
        session.add(row)
        session.flush()
        return row.id
