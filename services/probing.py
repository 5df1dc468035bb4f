"""Probing: how often a name, or a bank card, may be tried on one ID number, by one account or by a crowd of them (domain §5.7).

Every miss is a PersonLookup row, whoever made it and at whichever door; counting these rows is the whole guard.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, select

from config.clock import day_start
from models.insured_persons import PersonLookup
from services.errors import TooManyLookups

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

    from sqlalchemy.orm import Session

MISSES_TO_LOCK: Final = 20
"""Misses that end the tries; counted over a week, so that waiting for midnight buys little."""
MISSES_PER_PERSON_A_DAY: Final = 10
"""Misses about one ID number from all accounts together, MISSES_TO_LOCK in a week: a crowd guesses no faster than one account."""
NUMBER_TRIED_TOO_OFTEN: Final = (
    "为保护个人信息，此身份证号码近日核对次数过多，请明天再试，或携带身份证到窗口核验，咨询电话12333。"
)
LOCK_WINDOW: Final = timedelta(days=7)


def one_at_a_time(session: Session, *whose: str) -> None:
    """Wait for one's turn until the transaction ends: two tries at once would both see the count before either."""
    for each in whose:
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"lookup:{each}", 0))))


def refuse_guessed_number(session: Session, *, id_index: bytes, now: datetime, detail: str | None = None) -> None:
    """Raises TooManyLookups where this number was tried in vain too often, whether or not anybody has it."""
    today, this_week = session.execute(
        select(func.count().filter(PersonLookup.at >= day_start(now)), func.count()).where(
            PersonLookup.id_number_index == id_index, ~PersonLookup.hit, PersonLookup.at >= now - LOCK_WINDOW
        )
    ).one()
    if today >= MISSES_PER_PERSON_A_DAY or this_week >= MISSES_TO_LOCK:
        raise TooManyLookups(detail=detail)


def note_miss(
    session: Session, *, account_id: uuid.UUID | None, id_index: bytes, now: datetime, detail: str | None = None
) -> int:
    """A miss until somebody says otherwise, so that of many tries at once none is left out of the count. Raises TooManyLookups.

    `account_id`: None where a partner bank tries for one of its tellers.
    """
    one_at_a_time(session, id_index.hex())
    refuse_guessed_number(session, id_index=id_index, now=now, detail=detail)
    miss = PersonLookup(account_id=account_id, id_number_index=id_index, hit=False, at=now)
    session.add(miss)
    session.flush()
    return miss.id


def forget_miss(session: Session, miss: int) -> None:
    """It was none: the name was right, or nobody answered."""
    session.execute(delete(PersonLookup).where(PersonLookup.id == miss))
