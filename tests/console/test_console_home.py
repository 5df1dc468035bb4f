"""Home as each role sees it: at a glance what waits, today's money drawn and told, and what runs by itself; and a day that is asked for."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from console.charts import HEIGHT, WIDTH, bar, columns
from models.staff import StaffRole
from services.reconciliation_asking import compare_what_was_asked
from tests.console.browser import Browser, member
from tests.money_desk import ACCOUNTS, DAY, a_day, a_difference, unclaimed
from tests.reviewing import an_application

MONEY, PARKED, DAYS, REVIEWS = "今天的钱", "待处理通知 等待", "昨天的对账", "等待审核"
PROVIDERS, SWEEPS = "渠道和服务", "后台任务"
SECTIONS = {
    StaffRole.REVIEWER: {REVIEWS},
    StaffRole.SUPERVISOR: {REVIEWS, MONEY, PARKED, DAYS, PROVIDERS, SWEEPS},
    StaffRole.ACCOUNTANT: {MONEY, PARKED, DAYS, PROVIDERS, SWEEPS},
    StaffRole.AUDITOR: set(),
    StaffRole.ADMINISTRATOR: {PROVIDERS, SWEEPS},
}
WECHATS = ACCOUNTS["320400"]


def shapes(page):
    return [attrs for tag, attrs in page.tags if tag == "rect"]


def test_each_role_sees_what_is_its_affair_and_nothing_else(house, office):
    unclaimed(house.world, fen=123456)
    an_application(house.world, due_at=house.ports.now() - timedelta(hours=1))

    for role, sections in SECTIONS.items():
        office[role].get("/")
        said = office[role].shown.text
        assert {each for each in (MONEY, PARKED, DAYS, REVIEWS, PROVIDERS, SWEEPS) if each in said} == sections, role
        assert ("1,234.56" in said) is (MONEY in sections), role
        assert ("1900003204" in said) is (MONEY in sections), f"{role}: no merchant account for those who answer for no money"
        assert ("已逾期 1 件" in said) is (REVIEWS in sections), role


def test_todays_money_is_drawn_with_a_name_and_words_and_told_in_a_table(house, office):
    world = house.world
    _, order = world.order()
    world.hear(world.paid_news(order))
    world.order()
    world.settle()
    unclaimed(world, fen=4200)
    browser = office[StaffRole.ACCOUNTANT]

    browser.get("/")

    page = browser.shown
    assert {attrs.get("class") for attrs in shapes(page)} >= {"part-settled", "part-waiting", "part-unclaimed"}
    charts = [attrs for tag, attrs in page.tags if tag == "svg" and attrs.get("role") == "img"]
    assert len(charts) == 2, "one bar of one account, and the hours"
    assert all(len(each["aria-labelledby"].split()) == 2 for each in charts)
    yuan = f"{order.total_fen / 100:,.2f}"
    assert f"收款 {(order.total_fen + 4200) / 100:,.2f} 元，待支付 {yuan} 元" in page.text
    assert f"微信支付 1900003204 {yuan} (1) {yuan} (1) — 42.00 (1) —" in page.text
    assert "最多的是 10 时" in page.text


def test_staff_of_one_region_see_the_money_days_and_applications_of_theirs_alone(house, office):
    unclaimed(house.world, fen=123456)
    unclaimed(house.world, region="650000", fen=65432100)
    an_application(house.world)
    an_application(house.world, region="650000")
    member(house.ports, "S2320", StaffRole.SUPERVISOR, region="320400")
    browser = Browser.of(house, "S2320")

    browser.get("/")

    said = browser.shown.text
    assert "1,234.56" in said
    assert "654,321.00" not in said
    assert "1900006500" not in said
    assert "等待 1 件" in said
    assert "短信" not in said, "what all regions share is counted for all of them"
    office[StaffRole.SUPERVISOR].get("/")
    assert "654,321.00" in office[StaffRole.SUPERVISOR].shown.text
    assert "等待 2 件" in office[StaffRole.SUPERVISOR].shown.text


def test_yesterday_is_told_for_each_account_and_late_sweeps_are(house, office):
    yesterday = house.ports.today() - timedelta(days=1)
    a_day(house.world, day=yesterday, state="CLOSED", signed_by="staff:S1", closed_by="staff:S2")
    a_difference(house.world, region="650000", day=yesterday)
    browser = office[StaffRole.ACCOUNTANT]

    browser.get("/")

    said = browser.shown.text
    assert "微信支付 1900003204 已关账" in said
    assert "微信支付 1900006500 1 条差异" in said
    assert "支付宝 2088003204000001 未对账" in said
    assert f"/console/reconciliation/{WECHATS}/{yesterday}" in browser.shown.links()
    assert "项任务迟到：" in said, "no worker ever ran here"
    house.clock.set(house.clock.now().replace(hour=1))
    browser = Browser.of(house, "S5001")
    browser.get("/")
    assert "支付宝 2088003204000001 未到时间 ，十点以后" in browser.shown.text


def test_a_day_is_asked_for_by_a_press_and_the_page_says_who_and_when_until_the_worker_answers(house, office):
    path, browser = f"/reconciliation/{WECHATS}/{DAY}", office[StaffRole.ACCOUNTANT]

    response = browser.send(path, f"{path}/comparison")
    assert (response.status_code, response.headers["Location"]) == (303, f"/console{path}?done=asked")
    browser.get(path)
    assert "工号 S5001 于 2026-11-21 10:00:00 请求对账，系统正在办理" in browser.shown.text
    assert f"/console{path}/comparison" not in {attrs.get("action") for tag, attrs in browser.shown.tags if tag == "form"}
    assert browser.post(f"{path}/comparison").status_code == 303, "again does no harm"
    assert house.world.scalar("SELECT runs FROM reconciliations") == 0, "no page waits for a provider"

    assert compare_what_was_asked(house.ports) == 1
    browser.get(path)
    assert "最近一次请求：工号 S5001， 2026-11-21 10:00:00 ； 2026-11-21 10:00:00 完成" in browser.shown.text
    assert (
        house.world.rows(
            "SELECT who, result, subject FROM staff_acts WHERE act = 'POST console.ask_for_comparison' ORDER BY id"
        )
        == [("staff:S5001", "DONE", f"{WECHATS}/{DAY}")] * 2
    )


def test_a_closed_day_and_a_list_have_no_button_and_refuse_the_press(house, office):
    a_day(house.world, state="CLOSED", signed_by="staff:S1", closed_by="staff:S2")
    browser = office[StaffRole.ACCOUNTANT]
    browser.get(f"/reconciliation/{WECHATS}/{DAY}")
    assert "请求对账" not in browser.shown.text

    assert (
        browser.send(f"/reconciliation/{WECHATS}/2026-11-19", f"/reconciliation/{WECHATS}/{DAY}/comparison").status_code == 409
    )
    today = house.ports.today()
    assert (
        browser.send("/reconciliation/" + WECHATS + "/2026-11-19", f"/reconciliation/{WECHATS}/{today}/comparison").status_code
        == 409
    )
    assert house.world.scalar("SELECT count(*) FROM reconciliations WHERE asked_at IS NOT NULL") == 0


# --- charts


@pytest.mark.parametrize("amounts", [[1], [1, 10**12], [5, 5, 5], [10**12, 1, 1, 1, 1], [0, 3, 0], [0, 0], [], [1] * 5])
def test_a_bar_never_runs_out_of_its_chart_and_nothing_of_it_overlaps(amounts):
    blocks = bar([(str(at), each) for at, each in enumerate(amounts)], whole=sum(amounts))

    assert [each.kind for each in blocks] == [str(at) for at, each in enumerate(amounts) if each]
    assert all(each.width >= 1 for each in blocks)
    assert all(one.x + one.width <= two.x for one, two in pairwise(blocks))
    assert not blocks or blocks[-1].x + blocks[-1].width <= WIDTH


def test_columns_stand_on_the_ground_and_the_highest_fills_the_chart():
    blocks = columns([0, 50, 100, 1, *[0] * 20], kind="settled")

    assert [each.height for each in blocks] == [50, 100, 4]
    assert all(each.y + each.height == HEIGHT for each in blocks)
    assert blocks[0].x + blocks[0].width < blocks[1].x
    assert columns([0] * 24, kind="settled") == []
