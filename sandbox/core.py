"""What every provider of the sandbox shares: the world, its keys, its memory, its clock and its addresses."""

from __future__ import annotations

import datetime as dt
import secrets
import string
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.keys import Keys
from sandbox.notices import Courier
from sandbox.store import Store
from sandbox.world import World

if TYPE_CHECKING:
    from sandbox.banks import Banks

BEIJING = dt.timezone(dt.timedelta(hours=8))
DIGITS = string.digits
LETTERS = string.ascii_letters + string.digits


class HandClock:
    """The machine's time, until somebody sets it: then it stands still where it was put. A restart lets it go again."""

    def __init__(self) -> None:
        self._at: float | None = None

    def __call__(self) -> float:
        at = self._at
        return time.time() if at is None else at

    def set(self, at: float | None) -> None:
        """Stand still at this instant, or with None go on with the machine."""
        self._at = at

    @staticmethod
    def machine() -> float:
        return time.time()


@dataclass(kw_only=True)
class Core:
    """One running sandbox."""

    world: World
    keys: Keys
    store: Store
    courier: Courier
    banks: Banks
    clock: Callable[[], float]
    canbao_url: str
    letterbox_url: str
    authority_files: Path
    """Where the tax authority and the registrar put their files."""
    know_everyone: bool = False

    def now(self) -> float:
        return self.clock()


def rfc3339(at: float) -> str:
    """Write an instant as WeChat Pay does: to the second, with Beijing's offset."""
    return dt.datetime.fromtimestamp(int(at), BEIJING).isoformat()


def wall_clock(at: float) -> str:
    """Write an instant as Alipay does: Beijing's wall clock without an offset."""
    return dt.datetime.fromtimestamp(int(at), BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def day(at: float) -> str:
    return dt.datetime.fromtimestamp(at, BEIJING).strftime("%Y%m%d")


def compact_clock(at: float) -> str:
    """Write an instant as UnionPay does: Beijing's wall clock in fourteen digits."""
    return dt.datetime.fromtimestamp(int(at), BEIJING).strftime("%Y%m%d%H%M%S")


def read_rfc3339(text: str) -> float | None:
    """Read an instant with its offset; without one it means nothing."""
    try:
        read = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return read.timestamp() if read.tzinfo else None


def read_wall_clock(text: str) -> float | None:
    try:
        read = dt.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None
    return read.timestamp()


def digits(length: int) -> str:
    return "".join(secrets.choice(DIGITS) for _ in range(length))


def letters(length: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(length))


def yuan(fen: int) -> str:
    """Write fen as Alipay's yuan with two decimals."""
    return f"{fen // 100}.{fen % 100:02d}"
