"""What may come in at all: JSON of sane depth and sane numbers, text that a database can hold. And the fields we say things with.

Three requests used to end as a server error before any schema saw them: nesting tens of thousands deep, an integer of thousands of
digits, and text with NUL or half a surrogate pair. They are refused here, once, for every endpoint.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from apiflask.fields import Integer, String
from apiflask.validators import Length, Range, Regexp
from flask import request

from miniprogram_api.errors import PREFIX, DoorRefusal

DEEPEST: Final = 20
BIGGEST_INTEGER_DIGITS: Final = 18
"""BIGINT holds 18 digits whatever they are."""
UNHOLDABLE: Final = re.compile("[\x00\ud800-\udfff]")
METHODS_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


def guard_request() -> None:
    """Refuse what no schema should have to look at."""
    if not request.path.startswith(PREFIX):
        return
    if UNHOLDABLE.search(request.path) or any(UNHOLDABLE.search(key + value) for key, value in request.args.items(multi=True)):
        raise DoorRefusal(404)
    if request.method not in METHODS_WITH_BODY:
        return
    raw = request.get_data(cache=True)
    if not raw:
        return
    if request.mimetype != "application/json":
        raise DoorRefusal(415)
    if _depth(raw) > DEEPEST:
        raise DoorRefusal(400, code="JSON_TOO_DEEP")
    try:
        given = json.loads(raw.decode("utf-8"), parse_int=_integer, parse_constant=_constant)
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise DoorRefusal(400) from None
    _refuse_unholdable(given)


def _depth(raw: bytes) -> int:
    """How deep the brackets go. Brackets inside strings count too: nobody honest has twenty of them."""
    deepest = depth = 0
    for each in raw:
        if each in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif each in b"]}":
            depth -= 1
    return deepest


def _integer(digits: str) -> int:
    if len(digits) > BIGGEST_INTEGER_DIGITS:
        raise ValueError("an integer that no column holds")
    return int(digits)


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _refuse_unholdable(value: Any) -> None:
    if isinstance(value, str):
        if UNHOLDABLE.search(value):
            raise DoorRefusal(422)
    elif isinstance(value, dict):
        for key, inner in value.items():
            _refuse_unholdable(key)
            _refuse_unholdable(inner)
    elif isinstance(value, list):
        for inner in value:
            _refuse_unholdable(inner)


def fen(**more: Any) -> Integer:
    """An amount in fen: a strict integer, positive, and small enough for a person's money."""
    return Integer(strict=True, validate=Range(min=1, max=10**11), **more)


def short_text(longest: int = 64, *, shortest: int = 1, **more: Any) -> String:
    return String(validate=Length(min=shortest, max=longest), **more)


def number(**more: Any) -> String:
    """One of our opaque numbers."""
    return String(validate=Regexp(r"^[0-9A-Z]{24}$"), **more)
