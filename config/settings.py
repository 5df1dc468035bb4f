"""Settings: everything that differs between one installation and the next, from the environment, checked at the start.

Every name starts with CANBAO_. A missing or a misspelt one stops the start with a sentence; none is guessed. Secrets stand in
files under CANBAO_SECRETS_DIR; the environment only says where.
"""

from __future__ import annotations

import difflib
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from config.yaml_files import read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

HOME: Final = Path(__file__).resolve().parent.parent
PREFIX: Final = "CANBAO_"
SIGN_IN_CODE: Final = "sign_in_code"
"""Our key of the text that carries a code to a phone; its one value is `code`."""


class SettingsFault(Exception):
    """The settings cannot be used. Each sentence names the setting or the file and key, and gives a right example."""


class Mode(StrEnum):
    SANDBOX = "sandbox"
    PRODUCTION = "production"


class Settings(BaseModel):
    """One attribute for each CANBAO_ name; the text beside it becomes the reference table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = Field(
        Mode.SANDBOX, description="sandbox, or production. Production refuses figures that nobody has confirmed."
    )
    database_url: str | None = Field(
        None, description="PostgreSQL 16 or newer, as postgresql+psycopg://…; unset: the embedded one."
    )
    embedded_postgres: str = Field("18", description="Which embedded PostgreSQL: 18 or 16.")
    public_url: str = Field(
        "http://127.0.0.1:8001", description="Where providers reach /webhooks: https, a public name, no query."
    )
    web_url: str = Field(
        "http://127.0.0.1:8000",
        description="Where people reach the web process, for the codes on printed forms: https, no path.",
    )
    state_dir: Path = Field(HOME / ".canbao", description="The embedded database and the sandbox's own state.")
    secrets_dir: Path = Field(
        HOME / ".canbao" / "secrets", description="Folder with every key file; nothing secret stands elsewhere."
    )
    regions_dir: Path | None = Field(None, description="More rulebooks, or confirmed ones in place of ours.")
    miniprograms_file: Path = Field(
        HOME / "config" / "miniprograms.sandbox.yaml", description="Mini-programs, merchants and their key files."
    )
    trusted_proxies: int = Field(0, ge=0, description="How many reverse proxies of ours stand in front (X-Forwarded-For hops).")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    wechat_api_url: str = Field("https://api.weixin.qq.com", description="WeChat open platform.")
    wechat_pay_url: str = Field("https://api.mch.weixin.qq.com", description="WeChat Pay v3.")
    alipay_gateway_url: str = Field("https://openapi.alipay.com/gateway.do", description="Alipay gateway.")
    aliyun_identity_url: str = Field("https://cloudauth.aliyuncs.com", description="Alibaba Cloud identity checks.")
    documents_url: str | None = Field(
        None,
        description="Where sealed pictures lie: file:///…, or s3://bucket/folder with the extra s3; unset: documents/ in the state folder.",
    )
    authority_files_dir: Path | None = Field(
        None, description="Where the tax authority's and the registrar's files come in; unset: they are read by command alone."
    )
    clamd_address: str | None = Field(
        None, description="ClamAV's daemon, as tcp://127.0.0.1:3310 or unix:///run/clamav/clamd.ctl; unset: nothing is scanned."
    )
    watermark_font: Path | None = Field(
        None, description="A font with Chinese characters for the mark on pictures; unset: one of the usual, or Latin letters."
    )
    aliyun_sms_url: str = Field("https://dysmsapi.aliyuncs.com", description="Alibaba Cloud SMS.")
    unionpay_url: str = Field("https://gateway.95516.com", description="UnionPay's gateway, for cards at the POS of a window.")

    @property
    def in_production(self) -> bool:
        return self.mode is Mode.PRODUCTION


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. Raises SettingsFault with one sentence a fault."""
    given = dict(os.environ if environment is None else environment)
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    faults = []
    for name in sorted(given):
        # A misspelt name accepted in silence would let a default reign in production.
        if name.upper().startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            faults.append(f"{name}: there is no such setting" + (f"; did you mean {near[0]}?" if near else ""))
    try:
        settings = Settings.model_validate(
            {name: given[PREFIX + name.upper()] for name in Settings.model_fields if PREFIX + name.upper() in given}
        )
    except ValidationError as fault:
        faults += [f"{PREFIX}{str(each['loc'][0]).upper()}: {each['msg']}" for each in fault.errors()]
    else:
        faults += _production_faults(settings, given)
    if faults:
        raise SettingsFault("\n".join(faults))
    return settings


