"""A browser at a desk, over real HTTP: one of the staff who came in by their code on paper."""

from __future__ import annotations

import html
import re
import time
from dataclasses import dataclass, field
from typing import Any

import pyotp
import requests

INVITATION = re.compile(r"[A-Z0-9]{4}(?:-[A-Z0-9]{4}){4}")
TOKEN = re.compile(r'name="form_token" value="(\w+)"')
SECRET = re.compile(r'<code class="secret">([A-Z2-7 ]{39})</code>')


@dataclass
class Desk:
    url: str
    number: str
    password: str
    secret: str = ""
    seen: list[str] = field(default_factory=list)
    """Every answer but those that show a code or a secret to its owner."""

    def __post_init__(self) -> None:
        self.browser = requests.Session()
        self.browser.trust_env = False

    def get(self, path: str) -> str:
        return self._look(self.browser.get(f"{self.url}/console{path}", timeout=30)).text

    def send(self, page: str, path: str, *, is_secret: bool = False, **fields: Any) -> requests.Response:
        """Open a page and send its form, as its button would."""
        token = TOKEN.search(self.get(page))[1]
        return self.press(path, token=token, is_secret=is_secret, **fields)

    def press(self, path: str, *, token: str, is_secret: bool = False, **fields: Any) -> requests.Response:
        answer = self.browser.post(
            f"{self.url}/console{path}", data={"form_token": token, **fields}, headers={"Origin": self.url}, timeout=30
        )
        return answer if is_secret else self._look(answer)

    def come_in(self, code: str) -> None:
        """Password and phone are set, and the next code signs in: it is taken half a minute early, as a quick clock would."""
        opened = self.send("/enrolment", "/enrolment", is_secret=True, number=self.number, code=code)
        self.secret = SECRET.search(opened.text)[1].replace(" ", "")
        step = int(time.time()) // 30
        finished = self.press(
            "/enrolment/finish", token=TOKEN.search(opened.text)[1], number=self.number, code=code, password=self.password,
            password_again=self.password, totp_code=pyotp.HOTP(self.secret).at(step),
        )  # fmt: skip
        assert finished.url.endswith("/console/sign-in?enrolled=1"), finished.text
        entered = self.send(
            "/sign-in", "/sign-in", number=self.number, password=self.password, totp_code=pyotp.HOTP(self.secret).at(step + 1)
        )
        assert entered.url.endswith("/console/"), entered.text

    def invite(self, number: str, role: str, *, second: Desk) -> str:
        """One invites, the other lets in: answers the code that the second one's page showed."""
        assert self.send("/staff/new", "/staff", number=number, roles=role, scope="").url.endswith("done=proposed")
        answer = second.send(f"/staff/{number}", f"/staff/{number}/code", is_secret=True)
        return INVITATION.search(html.unescape(answer.text))[0]

    @property
    def session_token(self) -> str:
        return self.browser.cookies["canbao-staff"]

    def _look(self, answer: requests.Response) -> requests.Response:
        self.seen.append(f"{answer.status_code} {dict(answer.headers)} {answer.text}")
        return answer
