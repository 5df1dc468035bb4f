"""What we sign and verify towards WeChat Pay, held against wechatpayv3 and the fact sheet's own snippets."""

from __future__ import annotations

import base64
import json
import re
import time
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wechatpayv3 import WeChatPay as Oracle
from wechatpayv3 import WeChatPayType
from wechatpayv3.utils import build_authorization

from providers.protocols import BadSignature
from providers.wechat.signing import Signer, Verifier, open_resource
from tests.providers import wire

APP_ID, MCHID, SERIAL = "wxd678efh567hg6787", "1900000109", "444F4864EA9B34415"

words = st.text(st.characters(codec="utf-8"), max_size=60)
payloads = st.dictionaries(words, st.one_of(words, st.integers(), st.booleans(), st.none()), max_size=5)


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle(
        wechatpay_type=WeChatPayType.MINIPROG,
        mchid=MCHID,
        private_key=wire.private_pem("merchant"),
        cert_serial_no=SERIAL,
        appid=APP_ID,
        apiv3_key=wire.API_V3_KEY.decode(),
        notify_url="https://example.com/n",
        public_key=wire.public_pem("wechat"),
        public_key_id=wire.PUBLIC_KEY_ID,
        timeout=(3, 10),
    )


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer(MCHID, SERIAL, wire.key("merchant"))


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return Verifier(
        {
            wire.PUBLIC_KEY_ID: wire.key("wechat").public_key(),
            wire.CERTIFICATE_SERIAL: wire.key("wechat certificate").public_key(),
        }
    )


@contextmanager
def refusal(word: str):
    with pytest.raises(BadSignature) as trouble:
        yield
    assert trouble.value.reason == word


def parts_of(authorization: str) -> dict[str, str]:
    scheme, rest = authorization.split(" ", 1)
    assert scheme == "WECHATPAY2-SHA256-RSA2048"
    return dict(re.findall(r'(\w+)="([^"]*)"', rest))


def test_the_signed_text_has_five_lines_each_with_its_end(signer):
    ours = parts_of(signer.authorization(method="GET", path="/v3/a?mchid=1", timestamp=1554208460, nonce="593BEC0C930BF1AF"))

    wire.verifies("merchant", ours["signature"], b"GET\n/v3/a?mchid=1\n1554208460\n593BEC0C930BF1AF\n\n")
    assert ours | {"signature": ""} == {
        "mchid": MCHID,
        "nonce_str": "593BEC0C930BF1AF",
        "signature": "",
        "timestamp": "1554208460",
        "serial_no": SERIAL,
    }


@settings(max_examples=15, deadline=None)
@given(body=payloads)
def test_the_oracle_signs_a_request_as_we_do(signer, body):
    text = json.dumps(body) if body else ""
    theirs = parts_of(build_authorization("/v3/x", "POST", MCHID, SERIAL, wire.key("merchant"), data=text, nonce_str="N"))

    ours = signer.authorization(method="POST", path="/v3/x", body=text.encode(), timestamp=int(theirs["timestamp"]), nonce="N")

    assert parts_of(ours) == theirs


def test_the_oracle_signs_a_launch_as_we_do(signer, oracle):
    ours = signer.pay_sign(app_id=APP_ID, timestamp=1554208460, nonce="n", package="prepay_id=wx26")

    assert ours == oracle.sign([APP_ID, "1554208460", "n", "prepay_id=wx26"])
    wire.verifies("merchant", ours, f"{APP_ID}\n1554208460\nn\nprepay_id=wx26\n".encode())


@settings(max_examples=15, deadline=None)
@given(inside=payloads, associated=st.text("abc", max_size=12))
def test_what_we_accept_and_open_the_oracle_opens_alike(verifier, oracle, inside, associated):
    body = wire.wechat_notice(inside, associated=associated)
    headers = wire.wechat_headers(body)

    verifier.verify(headers, body, now=time.time())
    ours = json.loads(open_resource(json.loads(body)["resource"], wire.API_V3_KEY))

    assert ours == oracle.callback(headers, body)["resource"] == inside


@settings(max_examples=30, deadline=None)
@given(where=st.integers(min_value=0), what=st.integers(1, 255), header=st.sampled_from(["body", "Nonce", "Signature"]))
def test_what_was_touched_we_refuse_and_so_does_the_oracle(verifier, oracle, where, what, header):
    body = wire.wechat_notice({"out_trade_no": "SB1"})
    headers = wire.wechat_headers(body, nonce="0123456789abcdef")
    if header == "body":
        where %= len(body)
        body = body[:where] + bytes([body[where] ^ what]) + body[where + 1 :]
    else:
        value = headers[f"Wechatpay-{header}"]
        where %= len(value)
        other = "A" if value[where] != "A" else "B"
        headers[f"Wechatpay-{header}"] = value[:where] + other + value[where + 1 :]

    with refusal("signature"):
        verifier.verify(headers, body, now=time.time())
    try:
        theirs = oracle.callback(headers, body)
    except Exception:  # noqa: BLE001 (it raises bare ones)
        theirs = None
    assert theirs is None


