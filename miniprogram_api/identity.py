"""Identity: real name first, then a face; verdicts come from the platform's server alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from apiflask import APIBlueprint, Schema
from apiflask.fields import DateTime, Dict, List, Nested, String
from apiflask.validators import Length
from flask import g
from marshmallow import ValidationError

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.fields import Given, Nothing, Whole, short_text
from miniprogram_api.ways_without_face import WayOut
from services import face_checks, real_names
from services.errors import (
    AlreadyVerified,
    ConsentRequired,
    DeviceRequired,
    IdNumberMalformed,
    NameIdMismatch,
    NameMalformed,
    NotAvailableOnline,
    NotFound,
    ProviderUnavailable,
    RealNameRequired,
    RequestInFlight,
    TooManyFaceChecks,
    TooManyLookups,
    TooYoung,
)

if TYPE_CHECKING:
    import uuid

door = APIBlueprint("identity", __name__, tag="Identity")


class RealNameIn(Given):
    name = short_text(100, required=True)
    id_number = short_text(40, required=True)
    phone = String(validate=Whole(r"^1[3-9][0-9]{9}$"), load_default=None)


class VerificationOut(Schema):
    state = String(required=True)
    name = String(required=True, attribute="name_masked")
    id_number = String(required=True, attribute="id_number_masked")


LARGEST_DEVICE_BYTES: Final = 8 * 1024


def _fits(text: str) -> None:
    if len(text.encode()) > LARGEST_DEVICE_BYTES:
        raise ValidationError("不能超过8KB")


class FaceCheckIn(Given):
    device = String(
        validate=[Length(min=1, max=LARGEST_DEVICE_BYTES), _fits],
        load_default=None,
        metadata={"description": "APP人脸SDK给出的设备信息（MetaInfo），APP必填；小程序不需要，传了也不使用、不保存"},
    )


class FaceCheckOut(Schema):
    id = String(required=True)
    state = String(required=True)
    launch = Dict(
        keys=String(), values=String(), required=True, allow_none=True, metadata={"description": "传给平台人脸函数的参数"}
    )
    expires_at = DateTime(required=True)
    verification_state = String(required=True)
    advice = String(required=True, allow_none=True, metadata={"description": "核验结束而未通过时，给本人的说明"})
    ways = List(Nested(WayOut), required=True, metadata={"description": "未通过时，不刷脸还可以怎么办"})


@door.post("/identity/real-name")
@endpoint(
    door,
    takes=RealNameIn,
    returns=VerificationOut,
    fails=[
        ConsentRequired,
        NameMalformed,
        IdNumberMalformed,
        TooYoung,
        AlreadyVerified,
        NameIdMismatch,
        TooManyLookups,
        ProviderUnavailable,
    ],
)
def prove_name(given: dict[str, Any]) -> Any:
    """Name, mobile number and ID number, matched by the authority (实名认证)."""
    return real_names.prove_name(ports(), account=me(), **given)


@door.post("/identity/face-checks")
@endpoint(
    door,
    takes=FaceCheckIn,
    returns=FaceCheckOut,
    status=201,
    fails=[
        DeviceRequired,
        ConsentRequired,
        RealNameRequired,
        AlreadyVerified,
        TooManyFaceChecks,
        NotAvailableOnline,
        ProviderUnavailable,
        RequestInFlight,
    ],
    creates=True,
    replays=True,
)
def start_face_check(given: dict[str, Any]) -> Any:
    """Open a face check at the platform (人脸核验). The same key again tells the same check."""
    check = face_checks.start_face_check(ports(), account=me(), idempotency_key=g.idempotency_key, **given)
    return check, 201, {"Idempotency-Replayed": "true"} if check.replayed else {}


@door.post("/identity/face-checks/<uuid:check_id>/finished")
@endpoint(door, takes=Nothing, returns=FaceCheckOut, fails=[NotFound, ConsentRequired, ProviderUnavailable])
def finish_face_check(check_id: uuid.UUID, given: dict[str, Any]) -> Any:  # noqa: ARG001 - an empty object today
    """The phone is back from the camera: ask the platform and tell its verdict."""
    return face_checks.finish_face_check(ports(), account=me(), check_id=check_id)


@door.get("/identity/face-checks/<uuid:check_id>")
@endpoint(door, returns=FaceCheckOut, fails=[NotFound])
def read_face_check(check_id: uuid.UUID) -> Any:
    """Where a face check stands."""
    return face_checks.read_face_check(ports(), account=me(), check_id=check_id)
