"""Undelivered: messages that were given up, for whoever has to reach somebody another way. The message itself can still be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from models.messages import Message, MessageState

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sqlalchemy import ColumnElement

    from services.ports import Ports

PAGE: Final = 200


@dataclass(frozen=True, kw_only=True)
class GivenUp:
    """One message that did not reach a phone. No name, no number of a person."""

    message_id: int
    key: str
    about: str
    """The case or the order that it tells of."""
    why: str
    way: str | None
    tries: int
    written_at: datetime


def list_given_up(ports: Ports, *, within: timedelta, limit: int = PAGE) -> list[GivenUp]:
    """What was written so lately and given up, the newest first."""
    with ports.begin() as session:
        rows = session.scalars(select(Message).where(*_lately(ports.now() - within)).order_by(Message.id.desc()).limit(limit))
        return [
            GivenUp(
                message_id=row.id,
                key=row.template,
                about=str(row.facts.get("case_no") or row.facts.get("order_no") or "-"),
                why=row.given_up_why or "-",
                way=row.way,
                tries=row.tries,
                written_at=row.created_at,
            )
            for row in rows
        ]


def count_given_up(ports: Ports, *, within: timedelta) -> dict[tuple[str, str], int]:
    """(key, why) → how many of what was written so lately. A refusal's own code is cut off: it would be a label without end."""
    why = func.split_part(Message.given_up_why, ":", 1)
    with ports.begin() as session:
        rows = session.execute(
            select(Message.template, why, func.count()).where(*_lately(ports.now() - within)).group_by(Message.template, why)
        ).all()
    return {(key, said): count for key, said, count in rows}


def _lately(since: datetime) -> tuple[ColumnElement[bool], ...]:
    return Message.state == MessageState.GIVEN_UP, Message.created_at >= since
