"""What this run collected, before anything was deselected. A module of its own: conftest.py lives twice, as pytest's and as ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

NAMES = pytest.StashKey[set[str]]()


def remember(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Of whole files only: where somebody asked for single tests, the rest of their files was never looked at."""
    names = {item.nodeid.partition("[")[0] for item in items}
    config.stash[NAMES] = set() if any("::" in each for each in config.args) else names
