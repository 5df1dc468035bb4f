"""Alipay's gateway: reads requests byte by byte, verifies them, hands them to a method, signs what it said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from flask import Blueprint, Response, request

from sandbox import faults
from sandbox.alipay_words import codec
from sandbox.core import read_wall_clock
from sandbox.faults import Found, Target
from sandbox.keys import sign, verifies
from sandbox.replies import dawdle, hang_up, read_object

if TYPE_CHECKING:
    from sandbox.core import Core

WINDOW_SECONDS = 600
COMMON = ("app_id", "method", "charset", "sign_type", "sign", "timestamp", "version")
Told = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One authentic request."""

    app_id: str
    seller: str
    method: str
    charset: str
    given: dict[str, str]
    biz: Told


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A request that never reached a method; answered without a signature."""

    code: str
    message: str
    sub_code: str
    sub_message: str

    @property
    def told(self) -> Told:
        return {"code": self.code, "msg": self.message, "sub_code": self.sub_code, "sub_msg": self.sub_message}


@dataclass(frozen=True, kw_only=True)
class Page:
    """An answer that is a page for the person, not JSON for the merchant."""

    html: str


Method = Callable[["Core", Call], "Told | Refused | Page"]


def success(**told: Any) -> Told:
    return {"code": "10000", "msg": "Success", **told}


def failure(sub_code: str, sub_message: str) -> Told:
    return {"code": "40004", "msg": "Business Failed", "sub_code": sub_code, "sub_msg": sub_message}


def invalid(sub_code: str, sub_message: str) -> Refused:
    return Refused(code="40002", message="Invalid Arguments", sub_code=sub_code, sub_message=sub_message)


def _raw_parameters() -> dict[str, str] | None:
    """Decode the url-encoding once, to the signed bytes (kept as latin-1); a name given twice spoils all."""
    query = request.query_string.decode("latin-1")
    body = request.get_data(cache=True).decode("latin-1") if request.method == "POST" else ""
    pairs = [pair for text in (query, body) for pair in parse_qsl(text, keep_blank_values=True, encoding="latin-1")]
    found = dict(pairs)
    return found if len(found) == len(pairs) else None


def _charset() -> str:
    """The charset counts only in the query string; elsewhere it is overlooked and GBK is assumed."""
    for name, value in parse_qsl(request.query_string.decode("latin-1")):
        if name == "charset":
            return value
    return "gbk"


def read_call(core: Core) -> Call | Refused:
    """Check everything that the gateway checks before any method sees a request."""
    raw = _raw_parameters()
    if raw is None:
        return invalid("isv.invalid-parameter", "参数重复")
    for name in COMMON:
        if not raw.get(name):
            return invalid(f"isv.missing-{name.replace('_', '-')}", f"缺少参数{name}")
    app_id, charset = raw["app_id"], _charset()
    app = core.world.apps.get(app_id)
    if app is None or app_id not in core.keys.alipay or app.merchant is None:
        return invalid("isv.invalid-app-id", "无效的AppID参数")
    if raw["sign_type"] != "RSA2":
        return invalid("isv.invalid-signature-type", "无效的签名类型")
    signed = "&".join(f"{name}={raw[name]}" for name in sorted(raw) if name != "sign" and raw[name])
    if not verifies(core.keys.alipay[app_id].app_public, signed.encode("latin-1"), raw["sign"]):
        return invalid(
            "isv.invalid-signature", "验签出错，请确认charset参数放在了URL查询字符串中且各参数值使用charset参数指示的字符集编码"
        )
    wrong = _wrong_common(core, raw)
    if wrong:
        return wrong
    given = {name: value.encode("latin-1").decode(codec(charset), errors="replace") for name, value in raw.items()}
    biz = read_object(given.get("biz_content") or "{}")
    if biz is None:
        return invalid("isv.invalid-parameter", "biz_content不是合法的JSON")
    return Call(app_id=app_id, seller=app.merchant, method=given["method"], charset=charset, given=given, biz=biz)


def _wrong_common(core: Core, raw: dict[str, str]) -> Refused | None:
    if request.method == "POST" and request.get_data(cache=True) and request.mimetype != "application/x-www-form-urlencoded":
        return invalid("isv.invalid-content-type", "Content-Type必须为application/x-www-form-urlencoded")
    if raw["charset"].lower() not in {"utf-8", "gbk"}:
        return invalid("isv.invalid-charset", "无效的字符集")
    if raw["version"] != "1.0" or raw.get("format", "JSON").upper() != "JSON":
        return invalid("isv.invalid-parameter", "version或format不正确")
    at = read_wall_clock(raw["timestamp"])
    if at is None or abs(core.now() - at) > WINDOW_SECONDS:
        return invalid("isv.invalid-timestamp", "非法的时间戳参数")
    return None


def escaped(told: Told, charset: str) -> bytes:
    """Write JSON as Alipay does: slashes escaped, in the request's charset."""
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
    return text.encode(codec(charset), errors="replace")


