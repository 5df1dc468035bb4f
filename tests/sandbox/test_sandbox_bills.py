import csv
import gzip
import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
import requests
from sandbox_story import ALI_APP, MCHID, SELLER

from providers.alipay.bills import AlipayBills
from providers.alipay.client import AlipayClient
from providers.bills import BillNotReady, NoBill
from providers.http import Line
from providers.keys import load_private_key, load_public_key_or_certificate
from providers.wechat.bills import WeChatBills
from providers.wechat.signing import Signer, Verifier
from sandbox.core import BEIJING
from sandbox.remote import SandboxRefusedError

PUBLIC_KEY_ID = "PUB_KEY_ID_0119000032042026112200000001"


def today():
    """Asked when it is needed: a run may begin before midnight in Beijing and get here after it."""
    return datetime.now(UTC).astimezone(BEIJING).strftime("%Y-%m-%d")


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
    assert json.loads(wx.trade_bill(today())[1])["code"] == "STATEMENT_CREATING"
    remote.make_bills_at_once()

    told = json.loads(wx.trade_bill(today())[1])
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
    flow = json.loads(wx.fundflow_bill(today())[1])
    rows, sums = read_wechat(gzip.decompress(wx.download_bill(flow["download_url"])[1]))
    assert (sums["收入金额"], sums["支出金额"], sums["资金流水总笔数"]) == ("503.45", "80.00", "3.0")
    assert rows[-1]["账户结余(元)"] == "423.45"


def test_what_wechat_keeps_stands_in_bill_flow_and_money(wx, wx_pay, remote):
    account = f"wechat_pay:{MCHID}"
    remote.keep_fees(account, 60)
    remote.make_bills_at_once()
    wx_pay("SB2026112200000001", 38000)
    wx_pay("SB2026112200000002", 1234)
    wx.refund("RF1", {"refund": 1234, "total": 1234, "currency": "CNY"}, out_trade_no="SB2026112200000002")

    trade, flow = (json.loads(ask(today())[1]) for ask in (wx.trade_bill, wx.fundflow_bill))
    rows, sums = read_wechat(gzip.decompress(wx.download_bill(trade["download_url"])[1]))
    moves, flows = read_wechat(gzip.decompress(wx.download_bill(flow["download_url"])[1]))

    assert [(row["手续费"], row["费率"]) for row in rows] == [("2.28000", "0.60%"), ("0.07404", "0.60%"), ("0.00000", "0.00%")]
    assert sums["手续费总金额"] == "2.35404"
    assert [(row["业务类型"], row["收支金额(元)"]) for row in moves if row["业务类型"] == "扣除交易手续费"] == [
        ("扣除交易手续费", "2.28"), ("扣除交易手续费", "0.07"),
    ]  # fmt: skip
    assert (flows["收入金额"], flows["支出金额"], flows["资金流水总笔数"]) == ("392.34", "14.69", "5.0")
    assert remote.money()[account] == 38000 - 228 - 7
    with pytest.raises(SandboxRefusedError, match="only its bills"):
        remote.keep_fees("alipay:1", 60)


def test_a_day_without_trades_has_no_bill(wx, ali, remote):
    remote.make_bills_at_once()

    status, text = wx.trade_bill(today())
    told = ali.server_api(
        "alipay.data.dataservice.bill.downloadurl.query", biz_content={"bill_type": "trade", "bill_date": today()}
    )

    assert (status, json.loads(text)["code"]) == (400, "NO_STATEMENT_EXIST")
    assert told["sub_code"] == "isp.bill_not_exist"


def test_alipays_bill_is_a_zip_of_gbk_tables(ali, ali_pay, remote, letterbox):
    letterbox.answer = (200, b"success")
    ali_pay("SB1", "380.00")
    ali.api_alipay_trade_refund("35.80", out_trade_no="SB1", out_request_no="RF1")
    remote.make_bills_at_once()

    told = ali.server_api(
        "alipay.data.dataservice.bill.downloadurl.query", biz_content={"bill_type": "trade", "bill_date": today()}
    )
    archive = zipfile.ZipFile(io.BytesIO(requests.get(told["bill_download_url"], timeout=5).content), metadata_encoding="gbk")

    name = next(each for each in archive.namelist() if "汇总" not in each)
    assert name == f"{SELLER}_{today().replace('-', '')}_业务明细.csv"
    lines = [line for line in archive.read(name).decode("gb18030").splitlines() if line and not line.startswith("#")]
    head, *rows = csv.reader(lines)
    read = [dict(zip(head, (cell.strip() for cell in row), strict=True)) for row in rows]
    assert [(row["商户订单号"], row["业务类型"], row["订单金额（元）"]) for row in read] == [
        ("SB1", "交易", "380.00"),
        ("SB1", "退款", "-35.80"),
    ]
    assert rows[0][1] == "SB1\t"


