"""The registration form: only one's own, only once approved and the notice read, and the same paper while nothing changed."""

from __future__ import annotations

import io
import json
import re
import tracemalloc
from dataclasses import replace

import pypdf
import pytest

from config.rulebook import CapabilityRule, NoticePurpose, Rulebook
from models.applications import EnrollmentApplication
from models.enrollments import Enrollment
from models.people import Person
from models.printouts import Printout
from services import printout_checks
from services.application_views import list_applications, read_application
from services.consent_withdrawals import withdraw_consent
from services.errors import ConsentRequired, NotAvailableOnline, NotFound, RealNameRequired
from services.own_data import own_data
from services.printout_errors import NotApprovedYet, TooManyPrints
from services.registration_forms import PRINTS_A_DAY, print_registration_form
from services.tier_changes import NewTier, change_tier
from tests import applying
from tests.applying import an_applicant, approved, begin, in_xinjiang, judged, printable, submitted
from tests.together import at_once

NAME = "张三丰"


def printed(world, account, view):
    return print_registration_form(world.ports, account=account, application_id=view.id)


def words(pdf: bytes) -> str:
    """What stands on it, without the mark and without line breaks."""
    pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]
    lines = [line for page in pages for line in page.splitlines() if not line.startswith("仅用于社保参保登记")]
    return "".join(line.strip() for line in lines)


def own_number(world, account) -> str:
    with world.ports.begin() as session:
        person = session.get_one(Person, account.person_id)
        return world.ports.seals.open(person.id_number_sealed, place=Person.id_number_place(person.id))


def issued(world, view):
    return world.rows(
        "SELECT serial, version, replaced_at FROM printouts WHERE application_id = :id ORDER BY version", id=view.id
    )


# What stands on it.


def test_the_form_says_what_was_declared_and_what_came_of_it(world):
    account, view = printable(world)

    pdf = printed(world, account, view)
    said = words(pdf.content)

    number = own_number(world, account)
    for each in (
        "常州市劳动事务代理申请登记表", NAME, number, f"{number[6:10]}年", "男", "13912345678", "弹性工作", "常州市天宁区",
        "常州市天宁区某某街道一号", "企业职工基本养老保险", "三档", "职工基本医疗保险", "第五档", "2026年11月", "正常参保",
        "身份证人像面、身份证国徽面、居住证", "审核通过，准予参保登记", "2026年11月21日", view.case_no, pdf.serial, "示例表样",
    ):  # fmt: skip
        assert each in said, each
    assert pypdf.PdfReader(io.BytesIO(pdf.content)).get_num_pages() == 1


def test_serial_and_moment_lie_across_it_and_nothing_about_the_person_in_its_properties(world):
    account, view = printable(world)

    pdf = printed(world, account, view)
    reader = pypdf.PdfReader(io.BytesIO(pdf.content))

    marks = re.findall(r"仅用于社保参保登记　(\S+)　(2026-11-21 10:00)", reader.pages[0].extract_text())
    assert len(marks) > 10
    assert {serial for serial, _ in marks} == {pdf.serial}
    assert re.fullmatch(r"320400-20261121-[0-9A-HJKMNP-TV-Z]{10}", pdf.serial)
    assert dict(reader.metadata) == {
        "/Title": "常州市劳动事务代理申请登记表", "/Subject": pdf.serial, "/Author": "canbao", "/Creator": "canbao",
        "/Producer": reader.metadata.producer, "/CreationDate": reader.metadata["/CreationDate"], "/ModDate": reader.metadata["/ModDate"],
        "/Keywords": "", "/Trapped": "/False",
    }  # fmt: skip
    assert NAME not in repr(pdf)


def test_what_nobody_filled_in_stays_empty_to_be_written_by_hand(world):
    account, view = printable(world)

    said = words(printed(world, account, view).content)

    assert "民族公民身份号码" in said
    assert "代理机构" in said


def test_every_fetch_opens_what_it_prints_on_record_with_its_columns_and_purpose(world):
    account, view = printable(world)

    for _ in range(2):
        printed(world, account, view)

    rows = world.rows(
        "SELECT subject_table, columns, who FROM personal_data_accesses WHERE purpose = 'registration_form' ORDER BY id"
    )
    who = f"account:{account.id}"
    assert rows == [("persons", "name,id_number", who), ("enrollment_applications", "details", who)] * 2


