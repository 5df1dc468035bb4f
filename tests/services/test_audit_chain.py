"""The audit chain: no row is left out whoever commits when, and whatever a database administrator changes is told by table and id."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, select, text

from config.seals import sm3
from models.audit import AuditBlock, PersonalDataAccess
from models.base import Move, new_id
from services import audit_chain
from services.audit_chain import SOURCES, chain_audit, safe_last_id, verify
from services.staff_acts import COMMAND_LINE, note


def a_move(n: int, at) -> Move:
    return Move(noun="story", row_id=str(n), from_state="A", to_state="B", why="story.told", who="system", at=at)


def write(ports, count: int = 3) -> None:
    with ports.begin() as session:
        session.add_all([a_move(n, ports.now()) for n in range(count)])


def chained(ports, blocks: int = 3, each: int = 3) -> None:
    """So many blocks of so many moves: ids 1, 2, 3 …"""
    for _ in range(blocks):
        write(ports, each)
        assert chain_audit(ports) == each
    assert verify(ports).faults == []


@contextmanager
def as_administrator(ports):
    """With the triggers off, as only the owner of the tables can."""
    with ports.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        yield session


def told(ports, **how) -> list[tuple[str, str, int | None]]:
    return [(fault.source, fault.what, fault.row_id) for fault in verify(ports, **how).faults]


def heads(ports) -> dict[str, list[tuple[int, str]]]:
    return {source: [(head.last_id, head.hash)] for source, head in verify(ports).heads.items()}


def test_every_row_is_under_a_block_and_every_block_under_the_one_before(world, ports):
    _, order = world.order()
    world.hear(world.paid_news(order))
    world.settle()
    with ports.begin() as session:
        session.add(
            PersonalDataAccess(
                subject_table="persons", subject_id=new_id(), columns="name", purpose="story", who="staff:S1", at=ports.now()
            )
        )
        note(session, who="staff:S1", act="story", origin=COMMAND_LINE, now=ports.now())

    done = chain_audit(ports)

    assert done == 2 + world.scalar("SELECT (SELECT count(*) FROM moves) + (SELECT count(*) FROM transfers)") > 4
    verified = verify(ports)
    assert (verified.faults, verified.not_yet) == ([], dict.fromkeys(SOURCES, 0))
    assert verified.heads.keys() == set(SOURCES)
    assert chain_audit(ports) == 0
    write(ports)
    assert verify(ports).not_yet["moves"] == 3
    assert chain_audit(ports) == 3


def test_the_form_is_the_documented_one(ports, world):
    """Worked by hand, as a stranger's program would: it must never change unseen."""
    with ports.begin() as session:
        session.add(a_move(7, ports.now()))
        session.add(Move(noun="古", row_id="1", from_state="", to_state="B", why="w", who="x", at=ports.now()))
    chain_audit(ports)

    lines = [
        "1:15:story1:71:A1:B10:story.told6:system27:2026-11-21T02:00:00.000000Z",
        "1:23:古1:10:1:B1:w1:x27:2026-11-21T02:00:00.000000Z",
    ]
    entries = b"".join(n.to_bytes(8, "big") + sm3(line.encode())[:16] for n, line in enumerate(lines, start=1))
    expected = sm3(bytes(32), b"canbao audit 1 moves 1 2 2 2026-11-21T02:00:00.000000Z\n", entries)
    assert world.rows("SELECT form, first_id, last_id, row_count, row_hashes, previous_hash, hash FROM audit_blocks") == [
        (1, 1, 2, 2, entries, bytes(32), expected)
    ]


def test_null_is_not_an_empty_text(ports, world):
    _, order = world.order()
    world.hear(world.paid_news(order))
    world.settle()
    chain_audit(ports)
    with as_administrator(ports) as session:
        session.execute(text("UPDATE transfers SET reason = '' WHERE id = 1"))

    assert told(ports) == [("transfers", "a row was altered: 1", 1)]


