"""Everything at once, on one machine: database, sandbox, web, letterbox, settle and worker, as processes that can be killed apart."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import requests
from sqlalchemy import create_engine

from config.embedded_postgres import EmbeddedPostgres
from config.seal_file import make_file
from config.settings import HOME
from models.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

BIN: Final = Path(sys.executable).parent
READY_WITHIN_SECONDS: Final = 60
STOP_WITHIN_SECONDS: Final = 15
PORTS: Final = {"web": 8000, "letterbox": 8001, "sandbox": 8100, "settle": 9101, "worker": 9102}
SEALED_BY: Final = "SM4-GCM"
PORTS_FILE: Final = "ports.json"
"""In the state folder: where the stack that was last run from it listened."""
SAYS_WHEN_READY: Final = {"settle": "settle.started", "worker": "worker.started"}
"""Parts without a port say it in their log."""


class StackFault(Exception):
    """A part does not come up; the sentence names it and where its log is."""


@dataclass
class Stack:
    """Our processes and the sandbox beside them. Entering starts all; leaving stops all, database last."""

    state_dir: Path
    ports: dict[str, int] = field(default_factory=lambda: dict(PORTS))
    notice_time_scale: float = 1.0
    """The sandbox's retry clock: 0.01 makes 15 s of waiting 0.15 s."""
    is_borrowed: bool = False
    """A world of its own: never the database of the environment, and nothing of it stays."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _log_begins: dict[str, int] = field(default_factory=dict)
    """Where in its log a part's present life begins."""

    def __post_init__(self) -> None:
        self.postgres = EmbeddedPostgres(self.state_dir, major=os.environ.get("CANBAO_EMBEDDED_POSTGRES", "18"))
        given = None if self.is_borrowed else os.environ.get("CANBAO_DATABASE_URL")
        self.has_own_database = given is None
        self.database_url = given or self.postgres.url
        self.logs = self.state_dir / "logs"

    @classmethod
    def on_free_ports(cls, state_dir: Path, **more: float) -> Self:
        """For tests and the demo: never in the way of another stack."""
        return cls(state_dir, ports={name: _free_port() for name in PORTS}, is_borrowed=True, **more)  # type: ignore[arg-type]

    @classmethod
    def from_port(cls, state_dir: Path, port: int) -> Self:
        """The usual ports, moved so that the web has this one."""
        return cls(state_dir, ports={name: usual - PORTS["web"] + port for name, usual in PORTS.items()})

    @classmethod
    def as_last_run(cls, state_dir: Path) -> Self:
        """Where the stack of this state folder listens, or did; where it would, if it never ran."""
        kept = state_dir / PORTS_FILE
        return cls(state_dir, ports=json.loads(kept.read_text())) if kept.exists() else cls(state_dir)

    def url(self, part: str) -> str:
        return f"http://127.0.0.1:{self.ports[part]}"

    @property
    def environment(self) -> dict[str, str]:
        sandbox = self.url("sandbox")
        return {
            # Ours, but of the tests: a setting that nobody knows would stop the start.
            **{name: value for name, value in os.environ.items() if not name.startswith("CANBAO_TEST_")},
            "CANBAO_MODE": "sandbox",
            "CANBAO_STATE_DIR": str(self.state_dir),
            "CANBAO_DATABASE_URL": self.database_url,
            "CANBAO_PUBLIC_URL": self.url("letterbox"),
            "CANBAO_WEB_URL": self.url("web"),
            "CANBAO_AUTHORITY_FILES_DIR": str(self.state_dir / "sandbox" / "authority-files"),
            "CANBAO_SECRETS_DIR": str(self.state_dir / "secrets"),
            "CANBAO_WECHAT_API_URL": f"{sandbox}/wechat-api",
            "CANBAO_WECHAT_PAY_URL": sandbox,
            "CANBAO_UNIONPAY_URL": sandbox,
            "CANBAO_ALIPAY_GATEWAY_URL": f"{sandbox}/gateway.do",
            "CANBAO_ALIYUN_IDENTITY_URL": sandbox,
            "CANBAO_ALIYUN_SMS_URL": sandbox,
        }

    def command(self, part: str) -> list[str]:
        python, canbao = str(BIN / "python"), str(BIN / "canbao")
        gunicorn = [str(BIN / "gunicorn"), "--chdir", str(HOME), "--config", str(HOME / "deploy" / "gunicorn.py")]
        return {
            "sandbox": [
                python, "-m", "sandbox", "serve", "--home", str(self.state_dir / "sandbox"), "--port", str(self.ports["sandbox"]),
                "--canbao-url", self.url("web"), "--letterbox-url", self.url("letterbox"), "--notice-time-scale", str(self.notice_time_scale),
            ],
            "web": [*gunicorn, "--bind", f"127.0.0.1:{self.ports['web']}", "app:web()"],
            "letterbox": [*gunicorn, "--bind", f"127.0.0.1:{self.ports['letterbox']}", "app:letterbox()"],
            "settle": [canbao, "settle", "--metrics", f"127.0.0.1:{self.ports['settle']}"],
            "worker": [canbao, "worker", "--metrics", f"127.0.0.1:{self.ports['worker']}"],
        }[part]  # fmt: skip

    def __enter__(self) -> Self:
        try:
            self.prepare()
            for part in ("sandbox", "web", "letterbox", "settle", "worker"):
                self.start(part)
            for part in self.processes:
                self.wait_for(part)
        except BaseException:
            self.stop_all()
            raise
        return self

    def __exit__(self, _kind: type[BaseException] | None, _fault: BaseException | None, _trace: TracebackType | None) -> None:
        self.stop_all()

    def prepare(self) -> None:
        """The database, its schema, and every key: ours made by us, theirs issued by the sandbox as a portal would."""
        self.logs.mkdir(parents=True, exist_ok=True)
        (self.state_dir / PORTS_FILE).write_text(json.dumps(self.ports))
        if self.has_own_database:
            self.postgres.__enter__()
        secrets, sandbox = self.state_dir / "secrets", self.state_dir / "sandbox"
        self.run([str(BIN / "python"), "-m", "sandbox", "issue", "--home", str(sandbox), "--secrets", str(secrets)])
        # Here, not by our own commands: each would take a second to begin with.
        make_file(secrets / "seal-keys.json", algorithm=SEALED_BY)
        engine = create_engine(self.database_url)
        with _hushed("alembic"):
            migrate(engine)
        engine.dispose()

    def run(self, command: list[str]) -> str:
        """One short command, to its end. Raises StackFault with what it said."""
        done = subprocess.run(  # noqa: S603 - our own commands, no shell
            command, env=self.environment, cwd=HOME, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            raise StackFault(f"{' '.join(command[:3])} failed: {done.stdout}{done.stderr}".strip())
        return done.stdout

    def start(self, part: str) -> None:
        with (self.logs / f"{part}.log").open("ab") as log:
            self._log_begins[part] = log.tell()
            self.processes[part] = subprocess.Popen(  # noqa: S603 - our own commands, no shell
                self.command(part),
                env=self.environment | self._metrics_of(part),
                cwd=HOME,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _metrics_of(self, part: str) -> dict[str, str]:
        """Where its workers put their figures together; each part a folder of its own, or two would answer for each other."""
        return {"PROMETHEUS_MULTIPROC_DIR": str(self.state_dir / "metrics" / part)} if part in ("web", "letterbox") else {}

    def kill(self, part: str) -> None:
        """SIGKILL, with all its children: what a power cut does."""
        process = self.processes[part]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def wait_for(self, part: str) -> None:
        """Until a part answers, or says that it has begun. Raises StackFault when it ends or never does."""
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while time.monotonic() < deadline:
            process = self.processes[part]
            if process.poll() is not None:
                break
            if self._is_ready(part):
                return
            time.sleep(0.1)
        tail = (self.logs / f"{part}.log").read_text(errors="replace")[-1500:]
        raise StackFault(f"{part} does not come up; its log {self.logs / part}.log ends:\n{tail}")

    def _is_ready(self, part: str) -> bool:
        if part in SAYS_WHEN_READY:
            with (self.logs / f"{part}.log").open("rb") as log:
                log.seek(self._log_begins[part])
                return SAYS_WHEN_READY[part].encode() in log.read()
        path = "/_sandbox/state?limit=0" if part == "sandbox" else "/readyz"
        try:
            return requests.get(self.url(part) + path, timeout=2).ok
        except requests.RequestException:
            return False

    def ended(self) -> list[str]:
        """Parts that ended by themselves."""
        return [part for part, process in self.processes.items() if process.poll() is not None]

    def stop_all(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(STOP_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.postgres.leave()
        if self.is_borrowed:
            self.postgres.throw_away()


@contextlib.contextmanager
def _hushed(name: str) -> Iterator[None]:
    """Whoever starts everything wants to read where to look, and not each step on the way."""
    told = logging.getLogger(name)
    before = told.level
    told.setLevel(logging.WARNING)
    yield
    told.setLevel(before)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
