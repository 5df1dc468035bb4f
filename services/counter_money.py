"""Money that was taken at a bank's counter gets into the books: it stands for the months it was paid for, or goes back.

One step, shared by what banks report and what the staff record from paper: the order, and the news that it was paid, are one transaction.
What cannot pay its months is kept as a late payment is: settling finds that they are taken, and the money goes back to whoever brought it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from models.base import new_number
from models.bills import BillState
from models.orders import OrderLine, OrderOrigin, OrderState, PaymentOrder
from models.payments import Payment, PaymentState
from providers.protocols import NewsKind, PaymentNews
from services.counter_bills import is_covered, own_account
from services.inbox import enter
from services.outside_orders import OutsideOrder, place_outside

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from services.counter_bills import Covered
    from services.ports import Ports

TOO_LATE: Final = "MONEY_BEFORE_ORDER"
"""Why an order was closed that never stood open: its money had come when we heard of it, and its months were not free."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Authentic word of money in somebody's drawer."""

    way: str
    """Its code in `ports.payments`."""
    their_no: str
    """The bank's number of it, once for each way."""
    amount_fen: int
    taken_at: datetime
    raw: bytes | None
    """What said so, for evidence."""


def can_pay(rows: Sequence[Covered], *, amount_fen: int, today: date) -> bool:
    """Whether this amount pays exactly these months now. Pure."""
    return (
        bool(rows)
        and len({bill.authority for bill, _ in rows}) == 1
        and all(bill.state == BillState.UNPAID and is_covered(bill, spell, today=today) for bill, spell in rows)
        and sum(bill.amount_fen for bill, _ in rows) == amount_fen
    )


def stand_for(
    ports: Ports, session: Session, *, taken: Taken, person_id: uuid.UUID, rows: Sequence[Covered], who: str, now: datetime
) -> PaymentOrder:
    """The order that this money is for, and the news that it was paid, the months being locked in the order of their ids."""
    provider = ports.payments[taken.way]
    new = OutsideOrder(
        origin=OrderOrigin.COUNTER,
        way=taken.way,
        channel=provider.channel,
        merchant=provider.merchant,
        person_id=person_id,
        payer_account_id=own_account(session, person_id=person_id),
        expires_at=now,
    )
    if can_pay(rows, amount_fen=taken.amount_fen, today=ports.today()):
        order, payment = place_outside(session, bills=[bill for bill, _ in rows], new=new, who=who, now=now)
    else:
        order, payment = _late(session, rows=rows, new=new, now=now)
    tell_inbox(ports, session, taken=taken, payment_no=payment.payment_no)
    return order


def tell_inbox(ports: Ports, session: Session, *, taken: Taken, payment_no: str) -> None:
    """The news that money came, under our number or under one that nobody made."""
    news = PaymentNews(
        notification_id=f"paid:{taken.their_no}",
        kind=NewsKind.PAID,
        payment_no=payment_no,
        provider_payment_no=taken.their_no,
        amount_fen=taken.amount_fen,
        happened_at=taken.taken_at,
    )
    if not enter(ports, session, miniprogram=taken.way, news=news, raw=taken.raw):
        raise ValueError("their number is in the inbox already: an order without its news would wait for ever")


def _late(session: Session, *, rows: Sequence[Covered], new: OutsideOrder, now: datetime) -> tuple[PaymentOrder, Payment]:
    """An order that is over from the start: it reserves nothing, and its money is judged as a late payment's."""
    total_fen = sum(bill.amount_fen for bill, _ in rows)
    order = PaymentOrder(
        order_no=new_number(),
        origin=new.origin,
        payer_account_id=new.payer_account_id,
        person_id=new.person_id,
        is_strangers=False,
        miniprogram=new.way,
        merchant=new.merchant,
        authority=rows[0][0].authority,
        total_fen=total_fen,
        state=OrderState.CLOSED,
        closed_why=TOO_LATE,
        created_at=now,
        expires_at=new.expires_at,
        lines=[OrderLine(bill_id=bill.id, amount_fen=bill.amount_fen, live=False) for bill, _ in rows],
    )
    session.add(order)
    session.flush()
    payment = Payment(
        payment_no=new_number(),
        order_id=order.id,
        channel=new.channel,
        merchant=new.merchant,
        miniprogram=new.way,
        amount_fen=total_fen,
        state=PaymentState.CLOSED,
        created_at=now,
    )
    session.add(payment)
    session.flush()
    return order, payment
