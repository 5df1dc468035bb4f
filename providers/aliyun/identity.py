"""Do a name, an ID number and a phone belong together, and whose bank card is this? Asked of Alibaba Cloud's identity service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from providers.aliyun.line import refuse
from providers.protocols import CardAnswer, CardVerdict, NameVerdict, ProviderUnreachable

if TYPE_CHECKING:
    from providers.aliyun.line import AliyunLine
    from providers.protocols import RealName

PACKAGE = "alibabacloud_cloudauth20190307"
ENDPOINT = "https://cloudauth.aliyuncs.com"
SUCCESS = "200"
VERDICTS = {"1": NameVerdict.MATCH, "2": NameVerdict.MISMATCH, "3": NameVerdict.NO_RECORD}
BAD_PARAMETERS = frozenset({"400", "401"})
"""What was asked cannot be answered as it stands: a malformed ID number, say."""
CARD_PASSED = "101"
CARD_UNSUPPORTED = frozenset({"301", "303"})
CARD_UNAVAILABLE = frozenset({"302", "305", "306"})
"""Could not verify, or asked too often: nothing was said about the person."""


class AliyunNames:
    """A NameProvider. Resident ID cards, and residence permits for people from Hong Kong, Macao and Taiwan."""

    def __init__(self, *, line: AliyunLine) -> None:
        self._line = line

    def __repr__(self) -> str:
        return "AliyunNames(***)"

    def check(self, person: RealName, *, phone: str | None) -> NameVerdict:
        """With a phone all three must belong together. Raises ProviderUnreachable, ProviderRefused."""
        asked = {"user_name": person.name, "identify_num": person.id_number, "param_type": "normal"}
        if phone is None:
            told = self._line.ask("id_2meta_verify", "Id2MetaVerifyRequest", **asked)
        else:
            told = self._line.ask("mobile_3meta_simple_verify", "Mobile3MetaSimpleVerifyRequest", **asked, mobile=phone)
        verdict = VERDICTS.get(str(result_of(told).biz_code))
        if verdict is None:
            raise ProviderUnreachable("aliyun: answered without a verdict")
        return verdict


class AliyunCards:
    """A CardProvider: name, ID number, card, and the phone that the bank knows (四要素)."""

    def __init__(self, *, line: AliyunLine) -> None:
        self._line = line

    def __repr__(self) -> str:
        return "AliyunCards(***)"

    def check(self, person: RealName, *, card_number: str, phone: str) -> CardAnswer:
        told = result_of(
            self._line.ask(
                "bank_meta_verify",
                "BankMetaVerifyRequest",
                bank_card=card_number,
                user_name=person.name,
                identify_num=person.id_number,
                mobile=phone,
                product_type="BANK_CARD_4_META",
                verify_mode="VERIFY_BANK_CARD",
                param_type="normal",
            )
        )
        code = str(told.sub_code or "")
        biz = str(told.biz_code)
        if biz == "1" and code == CARD_PASSED:
            return CardAnswer(verdict=CardVerdict.MATCH, provider_code=code)
        if code in CARD_UNSUPPORTED:
            return CardAnswer(verdict=CardVerdict.UNSUPPORTED, provider_code=code)
        if code in CARD_UNAVAILABLE or biz == "3":
            return CardAnswer(verdict=CardVerdict.UNAVAILABLE, provider_code=code)
        if biz == "2":
            return CardAnswer(verdict=CardVerdict.MISMATCH, provider_code=code)
        raise ProviderUnreachable("aliyun: answered without a verdict")


def result_of(body: Any) -> Any:
    """The ResultObject of an answer that says 200. Raises ProviderRefused, ProviderUnreachable."""
    code = str(body.code or "")
    if code != SUCCESS:
        refuse(code, int(code) if code.isascii() and code.isdigit() else None, "no code", for_good=BAD_PARAMETERS)
    if body.result_object is None:
        raise ProviderUnreachable("aliyun: answered without a result")
    return body.result_object
