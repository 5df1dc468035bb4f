"""Alipay's template messages at the wire: asked whether they are wanted, sent once, and never with an empty or a cut value."""

from __future__ import annotations

import json

import pytest

from config.settings import SubscribeTemplate
from providers.alipay.client import AlipayClient
from providers.alipay.messages import AlipayMessages, template_faults
from providers.http import Line
from providers.protocols import Delivery, NotSent, ProviderRefused, ProviderUnreachable
from tests.providers import wire

TEMPLATE = SubscribeTemplate(template_id="T1", fields={"keyword1": "title", "keyword2": "text"}, page="pages/messages/index")
WORDS = {"title": "申请已审核通过", "text": "您的申请已审核通过。", "case_no": "C" * 24}
ASK, SEND = "alipay.open.app.messagetemplate.subscribe.query", "alipay.open.app.mini.templatemessage.send"


@pytest.fixture(scope="module")
def there():
    with wire.wire() as it:
        yield it


@pytest.fixture
def messages(there):
    there.asked.clear()
    line = Line(provider="alipay", base_url=there.url + "/gateway.do")
    client = AlipayClient(
        line=line, app_id="2021000000000001", private_key=wire.key("app"), alipay_public_key=wire.key("alipay").public_key()
    )
    yield AlipayMessages(client=client, templates={"application.approved": TEMPLATE})
    line.close()


def gateway(there, *, asked, sent=None):
    """Answers the question with `asked`, and the message with `sent`: an inner object, or a whole answer."""

    def answer(request):
        method = request.query["method"]
        told = asked if method == ASK else sent or {"code": "10000"}
        return told if isinstance(told, wire.Told) else wire.alipay_told(told, method=method)

    there.answer = answer


def stands(state, template="T1"):
    return {"code": "10000", "subscribe_relations": [{"template_id": template, "subscribe_state": state}]}


def send(messages, subject="0abc", words=WORDS):
    return messages.send(subject, key="application.approved", words=words)


def methods(there):
    return [each.query["method"] for each in there.asked]


@pytest.mark.parametrize(
    ("subject", "ids"), [("074a1C", ("open_id", "to_open_id")), ("2088123412341234", ("user_id", "to_user_id"))]
)
def test_whoever_subscribed_gets_it_once_with_every_keyword(there, messages, subject, ids):
    gateway(there, asked=stands("1"))

    assert send(messages, subject) is Delivery.TAKEN

    asked, sent = (json.loads(each.form["biz_content"]) for each in there.asked)
    assert methods(there) == [ASK, SEND]
    assert asked == {ids[0]: subject, "template_id_list": ["T1"]}
    assert {name: sent[name] for name in sent if name != "data"} == {
        ids[1]: subject,
        "user_template_id": "T1",
        "page": "pages/messages/index",
    }
    # Text, not an object.
    assert json.loads(sent["data"]) == {"keyword1": {"value": WORDS["title"]}, "keyword2": {"value": WORDS["text"]}}
    # Who gets it stands in no address, where proxies would write it down.
    assert not any(subject in each.target for each in there.asked)


@pytest.mark.parametrize(
    "asked",
    [
        stands("0"),
        stands("1", template="T2"),
        stands(True),
        {"code": "10000"},
        {"code": "10000", "subscribe_relations": "1"},
        {"code": "10000", "subscribe_relations": ["1", None]},
    ],
)
def test_whoever_did_not_subscribe_to_this_very_template_gets_nothing(there, messages, asked):
    gateway(there, asked=asked)

    assert send(messages) is Delivery.NOT_WANTED
    assert methods(there) == [ASK]


def test_a_question_without_an_answer_says_that_nothing_went_out(there, messages):
    gateway(there, asked=wire.Told(502, b"<html>"))

    with pytest.raises(NotSent):
        send(messages)
    assert methods(there) == [ASK]


def test_a_message_without_an_answer_may_have_gone_out(there, messages):
    gateway(there, asked=stands("1"), sent={"code": "20000", "sub_code": "isp.unknow-error"})

    with pytest.raises(ProviderUnreachable) as silence:
        send(messages)
    assert not isinstance(silence.value, NotSent)


def test_a_template_that_they_do_not_have_is_refused_for_good(there, messages):
    gateway(there, asked=stands("1"), sent={"code": "40004", "sub_code": "USER_TEMPLATE_ILLEGAL"})

    with pytest.raises(ProviderRefused) as refusal:
        send(messages)
    assert (refusal.value.code, refusal.value.permanent) == ("USER_TEMPLATE_ILLEGAL", True)


def test_what_does_not_fit_is_refused_before_anybody_is_asked(there, messages):
    with pytest.raises(ProviderRefused, match="VALUE"):
        send(messages, words=WORDS | {"text": "长" * 2048})
    assert there.asked == []


@pytest.mark.parametrize(
    ("fields", "page", "said"),
    [
        ({"keyword1": "title", "keyword3": "at"}, "pages/a", "keyword1, keyword2"),
        ({"thing1": "title"}, "pages/a", "keyword1, keyword2"),
        ({"keyword1": "title"}, None, "page"),
        ({"keyword1": "title"}, "p" * 129, "page"),
    ],
)
def test_a_template_that_could_never_go_out_stops_the_start(fields, page, said):
    template = SubscribeTemplate(template_id="T1", fields=fields, page=page)

    (fault,) = template_faults("x", {"application.approved": template})

    assert said in fault
    assert "miniprograms.x.subscribe_templates.application.approved" in fault


def test_the_shipped_templates_are_all_as_alipay_has_them():
    from config.settings import HOME, load_partners

    programs = load_partners(HOME / "config" / "miniprograms.sandbox.yaml").miniprograms
    found = {code: each.subscribe_templates for code, each in programs.items() if each.platform == "alipay"}
    assert [fault for code, templates in found.items() for fault in template_faults(code, templates)] == []
    assert all("application.approved_with_notice" in templates for templates in found.values())
