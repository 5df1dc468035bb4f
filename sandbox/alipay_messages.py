"""Alipay's template messages: a user subscribes to a template once or for long, may be asked about, and gets what is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox import users
from sandbox.alipay_gateway import failure, success

if TYPE_CHECKING:
    from sandbox.alipay_gateway import Call, Method, Told
    from sandbox.core import Core
    from sandbox.store import Db

FOR_LONG = -1
"""In place of a number of messages: a long-term subscription, which sending does not use up."""
MOST_TEMPLATES = 3
LONGEST_PAGE, LONGEST_DATA = 128, 2048
CHOICES = frozenset({"accept", "always", "reject"})


def allow(db: Db, subject: str, template: str, *, choice: str) -> None:
    """What my.requestSubscribeMessage brings: one yes of a one-time template, a long-term yes, or a no."""
    left = {"accept": 1, "always": FOR_LONG, "reject": 0}[choice]
    db.execute("INSERT OR REPLACE INTO message_quotas VALUES (?, ?, ?)", (subject, template, left))


def _left(core: Core, subject: str, template: str) -> int:
    row = core.store.row("SELECT left FROM message_quotas WHERE subject = ? AND template = ?", subject, template)
    return 0 if row is None else int(row["left"])


def _user(core: Core, call: Call, name: str) -> str | None:
    """These apps know their users by open_id alone."""
    subject = call.biz.get(name)
    if not isinstance(subject, str) or users.by_subject(core.store, call.app_id, subject) is None:
        return None
    return subject


def query(core: Core, call: Call) -> Told:
    subject, templates = _user(core, call, "open_id"), call.biz.get("template_id_list")
    if subject is None:
        return failure("USER_NOT_EXIST", "用户不存在")
    if not isinstance(templates, list) or not 1 <= len(templates) <= MOST_TEMPLATES:
        return failure("INVALID_PARAMETER", "template_id_list为1至3个")
    relations = []
    for template in map(str, templates):
        left = _left(core, subject, template)
        relations.append(
            {
                "template_id": template,
                "subscribe_state": "1" if left else "0",
                "subscribe_type": "longterm" if left == FOR_LONG else "onetime",
                "keep_state": "0",
                "show": True,
            }
        )
    return success(subscribe_relations=relations, show_component=True)


def send(core: Core, call: Call) -> Told:
    subject, template, page = _user(core, call, "to_open_id"), call.biz.get("user_template_id"), call.biz.get("page")
    if subject is None:
        return failure("USER_NOT_EXIST", "用户不存在")
    if not isinstance(template, str) or not template:
        return failure("USER_TEMPLATE_ILLEGAL", "模板非法")
    if not isinstance(page, str) or not 0 < len(page) <= LONGEST_PAGE:
        return failure("INVALID_PARAMETER", "page不正确")
    data = _data(call.biz.get("data"))
    if data is None:
        return failure("TEMPLATE_DATA_ILLEGAL", "data必须是每个关键词都有value的JSON字符串")
    with core.store.transaction() as db:
        left = db.execute("SELECT left FROM message_quotas WHERE subject = ? AND template = ?", (subject, template)).fetchone()
        if left is None or left["left"] == 0:
            return failure("USER_NOT_SUBSCRIBE", "用户未订阅该模板")
        db.execute(
            "UPDATE message_quotas SET left = left - 1 WHERE subject = ? AND template = ? AND left > 0", (subject, template)
        )
        db.execute(
            "INSERT INTO messages (kind, receiver, template, content, at) VALUES ('alipay', ?, ?, ?, ?)",
            (subject, template, json.dumps({**call.biz, "data": data}, ensure_ascii=False), core.now()),
        )
    return success()


def _data(given: object) -> dict[str, Any] | None:
    """The keywords with their values; text, not an object, and none of them empty."""
    if not isinstance(given, str) or len(given) > LONGEST_DATA:
        return None
    try:
        data = json.loads(given)
    except ValueError:
        return None
    if not isinstance(data, dict) or set(data) != {f"keyword{number}" for number in range(1, len(data) + 1)} or not data:
        return None
    good = all(isinstance(each, dict) and isinstance(each.get("value"), str) and each["value"] for each in data.values())
    return data if good else None


METHODS: dict[str, Method] = {
    "alipay.open.app.messagetemplate.subscribe.query": query,
    "alipay.open.app.mini.templatemessage.send": send,
}
