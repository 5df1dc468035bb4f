"""The second factor: codes of half a minute from the phone (TOTP, RFC 6238), each good once."""

from __future__ import annotations

import hmac
import re
import unicodedata
from typing import TYPE_CHECKING, Final

import pyotp

if TYPE_CHECKING:
    from datetime import datetime

STEP_SECONDS: Final = 30
DRIFT_STEPS: Final = 1
"""A phone's clock may be half a minute off, either way."""
CODE: Final = re.compile(r"[0-9]{6}")
ISSUER: Final = "Canbao"


def new_secret() -> str:
    """160 bits in base32, as every authenticator takes them."""
    return pyotp.random_base32()


def step_at(now: datetime) -> int:
    """Half minutes since 1970."""
    return int(now.timestamp()) // STEP_SECONDS


def step_of(secret: str, code: str, *, now: datetime, after: int | None) -> int | None:
    """The half minute whose code this is; None where it is none of the last, this and the next, or not later than `after`."""
    typed = "".join(unicodedata.normalize("NFKC", code).split())
    if not CODE.fullmatch(typed):
        return None
    at = step_at(now)
    hotp = pyotp.HOTP(secret)
    # All three are tried, whichever fits.
    fitting = [step for step in range(at - DRIFT_STEPS, at + DRIFT_STEPS + 1) if hmac.compare_digest(hotp.at(step), typed)]
    return next((step for step in fitting if after is None or step > after), None)


def uri_of(secret: str, *, number: str) -> str:
    """What the QR code says: otpauth://totp/…"""
    return pyotp.TOTP(secret).provisioning_uri(name=number, issuer_name=ISSUER)
