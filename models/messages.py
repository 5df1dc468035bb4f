"""Messages to people, written in the same transaction as what they tell; sent later, or not at all."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Moves, Stateful, new_id, one_of


class MessageKey(StrEnum):
    """What can be told. Each has its wording in config/messages/; a row never holds the text itself."""

    PAYMENT_SUCCEEDED = "payment.succeeded"
    CONTRIBUTION_CONFIRMED = "contribution.confirmed"
    """缴费成功: the treasury has it (R-CZ-50)."""
    PAYMENT_SURPLUS = "payment.surplus"
    PAYMENT_MADE_TWICE = "payment.made_twice"
    """To whoever paid first: somebody paid the same months again, and gets that money back."""
    REFUND_DONE = "refund.done"
    REFUND_DELAYED = "refund.delayed"
    """The payer's own card takes no money back: a person is at it."""
    PAYMENT_DUE_SOON = "payment.due_soon"
    PAYMENT_DUE_TOMORROW = "payment.due_tomorrow"
    AGREEMENT_ACTIVE = "agreement.active"
    """The bank answered late, and said yes."""
    AGREEMENT_REJECTED = "agreement.rejected"
    """The bank answered late and said no, or not at all."""
    AGREEMENT_SUSPENDED = "agreement.suspended"
    """The bank says that the card cannot be debited for now."""
    DEBIT_COMING = "debit.coming"
    """Some days before a run: what it would take, and that it has to lie on the card (R-XJ-24)."""
    DEBIT_TOMORROW = "debit.tomorrow"
    DEBIT_FAILED = "debit.failed"
    """Why, and when the next run is."""
    DEBIT_FAILED_LAST = "debit.failed_last"
    """Why, where nobody knows yet when the next run is."""
    APPLICATION_APPROVED = "application.approved"
    APPLICATION_APPROVED_WITH_NOTICE = "application.approved_with_notice"
    """Where a notice is to be read before the form is printed (R-CZ-36, R-CZ-37)."""
    APPLICATION_APPROVED_WITH_AGREEMENT = "application.approved_with_agreement"
    """Where a debit agreement is signed on the phone next (R-XJ-21, R-XJ-38)."""
    APPLICATION_SUSPENDED = "application.suspended"
    APPLICATION_SUSPENDED_AND_PAID = "application.suspended_and_paid"
    """Months after the suspension were paid already: they stay, and it is said."""
    APPLICATION_REJECTED = "application.rejected"
    APPLICATION_RETURNED = "application.returned"
    APPLICATION_LAPSES_SOON = "application.lapses_soon"
    """Returned, and to be mended by a day that is near."""
    APPLICATION_LAPSED = "application.lapsed"
    """Nobody mended it in time."""
    APPLICATION_OVERDUE = "application.overdue"
    """Longer than was promised: an apology, once."""


class MessageState(StrEnum):
    """Whatever the state, its account can read the message in the mini-program."""

    WAITING = "WAITING"
    SENT = "SENT"
    GIVEN_UP = "GIVEN_UP"
    """It is not pushed to the phone; `given_up_why` says why."""


_M = MessageState


class Message(Stateful, Base):
    __tablename__ = "messages"
    __table_args__ = (
        one_of(MessageState),
        Index("ix_messages_waiting", "id", postgresql_where=text("state = 'WAITING'")),
        Index(None, "account_id", "id"),
    )

    MOVES: ClassVar[Moves] = Moves(
        "message",
        {
            (_M.WAITING, _M.SENT): "message.sent",
            (_M.WAITING, _M.GIVEN_UP): "message.given_up",
        },
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    template: Mapped[str]
    """A MessageKey, never the text itself: Chinese first, other languages by the same key."""
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """Numbers and masked words only."""
    state: Mapped[str] = mapped_column(server_default=MessageState.WAITING)
    created_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(server_default="0")
    next_try_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    way: Mapped[str | None]
    """How it goes out: sms, alipay_template (neither is tried again unless it surely did not go out), or wechat_subscription, whose first attempt also took the allowance that it uses.

    Nothing where it can only be read in the mini-program, or where it is known that the last attempt did not go out.
    """
    given_up_why: Mapped[str | None]

    def attempt(self, *, way: str, next_try_at: datetime) -> None:
        """Claim it before the call: whatever becomes of this process, nobody tries again before `next_try_at`."""
        self.tries += 1
        self.way, self.next_try_at = way, next_try_at

    def take_back_attempt(self) -> None:
        """It is known that the last attempt did not go out: the next one is as good as the first."""
        self.way = None

    def send(self, *, who: str, at: datetime) -> None:
        """The platform took it."""
        self._move(_M.SENT, who=who, at=at)
        self.sent_at, self.next_try_at = at, None

    def give_up(self, *, why: str, who: str, at: datetime) -> None:
        """It will not be pushed any more; it can still be read."""
        self._move(_M.GIVEN_UP, who=who, at=at, why=f"message.given_up:{why}")
        self.given_up_why, self.next_try_at = why, None


class MessageAllowance(Base):
    """How many messages of one template this account still lets us send: at WeChat one consent is one message."""

    __tablename__ = "message_allowances"
    __table_args__ = (CheckConstraint("remaining >= 0", name="never_negative"),)

    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    platform_template: Mapped[str] = mapped_column(primary_key=True)
    remaining: Mapped[int]
    changed_at: Mapped[datetime]


class PaymentReminder(Base):
    """That somebody was reminded of a month before its cut-off. Its key is the promise that nobody is reminded twice."""

    __tablename__ = "payment_reminders"
    __table_args__ = (Index(None, "created_at"),)

    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("persons.id"), primary_key=True)
    region: Mapped[str] = mapped_column(primary_key=True)
    coverage_month: Mapped[int] = mapped_column(primary_key=True)
    template: Mapped[str] = mapped_column(primary_key=True)
    """The MessageKey of the reminder: five days before, or one."""
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    """Whom it was written to: of the person's accounts that can pay there, the one that signed in last."""
    created_at: Mapped[datetime]


class PlatformEvent(Base):
    """An event that a mini-program's platform pushed, kept once: the same one comes up to three times."""

    __tablename__ = "platform_events"
    __table_args__ = (UniqueConstraint("miniprogram", "event_hash"), Index(None, "received_at"))

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    miniprogram: Mapped[str]
    event_hash: Mapped[bytes]
    """SHA-256 of who, when and what: these events have no id of their own."""
    event: Mapped[str]
    received_at: Mapped[datetime]
