"""WeChat's messages of one mini-program: subscribe messages that go out, and its own push (消息推送) of events that come in.

The push is read in its safe mode alone: the signature covers the sealed text, and what was sealed names the app. In its plain mode
the signature covers neither body nor app, so that whoever saw one address could write any event behind it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from providers.protocols import BadSignature, Delivery, MessageEvent, MessageWish, ProviderRefused, ProviderUnreachable
from providers.reading import NOTICE_LIMIT_BYTES, Unreadable, json_object, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from config.settings import SubscribeTemplate
    from providers.wechat.open_api import WeChatOpenApi

WINDOW_SECONDS: Final = 300
REFUSED_OR_USED_UP: Final = "43101"
VALUE_TOO_LONG: Final = "VALUE"
"""Our own word for a value that their field does not hold and that may not be cut."""
BLOCK_BYTES: Final = 16
PADDING_BYTES: Final = 32
"""Theirs pads to twice the cipher's block."""
RANDOM_BYTES: Final = 16
LENGTH_BYTES: Final = 4
LONGEST_ECHO: Final = 256
DEEPEST: Final = 6
MOST_ITEMS: Final = 64
TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
DECLARATION: Final = re.compile(r"<!(?!\[CDATA\[)|<\?(?!xml\s)")
"""DOCTYPE, ENTITY and comments, and processing instructions: none belongs into these letters, and entities can be made to grow."""

EVENTS: Final = {
    "subscribe_msg_popup_event": "SubscribeMsgPopupEvent",
    "subscribe_msg_change_event": "SubscribeMsgChangeEvent",
    "subscribe_msg_sent_event": "SubscribeMsgSentEvent",
}
"""Their event → the field around its list, where there is one."""
POPUP, SENT = "subscribe_msg_popup_event", "subscribe_msg_sent_event"
TURNED_DOWN: Final = frozenset({"reject", "ban"})

CUT: Final = {"thing": 20, "phrase": 5, "name": 10}
"""Fields of words: a longer value is cut."""
WHOLE: Final = {
    "number": re.compile(r"[0-9.]{1,32}"),
    "letter": re.compile(r"[A-Za-z]{1,32}"),
    "symbol": re.compile(r"[^\w\s]{1,5}"),
    "character_string": re.compile(r"[!-~]{1,32}"),
    "amount": re.compile(r"[¥￥$]?[0-9]{1,10}(\.[0-9]{1,2})?元?"),
    "phone_number": re.compile(r"[0-9+-]{1,17}"),
    "time": re.compile(r"([0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日 )?[0-9]{1,2}:[0-9]{2}"),
    "date": re.compile(r"[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日( [0-9]{1,2}:[0-9]{2})?"),
}
"""Fields whose value would be another one if it were cut."""
FIELD: Final = re.compile(r"([a-z_]+)[0-9]{1,3}")


def field_faults(code: str, templates: Mapping[str, SubscribeTemplate]) -> list[str]:
    """What is wrong with the names of a mini-program's template fields, in sentences for whoever installs it."""
    kinds = ", ".join(f"{kind}1" for kind in (*CUT, *WHOLE))
    return [
        f"miniprograms.{code}.subscribe_templates.{key}.fields.{field}: no such kind of field; there are {kinds}"
        for key, template in templates.items()
        for field in template.fields
        if _kind(field) is None
    ]


def _kind(field: str) -> str | None:
    found = FIELD.fullmatch(field)
    return found[1] if found is not None and (found[1] in CUT or found[1] in WHOLE) else None


