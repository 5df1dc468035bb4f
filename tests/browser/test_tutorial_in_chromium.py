"""The first-payment tutorial, done word by word: each command is run, each bold word is pressed, each word in 「brackets」 is looked for.

In a state folder and at ports of its own; the machine's Chromium is the newcomer's browser, and where it is absent the story is skipped.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error as PlaywrightError

from config.embedded_postgres import EmbeddedPostgres
from jobs.stack import PORTS
from tests.browser.tutorial import Command, Press, See, steps_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Locator, Page

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorial" / "first-payment.md"
OURS = re.compile(r"^(make run|\.venv/bin/canbao (explain|inbox)\b.*)$")
"""A page is text from a repository: nothing else in it is ever run."""
READY_SECONDS, SEE_SECONDS = 240, 30
ROLES = ("button", "checkbox", "radio", "link", "tab")
NUMBER = re.compile(r"\b[0-9A-Z]{24}\b")
NOTICE_ID = re.compile(r"^([0-9a-f-]{36}|\d+)$", re.MULTILINE)


class Newcomer:
    """Somebody at this machine, with a terminal and a browser."""

    def __init__(self, folder: Path, browser: Chromium, pictures: Path) -> None:
        self.port = _free_ports()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("CANBAO_")} | {
            "CANBAO_STATE_DIR": str(folder / "state"),
            "CANBAO_SECRETS_DIR": str(folder / "state" / "secrets"),
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "1",  # one person pays here; the reader's machine has a worker a core
        }
        self.printed = (folder / "make-run.txt").open("w+b")
        self.running: subprocess.Popen[bytes] | None = None
        self.page: Page = browser.new_page(locale="zh-CN", viewport={"width": 1280, "height": 900})
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda fault: self.complaints.append(str(fault)))
        self.pictures = pictures
        self.last_output = ""
        self.kept: set[str] = set()

    # The terminal

    def run(self, command: Command) -> None:
        assert OURS.fullmatch(command.line), f"the tutorial may not run {command.line!r}"
        if command.line == "make run":
            self._start()
        else:
            words = shlex.split(self._filled(command.line))
            done = subprocess.run(
                words, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, f"{command.line}\n{done.stdout}{done.stderr}"
            self.last_output = done.stdout
        at = 0
        for fragment in command.fragments:
            wanted = self._moved(fragment)
            at = self.last_output.find(wanted, at)
            assert at >= 0, f"{command.line} did not print {wanted!r} (or not there):\n{self.last_output}"

    def _start(self) -> None:
        # As a terminal does it: a group of its own, so that Ctrl-C reaches all of it.
        self.running = subprocess.Popen(
            ["make", "run"], cwd=ROOT, env=self.environment, stdout=self.printed, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + READY_SECONDS
        while "Ctrl-C ends everything" not in self._printed():
            assert self.running.poll() is None, self._printed()
            assert time.monotonic() < deadline, self._printed()
            time.sleep(0.2)
        self.last_output = self._printed()
        self.page.goto(re.search(r"sandbox page\s+(http\S+)", self.last_output)[1])

    def _printed(self) -> str:
        return Path(self.printed.name).read_text(encoding="utf-8")

    def _moved(self, text: str) -> str:
        """What the page shows of the usual ports, at ours."""
        for usual in (8000, 8001, 8100):
            text = text.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{usual - 8000 + self.port}")
        return text

    def _filled(self, line: str) -> str:
        """What the reader puts in place of the words in capitals: the newest order's number, and the notice that was just listed."""
        if "NOTICE_ID" in line:
            line = line.replace("NOTICE_ID", NOTICE_ID.search(self.last_output)[1])
        return line.replace("NUMBER", NUMBER.search(self.page.locator("#orders > li").first.inner_text())[0])

    # The browser

    def press(self, label: str) -> None:
        """What bears these words: on the phone where it is there, else in the world beside it. A way back is gone until it is the last."""
        self._rest()
        target = self._control(label)
        self._keep(label)
        if target.get_attribute("type") in ("checkbox", "radio"):
            target.check(timeout=SEE_SECONDS * 1000)
        else:
            target.click(timeout=SEE_SECONDS * 1000)
        self._rest()

    def _control(self, label: str) -> Locator:
        deadline = time.monotonic() + SEE_SECONDS
        while time.monotonic() < deadline:
            for place in (self.page.locator("#phone"), self.page.locator("body")):
                for exact in (True, False):
                    for role in ROLES:
                        for found in place.get_by_role(role, name=label, exact=exact).all():
                            with contextlib.suppress(PlaywrightError):
                                if found.is_visible() and found.is_enabled():
                                    return found
            self.page.wait_for_timeout(200)
        self.page.screenshot(path=str(self.pictures / "tutorial-stuck.png"))
        raise AssertionError(
            f"nothing that can be pressed is called {label!r}; the page says:\n{self.page.locator('body').inner_text()}"
        )

    def see(self, words: str) -> None:
        seen = self.page.locator("body").get_by_text(words).filter(visible=True).first
        try:
            seen.wait_for(timeout=SEE_SECONDS * 1000)
        except PlaywrightError:
            self.page.screenshot(path=str(self.pictures / "tutorial-stuck.png"))
            raise AssertionError(f"{words!r} is nowhere; the page says:\n{self.page.locator('body').inner_text()}") from None

        self._keep(words)

    def _keep(self, words: str) -> None:
        """A picture of the page where these words are about to be pressed, or were first seen: for people to look at, and for the README."""
        file = self.pictures / f"tutorial-{words}.png"
        if "TEST_SCREENSHOTS" in os.environ and words not in self.kept:
            self.kept.add(words)
            self.page.screenshot(path=str(file))

    def _rest(self) -> None:
        self.page.locator("#phone:not([aria-busy])").wait_for(timeout=SEE_SECONDS * 1000)

    def leave(self) -> int | None:
        """Ctrl-C. The status of what was running."""
        self.page.close()
        self.printed.close()
        if self.running is None:
            return None
        # Ctrl-C; then as a process manager would, since a shell's background has its children ignore the first.
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.running.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.running.wait(60)
        return None


