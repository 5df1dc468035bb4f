"""Sessions: sign in with the platform's code or with one by SMS, see who I am, sign out."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, DateTime, List, Nested, String
from apiflask.validators import OneOf
from marshmallow import ValidationError, validates_schema

from miniprogram_api.auth import endpoint, me, ports, token
from miniprogram_api.fields import Given, Whole, short_text
from models.accounts import Account
from services import registration, sign_in
from services.errors import (
    CodeRefused,
    PhoneMalformed,
    ProviderUnavailable,
    RegisterFirst,
    SmsCodeWrong,
    UnknownMiniprogram,
    WrongWay,
)

door = APIBlueprint("sessions", __name__, tag="Sessions")


class SignInIn(Given):
    """Either `code`, or `phone` with `sms_code`."""

    miniprogram = short_text(required=True, metadata={"example": "jiangsu-tax-wechat"})
    code = short_text(
        512, metadata={"description": "微信、支付宝：wx.login 或 my.getAuthCode 给出的一次性凭证；与 phone、sms_code 二选一"}
    )
    phone = short_text(32, metadata={"description": "APP：手机号码，与 sms_code 一起"})
    sms_code = String(validate=Whole(r"^[0-9]{6}$"), metadata={"description": "APP：短信中的6位数字"})

    @validates_schema
    def one_way(self, given: dict[str, Any], **_: Any) -> None:
        by_sms = {"phone", "sms_code"} & given.keys()
        if "code" in given and by_sms:
            raise ValidationError("Unknown field.", min(by_sms))
        if "code" not in given and len(by_sms) < len(("phone", "sms_code")):
            missing = "code" if not by_sms else "sms_code" if "phone" in by_sms else "phone"
            raise ValidationError("Missing data for required field.", missing)


class AccountOut(Schema):
    id = String(required=True)
    miniprogram = String(required=True)
    verified = Boolean(
        required=True, metadata={"description": "身份是否核验过；撤回《实名认证信息使用说明》的同意后仍为真，而按钮全部停用"}
    )
    name = String(required=True, allow_none=True, metadata={"description": "已脱敏"})
    id_number = String(required=True, allow_none=True, metadata={"description": "已脱敏"})
    phone = String(required=True, allow_none=True, metadata={"description": "已验证的手机号码，已脱敏"})
    elder_mode = Boolean(required=True)
    language = String(required=True)


class SessionOut(Schema):
    token = String(required=True)
    expires_at = DateTime(required=True)
    account = Nested(AccountOut, required=True)
    capabilities = List(String(), required=True, metadata={"description": "生效的功能按钮；未核验身份时为空"})


class MeOut(Schema):
    account = Nested(AccountOut, required=True)
    capabilities = List(String(), required=True)


class PreferencesIn(Given):
    elder_mode = Boolean(metadata={"description": "长辈版：大字体、简单用语、更长的登录时间"})
    language = String(validate=OneOf(sign_in.LANGUAGES), metadata={"description": "没有译文的内容仍用中文"})


def shown(account: Account) -> dict[str, Any]:
    """An account as its own holder sees it."""
    person = account.person
    return {
        "id": str(account.id),
        "miniprogram": account.miniprogram,
        "verified": account.person_id is not None,
        "name": person.name_masked if person else None,
        "id_number": person.id_number_masked if person else None,
        "phone": account.phone_masked,
        "elder_mode": account.elder_mode,
        "language": account.language,
    }


def session_shown(signed: sign_in.SignedIn) -> dict[str, Any]:
    """A fresh session, with its token: the only time that it is told."""
    return {
        "token": signed.token,
        "expires_at": signed.expires_at,
        "account": shown(signed.account),
        "capabilities": signed.capabilities,
    }


def me_shown(account: Account) -> dict[str, Any]:
    return {"account": shown(account), "capabilities": sign_in.capabilities_of(ports(), account)}


@door.post("/sessions")
@endpoint(
    door,
    takes=SignInIn,
    returns=SessionOut,
    status=201,
    fails=[UnknownMiniprogram, WrongWay, CodeRefused, PhoneMalformed, SmsCodeWrong, RegisterFirst, ProviderUnavailable],
    signed_in=False,
)
def create_session(given: dict[str, Any]) -> dict[str, Any]:
    """Sign in: with the platform's one-time code in a mini-program, with phone and SMS code in the app."""
    if "code" in given:
        return session_shown(sign_in.sign_in(ports(), **given))
    return session_shown(registration.sign_in_by_sms(ports(), **given))


@door.delete("/sessions/current")
@endpoint(door, status=204)
def end_session() -> tuple[str, int]:
    """Sign out."""
    sign_in.sign_out(ports(), token())
    return "", 204


@door.get("/me")
@endpoint(door, returns=MeOut)
def read_me() -> dict[str, Any]:
    """Who I am here, and which buttons are alive."""
    return me_shown(me())


@door.patch("/me/preferences")
@endpoint(door, takes=PreferencesIn, returns=MeOut)
def set_preferences(given: dict[str, Any]) -> dict[str, Any]:
    """Larger type, plainer words, longer sessions; and the language. What is left out stays as it is."""
    return me_shown(sign_in.prefer(ports(), account=me(), **given))
