"""A small typed client of the sandbox's own API: for tests, demos and the phone."""

from __future__ import annotations

import time
from typing import Any

import requests

Told = dict[str, Any]


class SandboxRefusedError(RuntimeError):
    """The sandbox could not do what it was asked; the text says why."""


class Sandbox:
    """Drives a running sandbox from outside."""

    def __init__(self, url: str, *, timeout_seconds: float = 15.0) -> None:
        self.url = url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        self._session.close()

    def _ask(self, method: str, path: str, body: Told | None = None) -> Told:
        answer = self._session.request(method, f"{self.url}/_sandbox{path}", json=body, timeout=self._timeout_seconds)
        told = answer.json()
        if not isinstance(told, dict) or not answer.ok:
            raise SandboxRefusedError(f"{method} {path}: {answer.status_code} {told}")
        return told

    def make_user(self, app_id: str, *, label: str = "", real_name: Told | None = None, phone: str | None = None) -> Told:
        """Return user_id, subject, app_id, platform."""
        return self._ask("POST", "/users", {"app_id": app_id, "label": label, "real_name": real_name, "phone": phone})

    def open_app(self, number: int, app_id: str) -> Told:
        """The user that a demo person is under this app: user_id, subject, app_id, platform."""
        return self._ask("POST", f"/demo-people/{number}/users", {"app_id": app_id})

    def users(self) -> list[Told]:
        return list(self._ask("GET", "/users")["users"])

    def make_code(self, app_id: str, user_id: str, *, kind: str = "login") -> str:
        """Make a sign-in code, or with kind="phone" what the phone-number button gives."""
        return str(self._ask("POST", "/codes", {"app_id": app_id, "user_id": user_id, "kind": kind})["code"])

    def press_phone_button(self, app_id: str, user_id: str, *, refuse: bool = False) -> dict[str, str]:
        """Press the phone-number button: {code} on WeChat; {response, sign, …} on Alipay, with `refuse` its signed error."""
        return dict(self._ask("POST", "/phone-buttons", {"app_id": app_id, "user_id": user_id, "refuse": refuse}))

    def register_person(self, name: str, id_number: str, *, phone: str | None = None, bank_card: str | None = None) -> None:
        self._ask("POST", "/people", {"name": name, "id_number": id_number, "phone": phone, "bank_card": bank_card})

    def pay_on_wechat(
        self, app_id: str, user_id: str, launch: Told, *, outcome: str = "pay", faults: list[Told] | None = None
    ) -> Told:
        """Do as wx.requestPayment would with these launch parameters."""
        wanted = {name: launch.get(name) for name in ("timeStamp", "nonceStr", "package", "signType", "paySign")}
        body = {**wanted, "app_id": app_id, "user_id": user_id, "outcome": outcome, "faults": faults}
        return self._ask("POST", "/wechat/cashier", body)

    def pay_on_alipay(
        self, app_id: str, user_id: str, launch: Told, *, outcome: str = "pay", faults: list[Told] | None = None
    ) -> Told:
        """Do as my.tradePay would."""
        body = {"app_id": app_id, "user_id": user_id, "tradeNO": launch.get("tradeNO"), "outcome": outcome, "faults": faults}
        return self._ask("POST", "/alipay/cashier", body)

    def pay_at_pos(
        self,
        number: str,
        amount_fen: int,
        *,
        merchant: str | None = None,
        outcome: str = "pay",
        faults: list[Told] | None = None,
    ) -> Told:
        """Somebody pays this order with a card at a window: {paid, why, order}."""
        body = {"order_no": number, "amount_fen": amount_fen, "merchant": merchant, "outcome": outcome, "faults": faults}
        return self._ask("POST", "/pos/payments", body)

    def ask_at_counter(self, bank: str, *, name: str, id_number: str, voucher_no: str | None = None) -> Told:
        """The teller asks what somebody may pay: {status, body, signed}."""
        return self._ask("POST", f"/counters/{bank}/queries", {"name": name, "id_number": id_number, "voucher_no": voucher_no})

    def pay_at_counter(self, bank: str, **given: Any) -> Told:
        """The teller takes money and reports it: {serial, taken_fen, status, body, signed}. What it takes: sandbox/README.md."""
        return self._ask("POST", f"/counters/{bank}/payments", given)

    def ask_about_counter_payment(self, bank: str, serial: str) -> Told:
        return self._ask("POST", f"/counters/{bank}/questions", {"serial": serial})

    def pay_out_refunds(self, bank: str, *, result: str = "PAID_OUT") -> list[Told]:
        """The bank fetches what goes back and does so: each refund with the answer to its result."""
        return list(self._ask("POST", f"/counters/{bank}/pay-outs", {"result": result})["refunds"])

    def pay(self, channel: str, number: str) -> Told:
        """Pay an order without a phone: {paid, why}."""
        return self._ask("POST", f"/orders/{channel}/{number}/pay", {})

    def refund_at_portal(self, channel: str, number: str, *, amount_fen: int | None = None) -> Told:
        body: Told = {} if amount_fen is None else {"amount_fen": amount_fen}
        return self._ask("POST", f"/orders/{channel}/{number}/refunds", body)

    def settle_refund(self, channel: str, out_refund_no: str, *, state: str = "SUCCESS") -> bool:
        return bool(self._ask("POST", f"/refunds/{channel}/{out_refund_no}/settle", {"state": state})["settled"])

    def misbehave(self, target: str, fault: str, value: Any = None, *, times: int | None = None, operation: str = "") -> int:
        """Ask for a fault: target is an order number, "*" or "app:<app_id>"; operation narrows it to some calls."""
        body = {"target": target, "fault": fault, "value": value, "times": times, "operation": operation}
        return int(self._ask("POST", "/faults", body)["id"])

    def misbehave_at_random(self, *, seed: str, rate: float, faults: list[Any]) -> None:
        self._ask("POST", "/faults/random", {"seed": seed, "rate": rate, "faults": faults})

    def behave(self) -> None:
        """Forget every fault."""
        self._ask("DELETE", "/faults")

    def decide_face(self, reference: str, outcome: str = "passed", *, code: int | None = None) -> Told:
        return self._ask("POST", f"/faces/{reference}", {"outcome": outcome, "code": code})

    def resend(self, channel: str, number: str, *, n: int = 1, fresh: bool = False) -> None:
        self._ask("POST", f"/notices/{channel}/{number}/resend", {"n": n, "fresh": fresh})

    def stray_payment(self, channel: str, merchant: str, amount_fen: int, *, app_id: str | None = None) -> Told:
        body = {"channel": channel, "merchant": merchant, "amount_fen": amount_fen, "app_id": app_id}
        return self._ask("POST", "/stray-payments", body)

    def state(self, *, limit: int | None = None) -> Told:
        return self._ask("GET", "/state" if limit is None else f"/state?limit={limit}")

    def money(self) -> dict[str, int]:
        """What each merchant's account holds, in fen."""
        return dict(self.state(limit=0)["money"])

    def order(self, channel: str, number: str) -> Told:
        return self._ask("GET", f"/orders/{channel}/{number}")

    def messages(self) -> list[Told]:
        """Return SMS and subscribe messages, newest first."""
        return list(self._ask("GET", "/messages")["messages"])

    def sms_code(self, phone: str) -> str:
        """Read the digits in the latest SMS to this phone. Raises LookupError."""
        for message in self.messages():
            if message["kind"] == "sms" and message["receiver"] == phone and "code" in message["content"]["values"]:
                return str(message["content"]["values"]["code"])
        raise LookupError("no code was sent to this phone")

    def allow_messages(self, subject: str, template: str, *, left: int) -> None:
        self._ask("POST", "/message-quotas", {"subject": subject, "template": template, "left": left})

    def subscribe(self, subject: str, choices: dict[str, str], *, where: str = "popup", written: str = "json") -> None:
        """Answer wx.requestSubscribeMessage as this user, or (where="settings") change it there: template → accept, reject or ban.

        At Alipay my.requestSubscribeMessage: template → accept (one message), always (a long-term one) or reject.
        """
        self._ask("POST", "/subscriptions", {"subject": subject, "choices": choices, "where": where, "written": written})

    def banks_work(self, unit: str | None = None, *, file_fault: str | None = None) -> Told:
        """Let the banks (or one unit's) work through their folders now: {taken, refused, written}."""
        return self._ask("POST", "/banks/work", {"unit": unit, "file_fault": file_fault})

    def bank_account(self, card: str, *, state: str = "", balance_fen: int | None = None) -> None:
        """From now on this card answers so; without either it is well again."""
        self._ask("POST", "/banks/accounts", {"card": card, "state": state, "balance_fen": balance_fen})

    def banks_misbehave_at_random(self, *, seed: str, rate: float) -> None:
        self._ask("POST", "/banks/random", {"seed": seed, "rate": rate})

    def bank_lines(self, unit: str | None = None) -> list[Told]:
        """What the banks' own ledger says of each debit."""
        return list(self._ask("GET", "/banks/lines" if unit is None else f"/banks/lines?unit={unit}")["lines"])

    def make_bills_at_once(self, *, wanted: bool = True) -> None:
        """Let a day's bill be asked for before the next morning."""
        self._ask("POST", "/bills-at-once", {"wanted": wanted})

    def keep_fees(self, account: str, rate: int) -> None:
        """Of a WeChat Pay merchant: what is kept of each payment, in ten-thousandths."""
        self._ask("POST", "/fees", {"account": account, "rate": rate})

    def set_clock(self, now: str | None, *, deliver: bool = False) -> Told:
        """Put the clock by hand, as 2026-10-01T08:00:00+08:00, or with None let it go; `deliver` waits until what is due was tried."""
        return self._ask("POST", "/clock", {"now": now, "deliver": deliver})

    def reset(self) -> None:
        self._ask("POST", "/reset", {})

    def wait_until_delivered(self, *, timeout_seconds: float = 10.0) -> bool:
        """Wait until no notice is due any more."""
        until = time.monotonic() + timeout_seconds
        while self.state(limit=0)["pending_notices"]:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def tax_list(
        self, authority: str, day: str, *, months: list[Told] | None = None, faults: Told | None = None, seed: str = ""
    ) -> Told:
        """The tax authority hears of these months and puts the day's list into its folder; again, it writes that day's list anew."""
        body = {"authority": authority, "day": day, "months": months or [], "faults": faults or {}, "seed": seed}
        return self._ask("POST", "/tax-list", body)

    def registrar_list(self, authority: str, day: str, *, faults: Told | None = None, seed: str = "") -> Told:
        """The registrar answers what the lists had until now."""
        return self._ask("POST", "/registrar-list", {"authority": authority, "day": day, "faults": faults or {}, "seed": seed})

    def treasury(self) -> dict[str, int]:
        """What each tax authority's lists had, in fen."""
        return self._ask("GET", "/treasury")
