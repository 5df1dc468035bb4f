"""From settings and the partners file to each UnionPay merchant's adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.clock import SYSTEM_CLOCK
from providers.http import Line
from providers.keys import load_private_key
from providers.unionpay.pay import UnionPayPos
from providers.unionpay.signing import Chain, load_certificate

if TYPE_CHECKING:
    from config.clock import Clock
    from config.settings import Partners, Settings


def build_pos(settings: Settings, partners: Partners, *, clock: Clock = SYSTEM_CLOCK) -> dict[str, UnionPayPos]:
    """By the code of the collecting way, such as `pos-changzhou`. Raises KeyFileError."""
    line = Line(provider="unionpay", base_url=settings.unionpay_url)
    folder = settings.secrets_dir
    return {
        code: UnionPayPos(
            line=line,
            merchant=pos.merchant,
            private_key=load_private_key(folder / pos.private_key_file),
            certificate_id=pos.certificate_id,
            chain=Chain(
                root=load_certificate(folder / pos.root_certificate_file),
                middle=load_certificate(folder / pos.middle_certificate_file),
                name=pos.certificate_name,
            ),
            notify_url=f"{settings.public_url}/webhooks/unionpay/{code}",
            clock=clock,
        )
        for code, pos in partners.pos.items()
    }
