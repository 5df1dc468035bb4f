"""Debit batches at the console: what each bank was told and said, line by line, and what in its files waits for a person."""

from __future__ import annotations

import pytest

from models.staff import StaffRole
from services.debit_batches import list_batches, list_lines
from tests.console.browser import Browser, member
from tests.console.test_console_money import file_of, name_of
from tests.debiting import RUN, WAY, DebitWorld
from tests.doors.house import House
from tests.money_desk import a_bank_fault, a_batch


@pytest.fixture
def house(ports, tmp_path, clock):
    world = DebitWorld(ports, tmp_path)
    yield House(ports=world.ports, world=world, clock=clock, doors=("console",))
    world.store.close()


@pytest.fixture
def accountant(house) -> Browser:
    member(house.ports, "S5001", StaffRole.ACCOUNTANT)
    return Browser.of(house, "S5001")


def test_a_run_is_followed_from_the_batch_to_the_line_and_on_to_the_payment(house):
    house.world.payer()
    house.world.payer()
    house.world.at(RUN)
    house.world.run()
    member(house.ports, "S5001", StaffRole.ACCOUNTANT)
    accountant = Browser.of(house, "S5001")
    [(payment_no,), _] = house.world.rows("SELECT payment_no FROM payments ORDER BY id")

    accountant.get("/debits")
    assert "已全部回盘" in accountant.shown.text
    [batch] = [link for link in accountant.shown.links() if link.startswith("/console/debits/")]
    accountant.get(batch.removeprefix("/console"))
    assert accountant.shown.text.count("扣款成功") >= 2
    lines = file_of(accountant.get(f"{batch.removeprefix('/console')}/export"))
    assert [line[1] for line in lines[2:-1]] == ["扣款成功", "扣款成功"]
    accountant.get(batch.removeprefix("/console"))
    [payment] = [link for link in accountant.shown.links() if payment_no in link]
    accountant.get(payment.removeprefix("/console"))
    assert "银行批量扣款" in accountant.shown.text
    assert "第1笔，扣款成功" in accountant.shown.text


def test_no_card_is_told_beyond_its_last_digits(house):
    _, agreement_id, _ = house.world.payer()
    house.world.at(RUN)
    house.world.run()
    member(house.ports, "S5001", StaffRole.ACCOUNTANT)
    accountant = Browser.of(house, "S5001")
    [(batch_id,)] = house.world.rows("SELECT id FROM debit_batches")
    card = house.world.card(agreement_id)

    for path in (f"/debits/{batch_id}", f"/debits/{batch_id}/export"):
        text = accountant.get(path).get_data(as_text=True)
        assert card[-4:] in text
        assert card not in text
    assert name_of(accountant.get(f"/debits/{batch_id}/export")).endswith(f"{WAY}-2026-11-25-1.csv")


def test_what_waits_for_a_person_is_dealt_with_once_and_the_other_is_told(house, accountant):
    fault_id = a_bank_fault(house.world, what="<b>合计</b>")
    accountant.get("/")
    assert "1 项待办" in accountant.shown.text
    accountant.get("/debits")
    assert "未报送过的一笔" in accountant.shown.text
    assert "<b>" not in accountant.get(f"/debits/faults/{fault_id}").get_data(as_text=True)

    assert accountant.post(f"/debits/faults/{fault_id}/resolution", words="好").status_code == 422
    assert accountant.post(f"/debits/faults/{fault_id}/resolution", words="银行已重新回盘").status_code == 303
    accountant.get(f"/debits/faults/{fault_id}")
    accountant.get("/account")
    assert accountant.post(f"/debits/faults/{fault_id}/resolution", words="银行已重新回盘").status_code == 409
    assert "银行已重新回盘" in accountant.shown.text
    accountant.get("/debits")
    assert "没有等待处理的问题" in accountant.shown.text


def test_batches_follow_each_other_and_only_those_of_ones_own_banks(house, ports):
    mine = [a_batch(house.world) for _ in range(5)]
    a_batch(house.world, "650000")
    seen, before = [], None
    with ports.begin() as session:
        while True:
            rows, before = list_batches(session, ways={"debit-icbc-320400"}, before=before, limit=2)
            seen += [row.id for row in rows]
            if before is None:
                break
        assert list_batches(session, ways=set()) == ([], None)
        assert list_lines(session, batch_id=mine[0]) == ([], None)

    assert seen == mine[::-1]
