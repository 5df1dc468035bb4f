"""What a bill says, row by row, and what is refused of it whole."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.alipay import bill_rows as alipay
from providers.bills import BillDamaged, BillRow, BillRowKind
from providers.wechat import bill_rows as wechat
from tests.providers import bill_writers as written
from tests.providers.bill_writers import MCHID, SELLER, alipay_paid, alipay_refunded, wechat_paid, wechat_refunded, yuan

DAY = date(2026, 11, 20)
MORNING = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


def of_wechat(content: bytes) -> list[BillRow]:
    return list(wechat.trade_rows(io.BytesIO(content), merchant=MCHID))


def of_alipay(table: bytes) -> list[BillRow]:
    zipped = list(alipay.zipped_rows(io.BytesIO(written.alipay_zip(table, day=DAY)), merchant=SELLER, day=DAY))
    assert zipped == list(alipay.detail_rows(io.BytesIO(table), merchant=SELLER, day=DAY))
    return zipped


def damage(read, *given, **named) -> tuple[int, str]:
    with pytest.raises(BillDamaged) as trouble:
        list(read(*given, **named))
    return trouble.value.line, trouble.value.what


def test_a_wechat_bill_tells_payments_and_refunds():
    rows = of_wechat(written.wechat_all([wechat_paid(手续费="2.28000")], [wechat_refunded(手续费="-0.48000")]))

    assert rows == [
        BillRow(
            line=2, kind=BillRowKind.TRADE, payment_no="SB1", provider_payment_no="42SB1", amount_fen=38000, currency="CNY",
            state="SUCCESS", at=MORNING, fee_fen=228,
        ),
        BillRow(
            line=3, kind=BillRowKind.REFUND, payment_no="SB1", provider_payment_no="42SB1", amount_fen=-8000, currency="CNY",
            state="PROCESSING", at=datetime(2026, 11, 20, 15, 59, 59, tzinfo=UTC), fee_fen=-48, is_done=False, refund_no="RF1",
            provider_refund_no="50RF1",
        ),
    ]  # fmt: skip


def test_a_byte_order_mark_is_no_part_of_a_columns_name_and_may_be_missing():
    content = written.wechat_all([wechat_paid()])
    assert content.startswith(b"\xef\xbb\xbf")

    assert of_wechat(content) == of_wechat(content.removeprefix(b"\xef\xbb\xbf"))


def test_an_alipay_bill_tells_payments_and_refunds():
    rows = of_alipay(
        written.alipay_table([alipay_paid(**{"服务费（元）": "-2.28"}), alipay_refunded(**{"服务费（元）": "0.48"})], day=DAY)
    )

    assert rows == [
        BillRow(
            line=6, kind=BillRowKind.TRADE, payment_no="SB1", provider_payment_no="2026SB1", amount_fen=38000, currency="CNY",
            state="交易", at=MORNING, fee_fen=228,
        ),
        BillRow(
            line=7, kind=BillRowKind.REFUND, payment_no="SB1", provider_payment_no="2026SB1", amount_fen=-8000, currency="CNY",
            state="退款", at=MORNING, fee_fen=-48, refund_no="RF1",
        ),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["社保费,11月", 'a "b" c', "行\u2028行\x85", "1`2", "'", "，,`"[:2]])
def test_a_products_name_may_hold_what_it_likes_at_wechat(name):
    [row] = of_wechat(written.wechat_all([wechat_paid(商品名称=name)]))

    assert (row.payment_no, row.amount_fen) == ("SB1", 38000)


@pytest.mark.parametrize("name", ['"社保费,11月"', '"a ""b"" c"', "行\u2028行", "一\u3000二"])
def test_a_products_name_may_be_quoted_at_alipay(name):
    table = written.alipay_table([alipay_paid(商品名称="NAME")], day=DAY).replace(b"NAME", name.encode("gb18030"))

    [row] = of_alipay(table)

    assert (row.payment_no, row.amount_fen) == ("SB1", 38000)


def test_columns_are_found_by_name_whatever_the_kind_of_bill():
    success = written.wechat(
        written.WECHAT_SUCCESS, [wechat_paid()], written.WECHAT_SUCCESS_SUMS, ["1", "380.00", "0.00000", "380.00"], bom=False
    )
    refund = written.wechat(
        written.WECHAT_REFUND,
        [
            wechat_refunded(
                退款申请时间="2026-11-20 10:00:00", 退款成功时间="2026-11-21 10:00:00", 交易时间="2026-10-01 08:00:00"
            )
        ],
        written.WECHAT_ALL_SUMS,
        ["1", "0.00", "80.00", "0.00", "0.00000", "0.00", "80.00"],
    )

    assert [(row.amount_fen, row.kind, row.refund_no) for row in of_wechat(success)] == [(38000, "TRADE", None)]
    assert [(row.amount_fen, row.at, row.refund_no) for row in of_wechat(refund)] == [(-8000, MORNING, "RF1")]


def test_old_merchants_keep_their_old_names():
    paid, back = (
        wechat_paid(总金额="380.00", 企业红包金额="0.00", 企业红包退款金额="0.00"),
        wechat_refunded(总金额="380.00", 企业红包退款金额="0.00"),
    )
    bill = written.wechat(
        written.WECHAT_OLD, [paid, back], written.WECHAT_OLD_SUMS, ["2", "760.00", "80.00", "0.00", "0.00000"]
    )

    assert [(row.kind, row.amount_fen) for row in of_wechat(bill)] == [("TRADE", 38000), ("REFUND", -8000)]


def test_what_a_payment_was_for_is_told_and_not_what_coupons_left_of_it():
    [row] = of_wechat(written.wechat_all([wechat_paid(应结订单金额="370.00", 代金券金额="10.00")]))

    assert row.amount_fen == 38000


@pytest.mark.parametrize(("told", "fen"), [("0.00600", 1), ("0.00499", 0), ("0.00500", 1), ("1", 100)])
def test_a_fee_is_told_to_the_nearest_fen_and_summed_exactly(told, fen):
    bill = written.wechat(
        written.WECHAT_SUCCESS, [wechat_paid(手续费=told)], written.WECHAT_SUCCESS_SUMS, ["1", "380.00", told, "380.00"]
    )

    assert [row.fee_fen for row in of_wechat(bill)] == [fen]


def test_a_refund_without_numbers_of_ours_has_none():
    [row] = of_wechat(written.wechat_all([], [wechat_refunded(商户退款单号="0", 交易状态="REVOKED", 退款状态="")]))

    assert (row.refund_no, row.provider_refund_no, row.state, row.is_done) == (None, "50RF1", "REVOKED", True)


def test_a_refund_is_done_only_where_the_bill_says_so():
    rows = of_wechat(
        written.wechat_all([], [wechat_refunded(退款状态=state) for state in ("SUCCESS", "PROCESSING", "CHANGE", "")])
    )

    assert [row.is_done for row in rows] == [True, False, False, False]


@pytest.mark.parametrize(
    ("altered", "line", "what"),
    [
        (lambda b: b.replace(b"`2,`380.00", b"`3,`380.00"), 5, "总交易单数"),
        (lambda b: b.replace(b"`2,`380.00", b"`2,`380.01"), 5, "应结订单总金额"),
        (lambda b: b.replace(b"`380.00,`0.00\r\n", b"`380.01,`0.00\r\n"), 5, "订单总金额"),
        (lambda b: b.replace(b"`0.00\r\n", b"`0.0O\r\n"), 5, "申请退款总金额"),
        (lambda b: b[: b.rindex("总交易单数".encode())], 4, "ends without its sums"),
        (lambda b: b[: b.rindex(b"`2,")], 5, "not as many sums as names"),
        (lambda b: b[:-20], 5, "not as many sums as names"),
        (lambda b: b + b"`more\r\n", 6, "goes on after its sums"),
        (lambda b: b.replace(b"`42SB2", b"`\n42SB2", 1), 3, "not as many values as columns"),
        (lambda b: b.replace(b"`SB2", b"`x,`SB2", 1), 3, "not as many values as columns"),
        (lambda b: b.replace(b"`SB2", b"`S\xffB2", 1), 3, "utf-8"),
        (lambda b: b.replace(b"`SB2", b"`" + b"S" * 70_000, 1), 3, "too long"),
        (lambda b: b.replace("微信订单号".encode(), "商户订单号".encode(), 1), 1, "a column stands there twice"),
        (lambda b: b.replace("微信订单号".encode(), "支付单号".encode(), 1), 1, "no column 微信订单号"),
        (lambda b: b.replace("总交易单数".encode(), "总数".encode(), 1), 5, "no 总交易单数"),
        (lambda _: b"", 1, "no column 交易时间"),
        (lambda _: b'{"code":"SYSTEM_ERROR"}', 1, "no column 交易时间"),
    ],
)
def test_a_damaged_wechat_bill_is_refused_with_its_line(altered, line, what):
    whole = written.wechat_all([wechat_paid("SB1"), wechat_paid("SB2", 0)], [])
    assert len(of_wechat(whole)) == 2
    broken = altered(whole)
    assert broken != whole

    assert damage(wechat.trade_rows, io.BytesIO(broken), merchant=MCHID) == (line, what)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("商户订单号", ""),
        ("商户订单号", "S\x00B2"),
        ("商户订单号", "S" * 200),
        ("微信订单号", ""),
        ("商户号", "1900000110"),
        ("交易状态", "PAID"),
        ("订单金额", "380.001"),
        ("订单金额", "-380.00"),
        ("订单金额", "3e2"),
        ("订单金额", "３80.00"),
        ("订单金额", ""),
        ("应结订单金额", "1" * 20),
        ("手续费", "0.000001"),
        ("交易时间", "2026-11-31 10:00:00"),
        ("交易时间", "20261120 10:00:00"),
        ("交易时间", ""),
        ("货币种类", ""),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_line_and_column(column, value):
    bill = written.wechat_all([wechat_paid("SB1"), wechat_paid("SB2")]).replace(
        written.backticked(wechat_paid("SB2").get(name, "") for name in written.WECHAT_ALL.split(",")).encode(),
        written.backticked(
            (wechat_paid("SB2") | {column: value}).get(name, "") for name in written.WECHAT_ALL.split(",")
        ).encode(),
    )

    assert damage(wechat.trade_rows, io.BytesIO(bill), merchant=MCHID) == (3, column)


def test_a_refund_in_a_bill_without_columns_of_refunds_is_refused():
    bill = written.wechat(
        written.WECHAT_SUCCESS, [wechat_refunded()], written.WECHAT_SUCCESS_SUMS, ["1", "0.00", "0.00000", "0.00"]
    )

    assert damage(wechat.trade_rows, io.BytesIO(bill), merchant=MCHID) == (2, "a refund in a bill without 退款金额")


TWO = written.alipay_table([alipay_paid("SB1"), alipay_refunded("SB2")], day=DAY)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("#交易合计：1笔", "#交易合计：2笔", 9, "sum of TRADE"),
        ("收共380.00元", "收共380.01元", 9, "sum of TRADE"),
        ("款共-80.00元", "款共-80.10元", 10, "sum of REFUND"),
        ("#退款合计", "#退合计", 12, "no sum of REFUND"),
        ("#-----------------------------------------业务明细列表结束", "#-----业务明细列表完", 8, "no end of the list"),
        ("#导出时间", "导出时间", 11, "goes on after its end"),
        ("2088000000000002", "2088000000000003", 2, "账号"),
        ("#账号：", "#账户：", 5, "says neither account nor day before its table"),
        ("#起始日期：[2026年11月20日", "#起始日期：[2026年11月19日", 3, "起始日期"),
        ("退款,社会", "退票,社会", 7, "业务类型"),
        ("-80.00,-80.00", "80.00,-80.00", 7, "订单金额(元)"),
        ("380.00,380.00", "-380.00,380.00", 6, "订单金额(元)"),
        ("380.00,380.00", "380.0O,380.00", 6, "订单金额(元)"),
        ("社会保险费", "社会,保险费", 6, "not as many values as columns"),
        ("社会保险费", '"社会保险费', 6, "quotes"),
        ("2026SB1\t", "\t", 6, "支付宝交易号"),
        ("2026-11-20 10:00:00", "2026-11-20", 6, "完成时间"),
        ("支付宝交易号", "交易号", 5, "no column 支付宝交易号"),
        ("备注", "操作员", 5, "a column stands there twice"),
    ],
)
def test_a_damaged_alipay_bill_is_refused_with_its_line(old, new, line, what):
    broken = TWO.replace(old.encode("gbk"), new.encode("gbk"), 1)
    assert broken != TWO

    assert damage(alipay.detail_rows, io.BytesIO(broken), merchant=SELLER, day=DAY) == (line, what)


@pytest.mark.parametrize("kept", range(0, len(TWO), 7))
def test_an_alipay_bill_cut_off_anywhere_is_refused(kept):
    tail = TWO[kept:].decode("gb18030", "replace")
    if "退款合计" not in tail and "商家实收退款共" not in tail and "商家优惠退款" not in tail:
        return  # only the moment of its export is missing, and nobody reads that

    damage(alipay.detail_rows, io.BytesIO(TWO[:kept]), merchant=SELLER, day=DAY)


@pytest.mark.parametrize("kept", range(0, 700, 7))
def test_a_wechat_bill_cut_off_anywhere_is_refused(kept):
    whole = written.wechat_all([wechat_paid()])
    if kept >= len(whole) - 2:  # the last line's end
        return

    damage(wechat.trade_rows, io.BytesIO(whole[:kept]), merchant=MCHID)


def test_bytes_that_are_no_gbk_are_refused():
    broken = TWO.replace("社会".encode("gbk"), b"\xff\xff\xff\xff", 1)

    assert damage(alipay.detail_rows, io.BytesIO(broken), merchant=SELLER, day=DAY) == (6, "gb18030")


def packed(**entries: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(written.GbkName(name), content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "not a zip"),
        (b"<html>", "not a zip"),
        (b"PK\x05\x06" + b"\0" * 18, "zip: not one table of details"),
        (packed(a=b""), "zip: not one table of details"),
        (packed(**{"1_业务明细.csv": TWO, "2_业务明细.csv": TWO}), "zip: not one table of details"),
        (packed(**{f"{index}_汇总.csv": b"" for index in range(2000)}), "zip: too many entries"),
        (written.alipay_zip(TWO, day=DAY, packing=zipfile.ZIP_LZMA), "zip: packed in another way"),
        (written.alipay_zip(TWO, day=DAY)[:-300], "not a zip"),
    ],
)
def test_what_is_no_zip_of_theirs_is_refused(content, what):
    assert damage(alipay.zipped_rows, io.BytesIO(content), merchant=SELLER, day=DAY) == (0, what)


def test_a_zip_whose_bytes_were_altered_is_refused():
    whole = written.alipay_zip(TWO, day=DAY, packing=zipfile.ZIP_STORED)
    broken = whole.replace(b"SB1", b"SB7")

    line, what = damage(alipay.zipped_rows, io.BytesIO(broken), merchant=SELLER, day=DAY)

    assert (what, line > 0) == ("BadZipFile", True)


def test_a_small_zip_that_unpacks_to_more_than_any_bill_is_refused_and_not_unpacked_whole(monkeypatch):
    monkeypatch.setattr("providers.bills.BILL_LIMIT_BYTES", 1_000_000)
    monkeypatch.setattr("providers.alipay.bill_rows.BUFFER_BYTES", 64 * 1024)
    table = TWO.replace(b"#\xd6\xa7", b"#\r\n" * 500_000 + b"#\xd6\xa7", 1)
    assert len(written.alipay_zip(table, day=DAY)) < 10_000

    line, what = damage(alipay.zipped_rows, io.BytesIO(written.alipay_zip(table, day=DAY)), merchant=SELLER, day=DAY)

    assert (what, line) == ("too long", 333_334)


def test_rows_come_one_by_one_and_the_sums_last():
    rows = wechat.trade_rows(
        io.BytesIO(written.wechat_all([wechat_paid()]).replace(b"`1,`380.00", b"`1,`390.00")), merchant=MCHID
    )

    assert next(rows).amount_fen == 38000
    with pytest.raises(BillDamaged) as trouble:
        next(rows)
    assert trouble.value.line == 4


def test_the_fund_flow_tells_where_money_went():
    rows = [
        {"记账时间": "2026-11-20 10:00:00", "微信支付业务单号": "42SB1", "资金流水单号": "F1", "业务类型": "交易", "收支类型": "收入",
         "收支金额(元)": "380.00", "账户结余(元)": "380.00", "备注": "结算总金额 380.00 元;含手续费 0.00 元,见备注", "业务凭证号": "SB1"},
        {"记账时间": "2026-11-20 11:00:00", "微信支付业务单号": "W1", "资金流水单号": "F2", "业务类型": "提现", "收支类型": "支出",
         "收支金额(元)": "400.00", "账户结余(元)": "-20.00"},
    ]  # fmt: skip
    bill = written.wechat(written.WECHAT_FLOW, rows, written.WECHAT_FLOW_SUMS, ["2.0", "1.0", "380.00", "1.0", "400.00"])

    read = list(wechat.flow_rows(io.BytesIO(bill)))

    assert [(row.amount_fen, row.balance_fen, row.our_no, row.business) for row in read] == [
        (38000, 38000, "SB1", "交易"),
        (-40000, -2000, None, "提现"),
    ]
    assert damage(wechat.flow_rows, io.BytesIO(bill.replace(b"`400.00\r", b"`400.01\r"))) == (5, "支出金额")
    assert damage(wechat.flow_rows, io.BytesIO(bill.replace("`支出".encode(), "`退回".encode()))) == (3, "收支类型")


NUMBERS = st.text("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ_-", min_size=1, max_size=32).filter(lambda text: text != "0")
MOMENTS = st.integers(0, 86399).map(lambda second: datetime(2026, 11, 19, 16, tzinfo=UTC) + timedelta(seconds=second))
FENS = st.integers(0, 10**12)
GBK_NAMES = st.text(st.characters(codec="gbk", exclude_characters='",\r\n#`', exclude_categories=["C"]), max_size=20)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="`\r\n"), max_size=20)


def clock(moment: datetime) -> str:
    return f"{moment + timedelta(hours=8):%Y-%m-%d %H:%M:%S}"


@given(st.lists(st.tuples(NUMBERS, NUMBERS, FENS, MOMENTS, NAMES, st.none() | NUMBERS), max_size=8))
def test_whatever_wechat_writes_is_what_is_read(facts):
    paid = [
        wechat_paid(ours, fen, 微信订单号=theirs, 交易时间=clock(at), 商品名称=name)
        for ours, theirs, fen, at, name, back in facts
        if back is None
    ]
    refunded = [
        wechat_refunded(ours, fen, back, 微信订单号=theirs, 交易时间=clock(at), 商品名称=name) for ours, theirs, fen, at, name, back in facts if back is not None
    ]  # fmt: skip
    sums = [str(len(facts)), *(yuan(sum(round(f[2]) for f in facts if (f[5] is None) == is_paid)) for is_paid in (True, False))]
    bill = written.wechat(
        written.WECHAT_ALL,
        paid + refunded,
        written.WECHAT_ALL_SUMS,
        [sums[0], sums[1], sums[2], "0.00", "0.00000", sums[1], sums[2]],
    )

    rows = of_wechat(bill)

    told = [(row.payment_no, row.provider_payment_no, abs(row.amount_fen), row.at, row.refund_no) for row in rows]
    wanted = [(ours, theirs, fen, at, back) for ours, theirs, fen, at, _, back in facts]
    assert told == [one for one in wanted if one[4] is None] + [one for one in wanted if one[4] is not None]
    assert all((row.amount_fen <= 0) == (row.kind is BillRowKind.REFUND) or row.amount_fen == 0 for row in rows)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(1, 10**12), MOMENTS, GBK_NAMES, st.none() | NUMBERS), max_size=8))
def test_whatever_alipay_writes_is_what_is_read(facts):
    def row_of(fact):
        ours, theirs, fen, at, name, back = fact
        made = alipay_paid(ours, fen) if back is None else alipay_refunded(ours, fen, back)
        return made | {"支付宝交易号": f"{theirs}\t", "完成时间": clock(at), "商品名称": name}

    rows = of_alipay(written.alipay_table([row_of(fact) for fact in facts], day=DAY))

    assert [(row.payment_no, row.provider_payment_no, row.amount_fen, row.at, row.refund_no) for row in rows] == [
        (ours, theirs, fen if back is None else -fen, at, back) for ours, theirs, fen, at, _, back in facts
    ]
