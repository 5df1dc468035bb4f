"""From the first draft to the registrar's desk: as each region says, once, and only what the person saw."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial

import pytest

from config.clock import BEIJING
from config.rulebook import ApplicationKind
from models.applications import ApplicationState, DecisionReason, EnrollmentApplication
from models.base import new_id
from services import reviews
from services.application_errors import (
    ActiveElsewhere,
    AlreadyEnrolled,
    AtPensionableAge,
    BelowMinimumAge,
    DeclaredWageOutOfLimits,
    HukouNotEligible,
    NoInsuranceSelected,
    NotSuspended,
    TierNotOffered,
)
from services.application_views import REASONS, STATES, STEPS, list_applications, read_application
from services.applications import (
    NewApplication,
    change_application,
    create_application,
    hand_in_documents,
    submit_application,
    withdraw_application,
)
from services.case_errors import (
    ApplicationChanged,
    ApplicationIncomplete,
    ApplicationNotEditable,
    ApplicationOpen,
    CannotWithdraw,
    DocumentsMissing,
    FieldsNotAccepted,
    HandInDocumentsFirst,
    TooManyApplications,
)
from services.choices import Choice
from services.consent_withdrawals import withdraw_consent
from services.errors import (
    ConsentRequired,
    IdempotencyKeyReused,
    NotAvailableOnline,
    NotFound,
    RealNameRequired,
    RegionMismatch,
)
from tests.applying import (
    BANK,
    CARD,
    CHANGZHOU,
    MEDICAL,
    PAPERS,
    PENSION,
    XINJIANG_PAPERS,
    a_worker,
    an_applicant,
    begin,
    in_xinjiang,
    judged,
    lay_papers,
    submitted,
)
from tests.reviewing import REVIEWER
from tests.together import at_once


def submit(world, account, view, *, version=None):
    return submit_application(world.ports, account=account, application_id=view.id, version=version or view.version)


def change(world, account, view, answers=None, choices=None, *, version=None):
    return change_application(
        world.ports,
        account=account,
        application_id=view.id,
        version=version or view.version,
        answers=answers or {},
        choices=choices,
    )


# --- Changzhou: 上传, 核对, 提交申报


def test_a_new_enrolment_in_changzhou_goes_from_draft_to_the_registrars_desk(world, ports, clock):
    clock.set(datetime(2026, 11, 20, 10, tzinfo=BEIJING))
    account = an_applicant(world)
    draft = begin(world, account, choices=(PENSION, MEDICAL))
    assert (draft.state, draft.can) == ("DRAFT", ("CHANGE", "HAND_IN_DOCUMENTS", "WITHDRAW"))
    assert [each["kind"] for each in draft.missing_documents] == list(PAPERS)

    lay_papers(world, draft, *PAPERS)
    ready = hand_in_documents(ports, account=account, application_id=draft.id)
    assert (ready.state, ready.can) == ("DOCUMENTS_READY", ("CHANGE", "SUBMIT", "WITHDRAW"))
    assert [(each.label, each.tier_label) for each in ready.insurances] == [("养老保险", "三档"), ("医疗保险", "第五档")]
    done = submit(world, account, ready)

    assert (done.state, done.can) == ("SUBMITTED", ("WITHDRAW",))
    # Friday: within one to two working days, so by Monday, and at the latest by the end of Tuesday.
    assert done.target_at == datetime(2026, 11, 24, tzinfo=BEIJING)
    assert done.due_at == datetime(2026, 11, 25, tzinfo=BEIJING)
    assert not done.due_is_provisional
    assert [step.step for step in done.timeline] == [
        "application.begun",
        "application.documents_handed_in",
        "application.submitted",
    ]
    assert {step.actor for step in done.timeline} == {"APPLICANT"}


def test_what_is_submitted_before_new_year_is_due_in_a_year_whose_holidays_nobody_published(world, clock):
    clock.set(datetime(2026, 12, 30, 15, tzinfo=BEIJING))
    done = submitted(world, an_applicant(world))

    assert done.target_at == datetime(2027, 1, 1, tzinfo=BEIJING)
    # Monday to Friday until the schedule is out: 1 January is a Friday.
    assert done.due_at == datetime(2027, 1, 2, tzinfo=BEIJING)
    assert done.due_is_provisional


def test_checking_comes_after_handing_in_and_submitting_after_checking(world, ports):
    account = an_applicant(world)
    draft = begin(world, account)

    with pytest.raises(DocumentsMissing) as refusal:
        hand_in_documents(ports, account=account, application_id=draft.id)
    assert [each["kind"] for each in refusal.value.facts["missing"]] == list(PAPERS)
    assert "居住证" in refusal.value.said
    lay_papers(world, draft, *PAPERS)
    with pytest.raises(HandInDocumentsFirst):
        submit(world, account, draft)
    hand_in_documents(ports, account=account, application_id=draft.id)
    assert hand_in_documents(ports, account=account, application_id=draft.id).state == "DOCUMENTS_READY"


def test_the_nearest_complete_set_says_what_is_missing(world, ports):
    account = an_applicant(world)
    draft = begin(world, account)
    lay_papers(world, draft, "ID_FRONT", "HUKOU_FIRST_PAGE", "HUKOU_SELF_PAGE")

    with pytest.raises(DocumentsMissing) as refusal:
        hand_in_documents(ports, account=account, application_id=draft.id)
    assert [each["kind"] for each in refusal.value.facts["missing"]] == ["ID_BACK"]


REGISTERED_IN_NANJING = {**CHANGZHOU, "hukou_division": "320102"}
HOUSEHOLD_REGISTER = ("ID_FRONT", "ID_BACK", "HUKOU_FIRST_PAGE", "HUKOU_SELF_PAGE")


def test_whoever_enrols_by_their_residence_shows_the_permit_whatever_else_they_show(world, ports):
    account = an_applicant(world)
    draft = begin(world, account, answers=REGISTERED_IN_NANJING)
    lay_papers(world, draft, *HOUSEHOLD_REGISTER)

    with pytest.raises(DocumentsMissing) as refusal:
        hand_in_documents(ports, account=account, application_id=draft.id)

    assert refusal.value.facts["missing"] == [
        {"kind": "RESIDENCE_PERMIT", "label": "居住证", "because": "户籍不在常州、按居住地参保的，请上传居住证"}
    ]
    assert "还缺：居住证。户籍不在常州" in refusal.value.said
    lay_papers(world, draft, "RESIDENCE_PERMIT")
    ready = hand_in_documents(ports, account=account, application_id=draft.id)
    assert submit(world, account, ready).state == "SUBMITTED"


def test_of_whoever_is_registered_in_the_city_no_permit_is_asked(world, ports):
    account = an_applicant(world)
    draft = begin(world, account)
    lay_papers(world, draft, *HOUSEHOLD_REGISTER)

    assert hand_in_documents(ports, account=account, application_id=draft.id).state == "DOCUMENTS_READY"


def test_another_hukou_after_handing_in_asks_for_the_permit_at_the_submission(world, ports):
    account = an_applicant(world)
    draft = begin(world, account)
    lay_papers(world, draft, *HOUSEHOLD_REGISTER)
    hand_in_documents(ports, account=account, application_id=draft.id)
    moved = change(world, account, draft, {"hukou_division": "320102"})

    assert [each["kind"] for each in moved.missing_documents] == ["RESIDENCE_PERMIT"]
    with pytest.raises(DocumentsMissing):
        submit(world, account, moved)


def test_what_is_changed_after_handing_in_is_checked_again(world, ports):
    account = an_applicant(world)
    draft = begin(world, account)
    lay_papers(world, draft, *PAPERS)
    ready = hand_in_documents(ports, account=account, application_id=draft.id)
    changed = change(world, account, ready, {"mobile": "13800138000"})

    assert (changed.state, changed.version) == ("DRAFT", ready.version + 1)
    with pytest.raises(ApplicationChanged) as refusal:
        submit(world, account, changed, version=ready.version)
    assert refusal.value.facts == {"current_version": changed.version}


# --- Xinjiang: 保存 is 提交


def test_whoever_has_an_old_foreign_residence_card_applies_as_everybody_does(world, ports):
    account = in_xinjiang(world, world.person(name="AIGERIM SAPAR", id_number="KAZ110090123105"))
    draft = begin(world, account)
    lay_papers(world, draft, *XINJIANG_PAPERS)

    assert submit(world, account, draft).state == "SUBMITTED"


def test_a_new_enrolment_in_xinjiang_is_submitted_by_saving(world, ports):
    account = in_xinjiang(world)
    draft = begin(world, account, choices=(Choice(insurance_type="110", declared_wage_fen=600_000),))
    with pytest.raises(DocumentsMissing):
        submit(world, account, draft)
    lay_papers(world, draft, *XINJIANG_PAPERS)
    done = submit(world, account, draft)

    assert done.state == "SUBMITTED"
    # R-XJ-24: what has to lie on the card is the declared wage × 20 %.
    assert [(each.base_fen, each.amount_fen) for each in done.insurances] == [(600_000, 120_000)]
    assert "个人委托扣款缴费协议" in done.what_next


def test_a_paused_enrolment_is_resumed_without_papers(world, ports):
    person = a_worker(world)
    held = world.enrollment(person, region="650000", state="SUSPENDED", end_month=202606)
    done = submitted(world, in_xinjiang(world, person), "RESUMPTION")

    assert (done.kind_text, done.state) == ("续保", "SUBMITTED")
    assert world.rows("SELECT insurance_type, enrollment_id, tier FROM application_items") == [("110", held.id, "3")]


def test_a_suspension_names_its_reason_and_begins_this_month_unless_told_otherwise(world, ports):
    person = a_worker(world)
    held = world.enrollment(person, region="650000")
    done = submitted(world, in_xinjiang(world, person), "SUSPENSION")

    told = {each.key: each.value for each in done.fields}
    assert told == {"change_reason": "中断缴费", "effective_month": "2026-11"}
    assert world.rows("SELECT enrollment_id, tier, declared_wage_fen FROM application_items") == [(held.id, None, None)]


@pytest.mark.parametrize(
    ("month", "wrong"),
    [("2026-07", "可以选择2026年8月至2026年12月"), ("2027-01", "可以选择"), ("2026-13", "应为年月"), ("abc", "应为年月")],
)
def test_the_month_of_a_suspension_lies_in_the_regions_window(world, month, wrong):
    person = a_worker(world)
    world.enrollment(person, region="650000")
    with pytest.raises(FieldsNotAccepted) as refusal:
        begin(world, in_xinjiang(world, person), "SUSPENSION", answers={"change_reason": "6300", "effective_month": month})
    assert wrong in refusal.value.facts["errors"]["effective_month"][0]


def test_a_month_that_is_paid_is_not_suspended(world, ports):
    account, order = world.order(miniprogram="xinjiang-tax-wechat", region="650000")
    world.hear(world.paid_news(order), miniprogram="xinjiang-tax-wechat")
    world.settle()
    with ports.begin() as session:
        person = session.get_one(type(account), account.id).person
        session.expunge_all()
    applicant = in_xinjiang(world, person)
    draft = begin(world, applicant, "SUSPENSION")

    with pytest.raises(FieldsNotAccepted) as refusal:
        submit(world, applicant, draft)
    assert "2026年12月" in refusal.value.said
    later = change(world, applicant, draft, {"effective_month": "2026-12"})
    assert submit(world, applicant, later).state == "SUBMITTED"


def test_in_the_wrong_region_the_right_one_is_named(world):
    person = a_worker(world)
    world.enrollment(person, region="320400", state="SUSPENDED", end_month=202606)
    account = in_xinjiang(world, person)

    with pytest.raises(RegionMismatch) as refusal:
        begin(world, account, "RESUMPTION")
    assert refusal.value.facts["right_region"] == "320400"
    assert "常州市" in refusal.value.said


def test_a_mini_program_of_another_region_says_so(world):
    with pytest.raises(RegionMismatch):
        begin(world, an_applicant(world), region="650000")
    with pytest.raises(NotFound):
        begin(world, an_applicant(world), region="320000")


@pytest.mark.parametrize("kind", ["RESUMPTION", "SUSPENSION"])
def test_what_changzhou_does_at_the_window_names_window_hours_and_hotline(world, kind):
    person = a_worker(world)
    world.enrollment(person, agency="WUJIN")

    with pytest.raises(NotAvailableOnline) as refusal:
        begin(world, an_applicant(world, person), kind)
    assert refusal.value.facts["counter"]["name"] == "武进区劳动就业管理机构窗口"
    assert refusal.value.facts["counter"]["hotline"] == "12333"
    assert {"address", "hours", "phone"} <= refusal.value.facts["counter"].keys()


def test_the_corps_own_areas_send_to_its_own_window(world):
    with pytest.raises(NotAvailableOnline) as refusal:
        begin(world, in_xinjiang(world), answers={"pooling_area": "659001"})
    assert "兵团" in refusal.value.facts["counter"]["name"]


def test_only_the_paused_resume(world):
    person = a_worker(world)
    world.enrollment(person, region="650000")
    with pytest.raises(NotSuspended):
        begin(world, in_xinjiang(world, person), "RESUMPTION")


# --- what the rules say, at the draft and again at the desk


def test_a_child_and_a_pensioner_hear_it_before_they_fill_in_anything(world):
    with pytest.raises(BelowMinimumAge):
        begin(world, an_applicant(world, a_worker(world, born="20101122")), answers={}, choices=None)
    with pytest.raises(AtPensionableAge):
        begin(world, an_applicant(world, a_worker(world, born="19600101")), answers={}, choices=None)


def test_neither_here_nor_from_the_province_is_refused_and_an_empty_field_is_not(world):
    account = an_applicant(world)
    assert begin(world, account, answers={}, choices=None).state == "DRAFT"
    with pytest.raises(HukouNotEligible):
        begin(world, an_applicant(world), answers={**CHANGZHOU, "hukou_division": "410100"})


@pytest.mark.parametrize(
    ("choice", "refusal"),
    [
        (Choice(insurance_type="310", tier="3"), TierNotOffered),
        (Choice(insurance_type="110", tier="6"), TierNotOffered),
        (Choice(insurance_type="110", tier=None), TierNotOffered),
    ],
)
def test_changzhou_offers_five_tiers_of_pension_and_one_of_medical(world, choice, refusal):
    with pytest.raises(refusal):
        begin(world, an_applicant(world), choices=(choice,))


def test_both_declined_is_no_insurance(world, ports):
    account = an_applicant(world)
    draft = begin(world, account, choices=())
    lay_papers(world, draft, *PAPERS)
    ready = hand_in_documents(ports, account=account, application_id=draft.id)
    with pytest.raises(NoInsuranceSelected):
        submit(world, account, ready)


def test_a_tier_that_went_out_of_force_since_the_draft_is_chosen_anew(world, ports, clock):
    """Changzhou's sample plans end with 2026."""
    clock.set(datetime(2026, 12, 31, 10, tzinfo=BEIJING))
    account = an_applicant(world)
    draft = begin(world, account)
    lay_papers(world, draft, *PAPERS)
    ready = hand_in_documents(ports, account=account, application_id=draft.id)
    clock.set(datetime(2027, 1, 4, 10, tzinfo=BEIJING))

    with pytest.raises(TierNotOffered) as refusal:
        submit(world, account, ready)
    assert "尚未公布" in refusal.value.said


