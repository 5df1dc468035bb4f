"""SMS by Alibaba Cloud. Signature and templates are approved by the operators beforehand; only values travel here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from providers.protocols import BAD_NUMBER, ProviderRefused, ProviderUnreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from providers.aliyun.line import AliyunLine

PACKAGE = "alibabacloud_dysmsapi20170525"
ENDPOINT = "https://dysmsapi.aliyuncs.com"
SUCCESS = "OK"
ILLEGAL_NUMBER = "isv.MOBILE_NUMBER_ILLEGAL"
FOR_GOOD = frozenset({"isv.INVALID_JSON_PARAM", "isv.TEMPLATE_PARAMS_ILLEGAL"})


class AliyunSms:
    """An SmsProvider under one signature (短信签名)."""

    def __init__(self, *, line: AliyunLine, sign_name: str, templates: Mapping[str, str]) -> None:
        self._line = line
        self._sign_name = sign_name
        self._templates = dict(templates)

    def __repr__(self) -> str:
        return "AliyunSms(***)"

    def knows(self, template: str) -> bool:
        return template in self._templates

    def send(self, phone: str, *, template: str, values: Mapping[str, str], our_id: str) -> str:
        """Their number of the message (BizId). Raises ProviderRefused, ProviderUnreachable (it may have gone out)."""
        told = self._line.ask(
            "send_sms",
            "SendSmsRequest",
            phone_numbers=phone,
            sign_name=self._sign_name,
            template_code=self._templates[template],
            template_param=json.dumps(dict(values), ensure_ascii=False),
            out_id=our_id,
        )
        code = str(told.code or "")
        if code == SUCCESS:
            return str(told.biz_id or "")
        if code == ILLEGAL_NUMBER:
            raise ProviderRefused(BAD_NUMBER)
        if code.startswith("isv."):
            raise ProviderRefused(code[:64], permanent=code in FOR_GOOD)
        raise ProviderUnreachable(f"aliyun: {code[:64] or 'no code'}")
