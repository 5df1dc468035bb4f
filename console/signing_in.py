"""Signing in and out, and the first password and phone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import segno
from flask import make_response, request
from markupsafe import Markup

from console.pages import (
    EVERYBODY,
    cookie_name,
    drop_cookie,
    field,
    go,
    origin,
    page,
    ports,
    session_token,
    set_cookie,
    show,
    show_again,
)
from services import staff_enrolment, staff_sessions
from services.errors import BusinessError
from services.staff_errors import InvitationRefused, StaffPasswordWeak, StaffSignInAgain, TooManyStaffSignIns, TotpCodeRefused
from services.staff_passwords import check_twice

if TYPE_CHECKING:
    from services.staff_enrolment import Offer


@page("/sign-in", roles=None)
def sign_in_form() -> Any:
    """Whoever is signed in already goes home."""
    if cookie_name("staff") in request.cookies:
        try:
            staff_sessions.authenticate(ports(), session_token())
        except StaffSignInAgain:
            return show("sign_in.html", ended="ended" in request.args, enrolled=False)
        return go("home")
    return show("sign_in.html", ended="ended" in request.args, enrolled="enrolled" in request.args)


@page("/sign-in", roles=None, methods=("POST",))
def sign_in() -> Any:
    try:
        done = staff_sessions.sign_in(
            ports(), number=field("number"), password=field("password"), totp_code=field("totp_code"), origin=origin()
        )
    except BusinessError as fault:
        return show_again("sign_in.html", fault, ended=False, enrolled=False)
    response = make_response(go("home"))
    set_cookie(response, "staff", done.token)
    return response


@page("/sign-out", roles=EVERYBODY, methods=("POST",))
def sign_out() -> Any:
    staff_sessions.sign_out(ports(), session_token())
    response = make_response(go("sign_in_form"))
    drop_cookie(response, "staff")
    return response


@page("/enrolment", roles=None)
def enrolment_form() -> str:
    """The code on paper."""
    return show("enrolment.html")


@page("/enrolment", roles=None, methods=("POST",))
def open_enrolment() -> Any:
    """The code fits: here is the picture for the phone, and the form for the password."""
    try:
        offer = staff_enrolment.look_at_invitation(ports(), number=field("number"), code=field("code"), origin=origin())
    except (InvitationRefused, TooManyStaffSignIns) as fault:
        return show_again("enrolment.html", fault)
    return show("enrolment_finish.html", **_offered(offer))


@page("/enrolment/finish", roles=None, methods=("POST",))
def finish_enrolment() -> Any:
    given: dict[str, Any] = {"number": field("number"), "code": field("code"), "origin": origin()}
    try:
        check_twice(field("password"), field("password_again"))
        staff_enrolment.enrol(ports(), password=field("password"), totp_code=field("totp_code"), **given)
    except (StaffPasswordWeak, TotpCodeRefused) as fault:
        return _finish_again(fault, given)
    except (InvitationRefused, TooManyStaffSignIns) as fault:
        return show_again("enrolment.html", fault)
    return go("sign_in_form", enrolled="1")


def _finish_again(fault: BusinessError, given: dict[str, Any]) -> Any:
    try:
        offer = staff_enrolment.look_at_invitation(ports(), **given)
    except (InvitationRefused, TooManyStaffSignIns) as worse:
        return show_again("enrolment.html", worse)
    return show_again("enrolment_finish.html", fault, **_offered(offer))


def _offered(offer: Offer) -> dict[str, Any]:
    drawn = segno.make(offer.uri, error="m").svg_inline(scale=5, border=4, svgclass=None, lineclass=None, light="#fff")
    groups = " ".join(offer.secret[at : at + 4] for at in range(0, len(offer.secret), 4))
    # Drawn by us from our own words; nothing that anybody typed is in it but a number of ours.
    return {"number": offer.number, "code": field("code"), "secret": groups, "picture": Markup(drawn)}  # noqa: S704
