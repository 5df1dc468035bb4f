# ruff: noqa: ARG002 - whatever is asked, the answer is the same
"""Money that the tax authority took in by itself: nobody can be asked about it, and it goes back by the treasury alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from providers.protocols import BadSignature, Channel, ProviderRefused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from providers.protocols import RefundOrder

TREASURY_ALONE: Final = "TREASURY_ALONE"
"""Nothing of this money is ours to move: it is returned by the treasury (退库)."""
LIST_ALONE: Final = "LIST_ALONE"
"""What there is to know stands in the list."""


class TaxOffice:
    """One tax authority's own tills. A PaymentProvider whose every question and order is refused for good."""

    channel = Channel.TAX

    def __init__(self, *, authority: str) -> None:
        self.merchant = authority

    def __repr__(self) -> str:
        return f"TaxOffice({self.merchant})"

    def freeze(
        self, *, payment_no: str, amount_fen: int, description: str, expires_at: datetime, payer_subject: str
    ) -> NoReturn:
        raise ProviderRefused(LIST_ALONE)

    def open_payment(self, frozen: bytes) -> NoReturn:
        raise ProviderRefused(LIST_ALONE)

    def launch(self, handle: str, *, now: datetime) -> NoReturn:
        raise ProviderRefused(LIST_ALONE)

    def ask(self, payment_no: str) -> NoReturn:
        raise ProviderRefused(LIST_ALONE)

    def close(self, payment_no: str) -> NoReturn:
        raise ProviderRefused(LIST_ALONE)

    def refund(self, order: RefundOrder) -> NoReturn:
        raise ProviderRefused(TREASURY_ALONE)

    def ask_refund(self, order: RefundOrder) -> NoReturn:
        raise ProviderRefused(TREASURY_ALONE)

    def open_notice(self, headers: Mapping[str, str], raw: bytes, *, now: datetime) -> NoReturn:
        raise BadSignature("no_notices")
