"""Looks at applications: masked from outside, opened for a reason, photographs under a mark; and what stands beside what."""

from __future__ import annotations

import io
from datetime import date

import pytest
from PIL import Image
from sqlalchemy import text

from config.rulebook import ApplicationKind
from models.applications import DecisionReason, EnrollmentApplication
from services import application_looks, review_queue, reviews
from services.audit_trail import Wanted, read_accesses
from services.errors import NotFound
from services.review_errors import ApplicationNotYours, OwnAffairs, RemarkNeeded, RolePowerless
from services.review_findings import Verdict, findings
from services.review_queue import Narrowed, Part, Reviewer
from services.review_remarks import remark_of
from services.review_sheet import lay_out, name_of_division
from services.working_days import count_between
from tests.applying import HRSS_APP, a_worker, in_xinjiang, submitted
from tests.applying import an_applicant as somebody_applying
from tests.reviewing import (
    AUDITOR,
    OTHER,
    REVIEWER,
    SUPERVISOR,
    a_picture,
    an_applicant,
    an_application,
    approve,
    approved,
    is_person,
    taken_up,
)


def looked(world):
    return world.rows("SELECT who, purpose FROM personal_data_accesses ORDER BY id")


def glance(ports, application, reviewer=REVIEWER):
    return application_looks.glance(ports, application_id=application.id, reviewer=reviewer)


def picture(ports, application, reviewer=REVIEWER, kind="ID_FRONT"):
    return application_looks.open_picture(ports, application_id=application.id, kind=kind, reviewer=reviewer)


def look(ports, application, reviewer=REVIEWER):
    return reviews.look_at(ports, application_id=application.id, reviewer=reviewer)


# --- who may open


def test_a_glance_tells_where_it_stands_and_opens_nothing(ports, world):
    application = taken_up(world)

    mine, others, supervisors = (glance(ports, application, each) for each in (REVIEWER, OTHER, SUPERVISOR))

    assert (mine.name_masked, mine.is_mine, mine.may_take_up, mine.may_put_back, mine.may_open) == (
        "张**",
        True,
        False,
        True,
        True,
    )
    assert (others.is_mine, others.may_put_back, others.may_open, others.taken_up_by) == (False, False, False, "staff:S1001")
    assert (supervisors.is_mine, supervisors.may_put_back, supervisors.may_open) == (False, True, True)
    assert looked(world) == []


def test_whoever_neither_holds_nor_decided_it_opens_nothing(ports, world):
    waiting, mine = an_application(world), taken_up(world)
    for application in (waiting, mine):
        a_picture(world, application)

    for call in (look, picture):
        for application, reviewer in ((waiting, REVIEWER), (waiting, OTHER), (mine, OTHER)):
            with pytest.raises(ApplicationNotYours):
                call(ports, application, reviewer)
        with pytest.raises(RolePowerless):
            call(ports, mine, AUDITOR)
    assert looked(world) == []
    picture(ports, waiting, SUPERVISOR)
    assert looked(world) == [("staff:S2001", "document_look")]


def test_what_was_decided_is_opened_by_whoever_decided_it_and_what_went_back_by_nobody(ports, world):
    done, returned = approved(world), taken_up(world)
    given = {"application_id": returned.id, "version": 1, "reviewer": REVIEWER}
    reviews.give_back(ports, **given, reason=DecisionReason.DOCUMENT_EXPIRED, remark="请更换")

    assert look(ports, done).name == "张三丰"
    with pytest.raises(ApplicationNotYours):
        look(ports, done, OTHER)
    for reviewer in (REVIEWER, SUPERVISOR):
        with pytest.raises(ApplicationNotYours):
            look(ports, returned, reviewer)


def test_whoever_gave_it_back_once_does_not_open_it_when_it_comes_again(ports, world):
    application = taken_up(world)
    with ports.begin() as session:
        row = session.get_one(EnrollmentApplication, application.id)
        row.give_back(DecisionReason.OTHER, who=REVIEWER.who, at=ports.now())
        row.submit(target_at=ports.now(), due_at=ports.now(), is_provisional=False, who="account:x", at=ports.now())

    with pytest.raises(ApplicationNotYours):
        look(ports, application)


@pytest.mark.parametrize("call", [glance, look, picture])
def test_another_region_a_draft_and_ones_own_stay_closed(ports, world, call):
    person = an_applicant(world)
    mine, there = taken_up(world, person), taken_up(world, region="650000")
    draft = an_application(world, state="DRAFT", submitted_at=None, target_at=None, due_at=None)
    local = Reviewer(who=REVIEWER.who, roles=REVIEWER.roles, region="320400")
    is_person(world, person, REVIEWER.who)

    for application, refusal in ((there, NotFound), (draft, NotFound), (mine, OwnAffairs)):
        with pytest.raises(refusal):
            call(ports, application, local)
    assert looked(world) == []


