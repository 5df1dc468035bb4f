"""An account's end, seals, blind indexes, the audit chain and the key file, killed: at each commit, and before each line on the way.

A kill between two lines mostly changes nothing at all. Where the database and the key file are as they were before, there is nothing
to look at but that; where something is different, it must hold at once, and end well when somebody presses again or the next run comes.
"""

from __future__ import annotations

import json
import os
import signal
import zlib
from typing import TYPE_CHECKING

import pytest

from config.seal_file import add_index_key, add_key, drop_previous_index_keys, make_file, retire_key, take_back_index_key
from config.seals import load_seals
from config.settings import HOME
from tests.architecture.reading import crash_points
from tests.crash import papers_and_sweeps  # noqa: F401 - its stories are LASTING's
from tests.crash.bank import Bank
from tests.crash.doomed import AFTER, BEFORE, Death, Scene, Ticks, build, no_disk
from tests.crash.lasting import LASTING, LASTING_MODULES, fingerprint, key_file
from tests.crash.stories import Stage
from tests.crash.theatre import FORGE, LIFE_SECONDS, Theatre, one_side_each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.architecture.reading import Point
    from tests.conftest import Server

pytestmark = pytest.mark.timeout(900)
"""The first one of them prepares the world of every story."""

POINTS = [point for point in crash_points() if point.module in LASTING_MODULES]
BY_LINE = [name for name, told in LASTING.items() if told.by_line]
DEATHS_IN_USUAL_SUITE, DEATHS_IN_FULL = 3, 400
"""Of one story, spread over its whole length; one that has not so many lines and statements is killed at every one."""


