"""Who is asking, and how an endpoint states its contract."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, cast

from flask import current_app, g, request

from miniprogram_api.errors import DoorRefusal
from services.errors import BusinessError, SignInAgain
from services.sign_in import authenticate

if TYPE_CHECKING:
    from apiflask import APIBlueprint, Schema

    from models.accounts import Account
    from services.ports import Ports

BEARER: Final = re.compile(r"Bearer ([A-Za-z0-9_-]{20,128})")
KEY: Final = re.compile(r"[!-~]{8,64}")
"""A UUID, say."""


def ports() -> Ports:
    return cast("Ports", current_app.extensions["canbao.ports"])


def me() -> Account:
    """The account whose token came along."""
    return cast("Account", g.account)


def token() -> str:
    """The bearer token. Raises SignInAgain where there is none."""
    given = BEARER.fullmatch(request.headers.get("Authorization", ""))
    if given is None:
        raise SignInAgain
    return given[1]


def idempotency_key() -> str:
    """The creating request's own name, made by the phone."""
    given = request.headers.get("Idempotency-Key", "")
    if not KEY.fullmatch(given):
        raise DoorRefusal(400, code="IDEMPOTENCY_KEY_MISSING", detail="请更新小程序后重试。")
    return given


def endpoint(
    door: APIBlueprint,
    *,
    takes: type[Schema] | None = None,
    asks: type[Schema] | None = None,
    returns: type[Schema] | None = None,
    status: int = 200,
    fails: Sequence[type[BusinessError]] = (),
    signed_in: bool = True,
    creates: bool = False,
    replays: bool = False,
    takes_picture: bool = False,
    gives: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An endpoint reads as its contract: what it takes (body) or asks (query) and returns, how it can refuse, whether it creates and needs a key.

    `takes_picture`: the body is one, and not JSON; whoever takes it reads it by itself, after all else is asked. `gives`: the media
    type of an answer that is not JSON.
    `replays`: the same key tells the same thing again, and a header says so; elsewhere doing it again is the same as once.
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        view.__dict__.setdefault("_spec", {})
        wrapped: Callable[..., Any] = view
        if returns is not None:
            wrapped = door.output(returns, status_code=status)(wrapped)
        if takes is not None:
            wrapped = door.input(takes, arg_name="given")(wrapped)
        if asks is not None:
            wrapped = door.input(asks, location="query", arg_name="asked")(wrapped)
        inner = wrapped

        @wraps(inner)
        def asked(*args: Any, **kwargs: Any) -> Any:
            if signed_in:
                g.account = authenticate(ports(), token())
                if g.account.miniprogram not in ports().partners.miniprograms:
                    # It was taken out of service while this session lived.
                    raise SignInAgain
            if creates:
                g.idempotency_key = idempotency_key()
            return inner(*args, **kwargs)

        asked.__dict__["canbao"] = {
            "fails": tuple(fails),
            "asks": asks is not None,
            "signed_in": signed_in,
            "creates": creates,
            "replays": replays,
            "takes_picture": takes_picture,
            "gives": gives,
            "status": status,
        }
        return asked

    return decorate
