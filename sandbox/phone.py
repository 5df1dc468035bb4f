"""A little phone: drives Canbao's public API over HTTP as a mini-program would, and its platform's cashier with it."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from sandbox.remote import Sandbox

Told = dict[str, Any]
PURPOSES = ("REAL_NAME", "FACE", "PROXY_PAYMENT")
META_INFO = '{"apdidToken":"sandbox","appName":"changzhou-hrss-app","deviceType":"ios","osVersion":"19.0"}'
LAUNCH_REFERENCES = ("verifyId", "certifyId", "verify_id", "certify_id")


class PhoneRefusedError(RuntimeError):
    """Canbao said no; `code` is for machines, the text for people, `status` and `request_id` for whoever looks."""

    def __init__(self, status: int, told: Told) -> None:
        self.status = status
        self.code = str(told.get("code") or f"HTTP_{status}")
        self.title = str(told.get("title") or "")
        self.detail = str(told.get("detail") or "")
        self.request_id = str(told.get("request_id") or "")
        self.problem = told
        super().__init__(f"{status} {self.code}: {self.title} {self.detail}".strip())


class Phone:
    """One person's phone with one mini-program open."""

    def __init__(
        self,
        canbao_url: str,
        sandbox: Sandbox,
        *,
        miniprogram: str,
        app_id: str,
        platform: str,
        user_id: str,
        timeout_seconds: float = 30.0,
    ) -> None:
        self.base = f"{canbao_url.rstrip('/')}/api/v1"
        self.sandbox = sandbox
        self.miniprogram = miniprogram
        self.app_id = app_id
        self.platform = platform
        self.user_id = user_id
        self.token: str | None = None
        self._launches: dict[str, Told] = {}
        self._timeout_seconds = timeout_seconds
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        self._session.close()

    def ask(self, method: str, path: str, body: Told | None = None, *, key: str | None = None) -> Told:
        """Call the API; a POST carries a fresh Idempotency-Key unless one is given. Raises PhoneRefusedError."""
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if method == "POST":
            headers["Idempotency-Key"] = key or str(uuid.uuid4())
        answer = self._session.request(
            method, self.base + path, json=body, headers=headers, timeout=self._timeout_seconds, allow_redirects=False
        )
        try:
            told = answer.json() if answer.content else {}
        except ValueError:
            told = {"detail": answer.text[:200]}
        if not answer.ok or not isinstance(told, dict):
            raise PhoneRefusedError(answer.status_code, told if isinstance(told, dict) else {})
        return told

    def photograph(self, application_id: str, kind: str, picture: bytes) -> Told:
        """Take a picture of a paper and put it with an application."""
        answer = self._session.put(
            f"{self.base}/applications/{application_id}/documents/{kind}",
            data=picture,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "image/jpeg"},
            timeout=self._timeout_seconds,
            allow_redirects=False,
        )
        told = answer.json() if answer.content else {}
        if not answer.ok:
            raise PhoneRefusedError(answer.status_code, told)
        return dict(told)

    def download(self, path: str) -> bytes:
        """Fetch a file, as wx.downloadFile does: the token goes in a header."""
        answer = self._session.get(
            self.base + path,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=self._timeout_seconds,
            allow_redirects=False,
        )
        if not answer.ok:
            raise PhoneRefusedError(answer.status_code, dict(answer.json()))
        return answer.content

    def sign_in(self) -> Told:
        """Do wx.login or my.getAuthCode, then open a session."""
        code = self.sandbox.make_code(self.app_id, self.user_id)
        told = self.ask("POST", "/sessions", {"miniprogram": self.miniprogram, "code": code})
        self.token = str(told["token"])
        return told

    def ask_for_code(self, number: str) -> Told:
        """In the app: have a code sent to this number."""
        return self.ask("POST", "/sms-codes", {"miniprogram": self.miniprogram, "phone": number})

    def enter(self, number: str, *, register: bool = False) -> Told:
        """In the app: read the latest SMS, and sign in with its digits, or register."""
        given = {"miniprogram": self.miniprogram, "phone": number, "sms_code": self.sandbox.sms_code(number)}
        told = self.ask("POST", "/accounts" if register else "/sessions", given)
        self.token = str(told["token"])
        return told

    def give_phone(self) -> Told:
        """In a mini-program: press the platform's phone-number button, and bring what it gave."""
        return self.ask("POST", "/me/phone", self.sandbox.press_phone_button(self.app_id, self.user_id))

    def me(self) -> Told:
        return self.ask("GET", "/me")

    def consent_to(self, *purposes: str) -> list[Told]:
        """Agree to the newest text of each purpose, having read it; none named means all that a payer meets."""
        wanted = purposes or PURPOSES
        offered = {each["purpose"]: each for each in self.ask("GET", "/notices")["notices"]}
        return [
            self.ask("POST", "/consents", {name: offered[purpose][name] for name in ("purpose", "version", "text_hash")})
            for purpose in wanted
            if purpose in offered
        ]

    def read(self, *purposes: str, seconds: float) -> list[Told]:
        """Open texts that ask to be read, stay with them for so long, and agree."""
        offered = {each["purpose"]: each for each in self.ask("GET", "/notices")["notices"]}
        for purpose in purposes:
            text = {name: offered[purpose][name] for name in ("purpose", "version", "text_hash")}
            self.ask("POST", "/notices/readings", text)
        time.sleep(seconds)
        return self.consent_to(*purposes)

    def prove_name(self, name: str, id_number: str, phone: str | None = None) -> Told:
        body = {"name": name, "id_number": id_number} | ({"phone": phone} if phone else {})
        return self.ask("POST", "/identity/real-name", body)

    def begin_face(self) -> Told:
        """Begin a face check; the app says what its face SDK knows of the device."""
        return self.ask("POST", "/identity/face-checks", {"device": META_INFO} if self.platform == "app" else {})

    def show_face(self, begun: Told, outcome: str = "passed", *, code: int | None = None) -> None:
        """Stand before the camera (or not) as the platform's own function would have it; Canbao hears nothing of it from here."""
        launch = begun.get("launch") or {}
        reference = next((str(launch[name]) for name in LAUNCH_REFERENCES if launch.get(name)), None)
        if reference is None:
            raise PhoneRefusedError(0, {"code": "NO_LAUNCH", "title": f"the face check has nothing to launch: {begun}"})
        self.sandbox.decide_face(reference, outcome, code=code)

    def prove_face(self, outcome: str = "passed", *, code: int | None = None) -> Told:
        """Begin a face check, show the face (or not), come back and say that it is done."""
        begun = self.begin_face()
        self.show_face(begun, outcome, code=code)
        return self.ask("POST", f"/identity/face-checks/{begun['id']}/finished", {})

    def prove_bank_card(self, card_number: str, phone: str) -> Told:
        """In place of the face: a bank card of one's own, with the number the bank knows."""
        return self.ask("POST", "/identity/bank-card-checks", {"card_number": card_number, "phone": phone})

    def counter_code(self) -> Told:
        """In place of the face: a code to show at the counter."""
        return self.ask("POST", "/identity/counter-checks", {})

    def people(self) -> list[Told]:
        return list(self.ask("GET", "/insured-persons")["insured_persons"])

    def add_person(self, name: str, id_number: str, *, relation: str | None = None, keep: bool | None = None) -> Told:
        wishes = {"relation": relation, "keep": keep}
        body = {"name": name, "id_number": id_number} | {key: value for key, value in wishes.items() if value is not None}
        return self.ask("POST", "/insured-persons", body)

    def bills(self, person_id: str | int) -> list[Told]:
        return list(self.ask("GET", f"/insured-persons/{person_id}/bills")["bills"])

    def order(
        self,
        person_id: str | int,
        bill_ids: list[Any],
        *,
        expected_amount_fen: int | None = None,
        key: str | None = None,
    ) -> Told:
        """Place an order for these bills; what the screen showed is what is expected to be owed."""
        if expected_amount_fen is None:
            expected_amount_fen = sum(bill["amount_fen"] for bill in self.bills(person_id) if bill["id"] in bill_ids)
        body = {"insured_person_id": person_id, "bill_ids": bill_ids, "expected_amount_fen": expected_amount_fen}
        placed = self.ask("POST", "/payment-orders", body, key=key)
        if placed.get("launch"):
            self._launches[str(placed["order_no"])] = placed["launch"]
        return placed

    def pay(self, order: Told | str, outcome: str = "pay", *, faults: list[Told] | None = None) -> Told:
        """Open the cashier with the order's launch parameters; gives what the platform tells the mini-program."""
        order_no = order if isinstance(order, str) else str(order["order_no"])
        launch = None if isinstance(order, str) else order.get("launch")
        launch = launch or self._launches.get(order_no) or self.see_order(order_no).get("launch")
        if not launch:
            raise PhoneRefusedError(0, {"code": "NO_LAUNCH", "title": f"order {order_no} has nothing to launch"})
        cashier = self.sandbox.pay_on_wechat if self.platform == "wechat" else self.sandbox.pay_on_alipay
        return cashier(self.app_id, self.user_id, launch, outcome=outcome, faults=faults)

    def see_order(self, order_no: str) -> Told:
        return self.ask("GET", f"/payment-orders/{order_no}")

    def wait_until(self, order_no: str, state: str | set[str], *, timeout_seconds: float = 20.0) -> Told:
        """Look at the order until it is in this state. Raises TimeoutError with what it was last."""
        wanted = {state} if isinstance(state, str) else state
        until = time.monotonic() + timeout_seconds
        while (seen := self.see_order(order_no))["state"] not in wanted:
            if time.monotonic() > until:
                raise TimeoutError(f"order {order_no} is still {seen['state']}, not {' or '.join(sorted(wanted))}")
            time.sleep(0.2)
        return seen

    def cancel(self, order_no: str) -> Told:
        return self.ask("POST", f"/payment-orders/{order_no}/cancel", {})
