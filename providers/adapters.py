"""The one place that names concrete adapters: from settings and partners to every provider that the house may ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from config.clock import SYSTEM_CLOCK
from config.settings import SettingsFault, secret
from providers.alipay.bills import AlipayBills
from providers.alipay.client import AlipayClient
from providers.alipay.face import AlipayFace
from providers.alipay.login import AlipayLogin
from providers.alipay.messages import AlipayMessages
from providers.alipay.messages import template_faults as alipay_template_faults
from providers.alipay.pay import AlipayPay
from providers.aliyun import identity as aliyun_identity
from providers.aliyun import sms as aliyun_sms
from providers.aliyun.face import AliyunFace
from providers.aliyun.identity import AliyunCards, AliyunNames
from providers.aliyun.line import AliyunLine
from providers.aliyun.sms import AliyunSms
from providers.authorities.tax_office import TaxOffice
from providers.banks.build import build_banks
from providers.counters.build import build_counters, build_slips
from providers.http import Line
from providers.keys import (
    load_aes_key,
    load_api_v3_key,
    load_message_aes_key,
    load_private_key,
    load_public_key_or_certificate,
    refuse_our_own,
)
from providers.protocols import Channel
from providers.statements import StatementFolder
from providers.unionpay.build import build_pos
from providers.wechat.bills import WeChatBills
from providers.wechat.face import WeChatFace
from providers.wechat.login import WeChatLogin
from providers.wechat.messages import WeChatMessages, field_faults
from providers.wechat.open_api import WeChatOpenApi
from providers.wechat.pay import WeChatPay
from providers.wechat.signing import Signer, Verifier

if TYPE_CHECKING:
    from config.clock import Clock
    from config.settings import Miniprogram, Partners, Settings
    from providers.bank_files import DebitProvider
    from providers.bills import BillProvider
    from providers.protocols import (
        CardProvider,
        FaceProvider,
        LoginProvider,
        MessageEventProvider,
        MessageProvider,
        NameProvider,
        PaymentProvider,
        SmsProvider,
    )


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """What `Ports` names alike."""

    logins: dict[str, LoginProvider]
    payments: dict[str, PaymentProvider]
    debit_banks: dict[str, DebitProvider]
    faces: dict[str, FaceProvider]
    messengers: dict[str, MessageProvider]
    message_events: dict[str, MessageEventProvider]
    daily_bills: dict[str, BillProvider]
    names: NameProvider
    cards: CardProvider
    sms: SmsProvider


def build_adapters(settings: Settings, partners: Partners, *, clock: Clock = SYSTEM_CLOCK) -> Adapters:
    """Every adapter with its keys; `clock` dates what is signed. Nobody is called. Raises SettingsFault, KeyFileError."""
    logins: dict[str, LoginProvider] = {}
    payments: dict[str, PaymentProvider] = {}
    faces: dict[str, FaceProvider] = {}
    messengers: dict[str, MessageProvider] = {}
    message_events: dict[str, MessageEventProvider] = {}
    # One line a provider: it holds the pooled connections and the bound on calls at once.
    wechat_api = Line(provider="wechat", base_url=settings.wechat_api_url)
    wechat_pay = Line(provider="wechat-pay", base_url=settings.wechat_pay_url)
    alipay = Line(provider="alipay", base_url=settings.alipay_gateway_url)
    identity_line = _aliyun(settings, partners, package=aliyun_identity.PACKAGE, base_url=settings.aliyun_identity_url)
    sms_line = _aliyun(settings, partners, package=aliyun_sms.PACKAGE, base_url=settings.aliyun_sms_url)
    for code, program in partners.miniprograms.items():
        notify_url = f"{settings.public_url}/webhooks/{'wechat-pay' if program.platform == 'wechat' else 'alipay'}/{code}"
        if program.platform == "wechat":
            api = WeChatOpenApi(line=wechat_api, app_id=program.app_id, app_secret=secret(settings, program.app_secret_file))
            logins[code], faces[code] = WeChatLogin(api=api), WeChatFace(api=api)
            if program.message_token_file is not None:
                messengers[code] = message_events[code] = _wechat_messages(settings, program, api=api)
            if program.merchant is not None:
                payments[code] = _wechat_pay(settings, partners, program, line=wechat_pay, notify_url=notify_url, clock=clock)
        elif program.platform == "alipay":
            client = _alipay(settings, program, line=alipay, clock=clock)
            logins[code], faces[code] = _alipay_login(settings, program, client=client), AlipayFace(client=client)
            messengers[code] = AlipayMessages(client=client, templates=program.subscribe_templates)
            if program.merchant is not None:
                payments[code] = AlipayPay(client=client, seller_id=program.merchant, notify_url=notify_url)
        else:
            faces[code] = AliyunFace(
                line=identity_line,
                scene_id=partners.aliyun.face_scene_id,
                callback_url=f"{settings.public_url}/webhooks/identity/aliyun",
                callback_token=secret(settings, partners.aliyun.face_callback_token_file),
            )
    debit_banks, bank_money = build_banks(settings, partners)
    payments |= build_pos(settings, partners, clock=clock)
    # What a tax authority took in by itself is booked by the same ways; its code is the authority's own.
    payments |= {merchant.authority: TaxOffice(authority=merchant.authority) for merchant in partners.merchants.values()}
    payments |= build_counters(settings, partners)
    payments |= build_slips(partners)
    return Adapters(
        logins=logins,
        payments=payments | bank_money,
        debit_banks=debit_banks,
        faces=faces,
        messengers=messengers,
        message_events=message_events,
        daily_bills=_daily_bills(settings, partners, wechat_pay=wechat_pay, alipay=alipay, clock=clock),
        names=AliyunNames(line=identity_line),
        cards=AliyunCards(line=identity_line),
        sms=AliyunSms(line=sms_line, sign_name=partners.aliyun.sms_sign_name or "", templates=partners.aliyun.sms_templates),
    )


def platform_faults(code: str, program: Miniprogram) -> list[str]:
    """What the platform would refuse in a mini-program's message templates; empty: nothing."""
    if program.platform == "alipay":
        return alipay_template_faults(code, program.subscribe_templates)
    return field_faults(code, program.subscribe_templates)


