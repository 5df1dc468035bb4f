"""WeChat's face check (人脸核身 2.0): getverifyid, wx.requestFacialVerify on the phone, queryverifyinfo. We ask; they never push."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import TYPE_CHECKING

from providers.protocols import FaceAnswer, FaceVerdict, ProviderUnreachable, RealName, StartedFaceCheck
from providers.reading import Unreadable, text

if TYPE_CHECKING:
    from providers.wechat.open_api import WeChatOpenApi

PASSED = "10000"
RESIDENT_ID = "IDENTITY_CARD"
VALID_FOR_SECONDS = 3600
# Turned away by the person (9000x), camera or microphone not allowed (90008 to 90010), agreement not given (90110).
DECLINED = frozenset({
    "90002", "90003", "90004", "90005", "90006", "90008", "90009", "90010", "90110",
})  # fmt: skip


class WeChatFace:
    """A FaceProvider. The payer is checked, under the openid that runs the mini-program."""

    name = "wechat_face"
    asks_for_device = False

    def __init__(self, *, api: WeChatOpenApi) -> None:
        self._api = api

    def __repr__(self) -> str:
        return f"WeChatFace({self._api.appid})"

    def start(
        self,
        person: RealName,
        *,
        check_no: str,
        subject: str,
        device: str | None = None,  # noqa: ARG002 (not asked)
        elder: bool = False,  # noqa: ARG002 (not asked)
    ) -> StartedFaceCheck:
        told = self._api.call(
            "/cityservice/face/identify/getverifyid",
            {
                "out_seq_no": check_no,
                "cert_info": {"cert_type": RESIDENT_ID, "cert_name": person.name, "cert_no": person.id_number},
                "openid": subject,
            },
        )
        try:
            reference = text(told, "verify_id", limit=256)
        except Unreadable as trouble:
            raise ProviderUnreachable(f"wechat: face check without {trouble}") from None
        seconds = told.get("expires_in")
        return StartedFaceCheck(
            reference=reference,
            launch={"verifyId": reference},
            valid_for_seconds=seconds if type(seconds) is int and seconds > 0 else VALID_FOR_SECONDS,
        )

    def ask(self, reference: str, person: RealName, *, check_no: str, subject: str) -> FaceAnswer:
        """That the call went well (errcode 0) says nothing about the face: only verify_ret does."""
        told = self._api.call(
            "/cityservice/face/identify/queryverifyinfo",
            {
                "verify_id": reference,
                "out_seq_no": check_no,
                "cert_hash": cert_hash(RESIDENT_ID, person.name, person.id_number),
                "openid": subject,
            },
        )
        code = told.get("verify_ret")
        if told.get("errcode") != 0 or type(code) not in {int, str, type(None)}:
            raise ProviderUnreachable("wechat: face check answered nothing to rely on")
        return _verdict("" if code is None else str(code))


def _verdict(code: str) -> FaceAnswer:
    if code == PASSED:
        verdict = FaceVerdict.PASSED
    elif code in {"", "0"}:
        verdict = FaceVerdict.PENDING  # no result yet
    elif code in DECLINED:
        verdict = FaceVerdict.DECLINED
    else:
        verdict = FaceVerdict.FAILED
    return FaceAnswer(verdict=verdict, provider_code=code[:32])


def cert_hash(cert_type: str, cert_name: str, cert_no: str) -> str:
    """Binds the question to the person who was to be checked: SHA-256 over three base64 fields, in this order."""
    parts = {"cert_type": cert_type, "cert_name": cert_name, "cert_no": cert_no}
    text = "&".join(f"{name}={b64encode(value.encode()).decode()}" for name, value in parts.items())
    return hashlib.sha256(text.encode()).hexdigest()
