"""One bank's counters as a way to pay. The bank calls us and never we it: what it took, it tells; what goes back, it fetches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from providers.protocols import BadSignature, Channel, NewsKind, OpenedPayment, PaymentNews, ProviderRefused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from providers.counters.signing import Signatures
    from providers.protocols import RefundOrder


class CounterMoney:
    """Money of which nobody is asked: it comes with its own proof, and its refunds wait until they are fetched. A PaymentProvider."""

    def __init__(self, *, channel: Channel, merchant: str) -> None:
        self.channel = channel
        self.merchant = merchant

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.merchant})"

    def freeze(self, *, payment_no: str, amount_fen: int, description: str, expires_at: datetime, payer_subject: str) -> bytes:  # noqa: ARG002 (nothing is opened)
        raise ValueError("a payment at a counter is made there, never opened from here")

    def open_payment(self, frozen: bytes) -> OpenedPayment:  # noqa: ARG002 (nothing is opened)
        raise ProviderRefused("MADE_AT_THE_COUNTER")

    def launch(self, handle: str, *, now: datetime) -> dict[str, str]:  # noqa: ARG002 (no phone pays here)
        return {}

    def ask(self, payment_no: str) -> PaymentNews:  # noqa: ARG002 (there is nobody to ask)
        raise ProviderRefused("NOT_ASKED")

    def close(self, payment_no: str) -> None:  # noqa: ARG002 (there is nobody to tell)
        raise ProviderRefused("NOT_CLOSED")

    def refund(self, order: RefundOrder) -> PaymentNews:
        """It stands on the list from now on; whoever paid it out tells so."""
        return PaymentNews(
            notification_id=f"query:{order.payment_no}:{NewsKind.REFUND_PENDING}:{order.refund_no}",
            kind=NewsKind.REFUND_PENDING,
            payment_no=order.payment_no,
            provider_payment_no=order.provider_payment_no,
            amount_fen=order.total_fen,
            refund_no=order.refund_no,
            refund_fen=order.refund_fen,
        )

    def ask_refund(self, order: RefundOrder) -> PaymentNews:
        return self.refund(order)

    def open_notice(self, headers: Mapping[str, str], raw: bytes, *, now: datetime) -> PaymentNews:  # noqa: ARG002 (none come)
        raise BadSignature("no_notices_here")


class BankCounter(CounterMoney):
    """A bank that speaks our partner API. A PaymentProvider and a CounterPartner."""

    def __init__(self, *, merchant: str, bank: str, region: str, authority: str, signatures: Signatures) -> None:
        super().__init__(channel=Channel.BANK_COUNTER, merchant=merchant)
        self.bank, self.region, self.authority = bank, region, authority
        self._signatures = signatures

    def open_request(self, headers: Mapping[str, str], raw: bytes, *, method: str, path: str, now: datetime) -> str:
        return self._signatures.open_request(headers, raw, method=method, path=path, now=now)

    def sign_answer(self, raw: bytes, *, status: int, path: str, nonce: str, now: datetime) -> dict[str, str]:
        return self._signatures.sign_answer(raw, status=status, path=path, nonce=nonce, now=now)
