"""WeChat Pay's notices: payments and refunds. The HTTP status is the whole verdict: 200 or 204 is final, anything else comes again."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from providers.protocols import Channel
from webhooks.intake import Intake, take_in

blueprint = Blueprint("wechat_pay", __name__)


@blueprint.post("/webhooks/wechat-pay/<miniprogram>")
def notice(miniprogram: str) -> tuple[dict[str, Any] | str, int]:
    """204 once it is ours to keep; 401 when it is not authentic; 503 when we could not keep it."""
    match take_in(channel=Channel.WECHAT_PAY, miniprogram=miniprogram):
        case Intake.KEPT | Intake.KNOWN:
            return "", 204
        case Intake.NOT_KEPT:
            return {"code": "FAIL", "message": "稍后重试"}, 503
        case _:
            return {"code": "FAIL", "message": "验签失败"}, 401
