"""`canbao staff …`: the first administrator, and the way back in."""

from __future__ import annotations

import re

import pytest

from app import create_app
from config.settings import Settings
from jobs.staff_commands import staff
from models.staff import StaffRole
from services import staff as service
from services.staff_errors import StaffSignInRefused
from services.staff_sessions import TRIES, sign_in
from tests.console.browser import OFFICE, member


@pytest.fixture
def canbao(ports, tmp_path):
    app = create_app(Settings(secrets_dir=tmp_path), doors=[], ports=ports)
    app.cli.add_command(staff)

    def run(*words: str):
        with app.app_context():
            return app.test_cli_runner().invoke(args=["staff", *words])

    return run


def test_the_first_administrator_gets_a_code(canbao, ports):
    done = canbao("invite", "--number", "s0001", "--role", "ADMINISTRATOR")

    assert (done.exit_code, "/console/enrolment" in done.output) == (0, True)
    code = re.search(r"code +(\S+)", done.output)[1]
    view = service.read_staff(ports, number="S0001")
    assert (view.roles, view.state, view.created_by) == ((StaffRole.ADMINISTRATOR,), "INVITED", "operator")
    taken = canbao("invite", "--number", "S0001", "--role", "ADMINISTRATOR")
    assert (taken.exit_code, "STAFF_NUMBER_TAKEN" in taken.output) == (1, True)
    again = canbao("invite", "--number", "s0001", "--role", "ADMINISTRATOR", "--again")
    assert again.exit_code == 0
    assert code not in again.output


@pytest.mark.parametrize("role", ["REVIEWER", "SUPERVISOR", "AUDITOR", "KING"])
def test_everybody_else_is_invited_at_the_console(canbao, role):
    assert canbao("invite", "--number", "S0001", "--role", role).exit_code == 2


def test_a_locked_number_is_let_in_again(canbao, ports):
    member(ports, "S0001", StaffRole.ADMINISTRATOR)
    for _ in range(TRIES):
        with pytest.raises(StaffSignInRefused):
            sign_in(ports, number="S0001", password="wrong wrong wrong", totp_code="000000", origin=OFFICE)

    assert canbao("unlock", "--number", "s0001").exit_code == 0
    assert service.read_staff(ports, number="S0001").state == "ACTIVE"
    again = canbao("unlock", "--number", "S0001")
    assert (again.exit_code, "STAFF_NOT_IN_THAT_STATE" in again.output) == (1, True)
    assert "NOT_FOUND" in canbao("unlock", "--number", "S0002").output