def test_a_key_of_either_kind_verifies(verifier):
    body = b"{}"

    verifier.verify(wire.wechat_headers(body), body, now=time.time())
    for serial in (wire.CERTIFICATE_SERIAL, wire.CERTIFICATE_SERIAL.lower(), "00" + wire.CERTIFICATE_SERIAL):
        verifier.verify(wire.wechat_headers(body, by="wechat certificate", serial=serial), body, now=time.time())
    with refusal("signature"):
        verifier.verify(wire.wechat_headers(body, by="wechat certificate"), body, now=time.time())
    with refusal("unknown_serial"):
        verifier.verify(wire.wechat_headers(body, serial="ABCDEF"), body, now=time.time())


@pytest.mark.parametrize("skew", [-299, 0, 299])
def test_within_five_minutes_is_fresh(verifier, skew):
    verifier.verify(wire.wechat_headers(b"", at=1_700_000_000), b"", now=1_700_000_000 + skew)


@pytest.mark.parametrize("skew", [-300, 300, 86_400])
def test_five_minutes_is_stale(verifier, skew):
    with refusal("stale"):
        verifier.verify(wire.wechat_headers(b"", at=1_700_000_000), b"", now=1_700_000_000 + skew)


def test_a_probe_fails_under_its_own_word(verifier):
    headers = wire.wechat_headers(b"{}")
    headers["Wechatpay-Signature"] = "WECHATPAY/SIGNTEST/" + headers["Wechatpay-Signature"]

    with refusal("signtest"):
        verifier.verify(headers, b"{}", now=time.time())


@pytest.mark.parametrize("name", ["Timestamp", "Nonce", "Serial", "Signature"])
def test_every_header_is_needed_but_the_kind_of_signature(verifier, name):
    headers = wire.wechat_headers(b"{}")
    del headers[f"Wechatpay-{name}"]

    with refusal("missing_header"):
        verifier.verify(headers, b"{}", now=time.time())


def test_a_signature_without_a_kind_is_rsa_and_a_kind_we_do_not_know_is_refused(verifier):
    headers = wire.wechat_headers(b"{}")

    headers["Wechatpay-Signature-Type"] = "WECHATPAY2-SM2-WITH-SM3"
    with refusal("unknown_signature_type"):
        verifier.verify(headers, b"{}", now=time.time())

    del headers["Wechatpay-Signature-Type"]
    verifier.verify(headers, b"{}", now=time.time())


def test_header_names_know_no_case(verifier):
    headers = {name.lower(): value for name, value in wire.wechat_headers(b"{}").items()}

    verifier.verify(headers, b"{}", now=time.time())


@pytest.mark.parametrize("timestamp", ["", "abc", "1" * 5000, "١٧٠", "-1", "1e9", " 1700000000"])
def test_a_timestamp_is_digits(verifier, timestamp):
    with refusal("malformed"):
        verifier.verify(wire.wechat_headers(b"") | {"Wechatpay-Timestamp": timestamp}, b"", now=time.time())


def test_an_empty_body_is_signed_too(verifier):
    verifier.verify(wire.wechat_headers(b""), b"", now=time.time())


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"algorithm": "AEAD_SM4_GCM"}, "unknown_algorithm"),
        ({"algorithm": None}, "unknown_algorithm"),
        ({"nonce": "short"}, "wrong_seal"),
        ({"nonce": None}, "malformed"),
        ({"nonce": "\udc80" * 12}, "wrong_seal"),
        ({"ciphertext": "*"}, "wrong_seal"),
        ({"ciphertext": base64.b64encode(b"short").decode()}, "wrong_seal"),
        ({"associated_data": "other"}, "wrong_seal"),
        ({"associated_data": 1}, "malformed"),
    ],
)
def test_a_seal_that_does_not_open_is_refused(change, word):
    with refusal(word):
        open_resource(wire.sealed({}) | change, wire.API_V3_KEY)


def test_nobody_reads_a_secret_from_a_repr(signer, verifier):
    assert repr(signer) == f"Signer({MCHID})"
    assert repr(verifier) == "Verifier(2 keys)"