def html(body: bytes, charset: str, status: int = 200) -> Response:
    return Response(body, status=status, content_type=f"text/html;charset={charset}")


def unsigned_error(refused: Refused, charset: str) -> Response:
    return html(b'{"error_response":' + escaped(refused.told, charset) + b"}", charset)


def signed(core: Core, call: Call, told: Told, found: Found) -> Response:
    """Sign the exact bytes of the inner object and put both on the wire."""
    if "brace_in_string" in found:
        told = {**told, "store_name": '办事大厅}二楼{"窗口"'}
    inner = escaped(told, call.charset)
    spoilt = b" " if "bad_signature_response" in found else b""
    signature = sign(core.keys.alipay[call.app_id].alipay_private, inner + spoilt)
    name = f'{{"{call.method.replace(".", "_")}_response":'
    return html(name.encode("ascii") + inner + f',"sign":"{signature}"}}'.encode("ascii"), call.charset)


BUSY = {"code": "20000", "msg": "Service Currently Unavailable", "sub_code": "isp.unknow-error", "sub_msg": "系统繁忙"}
LIMITED = {"code": "40005", "msg": "Call Limited", "sub_code": "isv.app-call-limited", "sub_msg": "应用调用次数超限"}
BAD_TOKEN = {
    "code": "20001",
    "msg": "Insufficient Token Permissions",
    "sub_code": "aop.invalid-auth-token",
    "sub_msg": "无效的访问令牌",
}


def spoilt(core: Core, call: Call, found: Found) -> Response | None:
    """Answer without doing anything, where a fault wants that."""
    if "server_error" in found:
        return html(b"<html><body>Bad Gateway</body></html>", "utf-8", faults.count(found["server_error"], 502))
    if "gbk_error" in found:
        return unsigned_error(invalid("isv.invalid-parameter", "系统繁忙，请稍后再试"), "gbk")
    if "rate_limited" in found:
        return signed(core, call, LIMITED, found)
    if "system_busy" in found or ("code_20000" in found and not found["code_20000"]):
        return signed(core, call, BUSY, found)
    if found.keys() & faults.TOKEN_FAULTS:
        return signed(core, call, BAD_TOKEN, found)
    return None


def serve(core: Core, methods: dict[str, Method]) -> Response:
    call = read_call(core)
    if isinstance(call, Refused):
        return unsigned_error(call, _charset())
    act = methods.get(call.method)
    if act is None:
        return unsigned_error(invalid("isv.invalid-method", "不存在的方法名"), call.charset)
    number = str(call.biz.get("out_trade_no") or "")
    target = Target(app_id=call.app_id, order_no=number, operation=call.method)
    playable = faults.ALIPAY_ANSWER | (faults.TOKEN_FAULTS if "auth_token" in call.given else frozenset())
    found = faults.take(core.store, playable, target)
    dawdle(found)
    early = spoilt(core, call, found)
    if early is not None:
        return early
    told = act(core, call)
    if isinstance(told, Page):
        return html(told.html.encode(), "utf-8")
    if isinstance(told, Refused):
        return hang_up(found, unsigned_error(told, call.charset))
    # With a value, the busy answer comes after the work was done: exactly the case in which one must ask again.
    return hang_up(found, signed(core, call, BUSY if "code_20000" in found else told, found))


def blueprint(core: Core, methods: dict[str, Method]) -> Blueprint:
    door = Blueprint("alipay", __name__)

    @door.route("/gateway.do", methods=["GET", "POST"])
    def gateway() -> Response:
        return serve(core, methods)

    return door
