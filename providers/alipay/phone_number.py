"""What my.getPhoneNumber gives to the phone: a text signed by Alipay and sealed with the app's own AES key."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NoReturn

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from providers.alipay.signing import SIGN_TYPE
from providers.keys import rsa_verifies
from providers.protocols import BadSignature, ProviderRefused, ProviderUnreachable
from providers.reading import json_object, maybe_text, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

SUCCESS = "10000"
THEIR_TROUBLE = ("isp.", "aop.")
# The app was not granted this, or its keys are not set up: staff can put it right, and the person at the phone cannot.
OUR_TROUBLE = frozenset({"isv.insufficient-isv-permissions", "isv.invalid-auth-relations", "isv.missing-encrypt-key"})
ZEROS = bytes(AES.block_size // 8)
"""Their initial vector is always zero."""


def open_phone_number(pressed: Mapping[str, str], *, key: RSAPublicKey, aes_key: bytes) -> str:
    """The number in `response`. Raises BadSignature, ProviderRefused with their code, ProviderUnreachable."""
    response, signature = pressed.get("response", ""), pressed.get("sign", "")
    if not signature:
        raise BadSignature("missing_signature")
    if pressed.get("sign_type", SIGN_TYPE) != SIGN_TYPE:
        raise BadSignature("unknown_signature_type")
    # Alipay signs the JSON value as it stood in its answer: an error is an object, the sealed text a string with its quotes.
    is_plain = response.startswith("{")
    if not rsa_verifies(key, signature, (response if is_plain else f'"{response}"').encode()):
        raise BadSignature("signature")
    try:
        told = json_object(response if is_plain else _opened(response, aes_key))
        code = text(told, "code")
        if code == SUCCESS and not is_plain:
            return text(told, "mobile", limit=32)
        _refuse(told, code)
    except ValueError:
        # Signed by Alipay and not to be opened: as a rule another AES key than the one in their console.
        raise ProviderUnreachable("alipay: phone number that cannot be read") from None


def _opened(response: str, aes_key: bytes) -> bytes:
    sealed = base64.b64decode(response, validate=True)
    worker = Cipher(AES(aes_key), CBC(ZEROS)).decryptor()
    remover = PKCS7(AES.block_size).unpadder()
    return remover.update(worker.update(sealed) + worker.finalize()) + remover.finalize()


def _refuse(told: Mapping[str, Any], code: str) -> NoReturn:
    word = (maybe_text(told, "subCode") or maybe_text(told, "sub_code") or code)[:64]
    if word.startswith(THEIR_TROUBLE):
        raise ProviderUnreachable(f"alipay: {word}")
    raise ProviderRefused(word, permanent=word not in OUR_TROUBLE)
