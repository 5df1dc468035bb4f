"""Applications: drafts, what is filled in and chosen, handing in, submitting, withdrawing, and where a case stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from apiflask import APIBlueprint, Schema
from apiflask.fields import UUID, Boolean, Date, DateTime, Dict, Integer, List, Nested, String
from apiflask.validators import Length, OneOf, Range
from flask import g

from config.rulebook import ApplicationKind
from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.fields import Given, Nothing, Whole, fen
from services import application_views, applications
from services.application_errors import (
    ActiveElsewhere,
    AlreadyEnrolled,
    AlreadyRetired,
    AtPensionableAge,
    BelowMinimumAge,
    DeclaredWageOutOfLimits,
    HukouNotEligible,
    InsuranceNotOffered,
    NoInsuranceSelected,
    NotActive,
    NotSuspended,
    PoolingAreaUnknown,
    TierNotOffered,
)
from services.case_errors import (
    ApplicationChanged,
    ApplicationIncomplete,
    ApplicationNotEditable,
    ApplicationOpen,
    CannotWithdraw,
    DocumentsMissing,
    FieldsNotAccepted,
    HandInDocumentsFirst,
    TooManyApplications,
)
from services.choices import Choice
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

door = APIBlueprint("applications", __name__, tag="Applications")

MOST_FIELDS: Final = 40
LONGEST_VALUE: Final = 200
MOST_INSURANCES: Final = 8
RULES: Final = [
    NotAvailableOnline,
    RegionMismatch,
    PoolingAreaUnknown,
    BelowMinimumAge,
    AtPensionableAge,
    HukouNotEligible,
    AlreadyEnrolled,
    AlreadyRetired,
    ActiveElsewhere,
    NotSuspended,
    NotActive,
    InsuranceNotOffered,
    TierNotOffered,
    DeclaredWageOutOfLimits,
    NoInsuranceSelected,
]
"""What the rules of a region may say against an application, at every step of it."""


class ChoiceIn(Given):
    insurance_type = String(required=True, validate=Whole(r"^[0-9]{3}$"))
    plan = String(validate=Length(min=3, max=40), load_default=None, metadata={"description": "不填：本地区的默认方案"})
    tier = String(validate=Length(min=1, max=10), load_default=None, allow_none=True)
    declared_wage_fen = fen(load_default=None, allow_none=True, metadata={"description": "申报工资基数；选了档次的不填"})
    declined = Boolean(load_default=False, metadata={"description": "不参加此险种，选“无”"})


class FieldsIn(Given):
    fields_ = Dict(
        data_key="fields",
        keys=String(validate=Length(min=1, max=40)),
        values=String(validate=Length(max=LONGEST_VALUE), allow_none=True),
        validate=Length(max=MOST_FIELDS),
        load_default=dict,
        metadata={"description": "表单各项的 key 和内容；空表示清除"},
    )
    insurances = List(
        Nested(ChoiceIn),
        load_default=None,
        validate=Length(max=MOST_INSURANCES),
        metadata={"description": "不填：保持原来所选"},
    )


class ApplicationIn(FieldsIn):
    kind = String(required=True, validate=OneOf([str(each) for each in ApplicationKind]))
    region = String(required=True, validate=Whole(r"^[0-9]{6}$"))
    copied_from = UUID(load_default=None, metadata={"description": "沿用自己被退回不通过或已撤回的申请的内容"})
    joint_case_id = UUID(load_default=None)


class ChangeIn(FieldsIn):
    version = Integer(
        required=True, strict=True, validate=Range(min=1, max=10**9), metadata={"description": "页面上所见的版本"}
    )


class SubmissionIn(Given):
    version = Integer(
        required=True, strict=True, validate=Range(min=1, max=10**9), metadata={"description": "页面上所见的版本"}
    )


class FilledFieldOut(Schema):
    key = String(required=True)
    label = String(required=True)
    value = String(required=True, metadata={"description": "个人信息已脱敏"})


class ItemOut(Schema):
    insurance_type = String(required=True)
    label = String(required=True)
    tier_plan = String(required=True, allow_none=True)
    tier = String(required=True, allow_none=True)
    tier_label = String(required=True, allow_none=True)
    base_fen = Integer(required=True, allow_none=True)
    amount_fen = Integer(required=True, allow_none=True, metadata={"description": "按当前标准每月应缴"})
    sample = Boolean(required=True)
    provisional = Boolean(required=True)


class ApplicationDocumentOut(Schema):
    kind = String(required=True)
    label = String(required=True)
    uploaded_at = DateTime(required=True)


class MissingDocumentOut(Schema):
    kind = String(required=True)
    label = String(required=True)
    because = String(required=True, allow_none=True, metadata={"description": "因所填户籍地而需要的，说明原因"})


class TimelineStepOut(Schema):
    step = String(required=True)
    title = String(required=True)
    at = DateTime(required=True)
    actor = String(required=True, metadata={"description": "APPLICANT 申请人，STAFF 经办人员，SYSTEM 系统"})
    remark = String(required=True, allow_none=True)


class ApplicationOut(Schema):
    id = String(required=True)
    case_no = String(required=True, metadata={"description": "办件编号"})
    kind = String(required=True)
    kind_text = String(required=True)
    state = String(required=True)
    state_text = String(required=True)
    version = Integer(required=True)
    region = String(required=True)
    region_name = String(required=True)
    joint_case_id = String(required=True, allow_none=True)
    submission = String(required=True, allow_none=True)
    can = List(
        String(),
        required=True,
        metadata={"description": "现在可以：CHANGE, HAND_IN_DOCUMENTS, SUBMIT, WITHDRAW, COPY, PRINT_FORM"},
    )
    fields_ = List(Nested(FilledFieldOut), required=True, data_key="fields")
    insurances = List(Nested(ItemOut), required=True)
    documents = List(Nested(ApplicationDocumentOut), required=True)
    missing_documents = List(Nested(MissingDocumentOut), required=True)
    submitted_at = DateTime(required=True, allow_none=True)
    target_at = DateTime(required=True, allow_none=True)
    due_at = DateTime(required=True, allow_none=True, metadata={"description": "最迟审核完毕的时间"})
    due_is_provisional = Boolean(required=True, metadata={"description": "次年放假安排尚未公布，时间可能调整"})
    apology = String(required=True, allow_none=True)
    reason = String(required=True, allow_none=True)
    reason_text = String(required=True, allow_none=True)
    mend_by = Date(
        required=True,
        allow_none=True,
        metadata={"description": "退回补正的最后一天（北京时间），过期失效；未退回或不限期的为空"},
    )
    what_next = String(required=True, allow_none=True)
    created_at = DateTime(required=True)
    updated_at = DateTime(required=True)
    timeline = List(Nested(TimelineStepOut), required=True, metadata={"description": "办理进度；列表中为空"})


class ApplicationsOut(Schema):
    applications = List(Nested(ApplicationOut), required=True)


def shown(view: application_views.ApplicationView) -> dict[str, Any]:
    return {**view.__dict__, "fields_": view.fields}


def chosen(given: list[dict[str, Any]] | None) -> tuple[Choice, ...] | None:
    """What was ticked; one that was declined (无) is as good as not named."""
    if given is None:
        return None
    return tuple(
        Choice(
            insurance_type=each["insurance_type"],
            tier=each["tier"],
            declared_wage_fen=each["declared_wage_fen"],
            plan=each["plan"],
        )
        for each in given
        if not each["declined"]
    )


@door.post("/applications")
@endpoint(
    door,
    takes=ApplicationIn,
    returns=ApplicationOut,
    status=201,
    fails=[
        NotFound,
        RealNameRequired,
        ConsentRequired,
        FieldsNotAccepted,
        ApplicationOpen,
        TooManyApplications,
        IdempotencyKeyReused,
        *RULES,
    ],
    creates=True,
    replays=True,
)
def create_application(given: dict[str, Any]) -> Any:
    """Begin an application as a draft. The same key again tells the same one."""
    new = applications.NewApplication(
        kind=ApplicationKind(given["kind"]),
        region=given["region"],
        answers=given["fields_"],
        choices=chosen(given["insurances"]),
        copied_from=given["copied_from"],
        joint_case=given["joint_case_id"],
    )
    view = applications.create_application(ports(), account=me(), new=new, idempotency_key=g.idempotency_key)
    return shown(view), 201, {"Idempotency-Replayed": "true"} if view.replayed else {}


@door.get("/applications")
@endpoint(door, returns=ApplicationsOut)
def list_applications() -> dict[str, Any]:
    """My applications, newest first (办件状态)."""
    return {"applications": [shown(view) for view in application_views.list_applications(ports(), account=me())]}


@door.get("/applications/<uuid:application_id>")
@endpoint(door, returns=ApplicationOut, fails=[NotFound])
def read_application(application_id: uuid.UUID) -> dict[str, Any]:
    """One application, with every step on its way (进度查看)."""
    return shown(application_views.read_application(ports(), account=me(), application_id=application_id))


@door.patch("/applications/<uuid:application_id>")
@endpoint(
    door,
    takes=ChangeIn,
    returns=ApplicationOut,
    fails=[
        NotFound,
        RealNameRequired,
        ConsentRequired,
        FieldsNotAccepted,
        ApplicationNotEditable,
        ApplicationChanged,
        ApplicationOpen,
        *RULES,
    ],
)
def change_application(application_id: uuid.UUID, given: dict[str, Any]) -> dict[str, Any]:
    """Fill in more of a draft, or of one that came back; what is not named stays."""
    view = applications.change_application(
        ports(),
        account=me(),
        application_id=application_id,
        version=given["version"],
        answers=given["fields_"],
        choices=chosen(given["insurances"]),
    )
    return shown(view)


@door.post("/applications/<uuid:application_id>/documents-handed-in")
@endpoint(door, takes=Nothing, returns=ApplicationOut, fails=[NotFound, ApplicationNotEditable, DocumentsMissing])
def hand_in_documents(application_id: uuid.UUID, given: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - an empty object today
    """上传: all papers are there. Again, it changes nothing."""
    return shown(applications.hand_in_documents(ports(), account=me(), application_id=application_id))


@door.post("/applications/<uuid:application_id>/submission")
@endpoint(
    door,
    takes=SubmissionIn,
    returns=ApplicationOut,
    fails=[
        NotFound,
        RealNameRequired,
        ConsentRequired,
        ApplicationNotEditable,
        ApplicationChanged,
        ApplicationIncomplete,
        DocumentsMissing,
        HandInDocumentsFirst,
        FieldsNotAccepted,
        *RULES,
    ],
)
def submit_application(application_id: uuid.UUID, given: dict[str, Any]) -> dict[str, Any]:
    """提交申报, or 保存 where that is the same. Pressed twice it is one submission; nobody submits what they did not see."""
    view = applications.submit_application(ports(), account=me(), application_id=application_id, version=given["version"])
    return shown(view)


@door.delete("/applications/<uuid:application_id>")
@endpoint(door, status=204, fails=[NotFound, CannotWithdraw])
def withdraw_application(application_id: uuid.UUID) -> tuple[str, int]:
    """Take it back, until somebody reviews it; again changes nothing."""
    applications.withdraw_application(ports(), account=me(), application_id=application_id)
    return "", 204
