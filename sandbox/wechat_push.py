"""What WeChat itself tells a mini-program (消息推送): a user allowed messages or turned them down, a message went out. Sealed and signed."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from flask import Blueprint, Response, jsonify

from sandbox import alipay_messages, faults, users
from sandbox.control import BadOrderError, asked, complain, guard, needed
from sandbox.core import digits, letters
from sandbox.faults import Target
from sandbox.notices import Letter, Notice, enqueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.core import Core
    from sandbox.store import Db

CHANNEL = "wechat_messages"
OPERATION = "wechat.message_push"
AROUND = {
    "subscribe_msg_popup_event": "SubscribeMsgPopupEvent",
    "subscribe_msg_change_event": "SubscribeMsgChangeEvent",
    "subscribe_msg_sent_event": "SubscribeMsgSentEvent",
}
CHOICES = frozenset({"accept", "reject", "ban"})
FORMATS = frozenset({"json", "xml"})
PADDED_TO = 32
STALE_SECONDS = 600
Items = list[dict[str, str]]


def push(core: Core, db: Db, *, app_id: str, subject: str, event: str, items: Items, written: str = "json") -> None:
    """Put an event into the queue, in the caller's transaction, as the faults for the app would have it."""
    app, now = core.world.apps[app_id], core.now()
    found = faults.take(core.store, faults.PUSH_FAULTS, Target(app_id=app_id, operation=OPERATION))
    probes = [mode for mode in ("plain", "forged", "stale") if mode in found]
    copies = 1 + (faults.count(found["duplicate"], 1) if "duplicate" in found else 0)
    content = {
        "written": written,
        "stale_seconds": faults.seconds(found.get("stale"), STALE_SECONDS),
        "message": {
            "ToUserName": "gh_sandbox",
            "FromUserName": subject,
            "CreateTime": str(int(now)),
            "MsgType": "event",
            "Event": event,
            "List": items,
        },
    }
    number = letters(24)
    for mode in [*probes, *["real"] * copies]:
        enqueue(
            db,
            channel=CHANNEL,
            merchant=app.merchant or "",
            out_trade_no=subject,
            app_id=app_id,
            event=event,
            notification_id=number,
            url=f"{core.letterbox_url}/webhooks/wechat-messages/{app.miniprogram}",
            content=content,
            now=now,
            mode=mode,
        )


def tell_sent(core: Core, db: Db, *, app_id: str, subject: str, template: str, message_id: int) -> None:
    """A subscribe message went out."""
    item = {"TemplateId": template, "MsgID": str(message_id), "ErrorCode": "0", "ErrorStatus": "success"}
    push(core, db, app_id=app_id, subject=subject, event="subscribe_msg_sent_event", items=[item])


def choose(core: Core, given: dict[str, Any]) -> int:
    """The user answers wx.requestSubscribeMessage (popup), or changes the settings; answers how many templates that was about."""
    user = core.store.row("SELECT * FROM users WHERE subject = ?", needed(given, "subject"))
    if user is None:
        raise users.UnknownError("no such user")
    if user["platform"] == "alipay":
        return _choose_at_alipay(core, user["subject"], given.get("choices"))
    choices, is_popup, written = given.get("choices"), given.get("where", "popup") == "popup", given.get("written", "json")
    if not isinstance(choices, dict) or not choices or not set(map(str, choices.values())) <= CHOICES:
        raise BadOrderError(f"choices is an object: template → one of {', '.join(sorted(CHOICES))}")
    if written not in FORMATS:
        raise BadOrderError(f"written is one of {', '.join(sorted(FORMATS))}")
    items = [
        {"TemplateId": str(template), "SubscribeStatusString": str(choice), **({"PopupScene": "0"} if is_popup else {})}
        for template, choice in choices.items()
    ]
    with core.store.transaction() as db:
        for template, choice in choices.items():
            _allow(db, user["subject"], str(template), choice=str(choice), is_popup=is_popup)
        push(
            core,
            db,
            app_id=user["app_id"],
            subject=user["subject"],
            event="subscribe_msg_popup_event" if is_popup else "subscribe_msg_change_event",
            items=items,
            written=written,
        )
    core.courier.wake()
    return len(items)


