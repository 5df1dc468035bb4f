"""Orders at a window with a terminal: made for whoever stands there, paid by card, ended by UnionPay's word alone."""

from __future__ import annotations

import io
from functools import partial

import pypdf
import pytest

from models.identity import CounterDocument
from providers.protocols import NewsKind, ProviderUnreachable
from services import counter_orders
from services.counter_errors import CounterOrderInDoubt, CounterOrderWaiting, NoTerminalHere, SiteUnknown, StaffNumberMalformed
from services.counter_orders import NewCounterOrder
from services.errors import (
    AmountChanged,
    BillNotPayable,
    BillsReserved,
    BusinessError,
    IdNumberMalformed,
    NotFound,
    PersonNotMatched,
)
from services.payments import ask_about_silence, close_stale
from services.receipts import print_receipt
from services.refund_sending import return_surplus, send_refunds
from services.review_errors import OwnAffairs
from services.review_staff import note_person
from tests.factories import POS, an_id_number
from tests.together import at_once

NUMBER = an_id_number(901)
GIVEN = {"site": "CHANGZHOU", "name": "张三丰", "id_number": NUMBER, "document": CounterDocument.ID_CARD, "by": "S1024"}


@pytest.fixture
def insured(world):
    """Somebody with three unpaid months, two of them old."""
    person = world.person(id_number=NUMBER)
    return person, world.bills(world.enrollment(person), "2026-09", "2026-10", "2026-11")


@pytest.fixture
def terminal(ports):
    """UnionPay, as a fake: what it knows of is what a card was put in for."""
    return ports.payments[POS]


def new(person, bills, **changes) -> NewCounterOrder:
    given = {
        "site": "CHANGZHOU",
        "document": CounterDocument.ID_CARD,
        "person_id": person.id,
        "bill_nos": tuple(bill.bill_no for bill in bills),
        "expected_amount_fen": sum(bill.amount_fen for bill in bills),
    }
    return NewCounterOrder(**{**given, **changes})


def card(terminal, order, *, paid=True):
    """A card in the terminal: UnionPay knows the order from now on."""
    frozen = terminal.freeze(
        payment_no=order.payment_no, amount_fen=order.amount_fen, description="", expires_at=order.expires_at, payer_subject=""
    )
    terminal.open_payment(frozen)
    return terminal.pay(order.payment_no) if paid else None


def test_whoever_holds_the_paper_is_told_their_months_oldest_first_and_masked(ports, insured):
    found = counter_orders.look_for(ports, **GIVEN)

    assert (found.name_masked, found.id_number_masked) == ("张**", insured[0].id_number_masked)
    assert [each.coverage_month for each in found.bills] == ["2026-09", "2026-10", "2026-11"]
    assert [each.amount_fen for each in found.bills] == [bill.amount_fen for bill in insured[1]]
    assert NUMBER not in repr(found)


def test_nobody_is_found_by_half_of_what_the_paper_says(ports, insured):
    for changes, refusal in (
        ({"name": "李四光"}, PersonNotMatched), ({"id_number": an_id_number(902)}, PersonNotMatched),
        ({"id_number": "1"}, IdNumberMalformed), ({"by": "x"}, StaffNumberMalformed), ({"site": "NOWHERE"}, SiteUnknown),
    ):  # fmt: skip
        with pytest.raises(refusal):
            counter_orders.look_for(ports, **{**GIVEN, **changes})


def test_a_region_without_a_terminal_says_so(ports, insured):
    site = next(iter(ports.rulebook.region("650000").agencies))
    with pytest.raises(NoTerminalHere):
        counter_orders.look_for(ports, **{**GIVEN, "site": site})


def test_nobody_handles_their_own(ports, insured):
    note_person(ports, who="S1024", id_number=NUMBER, by="S2048")

    with pytest.raises(OwnAffairs):
        counter_orders.look_for(ports, **GIVEN)
    with pytest.raises(OwnAffairs):
        counter_orders.make_counter_order(ports, new=new(*insured), by="S1024")
    assert counter_orders.make_counter_order(ports, new=new(*insured), by="S2048").state == "PREPAY"


