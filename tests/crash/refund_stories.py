"""Money that goes back, told for processes that may be killed anywhere on the way: by staff, by itself, refused, and by the treasury."""

from __future__ import annotations

from sqlalchemy import text

from models.refunds import RefundReason, RefundState
from services import orders
from services.refund_sending import return_surplus, send_refunds
from services.refunds import RefundWish, advance_refund, apply_for_refund, decide_refund
from tests.crash.stories import Stage, a_paid_order, a_payer_with_an_order, story

WHY = "材料已核对"
FIRST, SECOND = "staff:S1024", "staff:S2048"
STEPS = {"HRSS_REVIEW": RefundState.TAX_REVIEW, "TAX_REVIEW": RefundState.TREASURY, "TREASURY": RefundState.REFUNDED}


def rows(stage: Stage, sql: str) -> list[tuple[str, ...]]:
    with stage.ports.begin() as session:
        return [tuple(row) for row in session.execute(text(sql))]


def refund_months(stage: Stage) -> None:
    """What the staff do, and do again after a death: whatever step is due."""
    if not rows(stage, "SELECT refund_no FROM refunds WHERE state NOT IN ('REJECTED', 'FAILED')"):
        (payment_no,) = stage.payment_nos()
        wish = RefundWish(
            payment_no=payment_no, bill_nos=tuple(stage.cast["bills"]), reason=RefundReason.NOT_ELIGIBLE, words=WHY
        )
        apply_for_refund(stage.ports, wish=wish, who=FIRST)
    for number, state in rows(stage, "SELECT refund_no, state FROM refunds"):
        if state == "APPLIED":
            decide_refund(stage.ports, refund_no=number, approve=True, words=WHY, who=SECOND)


def send(stage: Stage) -> None:
    """The worker's sweep, then once more when it is time to ask."""
    send_refunds(stage.ports)
    stage.move(seconds=31)
    send_refunds(stage.ports)
    stage.hear()
    stage.settle()


@story("a month that was paid goes back", prepare=a_paid_order, again=refund_months)
def month_goes_back(stage: Stage) -> None:
    refund_months(stage)
    send(stage)


@story("a refund is ordered and no answer comes", prepare=a_paid_order, again=refund_months)
def refund_in_silence(stage: Stage) -> None:
    stage.bank.will_fail("refund", "silent")
    refund_months(stage)
    send(stage)


@story("a refund is refused for good, and ordered anew", prepare=a_paid_order, again=refund_months)
def refund_refused(stage: Stage) -> None:
    stage.bank.will_fail("refund", "refused")
    refund_months(stage)
    send(stage)
    refund_months(stage)
    send(stage)


def paid_when_cancelled(stage: Stage) -> None:
    """The order was given up, somebody else's took its months, and its money comes all the same."""
    a_payer_with_an_order(stage)
    (first,) = stage.payment_nos()
    orders.cancel_order(stage.ports, account=stage.account(), order_no=stage.cast["order_no"])
    stage.pay(stage.place(key="key-2").payment_no)
    stage.hear()
    stage.settle()
    # A closed trade that took money: they said it could not.
    stage.bank.change(lambda known: known["trades"][first].update(state="NOT_PAID"))
    stage.pay(first)


@story("second money goes back by itself", prepare=paid_when_cancelled, again=lambda _stage: None)
def second_money(stage: Stage) -> None:
    stage.hear()
    stage.settle()
    return_surplus(stage.ports)
    send(stage)


def sent_back_at_the_platform(stage: Stage) -> None:
    """Paid, and somebody sent the money back at the merchant platform."""
    a_paid_order(stage)
    ((payment_no, amount_fen),) = rows(stage, "SELECT payment_no, amount_fen FROM payments")
    stage.bank.refund(payment_no, int(amount_fen), at=stage.ports.now())
    stage.hear()
    stage.settle()


def reverse_months(stage: Stage) -> None:
    """What the staff do, and do again after a death: whatever step is due."""
    if not rows(stage, "SELECT refund_no FROM refunds WHERE road = 'REVERSAL'"):
        (payment_no,) = stage.payment_nos()
        wish = RefundWish(
            payment_no=payment_no,
            bill_nos=tuple(stage.cast["bills"]),
            reason=RefundReason.NOT_ELIGIBLE,
            words=WHY,
            went_back_already=True,
        )
        apply_for_refund(stage.ports, wish=wish, who=FIRST)
    for number, _ in rows(stage, "SELECT refund_no, state FROM refunds WHERE state = 'APPLIED'"):
        decide_refund(stage.ports, refund_no=number, approve=True, words=WHY, who=SECOND)


@story("a month bears what went back unasked", prepare=sent_back_at_the_platform, again=reverse_months)
def month_reversed(stage: Stage) -> None:
    reverse_months(stage)


def with_the_treasury(stage: Stage) -> None:
    """As the tax authority's list does it; list_stories.py reads one."""
    a_paid_order(stage)
    with stage.ports.begin() as session:
        session.execute(
            text("""
                WITH b AS (UPDATE contribution_bills SET state = 'TAX_CONFIRMED' WHERE state = 'PAID' RETURNING id),
                     r AS (UPDATE contribution_records SET state = 'TAX_CONFIRMED' WHERE bill_id IN (SELECT id FROM b) RETURNING *),
                     m AS (INSERT INTO moves (noun, row_id, from_state, to_state, why, who, at)
                           SELECT 'contribution_bill', bill_id::text, 'PAID', 'TAX_CONFIRMED', 'bill.tax_confirmed', 'test', paid_at FROM r)
                INSERT INTO transfers (debit_account, credit_account, amount_fen, kind, payment_id, bill_id, who, at)
                SELECT 'contributions:tax-320400:' || insurance_type, 'treasury:tax-320400', amount_fen, 'ASSIGNED', payment_id, bill_id,
                       'test', paid_at FROM r""")
        )


def walk_the_treasurys_road(stage: Stage) -> None:
    refund_months(stage)
    while under_way := rows(
        stage, "SELECT refund_no, state FROM refunds WHERE state IN ('HRSS_REVIEW', 'TAX_REVIEW', 'TREASURY')"
    ):
        for number, state in under_way:
            advance_refund(stage.ports, refund_no=number, to=STEPS[state], words=WHY, who=SECOND)


@story("the treasury returns a month", prepare=with_the_treasury, again=walk_the_treasurys_road, repair=walk_the_treasurys_road)
def treasury_returns(stage: Stage) -> None:
    walk_the_treasurys_road(stage)
