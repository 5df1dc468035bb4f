"""The journal: one row is one transfer between two named accounts. Never updated, never deleted; the database sees to it.

    clearing:{channel}:{merchant}         what the provider took in for us
    contributions:{authority}:{insurance} paid, owed on to the authority
    treasury:{authority}                  confirmed as received by the treasury
    surplus:{payment_no}                  second, late or excess money, owed back to who paid
    unknown:{channel}:{merchant}          authentic money without an order of ours
    refunding:{refund_no}                 on its way back
    returned:{authority}                  what the treasury gave back by itself
    fees:{merchant}                       provider fees seen in bills, taken from what they hold for us

A transfer debits one account and credits another; `clearing` is what we hold, so its balance is debits less credits, and that
must equal the provider's money to the fen.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, one_of


class TransferKind(StrEnum):
    SETTLED = "SETTLED"
    SURPLUS = "SURPLUS"
    UNCLAIMED = "UNCLAIMED"
    REFUNDING = "REFUNDING"
    """Decided to go back."""
    REFUNDED = "REFUNDED"
    """With the payer again."""
    NOT_REFUNDED = "NOT_REFUNDED"
    """It failed or was refused: back to where it was owed from."""
    REFUND_SEEN = "REFUND_SEEN"
    """A refund that the provider made and we did not order."""
    ASSIGNED = "ASSIGNED"
    """冲正: a settled month bears what of its money went back unasked, as people found."""
    CONFIRMED = "CONFIRMED"
    """The treasury has the month: from what is owed on to what it confirmed."""
    FEE = "FEE"
    """What a provider kept of a day's money for its work, as its bill of that day says."""
    REVERSAL = "REVERSAL"
    """A mistake, taken back by a transfer that points at the first."""


ARRIVALS = (TransferKind.SETTLED, TransferKind.SURPLUS, TransferKind.UNCLAIMED)
"""By one of these, whatever came of a payment got into the books."""


def clearing(channel: str, merchant: str) -> str:
    return f"clearing:{channel}:{merchant}"


def contributions(authority: str, insurance_type: str) -> str:
    return f"contributions:{authority}:{insurance_type}"


def surplus(payment_no: str) -> str:
    return f"surplus:{payment_no}"


def treasury(authority: str) -> str:
    return f"treasury:{authority}"


def refunding(refund_no: str) -> str:
    return f"refunding:{refund_no}"


def returned(authority: str) -> str:
    return f"returned:{authority}"


def fees(merchant: str) -> str:
    return f"fees:{merchant}"


def unknown(channel: str, merchant: str) -> str:
    return f"unknown:{channel}:{merchant}"


class Transfer(Base):
    __tablename__ = "transfers"
    __table_args__ = (
        one_of(TransferKind, "kind"),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("debit_account <> credit_account", name="two_accounts"),
        Index(None, "payment_id"),
        # Second and wrong money is rare, and a sweep looks for it.
        Index("ix_transfers_surplus", "payment_id", postgresql_where=text("kind = 'SURPLUS'")),
        # A settled month moves its money once.
        Index(
            "uq_transfers_payment_id_bill_id_settled",
            "payment_id",
            "bill_id",
            unique=True,
            postgresql_where=text("kind = 'SETTLED'"),
        ),
        # And a confirmed one moves it on once.
        Index(
            "uq_transfers_payment_id_bill_id_confirmed",
            "payment_id",
            "bill_id",
            unique=True,
            postgresql_where=text("kind = 'CONFIRMED'"),
        ),
        CheckConstraint("(kind = 'FEE') = (reconciliation_id IS NOT NULL)", name="fee_of_a_day"),
        CheckConstraint("(kind = 'FEE') = (payment_id IS NULL)", name="all_but_fees_of_a_payment"),
        Index("ix_transfers_fees", "reconciliation_id", postgresql_where=text("kind = 'FEE'")),
        # Rows come in the order of time: a day's are found by a few pages, and writing costs nothing.
        Index(None, "at", postgresql_using="brin", postgresql_with={"autosummarize": "on", "pages_per_range": "32"}),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    debit_account: Mapped[str]
    credit_account: Mapped[str]
    amount_fen: Mapped[int]
    kind: Mapped[str]
    payment_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("payments.id"))
    """Whose money it is. None for a fee, which is of a day."""
    bill_id: Mapped[int | None] = mapped_column(ForeignKey("contribution_bills.id"))
    notice_id: Mapped[uuid.UUID | None]
    """The news that caused it. No foreign key: old notices are purged, transfers never."""
    reconciliation_id: Mapped[int | None] = mapped_column(ForeignKey("reconciliations.id"))
    """The day of a merchant account that a fee is of."""
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("transfers.id"))
    reason: Mapped[str | None]
    who: Mapped[str]
    at: Mapped[datetime]
