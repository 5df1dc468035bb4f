"""Refunds: what waits for a decision, what is stuck, one refund with its months and steps; one of the staff applies and another decides."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from flask import request

from console import money_words as told
from console.csv_files import csv_file, figure
from console.money import accounts_of, asked, asked_id, my_accounts, require_account, scope_of_account
from console.pages import ACCOUNTANTS, about, field, go, me, page, ports, show, show_again
from console.words import moment, person
from models.refunds import Refund, RefundOrigin, RefundReason, RefundRoad, RefundState
from services import money_back, refunds
from services.errors import BusinessError, NotFound
from services.money_back import Part
from services.refund_errors import RefundAmountMalformed
from services.refunds import RefundWish
from services.staff_errors import ChoiceMissing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Response

    from services.money_back import Refundable, RefundDetail
    from services.ports import Ports
    from services.staff import Scope, StaffView

ONE: Final = "/refunds/<int(max=999999999999999999):refund_id>"
SECTION: Final = "list_refunds"
DONE: Final = {
    "applied": "已提交退款申请，请由另一位工作人员审批。",
    "approved": "已同意退款。原渠道退回的，系统会自动发送；国库退付的，请按步骤登记各方答复；冲正的，账目已经更正。",
    "rejected": "已驳回，款项仍在原账户。",
    "noted": "已登记答复。",
}
ALL: Final = "all"
AMOUNT: Final = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,2}))?")
MOST_MONTHS: Final = 200
COLUMNS: Final = (
    "申请时间", "退款单号", "状态", "金额（元）", "原因", "退回方式", "商户单号", "商户账户", "申请人", "审批人", "退回时间", "渠道回应",
)  # fmt: skip
AT_ONCE: Final = 500


def scope_of_refund(ports: Ports, *, refund_id: int) -> Scope:
    """Raises NotFound."""
    return scope_of_account(ports, money_back.account_of(ports, refund_id=refund_id))


def waiting(ports: Ports, staff: StaffView) -> int:
    return money_back.count_for(ports, who=staff.who, accounts=accounts_of(ports, staff))


# --- the list


@page("/refunds", roles=ACCOUNTANTS, nav="退款", waiting=waiting)
def list_refunds() -> str:
    part = _part()
    rows, onward = money_back.list_refunds(ports(), part=part, accounts=my_accounts(), place=asked_id("place"))
    return show(
        "refunds.html",
        rows=rows,
        part=part or ALL,
        counts=money_back.count_parts(ports(), accounts=my_accounts()),
        is_later_page="place" in request.args,
        onward=onward,
        told=told,
        done=DONE.get(asked("done")),
    )


@page("/refunds/export", roles=ACCOUNTANTS, section=SECTION)
def export_refunds() -> Response:
    part = _part()
    return csv_file(
        "退款", columns=COLUMNS, rows=_rows(ports(), my_accounts(), part), remark=told.of(told.PARTS, part) if part else "全部"
    )


def _part() -> Part | None:
    """None: all of them."""
    given = asked("part")
    if given == ALL:
        return None
    return Part(given) if given in set(Part) else Part.TO_DECIDE


def _rows(ports: Ports, accounts: frozenset[str] | None, part: Part | None) -> Iterator[tuple[Any, ...]]:
    place = None
    while True:
        rows, place = money_back.list_refunds(ports, part=part, accounts=accounts, place=place, limit=AT_ONCE)
        for row in rows:
            yield (
                moment(row.created_at), row.refund_no, told.of(told.REFUND_STATES, row.state), figure(row.amount_fen),
                told.of(told.REASONS, row.reason), told.of(told.ROADS, row.road), row.payment_no, row.merchant_account,
                person(row.applied_by) if row.applied_by else "", person(row.decided_by) if row.decided_by else "",
                moment(row.refunded_at) if row.refunded_at else "", row.fault,
            )  # fmt: skip
        if place is None:
            return


# --- applying


@page("/refunds/application", roles=ACCOUNTANTS, section=SECTION)
def apply_form() -> Any:
    number = asked("number")
    if not number:
        return show("refund_apply.html", **_form(None))
    try:
        found = _refundable(number)
    except NotFound:
        return show_again(
            "refund_apply.html",
            NotFound(detail="没有这个单号，请核对后再试；可以填商户单号、订单编号或渠道单号。"),
            **_form(None, number=number),
        )
    return show("refund_apply.html", **_form(found, number=number))


@page("/refunds/application", roles=ACCOUNTANTS, methods=("POST",), section=SECTION)
def apply_for_refund() -> Any:
    found = _refundable(field("number"))
    given = {
        "bill_nos": request.form.getlist("bill_nos")[:MOST_MONTHS],
        "amount": field("amount").strip(),
        "reason": field("reason"),
        "words": field("words"),
        "went_back_already": bool(field("went_back_already")),
    }
    try:
        refunds.apply_for_refund(ports(), wish=_wish(found, given), who=me().who)
    except NotFound:
        raise
    except BusinessError as fault:
        return show_again("refund_apply.html", fault, **_form(found, number=field("number"), given=given))
    return go("list_refunds", done="applied")


def _wish(found: Refundable, given: dict[str, Any]) -> RefundWish:
    if given["reason"] not in set(RefundReason):
        raise ChoiceMissing(detail="请选择退款原因，再提交。")
    if found.months and not given["bill_nos"]:
        raise ChoiceMissing(detail="请勾选要退的月份，再提交。")
    return RefundWish(
        payment_no=found.payment.payment_no,
        reason=RefundReason(given["reason"]),
        words=given["words"],
        bill_nos=tuple(given["bill_nos"]),
        amount_fen=_fen(given["amount"]),
        went_back_already=given["went_back_already"],
    )


def _fen(text: str) -> int | None:
    """Of what was typed in yuan; None where nothing was. Raises RefundAmountMalformed."""
    if not text:
        return None
    found = AMOUNT.fullmatch(text)
    if found is None or (fen := int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))) == 0:
        raise RefundAmountMalformed
    return fen


def _refundable(number: str) -> Refundable:
    """Raises NotFound, OutOfScope."""
    found = money_back.find_refundable(ports(), number=number.strip())
    require_account(found.payment.merchant_account)
    about(found.payment.payment_no)
    return found


def _form(found: Refundable | None, *, number: str = "", given: dict[str, Any] | None = None) -> dict[str, Any]:
    nothing = {"bill_nos": [], "amount": "", "reason": "", "words": "", "went_back_already": False}
    return {"found": found, "number": number, "given": given or nothing, "told": told, "rulebook": ports().rulebook}


# --- one refund


@page(ONE, roles=ACCOUNTANTS, scope=scope_of_refund, section=SECTION)
def read_refund(refund_id: int) -> str:
    return show("refund.html", **_shown(refund_id), done=DONE.get(asked("done")))


@page(f"{ONE}/decision", roles=ACCOUNTANTS, methods=("POST",), scope=scope_of_refund, section=SECTION)
def decide_refund(refund_id: int) -> Any:
    seen, choice = money_back.read_refund(ports(), refund_id=refund_id), field("choice")
    given = {"choice": choice, "words": field("words")}
    try:
        if choice not in ("APPROVE", "REJECT"):
            raise ChoiceMissing
        approve = choice == "APPROVE"
        refunds.decide_refund(ports(), refund_no=seen.row.refund_no, approve=approve, words=given["words"], who=me().who)
    except BusinessError as fault:
        return _again(refund_id, fault, given)
    return go("read_refund", refund_id=refund_id, done="approved" if approve else "rejected")


@page(f"{ONE}/step", roles=ACCOUNTANTS, methods=("POST",), scope=scope_of_refund, section=SECTION)
def advance_refund(refund_id: int) -> Any:
    """What registrar, tax authority or treasury answered about money that the treasury has."""
    seen, choice = money_back.read_refund(ports(), refund_id=refund_id), field("choice")
    given = {"choice": choice, "words": field("words")}
    try:
        if choice not in {str(each) for each in told.STEPS}:
            raise ChoiceMissing
        to = RefundState(choice)
        refunds.advance_refund(ports(), refund_no=seen.row.refund_no, to=to, words=given["words"], who=me().who)
    except BusinessError as fault:
        return _again(refund_id, fault, given)
    return go("read_refund", refund_id=refund_id, done="noted")


def _again(refund_id: int, fault: BusinessError, given: dict[str, str]) -> Any:
    if isinstance(fault, NotFound):
        raise fault
    return show_again("refund.html", fault, **_shown(refund_id, given), done=None)


def _shown(refund_id: int, given: dict[str, str] | None = None) -> dict[str, Any]:
    seen = money_back.read_refund(ports(), refund_id=refund_id)
    return {
        "seen": seen,
        "told": told,
        "rulebook": ports().rulebook,
        "given": given or {"choice": "", "words": ""},
        "may_decide": _may_decide(seen),
        "answers": _answers(seen),
    }


def _may_decide(seen: RefundDetail) -> bool:
    """Whether the rule of two lets this one of the staff; the decision itself asks again."""
    if seen.row.state != RefundState.APPLIED or seen.row.origin != RefundOrigin.ORDERED:
        return False
    return seen.row.applied_by != me().who or seen.row.amount_fen <= seen.one_person_may_fen


def _answers(seen: RefundDetail) -> list[tuple[str, str]]:
    """What may be noted next on the treasury's road."""
    if seen.row.road != RefundRoad.TREASURY or seen.row.state == RefundState.APPLIED:
        return []
    return [(str(to), words) for to, words in told.STEPS.items() if Refund.MOVES.allows(seen.row.state, to)]
