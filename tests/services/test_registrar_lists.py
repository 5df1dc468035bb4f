"""The registrar's return file: confirmed months are posted, and what it says too early waits for the tax authority's word."""

from __future__ import annotations

from datetime import date

import pytest

from providers.bills import BillDamaged
from services import list_folder
from services.authority_lists import read_registrar_list, read_tax_list
from services.reconciliation import open_differences
from tests.authority_files import a_file, line_of
from tests.services.test_tax_lists import TREASURY, approved, paid


def answer(folder, *lines, **more):
    return a_file(folder, *lines, kind="REGISTRAR", **more)


def opens(ports):
    with ports.begin() as session:
        return [(each.kind, each.why) for each in open_differences(session)]


def test_a_confirmed_month_is_posted_once_and_moves_no_money(world, ports, tmp_path):
    order, [bill] = paid(world)
    read_tax_list(ports, a_file(tmp_path, line_of(world, bill)))
    file = answer(tmp_path, line_of(world, bill, on="20261123"), line_of(world, bill, on="20261123"))
    before = world.balances()

    first, again = read_registrar_list(ports, file), read_registrar_list(ports, file)

    assert (first.account, first.moved, first.known, first.differences) == ("registrar:tax-320400", 1, 1, 0)
    assert (again.moved, again.known, again.differences) == (0, 2, 0)
    assert world.bill_states() == ["POSTED"]
    [record] = world.records()
    assert (record.state, record.posted_at, record.posted_on) == ("POSTED", ports.now(), date(2026, 11, 23))
    assert world.balances() == before == {"clearing:wechat_pay:1900003204": order.total_fen, TREASURY: order.total_fen}
    assert world.rows("SELECT from_state, why FROM moves WHERE to_state = 'POSTED'") == [("TAX_CONFIRMED", "bill.posted")]


def test_a_month_that_the_tax_authority_has_not_confirmed_waits_and_goes_through_then(world, ports, tmp_path):
    """Also where both files lie in the folder, whichever came first."""
    object.__setattr__(ports, "authority_files", tmp_path)
    _, [bill] = paid(world)
    answer(tmp_path, line_of(world, bill))
    list_folder.read_what_came(ports)
    assert (opens(ports), world.bill_states()) == ([("NOT_CONFIRMED", "NOT_CONFIRMED")], ["PAID"])

    a_file(tmp_path, line_of(world, bill))
    list_folder.read_what_came(ports)

    assert (opens(ports), world.bill_states()) == ([], ["POSTED"])
    assert list(tmp_path.glob("*.csv")) == []


def test_what_the_registrar_refused_or_has_otherwise_is_told_with_its_code(world, ports, tmp_path):
    bills = [paid(world)[1][0] for _ in range(3)]
    read_tax_list(ports, a_file(tmp_path, *(line_of(world, bill) for bill in bills)))
    refused, other, fine = bills

    read_registrar_list(
        ports,
        answer(
            tmp_path,
            line_of(world, refused, reason="ACCOUNT_TYPE"),
            line_of(world, other, amount_fen=1),
            line_of(world, fine),
            line_of(world, fine, coverage_month=202512),
        ),
    )

    assert opens(ports) == [
        ("NOT_POSTED", "ACCOUNT_TYPE"),
        ("AMOUNT_DIFF", "AMOUNT_DIFF"),
        ("REGISTRAR_EXTRA", "NO_SUCH_MONTH"),
    ]
    assert world.bill_states() == ["TAX_CONFIRMED", "TAX_CONFIRMED", "POSTED"]
    again = read_registrar_list(ports, answer(tmp_path, *(line_of(world, bill) for bill in bills)))
    assert (again.moved, again.known, opens(ports)) == (2, 1, [])


def test_a_month_on_its_way_back_from_the_treasury_is_not_posted(world, ports, tmp_path):
    order, [bill] = paid(world)
    read_tax_list(ports, a_file(tmp_path, line_of(world, bill)))
    approved(world, ports, order, [bill])

    read_registrar_list(ports, answer(tmp_path, line_of(world, bill)))

    assert (opens(ports), world.bill_states()) == ([("REFUND_CROSSED", "REFUND_CROSSED")], ["REFUNDING"])


def test_neither_file_is_taken_for_the_other(world, ports, tmp_path):
    with pytest.raises(BillDamaged, match="another was asked for"):
        read_registrar_list(ports, a_file(tmp_path))
    with pytest.raises(BillDamaged, match="another was asked for"):
        read_tax_list(ports, answer(tmp_path))
