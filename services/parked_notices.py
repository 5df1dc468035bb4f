"""The inbox as the staff see it: what is parked and why, one notice with what became of it, and how many wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, func, select, true

from models.inbox import Notice, NoticeState
from services.errors import NotFound
from services.inbox import CONFLICT, next_step
from services.settlement_outcomes import Outcome

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from services.ports import Ports

A_PAGE: Final = 50


@dataclass(frozen=True, kw_only=True)
class NoticeView:
    """A notice without its sealed bytes. Amounts in fen."""

    id: uuid.UUID
    merchant_account: str
    notification_id: str
    kind: str
    payment_no: str
    provider_payment_no: str | None
    amount_fen: int | None
    currency: str
    refund_no: str | None
    provider_refund_no: str | None
    refund_fen: int | None
    happened_at: datetime | None
    received_at: datetime
    settled_at: datetime | None
    state: str
    outcome: str
    next_step: str
    resolved_at: datetime | None
    resolution: str | None

    @property
    def waits(self) -> bool:
        """For a person."""
        return self.state == NoticeState.PARKED and self.resolved_at is None

    @property
    def number(self) -> str:
        """By which its money is found in our books: what nobody asked for stands there under their number."""
        return (self.outcome == Outcome.UNCLAIMED and self.provider_payment_no) or self.payment_no

    @property
    def may_settle_again(self) -> bool:
        return self.waits and self.outcome == CONFLICT


@dataclass(frozen=True, kw_only=True)
class WantedNotices:
    """What of the parked notices is asked for; nothing said is all that wait."""

    outcome: str | None = None
    resolved: bool = False
    """Those that somebody dealt with instead, the latest first."""


WAITING: Final = WantedNotices()


def list_parked(
    ports: Ports,
    *,
    wanted: WantedNotices = WAITING,
    accounts: Collection[str] | None = None,
    place: uuid.UUID | None = None,
    limit: int = A_PAGE,
) -> tuple[list[NoticeView], uuid.UUID | None]:
    """A page and the id where the next goes on. What waits is told oldest first. `accounts`: merchant accounts that may be seen; None: all."""
    asked = select(Notice).where(_parked(accounts), Notice.resolved_at.is_not(None) == wanted.resolved)
    if wanted.outcome is not None:
        asked = asked.where(Notice.outcome == wanted.outcome)
    if place is not None:
        asked = asked.where(Notice.id < place if wanted.resolved else Notice.id > place)
    asked = asked.order_by(Notice.id.desc() if wanted.resolved else Notice.id).limit(limit + 1)
    with ports.begin() as session:
        rows = [_view(row) for row in session.scalars(asked)]
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def count_waiting(ports: Ports, *, accounts: Collection[str] | None = None) -> dict[str, int]:
    """How many wait for a person, by outcome."""
    asked = select(Notice.outcome, func.count()).where(_parked(accounts), Notice.resolved_at.is_(None)).group_by(Notice.outcome)
    with ports.begin() as session:
        return {outcome or "": count for outcome, count in session.execute(asked)}


@dataclass(frozen=True, kw_only=True)
class Parked:
    """What waits for a person."""

    count: int
    oldest_at: datetime | None
    amount_fen: int
    """Of the notices in yuan; a refund counts by what went back."""


def stand_of_parked(ports: Ports, *, accounts: Collection[str] | None = None) -> Parked:
    """How many wait, since when, and how much money they are about."""
    fen = func.coalesce(Notice.refund_fen, Notice.amount_fen, 0)
    in_yuan = func.coalesce(func.sum(fen).filter(Notice.currency == "CNY"), 0)
    asked = select(func.count(), func.min(Notice.received_at), in_yuan)
    with ports.begin() as session:
        count, oldest_at, amount_fen = session.execute(asked.where(_parked(accounts), Notice.resolved_at.is_(None))).one()
    return Parked(count=count, oldest_at=oldest_at, amount_fen=int(amount_fen))


def account_of(ports: Ports, *, notice_id: uuid.UUID) -> str:
    """The merchant account that told us. Raises NotFound."""
    with ports.begin() as session:
        found = session.scalar(select(Notice.merchant_account).where(Notice.id == notice_id))
    if found is None:
        raise NotFound
    return found


def read_notice(ports: Ports, *, notice_id: uuid.UUID) -> NoticeView:
    """Any notice, parked or not. Raises NotFound."""
    with ports.begin() as session:
        row = session.get(Notice, notice_id)
        if row is None:
            raise NotFound
        return _view(row)


def _parked(accounts: Collection[str] | None) -> ColumnElement[bool]:
    mine = true() if accounts is None else Notice.merchant_account.in_(sorted(accounts))
    return and_(Notice.state == NoticeState.PARKED, mine)


def _view(row: Notice) -> NoticeView:
    return NoticeView(
        id=row.id,
        merchant_account=row.merchant_account,
        notification_id=row.notification_id,
        kind=row.kind,
        payment_no=row.payment_no,
        provider_payment_no=row.provider_payment_no,
        amount_fen=row.amount_fen,
        currency=row.currency,
        refund_no=row.refund_no,
        provider_refund_no=row.provider_refund_no,
        refund_fen=row.refund_fen,
        happened_at=row.happened_at,
        received_at=row.received_at,
        settled_at=row.settled_at,
        state=row.state,
        outcome=row.outcome or "",
        next_step=next_step(row.outcome),
        resolved_at=row.resolved_at,
        resolution=row.resolution,
    )
