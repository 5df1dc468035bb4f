"""What happens when: acts at their moments, in order, one after the other; whoever acts may write more into it."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    Act = Callable[[], object]


class Diary:
    """Acts of one moment happen in the order in which they were written down."""

    def __init__(self) -> None:
        self._acts: list[tuple[datetime, int, Act]] = []
        self._numbers = itertools.count()
        self._once: set[tuple[datetime, str]] = set()

    def at(self, moment: datetime, act: Act) -> None:
        heapq.heappush(self._acts, (moment, next(self._numbers), act))

    def once_at(self, moment: datetime, name: str, act: Act) -> None:
        """Like `at`, but what is written there under this name already is not written again."""
        if (moment, name) not in self._once:
            self._once.add((moment, name))
            self.at(moment, act)

    def until(self, end: datetime) -> Iterator[tuple[datetime, Iterator[Act]]]:
        """Each moment before `end` with its acts, also those that are written while it is read."""
        while self._acts and self._acts[0][0] < end:
            moment = self._acts[0][0]
            yield moment, self._of(moment)
        self._once = {(moment, name) for moment, name in self._once if moment >= end}

    def _of(self, moment: datetime) -> Iterator[Act]:
        while self._acts and self._acts[0][0] <= moment:
            yield heapq.heappop(self._acts)[2]
