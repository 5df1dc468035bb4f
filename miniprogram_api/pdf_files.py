"""PDF as an answer: `wx.downloadFile` and its like fetch it with the token in a header, and nobody on the way keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from flask import Response

if TYPE_CHECKING:
    from services.printouts import PrintedPdf

PDF: Final = "application/pdf"
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
}


def pdf_answer(made: PrintedPdf, *, name: str) -> Response:
    """The file, to be kept under `name` and its serial, or under its own title by whoever understands that."""
    return Response(made.content, mimetype=PDF, headers={**HEADERS, "Content-Disposition": _named(made, name)})


def _named(made: PrintedPdf, name: str) -> str:
    """RFC 6266: a name in ASCII, and the real one for whoever understands it. Pure."""
    real = quote(f"{made.title}-{made.serial}.pdf", safe="")
    return f"attachment; filename=\"{name}-{made.serial}.pdf\"; filename*=UTF-8''{real}"
