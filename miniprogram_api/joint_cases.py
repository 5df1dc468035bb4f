"""Joint cases (联合办): enrolment, debit agreement and first payment, followed as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, DateTime, List, Nested, String
from apiflask.validators import OneOf
from flask import g

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.fields import Given, Whole
from services import joint_cases
from services.application_errors import InsuranceNotOffered
from services.case_errors import TooManyApplications
from services.errors import (
    ConsentRequired,
    IdempotencyKeyReused,
    NotAvailableOnline,
    NotFound,
    RealNameRequired,
    RegionMismatch,
)

if TYPE_CHECKING:
    import uuid

door = APIBlueprint("joint_cases", __name__, tag="Joint cases")


class JointCaseIn(Given):
    region = String(required=True, validate=Whole(r"^[0-9]{6}$"))
    resident_scheme = String(
        load_default=None,
        validate=OneOf(["170", "390"]),
        metadata={"description": "城乡居民入口：170 居民养老，390 居民医疗；不填：灵活就业"},
    )


class JointStepOut(Schema):
    step = String(required=True, metadata={"description": "ENROLLMENT, AGREEMENT, PAYMENT"})
    title = String(required=True)
    state = String(required=True, metadata={"description": "WAITING 未到此步，TO_DO 请您办理，UNDER_WAY 办理中，DONE 已完成"})
    explanation = String(required=True, allow_none=True)
    application_ids = List(String(), required=True)


class JointCaseOut(Schema):
    id = String(required=True)
    case_no = String(required=True)
    region = String(required=True)
    region_name = String(required=True)
    resident_scheme = String(required=True, allow_none=True)
    is_done = Boolean(required=True)
    steps = List(Nested(JointStepOut), required=True)
    created_at = DateTime(required=True)


class JointCasesOut(Schema):
    joint_cases = List(Nested(JointCaseOut), required=True)


@door.post("/joint-cases")
@endpoint(
    door,
    takes=JointCaseIn,
    returns=JointCaseOut,
    status=201,
    fails=[
        NotFound,
        RegionMismatch,
        RealNameRequired,
        ConsentRequired,
        NotAvailableOnline,
        InsuranceNotOffered,
        TooManyApplications,
        IdempotencyKeyReused,
    ],
    creates=True,
    replays=True,
)
def open_joint_case(given: dict[str, Any]) -> Any:
    """Open a joint case; its enrolment is an application that names it."""
    view = joint_cases.open_joint_case(
        ports(),
        account=me(),
        region_code=given["region"],
        resident_scheme=given["resident_scheme"],
        idempotency_key=g.idempotency_key,
    )
    return view, 201, {"Idempotency-Replayed": "true"} if view.replayed else {}


@door.get("/joint-cases")
@endpoint(door, returns=JointCasesOut)
def list_joint_cases() -> dict[str, Any]:
    """My joint cases, newest first."""
    return {"joint_cases": joint_cases.list_joint_cases(ports(), account=me())}


@door.get("/joint-cases/<uuid:case_id>")
@endpoint(door, returns=JointCaseOut, fails=[NotFound])
def read_joint_case(case_id: uuid.UUID) -> Any:
    """One joint case, and where each of its steps stands."""
    return joint_cases.read_joint_case(ports(), account=me(), case_id=case_id)
