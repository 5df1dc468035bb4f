"""A bank whose counters take contributions: it signs its own requests, keeps its own ledger, and pays out what Canbao asks for.

Driven by the control API. The ledger says what is in the drawer, whatever Canbao was told or answered.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests
from flask import Blueprint, Response, jsonify

from sandbox import orders, users
from sandbox.control import BadOrderError, asked, complain, guard, needed
from sandbox.core import digits, rfc3339
from sandbox.keys import sign, verifies

if TYPE_CHECKING:
    from sandbox.core import Core
    from sandbox.world import CounterBank

CHANNEL = "bank_counter"
PATIENCE_SECONDS = 10
OK = 200
SKEWED_SECONDS = 301
FAULTS = {"forged", "replayed", "skewed", "duplicate", "unanswered", "lost"}
Told = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    body: Told
    signed: bool
    """By Canbao, as the answer to this very request."""

    @property
    def told(self) -> Told:
        return {"status": self.status, "body": self.body, "signed": self.signed}


@dataclass(frozen=True, kw_only=True)
class Line:
    """This bank's way to Canbao."""

    core: Core
    bank: CounterBank

    def call(
        self, method: str, what: str, body: Told | None = None, *, fault: str = "", skew: float = 0, nonce: str = ""
    ) -> Answer:
        """Sign and send one request, and check whose answer it is."""
        path = f"/webhooks/bank-counters/{self.bank.code}{what}"
        raw = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        nonce, stamp = nonce or secrets.token_hex(16), str(int(self.core.now() + skew))
        text = f"{method}\n{path}\n{stamp}\n{nonce}\n".encode() + raw + (b"0" if fault == "forged" else b"")
        headers = {
            "Content-Type": "application/json",
            "Canbao-Key": self.bank.key_id,
            "Canbao-Timestamp": stamp,
            "Canbao-Nonce": nonce,
            "Canbao-Signature": sign(self.core.keys.counters.banks[self.bank.code], text),
        }
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                method,
                self.core.letterbox_url + path,
                data=raw,
                headers=headers,
                timeout=PATIENCE_SECONDS,
                allow_redirects=False,
            )
        told = answer.headers
        signed_text = f"{answer.status_code}\n{path}\n{told.get('Canbao-Timestamp')}\n{nonce}\n".encode() + answer.content
        is_theirs = told.get("Canbao-Nonce") == nonce and verifies(
            self.core.keys.counters.canbao, signed_text, told.get("Canbao-Signature", "")
        )
        return Answer(status=answer.status_code, body=answer.json(), signed=is_theirs)


def take_money(core: Core, bank: CounterBank, given: Told) -> Told:
    """Report what somebody pays; it is in the drawer once Canbao took the report, or in any case where it cannot be undone."""
    fault = str(given.get("fault") or "")
    if fault and fault not in FAULTS:
        raise BadOrderError(f"fault must be one of {', '.join(sorted(FAULTS))}")
    serial = str(given.get("serial") or f"{bank.account[:3]}{digits(17)}")
    report = {
        "serial": serial,
        "name": needed(given, "name"),
        "id_number": needed(given, "id_number"),
        "bill_nos": given.get("bill_nos"),
        "amount_fen": given.get("amount_fen"),
        "means": str(given.get("means") or "CASH"),
        "site": str(given.get("site") or "0001"),
        "taken_at": str(given.get("taken_at") or rfc3339(core.now())),
    }
    if given.get("money_taken"):
        report["money_taken"] = True
    line = Line(core=core, bank=bank)
    if fault == "lost":
        _keep(core, bank, report)
        return {"serial": serial, "taken_fen": report["amount_fen"], "status": 0, "body": {}, "signed": False}
    if fault in ("forged", "skewed"):
        refused = line.call("POST", "/payments", report, fault=fault, skew=SKEWED_SECONDS if fault == "skewed" else 0)
        if refused.status == OK:
            raise BadOrderError(f"a {fault} report was taken")
    nonce = secrets.token_hex(16)
    answer = line.call("POST", "/payments", report, nonce=nonce)
    if fault == "replayed" and line.call("POST", "/payments", report, nonce=nonce).status == OK:
        raise BadOrderError("a replayed report was taken")
    if fault == "unanswered":
        line.call("GET", f"/payments/{serial}")
    if fault in ("duplicate", "unanswered"):
        answer = line.call("POST", "/payments", report)
    if answer.status == OK or report.get("money_taken"):
        _keep(core, bank, report)
    return {"serial": serial, "taken_fen": report["amount_fen"] if answer.status == OK else 0, **answer.told}


