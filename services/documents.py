"""Documents: photographs of an applicant's papers. Taken in, sealed, kept in a store, and shown under a mark to who may look.

The order is: the picture into the store, then its row. A picture without a row has no key that anybody could open it with, and a
sweep takes it away; a row without its picture cannot come to be.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from sqlalchemy import func, select

from config.blob_seals import new_blob_key, open_blob, seal_blob
from config.clock import BEIJING, day_start
from config.logs import logger
from config.rulebook import ApplicationKind, NoRuleInForce
from models.accounts import Account
from models.applications import ApplicationDocument, DocumentUpload, EnrollmentApplication
from models.audit import PersonalDataAccess
from models.base import new_id
from providers.protocols import ProviderUnreachable
from services.application_steps import own_application
from services.consents import require_consent
from services.document_errors import (
    DocumentNotAsked,
    DocumentsNotEditable,
    PictureInfected,
    PictureLost,
    TooManyLooks,
    TooManyUploads,
)
from services.errors import NotFound, ProviderUnavailable, SignInAgain
from services.personal_data import open_personal
from services.pictures import ADVICE, MEDIA_TYPE, read_picture
from services.watermarks import usual_font, watermark

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from services.pictures import Picture
    from services.ports import Ports

log = logger(__name__)
Answer = TypeVar("Answer")

UPLOADS_A_DAY: Final = 60
"""Five papers, each a dozen times: more than anybody's patience, too few to keep the scanner and the decoder busy."""
LOOKS_A_DAY: Final = 100
"""Of one viewer at one picture: each is a decoding and a row on record."""
DECODED_AT_ONCE: Final = 2
"""In a process: each may take 120 MB for a moment."""
WAITS_FOR_ITS_TURN_SECONDS: Final = 10
SCANNER_BACK_SECONDS: Final = 30
OBJECT: Final = "application_documents"
_turn = threading.BoundedSemaphore(DECODED_AT_ONCE)


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What may be wrong with a picture that was kept, and how to take a better one."""

    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class DocumentView:
    """A picture that is part of an application."""

    kind: str
    width: int
    height: int
    byte_count: int
    uploaded_at: datetime
    advice: tuple[Advice, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OpenedPicture:
    """A picture with the mark of who looks at it."""

    content: bytes
    media_type: str = MEDIA_TYPE

    def __repr__(self) -> str:
        return f"OpenedPicture({len(self.content)} bytes)"


def name_of(document_id: uuid.UUID) -> str:
    """Where the picture lies in the store. The last digits are random, so the shards fill evenly."""
    return f"{document_id.hex[-2:]}/{document_id}"


def accepted_kinds(ports: Ports, application: EnrollmentApplication) -> frozenset[str]:
    """The kinds of paper that this application may carry today, by the region's rulebook."""
    try:
        needed = ports.rulebook.region(application.region).required_documents(ApplicationKind(application.kind), ports.today())
    except NoRuleInForce:
        return frozenset()
    return frozenset(needed.kinds)


def upload_document(
    ports: Ports, *, account: Account, application_id: uuid.UUID, kind: str, body: Callable[[], bytes]
) -> DocumentView:
    """Keep a photograph of one kind of paper; it takes the place of an earlier one, and the very same one changes nothing.

    `body` gives the bytes, and is not asked before they may come. What is kept is told with advice where a better picture may help.

    Raises NotFound, ConsentRequired, DocumentsNotEditable, DocumentNotAsked, TooManyUploads, PictureInfected, PictureNotAccepted,
    PictureDamaged, PictureTooLarge, and ProviderUnavailable where scanner or store do not answer: then nothing was kept.
    """
    _begin_upload(ports, account=account, application_id=application_id, kind=kind)
    raw = body()
    scanned_at = _scanned(ports, raw, account=account)
    picture = _in_turn(lambda: read_picture(raw))
    document_id, key = new_id(), new_blob_key(ports.seals.algorithm)
    sealed = seal_blob(picture.content, key=key, place=f"{OBJECT}:{document_id}")
    try:
        ports.documents.put(name_of(document_id), sealed)
    except ProviderUnreachable:
        raise ProviderUnavailable from None
    document = ApplicationDocument(
        id=document_id,
        application_id=application_id,
        kind=kind,
        media_type=picture.media_type,
        byte_count=len(picture.content),
        width=picture.width,
        height=picture.height,
        content_hash=ports.seals.index("picture", hashlib.sha256(picture.content).hexdigest()),
        picture_key_sealed=ports.seals.seal(key, place=ApplicationDocument.picture_key_place(document_id)),
        scanned_at=scanned_at,
        uploaded_at=ports.now(),
    )
    kept = _keep(ports, account=account, application_id=application_id, document=document)
    return _view(kept, picture)