@pytest.mark.parametrize("fen", [524_599, 2_623_101])
def test_a_wage_outside_the_years_limits_is_refused_with_them(world, fen):
    with pytest.raises(DeclaredWageOutOfLimits) as refusal:
        begin(world, in_xinjiang(world), choices=(Choice(insurance_type="110", declared_wage_fen=fen),))
    assert refusal.value.facts == {"floor_fen": 524_600, "ceiling_fen": 2_623_100}


@pytest.mark.parametrize("fen", [524_600, 2_623_100])
def test_the_limits_themselves_may_be_declared(world, fen):
    view = begin(world, in_xinjiang(world), choices=(Choice(insurance_type="110", declared_wage_fen=fen),))
    assert view.insurances[0].base_fen == fen


def test_who_came_to_be_enrolled_meanwhile_is_told_at_the_desk(world, ports):
    person = a_worker(world)
    account = an_applicant(world, person)
    draft = begin(world, account)
    lay_papers(world, draft, *PAPERS)
    ready = hand_in_documents(ports, account=account, application_id=draft.id)
    world.enrollment(person)

    with pytest.raises(AlreadyEnrolled):
        submit(world, account, ready)


# --- fields


def test_what_is_missing_is_named_in_the_forms_order(world, ports):
    account = an_applicant(world)
    draft = begin(world, account, answers={"pooling_area": "320402"})
    lay_papers(world, draft, *PAPERS)
    ready = hand_in_documents(ports, account=account, application_id=draft.id)

    with pytest.raises(ApplicationIncomplete) as refusal:
        submit(world, account, ready)
    assert [each["key"] for each in refusal.value.facts["missing"]] == [
        "hukou_division", "residence_division", "residence_address", "mobile", "employment_form",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mobile", "1391234567"),
        ("mobile", "13912345678；"),
        ("hukou_division", "32040"),
        ("hukou_division", "３２０４０２"),
        ("employment_form", "RETIRED"),
        ("pooling_area", "650102"),
        ("residence_address", "长" * 101),
        ("residence_address", "一\n二"),
        ("name", "别人"),
        ("card_number", CARD),
        ("is_admin", "true"),
    ],
)
def test_what_does_not_fit_is_told_by_its_field_and_never_repeated(world, key, value):
    with pytest.raises(FieldsNotAccepted) as refusal:
        begin(world, an_applicant(world), answers={key: value})
    told = refusal.value.facts["errors"]
    assert list(told) == [key if key not in ("card_number", "is_admin") else "fields"]
    assert value not in str(refusal.value.facts)


