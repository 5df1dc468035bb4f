"""The money at the console: parked notices, refunds by two, days with their differences, the journal down to the payment; and what leaves as CSV."""

from __future__ import annotations

import csv
import io
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from console.csv_files import cell, figure
from models.journal import Transfer
from models.refunds import RefundReason
from models.staff import StaffRole
from providers.protocols import NewsKind
from services.refunds import RefundWish, apply_for_refund
from tests.console.browser import Browser, member
from tests.money_desk import (
    ACCOUNTS,
    DAY,
    FIRST,
    a_day,
    a_difference,
    a_notice,
    a_refund,
    notice_of,
    payment_of,
    unclaimed,
)

if TYPE_CHECKING:
    from tests.doors.house import House

ACCOUNT = ACCOUNTS["320400"]
CHANGZHOU, XINJIANG = f"/reconciliation/{ACCOUNT}/{DAY}", f"/reconciliation/{ACCOUNTS['650000']}/{DAY}"


@pytest.fixture
def accountant(house) -> Browser:
    member(house.ports, "S5001", StaffRole.ACCOUNTANT)
    return Browser.of(house, "S5001")


@pytest.fixture
def supervisor(house) -> Browser:
    """The second person."""
    member(house.ports, "S2001", StaffRole.SUPERVISOR)
    return Browser.of(house, "S2001")


def paid(house: House) -> Any:
    """An order that was paid and settled."""
    _, order = house.world.order()
    house.world.hear(house.world.paid_news(order, notice=f"N{order.payment_no}"))
    house.world.settle()
    return order


def file_of(response: Any) -> list[list[str]]:
    """The lines of a CSV, as a spreadsheet reads them."""
    assert response.status_code == 200
    return list(csv.reader(io.StringIO(response.data.decode("utf-8-sig"))))


def name_of(response: Any) -> str:
    from urllib.parse import unquote

    return unquote(response.headers["Content-Disposition"])


def row_of(house: House, table: str, *columns: str) -> tuple[Any, ...]:
    [found] = house.world.rows(f"SELECT {', '.join(columns)} FROM {table}")  # noqa: S608 - its own names
    return found


# --- parked notices


def test_a_parked_notice_is_found_with_its_next_step_and_leaves_the_list_with_words(house, accountant):
    notice = notice_of(house.world, unclaimed(house.world, fen=123456))

    accountant.get("/")
    assert "1 项待办" in accountant.shown.text
    accountant.get("/inbox")
    assert "1,234.56" in accountant.shown.text
    assert "查明来源" in accountant.shown.text
    accountant.get(f"/inbox/{notice.id}")
    assert accountant.post(f"/inbox/{notice.id}/resolution", reason="好").status_code == 422
    assert accountant.post(f"/inbox/{notice.id}/resolution", reason="已在商户平台退回").status_code == 303

    assert row_of(house, "notices", "state", "resolution") == ("PARKED", "已在商户平台退回 (S5001)")
    accountant.get("/inbox")
    assert "没有等待处理的通知" in accountant.shown.text
    accountant.get("/inbox?part=resolved")
    assert "已在商户平台退回" in accountant.shown.text


def test_of_two_who_deal_with_a_notice_one_does_and_the_other_is_told(house, accountant, supervisor):
    notice_id = a_notice(house.world)
    accountant.get(f"/inbox/{notice_id}")
    supervisor.get(f"/inbox/{notice_id}")

    assert accountant.post(f"/inbox/{notice_id}/resolution", reason="已原路退回").status_code == 303
    assert supervisor.post(f"/inbox/{notice_id}/resolution", reason="已原路退回").status_code == 409

    assert "该通知已经处理" in supervisor.shown.text
    assert "已原路退回 (S5001)" in supervisor.shown.text


