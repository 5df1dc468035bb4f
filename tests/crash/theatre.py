"""Where stories are played: a database, a bank and a seal key file for each death, copied from a world that was prepared once."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import shutil
import uuid
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from config.seals import new_seal_keys
from tests.architecture.reading import crash_points
from tests.crash.bank import Bank
from tests.crash.conftest import MIGRATED
from tests.crash.doomed import AFTER, BEFORE, Scene, build, play
from tests.crash.stories import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tests.architecture.reading import Point
    from tests.conftest import Server
    from tests.crash.doomed import Death
    from tests.crash.stories import Story

LIFE_SECONDS = 60

# The fork server reads the house once; each doomed child is a fork of it.
FORGE = multiprocessing.get_context("forkserver")
FORGE.set_forkserver_preload(
    [
        "tests.crash.doomed",
        "tests.crash.stories",
        "tests.crash.agreement_stories",
        "tests.crash.counter_stories",
        "tests.crash.debit_stories",
        "tests.crash.refund_stories",
        "tests.crash.lasting",
        "tests.crash.papers_and_sweeps",
    ]
)


def one_side_each(points: Iterable[Point]) -> list[tuple[Point, str]]:
    """For the usual suite: each point before it or after it, the same in each run; `-m full` takes both."""
    return [(point, (BEFORE, AFTER)[zlib.crc32(str(point).encode()) % 2]) for point in points]


@dataclass(frozen=True)
class Prepared:
    """A story's world, ready to be copied for each death."""

    database: str
    folder: Path
    cast: dict[str, Any]
    passed: list[Point]
    """The points that the story passes when nobody dies."""
    rehearsal: Scene
    """Where it was played to its end once."""


class Theatre:
    """Makes scenes: a database and a bank each, copied from the prepared ones."""

    def __init__(self, server: Server, folder: Path, stories: Mapping[str, Story]) -> None:
        self._server, self._folder, self._stories = server, folder, stories
        self._numbers = itertools.count()
        self._prepared: dict[str, Prepared] = {}
        self._broken: dict[str, str] = {}
        """Stories that do not even go well when nobody dies: their own test says so, and no other has to."""

    def _new(self, *, database: str, folder: Path | None) -> tuple[str, Scene]:
        name = f"crash_{uuid.uuid4().hex[:12]}"
        with self._server.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{database}" STRATEGY file_copy')
        ours = self._folder / f"{next(self._numbers)}"
        if folder is None:
            ours.mkdir()
            (ours / "seal-keys.json").write_text(new_seal_keys())
        else:
            shutil.copytree(folder, ours)
        return name, Scene(database_url=self._server.url_of(name), folder=ours, seal_keys=ours / "seal-keys.json")

    def prepared(self, name: str) -> Prepared:
        if name in self._broken:
            raise AssertionError(self._broken[name])
        if name not in self._prepared:
            database, scene = self._new(database=MIGRATED, folder=None)
            stage = Stage(ports=build(scene), bank=Bank(scene.folder), cast={})
            with stage:
                self._stories[name].prepare(stage)
            _, rehearsal = self._new(database=database, folder=scene.folder)
            if self.run(rehearsal, name, stage.cast, None) != 0:
                self._broken[name] = f"{name}: the story itself does not go well, see what its process said"
                raise AssertionError(self._broken[name])
            passed = json.loads((rehearsal.folder / "passed.json").read_text())
            points = [crash_points()[at] for at in passed]
            self._prepared[name] = Prepared(database, scene.folder, stage.cast, points, rehearsal)
        return self._prepared[name]

    def scene(self, name: str) -> tuple[str, Scene]:
        ready = self.prepared(name)
        return self._new(database=ready.database, folder=ready.folder)

    def run(self, scene: Scene, name: str, cast: dict[str, Any], death: Death | int | None) -> int | None:
        """Play it in a child, and tell how the child ended."""
        child = FORGE.Process(target=play, args=(scene, name, cast, death), daemon=True)
        child.start()
        child.join(LIFE_SECONDS)
        code = child.exitcode
        if code is None:
            child.kill()
            child.join()
        child.close()
        return code

    def drop(self, *names: str) -> None:
        """The prepared ones go with their server."""
        with self._server.connect() as connection:
            for name in names:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
