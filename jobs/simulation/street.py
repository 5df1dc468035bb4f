"""The sandbox across the street, over HTTP: what people do at their phones, what goes wrong, and the providers' own ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    Told = dict[str, Any]

ANSWERS_WITHIN_SECONDS = 90.0
OWN_NUMBERS = frozenset({"bank_counter", "slip"})
"""Channels whose money has no other number than the one that its bank gave it."""


class StreetFault(Exception):
    """The sandbox could not do what it was asked; the sentence says what."""


class Street:
    """One sandbox. Whoever is done with it closes it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        self._session.close()

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Told:
        """Raises StreetFault."""
        try:
            answer = self._session.request(method, f"{self.url}/_sandbox{path}", json=body, timeout=ANSWERS_WITHIN_SECONDS)
            told = answer.json()
        except (requests.RequestException, ValueError) as fault:
            raise StreetFault(f"{method} {path}: {type(fault).__name__}") from None
        if not answer.ok or not isinstance(told, dict):
            raise StreetFault(f"{method} {path}: {answer.status_code} {told}")
        return told

    def put_clock(self, now: datetime) -> None:
        """Set its clock, and wait until all that is due by then was delivered, or refused. Raises StreetFault."""
        told = self.ask("POST", "/clock", {"now": now.isoformat(), "deliver": True})
        if told["undelivered"]:
            raise StreetFault(f"{told['undelivered']} notices are stuck at {now.isoformat()}")

    def keep_fees(self, account: str, rate: int) -> None:
        """A provider keeps some of each payment for its work; `rate` in ten-thousandths."""
        self.ask("POST", "/fees", {"account": account, "rate": rate})

    def make_user(self, app_id: str, *, real_name: Mapping[str, str] | None = None) -> str:
        return str(self.ask("POST", "/users", {"app_id": app_id, "real_name": real_name})["user_id"])

    def make_code(self, app_id: str, user_id: str) -> str:
        return str(self.ask("POST", "/codes", {"app_id": app_id, "user_id": user_id})["code"])

    def register(self, *, name: str, id_number: str, phone: str, bank_card: str) -> None:
        """Make a person known to police and banks."""
        self.ask("POST", "/people", {"name": name, "id_number": id_number, "phone": phone, "bank_card": bank_card})

    def show_face(self, reference: str) -> None:
        self.ask("POST", f"/faces/{reference}", {"outcome": "passed"})

    def open_cashier(
        self, platform: str, app_id: str, user_id: str, launch: Mapping[str, str], *, faults: Sequence[Told] = ()
    ) -> bool:
        """Do as wx.requestPayment or my.tradePay; whether the money was taken."""
        if platform == "wechat":
            body = {"app_id": app_id, "user_id": user_id, "faults": list(faults), **launch}
            return bool(self.ask("POST", "/wechat/cashier", body)["errMsg"] == "requestPayment:ok")
        body = {"app_id": app_id, "user_id": user_id, "faults": list(faults), "tradeNO": launch["tradeNO"]}
        return bool(self.ask("POST", "/alipay/cashier", body)["resultCode"] == "9000")

    def put_card_in(
        self, merchant: str, number: str, amount_fen: int, *, outcome: str = "pay", faults: Sequence[Told] = ()
    ) -> bool:
        """At a terminal, under the number that the clerk typed; whether the money was taken."""
        body = {"merchant": merchant, "order_no": number, "amount_fen": amount_fen, "outcome": outcome, "faults": list(faults)}
        return bool(self.ask("POST", "/pos/payments", body)["paid"])

    def misbehave(self, target: str, fault: str, value: object = None, *, operation: str = "") -> None:
        """Ask for one fault, once: `target` is a payment's number or `app:{app_id}`."""
        body = {"target": target, "fault": fault, "value": value, "times": 1, "operation": operation}
        self.ask("POST", "/faults", body)

    def refund_at_portal(self, channel: str, number: str) -> None:
        """Somebody of ours at the merchant's portal sends back all that is left of a payment."""
        self.ask("POST", f"/orders/{channel}/{number}/refunds", {})

    def end_refund(self, channel: str, refund_no: str, state: str) -> None:
        """The provider ends a refund that takes its time: SUCCESS, ABNORMAL or CLOSED."""
        self.ask("POST", f"/refunds/{channel}/{refund_no}/settle", {"state": state})

    def stray_payment(self, channel: str, merchant: str, amount_fen: int) -> Told:
        return self.ask("POST", "/stray-payments", {"channel": channel, "merchant": merchant, "amount_fen": amount_fen})

    def bank_account(self, card: str, state: str) -> None:
        """How a bank answers to debits of this card from now on; an empty state: as to anybody's."""
        self.ask("POST", "/banks/accounts", {"card": card, "state": state})

    def let_banks_work(self, file_fault: str | None = None) -> None:
        """Every bank takes what lies in its folder, and writes what it has to tell."""
        self.ask("POST", "/banks/work", {"file_fault": file_fault})

    def ledger(self) -> Told:
        """Every order of every provider, every line that a bank debited, and what each merchant account holds."""
        told = self.ask("GET", "/state")
        debited = [
            {
                "channel": "bank_debit",
                "merchant": line["unit"],
                "provider_no": line["serial"],
                "paid_fen": line["amount_fen"],
                "refunded_fen": line["refunded_fen"],
                "currency": "CNY",
            }
            for line in self.ask("GET", "/banks/lines")["lines"]
            if line["taken"]
        ]
        orders = [
            {**order, "provider_no": order["out_trade_no"]} if order["channel"] in OWN_NUMBERS else order
            for order in told["orders"]
        ]
        return {**told, "orders": orders + debited, "treasury": self.ask("GET", "/treasury")}
