"""Reconciliation (对账): each merchant account's days, compared with the provider's own bill, and what did not agree."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, Date, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, object_session

from models.base import Base, IllegalMove, Move, Moves, Stateful, one_of


class ReconciliationState(StrEnum):
    OPEN = "OPEN"
    COMPARED = "COMPARED"
    """Compared at least once; it may be compared again."""
    CLOSED = "CLOSED"
    """Two of the staff signed it. It is not compared any more."""


class AskFault(StrEnum):
    """Why a comparison that somebody asked for did not come about. Asking again is allowed, and the day's own sweep goes on as ever."""

    NOT_READY = "NOT_READY"
    """Their bill is not made up yet."""
    DAMAGED = "DAMAGED"
    """Their bill breaks its own rules; nothing of it was used."""
    NO_ANSWER = "NO_ANSWER"
    """They could not be reached, or said no."""
    CLOSED = "CLOSED"
    """Two of the staff closed the day meanwhile."""


class DifferenceKind(StrEnum):
    """The classes of domain §5.5 that a provider's bill or an authority's list can show; MATCHED is counted only."""

    PSP_ONLY = "PSP_ONLY"
    """They moved money that our books do not have: the notice is missing, and heard from the bill."""
    LOCAL_ONLY = "LOCAL_ONLY"
    """Our books have money of that day that their bill does not."""
    AMOUNT_DIFF = "AMOUNT_DIFF"
    TAX_MISSING = "TAX_MISSING"
    """We hold a month as paid for longer than the region's days, and no list of the tax authority's had it."""
    TAX_EXTRA = "TAX_EXTRA"
    """Their list has a month that we cannot confirm; `why` says what is in the way."""
    REFUND_CROSSED = "REFUND_CROSSED"
    """Their list has a month whose money we sent back, or are sending."""
    NOT_CONFIRMED = "NOT_CONFIRMED"
    """The registrar answers for a month that the tax authority has not confirmed to us yet."""
    NOT_POSTED = "NOT_POSTED"
    """The registrar did not put a confirmed month on the person's account."""
    REGISTRAR_EXTRA = "REGISTRAR_EXTRA"
    """The registrar answers for a person or a month that we do not know."""


class DifferenceSubject(StrEnum):
    TRADE = "TRADE"
    REFUND = "REFUND"
    MONTH = "MONTH"
    """A month in an authority's list."""
    FUNDS = "FUNDS"
    """What the provider's fund flow says of a whole day, against its own trade bill."""


_R = ReconciliationState


class Reconciliation(Stateful, Base):
    """One Beijing day of one merchant account. Counts and sums are those of the last comparison; amounts in fen."""

    __tablename__ = "reconciliations"
    __table_args__ = (
        one_of(ReconciliationState),
        one_of(AskFault, "ask_fault"),
        UniqueConstraint("merchant_account", "day"),
        CheckConstraint("signed_by <> closed_by", name="two_people"),
        CheckConstraint("(state = 'CLOSED') = (closed_by IS NOT NULL)", name="closed_by_somebody"),
        CheckConstraint("closed_by IS NULL OR signed_by IS NOT NULL", name="signed_before_closed"),
        CheckConstraint("(asked_at IS NULL) = (asked_by IS NULL)", name="asked_by_somebody"),
        Index("ix_reconciliations_asked", "asked_at", postgresql_where=text("asked_at IS NOT NULL AND answered_at IS NULL")),
    )
    MOVES: ClassVar[Moves] = Moves(
        "reconciliation",
        {
            (_R.OPEN, _R.COMPARED): "reconciliation.compared",
            (_R.COMPARED, _R.CLOSED): "reconciliation.closed",
        },
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    merchant_account: Mapped[str]
    """`{channel}:{merchant}`; `tax:{authority}` and `registrar:{authority}` for the days of their lists."""
    day: Mapped[date] = mapped_column(Date())
    state: Mapped[str] = mapped_column(server_default=ReconciliationState.OPEN)
    runs: Mapped[int] = mapped_column(server_default="0")
    """How often it was compared."""
    compared_at: Mapped[datetime | None]
    has_bill: Mapped[bool] = mapped_column(server_default=text("true"))
    """False: the provider keeps no bill of that day, as of any day without trades."""
    trades: Mapped[int] = mapped_column(server_default="0")
    """Rows of payments in the bill."""
    refunds: Mapped[int] = mapped_column(server_default="0")
    matched: Mapped[int] = mapped_column(server_default="0")
    """Of both."""
    trade_fen: Mapped[int] = mapped_column(server_default="0")
    refund_fen: Mapped[int] = mapped_column(server_default="0")
    """What went back, above zero."""
    fee_fen: Mapped[int] = mapped_column(server_default="0")
    """What the provider took for it; each row's fee to the nearest fen."""
    signed_by: Mapped[str | None]
    closed_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]
    """When one of the staff asked for a comparison at the console. The worker takes it from here: no page waits for a provider."""
    asked_by: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    """When that comparison was made, or could not be. Empty while the worker has not come to it."""
    ask_fault: Mapped[str | None]

    @property
    def is_asked(self) -> bool:
        """Somebody asked, and the worker has not answered."""
        return self.asked_at is not None and self.answered_at is None

    def ask(self, *, who: str, at: datetime) -> None:
        """Whoever asks again while it waits changes nothing."""
        if not self.is_asked:
            self.asked_at, self.asked_by, self.answered_at, self.ask_fault = at, who, None, None

    def answer(self, *, at: datetime, fault: AskFault | None = None) -> None:
        """It was compared; or was not, and why."""
        self.answered_at, self.ask_fault = at, fault

    def compare(self, *, who: str, at: datetime) -> None:
        """It was compared, once more or for the first time. A signature under what was there before counts no longer."""
        if self.state != _R.COMPARED:
            self._move(_R.COMPARED, who=who, at=at)
        self.runs, self.compared_at, self.signed_by = self.runs + 1, at, None

    def sign(self, *, who: str) -> None:
        """The first of the two."""
        self.signed_by = who

    def close(self, *, who: str, at: datetime) -> None:
        """The second of the two; the database refuses the first one again."""
        self._move(_R.CLOSED, who=who, at=at)
        self.closed_by, self.closed_at = who, at


