"""Whatever order the authorities' files and a provider's bill come in, and however often, the books end alike."""

from __future__ import annotations

from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from config.clock import BEIJING
from services.authority_lists import read_registrar_list, read_tax_list
from services.reconciliation import reconcile
from tests.authority_files import a_file, line_of
from tests.services.test_reconciliation import ACCOUNT, bill, row_of
from tests.services.test_tax_lists import TREASURY, bills_of

PAID, SILENT, ELSEWHERE, WRONG = "paid here", "paid here and never told", "paid elsewhere", "told with another amount"
READERS = {"TAX": read_tax_list, "REGISTRAR": read_registrar_list}
DAYS = ("20261121", "20261122", "20261123")


@st.composite
def plays(draw):
    """People, which file has which line how often, and the order in which files and the bill are read."""
    people = draw(st.lists(st.sampled_from((PAID, SILENT, ELSEWHERE, WRONG)), min_size=2, max_size=4))
    lines = draw(st.lists(st.tuples(st.integers(0, len(people) - 1), st.sampled_from(DAYS)), max_size=6))
    return (
        people,
        draw(st.permutations([*lines, *((number, DAYS[0]) for number in range(len(people)))])),
        draw(st.lists(st.sampled_from((*((kind, day) for kind in READERS for day in DAYS), "BILL")), max_size=6)),
    )


@settings(max_examples=8)
@given(play=plays())
def test_files_and_bills_in_any_order_and_number_end_in_the_same_books(world, ports, tmp_path_factory, play):
    folder = tmp_path_factory.mktemp("files")
    people, lines, order = play
    ports.clock.set(datetime(2026, 11, 21, 10, tzinfo=BEIJING))
    before, known = world.balances(), {each.id for each in bills_of(world)}
    rows = []
    for said in people:
        if said == ELSEWHERE:
            world.bills(world.enrollment(world.person()))
            continue
        _, placed = world.order()
        rows.append(row_of(placed))
        if said != SILENT:
            world.hear(world.paid_news(placed, notice=f"N{placed.payment_no}"))
    world.settle()
    owed = [each for each in bills_of(world) if each.id not in known]
    ports.clock.move(days=3)
    bill(ports, *rows)
    made = {
        (kind, day): a_file(
            folder,
            *(
                line_of(world, owed[number], amount_fen=owed[number].amount_fen + (people[number] == WRONG))
                for number, on in lines
                if on == day
            ),
            kind=kind,
            day=day,
        )
        for kind in READERS
        for day in DAYS
    }
    for step in (*order, "BILL", *made, *made):
        if step == "BILL":
            reconcile(ports, merchant_account=ACCOUNT, day=datetime(2026, 11, 21, tzinfo=BEIJING).date())
        else:
            READERS[step[0]](ports, made[step])

    states = [each.state for each in bills_of(world) if each.id not in known]
    assert states == ["PAID" if said == WRONG else "POSTED" for said in people]
    gained = {account: fen - before.get(account, 0) for account, fen in world.balances().items()}
    assert gained.get(TREASURY, 0) == sum(each.amount_fen for each, said in zip(owed, people, strict=True) if said != WRONG)
    assert gained.get(f"clearing:{ACCOUNT}", 0) == sum(
        each.amount_fen for each, said in zip(owed, people, strict=True) if said != ELSEWHERE
    )
    assert (
        world.rows(
            "SELECT bill_id FROM transfers WHERE kind = 'CONFIRMED' GROUP BY bill_id HAVING count(*) > 1"
            " UNION ALL SELECT bill_id FROM contribution_records GROUP BY bill_id HAVING count(*) > 1"
        )
        == []
    )
