"""Alipay's daily trade bill: a zip with GBK names and GBK tables, lines of # around them, and a TAB behind each number."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from sandbox import bills
from sandbox.alipay_gateway import Call, Told, failure, success
from sandbox.core import wall_clock, yuan

if TYPE_CHECKING:
    from sandbox.alipay_gateway import Method
    from sandbox.bills import Day
    from sandbox.core import Core
    from sandbox.orders import Order, Refund

LINK_LASTS_SECONDS = 30
KINDS = {"trade", "signcustomer"}
HEAD = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,"
    "支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,"
    "退款批次号/请求号,服务费（元）,分润（元）,备注"
)
SUMMARY_HEAD = "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,服务费（元）,实收净额（元）"
ZERO = "0.00"


class GbkName(zipfile.ZipInfo):
    """An entry whose name is GBK without the flag that would say so."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - the name that zipfile calls
        return self.filename.encode("gbk"), self.flag_bits & ~0x800


def _row(order: Order, refund: Refund | None) -> list[str]:
    fen = order.paid_fen if refund is None else refund.amount_fen
    amount = yuan(fen) if refund is None else f"-{yuan(fen)}"
    done = order.paid_at if refund is None else refund.settled_at
    return [
        f"{order.provider_no}\t",
        f"{order.out_trade_no}\t",
        "交易" if refund is None else "退款",
        order.description,
        wall_clock(order.created_at if refund is None else refund.created_at),
        "" if done is None else wall_clock(done),
        *("", "", "", "", "*三(san***@example.com)", amount, amount),
        *(ZERO, ZERO, ZERO, ZERO, ZERO, "", ZERO, ZERO),
        "" if refund is None else f"{refund.out_refund_no}\t",
        *(ZERO, ZERO, ""),
    ]


def _lines(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def detail_table(day: Day, seller: str, now: float) -> str:
    year, month, number = day.date.split("-")
    date = f"{year}年{month}月{number}日"
    rows = [_row(order, None) for order in day.paid]
    back = [(order, refund) for order, refund in day.refunds if refund.state == "SUCCESS"]
    rows += [_row(order, refund) for order, refund in back]
    taken, sent = sum(order.paid_fen for order in day.paid), sum(refund.amount_fen for _, refund in back)
    return (
        f"#支付宝业务明细查询\n#账号：[{seller}0156]\n"
        f"#起始日期：[{date} 00:00:00]   终止日期：[{date} 23:59:59]\n"
        f"#-----------------------------------------业务明细列表----------------------------------------\n"
        f"{HEAD}\n{_lines(rows)}"
        f"#-----------------------------------------业务明细列表结束------------------------------------\n"
        f"#交易合计：{len(day.paid)}笔，商家实收共{yuan(taken)}元，商家优惠共0.00元\n"
        f"#退款合计：{len(back)}笔，商家实收退款共-{yuan(sent)}元，商家优惠退款共0.00元\n"
        f"#导出时间：[{wall_clock(now)}]\n"
    )


def summary_table(day: Day, seller: str) -> str:
    back = [refund for _, refund in day.refunds if refund.state == "SUCCESS"]
    net = sum(order.paid_fen for order in day.paid) - sum(refund.amount_fen for refund in back)
    total = f"{'-' if net < 0 else ''}{yuan(abs(net))}"
    row = ["", "合计", str(len(day.paid)), str(len(back)), total, total, ZERO, total]
    return f"#支付宝业务汇总查询\n#账号：[{seller}0156]\n{SUMMARY_HEAD}\n{_lines([row])}"


def packed(day: Day, seller: str, now: float) -> bytes:
    stem = f"{seller}_{day.date.replace('-', '')}_业务明细"
    tables = {f"{stem}.csv": detail_table(day, seller, now), f"{stem}(汇总).csv": summary_table(day, seller)}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, table in tables.items():
            archive.writestr(GbkName(name), table.replace("\n", "\r\n").encode("gb18030"), zipfile.ZIP_DEFLATED)
    return made.getvalue()


def ask_for_bill(core: Core, call: Call) -> Told:
    """Tell where a day's bill lies; a day without trades, or one not made up yet, has none."""
    begun = bills.start_of(str(call.biz.get("bill_date")))
    if call.biz.get("bill_type") not in KINDS or begun is None:
        return failure("isv.invalid-arguments", "bill_type或bill_date不正确")
    day = bills.of_day(core, channel="alipay", merchant=call.seller, begun=begun)
    if not bills.is_ready(core, begun) or day.is_empty or call.biz["bill_type"] != "trade":
        return failure("isp.bill_not_exist", "账单不存在")
    content = packed(day, call.seller, core.now())
    token = bills.keep_file(core, merchant=call.seller, content=content, lasts_seconds=LINK_LASTS_SECONDS)
    return success(bill_download_url=f"{request.host_url}alipay-bills/{token}")


METHODS: dict[str, Method] = {"alipay.data.dataservice.bill.downloadurl.query": ask_for_bill}


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("alipay_bills", __name__)

    @door.get("/alipay-bills/<token>")
    def download(token: str) -> Response:
        kept = bills.find_file(core, token)
        if kept is None or kept["merchant"] not in core.world.sellers:
            return Response("bill not exist", status=404, content_type="text/plain")
        return Response(kept["content"], content_type="application/zip")

    return door
