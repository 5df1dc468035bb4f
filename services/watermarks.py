"""Watermarks: who looks, when, and what for, across the whole picture, so that a photograph of the screen tells on its maker. Pure."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from services.pictures import QUALITY

SAID: Final = "仅供社保业务使用"
SAID_IN_LATIN: Final = "SOCIAL INSURANCE USE ONLY"
"""Where this machine has no font with Chinese characters: boxes would tell nobody anything."""
USUAL_FONTS: Final = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/opentype/noto/NotoSerifCJK-Bold.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/System/Library/Fonts/STHeiti Medium.ttc",
    "/System/Library/Fonts/PingFang.ttc",
)
"""Where Linux and macOS keep a Chinese font; the first that is there is taken."""
SMALLEST_LETTERS: Final = 14
LETTERS_A_SIDE: Final = 46
"""The letters are so many times smaller than the longer side."""
STEP: Final = 0.9
"""From one mark to the next, of its own box: turned letters leave the corners of the box free."""
ANGLE: Final = 24
FAINT: Final = 88
"""How much of 255 the mark covers: the paper under it stays readable."""


class FontFault(Exception):
    """The font file cannot write the watermark; the sentence says what to mend."""


def check_font(path: Path) -> Path:
    """The font that somebody named. Raises FontFault where it cannot be read, or has no Chinese characters."""
    try:
        has_them = _writes_chinese(ImageFont.truetype(str(path), SMALLEST_LETTERS))
    except OSError:
        raise FontFault(f"{path}: cannot be read as a font") from None
    if not has_them:
        raise FontFault(f"{path}: has no Chinese characters; name one that has, such as {USUAL_FONTS[0]}")
    return path


@cache
def usual_font() -> Path | None:
    """A font of this machine with Chinese characters; None where there is none."""
    for name in USUAL_FONTS:
        path = Path(name)
        if path.exists():
            try:
                return check_font(path)
            except FontFault:
                continue
    return None


def words_of(*, viewer: str, moment: str, font_file: Path | None) -> str:
    """What the mark says: what the picture may be used for, who looks, and when."""
    return f"{SAID if font_file else SAID_IN_LATIN}  {viewer}  {moment}"


def watermark(content: bytes, *, viewer: str, moment: str, font_file: Path | None = None) -> bytes:
    """The same picture with the mark across it, as JPEG. `viewer` in Latin letters and digits, whatever font is there."""
    with Image.open(io.BytesIO(content), formats=("JPEG",)) as given:
        picture = given.convert("RGB")
    size = max(SMALLEST_LETTERS, max(picture.size) // LETTERS_A_SIDE)
    light, dark = _mark(words_of(viewer=viewer, moment=moment, font_file=font_file), _font(font_file, size), size=size)
    across, down = max(1, int(light.width * STEP)), max(1, int(light.height * STEP))
    for row, top in enumerate(range(-light.height // 2, picture.height, down)):
        # Every second row begins half a step to the left, so that no strip of the paper is without the mark.
        for left in range(-(row % 2) * across // 2 - across // 4, picture.width, across):
            # Light within dark: it is seen on black as well as on white.
            picture.paste((0, 0, 0), (left, top), dark)
            picture.paste((255, 255, 255), (left, top), light)
    shown = io.BytesIO()
    picture.save(shown, "JPEG", quality=QUALITY)
    return shown.getvalue()


def _mark(words: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, *, size: int) -> tuple[Image.Image, Image.Image]:
    """One mark, turned, as two masks: the letters and their outline."""
    left, top, right, bottom = font.getbbox(words)
    edge = max(1, size // 12)
    box = (int(right - left) + 4 * edge, int(bottom - top) + 4 * edge)
    masks = []
    for stroke in (0, edge):
        mask = Image.new("L", box)
        at = (2 * edge - left, 2 * edge - top)
        ImageDraw.Draw(mask).text(at, words, fill=FAINT, font=font, stroke_width=stroke, stroke_fill=FAINT)
        masks.append(mask.rotate(ANGLE, expand=True, resample=Image.Resampling.BILINEAR))
    return masks[0], masks[1]


@cache
def _font(font_file: Path | None, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size) if font_file is None else ImageFont.truetype(str(font_file), size)


def _writes_chinese(font: ImageFont.FreeTypeFont) -> bool:
    # A character that no font has is drawn as the box for what is missing; 参 must look otherwise.
    missing = bytes(font.getmask("\U0010fffe"))
    return all(bytes(font.getmask(each)) != missing for each in SAID)
