"""Alipay's trades for mini-programs: create, query, close, refund, and asking after a refund."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from sandbox import addresses, orders, payments, users
from sandbox.alipay_gateway import Call, Told, failure, success
from sandbox.alipay_words import trade
from sandbox.core import read_wall_clock, wall_clock, yuan
from sandbox.orders import Order, Placed, Refund, State

if TYPE_CHECKING:
    from sandbox.alipay_gateway import Method
    from sandbox.core import Core

CHANNEL = "alipay"
OUT_TRADE_NO = re.compile(r"[0-9A-Za-z_]{1,64}")
AMOUNT = re.compile(r"(0|[1-9]\d{0,8})\.\d{2}")
MOST_YUAN = Decimal(100_000_000)
DAY = 86400
LONGEST_DAYS = 15
TIMEOUT = re.compile(r"([1-9]\d*)([mhd])")
UNIT_SECONDS = {"m": 60, "h": 3600, "d": DAY}
COMPARED = ("total_amount", "subject", "body", "buyer", "product_code", "op_app_id", "time_expire", "passback_params")
BUYERS = ("buyer_id", "buyer_open_id", "op_buyer_open_id")


def read_fen(text: object) -> int | None:
    """Read yuan with exactly two decimals; nothing else is an amount here."""
    if not isinstance(text, str) or not AMOUNT.fullmatch(text):
        return None
    amount = Decimal(text)
    return int(amount * 100) if 0 < amount <= MOST_YUAN else None


def create(core: Core, call: Call) -> Told:
    wrong = _wrong_trade(core, call)
    if wrong:
        return wrong
    now, biz = core.now(), call.biz
    fen = read_fen(biz["total_amount"])
    deadline = _deadline(biz, now)
    if fen is None or deadline is None:
        return failure("ACQ.INVALID_PARAMETER", "total_amount须为两位小数的元，time_expire或timeout_express须合乎格式")
    buyer = next(str(biz[name]) for name in BUYERS if name in biz)
    compared = {name: biz.get(name) for name in COMPARED} | {"buyer": buyer, "notify_url": call.given.get("notify_url")}
    outcome, order = orders.place(
        core.store,
        channel=CHANNEL,
        merchant=call.seller,
        out_trade_no=biz["out_trade_no"],
        app_id=call.app_id,
        amount_fen=fen,
        payer=buyer,
        description=biz["subject"],
        notify_url=call.given.get("notify_url", ""),
        attach=biz.get("passback_params"),
        charset=call.charset,
        request=orders.canonical(compared),
        now=now,
        expires_at=deadline,
    )
    if order.state is State.PAID:
        return failure("ACQ.TRADE_HAS_SUCCESS", "交易已被支付")
    if order.state is State.CLOSED:
        return failure("ACQ.TRADE_HAS_CLOSE", "交易已经关闭")
    if outcome is Placed.DIFFERENT:
        return failure("ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改")
    return success(trade_no=order.provider_no, out_trade_no=order.out_trade_no)


def _wrong_trade(core: Core, call: Call) -> Told | None:
    biz = call.biz
    number, subject = biz.get("out_trade_no"), biz.get("subject")
    if not isinstance(number, str) or not OUT_TRADE_NO.fullmatch(number):
        return failure("ACQ.INVALID_PARAMETER", "out_trade_no须为1到64位字母、数字、下划线")
    if not isinstance(subject, str) or not 1 <= len(subject) <= 256 or set("/=&") & set(subject):  # noqa: PLR2004
        return failure("ACQ.INVALID_PARAMETER", "subject须为1到256字，且不含/=&")
    if biz.get("product_code") != "JSAPI_PAY":
        return failure("ACQ.PRODUCT_NOT_SUPPORT_IN_TINY_APP", "小程序支付须使用JSAPI_PAY")
    if biz.get("op_app_id") != call.app_id:
        return failure("ACQ.OPEN_ID_NOT_TINY_APP", "op_app_id缺失或未绑定")
    if biz.get("seller_id", call.seller) != call.seller:
        return failure("ACQ.SELLER_NOT_EXIST", "卖家不匹配")
    passback = biz.get("passback_params", "")
    if not isinstance(passback, str) or len(passback) > 512:  # noqa: PLR2004 - the field's length
        return failure("ACQ.INVALID_PARAMETER", "passback_params须为不超过512字的文本")
    address = call.given.get("notify_url")
    if address is not None and addresses.fault_of(address, longest=256):
        return failure("ACQ.INVALID_PARAMETER", f"notify_url {addresses.fault_of(address, longest=256)}")
    return _wrong_buyer(core, call)


def _wrong_buyer(core: Core, call: Call) -> Told | None:
    given = [name for name in BUYERS if name in call.biz]
    if len(given) != 1:
        return failure("ACQ.INVALID_PARAMETER", "buyer_id、buyer_open_id、op_buyer_open_id须且仅须传一个")
    subject = call.biz[given[0]]
    # These apps were made after the move to open_id: they know no buyer_id.
    if given[0] == "buyer_id" or not isinstance(subject, str):
        return failure("ACQ.BUYER_NOT_EXIST", "买家不存在")
    if users.by_subject(core.store, call.app_id, subject) is None:
        return failure("ACQ.BUYER_NOT_EXIST", "买家不存在")
    return None


def _deadline(biz: Told, now: float) -> float | None:
    """When paying ends: time_expire wins over timeout_express; fifteen days at most."""
    latest = now + LONGEST_DAYS * DAY
    if "time_expire" in biz:
        at = read_wall_clock(str(biz["time_expire"]))
        return None if at is None else min(at, latest)
    if "timeout_express" not in biz:
        return latest
    if biz["timeout_express"] == "1c":
        return read_wall_clock(f"{wall_clock(now)[:10]} 23:59:59")
    read = TIMEOUT.fullmatch(str(biz["timeout_express"]))
    return None if read is None else min(now + int(read[1]) * UNIT_SECONDS[read[2]], latest)


def _named(core: Core, call: Call) -> Order | None:
    number, theirs = call.biz.get("out_trade_no"), call.biz.get("trade_no")
    if theirs:
        return orders.find_by_provider_no(core.store, CHANNEL, call.seller, str(theirs))
    return orders.find(core.store, CHANNEL, call.seller, str(number))


def _not_found() -> Told:
    return failure("ACQ.TRADE_NOT_EXIST", "交易不存在")


def query(core: Core, call: Call) -> Told:
    order = _named(core, call)
    return _not_found() if order is None else success(**trade(order))


def close(core: Core, call: Call) -> Told:
    order = _named(core, call)
    if order is None:
        return _not_found()
    if order.state is State.CLOSED:
        return failure("ACQ.REASON_TRADE_STATUS_INVALID", "交易状态不合法")
    if order.state is State.PAID or not payments.close(core, order):
        return failure("ACQ.TRADE_STATUS_ERROR", "交易状态不合法")
    return success(trade_no=order.provider_no, out_trade_no=order.out_trade_no)


def refund(core: Core, call: Call) -> Told:
    """Send money back; fund_change tells whether this very call moved any."""
    fen = read_fen(call.biz.get("refund_amount"))
    if fen is None:
        return failure("ACQ.INVALID_PARAMETER", "refund_amount须为两位小数的元")
    with core.store.transaction():
        order = _named(core, call)
        if order is None:
            return _not_found()
        number = str(call.biz.get("out_request_no") or order.out_trade_no)
        known = orders.find_refund(core.store, *order.key, number)
        if known is not None and known.amount_fen != fen:
            return failure("ACQ.DISCORDANT_REPEAT_REQUEST", "请求信息不一致")
        if known is not None:
            return _refunded(order, known, moved=False)
        wrong = _impossible_refund(core, call, order, fen, number)
        if wrong:
            return wrong
        kept = payments.refund(
            core,
            order,
            out_refund_no=number,
            amount_fen=fen,
            reason=str(call.biz["refund_reason"]) if "refund_reason" in call.biz else None,
            notify_url=None,
            request=orders.canonical({"refund_amount": call.biz["refund_amount"]}),
        )
        return _refunded(orders.must_find(core.store, order.key), kept, moved=kept.state == "SUCCESS")


def _impossible_refund(core: Core, call: Call, order: Order, fen: int, number: str) -> Told | None:
    if order.state is not State.PAID:
        return failure("ACQ.TRADE_STATUS_ERROR", "交易状态不合法")
    if order.finished:
        return failure("ACQ.TRADE_HAS_FINISHED", "交易已完结")
    if not OUT_TRADE_NO.fullmatch(number) or (fen < order.paid_fen and "out_request_no" not in call.biz):
        return failure("ACQ.INVALID_PARAMETER", "部分退款须传out_request_no，1到64位字母、数字、下划线")
    if fen > orders.refundable_fen(core.store, order):
        return failure("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额超限")
    return None


def _refunded(order: Order, kept: Refund, *, moved: bool) -> Told:
    told = success(
        trade_no=order.provider_no,
        out_trade_no=order.out_trade_no,
        buyer_open_id=order.payer,
        buyer_logon_id="san***@example.com",
        fund_change="Y" if moved else "N",
        refund_fee=yuan(order.refunded_fen),
    )
    if kept.settled_at is not None:
        told["gmt_refund_pay"] = wall_clock(kept.settled_at)
    return told


def query_refund(core: Core, call: Call) -> Told:
    """Tell of a refund; one that is not done yet has no status, and neither has one that nobody asked for."""
    order = _named(core, call)
    if order is None:
        return _not_found()
    kept = orders.find_refund(core.store, *order.key, str(call.biz.get("out_request_no")))
    if kept is None:
        return success()
    told = success(
        trade_no=order.provider_no,
        out_trade_no=order.out_trade_no,
        out_request_no=kept.out_refund_no,
        refund_amount=yuan(kept.amount_fen),
        total_amount=yuan(order.paid_fen),
    )
    if kept.reason:
        told["refund_reason"] = kept.reason
    if kept.state == "SUCCESS" and kept.settled_at is not None:
        told |= {"refund_status": "REFUND_SUCCESS", "gmt_refund_pay": wall_clock(kept.settled_at)}
    return told


METHODS: dict[str, Method] = {
    "alipay.trade.create": create,
    "alipay.trade.query": query,
    "alipay.trade.close": close,
    "alipay.trade.refund": refund,
    "alipay.trade.fastpay.refund.query": query_refund,
}
