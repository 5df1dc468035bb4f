"""Misbehaviour on request: which fault is asked for which order or app, how often still, and what it carries."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.store import Db, Store

PAYMENT_FAULTS = frozenset(
    {
        "late",
        "duplicate",
        "parallel",
        "lost",
        "forged",
        "signtest",
        "wrong_amount",
        "wrong_currency",
        "wrong_app",
        "wrong_merchant",
        "stale",
        "refund_before_success",
        "finished_first",
        "closed_notice",
        "gbk",
        "certificate_key",
        "wrong_chain",
    }
)
"""These bend what follows a payment: they are looked up once, when the payer pays."""

REFUND_FAULTS = frozenset({"refund_pending", "refund_abnormal"})

PUSH_FAULTS = frozenset({"duplicate", "forged", "stale", "plain"})
"""These bend what WeChat pushes about its users: looked up by app, as the operation wechat.message_push."""

FACE_FAULTS = frozenset({"early", "late", "duplicate", "lost"})
"""These bend Alibaba Cloud's callback about a face: `early` when the check is opened, the others when it is completed."""

ANY_ANSWER = frozenset({"slow", "server_error", "timeout_after_success", "rate_limited"})
TOKEN_FAULTS = frozenset({"token_expired_once", "token_expired_forever"})
WECHAT_ANSWER = ANY_ANSWER | {"system_busy"}
WECHAT_PAY_ANSWER = ANY_ANSWER | {"signtest_response", "bad_signature_response", "brace_in_string"}
ALIPAY_ANSWER = ANY_ANSWER | {"gbk_error", "brace_in_string", "code_20000", "system_busy", "bad_signature_response"}
UNIONPAY_ANSWER = ANY_ANSWER | {"in_doubt", "bad_signature_response"}
RESPONSE_FAULTS = WECHAT_ANSWER | TOKEN_FAULTS | WECHAT_PAY_ANSWER | ALIPAY_ANSWER | UNIONPAY_ANSWER
"""These bend the answer to one request of the merchant; each door looks up, and uses up, only those it can play."""

KNOWN = PAYMENT_FAULTS | REFUND_FAULTS | FACE_FAULTS | PUSH_FAULTS | RESPONSE_FAULTS

Found = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a request or a payment is about, as faults name it."""

    app_id: str
    order_no: str = ""
    operation: str = ""

    @property
    def names(self) -> tuple[str, str, str]:
        return ("*", f"app:{self.app_id}", self.order_no or "*")


class UnknownFaultError(ValueError):
    """No fault has this name."""


def ask_for(store: Store, *, target: str, fault: str, value: Any = None, times: int | None = None, operation: str = "") -> int:
    """Remember a wish for misbehaviour; returns its number."""
    if fault not in KNOWN:
        raise UnknownFaultError(f"no fault is called {fault!r}; known are {', '.join(sorted(KNOWN))}")
    if fault == "token_expired_once" and times is None:
        times = 1
    with store.transaction() as db:
        made = db.execute(
            "INSERT INTO faults (target, fault, value, operation, times_left) VALUES (?, ?, ?, ?, ?)",
            (target, fault, json.dumps(value), operation, times),
        )
        return int(made.lastrowid or 0)


def ask_at_random(store: Store, *, seed: str, rate: float, faults: list[Any]) -> None:
    """From now on, about `rate` of all orders get one of these faults, always the same for the same seed and number."""
    wanted = [{"fault": each, "value": None} if isinstance(each, str) else dict(each) for each in faults]
    for each in wanted:
        if each.get("fault") not in KNOWN:
            raise UnknownFaultError(f"no fault is called {each.get('fault')!r}")
    store.keep_setting("random_faults", {"seed": seed, "rate": rate, "faults": wanted})


def forget_all(store: Store) -> None:
    with store.transaction() as db:
        db.execute("DELETE FROM faults")
        db.execute("DELETE FROM random_faults_spent")
        db.execute("DELETE FROM settings WHERE name = 'random_faults'")


def listed(store: Store) -> list[dict[str, Any]]:
    return [
        {
            "id": row["id"],
            "target": row["target"],
            "fault": row["fault"],
            "value": json.loads(row["value"]),
            "operation": row["operation"],
            "times_left": row["times_left"],
        }
        for row in store.rows("SELECT * FROM faults ORDER BY id")
    ]


def take(store: Store, wanted: frozenset[str], target: Target) -> Found:
    """Return the faults of these kinds that apply now, and use them up by one."""
    if store.row("SELECT 1 FROM faults UNION ALL SELECT 1 FROM settings WHERE name = 'random_faults' LIMIT 1") is None:
        return {}
    with store.transaction() as db:
        found: Found = {}
        rows = db.execute(
            "SELECT * FROM faults WHERE target IN (?, ?, ?) AND (times_left IS NULL OR times_left > 0) ORDER BY id",
            target.names,
        ).fetchall()
        for row in rows:
            if row["fault"] not in wanted or row["operation"] not in target.operation:
                continue
            found[row["fault"]] = json.loads(row["value"])
            if row["times_left"] is not None:
                db.execute("UPDATE faults SET times_left = times_left - 1 WHERE id = ?", (row["id"],))
        if target.order_no:
            found |= _by_chance(db, wanted, target)
        return found


def _by_chance(db: Db, wanted: frozenset[str], target: Target) -> Found:
    kept = db.execute("SELECT value FROM settings WHERE name = 'random_faults'").fetchone()
    if kept is None:
        return {}
    rule = json.loads(kept["value"])
    dice = random.Random(f"{rule['seed']}:{target.order_no}")
    if not rule["faults"] or dice.random() >= rule["rate"]:
        return {}
    chosen = dice.choice(rule["faults"])
    if chosen["fault"] not in wanted:
        return {}
    spent = db.execute("INSERT OR IGNORE INTO random_faults_spent VALUES (?, ?)", (target.order_no, chosen["fault"])).rowcount
    return {chosen["fault"]: chosen.get("value")} if spent else {}


def seconds(value: Any, default: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def count(value: Any, default: int) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else default