@pytest.fixture(scope="module")
def theatre(quick_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    return Theatre(quick_server, tmp_path_factory.mktemp("lasting"), LASTING)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", no_disk)


def stage_of(scene: Scene, name: str, theatre: Theatre) -> Stage:
    return Stage(ports=build(scene), bank=Bank(scene.folder), cast=theatre.prepared(name).cast)


def as_it_stands(stage: Stage) -> tuple[dict[str, str], str]:
    return fingerprint(stage), key_file(stage).read_text()


def look(stage: Stage, name: str) -> None:
    """First as the dead left it, then when somebody has taken it up again."""
    told = LASTING[name]
    told.holds(stage)
    told.again(stage)
    told.ended(stage)


def kill_and_look(theatre: Theatre, name: str, death: Death) -> None:
    database, scene = theatre.scene(name)
    code = theatre.run(scene, name, theatre.prepared(name).cast, death)
    assert code == -signal.SIGKILL, f"{name}: the child did not die {death.side} {death.point}, it ended with {code}"
    try:
        with stage_of(scene, name, theatre) as stage:
            look(stage, name)
    except AssertionError as fault:
        raise AssertionError(f"killed {death.side} {death.point} (time {death.time}) in {name!r}: {fault}") from fault
    theatre.drop(database)


def passing(theatre: Theatre, point: Point) -> list[tuple[str, int]]:
    counts = [(name, theatre.prepared(name).passed.count(point)) for name in LASTING]
    return [(name, count) for name, count in counts if count]


def length_of(theatre: Theatre, name: str) -> int:
    """How many lines and statements a story takes."""
    database, scene = theatre.scene(name)
    assert theatre.run(scene, name, theatre.prepared(name).cast, 0) == 0
    theatre.drop(database)
    ticks: int = json.loads((scene.folder / "ticks.json").read_text())
    return ticks


def kill_at_lines(theatre: Theatre, name: str, lines: Iterable[int]) -> tuple[int, int]:
    """Answers after how many deaths all was as before, and after how many it was not."""
    cast, unchanged, changed = theatre.prepared(name).cast, 0, 0
    database, scene = theatre.scene(name)
    with stage_of(scene, name, theatre) as stage:
        before = as_it_stands(stage)
    for line in lines:
        code = theatre.run(scene, name, cast, line)
        assert code == -signal.SIGKILL, f"{name}: the child did not die at line {line}, it ended with {code}"
        with stage_of(scene, name, theatre) as stage:
            if as_it_stands(stage) == before:
                unchanged += 1
                continue
            changed += 1
            try:
                look(stage, name)
            except AssertionError as fault:
                raise AssertionError(f"killed at line {line} of {name!r}: {fault}") from fault
        theatre.drop(database)
        database, scene = theatre.scene(name)
    # What the deaths left untouched goes well as if nobody had died.
    with stage_of(scene, name, theatre) as stage:
        look(stage, name)
    theatre.drop(database)
    return unchanged, changed


def test_every_commit_of_what_lasts_is_passed_by_a_story(theatre: Theatre):
    unpassed = [str(point) for point in POINTS if not passing(theatre, point)]

    assert not unpassed, f"write a story in tests/crash/lasting.py that comes by: {', '.join(unpassed)}"


@pytest.mark.parametrize("name", LASTING)
def test_every_story_ends_well_when_nobody_dies(theatre: Theatre, name: str):
    with stage_of(theatre.prepared(name).rehearsal, name, theatre) as stage:
        look(stage, name)


@pytest.mark.parametrize(("point", "side"), one_side_each(POINTS), ids=str)
def test_a_kill_at_a_commit_leaves_nothing_half_done(theatre: Theatre, point: Point, side: str):
    through = passing(theatre, point)
    assert through, "no story comes by"
    name, count = through[zlib.crc32(f"{point.module}{point.function}{side}".encode()) % len(through)]
    # In the midst of it, where there is one.
    kill_and_look(theatre, name, Death(point=point, side=side, time=(count + 1) // 2))


@pytest.mark.full
@pytest.mark.parametrize("side", [BEFORE, AFTER])
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_kill_at_each_commit_of_each_story_leaves_nothing_half_done(theatre: Theatre, point: Point, side: str):
    for name, count in passing(theatre, point):
        for time in range(1, count + 1):
            kill_and_look(theatre, name, Death(point=point, side=side, time=time))


@pytest.mark.parametrize("name", BY_LINE)
def test_a_kill_between_two_lines_leaves_all_as_before_or_ends_well(theatre: Theatre, name: str):
    length = length_of(theatre, name)
    step = length // (DEATHS_IN_USUAL_SUITE + 1)
    assert step, f"{name} is no story of {length} lines"

    # Never at its very last lines: how many there are is not the same each time, and nobody dies behind the end.
    deaths = [step * (at + 1) for at in range(DEATHS_IN_USUAL_SUITE)]
    unchanged, changed = kill_at_lines(theatre, name, deaths)

    assert unchanged + changed == DEATHS_IN_USUAL_SUITE


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", LASTING)
def test_a_kill_between_any_two_lines_leaves_all_as_before_or_ends_well(theatre: Theatre, name: str):
    length = length_of(theatre, name)
    # Backwards, so that the last line is among them: it comes after the last commit.
    lines = range(length, 0, -(length // DEATHS_IN_FULL + 1))

    unchanged, changed = kill_at_lines(theatre, name, lines)

    assert unchanged + changed == len(lines)
    assert changed
    print(f"{name}: of {length} lines, {unchanged} deaths changed nothing, {changed} were mended")  # noqa: T201 - a figure for whoever runs it


# The key file


def add_one(path: Path) -> None:
    add_key(path, algorithm="AES-256-GCM")


def retire_first(path: Path) -> None:
    retire_key(path, key_id="k1")


def make(path: Path) -> None:
    make_file(path, algorithm="SM4-GCM")


CHANGES: dict[str, tuple[Callable[[Path], None], tuple[Callable[[Path], None], ...], Callable[[dict[str, object]], object]]] = {
    "new-key": (add_one, (make,), lambda file: len(file["keys"])),  # type: ignore[arg-type]
    "retire-key": (retire_first, (make, add_one), lambda file: sorted(file["keys"])),  # type: ignore[call-overload]
    "index key added": (add_index_key, (make,), lambda file: len(file.get("previous_index_keys", []))),  # type: ignore[arg-type]
    "index key taken back": (take_back_index_key, (make, add_index_key), lambda file: "previous_index_keys" in file),
    "previous index keys dropped": (
        drop_previous_index_keys,
        (make, add_index_key),
        lambda file: "previous_index_keys" in file,
    ),
}
"""Change → (what makes it, what was done to the file before, what is different when it is through)."""


def die_at_each_line(change: Callable[[Path], None], path: Path) -> None:
    """A child whose own children make the same change and die, each a line later than the one before, until one lives.

    Each finds what those before it left lying about. What the key file is after each is written beside it.
    """
    old, lived, found = path.read_text() if path.exists() else None, False, []
    while not lived:
        child = os.fork()
        if child == 0:
            with Ticks({str(HOME / "config" / "seal_file.py")}, last=len(found) + 1).running():
                change(path)
            os._exit(0)
        lived = os.waitpid(child, 0)[1] == 0
        found.append(path.read_text() if path.exists() else None)
        if not lived and old is not None:
            path.write_text(old)
        elif not lived:
            path.unlink(missing_ok=True)
    (path.parent.parent / "found.json").write_text(json.dumps(found))


def files_after_each_death(change: Callable[[Path], None], path: Path) -> list[str | None]:
    child = FORGE.Process(target=die_at_each_line, args=(change, path), daemon=False)
    child.start()
    child.join(LIFE_SECONDS)
    assert child.exitcode == 0
    found: list[str | None] = json.loads((path.parent.parent / "found.json").read_text())
    assert len(found) > 20, "as if hardly a line had been passed"
    return found


@pytest.mark.parametrize("name", CHANGES)
def test_a_kill_before_any_line_of_a_change_leaves_the_old_key_file_or_the_new_one(tmp_path: Path, name: str):
    change, done_before, shows = CHANGES[name]
    path, place = tmp_path / "secrets" / "seal-keys.json", "persons.name_sealed:1"
    for each in done_before:
        each(path)
    old = path.read_text()
    sealed = load_seals(path).seal("张三丰", place=place)

    found = files_after_each_death(change, path)

    for text in found:
        path.write_text(text or "")
        assert load_seals(path).open(sealed, place=place) == "张三丰"
        assert (text == old) != (shows(json.loads(text or "")) != shows(json.loads(old)))
    # Old, old, … then new, and never old again.
    news = [text != old for text in found]
    assert (news[0], news[-1], news) == (False, True, sorted(news))
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in path.parent.iterdir()) == [".seal-keys.json.lock", "seal-keys.json"]


def test_a_kill_before_any_line_leaves_no_key_file_or_a_whole_one(tmp_path: Path):
    path = tmp_path / "secrets" / "seal-keys.json"

    found = files_after_each_death(make, path)

    for text in found:
        if text is not None:
            path.write_text(text)
            assert load_seals(path).current == "k1"
    there = [text is not None for text in found]
    assert (there[0], there[-1], there) == (False, True, sorted(there))
    assert path.stat().st_mode & 0o777 == 0o600
    assert not make_file(path, algorithm="SM4-GCM"), "a second file over the first"