class WeChatMessages:
    """A MessageProvider and a MessageEventProvider. `token` and `aes_key` are those set under 消息推送."""

    way = "wechat_subscription"
    counts_allowances = True

    def __init__(
        self,
        *,
        api: WeChatOpenApi,
        token: str,
        aes_key: bytes,
        templates: Mapping[str, SubscribeTemplate] | None = None,
        miniprogram_state: str = "formal",
    ) -> None:
        self._api = api
        self._token = token
        self._aes_key = aes_key
        self._templates = dict(templates or {})
        self._miniprogram_state = miniprogram_state

    def __repr__(self) -> str:
        return f"WeChatMessages({self._api.appid})"

    # --- out

    def template_of(self, key: str) -> str | None:
        template = self._templates.get(key)
        return None if template is None else template.template_id

    def send(self, subject: str, *, key: str, words: Mapping[str, str]) -> Delivery:
        """43101 says both that the user refuses and that what they allowed is used up: either way nothing more goes out."""
        template = self._templates[key]
        body: dict[str, Any] = {
            "touser": subject,
            "template_id": template.template_id,
            "miniprogram_state": self._miniprogram_state,
            "lang": "zh_CN",
            "data": {field: {"value": fit(field, words[word])} for field, word in template.fields.items()},
        }
        if template.page is not None:
            body["page"] = template.page
        try:
            told = self._api.call("/cgi-bin/message/subscribe/send", body)
        except ProviderRefused as refusal:
            if refusal.code == REFUSED_OR_USED_UP:
                return Delivery.NOT_WANTED
            raise
        if told.get("errcode") != 0:
            raise ProviderUnreachable("wechat: a message was answered with nothing to rely on")
        return Delivery.TAKEN

    # --- in

    def echo(self, query: Mapping[str, str], *, now: datetime) -> str:
        timestamp, nonce = _fresh(query, now)
        self._check(query.get("signature"), timestamp, nonce)
        echo = query.get("echostr", "")
        if not 1 <= len(echo) <= LONGEST_ECHO or not echo.isascii() or not echo.isprintable():
            raise BadSignature("malformed")
        return echo

    def open_event(self, query: Mapping[str, str], raw: bytes, *, now: datetime) -> MessageEvent:
        if len(raw) > NOTICE_LIMIT_BYTES:
            raise BadSignature("oversize")
        if not query.get("msg_signature"):
            raise BadSignature("plain")
        timestamp, nonce = _fresh(query, now)
        try:
            sealed = text(_document(raw), "Encrypt", limit=NOTICE_LIMIT_BYTES)
        except Unreadable:
            raise BadSignature("malformed") from None
        self._check(query["msg_signature"], timestamp, nonce, sealed)
        opened, app_id = _unseal(sealed, self._aes_key)
        if not hmac.compare_digest(app_id, str(self._api.appid).encode()):
            raise BadSignature("wrong_app")
        try:
            return _event(_document(opened))
        except Unreadable:
            raise BadSignature("malformed") from None

    def _check(self, given: str | None, *parts: str) -> None:
        """Their signature: SHA-1 over token and parts, sorted. What it lacks in art the secret token has to make up for."""
        if not given:
            raise BadSignature("missing_signature")
        joined = "".join(sorted([self._token, *parts]))
        ours = hashlib.sha1(joined.encode(errors="replace")).hexdigest()  # noqa: S324 - theirs to choose
        if not hmac.compare_digest(ours.encode(), given.encode(errors="replace")):
            raise BadSignature("signature")


def fit(field: str, value: str) -> str:
    """A value as their field holds it: words are cut, with a sign that they were. Raises ProviderRefused for what may not be cut."""
    kind = _kind(field) or ""
    if kind in WHOLE:
        if not WHOLE[kind].fullmatch(value):
            raise ProviderRefused(VALUE_TOO_LONG)
        return value
    words, longest = " ".join(value.split()), CUT[kind]
    if len(words) <= longest:
        return words
    return f"{words[: longest - 1]}…" if kind == "thing" else words[:longest]


def _fresh(query: Mapping[str, str], now: datetime) -> tuple[str, str]:
    timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
    if not TIMESTAMP.fullmatch(timestamp) or not nonce:
        raise BadSignature("malformed")
    if abs(now.timestamp() - int(timestamp)) >= WINDOW_SECONDS:
        raise BadSignature("stale")
    return timestamp, nonce


def _unseal(sealed: str, key: bytes) -> tuple[bytes, bytes]:
    """What was sealed, and the app id behind it: 16 random bytes, a length, the message, the app id. Raises BadSignature."""
    try:
        cipher = base64.b64decode(sealed, validate=True)
    except ValueError:
        raise BadSignature("malformed") from None
    if not cipher or len(cipher) % BLOCK_BYTES:
        raise BadSignature("wrong_seal")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:BLOCK_BYTES])).decryptor()
    plain = decryptor.update(cipher) + decryptor.finalize()
    padding = plain[-1]
    if not 1 <= padding <= PADDING_BYTES or plain[-padding:] != bytes([padding]) * padding:
        raise BadSignature("wrong_seal")
    inside = plain[RANDOM_BYTES:-padding]
    length, rest = int.from_bytes(inside[:LENGTH_BYTES], "big"), inside[LENGTH_BYTES:]
    if len(inside) < LENGTH_BYTES or length > len(rest):
        raise BadSignature("wrong_seal")
    return rest[:length], rest[length:]


