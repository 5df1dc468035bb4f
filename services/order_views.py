"""Orders, as their payer sees them: what was ordered, where it stands, and what the phone needs to pay it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from models.bills import ContributionBill
from models.orders import OrderLine, OrderOrigin, OrderState, PaymentOrder
from models.payments import Payment
from models.people import Person
from services.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from models.accounts import Account
    from services.ports import Ports


@dataclass(frozen=True, kw_only=True)
class LineView:
    bill_no: str
    insurance_type: str
    coverage_month: int
    amount_fen: int
    state: str


@dataclass(frozen=True, kw_only=True)
class OrderView:
    order_no: str
    origin: str
    payment_no: str
    state: str
    payment_state: str
    total_fen: int
    channel: str
    insured_name_masked: str
    insured_id_number_masked: str
    lines: list[LineView]
    launch: dict[str, str] | None
    """What the phone passes to its pay function; none while in doubt, and none when it is over."""
    closed_why: str | None
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    replayed: bool = False


def read_order(ports: Ports, *, account: Account, order_no: str) -> OrderView:
    """One of this account's own orders, as the books have it now. Raises NotFound, also for other people's orders."""
    with ports.begin() as session:
        views = _views(ports, session, PaymentOrder.order_no == order_no, account=account, limit=1)
    if not views:
        raise NotFound
    return views[0]


def list_orders(ports: Ports, *, account: Account, limit: int = 50) -> list[OrderView]:
    """This account's orders, newest first."""
    with ports.begin() as session:
        return _views(ports, session, account=account, limit=limit)


def _views(ports: Ports, session: Session, *which: ColumnElement[bool], account: Account, limit: int) -> list[OrderView]:
    """Two queries, however many orders."""
    rows = session.execute(
        select(PaymentOrder, Payment, Person)
        .join(Payment, Payment.order_id == PaymentOrder.id)
        .join(Person, Person.id == PaymentOrder.person_id)
        .where(PaymentOrder.payer_account_id == account.id, *which)
        .order_by(PaymentOrder.id.desc())
        .limit(limit)
    ).all()
    lines: dict[int, list[tuple[OrderLine, ContributionBill]]] = defaultdict(list)
    for line, bill in session.execute(
        select(OrderLine, ContributionBill)
        .join(ContributionBill, ContributionBill.id == OrderLine.bill_id)
        .where(OrderLine.order_id.in_([order.id for order, _, _ in rows]))
        .order_by(ContributionBill.coverage_month, ContributionBill.id)
    ):
        lines[line.order_id].append((line, bill))
    return [_view(ports, order, payment, person, lines[order.id]) for order, payment, person in rows]


def _view(
    ports: Ports, order: PaymentOrder, payment: Payment, person: Person, lines: list[tuple[OrderLine, ContributionBill]]
) -> OrderView:
    now = ports.now()
    launch = None
    if (
        order.state == OrderState.PREPAY
        and order.origin == OrderOrigin.PHONE
        and payment.handle is not None
        and order.expires_at > now
    ):
        launch = ports.payments[order.miniprogram].launch(payment.handle, now=now)
    return OrderView(
        order_no=order.order_no,
        origin=order.origin,
        payment_no=payment.payment_no,
        state=order.state,
        payment_state=payment.state,
        total_fen=order.total_fen,
        channel=payment.channel,
        insured_name_masked=person.name_masked,
        insured_id_number_masked=person.id_number_masked,
        lines=[
            LineView(
                bill_no=bill.bill_no,
                insurance_type=bill.insurance_type,
                coverage_month=bill.coverage_month,
                amount_fen=line.amount_fen,
                state=bill.state,
            )
            for line, bill in lines
        ],
        launch=launch,
        closed_why=order.closed_why,
        created_at=order.created_at,
        expires_at=order.expires_at,
        paid_at=payment.paid_at,
    )
