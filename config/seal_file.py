"""The seal key file's life: made once, given new keys, and relieved of old ones. Whoever reads it meanwhile sees the old or the new file, whole."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from typing import TYPE_CHECKING, Any, Final

from config.seals import INDEX_KEY_BYTES, SealKeysFault, file_text, load_seals, new_key, new_seal_keys, random_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY_NAME: Final = re.compile(r"k(\d+)")


def make_file(path: Path, *, algorithm: str) -> bool:
    """Make the file with one key, and its folder; False where there is a file already: what that one sealed would be lost."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        if path.exists():
            return False
        _write(path, new_seal_keys(algorithm))
    return True


def add_key(path: Path, *, algorithm: str) -> str:
    """Add a key, make it the current one and tell its id. Every other key stays: what they sealed must open. Raises SealKeysFault."""
    with _changing(path) as given:
        taken = [int(found[1]) for key_id in given["keys"] if (found := KEY_NAME.fullmatch(key_id))]
        key_id = f"k{max(taken, default=0) + 1}"
        given["keys"][key_id] = new_key(algorithm)
        given["current"] = key_id
    return key_id


def retire_key(path: Path, *, key_id: str) -> None:
    """Take a key out. Whoever calls this has seen that no row needs it. Raises SealKeysFault."""
    with _changing(path) as given:
        if key_id == given["current"]:
            raise SealKeysFault(f"{path.name}: {key_id!r} is the current key; add another with: canbao seals new-key")
        if given["keys"].pop(key_id, None) is None:
            raise SealKeysFault(f"{path.name}: {key_id!r} is not among keys")


def add_index_key(path: Path) -> None:
    """A new index key before the old one, which stays beside it until the rebuild is through. Raises SealKeysFault."""
    with _changing(path) as given:
        given["previous_index_keys"] = [given["index_key"], *given.get("previous_index_keys", [])]
        given["index_key"] = random_key(INDEX_KEY_BYTES)


def take_back_index_key(path: Path) -> None:
    """The rebuild changed nothing: the key before is in force again. Raises SealKeysFault."""
    with _changing(path) as given:
        given["index_key"], *older = given.pop("previous_index_keys")
        if older:
            given["previous_index_keys"] = older


def drop_previous_index_keys(path: Path) -> None:
    """The rebuild is through: the old ones find nothing any more. Raises SealKeysFault."""
    with _changing(path) as given:
        given.pop("previous_index_keys", None)


@contextlib.contextmanager
def _changing(path: Path) -> Iterator[dict[str, Any]]:
    """The file's content to change, written back whole: never half a file, never two writers, never more readable than before."""
    load_seals(path)
    with _locked(path):
        given = json.loads(path.read_text(encoding="utf-8"))
        yield given
        _write(path, file_text(given), owner=path.stat())


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    # Not the file itself, which gets another inode: a lock beside it.
    with (path.parent / f".{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, text: str, *, owner: os.stat_result | None = None) -> None:
    """In one stroke: whoever is killed on the way leaves what was there before, or nothing where nothing was."""
    new = path.parent / f".{path.name}.new"
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if owner is not None and os.geteuid() == 0:
            # An operator who is root must not take the file away from the processes that read it.
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        load_seals(new)
    except SealKeysFault:
        new.unlink()
        raise
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        # The new name, too, has to outlive a power cut: what a lost key sealed is lost.
        os.fsync(folder)
    finally:
        os.close(folder)
