"""Documents: photographs of papers, one of each kind, that belong to an application. The one door that takes more than JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from apiflask import APIBlueprint, Schema
from apiflask.fields import DateTime, Integer, List, Nested, String
from flask import Response, request, url_for
from prometheus_client import Counter
from werkzeug.exceptions import HTTPException

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.errors import DoorRefusal
from services import document_links, documents
from services.document_errors import (
    DocumentNotAsked,
    DocumentsNotEditable,
    PictureDamaged,
    PictureInfected,
    PictureLinkEnded,
    PictureLost,
    PictureNotAccepted,
    PictureTooLarge,
    TooManyLooks,
    TooManyUploads,
)
from services.errors import BusinessError, ConsentRequired, NotFound, ProviderUnavailable
from services.pictures import MEDIA_TYPE, MOST_BYTES

if TYPE_CHECKING:
    import uuid

door = APIBlueprint("documents", __name__, tag="Documents")

UPLOADS: Final = Counter("canbao_pictures_total", "Pictures at the door", ["result"])
"""`kept`, or the code of the refusal: PICTURE_INFECTED among them."""
TOO_LARGE: Final = "照片不能超过8MB，请用手机的普通拍照模式重新拍摄，或压缩后上传。"
PICTURE_HEADERS: Final = {
    # Whatever a browser makes of these bytes, it runs nothing and asks nobody.
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": "inline",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class AdviceOut(Schema):
    code = String(required=True, metadata={"description": "TOO_SMALL、TOO_DARK 或 BLURRED"})
    text = String(required=True, metadata={"description": "怎样拍得更清楚"})


class DocumentOut(Schema):
    kind = String(required=True, metadata={"example": "ID_FRONT"})
    width = Integer(required=True)
    height = Integer(required=True)
    byte_count = Integer(required=True)
    uploaded_at = DateTime(required=True)
    advice = List(Nested(AdviceOut), required=True, metadata={"description": "照片已保存；有建议的，请本人决定是否重拍"})


class PictureLinkOut(Schema):
    url = String(required=True, metadata={"description": "打开即是照片，不带登录信息；请勿转发"})
    expires_at = DateTime(required=True)


@door.put("/applications/<uuid:application_id>/documents/<kind>")
@endpoint(
    door,
    returns=DocumentOut,
    takes_picture=True,
    fails=[
        NotFound,
        ConsentRequired,
        DocumentsNotEditable,
        DocumentNotAsked,
        TooManyUploads,
        PictureNotAccepted,
        PictureDamaged,
        PictureTooLarge,
        PictureInfected,
        ProviderUnavailable,
    ],
)
def upload_document(application_id: uuid.UUID, kind: str) -> Any:
    """Put a photograph of one kind of paper: the bytes of a JPEG or a PNG, at most 8 MB, whatever their Content-Type says.

    It takes the place of an earlier one. The same one again changes nothing. It is drawn anew: place, camera and all else that
    hides in the file is not kept.
    """
    if (request.content_length or 0) > MOST_BYTES:
        # Before a byte of it is read.
        UPLOADS.labels("REQUEST_TOO_LARGE").inc()
        raise DoorRefusal(413, detail=TOO_LARGE)
    try:
        kept = documents.upload_document(ports(), account=me(), application_id=application_id, kind=kind, body=_picture)
    except BusinessError as refusal:
        UPLOADS.labels(refusal.code).inc()
        raise
    UPLOADS.labels("kept").inc()
    return kept


def _picture() -> bytes:
    try:
        raw = request.get_data(cache=False)
    except HTTPException:
        raise
    except OSError:
        # The line broke in the middle.
        raise DoorRefusal(400) from None
    if len(raw) > MOST_BYTES:
        UPLOADS.labels("REQUEST_TOO_LARGE").inc()
        raise DoorRefusal(413, detail=TOO_LARGE)
    return raw


@door.delete("/applications/<uuid:application_id>/documents/<kind>")
@endpoint(door, status=204, fails=[NotFound, DocumentsNotEditable])
def remove_document(application_id: uuid.UUID, kind: str) -> tuple[str, int]:
    """Take a photograph back. From then on nobody can open it."""
    documents.remove_document(ports(), account=me(), application_id=application_id, kind=kind)
    return "", 204


@door.get("/applications/<uuid:application_id>/documents/<kind>")
@endpoint(door, returns=PictureLinkOut, fails=[NotFound])
def link_to_document(application_id: uuid.UUID, kind: str) -> dict[str, Any]:
    """A link to the photograph for five minutes, for me alone."""
    link = document_links.link_to_document(ports(), account=me(), application_id=application_id, kind=kind)
    return {"url": url_for("documents.show_picture", ticket=link.ticket), "expires_at": link.expires_at}


@door.get("/pictures/<ticket>")
@endpoint(
    door,
    signed_in=False,
    gives=MEDIA_TYPE,
    fails=[PictureLinkEnded, PictureLost, TooManyLooks, ProviderUnavailable],
)
def show_picture(ticket: str) -> Response:
    """The photograph behind a link, with the viewer's number and the moment across it. Each look stays on record."""
    opened = document_links.open_link(ports(), ticket=ticket)
    return Response(opened.content, mimetype=opened.media_type, headers=PICTURE_HEADERS)