def _document(raw: bytes) -> dict[str, Any]:
    """JSON or XML, whichever the mini-program was set to, as one kind of object. Raises Unreadable."""
    try:
        written = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("not UTF-8") from None
    if not written.lstrip().startswith("<"):
        return json_object(written)
    # As text, so that no encoding can be named inside, and what is looked for here is what is parsed.
    if DECLARATION.search(written) or "\x00" in written:
        raise Unreadable("a declaration")
    try:
        root = ET.fromstring(written)  # noqa: S314 - no DOCTYPE, so no entities; at most 64 KiB
    except (ET.ParseError, ValueError):
        raise Unreadable("not XML") from None
    found = _inside(root, 1)
    if not isinstance(found, dict):
        raise Unreadable("not an XML object")
    return found


def _inside(element: ET.Element, depth: int) -> dict[str, Any] | str:
    """An element as JSON would have it: its text, or its children by name, those of one name as a list."""
    if depth > DEEPEST:
        raise Unreadable("too deep")
    children = list(element)
    if not children:
        return (element.text or "").strip()
    found: dict[str, Any] = {}
    for child in children:
        value = _inside(child, depth + 1)
        if child.tag not in found:
            found[child.tag] = value
        elif isinstance(found[child.tag], list):
            found[child.tag].append(value)
        else:
            found[child.tag] = [found[child.tag], value]
    return found


def _event(told: dict[str, Any]) -> MessageEvent:
    """Their words → ours. Raises Unreadable."""
    subject, kind = text(told, "FromUserName"), text(told, "MsgType", limit=64)
    event = text(told, "Event", limit=64) if kind == "event" else kind
    items = _items(told, event) if event in EVENTS else []
    written = [subject, _moment(told), event]
    wishes = []
    for item in items:
        template = text(item, "TemplateId")
        written += [template, *(_word(item, name) for name in ("SubscribeStatusString", "PopupScene", "MsgID", "ErrorCode"))]
        wish = _wish(event, item)
        if wish is not None:
            wishes.append((template, wish))
    return MessageEvent(
        event=event,
        subject=subject,
        wishes=tuple(wishes),
        event_hash=hashlib.sha256("\n".join(written).encode()).digest(),
    )


def _wish(event: str, item: dict[str, Any]) -> MessageWish | None:
    if event == SENT:
        # Only the no counts: a message that went out was taken off the allowance when it was sent.
        return MessageWish.NONE if _word(item, "ErrorCode") == REFUSED_OR_USED_UP else None
    said = _word(item, "SubscribeStatusString")
    if said in TURNED_DOWN:
        return MessageWish.NONE
    # In the settings a yes only lifts a no. It allows no message; that takes the question in the mini-program.
    return MessageWish.ONE_MORE if said == "accept" and event == POPUP else None


def _items(told: dict[str, Any], event: str) -> list[dict[str, Any]]:
    """One template comes as an object, several as a list; in JSON the field around them is missing, or is the list itself."""
    around = told.get(EVENTS[event], told)
    found = around.get("List", []) if isinstance(around, dict) else around
    items = [found] if isinstance(found, dict) else found
    if not isinstance(items, list) or len(items) > MOST_ITEMS or not all(isinstance(item, dict) for item in items):
        raise Unreadable("List")
    return items


def _moment(told: dict[str, Any]) -> str:
    """CreateTime: a number in JSON, mostly; its digits, sometimes, and always in XML."""
    moment = _word(told, "CreateTime")
    if not TIMESTAMP.fullmatch(moment):
        raise Unreadable("CreateTime")
    return moment


def _word(source: dict[str, Any], name: str) -> str:
    """A short word or number, whichever way it was written; empty where it is missing."""
    found = source.get(name, "")
    word = str(found) if type(found) is int and abs(found) < 10**30 else found
    if not isinstance(word, str) or len(word) > 128 or not (word == "" or word.isprintable()):  # noqa: PLR2004 - as reading.text
        raise Unreadable(name)
    return word
