"""Agreements that were signed at a bank's branch: one of the staff records, another confirms with the paper in hand, and neither is the person."""

from __future__ import annotations

from datetime import date

import pytest

from models.withholding_agreements import AgreementReason
from services import branch_agreements, review_staff
from services.agreement_errors import (
    AgreementInForce,
    AgreementNotWaiting,
    BankNotListed,
    BanksNumberMalformed,
    RecordDiffers,
    SigningDayWrong,
)
from services.application_errors import NotActive
from services.counter_errors import SecondPersonRequired
from services.errors import NotFound, PersonNotMatched
from services.review_errors import OwnAffairs
from services.withholding_agreements import list_agreements
from tests.factories import WECHAT
from tests.signing import FIRST, SECOND, a_card, a_signer, branch_signed, numbers_of, paper, press
from tests.together import at_once


def somebody(world, **how):
    return a_signer(world, region="320400", miniprogram=WECHAT, agreed=(), **how)


def recorded(world, account=None, **changes):
    account = account or somebody(world)
    signed = paper(world, account, **changes)
    return account, signed, branch_agreements.record(world.ports, paper=signed, by=FIRST)


def confirm(ports, told, card, by=SECOND):
    return branch_agreements.confirm(ports, agreement_no=told.agreement_no, card_number=card, by=by)


def test_two_of_the_staff_bring_it_into_force_and_the_phone_shows_it(world, ports):
    account, signed, told = recorded(world)
    assert (told.state, told.recorded_by, told.card_masked) == (
        "PENDING_VERIFY",
        "staff:S1024",
        f"****{signed.card_number[-4:]}",
    )
    (seen,) = list_agreements(ports, account=account).agreements
    assert (seen.state, "复核" in seen.detail, seen.title) == ("PENDING_VERIFY", True, "银行卡扣缴协议")

    done = confirm(ports, told, signed.card_number)

    assert done.state == "ACTIVE"
    assert world.rows(
        "SELECT confirmed_by, bank_agreement_no, financial_function_activated, account_id FROM withholding_agreements"
    ) == [("staff:S2048", "BOC-2026-0001", True, None)]
    assert ports.cards.calls == []
    assert branch_agreements.list_waiting(ports) == []


def test_nothing_is_asked_of_a_bank_for_what_waits_for_a_second_person(world, ports, clock):
    from services.agreement_asking import ask_about_agreements

    _, _, told = recorded(world)
    clock.move(days=2)

    assert ask_about_agreements(ports) == 0
    assert [each.agreement_no for each in branch_agreements.list_waiting(ports)] == [told.agreement_no]


def test_a_card_that_is_not_activated_is_told_on_the_list_of_what_to_do(world, ports):
    account, _ = branch_signed(world, financial_function_activated=False)

    (guide,) = list_agreements(ports, account=account).guides

    assert [each.done for each in guide.checklist] == [False, True]


def test_the_second_is_another_person_and_types_the_card_again(world, ports):
    _, signed, told = recorded(world)
    with pytest.raises(SecondPersonRequired):
        confirm(ports, told, signed.card_number, by=" s1024 ")
    with pytest.raises(RecordDiffers):
        confirm(ports, told, a_card())
    with pytest.raises(NotFound):
        branch_agreements.confirm(ports, agreement_no="0" * 24, card_number=signed.card_number, by=SECOND)

    assert world.rows("SELECT state FROM withholding_agreements") == [("PENDING_VERIFY",)]


def test_what_was_recorded_wrongly_is_refused_and_recorded_anew(world, ports):
    account, _, told = recorded(world)
    with pytest.raises(AgreementInForce):
        recorded(world, account)

    branch_agreements.refuse(ports, agreement_no=told.agreement_no, by=SECOND)

    assert world.rows("SELECT reason, card_number_sealed FROM withholding_agreements") == [("RECORDED_WRONGLY", None)]
    assert recorded(world, account)[2].state == "PENDING_VERIFY"
    assert "重新录入" in list_agreements(ports, account=account).agreements[-1].detail


def test_two_clerks_at_once_record_one_agreement(world, ports):
    account = somebody(world)
    papers = [paper(world, account), paper(world, account)]

    said = at_once(*[lambda each=each: branch_agreements.record(ports, paper=each, by=FIRST) for each in papers])

    assert sorted(type(each).__name__ for each in said) == ["AgreementInForce", "RecordedView"]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"bank": "ICBK"}, BankNotListed),
        ({"region": "999999"}, NotFound),
        ({"region": "100000"}, NotFound),
        ({"signed_on": date(2026, 12, 31)}, SigningDayWrong),
        ({"bank_agreement_no": "张三的协议"}, BanksNumberMalformed),
        ({"name": "李四光"}, PersonNotMatched),
        ({"insurance_type": "310"}, NotActive),
    ],
)
def test_what_the_paper_cannot_say_is_not_recorded(world, ports, changes, refusal):
    signed = paper(world, somebody(world), **changes)

    with pytest.raises(refusal):
        branch_agreements.record(ports, paper=signed, by=FIRST)

    assert world.scalar("SELECT count(*) FROM withholding_agreements") == 0


def test_nobody_records_or_confirms_their_own(world, ports):
    account = somebody(world)
    _, number = numbers_of(world, account)
    review_staff.note_person(ports, who=FIRST, id_number=number, by=SECOND)
    signed = paper(world, account)
    with pytest.raises(OwnAffairs):
        branch_agreements.record(ports, paper=signed, by=FIRST)

    told = branch_agreements.record(ports, paper=signed, by=SECOND)
    with pytest.raises(OwnAffairs):
        confirm(ports, told, signed.card_number, by=FIRST)


def test_what_is_signed_online_waits_for_its_bank_and_for_none_of_the_staff(world, ports):
    from providers.protocols import ProviderUnreachable

    ports.cards.fails.append(("check", ProviderUnreachable("down")))
    card = a_card()
    told = press(world, a_signer(world), card_number=card)

    with pytest.raises(AgreementNotWaiting):
        branch_agreements.confirm(ports, agreement_no=told.agreement_no, card_number=card, by=SECOND)
    with pytest.raises(AgreementNotWaiting):
        branch_agreements.refuse(ports, agreement_no=told.agreement_no, by=SECOND)


def test_the_bank_ends_it_and_another_card_is_another_agreement(world, ports):
    account, made = branch_signed(world)
    number = world.scalar("SELECT agreement_no FROM withholding_agreements WHERE id = :id", id=made)
    with pytest.raises(ValueError, match="no reason"):
        branch_agreements.suspend(ports, agreement_no=number, why=AgreementReason.NO_ANSWER, by=FIRST)
    branch_agreements.suspend(ports, agreement_no=number, why=AgreementReason.ACCOUNT_FROZEN, by=FIRST)

    assert branch_agreements.end(ports, agreement_no=number, by=FIRST).state == "TERMINATED"
    with pytest.raises(AgreementNotWaiting):
        branch_agreements.resume(ports, agreement_no=number, by=FIRST)
    branch_signed(world, account)
    assert [each.state for each in list_agreements(ports, account=account).agreements] == ["ACTIVE", "TERMINATED"]
