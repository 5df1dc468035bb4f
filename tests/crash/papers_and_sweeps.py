"""Pictures of papers, and the sweeps over bills and applications, killed half way: the next run ends as one that nobody killed.

Parts and pages are made as small as can be, so that there is a transaction between any two rows.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from config.blob_seals import open_blob
from config.months import YearMonth
from config.rulebook import SHIPPED_REGIONS, load_rulebook
from models.applications import ApplicationDocument, DecisionReason
from models.base import new_id
from services import adjustments, application_lapsing, assessment, billing_sweep, document_sweeps, documents, uncovered_bills
from services.errors import NotFound
from tests import applying, photographs
from tests.crash.lasting import lasting, rows
from tests.factories import World
from tests.final_figures import PLAN, final_rulebook

if TYPE_CHECKING:
    from services.ports import Ports
    from tests.crash.stories import Stage

OCTOBER = YearMonth(2026, 10)
FIRST, SECOND = photographs.photograph(seed=1), photographs.photograph(seed=2)
STAFF = "staff:S1024"


def each_part_one_row() -> None:
    assessment.PART = 1  # type: ignore[misc]
    uncovered_bills.AT_A_TIME = 1  # type: ignore[misc]
    application_lapsing.AT_A_TIME = 1  # type: ignore[misc]


# Pictures: the store first, then the row


def a_draft_and_somebodys_orphan(stage: Stage) -> None:
    world = World(stage.ports)
    account = applying.an_applicant(world)
    view = applying.begin(world, account)
    stage.cast |= {"payer": str(account.id), "application": str(view.id)}
    # What a killed upload of another day left behind.
    stage.ports.documents.put(documents.name_of(new_id()), b"nobody's")


def upload(stage: Stage, kind: str, picture: bytes) -> None:
    given = {"account": stage.account(), "application_id": uuid.UUID(stage.cast["application"]), "kind": kind}
    documents.upload_document(stage.ports, body=lambda: picture, **given)


def two_hours_later(stage: Stage) -> None:
    """By this machine's clock, which the numbers of pictures are made by: whatever has no row by then never gets one."""
    wanted = datetime.now(UTC) + timedelta(hours=2)
    if stage.ports.now() < wanted:
        stage.move(seconds=(wanted - stage.ports.now()).total_seconds())


def sweep_pictures(stage: Stage) -> None:
    two_hours_later(stage)
    document_sweeps.erase_pictures(stage.ports)
    document_sweeps.sweep_orphans(stage.ports)


def papers(stage: Stage) -> list[Any]:
    with stage.ports.begin() as session:
        found = session.query(ApplicationDocument).order_by(ApplicationDocument.id).all()
        session.expunge_all()
    return found


def in_store(stage: Stage) -> set[str]:
    return {name for shard in range(256) for name in stage.ports.documents.names(f"{shard:02x}")}


def every_picture_that_counts_is_there(stage: Stage) -> None:
    """One live row a kind, each with a picture that opens; and no key for what is not in use."""
    live = [each for each in papers(stage) if each.live]
    assert len({each.kind for each in live}) == len(live)
    for each in papers(stage):
        if not each.live:
            assert each.picture_key_sealed is None, "a picture out of use can be opened"
            continue
        key = stage.ports.seals.open(each.picture_key_sealed, place=ApplicationDocument.picture_key_place(each.id))
        sealed = stage.ports.documents.fetch(documents.name_of(each.id))
        assert sealed is not None, "a row without its picture"
        assert len(open_blob(sealed, key=key, place=f"application_documents:{each.id}")) == each.byte_count


def one_front_and_nothing_else(stage: Stage) -> None:
    every_picture_that_counts_is_there(stage)
    (front,) = [each for each in papers(stage) if each.live]
    assert front.kind == "ID_FRONT"
    assert in_store(stage) == {documents.name_of(front.id)}
    assert all(each.erased_at is not None for each in papers(stage) if not each.live)


def the_phone_goes_on(stage: Stage) -> None:
    """The same picture again, and the one that is not wanted taken back, if it is there."""
    upload(stage, "ID_FRONT", SECOND)
    try:
        documents.remove_document(
            stage.ports, account=stage.account(), application_id=uuid.UUID(stage.cast["application"]), kind="ID_BACK"
        )
    except NotFound:
        assert all(not each.live or each.kind != "ID_BACK" for each in papers(stage))
    sweep_pictures(stage)


@lasting(
    "pictures are uploaded, replaced, looked at, taken back and swept away",
    prepare=a_draft_and_somebodys_orphan,
    again=the_phone_goes_on,
    holds=every_picture_that_counts_is_there,
    ended=one_front_and_nothing_else,
    by_line=True,
)
def pictures(stage: Stage) -> None:
    upload(stage, "ID_FRONT", FIRST)
    upload(stage, "ID_BACK", FIRST)
    upload(stage, "ID_FRONT", SECOND)
    front = next(each for each in papers(stage) if each.live and each.kind == "ID_FRONT")
    documents.open_picture(stage.ports, document_id=front.id, who=STAFF)
    the_phone_goes_on(stage)


