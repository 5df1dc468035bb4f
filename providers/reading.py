"""Reading what others wrote: strict about shape, so that nothing odd travels further in. All trouble is Unreadable."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTICE_LIMIT_BYTES = 64 * 1024
LARGEST_FEN = 2**63 - 1
BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
YUAN = re.compile(r"[0-9]{1,15}(\.[0-9]{1,2})?")
BEIJING_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?")


class Unreadable(ValueError):
    """Not of the shape that was agreed. The message names a field, never its value."""


def json_object(raw: bytes | str) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):  # bad UTF-8, bad JSON, a number of 5,000 digits, 60,000 brackets
        raise Unreadable("not JSON") from None
    if not isinstance(found, dict):
        raise Unreadable("not a JSON object")
    return found


def inner(source: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = source.get(name)
    if not isinstance(found, dict):
        raise Unreadable(name)
    return found


def text(source: Mapping[str, Any], name: str, *, limit: int = 128) -> str:
    """A field that must be there, printable and not empty."""
    found = maybe_text(source, name, limit=limit)
    if found is None:
        raise Unreadable(name)
    return found


def maybe_text(source: Mapping[str, Any], name: str, *, limit: int = 128) -> str | None:
    """A field that may be missing, null or empty. Control characters and lone surrogates would break a database."""
    found = source.get(name)
    if found is None or found == "":
        return None
    if not isinstance(found, str) or len(found) > limit or not found.isprintable():
        raise Unreadable(name)
    return found


def must_say(source: Mapping[str, Any], name: str, value: str | int) -> None:
    """That an answer is about what was asked. Raises Unreadable where the field says something else, or is not there."""
    if source.get(name) != value:
        raise Unreadable(name)


def fen(source: Mapping[str, Any], name: str) -> int:
    """An amount given as an integer of fen."""
    found = source.get(name)
    if type(found) is not int or not 0 <= found <= LARGEST_FEN:  # bool is an int, and no amount
        raise Unreadable(name)
    return found


def yuan_as_fen(source: Mapping[str, Any], name: str) -> int:
    """An amount given as a string of yuan with at most two decimals."""
    found = source.get(name)
    if not isinstance(found, str) or not YUAN.fullmatch(found):
        raise Unreadable(name)
    return int(Decimal(found) * 100)


def fen_as_yuan(amount_fen: int) -> str:
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"


def maybe_instant(source: Mapping[str, Any], name: str) -> datetime | None:
    """A moment in RFC 3339 with its offset, as aware UTC."""
    found = maybe_text(source, name)
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(found)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Unreadable(name)


def maybe_beijing_time(source: Mapping[str, Any], name: str) -> datetime | None:
    """A moment as Beijing's clocks show it, without saying so, as aware UTC."""
    found = maybe_text(source, name)
    if found is None:
        return None
    try:
        if BEIJING_TIME.fullmatch(found):
            return datetime.fromisoformat(found).replace(tzinfo=BEIJING).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Unreadable(name)
