"""Bills as providers write them, written by hand from the fact sheet: neither from our parsers nor from the sandbox."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

MCHID, SELLER = "1900000109", "2088000000000002"

WECHAT_ALL = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,"
    "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
WECHAT_ALL_SUMS = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
WECHAT_SUCCESS = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,"
    "商品名称,商户数据包,手续费,费率,订单金额,费率备注"
)
WECHAT_SUCCESS_SUMS = "总交易单数,应结订单总金额,手续费总金额,订单总金额"
WECHAT_REFUND = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,"
    "退款申请时间,退款成功时间,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
WECHAT_OLD = (
    "交易时间,公众账号ID,商户号,子商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,总金额,企业红包金额,"
    "微信退款单号,商户退款单号,退款金额,企业红包退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率"
)
WECHAT_OLD_SUMS = "总交易单数,总交易额,总退款金额,总企业红包退款金额,手续费总金额"
WECHAT_FLOW = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号"
WECHAT_FLOW_SUMS = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
ALIPAY_DETAILS = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,"
    "集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)


def yuan(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def backticked(values: Iterable[str]) -> str:
    return "".join(("`" if not index else ",`") + value for index, value in enumerate(values))


def wechat(head: str, rows: Sequence[dict[str, str]], sums_head: str, sums: Sequence[str], *, bom: bool = True) -> bytes:
    names = head.split(",")
    lines = [head, *(backticked(row.get(name, "") for name in names) for row in rows), sums_head, backticked(sums)]
    return (b"\xef\xbb\xbf" if bom else b"") + "".join(line + "\r\n" for line in lines).encode()


def wechat_paid(number: str = "SB1", fen: int = 38000, **more: str) -> dict[str, str]:
    return {
        "交易时间": "2026-11-20 10:00:00",
        "公众账号ID": "wx1",
        "商户号": MCHID,
        "特约商户号": "0",
        "微信订单号": f"42{number}",
        "商户订单号": number,
        "用户标识": "o1",
        "交易类型": "JSAPI",
        "交易状态": "SUCCESS",
        "付款银行": "OTHERS",
        "货币种类": "CNY",
        "应结订单金额": yuan(fen),
        "代金券金额": "0.00",
        "微信退款单号": "0",
        "商户退款单号": "0",
        "退款金额": "0.00",
        "充值券退款金额": "0.00",
        "商品名称": "社会保险费",
        "手续费": "0.00000",
        "费率": "0.00%",
        "订单金额": yuan(fen),
        "申请退款金额": "0.00",
    } | more


def wechat_refunded(number: str = "SB1", fen: int = 8000, refund: str = "RF1", **more: str) -> dict[str, str]:
    return (
        wechat_paid(number, 0)
        | {
            "交易时间": "2026-11-20 23:59:59",
            "交易状态": "REFUND",
            "微信退款单号": f"50{refund}",
            "商户退款单号": refund,
            "退款金额": yuan(fen),
            "退款类型": "ORIGINAL",
            "退款状态": "PROCESSING",
            "申请退款金额": yuan(fen),
        }
        | more
    )


def wechat_all(paid: Sequence[dict[str, str]], refunded: Sequence[dict[str, str]] = ()) -> bytes:
    """A whole bill whose sums agree, summed up in words of our own: whole fen."""

    def total(name: str) -> str:
        return yuan(sum(round(float(row[name]) * 100) for row in (*paid, *refunded)))

    sums = [
        str(len(paid) + len(refunded)), total("应结订单金额"), total("退款金额"), total("充值券退款金额"), total("手续费"), total("订单金额"),
        total("申请退款金额"),
    ]  # fmt: skip
    return wechat(WECHAT_ALL, [*paid, *refunded], WECHAT_ALL_SUMS, sums)


def alipay_paid(number: str = "SB1", fen: int = 38000, **more: str) -> dict[str, str]:
    return {
        "支付宝交易号": f"2026{number}\t",
        "商户订单号": f"{number}\t",
        "业务类型": "交易",
        "商品名称": "社会保险费",
        "创建时间": "2026-11-20 09:59:00",
        "完成时间": "2026-11-20 10:00:00",
        "对方账户": "*三(san***@example.com)",
        "订单金额（元）": yuan(fen),
        "商家实收（元）": yuan(fen),
        "服务费（元）": "0.00",
    } | more


def alipay_refunded(number: str = "SB1", fen: int = 8000, refund: str = "RF1", **more: str) -> dict[str, str]:
    return alipay_paid(number, -fen) | {"业务类型": "退款", "退款批次号/请求号": f"{refund}\t"} | more


def alipay_table(
    rows: Sequence[dict[str, str]], *, day: date, head: str = ALIPAY_DETAILS, seller: str = SELLER, behind: str | None = None
) -> bytes:
    date = f"{day.year}年{day.month:02}月{day.day:02}日"
    names = head.split(",")
    paid = [row for row in rows if row["业务类型"] == "交易"]
    back = [row for row in rows if row["业务类型"] == "退款"]

    def total(those: list[dict[str, str]]) -> str:
        return yuan(sum(round(float(row["商家实收（元）"]) * 100) for row in those))

    if behind is None:
        behind = (
            f"#交易合计：{len(paid)}笔，商家实收共{total(paid)}元，商家优惠共0.00元\n"
            f"#退款合计：{len(back)}笔，商家实收退款共{total(back)}元，商家优惠退款共0.00元\n"
            f"#导出时间：[{date} 09:30:00]\n"
        )
    return (
        (
            f"#支付宝业务明细查询\n#账号：[{seller}0156]\n#起始日期：[{date} 00:00:00]   终止日期：[{date} 23:59:59]\n"
            f"#-----------------------------------------业务明细列表----------------------------------------\n{head}\n"
            + "".join(",".join(row.get(name, "") for name in names) + "\n" for row in rows)
            + f"#-----------------------------------------业务明细列表结束------------------------------------\n{behind}"
        )
        .replace("\n", "\r\n")
        .encode("gbk")
    )


class GbkName(zipfile.ZipInfo):
    """An entry whose name is GBK without the flag that would say so."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 (the name that zipfile calls)
        return self.filename.encode("gbk"), self.flag_bits & ~0x800


def alipay_zip(table: bytes, *, day: date, seller: str = SELLER, packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    stem, made = f"{seller}_{day:%Y%m%d}_业务明细", io.BytesIO()
    with zipfile.ZipFile(made, "w", packing) as archive:
        archive.writestr(GbkName(f"{stem}(汇总).csv"), "#支付宝业务汇总查询\r\n".encode("gbk"), packing)
        archive.writestr(GbkName(f"{stem}.csv"), table, packing)
    return made.getvalue()


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