def _production_faults(settings: Settings, given: Mapping[str, str]) -> list[str]:
    if not settings.in_production:
        return []
    examples = {
        "DATABASE_URL": "postgresql+psycopg://canbao@db/canbao",
        "PUBLIC_URL": "https://pay.example.gov.cn",
        "WEB_URL": "https://pay.example.gov.cn",
        "SECRETS_DIR": "/etc/canbao/secrets",
        "MINIPROGRAMS_FILE": "/etc/canbao/miniprograms.yaml",
    }
    faults = [
        f"{PREFIX}{name}: production needs it, such as {example}"
        for name, example in examples.items()
        if PREFIX + name not in given
    ]
    if PREFIX + "PUBLIC_URL" in given and not settings.public_url.startswith("https://"):
        faults.append(f"{PREFIX}PUBLIC_URL: providers only call https, such as {examples['PUBLIC_URL']}")
    if PREFIX + "WEB_URL" in given and not settings.web_url.startswith("https://"):
        faults.append(f"{PREFIX}WEB_URL: printed codes lead there for years, so https, such as {examples['WEB_URL']}")
    return faults


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SubscribeTemplate(_Entry):
    """A template of a platform's subscribe messages, for one key of ours."""

    template_id: str = Field(min_length=1, max_length=128)
    fields: dict[str, str] = Field(min_length=1)
    """Their field (WeChat `thing1`, `amount2`; Alipay `keyword1`, `keyword2`) → our fact, or `title`, `text`, `at`."""
    page: str | None = None
    """Where a tap on the message leads, such as `pages/messages/index`."""


class Miniprogram(_Entry):
    """One mini-program (or app) as the platform knows it."""

    title: str
    platform: str = Field(pattern="^(wechat|alipay|app)$")
    app_id: str = Field(min_length=1, max_length=32)
    regions: tuple[str, ...] = Field(min_length=1)
    """Region codes it serves; bills of other regions cannot be paid here."""
    merchant: str | None = None
    """Where its payments go; without one it takes no payments."""
    app_secret_file: str | None = None
    app_private_key_file: str | None = None
    alipay_public_key_file: str | None = None
    message_token_file: str | None = None
    """WeChat: the Token of its message push (消息推送), 3 to 32 letters and digits. With `message_aes_key_file` it opens the door for events, without which nobody can allow a message."""
    message_aes_key_file: str | None = None
    """WeChat: the EncodingAESKey of its message push, 43 letters and digits. The mode there must be 安全模式, JSON or XML."""
    subscribe_templates: dict[str, SubscribeTemplate] = Field(default_factory=dict)
    """WeChat and Alipay: the key of a message of ours → `template_id`, `fields` (their field → our fact, or `title`, `text`, `at`) and `page` (at WeChat perhaps). What has none can be read in the mini-program."""
    miniprogram_state: str = Field("formal", pattern="^(formal|trial|developer)$")
    """WeChat: which version of the mini-program a tap on a pushed message opens: `formal`, or for tests on real phones `trial` or `developer`."""
    alipay_aes_key_file: str | None = None
    """Alipay: the app's AES key (接口内容加密方式), with which phone numbers come; without it the phone button is refused."""
    sms_codes_an_hour: int = Field(3000, gt=0)
    """Apps: how many SMS codes go out in an hour at most. A bound on what somebody with a list of numbers can cost."""
    sms_codes_an_hour_for_one_caller: int = Field(300, gt=0)
    """Apps: how many of them one caller's network may ask for, so that no single one uses up everybody's. Many phones stand behind one address of an operator. It needs CANBAO_TRUSTED_PROXIES: addresses of one's own network are not counted."""
    platform_real_name: bool = False
    """Alipay granted this app its users' names and ID numbers, and the region takes them as proof (R-CZ-53)."""


