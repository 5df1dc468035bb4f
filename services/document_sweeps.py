"""Pictures that nobody needs any more: what lost its use loses its key after its term, and what has no key leaves the store."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, update

from config.logs import logger
from models.applications import ENDED_UNDONE, ApplicationDocument, EnrollmentApplication
from providers.protocols import ProviderUnreachable
from services.documents import name_of

if TYPE_CHECKING:
    from services.ports import Ports

log = logger(__name__)

BATCH: Final = 200
UPLOADED_WITHIN: Final = timedelta(hours=1)
"""A picture this old has its row, or will never have one: no request lives so long."""
UUID_DIGITS: Final = 36


def erase_pictures(ports: Ports, *, batch: int = BATCH) -> int:
    """The sweep: pictures whose row has no key leave the store, and their rows say when; answers how many.

    Rows lose their key when another picture takes the place, when the applicant takes it back, and by retention. Killed anywhere, it
    goes on where it was: to erase again what is gone is no fault.
    """
    _note_what_lost_its_use(ports)
    done = 0
    while True:
        with ports.begin() as session:
            keyless = session.scalars(
                select(ApplicationDocument.id)
                .where(ApplicationDocument.picture_key_sealed.is_(None), ApplicationDocument.erased_at.is_(None))
                .order_by(ApplicationDocument.id)
                .limit(batch)
            ).all()
        if not keyless:
            return done
        try:
            for document_id in keyless:
                ports.documents.delete(name_of(document_id))
        except ProviderUnreachable as fault:
            log.warning("pictures.not_erased", fault=str(fault))
            return done
        with ports.begin() as session:
            session.execute(
                update(ApplicationDocument)
                .where(ApplicationDocument.id.in_(keyless), ApplicationDocument.erased_at.is_(None))
                .values(erased_at=ports.now(), live=False)
            )
        done += len(keyless)


def _note_what_lost_its_use(ports: Ports) -> None:
    """From the day on which it was rejected, withdrawn or lapsed the term of its pictures runs (config/retention.yaml, unused-pictures).

    Whose application is gone has no term left: its key goes at once.
    """
    now, row = ports.now(), ApplicationDocument
    ended = (
        update(row)
        .where(
            row.application_id == EnrollmentApplication.id,
            row.unused_since.is_(None),
            EnrollmentApplication.state.in_(ENDED_UNDONE),
        )
        .values(unused_since=EnrollmentApplication.updated_at)
    )
    gone = (
        update(row)
        .where(row.application_id.is_(None), row.picture_key_sealed.is_not(None))
        .values(live=False, picture_key_sealed=None, unused_since=func.coalesce(row.unused_since, now))
    )
    with ports.begin() as session:
        for change in (ended, gone):
            session.execute(change.execution_options(synchronize_session=False))


def sweep_orphans(ports: Ports) -> int:
    """The sweep: pictures without a row leave the store; answers how many. Their upload died half way, or their application is gone.

    Whatever is younger than an hour stays: its row may be on the way. A name that is not of ours is not listed at all.
    """
    done = 0
    for shard in range(256):
        try:
            names = ports.documents.names(f"{shard:02x}")
            for name in _orphans(ports, names):
                ports.documents.delete(name)
                done += 1
        except ProviderUnreachable as fault:
            log.warning("orphans.not_swept", fault=str(fault))
            return done
    return done


def _orphans(ports: Ports, names: list[str]) -> list[str]:
    now = ports.now()
    ids = {name: _id_in(name) for name in names}
    old = {name: found for name, found in ids.items() if found is not None and now - _made_at(found) > UPLOADED_WITHIN}
    if not old:
        return []
    with ports.begin() as session:
        known = set(session.scalars(select(ApplicationDocument.id).where(ApplicationDocument.id.in_(set(old.values())))))
    # What a killed write left behind lies under a longer name, and is nobody's picture whatever the rows say.
    return [name for name, document_id in old.items() if document_id not in known or name != name_of(document_id)]


def _id_in(name: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(name.partition("/")[2][:UUID_DIGITS])
    except ValueError:
        return None


def _made_at(document_id: uuid.UUID) -> datetime:
    """A UUIDv7 begins with the millisecond in which it was made."""
    return datetime.fromtimestamp((document_id.int >> 80) / 1000, UTC)
