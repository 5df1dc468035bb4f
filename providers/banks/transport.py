"""How files get to a bank and back: a pair of folders, `out` and `in`, here or at the bank's SFTP server.

A file is there when its flag is: it is written under another name, renamed, and flagged after that. Whoever dies half way leaves nothing that
anybody would read.
"""

from __future__ import annotations

import os
import re
import secrets
from typing import TYPE_CHECKING, Final, Protocol

from providers.protocols import ProviderUnreachable

if TYPE_CHECKING:
    from pathlib import Path

FLAG_END: Final = ".ok"
PART_END: Final = ".tmp"
WHOLE: Final = re.compile(r"(\.ok)?(\.[0-9a-f]{8}\.tmp)?$")
MOST_BYTES: Final = 64 * 1024 * 1024
"""A batch has some thousands of lines; nobody means to send us more than this."""
OUT: Final = "out"
IN: Final = "in"


class Transport(Protocol):
    """Each of these raises ProviderUnreachable where it may or may not have come about; to do it again is the same."""

    def put(self, name: str, content: bytes, flag: bytes) -> None:
        """Leave a whole file for the bank, with its flag."""

    def waiting(self) -> list[str]:
        """Files of ours that the bank has not taken, by name."""

    def take_back(self, name: str) -> None:
        """Remove a file of ours and its flag, whether it is there or not."""

    def arrived(self) -> list[str]:
        """Files of the bank whose flag is there, by name."""

    def fetch(self, name: str) -> tuple[bytes, bytes] | None:
        """A file of the bank and its flag; None where one of the two is not there."""

    def put_away(self, name: str) -> None:
        """Remove a file of the bank and its flag, whether it is there or not."""


class FolderPair:
    """`out` and `in` below one folder, as the bank's front-end machine (前置机) reads and writes them. Nobody but their owner sees into them."""

    def __init__(self, root: Path) -> None:
        self._out, self._in = root / OUT, root / IN

    def __repr__(self) -> str:
        return "FolderPair()"

    def put(self, name: str, content: bytes, flag: bytes) -> None:
        try:
            self._make()
            _write_whole(self._out / name, content)
            _write_whole(self._out / f"{name}{FLAG_END}", flag)
        except OSError as fault:
            raise ProviderUnreachable(type(fault).__name__) from None

    def waiting(self) -> list[str]:
        return self._names(self._out)

    def take_back(self, name: str) -> None:
        self._remove(self._out, name)

    def arrived(self) -> list[str]:
        there = set(self._names(self._in))
        return [name for name in sorted(there) if f"{name}{FLAG_END}" in there]

    def fetch(self, name: str) -> tuple[bytes, bytes] | None:
        try:
            return _read(self._in / name), _read(self._in / f"{name}{FLAG_END}")
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise ProviderUnreachable(type(fault).__name__) from None

    def put_away(self, name: str) -> None:
        self._remove(self._in, name)

    def _make(self) -> None:
        for folder in (self._out, self._in):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _names(self, folder: Path) -> list[str]:
        try:
            self._make()
            return sorted(path.name for path in folder.iterdir() if path.is_file())
        except OSError as fault:
            raise ProviderUnreachable(type(fault).__name__) from None

    def _remove(self, folder: Path, name: str) -> None:
        try:
            # The flag first: without it nobody reads what is left.
            for each in (f"{name}{FLAG_END}", name, *parts_of(name, self._names(folder))):
                (folder / each).unlink(missing_ok=True)
        except OSError as fault:
            raise ProviderUnreachable(type(fault).__name__) from None


def _read(path: Path) -> bytes:
    """No more than a file may have, and one byte: so a reader sees that it is too long, and no memory is filled by it."""
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _write_whole(path: Path, content: bytes) -> None:
    part = path.with_name(part_of(path.name))
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def part_of(name: str) -> str:
    """Where a file is written before it is there. Another name each time: two writers of one file never write into each other's."""
    return f"{name}.{secrets.token_hex(4)}{PART_END}"


def parts_of(name: str, there: list[str]) -> list[str]:
    """What killed writers of this file, or of its flag, have left."""
    return [each for each in there if each.startswith(f"{name}.") and each.endswith(PART_END)]


def whole_name(name: str) -> str:
    """The file that a name in a folder belongs to: itself, its flag, or half of either."""
    return WHOLE.sub("", name)