# --- photographs


def test_a_photograph_carries_the_mark_of_whoever_looks(ports, world):
    application = taken_up(world)
    plain = io.BytesIO()
    Image.new("RGB", (900, 600), (200, 200, 200)).save(plain, "JPEG")
    a_picture(world, application, content=plain.getvalue())

    shown = Image.open(io.BytesIO(picture(ports, application).content))

    assert shown.size == (900, 600)
    assert len(shown.getcolors(900 * 600)) > 50, "a plain picture has got letters"
    with pytest.raises(NotFound):
        picture(ports, application, kind="ID_BACK")
    with ports.begin() as session:
        session.execute(text("UPDATE application_documents SET live = false"))
    with pytest.raises(NotFound):
        picture(ports, application)


def test_the_audit_trail_says_whose_photograph_it_was(ports, world):
    person = an_applicant(world)
    application = taken_up(world, person)
    a_picture(world, application)
    picture(ports, application)

    (line,) = read_accesses(ports, wanted=Wanted(what="document_look")).lines

    assert (line.who, line.whose) == ("staff:S1001", f"{person.name_masked} {person.id_number_masked}")


# --- the queue, narrowed


def test_a_narrowed_queue_counts_what_it_shows(ports, world):
    an_application(world)
    mine = taken_up(world)
    there = an_application(world, region="650000")

    def found(**only):
        page = review_queue.list_queue(ports, reviewer=REVIEWER, only=Narrowed(**only))
        assert page.waiting == len(page.rows)
        return {row.application_id for row in page.rows}

    assert found(region="650000") == {there.id}
    assert found(part=Part.MINE) == found(part=Part.TAKEN) == {mine.id}
    assert found(part=Part.FREE, region="650000", kind="NEW_ENROLLMENT") == {there.id}
    assert found(kind="SUSPENSION") == set()
    local = Reviewer(who="staff:S9", roles=frozenset({"REVIEWER"}), region="320400")
    assert review_queue.list_queue(ports, reviewer=local, only=Narrowed(region="650000")).rows == []


def test_working_days_between_two_days(ports):
    region = ports.rulebook.region("320400")

    # Friday to Monday over a weekend; over the seven days of National Day 2026, of which a Saturday after them is worked.
    assert count_between(region, date(2026, 11, 20), date(2026, 11, 23)) == 1
    assert count_between(region, date(2026, 9, 30), date(2026, 10, 8)) == 1
    assert count_between(region, date(2026, 10, 8), date(2026, 10, 10)) == 2
    assert count_between(region, date(2026, 11, 23), date(2026, 11, 20)) == 0


# --- what stands beside what


def sheet_of(ports, world, view):
    row = world.scalar("SELECT id FROM enrollment_applications WHERE id = :id", id=view.id)
    reviews.take_up(ports, application_id=row, reviewer=REVIEWER)
    seen = reviews.look_at(ports, application_id=row, reviewer=REVIEWER)
    return lay_out(ports.rulebook.region(view.region), seen, on=ports.today())


def test_each_paper_stands_beside_what_it_shows_and_the_rest_is_left_over(ports, world):
    view = submitted(world, somebody_applying(world, a_worker(world), miniprogram=HRSS_APP))

    sheet = sheet_of(ports, world, view)

    beside = {paper.kind: [each.key for each in paper.fields] for paper in sheet.papers}
    assert beside == {
        "ID_FRONT": ["name", "sex", "birth_date", "id_number"],
        "ID_BACK": [],
        "RESIDENCE_PERMIT": ["name", "id_number", "residence_division", "residence_address"],
    }
    assert [each.key for each in sheet.others] == [
        "hukou_division",
        "mobile",
        "employment_form",
        "pooling_area",
        "effective_month",
    ]
    assert (sheet.others[-1].label, sheet.others[-1].value) == ("参保起始月", "2026年11月")
    assert sheet.missing == []
    assert [(key, label) for key, label in sheet.to_mend][:3] == [
        ("ID_FRONT", "身份证人像面"), ("ID_BACK", "身份证国徽面"), ("RESIDENCE_PERMIT", "居住证"),
    ]  # fmt: skip
    assert "name" not in dict(sheet.to_mend)
    assert "张三丰" not in repr(sheet)


def test_a_card_number_stays_masked_at_the_desk_and_its_holder_is_told(ports, world):
    sheet = sheet_of(ports, world, submitted(world, in_xinjiang(world)))

    told = {each.key: each.value for each in sheet.others}
    assert told["card_number"].endswith("3331")
    assert "*" in told["card_number"]
    assert told["account_holder"] == "张三丰"


