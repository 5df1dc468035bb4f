"""Seals in life: a new key takes over while the house is open, old rows are sealed anew, and a lost key is told for what it is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import text

from config.seal_file import add_key
from config.seals import SealBroken, UnknownSealKey, head_of, load_seals, new_seal_keys
from models.people import Person
from models.tables import metadata
from services import resealing
from services.payments import ask_about_silence, open_payment
from services.resealing import SealedRows, count_seals, lost_seals, reseal, sealed_columns, tell_lost_seals
from tests.factories import World


@pytest.fixture
def ports(ports, key_file):
    return replace(ports, seals=load_seals(key_file))


def turn_key(ports, key_file) -> str:
    key_id = add_key(key_file, algorithm="AES-256-GCM")
    ports.seals.look_again()
    return key_id


def counted(ports) -> set[tuple[str, str, str | None, int]]:
    with ports.begin() as session:
        return {(each.table, each.column, each.key_id, each.rows) for each in count_seals(session)}


def name_of(ports, person) -> str:
    with ports.begin() as session:
        row = session.get_one(Person, person.id)
        return ports.seals.open(row.name_sealed, place=Person.name_place(row.id))


def test_every_row_that_an_old_key_sealed_is_sealed_anew_and_opens_to_the_same(ports, key_file):
    world = World(ports)
    world.order()
    people = [world.person(name=name) for name in ("张三丰", "李四光")]
    turn_key(ports, key_file)
    new = world.person(name="王五")
    untouched = world.rows("SELECT name_sealed FROM persons WHERE id = :id", id=new.id)

    changed = reseal(ports)

    assert {key_id for _, _, key_id, _ in counted(ports)} == {"k2"}
    # A person and the account's subject and its payment's request; two more people by name and number.
    assert changed == 2 + 1 + 1 + 2 * 2
    assert [name_of(ports, person) for person in [*people, new]] == ["张三丰", "李四光", "王五"]
    assert world.rows("SELECT name_sealed FROM persons WHERE id = :id", id=new.id) == untouched
    assert reseal(ports) == 0


def test_with_one_key_alone_there_is_nothing_to_do_and_no_table_is_read(ports, monkeypatch):
    World(ports).person()
    monkeypatch.setattr(resealing, "_reseal_batch", lambda *_, **__: pytest.fail("a table was read"))

    assert reseal(ports) == 0


def test_a_run_is_bounded_and_the_next_one_goes_on(ports, key_file, monkeypatch):
    monkeypatch.setattr(resealing, "BATCH", 2)
    world = World(ports)
    for _ in range(5):
        world.person()
    turn_key(ports, key_file)

    runs = [reseal(ports, limit=3) for _ in range(5)]

    assert runs == [3, 3, 3, 1, 0]
    assert counted(ports) == {("persons", "name_sealed", "k2", 5), ("persons", "id_number_sealed", "k2", 5)}


def test_a_row_that_somebody_holds_is_passed_over_and_found_the_next_time(ports, key_file):
    world = World(ports)
    held, free = world.person(), world.person()
    turn_key(ports, key_file)
    with ports.sessions.begin() as somebody:
        somebody.execute(text("SELECT 1 FROM persons WHERE id = :id FOR UPDATE"), {"id": held.id})
        assert reseal(ports) == 2

    assert reseal(ports) == 2
    assert name_of(ports, held) == name_of(ports, free)


def test_an_altered_row_stays_as_it_is_and_holds_up_no_other(ports, key_file):
    world = World(ports)
    altered, good = world.person(name="张三丰"), world.person(name="李四光")
    with ports.begin() as session:
        session.get_one(Person, altered.id).name_sealed = session.get_one(Person, good.id).name_sealed
    turn_key(ports, key_file)

    assert reseal(ports) == 3
    assert reseal(ports) == 0
    assert name_of(ports, good) == "李四光"
    with pytest.raises(SealBroken):
        name_of(ports, altered)


def test_what_is_no_seal_is_counted_as_such_and_left_alone(ports, key_file):
    world = World(ports)
    for junk in (b"", b"\x01", b"\x01\xff" + b"x" * 40, b"written by somebody's script, in plain words"):
        person = world.person()
        with ports.begin() as session:
            session.get_one(Person, person.id).name_sealed = junk
    turn_key(ports, key_file)

    assert reseal(ports) == 4
    assert [(column, rows) for _, column, key_id, rows in counted(ports) if key_id is None] == [("name_sealed", 4)]


def test_a_lost_key_is_told_with_how_much_is_lost_and_what_goes_on(ports, key_file, tmp_path, capsys):
    world = World(ports)
    world.person()
    world.order()
    turn_key(ports, key_file)
    after = world.person()
    file = json.loads(key_file.read_text())
    del file["keys"]["k1"]
    elsewhere = tmp_path / "restored.json"
    elsewhere.write_text(json.dumps(file))
    poorer = replace(ports, seals=load_seals(elsewhere))

    with poorer.begin() as session:
        lost = lost_seals(poorer, count_seals(session))

    assert SealedRows(table="persons", column="name_sealed", key_id="k1", rows=2) in lost
    assert {each.key_id for each in lost} == {"k1"}
    assert tell_lost_seals(poorer) == sum(each.rows for each in lost) == 2 * 2 + 1 + 1
    assert tell_lost_seals(ports) == 0
    # What was sealed with the other key opens, what needs no key goes on, and nothing is thrown away.
    assert name_of(poorer, after)
    assert reseal(poorer) == 0
    reseal(ports)
    assert tell_lost_seals(poorer) == 0


def test_a_payment_whose_request_is_lost_is_still_asked_about_and_settles(ports, key_file, tmp_path, clock):
    world = World(ports)
    account, order = world.order()
    ports.payments[account.miniprogram].pay(order.payment_no)
    other = tmp_path / "other.json"
    other.write_text(new_seal_keys().replace('"k1"', '"k7"'))
    poorer = replace(ports, seals=load_seals(other))
    clock.move(seconds=30)

    assert ask_about_silence(poorer) == 1
    assert world.read_payment(order.payment_no).state == "SUCCEEDED"


def test_a_payment_whose_request_is_lost_cannot_be_sent_and_says_so(ports, tmp_path):
    from providers.protocols import ProviderUnreachable

    world = World(ports)
    person = world.person()
    account = world.account(person)
    provider = ports.payments[account.miniprogram]
    provider.fails.append(("open_payment", ProviderUnreachable("down")))
    order = world.order_for(account, world.me_in_list(account), world.bills(world.enrollment(person)))
    other = tmp_path / "other.json"
    other.write_text(new_seal_keys().replace('"k1"', '"k7"'))

    with pytest.raises(UnknownSealKey):
        open_payment(replace(ports, seals=load_seals(other)), order.payment_no)

    assert len(provider.asked("open_payment")) == 1


def test_every_sealed_column_has_its_sentence_and_no_append_only_table_has_one():
    columns = sealed_columns()

    assert {column.removesuffix("_sealed") for _, column in columns} <= resealing.WHAT_IS_LOST.keys()
    assert not {table for table, _ in columns} & {"moves", "transfers", "personal_data_accesses", "audit_blocks", "erasures"}
    for table, _ in columns:
        assert [column.name for column in metadata.tables[table].primary_key] == ["id"]
        assert metadata.tables[table].c.id.type.python_type.__name__ == "UUID", "a seal's place needs an id of ours"


def test_the_head_of_a_seal_is_read_by_the_database_as_it_is_written_here(ports):
    person = World(ports).person()

    assert bytes(person.name_sealed).startswith(head_of("k1"))
    assert ("persons", "name_sealed", "k1", 1) in counted(ports)