def test_every_column_of_every_source_is_covered_and_nothing_else_is_chained(world):
    from models.tables import metadata

    for source, columns in SOURCES.items():
        assert set(columns) == {column.name for column in metadata.tables[source].columns}


@pytest.mark.parametrize("column", [name for name in SOURCES["moves"] if name != "id"])
def test_a_row_altered_in_any_column_is_told_by_its_id(ports, column):
    chained(ports)
    value = "now()" if column == "at" else "'forged'"
    with as_administrator(ports) as session:
        session.execute(text(f"UPDATE moves SET {column} = {value} WHERE id = 5"))  # noqa: S608 - our own words

    assert told(ports) == [("moves", "a row was altered: 5", 5)]


@pytest.mark.parametrize("gone", [1, 3, 4, 9])
def test_a_row_taken_away_is_told_by_its_id(ports, gone):
    chained(ports)
    with as_administrator(ports) as session:
        session.execute(text("DELETE FROM moves WHERE id = :id"), {"id": gone})

    assert told(ports) == [("moves", f"a row is missing: {gone}", gone)]


@pytest.mark.parametrize("added", [-5, 0, 4])
def test_a_row_slipped_in_later_is_told_by_its_id(ports, added):
    write(ports, 3)
    chain_audit(ports)
    with ports.begin() as session:
        session.execute(text("SELECT nextval(pg_get_serial_sequence('moves', 'id'))"))
    write(ports, 2)
    chain_audit(ports)
    assert verify(ports).faults == []
    with as_administrator(ports) as session:
        session.execute(
            text(
                "INSERT INTO moves (id, noun, row_id, from_state, to_state, why, who, at) OVERRIDING SYSTEM VALUE "
                "VALUES (:id, 'story', '1', 'A', 'B', 'w', 'w', now())"
            ),
            {"id": added},
        )

    assert told(ports) == [("moves", f"a row was added: {added}", added)]


def test_two_rows_that_changed_places_are_told(ports):
    chained(ports)
    with as_administrator(ports) as session:
        session.execute(text("UPDATE moves SET row_id = CASE id WHEN 1 THEN '1' ELSE '0' END WHERE id IN (1, 2)"))

    assert told(ports) == [("moves", "a row was altered: 1", 1)]


def test_the_tail_of_the_rows_cut_off_is_told(ports):
    chained(ports)
    with as_administrator(ports) as session:
        session.execute(text("DELETE FROM moves WHERE id >= 8"))

    assert told(ports) == [("moves", "a row is missing: 8", 8)]


def test_a_block_taken_out_of_the_middle_or_the_front_is_told(ports):
    chained(ports)
    for block, said in ((2, "does not follow the one that ends at 3"), (1, "blocks before it are missing")):
        with as_administrator(ports) as session:
            session.execute(text("DELETE FROM audit_blocks WHERE id = :id"), {"id": block})
        ((source, what, _),) = told(ports)
        assert (source, said in what) == ("moves", True), what


@pytest.mark.parametrize(
    "change",
    [
        "last_id = last_id + 1",
        "row_count = 2",
        "made_at = now()",
        "hash = sha256('x')",
        "row_hashes = row_hashes || 'x'",
        "first_id = 3",
    ],
)
def test_a_block_rewritten_by_hand_is_told(ports, change):
    chained(ports)
    with as_administrator(ports) as session:
        session.execute(text(f"UPDATE audit_blocks SET {change} WHERE id = 2"))  # noqa: S608 - our own words

    ((source, what, _),) = told(ports)
    assert source == "moves"
    assert "was rewritten" in what


def made_anew(ports) -> None:
    """What an administrator with our own program can do: change a row, and every block from there on."""
    with as_administrator(ports) as session:
        session.execute(text("UPDATE moves SET who = 'forged' WHERE id = 5"))
        session.execute(text("DELETE FROM audit_blocks WHERE source = 'moves'"))
    chain_audit(ports)


