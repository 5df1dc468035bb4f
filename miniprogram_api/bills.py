"""Bills: what each month costs, where it stands, and whether this phone may pay it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, Date, DateTime, Dict, Integer, List, Nested, String

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.insured_persons import InsuredPersonOut
from miniprogram_api.insured_persons import shown as shown_person
from services import bills
from services.errors import BlockedByInsured, ConsentRequired, NotFound

if TYPE_CHECKING:
    import uuid

door = APIBlueprint("bills", __name__, tag="Bills")


class BillOut(Schema):
    id = String(required=True, metadata={"description": "账单编号，下单时使用"})
    region = String(required=True)
    insurance_type = String(required=True, metadata={"example": "110"})
    insurance_name = String(required=True)
    coverage_month = String(required=True, metadata={"description": "费款所属期", "example": "2026-11"})
    kind = String(required=True, metadata={"description": "NORMAL 当月应缴；SUPPLEMENT 基数公布后的补差"})
    reason = String(required=True, allow_none=True, metadata={"description": "BASE_ADJUSTMENT：基数公布后重新核定"})
    due_date = Date(required=True, allow_none=True, metadata={"description": "缴费截止日"})
    due_date_note = String(required=True, allow_none=True, metadata={"description": "截止日未经确认时为“以当地公布为准”"})
    amount_fen = Integer(required=True)
    account_part_fen = Integer(required=True, metadata={"description": "计入个人账户"})
    pooling_part_fen = Integer(required=True)
    base_fen = Integer(required=True, allow_none=True)
    tier = String(required=True, allow_none=True)
    state = String(required=True)
    payable = Boolean(required=True)
    not_payable_code = String(required=True, allow_none=True)
    not_payable_reason = String(required=True, allow_none=True)
    counter = Dict(required=True, allow_none=True, metadata={"description": "手机不能办理时，可去的窗口"})
    right_region = String(required=True, allow_none=True)
    rule_id = String(required=True, metadata={"description": "金额所依据的规则"})
    provisional = Boolean(required=True, metadata={"description": "暂按上年基数，公布后多退少补"})
    sample = Boolean(required=True, metadata={"description": "示例金额"})
    order_no = String(required=True, allow_none=True)
    paid_at = DateTime(required=True, allow_none=True, metadata={"description": "支付成功"})
    tax_confirmed_at = DateTime(required=True, allow_none=True, metadata={"description": "税务入库，缴费成功"})
    posted_at = DateTime(required=True, allow_none=True, metadata={"description": "已记账"})


class BillsOut(Schema):
    insured_person = Nested(InsuredPersonOut, required=True)
    bills = List(Nested(BillOut), required=True)
    notes = List(String(), required=True)


def shown(bill: bills.BillView) -> dict[str, Any]:
    judged = bill.payability
    return {
        **{name: getattr(bill, name) for name in BillOut._declared_fields if hasattr(bill, name)},  # noqa: SLF001 - marshmallow's own list
        "id": bill.bill_no,
        "due_date": bill.due.on,
        "due_date_note": bill.due.note,
        "payable": judged.payable,
        "not_payable_code": judged.code,
        "not_payable_reason": judged.reason,
        "counter": judged.counter,
        "right_region": judged.right_region,
    }


@door.get("/insured-persons/<uuid:insured_person_id>/bills")
@endpoint(door, returns=BillsOut, fails=[NotFound, ConsentRequired, BlockedByInsured])
def list_bills(insured_person_id: uuid.UUID) -> dict[str, Any]:
    """The bills of one person, newest month first."""
    found = bills.list_bills(ports(), account=me(), insured_person_id=insured_person_id)
    return {
        "insured_person": shown_person(found.insured_person),
        "bills": [shown(bill) for bill in found.bills],
        "notes": found.notes,
    }
