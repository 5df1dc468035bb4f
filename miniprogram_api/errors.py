"""Refusals on the wire: RFC 9457 problem documents with a stable code and a Chinese sentence that says what to do next."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from flask import Response, current_app, g, json, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from config.clock import BEIJING
from config.logs import logger
from config.rulebook import HotlineTopic
from config.seals import SealBroken
from services.errors import BusinessError, Kind

if TYPE_CHECKING:
    from apiflask import APIFlask, HTTPError

    from services.ports import Ports

log = logger(__name__)

PREFIX: Final = "/api/v1"
STATUS: Final = {
    Kind.MALFORMED: 422,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_MANY: 429,
    Kind.UNAVAILABLE: 503,
}
"""The only place that knows both kinds and numbers."""

DOOR_CODES: Final[dict[int, tuple[str, str, str]]] = {
    400: ("REQUEST_MALFORMED", "请求格式有误", "请更新小程序后重试。"),
    401: ("SIGN_IN_AGAIN", "登录已失效", "请重新进入小程序登录。"),
    404: ("NOT_FOUND", "没有找到", "没有找到您要的内容，请返回上一页刷新。"),
    405: ("METHOD_NOT_ALLOWED", "操作不支持", "请更新小程序后重试。"),
    413: ("REQUEST_TOO_LARGE", "内容过大", "请减少内容后重试。"),
    415: ("JSON_EXPECTED", "请求格式有误", "请更新小程序后重试。"),
    422: ("FIELDS_INVALID", "填写的内容有误", "请按提示核对后重新提交。"),
    500: ("INTERNAL", "系统出错", "我们已记录此问题，请稍后再试；急需办理请拨打12333。"),
    503: ("BUSY", "系统繁忙", "请稍后再试，您的资金不受影响。"),
}
"""Refusals of the door itself: number → (code, title, detail). Titles are ours: Python's phrases differ by version."""

PASSES_IN_SECONDS: Final = 3
"""A provider or a database that does not answer: when to try again."""
FIELD: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
NEEDS_A_PERSON_SECONDS: Final = 600
"""What only somebody at a desk can mend."""
NOT_BY_TOMORROW: Final = {"TOO_MANY_OPEN_ORDERS": 60}
"""Every other "too many" counts a Beijing day, and ends with it."""

NATIONAL_LINE: Final = "12333"
ABOUT_MONEY: Final = frozenset({"bills", "payment_orders", "withholding_agreements"})
"""Nouns whose questions the tax authority's line answers."""
IN_CHINESE: Final = {
    "Missing data for required field.": "必填",
    "Unknown field.": "没有这一项",
    "Field may not be null.": "不能为空",
    "Not a valid string.": "应为文字",
    "Not a valid integer.": "应为整数",
    "Not a valid boolean.": "应为 true 或 false",
    "Not a valid UUID.": "编号格式不对",
    "Not a valid list.": "应为列表",
    "String does not match expected pattern.": "格式不对",
}
"""What the schemas say → what a person can read. Whatever is not here is named by its field alone."""


