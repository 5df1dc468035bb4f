"""What a piece of news means for what we hold: the whole table of `decide_payment`, written by hand."""

from __future__ import annotations

import itertools
import uuid

import pytest

from models.bills import BillState
from models.payments import PaymentState
from providers.protocols import NewsKind
from services.settlement_decide import Outcome, decide_payment
from services.settlement_read import HeldBill, HeldOrder, HeldPayment, WaitingNotice
from tests.conftest import NOW

OURS, THEIRS, OTHER_NUMBER = "OURS00000000000000000001", "THEIRS1", "THEIRS2"


def a_notice(kind: NewsKind, *, amount_fen: int | None = 100, currency: str = "CNY", provider_no: str | None = THEIRS):
    return WaitingNotice(
        id=uuid.uuid4(),
        merchant_account="wechat_pay:1",
        miniprogram="m",
        kind=str(kind),
        payment_no=OURS,
        provider_payment_no=provider_no,
        amount_fen=amount_fen,
        currency=currency,
        happened_at=NOW,
        refund_no=None,
        provider_refund_no=None,
        refund_fen=None,
        refunded_total_fen=None,
        received_at=NOW,
    )


def a_payment(state: PaymentState | None, *, provider_no: str | None = THEIRS):
    if state is None:
        return None
    has_money = state in (PaymentState.SUCCEEDED, PaymentState.SURPLUS, PaymentState.UNCLAIMED)
    return HeldPayment(
        id=uuid.uuid4(),
        payment_no=OURS,
        order_id=None if state is PaymentState.UNCLAIMED else 1,
        channel="wechat_pay",
        merchant="1",
        amount_fen=100,
        state=str(state),
        provider_payment_no=provider_no if has_money else None,
        paid_at=None,
        refunded_fen=0,
    )


def an_order(*, closed_why: str | None = None):
    state = "CLOSED" if closed_why else "PREPAY"
    return HeldOrder(id=1, order_no="O", payer_account_id=uuid.uuid4(), state=state, closed_why=closed_why)


def a_bill(state: BillState = BillState.LOCKED, *, live: bool = True):
    return HeldBill(
        id=1,
        enrollment_id=1,
        insurance_type="110",
        coverage_month=202611,
        kind="NORMAL",
        authority="tax",
        amount_fen=100,
        state=str(state),
        held_by=1 if live else None,
    )


STATES = (None, "CREATED", "OPEN", "CLOSED", "SUCCEEDED", "SURPLUS", "UNCLAIMED")
TABLE = {
    #                            no payment    CREATED    OPEN       CLOSED     SUCCEEDED        SURPLUS          UNCLAIMED
    NewsKind.PAID:            ("UNCLAIMED", "PAID",    "PAID",    "PAID",    "ALREADY",       "ALREADY",       "ALREADY"),
    NewsKind.REFUNDED:        ("UNCLAIMED", "PAID",    "PAID",    "PAID",    "ALREADY",       "ALREADY",       "ALREADY"),
    NewsKind.REFUND_FAILED:   ("UNCLAIMED", "PAID",    "PAID",    "PAID",    "ALREADY",       "ALREADY",       "ALREADY"),
    NewsKind.REFUND_ABNORMAL: ("UNCLAIMED", "PAID",    "PAID",    "PAID",    "ALREADY",       "ALREADY",       "ALREADY"),
    NewsKind.REFUND_PENDING:  ("UNCLAIMED", "PAID",    "PAID",    "PAID",    "ALREADY",       "ALREADY",       "ALREADY"),
    NewsKind.CLOSED:          ("NOTHING",   "CLOSED",  "CLOSED",  "ALREADY", "CONTRADICTION", "CONTRADICTION", "CONTRADICTION"),
    NewsKind.NOT_PAID:        ("NOTHING",) * 7,
    NewsKind.NOT_FOUND:       ("NOTHING",) * 7,
    NewsKind.OTHER:           ("NOTHING",) * 7,
}  # fmt: skip
"""News of the right amount about months that are this order's, by what we hold of the payment."""

PROOFS = (NewsKind.PAID, NewsKind.REFUNDED, NewsKind.REFUND_PENDING, NewsKind.REFUND_ABNORMAL, NewsKind.REFUND_FAILED)
CELLS = [(kind, state, TABLE[kind][at]) for kind in NewsKind for at, state in enumerate(STATES)]


