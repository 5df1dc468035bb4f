"""`canbao debits …`: a run by hand, what came of it, and what waits for a person. No card stands on any screen."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app import create_app
from config.settings import Settings
from jobs.debit_commands import debits
from tests.debiting import RUN, UNIT, WAY, DebitWorld


@pytest.fixture
def world(ports, tmp_path):
    world = DebitWorld(ports, tmp_path)
    yield world
    world.store.close()


@pytest.fixture
def canbao(world, tmp_path):
    app = create_app(Settings(secrets_dir=tmp_path), doors=[], ports=world.ports)
    app.cli.add_command(debits)

    def run(*words: str):
        with app.app_context():
            return app.test_cli_runner().invoke(args=["debits", *words])

    return run


def test_a_run_by_hand_from_the_making_to_a_fault_that_somebody_resolves(canbao, world):
    _, agreement_id, (bill,) = world.payer()
    world.at(RUN - timedelta(days=1))
    assert "nothing to make" in canbao("make").output
    assert canbao("list").output == "none\n"
    assert canbao("faults").output == "none\n"

    world.at(RUN)
    assert canbao("make").output == "1 lines\n"
    assert canbao("exchange", "--way", WAY).output == "1 files\n"
    world.banks.work(file_fault="wrong_total")
    told = canbao("exchange").output
    assert "1 things wait for a person" in told
    faults = canbao("faults").output
    assert f"{UNIT}_20261125_0001_ret01.txt:1  FILE_DAMAGED  total_fen" in faults
    number = faults.split()[0]
    refused = canbao("faults", "--resolve", number, "--words", "卡6222021001110000016", "--who", "S1024")
    assert (refused.exit_code, "REASON_NEEDED" in refused.output) == (1, True)
    assert canbao("faults", "--resolve", number, "--words", "银行已重新回盘", "--who", "S1024").output == "resolved\n"

    world.banks.work()
    canbao("exchange")
    world.settle()
    listed = canbao("list").output
    assert f"{WAY}  2026-11-25 no. 1  ANSWERED  1 lines {bill.amount_fen} fen  paid 1 ({bill.amount_fen} fen)" in listed
    shown = canbao("show", listed.split()[0]).output
    assert "SUCCEEDED" in shown
    assert "booked 2026-11-25" in shown
    assert world.card(agreement_id) not in listed + shown + faults
    assert world.bill_states() == ["PAID"]


def test_what_is_asked_for_wrongly_is_said_in_words(canbao):
    assert "there is no bank nowhere; there are debit-boc-320400" in canbao("exchange", "--way", "nowhere").output
    assert "NOT_FOUND" in canbao("show", "99").output
    assert "this wants --words and --who" in canbao("faults", "--resolve", "1").output
