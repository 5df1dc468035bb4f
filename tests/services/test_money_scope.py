"""Whose affair a merchant account is: of every region that pays into it, by whatever way the money comes."""

from __future__ import annotations

import pytest

from services.money_scope import accounts_within, is_within, regions_of_accounts
from services.staff import EVERYWHERE, Scope

CHANGZHOU, XINJIANG = Scope(region="320400"), Scope(region="650000")


def test_whoever_sees_every_region_sees_every_account_even_one_that_no_setting_names(ports):
    assert accounts_within(ports, EVERYWHERE) is None
    assert is_within(ports, EVERYWHERE, "wechat_pay:of-long-ago")


def test_phones_banks_terminals_and_the_authoritys_own_lists_are_their_regions(ports):
    mine = accounts_within(ports, CHANGZHOU)

    assert {"wechat_pay:1900003204", "alipay:2088003204000001", "bank_debit:ICBC320400", "tax:tax-320400"} <= mine
    assert any(account.startswith("unionpay_pos:") for account in mine)
    assert mine.isdisjoint(accounts_within(ports, XINJIANG))
    assert not is_within(ports, CHANGZHOU, "wechat_pay:1900006500")
    assert not is_within(ports, CHANGZHOU, "wechat_pay:of-long-ago")


def test_a_province_sees_its_citys_accounts_and_an_agency_none(ports):
    assert accounts_within(ports, CHANGZHOU) <= accounts_within(ports, Scope(region="320000"))
    assert accounts_within(ports, Scope(region="320400", agency="TIANNING")) == frozenset()


@pytest.mark.parametrize("scope", [CHANGZHOU, XINJIANG])
def test_an_account_that_regions_share_is_shown_to_nobody_of_one_alone(ports, scope, monkeypatch):
    shared = {"wechat_pay:1": {"320400", "650000"}, "wechat_pay:2": set()}
    monkeypatch.setattr("services.money_scope.regions_of_accounts", lambda _ports: shared)

    assert accounts_within(ports, scope) == frozenset()


def test_every_way_to_pay_belongs_to_somebody(ports):
    assert all(regions_of_accounts(ports).values())