def test_only_what_was_never_booked_goes_back_into_the_queue(house, accountant):
    notice_id = a_notice(house.world)
    accountant.get(f"/inbox/{notice_id}")
    assert "放回入账队列" not in accountant.shown.text
    assert accountant.post(f"/inbox/{notice_id}/again", again_reason="已清理冲突记录").status_code == 409
    house.world.scalar("UPDATE notices SET outcome = 'CONFLICT' RETURNING id")

    accountant.get(f"/inbox/{notice_id}")
    assert accountant.post(f"/inbox/{notice_id}/again", again_reason="已清理冲突记录").status_code == 303

    assert row_of(house, "notices", "state", "outcome") == ("WAITING", None)
    assert house.world.rows("SELECT why, who FROM moves WHERE noun = 'notice'") == [
        ("notice.queued_again: 已清理冲突记录", "staff:S5001")
    ]


def test_the_pages_of_the_inbox_follow_each_other_without_a_gap(house, accountant):
    for _ in range(60):
        a_notice(house.world)
    seen, path = [], "/inbox"
    while path:
        accountant.get(path)
        seen += [
            link for link in sorted(accountant.shown.links()) if link.startswith("/console/inbox/") and "export" not in link
        ]
        path = next((link.removeprefix("/console") for link in accountant.shown.links() if "place=" in link), None)

    assert len(seen) == len(set(seen)) == 60


# --- refunds


def test_one_applies_for_months_and_another_decides(house, accountant, supervisor):
    order = paid(house)
    accountant.get(f"/refunds/application?number={order.order_no}")
    [bill_no] = [each["value"] for each in accountant.shown.inputs if each.get("name") == "bill_nos"]
    wanted = {"number": order.payment_no, "reason": "NOT_ELIGIBLE", "words": "参保资格复核未通过"}
    assert accountant.post("/refunds/application", **wanted).status_code == 422
    assert accountant.post("/refunds/application", **{**wanted, "bill_nos": bill_no, "reason": "?"}).status_code == 422
    assert accountant.post("/refunds/application", **wanted, bill_nos=bill_no).status_code == 303
    assert accountant.post("/refunds/application", **wanted, bill_nos=bill_no).status_code == 409

    (refund_id,) = row_of(house, "refunds", "id")
    supervisor.get("/refunds")
    assert "1 件待审批" in supervisor.shown.text
    supervisor.get(f"/refunds/{refund_id}")
    assert "参保资格复核未通过" in supervisor.shown.text
    assert supervisor.post(f"/refunds/{refund_id}/decision", words="同意退款").status_code == 422
    assert supervisor.post(f"/refunds/{refund_id}/decision", choice="APPROVE", words="已核对材料").status_code == 303

    assert row_of(house, "refunds", "state", "applied_by", "decided_by") == ("APPROVED", "staff:S5001", "staff:S2001")
    assert house.world.rows("SELECT why FROM moves WHERE noun = 'refund'") == [("refund.approved:已核对材料",)]
    assert house.world.bill_states() == ["REFUNDING"]
    supervisor.get(f"/refunds/{refund_id}")
    assert "已核对材料" in supervisor.shown.text


def test_months_that_the_provider_paid_back_are_taken_out_of_the_books_by_two(house, accountant, supervisor):
    order = paid(house)
    back = house.world.paid_news(order, notice="BACK", kind=NewsKind.REFUNDED)
    accountant.get(f"/refunds/application?number={order.order_no}")
    assert "只冲正账目" not in accountant.shown.text
    house.world.hear(replace(back, refund_no="PLATFORM", provider_refund_no="PR", refund_fen=order.total_fen))
    house.world.settle()

    accountant.get(f"/refunds/application?number={order.order_no}")
    assert "只冲正账目" in accountant.shown.text
    [bill_no] = [each["value"] for each in accountant.shown.inputs if each.get("name") == "bill_nos"]
    wanted = {"number": order.payment_no, "reason": "NOT_ELIGIBLE", "words": "商户平台误操作退回", "went_back_already": "1"}
    assert accountant.post("/refunds/application", **wanted, bill_nos=bill_no).status_code == 303
    refund_id = house.world.scalar("SELECT id FROM refunds WHERE road = 'REVERSAL'")
    supervisor.get(f"/refunds/{refund_id}")
    assert "款项不再变动" in supervisor.shown.text
    assert supervisor.post(f"/refunds/{refund_id}/decision", choice="APPROVE", words="已核对账单").status_code == 303

    assert house.world.bill_states() == ["REFUNDED"]
    assert house.world.balances() == {}


