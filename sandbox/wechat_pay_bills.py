"""WeChat Pay's daily bills: the trade bill and the fund flow, with byte order mark, backticks and two rows of sums."""

from __future__ import annotations

import gzip
import hashlib
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from flask import Blueprint, Response, request

from sandbox import bills, fees
from sandbox.core import wall_clock, yuan
from sandbox.replies import Reply
from sandbox.wechat_pay_door import Caller, authenticate, error, serve, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.bills import Day
    from sandbox.core import Core
    from sandbox.orders import Order, Refund

    RateOf = Callable[[Order], int]

LINK_LASTS_SECONDS = 300
OLDEST_DAYS = 93
BEGINNING = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额"
REFUND_TIMES = "退款申请时间,退款成功时间"
REFUND_PART = "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态"
ENDING = "商品名称,商户数据包,手续费,费率,订单金额"
SUMS = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
SHORT_SUMS = "总交易单数,应结订单总金额,手续费总金额,订单总金额"
HEADS = {
    "ALL": f"{BEGINNING},{REFUND_PART},{ENDING},申请退款金额,费率备注",
    "SUCCESS": f"{BEGINNING},{ENDING},费率备注",
    "REFUND": f"{BEGINNING},{REFUND_TIMES},{REFUND_PART},{ENDING},申请退款金额,费率备注",
}
FLOW_HEAD = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号"
FLOW_SUMS = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
ACCOUNTS = {"BASIC", "OPERATION", "FEES"}
REFUND_WORDS = {"SUCCESS": "SUCCESS", "PROCESSING": "PROCESSING", "ABNORMAL": "CHANGE"}


class Move(NamedTuple):
    """One movement on the merchant's account."""

    at: float
    kind: str
    fen: int
    number: str
    merchants_number: str


def written_file(head: str, rows: list[dict[str, str]], sums_head: str, sums: list[str]) -> bytes:
    """Write every field behind a backtick; values may hold commas, and nothing is quoted."""
    names = head.split(",")
    lines = [head, *("`" + ",`".join(row.get(name, "") for name in names) for row in rows), sums_head, "`" + ",`".join(sums)]
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8-sig")


def _common(order: Order) -> dict[str, str]:
    return {
        "公众账号ID": order.app_id,
        "商户号": order.merchant,
        "特约商户号": "0",
        "微信订单号": order.provider_no,
        "商户订单号": order.out_trade_no,
        "用户标识": order.payer or "",
        "交易类型": "JSAPI",
        "付款银行": "OTHERS",
        "货币种类": order.currency,
        "代金券金额": "0.00",
        "微信退款单号": "0",
        "商户退款单号": "0",
        "退款金额": "0.00",
        "充值券退款金额": "0.00",
        "商品名称": order.description.replace("\r", "\\r").replace("\n", "\\n"),
        "商户数据包": order.attach or "",
        "手续费": "0.00000",
        "费率": "0.00%",
        "申请退款金额": "0.00",
    }


def _paid_row(order: Order, rate: int) -> dict[str, str]:
    paid = yuan(order.paid_fen)
    return _common(order) | {
        "交易时间": wall_clock(order.paid_at or 0),
        "交易状态": "SUCCESS",
        "应结订单金额": paid,
        "订单金额": paid,
        "手续费": fees.told_yuan(order.paid_fen, rate),
        "费率": f"{yuan(rate)}%",
    }


def _refund_row(order: Order, refund: Refund) -> dict[str, str]:
    back = yuan(refund.amount_fen)
    return _common(order) | {
        "交易时间": wall_clock(refund.created_at),
        "交易状态": "REFUND",
        "应结订单金额": "0.00",
        "订单金额": "0.00",
        "退款申请时间": wall_clock(refund.created_at),
        "退款成功时间": wall_clock(refund.settled_at) if refund.state == "SUCCESS" and refund.settled_at else "",
        "微信退款单号": refund.refund_id,
        "商户退款单号": refund.out_refund_no,
        "退款金额": back,
        "退款类型": "ORIGINAL",
        "退款状态": REFUND_WORDS[refund.state],
        "申请退款金额": back,
    }


def trade_file(day: Day, kind: str, rate_of: RateOf) -> bytes | None:
    """Write the trade bill; a kind without rows has no bill at all."""
    rows = [] if kind == "REFUND" else [_paid_row(order, rate_of(order)) for order in day.paid]
    rows += [] if kind == "SUCCESS" else [_refund_row(order, refund) for order, refund in day.refunds]
    if not rows:
        return None
    paid = yuan(0 if kind == "REFUND" else sum(order.paid_fen for order in day.paid))
    back = yuan(0 if kind == "SUCCESS" else sum(refund.amount_fen for _, refund in day.refunds))
    units = 0 if kind == "REFUND" else sum(fees.taken_units(order.paid_fen, rate_of(order)) for order in day.paid)
    kept = fees.written(units)
    if kind == "SUCCESS":
        return written_file(HEADS[kind], rows, SHORT_SUMS, [str(len(rows)), paid, kept, paid])
    return written_file(HEADS[kind], rows, SUMS, [str(len(rows)), paid, back, "0.00", kept, paid, back])


