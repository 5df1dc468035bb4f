"""Alipay's RSA2: what covers a notice and what covers an answer, both over the bytes as they came.

A notice is a form in whatever charset it names; the signed text is its decoded pairs, sorted, without sign and
sign_type (their V1). An answer is JSON in which the signature covers one inner object exactly as it was written, and
errors of the gateway may come without a signature, or in GBK though we asked for UTF-8.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from providers.keys import rsa_verifies
from providers.protocols import BadSignature
from providers.reading import Unreadable, json_object

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

SIGN_TYPE = "RSA2"
FIELDS_AT_MOST = 200
FIELD_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
# The signed text forgets where one pair ends and the next begins. A pair hidden in another's value would verify too.
HIDDEN_PAIR = re.compile(
    r"&(app_id|charset|gmt_\w+|notify_\w+|out_biz_no|out_trade_no|refund_fee|seller_id|total_amount|trade_no|trade_status)="
)
CHARSETS = {"": "utf-8", "utf-8": "utf-8", "utf8": "utf-8", "gbk": "gb18030", "gb2312": "gb18030", "gb18030": "gb18030"}

_WHITE = re.compile(r"[ \t\r\n]*")
_scanner = json.JSONDecoder(strict=False)


def open_form(raw: bytes, key: RSAPublicKey) -> dict[str, str]:
    """The fields of a notice that Alipay signed. Raises BadSignature."""
    try:
        # Latin-1 gives each byte one character: the signed bytes stay as they are, whatever their charset.
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, encoding="latin-1", max_num_fields=FIELDS_AT_MOST)
    except ValueError:
        raise BadSignature("malformed") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadSignature("duplicate")
    signature, sign_type = fields.pop("sign", ""), fields.pop("sign_type", "")
    if not signature:
        raise BadSignature("missing_signature")
    if sign_type != SIGN_TYPE:
        raise BadSignature("unknown_signature_type")
    if not all(map(FIELD_NAME.fullmatch, fields)) or any("&" in v and HIDDEN_PAIR.search(v) for v in fields.values()):
        raise BadSignature("malformed")
    signed = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
    if not rsa_verifies(key, signature, signed.encode("latin-1")):
        raise BadSignature("signature")
    try:
        charset = CHARSETS[fields.get("charset", "").lower()]
        return {name: value.encode("latin-1").decode(charset) for name, value in fields.items()}
    except (KeyError, ValueError):
        raise BadSignature("malformed") from None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The inner object of an answer, and whether Alipay's signature was found over it."""

    inner: dict[str, Any]
    is_signed: bool


def open_answer(raw: bytes, response_name: str, key: RSAPublicKey) -> Answer:
    """Find the inner object by its name (or error_response) and check its signature. Raises Unreadable.

    A signature that is there and does not fit is Unreadable too; only its absence is a thing to tell.
    """
    try:
        whole, charset = raw.decode(), "utf-8"
    except UnicodeDecodeError:
        whole, charset = raw.decode("gb18030", "replace"), "gb18030"
    members = _members(whole)
    name = response_name if response_name in members else "error_response"
    if name not in members:
        raise Unreadable(response_name)
    # What is verified is what is read: this very substring, escapes and all.
    written = members[name]
    inner = json_object(written)
    signature = _scanner.decode(members.get("sign", '""'))
    if not isinstance(signature, str):
        raise Unreadable("sign")
    if signature and not rsa_verifies(key, signature, written.encode(charset)):
        raise Unreadable("sign")
    return Answer(inner=inner, is_signed=bool(signature))


def _members(whole: str) -> dict[str, str]:
    """The members of a JSON object, each value as it was written; a real scan, so braces in strings do no harm."""
    members: dict[str, str] = {}
    try:
        at = _expect(whole, 0, "{")
        while True:
            name, at = _scanner.raw_decode(whole, at)
            start = _expect(whole, at, ":")
            _, at = _scanner.raw_decode(whole, start)
            if not isinstance(name, str) or name in members:
                raise Unreadable("name")
            members[name] = whole[start:at]
            at = _WHITE.match(whole, at).end()  # type: ignore[union-attr]  # it matches nothing, too
            if whole[at : at + 1] == "}":
                return members
            at = _expect(whole, at, ",")
    except (ValueError, RecursionError):
        raise Unreadable("not JSON") from None


def _expect(whole: str, at: int, mark: str) -> int:
    at = _WHITE.match(whole, at).end()  # type: ignore[union-attr]  # it matches nothing, too
    if whole[at : at + 1] != mark:
        raise Unreadable("not JSON")
    return _WHITE.match(whole, at + 1).end()  # type: ignore[union-attr]  # it matches nothing, too
