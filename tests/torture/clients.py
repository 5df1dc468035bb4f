"""Sixteen people at once who want to pay, and who do not give up when nothing answers."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

from sandbox.phone import Phone, PhoneRefusedError
from sandbox.remote import Sandbox

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.torture.town import Citizen

PATIENCE_SECONDS = 240
PAY, CANCEL, WALK_AWAY = "pay", "cancel", "walk away"
TRY_AGAIN = frozenset({"REQUEST_IN_FLIGHT", "PROVIDER_UNAVAILABLE", "BUSY", "INTERNAL"})


@dataclass(frozen=True, kw_only=True)
class Errand:
    """One order to be placed, and what becomes of it."""

    citizen: Citizen
    bills: tuple[tuple[str, int], ...]
    fate: str
    faults: list[dict[str, Any]] = field(default_factory=list)
    notices: int = 0
    """How many notices of the payment the provider will send, before any retry."""
    looks: bool = False
    """Stays until the phone says PAID."""
    presses_twice: bool = False
    """The same button, twice at the same moment."""
    key: str = field(default_factory=lambda: uuid.uuid4().hex)


def plan(citizens: list[Citizen], *, paid: int, dice: random.Random) -> list[Errand]:
    """Exactly `paid` orders that are paid, with some two and a half notices each, and a few that are not."""
    errands: list[Errand] = []
    for citizen in citizens:
        together = len(citizen.bills) == 1 or dice.random() < 0.2
        for bills in [citizen.bills] if together else [(bill,) for bill in citizen.bills]:
            if sum(errand.fate == PAY for errand in errands) == paid:
                return errands
            fate = dice.choices([PAY, CANCEL, WALK_AWAY], weights=[90, 5, 5])[0]
            notices = dice.choices([0, 1, 2, 3, 4], weights=[8, 14, 22, 30, 26])[0]
            errands.append(
                Errand(
                    citizen=citizen,
                    bills=bills,
                    fate=fate,
                    notices=notices if fate == PAY else 0,
                    faults=_faults(notices, citizen.program.platform, dice),
                    looks=dice.random() < 0.3,
                    presses_twice=dice.random() < 0.1,
                )
            )
    raise AssertionError(f"{len(citizens)} people are too few for {paid} paid orders")


def _faults(notices: int, platform: str, dice: random.Random) -> list[dict[str, Any]]:
    """Lost, late, twice, at the same moment, after forgeries, in other keys and other alphabets."""
    if notices == 0:
        return [{"fault": "lost"}]
    found: list[dict[str, Any]] = []
    parallel = dice.randint(0, notices - 1)
    if parallel:
        # So many at the very same moment, the first among them; duplicates come after it.
        found.append({"fault": "parallel", "value": parallel + 1})
    if notices - 1 - parallel:
        found.append({"fault": "duplicate", "value": notices - 1 - parallel})
    if dice.random() < 0.15:
        found.append({"fault": "late", "value": dice.uniform(0.5, 4)})
    if dice.random() < 0.1:
        found.append({"fault": dice.choice(["forged", "signtest", "stale"])})
    if dice.random() < 0.1:
        found.append({"fault": "gbk" if platform == "alipay" else "certificate_key"})
    return found


class Crowd:
    """Carries the errands, sixteen at a time."""

    def __init__(self, canbao_url: str, sandbox_url: str, errands: list[Errand], *, clients: int = 16) -> None:
        self._urls = (canbao_url, sandbox_url)
        self._errands: queue.SimpleQueue[Errand] = queue.SimpleQueue()
        for errand in errands:
            self._errands.put(errand)
        self.total = len(errands)
        self.done = 0
        self.orders: dict[str, str] = {}
        """Key of an errand → number of its order."""
        self.refusals: Counter[str] = Counter()
        self.faults: list[str] = []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._carry, name=f"client-{at}") for at in range(clients)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    @property
    def is_busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _carry(self) -> None:
        canbao_url, sandbox_url = self._urls
        sandbox = Sandbox(sandbox_url, timeout_seconds=30)
        while True:
            try:
                errand = self._errands.get_nowait()
            except queue.Empty:
                sandbox.close()
                return
            program = errand.citizen.program
            phone = Phone(
                canbao_url,
                sandbox,
                miniprogram=program.code,
                app_id=program.app_id,
                platform=program.platform,
                user_id=errand.citizen.user_id,
                timeout_seconds=15,
            )
            phone.token = errand.citizen.token
            try:
                self._run(phone, errand)
            except Exception as fault:  # noqa: BLE001 - told at the end, with all others
                self.faults.append(f"{errand.fate}: {type(fault).__name__}: {fault}")
            finally:
                phone.close()
            with self._lock:
                self.done += 1

    def _insist(self, what: Callable[[], Any]) -> Any:
        """As people do: again and again, with the same key, until somebody answers."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return what()
            except requests.RequestException as fault:
                name, last = type(fault).__name__, fault
            except PhoneRefusedError as refusal:
                if refusal.status < 500 and refusal.code not in TRY_AGAIN:
                    raise
                name, last = refusal.code, refusal  # type: ignore[assignment]
            with self._lock:
                self.refusals[name] += 1
            if time.monotonic() > until:
                raise last
            time.sleep(0.3)

    def _run(self, phone: Phone, errand: Errand) -> None:
        numbers, total_fen = [number for number, _ in errand.bills], sum(fen for _, fen in errand.bills)

        def place() -> dict[str, Any]:
            return phone.order(str(errand.citizen.relation_id), numbers, expected_amount_fen=total_fen, key=errand.key)

        if errand.presses_twice:
            other = Phone(
                self._urls[0], phone.sandbox, miniprogram="", app_id="", platform=phone.platform, user_id="", timeout_seconds=15
            )
            other.token = phone.token
            twin = threading.Thread(target=self._press, args=(other, errand, numbers, total_fen))
            twin.start()
            order = self._insist(place)
            twin.join()
            other.close()
        else:
            order = self._insist(place)
        order_no = self.orders[errand.key] = order["order_no"]
        if errand.fate == WALK_AWAY:
            return
        if errand.fate == CANCEL:
            self._insist(lambda: self._cancel(phone, order_no))
            return
        until = time.monotonic() + PATIENCE_SECONDS
        while not order.get("launch"):
            assert time.monotonic() < until, f"order {order_no} never opens: {order['state']}"
            assert order["state"] not in ("CLOSED", "PAID"), f"order {order_no} is {order['state']} before it was paid"
            time.sleep(1)
            order = self._insist(lambda: phone.see_order(order_no))
        said = phone.pay(order, faults=errand.faults)
        assert said.get("errMsg") == "requestPayment:ok" or said.get("resultCode") == "9000", said
        if errand.looks:
            while self._insist(lambda: phone.see_order(order_no))["state"] != "PAID":
                assert time.monotonic() < until, f"order {order_no} was paid and never says so"
                time.sleep(0.5)

    def _press(self, phone: Phone, errand: Errand, numbers: list[str], total_fen: int) -> None:
        try:
            self._insist(
                lambda: phone.order(str(errand.citizen.relation_id), numbers, expected_amount_fen=total_fen, key=errand.key)
            )
        except Exception as fault:  # noqa: BLE001 - told at the end, with all others
            self.faults.append(f"second press: {type(fault).__name__}: {fault}")

    @staticmethod
    def _cancel(phone: Phone, order_no: str) -> None:
        try:
            phone.cancel(order_no)
        except PhoneRefusedError as refusal:
            if refusal.code != "BILL_RESERVED":
                raise
            # 处理中: the provider has not said so yet. The order lapses by itself if nobody asks again.
