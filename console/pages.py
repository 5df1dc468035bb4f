"""How a page is declared: who may see it, whose affairs it is about, and that the look is written down.

    @page("/applications/<uuid:application_id>", roles=REVIEWERS, scope=scope_of_application)
    def read_application(application_id: uuid.UUID) -> str:
        return show("application.html", application=applications.read(ports(), application_id=application_id))

In this order: the session, the form's token and origin (POST), the role, the scope, the view, and its row in `staff_acts`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from apiflask import APIBlueprint
from flask import current_app, g, redirect, render_template, request, url_for

from models.staff import StaffRole
from services.errors import BusinessError, Kind, NotFound
from services.staff import require_scope
from services.staff_acts import DONE, Origin, record
from services.staff_errors import FormExpired, PageForbidden, StaffSignInAgain
from services.staff_sessions import authenticate

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as WerkzeugResponse

    from services.ports import Ports
    from services.staff import Scope, StaffView

PREFIX: Final = "/console"
blueprint: Final = APIBlueprint(
    "console",
    __name__,
    url_prefix=PREFIX,
    template_folder="templates",
    static_folder="static",
    static_url_path="/static",
    enable_openapi=False,  # the document is for phones
)

EVERYBODY: Final = frozenset(StaffRole)
REVIEWERS: Final = frozenset({StaffRole.REVIEWER, StaffRole.SUPERVISOR})
ACCOUNTANTS: Final = frozenset({StaffRole.ACCOUNTANT, StaffRole.SUPERVISOR})
"""Two of the staff are wanted for most of what they decide, and a supervisor may be the second."""
BUSINESS: Final = REVIEWERS | ACCOUNTANTS
ADMINISTRATORS: Final = frozenset({StaffRole.ADMINISTRATOR})
AUDITORS: Final = frozenset({StaffRole.AUDITOR})

STATUS: Final = {
    Kind.MALFORMED: 422,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_MANY: 429,
    Kind.UNAVAILABLE: 503,
}
TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{20,128}")
FORM_FIELD: Final = "form_token"
UNPROVEN: Final = (NotFound, PageForbidden, FormExpired)
"""Refused before anybody knew whether there is such a thing: what stands in the path may be a person's number, and is not kept."""
VISIT_BYTES: Final = 32
WORDS_IN_A_FIELD: Final = 4_000

Answer = "str | WerkzeugResponse | tuple[str, int]"
View = Callable[..., Any]


@dataclass(frozen=True)
class NavEntry:
    """A link in the head of every page, for those who may follow it."""

    title: str
    endpoint: str
    roles: frozenset[StaffRole]
    waiting: Callable[[Ports, StaffView], int] | None
    """How much waits there, told at home."""
    noun: str
    """The module that declares the page; door.py orders the head by it."""


NAVIGATION: Final[list[NavEntry]] = []


def navigation_of(roles: Collection[StaffRole]) -> list[NavEntry]:
    """What these roles may follow: their work first, what is everybody's last."""
    return sorted((each for each in NAVIGATION if not each.roles.isdisjoint(roles)), key=lambda each: each.roles == EVERYBODY)


def page(
    path: str,
    *,
    roles: Collection[StaffRole] | None,
    methods: tuple[str, ...] = ("GET",),
    scope: Callable[..., Scope] | None = None,
    nav: str | None = None,
    waiting: Callable[[Ports, StaffView], int] | None = None,
    section: str | None = None,
) -> Callable[[View], View]:
    """Declare a page.

    `roles`: who may see it; None: also whoever is not signed in. `scope`: a function of (ports, **the path's values) that tells
    whose affair it is and raises NotFound. `nav`: its title in the head; `waiting`: how much waits there. `section`: the page in the
    head that it belongs to, where a refusal leads back to.
    """
    allowed = None if roles is None else frozenset(roles)

    def decorate(view: View) -> View:
        @wraps(view)
        def asked(**given: Any) -> Any:
            g.section = section or view.__name__
            _refuse_unholdable(given)
            if allowed is None:
                _check_form()
                return view(**given)
            g.staff = authenticate(ports(), session_token())
            return _recorded(lambda: _ask(view, given, allowed=allowed, scope=scope), given)

        asked.__dict__["console_page"] = {"roles": allowed, "scope": scope, "methods": methods}
        blueprint.add_url_rule(path, endpoint=view.__name__, view_func=asked, methods=list(methods))
        if nav is not None and allowed is not None:
            NAVIGATION.append(NavEntry(nav, f"console.{view.__name__}", allowed, waiting, view.__module__))
        return asked

    return decorate


