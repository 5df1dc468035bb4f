"""A printed form as PDF, made in memory: A4, Chinese, with its serial across it and a code to ask whether it is ours. Pure.

The font is STSong-Light of Adobe's GB1 collection. It is named and not embedded: every reader that can show Chinese has its own in
its place. Which characters it has is said by Adobe's CMap UniGB-UCS2-H, supplement 4: those of GBK and of CJK Extension A, but for a
few. Any other one is printed as its code point, 〔U+20BB7〕, and a note tells to write it by hand: a name is never left as a box.
"""

from __future__ import annotations

import io
import unicodedata
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

import segno
from reportlab.lib.colors import Color, black
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from services.form_layout import (
    BAND_LEADING,
    LEADING,
    LEFT,
    MM,
    PADDING,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    SIZE,
    WIDTH,
    Block,
    Box,
    broken,
    lay_out,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

FONT: Final = "STSong-Light"
EXTENSION_A: Final = range(0x3400, 0x4DB6)
IN_GBK_BYTES: Final = 2
LACKED: Final = frozenset(
    map(chr, (0x144, 0x148, 0x251, 0x261, 0xF979, 0xF995, 0xF9E7, 0xF9F1, 0xFA0C, *range(0xFE31, 0xFE45)))
)
"""In GBK, and not in the CMap."""
DRAWN_AS: Final = {"·": "・"}
"""The dot inside Uyghur and other names: the CMap has GB's dot under U+30FB alone, and U+00B7 would be a box."""
TITLE_SIZE: Final = 18.0
SMALL: Final = 8.5
SMALL_LEADING: Final = 12.5
MARK_SIZE: Final = 11.0
MARK_ANGLE: Final = 28
MARK_LEADING: Final = 27 * MM
MARK_GAP: Final = 12 * MM
MARK: Final = Color(0.88, 0.88, 0.88)
LABEL_GROUND: Final = Color(0.955, 0.955, 0.955)
RED: Final = Color(0.78, 0.08, 0.08)
STAMP_SIZE: Final = 17.0
STAMP_ANGLE: Final = 9
LINE: Final = Color(0.25, 0.25, 0.25)
HAIR: Final = 0.5
FRAME: Final = 1.2
CODE_SIDE: Final = 27 * MM
FOOT_TOP: Final = 256 * MM
BY_HAND: Final = "〔U+…〕处为字库没有的字，请本人用黑色笔填写原字。"


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """All that is printed."""

    title: str
    subtitle: str | None
    """Under the title, in small letters."""
    serial_label: str
    serial: str
    reference: str
    """Opposite the serial: the number of what it is about."""
    mark: str
    """Across the page, with serial and moment."""
    version: int
    issued_at: str
    """In Beijing time, as people read it."""
    code: str
    """In groups, as it may be typed."""
    verify_at: str
    """The address where a code may be typed."""
    url: str
    """What the QR code holds."""
    notes: tuple[str, ...]
    """In the foot: the first one behind version and moment, each other one in a line of its own."""
    blocks: tuple[Block, ...]
    warning: str | None = None
    """Under the title, in a frame: what nobody may overlook."""
    stamp: str | None = None
    """Large, red and slanted across the upper right, such as that it is void."""


def draw(sheet: Sheet) -> bytes:
    """The PDF. The same sheet is the same bytes."""
    _register()
    blocks = [_writable(block) for block in sheet.blocks]
    pages = lay_out(blocks, measure)
    made = io.BytesIO()
    canvas = Canvas(
        made, pagesize=(PAGE_WIDTH, PAGE_HEIGHT), pageCompression=1, invariant=1, lang="zh-CN", initialFontName=FONT
    )
    canvas.setTitle(writable(sheet.title))
    canvas.setSubject(sheet.serial)
    canvas.setAuthor("canbao")
    canvas.setCreator("canbao")
    for number, page in enumerate(pages, start=1):
        _mark(canvas, f"{sheet.mark}　{sheet.serial}　{sheet.issued_at}")
        _head(canvas, sheet, number=number, count=len(pages))
        for box in page.boxes:
            _box(canvas, box)
        top = min(box.top for box in page.boxes)
        _rectangle(canvas, LEFT, top, WIDTH, page.bottom - top, line=FRAME)
        _foot(canvas, sheet, by_hand=lacks_any(sheet))
        canvas.showPage()
    canvas.save()
    return made.getvalue()


def can_write(character: str) -> bool:
    """Whether the font has it. GBK's own private area is nobody's."""
    if ord(character) in EXTENSION_A or character in DRAWN_AS or character in DRAWN_AS.values():
        return True
    if character in LACKED or not character.isprintable() or unicodedata.category(character) == "Co":
        return False
    return len(character.encode("gb18030", "replace")) <= IN_GBK_BYTES


def writable(text: str) -> str:
    """The text with the code point in the place of each character that the font lacks; a line end stays."""
    return "".join(DRAWN_AS.get(each, each) if each == "\n" or can_write(each) else f"〔U+{ord(each):04X}〕" for each in text)


def lacks_any(sheet: Sheet) -> bool:
    """Whether something has to be written by hand."""
    return any(
        each != "\n" and not can_write(each)
        for block in sheet.blocks
        for row in block.rows
        for cell in row.cells
        for each in cell.text
    )


def measure(text: str, size: float) -> float:
    """Width in points."""
    _register()
    return float(pdfmetrics.stringWidth(text, FONT, size))


@cache
def _register() -> None:
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))


