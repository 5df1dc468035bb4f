"""Alibaba Cloud's callback about a face check in the app. It is unsigned, so it proves nothing: it only makes us ask, and that very soon.

They send `GET …?callbackToken=…&certifyId=…&passed=…` once a check was completed, and twice more within 3 s where the answer is not 200.
None may ever come; the sweep asks all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import Blueprint, current_app, request
from prometheus_client import Counter
from werkzeug.exceptions import HTTPException

from config.logs import logger
from providers.protocols import BadSignature, FaceCallbacks
from services.identity_asking import hear_of_face
from webhooks.intake import Quota

if TYPE_CHECKING:
    from services.ports import Ports

log = logger(__name__)

blueprint = Blueprint("face_callbacks", __name__)
CALLBACKS: Final = Counter("canbao_face_callbacks_total", "Callbacks about face checks", ["result"])
LONGEST_QUERY_BYTES: Final = 2_048
PLAIN: Final = {"Content-Type": "text/plain; charset=utf-8"}
Answer = tuple[str, int, dict[str, str]]
_quota = Quota()


@blueprint.get("/webhooks/identity/aliyun")
def face_callback() -> Answer:
    """200 for whoever holds our token, whether the check is known or not; 401 for everybody else, and for their look whether we are there."""
    if len(request.query_string) > LONGEST_QUERY_BYTES:
        return _refuse("oversize", 414)
    ports: Ports = current_app.extensions["canbao.ports"]
    reader = next((each for each in ports.faces.values() if isinstance(each, FaceCallbacks)), None)
    if reader is None:
        return _refuse("no_app", 401)
    try:
        reference = reader.open_callback(request.query_string.decode("ascii", "replace"))
    except BadSignature as fault:
        return _refuse(fault.reason, 400 if fault.reason == "malformed" else 401)
    if request.method == "HEAD":
        # What a GET would answer, without doing anything.
        return _answer("", 200)
    CALLBACKS.labels("heard" if hear_of_face(ports, reference) else "nothing_to_ask").inc()
    return _answer("ok", 200)


@blueprint.errorhandler(Exception)
def broken(fault: Exception) -> Answer | HTTPException:
    """Whatever broke, they may come again; nothing of it belongs into the log."""
    if isinstance(fault, HTTPException):
        return fault
    CALLBACKS.labels("failed").inc()
    log.error("face_callback.failed", fault=type(fault).__name__)
    return _answer("come again", 503)


def _refuse(reason: str, status: int) -> Answer:
    CALLBACKS.labels(f"refused:{reason}").inc()
    # A look whether we are there has no token, and is nobody's news.
    if reason != "no_token" and _quota.allows():
        log.warning("face_callback.refused", reason=reason)
    return _answer("", status)


def _answer(text: str, status: int) -> Answer:
    return text, status, PLAIN
