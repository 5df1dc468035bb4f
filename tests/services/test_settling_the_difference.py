"""Annual adjustment (补差): when a year's figures become final, paid months get the difference, unpaid ones a new bill, the rest people."""

from __future__ import annotations

import random
import re
import shutil
import threading
from dataclasses import replace

import pytest

from config.months import YearMonth
from config.rulebook import SHIPPED_REGIONS, load_rulebook
from services.adjustments import adjust, open_reviews, resolve_review
from services.assessment import assess
from services.errors import NotFound
from tests.final_figures import PLAN, final_rulebook

OCTOBER = YearMonth(2026, 10)


@pytest.fixture
def after(ports, tmp_path):
    """The house after the notice: tier 1 rises by 148 yuan, tier 3 falls by 100, all others stay."""
    return replace(ports, rulebook=final_rulebook(tmp_path, bases={"1": 5100, "3": 6900}))


def billed(world, ports, tier, *months, **more):
    enrollment = world.enrollment(tier=tier, tier_plan=PLAN, start_month=202609, **more)
    for month in months or ("2026-10",):
        assess(ports, month=YearMonth.parse(month))
    return enrollment


def pay(world, enrollment, *, kind="NORMAL", state="PAID"):
    world.scalar(
        "UPDATE contribution_bills SET state = :state WHERE enrollment_id = :id AND kind = :kind AND NOT voided RETURNING 1",
        id=enrollment.id, kind=kind, state=state,
    )  # fmt: skip


def live(world, enrollment):
    return world.rows(
        "SELECT coverage_month, kind, state, amount_fen, account_part_fen, pooling_part_fen, reason, provisional FROM contribution_bills"
        " WHERE enrollment_id = :id AND NOT voided ORDER BY coverage_month, kind",
        id=enrollment.id,
    )


def all_rows(world):
    return world.rows("SELECT * FROM contribution_bills ORDER BY id"), world.rows(
        "SELECT * FROM adjustment_reviews ORDER BY id"
    )


def test_before_the_figures_are_final_nothing_is_settled_and_it_says_so(world, ports):
    billed(world, ports, "1")
    before = all_rows(world)

    (done,) = adjust(ports, year=2026)

    assert (done.did, done.why_not) == (0, "its figures are provisional still")
    assert all_rows(world) == before


@pytest.mark.parametrize("state", ["PAID", "TAX_CONFIRMED", "POSTED"])
def test_a_paid_month_gets_the_difference_as_a_supplement_of_the_same_month(world, ports, after, state):
    enrollment = billed(world, ports, "1")
    pay(world, enrollment, state=state)

    (done,) = adjust(after, year=2026)

    assert (done.supplements, done.reissued, done.reviews, done.waiting) == (1, 0, 0, 0)
    assert live(world, enrollment) == [
        (202610, "NORMAL", state, 99_040, 39_616, 59_424, None, True),
        (202610, "SUPPLEMENT", "UNPAID", 2_960, 1_184, 1_776, "BASE_ADJUSTMENT", False),
    ]


def test_an_unpaid_month_is_void_and_issued_anew_and_no_amount_is_changed(world, ports, after):
    enrollment = billed(world, ports, "1")

    (done,) = adjust(after, year=2026)

    assert (done.supplements, done.reissued) == (0, 1)
    assert live(world, enrollment) == [(202610, "NORMAL", "UNPAID", 102_000, 40_800, 61_200, "BASE_ADJUSTMENT", False)]
    assert world.rows("SELECT state, amount_fen FROM contribution_bills ORDER BY id") == [("VOID", 99_040), ("UNPAID", 102_000)]
    assert world.rows("SELECT from_state, to_state, why, who FROM moves WHERE noun = 'contribution_bill'") == [
        ("UNPAID", "VOID", "bill.voided:BASE_ADJUSTMENT", "adjustment")
    ]


def test_an_unpaid_month_that_costs_less_now_is_issued_anew_too(world, ports, after):
    enrollment = billed(world, ports, "3")

    adjust(after, year=2026)

    assert [row[3] for row in live(world, enrollment)] == [138_000]
    assert world.scalar("SELECT count(*) FROM adjustment_reviews") == 0


@pytest.mark.parametrize("state", ["UNPAID", "PAID", "LOCKED"])
def test_a_tier_whose_base_stays_gets_nothing(world, ports, after, state):
    enrollment = billed(world, ports, "2")
    pay(world, enrollment, state=state)
    before = all_rows(world)

    (done,) = adjust(after, year=2026)

    assert (done.did, done.waiting) == (0, 0)
    assert all_rows(world) == before


