"""`canbao agreements …`: what two of the staff type and read. Nothing of a person stands on a command line."""

from __future__ import annotations

import click
import pytest

from app import create_app
from config.settings import Settings
from jobs.agreement_commands import agreements
from tests.factories import WECHAT
from tests.signing import a_card, a_signer, numbers_of


@pytest.fixture
def canbao(ports, tmp_path):
    app = create_app(Settings(secrets_dir=tmp_path), doors=[], ports=ports)
    app.cli.add_command(agreements)

    def run(*words: str, typed: tuple[str, ...] = ()):
        with app.app_context():
            return app.test_cli_runner().invoke(args=["agreements", *words], input="".join(f"{line}\n" for line in typed))

    return run


def record(canbao, given, *, by="S1024", bank="BOC"):
    words = ("--by", by, "--region", "320400", "--insurance", "110", "--bank", bank, "--signed-on", "2026-11-20", "--activated")
    return canbao("record", *words, typed=given)


def test_two_of_the_staff_bring_an_agreement_into_force(canbao, world):
    account = a_signer(world, region="320400", miniprogram=WECHAT, agreed=())
    card = a_card()
    given = (*numbers_of(world, account), card)
    first = record(canbao, given)
    assert (first.exit_code, "PENDING_VERIFY" in first.output) == (0, True), first.output
    shown = "".join(line for line in first.output.splitlines() if "PENDING_VERIFY" in line)
    assert card not in shown
    assert "1 to confirm, oldest first" in canbao("list").output
    number = world.scalar("SELECT agreement_no FROM withholding_agreements")

    alone = canbao("confirm", number, "--by", "s1024", typed=(card,))
    assert (alone.exit_code, "SECOND_PERSON_REQUIRED" in alone.output) == (1, True)
    second = canbao("confirm", number, "--by", "S2048", typed=(card,))
    assert (second.exit_code, second.output.splitlines()[-1]) == (0, "confirmed")
    for verb, *more in (("suspend", "--why", "CARD_LOST"), ("resume",), ("end",)):
        done = canbao(verb, number, "--by", "S1024", *more)
        assert done.exit_code == 0, done.output
    assert world.scalar("SELECT state FROM withholding_agreements") == "TERMINATED"


def test_what_was_recorded_wrongly_is_refused(canbao, world):
    account = a_signer(world, region="320400", miniprogram=WECHAT, agreed=())
    given = (*numbers_of(world, account), a_card())
    assert "BANK_NOT_LISTED" in record(canbao, given, bank="NOBANK").output
    record(canbao, given)
    number = world.scalar("SELECT agreement_no FROM withholding_agreements")

    assert canbao("refuse", number, "--by", "S1024").output.splitlines()[-1] == "refused"
    assert "AGREEMENT_NOT_WAITING" in canbao("refuse", number, "--by", "S1024").output


def test_no_command_takes_a_name_or_a_card_on_its_line():
    options = {option.name for command in agreements.commands.values() for option in command.params}

    assert options == {"by", "region", "insurance", "bank", "signed_on", "activated", "bank_number", "agreement_no", "why"}
    assert {
        option.name
        for command in agreements.commands.values()
        for option in command.params
        if isinstance(option, click.Argument)
    } == {"agreement_no"}
