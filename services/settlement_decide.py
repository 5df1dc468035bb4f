"""Settle, step two: what each notice means for what we hold. Pure: no database, no clock, no provider.

`decide` answers with a word; `Batch` carries the word out in memory, so that a duplicate in the same batch finds the work done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models import journal
from models.base import new_id, new_number
from models.bills import BillState, ContributionBill, RecordState
from models.inbox import NoticeState
from models.journal import TransferKind
from models.messages import MessageKey
from models.orders import OrderState, PaymentOrder
from models.payments import Payment, PaymentOrigin, PaymentState
from providers.protocols import NewsKind
from services.settlement_outcomes import PARKED, PROOFS_OF_PAYMENT, REFUND_NEWS, Outcome
from services.settlement_read import RMB, HeldBill, HeldOrder, HeldPayment, HeldRefund, WaitingNotice
from services.settlement_refunds import decide_refund

if TYPE_CHECKING:
    import uuid
    from datetime import datetime
    from enum import StrEnum

    from models.base import Moves
    from services.settlement_read import Held

WHO = "settle"


def decide_payment(
    notice: WaitingNotice,
    payment: HeldPayment | None,
    order: HeldOrder | None,
    bills: list[HeldBill],
    *,
    months_are_taken: bool = False,
) -> Outcome:
    """What a proof of payment, or of closing, means. Amounts are compared to the fen."""
    if notice.kind == NewsKind.CLOSED:
        if payment is None or payment.state == PaymentState.CLOSED:
            return Outcome.NOTHING if payment is None else Outcome.ALREADY
        return Outcome.CLOSED if payment.is_live else Outcome.CONTRADICTION
    if notice.kind not in PROOFS_OF_PAYMENT:
        return Outcome.NOTHING
    if notice.currency != RMB or notice.amount_fen is None or notice.amount_fen <= 0:
        return Outcome.WRONG_CURRENCY
    if payment is None:
        return Outcome.UNCLAIMED
    if notice.kind in REFUND_NEWS and _was_foreign(payment, order):
        # Refunds are told without a currency: what was taken in another one goes back in it, and neither is booked.
        return Outcome.WRONG_CURRENCY
    if payment.state in (PaymentState.SUCCEEDED, PaymentState.SURPLUS, PaymentState.UNCLAIMED):
        # A second number of theirs under one number of ours is second money, not a second telling.
        same = payment.provider_payment_no == notice.provider_payment_no
        return Outcome.ALREADY if same else Outcome.UNCLAIMED
    if order is None or notice.amount_fen != payment.amount_fen:
        return Outcome.WRONG_AMOUNT
    if months_are_taken or not all(_is_ours_to_pay(bill, order) for bill in bills):
        return Outcome.SURPLUS
    return Outcome.PAID


def _was_foreign(payment: HeldPayment, order: HeldOrder | None) -> bool:
    return payment.state == PaymentState.CLOSED and order is not None and order.closed_why == Outcome.WRONG_CURRENCY


def _is_ours_to_pay(bill: HeldBill, order: HeldOrder) -> bool:
    # A closed order reserves nothing, but while nobody else took the month, late money may still do what it was meant to.
    return bill.state == BillState.UNPAID or (bill.state == BillState.LOCKED and bill.held_by == order.id)


@dataclass
class Batch:
    """A batch being decided: what is held, and the rows that will be written."""

    held: Held
    now: datetime
    months_are_taken: bool = False
    outcomes: list[tuple[WaitingNotice, Outcome]] = field(default_factory=list)
    new_payments: list[HeldPayment] = field(default_factory=list)
    miniprogram_of: dict[uuid.UUID, str] = field(default_factory=dict)
    records: list[tuple[Any, ...]] = field(default_factory=list)
    transfers: list[tuple[Any, ...]] = field(default_factory=list)
    refunds: list[tuple[Any, ...]] = field(default_factory=list)
    reversed_records: list[tuple[uuid.UUID, int]] = field(default_factory=list)
    """(payment, bill) of months that went back."""
    moves: list[tuple[Any, ...]] = field(default_factory=list)
    messages: list[tuple[Any, ...]] = field(default_factory=list)

    def decide_all(self) -> None:
        for notice in self.held.notices:
            self.outcomes.append((notice, self._decide(notice)))

    def _decide(self, notice: WaitingNotice) -> Outcome:
        payment = self._payment_of(notice)
        order = self.held.orders.get(payment.order_id) if payment is not None and payment.order_id is not None else None
        bills = self.held.bills.get(order.id, []) if order is not None else []
        outcome = decide_payment(notice, payment, order, bills, months_are_taken=self.months_are_taken)
        match outcome:
            case Outcome.PAID:
                self._pay(notice, payment, order, bills)
            case Outcome.SURPLUS | Outcome.WRONG_AMOUNT:
                self._put_aside(notice, payment, order, bills, why=outcome)
            case Outcome.UNCLAIMED:
                payment = self._claim_for_nobody(notice)
            case Outcome.CLOSED:
                self._close(payment, order, bills, why="CLOSED_AT_PROVIDER")
            case Outcome.WRONG_CURRENCY if notice.is_foreign and payment is not None and payment.is_live:
                # Their number is used up and its money is none that we may take: the months are free to be paid again.
                self._close(payment, order, bills, why=outcome)
            case Outcome.ALREADY | Outcome.NOTHING | Outcome.WRONG_CURRENCY | Outcome.CONTRADICTION:
                pass
            case _:
                raise AssertionError("a refund is decided after its payment")
        if notice.kind not in REFUND_NEWS or payment is None or outcome is Outcome.WRONG_CURRENCY:
            return outcome
        return decide_refund(self, notice, payment, order, bills) or outcome

    def _payment_of(self, notice: WaitingNotice) -> HeldPayment | None:
        """Our payment by our number, at that very merchant; or money that turned up before under their number."""
        payment = self.held.payments.get(notice.payment_no)
        ours = payment is not None and (payment.channel, payment.merchant) == (notice.channel, notice.merchant)
        if notice.provider_payment_no is not None:
            known = self.held.by_provider_no.get((notice.channel, notice.merchant, notice.provider_payment_no))
            if known is not None:
                return known
        return payment if ours else None

    def _pay(self, notice: WaitingNotice, payment: HeldPayment | None, order: HeldOrder | None, bills: list[HeldBill]) -> None:
        assert payment is not None  # noqa: S101 - decide_payment said so
        assert order is not None  # noqa: S101 - decide_payment said so
        self._take(notice, payment, PaymentState.SUCCEEDED)
        self.move(PaymentOrder.MOVES, order, OrderState.PAID)
        order.closed_why = None
        paid_at = notice.happened_at or notice.received_at
        for bill in bills:
            self.move(ContributionBill.MOVES, bill, BillState.PAID)
            bill.held_by = order.id
            self.records.append(
                (
                    bill.enrollment_id,
                    bill.insurance_type,
                    bill.coverage_month,
                    bill.kind,
                    bill.id,
                    payment.id,
                    bill.amount_fen,
                    RecordState.PAID,
                    paid_at,
                )
            )
            self.transfer(
                TransferKind.SETTLED,
                notice,
                payment,
                debit=payment.clearing,
                credit=journal.contributions(bill.authority, bill.insurance_type),
                amount_fen=bill.amount_fen,
                bill_id=bill.id,
            )
        self.tell(order, MessageKey.PAYMENT_SUCCEEDED, payment.amount_fen, [bill.coverage_month for bill in bills])

    def _put_aside(
        self,
        notice: WaitingNotice,
        payment: HeldPayment | None,
        order: HeldOrder | None,
        bills: list[HeldBill],
        *,
        why: Outcome,
    ) -> None:
        assert payment is not None  # noqa: S101 - decide_payment said so
        assert notice.amount_fen is not None  # noqa: S101 - decide_payment said so
        self._take(notice, payment, PaymentState.SURPLUS, why=f"payment.{why.lower()}")
        self.transfer(
            TransferKind.SURPLUS,
            notice,
            payment,
            debit=payment.clearing,
            credit=journal.surplus(payment.payment_no),
            amount_fen=notice.amount_fen,
        )
        if order is not None:
            self._release(order, bills, why=str(why))
            self.tell(order, MessageKey.PAYMENT_SURPLUS, notice.amount_fen, [bill.coverage_month for bill in bills])

    def _claim_for_nobody(self, notice: WaitingNotice) -> HeldPayment:
        assert notice.amount_fen is not None  # noqa: S101 - decide_payment said so
        payment = HeldPayment(
            id=new_id(),
            payment_no=new_number(),
            order_id=None,
            channel=notice.channel,
            merchant=notice.merchant,
            amount_fen=notice.amount_fen,
            state=PaymentState.UNCLAIMED,
            provider_payment_no=notice.provider_payment_no or f"stated:{notice.payment_no}",
            paid_at=notice.happened_at or notice.received_at,
            refunded_fen=0,
            read_state=PaymentState.UNCLAIMED,
        )
        self.new_payments.append(payment)
        self.miniprogram_of[payment.id] = notice.miniprogram
        self.held.by_provider_no[payment.channel, payment.merchant, payment.provider_payment_no or ""] = payment
        self.transfer(
            TransferKind.UNCLAIMED,
            notice,
            payment,
            debit=payment.clearing,
            credit=journal.unknown(payment.channel, payment.merchant),
            amount_fen=payment.amount_fen,
        )
        return payment

    def _close(self, payment: HeldPayment | None, order: HeldOrder | None, bills: list[HeldBill], *, why: str) -> None:
        assert payment is not None  # noqa: S101 - decide_payment said so
        self.move(Payment.MOVES, payment, PaymentState.CLOSED)
        if order is not None:
            self._release(order, bills, why=why)

    def _release(self, order: HeldOrder, bills: list[HeldBill], *, why: str) -> None:
        """Close a live order and give its months back; a closed one has nothing to give."""
        if PaymentOrder.MOVES.allows(order.state, OrderState.CLOSED):
            self.move(PaymentOrder.MOVES, order, OrderState.CLOSED, why=f"order.closed:{why}")
            order.closed_why = why
        for bill in bills:
            if bill.held_by == order.id and bill.state == BillState.LOCKED:
                self.move(ContributionBill.MOVES, bill, BillState.UNPAID)
                bill.held_by = None

    def _take(self, notice: WaitingNotice, payment: HeldPayment, state: PaymentState, *, why: str | None = None) -> None:
        self.move(Payment.MOVES, payment, state, why=why)
        payment.provider_payment_no = notice.provider_payment_no
        payment.paid_at = notice.happened_at or notice.received_at
        if notice.provider_payment_no is not None:
            self.held.by_provider_no[payment.channel, payment.merchant, notice.provider_payment_no] = payment

    def move(
        self, moves: Moves, row: HeldPayment | HeldOrder | HeldBill | HeldRefund, to: StrEnum, *, why: str | None = None
    ) -> None:
        event = moves.event(row.state, to)
        self.moves.append((moves.noun, str(row.id), row.state, str(to), why or event, WHO, self.now))
        row.state = to

    def transfer(
        self,
        kind: TransferKind,
        notice: WaitingNotice,
        payment: HeldPayment,
        *,
        debit: str,
        credit: str,
        amount_fen: int,
        bill_id: int | None = None,
    ) -> None:
        self.transfers.append((debit, credit, amount_fen, kind, payment.id, bill_id, notice.id, WHO, self.now))

    def tell(self, order: HeldOrder, template: MessageKey, amount_fen: int, months: list[int]) -> None:
        if order.payer_account_id is None:
            return
        self.messages.append(
            (
                order.payer_account_id,
                template,
                {"order_no": order.order_no, "amount_fen": amount_fen, "months": sorted(months)},
                self.now,
            )
        )

    @property
    def new_payment_rows(self) -> list[tuple[Any, ...]]:
        return [
            (
                p.id,
                p.payment_no,
                PaymentOrigin.UNKNOWN,
                p.channel,
                p.merchant,
                self.miniprogram_of[p.id],
                p.amount_fen,
                p.state,
                p.provider_payment_no,
                p.paid_at,
                p.refunded_fen,
                p.told_refunded_fen,
                self.now,
            )
            for p in self.new_payments
        ]

    def notice_rows(self) -> list[tuple[Any, ...]]:
        return [
            (notice.id, NoticeState.PARKED if outcome in PARKED else NoticeState.SETTLED, outcome, self.now)
            for notice, outcome in self.outcomes
        ]
