"""The OpenAPI document, made complete: every refusal by number and code, keys, tokens, and problem+json throughout."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from miniprogram_api.errors import DOOR_CODES, PREFIX, STATUS
from miniprogram_api.fields import METHODS_WITH_BODY
from services.errors import SignInAgain

if TYPE_CHECKING:
    from apiflask import APIFlask

ABOUT = """手机端接口。登录后带 `Authorization: Bearer …`；每个新建请求带 `Idempotency-Key`；拒绝一律是 RFC 9457 problem+json，程序只看 `code`。

Every path: an unknown one answers 404 NOT_FOUND, a known one with another method 405 METHOD_NOT_ALLOWED. Amounts are integers of fen,
moments are RFC 3339, a coverage month is YYYY-MM. `X-Request-ID` is echoed, or made.
Where a platform knows no PATCH (wx.request, my.request), a POST with `X-HTTP-Method-Override: PATCH` is taken for one."""
PROBLEM = {
    "type": "object",
    "description": "RFC 9457. Further members say facts about the refusal, such as `order_no` or `counter`.",
    "required": ["type", "status", "code", "title", "detail", "hotline", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "稳定的英文代码，供程序判断"},
        "title": {"type": "string", "description": "发生了什么"},
        "detail": {"type": "string", "description": "下一步怎么办"},
        "hotline": {"type": "string", "description": "咨询电话，随地区和事项", "example": "12333"},
        "request_id": {"type": "string"},
        "errors": {"type": "object", "description": "字段 → 原因"},
        "order_no": {"type": "string", "description": "本人已有的那笔订单"},
        "bill_id": {"type": "string", "description": "不能缴的那一笔账单"},
        "counter": {"type": "object", "description": "手机不能办理时，可去的窗口"},
        "right_region": {"type": "string", "description": "参保所在地区"},
        "amount_fen": {"type": "integer", "description": "当前应缴合计"},
        "groups": {
            "type": "array",
            "description": "可以分次支付的分组",
            "items": {"type": "array", "items": {"type": "string"}},
        },
        "ways": {
            "type": "array",
            "description": "不刷脸还可以怎么办",
            "items": {"$ref": "#/components/schemas/WayOut"},
        },
        "purpose": {"type": "string", "description": "缺少哪一项同意"},
        "version": {"type": "string", "description": "最新的告知书版本"},
        "seconds_left": {"type": "integer", "description": "还要阅读多少秒才能同意"},
    },
    "additionalProperties": True,
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "minLength": 8, "maxLength": 64, "pattern": "^[!-~]{8,64}$"},
    "description": "由手机生成，同一操作重试时保持不变",
    "example": "0192f0c4-7d3a-7cc1-b8a5-3f1d2e4c5b6a",
}
REPLAYED = {
    "Idempotency-Replayed": {
        "schema": {"type": "string", "enum": ["true"]},
        "description": "同一个 Idempotency-Key 以前已办过，这是重述",
    }
}
BYTES = {"type": "string", "format": "binary"}
PICTURE_BODY = {
    "required": True,
    "description": "照片本身（JPEG或PNG），不超过8MB；类型以内容为准",
    "content": {"image/jpeg": {"schema": BYTES}, "image/png": {"schema": BYTES}},
}
RETRY_AFTER = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "多少秒以后再试"}}
ASKS_TO_WAIT = frozenset({429, 503})
PARAMETER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")


def complete_document(app: APIFlask, spec: dict[str, Any]) -> dict[str, Any]:
    """Add what the schemas do not say."""
    spec["info"]["description"] = ABOUT
    components = spec.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for unused in ("HTTPError", "ValidationError"):
        components["schemas"].pop(unused, None)
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        contract = getattr(view, "canbao", None)
        if contract is None:
            continue
        path = PARAMETER.sub(r"{\1}", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            operation = spec["paths"][path][method.lower()]
            # The function's name is as stable as anything here: clients made from the document call it.
            operation["operationId"] = view.__name__
            operation["responses"] = _responses(operation.get("responses", {}), contract, method=method)
            operation["security"] = [{"token": []}] if contract["signed_in"] else []
            if contract["creates"]:
                operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
            if contract["takes_picture"]:
                operation["requestBody"] = PICTURE_BODY
            elif "requestBody" in operation:
                operation["requestBody"]["required"] = _has_required(components, operation["requestBody"])
    spec["paths"] = dict(sorted(spec["paths"].items()))
    components["schemas"] = dict(sorted(components["schemas"].items()))
    assert all(path.startswith(f"{PREFIX}/") for path in spec["paths"]), "a path outside the API got into its document"  # noqa: S101
    return spec


def _has_required(components: dict[str, Any], body: dict[str, Any]) -> bool:
    """Whether the body may be left out: it may where its schema asks for no field."""
    name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return bool(components["schemas"][name].get("required"))


def _responses(given: dict[str, Any], contract: dict[str, Any], *, method: str) -> dict[str, Any]:
    codes: dict[int, set[str]] = defaultdict(set)
    for error in contract["fails"]:
        codes[STATUS[error.kind]].add(error.code)
    if contract["signed_in"]:
        codes[401].add(SignInAgain.code)
    for status, each in _of_the_body(contract, method=method).items():
        codes[status] |= each
    if contract["asks"]:
        codes[422].add(DOOR_CODES[422][0])
    if contract["creates"]:
        codes[400].add("IDEMPOTENCY_KEY_MISSING")
    for status in (500, 503):
        codes[status].add(DOOR_CODES[status][0])
    good = {status: answer for status, answer in given.items() if status == str(contract["status"])}
    if not good:
        good = {str(contract["status"]): {"description": "Done"}}
    if contract["gives"]:
        good[str(contract["status"])]["content"] = {contract["gives"]: {"schema": BYTES}}
    if contract["replays"]:
        good[str(contract["status"])]["headers"] = REPLAYED
    refusals = {str(status): _problem_answer(status, sorted(each)) for status, each in sorted(codes.items())}
    return {**good, **refusals}


def _of_the_body(contract: dict[str, Any], *, method: str) -> dict[int, set[str]]:
    """What may be wrong with a body before anybody reads it."""
    if contract["takes_picture"]:
        return {status: {DOOR_CODES[status][0]} for status in (400, 413)}
    if method not in METHODS_WITH_BODY:
        return {}
    return {400: {DOOR_CODES[400][0], "JSON_TOO_DEEP"}, **{status: {DOOR_CODES[status][0]} for status in (413, 415, 422)}}


def _problem_answer(status: int, codes: list[str]) -> dict[str, Any]:
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": {"code": {"enum": codes}}}]}
    answer: dict[str, Any] = {
        "description": " · ".join(codes),
        "content": {"application/problem+json": {"schema": schema}},
    }
    if status in ASKS_TO_WAIT:
        answer["headers"] = RETRY_AFTER
    return answer
