"""What can become of a notice, and which news proves what: the words that the steps of settling share."""

from __future__ import annotations

from enum import StrEnum

from providers.protocols import NewsKind


class Outcome(StrEnum):
    """What became of a notice. Those in PARKED wait for a person; their money stands in a named account."""

    PAID = "PAID"
    ALREADY = "ALREADY"
    CLOSED = "CLOSED"
    NOTHING = "NOTHING"
    SURPLUS = "SURPLUS"
    WRONG_AMOUNT = "WRONG_AMOUNT"
    UNCLAIMED = "UNCLAIMED"
    WRONG_CURRENCY = "WRONG_CURRENCY"
    CONTRADICTION = "CONTRADICTION"
    REFUNDED = "REFUNDED"
    """What we ordered is with the payer."""
    REFUND_PENDING = "REFUND_PENDING"
    REFUND_SEEN = "REFUND_SEEN"
    REFUND_ABNORMAL = "REFUND_ABNORMAL"
    REFUND_FAILED = "REFUND_FAILED"


PARKED = frozenset(
    {
        Outcome.WRONG_AMOUNT,
        Outcome.UNCLAIMED,
        Outcome.WRONG_CURRENCY,
        Outcome.CONTRADICTION,
        Outcome.REFUND_SEEN,
        Outcome.REFUND_ABNORMAL,
        Outcome.REFUND_FAILED,
    }
)

REFUND_NEWS = frozenset({NewsKind.REFUNDED, NewsKind.REFUND_PENDING, NewsKind.REFUND_ABNORMAL, NewsKind.REFUND_FAILED})
PROOFS_OF_PAYMENT = REFUND_NEWS | {NewsKind.PAID}
"""Nothing can be refunded that was not paid: a refund's news may arrive first."""
