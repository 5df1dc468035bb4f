"""What may come in at all: JSON of sane depth and sane numbers, text that a database can hold. And the fields we say things with.

Three requests used to end as a server error before any schema saw them: nesting tens of thousands deep, an integer of thousands of
digits, and text with NUL or half a surrogate pair. They are refused here, once, for every endpoint.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, ClassVar, Final

from apiflask import Schema
from apiflask.fields import Integer, String
from apiflask.validators import Length, Range, Regexp
from flask import current_app, request
from marshmallow import RAISE, ValidationError

from miniprogram_api.errors import DoorRefusal, is_ours
from services.pictures import MOST_BYTES

LARGEST_BODY_BYTES: Final = 64 * 1024
DEEPEST: Final = 20
BIGGEST_INTEGER_DIGITS: Final = 18
"""BIGINT holds 18 digits whatever they are."""
UNHOLDABLE: Final = re.compile("[\x00\ud800-\udfff]")
METHODS_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
# Strings are skipped whole, also one that never ends, so that no bracket inside them counts and no scan starts twice.
BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


def guard_request() -> None:
    """Refuse what no schema should have to look at."""
    if not is_ours(request.path):
        return
    if UNHOLDABLE.search(request.path):
        raise DoorRefusal(404)
    if request.url_rule is None:
        return  # unknown, whatever it brought
    if request.method not in METHODS_WITH_BODY:
        return
    if _takes_picture():
        # Read by the endpoint itself, after it knows who asks. One byte more than it allows: see app.py.
        request.max_content_length = MOST_BYTES + 1
        return
    raw = request.get_data(cache=True)
    if not raw:
        return
    if len(raw) > LARGEST_BODY_BYTES:
        raise DoorRefusal(413)
    if request.mimetype != "application/json":
        raise DoorRefusal(415)
    if faults := dict(_unholdable(_read(raw))):
        raise DoorRefusal(422, errors=faults)


def _takes_picture() -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    return bool(getattr(view, "canbao", {}).get("takes_picture"))


def _read(raw: bytes) -> dict[str, Any]:
    if _depth(raw) > DEEPEST:
        raise DoorRefusal(400, code="JSON_TOO_DEEP")
    try:
        given = json.loads(
            raw.decode("utf-8"),
            parse_int=_integer,
            parse_float=_fraction,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise DoorRefusal(400) from None
    if not isinstance(given, dict):
        raise DoorRefusal(400)
    return given


def _depth(raw: bytes) -> int:
    """How deep the brackets go."""
    deepest = depth = 0
    for each in BRACKETS.finditer(raw):
        mark = each[0][0]
        if mark in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in b"]}":
            depth -= 1
    return deepest


def _integer(digits: str) -> int:
    if len(digits) > BIGGEST_INTEGER_DIGITS:
        raise ValueError("an integer that no column holds")
    return int(digits)


def _fraction(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number beyond all numbers")
    return value


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Whoever reads the first one and whoever reads the last one would disagree about what was asked.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name that stands twice")
    return found


def _unholdable(given: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The fields that hold what no database holds, somewhere inside."""
    return [
        (UNHOLDABLE.sub("�", name), ["含有不能使用的字符"])
        for name, value in given.items()
        if any(UNHOLDABLE.search(text) for text in _texts({name: value}))
    ]


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [*value, *(text for inner in value.values() for text in _texts(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return []


class Given(Schema):
    """What an endpoint takes. A field that it does not name is refused by name, not dropped in silence."""

    class Meta:
        unknown: ClassVar[str] = RAISE


class Nothing(Given):
    """Takes no field: an empty object, or no body at all."""


class Whole(Regexp):
    """A pattern for the whole text: `$` alone would let a line end slip through behind it."""

    def __call__(self, value: Any) -> Any:
        if re.fullmatch(self.regex.pattern, value) is None:
            raise ValidationError(self._format_error(value))
        return value


def fen(**more: Any) -> Integer:
    """An amount in fen: a strict integer, positive, and small enough for a person's money."""
    return Integer(strict=True, validate=Range(min=1, max=10**11), **more)


def short_text(longest: int = 64, *, shortest: int = 1, **more: Any) -> String:
    return String(validate=Length(min=shortest, max=longest), **more)


def number(**more: Any) -> String:
    """One of our opaque numbers."""
    return String(validate=Whole(r"^[0-9A-Z]{24}$"), **more)
