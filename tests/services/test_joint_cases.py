"""The joint case: enrolment, agreement and payment as one, each step read from what it is about."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import text

from models.applications import DecisionReason
from providers.protocols import ProviderUnreachable
from services.agreement_asking import ask_about_agreements
from services.errors import NotAvailableOnline, NotFound
from services.joint_cases import list_joint_cases, open_joint_case, read_joint_case
from tests.applying import XINJIANG_PAPERS as PAPERS
from tests.applying import a_worker, an_applicant, begin, in_xinjiang, judged, lay_papers, submitted
from tests.signing import a_signer, press


def open_one(ports, account, *, scheme=None, region="650000", key=None):
    return open_joint_case(
        ports, account=account, region_code=region, resident_scheme=scheme, idempotency_key=key or uuid.uuid4().hex
    )


def states(ports, account, case):
    return [step.state for step in read_joint_case(ports, account=account, case_id=case.id).steps]


def test_a_case_goes_from_enrolment_over_the_agreement_to_the_first_payment(world, ports):
    person = a_worker(world)
    account = in_xinjiang(world, person)
    case = open_one(ports, account)
    assert states(ports, account, case) == ["TO_DO", "WAITING", "WAITING"]

    draft = begin(world, account, joint_case=case.id)
    assert read_joint_case(ports, account=account, case_id=case.id).steps[0].application_ids == [draft.id]
    lay_papers(world, draft, *PAPERS)
    from services.applications import submit_application

    done = submit_application(ports, account=account, application_id=draft.id, version=draft.version)
    assert done.joint_case_id == case.id
    assert states(ports, account, case) == ["UNDER_WAY", "WAITING", "WAITING"]

    judged(world, done, "approve")
    enrollment = world.enrollment(person, region="650000", start_month=202611)
    with ports.begin() as session:
        session.execute(text("UPDATE application_items SET enrollment_id = :id"), {"id": enrollment.id})
    assert states(ports, account, case) == ["DONE", "TO_DO", "WAITING"]
    assert "协议" in read_joint_case(ports, account=account, case_id=case.id).steps[1].explanation

    bills = world.bills(enrollment)
    assert states(ports, account, case) == ["DONE", "TO_DO", "TO_DO"]
    payer = world.account(person, miniprogram="xinjiang-tax-wechat")
    order = world.order_for(payer, world.me_in_list(payer), bills)
    world.hear(world.paid_news(order), miniprogram="xinjiang-tax-wechat")
    world.settle()
    assert states(ports, account, case) == ["DONE", "DONE", "DONE"]
    assert read_joint_case(ports, account=account, case_id=case.id).is_done


def test_the_agreement_is_done_once_it_is_in_force_wherever_it_was_signed(world, ports, clock):
    person = a_worker(world)
    account = in_xinjiang(world, person)
    case = open_one(ports, account)
    judged(world, submitted(world, account, joint_case=case.id), "approve")
    signer = a_signer(world, person, start_month=202611)
    assert states(ports, account, case)[1] == "TO_DO"

    ports.cards.fails.append(("check", ProviderUnreachable("down")))
    press(world, signer)
    assert states(ports, account, case)[1] == "UNDER_WAY"
    clock.move(minutes=1)
    ask_about_agreements(ports)
    assert states(ports, account, case)[1] == "DONE"


def test_what_was_rejected_is_the_applicants_turn_again(world, ports):
    account = in_xinjiang(world)
    case = open_one(ports, account)
    judged(world, submitted(world, account, joint_case=case.id), "reject", DecisionReason.OTHER)

    assert states(ports, account, case) == ["TO_DO", "WAITING", "WAITING"]


def test_the_residents_entry_leads_to_the_window_that_does_it(world, ports):
    account = in_xinjiang(world)
    for scheme, title in (("170", "城乡居民基本养老保险"), ("390", "城乡居民基本医疗保险")):
        with pytest.raises(NotAvailableOnline) as refusal:
            open_one(ports, account, scheme=scheme)
        assert title in refusal.value.said
        assert refusal.value.facts["counter"]["name"] == "参保地社会保险经办机构窗口"
    assert list_joint_cases(ports, account=account) == []


def test_changzhou_has_no_joint_case_and_says_what_to_do_instead(world, ports):
    with pytest.raises(NotAvailableOnline) as refusal:
        open_one(ports, an_applicant(world), region="320400")
    assert "分别办理参保登记和缴费" in refusal.value.said


def test_a_case_is_its_accounts_own_and_the_same_key_tells_the_same(world, ports):
    account, stranger = in_xinjiang(world), in_xinjiang(world)
    case, again = (open_one(ports, account, key="the-same-key") for _ in range(2))

    assert (case.id, again.replayed) == (again.id, True)
    assert [each.id for each in list_joint_cases(ports, account=account)] == [case.id]
    with pytest.raises(NotFound):
        read_joint_case(ports, account=stranger, case_id=case.id)
    with pytest.raises(NotFound):
        begin(world, stranger, joint_case=case.id)
