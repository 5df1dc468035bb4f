"""A place of its own for a simulation: a fresh database, a sandbox process, the house with its letterbox, and one clock for all of them.

The letterbox is a thread of this process, so that it shares the clock; the sandbox is a process, and is told the time over HTTP.
"""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import psycopg
from sqlalchemy import create_engine
from werkzeug.serving import WSGIRequestHandler, make_server

from config.embedded_postgres import EmbeddedPostgres
from config.logs import set_up_logs
from config.seal_file import make_file
from config.settings import HOME, load_settings
from jobs.simulation.clock import MONTH, SimulatedClock
from jobs.simulation.street import Street, StreetFault
from models.migrate import migrate
from providers.protocols import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from flask import Flask

    from config.settings import Settings
    from services.ports import Ports

READY_WITHIN_SECONDS: Final = 30.0
STOPS_WITHIN_SECONDS: Final = 10.0
DOORS: Final = ("webhooks",)
LOG_LEVEL: Final = "WARNING"
FEE_RATE: Final = 60
"""0.60 % of what comes by WeChat Pay; the other providers' bills of the sandbox tell of no fees."""
KEYS_FROM: Final = MONTH[0] - timedelta(days=30)
"""When the providers' certificates begin: before the month that is played, whatever today is."""


@dataclass(frozen=True, kw_only=True)
class Builders:
    """How the roof puts a house together; the simulation is downstairs and does not know."""

    build_ports: Callable[..., Ports]
    create_app: Callable[..., Flask]


@dataclass(frozen=True, kw_only=True)
class Place:
    ports: Ports
    street: Street
    clock: SimulatedClock
    settings: Settings
    folder: Path
    letterbox: Letterbox

    def put_clock(self, now: datetime) -> None:
        """Both sides of the street at once; what is due by then is in the letterbox afterwards."""
        self.clock.put(now)
        self.street.put_clock(now)


@contextmanager
def open_place(builders: Builders, given: Settings, *, begins_at: datetime, keep: bool) -> Iterator[Place]:
    """Build it, lend it, take it down; with `keep`, database and folder stay. Raises StreetFault, psycopg.Error."""
    folder = Path(tempfile.mkdtemp(prefix="canbao-simulate-"))
    with ExitStack() as leaving:
        if not keep:
            leaving.callback(shutil.rmtree, folder, ignore_errors=True)
        log = leaving.enter_context(_log_file(folder))
        database_url = leaving.enter_context(_database(given, keep=keep))
        letterbox = leaving.enter_context(_letterbox())
        sandbox_url = leaving.enter_context(_sandbox(folder, letterbox_url=letterbox.url))
        make_file(folder / "secrets" / "seal-keys.json", algorithm="SM4-GCM")
        settings = _settings(folder, database_url=database_url, sandbox_url=sandbox_url, letterbox_url=letterbox.url)
        clock = SimulatedClock(begins_at)
        ports = builders.build_ports(settings, clock=clock)
        leaving.callback(ports.sessions.kw["bind"].dispose)
        letterbox.app = builders.create_app(settings, doors=DOORS, ports=ports)
        set_up_logs(level=LOG_LEVEL, stream=log)  # an application speaks to the screen, and this one shall not
        street = Street(sandbox_url)
        leaving.callback(street.close)
        place = Place(ports=ports, street=street, clock=clock, settings=settings, folder=folder, letterbox=letterbox)
        place.put_clock(begins_at)
        for account in sorted(ports.daily_bills):
            if account.startswith(Channel.WECHAT_PAY):
                street.keep_fees(account, FEE_RATE)
        yield place


def _settings(folder: Path, *, database_url: str, sandbox_url: str, letterbox_url: str) -> Settings:
    return load_settings(
        {
            "CANBAO_MODE": "sandbox",
            "CANBAO_DATABASE_URL": database_url,
            "CANBAO_PUBLIC_URL": letterbox_url,
            "CANBAO_STATE_DIR": str(folder),
            "CANBAO_AUTHORITY_FILES_DIR": str(folder / "sandbox" / "authority-files"),
            "CANBAO_SECRETS_DIR": str(folder / "secrets"),
            "CANBAO_WECHAT_API_URL": f"{sandbox_url}/wechat-api",
            "CANBAO_WECHAT_PAY_URL": sandbox_url,
            "CANBAO_ALIPAY_GATEWAY_URL": f"{sandbox_url}/gateway.do",
            "CANBAO_ALIYUN_IDENTITY_URL": sandbox_url,
            "CANBAO_ALIYUN_SMS_URL": sandbox_url,
            "CANBAO_UNIONPAY_URL": sandbox_url,
        }
    )


