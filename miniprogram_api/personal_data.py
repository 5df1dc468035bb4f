"""Personal data: what is held about me and why, who looked at it, a copy of it, and requests to correct or delete it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, DateTime, Dict, Integer, List, Nested, Raw, String
from apiflask.validators import OneOf, Range
from flask import Response, g
from marshmallow import ValidationError, validates_schema

from miniprogram_api.auth import endpoint, me, ports, token
from miniprogram_api.fields import Given, short_text
from services import own_data, own_data_requests
from services.errors import (
    FreshSignInRequired,
    IdempotencyKeyReused,
    NotFound,
    PersonalDataRequestAnswered,
    PersonalDataRequestOpen,
)

if TYPE_CHECKING:
    import uuid

door = APIBlueprint("personal_data", __name__, tag="Personal data")

MOST_ON_A_PAGE: Final = 100
LONGEST_WISH: Final = 500


class DataKindOut(Schema):
    kind = String(required=True)
    title = String(required=True)
    purpose = String(required=True, metadata={"description": "处理目的"})
    source = String(required=True, metadata={"description": "信息来源"})
    legal_ground = String(required=True, metadata={"description": "处理和保存的法律依据"})
    retention = String(required=True, metadata={"description": "保存期限"})
    count = Integer(required=True, metadata={"description": "共有多少条；页面只列最近的"})
    items = List(Dict(keys=String(), values=Raw()), required=True)


class OwnDataOut(Schema):
    kinds = List(Nested(DataKindOut), required=True)


class CopyOut(Schema):
    made_at = DateTime(required=True)
    full = Boolean(required=True, metadata={"description": "是否含完整姓名、证件号码和手机号码；未核验身份时为 false"})
    opened = Dict(keys=String(), values=Raw(), required=True, metadata={"description": "本人的完整信息"})
    kinds = List(Nested(DataKindOut), required=True)


class PageIn(Given):
    limit = Integer(load_default=20, validate=Range(min=1, max=MOST_ON_A_PAGE))
    offset = Integer(load_default=0, validate=Range(min=0, max=10**9))


class AccessOut(Schema):
    at = String(required=True)
    what = String(required=True, metadata={"description": "看了什么", "example": "姓名、身份证号码"})
    why = String(required=True, metadata={"description": "为了什么"})
    who = String(required=True, metadata={"description": "本人、本人的其他账户、工作人员或系统"})


class AccessesOut(Schema):
    count = Integer(required=True)
    accesses = List(Nested(AccessOut), required=True)


class DataRequestIn(Given):
    kind = String(required=True, validate=OneOf(["COPY", "CORRECT", "DELETE"]))
    wish = short_text(LONGEST_WISH, metadata={"description": "要更正什么；只在更正时填写，且必填"})

    @validates_schema
    def _wish_belongs_to_a_correction(self, given: dict[str, Any], **_: Any) -> None:
        if (given.get("kind") == "CORRECT") != bool((given.get("wish") or "").strip()):
            raise ValidationError("更正时请填写要更正的内容，其他请求不填", "wish")


class KeptOut(Schema):
    what = String(required=True)
    why = String(required=True)


class DataRequestOut(Schema):
    id = String(required=True)
    kind = String(required=True)
    state = String(required=True)
    answer = String(required=True, metadata={"description": "办理结果，或下一步怎么办"})
    kept = List(Nested(KeptOut), required=True, metadata={"description": "注销后依法保留的记录及依据"})
    created_at = DateTime(required=True)
    due_at = DateTime(required=True, metadata={"description": "最迟答复时间"})
    finished_at = DateTime(required=True, allow_none=True)


class DataRequestsOut(Schema):
    requests = List(Nested(DataRequestOut), required=True)


@door.get("/personal-data")
@endpoint(door, returns=OwnDataOut)
def read_own_data() -> dict[str, Any]:
    """Everything held about me, by kind: what, why, whence, by what right and how long. Masked; of each kind the newest 50."""
    return {"kinds": own_data.own_data(ports(), account=me())}


@door.get("/personal-data/copy")
@endpoint(door, returns=CopyOut, fails=[FreshSignInRequired])
def read_own_copy() -> Response:
    """A whole copy as JSON, streamed. In full where the identity is verified and the sign-in younger than 15 minutes."""
    pieces = own_data.own_copy(ports(), account=me(), token=token())
    headers = {"Content-Disposition": 'attachment; filename="personal-data.json"'}
    return Response(pieces, mimetype="application/json", headers=headers)


@door.get("/personal-data/accesses")
@endpoint(door, asks=PageIn, returns=AccessesOut)
def list_accesses(asked: dict[str, int]) -> dict[str, Any]:
    """Who looked at my data, when, at what and what for; newest first."""
    count, accesses = own_data.own_accesses(ports(), account=me(), **asked)
    return {"count": count, "accesses": accesses}


@door.post("/personal-data/requests")
@endpoint(
    door,
    takes=DataRequestIn,
    returns=DataRequestOut,
    status=201,
    fails=[PersonalDataRequestOpen, IdempotencyKeyReused],
    creates=True,
    replays=True,
)
def make_data_request(given: dict[str, Any]) -> Any:
    """Ask for a copy, a correction or the deletion of my account. A deletion that is DONE ends every session of it."""
    view = own_data_requests.make_request(
        ports(), account=me(), kind=given["kind"], wish=given.get("wish"), idempotency_key=g.idempotency_key
    )
    return view, 201, {"Idempotency-Replayed": "true"} if view.replayed else {}


@door.get("/personal-data/requests")
@endpoint(door, returns=DataRequestsOut)
def list_data_requests() -> dict[str, Any]:
    """My requests, newest first."""
    return {"requests": own_data_requests.list_requests(ports(), account=me())}


@door.delete("/personal-data/requests/<uuid:request_id>")
@endpoint(door, status=204, fails=[NotFound, PersonalDataRequestAnswered])
def take_back_data_request(request_id: uuid.UUID) -> tuple[str, int]:
    """Take back a request that nobody has answered yet; again changes nothing."""
    own_data_requests.take_back(ports(), account=me(), request_id=request_id)
    return "", 204
