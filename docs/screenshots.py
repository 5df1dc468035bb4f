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
    "phone.png": "tutorial-确认支付.png",
    "world.png": "tutorial-账实相符.png",
    "desk.png": "desk-home-light-desk.png",
    "reconciliation.png": "money-light-reconciliation-day.png",
}
"""Our name → the picture that a story keeps under TEST_SCREENSHOTS."""
TALLEST: Final = 900
"""Of a page as wide as 1280: what one sees without scrolling."""


def small(picture: Path) -> Image.Image:
    """What is seen without scrolling, in as few colours as its size needs."""
    with Image.open(picture) as opened:
        shown = opened.convert("RGB")
    return shown.crop((0, 0, shown.width, min(shown.height, TALLEST * shown.width // 1280)))


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
        missing = [name for name in TAKEN.values() if not (Path(folder) / name).exists()]
        if missing:
            raise SystemExit(f"no story kept {', '.join(missing)}; is Chromium on this machine?")
        IMAGES.mkdir(exist_ok=True)
        for name, source in TAKEN.items():
            size = write(small(Path(folder) / source), IMAGES / name)
            sys.stdout.write(f"{name}: {size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
