"""Whatever is left to chance, told by the seed alone: the same seed and the same words draw the same, whatever was drawn in between."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Chances:
    """`fault_percent`: how many of a hundred orders, calls and letters go wrong."""

    seed: int
    fault_percent: float

    def of(self, *words: object) -> random.Random:
        """Dice of their own for whatever these words name."""
        return random.Random(":".join(map(str, (self.seed, *words))))

    def goes_wrong(self, dice: random.Random) -> bool:
        return dice.random() * 100 < self.fault_percent
