"""Messages: what is written, who reads it, in which words; and that a row says nothing of a person."""

from __future__ import annotations

import ast
import re
from datetime import timedelta

import pytest

from models.messages import Message, MessageKey
from services.messages import FACTS, KINDS, fact_fault, list_messages, say, tell, template_faults
from tests.architecture.reading import modules
from tests.factories import ALIPAY, WECHAT, XINJIANG, an_id_number

GOOD = {"order_no": "A" * 24, "amount_fen": 123456, "months": [202611]}
PERSONAL = [
    "张三",
    "张*",
    an_id_number(),
    "13800138000",
    "6222020200112233445",
    "o_openid_of_somebody",
    "张三 2026年11月",
    "A" * 25,
    "a" * 24,
]


def paid(world, *months):
    account, view = world.order(*months)
    world.hear(world.paid_news(view, notice=view.payment_no))
    world.settle()
    return account, view


def written(world, account, key=MessageKey.PAYMENT_SUCCEEDED, *, at=None, **facts):
    with world.ports.begin() as session:
        tell(session, account_id=account.id, key=key, facts={**GOOD, **facts}, at=at or world.ports.now())


def test_whoever_paid_is_told_so_with_amount_months_and_what_comes_next(ports, world):
    account, view = paid(world)

    (told,) = list_messages(ports, account=account).messages

    assert told.key == "payment.succeeded"
    assert f"{view.total_fen // 100}.{view.total_fen % 100:02d}元" in told.text
    assert "2026年11月" in told.text
    # The provider's success is not the tax authority's (R-CZ-50).
    assert "支付成功，等待税务入库" in told.text
    assert "缴费成功" not in told.title + told.text
    assert view.order_no in told.text
    assert (told.language, told.direction) == ("zh-CN", "ltr")


def test_money_that_could_not_be_used_is_told_with_what_becomes_of_it(ports, world):
    account, view = world.order()
    world.hear(world.paid_news(view, amount_fen=view.total_fen - 1))
    world.settle()

    (told,) = list_messages(ports, account=account).messages

    assert told.key == "payment.surplus"
    assert "退回" in told.text


def test_elders_are_told_in_fewer_and_plainer_words(ports, world):
    account, _ = paid(world)
    plain = list_messages(ports, account=account).messages[0].text
    account.elder_mode = True

    elder = list_messages(ports, account=account).messages[0].text

    assert len(elder) < len(plain)
    assert "入库" not in elder
    assert "2026年11月" in elder


def test_what_nobody_has_translated_comes_in_chinese_and_says_so(ports, world):
    account, _ = paid(world)
    account.language = "ug-CN"

    (told,) = list_messages(ports, account=account).messages

    assert (told.language, told.direction) == ("zh-CN", "ltr")
    assert "支付成功" in told.text


def test_nobody_reads_another_accounts_messages(ports, world):
    paid(world)

    assert list_messages(ports, account=world.account()).messages == []


def test_pages_go_from_new_to_old_and_lose_none_between_them(ports, world, clock):
    account = world.account()
    start = ports.now()
    moments = [start + timedelta(minutes=minute) for minute in (0, 1, 1, 1, 2, 3)]
    for at, moment in enumerate(moments):
        written(world, account, at=moment, amount_fen=at + 1)
    seen, before, pages = [], None, 0

    while pages == 0 or before is not None:
        page = list_messages(ports, account=account, before=before, limit=2)
        seen += [message.text for message in page.messages]
        before, pages = page.next_before, pages + 1

    amounts = [re.search(r"支付社会保险费([0-9.]+)元", text)[1] for text in seen]
    # The three of one moment stay together, so the second page is longer.
    assert amounts == ["0.06", "0.05", "0.04", "0.03", "0.02", "0.01"]
    assert pages == 3


def test_a_row_that_this_release_cannot_read_is_left_out_not_in_the_way(ports, world):
    account = world.account()
    written(world, account)
    with ports.begin() as session:
        for template, facts in (("later.release", {}), ("payment.succeeded", {"order_no": "x"}), ("payment.succeeded", {})):
            session.add(Message(account_id=account.id, template=template, facts=facts, created_at=ports.now()))

    assert len(list_messages(ports, account=account).messages) == 1


