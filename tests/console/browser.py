"""A browser of one of the staff, and a judge who looks at every page that it is shown."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models.staff import Staff, StaffRole, StaffSession
from services import staff as service
from services.staff import EVERYWHERE, Scope
from services.staff_acts import Origin
from services.staff_codes import step_at
from services.staff_enrolment import enrol, look_at_invitation

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from services.ports import Ports
    from services.staff import StaffView
    from tests.doors.house import House

OFFICE = Origin(address="10.1.2.3", request_id="story-0001")
PASSWORD = "窗外的梧桐又落叶了2026"
VOID = frozenset({"meta", "link", "input", "br", "hr", "img", "path"})
HERE = "http://localhost"


def code_at(ports: Ports, number: str, *, steps: int = 0) -> str:
    """What the phone of this number shows now, or so many half minutes later."""
    import pyotp

    with ports.begin() as session:
        row = session.scalars(select(Staff).where(Staff.number == number)).one()
        secret = ports.seals.open(row.totp_sealed, place=Staff.totp_place(row.id))
    return pyotp.HOTP(secret).at(step_at(ports.now()) + steps)


def member(ports: Ports, number: str, *roles: StaffRole, region: str | None = None, agency: str | None = None) -> StaffView:
    """One of the staff, enrolled as in life; their next code is good from the next half minute on."""
    scope = Scope(region=region, agency=agency) if region else EVERYWHERE
    invitation = service.invite(ports, number=number, roles=roles, scope=scope, origin=OFFICE)
    given = {"number": number, "code": invitation.code, "origin": OFFICE}
    look_at_invitation(ports, **given)
    enrol(ports, password=PASSWORD, totp_code=code_at(ports, number), **given)
    return service.read_staff(ports, number=number)


def open_session(ports: Ports, number: str, *, seen: timedelta = timedelta(0), lives: timedelta = timedelta(hours=8)) -> str:
    """A token of theirs without the way to it. `seen`: how long ago they last asked for anything."""
    token, now = secrets.token_urlsafe(32), ports.now()
    with ports.begin() as session:
        row = session.scalars(select(Staff).where(Staff.number == number)).one()
        service.end_sessions(session, row, why="REPLACED", now=now)
        session.add(
            StaffSession(
                staff_id=row.id,
                token_hash=hashlib.sha256(token.encode()).digest(),
                address="10.1.2.3",
                created_at=now,
                last_seen_at=now - seen,
                expires_at=now + lives,
            )
        )
    return token


@dataclass
class Browser:
    house: House
    token: str | None = None
    form_token: str = ""
    """Of the last page."""
    shown: Page = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.house.app.test_client()
        if self.token is not None:
            self.client.set_cookie("canbao-staff", self.token, path="/console")

    @classmethod
    def of(cls, house: House, number: str, **how: Any) -> Browser:
        """Somebody who signed in a while ago."""
        return cls(house, open_session(house.ports, number, **how))

    def get(self, path: str, **how: Any) -> TestResponse:
        return self._seen(self.client.get(f"/console{path}", **how))

    def post(self, path: str, *, origin: str | None = HERE, form_token: str | None = "", **fields: Any) -> TestResponse:
        """`form_token`: the last page's unless another is given; None: none at all."""
        if form_token is not None:
            fields["form_token"] = form_token or self.form_token
        headers = {} if origin is None else {"Origin": origin}
        return self._seen(self.client.post(f"/console{path}", data=fields, headers=headers))

    def send(self, page: str, path: str, **fields: Any) -> TestResponse:
        """Open a page and send a form of it."""
        assert self.get(page).status_code == 200
        return self.post(path, **fields)

    def _seen(self, response: TestResponse) -> TestResponse:
        judge(response)
        if response.mimetype == "text/html" and response.status_code not in (301, 302, 303, 308):
            self.shown = read(response.get_data(as_text=True))
            self.form_token = next((each["value"] for each in self.shown.inputs if each.get("name") == "form_token"), "")
        return response


