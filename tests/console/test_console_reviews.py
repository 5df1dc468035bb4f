"""The reviewers' desk: a queue that says in words what is late, one application beside its papers, one decision by one person."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import text

from console import review_words
from models.applications import ApplicationState, EnrollmentApplication
from models.staff import StaffRole
from services import reviews
from services.documents import LOOKS_A_DAY
from tests.applying import PENSION, an_applicant, begin, in_xinjiang, submitted
from tests.conftest import NOW
from tests.console.browser import Browser, member
from tests.factories import an_id_number
from tests.reviewing import OTHER, REVIEWER, a_picture, an_application, is_person, messages_to, state_of, taken_up

NUMBER = an_id_number(5, born="19920315")
STRANGERS = {"hukou_division": "110101", "residence_division": "110101"}


@pytest.fixture
def come_in(house):
    """Somebody of this role at the console; each comes in when a story asks for them, since a password's hash takes its time."""

    def come_in(number: str, role: StaffRole, **where: str) -> Browser:
        member(house.ports, number, role, **where)
        return Browser.of(house, number)

    return come_in


@pytest.fixture
def reviewer(come_in) -> Browser:
    return come_in("S1001", StaffRole.REVIEWER)


@pytest.fixture
def colleague(come_in) -> Browser:
    return come_in("S1002", StaffRole.REVIEWER)


@pytest.fixture
def supervisor(come_in) -> Browser:
    return come_in("S2001", StaffRole.SUPERVISOR)


def at(application) -> str:
    return f"/reviews/{application.id}"


def decide(browser, application, decision, **more):
    return browser.send(at(application), f"{at(application)}/decision", decision=decision, **{"version": 1, **more})


def opened(world):
    return world.rows("SELECT who, purpose, subject_table FROM personal_data_accesses ORDER BY id")


# --- the queue


def test_home_says_how_many_wait(house, reviewer):
    an_application(house.world)
    an_application(house.world, region="650000")

    reviewer.get("/")

    assert "审核申请" in reviewer.shown.text
    assert "2 项待办" in reviewer.shown.text


def test_the_queue_shows_masks_and_what_is_due_first_and_opens_nothing(house, reviewer):
    later, sooner = an_application(house.world), an_application(house.world, due_at=NOW + timedelta(hours=1))

    reviewer.get("/reviews")

    text_shown = reviewer.shown.text
    assert text_shown.index(sooner.case_no) < text_shown.index(later.case_no)
    assert "张**" in text_shown
    assert "张三丰" not in text_shown
    assert "待受理" in text_shown
    assert opened(house.world) == []


def test_a_late_application_says_so_in_words_and_counts_working_days(house, reviewer):
    # Today is a Saturday; Thursday's end was two days ago, and one of them was a working day.
    thursday_night = NOW.replace(day=19, hour=16)
    an_application(house.world, target_at=thursday_night - timedelta(days=1), due_at=thursday_night)

    reviewer.get("/reviews")

    assert "1 件已超期" in reviewer.shown.text
    assert "已超期1个工作日" in reviewer.shown.text
    assert "2026-11-19（星期四）24:00" in reviewer.shown.text


def test_on_a_weekend_the_next_working_day_is_counted_and_a_guess_is_told(house, reviewer):
    an_application(
        house.world, target_at=NOW - timedelta(hours=1), due_at=NOW.replace(day=23, hour=16), due_is_provisional=True
    )

    reviewer.get("/reviews")

    assert "还有1个工作日，已过目标日" in reviewer.shown.text
    assert "（星期一）24:00" in reviewer.shown.text
    assert "（暂定）" in reviewer.shown.text


