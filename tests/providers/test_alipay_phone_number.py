"""What my.getPhoneNumber gave: opened with the app's own key, and only if Alipay signed it as it stands."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from providers.alipay.client import AlipayClient
from providers.alipay.login import AlipayLogin
from providers.http import Line
from providers.keys import KeyFileError, load_aes_key
from providers.protocols import BadSignature, ProviderRefused, ProviderUnreachable
from tests.providers import wire

AES_KEY = base64.b64decode("1234567890abcdefghijkA==")
VECTOR = "HSr3ItKbqcVjdhOjq1OOWYnG30S7/wB2H5mm853C8AXGibk1VzbRtk0YeGtektjoBpSAGo3m3LHGxGOWpp353w=="


def sealed(content: bytes, *, key: bytes = AES_KEY, pad: bytes | None = None) -> str:
    """As the fact sheet tells it: AES-128-CBC, sixteen zero bytes, PKCS7."""
    count = 16 - len(content) % 16
    worker = Cipher(algorithms.AES(key), modes.CBC(b"\0" * 16)).encryptor()
    return base64.b64encode(
        worker.update(content + (bytes([count]) * count if pad is None else pad)) + worker.finalize()
    ).decode()


def pressed(response: str, *, by: str = "alipay", signed: str | None = None, **changes: str) -> dict[str, str]:
    text = signed if signed is not None else response if response.startswith("{") else f'"{response}"'
    return {
        "response": response,
        "sign": wire.signed(by, text.encode()),
        "sign_type": "RSA2",
        "encrypt_type": "AES",
        "charset": "UTF-8",
        **changes,
    }


def number(**more: object) -> str:
    return sealed(json.dumps({"code": "10000", "msg": "Success", "mobile": "13800000000", **more}).encode())


@pytest.fixture(scope="module")
def client():
    # Nobody is there: what the phone brought is opened without a call.
    line = Line(provider="alipay", base_url="http://127.0.0.1:1/gateway.do")
    yield AlipayClient(line=line, app_id="2021", private_key=wire.key("app"), alipay_public_key=wire.key("alipay").public_key())
    line.close()


@pytest.fixture(scope="module")
def login(client):
    return AlipayLogin(client=client, aes_key=AES_KEY)


def test_a_number_comes_out_without_a_call(login):
    assert login.phone_number(pressed(number())) == "13800000000"
    assert (
        login.phone_number({name: value for name, value in pressed(number()).items() if name in ("response", "sign")})
        == "13800000000"
    )


def test_a_sealed_text_from_another_program_opens(login):
    """Made with openssl enc -aes-128-cbc -iv 0: not by the code beside it."""
    assert login.phone_number(pressed(VECTOR)) == "13800000000"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "missing_signature"),
        ({"response": number()}, "missing_signature"),
        (pressed(number(), sign=""), "missing_signature"),
        (pressed(number(), sign_type="RSA"), "unknown_signature_type"),
        (pressed(number(), by="app"), "signature"),
        (pressed(number(), sign="not base64!"), "signature"),
        (pressed(number(), signed=number()), "signature"),
        (pressed(number()) | {"response": number(mobile="13900000000")}, "signature"),
        (pressed('{"code":"10000","mobile":"13900000000"}', by="app"), "signature"),
        (pressed('{"code":"40003"}', signed='"{"code":"40003"}"'), "signature"),
    ],
)
def test_what_alipay_did_not_sign_as_it_stands_is_no_number(login, given, reason):
    with pytest.raises(BadSignature) as trouble:
        login.phone_number(given)
    assert trouble.value.reason == reason


@pytest.mark.parametrize(
    ("told", "code", "permanent"),
    [
        ({"code": "40003", "subCode": "isv.invalid-auth-relations"}, "isv.invalid-auth-relations", False),
        ({"code": "40001", "subCode": "isv.missing-encrypt-key"}, "isv.missing-encrypt-key", False),
        ({"code": "40004", "subCode": "isv.user-refused"}, "isv.user-refused", True),
        ({"code": "40002"}, "40002", True),
    ],
)
@pytest.mark.parametrize("hidden", [True, False])
def test_their_refusal_is_told_by_its_code(login, told, code, permanent, hidden):
    text = json.dumps(told)
    with pytest.raises(ProviderRefused) as refusal:
        login.phone_number(pressed(sealed(text.encode()) if hidden else text))
    assert (refusal.value.code, refusal.value.permanent) == (code, permanent)


def test_a_number_in_the_clear_was_not_sealed_for_this_app_and_is_not_taken(login):
    with pytest.raises(ProviderRefused):
        login.phone_number(pressed('{"code":"10000","mobile":"13800000000"}'))


@pytest.mark.parametrize(
    "response",
    [
        sealed(b'{"code":"10000","mobile":"13800000000"}', key=b"0" * 16),
        sealed(b"not JSON"),
        sealed(b'{"code":"10000"}'),
        sealed(b'{"mobile":"13800000000"}'),
        sealed(b'{"code":"10000","mobile":13800000000}'),
        sealed(b'{"code":"10000","mobile":"' + b"1" * 40 + b'"}'),
        sealed(b"x" * 16, pad=b""),
        sealed(b'["10000"]'),
        sealed(b'{"code":"20000","subCode":"isp.unknow-error"}'),
        sealed(b'{"code":"10000","mobile":"\xff"}'),
        base64.b64encode(b"x" * 17).decode(),
        "not base64!",
        "",
        "{",
    ],
)
def test_signed_and_unreadable_is_no_answer(login, response):
    with pytest.raises(ProviderUnreachable) as trouble:
        login.phone_number(pressed(response))
    assert "138" not in str(trouble.value)


def test_without_a_key_the_button_is_refused_for_staff_to_mend(client):
    with pytest.raises(ProviderRefused) as refusal:
        AlipayLogin(client=client).phone_number(pressed(number()))
    assert (refusal.value.code, refusal.value.permanent) == ("NO_AES_KEY", False)


@pytest.mark.parametrize("content", ["", "short", base64.b64encode(b"x" * 32).decode(), "not base64!", "密钥"])
def test_a_key_file_of_another_kind_is_named(tmp_path, content):
    file = tmp_path / "alipay-aes-key.txt"
    file.write_text(content)

    with pytest.raises(KeyFileError, match=r"alipay-aes-key\.txt: expected the app's AES key"):
        load_aes_key(file)


def test_a_key_file_is_read_with_its_line_end(tmp_path):
    file = tmp_path / "key.txt"
    file.write_text(base64.b64encode(AES_KEY).decode() + "\n")

    assert load_aes_key(file) == AES_KEY
