"""Search and a person's page: found by number or by ID number, told in one story, masked; by role and region, and nothing of what was typed stays."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from sqlalchemy import select, text

from config.rulebook_rows import NoticePurpose
from console import people_words
from models.base import new_id
from models.bills import ContributionBill
from models.enrollments import Enrollment, EnrollmentState
from models.messages import MessageKey
from models.orders import OrderOrigin
from models.refunds import Refund, RefundReason
from models.staff import StaffRole
from services.desk_search import Found
from services.person_story import read_story
from services.person_story_rows import ROWS, Kind
from services.refunds import RefundWish, apply_for_refund
from services.review_staff import note_person
from services.staff import read_staff
from tests.conftest import MovableClock, fresh_database, ports_to
from tests.console.browser import Browser, member
from tests.console.conftest import NUMBERS
from tests.doors.house import House
from tests.factories import XINJIANG, World, an_id_number
from tests.reviewing import approved

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBER = an_id_number(77, born="19880808")
NAME = "欧阳丰"
R = StaffRole
SEEN = {
    R.REVIEWER: {"ENROLLMENTS", "APPLICATIONS", "BILLS", "ORDERS", "DEBITS", "MESSAGES", "IDENTITY", "CONSENTS"},
    R.ACCOUNTANT: {"ENROLLMENTS", "BILLS", "ORDERS", "REFUNDS", "DEBITS", "MESSAGES"},
    R.SUPERVISOR: set(Kind),
}


def run(house: House, sql: str, **given: Any) -> None:
    with house.ports.begin() as session:
        session.execute(text(sql), given)


@pytest.fixture(scope="module")
def house(server, template, rulebook, seals) -> Iterator[House]:
    """One house and one long life in it: these questions change nothing of it but who looked."""
    clock = MovableClock()
    with fresh_database(server, template) as url, ports_to(url, rulebook=rulebook, seals=seals, clock=clock) as ports:
        house = House(ports=ports, world=World(ports), clock=clock, doors=("console",))
        for role, number in NUMBERS.items():
            member(ports, number, role)
        for role in SEEN:
            member(ports, f"C{NUMBERS[role]}", role, region="320400")
            member(ports, f"X{NUMBERS[role]}", role, region="650000")
        member(ports, "T1001", R.REVIEWER, region="320400", agency="TIANNING")
        house.life = live(house)
        yield house


def live(house: House) -> dict[str, Any]:
    """Something of every kind, in Changzhou; and a stranger in Xinjiang."""
    world, ports, clock = house.world, house.ports, house.clock
    person = world.person(name=NAME, id_number=NUMBER)
    account = world.account(person)
    world.agree(account, "REAL_NAME")
    application = approved(world, person, account=account)
    clock.move(hours=1)
    world.bills_issued()
    with ports.begin() as session:
        mine = select(ContributionBill).join(Enrollment).where(Enrollment.person_id == person.id).order_by(ContributionBill.id)
        bills = session.scalars(mine).all()
        enrollment = session.get_one(Enrollment, bills[0].enrollment_id)
        session.expunge_all()
    order = world.order_for(account, world.me_in_list(account), bills[:1])
    world.hear(world.paid_news(order))
    world.settle()
    clock.move(hours=1)
    wish = RefundWish(
        payment_no=order.payment_no, reason=RefundReason.NOT_ELIGIBLE, words="核实后退回", bill_nos=(bills[0].bill_no,)
    )
    refund_no = apply_for_refund(ports, wish=wish, who="staff:S5001")
    now, agreement = ports.now(), new_id()
    ids = {"person": person.id, "account": account.id, "now": now}
    run(house, "INSERT INTO withholding_agreements (id, agreement_no, account_id, person_id, region, authority, insurance_type, state, channel, "
        "bank, bank_category, card_number_sealed, card_number_index, card_masked, text_version, text_hash, signed_at, created_at) VALUES (:id, 'AGREEMENT00000000000077', "
        ":account, :person, '320400', 'tax-320400', '110', 'ACTIVE', 'ONLINE', 'ICBC', '102', 'x', 'x', '****3331', '1', 'x', :now, :now)",
        id=agreement, **ids)  # fmt: skip
    run(house, "INSERT INTO moves (noun, row_id, from_state, to_state, why, who, at) VALUES "
        "('withholding_agreement', :id, 'PENDING_VERIFY', 'ACTIVE', 'agreement.active', 'agreements', :now), "
        "('enrollment', :enrollment, 'ACTIVE', 'SUSPENDED', 'enrollment.suspended', 'registrar', :now)",
        id=str(agreement), enrollment=str(enrollment.id), now=now)  # fmt: skip
    run(house, "WITH b AS (INSERT INTO debit_batches (way, run_day, number, state, result_due_at, created_at) "
        "VALUES ('debit-icbc-320400', '2026-11-20', 7, 'SENT', :now, :now) RETURNING id) INSERT INTO debit_instructions "
        "(batch_id, seq, payment_id, agreement_id, amount_fen, created_at) SELECT b.id, 1, p.id, :id, 12300, :now FROM b, payments p LIMIT 1",
        id=agreement, now=now)  # fmt: skip
    for table, more, values in (
        ("face_checks", "check_no, provider, state, expires_at", "'F1', 'wechat_face', 'DECLINED', :now"),
        ("bank_card_checks", "card_masked, state", "'****3331', 'MATCHED'"),
        (
            "counter_checks",
            "code_index, code_sealed, state, expires_at, site, attested_by",
            "'x', 'x', 'EXPIRED', :now, 'TIANNING', 'staff:S1001'",
        ),
    ):
        run(house, f"INSERT INTO {table} (id, account_id, created_at, {more}) VALUES (:id, :account, :now, {values})", id=new_id(), **ids)  # noqa: S608  # fmt: skip
    run(
        house,
        "UPDATE identity_verifications SET verified_at = :now, method = 'bank_card', state = 'VERIFIED' WHERE account_id = :account",
        **ids,
    )
    run(house, "INSERT INTO identity_verifications (id, account_id, state, method, verified_at, created_at) VALUES (:id, :account, 'VERIFIED', "
        "'bank_card', :now, :now) ON CONFLICT DO NOTHING", id=new_id(), **ids)  # fmt: skip
    run(house, "UPDATE consents SET withdrawn_at = :now WHERE account_id = :account AND purpose = 'REAL_NAME'", **ids)
    run(house, "INSERT INTO review_overrides (id, application_id, version, problems, reason, state, asked_by, asked_at, decided_by, finished_at) "
        "VALUES (:id, :application, 1, '{X}', '已当面核对', 'GRANTED', 'staff:S1001', :now, 'staff:S2001', :now)",
        id=new_id(), application=application.id, now=now)  # fmt: skip
    run(house, "UPDATE refunds SET state = 'REFUNDED', refunded_at = :now WHERE refund_no = :no", no=refund_no, now=now)
    stranger = world.person(name="买买提·艾力", id_number=an_id_number(78, born="19900101"))
    world.enrollment(stranger, region="650000")
    with ports.begin() as session:
        refund_id = session.scalars(select(Refund.id).where(Refund.refund_no == refund_no)).one()
    return {
        "person": person, "order": order, "bill": bills[0], "refund_no": refund_no, "refund_id": refund_id, "application": application,
        "stranger": stranger, "agreement_no": "AGREEMENT00000000000077",
    }  # fmt: skip


def at(house: House, role: StaffRole, *, scope: str = "") -> Browser:
    return Browser.of(house, f"{scope}{NUMBERS[role]}")


def find(browser: Browser, typed: str):
    return browser.send("/account", "/search", typed=typed)


def page_of(house: House, who: str = "person") -> str:
    return f"/people/{house.life[who].id}"


def whole(browser: Browser, path: str) -> tuple[str, set[str], list[str]]:
    """Every page of a story: its words, its links, its moments. Each look of another test stands in it too."""
    said, links, moments = "", set(), []
    while path:
        assert browser.get(path).status_code == 200
        said, links = said + browser.shown.text, links | browser.shown.links()
        moments += [attrs["datetime"] for tag, attrs in browser.shown.tags if tag == "time"]
        path = next((link.removeprefix("/console") for link in browser.shown.links() if "place=" in link), "")
    return said, links, moments


# --- search


def test_every_number_of_ours_and_the_providers_is_found_and_leads_to_its_page(house):
    life, browser = house.life, at(house, R.SUPERVISOR)
    order, person = life["order"], f"/console{page_of(house)}"
    explain = f"/console/explain?no={order.payment_no}"
    for typed, what, link in (
        (order.order_no, "订单", explain),
        (order.payment_no, "付款", explain),
        (f"P{order.payment_no}", "付款", explain),
        (life["refund_no"], "退款", f"/console/refunds/{life['refund_id']}"),
        (life["bill"].bill_no, "账单", person),
        (life["application"].case_no, "申请", f"/console/reviews/{life['application'].id}"),
        (life["agreement_no"], "扣款协议", person),
        (f" {order.order_no.lower()} ", "订单", explain),
    ):
        assert find(browser, typed).status_code == 200, what
        assert {link, person} <= browser.shown.links(), what
        assert f"{what} {order.order_no if what == '订单' else ''}".strip() in browser.shown.text
        assert "欧**" in browser.shown.text or "欧阳" in browser.shown.text
        assert NAME not in browser.shown.text


@pytest.mark.parametrize("typed", [NUMBER, f" {NUMBER[:6]} {NUMBER[6:14]} {NUMBER[14:]} ", NUMBER.lower()])
def test_a_person_is_found_by_id_number_masked_and_what_was_typed_stays_nowhere(house, typed, caplog):
    caplog.set_level("DEBUG")
    browser = at(house, R.REVIEWER)

    response = find(browser, typed)

    assert response.status_code == 200
    html = response.get_data(as_text=True)
    assert f"/console{page_of(house)}" in browser.shown.links()
    assert f"{NUMBER[:3]}***********{NUMBER[-4:]}" in html
    kept = "".join("".join(map(str, row)) for row in house.world.rows("SELECT act, subject, result FROM staff_acts"))
    kept += "".join(
        "".join(map(str, row)) for row in house.world.rows("SELECT columns, purpose, who FROM personal_data_accesses")
    )
    for place in (html, kept, response.request.url, caplog.text):
        assert NUMBER not in place
        assert NUMBER[6:14] not in place
    assert house.world.rows(
        "SELECT subject_id, columns, purpose, who FROM personal_data_accesses ORDER BY id DESC LIMIT 1"
    ) == [(house.life["person"].id, "name,id_number", "person_search", "staff:S1001")]
    assert house.world.rows("SELECT act, subject, result FROM staff_acts ORDER BY id DESC LIMIT 1") == [
        ("POST console.find", str(house.life["person"].id), "DONE")
    ]


@pytest.mark.parametrize(
    "typed",
    ["", "x", "0000000000000000", an_id_number(79), "%' OR 1=1 --", "<script>alert(1)</script>", "ＡＢＣＤ" * 30, "../../etc"],
)
def test_what_is_nothing_is_not_found_and_is_not_shown_back(house, typed):
    browser = at(house, R.SUPERVISOR)

    response = find(browser, typed)

    assert response.status_code == 404
    assert "没有查到" in browser.shown.text
    assert len(typed) < 4 or typed not in response.get_data(as_text=True)
    assert house.world.rows("SELECT subject, result FROM staff_acts ORDER BY id DESC LIMIT 1") == [("", "NOT_FOUND")]


def test_a_mistyped_id_number_is_told_and_not_kept(house):
    wrong = NUMBER[:-1] + ("0" if NUMBER[-1] != "0" else "1")
    browser = at(house, R.REVIEWER)

    assert find(browser, wrong).status_code == 422
    assert "校验位不对" in browser.shown.text
    assert wrong not in browser.shown.text


def test_another_regions_people_and_numbers_are_not_found_as_if_they_were_not_there(house):
    life = house.life
    numbers = [
        NUMBER,
        life["order"].order_no,
        life["refund_no"],
        life["bill"].bill_no,
        life["application"].case_no,
        life["agreement_no"],
    ]
    nothing = find(at(house, R.SUPERVISOR, scope="X"), "0000000000000000").status_code

    before = house.world.scalar("SELECT count(*) FROM personal_data_accesses")
    for role in SEEN:
        elsewhere = at(house, role, scope="X")
        for typed in numbers:
            assert find(elsewhere, typed).status_code == nothing == 404, (role, typed)
    assert house.world.scalar("SELECT count(*) FROM personal_data_accesses") == before
    assert find(at(house, R.SUPERVISOR, scope="C"), NUMBER).status_code == 200


def test_a_role_finds_what_is_its_affair_alone(house):
    life = house.life
    assert find(at(house, R.REVIEWER), life["refund_no"]).status_code == 404
    assert find(at(house, R.REVIEWER), life["order"].payment_no).status_code == 404
    assert find(at(house, R.ACCOUNTANT), life["application"].case_no).status_code == 404
    reviewer = at(house, R.REVIEWER)
    assert find(reviewer, life["order"].order_no).status_code == 200
    assert not any("/explain" in link for link in reviewer.shown.links())
    for role in (R.AUDITOR, R.ADMINISTRATOR):
        assert find(at(house, role), NUMBER).status_code == 403
        browser = at(house, role)
        browser.get("/account")
        assert "typed" not in {each.get("name") for each in browser.shown.inputs}, f"{role} has no box"


def test_the_box_stands_in_the_head_of_every_page_of_the_business_and_sends_by_post(house):
    browser = at(house, R.ACCOUNTANT)
    browser.get("/")

    [form] = [attrs for tag, attrs in browser.shown.tags if tag == "form" and attrs.get("role") == "search"]
    assert (form["method"], form["action"]) == ("post", "/console/search")
    assert browser.get("/search?typed=x").status_code == 404


# --- the story


def test_one_story_tells_every_kind_in_time_order_each_with_words_and_masked(house):
    browser = at(house, R.SUPERVISOR)

    said, links, moments = whole(browser, page_of(house))

    for words in (
        "参保登记：常州市", "停保：常州市", "新参保申请：审核通过", "提请破例复核", "账单：2026-11", "订单：手机下单", "付款到账", "申请退款",
        "退款到账", "签订扣款协议：常州市 养老", "扣款协议：生效", "银行扣款：2026-11-20 第7批", "消息：", "实名认证通过", "微信人脸核验 本人取消",
        "银行卡核验 卡号****3331，一致", "窗口核验 过期", "同意：实名信息", "撤回同意", "查看个人信息：",
    ):  # fmt: skip
        assert words in said, words
    assert NAME not in said
    assert NUMBER not in said
    assert f"{NUMBER[:3]}***********{NUMBER[-4:]}" in said
    assert moments == sorted(moments, reverse=True)
    life = house.life
    assert {
        f"/console/explain?no={life['order'].payment_no}",
        f"/console/refunds/{life['refund_id']}",
        f"/console/reviews/{life['application'].id}",
    } <= links
    assert any(link.startswith("/console/debits/") for link in links)


@pytest.mark.parametrize("role", SEEN)
def test_each_role_is_told_its_kinds_and_cannot_ask_for_others(house, role):
    browser = at(house, role)
    browser.get(page_of(house))
    offered = {attrs["value"] for tag, attrs in browser.shown.tags if tag == "option" and attrs["value"]}
    assert offered == SEEN[role]

    for kind in set(Kind) - SEEN[role]:
        browser.get(f"{page_of(house)}?kind={kind}")
        assert not any(
            attrs.get("selected") is not None and attrs["value"] for tag, attrs in browser.shown.tags if tag == "option"
        )
    said, links, _ = whole(browser, page_of(house))
    assert ("申请退款" in said) is ("REFUNDS" in SEEN[role])
    assert ("新参保申请" in said) is ("APPLICATIONS" in SEEN[role])
    assert ("查看个人信息" in said) is ("ACCESSES" in SEEN[role])
    assert any("/reviews/" in link for link in links) is ("APPLICATIONS" in SEEN[role])


@pytest.mark.parametrize("kind", Kind)
def test_the_story_is_narrowed_to_one_kind(house, kind):
    browser = at(house, R.SUPERVISOR)
    browser.get(f"{page_of(house)}?kind={kind}")

    story = read_story(
        house.ports, person_id=house.life["person"].id, staff=read_staff(house.ports, number="S2001"), kinds=[kind]
    )
    assert story.entries
    assert {each.kind for each in story.entries} == {kind}
    # Asking was another look.
    assert kind is Kind.ACCESSES or f"本页 {len(story.entries)} 条" in browser.shown.text


def test_a_look_leaves_the_row_of_the_page_and_one_that_the_person_can_read(house):
    at(house, R.ACCOUNTANT).get(page_of(house))

    person = house.life["person"].id
    assert house.world.rows("SELECT act, subject, result FROM staff_acts ORDER BY id DESC LIMIT 1") == [
        ("GET console.read_person", str(person), "DONE")
    ]
    assert house.world.rows(
        "SELECT subject_table, subject_id, purpose, who FROM personal_data_accesses ORDER BY id DESC LIMIT 1"
    ) == [("persons", person, "person_story", "staff:S5001")]


def test_staff_of_another_region_are_refused_and_nobody_is_told_more_by_guessing(house):
    before = house.world.scalar("SELECT count(*) FROM personal_data_accesses")

    for role in SEEN:
        assert at(house, role, scope="X").get(page_of(house)).status_code == 403
    assert at(house, R.SUPERVISOR).get(f"/people/{new_id()}").status_code == 404
    assert at(house, R.SUPERVISOR).get("/people/1").status_code == 404
    assert at(house, R.SUPERVISOR, scope="C").get(page_of(house, "stranger")).status_code == 403
    assert at(house, R.SUPERVISOR, scope="X").get(page_of(house, "stranger")).status_code == 200
    assert house.world.scalar("SELECT count(*) FROM personal_data_accesses") == before + 1


def test_of_a_person_of_two_regions_each_region_sees_its_own_part(house):
    world = house.world
    person = world.person(id_number=an_id_number(91, born="19700202"))
    world.enrollment(person)
    bills = world.bills(world.enrollment(person, region="650000"))
    account = world.account(person, miniprogram=XINJIANG)
    order = world.order_for(account, world.me_in_list(account), [bill for bill in bills if bill.region == "650000"][:1])
    path = f"/people/{person.id}"

    mine, theirs, all_of_it = at(house, R.SUPERVISOR, scope="C"), at(house, R.SUPERVISOR, scope="X"), at(house, R.SUPERVISOR)
    for browser in (mine, theirs, all_of_it):
        assert browser.get(path).status_code == 200

    assert order.order_no not in mine.shown.text
    assert XINJIANG not in mine.shown.text, "their account there is none of Changzhou's"
    assert "新疆" not in mine.shown.text
    assert order.order_no in theirs.shown.text
    assert "常州" not in theirs.shown.text
    assert order.order_no in all_of_it.shown.text
    assert "常州" in all_of_it.shown.text


def test_an_agency_sees_the_people_who_entrusted_it_and_no_others(house):
    world = house.world
    ours, other = (world.person(id_number=an_id_number(number, born="19750303")) for number in (92, 93))
    world.enrollment(ours, agency="TIANNING")
    world.enrollment(other, agency="CHANGZHOU")
    browser = Browser.of(house, "T1001")

    assert browser.get(f"/people/{ours.id}").status_code == 200
    assert browser.get(f"/people/{other.id}").status_code == 403


def test_nobody_reads_their_own_story(house):
    person = house.world.person(id_number=an_id_number(94, born="19750404"))
    house.world.enrollment(person)
    note_person(house.ports, who="S1001", id_number=an_id_number(94, born="19750404"), by="S2001")

    browser = at(house, R.REVIEWER)
    assert browser.get(f"/people/{person.id}").status_code == 403
    assert "本人" in browser.shown.text


def test_what_they_paid_for_others_is_told_with_the_others_masked(house):
    world = house.world
    father = world.person(name="慕容复", id_number=an_id_number(95, born="19600505"))
    bills = world.bills(world.enrollment(father))
    account, relation = world.payer_for(father)
    order = world.order_for(account, relation, bills[:1])

    browser = at(house, R.SUPERVISOR)
    browser.get(f"/people/{account.person_id}")
    assert order.order_no in browser.shown.text
    assert "为 慕** 代缴" in browser.shown.text
    assert "慕容复" not in browser.shown.text


def test_a_long_story_is_read_page_by_page_and_tells_each_thing_once(house):
    world = house.world
    person = world.person(id_number=an_id_number(96, born="19760606"))
    enrollment = world.enrollment(person)
    account = world.account(person)
    moment = house.ports.now() - timedelta(days=9)
    run(house, "INSERT INTO messages (account_id, template, facts, created_at) SELECT :account, 'payment.succeeded', '{}', "
        "CAST(:at AS timestamptz) + (n / 3) * interval '1 second' FROM generate_series(1, 120) n", account=account.id, at=moment)  # fmt: skip
    run(house, "INSERT INTO moves (noun, row_id, from_state, to_state, why, who, at) SELECT 'enrollment', :id, 'ACTIVE', 'SUSPENDED', 'x', 'y', "
        "CAST(:at AS timestamptz) + (n / 2) * interval '1 second' FROM generate_series(1, 9) n", id=str(enrollment.id), at=moment)  # fmt: skip
    staff = read_staff(house.ports, number="S5001")
    wanted = {"person_id": person.id, "staff": staff, "kinds": [Kind.MESSAGES, Kind.ENROLLMENTS]}

    told, place = [], None
    while True:
        story = read_story(house.ports, **wanted, before=place, limit=17)
        told += story.entries
        if (place := story.older) is None:
            break

    assert len({(each.what, each.key) for each in told}) == len(told) == 120 + 9 + 1
    assert [each.at for each in told] == sorted((each.at for each in told), reverse=True)
    browser = at(house, R.ACCOUNTANT)
    path, pages = f"/people/{person.id}", 0
    while path:
        assert browser.get(path).status_code == 200
        pages += 1
        path = next((link.removeprefix("/console") for link in browser.shown.links() if "place=" in link and pages < 9), "")
    assert pages == 3


@pytest.mark.parametrize(
    "place",
    ["x", "~~", "2026-11-21~bill~1", "2026-11-21T10:00:00+08:00~nothing~1", "9999-12-31T23:59:59+00:00~bill~'; DROP", "%00"],
)
def test_a_place_that_no_page_of_ours_wrote_breaks_nothing(house, place):
    given = place if place == "%00" else quote(place)

    assert at(house, R.SUPERVISOR).get(f"{page_of(house)}?place={given}&kind=nothing").status_code in (200, 404)


def test_html_in_a_name_or_a_fact_is_shown_as_it_is(house):
    world = house.world
    person = world.person(id_number=an_id_number(97, born="19770707"))
    world.enrollment(person, insurance_type="<i>x</i>")
    account = world.account(person)
    run(house, "UPDATE persons SET name_masked = '<b>张</b>' WHERE id = :id", id=person.id)
    run(house, "INSERT INTO messages (account_id, template, facts, created_at) VALUES (:a, '<script>x</script>', '{}', :at)", a=account.id, at=house.ports.now())  # fmt: skip

    browser = at(house, R.SUPERVISOR)
    html = browser.get(f"/people/{person.id}").get_data(as_text=True)
    assert "<b>张" not in html
    assert "<script>" not in html
    assert "&lt;b&gt;张" in html


def test_a_payment_leads_to_its_persons_story(house):
    browser = at(house, R.ACCOUNTANT)
    browser.get(f"/explain?no={house.life['order'].order_no}")
    assert f"/console{page_of(house)}" in browser.shown.links()


def test_every_code_has_its_words(house):
    assert set(people_words.KINDS) == set(Kind)
    assert set(people_words.FOUND) == set(Found)
    assert set(people_words.CONSENTS) == set(NoticePurpose)
    assert set(people_words.ORIGINS) == set(OrderOrigin)
    assert set(people_words.ENROLLED) == set(EnrollmentState) - {EnrollmentState.NONE}
    assert set(people_words._LINES) == set(ROWS)
    assert all(people_words.wordings().find(key, language="zh-CN") for key in MessageKey)
