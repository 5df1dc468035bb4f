"""Places: a real PostgreSQL with the migrated schema, a database of its own for each test, and ports with fakes behind them."""

from __future__ import annotations

import functools
import os
import re
import tempfile
import uuid
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker
from xdist.scheduler import LoadFileScheduling

from config.embedded_postgres import EmbeddedPostgres
from config.rulebook import load_rulebook
from config.seals import load_seals, new_seal_keys
from config.settings import HOME, load_partners
from models.migrate import migrate
from providers.counters.build import build_slips
from providers.protocols import Channel
from services.ports import Ports, transaction_is_open
from tests.collected import remember
from tests.factories import DEBIT, World
from tests.providers.fakes import (
    FakeBills,
    FakeCards,
    FakeCounter,
    FakeDocuments,
    FakeFaces,
    FakeLogins,
    FakeMessages,
    FakeNames,
    FakePayments,
    FakeSms,
)
from tests.slates import Pool, Slates
from tests.town import town  # noqa: F401 - for journeys, and for whoever needs real processes and no settings of their own

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("usual", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True)
settings.register_profile("thorough", settings.get_profile("usual"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))

SANDBOX_PROGRAMS = HOME / "config" / "miniprograms.sandbox.yaml"
NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
"""Saturday, 21 November 2026, ten in the morning in Beijing."""


LONG = ("crash", "journeys", "browser", "torture", "properties")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kill-one-in",
        type=int,
        default=1,
        metavar="N",
        help="of the points where processes are killed, take every Nth; the random seed says which, so each run takes others",
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Remember them all; then, after everybody else, put long files first and take every Nth of the points."""
    remember(config, items)
    yield
    order_and_share(config, items)


def order_and_share(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long files first: begun last, they would run on alone while the other workers have nothing left."""
    items.sort(key=lambda item: (shared_by(item.path) is None, item.path.parent.name not in LONG))
    share = config.getoption("--kill-one-in")
    turn = config.getoption("randomly_seed") if share > 1 else 0
    spared = [item for item in items if (point := point_of(item)) and (zlib.crc32(point.encode()) + turn) % share]
    if spared:
        config.hook.pytest_deselected(items=spared)
        items[:] = [item for item in items if item not in set(spared)]


SHARED = ("town", "street")
"""Fixtures that are built once for many files: tests/town.py and tests/browser/conftest.py."""


@functools.cache
def shared_by(path: Path) -> str | None:
    """Which of them a file takes, unless it makes one of its own."""
    text = path.read_text(encoding="utf-8")
    for name in SHARED:
        if f"def {name}(" not in text and re.search(rf"^def \w+\([^)]*\b{name}\b", text, re.MULTILINE):
            return name
    return None


class ByFileAndTown(LoadFileScheduling):
    """Each file to one worker, and all who take the same town to the same one: building it costs more than many a test."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return shared_by(self.config.rootpath / file) or file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return ByFileAndTown(config, log) if config.getvalue("dist") == "loadfile" else None


def point_of(item: pytest.Item) -> str | None:
    """The point at which a test kills, for those that do."""
    given = getattr(getattr(item, "callspec", None), "params", {})
    return str(given["point"]) if item.path.parent.name == "crash" and "point" in given else None


class MovableClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def move(self, **by: float) -> None:
        self._now += timedelta(**by)

    def set(self, now: datetime) -> None:
        self._now = now


class CallsOutsideTransactions(list):
    """What fakes remember; and the promise that no provider is called while a transaction is open, kept in every test."""

    def append(self, call: tuple[str, object]) -> None:
        assert call[0] == "freeze" or not transaction_is_open(), f"{call[0]} was called inside a transaction"
        super().append(call)


@dataclass(frozen=True)
class Server:
    url: str
    """Of the maintenance database; tests make their own beside it."""
    embedded: EmbeddedPostgres | None = None

    def url_of(self, database: str) -> str:
        head, mark, query = self.url.partition("?")
        return f"{head.rsplit('/', 1)[0]}/{database}{mark}{query}"

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url.replace("postgresql+psycopg://", "postgresql://"), autocommit=True)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The embedded server (TEST_POSTGRES says which), or the one that TEST_DATABASE_URL names; left running only if somebody else uses it too."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield Server(given)
        return
    major = os.environ.get("TEST_POSTGRES", "18")
    with EmbeddedPostgres(HOME / ".canbao" / "tests", major=major) as embedded:
        server = Server(embedded.url, embedded)
        with server.connect() as connection:
            # Nobody pulls a test's plug, and thousands of databases are made here: half the time would be spent on the disk.
            for setting in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server


@pytest.fixture(scope="session")
def template(server: Server) -> Iterator[str]:
    """A database brought up by the migrations, once; each test copies it."""
    name = f"template_{uuid.uuid4().hex[:12]}"
    with server.connect() as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    engine = create_engine(server.url_of(name))
    migrate(engine)
    engine.dispose()
    yield name
    with server.connect() as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def fresh_database(server: Server, template: str) -> Iterator[str]:
    """A database with the whole schema and nothing in it, gone afterwards; answers its URL."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with server.connect() as connection:
        # Twice as fast as through the log, of which each would write 11 MB.
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
    yield server.url_of(name)
    with server.connect() as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def slates(server: Server, template: str) -> Iterator[Slates]:
    slates = Slates(lambda: fresh_database(server, template))
    yield slates
    slates.close()


