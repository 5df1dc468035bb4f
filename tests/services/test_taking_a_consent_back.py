"""Taking a consent back: what it covered stops at once, money under way is finished, and the answer says both."""

from __future__ import annotations

import threading
import uuid

import pytest

from models.accounts import Account
from models.messages import Message, MessageAllowance
from providers.protocols import FaceVerdict, PlatformIdentity, RealName
from services.bills import list_bills
from services.consent_withdrawals import withdraw_consent
from services.errors import (
    AlreadyVerified,
    ConsentRequired,
    NotFound,
    RealNameRequired,
)
from services.face_checks import finish_face_check, read_face_check, start_face_check
from services.insured_persons import Named, add_insured_person, list_insured_persons
from services.order_views import read_order
from services.real_names import prove_name
from services.registration import register, send_code, sign_in_by_sms
from services.sign_in import capabilities_of, sign_in
from tests.factories import ALIPAY, WECHAT, an_id_number

ZHANG = ("张三丰", "320402199001010017")


def newcomer(world):
    account = world.account(verified=False)
    return account, {consent.purpose: consent for consent in world.agree(account, "REAL_NAME", "FACE")}


def take_back(ports, account, consent):
    return withdraw_consent(ports, account=account, consent_id=consent.id)


def type_name(ports, account):
    return prove_name(ports, account=account, name=ZHANG[0], id_number=ZHANG[1], phone=None)


def start(ports, account):
    return start_face_check(ports, account=account, idempotency_key=uuid.uuid4().hex)


def passes(world, check) -> None:
    check_no = world.scalar("SELECT check_no FROM face_checks WHERE id = :id", id=check.id)
    world.ports.faces[WECHAT].went(check_no, FaceVerdict.PASSED)


def state_of(world, account) -> str:
    return world.scalar("SELECT state FROM identity_verifications WHERE account_id = :id", id=account.id)


# The face.


def test_a_face_check_under_way_ends_and_its_verdict_is_never_fetched(world, ports):
    account, consents = newcomer(world)
    type_name(ports, account)
    check = start(ports, account)
    passes(world, check)

    told = take_back(ports, account, consents["FACE"])

    assert (told.purpose, told.orders_under_way) == ("FACE", [])
    assert finish_face_check(ports, account=account, check_id=check.id).state == "EXPIRED"
    assert ports.faces[WECHAT].asked("ask") == []
    assert state_of(world, account) == "NAME_ID_MATCHED"
    with pytest.raises(ConsentRequired):
        start(ports, account)


def test_a_face_consent_taken_back_while_the_platform_is_being_asked_proves_nothing(world, ports):
    account, consents = newcomer(world)
    type_name(ports, account)
    check = start(ports, account)
    passes(world, check)
    faces, inner = ports.faces[WECHAT], ports.faces[WECHAT].ask

    def slow(*given, **how):
        take_back(ports, account, consents["FACE"])
        return inner(*given, **how)

    faces.ask = slow
    finish_face_check(ports, account=account, check_id=check.id)

    assert read_face_check(ports, account=account, check_id=check.id).state == "EXPIRED"
    assert state_of(world, account) == "NAME_ID_MATCHED"


def test_a_face_consent_taken_back_while_a_check_is_being_started_ends_it(world, ports):
    account, consents = newcomer(world)
    type_name(ports, account)
    faces, inner = ports.faces[WECHAT], ports.faces[WECHAT].start

    def slow(*given, **how):
        take_back(ports, account, consents["FACE"])
        return inner(*given, **how)

    faces.start = slow
    told = start(ports, account)

    assert (told.state, told.launch, state_of(world, account)) == ("EXPIRED", None, "NAME_ID_MATCHED")


