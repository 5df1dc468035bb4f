"""UnionPay's notices of cards at a POS: 200 ends them, anything else comes again some minutes later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import Blueprint, current_app

from config.logs import logger
from providers.protocols import Channel
from webhooks.intake import NOTICES, Intake, take_in

if TYPE_CHECKING:
    from services.ports import Ports

log = logger(__name__)

blueprint = Blueprint("unionpay", __name__)
PLAIN: Final = {"Content-Type": "text/plain; charset=utf-8"}
Answer = tuple[str, int, dict[str, str]]
OK: Final[Answer] = ("ok", 200, PLAIN)
NOT_AUTHENTIC: Final[Answer] = ("refused", 401, PLAIN)
NOT_KEPT: Final[Answer] = ("come again", 503, PLAIN)


@blueprint.post("/webhooks/unionpay")
def only_merchants_notice() -> Answer:
    """Where an installation has one merchant, its address needs no name."""
    ports: Ports = current_app.extensions["canbao.ports"]
    codes = [code for code, provider in ports.payments.items() if provider.channel == Channel.UNIONPAY_POS]
    return notice(codes[0] if len(codes) == 1 else "-")


@blueprint.post("/webhooks/unionpay/<code>")
def notice(code: str) -> Answer:
    """`ok` once it is ours to keep; 401 when it is not authentic; 503 when we could not keep it."""
    match take_in(channel=Channel.UNIONPAY_POS, miniprogram=code):
        case Intake.KEPT | Intake.KNOWN:
            return OK
        case Intake.NOT_KEPT:
            return NOT_KEPT
        case _:
            return NOT_AUTHENTIC


@blueprint.errorhandler(Exception)
def broken(fault: Exception) -> Answer:
    """Whatever broke, it was not kept, and nothing of it belongs into the log."""
    NOTICES.labels(Channel.UNIONPAY_POS, "-", Intake.NOT_KEPT).inc()
    log.error("notice.failed", channel=str(Channel.UNIONPAY_POS), fault=type(fault).__name__)
    return NOT_KEPT
