"""Small charts, reckoned here and drawn as SVG by the templates: shapes alone, coloured by classes of the style sheet. Pure.

Every figure stands beside them as a table, so a chart needs no text of its own but its title and what it shows in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 1000
GAP: Final = 4
HEIGHT: Final = 100
LEAST: Final = 8
"""What is more than nothing is seen."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A rectangle, in thousandths of the chart's width and hundredths of its height."""

    x: int
    width: int
    y: int = 0
    height: int = HEIGHT
    kind: str = ""
    """The class that colours it, behind `part-`."""


def bar(parts: Sequence[tuple[str, int]], *, whole: int) -> list[Block]:
    """Parts side by side, as wide as their share of `whole`, which is the longest bar of the chart."""
    blocks, x = [], 0
    for kind, amount in parts:
        if amount > 0 and whole > 0:
            width = max(LEAST, round(amount * WIDTH / whole))
            blocks.append(Block(x=x, width=max(LEAST, width - GAP), kind=kind))
            x += width
    return _fitted(blocks)


def _fitted(blocks: list[Block]) -> list[Block]:
    """Parts too small to be seen were drawn wider: where the bar is too long by that, all of it is drawn narrower."""
    end = max((each.x + each.width for each in blocks), default=0)
    if end <= WIDTH:
        return blocks
    return [Block(x=each.x * WIDTH // end, width=max(1, each.width * WIDTH // end), kind=each.kind) for each in blocks]


def columns(amounts: Sequence[int], *, kind: str) -> list[Block]:
    """One column each, as high as its share of the highest."""
    highest, step = max(amounts, default=0), WIDTH // max(1, len(amounts))
    return [
        Block(x=at * step + GAP, width=step - 2 * GAP, y=HEIGHT - height, height=height, kind=kind)
        for at, amount in enumerate(amounts)
        if amount > 0 and (height := max(LEAST // 2, round(amount * HEIGHT / highest)))
    ]
