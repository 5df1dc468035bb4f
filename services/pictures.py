"""Photographs of papers: a stranger's bytes become a plain JPEG of ours, or a refusal. Pure.

What is kept is drawn anew from the pixels alone, so that nothing hidden in the file comes along: no place and no camera (EXIF), no
second format behind the first, no script in a comment.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from PIL import Image, ImageFilter, ImageStat
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from services.document_errors import PictureDamaged, PictureNotAccepted, PictureTooLarge

MOST_BYTES: Final = 8 * 1024 * 1024
MOST_PIXELS: Final = 40_000_000
"""Two and a half times what a phone's ordinary camera takes; decoded, some 120 MB."""
LONGEST_SIDE: Final = 2600
"""An A4 page at 220 dots an inch: what is printed on it can be read."""
QUALITY: Final = 85
MEDIA_TYPE: Final = "image/jpeg"
JPEG: Final = b"\xff\xd8\xff"
PNG: Final = b"\x89PNG\r\n\x1a\n"
SHORTEST_SIDE: Final = 480
"""Below this, the eighteen digits of an ID card run into each other."""
DARKEST: Final = 45
"""Mean brightness of 255."""
SOFTEST: Final = 3.5
"""Standard deviation of the edges, of 255: a printed page has 10 to 30, the same page out of focus below 3."""
LOOKED_AT_SIDE: Final = 1000
ORIENTATION: Final = 0x0112
"""The EXIF tag; its values 2 to 8 say how the phone was held."""
UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
BROKEN: Final = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error)
"""What Pillow's readers raise over broken files, each in its own way."""
EDGES: Final = ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=1, offset=128)


class PictureFault(StrEnum):
    """What a person may want to mend. Nobody is refused for it: some papers are dark and some phones are old."""

    TOO_SMALL = "TOO_SMALL"
    TOO_DARK = "TOO_DARK"
    BLURRED = "BLURRED"


ADVICE: Final = {
    PictureFault.TOO_SMALL: "照片太小，文字可能看不清，请靠近一些、拍满整个证件。",
    PictureFault.TOO_DARK: "照片太暗，请到光线充足的地方重拍。",
    PictureFault.BLURRED: "照片有些模糊，请拿稳手机、对焦后重拍。",
}
"""What to do about it, in words for the person."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture as it is kept."""

    content: bytes
    width: int
    height: int
    faults: tuple[PictureFault, ...]
    media_type: str = MEDIA_TYPE

    def __repr__(self) -> str:
        return f"Picture({self.width}×{self.height}, {len(self.content)} bytes)"


def read_picture(raw: bytes) -> Picture:
    """Draw a photograph anew. What it is, is read from its bytes; nobody's word is asked.

    Raises PictureNotAccepted (neither JPEG nor PNG, or it moves), PictureTooLarge (in bytes, or in the pixels that its header
    promises, before one of them is read), PictureDamaged.
    """
    if len(raw) > MOST_BYTES:
        raise PictureTooLarge
    with _opened(raw) as given:
        if getattr(given, "is_animated", False):
            raise PictureNotAccepted
        width, height = given.size
        if width * height > MOST_PIXELS:
            raise PictureTooLarge
        plain = _drawn(given)
    faults = tuple(_faults(plain, shortest_side=min(width, height)))
    kept = io.BytesIO()
    plain.save(kept, "JPEG", quality=QUALITY)
    return Picture(content=kept.getvalue(), width=plain.width, height=plain.height, faults=faults)


def _opened(raw: bytes) -> JpegImageFile | PngImageFile:
    """The header, by the one reader that its first bytes name: no other format is tried, and no pixel read."""
    reader: type[JpegImageFile | PngImageFile]
    if raw.startswith(JPEG):
        # Phones put a depth map or a second exposure behind the picture (MPO, Ultra HDR); this reader sees the first alone.
        reader = JpegImageFile
    elif raw.startswith(PNG):
        reader = PngImageFile
    else:
        raise PictureNotAccepted
    try:
        return reader(io.BytesIO(raw))
    except BROKEN:
        raise PictureDamaged from None


def _drawn(given: Image.Image) -> Image.Image:
    """The pixels, upright, on white, no longer than we keep; and nothing else of the file."""
    try:
        # A JPEG is read at a half or a quarter where that is enough: a quarter or a sixteenth of the memory.
        given.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        given.load()
        turn = UPRIGHT.get(_orientation(given))
        pixels = _with_known_depth(given)
        pixels.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BICUBIC)
        if turn is not None:
            pixels = pixels.transpose(turn)
        plain = Image.new("RGB", pixels.size, "white")
        if pixels.mode == "RGBA":
            plain.paste(pixels, mask=pixels.getchannel("A"))
        else:
            plain.paste(pixels)
    except BROKEN:
        raise PictureDamaged from None
    return plain


def _with_known_depth(given: Image.Image) -> Image.Image:
    """As RGB or RGBA with eight bits a channel, whatever the file had."""
    if given.mode.startswith("I"):
        # Sixteen bits of grey: the upper eight.
        return given.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    return given.convert("RGBA" if given.has_transparency_data else "RGB")


def _orientation(given: Image.Image) -> int:
    """How the phone was held; 1 (upright) where the file does not say, or says it in a broken way."""
    try:
        said = given.getexif().get(ORIENTATION, 1)
    except (*BROKEN, Warning):
        return 1
    return said if isinstance(said, int) else 1


def _faults(plain: Image.Image, *, shortest_side: int) -> list[PictureFault]:
    grey = plain.convert("L")
    grey.thumbnail((LOOKED_AT_SIDE, LOOKED_AT_SIDE), Image.Resampling.BOX)
    found = []
    if shortest_side < SHORTEST_SIDE:
        found.append(PictureFault.TOO_SMALL)
    if ImageStat.Stat(grey).mean[0] < DARKEST:
        found.append(PictureFault.TOO_DARK)
    elif ImageStat.Stat(_edges(grey)).stddev[0] < SOFTEST:
        # Of a dark picture nobody can tell.
        found.append(PictureFault.BLURRED)
    return found


def _edges(grey: Image.Image) -> Image.Image:
    # The filter copies the outermost pixels as they are, which would count as edges.
    return grey.filter(EDGES).crop((1, 1, max(2, grey.width - 1), max(2, grey.height - 1)))