def test_a_paid_month_that_costs_less_now_waits_for_a_person_once(world, ports, after):
    enrollment = billed(world, ports, "3")
    pay(world, enrollment)

    assert [done.reviews for done in adjust(after, year=2026)] == [1]
    assert [done.reviews for done in adjust(after, year=2026)] == [0]

    assert [row[1] for row in live(world, enrollment)] == ["NORMAL"]
    with ports.begin() as session:
        (review,) = open_reviews(session)
        assert open_reviews(session, region="650000") == []
    assert (review.reason, review.assessed_fen, review.owed_fen, str(review.month)) == ("OVERPAID", 140_000, 138_000, "2026-10")
    resolve_review(ports, review_id=review.id, reason="已转退费", who="S1024")
    with ports.begin() as session:
        assert open_reviews(session) == []
    with pytest.raises(NotFound):
        resolve_review(ports, review_id=review.id, reason="再来", who="S1024")
    assert world.rows("SELECT why, who FROM moves WHERE noun = 'adjustment_review'") == [
        ("adjustment_review.resolved:已转退费", "staff:S1024")
    ]
    adjust(after, year=2026)
    with ports.begin() as session:
        assert open_reviews(session) == []  # what a person decided is not asked again


@pytest.mark.parametrize(("ends_as", "kinds"), [("UNPAID", ["NORMAL"]), ("PAID", ["NORMAL", "SUPPLEMENT"])])
def test_a_month_that_is_being_paid_waits_for_its_order_and_the_next_sweep_comes_back(world, ports, after, ends_as, kinds):
    enrollment = billed(world, ports, "1")
    pay(world, enrollment, state="LOCKED")
    before = all_rows(world)

    (done,) = adjust(after)
    assert (done.did, done.waiting) == (0, 1)
    assert all_rows(world) == before

    pay(world, enrollment, state=ends_as)
    (done,) = adjust(after)

    assert (done.did, done.waiting) == (1, 0)
    assert [row[1] for row in live(world, enrollment)] == kinds
    assert sum(row[3] for row in live(world, enrollment)) == 102_000


def test_adjusting_twice_is_adjusting_once(world, ports, after):
    for tier in ("1", "2", "3"):
        pay(world, billed(world, ports, tier, "2026-09", "2026-10"))
        billed(world, ports, tier, "2026-09", "2026-10")
    adjust(after, year=2026)
    before = all_rows(world)

    assert sum(done.did for done in adjust(after, year=2026)) == 0
    assert all_rows(world) == before


def test_figures_that_change_once_more_replace_an_unpaid_difference_and_ask_a_person_about_a_paid_one(
    world, ports, after, tmp_path
):
    unpaid, paid = billed(world, ports, "1"), billed(world, ports, "1")
    for each in (unpaid, paid):
        pay(world, each)
    adjust(after, year=2026)
    pay(world, paid, kind="SUPPLEMENT")
    corrected = replace(ports, rulebook=final_rulebook(tmp_path / "again", bases={"1": 5200}))

    (done,) = adjust(corrected, year=2026)

    assert [row[3] for row in live(world, unpaid)] == [99_040, 4_960]
    assert [row[3] for row in live(world, paid)] == [99_040, 2_960]
    assert (done.supplements, done.reviews) == (1, 1)
    with ports.begin() as session:
        assert [(each.reason, each.assessed_fen, each.owed_fen) for each in open_reviews(session)] == [
            ("SECOND_SUPPLEMENT", 102_000, 104_000)
        ]
    back = replace(ports, rulebook=final_rulebook(tmp_path / "back", bases={}))
    adjust(back, year=2026)
    assert [row[3] for row in live(world, unpaid)] == [99_040]  # the difference is gone again, and nothing is owed


@pytest.mark.parametrize(
    "wage",
    [(100, 101_380, 104_920), (600_000, 120_000, 120_000), (9_000_000, 506_880, 524_620), (2_600_000, 506_880, 520_000)],
)
def test_a_declared_wage_is_held_between_the_final_limits(world, ports, tmp_path, wage):
    wage_fen, before_fen, owed_fen = wage
    folder = tmp_path / "650000-xinjiang"
    shutil.copytree(SHIPPED_REGIONS / "650000-xinjiang", folder)
    limits = folder / "base_limits.yaml"
    head, year = limits.read_text().split("- id: xinjiang-2026")
    year = year.replace("provisional: false", "provisional: true").replace("floor_yuan: 5246", "floor_yuan: 5069")
    limits.write_text(head + "- id: xinjiang-2026" + year.replace("ceiling_yuan: 26231", "ceiling_yuan: 25344"))
    early = replace(ports, rulebook=load_rulebook(SHIPPED_REGIONS, tmp_path))
    enrollment = world.enrollment(region="650000", declared_wage_fen=wage_fen, tier=None)
    assess(early, month=OCTOBER)
    assert [row[3] for row in live(world, enrollment)] == [before_fen]
    pay(world, enrollment)

    adjust(ports, year=2026)

    assert sum(row[3] for row in live(world, enrollment)) == owed_fen
    assert all(row[4] + row[5] == row[3] for row in live(world, enrollment))


