"""Home, where each role finds what waits for it; and one's own account."""

from __future__ import annotations

from typing import Any

from flask import make_response, request

from console.pages import EVERYBODY, field, go, me, navigation_of, origin, page, ports, set_cookie, show, show_again
from services import staff_sessions
from services.staff_errors import StaffPasswordWeak, StaffSignInRefused
from services.staff_passwords import check_twice


@page("/", roles=EVERYBODY)
def home() -> str:
    tiles = [(entry, entry.waiting(ports(), me()) if entry.waiting else None) for entry in navigation_of(me().roles)]
    return show("home.html", tiles=tiles)


@page("/account", roles=EVERYBODY, nav="我的账号")
def account() -> str:
    return show("account.html", changed="changed" in request.args)


@page("/account/password", roles=EVERYBODY, methods=("POST",))
def change_password() -> Any:
    try:
        check_twice(field("new_password"), field("new_password_again"))
        done = staff_sessions.change_password(
            ports(),
            staff=me(),
            password=field("password"),
            new_password=field("new_password"),
            totp_code=field("totp_code"),
            origin=origin(),
        )
    except (StaffPasswordWeak, StaffSignInRefused) as fault:
        return show_again("account.html", fault, changed=False)
    response = make_response(go("account", changed="1"))
    set_cookie(response, "staff", done.token)
    return response
