"""A town with real processes: database, sandbox, web, letterbox, settle and worker, and people with phones.

Building one costs some 40 seconds of a core, so there is one for all who are content with a plain one: whoever takes the fixture
`town` shares it, and `pytest -n` gives all their files to one worker (tests/conftest.py). They bring people of their own, ask about
nobody else's, and leave no fault behind: `rested` sees to that.
"""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING

import pytest
import requests

from jobs.stack import Stack
from sandbox.phone import Phone
from sandbox.remote import Sandbox
from tests.commands import canbao
from tests.factories import an_id_number

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

PROGRAMS = {
    "wechat": ("jiangsu-tax-wechat", "wx3204000000000001", "320402"),
    "alipay": ("jiangsu-tax-alipay", "2021003204000001", "320402"),
    "xinjiang": ("xinjiang-tax-wechat", "wx6500000000000001", "650102"),
}
PEOPLE = 120


class Town:
    """Everybody is enrolled and billed for this month; each call hands out somebody new."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.sandbox = Sandbox(stack.url("sandbox"))
        self._next = {kind: itertools.count() for kind in PROGRAMS}
        self._lock = threading.Lock()
        self._numbers: dict[str, str] = {}
        self.month = self._today_month()
        self.pending_before = 0

    @staticmethod
    def _today_month() -> str:
        from config.clock import SystemClock, beijing_date

        return beijing_date(SystemClock().now()).strftime("%Y-%m")

    def canbao(self, *words: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
        """The operator's command, in this process, over the town's database."""
        return canbao(self.stack.environment, *words, typed=typed)

    def settle_in(self, folder: Path) -> None:
        feed = folder / "feed.csv"
        start = self.month.replace("-", "")  # the worker bills earlier months too, where somebody is insured
        rows = ["AAC002,AAC003,AAE140,AAB301,AAC031,AAE030,TIER"]
        for at, (_, _, area) in enumerate(PROGRAMS.values()):
            rows += [f"{an_id_number(n, born=f'19{70 + at}0101')},张三,110,{area},1,{start},2" for n in range(PEOPLE)]
        feed.write_text("\n".join(rows) + "\n")
        for words in (("import", "enrollments", str(feed)), ("assess", "--month", self.month)):
            done = self.canbao(*words)
            assert done.returncode == 0, done.stdout + done.stderr

    def phone(self, kind: str) -> Phone:
        """A verified person with the mini-program open."""
        with self._lock:
            number = an_id_number(next(self._next[kind]), born=f"19{70 + list(PROGRAMS).index(kind)}0101")
        program, app_id, _ = PROGRAMS[kind]
        platform = "alipay" if kind == "alipay" else "wechat"
        self.sandbox.register_person("张三", number, phone="13800000000")
        real_name = {"name": "张三", "id_number": number} if platform == "alipay" else None
        user = self.sandbox.make_user(app_id, real_name=real_name)
        phone = Phone(
            self.stack.url("web"), self.sandbox, miniprogram=program, app_id=app_id, platform=platform, user_id=user["user_id"]
        )
        self._numbers[phone.user_id] = number
        phone.sign_in()
        if platform == "wechat":
            phone.consent_to()
            phone.prove_name("张三", number, "13800000000")
            phone.prove_face()
        return phone

    def id_number_of(self, phone: Phone) -> str:
        """As the authorities know who has this phone."""
        return self._numbers[phone.user_id]

    def own_bill(self, phone: Phone) -> tuple[str, dict]:
        me = next(person for person in phone.people() if person["is_self"])
        return me["id"], next(bill for bill in phone.bills(me["id"]) if bill["payable"])

    def accounts(self) -> dict[str, int]:
        told = requests.get(self.stack.url("web") + "/sandbox/journal", timeout=10).json()
        return {row["account"]: row["balance_fen"] for row in told["accounts"] if row["balance_fen"]}

    def moved(self, account: str) -> set[int]:
        """The amounts of the newest transfers from or to an account, in fen; they stay when its balance is gone again."""
        told = requests.get(self.stack.url("web") + "/sandbox/journal", timeout=10).json()
        return {each["amount_fen"] for each in told["transfers"] if account in (each["debit_account"], each["credit_account"])}

    def clearing(self) -> dict[str, int]:
        return {
            account.removeprefix("clearing:"): fen
            for account, fen in self.accounts().items()
            if account.startswith("clearing:")
        }

    def money(self) -> dict[str, int]:
        return {merchant: fen for merchant, fen in self.sandbox.money().items() if fen}

    def pending(self) -> int:
        """Notices that the sandbox means to send, or to send again."""
        return int(self.sandbox.state(limit=0)["pending_notices"])

    def wait_until_delivered(self, *, seconds: float = 20) -> None:
        """All notices that came about in this test. Some of earlier tests are refused for as long as their providers have patience."""
        deadline = time.monotonic() + seconds
        while self.pending() > self.pending_before:
            assert time.monotonic() < deadline, "notices are still under way"
            time.sleep(0.2)

    def rest(self, *, seconds: float = 90) -> None:
        """Providers behave again, and what was owed went back. Fails when that takes too long."""
        self.sandbox.behave()
        deadline = time.monotonic() + seconds
        while (left := self._under_way()) or self.clearing() != self.money():
            assert time.monotonic() < deadline, (left, self.clearing(), self.money())
            time.sleep(0.3)

    def _under_way(self) -> list[str]:
        return [account for account in self.accounts() if account.startswith(("surplus:", "refunding:"))]


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The one town of this run."""
    folder = tmp_path_factory.mktemp("town")
    with Stack.on_free_ports(folder / "state", notice_time_scale=0.05) as stack:
        town = Town(stack)
        town.settle_in(folder)
        yield town
        town.sandbox.close()


@pytest.fixture(autouse=True)
def rested(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whoever comes next finds the town as it was. A conftest imports this for its folder."""
    if "town" not in request.fixturenames:
        yield
        return
    town = request.getfixturevalue("town")
    town.pending_before = town.pending()
    yield
    town.rest()