@pytest.mark.parametrize("key", ["id_number", "name", "birth_date", "sex", "person_id", "account_id"])
def test_nobody_applies_under_somebody_elses_number(world, ports, key):
    """The person is the one whose real name was proven: no field of a form, in a new draft or an old one, says otherwise."""
    other, account = a_worker(world), an_applicant(world)
    number = ports.seals.open(other.id_number_sealed, place=type(other).id_number_place(other.id))
    given = {"id_number": number, "person_id": str(other.id)}.get(key, "别人")
    draft = begin(world, account)

    for attempt in (
        partial(begin, world, an_applicant(world), answers={key: given}),
        partial(change, world, account, draft, {key: given}),
    ):
        with pytest.raises(FieldsNotAccepted) as refusal:
            attempt()
        assert given not in str(refusal.value.facts) + refusal.value.said
    assert world.rows("SELECT person_id FROM enrollment_applications") == [(account.person_id,)]
    assert world.rows("SELECT DISTINCT person_id FROM application_items") == [(account.person_id,)]


def test_a_card_with_a_slip_of_the_finger_is_refused(world):
    with pytest.raises(FieldsNotAccepted) as refusal:
        begin(world, in_xinjiang(world), answers={"card_number": CARD[:-1] + str((int(CARD[-1]) + 1) % 10)})
    assert "card_number" in refusal.value.facts["errors"]


