"""Parked notices: seen by a person, resolved with a reason, and settled again only where no money has moved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services import inbox
from services.errors import NotFound
from services.inbox_errors import NoticeDealtWith, NoticeMovedMoney
from services.review_errors import ReasonNeeded


def a_parked_one(world, ports):
    _, order = world.order()
    world.hear(replace(world.paid_news(order), payment_no="NOBODYASKEDFORTHIS000001", provider_payment_no="P1"))
    world.settle()
    with ports.begin() as session:
        (row,) = inbox.parked(session)
    return row


def test_a_resolved_notice_leaves_the_list_with_who_and_why(world, ports):
    row = a_parked_one(world, ports)

    inbox.resolve(ports, notice_id=str(row.id), reason="已原路退回", who="S1024")

    with ports.begin() as session:
        assert inbox.parked(session) == []
    assert world.notices()[0].resolution == "已原路退回 (S1024)"
    with pytest.raises(NoticeDealtWith):
        inbox.resolve(ports, notice_id=str(row.id), reason="again", who="S1024")


def test_what_was_done_is_said_in_words_that_name_nobody(world, ports):
    row = a_parked_one(world, ports)

    for reason in ("", "退了", "已退给 13800138000"):
        with pytest.raises(ReasonNeeded):
            inbox.resolve(ports, notice_id=str(row.id), reason=reason, who="S1024")
    assert world.notices()[0].resolved_at is None


def test_a_notice_whose_money_has_moved_is_never_settled_again(world, ports):
    row = a_parked_one(world, ports)

    with pytest.raises(NoticeMovedMoney):
        inbox.settle_again(ports, notice_id=str(row.id), reason="try again", who="S1024")
    with pytest.raises(NotFound):
        inbox.settle_again(ports, notice_id="not a number", reason="try again", who="S1024")
    assert world.settle() == 0


def test_a_conflict_is_settled_again_once_it_was_mended(world, ports):
    _, order = world.order()
    world.hear(world.paid_news(order))
    world.scalar("UPDATE notices SET state = 'PARKED', outcome = 'CONFLICT' RETURNING id")
    with ports.begin() as session:
        (row,) = inbox.parked(session)

    inbox.settle_again(ports, notice_id=str(row.id), reason="已清理冲突记录", who="S1024")
    world.settle()

    assert world.bill_states() == ["PAID"]
    with ports.begin() as session:
        assert inbox.parked(session) == []
