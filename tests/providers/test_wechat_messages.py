"""WeChat's messages at the wire: what goes out fits their fields, what comes in is theirs, sealed, fresh and for us; or BadSignature."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.crypto import WeChatCrypto

from config.settings import SubscribeTemplate
from providers.http import Line
from providers.keys import KeyFileError, load_message_aes_key
from providers.protocols import BadSignature, Delivery, MessageWish, ProviderRefused, ProviderUnreachable
from providers.wechat.messages import WeChatMessages, field_faults, fit
from providers.wechat.open_api import WeChatOpenApi
from tests.providers import wire

APP_ID, TOKEN = "wxd678efh567hg6787", "canbaotoken"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
TEMPLATES = {
    "payment.succeeded": SubscribeTemplate(
        template_id="T1", fields={"thing1": "title", "amount2": "amount", "time3": "at"}, page="pages/messages/index"
    )
}
POPUP = {
    "ToUserName": "gh_1", "FromUserName": "o_1", "CreateTime": 1610969440, "MsgType": "event", "Event": "subscribe_msg_popup_event",
    "List": [
        {"TemplateId": "A", "SubscribeStatusString": "accept", "PopupScene": "0"}, {"TemplateId": "B", "SubscribeStatusString": "reject"},
        {"TemplateId": "C", "SubscribeStatusString": "ban"}, {"TemplateId": "D", "SubscribeStatusString": "something-new"},
    ],
}  # fmt: skip
POPUP_XML = (
    "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o_1]]></FromUserName><CreateTime>1610969440</CreateTime>"
    "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[subscribe_msg_popup_event]]></Event><SubscribeMsgPopupEvent>"
    "<List><TemplateId><![CDATA[A]]></TemplateId><SubscribeStatusString><![CDATA[accept]]></SubscribeStatusString><PopupScene>0</PopupScene></List>"
    "<List><TemplateId><![CDATA[B]]></TemplateId><SubscribeStatusString><![CDATA[reject]]></SubscribeStatusString></List>"
    "<List><TemplateId><![CDATA[C]]></TemplateId><SubscribeStatusString><![CDATA[ban]]></SubscribeStatusString></List>"
    "<List><TemplateId><![CDATA[D]]></TemplateId><SubscribeStatusString><![CDATA[something-new]]></SubscribeStatusString></List>"
    "</SubscribeMsgPopupEvent></xml>"
)
WISHES = (("A", MessageWish.ONE_MORE), ("B", MessageWish.NONE), ("C", MessageWish.NONE))


class Counter:
    """Tokens for everybody; the next answers are as a test says."""

    def __init__(self) -> None:
        self.told: object = {"errcode": 0, "errmsg": "ok", "msgid": 1}

    def __call__(self, asked: wire.Asked) -> wire.Told:
        told = {"access_token": "t1", "expires_in": 7200} if asked.path.endswith("stable_token") else self.told
        return wire.Told(200, told if isinstance(told, bytes) else json.dumps(told).encode(), {"Content-Type": "text/plain"})


@pytest.fixture
def there():
    with wire.wire() as it:
        it.answer = Counter()
        yield it


@pytest.fixture
def ours(there):
    line = Line(provider="wechat", base_url=there.url)
    yield adapter(line)
    line.close()


def adapter(line: Line, *, token: str = TOKEN, aes_key: str = AES_KEY, **more: str) -> WeChatMessages:
    api = WeChatOpenApi(line=line, app_id=APP_ID, app_secret="s")
    return WeChatMessages(api=api, token=token, aes_key=base64.b64decode(aes_key + "="), templates=TEMPLATES, **more)


READER = adapter(Line(provider="wechat", base_url="http://127.0.0.1:9"))
"""It calls nobody."""
ORACLE = WeChatCrypto(TOKEN, AES_KEY, APP_ID)


def signature(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()  # noqa: S324 - theirs


def sealed_by_the_oracle(message: str, *, oracle: WeChatCrypto = ORACLE, stamp: str = STAMP) -> tuple[dict[str, str], str]:
    """Query and `Encrypt`, as wechatpy writes them."""
    from xml.etree import ElementTree as ET

    letter = ET.fromstring(oracle.encrypt_message(message, "nonce1", stamp))  # noqa: S314 - written one line above
    query = {"timestamp": stamp, "nonce": "nonce1", "encrypt_type": "aes", "msg_signature": letter.findtext("MsgSignature")}
    return query, letter.findtext("Encrypt")


def as_json(encrypt: str) -> bytes:
    return json.dumps({"ToUserName": "gh_1", "Encrypt": encrypt}).encode()


def as_xml(encrypt: str) -> bytes:
    return f"<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>".encode()


def opened(message, *, envelope=as_json, **how):
    query, encrypt = sealed_by_the_oracle(message if isinstance(message, str) else json.dumps(message), **how)
    return READER.open_event(query, envelope(encrypt), now=NOW)


def refused(query, raw, *, reader=READER, now=NOW) -> str:
    with pytest.raises(BadSignature) as fault:
        reader.open_event(query, raw, now=now)
    return fault.value.reason


def reason_of(query, raw) -> str | None:
    """Why it is refused; None for what is an event."""
    try:
        READER.open_event(query, raw, now=NOW)
    except BadSignature as fault:
        return fault.reason
    return None


# --- in: what wechatpy seals, we open


@pytest.mark.parametrize("envelope", [as_json, as_xml])
@pytest.mark.parametrize("message", [POPUP, POPUP_XML])
def test_what_the_oracle_seals_we_open_in_json_and_in_xml(message, envelope):
    event = opened(message, envelope=envelope)

    assert (event.event, event.subject, event.wishes) == ("subscribe_msg_popup_event", "o_1", WISHES)
    assert "o_1" not in repr(event)


def test_the_oracle_opens_what_our_own_reading_of_the_seal_would_write():
    """The same bytes the other way round: random, length, message, app, padded to 32."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    message = json.dumps(POPUP).encode()
    plain = secrets.token_bytes(16) + len(message).to_bytes(4, "big") + message + APP_ID.encode()
    padding = 32 - len(plain) % 32
    key = base64.b64decode(AES_KEY + "=")
    sealer = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    encrypt = base64.b64encode(sealer.update(plain + bytes([padding]) * padding) + sealer.finalize()).decode()
    query = {"timestamp": STAMP, "nonce": "n", "msg_signature": signature(TOKEN, STAMP, "n", encrypt)}

    assert json.loads(ORACLE.decrypt_message({"Encrypt": encrypt}, query["msg_signature"], STAMP, "n")) == POPUP
    assert READER.open_event(query, as_json(encrypt), now=NOW).wishes == WISHES


