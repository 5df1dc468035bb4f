"""Slips: money in a drawer that nobody reports, known to the ledger by the bank and its serial."""

import pytest

from sandbox.remote import SandboxRefusedError

SLIP = {"bank": "ICBC", "serial": "SLIP-1", "merchant": "SLIP-320400", "amount_fen": 1000}
BACK = {"merchant": "SLIP-320400", "number": "ICBC-SLIP-1", "refund_no": "R1", "amount_fen": 400}


def test_a_slip_is_in_the_drawer_once_and_goes_back_once_for_each_refund(remote):
    for _ in range(2):
        assert remote._ask("POST", "/slips", SLIP)["number"] == "ICBC-SLIP-1"
        remote_money = remote.money()["slip:SLIP-320400"]
        assert remote_money == 1000
    for _ in range(2):
        remote._ask("POST", "/slips/pay-outs", BACK)
    assert remote.money()["slip:SLIP-320400"] == 600


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        ("/slips", {**SLIP, "amount_fen": 1001}, "another amount"),
        ("/slips", {**SLIP, "serial": "SLIP-2", "amount_fen": 0}, "at least 1"),
        ("/slips/pay-outs", {**BACK, "amount_fen": 1001}, "not so much"),
        ("/slips/pay-outs", {**BACK, "number": "ICBC-NONE"}, "no slip"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_moves(remote, path, body, why):
    remote._ask("POST", "/slips", SLIP)

    with pytest.raises(SandboxRefusedError, match=why):
        remote._ask("POST", path, body)

    assert remote.money()["slip:SLIP-320400"] == 1000