def test_a_card_at_the_window_pays_the_months_and_its_person_is_told(ports, world, insured, terminal):
    person, bills = insured
    account = world.account(person)
    order = counter_orders.make_counter_order(ports, new=new(person, bills), by="S1024")
    assert (order.payment_no[:14], len(order.payment_no)) == ("20261121100000", 24)
    assert (order.state, order.amount_fen, order.months) == (
        "PREPAY",
        sum(b.amount_fen for b in bills),
        [202609, 202610, 202611],
    )
    assert world.bill_states() == ["LOCKED"] * 3
    assert terminal.calls == []

    world.hear(card(terminal, order), miniprogram=POS)
    world.settle()

    assert world.bill_states() == ["PAID"] * 3
    assert world.balances()["clearing:unionpay_pos:898320453110001"] == order.amount_fen
    assert world.rows("SELECT template, account_id FROM messages") == [("payment.succeeded", account.id)]
    assert counter_orders.read_counter_order(ports, payment_no=order.payment_no).payment_state == "SUCCEEDED"
    assert world.rows("SELECT site, document, made_by FROM counter_orders") == [("CHANGZHOU", "ID_CARD", "staff:S1024")]


def test_a_lost_notice_is_asked_for(ports, world, clock, insured, terminal):
    order = counter_orders.make_counter_order(ports, new=new(*insured), by="S1024")
    card(terminal, order)
    assert ask_about_silence(ports) == 0
    clock.move(minutes=3)

    assert ask_about_silence(ports) == 1

    assert world.bill_states() == ["PAID"] * 3


def test_the_clerk_may_ask_but_not_more_often_than_every_three_seconds(ports, insured, terminal, clock):
    order = counter_orders.make_counter_order(ports, new=new(*insured), by="S1024")
    for _ in range(3):
        assert counter_orders.ask_about_counter_order(ports, payment_no=order.payment_no).is_live
    assert len(terminal.asked("ask")) == 1
    card(terminal, order)
    clock.move(seconds=4)

    assert counter_orders.ask_about_counter_order(ports, payment_no=order.payment_no).state == "PAID"


def test_only_what_the_page_showed_is_ordered(ports, world, insured):
    person, bills = insured
    for changes, refusal in (
        ({"bill_nos": ()}, NotFound), ({"bill_nos": (bills[0].bill_no, "NOBODYS")}, NotFound), ({"expected_amount_fen": 1}, AmountChanged),
    ):  # fmt: skip
        with pytest.raises(refusal):
            counter_orders.make_counter_order(ports, new=new(person, bills, **changes), by="S1024")
    assert world.bill_states() == ["UNPAID"] * 3


def test_another_persons_month_is_not_found(ports, world, insured):
    other = world.person()
    theirs = world.bills(world.enrollment(other))

    with pytest.raises(NotFound):
        counter_orders.make_counter_order(ports, new=new(insured[0], theirs), by="S1024")


def test_of_two_clerks_at_once_one_makes_the_order_and_the_other_is_told_its_number(ports, world, insured):
    def make(by):
        try:
            return counter_orders.make_counter_order(ports, new=new(*insured), by=by)
        except BusinessError as refusal:
            return refusal

    answers = at_once(*[partial(make, f"S{1000 + n}") for n in range(4)])

    made = [each for each in answers if not isinstance(each, BusinessError)]
    assert len(made) == 1
    assert {type(each) for each in answers if isinstance(each, BusinessError)} == {CounterOrderWaiting}
    assert {each.facts["payment_no"] for each in answers if isinstance(each, BusinessError)} == {made[0].payment_no}


def test_what_a_phone_is_paying_waits_for_it(ports, world, insured):
    person, bills = insured
    account = world.account(person)
    world.order_for(account, world.me_in_list(account), bills[2:])

    assert [each.is_reserved for each in counter_orders.look_for(ports, **GIVEN).bills] == [False, False, True]
    with pytest.raises(BillsReserved):
        counter_orders.make_counter_order(ports, new=new(person, bills), by="S1024")
    assert counter_orders.make_counter_order(ports, new=new(person, bills[:2]), by="S1024").state == "PREPAY"


def test_what_was_paid_is_not_ordered(ports, world, insured, terminal):
    person, bills = insured
    order = counter_orders.make_counter_order(ports, new=new(person, bills[:1]), by="S1024")
    world.hear(card(terminal, order), miniprogram=POS)
    world.settle()

    with pytest.raises(BillNotPayable):
        counter_orders.make_counter_order(ports, new=new(person, bills[:1]), by="S1024")


# --- how it ends


def test_the_day_over_unionpay_is_asked_and_its_no_gives_the_months_back(ports, world, clock, insured, terminal):
    order = counter_orders.make_counter_order(ports, new=new(*insured), by="S1024")
    assert order.expires_at.isoformat() == "2026-11-21T16:00:00+00:00"
    clock.move(hours=13, minutes=59)
    assert close_stale(ports) == 0
    clock.move(minutes=2)
    terminal.fails.append(("close", ProviderUnreachable("down")))

    assert close_stale(ports) == 0
    assert world.bill_states() == ["LOCKED"] * 3
    assert close_stale(ports) == 1
    assert world.bill_states() == ["UNPAID"] * 3


