"""A bank's daily statement in our form: strict as a bill, refused whole with the line."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from providers.bills import BillDamaged, BillNotReady, BillRowKind
from providers.protocols import Channel
from providers.statements import StatementFolder
from sandbox.authorities import put

DAY, NOW = date(2026, 11, 21), datetime(2026, 11, 22, 3, tzinfo=UTC)
HEAD = "类型,时间,商户单号,流水号,金额(分),退款单号,退款流水号,手续费(分)"
PAID, BACK = "1,20261121100000,P1,B1,5000,,,5", "2,20261121110000,P1,B1,1200,R1,BR1,"
FIRST = "STATEMENT,bank_counter,BOC320400,20261121,{count},{total}"


def statement(folder, *rows, first=FIRST, head=HEAD, total=None, count=None):
    content = "\r\n".join(
        [first.format(count=len(rows) if count is None else count, total=3800 if total is None else total), head, *rows, ""]
    )
    put(folder, "S_BOC320400_20261121.csv", content.encode("gb18030"))
    return StatementFolder(channel=Channel.BANK_COUNTER, merchant="BOC320400", folder=folder)


def test_payments_and_refunds_come_as_rows_of_a_bill(tmp_path):
    with statement(tmp_path, PAID, BACK).fetch(DAY, now=NOW) as bill:
        paid, back = list(bill.rows())
        assert list(bill.rows()) == [paid, back]
    assert (paid.kind, paid.payment_no, paid.provider_payment_no, paid.amount_fen, paid.fee_fen) == (
        BillRowKind.TRADE,
        "P1",
        "B1",
        5000,
        5,
    )
    assert paid.at == datetime(2026, 11, 21, 2, tzinfo=UTC)
    assert (back.kind, back.amount_fen, back.refund_no, back.provider_refund_no, back.is_done) == (
        BillRowKind.REFUND,
        -1200,
        "R1",
        "BR1",
        True,
    )


def test_columns_are_found_by_name_and_a_statement_keeps_no_fund_flow(tmp_path):
    provider = statement(
        tmp_path, "B1,P1,x,5000,20261121100000,1", head="流水号,商户单号,备注,金额（分）,时间,类型", total=5000
    )
    with provider.fetch(DAY, now=NOW) as bill:
        [row] = bill.rows()
    assert (row.payment_no, row.amount_fen, row.fee_fen, provider.funds(DAY, now=NOW)) == ("P1", 5000, 0, None)


@pytest.mark.parametrize(
    ("given", "line", "what"),
    [
        ({"first": "STATEMENT,bank_counter,ICBC320400,20261121,1,5000"}, 1, "first line"),
        ({"first": "STATEMENT,bank_debit,BOC320400,20261121,1,5000"}, 1, "first line"),
        ({"first": "STATEMENT,bank_counter,BOC320400,20261120,1,5000"}, 1, "first line"),
        ({"count": 2}, 0, "count"),
        ({"total": 5001}, 0, "total"),
        ({"head": HEAD.replace("流水号,", "", 1)}, 2, "流水号"),
        ({"rows": [PAID.replace("1,", "3,", 1)]}, 3, "类型"),
        ({"rows": [PAID.replace("5000", "-5000")]}, 3, "金额"),
        ({"rows": [PAID.replace("5000", "50.00")]}, 3, "金额"),
        ({"rows": [PAID.replace("20261121100000", "2026-11-21")]}, 3, "时间"),
        ({"rows": [PAID + ",1"]}, 3, "not as many"),
        ({"rows": [PAID.replace("P1", "")]}, 3, "商户单号"),
    ],
)
def test_a_damaged_statement_is_refused_whole(tmp_path, given, line, what):
    given = {"total": 5000, **given}
    with (
        statement(tmp_path, *given.pop("rows", [PAID]), **given).fetch(DAY, now=NOW) as bill,
        pytest.raises(BillDamaged, match=what) as refused,
    ):
        list(bill.rows())
    assert refused.value.line == line


def test_a_day_without_a_file_is_not_ready_and_another_file_than_the_flag_names_is_damaged(tmp_path):
    provider = statement(tmp_path, PAID, total=5000)
    (tmp_path / "S_BOC320400_20261121.csv.ok").write_text("1|0")
    with pytest.raises(BillDamaged, match="flag"):
        provider.fetch(DAY, now=NOW)
    with pytest.raises(BillNotReady):
        provider.fetch(date(2026, 11, 22), now=NOW)
