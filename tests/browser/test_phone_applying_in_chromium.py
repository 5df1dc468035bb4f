"""The phone applies on the sandbox's page, and somebody at the desk decides in a second window; and all that may be looked up there."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from app import build_ports
from config.clock import BEIJING
from config.settings import load_settings
from models.staff import StaffRole
from sandbox.phone import Phone
from tests.browser.phone_in_hand import PEOPLE, a_person, in_hand
from tests.console.browser import PASSWORD, code_at, member

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.browser.phone_in_hand import Hand, Street

pytestmark = pytest.mark.slow

APP, HRSS, TAX = "changzhou-hrss-app", "xinjiang-hrss-wechat", "xinjiang-tax-wechat"
APP_IDS = {APP: APP, HRSS: "wx6500000000000002", TAX: "wx6500000000000001"}


def with_a_card(person: dict[str, Any]) -> dict[str, Any]:
    """Whose card's last digit is right (Luhn): the agreement asks for it."""
    body = f"622848138{person['phone'][-9:]}"
    doubled = [int(digit) * (2 - at % 2) for at, digit in enumerate(reversed(body))]
    return {**person, "bank_card": f"{body}{-sum(each // 10 + each % 10 for each in doubled) % 10}"}


NEWCOMER = a_person("还没参保的人", 31, born="19950303")
LEAVER = a_person("要停保的人", 32, born="19920308")
READER = with_a_card(a_person("来查的人", 33, born="19780615"))
ELDER = with_a_card(a_person("来查的长辈", 34, born="19680615"))
STAFF = ("S1024", "S1025")
APPLICANTS = (NEWCOMER, LEAVER, READER, ELDER)


class Town:
    """The street, with somebody who is not enrolled, some who are in Xinjiang, and one of the staff."""

    def __init__(self, street: Street) -> None:
        self.street = street
        settings = load_settings(
            {name: value for name, value in street.stack.environment.items() if name.startswith("CANBAO_")}
        )
        self.ports = build_ports(settings)

    def move_in(self, folder: Any) -> None:
        start = datetime.now(BEIJING).strftime("%Y%m")
        feed = folder / "xinjiang.csv"
        rows = [f"{each['id_number']},张三,110,650102,1,{start},2" for each in APPLICANTS[1:]]
        feed.write_text("\n".join(["AAC002,AAC003,AAE140,AAB301,AAC031,AAE030,TIER", *rows]) + "\n")
        self.street.canbao("import", "enrollments", str(feed))
        for each in APPLICANTS:
            self.street.sandbox.register_person(
                each["name"], each["id_number"], phone=each["phone"], bank_card=each["bank_card"]
            )
        for number in STAFF:  # one for each story: a code is good once
            member(self.ports, number, StaffRole.REVIEWER)

    def verified(self, person: dict[str, Any], program: str, *, opened: tuple[str, ...]) -> Phone:
        """This person's own phone, signed in and proven (how that looks is another story), where these texts were opened a while ago."""
        street, platform = self.street, "app" if program == APP else "wechat"
        at = (*PEOPLE, *APPLICANTS).index(person)
        user = {"user_id": ""}
        if platform == "wechat":
            url = f"{street.sandbox.url}/_sandbox/demo-people/{at}/users"
            user = requests.post(url, json={"app_id": APP_IDS[program]}, timeout=10).json()
        phone = Phone(
            street.stack.url("web"),
            street.sandbox,
            miniprogram=program,
            app_id=APP_IDS[program],
            platform=platform,
            user_id=user["user_id"],
        )
        if platform == "app":
            phone.ask_for_code(person["phone"])
            phone.enter(person["phone"], register=True)
        else:
            phone.sign_in()
        for notice in phone.ask("GET", "/notices")["notices"]:
            if notice["purpose"] in opened:
                phone.ask("POST", "/notices/readings", {name: notice[name] for name in ("purpose", "version", "text_hash")})
        phone.consent_to("REAL_NAME", "FACE")
        phone.prove_name(person["name"], person["id_number"], None if platform == "app" else person["phone"])
        phone.prove_face()
        return phone


