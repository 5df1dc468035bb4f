"""Consents: read a text, agree to that very text, see what one agreed to, take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, DateTime, Integer, List, Nested, String

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.fields import Given, Whole, short_text
from services import consent_withdrawals, consents
from services.errors import ConsentTextChanged, NotFound, ReadTheNoticeFirst

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
    regions = List(String(), required=True, metadata={"description": "在哪些地区适用"})
    reading_seconds = Integer(required=True, allow_none=True, metadata={"description": "打开多少秒后才能同意；空：不限"})
    opened_at = DateTime(required=True, allow_none=True, metadata={"description": "第一次打开的时间"})


class NoticesOut(Schema):
    notices = List(Nested(NoticeOut), required=True)


class ConsentIn(Given):
    purpose = short_text(required=True, metadata={"example": "REAL_NAME"})
    version = short_text(required=True)
    text_hash = String(required=True, validate=Whole(r"^[0-9a-f]{64}$"))


class NoticeReadingIn(ConsentIn):
    pass


class NoticeReadingOut(Schema):
    purpose = String(required=True)
    version = String(required=True)
    text_hash = String(required=True)
    opened_at = DateTime(required=True, metadata={"description": "第一次打开的时间；再次打开不重新计时"})
    reading_seconds = Integer(required=True)
    may_agree_at = DateTime(required=True)


class ConsentOut(Schema):
    id = String(required=True)
    purpose = String(required=True)
    version = String(required=True)
    given_at = DateTime(required=True)


class OwnConsentOut(ConsentOut):
    title = String(required=True)
    withdrawn_at = DateTime(required=True, allow_none=True)
    replaced = Boolean(required=True, metadata={"description": "因同意了新版本而结束，不是撤回"})
    text_changed = Boolean(required=True, metadata={"description": "告知书已更新，请再次征求同意"})
    text = String(required=True, allow_none=True, metadata={"description": "当时同意的文本"})
    withdrawing_stops = String(required=True, allow_none=True, metadata={"description": "撤回后停止什么"})
    goes_on = String(required=True, allow_none=True, metadata={"description": "撤回后依法继续什么"})


class OwnConsentsOut(Schema):
    consents = List(Nested(OwnConsentOut), required=True)


class WithdrawalOut(Schema):
    purpose = String(required=True)
    withdrawn_at = DateTime(required=True)
    stopped = String(required=True, metadata={"description": "已经停止什么"})
    goes_on = String(required=True, metadata={"description": "依法继续什么"})
    orders_under_way = List(
        String(), required=True, metadata={"description": "撤回以前已下、还可能付款的订单：会办完或到期关闭"}
    )


@door.get("/notices")
@endpoint(door, returns=NoticesOut)
def list_notices() -> dict[str, Any]:
    """The texts to read, with version and hash."""
    return {"notices": consents.notice_texts(ports(), account=me())}


@door.post("/notices/readings")
@endpoint(door, takes=NoticeReadingIn, returns=NoticeReadingOut, fails=[NotFound, ConsentTextChanged])
def open_notice(given: dict[str, Any]) -> Any:
    """Say that a text was opened: its reading time runs from the first time (请务必仔细阅读)."""
    return consents.open_notice(ports(), account=me(), **given)


@door.post("/consents")
@endpoint(
    door,
    takes=ConsentIn,
    returns=ConsentOut,
    status=201,
    fails=[NotFound, ConsentTextChanged, ReadTheNoticeFirst],
    creates=True,
)
def create_consent(given: dict[str, Any]) -> Any:
    """Agree to one text for one purpose. Agreeing again to the same text is the same consent."""
    return consents.give_consent(ports(), account=me(), **given)


@door.get("/consents")
@endpoint(door, returns=OwnConsentsOut)
def list_consents() -> dict[str, Any]:
    """What I agreed to, and what taking it back would stop."""
    return {"consents": consents.list_consents(ports(), account=me())}


@door.delete("/consents/<uuid:consent_id>")
@endpoint(door, returns=WithdrawalOut, fails=[NotFound])
def withdraw_consent(consent_id: uuid.UUID) -> Any:
    """Take a consent back. What it covered stops at once; the answer says what goes on."""
    return consent_withdrawals.withdraw_consent(ports(), account=me(), consent_id=consent_id)
