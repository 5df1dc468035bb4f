"""Another key for the blind indexes: everybody is found again, nobody twice, and nothing happens while the house is open."""

from __future__ import annotations

import json
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import text

from app import create_app
from config.seal_file import add_index_key
from config.seals import load_seals
from config.settings import Settings
from jobs.seal_commands import seals as seals_group
from models.people import Person
from models.tables import metadata
from providers.protocols import FaceVerdict
from services.face_checks import finish_face_check, start_face_check
from services.index_rebuilding import FOLLOWS, INDEXED, LAPSES, HouseIsOpen, SealsAreBroken, rebuild_indexes
from services.real_names import prove_name
from services.sign_in import sign_in
from tests.factories import WECHAT, World, an_id_number


@pytest.fixture
def ports(ports, key_file):
    return replace(ports, seals=load_seals(key_file))


@pytest.fixture
def canbao(ports, tmp_path):
    app = create_app(Settings(secrets_dir=tmp_path), doors=[], ports=ports)
    app.cli.add_command(seals_group)

    def run(*words: str):
        close_house(ports)
        with app.app_context():
            return app.test_cli_runner().invoke(args=["seals", *words])

    return run


def close_house(ports) -> None:
    """All connections of this pool but the one that comes next."""
    ports.sessions.kw["bind"].dispose()


def turn(ports, key_file) -> None:
    add_index_key(key_file)
    ports.seals.look_again()
    close_house(ports)


def verified(ports):
    """Somebody who came in by the ordinary way, so that every index was made by its own maker."""
    world = World(ports)
    account = sign_in(ports, miniprogram=WECHAT, code="c").account
    world.agree(account, "REAL_NAME", "FACE")
    prove_name(ports, account=account, name="张三丰", id_number=an_id_number(1), phone=None)
    check = start_face_check(ports, account=account, idempotency_key="first-key")
    check_no = world.scalar("SELECT check_no FROM face_checks")
    ports.faces[WECHAT].went(check_no, FaceVerdict.PASSED)
    finish_face_check(ports, account=account, check_id=check.id)
    return account


def test_made_anew_with_the_same_key_every_index_is_as_its_own_maker_made_it(ports):
    """Should a service ever make an index in another way, this would change a row."""
    verified(ports)
    close_house(ports)

    assert rebuild_indexes(ports) == 0


def test_after_another_key_the_same_people_are_found_and_nobody_twice(ports, key_file):
    account = verified(ports)
    world = World(ports)
    before = world.rows("SELECT id_number_index, name_index FROM persons")
    turn(ports, key_file)

    changed = rebuild_indexes(ports)

    assert changed >= 3
    assert world.rows("SELECT id_number_index, name_index FROM persons") != before
    assert sign_in(ports, miniprogram=WECHAT, code="c").account.id == account.id
    index = ports.seals.index("id_number", an_id_number(1))
    assert world.scalar("SELECT count(*) FROM persons WHERE id_number_index = :index", index=index) == 1
    assert world.rows("SELECT count(*) FROM accounts") == [(1,)]
    close_house(ports)
    assert rebuild_indexes(ports) == 0


def test_while_anybody_is_connected_nothing_happens(ports, key_file, database_url):
    World(ports).person()
    turn(ports, key_file)
    before = World(ports).rows("SELECT id_number_index FROM persons")
    close_house(ports)
    with (
        psycopg.connect(database_url.replace("postgresql+psycopg://", "postgresql://")),
        pytest.raises(HouseIsOpen, match="stop web"),
    ):
        rebuild_indexes(ports)

    assert World(ports).rows("SELECT id_number_index FROM persons") == before


def test_a_seal_that_does_not_open_undoes_everything(ports, key_file):
    world = World(ports)
    world.person()
    last = world.person()
    with ports.begin() as session:
        session.get_one(Person, last.id).id_number_sealed = session.get_one(Person, last.id).name_sealed
    turn(ports, key_file)
    before = world.rows("SELECT id_number_index, name_index FROM persons ORDER BY id")
    close_house(ports)

    with pytest.raises(SealsAreBroken, match=r"persons\.id_number_sealed of row"):
        rebuild_indexes(ports)

    assert world.rows("SELECT id_number_index, name_index FROM persons ORDER BY id") == before