class Page(HTMLParser):
    """What a page is made of; complains about tags that are not closed as they were opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if len({name for name, _ in attrs}) != len(attrs):
            self.faults.append(f"<{tag}> has an attribute twice")
        # A drawing's title is its name, and no title of the page.
        self.tags.append((f"svg:{tag}" if tag == "title" and "svg" in self.open else tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing, or too early")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return [attrs for tag, attrs in self.tags if tag in ("input", "select", "textarea")]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def count(self, tag: str) -> int:
        return sum(each == tag for each, _ in self.tags)

    def links(self) -> set[str]:
        return {attrs["href"] for tag, attrs in self.tags if tag == "a" and attrs.get("href")}


def read(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    return page


def judge(response: TestResponse) -> None:
    """What every answer of this door owes, and every page of it."""
    at = f"{response.request.method} {response.request.path} → {response.status_code}"
    headers = response.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy, at
    assert "frame-ancestors 'none'" in policy, at
    assert "unsafe" not in policy, at
    assert headers["X-Frame-Options"] == "DENY", at
    assert headers["X-Content-Type-Options"] == "nosniff", at
    assert headers["Referrer-Policy"] == "same-origin", at
    assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", headers["X-Request-ID"]), at
    for cookie in headers.getlist("Set-Cookie"):
        assert "HttpOnly" in cookie, at
        assert "SameSite=Strict" in cookie, at
    if response.request.path.startswith("/console/static/") and response.status_code == 200:
        return
    assert headers["Cache-Control"] == "no-store", at
    if response.status_code in (301, 302, 303, 308):
        assert headers["Location"].startswith(("/console", f"{HERE}/console")), at
        return
    if response.mimetype == "image/jpeg":
        assert response.data.startswith(b"\xff\xd8\xff"), at
        return
    if response.mimetype == "text/csv":
        assert response.content_type == "text/csv; charset=utf-8", at
        assert response.data.startswith(b"\xef\xbb\xbf"), at
        assert headers["Content-Disposition"].startswith("attachment; filename"), at
        assert headers["Content-Disposition"].isascii(), at
        assert response.data.endswith("行\r\n".encode()), at
        return
    assert response.content_type == "text/html; charset=utf-8", at
    faults = faults_of(read(html := response.get_data(as_text=True)))
    assert faults == [], f"{at}: {faults}"
    assert html.startswith("<!doctype html>"), at


def faults_of(page: Page) -> list[str]:
    """What a careful reader, a screen reader or a Content-Security-Policy would stumble over."""
    faults = [*page.faults, *[f"<{tag}> is never closed" for tag in page.open]]
    faults += [f"{page.count(tag)} <{tag}>" for tag in ("h1", "main", "title", "html") if page.count(tag) != 1]
    ids = [attrs["id"] for _, attrs in page.tags if attrs.get("id")]
    faults += [f"two of id {each}" for each in set(ids) if ids.count(each) > 1]
    labelled = {attrs.get("for") for tag, attrs in page.tags if tag == "label"}
    faults += [
        f"no label for {each.get('name')}"
        for each in page.inputs
        if each.get("type") != "hidden" and each.get("id") not in labelled
    ]
    faults += [f"a label for {each}, which is not there" for each in labelled if each not in ids]
    for tag, attrs in page.tags:
        faults += [f"<{tag} {name}>" for name in attrs if name.startswith("on") or name == "style"]
        faults += [
            f"{name} of nothing"
            for name in ("aria-describedby", "aria-labelledby")
            if not set((attrs.get(name) or "").split()) <= set(ids)
        ]
        if tag == "th" and attrs.get("scope") not in ("col", "row"):
            faults.append("a <th> without a scope")
        if tag == "button" and attrs.get("type") != "submit":
            faults.append("a <button> that says nothing of what it does")
        target = attrs.get("src") or (attrs.get("href") if tag == "link" else None)
        if target and not target.startswith("/console/"):
            faults.append(f"from elsewhere: {target}")
    faults += ["a script"] if page.count("script") or page.count("style") else []
    lang = next((attrs.get("lang") for tag, attrs in page.tags if tag == "html"), None)
    faults += [] if lang == "zh-CN" else ["no language"]
    forms = [at for at, (tag, attrs) in enumerate(page.tags) if tag == "form" and attrs.get("method") == "post"]
    for at in forms:
        first = page.tags[at + 1][1]
        if first.get("name") != "form_token" or not first.get("value"):
            faults.append("a form without its token")
    skip = next((attrs.get("href") for tag, attrs in page.tags if tag == "a"), None)
    return faults + ([] if skip == "#main" and "main" in ids else ["no way past the head"])
