"""What lies between the phone on the page and Canbao: carries requests to the public API and back, untouched.

A mini-program calls another house's API without a browser's rules; a page may not. So the page asks here, in its own house, and Canbao
needs no word about pages that are none of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests
from flask import Blueprint, Response, jsonify, request

from sandbox.control import guard

if TYPE_CHECKING:
    from sandbox.core import Core

PREFIX = "/canbao"
LARGEST_BODY = 9 * 1024 * 1024
"""A photograph of a paper, and some."""
TIMEOUT_SECONDS = 35
UP = ("Authorization", "Content-Type", "Accept", "Idempotency-Key")
DOWN = ("Content-Type", "Content-Disposition", "X-Request-ID", "Retry-After", "Idempotency-Replayed", "Cache-Control")
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def out_of_reach(core: Core, fault: Exception) -> Response:
    """As the phone's own system would say it; Canbao has heard nothing."""
    answer = jsonify(
        type="about:blank",
        status=502,
        code="NO_NETWORK",
        title="网络不通",
        detail=f"连不上参保（{core.canbao_url}）。请看看它是否在运行，然后再试一次。",
        request_id="-",
        fault=type(fault).__name__,
    )
    answer.status_code = 502
    answer.content_type = "application/problem+json"
    return answer


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("airwaves", __name__, url_prefix=PREFIX)
    door.before_request(guard)

    @door.route("/api/v1/<path:rest>", methods=METHODS, provide_automatic_options=False)
    def carry(rest: str) -> Response:
        del rest  # the path as it came: decoded and encoded again it might be another one
        wanted = str(request.environ.get("RAW_URI") or request.environ["REQUEST_URI"]).removeprefix(PREFIX)
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.request(
                    request.method,
                    core.canbao_url + wanted,
                    data=request.get_data(cache=True),
                    headers={name: request.headers[name] for name in UP if name in request.headers},
                    timeout=TIMEOUT_SECONDS,
                    allow_redirects=False,
                )
        except requests.RequestException as fault:
            return out_of_reach(core, fault)
        headers = {name: answer.headers[name] for name in DOWN if name in answer.headers}
        return Response(answer.content, status=answer.status_code, headers=headers)

    return door
