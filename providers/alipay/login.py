"""Who is on the phone, from Alipay: its one-time code becomes an id, and a real name where the app may ask for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from providers.alipay.client import SIGN_IN
from providers.alipay.phone_number import open_phone_number
from providers.protocols import PlatformIdentity, ProviderRefused, ProviderUnreachable, RealName
from providers.reading import Unreadable, maybe_text, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from providers.alipay.client import AlipayClient

RESIDENT_ID = frozenset({"0", "IDENTITY_CARD"})
LONG = 512


class AlipayLogin:
    """A LoginProvider."""

    def __init__(self, *, client: AlipayClient, with_real_name: bool = False, aes_key: bytes | None = None) -> None:
        """`with_real_name`: the app holds Alipay's special grant for name and ID number, and asks for it each time.
        `aes_key`: the app's own, for phone numbers; without it they are refused.
        """
        self._client = client
        self._aes_key = aes_key
        self._with_real_name = with_real_name

    def __repr__(self) -> str:
        return f"AlipayLogin({self._client.appid})"

    def sign_in(self, code: str) -> PlatformIdentity:
        """New apps get an open_id of their own, old ones the user's 2088… number; where both come, the first counts.

        The code is spent on the first call: should the name then fail to come, a new code is needed.
        """
        told = self._client.call(SIGN_IN, grant_type="authorization_code", code=code)
        try:
            return PlatformIdentity(
                subject=maybe_text(told, "open_id") or text(told, "user_id"),
                union_subject=maybe_text(told, "union_id"),
                real_name=self._real_name(text(told, "access_token", limit=LONG)) if self._with_real_name else None,
            )
        except Unreadable as trouble:
            raise ProviderUnreachable(f"alipay: token without {trouble}") from None

    def phone_number(self, pressed: Mapping[str, str]) -> str:
        """The number in what my.getPhoneNumber gave. Nothing is called: it is sealed for this app and signed by Alipay.

        It holds neither time nor nonce, so whoever has seen it once may show it again: it proves a number to reach, and no more.
        Raises ProviderRefused, ProviderUnreachable, BadSignature.
        """
        if self._aes_key is None:
            raise ProviderRefused("NO_AES_KEY", permanent=False)
        return open_phone_number(pressed, key=self._client.alipay_public_key, aes_key=self._aes_key)

    def _real_name(self, access_token: str) -> RealName | None:
        try:
            told = self._client.call("alipay.user.info.share", auth_token=access_token)
        except ProviderRefused:
            return None  # not granted, by Alipay or by the person: sign in all the same
        return _vouched(told)


def _vouched(told: Mapping[str, Any]) -> RealName | None:
    """Only a certified person's resident ID; the field names are Alipay's of old and may be absent or struck out."""
    name, id_number = maybe_text(told, "user_name"), maybe_text(told, "cert_no")
    is_certified = told.get("is_certified", "T") == "T" and told.get("cert_type", "0") in RESIDENT_ID
    if not (is_certified and name and id_number) or "*" in name + id_number:
        return None
    return RealName(name=name, id_number=id_number)