def test_who_was_verified_by_a_face_stays_verified_and_is_told_so(world, ports):
    account, consents = newcomer(world)
    type_name(ports, account)
    check = start(ports, account)
    passes(world, check)
    finish_face_check(ports, account=account, check_id=check.id)

    told = take_back(ports, account, consents["FACE"])

    assert state_of(world, account) == "VERIFIED"
    assert "仍然有效" in told.goes_on
    with ports.begin() as session:
        verified = session.get_one(Account, account.id)
        session.expunge(verified)
    assert "PAY_OWN" in capabilities_of(ports, verified)


# The name.


@pytest.mark.parametrize("with_face", [False, True])
def test_a_name_that_proved_nothing_yet_is_forgotten(world, ports, with_face):
    account, consents = newcomer(world)
    type_name(ports, account)
    check = start(ports, account) if with_face else None

    take_back(ports, account, consents["REAL_NAME"])

    assert world.rows(
        "SELECT state, name_sealed, id_number_sealed, name_masked, id_number_masked FROM identity_verifications"
    ) == [("NONE", None, None, None, None)]
    with pytest.raises(ConsentRequired):
        type_name(ports, account)
    with pytest.raises(RealNameRequired):
        start(ports, account)
    if check is not None:
        assert finish_face_check(ports, account=account, check_id=check.id).state == "EXPIRED"
        assert ports.faces[WECHAT].asked("ask") == []


def test_a_name_taken_back_while_the_authority_is_asked_is_not_kept(world, ports):
    account, consents = newcomer(world)
    inner = ports.names.check

    def slow(*given, **how):
        take_back(ports, account, consents["REAL_NAME"])
        return inner(*given, **how)

    ports.names.check = slow
    with pytest.raises(ConsentRequired):
        type_name(ports, account)

    assert world.rows("SELECT state, name_sealed FROM identity_verifications") == [("NONE", None)]


def test_who_agrees_again_begins_again_and_gets_there(world, ports):
    account, consents = newcomer(world)
    type_name(ports, account)
    take_back(ports, account, consents["REAL_NAME"])

    world.agree(account, "REAL_NAME")
    type_name(ports, account)
    check = start(ports, account)
    passes(world, check)

    assert finish_face_check(ports, account=account, check_id=check.id).verification_state == "VERIFIED"
    with pytest.raises(AlreadyVerified):
        type_name(ports, account)


def test_a_verified_persons_business_stops_and_their_order_under_way_is_paid_and_booked(world, ports):
    person = world.person()
    november = world.bills(world.enrollment(person), "2026-11")
    medical = world.bills(world.enrollment(person, insurance_type="310"), "2026-11")
    account = world.account(person)
    (consent,) = world.agree(account, "REAL_NAME")
    me = world.me_in_list(account)
    order = world.order_for(account, me, november)

    told = take_back(ports, account, consent)

    assert told.orders_under_way == [order.order_no]
    assert "照常入账" in told.goes_on
    assert capabilities_of(ports, account) == []
    with pytest.raises(ConsentRequired):
        list_bills(ports, account=account, insured_person_id=me)
    with pytest.raises(ConsentRequired):
        world.order_for(account, me, medical)
    world.hear(world.paid_news(order))
    world.settle()
    assert read_order(ports, account=account, order_no=order.order_no).state == "PAID"
    assert sorted(world.bill_states()) == ["PAID", "UNPAID"]

    world.agree(account, "REAL_NAME")
    assert "PAY_OWN" in capabilities_of(ports, account)
    assert world.order_for(account, me, medical).state == "PREPAY"


def test_the_same_press_still_hears_of_the_order_that_it_made(world, ports):
    person = world.person()
    bills = world.bills(world.enrollment(person))
    account = world.account(person)
    (consent,) = world.agree(account, "REAL_NAME")
    order = world.order_for(account, world.me_in_list(account), bills, key="the-same-press")
    me = world.me_in_list(account)
    take_back(ports, account, consent)

    assert world.order_for(account, me, bills, key="the-same-press").order_no == order.order_no


