# ruff: noqa: INP001 - beside the file that it writes, not a package
"""Writes `wire.d.ts` from the API's document: what each operation takes and answers, for the editor of a mini-program's author."""

from __future__ import annotations

import json
import re
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
JSON = "application/json"
HEAD = "// Made by client/wire.py from docs/reference/openapi.json. Change the API, then run: make docs\n"
TYPES = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
BYTES = "ArrayBuffer"


def camel(operation_id: str) -> str:
    """`read_order` → `readOrder`."""
    first, *rest = operation_id.split("_")
    return first + "".join(each.title() for each in rest)


def operations(document: dict[str, Any]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Name in the client → method, path below /api/v1, and what the document says of it."""
    return {
        camel(said["operationId"]): (method.upper(), path.removeprefix("/api/v1"), said)
        for path, here in document["paths"].items()
        for method, said in here.items()
        if method in METHODS
    }


def type_of(schema: dict[str, Any]) -> str:
    """TypeScript's word for a schema. Raises ValueError where it knows none, so that nothing is quietly `any`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(type_of(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(json.dumps(each, ensure_ascii=False) for each in schema["enum"])
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return " | ".join(type_of({**schema, "type": kind}) for kind in kinds)
    if kinds == "array":
        return f"Array<{type_of(schema['items'])}>"
    if kinds == "object" and "properties" not in schema:
        inner = schema.get("additionalProperties")
        return f"Record<string, {type_of(inner) if isinstance(inner, dict) and inner else 'unknown'}>"
    if kinds in TYPES:
        return TYPES[kinds]
    raise ValueError(schema)


def interface(name: str, schema: dict[str, Any]) -> str:
    needed = set(schema.get("required", ()))
    lines = []
    for field, each in schema.get("properties", {}).items():
        if said := " ".join(str(each.get("description", "")).split()).replace("*/", ""):
            lines.append(f"  /** {said} */")
        lines.append(f"  {field}{'' if field in needed else '?'}: {type_of(each)};")
    if schema.get("additionalProperties") is True:
        lines.append("  [fact: string]: unknown;")
    return "\n".join([f"export interface {name} {{", *lines, "}"]) + "\n"


def given(said: dict[str, Any]) -> str:
    """What the caller hands over, in one object: the path's names, the query's, and the body's fields."""
    named = [each for each in said.get("parameters", []) if each["in"] in {"path", "query"}]
    fields = [f"{each['name']}{'' if each.get('required') else '?'}: {type_of(each['schema'])}" for each in named]
    content = said.get("requestBody", {}).get("content", {})
    if content and JSON not in content:
        fields.append(f"picture: {BYTES}")
    parts = [f"{{ {'; '.join(fields)} }}"] if fields else []
    if JSON in content:
        parts.append(type_of(content[JSON]["schema"]))
    return " & ".join(parts) or "Nothing"


def answer(said: dict[str, Any]) -> str:
    content = next(each for number, each in said["responses"].items() if number.startswith("2")).get("content", {})
    if not content:
        return "void"
    return type_of(content[JSON]["schema"]) if JSON in content else BYTES


def types(document: dict[str, Any]) -> str:
    """The whole file."""
    interfaces = [interface(name, each) for name, each in document["components"]["schemas"].items()]
    lines = []
    for name, (_, _, said) in operations(document).items():
        summary = re.sub(r"\s+", " ", said.get("summary", "")).replace("*/", "").strip()
        lines += [f"  /** {summary} */", f"  {name}: {{ given: {given(said)}; answer: {answer(said)} }};"]
    return "\n".join([HEAD, *interfaces, "export interface Operations {", *lines, "}"]) + "\n"
