# ruff: noqa: INP001 - a script beside the pages whose pictures it makes, not a package
"""Make the READMEs' pictures anew: `python docs/screenshots.py`, where Chromium is. They are taken by the tests, from the real pages.

The tutorial's story gives the phone and the world beside it, the desk's stories give the console. Each becomes a small PNG in docs/images.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
IMAGES = DOCS / "images"
MOST_BYTES: Final = 150_000
STORIES: Final = (
    "tests/browser/test_tutorial_in_chromium.py",
    "tests/browser/test_desk_in_chromium.py",
    "tests/browser/test_money_in_chromium.py",
)
TAKEN: Final = {
    "phone.png": ("tutorial-确认支付.png", (0, 80, 422, 884)),
    "world.png": ("tutorial-账实相符.png", (0, 0, 1280, 900)),
    "desk.png": ("desk-home-light-desk.png", (0, 0, 1280, 1300)),
    "reconciliation.png": ("money-light-reconciliation.png", (0, 0, 1280, 900)),
}
"""Our name → the picture that a story keeps under TEST_SCREENSHOTS, and which part of it: left, top, right, bottom."""


def part(picture: Path, box: tuple[int, int, int, int]) -> Image.Image:
    """The part within the box, as far as the picture reaches."""
    with Image.open(picture) as opened:
        shown = opened.convert("RGB")
    return shown.crop((*box[:2], min(box[2], shown.width), min(box[3], shown.height)))


def write(shown: Image.Image, file: Path) -> int:
    """The number of bytes, no more than MOST_BYTES."""
    for colours in (128, 64, 32, 16):
        shown.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(file, optimize=True)
        if (size := file.stat().st_size) <= MOST_BYTES:
            return size
    raise SystemExit(f"{file.name} has {size} bytes in 16 colours; a README's picture has {MOST_BYTES} at most")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        told = subprocess.run(  # noqa: S603 - our own tests
            [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", *STORIES],
            cwd=ROOT, env={**os.environ, "TEST_SCREENSHOTS": folder}, check=False,
        )  # fmt: skip
        if told.returncode:
            return told.returncode
        missing = [source for source, _ in TAKEN.values() if not (Path(folder) / source).exists()]
        if missing:
            raise SystemExit(f"no story kept {', '.join(missing)}; is Chromium on this machine?")
        IMAGES.mkdir(exist_ok=True)
        for name, (source, box) in TAKEN.items():
            size = write(part(Path(folder) / source, box), IMAGES / name)
            sys.stdout.write(f"{name}: {size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
