"""Where things stand on a printed form: blocks of cells become pages of boxes with broken lines. Pure, and knows no PDF.

Lengths are points (1/72 inch), counted from the upper left corner of a page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

MM: Final = 72 / 25.4
PAGE_WIDTH: Final = 210 * MM
PAGE_HEIGHT: Final = 297 * MM
LEFT: Final = 18 * MM
WIDTH: Final = PAGE_WIDTH - 2 * LEFT
TOP: Final = 38 * MM
"""Below the head; the head stands on every page."""
TOP_AGAIN: Final = 22 * MM
"""On every page after the first, whose head is one line."""
BOTTOM: Final = 252 * MM
"""Above the foot with its code."""
BAND: Final = 9 * MM
BAND_COLUMNS: Final = 2
BAND_LEADING: Final = 13.0
GRID: Final = WIDTH - BAND
LABEL: Final = 28 * MM
SIZE: Final = 10.5
"""五号, as offices print."""
LEADING: Final = 15.0
PADDING: Final = 2.2 * MM
ROW: Final = 8.5 * MM
NOT_FIRST: Final = frozenset("，。、；：！？）》」』”’％〕】·")
"""What never begins a line."""
WORD: Final = re.compile(r"[!-~]+|.", re.DOTALL)

Measure = Callable[[str, float], float]
"""Width of a text in points, at a size."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What stands in one cell of a row, before anybody knows how high it is."""

    text: str
    share: float
    """Of the grid's width."""
    is_label: bool = False
    is_centred: bool = False
    is_right: bool = False
    """Ends at the right side, as amounts do."""
    foot: str | None = None
    """In the lower right corner, such as a place for the day."""


@dataclass(frozen=True, kw_only=True)
class RowSpec:
    cells: tuple[Cell, ...]
    least: float = ROW


@dataclass(frozen=True, kw_only=True)
class Block:
    """A section with its title down the left side."""

    title: str
    rows: tuple[RowSpec, ...]


@dataclass(frozen=True, kw_only=True)
class Box:
    """One rectangle with its lines."""

    left: float
    top: float
    width: float
    height: float
    lines: tuple[str, ...]
    is_label: bool = False
    is_centred: bool = False
    is_right: bool = False
    foot: str | None = None


@dataclass(kw_only=True)
class Page:
    boxes: list[Box] = field(default_factory=list)

    @property
    def bottom(self) -> float:
        """Where the last box ends."""
        return max((box.top + box.height for box in self.boxes), default=TOP)


def words_of(blocks: Sequence[Block]) -> list[Any]:
    """All that is printed in them, and not how wide."""
    return [[block.title, [[(cell.text, cell.foot) for cell in row.cells] for row in block.rows]] for block in blocks]


def broken(text: str, width: float, measure: Measure, *, size: float = SIZE) -> tuple[str, ...]:
    """Lines no wider than that. Latin words and numbers stay whole where they fit on a line; no line begins with a comma."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for token in _tokens(paragraph, width, measure, size=size):
            if not line or measure(line + token, size) <= width:
                line += token
            elif token in NOT_FIRST and len(line) > 1:
                # It takes the character before it along.
                lines.append(line[:-1])
                line = line[-1] + token
            else:
                lines.append(line)
                line = token.lstrip()
        lines.append(line)
    return tuple(lines)


def _tokens(paragraph: str, width: float, measure: Measure, *, size: float) -> Iterator[str]:
    for word in WORD.findall(paragraph):
        if measure(word, size) <= width:
            yield word
        else:
            yield from word


def lay_out(blocks: Sequence[Block], measure: Measure) -> list[Page]:
    """Blocks on pages, row by row; a row never parts, and a block that goes on has its title again on the next page."""
    pages = [Page()]
    top = TOP
    for block in blocks:
        band_top = top
        for row, height in zip(block.rows, _heights(block, measure), strict=True):
            if top + height > BOTTOM and pages[-1].boxes:
                _close_band(pages[-1], block, band_top, top)
                pages.append(Page())
                top = band_top = TOP_AGAIN
            left = LEFT + BAND
            for cell in row.cells:
                width = cell.share * GRID
                pages[-1].boxes.append(_box(cell, measure, left=left, top=top, width=width, height=height))
                left += width
            top += height
        _close_band(pages[-1], block, band_top, top)
    return pages


def _heights(block: Block, measure: Measure) -> list[float]:
    """Of each row; the last one makes room for the title where the others are too low for it."""
    heights = [max(row.least, _lines_of(row, measure) * LEADING + 2 * PADDING) for row in block.rows]
    band = -(-len(block.title) // BAND_COLUMNS) * BAND_LEADING + PADDING
    heights[-1] += max(0.0, band - sum(heights))
    return heights


def _lines_of(row: RowSpec, measure: Measure) -> int:
    return max(len(broken(cell.text, cell.share * GRID - 2 * PADDING, measure)) for cell in row.cells)


def _box(cell: Cell, measure: Measure, *, left: float, top: float, width: float, height: float) -> Box:
    return Box(
        left=left,
        top=top,
        width=width,
        height=height,
        lines=broken(cell.text, width - 2 * PADDING, measure),
        is_label=cell.is_label,
        is_centred=cell.is_centred,
        is_right=cell.is_right,
        foot=cell.foot,
    )


def _close_band(page: Page, block: Block, top: float, bottom: float) -> None:
    """The title down the left side, a character to a line; two to a line where it is low."""
    height = bottom - top
    if height <= 0:
        return
    fits = int((height - PADDING) // BAND_LEADING)
    across = 1 if len(block.title) <= fits else BAND_COLUMNS
    lines = tuple(block.title[at : at + across] for at in range(0, len(block.title), across))
    page.boxes.append(Box(left=LEFT, top=top, width=BAND, height=height, lines=lines, is_label=True, is_centred=True))
