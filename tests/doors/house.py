"""A house with its doors open: phones that knock, and a judge who holds every answer against the document."""

from __future__ import annotations

import hashlib
import io
import json
import re
import secrets
import uuid
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

from config.logs import set_up_logs
from config.settings import Settings
from models.accounts import AccountSession
from tests.doors import contract
from tests.doors.applications import borrowed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask
    from werkzeug.test import TestResponse

    from models.accounts import Account
    from services.ports import Ports
    from tests.conftest import MovableClock
    from tests.factories import World

API = "/api/v1"
CHINESE = re.compile("[\u4e00-\u9fff]")


@dataclass
class House:
    """One application over one database, and everything a story needs to furnish it."""

    ports: Ports
    world: World
    clock: MovableClock
    app: Flask = field(init=False)
    log: io.StringIO = field(default_factory=io.StringIO)
    doors: tuple[str, ...] = ("miniprogram_api",)
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        self.app = borrowed(self, settings=self.settings, doors=self.doors, ports=self.ports)
        # The document is made by an application too, once, and whichever is made last has the log.
        contract.the_document()
        set_up_logs(stream=self.log)

    def phone(self, account: Account | None = None) -> Phone:
        """A phone, signed in if an account is given."""
        return Phone(self, self.token(account) if account else None)

    def token(self, account: Account, *, lives: timedelta = timedelta(hours=2), revoked: bool = False) -> str:
        token, now = secrets.token_urlsafe(32), self.ports.now()
        with self.ports.begin() as session:
            session.add(
                AccountSession(
                    account_id=account.id,
                    token_hash=hashlib.sha256(token.encode()).digest(),
                    created_at=now,
                    expires_at=now + lives,
                    revoked_at=now if revoked else None,
                )
            )
        return token

    def swap_ports(self, **changes: Any) -> None:
        """Another adapter behind the same door."""
        self.ports = replace(self.ports, **changes)
        self.world.ports = self.ports
        self.app.extensions["canbao.ports"] = self.ports

    def lose_database(self) -> None:
        """Nobody listens where the database was."""
        engine = create_engine("postgresql+psycopg://canbao@127.0.0.1:1/canbao", connect_args={"connect_timeout": 2})
        self.app.extensions["canbao.ports"] = replace(self.ports, sessions=sessionmaker(engine))

    def find_database(self) -> None:
        self.app.extensions["canbao.ports"] = self.ports

    def row_counts(self) -> dict[str, int]:
        """How many rows each table has; sessions are left out, since asking makes one."""
        with self.ports.begin() as session:
            names = session.scalars(
                text(
                    "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'procrastinate%' AND tablename <> 'account_sessions'"
                )
            ).all()
            return {name: session.scalar(text(f"SELECT count(*) FROM {name}")) for name in names}  # noqa: S608 - its own names

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@dataclass
class Phone:
    """Asks as a phone would. Every answer is judged: promised status, schema and code, and the headers that all of them owe."""

    house: House
    token: str | None = None

    def get(self, path: str, **how: Any) -> TestResponse:
        return self.ask("GET", path, **how)

    def post(self, path: str, given: Any = None, **how: Any) -> TestResponse:
        return self.ask("POST", path, given, **how)

    def patch(self, path: str, given: Any = None, **how: Any) -> TestResponse:
        return self.ask("PATCH", path, given, **how)

    def delete(self, path: str, **how: Any) -> TestResponse:
        return self.ask("DELETE", path, **how)

    def ask(
        self,
        method: str,
        path: str,
        given: Any = None,
        *,
        key: str | None = "",
        raw: bytes | None = None,
        content_type: str | None = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """`key`: a fresh Idempotency-Key unless one is given; None: none at all. `raw` goes out as it is."""
        sent = dict(headers or {})
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if method == "POST" and key is not None:
            sent.setdefault("Idempotency-Key", key or uuid.uuid4().hex)
        body = raw if raw is not None else None if given is None else json.dumps(given).encode()
        response = self.house.app.test_client().open(
            f"{API}{path}",
            method=method,
            headers=sent,
            data=body,
            content_type=content_type if body is not None else None,
        )
        judge(self.house.app, method, response)
        return response


def judge(app: Flask, method: str, response: TestResponse) -> None:
    """Hold an answer against the document."""
    at = f"{method} {response.request.path} → {response.status_code}"
    owed_by_all(response, at)
    operation = _operation_of(app, method, response.request.path)
    if operation is None:
        assert response.status_code in (404, 405), at
        assert response.json["code"] in ("NOT_FOUND", "METHOD_NOT_ALLOWED"), at
        return
    promised = operation["responses"].get(str(response.status_code))
    assert promised is not None, f"{at} {response.get_data(as_text=True)}: not in the document"
    content = promised.get("content")
    if content is None:
        assert response.data == b"", at
        return
    assert response.mimetype in content, f"{at}: {response.mimetype}"
    if response.mimetype == "image/jpeg":
        assert response.data.startswith(b"\xff\xd8\xff"), at
        return
    if response.mimetype == "application/pdf":
        assert response.data.startswith(b"%PDF-"), at
        return
    told = json.loads(response.data)
    assert contract.faults(told, content[response.mimetype]["schema"]) == [], at


def owed_by_all(response: TestResponse, at: str = "") -> None:
    """What is true of every answer of this door."""
    assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", response.headers["X-Request-ID"]), at
    assert response.headers["X-Content-Type-Options"] == "nosniff", at
    assert response.headers["Cache-Control"] == "no-store", at
    if response.status_code < 400:
        return
    assert response.mimetype == "application/problem+json", at
    told = json.loads(response.data)
    assert told["status"] == response.status_code, at
    assert told["type"] == f"/problems/{told['code']}", at
    assert CHINESE.search(told["title"]), at
    assert CHINESE.search(told["detail"]), at
    assert re.fullmatch(r"[0-9-]{5,13}", told["hotline"]), at
    assert told["request_id"] == response.headers["X-Request-ID"], at
    if response.status_code == 401:
        assert response.headers["WWW-Authenticate"] == "Bearer", at
    if response.status_code in (429, 503):
        assert int(response.headers["Retry-After"]) > 0, at
    if response.status_code == 405:
        assert response.headers["Allow"], at


def _operation_of(app: Flask, method: str, path: str) -> dict[str, Any] | None:
    try:
        rule, _ = app.url_map.bind("localhost").match(path, method=method, return_rule=True)
    except Exception:  # noqa: BLE001 - whatever it is, no route has it
        return None
    template = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
    return contract.the_document()["paths"].get(template, {}).get(method.lower())
