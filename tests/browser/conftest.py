"""A browser as an office has it: the machine's own Chromium, before the console served on this machine."""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.browser.phone_in_hand import Street, a_street
from tests.console.browser import PASSWORD, code_at, member
from tests.doors.house import House
from tests.own_log import own_log  # noqa: F401 - for every test here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Page

    from models.staff import StaffRole

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ("--no-sandbox", "--disable-background-networking")
DESKTOP = {"width": 1280, "height": 900}


class Silent(WSGIRequestHandler):
    def log(self, *_said: object) -> None:
        """Nobody reads this server's own log; the application's is kept."""


@pytest.fixture(scope="session")
def chromium_here() -> str:
    """Skips where the machine has none: Playwright's own would have to be downloaded, and an office tests what it uses."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        pytest.skip("no Chromium on this machine: install it (Debian: apt-get install chromium) to try the pages in a browser")
    return found


@pytest.fixture(scope="module")
def chromium(chromium_here: str) -> Iterator[Chromium]:
    """No longer than a module: while Playwright is there, an event loop runs in this thread, and nobody else's can."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_here, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pictures_of_pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept: the folder that TEST_SCREENSHOTS names, else one of pytest's own."""
    given = os.environ.get("TEST_SCREENSHOTS")
    folder = Path(given) if given else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory, chromium_here: str) -> Iterator[Street]:
    """Real processes, for every story of the phone; none are started where there is no browser to walk with."""
    del chromium_here
    with a_street(tmp_path_factory.mktemp("street")) as street:
        yield street


@pytest.fixture
def house(ports, world, clock) -> House:
    return House(ports=ports, world=world, clock=clock, doors=("console",))


@dataclass
class Office:
    """The console at an address, and the people who sit before it."""

    house: House
    chromium: Chromium
    url: str
    pictures: Path

    @contextmanager
    def desk(self, **how: Any) -> Iterator[Page]:
        """A browser with nothing in it. Whatever goes wrong in its console, or is asked of another house, fails the story."""
        context = self.chromium.new_context(base_url=self.url, locale="zh-CN", **{"viewport": DESKTOP, **how})
        context.set_default_timeout(10_000)
        page, complaints = context.new_page(), []
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("request", lambda asked: None if asked.url.startswith(self.url) else complaints.append(asked.url))
        yield page
        context.close()
        # Chromium calls every refusal an error of the network; stories ask for some.
        assert [each for each in complaints if "the server responded with a status of" not in each] == []

    def come_in(self, page: Page, number: str, role: StaffRole) -> None:
        """From nothing to home, by password and phone."""
        member(self.house.ports, number, role)
        self.house.clock.move(seconds=30)
        page.goto("/console/sign-in")
        page.get_by_label("工号").fill(number)
        page.get_by_label("密码", exact=True).fill(PASSWORD)
        page.get_by_label("动态验证码").fill(code_at(self.house.ports, number))
        page.get_by_role("button", name="登录").click()
        page.get_by_role("heading", name=f"工号 {number}，您好").wait_for()

    def keep(self, page: Page, name: str) -> None:
        """A screenshot, for people to look at."""
        page.screenshot(path=self.pictures / f"{name}.png", full_page=True)


@pytest.fixture
def office(house, chromium, pictures_of_pages) -> Iterator[Office]:
    server = make_server("127.0.0.1", 0, house.app, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Office(house=house, chromium=chromium, url=f"http://127.0.0.1:{server.server_port}", pictures=pictures_of_pages)
    server.shutdown()
    thread.join()
    server.server_close()
