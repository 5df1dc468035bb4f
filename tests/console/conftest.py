"""Places at the console: a house with that door alone, and one of the staff of each role."""

from __future__ import annotations

import pytest

from models.staff import StaffRole
from tests.console.browser import Browser, member
from tests.doors.house import House
from tests.own_log import own_log  # noqa: F401 - for every test here

NUMBERS = {
    StaffRole.REVIEWER: "S1001",
    StaffRole.SUPERVISOR: "S2001",
    StaffRole.ACCOUNTANT: "S5001",
    StaffRole.AUDITOR: "S3001",
    StaffRole.ADMINISTRATOR: "S4001",
}


@pytest.fixture
def house(ports, world, clock) -> House:
    """The console over a database of its own."""
    return House(ports=ports, world=world, clock=clock, doors=("console",))


@pytest.fixture
def office(house):
    """One of the staff of each role, signed in; their browsers by role."""
    for role, number in NUMBERS.items():
        member(house.ports, number, role)
    return {role: Browser.of(house, number) for role, number in NUMBERS.items()}


@pytest.fixture
def administrator(office) -> Browser:
    return office[StaffRole.ADMINISTRATOR]
