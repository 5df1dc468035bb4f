"""Face in the app, by Alibaba Cloud (金融级实人认证, ID_PRO). Its callback only makes us ask: `Passed` of the query is the verdict."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from providers.aliyun.identity import result_of
from providers.keys import KeyFileError
from providers.protocols import BadSignature, FaceAnswer, FaceVerdict, ProviderRefused, ProviderUnreachable, StartedFaceCheck

if TYPE_CHECKING:
    from providers.aliyun.line import AliyunLine
    from providers.protocols import RealName

ORDER_NO_LENGTH = 32
VALID_FOR_SECONDS = 1800
VERDICTS = {"T": FaceVerdict.PASSED, "F": FaceVerdict.FAILED}
BASIC_HAN = range(0x4E00, 0x9FA6)
"""What every terminal can type and show; names beyond it (生僻字) need the service's own mode."""
SHORTEST_CALLBACK_TOKEN = 16
REFERENCE = re.compile(r"[!-~]{1,128}")
MOST_PARAMETERS = 16


class AliyunFace:
    """A FaceProvider for the app, whose SDK brings the device's own description (MetaInfo)."""

    name = "aliyun_face"
    asks_for_device = True

    def __init__(self, *, line: AliyunLine, scene_id: int, callback_url: str, callback_token: str) -> None:
        if len(callback_token) < SHORTEST_CALLBACK_TOKEN:
            # An empty one would open the door to everybody.
            raise KeyFileError(
                f"aliyun.face_callback_token_file: a token has {SHORTEST_CALLBACK_TOKEN} characters at least, not {len(callback_token)}"
            )
        self._line = line
        self._scene_id = scene_id
        self._callback_url = callback_url
        self._callback_token = callback_token

    def __repr__(self) -> str:
        return "AliyunFace(***)"

    def start(
        self, person: RealName, *, check_no: str, subject: str, device: str | None = None, elder: bool = False
    ) -> StartedFaceCheck:
        """`subject` is not asked for: the person is found by name and ID number. Raises ProviderRefused, ProviderUnreachable."""
        del subject
        if not device:
            raise ProviderRefused("NO_DEVICE")
        told = result_of(
            self._line.ask(
                "init_face_verify",
                "InitFaceVerifyRequest",
                scene_id=self._scene_id,
                outer_order_no=check_no.ljust(ORDER_NO_LENGTH, "0"),
                product_code="ID_PRO",
                cert_type="IDENTITY_CARD",
                cert_name=person.name,
                cert_no=person.id_number,
                meta_info=device,
                model="MOVE_ACTION",
                suitable_type="1" if elder else "0",
                rarely_characters="Y" if _has_rare_characters(person.name) else "N",
                callback_url=self._callback_url,
                callback_token=self._callback_token,
            )
        )
        if not told.certify_id:
            raise ProviderUnreachable("aliyun: face check without a CertifyId")
        reference = str(told.certify_id)
        return StartedFaceCheck(reference=reference, launch={"certifyId": reference}, valid_for_seconds=VALID_FOR_SECONDS)

    def ask(self, reference: str, person: RealName, *, check_no: str, subject: str) -> FaceAnswer:
        """Before the person has done anything there is no verdict, and it is PENDING. Raises ProviderRefused, ProviderUnreachable."""
        del person, check_no, subject
        told = result_of(
            self._line.ask("describe_face_verify", "DescribeFaceVerifyRequest", scene_id=self._scene_id, certify_id=reference)
        )
        code = str(told.sub_code or "")[:64]
        return FaceAnswer(verdict=VERDICTS.get(str(told.passed or ""), FaceVerdict.PENDING), provider_code=code)

    def open_callback(self, query: str) -> str:
        """`callbackToken`, `certifyId`, `passed`: the first is all that shows who calls, the last is not even read."""
        try:
            given = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS)
        except ValueError:
            # It cannot be read, so it cannot hold the token either.
            raise BadSignature("no_token") from None
        tokens = [value for name, value in given if name == "callbackToken"]
        if not tokens:
            raise BadSignature("no_token")
        if len(tokens) > 1 or not hmac.compare_digest(tokens[0].encode(), self._callback_token.encode()):
            raise BadSignature("wrong_token")
        references = [value for name, value in given if name == "certifyId"]
        if len(references) != 1 or REFERENCE.fullmatch(references[0]) is None:
            raise BadSignature("malformed")
        return references[0]


def _has_rare_characters(name: str) -> bool:
    return any(ord(each) not in BASIC_HAN and each != "·" for each in name)
