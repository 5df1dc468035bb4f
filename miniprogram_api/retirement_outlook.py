"""The retirement outlook: when, by which rule, how much must be paid until then, and how much we know was paid."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, Date, Integer, List, Nested, String

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.regions import TO_CONFIRM, HotlineOut
from services import retirement_outlook
from services.errors import ConsentRequired, FaceCheckRequired

door = APIBlueprint("retirement_outlook", __name__, tag="Retirement outlook")

MINIMUM = {"description": "领取基本养老金的最低缴费年限（月），按开始领取的年份"}


class RetirementChoiceOut(Schema):
    earliest_month = String(required=True, metadata={"description": "弹性提前，最早可选的月份", "example": "2027-05"})
    earliest_minimum_months = Integer(required=True, allow_none=True, metadata=MINIMUM)
    earliest_to_confirm = Boolean(required=True, metadata=TO_CONFIRM)
    latest_month = String(required=True, metadata={"description": "弹性延迟，最晚可选的月份"})
    latest_to_confirm = Boolean(required=True, metadata=TO_CONFIRM)


class RetirementTrackOut(Schema):
    track = String(required=True, metadata={"description": "M60, F55, F50", "example": "M60"})
    title = String(required=True)
    is_default = Boolean(required=True, metadata={"description": "人社部门核定以前，判断能否参保时按这一种"})
    statutory_month = String(required=True, metadata={"description": "法定退休年龄到达的月份", "example": "2028-01"})
    age_years = Integer(required=True)
    age_months = Integer(required=True, metadata={"description": "法定退休年龄：几岁零几个月中的月"})
    delay_months = Integer(required=True, metadata={"description": "比原法定退休年龄延迟几个月"})
    is_reached = Boolean(required=True)
    months_left = Integer(required=True)
    minimum_months = Integer(required=True, allow_none=True, metadata=MINIMUM)
    shortfall_months = Integer(
        required=True, allow_none=True, metadata={"description": "按合计月数还差几个月；经办机构没有登记的未计入"}
    )
    choice = Nested(RetirementChoiceOut, required=True, allow_none=True, metadata={"description": "弹性退休；不适用时为空"})


class ContributionsOut(Schema):
    paid_months = Integer(required=True, metadata={"description": "支付成功的月数（含下面两项）"})
    tax_confirmed_months = Integer(required=True, metadata={"description": "税务已入库的月数"})
    posted_months = Integer(required=True, metadata={"description": "已记账的月数"})
    months_elsewhere = Integer(
        required=True, allow_none=True, metadata={"description": "经办机构登记的、由单位或在其他渠道缴纳的月数；未登记的为空"}
    )
    total_months = Integer(required=True, metadata={"description": "合计：支付成功的月数加上在别处缴纳的月数"})
    first_month = String(required=True, allow_none=True)
    last_month = String(required=True, allow_none=True)


class SourceOut(Schema):
    what = String(required=True)
    source = String(required=True)
    status = String(required=True, metadata={"description": "VERIFIED, SECONDARY, DERIVED, TO_CONFIRM（以当地公布为准）"})


class RetirementOutlookOut(Schema):
    on = Date(required=True, metadata={"description": "按这一天（北京时间）生效的规则"})
    region = String(required=True, metadata={"example": "320400"})
    region_name = String(required=True)
    name = String(required=True, metadata={"description": "脱敏"})
    rule_id = String(required=True, allow_none=True)
    tracks = List(
        Nested(RetirementTrackOut),
        required=True,
        metadata={"description": "身份证看不出女职工按哪一种，所以都列出；没有规则时为空"},
    )
    contributions = Nested(ContributionsOut, required=True)
    notes = List(String(), required=True, metadata={"description": "请完整显示"})
    sources = List(Nested(SourceOut), required=True)
    hotline = Nested(HotlineOut, required=True)


@door.get("/retirement-outlook")
@endpoint(door, returns=RetirementOutlookOut, fails=[FaceCheckRequired, ConsentRequired])
def read_retirement_outlook() -> dict[str, Any]:
    """When I may draw my pension, by each track that I may be on, and what is paid so far by our records. A reckoning, no decision."""
    found = retirement_outlook.read_outlook(ports(), account=me())
    return {**found.__dict__, "name": found.name_masked}
