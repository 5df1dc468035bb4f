"""Canbao's books beside the providers' money: the page turns green when every account agrees to the fen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from flask import Blueprint, Response, jsonify

from sandbox import orders
from sandbox.control import guard

if TYPE_CHECKING:
    from sandbox.core import Core

Told = dict[str, Any]
TIMEOUT_SECONDS = 3


def money(core: Core) -> dict[str, int]:
    """Every merchant account there is, and what the provider holds in it, in fen."""
    held = {f"wechat_pay:{mchid}": 0 for mchid in core.world.wechat_merchants}
    held |= {f"alipay:{seller}": 0 for seller in core.world.sellers} | core.banks.money()
    held |= {f"unionpay_pos:{mer_id}": 0 for mer_id in core.world.unionpay_merchants}
    return held | {f"bank_counter:{bank.account}": 0 for bank in core.world.counter_banks.values()} | orders.money(core.store)


def compare(core: Core) -> Told:
    """Canbao's clearing accounts beside what the providers really hold."""
    held = money(core)
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"{core.canbao_url}/sandbox/journal", timeout=TIMEOUT_SECONDS)
        books = answer.json() if answer.ok else None
    except (requests.RequestException, ValueError):
        books = None
    if not isinstance(books, dict):
        return {"reached": False, "agreed": False, "rows": [], "accounts": [], "transfers": [], "money": held}
    booked = {each["account"]: each["balance_fen"] for each in books.get("accounts", [])}
    rows = [
        {"account": account, "sandbox_fen": fen, "canbao_fen": booked.get(f"clearing:{account}", 0)}
        for account, fen in sorted(held.items())
    ]
    return {
        "reached": True,
        "agreed": all(row["sandbox_fen"] == row["canbao_fen"] for row in rows),
        "rows": rows,
        "accounts": books.get("accounts", []),
        "transfers": books.get("transfers", []),
        "money": held,
    }


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("books", __name__, url_prefix="/_sandbox")
    door.before_request(guard)

    @door.get("/journal")
    def show_journal() -> Response:
        return jsonify(compare(core))

    return door