def test_nothing_personal_stands_in_the_table(world):
    account, view = printable(world)
    printed(world, account, view)

    (row,) = world.rows("SELECT row_to_json(printouts)::text FROM printouts")
    bytes_of = world.rows("SELECT code_hash, code_sealed, digest_sealed, standing_hash FROM printouts")[0]

    for secret in (NAME, own_number(world, account), "13912345678", "某某街道", "张**"):
        assert secret not in row[0]
        assert all(secret.encode() not in bytes(each) for each in bytes_of)


# Who may, and when.


@pytest.mark.parametrize("state", ["draft", "submitted", "under review", "rejected", "returned"])
def test_before_the_approval_there_is_nothing_to_print_and_it_says_where_the_case_stands(world, state):
    account = an_applicant(world)
    world.agree(account, "AGENCY_CLIENT")
    view = begin(world, account) if state == "draft" else submitted(world, account)
    if state == "under review":
        judged(world, view, "take_up")
    if state in ("rejected", "returned"):
        judged(world, view, "reject" if state == "rejected" else "give_back", "DOCUMENT_UNREADABLE")

    with pytest.raises(NotApprovedYet) as refusal:
        printed(world, account, view)

    assert view.case_no in refusal.value.said
    assert read_application(world.ports, account=account, application_id=view.id).state_text in refusal.value.said
    assert "12333" in refusal.value.said
    assert issued(world, view) == []
    assert world.scalar("SELECT count(*) FROM personal_data_accesses WHERE purpose = 'registration_form'") == 0


def test_the_notice_gates_the_printing_and_the_refusal_says_which_one_to_read(world):
    account, view = printable(world, read=False)

    with pytest.raises(ConsentRequired) as refusal:
        printed(world, account, view)

    assert "《劳动事务代理人员须知》" in refusal.value.said
    assert refusal.value.facts["purpose"] == "AGENCY_CLIENT"
    assert issued(world, view) == []
    # The payment is another matter: bills stand there to be paid.
    assert world.scalar("SELECT count(*) FROM contribution_bills WHERE state = 'UNPAID'") == 2
    world.agree(account, "AGENCY_CLIENT")
    assert printed(world, account, view).content.startswith(b"%PDF-")


def test_a_notice_that_changed_since_is_read_again(world):
    account, view = printable(world)
    printed(world, account, view)
    region = world.ports.rulebook.region("320400")
    notice = region.notice(NoticePurpose.AGENCY_CLIENT, world.ports.today())
    shape = type(notice)
    rows = tuple(
        each.model_copy(update={"text": f"{each.text}（修订）"}) if each is notice else each for each in region.rows[shape]
    )
    changed = replace(region, rows={**region.rows, shape: rows})
    world.ports = replace(world.ports, rulebook=Rulebook({**world.ports.rulebook.regions, "320400": changed}))

    with pytest.raises(ConsentRequired):
        printed(world, account, view)

    world.agree(account, "AGENCY_CLIENT")
    assert printed(world, account, view).content.startswith(b"%PDF-")


def test_whoever_takes_the_consent_back_prints_no_more(world):
    account, view = printable(world)
    (consent,) = world.rows("SELECT id FROM consents WHERE account_id = :id AND purpose = 'AGENCY_CLIENT'", id=account.id)
    withdraw_consent(world.ports, account=account, consent_id=consent[0])

    with pytest.raises(ConsentRequired):
        printed(world, account, view)


def test_nobody_prints_anybody_elses_not_even_the_same_person_from_another_account(world):
    account, view = printable(world)
    with world.ports.begin() as session:
        person = session.get_one(Person, account.person_id)
        session.expunge(person)
    for other in (printable(world)[0], world.account(person, miniprogram="jiangsu-tax-wechat")):
        with pytest.raises(NotFound):
            printed(world, other, view)

    assert issued(world, view) == []


def test_an_account_that_is_no_longer_verified_prints_nothing(world):
    account, view = printable(world)
    with world.ports.begin() as session:
        session.get_one(type(account), account.id).person_id = None

    with pytest.raises(RealNameRequired):
        printed(world, account, view)


