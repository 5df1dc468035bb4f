"""The child process that plays a story and is killed at one point of it. Nothing in production code knows of this.

`DoomedPorts.begin` and a thin wrapper around each provider look at who calls them; where that is the wanted place, the process
sends itself SIGKILL: no handler runs, no buffer is flushed, no connection is closed. `Ticks` is finer: any line, any statement.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import create_engine, event
from sqlalchemy.orm import sessionmaker

from config.rulebook import load_rulebook
from config.seals import load_seals
from config.settings import HOME, load_partners, load_settings
from providers.authorities.tax_office import TaxOffice
from providers.banks.build import build_banks
from providers.counters.build import build_slips
from providers.document_store import DocumentStore
from providers.protocols import Channel
from services.ports import Ports
from tests.architecture.reading import NO_CALL, Point, crash_points
from tests.conftest import NOW
from tests.crash.bank import (
    Bank,
    BankCards,
    BankFaces,
    BankLogins,
    BankMessages,
    BankNames,
    BankPayments,
    BankScanner,
    BankSms,
    FileClock,
)
from tests.providers.fakes import FakeCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from types import FrameType

    from sqlalchemy import Engine

BEFORE, AFTER = "before", "after"
WAY = "debit-boc-320400"
"""The one bank that debits by file here: each more costs every sweep a look."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Where a story is played: picklable, so that it can be handed to a child."""

    database_url: str
    folder: Path
    seal_keys: Path


@dataclass(frozen=True, kw_only=True)
class Death:
    """Where, on which side of it, and at which time of coming by."""

    point: Point
    side: str
    time: int = 1


class Fate:
    """Notes every point passed; ends the process at the one it was given."""

    def __init__(self, death: Death | None) -> None:
        self.death = death
        self.passed: list[Point] = []

    def at(self, point: Point | None, side: str) -> None:
        if point is None:
            return
        if side == BEFORE:
            self.passed.append(point)
        death = self.death
        if death and (point, side) == (death.point, death.side) and self.passed.count(point) == death.time:
            os.kill(os.getpid(), signal.SIGKILL)

    def failed(self, point: Point | None) -> None:
        """Nothing was committed there, so nobody came by."""
        if point is not None:
            self.passed.remove(point)


FATE = Fate(None)


class Ticks:
    """Counts each line of the watched files before it runs, each return, and each statement on both its sides; dies at one of them.

    So there is no place between two lines, and none between a commit and what follows it, where nobody was ever killed.
    """

    def __init__(self, watched: Collection[str], *, last: int = 0) -> None:
        self._watched, self._last = frozenset(watched), last
        self.count = 0

    def _tick(self, *_: object) -> None:
        self.count += 1
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def _call(self, frame: FrameType, _event: str, _arg: object) -> Any:
        return self._line if frame.f_code.co_filename in self._watched else None

    def _line(self, _frame: FrameType, what: str, _arg: object) -> Any:
        if what in ("line", "return"):
            self._tick()
        return self._line

    def watch(self, engine: Engine) -> None:
        for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(engine, name, lambda *_: self._tick())

    @contextmanager
    def running(self) -> Iterator[None]:
        sys.settrace(self._call)
        try:
            yield
        finally:
            sys.settrace(None)


@cache
def _points_of(path: str, function: str) -> list[Point]:
    return [point for point in crash_points() if point.path == path and point.function.rpartition(".")[2] == function]


def point_of(frame: FrameType, kind: str) -> Point | None:
    """The crash point that this frame stands at, if it is one of services/."""
    for point in _points_of(frame.f_code.co_filename, frame.f_code.co_name):
        last = point.end_line if kind == "call" else point.line
        if point.kind == kind and point.line <= frame.f_lineno <= last:
            return point
    return None


class DoomedPorts(Ports):
    def begin(self) -> Any:
        return self._begin(point_of(sys._getframe(1), "commit"))

    def begin_one(self) -> Any:
        return self._begin_one(point_of(sys._getframe(1), "commit"))

    @contextmanager
    def _begin_one(self, point: Point | None) -> Any:
        with super().begin_one() as driver:
            FATE.at(point, BEFORE)  # its one statement commits itself: before it nothing has happened, after it everything
            try:
                yield driver
            except psycopg.Error:
                FATE.failed(point)
                raise
        FATE.at(point, AFTER)

    @contextmanager
    def _begin(self, point: Point | None) -> Any:
        with super().begin() as session:
            yield session
            session.flush()
            FATE.at(point, BEFORE)
        FATE.at(point, AFTER)


