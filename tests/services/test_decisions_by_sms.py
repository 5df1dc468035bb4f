"""Decisions by SMS: to a proven phone whose consent stands, once, never twice, and whoever was not reached is seen."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.accounts import Account
from models.messages import MessageKey
from providers.protocols import NotSent, ProviderRefused, ProviderUnreachable
from services.message_sending import MOST_TRIES, TRY_AGAIN_AFTER, _claim, send_messages
from services.messages import CALLED, KINDS, REASONS, list_messages, tell
from services.phone_numbers import keep_phone
from services.undelivered import count_given_up, list_given_up
from tests.reviewing import ApplicationKind

PHONE = "13800138000"
FACTS = {"case_no": "C" * 24, "kind": "NEW_ENROLLMENT", "reason": "DOCUMENT_MISSING", "hotline": "12333"}


@pytest.fixture
def account(ports, world):
    account = world.account()
    world.agree(account, "PHONE")
    with ports.begin() as session:
        keep_phone(ports, session.get_one(Account, account.id), PHONE)
    with ports.begin() as session:
        tell(session, account_id=account.id, key=MessageKey.APPLICATION_REJECTED, facts=FACTS, at=ports.now())
    return account


def stands(world):
    return world.rows("SELECT state, way, given_up_why, tries FROM messages")


def test_a_decision_goes_to_the_proven_phone_once_with_its_facts_alone(ports, world, account):
    assert [send_messages(ports), send_messages(ports)] == [1, 0]

    values = {"case_no": "C" * 24, "kind": "灵活就业参保登记", "reason": "材料不齐全", "hotline": "12333"}
    assert ports.sms.sent == [(PHONE, "application.rejected", values)]
    assert stands(world) == [("SENT", "sms", None, 1)]
    assert world.rows("SELECT purpose, columns, who FROM personal_data_accesses") == [("message_sms", "phone", "send_messages")]


def test_an_sms_without_an_answer_is_not_sent_again_and_is_seen(ports, world, account, clock):
    ports.sms.fails.append(("send", ProviderUnreachable("slow")))

    assert send_messages(ports) == 1
    clock.move(days=1)
    assert send_messages(ports) == 0

    assert stands(world) == [("GIVEN_UP", "sms", "unreachable", 1)]
    (row,) = list_given_up(ports, within=timedelta(days=7))
    assert (row.key, row.about, row.why) == ("application.rejected", "C" * 24, "unreachable")
    assert count_given_up(ports, within=timedelta(days=7)) == {("application.rejected", "unreachable"): 1}
    assert len(list_messages(ports, account=account).messages) == 1


def test_a_process_that_dies_after_its_claim_sends_no_second_sms(ports, world, account, clock):
    letter, _ = _claim(ports)
    assert letter.way == "sms"
    clock.move(seconds=TRY_AGAIN_AFTER[0].total_seconds() + 1)

    send_messages(ports)

    assert ports.sms.sent == []
    assert stands(world) == [("GIVEN_UP", "sms", "unreachable", 1)]


@pytest.mark.parametrize("trouble", [NotSent("full"), ProviderRefused("isv.BUSINESS_LIMIT_CONTROL", permanent=False)])
def test_what_surely_did_not_go_out_is_tried_again_up_the_ladder_and_given_up_in_the_end(ports, world, account, clock, trouble):
    ports.sms.fails += [("send", trouble)] * MOST_TRIES
    for after in TRY_AGAIN_AFTER[:-1]:
        assert send_messages(ports) == 0
        clock.move(seconds=after.total_seconds() + 1)
    assert send_messages(ports) == 1

    assert ports.sms.sent == []
    assert stands(world) == [("GIVEN_UP", "sms", "busy", MOST_TRIES)]


def test_after_a_busy_minute_it_goes_out(ports, world, account, clock):
    ports.sms.fails.append(("send", NotSent("full")))
    send_messages(ports)
    clock.move(seconds=TRY_AGAIN_AFTER[0].total_seconds() + 1)

    assert send_messages(ports) == 1
    assert len(ports.sms.sent) == 1


def test_a_refused_number_is_over_at_once(ports, world, account):
    ports.sms.fails.append(("send", ProviderRefused("BAD_NUMBER")))
    send_messages(ports)

    assert stands(world) == [("GIVEN_UP", "sms", "refused:BAD_NUMBER", 1)]


def test_without_an_approved_text_the_mini_program_is_the_way_that_is_left(ports, world, account):
    ports.sms.unknown.add("application.rejected")
    send_messages(ports)

    assert ports.sms.sent == []
    assert stands(world) == [("GIVEN_UP", None, "no_way", 0)]


def test_every_reason_and_every_kind_has_its_words():
    from models.applications import DecisionReason

    assert set(REASONS) == set(DecisionReason)
    assert set(CALLED) == set(ApplicationKind)
    assert not KINDS["hotline"].holds(PHONE)
