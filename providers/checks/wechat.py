"""WeChat: each mini-program's secret and message push, and each merchant's keys both ways."""

from __future__ import annotations

import re
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from cryptography import x509

from providers.checks.common import impossible_number, reached
from providers.keys import (
    load_api_v3_key,
    load_message_aes_key,
    load_public_key_or_certificate,
    parse_public_key_or_certificate,
)
from providers.protocols import BadSignature, ProviderRefused, ProviderUnreachable
from providers.reading import Unreadable, json_object, text
from providers.wechat.messages import field_faults
from providers.wechat.open_api import WeChatOpenApi
from providers.wechat.signed_line import SUCCESSES, SignedLine
from providers.wechat.signing import PUBLIC_KEY_PREFIX, Signer, Verifier, open_resource

if TYPE_CHECKING:
    import requests
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from config.settings import Merchant, Miniprogram, Partners
    from providers.checks.common import Desk
    from providers.http import Line
    from providers.keys import ProviderKey

PORTAL: Final = "商户平台 → 账户中心 → API安全"
TOKEN_LETTERS: Final = re.compile(r"[0-9A-Za-z]{3,32}")
TRIES: Final = 3
"""They spoil some signatures on purpose (SIGNTEST): whoever sees one asks again."""
BILL_DAYS_BACK: Final = 3
CERTIFICATES: Final = "/v3/certificates"
TOKEN_REFUSALS: Final = {
    "40013": "this app id is not known; see app_id",
    "40125": "the app secret is wrong; take a new one from 小程序后台 → 开发管理",
    "40001": "the app secret is wrong; take a new one from 小程序后台 → 开发管理",
    "40164": "this machine's address is not on the whitelist; add it in 小程序后台 → 开发管理 → IP白名单",
}
SIGNATURE_FAULTS: Final = {
    "signature": "their signature does not verify with this file",
    "unknown_serial": "they sign with a key that platform_keys does not have",
    "stale": "their moment is more than five minutes from ours",
    "missing_header": "the answer bears no signature: something between us takes headers away",
}


def check_wechat(desk: Desk, partners: Partners) -> None:
    programs = {code: program for code, program in partners.miniprograms.items() if program.platform == "wechat"}
    merchants = {number: merchant for number, merchant in partners.merchants.items() if merchant.channel == "wechat_pay"}
    if programs:
        with reached(desk, provider="wechat", base_url=desk.settings.wechat_api_url, setting="CANBAO_WECHAT_API_URL") as line:
            for code, program in programs.items():
                _check_program(desk, code, program, line=line)
    if merchants:
        with reached(
            desk, provider="wechat-pay", base_url=desk.settings.wechat_pay_url, setting="CANBAO_WECHAT_PAY_URL"
        ) as line:
            for number, merchant in merchants.items():
                _check_merchant(desk, number, merchant, line=line)


def _check_program(desk: Desk, code: str, program: Miniprogram, *, line: Line | None) -> None:
    at = f"miniprograms.{code}"
    app_secret = desk.secret(f"{at}.app_secret_file", program.app_secret_file)
    if program.message_token_file is None:
        desk.report.note(f"{at}.message_token_file", "none: nobody can allow this mini-program to send messages")
    else:
        token = desk.secret(f"{at}.message_token_file", program.message_token_file)
        if token is not None and not TOKEN_LETTERS.fullmatch(token):
            desk.report.bad(f"{at}.message_token_file", "not 3 to 32 letters and digits", "copy it from 小程序后台 → 消息推送")
        name = program.message_aes_key_file or ""
        key = desk.load(f"{at}.message_aes_key_file", lambda: load_message_aes_key(desk.settings.secrets_dir / name))
        if token is not None and key is not None:
            desk.report.good(f"{at}.message_token_file", "message push: token and EncodingAESKey have their right lengths")
    for fault in field_faults(code, program.subscribe_templates):
        desk.report.bad(at, fault)
    if app_secret is None or line is None:
        return
    try:
        # The same token as before while it is valid: nobody else's is killed by this.
        _ = WeChatOpenApi(line=line, app_id=program.app_id, app_secret=app_secret).access_token
    except ProviderRefused as refusal:
        desk.report.bad(
            f"{at}.app_secret_file", f"WeChat refuses a token ({refusal.code})", TOKEN_REFUSALS.get(refusal.code, "")
        )
    except ProviderUnreachable as trouble:
        desk.report.bad(f"{at}.app_secret_file", f"no token: {trouble}", "ask again in a minute")
    else:
        desk.report.good(f"{at}.app_secret_file", f"WeChat gives {program.app_id} a token")


