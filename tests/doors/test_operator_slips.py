"""`canbao slips …`: what two of the staff type and read from a bank's paper. Nothing of a person stands on a command line."""

from __future__ import annotations

import pytest

from app import create_app
from config.settings import Settings
from jobs.slip_commands import slips
from services.refund_sending import return_surplus, send_refunds
from tests.factories import an_id_number

NUMBER = an_id_number(901)
PAPER = ("--region", "320400", "--bank", "ICBC", "--serial", "0200-77881234", "--month", "2026-11", "--paid-on", "2026-11-20")


@pytest.fixture
def canbao(ports, tmp_path):
    app = create_app(Settings(secrets_dir=tmp_path), doors=[], ports=ports)
    app.cli.add_command(slips)

    def run(*words: str, typed: tuple[str, ...] = ()):
        with app.app_context():
            return app.test_cli_runner().invoke(args=["slips", *words], input="".join(f"{line}\n" for line in typed))

    return run


@pytest.fixture
def fen(world) -> int:
    (bill,) = world.bills(world.enrollment(world.person(id_number=NUMBER)))
    return bill.amount_fen


def test_two_of_the_staff_book_a_slip_and_the_banks_paper_of_what_went_back(canbao, ports, world, fen):
    first = canbao("record", "--by", "S1024", *PAPER, "--fen", str(fen + 1), typed=("张三丰", NUMBER))
    assert (first.exit_code, first.output.splitlines()[-2].count("RECORDED")) == (0, 1), first.output
    assert "1 to approve, oldest first" in canbao("list").output
    number = world.scalar("SELECT slip_no FROM counter_slips")
    again = ("--serial", "0200-77881234", "--fen", str(fen + 1))
    assert "SECOND_PERSON_REQUIRED" in canbao("approve", number, "--by", "S1024", *again).output
    assert "SLIP_DIFFERS" in canbao("approve", number, "--by", "S2048", *again[:2], "--fen", "1").output
    assert canbao("approve", number, "--by", "S2048", *again).output.splitlines()[-1] == "approved"

    return_surplus(ports)
    send_refunds(ports)
    assert "1 to be paid out by banks" in canbao("list").output
    refund = world.scalar("SELECT refund_no FROM refunds")
    out = ("--bank", "ICBC", "--serial", "0299-1", "--fen", str(fen + 1), "--paid-on", "2026-11-21")
    assert canbao("paid-out", refund, "--by", "S1024", *out).exit_code == 0
    slip = world.scalar("SELECT slip_no FROM counter_slips WHERE kind = 'PAY_OUT'")
    assert canbao("approve", slip, "--by", "S2048", "--serial", "0299-1", "--fen", str(fen + 1)).exit_code == 0
    assert "0 to be paid out by banks" in canbao("list").output
    assert [name for name in world.balances() if name.startswith("clearing:")] == []


def test_what_was_copied_wrongly_is_sent_back(canbao, world, fen):
    canbao("record", "--by", "S1024", *PAPER, "--fen", str(fen), typed=("张三丰", NUMBER))
    number = world.scalar("SELECT slip_no FROM counter_slips")

    assert canbao("reject", number, "--by", "S1024").output.splitlines()[-1] == "rejected"
    assert "SLIP_NOT_WAITING" in canbao("reject", number, "--by", "S2048").output


def test_no_command_takes_a_name_or_an_id_number_on_its_line():
    options = {option.name for command in slips.commands.values() for option in command.params}

    assert not options & {"name", "id_number"}
