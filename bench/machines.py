"""A world of its own in a temporary folder: database, keys, and the processes as they are deployed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import psycopg
import yaml
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from bench.notices import Payee
from config.embedded_postgres import EmbeddedPostgres
from config.seals import new_seal_keys
from config.settings import HOME

if TYPE_CHECKING:
    from types import TracebackType

BIN: Final = Path(sys.executable).parent
PROGRAM: Final = "jiangsu-tax-wechat"
APP_ID: Final = "wx3204000000000001"
MERCHANT: Final = "1900003204"
AUTHORITY: Final = "tax-320400"
SERIAL: Final = "PUB_KEY_ID_0119000032042026112200000001"
READY_WITHIN_SECONDS: Final = 60
SERVED: Final = {
    "empty": "bench.handlers:empty()",
    "verify-only": "bench.handlers:verify_only()",
    "letterbox": "app:letterbox()",
}


class Machines:
    """Entering starts the database and makes the keys; processes are started and stopped by name."""

    def __init__(self, *, major: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="canbao-bench-"))
        self.postgres = EmbeddedPostgres(self.folder, major=major)
        self.secrets = self.folder / "secrets"
        self.ports = {name: _free_port() for name in SERVED}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.payee = self._make_payee()

    def __enter__(self) -> Self:
        self.postgres.__enter__()
        try:
            with self.connect() as connection:
                # The moment of a commit, as the database saw it: how long a notice waited is then read from rows.
                connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
            self.postgres.restart(mode="fast")
            self.run("migrate")
        except BaseException:
            self._clean_up()
            raise
        return self

    def __exit__(self, _kind: type[BaseException] | None, _fault: BaseException | None, _trace: TracebackType | None) -> None:
        for name in list(self.processes):
            self.stop(name)
        self._clean_up()

    def _clean_up(self) -> None:
        self.postgres.leave()
        # As root the server's home stands outside of our folder.
        shutil.rmtree(self.postgres.log.parent, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, database: str = "canbao") -> psycopg.Connection[Any]:
        return psycopg.connect(f"host={self.postgres.socket_folder} user=canbao dbname={database}", autocommit=True)

    def url_of(self, database: str) -> str:
        return self.postgres.url_of(database)

    @property
    def environment(self) -> dict[str, str]:
        ours = {
            "CANBAO_MODE": "sandbox",
            "CANBAO_STATE_DIR": str(self.folder),
            "CANBAO_DATABASE_URL": self.postgres.url,
            "CANBAO_SECRETS_DIR": str(self.secrets),
            "CANBAO_MINIPROGRAMS_FILE": str(self.folder / "miniprograms.yaml"),
            "PROMETHEUS_MULTIPROC_DIR": str(self.folder / "metrics"),
        }
        return {name: value for name, value in os.environ.items() if not name.startswith("CANBAO_")} | ours

    def run(self, *words: str) -> None:
        """One short `canbao` command, to its end."""
        subprocess.run([str(BIN / "canbao"), *words], env=self.environment, cwd=HOME, check=True, capture_output=True)

    def serve(self, name: str) -> None:
        """One of SERVED, by gunicorn as it is deployed; comes back when it answers."""
        config = str(HOME / "deploy" / "gunicorn.py")
        bind = f"127.0.0.1:{self.ports[name]}"
        command = [str(BIN / "gunicorn"), "--chdir", str(HOME), "--config", config, "--bind", bind, SERVED[name]]
        self._start(name, command)
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not self._answers(name):
            if self.processes[name].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} does not come up: {self.log(name).read_text(errors='replace')[-1500:]}")
            time.sleep(0.1)

    def settle(self) -> None:
        """The real `canbao settle`."""
        self._start("settle", [str(BIN / "canbao"), "settle"])

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def stop(self, name: str) -> None:
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(25)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self, name: str, command: list[str]) -> None:
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                env=self.environment,
                cwd=HOME,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _answers(self, name: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}/healthz", timeout=2):
                return True
        except urllib.error.HTTPError:
            return True  # the empty handler knows no such page, and is up
        except OSError:
            return False

    def _make_payee(self) -> Payee:
        """Keys of this run alone: ours, and those that WeChat Pay would hold."""
        (self.folder / "metrics").mkdir()
        self.secrets.mkdir()
        ours, theirs = generate_private_key(65537, 2048), generate_private_key(65537, 2048)
        api_v3_key = secrets.token_hex(16)
        files = {
            "app-secret.txt": b"bench",
            "merchant-private-key.pem": _pem(ours),
            "apiv3-key.txt": api_v3_key.encode(),
            "public-key.pem": theirs.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "aliyun-id.txt": b"bench",
            "aliyun-secret.txt": b"bench",
            "seal-keys.json": new_seal_keys().encode(),
        }
        for name, content in files.items():
            (self.secrets / name).write_bytes(content)
        partners = {
            "miniprograms": {
                PROGRAM: {
                    "title": "bench",
                    "platform": "wechat",
                    "app_id": APP_ID,
                    "regions": ["320400"],
                    "app_secret_file": "app-secret.txt",
                    "merchant": MERCHANT,
                }
            },
            "merchants": {
                MERCHANT: {
                    "channel": "wechat_pay",
                    "authority": AUTHORITY,
                    "private_key_file": "merchant-private-key.pem",
                    "certificate_serial": "3204000000000000000000000000000000003204",
                    "apiv3_key_file": "apiv3-key.txt",
                    "platform_keys": {SERIAL: "public-key.pem"},
                    "response_key": SERIAL,
                }
            },
            "aliyun": {"access_key_id_file": "aliyun-id.txt", "access_key_secret_file": "aliyun-secret.txt"},
        }
        (self.folder / "miniprograms.yaml").write_text(yaml.safe_dump(partners))
        return Payee(
            app_id=APP_ID, merchant=MERCHANT, serial=SERIAL, api_v3_key=api_v3_key.encode(), private_key_pem=_pem(theirs)
        )


def _pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
