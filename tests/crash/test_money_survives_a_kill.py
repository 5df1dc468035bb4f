"""Crash points: at each commit and each provider call of the money path a process is killed, just before and just after.

The list is read from the code (`tests/architecture/reading.py`), so a commit or a call that somebody adds gets its tests by itself.
After each death only the sweeps run, the clock moves on, and perhaps the phone comes back or the provider sends its notices again:
then everything must be at rest, nothing lost, doubled or stuck, and our books must hold what the provider holds, to the fen.
"""

from __future__ import annotations

import contextlib
import signal
import zlib
from typing import TYPE_CHECKING

import pytest

from services.agreement_asking import ask_about_agreements
from services.bank_card_checks import end_silent_checks
from services.counter_codes import expire_counter_checks
from services.face_checks import expire_face_checks
from services.identity_asking import ask_face_checks
from services.payments import ask_about_silence, close_stale
from services.refund_sending import return_surplus, send_refunds
from tests.architecture.reading import crash_points, functions
from tests.crash import (  # noqa: F401 - their stories are STORIES'
    agreement_stories,
    counter_stories,
    debit_stories,
    list_stories,
    refund_stories,
)
from tests.crash.bank import Bank
from tests.crash.doomed import AFTER, BEFORE, Death, build
from tests.crash.lasting import LASTING_MODULES
from tests.crash.stories import STORIES, SWEEP_STEPS, Stage
from tests.crash.theatre import Theatre, one_side_each
from tests.crash.truths import clearing, untruths

if TYPE_CHECKING:
    from tests.architecture.reading import Point
    from tests.conftest import Server

MONEY_PATH = (
    "order",
    "payments",
    "inbox",
    "settlement",
    "identity",
    "face_checks",
    "real_names",
    "verification",
    "bank_card",
    "counter",
    "review",
    "refund",
    "agreement",
    "withholding",
    "authority_list",
    "list_folder",
    "tax_",
    "debit",
)
"""How the modules begin that move money, or decide who may."""
ELSEWHERE = {
    "audit_chain": "a block is one transaction, and the next run goes on after the last block",
    "payment_reminders": "a message and the row that says it was written are one transaction; the next sweep writes the rest",
    "applications": "each press is one transaction; what is read after it changes nothing, and pressing again tells the same",
    "joint_cases": "one transaction opens the case; what is read after it changes nothing, and pressing again tells the same",
    "payer_blocks": "the block is written first and stands alone; a stranger's open order lapses by itself",
    "reconciliation": "a comparison is one transaction, and comparing again changes nothing; what it heard of gets into the inbox once, by its name",
    "reconciliation_asking": "what was asked for stays asked until its answer is written: after a kill it is compared once more",
    "enrollment_feed": "one statement a file part, and importing it again changes nothing",
    "retention": "each batch stands alone with the row that tells of it; the next night takes the rest",
    "message_sending": "the attempt and its allowance are written before the call: after a kill it is tried once more, when the claim lapses",
    "registration": "a code that was kept and never sent lapses; a session begins in one transaction, and a lost answer needs a new code",
    "phone_numbers": "one transaction after the call; the button is pressed again",
    "staff_sessions": "the first transaction only reads; the try, its count and the session are one",
    "sign_in": "one transaction after the call; a lost code is asked for again",
}
"""Other modules that do more than one thing that lasts, and why a kill between them harms nobody."""

pytestmark = pytest.mark.timeout(900)
"""The first one of them prepares the world of every story."""

POINTS = [point for point in crash_points() if point.module.startswith(MONEY_PATH)]
SIDES = (BEFORE, AFTER)
NOBODY, PHONE, NOTICES = "nobody comes back", "the phone comes back", "the notices come again"
AFTERWARDS = (NOBODY, PHONE, NOTICES)
STORIES_A_POINT = 1
"""In the usual suite, on one side, and one way after it; `-m full` plays every story that passes a point, each time it passes, on both
sides, with each of the three ways after it."""