# Months: issued, settled, void


def people_without_bills(stage: Stage) -> None:
    world = World(stage.ports)
    for tier in ("1", "2", "3", "1"):
        world.enrollment(tier=tier, start_month=202609)


def no_month_twice(stage: Stage) -> None:
    assert not rows(
        stage,
        "SELECT enrollment_id, coverage_month, kind FROM contribution_bills WHERE NOT voided GROUP BY 1, 2, 3 HAVING count(*) > 1",
    )
    assert not rows(stage, "SELECT 1 FROM contribution_bills WHERE account_part_fen + pooling_part_fen <> amount_fen")


def sweep_months(stage: Stage) -> None:
    each_part_one_row()
    billing_sweep.assess_what_is_missing(stage.ports)


def twelve_bills(stage: Stage) -> None:
    no_month_twice(stage)
    assert rows(stage, "SELECT coverage_month, count(*) FROM contribution_bills GROUP BY 1 ORDER BY 1") == [
        (202609, 4),
        (202610, 4),
        (202611, 4),
    ]
    assert billing_sweep.assess_what_is_missing(stage.ports).issued == 0


lasting(
    "the monthly sweep issues what is missing",
    prepare=people_without_bills,
    again=sweep_months,
    holds=no_month_twice,
    ended=twelve_bills,
)(sweep_months)


def months_on_provisional_figures(stage: Stage) -> None:
    """Unpaid, paid, paid in a tier that falls, being paid just now, and paid with a difference that is wrong by now."""
    world = World(stage.ports)
    given = {"tier_plan": PLAN, "start_month": 202610, "end_month": 202611}
    ids = [world.enrollment(tier=tier, **given).id for tier in ("1", "1", "3", "1", "1")]
    assessment.assess(stage.ports, month=OCTOBER)
    stage.cast |= dict(zip(("unpaid", "paid", "falls", "locked", "wrong"), ids, strict=True))
    final_rulebook(stage.bank.path.parent / "figures", bases={"1": 5100, "3": 6900})
    with stage.ports.begin() as session:
        for which, state in (("paid", "PAID"), ("falls", "PAID"), ("locked", "LOCKED"), ("wrong", "PAID")):
            session.execute(
                text("UPDATE contribution_bills SET state = :state WHERE enrollment_id = :id"),
                {"state": state, "id": stage.cast[which]},
            )
        session.execute(
            text(
                "INSERT INTO contribution_bills (bill_no, enrollment_id, insurance_type, region, authority, coverage_month, kind, reason,"
                " rule_id, tier_plan, tier, base_fen, amount_fen, account_part_fen, pooling_part_fen, provisional, sample, issued_at)"
                " SELECT repeat('W', 24), enrollment_id, insurance_type, region, authority, coverage_month, 'SUPPLEMENT', 'BASE_ADJUSTMENT',"
                " rule_id, tier_plan, tier, base_fen, 100, 40, 60, false, sample, issued_at FROM contribution_bills WHERE enrollment_id = :id"
            ),
            {"id": stage.cast["wrong"]},
        )


def after_the_notice(stage: Stage) -> Ports:
    each_part_one_row()
    return replace(stage.ports, rulebook=load_rulebook(SHIPPED_REGIONS, stage.bank.path.parent / "figures"))


def live(stage: Stage, which: str) -> list[tuple[Any, ...]]:
    return rows(
        stage,
        "SELECT kind, state, amount_fen FROM contribution_bills WHERE enrollment_id = :id AND NOT voided ORDER BY kind",
        id=stage.cast[which],
    )


def every_month_stands_at_its_old_or_its_new_sum(stage: Stage) -> None:
    no_month_twice(stage)
    old, new, more = 99_040, 102_000, 2_960
    assert live(stage, "unpaid") in ([("NORMAL", "UNPAID", old)], [("NORMAL", "UNPAID", new)])
    settled = [("NORMAL", "PAID", old), ("SUPPLEMENT", "UNPAID", more)]
    assert live(stage, "paid") in ([("NORMAL", "PAID", old)], settled)
    assert live(stage, "wrong") in ([("NORMAL", "PAID", old), ("SUPPLEMENT", "UNPAID", 100)], settled)
    assert [state for _, state, _ in live(stage, "falls")] == ["PAID"]
    assert len(rows(stage, "SELECT 1 FROM adjustment_reviews")) <= 1
    assert not rows(
        stage,
        "SELECT b.id FROM contribution_bills b LEFT JOIN moves m ON m.noun = 'contribution_bill' AND m.row_id = b.id::text"
        " WHERE b.state = 'VOID' GROUP BY b.id HAVING count(m.id) <> 1",
    )