@pytest.mark.parametrize(
    ("region", "code", "name"),
    [
        ("320400", "320402", "常州市天宁区"),
        ("320400", "320499", "常州市其他县（市、区）"),
        ("320400", "320102", "江苏省其他县（市、区）"),
        ("320400", "110101", "外省（自治区、直辖市）"),
        ("650000", "650102", "乌鲁木齐市天山区"),
        ("650000", "320402", "外省（自治区、直辖市）"),
    ],
)
def test_a_division_is_told_as_far_as_the_rulebook_names_it(rulebook, region, code, name):
    assert name_of_division(rulebook.region(region), code) == name


def test_every_paper_names_fields_that_a_form_can_ask_for(rulebook):
    for region in rulebook.regions.values():
        for document in region.documents.values():
            for key in document.shows:
                assert region.application_field(key, date(2026, 11, 22)).label


# --- what the rules say


def verdicts(ports, application, *, missing=(), kind=ApplicationKind.NEW_ENROLLMENT):
    view = look(ports, application)
    region = ports.rulebook.region(application.region)
    return findings(region, kind=kind, obstacles=view.obstacles, missing=list(missing), on=ports.today())


def test_every_point_names_the_rule_that_decides_it(ports, world):
    told = verdicts(ports, taken_up(world, hukou_division="110101", residence_division="110101"))

    by_point = {each.what: each for each in told}
    assert [(each.what, each.verdict) for each in told] == [
        ("网上办理", Verdict.MET), ("年龄", Verdict.MET), ("户籍和居住地", Verdict.NOT_MET), ("已有的参保", Verdict.MET),
        ("险种、档次和统筹区", Verdict.MET), ("材料", Verdict.MET),
    ]  # fmt: skip
    assert by_point["户籍和居住地"].ground.rule == "eligibility：changzhou-2025-hukou"
    assert by_point["户籍和居住地"].ground.status == "TO_CONFIRM"
    assert [each.code for each in by_point["户籍和居住地"].obstacles] == ["HUKOU_NOT_ELIGIBLE"]
    assert by_point["已有的参保"].ground is None


def test_no_obstacle_is_left_out_and_what_was_not_asked_is_not_said_to_be_met(ports, world):
    person = an_applicant(world)
    world.enrollment(person, region="320400")
    enrolled = an_application(world, person, region="650000")
    reviews.take_up(ports, application_id=enrolled.id, reviewer=REVIEWER)
    told = verdicts(ports, enrolled, missing=["户口簿本人页"])
    found = {code.code for each in told for code in each.obstacles}

    assert {"ACTIVE_ELSEWHERE", "DOCUMENTS_MISSING"} <= found
    seen = look(ports, enrolled)
    alone = [each for each in seen.obstacles if each.code == "ACTIVE_ELSEWHERE"]
    strange = [type(alone[0])(code="SOMETHING_NEW", title="新规定", detail="…", may_be_overridden=False)]
    wrong = [type(alone[0])(code="REGION_MISMATCH", title="地区不符", detail="…", may_be_overridden=True)]
    region = ports.rulebook.region("650000")
    given = {"kind": ApplicationKind.RESUMPTION, "missing": [], "on": ports.today()}
    assert ("新规定", Verdict.NOT_MET) in [(e.what, e.verdict) for e in findings(region, obstacles=strange, **given)]
    by_point = {each.what: each.verdict for each in findings(region, obstacles=wrong, **given)}
    assert (by_point["已有的参保"], by_point["年龄"]) == (Verdict.NOT_MET, Verdict.NOT_ASKED)


# --- the remark


def test_a_no_without_a_word_of_what_to_do_is_refused_and_nothing_is_decided(ports, world):
    application = taken_up(world)
    given = {"application_id": application.id, "version": 1, "reviewer": REVIEWER}

    for verb, reason, more in (
        (reviews.reject, DecisionReason.OTHER, {"remark": None}),
        (reviews.reject, DecisionReason.NOT_ELIGIBLE, {"remark": "长" * 401}),
        (reviews.give_back, DecisionReason.DOCUMENT_MISSING, {"remark": " "}),
        (reviews.give_back, DecisionReason.DOCUMENT_MISSING, {"remark": "", "to_mend": ["NO_SUCH_PAPER"]}),
        (reviews.give_back, DecisionReason.DOCUMENT_MISSING, {"remark": "", "to_mend": ["ID_FRONT"] * 41}),
    ):
        with pytest.raises(RemarkNeeded):
            verb(ports, **given, reason=reason, **more)
    assert world.scalar("SELECT state FROM enrollment_applications") == "UNDER_REVIEW"
    assert world.scalar("SELECT count(*) FROM messages") == 0
    approve(world, application)


def test_what_is_to_be_mended_is_told_once_by_its_name(ports, world):
    application = an_application(world, state="RETURNED", decision_reason="DOCUMENT_MISSING")
    region = ports.rulebook.region("320400")

    said = remark_of(region, application, " 请补齐 ", to_mend=["ID_BACK", "residence_address", "ID_BACK"], on=ports.today())

    assert said == "需要补正：身份证国徽面、居住地址。请补齐"
