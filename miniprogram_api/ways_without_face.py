"""Ways without a face: one's own bank card, or a code for the counter; and what the others are, wherever one did not do."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, DateTime, List, Nested, String
from flask import g

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.fields import Given, Nothing, Whole, short_text
from services import bank_card_checks, counter_codes
from services.errors import (
    AlreadyVerified,
    CardNumberMalformed,
    ConsentRequired,
    IdempotencyKeyReused,
    NotFound,
    RealNameRequired,
    RequestInFlight,
    TooManyBankCardChecks,
    TooManyCounterCodes,
    TooManyLookups,
)

door = APIBlueprint("ways_without_face", __name__, tag="Identity")


class WayOut(Schema):
    way = String(required=True, metadata={"description": "BANK_CARD 银行卡，COUNTER 窗口，FAMILY 家人代缴"})
    title = String(required=True)
    detail = String(required=True, metadata={"description": "怎么办；不可用时说明原因"})
    hotline = String(required=True, metadata={"example": "12333"})
    available = Boolean(required=True)


class BankCardCheckIn(Given):
    card_number = short_text(40, required=True, metadata={"description": "本人名下的银行卡号，不保存"})
    phone = String(required=True, validate=Whole(r"^1[3-9][0-9]{9}$"), metadata={"description": "银行预留手机号码，不保存"})


class BankCardCheckOut(Schema):
    id = String(required=True)
    state = String(required=True, metadata={"description": "MATCHED，MISMATCHED，UNSUPPORTED，UNAVAILABLE（不计次数）"})
    card = String(required=True, attribute="card_masked", metadata={"description": "只有末四位", "example": "****0018"})
    title = String(required=True)
    detail = String(required=True)
    verification_state = String(required=True)
    ways = List(Nested(WayOut), required=True, metadata={"description": "未通过时，还可以怎么办"})


class CounterCheckOut(Schema):
    id = String(required=True)
    state = String(
        required=True, metadata={"description": "OPEN 待录入，ATTESTED 待复核，CONFIRMED，REFUSED，WITHDRAWN，EXPIRED"}
    )
    code = String(required=True, allow_none=True, metadata={"description": "给窗口工作人员看的核验码；已结束时为空"})
    expires_at = DateTime(required=True, metadata={"description": "当天18:00（北京时间），至少4小时"})
    refusal = String(required=True, allow_none=True, metadata={"description": "窗口未通过时的原因"})
    verification_state = String(required=True)
    ways = List(Nested(WayOut), required=True, metadata={"description": "尚未核验时，可以怎么办"})


@door.post("/identity/bank-card-checks")
@endpoint(
    door,
    takes=BankCardCheckIn,
    returns=BankCardCheckOut,
    status=201,
    fails=[
        CardNumberMalformed,
        ConsentRequired,
        RealNameRequired,
        AlreadyVerified,
        TooManyBankCardChecks,
        TooManyLookups,
        RequestInFlight,
        IdempotencyKeyReused,
    ],
    creates=True,
    replays=True,
)
def check_bank_card(given: dict[str, Any]) -> Any:
    """Be verified by the bank that knows name, ID number, card and phone (银行卡核验). The same key again tells the same check."""
    check = bank_card_checks.check_bank_card(ports(), account=me(), idempotency_key=g.idempotency_key, **given)
    return check, 201, {"Idempotency-Replayed": "true"} if check.replayed else {}


@door.post("/identity/counter-checks")
@endpoint(
    door,
    takes=Nothing,
    returns=CounterCheckOut,
    status=201,
    fails=[ConsentRequired, AlreadyVerified, TooManyCounterCodes],
    creates=True,
    replays=True,
)
def open_counter_check(given: dict[str, Any]) -> Any:  # noqa: ARG001 - an empty object today
    """A short code to show at the counter (窗口核验). While one is open, it is told again, whatever the key."""
    check = counter_codes.open_counter_check(ports(), account=me(), idempotency_key=g.idempotency_key)
    return check, 201, {"Idempotency-Replayed": "true"} if check.replayed else {}


@door.get("/identity/counter-checks/current")
@endpoint(door, returns=CounterCheckOut, fails=[NotFound])
def read_counter_check() -> Any:
    """Where the newest code stands, for a day."""
    return counter_codes.read_counter_check(ports(), account=me())


@door.delete("/identity/counter-checks/current")
@endpoint(door, status=204, fails=[NotFound])
def withdraw_counter_check() -> tuple[str, int]:
    """Take the open code back."""
    counter_codes.withdraw_counter_check(ports(), account=me())
    return "", 204
