"""WeChat Pay's notices: payments and refunds. The HTTP status is the whole verdict: 200 or 204 is final, anything else comes again."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint

from config.logs import logger
from providers.protocols import Channel
from webhooks.intake import NOTICES, Intake, take_in

log = logger(__name__)

blueprint = Blueprint("wechat_pay", __name__)
NOT_AUTHENTIC: Final = ({"code": "FAIL", "message": "验签失败"}, 401)
NOT_KEPT: Final = ({"code": "FAIL", "message": "稍后重试"}, 503)


@blueprint.post("/webhooks/wechat-pay/<miniprogram>")
def notice(miniprogram: str) -> tuple[dict[str, Any] | str, int]:
    """204 once it is ours to keep; 401 when it is not authentic; 503 when we could not keep it."""
    match take_in(channel=Channel.WECHAT_PAY, miniprogram=miniprogram):
        case Intake.KEPT | Intake.KNOWN:
            return "", 204
        case Intake.NOT_KEPT:
            return NOT_KEPT
        case _:
            return NOT_AUTHENTIC


@blueprint.errorhandler(Exception)
def broken(fault: Exception) -> tuple[dict[str, Any] | str, int]:
    """Whatever broke, it was not kept, and nothing of it belongs into the log."""
    NOTICES.labels(Channel.WECHAT_PAY, "-", Intake.NOT_KEPT).inc()
    log.error("notice.failed", channel=str(Channel.WECHAT_PAY), fault=type(fault).__name__)
    return NOT_KEPT
