"""The OpenAPI document, made complete: every refusal by number and code, keys, tokens, and problem+json throughout."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from miniprogram_api.errors import DOOR_CODES, PREFIX, STATUS
from services.errors import SignInAgain

if TYPE_CHECKING:
    from apiflask import APIFlask

PROBLEM = {
    "type": "object",
    "required": ["type", "status", "code", "title", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "稳定的英文代码，供程序判断"},
        "title": {"type": "string", "description": "发生了什么"},
        "detail": {"type": "string", "description": "下一步怎么办"},
        "request_id": {"type": "string"},
        "errors": {"type": "object", "description": "字段 → 原因"},
    },
    "additionalProperties": True,
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "minLength": 8, "maxLength": 64, "pattern": "^[!-~]{8,64}$"},
    "description": "由手机生成，同一操作重试时保持不变",
}


def complete_document(app: APIFlask, spec: dict[str, Any]) -> dict[str, Any]:
    """Add what the schemas do not say."""
    components = spec.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for unused in ("HTTPError", "ValidationError"):
        components["schemas"].pop(unused, None)
    for rule in app.url_map.iter_rules():
        contract = getattr(app.view_functions[rule.endpoint], "canbao", None)
        if contract is None:
            continue
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            operation = spec["paths"][path][method.lower()]
            operation["responses"] = _responses(operation.get("responses", {}), contract)
            if contract["signed_in"]:
                operation["security"] = [{"token": []}]
            if contract["creates"]:
                operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
    spec["paths"] = dict(sorted(spec["paths"].items()))
    components["schemas"] = dict(sorted(components["schemas"].items()))
    assert all(path.startswith(PREFIX) for path in spec["paths"]), "a path outside the API got into its document"  # noqa: S101
    return spec


def _responses(given: dict[str, Any], contract: dict[str, Any]) -> dict[str, Any]:
    codes: dict[int, set[str]] = defaultdict(set)
    for error in contract["fails"]:
        codes[STATUS[error.kind]].add(error.code)
    if contract["signed_in"]:
        codes[401].add(SignInAgain.code)
    if contract["takes"]:
        codes[400] |= {DOOR_CODES[400][0], "JSON_TOO_DEEP"}
        for status in (413, 415, 422):
            codes[status].add(DOOR_CODES[status][0])
    if contract["creates"]:
        codes[400].add("IDEMPOTENCY_KEY_MISSING")
    for status in (404, 405, 500, 503):
        if status != 404 or codes.get(404):  # noqa: PLR2004 - a path without a noun to miss cannot miss it
            codes[status].add(DOOR_CODES[status][0])
    good = {status: answer for status, answer in given.items() if status == str(contract["status"])}
    if not good:
        good = {str(contract["status"]): {"description": "Done"}}
    refusals = {str(status): _problem_answer(sorted(each)) for status, each in sorted(codes.items())}
    return {**good, **refusals}


def _problem_answer(codes: list[str]) -> dict[str, Any]:
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": {"code": {"enum": codes}}}]}
    return {"description": " · ".join(codes), "content": {"application/problem+json": {"schema": schema}}}
