"""Reviews: a queue with a clock, one reviewer each, every look on record, one decision on the version that was seen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from models.applications import ApplicationState, DecisionReason, EnrollmentApplication
from services import review_overrides, review_queue, reviews
from services.counter_errors import SecondPersonRequired
from services.errors import NotFound
from services.messages import list_messages
from services.review_errors import (
    ApplicationNotWaiting,
    ApplicationNotYours,
    ApplicationWithdrawn,
    OverrideNotOpen,
    OwnAffairs,
    ReasonNeeded,
    ReviewedVersionChanged,
    RolePowerless,
    RulesSayNo,
)
from services.review_queue import Reviewer
from tests.conftest import NOW
from tests.reviewing import (
    AUDITOR,
    DETAILS,
    OTHER,
    REVIEWER,
    SUPERVISOR,
    an_applicant,
    an_application,
    approve,
    enrollments_of,
    is_person,
    state_of,
    taken_up,
)
from tests.together import at_once


def withdraw(world, application):
    with world.ports.begin() as session:
        row = session.get_one(EnrollmentApplication, application.id, with_for_update=True)
        row.withdraw(who="account:x", at=world.ports.now())


def looked(world):
    return world.rows("SELECT who, purpose, subject_table, columns FROM personal_data_accesses ORDER BY id")


# --- the queue


def test_what_is_due_first_stands_first_and_what_is_late_is_marked(ports, world):
    later = an_application(world, due_at=NOW + timedelta(hours=5))
    late = an_application(world, due_at=NOW - timedelta(hours=1), target_at=NOW - timedelta(days=1))
    an_application(world, state=ApplicationState.APPROVED, decided_by="staff:S1")

    page = review_queue.list_queue(ports, reviewer=REVIEWER)

    assert [row.application_id for row in page.rows] == [late.id, later.id]
    assert [(row.is_overdue, row.is_past_target) for row in page.rows] == [(True, True), (False, False)]
    assert (page.waiting, page.overdue, page.next_place) == (2, 1, None)
    assert page.rows[0].name_masked == "张**"
    assert looked(world) == []


def test_pages_go_on_where_the_last_one_ended_and_none_is_lost_at_the_same_moment(ports, world):
    everyone = {an_application(world).id for _ in range(5)}
    seen, after = [], None
    while True:
        page = review_queue.list_queue(ports, reviewer=REVIEWER, after=after, limit=2)
        seen += [row.application_id for row in page.rows]
        after = page.next_place
        if after is None:
            break

    assert len(seen) == 5
    assert set(seen) == everyone


def test_reviewers_see_their_own_region_and_agency_alone(ports, world):
    here = an_application(world)
    there = an_application(world, region="650000")
    nobodys = an_application(world, agency=None)
    in_jiangsu = Reviewer(who="staff:S1", roles=frozenset({"REVIEWER"}), region="320000")
    in_wujin = Reviewer(who="staff:S1", roles=frozenset({"REVIEWER"}), region="320400", agency="WUJIN")

    def ids(reviewer):
        return {row.application_id for row in review_queue.list_queue(ports, reviewer=reviewer).rows}

    assert ids(in_jiangsu) == {here.id, nobodys.id}
    assert ids(in_wujin) == {nobodys.id}
    assert ids(REVIEWER) == {here.id, there.id, nobodys.id}
    for call in (reviews.take_up, reviews.look_at):
        with pytest.raises(NotFound):
            call(ports, application_id=here.id, reviewer=in_wujin)


def test_a_draft_is_nobodys_but_its_writers(ports, world):
    draft = an_application(world, state=ApplicationState.DRAFT, submitted_at=None, due_at=None, target_at=None)

    for call in (reviews.take_up, reviews.look_at):
        with pytest.raises(NotFound):
            call(ports, application_id=draft.id, reviewer=REVIEWER)


# --- taking up


def test_of_two_reviewers_at_once_one_gets_it(ports, world):
    application = an_application(world)

    told = at_once(
        *[
            lambda who=who: reviews.take_up(ports, application_id=application.id, reviewer=who)
            for who in (REVIEWER, OTHER, SUPERVISOR)
        ]
    )

    assert [type(each) for each in told if each is not None] == [ApplicationNotWaiting] * 2
    holder = world.scalar("SELECT taken_up_by FROM enrollment_applications")
    assert holder == (REVIEWER, OTHER, SUPERVISOR)[told.index(None)].who
    assert world.scalar("SELECT count(*) FROM moves WHERE why = 'application.taken_up'") == 1


def test_taking_up_again_what_one_has_changes_nothing(ports, world):
    application = taken_up(world)

    reviews.take_up(ports, application_id=application.id, reviewer=REVIEWER)

    assert world.scalar("SELECT count(*) FROM moves WHERE why = 'application.taken_up'") == 1


@pytest.mark.parametrize("act", ["take_up", "look_at"])
def test_an_auditor_reviews_nothing(ports, world, act):
    application = an_application(world)

    with pytest.raises(RolePowerless):
        getattr(reviews, act)(ports, application_id=application.id, reviewer=AUDITOR)


def test_nobody_reviews_their_own(ports, world):
    person = an_applicant(world)
    application = an_application(world, person)
    is_person(world, person, "staff:S1001")

    for call in (reviews.take_up, reviews.look_at):
        with pytest.raises(OwnAffairs):
            call(ports, application_id=application.id, reviewer=REVIEWER)
    assert looked(world) == []
    # Found out after it was taken up: the decision is refused all the same.
    mine = taken_up(world, an_applicant(world), reviewer=OTHER)
    with ports.begin() as session:
        session.execute(text("UPDATE staff_persons SET who = 'staff:S1002', id_number_index = (SELECT id_number_index FROM persons WHERE id = :id)"), {"id": mine.person_id})  # fmt: skip
    with pytest.raises(OwnAffairs):
        approve(world, mine, reviewer=OTHER)
    assert state_of(world, mine.id) == "UNDER_REVIEW"


def test_only_the_holder_or_a_supervisor_puts_it_back(ports, world):
    application = taken_up(world)

    with pytest.raises(ApplicationNotYours):
        reviews.put_back(ports, application_id=application.id, reviewer=OTHER)
    reviews.put_back(ports, application_id=application.id, reviewer=SUPERVISOR)

    assert state_of(world, application.id) == "SUBMITTED"
    with pytest.raises(ApplicationNotYours):
        reviews.put_back(ports, application_id=application.id, reviewer=REVIEWER)


# --- looking


def test_a_look_opens_what_was_declared_and_leaves_its_rows(ports, world):
    application = taken_up(world)

    view = reviews.look_at(ports, application_id=application.id, reviewer=REVIEWER)

    assert (view.name, view.details, view.is_mine, view.obstacles) == ("张三丰", DETAILS, True, [])
    assert len(view.id_number) == 18
    assert [step.what for step in view.steps] == ["application.taken_up"]
    assert looked(world) == [
        ("staff:S1001", "review_look", "persons", "name,id_number"),
        ("staff:S1001", "review_look", "enrollment_applications", "details"),
    ]
    assert "张三丰" not in repr(view)


def test_whoever_looks_is_told_what_the_rules_say(ports, world):
    application = taken_up(world, hukou_division="110101", residence_division="110101")

    (found,) = reviews.look_at(ports, application_id=application.id, reviewer=REVIEWER).obstacles

    assert (found.code, found.may_be_overridden) == ("HUKOU_NOT_ELIGIBLE", True)


# --- deciding


@pytest.mark.parametrize("decide", ["approve", "reject", "give_back"])
def test_a_withdrawn_application_is_refused_with_a_clear_word(ports, world, decide):
    application = an_application(world)
    withdraw(world, application)
    more = {} if decide == "approve" else {"reason": DecisionReason.OTHER, "remark": None}

    with pytest.raises(ApplicationWithdrawn):
        getattr(reviews, decide)(ports, application_id=application.id, version=1, reviewer=REVIEWER, **more)
    with pytest.raises(ApplicationWithdrawn):
        reviews.take_up(ports, application_id=application.id, reviewer=REVIEWER)

    assert state_of(world, application.id) == "WITHDRAWN"
    assert world.scalar("SELECT count(*) FROM messages") == 0


def test_the_decision_carries_the_version_that_was_seen(ports, world):
    application = taken_up(world)
    with ports.begin() as session:
        session.execute(text("UPDATE enrollment_applications SET version = 2"))

    with pytest.raises(ReviewedVersionChanged):
        approve(world, application)

    assert enrollments_of(world, an_applicant(world)) == []
    assert state_of(world, application.id) == "UNDER_REVIEW"


@pytest.mark.parametrize("decide", ["reject", "give_back"])
def test_a_no_is_told_with_its_reason_and_the_remark_is_sealed(ports, world, decide):
    application = taken_up(world)

    getattr(reviews, decide)(
        ports,
        application_id=application.id,
        version=1,
        reason=DecisionReason.DOCUMENT_UNREADABLE,
        remark=" 请重拍身份证反面 ",
        reviewer=REVIEWER,
    )

    assert state_of(world, application.id) == {"reject": "REJECTED", "give_back": "RETURNED"}[decide]
    account = world.rows("SELECT account_id FROM enrollment_applications")[0][0]
    (told,) = list_messages(ports, account=_account(world, account)).messages
    assert "材料照片不清楚" in told.text
    assert "12333" in told.text
    assert "身份证反面" not in told.text
    sealed = bytes(world.scalar("SELECT remark_sealed FROM enrollment_applications"))
    assert ports.seals.open(sealed, place=EnrollmentApplication.remark_place(application.id)) == "请重拍身份证反面"
    # Rejected, the person may ask anew; returned, this is still the open one.
    assert world.scalar("SELECT bool_or(live) FROM application_items") is (decide == "give_back")


def _account(world, account_id):
    from models.accounts import Account

    with world.ports.begin() as session:
        found = session.get_one(Account, account_id)
        session.expunge_all()
        return found


def test_of_two_decisions_at_once_one_counts(ports, world):
    application = taken_up(world)

    told = at_once(
        lambda: approve(world, application),
        lambda: reviews.reject(
            ports, application_id=application.id, version=1, reason=DecisionReason.NOT_ELIGIBLE, remark=None, reviewer=REVIEWER
        ),
        lambda: approve(world, application),
    )

    assert sum(isinstance(each, ApplicationNotYours) for each in told) == 2
    assert world.scalar("SELECT count(*) FROM messages") == 1
    assert world.scalar("SELECT count(*) FROM enrollments") == (0 if state_of(world, application.id) == "REJECTED" else 2)


def test_withdrawing_and_taking_up_at_once_ends_in_one_of_the_two(ports, world):
    from models.base import IllegalMove

    for _ in range(3):
        application = an_application(world)

        def pull(application=application):
            try:
                withdraw(world, application)
            except IllegalMove:
                return "too late"
            return "withdrawn"

        pulled, taken = at_once(
            pull, lambda application=application: reviews.take_up(ports, application_id=application.id, reviewer=REVIEWER)
        )

        assert (pulled, type(taken)) in [("withdrawn", ApplicationWithdrawn), ("too late", type(None))]
        assert state_of(world, application.id) == ("WITHDRAWN" if pulled == "withdrawn" else "UNDER_REVIEW")


# --- against the rules


def test_an_approval_against_the_rules_needs_a_supervisor_and_a_reason(ports, world):
    application = taken_up(world, hukou_division="110101", residence_division="110101")
    given = {"application_id": application.id, "version": 1}

    with pytest.raises(RulesSayNo) as refusal:
        approve(world, application)
    assert refusal.value.facts["problems"] == ["HUKOU_NOT_ELIGIBLE"]
    for reason in ("短", "身份证320402199001010017有误"):
        with pytest.raises(ReasonNeeded):
            review_overrides.ask_override(ports, **given, reason=reason, reviewer=REVIEWER)
    override = review_overrides.ask_override(ports, **given, reason="户口迁移证明已当面核对", reviewer=REVIEWER)
    with pytest.raises(OverrideNotOpen):
        review_overrides.ask_override(ports, **given, reason="再来一次也一样", reviewer=REVIEWER)
    with pytest.raises(RulesSayNo):
        approve(world, application)
    with pytest.raises(RolePowerless):
        review_overrides.decide_override(ports, override_id=override, grant=True, reviewer=OTHER)
    assert review_queue.list_queue(ports, reviewer=SUPERVISOR).rows[0].waits_for_second

    review_overrides.decide_override(ports, override_id=override, grant=True, reviewer=SUPERVISOR)
    approve(world, application)

    assert state_of(world, application.id) == "APPROVED"
    assert world.rows("SELECT asked_by, decided_by, state FROM review_overrides") == [("staff:S1001", "staff:S2001", "GRANTED")]


def test_a_supervisor_alone_is_one_person(ports, world):
    application = taken_up(world, hukou_division="110101", residence_division="110101", reviewer=SUPERVISOR)
    override = review_overrides.ask_override(
        ports, application_id=application.id, version=1, reason="户口迁移证明已当面核对", reviewer=SUPERVISOR
    )

    with pytest.raises(SecondPersonRequired):
        review_overrides.decide_override(ports, override_id=override, grant=True, reviewer=SUPERVISOR)
    with pytest.raises(RulesSayNo):
        approve(world, application, reviewer=SUPERVISOR)


def test_age_is_nobodys_to_override(ports, world):
    application = taken_up(world, an_applicant(world, born="19550101"))

    with pytest.raises(RulesSayNo):
        review_overrides.ask_override(
            ports, application_id=application.id, version=1, reason="本人坚持要求参保", reviewer=REVIEWER
        )
    with pytest.raises(RulesSayNo):
        approve(world, application)
    assert world.scalar("SELECT count(*) FROM enrollments") == 0


def test_a_granted_override_ends_with_the_version_or_the_holder(ports, world):
    application = taken_up(world, hukou_division="110101", residence_division="110101")
    override = review_overrides.ask_override(
        ports, application_id=application.id, version=1, reason="户口迁移证明已当面核对", reviewer=REVIEWER
    )
    review_overrides.decide_override(ports, override_id=override, grant=True, reviewer=SUPERVISOR)
    reviews.put_back(ports, application_id=application.id, reviewer=REVIEWER)
    reviews.take_up(ports, application_id=application.id, reviewer=OTHER)

    with pytest.raises(RulesSayNo):
        approve(world, application, reviewer=OTHER)

    assert world.scalar("SELECT state FROM review_overrides") == "LAPSED"


# --- the clock


def test_what_was_taken_up_and_forgotten_goes_back(ports, world, clock):
    forgotten, fresh = taken_up(world), None
    clock.move(hours=1, minutes=59)
    assert reviews.put_back_forgotten(ports) == 0
    fresh = taken_up(world)
    clock.move(minutes=1)

    assert reviews.put_back_forgotten(ports) == 1

    assert [state_of(world, each.id) for each in (forgotten, fresh)] == ["SUBMITTED", "UNDER_REVIEW"]
    with pytest.raises(ApplicationNotYours):
        approve(world, forgotten)


def test_whoever_waits_for_the_second_person_has_not_forgotten(ports, world, clock):
    application = taken_up(world, hukou_division="110101", residence_division="110101")
    review_overrides.ask_override(
        ports, application_id=application.id, version=1, reason="户口迁移证明已当面核对", reviewer=REVIEWER
    )
    clock.move(hours=3)

    assert reviews.put_back_forgotten(ports) == 0


def test_a_late_answer_is_apologised_for_once_and_never_given_by_itself(ports, world, clock):
    application = an_application(world)
    account = _account(world, application.account_id)
    assert reviews.tell_overdue(ports) == 0
    clock.move(days=2, seconds=1)

    assert [reviews.tell_overdue(ports), reviews.tell_overdue(ports)] == [1, 0]

    (told,) = list_messages(ports, account=account).messages
    assert "抱歉" in told.text
    assert state_of(world, application.id) == "SUBMITTED"


def test_many_late_ones_are_all_told_though_a_sweep_takes_so_many(ports, world, clock, monkeypatch):
    monkeypatch.setattr(reviews, "AT_A_TIME", 2)
    for _ in range(5):
        an_application(world)
    clock.move(days=3)

    assert [reviews.tell_overdue(ports) for _ in range(4)] == [2, 2, 1, 0]
