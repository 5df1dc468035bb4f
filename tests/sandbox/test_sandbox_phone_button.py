"""The phone-number button of either platform, opened from the other side with nothing but what the portals gave."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from sandbox_story import ALI_APP, WX_APP

from sandbox.remote import SandboxRefusedError


def verified(given, signed: str, secrets) -> None:
    key = serialization.load_pem_public_key((secrets / f"alipay-{ALI_APP}-alipay-public-key.pem").read_bytes())
    key.verify(base64.b64decode(given["sign"], validate=True), signed.encode(), padding.PKCS1v15(), hashes.SHA256())


def test_alipay_gives_a_sealed_number_whose_quotes_are_signed_too(remote, secrets):
    user = remote.make_user(ALI_APP, phone="13900000001")

    given = remote.press_phone_button(ALI_APP, user["user_id"])

    assert (given["sign_type"], given["encrypt_type"], given["charset"]) == ("RSA2", "AES", "UTF-8")
    verified(given, f'"{given["response"]}"', secrets)
    aes_key = base64.b64decode((secrets / f"alipay-{ALI_APP}-aes-key.txt").read_text())
    worker = Cipher(algorithms.AES(aes_key), modes.CBC(bytes(16))).decryptor()
    plain = worker.update(base64.b64decode(given["response"])) + worker.finalize()
    assert json.loads(plain[: -plain[-1]]) == {"code": "10000", "msg": "Success", "mobile": "13900000001"}


def test_alipays_error_is_in_the_clear_and_signed_without_quotes(remote, secrets):
    user = remote.make_user(ALI_APP)

    given = remote.press_phone_button(ALI_APP, user["user_id"], refuse=True)

    verified(given, given["response"], secrets)
    assert json.loads(given["response"])["subCode"] == "isv.invalid-auth-relations"


def test_wechat_gives_a_code(remote):
    user = remote.make_user(WX_APP)

    assert remote.press_phone_button(WX_APP, user["user_id"]).keys() == {"code"}


def test_nobody_presses_anothers_button(remote):
    user = remote.make_user(WX_APP)

    with pytest.raises(SandboxRefusedError):
        remote.press_phone_button(ALI_APP, user["user_id"])


def test_the_latest_code_of_a_phone_is_found_and_only_that_phones(remote):
    with pytest.raises(LookupError):
        remote.sms_code("13900000002")
