"""My enrolments: which months are paid, which are missing, in which tier since when, and another tier from a month to come."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, Dict, Integer, List, Nested, String
from apiflask.validators import Length
from flask import g
from marshmallow import ValidationError, validates_schema

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.fields import Given, fen
from miniprogram_api.regions import TO_CONFIRM
from services import enrollments, tier_changes
from services.application_errors import DeclaredWageOutOfLimits, NotActive, TierNotOffered
from services.errors import (
    ConsentRequired,
    FaceCheckRequired,
    IdempotencyKeyReused,
    NotAvailableOnline,
    NotFound,
    RegionMismatch,
    TierUnchanged,
    TooManyTierChanges,
)

door = APIBlueprint("enrollments", __name__, tag="Enrolments")


class TierChangeIn(Given):
    tier = String(load_default=None, validate=Length(min=1, max=2), metadata={"description": "缴费档次", "example": "3"})
    declared_wage_fen = fen(load_default=None, metadata={"description": "申报工资基数（分/月），方案允许时代替档次"})

    @validates_schema
    def one_of_the_two(self, given: dict[str, Any], **_: Any) -> None:
        if given["tier"] is None and given["declared_wage_fen"] is None:
            raise ValidationError("Missing data for required field.", "tier")


class EnrollmentTierOut(Schema):
    from_month = String(required=True, metadata={"description": "从这个月起", "example": "2026-12"})
    tier_plan = String(required=True)
    tier = String(required=True, allow_none=True)
    label = String(required=True, allow_none=True, metadata={"example": "三档"})
    declared_wage_fen = Integer(required=True, allow_none=True)
    source = String(required=True, metadata={"description": "RECORD 参保登记，REGISTRAR 登记机关变更，PERSON 本人变更"})


class TierChangeTermsOut(Schema):
    available = Boolean(required=True)
    from_month = String(required=True, allow_none=True, metadata={"description": "现在变更，从这个月起执行"})
    reason = String(required=True, allow_none=True)
    counter = Dict(required=True, allow_none=True, metadata={"description": "手机不能办理时，可去的窗口"})
    to_confirm = Boolean(required=True, metadata=TO_CONFIRM)


class EnrollmentOut(Schema):
    id = String(required=True, attribute="enrollment_no", metadata={"description": "参保关系编号"})
    region = String(required=True)
    region_name = String(required=True)
    pooling_area = String(required=True)
    pooling_area_name = String(required=True)
    insurance_type = String(required=True, metadata={"example": "110"})
    insurance_name = String(required=True)
    state = String(required=True, metadata={"description": "ACTIVE 正常参保，SUSPENDED 暂停，TERMINATED 终止，RETIRED 退休"})
    start_month = String(required=True)
    end_month = String(required=True, allow_none=True, metadata={"description": "不再参保的第一个月"})
    tiers = List(Nested(EnrollmentTierOut), required=True)
    paid_months = Integer(required=True, metadata={"description": "支付成功的月数（含下面两项）"})
    tax_confirmed_months = Integer(required=True, metadata={"description": "税务已入库的月数"})
    posted_months = Integer(required=True, metadata={"description": "已记账的月数"})
    months_elsewhere = Integer(
        required=True, allow_none=True, metadata={"description": "经办机构登记的、由单位或在其他渠道缴纳的月数；未登记的为空"}
    )
    total_months = Integer(required=True, metadata={"description": "合计：支付成功的月数加上在别处缴纳的月数"})
    gaps = List(String(), required=True, metadata={"description": "本月以前参保而未缴的月份（本系统所知）"})
    supplement_outstanding = Boolean(required=True, metadata={"description": "有补差未缴"})
    tier_change = Nested(TierChangeTermsOut, required=True)


class TierChangeOut(Schema):
    id = String(required=True, attribute="enrollment_no", metadata={"description": "参保关系编号"})
    tiers = List(Nested(EnrollmentTierOut), required=True)
    tier_change = Nested(TierChangeTermsOut, required=True)


class EnrollmentsOut(Schema):
    enrollments = List(Nested(EnrollmentOut), required=True)


@door.post("/enrollments/<string(length=24):enrollment_no>/tier-changes")
@endpoint(
    door,
    takes=TierChangeIn,
    returns=TierChangeOut,
    status=201,
    fails=[
        FaceCheckRequired,
        ConsentRequired,
        NotFound,
        RegionMismatch,
        NotActive,
        NotAvailableOnline,
        TierNotOffered,
        DeclaredWageOutOfLimits,
        TierUnchanged,
        TooManyTierChanges,
        IdempotencyKeyReused,
    ],
    creates=True,
    replays=True,
)
def change_tier(enrollment_no: str, given: dict[str, Any]) -> Any:
    """Choose another tier, from the month that the region allows. The same key again changes nothing."""
    new = tier_changes.NewTier(tier=given["tier"], declared_wage_fen=given["declared_wage_fen"])
    done = tier_changes.change_tier(
        ports(), account=me(), enrollment_no=enrollment_no, new=new, idempotency_key=g.idempotency_key
    )
    return done.enrollment, 201, {"Idempotency-Replayed": "true"} if done.replayed else {}


@door.get("/enrollments")
@endpoint(door, returns=EnrollmentsOut, fails=[FaceCheckRequired, ConsentRequired])
def list_enrollments() -> dict[str, Any]:
    """My own enrolments, those in force first."""
    return {"enrollments": enrollments.list_enrollments(ports(), account=me())}