@pytest.fixture
def wechat_bills(sandbox, secrets):
    line = Line(provider="wechat-pay", base_url=sandbox.url)
    own, theirs = (secrets / f"wechat-pay-{MCHID}-{name}.pem" for name in ("merchant-private-key", "public-key"))
    yield WeChatBills(
        line=line,
        signer=Signer(MCHID, "3204000000000000000000000000000000003204", load_private_key(own)),
        verifier=Verifier({PUBLIC_KEY_ID: load_public_key_or_certificate(theirs).public_key}),
        response_key=PUBLIC_KEY_ID,
    )
    line.close()


@pytest.fixture
def alipay_bills(sandbox, secrets):
    line = Line(provider="alipay", base_url=f"{sandbox.url}/gateway.do")
    own, theirs = (secrets / f"alipay-{ALI_APP}-{name}.pem" for name in ("app-private-key", "alipay-public-key"))
    client = AlipayClient(
        line=line,
        app_id=ALI_APP,
        private_key=load_private_key(own),
        alipay_public_key=load_public_key_or_certificate(theirs).public_key,
    )
    yield AlipayBills(client=client, line=line, seller_id=SELLER)
    line.close()


def told(bills):
    with bills.fetch(datetime.now(UTC).astimezone(BEIJING).date(), now=datetime.now(UTC)) as bill:
        return [(str(row.kind), row.payment_no, row.amount_fen, row.refund_no) for row in bill.rows()]


def test_our_own_readers_understand_what_the_sandbox_writes(  # noqa: PLR0917 (fixtures)
    wechat_bills, alipay_bills, wx, wx_pay, ali, ali_pay, remote, letterbox
):
    letterbox.answer = (200, b"success")
    wx_pay("SB2026112200000001", 38000)
    wx.refund("RF1", {"refund": 8000, "total": 38000, "currency": "CNY"}, out_trade_no="SB2026112200000001")
    ali_pay("SB1", "380.00")
    ali.api_alipay_trade_refund("35.80", out_trade_no="SB1", out_request_no="RF2")
    for bills in (wechat_bills, alipay_bills):
        with pytest.raises(BillNotReady):
            told(bills)
    remote.make_bills_at_once()

    assert told(wechat_bills) == [("TRADE", "SB2026112200000001", 38000, None), ("REFUND", "SB2026112200000001", -8000, "RF1")]
    assert told(alipay_bills) == [("TRADE", "SB1", 38000, None), ("REFUND", "SB1", -3580, "RF2")]
    flow = list(wechat_bills.fund_flow(datetime.now(UTC).astimezone(BEIJING).date(), now=datetime.now(UTC)))
    assert [row.amount_fen for row in flow] == [38000, -8000]
    assert flow[-1].balance_fen == 30000
    remote.keep_fees(f"wechat_pay:{MCHID}", 60)
    with wechat_bills.fetch(datetime.now(UTC).astimezone(BEIJING).date(), now=datetime.now(UTC)) as bill:
        assert [row.fee_fen for row in bill.rows()] == [228, 0]
    funds = wechat_bills.funds(datetime.now(UTC).astimezone(BEIJING).date(), now=datetime.now(UTC))
    assert (funds.came_fen, funds.went_fen, funds.fee_fen) == (38000, 8000, 228)


def test_our_own_readers_hear_of_a_day_without_trades(wechat_bills, alipay_bills):
    day = datetime.now(UTC).astimezone(BEIJING).date() - timedelta(days=3)

    for bills in (wechat_bills, alipay_bills):
        with pytest.raises(NoBill):
            bills.fetch(day, now=datetime.now(UTC))
