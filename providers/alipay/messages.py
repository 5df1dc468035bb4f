"""Alipay's template messages of one mini-program (消息订阅, 小程序模板消息). Nothing is pushed to us: whether a user allows a template we ask.

alipay.open.app.messagetemplate.subscribe.query tells how somebody stands to a template, and whether one yes is one message (onetime)
or many (longterm); alipay.open.app.mini.templatemessage.send sends. Seen in their SDK and pages: methods, names and the two states.
Not seen: with which sub_code a send is refused whose yes was used up meanwhile, so such a refusal is kept as it comes.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from providers.protocols import Delivery, NotSent, ProviderRefused, ProviderUnreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.settings import SubscribeTemplate
    from providers.alipay.client import AlipayClient

SUBSCRIPTION: Final = "alipay.open.app.messagetemplate.subscribe.query"
SEND: Final = "alipay.open.app.mini.templatemessage.send"
SUBSCRIBED: Final = "1"
USER_ID: Final = re.compile(r"2088[0-9]{12}")
LONGEST_PAGE, LONGEST_DATA = 128, 2048
TOO_LONG: Final = "VALUE"
"""Our own word for values that their field does not hold."""


def template_faults(code: str, templates: Mapping[str, SubscribeTemplate]) -> list[str]:
    """What is wrong with a mini-program's templates, in sentences for whoever installs it."""
    faults = []
    for key, template in templates.items():
        place = f"miniprograms.{code}.subscribe_templates.{key}"
        wanted = {f"keyword{number}" for number in range(1, len(template.fields) + 1)}
        if set(template.fields) != wanted:
            faults.append(f"{place}.fields: at Alipay they are called keyword1, keyword2 and so on, without a gap")
        if not template.page or len(template.page) > LONGEST_PAGE:
            faults.append(
                f"{place}.page: Alipay asks for one, such as pages/messages/index, of at most {LONGEST_PAGE} characters"
            )
    return faults


class AlipayMessages:
    """A MessageProvider."""

    way = "alipay_template"
    counts_allowances = False

    def __init__(self, *, client: AlipayClient, templates: Mapping[str, SubscribeTemplate]) -> None:
        self._client = client
        self._templates = dict(templates)

    def __repr__(self) -> str:
        return f"AlipayMessages({self._client.appid})"

    def template_of(self, key: str) -> str | None:
        template = self._templates.get(key)
        return None if template is None else template.template_id

    def send(self, subject: str, *, key: str, words: Mapping[str, str]) -> Delivery:
        template = self._templates[key]
        data = json.dumps({field: {"value": words[word]} for field, word in template.fields.items()}, ensure_ascii=False)
        if len(data) > LONGEST_DATA:
            raise ProviderRefused(TOO_LONG)
        if not self._is_wanted(subject, template.template_id):
            return Delivery.NOT_WANTED
        receiver = "to_user_id" if USER_ID.fullmatch(subject) else "to_open_id"
        self._client.call(
            SEND, {receiver: subject, "user_template_id": template.template_id, "page": template.page, "data": data}
        )
        return Delivery.TAKEN

    def _is_wanted(self, subject: str, template_id: str) -> bool:
        """Asked each time: the yes is the user's own, kept at Alipay, and may be taken back there at any moment."""
        who = "user_id" if USER_ID.fullmatch(subject) else "open_id"
        try:
            told = self._client.call(SUBSCRIPTION, {who: subject, "template_id_list": [template_id]})
        except ProviderUnreachable as silence:
            raise NotSent(str(silence)) from None
        relations = told.get("subscribe_relations")
        if not isinstance(relations, list):
            return False
        return any(
            isinstance(each, dict) and each.get("template_id") == template_id and str(each.get("subscribe_state")) == SUBSCRIBED
            for each in relations
        )