def _writable(block: Block) -> Block:
    rows = tuple(replace(row, cells=tuple(replace(cell, text=writable(cell.text)) for cell in row.cells)) for row in block.rows)
    return replace(block, title=writable(block.title), rows=rows)


def _text(canvas: Canvas, left: float, top: float, text: str, *, size: float = SIZE) -> None:
    """A line whose baseline lies so far below the upper edge of the page."""
    canvas.setFont(FONT, size)
    canvas.drawString(left, PAGE_HEIGHT - top, text)


def _centred(canvas: Canvas, middle: float, top: float, text: str, *, size: float = SIZE) -> None:
    _text(canvas, middle - measure(text, size) / 2, top, text, size=size)


def _right(canvas: Canvas, right: float, top: float, text: str, *, size: float = SIZE) -> None:
    _text(canvas, right - measure(text, size), top, text, size=size)


def _rectangle(canvas: Canvas, left: float, top: float, width: float, height: float, *, line: float) -> None:
    canvas.setStrokeColor(LINE)
    canvas.setLineWidth(line)
    canvas.rect(left, PAGE_HEIGHT - top - height, width, height, stroke=1, fill=0)


def _mark(canvas: Canvas, words: str) -> None:
    """Serial and moment across the whole page, under everything else, in slanted lines of which every second one begins later."""
    across = measure(words, MARK_SIZE) + MARK_GAP
    reach = (PAGE_WIDTH + PAGE_HEIGHT) / 2
    canvas.saveState()
    canvas.setFillColor(MARK)
    canvas.setFont(FONT, MARK_SIZE)
    canvas.translate(PAGE_WIDTH / 2, PAGE_HEIGHT / 2)
    canvas.rotate(MARK_ANGLE)
    for line in range(-int(reach / MARK_LEADING), int(reach / MARK_LEADING) + 1):
        left = -across * (2 + line % 2 / 2)
        while left < reach:
            canvas.drawString(left, line * MARK_LEADING, words)
            left += across
    canvas.restoreState()


def _head(canvas: Canvas, sheet: Sheet, *, number: int, count: int) -> None:
    canvas.setFillColor(black)
    page = f"第{number}页，共{count}页"
    if number > 1:
        _text(canvas, LEFT, 17 * MM, f"{writable(sheet.title)}（续）", size=SIZE)
        _right(canvas, LEFT + WIDTH, 17 * MM, f"{sheet.serial_label}：{sheet.serial}　{page}", size=SMALL)
        return
    _centred(canvas, PAGE_WIDTH / 2, 24 * MM, writable(sheet.title), size=TITLE_SIZE)
    if sheet.subtitle is not None:
        _centred(canvas, PAGE_WIDTH / 2, 29.5 * MM, sheet.subtitle, size=SMALL)
    if sheet.warning is not None:
        width = measure(sheet.warning, SIZE) + 4 * PADDING
        _rectangle(canvas, (PAGE_WIDTH - width) / 2, 26.5 * MM, width, 6 * MM, line=FRAME)
        _centred(canvas, PAGE_WIDTH / 2, 30.8 * MM, sheet.warning, size=SIZE)
    if sheet.stamp is not None:
        _stamp(canvas, sheet.stamp)
    _text(canvas, LEFT, 36 * MM, f"{sheet.serial_label}：{sheet.serial}", size=SMALL)
    _right(canvas, LEFT + WIDTH, 36 * MM, f"{sheet.reference}　{page}", size=SMALL)


