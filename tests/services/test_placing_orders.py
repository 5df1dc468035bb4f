"""Placing orders on the real database: what is reserved, what is refused, and what the same wish said twice comes to."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from providers.protocols import NewsKind, PaymentNews, ProviderRefused, ProviderUnreachable
from services import order_views, orders
from services.errors import (
    AmountChanged,
    BillNotPayable,
    BillsReserved,
    BlockedByInsured,
    FaceCheckRequired,
    IdempotencyKeyReused,
    NotAvailableOnline,
    NotFound,
    OrderMustBeSplit,
    PaymentRefused,
    RegionMismatch,
    RequestInFlight,
    TooManyOpenOrders,
)
from services.order_views import OrderView
from tests.factories import ALIPAY, WECHAT, XINJIANG
from tests.together import at_once


def a_wish(insured_person_id, bills, *, expected_fen=None) -> orders.NewOrder:
    return orders.NewOrder(
        insured_person_id=insured_person_id,
        bill_nos=tuple(bill.bill_no for bill in bills),
        expected_amount_fen=sum(bill.amount_fen for bill in bills) if expected_fen is None else expected_fen,
    )


def place(world, account, insured_person_id, bills, *, key=None, expected_fen=None) -> OrderView:
    return orders.place_order(
        world.ports,
        account=account,
        new=a_wish(insured_person_id, bills, expected_fen=expected_fen),
        idempotency_key=key or uuid.uuid4().hex,
    )


def somebody_with_bills(world, *months, region="320400", miniprogram=WECHAT, insurances=("110",)):
    person = world.person()
    bills = [
        bill
        for insurance in insurances
        for bill in world.bills(world.enrollment(person, region=region, insurance_type=insurance), *months)
    ]
    account = world.account(person, miniprogram=miniprogram)
    return person, account, world.me_in_list(account), bills


def test_an_order_reserves_its_bills_opens_its_payment_and_can_be_paid(world, ports):
    person, account, me, bills = somebody_with_bills(world, insurances=("110", "310"))

    order = place(world, account, me, bills)

    assert (order.state, order.payment_state) == ("PREPAY", "OPEN")
    assert order.total_fen == sum(line.amount_fen for line in order.lines) == sum(bill.amount_fen for bill in bills)
    assert order.launch["handle"] == f"handle-{order.payment_no}"
    assert world.bill_states() == ["LOCKED", "LOCKED"]
    assert (order.insured_name_masked, order.insured_id_number_masked) == (person.name_masked, person.id_number_masked)
    assert ports.payments[WECHAT].asked("open_payment") == [order.payment_no]


def test_the_request_is_frozen_with_the_amount_and_sealed_for_its_payment(world, ports):
    from models.payments import Payment

    _, order = world.order()

    payment = world.read_payment(order.payment_no)
    frozen = ports.seals.open_bytes(payment.request_sealed, place=Payment.request_place(payment.id))
    assert str(order.total_fen).encode() in frozen
    assert b"openid" in frozen
    assert b"openid" not in payment.request_sealed


def test_whoever_is_not_verified_places_no_order(world):
    _, _, me, bills = somebody_with_bills(world)

    with pytest.raises(FaceCheckRequired):
        place(world, world.account(verified=False), me, bills)
    assert world.bill_states() == ["UNPAID"]


def test_two_orders_racing_for_one_bill_have_one_winner(world):
    person, account, me, bills = somebody_with_bills(world)
    other, other_id = world.payer_for(person)

    for _ in range(5):
        answers = at_once(lambda: place(world, other, other_id, bills), lambda: place(world, account, me, bills))

        placed = [answer for answer in answers if isinstance(answer, OrderView)]
        live = world.scalar("SELECT count(*) FROM payment_orders WHERE state IN ('CREATED', 'PREPAY', 'UNKNOWN')")
        assert live == 1
        assert world.scalar("SELECT count(*) FROM payment_order_lines WHERE live") == 1
        for refusal in (answer for answer in answers if not isinstance(answer, OrderView)):
            assert isinstance(refusal, BillsReserved)
            assert refusal.facts == {}
        winner = placed[-1]
        orders.cancel_order(world.ports, account=account if winner is answers[1] else other, order_no=winner.order_no)


def test_one_payer_racing_with_themselves_is_told_their_own_order(world):
    _, account, me, bills = somebody_with_bills(world)

    answers = at_once(*(lambda: place(world, account, me, bills) for _ in range(3)))

    (order,) = [answer for answer in answers if isinstance(answer, OrderView)]
    refusals = [answer for answer in answers if isinstance(answer, BillsReserved)]
    assert [refusal.facts for refusal in refusals] == [{"order_no": order.order_no}] * 2


def test_bills_reserved_by_somebody_else_name_no_order(world):
    person, account, me, bills = somebody_with_bills(world)
    place(world, account, me, bills)
    other, other_id = world.payer_for(person)

    with pytest.raises(BillsReserved) as refusal:
        place(world, other, other_id, bills)

    assert refusal.value.facts == {}


def test_my_own_other_phone_does_not_take_my_order_away(world):
    person, account, me, bills = somebody_with_bills(world)
    place(world, account, me, bills)
    alipay = world.account(person, miniprogram=ALIPAY)

    with pytest.raises(BillsReserved) as refusal:
        place(world, alipay, world.me_in_list(alipay), bills)

    assert refusal.value.facts == {}


@pytest.mark.parametrize("off_by", [-1, 1])
def test_nobody_pays_another_amount_than_the_phone_showed(world, off_by):
    _, account, me, bills = somebody_with_bills(world)

    with pytest.raises(AmountChanged) as refusal:
        place(world, account, me, bills, expected_fen=bills[0].amount_fen + off_by)

    assert refusal.value.facts == {"amount_fen": bills[0].amount_fen}
    assert world.bill_states() == ["UNPAID"]


def test_bills_of_two_authorities_must_be_split_and_it_is_said_how(world, ports):
    both = ports.partners.miniprograms[WECHAT].model_copy(update={"regions": ("320400", "650000")})
    wide = replace(
        ports,
        partners=ports.partners.model_copy(update={"miniprograms": {**ports.partners.miniprograms, WECHAT: both}}),
    )
    person = world.person()
    here = world.bills(world.enrollment(person))
    there = world.bills(world.enrollment(person, region="650000"))
    account = world.account(person)

    with pytest.raises(OrderMustBeSplit) as refusal:
        orders.place_order(wide, account=account, new=a_wish(world.me_in_list(account), [*here, *there]), idempotency_key="k")

    assert refusal.value.facts == {"groups": sorted([[here[0].bill_no], [there[0].bill_no]])}
    assert world.bill_states() == ["UNPAID", "UNPAID"]


def test_another_regions_bill_is_refused_with_the_right_region(world):
    person, _, _, bills = somebody_with_bills(world)
    xinjiang = world.account(person, miniprogram=XINJIANG)

    with pytest.raises(RegionMismatch) as refusal:
        place(world, xinjiang, world.me_in_list(xinjiang), bills)

    assert refusal.value.facts == {"bill_id": bills[0].bill_no, "right_region": "320400"}


def test_a_miniprogram_without_a_merchant_takes_no_orders(world):
    person, _, _, bills = somebody_with_bills(world, region="650000")
    account = world.account(person, miniprogram="xinjiang-hrss-wechat")

    with pytest.raises(NotAvailableOnline):
        place(world, account, world.me_in_list(account), bills)


def test_a_missed_month_in_changzhou_is_for_the_window_that_is_named(world):
    person = world.person()
    bills = world.bills(world.enrollment(person, agency="WUJIN"), "2026-10")
    account = world.account(person)

    with pytest.raises(NotAvailableOnline) as refusal:
        place(world, account, world.me_in_list(account), bills)

    assert refusal.value.facts["bill_id"] == bills[0].bill_no
    assert refusal.value.facts["counter"]["name"] == "武进区劳动就业管理机构窗口"
    assert refusal.value.facts["counter"]["hotline"] == "96888732"


def test_a_missed_month_of_this_year_in_xinjiang_is_paid_with_this_one(world):
    _, account, me, bills = somebody_with_bills(world, "2026-10", "2026-11", region="650000", miniprogram=XINJIANG)

    order = place(world, account, me, bills)

    assert [line.coverage_month for line in order.lines] == [202610, 202611]


def test_a_paid_month_cannot_be_ordered_again(world):
    _, account, me, bills = somebody_with_bills(world)
    world.hear(world.paid_news(place(world, account, me, bills)))
    world.settle()

    with pytest.raises(BillNotPayable):
        place(world, account, me, bills)


# The same wish, said twice.


def test_the_same_key_and_body_is_the_same_order_told_again(world, ports):
    _, account, me, bills = somebody_with_bills(world, insurances=("110", "310"))
    first = place(world, account, me, bills, key="k")

    again = place(world, account, me, list(reversed(bills)), key="k")

    assert (again.order_no, again.replayed, first.replayed) == (first.order_no, True, False)
    assert world.scalar("SELECT count(*) FROM payment_orders") == 1
    assert len(ports.payments[WECHAT].asked("open_payment")) == 1


def test_the_same_key_still_tells_the_order_when_it_is_over(world, ports):
    _, account, me, bills = somebody_with_bills(world)
    first = place(world, account, me, bills, key="k")
    orders.cancel_order(ports, account=account, order_no=first.order_no)

    again = place(world, account, me, bills, key="k")

    assert (again.order_no, again.state, again.launch) == (first.order_no, "CLOSED", None)


def test_the_same_key_with_another_body_is_refused(world):
    _, account, me, bills = somebody_with_bills(world, insurances=("110", "310"))
    place(world, account, me, bills[:1], key="k")

    with pytest.raises(IdempotencyKeyReused):
        place(world, account, me, bills[1:], key="k")
    with pytest.raises(IdempotencyKeyReused):
        place(world, account, me, bills[:1], key="k", expected_fen=1)
    assert world.bill_states() == ["LOCKED", "UNPAID"]


def test_two_accounts_may_use_the_same_key(world):
    one, two = somebody_with_bills(world), somebody_with_bills(world)

    orders_placed = [place(world, account, me, bills, key="k") for _, account, me, bills in (one, two)]

    assert len({order.order_no for order in orders_placed}) == 2


def test_a_refused_wish_does_not_use_up_its_key(world):
    _, account, me, bills = somebody_with_bills(world)
    with pytest.raises(AmountChanged):
        place(world, account, me, bills, key="k", expected_fen=1)

    assert place(world, account, me, bills, key="k").replayed is False


def test_a_wish_whose_opening_is_still_under_way_is_in_flight(world, ports, clock):
    _, account, me, bills = somebody_with_bills(world)
    order_no, _ = orders._reserve(ports, account=account, new=a_wish(me, bills), idempotency_key="k")

    clock.move(seconds=14)
    with pytest.raises(RequestInFlight) as refusal:
        place(world, account, me, bills, key="k")

    assert refusal.value.facts == {"order_no": order_no}
    assert refusal.value.retry_after_seconds == 3
    assert ports.payments[WECHAT].asked("open_payment") == []


def test_a_wish_whose_opening_died_is_opened_by_the_same_wish_again(world, ports, clock):
    _, account, me, bills = somebody_with_bills(world)
    order_no, _ = orders._reserve(ports, account=account, new=a_wish(me, bills), idempotency_key="k")

    clock.move(seconds=15)
    again = place(world, account, me, bills, key="k")

    assert (again.order_no, again.state, again.replayed) == (order_no, "PREPAY", True)


def test_the_same_key_pressed_twice_at_once_makes_one_order_and_tells_no_other_story(world):
    _, account, me, bills = somebody_with_bills(world)

    answers = at_once(*(lambda: place(world, account, me, bills, key="k") for _ in range(4)))

    assert world.scalar("SELECT count(*) FROM payment_orders") == 1
    assert {answer.order_no for answer in answers if isinstance(answer, OrderView)} == {
        world.scalar("SELECT order_no FROM payment_orders")
    }
    assert {type(answer) for answer in answers} <= {OrderView, RequestInFlight}


def test_one_key_pressed_at_once_for_different_bills_makes_one_order(world):
    _, account, me, bills = somebody_with_bills(world, insurances=("110", "310"))

    answers = at_once(
        lambda: place(world, account, me, bills[:1], key="k"), lambda: place(world, account, me, bills[1:], key="k")
    )

    assert world.scalar("SELECT count(*) FROM payment_orders") == 1
    assert sorted(type(answer).__name__ for answer in answers) == ["IdempotencyKeyReused", "OrderView"]


# Strangers.


def test_a_strangers_order_lives_ten_minutes_and_ones_own_thirty(world, clock):
    person, account, me, bills = somebody_with_bills(world, insurances=("110", "310"))
    stranger, theirs = world.payer_for(person)

    own, strangers = place(world, account, me, bills[:1]), place(world, stranger, theirs, bills[1:])

    assert (own.expires_at - clock.now()).total_seconds() == 30 * 60
    assert (strangers.expires_at - clock.now()).total_seconds() == 10 * 60


def test_a_stranger_has_three_live_orders_and_not_a_fourth(world, ports):
    stranger, insured = None, []
    for _ in range(4):
        person = world.person()
        bills = world.bills(world.enrollment(person))
        if stranger is None:
            stranger, relation = world.payer_for(person)
        else:
            relation = _relation(world, stranger, person)
        insured.append((relation, bills))

    placed = [place(world, stranger, relation, bills) for relation, bills in insured[:3]]
    with pytest.raises(TooManyOpenOrders):
        place(world, stranger, *insured[3])
    orders.cancel_order(ports, account=stranger, order_no=placed[0].order_no)

    assert place(world, stranger, *insured[3]).state == "PREPAY"


def test_a_strangers_orders_do_not_count_against_their_own_months(world):
    stranger, months = None, None
    for _ in range(3):
        person = world.person()
        bills = world.bills(world.enrollment(person))
        if stranger is None:
            own = world.person()
            months = world.bills(world.enrollment(own))
            stranger = world.account(own)
            world.agree(stranger, "PROXY_PAYMENT")
        place(world, stranger, _relation(world, stranger, person), bills)

    assert place(world, stranger, world.me_in_list(stranger), months).state == "PREPAY"


def test_two_orders_at_once_do_not_slip_past_the_strangers_limit(world):
    stranger, wishes = None, []
    for at in range(4):
        person = world.person()
        bills = world.bills(world.enrollment(person))
        if stranger is None:
            stranger, relation = world.payer_for(person)
        else:
            relation = _relation(world, stranger, person)
        if at < 2:
            place(world, stranger, relation, bills)
        else:
            wishes.append((relation, bills))

    answers = at_once(*(lambda wish=wish: place(world, stranger, *wish) for wish in wishes))

    assert sorted(type(answer).__name__ for answer in answers) == ["OrderView", "TooManyOpenOrders"]


def _relation(world, account, person):
    from models.people import Person
    from services.insured_persons import _add

    with world.ports.begin() as session:
        row = _add(
            session,
            account=account,
            person=session.get_one(Person, person.id),
            relation=None,
            keep=True,
            now=world.ports.now(),
        )
        return row.id


def test_the_insured_persons_own_order_closes_a_strangers_at_the_provider_first(world, ports):
    person, account, me, bills = somebody_with_bills(world)
    stranger, theirs = world.payer_for(person, miniprogram=ALIPAY)
    held = place(world, stranger, theirs, bills)

    mine = place(world, account, me, bills)

    assert mine.state == "PREPAY"
    assert ports.payments[ALIPAY].asked("close") == [held.payment_no]
    assert world.read_order_row(held.order_no).state == "CLOSED"
    assert world.read_payment(held.payment_no).state == "CLOSED"
    assert world.bill_states() == ["LOCKED"]


def test_if_the_stranger_had_paid_the_months_are_paid_and_nobody_pays_twice(world, ports):
    person, account, me, bills = somebody_with_bills(world)
    stranger, theirs = world.payer_for(person)
    held = place(world, stranger, theirs, bills)
    ports.payments[WECHAT].pay(held.payment_no)

    with pytest.raises(BillNotPayable):
        place(world, account, me, bills)

    assert world.read_order_row(held.order_no).state == "PAID"
    assert world.bill_states() == ["PAID"]
    assert world.scalar("SELECT count(*) FROM payment_orders") == 1


def test_if_the_provider_does_not_answer_the_strangers_hold_stands(world, ports):
    person, account, me, bills = somebody_with_bills(world)
    stranger, theirs = world.payer_for(person)
    held = place(world, stranger, theirs, bills)
    ports.payments[WECHAT].fails.append(("close", ProviderUnreachable("down")))

    with pytest.raises(BillsReserved) as refusal:
        place(world, account, me, bills)

    assert refusal.value.facts == {}
    assert world.read_order_row(held.order_no).state == "PREPAY"
    assert world.bill_states() == ["LOCKED"]


def test_if_the_stranger_is_paying_right_now_the_hold_stands(world, ports):
    person, account, me, bills = somebody_with_bills(world)
    stranger, theirs = world.payer_for(person)
    place(world, stranger, theirs, bills)
    ports.payments[WECHAT].fails.append(("close", ProviderRefused("USERPAYING")))

    with pytest.raises(BillsReserved):
        place(world, account, me, bills)
    assert world.bill_states() == ["LOCKED"]


def test_a_stranger_never_takes_a_strangers_months(world, ports):
    person, _, _, bills = somebody_with_bills(world)
    first, first_id = world.payer_for(person)
    second, second_id = world.payer_for(person)
    place(world, first, first_id, bills)

    with pytest.raises(BillsReserved):
        place(world, second, second_id, bills)
    assert ports.payments[WECHAT].asked("close") == []


def test_a_blocked_payer_is_refused_and_others_are_not(world):
    person, account, me, bills = somebody_with_bills(world, insurances=("110", "310"))
    blocked, blocked_id = world.payer_for(person)
    welcome, welcome_id = world.payer_for(person)
    world.block(person, payer=blocked)

    with pytest.raises(BlockedByInsured):
        place(world, blocked, blocked_id, bills[:1])

    assert place(world, welcome, welcome_id, bills[:1]).state == "PREPAY"
    assert place(world, account, me, bills[1:]).state == "PREPAY"


def test_a_block_holds_on_every_phone_of_the_blocked_payer(world):
    person, _, _, bills = somebody_with_bills(world)
    payer_person = world.person()
    wechat, alipay = world.account(payer_person), world.account(payer_person, miniprogram=ALIPAY)
    for account in (wechat, alipay):
        world.agree(account, "PROXY_PAYMENT")
    world.block(person, payer=wechat)

    for account in (wechat, alipay):
        with pytest.raises(BlockedByInsured):
            place(world, account, _relation(world, account, person), bills)


def test_who_took_back_the_consent_to_pay_for_others_places_no_order_for_them(world, ports):
    """Whom they named is gone with it."""
    from services.consent_withdrawals import withdraw_consent

    person, _, _, bills = somebody_with_bills(world)
    payer, theirs = world.payer_for(person)
    (consent,) = world.agree(payer, "PROXY_PAYMENT")
    withdraw_consent(ports, account=payer, consent_id=consent.id)

    with pytest.raises(NotFound):
        place(world, payer, theirs, bills)

    assert world.bill_states() == ["UNPAID"]


# Other people's things do not exist.


def test_another_accounts_ids_are_not_found_anywhere(world, ports):
    from services.bills import list_bills
    from services.insured_persons import remove_insured_person

    _, owner, me, bills = somebody_with_bills(world)
    order = place(world, owner, me, bills)
    _, nosy, nosy_me, nosy_bills = somebody_with_bills(world)

    for look in (
        lambda: order_views.read_order(ports, account=nosy, order_no=order.order_no),
        lambda: orders.refresh_order(ports, account=nosy, order_no=order.order_no),
        lambda: orders.cancel_order(ports, account=nosy, order_no=order.order_no),
        lambda: list_bills(ports, account=nosy, insured_person_id=me),
        lambda: remove_insured_person(ports, account=nosy, insured_person_id=me),
        lambda: place(world, nosy, me, bills),
        lambda: place(world, nosy, nosy_me, bills),
        lambda: place(world, nosy, nosy_me, [*nosy_bills, *bills]),
        lambda: order_views.read_order(ports, account=nosy, order_no="NOSUCHORDER0000000000000"),
        lambda: place(world, nosy, uuid.uuid4(), nosy_bills),
        lambda: place(world, nosy, nosy_me, []),
    ):
        with pytest.raises(NotFound) as refusal:
            look()
        assert refusal.value.facts == {}
    assert [each.order_no for each in order_views.list_orders(ports, account=nosy)] == []
    assert ports.payments[WECHAT].asked("ask") == ports.payments[WECHAT].asked("close") == []
    assert world.read_order_row(order.order_no).state == "PREPAY"


def test_a_payer_sees_masks_only(world):
    person = world.person(name="古丽巴哈尔·买买提", id_number="650102197506150024")
    bills = world.bills(world.enrollment(person, region="650000"))
    payer, theirs = world.payer_for(person, miniprogram=XINJIANG)

    order = place(world, payer, theirs, bills)

    assert (order.insured_name_masked, order.insured_id_number_masked) == ("古丽**", "650***********0024")
    assert "买买提" not in repr(order)
    assert "650102197506150024" not in repr(order)


def test_a_one_off_relation_lapses_after_a_day_and_its_order_is_still_told(world, ports, clock):
    from models.people import Person
    from services.insured_persons import _add, list_insured_persons

    person, _, _, bills = somebody_with_bills(world, insurances=("110", "310"))
    payer = world.account()
    world.agree(payer, "PROXY_PAYMENT")
    with ports.begin() as session:
        one_off = _add(
            session, account=payer, person=session.get_one(Person, person.id), relation=None, keep=False, now=ports.now()
        ).id
    order = place(world, payer, one_off, bills[:1])

    clock.move(hours=24)

    with pytest.raises(NotFound):
        place(world, payer, one_off, bills[1:])
    assert [row.is_self for row in list_insured_persons(ports, account=payer)] == [True]
    assert order_views.read_order(ports, account=payer, order_no=order.order_no).order_no == order.order_no


def test_a_press_that_comes_back_after_the_order_lapsed_hears_what_waits_and_sends_nothing(world, ports, clock):
    _, account, me, bills = somebody_with_bills(world)
    ports.payments[WECHAT].fails.append(("open_payment", ProviderUnreachable("down")))
    order = place(world, account, me, bills, key="the-same-key")
    clock.move(minutes=31)
    # The sweep was told that nobody knows this payment, kept it, and died before settling it.
    world.hear(PaymentNews(notification_id="query:closed", kind=NewsKind.CLOSED, payment_no=order.payment_no))

    with pytest.raises(PaymentRefused):
        place(world, account, me, bills, key="the-same-key")

    assert ports.payments[WECHAT].asked("open_payment") == [order.payment_no]
    assert order_views.read_order(ports, account=account, order_no=order.order_no).state == "CLOSED"
