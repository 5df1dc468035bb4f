"""What a platform's phone-number button gives to the mini-program: a code on WeChat, a signed and sealed text on Alipay."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from sandbox import keys, users

if TYPE_CHECKING:
    from sandbox.core import Core
    from sandbox.store import Row

DEFAULT_PHONE = "13800000000"
BLOCK_BITS = 128
REFUSED = {
    "code": "40003",
    "msg": "Insufficient Conditions",
    "subCode": "isv.invalid-auth-relations",
    "subMsg": "无效的授权关系",
}


def press(core: Core, *, app_id: str, user_id: str, refuse: bool = False) -> dict[str, str]:
    """Press it: {code} on WeChat, {response, sign, sign_type, encrypt_type, charset} on Alipay, where `refuse` gives its error."""
    user = users.find(core.store, user_id)
    if user is None or user["app_id"] != app_id:
        raise users.UnknownError(f"no user {user_id} under app {app_id}")
    if user["platform"] == "wechat":
        return {"code": users.make_code(core, app_id=app_id, user_id=user_id, kind="phone")}
    return _signed(core, user, refuse=refuse)


def _signed(core: Core, user: Row, *, refuse: bool) -> dict[str, str]:
    pair = core.keys.alipay[user["app_id"]]
    if refuse:
        response = signed = json.dumps(REFUSED, ensure_ascii=False, separators=(",", ":"))
    else:
        inner = {"code": "10000", "msg": "Success", "mobile": user["phone"] or DEFAULT_PHONE}
        response = seal(json.dumps(inner, separators=(",", ":")).encode(), aes_key=pair.aes_key)
        signed = f'"{response}"'
    return {
        "response": response,
        "sign": keys.sign(pair.alipay_private, signed.encode()),
        "sign_type": "RSA2",
        "encrypt_type": "AES",
        "charset": "UTF-8",
    }


def seal(content: bytes, *, aes_key: str) -> str:
    """AES-128-CBC, an initial vector of zeros, PKCS7, base64: Alipay's way."""
    padder = PKCS7(BLOCK_BITS).padder()
    padded = padder.update(content) + padder.finalize()
    worker = Cipher(algorithms.AES(base64.b64decode(aes_key)), modes.CBC(bytes(BLOCK_BITS // 8))).encryptor()
    return base64.b64encode(worker.update(padded) + worker.finalize()).decode("ascii")
