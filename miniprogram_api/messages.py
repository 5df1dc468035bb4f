"""Messages: what was told to this account, in its own language and manner, whether or not it was pushed to the phone."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import AwareDateTime, DateTime, List, Nested, String

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.fields import Given
from services import messages

door = APIBlueprint("messages", __name__, tag="Messages")


class MessagesAsked(Given):
    before = AwareDateTime(
        metadata={"description": "只要早于此刻的消息：上一页给出的 next_before", "example": "2026-11-21T10:00:00+08:00"},
    )


class MessageOut(Schema):
    key = String(required=True, metadata={"description": "消息种类，如 payment.succeeded"})
    title = String(required=True)
    text = String(required=True, metadata={"description": "长辈版账户得到更短、更直白的说法；金额以元计"})
    language = String(required=True, metadata={"description": "文字实际所用的语言（BCP 47）；尚无译文的用中文"})
    direction = String(required=True, metadata={"description": "ltr 或 rtl"})
    created_at = DateTime(required=True)


class MessagesOut(Schema):
    messages = List(Nested(MessageOut), required=True)
    next_before = DateTime(required=True, allow_none=True, metadata={"description": "下一页从这里开始；没有更早的消息时为空"})


@door.get("/messages")
@endpoint(door, asks=MessagesAsked, returns=MessagesOut)
def list_messages(asked: dict[str, Any]) -> dict[str, Any]:
    """My messages, newest first, some twenty to a page."""
    page = messages.list_messages(ports(), account=me(), before=asked.get("before"))
    return {"messages": [view.__dict__ for view in page.messages], "next_before": page.next_before}