def _stamp(canvas: Canvas, words: str) -> None:
    """Beside the title, where nothing else is printed: no seal of any office, whose shape is theirs alone."""
    width = measure(words, STAMP_SIZE) + 4 * PADDING
    canvas.saveState()
    canvas.translate(LEFT + WIDTH - width / 2 - PADDING, PAGE_HEIGHT - 22 * MM)
    canvas.rotate(STAMP_ANGLE)
    canvas.setStrokeColor(RED)
    canvas.setFillColor(RED)
    canvas.setLineWidth(FRAME)
    canvas.rect(-width / 2, -STAMP_SIZE * 0.8, width, STAMP_SIZE * 1.6, stroke=1, fill=0)
    canvas.setFont(FONT, STAMP_SIZE)
    canvas.drawString(-width / 2 + 2 * PADDING, -STAMP_SIZE * 0.35, words)
    canvas.restoreState()


def _box(canvas: Canvas, box: Box) -> None:
    if box.is_label:
        canvas.setFillColor(LABEL_GROUND)
        canvas.rect(box.left, PAGE_HEIGHT - box.top - box.height, box.width, box.height, stroke=0, fill=1)
    _rectangle(canvas, box.left, box.top, box.width, box.height, line=HAIR)
    canvas.setFillColor(black)
    leading = BAND_LEADING if box.is_label and box.is_centred else LEADING
    # A foot needs the lower part for itself: what stands above it begins at the top.
    used = len(box.lines) * leading
    top = box.top + (PADDING if box.foot is not None else (box.height - used) / 2) + leading * 0.78
    for line in box.lines:
        if box.is_centred:
            _centred(canvas, box.left + box.width / 2, top, line)
        elif box.is_right:
            _right(canvas, box.left + box.width - PADDING, top, line)
        else:
            _text(canvas, box.left + PADDING, top, line)
        top += leading
    if box.foot is not None:
        _right(canvas, box.left + box.width - 2 * PADDING, box.top + box.height - 2 * PADDING, box.foot)


def _foot(canvas: Canvas, sheet: Sheet, *, by_hand: bool) -> None:
    canvas.setFillColor(black)
    _code(canvas, sheet.url, left=LEFT, top=FOOT_TOP)
    left, top, width = LEFT + CODE_SIDE + 4 * MM, FOOT_TOP + 4 * MM, WIDTH - CODE_SIDE - 4 * MM
    said = [
        f"核验真伪：扫描左侧二维码，或打开 {sheet.verify_at} 输入验真码。",
        f"验真码：{sheet.code}",
        f"第{sheet.version}版，生成时间：{sheet.issued_at}（北京时间）。{sheet.notes[0]}",
        *sheet.notes[1:],
        *([BY_HAND] if by_hand else []),
    ]
    for text in said:
        for line in broken(text, width, measure, size=SMALL):
            _text(canvas, left, top, line, size=SMALL)
            top += SMALL_LEADING


def _code(canvas: Canvas, url: str, *, left: float, top: float) -> None:
    """The QR code as squares, a row's neighbours drawn as one."""
    rows: Sequence[Sequence[int]] = [list(row) for row in segno.make(url, error="m", micro=False).matrix]
    side = CODE_SIDE / len(rows)
    canvas.setFillColor(black)
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            end = x
            while end < len(row) and row[end]:
                end += 1
            if end > x:
                at = PAGE_HEIGHT - top - (y + 1) * side
                canvas.rect(left + x * side, at, (end - x) * side, side, stroke=0, fill=1)
            x = end + 1
