"""nginx before real web and letterbox processes: who is slow, too large, too many or lying stays outside, and headers come once."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import requests

from app import create_app
from config.settings import HOME, load_settings
from jobs.stack import BIN, Stack
from services.printouts import new_code
from tests.conftest import fresh_database
from tests.deploy.nginx_in_front import FOUND, NAME, NO_NGINX, Front, free_port, nginx, read_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(FOUND is None, reason=NO_NGINX)
SLOW_SENDERS = 12
"""More than the letterbox has threads, several times."""


@pytest.fixture(scope="module")
def stack(server, template, tmp_path_factory) -> Iterator[Stack]:
    """web with two workers and letterbox with one, as they are served, behind one trusted proxy."""
    stack = Stack.on_free_ports(tmp_path_factory.mktemp("front"))
    with pytest.MonkeyPatch.context() as patch, fresh_database(server, template) as url:
        patch.setenv("CANBAO_TRUSTED_PROXIES", "1")
        stack.has_own_database, stack.database_url = False, url
        stack.logs.mkdir(parents=True)
        home, secrets = stack.state_dir / "sandbox", stack.state_dir / "secrets"
        stack.run([str(BIN / "python"), "-m", "sandbox", "issue", "--home", str(home), "--secrets", str(secrets)])
        stack.run([str(BIN / "canbao"), "seal-keys", "new"])
        try:
            for part, workers in (("web", "2"), ("letterbox", "1")):
                patch.setenv("WEB_CONCURRENCY", workers)
                stack.start(part)
            for part in ("web", "letterbox"):
                stack.wait_for(part)
            yield stack
        finally:
            stack.stop_all()


@pytest.fixture(scope="module")
def front(stack, tmp_path_factory) -> Iterator[Front]:
    with nginx(tmp_path_factory.mktemp("nginx"), web=stack.ports["web"], letterbox=stack.ports["letterbox"]) as front:
        yield front


@contextmanager
def slow_senders(connect) -> Iterator[None]:
    """So many letters of which the first bytes came, and then nothing."""
    with ExitStack() as leaving:
        for _ in range(SLOW_SENDERS):
            line = leaving.enter_context(connect())
            line.sendall(
                f"POST /webhooks/alipay/nowhere HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 1000\r\n\r\nsign=".encode()
            )
        time.sleep(0.3)
        yield


# --- slow senders


def test_slow_senders_hold_no_thread_of_the_letterbox(front):
    with slow_senders(front.connect):
        began = time.monotonic()
        answer = front.ask("POST", "/webhooks/alipay/nowhere", body=b"sign=x")

    assert (answer.status, answer.body) == (200, b"failure")
    assert time.monotonic() - began < 2


def test_without_nginx_they_would(stack):
    def connect():
        return socket.create_connection(("127.0.0.1", stack.ports["letterbox"]), timeout=1.5)

    with slow_senders(connect), connect() as line:
        line.sendall(
            f"POST /webhooks/alipay/nowhere HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsign=x".encode()
        )
        with pytest.raises(TimeoutError):
            line.recv(100)


# --- too large


@pytest.mark.parametrize(
    ("method", "path", "size"),
    [
        ("POST", "/api/v1/sessions", 73 * 1024 + 1),
        ("POST", "/webhooks/wechat-pay/jiangsu-tax-wechat", 73 * 1024 + 1),
        ("GET", "/verify", 2048),
        ("PUT", "/api/v1/applications/00000000-0000-4000-8000-000000000000/documents/ID_FRONT", 9 * 1024 * 1024 + 1),
        ("PUT", "/api/v1/applications/00000000-0000-4000-8000-000000000000/other/ID_FRONT", 73 * 1024 + 1),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_read(front, method, path, size):
    answer = front.ask(method, path, body=b"", headers={"Content-Length": str(size), "X-Request-ID": "too-large-1"})

    assert answer.status == 413
    told = json.loads(answer.body)
    assert (told["code"], told["request_id"]) == ("REQUEST_TOO_LARGE", "too-large-1")
    assert answer.all("Content-Type") == ["application/problem+json"]


def test_what_is_a_little_too_large_is_refused_in_the_applications_own_words(front):
    answer = front.ask("POST", "/api/v1/sessions", body=b"x" * (64 * 1024 + 1), headers={"Content-Type": "application/json"})

    assert answer.status == 413
    assert answer.all("Content-Type") == ["application/problem+json"]
    assert json.loads(answer.body)["hotline"] != ""


def test_a_picture_of_eight_megabytes_passes_and_is_written_to_no_disk(front):
    path = "/api/v1/applications/00000000-0000-4000-8000-000000000000/documents/ID_FRONT"

    answer = front.ask("PUT", path, body=b"x" * (8 * 1024 * 1024))

    assert (answer.status, json.loads(answer.body)["code"]) == (401, "SIGN_IN_AGAIN")
    assert list((front.folder / "body").rglob("*")) == []


# --- headers


@pytest.mark.parametrize(
    ("path", "status", "frame"),
    [
        ("/api/v1/regions", 200, "DENY"),
        ("/api/v1/me", 401, "DENY"),
        ("/verify", 200, "DENY"),
        ("/console/sign-in", 200, "DENY"),
        ("/nowhere", 404, "DENY"),
    ],
)
def test_each_header_of_safety_comes_once(front, path, status, frame):
    answer = front.ask("GET", path)

    assert answer.status == status
    assert answer.all("Strict-Transport-Security") == ["max-age=31536000"]
    assert answer.all("X-Content-Type-Options") == ["nosniff"]
    assert answer.all("X-Frame-Options") == [frame]
    for once in ("Referrer-Policy", "Content-Security-Policy", "Cache-Control"):
        assert len(answer.all(once)) == 1, once
    assert answer.all("Server") == ["nginx"]


def test_the_pages_keep_their_own_policy(front):
    assert "script-src" in front.ask("GET", "/console/sign-in").all("Content-Security-Policy")[0]
    assert "style-src 'self'" in front.ask("GET", "/verify").all("Content-Security-Policy")[0]
    assert front.ask("GET", "/api/v1/regions").all("Content-Security-Policy") == ["default-src 'none'; frame-ancestors 'none'"]


def test_links_are_made_for_https_and_cookies_are_for_it_alone(front):
    answer = front.ask("GET", "/console/")

    assert answer.status in (302, 303)
    assert all(each.startswith(("/", f"https://{NAME}")) for each in answer.all("Location"))


# --- whose address


def misses(stack) -> int:
    with psycopg.connect(stack.database_url.replace("postgresql+psycopg://", "postgresql://")) as connection:
        return connection.execute("SELECT count(*) FROM printout_misses").fetchone()[0]


def test_what_a_caller_says_of_its_own_address_is_not_believed(front, stack):
    """A wrong code is counted for the caller's network; this machine's own is not, and a stranger's said one must not be either."""
    lie = {"X-Forwarded-For": "8.8.8.8", "Forwarded": "for=8.8.8.8", "X-Real-IP": "8.8.8.8"}
    before = misses(stack)

    assert front.ask("GET", f"/verify/{new_code()}", headers=lie).status == 404
    assert misses(stack) == before

    # The same without nginx: whoever reaches web itself is taken for the proxy, and is believed.
    with socket.create_connection(("127.0.0.1", stack.ports["web"]), timeout=10) as line:
        line.sendall(
            f"GET /verify/{new_code()} HTTP/1.1\r\nHost: {NAME}\r\nX-Forwarded-For: 8.8.8.8\r\nConnection: close\r\n\r\n".encode()
        )
        assert read_answer(line).status == 404
    assert misses(stack) == before + 1


