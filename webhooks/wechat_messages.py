"""A WeChat mini-program's own push: its address is checked by GET, its events come by POST. `success` within 5 s, or they come again, three times."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, cast

from flask import Blueprint, current_app, request
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from config.logs import logger
from providers.protocols import BadSignature
from services.message_events import receive_event
from webhooks.intake import NOTICES, SECONDS, Intake, read_letter, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from providers.protocols import MessageEvent, MessageEventProvider
    from services.message_events import Heard
    from services.ports import Ports

log = logger(__name__)

CHANNEL: Final = "wechat_messages"
PLAIN: Final = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
SUCCESS: Final = ("success", 200, PLAIN)
NOT_AUTHENTIC: Final = ("refused", 401, PLAIN)
NOT_KEPT: Final = ("later", 503, PLAIN)

Answer = tuple[str, int, dict[str, str]]

blueprint = Blueprint("wechat_messages", __name__)


@blueprint.get("/webhooks/wechat-messages/<miniprogram>")
def check_address(miniprogram: str) -> Answer:
    """Asked once, when somebody sets the address on the platform: exactly their echostr, if they can sign."""
    messenger = _messenger(miniprogram)
    if messenger is None:
        refuse(CHANNEL, "-", "unknown_miniprogram")
        return NOT_AUTHENTIC
    try:
        echo = messenger.echo(_query(), now=_ports().now())
    except BadSignature as fault:
        refuse(CHANNEL, miniprogram, fault.reason)
        return NOT_AUTHENTIC
    NOTICES.labels(CHANNEL, miniprogram, "address_checked").inc()
    return echo, 200, PLAIN


@blueprint.post("/webhooks/wechat-messages/<miniprogram>")
def event(miniprogram: str) -> Answer:
    """`success` once the event has taken effect, or is known, or changes nothing here; 401 for what is not authentic."""
    started = time.perf_counter()
    messenger = _messenger(miniprogram)
    if messenger is None:
        refuse(CHANNEL, "-", "unknown_miniprogram")
        return NOT_AUTHENTIC
    try:
        told = messenger.open_event(_query(), read_letter(), now=_ports().now())
    except BadSignature as fault:
        refuse(CHANNEL, miniprogram, fault.reason)
        return NOT_AUTHENTIC
    try:
        heard = _hear(miniprogram, told)
    except SQLAlchemyError as fault:
        NOTICES.labels(CHANNEL, miniprogram, Intake.NOT_KEPT).inc()
        log.error("event.not_kept", miniprogram=miniprogram, fault=type(fault).__name__)  # noqa: TRY400 - no traceback: it holds values
        return NOT_KEPT
    NOTICES.labels(CHANNEL, miniprogram, heard).inc()
    SECONDS.labels(CHANNEL).observe(time.perf_counter() - started)
    return SUCCESS


@blueprint.errorhandler(Exception)
def broken(fault: Exception) -> Answer:
    """Whatever broke, it was not kept, and nothing of it belongs into the log."""
    NOTICES.labels(CHANNEL, "-", Intake.NOT_KEPT).inc()
    log.error("event.failed", fault=type(fault).__name__)
    return NOT_KEPT


def _hear(miniprogram: str, told: MessageEvent) -> Heard:
    try:
        return receive_event(_ports(), miniprogram=miniprogram, event=told)
    except DBAPIError as fault:
        if not fault.connection_invalidated:
            raise
        # The database was restarted under a pooled connection. The event's hash is its guard, so once more is safe.
        return receive_event(_ports(), miniprogram=miniprogram, event=told)


def _ports() -> Ports:
    return cast("Ports", current_app.extensions["canbao.ports"])


def _messenger(miniprogram: str) -> MessageEventProvider | None:
    return _ports().message_events.get(miniprogram)


def _query() -> Mapping[str, str]:
    return cast("Mapping[str, str]", request.args)
