"""Orders that no phone placed: what a bank is told to debit, what a window takes, what only the tax authority told us of.

They are orders so that their money is booked as all money is: by news in the inbox, under one number, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.base import new_number
from models.orders import OrderLine, OrderState, PaymentOrder
from models.payments import Payment, PaymentState

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from models.bills import ContributionBill
    from models.orders import OrderOrigin


@dataclass(frozen=True, kw_only=True)
class OutsideOrder:
    """How the money is to come."""

    origin: OrderOrigin
    way: str
    """Its code in `ports.payments`."""
    channel: str
    merchant: str
    """Both as that provider has them: news of it finds the payment by them."""
    person_id: uuid.UUID
    """Whose months they are."""
    payer_account_id: uuid.UUID | None
    """Who is told what becomes of it; None: nobody of ours."""
    expires_at: datetime
    payment_no: str | None = None
    """Where the other side must know it by a number of its own shape; else one is made."""


def place_outside(
    session: Session, *, bills: Sequence[ContributionBill], new: OutsideOrder, who: str, now: datetime
) -> tuple[PaymentOrder, Payment]:
    """Reserve UNPAID bills of one person and one authority for an outside way; what is reserved no phone pays. No provider is called.

    The caller holds the bills FOR UPDATE, in the order of their ids. Its state is PREPAY from the start: the other side waits for
    nothing more of ours. Raises IllegalMove where a bill is not UNPAID, and ValueError where they are not one authority's.
    """
    if len({bill.authority for bill in bills}) != 1:
        raise ValueError("the bills of one order are one authority's")
    order = PaymentOrder(
        order_no=new_number(),
        origin=new.origin,
        payer_account_id=new.payer_account_id,
        person_id=new.person_id,
        is_strangers=False,
        miniprogram=new.way,
        merchant=new.merchant,
        authority=bills[0].authority,
        total_fen=sum(bill.amount_fen for bill in bills),
        state=OrderState.CREATED,
        created_at=now,
        expires_at=new.expires_at,
        lines=[OrderLine(bill_id=bill.id, amount_fen=bill.amount_fen) for bill in bills],
    )
    session.add(order)
    for bill in bills:
        bill.lock(who=who, at=now)
    session.flush()
    payment = Payment(
        payment_no=new.payment_no or new_number(),
        order_id=order.id,
        channel=new.channel,
        merchant=new.merchant,
        miniprogram=new.way,
        amount_fen=order.total_fen,
        state=PaymentState.CREATED,
        created_at=now,
    )
    session.add(payment)
    session.flush()
    order.open(who=who, at=now)
    payment.open(handle=None, who=who, at=now)
    session.flush()
    return order, payment
