"""Reconciliation: each merchant account's days against the provider's own bill, their differences explained by two, signed and closed by two."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from flask import request

from console import money_words as told
from console.csv_files import csv_file, figure
from console.money import accounts_of, asked, asked_id, asked_month, day_of, my_accounts, neighbours, scope_of_account
from console.pages import ACCOUNTANTS, field, go, me, page, ports, show, show_again
from console.words import moment, person
from models.journal import clearing
from models.reconciliation import AskFault
from services import differences, journal_views, reconciliation, reconciliation_asking, reconciliation_views
from services.errors import BusinessError, NotFound
from services.journal_views import WantedTransfers
from services.money_scope import LISTS
from services.reconciliation_errors import ComparedMeanwhile, ExplanationChanged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Response

    from services.ports import Ports
    from services.reconciliation_views import DayView
    from services.staff import Scope, StaffView

ONE: Final = "/reconciliation/<string(maxlength=80):merchant_account>/<string(length=10):day>"
DIFFERENCE: Final = "/reconciliation/differences/<int(max=999999999999999999):difference_id>"
SECTION: Final = "list_days"
DONE: Final = {
    "asked": "已请求对账，系统会马上办理；稍后刷新本页查看结果。",
    "explained": "说明已登记，请由另一位工作人员确认。",
    "agreed": "已确认，该差异不再待办。",
    "signed": "已签字，请由另一位工作人员签结。",
    "closed": "已关账，当日不再重新对账。",
}
ASK_FAULTS: Final = {
    AskFault.NOT_READY: "对方账单尚未生成，一般在次日十点以后；系统会按时再取，也可以稍后再请求",
    AskFault.DAMAGED: "对方账单有误，其中内容一律没有采用；请联系对方重新生成后再请求",
    AskFault.NO_ANSWER: "没有取到对方账单；请稍后再请求，反复出现的，请联系系统管理员",
    AskFault.CLOSED: "请求以后当日已关账，不再重新对账",
}
OPEN: Final = "未关账"
DIFFERENCE_COLUMNS: Final = (
    "商户账户", "日期", "差异", "类别", "商户单号", "渠道单号", "退款单号", "对方金额（元）", "我方金额（元）", "币种", "发生时间", "险种", "所属期", "文件行号", "状态", "说明", "说明人",
    "确认人", "处理时间", "下一步", "当日状态",
)  # fmt: skip
BOOK_COLUMNS: Final = (
    "编号", "时间", "类型", "收入（元）", "付出（元）", "对方账户", "商户单号", "账单编号", "费款所属期", "原因", "经办", "当日状态",
)  # fmt: skip
AT_ONCE: Final = 500
DIGITS_OF_A_RUN: Final = 9


def scope_of_day(ports: Ports, *, merchant_account: str, day: str) -> Scope:
    """Raises NotFound where there is no such account, or no such day."""
    wanted = day_of(day)
    if wanted is None:
        raise NotFound
    is_known = merchant_account in ports.daily_bills
    if not is_known and reconciliation_views.read_day(ports, merchant_account=merchant_account, day=wanted) is None:
        raise NotFound
    return scope_of_account(ports, merchant_account)


def scope_of_difference(ports: Ports, *, difference_id: int) -> Scope:
    """Raises NotFound."""
    merchant_account, _ = differences.day_of(ports, difference_id=difference_id)
    return scope_of_account(ports, merchant_account)


def waiting(ports: Ports, staff: StaffView) -> int:
    return reconciliation_views.count_for(ports, who=staff.who, accounts=accounts_of(ports, staff))


# --- the calendar


@page("/reconciliation", roles=ACCOUNTANTS, nav="对账", waiting=waiting)
def list_days() -> str:
    month = asked_month("month")
    still, onward = reconciliation_views.list_differences(
        ports(), is_open=True, accounts=my_accounts(), after=asked_id("after")
    )
    before, after = neighbours(month)
    return show(
        "reconciliation.html",
        calendar=reconciliation_views.read_calendar(ports(), month=month, accounts=my_accounts()),
        month=month,
        before=before,
        after=after,
        still=still,
        is_later_page="after" in request.args,
        onward=onward,
        told=told,
        done=DONE.get(asked("done")),
    )


@page("/reconciliation/differences/export", roles=ACCOUNTANTS, section=SECTION)
def export_open_differences() -> Response:
    rows = _difference_rows(ports(), accounts=my_accounts(), is_open=True)
    return csv_file("未处理差异", columns=DIFFERENCE_COLUMNS, rows=rows)


# --- one day


@page(ONE, roles=ACCOUNTANTS, scope=scope_of_day, section=SECTION)
def read_day(merchant_account: str, day: str) -> str:
    return show("reconciliation_day.html", **_shown(merchant_account, day), done=DONE.get(asked("done")))


@page(f"{ONE}/comparison", roles=ACCOUNTANTS, methods=("POST",), scope=scope_of_day, section=SECTION)
def ask_for_comparison(merchant_account: str, day: str) -> Any:
    """The worker makes it: no page waits for a provider."""
    which: dict[str, Any] = {"merchant_account": merchant_account, "day": date.fromisoformat(day)}
    try:
        reconciliation_asking.ask_for_comparison(ports(), **which, who=me().who)
    except BusinessError as fault:
        return _again(merchant_account, day, fault)
    return go("read_day", merchant_account=merchant_account, day=day, done="asked")


@page(f"{ONE}/signature", roles=ACCOUNTANTS, methods=("POST",), scope=scope_of_day, section=SECTION)
def sign_day(merchant_account: str, day: str) -> Any:
    run = field("run")
    try:
        if not (run.isascii() and run.isdigit() and len(run) <= DIGITS_OF_A_RUN):
            raise ComparedMeanwhile
        which: dict[str, Any] = {"merchant_account": merchant_account, "day": date.fromisoformat(day)}
        closed = reconciliation.sign_day(ports(), **which, who=me().who, seen_run=int(run))
    except BusinessError as fault:
        return _again(merchant_account, day, fault)
    return go("read_day", merchant_account=merchant_account, day=day, done="closed" if closed else "signed")


@page(f"{ONE}/differences", roles=ACCOUNTANTS, scope=scope_of_day, section=SECTION)
def export_day_differences(merchant_account: str, day: str) -> Response:
    """The day's differences; of a day still open the file says so, in its name, its first line and every row."""
    standing = _standing(_read(merchant_account, day))
    rows = _difference_rows(ports(), merchant_account=merchant_account, day=date.fromisoformat(day), standing=standing)
    return csv_file(_name("对账差异", merchant_account, day, standing), columns=DIFFERENCE_COLUMNS, rows=rows, remark=standing)


