"""The roof: puts settings, adapters and doors together. It alone names concrete adapters.

web         gunicorn "app:web()"          the JSON door, for people with a phone; the staff's pages, and the public ones
letterbox   gunicorn "app:letterbox()"    the webhooks, in a process of their own
settle      canbao settle                 from waiting notices to books
worker      canbao worker                 the sweeps that the clock calls
"""

from __future__ import annotations

import atexit
import json
import os
from typing import TYPE_CHECKING, Any

import click
from apiflask import APIFlask
from flask.cli import FlaskGroup
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import sessionmaker
from werkzeug.middleware.proxy_fix import ProxyFix

import console.door
import miniprogram_api.door
import public_pages.door
import webhooks.door
from config.clock import SystemClock
from config.embedded_postgres import EmbeddedPostgres
from config.logs import set_up_logs
from config.rulebook import SHIPPED_REGIONS, load_rulebook
from config.seals import SealKeysFault, load_seals
from config.settings import Miniprogram, Settings, SettingsFault, load_partners, load_settings, secret
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
from providers.clamd import Clamd, ClamdFault
from providers.document_store import DocumentStore, DocumentStoreFault
from providers.http import Line
from providers.keys import (
    load_aes_key,
    load_api_v3_key,
    load_message_aes_key,
    load_private_key,
    load_public_key_or_certificate,
    refuse_our_own,
)
from providers.wechat.bills import WeChatBills
from providers.wechat.face import WeChatFace
from providers.wechat.login import WeChatLogin
from providers.wechat.messages import WeChatMessages, field_faults
from providers.wechat.open_api import WeChatOpenApi
from providers.wechat.pay import WeChatPay
from providers.wechat.signing import Signer, Verifier
from services.messages import template_faults, wordings
from services.ports import Ports
from services.watermarks import FontFault, check_font

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from flask import Flask
    from sqlalchemy import Engine

    from config.rulebook import Rulebook
    from config.settings import Partners
    from providers.bills import BillProvider
    from providers.protocols import FaceProvider, LoginProvider, MessageEventProvider, MessageProvider, PaymentProvider

DOORS = {
    "miniprogram_api": miniprogram_api.door,
    "console": console.door,
    "public_pages": public_pages.door,
    "webhooks": webhooks.door,
}
LARGEST_BODY_BYTES = 64 * 1024
STORE_OPTIONS = "document-store.json"
"""In CANBAO_SECRETS_DIR, where the store needs them: key, secret, endpoint_url and the like."""


def create_app(settings: Settings | None = None, *, doors: Collection[str] = tuple(DOORS), ports: Ports | None = None) -> Flask:
    """An application with the doors that were asked for. Raises SettingsFault when it cannot serve honestly."""
    settings = settings or load_settings()
    set_up_logs(level=settings.log_level)
    app = APIFlask(
        "canbao",
        title="Canbao 参保",
        version="1",
        docs_path=None,  # its viewers come from a CDN, and a public office loads no stranger's scripts
        spec_path="/openapi.json" if "miniprogram_api" in doors else None,
    )
    # One byte more than the doors allow: Werkzeug cuts a chunked body off there in silence, and by that byte they notice.
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY_BYTES + 1
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies, x_proto=settings.trusted_proxies)  # type: ignore[method-assign]
    app.extensions["canbao.settings"] = settings
    # Commands such as `canbao migrate` need no keys and no rulebook, so what opens them waits until somebody asks.
    app.extensions["canbao.make_ports"] = lambda **more: ports or build_ports(settings, **more)
    app.extensions["canbao.make_engine"] = build_engine
    if ports is not None:
        app.extensions["canbao.ports"] = ports
    _install_machines(app)
    for name in doors:
        DOORS[name].install(app)
    return app


def web() -> Flask:
    """What the web process serves."""
    return _serving(["miniprogram_api", "console", "public_pages"])


def letterbox() -> Flask:
    """What the letterbox process serves."""
    # Providers hang up after 5 s: better to say "come again" before that than to hold their line.
    return _serving(["webhooks"], statement_seconds=4)


def _serving(doors: list[str], **more: int) -> Flask:
    app = create_app(doors=doors)
    # A process that serves wants its keys, its rules and its database now, and a clear word if one is missing.
    app.extensions["canbao.ports"] = app.extensions["canbao.make_ports"](**more)
    return app


