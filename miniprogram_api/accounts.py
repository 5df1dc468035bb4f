"""Accounts: registering in the app by phone and SMS code, and the phone number that a platform's button proves."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Integer, String
from flask import request
from marshmallow import ValidationError, validates_schema

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.fields import Given, Whole, short_text
from miniprogram_api.sessions import MeOut, SessionOut, me_shown, session_shown
from services import phone_numbers, registration
from services.errors import (
    AlreadyRegistered,
    ConsentRequired,
    PhoneMalformed,
    PhoneNotProven,
    ProviderUnavailable,
    SmsBusy,
    SmsCodeTooSoon,
    SmsCodeWrong,
    TooManySmsCodes,
    UnknownMiniprogram,
    WrongWay,
)

door = APIBlueprint("accounts", __name__, tag="Accounts")


class SmsCodeIn(Given):
    miniprogram = short_text(required=True, metadata={"example": "changzhou-hrss-app"})
    phone = short_text(32, required=True, metadata={"description": "中国大陆手机号码，可带 +86、空格或短横"})


class SmsCodeOut(Schema):
    valid_for_seconds = Integer(required=True, metadata={"description": "验证码多久以后失效"})
    next_after_seconds = Integer(required=True, metadata={"description": "多久以后可以重新获取"})


class AccountIn(SmsCodeIn):
    sms_code = String(required=True, validate=Whole(r"^[0-9]{6}$"), metadata={"description": "短信中的6位数字"})


class PhoneIn(Given):
    """WeChat gives a code; Alipay what stood in `res.response`, member by member as it was."""

    code = short_text(512, metadata={"description": "微信 getPhoneNumber 的 code，不是 wx.login 的"})
    response = short_text(4096, metadata={"description": "支付宝 my.getPhoneNumber：res.response 里的 response"})
    sign = short_text(1024, metadata={"description": "支付宝：同上，sign"})
    sign_type = short_text(16, metadata={"description": "支付宝：同上，sign_type"})
    encrypt_type = short_text(16, metadata={"description": "支付宝：同上，encrypt_type"})
    charset = short_text(16, metadata={"description": "支付宝：同上，charset"})

    @validates_schema
    def one_platform(self, given: dict[str, Any], **_: Any) -> None:
        if not given:
            raise ValidationError("Missing data for required field.", "code")
        if "code" in given and len(given) > 1:
            raise ValidationError("Unknown field.", next(name for name in given if name != "code"))
        if "code" not in given and not {"response", "sign"} <= given.keys():
            raise ValidationError("Missing data for required field.", "sign" if "response" in given else "response")


@door.post("/sms-codes")
@endpoint(
    door,
    takes=SmsCodeIn,
    returns=SmsCodeOut,
    status=202,
    fails=[
        UnknownMiniprogram,
        WrongWay,
        PhoneMalformed,
        SmsCodeTooSoon,
        TooManySmsCodes,
        SmsBusy,
        ProviderUnavailable,
    ],
    signed_in=False,
)
def create_sms_code(given: dict[str, Any]) -> Any:
    """Send a code to a phone, for the app alone. The answer is the same whether the number has an account or not."""
    return registration.send_code(ports(), caller=request.remote_addr, **given)


@door.post("/accounts")
@endpoint(
    door,
    takes=AccountIn,
    returns=SessionOut,
    status=201,
    fails=[UnknownMiniprogram, WrongWay, PhoneMalformed, SmsCodeWrong, AlreadyRegistered],
    signed_in=False,
)
def create_account(given: dict[str, Any]) -> dict[str, Any]:
    """Register in the app and sign in (用户注册)."""
    return session_shown(registration.register(ports(), **given))


@door.post("/me/phone")
@endpoint(door, takes=PhoneIn, returns=MeOut, fails=[WrongWay, ConsentRequired, PhoneNotProven, ProviderUnavailable])
def add_phone(given: dict[str, Any]) -> dict[str, Any]:
    """Keep the number that the platform's button gave. The real-name check may then leave it out."""
    return me_shown(phone_numbers.add_phone(ports(), account=me(), pressed=given))


@door.delete("/me/phone")
@endpoint(door, status=204, fails=[WrongWay])
def remove_phone() -> tuple[str, int]:
    """Forget the number."""
    phone_numbers.remove_phone(ports(), account=me())
    return "", 204
