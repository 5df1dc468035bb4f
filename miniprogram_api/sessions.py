"""Sessions: sign in with the platform's code, see who I am, sign out."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, DateTime, List, Nested, String

from miniprogram_api.auth import endpoint, me, ports, token
from miniprogram_api.fields import Given, short_text
from models.accounts import Account
from services import sign_in
from services.errors import CodeRefused, ProviderUnavailable, UnknownMiniprogram

door = APIBlueprint("sessions", __name__, tag="Sessions")


class SignInIn(Given):
    miniprogram = short_text(required=True, metadata={"example": "jiangsu-tax-wechat"})
    code = short_text(512, required=True, metadata={"description": "wx.login 或 my.getAuthCode 给出的一次性凭证"})


class AccountOut(Schema):
    id = String(required=True)
    miniprogram = String(required=True)
    verified = Boolean(required=True)
    name = String(required=True, allow_none=True, metadata={"description": "已脱敏"})
    id_number = String(required=True, allow_none=True, metadata={"description": "已脱敏"})
    elder_mode = Boolean(required=True)


class SessionOut(Schema):
    token = String(required=True)
    expires_at = DateTime(required=True)
    account = Nested(AccountOut, required=True)
    capabilities = List(String(), required=True, metadata={"description": "生效的功能按钮；未核验身份时为空"})


class MeOut(Schema):
    account = Nested(AccountOut, required=True)
    capabilities = List(String(), required=True)


class PreferencesIn(Given):
    elder_mode = Boolean(required=True, metadata={"description": "长辈版：大字体、简单用语、更长的登录时间"})


def shown(account: Account) -> dict[str, Any]:
    """An account as its own holder sees it."""
    person = account.person
    return {
        "id": str(account.id),
        "miniprogram": account.miniprogram,
        "verified": account.person_id is not None,
        "name": person.name_masked if person else None,
        "id_number": person.id_number_masked if person else None,
        "elder_mode": account.elder_mode,
    }


@door.post("/sessions")
@endpoint(
    door,
    takes=SignInIn,
    returns=SessionOut,
    status=201,
    fails=[UnknownMiniprogram, CodeRefused, ProviderUnavailable],
    signed_in=False,
)
def create_session(given: dict[str, Any]) -> dict[str, Any]:
    """Sign in with the platform's one-time code."""
    signed = sign_in.sign_in(ports(), **given)
    return {
        "token": signed.token,
        "expires_at": signed.expires_at,
        "account": shown(signed.account),
        "capabilities": signed.capabilities,
    }


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
    return {"account": shown(me()), "capabilities": sign_in.capabilities_of(ports(), me())}


@door.patch("/me/preferences")
@endpoint(door, takes=PreferencesIn, returns=MeOut)
def set_preferences(given: dict[str, Any]) -> dict[str, Any]:
    """Larger type, plainer words, longer sessions."""
    account = sign_in.prefer(ports(), account=me(), elder_mode=given["elder_mode"])
    return {"account": shown(account), "capabilities": sign_in.capabilities_of(ports(), account)}
