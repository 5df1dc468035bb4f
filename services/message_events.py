"""What a mini-program's platform pushes to us: its user allowed messages of a template, or took that back."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from models.accounts import Account
from models.base import new_id
from models.messages import MessageAllowance, PlatformEvent
from providers.protocols import MessageWish

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from sqlalchemy.orm import Session

    from providers.protocols import MessageEvent
    from services.ports import Ports


class Heard(StrEnum):
    """What became of an event. None of these is to be told again."""

    NEW = "new"
    KNOWN = "known"
    NOTHING = "nothing"
    """It changes nothing here, or nobody of ours has this openid: nothing is kept."""


def receive_event(ports: Ports, *, miniprogram: str, event: MessageEvent) -> Heard:
    """Let an authentic event take effect, once however often it comes; after this returns it cannot be lost.

    Kept is its hash, so that a repetition is known; whose it was is not.
    """
    if not event.wishes:
        return Heard.NOTHING
    now = ports.now()
    index = ports.seals.index("subject", miniprogram, event.subject)
    with ports.begin() as session:
        account_id = session.scalar(
            select(Account.id).where(
                Account.miniprogram == miniprogram, Account.subject_index == index, Account.closed_at.is_(None)
            )
        )
        if account_id is None:
            return Heard.NOTHING
        is_new = session.execute(
            insert(PlatformEvent)
            .values(id=new_id(), miniprogram=miniprogram, event_hash=event.event_hash, event=event.event, received_at=now)
            .on_conflict_do_nothing()
            .returning(PlatformEvent.id)
        ).all()
        if not is_new:
            return Heard.KNOWN
        # By name, so that two events of one account take the rows in the same order.
        for template, wish in sorted(event.wishes, key=lambda each: each[0]):
            _take_to_heart(session, account_id=account_id, platform_template=template, wish=wish, now=now)
    return Heard.NEW


def _take_to_heart(
    session: Session, *, account_id: uuid.UUID, platform_template: str, wish: MessageWish, now: datetime
) -> None:
    more = 1 if wish is MessageWish.ONE_MORE else 0
    session.execute(
        insert(MessageAllowance)
        .values(account_id=account_id, platform_template=platform_template, remaining=more, changed_at=now)
        .on_conflict_do_update(
            index_elements=["account_id", "platform_template"],
            set_={"remaining": MessageAllowance.remaining + 1 if more else 0, "changed_at": now},
        )
    )
