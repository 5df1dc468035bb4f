"""From a code on paper to a signed-in browser and out again, by the pages alone; and what a stranger learns, which is nothing."""

from __future__ import annotations

import re

import pytest

from config.settings import Settings
from models.staff import StaffRole
from services import staff as service
from services.staff_acts import FAILURES
from services.staff_sessions import TRIES
from tests.console.browser import OFFICE, PASSWORD, Browser, code_at, member
from tests.doors.house import House

NUMBER, NEW = "S1024", "秋天的桂花开满了整条巷子"


@pytest.fixture
def invitation(house):
    return service.invite(house.ports, number=NUMBER, roles=[StaffRole.REVIEWER], origin=OFFICE)


def test_a_code_on_paper_becomes_a_signed_in_browser(house, invitation, clock):
    browser = Browser(house)
    assert browser.send("/enrolment", "/enrolment", number="s1024", code=invitation.code.lower()).status_code == 200
    assert browser.shown.count("svg") == 1
    given = {"number": NUMBER, "code": invitation.code, "totp_code": code_at(house.ports, NUMBER)}
    differing = browser.post("/enrolment/finish", password=PASSWORD, password_again="another", **given)
    assert (differing.status_code, "两次输入的密码不一致" in browser.shown.text) == (422, True)
    weak = browser.post("/enrolment/finish", password="123456789012", password_again="123456789012", **given)
    assert (weak.status_code, "密码过于简单" in browser.shown.text, browser.shown.count("svg")) == (422, True, 1)
    wrong = browser.post("/enrolment/finish", password=PASSWORD, password_again=PASSWORD, **{**given, "totp_code": "000000"})
    assert (wrong.status_code, "动态验证码不正确" in browser.shown.text) == (409, True)

    done = browser.post("/enrolment/finish", password=PASSWORD, password_again=PASSWORD, **given)

    assert (done.status_code, done.headers["Location"]) == (303, "/console/sign-in?enrolled=1")
    clock.move(seconds=30)
    entered = browser.send("/sign-in", "/sign-in", number=NUMBER, password=PASSWORD, totp_code=code_at(house.ports, NUMBER))
    assert (entered.status_code, entered.headers["Location"]) == (303, "/console/")
    assert browser.get("/").status_code == 200
    assert "工号 S1024" in browser.shown.text
    assert browser.get("/sign-in").headers["Location"] == "/console/"
    out = browser.send("/", "/sign-out")
    assert (out.status_code, out.headers["Location"]) == (303, "/console/sign-in")
    assert browser.get("/").status_code == 303


def test_no_page_shows_a_password_or_a_code_of_the_phone_again(house, invitation):
    browser, code = Browser(house), code_at(house.ports, NUMBER)
    browser.send("/enrolment", "/enrolment", number=NUMBER, code=invitation.code)
    answers = [
        browser.post(
            "/enrolment/finish", number=NUMBER, code=invitation.code, password=PASSWORD, password_again="x", totp_code=code
        ),
        browser.send("/sign-in", "/sign-in", number=NUMBER, password=PASSWORD, totp_code=code),
    ]

    for answer in answers:
        assert PASSWORD not in answer.text
        assert f'value="{code}"' not in answer.text
    assert PASSWORD not in house.log.getvalue()


def sign_in(house, browser, **changes):
    given = {"number": NUMBER, "password": PASSWORD, "totp_code": code_at(house.ports, NUMBER), **changes}
    return browser.send("/sign-in", "/sign-in", **given)


def without_what_differs(html: str) -> str:
    return re.sub(r'value="[^"]*"|<code>[^<]*</code>', "", html)


def test_strangers_learn_nothing_from_the_page(house, clock):
    member(house.ports, NUMBER, StaffRole.REVIEWER)
    service.invite(house.ports, number="S7777", roles=["REVIEWER"], origin=OFFICE)
    clock.move(seconds=30)
    answers = {
        (answer.status_code, without_what_differs(answer.text))
        for answer in (
            sign_in(house, Browser(house), password="wrong wrong wrong"),
            sign_in(house, Browser(house), totp_code="000000"),
            sign_in(house, Browser(house), number="S9999"),
            sign_in(house, Browser(house), number="S7777"),
            sign_in(house, Browser(house), number="<script>"),
            sign_in(house, Browser(house), number="", password="", totp_code=""),
        )
    }

    assert [status for status, _ in answers] == [401]


def test_too_many_tries_from_one_address_are_told_to_wait(house, clock):
    member(house.ports, NUMBER, StaffRole.REVIEWER)
    clock.move(seconds=30)
    browser = Browser(house)
    for at in range(FAILURES):
        assert sign_in(house, browser, number=f"S{9000 + at}").status_code == 401

    told = sign_in(house, browser)

    assert told.status_code == 429
    assert "15分钟后再试" in browser.shown.text


def test_a_locked_out_browser_is_sent_away_at_its_next_click(house, clock):
    member(house.ports, NUMBER, StaffRole.REVIEWER)
    browser, guesser = Browser.of(house, NUMBER), Browser(house)
    assert browser.get("/").status_code == 200
    for _ in range(TRIES):
        sign_in(house, guesser, password="wrong wrong wrong")

    away = browser.get("/")

    assert (away.status_code, away.headers["Location"]) == (303, "/console/sign-in?ended=1")
    assert "canbao-staff=;" in away.headers["Set-Cookie"]
    assert browser.get("/sign-in?ended=1").status_code == 200
    assert "自动退出" in browser.shown.text


