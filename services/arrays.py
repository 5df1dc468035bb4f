"""Whole columns as one parameter, for statements that take a batch at once (`unnest`, `ANY`)."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterable


def array(values: Iterable[Any]) -> str:
    """An array as PostgreSQL reads it. The driver's own way with lists took a seventh of all settling."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, UUID):
        return value.hex  # three times as fast as with its dashes
    return str(value)  # numbers and truth have nothing to escape


@lru_cache(maxsize=1_024)
def _moment(value: datetime) -> str:
    """Most rows of a batch bear the same moment."""
    return f'"{value.isoformat()}"'
