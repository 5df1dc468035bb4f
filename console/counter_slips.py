"""缴款凭证: one of the staff copies a bank's paper, another one reads amount and serial again; what banks pay out on paper likewise."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from flask import request

from console.pages import ACCOUNTANTS, field, go, me, page, ports, show, show_again
from services import counter_refunds
from services import counter_slips as service
from services.agreement_views import banks_of
from services.counter_slip_errors import NoPayOutDue, SlipDayWrong, SlipDiffers, SlipsNotTaken
from services.counter_slip_papers import PayOutPaper, SlipPaper
from services.errors import BusinessError
from services.staff import Scope, covers, require_scope

if TYPE_CHECKING:
    from services.counter_refunds import PayOut
    from services.counter_slips import SlipView
    from services.ports import Ports
    from services.staff import StaffView

DONE: Final = {
    "recorded": "已录入，请另一位工作人员复核。",
    "approved": "已复核入账。",
    "rejected": "已退回，可以重新录入。",
}
YUAN: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?")
KEPT: Final = ("region", "bank", "serial", "months", "insurance", "yuan", "paid_on")


def scope_of_slip(ports: Ports, slip_no: str) -> Scope:
    """Raises NotFound."""
    return Scope(region=service.read_slip(ports, slip_no=slip_no).region)


def waiting_here(ports: Ports, staff: StaffView) -> list[SlipView]:
    return [each for each in service.list_slips(ports) if covers(ports, staff.scope, Scope(region=each.region))]


@page(
    "/slips",
    roles=ACCOUNTANTS,
    nav="缴款凭证",
    waiting=lambda ports, staff: sum(each.recorded_by != staff.who for each in waiting_here(ports, staff)),
)
def slips() -> str:
    return show("slips.html", done=DONE.get(request.args.get("done", "")), given=dict.fromkeys(KEPT, ""), **_lists())


@page("/slips", roles=ACCOUNTANTS, methods=("POST",), section="slips")
def record_slip() -> Any:
    """Name and number are typed again after a refusal: they stand on no page longer than they have to."""
    given = {name: field(name) for name in KEPT}
    try:
        _require_region(given["region"])
        paper = SlipPaper(
            region=given["region"],
            bank=given["bank"],
            serial=given["serial"],
            name=field("name"),
            id_number=field("id_number"),
            months=tuple(given["months"].replace("，", ",").replace(",", " ").split()),
            insurance_type=given["insurance"] or None,
            amount_fen=_fen(given["yuan"]),
            paid_on=_day(given["paid_on"]),
        )
        service.record_slip(ports(), paper=paper, by=me().number)
    except BusinessError as fault:
        return show_again("slips.html", fault, done=None, given=given, **_lists())
    return go("slips", done="recorded")


@page("/slips/pay-outs", roles=ACCOUNTANTS, methods=("POST",), section="slips")
def record_pay_out() -> Any:
    given = dict.fromkeys(KEPT, "")
    try:
        due = next((each for _, each in _due() if each.refund_no == field("refund_no")), None)
        if due is None:
            raise NoPayOutDue
        paper = PayOutPaper(
            refund_no=due.refund_no,
            bank=field("bank"),
            serial=field("serial"),
            amount_fen=_fen(field("yuan")),
            paid_on=_day(field("paid_on")),
        )
        service.record_pay_out(ports(), paper=paper, by=me().number)
    except BusinessError as fault:
        return show_again("slips.html", fault, done=None, given=given, **_lists())
    return go("slips", done="recorded")


@page("/slips/<slip_no>", roles=ACCOUNTANTS, scope=scope_of_slip, section="slips")
def read_slip(slip_no: str) -> str:
    return show("slip.html", slip=service.read_slip(ports(), slip_no=slip_no))


@page("/slips/<slip_no>/decision", roles=ACCOUNTANTS, scope=scope_of_slip, methods=("POST",), section="slips")
def decide_slip(slip_no: str) -> Any:
    """Yes by the second of the two, who reads serial and amount again; no by either."""
    try:
        if field("decision") == "REJECT":
            service.reject_slip(ports(), slip_no=slip_no, by=me().number)
            return go("slips", done="rejected")
        service.approve_slip(ports(), slip_no=slip_no, amount_fen=_fen(field("yuan")), serial=field("serial"), by=me().number)
    except BusinessError as fault:
        return show_again("slip.html", fault, slip=service.read_slip(ports(), slip_no=slip_no))
    return go("slips", done="approved")


def _require_region(region: str) -> None:
    """Raises SlipsNotTaken, OutOfScope."""
    if region not in {each.region for each in ports().partners.slips.values()}:
        raise SlipsNotTaken
    require_scope(ports(), staff=me(), scope=Scope(region=region))


def _due() -> list[tuple[str, PayOut]]:
    """What banks have to give back on paper within their scope: (region, refund)."""
    return [
        (slips.region, each)
        for way, slips in sorted(ports().partners.slips.items())
        if covers(ports(), me().scope, Scope(region=slips.region))
        for each in counter_refunds.list_pay_outs(ports(), way=way)
    ]


def _lists() -> dict[str, Any]:
    here = [each.region for each in ports().partners.slips.values() if covers(ports(), me().scope, Scope(region=each.region))]
    regions = [(code, ports().rulebook.region(code).name) for code in sorted(set(here))]
    banks = {bank.code: bank.title for code, _ in regions for bank in banks_of(ports().rulebook.region(code), ports().today())}
    return {"waiting": waiting_here(ports(), me()), "due": [each for _, each in _due()], "regions": regions, "banks": banks}


def _fen(given: str) -> int:
    """Yuan with at most two decimals. Raises SlipDiffers: what is no amount is not the paper's."""
    text = given.strip().replace(",", "")
    fen = int(Decimal(text) * 100) if YUAN.fullmatch(text) else 0
    if fen == 0:
        raise SlipDiffers(detail="金额写作1600.00，不能为零，请对照凭证录入。")
    return fen


def _day(given: str) -> date:
    """Raises SlipDayWrong."""
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise SlipDayWrong from None
