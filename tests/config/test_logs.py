"""Logs: whatever somebody passes to a logger, no line holds a person's number, phone, card, name or token."""

from __future__ import annotations

import io
import json
import logging
from datetime import date

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from config.logs import STRUCK, logger, set_up_logs, strike_out
from tests.factories import an_id_number

CANARIES = [
    "320402199001010017",
    "53010219200508011X",
    "53010219200508011x",
    "13800138000",
    "+8613800138000",
    "86-13800138000",
    "6228480402564890018",
    "6217001234567890122",
    "6212261102001234569",
    "Bearer abc.DEF-123_~+/=",
    "access_token=79_abcdef",
    "js_code=0a1b2c",
    "secret=topsecret",
    "sign=MEUCIQD",
    "CertName=%E5%BC%A0%E4%B8%89",
    "Mobile=13800138000",
]


@pytest.fixture
def lines():
    """A stream that receives every log line, and the old set-up again afterwards."""
    root = logging.getLogger()
    handlers, level, procrastinate = root.handlers[:], root.level, logging.getLogger("procrastinate").level
    config = structlog.get_config()
    stream = io.StringIO()
    set_up_logs(stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("procrastinate").setLevel(procrastinate)
    structlog.configure(**config)
    structlog.contextvars.clear_contextvars()


def told(lines) -> list[dict]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize(
    "say",
    [
        lambda canary: logger("t").info("event", note=canary),
        lambda canary: logger("t").info(f"somebody said {canary}，又说了一遍"),
        lambda canary: logger("t").info("event", deep={"list": [{"note": ("x", canary)}]}),
        lambda canary: logger("t").bind(note=canary).warning("event"),
        lambda canary: structlog.contextvars.bind_contextvars(note=canary) and logger("t").info("event"),
        lambda canary: logger("t").info("event", note=Exception(canary)),
        lambda canary: logging.getLogger("lib").warning("said %s", canary),
        lambda canary: logging.getLogger("lib").warning("GET /x?%s HTTP/1.1", canary),
    ],
    ids=["value", "sentence", "nested", "bound", "context", "object", "stdlib", "url"],
)
def test_no_canary_survives_a_log_line(lines, canary, say):
    say(canary)

    (line,) = told(lines)
    assert canary.casefold() not in json.dumps(line, ensure_ascii=False).casefold()
    assert STRUCK in json.dumps(line)


@pytest.mark.parametrize("canary", CANARIES)
def test_no_canary_survives_a_traceback(lines, canary):
    try:
        int(f"cannot read {canary}")
    except ValueError:
        logger("t").exception("event")

    assert canary not in lines.getvalue()
    assert "ValueError" in lines.getvalue()


@pytest.mark.parametrize(
    "key",
    [
        "name",
        "Name",
        "id_number",
        "phone",
        "token",
        "code",
        "openid",
        "subject",
        "body",
        "raw",
        "session_key",
        "authorization",
        "certName",
        "cert_name",
        "CertNo",
        "idNumber",
        "IDNumber",
        "cardNumber",
        "CardNo",
        "MetaInfo",
        "metaInfo",
        "UserName",
        "IdentifyNum",
        "phoneNumber",
        "purePhoneNumber",
        "PhoneNumbers",
        "accessToken",
        "Set-Cookie",
        "appSecret",
        "buyer_open_id",
        "certify-id",
    ],
)
def test_some_fields_never_show_whatever_they_hold(lines, key):
    logger("t").info("event", **{key: "张三丰"}, deep={key: ["张三丰"]})

    assert "张三丰" not in lines.getvalue()


@pytest.mark.parametrize(
    "sentence",
    [
        '{"certName": "张三丰"}',
        "{'name': '张三丰', 'amount': 1}",
        'sent {"UserName":"张三丰","x":1} to them',
        '{"metaInfo" : "张三丰"}',
        "{'open_id': '张三丰'}",
    ],
)
def test_json_inside_a_sentence_is_struck_out_too(lines, sentence):
    logger("t").info("event", note=sentence)
    logging.getLogger("lib").warning("said %s", sentence)

    assert "张三丰" not in lines.getvalue()


@pytest.mark.parametrize("number", [320402199001010017, 13800138000, 6228480402564890018])
def test_numbers_that_travel_as_numbers_are_struck_out_too(lines, number):
    logger("t").info("event", note=number, deep=[number])

    assert str(number) not in lines.getvalue()


def test_what_staff_need_stays_readable(lines):
    logger("t").info(
        "payment.settled",
        payment_no="0A1B2C3D4E5F6G7H8J9K0L1M",
        amount_fen=160_000,
        outcome="PAID",
        at="2026-11-21T02:00:00Z",
        ok=True,
    )

    (line,) = told(lines)
    assert (line["event"], line["payment_no"], line["amount_fen"], line["ok"], line["level"]) == (
        "payment.settled",
        "0A1B2C3D4E5F6G7H8J9K0L1M",
        160_000,
        True,
        "info",
    )


@given(
    sequence=st.integers(0, 499),
    born=st.dates(min_value=date(1930, 1, 1)),
    before=st.sampled_from(["", " ", "：", "(", "\n", '"']),
)
def test_every_id_number_is_struck_out_wherever_it_stands(sequence, born, before):
    number = an_id_number(sequence, born=f"{born:%Y%m%d}")

    assert number not in strike_out(f"身份证{before}{number}，核对")


@given(st.text(max_size=200))
def test_striking_out_twice_is_striking_out_once(text):
    assert strike_out(strike_out(text)) == strike_out(text)
