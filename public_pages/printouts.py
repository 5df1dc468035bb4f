"""Is this form or receipt ours, and does it still hold? Asked by a QR code or by typing the code; answered with masked facts alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from apiflask import APIBlueprint
from flask import Response, current_app, make_response, render_template, request
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from config.logs import logger
from services.errors import BusinessError, Kind
from services.printout_checks import verify_printout
from services.printouts import in_beijing

if TYPE_CHECKING:
    from services.ports import Ports
    from services.printouts import PrintoutView

log = logger(__name__)

blueprint: Final = APIBlueprint(
    "public_pages",
    __name__,
    url_prefix="/verify",
    template_folder="templates",
    static_folder="static",
    static_url_path="/static",
    enable_openapi=False,  # the document is for phones
)
VERIFIED: Final = Counter("canbao_printouts_verified_total", "Questions about printouts", ["result"])
"""What was found, as `Standing` says it, or the code of the refusal."""
STATUS: Final = {Kind.NOT_FOUND: 404, Kind.TOO_MANY: 429}
BUSY: Final = ("系统繁忙", "请稍后再试，或拨打12333核实。")
BROKEN: Final = ("系统出错", "我们已记录此问题，请稍后再试，或拨打12333核实。")
NOWHERE: Final = ("没有找到", "请重新扫描纸面上的二维码，或在下面输入验真码。")
BACK_IN_SECONDS: Final = 3


@blueprint.get("")
@blueprint.get("/")
@blueprint.get("/<code>")
def verify(code: str | None = None) -> Response:
    """The page: what is behind the code in the address or in the field, or the field alone."""
    typed = code if code is not None else request.args.get("code", "").strip()
    if not typed:
        return _page(200)
    ports = cast("Ports", current_app.extensions["canbao.ports"])
    view = verify_printout(ports, code=typed, caller=request.remote_addr)
    VERIFIED.labels(view.standing).inc()
    return _page(200, view=view, asked_at=in_beijing(ports.now()))


@blueprint.get("/<path:_rest>")
def nowhere(_rest: str) -> Response:
    """Whatever no page has, in this door's own words."""
    return _page(404, refusal=NOWHERE)


@blueprint.errorhandler(BusinessError)
def refused(fault: BusinessError) -> Response:
    VERIFIED.labels(fault.code).inc()
    return _page(STATUS[fault.kind], refusal=(fault.title, fault.said), retry_after_seconds=fault.retry_after_seconds)


@blueprint.errorhandler(HTTPException)
def http(fault: HTTPException) -> Response:
    response = _page(fault.code or 500, refusal=NOWHERE)
    if allowed := dict(fault.get_headers()).get("Allow"):
        response.headers["Allow"] = allowed
    return response


@blueprint.errorhandler(SQLAlchemyError)
def database(fault: SQLAlchemyError) -> Response:
    log.error("database.unavailable", fault=type(fault).__name__)
    return _page(503, refusal=BUSY, retry_after_seconds=BACK_IN_SECONDS)


@blueprint.errorhandler(Exception)
def crashed(fault: Exception) -> Response:
    if current_app.testing and not current_app.config.get("SHOW_PROBLEMS"):
        raise fault
    # The type alone: exceptions carry people's data in their messages.
    log.error("request.failed", fault=type(fault).__name__)
    return _page(500, refusal=BROKEN)


def _page(
    status: int,
    *,
    view: PrintoutView | None = None,
    asked_at: str | None = None,
    refusal: tuple[str, str] | None = None,
    retry_after_seconds: int | None = None,
) -> Response:
    issued_at = None if view is None else in_beijing(view.issued_at)
    page = render_template("verify.html", view=view, issued_at=issued_at, asked_at=asked_at, refusal=refusal)
    response = make_response(page, status)
    if retry_after_seconds is not None:
        response.headers["Retry-After"] = str(retry_after_seconds)
    return response
