"""Another tier: from the month that the region's policy names; months before keep theirs, whoever says what, and whenever they are billed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from config.months import YearMonth
from config.rulebook import Region, Rulebook, TierChangePolicy
from services.application_errors import NotActive
from services.assessment import assess
from services.billing_sweep import assess_what_is_missing
from services.enrollment_feed import import_enrollments
from services.enrollments import Spell, in_order, list_enrollments
from services.errors import NotAvailableOnline, NotFound, TierUnchanged
from services.tier_changes import NewTier, change_tier
from tests.factories import XINJIANG, an_id_number
from tests.together import at_once

HEADER = "AAC002,AAC003,AAE140,AAB301,AAC031,AAE030,TIER\n"


@pytest.fixture
def insured(world):
    person = world.person()
    enrollment = world.enrollment(person, region="650000", tier="3", start_month=202609)
    return world.account(person, miniprogram=XINJIANG), enrollment


def choose(ports, insured, tier, *, wage=None, key=None):
    account, enrollment = insured
    new = NewTier(tier=tier, declared_wage_fen=wage)
    return change_tier(
        ports, account=account, enrollment_no=enrollment.enrollment_no, new=new, idempotency_key=key or f"key-{tier}-{wage}"
    ).enrollment


def billed(world, enrollment):
    return dict(
        world.rows(
            "SELECT coverage_month, tier FROM contribution_bills WHERE enrollment_id = :id AND NOT voided ORDER BY coverage_month",
            id=enrollment.id,
        )
    )


def with_policy(ports, policy):
    xinjiang = ports.rulebook.region("650000")
    (row,) = xinjiang.own(TierChangePolicy)
    rows = {**xinjiang.rows, TierChangePolicy: (row.model_copy(update={"policy": policy}),)}
    regions = {**ports.rulebook.regions, "650000": Region(xinjiang.header, xinjiang.parent, rows)}
    return replace(ports, rulebook=Rulebook(regions))


def test_the_next_month_has_the_new_tier_and_a_late_assessment_of_an_earlier_one_the_old(world, ports, clock, insured):
    _, enrollment = insured
    assess(ports, month=YearMonth(2026, 9))

    view = choose(ports, insured, "5")

    assert [(each.from_month, each.tier, each.label, each.source) for each in view.tiers] == [
        ("2026-09", "3", "100%档", "RECORD"), ("2026-12", "5", "200%档", "PERSON"),
    ]  # fmt: skip
    clock.set(datetime(2026, 12, 3, tzinfo=UTC))
    assert assess_what_is_missing(ports).issued == 3
    assert billed(world, enrollment) == {202609: "3", 202610: "3", 202611: "3", 202612: "5"}


def test_a_wage_may_be_declared_where_the_plan_takes_one(world, ports, clock, insured):
    choose(ports, insured, None, wage=600_000)
    clock.set(datetime(2026, 12, 3, tzinfo=UTC))

    assess_what_is_missing(ports)

    assert world.scalar("SELECT base_fen FROM contribution_bills WHERE coverage_month = 202612") == 600_000


def test_changing_ones_mind_before_it_holds_leaves_one_word_and_both_rows(world, ports, insured):
    choose(ports, insured, "5")

    view = choose(ports, insured, "3")

    assert [(each.from_month, each.tier) for each in view.tiers] == [("2026-09", "3")]
    assert world.scalar("SELECT count(*) FROM enrollment_tiers") == 3
    with pytest.raises(TierUnchanged):
        choose(ports, insured, "3", key="another-key")


def test_a_month_billed_ahead_is_void_and_billed_by_the_new_tier(world, ports, clock, insured):
    _, enrollment = insured
    assess(ports, month=YearMonth(2026, 12))

    choose(ports, insured, "5")

    assert billed(world, enrollment) == {}
    assert world.rows("SELECT to_state, why FROM moves WHERE noun = 'contribution_bill'") == [
        ("VOID", "bill.voided:TIER_CHANGE")
    ]
    assess(ports, month=YearMonth(2026, 12))
    assert billed(world, enrollment) == {202612: "5"}


@pytest.mark.parametrize("state", ["LOCKED", "PAID", "POSTED"])
def test_a_month_ahead_that_is_paid_keeps_its_tier_and_the_new_one_begins_behind_it(world, ports, insured, state):
    _, enrollment = insured
    for month in (12, 11):
        assess(ports, month=YearMonth(2026, month))
    world.scalar("UPDATE contribution_bills SET state = :state WHERE coverage_month = 202612 RETURNING 1", state=state)

    view = choose(ports, insured, "5")

    assert view.tiers[-1].from_month == "2027-01"
    assert billed(world, enrollment) == {202611: "3", 202612: "3"}


@pytest.mark.parametrize(("policy", "month"), [("ANNUAL", "2027-01"), ("NEXT_MONTH", "2026-12")])
def test_the_policy_of_the_region_decides_from_when_on(ports, insured, policy, month):
    house = with_policy(ports, policy)

    (before,) = list_enrollments(house, account=insured[0])
    assert (before.tier_change.available, before.tier_change.from_month, before.tier_change.to_confirm) == (True, month, True)

    assert choose(house, insured, "5").tiers[-1].from_month == month


def test_where_the_phone_takes_no_change_the_window_is_named(ports, insured):
    house = with_policy(ports, "NONE")

    with pytest.raises(NotAvailableOnline) as refused:
        choose(house, insured, "5")

    assert refused.value.facts["counter"]["phone"]
    (shown,) = list_enrollments(house, account=insured[0])
    assert (shown.tier_change.available, shown.tier_change.counter["phone"]) == (False, refused.value.facts["counter"]["phone"])


@pytest.mark.parametrize("more", [{"state": "SUSPENDED"}, {"state": "TERMINATED"}, {"end_month": 202612}])
def test_what_is_not_in_force_then_has_no_tier_to_change(world, ports, more):
    person = world.person()
    enrollment = world.enrollment(person, region="650000", **more)

    with pytest.raises(NotActive):
        choose(ports, (world.account(person, miniprogram=XINJIANG), enrollment), "5")


def test_nobody_changes_or_sees_what_is_not_their_own(world, ports, insured):
    stranger = world.account(world.person(), miniprogram=XINJIANG)

    with pytest.raises(NotFound):
        choose(ports, (stranger, insured[1]), "5")
    assert list_enrollments(ports, account=stranger) == []
    assert world.scalar("SELECT count(*) FROM enrollment_tiers") == 0


def test_pressing_twice_at_once_is_one_change(world, ports, insured):
    at_once(*[lambda: choose(ports, insured, "5", key="one-key-for-both") for _ in range(4)])

    assert world.rows("SELECT source, tier FROM enrollment_tiers ORDER BY id") == [("RECORD", "3"), ("PERSON", "5")]


def feed(tmp_path, ports, number, tier):
    path = tmp_path / "feed.csv"
    path.write_text(HEADER + f"{number},张三丰,110,650102,1,202609,{tier}\n")
    return import_enrollments(ports, path)


def test_the_registrars_word_begins_with_its_month_and_a_word_that_did_not_change_takes_nothing_back(
    world, ports, clock, tmp_path
):
    number = an_id_number(7, place="650102")
    person = world.person(id_number=number)
    enrollment = world.enrollment(person, region="650000", tier="3", start_month=202609)
    insured = world.account(person, miniprogram=XINJIANG), enrollment
    choose(ports, insured, "5")
    assert feed(tmp_path, ports, number, "3").unchanged == 1  # the registrar has not heard of it yet

    clock.set(datetime(2026, 12, 3, tzinfo=UTC))
    assess_what_is_missing(ports)
    assert billed(world, enrollment) == {202609: "3", 202610: "3", 202611: "3", 202612: "5"}

    clock.set(datetime(2027, 1, 3, tzinfo=UTC))
    assert feed(tmp_path, ports, number, "2").changed == 1
    (view,) = list_enrollments(ports, account=insured[0])
    assert [(each.from_month, each.tier, each.source) for each in view.tiers] == [
        ("2026-09", "3", "RECORD"), ("2026-12", "5", "PERSON"), ("2027-01", "2", "REGISTRAR"),
    ]  # fmt: skip


def test_months_paid_confirmed_posted_and_missing_are_counted_apart(world, ports):
    account, order = world.order()
    world.hear(world.paid_news(order))
    world.settle()
    assess_what_is_missing(ports)

    (shown,) = list_enrollments(ports, account=account)
    assert (shown.paid_months, shown.tax_confirmed_months, shown.posted_months) == (1, 0, 0)
    assert shown.gaps == [f"2026-{month:02d}" for month in range(1, 11)]  # this month is paid, and it is no gap before its end
    for state, counts in (("TAX_CONFIRMED", (1, 1, 0)), ("POSTED", (1, 1, 1)), ("REVERSED", (0, 0, 0))):
        world.scalar("UPDATE contribution_records SET state = :state RETURNING 1", state=state)
        (shown,) = list_enrollments(ports, account=account)
        assert (shown.paid_months, shown.tax_confirmed_months, shown.posted_months) == counts
    world.scalar("UPDATE enrollments SET start_month = 202610 RETURNING 1")
    assert list_enrollments(ports, account=account)[0].gaps == ["2026-10"]


def spell(month, tier):
    return Spell(from_month=YearMonth.from_number(month), tier_plan=None, tier=tier, declared_wage_fen=None, source="PERSON")


@pytest.mark.parametrize(
    ("said", "held"),
    [
        ([(202601, "1")], [(202601, "1")]),
        ([(202601, "1"), (202612, "2")], [(202601, "1"), (202612, "2")]),
        ([(202601, "1"), (202612, "2"), (202612, "3")], [(202601, "1"), (202612, "3")]),
        ([(202601, "1"), (202612, "2"), (202611, "3")], [(202601, "1"), (202611, "3")]),
        ([(202601, "1"), (202612, "2"), (202612, "1")], [(202601, "1")]),
    ],
)
def test_the_last_word_that_covers_a_month_holds(said, held):
    assert [(each.from_month.number, each.tier) for each in in_order([spell(*each) for each in said])] == held


def test_what_is_shown_is_what_a_month_is_billed_by(world, ports, clock):
    """The list in Python and the statement in SQL go by the same words."""
    person = world.person()
    enrollment = world.enrollment(person, region="650000", tier="1", start_month=202601)
    insured = world.account(person, miniprogram=XINJIANG), enrollment
    for month, tier in ((2, "2"), (3, "4"), (3, "3"), (6, "5"), (9, "5"), (10, "1")):
        clock.set(datetime(2026, month, 5, tzinfo=UTC))
        try:
            choose(ports, insured, tier, key=f"in-month-{month}-{tier}")
        except TierUnchanged:
            assert (month, tier) == (9, "5")
    clock.set(datetime(2026, 12, 5, tzinfo=UTC))
    assess_what_is_missing(ports)
    (view,) = list_enrollments(ports, account=insured[0])

    for month, tier in billed(world, enrollment).items():
        shown = [each.tier for each in view.tiers if each.from_month <= str(YearMonth.from_number(month))]
        assert tier == shown[-1]
    assert list(billed(world, enrollment).values()) == ["1", "1", "2", "3", "3", "3", "5", "5", "5", "5", "1", "1"]
