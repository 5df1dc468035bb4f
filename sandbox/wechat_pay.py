"""WeChat Pay API v3 as a merchant meets it: JSAPI orders, queries, closing, refunds and platform certificates."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from cryptography import x509
from flask import Blueprint, Response, request

from sandbox import addresses, orders, payments
from sandbox import wechat_pay_words as words
from sandbox.core import BEIJING, Core, read_rfc3339, rfc3339
from sandbox.orders import Order, Placed, State
from sandbox.replies import Reply
from sandbox.wechat_pay_door import Caller, error, field_error, read_body, serve

OUT_TRADE_NO = re.compile(r"[0-9A-Za-z_\-|*]{6,32}")
OUT_REFUND_NO = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}")
MINUTE, DAY = 60, 86400
PAYABLE_DAYS, LONGEST_PAYABLE_DAYS, REFUNDABLE_DAYS, MOST_REFUNDS = 7, 90, 365, 50
LENGTHS = {"appid": 32, "mchid": 32, "description": 127, "goods_tag": 32}
COMPARED = ("appid", "mchid", "description", "out_trade_no", "time_expire", "attach", "notify_url", "amount", "payer")
CHANNEL = "wechat_pay"
MOST_FEN = 10_000_000_000


def wrong_order(core: Core, asked: dict[str, Any], caller: Caller) -> Reply | None:
    """Check an order's fields by the book; the first fault found is the answer."""
    for name, longest in LENGTHS.items():
        value = asked.get(name)
        if value is None and name == "goods_tag":
            continue
        if not isinstance(value, str) or not 1 <= len(value) <= longest:
            return field_error(f"/{name}", f"must be text of 1 to {longest} characters", value)
    if asked["mchid"] != caller.mchid:
        return error(400, "INVALID_REQUEST", "商户号与签名商户号不一致")
    app = core.world.apps.get(asked["appid"])
    if app is None or app.merchant != caller.mchid:
        return error(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配")
    number = asked.get("out_trade_no")
    if not isinstance(number, str) or not OUT_TRADE_NO.fullmatch(number):
        return field_error("/out_trade_no", "must be 6 to 32 of 0-9 A-Z a-z _ - | *", number)
    attach = asked.get("attach")
    if attach is not None and (not isinstance(attach, str) or len(attach) > 128):  # noqa: PLR2004 - the field's length
        return field_error("/attach", "must be text of at most 128 characters", attach)
    address_wrong = addresses.fault_of(asked.get("notify_url"))
    if address_wrong:
        return field_error("/notify_url", address_wrong, asked.get("notify_url"))
    return _wrong_amount(asked.get("amount")) or _wrong_payer(core, asked) or _wrong_deadline(asked.get("time_expire"))


def _is_fen(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_FEN


def _wrong_amount(amount: object) -> Reply | None:
    if not isinstance(amount, dict):
        return field_error("/amount", "is required")
    total = amount.get("total")
    if not _is_fen(total):
        return field_error("/amount/total", f"must be a whole number of fen from 1 to {MOST_FEN}", total)
    if amount.get("currency", "CNY") != "CNY":
        return field_error("/amount/currency", "must be CNY", amount["currency"])
    return None


def _wrong_payer(core: Core, asked: dict[str, Any]) -> Reply | None:
    payer = asked.get("payer")
    openid = payer.get("openid") if isinstance(payer, dict) else None
    if not isinstance(openid, str) or not openid:
        return field_error("/payer/openid", "is required")
    known = core.store.row("SELECT 1 FROM users WHERE subject = ? AND app_id = ?", openid, asked["appid"])
    return None if known else field_error("/payer/openid", "does not belong to this appid", openid)


def _wrong_deadline(deadline: object) -> Reply | None:
    if deadline is None or (isinstance(deadline, str) and read_rfc3339(deadline) is not None):
        return None
    return field_error("/time_expire", "must be RFC 3339 with an offset", deadline)


def expires_at(asked: dict[str, Any], now: float) -> float:
    """Seven days by default; never under a minute, never over ninety days."""
    deadline = read_rfc3339(asked["time_expire"]) if "time_expire" in asked else None
    if deadline is None:
        return now + PAYABLE_DAYS * DAY
    return min(max(deadline, now + MINUTE), now + LONGEST_PAYABLE_DAYS * DAY)


def place(core: Core, caller: Caller) -> Reply:
    asked = read_body()
    if asked is None:
        return field_error("/", "must be a JSON object")
    wrong = wrong_order(core, asked, caller)
    if wrong:
        return wrong
    now = core.now()
    outcome, order = orders.place(
        core.store,
        channel=CHANNEL,
        merchant=caller.mchid,
        out_trade_no=asked["out_trade_no"],
        app_id=asked["appid"],
        amount_fen=asked["amount"]["total"],
        payer=asked["payer"]["openid"],
        description=asked["description"],
        notify_url=asked["notify_url"],
        attach=asked.get("attach"),
        request=orders.canonical({name: asked.get(name) for name in COMPARED}),
        now=now,
        expires_at=expires_at(asked, now),
    )
    if outcome is Placed.DIFFERENT:
        return error(403, "OUT_TRADE_NO_USED", "商户订单号重复")
    if order.state is State.PAID:
        return error(400, "ORDER_PAID", "该订单已支付")
    if order.state is State.CLOSED:
        return error(400, "ORDER_CLOSED", "该订单已关闭")
    prepay_id = f"wx{dt.datetime.fromtimestamp(now, BEIJING):%d%H%M%S}{words.request_id()[:26].lower()}"
    with core.store.transaction() as db:
        db.execute("INSERT INTO prepays VALUES (?, ?, ?, ?)", (prepay_id, caller.mchid, order.out_trade_no, now))
    return Reply(body={"prepay_id": prepay_id})


def _not_found() -> Reply:
    return error(404, "ORDER_NOT_EXIST", "订单不存在")


def query(caller: Caller, order: Order | None) -> Reply:
    if request.args.get("mchid") != caller.mchid:
        return error(400, "PARAM_ERROR", "参数错误", field="mchid", location="query")
    return Reply(body=words.transaction(order)) if order else _not_found()


def close(core: Core, caller: Caller, out_trade_no: str) -> Reply:
    asked = read_body()
    if asked is None or asked.get("mchid") != caller.mchid:
        return field_error("/mchid", "must be the signing merchant")
    order = orders.find(core.store, CHANNEL, caller.mchid, out_trade_no)
    if order is None:
        return _not_found()
    if order.state is State.OPEN and not payments.close(core, order):
        order = orders.must_find(core.store, order.key)
    if order.state is State.PAID:
        return error(400, "ORDER_PAID", "该订单已支付")
    return Reply(status=204)


def wrong_refund(asked: dict[str, Any]) -> Reply | None:
    number = asked.get("out_refund_no")
    if not isinstance(number, str) or not OUT_REFUND_NO.fullmatch(number):
        return field_error("/out_refund_no", "must be 1 to 64 of 0-9 A-Z a-z _ - | * @", number)
    if ("transaction_id" in asked) == ("out_trade_no" in asked):
        return field_error("/out_trade_no", "give either transaction_id or out_trade_no")
    reason = asked.get("reason", "")
    if not isinstance(reason, str) or len(reason) > 80:  # noqa: PLR2004 - the field's length
        return field_error("/reason", "must be at most 80 characters")
    if "notify_url" in asked:
        address_wrong = addresses.fault_of(asked["notify_url"], longest=256)
        if address_wrong:
            return field_error("/notify_url", address_wrong, asked["notify_url"])
    amount = asked.get("amount")
    if not isinstance(amount, dict) or amount.get("currency") != "CNY":
        return field_error("/amount/currency", "must be CNY")
    for name in ("refund", "total"):
        value = amount.get(name)
        if not _is_fen(value):
            return field_error(f"/amount/{name}", f"must be a whole number of fen from 1 to {MOST_FEN}", value)
    return None


def refund(core: Core, caller: Caller) -> Reply:
    asked = read_body()
    if asked is None:
        return field_error("/", "must be a JSON object")
    wrong = wrong_refund(asked)
    if wrong:
        return wrong
    with core.store.transaction():
        if "out_trade_no" in asked:
            order = orders.find(core.store, CHANNEL, caller.mchid, str(asked["out_trade_no"]))
        else:
            order = orders.find_by_provider_no(core.store, CHANNEL, caller.mchid, str(asked["transaction_id"]))
        if order is None:
            return error(404, "RESOURCE_NOT_EXISTS", "订单不存在")
        kept = orders.find_refund_by_number(core.store, CHANNEL, caller.mchid, asked["out_refund_no"])
        requested = orders.canonical({"order": order.out_trade_no, "amount": asked["amount"]})
        if kept is not None:
            if kept.request != requested:
                return error(400, "INVALID_REQUEST", "退款单号相同但参数不一致")
            return Reply(body=words.refund_object(order, kept))
        impossible = _impossible_refund(core, order, asked["amount"])
        if impossible:
            return impossible
        kept = payments.refund(
            core,
            order,
            out_refund_no=asked["out_refund_no"],
            amount_fen=asked["amount"]["refund"],
            reason=asked.get("reason"),
            notify_url=asked.get("notify_url"),
            request=requested,
        )
    # 200 says "accepted"; how it ended is told by the query and the notice.
    return Reply(body=words.refund_object(order, kept, state="PROCESSING"))


def _impossible_refund(core: Core, order: Order, amount: dict[str, Any]) -> Reply | None:
    if order.state is not State.PAID or order.paid_at is None:
        return error(403, "TRADE_ERROR", "订单未支付")
    if amount["total"] != order.paid_fen:
        return error(400, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致")
    if core.now() > order.paid_at + REFUNDABLE_DAYS * DAY:
        return error(400, "INVALID_REQUEST", "订单已超过可退款期限")
    if len(orders.refunds_of(core.store, order)) >= MOST_REFUNDS:
        return error(400, "INVALID_REQUEST", "部分退款次数超过限制")
    if amount["refund"] > orders.refundable_fen(core.store, order):
        return error(400, "INVALID_REQUEST", "退款金额大于可退金额")
    return None


def query_refund(core: Core, caller: Caller, out_refund_no: str) -> Reply:
    kept = orders.find_refund_by_number(core.store, CHANNEL, caller.mchid, out_refund_no)
    if kept is None:
        return error(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
    order = orders.must_find(core.store, (kept.channel, kept.merchant, kept.out_trade_no))
    return Reply(body=words.refund_object(order, kept))


def certificates(core: Core, caller: Caller) -> Reply:
    held, known = core.keys.wechat_pay[caller.mchid], core.world.wechat_merchants[caller.mchid]
    certificate = x509.load_pem_x509_certificate(held.certificate_pem.encode("ascii"))
    sealed = words.seal_with(
        core, merchant=caller.mchid, plain=held.certificate_pem.encode("ascii"), associated_data="certificate"
    )
    told = {
        "serial_no": known.platform_serial,
        "effective_time": rfc3339(certificate.not_valid_before_utc.timestamp()),
        "expire_time": rfc3339(certificate.not_valid_after_utc.timestamp()),
        "encrypt_certificate": sealed,
    }
    return Reply(body={"data": [told]})


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("wechat_pay", __name__)

    @door.post("/v3/pay/transactions/jsapi")
    def jsapi() -> Response:
        number = str((read_body() or {}).get("out_trade_no") or "")
        return serve(core, "jsapi", number, lambda caller: place(core, caller))

    @door.get("/v3/pay/transactions/out-trade-no/<out_trade_no>")
    def query_by_ours(out_trade_no: str) -> Response:
        def act(caller: Caller) -> Reply:
            return query(caller, orders.find(core.store, CHANNEL, caller.mchid, out_trade_no))

        return serve(core, "query", out_trade_no, act)

    @door.get("/v3/pay/transactions/id/<transaction_id>")
    def query_by_theirs(transaction_id: str) -> Response:
        def act(caller: Caller) -> Reply:
            found = orders.find_by_provider_no(core.store, CHANNEL, caller.mchid, transaction_id)
            return query(caller, found if found and found.paid_at is not None else None)

        return serve(core, "query", "", act)

    @door.post("/v3/pay/transactions/out-trade-no/<out_trade_no>/close")
    def close_order(out_trade_no: str) -> Response:
        return serve(core, "close", out_trade_no, lambda caller: close(core, caller, out_trade_no))

    @door.post("/v3/refund/domestic/refunds")
    def make_refund() -> Response:
        number = str((read_body() or {}).get("out_trade_no") or "")
        return serve(core, "refund", number, lambda caller: refund(core, caller))

    @door.get("/v3/refund/domestic/refunds/<out_refund_no>")
    def ask_refund(out_refund_no: str) -> Response:
        return serve(core, "refund_query", "", lambda caller: query_refund(core, caller, out_refund_no))

    @door.get("/v3/certificates")
    def platform_certificates() -> Response:
        return serve(core, "certificates", "", lambda caller: certificates(core, caller))

    return door