@pytest.fixture
def database_url(slates: Slates) -> Iterator[str]:
    """A database with the whole schema and nothing in it; as good as fresh (tests/slates.py)."""
    with slates.lend() as url:
        yield url


@pytest.fixture(scope="session")
def rulebook():
    return load_rulebook()


@pytest.fixture(scope="session")
def seals(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("seals") / "seal-keys.json"
    path.write_text(new_seal_keys())
    return load_seals(path)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A seal key file of a test's own, for those that turn keys."""
    path = tmp_path / "seal-keys.json"
    path.write_text(new_seal_keys())
    return path


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def ports(database_url: str, rulebook, seals, clock: MovableClock) -> Iterator[Ports]:
    """The house with fakes for providers: `ports.payments["jiangsu-tax-wechat"]` is a FakePayments, and so on."""
    with ports_to(database_url, rulebook=rulebook, seals=seals, clock=clock) as ports:
        yield ports


partners_of = functools.cache(load_partners)
"""Nothing in them changes, and the file is read in 5 ms."""


@contextmanager
def ports_to(
    database_url: str, *, rulebook, seals, clock: MovableClock, miniprograms: Path = SANDBOX_PROGRAMS
) -> Iterator[Ports]:
    """What the fixture gives, for tests that need more than one house."""
    partners = partners_of(miniprograms)
    programs = partners.miniprograms
    pool = Pool.to(database_url)
    engine = pool.engine() if pool else create_engine(database_url, pool_size=5, max_overflow=20)
    yield Ports(
        clock=clock,
        sessions=sessionmaker(engine, expire_on_commit=False),
        seals=seals,
        rulebook=rulebook,
        partners=partners,
        logins={code: FakeLogins(calls=CallsOutsideTransactions()) for code in programs},
        payments={
            code: FakePayments(
                calls=CallsOutsideTransactions(),
                channel=Channel(partners.merchants[program.merchant].channel),
                merchant=program.merchant,
            )
            for code, program in programs.items()
            if program.merchant
        }
        | {
            code: FakePayments(calls=CallsOutsideTransactions(), channel=Channel.UNIONPAY_POS, merchant=pos.merchant)
            for code, pos in partners.pos.items()
        }
        | {
            merchant.authority: FakePayments(calls=CallsOutsideTransactions(), channel=Channel.TAX, merchant=merchant.authority)
            for merchant in partners.merchants.values()
        }
        | {
            code: FakeCounter(merchant=counter.merchant, bank=counter.bank, region=counter.region, authority=counter.authority)
            for code, counter in partners.counters.items()
        }
        | build_slips(partners)
        | {DEBIT: FakePayments(calls=CallsOutsideTransactions(), channel=Channel.BANK_DEBIT, merchant="ICBC320400")},
        faces={
            code: FakeFaces(
                calls=CallsOutsideTransactions(), name=f"{program.platform}_face", asks_for_device=program.platform == "app"
            )
            for code, program in programs.items()
        },
        messengers={
            code: FakeMessages(calls=CallsOutsideTransactions())
            if program.platform == "wechat"
            else FakeMessages(calls=CallsOutsideTransactions(), way="alipay_template", counts_allowances=False)
            for code, program in programs.items()
            if program.message_token_file or program.platform == "alipay"
        },
        message_events={},
        daily_bills={
            f"{merchant.channel}:{number}": FakeBills(
                calls=CallsOutsideTransactions(),
                channel=Channel(merchant.channel),
                merchant=number,
                counts_refunds_together=merchant.channel == Channel.ALIPAY,
            )
            for number, merchant in partners.merchants.items()
        },
        names=FakeNames(calls=CallsOutsideTransactions()),
        cards=FakeCards(calls=CallsOutsideTransactions()),
        sms=FakeSms(calls=CallsOutsideTransactions()),
        documents=FakeDocuments(calls=CallsOutsideTransactions()),
    )
    if pool:
        pool.leave(engine)
    else:
        engine.dispose()


@pytest.fixture
def world(ports: Ports) -> World:
    """Factories that build the plainest valid thing."""
    return World(ports)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="cb-") as folder:
        yield Path(folder)
