"""Bank files at the byte: what we write the bank reads, what is damaged is refused whole with its line, and two writings of one format agree."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.bank_files import AskedLine, BankFileDamaged, BankResult, BatchKey, DebitLine
from providers.banks.columns import LAYOUTS, FileKind, Shape
from providers.banks.debits import BankFiles
from providers.banks.money import BankMoney, OrderedByFile
from providers.banks.records import Unwritable, check_flag, flag_of, read_file, write_file
from providers.banks.transport import FolderPair
from providers.protocols import BadSignature, NewsKind, ProviderRefused, ProviderUnreachable, RefundOrder
from sandbox import bank_files as banks_own
from tests.together import at_once

UNIT, CONTRACT = "320400003", "DK320400003"
KEY = BatchKey(run_day=date(2026, 11, 25), number=7)
NAME = "320400003_20261125_0007"
# The second byte of each of these is the one of `|`, of `\` or of `~`.
TRAPS = "韡䒛侊乗誠"
LINE = DebitLine(
    seq=1,
    account_number="6222021001110000016",
    name="张三丰",
    id_number="320402199001010011",
    amount_fen=99040,
    agreement_no="BOC-2026-0001",
    payment_no="ABCDEFGHIJKLMNOPQRSTUVWX",
)
both = pytest.mark.parametrize("layout", sorted(LAYOUTS))


def link(folder, layout="delimited", **more: Any) -> BankFiles:
    given = {"unit": UNIT, "contract": CONTRACT, "authority": "tax-320400", "bank": "ICBC", **more}
    return BankFiles(transport=FolderPair(folder), layout=LAYOUTS[layout], **given)


def head(layout, lines, **changes):
    good = LAYOUTS[layout].codes
    ok = [line for line in lines if good.get(line["code"]) is BankResult.SUCCESS]
    return {
        "unit": UNIT,
        "contract": CONTRACT,
        "batch": 7,
        "date": "20261125",
        "part": 1,
        "count": len(lines),
        "total_fen": sum(line["amount_fen"] for line in lines),
        "ok_count": len(ok),
        "ok_total_fen": sum(line["amount_fen"] for line in ok),
        **changes,
    }


def result(layout, seq=1, *, result="success", **changes):
    success = result == "success"
    return {
        "seq": seq,
        "amount_fen": 99040,
        "code": banks_own.CODES[layout][result],
        "reason": "" if success else "余额不足",
        "serial": f"B{seq:019}" if success else "",
        "booked_on": "20261125" if success else "",
        "memo": LINE.payment_no,
        **changes,
    }


def lands(folder, content, *, name=f"{NAME}_ret01.txt", flag=None):
    """A file of the bank arrives, with its own flag unless another is given."""
    (folder / "in").mkdir(exist_ok=True)
    (folder / "in" / name).write_bytes(content)
    (folder / "in" / f"{name}.ok").write_bytes(flag_of(content, algorithm="SHA256") if flag is None else flag)
    return name


# --- what we write


@both
def test_the_bank_reads_what_we_wrote_by_its_own_reading(tmp_path, layout):
    lines = [LINE, replace(LINE, seq=2, name=f"买买提·{TRAPS}", amount_fen=1)]

    link(tmp_path, layout).send(KEY, lines)

    told, details = banks_own.read(layout, "req", tmp_path / "out" / f"{NAME}_req.txt")
    assert {**told, "count": int(told["count"])} | {"total_fen": 0} == {
        "unit": UNIT, "contract": CONTRACT, "batch": told["batch"], "date": "20261125", "count": 2, "total_fen": 0,
    }  # fmt: skip
    assert int(told["batch"]) == 7
    assert [each["name"] for each in details] == ["张三丰", f"买买提·{TRAPS}"]
    assert [each["account"] for each in details] == [LINE.account_number] * 2
    assert [int(each["amount_fen"]) for each in details] == [99040, 1]


def test_the_delimited_file_is_these_bytes(tmp_path):
    link(tmp_path).send(KEY, [LINE])

    assert (tmp_path / "out" / f"{NAME}_req.txt").read_bytes() == (
        "H|320400003|DK320400003|7|20261125|1|99040\r\n"
        "D|1|6222021001110000016|张三丰|01|320402199001010011|99040|BOC-2026-0001|ABCDEFGHIJKLMNOPQRSTUVWX\r\n"
    ).encode("gb18030")


def test_the_fixed_file_counts_bytes_and_not_letters(tmp_path):
    link(tmp_path, "fixed").send(KEY, [LINE])

    first, second, rest = (tmp_path / "out" / f"{NAME}_req.txt").read_bytes().split(b"\r\n")
    assert first == b"H202611250007320400003 DK320400003     000001000000000099040"
    assert len(second) == 1 + 6 + 12 + 32 + 120 + 2 + 20 + 32 + 40
    assert second[51:58] == "张三丰 ".encode("gb18030")
    assert rest == b""


@both
def test_nobody_but_the_owner_sees_into_the_folder_and_the_flag_comes_last(tmp_path, layout):
    link(tmp_path, layout, flag_algorithm="SM3").send(KEY, [LINE])

    out = tmp_path / "out"
    content = (out / f"{NAME}_req.txt").read_bytes()
    assert sorted(path.name for path in out.iterdir()) == [f"{NAME}_req.txt", f"{NAME}_req.txt.ok"]
    assert (out / f"{NAME}_req.txt").stat().st_mode & 0o77 == 0
    assert out.stat().st_mode & 0o77 == 0
    check_flag((out / f"{NAME}_req.txt.ok").read_bytes(), content)
    assert b"|SM3|" in (out / f"{NAME}_req.txt.ok").read_bytes()


def test_the_same_batch_again_is_the_same_bytes(tmp_path):
    bank = link(tmp_path)
    bank.send(KEY, [LINE])
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    bank.send(KEY, [LINE])

    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_an_inquiry_names_batch_and_lines_and_no_person(tmp_path):
    link(tmp_path).ask(KEY, [AskedLine(seq=3, amount_fen=5, payment_no="PAYNO")], inquiry=2)

    assert (tmp_path / "out" / f"{NAME}_ask02.txt").read_bytes() == (
        b"H|320400003|DK320400003|7|20261125|1|5\r\nD|3|5|PAYNO\r\n"
    )


@both
def test_what_does_not_fit_its_column_is_known_before_anything_is_written(tmp_path, layout):
    bank = link(tmp_path, layout)

    assert bank.faults_of(LINE) is None
    assert bank.faults_of(replace(LINE, name="张\n三")) == "name"
    assert bank.faults_of(replace(LINE, name="买" * 61)) == "name"
    assert bank.faults_of(replace(LINE, account_number="")) == "account"
    assert bank.faults_of(replace(LINE, name="\ud800")) == "name"


def test_the_delimiter_in_a_name_is_refused_and_not_a_column_more(tmp_path):
    assert link(tmp_path).faults_of(replace(LINE, name="张|三")) == "name"


def test_a_line_tells_nothing_of_its_person_in_a_log():
    assert repr(LINE) == "DebitLine(1)"


def test_our_copies_leave_with_their_batch_and_others_stay(tmp_path):
    bank = link(tmp_path)
    bank.send(KEY, [LINE])
    bank.ask(KEY, [AskedLine(seq=1, amount_fen=5, payment_no="P")], inquiry=1)
    other = BatchKey(run_day=KEY.run_day, number=8)
    bank.send(other, [LINE])

    assert bank.is_waiting(KEY)
    bank.take_back(KEY)

    assert not bank.is_waiting(KEY)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "320400003_20261125_0008_req.txt", "320400003_20261125_0008_req.txt.ok",
    ]  # fmt: skip
    assert bank.sweep(before=date(2026, 11, 25)) == 0
    assert bank.sweep(before=date(2026, 11, 26)) == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_half_a_file_that_a_killed_writer_left_goes_too(tmp_path):
    (tmp_path / "out").mkdir(parents=True)
    for half in (f"{NAME}_req.txt.0123abcd.tmp", f"{NAME}_ask01.txt.ok.0123abcd.tmp"):
        (tmp_path / "out" / half).write_bytes(b"D|1|6222")

    assert link(tmp_path).sweep(before=date(2026, 12, 1)) == 2
    assert list((tmp_path / "out").iterdir()) == []


def test_two_who_write_the_same_file_at_once_leave_it_whole(tmp_path):
    bank = link(tmp_path)
    at_once(*[lambda: bank.send(KEY, [LINE])] * 4)

    content = (tmp_path / "out" / f"{NAME}_req.txt").read_bytes()
    check_flag((tmp_path / "out" / f"{NAME}_req.txt.ok").read_bytes(), content)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{NAME}_req.txt", f"{NAME}_req.txt.ok"]


def test_a_file_beyond_all_measure_is_refused_and_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("providers.banks.transport.MOST_BYTES", 100)
    monkeypatch.setattr("providers.banks.records.MOST_BYTES", 100)
    content = b"H" * 200 + b"\r\n"

    name = lands(tmp_path, content, flag=flag_of(content[:101], algorithm="SHA256"))

    assert len(FolderPair(tmp_path).fetch(name)[0]) == 101
    with pytest.raises(BankFileDamaged, match="too long"):
        link(tmp_path).read(name)


def test_a_name_that_is_not_even_text_is_nobodys_result(tmp_path):
    (tmp_path / "in").mkdir(parents=True)
    for name in (b"\xff\xfe.txt", b"\xff\xfe.txt.ok"):
        (tmp_path / "in" / os.fsdecode(name)).write_bytes(b"x")

    assert link(tmp_path).arrived() == []


# --- what we read


@both
def test_a_result_file_is_read_line_by_line(tmp_path, layout):
    lines = [result(layout), result(layout, 2, result="insufficient"), result(layout, 3, result="timeout")]
    name = lands(tmp_path, banks_own.compose(layout, "ret", head(layout, lines), lines))
    bank = link(tmp_path, layout)

    assert bank.arrived() == [name]
    file = bank.read(name)

    assert (file.batch, file.part, file.digest) == (KEY, 1, bank.digest(name))
    assert [(each.seq, each.result, each.bank_serial, each.booked_on) for each in file.lines] == [
        (1, BankResult.SUCCESS, "B0000000000000000001", date(2026, 11, 25)),
        (2, BankResult.INSUFFICIENT_FUNDS, None, None),
        (3, BankResult.BANK_TIMEOUT, None, None),
    ]
    assert [each.line for each in file.lines] == [2, 3, 4]
    bank.put_away(name)
    assert bank.arrived() == []


@both
def test_every_code_of_the_bank_has_a_word_of_ours_and_a_strange_one_has_none(tmp_path, layout):
    lines = [result(layout, at, result=code) for at, code in enumerate(banks_own.CODES[layout], 1)]
    lines.append({**result(layout, 99, result="frozen"), "code": "X7"})
    name = lands(tmp_path, banks_own.compose(layout, "ret", head(layout, lines), lines))

    found = link(tmp_path, layout).read(name).lines

    assert {each.result for each in found} == {*BankResult, None}


def test_a_file_without_its_flag_has_not_arrived(tmp_path):
    (tmp_path / "in").mkdir(parents=True)
    (tmp_path / "in" / f"{NAME}_ret01.txt").write_bytes(b"H|")

    assert link(tmp_path).arrived() == []
    with pytest.raises(ProviderUnreachable):
        link(tmp_path).read(f"{NAME}_ret01.txt")


def test_a_damaged_file_is_refused_whole_and_says_where(tmp_path):
    """Each damage, and the line that is blamed."""
    lines = [result("delimited"), result("delimited", 2, result="insufficient")]
    good = banks_own.compose("delimited", "ret", head("delimited", lines), lines)

    def told(**changes):
        return banks_own.compose("delimited", "ret", head("delimited", lines, **changes), lines)

    damages = {
        "ends inside a line": (good[:-2], 3),
        "half a line end": (good.replace(b"\r\nD|2", b"\nD|2"), 2),
        "is not GB18030": (good.replace(b"D|2", b"\xff\xff|2"), 3),
        "another number of columns": (good.replace(b"D|2|", b"D|2||"), 3),
        "is no D line": (good.replace(b"D|2|", b"X|2|"), 3),
        "is no H line": (good.replace(b"H|", b"T|", 1), 1),
        "amount_fen": (good.replace(b"D|2|99040", b"D|2|990.4"), 3),
        "booked_on": (good.replace(b"20261125|ABC", b"20261325|ABC"), 2),
        "a success without serial or booking date": (good.replace(b"|B0000000000000000001|", b"||"), 2),
        "count is not what the lines say": (told(count=3), 1),
        "total_fen is not what the lines say": (told(total_fen=1), 1),
        "ok_count is not what the lines say": (told(ok_count=2), 1),
        "ok_total_fen is not what the lines say": (told(ok_total_fen=2), 1),
        "another unit or contract": (told(unit="999999999"), 1),
        "another batch than its name says": (told(batch=8), 1),
    }
    for what, (content, line) in damages.items():
        name = lands(tmp_path, content)
        with pytest.raises(BankFileDamaged) as refused:
            link(tmp_path).read(name)
        assert (refused.value.what, refused.value.line) == (what, line)


def test_a_fixed_line_that_is_a_byte_short_or_cut_through_a_character_is_refused(tmp_path):
    lines = [result("fixed", result="insufficient")]
    good = banks_own.compose("fixed", "ret", head("fixed", lines), lines)
    short = good.replace("余额不足 ".encode("gb18030"), "余额不足".encode("gb18030"))
    cut = good.replace(b" " + "余额".encode("gb18030")[:1], "余额".encode("gb18030")[:1] + b" ")

    for content, what in ((short, "another length"), (cut, "booked_on")):
        with pytest.raises(BankFileDamaged) as refused:
            link(tmp_path, "fixed").read(lands(tmp_path, content))
        assert (refused.value.what, refused.value.line) == (what, 2)


def test_a_flag_that_does_not_agree_refuses_the_file(tmp_path):
    lines = [result("delimited")]
    content = banks_own.compose("delimited", "ret", head("delimited", lines), lines)
    flags = {
        "flag: is not size, lines and digest": b"ok",
        "flag: another size": flag_of(content + b" ", algorithm="SHA256"),
        "flag: another number of lines": flag_of(content, algorithm="SM3").replace(b"|2|", b"|3|"),
        "flag: another digest": flag_of(content.replace(b"99040", b"99041"), algorithm="SM3"),
    }
    for what, flag in flags.items():
        with pytest.raises(BankFileDamaged, match=what):
            link(tmp_path).read(lands(tmp_path, content, flag=flag))


def test_a_name_that_is_not_a_results_is_refused(tmp_path):
    for name in (f"{NAME}_req.txt", "readme.txt", f"{NAME}_ret1.txt"):
        with pytest.raises(BankFileDamaged, match="its name"):
            link(tmp_path).read(lands(tmp_path, b"H\r\n", name=name))


LETTERS = st.one_of(
    st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF),
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="|"),
    st.sampled_from(f"·● 　€\ue000𠮷𬌗㐂{TRAPS}"),
)
WORDS = {
    Shape.TEXT: st.text(LETTERS, max_size=30).map(str.strip),
    Shape.CODE: st.from_regex(r"[0-9A-Za-z]{1,8}", fullmatch=True),
    Shape.MAYBE_CODE: st.from_regex(r"[0-9A-Za-z]{0,8}", fullmatch=True),
    Shape.NUMBER: st.integers(0, 99).map(str),
    Shape.DAY: st.dates(date(1900, 1, 1)).map(lambda day: f"{day:%Y%m%d}"),
    Shape.MAYBE_DAY: st.one_of(st.just(""), st.dates(date(1900, 1, 1)).map(lambda day: f"{day:%Y%m%d}")),
}  # fmt: skip


@both
@pytest.mark.parametrize("kind", list(FileKind))
@given(data=st.data())
@settings(max_examples=25)
def test_whatever_is_written_is_read_back_the_same(layout, kind, data):
    columns = LAYOUTS[layout]

    def values(of):
        made = {column.name: data.draw(WORDS[column.shape])[: column.width] for column in of}
        return {name: text if len(text.encode("gb18030")) <= len(text) * 2 < 30 else "甲" for name, text in made.items()} | {
            column.name: made[column.name] for column in of if column.shape is not Shape.TEXT
        }

    told = values(columns.heads[kind])
    lines = [values(columns.details[kind]) for _ in range(data.draw(st.integers(0, 3)))]

    content = write_file(columns, kind, told, lines)
    first, rest = read_file(columns, kind, content)

    def plain(found):
        return {name: str(int(text)) if name in banks_own.NUMBERS else text for name, text in found.items()}

    assert plain(first.values) == plain(told)
    assert [plain(each.values) for each in rest] == [plain(each) for each in lines]


def test_a_value_that_is_not_of_its_columns_shape_is_never_written():
    layout = LAYOUTS["delimited"]
    good = {"unit": UNIT, "contract": CONTRACT, "batch": 7, "date": "20261125", "count": 0, "total_fen": 0}
    for column, value in (("batch", -1), ("date", "20260230"), ("unit", "3204 0"), ("contract", ""), ("count", 10**7)):
        with pytest.raises(Unwritable, match=column):
            write_file(layout, FileKind.REQUEST, {**good, column: value}, [])


# --- money that goes back

ORDER = RefundOrder(
    refund_no="R" * 24,
    payment_no=LINE.payment_no,
    provider_payment_no="B0000000000000000001",
    refund_fen=99040,
    total_fen=99040,
    reason="社保费重复缴费退款",
    ordered_at=datetime(2026, 11, 26, 2, 0, tzinfo=UTC),
)


def money(folder, layout="delimited") -> BankMoney:
    return BankMoney(transport=FolderPair(folder), layout=LAYOUTS[layout], unit=UNIT, contract=CONTRACT)


def answer(folder, layout, result, **changes):
    success = result == "success"
    detail = {
        "seq": 1,
        "amount_fen": 99040,
        "code": banks_own.CODES[layout].get(result, "zz"),
        "reason": "",
        "serial": "R1" if success else "",
        "booked_on": "20261126" if success else "",
        "memo": LINE.payment_no,
        **changes,
    }
    told = {"unit": UNIT, "contract": CONTRACT, "refund_no": ORDER.refund_no, "count": 1, "total_fen": detail["amount_fen"]}
    lands(folder, banks_own.compose(layout, "paid", told, [detail]), name=f"{UNIT}_{ORDER.refund_no}_paid.txt")


@both
def test_a_refund_is_a_file_of_one_line_and_the_same_again_is_the_same(tmp_path, layout):
    assert money(tmp_path, layout).ask_refund(ORDER).kind == NewsKind.NOT_FOUND
    assert money(tmp_path, layout).refund(ORDER).kind == NewsKind.REFUND_PENDING
    before = (tmp_path / "out" / f"{UNIT}_{ORDER.refund_no}_pay.txt").read_bytes()
    assert money(tmp_path, layout).refund(ORDER).kind == NewsKind.REFUND_PENDING
    assert (tmp_path / "out" / f"{UNIT}_{ORDER.refund_no}_pay.txt").read_bytes() == before

    told, details = banks_own.read(layout, "pay", tmp_path / "out" / f"{UNIT}_{ORDER.refund_no}_pay.txt")

    assert (told["refund_no"], details[0]["paid_serial"], int(details[0]["amount_fen"])) == (
        ORDER.refund_no,
        "B0000000000000000001",
        99040,
    )


@both
@pytest.mark.parametrize(
    ("result", "kind"),
    [
        ("success", NewsKind.REFUNDED),
        ("frozen", NewsKind.REFUND_ABNORMAL),
        ("timeout", NewsKind.REFUND_PENDING),
        ("a strange one", NewsKind.REFUND_PENDING),
        ("system_error", NewsKind.REFUND_FAILED),
    ],
)
def test_what_the_bank_answers_about_a_refund_is_told_in_the_houses_words(tmp_path, layout, result, kind):
    answer(tmp_path, layout, result)

    news = money(tmp_path, layout).ask_refund(ORDER)

    assert (news.kind, news.refund_no, news.refund_fen, news.payment_no) == (kind, ORDER.refund_no, 99040, LINE.payment_no)
    assert (news.provider_refund_no == "R1") == (kind == NewsKind.REFUNDED)


def test_an_answer_for_another_payment_or_amount_says_nothing_about_this_one(tmp_path):
    for changes in ({"memo": "SOMEBODYELSES"}, {"amount_fen": 1}, {"serial": ""}):
        answer(tmp_path, "delimited", "success", **changes)
        with pytest.raises(ProviderUnreachable):
            money(tmp_path).ask_refund(ORDER)


def test_a_refund_that_cannot_be_written_is_refused_for_good(tmp_path):
    with pytest.raises(ProviderRefused) as refused:
        money(tmp_path).refund(replace(ORDER, provider_payment_no="-"))

    assert (refused.value.code, refused.value.permanent) == ("UNWRITABLE_PAID_SERIAL", True)


def test_what_belongs_to_phones_is_refused_as_a_mistake_of_ours(tmp_path):
    bank = money(tmp_path)
    for call in (lambda: bank.ask("P"), lambda: bank.close("P"), lambda: bank.open_payment(b"")):
        with pytest.raises(OrderedByFile):
            call()
    with pytest.raises(BadSignature):
        bank.open_notice({}, b"", now=None)
    assert bank.launch("h", now=None) == {}