class ReconciliationDifference(Base):
    """A payment or a refund on which the bill and our books do not agree. It goes when they do, or when one of the staff says why
    they need not and another agrees.
    """

    __tablename__ = "reconciliation_differences"
    __table_args__ = (
        one_of(DifferenceKind, "kind"),
        one_of(DifferenceSubject, "subject"),
        UniqueConstraint(
            "reconciliation_id", "subject", "provider_payment_no", "refund_key", name="uq_reconciliation_differences_one_a_row"
        ),
        CheckConstraint("resolved_by IS NULL OR resolved_at IS NOT NULL", name="resolved_at_a_time"),
        CheckConstraint(
            "(explained_by IS NULL) = (explained_at IS NULL) AND (explained_by IS NULL OR resolution IS NOT NULL)",
            name="explained_in_words",
        ),
        CheckConstraint("resolved_by IS NULL OR (explained_by IS NOT NULL AND explained_by <> resolved_by)", name="two_people"),
        Index(None, "bill_id", postgresql_where=text("bill_id IS NOT NULL")),
        Index("ix_reconciliation_differences_open", "id", postgresql_where=text("resolved_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    reconciliation_id: Mapped[int] = mapped_column(ForeignKey("reconciliations.id"))
    kind: Mapped[str]
    subject: Mapped[str]
    payment_no: Mapped[str]
    provider_payment_no: Mapped[str]
    refund_key: Mapped[str] = mapped_column(server_default="")
    """Our number of the refund as they repeat it, else theirs; empty for a payment. Of a list's line, a number made of what it says."""
    provider_refund_no: Mapped[str | None]
    bill_fen: Mapped[int | None]
    """What their bill or list says; a refund's is above zero. None where it has no such row."""
    our_fen: Mapped[int | None]
    """What our books have; None where they have nothing."""
    currency: Mapped[str]
    happened_at: Mapped[datetime]
    is_done: Mapped[bool]
    """False: a refund that was still under way when the bill was made up."""
    why: Mapped[str | None]
    """What is in the way of a list's line; the registrar's own code where that refused."""
    bill_id: Mapped[int | None] = mapped_column(ForeignKey("contribution_bills.id"))
    insurance_type: Mapped[str | None]
    coverage_month: Mapped[int | None]
    line: Mapped[int | None]
    """Where it stands in the authority's file, which says whose month it is; nothing of the person is kept here."""
    first_seen_at: Mapped[datetime]
    seen_run: Mapped[int]
    """The run of its day that saw it last."""
    explained_at: Mapped[datetime | None]
    explained_by: Mapped[str | None]
    """The first of the two, who found out why."""
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    """The second, who agreed; none where a later run found that the two agree by now."""
    resolution: Mapped[str | None]
    """Why they do not agree, in the first one's words."""

    def explain(self, *, words: str, who: str, at: datetime) -> None:
        """The first of the two. Again, by whomever, replaces what was said; what was said before stays among the moves."""
        self._told("EXPLAINED", why=f"difference.explained:{words}", who=who, at=at)
        self.explained_at, self.explained_by, self.resolution = at, who, words

    def agree(self, *, who: str, at: datetime) -> None:
        """The second of the two; the database refuses the first one again."""
        self._told("RESOLVED", why="difference.agreed", who=who, at=at)
        self.resolved_at, self.resolved_by = at, who

    def _told(self, to: str, *, why: str, who: str, at: datetime) -> None:
        session = object_session(self)
        if session is None:
            raise IllegalMove("reconciliation_difference: moved outside a session, so the step would leave no row")
        was = "OPEN" if self.explained_by is None else "EXPLAINED"
        noun = "reconciliation_difference"
        session.add(Move(noun=noun, row_id=str(self.id), from_state=was, to_state=to, why=why, who=who, at=at))
