"""A process that assesses a month is killed half way. What it committed stays, nothing is half done, and another run ends with the same rows."""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from config.months import YearMonth
from config.seals import new_seal_keys
from services import assessment
from services.assessment import PartDone, assess
from tests.crash.doomed import Scene, build

if TYPE_CHECKING:
    from pathlib import Path

NOVEMBER = YearMonth(2026, 11)
FORK = multiprocessing.get_context("forkserver")
PART, PEOPLE = 10, 95


def _assess_until_killed(scene: Scene, dies_after: int) -> None:
    assessment.PART = PART

    def watch(part: PartDone) -> None:
        if part.number == dies_after:
            os.kill(os.getpid(), signal.SIGKILL)

    assess(build(scene), month=NOVEMBER, on_part=watch)


def rows(world):
    return world.rows(
        "SELECT enrollment_id, insurance_type, coverage_month, rule_id, tier, base_fen, amount_fen, account_part_fen, pooling_part_fen"
        " FROM contribution_bills ORDER BY enrollment_id, id"
    )


@pytest.mark.parametrize("dies_after", [1, 5, 9, 10])
def test_a_run_that_was_killed_half_way_is_finished_by_the_next_with_the_same_rows(
    world, ports, database_url, tmp_path: Path, dies_after
):
    keys = tmp_path / "seal-keys.json"
    keys.write_text(new_seal_keys())
    scene = Scene(database_url=database_url, folder=tmp_path, seal_keys=keys)
    person = world.person()
    tiers = ["1", "2", "3", "4", "5"]
    with ports.begin() as session:
        session.execute(
            text(
                "INSERT INTO enrollments (person_id, region, pooling_area, insurance_type, tier, state, start_month, created_at, updated_at)"
                " SELECT :person, '320400', 'area-' || n, '110', (CAST(:tiers AS text[]))[1 + n % 5], 'ACTIVE', 202601, now(), now()"
                " FROM generate_series(1, :people) n"
            ),
            {"person": person.id, "tiers": tiers, "people": PEOPLE},
        )
    child = FORK.Process(target=_assess_until_killed, args=(scene, dies_after))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    half = rows(world)
    assert len(half) == min(PART * dies_after, PEOPLE)

    (done,) = assess(ports, month=NOVEMBER)

    whole = rows(world)
    assert (done.issued, done.without_bill) == (PEOPLE - len(half), 0)
    assert len(whole) == PEOPLE
    assert whole[: len(half)] == half
    # The same as a run that nobody killed.
    world.scalar("UPDATE contribution_bills SET state = 'VOID' RETURNING 1")
    assess(ports, month=NOVEMBER)
    assert [row[1:] for row in rows(world)[::2]] == [row[1:] for row in rows(world)[1::2]]
    assert world.scalar("SELECT count(DISTINCT bill_no) FROM contribution_bills") == 2 * PEOPLE