def _free_ports() -> int:
    """The first of those that `make run PORT=…` takes."""
    for _ in range(100):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        with contextlib.suppress(OSError, OverflowError), contextlib.ExitStack() as held:
            for usual in PORTS.values():
                held.enter_context(socket.socket()).bind(("127.0.0.1", usual - PORTS["web"] + port))
            return port
    raise AssertionError("no free ports")


@pytest.fixture
def newcomer(short_folder: Path, chromium: Chromium, pictures_of_pages: Path) -> Iterator[Newcomer]:
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    newcomer = Newcomer(short_folder, chromium, pictures_of_pages)
    yield newcomer
    newcomer.leave()
    EmbeddedPostgres(short_folder / "state").throw_away()


def test_every_word_of_the_tutorial_is_one_of_the_page_and_every_command_is_ours():
    """What can be known in no time; the story itself takes most of a minute of a processor."""
    sources = [file for kind in ("js", "py", "html") for file in (ROOT / "sandbox").rglob(f"*.{kind}")]
    page = "\n".join(file.read_text(encoding="utf-8") for file in sources)
    steps = steps_of(PAGE)
    words = {step.label for step in steps if isinstance(step, Press)} | {step.words for step in steps if isinstance(step, See)}

    assert [word for word in sorted(words) if word.removesuffix("*") not in page] == []
    assert [step.line for step in steps if isinstance(step, Command) and not OURS.fullmatch(step.line)] == []
    assert len(words) > 15


@pytest.mark.full
@pytest.mark.timeout(600)
def test_the_first_payment_goes_as_the_page_says(newcomer: Newcomer):
    steps = steps_of(PAGE)

    for step in steps:
        match step:
            case Command():
                newcomer.run(step)
            case Press():
                newcomer.press(step.label)
            case See():
                newcomer.see(step.words)

    assert newcomer.complaints == []
    assert sum(isinstance(step, Command) for step in steps) == 5
    assert sum(isinstance(step, Press) for step in steps) > 15
    assert sum(isinstance(step, See) for step in steps) > 6
