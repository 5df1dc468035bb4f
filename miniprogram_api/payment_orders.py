"""Payment orders: tick bills, pay them in one go (一键缴费), see where it stands."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import UUID, DateTime, Dict, Integer, List, Nested, String
from apiflask.validators import Length
from flask import g

from config.months import YearMonth
from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.fields import Given, Nothing, fen, number
from services import order_views, orders
from services.debit_errors import DebitInFlight
from services.errors import (
    AmountChanged,
    BillNotPayable,
    BillsReserved,
    BlockedByInsured,
    CannotCancel,
    ConsentRequired,
    FaceCheckRequired,
    IdempotencyKeyReused,
    NotAvailableOnline,
    NotFound,
    OrderMustBeSplit,
    PaymentRefused,
    RegionMismatch,
    RequestInFlight,
    TooManyOpenOrders,
)

door = APIBlueprint("payment_orders", __name__, tag="Payment orders")

MOST_BILLS = 36
WORDS = {
    "CREATED": "处理中，请勿重复支付",
    "UNKNOWN": "处理中，请勿重复支付",
    "PREPAY": "待支付",
    "PAID": "支付成功，等待税务入库",
    "CLOSED": "订单已关闭",
}
"""State → what the page says. 缴费成功 is said of a bill, once the tax authority has confirmed it (R-CZ-50)."""
OVER = ("PAID", "CLOSED")
UNDER_WAY = {"DEBIT": "正在扣款中", "POS": "待刷卡", "COUNTER": "正在入账", "TAX": "正在入账"}
"""Origin → what the page says while it is under way and the phone can do nothing about it."""


class PaymentOrderIn(Given):
    insured_person_id = UUID(required=True)
    bill_ids = List(number(), required=True, validate=Length(min=1, max=MOST_BILLS))
    expected_amount_fen = fen(required=True, metadata={"description": "页面上显示的合计；与当前应缴不符时拒绝下单"})


class OrderLineOut(Schema):
    bill_id = String(required=True)
    insurance_type = String(required=True)
    coverage_month = String(required=True)
    amount_fen = Integer(required=True)
    state = String(required=True)


class PaymentOrderOut(Schema):
    order_no = String(required=True)
    origin = String(
        required=True, metadata={"description": "PHONE：手机缴费；DEBIT：银行卡扣款；POS、COUNTER：窗口；TAX：税务清单"}
    )
    payment_no = String(required=True, metadata={"description": "商户单号，可向客服提供"})
    state = String(required=True)
    state_text = String(required=True)
    total_fen = Integer(required=True)
    channel = String(required=True)
    insured_name = String(required=True, metadata={"description": "已脱敏"})
    insured_id_number = String(required=True, metadata={"description": "已脱敏"})
    lines = List(Nested(OrderLineOut), required=True)
    launch = Dict(
        keys=String(),
        values=String(),
        required=True,
        allow_none=True,
        metadata={"description": "传给 wx.requestPayment 或 my.tradePay"},
    )
    closed_why = String(required=True, allow_none=True)
    created_at = DateTime(required=True)
    expires_at = DateTime(required=True)
    paid_at = DateTime(required=True, allow_none=True)


class PaymentOrdersOut(Schema):
    payment_orders = List(Nested(PaymentOrderOut), required=True)


def shown(view: order_views.OrderView) -> dict[str, Any]:
    return {
        **view.__dict__,
        "state_text": WORDS[view.state] if view.state in OVER else UNDER_WAY.get(view.origin, WORDS[view.state]),
        "insured_name": view.insured_name_masked,
        "insured_id_number": view.insured_id_number_masked,
        "lines": [
            {**line.__dict__, "bill_id": line.bill_no, "coverage_month": str(YearMonth.from_number(line.coverage_month))}
            for line in view.lines
        ],
    }


@door.post("/payment-orders")
@endpoint(
    door,
    takes=PaymentOrderIn,
    returns=PaymentOrderOut,
    status=201,
    fails=[
        FaceCheckRequired,
        NotFound,
        ConsentRequired,
        BlockedByInsured,
        RegionMismatch,
        NotAvailableOnline,
        BillNotPayable,
        BillsReserved,
        DebitInFlight,
        AmountChanged,
        OrderMustBeSplit,
        TooManyOpenOrders,
        IdempotencyKeyReused,
        RequestInFlight,
        PaymentRefused,
    ],
    creates=True,
    replays=True,
)
def place_order(given: dict[str, Any]) -> Any:
    """Reserve bills and open their payment. The same key again tells the same order."""
    new = orders.NewOrder(
        insured_person_id=given["insured_person_id"],
        bill_nos=tuple(given["bill_ids"]),
        expected_amount_fen=given["expected_amount_fen"],
    )
    view = orders.place_order(ports(), account=me(), new=new, idempotency_key=g.idempotency_key)
    return shown(view), 201, {"Idempotency-Replayed": "true"} if view.replayed else {}


@door.get("/payment-orders")
@endpoint(door, returns=PaymentOrdersOut)
def list_orders() -> dict[str, Any]:
    """My orders, newest first."""
    return {"payment_orders": [shown(view) for view in order_views.list_orders(ports(), account=me())]}


@door.get("/payment-orders/<string(length=24):order_no>")
@endpoint(door, returns=PaymentOrderOut, fails=[NotFound])
def read_order(order_no: str) -> dict[str, Any]:
    """Where an order stands. Whoever looks makes us look too: a waiting notice is settled, silence is asked about."""
    return shown(orders.refresh_order(ports(), account=me(), order_no=order_no))


@door.post("/payment-orders/<string(length=24):order_no>/cancel")
@endpoint(door, takes=Nothing, returns=PaymentOrderOut, fails=[NotFound, CannotCancel, BillsReserved])
def cancel_order(order_no: str, given: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - an empty object today
    """Close the order at the provider, then give its bills back."""
    return shown(orders.cancel_order(ports(), account=me(), order_no=order_no))
