"""The embedded PostgreSQL under rough hands: two users, a starter that is killed, a crash, a reused pid, a long path, version 16."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from config.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresFault

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

USER = """
import sys, time
from pathlib import Path
from config.embedded_postgres import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1]), major=sys.argv[2]):
    print("in", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def a_home(prefix: str = "cb-", *, within: str = "") -> Iterator[Path]:
    """A home whose server, if one is left, is stopped, and of which nothing stays, also not under /var/lib/canbao."""
    with tempfile.TemporaryDirectory(prefix=prefix) as folder:
        home = Path(folder) / within
        home.mkdir(exist_ok=True, parents=True)
        try:
            yield home
        finally:
            for major in ("18", "16"):
                embedded = EmbeddedPostgres(home, major=major)
                if (embedded._data / "postmaster.pid").exists():
                    embedded._pg_ctl("stop", "-m", "immediate", "-w")
                shutil.rmtree(embedded._home, ignore_errors=True)


@pytest.fixture
def home() -> Iterator[Path]:
    with a_home() as home:
        yield home


@pytest.fixture(scope="module")
def made_once() -> Iterator[EmbeddedPostgres]:
    """initdb takes its seconds: once is enough."""
    with a_home() as home:
        with EmbeddedPostgres(home) as embedded:
            pass
        yield embedded


@pytest.fixture
def lived_in(home: Path, made_once: EmbeddedPostgres) -> Path:
    """A home that was used before and left in good order."""
    ours = EmbeddedPostgres(home)
    ours._make_folders()
    ours._data.rmdir()
    subprocess.run(["cp", "-a", str(made_once._data), str(ours._data)], check=True)
    return home


class User:
    """Another process that uses the server of this home."""

    def __init__(self, home: Path, major: str = "18") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(home), major], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "in\n"

    def leave(self) -> None:
        self.process.communicate("\n", timeout=30)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


def answers(embedded: EmbeddedPostgres) -> bool:
    try:
        with psycopg.connect(embedded.conninfo, connect_timeout=3) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def postmaster(embedded: EmbeddedPostgres) -> int:
    return int((embedded._data / "postmaster.pid").read_text().split("\n", 1)[0])


def crash(embedded: EmbeddedPostgres) -> None:
    """kill -9 of the postmaster; its children notice, and somebody has to bury it before its number is free."""
    pid = postmaster(embedded)
    os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)


def test_the_last_one_out_turns_off_the_light(lived_in: Path):
    embedded = EmbeddedPostgres(lived_in)
    with embedded:
        first, second = User(lived_in), User(lived_in)
        first.leave()
        assert answers(embedded)

    assert answers(embedded), "somebody else still uses it"
    second.leave()
    assert not answers(embedded)


def test_two_who_come_at_once_start_one_server(home: Path):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", USER, str(home), "18"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for each in started:
        assert each.stdout is not None
        assert each.stdout.readline() == "in\n"
    embedded = EmbeddedPostgres(home)
    pid = postmaster(embedded)

    for each in started[:2]:
        each.communicate("\n", timeout=30)
    assert postmaster(embedded) == pid
    assert answers(embedded)
    started[2].communicate("\n", timeout=30)
    assert not answers(embedded)


def test_a_killed_starter_takes_nobody_down_and_leaves_no_server_for_ever(lived_in: Path):
    starter = User(lived_in)
    other = User(lived_in)
    embedded = EmbeddedPostgres(lived_in)

    starter.kill()
    assert answers(embedded), "the other user still works"

    other.leave()
    assert not answers(embedded), "the dead one's use ended with it"


def test_what_only_a_killed_user_left_behind_is_taken_over(lived_in: Path):
    User(lived_in).kill()
    embedded = EmbeddedPostgres(lived_in)
    assert answers(embedded)
    pid = postmaster(embedded)

    with embedded:
        assert postmaster(embedded) == pid

    assert not answers(embedded)


