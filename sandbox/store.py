"""The sandbox's memory: one SQLite file, so that orders, money and waiting notices outlive the process."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    user_id TEXT PRIMARY KEY, app_id TEXT NOT NULL, platform TEXT NOT NULL, subject TEXT NOT NULL UNIQUE,
    label TEXT NOT NULL, real_name TEXT, id_number TEXT, phone TEXT, session_key TEXT, created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS codes (
    code TEXT PRIMARY KEY, kind TEXT NOT NULL, app_id TEXT NOT NULL, user_id TEXT NOT NULL,
    expires_at REAL NOT NULL, used_at REAL);
CREATE TABLE IF NOT EXISTS tokens (
    token TEXT PRIMARY KEY, kind TEXT NOT NULL, app_id TEXT NOT NULL, user_id TEXT, expires_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS people (
    id_number TEXT PRIMARY KEY, name TEXT NOT NULL, phone TEXT, bank_card TEXT);
CREATE TABLE IF NOT EXISTS orders (
    channel TEXT NOT NULL, merchant TEXT NOT NULL, out_trade_no TEXT NOT NULL, app_id TEXT NOT NULL,
    provider_no TEXT NOT NULL UNIQUE, state TEXT NOT NULL, amount_fen INTEGER NOT NULL,
    paid_fen INTEGER NOT NULL DEFAULT 0, refunded_fen INTEGER NOT NULL DEFAULT 0,
    currency TEXT NOT NULL DEFAULT 'CNY', payer TEXT, description TEXT NOT NULL, notify_url TEXT NOT NULL,
    attach TEXT, charset TEXT NOT NULL DEFAULT 'utf-8', request TEXT NOT NULL, created_at REAL NOT NULL,
    expires_at REAL NOT NULL, paid_at REAL, closed_at REAL, finished INTEGER NOT NULL DEFAULT 0,
    key_kind TEXT NOT NULL DEFAULT 'public_key', PRIMARY KEY (channel, merchant, out_trade_no));
CREATE INDEX IF NOT EXISTS orders_by_number ON orders (out_trade_no);
CREATE INDEX IF NOT EXISTS orders_by_age ON orders (created_at);
CREATE TABLE IF NOT EXISTS prepays (
    prepay_id TEXT PRIMARY KEY, merchant TEXT NOT NULL, out_trade_no TEXT NOT NULL, created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS refunds (
    channel TEXT NOT NULL, merchant TEXT NOT NULL, out_trade_no TEXT NOT NULL, out_refund_no TEXT NOT NULL,
    refund_id TEXT NOT NULL, amount_fen INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT, notify_url TEXT,
    request TEXT NOT NULL, created_at REAL NOT NULL, settled_at REAL,
    PRIMARY KEY (channel, merchant, out_trade_no, out_refund_no));
CREATE INDEX IF NOT EXISTS refunds_by_number ON refunds (merchant, out_refund_no);
CREATE TABLE IF NOT EXISTS notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, merchant TEXT NOT NULL, out_trade_no TEXT NOT NULL,
    app_id TEXT NOT NULL, event TEXT NOT NULL, notification_id TEXT NOT NULL, url TEXT NOT NULL,
    content TEXT NOT NULL, mode TEXT NOT NULL, key_kind TEXT NOT NULL, charset TEXT NOT NULL, due_at REAL NOT NULL,
    leased INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'pending',
    last_status TEXT, after_id INTEGER, created_at REAL NOT NULL, last_at REAL);
CREATE INDEX IF NOT EXISTS notices_due ON notices (due_at) WHERE state = 'pending' AND leased = 0;
CREATE INDEX IF NOT EXISTS notices_by_order ON notices (channel, out_trade_no);
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, fault TEXT NOT NULL, value TEXT NOT NULL,
    operation TEXT NOT NULL, times_left INTEGER);
CREATE TABLE IF NOT EXISTS random_faults_spent (out_trade_no TEXT NOT NULL, fault TEXT NOT NULL,
    PRIMARY KEY (out_trade_no, fault));
CREATE TABLE IF NOT EXISTS faces (
    reference TEXT PRIMARY KEY, kind TEXT NOT NULL, app_id TEXT NOT NULL, order_no TEXT NOT NULL, subject TEXT,
    name TEXT NOT NULL, id_number TEXT NOT NULL, outcome TEXT, code INTEGER, callback_url TEXT, callback_token TEXT,
    scene_id TEXT, created_at REAL NOT NULL, expires_at REAL NOT NULL, UNIQUE (kind, app_id, order_no));
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, receiver TEXT NOT NULL, template TEXT NOT NULL,
    content TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS message_quotas (
    subject TEXT NOT NULL, template TEXT NOT NULL, left INTEGER NOT NULL, PRIMARY KEY (subject, template));
CREATE TABLE IF NOT EXISTS bill_files (
    token TEXT PRIMARY KEY, merchant TEXT NOT NULL, content BLOB NOT NULL, expires_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS bank_accounts (card TEXT PRIMARY KEY, state TEXT NOT NULL, balance_fen INTEGER);
CREATE TABLE IF NOT EXISTS bank_lines (
    unit TEXT NOT NULL, date TEXT NOT NULL, batch INTEGER NOT NULL, seq INTEGER NOT NULL, memo TEXT NOT NULL, card TEXT NOT NULL,
    amount_fen INTEGER NOT NULL, code TEXT NOT NULL, taken INTEGER NOT NULL, serial TEXT NOT NULL, booked_on TEXT NOT NULL,
    told INTEGER NOT NULL, PRIMARY KEY (unit, date, batch, seq));
CREATE INDEX IF NOT EXISTS bank_lines_untold ON bank_lines (unit) WHERE told = 0;
CREATE TABLE IF NOT EXISTS bank_parts (
    unit TEXT NOT NULL, date TEXT NOT NULL, batch INTEGER NOT NULL, part INTEGER NOT NULL, PRIMARY KEY (unit, date, batch));
CREATE TABLE IF NOT EXISTS bank_payouts (
    refund_no TEXT PRIMARY KEY, unit TEXT NOT NULL, paid_serial TEXT NOT NULL, memo TEXT NOT NULL, amount_fen INTEGER NOT NULL,
    code TEXT NOT NULL, booked_on TEXT NOT NULL, told INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS authority_months (
    id INTEGER PRIMARY KEY AUTOINCREMENT, authority TEXT NOT NULL, id_number TEXT NOT NULL, insurance_type TEXT NOT NULL,
    coverage_month INTEGER NOT NULL, kind TEXT NOT NULL, payment_no TEXT NOT NULL, receipt_no TEXT NOT NULL UNIQUE,
    amount_fen INTEGER NOT NULL, channel TEXT NOT NULL, listed_on TEXT NOT NULL DEFAULT '', answered_on TEXT NOT NULL DEFAULT '',
    UNIQUE (authority, id_number, insurance_type, coverage_month, kind, payment_no));
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
TABLES = [
    *("users", "codes", "tokens", "people", "orders", "prepays", "refunds", "notices", "faults"),
    *("random_faults_spent", "faces", "messages", "message_quotas", "bill_files"),
    *("bank_accounts", "bank_lines", "bank_parts", "bank_payouts", "authority_months", "settings"),
]

Db = sqlite3.Connection
Row = sqlite3.Row


class Store:
    """One connection behind one lock: every transaction is alone, so that counting and paying never interleave."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(home / "sandbox.sqlite3", check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        # A crash of the process keeps every commit; only a power cut may lose the last ones, which a sandbox can bear.
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[Db]:
        """Hold the only writer's place; the block commits as a whole or leaves nothing. Never call out inside it."""
        with self._lock:
            if self._db.in_transaction:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def rows(self, sql: str, *values: object) -> list[Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> Row | None:
        with self._lock:
            found: Row | None = self._db.execute(sql, values).fetchone()
            return found

    def setting(self, name: str, default: Any = None) -> Any:
        found = self.row("SELECT value FROM settings WHERE name = ?", name)
        return default if found is None else json.loads(found["value"])

    def keep_setting(self, name: str, value: Any) -> None:
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value)))

    def reset(self) -> None:
        """Forget everything but the keys."""
        with self.transaction() as db:
            for table in TABLES:
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - the names are ours, listed above

    def close(self) -> None:
        with self._lock:
            self._db.close()
