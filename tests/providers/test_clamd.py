"""The scanner at the wire: clamd's INSTREAM over TCP and over a Unix socket; what it did not look at is never clean."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from providers.clamd import Clamd, ClamdFault
from providers.protocols import ProviderUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""The industry's harmless test file."""


def looks_honestly(line: socket.socket) -> None:
    """Reads as clamd does, and answers as clamd does."""
    content = read_stream(line)
    line.sendall(b"stream: Win.Test.EICAR_HDB-1 FOUND\0" if EICAR in content else b"stream: OK\0")


def read_stream(line: socket.socket) -> bytes:
    with line.makefile("rb") as words:
        assert words.read(10) == b"zINSTREAM\0"
        content = b""
        while size := struct.unpack(">I", words.read(4))[0]:
            assert size <= 2**20
            content += words.read(size)
    return content


def says(answer: bytes) -> Callable[[socket.socket], None]:
    def reply(line: socket.socket) -> None:
        read_stream(line)
        line.sendall(answer)

    return reply


@contextmanager
def daemon(behaves: Callable[[socket.socket], None], *, at: Path | None = None) -> Iterator[str]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                behaves(self.request)
            except (OSError, struct.error):
                return  # whoever asked hung up

    family = socketserver.ThreadingUnixStreamServer if at else socketserver.ThreadingTCPServer
    with family(str(at) if at else ("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"unix://{at}" if at else f"tcp://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(params=["tcp", "unix"])
def address(request, short_folder) -> Iterator[str]:
    with daemon(looks_honestly, at=short_folder / "clamd" if request.param == "unix" else None) as address:
        yield address


def test_a_clean_file_passes_and_a_virus_is_named(address):
    scanner = Clamd(address=address)

    assert scanner.scan(b"a picture") is None
    assert scanner.scan(b"\xff\xd8\xff" + EICAR) == "Win.Test.EICAR_HDB-1"


def test_megabytes_go_in_pieces_and_are_looked_at_to_the_end(address):
    scanner = Clamd(address=address)

    assert scanner.scan(bytes(3_000_000)) is None
    assert scanner.scan(bytes(3_000_000) + EICAR) == "Win.Test.EICAR_HDB-1"


@pytest.mark.parametrize(
    "answer",
    [
        b"INSTREAM size limit exceeded. ERROR\0",
        b"stream: Can't allocate memory ERROR\0",
        b"UNKNOWN COMMAND\0",
        b"stream: OK",
        b"stream: OK and more\0",
        b"stream: ok\0",
        b"",
        b"\0",
        b"\xff\xfe\0",
        b"x" * 10_000,
    ],
)
def test_whatever_is_no_verdict_is_no_pass(answer):
    with daemon(says(answer)) as address, pytest.raises(ProviderUnreachable):
        Clamd(address=address).scan(b"a picture")


def test_a_daemon_that_hangs_up_in_the_middle_is_no_pass():
    with daemon(lambda line: line.close()) as address, pytest.raises(ProviderUnreachable):
        Clamd(address=address).scan(bytes(5_000_000))


def test_a_daemon_that_never_answers_is_not_waited_for():
    def sleeps(line: socket.socket) -> None:
        read_stream(line)
        line.recv(1)

    with daemon(sleeps) as address:
        started = time.monotonic()
        with pytest.raises(ProviderUnreachable):
            Clamd(address=address, answer_seconds=0.3).scan(b"a picture")
        assert time.monotonic() - started < 3


def test_a_daemon_that_answers_letter_by_letter_is_not_waited_for():
    def dawdles(line: socket.socket) -> None:
        read_stream(line)
        for _ in range(100):
            line.sendall(b"s")
            time.sleep(0.05)

    with daemon(dawdles) as address, pytest.raises(ProviderUnreachable):
        Clamd(address=address, answer_seconds=0.3).scan(b"a picture")


def test_nobody_there_is_no_pass(short_folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        for address in (nobody, f"unix://{short_folder}/nobody"):
            with pytest.raises(ProviderUnreachable):
                Clamd(address=address).scan(b"a picture")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:3310",
        "http://127.0.0.1:3310",
        "tcp://",
        "tcp://127.0.0.1:abc",
        "tcp://127.0.0.1:3310/x",
        "unix://host/x",
        "unix:",
        "",
    ],
)
def test_an_address_that_cannot_be_is_told_with_a_right_one(address):
    with pytest.raises(ClamdFault, match=r"tcp://127\.0\.0\.1:3310"):
        Clamd(address=address)