def _begin_upload(ports: Ports, *, account: Account, application_id: uuid.UUID, kind: str) -> None:
    """May this picture come? Then the try is counted, before a byte of it is read."""
    now = ports.now()
    with ports.begin() as session:
        application = own_application(session, account=account, application_id=application_id)
        _refuse_unasked(ports, application, kind=kind)
        require_consent(session, account_id=account.id, purpose="DOCUMENTS")
        # One try at a time: many at once would all see the count before any of them.
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"uploads:{account.id}", 0))))
        tries = session.scalar(
            select(func.count()).where(DocumentUpload.account_id == account.id, DocumentUpload.at >= day_start(now))
        )
        if (tries or 0) >= UPLOADS_A_DAY:
            raise TooManyUploads
        session.add(DocumentUpload(account_id=account.id, kind=kind, at=now))


def _scanned(ports: Ports, raw: bytes, *, account: Account) -> datetime | None:
    """When the scanner let it pass, before anything of ours looks inside; None where there is no scanner."""
    if ports.scanner is None:
        return None
    try:
        found = ports.scanner.scan(raw)
    except ProviderUnreachable as fault:
        log.error("document.not_scanned", fault=str(fault))  # noqa: TRY400 - an adapter's own short sentence
        raise ProviderUnavailable(
            detail="照片的病毒检查暂时无法进行，照片没有保存，请稍后重新上传。", retry_after_seconds=SCANNER_BACK_SECONDS
        ) from None
    if found is not None:
        log.warning("document.infected", found=found, account=str(account.id))
        raise PictureInfected
    return ports.now()


def _in_turn(step: Callable[[], Answer]) -> Answer:
    """A few decodings at once, and no more: memory has an end. Raises ProviderUnavailable when the queue does not move."""
    if not _turn.acquire(timeout=WAITS_FOR_ITS_TURN_SECONDS):
        raise ProviderUnavailable(detail="正在处理的照片过多，请稍后再试。")
    try:
        return step()
    finally:
        _turn.release()


def _keep(ports: Ports, *, account: Account, application_id: uuid.UUID, document: ApplicationDocument) -> ApplicationDocument:
    """The row, and with it the picture's place in the application; or the one that shows the very same picture already."""
    now = ports.now()
    with ports.begin() as session:
        # Consent, then application: who takes the consent back meanwhile waits, and whoever submits meanwhile wins or waits.
        require_consent(session, account_id=account.id, purpose="DOCUMENTS", hold=True)
        application = own_application(session, account=account, application_id=application_id, lock=True)
        _refuse_unasked(ports, application, kind=document.kind)
        if session.scalar(select(Account.closed_at).where(Account.id == account.id)) is not None:
            raise SignInAgain
        older = _live_document(session, application, kind=document.kind)
        if older is not None and _is_same(ports, older, document):
            session.expunge(older)
            return older
        if older is not None:
            older.retire(at=now)
            session.flush()
        session.add(document)
        application.change(who=f"account:{account.id}", at=now)
        session.flush()
        session.expunge(document)
    return document


def _is_same(ports: Ports, older: ApplicationDocument, document: ApplicationDocument) -> bool:
    return older.picture_key_sealed is not None and ports.seals.same(older.content_hash, document.content_hash)