def _wechat_pay(
    settings: Settings, partners: Partners, program: Miniprogram, *, line: Line, notify_url: str, clock: Clock
) -> WeChatPay:
    number = program.merchant or ""
    return WeChatPay(
        line=line,
        app_id=program.app_id,
        api_v3_key=load_api_v3_key(settings.secrets_dir / (partners.merchants[number].apiv3_key_file or "")),
        notify_url=notify_url,
        **_wechat_keys(settings, partners, number, clock=clock),
    )


def _wechat_keys(settings: Settings, partners: Partners, number: str, *, clock: Clock) -> dict[str, Any]:
    """What a merchant and WeChat Pay sign with."""
    merchant, folder = partners.merchants[number], settings.secrets_dir
    theirs = {serial: load_public_key_or_certificate(folder / name) for serial, name in merchant.platform_keys.items()}
    return {
        "signer": Signer(
            number, merchant.certificate_serial or "", load_private_key(folder / (merchant.private_key_file or "")), clock=clock
        ),
        "verifier": Verifier(
            {serial: key.public_key for serial, key in theirs.items()},
            expires_at={serial: key.expires_at for serial, key in theirs.items()},
        ),
        "response_key": merchant.response_key,
    }


def _daily_bills(
    settings: Settings, partners: Partners, *, wechat_pay: Line, alipay: Line, clock: Clock
) -> dict[str, BillProvider]:
    """By merchant account; whichever of its mini-programs comes last asks for it."""
    bills: dict[str, BillProvider] = {}
    for program in partners.miniprograms.values():
        number = program.merchant
        if number is not None and program.platform == "wechat":
            keys = _wechat_keys(settings, partners, number, clock=clock)
            bills[f"{WeChatBills.channel}:{number}"] = WeChatBills(line=wechat_pay, **keys)
        elif number is not None and program.platform == "alipay":
            client = _alipay(settings, program, line=alipay, clock=clock)
            bills[f"{AlipayBills.channel}:{number}"] = AlipayBills(client=client, line=alipay, seller_id=number)
    for account, folder in partners.statements.items():
        channel, _, merchant = account.partition(":")
        if channel not in set(Channel) or not merchant:
            raise SettingsFault(f"statements.{account}: not a merchant account, such as bank_debit:ICBC320400")
        bills[account] = StatementFolder(channel=Channel(channel), merchant=merchant, folder=folder)
    return bills


def _wechat_messages(settings: Settings, program: Miniprogram, *, api: WeChatOpenApi) -> WeChatMessages:
    return WeChatMessages(
        api=api,
        token=secret(settings, program.message_token_file),
        aes_key=load_message_aes_key(settings.secrets_dir / (program.message_aes_key_file or "")),
        templates=program.subscribe_templates,
        miniprogram_state=program.miniprogram_state,
    )


def _aliyun(settings: Settings, partners: Partners, *, package: str, base_url: str) -> AliyunLine:
    return AliyunLine(
        package=package,
        access_key_id=secret(settings, partners.aliyun.access_key_id_file),
        access_key_secret=secret(settings, partners.aliyun.access_key_secret_file),
        base_url=base_url,
    )


def _alipay(settings: Settings, program: Miniprogram, *, line: Line, clock: Clock) -> AlipayClient:
    ours = load_private_key(settings.secrets_dir / (program.app_private_key_file or ""))
    file = settings.secrets_dir / (program.alipay_public_key_file or "")
    theirs = load_public_key_or_certificate(file)
    refuse_our_own(theirs, ours, source=file.name)
    return AlipayClient(
        line=line,
        app_id=program.app_id,
        private_key=ours,
        alipay_public_key=theirs.public_key,
        clock=clock,
    )


def _alipay_login(settings: Settings, program: Miniprogram, *, client: AlipayClient) -> AlipayLogin:
    file = program.alipay_aes_key_file
    return AlipayLogin(
        client=client,
        with_real_name=program.platform_real_name,
        aes_key=load_aes_key(settings.secrets_dir / file) if file else None,
    )