@given(st.text(max_size=300))
def test_whatever_the_oracle_seals_is_an_event_or_malformed_and_nothing_else(message):
    query, encrypt = sealed_by_the_oracle(message or "x")

    assert reason_of(query, as_json(encrypt)) in (None, "malformed")


@pytest.mark.parametrize(
    ("changes", "wishes"),
    [
        # One template comes as an object, and the field around it has three shapes.
        ({"List": {"TemplateId": "A", "SubscribeStatusString": "accept"}}, (("A", MessageWish.ONE_MORE),)),
        ({"List": None, "SubscribeMsgPopupEvent": {"List": {"TemplateId": "A", "SubscribeStatusString": "reject"}}}, (("A", MessageWish.NONE),)),
        ({"List": None, "SubscribeMsgPopupEvent": [{"TemplateId": "A", "SubscribeStatusString": "accept"}]}, (("A", MessageWish.ONE_MORE),)),
        # In the settings, a yes allows no message, and a no takes all back.
        ({"Event": "subscribe_msg_change_event", "List": {"TemplateId": "A", "SubscribeStatusString": "accept"}}, ()),
        ({"Event": "subscribe_msg_change_event", "List": {"TemplateId": "A", "SubscribeStatusString": "reject"}}, (("A", MessageWish.NONE),)),
        # Of those sent, only the refused ones count.
        ({"Event": "subscribe_msg_sent_event", "List": {"TemplateId": "A", "MsgID": "1", "ErrorCode": 0, "ErrorStatus": "success"}}, ()),
        ({"Event": "subscribe_msg_sent_event", "List": {"TemplateId": "A", "MsgID": "1", "ErrorCode": "43101"}}, (("A", MessageWish.NONE),)),
        # Others are none of ours.
        ({"Event": "user_enter_tempsession", "List": None}, ()),
        ({"MsgType": "text", "Content": "您好", "Event": None}, ()),
        ({"List": []}, ()),
    ],
)  # fmt: skip
def test_their_words_become_ours(changes, wishes):
    message = {name: value for name, value in {**POPUP, **changes}.items() if value is not None}

    assert opened(message).wishes == wishes