def test_a_platform_does_not_bring_back_the_name_that_was_taken_back(world, ports):
    login = ports.logins[ALIPAY]
    login.people["c0de"] = PlatformIdentity(subject="2088000000000001")
    account = sign_in(ports, miniprogram=ALIPAY, code="c0de").account
    (consent,) = world.agree(account, "REAL_NAME")
    take_back(ports, account, consent)
    login.people["c0de"] = PlatformIdentity(subject="2088000000000001", real_name=RealName(name=ZHANG[0], id_number=ZHANG[1]))

    assert sign_in(ports, miniprogram=ALIPAY, code="c0de").account.person_id is None

    world.agree(account, "REAL_NAME")
    assert sign_in(ports, miniprogram=ALIPAY, code="c0de").account.person_id is not None


# Paying for others.


def payer_of(world, *, keep: bool = True):
    number = an_id_number(7, born="19700101", female=True)
    person = world.person(name="李小红", id_number=number)
    bills = world.bills(world.enrollment(person))
    account = world.account()
    (consent,) = world.agree(account, "PROXY_PAYMENT")
    named = Named(name="李小红", id_number=number)
    added = add_insured_person(world.ports, account=account, named=named, relation="母亲", keep=keep)
    return account, consent, added, bills, named


@pytest.mark.parametrize("keep", [True, False])
def test_others_leave_the_list_and_nothing_more_is_looked_up_or_ordered_for_them(world, ports, keep):
    account, consent, theirs, bills, named = payer_of(world, keep=keep)

    take_back(ports, account, consent)

    assert [row.is_self for row in list_insured_persons(ports, account=account)] == [True]
    with pytest.raises(NotFound):
        list_bills(ports, account=account, insured_person_id=theirs.id)
    with pytest.raises(NotFound):
        world.order_for(account, theirs.id, bills)
    with pytest.raises(ConsentRequired):
        add_insured_person(ports, account=account, named=named, relation=None, keep=True)
    assert world.bill_states() == ["UNPAID"]


def test_an_order_for_another_that_is_under_way_is_told_and_finished(world, ports):
    account, consent, theirs, bills, _ = payer_of(world)
    order = world.order_for(account, theirs.id, bills)

    told = take_back(ports, account, consent)
    world.hear(world.paid_news(order))
    world.settle()

    assert told.orders_under_way == [order.order_no]
    assert read_order(ports, account=account, order_no=order.order_no).state == "PAID"
    assert world.bill_states() == ["PAID"]


def test_ones_own_payments_go_on_without_the_consent_to_pay_for_others(world, ports):
    person = world.person()
    bills = world.bills(world.enrollment(person))
    account = world.account(person)
    (consent,) = world.agree(account, "PROXY_PAYMENT")
    take_back(ports, account, consent)

    assert world.order_for(account, world.me_in_list(account), bills).state == "PREPAY"


