"""Who is on the phone, from WeChat: the one-time code of wx.login becomes an openid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from providers.protocols import PlatformIdentity, ProviderRefused, ProviderUnreachable
from providers.reading import Unreadable, inner, maybe_text, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from providers.wechat.open_api import WeChatOpenApi

CHINA = "86"


class WeChatLogin:
    """A LoginProvider.

    Refused for good: a code that is bad, used or too old (40029, 40163), a person WeChat blocks (40226). Refused for
    now: asked too often (45011, 45009), or our own id, secret or address is wrong. Busy (-1): unreachable.
    """

    def __init__(self, *, api: WeChatOpenApi) -> None:
        self._api = api

    def __repr__(self) -> str:
        return f"WeChatLogin({self._api.appid})"

    def sign_in(self, code: str) -> PlatformIdentity:
        """The session key that comes along is not kept: nothing of ours needs it, and it opens what phones encrypt."""
        told = self._api.ask(
            "/sns/jscode2session",
            {
                "appid": self._api.appid,
                "secret": self._api.secret,
                "js_code": code,
                "grant_type": "authorization_code",
            },
        )
        try:
            return PlatformIdentity(subject=text(told, "openid"), union_subject=maybe_text(told, "unionid"))
        except Unreadable as trouble:
            raise ProviderUnreachable(f"wechat: session without {trouble}") from None

    def phone_number(self, pressed: Mapping[str, str]) -> str:
        """The number behind the `code` of getPhoneNumber: another code than that of sign_in, good once and for five minutes.

        Raises ProviderRefused, ProviderUnreachable; FOREIGN_NUMBER is our own word for one from outside the mainland.
        """
        told = self._api.call("/wxa/business/getuserphonenumber", {"code": pressed.get("code", "")})
        try:
            phone = inner(told, "phone_info")
            made_for = text(inner(phone, "watermark"), "appid")
            country, number = text(phone, "countryCode", limit=8), text(phone, "purePhoneNumber", limit=32)
        except Unreadable as trouble:
            raise ProviderUnreachable(f"wechat: phone number without {trouble}") from None
        if made_for != self._api.appid:
            raise ProviderUnreachable("wechat: phone number made for another app")
        if country != CHINA:
            raise ProviderRefused("FOREIGN_NUMBER")
        return number