def _keep(core: Core, bank: CounterBank, report: Told) -> None:
    """Into the drawer, once for each serial."""
    now = core.now()
    with core.store.transaction() as db:
        _, order = orders.place(
            core.store,
            channel=CHANNEL,
            merchant=bank.account,
            out_trade_no=report["serial"],
            app_id=bank.code,
            amount_fen=int(report["amount_fen"]),
            payer=None,
            description=f"柜面{report['means']}",
            notify_url="",
            request=orders.canonical({"serial": report["serial"]}),
            now=now,
            expires_at=now,
        )
        orders.mark_paid(
            db, order, paid_fen=order.amount_fen, currency="CNY", charset="utf-8", key_kind="counter", finished=False, now=now
        )


def pay_out(core: Core, bank: CounterBank, result: str) -> list[Told]:
    """Fetch what goes back, give it back, and tell so."""
    line = Line(core=core, bank=bank)
    done = []
    for each in line.call("GET", "/refunds").body.get("refunds", []):
        order = orders.find(core.store, CHANNEL, bank.account, each["serial"])
        if order is None:
            raise BadOrderError(f"no money was taken under {each['serial']}")
        known = orders.find_refund(core.store, *order.key, each["refund_no"])
        if known is None and result == "PAID_OUT":
            if each["amount_fen"] > orders.refundable_fen(core.store, order):
                raise BadOrderError("more is asked back than was taken")
            with core.store.transaction() as db:
                kept = orders.keep_refund(
                    core.store, order, out_refund_no=each["refund_no"], amount_fen=each["amount_fen"], reason=each["reason"],
                    notify_url=None, request="{}", now=core.now(),
                )  # fmt: skip
                orders.settle_refund(db, kept, state="SUCCESS", now=core.now())
        told = {
            "result": result, "serial": f"OUT{each['refund_no']}", "amount_fen": each["amount_fen"], "at": rfc3339(core.now()),
        }  # fmt: skip
        done.append({**each, **line.call("POST", f"/refunds/{each['refund_no']}/results", told).told})
    return done


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("counters", __name__, url_prefix="/_sandbox/counters/<bank>")
    door.before_request(guard)
    for kind in (LookupError, ValueError, TypeError):
        door.register_error_handler(kind, complain)

    def line_of(code: str) -> Line:
        known = core.world.counter_banks.get(code)
        if known is None:
            raise users.UnknownError(f"no bank {code}")
        return Line(core=core, bank=known)

    @door.post("/queries")
    def query(bank: str) -> Response:
        given = asked()
        body = {name: given[name] for name in ("name", "id_number", "voucher_no") if given.get(name)}
        return jsonify(line_of(bank).call("POST", "/queries", body).told)

    @door.post("/payments")
    def pay(bank: str) -> tuple[Response, int]:
        return jsonify(take_money(core, line_of(bank).bank, asked())), 201

    @door.post("/questions")
    def question(bank: str) -> Response:
        return jsonify(line_of(bank).call("GET", f"/payments/{needed(asked(), 'serial')}").told)

    @door.post("/pay-outs")
    def pay_outs(bank: str) -> Response:
        return jsonify(refunds=pay_out(core, line_of(bank).bank, str(asked().get("result") or "PAID_OUT")))

    return door