@page(f"{ONE}/books", roles=ACCOUNTANTS, scope=scope_of_day, section=SECTION)
def export_day_books(merchant_account: str, day: str) -> Response:
    """What our books moved in that account on that day, to lay beside the provider's bill."""
    standing = _standing(_read(merchant_account, day))
    rows = _book_rows(ports(), clearing(*merchant_account.split(":", 1)), date.fromisoformat(day), standing)
    return csv_file(_name("账面明细", merchant_account, day, standing), columns=BOOK_COLUMNS, rows=rows, remark=standing)


# --- one difference


@page(f"{DIFFERENCE}/explanation", roles=ACCOUNTANTS, methods=("POST",), scope=scope_of_difference, section=SECTION)
def explain_difference(difference_id: int) -> Any:
    """By the first of the two; or by the second, who knows better."""
    try:
        differences.explain_difference(ports(), difference_id=difference_id, words=field("words"), who=me().who)
    except BusinessError as fault:
        return _again_of(difference_id, fault)
    return _back(difference_id, "explained")


@page(f"{DIFFERENCE}/agreement", roles=ACCOUNTANTS, methods=("POST",), scope=scope_of_difference, section=SECTION)
def agree_to_difference(difference_id: int) -> Any:
    """By the second of the two, to the words that they were shown."""
    try:
        seen = _moment(field("seen"))
        differences.agree_to_difference(ports(), difference_id=difference_id, who=me().who, seen=seen)
    except BusinessError as fault:
        return _again_of(difference_id, fault)
    return _back(difference_id, "agreed")


def _moment(text: str) -> datetime:
    """Raises ExplanationChanged for what no page of ours said."""
    try:
        seen = datetime.fromisoformat(text)
    except ValueError:
        raise ExplanationChanged from None
    if seen.tzinfo is None:
        raise ExplanationChanged
    return seen