class Merchant(_Entry):
    """One merchant account: where money arrives for one collection authority."""

    channel: str = Field(pattern="^(wechat_pay|alipay)$")
    authority: str
    private_key_file: str | None = None
    certificate_serial: str | None = None
    certificate_file: str | None = None
    """WeChat Pay: our own API certificate (apiclient_cert.pem), by which `canbao check-config` sees that key and serial belong together and when it ends."""
    apiv3_key_file: str | None = None
    platform_keys: dict[str, str] = Field(default_factory=dict)
    """Serial → file: WeChat Pay public keys and platform certificates side by side."""
    response_key: str | None = None


class BankSftp(_Entry):
    """A bank's SFTP server."""

    host: str = Field(min_length=1)
    port: int = Field(22, gt=0, lt=65536)
    username: str = Field(min_length=1)
    private_key_file: str
    """Our key for it (OpenSSH)."""
    host_key_files: tuple[str, ...] = Field(min_length=1)
    """The bank's own keys (OpenSSH): got from the bank, never from the first connection. Several while it changes them."""
    root: str = ""
    """The folder there in which `out` and `in` lie."""


class BankLink(_Entry):
    """One unit of ours at one bank, which debits agreements of one collection authority by file (docs/reference/bank-files.md)."""

    bank: str = Field(pattern="^[A-Z][A-Z0-9_]{1,39}$")
    """The bank's code in the region's `banks.yaml`: whose agreements it debits."""
    authority: str
    unit: str = Field(pattern="^[0-9A-Za-z]{1,10}$")
    """Our number at the bank (单位编号)."""
    contract: str = Field(pattern="^[0-9A-Za-z]{1,16}$")
    """The number of our contract with it (协议编号)."""
    layout: str = Field(pattern="^(delimited|fixed)$")
    """Its columns: `delimited` or `fixed`."""
    flag: str = Field("SHA256", pattern="^(SHA256|SM3)$")
    """What its flag files are reckoned with."""
    line_limit_fen: int | None = Field(None, gt=0)
    """The most that it debits in one line; none: no limit."""
    most_lines: int = Field(5000, gt=0, le=99999)
    """The most lines of one file."""
    folder: str | None = None
    """A folder with `out` and `in`, such as the front-end machine's; below the state folder unless it is a whole path. Unset, as `sftp`: `banks/` and the link's code."""
    sftp: BankSftp | None = None


class Aliyun(_Entry):
    """Alibaba Cloud: names, phones, bank cards, faces in the app, SMS."""

    access_key_id_file: str
    access_key_secret_file: str
    face_scene_id: int = 0
    """Scene of the app's face check, made in their console."""
    face_callback_token_file: str | None = None
    """A secret of ours that comes back with each callback; only apps need it."""
    sms_sign_name: str | None = None
    """短信签名, approved by the operators; without one no SMS goes out."""
    sms_templates: dict[str, str] = Field(default_factory=dict)
    """Our template key → their TemplateCode."""


class Pos(_Entry):
    """UnionPay cards at the POS of a region's windows, by the code of this way to pay, such as `pos-changzhou`."""

    title: str
    region: str
    authority: str
    """The collection authority whose bills it takes, as in the region's `region.yaml`."""
    merchant: str = Field(pattern="^[0-9A-Za-z]{15}$")
    """UnionPay's number of the merchant (merId), 15 characters."""
    private_key_file: str
    """The merchant's private key (PEM)."""
    certificate_id: str = Field(pattern="^[0-9]{1,40}$")
    """Serial number of the merchant's certificate, in decimal (certId)."""
    root_certificate_file: str
    """UnionPay's root certificate, pinned."""
    middle_certificate_file: str
    """UnionPay's middle certificate, pinned."""
    certificate_name: str = "中国银联股份有限公司"
    """Whom the certificate that signs is made for: the third part of its common name, cut at `@`."""