def is_ours(path: str) -> bool:
    """Whether a path belongs to this door."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


class DoorRefusal(Exception):
    """The door itself refuses: the words were not even words."""

    def __init__(self, status: int, *, errors: Any = None, code: str | None = None, detail: str | None = None) -> None:
        super().__init__(code or DOOR_CODES[status][0])
        self.status, self.errors, self.code, self.detail = status, errors, code, detail


def problem(
    status: int,
    *,
    code: str,
    title: str,
    detail: str,
    headers: dict[str, str] | None = None,
    hotline: str | None = None,
    **more: Any,
) -> Response:
    body = {
        "type": f"/problems/{code}",
        "status": status,
        "code": code,
        "title": title,
        "detail": detail,
        "hotline": hotline or _hotline(),
        "request_id": g.get("request_id", "-"),
        **more,
    }
    response = Response(json.dumps(body, ensure_ascii=False), status=status, content_type="application/problem+json")
    response.headers.update(headers or {})
    return response


def _hotline() -> str:
    """Whom to call, in every refusal (适老化): of the region of whoever asks, and of another sort where it is about money."""
    ports: Ports = current_app.extensions["canbao.ports"]
    account, programs = g.get("account"), ports.partners.miniprograms
    code = account.miniprogram if account is not None and account.miniprogram in programs else next(iter(programs))
    topic = HotlineTopic.PAYMENT if request.blueprint in ABOUT_MONEY else HotlineTopic.ENROLLMENT
    return ports.regions_of(code)[0].hotline(topic).number


def of_door(
    status: int, *, code: str | None = None, detail: str | None = None, headers: dict[str, str] | None = None, **more: Any
) -> Response:
    known = DOOR_CODES.get(status) or (HTTPStatus(status).name, "请求未能完成", "请稍后再试。")
    return problem(status, code=code or known[0], title=known[1], detail=detail or known[2], headers=headers, **more)


def install(app: APIFlask) -> None:
    """Every refusal under our prefix becomes a problem document; other doors keep their own dialects."""

    @app.errorhandler(BusinessError)
    def refused(fault: BusinessError) -> Response:
        log.info("request.refused", refusal=fault.code)
        status, headers = STATUS[fault.kind], _headers_of(fault)
        return problem(status, code=fault.code, title=fault.title, detail=fault.said, headers=headers, **fault.facts)

    @app.errorhandler(DoorRefusal)
    def malformed(fault: DoorRefusal) -> Response:
        more = {"errors": fault.errors} if fault.errors else {}
        return of_door(fault.status, code=fault.code, detail=fault.detail, **more)

    @app.error_processor
    def invalid(fault: HTTPError) -> Any:
        if not is_ours(request.path):
            return fault.message, fault.status_code, fault.headers
        # 405 owes the list of methods that would do.
        headers = {name: str(value) for name, value in dict(fault.headers).items() if name == "Allow"}
        told = next((fault.detail[place] for place in ("json", "query") if place in fault.detail), None)
        more = {} if told is None else {"errors": _faults(told)}
        return of_door(fault.status_code, headers=headers, **more)

    @app.errorhandler(DBAPIError)
    @app.errorhandler(PoolTimeout)
    def database(fault: Exception) -> Response:
        if isinstance(fault, DBAPIError) and not fault.connection_invalidated and not _is_passing(fault):
            return failed(fault)
        log.error("database.unavailable", fault=type(fault).__name__)
        return of_door(503, headers={"Retry-After": str(PASSES_IN_SECONDS)})

    app.register_error_handler(SealBroken, unreadable)

    @app.errorhandler(Exception)
    def crashed(fault: Exception) -> Response:
        # Of Exception, not of 500: Flask would first write the whole traceback into the log, with the values in it.
        return failed(fault)

    def failed(fault: BaseException) -> Response:
        if current_app.testing and not current_app.config.get("SHOW_PROBLEMS"):
            raise fault
        # The type and the place, never the values: exceptions carry people's data in their messages.
        log.error("request.failed", fault=type(fault).__name__, where=_where(fault))
        # Whatever broke may be what knows the regions.
        return of_door(500, hotline=NATIONAL_LINE)


def unreadable(fault: SealBroken) -> Response:
    """A lost key or an altered row: a person has to look, so coming back within seconds does not help."""
    log.error("seal.broken", fault=type(fault).__name__, where=_where(fault))
    detail = "您的资料暂时无法读取，我们已记录此问题，您的资金不受影响；急需办理请拨打12333。"
    return of_door(503, detail=detail, headers={"Retry-After": str(NEEDS_A_PERSON_SECONDS)})


def _headers_of(fault: BusinessError) -> dict[str, str]:
    headers = {"WWW-Authenticate": "Bearer"} if fault.kind is Kind.UNAUTHENTICATED else {}
    if seconds := fault.retry_after_seconds or _retry_after(fault):
        headers["Retry-After"] = str(seconds)
    return headers


def _retry_after(fault: BusinessError) -> int | None:
    """When asking again may help. A promise of seconds where a day must pass would only make phones knock."""
    match fault.kind:
        case Kind.UNAVAILABLE:
            return PASSES_IN_SECONDS
        case Kind.TOO_MANY:
            return NOT_BY_TOMORROW.get(fault.code) or _seconds_until_tomorrow()
        case _:
            return None


def _seconds_until_tomorrow() -> int:
    ports: Ports = current_app.extensions["canbao.ports"]
    now = ports.now().astimezone(BEIJING)
    tomorrow = datetime.combine(now.date() + timedelta(days=1), time.min, tzinfo=BEIJING)
    return int((tomorrow - now).total_seconds()) + 1


def _faults(told: Any) -> Any:
    """The schemas' complaints, field by field, in words for a person."""
    if isinstance(told, dict):
        return {_field(name): _faults(inner) for name, inner in told.items()}
    return [IN_CHINESE.get(str(each), "填写有误") for each in told]


def _field(name: object) -> str:
    """Our own fields and places in a list by their names; what else somebody calls a field may be a person's number, and is not said again."""
    return str(name) if isinstance(name, int) or FIELD.fullmatch(str(name)) else "?"


def _is_passing(fault: DBAPIError) -> bool:
    """Deadlocks, lock time-outs and lost connections pass; anything else of the database is our own mistake."""
    state = getattr(fault.orig, "sqlstate", None)
    return state is None or state[:2] in {"08", "40", "53", "55", "57"}


def _where(fault: BaseException) -> str:
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (
        "-"
        if trace is None
        else f"{trace.tb_frame.f_code.co_qualname if hasattr(trace.tb_frame.f_code, 'co_qualname') else trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
    )