def _back(difference_id: int, done: str) -> Any:
    merchant_account, day = differences.day_of(ports(), difference_id=difference_id)
    return go("read_day", merchant_account=merchant_account, day=day.isoformat(), done=done)


def _again_of(difference_id: int, fault: BusinessError) -> Any:
    if isinstance(fault, NotFound):
        raise fault
    merchant_account, day = differences.day_of(ports(), difference_id=difference_id)
    return _again(merchant_account, day.isoformat(), fault, words={difference_id: field("words")})


# --- what a day's page shows


def _again(merchant_account: str, day: str, fault: BusinessError, *, words: dict[int, str] | None = None) -> Any:
    if isinstance(fault, NotFound):
        raise fault
    return show_again("reconciliation_day.html", fault, **_shown(merchant_account, day, words=words), done=None)


def _read(merchant_account: str, day: str) -> DayView | None:
    return reconciliation_views.read_day(ports(), merchant_account=merchant_account, day=date.fromisoformat(day))


def _shown(merchant_account: str, day: str, *, words: dict[int, str] | None = None) -> dict[str, Any]:
    which: dict[str, Any] = {"merchant_account": merchant_account, "day": date.fromisoformat(day)}
    still, onward = reconciliation_views.list_differences(ports(), **which, is_open=True, after=asked_id("after"))
    kind = merchant_account.partition(":")[0]
    settled, _ = reconciliation_views.list_differences(ports(), **which, is_open=False)
    return {
        "seen": _read(merchant_account, day),
        "merchant_account": merchant_account,
        "day": which["day"],
        "still": still,
        "settled": settled,
        "onward": onward,
        "is_later_page": "after" in request.args,
        "words_given": words or {},
        "clearing": clearing(*merchant_account.split(":", 1)),
        "is_list": kind in LISTS,
        "may_be_asked": reconciliation_asking.may_be_asked(ports(), **which),
        "ask_faults": ASK_FAULTS,
        "is_registrars": kind == "registrar",
        "told": told,
    }


# --- files


def _standing(seen: DayView | None) -> str:
    return "已关账" if seen is not None and seen.state == "CLOSED" else OPEN


def _name(what: str, merchant_account: str, day: str, standing: str) -> str:
    name = f"{what}-{merchant_account.replace(':', '-')}-{day}"
    return f"{name}-{OPEN}" if standing == OPEN else name


def _difference_rows(ports: Ports, *, standing: str = OPEN, **wanted: Any) -> Iterator[tuple[Any, ...]]:
    after = None
    while True:
        rows, after = reconciliation_views.list_differences(ports, **wanted, after=after, limit=AT_ONCE)
        for row in rows:
            yield (
                row.merchant_account, row.day, told.of(told.DIFFERENCES, row.kind), told.of(told.SUBJECTS, row.subject),
                row.payment_no, row.provider_payment_no, row.refund_key, figure(row.bill_fen), figure(row.our_fen), row.currency,
                moment(row.happened_at), row.insurance_type, told.month(row.coverage_month) if row.coverage_month else "", row.line, told.standing(row), row.resolution, person(row.explained_by) if row.explained_by else "",
                person(row.resolved_by) if row.resolved_by else "", moment(row.resolved_at) if row.resolved_at else "",
                row.next_step if row.is_open else "", standing,
            )  # fmt: skip
        if after is None:
            return


def _book_rows(ports: Ports, account: str, day: date, standing: str) -> Iterator[tuple[Any, ...]]:
    before = None
    while True:
        found = journal_views.list_transfers(
            ports, wanted=WantedTransfers(account=account, since=day, until=day), before=before, limit=AT_ONCE
        )
        for row in found.rows:
            came = row.debit_account == account
            yield (
                row.id, moment(row.at), told.of(told.KINDS, row.kind), figure(row.amount_fen if came else None),
                figure(None if came else row.amount_fen), row.credit_account if came else row.debit_account, row.payment_no,
                row.bill_no, told.month(row.coverage_month) if row.coverage_month else "", told.of(told.REASONS, row.reason), person(row.who), standing,
            )  # fmt: skip
        before = found.older
        if before is None:
            return
