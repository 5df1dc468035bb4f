"""Seals: personal data at rest, readable only with a key and only in the place it was sealed for.

A seal is `version | key id | nonce | ciphertext + tag`, bound (as associated data) to `table.column:row id`, so that a sealed
value copied to another row or column does not open. Look-ups go through a blind index (HMAC-SM3 with a key of its own).
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SM3, Hash
from cryptography.hazmat.primitives.hmac import HMAC

from config.logs import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

log = logger(__name__)

Stamp = tuple[int, int, int]
"""Which file it was, when and how long: another of these, another content."""
VERSION: Final = 1
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
INDEX_KEY_BYTES: Final = 32
LOOK_AGAIN_SECONDS: Final = 5.0
"""How long a process may go on sealing with a key that is no longer the current one."""


class SealBroken(Exception):
    """The seal does not open: another place, another key, or altered bytes. Nothing of the content is in the message."""


class UnknownSealKey(SealBroken):
    """Sealed with a key that this process was not given."""


class SealKeysFault(Exception):
    """The seal key file cannot be used; the sentence says what to mend."""


class Algorithm(Protocol):
    """A cipher with its key."""

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


ALGORITHMS: Final[dict[str, tuple[Callable[[bytes], Algorithm], int]]] = {
    "SM4-GCM": (_Sm4Gcm, 16),
    "AES-256-GCM": (AESGCM, 32),
}
"""Name in the key file → (cipher, key length in bytes)."""


@dataclass(frozen=True)
class KeyRing:
    """What one reading of the seal key file gave."""

    current: str
    keys: Mapping[str, Algorithm] = field(repr=False)
    index_keys: tuple[bytes, ...] = field(repr=False)
    """The one in force, then those before it, as long as a rebuild of the indexes is not through."""


class Seals:
    """All seal keys of this installation: one seals, all of them open.

    The file may change while we run (`canbao seals new-key`): it is looked at again once in a few seconds before sealing, and at
    once where a seal names a key that we have not met. A file that cannot be read leaves the keys as they were.
    """

    def __init__(self, ring: KeyRing, *, path: Path | None = None, stamp: Stamp | None = None) -> None:
        self._ring, self._path, self._stamp = ring, path, stamp
        self._look_again_at = time.monotonic() + LOOK_AGAIN_SECONDS
        self._reading = threading.Lock()

    def __repr__(self) -> str:
        return f"Seals(current={self._ring.current!r})"

    @property
    def current(self) -> str:
        """The id of the key that seals now."""
        return self._fresh().current

    @property
    def key_ids(self) -> list[str]:
        """Of every key in the file."""
        return sorted(self._fresh().keys)

    @property
    def is_rebuilding_indexes(self) -> bool:
        """Whether a rebuild of the indexes was begun and is not through: nobody may look anything up then."""
        return len(self._ring.index_keys) > 1

    @property
    def algorithm(self) -> str:
        """Of the key that seals now, as the key file names it."""
        ring = self._fresh()
        key = ring.keys[ring.current]
        return next(name for name, (cipher, _) in ALGORITHMS.items() if isinstance(key, cipher))  # type: ignore[arg-type]

    def look_again(self, *, wait: bool = True) -> None:
        """Read the file anew if it has changed. `wait` for another thread that is reading it, or go on with the keys we have."""
        self._look_again_at = time.monotonic() + LOOK_AGAIN_SECONDS
        if self._path is None or not self._reading.acquire(blocking=wait):
            return
        try:
            if _stamp_of(self._path.stat()) != self._stamp:
                self._ring, self._stamp = _read(self._path)
                log.info("seal_keys.read_again", current=self._ring.current)
        except (OSError, SealKeysFault) as fault:
            # A key file that is half an operator's doing must not stop those who hold good keys.
            log.error("seal_keys.not_read", fault=type(fault).__name__)  # noqa: TRY400 - no traceback: it could hold a key
        finally:
            self._reading.release()

    def _fresh(self) -> KeyRing:
        if time.monotonic() >= self._look_again_at:
            self.look_again(wait=False)
        return self._ring

    def seal(self, text: str, *, place: str) -> bytes:
        """Seal a text for one place, `table.column:row id`."""
        return self.seal_bytes(text.encode(), place=place)

    def open(self, sealed: bytes, *, place: str) -> str:
        """Open what was sealed for this very place. Raises SealBroken."""
        return self.open_bytes(sealed, place=place).decode()

    def seal_bytes(self, content: bytes, *, place: str) -> bytes:
        ring = self._fresh()
        nonce = secrets.token_bytes(NONCE_BYTES)
        return head_of(ring.current) + nonce + ring.keys[ring.current].encrypt(nonce, content, place.encode())

    def open_bytes(self, sealed: bytes, *, place: str) -> bytes:
        key_id, nonce, content = _parts(bytes(sealed))
        key = self._ring.keys.get(key_id)
        if key is None:
            # Another process may have sealed with a key that is younger than our reading.
            self.look_again()
            key = self._ring.keys.get(key_id)
        if key is None:
            raise UnknownSealKey(f"sealed with key {key_id!r}, which is not in the seal key file")
        try:
            return key.decrypt(nonce, content, place.encode())
        except InvalidTag:
            raise SealBroken(f"a seal does not open at {place.split(':', maxsplit=1)[0]}") from None

    def reseal(self, sealed: bytes, *, place: str) -> bytes:
        """The same content under the current key. The text is shown to nobody. Raises SealBroken."""
        return self.seal_bytes(self.open_bytes(sealed, place=place), place=place)

    def index(self, *parts: str) -> bytes:
        """The blind index of a normalised value: equal values, equal indexes, and no way back. 32 bytes."""
        return _index(self._fresh().index_keys[0], parts)

    def same(self, one: bytes, other: bytes) -> bool:
        """Compare two indexes in constant time."""
        return hmac.compare_digest(one, other)

    def works(self) -> bool:
        """Whether what is sealed now opens again, at its own place alone, and equal words have one index."""
        probe, place = secrets.token_hex(16), "check.config:0"
        sealed = self.seal(probe, place=place)
        try:
            self.open(sealed, place="check.config:1")
        except SealBroken:
            return self.open(sealed, place=place) == probe and self.same(self.index(probe), self.index(probe))
        return False

    def index_of_sealed(self, sealed: bytes, *, place: str, words: Sequence[str], pick: Callable[[str], str]) -> bytes:
        """The index of some words and of what `pick` takes from a sealed text, which nobody else is shown. Raises SealBroken."""
        return self.index(*words, pick(self.open(sealed, place=place)))


def sm3(*parts: bytes) -> bytes:
    """The SM3 hash of these bytes, one after the other."""
    worker = Hash(SM3())
    for part in parts:
        worker.update(part)
    return worker.finalize()


def head_of(key_id: str) -> bytes:
    """What every seal of this key begins with."""
    return bytes([VERSION, len(key_id)]) + key_id.encode()


def _index(key: bytes, parts: Sequence[str]) -> bytes:
    worker = HMAC(key, SM3())
    # Lengths keep ("ab", "c") apart from ("a", "bc").
    for part in parts:
        data = part.encode()
        worker.update(len(data).to_bytes(4, "big") + data)
    return worker.finalize()


def _parts(sealed: bytes) -> tuple[str, bytes, bytes]:
    if len(sealed) < 2 + NONCE_BYTES + TAG_BYTES or sealed[0] != VERSION:
        raise SealBroken("these bytes are not a seal")
    cut = 2 + sealed[1]
    return sealed[2:cut].decode("ascii", "replace"), sealed[cut : cut + NONCE_BYTES], sealed[cut + NONCE_BYTES :]


def load_seals(path: Path) -> Seals:
    """Read the seal key file. Raises SealKeysFault with the file, what is wrong and a right example."""
    ring, stamp = _read(path)
    return Seals(ring, path=path, stamp=stamp)


def _stamp_of(found: os.stat_result) -> Stamp:
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(path: Path) -> tuple[KeyRing, Stamp]:
    try:
        with path.open(encoding="utf-8") as file:
            # Of the very file that is read: another may take its name meanwhile.
            stamp = _stamp_of(os.fstat(file.fileno()))
            given = json.loads(file.read())
        keys: dict[str, Algorithm] = {}
        for key_id, entry in given["keys"].items():
            cipher, length = ALGORITHMS[entry["algorithm"]]
            key = base64.b64decode(entry["key"], validate=True)
            if len(key) != length:
                raise SealKeysFault(
                    f"{path.name}: keys.{key_id}.key: {entry['algorithm']} needs {length} bytes in base64, not {len(key)}"
                )
            keys[key_id] = cipher(key)
        encoded = [given["index_key"], *given.get("previous_index_keys", [])]
        index_keys = tuple(base64.b64decode(each, validate=True) for each in encoded)
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
    for key in index_keys:
        if len(key) < INDEX_KEY_BYTES:
            raise SealKeysFault(f"{path.name}: index_key: needs {INDEX_KEY_BYTES} bytes in base64, not {len(key)}")
    return KeyRing(current, keys, index_keys), stamp


def new_seal_keys(algorithm: str = "SM4-GCM") -> str:
    """The text of a fresh seal key file with one key."""
    return file_text({"current": "k1", "keys": {"k1": new_key(algorithm)}, "index_key": random_key(INDEX_KEY_BYTES)})


def new_key(algorithm: str) -> dict[str, str]:
    """An entry of `keys`."""
    _, length = ALGORITHMS[algorithm]
    return {"algorithm": algorithm, "key": random_key(length)}


def random_key(length: int) -> str:
    """So many bytes, in base64."""
    return base64.b64encode(secrets.token_bytes(length)).decode()


def file_text(given: Mapping[str, object]) -> str:
    return json.dumps(given, indent=2) + "\n"