def test_the_password_is_changed_on_ones_own_page(house, clock):
    member(house.ports, NUMBER, StaffRole.REVIEWER)
    clock.move(seconds=30)
    browser = Browser(house)
    sign_in(house, browser)
    elsewhere = browser.client.get_cookie("canbao-staff", path="/console").value
    clock.move(seconds=30)
    given = {"password": PASSWORD, "new_password": NEW, "new_password_again": NEW, "totp_code": code_at(house.ports, NUMBER)}
    refused = browser.send("/account", "/account/password", **{**given, "password": "wrong wrong wrong"})
    assert (refused.status_code, "当前密码或动态验证码不正确" in browser.shown.text) == (401, True)

    done = browser.send("/account", "/account/password", **given)

    assert (done.status_code, done.headers["Location"]) == (303, "/console/account?changed=1")
    assert browser.get("/account?changed=1").status_code == 200
    assert "密码已更换" in browser.shown.text
    assert Browser(house, elsewhere).get("/").status_code == 303


def test_a_post_of_somebody_who_was_signed_out_meanwhile_does_nothing(house, administrator):
    administrator.get("/staff/new")
    before = house.world.scalar("SELECT count(*) FROM staff")
    house.clock.move(minutes=15)

    answer = administrator.post("/staff", number="S5000", roles="REVIEWER", scope="")

    assert (answer.status_code, house.world.scalar("SELECT count(*) FROM staff")) == (303, before)


# --- production


@pytest.fixture
def in_production(ports, world, clock) -> House:
    from config.settings import Mode

    settings = Settings().model_copy(update={"mode": Mode.PRODUCTION})
    return House(ports=ports, world=world, clock=clock, doors=("console",), settings=settings)


def test_in_production_cookies_are_bound_to_the_host_and_to_https(in_production, clock):
    member(in_production.ports, NUMBER, StaffRole.REVIEWER)
    clock.move(seconds=30)
    client = in_production.app.test_client()
    page = client.get("/console/sign-in", base_url="https://desk.example")
    token = re.search(r'name="form_token" value="(\w+)"', page.text)[1]
    given = {"form_token": token, "number": NUMBER, "password": PASSWORD, "totp_code": code_at(in_production.ports, NUMBER)}

    entered = client.post(
        "/console/sign-in", data=given, base_url="https://desk.example", headers={"Origin": "https://desk.example"}
    )

    assert entered.status_code == 303
    for cookie in (page.headers["Set-Cookie"], entered.headers["Set-Cookie"]):
        assert cookie.startswith("__Host-canbao-")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert client.get("/console/", base_url="https://desk.example").status_code == 200


# --- when the house is not well


def test_a_lost_database_is_a_page_that_says_so(house, administrator):
    administrator.get("/staff")
    house.lose_database()
    try:
        answer = administrator.get("/staff")
    finally:
        house.find_database()

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")
    assert "系统繁忙" in administrator.shown.text


def test_a_broken_seal_of_a_phone_lets_nobody_in_and_is_told(house, clock, world):
    from sqlalchemy import text

    member(house.ports, NUMBER, StaffRole.REVIEWER)
    clock.move(seconds=30)
    code = code_at(house.ports, NUMBER)
    with house.ports.begin() as session:
        session.execute(text("UPDATE staff SET totp_sealed = '\\x0102'"))

    browser = Browser(house)
    answer = browser.send("/sign-in", "/sign-in", number=NUMBER, password=PASSWORD, totp_code=code)

    assert answer.status_code == 503
    assert [line["event"] for line in house.logged() if line["level"] == "error"] == ["seal.broken"]


def test_a_mistake_of_ours_is_a_page_with_a_number_and_no_word_of_the_mistake(house, administrator, monkeypatch):
    from console import staff as pages

    def broken(*_given, **_more):
        raise RuntimeError("金丝雀 320402199001010017")

    monkeypatch.setattr(pages.staff, "list_staff", broken)
    house.app.config["SHOW_PROBLEMS"] = True

    answer = administrator.get("/staff", headers={"X-Request-ID": "from-the-office-1"})

    assert answer.status_code == 500
    assert "from-the-office-1" in administrator.shown.text
    assert "金丝雀" not in answer.text + house.log.getvalue()
    assert house.world.rows("SELECT act, result FROM staff_acts ORDER BY id DESC LIMIT 1") == [
        ("GET console.list_staff", "FAILED")
    ]


def test_both_doors_of_the_web_process_keep_their_own_dialect(ports, world, clock):
    house = House(ports=ports, world=world, clock=clock, doors=("miniprogram_api", "console"))
    client = house.app.test_client()

    assert client.get("/api/v1/nothing").mimetype == "application/problem+json"
    assert client.get("/console/nothing").mimetype == "text/html"
    assert client.get("/console").headers["Location"].endswith("/console/")
    page = client.get("/console/sign-in", headers={"X-Request-ID": "one-number-only"})
    assert page.headers.getlist("X-Request-ID") == ["one-number-only"]
    assert page.headers.getlist("Cache-Control") == ["no-store"]
    assert not [path for path in house.app.spec["paths"] if path.startswith("/console")]


def test_a_form_larger_than_any_of_ours_is_refused(house):
    browser = Browser(house)
    browser.get("/sign-in")

    answer = browser.post("/sign-in", number="x" * 70_000)

    assert answer.status_code == 413