@pytest.fixture(scope="module")
def theatre(quick_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    return Theatre(quick_server, tmp_path_factory.mktemp("theatre"), STORIES)


def stories_through(theatre: Theatre, point: Point) -> list[tuple[str, int]]:
    """Every story that passes a point, and how often."""
    counts = {}
    for name in STORIES:
        with contextlib.suppress(AssertionError):
            counts[name] = theatre.prepared(name).passed.count(point)
    return [(name, count) for name, count in counts.items() if count]


def end_well(stage: Stage, name: str, afterwards: str) -> None:
    """What goes on after a death: sweeps with the clock moving, and perhaps somebody who comes back."""
    told = STORIES[name]
    told.repair(stage)
    if afterwards == PHONE:
        told.again(stage)
    for step in SWEEP_STEPS:
        if afterwards == NOTICES:
            stage.hear()
        # Late, twice or never: all must be safe.
        for _ in range(2 if step is SWEEP_STEPS[0] else 1):
            ask_about_silence(stage.ports)
            close_stale(stage.ports)
            stage.settle()
            ask_face_checks(stage.ports)
            expire_face_checks(stage.ports)
            end_silent_checks(stage.ports)
            ask_about_agreements(stage.ports)
            expire_counter_checks(stage.ports)
            return_surplus(stage.ports)
            send_refunds(stage.ports)
            told.sweep(stage)
        stage.move(seconds=step.total_seconds())
    # The counters close, and their codes with them; the last questions about an agreement are asked, and it is given up.
    for hours in (9, 7, 13):
        stage.move(hours=hours)
        expire_counter_checks(stage.ports)
        ask_about_agreements(stage.ports)
        end_silent_checks(stage.ports)
        told.sweep(stage)
    send_refunds(stage.ports)
    # The very last notices arrive when everything is over, and change nothing any more.
    stage.hear()
    stage.settle()


def check(stage: Stage, told: str) -> None:
    with stage.ports.begin() as session:
        found = untruths(session)
        books = clearing(session)
        states = dict(session.connection().exec_driver_sql("SELECT payment_no, state FROM payments").all())
    if STORIES[told].facts.get("record_by_hand"):
        found.pop("a bill has two records", None)
    assert not found
    # What the tax authority itself took stands in its list alone.
    assert books.pop("tax:tax-320400", 0) == stage.cast.get("tax_took_fen", 0)
    assert books == stage.bank.money()
    for payment_no, trade in stage.bank.trades().items():
        ours = states.get(payment_no)
        # Nothing that we gave up may still be paid, and nothing that was paid may have been given up.
        assert trade["state"] != "NOT_PAID", f"{payment_no} is {ours} here and can still be paid there"
        if trade["state"] == "PAID":
            assert ours in ("SUCCEEDED", "SURPLUS", None), f"{payment_no} was paid there and is {ours} here"
        else:
            assert ours == "CLOSED"


def kill_and_look(theatre: Theatre, name: str, death: Death, afterwards: tuple[str, ...]) -> None:
    ready = theatre.prepared(name)
    database, scene = theatre.scene(name)
    code = theatre.run(scene, name, ready.cast, death)
    assert code == -signal.SIGKILL, f"{name}: the child did not die {death.side} {death.point}, it ended with {code}"
    scenes = [(database, scene)] + [theatre._new(database=database, folder=scene.folder) for _ in afterwards[1:]]
    for (_, each), way in zip(scenes, afterwards, strict=True):
        stage = Stage(ports=build(each), bank=Bank(each.folder), cast=ready.cast)
        try:
            with stage:
                end_well(stage, name, way)
                check(stage, name)
        except AssertionError as fault:
            raise AssertionError(
                f"killed {death.side} {death.point} (time {death.time}) in {name!r}; then {way}: {fault}"
            ) from fault
    theatre.drop(*[name for name, _ in scenes])


def test_every_point_of_the_money_path_is_passed_by_a_story(theatre: Theatre):
    unpassed = [str(point) for point in POINTS if not stories_through(theatre, point)]

    assert not unpassed, f"write a story in tests/crash/stories.py that comes by: {', '.join(unpassed)}"


def test_whatever_takes_two_steps_is_on_the_money_path_or_says_why_not():
    """One transaction alone is all or nothing. Two, or one and a call, can be torn apart."""
    torn = {
        read.module
        for read in functions().values()
        if len(read.begins) + len(read.provider_calls) > 1 and not read.module.startswith(MONEY_PATH)
    } - LASTING_MODULES

    assert torn <= ELSEWHERE.keys(), (
        "put it on MONEY_PATH or LASTING_MODULES and write its stories, or say in ELSEWHERE why a kill harms nobody"
    )


@pytest.mark.parametrize("name", STORIES)
def test_every_story_ends_well_when_nobody_dies(theatre: Theatre, name: str):
    ready = theatre.prepared(name)
    with Stage(ports=build(ready.rehearsal), bank=Bank(ready.rehearsal.folder), cast=ready.cast) as stage:
        end_well(stage, name, AFTERWARDS[zlib.crc32(name.encode()) % 3])
        check(stage, name)


@pytest.mark.parametrize(("point", "side"), one_side_each(POINTS), ids=str)
def test_a_kill_loses_nothing_doubles_nothing_and_leaves_nothing_stuck(theatre: Theatre, point: Point, side: str):
    through = stories_through(theatre, point)
    assert through, "no story comes by"
    # Another story and another way after it for each point and side, but the same in each run.
    turn = zlib.crc32(f"{point.module}{point.function}{point.verb}{side}".encode())
    through = through[turn % len(through) :] + through[: turn % len(through)]
    for at, (name, _) in enumerate(through[:STORIES_A_POINT]):
        kill_and_look(theatre, name, Death(point=point, side=side), (AFTERWARDS[(turn + at) % 3],))


@pytest.mark.full
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_kill_anywhere_in_any_story_is_survived(theatre: Theatre, point: Point, side: str):
    for name, count in stories_through(theatre, point):
        for time in range(1, count + 1):
            kill_and_look(theatre, name, Death(point=point, side=side, time=time), AFTERWARDS)