def test_a_month_that_the_enrolment_no_longer_covers_is_left_alone(world, ports, after):
    enrollment = billed(world, ports, "1")
    pay(world, enrollment)
    world.scalar("UPDATE enrollments SET end_month = 202610 RETURNING 1")

    assert [done.did for done in adjust(after, year=2026)] == [0]
    assert [row[1] for row in live(world, enrollment)] == ["NORMAL"]


def test_a_tier_that_the_final_plan_dropped_waits_for_a_person(world, ports, after):
    enrollment = billed(world, ports, "1")
    pay(world, enrollment)
    world.scalar("UPDATE contribution_bills SET tier = '99' RETURNING 1")

    assert [done.reviews for done in adjust(after, year=2026)] == [1]
    with ports.begin() as session:
        assert [(each.reason, each.owed_fen) for each in open_reviews(session)] == [("NO_FIGURE", None)]


def test_several_runs_at_once_settle_each_month_once(world, ports, after, monkeypatch):
    monkeypatch.setattr("services.assessment.PART", 3)
    enrollments = [billed(world, ports, "1") for _ in range(12)]
    for each in enrollments[::2]:
        pay(world, each)
    done = []

    threads = [threading.Thread(target=lambda: done.extend(adjust(after, year=2026))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (sum(each.supplements for each in done), sum(each.reissued for each in done)) == (6, 6)
    assert {sum(row[3] for row in live(world, each)) for each in enrollments} == {102_000}


def test_whatever_is_paid_or_not_all_that_lives_of_a_month_is_what_the_final_figures_ask(world, ports, after):
    dice = random.Random(20261122)
    for _ in range(40):
        enrollment = billed(world, ports, str(dice.randint(1, 12)), "2026-09", "2026-10")
        pay(world, enrollment, state=dice.choice(["UNPAID", "LOCKED", "PAID", "POSTED", "REFUNDED", "VOID"]))
    for _ in range(3):
        adjust(after, year=2026)
        assert world.rows(
            "SELECT enrollment_id FROM contribution_bills WHERE NOT voided GROUP BY enrollment_id, coverage_month, kind HAVING count(*) > 1"
        ) == []  # fmt: skip
    table = after.rulebook.region("320400").assessment_table("110", OCTOBER, PLAN)
    waiting = {row[0] for row in world.rows("SELECT bill_id FROM adjustment_reviews")}
    months = world.rows(
        "SELECT min(id), min(tier), sum(amount_fen) FROM contribution_bills WHERE NOT voided"
        " GROUP BY enrollment_id, coverage_month HAVING NOT bool_or(state IN ('LOCKED', 'REFUNDED'))"
    )
    assert len(months) > 20
    for first_bill, tier, total_fen in months:
        assert first_bill in waiting or total_fen == table.tier(tier).amount_fen


def test_the_command_says_what_was_done_and_what_waits(world, ports, after, monkeypatch):
    from click.testing import CliRunner

    from jobs import adjustment_commands

    pay(world, billed(world, ports, "3"))
    billed(world, ports, "1")
    monkeypatch.setattr(adjustment_commands, "ports_of", lambda: after)
    said = CliRunner().invoke(adjustment_commands.adjust, ["--year", "2026"]).output
    assert "supplements 0, issued anew 1, for staff 1" in said
    assert "canbao adjustments" in said

    listed = CliRunner().invoke(adjustment_commands.adjustments_command, []).output
    assert "1 waiting" in listed
    assert "OVERPAID: assessed 140000 fen, final 138000 fen" in listed
    number = re.search(r"^(\d+)  320400", listed, re.MULTILINE)[1]
    refused = CliRunner().invoke(adjustment_commands.adjustments_command, ["--resolve", number])
    assert refused.exit_code == 1
    done = CliRunner().invoke(adjustment_commands.adjustments_command, ["--resolve", number, "--reason", "退", "--who", "S1"])
    assert done.output == "resolved\n"
    assert "0 waiting" in CliRunner().invoke(adjustment_commands.adjustments_command, []).output