def test_what_is_not_named_stays_and_an_empty_text_takes_away(world, ports):
    account = an_applicant(world)
    draft = begin(world, account)
    once = change(world, account, draft, {"education": "COLLEGE"})
    twice = change(world, account, once, {"education": "", "mobile": "13800138000"})

    shown = {each.key: each.value for each in twice.fields}
    assert shown["mobile"] == "138****8000"
    assert shown["employment_form"] == "弹性工作"
    assert "education" in {each.key for each in once.fields}
    assert "education" not in shown


def test_nothing_private_is_in_the_clear_anywhere(world, ports):
    account = in_xinjiang(world)
    view = begin(world, account)
    row = str(world.rows("SELECT e::text FROM enrollment_applications e"))
    keys = str(world.rows("SELECT k::text FROM idempotency_keys k"))

    for said in (str(view), row, keys):
        for private in (CARD, "13912345678", "某某路"):
            assert private not in said
    assert {each.key: each.value for each in view.fields}["card_number"] == f"****{CARD[-4:]}"


def test_whoever_fills_in_or_is_reckoned_with_sees_who_opened_what(world, ports):
    account = an_applicant(world)
    draft = begin(world, account)
    change(world, account, draft, {"mobile": "13800138000"})

    opened = world.rows("SELECT subject_table, columns, purpose FROM personal_data_accesses ORDER BY id")
    assert opened == [
        ("persons", "id_number", "application_rules"),
        ("enrollment_applications", "details", "application_change"),
        ("persons", "id_number", "application_rules"),
    ]


