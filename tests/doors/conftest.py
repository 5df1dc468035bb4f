"""Places at the doors: houses whose doors are open, with fakes for providers.

Most stories share one database, since each brings people of its own; whoever counts or breaks things takes `lone_house`.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.conftest import fresh_database, ports_to
from tests.doors.house import House
from tests.doors.letters import Letterbox
from tests.factories import World
from tests.own_log import own_log  # noqa: F401 - for every test here
from tests.slates import kept_open

if TYPE_CHECKING:
    from collections.abc import Iterator

PEOPLE = itertools.count(1)


@pytest.fixture(scope="session")
def shared_database(server, template) -> Iterator[str]:
    with fresh_database(server, template) as url, kept_open(url):
        yield url


@pytest.fixture
def house(shared_database, rulebook, seals, clock) -> Iterator[House]:
    """The JSON door, over the database that all stories share."""
    with ports_to(shared_database, rulebook=rulebook, seals=seals, clock=clock) as ports:
        world = World(ports)
        world._numbers = PEOPLE
        yield House(ports=ports, world=world, clock=clock)


@pytest.fixture
def lone_house(ports, world, clock) -> House:
    """The JSON door, over a database of its own."""
    return House(ports=ports, world=world, clock=clock)


@pytest.fixture
def letterbox(shared_database, rulebook, seals, clock) -> Iterator[Letterbox]:
    """The letterbox with the real adapters, over the database that all stories share."""
    with ports_to(shared_database, rulebook=rulebook, seals=seals, clock=clock) as ports:
        world = World(ports)
        world._numbers = PEOPLE
        yield Letterbox(ports=ports, world=world, clock=clock)


@pytest.fixture
def lone_letterbox(ports, world, clock) -> Letterbox:
    """The letterbox over a database of its own, for whoever breaks it."""
    return Letterbox(ports=ports, world=world, clock=clock)