def test_the_queue_is_narrowed_by_region_kind_and_state(house, reviewer):
    here, there = an_application(house.world), an_application(house.world, region="650000")
    mine = taken_up(house.world)
    paused = submitted_suspension(house)
    everyone = {here.case_no, there.case_no, mine.case_no, paused.case_no}

    def found(query):
        reviewer.get(f"/reviews?{query}")
        return {case for case in everyone if case in reviewer.shown.text}

    assert found("") == everyone
    assert found("region=650000") == {there.case_no, paused.case_no}
    assert found("region=320000") == everyone  # not one of the list: no filter at all
    assert found("kind=SUSPENSION") == {paused.case_no}
    assert found("part=MINE") == {mine.case_no}
    assert found("part=FREE&region=320400") == {here.case_no}
    assert found("part=FOR_SECOND") == set()
    assert "没有符合条件的申请" in reviewer.shown.text
    assert found("kind=x&part=y&region=z&after=nonsense~1") == everyone


def submitted_suspension(house):
    account = in_xinjiang(house.world)
    house.world.enrollment(_person(house, account), region="650000")
    return submitted(house.world, account, "SUSPENSION")


def _person(house, account):
    from models.people import Person

    with house.ports.begin() as session:
        found = session.get_one(Person, account.person_id)
        session.expunge(found)
    return found


def test_pages_follow_each_other(house, reviewer):
    everyone = {an_application(house.world).case_no for _ in range(53)}
    seen, path = [], "/reviews?kind=NEW_ENROLLMENT"
    while path:
        reviewer.get(path)
        seen += [case for case in everyone if case in reviewer.shown.text]
        path = next((link.removeprefix("/console") for link in reviewer.shown.links() if "after=" in link), None)
        assert path is None or "kind=NEW_ENROLLMENT" in path

    assert len(seen) == 53
    assert set(seen) == everyone
    assert "回到最前" in reviewer.shown.text


def test_staff_of_one_agency_see_its_own_and_what_names_none(house, come_in):
    local = come_in("S1009", StaffRole.REVIEWER, region="320400", agency="WUJIN")
    theirs, elsewhere = an_application(house.world, agency=None), an_application(house.world)

    local.get("/reviews")

    assert theirs.case_no in local.shown.text
    assert elsewhere.case_no not in local.shown.text
    assert local.get(at(theirs)).status_code == 200
    assert local.get(at(elsewhere)).status_code == 403
    assert "超出您的管辖范围" in local.shown.text
    assert "/console/reviews" in local.shown.links()


# --- taking up, and what is opened


def test_nothing_is_opened_before_somebody_takes_it_up(house, reviewer):
    application = an_application(house.world)
    a_picture(house.world, application)

    reviewer.get(at(application))

    assert "受理这件申请" in reviewer.shown.text
    assert "张三丰" not in reviewer.shown.text
    assert "查看全部内容" not in reviewer.shown.text
    assert reviewer.get(f"{at(application)}?open=1").status_code == 200
    assert "张三丰" not in reviewer.shown.text
    assert reviewer.get(f"{at(application)}/documents/ID_FRONT").status_code == 409
    assert opened(house.world) == []


def test_whoever_takes_it_up_sees_what_was_declared_beside_the_papers(house, reviewer):
    person = house.world.person(id_number=NUMBER)
    application = an_application(house.world, person)
    a_picture(house.world, application)
    a_picture(house.world, application, "RESIDENCE_PERMIT")

    done = reviewer.send(at(application), f"{at(application)}/taking-up")
    assert (done.status_code, done.headers["Location"]) == (303, f"/console{at(application)}")
    reviewer.get(at(application))

    shown = reviewer.shown.text
    assert "张三丰" in shown
    assert NUMBER in shown
    assert "1992-03-15" in shown
    assert "常州市天宁区（320402）" in shown
    assert {
        f"/console{at(application)}/documents/{kind}" for kind in ("ID_FRONT", "RESIDENCE_PERMIT")
    } <= reviewer.shown.links()
    assert "有效期限未过，居住地在本地区" in shown
    assert "还缺：身份证国徽面" in shown
    assert opened(house.world)[:2] == [
        ("staff:S1001", "review_look", "persons"), ("staff:S1001", "review_look", "enrollment_applications"),
    ]  # fmt: skip


