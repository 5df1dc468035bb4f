"""The sandbox's banks, from the other side of the folder: they debit each line once, and answer as they are told to, rightly or wrongly."""

from __future__ import annotations

import pytest

from sandbox import bank_files, serve_in_thread
from sandbox.banks import FILE_FAULTS, Banks
from sandbox.remote import Sandbox, SandboxRefusedError
from sandbox.store import Store
from sandbox.world import WORLD

DELIMITED, FIXED = WORLD.bank_units["320400001"], WORLD.bank_units["320400003"]
BOTH = pytest.mark.parametrize("unit", [DELIMITED, FIXED], ids=lambda unit: unit.layout)
CARD = "6222021001110000016"


@pytest.fixture
def banks(tmp_path):
    store = Store(tmp_path / "home")
    yield Banks(store=store, folder=tmp_path / "banks", units=WORLD.bank_units, clock=lambda: 1_795_600_000.0)
    store.close()


def order(banks, unit, *amounts, batch=1, card=CARD):
    """A batch lies in the bank's folder."""
    head = {
        "unit": unit.unit, "contract": unit.contract, "batch": batch, "date": "20261125",
        "count": len(amounts), "total_fen": sum(amounts),
    }  # fmt: skip
    details = [
        {"seq": seq, "account": card, "name": "张三", "id_type": "01", "id_number": "320402199001010011", "amount_fen": fen,
         "agreement_no": "A1", "memo": f"PAY{batch}{seq}"}
        for seq, fen in enumerate(amounts, 1)
    ]  # fmt: skip
    put(banks, unit, f"{unit.unit}_20261125_{batch:04d}_req.txt", bank_files.compose(unit.layout, "req", head, details))


def put(banks, unit, name, content):
    bank_files.leave(banks.folder / unit.way / "out" / name, content, algorithm=unit.flag)


def told(banks, unit, name):
    return bank_files.read(unit.layout, "ret", banks.folder / unit.way / "in" / name)


def codes(unit, details):
    words = {code: word for word, code in bank_files.CODES[unit.layout].items()}
    return [(int(each["seq"]), words[each["code"]]) for each in details]


@BOTH
def test_a_batch_is_taken_debited_once_and_answered(banks, unit):
    order(banks, unit, 100, 200)

    done = banks.work()
    order(banks, unit, 100, 200)
    banks.work()

    assert done["written"] == [f"{unit.unit}_20261125_0001_ret01.txt"]
    head, details = told(banks, unit, done["written"][0])
    assert (int(head["ok_count"]), int(head["ok_total_fen"])) == (2, 300)
    assert codes(unit, details) == [(1, "success"), (2, "success")]
    assert banks.money()[f"bank_debit:{unit.unit}"] == 300
    assert list((banks.folder / unit.way / "out").iterdir()) == []


def test_cards_answer_as_they_were_told_to_and_balances_run_out(banks):
    banks.set_account("1", state="frozen")
    banks.set_account("2", balance_fen=150)
    order(banks, DELIMITED, 100, card="1")
    order(banks, DELIMITED, 100, 100, batch=2, card="2")

    banks.work()

    assert [(line["batch"], line["code"]) for line in banks.lines()] == [(1, "frozen"), (2, "success"), (2, "insufficient")]
    assert banks.money()["bank_debit:320400001"] == 100


@BOTH
def test_a_timeout_is_cleared_up_when_somebody_asks(banks, unit):
    banks.set_account(CARD, state="timeout")
    order(banks, unit, 100, 100, 100, 100)
    (name,) = banks.work()["written"]
    assert {word for _, word in codes(unit, told(banks, unit, name)[1])} == {"timeout"}

    head = {"unit": unit.unit, "contract": unit.contract, "batch": 1, "date": "20261125", "count": 4, "total_fen": 400}
    asked = [{"seq": seq, "amount_fen": 100, "memo": f"PAY1{seq}"} for seq in range(1, 5)]
    put(banks, unit, f"{unit.unit}_20261125_0001_ask01.txt", bank_files.compose(unit.layout, "ask", head, asked))
    (name,) = banks.work()["written"]

    assert name.endswith("ret02.txt")
    found = [word for _, word in codes(unit, told(banks, unit, name)[1])]
    assert set(found) == {"success", "system_error"}
    assert banks.money()[f"bank_debit:{unit.unit}"] == 100 * found.count("success")


@pytest.mark.parametrize("fault", FILE_FAULTS)
def test_after_a_bad_file_the_next_one_is_right_and_the_money_is_the_same(banks, fault):
    order(banks, DELIMITED, 100, 200)

    first = banks.work(file_fault=fault)
    banks.work()

    flagged = sorted(
        path.name for path in (banks.folder / DELIMITED.way / "in").glob("*.txt") if path.with_name(f"{path.name}.ok").exists()
    )
    seqs = {seq for name in flagged if "_9999_" not in name for seq, _ in codes(DELIMITED, told(banks, DELIMITED, name)[1])}
    assert {1, 2} <= seqs
    assert first["written"] == [] if fault == "late" else len(first["written"]) == 1
    assert banks.money()["bank_debit:320400001"] == 300


def test_money_goes_back_once_by_a_payout_and_never_more_than_came(banks):
    order(banks, DELIMITED, 100)
    banks.work()
    serial = banks.lines()[0]["serial"]

    for number, fen in (("R1", 60), ("R1", 60), ("R2", 60)):
        head = {"unit": DELIMITED.unit, "contract": DELIMITED.contract, "refund_no": number, "count": 1, "total_fen": fen}
        line = {"seq": 1, "paid_serial": serial, "amount_fen": fen, "memo": "PAY11", "reason": "退款"}
        put(banks, DELIMITED, f"{DELIMITED.unit}_{number}_pay.txt", bank_files.compose("delimited", "pay", head, [line]))
        banks.work()

    assert banks.money()["bank_debit:320400001"] == 40
    answers = {
        number: bank_files.read(
            "delimited", "paid", banks.folder / DELIMITED.way / "in" / f"{DELIMITED.unit}_{number}_paid.txt"
        )[1][0]["code"]
        for number in ("R1", "R2")
    }
    assert answers == {"R1": "00", "R2": "96"}


def test_a_file_that_is_not_as_agreed_stays_where_it_is_and_is_named(banks):
    order(banks, DELIMITED, 100)
    path = banks.folder / DELIMITED.way / "out" / "320400001_20261125_0001_req.txt"
    path.write_bytes(path.read_bytes().replace(b"|100|", b"|101|"))

    done = banks.work()

    assert [each.partition(":")[0] for each in done["refused"]] == [path.name]
    assert path.exists()


def test_by_chance_is_the_same_for_the_same_seed(banks):
    banks.misbehave_at_random(seed="7", rate=0.5)
    order(banks, DELIMITED, *[100] * 40)

    banks.work()

    failed = [line for line in banks.lines() if line["code"] != "success"]
    assert 8 < len(failed) < 32


def test_it_is_driven_over_its_control_api(home):
    with serve_in_thread(home) as running:
        driven = Sandbox(running.url)
        driven.bank_account("1", state="frozen")
        driven.banks_misbehave_at_random(seed="1", rate=0.0)

        assert driven.banks_work() == {"taken": [], "refused": [], "written": []}
        assert driven.bank_lines() == []
        assert driven.money()["bank_debit:650000001"] == 0
        for wrong in (lambda: driven.banks_work(file_fault="nonsense"), lambda: driven.bank_account("1", state="nonsense")):
            with pytest.raises(SandboxRefusedError):
                wrong()
        driven.close()