def test_a_region_without_such_a_form_says_so_with_its_window(world):
    account = in_xinjiang(world)
    view = approved(world, account)

    with pytest.raises(NotAvailableOnline) as refusal:
        printed(world, account, view)

    assert "本地区不需要打印登记表" in refusal.value.said
    assert refusal.value.facts["counter"]["name"]
    assert "PRINT_FORM" not in read_application(world.ports, account=account, application_id=view.id).can


def test_what_the_region_closes_is_closed_at_once(world):
    account, view = printable(world)
    region = world.ports.rulebook.region("320400")
    rows = tuple(
        each.model_copy(update={"available": False, "explanation": "打印登记表请到窗口办理。"})
        if each.capability == "PRINT_REGISTRATION_FORM" else each
        for each in region.rows[CapabilityRule]
    )  # fmt: skip
    closed = replace(region, rows={**region.rows, CapabilityRule: rows})
    world.ports = replace(world.ports, rulebook=Rulebook({**world.ports.rulebook.regions, "320400": closed}))

    with pytest.raises(NotAvailableOnline, match="NOT_AVAILABLE_ONLINE") as refusal:
        printed(world, account, view)
    assert "请到窗口办理" in refusal.value.said


def test_the_case_says_that_its_form_may_be_printed_once_it_is_approved(world):
    account = an_applicant(world)
    assert "PRINT_FORM" not in submitted(world, account).can
    account, view = printable(world)

    assert "PRINT_FORM" in read_application(world.ports, account=account, application_id=view.id).can
    assert "PRINT_FORM" in list_applications(world.ports, account=account)[0].can


# The same paper, and another one.


def test_fetched_again_it_is_the_same_file_byte_for_byte(world, clock):
    account, view = printable(world)
    first = printed(world, account, view)
    clock.move(days=3)

    assert printed(world, account, view) == first
    assert len(issued(world, view)) == 1


def test_a_tier_that_changed_makes_a_new_version_and_the_older_one_says_so(world, clock):
    account, view = printable(world)
    first = printed(world, account, view)
    code = code_on(first.content)
    (enrollment,) = world.rows("SELECT enrollment_no FROM enrollments WHERE insurance_type = '110'")
    change_tier(
        world.ports,
        account=account,
        enrollment_no=enrollment[0],
        new=NewTier(tier="5", declared_wage_fen=None),
        idempotency_key="another-tier-please",
    )
    assert standing(world, code) == "VALID"
    clock.move(days=45)

    assert standing(world, code) == "CHANGED"
    second = printed(world, account, view)

    assert "五档" in words(second.content)
    assert second.serial != first.serial
    assert "第2版" in words(second.content)
    assert standing(world, code) == "REPLACED"
    assert standing(world, code_on(second.content)) == "VALID"
    assert [(version, replaced is None) for _, version, replaced in issued(world, view)] == [(1, False), (2, True)]


def test_a_pause_is_told_by_the_code_and_stands_on_the_next_print(world, clock):
    account, view = printable(world)
    first = printed(world, account, view)
    with world.ports.begin() as session:
        for each in session.query(Enrollment).filter_by(person_id=account.person_id):
            each.suspend(from_month=202612, who="registrar", at=world.ports.now())

    assert standing(world, code_on(first.content)) == "SUSPENDED"
    second = printed(world, account, view)

    assert "暂停参保" in words(second.content)
    assert standing(world, code_on(second.content)) == "SUSPENDED"


@pytest.mark.parametrize("verb", ["terminate", "retire"])
def test_an_end_for_good_is_told_by_the_code(world, verb):
    account, view = printable(world)
    code = code_on(printed(world, account, view).content)
    with world.ports.begin() as session:
        for each in session.query(Enrollment).filter_by(person_id=account.person_id):
            getattr(each, verb)(from_month=202612, who="registrar", at=world.ports.now())

    assert standing(world, code) == {"terminate": "TERMINATED", "retire": "RETIRED"}[verb]


def test_one_of_two_insurances_that_ended_is_a_change(world):
    account, view = printable(world)
    code = code_on(printed(world, account, view).content)
    with world.ports.begin() as session:
        row = session.query(Enrollment).filter_by(person_id=account.person_id, insurance_type="310").one()
        row.suspend(from_month=202612, who="registrar", at=world.ports.now())

    assert standing(world, code) == "CHANGED"