def test_everything_of_a_whole_form_is_there_and_no_card_number(house, reviewer):
    view = submitted(house.world, in_xinjiang(house.world))
    reviewer.send(f"/reviews/{view.id}", f"/reviews/{view.id}/taking-up")

    reviewer.get(f"/reviews/{view.id}")

    shown = reviewer.shown.text
    for word in ("乌鲁木齐市天山区某某路二号", "13912345678", "弹性工作", "乌鲁木齐市天山区", "工商银行", "照片保存期已满"):
        assert word in shown, word
    assert re.search(r"[0-9],[0-9]{3}\.[0-9]{2}元", shown)
    assert "6222021001112223331" not in shown
    assert "3331" in shown


def test_a_photograph_is_shown_under_a_mark_and_each_look_is_on_record(house, reviewer):
    application = taken_up(house.world)
    document_id = a_picture(house.world, application)

    answer = reviewer.get(f"{at(application)}/documents/ID_FRONT")

    assert (answer.status_code, answer.mimetype, answer.headers["Cache-Control"]) == (200, "image/jpeg", "no-store")
    assert opened(house.world) == [("staff:S1001", "document_look", "application_documents")]
    assert house.world.rows("SELECT act, subject, result FROM staff_acts ORDER BY id DESC LIMIT 1") == [
        ("GET console.read_picture", f"{application.id}/ID_FRONT", "DONE")
    ]
    assert reviewer.get(f"{at(application)}/documents/ID_BACK").status_code == 404
    house.ports.documents.kept.clear()
    assert reviewer.get(f"{at(application)}/documents/ID_FRONT").status_code == 409
    assert "照片无法读取" in reviewer.shown.text
    with house.ports.begin() as session:
        session.execute(
            text(
                "INSERT INTO personal_data_accesses (subject_table, subject_id, columns, purpose, who, at)"
                " SELECT subject_table, :id, columns, purpose, who, at FROM personal_data_accesses, generate_series(1, :n)"
                " WHERE purpose = 'document_look' LIMIT :n"
            ),
            {"id": document_id, "n": LOOKS_A_DAY},
        )
    assert reviewer.get(f"{at(application)}/documents/ID_FRONT").status_code == 429


def test_the_auditor_sees_whose_papers_were_looked_at(house, come_in, reviewer):
    person = house.world.person()
    application = taken_up(house.world, person)
    a_picture(house.world, application)
    reviewer.get(f"{at(application)}/documents/ID_FRONT")
    auditor = come_in("S3001", StaffRole.AUDITOR)

    auditor.get("/audit/accesses?what=document_look")

    assert "工号 S1001" in auditor.shown.text
    assert person.id_number_masked in auditor.shown.text
    assert "材料照片" in auditor.shown.text


def test_a_supervisor_opens_anothers_only_by_asking_for_it(house, supervisor):
    application = taken_up(house.world)
    a_picture(house.world, application)

    supervisor.get(at(application))
    assert "张三丰" not in supervisor.shown.text
    assert opened(house.world) == []
    supervisor.get(f"{at(application)}?open=1")

    assert "张三丰" in supervisor.shown.text
    assert "提交审核结论" not in supervisor.shown.text
    assert supervisor.get(f"{at(application)}/documents/ID_FRONT").status_code == 200
    assert {who for who, _, _ in opened(house.world)} == {"staff:S2001"}


# --- deciding


def test_an_approval_takes_effect_and_leads_back_to_the_queue(house, reviewer):
    application = taken_up(house.world)

    done = decide(reviewer, application, "APPROVE")

    assert (done.status_code, done.headers["Location"]) == (303, "/console/reviews?done=approved")
    reviewer.get("/reviews?done=approved")
    assert "审核通过已生效" in reviewer.shown.text
    assert state_of(house.world, application.id) == "APPROVED"
    assert house.world.scalar("SELECT count(*) FROM enrollments") == 2
    reviewer.get(at(application))
    assert "已经办结" in reviewer.shown.text
    assert "张三丰" not in reviewer.shown.text
    reviewer.get(f"{at(application)}?open=1")
    assert "张三丰" in reviewer.shown.text


