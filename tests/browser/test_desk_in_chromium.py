"""The desk as a duty officer sees it: on a phone's width and on a desk's, by day and by night; nothing faint, nothing off the page, nothing overlapping."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from models.staff import StaffRole
from tests.browser.test_console_in_chromium import faint, is_wide
from tests.factories import ALIPAY
from tests.money_desk import a_day, a_difference, unclaimed
from tests.reviewing import an_application

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Office

pytestmark = pytest.mark.slow

WIDTHS = {"phone": {"width": 360, "height": 740}, "desk": {"width": 1280, "height": 900}}
OVERLAPS = """
() => {
  // Texts whose boxes lie on each other, though neither holds the other: what no eye can read.
  const found = [], texts = [];
  const walker = document.createTreeWalker(document.querySelector("body"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const at = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !at.checkVisibility() || at.closest(".unseen, .skip, svg")) continue;
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


def furnish(office: Office) -> None:
    """A morning with something of everything."""
    world, clock = office.house.world, office.house.clock
    end = office.house.ports.now() + timedelta(hours=4)
    for way, count in (("jiangsu-tax-wechat", 5), (ALIPAY, 3)):
        for _ in range(count):
            _, order = world.order(miniprogram=way)
            world.hear(world.paid_news(order, notice=f"N{order.payment_no}"), miniprogram=way)
            world.settle()
            clock.move(minutes=23)
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


def look(office: Office, page: Page, name: str) -> None:
    """At both widths; a picture of each is kept."""
    for width, size in WIDTHS.items():
        page.set_viewport_size(size)
        assert faint(page) == [], f"{name}, {width}"
        assert not is_wide(page), f"{name}, {width}"
        assert page.evaluate(OVERLAPS) == [], f"{name}, {width}"
        office.keep(page, f"desk-{name}-{width}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_home_is_read_at_a_glance_on_a_phone_and_on_a_desk(office, scheme):
    furnish(office)
    with office.desk(color_scheme=scheme) as page:
        office.come_in(page, "S2001", StaffRole.SUPERVISOR)
        look(office, page, f"home-{scheme}")
