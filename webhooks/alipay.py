"""Alipay's notices: only the seven bytes `success` end them; anything else comes again for a day."""

from __future__ import annotations

from typing import Final

from flask import Blueprint

from config.logs import logger
from providers.protocols import Channel
from webhooks.intake import NOTICES, Intake, take_in

log = logger(__name__)

blueprint = Blueprint("alipay", __name__)
PLAIN: Final = {"Content-Type": "text/plain; charset=utf-8"}
SUCCESS: Final = ("success", 200, PLAIN)
FAILURE: Final = ("failure", 200, PLAIN)


@blueprint.post("/webhooks/alipay/<miniprogram>")
def notice(miniprogram: str) -> tuple[str, int, dict[str, str]]:
    """`success` once it is ours to keep, `failure` otherwise."""
    taken = take_in(channel=Channel.ALIPAY, miniprogram=miniprogram)
    return SUCCESS if taken in (Intake.KEPT, Intake.KNOWN) else FAILURE


@blueprint.errorhandler(Exception)
def broken(fault: Exception) -> tuple[str, int, dict[str, str]]:
    """Whatever broke, it was not kept, and nothing of it belongs into the log."""
    NOTICES.labels(Channel.ALIPAY, "-", Intake.NOT_KEPT).inc()
    log.error("notice.failed", channel=str(Channel.ALIPAY), fault=type(fault).__name__)
    return FAILURE