@pytest.mark.parametrize(
    "path", ["/metrics", "/readyz", "/healthz", "/sandbox/journal", "/", "/_sandbox/state", "/api/v2", "/api", "/.git/config"]
)
def test_what_is_nobodys_business_is_not_there(front, path):
    answer = front.ask("GET", path)

    assert answer.status == 404
    assert b"canbao" not in answer.body


def test_the_console_is_reached_from_the_offices_alone(front):
    assert front.ask("GET", "/console/sign-in").status == 200
    assert front.ask("GET", "/console/sign-in", source="127.0.0.2").status == 403
    assert front.ask("GET", "/api/v1/regions", source="127.0.0.2").status == 200


# --- too many, and nobody there


def test_whoever_asks_too_often_is_told_so_in_our_own_words(front):
    with front.connect(source="127.0.0.3") as line:
        line.sendall(f"GET /console/sign-in HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode() * 100)
        answers = [read_answer(line) for _ in range(100)]

    # Not an office, so nothing of it reaches the application; but a hundred at once are told to wait.
    assert answers[0].status == 403
    assert {answer.status for answer in answers} == {403, 429}
    refused = next(answer for answer in answers if answer.status == 429)
    assert json.loads(refused.body)["code"] == "BUSY"
    assert refused.all("Retry-After") == ["3"]
    assert refused.all("Strict-Transport-Security") == ["max-age=31536000"]


def test_when_web_is_away_phones_are_told_to_come_again(tmp_path):
    with nginx(tmp_path, web=free_port(), letterbox=free_port()) as front:
        answer = front.ask("GET", "/api/v1/regions")
        letter = front.ask("POST", "/webhooks/wechat-pay/x", body=b"{}")

    assert (answer.status, json.loads(answer.body)["code"]) == (503, "BUSY")
    assert answer.all("Retry-After") == ["3"]
    assert answer.all("Cache-Control") == ["no-store"]
    assert letter.status == 503


# --- TLS, and what is written down


def test_it_speaks_http_2_and_nothing_older_than_tls_1_2(front):
    context = ssl.create_default_context(cafile=str(front.folder / "cert.pem"))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(socket.create_connection(("127.0.0.1", front.https)), server_hostname=NAME) as line:
        assert line.selected_alpn_protocol() == "h2"
        assert line.version() == "TLSv1.3"

    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(front.folder / "cert.pem")
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
    with old.wrap_socket(socket.create_connection(("127.0.0.1", front.https)), server_hostname=NAME) as line:
        cipher = line.cipher()[0]
    older = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    older.load_verify_locations(front.folder / "cert.pem")
    older.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        older.minimum_version = older.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError), socket.create_connection(("127.0.0.1", front.https)) as raw:
        older.wrap_socket(raw, server_hostname=NAME)
    assert cipher.startswith("ECDHE-")
    assert "CBC" not in cipher


