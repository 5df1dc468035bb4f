"""Regions: what each one offers today, what a month costs in it, what the phone can do and where to go instead. From the rulebook alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, Date, Integer, List, Nested, String

from config.months import YearMonth
from config.rulebook import ApplicationKind, Capability, HotlineTopic, NoRuleInForce, Status, UnknownRegion
from miniprogram_api.auth import endpoint, ports
from services.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from config.rulebook import Insurance, Region, TierPlan

door = APIBlueprint("regions", __name__, tag="Regions")

SAMPLE = {"description": "示例金额：尚无人确认"}
TO_CONFIRM = {"description": "以当地公布为准"}


class RegionOut(Schema):
    code = String(required=True, metadata={"example": "320400"})
    name = String(required=True, metadata={"example": "常州市"})
    province_code = String(required=True)


class RegionsOut(Schema):
    regions = List(Nested(RegionOut), required=True)


class AreaOut(Schema):
    code = String(required=True)
    name = String(required=True)
    to_confirm = Boolean(required=True, metadata=TO_CONFIRM)


class TierOut(Schema):
    tier = String(required=True)
    label = String(required=True)
    base_fen = Integer(required=True, allow_none=True)
    amount_fen = Integer(required=True)
    account_part_fen = Integer(required=True)
    pooling_part_fen = Integer(required=True)


class PlanOut(Schema):
    id = String(required=True)
    title = String(required=True)
    is_default = Boolean(required=True)
    rule_id = String(required=True, allow_none=True, metadata={"description": "金额所依据的规则；本月没有规则时为空"})
    provisional = Boolean(required=True, metadata={"description": "暂按上年基数，公布后多退少补"})
    sample = Boolean(required=True, metadata=SAMPLE)
    allow_declared_wage = Boolean(required=True)
    floor_fen = Integer(required=True, allow_none=True)
    ceiling_fen = Integer(required=True, allow_none=True)
    tiers = List(Nested(TierOut), required=True)
    explanation = String(required=True, allow_none=True, metadata={"description": "没有金额时的原因"})


class InsuranceOut(Schema):
    insurance_type = String(required=True, metadata={"example": "110"})
    title = String(required=True)
    label = String(required=True)
    may_be_declined = Boolean(required=True, metadata={"description": "可以选“无”"})
    arrears = String(
        required=True, allow_none=True, metadata={"description": "可在手机上补缴的往月：NONE, SAME_YEAR, N_MONTHS"}
    )
    arrears_months = Integer(required=True, allow_none=True)
    plans = List(Nested(PlanOut), required=True)


class DocumentOut(Schema):
    kind = String(required=True)
    label = String(required=True)
    help = String(required=True, allow_none=True)


class DocumentBesidesOut(Schema):
    kind = String(required=True)
    unless_hukou_prefix = String(required=True, metadata={"description": "户籍地区划以此开头的不需要", "example": "3204"})
    because = String(required=True)


class RequiredDocumentsOut(Schema):
    application = String(required=True)
    sets = List(List(String()), required=True, metadata={"description": "任一组齐全即可"})
    besides = List(Nested(DocumentBesidesOut), required=True, metadata={"description": "户籍在别处的，在任一组之外还要的材料"})


class HotlineOut(Schema):
    topic = String(required=True)
    number = String(required=True, metadata={"example": "12333"})
    label = String(required=True)
    to_confirm = Boolean(required=True, metadata=TO_CONFIRM)


class CounterOut(Schema):
    code = String(required=True)
    name = String(required=True)
    address = String(required=True)
    hours = String(required=True)
    phone = String(required=True)
    to_confirm = Boolean(required=True, metadata=TO_CONFIRM)


class AgencyOut(CounterOut):
    division_code = String(required=True)
    is_default = Boolean(required=True)


class BankOut(Schema):
    code = String(required=True)
    title = String(required=True)
    cash = Boolean(required=True, metadata={"description": "网点可现金缴费"})


class CapabilityOut(Schema):
    capability = String(required=True)
    available = Boolean(required=True)
    explanation = String(required=True, allow_none=True)
    counter_kind = String(
        required=True,
        allow_none=True,
        metadata={"description": "ENTRUSTED_AGENCY 您委托代理的机构，BANK_BRANCH 银行网点，AGENCY 所列窗口"},
    )
    counter = Nested(CounterOut, required=True, allow_none=True)


class RegionDetailOut(RegionOut):
    on = Date(required=True, metadata={"description": "按这一天（北京时间）生效的规则"})
    areas = List(Nested(AreaOut), required=True, metadata={"description": "参保统筹区"})
    insurances = List(Nested(InsuranceOut), required=True)
    documents = List(Nested(DocumentOut), required=True)
    required_documents = List(Nested(RequiredDocumentsOut), required=True)
    hotlines = List(Nested(HotlineOut), required=True)
    agencies = List(Nested(AgencyOut), required=True)
    banks = List(Nested(BankOut), required=True)
    capabilities = List(Nested(CapabilityOut), required=True)


@door.get("/regions")
@endpoint(door, returns=RegionsOut, signed_in=False)
def list_regions() -> dict[str, Any]:
    """The regions that take enrolments."""
    regions = ports().rulebook.regions
    return {"regions": [regions[code] for code in sorted(regions)]}


@door.get("/regions/<string(length=6):code>")
@endpoint(door, returns=RegionDetailOut, fails=[NotFound], signed_in=False)
def read_region(code: str) -> dict[str, Any]:
    """One region today: areas, insurances, tiers with amounts, documents, hotlines, windows, banks, and what the phone can do."""
    try:
        region = ports().rulebook.region(code)
    except UnknownRegion:
        raise NotFound from None
    return shown(region, ports().today())


def shown(region: Region, today: date) -> dict[str, Any]:
    """A region as everybody may see it. Where no rule is in force, the explanation stands in its place."""
    return {
        "code": region.code,
        "name": region.name,
        "province_code": region.province_code,
        "on": today,
        "areas": [
            {"code": area.code, "name": area.name, "to_confirm": area.status is Status.TO_CONFIRM}
            for area in region.pooling_areas.values()
        ],
        "insurances": [_insurance(region, offer, today) for offer in region.insurances(today)],
        "documents": [region.documents[kind] for kind in sorted(region.documents)],
        "required_documents": list(_required_documents(region, today)),
        "hotlines": [region.hotline(topic) for topic in HotlineTopic],
        "agencies": [
            {
                **region.counter_for(code).__dict__,
                "division_code": agency.division_code,
                "is_default": agency.default,
            }
            for code, agency in region.agencies.items()
        ],
        "banks": list(region.banks.values()),
        "capabilities": [_capability(region, capability, today) for capability in Capability],
    }


def _insurance(region: Region, offer: Insurance, today: date) -> dict[str, Any]:
    try:
        window = region.arrears_window(offer.insurance_type, today)
        arrears, months = str(window.kind), window.months
    except NoRuleInForce:
        arrears, months = None, None
    return {
        "insurance_type": offer.insurance_type,
        "title": offer.title,
        "label": offer.label,
        "may_be_declined": offer.may_be_declined,
        "arrears": arrears,
        "arrears_months": months,
        "plans": [_plan(region, offer, plan, today) for plan in region.plans(offer.insurance_type, today)],
    }


def _plan(region: Region, offer: Insurance, plan: TierPlan, today: date) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": plan.id,
        "title": plan.title,
        "is_default": plan.id == offer.default_plan,
        "rule_id": None,
        "provisional": False,
        "sample": False,
        "allow_declared_wage": plan.allow_declared_wage,
        "floor_fen": None,
        "ceiling_fen": None,
        "tiers": [],
        "explanation": None,
    }
    try:
        table = region.assessment_table(offer.insurance_type, YearMonth.of(today), plan.id)
    except NoRuleInForce:
        return told | {
            "explanation": f"本月缴费标准尚未公布，请以当地公布为准，咨询电话{region.hotline(HotlineTopic.PAYMENT).number}。"
        }
    return told | {
        name: getattr(table, name) for name in ("rule_id", "provisional", "sample", "floor_fen", "ceiling_fen", "tiers")
    }


def _required_documents(region: Region, today: date) -> Iterator[dict[str, Any]]:
    for application in ApplicationKind:
        try:
            needed = region.required_documents(application, today)
        except NoRuleInForce:
            continue
        yield {"application": str(application), "sets": needed.sets, "besides": needed.besides}


def _capability(region: Region, capability: Capability, today: date) -> dict[str, Any]:
    told = {"capability": str(capability), "available": False, "counter_kind": None, "counter": None}
    try:
        rule = region.capability(capability, today)
    except NoRuleInForce:
        return told | {"explanation": f"以当地公布为准，咨询电话{region.hotline(HotlineTopic.ENROLLMENT).number}。"}
    kind = rule.counter if rule.counter in (None, "ENTRUSTED_AGENCY", "BANK_BRANCH") else "AGENCY"
    counter = region.counter_for(rule.counter) if kind in ("AGENCY", "ENTRUSTED_AGENCY") else None
    return told | {
        "available": rule.available,
        "explanation": rule.explanation,
        "counter_kind": kind,
        "counter": counter,
    }
