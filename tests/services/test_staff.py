"""Staff come in by an administrator's code, with two factors; the three powers never meet; a lost phone takes two."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from models.staff import StaffRole
from services import staff as service
from services.counter_errors import SecondPersonRequired, StaffNumberMalformed
from services.errors import NotFound
from services.staff import EVERYWHERE, INVITATION_LIVES, Scope, covers
from services.staff_acts import COMMAND_LINE
from services.staff_enrolment import enrol, look_at_invitation
from services.staff_errors import (
    InvitationRefused,
    NotYourself,
    OutOfScope,
    ResetNotWaiting,
    StaffNotInThatState,
    StaffNumberTaken,
    StaffPasswordWeak,
    StaffRegionUnknown,
    StaffRolesApart,
    StaffSignInAgain,
    StaffSignInRefused,
    TotpCodeRefused,
)
from services.staff_resets import ask_reset, confirm_reset, list_resets, refuse_reset
from services.staff_sessions import authenticate, sign_in
from tests.console.browser import OFFICE, PASSWORD, code_at, member, open_session
from tests.together import at_once

REVIEWER, SUPERVISOR, ACCOUNTANT, AUDITOR, ADMINISTRATOR = StaffRole
CITY, OTHER = "320400", "650000"


def invited(ports, number="S1024", *roles, scope=EVERYWHERE):
    return service.invite(ports, number=number, roles=roles or [REVIEWER], scope=scope, origin=COMMAND_LINE)


def proposed(ports, by, number="S1024", *roles, scope=EVERYWHERE):
    service.propose(ports, number=number, roles=roles or [REVIEWER], scope=scope, by=by, origin=OFFICE)


def issue(ports, by, number="S1024"):
    return service.issue_code(ports, number=number, by=by, origin=OFFICE)


def finish(ports, invitation, **changes):
    given = {
        "number": invitation.number, "code": invitation.code, "password": PASSWORD,
        "totp_code": code_at(ports, invitation.number), "origin": OFFICE, **changes,
    }  # fmt: skip
    enrol(ports, **given)


@pytest.fixture
def two(ports):
    return member(ports, "S4001", ADMINISTRATOR), member(ports, "S4002", ADMINISTRATOR)


def state_of(ports, number="S1024") -> str:
    return service.read_staff(ports, number=number).state


# --- the three powers


@pytest.mark.parametrize(
    "roles",
    [
        [], ["KING"], [REVIEWER, AUDITOR], [SUPERVISOR, ADMINISTRATOR], [AUDITOR, ADMINISTRATOR], [REVIEWER, AUDITOR, ADMINISTRATOR],
        [REVIEWER, "KING"],
    ],
)  # fmt: skip
def test_powers_never_meet_in_one_person(ports, roles):
    with pytest.raises(StaffRolesApart):
        service.invite(ports, number="S1024", roles=roles, origin=COMMAND_LINE)


def test_a_reviewer_may_be_a_supervisor_too(ports):
    invited(ports, "S1024", REVIEWER, SUPERVISOR, SUPERVISOR)

    assert service.read_staff(ports, number="S1024").roles == (REVIEWER, SUPERVISOR)


@pytest.mark.parametrize(
    "roles",
    [
        "{}",
        "{KING}",
        "{REVIEWER,AUDITOR}",
        "{SUPERVISOR,ADMINISTRATOR}",
        "{AUDITOR,ADMINISTRATOR}",
        "{NULL}",
        "{REVIEWER,NULL}",
    ],
)
def test_the_database_keeps_them_apart_too(ports, roles):
    invited(ports)
    with pytest.raises(IntegrityError, match=r"ck_staff_(powers_apart|roles_known)"), ports.begin() as session:
        session.execute(text("UPDATE staff SET roles = CAST(:roles AS text[])"), {"roles": roles})


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("state = 'ACTIVE'", "invitation_while_invited|password_while_enrolled"),
        ("password_hash = 'x'", "password_while_enrolled"),
        ("locked_until = now()", "locked_until_while_locked"),
        ("number = 's1024'", "number_in_one_writing"),
        ("agency = 'CHANGZHOU'", "agency_within_region"),
        ("roles = '{AUDITOR}', region = '320400'", "auditors_see_every_region"),
        ("state = 'LEFT', invitation_hash = NULL, invitation_expires_at = NULL", "nothing_left_behind"),
        ("state = 'ASLEEP', invitation_hash = NULL, invitation_expires_at = NULL", "state_known"),
    ],
)
def test_what_cannot_be_the_database_refuses(ports, change, constraint):
    invited(ports)
    with pytest.raises(IntegrityError, match=f"ck_staff_({constraint})"), ports.begin() as session:
        session.execute(text(f"UPDATE staff SET {change}"))  # noqa: S608 - the story's own words


# --- invitations


def test_a_code_a_password_and_a_phone_make_somebody(ports, world):
    invitation = invited(ports)
    offer = look_at_invitation(ports, number="ｓ1024", code=invitation.code.lower().replace("-", " "), origin=OFFICE)
    assert offer.uri.startswith("otpauth://totp/Canbao:S1024?secret=")
    assert offer.secret in offer.uri

    finish(ports, invitation)

    assert state_of(ports) == "ACTIVE"
    assert world.rows("SELECT from_state, to_state, why, who FROM moves WHERE noun = 'staff'") == [
        ("INVITED", "ACTIVE", "staff.enrolled", "staff:S1024")
    ]
    assert world.rows("SELECT who, act, subject, result FROM staff_acts ORDER BY id") == [
        ("operator", "staff.invite", "staff:S1024", "DONE"),
        ("staff:S1024", "staff.enrol", "staff:S1024", "DONE"),
    ]
    with pytest.raises(InvitationRefused):
        finish(ports, invitation)


def test_nothing_secret_of_them_stands_in_the_database(ports, world):
    invitation = invited(ports)
    offer = look_at_invitation(ports, number="S1024", code=invitation.code, origin=OFFICE)
    finish(ports, invitation)

    (row,) = world.rows("SELECT CAST(staff AS text) FROM staff")
    for word in (invitation.code, offer.secret, PASSWORD, invitation.code.replace("-", "")):
        assert word not in row[0]
        assert word.encode().hex() not in row[0]
    assert "$argon2id$" in row[0]
    assert invitation.code not in repr(invitation)
    assert offer.secret not in repr(offer)


@pytest.mark.parametrize(
    "changes", [{"code": "AAAA-AAAA-AAAA-AAAA-AAAA"}, {"code": ""}, {"number": "S9999"}, {"number": "张三"}, {"number": ""}]
)
def test_a_wrong_code_or_number_is_refused_alike_and_counted(ports, world, changes):
    invitation = invited(ports)
    with pytest.raises(InvitationRefused):
        finish(ports, invitation, **changes)
    with pytest.raises(InvitationRefused):
        look_at_invitation(ports, **{"number": "S1024", "code": invitation.code, **changes}, origin=OFFICE)

    assert state_of(ports) == "INVITED"
    assert (
        world.rows("SELECT who, subject, result FROM staff_acts WHERE act = 'staff.enrol'")
        == [("nobody", "", "INVITATION_REFUSED")] * 2
    )


def test_a_code_lapses_after_three_days_and_a_new_one_voids_the_old(ports, clock):
    first = invited(ports)
    clock.move(seconds=INVITATION_LIVES.total_seconds())
    with pytest.raises(InvitationRefused):
        finish(ports, first)

    second = service.issue_code(ports, number="S1024", by=None, origin=COMMAND_LINE)
    with pytest.raises(InvitationRefused):
        finish(ports, first)
    finish(ports, second)
    assert state_of(ports) == "ACTIVE"
    with pytest.raises(StaffNotInThatState):
        service.issue_code(ports, number="S1024", by=None, origin=COMMAND_LINE)


def test_a_wrong_code_of_the_phone_leaves_the_invitation_good(ports):
    invitation = invited(ports)
    for wrong in ("000000", "", "12345", "abcdef", code_at(ports, "S1024", steps=3), code_at(ports, "S1024", steps=-2)):
        with pytest.raises(TotpCodeRefused):
            finish(ports, invitation, totp_code=wrong)
    finish(ports, invitation)


def test_a_weak_password_leaves_the_invitation_good(ports):
    invitation = invited(ports)
    with pytest.raises(StaffPasswordWeak):
        finish(ports, invitation, password="short")
    finish(ports, invitation)


def test_one_code_pressed_twice_at_once_enrols_once(ports):
    invitation = invited(ports)
    code = code_at(ports, "S1024")

    done = at_once(
        *[lambda word=word: finish(ports, invitation, totp_code=code, password=f"{PASSWORD}{word}") for word in "一二三"]
    )

    assert sorted(type(each).__name__ for each in done) == ["InvitationRefused", "InvitationRefused", "NoneType"]


def test_a_number_is_given_once_for_ever(ports):
    administrator = member(ports, "S4001", ADMINISTRATOR)
    member(ports, "S1024", REVIEWER)
    service.leave(ports, number="S1024", by=administrator, origin=OFFICE)

    for number in ("S1024", "s1024", " Ｓ1024 "):
        with pytest.raises(StaffNumberTaken):
            invited(ports, number)
    with pytest.raises(StaffNumberMalformed):
        invited(ports, "S 1024")


def test_two_invitations_of_one_number_at_once_make_one(ports):
    done = at_once(*[lambda: invited(ports)] * 3)

    assert sorted(type(each).__name__ for each in done) == ["Invitation", "StaffNumberTaken", "StaffNumberTaken"]


# --- two administrators


def test_whoever_invites_never_holds_the_code(ports, two, world):
    one, other = two
    proposed(ports, one)

    assert service.read_staff(ports, number="S1024").admitted_by is None
    with pytest.raises(SecondPersonRequired):
        issue(ports, one)
    assert [each.number for each in service.list_proposed(ports, by=other)] == ["S1024"]
    assert service.list_proposed(ports, by=one) == []
    invitation = issue(ports, other)
    finish(ports, invitation)

    assert state_of(ports) == "ACTIVE"
    view = service.read_staff(ports, number="S1024")
    assert (view.created_by, view.admitted_by) == ("staff:S4001", "staff:S4002")
    assert service.list_proposed(ports, by=other) == []
    assert world.rows("SELECT who, act FROM staff_acts WHERE subject = 'staff:S1024' ORDER BY id") == [
        ("staff:S4001", "staff.propose"), ("staff:S4002", "staff.issue_code"), ("staff:S1024", "staff.enrol"),
    ]  # fmt: skip


def test_nobody_comes_in_before_the_second_has_said_yes(ports, two, monkeypatch):
    unseen = []
    made = service.new_invitation

    def overheard(number, *, now):
        unseen.append(made(number, now=now))
        return unseen[-1]

    monkeypatch.setattr(service, "new_invitation", overheard)
    proposed(ports, two[0])

    with pytest.raises(InvitationRefused):
        look_at_invitation(ports, number="S1024", code=unseen[0].code, origin=OFFICE)
    assert state_of(ports) == "INVITED"


def test_not_even_another_code_goes_to_whoever_invited(ports, two, clock):
    one, other = two
    proposed(ports, one)
    first = issue(ports, other)
    clock.move(seconds=INVITATION_LIVES.total_seconds())

    with pytest.raises(SecondPersonRequired):
        issue(ports, one)
    second = issue(ports, other)

    assert first.code != second.code
    finish(ports, second)


def test_an_invitation_of_an_administrator_takes_two_as_well(ports, two):
    proposed(ports, two[0], "S4003", ADMINISTRATOR)

    with pytest.raises(SecondPersonRequired):
        issue(ports, two[0], "S4003")


def test_the_operator_may_be_the_second(ports, two):
    proposed(ports, two[0])

    finish(ports, service.issue_code(ports, number="S1024", by=None, origin=COMMAND_LINE))

    assert service.read_staff(ports, number="S1024").admitted_by == "operator"


@pytest.mark.parametrize(
    ("change", "constraint"),
    [("admitted_by = created_by", "two_people"), ("admitted_by = NULL", "admitted_before_enrolled")],
)
def test_the_database_asks_for_two_people_too(ports, two, change, constraint):
    proposed(ports, two[0])
    finish(ports, issue(ports, two[1]))

    with pytest.raises(IntegrityError, match=f"ck_staff_{constraint}"), ports.begin() as session:
        session.execute(text(f"UPDATE staff SET {change} WHERE number = 'S1024'"))  # noqa: S608 - the story's own words


def test_two_who_issue_at_once_leave_one_code_that_works(ports, two):
    third = member(ports, "S4003", ADMINISTRATOR)
    proposed(ports, two[0])

    codes = at_once(*[lambda by=by: issue(ports, by) for by in (two[1], third)])

    good = []
    for each in codes:
        try:
            look_at_invitation(ports, number="S1024", code=each.code, origin=OFFICE)
        except InvitationRefused:
            continue
        good.append(each)
    assert len(good) == 1


# --- regions


def test_a_scope_covers_what_lies_below_it(ports):
    city, province, agency = Scope(region=CITY), Scope(region="320000"), Scope(region=CITY, agency="WUJIN")

    assert covers(ports, EVERYWHERE, city)
    assert covers(ports, EVERYWHERE, EVERYWHERE)
    assert covers(ports, province, city)
    assert covers(ports, province, agency)
    assert covers(ports, city, agency)
    assert covers(ports, agency, agency)
    assert covers(ports, province, province)
    assert not covers(ports, city, province)
    assert not covers(ports, city, EVERYWHERE)
    assert not covers(ports, city, Scope(region=OTHER))
    assert not covers(ports, agency, city)
    assert not covers(ports, agency, Scope(region=CITY, agency="XINBEI"))
    assert not covers(ports, city, Scope(region="999999"))


def test_the_country_is_no_region_but_a_province_is(ports):
    known = service.known_regions(ports)

    assert {CITY, "320000", OTHER} <= set(known)
    assert "100000" not in known


def test_a_scope_is_told_in_words_and_by_its_codes_where_no_rule_knows_it(ports):
    said = {
        scope: service.scope_name(ports, scope)
        for scope in (EVERYWHERE, Scope(region=CITY), Scope(region=CITY, agency="WUJIN"))
    }

    assert (said[EVERYWHERE], said[Scope(region=CITY)]) == ("全部地区", ports.rulebook.region(CITY).name)
    assert "武进区" in said[Scope(region=CITY, agency="WUJIN")]
    assert service.scope_name(ports, Scope(region="999999", agency="GONE")) == "999999 · GONE"


@pytest.mark.parametrize(
    ("scope", "role"),
    [
        (Scope(region="999999"), REVIEWER), (Scope(region=CITY, agency="NOWHERE"), REVIEWER), (Scope(agency="WUJIN"), REVIEWER),
        (Scope(region=CITY), AUDITOR),
    ],
)  # fmt: skip
def test_a_scope_that_is_none_is_refused(ports, scope, role):
    with pytest.raises(StaffRegionUnknown):
        invited(ports, "S1024", role, scope=scope)


def test_an_administrator_of_a_region_lets_nobody_in_beyond_it(ports):
    local = member(ports, "S4001", ADMINISTRATOR, region=CITY)
    member(ports, "S1001", REVIEWER, region=OTHER)

    proposed(ports, local, "S1002", REVIEWER, scope=Scope(region=CITY))
    for scope in (EVERYWHERE, Scope(region=OTHER), Scope(region="320000")):
        with pytest.raises(OutOfScope):
            proposed(ports, local, "S1003", REVIEWER, scope=scope)
    for act in (service.lock, service.leave, ask_reset):
        with pytest.raises(OutOfScope):
            act(ports, number="S1001", by=local, origin=OFFICE)
    assert [each.number for each in service.list_staff(ports, by=local)] == ["S1002", "S4001"]


# --- locked out, let go


def test_whoever_is_locked_is_out_at_once_and_may_come_back(ports, world):
    administrator, _ = member(ports, "S4001", ADMINISTRATOR), member(ports, "S1024", REVIEWER)
    token = open_session(ports, "S1024")

    service.lock(ports, number="S1024", by=administrator, origin=OFFICE)
    with pytest.raises(StaffSignInAgain):
        authenticate(ports, token)
    with pytest.raises(StaffNotInThatState):
        service.lock(ports, number="S1024", by=administrator, origin=OFFICE)
    service.unlock(ports, number="S1024", by=administrator, origin=OFFICE)
    with pytest.raises(StaffSignInAgain):
        authenticate(ports, token)

    assert state_of(ports) == "ACTIVE"
    assert world.rows("SELECT to_state, who FROM moves WHERE row_id = (SELECT CAST(id AS text) FROM staff WHERE number = 'S1024') ORDER BY id") == [
        ("ACTIVE", "staff:S1024"), ("LOCKED", "staff:S4001"), ("ACTIVE", "staff:S4001"),
    ]  # fmt: skip
    with pytest.raises(StaffNotInThatState):
        service.unlock(ports, number="S1024", by=administrator, origin=OFFICE)


def test_whoever_left_is_gone_with_password_and_phone(ports, world, clock):
    administrator, _ = member(ports, "S4001", ADMINISTRATOR), member(ports, "S1024", REVIEWER)
    token, code = open_session(ports, "S1024"), code_at(ports, "S1024", steps=1)
    service.leave(ports, number="S1024", by=administrator, origin=OFFICE)
    clock.move(seconds=30)

    with pytest.raises(StaffSignInAgain):
        authenticate(ports, token)
    with pytest.raises(StaffSignInRefused):
        sign_in(ports, number="S1024", password=PASSWORD, totp_code=code, origin=OFFICE)
    assert world.rows("SELECT password_hash, totp_sealed FROM staff WHERE number = 'S1024'") == [(None, None)]
    for act in (service.lock, service.unlock, service.leave, ask_reset, service.issue_code):
        with pytest.raises(StaffNotInThatState):
            act(ports, number="S1024", by=administrator, origin=OFFICE)


def test_nobody_does_it_to_themselves(ports):
    administrator = member(ports, "S4001", ADMINISTRATOR)

    for act in (service.lock, service.unlock, service.leave, service.issue_code, ask_reset, confirm_reset, refuse_reset):
        with pytest.raises(NotYourself):
            act(ports, number="S4001", by=administrator, origin=OFFICE)
        with pytest.raises(NotFound):
            act(ports, number="S9999", by=administrator, origin=OFFICE)


# --- a lost phone


def test_a_lost_phone_takes_two_administrators(ports, two, world, clock):
    one, other = two
    member(ports, "S1024", REVIEWER)
    token = open_session(ports, "S1024")
    old_code = code_at(ports, "S1024", steps=1)

    ask_reset(ports, number="S1024", by=one, origin=OFFICE)
    with pytest.raises(StaffSignInAgain):
        authenticate(ports, token)
    ask_reset(ports, number="S1024", by=other, origin=OFFICE)
    assert [(each.number, each.asked_by) for each in list_resets(ports, by=other)] == [("S1024", "staff:S4001")]
    with pytest.raises(SecondPersonRequired):
        confirm_reset(ports, number="S1024", by=one, origin=OFFICE)
    invitation = confirm_reset(ports, number="S1024", by=other, origin=OFFICE)

    assert state_of(ports) == "INVITED"
    clock.move(seconds=30)
    with pytest.raises(StaffSignInRefused):
        sign_in(ports, number="S1024", password=PASSWORD, totp_code=old_code, origin=OFFICE)
    finish(ports, invitation)
    assert state_of(ports) == "ACTIVE"
    assert world.rows("SELECT state, asked_by, confirmed_by FROM staff_resets") == [("CONFIRMED", "staff:S4001", "staff:S4002")]
    with pytest.raises(ResetNotWaiting):
        confirm_reset(ports, number="S1024", by=other, origin=OFFICE)


def test_the_database_asks_for_two_as_well(ports, two):
    member(ports, "S1024", REVIEWER)
    ask_reset(ports, number="S1024", by=two[0], origin=OFFICE)

    with pytest.raises(IntegrityError, match="two_people"), ports.begin() as session:
        session.execute(text("UPDATE staff_resets SET confirmed_by = asked_by"))


def test_two_who_confirm_at_once_hand_out_one_code(ports, two):
    third = member(ports, "S4003", ADMINISTRATOR)
    member(ports, "S1024", REVIEWER)
    ask_reset(ports, number="S1024", by=two[0], origin=OFFICE)

    done = at_once(*[lambda by=by: confirm_reset(ports, number="S1024", by=by, origin=OFFICE) for by in (two[1], third)])

    assert sorted(type(each).__name__ for each in done) == ["Invitation", "ResetNotWaiting"]


def test_a_reset_that_nobody_confirms_lapses_and_may_be_asked_for_again(ports, two, world, clock):
    member(ports, "S1024", REVIEWER)
    ask_reset(ports, number="S1024", by=two[0], origin=OFFICE)
    clock.move(hours=24)

    assert list_resets(ports, by=two[1]) == []
    with pytest.raises(ResetNotWaiting):
        confirm_reset(ports, number="S1024", by=two[1], origin=OFFICE)
    assert world.rows("SELECT state FROM staff_resets") == [("LAPSED",)]
    ask_reset(ports, number="S1024", by=two[1], origin=OFFICE)
    refuse_reset(ports, number="S1024", by=two[0], origin=OFFICE)
    with pytest.raises(ResetNotWaiting):
        refuse_reset(ports, number="S1024", by=two[0], origin=OFFICE)
    assert state_of(ports) == "ACTIVE"


def test_a_reset_of_somebody_who_left_meanwhile_is_over(ports, two):
    member(ports, "S1024", REVIEWER)
    ask_reset(ports, number="S1024", by=two[0], origin=OFFICE)
    service.leave(ports, number="S1024", by=two[0], origin=OFFICE)

    with pytest.raises(ResetNotWaiting):
        confirm_reset(ports, number="S1024", by=two[1], origin=OFFICE)