def test_another_name_gets_no_handshake(front):
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        front.connect(name="other.example.com").close()


def test_plain_http_leads_to_https(front):
    with socket.create_connection(("127.0.0.1", front.http), timeout=5) as line:
        line.sendall(f"GET /verify/ABC HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode())
        answer = read_answer(line)

    assert (answer.status, answer.all("Location")) == (308, [f"https://{NAME}/verify/ABC"])


def test_the_log_knows_the_place_and_no_number(front):
    code = new_code()
    front.ask("GET", f"/verify/{code}?code=13800138000", headers={"X-Request-ID": "in-the-log"})
    front.ask("GET", "/api/v1/pictures/A-TICKET-THAT-OPENS", headers={"X-Request-ID": "bad id"})
    time.sleep(0.1)

    log = (front.folder / "access.log").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    mine = next(line for line in lines if line["request_id"] == "in-the-log")
    assert (mine["place"], mine["status"], mine["address"]) == ("/verify", 404, "127.0.0.1")
    assert "/api/v1/pictures" in {line["place"] for line in lines}
    everything = log + (front.folder / "error.log").read_text()
    assert [word for word in (code, "13800138000", "A-TICKET", "bad id") if word in everything] == []


# --- several workers


def requests_told(stack) -> int:
    """How many requests for regions web tells Prometheus of, asked of whichever worker answers."""
    answer = requests.get(stack.url("web") + "/metrics", timeout=15)
    told = re.findall(
        rb'^canbao_http_requests_total\{door="api",method="GET",status="200"\} ([0-9.]+)$', answer.content, re.MULTILINE
    )
    assert len(told) <= 1
    return int(float(told[0])) if told else 0


def test_whichever_worker_is_asked_tells_of_all_of_them_and_of_those_that_died(stack):
    before, figures = requests_told(stack), stack.state_dir / "metrics" / "web"

    def ask_regions(_):
        return requests.get(stack.url("web") + "/api/v1/regions", timeout=15).status_code

    with ThreadPoolExecutor(6) as crowd:
        assert set(crowd.map(ask_regions, range(24))) == {200}
    assert len(list(figures.glob("counter_*.db"))) >= 2
    assert {requests_told(stack) for _ in range(6)} == {before + 24}

    workers = {int(path.stem.split("_")[-1]) for path in figures.glob("counter_*.db")}
    os.kill(next(pid for pid in workers if Path(f"/proc/{pid}").exists()), signal.SIGKILL)
    stack.wait_for("web")
    assert requests_told(stack) == before + 24


def test_web_and_letterbox_tell_each_of_itself_alone(stack):
    assert 'door="api"' not in requests.get(stack.url("letterbox") + "/metrics", timeout=15).text


# --- the files


def test_whatever_web_and_letterbox_serve_has_a_place_in_nginx_or_is_nobodys_business():
    """A door that is added later must be let through, or be named here."""
    served = {rule.rule.split("/")[1] for rule in create_app(load_settings({})).url_map.iter_rules()}
    routed = set(re.findall(r"location (?:= |~ \"\^)?/([a-z.]+)", (HOME / "deploy" / "nginx" / "canbao.conf").read_text()))

    assert served - routed == {"metrics", "readyz", "healthz", "sandbox", "static"}
    assert routed - served == {".well"}


def test_the_upstreams_of_compose_differ_by_their_hosts_alone():
    here = (HOME / "deploy" / "nginx" / "canbao" / "upstreams.conf").read_text()
    composed = (HOME / "deploy" / "nginx" / "upstreams.compose.conf").read_text()

    assert composed.split("\n", 1)[1] == here.split("\n", 1)[1].replace("127.0.0.1:8000", "web:8000").replace(
        "127.0.0.1:8001", "letterbox:8001"
    )
