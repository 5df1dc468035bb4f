"""Withholding agreements: by whose card, and since when, the collection authority may debit one insurance of one person.

The source has three names for it (R-XJ-52); this is the one noun behind all of them.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Moves, Stateful, new_id, new_number, one_of


class AgreementState(StrEnum):
    """PENDING_VERIFY → ACTIVE ↔ SUSPENDED → TERMINATED; REJECTED (domain §8.4)."""

    PENDING_VERIFY = "PENDING_VERIFY"
    """The bank has not answered yet, or a second one of the staff has not confirmed what the first recorded."""
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    """The card is lost or frozen: nothing is debited until the bank says that it is well again."""
    TERMINATED = "TERMINATED"
    REJECTED = "REJECTED"


_A = AgreementState
LIVE: Final = (AgreementState.PENDING_VERIFY, AgreementState.ACTIVE, AgreementState.SUSPENDED)
"""States in which no second agreement on the same insurance can be made."""


class AgreementChannel(StrEnum):
    """Where it was signed."""

    ONLINE = "ONLINE"
    BRANCH = "BRANCH"
    """At a branch of the bank; recorded by one of the staff, confirmed by another (R-CZ-12)."""


class AgreementReason(StrEnum):
    """Why it was rejected or suspended. A closed list: free words would hold people's data."""

    HOLDER_MISMATCH = "HOLDER_MISMATCH"
    """Card, name, ID number and phone do not belong together."""
    CARD_UNSUPPORTED = "CARD_UNSUPPORTED"
    NO_ANSWER = "NO_ANSWER"
    """The bank was asked as often as makes sense."""
    CONSENT_TAKEN_BACK = "CONSENT_TAKEN_BACK"
    RECORDED_WRONGLY = "RECORDED_WRONGLY"
    """The second one of the staff did not confirm it."""
    CARD_LOST = "CARD_LOST"
    ACCOUNT_FROZEN = "ACCOUNT_FROZEN"


