"""Assessment: each active enrolment gets its month's bill by the rule of that month; again issues nothing; what got none is explained."""

from __future__ import annotations

import re
import shutil
import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.months import YearMonth
from config.rulebook import SHIPPED_REGIONS, load_rulebook
from services.assessment import assess

NOVEMBER = YearMonth(2026, 11)


def bills(world):
    return world.rows(
        "SELECT region, insurance_type, coverage_month, tier, base_fen, amount_fen, account_part_fen, pooling_part_fen, state"
        " FROM contribution_bills ORDER BY id"
    )


@pytest.mark.parametrize(
    ("enrolled", "owed"),
    [
        (("320400", "110", "1"), (600_000, 120_000, 48_000)),
        (("320400", "110", "5"), (1_000_000, 200_000, 80_000)),
        (("320400", "310", "5"), (None, 50_000, 0)),
        (("650000", "110", "1"), (524_600, 104_920, 41_968)),
        (("650000", "110", "3"), (874_400, 174_880, 69_952)),
        (("650000", "110", "7"), (2_623_100, 524_620, 209_848)),
    ],
)
def test_a_tier_costs_what_the_rule_of_the_month_says(world, ports, enrolled, owed):
    region, insurance, tier = enrolled
    base_fen, amount_fen, account_fen = owed
    world.enrollment(region=region, insurance_type=insurance, tier=tier)

    (done,) = assess(ports, month=NOVEMBER)

    assert (done.issued, done.without_bill, done.why) == (1, 0, None)
    assert bills(world) == [
        (region, insurance, 202611, tier, base_fen, amount_fen, account_fen, amount_fen - account_fen, "UNPAID")
    ]


@pytest.mark.parametrize(
    ("wage_fen", "base_fen"),
    [(524_599, 524_600), (524_600, 524_600), (600_050, 600_050), (2_623_100, 2_623_100), (2_623_101, 2_623_100), (1, 524_600)],
)
def test_a_declared_wage_is_held_between_floor_and_ceiling_of_the_month(world, ports, wage_fen, base_fen):
    world.enrollment(region="650000", declared_wage_fen=wage_fen, tier=None)

    assess(ports, month=NOVEMBER)

    ((*_, base, amount, account, pooling, _),) = bills(world)
    assert base == base_fen
    assert amount == account + pooling == (base_fen * 200 + 500) // 1000


@pytest.mark.slow
def test_parts_always_sum_whatever_the_wage(world, ports):
    @settings(max_examples=5)
    @given(wages=st.lists(st.integers(1, 10**10), min_size=40, max_size=60))
    def parts_sum(wages: list[int]) -> None:
        for wage in wages:
            world.enrollment(region="650000", declared_wage_fen=wage, tier=None)
        assess(ports, month=NOVEMBER)

        assert (
            world.scalar(
                "SELECT count(*) FROM contribution_bills WHERE account_part_fen + pooling_part_fen <> amount_fen"
                " OR amount_fen <> (2 * base_fen * 200 + 1000) / 2000 OR account_part_fen <> (2 * base_fen * 80 + 1000) / 2000"
                " OR base_fen NOT BETWEEN 524600 AND 2623100 OR late_fee_fen <> 0"
            )
            == 0
        )
        assert world.scalar("SELECT count(*) FROM enrollments") == world.scalar("SELECT count(*) FROM contribution_bills")

    parts_sum()


def test_twice_issues_nothing_and_changes_nothing(world, ports):
    for _ in range(3):
        world.enrollment()
    assess(ports, month=NOVEMBER)
    before = world.rows("SELECT * FROM contribution_bills ORDER BY id")

    (again,) = assess(ports, month=NOVEMBER)

    assert (again.issued, again.without_bill) == (0, 0)
    assert world.rows("SELECT * FROM contribution_bills ORDER BY id") == before


def test_a_run_that_stopped_half_way_is_finished_by_the_next(world, ports):
    for insurance in ("110", "310"):
        world.enrollment(insurance_type=insurance)
    world.enrollment(region="650000")

    class Killed(Exception):
        pass

    def dies(_done) -> None:
        raise Killed

    with pytest.raises(Killed):
        assess(ports, month=NOVEMBER, on_progress=dies)
    assert len(bills(world)) == 1

    assert [done.issued for done in assess(ports, month=NOVEMBER)] == [0, 1, 1]
    assert len(bills(world)) == 3


def test_late_comers_are_billed_by_the_next_run(world, ports):
    world.enrollment()
    assess(ports, month=NOVEMBER)
    world.enrollment()

    (done,) = assess(ports, month=NOVEMBER)

    assert (done.issued, len(bills(world))) == (1, 2)


