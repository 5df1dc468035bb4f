"""Whatever arrives, the JSON door answers with a problem that is in its document: never a crash, never a hang, nothing kept."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.doors import contract
from tests.doors.house import API, Phone
from tests.doors.stories import GOOD

OPERATIONS = contract.operations()
WITH_BODY = sorted(name for name, (method, _, _) in OPERATIONS.items() if method in ("POST", "PATCH"))
CREATING = sorted(
    name
    for name, (_, _, operation) in OPERATIONS.items()
    if any(p["name"] == "Idempotency-Key" for p in operation.get("parameters", ()))
)
EITHER_OR = {"add_phone": "code", "change_tier": "tier"}
"""Operations that take one of two sets of fields, none of them required by itself: which one an empty body is told to lack."""
DEEP = 60_000
CANARY = "CANARY7777"

RAW: dict[str, tuple[bytes, str, str]] = {
    "nested lists": (b"[" * DEEP + b"]", "application/json", "JSON_TOO_DEEP"),
    "nested objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "application/json", "JSON_TOO_DEEP"),
    "nested behind a text of brackets": (
        b'{"a":"' + b"]" * 20_000 + b'","b":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        "application/json",
        "JSON_TOO_DEEP",
    ),
    "never ending text": (b'{"a":"' + b'\\"' * 30_000 + b"\\", "application/json", "REQUEST_MALFORMED"),
    "a huge integer": (b'{"a":' + b"9" * 5_000 + b"}", "application/json", "REQUEST_MALFORMED"),
    "beyond BIGINT": (b'{"a":9223372036854775808}', "application/json", "REQUEST_MALFORMED"),
    "a huge exponent": (b'{"a":1e999}', "application/json", "REQUEST_MALFORMED"),
    "NaN": (b'{"a":NaN}', "application/json", "REQUEST_MALFORMED"),
    "Infinity": (b'{"a":-Infinity}', "application/json", "REQUEST_MALFORMED"),
    "a name that stands twice": (b'{"name":"a","name":"b"}', "application/json", "REQUEST_MALFORMED"),
    "not UTF-8": ('{"name":"张三"}'.encode("gbk"), "application/json", "REQUEST_MALFORMED"),
    "UTF-16": ('{"name":"张三"}'.encode("utf-16"), "application/json; charset=utf-16", "REQUEST_MALFORMED"),
    "a byte order mark": (b'\xef\xbb\xbf{"a":1}', "application/json", "REQUEST_MALFORMED"),
    "half an object": (b'{"a":', "application/json", "REQUEST_MALFORMED"),
    "two objects": (b"{}{}", "application/json", "REQUEST_MALFORMED"),
    "a list": (b"[]", "application/json", "REQUEST_MALFORMED"),
    "a text": (b'"text"', "application/json", "REQUEST_MALFORMED"),
    "null": (b"null", "application/json", "REQUEST_MALFORMED"),
    "gzip": (b"\x1f\x8b\x08\x00abc", "application/json", "REQUEST_MALFORMED"),
    "NUL bytes": (b"\x00" * 100, "application/json", "REQUEST_MALFORMED"),
    "a NUL in a text": (b'{"name":"a\\u0000b"}', "application/json", "FIELDS_INVALID"),
    "half a surrogate pair": (b'{"name":"a\\ud800"}', "application/json", "FIELDS_INVALID"),
    "half a surrogate pair as a name": (b'{"\\udfff":1}', "application/json", "FIELDS_INVALID"),
    "an unknown field": (b'{"is_admin":true}', "application/json", "FIELDS_INVALID"),
    "a form": (b"a=1", "application/x-www-form-urlencoded", "JSON_EXPECTED"),
    "a text file": (b"{}", "text/plain", "JSON_EXPECTED"),
    "another JSON": (b"{}", "application/vnd.api+json", "JSON_EXPECTED"),
    "over 64 KiB": (b'{"a":"' + b"x" * 65_536 + b'"}', "application/json", "REQUEST_TOO_LARGE"),
}
"""What it is → the bytes, their type, and what they are answered with, at every operation that takes a body."""


@pytest.mark.parametrize("operation", WITH_BODY)
def test_garbage_is_told_apart_and_leaves_nothing(house, operation):
    ask = GOOD[operation](house)
    phone = house.phone(ask.account)
    before = house.row_counts()

    for why, (raw, content_type, code) in RAW.items():
        started = time.perf_counter()
        response = phone.ask(ask.method, ask.path, raw=raw, content_type=content_type)
        assert response.json["code"] == code, why
        assert time.perf_counter() - started < 5, why

    assert house.row_counts() == before
    assert ask.send(house).status_code < 300


def test_half_a_body_is_malformed(house):
    torn = {"wsgi.input": Torn(), "CONTENT_LENGTH": "100", "CONTENT_TYPE": "application/json"}

    response = house.app.test_client().post(f"{API}/sessions", environ_overrides=torn)

    assert response.json["code"] == "REQUEST_MALFORMED"


class Torn:
    """A body that ends in the middle, as a server's stream tells it."""

    def read(self, _size: int = -1) -> bytes:
        raise OSError("chunk without an end")

    readline = readinto = read


