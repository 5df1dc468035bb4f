"""Notices to the merchant: a persisted queue, a few couriers with keep-alive connections, and each provider's patience."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from sandbox.store import Db, Store

WECHAT_GAPS = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
ALIPAY_GAPS = (240, 600, 600, 3600, 7200, 21600, 54000)
UNIONPAY_GAPS = (60, 120, 240, 480, 960)
FACE_GAPS = (1, 1)
PUSH_GAPS = (5, 5)
GAPS: dict[str, tuple[int, ...]] = {
    "wechat_pay": WECHAT_GAPS,
    "alipay": ALIPAY_GAPS,
    "unionpay_pos": UNIONPAY_GAPS,
    "aliyun_face": FACE_GAPS,
    "wechat_messages": PUSH_GAPS,
}

PROBES = frozenset({"forged", "signtest", "stale", "plain", "wrong_chain"})
"""Modes that a sound merchant refuses; sent once, never retried."""

ANSWER_WITHIN_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 0.25
SHORTEST_WAIT_SECONDS = 0.01
COURIERS = 8
OK = 200


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One delivery in the queue; tries of the same event share `notification_id`."""

    id: int
    channel: str
    merchant: str
    out_trade_no: str
    app_id: str
    event: str
    notification_id: str
    url: str
    content: str
    mode: str
    key_kind: str
    charset: str
    due_at: float
    leased: int
    tries: int
    state: str
    last_status: str | None
    after_id: int | None
    created_at: float
    last_at: float | None

    @property
    def message(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.content)
        return read


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A notice made ready for one try: freshly dated and signed."""

    method: str
    body: bytes
    headers: dict[str, str]
    query: str = ""


Seal = Callable[[Notice], Letter]


def enqueue(
    db: Db,
    *,
    channel: str,
    merchant: str,
    out_trade_no: str,
    app_id: str,
    event: str,
    notification_id: str,
    url: str,
    content: dict[str, Any],
    now: float,
    due_at: float | None = None,
    mode: str = "real",
    key_kind: str = "public_key",
    charset: str = "utf-8",
    after_id: int | None = None,
) -> int:
    """Put a notice into the queue, in the caller's transaction; `after_id` names one that must be tried first."""
    made = db.execute(
        "INSERT INTO notices (channel, merchant, out_trade_no, app_id, event, notification_id, url, content, mode,"
        " key_kind, charset, due_at, after_id, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(channel, merchant, out_trade_no, app_id, event, notification_id, url),
            *(json.dumps(content, ensure_ascii=False), mode, key_kind, charset),
            *(now if due_at is None else due_at, after_id, now),
        ),
    )
    return int(made.lastrowid or 0)