class WithholdingAgreement(Stateful, Base):
    """One person's agreement on one insurance with one collection authority; the holder of the account is the person."""

    __tablename__ = "withholding_agreements"
    __table_args__ = (
        one_of(AgreementState),
        one_of(AgreementChannel, "channel"),
        one_of(AgreementReason, "reason"),
        CheckConstraint(
            "state IN ('TERMINATED', 'REJECTED') OR (card_number_sealed IS NOT NULL AND card_number_index IS NOT NULL)",
            name="card_while_live",
        ),
        CheckConstraint("(card_number_sealed IS NULL) = (card_number_index IS NULL)", name="card_found_while_sealed"),
        CheckConstraint("phone_sealed IS NULL OR state = 'PENDING_VERIFY'", name="phone_while_pending"),
        CheckConstraint("next_ask_at IS NULL OR state = 'PENDING_VERIFY'", name="asked_while_pending"),
        CheckConstraint("(state IN ('TERMINATED', 'REJECTED')) = (finished_at IS NOT NULL)", name="finished_when_over"),
        CheckConstraint("(state IN ('REJECTED', 'SUSPENDED')) = (reason IS NOT NULL)", name="reason_when_stopped"),
        CheckConstraint(
            "channel <> 'ONLINE' OR (account_id IS NOT NULL AND text_version IS NOT NULL AND text_hash IS NOT NULL)",
            name="online_by_somebody_who_agreed",
        ),
        CheckConstraint("(channel = 'BRANCH') = (recorded_by IS NOT NULL)", name="branch_recorded_by_somebody"),
        CheckConstraint("confirmed_by <> recorded_by", name="two_people"),
        CheckConstraint(
            "channel <> 'BRANCH' OR state IN ('PENDING_VERIFY', 'REJECTED') OR confirmed_by IS NOT NULL",
            name="branch_confirmed_by_another",
        ),
        Index(
            "uq_withholding_agreements_live",
            "person_id",
            "insurance_type",
            "authority",
            unique=True,
            postgresql_where=text("state IN ('PENDING_VERIFY', 'ACTIVE', 'SUSPENDED')"),
        ),
        Index(None, "person_id"),
        Index(None, "card_number_index"),
        Index(None, "next_ask_at", postgresql_where=text("next_ask_at IS NOT NULL")),
    )
    MOVES: ClassVar[Moves] = Moves(
        "withholding_agreement",
        {
            (_A.PENDING_VERIFY, _A.ACTIVE): "agreement.active",
            (_A.PENDING_VERIFY, _A.REJECTED): "agreement.rejected",
            (_A.PENDING_VERIFY, _A.TERMINATED): "agreement.taken_back",
            (_A.ACTIVE, _A.SUSPENDED): "agreement.suspended",
            (_A.SUSPENDED, _A.ACTIVE): "agreement.resumed",
            (_A.ACTIVE, _A.TERMINATED): "agreement.terminated",
            (_A.SUSPENDED, _A.TERMINATED): "agreement.terminated",
        },
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    agreement_no: Mapped[str] = mapped_column(unique=True, default=new_number)
    """Ours: what people read to each other."""
    account_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("accounts.id"))
    """By which account it was signed; none at a branch."""
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("persons.id"))
    """Whose insurance, and whose card."""
    region: Mapped[str]
    authority: Mapped[str]
    insurance_type: Mapped[str]
    state: Mapped[str] = mapped_column(default=AgreementState.PENDING_VERIFY)
    reason: Mapped[str | None]
    channel: Mapped[str]
    bank: Mapped[str]
    """The code in the region's banks.yaml."""
    bank_category: Mapped[str]
    """行别: the first three digits of the interbank number, as the rulebook had it on that day."""
    card_number_sealed: Mapped[bytes | None]
    card_number_index: Mapped[bytes | None]
    """Erased when it is rejected; of one that ended, by retention."""
    card_masked: Mapped[str]
    phone_sealed: Mapped[bytes | None]
    """The phone that the bank knows: needed to ask the bank, and erased with its answer."""
    bank_agreement_no: Mapped[str | None]
    """The bank's own number of it, where it has said one."""
    financial_function_activated: Mapped[bool | None]
    """金融功能激活 (R-CZ-41): a debit needs it besides the signature. None: nobody has said."""
    text_version: Mapped[str | None]
    text_hash: Mapped[bytes | None]
    """Which text was agreed to: SHA-256 of it."""
    signed_at: Mapped[datetime]
    recorded_by: Mapped[str | None]
    confirmed_by: Mapped[str | None]
    next_ask_at: Mapped[datetime | None]
    """When a sweep asks the bank again."""
    asks: Mapped[int] = mapped_column(server_default=text("0"))
    """How often the bank was asked."""
    verified_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    def ask(self, *, again_at: datetime) -> None:
        """The bank is being asked; whoever asks next may do so from `again_at` on."""
        self.asks, self.next_ask_at = (self.asks or 0) + 1, again_at

    def activate(self, *, who: str, at: datetime, confirmed_by: str | None = None) -> None:
        """The bank, or the second one of the staff, says yes: contributions may be debited from now on."""
        self._move(_A.ACTIVE, who=who, at=at)
        self.verified_at, self.confirmed_by = at, confirmed_by
        self._ask_no_more()

    def reject(self, reason: AgreementReason, *, who: str, at: datetime) -> None:
        """It never was one: nothing of the card is kept but its last four digits."""
        self._move(_A.REJECTED, who=who, at=at, why=f"agreement.rejected: {reason}")
        self.reason, self.finished_at = reason, at
        self.card_number_sealed = self.card_number_index = None
        self._ask_no_more()

    def suspend(self, reason: AgreementReason, *, who: str, at: datetime) -> None:
        self._move(_A.SUSPENDED, who=who, at=at, why=f"agreement.suspended: {reason}")
        self.reason = reason

    def resume(self, *, who: str, at: datetime) -> None:
        self._move(_A.ACTIVE, who=who, at=at)
        self.reason = None

    def terminate(self, *, who: str, at: datetime) -> None:
        """解约. Another card is another agreement."""
        self._move(_A.TERMINATED, who=who, at=at)
        self.finished_at, self.reason = at, None
        self._ask_no_more()

    def _ask_no_more(self) -> None:
        self.next_ask_at = self.phone_sealed = None