@pytest.fixture(scope="module")
def town(street: Street, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town(street)
    town.move_in(tmp_path_factory.mktemp("town"))
    street.introduce((*PEOPLE, *APPLICANTS))
    yield town
    street.introduce(PEOPLE)
    town.ports.sessions.kw["bind"].dispose()


@pytest.fixture
def hand(town: Town, street: Street, chromium: Any, pictures_of_pages: Any, request: pytest.FixtureRequest) -> Iterator[Hand]:
    with in_hand(street, chromium, pictures_of_pages, request.node.name.removeprefix("test_")[:24]) as hand:
        yield hand


def hold(hand: Hand, person: dict[str, Any], phone: Phone, screen: str = "home") -> None:
    """Take this person's phone, on which the program stands open at this screen."""
    at = (*PEOPLE, *APPLICANTS).index(person)
    here = f"{at}/{phone.miniprogram}"
    kept = {
        "owner": at,
        "program": phone.miniprogram,
        "stack": [{"name": screen, "params": {}}],
        "tokens": {here: phone.token},
        "accounts": {here: phone.me()["account"]},
        "persons": {},
    }
    hand.page.goto("/")
    hand.page.evaluate("kept => sessionStorage.setItem('canbao-phone', JSON.stringify(kept))", kept)
    hand.page.reload()
    on(hand, screen)


def on(hand: Hand, screen: str) -> None:
    """Until this screen is drawn."""
    hand.page.locator(f"#phone[data-screen={screen}]:not([aria-busy])").wait_for()


def agree_to_all(hand: Hand) -> None:
    """Read and agree to whatever the business asks for, in its order."""
    on(hand, "apply")
    asked = hand.phone.get_by_role("button", name="阅读并同意")
    while asked.count():
        asked.first.click()
        on(hand, "consent")
        hand.agree()
        on(hand, "apply")


@contextmanager
def at_the_desk(town: Town, chromium: Any, number: str) -> Iterator[Page]:
    """The reviewer's own window."""
    context = chromium.new_context(base_url=town.street.stack.url("web"), locale="zh-CN")
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto("/console/sign-in")
    page.get_by_label("工号").fill(number)
    page.get_by_label("密码", exact=True).fill(PASSWORD)
    page.get_by_label("动态验证码").fill(code_at(town.ports, number, steps=1))
    page.get_by_role("button", name="登录").click()
    page.get_by_role("link", name="审核申请").first.wait_for()
    yield page
    context.close()


def approve(page: Page, case_no: str) -> None:
    """From the queue over every photograph to the decision."""
    page.get_by_role("link", name="审核申请").first.click()
    page.get_by_role("link", name=case_no).click()
    page.get_by_role("button", name="受理这件申请").click()
    page.get_by_label(re.compile("^通过")).wait_for()
    for picture in page.get_by_role("img").all():
        picture.scroll_into_view_if_needed()
        assert picture.evaluate("async it => { await it.decode(); return it.naturalWidth }") > 0
    page.get_by_label(re.compile("^通过")).check()
    page.get_by_role("button", name="提交审核结论").click()
    assert page.get_by_role("status").inner_text() == "审核通过已生效，结果已通知申请人。"


def test_enrolled_in_changzhou_and_approved_at_the_desk_in_a_second_window(town: Town, hand: Hand, chromium):
    phone = town.verified(NEWCOMER, APP, opened=("ENROLLMENT", "AGENCY_CLIENT"))
    with at_the_desk(town, chromium, STAFF[0]) as desk:
        hold(hand, NEWCOMER, phone)
        for entry in ("EMPLOYMENT_CLOUD", "AGENCY_AND_FILES", "ENROLLMENT"):
            hand.open(entry)
        agree_to_all(hand)
        hand.look("before")
        hand.press("开始填写")
        on(hand, "apply_step")
        hand.press("下一步")
        assert hand.phone.get_by_role("alert").inner_text().startswith("请填写：户籍地、居住地")
        hand.press("演示：填好这一页")
        hand.look("basic")
        hand.press("下一步")
        hand.phone.get_by_role("heading", name="参保险种和缴费档次").wait_for()
        hand.phone.get_by_label("企业职工基本养老保险").select_option("3")
        hand.look("tiers")
        hand.press("下一步")
        on(hand, "papers")
        hand.press("上传完成，去核对")
        hand.phone.get_by_role("alert").wait_for()
        hand.look("papers-missing")
        for kind in ("ID_FRONT", "ID_BACK", "RESIDENCE_PERMIT"):
            hand.phone.locator(f"[data-paper={kind}]").get_by_role("button", name="拍照").click()
            hand.phone.locator(f"[data-paper={kind}] .chip.good").wait_for()
        hand.press("上传完成，去核对")
        on(hand, "check")
        hand.look("check")
        hand.press("提交申报")
        hand.phone.locator("[data-case-state=SUBMITTED]").wait_for()

        approve(desk, hand.row("办件编号"))

    hold(hand, NEWCOMER, phone, "cases")
    hand.phone.get_by_text("审核通过").wait_for()
    hand.phone.locator("[data-case]").click()
    hand.phone.locator("[data-case-state=APPROVED]").wait_for()
    hand.look("approved")
    hold(hand, NEWCOMER, phone, "enrollments")
    hand.phone.locator("[data-enrollment='110']").get_by_text("正常参保").wait_for()

    hold(hand, NEWCOMER, phone)
    for entry in ("EMPLOYMENT_CLOUD", "AGENCY_AND_FILES", "REGISTRATION_FORM"):
        hand.open(entry)
    hand.agree()
    with hand.page.expect_download() as form:
        hand.press("打印申请登记表")
    assert form.value.path().read_bytes().startswith(b"%PDF-")


def test_suspended_in_xinjiang_after_a_review_in_elder_mode(town: Town, hand: Hand, chromium):
    hand.looks_closely = False
    phone = town.verified(LEAVER, HRSS, opened=("ENROLLMENT",))
    phone.ask("PATCH", "/me/preferences", {"elder_mode": True})
    with at_the_desk(town, chromium, STAFF[1]) as desk:
        hold(hand, LEAVER, phone)
        for entry in ("TO_DO", "SOCIAL_INSURANCE", "SUSPENSION"):
            hand.open(entry)
        agree_to_all(hand)
        hand.look("before")
        hand.press("开始填写")
        on(hand, "apply_step")
        hand.phone.get_by_role("checkbox", name="停保：企业职工基本养老保险").check()
        hand.phone.get_by_label("变更原因").select_option("6300")
        hand.look("reason")
        hand.press("确认")
        hand.phone.locator("[data-case-state=SUBMITTED]").wait_for()
        hand.look("submitted")
        assert phone.ask("GET", "/enrollments")["enrollments"][0]["state"] == "ACTIVE", "nothing is so before it is decided"

        approve(desk, hand.row("办件编号"))

    hold(hand, LEAVER, phone)
    for entry in ("TO_LOOK_UP", "CASE_STATUS"):
        hand.open(entry)
    hand.phone.locator("[data-case]").click()
    hand.phone.locator("[data-case-state=APPROVED]").wait_for()
    hold(hand, LEAVER, phone, "enrollments")
    hand.phone.locator("[data-enrollment='110']").get_by_text("暂停参保").wait_for()
    hand.look("suspended")

    hold(hand, LEAVER, phone)
    for entry in ("TO_DO", "JOINT_CASE"):
        hand.open(entry)
    hand.press("开始联合办")
    hand.phone.locator("[data-step=ENROLLMENT]").get_by_role("button", name="去参保").wait_for()
    hand.look("joint-case")


@pytest.mark.parametrize(
    "person",
    [READER, pytest.param(ELDER, marks=pytest.mark.full)],
    ids=["looked up", "looked up closely, in elder mode"],
)
def test_what_is_kept_of_somebody_is_looked_up_and_may_be_ended(town: Town, hand: Hand, person):
    """Enrolments, the outlook, payers, one's own data; an agreement signed and ended, a request made and taken back."""
    hand.looks_closely = person is ELDER
    phone = town.verified(person, TAX, opened=("WITHHOLDING",))
    phone.ask("PATCH", "/me/preferences", {"elder_mode": person is ELDER})
    for screen, seen in (
        ("enrollments", "[data-enrollment='110']"),
        ("outlook", "[data-track]"),
        ("payers", ".empty"),
        ("own_data", "[data-kind]"),
    ):
        hold(hand, person, phone, screen)
        hand.phone.locator(seen).first.wait_for()
        hand.look(screen)
    with hand.page.expect_download() as copy:
        hand.press("下载完整副本")
    assert person["id_number"] in copy.value.path().read_text(encoding="utf-8"), "whole, for whoever signed in just now"

    hand.press("我的申请")
    hand.phone.get_by_label("要更正什么，改成什么").fill("手机号码已更换，请改正")
    hand.press("提交申请")
    hand.phone.locator("[data-request=RECEIVED]").wait_for()
    hand.look("request")
    hand.press("撤回申请")
    hand.phone.locator("[data-request=WITHDRAWN]").first.wait_for()

    hold(hand, person, phone)
    hand.open("WITHHOLDING")
    on(hand, "agreements")
    hand.press("新增协议")
    for title in ("银行账户和委托扣款单独同意书", "委托扣款缴费协议"):
        hand.phone.get_by_role("heading", name=title, exact=True).wait_for()
        hand.agree()
    hand.press("演示：填入机主的资料")
    hand.look("agreement-new")
    hand.press("签订协议")
    hand.phone.locator("[data-agreement=ACTIVE]").wait_for()
    hand.look("agreement")
    hand.phone.locator("[data-agreement=ACTIVE] summary").click()
    hand.press("确认解约")
    hand.phone.locator("[data-agreement=TERMINATED]").first.wait_for()
    hand.page.get_by_role("button", name="English").click()
    hand.phone.get_by_role("heading", name="Debit agreements").wait_for()
    hand.look("agreement-in-english")
