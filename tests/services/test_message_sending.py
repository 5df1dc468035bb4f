"""Sending: one yes is one push, a no is a no, silence is tried again but never for long, and nothing is pushed twice in peace."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from config.seals import load_seals, new_seal_keys
from models.messages import MessageAllowance, MessageKey
from providers.protocols import MessageEvent, MessageWish, NotSent, ProviderRefused, ProviderUnreachable
from services.message_events import Heard, receive_event
from services.message_sending import MOST_TRIES, TRY_AGAIN_AFTER, _claim, send_messages
from services.messages import list_messages, tell
from tests.factories import ALIPAY, WECHAT
from tests.together import at_once

TEMPLATE = "T-paid"
FACTS = {"order_no": "A" * 24, "amount_fen": 100, "months": [202611]}


@pytest.fixture
def messenger(ports):
    there = ports.messengers[WECHAT]
    there.templates["payment.succeeded"] = TEMPLATE
    return there


def waiting(world, account=None, *, allowed=0, key=MessageKey.PAYMENT_SUCCEEDED):
    account = account or world.account()
    with world.ports.begin() as session:
        tell(session, account_id=account.id, key=key, facts=FACTS, at=world.ports.now())
        if allowed:
            session.merge(
                MessageAllowance(account_id=account.id, platform_template=TEMPLATE, remaining=allowed, changed_at=world.ports.now())
            )  # fmt: skip
    return account


def stands(world):
    return world.rows("SELECT state, given_up_why, tries FROM messages ORDER BY id")


def left(world):
    return world.scalar("SELECT remaining FROM message_allowances")


def subject_of(ports, account):
    return ports.seals.open(account.subject_sealed, place=type(account).subject_place(account.id))


def test_an_allowed_message_is_pushed_once_and_uses_the_allowance_up(ports, world, messenger):
    account = waiting(world, allowed=1)

    assert [send_messages(ports), send_messages(ports)] == [1, 0]

    assert messenger.sent == [(subject_of(ports, account), "payment.succeeded", messenger.sent[0][2])]
    assert messenger.sent[0][2]["amount"] == "1.00"
    assert world.rows("SELECT state, way, sent_at = :now FROM messages", now=ports.now()) == [
        ("SENT", "wechat_subscription", True)
    ]
    assert left(world) == 0
    assert world.rows("SELECT from_state, to_state, why, who FROM moves WHERE noun = 'message'") == [
        ("WAITING", "SENT", "message.sent", "send_messages")
    ]


def test_one_consent_is_one_message(ports, world, messenger):
    account = waiting(world, allowed=1)
    waiting(world, account)

    send_messages(ports)

    assert stands(world) == [("SENT", None, 1), ("GIVEN_UP", "no_way", 0)]
    assert len(messenger.sent) == 1
    # It can still be read.
    assert len(list_messages(ports, account=account).messages) == 2


@pytest.mark.parametrize("miniprogram", [WECHAT, ALIPAY])
def test_where_nobody_allowed_it_or_no_template_is_set_it_is_given_up_at_once(ports, world, messenger, miniprogram):
    messenger.templates.pop("payment.succeeded")
    waiting(world, world.account(miniprogram=miniprogram), allowed=1)

    assert send_messages(ports) == 1

    assert stands(world) == [("GIVEN_UP", "no_way", 0)]
    assert left(world) == 1
    assert messenger.calls == []


def test_many_that_have_no_way_are_over_in_one_sweep_and_hold_up_none_that_has_one(ports, world, messenger):
    nobody = world.account()
    with ports.begin() as session:
        for _ in range(120):
            tell(session, account_id=nobody.id, key=MessageKey.PAYMENT_SUCCEEDED, facts=FACTS, at=ports.now())
    waiting(world, allowed=1)

    assert send_messages(ports) == 121
    assert len(messenger.sent) == 1


def test_a_sweep_ends_in_time_and_the_next_one_goes_on(ports, world, messenger):
    account = waiting(world, allowed=3)
    for _ in range(2):
        waiting(world, account)

    assert send_messages(ports, lasts_seconds=0) == 0
    assert stands(world) == [("WAITING", None, 0)] * 3
    assert send_messages(ports) == 3


def test_43101_empties_the_allowance_and_the_message_stays_readable(ports, world, messenger):
    account = waiting(world, allowed=5)
    messenger.unwilling.add(subject_of(ports, account))

    assert send_messages(ports) == 1

    assert stands(world) == [("GIVEN_UP", "not_wanted", 1)]
    assert left(world) == 0
    assert len(list_messages(ports, account=account).messages) == 1


@pytest.mark.parametrize("code", ["40037", "47003", "40003", "VALUE"])
def test_a_template_that_is_not_as_they_have_it_is_told_to_the_operator_once_and_costs_no_allowance(
    ports, world, messenger, code, capsys
):
    from config.logs import set_up_logs

    set_up_logs()
    account = waiting(world, allowed=2)
    waiting(world, account)
    messenger.fails += [("send", ProviderRefused(code)), ("send", ProviderRefused(code))]

    assert send_messages(ports) == 2

    assert stands(world) == [("GIVEN_UP", f"refused:{code}", 1)] * 2
    assert left(world) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "message.refused" in line]
    assert len(errors) == 1
    assert code in errors[0]
    assert subject_of(ports, account) not in errors[0]


def test_silence_is_tried_again_later_and_takes_no_second_allowance(ports, world, messenger, clock):
    waiting(world, allowed=1)
    messenger.fails.append(("send", ProviderUnreachable("down")))

    assert send_messages(ports) == 0
    assert stands(world) == [("WAITING", None, 1)]
    assert send_messages(ports) == 0
    clock.move(seconds=TRY_AGAIN_AFTER[0].total_seconds() - 1)
    assert send_messages(ports) == 0
    clock.move(seconds=1)
    assert send_messages(ports) == 1

    assert stands(world) == [("SENT", None, 2)]
    assert left(world) == 0


def test_silence_does_not_last_for_ever(ports, world, messenger, clock):
    waiting(world, allowed=1)
    messenger.fails += [("send", ProviderUnreachable("down"))] * 20

    for pause in TRY_AGAIN_AFTER:
        send_messages(ports)
        clock.move(seconds=pause.total_seconds())

    assert stands(world) == [("GIVEN_UP", "unreachable", MOST_TRIES)]
    assert len(messenger.asked("send")) == MOST_TRIES
    # Perhaps one of them arrived: what is not known to be left is not spent.
    assert left(world) == 0


def test_a_refusal_that_passes_is_tried_again_and_gives_the_allowance_back_in_the_end(ports, world, messenger, clock):
    waiting(world, allowed=1)
    messenger.fails += [("send", ProviderRefused("45009", permanent=False))] * MOST_TRIES

    for pause in TRY_AGAIN_AFTER:
        send_messages(ports)
        clock.move(seconds=pause.total_seconds())

    assert stands(world) == [("GIVEN_UP", "unreachable", MOST_TRIES)]
    assert left(world) == 1


def test_a_dead_provider_is_left_in_peace_after_three_silences(ports, world, messenger):
    account = waiting(world, allowed=9)
    for _ in range(8):
        waiting(world, account)
    messenger.fails += [("send", ProviderUnreachable("down"))] * 9

    assert send_messages(ports) == 0

    assert len(messenger.asked("send")) == 3


def test_a_process_that_dies_between_claim_and_answer_leads_to_one_more_attempt_and_not_before_its_time(
    ports, world, messenger, clock
):
    waiting(world, allowed=1)
    letter, _ = _claim(ports)
    messenger.send(letter.subject, key=letter.key, words=letter.words)  # it went out, and nobody wrote that down

    assert send_messages(ports) == 0
    clock.move(seconds=TRY_AGAIN_AFTER[0].total_seconds())
    assert [send_messages(ports), send_messages(ports)] == [1, 0]

    assert len(messenger.sent) == 2
    assert stands(world) == [("SENT", None, 2)]


def test_one_that_died_each_time_ends_too(ports, world, messenger, clock):
    waiting(world, allowed=1)
    for pause in TRY_AGAIN_AFTER:
        assert _claim(ports)[0] is not None
        clock.move(seconds=pause.total_seconds())

    assert send_messages(ports) == 1

    assert stands(world) == [("GIVEN_UP", "unreachable", MOST_TRIES)]
    assert messenger.sent == []


def test_two_sweeps_at_once_push_nothing_twice(ports, world, messenger):
    account = waiting(world, allowed=3)
    for _ in range(9):
        waiting(world, account)
    at_once(*[lambda: send_messages(ports)] * 4)
    send_messages(ports)

    assert len(messenger.sent) == 3
    assert sorted(state for state, _, _ in stands(world)) == ["GIVEN_UP"] * 7 + ["SENT"] * 3
    assert left(world) == 0


def test_an_account_that_was_closed_is_told_nothing_more(ports, world, messenger):
    account = waiting(world, allowed=1)
    with ports.begin() as session:
        session.execute(text("UPDATE accounts SET closed_at = now() WHERE id = :id"), {"id": account.id})

    send_messages(ports)

    assert stands(world) == [("GIVEN_UP", "account_closed", 0)]
    assert messenger.sent == []


def test_a_message_without_words_is_given_up_and_said_so(ports, world, messenger):
    waiting(world, allowed=1)
    with ports.begin() as session:
        session.execute(text("UPDATE messages SET template = 'later.release'"))

    send_messages(ports)

    assert stands(world) == [("GIVEN_UP", "unknown_message", 0)]


def test_a_seal_that_does_not_open_holds_up_no_other_and_loses_nothing(ports, world, messenger, clock, tmp_path):
    from dataclasses import replace

    waiting(world, allowed=1)
    (tmp_path / "other.json").write_text(new_seal_keys())
    other = replace(ports, seals=load_seals(tmp_path / "other.json"))

    assert send_messages(other) == 0
    assert stands(world) == [("WAITING", None, 0)]
    waiting(world, allowed=1)
    assert send_messages(ports) == 1
    clock.move(seconds=TRY_AGAIN_AFTER[-1].total_seconds())

    assert send_messages(ports) == 1
    assert [state for state, _, _ in stands(world)] == ["SENT", "SENT"]


# --- Alipay: asked each time, nothing counted here, and nothing sent again that may have gone out


@pytest.fixture
def alipay(ports):
    there = ports.messengers[ALIPAY]
    there.templates["payment.succeeded"] = TEMPLATE
    return there


def test_at_alipay_it_goes_out_once_without_an_allowance_of_ours(ports, world, alipay):
    account = waiting(world, world.account(miniprogram=ALIPAY))

    assert [send_messages(ports), send_messages(ports)] == [1, 0]

    assert [(subject, key) for subject, key, _ in alipay.sent] == [(subject_of(ports, account), "payment.succeeded")]
    assert world.rows("SELECT state, way FROM messages") == [("SENT", "alipay_template")]
    assert world.rows("SELECT * FROM message_allowances") == []


def test_in_elder_mode_the_platforms_template_is_given_the_plain_text(ports, world, alipay):
    plain, usual = world.account(miniprogram=ALIPAY), world.account(miniprogram=ALIPAY)
    with ports.begin() as session:
        session.get_one(type(plain), plain.id).elder_mode = True
    waiting(world, plain)
    waiting(world, usual)

    send_messages(ports)

    told = {subject: words["text"] for subject, _, words in alipay.sent}
    assert told[subject_of(ports, plain)] == "交费1.00元，已收到。月份：2026年11月。请不要再交。"
    assert len(told[subject_of(ports, usual)]) > len(told[subject_of(ports, plain)])


def test_at_alipay_a_push_that_may_have_gone_out_is_not_tried_again_and_is_seen(ports, world, alipay, clock):
    waiting(world, world.account(miniprogram=ALIPAY))
    alipay.fails.append(("send", ProviderUnreachable("slow")))

    assert send_messages(ports) == 1
    clock.move(days=1)
    assert send_messages(ports) == 0

    assert stands(world) == [("GIVEN_UP", "unreachable", 1)]
    assert alipay.sent == []


def test_at_alipay_a_process_that_died_after_its_claim_sends_no_second_one(ports, world, alipay, clock):
    waiting(world, world.account(miniprogram=ALIPAY))
    assert _claim(ports)[0].way == "alipay_template"
    clock.move(seconds=TRY_AGAIN_AFTER[0].total_seconds() + 1)

    assert send_messages(ports) == 1

    assert alipay.sent == []
    assert stands(world) == [("GIVEN_UP", "unreachable", 1)]


def test_at_alipay_what_surely_did_not_go_out_is_tried_again_and_given_up_in_the_end(ports, world, alipay, clock):
    waiting(world, world.account(miniprogram=ALIPAY))
    alipay.fails += [("send", NotSent("full"))] * (MOST_TRIES + 5)

    for pause in TRY_AGAIN_AFTER:
        send_messages(ports)
        clock.move(seconds=pause.total_seconds())

    assert stands(world) == [("GIVEN_UP", "busy", MOST_TRIES)]


def test_at_alipay_whoever_did_not_subscribe_is_left_in_peace(ports, world, alipay):
    account = waiting(world, world.account(miniprogram=ALIPAY))
    alipay.unwilling.add(subject_of(ports, account))

    send_messages(ports)

    assert stands(world) == [("GIVEN_UP", "not_wanted", 1)]


def test_a_decision_goes_to_a_proven_phone_and_not_to_the_mini_program_as_well(ports, world, alipay):
    from services.phone_numbers import keep_phone

    alipay.templates["application.approved"] = TEMPLATE
    facts = {"case_no": "C" * 24, "kind": "NEW_ENROLLMENT", "months": [202611], "hotline": "12333"}
    with_phone, without = world.account(miniprogram=ALIPAY), world.account(miniprogram=ALIPAY)
    world.agree(with_phone, "PHONE")
    with ports.begin() as session:
        keep_phone(ports, session.get_one(type(with_phone), with_phone.id), "13800138000")
    for account in (with_phone, without):
        with ports.begin() as session:
            tell(session, account_id=account.id, key=MessageKey.APPLICATION_APPROVED, facts=facts, at=ports.now())

    assert send_messages(ports) == 2

    assert len(ports.sms.sent) == 1
    assert [subject for subject, _, _ in alipay.sent] == [subject_of(ports, without)]


# --- what the platform pushes


def event(ports, account, *wishes, name="subscribe_msg_popup_event", no=b"1", subject=None):
    return MessageEvent(event=name, subject=subject or subject_of(ports, account), wishes=tuple(wishes), event_hash=no * 32)


def allowances(world):
    return dict(world.rows("SELECT platform_template, remaining FROM message_allowances"))


def test_each_yes_is_one_more_and_a_no_is_none(ports, world):
    account, more, none = world.account(), MessageWish.ONE_MORE, MessageWish.NONE

    for no, wishes in enumerate([[("A", more), ("B", more), ("C", none)], [("A", more), ("B", none)], [("B", more)]]):
        told = event(ports, account, *wishes, no=bytes([no]))
        assert receive_event(ports, miniprogram=WECHAT, event=told) is Heard.NEW

    assert allowances(world) == {"A": 2, "B": 1, "C": 0}


def test_the_same_event_three_times_is_one(ports, world):
    told = event(ports, world.account(), ("A", MessageWish.ONE_MORE))

    heard = [receive_event(ports, miniprogram=WECHAT, event=told) for _ in range(3)]

    assert heard == [Heard.NEW, Heard.KNOWN, Heard.KNOWN]
    assert allowances(world) == {"A": 1}


def test_the_same_event_at_the_same_moment_is_one(ports, world):
    told = event(ports, world.account(), ("A", MessageWish.ONE_MORE), ("B", MessageWish.ONE_MORE))
    heard = at_once(*[lambda: receive_event(ports, miniprogram=WECHAT, event=told)] * 6)

    assert sorted(heard) == [Heard.KNOWN] * 5 + [Heard.NEW]
    assert allowances(world) == {"A": 1, "B": 1}


def test_of_a_stranger_nothing_is_kept(ports, world):
    account = world.account(miniprogram=ALIPAY)
    strangers = [
        event(ports, account, ("A", MessageWish.ONE_MORE), subject="o_nobody"),
        # The same openid under another app is another person.
        event(ports, account, ("A", MessageWish.ONE_MORE)),
    ]

    assert [receive_event(ports, miniprogram=WECHAT, event=each) for each in strangers] == [Heard.NOTHING] * 2
    assert world.scalar("SELECT count(*) FROM platform_events") == 0
    assert allowances(world) == {}


def test_an_event_that_changes_nothing_is_not_kept(ports, world):
    assert receive_event(ports, miniprogram=WECHAT, event=event(ports, world.account())) is Heard.NOTHING
    assert world.scalar("SELECT count(*) FROM platform_events") == 0


def test_a_no_that_comes_while_a_push_is_under_way_is_not_undone_by_its_refusal(ports, world, messenger, clock):
    account = waiting(world, allowed=2)
    letter, _ = _claim(ports)
    clock.move(seconds=1)
    receive_event(ports, miniprogram=WECHAT, event=event(ports, account, (TEMPLATE, MessageWish.NONE)))
    messenger.fails.append(("send", ProviderRefused("40037")))
    from services.message_sending import _push

    assert _push(ports, letter, set())

    assert left(world) == 0
