"""Lapsing: a returned application that nobody mends ends after its region's term, with a word before and after.

The term counts from the day of the return (config/regions, mending_terms), by the rule of that day; where there is none, nothing lapses.
One application a transaction: reminded, or ended with all that follows. Whoever hands it in again at this moment is first or comes
too late, by the lock of the application.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from config.clock import beijing_date
from config.logs import logger
from config.rulebook import ApplicationKind, NoRuleInForce
from models.applications import ApplicationState, EnrollmentApplication
from services.application_messages import tell_lapsed, tell_to_mend, was_told_to_mend
from services.application_steps import end_items

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator
    from datetime import date

    from config.rulebook import MendingTerm, Region
    from services.ports import Ports

log = logger(__name__)

SWEEP: Final = "lapse_returned"
AT_A_TIME: Final = 500


def lapse_returned(ports: Ports) -> int:
    """The sweep: remind once before the last day, end what is over; answers how many of both. Late, twice or never: all safe."""
    return sum(_look_after(ports, application_id) for application_id in _near_their_end(ports))


def mend_by(region: Region, application: EnrollmentApplication) -> date | None:
    """The last day on which a returned one can be handed in again; None in another state, and where nothing lapses. Pure."""
    term = _term(region, application)
    if term is None or application.decided_at is None:
        return None
    return beijing_date(application.decided_at) + timedelta(days=term.days_to_mend)


def _term(region: Region, application: EnrollmentApplication) -> MendingTerm | None:
    if application.state != ApplicationState.RETURNED or application.decided_at is None:
        return None
    try:
        return region.mending_term(ApplicationKind(application.kind), beijing_date(application.decided_at))
    except NoRuleInForce:
        return None


def _near_their_end(ports: Ports) -> Iterator[uuid.UUID]:
    """Returned ones whose reminder or end is due today, a page at a time: nobody waits for a lock of theirs."""
    each, last = EnrollmentApplication, None
    while True:
        wanted = select(each).where(each.state == ApplicationState.RETURNED).order_by(each.id).limit(AT_A_TIME)
        with ports.begin() as session:
            page = session.scalars(wanted if last is None else wanted.where(each.id > last)).all()
            session.expunge_all()
        for application in page:
            if _is_due(ports, application):
                yield application.id
        if len(page) < AT_A_TIME:
            return
        last = page[-1].id


def _is_due(ports: Ports, application: EnrollmentApplication) -> bool:
    region = ports.rulebook.region(application.region)
    term, end = _term(region, application), mend_by(region, application)
    return term is not None and end is not None and ports.today() >= end - timedelta(days=term.remind_days_before)


def _look_after(ports: Ports, application_id: uuid.UUID) -> int:
    """Remind of it, or end it. Whoever works on it just now is left to it until the next sweep."""
    now = ports.now()
    with ports.begin() as session:
        application = session.scalar(
            select(EnrollmentApplication).where(EnrollmentApplication.id == application_id).with_for_update(skip_locked=True)
        )
        # Read again under the lock: it may have been handed in, and even returned anew, since the page was read.
        if application is None or not _is_due(ports, application):
            return 0
        end = mend_by(ports.rulebook.region(application.region), application)
        if end is None or ports.today() <= end:
            if end is None or was_told_to_mend(session, application):
                return 0
            tell_to_mend(ports, session, application, mend_by=end, at=now)
            return 1
        application.lapse(who=SWEEP, at=now)
        end_items(session, application)
        tell_lapsed(ports, session, application, at=now)
    log.info("application.lapsed", kind=application.kind, region=application.region, case_no=application.case_no)
    return 1