def test_whoever_applied_does_not_decide_and_is_told_why(house, accountant):
    refund_id = a_refund(house.world, who="staff:S5001")

    accountant.get(f"/refunds/{refund_id}")
    assert "须由另一位工作人员审批" in accountant.shown.text
    assert accountant.post(f"/refunds/{refund_id}/decision", choice="APPROVE", words="已核对材料").status_code == 403

    assert "申请和审批不能是同一人" in accountant.shown.text
    assert row_of(house, "refunds", "state") == ("APPLIED",)


def test_of_two_who_decide_at_once_one_does_and_the_other_is_told(house):
    refund_id = a_refund(house.world)
    browsers = []
    for number in ("S5101", "S5102", "S5103"):
        member(house.ports, number, StaffRole.ACCOUNTANT)
        browser = Browser.of(house, number)
        browser.get(f"/refunds/{refund_id}")
        browsers.append(browser)
    told: list[int] = []

    def press(browser: Browser) -> None:
        told.append(browser.post(f"/refunds/{refund_id}/decision", choice="APPROVE", words="已核对材料").status_code)

    threads = [threading.Thread(target=press, args=(browser,)) for browser in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(told) == [303, 409, 409]
    assert house.world.scalar("SELECT count(*) FROM transfers WHERE kind = 'REFUNDING'") == 1


def test_a_sum_that_is_no_sum_is_refused(house, accountant):
    payment = payment_of(house.world, unclaimed(house.world))
    accountant.get(f"/refunds/application?number={payment.payment_no}")
    wanted = {"number": payment.payment_no, "reason": "UNCLAIMED", "words": "查无订单"}

    for amount in ("0", "-1", "1.234", "1e2", "１", "99999999999", "1,000", "0.00"):
        assert accountant.post("/refunds/application", **wanted, amount=amount).status_code == 422, amount
    assert house.world.scalar("SELECT count(*) FROM refunds") == 0


def test_more_than_is_left_is_refused_and_part_of_it_is_not(house, accountant):
    payment = payment_of(house.world, unclaimed(house.world, fen=4200))
    wanted = {"number": payment.provider_payment_no, "reason": "UNCLAIMED", "words": "查无订单"}
    accountant.get(f"/refunds/application?number={payment.provider_payment_no}")

    assert accountant.post("/refunds/application", **wanted, amount="42.01").status_code == 409
    assert accountant.post("/refunds/application", **wanted, amount="2.5").status_code == 303
    accountant.get(f"/refunds/application?number={payment.payment_no}")
    assert "可退 39.50 元" in accountant.shown.text
    assert accountant.post("/refunds/application", **wanted).status_code == 303

    assert sorted(house.world.rows("SELECT amount_fen FROM refunds")) == [(250,), (3950,)]


def test_an_unknown_number_is_told_as_such_and_answered_with_the_form(house, accountant):
    assert accountant.get("/refunds/application?number=NOBODY").status_code == 404
    assert "没有这个单号" in accountant.shown.text
    assert accountant.get("/explain?no=NOBODY").status_code == 404


def test_the_answers_of_the_treasurys_road_are_noted_step_by_step(house, accountant, supervisor):
    order = paid(house)
    house.world.scalar("UPDATE contribution_bills SET state = 'TAX_CONFIRMED' RETURNING id")
    house.world.scalar("UPDATE contribution_records SET state = 'TAX_CONFIRMED' RETURNING id")
    [(bill_no,)] = house.world.rows("SELECT bill_no FROM contribution_bills")
    wish = RefundWish(payment_no=order.payment_no, bill_nos=(bill_no,), reason=RefundReason.DEATH, words="参保人已故")
    apply_for_refund(house.ports, wish=wish, who=FIRST)
    (refund_id,) = row_of(house, "refunds", "id")
    supervisor.get(f"/refunds/{refund_id}")
    assert supervisor.post(f"/refunds/{refund_id}/step", choice="TAX_REVIEW", words="复函一号").status_code == 409
    supervisor.post(f"/refunds/{refund_id}/decision", choice="APPROVE", words="已核对材料")

    for choice in ("TAX_REVIEW", "TREASURY", "REFUNDED"):
        accountant.get(f"/refunds/{refund_id}")
        assert accountant.post(f"/refunds/{refund_id}/step", choice=choice, words="复函已收到").status_code == 303
    assert row_of(house, "refunds", "state") == ("REFUNDED",)
    accountant.get(f"/refunds/{refund_id}")
    assert "登记答复" not in accountant.shown.text


# --- days and differences


def test_a_difference_is_explained_by_one_and_agreed_to_by_another_and_then_the_day_is_signed_and_closed(
    house, accountant, supervisor
):
    difference_id = a_difference(house.world)
    accountant.get("/reconciliation?month=2026-11")
    assert "对方有、我方无" in accountant.shown.text
    accountant.get(CHANGZHOU)
    assert "签字" not in [each.strip() for each in accountant.shown.words]
    assert accountant.post(f"{CHANGZHOU}/signature", run="1").status_code == 409
    assert accountant.post(f"/reconciliation/differences/{difference_id}/explanation", words="短").status_code == 422
    words = "次日账单已有此笔"
    assert accountant.post(f"/reconciliation/differences/{difference_id}/explanation", words=words).status_code == 303
    accountant.get(CHANGZHOU)
    assert "确认说明属实" not in accountant.shown.text
    assert "您的说明等待另一位工作人员确认" in accountant.shown.text

    supervisor.get(CHANGZHOU)
    assert words in supervisor.shown.text
    [seen] = [each["value"] for each in supervisor.shown.inputs if each.get("name") == "seen"]
    agreement = f"/reconciliation/differences/{difference_id}/agreement"
    for stale in ("", "yesterday", "2026-11-20T00:00:00", "2026-11-20T00:00:00+00:00"):
        assert supervisor.post(agreement, seen=stale).status_code == 409
    assert supervisor.post(agreement, seen=seen).status_code == 303
    assert supervisor.post(agreement, seen=seen).status_code == 409

    supervisor.get(CHANGZHOU)
    assert supervisor.post(f"{CHANGZHOU}/signature", run="x").status_code == 409
    assert supervisor.post(f"{CHANGZHOU}/signature", run="1").status_code == 303
    assert supervisor.post(f"{CHANGZHOU}/signature", run="1").status_code == 403
    accountant.get(CHANGZHOU)
    assert accountant.post(f"{CHANGZHOU}/signature", run="1").status_code == 303
    assert row_of(house, "reconciliations", "state", "signed_by", "closed_by") == ("CLOSED", "staff:S2001", "staff:S5001")
    accountant.get(CHANGZHOU)
    assert "无需办理" in accountant.shown.text


def test_whoever_explained_does_not_agree(house, accountant):
    difference_id = a_difference(house.world)
    accountant.get(CHANGZHOU)
    accountant.post(f"/reconciliation/differences/{difference_id}/explanation", words="次日账单已有此笔")
    at = house.world.scalar("SELECT explained_at FROM reconciliation_differences").isoformat()

    assert accountant.post(f"/reconciliation/differences/{difference_id}/agreement", seen=at).status_code == 403
    assert house.world.scalar("SELECT resolved_at FROM reconciliation_differences") is None


def test_the_export_of_a_day_says_whether_it_is_closed(house, accountant):
    a_difference(house.world)

    still = accountant.get(f"{CHANGZHOU}/differences")
    assert "未关账" in name_of(still)
    lines = file_of(still)
    assert "未关账" in lines[0]
    assert lines[2][-1] == "未关账"
    assert lines[2][7] == "42.00"
    assert lines[-1] == ["共1行"]

    house.world.scalar(
        "UPDATE reconciliations SET state = 'CLOSED', signed_by = 'staff:S1', closed_by = 'staff:S2' RETURNING id"
    )
    for what in ("differences", "books"):
        closed = accountant.get(f"{CHANGZHOU}/{what}")
        assert "未关账" not in name_of(closed)
        assert "已关账" in file_of(closed)[0]


def test_a_day_that_was_never_compared_says_what_to_do_and_an_unknown_account_or_day_is_none(house, accountant):
    accountant.get(CHANGZHOU)
    assert "急用的，可以在下面请求立即对账" in accountant.shown.text

    for path in (
        "wechat_pay:1/2026-11-20",
        f"{ACCOUNT}/2026-13-01",
        f"{ACCOUNT}/0001-01-01",
        "x/2026-11-20",
        f"{ACCOUNT}/today",
    ):
        assert accountant.get(f"/reconciliation/{path}").status_code == 404


def test_a_day_of_an_authoritys_list_tells_month_and_line_and_what_to_do(house, accountant):
    account = "registrar:tax-320400"
    day_id = a_day(house.world, merchant_account=account)
    where = {"coverage_month": 202610, "insurance_type": "110", "line": 7, "payment_no": "", "why": "UNKNOWN_PERSON"}
    a_difference(house.world, reconciliation_id=day_id, kind="REGISTRAR_EXTRA", subject="MONTH", **where)

    accountant.get("/reconciliation?month=2026-11")
    assert "2026-10 养老，第 7 行" in accountant.shown.text
    accountant.get(f"/reconciliation/{account}/{DAY}")
    for said in ("社保有、我方无", "对方文件第 7 行", "登记后再次读入", "对方清单合计"):
        assert said in accountant.shown.text
    assert "导出账面明细" not in accountant.shown.text


def test_the_books_of_a_day_are_what_moved_in_its_account(house, accountant):
    order = paid(house)
    unclaimed(house.world, region="650000")
    day = house.ports.today()
    a_day(house.world, day=day)

    lines = file_of(accountant.get(f"/reconciliation/{ACCOUNT}/{day}/books"))

    assert [line[6] for line in lines[2:-1]] == [order.payment_no]
    assert lines[2][3] == f"{order.total_fen // 100}.{order.total_fen % 100:02d}"


# --- the journal


def test_every_figure_leads_to_its_transfers_and_on_to_the_payment(house, accountant):
    order = paid(house)
    yuan = f"{order.total_fen // 100:,}.{order.total_fen % 100:02d}"
    accountant.get("/journal")
    assert yuan in accountant.shown.text
    [account] = [link for link in accountant.shown.links() if "/journal/account?account=contributions" in link]

    accountant.get(account.removeprefix("/console"))
    today = house.ports.today().isoformat()
    assert f"本月合计 0.00 {yuan} {yuan} 1" in accountant.shown.text
    [day] = [link for link in accountant.shown.links() if f"since={today}" in link]
    accountant.get(day.removeprefix("/console"))
    assert yuan in accountant.shown.text
    [payment] = [link for link in accountant.shown.links() if "/console/explain?no=" in link]
    accountant.get(payment.removeprefix("/console"))

    text = accountant.shown.text
    for said in (order.order_no, "渠道通知", "已入账", "转账：缴费入账", "缴费记录", "基本养老保险"):
        assert said in text
    assert house.world.rows("SELECT subject FROM staff_acts ORDER BY id DESC LIMIT 1") == [(order.payment_no,)]


def test_a_providers_fee_belongs_to_its_merchant_accounts_day_and_leads_there(house, accountant, local):
    day_id = a_day(house.world)
    theirs = a_day(house.world, "650000")
    with house.ports.begin() as session:
        for account, reconciliation_id, fen in ((ACCOUNT, day_id, 77), (ACCOUNTS["650000"], theirs, 9900)):
            given = {"amount_fen": fen, "kind": "FEE", "who": "reconcile", "at": house.ports.now()}
            merchant = account.partition(":")[2]
            accounts = {"debit_account": f"fees:{merchant}", "credit_account": f"clearing:{account}"}
            session.add(Transfer(reconciliation_id=reconciliation_id, **given, **accounts))

    for path in ("/journal/transfers", f"/journal/transfers?account=clearing:{ACCOUNT}"):
        accountant.get(path)
        assert any(CHANGZHOU in link for link in accountant.shown.links()), path
    for path in ("/journal", "/journal/transfers", "/journal/account?account=fees:1900003204", "/journal/transfers/export"):
        text = local.get(path).get_data(as_text=True)
        assert "0.77" in text, path
        assert "99.00" not in text, path


def test_what_is_left_in_accounts_of_their_own_is_told_one_by_one(house, accountant):
    _, order = house.world.order()
    house.world.hear(house.world.paid_news(order, amount_fen=order.total_fen + 1))
    house.world.settle()

    accountant.get("/journal")
    assert any("/journal/left?kind=surplus" in link for link in accountant.shown.links())
    accountant.get("/journal/left?kind=surplus")
    assert order.payment_no in accountant.shown.text
    accountant.get("/journal/left?kind=refunding")
    assert "没有余额" in accountant.shown.text


def test_the_pages_of_transfers_follow_each_other_whatever_is_booked_meanwhile(house, accountant):
    for _ in range(55):
        unclaimed(house.world)
    accountant.get(f"/journal/transfers?account=clearing:{ACCOUNT}")
    unclaimed(house.world)
    [onward] = [link for link in accountant.shown.links() if "before=" in link]
    first = {link for link in accountant.shown.links() if "/explain?no=" in link}

    accountant.get(onward.removeprefix("/console"))

    second = {link for link in accountant.shown.links() if "/explain?no=" in link}
    assert (len(first), len(second), first & second) == (50, 5, set())


def test_an_account_month_carries_its_balance_over(house, accountant):
    unclaimed(house.world, fen=100)
    house.clock.move(days=31)
    accountant = Browser.of(house, "S5001")
    unclaimed(house.world, fen=23)
    month = house.ports.today().strftime("%Y-%m")

    accountant.get(f"/journal/account?account=unknown:{ACCOUNT}&month={month}")

    assert "月初余额 1.00" in accountant.shown.text
    assert "本月合计 0.00 0.23 1.23 1" in accountant.shown.text


# --- whose affair it is


@pytest.fixture
def local(house):
    """Of Changzhou alone."""
    member(house.ports, "S5201", StaffRole.ACCOUNTANT, region="320400")
    return Browser.of(house, "S5201")


def test_whoever_sees_one_region_sees_its_money_alone_in_every_list_and_file(house, local):
    mine, theirs = unclaimed(house.world), unclaimed(house.world, region="650000", fen=990000)
    a_refund(house.world)
    a_refund(house.world, "650000", fen=880000)
    a_difference(house.world)
    a_difference(house.world, "650000", bill_fen=770000)
    for path in (
        "/inbox", "/inbox/export", "/refunds?part=all", "/refunds/export?part=all", "/reconciliation?month=2026-11",
        "/reconciliation/differences/export", "/journal", "/journal/export", "/journal/transfers", "/journal/transfers/export",
        f"/journal/account?account=unknown:{ACCOUNTS['650000']}",
    ):  # fmt: skip
        response = local.get(path)
        text = response.get_data(as_text=True)
        assert response.status_code == 200
        assert "9900.00" not in text.replace(",", ""), path
        assert "8800.00" not in text.replace(",", ""), path
        assert "7700.00" not in text.replace(",", ""), path
        assert ACCOUNTS["650000"] not in text or path.endswith(ACCOUNTS["650000"]), path
    local.get("/")
    assert "2 项待办" in local.shown.text

    assert local.get(f"/explain?no={mine.provider_payment_no}").status_code == 200
    for path in (f"/explain?no={theirs.provider_payment_no}", f"/refunds/application?number={theirs.provider_payment_no}"):
        assert local.get(path).status_code == 403
    local.get("/refunds/application")
    wanted = {"number": theirs.provider_payment_no, "reason": "UNCLAIMED", "words": "查无订单"}
    assert local.post("/refunds/application", **wanted).status_code == 403


def test_an_agencys_staff_see_no_merchant_accounts_and_are_told(house):
    member(house.ports, "S5301", StaffRole.ACCOUNTANT, region="320400", agency="TIANNING")
    browser = Browser.of(house, "S5301")
    a_notice(house.world)

    browser.get("/inbox")
    assert "没有等待处理的通知" in browser.shown.text
    browser.get("/reconciliation")
    assert "管辖范围内没有商户账户" in browser.shown.text
    assert browser.get(CHANGZHOU).status_code == 403


# --- what others wrote, and what leaves the house


def test_stored_words_are_shown_as_words(house, accountant):
    news = unclaimed(house.world, payment_no="<script>alert(1)</script>\"'&", notification_id="<b>x</b>")
    difference = a_difference(house.world, payment_no="<img src=x onerror=alert(1)>", refund_key='"><svg>')

    for path in ("/inbox", f"/inbox/{notice_of(house.world, news).id}", "/reconciliation?month=2026-11", CHANGZHOU):
        html = accountant.get(path).get_data(as_text=True)
        assert "<script" not in html, path
        assert "<svg" not in html, path
        assert "<img" not in html, path
    assert difference


def test_a_file_computes_nothing_and_rounds_nothing(house, accountant):
    unclaimed(house.world, payment_no="=cmd|'/c calc'!A1", fen=500)
    unclaimed(house.world, payment_no="@SUM(1)", provider_payment_no="4200001234202611220000000001")

    lines = file_of(accountant.get("/inbox/export"))

    assert [line[5] for line in lines[2:-1]] == ["'=cmd|'/c calc'!A1", "'@SUM(1)"]
    assert [line[2] for line in lines[2:-1]] == ["5.00", "42.00"]
    assert lines[3][6] == "'4200001234202611220000000001"
    assert "工号 S5001" in lines[0]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", " =1", "＝1", "－1", "1234567890123", "12E5"])
def test_what_a_spreadsheet_would_compute_or_round_is_led_by_an_apostrophe(text):
    assert cell(text) == f"'{text}"


def test_sums_stand_in_yuan_without_losing_a_fen():
    assert [cell(figure(fen)) for fen in (0, 5, -5, 100, -123456, 10**17 + 1, None)] == [
        "0.00", "0.05", "-0.05", "1.00", "-1234.56", "1000000000000000.01", "",
    ]  # fmt: skip
    assert [cell(each) for each in (None, 7, "张三", "")] == ["", "7", "张三", ""]


def test_a_long_list_leaves_whole_in_parts(house, accountant, monkeypatch):
    monkeypatch.setattr("console.journal.AT_ONCE", 7)
    for _ in range(30):
        unclaimed(house.world)

    lines = file_of(accountant.get("/journal/transfers/export"))

    assert lines[-1] == ["共30行"]
    assert len({line[0] for line in lines[2:-1]}) == 30


def test_nonsense_in_an_address_breaks_no_list(house, accountant):
    paid(house)
    names = ("place", "after", "before", "month", "since", "until", "kind", "part", "outcome", "account", "no", "number")

    for given in ("-1", "0", "9" * 18, "9" * 40, "%F0%9F%92%B0", "a~b", "1.5", "%27%3B--", "null"):
        query = "&".join(f"{name}={given}" for name in names)
        for path in (
            "/inbox", "/inbox/export", "/refunds", "/refunds/export", "/reconciliation", CHANGZHOU, "/journal", "/journal/left",
            "/journal/account", "/journal/transfers", "/journal/transfers/export",
        ):  # fmt: skip
            assert accountant.get(f"{path}?{query}").status_code == 200, (path, given)
        assert accountant.get(f"/explain?{query}").status_code == 404
        assert accountant.get(f"/refunds/application?{query}").status_code == 404


def test_a_month_ago_is_a_month_ago_at_the_turn_of_the_year(house, accountant):
    accountant.get("/reconciliation?month=2026-01")

    links = accountant.shown.links()
    assert {"/console/reconciliation?month=2025-12", "/console/reconciliation?month=2026-02"} <= links
    assert house.ports.today() - timedelta(days=1) > DAY - timedelta(days=30)
