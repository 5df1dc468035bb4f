"""The phone on the sandbox's page, in somebody's hand: real processes behind it, and eyes that look at every screen.

A screen is looked at where it is narrow (360) and wide (1280): nothing may run out at the side, in elder mode nothing may be small, and
axe may find nothing serious.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from axe_playwright_python.sync_playwright import Axe

from config.clock import BEIJING
from jobs.stack import Stack
from sandbox.remote import Sandbox
from tests.factories import an_id_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Locator, Page

NARROW, WIDE = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
GRAVE = {"serious", "critical"}
RUNS_OUT = """
() => {
  const seen = [...document.querySelectorAll("body *")].filter(at => at.checkVisibility({visibilityProperty: true}) && !at.closest(".unseen"));
  const told = seen
    .filter(at => !["visible", "clip"].includes(getComputedStyle(at).overflowX) && at.scrollWidth > at.clientWidth + 1)
    .map(at => `${at.tagName}.${at.className} is ${at.scrollWidth} wide inside, and ${at.clientWidth} outside`);
  for (const at of seen) {
    const {left, right, width} = at.getBoundingClientRect();
    if (width && (left < -1 || right > innerWidth + 1)) told.push(`${at.tagName}.${at.className} reaches from ${left} to ${right}`);
  }
  return told;
}
"""
OVERLAPS = """
() => {
  // Texts whose boxes lie on each other in one scrolled place: what no eye can read.
  const told = [], texts = [];
  const place = at => at.closest(".scroll, .screen, .foot, .tabs, .bar, .cover, .world, .top");
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const at = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
    if (!text || !at.checkVisibility({visibilityProperty: true}) || at.closest(".unseen, svg, select")) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    for (const box of range.getClientRects()) if (box.width > 1) texts.push([text.slice(0, 12), box, place(at)]);
  }
  texts.forEach(([one, a, here], at) => texts.slice(at + 1, at + 40).forEach(([two, b, there]) => {
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left), high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (here === there && wide > 2 && high > Math.min(a.height, b.height) * 0.4) told.push(`${one} lies on ${two}`);
  }));
  return told;
}
"""
TOO_SMALL = """
() => {
  const phone = document.getElementById("phone"), told = [];
  const walker = document.createTreeWalker(phone, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const at = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
    if (text && at.checkVisibility({visibilityProperty: true}) && parseFloat(getComputedStyle(at).fontSize) < 18) told.push(`${text.slice(0, 12)} is small`);
  }
  for (const at of phone.querySelectorAll("button, select, summary, a, label.tick, label.switch, label.bill, input:not([type=checkbox])")) {
    if (!at.checkVisibility({visibilityProperty: true})) continue;
    const {width, height} = at.getBoundingClientRect();
    if (width < 59.5 || height < 59.5) told.push(`${at.tagName} ${at.textContent.trim().slice(0, 12)} is ${width} by ${height}`);
  }
  return told;
}
"""


def a_card_number(number: int) -> str:
    """A card number with its check digit (Luhn)."""
    body = f"62284813800000{number:04d}"
    doubled = [int(digit) * (2 - at % 2) for at, digit in enumerate(reversed(body))]
    return body + str(-sum(each // 10 + each % 10 for each in doubled) % 10)


def a_person(label: str, number: int, *, born: str, others: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
    """Somebody with a phone, as the page's wallet shows them."""
    return {
        "label": label,
        "name": "张三",
        "id_number": an_id_number(number, born=born),
        "phone": f"1380000{number:04d}",
        "bank_card": a_card_number(number),
        "others": list(others),
    }


FATHER = a_person("父亲", 11, born="19700101")
PEOPLE = (
    a_person("某甲", 12, born="19850101"),
    a_person("女儿", 13, born="19950101", others=[{"name": "张三", "id_number": FATHER["id_number"], "relation": "父亲"}]),
    a_person("某丙", 14, born="19880101"),
    a_person("某丁", 15, born="19880202"),
    a_person("某戊", 16, born="19880303"),
)


class Street:
    """Real processes, people with phones, and each of them billed for this month."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.sandbox = Sandbox(stack.url("sandbox"))
        self.examined: set[tuple[str | None, ...]] = set()
        """Screens that axe has seen, by skin and mode: it takes half a second for each."""

    def canbao(self, *words: str) -> None:
        program = str(Path(sys.executable).with_name("canbao"))
        done = subprocess.run([program, *words], env=self.stack.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def move_in(self, folder: Path) -> None:
        month = datetime.now(BEIJING).strftime("%Y-%m")
        start = month.replace("-", "")
        rows = ["AAC002,AAC003,AAE140,AAB301,AAC031,AAE030,TIER"]
        rows += [f"{each['id_number']},张三,110,320402,1,{start},2" for each in (*PEOPLE, FATHER)]
        rows.append(f"{FATHER['id_number']},张三,310,320402,1,{start},5")
        feed = folder / "feed.csv"
        feed.write_text("\n".join(rows) + "\n")
        self.canbao("import", "enrollments", str(feed))
        self.canbao("assess", "--month", month)
        for each in (*PEOPLE, FATHER):
            self.sandbox.register_person(each["name"], each["id_number"], phone=each["phone"], bank_card=each["bank_card"])
        self.introduce(PEOPLE)

    def introduce(self, people: Sequence[dict[str, Any]]) -> None:
        """Lay these people's phones on the page, in this order."""
        requests.post(f"{self.sandbox.url}/_sandbox/demo-people", json=list(people), timeout=10).raise_for_status()

    def order(self, payment_no: str, channel: str) -> dict[str, Any]:
        """What the provider holds of a payment."""
        return self.sandbox.order(channel, payment_no)

    def books(self) -> dict[str, Any]:
        told: dict[str, Any] = requests.get(f"{self.sandbox.url}/_sandbox/journal", timeout=10).json()
        return told

    def hasten(self, seconds: int) -> None:
        """Let the providers' clock jump, until all that was due has been sent, and go on with the machine's."""
        later = datetime.now(BEIJING) + timedelta(seconds=seconds)
        self.sandbox.set_clock(later.isoformat(timespec="seconds"), deliver=True)
        self.sandbox.set_clock(None)