class Counter(_Entry):
    """A bank whose counters query and pay by our partner API, by the code of this way to pay, such as `counter-boc-320400`."""

    title: str
    bank: str
    """The bank's code in the region's `banks.yaml`."""
    region: str
    authority: str
    """The collection authority whose bills it takes, as in the region's `region.yaml`."""
    merchant: str = Field(pattern="^[0-9A-Za-z-]{4,40}$")
    """What the bank's collecting account is called in the books."""
    partner_keys: dict[str, str] = Field(min_length=1)
    """The bank's key id → file of its public key (PEM). Several live side by side while it moves from one to the next."""
    key_id: str
    """Our key's id, in every answer."""
    private_key_file: str
    """Our private key (PEM), by which answers are signed."""


class Slips(_Entry):
    """Counter money of one region of which a paper alone tells, by the code of this way to pay, such as `slip-320400`."""

    title: str
    region: str
    authority: str
    """The collection authority whose bills it takes, as in the region's `region.yaml`."""
    merchant: str = Field(pattern="^[0-9A-Za-z-]{4,40}$")
    """What the collecting account is called in the books."""


class Partners(_Entry):
    """Who we are to the platforms: the content of CANBAO_MINIPROGRAMS_FILE."""

    miniprograms: dict[str, Miniprogram]
    merchants: dict[str, Merchant]
    banks: dict[str, BankLink] = Field(default_factory=dict)
    """By a code of ours, which stands in orders for ever."""
    statements: dict[str, Path] = Field(default_factory=dict)
    """Merchant account, `{channel}:{merchant}` → the folder into which its daily statements come (docs/reference/statement-files.md)."""
    aliyun: Aliyun
    pos: dict[str, Pos] = Field(default_factory=dict)
    counters: dict[str, Counter] = Field(default_factory=dict)
    slips: dict[str, Slips] = Field(default_factory=dict)


def load_partners(path: Path) -> Partners:
    """Read the mini-programs file. Raises SettingsFault naming file and key."""
    try:
        given: Any = read_yaml(path)
        partners = Partners.model_validate(given)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as fault:
        raise SettingsFault(f"{path.name}: cannot be read: {fault}") from None
    except ValidationError as fault:
        raise SettingsFault(
            "\n".join(f"{path.name}: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in fault.errors())
        ) from None
    faults = [
        f"{path.name}: miniprograms.{code}.merchant: {program.merchant!r} is not among merchants, such as {next(iter(partners.merchants))!r}"
        for code, program in partners.miniprograms.items()
        if program.merchant is not None and program.merchant not in partners.merchants
    ]
    faults += [f"{path.name}: banks.{fault}" for fault in _bank_faults(partners)]
    faults += [
        f"{path.name}: miniprograms.{code}: an app signs people in by SMS; aliyun.{missing}"
        for code, program in partners.miniprograms.items()
        if program.platform == "app"
        for missing in _sms_faults(partners.aliyun)
    ]
    if faults:
        raise SettingsFault("\n".join(faults))
    return partners


def _bank_faults(partners: Partners) -> list[str]:
    """Codes that mean two things, and units that are two."""
    links = partners.banks
    faults = [f"{code}: a mini-program has this code; such as debit-{code}" for code in links if code in partners.miniprograms]
    faults += [
        f"{code}: name a folder or an sftp server, not both" for code, link in links.items() if link.folder and link.sftp
    ]
    units: dict[str, str] = {}
    for code, link in links.items():
        for said in (f"unit {link.unit}", f"bank {link.bank} of {link.authority}"):
            other = units.setdefault(said, code)
            if other != code:
                faults.append(f"{code}: {said} is {other}'s already")
    return faults


def _sms_faults(aliyun: Aliyun) -> list[str]:
    sign_name = [] if aliyun.sms_sign_name else ["sms_sign_name is missing, such as 常州人社"]
    template = (
        [] if SIGN_IN_CODE in aliyun.sms_templates else [f"sms_templates.{SIGN_IN_CODE} is missing, such as SMS_320400001"]
    )
    return sign_name + template


def secret(settings: Settings, name: str | None) -> str:
    """The content of one secret file, without the line end. Raises SettingsFault naming the file."""
    path = settings.secrets_dir / (name or "")
    try:
        return path.read_text().strip()
    except OSError:
        raise SettingsFault(f"{path.name or '(no name given)'}: not found in CANBAO_SECRETS_DIR") from None
