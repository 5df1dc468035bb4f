"""Sealed blobs: each under a key of its own, which stands sealed in a row. Turning the seal keys turns the row; no blob moves.

A blob is `version | nonce | ciphertext + tag`, bound (as associated data) to its place, so that one copied over another does not
open. Who erases the row's key has erased every copy of the blob, also in backups.
"""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag

from config.seals import ALGORITHMS, NONCE_BYTES, TAG_BYTES, SealBroken, random_key

if TYPE_CHECKING:
    from config.seals import Algorithm

VERSION: Final = b"\x01"


def new_blob_key(algorithm: str) -> str:
    """A fresh key for one blob, as a text that a seal can hold: `SM4-GCM:…`."""
    _, length = ALGORITHMS[algorithm]
    return f"{algorithm}:{random_key(length)}"


def seal_blob(content: bytes, *, key: str, place: str) -> bytes:
    """Seal some megabytes for one place, `table:row id`."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return VERSION + nonce + _cipher(key).encrypt(nonce, content, place.encode())


def open_blob(sealed: bytes, *, key: str, place: str) -> bytes:
    """Open what was sealed with this key for this very place. Raises SealBroken."""
    if len(sealed) < len(VERSION) + NONCE_BYTES + TAG_BYTES or not sealed.startswith(VERSION):
        raise SealBroken("these bytes are no sealed blob")
    cut = len(VERSION) + NONCE_BYTES
    try:
        return _cipher(key).decrypt(sealed[len(VERSION) : cut], sealed[cut:], place.encode())
    except InvalidTag:
        raise SealBroken(f"a blob does not open at {place.split(':', maxsplit=1)[0]}") from None


def _cipher(key: str) -> Algorithm:
    algorithm, _, encoded = key.partition(":")
    try:
        cipher, length = ALGORITHMS[algorithm]
        bare = base64.b64decode(encoded, validate=True)
    except (KeyError, ValueError):
        raise SealBroken("this is no key of a blob") from None
    if len(bare) != length:
        raise SealBroken("this is no key of a blob")
    return cipher(bare)
