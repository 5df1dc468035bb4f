"""Journeys of one person after another through the town that all of them share."""

from __future__ import annotations

from tests.own_log import own_log  # noqa: F401 - commands and doors of this process set up its log
from tests.town import rested  # noqa: F401 - for every test here
