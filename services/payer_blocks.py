"""Payer blocks: the insured person sees who has placed orders for them, and may refuse further ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from config.logs import logger
from models.accounts import Account
from models.base import new_id
from models.insured_persons import PayerBlock
from models.orders import OrderState, PaymentOrder
from models.payments import Payment
from models.people import Person
from services.errors import FaceCheckRequired, NotFound
from services.payments import close_payment

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports

log = logger(__name__)

LOOKS_BACK: Final = timedelta(days=366)
"""Who placed an order longer ago is no longer listed, unless blocked."""
LIVE: Final = (OrderState.CREATED, OrderState.PREPAY, OrderState.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class Payer:
    """Somebody else who placed orders for this person, masked."""

    payer_id: str
    """Opaque, and another one for every insured person: nobody can be followed by it."""
    name_masked: str
    last_order_at: datetime | None
    """None when blocked long ago and silent since."""
    holds_order: bool
    """Some months are reserved by an order of theirs now."""
    has_paid: bool
    block_id: uuid.UUID | None
    blocked_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class _Orders:
    last_at: datetime
    live: bool
    paid: bool


def list_payers(ports: Ports, *, account: Account) -> list[Payer]:
    """Who placed orders for me in the last year, and whom I blocked. Raises FaceCheckRequired."""
    if account.person_id is None:
        raise FaceCheckRequired
    with ports.begin() as session:
        return _payers(ports, session, person_id=account.person_id)


def block_payer(ports: Ports, *, account: Account, payer_id: str) -> Payer:
    """Refuse further orders of this payer for me; again changes nothing. Raises FaceCheckRequired, NotFound.

    Orders of theirs that hold my months now are closed at the provider, or lapse soon if it does not answer.
    """
    if account.person_id is None:
        raise FaceCheckRequired
    with ports.begin() as session:
        payer_person_id = _find(ports, session, person_id=account.person_id, payer_id=payer_id)
        session.execute(
            insert(PayerBlock)
            .values(id=new_id(), person_id=account.person_id, payer_person_id=payer_person_id, created_at=ports.now())
            .on_conflict_do_nothing()
        )
        held = _live_payments(session, person_id=account.person_id, payer_person_id=payer_person_id)
    for payment_no in held:
        if not close_payment(ports, payment_no):
            log.info("payer_block.order_lapses_later", payment_no=payment_no)
    with ports.begin() as session:
        return next(payer for payer in _payers(ports, session, person_id=account.person_id) if payer.payer_id == payer_id)


def unblock_payer(ports: Ports, *, account: Account, block_id: uuid.UUID) -> None:
    """Let a payer place orders for me again. Raises NotFound, also for other people's blocks."""
    with ports.begin() as session:
        gone = session.execute(
            delete(PayerBlock)
            .where(PayerBlock.id == block_id, PayerBlock.person_id == account.person_id)
            .returning(PayerBlock.id)
        ).all()
    if not gone:
        raise NotFound


def _payers(ports: Ports, session: Session, *, person_id: uuid.UUID) -> list[Payer]:
    orders = _orders_of_others(session, person_id=person_id, since=ports.now() - LOOKS_BACK)
    blocks = {row.payer_person_id: row for row in session.scalars(select(PayerBlock).where(PayerBlock.person_id == person_id))}
    wanted = orders.keys() | blocks.keys()
    payers = []
    for person in session.scalars(select(Person).where(Person.id.in_(wanted))):
        placed, block = orders.get(person.id), blocks.get(person.id)
        payers.append(
            Payer(
                payer_id=_opaque(ports, person_id=person_id, payer_person_id=person.id),
                name_masked=person.name_masked,
                last_order_at=placed.last_at if placed else None,
                holds_order=placed is not None and placed.live,
                has_paid=placed is not None and placed.paid,
                block_id=block.id if block else None,
                blocked_at=block.created_at if block else None,
            )
        )
    # The newest order first; whom nothing was heard of since stands last.
    return sorted(payers, key=lambda payer: (payer.last_order_at is None, _seconds_ago(payer.last_order_at), payer.payer_id))


def _seconds_ago(moment: datetime | None) -> float:
    return 0 if moment is None else -moment.timestamp()


def _orders_of_others(session: Session, *, person_id: uuid.UUID, since: datetime) -> dict[uuid.UUID, _Orders]:
    rows = session.execute(
        select(
            Account.person_id,
            func.max(PaymentOrder.created_at),
            func.bool_or(PaymentOrder.state.in_(LIVE)),
            func.bool_or(PaymentOrder.state == OrderState.PAID),
        )
        .join(Account, Account.id == PaymentOrder.payer_account_id)
        .where(PaymentOrder.person_id == person_id, Account.person_id != person_id, PaymentOrder.created_at >= since)
        .group_by(Account.person_id)
    )
    return {payer: _Orders(last_at=last_at, live=live, paid=paid) for payer, last_at, live, paid in rows}


def _find(ports: Ports, session: Session, *, person_id: uuid.UUID, payer_id: str) -> uuid.UUID:
    """Who is meant by an opaque id: only somebody in the list."""
    orders = _orders_of_others(session, person_id=person_id, since=ports.now() - LOOKS_BACK)
    blocked = session.scalars(select(PayerBlock.payer_person_id).where(PayerBlock.person_id == person_id))
    for payer_person_id in orders.keys() | set(blocked):
        if _opaque(ports, person_id=person_id, payer_person_id=payer_person_id) == payer_id:
            return payer_person_id
    raise NotFound


def _live_payments(session: Session, *, person_id: uuid.UUID, payer_person_id: uuid.UUID) -> list[str]:
    return list(
        session.scalars(
            select(Payment.payment_no)
            .join(PaymentOrder, PaymentOrder.id == Payment.order_id)
            .join(Account, Account.id == PaymentOrder.payer_account_id)
            .where(PaymentOrder.person_id == person_id, Account.person_id == payer_person_id, PaymentOrder.state.in_(LIVE))
            .order_by(Payment.id)
        )
    )


def _opaque(ports: Ports, *, person_id: uuid.UUID, payer_person_id: uuid.UUID) -> str:
    return ports.seals.index("payer", str(person_id), str(payer_person_id)).hex()[:24].upper()
