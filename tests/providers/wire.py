"""A provider in a thimble: a loopback HTTP server that answers what a test tells it to, and remembers what it was asked.

Here too is how providers sign, written from the fact sheet's snippets and not from our adapters.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

API_V3_KEY = b"0" * 32
PUBLIC_KEY_ID = "PUB_KEY_ID_0114232134912410000000000000"
CERTIFICATE_SERIAL = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    """One key per name and run: making them is slow."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_pem(name: str, form: ser.PrivateFormat = ser.PrivateFormat.PKCS8) -> str:
    return key(name).private_bytes(ser.Encoding.PEM, form, ser.NoEncryption()).decode()


def public_pem(name: str) -> str:
    return key(name).public_key().public_bytes(ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo).decode()


def signed(name: str, text: bytes) -> str:
    return base64.b64encode(key(name).sign(text, padding.PKCS1v15(), hashes.SHA256())).decode()


def verifies(name: str, signature: str, text: bytes) -> None:
    key(name).public_key().verify(base64.b64decode(signature), text, padding.PKCS1v15(), hashes.SHA256())


@dataclass
class Asked:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urllib.parse.urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.target).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> dict:
        return json.loads(self.body)


@dataclass
class Told:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Wire:
    url: str
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], Told] = lambda _: Told(500)

    @property
    def last(self) -> Asked:
        return self.asked[-1]


@contextmanager
def wire() -> Iterator[Wire]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(self.command, self.path, self.headers, body)
            it.asked.append(asked)
            told = it.answer(asked)
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            if told.status != 204:
                self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        do_GET = do_POST = do  # noqa: N815 (names that http.server looks for)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    it = Wire(f"http://127.0.0.1:{server.server_address[1]}")
    thread.start()
    try:
        yield it
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wechat_headers(
    body: bytes, *, by: str = "wechat", serial: str = PUBLIC_KEY_ID, at: float | None = None, nonce: str | None = None
) -> dict[str, str]:
    timestamp, nonce = str(int(time.time() if at is None else at)), nonce or secrets.token_hex(16)
    return {
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": serial,
        "Wechatpay-Signature-Type": SIGNATURE_TYPE,
        "Wechatpay-Signature": signed(by, f"{timestamp}\n{nonce}\n".encode() + body + b"\n"),
        "Request-ID": "08F7",
    }


def wechat_told(body: object = b"", status: int = 200, **how: object) -> Told:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Told(status, raw, {"Content-Type": "application/json; charset=utf-8", **wechat_headers(raw, **how)})


def sealed(inside: object, *, associated: str = "transaction", algorithm: str = "AEAD_AES_256_GCM") -> dict[str, str]:
    nonce = secrets.token_hex(6)
    plain = inside if isinstance(inside, bytes) else json.dumps(inside, ensure_ascii=False).encode()
    return {
        "original_type": associated,
        "algorithm": algorithm,
        "associated_data": associated,
        "nonce": nonce,
        "ciphertext": base64.b64encode(AESGCM(API_V3_KEY).encrypt(nonce.encode(), plain, associated.encode())).decode(),
    }


def wechat_notice(inside: object, *, event: str = "TRANSACTION.SUCCESS", notice_id: str = "EV-1", **how: str) -> bytes:
    return json.dumps(
        {
            "id": notice_id,
            "create_time": "2026-11-21T10:00:01+08:00",
            "resource_type": "encrypt-resource",
            "event_type": event,
            "summary": "支付成功",
            "resource": sealed(inside, **how),
        },
        ensure_ascii=False,
    ).encode()


def alipay_form(fields: Mapping[str, str], *, by: str = "alipay", encoding: str = "utf-8", **extra: str) -> bytes:
    """A notice as Alipay sends it: signed over the sorted, decoded pairs without sign and sign_type."""
    text = "&".join(f"{name}={value}" for name, value in sorted(fields.items()))
    whole = {**fields, "sign_type": "RSA2", "sign": signed(by, text.encode(encoding)), **extra}
    return urllib.parse.urlencode(whole, encoding=encoding).encode()


def alipay_told(inside: object, *, method: str, by: str = "alipay", status: int = 200) -> Told:
    """An answer of the gateway: the signature covers the inner object exactly as it stands."""
    raw = inside if isinstance(inside, bytes) else json.dumps(inside, ensure_ascii=False).encode()
    name = method.replace(".", "_").encode() + b"_response"
    body = b'{"' + name + b'":' + raw + b',"sign":"' + signed(by, raw).encode() + b'"}'
    return Told(status, body, {"Content-Type": "text/html;charset=utf-8"})
