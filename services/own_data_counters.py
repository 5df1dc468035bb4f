"""What an account may see of what was done for its person at a window or a bank's counter, as in own_data_rows. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from models.counter_slips import CounterSlip
from models.counters import CounterOrder, CounterPayment
from models.orders import PaymentOrder

if TYPE_CHECKING:
    from services.own_data_rows import Rows, Whose


def counter_orders(whose: Whose) -> Rows:
    each = CounterOrder
    columns = (PaymentOrder.order_no, each.region, each.site, each.document, each.created_at)
    joined = select(*columns).join(PaymentOrder, PaymentOrder.id == each.order_id)
    return joined.where(PaymentOrder.person_id == whose.person_id).order_by(each.order_id.desc())


def counter_payments(whose: Whose) -> Rows:
    each = CounterPayment
    columns = (PaymentOrder.order_no, each.serial, each.means, each.site, each.amount_fen, each.taken_at)
    joined = select(*columns).join(PaymentOrder, PaymentOrder.id == each.order_id)
    return joined.where(PaymentOrder.person_id == whose.person_id).order_by(each.id.desc())


def counter_slips(whose: Whose) -> Rows:
    each = CounterSlip
    columns = (
        each.slip_no,
        each.kind,
        each.region,
        each.bank,
        each.serial,
        each.amount_fen,
        each.paid_on,
        each.state,
        each.created_at,
    )
    return select(*columns).where(each.person_id == whose.person_id).order_by(each.id.desc())
