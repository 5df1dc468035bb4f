"""An approval takes effect at once and whole: enrolments, bills and messages, from its month on, and never outside of it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from config.months import YearMonth
from models.applications import ApplicationKind
from models.enrollments import EnrollmentState
from services import reviews
from services.application_errors import AlreadyEnrolled
from services.assessment import assess
from services.enrollment_changes import take_effect
from services.errors import BillNotPayable, BusinessError
from services.messages import list_messages
from services.review_errors import EnrollmentNotAsItWas, MonthsAlreadyPosted, RulesSayNo
from services.uncovered_bills import void_all_uncovered, void_uncovered_bills
from tests.conftest import fresh_database, ports_to
from tests.factories import XINJIANG, World
from tests.reviewing import (
    REVIEWER,
    an_applicant,
    approve,
    approved,
    bills_of,
    enrollments_of,
    messages_to,
    state_of,
    taken_up,
)
from tests.together import at_once

NEW, RESUME, SUSPEND = ApplicationKind.NEW_ENROLLMENT, ApplicationKind.RESUMPTION, ApplicationKind.SUSPENSION
NOVEMBER = 202611


def enrolled_in_xinjiang(world, **more):
    person = an_applicant(world)
    return person, world.enrollment(person, region="650000", **more)


def suspend(world, person, enrollment, *, month=202612):
    return taken_up(world, person, kind=SUSPEND, region="650000", month=month, enrollments=(enrollment,), change_reason="6300")


# --- enrolling


def test_changzhou_enrols_in_two_insurances_and_bills_this_month(ports, world):
    person = an_applicant(world)
    application = approved(world, person)

    told = [
        (each.insurance_type, each.state, each.start_month, each.end_month, each.agency)
        for each in enrollments_of(world, person)
    ]
    assert told == [("110", "ACTIVE", NOVEMBER, None, "TIANNING"), ("310", "ACTIVE", NOVEMBER, None, "TIANNING")]
    assert bills_of(world, person) == [("110", NOVEMBER, "UNPAID"), ("310", NOVEMBER, "UNPAID")]
    assert world.rows("SELECT count(*), bool_or(live), count(enrollment_id) FROM application_items") == [(2, False, 2)]
    assert (
        world.rows("SELECT from_state, to_state, who FROM moves WHERE noun = 'enrollment'")
        == [("NONE", "ACTIVE", "staff:S1001")] * 2
    )
    (message,) = messages_to(world, application.account_id)
    assert message.template == "application.approved_with_notice"
    # The month's own assessment finds nothing left to do.
    assert [done.issued for done in assess(ports, month=YearMonth(2026, 11))] == [0, 0]


def test_xinjiang_is_told_to_sign_the_agreement_next(ports, world):
    person = an_applicant(world)
    application = approved(world, person, region="650000")

    assert bills_of(world, person) == [("110", NOVEMBER, "UNPAID")]
    assert [each.template for each in messages_to(world, application.account_id)] == ["application.approved_with_agreement"]


def test_a_later_month_begins_later_and_bills_nothing_yet(ports, world):
    person = an_applicant(world)
    approved(world, person, month=202612)

    assert [each.start_month for each in enrollments_of(world, person)] == [202612, 202612]
    assert bills_of(world, person) == []
    assert sum(done.issued for done in assess(ports, month=YearMonth(2026, 11))) == 0
    assert sum(done.issued for done in assess(ports, month=YearMonth(2026, 12))) == 2


def test_who_waited_over_the_months_end_gets_the_bill_of_each_month(ports, world, clock):
    person = an_applicant(world)
    application = taken_up(world, person, month=NOVEMBER)
    clock.move(days=20)
    reviews.put_back_forgotten(ports)
    reviews.take_up(ports, application_id=application.id, reviewer=REVIEWER)
    approve(world, application)

    assert [month for _, month, _ in bills_of(world, person)] == [202611, 202612] * 2


def test_who_is_enrolled_by_now_is_not_enrolled_again(ports, world):
    person = an_applicant(world)
    application = taken_up(world, person)
    world.enrollment(person)

    with pytest.raises(RulesSayNo):
        approve(world, application)

    assert len(enrollments_of(world, person)) == 1
    assert state_of(world, application.id) == "UNDER_REVIEW"


def test_the_step_itself_enrols_nobody_twice(ports, world):
    person = an_applicant(world)
    application = taken_up(world, person)
    world.enrollment(person)

    def carry_out():
        with ports.begin() as session:
            row = session.merge(application)
            session.refresh(row, ["items"])
            take_effect(ports, session, row, who="test", now=ports.now())

    with pytest.raises(AlreadyEnrolled):
        carry_out()
    assert [each.insurance_type for each in enrollments_of(world, person)] == ["110"]


def test_who_had_left_for_good_begins_anew_and_the_earlier_months_stay_on_record(ports, world):
    person = an_applicant(world)
    world.enrollment(person, region="650000", state="TERMINATED", start_month=202401, end_month=202506)

    approved(world, person, region="650000")

    (enrollment,) = enrollments_of(world, person)
    assert (enrollment.state, enrollment.start_month, enrollment.end_month) == ("ACTIVE", NOVEMBER, None)
    assert world.rows("SELECT start_month, end_month FROM enrollment_periods") == [(202401, 202506)]
    assert world.scalar("SELECT why FROM moves WHERE noun = 'enrollment'") == "enrollment.opened_again"


def test_nothing_has_happened_when_the_last_step_fails(ports, world, monkeypatch):
    person = an_applicant(world)
    application = taken_up(world, person)

    def refuse(*_args, **_more):
        raise RuntimeError("the power goes")

    monkeypatch.setattr(reviews, "tell_approved", refuse)
    with pytest.raises(RuntimeError):
        approve(world, application)

    assert state_of(world, application.id) == "UNDER_REVIEW"
    assert enrollments_of(world, person) == []
    assert bills_of(world, person) == []
    assert world.scalar("SELECT count(*) FROM messages") == 0


# --- suspending


def test_a_suspension_voids_unpaid_months_after_it_and_leaves_those_before(ports, world):
    person, enrollment = enrolled_in_xinjiang(world)
    world.bills(enrollment, "2026-10", "2026-11", "2026-12")
    application = suspend(world, person, enrollment, month=202611)
    approve(world, application)

    (now_so,) = enrollments_of(world, person)
    assert (now_so.state, now_so.end_month) == ("SUSPENDED", 202611)
    assert bills_of(world, person) == [("110", 202610, "UNPAID"), ("110", 202611, "VOID"), ("110", 202612, "VOID")]
    assert [each.template for each in messages_to(world, application.account_id)] == ["application.suspended"]


def test_months_until_a_suspension_to_come_are_still_billed(ports, world):
    person, enrollment = enrolled_in_xinjiang(world)
    approve(world, suspend(world, person, enrollment, month=202612))

    assert [done.issued for done in assess(ports, month=YearMonth(2026, 11))] == [1]
    assert [done.issued for done in assess(ports, month=YearMonth(2026, 12))] == []


def paid_in_xinjiang(world, *months):
    person, enrollment = enrolled_in_xinjiang(world)
    bills = world.bills(enrollment, *months)
    account = world.account(person, miniprogram=XINJIANG)
    return person, enrollment, bills, account, world.order_for(account, world.me_in_list(account), bills)


def test_a_paid_month_stays_and_is_told(ports, world):
    person, enrollment, _, account, order = paid_in_xinjiang(world, "2026-11")
    world.hear(world.paid_news(order), miniprogram=XINJIANG)
    world.settle()
    application = taken_up(
        world, person, kind=SUSPEND, region="650000", month=NOVEMBER, enrollments=(enrollment,), account=account
    )
    effects = approve(world, application)

    assert (effects.paid_months, effects.months_being_paid, effects.voided) == ({NOVEMBER}, set(), 0)
    assert bills_of(world, person) == [("110", NOVEMBER, "PAID")]
    texts = [each.text for each in list_messages(ports, account=account).messages if each.key.startswith("application")]
    assert len(texts) == 2
    assert any("2026年11月已经缴费" in said for said in texts)


def test_a_month_being_paid_waits_for_its_order_and_goes_with_it(ports, world, clock):
    person, enrollment, _, account, order = paid_in_xinjiang(world, "2026-11")
    application = taken_up(
        world, person, kind=SUSPEND, region="650000", month=NOVEMBER, enrollments=(enrollment,), account=account
    )
    effects = approve(world, application)
    assert effects.months_being_paid == {NOVEMBER}
    assert void_uncovered_bills(ports) == 0
    assert bills_of(world, person) == [("110", NOVEMBER, "LOCKED")]

    from services.orders import cancel_order

    cancel_order(ports, account=account, order_no=order.order_no)
    # Between the two, nobody can pay for a month that is not covered any more.
    (bill,) = world.rows("SELECT bill_no, amount_fen FROM contribution_bills")
    assert bill
    with pytest.raises(BillNotPayable):
        world.order_for(account, world.me_in_list(account), _bills(world), key="again")
    assert [void_uncovered_bills(ports), void_uncovered_bills(ports)] == [1, 0]

    assert bills_of(world, person) == [("110", NOVEMBER, "VOID")]


def _bills(world):
    from sqlalchemy import select

    from models.bills import ContributionBill

    with world.ports.begin() as session:
        found = list(session.scalars(select(ContributionBill)))
        session.expunge_all()
        return found


def test_posted_months_bound_the_suspension(ports, world):
    person, enrollment, _, account, order = paid_in_xinjiang(world, "2026-11")
    world.hear(world.paid_news(order), miniprogram=XINJIANG)
    world.settle()
    with ports.begin() as session:
        session.execute(text("UPDATE contribution_bills SET state = 'POSTED'"))
    application = taken_up(
        world, person, kind=SUSPEND, region="650000", month=NOVEMBER, enrollments=(enrollment,), account=account
    )

    with pytest.raises(MonthsAlreadyPosted):
        approve(world, application)

    assert [each.state for each in enrollments_of(world, person)] == ["ACTIVE"]
    assert bills_of(world, person) == [("110", NOVEMBER, "POSTED")]


def test_a_suspension_before_the_beginning_is_refused(ports, world):
    person, enrollment = enrolled_in_xinjiang(world, start_month=202611)

    with pytest.raises(MonthsAlreadyPosted):
        approve(world, suspend(world, person, enrollment, month=202610))


# --- resuming


def test_a_resumption_after_a_gap_bills_from_its_month_and_keeps_the_earlier_months(ports, world):
    person, enrollment = enrolled_in_xinjiang(world, start_month=202601)
    world.bills(enrollment, "2026-01")
    approve(world, suspend(world, person, enrollment, month=202606))
    again = taken_up(world, person, kind=RESUME, region="650000", month=NOVEMBER, enrollments=(enrollment,))
    approve(world, again)

    (now_so,) = enrollments_of(world, person)
    assert (now_so.state, now_so.start_month, now_so.end_month) == ("ACTIVE", NOVEMBER, None)
    assert world.rows("SELECT start_month, end_month FROM enrollment_periods") == [(202601, 202606)]
    assert bills_of(world, person) == [("110", 202601, "UNPAID"), ("110", NOVEMBER, "UNPAID")]
    # An unpaid month of the earlier run is still owed, whatever the registrar's feed changes later.
    assert void_uncovered_bills(ports) == 0
    assert void_all_uncovered(ports) == 0


def test_a_voided_month_is_billed_anew_when_it_is_covered_again(ports, world):
    person, enrollment = enrolled_in_xinjiang(world)
    world.bills(enrollment, "2026-11")
    approve(world, suspend(world, person, enrollment, month=NOVEMBER))
    approve(world, taken_up(world, person, kind=RESUME, region="650000", month=NOVEMBER, enrollments=(enrollment,)))

    assert bills_of(world, person) == [("110", NOVEMBER, "VOID"), ("110", NOVEMBER, "UNPAID")]
    assert world.scalar("SELECT count(*) FROM enrollment_periods") == 0


def test_what_is_active_by_now_is_not_resumed_and_what_is_suspended_not_suspended(ports, world):
    person, enrollment = enrolled_in_xinjiang(world)
    again = taken_up(world, person, kind=RESUME, region="650000", month=NOVEMBER, enrollments=(enrollment,))
    with pytest.raises(RulesSayNo):
        approve(world, again)
    reviews.reject(ports, application_id=again.id, version=1, reason="OTHER", remark="另行说明", reviewer=REVIEWER)
    application = suspend(world, person, enrollment)
    with ports.begin() as session:
        session.execute(text("UPDATE enrollments SET state = 'SUSPENDED', end_month = 202612"))

    with pytest.raises(RulesSayNo):
        approve(world, application)


def test_somebody_elses_enrolment_is_not_touched(ports, world):
    _, theirs = enrolled_in_xinjiang(world)
    person, mine = enrolled_in_xinjiang(world)
    application = suspend(world, person, mine)
    with ports.begin() as session:
        session.execute(text("UPDATE application_items SET enrollment_id = :id"), {"id": theirs.id})

    with pytest.raises(EnrollmentNotAsItWas):
        approve(world, application)

    assert world.rows("SELECT DISTINCT state FROM enrollments") == [("ACTIVE",)]


def test_an_assessment_beside_an_approval_leaves_one_live_bill(ports, world):
    for _ in range(3):
        person = an_applicant(world)
        application = taken_up(world, person, region="650000")

        at_once(
            lambda application=application: approve(world, application), *[lambda: assess(ports, month=YearMonth(2026, 11))] * 2
        )

        assert bills_of(world, person) == [("110", NOVEMBER, "UNPAID")]


# --- any order of things


STEPS = st.lists(
    st.tuples(st.sampled_from(["suspend", "resume", "assess", "sweep", "wait", "pay"]), st.integers(-2, 4)), max_size=12
)


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_no_sequence_leaves_a_live_unpaid_bill_outside_or_two_for_a_month(server, template, rulebook, seals, steps):
    from tests.conftest import MovableClock

    clock = MovableClock()
    with fresh_database(server, template) as url, ports_to(url, rulebook=rulebook, seals=seals, clock=clock) as ports:
        world = World(ports)
        person, enrollment = enrolled_in_xinjiang(world)
        account = world.account(person, miniprogram=XINJIANG)
        for step, offset in steps:
            month = YearMonth.of(ports.today()).plus(offset)
            try:
                play(world, account, enrollment, step=step, month=month)
            except BusinessError:
                with ports.begin() as session:
                    session.execute(text("UPDATE application_items SET live = false"))
            void_uncovered_bills(ports)
            look(world)


def play(world, account, enrollment, *, step, month):
    if step in ("suspend", "resume"):
        kind = SUSPEND if step == "suspend" else RESUME
        application = taken_up(
            world, account.person, kind=kind, region="650000", month=month.number, enrollments=(enrollment,), account=account
        )
        approve(world, application)
    elif step == "assess":
        assess(world.ports, month=month)
    elif step == "wait":
        world.ports.clock.move(days=31)
    elif step == "pay":
        with world.ports.begin() as session:
            session.execute(
                text("UPDATE contribution_bills SET state = 'PAID' WHERE state = 'UNPAID' AND coverage_month = :month"),
                {"month": month.number},
            )


def look(world):
    outside = world.rows(
        "SELECT b.coverage_month, b.state, e.start_month, e.end_month FROM contribution_bills b JOIN enrollments e"
        " ON e.id = b.enrollment_id WHERE b.state = 'UNPAID'"
        " AND NOT (b.coverage_month >= e.start_month AND (e.end_month IS NULL OR b.coverage_month < e.end_month))"
        " AND NOT EXISTS (SELECT 1 FROM enrollment_periods p WHERE p.enrollment_id = e.id AND b.coverage_month >= p.start_month"
        " AND b.coverage_month < p.end_month)"
    )
    assert outside == []
    twice = world.rows(
        "SELECT coverage_month FROM contribution_bills WHERE state <> 'VOID' GROUP BY enrollment_id, coverage_month, kind"
        " HAVING count(*) > 1"
    )
    assert twice == []
    overlap = world.rows(
        "SELECT 1 FROM enrollment_periods p JOIN enrollments e ON e.id = p.enrollment_id WHERE p.end_month > e.start_month"
    )
    assert overlap == []
    assert world.scalar("SELECT count(*) FROM enrollments WHERE state = 'ACTIVE' AND end_month IS NOT NULL") == 0
    assert EnrollmentState.NONE not in {state for (state,) in world.rows("SELECT state FROM enrollments")}
