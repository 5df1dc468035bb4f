"""WeChat's open API for mini-programs: sign-in, access tokens, phone numbers, subscribe messages; text/plain, always 200."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from sandbox import faults, users, wechat_push
from sandbox.core import Core, digits, letters
from sandbox.faults import Found, Target
from sandbox.replies import dawdle, hang_up, read_object

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN_LASTS_SECONDS = 7200
LONGEST_VALUES = {"thing": 20, "symbol": 5, "phrase": 5, "name": 20, "amount": 15, "phone_number": 17}
LONGEST_VALUE = 32
RENEWED_AHEAD_SECONDS = 300
Answer = dict[str, Any]


def problem(code: int, message: str) -> Answer:
    return {"errcode": code, "errmsg": f"{message} rid: {letters(8).lower()}-{letters(8).lower()}-{letters(8).lower()}"}


def plain(answer: Answer, status: int = 200) -> Response:
    """Answer as WeChat does: JSON that calls itself text."""
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status=status, content_type="text/plain")


def read_body() -> Answer:
    return read_object(request.get_data(cache=True)) or {}


def serve(core: Core, operation: str, app_id: str, act: Callable[[], Answer]) -> Response:
    """Do one operation, as the faults for the app would have it."""
    target = Target(app_id=app_id, operation=f"wechat.{operation}")
    found = faults.take(core.store, faults.WECHAT_ANSWER, target)
    dawdle(found)
    spoilt = spoil(found)
    if spoilt is not None:
        return spoilt
    return hang_up(found, plain(act()))


def spoil(found: Found) -> Response | None:
    if "server_error" in found:
        return Response("Bad Gateway", status=faults.count(found["server_error"], 502), content_type="text/html")
    if "system_busy" in found:
        return plain(problem(-1, "system error"))
    if "rate_limited" in found:
        return plain(problem(45011, "api minute-quota reach limit, must slower retry next minute"))
    return None


def serve_with_token(core: Core, operation: str, act: Callable[[str], Answer]) -> Response:
    """Do one operation that needs a live access token; `act` gets the app that the token belongs to."""
    token = request.args.get("access_token", "")
    held = users.find_token(core, kind="wechat", token=token)
    if held is None:
        return plain(problem(40001, "invalid credential, access_token is invalid or not latest"))
    app_id = held["app_id"]
    if held["expires_at"] < core.now():
        return plain(problem(42001, "access_token expired"))
    target = Target(app_id=app_id, operation=f"wechat.{operation}")
    found = faults.take(core.store, faults.WECHAT_ANSWER | faults.TOKEN_FAULTS, target)
    dawdle(found)
    spoilt = spoil(found)
    if spoilt is not None:
        return spoilt
    for name in ("token_expired_once", "token_expired_forever"):
        if name in found:
            with core.store.transaction() as db:
                db.execute("UPDATE tokens SET expires_at = 0 WHERE token = ?", (token,))
            return plain(problem(faults.count(found[name], 40001), "invalid credential, access_token is invalid"))
    return hang_up(found, plain(act(app_id)))


def sign_in(core: Core) -> Answer:
    asked = request.args
    app_id = asked.get("appid", "")
    if app_id not in core.keys.app_secrets:
        return problem(40013, "invalid appid")
    if asked.get("secret") != core.keys.app_secrets[app_id]:
        return problem(40125, "invalid appsecret")
    if asked.get("grant_type") != "authorization_code":
        return problem(40002, "invalid grant_type")
    user = users.spend_code(core, app_id=app_id, code=asked.get("js_code", ""))
    if isinstance(user, str):
        return problem(40163, "code been used") if user == "used" else problem(40029, "invalid code")
    # A success carries no errcode at all.
    return {"session_key": users.new_session_key(core, user["user_id"]), "openid": user["subject"]}


def stable_token(core: Core) -> Answer:
    """The same token while it has more than five minutes left; forcing kills the one before."""
    asked = read_body()
    app_id = str(asked.get("appid"))
    if app_id not in core.keys.app_secrets:
        return problem(40013, "invalid appid")
    if asked.get("secret") != core.keys.app_secrets[app_id]:
        return problem(40125, "invalid appsecret")
    if asked.get("grant_type") != "client_credential":
        return problem(40002, "invalid grant_type")
    now = core.now()
    with core.store.transaction() as db:
        held = db.execute(
            "SELECT * FROM tokens WHERE kind = 'wechat' AND app_id = ? ORDER BY expires_at DESC LIMIT 1", (app_id,)
        ).fetchone()
        if held is not None and held["expires_at"] > now + RENEWED_AHEAD_SECONDS and not asked.get("force_refresh"):
            return {"access_token": held["token"], "expires_in": int(held["expires_at"] - now)}
        if asked.get("force_refresh"):
            db.execute("DELETE FROM tokens WHERE kind = 'wechat' AND app_id = ?", (app_id,))
        token = users.make_token(core, kind="wechat", app_id=app_id, lasts_seconds=TOKEN_LASTS_SECONDS)
    return {"access_token": token, "expires_in": TOKEN_LASTS_SECONDS}


def plain_token(core: Core) -> Answer:
    """The old call: a new token every time."""
    app_id = request.args.get("appid", "")
    if app_id not in core.keys.app_secrets:
        return problem(40013, "invalid appid")
    if request.args.get("secret") != core.keys.app_secrets[app_id]:
        return problem(40125, "invalid appsecret")
    token = users.make_token(core, kind="wechat", app_id=app_id, lasts_seconds=TOKEN_LASTS_SECONDS)
    return {"access_token": token, "expires_in": TOKEN_LASTS_SECONDS}


def phone_number(core: Core, app_id: str) -> Answer:
    user = users.spend_code(core, app_id=app_id, code=str(read_body().get("code")), kind="phone")
    if isinstance(user, str):
        return problem(40029, "invalid code")
    phone = user["phone"] or "13800000000"
    return {
        "errcode": 0,
        "errmsg": "ok",
        "phone_info": {
            "phoneNumber": phone,
            "purePhoneNumber": phone,
            "countryCode": "86",
            "watermark": {"timestamp": int(core.now()), "appid": app_id},
        },
    }


def send_message(core: Core, app_id: str) -> Answer:
    """One consent is one send; where no quota was set by hand, the user has consented for ever."""
    asked = read_body()
    receiver, template, data = asked.get("touser"), asked.get("template_id"), asked.get("data")
    if not isinstance(receiver, str) or users.by_subject(core.store, app_id, receiver) is None:
        return problem(40003, "invalid openid")
    if not isinstance(template, str) or not template:
        return problem(40037, "invalid template_id")
    if not isinstance(data, dict) or not data:
        return problem(47003, "argument invalid! data is empty")
    for name, field in data.items():
        if not isinstance(field, dict) or not isinstance(field.get("value"), str) or not field["value"]:
            return problem(47003, f"argument invalid! data.{name}.value is empty")
        longest = next((limit for kind, limit in LONGEST_VALUES.items() if name.startswith(kind)), LONGEST_VALUE)
        if len(field["value"]) > longest:
            return problem(47003, f"argument invalid! data.{name}.value invalid")
    with core.store.transaction() as db:
        quota = db.execute(
            "SELECT left FROM message_quotas WHERE subject = ? AND template = ?", (receiver, template)
        ).fetchone()
        if quota is not None and quota["left"] < 1:
            return problem(43101, "user refuse to accept the msg")
        db.execute("UPDATE message_quotas SET left = left - 1 WHERE subject = ? AND template = ?", (receiver, template))
        db.execute(
            "INSERT INTO messages (kind, receiver, template, content, at) VALUES ('wechat', ?, ?, ?, ?)",
            (receiver, template, json.dumps(asked, ensure_ascii=False), core.now()),
        )
        message_id = int(digits(15))
        wechat_push.tell_sent(core, db, app_id=app_id, subject=receiver, template=template, message_id=message_id)
    core.courier.wake()
    return {"errcode": 0, "errmsg": "ok", "msgid": message_id}


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("wechat_open", __name__, url_prefix="/wechat-api")

    @door.get("/sns/jscode2session")
    def jscode2session() -> Response:
        return serve(core, "jscode2session", request.args.get("appid", ""), lambda: sign_in(core))

    @door.post("/cgi-bin/stable_token")
    def get_stable_token() -> Response:
        return serve(core, "stable_token", str(read_body().get("appid")), lambda: stable_token(core))

    @door.get("/cgi-bin/token")
    def get_token() -> Response:
        return serve(core, "token", request.args.get("appid", ""), lambda: plain_token(core))

    @door.post("/wxa/business/getuserphonenumber")
    def getuserphonenumber() -> Response:
        return serve_with_token(core, "getuserphonenumber", lambda app_id: phone_number(core, app_id))

    @door.post("/cgi-bin/message/subscribe/send")
    def subscribe_send() -> Response:
        return serve_with_token(core, "subscribe_send", lambda app_id: send_message(core, app_id))

    return door
