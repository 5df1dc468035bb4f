"""Each line of a result file against what was sent and what was told before: what is used, and what waits for a person. Pure."""

from __future__ import annotations

from datetime import date

import pytest

from models.debits import DebitInstruction, DebitResult, FaultKind
from providers.bank_files import BankResult, BatchKey, ResultFile, ResultLine
from services.debit_results import judge_file, judge_line

PAYMENT = "ABCDEFGHIJKLMNOPQRSTUVWX"


def line(result=BankResult.SUCCESS, **more):
    given = {
        "line": 2, "seq": 1, "amount_fen": 100, "code": "00", "result": result, "payment_no": PAYMENT, "raw": b"",
        "bank_serial": "B1" if result is BankResult.SUCCESS else None, "booked_on": date(2026, 11, 25),
    }  # fmt: skip
    return ResultLine(**{**given, **more})


def sent(state="IN_FLIGHT", serial=None):
    return DebitInstruction(seq=1, amount_fen=100, state=state, bank_serial=serial), PAYMENT


NO, UNSURE = BankResult.INSUFFICIENT_FUNDS, BankResult.BANK_TIMEOUT


@pytest.mark.parametrize(
    ("told", "held", "fault"),
    [
        (line(), sent(), None),
        (line(NO), sent(), None),
        (line(UNSURE), sent(), None),
        (line(), sent("UNKNOWN"), None),
        (line(NO), sent("UNKNOWN"), None),
        # They said no and took it all the same: that is money.
        (line(), sent("FAILED"), None),
        (line(NO), sent("FAILED"), None),
        # A success for another amount is money too, and is booked as such.
        (line(amount_fen=99), sent(), None),
        (line(), None, FaultKind.LINE_UNKNOWN),
        (line(payment_no="OTHER"), sent(), FaultKind.OTHER_PAYMENT),
        (line(None, code="zz"), sent(), FaultKind.CODE_UNKNOWN),
        (line(NO, amount_fen=99), sent(), FaultKind.OTHER_AMOUNT),
        (line(), sent("SUCCEEDED", "B1"), None),
        (line(bank_serial="B2"), sent("SUCCEEDED", "B1"), FaultKind.LINE_TWICE),
        (line(NO), sent("SUCCEEDED", "B1"), FaultKind.CONTRADICTION),
        # What is known is not unknown again.
        (line(UNSURE), sent("SUCCEEDED", "B1"), None),
    ],
)
def test_a_line_is_used_or_says_why_not(told, held, fault):
    assert judge_line(told, held) is fault


def test_of_two_lines_for_one_the_first_is_used():
    file = ResultFile(
        name="f", digest=b"", batch=BatchKey(run_day=date(2026, 11, 25), number=1), part=1, lines=(line(), line(NO, line=3))
    )

    assert [fault for _, fault in judge_file(file, {1: sent()})] == [None, FaultKind.LINE_TWICE]


def test_our_words_for_results_are_the_adapters():
    assert {str(each) for each in DebitResult} == {str(each) for each in BankResult}
