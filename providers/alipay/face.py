"""Alipay's face verification (datadigital.fincloud.generalsaas.face.verification.*). Nothing is pushed: we ask.

What is taken from an answer is the verdict. Scores and pictures come along, and are left lying.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from providers.protocols import FaceAnswer, FaceVerdict, ProviderRefused, ProviderUnreachable, RealName, StartedFaceCheck
from providers.reading import Unreadable, maybe_text, text

if TYPE_CHECKING:
    from providers.alipay.client import AlipayClient

API = "datadigital.fincloud.generalsaas.face.verification"
VALID_FOR_SECONDS = 3600
"""Less than they are said to allow (their page names no figure); the house gives less still."""
STATES = {"PROCESSING": FaceVerdict.PENDING, "SUCCESS": FaceVerdict.PASSED, "FAIL": FaceVerdict.FAILED}


class AlipayFace:
    """A FaceProvider."""

    name = "alipay_face"
    asks_for_device = False

    def __init__(self, *, client: AlipayClient) -> None:
        self._client = client

    def __repr__(self) -> str:
        return f"AlipayFace({self._client.appid})"

    def start(
        self,
        person: RealName,
        *,
        check_no: str,
        subject: str,  # noqa: ARG002 (not asked)
        device: str | None = None,  # noqa: ARG002 (not asked)
        elder: bool = False,  # noqa: ARG002 (not asked)
    ) -> StartedFaceCheck:
        told = self._client.call(
            f"{API}.initialize",
            {
                "outer_order_no": check_no,
                "biz_code": "DATA_DIGITAL_BIZ_CODE_FACE_VERIFICATION",
                "identity_type": "CERT_INFO",
                "cert_type": "IDENTITY_CARD",
                "cert_name": person.name,
                "cert_no": person.id_number,
            },
        )
        try:
            reference = text(told, "certify_id")
            url = maybe_text(told, "page_url", limit=2048) or text(told, "web_url", limit=2048)
        except Unreadable as trouble:
            raise ProviderUnreachable(f"alipay: face check without {trouble}") from None
        return StartedFaceCheck(
            reference=reference, launch={"certifyId": reference, "url": url}, valid_for_seconds=VALID_FOR_SECONDS
        )

    def ask(
        self,
        reference: str,
        person: RealName,  # noqa: ARG002 (they remember)
        *,
        check_no: str,  # noqa: ARG002
        subject: str,  # noqa: ARG002
    ) -> FaceAnswer:
        try:
            told = self._client.call(f"{API}.query", {"certify_id": reference, "need_alive_photo": "N"})
            state = text(told, "certify_state", limit=32)
        except ProviderRefused as refusal:
            if "EXPIRE" not in refusal.code.upper():
                raise
            return FaceAnswer(verdict=FaceVerdict.EXPIRED, provider_code=refusal.code)
        except Unreadable as trouble:
            raise ProviderUnreachable(f"alipay: face check without {trouble}") from None
        # A word we do not know is not a pass.
        return FaceAnswer(verdict=STATES.get(state, FaceVerdict.FAILED), provider_code=state)