def test_what_is_to_be_mended_is_told_by_its_names(house, reviewer):
    application = taken_up(house.world)
    a_picture(house.world, application)
    to_mend = ["ID_FRONT", "HUKOU_SELF_PAGE", "residence_division"]

    done = decide(
        reviewer, application, "GIVE_BACK", reason="DOCUMENT_UNREADABLE", to_mend=to_mend, remark="请在光线好的地方重拍"
    )

    assert done.headers["Location"] == "/console/reviews?done=given_back"
    assert state_of(house.world, application.id) == "RETURNED"
    sealed = bytes(house.world.scalar("SELECT remark_sealed FROM enrollment_applications"))
    remark = house.ports.seals.open(sealed, place=EnrollmentApplication.remark_place(application.id))
    assert remark == "需要补正：身份证人像面、户口簿本人页、居住地。请在光线好的地方重拍"
    reviewer.get(at(application))
    assert "正等待申请人补正" in reviewer.shown.text
    assert "材料照片不清晰" in reviewer.shown.text


def test_a_rejection_says_its_reason_and_ends_the_case(house, reviewer):
    application = taken_up(house.world)

    done = decide(reviewer, application, "REJECT", reason="ACTIVE_ELSEWHERE")

    assert done.headers["Location"] == "/console/reviews?done=rejected"
    assert state_of(house.world, application.id) == "REJECTED"
    assert len(messages_to(house.world, application.account_id)) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"decision": ""}, "请先选择“通过”"),
        ({"decision": "PERHAPS"}, "请先选择“通过”"),
        ({"decision": "REJECT"}, "请选择原因"),
        ({"decision": "GIVE_BACK", "reason": "BECAUSE"}, "请选择原因"),
        ({"decision": "REJECT", "reason": "OTHER", "remark": "  "}, "请写明审核意见"),
        ({"decision": "GIVE_BACK", "reason": "DOCUMENT_MISSING"}, "请写明审核意见"),
        ({"decision": "GIVE_BACK", "reason": "DOCUMENT_MISSING", "to_mend": "LIBRARY_CARD"}, "请写明审核意见"),
        ({"decision": "REJECT", "reason": "OTHER", "remark": "长" * 401}, "请写明审核意见"),
    ],
)
def test_what_is_missing_is_asked_for_with_everything_kept_that_was_typed(house, reviewer, given, said):
    application = taken_up(house.world)
    a_picture(house.world, application)
    typed = {"remark": "<b>请补</b>", "to_mend": ["ID_FRONT"], **given}
    if given.get("decision") == "GIVE_BACK" and given.get("reason") == "DOCUMENT_MISSING" and "to_mend" not in given:
        typed |= {"remark": "", "to_mend": []}

    answer = decide(reviewer, application, **typed)

    assert (answer.status_code, said in reviewer.shown.text) == (422, True)
    assert state_of(house.world, application.id) == "UNDER_REVIEW"
    checked = {attrs.get("value") for _, attrs in reviewer.shown.tags if "checked" in attrs}
    assert checked == ({given["decision"]} & {"REJECT", "GIVE_BACK"}) | (set(typed["to_mend"]) & {"ID_FRONT"})
    assert "<b>请补</b>" not in answer.text
    assert house.world.scalar("SELECT count(*) FROM messages") == 0


def test_the_decision_is_about_the_version_that_was_shown(house, reviewer):
    application = taken_up(house.world)
    for version in ("1", "", "x", "9" * 30):
        with house.ports.begin() as session:
            session.execute(text("UPDATE enrollment_applications SET version = 2"))
        answer = decide(reviewer, application, "APPROVE", version=version)

        assert (answer.status_code, "申请内容已更新" in reviewer.shown.text) == (409, True), version
        assert re.search(r'name="version" value="2"', answer.text)
    assert state_of(house.world, application.id) == "UNDER_REVIEW"


def test_two_at_once_and_the_second_is_told_who_has_it(house, reviewer, colleague):
    application = an_application(house.world)
    for browser in (reviewer, colleague):
        browser.get(at(application))
    reviewer.post(f"{at(application)}/taking-up")

    answer = colleague.post(f"{at(application)}/taking-up")

    assert (answer.status_code, "该申请已不在待审队列" in colleague.shown.text) == (409, True)
    assert "工号 S1001 于" in colleague.shown.text
    assert "请返回队列选择其他申请" in colleague.shown.text
    assert "/console/reviews" in colleague.shown.links()
    for path, more in (("decision", {"decision": "APPROVE", "version": 1}), ("putting-back", {})):
        refused = colleague.post(f"{at(application)}/{path}", **more)
        assert (refused.status_code, "该申请不在您手中" in colleague.shown.text) == (409, True)
    assert "张三丰" not in colleague.shown.text
    assert state_of(house.world, application.id) == "UNDER_REVIEW"


