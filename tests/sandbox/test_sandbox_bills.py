import csv
import gzip
import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime

import requests
from sandbox_story import SELLER

from sandbox.core import BEIJING

TODAY = datetime.now(UTC).astimezone(BEIJING).strftime("%Y-%m-%d")


def read_wechat(content):
    lines = [line for line in content.decode("utf-8-sig").split("\r\n") if line]

    def cut(line):
        return line[1:].split(",`") if line.startswith("`") else line.split(",")

    head, *rows = (cut(line) for line in lines[:-2])
    return [dict(zip(head, row, strict=True)) for row in rows], dict(zip(cut(lines[-2]), cut(lines[-1]), strict=True))


def test_wechat_bills_tell_the_day_and_carry_their_hash(wx, wx_pay, remote):
    wx_pay("SB2026112200000001", 38000)
    wx_pay("SB2026112200000002", 12345)
    wx.refund("RF1", {"refund": 8000, "total": 38000, "currency": "CNY"}, out_trade_no="SB2026112200000001")
    assert json.loads(wx.trade_bill(TODAY)[1])["code"] == "STATEMENT_CREATING"
    remote.make_bills_at_once()

    told = json.loads(wx.trade_bill(TODAY)[1])
    status, packed = wx.download_bill(told["download_url"])

    content = gzip.decompress(packed)
    assert (status, hashlib.sha1(content).hexdigest()) == (200, told["hash_value"])  # noqa: S324 - the hash that WeChat Pay names
    rows, sums = read_wechat(content)
    assert [(row["商户订单号"], row["交易状态"], row["订单金额"], row["退款金额"]) for row in rows] == [
        ("SB2026112200000001", "SUCCESS", "380.00", "0.00"),
        ("SB2026112200000002", "SUCCESS", "123.45", "0.00"),
        ("SB2026112200000001", "REFUND", "0.00", "80.00"),
    ]
    assert (sums["总交易单数"], sums["订单总金额"], sums["退款总金额"]) == ("3", "503.45", "80.00")
    flow = json.loads(wx.fundflow_bill(TODAY)[1])
    rows, sums = read_wechat(gzip.decompress(wx.download_bill(flow["download_url"])[1]))
    assert (sums["收入金额"], sums["支出金额"], sums["资金流水总笔数"]) == ("503.45", "80.00", "3.0")
    assert rows[-1]["账户结余(元)"] == "423.45"


def test_a_day_without_trades_has_no_bill(wx, ali, remote):
    remote.make_bills_at_once()

    status, text = wx.trade_bill(TODAY)
    told = ali.server_api(
        "alipay.data.dataservice.bill.downloadurl.query", biz_content={"bill_type": "trade", "bill_date": TODAY}
    )

    assert (status, json.loads(text)["code"]) == (400, "NO_STATEMENT_EXIST")
    assert told["sub_code"] == "isp.bill_not_exist"


def test_alipays_bill_is_a_zip_of_gbk_tables(ali, ali_pay, remote, letterbox):
    letterbox.answer = (200, b"success")
    ali_pay("SB1", "380.00")
    ali.api_alipay_trade_refund("35.80", out_trade_no="SB1", out_request_no="RF1")
    remote.make_bills_at_once()

    told = ali.server_api(
        "alipay.data.dataservice.bill.downloadurl.query", biz_content={"bill_type": "trade", "bill_date": TODAY}
    )
    archive = zipfile.ZipFile(io.BytesIO(requests.get(told["bill_download_url"], timeout=5).content), metadata_encoding="gbk")

    name = next(each for each in archive.namelist() if "汇总" not in each)
    assert name == f"{SELLER}_{TODAY.replace('-', '')}_业务明细.csv"
    lines = [line for line in archive.read(name).decode("gb18030").splitlines() if line and not line.startswith("#")]
    head, *rows = csv.reader(lines)
    read = [dict(zip(head, (cell.strip() for cell in row), strict=True)) for row in rows]
    assert [(row["商户订单号"], row["业务类型"], row["订单金额（元）"]) for row in read] == [
        ("SB1", "交易", "380.00"),
        ("SB1", "退款", "-35.80"),
    ]
    assert rows[0][1] == "SB1\t"
