"""UnionPay's gateway: what became of a transaction, and money on its way back. Requests are forms, checked strictly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from flask import Blueprint, Response, request

from sandbox import faults, orders, payments
from sandbox.faults import Target
from sandbox.keys import verifies
from sandbox.orders import State
from sandbox.replies import dawdle, hang_up
from sandbox.unionpay_words import CHANNEL, text_to_sign, txn_time, with_signature

if TYPE_CHECKING:
    from sandbox.core import Core
    from sandbox.faults import Found

NUMBER = re.compile(r"[0-9A-Za-z]{8,40}")
MOMENT = re.compile(r"[0-9]{14}")
AMOUNT = re.compile(r"[1-9][0-9]{0,11}")
NEEDED = (
    "version",
    "encoding",
    "signMethod",
    "certId",
    "txnType",
    "txnSubType",
    "bizType",
    "accessType",
    "merId",
    "orderId",
    "txnTime",
)
REFUND_CODES = {"PROCESSING": "05", "ABNORMAL": "04", "SUCCESS": "00", "CLOSED": "01"}
Told = dict[str, str]


def read_form() -> Told | None:
    pairs = parse_qsl(request.get_data(cache=True).decode("utf-8", "replace"), keep_blank_values=True)
    found = dict(pairs)
    return found if len(found) == len(pairs) else None


def wrong(core: Core, given: Told | None) -> tuple[str, str] | None:
    """What UnionPay would not take, as code and words."""
    if given is None or any(not given.get(name) for name in NEEDED):
        return "13", "报文交易要素缺失"
    merchant = core.world.unionpay_merchants.get(given["merId"])
    if merchant is None or given["certId"] != merchant.certificate_id:
        return "11", "商户证书不匹配"
    if (given["version"], given["encoding"], given["signMethod"]) != ("5.1.0", "UTF-8", "01"):
        return "10", "报文格式错误"
    if not verifies(core.keys.unionpay.merchants[given["merId"]], text_to_sign(given), given.get("signature", "")):
        return "11", "验证签名失败"
    if not NUMBER.fullmatch(given["orderId"]) or not MOMENT.fullmatch(given["txnTime"]):
        return "10", "orderId或txnTime格式错误"
    return None


def answered(core: Core, given: Told, told: Told, found: Found) -> Response:
    """Write the answer as it was signed: nothing in it is encoded."""
    echoed: Told = {
        name: given[name]
        for name in ("txnType", "txnSubType", "bizType", "accessType", "merId", "orderId", "txnTime")
        if name in given
    }
    fields = with_signature(core, {**echoed, **told}, spoilt="bad_signature_response" in found)
    body = "&".join(f"{name}={value}" for name, value in fields.items() if value)
    return Response(body.encode(), content_type="text/html;charset=UTF-8")


def query(core: Core, given: Told, found: Found) -> Told:
    if "in_doubt" in found:
        return {
            "respCode": "00",
            "respMsg": "成功",
            "origRespCode": "04",
            "origRespMsg": "交易状态未明",
            "txnAmt": "0",
            "currencyCode": "156",
        }
    order = orders.find(core.store, CHANNEL, given["merId"], given["orderId"])
    if order is not None and txn_time(order) == given["txnTime"]:
        told = {
            "respCode": "00",
            "respMsg": "成功",
            "txnAmt": str(order.paid_fen or order.amount_fen),
            "currencyCode": "156" if order.currency == "CNY" else "840",
        }
        if order.state is not State.PAID:
            return told | {"origRespCode": "51", "origRespMsg": "余额不足"}
        return told | {"origRespCode": "00", "origRespMsg": "成功", "queryId": order.provider_no}
    refund = orders.find_refund_by_number(core.store, CHANNEL, given["merId"], given["orderId"])
    if refund is None:
        return {"respCode": "34", "respMsg": "查无此交易"}
    return {
        "respCode": "00", "respMsg": "成功", "origRespCode": REFUND_CODES[refund.state], "origRespMsg": "-", "queryId": refund.refund_id,
        "txnAmt": str(refund.amount_fen), "currencyCode": "156",
    }  # fmt: skip


def refund(core: Core, given: Told, found: Found) -> Told:
    del found
    if given["txnType"] != "04" or given.get("currencyCode") != "156" or not AMOUNT.fullmatch(given.get("txnAmt", "")):
        return {"respCode": "10", "respMsg": "报文格式错误"}
    amount_fen = int(given["txnAmt"])
    with core.store.transaction():
        order = orders.find_by_provider_no(core.store, CHANNEL, given["merId"], given.get("origQryId", ""))
        if order is None or order.state is not State.PAID:
            return {"respCode": "34", "respMsg": "原交易不存在"}
        if orders.find_refund_by_number(core.store, CHANNEL, given["merId"], given["orderId"]) is not None:
            return {"respCode": "12", "respMsg": "重复交易"}
        if amount_fen > orders.refundable_fen(core.store, order):
            return {"respCode": "61", "respMsg": "退货金额超限"}
        payments.refund(
            core, order, out_refund_no=given["orderId"], amount_fen=amount_fen, reason=None, notify_url=given.get("backUrl"),
            request=orders.canonical({"txnTime": given["txnTime"]}),
        )  # fmt: skip
    return {
        "respCode": "00",
        "respMsg": "成功",
        "queryId": "",
        "origQryId": given["origQryId"],
        "txnAmt": given["txnAmt"],
        "currencyCode": "156",
    }


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("unionpay", __name__)

    def serve(work: object, operation: str) -> Response:
        given = read_form()
        refusal = wrong(core, given)
        if given is None or refusal is not None:
            code, words = refusal or ("13", "-")
            return answered(core, given or {}, {"respCode": code, "respMsg": words}, {})
        merchant = core.world.unionpay_merchants[given["merId"]]
        target = Target(app_id=merchant.code, order_no=given["orderId"], operation=operation)
        found = faults.take(core.store, faults.UNIONPAY_ANSWER, target)
        dawdle(found)
        if "server_error" in found:
            return Response(b"<html><body>Bad Gateway</body></html>", status=faults.count(found["server_error"], 502))
        if "rate_limited" in found:
            return answered(core, given, {"respCode": "06", "respMsg": "系统繁忙"}, found)
        told = query(core, given, found) if work is query else refund(core, given, found)
        return hang_up(found, answered(core, given, told, found))

    @door.post("/gateway/api/queryTrans.do")
    def query_transaction() -> Response:
        return serve(query, "unionpay.query")

    @door.post("/gateway/api/backTransReq.do")
    def back_transaction() -> Response:
        return serve(refund, "unionpay.refund")

    return door
