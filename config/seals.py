"""Seals: personal data at rest, readable only with a key and only in the place it was sealed for.

A seal is `version | key id | nonce | ciphertext + tag`, bound (as associated data) to `table.column:row id`, so that a sealed
value copied to another row or column does not open. Look-ups go through a blind index (HMAC-SM3 with a key of its own).
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SM3
from cryptography.hazmat.primitives.hmac import HMAC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

VERSION: Final = 1
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
INDEX_KEY_BYTES: Final = 32


class SealBroken(Exception):
    """The seal does not open: another place, another key, or altered bytes. Nothing of the content is in the message."""


class UnknownSealKey(SealBroken):
    """Sealed with a key that this process was not given."""


class SealKeysFault(Exception):
    """The seal key file cannot be used; the sentence says what to mend."""


class _Algorithm(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...
    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...


class _Sm4Gcm:
    """SM4-GCM with the same face as AESGCM."""

    def __init__(self, key: bytes) -> None:
        self._algorithm = algorithms.SM4(key)

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        worker = Cipher(self._algorithm, modes.GCM(nonce)).encryptor()
        worker.authenticate_additional_data(associated_data)
        return worker.update(data) + worker.finalize() + worker.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        if len(data) < TAG_BYTES:
            raise InvalidTag
        worker = Cipher(self._algorithm, modes.GCM(nonce, data[-TAG_BYTES:])).decryptor()
        worker.authenticate_additional_data(associated_data)
        return worker.update(data[:-TAG_BYTES]) + worker.finalize()


ALGORITHMS: Final[dict[str, tuple[Callable[[bytes], _Algorithm], int]]] = {
    "SM4-GCM": (_Sm4Gcm, 16),
    "AES-256-GCM": (AESGCM, 32),
}
"""Name in the key file → (cipher, key length in bytes)."""


@dataclass(frozen=True)
class Seals:
    """All seal keys of this installation: one seals, all of them open."""

    current: str
    _keys: Mapping[str, _Algorithm] = field(repr=False)
    _index_key: bytes = field(repr=False)

    def seal(self, text: str, *, place: str) -> bytes:
        """Seal a text for one place, `table.column:row id`."""
        return self.seal_bytes(text.encode(), place=place)

    def open(self, sealed: bytes, *, place: str) -> str:
        """Open what was sealed for this very place. Raises SealBroken."""
        return self.open_bytes(sealed, place=place).decode()

    def seal_bytes(self, content: bytes, *, place: str) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        head = bytes([VERSION, len(self.current)]) + self.current.encode()
        return head + nonce + self._keys[self.current].encrypt(nonce, content, place.encode())

    def open_bytes(self, sealed: bytes, *, place: str) -> bytes:
        key_id, nonce, content = _parts(bytes(sealed))
        key = self._keys.get(key_id)
        if key is None:
            raise UnknownSealKey(f"sealed with key {key_id!r}, which is not in the seal key file")
        try:
            return key.decrypt(nonce, content, place.encode())
        except InvalidTag:
            raise SealBroken(f"a seal does not open at {place.split(':', maxsplit=1)[0]}") from None

    def index(self, *parts: str) -> bytes:
        """The blind index of a normalised value: equal values, equal indexes, and no way back. 32 bytes."""
        worker = HMAC(self._index_key, SM3())
        # Lengths keep ("ab", "c") apart from ("a", "bc").
        for part in parts:
            data = part.encode()
            worker.update(len(data).to_bytes(4, "big") + data)
        return worker.finalize()

    def same(self, one: bytes, other: bytes) -> bool:
        """Compare two indexes in constant time."""
        return hmac.compare_digest(one, other)


def _parts(sealed: bytes) -> tuple[str, bytes, bytes]:
    if len(sealed) < 2 + NONCE_BYTES + TAG_BYTES or sealed[0] != VERSION:
        raise SealBroken("these bytes are not a seal")
    cut = 2 + sealed[1]
    return sealed[2:cut].decode("ascii", "replace"), sealed[cut : cut + NONCE_BYTES], sealed[cut + NONCE_BYTES :]


def load_seals(path: Path) -> Seals:
    """Read the seal key file. Raises SealKeysFault with the file, what is wrong and a right example."""
    try:
        given = json.loads(path.read_text())
        keys: dict[str, _Algorithm] = {}
        for key_id, entry in given["keys"].items():
            cipher, length = ALGORITHMS[entry["algorithm"]]
            key = base64.b64decode(entry["key"], validate=True)
            if len(key) != length:
                raise SealKeysFault(
                    f"{path.name}: keys.{key_id}.key: {entry['algorithm']} needs {length} bytes in base64, not {len(key)}"
                )
            keys[key_id] = cipher(key)
        index_key = base64.b64decode(given["index_key"], validate=True)
        current = given["current"]
    except FileNotFoundError:
        raise SealKeysFault(f"{path.name} is missing from the secrets folder; make one with: canbao seal-keys new") from None
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise SealKeysFault(
            f"{path.name}: not a seal key file ({type(fault).__name__}); a right one looks like "
            '{"current": "k1", "keys": {"k1": {"algorithm": "SM4-GCM", "key": "<16 bytes in base64>"}}, "index_key": "<32 bytes in base64>"}'
        ) from None
    if current not in keys:
        raise SealKeysFault(f"{path.name}: current: {current!r} is not among keys, such as {next(iter(keys), 'k1')!r}")
    if len(index_key) < INDEX_KEY_BYTES:
        raise SealKeysFault(f"{path.name}: index_key: needs {INDEX_KEY_BYTES} bytes in base64, not {len(index_key)}")
    return Seals(current, keys, index_key)


def new_seal_keys(algorithm: str = "SM4-GCM") -> str:
    """The text of a fresh seal key file with one key."""
    _, length = ALGORITHMS[algorithm]
    key = base64.b64encode(secrets.token_bytes(length)).decode()
    index_key = base64.b64encode(secrets.token_bytes(INDEX_KEY_BYTES)).decode()
    return (
        json.dumps({"current": "k1", "keys": {"k1": {"algorithm": algorithm, "key": key}}, "index_key": index_key}, indent=2)
        + "\n"
    )
