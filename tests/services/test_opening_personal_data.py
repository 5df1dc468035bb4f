"""Opening a person's own data: it leaves a row each time, opens nothing else, and tells nothing where a seal is broken."""

from __future__ import annotations

import pytest

from config.seals import SealBroken
from models.accounts import Account
from models.people import Person
from models.personal_data import PersonalDataRequest
from services.personal_data import open_personal

ROWS = "SELECT subject_table, subject_id, columns, purpose, who FROM personal_data_accesses ORDER BY id"


def opened(ports, row, *columns):
    with ports.begin() as session:
        return open_personal(
            ports, session, session.get_one(type(row), row.id), *columns, purpose="story", who="staff:S1", now=ports.now()
        )


def test_what_was_opened_and_by_whom_is_written_with_it(world, ports):
    person = world.person(name="张三丰")

    assert opened(ports, person, "name") == {"name": "张三丰"}
    assert opened(ports, person, "name", "id_number").keys() == {"name", "id_number"}
    assert world.rows(ROWS) == [
        ("persons", person.id, "name", "story", "staff:S1"),
        ("persons", person.id, "name,id_number", "story", "staff:S1"),
    ]


@pytest.mark.parametrize("column", ["name_masked", "name_sealed", "name_index", "created_at", "id", "content", ""])
def test_what_is_no_personal_sealed_column_is_not_opened(world, ports, column):
    person = world.person()

    with pytest.raises(ValueError, match="no personal sealed column"):
        opened(ports, person, "name", column)

    assert world.rows(ROWS) == []


def test_a_platform_subject_is_not_opened_this_way_and_nothing_is_not_something(world, ports):
    account = world.account()

    with pytest.raises(ValueError, match="accounts: subject"):
        opened(ports, account, "subject")
    with pytest.raises(ValueError, match="name what"):
        opened(ports, account)


def test_an_empty_column_and_a_copied_seal_are_told_as_broken_and_nothing_is_opened(world, ports):
    account, one, other = world.account(), world.person(name="张三丰"), world.person(name="李四光")
    with ports.begin() as session:
        session.get_one(Person, one.id).name_sealed = other.name_sealed

    with pytest.raises(SealBroken, match=r"nothing is sealed at accounts\.phone_sealed"):
        opened(ports, account, "phone")
    with pytest.raises(SealBroken) as fault:
        opened(ports, one, "id_number", "name")

    assert "李" not in str(fault.value)
    assert world.rows(ROWS) == []


def test_every_sealed_column_has_its_place_and_nothing_else_has():
    assert Person.place_of("name_sealed", 7) == "persons.name_sealed:7" == Person.name_place(7)
    assert Account.place_of("phone_sealed", 7) == "accounts.phone_sealed:7"
    assert PersonalDataRequest.place_of("wish_sealed", 7) == "personal_data_requests.wish_sealed:7"
    for column in ("name_masked", "phone_sealed", "name"):
        with pytest.raises(ValueError, match="persons has no sealed column"):
            Person.place_of(column, 7)
