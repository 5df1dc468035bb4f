"""What staff write down as their reason: it stands open, so that an auditor can read it, and therefore names nobody."""

from __future__ import annotations

import re
from typing import Final

from services.review_errors import ReasonNeeded

SHORTEST, LONGEST = 4, 200
A_NUMBER: Final = re.compile(r"[0-9]{6,}")
"""What looks like a document, a phone or a card."""


def staff_words(given: str) -> str:
    """The reason, without the space around it. Raises ReasonNeeded where it says too little, too much, or a long number."""
    said = given.strip()
    if not SHORTEST <= len(said) <= LONGEST or A_NUMBER.search(said):
        raise ReasonNeeded
    return said
