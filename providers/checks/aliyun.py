"""Alibaba Cloud: the access key, the scene of face checks, and every SMS template by its own code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from providers.aliyun import identity, sms
from providers.aliyun.face import SHORTEST_CALLBACK_TOKEN
from providers.aliyun.identity import result_of
from providers.aliyun.line import AliyunLine
from providers.protocols import ProviderRefused, ProviderUnreachable

if TYPE_CHECKING:
    from config.settings import Aliyun, Partners
    from providers.checks.common import Desk

CONSOLE: Final = "阿里云控制台 → RAM 访问控制"
NOBODYS_CHECK: Final = "canbaocheckconfig0000000000000000"
MENDS: Final = {
    "InvalidAccessKeyId.NotFound": f"the access key id does not exist: see {CONSOLE}",
    "InvalidAccessKeyId.Inactive": f"the access key is disabled: see {CONSOLE}",
    "SignatureDoesNotMatch": "the access key secret does not belong to the id",
    "InvalidTimeStamp.Expired": "set this machine's clock by NTP",
    "NoPermission": f"give the user AliyunYundunCloudAuthFullAccess: {CONSOLE}",
    "410": "open the service 金融级实人认证",
    "411": f"give the user AliyunYundunCloudAuthFullAccess: {CONSOLE}",
    "412": "the account is in arrears",
    "isv.SMS_TEMPLATE_ILLEGAL": "there is no such template: see 短信服务 → 模板管理",
    "isp.RAM_PERMISSION_DENY": f"give the user AliyunDysmsFullAccess: {CONSOLE}",
    "isv.OUT_OF_SERVICE": "the account is in arrears",
}
NOT_OURS_TO_ASK: Final = frozenset({"403", "410", "411", "412"})
"""Figures that say no to us, not to the question (from memory: their list could not be read here)."""
TEMPLATE_STATES: Final = {"0": "waits for its review", "2": "was turned down", "10": "was withdrawn"}
APPROVED: Final = "1"
SUCCESS: Final = "OK"


def check_aliyun(desk: Desk, partners: Partners) -> None:
    given = partners.aliyun
    key_id = desk.secret("aliyun.access_key_id_file", given.access_key_id_file)
    key_secret = desk.secret("aliyun.access_key_secret_file", given.access_key_secret_file)
    if any(program.platform == "app" for program in partners.miniprograms.values()):
        token = desk.secret("aliyun.face_callback_token_file", given.face_callback_token_file)
        if token is not None and len(token) < SHORTEST_CALLBACK_TOKEN:
            said = f"{len(token)} characters; {SHORTEST_CALLBACK_TOKEN} at least"
            desk.report.bad("aliyun.face_callback_token_file", said, "make another: openssl rand -hex 24")
    if key_id is None or key_secret is None:
        return
    if not desk.calls:
        desk.report.good("aliyun.access_key_secret_file", "there; only Alibaba Cloud can say whether it is the right one")
        return
    line = AliyunLine(
        package=identity.PACKAGE,
        access_key_id=key_id,
        access_key_secret=key_secret,
        base_url=desk.settings.aliyun_identity_url,
    )
    _ask_about_faces(desk, given, line)
    if given.sms_sign_name:
        line = AliyunLine(
            package=sms.PACKAGE, access_key_id=key_id, access_key_secret=key_secret, base_url=desk.settings.aliyun_sms_url
        )
        for key, code in given.sms_templates.items():
            if not _ask_about_template(desk, line, key, code):
                break


def _ask_about_faces(desk: Desk, given: Aliyun, line: AliyunLine) -> None:
    """A check that nobody began: it costs nothing, and who may not ask is told so."""
    what = "aliyun.access_key_secret_file"
    try:
        result_of(
            line.ask(
                "describe_face_verify",
                "DescribeFaceVerifyRequest",
                scene_id=given.face_scene_id,
                certify_id=NOBODYS_CHECK,
            )
        )
    except ProviderRefused as refusal:
        # A figure is the identity service's own answer to the question, so the key was taken; a word is the gateway's refusal of the key.
        if not refusal.code.isdigit() or refusal.code in NOT_OURS_TO_ASK:
            desk.report.bad(what, f"Alibaba Cloud refuses us ({refusal.code})", MENDS.get(refusal.code, f"see {CONSOLE}"))
            return
    except ProviderUnreachable as trouble:
        desk.report.bad("CANBAO_ALIYUN_IDENTITY_URL", f"no answer ({trouble})", "check the address, the proxy and the firewall")
        return
    desk.report.good(what, "the identity service takes our signature")


def _ask_about_template(desk: Desk, line: AliyunLine, key: str, code: str) -> bool:
    """Whether the operators approved it; False where it is of no use to ask about the next."""
    what = f"aliyun.sms_templates.{key}"
    try:
        told = line.ask("query_sms_template", "QuerySmsTemplateRequest", template_code=code)
    except ProviderRefused as refusal:
        desk.report.bad(
            "aliyun.access_key_secret_file",
            f"the SMS service refuses us ({refusal.code})",
            MENDS.get(refusal.code, f"see {CONSOLE}"),
        )
        return False
    except ProviderUnreachable as trouble:
        desk.report.bad("CANBAO_ALIYUN_SMS_URL", f"no answer ({trouble})", "check the address, the proxy and the firewall")
        return False
    said, state = str(told.code or ""), str(told.template_status)
    if said != SUCCESS:
        desk.report.bad(what, f"{code}: {said}", MENDS.get(said, "see 短信服务 → 模板管理"))
    elif state != APPROVED:
        desk.report.bad(what, f"{code} {TEMPLATE_STATES.get(state, f'has the state {state}')}", "see 短信服务 → 模板管理")
    else:
        desk.report.good(what, f"{code} is approved")
    return True
