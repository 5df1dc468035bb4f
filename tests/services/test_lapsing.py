"""Returned applications: reminded once, ended in time, and never over a hand that mends them at the same moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import text

from config.clock import BEIJING
from models.applications import DecisionReason
from services.application_lapsing import _look_after, lapse_returned
from services.application_views import read_application
from services.applications import submit_application
from services.case_errors import ApplicationNotEditable
from services.document_sweeps import erase_pictures
from services.messages import list_messages
from services.retention import apply_retention
from tests.applying import an_applicant, begin, in_xinjiang, judged, submitted
from tests.together import at_once

RETURNED_AT = datetime(2026, 11, 22, 23, 30, tzinfo=BEIJING)
LAST_DAY = datetime(2026, 12, 22, 23, 59, tzinfo=BEIJING)


@pytest.fixture
def returned(world, clock):
    """Half an hour before midnight on the 22nd: thirty days after, the 22nd of December is the last day."""
    clock.set(RETURNED_AT)
    account = an_applicant(world)
    view = submitted(world, account)
    judged(world, view, "give_back", DecisionReason.DOCUMENT_UNREADABLE)
    return account, view


def state(world, view):
    return world.scalar("SELECT state FROM enrollment_applications WHERE id = :id", id=view.id)


def told(world):
    return [key for (key,) in world.rows("SELECT template FROM messages ORDER BY id")]


def test_its_applicant_is_reminded_once_a_week_before_and_told_when_it_is_over(world, ports, clock, returned):
    account, view = returned
    assert read_application(ports, account=account, application_id=view.id).mend_by.isoformat() == "2026-12-22"

    clock.set(LAST_DAY - timedelta(days=8))
    assert lapse_returned(ports) == 0
    clock.set(LAST_DAY - timedelta(days=7))
    assert [lapse_returned(ports) for _ in range(2)] == [1, 0]
    clock.set(LAST_DAY)
    assert lapse_returned(ports) == 0
    assert (state(world, view), told(world)) == ("RETURNED", ["application.lapses_soon"])

    clock.move(minutes=2)
    assert [lapse_returned(ports) for _ in range(2)] == [1, 0]

    ended = read_application(ports, account=account, application_id=view.id)
    assert (ended.state, ended.state_text, ended.can, ended.mend_by) == ("LAPSED", "逾期未补正，已失效", ("COPY",), None)
    assert (ended.timeline[-1].step, ended.timeline[-1].actor) == ("application.lapsed", "SYSTEM")
    assert told(world) == ["application.lapses_soon", "application.lapsed"]
    soon = list_messages(ports, account=account).messages[1]
    assert "2026年12月22日" in soon.text
    assert view.case_no in soon.text


def test_its_insurances_are_free_and_its_data_serve_for_another_one(world, ports, clock, returned):
    account, view = returned
    clock.set(LAST_DAY + timedelta(days=1))
    lapse_returned(ports)

    again = begin(world, account, answers={}, choices=None, copied_from=view.id)

    assert [each.insurance_type for each in again.insurances] == ["110"]
    assert {each.key for each in again.fields} >= {"hukou_division", "residence_address"}


def test_a_worker_that_slept_through_the_reminder_ends_it_all_the_same_and_a_dead_one_leaves_all_or_nothing(
    world, ports, clock, returned
):
    _, view = returned
    clock.set(LAST_DAY + timedelta(days=3))

    class Killed(BaseException):
        pass

    def dies(*_: object, **__: object) -> None:
        raise Killed

    from services import application_lapsing

    whole = application_lapsing.tell_lapsed
    application_lapsing.tell_lapsed = dies
    try:
        with pytest.raises(Killed):
            lapse_returned(ports)
    finally:
        application_lapsing.tell_lapsed = whole
    assert (state(world, view), told(world)) == ("RETURNED", [])
    assert world.scalar("SELECT bool_and(live) FROM application_items")

    assert lapse_returned(ports) == 1
    assert (state(world, view), told(world)) == ("LAPSED", ["application.lapsed"])


@pytest.mark.parametrize("_", range(5))
def test_handing_it_in_and_the_sweep_at_the_same_moment_leave_one_of_both(world, ports, clock, returned, _):
    account, view = returned
    clock.set(LAST_DAY + timedelta(minutes=5))
    current = read_application(ports, account=account, application_id=view.id)

    answer, _count = at_once(
        partial(submit_application, ports, account=account, application_id=view.id, version=current.version),
        partial(lapse_returned, ports),
    )

    live = world.scalar("SELECT bool_and(live) FROM application_items")
    if isinstance(answer, ApplicationNotEditable):
        assert (state(world, view), live, told(world)) == ("LAPSED", False, ["application.lapsed"])
    else:
        assert (state(world, view), live, told(world)) == ("SUBMITTED", True, [])


def test_what_was_handed_in_after_the_sweep_had_seen_it_is_left_alone(world, ports, clock, returned):
    account, view = returned
    clock.set(LAST_DAY + timedelta(minutes=5))
    current = read_application(ports, account=account, application_id=view.id)
    submit_application(ports, account=account, application_id=view.id, version=current.version)

    assert _look_after(ports, view.id) == 0
    assert state(world, view) == "SUBMITTED"


def test_returned_a_second_time_the_term_begins_anew_and_so_does_the_reminder(world, ports, clock, returned):
    account, view = returned
    clock.set(LAST_DAY - timedelta(days=2))
    assert lapse_returned(ports) == 1
    current = read_application(ports, account=account, application_id=view.id)
    submit_application(ports, account=account, application_id=view.id, version=current.version)
    judged(world, view, "give_back", DecisionReason.DOCUMENT_MISSING)

    clock.set(LAST_DAY + timedelta(days=5))
    assert lapse_returned(ports) == 0
    clock.move(days=17)
    assert lapse_returned(ports) == 1
    assert told(world) == ["application.lapses_soon"] * 2


def test_what_was_returned_before_any_term_was_in_force_does_not_lapse(world, ports, clock, returned):
    account, view = returned
    with ports.begin() as session:
        before = datetime(2026, 10, 31, 23, tzinfo=BEIJING)
        session.execute(text("UPDATE enrollment_applications SET decided_at = :before"), {"before": before})
    clock.set(LAST_DAY + timedelta(days=100))

    assert lapse_returned(ports) == 0
    assert read_application(ports, account=account, application_id=view.id).mend_by is None
    assert state(world, view) == "RETURNED"


def test_a_lapsed_ones_pictures_go_ninety_days_later_and_the_rest_of_it_with_them(world, ports, clock, returned):
    _, view = returned
    with ports.begin() as session:
        session.execute(text("UPDATE application_documents SET picture_key_sealed = 'k'"))
    clock.set(LAST_DAY + timedelta(days=1))
    lapse_returned(ports)
    erase_pictures(ports)
    clock.move(days=90)
    apply_retention(ports)
    assert world.scalar("SELECT count(*) FROM application_documents WHERE picture_key_sealed IS NOT NULL") == 3
    clock.move(days=1)
    apply_retention(ports)

    assert world.scalar("SELECT count(*) FROM application_documents WHERE picture_key_sealed IS NOT NULL") == 0
    assert state(world, view) is None


def test_drafts_and_what_waits_at_the_desk_do_not_lapse(world, ports, clock):
    clock.set(RETURNED_AT)
    begin(world, an_applicant(world))
    submitted(world, in_xinjiang(world))
    clock.move(days=200)

    assert lapse_returned(ports) == 0