@pytest.mark.parametrize("length", [64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 64 * 1024 + 2, 200_000])
@pytest.mark.parametrize("chunked", [True, False])
def test_the_limit_holds_to_the_byte_however_the_length_is_told(house, chunked, length):
    good = json.dumps({"miniprogram": "jiangsu-tax-wechat", "code": "c0de"}).encode()
    unsaid = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}

    # White space behind the JSON: cut off in the middle, it would still be a good request.
    response = house.app.test_client().post(
        f"{API}/sessions",
        data=good + b" " * (length - len(good)),
        content_type="application/json",
        environ_overrides=unsaid if chunked else {},
    )

    assert response.status_code == (201 if length <= 64 * 1024 else 413)


@pytest.mark.parametrize("operation", WITH_BODY)
def test_no_content_type_is_not_json(house, operation):
    ask = GOOD[operation](house)

    assert house.phone(ask.account).ask(ask.method, ask.path, raw=b"{}", content_type=None).json["code"] == "JSON_EXPECTED"


@pytest.mark.parametrize("operation", WITH_BODY)
def test_a_wrong_field_is_named(house, operation):
    ask = GOOD[operation](house)
    unknown = ask.send(house, given={**(ask.given or {}), "is_admin": True})
    told = {"unknown": unknown.json["errors"]}

    for name in OPERATIONS[operation][2]["requestBody"]["content"]["application/json"]["schema"].get("required", ()):
        left_out = {each: value for each, value in (ask.given or {}).items() if each != name}
        told[name] = ask.send(house, given=left_out).json["errors"]

    assert told.pop("unknown") == {"is_admin": ["没有这一项"]}
    assert all(told[name][name] == ["必填"] for name in told)


@pytest.mark.parametrize("operation", WITH_BODY)
def test_an_empty_body_misses_every_field(house, operation):
    schema = contract.resolve(OPERATIONS[operation][2]["requestBody"]["content"]["application/json"]["schema"])
    ask = GOOD[operation](house)

    response = house.phone(ask.account).ask(ask.method, ask.path, raw=b"", content_type="application/json")

    if operation in EITHER_OR:
        assert response.json["errors"] == {EITHER_OR[operation]: ["必填"]}
    elif schema.get("required"):
        assert response.json["errors"] == {name: ["必填"] for name in schema["required"]}
    else:
        assert response.status_code < 300


@pytest.mark.parametrize("operation", CREATING)
def test_a_creating_post_needs_a_key(house, operation):
    ask = GOOD[operation](house)
    before = house.row_counts()
    keys = [None, "short", "x" * 65, "has a space", "clé-clé-clé", "tab\tbed-key", "\x00" * 10]

    for key in keys:
        response = house.phone(ask.account).ask(ask.method, ask.path, ask.given, key=key)
        assert response.json["code"] == "IDEMPOTENCY_KEY_MISSING", key

    assert house.row_counts() == before
    assert ask.send(house, key="x" * 64).status_code < 300


ODD_PATHS = [
    "/payment-orders/%00" + "0" * 23,
    "/payment-orders/" + "%00" * 24,
    "/payment-orders/" + "%ED%A0%80" * 24,
    "/payment-orders/" + "%FF" * 24,
    "/payment-orders/" + "%F0%9F%98%80" * 24,
    "/payment-orders/" + "0" * 5000,
    "/payment-orders/..%2F..%2Fme",
    "/regions/%00%00%00%00%00%00",
    "/regions/......",
    "/regions/３２０４００",
    "/insured-persons/not-a-uuid/bills",
    "/insured-persons/00000000-0000-0000-0000-000000000000/bills",
    "/insured-persons/%00/bills",
    "/consents/1%27%20OR%201=1",
    "/identity/face-checks/%E2%80%AE",
    "/me/",
    "//me",
    "/ME",
    "/nowhere",
    "/",
    "",
]


@pytest.mark.parametrize("path", ODD_PATHS)
def test_an_odd_path_is_not_found(house, path):
    phone = house.phone(house.world.account())

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        assert phone.ask(method, path).status_code in (404, 405)


@pytest.mark.parametrize("query", ["a=%00", "%00=1", "a=%ED%A0%80", "a=%FF&b[]=1", "&&&==", "a=" + "x" * 3000])
def test_no_query_is_read_so_none_does_harm(house, query):
    phone = house.phone(house.world.account())

    assert phone.get(f"/me?{query}").status_code == 200


