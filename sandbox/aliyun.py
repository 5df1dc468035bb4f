"""Alibaba Cloud's identity and SMS products: RPC over POST, signed with ACS3-HMAC-SHA256, dispatched on x-acs-action."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from flask import Blueprint, Response, request

from sandbox import faults
from sandbox.core import HandClock
from sandbox.faults import Target
from sandbox.replies import dawdle, hang_up, raw_target

if TYPE_CHECKING:
    from sandbox.core import Core

SCHEME = "ACS3-HMAC-SHA256"
AUTHORIZATION = re.compile(rf"{SCHEME} Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]{{64}})")
MUST_SIGN = {"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"}
WINDOW_SECONDS = 900
Given = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """An error of the API itself, told by the HTTP status."""

    status: int
    code: str
    message: str


Told = dict[str, Any]
Action = Callable[["Core", Given], "Told | Problem"]


def canonical_request(signed_headers: list[str]) -> bytes:
    """Write the request as both sides hash it: method, path, sorted query, signed headers, hash of the body."""
    parts = urlsplit(raw_target())
    pairs = sorted(parse_qsl(parts.query, keep_blank_values=True))
    query = "&".join(f"{name}={quote(value, safe='~')}" for name, value in pairs)
    headers = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in signed_headers)
    body_hash = hashlib.sha256(request.get_data(cache=True)).hexdigest()
    lines = (request.method, parts.path or "/", query, headers, ";".join(signed_headers), body_hash)
    return "\n".join(lines).encode()


def authenticate(core: Core) -> Problem | None:
    """Check who asks; every header of the protocol must be among the signed ones."""
    read = AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    if read is None:
        return Problem(status=400, code="IncompleteSignature", message="The Authorization header is not ACS3-HMAC-SHA256.")
    access_key_id, names, signature = read[1], read[2].split(";"), read[3]
    if access_key_id != core.keys.aliyun_access_key_id:
        return Problem(status=404, code="InvalidAccessKeyId.NotFound", message="Specified access key is not found.")
    if not set(names) >= MUST_SIGN or names != sorted(names):
        return Problem(status=400, code="IncompleteSignature", message="A header that must be signed is not.")
    if request.headers.get("x-acs-content-sha256") != hashlib.sha256(request.get_data(cache=True)).hexdigest():
        return Problem(status=400, code="SignatureDoesNotMatch", message="x-acs-content-sha256 is not the body's hash.")
    if _age_seconds(core) > WINDOW_SECONDS:
        return Problem(status=400, code="InvalidTimeStamp.Expired", message="Specified time stamp or date value is expired.")
    digest = hashlib.sha256(canonical_request(names)).hexdigest()
    secret = core.keys.aliyun_access_key_secret.encode()
    expected = hmac.new(secret, f"{SCHEME}\n{digest}".encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature):
        return Problem(
            status=400, code="SignatureDoesNotMatch", message="Specified signature is not matched with our calculation."
        )
    return None


def _age_seconds(core: Core) -> float:
    try:
        at = datetime.strptime(request.headers.get("x-acs-date", ""), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return float("inf")
    # Their SDK stamps by the machine's clock and takes no other: one that was set by hand does not count here.
    now = core.clock.machine() if isinstance(core.clock, HandClock) else core.now()
    return abs(now - at.timestamp())


def parameters() -> Given:
    """Parameters come in the query or in a form; the SDK uses either, by action."""
    pairs = parse_qsl(urlsplit(raw_target()).query, keep_blank_values=True)
    if request.mimetype == "application/x-www-form-urlencoded":
        pairs += parse_qsl(request.get_data(cache=True).decode(), keep_blank_values=True)
    return dict(pairs)


def written(told: Told | Problem) -> Response:
    request_id = str(uuid.uuid4()).upper()
    if isinstance(told, Problem):
        body: Told = {"Code": told.code, "Message": told.message, "RequestId": request_id, "HostId": request.host}
        return Response(json.dumps(body), status=told.status, content_type="application/json;charset=utf-8")
    text = json.dumps({"RequestId": request_id, **told}, ensure_ascii=False)
    return Response(text, content_type="application/json;charset=utf-8")


def serve(core: Core, actions: dict[tuple[str, str], Action]) -> Response:
    refused = authenticate(core)
    if refused:
        return written(refused)
    name, version = request.headers["x-acs-action"], request.headers["x-acs-version"]
    act = actions.get((name, version))
    if act is None:
        return written(Problem(status=404, code="InvalidAction.NotFound", message=f"{name} {version} is not found."))
    given = parameters()
    number = given.get("OuterOrderNo") or given.get("OutId") or ""
    found = faults.take(core.store, faults.ANY_ANSWER, Target(app_id="aliyun", order_no=number, operation=f"aliyun.{name}"))
    dawdle(found)
    if "server_error" in found:
        status = faults.count(found["server_error"], 503)
        return written(
            Problem(status=status, code="ServiceUnavailable", message="The request has failed due to a temporary failure.")
        )
    if "rate_limited" in found:
        return written(Problem(status=429, code="Throttling.User", message="Request was denied due to user flow control."))
    return hang_up(found, written(act(core, given)))


def blueprint(core: Core, actions: dict[tuple[str, str], Action]) -> Blueprint:
    door = Blueprint("aliyun", __name__)

    @door.post("/")
    def rpc() -> Response:
        return serve(core, actions)

    return door