def test_an_order_pressed_at_the_very_moment_is_either_refused_or_told(world, ports):
    """Whichever came first: there is no order that neither the consent nor the answer knows of."""
    for _ in range(8):
        account, consent, theirs, bills, _ = payer_of_another(world)
        start, outcome = threading.Barrier(2), {}

        def order(account=account, theirs=theirs, bills=bills, start=start, outcome=outcome) -> None:
            start.wait()
            try:
                outcome["order"] = world.order_for(account, theirs, bills).order_no
            except (ConsentRequired, NotFound):
                outcome["order"] = None

        def withdraw(account=account, consent=consent, start=start, outcome=outcome) -> None:
            start.wait()
            outcome["told"] = take_back(ports, account, consent).orders_under_way

        threads = [threading.Thread(target=work) for work in (order, withdraw)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert outcome["told"] == ([outcome["order"]] if outcome["order"] else [])


def payer_of_another(world):
    person = world.person()
    bills = world.bills(world.enrollment(person))
    account, theirs = world.payer_for(person)
    (consent,) = world.agree(account, "PROXY_PAYMENT")
    return account, consent, theirs, bills, None


# Phone and messages.


def test_the_number_is_gone_and_nothing_waiting_is_sent(world, ports):
    account = world.account()
    (consent,) = world.agree(account, "PHONE")
    place = Account.place_of("phone_sealed", account.id)
    with ports.begin() as session:
        row = session.get_one(Account, account.id)
        row.phone_sealed = ports.seals.seal("13800138000", place=place)
        row.phone_index = ports.seals.index("phone", "13800138000")
        row.phone_masked = "138****8000"
        session.add(MessageAllowance(account_id=account.id, platform_template="T1", remaining=2, changed_at=ports.now()))
        for state in ("WAITING", "SENT"):
            session.add(Message(account_id=account.id, template="paid", facts={}, state=state, created_at=ports.now()))

    told = take_back(ports, account, consent)

    assert "号码随即删除" in told.stopped
    assert world.rows("SELECT phone_sealed, phone_index, phone_masked FROM accounts WHERE id = :id", id=account.id) == [
        (None, None, None)
    ]
    assert world.rows("SELECT remaining FROM message_allowances") == [(0,)]
    assert world.rows("SELECT state, given_up_why FROM messages ORDER BY id") == [
        ("GIVEN_UP", "consent_withdrawn"),
        ("SENT", None),
    ]
    assert world.rows("SELECT from_state, to_state, why, who FROM moves WHERE noun = 'message'") == [
        ("WAITING", "GIVEN_UP", "message.given_up:consent_withdrawn", f"account:{account.id}")
    ]


def test_in_the_app_the_number_signs_in_and_is_kept_for_nothing_else_until_it_is_agreed_to_again(world, ports, clock):
    phone, program = "13800138000", "changzhou-hrss-app"

    def enter(way):
        clock.move(minutes=2)
        send_code(ports, miniprogram=program, phone=phone)
        return way(ports, miniprogram=program, phone=phone, sms_code=ports.sms.code_for(phone)).account

    account = enter(register)
    (consent,) = world.agree(account, "PHONE")
    assert account.phone_masked == "138****8000"
    take_back(ports, account, consent)

    again = enter(sign_in_by_sms)
    assert again.id == account.id
    assert (again.phone_sealed, again.phone_index, again.phone_masked) == (None, None, None)
    world.agree(account, "REAL_NAME")
    prove_name(ports, account=again, name="张三丰", id_number="320402199001010017", phone=None)
    assert ports.names.asked("check")[-1][1] is None

    world.agree(account, "PHONE")
    assert enter(sign_in_by_sms).phone_masked == "138****8000"


def test_other_accounts_and_other_purposes_are_left_alone(world, ports):
    account, other = world.account(), world.account()
    (consent,) = world.agree(account, "PHONE")
    with ports.begin() as session:
        session.add(MessageAllowance(account_id=other.id, platform_template="T1", remaining=2, changed_at=ports.now()))
        session.add(Message(account_id=other.id, template="paid", facts={}, created_at=ports.now()))
    payer, _ = world.payer_for(world.person())

    take_back(ports, account, consent)
    for each in world.agree(account, "DOCUMENTS", "BANK_ACCOUNT", "ENROLLMENT", "AGENCY_CLIENT"):
        take_back(ports, account, each)

    assert world.rows("SELECT remaining FROM message_allowances") == [(2,)]
    assert world.rows("SELECT state FROM messages") == [("WAITING",)]
    assert len(list_insured_persons(ports, account=payer)) == 2
    assert "PAY_OWN" in capabilities_of(ports, account)


def test_taking_it_back_twice_or_anothers_is_not_found_and_stops_nothing(world, ports):
    account, consent, _, _, _ = payer_of(world)
    stranger = world.account()

    for whose, which in ((stranger, consent.id), (account, uuid.uuid4())):
        with pytest.raises(NotFound):
            withdraw_consent(ports, account=whose, consent_id=which)
    assert len(list_insured_persons(ports, account=account)) == 2

    take_back(ports, account, consent)
    with pytest.raises(NotFound):
        take_back(ports, account, consent)
