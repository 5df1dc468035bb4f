"""The roof: puts settings, adapters and doors together.

web         gunicorn "app:web()"          the JSON door, for people with a phone; the staff's pages, and the public ones
letterbox   gunicorn "app:letterbox()"    the webhooks, in a process of their own
settle      canbao settle                 from waiting notices to books
worker      canbao worker                 the sweeps that the clock calls
"""

from __future__ import annotations

import atexit
import os
import time
from typing import TYPE_CHECKING, Any

import click
from apiflask import APIFlask
from flask import Response, g, request
from flask.cli import FlaskGroup
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import sessionmaker
from werkzeug.middleware.proxy_fix import ProxyFix

import console.door
import miniprogram_api.door
import public_pages.door
import webhooks.door
from config.clock import SYSTEM_CLOCK
from config.embedded_postgres import EmbeddedPostgres
from config.logs import set_up_logs
from config.rulebook import SHIPPED_REGIONS, load_rulebook
from config.seals import SealKeysFault, load_seals
from config.settings import Settings, SettingsFault, load_partners, load_settings
from providers.adapters import build_adapters, platform_faults
from providers.checks import check_providers
from providers.pictures import build_document_store, build_scanner
from services.messages import template_faults, wordings
from services.ports import Ports
from services.watermarks import FontFault, check_font

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from flask import Flask
    from sqlalchemy import Engine

    from config.clock import Clock
    from config.rulebook import Rulebook
    from config.settings import Partners

DOORS = {
    "miniprogram_api": miniprogram_api.door,
    "console": console.door,
    "public_pages": public_pages.door,
    "webhooks": webhooks.door,
}
LARGEST_BODY_BYTES = 64 * 1024
MACHINES = frozenset({"/healthz", "/readyz", "/metrics"})
REQUESTS = Counter(
    "canbao_http_requests_total",
    "Requests, by the first part of their address and what was answered",
    ["door", "method", "status"],
)
SECONDS = Histogram(
    "canbao_http_seconds",
    "From a request's first line to its answer's, by the first part of its address",
    ["door"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


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
    # `canbao check-config` looks at each key by itself, also where the house as a whole would not start.
    app.extensions["canbao.check_providers"] = check_providers
    # For a house beside this one, with a clock of its own: `canbao simulate`.
    app.extensions["canbao.build_ports"], app.extensions["canbao.create_app"] = build_ports, create_app
    if ports is not None:
        app.extensions["canbao.ports"] = ports
    _install_machines(app)
    _install_measures(app)
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


def build_ports(
    settings: Settings, *, statement_seconds: int = 30, while_rebuilding: bool = False, clock: Clock = SYSTEM_CLOCK
) -> Ports:
    """Every port of the house with its adapter. Raises SettingsFault, SealKeysFault, RulebookFault, WordingsFault, KeyFileError."""
    partners = load_partners(settings.miniprograms_file)
    _check_messages(partners)
    rulebook = _rulebook(settings, partners, today=clock.now().date())
    seals = load_seals(settings.secrets_dir / "seal-keys.json")
    if seals.is_rebuilding_indexes and not while_rebuilding:
        raise SealKeysFault("a rebuild of the blind indexes is not through; go on with: canbao seals rebuild-indexes")
    return Ports(
        clock=clock,
        sessions=sessionmaker(build_engine(settings, statement_seconds=statement_seconds), expire_on_commit=False),
        seals=seals,
        rulebook=rulebook,
        partners=partners,
        **vars(build_adapters(settings, partners, clock=clock)),
        authority_files=settings.authority_files_dir,
        web_url=settings.web_url,
        **_pictures(settings),
    )


def _pictures(settings: Settings) -> dict[str, Any]:
    """Where pictures lie, who looks through them, and what the mark on them is written with. Raises SettingsFault."""
    try:
        font = check_font(settings.watermark_font) if settings.watermark_font else None
    except FontFault as fault:
        raise SettingsFault(f"CANBAO_WATERMARK_FONT: {fault}") from None
    return {"documents": build_document_store(settings), "scanner": build_scanner(settings), "watermark_font": font}


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
        for fault in (*template_faults(code, program), *platform_faults(code, program))
    ]
    if faults:
        raise SettingsFault("\n".join(faults))


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


def _install_measures(app: APIFlask) -> None:
    """How requests go. The labels are few: a whole address would hold numbers, and make a row of each."""

    @app.before_request
    def begin() -> None:
        g.began_at = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        if request.path not in MACHINES:
            door = request.url_rule.rule.split("/")[1] if request.url_rule else "-"
            REQUESTS.labels(door, request.method if request.method in METHODS else "-", response.status_code).inc()
            if "began_at" in g:
                SECONDS.labels(door).observe(time.perf_counter() - g.began_at)
        return response


cli = FlaskGroup(
    name="canbao", create_app=_create_for_commands, add_default_commands=False, add_version_option=False, load_dotenv=False
)
"""The `canbao` command."""