# --- a row says nothing of a person


@pytest.mark.parametrize("fact", sorted(KINDS))
@pytest.mark.parametrize("value", PERSONAL)
def test_no_fact_holds_a_name_a_number_of_a_person_or_a_phone(fact, value):
    assert not KINDS[fact].holds(value)
    assert not KINDS[fact].holds([value])


@pytest.mark.parametrize(
    "facts",
    [
        {**GOOD, "name": "张*"}, {"order_no": "A" * 24}, {**GOOD, "amount_fen": 0}, {**GOOD, "amount_fen": True}, {**GOOD, "amount_fen": 1.5},
        {**GOOD, "months": []}, {**GOOD, "months": [202613]}, {**GOOD, "months": ["202611"]}, {**GOOD, "order_no": "A" * 24 + "\n"}, {},
    ],
)  # fmt: skip
def test_a_message_with_other_facts_than_its_keys_is_not_written(ports, world, facts):
    account = world.account()

    with pytest.raises(ValueError) as fault, ports.begin() as session:
        tell(session, account_id=account.id, key=MessageKey.PAYMENT_SUCCEEDED, facts=facts, at=ports.now())
    assert "张" not in str(fault.value)
    assert world.scalar("SELECT count(*) FROM messages") == 0


def test_what_settling_writes_in_bulk_are_the_facts_of_its_keys(world):
    paid(world)
    _account, view = world.order()
    world.hear(world.paid_news(view, notice="N2", amount_fen=1))
    world.settle()

    rows = world.rows("SELECT template, facts FROM messages ORDER BY id")

    assert [template for template, _ in rows] == ["payment.succeeded", "payment.surplus"]
    assert [fact_fault(template, facts) for template, facts in rows] == [None, None]


def test_messages_are_written_by_tell_alone_or_in_bulk_by_settling():
    makers = {
        module
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "Message"
    }

    assert makers == {"messages"}, "tell() checks the facts; go through it"


def test_every_key_says_which_facts_it_has():
    assert set(FACTS) == set(MessageKey)
    assert {fact for facts in FACTS.values() for fact in facts} == set(KINDS)


# --- what a platform's template may name


def test_templates_name_keys_and_facts_that_there_are(ports):
    program = ports.partners.miniprograms[WECHAT]
    assert template_faults(WECHAT, program) == []

    template = program.subscribe_templates["payment.succeeded"]
    odd = program.model_copy(
        update={"subscribe_templates": {"payment.lost": template, "payment.surplus": template.model_copy(update={"fields": {"thing1": "name"}})}}
    )  # fmt: skip
    lost, named = template_faults(WECHAT, odd)

    assert "subscribe_templates.payment.lost: no message has this key" in lost
    assert "subscribe_templates.payment.surplus.fields.thing1: there is no fact 'name'" in named


def test_every_message_about_money_has_a_template_on_both_platforms(ports):
    programs = ports.partners.miniprograms
    about_money = {str(key) for key in MessageKey if key.partition(".")[0] in ("payment", "contribution", "refund", "debit")}

    # What was made twice is told in the app alone: both payers hear of the refund besides.
    for code in (WECHAT, XINJIANG, ALIPAY):
        assert about_money - programs[code].subscribe_templates.keys() == {"payment.made_twice"}


def test_words_for_templates_are_short_plain_and_in_beijing_time(ports, world):
    _account, view = paid(world)
    with ports.begin() as session:
        row = session.query(Message).one()
        told = say(row, language="zh-CN", elder=False)

    assert told.words == {
        "order_no": view.order_no,
        "amount": f"{view.total_fen // 100}.{view.total_fen % 100:02d}",
        "months": "2026年11月",
        "title": "社保费支付成功",
        "text": told.text,
        "at": "2026年11月21日 10:00",
    }
