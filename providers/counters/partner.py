"""What the house asks of a bank whose counters query and pay, beside what it asks of every way to pay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@runtime_checkable
class CounterPartner(Protocol):
    """What a bank whose counters query and pay adds to its PaymentProvider: how it and we prove who speaks."""

    bank: str
    region: str
    authority: str

    def open_request(self, headers: Mapping[str, str], raw: bytes, *, method: str, path: str, now: datetime) -> str:
        """The request's nonce, once its signature is the bank's and its moment ours. Raises BadSignature, `clock_skew` among its reasons.

        That the nonce is new is for the house to see. Never calls out.
        """

    def sign_answer(self, raw: bytes, *, status: int, path: str, nonce: str, now: datetime) -> dict[str, str]:
        """The headers by which the bank knows that this is our answer, and to which request."""