def _ask(view: View, given: dict[str, Any], *, allowed: frozenset[StaffRole], scope: Callable[..., Scope] | None) -> Any:
    _check_form()
    if allowed.isdisjoint(me().roles):
        raise PageForbidden
    if scope is not None:
        require_scope(ports(), staff=me(), scope=scope(ports(), **given))
    return view(**given)


def _recorded(ask: Callable[[], Any], given: dict[str, Any]) -> Any:
    """The answer, once its row is written. Where the row cannot be written, nothing is shown."""
    result, subject, named = "FAILED", "", "/".join(str(value) for value in given.values())
    try:
        answer = ask()
        result, subject = g.get("refusal", DONE), named
    except BusinessError as fault:
        result, subject = fault.code, "" if isinstance(fault, UNPROVEN) else named
        raise
    finally:
        act = f"{request.method} {request.endpoint}"
        record(ports(), who=me().who, act=act, subject=subject or g.get("subject", ""), result=result, origin=origin())
    return answer


# --- what a view asks for


def ports() -> Ports:
    return cast("Ports", current_app.extensions["canbao.ports"])


def me() -> StaffView:
    """Whose session came along."""
    return cast("StaffView", g.staff)


def origin() -> Origin:
    """Where the request came from, for the record."""
    return Origin(address=request.remote_addr or "-", request_id=g.get("request_id", "-"))


def about(subject: str) -> None:
    """Whom or what a page without a value in its path is about, once it is known that there is such a thing: for the record."""
    g.subject = subject


def field(name: str) -> str:
    """What was typed into a field; empty where there is none. Longer than anybody types is cut."""
    return request.form.get(name, "")[:WORDS_IN_A_FIELD]


def show(template: str, **context: Any) -> str:
    return render_template(template, **context)


def show_again(template: str, refusal: BusinessError, **context: Any) -> tuple[str, int]:
    """The form once more, with what was wrong read out first."""
    g.refusal = refusal.code
    return render_template(template, refusal=refusal, **context), STATUS[refusal.kind]


def go(endpoint: str, **values: Any) -> WerkzeugResponse:
    """On to another page, which going back and reloading do not send again."""
    return redirect(url_for(f"console.{endpoint}", **values), code=303)


# --- the session's cookie, and the token in every form


def is_production() -> bool:
    return bool(current_app.extensions["canbao.settings"].in_production)


def cookie_name(kind: str) -> str:
    """`__Host-`: the browser itself keeps neighbours and plain http from setting it."""
    return f"__Host-canbao-{kind}" if is_production() else f"canbao-{kind}"


def set_cookie(response: Any, kind: str, value: str) -> None:
    response.set_cookie(
        cookie_name(kind),
        value,
        secure=is_production(),
        httponly=True,
        samesite="Strict",
        path="/" if is_production() else PREFIX,
    )


def drop_cookie(response: Any, kind: str) -> None:
    response.delete_cookie(
        cookie_name(kind), secure=is_production(), httponly=True, samesite="Strict", path="/" if is_production() else PREFIX
    )


def session_token() -> str:
    """Raises StaffSignInAgain where there is none."""
    given = request.cookies.get(cookie_name("staff"), "")
    if not TOKEN.fullmatch(given):
        raise StaffSignInAgain
    return given


def form_token() -> str:
    """What every form carries: of the session, or of the visit where nobody is signed in."""
    return hmac.digest(_form_secret().encode(), b"canbao console form", hashlib.sha256).hex()


def _form_secret() -> str:
    if "staff" in g:
        return session_token()
    given = request.cookies.get(cookie_name("visit"), "")
    if not TOKEN.fullmatch(given):
        # Set on the way out, see door.py.
        given = g.setdefault("new_visit", secrets.token_urlsafe(VISIT_BYTES))
    return given


def _check_form() -> None:
    """A POST comes from a page of ours, shown to this very session. Raises FormExpired."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    # Browsers tell where a form stood; whoever tells nothing is no browser.
    if urlsplit(request.headers.get("Origin", "")).netloc != request.host:
        raise FormExpired
    if not hmac.compare_digest(field(FORM_FIELD).encode(), form_token().encode()):
        raise FormExpired


def _refuse_unholdable(given: dict[str, Any]) -> None:
    """A zero byte fits into no column and no name of ours."""
    texts = [*given.values(), *request.args.values(), *request.form.values()]
    if any("\x00" in text for text in texts if isinstance(text, str)):
        raise NotFound