# --- consents


def test_no_application_before_its_consent_and_no_card_before_the_cards(world, ports):
    with pytest.raises(ConsentRequired) as refusal:
        begin(world, an_applicant(world, without=("ENROLLMENT",)))
    assert refusal.value.facts["purpose"] == "ENROLLMENT"
    with pytest.raises(ConsentRequired) as refusal:
        begin(world, in_xinjiang(world, without=("BANK_ACCOUNT",)))
    assert refusal.value.facts["purpose"] == "BANK_ACCOUNT"
    assert world.scalar("SELECT count(*) FROM enrollment_applications") == 0
    nobody = world.account(verified=False, miniprogram="changzhou-hrss-app")
    with pytest.raises(RealNameRequired):
        begin(world, nobody)


def test_a_consent_that_was_taken_back_stops_the_draft_and_not_what_lies_at_the_desk(world, ports):
    first, second = an_applicant(world), an_applicant(world)
    draft, done = begin(world, first), submitted(world, second)
    for account in (first, second):
        consent = world.scalar("SELECT id FROM consents WHERE account_id = :id AND purpose = 'ENROLLMENT'", id=account.id)
        withdraw_consent(ports, account=account, consent_id=consent)

    with pytest.raises(ConsentRequired):
        change(world, first, draft, {"mobile": "13800138000"})
    assert read_application(ports, account=second, application_id=done.id).state == "SUBMITTED"
    withdraw_application(ports, account=first, application_id=draft.id)


