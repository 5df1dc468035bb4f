"""Links to pictures: five minutes long, for one viewer and one picture. A phone's picture view brings no token along."""

from __future__ import annotations

import base64
import struct
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from models.accounts import Account
from models.applications import ApplicationDocument, EnrollmentApplication
from services.document_errors import PictureLinkEnded
from services.documents import open_key, own_document, show_picture

if TYPE_CHECKING:
    from services.documents import OpenedPicture
    from services.ports import Ports

LINK_LIFE: Final = timedelta(minutes=5)
SAID: Final = struct.Struct(">16s16sQ")
"""Picture, viewer, and the second in which the link ends."""
SIGNATURE_BYTES: Final = 32
VIEWER_DIGITS: Final = 12


@dataclass(frozen=True, kw_only=True)
class PictureLink:
    """What to put behind `/pictures/`. Whoever has it can look until it ends, so it is no more shared than the picture."""

    ticket: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"PictureLink(expires_at={self.expires_at.isoformat()})"


def link_to_document(ports: Ports, *, account: Account, application_id: uuid.UUID, kind: str) -> PictureLink:
    """A link to a picture of one's own application. Nothing is opened yet. Raises NotFound, also for other people's."""
    with ports.begin() as session:
        document = own_document(session, account=account, application_id=application_id, kind=kind)
        document_id = document.id
    expires_at = (ports.now() + LINK_LIFE).replace(microsecond=0)
    said = SAID.pack(document_id.bytes, account.id.bytes, int(expires_at.timestamp()))
    ticket = base64.urlsafe_b64encode(said + _signature(ports, said)).decode().rstrip("=")
    return PictureLink(ticket=ticket, expires_at=expires_at)


def open_link(ports: Ports, *, ticket: str) -> OpenedPicture:
    """The picture behind a link, with the viewer's number and the moment across it.

    Raises PictureLinkEnded (over, altered, or its picture or account is gone), TooManyLooks, PictureLost, ProviderUnavailable,
    SealBroken.
    """
    document_id, viewer_id = _read(ports, ticket)
    now, who = ports.now(), f"account:{viewer_id}"
    with ports.begin() as session:
        document = session.scalar(
            select(ApplicationDocument)
            .join(EnrollmentApplication, EnrollmentApplication.id == ApplicationDocument.application_id)
            .join(Account, Account.id == EnrollmentApplication.account_id)
            .where(
                ApplicationDocument.id == document_id,
                ApplicationDocument.live,
                ApplicationDocument.picture_key_sealed.is_not(None),
                Account.id == viewer_id,
                Account.closed_at.is_(None),
            )
        )
        if document is None:
            raise PictureLinkEnded
        key = open_key(ports, session, document, who=who, now=now)
    return show_picture(ports, document_id=document_id, key=key, viewer=viewer_id.hex[-VIEWER_DIGITS:].upper(), now=now)


def _signature(ports: Ports, said: bytes) -> bytes:
    """By the key of the blind indexes, under a word of its own: no index is ever made of these parts."""
    return ports.seals.index("picture_link", said.hex())


def _read(ports: Ports, ticket: str) -> tuple[uuid.UUID, uuid.UUID]:
    """(picture, viewer). Raises PictureLinkEnded, and does not say why: who alters a link learns nothing."""
    try:
        raw = base64.b64decode(ticket + "=" * (-len(ticket) % 4), altchars=b"-_", validate=True)
        said, signature = raw[: SAID.size], raw[SAID.size :]
        document, viewer, ends = SAID.unpack(said)
    except (ValueError, struct.error):
        raise PictureLinkEnded from None
    if len(signature) != SIGNATURE_BYTES or not ports.seals.same(signature, _signature(ports, said)):
        raise PictureLinkEnded
    # Signed by us, so it is a moment that there is.
    if datetime.fromtimestamp(ends, UTC) <= ports.now():
        raise PictureLinkEnded
    return uuid.UUID(bytes=document), uuid.UUID(bytes=viewer)
