"""The partner API: banks whose counters query what is due, report what was paid, and fetch what goes back (docs/reference/partner-api.md).

Each request is signed by its bank and used once; each answer to an authentic one is signed by us. What is refused before that is told
nothing but that, and leaves no body in the log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from flask import Blueprint, Response, current_app, request
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from config.logs import logger
from models.counters import CounterMeans
from providers.counters.partner import CounterPartner
from providers.protocols import BadSignature, Channel
from providers.reading import Unreadable, fen, json_object, maybe_instant, text
from services import counter_payments, counter_refunds
from services.counter_payment_errors import (
    PartnerBodyMalformed,
    PartnerClockSkew,
    PartnerReplay,
    PartnerUnknown,
)
from services.counter_payments import CounterReport, beijing
from services.counter_refunds import RefundResult
from services.errors import BusinessError, Kind
from webhooks.intake import Quota, read_letter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from services.counter_payments import CounterPaymentView
    from services.ports import Ports

log = logger(__name__)

blueprint = Blueprint("bank_counters", __name__, url_prefix="/webhooks/bank-counters/<partner>")
REQUESTS: Final = Counter("canbao_partner_requests_total", "Requests of partner banks", ["partner", "operation", "result"])
STATUS: Final = {
    Kind.MALFORMED: 422,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_MANY: 429,
    Kind.UNAVAILABLE: 503,
}
BUSY: Final = {"code": "UNAVAILABLE", "title": "系统繁忙", "detail": "请稍后换随机串重试，流水号不变；是否已入账以查询为准。"}
SERIAL: Final = re.compile(r"[0-9A-Za-z-]{6,40}")
BILL_NO: Final = re.compile(r"[0-9A-Z]{24}")
SITE: Final = re.compile(r"[0-9A-Za-z-]{1,20}")
MOST_BILLS: Final = 200
Told = dict[str, Any]
Work = Callable[["Ports", str, Told, bytes], Told]
_quota = Quota()


@blueprint.post("/queries")
def queries(partner: str) -> Response:
    """What a person may pay."""
    return _serve(partner, "query", _query)


@blueprint.post("/payments")
def payments(partner: str) -> Response:
    """Somebody paid."""
    return _serve(partner, "payment", _payment)


@blueprint.get("/payments/<serial>")
def payment(partner: str, serial: str) -> Response:
    """What stands under a serial."""

    def read(ports: Ports, way: str, _: Told, __: bytes) -> Told:
        return _shown(counter_payments.read_payment(ports, way=way, serial=_matching({"serial": serial}, "serial", SERIAL)))

    return _serve(partner, "payment_status", read)


@blueprint.get("/refunds")
def refunds(partner: str) -> Response:
    """What the bank shall pay out."""
    return _serve(partner, "refunds", _refunds)


@blueprint.post("/refunds/<refund_no>/results")
def refund_result(partner: str, refund_no: str) -> Response:
    """What became of one."""

    def report(ports: Ports, way: str, told: Told, _: bytes) -> Told:
        state = counter_refunds.report_pay_out(
            ports,
            way=way,
            refund_no=_matching({"refund_no": refund_no}, "refund_no", BILL_NO),
            result=RefundResult(_one_of(told, "result", RefundResult)),
            serial=_matching(told, "serial", SERIAL),
            amount_fen=fen(told, "amount_fen"),
            at=_instant(told, "at", ports.now()),
        )
        return {"refund_no": refund_no, "state": state}

    return _serve(partner, "refund_result", report)


def _serve(partner: str, operation: str, work: Work) -> Response:
    ports: Ports = current_app.extensions["canbao.ports"]
    bank = ports.payments.get(partner)
    if not isinstance(bank, CounterPartner) or bank.channel != Channel.BANK_COUNTER or request.query_string:
        return _turned_away("-", operation, "unknown_partner")
    try:
        raw = read_letter()
        nonce = bank.open_request(
            cast("Mapping[str, str]", request.headers), raw, method=request.method, path=request.path, now=ports.now()
        )
    except BadSignature as fault:
        if fault.reason == "clock_skew":
            # It is the bank that asks, so it may know whose clock tells so.
            REQUESTS.labels(partner, operation, "refused:clock_skew").inc()
            told = _problem(PartnerClockSkew(our_time=int(ports.now().timestamp())))
            return _signed(ports, bank, told, 401, request.headers.get("Canbao-Nonce", ""))
        return _turned_away(partner, operation, fault.reason)
    told, status, result = _answer(ports, partner, nonce, work, raw)
    REQUESTS.labels(partner, operation, result).inc()
    return _signed(ports, bank, told, status, nonce)


def _answer(ports: Ports, partner: str, nonce: str, work: Work, raw: bytes) -> tuple[Told, int, str]:
    """The body, its status, and one word for whoever counts. A fault of ours is no answer about money: they ask again."""
    try:
        counter_payments.use_nonce(ports, way=partner, nonce=nonce)
        return work(ports, partner, json_object(raw) if request.method == "POST" else {}, raw), 200, "done"
    except Unreadable as fault:
        refusal: BusinessError = PartnerBodyMalformed(field=str(fault))
    except BusinessError as fault:
        refusal = fault
    except SQLAlchemyError as fault:
        log.error("partner_request.failed", partner=partner, fault=type(fault).__name__)  # noqa: TRY400 - no traceback: it holds values
        return BUSY, 503, "failed"
    if isinstance(refusal, PartnerReplay) and _quota.allows():
        log.warning("partner_request.replayed", partner=partner)
    return _problem(refusal), STATUS[refusal.kind], f"refused:{refusal.code}"


def _query(ports: Ports, way: str, told: Told, _: bytes) -> Told:
    voucher = _matching(told, "voucher_no", BILL_NO) if told.get("voucher_no") else None
    found = counter_payments.query_bills(
        ports, way=way, name=text(told, "name"), id_number=text(told, "id_number"), bill_no=voucher
    )
    return {
        "name": found.name_masked,
        "id_number": found.id_number_masked,
        "bills": [
            {
                "bill_no": each.bill_no,
                "insurance_type": each.insurance_type,
                "insurance": each.insurance_name,
                "coverage_month": each.coverage_month,
                "kind": each.kind,
                "amount_fen": each.amount_fen,
                "due_on": None if each.due.on is None else each.due.on.isoformat(),
                "state": "IN_PAYMENT" if each.is_reserved else "PAYABLE",
            }
            for each in found.bills
        ],
    }


def _payment(ports: Ports, way: str, told: Told, raw: bytes) -> Told:
    return _shown(counter_payments.take_payment(ports, way=way, report=read_report(told), raw=raw))


def read_report(told: Told) -> CounterReport:
    """The body of a report. Raises Unreadable naming the field."""
    return CounterReport(
        serial=_matching(told, "serial", SERIAL),
        name=text(told, "name"),
        id_number=text(told, "id_number"),
        bill_nos=_bill_nos(told),
        amount_fen=_positive_fen(told),
        means=CounterMeans(_one_of(told, "means", CounterMeans)),
        site=_matching(told, "site", SITE),
        taken_at=_instant(told, "taken_at", None),
        money_taken=_flag(told, "money_taken"),
    )


def _refunds(ports: Ports, way: str, _: Told, __: bytes) -> Told:
    return {
        "refunds": [
            {
                "refund_no": each.refund_no,
                "serial": each.serial,
                "amount_fen": each.amount_fen,
                "reason": each.reason,
                "ordered_at": beijing(each.ordered_at),
                "state": each.state,
            }
            for each in counter_refunds.list_pay_outs(ports, way=way)
        ]
    }


def _shown(view: CounterPaymentView) -> Told:
    return {
        "serial": view.serial,
        "state": view.state,
        "payment_no": view.payment_no,
        "amount_fen": view.amount_fen,
        "refusal": view.refusal,
    }


def _matching(told: Mapping[str, Any], name: str, shape: re.Pattern[str]) -> str:
    found = text(told, name)
    if not shape.fullmatch(found):
        raise Unreadable(name)
    return found


def _one_of(told: Told, name: str, choices: type[CounterMeans | RefundResult]) -> str:
    found = text(told, name)
    if found not in set(choices):
        raise Unreadable(name)
    return found


def _flag(told: Told, name: str) -> bool:
    found = told.get(name, False)
    if not isinstance(found, bool):
        raise Unreadable(name)
    return found


def _positive_fen(told: Told) -> int:
    found = fen(told, "amount_fen")
    if found == 0:
        raise Unreadable("amount_fen")
    return found


def _bill_nos(told: Told) -> tuple[str, ...]:
    found = told.get("bill_nos")
    if not isinstance(found, list) or not 0 < len(found) <= MOST_BILLS:
        raise Unreadable("bill_nos")
    if not all(isinstance(each, str) and BILL_NO.fullmatch(each) for each in found) or len(set(found)) != len(found):
        raise Unreadable("bill_nos")
    return tuple(found)


def _instant(told: Told, name: str, now: datetime | None) -> datetime:
    """A moment with its offset. `now`: the latest that it may be, five minutes allowed."""
    found = maybe_instant(told, name)
    if found is None or (now is not None and found > now + timedelta(minutes=5)):
        raise Unreadable(name)
    return found


def _problem(refusal: BusinessError) -> Told:
    return {"code": refusal.code, "title": refusal.title, "detail": refusal.said, **refusal.facts}


def _turned_away(partner: str, operation: str, reason: str) -> Response:
    """Not authentic. A flood of these must not become a flood of lines."""
    REQUESTS.labels(partner, operation, f"refused:{reason}").inc()
    if _quota.allows():
        log.warning("partner_request.refused", partner=partner, operation=operation, reason=reason)
    return _written(_problem(PartnerUnknown()), 401)


def _signed(ports: Ports, bank: CounterPartner, told: Told, status: int, nonce: str) -> Response:
    response = _written(told, status)
    response.headers.update(
        bank.sign_answer(response.get_data(), status=status, path=request.path, nonce=nonce, now=ports.now())
    )
    return response


def _written(told: Told, status: int) -> Response:
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status=status, content_type="application/json; charset=utf-8")


@blueprint.errorhandler(Exception)
def broken(fault: Exception) -> Response:
    """Whatever broke says nothing about money, and nothing of it belongs into the log."""
    REQUESTS.labels("-", "-", "failed").inc()
    log.error("partner_request.failed", fault=type(fault).__name__)
    return _written(BUSY, 503)