def test_whoever_paid_in_the_last_minute_paid(ports, world, clock, insured, terminal):
    order = counter_orders.make_counter_order(ports, new=new(*insured), by="S1024")
    card(terminal, order)
    clock.move(hours=15)

    close_stale(ports)

    assert world.bill_states() == ["PAID"] * 3
    assert counter_orders.read_counter_order(ports, payment_no=order.payment_no).state == "PAID"


def test_the_clerk_takes_it_back_once_unionpay_says_that_nobody_paid(ports, world, clock, insured, terminal):
    order = counter_orders.make_counter_order(ports, new=new(*insured), by="S1024")
    clock.move(minutes=2)
    terminal.fails += [(call, ProviderUnreachable("down")) for call in ("ask", "close")]
    with pytest.raises(CounterOrderInDoubt):
        counter_orders.withdraw_counter_order(ports, payment_no=order.payment_no)

    clock.move(seconds=4)
    assert counter_orders.withdraw_counter_order(ports, payment_no=order.payment_no).state == "CLOSED"
    assert world.bill_states() == ["UNPAID"] * 3
    assert counter_orders.withdraw_counter_order(ports, payment_no=order.payment_no).state == "CLOSED"


def test_a_card_that_was_declined_leaves_the_order_to_be_taken_back(ports, world, clock, insured, terminal):
    order = counter_orders.make_counter_order(ports, new=new(*insured), by="S1024")
    card(terminal, order, paid=False)
    clock.move(minutes=2)

    assert counter_orders.withdraw_counter_order(ports, payment_no=order.payment_no).state == "CLOSED"


def test_one_that_was_paid_cannot_be_taken_back(ports, world, insured, terminal):
    order = counter_orders.make_counter_order(ports, new=new(*insured), by="S1024")
    card(terminal, order)

    assert counter_orders.withdraw_counter_order(ports, payment_no=order.payment_no).state == "PAID"


def test_there_is_nothing_under_a_number_that_nobody_made(ports):
    for ask in (
        counter_orders.read_counter_order,
        counter_orders.ask_about_counter_order,
        counter_orders.withdraw_counter_order,
    ):
        with pytest.raises(NotFound):
            ask(ports, payment_no="20261121100000ABCDEFGHJK")


# --- paid twice


def test_a_late_card_for_a_month_that_the_phone_paid_meanwhile_goes_back_by_itself_and_both_are_told(
    ports, world, clock, insured, terminal
):
    person, (*_, bill) = insured
    mine = world.account(person)
    child, relation = world.payer_for(person)
    order = counter_orders.make_counter_order(ports, new=new(person, [bill]), by="S1024")
    clock.move(minutes=2)
    counter_orders.withdraw_counter_order(ports, payment_no=order.payment_no)
    terminal.news.clear()
    world.hear(world.paid_news(world.order_for(child, relation, [bill]), notice="W1"))
    world.settle()

    # The number was in the terminal all the same.
    world.hear(card(terminal, order), miniprogram=POS)
    world.settle()
    assert world.read_payment(order.payment_no).state == "SURPLUS"
    assert return_surplus(ports) == 1
    assert send_refunds(ports) == 1
    (refund,) = terminal.asked("refund")
    assert (refund.refund_fen, refund.provider_payment_no, refund.ordered_at) == (
        bill.amount_fen,
        f"P{order.payment_no}",
        ports.now(),
    )
    terminal.refunds[refund.refund_no] = NewsKind.REFUNDED
    clock.move(seconds=13)
    send_refunds(ports)

    assert "clearing:unionpay_pos:898320453110001" not in world.balances()
    assert f"surplus:{order.payment_no}" not in world.balances()
    assert told(world, mine) == ["payment.surplus", "refund.done"]
    assert told(world, child) == ["payment.succeeded", "payment.made_twice"]


def told(world, account) -> list[str]:
    rows = world.rows("SELECT template FROM messages WHERE account_id = :who ORDER BY id", who=account.id)
    return [template for (template,) in rows]


def test_whoever_paid_at_a_window_has_a_receipt_that_says_so(ports, world, insured, terminal):
    person, bills = insured
    account = world.account(person)
    order = counter_orders.make_counter_order(ports, new=new(person, bills), by="S1024")
    world.hear(card(terminal, order), miniprogram=POS)
    world.settle()

    printed = print_receipt(ports, account=account, order_no=world.scalar("SELECT order_no FROM payment_orders"))

    words = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(printed.content)).pages)
    assert "银联POS" in words
