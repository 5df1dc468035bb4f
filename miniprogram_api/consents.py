"""Consents: read a text, agree to that very text, take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, DateTime, List, Nested, String

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.fields import Given, Whole, short_text
from services import consents
from services.errors import ConsentTextChanged, NotFound

if TYPE_CHECKING:
    import uuid

door = APIBlueprint("consents", __name__, tag="Consents")


class NoticeOut(Schema):
    purpose = String(required=True)
    title = String(required=True)
    version = String(required=True)
    text = String(required=True)
    text_hash = String(required=True, metadata={"description": "SHA-256, 十六进制"})
    given = Boolean(required=True, metadata={"description": "是否已同意此版本"})
    issuer = String(required=True)
    sample = Boolean(required=True, metadata={"description": "示例文本"})


class NoticesOut(Schema):
    notices = List(Nested(NoticeOut), required=True)


class ConsentIn(Given):
    purpose = short_text(required=True, metadata={"example": "REAL_NAME"})
    version = short_text(required=True)
    text_hash = String(required=True, validate=Whole(r"^[0-9a-f]{64}$"))


class ConsentOut(Schema):
    id = String(required=True)
    purpose = String(required=True)
    version = String(required=True)
    given_at = DateTime(required=True)


@door.get("/notices")
@endpoint(door, returns=NoticesOut)
def list_notices() -> dict[str, Any]:
    """The texts to read, with version and hash."""
    return {"notices": consents.notice_texts(ports(), account=me())}


@door.post("/consents")
@endpoint(door, takes=ConsentIn, returns=ConsentOut, status=201, fails=[NotFound, ConsentTextChanged], creates=True)
def create_consent(given: dict[str, Any]) -> Any:
    """Agree to one text for one purpose. Agreeing again to the same text is the same consent."""
    return consents.give_consent(ports(), account=me(), **given)


@door.delete("/consents/<uuid:consent_id>")
@endpoint(door, status=204, fails=[NotFound])
def withdraw_consent(consent_id: uuid.UUID) -> tuple[str, int]:
    """Take a consent back; what it covered stops from now on."""
    consents.withdraw_consent(ports(), account=me(), consent_id=consent_id)
    return "", 204