def settle_the_difference(stage: Stage) -> None:
    ports = after_the_notice(stage)
    adjustments.adjust(ports, year=2026)
    with ports.begin() as session:
        waiting = [each.id for each in adjustments.open_reviews(session)]
    for review_id in waiting:
        adjustments.resolve_review(ports, review_id=review_id, reason="已核对", who="S1024")


def whoever_was_paying_did_not(stage: Stage) -> None:
    """The order of the month that waited has ended unpaid, and the next run comes by."""
    with stage.ports.begin() as session:
        session.execute(text("UPDATE contribution_bills SET state = 'UNPAID' WHERE state = 'LOCKED'"))
    settle_the_difference(stage)


def all_settled(stage: Stage) -> None:
    every_month_stands_at_its_old_or_its_new_sum(stage)
    assert live(stage, "unpaid") == live(stage, "locked") == [("NORMAL", "UNPAID", 102_000)]
    assert live(stage, "paid") == live(stage, "wrong") == [("NORMAL", "PAID", 99_040), ("SUPPLEMENT", "UNPAID", 2_960)]
    assert rows(stage, "SELECT reason, state FROM adjustment_reviews") == [("OVERPAID", "RESOLVED")]
    assert [each.did for each in adjustments.adjust(after_the_notice(stage), year=2026)] == [0]


lasting(
    "the difference of a year is settled",
    prepare=months_on_provisional_figures,
    again=whoever_was_paying_did_not,
    holds=every_month_stands_at_its_old_or_its_new_sum,
    ended=all_settled,
)(settle_the_difference)


def months_that_nobody_covers(stage: Stage) -> None:
    world = World(stage.ports)
    for _ in range(3):
        world.bills(world.enrollment(start_month=202609), "2026-10", "2026-11")
    with stage.ports.begin() as session:
        session.execute(text("UPDATE enrollments SET state = 'SUSPENDED', end_month = 202611"))


def void_is_told(stage: Stage) -> None:
    """What is covered is owed, what is void has its one row."""
    found = rows(
        stage,
        "SELECT b.coverage_month, b.state, count(m.id) FROM contribution_bills b"
        " LEFT JOIN moves m ON m.noun = 'contribution_bill' AND m.row_id = b.id::text GROUP BY b.id",
    )
    assert {(state, moves) for month, state, moves in found if month == OCTOBER.number} == {("UNPAID", 0)}
    assert {(state, moves) for month, state, moves in found if month != OCTOBER.number} <= {("UNPAID", 0), ("VOID", 1)}


def void_uncovered(stage: Stage) -> None:
    each_part_one_row()
    uncovered_bills.void_uncovered_bills(stage.ports)
    uncovered_bills.void_all_uncovered(stage.ports)


def nothing_uncovered_is_owed(stage: Stage) -> None:
    void_is_told(stage)
    assert rows(stage, "SELECT state, count(*) FROM contribution_bills GROUP BY 1 ORDER BY 1") == [("UNPAID", 3), ("VOID", 3)]


lasting(
    "months that nobody covers are void",
    prepare=months_that_nobody_covers,
    again=void_uncovered,
    holds=void_is_told,
    ended=nothing_uncovered_is_owed,
)(void_uncovered)


# Applications that came back


def some_that_came_back(stage: Stage) -> None:
    """Two whose time is over, and one whose last week has begun."""
    world = World(stage.ports)
    for days in (0, 0, 6):
        stage.move(days=days)
        view = applying.submitted(world, applying.an_applicant(world))
        applying.judged(world, view, "give_back", DecisionReason.DOCUMENT_MISSING)
    stage.move(days=26)


def each_is_over_with_its_word_or_not_at_all(stage: Stage) -> None:
    found = rows(
        stage,
        "SELECT a.state, bool_or(i.live), (SELECT array_agg(m.template ORDER BY m.id) FROM messages m WHERE m.facts ->> 'case_no' = a.case_no)"
        " FROM enrollment_applications a JOIN application_items i ON i.application_id = a.id GROUP BY a.id",
    )
    for state, is_live, told in found:
        if state == "LAPSED":
            assert (is_live, told) == (False, ["application.lapsed"])
        else:
            assert (state, is_live) == ("RETURNED", True)
            assert told in (None, ["application.lapses_soon"])


def lapse(stage: Stage) -> None:
    each_part_one_row()
    application_lapsing.lapse_returned(stage.ports)


def two_are_over(stage: Stage) -> None:
    each_is_over_with_its_word_or_not_at_all(stage)
    assert rows(stage, "SELECT state, count(*) FROM enrollment_applications GROUP BY 1 ORDER BY 1") == [
        ("LAPSED", 2),
        ("RETURNED", 1),
    ]
    assert rows(stage, "SELECT template, count(*) FROM messages GROUP BY 1 ORDER BY 1") == [
        ("application.lapsed", 2),
        ("application.lapses_soon", 1),
    ]


lasting(
    "returned applications lapse",
    prepare=some_that_came_back,
    again=lapse,
    holds=each_is_over_with_its_word_or_not_at_all,
    ended=two_are_over,
)(lapse)
