"""A real nginx with deploy/nginx as it is, but for ports, name and certificate."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from config.settings import HOME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

FOUND = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
NO_NGINX = "no nginx on this machine: install it (Debian: apt-get install nginx-light) to try deploy/nginx"
NAME = "pay.example.gov.cn"
MAIN = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/main.log warn;
events {{ worker_connections 512; }}
http {{
    default_type application/octet-stream;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include canbao.conf;
}}
"""


@dataclass(frozen=True)
class Front:
    folder: Path
    https: int
    http: int

    def connect(self, *, source: str = "127.0.0.1", name: str = NAME) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", self.https), timeout=15, source_address=(source, 0))
        context = ssl.create_default_context(cafile=str(self.folder / "cert.pem"))
        context.set_alpn_protocols(["http/1.1"])
        return context.wrap_socket(raw, server_hostname=name)

    def ask(
        self, method: str, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None, source: str = "127.0.0.1"
    ) -> Answer:
        """One request as it stands on the wire, and all headers of its answer as they came."""
        lines = {"Host": NAME, "Connection": "close", **({"Content-Length": str(len(body))} if body else {}), **(headers or {})}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
        with self.connect(source=source) as line:
            # It may have read enough before the end; what it answered is still there.
            with suppress(BrokenPipeError, ConnectionResetError):
                line.sendall(head.encode() + body)
            return read_answer(line)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


def read_answer(line: socket.socket) -> Answer:
    """As far as it says that it goes: whoever refuses a body keeps the line open for a while."""
    with line.makefile("rb") as file:
        status = int(file.readline().split()[1])
        headers = [(name, value.strip()) for name, _, value in (each.partition(":") for each in _head(file))]
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), None)
        return Answer(status, headers, file.read() if length is None else file.read(length))


def _head(file: BinaryIO) -> Iterator[str]:
    while (each := file.readline().decode("latin-1").strip()) != "":
        yield each


def lay_out(folder: Path, *, web: int, letterbox: int) -> tuple[int, int]:
    """Copies deploy/nginx and sets ports, paths and certificate; each change must find its place. Answers (https, http)."""
    shutil.copytree(HOME / "deploy" / "nginx", folder, dirs_exist_ok=True)
    https, http = free_port(), free_port()
    change(folder / "canbao.conf", {
        "    listen [::]:443 ssl http2 default_server;\n": "", "    listen [::]:443 ssl http2;\n": "",
        "    listen [::]:80 default_server;\n": "", "    listen [::]:80;\n": "",
        "listen 443 ssl": f"listen 127.0.0.1:{https} ssl", "listen 80": f"listen 127.0.0.1:{http}",
        "/var/log/nginx/": f"{folder}/",
    })  # fmt: skip
    change(
        folder / "canbao" / "upstreams.conf", {"127.0.0.1:8000": f"127.0.0.1:{web}", "127.0.0.1:8001": f"127.0.0.1:{letterbox}"}
    )
    change(
        folder / "canbao" / "tls.conf",
        {"/etc/nginx/tls/fullchain.pem": f"{folder}/cert.pem", "/etc/nginx/tls/privkey.pem": f"{folder}/key.pem"},
    )
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user="user root;" if os.geteuid() == 0 else ""))
    make_certificate(folder)
    return https, http


def change(path: Path, changes: dict[str, str]) -> None:
    text = path.read_text()
    for old, new in changes.items():
        assert old in text, (path.name, old)
        text = text.replace(old, new)
    path.write_text(text)


def make_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@contextmanager
def nginx(folder: Path, *, web: int, letterbox: int) -> Iterator[Front]:
    https, http = lay_out(folder, web=web, letterbox=letterbox)
    assert FOUND is not None
    words = [FOUND, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    tried = subprocess.run([*words, "-t"], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stderr
    with (folder / "out.log").open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out)
    try:
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", https), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "out.log").read_text()
                assert time.monotonic() < until
                time.sleep(0.02)
        yield Front(folder, https, http)
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
