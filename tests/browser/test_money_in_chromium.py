"""The pages about money as people see them: by keyboard alone and without JavaScript, magnified, read by their colours; and a file that arrives."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from models.staff import StaffRole
from tests.browser.test_console_in_chromium import faint, is_wide, walk_to
from tests.money_desk import ACCOUNTS, DAY, a_bank_fault, a_batch, a_day, a_difference, a_refund, notice_of, unclaimed

if TYPE_CHECKING:
    from tests.browser.conftest import Office

pytestmark = pytest.mark.slow

DAY_PAGE = f"/console/reconciliation/{ACCOUNTS['320400']}/{DAY}"


def furnish(office: Office) -> dict[str, str]:
    """Something of everything; name of a page → its address."""
    world = office.house.world
    _, order = world.order()
    world.hear(world.paid_news(order))
    _, wrong = world.order()
    world.hear(world.paid_news(wrong, notice="N2", amount_fen=wrong.total_fen + 1))
    world.settle()
    notice = notice_of(world, unclaimed(world))
    refund_id = a_refund(world, fen=1234567)
    a_refund(world, who="staff:S5001")
    today = office.house.ports.today()
    for back in range(2, 9):
        closed = {"state": "CLOSED", "signed_by": "staff:S1", "closed_by": "staff:S2"} if back > 4 else {}
        a_day(world, day=today - timedelta(days=back), trades=1234, trade_fen=123456789, matched=1234, **closed)
    a_difference(world, our_fen=4100, kind="AMOUNT_DIFF")
    a_difference(world)
    batch_id = a_batch(world, lines=3, total_fen=360000)
    fault_id = a_bank_fault(world, batch_id=batch_id, seq=2, amount_fen=120000)
    clearing = f"clearing:{ACCOUNTS['320400']}"
    return {
        "inbox": "/console/inbox",
        "notice": f"/console/inbox/{notice.id}",
        "refunds": "/console/refunds",
        "refund": f"/console/refunds/{refund_id}",
        "refund-apply": f"/console/refunds/application?number={order.payment_no}",
        "debits": "/console/debits",
        "debit-batch": f"/console/debits/{batch_id}",
        "debit-fault": f"/console/debits/faults/{fault_id}",
        "reconciliation": f"/console/reconciliation?month={DAY:%Y-%m}",
        "reconciliation-day": DAY_PAGE,
        "journal": "/console/journal",
        "journal-left": "/console/journal/left?kind=surplus",
        "journal-account": f"/console/journal/account?account={clearing}",
        "journal-transfers": f"/console/journal/transfers?account={clearing}",
        "explain": f"/console/explain?no={order.payment_no}",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_seen_and_nothing_runs_off_the_page_at_twice_the_size(office, scheme):
    paths = furnish(office)

    with office.desk(color_scheme=scheme) as page:
        office.come_in(page, "S5001", StaffRole.ACCOUNTANT)
        office.keep(page, f"money-{scheme}-home")
        for name, path in paths.items():
            page.set_viewport_size({"width": 1280, "height": 900})
            assert page.goto(path).status == 200
            assert faint(page) == [], f"{name}, {scheme}"
            assert not is_wide(page), name
            office.keep(page, f"money-{scheme}-{name}")
            page.set_viewport_size({"width": 640, "height": 450})
            assert not is_wide(page), f"{name} at 200 %"
            if scheme == "light":
                office.keep(page, f"money-{name}-at-200-percent")


def test_two_people_explain_a_difference_and_close_the_day_by_keyboard_without_javascript(office):
    furnish(office)
    with office.desk(java_script_enabled=False) as first, office.desk(java_script_enabled=False) as second:
        office.come_in(first, "S5001", StaffRole.ACCOUNTANT)
        office.come_in(second, "S2001", StaffRole.SUPERVISOR)
        for page in (first, second):
            page.goto(DAY_PAGE)
        for _ in range(2):
            first.locator("section textarea").first.focus()
            first.keyboard.type("次日账单已有此笔")
            first.keyboard.press("Tab")
            first.keyboard.press("Enter")
            first.get_by_role("status").wait_for()
            second.reload()
            second.get_by_role("button", name="确认说明属实").first.focus()
            second.keyboard.press("Enter")
            second.get_by_role("status").wait_for()
            first.reload()
        assert second.get_by_role("status").inner_text() == "已确认，该差异不再待办。"
        for page, said in ((first, "已签字"), (second, "已关账")):
            page.goto(DAY_PAGE)
            page.get_by_role("button", name="签").focus()
            page.keyboard.press("Enter")
            assert page.get_by_role("status").inner_text().startswith(said)
        office.keep(second, "money-day-closed")

    assert office.house.world.rows("SELECT state, signed_by, closed_by FROM reconciliations WHERE day = :day", day=DAY) == [
        ("CLOSED", "staff:S5001", "staff:S2001")
    ]


def test_a_refund_is_decided_by_keyboard_alone_and_a_list_arrives_as_a_file(office):
    paths = furnish(office)
    with office.desk() as page:
        office.come_in(page, "S5001", StaffRole.ACCOUNTANT)
        page.goto(paths["refund"])
        walk_to(page, "main")
        walk_to(page, "#approve")
        page.keyboard.press("Space")
        walk_to(page, "#words")
        page.keyboard.type("已核对来源")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_role("status").wait_for()
        office.keep(page, "money-refund-approved")
        page.goto("/console/refunds?part=all")
        with page.expect_download() as arriving:
            page.get_by_role("link", name="导出CSV").click()
        assert arriving.value.suggested_filename == "退款.csv"

    assert office.house.world.scalar("SELECT count(*) FROM refunds WHERE state = 'APPROVED'") == 1
