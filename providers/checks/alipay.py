"""Alipay: each app's own key, Alipay's key for it, and the key of its phone numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from providers.alipay.client import AlipayClient
from providers.alipay.messages import template_faults
from providers.alipay.pay import NOT_FOUND
from providers.checks.common import impossible_number, reached
from providers.keys import load_aes_key, load_public_key_or_certificate, refuse_our_own
from providers.protocols import ProviderRefused, ProviderUnreachable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from config.settings import Miniprogram, Partners
    from providers.checks.common import Desk
    from providers.http import Line
    from providers.keys import ProviderKey

CONSOLE: Final = "开放平台 → 开发设置 → 接口加签方式"
MENDS: Final = {
    "isv.invalid-signature": f"upload the public half of our key (应用公钥) under {CONSOLE}, or put the key that belongs to it here",
    "isv.invalid-app-id": "app_id is not one of theirs, or the app is not online yet",
    "isv.invalid-timestamp": "set this machine's clock by NTP",
    "isv.insufficient-isv-permissions": "the app has not signed for the product: apply for JSAPI支付 (小程序支付)",
    "ACQ.ACCESS_FORBIDDEN": "the app has not signed for the product: apply for JSAPI支付 (小程序支付)",
}


def check_alipay(desk: Desk, partners: Partners) -> None:
    programs = {code: program for code, program in partners.miniprograms.items() if program.platform == "alipay"}
    if not programs:
        return
    with reached(
        desk, provider="alipay", base_url=desk.settings.alipay_gateway_url, setting="CANBAO_ALIPAY_GATEWAY_URL"
    ) as line:
        for code, program in programs.items():
            _check_program(desk, code, program, line=line)


def _check_program(desk: Desk, code: str, program: Miniprogram, *, line: Line | None) -> None:
    at, folder = f"miniprograms.{code}", desk.settings.secrets_dir
    ours = desk.private_key(f"{at}.app_private_key_file", program.app_private_key_file)
    theirs = _their_key(desk, f"{at}.alipay_public_key_file", program, ours)
    if program.alipay_aes_key_file is None:
        desk.report.note(f"{at}.alipay_aes_key_file", "none: the phone-number button is refused")
    else:
        name = program.alipay_aes_key_file
        if desk.load(f"{at}.alipay_aes_key_file", lambda: load_aes_key(folder / name)) is not None:
            desk.report.good(
                f"{at}.alipay_aes_key_file", "16 bytes; the first phone number proves that they are the right ones"
            )
    for fault in template_faults(code, program.subscribe_templates):
        desk.report.bad(at, fault)
    if line is not None and ours is not None and theirs is not None:
        _ask(desk, at, program, line=line, ours=ours, theirs=theirs)


def _their_key(desk: Desk, what: str, program: Miniprogram, ours: RSAPrivateKey | None) -> ProviderKey | None:
    file = desk.settings.secrets_dir / (program.alipay_public_key_file or "")

    def read() -> ProviderKey:
        found = load_public_key_or_certificate(file)
        if ours is not None:
            refuse_our_own(found, ours, source=file.name)
        return found

    found = desk.load(what, read)
    if found is not None and found.expires_at is not None:
        mend = f"download the next certificate from {CONSOLE}"
        if not desk.report.days_left(what, ends_at=found.expires_at, now=desk.clock.now(), mend=mend):
            return None
    return found


def _ask(desk: Desk, at: str, program: Miniprogram, *, line: Line, ours: RSAPrivateKey, theirs: ProviderKey) -> None:
    client = AlipayClient(
        line=line, app_id=program.app_id, private_key=ours, alipay_public_key=theirs.public_key, clock=desk.clock
    )
    own, their = f"{at}.app_private_key_file", f"{at}.alipay_public_key_file"
    try:
        client.call("alipay.trade.query", {"out_trade_no": impossible_number(desk.clock.now())})
    except ProviderRefused as refusal:
        if refusal.code != NOT_FOUND:
            desk.report.bad(
                own, f"Alipay refuses us ({refusal.code})", MENDS.get(refusal.code, "look the code up in Alipay's documents")
            )
            return
        desk.report.good(own, f"Alipay takes the signature of {program.app_id}")
        desk.report.good(their, "Alipay's signature verifies")
    except ProviderUnreachable as trouble:
        if "not to be trusted" in str(trouble):
            desk.report.bad(their, "Alipay's signature does not verify with this file", f"copy 支付宝公钥 from {CONSOLE}")
        else:
            desk.report.bad(own, f"no answer that can be relied on ({trouble})", "ask again in a minute")
    else:
        desk.report.bad(own, "Alipay knows a payment that cannot exist", "check CANBAO_ALIPAY_GATEWAY_URL")