def test_two_presses_at_once_are_one_serial(world):
    account, view = printable(world)

    made = at_once(*[lambda: printed(world, account, view)] * 8)

    assert len({each.serial for each in made}) == 1
    assert len({each.content for each in made}) == 1
    assert len(issued(world, view)) == 1


def test_another_seal_key_changes_no_paper(world, ports, key_file):
    from config.seal_file import add_key
    from config.seals import load_seals

    world.ports = replace(ports, seals=load_seals(key_file))
    account, view = printable(world)
    first = printed(world, account, view)
    add_key(key_file, algorithm="SM4-GCM")
    world.ports = replace(world.ports, seals=load_seals(key_file))

    assert printed(world, account, view) == first


# Bounds.


def test_a_thousand_presses_of_one_account_draw_no_more_than_a_days_worth(world, clock):
    account, view = printable(world)
    refused = 0

    for _ in range(1000):
        try:
            printed(world, account, view)
        except TooManyPrints:
            refused += 1

    assert refused == 1000 - PRINTS_A_DAY
    assert world.scalar("SELECT count(*) FROM personal_data_accesses WHERE purpose = 'registration_form'") == 2 * PRINTS_A_DAY
    assert len(issued(world, view)) == 1
    clock.move(days=1)
    assert printed(world, account, view)


def test_a_form_with_everything_at_its_longest_takes_little_memory_and_goes_on_on_another_page(world):
    person = world.person(name="玛依努尔" + "·阿不都热依木" * 6, id_number=applying.a_workers_number())
    account = an_applicant(world, person)
    address = "某" * 100
    answers = {**applying.CHANGZHOU, "residence_address": address, "education": "SENIOR", "ethnic_group": "05"}
    account, view = printable(world, account, answers=answers)
    printed(world, account, view)
    tracemalloc.start()
    try:
        made = printed(world, account, view)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert address in words(made.content)
    assert "维吾尔族" in words(made.content)
    assert most < 8 * 1024 * 1024
    assert len(made.content) < 64 * 1024


def test_a_name_with_a_character_that_the_font_lacks_is_printed_as_its_code_point_and_asks_for_a_pen(world):
    person = world.person(name="王𠮷", id_number=applying.a_workers_number())
    account, view = printable(world, an_applicant(world, person))

    said = words(printed(world, account, view).content)

    assert "王〔U+20BB7〕" in said
    assert "请本人用黑色笔填写原字" in said
    assert "请本人用黑色笔" not in words(printed(world, *printable(world)).content)


def test_the_dot_inside_a_name_is_drawn_by_the_one_code_that_the_font_has_for_it(world):
    person = world.person(name="阿依古丽·买买提", id_number=applying.a_workers_number())
    account, view = printable(world, an_applicant(world, person))

    assert "阿依古丽・买买提" in words(printed(world, account, view).content)


# What becomes of it.


def test_its_owner_sees_that_it_was_printed_and_every_look(world):
    account, view = printable(world)
    made = printed(world, account, view)

    told = {kind.kind: kind for kind in own_data(world.ports, account=account)}

    assert [item["serial"] for item in told["printouts"].items] == [made.serial]
    assert "code" not in json.dumps(told["printouts"].items)
    looks = [item for item in told["accesses"].items if item["why"] == "打印登记表"]
    assert sorted(item["what"] for item in looks) == ["参保申请中填写的信息", "姓名、身份证号码"]
    assert {item["who"] for item in looks} == {"本人"}


def test_a_serial_is_bound_to_its_application_and_goes_with_it(world):
    account, view = printable(world)
    printed(world, account, view)
    with world.ports.begin() as session:
        session.execute(Printout.__table__.update().values(version=1))
        session.execute(EnrollmentApplication.__table__.delete())

    assert world.scalar("SELECT count(*) FROM printouts") == 0


def code_on(pdf: bytes) -> str:
    return re.search(r"验真码：([0-9A-Z-]{34})", words(pdf))[1]


def standing(world, code: str) -> str:
    return printout_checks.verify_printout(world.ports, code=code, caller="203.0.113.9").standing
