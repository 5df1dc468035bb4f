"""Garbage at the letterbox: refused in the sender's own dialect, counted with a reason, not kept, and not a word of it in the log."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from tests.doors.letters import Letter, counted
from tests.doors.test_door_garbage import CANARY, RAW, Torn
from tests.factories import ALIPAY, WECHAT
from tests.providers import wire

WECHAT_PATH, ALIPAY_PATH = f"/webhooks/wechat-pay/{WECHAT}", f"/webhooks/alipay/{ALIPAY}"
PLAIN = {"Content-Type": "application/octet-stream"}


def refusals() -> float:
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        if metric.name == "canbao_notices"
        for sample in metric.samples
        if sample.name == "canbao_notices_total" and sample.labels["result"].startswith("refused:")
    )


def refused_by_both(letterbox, body: bytes, headers: dict[str, str]) -> None:
    before = refusals()
    wechat = letterbox.post(Letter(WECHAT_PATH, body, headers))
    alipay = letterbox.post(Letter(ALIPAY_PATH, body, headers))

    assert (wechat.status_code, wechat.json["code"]) == (401, "FAIL")
    assert (alipay.status_code, alipay.data) == (200, b"failure")
    assert refusals() == before + 2


@pytest.mark.parametrize("what", RAW)
def test_garbage_is_refused_and_not_kept(letterbox, what):
    raw, content_type, _ = RAW[what]
    kept = letterbox.all_kept()

    refused_by_both(letterbox, raw, {"Content-Type": content_type})

    assert letterbox.all_kept() == kept


@pytest.mark.parametrize("what", [*(set(RAW) - {"over 64 KiB"}), "nothing", "no seal", "a list inside"])
def test_garbage_that_wechat_signed_is_refused_all_the_same(letterbox, what):
    inside = {
        "nothing": b"",
        "no seal": json.dumps({"id": "1", "event_type": "TRANSACTION.SUCCESS", "resource": {"algorithm": "none"}}).encode(),
        "a list inside": wire.wechat_notice(b"[" * 50_000),
        **{name: raw for name, (raw, _, _) in RAW.items()},
    }[what]
    merchant = letterbox.ports.partners.miniprograms[WECHAT].merchant
    headers = wire.wechat_headers(inside, by=f"wechat {merchant}", at=letterbox.clock.now().timestamp())
    kept = letterbox.all_kept()

    response = letterbox.post(Letter(WECHAT_PATH, inside, headers))

    assert response.status_code == 401
    assert letterbox.all_kept() == kept


def test_too_much_is_refused_unread_whether_its_length_is_told_or_not(letterbox):
    before = counted("wechat_pay", WECHAT, "refused:oversize"), counted("alipay", ALIPAY, "refused:oversize")
    body = b"x" * (64 * 1024 + 1)
    unsaid = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}

    refused_by_both(letterbox, body, PLAIN)
    chunked = [letterbox.post(Letter(path, body, PLAIN), environ_overrides=unsaid) for path in (WECHAT_PATH, ALIPAY_PATH)]

    assert chunked[0].status_code == 401
    assert chunked[1].data == b"failure"
    after = counted("wechat_pay", WECHAT, "refused:oversize"), counted("alipay", ALIPAY, "refused:oversize")
    assert after == (before[0] + 2, before[1] + 2)


def test_half_a_letter_is_refused_and_wakes_nobody(letterbox):
    before = counted("alipay", ALIPAY, "refused:cut_off")
    torn = {"wsgi.input": Torn(), "CONTENT_LENGTH": "100"}

    wechat = letterbox.app.test_client().post(WECHAT_PATH, environ_overrides=torn)
    alipay = letterbox.app.test_client().post(ALIPAY_PATH, environ_overrides=torn)

    assert wechat.status_code == 401
    assert alipay.data == b"failure"
    assert counted("alipay", ALIPAY, "refused:cut_off") == before + 1
    assert {line["level"] for line in letterbox.logged()} == {"warning"}


def test_exactly_64_kib_are_read(letterbox):
    fields = letterbox.alipay_fields(subject="000")
    missing = 64 * 1024 - len(letterbox.alipay(fields).body)
    # How long a signature is in a form differs from one to the next: so look for the one that fits.
    letters = (
        letterbox.alipay({**fields, "subject": f"{take:03d}", "body": "x" * (missing + off)})
        for take in range(100)
        for off in range(-8, 8)
    )
    exact = next(letter for letter in letters if len(letter.body) == 64 * 1024)

    assert letterbox.post(exact).data == b"success"


@settings(max_examples=60)
@given(
    body=st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
    headers=st.dictionaries(
        st.sampled_from(
            [
                "Wechatpay-Timestamp",
                "Wechatpay-Nonce",
                "Wechatpay-Serial",
                "Wechatpay-Signature",
                "Wechatpay-Signature-Type",
                "Content-Type",
            ]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60)
        | st.sampled_from(["1795226400", wire.PUBLIC_KEY_ID]),
    ),
)
def test_no_letter_breaks_the_door(letterbox, body, headers):
    refused_by_both(letterbox, body, headers)


@settings(max_examples=40)
@given(data=st.data())
def test_one_byte_changed_anywhere_is_refused(letterbox, data):
    if not hasattr(letterbox, "letters"):
        letterbox.letters = [letterbox.wechat(letterbox.wechat_transaction()), letterbox.alipay(letterbox.alipay_fields())]
    letter = data.draw(st.sampled_from(letterbox.letters))
    at = data.draw(st.integers(0, len(letter.body) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != letter.body[at]))
    body = letter.body[:at] + bytes([byte]) + letter.body[at + 1 :]
    kept = letterbox.all_kept()

    response = letterbox.post(Letter(letter.path, body, letter.headers))

    # A form may say the same thing in other bytes (%2b for %2B, + for %20): then it is the same letter.
    if response.status_code == 401 or response.data == b"failure":
        assert letterbox.all_kept() == kept
    else:
        assert letter.path == ALIPAY_PATH
        assert _same_form(body, letter.body)


def _same_form(one: bytes, other: bytes) -> bool:
    from urllib.parse import parse_qsl

    return parse_qsl(one, keep_blank_values=True) == parse_qsl(other, keep_blank_values=True)


def test_nothing_of_any_letter_reaches_the_log(letterbox):
    """Good, bad and broken letters, each full of a word that must not be found."""
    good = [
        letterbox.wechat(letterbox.wechat_transaction(attach=CANARY, payer={"openid": CANARY})),
        letterbox.alipay(letterbox.alipay_fields(subject=CANARY, buyer_open_id=CANARY, passback_params=CANARY)),
    ]
    bad = [
        letterbox.wechat(letterbox.wechat_transaction(appid=CANARY)),
        letterbox.wechat(letterbox.wechat_transaction(), **{"Wechatpay-Serial": CANARY, "Wechatpay-Nonce": CANARY}),
        letterbox.alipay(letterbox.alipay_fields(app_id=CANARY)),
        letterbox.alipay(letterbox.alipay_fields(subject=CANARY), by="a thief"),
        Letter(WECHAT_PATH, CANARY.encode(), {"X-Request-ID": CANARY, "User-Agent": CANARY}),
        Letter(ALIPAY_PATH, f"{CANARY}={CANARY}&sign={CANARY}".encode(), PLAIN),
        Letter(f"/webhooks/alipay/{CANARY}", b"", PLAIN),
    ]
    for letter in good + bad:
        letterbox.post(letter)
    letterbox.ports, kept = letterbox.reading, letterbox.ports
    letterbox.lose_database()
    for letter in good:
        letterbox.post(letter)
    letterbox.ports = kept

    log = letterbox.log.getvalue()
    assert len(letterbox.logged()) >= len(bad)
    assert CANARY not in log
    assert base64.b64encode(CANARY.encode()).decode().rstrip("=") not in log


def test_a_flood_of_forgeries_is_counted_whole_and_told_in_a_few_lines(letterbox):
    before = refusals()

    for _ in range(200):
        letterbox.post(Letter(WECHAT_PATH, b"{}", PLAIN))

    assert refusals() == before + 200
    # The minute may turn once meanwhile.
    assert 60 <= len(letterbox.logged()) <= 120


def test_a_crash_in_the_door_is_not_acknowledged_and_tells_nothing(letterbox):
    class Broken:
        def __init__(self, channel: str) -> None:
            self.channel = channel

        def open_notice(self, *_: object, **__: object) -> None:
            raise RuntimeError(CANARY)

    from dataclasses import replace

    broken = {WECHAT: Broken("wechat_pay"), ALIPAY: Broken("alipay")}
    letterbox.app.extensions["canbao.ports"] = replace(letterbox.reading, payments=broken)

    wechat, alipay = letterbox.post(Letter(WECHAT_PATH, b"{}", {})), letterbox.post(Letter(ALIPAY_PATH, b"a=1", {}))

    assert wechat.status_code == 503
    assert alipay.data == b"failure"
    assert CANARY not in letterbox.log.getvalue()
    assert [line["event"] for line in letterbox.logged()] == ["notice.failed"] * 2


def test_what_is_kept_is_sealed_and_opens_to_the_very_bytes(letterbox):
    fields = letterbox.alipay_fields(subject=CANARY, charset="gbk")
    letter = letterbox.alipay(fields, encoding="gbk")

    assert letterbox.post(letter).data == b"success"

    from models.inbox import Notice

    ((row_id, sealed),) = letterbox.world.rows(
        "SELECT id, content_sealed FROM notices WHERE payment_no = :no", no=fields["out_trade_no"]
    )
    assert CANARY.encode() not in bytes(sealed)
    assert letterbox.ports.seals.open_bytes(bytes(sealed), place=Notice.content_place(row_id)) == letter.body
