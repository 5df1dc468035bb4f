"""Settle: from waiting notices to books, a batch in one transaction, in three plural steps: read, decide, write.

    read    waiting notices with their payments, orders and bills, as flat rows, locked in the one order (payment, order, bills)
    decide  pure: each notice against what we hold, by each model's own map; what one decides, the next one sees
    write   each table once, compare-and-set on the old state

A row count that differs, or a constraint that objects, rolls the batch back; its notices are then taken one by one. Effects are
unique by the database's own constraints, never by the hope that a notice comes once.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from config.logs import logger
from models.base import IllegalMove
from services.settlement_decide import Batch
from services.settlement_outcomes import PARKED
from services.settlement_read import read_batch
from services.settlement_write import BatchDisagrees, write_batch

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence

    from services.ports import Ports

log = logger(__name__)

DISAGREEMENTS = (BatchDisagrees, IntegrityError, IllegalMove)
"""What takes a batch apart: rows that moved meanwhile, a constraint that knows better, a road that no map has."""

BATCH = 400
"""Enough to spread a transaction's fixed costs thin, few enough that a reader never waits long for its locks."""


def settle(ports: Ports, *, payment_no: str | None = None, limit: int = BATCH) -> int:
    """Settle waiting notices, of one payment or of all; answers how many it took.

    Of all: notices that another process holds are left to it. Of one payment: they are waited for.
    """
    try:
        return _settle_together(ports, payment_no=payment_no, limit=limit)
    except DISAGREEMENTS as fault:
        log.warning("settlement.batch_taken_apart", fault=type(fault).__name__)
    except OperationalError as fault:
        # A deadlock or a lost connection: nothing was written, the notices still wait.
        log.warning("settlement.batch_rolled_back", fault=type(fault.orig).__name__)
        raise
    return sum(_settle_alone(ports, notice_id) for notice_id in _waiting(ports, payment_no=payment_no, limit=limit))


def _settle_together(ports: Ports, *, payment_no: str | None, limit: int) -> int:
    now = ports.now()
    with ports.begin() as session:
        held = read_batch(session, payment_no=payment_no, limit=limit)
        if not held.notices:
            return 0
        batch = Batch(held, now=now)
        batch.decide_all()
        write_batch(session, batch)
    # One line a batch, and one for each notice that a person must look at: the rows tell the rest (`canbao explain`).
    log.info("batch.settled", notices=len(batch.outcomes), outcomes=Counter(str(outcome) for _, outcome in batch.outcomes))
    for notice, outcome in batch.outcomes:
        if outcome in PARKED:
            log.warning("notice.parked", payment_no=notice.payment_no, outcome=outcome, notice_id=str(notice.id))
    return len(held.notices)


def _waiting(ports: Ports, *, payment_no: str | None, limit: int) -> Sequence[uuid.UUID]:
    with ports.begin() as session:
        return session.scalars(
            text(
                "SELECT id FROM notices WHERE state = 'WAITING' AND (CAST(:payment_no AS text) IS NULL OR payment_no = :payment_no) "
                "ORDER BY id LIMIT :limit"
            ),
            {"payment_no": payment_no, "limit": limit},
        ).all()


def _settle_alone(ports: Ports, notice_id: uuid.UUID) -> int:
    """One notice in a transaction of its own. What even so cannot settle is not retried for ever: it is parked, and says so."""
    # First as it should be; if the months were taken by somebody meanwhile, as surplus; then it is a person's turn.
    for months_are_taken in (False, True):
        now = ports.now()
        try:
            with ports.begin() as session:
                held = read_batch(session, notice_id=notice_id, limit=1)
                if not held.notices:
                    return 0
                batch = Batch(held, now=now, months_are_taken=months_are_taken)
                batch.decide_all()
                write_batch(session, batch)
        except DISAGREEMENTS as fault:
            log.warning(
                "settlement.notice_disagrees", notice_id=str(notice_id), fault=type(fault).__name__, taken=months_are_taken
            )
        else:
            return 1
    with ports.begin() as session:
        session.execute(
            text(
                "UPDATE notices SET state = 'PARKED', outcome = 'CONFLICT', settled_at = :now WHERE id = :id AND state = 'WAITING'"
            ),
            {"id": notice_id, "now": ports.now()},
        )
    log.error("notice.parked", notice_id=str(notice_id), outcome="CONFLICT")
    return 1