# --- one at a time, and one's own


def test_one_open_application_per_person_and_insurance_and_it_is_named(world, ports):
    person = a_worker(world)
    account, elsewhere = an_applicant(world, person), world.account(person, miniprogram="jiangsu-tax-wechat")
    world.agree(elsewhere, "ENROLLMENT")
    first = begin(world, account)

    with pytest.raises(ApplicationOpen) as refusal:
        begin(world, account)
    assert refusal.value.facts == {"case_no": first.case_no, "application_id": str(first.id)}
    assert first.case_no in refusal.value.said
    with pytest.raises(ApplicationOpen) as refusal:
        begin(world, elsewhere)
    assert refusal.value.facts == {"case_no": first.case_no}
    # The other insurance is free.
    assert begin(world, account, choices=(MEDICAL,)).state == "DRAFT"
    withdraw_application(ports, account=account, application_id=first.id)
    assert begin(world, account).state == "DRAFT"


def test_two_drafts_of_one_insurance_at_the_same_moment_are_one(world, ports):
    account = an_applicant(world)
    said = at_once(*[partial(begin, world, account, key=f"another-key-{n}") for n in range(4)])

    assert sorted(type(each).__name__ for each in said) == ["ApplicationOpen"] * 3 + ["ApplicationView"]
    assert world.scalar("SELECT count(*) FROM enrollment_applications") == 1


def test_in_two_regions_at_the_same_moment_one_insurance_is_applied_for_once(world, ports):
    person = a_worker(world)
    here, there = an_applicant(world, person), in_xinjiang(world, person)

    answers = at_once(partial(begin, world, here), partial(begin, world, there))

    refused = [each for each in answers if isinstance(each, ApplicationOpen)]
    assert len(refused) == 1
    assert "另一个小程序" in refused[0].said
    assert "application_id" not in refused[0].facts
    assert world.scalar("SELECT count(*) FROM application_items WHERE live") == 1


def test_what_lies_at_another_regions_desk_stands_in_the_way(world, ports):
    person = a_worker(world)
    view = submitted(world, in_xinjiang(world, person))

    with pytest.raises(ApplicationOpen) as refusal:
        begin(world, an_applicant(world, person))

    assert refusal.value.facts["case_no"] == view.case_no


