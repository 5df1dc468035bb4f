"""WeChat Pay's front door: checks the merchant's signature over the raw request, and signs what goes back."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from flask import Response, request

from sandbox import faults
from sandbox.faults import Found, Target
from sandbox.keys import verifies
from sandbox.replies import Reply, dawdle, hang_up, raw_target, read_object
from sandbox.wechat_pay_words import request_id, signed_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.core import Core

SCHEME = "WECHATPAY2-SHA256-RSA2048"
FIELD = re.compile(r'\s*(\w+)="([^"]*)"\s*')
FIELDS = {"mchid", "nonce_str", "signature", "timestamp", "serial_no"}
WINDOW_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A merchant whose signature held; `key_kind` is what they asked to have answers signed with."""

    mchid: str
    key_kind: str


def error(status: int, code: str, message: str, **detail: Any) -> Reply:
    body: dict[str, Any] = {"code": code, "message": message}
    if detail:
        body["detail"] = detail
    return Reply(status=status, body=body)


def field_error(field: str, issue: str, value: object = None) -> Reply:
    return error(400, "PARAM_ERROR", "参数错误", field=field, value=value, issue=issue, location="body")


def _authorization() -> dict[str, str] | None:
    header = request.headers.get("Authorization", "")
    scheme, _, rest = header.partition(" ")
    if scheme != SCHEME:
        return None
    fields: dict[str, str] = {}
    for part in rest.split(","):
        read = FIELD.fullmatch(part)
        if read is None or read[1] in fields:
            return None
        fields[read[1]] = read[2]
    return fields if set(fields) == FIELDS else None


def authenticate(core: Core) -> Caller | Reply:
    """Verify the Authorization header over method, raw target, time, nonce and raw body; everything else is 401."""
    fields = _authorization()
    if fields is None:
        return error(401, "SIGN_ERROR", "Http头缺少Authorization，或其格式不正确")
    merchant = core.world.wechat_merchants.get(fields["mchid"])
    if merchant is None:
        return error(401, "SIGN_ERROR", "商户号不存在")
    if fields["serial_no"] != merchant.certificate_serial:
        return error(401, "SIGN_ERROR", "商户证书序列号有误")
    if not fields["timestamp"].isdigit() or abs(core.now() - int(fields["timestamp"])) >= WINDOW_SECONDS:
        return error(401, "SIGN_ERROR", "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
    headers_wrong = _wrong_headers()
    if headers_wrong:
        return error(401, "SIGN_ERROR", headers_wrong)
    head = f"{request.method}\n{raw_target()}\n{fields['timestamp']}\n{fields['nonce_str']}\n"
    message = head.encode() + request.get_data(cache=True) + b"\n"
    if not verifies(core.keys.wechat_pay[merchant.mchid].merchant_public, message, fields["signature"]):
        return error(401, "SIGN_ERROR", "签名错误", sign_information={"method": request.method, "url": raw_target()})
    serial = request.headers.get("Wechatpay-Serial")
    if serial not in {None, merchant.public_key_id, merchant.platform_serial}:
        return error(401, "SIGN_ERROR", "Wechatpay-Serial 有误")
    return Caller(mchid=merchant.mchid, key_kind="public_key" if serial == merchant.public_key_id else "certificate")


def _wrong_headers() -> str | None:
    if "application/json" not in request.headers.get("Accept", ""):
        return "Http头Accept必须为application/json"
    if not request.headers.get("User-Agent"):
        return "Http头缺少User-Agent"
    if request.get_data(cache=True) and request.mimetype != "application/json":
        return "Http头Content-Type必须为application/json"
    return None


def read_body() -> dict[str, Any] | None:
    return read_object(request.get_data(cache=True))


def written(core: Core, reply: Reply, *, caller: Caller | None, found: Found, signed: bool = True) -> Response:
    """Put a reply on the wire; only successes are signed, an empty 204 over its empty body."""
    body = b"" if reply.body is None else json.dumps(reply.body, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {"Request-ID": request_id(), **reply.headers}
    if body:
        headers["Content-Type"] = "application/json; charset=utf-8"
    if reply.is_success and caller is not None and signed:
        mode = "signtest" if "signtest_response" in found else "real"
        mode = "forged" if "bad_signature_response" in found else mode
        headers |= signed_headers(core, merchant=caller.mchid, key_kind=caller.key_kind, body=body, mode=mode)
    return Response(body, status=reply.status, headers=headers)


def serve(core: Core, operation: str, order_no: str, act: Callable[[Caller], Reply], *, signed: bool = True) -> Response:
    """Do one operation for an authentic merchant, as the faults for it would have it."""
    caller = authenticate(core)
    if isinstance(caller, Reply):
        return written(core, caller, caller=None, found={})
    app = core.world.app_of_merchant(caller.mchid)
    target = Target(app_id=app.app_id if app else "", order_no=order_no, operation=f"wechat_pay.{operation}")
    found = faults.take(core.store, faults.WECHAT_PAY_ANSWER, target)
    dawdle(found)
    if "server_error" in found:
        status = faults.count(found["server_error"], 500)
        return written(core, error(status, "SYSTEM_ERROR", "系统异常，请稍后重试"), caller=None, found=found)
    if "rate_limited" in found:
        return written(core, error(429, "FREQUENCY_LIMITED", "频率限制，请降低频率后重试"), caller=None, found=found)
    reply = act(caller)
    if "brace_in_string" in found and reply.is_success and reply.body is not None:
        reply = replace(reply, body={**reply.body, "sandbox_note": 'a "}" and a {'})
    return hang_up(found, written(core, reply, caller=caller, found=found, signed=signed))