def _check_merchant(desk: Desk, number: str, merchant: Merchant, *, line: Line | None) -> None:
    at, folder = f"merchants.{number}", desk.settings.secrets_dir
    ours = desk.private_key(f"{at}.private_key_file", merchant.private_key_file)
    if not merchant.certificate_serial:
        desk.report.bad(f"{at}.certificate_serial", "missing", f"copy it from {PORTAL} → 商户API证书")
    if ours is not None:
        _check_own_certificate(desk, at, merchant, ours)
    api_v3_key = desk.load(f"{at}.apiv3_key_file", lambda: load_api_v3_key(folder / (merchant.apiv3_key_file or "")))
    theirs = {
        serial: key
        for serial, name in merchant.platform_keys.items()
        if (key := _platform_key(desk, f"{at}.platform_keys.{serial}", serial, name)) is not None
    }
    if not merchant.platform_keys:
        desk.report.bad(f"{at}.platform_keys", "empty", f"download the WeChat Pay public key from {PORTAL} → 微信支付公钥")
    elif merchant.response_key is not None and merchant.response_key not in merchant.platform_keys:
        desk.report.bad(f"{at}.response_key", f"{merchant.response_key} is not among platform_keys", "name one that is")
    elif merchant.response_key is None and all(serial.startswith(PUBLIC_KEY_PREFIX) for serial in merchant.platform_keys):
        desk.report.bad(
            f"{at}.response_key", "missing, and there are only public keys", "name the PUB_KEY_ID_… of platform_keys"
        )
    if line is not None and ours is not None and merchant.certificate_serial:
        signer = Signer(number, merchant.certificate_serial, ours, clock=desk.clock)
        _ask(desk, at, merchant, signer=signer, line=line, theirs=theirs, api_v3_key=api_v3_key)
    elif api_v3_key is not None:
        desk.report.good(
            f"{at}.apiv3_key_file", "32 letters and digits; only WeChat Pay can say whether they are the right ones"
        )


def _check_own_certificate(desk: Desk, at: str, merchant: Merchant, ours: RSAPrivateKey) -> None:
    what, name = f"{at}.certificate_file", merchant.certificate_file
    if name is None:
        desk.report.note(
            what, "none: nobody sees when our certificate ends", "name apiclient_cert.pem, which came with the key"
        )
        return
    found = desk.load(what, lambda: load_public_key_or_certificate(desk.settings.secrets_dir / name))
    if found is None:
        return
    if found.serial is None or found.expires_at is None:
        desk.report.bad(what, f"{name} is a bare key, not a certificate", "put apiclient_cert.pem there")
    elif found.public_key.public_numbers() != ours.public_key().public_numbers():
        desk.report.bad(
            what, f"{name} does not belong to {merchant.private_key_file}", "put key and certificate of one download there"
        )
    elif found.serial.lstrip("0") != (merchant.certificate_serial or "").upper().lstrip("0"):
        desk.report.bad(f"{at}.certificate_serial", f"not that of {name}", f"write {found.serial}")
    else:
        mend = f"apply for a new one at {PORTAL} → 商户API证书"
        desk.report.days_left(what, ends_at=found.expires_at, now=desk.clock.now(), mend=mend)


def _platform_key(desk: Desk, what: str, serial: str, name: str) -> ProviderKey | None:
    """One key that WeChat Pay signs with; None where it cannot be what it is said to be."""
    found = desk.load(what, lambda: load_public_key_or_certificate(desk.settings.secrets_dir / name))
    if found is None:
        return None
    is_public_key = serial.startswith(PUBLIC_KEY_PREFIX)
    if found.serial is None and not is_public_key:
        desk.report.bad(what, f"{name} is a bare key, and this is a certificate's serial", "put the platform certificate there")
        return None
    if found.serial is not None and found.serial.lstrip("0") != serial.upper().lstrip("0"):
        desk.report.bad(what, f"{name} is the certificate {found.serial}", "name each file under its own serial")
        return None
    if found.expires_at is None:
        return found
    is_good = desk.report.days_left(
        what,
        ends_at=found.expires_at,
        now=desk.clock.now(),
        mend="download the next one, and move to the WeChat Pay public key",
    )
    return found if is_good else None


def _ask(
    desk: Desk, at: str, merchant: Merchant, *, signer: Signer, line: Line, theirs: dict[str, ProviderKey], api_v3_key: bytes | None
) -> None:  # fmt: skip
    """What only the right keys can ask, and what only the right keys can read."""
    number = signer.mchid
    path = f"/v3/pay/transactions/out-trade-no/{impossible_number(desk.clock.now())}?mchid={number}"
    what = f"{at}.private_key_file"
    try:
        told = _asked(line, signer, path, response_key=merchant.response_key)
    except ProviderUnreachable as trouble:
        desk.report.bad(what, f"WeChat Pay does not answer ({trouble})", "ask again in a minute")
        return
    code, words = _refusal(told)
    if code != "ORDER_NOT_EXIST":
        desk.report.bad(what, f"WeChat Pay refuses us: {told.status_code} {code} {words}", _mend(code, words))
        return
    desk.report.good(what, f"WeChat Pay takes the signature of {number}")
    answers_of_theirs = [_ask_signed(desk, at, serial, key, signer=signer, line=line) for serial, key in theirs.items()]
    listed = next((found for found in answers_of_theirs if found is not None), None)
    if listed is not None and api_v3_key is not None:
        _open_certificates(desk, at, listed, api_v3_key=api_v3_key, known=theirs)


