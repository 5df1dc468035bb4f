"""Every map of states, held against domain §8.4 written out a second time by hand."""

from __future__ import annotations

import itertools

import pytest

from models.base import IllegalMove, Move
from models.bills import BillState, ContributionBill
from models.enrollments import Enrollment, EnrollmentState
from models.identity import FaceCheck, FaceCheckState, IdentityVerification, VerificationState
from models.orders import OrderState, PaymentOrder
from models.payments import Payment, PaymentState
from models.refunds import Refund
from tests.conftest import NOW

DOMAIN = {
    # UNPAID → LOCKED → PAID → TAX_CONFIRMED → POSTED; UNPAID → VOID; any paid → REFUNDING → REFUNDED; LOCKED → UNPAID once
    # the provider says closed. UNPAID → PAID is the late success of a closed order ("accept … allocate, never drop").
    ContributionBill: """
        UNPAID LOCKED VOID PAID
        LOCKED UNPAID PAID
        PAID TAX_CONFIRMED REFUNDING
        TAX_CONFIRMED POSTED REFUNDING
        POSTED REFUNDING
        REFUNDING REFUNDED PAID TAX_CONFIRMED POSTED
        REFUNDED VOID
    """,
    # CREATED → PREPAY → PAID | CLOSED; UNKNOWN while the answer is missing; PAID is final; CLOSED → PAID when the money comes late.
    PaymentOrder: """
        CREATED PREPAY UNKNOWN PAID CLOSED
        PREPAY PAID CLOSED
        UNKNOWN PREPAY PAID CLOSED
        CLOSED PAID
    """,
    # One payment under one order: what became of its money. SUCCEEDED, SURPLUS and UNCLAIMED are facts and final.
    Payment: """
        CREATED OPEN SUCCEEDED SURPLUS CLOSED
        OPEN SUCCEEDED SURPLUS CLOSED
        CLOSED SUCCEEDED SURPLUS
    """,
    # NONE → NAME_ID_MATCHED → FACE_PENDING → VERIFIED | DECLINED | FAILED; a platform may vouch; every failure
    # leaves a way on, also one without a face; and a name that proved nothing yet can be taken back.
    IdentityVerification: """
        NONE NAME_ID_MATCHED VERIFIED
        NAME_ID_MATCHED NAME_ID_MATCHED FACE_PENDING VERIFIED NONE
        FACE_PENDING FACE_PENDING NAME_ID_MATCHED VERIFIED FAILED DECLINED NONE
        FAILED NAME_ID_MATCHED FACE_PENDING VERIFIED NONE
        DECLINED NAME_ID_MATCHED FACE_PENDING VERIFIED NONE
    """,
    # NONE → ACTIVE → SUSPENDED ↔ ACTIVE → TERMINATED | RETIRED; and who had left may enrol anew.
    Enrollment: """
        NONE ACTIVE
        ACTIVE SUSPENDED TERMINATED RETIRED
        SUSPENDED ACTIVE TERMINATED RETIRED
        TERMINATED ACTIVE
    """,
    # At the provider APPROVED → SENT → REFUNDED | ABNORMAL | FAILED; after the treasury has it
    # APPLIED → HRSS_REVIEW → TAX_REVIEW → TREASURY → REFUNDED | REJECTED. Money that moved after all is booked.
    Refund: """
        APPLIED APPROVED HRSS_REVIEW REJECTED
        HRSS_REVIEW TAX_REVIEW REJECTED
        TAX_REVIEW TREASURY REJECTED
        TREASURY REFUNDED REJECTED
        APPROVED SENT REFUNDED ABNORMAL FAILED
        SENT REFUNDED ABNORMAL FAILED
        ABNORMAL REFUNDED FAILED
        FAILED REFUNDED
    """,
    FaceCheck: """
        CREATED PENDING FAILED EXPIRED
        PENDING PASSED FAILED DECLINED EXPIRED
    """,
}
STATES = {
    ContributionBill: BillState,
    PaymentOrder: OrderState,
    Payment: PaymentState,
    IdentityVerification: VerificationState,
    FaceCheck: FaceCheckState,
    Enrollment: EnrollmentState,
}


def roads_of(model) -> set[tuple[str, str]]:
    lines = [line.split() for line in DOMAIN[model].strip().splitlines()]
    return {(start, end) for start, *ends in lines for end in ends}


@pytest.mark.parametrize(
    ("model", "start", "end"),
    [
        pytest.param(model, str(start), str(end), id=f"{model.MOVES.noun}-{start}-{end}")
        for model, states in STATES.items()
        for start, end in itertools.product(states, states)
    ],
)
def test_the_map_has_the_roads_of_the_domain_and_no_other(model, start, end):
    if (start, end) in roads_of(model):
        assert model.MOVES.allows(start, end)
        assert "." in model.MOVES.event(start, end)
    else:
        assert not model.MOVES.allows(start, end)
        with pytest.raises(IllegalMove):
            model.MOVES.event(start, end)


def test_every_road_leads_between_states_that_exist():
    for model, states in STATES.items():
        known = {str(state) for state in states}

        assert {state for road in model.MOVES.roads for state in road} <= known


def test_paid_refunded_posted_and_verified_lead_nowhere_back():
    for model, state in [
        (PaymentOrder, "PAID"),
        (Payment, "SUCCEEDED"),
        (Payment, "SURPLUS"),
        (Payment, "UNCLAIMED"),
        (Refund, "REFUNDED"),
        (Refund, "REJECTED"),
        (ContributionBill, "VOID"),
        (IdentityVerification, "VERIFIED"),
        (FaceCheck, "PASSED"),
    ]:
        assert [road for road in model.MOVES.roads if road[0] == state] == [], (model, state)


def test_a_row_outside_a_session_does_not_move_unseen():
    order = PaymentOrder(id=1, state=OrderState.CREATED)

    with pytest.raises(IllegalMove):
        order.open(who="test", at=NOW)
    assert order.state == OrderState.CREATED


def test_a_move_leaves_a_row_that_tells_from_to_why_who_and_when(ports, world):
    from sqlalchemy import select

    _, order = world.order()

    with ports.begin() as session:
        moves = session.scalars(select(Move).where(Move.noun == "payment_order")).all()
        told = [(move.from_state, move.to_state, move.why, move.who, move.at) for move in moves]
    assert told == [("CREATED", "PREPAY", "order.opened", "open_payment", NOW)]
    assert order.state == "PREPAY"


def test_a_verb_refuses_where_the_map_has_no_road_and_leaves_no_row(ports, world):
    from sqlalchemy import select

    _, order = world.order()
    before = world.scalar("SELECT count(*) FROM moves")

    def doubt() -> None:
        with ports.begin() as session:
            row = session.scalars(select(PaymentOrder).where(PaymentOrder.order_no == order.order_no)).one()
            row.doubt(who="test", at=ports.now())

    with pytest.raises(IllegalMove):
        doubt()

    assert world.scalar("SELECT count(*) FROM moves") == before
    assert world.read_order_row(order.order_no).state == "PREPAY"