def test_a_repetition_has_the_same_hash_and_anything_else_another():
    again = opened({**POPUP, "CreateTime": "1610969440"}).event_hash

    assert opened(POPUP).event_hash == opened(POPUP_XML.replace("gh_1", "gh_2")).event_hash == again
    others = [
        {"CreateTime": 1610969441}, {"FromUserName": "o_2"}, {"Event": "subscribe_msg_change_event"}, {"List": POPUP["List"][:1]},
        {"List": [{**POPUP["List"][0], "SubscribeStatusString": "reject"}]}, {"List": [{"TemplateId": "A", "MsgID": "2", "ErrorCode": "0"}]},
    ]  # fmt: skip
    hashes = {opened({**POPUP, **changes}).event_hash for changes in others}
    assert len(hashes | {again}) == len(others) + 1


# --- in: what is refused


BAD = {
    "plain mode": lambda query, raw: ({"signature": signature(TOKEN, STAMP, "nonce1"), "timestamp": STAMP, "nonce": "nonce1"}, json.dumps(POPUP).encode(), "plain"),
    "an empty signature": lambda query, raw: ({**query, "msg_signature": ""}, raw, "plain"),
    "another signature": lambda query, raw: ({**query, "msg_signature": "0" * 40}, raw, "signature"),
    "a signature in capitals": lambda query, raw: ({**query, "msg_signature": query["msg_signature"].upper()}, raw, "signature"),
    "a signature of strange letters": lambda query, raw: ({**query, "msg_signature": "\ud800é"}, raw, "signature"),
    "a signature over no body": lambda query, raw: ({**query, "msg_signature": signature(TOKEN, STAMP, "nonce1")}, raw, "signature"),
    "another nonce": lambda query, raw: ({**query, "nonce": "nonce2"}, raw, "signature"),
    "a nonce of half a pair": lambda query, raw: ({**query, "nonce": "\ud800"}, raw, "signature"),
    "no nonce": lambda query, raw: ({**query, "nonce": ""}, raw, "malformed"),
    "no timestamp": lambda query, raw: ({name: value for name, value in query.items() if name != "timestamp"}, raw, "malformed"),
    "a timestamp of Arabic digits": lambda query, raw: ({**query, "timestamp": "١٢٣"}, raw, "malformed"),
    "a timestamp of 5,000 digits": lambda query, raw: ({**query, "timestamp": "9" * 5000}, raw, "malformed"),
    "another text": lambda query, raw: (query, raw.replace(b'Encrypt": "', b'Encrypt": "A'), "signature"),
    "no sealed text": lambda query, raw: (query, b'{"ToUserName": "gh_1"}', "malformed"),
    "a number for a sealed text": lambda query, raw: (query, b'{"Encrypt": 5}', "malformed"),
    "an empty body": lambda query, raw: (query, b"", "malformed"),
    "not UTF-8": lambda query, raw: (query, b"\xff\xfe<", "malformed"),
    "nesting": lambda query, raw: (query, b"[" * 60_000, "malformed"),
    "nested XML": lambda query, raw: (query, b"<a>" * 9_000 + b"</a>" * 9_000, "malformed"),
    "half an XML": lambda query, raw: (query, b"<xml><Encrypt>", "malformed"),
    "over 64 KiB": lambda query, raw: (query, b" " * 65_537, "oversize"),
}  # fmt: skip


@pytest.mark.parametrize("why", BAD)
def test_what_is_not_theirs_or_not_whole_is_refused_with_a_word_for_the_counter(why):
    query, encrypt = sealed_by_the_oracle(json.dumps(POPUP))
    changed_query, raw, reason = BAD[why](query, as_json(encrypt))

    assert refused(changed_query, raw) == reason


@pytest.mark.parametrize(
    "declared",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><xml><Encrypt>&b;</Encrypt></xml>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><xml><Encrypt>x</Encrypt></xml>',
        b'<?xml version="1.0"?><!dOcTyPe x><xml><Encrypt>x</Encrypt></xml>',
        b"<?stylesheet x?><xml><Encrypt>x</Encrypt></xml>",
        b"<xml><!-- --><Encrypt>x</Encrypt></xml>",
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x><xml/>'.encode("utf-16"),
        b"<xml><Encrypt>&b;</Encrypt></xml>",
    ],
)
def test_no_declaration_and_no_entity_is_ever_parsed(declared):
    query, _ = sealed_by_the_oracle(json.dumps(POPUP))

    assert refused(query, declared) == "malformed"


def test_a_declaration_inside_the_seal_is_refused_too():
    query, encrypt = sealed_by_the_oracle(f'<!DOCTYPE x [<!ENTITY a "b">]>{POPUP_XML}')

    assert refused(query, as_json(encrypt)) == "malformed"


