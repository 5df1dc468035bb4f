"""The drill: a database is lost between two transactions and restored to a moment, and the books find the money that it forgot.

Everything is real but the people: PostgreSQL with its archive, the scripts of deploy/backup, the house, and the sandbox's money.
It is PostgreSQL 16, since the embedded 18 brings a pg_verifybackup that crashes at once; the scripts know no version.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import text

from app import build_ports, create_app
from config.embedded_postgres import EmbeddedPostgres
from config.settings import HOME, load_settings
from jobs.simulation import month as month_of
from jobs.simulation.chances import Chances
from jobs.simulation.clock import at, begins_on
from jobs.simulation.month import Month
from jobs.simulation.place import Builders, open_place
from jobs.simulation.pocket import take_out
from jobs.simulation.town import CHANGZHOU, Resident, id_number
from jobs.simulation.verdict import reckon
from services.bills import list_bills
from services.orders import NewOrder, place_order
from services.reconciliation import reconcile_what_is_due
from services.settlement import settle

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = HOME / "deploy" / "backup"
DAY = begins_on(1)


@dataclass
class Machine:
    """The database's machine: its server, its scripts, and a disk for backups."""

    server: EmbeddedPostgres
    scripts: Path
    backup: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, script: str, *words: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        """As the user of the database, which is not root."""
        programs = Path(self.server._bin("postgres")).parent
        who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run(
            [str(self.scripts / script), *words], capture_output=True, text=True, check=False, cwd="/",
            env={"PATH": f"{programs}:/usr/bin:/bin", "PGHOST": str(self.server.socket_folder), "PGUSER": "canbao", "BACKUP_HOME": str(self.backup), **more},
            **who,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def ask(self, question: str) -> str:
        with psycopg.connect(self.server.conninfo, autocommit=True) as connection:
            return str(connection.execute(question).fetchone()[0])

    def archive_all(self) -> None:
        """Until what is written by now is in the archive."""
        wanted = self.ask("SELECT pg_walfile_name(pg_switch_wal())")
        until = time.monotonic() + 30
        while not (self.backup / "wal" / wanted).exists():
            assert time.monotonic() < until, self.server.log.read_text()[-2000:]
            time.sleep(0.05)

    def burn_down(self) -> None:
        """No shutdown, no last checkpoint, and no data."""
        self.server._pg_ctl("stop", "-m", "immediate", "-w")
        shutil.rmtree(self.server._data)
        self.server._data.mkdir(mode=0o700)
        self.server._own(self.server._data)

    def come_up(self) -> None:
        self.server._start()
        until = time.monotonic() + 30
        while self.ask("SELECT pg_is_in_recovery()") == "True":
            assert time.monotonic() < until, self.server.log.read_text()[-2000:]
            time.sleep(0.05)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A server that archives. Its folders are in /tmp, for the database's user must reach them."""
    with tempfile.TemporaryDirectory(prefix="cb-drill-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        scripts, backup = folder / "scripts", folder / "backup"
        shutil.copytree(SCRIPTS, scripts)
        backup.mkdir()
        if os.geteuid() == 0:
            who = pwd.getpwnam("nobody")
            os.chown(backup, who.pw_uid, who.pw_gid)
        with EmbeddedPostgres(folder / "state", major="16") as server:
            machine = Machine(server, scripts, backup)
            with psycopg.connect(server.conninfo, autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET archive_mode = on")
                connection.execute(
                    f"""ALTER SYSTEM SET archive_command = 'BACKUP_HOME="{backup}" "{scripts}/archive-wal.sh" "%p" "%f"'"""
                )
            server.restart(mode="fast")
            yield machine
        server.throw_away()


class Town:
    """A few people with phones, who order and pay when they are told to."""

    def __init__(self, month: Month) -> None:
        self.month, self.place = month, month.place
        self.phones = [take_out(month, resident, platform=resident.way) for resident in month.residents]
        self.orders = {}

    def order(self, number: int) -> str:
        phone, ports = self.phones[number], self.place.ports
        payee = phone.payees[phone.resident.number]
        bills = [b for b in list_bills(ports, account=phone.account, insured_person_id=payee).bills if b.payability.payable]
        new = NewOrder(
            insured_person_id=payee,
            bill_nos=tuple(b.bill_no for b in bills),
            expected_amount_fen=sum(b.amount_fen for b in bills),
        )
        self.orders[number] = place_order(ports, account=phone.account, new=new, idempotency_key=f"once-{number}")
        return self.orders[number].order_no

    def pay(self, number: int) -> None:
        phone = self.phones[number]
        assert self.place.street.open_cashier(phone.platform, phone.app_id, phone.user_id, self.orders[number].launch)
        # The notice is in the letterbox when this is over.
        self.place.street.put_clock(self.place.clock.now())

    def state(self, number: int) -> str | None:
        with self.place.ports.begin() as session:
            return session.scalar(
                text("SELECT state FROM payment_orders WHERE order_no = :no"), {"no": self.orders[number].order_no}
            )

    def settle(self) -> None:
        while settle(self.place.ports):
            pass

    def money(self) -> dict[str, int]:
        return {account: fen for account, fen in self.place.street.ledger()["money"].items() if fen}


def tell(line: str) -> None:
    """For whoever watches: `make drill` shows it."""
    sys.stderr.write(f"drill: {line}\n")


def residents(count: int) -> list[Resident]:
    return [
        Resident(
            number=number, name="张三", id_number=id_number(number, area="320402"), region=CHANGZHOU, area="320402", tier="1",
            way=("wechat", "alipay")[number % 2], first_month=DAY.year * 100 + DAY.month, joins_on=DAY,
        )
        for number in range(1, count + 1)
    ]  # fmt: skip


BEFORE_THE_BASE, FROM_THE_LOG, IN_THE_INBOX, PAID_TOO_LATE, ALSO_TOO_LATE, ORDERED_TOO_LATE = range(6)


def test_what_the_restored_books_forgot_is_heard_from_the_providers(machine):
    given = load_settings({"CANBAO_DATABASE_URL": machine.server.url, "CANBAO_STATE_DIR": str(machine.backup.parent / "house")})
    builders = Builders(build_ports=build_ports, create_app=create_app)
    with open_place(builders, given, begins_at=at(DAY, 0), keep=False) as place:
        month = Month(
            place=place,
            chances=Chances(seed=1, fault_percent=0),
            residents=residents(6),
            ways=(),
            days=1,
            tell=lambda _line: None,
        )
        month_of._registrar(month, DAY)
        place.put_clock(at(DAY, 9))
        town = Town(month)

        town.order(BEFORE_THE_BASE)
        town.pay(BEFORE_THE_BASE)
        town.settle()
        machine.run("base-backup.sh")
        town.order(FROM_THE_LOG)
        town.pay(FROM_THE_LOG)
        town.settle()
        town.order(IN_THE_INBOX)
        town.pay(IN_THE_INBOX)
        for number in (PAID_TOO_LATE, ALSO_TOO_LATE):
            town.order(number)

        tell("three have paid, one of them with a notice that is not settled yet; two have ordered and not paid")

        # The moment to which everything is lost, and what happened after it. Base backups know whole seconds.
        time.sleep(1.1)
        moment = machine.ask("SELECT clock_timestamp()")
        for number in (PAID_TOO_LATE, ALSO_TOO_LATE):
            town.pay(number)
        town.order(ORDERED_TOO_LATE)
        town.pay(ORDERED_TOO_LATE)
        town.settle()
        assert {town.state(number) for number in range(6)} == {"PAID"}
        tell("after it: two paid their orders, one ordered and paid; then the database is stopped dead, and its data deleted")
        machine.archive_all()
        place.ports.sessions.kw["bind"].dispose()
        machine.burn_down()

        tell(machine.run("restore.sh", "--into", str(machine.server._data), "--until", moment).stdout.strip())
        machine.come_up()

        assert [town.state(number) for number in range(6)] == ["PAID", "PAID", "PREPAY", "PREPAY", "PREPAY", None]
        town.settle()
        assert town.state(IN_THE_INBOX) == "PAID"

        # The next morning's bills: what was ordered is paid after all, and what was never ordered waits for a person.
        place.put_clock(at(DAY + timedelta(days=1), 10, 30))
        assert reconcile_what_is_due(place.ports) > 0
        assert [town.state(number) for number in range(6)] == ["PAID", "PAID", "PAID", "PAID", "PAID", None]
        with place.ports.begin() as session:
            parked = session.execute(text("SELECT outcome, count(*) FROM notices WHERE state = 'PARKED' GROUP BY 1")).all()
            heard = session.scalar(text("SELECT count(*) FROM notices WHERE notification_id LIKE 'bill:%'"))
        assert [tuple(row) for row in parked] == [("UNCLAIMED", 1)]
        assert heard == 3

        tell(
            f"the restored books know of {[town.state(number) for number in range(6)].count('PAID')} of 6 payments by order again; 3 were heard from the bills, 1 of them waits for a person"
        )

        # And on: sweeps, staff and authorities do their work until nothing is left to do; then everything is held against everything.
        day = DAY + timedelta(days=2)
        while day < DAY + timedelta(days=12):
            month_of._begin(month, day)
            month_of._live(month, day)
            day += timedelta(days=1)
            if day > DAY + timedelta(days=3) and month_of.house.is_quiet(month, before=day):
                break
        place.put_clock(at(day, 0, 1))
        ledger = place.street.ledger()
        with place.ports.begin() as session:
            verdict = reckon(
                session,
                ledger,
                accounts=place.ports.daily_bills,
                days=[DAY + timedelta(days=n) for n in range((day - DAY).days - 1)],
            )
        tell(f"after {verdict.days} days closed by two people: money in {verdict.money_in} fen, faults {verdict.faults}")
        assert verdict.faults == []
        assert verdict.money_in == sum(order.total_fen for order in town.orders.values())


# --- each script by itself


def test_the_log_is_archived_once_and_never_over_another(machine, tmp_path):
    there = Path(tempfile.mkdtemp(dir=machine.backup.parent))
    there.chmod(0o777)
    one, other = there / "one", there / "other"
    one.write_bytes(b"a" * 100)
    other.write_bytes(b"b" * 100)
    name = "0000000900000000000000AA"

    assert machine.run("archive-wal.sh", str(one), name, BACKUP_HOME=str(there)).returncode == 0
    assert machine.run("archive-wal.sh", str(one), name, BACKUP_HOME=str(there)).returncode == 0
    refused = machine.run("archive-wal.sh", str(other), name, BACKUP_HOME=str(there), check=False)

    assert refused.returncode == 1
    assert "is there already, and is another" in refused.stderr
    assert (there / "wal" / name).read_bytes() == b"a" * 100
    assert [path.name for path in (there / "wal").iterdir()] == [name]
    for bad in ("../x", ".hidden", ""):
        assert machine.run("archive-wal.sh", str(one), bad, BACKUP_HOME=str(there), check=False).returncode != 0


def test_backups_are_verified_pruned_and_told_to_prometheus(machine):
    folder = Path(tempfile.mkdtemp(dir=machine.backup.parent))
    folder.chmod(0o777)
    told = folder / "canbao_backup.prom"
    own = {"BACKUP_HOME": str(folder), "KEEP_BASES": "1", "METRICS_FILE": str(told)}

    machine.run("base-backup.sh", **own)
    [first] = sorted(path.name for path in (folder / "base").glob("*Z"))
    time.sleep(1.1)
    machine.run("base-backup.sh", **own)
    [second] = sorted(path.name for path in (folder / "base").glob("*Z"))

    assert second > first
    assert (folder / "base" / f"{second}.finished").exists()
    assert not (folder / "base" / f"{first}.finished").exists()
    assert f"canbao_backup_verified_timestamp_seconds {str(int(time.time()))[:6]}" in told.read_text()

    # A gap, and a bit that fell over.
    for number in (1, 2, 4):
        (folder / "wal" / f"0000000700000000000000{number:02X}").write_bytes(b"")
    gap = machine.run("verify.sh", check=False, **own)
    assert gap.returncode == 1
    assert "000000070000000000000002 is followed by 000000070000000000000004" in gap.stderr
    for path in (folder / "wal").glob("00000007*"):
        path.unlink()
    control = folder / "base" / second / "global" / "pg_control"
    control.write_bytes(b"\0" + control.read_bytes()[1:])
    damaged = machine.run("verify.sh", check=False, **own)
    assert damaged.returncode == 1
    assert f"{second} is damaged" in damaged.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--into", "{full}", "--until", "2026-11-22 14:03:00+08:00"], "is not empty"),
        (["--into", "{new}", "--until", "2026-11-22 14:03:00"], "say the zone too"),
        (["--into", "{new}", "--until", "2001-01-01 00:00:00+08:00"], "no base backup was finished before"),
        (["--into", "{new}", "--until", "2026-11-22'; x=1 '+08"], "not a time"),
        (["--into", "{new}", "--base", "20010101T000000Z"], "there is no base backup"),
        (["--until", "2026-11-22 14:03:00+08:00"], "--into which folder?"),
    ],
)
def test_a_restore_that_would_guess_or_destroy_is_refused(machine, words, says):
    folder = Path(tempfile.mkdtemp(dir=machine.backup.parent))
    folder.chmod(0o777)
    (folder / "full").mkdir()
    (folder / "full" / "PG_VERSION").touch()

    done = machine.run("restore.sh", *[word.format(full=folder / "full", new=folder / "new") for word in words], check=False)

    assert done.returncode != 0
    assert says in done.stderr
    assert not (folder / "new").exists()


def test_keys_are_sealed_for_somebody_else_and_never_beside_the_data(machine, tmp_path):
    secrets, certificate, key = tmp_path / "secrets", tmp_path / "cert.pem", tmp_path / "key.pem"
    secrets.mkdir()
    (secrets / "seal-keys.json").write_text('{"keys": "a secret"}')
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=recovery", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    (tmp_path / "backup" / "deep").mkdir(parents=True)

    def seal(out):
        return subprocess.run(
            [str(SCRIPTS / "keys.sh"), str(secrets), str(certificate), str(out)],
            env={**os.environ, "BACKUP_HOME": str(tmp_path / "backup")}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    refused = seal(tmp_path / "backup" / "deep" / "keys.cms")
    done = seal(tmp_path / "keys.cms")

    assert (refused.returncode, done.returncode) == (1, 0), done.stderr
    assert "whoever takes the backup would have the keys to it" in refused.stderr
    sealed = (tmp_path / "keys.cms").read_bytes()
    assert b"a secret" not in sealed
    opened = subprocess.run(
        ["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", str(tmp_path / "keys.cms"), "-inkey", str(key)], check=True, capture_output=True
    )  # fmt: skip
    assert b'{"keys": "a secret"}' in opened.stdout
    assert seal(tmp_path / "keys.cms").returncode == 1
    assert (tmp_path / "keys.cms").read_bytes() == sealed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "cert.pem", "key.pem", "keys.cms", "secrets"]


def test_copies_of_pictures_share_what_is_the_same_and_forget_what_was_erased(tmp_path):
    pictures, copies = tmp_path / "pictures" / "ab", tmp_path / "backup" / "documents"
    pictures.mkdir(parents=True)
    (pictures / "same").write_bytes(b"1")
    (pictures / "erased").write_bytes(b"2")
    (pictures / "sealed-anew").write_bytes(b"3")

    def copy() -> Path:
        subprocess.run(
            [str(SCRIPTS / "documents.sh"), str(tmp_path / "pictures")],
            env={**os.environ, "BACKUP_HOME": str(tmp_path / "backup"), "KEEP_DAYS": "2"}, check=True, capture_output=True,
        )  # fmt: skip
        return max(copies.glob("*Z"))

    first = copy()
    (pictures / "erased").unlink()
    (pictures / "new").write_bytes(b"4")
    (pictures / "half").write_bytes(b"3+")
    (pictures / "half").replace(pictures / "sealed-anew")
    os.utime(pictures / "sealed-anew", (time.time() + 5,) * 2)
    time.sleep(1.05)
    second = copy()

    assert {path.name: path.read_bytes() for path in (first / "ab").iterdir()} == {
        "same": b"1",
        "erased": b"2",
        "sealed-anew": b"3",
    }
    assert {path.name: path.read_bytes() for path in (second / "ab").iterdir()} == {
        "same": b"1",
        "new": b"4",
        "sealed-anew": b"3+",
    }
    assert (first / "ab" / "same").stat().st_ino == (second / "ab" / "same").stat().st_ino
    time.sleep(1.05)
    copy()
    assert not first.exists()
    assert len(list(copies.iterdir())) == 2


def test_the_scripts_are_plain_shell():
    """Read by the strictest shell here, and by shellcheck where it is."""
    for path in SCRIPTS.glob("*.sh"):
        assert os.access(path, os.X_OK), path.name
        assert path.read_text().startswith("#!/bin/sh\n"), path.name
        subprocess.run(["sh", "-n", str(path)], check=True)
    if (shellcheck := shutil.which("shellcheck")) is None:
        pytest.skip("no shellcheck on this machine (Debian: apt-get install shellcheck)")
    done = subprocess.run([shellcheck, *map(str, SCRIPTS.glob("*.sh"))], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