@pytest.mark.parametrize("value", ["\x00", "\ud800", "a\x7f", "é" * 30, "x" * 6000, "{}" * 50])
@pytest.mark.parametrize("name", ["Authorization", "Idempotency-Key", "X-Request-ID", "Accept", "Content-Language", "Cookie"])
def test_odd_headers_do_no_harm(house, name, value):
    ask = GOOD["create_consent"](house)
    environ = {
        "REQUEST_METHOD": "POST",
        "HTTP_" + name.upper().replace("-", "_"): value,
        **({"HTTP_AUTHORIZATION": f"Bearer {house.token(ask.account)}"} if name != "Authorization" else {}),
    }

    response = house.app.test_client().open(
        f"{API}{ask.path}",
        method="POST",
        data=json.dumps(ask.given),
        content_type="application/json",
        environ_overrides=environ,
    )

    assert response.status_code in (400, 401)


@pytest.mark.parametrize(
    "path",
    ["/api/v1x/me", "/api", "/api/v1", "/api/v2/me", "/favicon.ico", "/openapi.json/x", "/webhooks/alipay/jiangsu-tax-alipay"],
)
def test_beyond_the_api_nothing_is_served(house, path):
    assert house.app.test_client().post(path, data=b"{", content_type="application/json").status_code in (404, 405)


def test_every_other_method_is_refused_by_name(house):
    phone = house.phone(house.world.account())

    for method, path in [
        ("PUT", "/me"),
        ("DELETE", "/me"),
        ("GET", "/sessions"),
        ("PATCH", "/payment-orders"),
        ("TRACE", "/me"),
    ]:
        response = phone.ask(method, path)
        assert response.json["code"] == "METHOD_NOT_ALLOWED"
        assert set(response.headers["Allow"].split(", ")) >= {"OPTIONS"}


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_a_crash_says_nothing_of_its_cause(house, operation):
    ask = GOOD[operation](house)
    phone = house.phone(ask.account)

    class Broken:
        def __getattr__(self, name: str):
            raise RuntimeError(f"{CANARY} 张三丰 {name}")

    house.app.extensions["canbao.ports"] = Broken()
    response = phone.ask(ask.method, ask.path, ask.given)

    assert response.json["code"] == "INTERNAL"
    assert CANARY not in response.get_data(as_text=True)
    assert CANARY not in house.log.getvalue()
    assert house.logged()[-1] | {"event": "request.failed", "fault": "RuntimeError"} == house.logged()[-1]


@pytest.mark.parametrize("operation", sorted(OPERATIONS.keys() - {"list_regions", "read_region"}))
def test_a_lost_database_is_said_to_be_busy_and_comes_back(house, operation):
    ask = GOOD[operation](house)
    phone = house.phone(ask.account)

    house.lose_database()
    response = phone.ask(ask.method, ask.path, ask.given, raw=ask.raw)
    house.find_database()

    assert response.json["code"] == "BUSY"
    assert phone.ask(ask.method, ask.path, ask.given, raw=ask.raw).status_code < 300


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**17),
    st.floats(),
    st.text(max_size=80),
    st.text(st.characters(categories=["Cs", "Cc", "Co", "Lo"]), max_size=10),
    st.sampled_from(
        ["", " ", "\n", "0" * 24, "13800138000\n", "jiangsu-tax-wechat", "REAL_NAME", "${7*7}", "' OR 1=1 --", "张三"]
    ),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12
)


@pytest.mark.parametrize("operation", WITH_BODY)
@settings(max_examples=25)
@given(data=st.data())
def test_no_body_breaks_the_door(house, operation, data):
    ask = _once(house, operation)
    names = sorted(ask.given or {"x": 1})
    twisted = data.draw(
        st.one_of(
            st.dictionaries(st.sampled_from(names) | st.text(max_size=8), VALUES, max_size=6),
            st.tuples(st.sampled_from(names), VALUES).map(lambda pair: {**(ask.given or {}), pair[0]: pair[1]}),
        )
    )
    raw = data.draw(st.just(json.dumps(twisted).encode()) | st.binary(max_size=200), label="raw")

    # The judge inside refuses any answer that the document does not promise, and INTERNAL is no answer to words.
    response = house.phone(ask.account).ask(ask.method, ask.path, raw=raw)

    assert response.status_code != 500


def _once(house, operation):
    # Hypothesis asks many times in one test; the furniture is made once.
    if not hasattr(house, "asks"):
        house.asks = {}
    if operation not in house.asks:
        house.asks[operation] = replace(GOOD[operation](house))
    return house.asks[operation]


def test_text_that_looks_right_to_the_end_of_its_line_is_looked_at_whole(house):
    ask = GOOD["prove_name"](house)

    assert ask.send(house, given={**ask.given, "phone": "13800138000\n"}).json["errors"] == {"phone": ["格式不对"]}
    assert ask.send(house, given={**ask.given, "phone": "1３800138000"}).json["errors"] == {"phone": ["格式不对"]}
    assert Phone(house).post("/sessions", {"miniprogram": "", "code": ""}).json["code"] == "FIELDS_INVALID"
