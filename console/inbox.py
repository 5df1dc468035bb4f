"""The inbox: notices that a person has to look at, what each means and what to do, and the word that it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import request

from console import money_words as told
from console.csv_files import csv_file, figure
from console.money import accounts_of, asked, asked_uuid, my_accounts, scope_of_account
from console.pages import ACCOUNTANTS, field, go, me, page, ports, show, show_again
from console.words import moment
from services import inbox, parked_notices
from services.errors import BusinessError, NotFound
from services.parked_notices import WantedNotices

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    from flask import Response

    from services.ports import Ports
    from services.staff import Scope, StaffView

ONE: Final = "/inbox/<uuid:notice_id>"
SECTION: Final = "list_notices"
DONE: Final = {"resolved": "已登记处理结果。", "again": "已放回入账队列，稍后请查看结果。"}
OUTCOMES: Final = tuple(inbox.NEXT_STEPS)
COLUMNS: Final = (
    "收到时间", "情况", "金额（元）", "币种", "商户账户", "商户单号", "渠道单号", "通知编号", "下一步", "处理时间", "处理结果",
)  # fmt: skip
AT_ONCE: Final = 500


def scope_of_notice(ports: Ports, *, notice_id: uuid.UUID) -> Scope:
    """Raises NotFound."""
    return scope_of_account(ports, parked_notices.account_of(ports, notice_id=notice_id))


def waiting(ports: Ports, staff: StaffView) -> int:
    return sum(parked_notices.count_waiting(ports, accounts=accounts_of(ports, staff)).values())


@page("/inbox", roles=ACCOUNTANTS, nav="待处理通知", waiting=waiting)
def list_notices() -> str:
    wanted = _wanted()
    rows, onward = parked_notices.list_parked(ports(), wanted=wanted, accounts=my_accounts(), place=asked_uuid("place"))
    return show(
        "inbox.html",
        rows=rows,
        wanted=wanted,
        counts=parked_notices.count_waiting(ports(), accounts=my_accounts()),
        outcomes=OUTCOMES,
        kept=_kept(wanted),
        is_later_page="place" in request.args,
        onward=onward,
        told=told,
        done=DONE.get(asked("done")),
    )


@page("/inbox/export", roles=ACCOUNTANTS, section=SECTION)
def export_notices() -> Response:
    wanted = _wanted()
    name = "已处理通知" if wanted.resolved else "待处理通知"
    return csv_file(
        name, columns=COLUMNS, rows=_rows(ports(), my_accounts(), wanted), remark=told.of(told.OUTCOMES, wanted.outcome)
    )


@page(ONE, roles=ACCOUNTANTS, scope=scope_of_notice, section=SECTION)
def read_notice(notice_id: uuid.UUID) -> str:
    return show("notice.html", **_shown(notice_id), done=DONE.get(asked("done")))


@page(f"{ONE}/resolution", roles=ACCOUNTANTS, methods=("POST",), scope=scope_of_notice, section=SECTION)
def resolve_notice(notice_id: uuid.UUID) -> Any:
    try:
        inbox.resolve(ports(), notice_id=str(notice_id), reason=field("reason"), who=me().number)
    except BusinessError as fault:
        return _again(notice_id, fault, resolving=field("reason"))
    return go("list_notices", done="resolved")


@page(f"{ONE}/again", roles=ACCOUNTANTS, methods=("POST",), scope=scope_of_notice, section=SECTION)
def settle_notice_again(notice_id: uuid.UUID) -> Any:
    try:
        inbox.settle_again(ports(), notice_id=str(notice_id), reason=field("again_reason"), who=me().number)
    except BusinessError as fault:
        return _again(notice_id, fault, again=field("again_reason"))
    return go("read_notice", notice_id=notice_id, done="again")


def _again(notice_id: uuid.UUID, fault: BusinessError, **given: str) -> Any:
    if isinstance(fault, NotFound):
        raise fault
    return show_again("notice.html", fault, **_shown(notice_id, **given), done=None)


def _shown(notice_id: uuid.UUID, *, resolving: str = "", again: str = "") -> dict[str, Any]:
    seen = parked_notices.read_notice(ports(), notice_id=notice_id)
    return {"seen": seen, "told": told, "given": {"reason": resolving, "again_reason": again}}


def _wanted() -> WantedNotices:
    outcome = asked("outcome")
    return WantedNotices(outcome=outcome if outcome in OUTCOMES else None, resolved=asked("part") == "resolved")


def _kept(wanted: WantedNotices) -> dict[str, str]:
    kept = {"outcome": wanted.outcome or "", "part": "resolved" if wanted.resolved else ""}
    return {name: value for name, value in kept.items() if value}


def _rows(ports: Ports, accounts: frozenset[str] | None, wanted: WantedNotices) -> Iterator[tuple[Any, ...]]:
    place = None
    while True:
        rows, place = parked_notices.list_parked(ports, wanted=wanted, accounts=accounts, place=place, limit=AT_ONCE)
        for row in rows:
            yield (
                moment(row.received_at), told.of(told.OUTCOMES, row.outcome), figure(_sum(row)), row.currency,
                row.merchant_account, row.payment_no, row.provider_payment_no, row.notification_id, row.next_step,
                moment(row.resolved_at) if row.resolved_at else "", row.resolution,
            )  # fmt: skip
        if place is None:
            return


def _sum(row: parked_notices.NoticeView) -> int | None:
    return row.amount_fen if row.refund_fen is None else row.refund_fen
