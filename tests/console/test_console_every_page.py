"""Every page, as the application knows them: whoever may not see it does not, whatever they send, and each look leaves its row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app import create_app
from config.settings import Settings
from console.pages import blueprint
from models.identity import CounterDocument
from models.staff import StaffRole
from services import staff as service
from services.counter_orders import NewCounterOrder, make_counter_order
from services.counter_slip_papers import SlipPaper
from services.counter_slips import record_slip
from services.review_overrides import ask_override
from services.staff import Scope
from services.staff_sessions import IDLE_AFTER
from tests.conftest import ports_to
from tests.console.browser import OFFICE, Browser, member
from tests.console.conftest import NUMBERS
from tests.doors.house import House
from tests.factories import World, an_id_number
from tests.money_desk import ACCOUNTS, DAY, a_bank_fault, a_batch, a_difference, a_notice, a_refund
from tests.reviewing import REVIEWER, a_picture, an_applicant, taken_up
from tests.slates import kept_open

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Iterator

FREE = count(6000)
NO_PAGES = {"console.static", "console.nowhere"}
"""The style sheet, and what answers where there is no page."""


def a_number(house: House, region: str | None = None) -> str:
    number = f"S{next(FREE)}"
    service.invite(house.ports, number=number, roles=[StaffRole.REVIEWER], scope=Scope(region=region), origin=OFFICE)
    return number


def an_application_at_hand(house: House, region: str = "320400") -> uuid.UUID:
    """In the hands of the reviewer whose browser asks, with a photograph; the rules say no, and may be overridden."""
    person = an_applicant(house.world)
    house.world.enrollment(person, region="650000" if region == "320400" else "320400")
    application = taken_up(house.world, person, region=region)
    a_picture(house.world, application)
    return application.id


def an_override(house: House, region: str = "320400") -> uuid.UUID:
    application_id = an_application_at_hand(house, region)
    asked = {"version": 1, "reason": "转出证明已当面核对", "reviewer": REVIEWER}
    return ask_override(house.ports, application_id=application_id, **asked)


def a_counter_order(house: House, region: str = "320400") -> str:
    """At the default window of Changzhou. Another region has no terminal: there only its row says where it was made."""
    number = an_id_number(next(FREE) % 500, born=f"19{next(FREE) % 40 + 50}0301")
    person = house.world.person(id_number=number)
    bills = house.world.bills(house.world.enrollment(person))
    new = NewCounterOrder(
        site="CHANGZHOU",
        document=CounterDocument.ID_CARD,
        person_id=person.id,
        bill_nos=tuple(bill.bill_no for bill in bills),
        expected_amount_fen=sum(bill.amount_fen for bill in bills),
    )
    order = make_counter_order(house.ports, new=new, by="S1024")
    if region != "320400":
        with house.ports.begin() as session:
            moved = text(
                "UPDATE counter_orders c SET region = :region FROM payments p WHERE p.order_id = c.order_id AND p.payment_no = :no"
            )
            session.execute(moved, {"region": region, "no": order.payment_no})
    return order.payment_no


def a_slip(house: House, region: str = "320400") -> str:
    """Recorded by somebody else; a region without slips has one by its row alone."""
    serial = next(FREE)
    number = an_id_number(serial % 500, born=f"19{serial % 40 + 50}0402")
    person = house.world.person(id_number=number)
    (bill,) = house.world.bills(house.world.enrollment(person))
    paper = SlipPaper(
        region="320400", bank="ICBC", serial=f"0200-{serial}", name="张三丰", id_number=number, months=("2026-11",), insurance_type=None,
        amount_fen=bill.amount_fen, paid_on=house.ports.today(),
    )  # fmt: skip
    slip_no = record_slip(house.ports, paper=paper, by="S1099").slip_no
    with house.ports.begin() as session:
        session.execute(text("UPDATE counter_slips SET region = :r WHERE slip_no = :no"), {"r": region, "no": slip_no})
    return slip_no


def a_person(house: House, region: str = "320400") -> uuid.UUID:
    """Enrolled there and nowhere else."""
    number = next(FREE)
    person = house.world.person(id_number=an_id_number(number % 500, born=f"19{number % 40 + 50}0503"))
    house.world.enrollment(person, region=region)
    return person.id


PATH_VALUES: dict[str, Callable[[House], Any]] = {
    "number": a_number,
    "application_id": an_application_at_hand,
    "kind": lambda _house: "ID_FRONT",
    "override_id": an_override,
    "payment_no": a_counter_order,
    "slip_no": a_slip,
    "notice_id": lambda house: a_notice(house.world),
    "refund_id": lambda house: a_refund(house.world),
    "difference_id": lambda house: a_difference(house.world),
    "merchant_account": lambda _house: ACCOUNTS["320400"],
    "day": lambda _house: DAY.isoformat(),
    "batch_id": lambda house: a_batch(house.world),
    "fault_id": lambda house: a_bank_fault(house.world),
    "person_id": a_person,
}
"""What stands in a path → how one is made. A page with another value needs a line here."""
ELSEWHERE: dict[str, Callable[[House], Any]] = {
    **PATH_VALUES,
    "number": lambda house: a_number(house, "650000"),
    "application_id": lambda house: an_application_at_hand(house, "650000"),
    "override_id": lambda house: an_override(house, "650000"),
    "payment_no": lambda house: a_counter_order(house, "650000"),
    "slip_no": lambda house: a_slip(house, "650000"),
    "notice_id": lambda house: a_notice(house.world, "650000"),
    "refund_id": lambda house: a_refund(house.world, "650000"),
    "difference_id": lambda house: a_difference(house.world, "650000"),
    "merchant_account": lambda _house: ACCOUNTS["650000"],
    "batch_id": lambda house: a_batch(house.world, "650000"),
    "fault_id": lambda house: a_bank_fault(house.world, "650000"),
    "person_id": lambda house: a_person(house, "650000"),
}
"""The same in a region that staff of Changzhou have no business with. A page that names a scope needs a line here."""


@dataclass(frozen=True)
class Door:
    """One way into one page."""

    endpoint: str
    rule: str
    method: str
    roles: frozenset[StaffRole] | None
    has_scope: bool

    def __str__(self) -> str:
        return f"{self.method} {self.endpoint.removeprefix('console.')}"

    def path(self, house: House, values: dict[str, Callable[[House], Any]] = PATH_VALUES) -> str:
        with house.app.test_request_context():
            rule = next(each for each in house.app.url_map.iter_rules() if each.endpoint == self.endpoint)
            given = {name: values[name](house) for name in rule.arguments}
            built = house.app.url_map.bind("localhost").build(self.endpoint, given)
        return built.removeprefix("/console")


def rules() -> list[Any]:
    app = create_app(Settings(), doors=["console"])
    return [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/console")]


def doors() -> Iterator[Door]:
    app = create_app(Settings(), doors=["console"])
    for rule in app.url_map.iter_rules():
        declared = app.view_functions[rule.endpoint].__dict__.get("console_page")
        if declared is not None:
            for method in declared["methods"]:
                yield Door(rule.endpoint, rule.rule, method, declared["roles"], declared["scope"] is not None)


DOORS = sorted(doors(), key=str)
OPEN, CLOSED = [each for each in DOORS if each.roles is None], [each for each in DOORS if each.roles is not None]
POSTS = [each for each in DOORS if each.method == "POST"]


@pytest.fixture(scope="module")
def building(server, template, rulebook, seals) -> Iterator[Any]:
    """One database for all these questions: none of them may change anything."""
    from tests.conftest import MovableClock, fresh_database

    clock = MovableClock()
    with (
        fresh_database(server, template) as url,
        kept_open(url),
        ports_to(url, rulebook=rulebook, seals=seals, clock=clock) as ports,
    ):
        for role, number in NUMBERS.items():
            member(ports, number, role)
        for role in StaffRole:
            if role is not StaffRole.AUDITOR:
                member(ports, f"L{NUMBERS[role]}", role, region="320400")
        yield url


@pytest.fixture
def house(building, rulebook, seals, clock) -> Iterator[House]:
    with ports_to(building, rulebook=rulebook, seals=seals, clock=clock) as ports:
        yield House(ports=ports, world=World(ports), clock=clock, doors=("console",))


def one_of(door: Door) -> str:
    assert door.roles
    return NUMBERS[min(door.roles)]


def counts(house: House) -> dict[str, int]:
    left_out = {"staff_sessions", "staff_acts", "staff"}
    return {name: rows for name, rows in house.row_counts().items() if name not in left_out}


def told_off(house: House, door: Door, browser: Browser, *, code: str, **how: Any) -> None:
    """This asks for the page and is refused with this code; the refusal is on record, and nothing else changed."""
    path, before = door.path(house), counts(house)
    response = browser.get(path) if door.method == "GET" else browser.post(path, **how)

    assert response.status_code == 403, door
    assert counts(house) == before, door
    if door.roles is not None:
        assert last_act(house) == (f"{door.method} {door.endpoint}", code)


def last_act(house: House) -> tuple[str, str]:
    return house.world.rows("SELECT act, result FROM staff_acts ORDER BY id DESC LIMIT 1")[0]


def sent_away(house: House, door: Door, browser: Browser) -> None:
    path, before = door.path(house), counts(house)
    response = browser.get(path) if door.method == "GET" else browser.post(path, form_token="x")

    assert response.status_code == 303, door
    assert response.headers["Location"].startswith("/console/sign-in"), door
    assert counts(house) == before, door


def test_every_route_of_the_console_is_declared_as_a_page():
    known = {each.endpoint for each in DOORS} | NO_PAGES

    assert {rule.endpoint for rule in rules()} == known
    assert len(DOORS) > 20
    assert {rule.endpoint for rule in rules() if rule.rule.startswith("/console")} == {rule.endpoint for rule in rules()}
    assert blueprint.url_prefix == "/console"


def test_only_signing_in_and_enrolling_are_open_to_strangers():
    assert {str(each) for each in OPEN} == {
        "GET sign_in_form", "POST sign_in", "GET enrolment_form", "POST open_enrolment", "POST finish_enrolment",
    }  # fmt: skip


def test_no_page_is_for_two_powers_but_ones_own():
    """Whoever lets people in does no business, and whoever watches does neither."""
    from models.staff import powers_of

    shared = {str(each) for each in CLOSED if each.roles and len(powers_of(each.roles)) > 1}

    assert shared == {"GET home", "GET account", "POST change_password", "POST sign_out"}


@pytest.mark.parametrize("door", CLOSED, ids=str)
def test_whoever_is_not_signed_in_is_sent_to_sign_in(house, door):
    sent_away(house, door, Browser(house))
    sent_away(house, door, Browser(house, "A" * 43))


@pytest.mark.parametrize("door", CLOSED, ids=str)
def test_a_session_that_is_over_is_none(house, door):
    number = one_of(door)
    sent_away(house, door, Browser.of(house, number, lives=timedelta(0)))
    sent_away(house, door, Browser.of(house, number, seen=IDLE_AFTER))
    replaced = Browser.of(house, number)
    Browser.of(house, number)
    sent_away(house, door, replaced)


@pytest.mark.parametrize("door", CLOSED, ids=str)
def test_another_role_is_refused_and_the_try_is_on_record(house, door):
    for role in set(StaffRole) - (door.roles or set()):
        browser = Browser.of(house, NUMBERS[role])
        browser.get("/account")
        told_off(house, door, browser, code="PAGE_FORBIDDEN")


@pytest.mark.parametrize("door", POSTS, ids=str)
def test_a_form_without_its_own_token_or_from_elsewhere_does_nothing(house, door):
    browser, stranger = Browser(house), Browser(house)
    page = "/sign-in"
    if door.roles is not None:
        browser = Browser.of(house, one_of(door))
        other = next(role for role in StaffRole if NUMBERS[role] != one_of(door))
        stranger, page = Browser.of(house, NUMBERS[other]), "/account"
    stranger.get(page)
    for given in (None, stranger.form_token, "ü", "x" * 64):
        browser.get(page)
        told_off(house, door, browser, code="FORM_EXPIRED", form_token=given)
    for origin in (None, "null", "https://elsewhere.example", "http://localhost.elsewhere.example", "http://localhost:8001"):
        browser.get(page)
        told_off(house, door, browser, code="FORM_EXPIRED", origin=origin)


@pytest.mark.parametrize("door", [each for each in CLOSED if each.has_scope], ids=str)
def test_another_regions_affairs_are_refused(house, door):
    role = min(door.roles)
    browser = Browser.of(house, f"L{NUMBERS[role]}")
    browser.get("/account")
    path = door.path(house, ELSEWHERE)

    response = browser.get(path) if door.method == "GET" else browser.post(path)

    assert response.status_code == 403, door
    assert last_act(house) == (f"{door.method} {door.endpoint}", "OUT_OF_SCOPE")


@pytest.mark.parametrize("door", [each for each in CLOSED if each.rule.count("<")], ids=str)
def test_a_page_about_something_tells_whose_affair_it_is(door):
    assert door.has_scope, f"{door} has a value in its path and no scope=…: anybody of the role would see every region's"


@pytest.mark.parametrize("door", [each for each in CLOSED if each.method == "GET"], ids=str)
def test_whoever_may_sees_a_well_made_page_and_the_look_is_on_record(house, door):
    browser = Browser.of(house, one_of(door))

    response = browser.get(door.path(house))

    assert response.status_code == 200, door
    assert last_act(house) == (f"GET {door.endpoint}", "DONE")
    if response.mimetype == "text/html":
        assert int(response.headers["Refresh"].split(";")[0]) > IDLE_AFTER.total_seconds()


@pytest.mark.parametrize("door", [each for each in OPEN if each.method == "GET"], ids=str)
def test_open_pages_are_well_made(house, door):
    assert Browser(house).get(door.path(house)).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/nothing", "/staff/", "/counter/x/y", "/../etc/passwd", "/audit", "/static/nothing.css", "/%00"]
)
def test_where_there_is_no_page_the_answer_is_one_all_the_same(house, method, path):
    from tests.console.browser import judge

    response = house.app.test_client().open(f"/console{path}", method=method)

    assert response.status_code == 404
    judge(response)


@pytest.mark.parametrize("door", DOORS, ids=str)
def test_the_wrong_method_is_no_page(house, door):
    method = "PUT" if door.method == "POST" else "DELETE"

    response = house.app.test_client().open(f"/console{door.path(house)}", method=method)

    assert response.status_code == 404


@pytest.mark.parametrize("door", [each for each in CLOSED if each.method == "GET"], ids=str)
def test_a_zero_byte_or_nonsense_in_the_query_breaks_no_page(house, door):
    browser = Browser.of(house, one_of(door))
    path = door.path(house)

    assert browser.get(f"{path}?who=%00").status_code == 404
    assert (
        browser.get(
            f"{path}?who=%ff%fe&what=%25&since=0000-99-99&until=9999-12-31&before=99999999999999999999&state=x&done=y"
        ).status_code
        == 200
    )
    assert browser.get(f"{path}?since=0001-01-01&until=2026-11-21&before=999999999999999999").status_code == 200