def build_engine(settings: Settings, *, statement_seconds: int = 30) -> Engine:
    """The database, ours if none was named. The embedded one is left at exit, and stopped by whoever leaves last."""
    url = settings.database_url
    if url is None:
        embedded = EmbeddedPostgres(settings.state_dir, major=settings.embedded_postgres)
        embedded.__enter__()
        atexit.register(embedded.leave)
        url = embedded.url
    return create_engine(
        url,
        pool_size=8,
        max_overflow=8,
        pool_timeout=5,
        hide_parameters=True,  # or a traceback would show people's data
        connect_args={
            "application_name": f"canbao-{os.getpid()}",
            "options": f"-c statement_timeout={statement_seconds}s -c idle_in_transaction_session_timeout=60000",
        },
    )


def build_ports(settings: Settings, *, statement_seconds: int = 30, while_rebuilding: bool = False) -> Ports:
    """Every port of the house with its adapter. Raises SettingsFault, SealKeysFault, RulebookFault, WordingsFault, KeyFileError."""
    partners = load_partners(settings.miniprograms_file)
    _check_messages(partners)
    clock = SystemClock()
    rulebook = _rulebook(settings, partners, today=clock.now().date())
    seals = load_seals(settings.secrets_dir / "seal-keys.json")
    if seals.is_rebuilding_indexes and not while_rebuilding:
        raise SealKeysFault("a rebuild of the blind indexes is not through; go on with: canbao seals rebuild-indexes")
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
                payments[code] = _wechat_pay(settings, partners, program, line=wechat_pay, notify_url=notify_url)
        elif program.platform == "alipay":
            client = _alipay(settings, program, line=alipay)
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
    return Ports(
        clock=clock,
        sessions=sessionmaker(build_engine(settings, statement_seconds=statement_seconds), expire_on_commit=False),
        seals=seals,
        rulebook=rulebook,
        partners=partners,
        logins=logins,
        payments=payments,
        faces=faces,
        messengers=messengers,
        message_events=message_events,
        daily_bills=_daily_bills(settings, partners, wechat_pay=wechat_pay, alipay=alipay),
        names=AliyunNames(line=identity_line),
        cards=AliyunCards(line=identity_line),
        sms=AliyunSms(line=sms_line, sign_name=partners.aliyun.sms_sign_name or "", templates=partners.aliyun.sms_templates),
        web_url=settings.web_url,
        **_pictures(settings),
    )


def _pictures(settings: Settings) -> dict[str, Any]:
    """Where pictures lie, who looks through them, and what the mark on them is written with. Raises SettingsFault."""
    more = settings.secrets_dir / STORE_OPTIONS
    try:
        options = json.loads(more.read_text(encoding="utf-8")) if more.exists() else {}
        url = settings.documents_url or (settings.state_dir / "documents").absolute().as_uri()
        store = DocumentStore(url=url, options=options)
    except (OSError, TypeError, ValueError) as fault:
        raise SettingsFault(f"{STORE_OPTIONS}: cannot be read as a JSON object ({type(fault).__name__})") from None
    except DocumentStoreFault as fault:
        raise SettingsFault(f"CANBAO_DOCUMENTS_URL: {fault}") from None
    try:
        scanner = Clamd(address=settings.clamd_address) if settings.clamd_address else None
        font = check_font(settings.watermark_font) if settings.watermark_font else None
    except ClamdFault as fault:
        raise SettingsFault(f"CANBAO_CLAMD_ADDRESS: {fault}") from None
    except FontFault as fault:
        raise SettingsFault(f"CANBAO_WATERMARK_FONT: {fault}") from None
    return {"documents": store, "scanner": scanner, "watermark_font": font}


def _wechat_pay(settings: Settings, partners: Partners, program: Miniprogram, *, line: Line, notify_url: str) -> WeChatPay:
    number = program.merchant or ""
    return WeChatPay(
        line=line,
        app_id=program.app_id,
        api_v3_key=load_api_v3_key(settings.secrets_dir / (partners.merchants[number].apiv3_key_file or "")),
        notify_url=notify_url,
        **_wechat_keys(settings, partners, number),
    )


def _wechat_keys(settings: Settings, partners: Partners, number: str) -> dict[str, Any]:
    """What a merchant and WeChat Pay sign with."""
    merchant, folder = partners.merchants[number], settings.secrets_dir
    theirs = {serial: load_public_key_or_certificate(folder / name) for serial, name in merchant.platform_keys.items()}
    return {
        "signer": Signer(
            number, merchant.certificate_serial or "", load_private_key(folder / (merchant.private_key_file or ""))
        ),
        "verifier": Verifier(
            {serial: key.public_key for serial, key in theirs.items()},
            expires_at={serial: key.expires_at for serial, key in theirs.items()},
        ),
        "response_key": merchant.response_key,
    }


