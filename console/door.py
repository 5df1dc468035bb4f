"""Puts the pages on an application, and says what is true of every request and every answer of this door."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, Final

import structlog
from flask import Response, g, request
from jinja2 import StrictUndefined
from werkzeug.exceptions import NotFound

from console import (
    audit,
    counter,
    counter_orders,
    counter_slips,
    counter_words,
    debits,
    errors,
    explain,
    home,
    inbox,
    journal,
    people,
    reconciliation,
    refunds,
    reviews,
    search,
    signing_in,
    staff,
    words,
)
from console.pages import BUSINESS, NAVIGATION, blueprint, form_token, is_production, navigation_of, ports, set_cookie
from services.staff import scope_name
from services.staff_sessions import IDLE_AFTER

if TYPE_CHECKING:
    from flask import Flask

NOUNS: Final = (
    signing_in,
    home,
    search,
    people,
    reviews,
    counter,
    counter_orders,
    counter_slips,
    inbox,
    refunds,
    debits,
    reconciliation,
    journal,
    explain,
    staff,
    audit,
)
"""Imported for the pages that they declare; in the order of the head."""
NAVIGATION.sort(key=lambda entry: [noun.__name__ for noun in NOUNS].index(entry.noun))
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'none'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers would then say "Origin: null" of our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
STATIC_FOR_SECONDS: Final = 3600
LEAVE_AFTER_SECONDS: Final = int(IDLE_AFTER.total_seconds()) + 5


def install(app: Flask) -> None:
    app.url_map.merge_slashes = False
    app.jinja_env.undefined = StrictUndefined
    app.register_blueprint(blueprint)


@blueprint.before_request
def begin_request() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = g.get("request_id") or (given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id, path=request.url_rule.rule if request.url_rule else "-")


@blueprint.after_request
def finish_request(response: Response) -> Response:
    response.headers.update(HEADERS)
    response.headers["X-Request-ID"] = g.get("request_id", "-")
    is_static = request.endpoint == "console.static" and response.status_code == 200  # noqa: PLR2004 - there it is
    response.headers["Cache-Control"] = f"public, max-age={STATIC_FOR_SECONDS}" if is_static else "no-store"
    if is_production():
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    if "staff" in g and response.mimetype == "text/html":
        # A screen that was left alone shows nobody's affairs for longer than the session lives.
        response.headers["Refresh"] = f"{LEAVE_AFTER_SECONDS}; url=/console/sign-in?ended=1"
    if "new_visit" in g:
        set_cookie(response, "visit", g.new_visit)
    return response


@blueprint.context_processor
def of_every_page() -> dict[str, Any]:
    staff_here = g.get("staff")
    return {
        "form_token": form_token,
        "staff": staff_here,
        "navigation": navigation_of(staff_here.roles) if staff_here else [],
        "may_search": staff_here is not None and not BUSINESS.isdisjoint(staff_here.roles),
        "request_id": g.get("request_id", "-"),
        "words": words,
        "counter_words": counter_words,
        "site_name": lambda code: counter_words.site_name(ports().rulebook, code),
        "scope_name": lambda scope: scope_name(ports(), scope),
        "refusal": None,
        "section": f"console.{g.get('section', '')}",
    }


@blueprint.route("/", methods=["POST", "PUT", "PATCH", "DELETE"])
@blueprint.route("/<path:_rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def nowhere(_rest: str = "") -> Response:
    """Whatever no page has, in this door's own dialect."""
    return errors.http(NotFound())