@pytest.mark.parametrize(("late", "reason"), [(300, "stale"), (-300, "stale"), (299, None), (-299, None)])
def test_an_old_letter_is_stale(late, reason):
    query, encrypt = sealed_by_the_oracle(json.dumps(POPUP))
    now = NOW + timedelta(seconds=late)

    if reason is None:
        assert READER.open_event(query, as_json(encrypt), now=now).wishes == WISHES
    else:
        assert refused(query, as_json(encrypt), now=now) == reason


def test_a_letter_for_another_app_is_refused_though_its_keys_are_ours():
    query, encrypt = sealed_by_the_oracle(json.dumps(POPUP), oracle=WeChatCrypto(TOKEN, AES_KEY, "wx0000000000000000"))

    assert refused(query, as_json(encrypt)) == "wrong_app"


def test_a_letter_sealed_with_another_key_is_refused():
    other = secrets.token_hex(32)[:43]
    query, encrypt = sealed_by_the_oracle(json.dumps(POPUP), oracle=WeChatCrypto(TOKEN, other, APP_ID))

    assert refused(query, as_json(encrypt)) in ("wrong_seal", "wrong_app")


@given(st.binary(max_size=200))
def test_any_bytes_under_a_right_signature_are_refused_with_a_word(cipher):
    encrypt = base64.b64encode(cipher).decode() or "x"
    query = {"timestamp": STAMP, "nonce": "n", "msg_signature": signature(TOKEN, STAMP, "n", encrypt)}

    assert refused(query, as_json(encrypt)) in ("malformed", "wrong_seal", "wrong_app")


@given(
    st.dictionaries(st.sampled_from(["msg_signature", "timestamp", "nonce", "encrypt_type"]), st.text() | st.just(STAMP)),
    st.binary() | st.text().map(str.encode) | st.text().map(as_json) | st.text().map(as_xml),
)
def test_whatever_arrives_nothing_but_bad_signature_comes_out(query, raw):
    refused(query, raw)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_whatever_is_authentic_is_an_event_or_malformed(value):
    for name in ("List", "SubscribeMsgPopupEvent", "CreateTime", "FromUserName", "Event", "MsgType"):
        query, encrypt = sealed_by_the_oracle(json.dumps({**POPUP, name: value}))
        assert reason_of(query, as_json(encrypt)) in (None, "malformed")


# --- in: the address


def address(**changes) -> dict[str, str]:
    return {"signature": signature(TOKEN, STAMP, "n"), "timestamp": STAMP, "nonce": "n", "echostr": "4711", **changes}


def test_the_address_is_proven_by_exactly_their_echo():
    assert READER.echo(address(), now=NOW) == "4711"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"signature": ""}, "missing_signature"), ({"signature": "0" * 40}, "signature"), ({"nonce": "m"}, "signature"),
        ({"timestamp": "1"}, "stale"), ({"timestamp": "x"}, "malformed"), ({"nonce": ""}, "malformed"), ({"echostr": ""}, "malformed"),
        ({"echostr": "x" * 257}, "malformed"), ({"echostr": "a\nb"}, "malformed"), ({"echostr": "中"}, "malformed"), ({"signature": "é"}, "signature"),
    ],
)  # fmt: skip
def test_without_their_signature_nothing_is_echoed(changes, reason):
    with pytest.raises(BadSignature) as fault:
        READER.echo(address(**changes), now=NOW)
    assert fault.value.reason == reason


@given(st.dictionaries(st.sampled_from(["signature", "timestamp", "nonce", "echostr"]), st.text() | st.just(STAMP)))
def test_no_query_brings_anything_else_out_than_bad_signature(query):
    with pytest.raises(BadSignature):
        READER.echo(query, now=NOW)


# --- out


WORDS = {
    "title": "社保费支付成功",
    "amount": "1234.50",
    "at": "2026年11月21日 10:00",
    "months": "2026年11月",
    "order_no": "A" * 24,
}


def test_a_message_goes_out_by_key_with_its_facts_in_their_fields(there, ours):
    assert ours.send("o_1", key="payment.succeeded", words=WORDS) is Delivery.TAKEN

    assert there.last.path == "/cgi-bin/message/subscribe/send"
    assert there.last.query == {"access_token": "t1"}
    assert there.last.json == {
        "touser": "o_1", "template_id": "T1", "miniprogram_state": "formal", "lang": "zh_CN", "page": "pages/messages/index",
        "data": {"thing1": {"value": "社保费支付成功"}, "amount2": {"value": "1234.50"}, "time3": {"value": "2026年11月21日 10:00"}},
    }  # fmt: skip


