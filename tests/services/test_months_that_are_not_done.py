"""The billing sweep: a month is done when no active enrolment that it covers lacks its bill. Late, twice or never, nothing is lost."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from config.rulebook import SHIPPED_REGIONS, load_rulebook
from jobs import worker
from services.billing_sweep import assess_what_is_missing
from services.uncovered_bills import void_all_uncovered

LIVE = "SELECT coverage_month FROM contribution_bills WHERE enrollment_id = :id AND NOT voided ORDER BY coverage_month"


def months(world, enrollment):
    return [row[0] for row in world.rows(LIVE, id=enrollment.id)]


def test_a_late_sweep_bills_every_month_from_the_start_to_this_one(world, ports):
    since_august = world.enrollment(start_month=202608)
    until_october = world.enrollment(region="650000", start_month=202609, end_month=202611)
    next_month = world.enrollment(start_month=202612)

    swept = assess_what_is_missing(ports)

    assert (swept.issued, swept.without_bill) == (6, [])
    assert months(world, since_august) == [202608, 202609, 202610, 202611]
    assert months(world, until_october) == [202609, 202610]
    assert months(world, next_month) == []


def test_again_issues_nothing_and_looks_at_no_month(world, ports, monkeypatch):
    world.enrollment()
    assess_what_is_missing(ports)
    monkeypatch.setattr("services.billing_sweep.assess", lambda *_, **__: pytest.fail("every month is done"))

    assert assess_what_is_missing(ports).issued == 0


def test_the_month_turns_at_midnight_in_beijing(world, ports, clock):
    enrollment = world.enrollment(start_month=202612)
    clock.set(datetime(2026, 11, 30, 15, 59, 59, tzinfo=UTC))
    assert assess_what_is_missing(ports).issued == 0

    clock.set(datetime(2026, 11, 30, 16, 0, tzinfo=UTC))

    assert assess_what_is_missing(ports).issued == 1
    assert months(world, enrollment) == [202612]


def test_new_and_changed_enrolments_are_picked_up(world, ports):
    changed = world.enrollment(start_month=202610)
    assess_what_is_missing(ports)
    world.scalar("UPDATE enrollments SET start_month = 202608 WHERE id = :id RETURNING 1", id=changed.id)
    new = world.enrollment(start_month=202611)

    assert assess_what_is_missing(ports).issued == 3
    assert months(world, changed) == [202608, 202609, 202610, 202611]
    assert months(world, new) == [202611]


def test_a_bill_outside_the_covered_months_hides_no_missing_one(world, ports):
    """As many bills as months, and yet one month lacks its own."""
    enrollment = world.enrollment(start_month=202610)
    assess_what_is_missing(ports)
    world.scalar("UPDATE contribution_bills SET coverage_month = 202601 WHERE coverage_month = 202610 RETURNING 1")

    assert assess_what_is_missing(ports).issued == 1
    assert months(world, enrollment) == [202601, 202610, 202611]


def test_a_void_month_is_billed_again(world, ports):
    enrollment = world.enrollment(start_month=202611)
    assess_what_is_missing(ports)
    world.scalar("UPDATE contribution_bills SET state = 'VOID' RETURNING 1")

    assert assess_what_is_missing(ports).issued == 1
    assert months(world, enrollment) == [202611]


def test_what_lies_before_the_first_month_of_this_house_is_not_billed(world, ports):
    enrollment = world.enrollment(start_month=201906)

    assess_what_is_missing(ports)

    assert months(world, enrollment)[0] == 202601
    assert len(months(world, enrollment)) == 11


def test_months_without_a_rule_stop_no_other_region_and_are_told_once_a_day(world, ports, clock, tmp_path, monkeypatch):
    folder = tmp_path / "650000-xinjiang"
    shutil.copytree(SHIPPED_REGIONS / "650000-xinjiang", folder)
    limits = folder / "base_limits.yaml"
    limits.write_text(re.sub(r"effective_to: 2026-12-31", "effective_to: 2026-09-30", limits.read_text()))
    lame = replace(ports, rulebook=load_rulebook(SHIPPED_REGIONS, tmp_path))
    world.enrollment(region="650000", start_month=202609)
    world.enrollment(start_month=202611)
    worker.TOLD.__init__()
    told = []
    monkeypatch.setattr(
        worker, "log", SimpleNamespace(warning=lambda event, **_: told.append(event), info=lambda *_, **__: None)
    )

    assert worker.assess_months(lame) == 2
    assert told == ["month.without_bills"] * 2  # October and November of Xinjiang
    assert worker.assess_months(lame) == 0
    assert len(told) == 2

    clock.move(hours=24)
    worker.assess_months(lame)
    assert told == ["month.without_bills"] * 4


def test_a_region_that_no_rulebook_knows_is_told_and_stops_nobody(world, ports):
    world.enrollment(region="650000", start_month=202611)
    world.scalar("UPDATE enrollments SET region = '990000' RETURNING 1")
    world.enrollment(start_month=202611)

    swept = assess_what_is_missing(ports)

    assert swept.issued == 1
    ((month, told),) = swept.without_bill
    assert (str(month), told.region, told.without_bill) == ("2026-11", "990000", 1)


def test_an_unpaid_month_that_is_covered_no_longer_is_void_with_a_move(world, ports):
    enrollment = world.enrollment(start_month=202609)
    assess_what_is_missing(ports)
    world.scalar("UPDATE contribution_bills SET state = 'LOCKED' WHERE coverage_month = 202611 RETURNING 1")
    world.scalar("UPDATE enrollments SET end_month = 202610 RETURNING 1")

    assert void_all_uncovered(ports) == 1
    assert months(world, enrollment) == [202609, 202611]  # somebody is paying November: their money decides
    world.scalar("UPDATE contribution_bills SET state = 'UNPAID' WHERE coverage_month = 202611 RETURNING 1")
    assert (void_all_uncovered(ports), void_all_uncovered(ports)) == (1, 0)

    assert months(world, enrollment) == [202609]
    assert world.scalar("SELECT count(*) FROM moves WHERE why = 'bill.voided' AND who = 'void_uncovered'") == 2