def _daily_bills(settings: Settings, partners: Partners, *, wechat_pay: Line, alipay: Line) -> dict[str, BillProvider]:
    """By merchant account; whichever of its mini-programs comes last asks for it."""
    bills: dict[str, BillProvider] = {}
    for program in partners.miniprograms.values():
        number = program.merchant
        if number is not None and program.platform == "wechat":
            bills[f"{WeChatBills.channel}:{number}"] = WeChatBills(line=wechat_pay, **_wechat_keys(settings, partners, number))
        elif number is not None and program.platform == "alipay":
            client = _alipay(settings, program, line=alipay)
            bills[f"{AlipayBills.channel}:{number}"] = AlipayBills(client=client, line=alipay, seller_id=number)
    return bills


def _rulebook(settings: Settings, partners: Partners, *, today: date) -> Rulebook:
    rulebook = load_rulebook(SHIPPED_REGIONS, *([settings.regions_dir] if settings.regions_dir else []))
    served = sorted({region for program in partners.miniprograms.values() for region in program.regions})
    if settings.in_production and (unconfirmed := rulebook.unconfirmed(today, served)):
        raise SettingsFault(
            "production refuses figures that nobody has confirmed; put confirmed rulebooks into CANBAO_REGIONS_DIR:\n"
            + "\n".join(unconfirmed)
        )
    return rulebook


def _check_messages(partners: Partners) -> None:
    """Every text can be told, and every template of a platform names facts that there are."""
    wordings()
    faults = [
        fault
        for code, program in partners.miniprograms.items()
        for fault in (*template_faults(code, program), *_platform_faults(code, program))
    ]
    if faults:
        raise SettingsFault("\n".join(faults))


def _platform_faults(code: str, program: Miniprogram) -> list[str]:
    if program.platform == "alipay":
        return alipay_template_faults(code, program.subscribe_templates)
    return field_faults(code, program.subscribe_templates)


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


def _alipay(settings: Settings, program: Miniprogram, *, line: Line) -> AlipayClient:
    ours = load_private_key(settings.secrets_dir / (program.app_private_key_file or ""))
    file = settings.secrets_dir / (program.alipay_public_key_file or "")
    theirs = load_public_key_or_certificate(file)
    refuse_our_own(theirs, ours, source=file.name)
    return AlipayClient(
        line=line,
        app_id=program.app_id,
        private_key=ours,
        alipay_public_key=theirs.public_key,
    )


def _alipay_login(settings: Settings, program: Miniprogram, *, client: AlipayClient) -> AlipayLogin:
    file = program.alipay_aes_key_file
    return AlipayLogin(
        client=client,
        with_real_name=program.platform_real_name,
        aes_key=load_aes_key(settings.secrets_dir / file) if file else None,
    )


def _create_for_commands(*_: Any) -> Flask:
    # Only commands need them: a web process starts without migrations, progress bars and the worker's clock.
    from jobs.commands import COMMANDS

    try:
        app = create_app()
    except SettingsFault as fault:
        raise click.ClickException(str(fault)) from None
    for command in COMMANDS:
        app.cli.add_command(command)
    return app


def _install_machines(app: APIFlask) -> None:
    """For balancers and Prometheus: alive, ready, and how it goes."""

    @app.get("/healthz")
    @app.doc(hide=True)
    def healthz() -> tuple[dict[str, str], int]:
        return {"status": "ok"}, 200

    @app.get("/readyz")
    @app.doc(hide=True)
    def readyz() -> tuple[dict[str, str], int]:
        try:
            with app.extensions["canbao.ports"].begin() as session:
                migrated = session.scalar(text("SELECT version_num FROM alembic_version")) is not None
        except SQLAlchemyError:
            migrated = False
        if not migrated:
            return {"status": "the database does not answer, or was never migrated"}, 503
        return {"status": "ok"}, 200

    @app.get("/metrics")
    @app.doc(hide=True)
    def metrics() -> tuple[bytes, int, dict[str, str]]:
        registry = CollectorRegistry()
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        else:
            registry = REGISTRY
        return generate_latest(registry), 200, {"Content-Type": CONTENT_TYPE_LATEST}


cli = FlaskGroup(
    name="canbao", create_app=_create_for_commands, add_default_commands=False, add_version_option=False, load_dotenv=False
)
"""The `canbao` command."""
