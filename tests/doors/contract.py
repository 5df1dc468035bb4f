"""The API's document as a judge: is it a sound OpenAPI 3.1 document, and is an answer one that it promises?

Only the part of JSON Schema that the document uses is understood; any other keyword is an error, so that nothing goes unjudged.
"""

from __future__ import annotations

import re
import uuid
from datetime import date, datetime
from functools import cache
from typing import Any

METHODS = {"get", "post", "put", "patch", "delete"}
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}
KNOWN_WORDS = {
    "type", "properties", "required", "additionalProperties", "items", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum",
    "minItems", "maxItems", "format", "allOf", "anyOf", "$ref", "description", "example", "default", "title",
}  # fmt: skip


KINDS_OF_BODY = {"application/json", "application/problem+json", "image/jpeg", "image/png", "application/pdf"}


@cache
def the_document() -> dict[str, Any]:
    from app import create_app
    from config.settings import Settings

    return create_app(Settings(), doors=["miniprogram_api"]).spec


def operations() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """operationId → method, path, operation."""
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, item in the_document()["paths"].items()
        for method, operation in item.items()
    }


def promised_codes(operation: dict[str, Any]) -> dict[str, set[str]]:
    """Status → codes of refusals."""
    return {
        status: set(answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"])
        for status, answer in operation["responses"].items()
        if "application/problem+json" in answer.get("content", {})
    }


def promised_pairs() -> list[tuple[str, str]]:
    """Every (operation, code) in the document."""
    return sorted(
        (name, code)
        for name, (_, _, operation) in operations().items()
        for codes in promised_codes(operation).values()
        for code in codes
    )


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        target: Any = the_document()
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = target
    return schema


def faults(value: Any, schema: dict[str, Any], at: str = "$") -> list[str]:
    """What about this value the schema does not allow."""
    schema = resolve(schema)
    unknown = schema.keys() - KNOWN_WORDS
    if unknown:
        return [f"{at}: the judge does not know {unknown}"]
    found = [fault for each in schema.get("allOf", ()) for fault in faults(value, each, at)]
    if "anyOf" in schema and all(faults(value, each, at) for each in schema["anyOf"]):
        found.append(f"{at}: none of anyOf")
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(_is(value, each) for each in types):
        return [*found, f"{at}: {value!r} is not {types}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is not among {schema['enum']}")
    return found + _faults_inside(value, schema, at)


def _is(value: Any, name: str) -> bool:
    return isinstance(value, TYPES[name]) and (not isinstance(value, bool) or name == "boolean")


def _faults_inside(value: Any, schema: dict[str, Any], at: str) -> list[str]:
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found = [f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value]
        for name, inner in value.items():
            more = known.get(name, schema.get("additionalProperties", True))
            if more is False:
                found.append(f"{at}: {name} is not promised")
            elif isinstance(more, dict):
                found += faults(inner, more, f"{at}.{name}")
        return found
    if isinstance(value, list):
        found = [fault for i, inner in enumerate(value) for fault in faults(inner, schema.get("items", {}), f"{at}[{i}]")]
        short, long = schema.get("minItems", 0), schema.get("maxItems", len(value))
        return found if short <= len(value) <= long else [*found, f"{at}: {len(value)} items"]
    if isinstance(value, str):
        return _faults_of_text(value, schema, at)
    if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return [f"{at}: {value} is out of bounds"]
    return []


def _faults_of_text(value: str, schema: dict[str, Any], at: str) -> list[str]:
    readers = {"uuid": uuid.UUID, "date-time": datetime.fromisoformat, "date": date.fromisoformat}
    found = []
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{at}: {value!r} does not match {schema['pattern']}")
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        found.append(f"{at}: {len(value)} characters")
    try:
        moment = readers.get(schema.get("format", ""), str)(value)
    except ValueError:
        return [*found, f"{at}: {value!r} is no {schema['format']}"]
    if isinstance(moment, datetime) and moment.tzinfo is None:
        found.append(f"{at}: a moment without a time zone")
    return found


def document_faults(document: dict[str, Any]) -> list[str]:
    """What is unsound about an OpenAPI 3.1 document, as far as we use the language."""
    found = []
    if not re.fullmatch(r"3\.1\.\d", document.get("openapi", "")):
        found.append("openapi: not 3.1")
    found += [f"info.{name}: missing" for name in ("title", "version") if not document.get("info", {}).get(name)]
    found += [
        f"{word}: not a member of an OpenAPI document"
        for word in document.keys() - {"openapi", "info", "tags", "paths", "components"}
    ]
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        found += _schema_faults(schema, f"schemas.{name}", document)
    names: list[str] = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            at = f"{method} {path}"
            if method not in METHODS:
                found.append(f"{at}: no such method")
            names.append(operation.get("operationId", ""))
            found += _operation_faults(path, method, operation, at, document)
    found += [f"operationId {name!r}: not unique" for name in set(names) if names.count(name) != 1]
    used = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    found += [f"schemas.{name}: nobody refers to it" for name in schemas.keys() - used]
    return found


def _operation_faults(  # noqa: C901, PLR0912 - one long list of small questions
    path: str, method: str, operation: dict[str, Any], at: str, document: dict[str, Any]
) -> list[str]:
    found = [f"{at}: no {name}" for name in ("operationId", "summary", "responses", "tags") if not operation.get(name)]
    found += [
        f"{at}: {word} is not a member of an operation"
        for word in operation.keys()
        - {"operationId", "summary", "description", "responses", "tags", "parameters", "requestBody", "security"}
    ]
    told = [tag["name"] for tag in document.get("tags", [])]
    found += [f"{at}: the tag {tag} is not declared" for tag in operation["tags"] if tag not in told]
    parameters = operation.get("parameters", [])
    in_path = {each["name"] for each in parameters if each["in"] == "path"}
    if in_path != set(re.findall(r"{(\w+)}", path)):
        found.append(f"{at}: path parameters {in_path}")
    for each in parameters:
        if each["in"] not in {"path", "query", "header", "cookie"} or (
            each["in"] == "path" and each.get("required") is not True
        ):
            found.append(f"{at}: parameter {each['name']}")
        found += _schema_faults(each["schema"], f"{at} {each['name']}", document)
    for name in [name for one in operation.get("security", []) for name in one]:
        if name not in document["components"]["securitySchemes"]:
            found.append(f"{at}: security {name}")
    bodies = [("requestBody", operation["requestBody"])] if "requestBody" in operation else []
    if bodies and method in {"get", "delete"}:
        found.append(f"{at}: a body where none belongs")
    for status, answer in operation["responses"].items():
        if not re.fullmatch(r"[1-5]\d\d", status) or not answer.get("description"):
            found.append(f"{at} {status}: no description")
        if status != "204" and not answer.get("content"):
            found.append(f"{at} {status}: no schema")
        for name, header in answer.get("headers", {}).items():
            found += _schema_faults(header["schema"], f"{at} {status} {name}", document)
        bodies.append((status, answer))
    if sum(status.startswith("2") for status in operation["responses"]) != 1:
        found.append(f"{at}: one good answer is expected")
    for name, body in bodies:
        for kind, content in body.get("content", {}).items():
            if kind not in KINDS_OF_BODY:
                found.append(f"{at} {name}: {kind}")
            found += _schema_faults(content["schema"], f"{at} {name}", document)
    return found


def _schema_faults(schema: Any, at: str, document: dict[str, Any]) -> list[str]:
    if isinstance(schema, bool):
        return []
    found = [f"{at}: {word} is not understood" for word in schema.keys() - KNOWN_WORDS]
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        if name not in document["components"]["schemas"]:
            found.append(f"{at}: {schema['$ref']} leads nowhere")
    types = schema.get("type", [])
    found += [f"{at}: type {each}" for each in ([types] if isinstance(types, str) else types) if each not in TYPES]
    if "pattern" in schema:
        re.compile(schema["pattern"])
    found += [
        f"{at}: requires {name}, which it does not describe"
        for name in schema.get("required", ())
        if name not in schema.get("properties", {})
    ]
    for name, inner in schema.get("properties", {}).items():
        found += _schema_faults(inner, f"{at}.{name}", document)
    for word in ("items", "additionalProperties"):
        if word in schema:
            found += _schema_faults(schema[word], f"{at}.{word}", document)
    for word in ("allOf", "anyOf"):
        for i, inner in enumerate(schema.get(word, ())):
            found += _schema_faults(inner, f"{at}.{word}[{i}]", document)
    return found