def _moves(day: Day, rate_of: RateOf) -> Iterator[Move]:
    """What moved the account: a payment, its fee right behind it, and a refund when it succeeded."""
    for order in day.paid:
        at = order.paid_at or 0
        yield Move(at, "交易", order.paid_fen, order.provider_no, order.out_trade_no)
        if fee := fees.taken_fen(order.paid_fen, rate_of(order)):
            yield Move(at, "扣除交易手续费", -fee, order.provider_no, order.out_trade_no)
    for _, refund in day.refunds:
        if refund.state == "SUCCESS":
            yield Move(refund.settled_at or 0, "退款", -refund.amount_fen, refund.refund_id, refund.out_refund_no)


def flow_file(day: Day, rate_of: RateOf) -> bytes:
    """Write the fund flow; its counts look like 20.0."""
    moves = sorted(_moves(day, rate_of), key=lambda move: move.at)
    balance, rows = 0, []
    for move in moves:
        balance += move.fen
        rows.append(
            {
                "记账时间": wall_clock(move.at),
                "微信支付业务单号": move.number,
                "资金流水单号": move.number,
                "业务名称": move.kind,
                "业务类型": move.kind,
                "收支类型": "收入" if move.fen > 0 else "支出",
                "收支金额(元)": yuan(abs(move.fen)),
                "账户结余(元)": f"{'-' if balance < 0 else ''}{yuan(abs(balance))}",
                "资金变更提交申请人": "system",
                "业务凭证号": move.merchants_number,
            }
        )
    came, went = [move.fen for move in moves if move.fen > 0], [-move.fen for move in moves if move.fen < 0]
    sums = [f"{len(rows)}.0", f"{len(came)}.0", yuan(sum(came)), f"{len(went)}.0", yuan(sum(went))]
    return written_file(FLOW_HEAD, rows, FLOW_SUMS, sums)


def answer(core: Core, caller: Caller, *, flow: bool) -> Reply:
    """Make the file and tell where it lies, for five minutes."""
    asked = request.args
    begun = bills.start_of(asked.get("bill_date", ""))
    kind, account = asked.get("bill_type", "ALL"), asked.get("account_type", "BASIC")
    tar = asked.get("tar_type")
    if begun is None or kind not in HEADS or account not in ACCOUNTS or tar not in {None, "GZIP"}:
        return error(400, "PARAM_ERROR", "参数错误", field="bill_date", location="query")
    if core.now() - begun > OLDEST_DAYS * bills.DAY_SECONDS:
        return error(400, "INVALID_REQUEST", "只能下载三个月内的账单")
    if not bills.is_ready(core, begun):
        return error(400, "STATEMENT_CREATING", "账单生成中，请稍后再试")
    day = bills.of_day(core, channel="wechat_pay", merchant=caller.mchid, begun=begun)
    rate_of = partial(fees.rate_of, core.store)
    content = trade_file(day, kind, rate_of)
    if flow:
        content = None if day.is_empty or account != "BASIC" else flow_file(day, rate_of)
    if content is None:
        return error(400, "NO_STATEMENT_EXIST", "账单不存在")
    kept = gzip.compress(content) if tar == "GZIP" else content
    token = bills.keep_file(core, merchant=caller.mchid, content=kept, lasts_seconds=LINK_LASTS_SECONDS)
    address = f"{request.host_url}v3/billdownload/file?token={token}"
    hashed = hashlib.sha1(content).hexdigest()  # noqa: S324 - the hash that WeChat Pay names
    return Reply(body={"hash_type": "SHA1", "hash_value": hashed, "download_url": address})


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("wechat_pay_bills", __name__)

    @door.get("/v3/bill/tradebill")
    def tradebill() -> Response:
        return serve(core, "tradebill", "", lambda caller: answer(core, caller, flow=False))

    @door.get("/v3/bill/fundflowbill")
    def fundflowbill() -> Response:
        return serve(core, "fundflowbill", "", lambda caller: answer(core, caller, flow=True))

    @door.get("/v3/billdownload/file")
    def download() -> Response:
        caller = authenticate(core)
        if isinstance(caller, Reply):
            return written(core, caller, caller=None, found={})
        kept = bills.find_file(core, request.args.get("token", ""))
        if kept is None or kept["merchant"] != caller.mchid:
            return written(core, error(404, "RESOURCE_NOT_EXISTS", "账单文件不存在"), caller=None, found={})
        # The one answer without a signature: whoever downloads checks the hash that was signed before.
        return Response(kept["content"], content_type="application/octet-stream")

    return door
