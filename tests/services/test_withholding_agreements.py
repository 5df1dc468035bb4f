"""Withholding agreements signed on the phone: one's own card for one's own insurance, by the bank's word, and never two at once."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import text

from models.base import IllegalMove
from models.identity import BankCardCheckState
from models.withholding_agreements import AgreementReason, WithholdingAgreement
from providers.protocols import CardAnswer, CardVerdict, ProviderRefused, ProviderUnreachable
from services import account_closing, branch_agreements
from services.agreement_asking import AGAIN_AFTER, ask_about_agreements
from services.agreement_errors import AgreementInForce, BankNotListed
from services.application_errors import NotActive
from services.bank_card_checks import end_silent_checks
from services.consent_withdrawals import withdraw_consent
from services.errors import (
    ConsentRequired,
    FaceCheckRequired,
    IdempotencyKeyReused,
    NameIdMismatch,
    NotAvailableOnline,
    NotFound,
    TooManyBankCardChecks,
    TooManyLookups,
)
from services.messages import list_messages
from services.own_data import own_accesses, own_data
from services.probing import note_miss
from services.retention import apply_retention
from services.withholding_agreements import list_agreements, read_agreement, sign, terminate
from tests.factories import WECHAT, XINJIANG
from tests.signing import PHONE, a_card, a_signer, branch_signed, numbers_of, press, wanted
from tests.together import at_once

HRSS = "xinjiang-hrss-wechat"


class Killed(BaseException):
    """The process ends here: nothing of ours may catch it."""


def rows(world):
    return world.rows("SELECT state, reason FROM withholding_agreements ORDER BY id")


def says(ports, card, verdict, code="201"):
    ports.cards.answers[card] = CardAnswer(verdict=verdict, provider_code=code)


def silent(ports, times=1):
    ports.cards.fails.extend([("check", ProviderUnreachable("down"))] * times)


# --- signing


def test_the_bank_knows_card_and_holder_and_the_agreement_is_in_force(world, ports):
    account = a_signer(world)
    card = a_card()

    told = press(world, account, card_number=f" {card[:4]} {card[4:]}")

    assert (told.state, told.channel, told.title) == ("ACTIVE", "ONLINE", "个人委托扣款缴费协议")
    assert (told.card_masked, told.bank_name) == (f"****{card[-4:]}", "中国工商银行")
    assert (told.text_version, told.can_terminate) == ("2026-11-21", True)
    ((person, asked, phone),) = ports.cards.asked("check")
    assert ((person.name, person.id_number), asked, phone) == (numbers_of(world, account), card, PHONE)
    assert world.rows("SELECT authority, bank_category, phone_sealed, next_ask_at FROM withholding_agreements") == [
        ("tax-650000", "102", None, None)
    ]
    assert world.rows("SELECT why, who FROM moves WHERE noun = 'withholding_agreement'") == [
        ("agreement.active", f"account:{account.id}")
    ]
    assert world.rows("SELECT state, purpose FROM bank_card_checks") == [(BankCardCheckState.MATCHED, "AGREEMENT")]
    assert world.scalar("SELECT count(*) FROM person_lookups") == 0


def test_the_text_that_was_agreed_to_stands_with_the_agreement(world, ports):
    account = a_signer(world)
    press(world, account)

    ((kept, agreed),) = world.rows(
        "SELECT encode(a.text_hash, 'hex'), c.text_hash FROM withholding_agreements a "
        "JOIN consents c ON c.account_id = a.account_id AND c.purpose = 'WITHHOLDING'"
    )
    assert kept == agreed


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [(CardVerdict.MISMATCH, "HOLDER_MISMATCH"), (CardVerdict.UNSUPPORTED, "CARD_UNSUPPORTED")],
)
def test_a_bank_that_says_no_ends_it_and_nothing_of_the_card_is_kept(world, ports, verdict, reason):
    account, card = a_signer(world), a_card()
    says(ports, card, verdict)

    told = press(world, account, card_number=card)

    assert told.state == "REJECTED"
    assert "重新签约" in told.detail or "换一张" in told.detail
    assert world.rows("SELECT reason, card_number_sealed, card_number_index, phone_sealed FROM withholding_agreements") == [
        (reason, None, None, None)
    ]
    assert press(world, account).state == "ACTIVE"


def test_which_of_the_four_did_not_fit_is_told_to_nobody(world, ports):
    account, card = a_signer(world), a_card()
    told = set()
    for code in ("201", "206", "214"):
        says(ports, card, CardVerdict.MISMATCH, code)
        told.add(press(world, account, card_number=card).detail)

    assert len(told) == 1


def test_neither_card_nor_phone_stands_open_in_any_table(world, ports):
    account, card = a_signer(world), a_card()
    silent(ports)
    press(world, account, card_number=card)

    with ports.begin() as session:
        tables = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        everything = "".join(
            str(session.execute(text(f"SELECT string_agg(t::text, '') FROM {table} t")).scalar())  # noqa: S608 - its own names
            for table in tables
        )
    for secret in (card, PHONE):
        assert secret not in everything
        assert secret.encode().hex() not in everything


@pytest.mark.parametrize("state", ["SUSPENDED", "TERMINATED"])
def test_nothing_is_signed_before_the_approval_or_while_paused(world, ports, state):
    account = a_signer(world, state=state, end_month=202610)

    with pytest.raises(NotActive) as refusal:
        press(world, account)

    assert "审核通过" in refusal.value.said
    assert ports.cards.calls == []


def test_nobody_signs_for_another_or_with_anothers_name(world, ports):
    account, other = a_signer(world), a_signer(world)
    name, number = numbers_of(world, other)
    for changes in ({"id_number": number}, {"name": "李四光"}):
        with pytest.raises(NameIdMismatch) as refusal:
            press(world, account, **changes)
        assert "本人" in refusal.value.said

    assert ports.cards.calls == []
    assert rows(world) == []
    assert name not in refusal.value.said


@pytest.mark.parametrize("lacks", ["BANK_ACCOUNT", "WITHHOLDING"])
def test_no_card_goes_to_the_bank_without_both_consents(world, ports, lacks):
    account = a_signer(world, agreed=tuple({"BANK_ACCOUNT", "WITHHOLDING"} - {lacks}))

    with pytest.raises(ConsentRequired) as refusal:
        press(world, account)

    assert refusal.value.facts["purpose"] == lacks
    assert ports.cards.calls == []


def test_whoever_is_not_verified_or_took_the_name_back_signs_nothing(world, ports):
    account = a_signer(world)
    typed = wanted(world, account)
    nobody = world.account(miniprogram=XINJIANG, verified=False)
    with pytest.raises(FaceCheckRequired):
        sign(ports, account=nobody, new=typed, idempotency_key="a-key-of-mine")
    (consent,) = world.agree(account, "REAL_NAME")
    withdraw_consent(ports, account=account, consent_id=consent.id)
    with pytest.raises(ConsentRequired):
        press(world, account)
    with pytest.raises(ConsentRequired):
        list_agreements(ports, account=account)


def test_the_banks_that_take_part_are_told_to_whoever_names_another(world):
    with pytest.raises(BankNotListed) as refusal:
        press(world, a_signer(world), bank="JNB")

    assert {"code": "PSBC", "title": "中国邮政储蓄银行"} in refusal.value.facts["banks"]


def test_changzhou_signs_at_a_branch_and_says_where(world, ports):
    account = a_signer(world, region="320400", miniprogram=WECHAT)

    with pytest.raises(NotAvailableOnline) as refusal:
        press(world, account, region="320400", bank="BOC")

    assert "银行网点" in refusal.value.said
    assert "96888732" in refusal.value.said
    assert len(refusal.value.facts["banks"]) == 8


def test_the_registrars_mini_program_sends_people_to_the_collectors(world):
    account = a_signer(world, miniprogram=HRSS)

    with pytest.raises(NotAvailableOnline) as refusal:
        press(world, account)

    assert "新疆税务社保缴费" in refusal.value.said


# --- once, and no more


def test_whoever_signed_need_not_sign_again(world, ports):
    account = a_signer(world)
    first = press(world, account)

    with pytest.raises(AgreementInForce) as refusal:
        press(world, account)

    assert refusal.value.title == "已签约，无需重复签订"
    assert refusal.value.facts == {"agreement_no": first.agreement_no, "state": "ACTIVE"}
    assert refusal.value.said.startswith("您已签约，无需重复签订。")
    assert len(ports.cards.asked("check")) == 1


def test_whoever_signed_at_a_branch_hears_it_before_they_are_sent_there_again(world, ports):
    account, _ = branch_signed(world)

    with pytest.raises(AgreementInForce) as refusal:
        press(world, account, region="320400", bank="BOC")

    assert refusal.value.title == "已签约，无需重复签订"
    assert refusal.value.said == "原已签订协议的不用重复签订。解约、换卡请到签约的银行网点办理。"


def test_the_same_key_tells_the_same_agreement_and_asks_no_bank(world, ports):
    account = a_signer(world)
    typed = wanted(world, account)
    first = sign(ports, account=account, new=typed, idempotency_key="the-same-key")
    again = sign(ports, account=account, new=typed, idempotency_key="the-same-key")

    assert (first.id, first.replayed, again.replayed) == (again.id, False, True)
    assert len(ports.cards.asked("check")) == 1
    with pytest.raises(IdempotencyKeyReused):
        press(world, account, key="the-same-key")


def test_two_presses_at_once_are_one_agreement(world, ports):
    account = a_signer(world)
    typed = wanted(world, account)

    said = at_once(*[lambda: sign(ports, account=account, new=typed, idempotency_key="pressed-twice")] * 4)

    assert len({each.id for each in said}) == 1
    assert len(ports.cards.asked("check")) == 1


def test_two_phones_of_one_person_at_once_make_one_agreement(world, ports):
    first = a_signer(world)
    with ports.begin() as session:
        from models.people import Person

        person = session.get_one(Person, first.person_id)
        session.expunge(person)
    second = world.account(person, miniprogram=XINJIANG)
    world.agree(second, "BANK_ACCOUNT", "WITHHOLDING")

    said = at_once(lambda: press(world, first), lambda: press(world, second))

    assert sorted(type(each).__name__ for each in said) == ["AgreementInForce", "AgreementView"]
    assert rows(world) == [("ACTIVE", None)]


def test_another_card_is_another_agreement_after_the_first_has_ended(world, ports):
    account = a_signer(world)
    first = press(world, account)
    terminate(ports, account=account, agreement_id=first.id)

    second = press(world, account)

    assert (second.state, second.id != first.id) == ("ACTIVE", True)
    assert [each.state for each in list_agreements(ports, account=account).agreements] == ["ACTIVE", "TERMINATED"]


# --- guessing


def test_five_cards_a_day_and_they_count_with_the_checks_that_prove_a_person(world, ports, clock):
    account, card = a_signer(world), a_card()
    says(ports, card, CardVerdict.MISMATCH)
    for _ in range(5):
        assert press(world, account, card_number=card).state == "REJECTED"

    with pytest.raises(TooManyBankCardChecks) as refusal:
        press(world, account)
    assert "银行网点" in refusal.value.said
    assert len(ports.cards.asked("check")) == 5
    clock.move(days=1)
    assert press(world, account).state == "ACTIVE"


def test_tries_are_counted_before_the_bank_is_asked(world, ports):
    account, card = a_signer(world), a_card()
    says(ports, card, CardVerdict.MISMATCH)

    said = at_once(*[lambda: press(world, account, card_number=card)] * 8)

    assert len(ports.cards.asked("check")) <= 5
    assert all(isinstance(each, TooManyBankCardChecks | AgreementInForce) or each.state == "REJECTED" for each in said)


def test_a_crowd_guesses_no_faster_than_one(world, ports):
    account = a_signer(world)
    index = world.scalar("SELECT id_number_index FROM persons WHERE id = :id", id=account.person_id)
    others = [world.account() for _ in range(10)]
    with ports.begin() as session:
        for other in others:
            note_miss(session, account_id=other.id, id_index=bytes(index), now=ports.now(), detail="")

    with pytest.raises(TooManyLookups):
        press(world, account)
    assert ports.cards.calls == []
    assert rows(world) == []


# --- a bank without an answer


@pytest.mark.parametrize("fault", [ProviderUnreachable("down"), ProviderRefused("QUOTA")])
def test_a_bank_without_an_answer_leaves_it_pending_and_the_sweep_asks_again(world, ports, clock, fault):
    account = a_signer(world)
    ports.cards.fails.append(("check", fault))

    told = press(world, account)

    assert (told.state, "不用重复提交" in told.detail) == ("PENDING_VERIFY", True)
    assert ask_about_agreements(ports) == 0, "not before its time"
    clock.move(minutes=1)
    assert ask_about_agreements(ports) == 1
    assert read_agreement(ports, account=account, agreement_id=told.id).state == "ACTIVE"
    assert world.rows("SELECT columns, who FROM personal_data_accesses WHERE purpose = 'agreement_check' ORDER BY id") == [
        ("card_number,phone", "agreement_asking.ask_about_agreements"),
        ("name,id_number", "agreement_asking.ask_about_agreements"),
    ]
    assert world.scalar("SELECT count(*) FROM person_lookups") == 0
    assert [each.key for each in list_messages(ports, account=account).messages] == ["agreement.active"]


def test_a_bank_that_is_silent_for_a_day_is_given_up_and_the_person_may_begin_anew(world, ports, clock):
    account = a_signer(world)
    silent(ports, times=len(AGAIN_AFTER))
    told = press(world, account)
    for wait in AGAIN_AFTER:
        assert read_agreement(ports, account=account, agreement_id=told.id).state == "PENDING_VERIFY"
        clock.move(seconds=wait.total_seconds())
        ask_about_agreements(ports)

    assert rows(world) == [("REJECTED", "NO_ANSWER")]
    assert len(ports.cards.asked("check")) == len(AGAIN_AFTER)
    assert sum(AGAIN_AFTER, timedelta()) < timedelta(days=1), "as its text says"
    (message,) = list_messages(ports, account=account).messages
    assert (message.key, "不会扣款" in message.text) == ("agreement.rejected", True)
    assert press(world, account).state == "ACTIVE"


def test_what_the_sweep_hears_in_the_end_counts_as_a_guess_too(world, ports, clock):
    account, card = a_signer(world), a_card()
    silent(ports)
    press(world, account, card_number=card)
    says(ports, card, CardVerdict.MISMATCH)
    clock.move(minutes=1)
    ask_about_agreements(ports)

    assert rows(world) == [("REJECTED", "HOLDER_MISMATCH")]
    assert world.scalar("SELECT count(*) FROM person_lookups WHERE NOT hit") == 1


@pytest.mark.parametrize("when", ["before the bank heard of it", "after the bank answered"])
def test_a_process_that_dies_while_the_bank_is_asked_harms_nobody(world, ports, clock, monkeypatch, when):
    account = a_signer(world)
    typed = wanted(world, account)
    inner = ports.cards.check

    def dies(*given, **how):
        if when.startswith("after"):
            inner(*given, **how)
        raise Killed

    monkeypatch.setattr(ports.cards, "check", dies)
    with pytest.raises(Killed):
        sign(ports, account=account, new=typed, idempotency_key="a-key-of-mine")
    monkeypatch.setattr(ports.cards, "check", inner)

    assert sign(ports, account=account, new=typed, idempotency_key="a-key-of-mine").state == "PENDING_VERIFY"
    clock.move(minutes=1)
    end_silent_checks(ports)
    ask_about_agreements(ports)
    assert sign(ports, account=account, new=typed, idempotency_key="a-key-of-mine").state == "ACTIVE"
    assert rows(world) == [("ACTIVE", None)]


def test_a_sweep_that_dies_while_it_asks_is_followed_by_another(world, ports, clock, monkeypatch):
    account = a_signer(world)
    silent(ports)
    press(world, account)
    clock.move(minutes=1)
    inner = ports.cards.check

    def dies(*_given, **_how):
        raise Killed

    monkeypatch.setattr(ports.cards, "check", dies)
    with pytest.raises(Killed):
        ask_about_agreements(ports)
    monkeypatch.setattr(ports.cards, "check", inner)

    assert ask_about_agreements(ports) == 0
    clock.move(seconds=AGAIN_AFTER[1].total_seconds())
    assert ask_about_agreements(ports) == 1
    assert rows(world) == [("ACTIVE", None)]


def test_two_sweeps_ask_once(world, ports, clock):
    silent(ports)
    press(world, a_signer(world))
    clock.move(minutes=1)

    at_once(*[lambda: ask_about_agreements(ports)] * 3)

    assert len(ports.cards.asked("check")) == 2


def test_a_lost_seal_is_given_up_and_holds_up_nobody_else(world, ports, clock):
    silent(ports, times=2)
    press(world, a_signer(world))
    press(world, a_signer(world))
    with ports.begin() as session:
        first = session.scalar(text("SELECT min(id::text) FROM withholding_agreements"))
        session.execute(text("UPDATE withholding_agreements SET card_number_sealed = 'x' WHERE id::text = :id"), {"id": first})
    clock.move(minutes=1)

    ask_about_agreements(ports)

    assert sorted(rows(world)) == [("ACTIVE", None), ("REJECTED", "NO_ANSWER")]


# --- taking back, ending


def while_the_bank_is_asked(ports, act):
    inner = ports.cards.check

    def slow(*given, **how):
        ports.cards.check = inner
        act()
        return inner(*given, **how)

    ports.cards.check = slow


def test_one_that_is_ended_while_the_bank_is_asked_stays_ended(world, ports):
    account = a_signer(world)

    def end():
        (pending,) = list_agreements(ports, account=account).agreements
        assert terminate(ports, account=account, agreement_id=pending.id).state == "TERMINATED"

    while_the_bank_is_asked(ports, end)

    assert press(world, account).state == "TERMINATED"
    assert world.rows("SELECT phone_sealed FROM withholding_agreements") == [(None,)]


@pytest.mark.parametrize("purpose", ["BANK_ACCOUNT", "WITHHOLDING"])
def test_a_consent_taken_back_ends_what_waits_for_the_bank_and_nothing_that_is_in_force(world, ports, purpose):
    waiting, in_force = a_signer(world), a_signer(world)
    press(world, in_force)
    silent(ports)
    press(world, waiting)
    for account in (waiting, in_force):
        consent = world.scalar("SELECT id FROM consents WHERE account_id = :id AND purpose = :p", id=account.id, p=purpose)
        told = withdraw_consent(ports, account=account, consent_id=consent)
        assert "已签的协议请另行解约" in told.goes_on

    assert rows(world) == [("ACTIVE", None), ("REJECTED", "CONSENT_TAKEN_BACK")]


def test_a_consent_taken_back_while_the_bank_is_asked_wins(world, ports):
    account = a_signer(world)
    consent = world.scalar("SELECT id FROM consents WHERE account_id = :id AND purpose = 'WITHHOLDING'", id=account.id)
    while_the_bank_is_asked(ports, lambda: withdraw_consent(ports, account=account, consent_id=consent))

    assert press(world, account).state == "REJECTED"
    assert rows(world) == [("REJECTED", "CONSENT_TAKEN_BACK")]


def test_ending_it_again_changes_nothing(world, ports):
    account = a_signer(world)
    told = press(world, account)
    first = terminate(ports, account=account, agreement_id=told.id)
    again = terminate(ports, account=account, agreement_id=told.id)

    assert first == again
    assert world.rows("SELECT why FROM moves WHERE noun = 'withholding_agreement' ORDER BY id") == [
        ("agreement.active",),
        ("agreement.terminated",),
    ]


def test_the_card_of_one_that_ended_goes_after_ten_years_and_one_in_force_keeps_its_own(world, ports, clock):
    ended, in_force = a_signer(world), a_signer(world)
    terminate(ports, account=ended, agreement_id=press(world, ended).id)
    press(world, in_force)
    clock.move(days=3640)
    apply_retention(ports)
    cards = "SELECT card_number_sealed IS NULL, card_number_index IS NULL FROM withholding_agreements ORDER BY id"
    assert world.rows(cards) == [(False, False), (False, False)]

    clock.move(days=20)
    apply_retention(ports)

    assert world.rows(cards) == [(True, True), (False, False)]
    assert list_agreements(ports, account=ended).agreements[0].card_masked.startswith("****")


def test_what_was_signed_at_a_bank_is_ended_at_the_bank(world, ports):
    account, made = branch_signed(world)

    with pytest.raises(NotAvailableOnline) as refusal:
        terminate(ports, account=account, agreement_id=made)

    assert "银行网点" in refusal.value.said
    assert rows(world) == [("ACTIVE", None)]


def test_another_persons_agreement_is_not_there(world, ports):
    theirs, mine = a_signer(world), a_signer(world)
    told = press(world, theirs)
    for act in (read_agreement, terminate):
        with pytest.raises(NotFound):
            act(ports, account=mine, agreement_id=told.id)
        with pytest.raises(NotFound):
            act(ports, account=world.account(verified=False), agreement_id=told.id)
        with pytest.raises(NotFound):
            act(ports, account=mine, agreement_id=uuid.uuid4())

    assert list_agreements(ports, account=mine).agreements == []
    assert rows(world) == [("ACTIVE", None)]


def test_an_account_is_not_closed_while_its_agreement_is_in_force(world, ports):
    account = a_signer(world)
    told = press(world, account)
    with ports.begin() as session:
        way = account_closing.what_is_in_the_way(session, account=account, now=ports.now())
    assert "请先在协议里解约" in way

    terminate(ports, account=account, agreement_id=told.id)
    with ports.begin() as session:
        assert account_closing.what_is_in_the_way(session, account=account, now=ports.now()) is None


# --- what is told


def test_xinjiang_says_where_with_which_card_and_how_much_to_have_on_it(world, ports):
    account = a_signer(world, declared_wage_fen=600_000)

    (guide,) = list_agreements(ports, account=account).guides

    assert (guide.title, guide.signs_online, guide.hotline) == ("个人委托扣款缴费协议", True, "12366")
    assert "社会保障卡" in guide.recommended_card
    assert "乘以百分之二十" in guide.deposit_note
    assert [(each.insurance_type, each.amount_fen) for each in guide.deposits] == [("110", 120_000)]
    assert [(each.item, each.done) for each in guide.checklist] == [("FINANCIAL_FUNCTION", None), ("AGREEMENT_SIGNED", False)]


def test_changzhou_names_its_eight_banks_the_recommended_card_and_both_things_to_do(world, ports):
    account = a_signer(world, region="320400", miniprogram=WECHAT, agreed=())

    (guide,) = list_agreements(ports, account=account).guides

    assert (guide.title, guide.is_main_way, guide.signs_online, guide.hotline) == ("银行卡扣缴协议", True, False, "96888732")
    assert len(guide.banks) == 8
    assert "江苏省社会保障卡" in guide.recommended_card
    assert "不用重复签订" in guide.signed_before
    assert [each.item for each in guide.checklist] == ["FINANCIAL_FUNCTION", "AGREEMENT_SIGNED"]

    branch_signed(world, account)
    told = list_agreements(ports, account=account)
    assert [each.done for each in told.guides[0].checklist] == [True, True]
    assert (told.agreements[0].channel, told.agreements[0].can_terminate) == ("BRANCH", False)


def test_an_agreement_shows_on_every_phone_of_its_person_and_in_their_own_data(world, ports):
    account, _ = branch_signed(world)
    (kind,) = [each for each in own_data(ports, account=account) if each.kind == "agreements"]

    assert (kind.count, kind.items[0]["bank"], kind.items[0]["state"]) == (1, "BOC", "ACTIVE")
    assert kind.items[0]["card_masked"].startswith("****")


def test_who_opened_the_card_for_the_bank_is_told_to_its_holder(world, ports, clock):
    account = a_signer(world)
    silent(ports)
    press(world, account)
    clock.move(minutes=1)
    ask_about_agreements(ports)

    _, rows_told = own_accesses(ports, account=account, limit=50, offset=0)
    told = [(each["what"], each["why"], each["who"]) for each in rows_told]

    assert ("银行卡号、手机号码", "核对委托扣款的银行卡", "系统") in told


# --- states


def test_a_bank_may_stop_and_resume_any_agreement_and_the_person_sees_why(world, ports):
    account = a_signer(world)
    told = press(world, account)
    branch_agreements.suspend(ports, agreement_no=told.agreement_no, why=AgreementReason.CARD_LOST, by="S1024")
    assert [each.key for each in list_messages(ports, account=account).messages] == ["agreement.suspended"]
    seen = read_agreement(ports, account=account, agreement_id=told.id)
    assert (seen.state, "挂失" in seen.detail, seen.can_terminate) == ("SUSPENDED", True, True)
    with pytest.raises(AgreementInForce):
        press(world, account)

    branch_agreements.resume(ports, agreement_no=told.agreement_no, by="S1024")
    assert read_agreement(ports, account=account, agreement_id=told.id).state == "ACTIVE"


def test_what_is_over_never_comes_back(world, ports):
    account = a_signer(world)
    told = press(world, account)
    terminate(ports, account=account, agreement_id=told.id)

    with ports.begin() as session:
        row = session.get_one(WithholdingAgreement, told.id)
        with pytest.raises(IllegalMove):
            row.activate(who="staff:S1", at=ports.now())