def test_a_server_that_crashed_comes_up_again(lived_in: Path):
    with EmbeddedPostgres(lived_in) as embedded:
        with psycopg.connect(embedded.conninfo, autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
            connection.execute("INSERT INTO kept VALUES ('still here')")
        crash(embedded)

        with EmbeddedPostgres(lived_in) as again, psycopg.connect(again.conninfo) as connection:
            assert connection.execute("SELECT word FROM kept LIMIT 1").fetchone() == ("still here",)


def let_go(embedded: EmbeddedPostgres) -> None:
    if embedded._users is not None:
        embedded._users.close()
        embedded._users = None


def leave_a_stale_pid(home: Path, pid: int) -> EmbeddedPostgres:
    """What a power cut leaves: lock files, of the data and of the socket, whose number belongs to somebody else after the boot."""
    embedded = EmbeddedPostgres(home)
    try:
        embedded.__enter__()
        locks = [embedded._data / "postmaster.pid", *embedded.socket_folder.glob(".s.PGSQL.*.lock")]
        assert len(locks) == 2
        words = [lock.read_text().split("\n") for lock in locks]
        crash(embedded)
    finally:
        # The users' locks died with their processes too.
        let_go(embedded)
    for lock, lines in zip(locks, words, strict=True):
        lock.write_text("\n".join([str(pid), *lines[1:]]))
        embedded._own(lock)
    return embedded


@contextmanager
def entered(embedded: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """As `with embedded`, and its lock is let go also when it cannot be entered."""
    try:
        with embedded:
            yield embedded
    finally:
        let_go(embedded)


def test_a_stale_pid_of_somebody_else_is_no_obstacle(lived_in: Path):
    # Under the server's own user: PostgreSQL knows by itself that another user's process is no server of its own.
    who = {"user": "nobody"} if os.geteuid() == 0 else {}
    bystander = subprocess.Popen(["sleep", "60"], **who)
    try:
        with entered(leave_a_stale_pid(lived_in, bystander.pid)) as embedded:
            assert answers(embedded)
        assert bystander.poll() is None, "and nobody hurt the bystander"
    finally:
        bystander.kill()
        bystander.wait()


def test_a_stale_pid_of_another_postgres_is_no_obstacle(lived_in: Path):
    """Where several servers live, the number may well belong to one of them."""
    with a_home() as home, EmbeddedPostgres(home) as other:
        with entered(leave_a_stale_pid(lived_in, postmaster(other))) as embedded:
            assert answers(embedded)
        assert answers(other), "and the other server lives on"


@pytest.mark.parametrize("rubbish", ["", "not a number\n", "-1\n"])
def test_a_broken_pid_file_is_no_obstacle_or_is_said_plainly(lived_in: Path, rubbish: str):
    embedded = EmbeddedPostgres(lived_in)
    stale = embedded._data / "postmaster.pid"
    stale.write_text(rubbish)
    embedded._own(stale)
    try:
        with embedded:
            assert answers(embedded)
    except EmbeddedPostgresFault as fault:
        said = str(fault)
    else:
        return
    finally:
        stale.unlink(missing_ok=True)
    assert str(embedded.log) in said


def test_a_long_path_gets_a_short_socket():
    with a_home(within="/".join(["a-folder-with-a-rather-long-name"] * 5)) as home:
        assert len(str(home)) > 150
        with EmbeddedPostgres(home) as embedded:
            assert len(str(embedded.socket_folder)) <= 90
            assert answers(embedded)
        assert not answers(embedded)


def test_version_16_too(home: Path):
    with EmbeddedPostgres(home, major="16") as embedded, psycopg.connect(embedded.conninfo) as connection:
        assert connection.info.server_version // 10000 == 16


def test_16_and_18_live_side_by_side_in_one_home(lived_in: Path):
    with EmbeddedPostgres(lived_in, major="16") as old, EmbeddedPostgres(lived_in) as new:
        assert answers(old)
        assert answers(new)
        assert old.socket_folder != new.socket_folder


def test_no_other_version_is_promised(home: Path):
    with pytest.raises(EmbeddedPostgresFault, match="18 or 16"):
        EmbeddedPostgres(home, major="15")


def test_a_restart_keeps_what_was_committed_and_ends_every_connection(lived_in: Path):
    with EmbeddedPostgres(lived_in) as embedded, psycopg.connect(embedded.conninfo, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS survives (word text)")
        connection.execute("INSERT INTO survives VALUES ('yes')")

        embedded.restart(mode="immediate")

        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
        with psycopg.connect(embedded.conninfo) as fresh:
            assert fresh.execute("SELECT word FROM survives LIMIT 1").fetchone() == ("yes",)


def test_nobody_else_can_read_the_data_and_nothing_else_is_opened(lived_in: Path):
    embedded = EmbeddedPostgres(lived_in)
    mode = lived_in.stat().st_mode
    with embedded:
        assert embedded._data.stat().st_mode & 0o077 == 0
        assert embedded.socket_folder.stat().st_mode & 0o077 == 0
    assert lived_in.stat().st_mode == mode
