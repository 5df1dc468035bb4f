"""The journal: what stands in each account, its days, and the transfers behind any figure, each with the payment that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import request

from console import money_words as told
from console.csv_files import csv_file, figure
from console.money import asked, asked_day, asked_id, asked_month, my_accounts, neighbours
from console.pages import ACCOUNTANTS, about, page, ports, show
from console.words import moment, person
from services import journal_views
from services.journal_views import FOLDED, WantedTransfers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Response

    from services.ports import Ports

SECTION: Final = "list_accounts"
COLUMNS: Final = (
    "编号", "时间", "类型", "借方账户", "贷方账户", "金额（元）", "商户单号", "账单编号", "险种", "费款所属期", "原因", "经办",
)  # fmt: skip
BALANCE_COLUMNS: Final = ("账户", "名称", "借方合计（元）", "贷方合计（元）", "余额（元）", "笔数")
AT_ONCE: Final = 500


@page("/journal", roles=ACCOUNTANTS, nav="账簿")
def list_accounts() -> str:
    sums = journal_views.list_accounts(ports(), accounts=my_accounts())
    return show("journal.html", sums=sums, told=told, rulebook=ports().rulebook, sees_all=my_accounts() is None)


@page("/journal/export", roles=ACCOUNTANTS, section=SECTION)
def export_accounts() -> Response:
    rulebook = ports().rulebook
    rows = [
        (
            each.account,
            told.account(rulebook, each.account),
            figure(each.debit_fen),
            figure(each.credit_fen),
            figure(each.balance_fen),
            each.transfers,
        )
        for each in journal_views.list_accounts(ports(), accounts=my_accounts())
    ]
    return csv_file("账户余额", columns=BALANCE_COLUMNS, rows=rows)


@page("/journal/left", roles=ACCOUNTANTS, section=SECTION)
def list_left() -> str:
    """Of a kind with an account for each payment or refund: those in which money is left."""
    kind = asked("kind") if asked("kind") in FOLDED else FOLDED[0]
    rows, onward = journal_views.list_left(ports(), kind=kind, accounts=my_accounts(), after=asked("after"))
    return show("journal_left.html", kind=kind, rows=rows, is_later_page="after" in request.args, onward=onward, told=told)


@page("/journal/account", roles=ACCOUNTANTS, section=SECTION)
def read_account() -> str:
    """A month of one account, day by day."""
    month, account = asked_month("month"), asked("account")
    before, after = neighbours(month)
    about(account)
    return show(
        "journal_account.html",
        seen=journal_views.read_month(ports(), account=account, month=month, accounts=my_accounts()),
        title=told.account(ports().rulebook, account),
        before=before,
        after=after,
        told=told,
    )


@page("/journal/transfers", roles=ACCOUNTANTS, section=SECTION)
def list_transfers() -> str:
    wanted = _wanted()
    about(wanted.account)
    found = journal_views.list_transfers(ports(), wanted=wanted, accounts=my_accounts(), before=asked_id("before"))
    return show(
        "journal_transfers.html",
        found=found,
        wanted=wanted,
        title=told.account(ports().rulebook, wanted.account) if wanted.account else "全部账户",
        kept=_kept(wanted),
        is_later_page="before" in request.args,
        told=told,
        rulebook=ports().rulebook,
    )


@page("/journal/transfers/export", roles=ACCOUNTANTS, section=SECTION)
def export_transfers() -> Response:
    wanted = _wanted()
    about(wanted.account)
    days = f"{wanted.since or '最早'} 至 {wanted.until or ports().today()}"
    remark = f"{wanted.account or '全部账户'} {days}"
    return csv_file("转账明细", columns=COLUMNS, rows=_rows(ports(), my_accounts(), wanted), remark=remark)


def _wanted() -> WantedTransfers:
    return WantedTransfers(account=asked("account"), since=asked_day("since"), until=asked_day("until"))


def _kept(wanted: WantedTransfers) -> dict[str, str]:
    return {name: str(value) for name, value in vars(wanted).items() if value}


def _rows(ports: Ports, accounts: frozenset[str] | None, wanted: WantedTransfers) -> Iterator[tuple[Any, ...]]:
    before = None
    while True:
        found = journal_views.list_transfers(ports, wanted=wanted, accounts=accounts, before=before, limit=AT_ONCE)
        for row in found.rows:
            yield (
                row.id, moment(row.at), told.of(told.KINDS, row.kind), row.debit_account, row.credit_account,
                figure(row.amount_fen), row.payment_no, row.bill_no, row.insurance_type, told.month(row.coverage_month) if row.coverage_month else "",
                told.of(told.REASONS, row.reason), person(row.who),
            )  # fmt: skip
        before = found.older
        if before is None:
            return
