"""Idempotency keys: a creating request that was carried out is told again, not carried out again.

Kept are the hash of the request and the id of what it made; answers are rebuilt, since they hold tokens and stale signatures.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from models.accounts import IdempotencyKey
from models.base import constraint_of
from services.errors import IdempotencyKeyReused

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.orm import Session

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One creating request, by its own name."""

    account_id: uuid.UUID
    route: str
    key: str
    request_hash: bytes


def fingerprint(*words: Any) -> bytes:
    """The same wish in the same words has the same hash."""
    return hashlib.sha256(json.dumps(words).encode()).digest()


def known_result(session: Session, asked: Asked) -> str | None:
    """What this request made before, if anything. Raises IdempotencyKeyReused when its key came with other words then."""
    known = session.get(IdempotencyKey, (asked.account_id, asked.route, asked.key))
    if known is None:
        return None
    if bytes(known.request_hash) != asked.request_hash:
        raise IdempotencyKeyReused
    return known.result_id


def keep_result(session: Session, asked: Asked, *, result_id: str, now: datetime) -> None:
    """Remember what this request makes, in the transaction that makes it. The later of two presses meets pk_idempotency_keys."""
    session.add(
        IdempotencyKey(
            account_id=asked.account_id,
            route=asked.route,
            key=asked.key,
            request_hash=asked.request_hash,
            result_id=result_id,
            created_at=now,
        )
    )
    session.flush()


def made_once(make: Callable[[], T], *, or_met: str = "") -> T:
    """What `make` answers, asked once more where another press with the same key was faster: its result is there to be told then.

    `or_met`: another constraint after which the second try is as good.
    """
    try:
        return make()
    except IntegrityError as fault:
        if constraint_of(fault) not in ("pk_idempotency_keys", or_met):
            raise
    return make()


def forget_result(session: Session, asked: Asked) -> None:
    """What was begun came to nothing: the same key may try again."""
    session.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.account_id == asked.account_id,
            IdempotencyKey.route == asked.route,
            IdempotencyKey.key == asked.key,
        )
    )
