"""What a mini-program cannot say: neither wx.request nor my.request knows PATCH, so a POST may say that it is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from miniprogram_api.errors import is_ours

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

HEADER = "X-HTTP-Method-Override"
_WORD = "HTTP_X_HTTP_METHOD_OVERRIDE"


def patches_by_post(inner: WSGIApplication) -> WSGIApplication:
    """Takes `POST` with `X-HTTP-Method-Override: PATCH` for a PATCH, under our prefix; no other pair of methods is changed.

    Before Flask looks for the endpoint, so that everything behind it (schemas, refusals, logs) sees one PATCH.
    """

    def outer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST" and environ.get(_WORD) == "PATCH" and is_ours(environ.get("PATH_INFO", "")):
            environ["REQUEST_METHOD"] = "PATCH"
        return inner(environ, start_response)

    return outer
