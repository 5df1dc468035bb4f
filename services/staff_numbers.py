"""A staff number in its one writing: S1024, s1024 and Ｓ１０２４ are one person."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from services.counter_errors import StaffNumberMalformed

STAFF_NUMBER: Final = re.compile(r"[A-Z0-9]{2,16}")


def parse_staff_number(given: str) -> str:
    """Upper case, half width, without spaces around. Raises StaffNumberMalformed."""
    number = unicodedata.normalize("NFKC", given).strip().upper()
    if not STAFF_NUMBER.fullmatch(number):
        raise StaffNumberMalformed
    return number