class DoomedProvider:
    """A provider that may be the last thing its caller ever sees."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._provider, name)
        if not callable(attribute) or name in NO_CALL:
            return attribute

        def call(*given: Any, **named: Any) -> Any:
            point = point_of(sys._getframe(1), "call")
            FATE.at(point, BEFORE)
            try:
                return attribute(*given, **named)
            finally:
                FATE.at(point, AFTER)

        return call


def build(scene: Scene, *, doomed: bool = False) -> Ports:
    """The house over the bank; doomed where a child plays."""
    bank = Bank(scene.folder)
    partners = load_partners(HOME / "config" / "miniprograms.sandbox.yaml")
    wrap: Callable[[Any], Any] = DoomedProvider if doomed else lambda provider: provider
    one_bank = partners.model_copy(update={"banks": {WAY: partners.banks[WAY]}})
    debits, money = build_banks(load_settings({"CANBAO_STATE_DIR": str(scene.folder)}), one_bank)
    return (DoomedPorts if doomed else Ports)(
        clock=FileClock(bank, NOW),
        sessions=sessionmaker(create_engine(scene.database_url), expire_on_commit=False),
        seals=load_seals(scene.seal_keys),
        rulebook=_rulebook(),
        partners=partners,
        logins={code: wrap(BankLogins(bank=bank)) for code in partners.miniprograms},
        payments={
            code: wrap(
                BankPayments(
                    bank=bank,
                    code=code,
                    channel=Channel(partners.merchants[program.merchant].channel),
                    merchant=program.merchant,
                )
            )
            for code, program in partners.miniprograms.items()
            if program.merchant
        }
        | {
            code: wrap(BankPayments(bank=bank, code=code, channel=Channel.UNIONPAY_POS, merchant=pos.merchant))
            for code, pos in partners.pos.items()
        }
        # Nobody calls the tax authority: what it took stands in its list.
        | {merchant.authority: TaxOffice(authority=merchant.authority) for merchant in partners.merchants.values()}
        | {
            # Nobody is called there: its refunds wait on a list.
            code: FakeCounter(merchant=counter.merchant, bank=counter.bank, region=counter.region, authority=counter.authority)
            for code, counter in partners.counters.items()
        }
        | build_slips(partners)
        | {code: wrap(provider) for code, provider in money.items()},
        debit_banks={code: wrap(provider) for code, provider in debits.items()},
        faces={
            code: wrap(BankFaces(bank=bank, name=f"{program.platform}_face")) for code, program in partners.miniprograms.items()
        },
        messengers={
            code: wrap(BankMessages(bank=bank)) for code, program in partners.miniprograms.items() if program.message_token_file
        },
        message_events={},
        names=wrap(BankNames(bank=bank)),
        cards=wrap(BankCards(bank=bank)),
        sms=wrap(BankSms(bank=bank)),
        documents=wrap(DocumentStore(url=(scene.folder / "documents").as_uri())),
        scanner=wrap(BankScanner()),
    )


@cache
def _rulebook() -> Any:
    return load_rulebook()


# Read once by the process that forks, not by each child.
_rulebook()
crash_points()


def no_disk(_descriptor: int) -> None:
    """A killed process loses nothing that the system was told; only a power cut needs the disk, and is not tested here."""


def play(scene: Scene, name: str, cast: dict[str, Any], death: Death | int | None) -> None:
    """The child's whole life. A number is the tick to die at, 0 none of them. One that survives leaves what it passed."""
    from tests.crash import (  # noqa: F401 - theirs are among LASTING and STORIES
        agreement_stories,
        counter_stories,
        debit_stories,
        list_stories,
        papers_and_sweeps,
        refund_stories,
    )
    from tests.crash.lasting import LASTING, WATCHED
    from tests.crash.stories import STORIES, Stage

    global FATE  # noqa: PLW0603 - one fate a process
    FATE = Fate(death if isinstance(death, Death) else None)
    os.fsync = no_disk
    told = {**STORIES, **LASTING}[name]
    stage = Stage(ports=build(scene, doomed=True), bank=Bank(scene.folder), cast=cast)
    if isinstance(death, int):
        ticks = Ticks(WATCHED, last=death)
        ticks.watch(stage.ports.sessions.kw["bind"])
        with ticks.running():
            told.act(stage)
        (scene.folder / "ticks.json").write_text(json.dumps(ticks.count))
        return
    told.act(stage)
    passed = [crash_points().index(point) for point in FATE.passed]
    (scene.folder / "passed.json").write_text(json.dumps(passed))