@contextmanager
def _database(given: Settings, *, keep: bool) -> Iterator[str]:
    """A fresh database with the whole schema on the installation's own server; answers its URL."""
    with ExitStack() as leaving:
        server_url = given.database_url
        if server_url is None:
            embedded = leaving.enter_context(EmbeddedPostgres(given.state_dir, major=given.embedded_postgres))
            server_url = embedded.url
        name = f"canbao_simulation_{secrets.token_hex(4)}"
        head, mark, query = server_url.partition("?")
        url = f"{head.rsplit('/', 1)[0]}/{name}{mark}{query}"
        _run_sql(server_url, f'CREATE DATABASE "{name}"')
        try:
            # Nothing here needs to outlive a power cut.
            _run_sql(server_url, f'ALTER DATABASE "{name}" SET synchronous_commit = off')
            engine = create_engine(url)
            migrate(engine)
            engine.dispose()
            yield url
        finally:
            if not keep:
                _run_sql(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def _run_sql(url: str, sql: str) -> None:
    with psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://", 1), autocommit=True) as connection:
        connection.execute(sql)


class Letterbox:
    """Answers at its address from the first moment; the application moves in once it is built."""

    def __init__(self) -> None:
        self.app: Any = None
        self._mail = threading.Event()
        self.server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_QuietHandler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def has_mail(self) -> bool:
        """Whether anything came since this was asked last."""
        came = self._mail.is_set()
        self._mail.clear()
        return came

    def _answer(self, environ: Any, start_response: Any) -> Any:
        if self.app is None:
            start_response("503 Service Unavailable", [("Content-Length", "0")])
            return [b""]
        self._mail.set()
        return self.app(environ, start_response)


class _QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        del code, size


@contextmanager
def _letterbox() -> Iterator[Letterbox]:
    letterbox = Letterbox()
    thread = threading.Thread(target=letterbox.server.serve_forever, daemon=True, name="letterbox")
    thread.start()
    try:
        yield letterbox
    finally:
        letterbox.server.shutdown()
        thread.join()
        letterbox.server.server_close()


@contextmanager
def _sandbox(folder: Path, *, letterbox_url: str) -> Iterator[str]:
    """The sandbox as a process: its keys issued as a portal would, its page where nobody looks. Raises StreetFault."""
    home, port = folder / "sandbox", _free_port()
    url = f"http://127.0.0.1:{port}"
    program = [sys.executable, "-m", "sandbox"]
    with (folder / "sandbox.log").open("ab") as log:
        issued = subprocess.run(  # noqa: S603 - our own words, no shell
            [*program, "issue", "--home", str(home), "--secrets", str(folder / "secrets"), "--valid-from", str(KEYS_FROM)],
            cwd=HOME, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False,
        )  # fmt: skip
        if issued.returncode:
            raise StreetFault(f"the sandbox issues no keys; see {log.name}")
        process = subprocess.Popen(  # noqa: S603 - our own words, no shell
            [*program, "serve", "--home", str(home), "--port", str(port), "--letterbox-url", letterbox_url],
            cwd=HOME, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        _wait_for(url, process)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(STOPS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    until, street = time.monotonic() + READY_WITHIN_SECONDS, Street(url)
    try:
        while True:
            try:
                street.ask("GET", "/clock")
            except StreetFault:
                if process.poll() is not None or time.monotonic() > until:
                    raise StreetFault("the sandbox does not come up") from None
                time.sleep(0.05)
            else:
                return
    finally:
        street.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _log_file(folder: Path) -> Iterator[TextIO]:
    """What the house says goes beside the database, not between the days on the screen."""
    with (folder / "canbao.log").open("a", encoding="utf-8") as log:
        set_up_logs(level=LOG_LEVEL, stream=log)
        try:
            yield log
        finally:
            set_up_logs()
