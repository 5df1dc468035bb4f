"""The desk as staff see it: every page at a phone's width and at a desk's, by day and by night. Nothing faint, nothing off the page, no text
on another, and nothing that axe calls serious.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import axe_playwright_python
import pytest

from models.staff import StaffRole
from tests.browser.phone_in_hand import grave_faults
from tests.browser.test_console_in_chromium import faint, is_wide
from tests.console.browser import member, open_session
from tests.console.conftest import NUMBERS
from tests.console.test_console_every_page import CLOSED, OPEN, one_of
from tests.factories import ALIPAY, an_id_number
from tests.money_desk import ACCOUNTS, a_day, a_difference, unclaimed
from tests.reviewing import an_application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.browser.conftest import Office

pytestmark = pytest.mark.slow

WIDTHS = {"phone": {"width": 360, "height": 740}, "desk": {"width": 1280, "height": 900}}
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
GRAVELY = """
async () => (await axe.run(document, { resultTypes: ["violations"], rules: { "color-contrast": { enabled: false } } })).violations
  .filter(each => ["serious", "critical"].includes(each.impact)).map(each => `${each.id}: ${each.nodes[0].target}`)
"""
OVERLAPS = """
() => {
  // Texts whose lines lie on each other: what no eye can read.
  const found = [], texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const at = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !at.checkVisibility() || at.closest(".unseen, .skip, svg, option")) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    for (const box of range.getClientRects()) if (box.width > 1) texts.push([walker.currentNode.data.trim().slice(0, 12), box]);
  }
  texts.forEach(([one, a], at) => texts.slice(at + 1, at + 40).forEach(([two, b]) => {
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left), high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 2 && high > Math.min(a.height, b.height) * 0.4) found.push(`${one} / ${two}`);
  }));
  return found;
}
"""
LETTERS = """
() => [...document.querySelectorAll("td, th, dd, dt, li, label, button, a.button")].filter(it => {
  // Words that were squeezed to a letter a line.
  const text = it.innerText.trim(), style = getComputedStyle(it);
  return text.length > 5 && it.clientWidth > 0 && it.checkVisibility() && !it.closest(".unseen, .skip, svg")
    && it.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) < 2.5 * parseFloat(style.fontSize);
}).map(it => it.innerText.trim().slice(0, 20))
"""


def furnish(office: Office) -> None:
    """A morning with something of everything."""
    world, clock = office.house.world, office.house.clock
    end = office.house.ports.now() + timedelta(hours=4)
    for way, count in (("jiangsu-tax-wechat", 4), (ALIPAY, 2)):
        for _ in range(count):
            _, order = world.order(miniprogram=way)
            world.hear(world.paid_news(order, notice=f"N{order.payment_no}"), miniprogram=way)
            world.settle()
            clock.move(minutes=31)
    world.order()
    unclaimed(world, fen=123456)
    unclaimed(world, region="650000", fen=98700)
    now = office.house.ports.now()
    for due in (-30, -2, 3, 50):
        an_application(world, due_at=now + timedelta(hours=due), submitted_at=now - timedelta(hours=60 - due))
    yesterday = office.house.ports.today() - timedelta(days=1)
    a_day(world, day=yesterday, state="CLOSED", signed_by="staff:S1", closed_by="staff:S2")
    a_difference(world, region="650000", day=yesterday)
    clock.set(end)


def sit_down(office: Office, page: Page, role: StaffRole) -> None:
    """As this one of the staff, who signed in a while ago."""
    token = open_session(office.house.ports, NUMBERS[role])
    page.context.add_cookies([{"name": "canbao-staff", "value": token, "url": f"{office.url}/console"}])


def pages(office: Office) -> Iterator[tuple[str, str, StaffRole | None]]:
    """(name, address, who sees it): every page that a GET shows, of something that is there."""
    for door in [*OPEN, *CLOSED]:
        name = door.endpoint.removeprefix("console.")
        if door.method == "GET" and not name.startswith("export_") and name != "read_picture":
            role = next((role for role, number in NUMBERS.items() if door.roles and number == one_of(door)), None)
            yield name, f"/console{door.path(office.house)}", role
    payment_no = office.house.world.scalar("SELECT payment_no FROM payments WHERE state = 'SUCCEEDED' LIMIT 1")
    clearing = f"clearing:{ACCOUNTS['320400']}"
    for name, path in (
        ("explain-payment", f"/console/explain?no={payment_no}"),
        ("apply-payment", f"/console/refunds/application?number={payment_no}"),
        ("refunds-all", "/console/refunds?part=all"),
        ("account-days", f"/console/journal/account?account={clearing}"),
        ("transfers-of-account", f"/console/journal/transfers?account={clearing}"),
        ("left", "/console/journal/left?kind=surplus"),
    ):
        yield name, path, StaffRole.ACCOUNTANT


def look(office: Office, page: Page, name: str, widths: dict[str, dict[str, int]] = WIDTHS) -> list[str]:
    """What is wrong with a page, at each width; a picture of each is kept."""
    faults = []
    for width, size in widths.items():
        page.set_viewport_size(size)
        faults += [f"{name}, {width}: faint {each}" for each in faint(page)]
        faults += [f"{name}, {width}: runs off the page"] if is_wide(page) else []
        faults += [f"{name}, {width}: {each} overlap" for each in page.evaluate(OVERLAPS)]
        faults += [f"{name}, {width}: squeezed: {each}" for each in page.evaluate(LETTERS)]
        office.keep(page, f"desk-{name}-{width}")
    return faults


def people_come(office: Office) -> None:
    for role, number in NUMBERS.items():
        member(office.house.ports, number, role)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_home_is_read_at_a_glance_on_a_phone_and_on_a_desk(office, scheme):
    furnish(office)
    people_come(office)
    with office.desk(color_scheme=scheme) as page:
        sit_down(office, page, StaffRole.SUPERVISOR)
        page.goto("/console/")
        assert look(office, page, f"home-{scheme}") == []
        assert grave_faults(page) == []


@pytest.mark.full
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_holds_at_both_widths_by_day_and_by_night(office, scheme):
    furnish(office)
    people_come(office)
    faults, seen = [], set()
    with office.desk(color_scheme=scheme) as page:
        for name, path, role in pages(office):
            if role is not None:
                sit_down(office, page, role)
            assert page.goto(path).status == 200, name
            assert page.locator("h1").count() == 1, name
            faults += look(office, page, f"{name}-{scheme}")
            faults += [f"{name}: {each}" for each in grave_faults(page)]
            seen.add(name)
    assert not faults, "\n".join(faults)
    assert len(seen) > 30


def test_axe_finds_nothing_serious_on_any_page(office):
    """Contrast is left to the palette's own test and to the one above: of all that axe asks it takes the longest."""
    furnish(office)
    people_come(office)
    faults, role_now = [], None
    with office.desk() as page:
        # Once for the whole walk: to send it to each page anew takes longer than its questions.
        page.context.add_init_script(path=AXE)
        for name, path, role in sorted(pages(office), key=lambda each: str(each[2])):
            if role not in (None, role_now):
                sit_down(office, page, role)
                role_now = role
            assert page.goto(path).status == 200, name
            faults += [f"{name}: {each}" for each in page.evaluate(GRAVELY)]
        page.goto("/console/account")
        page.evaluate("document.querySelectorAll('label').forEach(it => it.remove())")
        assert any(each.startswith("label") for each in page.evaluate(GRAVELY)), "it would have told"
    assert faults == []