def test_what_was_approved_here_in_another_region_is_an_enrolment_like_the_registrars(world, ports):
    person = a_worker(world)
    view = submitted(world, in_xinjiang(world, person))
    reviews.take_up(ports, application_id=view.id, reviewer=REVIEWER)
    reviews.approve(ports, application_id=view.id, version=view.version, reviewer=REVIEWER)

    with pytest.raises(ActiveElsewhere) as refusal:
        begin(world, an_applicant(world, person))

    assert refusal.value.facts["right_region"] == "650000"


def test_the_same_key_tells_the_same_application(world, ports):
    account = an_applicant(world)
    first, again = (begin(world, account, key="the-same-key") for _ in range(2))

    assert (first.id, again.replayed) == (again.id, True)
    with pytest.raises(IdempotencyKeyReused):
        begin(world, account, key="the-same-key", answers={**CHANGZHOU, "mobile": "13800138000"})


def test_two_presses_on_submit_are_one_submission(world, ports):
    account = in_xinjiang(world)
    draft = begin(world, account)
    lay_papers(world, draft, *XINJIANG_PAPERS)
    said = at_once(*[partial(submit, world, account, draft)] * 4)

    assert [each.state for each in said] == ["SUBMITTED"] * 4
    assert world.scalar("SELECT count(*) FROM moves WHERE why = 'application.submitted'") == 1
    assert submit(world, account, draft).submitted_at == said[0].submitted_at


def test_another_accounts_application_is_not_found_anywhere(world, ports):
    account, stranger = an_applicant(world), an_applicant(world)
    mine = begin(world, account)
    attempts = [
        partial(read_application, ports, account=stranger, application_id=mine.id),
        partial(change, world, stranger, mine, {"mobile": "13800138000"}),
        partial(hand_in_documents, ports, account=stranger, application_id=mine.id),
        partial(submit, world, stranger, mine),
        partial(withdraw_application, ports, account=stranger, application_id=mine.id),
        partial(begin, world, stranger, copied_from=mine.id),
        partial(begin, world, stranger, joint_case=new_id()),
        partial(read_application, ports, account=account, application_id=new_id()),
    ]

    for attempt in attempts:
        with pytest.raises(NotFound):
            attempt()
    assert list_applications(ports, account=stranger) == []
    assert read_application(ports, account=account, application_id=mine.id).version == mine.version


def test_nobody_fills_the_table_with_drafts(world, ports, clock):
    account = an_applicant(world)
    for _ in range(10):
        withdraw_application(ports, account=account, application_id=begin(world, account).id)
    with pytest.raises(TooManyApplications):
        begin(world, account)
    clock.move(days=1)
    for _ in range(5):
        begin(world, account, choices=None)
    with pytest.raises(ApplicationOpen):
        begin(world, account, choices=None)


# --- back, away, and anew


def test_it_is_withdrawn_until_somebody_reviews_it_and_then_nothing_changes_it(world, ports):
    account = an_applicant(world)
    done = submitted(world, account)
    withdraw_application(ports, account=account, application_id=done.id)
    withdraw_application(ports, account=account, application_id=done.id)
    gone = read_application(ports, account=account, application_id=done.id)

    assert (gone.state, gone.can) == ("WITHDRAWN", ("COPY",))
    assert world.scalar("SELECT count(*) FROM application_documents WHERE live") == 0
    with pytest.raises(ApplicationNotEditable):
        change(world, account, gone, {"mobile": "13800138000"})
    with pytest.raises(ApplicationNotEditable):
        submit(world, account, gone)
    with pytest.raises(ApplicationNotEditable):
        hand_in_documents(ports, account=account, application_id=done.id)


@pytest.mark.parametrize("verb", ["take_up", "approve"])
def test_what_is_reviewed_or_decided_is_not_withdrawn(world, ports, verb):
    account = an_applicant(world)
    done = submitted(world, account)
    judged(world, done, verb)
    with pytest.raises(CannotWithdraw):
        withdraw_application(ports, account=account, application_id=done.id)


def test_a_withdrawal_and_a_reviewer_at_the_same_moment_leave_one_of_both(world, ports):
    account = an_applicant(world)
    done = submitted(world, account)

    def take_up():
        with ports.begin() as session:
            row = session.get_one(EnrollmentApplication, done.id, with_for_update=True)
            if row.state == ApplicationState.SUBMITTED:
                row.take_up(who="staff:7", at=ports.now())

    at_once(take_up, partial(withdraw_application, ports, account=account, application_id=done.id))
    assert read_application(ports, account=account, application_id=done.id).state in ("UNDER_REVIEW", "WITHDRAWN")
    assert world.scalar("SELECT count(*) FROM moves WHERE from_state = 'SUBMITTED'") == 1