def test_a_chain_made_anew_agrees_with_itself_and_not_with_what_was_written_down_elsewhere(ports):
    chained(ports)
    written_down = heads(ports)
    made_anew(ports)

    assert told(ports) == []
    ((source, what, _),) = told(ports, anchors=written_down)
    assert source == "moves"
    assert "written down elsewhere" in what


def test_a_chain_cut_at_its_end_with_its_rows_is_told_by_what_was_written_down(ports):
    chained(ports)
    written_down = heads(ports)
    with as_administrator(ports) as session:
        session.execute(text("DELETE FROM moves WHERE id > 6"))
        session.execute(text("DELETE FROM audit_blocks WHERE id = 3"))

    assert told(ports) == []
    ((_, what, _),) = told(ports, anchors=written_down)
    assert what == "no block ends at id 9, as was written down elsewhere: the chain was cut or made anew"


def test_a_chain_that_grew_since_it_was_written_down_is_as_good_as_before(ports):
    chained(ports)
    written_down = heads(ports)
    write(ports)
    chain_audit(ports)

    assert told(ports, anchors=written_down) == []


def test_since_begins_later_and_trusts_what_is_before(ports, clock):
    chained(ports)
    clock.move(days=1)
    write(ports)
    chain_audit(ports)
    with as_administrator(ports) as session:
        session.execute(text("UPDATE moves SET who = 'forged' WHERE id = 2"))
    yesterday = ports.now() - timedelta(hours=1)

    assert told(ports) == [("moves", "a row was altered: 2", 2)]
    assert told(ports, since=yesterday) == []
    with as_administrator(ports) as session:
        session.execute(text("UPDATE moves SET who = 'forged' WHERE id = 11"))
    assert told(ports, since=yesterday) == [("moves", "a row was altered: 11", 11)]


# Who commits when.


def test_a_lower_id_that_commits_later_is_waited_for(ports, world):
    """The slow one drew its id first: a block that ends above it must not be made before it is through."""
    slow = ports.sessions()
    slow.add(a_move(1, ports.now()))
    slow.flush()
    write(ports, 2)
    assert world.scalar("SELECT min(id) FROM moves") == 2

    assert safe_last_id(ports, "moves", within_seconds=0.2) is None
    assert world.scalar("SELECT count(*) FROM audit_blocks") == 0
    threading.Timer(0.3, slow.commit).start()
    assert chain_audit(ports) == 3

    slow.close()
    assert verify(ports).faults == []


def test_an_id_drawn_before_its_transaction_has_a_number_is_waited_for_too(ports, world):
    """nextval comes before the row: a look at transaction numbers alone would miss whoever is in between."""
    between = ports.sessions()
    between.execute(text("LOCK TABLE moves IN ROW EXCLUSIVE MODE"))
    drawn = between.scalar(text("SELECT nextval(pg_get_serial_sequence('moves', 'id'))"))
    write(ports, 1)

    assert safe_last_id(ports, "moves", within_seconds=0.2) is None
    between.execute(
        text(
            "INSERT INTO moves (id, noun, row_id, from_state, to_state, why, who, at) OVERRIDING SYSTEM VALUE "
            "VALUES (:id, 'story', '1', 'A', 'B', 'w', 'w', now())"
        ),
        {"id": drawn},
    )
    between.commit()
    between.close()

    assert chain_audit(ports) == 2
    assert verify(ports).faults == []


def test_a_writer_who_gives_up_leaves_a_gap_and_no_fault(ports):
    loser = ports.sessions()
    loser.add(a_move(1, ports.now()))
    loser.flush()
    write(ports, 2)
    loser.rollback()
    loser.close()

    assert chain_audit(ports) == 2
    assert verify(ports).faults == []


def test_readers_hold_nobody_up_and_nobody_waits_for_the_chain(ports):
    reader = ports.sessions()
    reader.execute(select(Move)).all()
    write(ports)

    assert chain_audit(ports) == 3
    reader.close()