def test_every_index_has_its_way(ports):
    """A column more that holds an index must say how it is made anew, what it follows, or that it lapses."""
    columns = {
        (table.name, column.name)
        for table in metadata.tables.values()
        for column in table.columns
        if column.name.endswith("_index")
    }

    assert columns == {(each.table, each.index) for each in INDEXED} | set(FOLLOWS) | set(LAPSES)


def test_an_operator_turns_the_key_and_it_is_settled(canbao, ports, key_file):
    person = World(ports).person()
    done = canbao("rebuild-indexes")

    assert (done.exit_code, done.output.startswith("indexes made anew: 2.")) == (0, True), done.output
    assert not load_seals(key_file).is_rebuilding_indexes
    assert World(ports).scalar("SELECT id_number_index FROM persons") != bytes(person.id_number_index)


def test_a_refusal_leaves_the_key_file_as_it_was(canbao, ports, key_file, database_url):
    person = World(ports).person()
    with ports.begin() as session:
        session.execute(text("UPDATE persons SET name_sealed = id_number_sealed"))
    before = json.loads(key_file.read_text())

    assert canbao("rebuild-indexes").exit_code == 1
    assert json.loads(key_file.read_text()) == before
    with psycopg.connect(database_url.replace("postgresql+psycopg://", "postgresql://")):
        refused = canbao("rebuild-indexes")
    assert (refused.exit_code, "stop web" in refused.output) == (1, True)
    assert json.loads(key_file.read_text()) == before
    assert World(ports).scalar("SELECT id_number_index FROM persons") == bytes(person.id_number_index)


@pytest.mark.parametrize("died", ["before the rows", "after the rows"])
def test_after_a_death_half_way_the_next_run_ends_it_and_no_process_starts_before(canbao, ports, key_file, tmp_path, died):
    from app import build_ports
    from config.seals import SealKeysFault

    World(ports).person()
    turn(ports, key_file)
    if died == "after the rows":
        rebuild_indexes(ports)

    with pytest.raises(SealKeysFault, match="go on with: canbao seals rebuild-indexes"):
        build_ports(Settings(secrets_dir=tmp_path, database_url=str(ports.sessions.kw["bind"].url)))
    done = canbao("rebuild-indexes")

    assert done.exit_code == 0, done.output
    assert World(ports).scalar("SELECT id_number_index FROM persons") == load_seals(key_file).index(
        "id_number", an_id_number(1, born="19600101")
    )


def test_a_rebuild_that_cannot_go_on_is_taken_back_where_the_run_before_changed_nothing(canbao, ports, key_file):
    person = World(ports).person()
    before = json.loads(key_file.read_text())
    with ports.begin() as session:
        session.execute(text("UPDATE persons SET name_sealed = id_number_sealed"))
    turn(ports, key_file)

    refused = canbao("rebuild-indexes")

    assert (refused.exit_code, "persons.name_sealed of row" in refused.output) == (1, True), refused.output
    assert json.loads(key_file.read_text()) == before
    assert World(ports).scalar("SELECT id_number_index FROM persons") == bytes(person.id_number_index)


def test_a_rebuild_that_was_through_is_never_taken_back(canbao, ports, key_file):
    """A seal broke after the rows had their new indexes: under the old key nobody would be found."""
    World(ports).person()
    turn(ports, key_file)
    rebuild_indexes(ports)
    good = World(ports).scalar("SELECT name_sealed FROM persons")
    with ports.begin() as session:
        session.execute(text("UPDATE persons SET name_sealed = id_number_sealed"))

    assert canbao("rebuild-indexes").exit_code == 1
    assert load_seals(key_file).is_rebuilding_indexes
    with ports.begin() as session:
        session.execute(text("UPDATE persons SET name_sealed = :good"), {"good": good})
    assert canbao("rebuild-indexes").exit_code == 0
    assert not load_seals(key_file).is_rebuilding_indexes


def test_where_no_seal_opens_nothing_is_taken_back(canbao, ports, key_file):
    World(ports).person()
    turn(ports, key_file)
    with ports.begin() as session:
        session.execute(text("UPDATE persons SET name_sealed = id_number_sealed, id_number_sealed = name_sealed"))

    assert canbao("rebuild-indexes").exit_code == 1
    assert load_seals(key_file).is_rebuilding_indexes
