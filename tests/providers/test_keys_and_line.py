"""Keys from files say what is wrong with them; a line to a provider fails in one way only."""

from __future__ import annotations

import base64
import io
import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from providers import http
from providers.http import Line
from providers.keys import (
    KeyFileError,
    load_api_v3_key,
    load_private_key,
    load_public_key_or_certificate,
    refuse_our_own,
)
from providers.protocols import ProviderUnreachable
from tests.providers import wire

END = datetime(2031, 11, 21, tzinfo=UTC)


def a_certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(wire.key("wechat certificate").public_key())
        .serial_number(int(wire.CERTIFICATE_SERIAL, 16))
        .not_valid_before(END - timedelta(days=1825))
        .not_valid_after(END)
        .sign(wire.key("wechat certificate"), hashes.SHA256())
        .public_bytes(ser.Encoding.PEM)
    )


@pytest.fixture
def file(tmp_path):
    def write(text: str | bytes):
        path = tmp_path / "some-key.pem"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def bare(pem: str) -> str:
    return "".join(pem.strip().splitlines()[1:-1])


@pytest.mark.parametrize("form", [ser.PrivateFormat.PKCS8, ser.PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("dress", [str, bare, lambda pem: "\ufeff" + pem.replace("\n", "\r\n")])
def test_a_private_key_is_read_in_every_dress(file, form, dress):
    key = load_private_key(file(dress(wire.private_pem("merchant", form))))

    assert key.private_numbers() == wire.key("merchant").private_numbers()


@pytest.mark.parametrize("dress", [str, bare, lambda pem: pem.replace("\n", "\r\n")])
def test_a_public_key_is_read_in_every_dress(file, dress):
    found = load_public_key_or_certificate(file(dress(wire.public_pem("wechat"))))

    assert found.public_key.public_numbers() == wire.key("wechat").public_key().public_numbers()
    assert (found.serial, found.expires_at) == (None, None)


def test_a_certificate_tells_its_serial_and_its_end(file):
    found = load_public_key_or_certificate(file(a_certificate()))

    assert found.public_key.public_numbers() == wire.key("wechat certificate").public_key().public_numbers()
    assert (found.serial, found.expires_at) == (wire.CERTIFICATE_SERIAL, END)


def an_elliptic_pem(*, private: bool) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    if private:
        return key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption())
    return key.public_key().public_bytes(ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo)


def a_locked_pem() -> bytes:
    return wire.key("merchant").private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.BestAvailableEncryption(b"x"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (lambda: wire.public_pem("merchant"), "found a public key"),
        (a_certificate, "found a public key or a certificate"),
        (a_locked_pem, "locked with a password"),
        (lambda: an_elliptic_pem(private=True), "PKCS#8"),
        (lambda: "", "PKCS#8"),
        (lambda: "中文", "PKCS#8"),
        (lambda: base64.b64encode(b"junk"), "PKCS#8"),
        (lambda: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "PKCS#8"),
    ],
)
def test_what_is_no_private_key_is_told_with_the_files_name(file, text, says):
    with pytest.raises(KeyFileError, match=says) as trouble:
        load_private_key(file(text()))
    assert "some-key.pem" in str(trouble.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (lambda: wire.private_pem("merchant"), "found a private key"),
        (lambda: an_elliptic_pem(private=False), "another kind"),
        (lambda: "", "BEGIN PUBLIC KEY"),
        (lambda: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "BEGIN CERTIFICATE"),
    ],
)
def test_what_is_no_public_key_is_told_with_the_files_name(file, text, says):
    with pytest.raises(KeyFileError, match=says) as trouble:
        load_public_key_or_certificate(file(text()))
    assert "some-key.pem" in str(trouble.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(KeyFileError, match="not-there"):
        load_private_key(tmp_path / "not-there.pem")


def test_our_own_key_in_place_of_theirs_is_told(file):
    ours = load_public_key_or_certificate(file(wire.public_pem("app")))

    with pytest.raises(KeyFileError, match="应用公钥"):
        refuse_our_own(ours, wire.key("app"), source="alipay.pem")
    refuse_our_own(ours, wire.key("merchant"), source="alipay.pem")


def test_an_api_v3_key_is_32_characters(file):
    assert load_api_v3_key(file("a" * 32 + "\n")) == b"a" * 32
    for wrong in ("a" * 31, "a" * 33, "", "中" * 32, "a b" + "c" * 29):
        with pytest.raises(KeyFileError, match="exactly 32"):
            load_api_v3_key(file(wrong))


# --- the line


@pytest.fixture
def there():
    with wire.wire() as it:
        yield it


@pytest.fixture
def line(there):
    it = Line(provider="somebody", base_url=there.url, read_timeout_seconds=0.3, total_timeout_seconds=0.5, calls_at_once=1)
    yield it
    it.close()


@pytest.mark.parametrize("url", ["", "example.com", "ftp://a", "https://", "https://a?b=c"])
def test_a_base_url_is_checked(url):
    with pytest.raises(ValueError, match="looks like"):
        Line(provider="somebody", base_url=url)


def test_a_line_keeps_its_connection_and_no_cookies(there, line):
    there.answer = lambda _: wire.Told(200, b"ok", {"Set-Cookie": "a=b"})

    assert [line.request("GET", "/a").content for _ in range(3)] == [b"ok"] * 3
    assert all("Cookie" not in asked.headers for asked in there.asked)
    assert {asked.headers["User-Agent"] for asked in there.asked} == {"canbao"}


def test_a_line_follows_nobody(there, line):
    there.answer = lambda _: wire.Told(302, b"", {"Location": there.url + "/b"})

    assert line.request("GET", "/a").status_code == 302
    assert len(there.asked) == 1


def test_a_line_heeds_no_proxy(there, line, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    there.answer = lambda _: wire.Told(200, b"ok")

    assert line.request("GET", "/a").content == b"ok"


def test_nobody_there_is_unreachable_and_the_address_is_not_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        line = Line(provider="somebody", base_url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ProviderUnreachable) as trouble:
            line.request("GET", "/a?secret=x")
        line.close()
    assert str(trouble.value) == "somebody: ConnectionError"
    assert trouble.value.__context__ is None


def test_a_slow_answer_is_unreachable(there, line):
    def slow(_):
        time.sleep(0.6)
        return wire.Told(200)

    there.answer = slow

    with pytest.raises(ProviderUnreachable, match="ReadTimeout"):
        line.request("GET", "/a")


def dripping(server: socket.socket, *, head: bytes, drip: bytes, drips: int) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(head)
        for _ in range(drips):
            try:
                connection.sendall(drip)
            except OSError:
                return
            time.sleep(0.1)


@pytest.mark.parametrize(
    ("head", "drip", "says"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", "too slow"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", b"a" * 70_000, "too long"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"", "Timeout|ConnectionError"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n", b"junk", "ContentDecodingError"),
        (b"nonsense\r\n\r\n", b"", "ConnectionError"),
    ],
)
def test_an_answer_that_never_ends_or_makes_no_sense_is_unreachable(monkeypatch, head, drip, says):
    monkeypatch.setattr(http, "ANSWER_LIMIT_BYTES", 100_000)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=dripping, args=(server,), kwargs={"head": head, "drip": drip, "drips": 8})
        thread.start()
        line = Line(
            provider="somebody",
            base_url=f"http://127.0.0.1:{server.getsockname()[1]}",
            read_timeout_seconds=0.3,
            total_timeout_seconds=0.5,
        )
        with pytest.raises(ProviderUnreachable, match=says):
            line.request("GET", "/a")
        line.close()
        thread.join()


def test_a_file_that_breaks_off_is_unreachable_and_not_a_shorter_file():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=dripping, args=(server,), kwargs={"head": head, "drip": b"half", "drips": 1})
        thread.start()
        line = Line(provider="somebody", base_url=f"http://127.0.0.1:{server.getsockname()[1]}", read_timeout_seconds=0.3)
        with pytest.raises(ProviderUnreachable):
            line.download("/bill", into=io.BytesIO(), limit_bytes=2000)
        line.close()
        thread.join()


def test_only_a_file_is_put_where_a_file_is_wanted(there, line):
    there.answer = lambda _: wire.Told(404, b"not here")
    kept = io.BytesIO()

    answer = line.download("/bill", into=kept, limit_bytes=2000)

    assert (answer.status_code, answer.content, kept.getvalue()) == (404, b"not here", b"")


def test_a_full_line_refuses_at_once_and_is_free_again(there, line):
    entered, leave = threading.Event(), threading.Event()

    def held(_):
        entered.set()
        leave.wait(0.25)
        return wire.Told(200, b"ok")

    there.answer = held
    first = threading.Thread(target=line.request, args=("GET", "/a"))
    first.start()
    entered.wait(2)
    with pytest.raises(ProviderUnreachable, match="too many"):
        line.request("GET", "/b")
    leave.set()
    first.join()

    assert line.request("GET", "/c").content == b"ok"