def _ask_signed(desk: Desk, at: str, serial: str, key: ProviderKey, *, signer: Signer, line: Line) -> requests.Response | None:
    """An answer that bears this key's signature; given back where it is the list of their certificates, which the APIv3 key opens."""
    what = f"{at}.platform_keys.{serial}"
    day = (desk.clock.now() - timedelta(days=BILL_DAYS_BACK)).date()
    verifier = Verifier({serial: key.public_key})
    # Merchants that never had certificates get none to read: then a bill's address is the cheapest thing that they sign.
    for path in (CERTIFICATES, f"/v3/bill/tradebill?bill_date={day}&bill_type=ALL&tar_type=GZIP"):
        try:
            told = _signed_answer(desk, line, signer, path, serial=serial, verifier=verifier)
        except BadSignature as trouble:
            desk.report.bad(what, SIGNATURE_FAULTS.get(trouble.reason, trouble.reason), f"download the file anew from {PORTAL}")
            return None
        except ProviderUnreachable as trouble:
            desk.report.bad(what, f"WeChat Pay does not answer ({trouble})", "ask again in a minute")
            return None
        if told.status_code in SUCCESSES:
            desk.report.good(what, "their signature verifies")
            return told if path == CERTIFICATES else None
    desk.report.note(what, "not proven: they had nothing to sign for us yet; the first notice will prove it and the APIv3 key")
    return None


def _open_certificates(
    desk: Desk, at: str, told: requests.Response, *, api_v3_key: bytes, known: dict[str, ProviderKey]
) -> None:
    what = f"{at}.apiv3_key_file"
    try:
        listed = json_object(told.content).get("data")
        sealed = {text(each, "serial_no"): each["encrypt_certificate"] for each in listed or []}
        opened = {serial: open_resource(resource, api_v3_key) for serial, resource in sealed.items()}
    except BadSignature:
        desk.report.bad(what, "does not open what WeChat Pay sealed", f"it is another one; set it anew at {PORTAL} → APIv3密钥")
        return
    except (Unreadable, KeyError, TypeError, AttributeError):
        desk.report.bad(
            what, "WeChat Pay's list of certificates cannot be read", "ask again; if it stays so, write to their support"
        )
        return
    if not opened:
        return
    desk.report.good(what, "opens what WeChat Pay sealed")
    for serial, pem in opened.items():
        _compare(desk, f"{at}.platform_keys.{serial}", serial, pem, known)


def _compare(desk: Desk, what: str, serial: str, pem: bytes, known: dict[str, ProviderKey]) -> None:
    """A certificate that they sign with today, beside what we hold of it."""
    held = next((key for name, key in known.items() if name.upper().lstrip("0") == serial.upper().lstrip("0")), None)
    if held is None:
        ends = x509.load_pem_x509_certificate(pem).not_valid_after_utc
        desk.report.bad(
            what, f"WeChat Pay signs with this certificate (until {ends:%Y-%m-%d}), and we hold no valid one of it",
            "download it and name it under platform_keys, or its notices are refused",
        )  # fmt: skip
    elif parse_public_key_or_certificate(pem, source=serial).public_key.public_numbers() != held.public_key.public_numbers():
        desk.report.bad(what, "the file holds another key than theirs", "download it anew")


def _signed_answer(desk: Desk, line: Line, signer: Signer, path: str, *, serial: str, verifier: Verifier) -> requests.Response:
    """Raises BadSignature, ProviderUnreachable."""
    for left in reversed(range(TRIES)):
        told = _asked(line, signer, path, response_key=serial)
        if told.status_code not in SUCCESSES:
            break
        try:
            verifier.verify(told.headers, told.content, now=desk.clock.now().timestamp())
            break
        except BadSignature as trouble:
            if trouble.reason != "signtest" or not left:
                raise
    return told


def _asked(line: Line, signer: Signer, path: str, *, response_key: str | None) -> requests.Response:
    signed = SignedLine(line=line, signer=signer, verifier=Verifier({}), response_key=response_key)
    return line.request("GET", path, headers=signed.headers("GET", line.base_path + path))


def _refusal(told: requests.Response) -> tuple[str, str]:
    """Their code and their words, which are about keys and parameters."""
    if told.status_code == HTTPStatus.OK:
        return "OK", "though the number cannot exist"
    try:
        said = json_object(told.content)
        return text(said, "code", limit=64), str(said.get("message") or "")[:120]
    except Unreadable:
        return "", "in no words of WeChat Pay's: something stands between"


def _mend(code: str, words: str) -> str:
    if "序列号" in words:
        return f"certificate_serial is not that of the certificate in force: see {PORTAL} → 商户API证书"
    if "timestamp" in words or "时间" in words:
        return "set this machine's clock by NTP"
    return {
        "SIGN_ERROR": f"merchant number, private_key_file and certificate_serial must be of one certificate: see {PORTAL}",
        "NO_AUTH": "this merchant may not use the product: apply for JSAPI支付 on the merchant platform",
        "MCH_NOT_EXISTS": "there is no such merchant number",
    }.get(code, "look the code up in WeChat Pay's documents")
