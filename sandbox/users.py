"""People who hold a phone: their identity under each app, the codes their phone makes, and what registries know of them."""

from __future__ import annotations

import base64
import secrets
import uuid
from typing import TYPE_CHECKING, Any

from sandbox.core import Core, digits, letters

if TYPE_CHECKING:
    from sandbox.store import Row, Store

CODE_LASTS_SECONDS = 300


class UnknownError(LookupError):
    """There is no such app or user."""


def create(
    core: Core, *, app_id: str, label: str = "", real_name: dict[str, str] | None = None, phone: str | None = None
) -> dict[str, str]:
    """Make a user of one app; `real_name` is what they allowed the platform to tell."""
    app = core.world.apps.get(app_id)
    if app is None:
        raise UnknownError(f"no app {app_id}; known are {', '.join(core.world.apps)}")
    user_id = uuid.uuid4().hex[:16]
    subject = f"o{letters(27)}" if app.platform == "wechat" else f"0{digits(2)}{letters(29)}"
    granted = real_name or {}
    with core.store.transaction() as db:
        db.execute(
            "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)",
            (
                *(user_id, app_id, app.platform, subject, label or user_id),
                *(granted.get("name"), granted.get("id_number"), phone, core.now()),
            ),
        )
    return {"user_id": user_id, "subject": subject, "app_id": app_id, "platform": app.platform}


def find(store: Store, user_id: str) -> Row | None:
    return store.row("SELECT * FROM users WHERE user_id = ?", user_id)


def by_subject(store: Store, app_id: str, subject: str) -> Row | None:
    return store.row("SELECT * FROM users WHERE app_id = ? AND subject = ?", app_id, subject)


def make_code(core: Core, *, app_id: str, user_id: str, kind: str = "login") -> str:
    """Make what wx.login, my.getAuthCode or the phone-number button gives: good once, for five minutes."""
    user = find(core.store, user_id)
    if user is None or user["app_id"] != app_id:
        raise UnknownError(f"no user {user_id} under app {app_id}")
    code = letters(32)
    with core.store.transaction() as db:
        db.execute(
            "INSERT INTO codes VALUES (?, ?, ?, ?, ?, NULL)",
            (code, kind, app_id, user_id, core.now() + CODE_LASTS_SECONDS),
        )
    return code


def spend_code(core: Core, *, app_id: str, code: str, kind: str = "login") -> Row | str:
    """Turn a code into its user, once; otherwise say `invalid`, `used` or `expired`."""
    with core.store.transaction() as db:
        row = db.execute("SELECT * FROM codes WHERE code = ? AND app_id = ? AND kind = ?", (code, app_id, kind)).fetchone()
        if row is None:
            return "invalid"
        if row["used_at"] is not None:
            return "used"
        if row["expires_at"] < core.now():
            return "expired"
        db.execute("UPDATE codes SET used_at = ? WHERE code = ?", (core.now(), code))
        user = find(core.store, row["user_id"])
        return "invalid" if user is None else user


def new_session_key(core: Core, user_id: str) -> str:
    key = base64.b64encode(secrets.token_bytes(16)).decode("ascii")
    with core.store.transaction() as db:
        db.execute("UPDATE users SET session_key = ? WHERE user_id = ?", (key, user_id))
    return key


def make_token(core: Core, *, kind: str, app_id: str, lasts_seconds: float, user_id: str | None = None) -> str:
    token = letters(120)
    with core.store.transaction() as db:
        db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?)", (token, kind, app_id, user_id, core.now() + lasts_seconds))
    return token


def find_token(core: Core, *, kind: str, token: str) -> Row | None:
    return core.store.row("SELECT * FROM tokens WHERE token = ? AND kind = ?", token, kind)


def register_person(store: Store, *, name: str, id_number: str, phone: str | None, bank_card: str | None) -> None:
    """Let the registries know a person; telling again corrects what was told."""
    with store.transaction() as db:
        db.execute("INSERT OR REPLACE INTO people VALUES (?, ?, ?, ?)", (id_number, name, phone, bank_card))


def person(store: Store, id_number: str) -> Row | None:
    return store.row("SELECT * FROM people WHERE id_number = ?", id_number.upper())


def view(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("user_id", "app_id", "platform", "subject", "label", "phone")}
