"""The pair of folders at a bank's SFTP server. Its host key is pinned: a server that shows another one is not spoken to.

One connection for each step, and a bound on all of it: a bank that does not answer costs a minute, and the sweep comes again.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, TypeVar

import asyncssh

from config.logs import logger
from providers.banks.transport import FLAG_END, IN, MOST_BYTES, OUT, part_of, parts_of
from providers.protocols import NotSent, ProviderUnreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Answer = TypeVar("Answer")
log = logger(__name__)

CONNECT_SECONDS: Final = 10
STEP_SECONDS: Final = 60
"""For one step with all that belongs to it: connecting, a file and its flag."""


class Sftp:
    """A Transport. The two folders lie below `root` on the server."""

    def __init__(
        self, *, host: str, port: int, username: str, key: asyncssh.SSHKey, host_keys: list[asyncssh.SSHKey], root: str = ""
    ) -> None:
        """`key`: ours. `host_keys`: the bank's, at least one; several while it changes them."""
        if not host_keys:
            raise ValueError("a server without a pinned key is nobody")
        self._host, self._port, self._username, self._key = host, port, username, key
        self._host_keys = host_keys
        head = f"{root.rstrip('/')}/" if root else ""
        self._out, self._in = f"{head}{OUT}", f"{head}{IN}"

    def __repr__(self) -> str:
        return f"Sftp({self._host}:{self._port})"

    def put(self, name: str, content: bytes, flag: bytes) -> None:
        async def step(sftp: asyncssh.SFTPClient) -> None:
            for each, body in ((name, content), (f"{name}{FLAG_END}", flag)):
                part = f"{self._out}/{part_of(each)}"
                async with sftp.open(part, "wb") as file:
                    await file.write(body)
                # Renaming over a file needs the POSIX way; a server that has none keeps what is there until it is gone.
                try:
                    await sftp.posix_rename(part, f"{self._out}/{each}")
                except asyncssh.SFTPOpUnsupported:
                    await _gone(sftp, f"{self._out}/{each}")
                    await sftp.rename(part, f"{self._out}/{each}")

        self._do(step)

    def waiting(self) -> list[str]:
        return self._names(self._out)

    def take_back(self, name: str) -> None:
        self._remove(self._out, name)

    def arrived(self) -> list[str]:
        there = set(self._names(self._in))
        return [name for name in sorted(there) if f"{name}{FLAG_END}" in there]

    def fetch(self, name: str) -> tuple[bytes, bytes] | None:
        async def step(sftp: asyncssh.SFTPClient) -> tuple[bytes, bytes] | None:
            try:
                return await _read(sftp, f"{self._in}/{name}"), await _read(sftp, f"{self._in}/{name}{FLAG_END}")
            except asyncssh.SFTPNoSuchFile:
                return None

        return self._do(step)

    def put_away(self, name: str) -> None:
        self._remove(self._in, name)

    def _names(self, folder: str) -> list[str]:
        async def step(sftp: asyncssh.SFTPClient) -> list[str]:
            return sorted(str(name) for name in await sftp.listdir(folder) if name not in (".", ".."))

        return self._do(step)

    def _remove(self, folder: str, name: str) -> None:
        async def step(sftp: asyncssh.SFTPClient) -> None:
            there = [str(each) for each in await sftp.listdir(folder)]
            for each in (f"{name}{FLAG_END}", name, *parts_of(name, there)):
                await _gone(sftp, f"{folder}/{each}")

        self._do(step)

    def _do(self, step: Callable[[asyncssh.SFTPClient], Awaitable[Answer]]) -> Answer:
        try:
            return asyncio.run(self._with_client(step))
        except (asyncssh.Error, OSError, TimeoutError, UnicodeError) as fault:
            # A server's words may name files, and files name people's batches: the kind of fault is enough.
            log.warning("sftp.fault", host=self._host, fault=type(fault).__name__)
            kind = NotSent if isinstance(fault, asyncssh.HostKeyNotVerifiable | ConnectionRefusedError) else ProviderUnreachable
            raise kind(type(fault).__name__) from None

    async def _with_client(self, step: Callable[[asyncssh.SFTPClient], Awaitable[Answer]]) -> Answer:
        async with asyncio.timeout(STEP_SECONDS):
            async with (
                asyncssh.connect(
                    self._host,
                    self._port,
                    username=self._username,
                    client_keys=[self._key],
                    known_hosts=(self._host_keys, [], []),
                    # Nothing of this machine's own habits: no agent, no ~/.ssh/config, no password.
                    config=None,
                    agent_path=None,
                    preferred_auth="publickey",
                    connect_timeout=CONNECT_SECONDS,
                    login_timeout=CONNECT_SECONDS,
                ) as connection,
                connection.start_sftp_client() as sftp,
            ):
                return await step(sftp)


async def _read(sftp: asyncssh.SFTPClient, path: str) -> bytes:
    async with sftp.open(path, "rb") as file:
        content = await file.read(MOST_BYTES + 1)
    return content if isinstance(content, bytes) else content.encode()


async def _gone(sftp: asyncssh.SFTPClient, path: str) -> None:
    with contextlib.suppress(asyncssh.SFTPNoSuchFile):
        await sftp.remove(path)