def test_what_came_back_is_mended_and_submitted_again_with_a_new_clock(world, ports, clock):
    account = an_applicant(world)
    done = submitted(world, account)
    judged(world, done, "give_back", DecisionReason.DECLARED_DIFFERS, remark="地址与居住证不一致")
    back = read_application(ports, account=account, application_id=done.id)

    assert (back.state, back.reason) == ("RETURNED", "DECLARED_DIFFERS")
    assert back.timeline[-1].remark == "填写的内容与材料不一致，请核对。地址与居住证不一致"
    assert [step.actor for step in back.timeline[-2:]] == ["STAFF", "STAFF"]
    clock.move(days=5)
    mended = change(world, account, back, {"residence_address": "常州市天宁区某某街道三号"})
    again = submit(world, account, mended)
    assert (again.state, again.timeline[-1].step) == ("SUBMITTED", "application.submitted_again")
    assert again.due_at > done.due_at


def test_a_rejected_one_is_begun_anew_with_its_data(world, ports):
    account = in_xinjiang(world)
    done = submitted(world, account)
    judged(world, done, "reject", DecisionReason.DOCUMENT_UNREADABLE)
    told = read_application(ports, account=account, application_id=done.id)
    assert (told.state, told.can) == ("REJECTED", ("COPY",))
    assert told.reason_text == "材料照片不清晰，请重新拍摄"

    anew = begin(world, account, answers={"mobile": "13800138000"}, choices=None, copied_from=done.id)
    shown = {each.key: each.value for each in anew.fields}
    assert anew.case_no != done.case_no
    assert (shown["mobile"], shown["card_number"]) == ("138****8000", f"****{CARD[-4:]}")
    assert [(each.insurance_type, each.tier) for each in anew.insurances] == [("110", "3")]
    lay_papers(world, anew, *XINJIANG_PAPERS)
    assert submit(world, account, anew).state == "SUBMITTED"


def test_copying_cards_asks_for_the_cards_consent_again(world, ports):
    account = in_xinjiang(world)
    done = begin(world, account)
    withdraw_application(ports, account=account, application_id=done.id)
    consent = world.scalar("SELECT id FROM consents WHERE account_id = :id AND purpose = 'BANK_ACCOUNT'", id=account.id)
    withdraw_consent(ports, account=account, consent_id=consent)

    with pytest.raises(ConsentRequired):
        begin(world, account, answers={}, choices=None, copied_from=done.id)


def test_late_is_apologised_for(world, ports, clock):
    account = an_applicant(world)
    done = submitted(world, account)
    assert done.apology is None
    clock.set(done.due_at + timedelta(seconds=1))

    assert "抱歉" in read_application(ports, account=account, application_id=done.id).apology


def test_every_state_step_and_reason_has_its_words():
    assert set(STATES) == set(ApplicationState)
    assert set(REASONS) == set(DecisionReason)
    assert set(EnrollmentApplication.MOVES.roads.values()) | {"application.begun"} == set(STEPS)


def test_a_closed_account_submits_nothing(world, ports):
    account = in_xinjiang(world)
    draft = begin(world, account)
    with ports.begin() as session:
        session.get_one(type(account), account.id).closed_at = ports.now()

    from services.errors import SignInAgain

    with pytest.raises(SignInAgain):
        submit(world, account, draft)


def test_a_day_without_a_form_sends_to_the_window(world, ports, clock):
    clock.set(datetime(2020, 12, 15, 10, tzinfo=BEIJING))
    assert date(2020, 12, 15) == ports.today()
    account = world.account(a_worker(world), miniprogram="changzhou-hrss-app")
    with pytest.raises((NotAvailableOnline, ConsentRequired)):
        create_application(
            ports,
            account=account,
            new=NewApplication(kind=ApplicationKind.NEW_ENROLLMENT, region="320400", answers=BANK),
            idempotency_key="key-1234",
        )