def test_a_withdrawn_application_says_that_nothing_is_to_be_done(house, reviewer):
    application = an_application(house.world)
    reviewer.get(at(application))
    with house.ports.begin() as session:
        session.get_one(EnrollmentApplication, application.id).withdraw(who="account:x", at=house.ports.now())

    answer = reviewer.post(f"{at(application)}/taking-up")

    assert (answer.status_code, "申请人已撤回该申请" in reviewer.shown.text) == (409, True)
    assert "无需办理" in reviewer.shown.text
    reviewer.get("/reviews")
    assert application.case_no not in reviewer.shown.text


def test_ones_own_application_is_closed_with_a_way_back(house, reviewer):
    person = house.world.person()
    application = an_application(house.world, person)
    is_person(house.world, person, "staff:S1001")
    reviewer.get("/reviews")

    for answer in (
        reviewer.get(at(application)),
        reviewer.get(f"{at(application)}?open=1"),
        reviewer.get(f"{at(application)}/documents/ID_FRONT"),
        reviewer.send("/reviews", f"{at(application)}/taking-up"),
    ):
        assert (answer.status_code, "不能办理本人的申请" in reviewer.shown.text) == (403, True)
        assert "/console/reviews" in reviewer.shown.links()
    assert opened(house.world) == []


def test_it_is_put_back_by_its_holder_or_by_a_supervisor(house, reviewer, supervisor):
    first, second = taken_up(house.world), taken_up(house.world)

    assert reviewer.send(at(first), f"{at(first)}/putting-back").headers["Location"] == "/console/reviews?done=put_back"
    assert supervisor.send(at(second), f"{at(second)}/putting-back").status_code == 303

    assert [state_of(house.world, each.id) for each in (first, second)] == ["SUBMITTED"] * 2


def test_what_went_back_by_the_clock_while_somebody_typed_is_told(house, reviewer, clock):
    application = taken_up(house.world)
    for _ in range(9):  # typing for two hours, with a look at the page now and then, so that the session lives
        reviewer.get(at(application))
        clock.move(minutes=14)
    assert reviews.put_back_forgotten(house.ports) == 1

    answer = reviewer.post(f"{at(application)}/decision", decision="APPROVE", version=1)

    assert (answer.status_code, "该申请不在您手中" in reviewer.shown.text) == (409, True)
    assert "受理这件申请" in reviewer.shown.text


# --- against the rules


def test_the_rules_are_told_point_by_point_with_their_source(house, reviewer):
    application = taken_up(house.world, **STRANGERS)

    reviewer.get(at(application))

    shown = reviewer.shown.text
    assert "户籍或居住地不符合参保条件" in shown
    assert "changzhou-2025-hukou" in shown
    assert "2025-06-01 起施行，待确认" in shown
    assert "R-CZ-05" in shown
    answer = decide(reviewer, application, "APPROVE")
    assert (answer.status_code, "按现行规定不能通过" in reviewer.shown.text) == (409, True)


