"""The reviewers' desk as people see it: a real browser, with and without JavaScript, by keyboard alone, magnified, and read by its colours."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from models.applications import EnrollmentApplication
from models.staff import StaffRole
from services.applications import hand_in_documents, submit_application
from services.staff_sessions import IDLE_AFTER
from tests.applying import PAPERS, an_applicant, begin
from tests.photographs import as_bytes
from tests.photographs import page as sheet_of_text
from tests.reviewing import a_picture, an_application, state_of, taken_up

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import Office

pytestmark = pytest.mark.slow

CONTRAST = 4.5
PHOTOGRAPH = as_bytes(sheet_of_text(800, 500))
TEXTS = """
() => {
  const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const read = text => text.match(/[\\d.]+/g).map(Number);
  const behind = at => {
    for (; at; at = at.parentElement) {
      const colour = read(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const at = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !at.checkVisibility()) continue;
    const [one, two] = [light(read(getComputedStyle(at).color)), light(behind(at))];
    const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    found.push([Math.round(ratio * 100) / 100, walker.currentNode.data.trim().slice(0, 20)]);
  }
  return found;
}
"""


def handed_in(office: Office) -> EnrollmentApplication:
    """Somebody's new enrolment with three photographs, as the phone left it."""
    world, account = office.house.world, an_applicant(office.house.world)
    view = begin(world, account)
    for kind in PAPERS:
        a_picture(world, view, kind, content=PHOTOGRAPH)
    view = hand_in_documents(world.ports, account=account, application_id=view.id)
    submit_application(world.ports, account=account, application_id=view.id, version=view.version)
    with world.ports.begin() as session:
        row = session.get_one(EnrollmentApplication, view.id)
        session.expunge(row)
    return row


def state(office: Office, application: EnrollmentApplication) -> str:
    return state_of(office.house.world, application.id)


def take_up(page: Page, case_no: str) -> None:
    page.get_by_role("link", name="审核申请").first.click()
    page.get_by_role("link", name=case_no).click()
    page.get_by_role("button", name="受理这件申请").click()
    page.get_by_role("heading", name="对照材料").wait_for()
    page.wait_for_load_state("load")


def submit(page: Page) -> Locator:
    page.get_by_role("button", name="提交审核结论").click()
    told = page.get_by_role("status")
    told.wait_for()
    return told


def is_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def faint(page: Page) -> list[tuple[float, str]]:
    return [(ratio, text) for ratio, text in page.evaluate(TEXTS) if ratio < CONTRAST]


@pytest.mark.parametrize("with_scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_three_decisions_and_the_auditor_who_sees_whose_papers_were_looked_at(office, with_scripts):
    good, unclear, bad = (handed_in(office) for _ in range(3))
    late = an_application(office.house.world, due_at=office.house.ports.now() - timedelta(days=3))

    def keep(name: str) -> None:
        if not with_scripts:  # the pages are the same: once is enough
            office.keep(page, name)

    with office.desk(java_script_enabled=with_scripts) as page:
        page.goto("/console/sign-in")
        keep("desk-1-sign-in")
        office.come_in(page, "S1001", StaffRole.REVIEWER)
        keep("desk-2-home")
        page.get_by_role("link", name="审核申请").first.click()
        assert page.get_by_text("1 件已超期").is_visible()
        assert page.locator("tbody tr").first.get_by_role("link").inner_text() == late.case_no
        keep("desk-3-queue")
        page.get_by_role("link", name=good.case_no).click()
        assert page.get_by_text("张三丰").count() == 0
        keep("desk-4-not-taken-up")

        take_up(page, good.case_no)
        for picture in page.get_by_role("img").all():
            picture.scroll_into_view_if_needed()
            assert (
                picture.evaluate("async it => { await it.decode(); return it.naturalWidth }") > 0
                if with_scripts
                else picture.is_visible()
            )
        assert page.get_by_text("张三丰").count() > 0
        keep("desk-5-application")
        page.get_by_label(re.compile("^通过")).check()
        assert submit(page).inner_text() == "审核通过已生效，结果已通知申请人。"
        keep("desk-6-approved")

        take_up(page, unclear.case_no)
        page.get_by_label(re.compile("^退回补正")).check()
        page.get_by_role("button", name="提交审核结论").click()
        assert page.get_by_role("alert").get_by_text("请选择原因").is_visible()
        keep("desk-7-reason-missing")
        page.get_by_label("原因").select_option("材料照片不清晰，请重新拍摄")
        page.get_by_role("checkbox", name="身份证国徽面").check()
        page.get_by_label("审核意见").fill("有效期看不清，请在光线好的地方重拍")
        assert submit(page).inner_text() == "已退回补正，申请人会收到通知。"

        take_up(page, bad.case_no)
        page.get_by_label(re.compile("^不通过")).check()
        assert page.get_by_role("group", name="需要补正的内容").count() == 0, "a rejection mends nothing"
        page.get_by_label("原因").select_option("NOT_ELIGIBLE")
        page.get_by_label("审核意见").fill("请携带户口簿到窗口核实")
        keep("desk-8-rejecting")
        assert submit(page).inner_text() == "审核不通过已记录，结果已通知申请人。"
        page.get_by_role("button", name="退出登录").click()

        office.come_in(page, "S3001", StaffRole.AUDITOR)
        page.get_by_role("link", name="个人信息查看记录").first.click()
        page.get_by_label("用途").fill("document_look")
        page.get_by_role("button", name="筛选").click()
        rows = page.locator("tbody tr").all_inner_texts()
        keep("desk-9-auditor")

    assert [state(office, each) for each in (good, unclear, bad)] == ["APPROVED", "RETURNED", "REJECTED"]
    # Three papers each, and those of the second once more with the form that came back.
    assert len(rows) == 12
    assert all("工号 S1001" in row and "材料照片" in row and "张**" in row for row in rows)


def test_the_decision_is_made_by_keyboard_alone(office):
    application = handed_in(office)
    with office.desk() as page:
        office.come_in(page, "S1001", StaffRole.REVIEWER)
        take_up(page, application.case_no)
        page.reload()
        seen = walk_to(page, "main")
        assert seen[0] == "跳到正文", "the first stop leads past the head"
        seen = walk_to(page, "#approve")
        assert "审核结论" in seen, "the contents lead to the form"
        page.keyboard.press("Space")
        page.keyboard.press("ArrowDown")
        assert page.locator("#give-back").is_checked()
        walk_to(page, "#reason")
        page.keyboard.press("ArrowDown")
        walk_to(page, "#mend-1")
        page.keyboard.press("Space")
        walk_to(page, "#remark")
        page.keyboard.type("请重拍")
        office.keep(page, "keyboard-1-before-sending")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.innerText") == "提交审核结论"
        page.keyboard.press("Enter")
        page.get_by_role("status").wait_for()

    assert state(office, application) == "RETURNED"


def walk_to(page: Page, target: str) -> list[str]:
    """Press Tab until this has the focus; what was passed. Each stop is seen: it has an outline, and lies on the screen."""
    passed = []
    if target == "main":
        page.keyboard.press("Tab")
        passed.append(page.evaluate("document.activeElement.innerText"))
        page.keyboard.press("Enter")
        return passed
    for _ in range(60):
        page.keyboard.press("Tab")
        here = page.evaluate(
            "() => { const it = document.activeElement, at = it.getBoundingClientRect();"
            " return { text: it.innerText, outline: getComputedStyle(it).outlineStyle,"
            " seen: at.width > 0 && at.bottom > 0 && at.top < innerHeight } }"
        )
        passed.append(here["text"])
        assert (here["outline"], here["seen"]) == ("solid", True), here
        if page.evaluate("target => document.activeElement.matches(target)", target):
            return passed
    raise AssertionError(f"{target} is not reached: {passed}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_seen_and_nothing_runs_off_the_page_at_twice_the_size(office, scheme):
    world = office.house.world
    unsure = taken_up(world, hukou_division="110101", residence_division="110101")
    a_picture(world, unsure, content=PHOTOGRAPH)
    an_application(world, due_at=office.house.ports.now() - timedelta(days=3))
    paths = {
        "queue": "/console/reviews",
        "application": f"/console/reviews/{unsure.id}",
        "home": "/console/",
        "counter": "/console/counter",
    }

    with office.desk(color_scheme=scheme) as page:
        office.come_in(page, "S1001", StaffRole.REVIEWER)
        for name, path in paths.items():
            page.set_viewport_size({"width": 1280, "height": 900})
            page.goto(path)
            assert page.locator("h1").count() == 1
            assert page.locator("html").get_attribute("lang") == "zh-CN"
            assert (
                page.locator("input:not([type=hidden]), select, textarea").evaluate_all(
                    "all => all.filter(it => !it.labels.length).length"
                )
                == 0
            )
            assert faint(page) == [], f"{name}, {scheme}"
            assert not is_wide(page), name
            office.keep(page, f"{scheme}-{name}")
            # What 1280 pixels are at 200 %: half as many, each twice the size.
            page.set_viewport_size({"width": 640, "height": 450})
            assert not is_wide(page), f"{name} at 200 %"
            office.keep(page, f"{scheme}-{name}-at-200-percent")
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(paths["application"])
        page.emulate_media(media="print")
        assert page.get_by_role("button", name="提交审核结论").count() == 0, "paper has no buttons"
        office.keep(page, f"{scheme}-application-on-paper")


def test_a_screen_that_was_left_alone_goes_back_to_the_sign_in_page(office):
    with office.desk() as page:
        office.come_in(page, "S1001", StaffRole.REVIEWER)
        office.house.clock.move(seconds=IDLE_AFTER.total_seconds())
        page.reload()
        page.get_by_text("15分钟没有操作").wait_for()
        office.keep(page, "left-alone")
        page.go_back()
        page.get_by_role("heading", name="登录").wait_for()
