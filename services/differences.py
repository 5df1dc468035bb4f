"""Differences between a provider's bill and our books: one of the staff says why the two need not agree, and another agrees to that.

Money is moved elsewhere, by refunds and the inbox. What two explained stays so while nothing about it changes; when a later comparison
finds other figures, it is open again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from models.reconciliation import Reconciliation, ReconciliationDifference, ReconciliationState
from services.counter_errors import SecondPersonRequired
from services.errors import NotFound
from services.reconciliation_errors import DifferenceSettled, ExplanationChanged, ReconciliationClosed
from services.staff_words import staff_words

if TYPE_CHECKING:
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from services.ports import Ports


def explain_difference(ports: Ports, *, difference_id: int, words: str, who: str) -> None:
    """The first of the two found out why the two do not agree, and says it. Whoever does not agree with what another said, says it
    better: then it is the other one's turn.

    Raises ReasonNeeded, NotFound, DifferenceSettled, ReconciliationClosed.
    """
    said = staff_words(words)
    with ports.begin() as session:
        _locked(session, difference_id).explain(words=said, who=who, at=ports.now())


def agree_to_difference(ports: Ports, *, difference_id: int, who: str, seen: datetime | None = None) -> None:
    """The second of the two agrees, and it is open no longer. `seen`: when the explanation was written that they were shown.

    Raises NotFound, DifferenceSettled, ReconciliationClosed, ExplanationChanged (nobody explained it, or in other words since),
    SecondPersonRequired.
    """
    with ports.begin() as session:
        row = _locked(session, difference_id)
        if row.explained_by is None or (seen is not None and seen != row.explained_at):
            raise ExplanationChanged
        if row.explained_by == who:
            raise SecondPersonRequired(detail="说明和确认不能是同一人，请由另一位工作人员确认。")
        row.agree(who=who, at=ports.now())


def day_of(ports: Ports, *, difference_id: int) -> tuple[str, date]:
    """The merchant account and the day that a difference stands in. Raises NotFound."""
    wanted = select(Reconciliation.merchant_account, Reconciliation.day).join(
        ReconciliationDifference, ReconciliationDifference.reconciliation_id == Reconciliation.id
    )
    with ports.begin() as session:
        found = session.execute(wanted.where(ReconciliationDifference.id == difference_id)).one_or_none()
    if found is None:
        raise NotFound
    return found.merchant_account, found.day


def _locked(session: Session, difference_id: int) -> ReconciliationDifference:
    """Its day first, as a comparison takes them. Of two who press at once, one is first, and the other is told."""
    day_id = session.scalar(
        select(ReconciliationDifference.reconciliation_id).where(ReconciliationDifference.id == difference_id)
    )
    if day_id is None:
        raise NotFound
    day = session.get_one(Reconciliation, day_id, with_for_update=True)
    row = session.get_one(ReconciliationDifference, difference_id, with_for_update=True)
    if row.resolved_at is not None:
        raise DifferenceSettled
    if day.state == ReconciliationState.CLOSED:
        raise ReconciliationClosed
    return row