def decided(notice, state, bills=None, *, order=True, provider_no=THEIRS, **more):
    payment = a_payment(None if state is None else PaymentState(state), provider_no=provider_no)
    has_order = order and payment is not None and payment.order_id is not None
    return decide_payment(notice, payment, an_order() if has_order else None, [a_bill()] if bills is None else bills, **more)


@pytest.mark.parametrize(("kind", "state", "outcome"), CELLS)
def test_each_kind_of_news_about_each_state_of_a_payment(kind, state, outcome):
    assert decided(a_notice(kind), state) is Outcome(outcome)


@pytest.mark.parametrize(("kind", "state"), list(itertools.product(PROOFS, ("CREATED", "OPEN", "CLOSED"))))
@pytest.mark.parametrize("amount_fen", [1, 99, 101, 10_000])
def test_another_amount_than_asked_for_is_never_paid(kind, state, amount_fen):
    assert decided(a_notice(kind, amount_fen=amount_fen), state) is Outcome.WRONG_AMOUNT


@pytest.mark.parametrize(("kind", "state"), list(itertools.product(PROOFS, STATES)))
@pytest.mark.parametrize(("amount_fen", "currency"), [(100, "USD"), (None, "CNY"), (0, "CNY"), (-1, "CNY"), (100, "")])
def test_what_is_not_an_amount_in_yuan_moves_no_money(kind, state, amount_fen, currency):
    assert decided(a_notice(kind, amount_fen=amount_fen, currency=currency), state) is Outcome.WRONG_CURRENCY


@pytest.mark.parametrize("kind", [kind for kind in PROOFS if kind is not NewsKind.PAID])
def test_a_refund_of_what_was_paid_in_another_currency_is_not_booked_either(kind):
    payment, order = a_payment(PaymentState.CLOSED), an_order(closed_why="WRONG_CURRENCY")

    assert decide_payment(a_notice(kind), payment, order, [a_bill(BillState.UNPAID)]) is Outcome.WRONG_CURRENCY


def test_yuan_that_are_told_after_another_currency_pay_all_the_same():
    payment, order = a_payment(PaymentState.CLOSED), an_order(closed_why="WRONG_CURRENCY")

    assert decide_payment(a_notice(NewsKind.PAID), payment, order, [a_bill(BillState.UNPAID)]) is Outcome.PAID


@pytest.mark.parametrize(("kind", "state"), list(itertools.product(PROOFS, ("SUCCEEDED", "SURPLUS", "UNCLAIMED"))))
def test_a_second_number_of_theirs_is_second_money(kind, state):
    assert decided(a_notice(kind, provider_no=OTHER_NUMBER), state) is Outcome.UNCLAIMED


@pytest.mark.parametrize("state", ["CREATED", "OPEN", "CLOSED"])
def test_a_payment_without_its_order_is_put_aside(state):
    assert decided(a_notice(NewsKind.PAID), state, order=False) is Outcome.WRONG_AMOUNT


@pytest.mark.parametrize("state", ["CREATED", "OPEN", "CLOSED"])
def test_months_that_are_known_to_be_taken_make_surplus(state):
    assert decided(a_notice(NewsKind.PAID), state, months_are_taken=True) is Outcome.SURPLUS


PAYS = {(BillState.UNPAID, True), (BillState.UNPAID, False), (BillState.LOCKED, True)}
"""A bill that is free, or that this very order holds."""


@pytest.mark.parametrize(("bill_state", "live"), list(itertools.product(BillState, (True, False))))
def test_money_pays_only_months_that_are_free_or_held_by_its_own_order(bill_state, live):
    outcome = decided(a_notice(NewsKind.PAID), "OPEN", [a_bill(bill_state, live=live)])

    assert outcome is (Outcome.PAID if (bill_state, live) in PAYS else Outcome.SURPLUS)


def test_one_month_that_is_gone_makes_the_whole_payment_surplus():
    assert decided(a_notice(NewsKind.PAID), "OPEN", [a_bill(), a_bill(BillState.PAID)]) is Outcome.SURPLUS
