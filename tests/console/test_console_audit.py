"""What auditors read: every look and every step, masked, filtered, a page at a time; and their own reading is there too."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.audit import PersonalDataAccess
from models.base import Move
from models.staff import StaffRole
from services.audit_trail import Wanted, read_accesses, read_acts, read_moves
from services.staff_acts import COMMAND_LINE, record


@pytest.fixture
def auditor(office):
    return office[StaffRole.AUDITOR]


def looks(house, *who: str, table="persons", row=None, at=None, purpose="counter_look"):
    with house.ports.begin() as session:
        for each in who:
            session.add(
                PersonalDataAccess(
                    subject_table=table,
                    subject_id=row.id,
                    columns="name,id_number",
                    purpose=purpose,
                    who=each,
                    at=at or house.ports.now(),
                )
            )


def moves(house, count: int, *, why="story.told"):
    with house.ports.begin() as session:
        session.add_all(
            Move(noun="story", row_id=str(n), from_state="A", to_state="B", why=why, who="staff:S1001", at=house.ports.now())
            for n in range(count)
        )


def test_who_looked_at_whom_is_told_by_masks(house, auditor):
    person = house.world.person(name="欧阳锋")
    account = house.world.account(person)
    looks(house, "staff:S1001", row=person)
    looks(house, f"account:{account.id}", table="accounts", row=account, purpose="own_copy")

    auditor.get("/audit/accesses")

    text = auditor.shown.text
    assert "工号 S1001" in text
    assert text.count(person.id_number_masked) == 2
    assert "欧阳锋" not in text
    assert "姓名、身份证号码" in text
    assert "窗口核验" in text
    assert str(account.id) not in auditor.get("/audit/accesses").text


def test_filters_narrow_by_whom_what_and_beijing_days(ports, house):
    person = house.world.person()
    now = ports.now()
    looks(house, "staff:S1001", "staff:S1002", row=person)
    looks(house, "staff:S1001", row=person, at=now - timedelta(days=1), purpose="own_copy")
    today = ports.today()

    def found(**asked):
        return [(line.who, line.purpose) for line in read_accesses(ports, wanted=Wanted(**asked)).lines]

    assert len(found()) == 3
    assert len(found(who="staff:S1001")) == 2
    assert len(found(who="staff:")) == 3
    assert found(who="%") == []
    assert found(what="own_copy") == [("staff:S1001", "own_copy")]
    assert len(found(since=today)) == 2
    assert found(until=today - timedelta(days=1)) == [("staff:S1001", "own_copy")]
    assert found(since=today + timedelta(days=1)) == []


def test_pages_follow_each_other_without_a_gap_whatever_is_written_meanwhile(ports, house):
    moves(house, 7)
    seen, before = [], None
    while True:
        page = read_moves(ports, wanted=Wanted(what="story", before=before), limit=3)
        seen += [line.row_id for line in page.lines]
        moves(house, 1)
        if page.older is None:
            break
        before = page.older

    assert seen == ["6", "5", "4", "3", "2", "1", "0"]


def test_the_pages_lead_to_older_ones(house, auditor):
    moves(house, 120)
    pages, path, lines = 0, "/audit/moves?what=story", 0
    while path:
        auditor.get(path)
        pages, lines = pages + 1, lines + auditor.shown.text.count("story.told")
        path = next((link.removeprefix("/console") for link in auditor.shown.links() if "before=" in link), None)

    assert (pages, lines) == (3, 120)


def test_a_number_that_somebody_wrote_into_a_reason_is_struck_out(house, auditor):
    moves(house, 1, why="本人 320402199001010017 来电 13800138000")

    auditor.get("/audit/moves")

    assert "320402199001010017" not in auditor.shown.text
    assert "13800138000" not in auditor.shown.text


def test_a_row_of_nobody_is_told_as_such(ports, house):
    ghost = house.world.person()
    for table in ("persons", "no_such_table", "staff"):
        with house.ports.begin() as session:
            session.add(
                PersonalDataAccess(
                    subject_table=table, subject_id=ghost.id, columns="name", purpose="story", who="staff:S1", at=ports.now()
                )
            )

    lines = read_accesses(ports, wanted=Wanted()).lines

    assert [line.whose for line in lines] == ["-", "-", f"{ghost.name_masked} {ghost.id_number_masked}"]


def test_the_auditors_own_look_is_the_newest_row(house, auditor):
    auditor.get("/audit/acts")
    auditor.get("/audit/acts")

    assert "GET console.read_acts" in auditor.shown.text
    assert "工号 S3001" in auditor.shown.text


def test_what_staff_did_is_told_with_address_and_result(ports):
    record(ports, who="staff:S1001", act="POST console.lock", subject="S1", result="NOT_YOURSELF", origin=COMMAND_LINE)

    (line,) = read_acts(ports, wanted=Wanted(who="staff:S1001")).lines

    assert (line.act, line.subject, line.result, line.address) == ("POST console.lock", "S1", "NOT_YOURSELF", "-")


def test_the_database_lets_nobody_change_or_delete_what_staff_did(ports):
    from sqlalchemy import text
    from sqlalchemy.exc import IntegrityError

    record(ports, who="staff:S1", act="story", subject="", result="DONE", origin=COMMAND_LINE)
    for change in ("UPDATE staff_acts SET who = 'x'", "DELETE FROM staff_acts", "TRUNCATE staff_acts"):
        with pytest.raises(IntegrityError, match="never changed or deleted"), ports.begin() as session:
            session.execute(text(change))
