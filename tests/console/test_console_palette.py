"""The colours of the console: every text that stands on a ground is read by people who see badly, by day and by night."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import console

SHEET = (Path(console.__file__).parent / "static" / "style.css").read_text(encoding="utf-8")
DARK_BEGINS = SHEET.index("@media (prefers-color-scheme: dark)")
COLOUR = re.compile(r"--([a-z-]+): (#[0-9a-f]{3,6})")
TEXT, SHAPE = 4.5, 3.0
"""WCAG 2.2, 1.4.3 and 1.4.11."""
TEXTS = [
    (ink, ground)
    for ground in ("paper", "wash")
    for ink in ("ink", "quiet", "lead", "bad", "good", "soon")
] + [("on-lead", "lead"), ("bad", "bad-wash"), ("good", "good-wash"), ("ink", "bad-wash"), ("ink", "good-wash")]  # fmt: skip
SHAPES = [("line", "paper"), ("line", "wash"), ("lead", "paper")] + [(f"part-{each}", "wash") for each in "abcde"]
"""Edges of fields and buttons, and the parts of charts."""


def palettes() -> dict[str, dict[str, str]]:
    root = SHEET[: SHEET.index("}")]
    night = SHEET[DARK_BEGINS : SHEET.index("}", DARK_BEGINS)]
    day = dict(COLOUR.findall(root))
    return {"by day": day, "by night": {**day, **dict(COLOUR.findall(night))}}


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * each for each in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, two: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(two)))
    return (lighter + 0.05) / (darker + 0.05)


def test_black_on_white_is_twenty_one_to_one():
    assert round(contrast("#000", "#ffffff"), 2) == 21.0
    assert round(contrast("#767676", "#fff"), 2) == 4.54


@pytest.mark.parametrize("light", palettes())
@pytest.mark.parametrize(("ink", "ground"), TEXTS)
def test_every_text_is_read_on_its_ground(light, ink, ground):
    palette = palettes()[light]

    assert contrast(palette[ink], palette[ground]) >= TEXT


@pytest.mark.parametrize("light", palettes())
@pytest.mark.parametrize(("shape", "ground"), SHAPES)
def test_every_edge_is_seen(light, shape, ground):
    palette = palettes()[light]

    assert contrast(palette[shape], palette[ground]) >= SHAPE


def test_no_colour_stands_outside_the_palette():
    """Or nobody would have asked whether it is read."""
    outside = re.sub(r"@media print.*", "", SHEET[SHEET.index("* { box-sizing") :], flags=re.DOTALL)

    assert set(re.findall(r"#[0-9a-f]{3,6}\b", outside)) <= {"#000", "#fff"}
