"""A sandbox for each story, from keys made once, and a letterbox that stands where Canbao's would."""

import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox import serve_in_thread
from sandbox.keys import issue
from sandbox.world import WORLD

WX_APP = "wx3204000000000001"
MCHID = "1900003204"
ALI_APP = "2021003204000001"
SELLER = "2088003204000001"


class Letterbox:
    """Keeps what was posted, and answers as told: `answers` is used up first, then `answer`."""

    def __init__(self):
        self.letters = []
        self.answers = []
        self.answer = (204, b"")
        self._lock = threading.Lock()
        box = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, content = box.take({"path": self.path, "headers": self.headers, "body": body})
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if content:
                    self.wfile.write(content)

            do_GET = do_POST

            def log_message(self, *_):
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, letter):
        with self._lock:
            self.letters.append(letter)
            return self.answers.pop(0) if self.answers else self.answer

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(scope="session")
def issued(tmp_path_factory):
    """Keys take a second to make; every story starts from a copy of the same ones."""
    home, secrets = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("secrets")
    issue(home, secrets, WORLD)
    return home, secrets


@pytest.fixture
def secrets(issued):
    return issued[1]


@pytest.fixture
def home(issued, tmp_path):
    shutil.copytree(issued[0], tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def letterbox():
    box = Letterbox()
    yield box
    box.close()


@pytest.fixture
def sandbox(home, letterbox):
    with serve_in_thread(home, notice_time_scale=0.002, letterbox_url=letterbox.url) as running:
        yield running


def told(response):
    return json.loads(response[1])
