"""Puts the public pages on an application, and says what is true of each of their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jinja2 import StrictUndefined

from public_pages import printouts

if TYPE_CHECKING:
    from flask import Flask, Response

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # The code stands in the address, and is nobody's whom a link leads to.
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def install(app: Flask) -> None:
    app.jinja_env.undefined = StrictUndefined
    app.register_blueprint(printouts.blueprint)


@printouts.blueprint.after_request
def finish_request(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response