def _choose_at_alipay(core: Core, subject: str, choices: object) -> int:
    """At Alipay nobody is told: whoever wants to know how a user stands to a template has to ask."""
    if not isinstance(choices, dict) or not choices or not set(map(str, choices.values())) <= alipay_messages.CHOICES:
        raise BadOrderError(f"choices is an object: template → one of {', '.join(sorted(alipay_messages.CHOICES))}")
    with core.store.transaction() as db:
        for template, choice in choices.items():
            alipay_messages.allow(db, subject, str(template), choice=str(choice))
    return len(choices)


def _allow(db: Db, subject: str, template: str, *, choice: str, is_popup: bool) -> None:
    """One yes in the mini-program is one message; a no takes all back; a yes in the settings allows none."""
    if choice != "accept":
        db.execute("INSERT OR REPLACE INTO message_quotas VALUES (?, ?, 0)", (subject, template))
    elif is_popup:
        db.execute(
            "INSERT INTO message_quotas VALUES (?, ?, 1) ON CONFLICT (subject, template) DO UPDATE SET left = left + 1",
            (subject, template),
        )


def seal(aes_key: str, app_id: str, message: bytes) -> str:
    """AES-256-CBC over 16 random bytes, the length, the message and the app id, padded to 32; the key's first half is the IV."""
    key = base64.b64decode(aes_key + "=")
    plain = secrets.token_bytes(16) + len(message).to_bytes(4, "big") + message + app_id.encode("ascii")
    missing = PADDED_TO - len(plain) % PADDED_TO
    sealer = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(sealer.update(plain + bytes([missing]) * missing) + sealer.finalize()).decode("ascii")


def signature(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()  # noqa: S324 - WeChat's own choice


def writer(core: Core) -> Callable[[Notice], Letter]:
    """Make the function that writes one try of a push; modes other than `real` spoil it."""

    def write(notice: Notice) -> Letter:
        told, keys = notice.message, core.keys.pushes[notice.app_id]
        is_xml = told["written"] == "xml"
        late = float(told["stale_seconds"]) if notice.mode == "stale" else 0
        timestamp, nonce = str(int(core.now() - late)), digits(10)
        message = _xml(told["message"]) if is_xml else _json(told["message"])
        query = {
            "signature": signature(keys.token, timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
            "openid": told["message"]["FromUserName"],
        }
        if notice.mode == "plain":
            body = message
        else:
            sealed = seal(keys.aes_key, notice.app_id, message)
            token = letters(32) if notice.mode == "forged" else keys.token
            query |= {"encrypt_type": "aes", "msg_signature": signature(token, timestamp, nonce, sealed)}
            body = _envelope(sealed, is_xml=is_xml)
        headers = {"Content-Type": "text/xml" if is_xml else "application/json", "User-Agent": "Mozilla/4.0"}
        return Letter(method="POST", body=body, headers=headers, query=urlencode(query))

    return write


def _envelope(sealed: str, *, is_xml: bool) -> bytes:
    if is_xml:
        return f"<xml><ToUserName><![CDATA[gh_sandbox]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>".encode()
    return json.dumps({"ToUserName": "gh_sandbox", "Encrypt": sealed}).encode()


def _json(message: dict[str, Any]) -> bytes:
    """One template as an object, several as a list: as it really comes."""
    items = message["List"]
    told = {**message, "CreateTime": int(message["CreateTime"]), "List": items[0] if len(items) == 1 else items}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def _xml(message: dict[str, Any]) -> bytes:
    outer = {name: value for name, value in message.items() if name != "List"}
    around = AROUND[message["Event"]]
    listed = "".join(f"<List>{_elements(item)}</List>" for item in message["List"])
    return f"<xml>{_elements(outer)}<{around}>{listed}</{around}></xml>".encode()


def _elements(values: dict[str, str]) -> str:
    return "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in values.items())


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("wechat_push", __name__, url_prefix="/_sandbox")
    door.before_request(guard)
    for kind in (LookupError, ValueError, TypeError):
        door.register_error_handler(kind, complain)

    @door.post("/subscriptions")
    def subscribe() -> tuple[Response, int]:
        return jsonify(told=choose(core, asked())), 201

    return door
