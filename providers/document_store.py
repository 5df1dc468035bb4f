"""Sealed pictures in a folder, or in whatever fsspec can reach by URL: `file:///…`, `s3://bucket/folder` (with the extra `s3`)."""

from __future__ import annotations

import os
import re
import secrets
from typing import TYPE_CHECKING, Any, Final

import fsspec
from fsspec.implementations.local import LocalFileSystem

from config.logs import logger
from providers.protocols import ProviderUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    Answer = TypeVar("Answer")

log = logger(__name__)

NAME: Final = re.compile(r"[0-9a-f]{2}/[0-9a-f-]{36}")
PART: Final = re.compile(r"[0-9a-f]{2}/[0-9a-f-]{36}\.[0-9a-f]{8}\.part")
"""Half a picture, whose writer was killed."""
SHARD: Final = re.compile(r"[0-9a-f]{2}")
PATIENCE: Final = {
    "s3": {
        # One try: a person waits at the other end, and may press again.
        "config_kwargs": {"connect_timeout": 3, "read_timeout": 10, "retries": {"max_attempts": 1}},
        "use_listings_cache": False,
    }
}
"""Protocol → what its library must be told so that it neither waits for minutes nor remembers old lists."""


class DocumentStoreFault(Exception):
    """The store cannot be used at all; the sentence says what to mend."""


class DocumentStore:
    """A DocumentProvider. Whatever a backend's library says went wrong is ProviderUnreachable, told without paths and keys."""

    def __init__(self, *, url: str, options: Mapping[str, Any] | None = None) -> None:
        """`options` go to the backend, such as key, secret and endpoint_url of S3. Raises DocumentStoreFault."""
        scheme = url.partition("://")[0] if "://" in url else "file"
        try:
            fs, root = fsspec.core.url_to_fs(url, skip_instance_cache=True, **{**PATIENCE.get(scheme, {}), **(options or {})})
        except (ImportError, ValueError, TypeError) as fault:
            raise DocumentStoreFault(
                f"nothing here reads {scheme}:// ({type(fault).__name__}); a right one looks like file:///var/lib/canbao/documents, "
                "or s3://bucket/documents with the extra s3 installed: pip install canbao[s3]"
            ) from None
        self._fs, self._root = fs, str(root).rstrip("/")
        self._is_local = isinstance(fs, LocalFileSystem)

    def __repr__(self) -> str:
        return f"DocumentStore({self._fs.protocol})"

    def put(self, name: str, content: bytes) -> None:
        path = self._path(name)
        if self._is_local:
            self._tried("put", lambda: _write_locally(path, content))
        else:
            # One PUT of an object store is whole or nothing.
            self._tried("put", lambda: self._fs.pipe_file(path, content))

    def fetch(self, name: str) -> bytes | None:
        path = self._path(name)

        def read() -> bytes | None:
            try:
                return bytes(self._fs.cat_file(path))
            except FileNotFoundError:
                # S3 says so of a bucket that is not there, too: then no picture is lost, but the store.
                if not self._is_there():
                    raise
                return None

        return self._tried("fetch", read)

    def delete(self, name: str) -> None:
        path = self._path(name)

        def remove() -> None:
            try:
                self._fs.rm_file(path)
            except FileNotFoundError:
                return

        self._tried("delete", remove)

    def names(self, shard: str) -> list[str]:
        if SHARD.fullmatch(shard) is None:
            raise ValueError("a shard is two hexadecimal digits")

        def read() -> list[str]:
            try:
                found = self._fs.ls(f"{self._root}/{shard}", detail=False)
            except FileNotFoundError:
                return []
            names = (f"{shard}/{str(path).rpartition('/')[2]}" for path in found)
            # Somebody else's file is none of ours to list, and so never to be swept.
            return sorted(name for name in names if NAME.fullmatch(name) or PART.fullmatch(name))

        return self._tried("names", read)

    def close(self) -> None:
        """Hang up, where the backend holds a line."""
        hang_up = getattr(self._fs, "close_session", None)
        client = getattr(self._fs, "_s3", None)
        if hang_up is not None and client is not None:
            hang_up(self._fs.loop, client)

    def _is_there(self) -> bool:
        if self._is_local:
            return os.path.isdir(self._root)  # noqa: PTH112 - a path of fsspec's, not ours
        return bool(self._fs.exists(self._root.partition("/")[0]))

    def _path(self, name: str) -> str:
        if NAME.fullmatch(name) is None and PART.fullmatch(name) is None:
            raise ValueError("no name of a picture")
        return f"{self._root}/{name}"

    def _tried(self, what: str, step: Callable[[], Answer]) -> Answer:
        trouble = ""
        try:
            return step()
        except Exception as fault:  # noqa: BLE001 - each backend brings its own library's exceptions
            trouble = type(fault).__name__
        # Outside the except: an exception chained to theirs would carry the path and perhaps a signed address along.
        log.warning("document_store.failed", call=what, fault=trouble)
        raise ProviderUnreachable(f"document store: {what}: {trouble}")


def _write_locally(path: str, content: bytes) -> None:
    """Beside its place first, on the disk, and then by one move: a reader sees all of it or nothing, a plug pulled changes nothing of that."""
    folder = path.rpartition("/")[0]
    os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - a path of fsspec's, not ours
    part = f"{path}.{secrets.token_hex(4)}.part"
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - by its descriptor
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)  # noqa: PTH105 - a path of fsspec's, not ours
    except OSError:
        _forget(part)
        raise
    # The move itself is on the disk only when its folder is.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _forget(part: str) -> None:
    try:
        os.unlink(part)  # noqa: PTH108 - a path of fsspec's, not ours
    except OSError as fault:
        # The sweep finds it.
        log.warning("document_store.part_left", fault=type(fault).__name__)
