"""Where things stand on a printed form, and which characters can be printed: worked by hand."""

from __future__ import annotations

import pytest

from services.form_drawing import Sheet, can_write, draw, lacks_any, measure, writable
from services.form_layout import (
    BAND,
    BOTTOM,
    GRID,
    LEADING,
    LEFT,
    PADDING,
    ROW,
    SIZE,
    TOP,
    TOP_AGAIN,
    WIDTH,
    Block,
    Cell,
    RowSpec,
    broken,
    lay_out,
)


def square(text: str, size: float) -> float:
    """Every Chinese character a square, every other one half of it."""
    return sum(size if ord(each) > 0x2000 else size / 2 for each in text)


def rows(*texts: str, least: float = ROW) -> tuple[RowSpec, ...]:
    return tuple(RowSpec(cells=(Cell(text=text, share=1.0),), least=least) for text in texts)


@pytest.mark.parametrize(
    ("text", "characters", "lines"),
    [
        ("", 4, ("",)),
        ("参保登记", 4, ("参保登记",)),
        ("参保登记表", 4, ("参保登记", "表")),
        ("参保登记，好", 4, ("参保登", "记，好")),
        ("参保登记）。好", 4, ("参保登", "记）。好")),
        ("一\n二三", 4, ("一", "二三")),
        ("共ABCDEF个", 4, ("共ABCDEF", "个")),
        ("共有ABCDEF个", 4, ("共有", "ABCDEF个")),
        ("A" * 10, 4, ("AAAAAAAA", "AA")),
        ("姓名 张三", 4, ("姓名 张", "三")),
        ("参保登记 A", 4, ("参保登记", "A")),
        ("，，，，，", 4, ("，，，", "，，")),
    ],
)
def test_lines_break_where_a_printer_would_break_them(text, characters, lines):
    assert broken(text, characters * SIZE, square) == lines


@pytest.mark.parametrize("text", ["参保，登记；表（一）。" * 30, "A1b2-" * 90, "某" * 500, "二〇二六 Nov 22，" * 40])
@pytest.mark.parametrize("width", [SIZE, 3 * SIZE, 7.5 * SIZE, 40 * SIZE])
def test_no_line_is_wider_than_its_cell_and_no_character_is_lost(text, width):
    lines = broken(text, width, square)

    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    # One character always stands, however narrow the cell, and a comma may hang on the one before it.
    assert all(square(line, SIZE) <= max(width, 3 * SIZE) for line in lines)


def test_boxes_fill_the_grid_without_gap_or_overlap():
    cells = tuple(Cell(text=text, share=share) for text, share in (("险种", 0.5), ("档次", 0.3), ("状态", 0.2)))
    (page,) = lay_out([Block(title="险种", rows=(RowSpec(cells=cells), RowSpec(cells=cells)))], square)

    *boxes, band = page.boxes
    assert [round(box.left, 3) for box in boxes[:3]] == [round(LEFT + BAND + share * GRID, 3) for share in (0, 0.5, 0.8)]
    assert boxes[2].left + boxes[2].width == pytest.approx(LEFT + WIDTH)
    assert [box.top for box in boxes] == [TOP] * 3 + [TOP + boxes[0].height] * 3
    assert (band.left, band.top, band.width) == (LEFT, TOP, BAND)
    assert band.height == pytest.approx(boxes[0].height + boxes[3].height)
    assert page.bottom == pytest.approx(TOP + band.height)


def test_a_row_is_as_high_as_its_longest_cell():
    text = "某" * 100
    (page,) = lay_out([Block(title="址", rows=rows(text))], square)

    lines = len(broken(text, GRID - 2 * PADDING, square))
    assert page.boxes[0].height == pytest.approx(lines * LEADING + 2 * PADDING)
    assert lines > 1


@pytest.mark.parametrize(("title", "least", "lines"), [("声明", ROW, ("声明",)), ("本人声明", ROW, ("本人", "声明")),
                                                       ("基本信息", 80, ("基", "本", "信", "息"))])  # fmt: skip
