"""What one can do next without a face: told by this region, this account and this day, in one list everywhere."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from config.rulebook import Agency, Capability, CapabilityRule, Rulebook
from services.bank_card_checks import check_bank_card
from services.real_names import prove_name
from services.sign_in import prefer
from services.ways import ways_on
from tests.factories import ALIPAY, WECHAT, XINJIANG


def newcomer(world, *, miniprogram=WECHAT, named=True):
    account = world.account(verified=False, miniprogram=miniprogram)
    world.agree(account, "REAL_NAME", "BANK_CARD")
    if named:
        prove_name(world.ports, account=account, name="张三丰", id_number="320402199001010017", phone=None)
    return account


def told(ports, account):
    with ports.begin() as session:
        return {way.way: way for way in ways_on(ports, session, account=account)}


def with_rows(ports, shape, change):
    """The same house in regions whose rows of one kind read otherwise."""
    regions = {
        code: replace(region, rows={**region.rows, shape: tuple(change(row) for row in region.own(shape))})
        for code, region in ports.rulebook.regions.items()
    }
    return replace(ports, rulebook=Rulebook(regions))


@pytest.mark.parametrize("miniprogram", [WECHAT, ALIPAY, XINJIANG])
def test_there_are_three_ways_and_each_names_whom_to_call(world, ports, miniprogram):
    ways = told(ports, newcomer(world, miniprogram=miniprogram))

    assert list(ways) == ["BANK_CARD", "COUNTER", "FAMILY"]
    assert all(way.available and way.title and way.detail and way.hotline for way in ways.values())
    assert ways["COUNTER"].hotline == "12333"


def test_the_counters_are_the_regions_own_with_their_hours(world, ports):
    changzhou = told(ports, newcomer(world))["COUNTER"].detail
    xinjiang = told(ports, newcomer(world, miniprogram=XINJIANG))["COUNTER"].detail

    assert "天宁区劳动就业管理机构窗口" in changzhou
    assert "办公时间：以当地公布为准" in changzhou
    assert "兵团参保地社会保险经办机构窗口" in xinjiang
    assert "天宁区" not in xinjiang


def test_counters_with_hours_of_their_own_are_told_each_with_its_hours(world, ports):
    account = newcomer(world)
    early = with_rows(
        ports,
        Agency,
        lambda row: row.model_copy(update={"hours": "8:30至17:00"}) if row.code == "TIANNING" else row,
    )

    detail = told(early, account)["COUNTER"].detail

    assert "天宁区劳动就业管理机构窗口（8:30至17:00）" in detail
    assert "钟楼区劳动就业管理机构窗口（以当地公布为准）" in detail


def test_a_card_needs_a_name_first_and_says_so(world, ports):
    account = newcomer(world, named=False)

    way = told(ports, account)["BANK_CARD"]

    assert (way.available, "实名认证" in way.detail) == (False, True)


def test_a_region_that_knows_no_paying_for_others_says_why(world, ports):
    account = newcomer(world)
    closed = with_rows(
        ports,
        CapabilityRule,
        lambda row: (
            row.model_copy(update={"available": False, "explanation": "代缴请到窗口办理。"})
            if row.capability is Capability.PAY_FOR_OTHERS
            else row
        ),
    )

    way = told(closed, account)["FAMILY"]

    assert (way.available, way.detail) == (False, "代缴请到窗口办理。")


def test_elders_are_told_in_plainer_words(world, ports):
    account = newcomer(world)
    usual = told(ports, account)

    plain = told(ports, prefer(ports, account=account, elder_mode=True))

    assert all(plain[way].detail != usual[way].detail for way in usual)
    assert all(plain[way].available == usual[way].available for way in usual)
    assert "不用着急" in plain["COUNTER"].detail


def test_whoever_is_verified_needs_no_way(world, ports):
    account = newcomer(world)
    check_bank_card(
        ports, account=account, card_number="6228480402564890018", phone="13800138000", idempotency_key=uuid.uuid4().hex
    )

    assert told(ports, account) == {}
