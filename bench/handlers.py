"""What the door is held against, served by the same gunicorn."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import Blueprint, Flask, current_app, request

from app import letterbox
from providers.protocols import BadSignature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.ports import Ports

blueprint = Blueprint("verify_only", __name__)


@blueprint.post("/verify-only/<miniprogram>")
def verify_and_forget(miniprogram: str) -> tuple[str, int]:
    """All that the door does before it keeps anything: signature, window, decryption, whose it is."""
    ports: Ports = current_app.extensions["canbao.ports"]
    raw = request.get_data(cache=True, parse_form_data=False)
    try:
        ports.payments[miniprogram].open_notice(cast("Mapping[str, str]", request.headers), raw, now=ports.now())
    except BadSignature:
        return "", 401
    return "", 204


def verify_only() -> Flask:
    """The letterbox's own application, with a handler that verifies and keeps nothing."""
    app = letterbox()
    app.register_blueprint(blueprint)
    return app


def empty() -> Flask:
    """Flask, and nothing else."""
    app = Flask("empty")

    @app.post("/empty")
    def nothing() -> tuple[str, int]:
        return "", 204

    return app