def test_a_title_stands_upright_where_there_is_room_and_makes_room_where_there_is_none(title, least, lines):
    (page,) = lay_out([Block(title=title, rows=rows("好", least=least))], square)

    band = page.boxes[-1]
    assert band.lines == lines
    assert band.height >= len(lines) * 13


def test_what_does_not_fit_goes_on_on_the_next_page_with_its_title_again():
    pages = lay_out([Block(title="长", rows=rows(*["某"] * 60))], square)

    assert len(pages) == 3
    for page in pages:
        assert page.bottom <= BOTTOM + 0.001
        assert page.boxes[-1].lines == ("长",)
    assert min(box.top for box in pages[1].boxes) == TOP_AGAIN
    assert sum(len(page.boxes) - 1 for page in pages) == 60


def test_a_row_higher_than_a_page_stands_alone_and_ends_nothing():
    pages = lay_out([Block(title="长", rows=rows("某" * 3000, "末"))], square)

    assert sum(len(page.boxes) - 1 for page in pages) == 2


@pytest.mark.parametrize(
    "text",
    ["张三", "玛依努尔·阿不都热依木", "㐀䶮", "褚喆璟", "Ａb1-", "（）《》〔〕、。，；：", "—…￥", "扎西・顿珠"],
)
def test_what_names_and_addresses_usually_hold_can_be_written(text):
    assert all(can_write(each) for each in text)


@pytest.mark.parametrize(
    ("character", "printed"),
    [
        ("𠮷", "〔U+20BB7〕"),  # Extension B
        ("鿫", "〔U+9FEB〕"),  # later than GB18030-2000
        ("ئ", "〔U+0626〕"),  # Uyghur letters
        ("བ", "〔U+0F56〕"),  # Tibetan letters
        ("ń", "〔U+0144〕"),  # in GBK, and not in the CMap
        ("\u202e", "〔U+202E〕"),  # would turn a line around
        ("\u200b", "〔U+200B〕"),
        ("\ue000", "〔U+E000〕"),  # private
        ("\x07", "〔U+0007〕"),
        ("😀", "〔U+1F600〕"),
        ("\ud800", "〔U+D800〕"),
    ],
)
def test_what_the_font_lacks_is_printed_as_its_code_point_and_never_as_a_box(character, printed):
    assert not can_write(character)
    assert writable(f"王{character}") == f"王{printed}"


def test_the_dot_is_drawn_by_the_code_under_which_the_font_has_it():
    assert writable("买买提·艾力") == "买买提・艾力"
    assert not lacks_any(a_sheet("买买提·艾力\n好"))
    assert lacks_any(a_sheet("王𠮷"))


def a_sheet(text: str = "张三") -> Sheet:
    return Sheet(
        title="登记表", subtitle=None, serial_label="表单编号", serial="320400-20261122-0000000000", reference="办件编号：" + "A" * 24,
        mark="仅用于社保参保登记", notes=("本表内容以核验结果为准。",), version=1,
        issued_at="2026-11-22 10:00", code="0000-" * 6 + "0000", verify_at="https://example.gov.cn/verify",
        url="https://example.gov.cn/verify/" + "0" * 28, blocks=(Block(title="人", rows=rows(text)),),
    )  # fmt: skip


def test_the_same_sheet_is_the_same_bytes_and_another_one_is_not():
    assert draw(a_sheet()) == draw(a_sheet())
    assert draw(a_sheet()) != draw(a_sheet("李四"))
    assert b"Helvetica" not in draw(a_sheet())


def test_hundreds_of_rows_are_drawn_in_reasonable_time_and_size():
    many = Block(title="长", rows=rows(*[f"某{number}" for number in range(600)]))
    sheet = a_sheet()

    made = draw(Sheet(**{**sheet.__dict__, "blocks": (many,)}))

    assert made.count(b"/Type /Page\n") == 24 or made.count(b"/Type /Page") > 20
    assert len(made) < 600_000


def test_widths_are_those_of_the_font():
    assert measure("张三", 10) == pytest.approx(20)
    assert 8 < measure("ab", 10) < 11
