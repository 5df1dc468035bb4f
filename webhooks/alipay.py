"""Alipay's notices: only the seven bytes `success` end them; anything else comes again for a day."""

from __future__ import annotations

from flask import Blueprint

from providers.protocols import Channel
from webhooks.intake import Intake, take_in

blueprint = Blueprint("alipay", __name__)
PLAIN = {"Content-Type": "text/plain; charset=utf-8"}


@blueprint.post("/webhooks/alipay/<miniprogram>")
def notice(miniprogram: str) -> tuple[str, int, dict[str, str]]:
    """`success` once it is ours to keep, `failure` otherwise."""
    taken = take_in(channel=Channel.ALIPAY, miniprogram=miniprogram)
    return ("success" if taken in (Intake.KEPT, Intake.KNOWN) else "failure"), 200, PLAIN