def test_pages_behind_a_form_hold_too(office):
    world = office.house.world
    number = an_id_number(941)
    person = world.person(id_number=number)
    world.bills(world.enrollment(person), "2026-10", "2026-11")
    people_come(office)
    with office.desk() as page:
        sit_down(office, page, StaffRole.REVIEWER)
        page.goto("/console/")
        page.get_by_role("searchbox").fill(number)
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="搜索结果").wait_for()
        assert number not in page.url + page.title() + page.content()
        faults = [*look(office, page, "search"), *grave_faults(page)]
        page.get_by_role("link", name="张**").click()
        page.get_by_role("heading", name="张** 的办事经过").wait_for()
        faults += [*look(office, page, "person"), *grave_faults(page)]
        page.goto("/console/counter-orders")
        page.get_by_label("姓名").fill("张三丰")
        page.get_by_label("证件号码", exact=True).fill(number)
        page.get_by_role("button", name="查询应缴").click()
        page.get_by_role("checkbox").first.wait_for()
        faults += [*look(office, page, "counter-order-bills"), *grave_faults(page)]
        page.get_by_role("checkbox").first.check()
        page.get_by_role("button", name="开缴费单").click()
        page.get_by_role("button", name="撤销缴费单").wait_for()
        faults += [*look(office, page, "counter-order"), *grave_faults(page)]
    assert not faults, "\n".join(faults)
