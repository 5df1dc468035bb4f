"""Puts the nouns on an application, and says what is true of every request and every answer."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

import structlog
from flask import Response, g, request

from miniprogram_api import (
    accounts,
    application_forms,
    applications,
    bills,
    consents,
    documents,
    enrollments,
    errors,
    identity,
    insured_persons,
    joint_cases,
    menu,
    messages,
    payer_blocks,
    payment_orders,
    personal_data,
    receipts,
    regions,
    registration_forms,
    retirement_outlook,
    sandbox_journal,
    sessions,
    ways_without_face,
    withholding_agreements,
)
from miniprogram_api.document import complete_document
from miniprogram_api.fields import guard_request
from miniprogram_api.methods import patches_by_post

if TYPE_CHECKING:
    from apiflask import APIFlask

NOUNS = (
    sessions,
    accounts,
    regions,
    menu,
    consents,
    identity,
    ways_without_face,
    insured_persons,
    payer_blocks,
    enrollments,
    application_forms,
    applications,
    joint_cases,
    bills,
    retirement_outlook,
    payment_orders,
    withholding_agreements,
    receipts,
    documents,
    registration_forms,
    messages,
    personal_data,
)
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def install(app: APIFlask) -> None:
    app.url_map.merge_slashes = False  # an odd path is unknown, not redirected
    app.config["AUTO_SERVERS"] = False  # the document would name whatever host its first reader asked for
    app.wsgi_app = patches_by_post(app.wsgi_app)  # type: ignore[method-assign, assignment]
    errors.install(app)
    app.before_request(_begin_request)
    app.before_request(guard_request)
    app.after_request(_finish_request)
    for noun in NOUNS:
        app.register_blueprint(noun.door, url_prefix=errors.PREFIX)
    if not app.extensions["canbao.settings"].in_production:
        app.register_blueprint(sandbox_journal.door)

    @app.spec_processor
    def document(spec: dict[str, Any] | str) -> dict[str, Any] | str:
        return complete_document(app, spec) if isinstance(spec, dict) else spec


def _begin_request() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id, path=request.url_rule.rule if request.url_rule else "-")


def _finish_request(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.get("request_id", "-")
    response.headers["X-Content-Type-Options"] = "nosniff"
    # Answers hold a person's affairs: no cache between us may keep them.
    response.headers.setdefault("Cache-Control", "no-store")
    return response