def remove_document(ports: Ports, *, account: Account, application_id: uuid.UUID, kind: str) -> None:
    """Take a picture back. Raises NotFound, DocumentsNotEditable."""
    now = ports.now()
    with ports.begin() as session:
        application = own_application(session, account=account, application_id=application_id, lock=True)
        document = _live_document(session, application, kind=kind)
        if document is None:
            raise NotFound
        if not application.is_editable:
            raise DocumentsNotEditable
        document.retire(at=now)
        application.change(who=f"account:{account.id}", at=now)


def own_document(session: Session, *, account: Account, application_id: uuid.UUID, kind: str) -> ApplicationDocument:
    """The picture of this kind, of one's own application. Raises NotFound, also for other people's."""
    application = own_application(session, account=account, application_id=application_id)
    document = _live_document(session, application, kind=kind)
    if document is None or document.picture_key_sealed is None:
        raise NotFound
    return document


def open_picture(ports: Ports, *, document_id: uuid.UUID, who: str) -> OpenedPicture:
    """A picture for one of the staff, with their number across it. `who` is a staff number; whether they may look is the caller's to ask.

    Raises NotFound (no such picture, or it is erased), TooManyLooks, PictureLost, ProviderUnavailable, SealBroken.
    """
    now, number = ports.now(), who.removeprefix("staff:")
    with ports.begin() as session:
        document = session.get(ApplicationDocument, document_id)
        if document is None or document.picture_key_sealed is None:
            raise NotFound
        key = open_key(ports, session, document, who=f"staff:{number}", now=now)
    return show_picture(ports, document_id=document_id, key=key, viewer=number, now=now)


def open_key(ports: Ports, session: Session, document: ApplicationDocument, *, who: str, now: datetime) -> str:
    """What opens the picture. Every look leaves its row, and they are counted. Raises TooManyLooks."""
    looks = session.scalar(
        select(func.count()).where(
            PersonalDataAccess.subject_table == OBJECT,
            PersonalDataAccess.subject_id == document.id,
            PersonalDataAccess.who == who,
            PersonalDataAccess.at >= day_start(now),
        )
    )
    if (looks or 0) >= LOOKS_A_DAY:
        raise TooManyLooks
    return open_personal(ports, session, document, "picture_key", purpose="document_look", who=who, now=now)["picture_key"]


def show_picture(ports: Ports, *, document_id: uuid.UUID, key: str, viewer: str, now: datetime) -> OpenedPicture:
    """Fetched, opened, and marked. Raises PictureLost, ProviderUnavailable, SealBroken."""
    try:
        sealed = ports.documents.fetch(name_of(document_id))
    except ProviderUnreachable:
        raise ProviderUnavailable from None
    if sealed is None:
        log.error("picture.lost", document=str(document_id))
        raise PictureLost
    content = open_blob(sealed, key=key, place=f"{OBJECT}:{document_id}")
    moment = f"{now.astimezone(BEIJING):%Y-%m-%d %H:%M}"
    font_file = ports.watermark_font or usual_font()
    return OpenedPicture(content=_in_turn(lambda: watermark(content, viewer=viewer, moment=moment, font_file=font_file)))


def _live_document(session: Session, application: EnrollmentApplication, *, kind: str) -> ApplicationDocument | None:
    return session.scalar(
        select(ApplicationDocument).where(
            ApplicationDocument.application_id == application.id, ApplicationDocument.kind == kind, ApplicationDocument.live
        )
    )


def _refuse_unasked(ports: Ports, application: EnrollmentApplication, *, kind: str) -> None:
    if not application.is_editable:
        raise DocumentsNotEditable
    if kind not in accepted_kinds(ports, application):
        raise DocumentNotAsked


def _view(document: ApplicationDocument, picture: Picture) -> DocumentView:
    return DocumentView(
        kind=document.kind,
        width=document.width,
        height=document.height,
        byte_count=document.byte_count,
        uploaded_at=document.uploaded_at,
        advice=tuple(Advice(code=str(fault), text=ADVICE[fault]) for fault in picture.faults),
    )