class Courier:
    """Takes due notices from the queue and delivers them; what a crash interrupts is due again after a restart."""

    def __init__(
        self, store: Store, *, clock: Callable[[], float], time_scale: float, seals: dict[str, Seal] | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._time_scale = time_scale
        self._seals = seals or {}
        self._bag: queue.Queue[Notice | None] = queue.Queue()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def teach(self, channel: str, seal: Seal) -> None:
        """Say how this channel's notices are written and signed."""
        self._seals[channel] = seal

    def start(self) -> None:
        with self._store.transaction() as db:
            db.execute("UPDATE notices SET leased = 0 WHERE leased = 1")
        self._threads = [threading.Thread(target=self._carry, daemon=True, name=f"courier-{n}") for n in range(COURIERS)]
        self._threads.append(threading.Thread(target=self._dispatch, daemon=True, name="courier-desk"))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the letters in hand and leave the rest in the queue."""
        self._stopping.set()
        self._wake.set()
        for _ in range(COURIERS):
            self._bag.put(None)
        for thread in self._threads:
            thread.join(timeout=ANSWER_WITHIN_SECONDS * 2)
        self._threads = []

    def wake(self) -> None:
        self._wake.set()

    def _dispatch(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            # The bag holds little, so that what is due first also goes first, and a stop leaves little to do again.
            room = COURIERS * 2 - self._bag.qsize()
            taken = self._lease(room) if room > 0 else []
            for notice in taken:
                self._bag.put(notice)
            if not taken:
                self._wake.wait(timeout=self._idle_seconds() if room > 0 else SHORTEST_WAIT_SECONDS)

    def _idle_seconds(self) -> float:
        due = self._store.row("SELECT MIN(due_at) AS at FROM notices WHERE state = 'pending' AND leased = 0")
        if due is None or due["at"] is None:
            return LOOK_AGAIN_SECONDS
        return min(LOOK_AGAIN_SECONDS, max(SHORTEST_WAIT_SECONDS, float(due["at"]) - self._clock()))

    def _lease(self, most: int) -> list[Notice]:
        with self._store.transaction() as db:
            rows = db.execute(
                "SELECT * FROM notices AS n WHERE state = 'pending' AND leased = 0 AND due_at <= ?"
                " AND (after_id IS NULL OR EXISTS (SELECT 1 FROM notices AS p WHERE p.id = n.after_id AND p.tries > 0))"
                " ORDER BY due_at, id LIMIT ?",
                (self._clock(), most),
            ).fetchall()
            db.executemany("UPDATE notices SET leased = 1 WHERE id = ?", [(row["id"],) for row in rows])
        return [Notice(**dict(row)) for row in rows]

    def _carry(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            adapter = HTTPAdapter(pool_connections=4, pool_maxsize=4, max_retries=0)
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            while (notice := self._bag.get()) is not None:
                if self._stopping.is_set():
                    return
                self._record(notice, self._deliver(session, notice))

    def _deliver(self, session: requests.Session, notice: Notice) -> tuple[bool, str]:
        """Try once; says whether it was accepted, and the answer in a few words."""
        letter = self._seals[notice.channel](notice)
        for fresh in (False, True):
            try:
                answer = session.request(
                    letter.method,
                    f"{notice.url}?{letter.query}" if letter.query else notice.url,
                    data=letter.body,
                    headers=letter.headers,
                    timeout=(3.0, ANSWER_WITHIN_SECONDS),
                    allow_redirects=False,
                )
            except requests.Timeout:
                return False, "timeout"
            except requests.ConnectionError as error:
                # A kept-alive connection may have been closed at the other end just now: that is no refusal.
                if fresh:
                    return False, f"unreachable: {type(error).__name__}"
                continue
            except requests.RequestException as error:
                return False, f"impossible: {type(error).__name__}"
            return self._is_accepted(notice, answer), str(answer.status_code)
        raise AssertionError("unreachable")

    @staticmethod
    def _is_accepted(notice: Notice, answer: requests.Response) -> bool:
        if notice.channel == "wechat_pay":
            return answer.status_code in {200, 204}
        if notice.channel == "wechat_messages":
            return answer.status_code == OK and answer.content in {b"success", b""}
        if notice.channel == "alipay":
            return answer.status_code == OK and answer.content == b"success"
        return answer.status_code == OK

    def _record(self, notice: Notice, outcome: tuple[bool, str]) -> None:
        accepted, status = outcome
        gaps = () if notice.mode in PROBES else GAPS[notice.channel]
        now = self._clock()
        due_at = notice.due_at
        if accepted:
            state = "acked"
        elif notice.tries < len(gaps):
            state = "pending"
            due_at = now + gaps[notice.tries] * self._time_scale
        else:
            state = "refused" if notice.mode in PROBES else "gave_up"
        with self._store.transaction() as db:
            db.execute(
                "UPDATE notices SET tries = tries + 1, leased = 0, state = ?, last_status = ?, due_at = ?, last_at = ?"
                " WHERE id = ?",
                (state, status, due_at, now, notice.id),
            )


def summary_of(store: Store, channel: str, out_trade_nos: list[str]) -> dict[str, dict[str, Any]]:
    """Count each order's real notices: how often sent, how many acknowledged, how many still due, the last answer."""
    marks = ",".join("?" * len(out_trade_nos))
    sql = (
        "SELECT out_trade_no, SUM(tries) AS sent, SUM(state = 'acked') AS acked, SUM(state = 'pending') AS pending,"
        " MAX(last_at) AS last_at, last_status FROM notices WHERE channel = ? AND mode = 'real'"
        " AND out_trade_no IN (MARKS) GROUP BY out_trade_no"
    )
    rows = store.rows(sql.replace("MARKS", marks), channel, *out_trade_nos)
    return {
        row["out_trade_no"]: {
            "sent": row["sent"],
            "acked": row["acked"],
            "pending": row["pending"],
            "last_status": row["last_status"],
        }
        for row in rows
    }


def probes(store: Store) -> dict[str, dict[str, int]]:
    """Count the probes by kind: sent, and wrongly accepted (which must stay zero)."""
    rows = store.rows(
        "SELECT mode, SUM(tries) AS sent, SUM(state = 'acked') AS accepted FROM notices WHERE mode <> 'real' GROUP BY mode"
    )
    return {row["mode"]: {"sent": row["sent"], "accepted": row["accepted"]} for row in rows}


def pending(store: Store) -> int:
    row = store.row("SELECT COUNT(*) AS n FROM notices WHERE state = 'pending'")
    return int(row["n"]) if row else 0


def due(store: Store, now: float) -> int:
    """How many should have been tried by now, and were not."""
    row = store.row("SELECT COUNT(*) AS n FROM notices WHERE state = 'pending' AND due_at <= ?", now)
    return int(row["n"]) if row else 0


def next_due_at(store: Store) -> float | None:
    row = store.row("SELECT MIN(due_at) AS at FROM notices WHERE state = 'pending'")
    return None if row is None or row["at"] is None else float(row["at"])


def wait_until_tried(store: Store, clock: Callable[[], float], *, timeout_seconds: float) -> bool:
    """Wait until nothing is due by the sandbox's own clock; what was refused is due again later, and not waited for."""
    until = time.monotonic() + timeout_seconds
    while due(store, clock()):
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def wait_until_delivered(store: Store, *, timeout_seconds: float) -> bool:
    """Wait until nothing is due any more: for tests and demos."""
    until = time.monotonic() + timeout_seconds
    while pending(store):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