def test_two_runs_at_once_issue_each_bill_once(world, ports):
    for _ in range(50):
        world.enrollment()
    issued = []

    threads = [
        threading.Thread(target=lambda: issued.extend(each.issued for each in assess(ports, month=NOVEMBER))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(issued) == len(bills(world)) == 50


@pytest.mark.parametrize(
    "more",
    [
        {"state": "SUSPENDED"},
        {"state": "TERMINATED"},
        {"state": "RETIRED"},
        {"start_month": 202612},
        {"end_month": 202611},
        {"start_month": 202601, "end_month": 202610},
    ],
)
def test_a_month_that_is_not_covered_gets_no_bill(world, ports, more):
    world.enrollment(**more)

    assert assess(ports, month=NOVEMBER) == []
    assert bills(world) == []


@pytest.mark.parametrize("more", [{"start_month": 202611}, {"end_month": 202612}, {"start_month": 202611, "end_month": 202612}])
def test_the_first_and_the_last_month_are_covered(world, ports, more):
    world.enrollment(**more)

    assert [done.issued for done in assess(ports, month=NOVEMBER)] == [1]


def test_where_no_rule_is_in_force_everybody_is_counted_and_told_why(world, ports):
    for _ in range(3):
        world.enrollment()
    world.enrollment(region="650000")

    changzhou, xinjiang = assess(ports, month=YearMonth(2030, 1))

    assert (changzhou.issued, changzhou.without_bill) == (0, 3)
    assert "in force on 2030-01-01" in changzhou.why
    assert xinjiang.without_bill == 1
    assert bills(world) == []


def test_one_region_without_a_rule_does_not_keep_the_other_from_its_bills(world, ports):
    world.enrollment()
    world.enrollment(region="650000")

    done = {each.region: each for each in assess(ports, month=YearMonth(2024, 6))}

    # Both have started later than June 2024: nobody is covered, nobody is billed.
    assert done == {}
    world.enrollment(start_month=202406)
    world.enrollment(region="650000", start_month=202406, tier="2")
    done = {each.region: each for each in assess(ports, month=YearMonth(2024, 6))}
    assert done["650000"].issued == 1


def test_a_tier_that_the_plan_does_not_have_is_counted_and_told(world, ports):
    world.enrollment(tier="9")
    world.enrollment(tier="1")
    world.enrollment(region="320400", declared_wage_fen=700_000, tier=None)

    (done,) = assess(ports, month=NOVEMBER)

    assert (done.issued, done.without_bill) == (1, 2)
    assert done.why == "the tier is not in the plan, or no wage was declared"


def test_an_enrolment_may_name_another_plan_of_its_region(world, ports):
    world.enrollment(tier="1", tier_plan="jiangsu-2025-twelve-tiers")
    world.enrollment(tier="1")

    done = assess(ports, month=NOVEMBER)

    assert sorted(each.plan_id for each in done) == ["changzhou-2020-five-tiers", "jiangsu-2025-twelve-tiers"]
    assert len({row[5] for row in bills(world)}) == 2


def test_a_bill_keeps_the_rule_that_made_it_when_the_rule_changes(world, ports, tmp_path):
    enrollment = world.enrollment(region="650000", tier="3")
    world.bills(enrollment, "2026-10")
    before = bills(world)
    folder = tmp_path / "650000-xinjiang"
    shutil.copytree(SHIPPED_REGIONS / "650000-xinjiang", folder)
    limits = folder / "base_limits.yaml"
    limits.write_text(re.sub(r"reference_wage_yuan: 8744", "reference_wage_yuan: 9000", limits.read_text()))
    later = replace(ports, rulebook=load_rulebook(SHIPPED_REGIONS, tmp_path))

    assess(later, month=YearMonth(2026, 10))
    assess(later, month=NOVEMBER)

    october, november = bills(world)
    assert [october] == before
    assert (october[4], november[4]) == (874_400, 900_000)


def test_a_changed_tier_changes_months_to_come_and_no_month_that_was_billed(world, ports):
    enrollment = world.enrollment(tier="1")
    world.bills(enrollment, "2026-11")
    world.scalar("UPDATE enrollments SET tier = '5' WHERE id = :id RETURNING id", id=enrollment.id)

    world.bills(enrollment, "2026-11", "2026-12")

    assert [(row[2], row[3]) for row in bills(world)] == [(202611, "1"), (202612, "5")]


def test_a_sample_figure_is_marked_as_one_and_an_official_one_names_its_limits(world, ports):
    world.enrollment()
    world.enrollment(region="650000")

    assess(ports, month=NOVEMBER)

    rows = world.rows("SELECT region, sample, rule_id, authority FROM contribution_bills ORDER BY region")
    assert [(row[0], row[1], row[3]) for row in rows] == [("320400", True, "tax-320400"), ("650000", True, "tax-650000")]
    assert rows[1][2].endswith("+xinjiang-2026")