@contextmanager
def a_street(folder: Path) -> Iterator[Street]:
    with Stack.on_free_ports(folder / "state", notice_time_scale=0.05) as stack:
        street = Street(stack)
        street.move_in(folder)
        yield street
        street.sandbox.close()


@dataclass
class Hand:
    """One visitor before the page, with one person's phone."""

    street: Street
    page: Page
    pictures: Path
    story: str
    looks_closely: bool = True
    """With axe too, at screens that it has not seen yet."""
    _seen: int = 0

    @property
    def phone(self) -> Locator:
        return self.page.locator("#phone")

    @property
    def elder(self) -> bool:
        return self.phone.get_attribute("data-elder") == "true"

    def take(self, owner: int, program: str) -> None:
        """Take this person's phone into the hand, and open a program on it."""
        self.page.goto("/")
        self.phone.get_by_label("手机是谁的").select_option(str(owner))
        self.settle()
        self.phone.locator(f"[data-program={program}]").click()

    def settle(self) -> None:
        """Until the screen is drawn and nothing more is asked for it."""
        self.page.locator("#phone:not([aria-busy])").wait_for()

    def button(self, name: str) -> Locator:
        return self.phone.get_by_role("button", name=name, exact=True)

    def press(self, name: str) -> None:
        self.button(name).click()

    def open(self, entry: str) -> None:
        """Press an entry of the menu."""
        self.phone.locator(f"[data-entry={entry}]").click()
        self.settle()

    def agree(self) -> None:
        """Tick the text's box and agree; it was not ticked for us."""
        box = self.phone.get_by_role("checkbox")
        box.wait_for()
        assert not box.is_checked()
        assert self.button("同意并继续").is_disabled()
        box.check()
        self.press("同意并继续")

    def prove(self, outcome: str = "passed") -> None:
        """From an authorised home to the camera's end, agreeing to both texts."""
        self.press("去办理")
        self.look("consent")
        self.agree()
        self.button("确认").wait_for()
        self.press("演示：填入机主的资料")
        self.look("real-name")
        self.press("确认")
        self.agree()
        self.button("继续").wait_for()
        self.look("face")
        self.press("继续")
        self.phone.locator(f"[data-outcome={outcome}]").wait_for()
        self.look("camera")
        self.phone.locator(f"[data-outcome={outcome}]").click()

    def break_next(self, *faults: str) -> None:
        for fault in faults:
            self.page.get_by_label(fault).check()

    def pay(self) -> str:
        """Through the cashier, until Canbao itself says that it is paid: the payment's number."""
        self.button("确认支付").wait_for()
        self.look("cashier")
        self.press("确认支付")
        self.button("完成").wait_for()
        self.look("thanks")
        self.press("完成")
        self.phone.locator("[data-order-state=PAID]").wait_for()
        self.phone.get_by_role("heading", name="支付成功，等待税务入库").wait_for()
        self.look("paid")
        return self.row("商户单号")

    def row(self, name: str) -> str:
        """What stands beside this word in a list of facts."""
        return str(self.phone.locator("dt", has_text=name).locator("xpath=following-sibling::dd[1]").text_content())

    def look(self, name: str) -> None:
        """Look at the screen at both widths, keep pictures, and find nothing wrong with it."""
        self.settle()
        self._seen += 1
        faults = []
        for size in (NARROW, WIDE):
            self.page.set_viewport_size(size)
            faults += [f"{size['width']}: {each}" for each in self.page.evaluate(RUNS_OUT)]
            faults += [f"{size['width']}: {each}" for each in self.page.evaluate(OVERLAPS)]
            if self.elder:
                faults += [f"{size['width']}: {each}" for each in self.page.evaluate(TOO_SMALL)]
            self.page.screenshot(path=self.pictures / f"phone-{self.story}-{self._seen:02}-{name}-{size['width']}.png")
        kind = (name, *(self.phone.get_attribute(f"data-{each}") for each in ("screen", "skin", "elder")))
        if self.looks_closely and kind not in self.street.examined:
            self.street.examined.add(kind)
            faults += grave_faults(self.page)
        assert not faults, "\n".join([f"{self.story}, {name}:", *faults])


def grave_faults(page: Page, within: str | None = None) -> list[str]:
    """What axe calls serious or critical, with where it is."""
    told = Axe().run(page, context=within).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node['any'][:1] and node['any'][0]['message']}"
        for each in told
        if each["impact"] in GRAVE
        for node in each["nodes"][:3]
    ]


@contextmanager
def in_hand(street: Street, chromium: Chromium, pictures: Path, story: str, **how: Any) -> Iterator[Hand]:
    """A browser with nothing in it. Whatever goes wrong in its console, or is asked of another house, fails the story."""
    url = street.stack.url("sandbox")
    context = chromium.new_context(base_url=url, locale="zh-CN", viewport=WIDE, accept_downloads=True)
    context.set_default_timeout(20_000)
    page, complaints = context.new_page(), []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda fault: complaints.append(str(fault)))
    page.on("request", lambda asked: None if asked.url.startswith((url, "blob:")) else complaints.append(asked.url))
    yield Hand(street=street, page=page, pictures=pictures, story=story, **how)
    context.close()
    assert [each for each in complaints if "the server responded with a status of" not in each] == []
