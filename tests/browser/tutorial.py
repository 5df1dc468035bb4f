"""Reads a tutorial as a newcomer does: its commands, what they are said to print, and in each step the words to press and to look for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PIECES = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WORDS = re.compile(r"\*\*(?P<press>[^*]+)\*\*|「(?P<see>[^」]+)」")
STEPS = "## "


@dataclass(frozen=True)
class Command:
    """A fenced `sh` line, with what the `text` fence after it shows, if there is one."""

    line: str
    shown: str = ""

    @property
    def fragments(self) -> list[str]:
        """What has to stand in the output, in this order: `…` is anything."""
        return [part.strip() for line in self.shown.splitlines() for part in line.split("…") if part.strip()]


@dataclass(frozen=True)
class Press:
    label: str


@dataclass(frozen=True)
class See:
    words: str


Step = Command | Press | See


def steps_of(page: Path) -> list[Step]:
    """Everything that the page tells its reader to do, in its order. What stands before the first heading is about the page itself."""
    text = page.read_text(encoding="utf-8")
    text = text[text.index(STEPS) :]
    found: list[Step] = []
    at = 0
    for fence in PIECES.finditer(text):
        found += _in_prose(text[at : fence.start()])
        kind, body = fence.groups()
        if kind == "sh":
            found += [Command(line) for line in body.splitlines() if line]
        elif found and isinstance(found[-1], Command):
            found[-1] = Command(found[-1].line, body)
        elif kind == "text" and (last := _last_command(found)) is not None:
            # Prose may stand between a command and what it prints.
            found[last] = Command(found[last].line, body)  # type: ignore[union-attr]
        at = fence.end()
    return found + _in_prose(text[at:])


def _last_command(found: list[Step]) -> int | None:
    return next((at for at in reversed(range(len(found))) if isinstance(found[at], Command)), None)


def _in_prose(text: str) -> list[Step]:
    return [Press(word["press"]) if word["press"] else See(word["see"]) for word in WORDS.finditer(text)]
