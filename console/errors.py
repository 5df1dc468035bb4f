"""Refusals as pages: what happened, what to do next, and the number to tell whoever helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import current_app, g, make_response, render_template
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from config.logs import logger
from config.seals import SealBroken
from console.pages import STATUS, blueprint, drop_cookie, go
from services.errors import BusinessError
from services.staff_errors import StaffSignInAgain

if TYPE_CHECKING:
    from types import TracebackType

    from flask import Response

log = logger(__name__)

OF_DOOR: Final = {
    404: ("没有找到", "没有这个页面，或内容已不在。请返回首页重新进入。"),
    413: ("内容过大", "请减少内容后重新提交。"),
    500: ("系统出错", "我们已记录此问题，请稍后再试；反复出现的，请把下面的编号告诉系统管理员。"),
    503: ("系统繁忙", "请稍后再试，已经提交的内容不会丢失。"),
}
"""Refusals of the door itself: number → (title, what to do)."""


def told(status: int, *, title: str, detail: str, retry_after_seconds: int | None = None) -> Response:
    response = make_response(render_template("refusal.html", title=title, detail=detail, status=status), status)
    if retry_after_seconds is not None:
        response.headers["Retry-After"] = str(retry_after_seconds)
    return response


def of_door(status: int, *, retry_after_seconds: int | None = None) -> Response:
    title, detail = OF_DOOR.get(status) or ("未能完成", "请返回上一页，检查后重试。")
    return told(status, title=title, detail=detail, retry_after_seconds=retry_after_seconds)


@blueprint.errorhandler(StaffSignInAgain)
def signed_out(_fault: StaffSignInAgain) -> Response:
    """To the sign-in page; what was in a form is not kept, since nobody knows who comes back."""
    response = make_response(go("sign_in_form", ended="1"))
    drop_cookie(response, "staff")
    return response


@blueprint.errorhandler(BusinessError)
def refused(fault: BusinessError) -> Response:
    log.info("console.refused", refusal=fault.code)
    return told(STATUS[fault.kind], title=fault.title, detail=fault.said, retry_after_seconds=fault.retry_after_seconds)


@blueprint.errorhandler(HTTPException)
def http(fault: HTTPException) -> Response:
    return of_door(fault.code or 500)


@blueprint.errorhandler(DBAPIError)
@blueprint.errorhandler(PoolTimeout)
def database(fault: Exception) -> Response:
    state = getattr(getattr(fault, "orig", None), "sqlstate", None)
    if isinstance(fault, DBAPIError) and not fault.connection_invalidated and state is not None and state[:2] not in PASSING:
        return crashed(fault)
    log.error("database.unavailable", fault=type(fault).__name__)
    return of_door(503, retry_after_seconds=3)


PASSING: Final = {"08", "40", "53", "55", "57"}
"""Deadlocks, lock time-outs and lost connections; anything else of the database is our own mistake."""


@blueprint.errorhandler(SealBroken)
def unreadable(fault: SealBroken) -> Response:
    """A lost key or an altered row: a person has to look."""
    log.error("seal.broken", fault=type(fault).__name__, where=_where(fault.__traceback__))
    return of_door(503, retry_after_seconds=600)


@blueprint.errorhandler(Exception)
def crashed(fault: Exception) -> Response:
    if current_app.testing and not current_app.config.get("SHOW_PROBLEMS"):
        raise fault
    # The type and the place, never the values: exceptions carry people's data in their messages.
    log.error(
        "request.failed", fault=type(fault).__name__, where=_where(fault.__traceback__), request_id=g.get("request_id", "-")
    )
    return of_door(500)


def _where(trace: TracebackType | None) -> str:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "-" if trace is None else f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
