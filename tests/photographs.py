"""Photographs for tests, drawn here: of nobody's papers, and of what strangers send in the place of one."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from typing import Any

from PIL import Image, ImageDraw, ImageFilter, ImageFont

CAMERA = "CANARY-CAMERA"
GPS = {1: "N", 2: (31.0, 48.0, 36.0), 3: "E", 4: (119.0, 58.0, 12.0)}
"""31°48'36" N, 119°58'12" E."""


@cache
def page(width: int = 1600, height: int = 1000, *, blur: float = 0, brightness: float = 1.0) -> Image.Image:
    """A printed page, as a phone sees it."""
    image = Image.new("RGB", (width, height), (225, 222, 214))
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(max(10, height // 36))
    for line in range(14):
        pen.text(
            (width // 20, height // 20 + line * height // 16), f"line {line} of a page of text, 0123456789", (40, 40, 50), font
        )
    if blur:
        image = image.filter(ImageFilter.GaussianBlur(blur))
    return image if brightness == 1.0 else image.point(lambda value: int(value * brightness))


def as_bytes(image: Image.Image, form: str = "JPEG", **how: Any) -> bytes:
    written = io.BytesIO()
    image.save(written, form, **how)
    return written.getvalue()


def photograph(*, seed: int = 0, form: str = "JPEG", **how: Any) -> bytes:
    """A good photograph; every seed another one."""
    image = page().copy()
    ImageDraw.Draw(image).rectangle((1200, 800, 1200 + seed % 300, 850), (20, 60 + seed % 100, 90))
    return as_bytes(image, form, **how)


def with_place(*, orientation: int = 1) -> bytes:
    """A photograph that says where it was taken, with which camera, how the phone was held; with a colour profile and a comment."""
    from PIL import ImageCms

    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = CAMERA, orientation
    exif.get_ifd(0x8825).update(GPS)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return as_bytes(page(), exif=exif, icc_profile=profile, comment=b"CANARY-COMMENT")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def png_that_promises(width: int, height: int, *, packed: bytes = b"") -> bytes:
    """A PNG whose header speaks of so many pixels, and whose body is what is given."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return png(header, chunk(b"IDAT", packed or zlib.compress(b"")), chunk(b"IEND", b""))


def bomb() -> bytes:
    """30 KB that unpack to 30 MB of one row: the header is honest about 2,000 by 5,000."""
    return png_that_promises(2_000, 5_000, packed=zlib.compress(bytes((2_000 * 3 + 1) * 5_000), 9))


def bomb_in_a_text() -> bytes:
    """A PNG with a compressed text that unpacks to 100 MB."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100_000_000), 9))
    return png(header, text, chunk(b"IDAT", zlib.compress(bytes(25 * 8))), chunk(b"IEND", b""))


def jpeg_that_promises(width: int, height: int) -> bytes:
    """A small JPEG whose frame header was altered to so many pixels."""
    raw = bytearray(as_bytes(page(64, 64)))
    at = raw.index(b"\xff\xc0")
    raw[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(raw)


def animation(form: str) -> bytes:
    frames = [page(200, 120), page(200, 120, brightness=0.5)]
    return as_bytes(frames[0], form, save_all=True, append_images=frames[1:], duration=100)


def apng() -> bytes:
    return animation("PNG")


def two_in_one() -> bytes:
    """A multi-picture JPEG, as phones make of portraits."""
    frames = [page(), page(400, 250)]
    return as_bytes(frames[0], "MPO", save_all=True, append_images=frames[1:])


NOT_PICTURES = {
    "nothing": b"",
    "a GIF": as_bytes(page(200, 120), "GIF"),
    "a GIF that moves": animation("GIF"),
    "a WebP": as_bytes(page(200, 120), "WEBP"),
    "a BMP": as_bytes(page(200, 120), "BMP"),
    "a TIFF": as_bytes(page(200, 120), "TIFF"),
    "a PDF": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer<<>>\n%%EOF",
    "an SVG": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "a page of HTML": b"<!doctype html><script>alert(1)</script>",
    "a ZIP": b"PK\x03\x04" + bytes(60),
    "a program": b"\x7fELF" + bytes(60),
    "a PostScript file": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "a picture behind a page": b"<html>" + as_bytes(page(200, 120)),
}
"""Each of them may be called .jpg, and come with the type image/jpeg."""