def test_an_override_takes_two_and_the_second_is_a_supervisor(house, reviewer, supervisor, colleague):
    application = taken_up(house.world, **STRANGERS)
    assert reviewer.send(at(application), f"{at(application)}/override", override_reason="短", version=1).status_code == 422
    assert "请写明理由" in reviewer.shown.text
    done = reviewer.post(f"{at(application)}/override", override_reason="户口迁移证明已当面核对", version=1)
    assert done.headers["Location"].endswith("done=override_asked")
    override_id = house.world.scalar("SELECT id FROM review_overrides")
    answer_at = f"/review-overrides/{override_id}/decision"

    supervisor.get("/reviews?part=FOR_SECOND")
    assert application.case_no in supervisor.shown.text
    supervisor.get(at(application))
    assert "请先查看全部内容和材料，再提交复核意见" in supervisor.shown.text
    for nobody, status in ((reviewer, 403), (colleague, 403)):
        assert nobody.send("/reviews", answer_at, choice="GRANT").status_code == status
    assert supervisor.send(f"{at(application)}?open=1", answer_at, choice="").status_code == 422
    supervisor.get(f"{at(application)}?open=1")
    assert "户口迁移证明已当面核对" in supervisor.shown.text
    granted = supervisor.post(answer_at, choice="GRANT")
    assert granted.headers["Location"].endswith("done=override_granted")

    reviewer.get(at(application))
    assert "复核主管已同意" in reviewer.shown.text
    assert decide(reviewer, application, "APPROVE").status_code == 303
    assert state_of(house.world, application.id) == "APPROVED"
    again = supervisor.send("/reviews", answer_at, choice="REFUSE")
    assert (again.status_code, "已不在待复核状态" in supervisor.shown.text) == (409, True)


def test_a_supervisor_who_reviews_does_not_answer_themselves(house, supervisor):
    application = an_application(house.world, **STRANGERS)
    supervisor.send(at(application), f"{at(application)}/taking-up")
    supervisor.send(at(application), f"{at(application)}/override", override_reason="户口迁移证明已当面核对", version=1)

    supervisor.get(at(application))

    assert "提请人本人不能复核" in supervisor.shown.text
    assert "提交复核意见" not in supervisor.shown.text
    override_id = house.world.scalar("SELECT id FROM review_overrides")
    answer = supervisor.post(f"/review-overrides/{override_id}/decision", choice="GRANT")
    assert (answer.status_code, "请由另一位主管复核" in supervisor.shown.text) == (403, True)


def test_age_is_nobodys_to_override(house, reviewer):
    person = house.world.person(id_number=an_id_number(6, born="19550101"))
    application = taken_up(house.world, person)

    reviewer.get(at(application))

    assert "已达到退休年龄" in reviewer.shown.text
    assert "提请破例" not in reviewer.shown.text
    answer = reviewer.post(f"{at(application)}/override", override_reason="本人坚持要求参保", version=1)
    assert answer.status_code == 409


@pytest.mark.parametrize("state", sorted(set(ApplicationState) - {ApplicationState.DRAFT, ApplicationState.DOCUMENTS_READY}))
def test_whatever_became_of_it_its_page_says_what_is_to_be_done(house, reviewer, state):
    told = {"decided_by": "staff:S9", "decided_at": NOW, "decision_reason": "NOT_ELIGIBLE", "taken_up_by": "staff:S9"}
    application = an_application(house.world, state=state, taken_up_at=NOW, **told)

    assert reviewer.get(at(application)).status_code == 200
    assert review_words.state(state) in reviewer.shown.text
    assert "张三丰" not in reviewer.shown.text
    assert any(word in reviewer.shown.text for word in ("受理", "无需办理", "正等待申请人补正", "已经办结"))


def test_a_draft_is_not_there_for_anybody_at_the_desk(house, reviewer):
    draft = begin(house.world, an_applicant(house.world), choices=(PENSION,))

    assert reviewer.get(f"/reviews/{draft.id}").status_code == 404
    assert "/console/reviews" in reviewer.shown.links()


def test_no_name_or_number_goes_into_the_log_or_the_acts(house, reviewer):
    person = house.world.person(id_number=NUMBER)
    application = taken_up(house.world, person)
    a_picture(house.world, application)
    reviewer.get(at(application))
    reviewer.get(f"{at(application)}/documents/ID_FRONT")
    decide(reviewer, application, "REJECT", reason="OTHER", remark="张三丰的材料不符")

    written = house.log.getvalue() + str(house.world.rows("SELECT * FROM staff_acts"))

    assert "张三丰" not in written
    assert NUMBER not in written
    assert state_of(house.world, application.id) == ApplicationState.REJECTED
    assert (REVIEWER.who, OTHER.who) == ("staff:S1001", "staff:S1002")
