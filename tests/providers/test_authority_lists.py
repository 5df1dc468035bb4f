"""The authorities' files: read by the names of their columns, and refused whole with the line."""

from __future__ import annotations

import contextlib
import hashlib
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.authorities.lists import ListKind, open_list
from providers.authorities.tax_office import TaxOffice
from providers.bills import BillDamaged, BillNotReady
from providers.protocols import BadSignature, ProviderRefused, RefundOrder
from sandbox.authorities import Line, file_of, put

A_LINE = Line(
    receipt_no="320400261121000001", id_number="32040219900101001X", insurance_type="110", coverage_month=202611, kind="1",
    amount_fen=158400, channel="微信", payment_no="", on="20261121",
)  # fmt: skip
HEAD = "电子税票号码,证件号码,险种,费款所属期,缴费类型,金额(分),入库日期"
GOOD = "320400261121000001,32040219900101001X,110,202611,1,158400,20261121"


def written(folder, content: bytes, name="TAX_tax-320400_20261121.csv"):
    put(folder, name, content)
    return folder / name


def text_of(*lines, first="TAX,tax-320400,20261121,{count},{total}", head=HEAD, total=None):
    count = len(lines)
    total = 158400 * count if total is None else total
    return "\r\n".join([first.format(count=count, total=total), head, *lines, ""]).encode("gb18030")


def rows(path, kind=ListKind.TAX):
    with open_list(path, kind=kind) as opened:
        return list(opened.rows())


def test_a_line_comes_in_the_houses_words_and_shows_nobody(tmp_path):
    with open_list(written(tmp_path, file_of("TAX", "tax-320400", "20261121", [A_LINE])), kind=ListKind.TAX) as opened:
        assert (opened.head.authority, opened.head.day, opened.head.lines, opened.head.total_fen) == (
            "tax-320400",
            date(2026, 11, 21),
            1,
            158400,
        )
        [row], [again] = list(opened.rows()), list(opened.rows())
    assert row == again
    assert (row.line, row.receipt_no, row.id_number, row.kind, row.amount_fen) == (
        3,
        "320400261121000001",
        "32040219900101001X",
        "NORMAL",
        158400,
    )
    assert (row.on, row.at.utcoffset(), row.payment_no) == (date(2026, 11, 21), timedelta(hours=8), None)
    assert repr(row) == "ListLine(line=3)"


def test_columns_are_found_by_name_in_any_order_and_more_of_them_do_no_harm(tmp_path):
    head = "备注,入库日期,金额（分）,缴费类型,费款所属期,险种,证件号码,支付单号,电子税票号码"
    line = '"张三，父亲,代缴",20261121,158400,2,202611,110,32040219900101001x,P1,320400261121000001'

    [row] = rows(written(tmp_path, text_of(line, head=head)))

    assert (row.kind, row.payment_no, row.id_number) == ("SUPPLEMENT", "P1", "32040219900101001X")


def test_a_registrars_line_says_whether_it_was_posted_and_why_not(tmp_path):
    refused = Line(**{**vars(A_LINE), "reason": "ACCOUNT_TYPE"})
    content = file_of("REGISTRAR", "tax-320400", "20261121", [A_LINE, refused])

    found = rows(written(tmp_path, content), kind=ListKind.REGISTRAR)

    assert [(row.is_posted, row.fault) for row in found] == [(True, None), (False, "ACCOUNT_TYPE")]


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"", 1, "first line"),
        (text_of(GOOD, first="TAX,tax-320400,20261121,1"), 1, "first line"),
        (text_of(GOOD, first="BANK,tax-320400,20261121,1,158400"), 1, "kind"),
        (text_of(GOOD, first="TAX,../..,20261121,1,158400"), 1, "authority"),
        (text_of(GOOD, first="TAX,tax-320400,20261131,1,158400"), 1, "day"),
        (text_of(GOOD, first="TAX,tax-320400,20261121,-1,158400"), 1, "count"),
        (text_of(GOOD, head=HEAD.replace("证件号码,", "")), 2, "证件号码"),
        (text_of(GOOD, head=HEAD.replace("险种", "证件号码")), 2, "twice"),
        (text_of(GOOD, GOOD + ",1"), 4, "not as many values"),
        (text_of(GOOD.replace("202611,1", "202613,1")), 3, "费款所属期"),
        (text_of(GOOD.replace("202611,1", "202611,3")), 3, "缴费类型"),
        (text_of(GOOD.replace("158400", "0")), 3, "金额"),
        (text_of(GOOD.replace("158400", "-1")), 3, "金额"),
        (text_of(GOOD.replace("158400", "1584.00")), 3, "金额"),
        (text_of(GOOD.replace("158400", "１")), 3, "金额"),
        (text_of(GOOD.replace("32040219900101001X", "张三")), 3, "证件号码"),
        (text_of(GOOD.replace(",20261121", ",20260230")), 3, "入库日期"),
        (text_of('"' + GOOD), 3, "CSV"),
        (text_of(GOOD).replace(b"110", b"\xff\xff1"), 3, "gb18030"),
        (text_of(GOOD, first="TAX,tax-320400,20261121,2,158400"), 0, "count"),
        (text_of(GOOD, total=158401), 0, "total"),
        (text_of(GOOD, ""), 4, "not as many values"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_whole_with_its_line(tmp_path, content, line, what):
    with pytest.raises(BillDamaged, match=what) as refused:
        rows(written(tmp_path, content))
    assert refused.value.line == line
    assert "32040219900101001X" not in str(refused.value)


def test_nothing_is_read_without_the_flag_or_with_the_flag_of_another_file(tmp_path):
    path = written(tmp_path, text_of(GOOD))
    flag = path.with_name(path.name + ".ok")
    for said in ("", "nonsense", f"{path.stat().st_size}|{'0' * 64}", f"1|{hashlib.sha256(path.read_bytes()).hexdigest()}"):
        flag.write_text(said)
        with pytest.raises(BillDamaged, match="flag"):
            open_list(path, kind=ListKind.TAX)
    flag.unlink()
    with pytest.raises(BillNotReady):
        open_list(path, kind=ListKind.TAX)


@settings(max_examples=40)
@given(content=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(text_of)))
def test_whatever_stands_in_a_file_it_is_read_or_called_damaged(tmp_path_factory, content):
    path = written(tmp_path_factory.mktemp("any"), content)
    with contextlib.suppress(BillDamaged):
        rows(path)


def test_the_tax_authoritys_own_tills_answer_nothing_and_return_nothing():
    office = TaxOffice(authority="tax-320400")
    order = RefundOrder(
        refund_no="R1",
        payment_no="P1",
        provider_payment_no="T1",
        refund_fen=1,
        total_fen=1,
        reason="x",
        ordered_at=datetime(2026, 11, 21, tzinfo=UTC),
    )
    for ask in (
        lambda: office.ask("P1"),
        lambda: office.close("P1"),
        lambda: office.refund(order),
        lambda: office.ask_refund(order),
    ):
        with pytest.raises(ProviderRefused) as refused:
            ask()
        assert refused.value.permanent
    with pytest.raises(BadSignature):
        office.open_notice({}, b"", now=None)