INSERT = text(
    "INSERT INTO moves (noun, row_id, from_state, to_state, why, who, at) VALUES ('s', :n, 'A', 'B', 'w', 'w', now())"
)


def storm(ports, number: int) -> int:
    """Forty transactions of one to three rows, slow and quick ones, every fifth given up. Answers how many rows stand."""
    engine, stands = create_engine(ports.sessions.kw["bind"].url), 0
    with engine.connect() as connection:
        for turn in range(40):
            count = 1 + (turn + number) % 3
            for n in range(count):
                connection.execute(INSERT, {"n": str(n)})
                time.sleep(0.001 * (number % 3))
            if turn % 5 == 4:
                connection.rollback()
            else:
                connection.commit()
                stands += count
    engine.dispose()
    return stands


def test_under_a_storm_of_writers_several_chainers_leave_no_row_out(ports, world, monkeypatch):
    monkeypatch.setattr(audit_chain, "A_BLOCK", 7)
    stop = threading.Event()

    def chainer() -> None:
        while not stop.is_set():
            chain_audit(ports)

    with ThreadPoolExecutor(9) as pool:
        writers = [pool.submit(storm, ports, number) for number in range(6)]
        chainers = [pool.submit(chainer) for _ in range(3)]
        written = sum(each.result() for each in writers)
        stop.set()
        for each in chainers:
            each.result()
    while chain_audit(ports):
        pass

    verified = verify(ports)
    assert verified.faults == []
    assert verified.heads["moves"].rows == written == world.scalar("SELECT count(*) FROM moves")
    assert verified.not_yet["moves"] == 0
    assert verified.heads["moves"].blocks > 10


def test_blocks_are_bounded_and_a_run_is_too(ports, world, monkeypatch):
    monkeypatch.setattr(audit_chain, "A_BLOCK", 4)
    write(ports, 10)

    assert chain_audit(ports, limit=4) == 4
    assert chain_audit(ports) == 6
    assert world.rows("SELECT first_id, last_id, row_count FROM audit_blocks ORDER BY id") == [(1, 4, 4), (5, 8, 4), (9, 10, 2)]


def test_the_chain_itself_is_append_only(ports):
    chained(ports, blocks=1)
    for statement in ("UPDATE audit_blocks SET row_count = 1", "DELETE FROM audit_blocks", "TRUNCATE audit_blocks"):
        with pytest.raises(Exception, match="never changed or deleted"), ports.begin() as session:
            session.execute(text(statement))


def test_a_block_is_told_by_the_model_as_it_is_in_the_database(ports):
    chained(ports, blocks=1)
    with ports.begin() as session:
        block = session.scalars(select(AuditBlock)).one()
        assert audit_chain.block_hash(block) == bytes(block.hash)


@pytest.mark.slow
def test_a_hundred_thousand_rows_are_chained_and_verified_in_seconds(ports, world):
    """A million in minutes: a tenth of it may take a tenth of two minutes, even on a machine that others use too."""
    with ports.begin() as session:
        session.execute(
            text(
                "INSERT INTO moves (noun, row_id, from_state, to_state, why, who, at) "
                "SELECT 'contribution_bill', n::text, 'UNPAID', 'PAID', 'bill.paid', 'settle', now() FROM generate_series(1, 100000) n"
            )
        )
    began = time.monotonic()
    assert chain_audit(ports) == 100_000
    built = time.monotonic()
    verified = verify(ports)
    ended = time.monotonic()

    assert verified.faults == []
    assert (verified.heads["moves"].rows, verified.heads["moves"].blocks) == (100_000, 10)
    print(f"100,000 rows: chained in {built - began:.1f} s, verified in {ended - built:.1f} s")  # noqa: T201 - a figure for whoever runs it
    assert built - began < 30
    assert ended - built < 30