def test_a_tap_opens_the_version_that_the_settings_say(there):
    line = Line(provider="wechat", base_url=there.url)
    adapter(line, miniprogram_state="trial").send("o_1", key="payment.succeeded", words=WORDS)
    line.close()

    assert there.last.json["miniprogram_state"] == "trial"


def test_a_key_without_a_template_has_no_way(ours):
    assert ours.template_of("payment.surplus") is None
    assert ours.template_of("payment.succeeded") == "T1"


def test_43101_is_a_no_and_not_a_fault(there, ours):
    there.answer.told = {"errcode": 43101, "errmsg": "user refuse to accept the msg"}

    assert ours.send("o_1", key="payment.succeeded", words=WORDS) is Delivery.NOT_WANTED


@pytest.mark.parametrize(
    ("code", "permanent"), [(40037, True), (47003, True), (40003, True), (41030, True), (45009, False), (40164, False)]
)
def test_a_refusal_says_whether_it_passes(there, ours, code, permanent):
    there.answer.told = {"errcode": code, "errmsg": "no"}

    with pytest.raises(ProviderRefused) as refusal:
        ours.send("o_1", key="payment.succeeded", words=WORDS)
    assert (refusal.value.code, refusal.value.permanent) == (str(code), permanent)
    assert "o_1" not in repr(refusal.value)


@pytest.mark.parametrize("told", [{"errcode": -1}, {}, b"<html>", b"", {"errcode": None}, []])
def test_an_answer_that_says_nothing_is_no_answer(there, ours, told):
    there.answer.told = told

    with pytest.raises(ProviderUnreachable):
        ours.send("o_1", key="payment.succeeded", words=WORDS)


@pytest.mark.parametrize(
    ("field", "value", "fitted"),
    [
        ("thing1", "二十个字" * 5, "二十个字" * 5),
        ("thing1", "二十个字" * 5 + "多", "二十个字" * 4 + "二十个…"),
        ("thing12", "两行\n一行", "两行 一行"),
        ("phrase1", "支付成功了吗", "支付成功了"),
        ("name1", "一二三四五六七八九十多", "一二三四五六七八九十"),
        ("amount1", "¥1234.50", "¥1234.50"), ("amount1", "9999999999.99元", "9999999999.99元"), ("character_string1", "A" * 32, "A" * 32),
        ("number1", "12.5", "12.5"), ("letter1", "abc", "abc"), ("symbol1", "!?", "!?"), ("phone_number1", "0519-96888732", "0519-96888732"),
        ("time1", "10:00", "10:00"), ("time1", "2026年11月21日 10:00", "2026年11月21日 10:00"), ("date1", "2026年11月21日", "2026年11月21日"),
    ],
)  # fmt: skip
def test_words_are_cut_to_their_field(field, value, fitted):
    assert fit(field, value) == fitted


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount1", "12345678901"), ("amount1", "1,234.50"), ("character_string1", "A" * 33), ("character_string1", "中"), ("number1", "1" * 33),
        ("letter1", "a1"), ("symbol1", "!!!!!!"), ("phone_number1", "1" * 18), ("time1", "明天"), ("date1", "2026-11-21"), ("amount1", "1\n"),
    ],
)  # fmt: skip
def test_a_number_that_does_not_fit_is_not_cut_into_another_one(field, value):
    with pytest.raises(ProviderRefused, match="VALUE"):
        fit(field, value)


def test_a_field_that_wechat_does_not_have_is_told_at_the_start():
    odd = TEMPLATES["payment.succeeded"].model_copy(
        update={"fields": {"thing1": "title", "money2": "amount", "thing": "title"}}
    )

    told = field_faults("x", {"payment.succeeded": odd})

    assert [fault.split(":")[0] for fault in told] == [
        "miniprograms.x.subscribe_templates.payment.succeeded.fields.money2",
        "miniprograms.x.subscribe_templates.payment.succeeded.fields.thing",
    ]
    assert field_faults("x", TEMPLATES) == []


# --- the key file


def test_the_aes_key_is_43_letters_and_digits(tmp_path):
    file = tmp_path / "key.txt"
    file.write_text(AES_KEY + "\n")
    assert load_message_aes_key(file) == base64.b64decode(AES_KEY + "=")

    for wrong in (AES_KEY[:-1], AES_KEY + "=", "", AES_KEY[:-1] + "-"):
        file.write_text(wrong)
        with pytest.raises(KeyFileError, match="EncodingAESKey"):
            load_message_aes_key(file)
    with pytest.raises(KeyFileError):
        load_message_aes_key(tmp_path / "none.txt")
