"""Result files of a bank in any order, some twice, some never, some only halfway clear: the books end as the bank's own ledger has them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from sandbox import bank_files
from tests.debiting import RUN, UNIT, WAY, DebitWorld

LINES = 3
TRUTHS = ("success", "insufficient", "frozen")
_parts = itertools.count(1)

# Each file: which lines it tells, and of each whether it says what is so or that nobody knows yet.
FILES = st.lists(
    st.lists(st.tuples(st.integers(0, LINES - 1), st.booleans()), min_size=1, max_size=LINES, unique_by=lambda each: each[0]),
    max_size=5,
)


@pytest.fixture
def world(ports, tmp_path):
    world = DebitWorld(ports, tmp_path)
    yield world
    world.store.close()


def a_batch(world: DebitWorld) -> list[tuple[Any, ...]]:
    """A run of its own with three new people: (batch, line, payment number, amount)."""
    world.at(RUN)
    for _ in range(LINES):
        world.payer()
    with world.ports.begin() as session:
        session.execute(text("DELETE FROM debit_runs"))  # each example is a day of its own
    world.make()
    world.exchange()
    return world.rows(
        "SELECT b.number, i.seq, p.payment_no, i.amount_fen FROM debit_instructions i JOIN debit_batches b ON b.id = i.batch_id"
        " JOIN payments p ON p.id = i.payment_id WHERE b.id = (SELECT max(id) FROM debit_batches) ORDER BY i.seq"
    )


def lands(world: DebitWorld, batch: list[tuple[Any, ...]], truth: list[str], told: list[tuple[int, bool]]) -> None:
    details = []
    for at, is_clear in told:
        _, seq, payment_no, fen = batch[at]
        result = truth[at] if is_clear else "timeout"
        success = result == "success"
        details.append(
            {
                "seq": seq, "amount_fen": fen, "code": bank_files.CODES["delimited"][result], "reason": "", "memo": payment_no,
                "serial": f"S{payment_no}" if success else "", "booked_on": f"{RUN:%Y%m%d}" if success else "",
            }
        )  # fmt: skip
    good = [each["amount_fen"] for each in details if each["serial"]]
    number, part = batch[0][0], next(_parts) % 99 + 1
    head = {
        "unit": UNIT, "contract": f"DK{UNIT}", "batch": number, "date": f"{RUN:%Y%m%d}", "part": part, "count": len(details),
        "total_fen": sum(each["amount_fen"] for each in details), "ok_count": len(good), "ok_total_fen": sum(good),
    }  # fmt: skip
    name = f"{UNIT}_{RUN:%Y%m%d}_{number:04d}_ret{part:02d}.txt"
    bank_files.leave(world.folder / WAY / "in" / name, bank_files.compose("delimited", "ret", head, details))


@given(data=st.data())
@settings(max_examples=12)
def test_files_in_any_order_twice_or_never_end_in_the_banks_own_books(world, data):
    truth = data.draw(st.lists(st.sampled_from(TRUTHS), min_size=LINES, max_size=LINES))
    files = data.draw(FILES)
    before = world.clearing().get(f"bank_debit:{UNIT}", 0)
    batch = a_batch(world)

    for told in data.draw(st.permutations(files + files[:2])):
        lands(world, batch, truth, told)
        world.exchange()
    # What nobody told in the end, the bank tells when it is asked.
    lands(world, batch, truth, [(at, True) for at in range(LINES)])
    world.exchange()

    numbers = [payment_no for _, _, payment_no, _ in batch]
    ended = dict(
        world.rows(
            "SELECT p.payment_no, i.state FROM debit_instructions i JOIN payments p ON p.id = i.payment_id"
            " WHERE p.payment_no = ANY(:numbers)",
            numbers=numbers,
        )
    )
    assert ended == {
        number: "SUCCEEDED" if said == "success" else "FAILED" for number, said in zip(numbers, truth, strict=True)
    }
    took = sum(fen for (_, _, _, fen), said in zip(batch, truth, strict=True) if said == "success")
    assert world.clearing().get(f"bank_debit:{UNIT}", 0) == before + took
    assert world.scalar(
        "SELECT count(*) FROM notices WHERE outcome = 'PAID' AND payment_no = ANY(:numbers)", numbers=numbers
    ) == (truth.count("success"))
    assert world.faults() == []
    assert world.scalar("SELECT count(*) FROM debit_batches WHERE state <> 'ANSWERED'") == 0
    failed_and_told = world.rows(
        "SELECT account_id FROM messages WHERE template LIKE 'debit.failed%' GROUP BY 1 HAVING count(*) <> 1"
    )
    assert failed_and_told == []
